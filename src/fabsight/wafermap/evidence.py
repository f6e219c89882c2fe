"""The second opinion on patterns: what the facts alone confirm, allow and rule out.

It knows nothing of the classifier, which sees only the picture of the map; so what the one says can
be checked by the other. `evidence_training` made it, its limits are set for few false alarms.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from jaxtyping import Float32

from fabsight.wafermap.claims import PATTERNS, Choice, Description
from fabsight.wafermap.describing import describe
from fabsight.wafermap.fact_vector import vector
from fabsight.wafermap.facts import Facts

LIKELY = 0.5  # share from which a pattern is taken to be there when other slots are described


def evident(facts: Facts) -> Description:
    """What facts alone say is true of a map: for checking, not for answering."""
    shares, (low, high) = allowed(facts), limits()
    confirmed = tuple(n for n, s, h in zip(PATTERNS, shares, high, strict=True) if s >= h)
    open_ = tuple(
        name
        for name, share, least in zip(PATTERNS, shares, low, strict=True)
        if share >= least and name not in confirmed
    )
    likely = tuple(n for n, s in zip(PATTERNS, shares, strict=True) if s >= LIKELY)
    likely = likely or (PATTERNS[int(shares.argmax())],)
    others = tuple(name for name in (*confirmed, *open_) if name not in likely)
    seen = describe(facts, Choice(likely, others))
    choices = {**seen.choices, "pattern": Choice(confirmed, open_)}
    return Description(choices, seen.numbers, seen.clock, seen.causes)


def allowed(facts: Facts) -> Float32[np.ndarray, " 9"]:
    """How far the facts speak for each of PATTERNS, 0 to 1, each for itself."""
    return np.asarray(_session().run(None, {"facts": vector(facts)[None]})[0][0], np.float32)


@cache
def limits() -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Share below which each pattern is ruled out, and from which it is confirmed."""
    held = json.loads((files("fabsight") / "weights" / "wafermap_evidence.json").read_text())
    return tuple(held["ruled_out_below"]), tuple(held["confirmed_from"])


@cache
def _session() -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        (files("fabsight") / "weights" / "wafermap_evidence.onnx").read_bytes(),
        options,
        providers=["CPUExecutionProvider"],
    )

"""The embedded classifier: which patterns a wafer map shows, with calibrated probabilities.

Two small networks (`classifier_network`) look at the map straight and unrolled; their logits are
averaged, tempered and weighted by constants that `classifier_tuning` fitted on maps neither saw.
It sees nothing but the dies; what `facts` measures is the independent check of what it says.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import numpy as np
from jaxtyping import Float64

from fabsight.settings import settings_from_json
from fabsight.wafermap.claims import PATTERNS
from fabsight.wafermap.planes import planes, unrolled
from fabsight.wafermap.wafer import Grid

MEMBERS = PATTERNS[:8]  # those that may be there together
ALONE = ("near-full", "random")  # cover the wafer: nothing else is told beside them
NONE = "none"
BATCH = 256


@dataclass(frozen=True, eq=False)
class Scores:
    """What the classifier makes of a map.

    Attributes:
        classes: Probability of each of PATTERNS, sum 1: were it one of them.
        weighed: Likewise, weighed for equal attention to rare and frequent classes.
        members: Probability of each of MEMBERS, each for itself.
        several: Probability that two or more of MEMBERS are there.
    """

    classes: Float64[np.ndarray, " 9"]
    weighed: Float64[np.ndarray, " 9"]
    members: Float64[np.ndarray, " 8"]
    several: float

    def probability(self, pattern: str) -> float:
        """Of the pattern as the only one.

        >>> Scores(np.eye(9)[2], np.eye(9)[2], np.zeros(8), 0.0).probability("edge-loc")
        1.0
        """
        return float(self.classes[PATTERNS.index(pattern)])


@dataclass(frozen=True)
class Constants:
    """What `classifier_tuning` fitted.

    Attributes:
        temperature: The averaged class logits are divided by it.
        prior: Added to them for probabilities: log odds of each class as it occurs.
        weigh: Added instead when a class is to be named.
        member_temperature: Of the member logits.
        member_threshold: Probability from which each member is named.
        several_from: `several` from which a map is taken for a mixture.
    """

    temperature: float
    prior: tuple[float, ...]
    weigh: tuple[float, ...]
    member_temperature: float
    member_threshold: tuple[float, ...]
    several_from: float


def classify(grid: Grid) -> Scores:
    """The scores of one map."""
    return classify_all([grid])[0]


def classify_all(grids: Sequence[Grid]) -> list[Scores]:
    """The scores of many maps, of any sizes."""
    found: list[Scores] = []
    for first in range(0, len(grids), BATCH):
        flat = np.stack([planes(grid) for grid in grids[first : first + BATCH]])
        found += scored(logits(flat), constants())
    return found


def decide(
    scores: Scores, patterns: Literal["auto", "one", "several"] = "auto", abstain: float = 0.0
) -> tuple[str, ...]:
    """The patterns that are named; ("none",) for a clean map, () below the probability `abstain`.

    Args:
        scores: Of the map.
        patterns: Whether one is named or all that are there; auto takes a map for a mixture only
            where that is all but certain.
        abstain: Least probability of the one pattern that is named.
    """
    fitted = constants()
    if patterns == "several" or (patterns == "auto" and scores.several >= fitted.several_from):
        return together(scores)
    best = PATTERNS[int(scores.weighed.argmax())]
    return () if scores.probability(best) < abstain else (best,)


def together(scores: Scores) -> tuple[str, ...]:
    """All patterns that are there, of those that may be there together."""
    likeliest = MEMBERS[int(scores.members.argmax())]
    threshold = constants().member_threshold
    there = tuple(
        name
        for name, share, least in zip(MEMBERS, scores.members, threshold, strict=True)
        if share >= least
    )
    if likeliest in ALONE and likeliest in there:
        return (likeliest,)
    return tuple(name for name in there if name not in ALONE) or (NONE,)


def logits(flat: np.ndarray) -> Float64[np.ndarray, "n 17"]:
    """Mean logits of the networks: 9 classes, 8 members, of planes (n, 3, 48, 48)."""
    views = {"straight": flat}
    views["unrolled"] = np.stack([unrolled(one) for one in flat])
    found = [session.run(None, {"planes": views[view]})[0] for view, session in _sessions()]
    return np.asarray(np.mean(found, axis=0), np.float64)


def scored(raw: Float64[np.ndarray, "n 17"], fitted: Constants) -> list[Scores]:
    """Scores of logits."""
    classes = _softmax(raw[:, :9] / fitted.temperature + np.array(fitted.prior))
    weighed = _softmax(raw[:, :9] / fitted.temperature + np.array(fitted.weigh))
    members = 1 / (1 + np.exp(-raw[:, 9:] / fitted.member_temperature))
    return [Scores(a, b, c, _several(c)) for a, b, c in zip(classes, weighed, members, strict=True)]


def _several(members: Float64[np.ndarray, " 8"]) -> float:
    """Probability of two or more, were they independent."""
    absent = np.clip(1 - members, 1e-12, 1)
    nothing = absent.prod()
    return float(1 - nothing - (nothing * members / absent).sum())


def _softmax(values: Float64[np.ndarray, "n 9"]) -> Float64[np.ndarray, "n 9"]:
    shifted = np.exp(values - values.max(1, keepdims=True))
    return np.asarray(shifted / shifted.sum(1, keepdims=True))


@cache
def constants() -> Constants:
    """The fitted constants that belong to the networks."""
    text = (files("fabsight") / "weights" / "wafermap_classifier.json").read_text()
    return settings_from_json(Constants, json.loads(text))


@cache
def _sessions() -> list[tuple[str, Any]]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # parallel work is one map per process
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    folder = files("fabsight") / "weights"
    return [
        (
            view,
            onnxruntime.InferenceSession(
                (folder / f"wafermap_{view}.onnx").read_bytes(),
                options,
                providers=["CPUExecutionProvider"],
            ),
        )
        for view in ("straight", "unrolled")
    ]

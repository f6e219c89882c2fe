"""The embedded classifier: which patterns a wafer map shows, with calibrated probabilities.

    grid --planes--> views, turned --network--> logits --constants--> Scores --decide--> names

A small network (`classifier_network`) looks at the map four ways round; its logits are averaged,
tempered and weighted by constants that `classifier_tuning` fitted on maps it never saw. It sees
nothing but the dies; what `facts` measures is the independent check of what it says.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from jaxtyping import Float64, UInt8

from fabsight.settings import settings_from_json
from fabsight.wafermap.claims import PATTERNS
from fabsight.wafermap.planes import planes
from fabsight.wafermap.wafer import Grid

Grids: TypeAlias = Sequence[UInt8[np.ndarray, "_ _"]]  # of any sizes
MEMBERS = PATTERNS[:8]  # those that may be there together
ALONE = ("near-full", "random")  # cover the wafer: nothing else is told beside them
NONE = "none"
BATCH = 256
NETWORK, FITTED = "wafermap_classifier.onnx", "wafermap_classifier.json"


@dataclass(frozen=True, eq=False)
class Scores:
    """What the classifier makes of a map.

    Attributes:
        probabilities: Of each of PATTERNS, sum 1: were it one of them, as often as in WM-811K.
        members: Of each of MEMBERS, each for itself.
        several: That two or more of MEMBERS are there.
    """

    probabilities: Float64[np.ndarray, " 9"]
    members: Float64[np.ndarray, " 8"]
    several: float

    def probability(self, pattern: str) -> float:
        """Of the pattern as the only one.

        >>> Scores(np.eye(9)[2], np.zeros(8), 0.0).probability("edge-loc")
        1.0
        """
        return float(self.probabilities[PATTERNS.index(pattern)])

    def likelihood(self, pattern: str) -> float:
        """Of the pattern, alone or with others: the higher of the two heads."""
        if pattern not in MEMBERS:
            return self.probability(pattern)
        return max(self.probability(pattern), float(self.members[MEMBERS.index(pattern)]))


@dataclass(frozen=True)
class Constants:
    """What `classifier_tuning` fitted.

    Attributes:
        temperature: The averaged class logits are divided by it.
        prior: Added to them: log odds of each class as it occurs beside how often it was learnt.
        favour: Added to log probabilities when one class is named: rare ones count as much.
        member_temperature: Of the member logits.
        member_threshold: Probability from which each member is named.
        several_from: `several` from which a map is taken for a mixture.
    """

    temperature: float
    prior: tuple[float, ...]
    favour: tuple[float, ...]
    member_temperature: float
    member_threshold: tuple[float, ...]
    several_from: float


def classify(grid: Grid) -> Scores:
    """The scores of one map.

    >>> from fabsight.wafermap.geometry import disk
    >>> ring = np.where(disk(40, 40).radius > 0.88, 2, 1).astype(np.uint8)
    >>> decide(classify(ring * (disk(40, 40).radius <= 1).astype(np.uint8)))
    ('edge-ring',)
    """
    return classify_all([grid])[0]


def classify_all(grids: Grids) -> list[Scores]:
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
        abstain: Least probability of what is named: of the one pattern, or of just these several.
    """
    fitted = constants()
    if patterns == "several" or (patterns == "auto" and scores.several >= fitted.several_from):
        names, probability = _together(scores, fitted)
    else:
        weighed = np.log(scores.probabilities + 1e-12) + np.array(fitted.favour)
        names = (PATTERNS[int(weighed.argmax())],)
        probability = scores.probability(names[0])
    return () if probability < abstain else names


def _together(scores: Scores, fitted: Constants) -> tuple[tuple[str, ...], float]:
    """All patterns that are there, of those that may be together, and how likely just these are."""
    there = scores.members >= np.array(fitted.member_threshold)
    just_these = float(np.where(there, scores.members, 1 - scores.members).prod())
    names = tuple(name for name, is_there in zip(MEMBERS, there, strict=True) if is_there)
    likeliest = MEMBERS[int(scores.members.argmax())]
    if likeliest in ALONE and likeliest in names:
        return (likeliest,), just_these
    return tuple(name for name in names if name not in ALONE) or (NONE,), just_these


def logits(
    flat: UInt8[np.ndarray, "n 3 52 52"], network: Any = None
) -> Float64[np.ndarray, "n 17"]:
    """Mean logits, 9 classes and 8 members, of planes; by the shipped network if none is given."""
    seen = turns(flat)
    asked = {"planes": seen.reshape(-1, *flat.shape[1:])}
    given = (network or _shipped()).run(["logits"], asked)[0]
    return np.asarray(given.reshape(*seen.shape[:2], -1).mean(0), np.float64)


def turns(flat: UInt8[np.ndarray, "n 3 52 52"]) -> UInt8[np.ndarray, "4 n 3 52 52"]:
    """The maps as they are, turned by half, and mirrored and turned by a quarter either way."""
    mirrored = flat[..., ::-1]
    quarters = [np.rot90(mirrored, k, (2, 3)) for k in (1, 3)]
    return np.stack([flat, np.rot90(flat, 2, (2, 3)), *quarters])


def scored(raw: Float64[np.ndarray, "n 17"], fitted: Constants) -> list[Scores]:
    """Scores of logits."""
    classes = _softmax(raw[:, :9] / fitted.temperature + np.array(fitted.prior))
    members = 1 / (1 + np.exp(-raw[:, 9:] / fitted.member_temperature))
    return [Scores(a, b, _several(b)) for a, b in zip(classes, members, strict=True)]


def _several(members: Float64[np.ndarray, " 8"]) -> float:
    """Probability of two or more, were they independent."""
    absent = np.clip(1 - members, 1e-12, 1)
    nothing = absent.prod()
    return float(np.clip(1 - nothing - (nothing * members / absent).sum(), 0, 1))


def _softmax(values: Float64[np.ndarray, "n 9"]) -> Float64[np.ndarray, "n 9"]:
    shifted = np.exp(values - values.max(1, keepdims=True))
    return np.asarray(shifted / shifted.sum(1, keepdims=True))


@cache
def constants() -> Constants:
    """The fitted constants that belong to the networks."""
    text = (files("fabsight") / "weights" / FITTED).read_text()
    return settings_from_json(Constants, json.loads(text))


@cache
def _shipped() -> Any:
    with as_file(files("fabsight") / "weights" / NETWORK) as path:
        return open_network(path)


def open_network(path: Path) -> Any:
    """The onnxruntime session of a network's file."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # parallel work is one map per process
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        path.read_bytes(), options, providers=["CPUExecutionProvider"]
    )

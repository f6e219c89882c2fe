"""The embedded classifier: which patterns a wafer map shows, with calibrated probabilities.

    grid --planes--> (3, 52, 52) --networks--> logits --constants--> Scores --decide--> names

Two small networks of one kind (`classifier_network`): one names the one class of a map, one tells
which patterns are there together. Logits are tempered and weighted by constants that
`classifier_tuning` fitted on maps neither ever saw. They see nothing but the dies; what `facts`
measures is the independent check of what they say.
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
NETWORKS = ("wafermap_classifier.onnx", "wafermap_members.onnx")  # one class, several patterns
FITTED = "wafermap_classifier.json"


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
    flat: UInt8[np.ndarray, "n 3 52 52"], networks: Sequence[Any] | None = None
) -> Float64[np.ndarray, "n 17"]:
    """Logits of 9 classes and 8 members, of planes; by the shipped networks if none are given.

    Classes are the mean over two ways round. Members are of the map as it is: a third of
    MixedWM38's mixtures can only be told apart by where its authors put each pattern.
    """
    of_classes, of_members = networks or _shipped()
    count, seen = len(flat), turns(flat)
    given = of_classes.run(["logits"], {"planes": seen.reshape(-1, *flat.shape[1:])})[0]
    classes = given[:, : len(PATTERNS)].reshape(len(seen), count, -1).mean(0)
    members = of_members.run(["logits"], {"planes": flat})[0][:, len(PATTERNS) :]
    return np.concatenate([classes, members], 1).astype(np.float64)


def turns(flat: UInt8[np.ndarray, "n 3 52 52"]) -> UInt8[np.ndarray, "2 n 3 52 52"]:
    """The maps as they are, and mirrored and turned by a quarter."""
    return np.stack([flat, np.rot90(flat[..., ::-1], 1, (2, 3))])


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
def _shipped() -> list[Any]:
    with as_file(files("fabsight") / "weights") as folder:
        return open_networks(folder)


def open_networks(folder: Path) -> list[Any]:
    """The onnxruntime sessions of the two networks in a folder."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # parallel work is one map per process
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return [
        onnxruntime.InferenceSession(
            (folder / name).read_bytes(), options, providers=["CPUExecutionProvider"]
        )
        for name in NETWORKS
    ]

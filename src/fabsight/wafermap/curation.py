"""Cleaning and sampling of labelled maps: what questions are made of, before any is asked.

    labelled wafers --cleaned--> usable ones, and why others are not --sampled--> a few of each

After WaferSAGE (arXiv 2604.27629, section 3): doubtful labels and doubles go, and of each class
maps that differ are kept, by clustering, so that frequent looks do not crowd out rare ones.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from fabsight.wafermap.evidence import evident
from fabsight.wafermap.facts import measure
from fabsight.wafermap.similarity import descriptor
from fabsight.wafermap.wafer import NO_DIE, Wafer

LEAST_DIES = 50
ROUNDS = 20  # of k-means


@dataclass(frozen=True, eq=False)
class Cleaned:
    """What is left of labelled wafers, and how many went for which reason."""

    kept: tuple[Wafer, ...]
    refused: Mapping[str, int]


def cleaned(wafers: Iterable[Wafer]) -> Cleaned:
    """The wafers whose label can be believed, each once.

    Refused are wafers without a label, with fewer than 50 dies, doubles of an earlier one, and
    those whose facts rule out a pattern that the label states (`evidence`).
    """
    kept: list[Wafer] = []
    refused: Counter[str] = Counter()
    seen: set[bytes] = set()
    for wafer in wafers:
        reason = _wrong(wafer, seen)
        if reason:
            refused[reason] += 1
        else:
            kept.append(wafer)
    return Cleaned(tuple(kept), dict(refused))


def _wrong(wafer: Wafer, seen: set[bytes]) -> str:
    """Why a wafer is of no use; "" where it is."""
    if not wafer.labels:
        return "no label"
    if int((wafer.grid != NO_DIE).sum()) < LEAST_DIES:
        return "few dies"
    key = wafer.grid.tobytes() + bytes(str(wafer.grid.shape), "ascii")
    if key in seen:
        return "double"
    seen.add(key)
    found = evident(measure(wafer.grid)).choices["pattern"]
    if not set(wafer.labels) <= {*found.true, *found.possible}:
        return "doubtful label"
    return ""


def sampled(wafers: Sequence[Wafer], per_class: int, seed: int = 0) -> list[Wafer]:
    """At most `per_class` wafers of each set of labels, as unlike each other as they come.

    The descriptors of a class are parted into as many clusters as are wanted; of each cluster the
    map nearest its middle is taken. The order of the wafers is kept.
    """
    members: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for number, wafer in enumerate(wafers):
        members[wafer.labels or ()].append(number)
    chosen: list[int] = []
    for numbers in members.values():
        if len(numbers) <= per_class:
            chosen += numbers
            continue
        found = np.stack([descriptor(wafers[number].grid) for number in numbers])
        chosen += [numbers[k] for k in representatives(found, per_class, seed)]
    return [wafers[number] for number in sorted(chosen)]


def representatives(
    vectors: Float32[np.ndarray, "n d"], count: int, seed: int
) -> Int64[np.ndarray, " k"]:
    """Indices of the vectors nearest the middles of `count` clusters (k-means), each once.

    >>> np.sort(representatives(np.float32([[0], [0.1], [5], [5.1]]), 2, 0)).tolist() in (
    ...     [[0, 2], [0, 3], [1, 2], [1, 3]])
    True
    """
    from scipy.cluster.vq import kmeans2

    rng = np.random.default_rng(seed)
    start = vectors[np.sort(rng.choice(len(vectors), count, replace=False))].astype(np.float64)
    middles, label = kmeans2(vectors.astype(np.float64), start, iter=ROUNDS, minit="matrix")
    apart = ((vectors - middles[label]) ** 2).sum(1)
    found = []
    for cluster in range(count):
        inside = np.flatnonzero(label == cluster)
        if len(inside):
            found.append(int(inside[apart[inside].argmin()]))
    return np.array(found, np.int64)

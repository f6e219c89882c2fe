"""Groups of wafers with similar patterns: how many patterns there are, how many wafers have each.

Wafers whose fails are spread as chance spreads them have no pattern and are in no group. The
others are joined by average linkage (Sokal, Michener 1958) on the cosine of their polar parts, so
a group is a shape at a place, whatever its strength. Equal lots give equal groups.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from fabsight.task import FabsightError
from fabsight.wafermap.lot_statistics import benjamini_hochberg
from fabsight.wafermap.randomness import clustering
from fabsight.wafermap.similarity import ANGLES, POLAR, RADII, Vectors, descriptor
from fabsight.wafermap.stacking import Grids
from fabsight.wafermap.wafer import FAIL, NO_DIE

ALIKE = 0.5  # mean cosine within a group at least; docs/wafermap-lots.md has the distributions
RATE = 0.01  # false-discovery rate of "this wafer has a pattern"
LEAST_LIFT = 1.2  # times the neighbouring pairs of chance: large wafers make any trace significant
FULL = 0.7  # fail rate from which the whole wafer is the pattern
NO_PATTERN = frozenset({"none", "random"})
MOST_WAFERS = 5000  # all pairs are compared


@dataclass(frozen=True)
class Group:
    """Wafers with one pattern.

    Attributes:
        wafers: Their places in the list given, ascending.
        typical: The one that is most like the others.
        similarity: Mean cosine between two of them; 1 where it is one wafer.
        patterns: Pattern names of its wafers and how many have each, most first; () without labels.
    """

    wafers: tuple[int, ...]
    typical: int
    similarity: float
    patterns: tuple[tuple[str, int], ...] = ()

    @property
    def count(self) -> int:
        """How many wafers belong to it."""
        return len(self.wafers)


@dataclass(frozen=True)
class Clusters:
    """The groups of a lot.

    Attributes:
        groups: The largest first, equally large ones by their first wafer; of one wafer too.
        none: Wafers without a pattern.
    """

    groups: tuple[Group, ...]
    none: tuple[int, ...]


def clusters(
    grids: Grids,
    patterns: Sequence[tuple[str, ...]] | None = None,
    rotate: bool = False,
    alike: float = ALIKE,
) -> Clusters:
    """Groups of similar patterns; grids may differ in size.

    `patterns` names each wafer's, as a classifier did: those with none but "none" and "random" are
    in no group. Without it a wafer has a pattern where its fails keep together more than chance
    puts them. With `rotate`, patterns that differ by a turn are one group.

    >>> left, clean = np.ones((2, 20, 20), np.uint8)
    >>> left[8:12, :4] = 2
    >>> found = clusters([left, clean, left])
    >>> [group.wafers for group in found.groups], found.none
    ([(0, 2)], (1,))
    """
    _check(grids, patterns)
    shown = (
        patterned(grids) if patterns is None else [not NO_PATTERN.issuperset(p) for p in patterns]
    )
    members = [k for k, has in enumerate(shown) if has]
    none = tuple(k for k, has in enumerate(shown) if not has)
    if not members:
        return Clusters((), none)
    vectors = np.stack([descriptor(grids[k]) for k in members])
    cosine = shape_cosines(vectors, rotate)
    labels = _joined(cosine, alike)
    groups = []
    for label in sorted(set(labels)):
        inside = [k for k, found in enumerate(labels) if found == label]
        groups.append(_group(inside, members, cosine, patterns))
    groups.sort(key=lambda group: (-group.count, group.wafers[0]))
    return Clusters(tuple(groups), none)


def patterned(grids: Grids) -> list[bool]:
    """Which wafers have a pattern: fails that keep together, or a wafer that fails nearly all over.

    Of the wafers said to have one by keeping together at most 1 % are expected not to.
    """
    found = [clustering(grid) for grid in grids]
    if not found:
        return []
    q = benjamini_hochberg(np.array([one.p for one in found]))
    rates = [(grid == FAIL).sum() / max(int((grid != NO_DIE).sum()), 1) for grid in grids]
    return [
        bool(rate >= FULL or (adjusted <= RATE and max(one.lift, one.excess) >= LEAST_LIFT))
        for one, adjusted, rate in zip(found, q, rates, strict=True)
    ]


def shape_cosines(vectors: Vectors, rotate: bool = False) -> Float32[np.ndarray, "maps maps"]:
    """Cosine of each two maps' polar parts, in the best rotation where `rotate`; 0 for no shape."""
    polar = vectors[:, :POLAR]
    polar = polar / np.maximum(np.linalg.norm(polar, axis=1, keepdims=True), 1e-6)
    if not rotate:
        return np.asarray(polar @ polar.T, np.float32)
    bins = np.fft.rfft(polar.reshape(-1, RADII, ANGLES), axis=2).astype(np.complex64)
    rows = []
    for one in bins:
        shared = np.fft.irfft((one * bins.conj()).sum(1), ANGLES, axis=1)
        rows.append(shared.max(1))
    found = np.array(rows, np.float32)
    return np.minimum(found, found.T)


def _check(grids: Grids, patterns: Sequence[tuple[str, ...]] | None) -> None:
    if patterns is not None and len(patterns) != len(grids):
        raise FabsightError(
            f"group {len(grids)} wafers: pattern names are given for {len(patterns)}; give one "
            "tuple of names a wafer"
        )
    if len(grids) > MOST_WAFERS:
        raise FabsightError(
            f"group {len(grids):,} wafers: each is compared with each, so at most {MOST_WAFERS:,} "
            "can be; group lot by lot, or search an index"
        )


def _joined(cosine: Float32[np.ndarray, "maps maps"], alike: float) -> list[int]:
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    if len(cosine) == 1:
        return [1]
    apart = np.maximum(1 - np.round(cosine.astype(np.float64), 6), 0)
    np.fill_diagonal(apart, 0)
    tree = linkage(squareform(apart, checks=False), "average")
    return [int(label) for label in fcluster(tree, 1 - alike, "distance")]


def _group(
    inside: list[int],
    members: list[int],
    cosine: Float32[np.ndarray, "maps maps"],
    patterns: Sequence[tuple[str, ...]] | None,
) -> Group:
    block = cosine[np.ix_(inside, inside)].astype(np.float64)
    count = len(inside)
    others = (block.sum(1) - np.diag(block)) / max(count - 1, 1)
    wafers = tuple(members[k] for k in inside)
    names = Counter(name for wafer in wafers for name in (patterns[wafer] if patterns else ()))
    return Group(
        wafers=wafers,
        typical=wafers[int(np.round(others, 6).argmax())],
        similarity=float(others.mean()) if count > 1 else 1.0,
        patterns=tuple(sorted(names.items(), key=lambda item: (-item[1], item[0]))),
    )

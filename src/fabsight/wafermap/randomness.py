"""Whether failing dies of a map keep together more than chance puts them there.

Join counts: pairs of failing dies that are neighbours, against all ways to put as many fails on the
same dies (Cliff, Ord, "Spatial Processes", 1981, chapter 1: mean and variance under nonfree
sampling). Two reaches: eight neighbours see scratches and blobs, 48 see faint large shapes.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from fabsight.wafermap.wafer import FAIL, NO_DIE, Grid

REACHES = (1, 3)


@dataclass(frozen=True)
class Clustering:
    """How much failing dies keep together.

    Attributes:
        p: That chance puts as many pairs together, the smaller of both reaches doubled.
        lift: Neighbouring pairs of fails over those expected; 1 is chance; 0 without pairs.
        excess: The lift at the wider reach.
    """

    p: float
    lift: float
    excess: float


def clustering(grid: Grid) -> Clustering:
    """How much the failing dies of a map keep together; p is 1 where fewer than two fail.

    >>> wafer = np.ones((20, 20), np.uint8)
    >>> wafer[5:9, 5:9] = 2
    >>> found = clustering(wafer)
    >>> found.p < 1e-6, round(found.lift)
    (True, 19)
    """
    fails, there = grid == FAIL, grid != NO_DIE
    near, far = (_joins(fails, there, reach) for reach in REACHES)
    return Clustering(min(1.0, 2 * min(near[0], far[0])), near[1], far[1])


def _joins(
    fails: Bool[np.ndarray, "rows columns"], there: Bool[np.ndarray, "rows columns"], reach: int
) -> tuple[float, float]:
    """One-sided p-value and lift of the pairs of fails within a window of the reach."""
    from scipy.stats import gamma

    dies, failing = int(there.sum()), int(fails.sum())
    degree = _near(there, reach)[there]
    joins = float(degree.sum() / 2)
    if failing < 2 or failing > dies - 1 or joins == 0:
        return 1.0, float(failing > dies - 1 and failing > 1)
    seen = float(_near(fails, reach)[fails].sum() / 2)
    two, three, four = (_together(failing, dies, k) for k in (2, 3, 4))
    sharing = float((degree * (degree - 1)).sum())
    mean = joins * two
    variance = mean + sharing * three + (joins**2 - joins - sharing) * four - mean**2
    if variance <= 1e-9 * mean:
        return 1.0, seen / mean
    # A gamma distribution has the skewness that few fails give; a normal one's tail is too thin.
    p = gamma.sf(max(seen - 0.5, 0.0), mean**2 / variance, scale=variance / mean)
    return float(p), seen / mean


def _together(failing: int, dies: int, count: int) -> float:
    """Chance that `count` named dies all fail."""
    chance = 1.0
    for k in range(count):
        chance *= max(failing - k, 0) / max(dies - k, 1)
    return chance


def _near(mask: Bool[np.ndarray, "rows columns"], reach: int) -> np.ndarray:
    """How many of the dies within the reach are set, the die itself not counted: float64."""
    import cv2

    size = (2 * reach + 1, 2 * reach + 1)
    ones = mask.astype(np.float64)
    return np.asarray(
        np.rint(cv2.boxFilter(ones, -1, size, normalize=False, borderType=cv2.BORDER_CONSTANT))
        - ones
    )

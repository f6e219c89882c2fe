"""Whether failing dies keep together: join counts and Moran's I on the dies that are there.

Cliff, Ord, "Spatial Processes" (Pion, 1981), chapters 1 and 2: joins between dies that share a side
or a corner (king's moves, as Taam and Hamada use them for wafers, Technometrics 35, 149, 1993); the
fails are thought to be dealt out to the dies without replacement.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, UInt8


@dataclass(frozen=True, eq=False)
class Near:
    """Sums over the eight dies around each cell.

    Attributes:
        dies, fails: How many of the neighbours are dies, and fail.
    """

    dies: UInt8[np.ndarray, "rows columns"]
    fails: UInt8[np.ndarray, "rows columns"]


@dataclass(frozen=True)
class Randomness:
    """How far the arrangement of fails is from chance.

    Attributes:
        joins: Pairs of neighbouring dies.
        fail_joins: Those of which both fail ("BB").
        expected: Fail joins by chance.
        join_z: Fail joins in standard deviations from chance; 0 where chance leaves no choice.
        moran: Moran's I of the fails, about -1 to 1; 0 where all dies are alike.
        moran_z: In standard deviations from chance.
    """

    joins: int
    fail_joins: int
    expected: float
    join_z: float
    moran: float
    moran_z: float


def near(die: UInt8[np.ndarray, "rows columns"], fail: UInt8[np.ndarray, "rows columns"]) -> Near:
    """Neighbours of all cells; `die` and `fail` are 0 or 1."""
    return Near(box_sum(die, 3) - die, box_sum(fail, 3) - fail)


def box_sum(
    mask: UInt8[np.ndarray, "rows columns"], size: int
) -> UInt8[np.ndarray, "rows columns"]:
    """Sums of a 0-1 mask over squares of `size` cells (odd, below 16), nothing beyond the grid.

    >>> box_sum(np.eye(3, dtype=np.uint8), 3).tolist()
    [[2, 2, 1], [2, 3, 2], [1, 2, 2]]
    """
    import cv2

    summed = cv2.boxFilter(
        mask, cv2.CV_8U, (size, size), normalize=False, borderType=cv2.BORDER_CONSTANT
    )
    return np.asarray(summed, np.uint8)


def box_mean(
    values: Float32[np.ndarray, "rows columns"], size: int
) -> Float32[np.ndarray, "rows columns"]:
    """Sums of numbers over squares of `size` cells, nothing beyond the grid."""
    import cv2

    return np.asarray(
        cv2.boxFilter(
            values, cv2.CV_32F, (size, size), normalize=False, borderType=cv2.BORDER_CONSTANT
        ),
        np.float32,
    )


def randomness(
    die: Bool[np.ndarray, "rows columns"], fail: Bool[np.ndarray, "rows columns"], around: Near
) -> Randomness:
    """Join counts and Moran's I of the fails.

    >>> grid = np.zeros((4, 4), np.uint8)
    >>> grid[:, :2] = 1
    >>> all_dies = np.ones_like(grid)
    >>> found = randomness(all_dies > 0, grid > 0, near(all_dies, grid))
    >>> found.joins, found.fail_joins, round(found.join_z, 1), round(found.moran, 2)
    (42, 16, 2.7, 0.52)
    """
    degree = around.dies[die].astype(np.int64)
    dies, joins = len(degree), int(degree.sum()) // 2
    squares = int((degree * degree).sum())
    together = around.fails[fail].astype(np.int64)
    fails, fail_joins = len(together), int(together.sum()) // 2
    mean, deviation = _joins_by_chance(dies, fails, joins, squares)
    join_z = (fail_joins - mean) / deviation if deviation > 0 else 0.0
    rate = fails / max(dies, 1)
    if not joins or not 0 < fails < dies:
        return Randomness(joins, fail_joins, mean, join_z, 0.0, 0.0)
    degrees = int(around.dies[fail].astype(np.int64).sum())
    product = fail_joins - rate * degrees + rate * rate * joins
    moran = product / joins / (rate * (1 - rate))
    deviation = _moran_deviation(dies, rate, joins, squares)
    moran_z = (moran + 1 / (dies - 1)) / deviation if deviation > 0 else 0.0
    return Randomness(joins, fail_joins, mean, join_z, moran, moran_z)


def _joins_by_chance(dies: int, fails: int, joins: int, squares: int) -> tuple[float, float]:
    """Mean and standard deviation of fail joins when fails are dealt out (non-free sampling).

    `squares` is the sum of squared numbers of neighbours: pairs of joins that share a die number
    half of it less the joins.
    """
    all_of = [1.0]  # probability that given 1, 2, 3, 4 dies all fail
    for k in range(4):
        all_of.append(all_of[-1] * max(fails - k, 0) / max(dies - k, 1))
    mean = joins * all_of[2]
    sharing = squares - 2 * joins
    apart = joins * (joins - 1) - sharing
    variance = mean + sharing * all_of[3] + apart * all_of[4] - mean * mean
    return mean, math.sqrt(variance) if variance > 1e-9 * max(mean, 1.0) else 0.0


def _moran_deviation(dies: int, rate: float, joins: int, squares: int) -> float:
    """Standard deviation of Moran's I under randomisation (Cliff, Ord 1981, eq. 1.37 to 1.39)."""
    if dies < 4:
        return 0.0
    n, s0, s1, s2 = float(dies), 2.0 * joins, 4.0 * joins, 4.0 * squares
    spread = rate * (1 - rate)
    kurtosis = (1 - 3 * spread) / spread
    first = n * ((n * n - 3 * n + 3) * s1 - n * s2 + 3 * s0 * s0)
    second = kurtosis * ((n * n - n) * s1 - 2 * n * s2 + 6 * s0 * s0)
    variance = (first - second) / ((n - 1) * (n - 2) * (n - 3) * s0 * s0) - 1 / (n - 1) ** 2
    return math.sqrt(variance) if variance > 1e-15 else 0.0

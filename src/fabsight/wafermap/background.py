"""The random background of a map, and the core: fails that belong to something systematic."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt8

from fabsight.wafermap.spatial import Near, box_sum

STRICT, LOOSE = 1e-3, 5e-2  # chance of so many fails around a die; loose ones join strict ones
RATES = 96  # background rates that thresholds are tabled for
LEAST_RATE = 1e-3
ROUNDS = 6
SETTLED = 0.03  # relative change of the rate that ends the rounds
QUIET = (0.1, 0.5)  # share of the dies, by their patches' rates, that the first guess is from
SIZES = ((48, 5), (90, 7), (10**9, 9))  # grids up to so many rows or columns: side of the square


@dataclass(frozen=True, eq=False)
class Background:
    """Random fails, and what stands out of them.

    Attributes:
        rate: Fail rate of the random background, 0 to 1.
        core: 1 where a failing die belongs to something systematic.
        core_dies: How many do.
        core_share: Share of the fails that do; 0 without fails.
    """

    rate: float
    core: UInt8[np.ndarray, "rows columns"]
    core_dies: int
    core_share: float


def first_rate(dies: Int64[np.ndarray, " patches"], fails: Int64[np.ndarray, " patches"]) -> float:
    """A guess from below: the mean rate of the quieter patches.

    From below, since what a low rate takes for systematic by mistake is given back when the rate is
    counted again, while a rate that is too high hides the pattern that made it so.

    >>> first_rate(np.array([10, 10, 10, 10]), np.array([1, 1, 9, 10]))
    0.1
    """
    rate = fails / np.maximum(dies, 1)
    order = np.argsort(rate, kind="stable")
    upto = np.concatenate([[0], np.cumsum(dies[order])]).astype(np.float64)
    ends = upto[-1] * np.array(QUIET)
    weight = np.diff(np.clip(upto, *ends))
    return float(weight @ rate[order] / max(weight.sum(), 1.0))


def dense(
    die: UInt8[np.ndarray, "rows columns"],
    fail: UInt8[np.ndarray, "rows columns"],
    around: Near,
    rate: float,
) -> tuple[Bool[np.ndarray, "rows columns"], float]:
    """Failing dies with more fails around them than chance gives, and the rate outside of them.

    Each failing die is tested at two scales: its eight neighbours, and a larger square. Those that
    stand out strictly are taken with those that stand out loosely and touch them (hysteresis). The
    background is then counted again away from what was taken, from where it is tested again.
    """
    import cv2

    size = next(side for most, side in SIZES if max(die.shape) <= most)
    wide_dies, wide_fails = box_sum(die, size) - die, box_sum(fail, size) - fail
    failing = fail > 0
    strict = np.zeros_like(failing)
    kernel = np.ones((3, 3), np.uint8)
    for _ in range(ROUNDS):
        strict = _stands_out(around.dies, around.fails, 9, rate, STRICT)
        strict |= _stands_out(wide_dies, wide_fails, size * size, rate, STRICT)
        strict &= failing
        away = (die > 0) & (cv2.dilate(strict.view(np.uint8), kernel) == 0)
        before, rate = rate, (np.count_nonzero(fail[away]) + 0.5) / (np.count_nonzero(away) + 1)
        if abs(rate - before) < SETTLED * before:
            break
    if not strict.any():
        return strict, rate
    loose = strict | _stands_out(around.dies, around.fails, 9, rate, LOOSE)
    loose |= _stands_out(wide_dies, wide_fails, size * size, rate, LOOSE)
    loose &= failing
    count, label = cv2.connectedComponents(loose.view(np.uint8), connectivity=8)
    kept = np.zeros(count, bool)
    kept[label[strict]] = True
    return kept[label] & loose, rate


def _stands_out(
    dies: UInt8[np.ndarray, "rows columns"],
    fails: UInt8[np.ndarray, "rows columns"],
    cells: int,
    rate: float,
    chance: float,
) -> Bool[np.ndarray, "rows columns"]:
    least = least_fails(cells, chance)[_row_of(rate)]
    return np.asarray(fails >= least[dies])


def _row_of(rate: float) -> int:
    """The row of the tables for the next higher background rate."""
    return int(np.searchsorted(_tabled(), min(rate, 1.0)))


@lru_cache(maxsize=1)
def _tabled() -> Float64[np.ndarray, " rates"]:
    """Equally spaced in what makes the spread of a binomial even."""
    low = np.arcsin(np.sqrt(LEAST_RATE))
    return np.sin(np.linspace(low, np.pi / 2, RATES)) ** 2


@lru_cache(maxsize=16)
def least_fails(cells: int, chance: float) -> UInt8[np.ndarray, "rates cells"]:
    """How many of n neighbours must fail so that it is rarer than `chance`, for each rate and n.

    255 where no number is. Two at least: one neighbour is no evidence of anything.
    """
    from scipy.special import bdtrc

    trials = np.arange(cells)
    least = np.full((RATES, cells), 255, np.uint8)
    for fails in range(cells - 1, 1, -1):
        tail = bdtrc(fails - 1.0, np.maximum(trials, fails), _tabled()[:, None])
        least[(tail <= chance) & (trials >= fails)] = fails
    return least

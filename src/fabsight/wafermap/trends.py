"""Series over a lot's slots or over time: where the rate changes, and whether it drifts.

A series is counts: k of n dies fail, or 1 of 1 wafers has a pattern. Change points are the exact
minimum of the binomial cost plus a penalty for each, by optimal partitioning (Jackson et al., "An
algorithm for optimal partitioning of data on an interval", IEEE Signal Process. Lett. 12, 105,
2005). Drift is the Mann-Kendall test with the Theil-Sen slope.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import numpy as np
from jaxtyping import Float64, Int64

from fabsight.task import FabsightError
from fabsight.wafermap.lot_statistics import wilson

LEAST_WAFERS = 3  # on each side of a change: one odd wafer is an outlier
# Times ln(wafers) a change. BIC counts 2, a rate and a place, which finds changes in 3 to 26 % of
# steady series; where the dispersion is estimated too, from as few wafers, one more is due.
PENALTY, PENALTY_SCATTERED = 3.0, 4.0
MOST_WAFERS = 20_000  # the time grows with their square: 2 s
MEDIAN_OF_CHI2 = 0.4549364  # of one degree of freedom
EXACT = 2  # wafers below which nothing can drift


@dataclass(frozen=True)
class Change:
    """Where a rate changes.

    Attributes:
        at: Index of the first wafer of the new rate.
        before, after: Rates of the segments that meet there.
        before_interval, after_interval: 95 % intervals (Wilson), widened by the dispersion.
        gain: By how much the change lowers the cost, in units of the penalty: above 1.
    """

    at: int
    before: float
    after: float
    before_interval: tuple[float, float]
    after_interval: tuple[float, float]
    gain: float


@dataclass(frozen=True)
class Drift:
    """Whether a series rises or falls throughout.

    Attributes:
        tau: Kendall's tau-b of value against place, -1 to 1.
        p: Two-sided; exact without ties up to 33 wafers, else normal with ties counted.
        slope: Theil-Sen, per wafer (per unit of `place` where that is given).
    """

    tau: float
    p: float
    slope: float


@dataclass(frozen=True)
class Trend:
    """What was found in a series.

    Attributes:
        rate: Of the whole series; NaN where nothing was counted.
        dispersion: How much wafers scatter beyond binomial chance within a segment, at least 1;
            costs are divided by it.
        changes: In order.
        drift: None for fewer than 3 wafers with counts.
    """

    rate: float
    dispersion: float
    changes: tuple[Change, ...]
    drift: Drift | None


def trend(
    hits: Int64[np.ndarray, " wafers"],
    trials: Int64[np.ndarray, " wafers"],
    place: Float64[np.ndarray, " wafers"] | None = None,
) -> Trend:
    """Changes and drift of a series of `hits` of `trials`, in the order given.

    Wafers without trials are passed over. Fewer than six have no change, fewer than three no drift.

    >>> hits = np.array([5, 4, 6, 5, 5, 20, 22, 19, 21, 20])
    >>> [change.at for change in trend(hits, np.full(10, 100)).changes]
    [5]
    """
    if len(hits) != len(trials) or (hits < 0).any() or (hits > trials).any():
        raise FabsightError(
            f"trend of {len(hits)} wafers: each needs 0 <= hits <= trials, got "
            f"{len(trials)} trials and hits such as {hits[:3].tolist()}; count both on one wafer"
        )
    used = np.flatnonzero(trials > 0)
    k, n = hits[used].astype(np.float64), trials[used].astype(np.float64)
    if not len(used):
        return Trend(float("nan"), 1.0, (), None)
    spread = dispersion(k, n)
    penalty = log(len(k)) * (PENALTY if n.max() <= 1 else PENALTY_SCATTERED)
    ends = change_points(k, n, penalty * spread)
    return Trend(
        rate=float(k.sum() / n.sum()),
        dispersion=spread,
        changes=tuple(_changes(k, n, [0, *ends, len(k)], used, (spread, penalty))),
        drift=drift(k / n, used.astype(np.float64) if place is None else place[used]),
    )


def dispersion(k: Float64[np.ndarray, " wafers"], n: Float64[np.ndarray, " wafers"]) -> float:
    """Scatter from one wafer to the next over that of binomial chance; at least 1.

    The median of squared standardised differences of neighbours, which a few changes do not move
    (von Neumann 1941 takes their mean, which they do). One trial a wafer cannot scatter more.
    """
    if len(k) < 2 or n.max() <= 1:
        return 1.0
    pooled = (k[1:] + k[:-1]) / (n[1:] + n[:-1])
    variance = pooled * (1 - pooled) * (1 / n[1:] + 1 / n[:-1])
    live = variance > 0
    if not live.any():
        return 1.0
    squares = (k[1:] / n[1:] - k[:-1] / n[:-1])[live] ** 2 / variance[live]
    return max(1.0, float(np.median(squares)) / MEDIAN_OF_CHI2)


def change_points(
    k: Float64[np.ndarray, " wafers"], n: Float64[np.ndarray, " wafers"], penalty: float
) -> list[int]:
    """First wafers of the segments after the first: the exact minimum of cost plus penalties.

    The cost of a segment is -2 ln of its binomial likelihood at its own rate.
    """
    count = len(k)
    if count > MOST_WAFERS:
        raise FabsightError(
            f"change points of {count:,} wafers: at most {MOST_WAFERS:,} can be searched exactly; "
            "give a part of the series, or sum wafers to lots"
        )
    hits, trials = (np.concatenate([[0.0], np.cumsum(v)]) for v in (k, n))
    best = np.full(count + 1, np.inf)  # of the first wafers
    best[0] = -penalty
    last = np.zeros(count + 1, np.int64)  # where the last segment of that begins
    for end in range(LEAST_WAFERS, count + 1):
        begin = slice(0, end - LEAST_WAFERS + 1)
        cost = best[begin] + _cost(hits[end] - hits[begin], trials[end] - trials[begin])
        last[end] = cost.argmin()
        best[end] = cost[last[end]] + penalty
    ends, end = [], count
    while last[end] > 0:
        end = int(last[end])
        ends.append(end)
    return ends[::-1]


def drift(
    values: Float64[np.ndarray, " wafers"], place: Float64[np.ndarray, " wafers"]
) -> Drift | None:
    """The Mann-Kendall test of values against their places; None for fewer than three.

    Mann, "Nonparametric tests against trend", Econometrica 13, 245 (1945); slope: Sen, JASA 63,
    1379 (1968).

    >>> found = drift(np.arange(6.0), np.arange(6.0))
    >>> round(found.tau), round(found.p, 4), found.slope
    (1, 0.0028, 1.0)
    """
    from scipy.stats import kendalltau, theilslopes

    if len(values) <= EXACT or len(np.unique(place)) <= EXACT:
        return None
    if len(np.unique(values)) == 1:
        return Drift(0.0, 1.0, 0.0)
    found = kendalltau(place, values)
    return Drift(float(found.statistic), float(found.pvalue), float(theilslopes(values, place)[0]))


def ordered(keys: Sequence[float | str]) -> list[int]:
    """The order of wafers by slot number or ISO time; wafers without (0, "") come last.

    >>> ordered([3, 1, 0, 2])
    [1, 3, 0, 2]
    """
    return sorted(range(len(keys)), key=lambda k: (not keys[k], keys[k], k))


def _cost(k: Float64[np.ndarray, " s"], n: Float64[np.ndarray, " s"]) -> Float64[np.ndarray, " s"]:
    from scipy.special import xlogy

    return np.asarray(-2 * (xlogy(k, k / n) + xlogy(n - k, 1 - k / n)), np.float64)


def _changes(
    k: Float64[np.ndarray, " wafers"],
    n: Float64[np.ndarray, " wafers"],
    bounds: list[int],
    used: Int64[np.ndarray, " wafers"],
    scale: tuple[float, float],
) -> list[Change]:
    spread, penalty = scale
    found = []
    for begin, at, end in zip(bounds, bounds[1:], bounds[2:], strict=False):
        parts = np.array([[v[a:b].sum() for v in (k, n)] for a, b in ((begin, at), (at, end))])
        apart = _cost(parts[:, 0], parts[:, 1]).sum()
        joined = _cost(parts[:, 0].sum(keepdims=True), parts[:, 1].sum(keepdims=True))[0]
        before, after = (_interval(hits, trials, spread) for hits, trials in parts)
        rates = parts[:, 0] / parts[:, 1]
        gain = float((joined - apart) / spread / penalty)
        found.append(Change(int(used[at]), float(rates[0]), float(rates[1]), before, after, gain))
    return found


def _interval(hits: float, trials: float, spread: float) -> tuple[float, float]:
    """Wilson's interval of as many trials as the scatter leaves independent."""
    fewer = max(round(trials / spread), 1)
    return wilson(round(hits / trials * fewer), fewer)

"""Fail rates of the parts of a map: interval, enrichment and a test against the rest of the map."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float64, Int64

Z95 = 1.959963984540054
LEAST_EXPECTED = 1.0  # dies in each cell of the table; with fewer the exact test decides


@dataclass(frozen=True, eq=False)
class Rates:
    """Fail rates of regions, an entry each.

    Attributes:
        dies, fails: Counts.
        rate: Fails of dies, 0 to 1; NaN where the region has no die.
        low, high: Wilson's 95 % interval of the rate; 0 and 1 where the region has no die.
        enrichment: Rate over the rate of all other dies, each with one more die of the map's own
            rate, so that it is finite; 1 where the region has no die or the map no fail.
        p_value: Two-sided, that region and rest have one rate.
    """

    dies: Int64[np.ndarray, " regions"]
    fails: Int64[np.ndarray, " regions"]
    rate: Float64[np.ndarray, " regions"]
    low: Float64[np.ndarray, " regions"]
    high: Float64[np.ndarray, " regions"]
    enrichment: Float64[np.ndarray, " regions"]
    p_value: Float64[np.ndarray, " regions"]


def rates(
    dies: Int64[np.ndarray, " regions"],
    fails: Int64[np.ndarray, " regions"],
    all_dies: int,
    all_fails: int,
) -> Rates:
    """Rates of regions of a map with that many dies and fails.

    >>> found = rates(np.array([50, 0]), np.array([25, 0]), 100, 30)
    >>> found.rate.tolist(), found.enrichment.round(2).tolist()
    ([0.5, nan], [4.77, 1.0])
    >>> f"{found.p_value[0]:.1e}"
    '1.4e-05'
    """
    low, high = wilson(fails, dies)
    rate = np.where(dies > 0, fails / np.maximum(dies, 1), np.nan)
    mean = all_fails / max(all_dies, 1)
    inside = (fails + mean) / (dies + 1)
    outside = (all_fails - fails + mean) / (all_dies - dies + 1)
    known = (dies > 0) & (outside > 0)
    enrichment = np.where(known, inside / np.where(known, outside, 1), 1.0)
    p_value = two_sided(dies, fails, all_dies, all_fails)
    return Rates(dies, fails, rate, low, high, enrichment, p_value)


def wilson(
    fails: Int64[np.ndarray, " n"], dies: Int64[np.ndarray, " n"]
) -> tuple[Float64[np.ndarray, " n"], Float64[np.ndarray, " n"]]:
    """Score interval (95 %) of fail rates; 0 and 1 where there is no die.

    Wilson, "Probable inference", JASA 22, 209 (1927).

    >>> [end.round(3).tolist() for end in wilson(np.array([5, 0]), np.array([10, 0]))]
    [[0.237, 0.0], [0.763, 1.0]]
    """
    trials = np.maximum(dies, 1)
    rate, z2 = fails / trials, Z95**2
    centre = (rate + z2 / (2 * trials)) / (1 + z2 / trials)
    half = np.sqrt(rate * (1 - rate) / trials + z2 / (4 * trials**2)) * (Z95 / (1 + z2 / trials))
    some = dies > 0
    return (
        np.where(some, np.maximum(centre - half, 0.0), 0.0),
        np.where(some, np.minimum(centre + half, 1.0), 1.0),
    )


def two_sided(
    dies: Int64[np.ndarray, " n"], fails: Int64[np.ndarray, " n"], all_dies: int, all_fails: int
) -> Float64[np.ndarray, " n"]:
    """p-values that a region and the rest have one fail rate; 1 where they cannot differ.

    The "N - 1" chi-squared test where each cell of the table expects a die or more, else Fisher's
    exact test by Irwin's rule: what Campbell recommends ("Chi-squared and Fisher-Irwin tests of
    two-by-two tables with small sample recommendations", Statistics in Medicine 26, 3661, 2007).

    >>> two_sided(np.array([3, 3]), np.array([3, 0]), 6, 3).round(2).tolist()
    [0.03, 0.03]
    >>> two_sided(np.array([3]), np.array([2]), 100, 2).round(6).tolist()
    [0.000606]
    """
    from scipy.special import erfc

    fewer_dies = np.minimum(dies, all_dies - dies)
    fewer_fails = min(all_fails, all_dies - all_fails)
    rest = all_dies - dies
    product = dies * rest * (float(all_fails) * float(all_dies - all_fails))
    spread = np.maximum(product, 1.0)
    determinant = fails * float(all_dies) - dies * float(all_fails)
    p = erfc(np.sqrt(max(all_dies - 1, 0) / (2 * spread)) * np.abs(determinant))
    p[product == 0] = 1.0
    few = (fewer_dies * fewer_fails < LEAST_EXPECTED * all_dies) & (product > 0)
    if few.any():
        p[few] = _exact(dies[few], fails[few], all_dies, all_fails)
    return np.asarray(p)


def _exact(
    dies: Int64[np.ndarray, " n"], fails: Int64[np.ndarray, " n"], all_dies: int, all_fails: int
) -> Float64[np.ndarray, " n"]:
    """Fisher's exact test: the probability of all tables that are no likelier than this one.

    The table is turned so that its first row and column are the smaller ones; their product is
    below `all_dies` here, so that at most its square root counts are possible.
    """
    turned = 2 * dies > all_dies
    trials = np.where(turned, all_dies - dies, dies)
    seen = np.where(turned, all_fails - fails, fails)
    marked = all_fails
    if 2 * all_fails > all_dies:
        marked, seen = all_dies - all_fails, trials - seen
    logs = log_factorials(1 << int(all_dies).bit_length())
    most = min(int(trials.max()), marked)
    hits = np.arange(most + 1)
    possible: Bool[np.ndarray, "n hits"] = hits <= trials[:, None]
    missed = np.maximum(trials[:, None] - hits, 0)
    chance = (
        (logs[marked] - logs[hits] - logs[marked - hits])
        - (logs[missed] + logs[all_dies - marked - missed])
        + (logs[all_dies - marked] - logs[all_dies])
        + (logs[trials] + logs[all_dies - trials])[:, None]
    )
    chance = np.where(possible, np.exp(chance), 0.0)
    this = chance[np.arange(len(seen)), seen][:, None]
    return np.asarray(np.minimum(np.where(chance <= this * (1 + 1e-9), chance, 0.0).sum(1), 1.0))


@lru_cache(maxsize=8)
def log_factorials(most: int) -> Float64[np.ndarray, " n"]:
    """Logarithms of 0!, 1!, ... `most`!.

    >>> np.exp(log_factorials(4)).round().tolist()
    [1.0, 1.0, 2.0, 6.0, 24.0]
    """
    logs = np.zeros(most + 1)
    np.cumsum(np.log(np.arange(1, most + 1)), out=logs[1:])
    logs.setflags(write=False)
    return logs

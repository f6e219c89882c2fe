"""Exact tests, false-discovery control and intervals that the lot's modules share.

Tail probabilities are returned as natural logarithms where they may be far below 1e-300: which of
two finds is the surer must not depend on where floating point ends.
"""

import math

import numpy as np
from jaxtyping import Float64, Int64

Z95 = 1.959963984540054


def benjamini_hochberg(p: Float64[np.ndarray, " tests"]) -> Float64[np.ndarray, " tests"]:
    """Adjusted p-values: those at or below q have a false-discovery rate of at most q.

    Benjamini, Hochberg, "Controlling the false discovery rate", JRSS B 57, 289 (1995).

    >>> benjamini_hochberg(np.array([0.01, 0.04, 0.03])).round(3).tolist()
    [0.03, 0.04, 0.04]
    """
    count = len(p)
    order = np.argsort(p, kind="stable")[::-1]
    adjusted = np.empty(count)
    raised = p[order] * count / np.arange(count, 0, -1)
    adjusted[order] = np.minimum(np.minimum.accumulate(raised), 1.0)
    return adjusted


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """Score interval (95 %) of a proportion; (0, 1) without trials.

    Wilson, "Probable inference", JASA 22, 209 (1927).

    >>> [round(end, 3) for end in wilson(5, 10)]
    [0.237, 0.763]
    """
    if not trials:
        return 0.0, 1.0
    share, z2 = successes / trials, Z95**2
    centre = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = math.sqrt(share * (1 - share) / trials + z2 / (4 * trials**2)) * Z95
    half /= 1 + z2 / trials
    return max(centre - half, 0.0), min(centre + half, 1.0)


def poisson_binomial_tails(
    chances: Float64[np.ndarray, "cases trials"], seen: Int64[np.ndarray, " cases"]
) -> Float64[np.ndarray, " cases"]:
    """P(X >= seen), X the number of successes in independent trials of unequal chance.

    The distribution is built trial by trial (Hong, "On computing the distribution function for the
    Poisson binomial distribution", CSDA 59, 41, 2013): sums of products of what is not negative, so
    small tails keep all their digits.

    >>> poisson_binomial_tails(np.full((1, 3), 0.5), np.array([3])).tolist()
    [0.125]
    """
    cases, trials = chances.shape
    mass = np.zeros((trials + 1, cases))
    mass[0] = 1.0
    for k in range(trials):
        success = mass[: k + 1] * chances[:, k]
        mass[: k + 1] *= 1 - chances[:, k]
        mass[1 : k + 2] += success
    tails = np.cumsum(mass[::-1], axis=0)[::-1]
    return np.asarray(np.minimum(tails[np.clip(seen, 0, trials), np.arange(cases)], 1.0))


def grouped_log_tail(
    chances: Float64[np.ndarray, " groups"], trials: Int64[np.ndarray, " groups"], seen: int
) -> float:
    """The logarithm of P(X >= seen), X the successes in `trials` trials of each chance.

    The distribution is tilted until `seen` is its mean, convolved there, where nothing underflows,
    and the tilt taken back (Esscher, "On the probability function in the collective theory of
    risk", Skand. Aktuarietidskr. 15, 175, 1932).

    >>> round(grouped_log_tail(np.array([0.5]), np.array([2000]), 2000) / math.log(0.5), 6)
    2000.0
    """
    sure = int(trials[chances >= 1].sum())
    live = (chances > 0) & (chances < 1) & (trials > 0)
    p, n, need = chances[live], trials[live], seen - sure
    if need <= 0:
        return 0.0
    if need > int(n.sum()):
        return -math.inf
    if need <= float(p @ n):
        return min(math.log(_tail(p, n, need)), 0.0)
    if need == int(n.sum()):
        return float(n @ np.log(p))
    tilt = _tilt(p, n, need)
    tilted = p * np.exp(tilt) / (1 - p + p * np.exp(tilt))
    mass = _mass(tilted, n)[need:]
    total = float(mass @ np.exp(-tilt * np.arange(len(mass))))
    return min(float(n @ np.log1p(p * np.expm1(tilt))) - tilt * need + math.log(total), 0.0)


def _tilt(p: Float64[np.ndarray, " g"], n: Int64[np.ndarray, " g"], mean: int) -> float:
    """The exponential tilt that moves the mean to `mean`, which lies above it."""
    from scipy.optimize import brentq

    odds = p / (1 - p)

    def excess(tilt: float) -> float:
        raised = odds * math.exp(tilt)
        return float(n @ (raised / (1 + raised))) - mean

    high = 1.0
    while excess(high) < 0:
        high *= 2
    return float(brentq(excess, 0.0, high, xtol=1e-9))


def _mass(p: Float64[np.ndarray, " g"], n: Int64[np.ndarray, " g"]) -> Float64[np.ndarray, " k"]:
    """Probability of 0, 1, ... successes: binomial distributions convolved."""
    from scipy.stats import binom

    mass = np.ones(1)
    for chance, trials in sorted(zip(p.tolist(), n.tolist(), strict=True), key=lambda g: g[1]):
        mass = np.convolve(mass, binom.pmf(np.arange(trials + 1), trials, chance))
    return mass


def _tail(p: Float64[np.ndarray, " g"], n: Int64[np.ndarray, " g"], need: int) -> float:
    return float(_mass(p, n)[need:].sum())


def fisher_greater(
    both: Int64[np.ndarray, " tests"],
    with_: Int64[np.ndarray, " tests"],
    affected: int,
    total: int,
) -> Float64[np.ndarray, " tests"]:
    """One-sided p-values: of `with_` wafers at least `both` are affected, of all `affected`.

    Fisher's exact test: the upper tail of the hypergeometric distribution.

    >>> fisher_greater(np.array([3]), np.array([3]), 3, 6).round(4).tolist()
    [0.05]
    """
    from scipy.stats import hypergeom

    if not total:  # scipy: nan
        return np.ones(len(both))
    return np.asarray(np.minimum(hypergeom.sf(both - 1, total, affected, with_), 1.0), np.float64)


def odds_ratio(a: int, b: int, c: int, d: int) -> tuple[float, float, float]:
    """Odds ratio of the table ((a, b), (c, d)) and its 95 % interval.

    Half a count is added to each cell, so that an empty one leaves it finite (Haldane 1955,
    Anscombe 1956; interval: Woolf 1955).

    >>> [round(end, 1) for end in odds_ratio(9, 1, 1, 9)]
    [40.1, 3.5, 458.0]
    """
    cells = [count + 0.5 for count in (a, b, c, d)]
    log = math.log(cells[0] * cells[3] / (cells[1] * cells[2]))
    half = Z95 * math.sqrt(sum(1 / cell for cell in cells))
    return math.exp(log), math.exp(log - half), math.exp(log + half)


def sign_test(one: int, other: int) -> float:
    """Two-sided p-value of `one` against `other` where both are as likely: exact binomial.

    With discordant pairs this is McNemar's exact test ("Note on the sampling error of the
    difference between correlated proportions", Psychometrika 12, 153, 1947).

    >>> sign_test(6, 0)
    0.03125
    """
    from scipy.stats import binom

    trials = one + other
    return min(1.0, 2 * float(binom.cdf(min(one, other), trials, 0.5))) if trials else 1.0

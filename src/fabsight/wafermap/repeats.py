"""Whether fails repeat from row to row, column to column, or at one place of each reticle field.

All periods and phases are folded at once by two matrix products. A phase that fails is compared
with what its dies would fail at the rate around them, so that a pattern that covers a part of the
wafer is no repeat.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float32, Int64

from fabsight.wafermap.frame import LONGEST_FIELD, LONGEST_STRIPE, Frame
from fabsight.wafermap.spatial import box_mean

AROUND = 9  # side of the square of dies around that says what is expected
SHRUNK = 6.0  # dies of the map's own rate that are added to it
LEAST_HITS = 4
LEAST_TIMES = 3  # rows, columns, fields in one direction that a phase must have
LEAST_MEAN = 1e-3  # expected fails, so that a lone one in a quiet place is no wonder
LEAST_STRENGTH = 0.1  # rate of the phase less that of the others
SURE_P = 1e-3  # after all periods and phases that were tried


@dataclass(frozen=True)
class Stripes:
    """The surest period of rows or of columns.

    Attributes:
        period: Rows (or columns) from one stripe to the next; 0 where none could be tested.
        phase: The first striped row (or column).
        strength: Fail rate of the stripes less that of the others.
        p_value: That it is chance, all periods and phases tried being paid for.
        evidence: Deviance from what is expected, in nats: what ranks repeats.
    """

    period: int = 0
    phase: int = 0
    strength: float = 0.0
    p_value: float = 1.0
    evidence: float = 0.0


@dataclass(frozen=True)
class Field:
    """The surest reticle field and the place in it that fails.

    Attributes:
        rows, columns: Of the field, in dies; 0 where none could be tested.
        row, column: The failing place of the first field.
        strength: Fail rate at that place less that of the others.
        p_value: That it is chance, all fields and places tried being paid for.
        evidence: Deviance from what is expected, in nats.
    """

    rows: int = 0
    columns: int = 0
    row: int = 0
    column: int = 0
    strength: float = 0.0
    p_value: float = 1.0
    evidence: float = 0.0


@dataclass(frozen=True)
class Repeats:
    """What repeats.

    Attributes:
        rows, columns: Striped rows, striped columns.
        reticle: A place that repeats in both directions.
        kinds: Those of "rows", "columns", "reticle" that are no chance.
    """

    rows: Stripes
    columns: Stripes
    reticle: Field
    kinds: tuple[str, ...]


Values = Float32[np.ndarray, "rows columns"]


def repeats(
    die: Bool[np.ndarray, "rows columns"], fail: Bool[np.ndarray, "rows columns"], place: Frame
) -> Repeats:
    """Repeats of rows, columns and fields.

    >>> from fabsight.wafermap.frame import frame
    >>> grid = np.zeros((30, 30), bool)
    >>> grid[2::5] = True
    >>> found = repeats(np.ones_like(grid), grid, frame(30, 30))
    >>> found.kinds, found.rows.period, found.rows.phase, found.rows.strength
    (('rows',), 5, 2, 1.0)
    """
    dies, fails = die.astype(np.float32), fail.astype(np.float32)
    if np.count_nonzero(fail) < LEAST_HITS or np.array_equal(die, fail):
        return Repeats(Stripes(), Stripes(), Field(), ())
    expected = _expected(dies, fails)
    rows, columns = _both(dies, fails, expected, place)
    reticle = _field(dies, fails, expected, place)
    stripes = [s for s in (rows, columns) if _sure(s)]
    if stripes and reticle.evidence > max(s.evidence for s in stripes):
        others = np.ones_like(dies)  # are they more than the one place?
        others[reticle.row :: reticle.rows, reticle.column :: reticle.columns] = 0
        rows, columns = _both(dies * others, fails * others, expected * others, place)
    elif stripes:
        expected = _rescaled(expected, fails, 1) if _sure(rows) else expected
        expected = _rescaled(expected, fails, 0) if _sure(columns) else expected
        reticle = _field(dies, fails, expected, place)
    found = (("rows", rows), ("columns", columns), ("reticle", reticle))
    kinds = tuple(name for name, one in found if _sure(one))
    return Repeats(rows, columns, reticle, kinds)


def _both(dies: Values, fails: Values, expected: Values, place: Frame) -> tuple[Stripes, Stripes]:
    """Stripes of rows and of columns."""
    return (
        _stripes(dies.sum(1), fails.sum(1), expected.sum(1), place.fold_rows),
        _stripes(dies.sum(0), fails.sum(0), expected.sum(0), place.fold_columns),
    )


def _sure(found: Stripes | Field) -> bool:
    return found.p_value <= SURE_P and found.strength >= LEAST_STRENGTH


def _expected(dies: Values, fails: Values) -> Values:
    """Chance of each die to fail as those around it do; 0 where there is no die."""
    mean = fails.sum() / dies.sum()
    around = box_mean(dies, AROUND) - dies
    failing = box_mean(fails, AROUND) - fails
    return np.asarray(dies * (failing + SHRUNK * mean) / (around + SHRUNK))


def _rescaled(expected: Values, fails: Values, axis: int) -> Values:
    """Expected fails that sum up to the fails of each row (axis 1) or column (axis 0)."""
    scale = fails.sum(axis, keepdims=True) / np.maximum(expected.sum(axis, keepdims=True), 1e-6)
    return np.asarray(np.minimum(expected * scale, 1.0), np.float32)


@lru_cache(maxsize=1)
def _phases() -> tuple[Int64[np.ndarray, " phases"], Int64[np.ndarray, " phases"]]:
    """Period and phase of each row of a fold."""
    pairs = [(p, phase) for p in range(2, LONGEST_STRIPE + 1) for phase in range(p)]
    period, phase = np.array(pairs).T
    return period, phase


def _stripes(
    dies: Float32[np.ndarray, " n"],
    fails: Float32[np.ndarray, " n"],
    expected: Float32[np.ndarray, " n"],
    fold: Float32[np.ndarray, "phases n"],
) -> Stripes:
    """The phase whose fails are the least likely, without its strongest row, rows overdispersed."""
    period, phase = _phases()
    times = fold @ (dies > 0)
    over = np.where(fold > 0, fails - expected, -np.inf)
    strongest = over.argmax(1)
    hits, chance = fold @ fails, fold @ expected
    spread = _dispersion(fails, expected, hits, chance)
    hits_left = (hits - fails[strongest]) / spread
    chance_left = (chance - expected[strongest]) / spread
    tested = (times >= LEAST_TIMES) & (hits_left >= LEAST_HITS - 1)
    best = _likeliest(hits_left, chance_left, tested)
    if best < 0:
        return Stripes()
    trials = int((times >= LEAST_TIMES).sum())
    p_value, evidence = _judged(float(hits_left[best]), float(chance_left[best]), trials)
    inside = float(fold[best] @ dies)
    rate = float(hits[best]) / inside
    rest = (float(fails.sum()) - float(hits[best])) / max(float(dies.sum()) - inside, 1.0)
    return Stripes(int(period[best]), int(phase[best]), rate - rest, p_value, evidence)


@lru_cache(maxsize=512)
def _places(length: int) -> tuple[Int64[np.ndarray, " p"], Int64[np.ndarray, "p length"]]:
    """The periods, and which row of a fold each row of the grid is at in each of them."""
    periods = np.arange(2, LONGEST_STRIPE + 1)
    first = (periods - 2) * (periods + 1) // 2  # 2 + 3 + ... phases come before
    return periods, first[:, None] + np.arange(length) % periods[:, None]


def _dispersion(
    fails: Float32[np.ndarray, " n"],
    expected: Float32[np.ndarray, " n"],
    hits: Float32[np.ndarray, " phases"],
    chance: Float32[np.ndarray, " phases"],
) -> Float32[np.ndarray, " phases"]:
    """How much more rows scatter about the mean of their phase than chance has it, 1 at least."""
    ratio = np.maximum(hits, 0.5) / np.maximum(chance, 0.5)
    periods, phase = _places(len(fails))
    fitted = np.maximum(expected * ratio[phase], 0.25)
    free = np.maximum(len(fails) - periods, 1)
    spread = ((fails - fitted) ** 2 / fitted).sum(1) / free
    return np.asarray(np.repeat(np.maximum(spread, 1.0), periods), np.float32)


def _field(dies: Values, fails: Values, expected: Values, place: Frame) -> Field:
    """The place of a field whose fails are the least likely, without its strongest row and column.

    They are left out so that one bad row or a cluster is no repeat.
    """
    period, phase = _phases()
    short = int((period <= LONGEST_FIELD).sum())
    down, across = place.fold_rows[:short], place.fold_columns[:short].T
    hits, chance = down @ fails @ across, down @ expected @ across
    tested = (fails.shape[0] // period[:short] >= LEAST_TIMES)[:, None] & (
        fails.shape[1] // period[:short] >= LEAST_TIMES
    )
    trials = int(tested.sum())
    tested &= hits >= LEAST_HITS
    best = _likeliest(hits.ravel(), chance.ravel(), tested.ravel())
    if best < 0:
        return Field()
    row, column = divmod(best, short)
    steps = int(period[row]), int(period[column])
    first = int(phase[row]), int(phase[column])
    here = np.s_[first[0] :: steps[0], first[1] :: steps[1]]
    seen, forecast, held = fails[here], expected[here], float(dies[here].sum())
    p_value, evidence = _judged(*_trimmed(seen, forecast), trials)
    rate = float(seen.sum()) / max(held, 1.0)
    rest = (float(fails.sum()) - float(seen.sum())) / max(float(dies.sum()) - held, 1.0)
    return Field(*steps, *first, rate - rest, p_value, evidence)


def _trimmed(seen: Values, forecast: Values) -> tuple[float, float]:
    """Fails and expected fails without the row and the column that exceed expectation most."""
    for axis in (0, 1):
        strongest = int((seen - forecast).sum(1 - axis).argmax())
        seen, forecast = np.delete(seen, strongest, axis), np.delete(forecast, strongest, axis)
    return float(seen.sum()), float(forecast.sum())


def _likeliest(
    hits: Float32[np.ndarray, " n"],
    chance: Float32[np.ndarray, " n"],
    tested: Bool[np.ndarray, " n"],
) -> int:
    """The test with the largest deviance above expectation, -1 where nothing is above."""
    at = np.flatnonzero(tested & (hits > chance))
    if not len(at):
        return -1
    k, mean = hits[at].astype(np.float64), np.maximum(chance[at].astype(np.float64), LEAST_MEAN)
    return int(at[np.argmax(np.round(k * np.log(k / mean) - (k - mean), 6))])


def _judged(hits: float, chance: float, trials: int) -> tuple[float, float]:
    """p-value times the trials, and the deviance.

    Poisson's upper tail, which for more hits than expected lies above that of dies with unequal
    chances (Hoeffding, Annals of Mathematical Statistics 27, 713, 1956).
    """
    from scipy.special import gammainc

    mean = max(chance, LEAST_MEAN)
    if hits <= mean:
        return 1.0, 0.0
    deviance = hits * math.log(hits / mean) - (hits - mean)
    return min(float(gammainc(hits, mean)) * trials, 1.0), deviance

"""Positions within the exposure field (reticle) that fail more often than the others.

A field is exposed shot by shot, so what is wrong with the reticle, or with one site of a probe
card, returns with the field's period. The test is conditional, as that of `stacking`: where f of
the m dies of a shot fail and no position is special, each fails with chance f / m. Over shots and
wafers the fails of a position are Poisson-binomial; nothing is fitted.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log

import numpy as np
from jaxtyping import Bool, Float64, Int64

from fabsight.task import FabsightError
from fabsight.wafermap.lot_statistics import benjamini_hochberg, grouped_log_tail
from fabsight.wafermap.stacking import Grids, cube_of
from fabsight.wafermap.wafer import FAIL, NO_DIE

MOST_DIES = 8  # across or down a field that is found out
LEAST_LIFT = 1.5
RATE = 0.05
FOUND = 0.01  # chance, over all field sizes tried, that one is found where there is none
STRONGEST = 0.1  # of the shots are left out: one die failing on all wafers is no repeat
WORTH_ASKING = 2.0  # standard deviations; what lies below is not significant among many
LEAST_SHOTS = 6  # across the wafer: fewer repeats are no period


@dataclass(frozen=True)
class FieldRepeat:
    """A position of the field that fails more often than the rest of its shots.

    Attributes:
        column, row: Within the field, from its upper left die, 0 and up.
        fails, dies: Over all shots and wafers.
        expected: Fails where no position were special.
        log10_p: Of the exact one-sided p-value, the strongest tenth of the shots left out.
        q: Adjusted p-value (Benjamini, Hochberg) over the positions of the field.
    """

    column: int
    row: int
    fails: int
    dies: int
    expected: float
    log10_p: float
    q: float


@dataclass(frozen=True)
class Reticle:
    """The exposure field and what repeats in it.

    Attributes:
        columns, rows: Dies of a field across and down; 0 where none was given nor found.
        given: Whether a person gave it; else the period itself was the evidence.
        repeats: The surest first.
        q: Chance of finding a period as sure as this where there is none (Bonferroni over all
            sizes and positions); 0 where the size was given.
    """

    columns: int
    rows: int
    given: bool
    repeats: tuple[FieldRepeat, ...]
    q: float = 0.0


def reticle(
    grids: Grids, field: tuple[int, int] = (0, 0), origin: tuple[int, int] = (0, 0)
) -> Reticle:
    """What repeats in the exposure field; its size (across, down) is found out where it is 0, 0.

    `origin` is the column and row of the upper left die of any one shot. A field that is found
    out is told by what repeats in it: a wafer without repeats has none to find.

    >>> rng = np.random.default_rng(1)
    >>> wafer = (1 + (rng.random((24, 24)) < 0.05)).astype(np.uint8)
    >>> wafer[1::2, 2::3] = 2
    >>> found = reticle([wafer])
    >>> found.columns, found.rows, [(r.column, r.row) for r in found.repeats]
    (3, 2, [(2, 1)])
    """
    cube = cube_of(grids)
    fails, tested = cube == FAIL, cube != NO_DIE
    if field != (0, 0):
        _check(field, cube.shape[1:])
        return Reticle(*field, True, _repeats(fails, tested, field, origin))
    if not fails.any():
        return Reticle(0, 0, False, ())
    tried = list(_sizes(cube.shape[1:]))
    tests = sum(across * down for across, down in tried)
    surest = [_surest(fails, tested, size, origin) for size in tried]
    if not surest or min(surest) + log(max(tests, 1)) > log(FOUND):
        return Reticle(0, 0, False, ())
    best = int(np.argmin(surest))
    q = float(np.exp(min(surest[best] + log(tests), 0.0)))
    repeats = _repeats(fails, tested, tried[best], origin)
    return Reticle(*tried[best], False, repeats, q) if repeats else Reticle(0, 0, False, ())


def _sizes(shape: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Field sizes worth trying, the smallest first: of equally sure ones it is taken."""
    rows, columns = shape
    sizes = [
        (across, down)
        for across in range(1, MOST_DIES + 1)
        for down in range(1, MOST_DIES + 1)
        if across * down > 1 and (columns // across) * (rows // down) >= LEAST_SHOTS
    ]
    return iter(sorted(sizes, key=lambda size: (size[0] * size[1], size)))


def _check(field: tuple[int, int], shape: Sequence[int]) -> None:
    across, down = field
    if across < 1 or down < 1 or across * down < 2 or across > shape[1] or down > shape[0]:
        raise FabsightError(
            f"repeats of a field of {across} x {down} dies on a grid of {shape[1]} x {shape[0]}: a "
            "field has two dies or more and fits on the wafer; give its dies across and down, or "
            "0,0 to find it out"
        )


@dataclass(frozen=True, eq=False)
class _Counts:
    """A field's positions against its shots: fails, chances and whether there is a die."""

    fails: Bool[np.ndarray, "positions shots wafers"]
    chances: Float64[np.ndarray, "positions shots wafers"]
    tested: Bool[np.ndarray, "positions shots wafers"]


def _counts(
    fails: Bool[np.ndarray, "wafers rows columns"],
    tested: Bool[np.ndarray, "wafers rows columns"],
    field: tuple[int, int],
    origin: tuple[int, int],
) -> _Counts:
    across, down = field
    wafers, rows, columns = fails.shape
    left, top = -origin[0] % across, -origin[1] % down  # dies of the first shot outside the grid
    high, wide = -(-(rows + top) // down), -(-(columns + left) // across)

    def cut(array: Bool[np.ndarray, "wafers rows columns"]) -> Bool[np.ndarray, "p s w"]:
        framed = np.zeros((wafers, high * down, wide * across), np.bool_)
        framed[:, top : top + rows, left : left + columns] = array
        shots = framed.reshape(wafers, high, down, wide, across)
        return shots.transpose(2, 4, 1, 3, 0).reshape(down * across, high * wide, wafers)

    failing, there = cut(fails), cut(tested)
    share = failing.sum(0) / np.maximum(there.sum(0), 1)
    return _Counts(failing, share * there, there)


def _surest(
    fails: Bool[np.ndarray, "wafers rows columns"],
    tested: Bool[np.ndarray, "wafers rows columns"],
    field: tuple[int, int],
    origin: tuple[int, int],
) -> float:
    """The smallest logarithm of a p-value among the field's positions."""
    counts = _counts(fails, tested, field, origin)
    return min(_log_p(counts), default=0.0)


def _log_p(counts: _Counts) -> list[float]:
    """Logarithm of each position's p-value; 0 where it is not worth computing."""
    positions, shots = counts.fails.shape[:2]
    leave = int(np.ceil(STRONGEST * shots)) if shots > 1 else 0
    excess = (counts.fails - counts.chances).sum(2)
    kept = np.argsort(excess, axis=1, kind="stable")[:, : shots - leave]
    take = kept[..., None]
    failing = np.take_along_axis(counts.fails, take, 1).reshape(positions, -1)
    chances = np.take_along_axis(counts.chances, take, 1).reshape(positions, -1)
    seen = failing.sum(1)
    spread = np.sqrt((chances * (1 - chances)).sum(1))
    asked = seen - chances.sum(1) > WORTH_ASKING * np.maximum(spread, 1e-9)
    return [_tail(chances[k], int(seen[k])) if asked[k] else 0.0 for k in range(positions)]


def _tail(chances: Float64[np.ndarray, " trials"], seen: int) -> float:
    values, trials = np.unique(chances, return_counts=True)
    return grouped_log_tail(values, np.asarray(trials, np.int64), seen)


def _repeats(
    fails: Bool[np.ndarray, "wafers rows columns"],
    tested: Bool[np.ndarray, "wafers rows columns"],
    field: tuple[int, int],
    origin: tuple[int, int],
) -> tuple[FieldRepeat, ...]:
    counts = _counts(fails, tested, field, origin)
    log_p = np.array(_log_p(counts))
    q = benjamini_hochberg(np.exp(log_p))
    seen: Int64[np.ndarray, " positions"] = counts.fails.sum((1, 2))
    dies = counts.tested.sum((1, 2))
    expected = counts.chances.sum((1, 2))
    stands = np.flatnonzero((q <= RATE) & (seen >= LEAST_LIFT * expected))
    return tuple(
        FieldRepeat(
            column=int(k) % field[0],
            row=int(k) // field[0],
            fails=int(seen[k]),
            dies=int(dies[k]),
            expected=float(expected[k]),
            log10_p=float(log_p[k] / log(10)),
            q=float(q[k]),
        )
        for k in sorted(stands, key=lambda k: (log_p[k], k))
    )

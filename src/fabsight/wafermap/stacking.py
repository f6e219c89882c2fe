"""Stack maps of wafers with one grid, and dies that fail again and again at the same place.

A repeater fails on more wafers than the dies around it do. Its test is conditional: where f of a
die and its m - 1 neighbours fail on a wafer, and none of them is special, each fails with chance
f / m. Over the wafers the number of its fails is then Poisson-binomial, whatever the wafers'
patterns and fail rates are. Nothing is fitted, so the p-value is exact while a neighbourhood's dies
are alike. Therefore it is small, longer along the rim than across it, and of rim dies alone or of
none: partly exposed dies fail everywhere.

Where a pattern returns at one place on all wafers its border is no neighbourhood of like dies.
Therefore a repeater also stands out from its eight direct neighbours, all but two.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int32, Int64, UInt8

from fabsight.task import FabsightError
from fabsight.wafermap.geometry import disk
from fabsight.wafermap.lot_statistics import (
    benjamini_hochberg,
    poisson_binomial_tails,
    wilson,
)
from fabsight.wafermap.wafer import FAIL, NO_DIE

Grids: TypeAlias = Sequence[UInt8[np.ndarray, "_ _"]]  # whatever their sizes
NEIGHBOURS = 24  # besides the die itself
RADIAL = 2.0  # a step towards the centre counts as two along the rim: fail rates change radially
REACH = 6  # dies: neighbours lie within a window of 13 x 13
LEAST_FAILS = 3  # wafers: what failed twice is no repeater, however unlikely
LEAST_LIFT = 2.0  # times the fails that its neighbourhood has
BESIDE = 2  # direct neighbours that may repeat as well: a repeater of up to three dies
LEAST_BESIDE = 2.0  # times the fails of the others
RATE = 0.05  # false-discovery rate


@dataclass(frozen=True, eq=False)
class Stack:
    """Wafers of one grid laid over each other.

    Attributes:
        fails: On how many wafers a die fails.
        tested: On how many wafers there is a die.
        wafers: How many wafers.
    """

    fails: Int32[np.ndarray, "rows columns"]
    tested: Int32[np.ndarray, "rows columns"]
    wafers: int

    @property
    def frequency(self) -> Float32[np.ndarray, "rows columns"]:
        """Share of wafers on which a die fails, NaN where there is none."""
        share = self.fails / np.maximum(self.tested, 1)
        return np.where(self.tested > 0, share, np.nan).astype(np.float32)


@dataclass(frozen=True)
class Repeater:
    """A die that fails more often than the dies around it.

    Attributes:
        row, column: Of the grid.
        fails, wafers: On how many wafers it fails, of how many that have it.
        expected: Fails that its neighbourhood leads to expect, the die itself counted in.
        frequency: fails / wafers.
        low, high: Its 95 % interval (Wilson).
        p: Exact, one-sided.
        q: p after Benjamini and Hochberg over all dies.
        rim: Whether it lies at the rim, and so was compared with rim dies alone.
    """

    row: int
    column: int
    fails: int
    wafers: int
    expected: float
    frequency: float
    low: float
    high: float
    p: float
    q: float
    rim: bool


def stack(grids: Grids) -> Stack:
    """The wafers laid over each other; raises FabsightError unless all have one grid.

    >>> stack([np.array([[1, 2]], np.uint8), np.array([[2, 2]], np.uint8)]).frequency.tolist()
    [[0.5, 1.0]]
    """
    cube = cube_of(grids)
    return Stack(
        fails=(cube == FAIL).sum(0, dtype=np.int32),
        tested=(cube != NO_DIE).sum(0, dtype=np.int32),
        wafers=len(cube),
    )


def repeaters(
    grids: Grids, rate: float = RATE, least_lift: float = LEAST_LIFT
) -> tuple[Repeater, ...]:
    """Dies that fail more often than their neighbourhood expects, the surest first.

    At most `rate` of them are expected to be false. Fewer than three wafers have none.

    >>> rng = np.random.default_rng(1)
    >>> lot = [(1 + (rng.random((20, 20)) < 0.05)).astype(np.uint8) for _ in range(10)]
    >>> for wafer in lot:
    ...     wafer[4, 7] = 2
    >>> [(r.row, r.column, r.fails) for r in repeaters(lot)]
    [(4, 7, 10)]
    """
    cube = cube_of(grids)
    fails, tested = cube == FAIL, cube != NO_DIE
    seen, of = fails.sum(0), tested.sum(0)
    asked = np.flatnonzero(seen >= LEAST_FAILS)
    if not len(asked):
        return ()
    chances = _chances(fails, tested, asked)
    expected = chances.sum(1)
    p = np.ones(int((of > 0).sum()))  # every die is a test, also those too seldom seen to ask
    p[: len(asked)] = poisson_binomial_tails(chances, seen.ravel()[asked])
    q = benjamini_hochberg(p)[: len(asked)]
    # Failing with its whole neighbourhood is a pattern of the wafer, not of the die.
    stands = (q <= rate) & (seen.ravel()[asked] >= least_lift * expected)
    stands &= (seen >= LEAST_BESIDE * _beside(seen, of)).ravel()[asked]
    kept = np.flatnonzero(stands)[np.argsort(p[: len(asked)][stands], kind="stable")]
    rim = _beside_none(of > 0)
    return tuple(_repeater(int(asked[k]), (seen, of, rim), (expected[k], p[k], q[k])) for k in kept)


def _repeater(
    die: int,
    grids: tuple[np.ndarray, np.ndarray, np.ndarray],
    numbers: tuple[float, float, float],
) -> Repeater:
    row, column = divmod(die, grids[0].shape[1])
    fails, wafers, rim = (int(grid[row, column]) for grid in grids)
    low, high = wilson(fails, wafers)
    expected, p, q = map(float, numbers)
    share = fails / wafers
    return Repeater(row, column, fails, wafers, expected, share, low, high, p, q, bool(rim))


def _chances(
    fails: Bool[np.ndarray, "wafers rows columns"],
    tested: Bool[np.ndarray, "wafers rows columns"],
    asked: np.ndarray,
) -> Float64[np.ndarray, "asked wafers"]:
    """The chance f / m of each die on each wafer; 0 where the wafer has no such die."""
    wafers, rows, columns = fails.shape
    ever = tested.any(0)
    around = neighbours(rows, columns, ever.tobytes())[asked]  # (asked, NEIGHBOURS + 1)
    absent = around < 0
    failing = fails.reshape(wafers, -1)[:, around] & ~absent
    there = tested.reshape(wafers, -1)[:, around] & ~absent
    share = failing.sum(2) / np.maximum(there.sum(2), 1)
    return np.asarray((share * tested.reshape(wafers, -1)[:, asked]).T, np.float64)


@lru_cache(maxsize=8)
def neighbours(rows: int, columns: int, dies: bytes) -> Int32[np.ndarray, "dies near"]:
    """Each die itself and its nearest, as indices into the flat grid; -1 fills up.

    `dies` are the bytes of a boolean grid: where any wafer has a die. A step along the radius
    counts RADIAL times one along the rim; dies at the rim and others are no neighbours.
    """
    there = np.frombuffer(dies, np.bool_).reshape(rows, columns)
    down, right = np.mgrid[-REACH : REACH + 1, -REACH : REACH + 1].reshape(2, -1)
    place = np.arange(rows * columns).reshape(rows, columns)
    row = place[..., None] // columns + down
    column = place[..., None] % columns + right
    inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    index = np.where(inside, row * columns + column, 0)
    rim = there & _beside_none(there)
    inside &= there.ravel()[index] & (rim.ravel()[index] == rim[..., None])
    x, y, radius = disk(rows, columns).x, disk(rows, columns).y, disk(rows, columns).radius
    out_x, out_y = x / np.maximum(radius, 1e-6), y / np.maximum(radius, 1e-6)
    # Steps are counted in dies, directions taken on the wafer: dies need not be square.
    along = right * out_x[..., None] - down * out_y[..., None]
    far = (right**2 + down**2) + (RADIAL**2 - 1) * along**2
    far = np.where(inside, far, np.inf)
    near = np.argsort(far, axis=-1, kind="stable")[..., : NEIGHBOURS + 1]
    kept = np.isfinite(np.take_along_axis(far, near, -1))
    found = np.where(kept, np.take_along_axis(index, near, -1), -1).astype(np.int32)
    found = found.reshape(rows * columns, -1)
    found.setflags(write=False)
    return found


def _beside(
    seen: Int64[np.ndarray, "rows columns"], of: Int64[np.ndarray, "rows columns"]
) -> Float64[np.ndarray, "rows columns"]:
    """The third highest count among the eight dies around each, were they on as many wafers as it.

    A die that few wafers have counts as if on half as many: its own rate would be one wafer's.
    """
    fails, wafers = _around(seen), _around(of)
    counts = fails * of / np.maximum(np.maximum(wafers, of / 2), 1)
    return np.asarray(np.sort(counts, axis=0)[-1 - BESIDE])


def _around(values: Int64[np.ndarray, "rows columns"]) -> Int64[np.ndarray, "8 rows columns"]:
    """What the eight places around each hold, 0 outside the grid."""
    rows, columns = values.shape
    framed = np.pad(values, 1)
    around = [framed[r : r + rows, c : c + columns] for r in range(3) for c in range(3)]
    return np.stack(around[:4] + around[5:])


def _beside_none(there: Bool[np.ndarray, "rows columns"]) -> Bool[np.ndarray, "rows columns"]:
    """Whether one of the eight places around a die holds none."""
    return np.asarray((_around(there.astype(np.int64)) == 0).any(0))


def cube_of(grids: Grids) -> UInt8[np.ndarray, "wafers rows columns"]:
    """The grids as one array; raises FabsightError unless all are of one size.

    >>> cube_of([np.ones((2, 3), np.uint8)]).shape
    (1, 2, 3)
    """
    sizes = sorted({grid.shape for grid in grids})
    if len(sizes) != 1:
        named = ", ".join(f"{rows} x {columns}" for rows, columns in sizes) or "no wafers"
        raise FabsightError(
            f"stack {len(grids)} wafers: their grids must be of one size, got {named}; stack each "
            "size by itself"
        )
    return np.stack(list(grids))

"""Which straight runs of wires lie beside one another, and which one lies under a point.

Runs of one axis are sorted into cells along it, each about as long as a run is on average, and by
their place across it within a cell: thousands of runs are found without comparing each with each.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from fabsight.netdsl.profiles import Leg

FIRST_LOOK = 32  # runs looked at, in the order of their distance; then twice as many, and so on
ROUNDING_PX = 1e-6  # places summed in another order differ by less


@dataclass(frozen=True, eq=False)
class _Cells:
    """Entries, each a run in one of the cells it reaches into, by cell and then by place across.

    Attributes:
        size_px: Length of a cell along the runs.
        widest: The largest width of any run.
        cell: Where an entry is sorted in.
        which: The run's index among all runs.
        middle: Its centre line times `side`: ascending within a cell.
        width: Its width.
        begin: Where it begins along its axis.
        end: Where it ends.
    """

    size_px: float
    widest: float
    cell: Int64[np.ndarray, " entries"]
    which: Int64[np.ndarray, " entries"]
    middle: Float64[np.ndarray, " entries"]
    width: Float64[np.ndarray, " entries"]
    begin: Float64[np.ndarray, " entries"]
    end: Float64[np.ndarray, " entries"]

    def reached(self, begin: float, end: float) -> range:
        """The cells that a stretch reaches into."""
        return range(math.floor(begin / self.size_px), math.floor(end / self.size_px) + 1)

    def between(self, cell: int, above: float, most: float) -> slice:
        """The entries of a cell whose centre line lies above one place, up to another."""
        first, last = np.searchsorted(self.cell, (cell, cell + 1)).tolist()
        ends = np.searchsorted(self.middle[first:last], (above, most), side="right")
        return slice(first + int(ends[0]), first + int(ends[1]))


def neighbours(legs: Sequence[Leg], side: int, most: int) -> list[int | None]:
    """For each run the nearest parallel one to its left or above (side -1), right or below (1).

    None where there is none beside it, where it touches, and for all but the first `most` runs.
    """
    cells = {axis: _cells(legs, axis, side) for axis in "HV"}
    found = [_nearest(cells[leg.axis], leg, side) for leg in legs[:most]]
    return found + [None] * len(legs[most:])


def under(legs: Sequence[Leg], points: Sequence[tuple[float, float]]) -> list[int | None]:
    """For each point (x, y), px, the run it lies on, the one with the nearest centre line."""
    kinds = [_cells(legs, axis, 1) for axis in "HV"]
    found: list[int | None] = []
    for x, y in points:
        hits: list[tuple[float, int]] = []
        for cells, along, across in zip(kinds, (x, y), (y, x), strict=True):
            reach = cells.widest / 2 + ROUNDING_PX
            (cell,) = cells.reached(along, along)
            near = cells.between(cell, across - reach, across + reach)
            away = np.abs(across - cells.middle[near])
            on = (away <= cells.width[near] / 2) & (cells.begin[near] <= along)
            on &= along <= cells.end[near]
            if on.any():
                least = away[on].min()
                hits.append((float(least), int(cells.which[near][on & (away == least)].min())))
        found.append(min(hits)[1] if hits else None)
    return found


def _cells(legs: Sequence[Leg], axis: str, side: int) -> _Cells:
    """The runs of an axis in cells of their mean length: each is in two or three on average."""
    which = np.array([k for k, leg in enumerate(legs) if leg.axis == axis], np.int64)
    rows = [(legs[k].middle * side, legs[k].width, *legs[k].span) for k in which]
    middle, width, begin, end = np.array(rows, np.float64).reshape(-1, 4).T
    size_px = max(float((end - begin).mean()), 1.0) if len(which) else 1.0
    first, last = (np.floor(at / size_px).astype(np.int64) for at in (begin, end))
    count = last - first + 1
    run = np.repeat(np.arange(len(which)), count)
    cell = first[run] + np.arange(len(run)) - (np.cumsum(count) - count)[run]
    order = np.lexsort((middle[run], cell))
    run = run[order]
    columns = (column[run] for column in (which, middle, width, begin, end))
    return _Cells(size_px, float(width.max(initial=0.0)), cell[order], *columns)


def _nearest(cells: _Cells, leg: Leg, side: int) -> int | None:
    """The run with the smallest gap to this one on that side; None where that gap is none."""
    middle, rim = leg.middle * side, leg.width / 2 + cells.widest / 2 + ROUNDING_PX
    best = (math.inf, -1)
    for cell in cells.reached(*leg.span):
        for near in _looks(cells.between(cell, middle, math.inf)):
            if cells.middle[near.start] - middle - rim > best[0]:  # the others are farther yet
                break
            beside = (cells.begin[near] < leg.span[1]) & (cells.end[near] > leg.span[0])
            if beside.any():
                gap = cells.middle[near] - middle - (cells.width[near] + leg.width) / 2
                least = gap[beside].min()
                best = min(best, (least, cells.which[near][beside & (gap == least)].min()))
    return int(best[1]) if 0 < best[0] < math.inf else None


def _looks(entries: slice) -> Iterator[slice]:
    """The entries in order, a few at first, then twice as many, and so on."""
    first, size = entries.start, FIRST_LOOK
    while first < entries.stop:
        yield slice(first, min(first + size, entries.stop))
        first, size = first + size, 2 * size

"""From what a file says of dies to a `Wafer`: the grid, cut to its dies, notch down.

Dies (x, y, failed, bins) --arranged--> Wafer --notch_down--> Wafer
a grid as the file draws it --drawn----^
"""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Int32, Int64

from fabsight.task import FabsightError
from fabsight.wafermap.settings import WaferSettings
from fabsight.wafermap.wafer import (
    FAIL,
    NO_BIN,
    NO_DIE,
    PASS,
    SIDES,
    About,
    Defects,
    Grid,
    Placement,
    Side,
    Wafer,
)

MAX_CELLS = 4_000_000  # of a grid: 2000 x 2000, dies of 0.15 mm on 300 mm
MAX_COORDINATE = 2**31 - 1

Bins: TypeAlias = Int32[np.ndarray, "rows columns"]


@dataclass(frozen=True, eq=False)
class Dies:
    """Dies as a file lists them, in its order, and which way its coordinates grow.

    Attributes:
        x, y: Die coordinates.
        failed: Whether the die fails.
        bins, soft_bins: NO_BIN where none; None where the file has no bins.
        right: Whether x grows to the right.
        up: Whether y grows upward.
    """

    x: Int64[np.ndarray, " n"]
    y: Int64[np.ndarray, " n"]
    failed: Bool[np.ndarray, " n"]
    bins: Int32[np.ndarray, " n"] | None = None
    soft_bins: Int32[np.ndarray, " n"] | None = None
    right: bool = True
    up: bool = False


def arranged(dies: Dies, about: About, where: str) -> Wafer:
    """The wafer of dies that a file lists by coordinates, as the file has it turned.

    A die that is listed twice counts once, the last time. `where` names file and record in errors.

    >>> two = np.array([4, 5])
    >>> wafer = arranged(Dies(two, two, np.array([False, True]), up=True), About(), "a.csv")
    >>> wafer.grid.tolist(), wafer.about.placement.die(0, 1)
    ([[0, 2], [1, 0]], (5, 5))
    """
    if not len(dies.x):
        raise FabsightError(f"read {where}: no die has coordinates, so there is no map")
    x0, x1, y0, y1 = (int(v) for v in (dies.x.min(), dies.x.max(), dies.y.min(), dies.y.max()))
    rows, columns = y1 - y0 + 1, x1 - x0 + 1
    require_size(rows, columns, f"{where}: die coordinates x {x0}..{x1}, y {y0}..{y1}")
    row = y1 - dies.y if dies.up else dies.y - y0
    column = dies.x - x0 if dies.right else x1 - dies.x
    grid = np.full((rows, columns), NO_DIE, np.uint8)
    grid[row, column] = np.where(dies.failed, FAIL, PASS)  # NumPy: of repeated places the last
    seen = np.bincount(row * columns + column)
    placement = Placement(
        x0=x0 if dies.right else x1,
        y0=y1 if dies.up else y0,
        y_row=-1 if dies.up else 1,
        x_column=1 if dies.right else -1,
    )
    retests = int((seen > 1).sum())
    warned: tuple[str, ...] = ()
    if retests:
        again = int((seen[seen > 1] - 1).sum())
        warned = (f"{again} results are of {retests} dies measured before; the last one counts",)
    return Wafer(
        grid,
        replace(about, placement=placement),
        bins=_spread(dies.bins, row, column, grid),
        soft_bins=_spread(dies.soft_bins, row, column, grid),
        retests=retests,
        warnings=warned,
    )


def _spread(
    bins: Int32[np.ndarray, " n"] | None,
    row: Int64[np.ndarray, " n"],
    column: Int64[np.ndarray, " n"],
    grid: Grid,
) -> Bins | None:
    if bins is None:
        return None
    spread = np.full(grid.shape, NO_BIN, np.int32)
    spread[row, column] = bins
    return spread


def drawn(grid: Grid, about: About, where: str, bins: Bins | None = None) -> Wafer:
    """The wafer of a grid that a file draws, cut to its dies.

    >>> drawn(np.array([[0, 0, 0], [0, 1, 2]], np.uint8), About(), "a.txt").grid.tolist()
    [[1, 2]]
    """
    down, right = (np.flatnonzero((grid != NO_DIE).any(axis)) for axis in (1, 0))
    if not len(down):
        raise FabsightError(f"read {where}: the map has no die at all")
    part = np.s_[down[0] : down[-1] + 1, right[0] : right[-1] + 1]
    if grid[part].shape == grid.shape:
        return Wafer(grid, about, bins=bins)
    x0, y0 = about.placement.die(int(down[0]), int(right[0]))
    return Wafer(
        np.ascontiguousarray(grid[part]),
        replace(about, placement=replace(about.placement, x0=x0, y0=y0)),
        bins=None if bins is None else np.ascontiguousarray(bins[part]),
    )


def notch_down(wafer: Wafer, settings: WaferSettings) -> Wafer:
    """The wafer turned so that its notch is at 6 o'clock: grid, bins, defects, pitch, placement.

    The notch is where `about` says, unless the person says otherwise.

    >>> grid = np.array([[1, 2, 0]], np.uint8)
    >>> wafer = notch_down(Wafer(grid, About(notch="left")), WaferSettings())
    >>> wafer.grid.tolist(), wafer.about.placement.die(0, 0)
    ([[0], [2], [1]], (2, 0))
    """
    notch: Side = wafer.about.notch if settings.notch == "file" else settings.notch
    turned = replace(wafer, about=replace(wafer.about, notch=notch))
    for _ in range(SIDES.index(notch)):
        turned = _quarter_back(turned)
    return turned


def as_filed(wafer: Wafer) -> Wafer:
    """The wafer turned as its file had it, with the file's own die coordinates.

    Where its placement has axes that are not those of a file, it stays notch down and its dies are
    numbered from the upper left.

    >>> grid = np.array([[1, 2, 0]], np.uint8)
    >>> read = notch_down(Wafer(grid, About(notch="left")), WaferSettings())
    >>> as_filed(read).grid.tolist()
    [[1, 2, 0]]
    """
    turned = wafer
    for _ in range(-SIDES.index(wafer.about.notch) % 4):
        turned = _quarter_back(turned)
    place = turned.about.placement
    if (abs(place.x_column), place.x_row, abs(place.y_row), place.y_column) == (1, 0, 1, 0):
        return turned
    return replace(wafer, about=replace(wafer.about, notch="down", placement=Placement()))


def _quarter_back(wafer: Wafer) -> Wafer:
    """A wafer turned by 90 degrees counterclockwise."""
    columns = wafer.grid.shape[1]
    place = wafer.about.placement
    x0, y0 = place.die(0, columns - 1)
    placement = Placement(x0, y0, -place.x_column, -place.y_column, place.x_row, place.y_row)
    width, height = wafer.about.pitch_um
    return replace(
        wafer,
        grid=np.ascontiguousarray(np.rot90(wafer.grid)),
        about=replace(wafer.about, placement=placement, pitch_um=(height, width)),
        bins=None if wafer.bins is None else np.ascontiguousarray(np.rot90(wafer.bins)),
        soft_bins=(
            None if wafer.soft_bins is None else np.ascontiguousarray(np.rot90(wafer.soft_bins))
        ),
        defects=None if wafer.defects is None else _defects_back(wafer.defects, columns),
    )


def _defects_back(defects: Defects, columns: int) -> Defects:
    inside = defects.row >= 0
    return replace(
        defects,
        row=np.where(inside, columns - 1 - defects.column, -1).astype(np.int32),
        column=np.where(inside, defects.row, -1).astype(np.int32),
        x_um=-defects.y_um,
        y_um=defects.x_um.copy(),
    )


def failing(
    bins: Int32[np.ndarray, "*shape"] | None,
    passed: Bool[np.ndarray, "*shape"] | None,
    settings: WaferSettings,
) -> Bool[np.ndarray, "*shape"]:
    """Which dies fail: what a person asks to look at, else what the file says, else by pass bins.

    One of `bins` and `passed` is needed.

    >>> failing(np.array([1, 7], np.int32), None, WaferSettings()).tolist()
    [False, True]
    """
    if bins is not None and settings.fail_bins:
        return np.isin(bins, settings.fail_bins)
    if passed is not None:
        return ~passed
    assert bins is not None
    return ~np.isin(bins, settings.pass_bins)


def require_size(rows: int, columns: int, where: str) -> None:
    """Refuse a grid of more cells than any wafer has dies, before it is allocated."""
    if rows * columns > MAX_CELLS:
        raise FabsightError(
            f"read {where}: {rows:,} x {columns:,} dies; at most {MAX_CELLS:,} can be read. No "
            "wafer has so many: a coordinate is wrong"
        )


def slot_of(text: str) -> int:
    """A slot's number, 0 where the text is none.

    >>> slot_of("07"), slot_of("A")
    (7, 0)
    """
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0


def source_of(path: Path, about: About, seen: Counter[str] | None) -> str:
    """What a wafer of a file is called: path, or path#lot/wafer where the file holds several.

    `seen` counts the names of such a file, None where it holds one wafer.

    >>> seen = Counter()
    >>> [source_of(Path("a"), About(lot="L", wafer="1"), seen) for _ in "12"]
    ['a#L/1', 'a#L/1(2)']
    """
    if seen is None:
        return str(path)
    name = "/".join(part for part in (about.lot, about.wafer) if part) or "wafer"
    seen[name] += 1
    return f"{path}#{name}" if seen[name] == 1 else f"{path}#{name}({seen[name]})"

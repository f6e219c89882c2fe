"""Random die grids as wafers have them: size, edge, notch or flat, sites without a die.

Sizes are those that occur most in WM-811K (its grids are cut to the dies), or free: 80 to 20,000
dies of an aspect of 1:2 to 2:1.
"""

from dataclasses import dataclass
from math import hypot, pi, sqrt

import numpy as np
from jaxtyping import Bool, Float32

from fabsight.task import FabsightError
from fabsight.wafermap.draws import Draw
from fabsight.wafermap.geometry import Disk, disk

# (rows, columns) and how often they are drawn
SIZES: tuple[tuple[tuple[int, int], float], ...] = (
    ((25, 27), 6),
    ((27, 25), 3),
    ((26, 26), 5),
    ((38, 36), 4),
    ((33, 37), 3),
    ((53, 52), 4),
    ((63, 62), 3),
    ((39, 37), 4),
    ((45, 43), 3),
    ((48, 48), 3),
    ((30, 34), 4),
    ((35, 31), 4),
    ((44, 41), 4),
    ((29, 26), 3),
    ((43, 42), 3),
    ((41, 42), 4),
    ((34, 34), 2),
    ((39, 31), 2),
    ((46, 46), 2),
    ((50, 43), 2),
    ((52, 59), 1),
    ((69, 73), 1),
)
FREE_SHARE = 0.25  # of sizes that are not in the table
LEAST_DIES, MOST_DIES = 80, 20_000
LEAST_SIDE, MOST_SIDE = 5, 1000
DIAMETERS_MM = ((200.0, 5.0), (300.0, 3.0), (150.0, 1.5), (100.0, 0.5))


@dataclass(frozen=True, eq=False)
class Layout:
    """A wafer before it is tested.

    Attributes:
        dies: Where there is a die; every border row and column has one.
        depth: How many dies lie between a die and the outside, itself included; 0 outside. Sites
            without a die inside the wafer are not the outside.
        diameter_mm: Of the wafer.
        pitch_um: Width and height of a die.
    """

    dies: Bool[np.ndarray, "rows columns"]
    depth: Float32[np.ndarray, "rows columns"]
    diameter_mm: float
    pitch_um: tuple[float, float]

    @property
    def disk(self) -> Disk:
        """Where each die lies."""
        return disk(*self.dies.shape)


def draw_layout(rng: np.random.Generator, size: tuple[int, int] | None = None) -> Layout:
    """A random layout; `size` is rows and columns of its grid, which no flat is cut from then.

    >>> draw_layout(np.random.default_rng(0), (25, 27)).dies.shape
    (25, 27)
    """
    draw = Draw(rng)
    rows, columns = size or _size(draw)
    if min(rows, columns) < LEAST_SIDE or max(rows, columns) > MOST_SIDE:
        raise FabsightError(
            f"draw_layout: a grid of {rows} rows and {columns} columns; "
            f"give {LEAST_SIDE} to {MOST_SIDE} of each"
        )
    dies = _round(draw, rows, columns)
    if size is None and rows >= 20 and draw.chance(0.03):
        dies = _without_flat(draw, dies)
    elif draw.chance(0.08):
        _cut_notch(draw, dies)
    depth = _depth(dies)
    if draw.chance(0.1):
        _cut_sites(draw, dies)
    diameter_mm = draw.weighed(DIAMETERS_MM)
    usable_um = 1000 * (diameter_mm - 2 * draw.between(1.5, 5))
    rows_cut, columns_cut = dies.shape
    pitch_um = (round(usable_um / columns_cut, 1), round(usable_um / rows_cut, 1))
    return Layout(dies, depth, diameter_mm, pitch_um)


def _size(draw: Draw) -> tuple[int, int]:
    if not draw.chance(FREE_SHARE):
        return draw.weighed(SIZES)
    cells = draw.log_between(LEAST_DIES * 1.2, MOST_DIES * 0.95) * 4 / pi
    aspect = draw.log_between(0.5, 2)
    return round(sqrt(cells * aspect)), round(sqrt(cells / aspect))


def _round(draw: Draw, rows: int, columns: int) -> Bool[np.ndarray, "rows columns"]:
    """The dies whose centre lies within the edge exclusion, at least two in each border line."""
    least = max(
        hypot(1 - 1 / rows, 1.1 / columns),
        hypot(1 - 1 / columns, 1.1 / rows),
    )
    return np.asarray(disk(rows, columns).radius <= max(least, draw.between(0.98, 1.02)))


def _without_flat(
    draw: Draw, dies: Bool[np.ndarray, "rows columns"]
) -> Bool[np.ndarray, "fewer columns"]:
    """The dies above a flat at 6 o'clock."""
    rows = len(dies)
    return dies[: rows - max(1, round(rows * draw.between(0.02, 0.06)))].copy()


def _cut_notch(draw: Draw, dies: Bool[np.ndarray, "rows columns"]) -> None:
    """Take out one to three dies at 6 o'clock, in place, where the last row has more."""
    wide = draw.whole(1, 3)
    if dies[-1].sum() > wide + 1:
        first = (dies.shape[1] - wide) // 2
        dies[-1, first : first + wide] = False


def _cut_sites(draw: Draw, dies: Bool[np.ndarray, "rows columns"]) -> None:
    """Take out sites of process monitors or dies that were not tested, in place."""
    rows, columns = dies.shape
    inside = np.flatnonzero(disk(rows, columns).radius.ravel() < 0.85)
    flat = dies.reshape(-1)
    if draw.chance(0.5):
        for x, y in draw.pick(MONITORS):
            row, column = int((1 - y) / 2 * rows), int((1 + x) / 2 * columns)
            dies[row, column] = False
    else:
        flat[draw.rng.choice(inside, min(len(inside), draw.whole(1, 12)), replace=False)] = False


MONITORS: tuple[tuple[tuple[float, float], ...], ...] = (
    ((0.0, 0.0), (0.6, 0.0), (-0.6, 0.0), (0.0, 0.6), (0.0, -0.6)),
    ((0.45, 0.45), (-0.45, 0.45), (0.45, -0.45), (-0.45, -0.45)),
    ((0.5, 0.0), (-0.5, 0.0)),
)


def _depth(dies: Bool[np.ndarray, "rows columns"]) -> Float32[np.ndarray, "rows columns"]:
    """How deep inside each die lies: 1 where a side is free, by steps to the sides and corners."""
    import cv2

    framed = np.pad(dies, 1).astype(np.uint8)
    found = cv2.distanceTransform(framed, cv2.DIST_L2, cv2.DIST_MASK_3)[1:-1, 1:-1]
    return np.ascontiguousarray(found / 0.955, np.float32)  # a step costs 0.955 with this mask

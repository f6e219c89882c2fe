"""A die grid as the classifier sees it: planes of one size, straight or unrolled.

grid --planes--> share of failing dies, share of dies, fails that keep together   (3, 48, 48)
     --unrolled--> the same, radius down and angle across                         (3, 24, 96)
"""

from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from fabsight.wafermap.wafer import FAIL, NO_DIE, Grid

SIDE = 48
RADII, ANGLES = 24, 96
NEIGHBOURS = 2  # failing ones among eight, of a fail that keeps together with others
FULL = 255


def planes(grid: Grid) -> UInt8[np.ndarray, "3 48 48"]:
    """Shares of 255: failing dies of the dies in a cell, dies in the cell, fails with company.

    Cells are the grid's bounding box in 48 x 48 parts; shares are by area, so that nothing is lost
    of large grids and nothing invented in small ones. The last plane counts dies, not area: a line
    of single dies on a large wafer stays as visible as on a small one.
    """
    grid = _cut(grid)
    rows, columns = grid.shape
    fails = grid == FAIL
    company = _with_company(fails)
    down, right = _overlap(rows), _overlap(columns).T
    dies = down @ (grid != NO_DIE).astype(np.float32) @ right
    failing = down @ fails.astype(np.float32) @ right
    together = down @ company.astype(np.float32) @ right
    cell = max(1.0, rows * columns / SIDE**2)  # dies in a cell, at least one
    found = np.stack([failing / np.maximum(dies, 1e-6), dies, np.minimum(together * cell, 1.0)])
    return np.asarray(np.rint(found.clip(0, 1) * FULL), np.uint8)


def _cut(grid: Grid) -> Grid:
    """The grid without empty borders, as readers give it; unchanged where there is no die."""
    dies = grid != NO_DIE
    down, right = np.flatnonzero(dies.any(1)), np.flatnonzero(dies.any(0))
    if not len(down):
        return grid
    return grid[down[0] : down[-1] + 1, right[0] : right[-1] + 1]


def unrolled(flat: UInt8[np.ndarray, "n 48 48"]) -> UInt8[np.ndarray, "n 24 96"]:
    """Planes with the radius down (centre first) and the clock across (12 o'clock first)."""
    return np.ascontiguousarray(flat[:, *_spiral()])


def _with_company(fails: Bool[np.ndarray, "rows columns"]) -> Bool[np.ndarray, "rows columns"]:
    """Fails with at least two failing ones among their eight neighbours."""
    wide = np.pad(fails.astype(np.int8), 1)
    rows = wide[:-2] + wide[1:-1] + wide[2:]
    around = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]  # the die itself is counted too
    return np.asarray(fails & (around > NEIGHBOURS))


@lru_cache(maxsize=1024)
def _overlap(count: int) -> Float32[np.ndarray, "48 count"]:
    """How much of each of 48 cells each of `count` dies in a row covers; rows sum to 1."""
    edges = np.arange(count + 1) * (SIDE / count)
    cells = np.arange(SIDE)[:, None]
    return np.asarray(
        (np.minimum(edges[1:], cells + 1) - np.maximum(edges[:-1], cells)).clip(0), np.float32
    )


@lru_cache(maxsize=1)
def _spiral() -> tuple[np.ndarray, np.ndarray]:
    """Row and column of the cell under each radius and angle."""
    radius = (np.arange(RADII)[:, None] + 0.5) / RADII
    angle = 2 * np.pi * (np.arange(ANGLES)[None] + 0.5) / ANGLES
    row = (1 - radius * np.cos(angle)) * SIDE / 2
    column = (1 + radius * np.sin(angle)) * SIDE / 2
    return tuple(np.minimum(place, SIDE - 1).astype(np.intp) for place in (row, column))  # type: ignore[return-value]

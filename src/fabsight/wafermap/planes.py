"""A die grid as the classifier sees it: planes of one size.

grid --planes--> share of failing dies, share of dies, fails that keep together   (3, 52, 52)
"""

from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from fabsight.wafermap.wafer import FAIL, NO_DIE, Grid

SIDE = 52
NEIGHBOURS = 2  # failing ones among eight, of a fail that keeps together with others
FULL = 255


def planes(grid: Grid) -> UInt8[np.ndarray, "3 52 52"]:
    """Shares of 255: failing dies of the dies in a cell, dies in the cell, fails with company.

    Cells are the dies' bounding box in 52 x 52 parts; shares are by area, so that nothing is lost
    of large grids and nothing invented in small ones. The last plane counts dies, not area: a line
    of single dies on a large wafer stays as visible as on a small one.
    """
    grid = _to_dies(grid)
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


def _to_dies(grid: Grid) -> UInt8[np.ndarray, "_ _"]:
    """The grid without empty rows and columns around; as it is where it has no dies."""
    dies = grid != NO_DIE
    rows, columns = np.flatnonzero(dies.any(1)), np.flatnonzero(dies.any(0))
    return grid[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if len(rows) else grid


def _with_company(fails: Bool[np.ndarray, "rows columns"]) -> Bool[np.ndarray, "rows columns"]:
    """Fails with at least two failing ones among their eight neighbours."""
    wide = np.pad(fails.astype(np.int8), 1)
    rows = wide[:-2] + wide[1:-1] + wide[2:]
    around = rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]  # the die itself is counted too
    return np.asarray(fails & (around > NEIGHBOURS))


@lru_cache(maxsize=1024)
def _overlap(count: int) -> Float32[np.ndarray, "52 count"]:
    """How much of each of 52 cells each of `count` dies in a row covers; rows sum to 1."""
    edges = np.arange(count + 1) * (SIDE / count)
    cells = np.arange(SIDE)[:, None]
    return np.asarray(
        (np.minimum(edges[1:], cells + 1) - np.maximum(edges[:-1], cells)).clip(0), np.float32
    )

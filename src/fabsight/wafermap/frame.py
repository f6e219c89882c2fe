"""What the measurements of a map need to know of its grid's size alone, computed once a size."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64, UInt8

from fabsight.wafermap.geometry import QUADRANTS, SECTORS, ZONES, disk

RADIAL_BINS = 20
EDGE_STEP_DEG = 5
EDGE_STEPS = 360 // EDGE_STEP_DEG
PATCH_BANDS, PATCH_SECTORS = 5, 4  # patches of equal area, about 30 dies each on 600
LONGEST_FIELD = 8  # dies of a reticle field in one direction
LONGEST_STRIPE = 12  # rows or columns from one stripe to the next
CACHED = 512
VALUES = 3  # no die, pass, fail


@dataclass(frozen=True, eq=False)
class Frame:
    """Coordinates and group numbers of a grid's cells, row by row; arrays are read-only.

    Attributes:
        x, y, radius, clock_deg: As in `geometry.disk`.
        edge: Cells of the edge zone.
        region: Number of (zone, sector, quadrant), 240 of them.
        regions: Which of the 240 make up each of 5 zones, 12 sectors, 12 edge sectors, 4 quadrants.
        ring: Radial bin, the corners beyond radius 1 in the last.
        step: Step of EDGE_STEP_DEG around the clock.
        patch: Number of a patch of equal area.
        fold_rows: Row of the grid to phase of each period from 2 up, periods one below the other.
        fold_columns: Likewise of the columns.
    """

    x: Float64[np.ndarray, " cells"]
    y: Float64[np.ndarray, " cells"]
    radius: Float64[np.ndarray, " cells"]
    clock_deg: Float64[np.ndarray, " cells"]
    edge: Bool[np.ndarray, " cells"]
    region: Int64[np.ndarray, " cells"]
    regions: Int64[np.ndarray, "33 240"]
    ring: Int64[np.ndarray, " cells"]
    step: Int64[np.ndarray, " cells"]
    patch: Int64[np.ndarray, " cells"]
    fold_rows: Float32[np.ndarray, "phases rows"]
    fold_columns: Float32[np.ndarray, "phases columns"]


@lru_cache(maxsize=CACHED)
def frame(rows: int, columns: int) -> Frame:
    """The frame of grids of one size.

    >>> frame(3, 3).ring.tolist()
    [18, 13, 18, 13, 0, 13, 18, 13, 18]
    """
    at = disk(rows, columns)
    radius, clock = (a.ravel().astype(np.float64) for a in (at.radius, at.clock_deg))
    zone, sector, quadrant = (a.ravel().astype(np.int64) for a in (at.zone, at.sector, at.quadrant))
    inside = np.minimum(radius, 1 - 1e-9)
    quarter = (clock + 360 / PATCH_SECTORS / 2) // (360 / PATCH_SECTORS) % PATCH_SECTORS
    found = Frame(
        x=at.x.ravel().astype(np.float64),
        y=at.y.ravel().astype(np.float64),
        radius=radius,
        clock_deg=clock,
        edge=zone == len(ZONES) - 1,
        region=(zone * SECTORS + sector) * len(QUADRANTS) + quadrant,
        regions=_regions(),
        ring=(inside * RADIAL_BINS).astype(np.int64),
        step=(clock // EDGE_STEP_DEG).astype(np.int64) % EDGE_STEPS,
        patch=(inside**2 * PATCH_BANDS).astype(np.int64) * PATCH_SECTORS + quarter.astype(np.int64),
        fold_rows=_fold(rows),
        fold_columns=_fold(columns),
    )
    for array in vars(found).values():
        array.setflags(write=False)
    return found


@lru_cache(maxsize=1)
def _regions() -> Int64[np.ndarray, "33 240"]:
    parts = np.indices((len(ZONES), SECTORS, len(QUADRANTS))).reshape(3, -1)
    zone, sector, quadrant = parts
    edge = zone == len(ZONES) - 1
    rows = [
        *(zone == k for k in range(len(ZONES))),
        *(sector == k for k in range(SECTORS)),
        *((sector == k) & edge for k in range(SECTORS)),
        *(quadrant == k for k in range(len(QUADRANTS))),
    ]
    return np.stack(rows).astype(np.int64)


def _fold(length: int) -> Float32[np.ndarray, "phases length"]:
    """1 where a row (or column) is at a phase of a period, periods 2 to LONGEST_STRIPE."""
    place = np.arange(length)
    rows = [place % p == phase for p in range(2, LONGEST_STRIPE + 1) for phase in range(p)]
    return np.stack(rows).astype(np.float32)


def tally(
    group: Int64[np.ndarray, " cells"], values: UInt8[np.ndarray, " cells"], groups: int
) -> tuple[Int64[np.ndarray, " groups"], Int64[np.ndarray, " groups"]]:
    """How many dies, and how many failing dies, each group of cells has.

    >>> dies, fails = tally(np.array([0, 0, 1]), np.array([2, 1, 0], np.uint8), 2)
    >>> dies.tolist(), fails.tolist()
    ([2, 0], [1, 0])
    """
    table = np.bincount(group * VALUES + values, minlength=groups * VALUES)
    fails = table[2::VALUES]
    return table[1::VALUES] + fails, fails

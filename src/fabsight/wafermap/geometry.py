"""Where each die of a grid lies on the wafer: radius, clock angle, zone, sector, quadrant.

The bounding box of the grid is mapped to the unit disk (Wu, Jang, Chen 2015, section III): a die's
centre at column c of n has x = (2 c + 1) / n - 1. Angles are degrees clockwise from 12 o'clock.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float32, Int8

Zone: TypeAlias = Literal["centre", "inner", "mid-radius", "outer", "edge"]
Quadrant: TypeAlias = Literal["upper right", "lower right", "lower left", "upper left"]
ZONES: tuple[Zone, ...] = ("centre", "inner", "mid-radius", "outer", "edge")
QUADRANTS: tuple[Quadrant, ...] = ("upper right", "lower right", "lower left", "upper left")
SECTORS = 12  # sector k is centred on k o'clock, sector 0 on 12
ROUNDING = 1e-9  # a die exactly between two zones or sectors is in the later one everywhere
CACHED = 512  # grids of different size


@dataclass(frozen=True, eq=False)
class Disk:
    """Coordinates of the dies of a grid; arrays are read-only, all of shape (rows, columns).

    Attributes:
        x, y: Right and up, the wafer's rim at distance 1.
        radius: Distance from the centre; corners of the grid lie beyond 1.
        clock_deg: 0 at 12 o'clock, 90 at 3 o'clock.
        zone: Index into ZONES: five rings of equal width.
        sector: 0 to 11: hours, each half an hour to both sides.
        quadrant: Index into QUADRANTS, clockwise from 12 o'clock.
    """

    x: Float32[np.ndarray, "rows columns"]
    y: Float32[np.ndarray, "rows columns"]
    radius: Float32[np.ndarray, "rows columns"]
    clock_deg: Float32[np.ndarray, "rows columns"]
    zone: Int8[np.ndarray, "rows columns"]
    sector: Int8[np.ndarray, "rows columns"]
    quadrant: Int8[np.ndarray, "rows columns"]


@lru_cache(maxsize=CACHED)
def disk(rows: int, columns: int) -> Disk:
    """The coordinates of a grid's dies.

    >>> disk(3, 3).clock_deg[0].tolist()
    [315.0, 0.0, 45.0]
    >>> disk(5, 5).zone[2].tolist()
    [4, 2, 0, 2, 4]
    """
    down, right = np.mgrid[0:rows, 0:columns].astype(np.float64)
    x, y = (2 * right + 1) / columns - 1, 1 - (2 * down + 1) / rows
    radius, clock_deg = np.hypot(x, y), np.degrees(np.arctan2(x, y)) % 360
    found = Disk(
        x=x.astype(np.float32),
        y=y.astype(np.float32),
        radius=radius.astype(np.float32),
        clock_deg=clock_deg.astype(np.float32),
        zone=np.minimum(radius * len(ZONES) + ROUNDING, len(ZONES) - 1).astype(np.int8),
        sector=(((clock_deg + 15 + ROUNDING) // 30) % SECTORS).astype(np.int8),
        quadrant=(clock_deg // 90 % 4).astype(np.int8),
    )
    for array in vars(found).values():
        array.setflags(write=False)
    return found


def hours(degrees: float) -> float:
    """Clock position, 0 < h <= 12, of an angle.

    >>> hours(0), hours(105), hours(-30)
    (12.0, 3.5, 11.0)
    """
    return (degrees / 30 - 1e-9) % 12 + 1e-9


def apart(a_deg: float, b_deg: float) -> float:
    """The angle between two directions, 0 to 180 degrees.

    >>> apart(350, 20)
    30.0
    """
    return abs((a_deg - b_deg + 180.0) % 360.0 - 180.0)

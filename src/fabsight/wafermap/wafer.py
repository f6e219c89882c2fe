"""A wafer as every reader gives it and all else takes it: a die grid and what is known of it.

The convention of the whole task: notch at 6 o'clock, row 0 at 12 o'clock, clock angles clockwise,
seen from the side that was measured. Readers turn what a file holds into that; `Placement` finds
the file's own die coordinates again.
"""

from dataclasses import dataclass, field
from typing import Annotated, Literal, TypeAlias

import numpy as np
from jaxtyping import Float64, Int32, UInt8

from fabsight.settings import Range

NO_DIE, PASS, FAIL = 0, 1, 2
NO_BIN = -1

Grid: TypeAlias = UInt8[np.ndarray, "rows columns"]  # NO_DIE, PASS or FAIL
Side: TypeAlias = Literal["down", "left", "up", "right"]
SIDES: tuple[Side, ...] = ("down", "left", "up", "right")  # one quarter turn clockwise each


@dataclass(frozen=True)
class Placement:
    """Where a die of the grid lies in the file's own die coordinates: (x, y) of (row, column).

    Attributes:
        x0, y0: Coordinates of the die in row 0, column 0, whether or not there is one.
        x_row, y_row: What one row further down adds.
        x_column, y_column: What one column further right adds.
    """

    x0: int = 0
    y0: int = 0
    x_row: int = 0
    y_row: int = 1
    x_column: int = 1
    y_column: int = 0

    def die(self, row: int, column: int) -> tuple[int, int]:
        """The file's (x, y) of a die.

        >>> Placement(x0=-7, y0=7, y_row=-1).die(2, 3)
        (-4, 5)
        """
        x = self.x0 + self.x_row * row + self.x_column * column
        return x, self.y0 + self.y_row * row + self.y_column * column


@dataclass(frozen=True)
class About:
    """What a file says of a wafer, beside its dies; "" and 0 where it says nothing.

    Attributes:
        lot, wafer, device, step: Names as written.
        slot: Slot in the carrier, 1 and up; 0 unknown.
        time: When it was measured, ISO 8601 where the file's form is known, else as written.
        equipment: Tester, prober or inspection station.
        format: What the file was read as: "KLARF 1.2", "STDF V4", "SINF", "WM-811K bundle", ...
        notch: Where the notch or flat was in the file; the grid has it down.
        pitch_um: Width and height of a die in the grid's orientation.
        diameter_mm: Of the wafer.
        placement: The file's own die coordinates.
    """

    lot: str = ""
    wafer: str = ""
    device: str = ""
    step: str = ""
    slot: int = 0
    time: str = ""
    equipment: str = ""
    format: str = ""
    notch: Side = "down"
    pitch_um: tuple[float, float] = (0.0, 0.0)
    diameter_mm: Annotated[float, Range(10, 1000, or_zero=True)] = 0.0
    placement: Placement = field(default_factory=Placement)


@dataclass(frozen=True, eq=False)
class Defects:
    """What an inspection found, a row each, in the order of the file.

    Attributes:
        id: As the file numbers them.
        row, column: Die of the grid; -1 where it lies outside.
        x_um, y_um: From the wafer's centre, x to the right, y up; NaN where the centre is unknown.
        size_um: Largest extent; NaN unknown.
        label: Class number; 0 unclassified.
    """

    id: Int32[np.ndarray, " n"]
    row: Int32[np.ndarray, " n"]
    column: Int32[np.ndarray, " n"]
    x_um: Float64[np.ndarray, " n"]
    y_um: Float64[np.ndarray, " n"]
    size_um: Float64[np.ndarray, " n"]
    label: Int32[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class Wafer:
    """One wafer of a file.

    Attributes:
        grid: uint8 (rows, columns), cut to the dies: NO_DIE, PASS or FAIL; notch down.
        about: What the file says of it.
        source: path, or path#name where the file holds several.
        bins: Hard bin of each die, NO_BIN where none; None where the file has no bins.
        soft_bins: Soft bin likewise.
        defects: Defect points, None where the file has none.
        retests: Dies measured more than once (the last result counts).
        labels: Pattern classes that the file itself states (bundles), canonical names.
        split: "train", "val", "test" or "" (bundles).
        warnings: What a person should know about how it was read.
    """

    grid: Grid
    about: About
    source: str = ""
    bins: Int32[np.ndarray, "rows columns"] | None = None
    soft_bins: Int32[np.ndarray, "rows columns"] | None = None
    defects: Defects | None = None
    retests: int = 0
    labels: tuple[str, ...] | None = None
    split: str = ""
    warnings: tuple[str, ...] = ()

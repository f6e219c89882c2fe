"""Programs to GDSII and OASIS.

One cell LAYOUT (an ARRAY is a cell of its own and a reference), y up, the canvas' lower left corner
at the origin, 1 um user units. Where the pixel size is known the database unit is 0.1 nm or the
power of ten that is at most 2 % of a pixel; where it is not, 1 px is written as 1 nm with a
database unit of 0.005 px, and the canvas outline says so.
Each polygon carries its NetDSL command as a property, so that `gdsii_reading` gives the program
back exactly; a command too long for GDSII's properties is in labels on the canvas layer. Equal
programs give equal bytes.
"""

import errno
import math
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from fabsight.files import replacing
from fabsight.netdsl.canonical import canonical
from fabsight.netdsl.gdsfile import (
    Kind,
    LayerNumber,
    Outline,
    Points,
    carried,
    has_end,
)
from fabsight.netdsl.language import (
    Array,
    Poly,
    Program,
    Shape,
    Via,
    text_of,
)
from fabsight.netdsl.rendering import CONVENTIONS, Box, primitives
from fabsight.task import FabsightError

MAX_DBU_NM = 0.1
MAX_DBU_PX = 0.02
UNKNOWN_SCALE = "not known: GDSII and OASIS have 1 px as 1 nm; --nm-per-px says it"
UNKNOWN_DBU_PX = 0.005  # where the pixel size is unknown: the finest step of an edge in NetDSL
MIN_NM_PER_PX, MAX_NM_PER_PX = 1e-4, 1e7
CIRCLE_CORNERS = 64
_MAX_DATABASE_UNITS = 2**31 - 1
_TIMESTAMP = datetime(2000, 1, 1)


@dataclass(frozen=True)
class LayerMap:
    """(layer, datatype) of metal, vias and the canvas outline."""

    metal: LayerNumber = (1, 0)
    via: LayerNumber = (2, 0)
    canvas: LayerNumber = (0, 0)


LAYERS = LayerMap()


@dataclass(frozen=True)
class Frame:
    """Where pixels lie in a file: nm per px, and the canvas' upper left corner in nm, y up."""

    nm_per_px: float
    left_nm: float
    top_nm: float
    dbu_nm: float

    def units(self, xy: Points) -> np.ndarray:
        """Pixels to whole database units."""
        corner = np.array([self.left_nm, self.top_nm])
        units: np.ndarray = np.rint((xy * [1, -1] * self.nm_per_px + corner) / self.dbu_nm)
        return units

    def px(self, nm: Points) -> Points:
        """Nanometres to pixels."""
        return (nm - [self.left_nm, self.top_nm]) * [1, -1] / self.nm_per_px


def write_layout(
    program: Program, path: Path, kind: Kind, nm_per_px: float | None, layers: LayerMap = LAYERS
) -> None:
    """Write a program as GDSII or OASIS; the file appears whole or not at all.

    Raises:
        FabsightError: The pixel size makes no sense, GDSII's 32 bits do not hold a coordinate, or
            the path cannot be written.
    """
    import gdstk

    check_scale(path, nm_per_px)
    frame = own_frame(program.height, nm_per_px)
    library = gdstk.Library("fabsight", unit=1e-6, precision=frame.dbu_nm * 1e-9)
    cell = library.new_cell("LAYOUT")
    _add_outlines(cell, [canvas_outline(program, nm_per_px, frame, layers)], frame, layers)
    for number, command in enumerate(canonical(program).commands):
        if not isinstance(command, Array):
            _add_outlines(cell, shape_outlines(command, frame, layers), frame, layers)
            continue
        inner = library.new_cell(f"ARRAY_{number}")
        for shape in command.commands:
            _add_outlines(inner, shape_outlines(shape, frame, layers), frame, layers)
        repeated = _repeated(gdstk, inner, command, kind, frame)
        cell.add(repeated)
        _carry(cell, [repeated], text_of(command), layers)
    low, high = cell.bounding_box()
    reach = max(map(abs, (*low, *high))) * 1000 / frame.dbu_nm
    if kind == "gds" and reach > _MAX_DATABASE_UNITS:
        raise FabsightError(f"{path}: the layout is too large for GDSII's 32 bits: write OASIS")
    with replacing(path) as part:
        if kind == "gds":
            library.write_gds(part, max_points=8190, timestamp=_TIMESTAMP)
        else:
            library.write_oas(part)
        if not has_end(part, kind):  # gdstk does not say that the disk is full
            raise OSError(errno.ENOSPC, "the file was cut short, as by a full disk")


def check_scale(path: Path, nm_per_px: float | None) -> None:
    """Raise FabsightError unless the pixel size is None or one a microscope can have."""
    if nm_per_px is not None and not MIN_NM_PER_PX <= nm_per_px <= MAX_NM_PER_PX:
        raise FabsightError(
            f"{path}: a pixel of {nm_per_px:g} nm is not between "
            f"{MIN_NM_PER_PX:g} and {MAX_NM_PER_PX:g} nm: give the right nm_per_px"
        )


def own_frame(height: int, nm_per_px: float | None) -> Frame:
    """The frame of a file of ours: a canvas of `height` px with its lower left corner at 0, 0."""
    if nm_per_px is None:
        return Frame(1.0, 0.0, float(height), UNKNOWN_DBU_PX)
    power = math.floor(math.log10(MAX_DBU_PX * nm_per_px))
    return Frame(nm_per_px, 0.0, height * nm_per_px, min(10.0**power, MAX_DBU_NM))


def canvas_outline(
    program: Program, nm_per_px: float | None, frame: Frame, layers: LayerMap
) -> Outline:
    """The rectangle on the canvas layer whose text says canvas and scale, in database units."""
    w, h = program.width, program.height
    scale = "unknown, 1 px is written as 1 nm" if nm_per_px is None else repr(float(nm_per_px))
    text = f"{CONVENTIONS} CANVAS {w} {h} nm_per_px {scale}"
    corners = np.array([(0, 0), (w, 0), (w, h), (0, h)], float)
    return Outline(layers.canvas, text, frame.units(corners))


def shape_outlines(shape: Shape, frame: Frame, layers: LayerMap) -> list[Outline]:
    """The outlines of a shape in database units: one, unless a wire runs into itself."""
    layer = layers.via if isinstance(shape, Via) else layers.metal
    parts = [frame.units(_corners(part)) for part in primitives(shape)]
    if len(parts) > 1:
        import gdstk

        joined = gdstk.boolean([gdstk.Polygon(p) for p in parts], [], "or", precision=1e-3)
        parts = [np.rint(polygon.points) for polygon in joined]
    return [Outline(layer, text_of(shape), points) for points in parts]


def _corners(part: Box | Via | Poly) -> Points:
    match part:
        case Box(x0, y0, x1, y1):
            return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], float)
        case Via(x, y, r):
            turn = np.linspace(0, 2 * math.pi, CIRCLE_CORNERS, endpoint=False)
            step = 2 * math.pi / CIRCLE_CORNERS
            r *= math.sqrt(step / math.sin(step))  # the polygon has the disc's area
            return np.stack([x + r * np.cos(turn), y + r * np.sin(turn)], axis=1)
        case Poly(points):
            return np.array(points, float)


def _repeated(gdstk: Any, cell: Any, array: Array, kind: Kind, frame: Frame) -> Any:
    """Gdstk's reference to a cell at the places of an array."""
    columns, rows = array.nx, array.ny
    if kind == "gds":  # rounds where the last one stands, not the step
        spacing = (np.array([array.dx, -array.dy]) * frame.nm_per_px / 1000).tolist()
        return gdstk.Reference(cell, columns=columns, rows=rows, spacing=tuple(spacing))
    # OASIS would round the step itself, and a long row would drift: name the places
    places = np.rint(array_places(array, frame) / frame.dbu_nm) * (frame.dbu_nm / 1000)
    reference = gdstk.Reference(cell)
    reference.repetition = gdstk.Repetition(offsets=places[1:].tolist())
    return reference


def array_places(array: Array, frame: Frame) -> Points:
    """Where the copies of an array stand, in nm from the first, row 0 of the result."""
    steps = np.array([(i, -j) for i in range(array.nx) for j in range(array.ny)], float)
    return steps * [array.dx, array.dy] * frame.nm_per_px


def _add_outlines(cell: Any, outlines: list[Outline], frame: Frame, layers: LayerMap) -> None:
    """Add the outlines of one shape, which all carry one text, as gdstk's polygons."""
    import gdstk

    polygons = [
        gdstk.Polygon(o.points * (frame.dbu_nm / 1000), layer=o.layer[0], datatype=o.layer[1])
        for o in outlines
    ]
    cell.add(*polygons)
    if outlines:
        _carry(cell, polygons, outlines[0].text, layers)


def _carry(cell: Any, elements: list[Any], text: str, layers: LayerMap) -> None:
    """Let elements of a cell carry a text: as a property, a long one in labels of the cell."""
    import gdstk

    mark, labels = carried(text)
    for element in elements:
        element.set_gds_property(1, mark)
    layer, texttype = layers.canvas
    cell.add(*(gdstk.Label(label, (0, 0), layer=layer, texttype=texttype) for label in labels))

"""Programs to GDSII and OASIS, and back.

Written: one cell LAYOUT (an ARRAY is a cell of its own and a reference), y up, the canvas' lower
left corner at the origin, 1 um user units. Where the pixel size is known the database unit is
0.1 nm; where it is not, 1 px is written as 1 nm with a database unit of 0.005 px, and the canvas
outline says so. Each polygon carries its NetDSL command as a property, so that a file of ours
reads back exactly; a polygon that was edited since no longer matches its command, and is then read
as what it is now. Equal programs give equal bytes.

Read from elsewhere: rectangles and axis-parallel paths become wires, near-circles on the via layer
vias, everything else POLY.
"""

import math
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from fabsight.netdsl.canonical import canonical
from fabsight.netdsl.gdsfile import (
    Field,
    Kind,
    LayerNumber,
    Layout,
    Outline,
    Path2D,
    Points,
    pieces,
    read_layout,
)
from fabsight.netdsl.language import (
    MAX_CANVAS_PX,
    NO_CAP,
    Array,
    Command,
    Poly,
    Program,
    Run,
    Shape,
    Via,
    Wire,
    parse,
    text_of,
)
from fabsight.netdsl.rendering import CONVENTIONS, Box, primitives
from fabsight.task import AnswerError, FabsightError

DBU_NM = 0.1
DBU_PX = 0.005  # where the pixel size is unknown: the finest step of an edge in NetDSL
CIRCLE_CORNERS = 64
AUTOMATIC_CANVAS_PX = 8192  # a layout from elsewhere is scaled to fit, unless its scale is given
_MAX_DATABASE_UNITS = 2**31 - 1
_TIMESTAMP = datetime(2000, 1, 1)
_Ring: TypeAlias = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class LayerMap:
    """(layer, datatype) of metal, vias and the canvas outline."""

    metal: LayerNumber = (1, 0)
    via: LayerNumber = (2, 0)
    canvas: LayerNumber = (0, 0)


LAYERS = LayerMap()


@dataclass(frozen=True)
class _Frame:
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
    """Write a program as GDSII or OASIS.

    Raises:
        FabsightError: A coordinate does not fit into GDSII's 32 bits.
        OSError: The path cannot be written.
    """
    import gdstk

    frame = _own_frame(program.height, nm_per_px)
    library = gdstk.Library("fabsight", unit=1e-6, precision=frame.dbu_nm * 1e-9)
    cell = library.new_cell("LAYOUT")
    cell.add(_marked(gdstk, _canvas_outline(program, nm_per_px, frame, layers), frame))
    for number, command in enumerate(canonical(program).commands):
        if not isinstance(command, Array):
            cell.add(*(_marked(gdstk, o, frame) for o in _outlines(command, frame, layers)))
            continue
        inner = library.new_cell(f"ARRAY_{number}")
        for shape in command.commands:
            inner.add(*(_marked(gdstk, o, frame) for o in _outlines(shape, frame, layers)))
        cell.add(_with_text(_repeated(gdstk, inner, command, kind, frame), text_of(command)))
    if kind == "oas":
        library.write_oas(path)
        return
    low, high = cell.bounding_box()
    if max(map(abs, (*low, *high))) * 1000 / frame.dbu_nm > _MAX_DATABASE_UNITS:
        raise FabsightError(f"{path}: the layout is too large for GDSII's 32 bits: write OASIS")
    library.write_gds(path, max_points=8190, timestamp=_TIMESTAMP)


def read_program(
    path: Path,
    kind: Kind,
    layers: LayerMap = LAYERS,
    cell: str = "",
    nm_per_px: float | None = None,
) -> Program:
    """The program in a GDSII or OASIS file, canonical.

    Args:
        path: The file.
        kind: GDSII or OASIS.
        layers: Which layers are metal and via. A file that has neither but one layer is metal.
        cell: Which cell, where the file has several top cells.
        nm_per_px: Pixel size for a file from elsewhere; without it 1 nm, or the next 1-2-5 step
            at which the canvas, the bounding box of the shapes, has at most 8192 px a side.

    Raises:
        FabsightError: The file cannot be read, or holds nothing on these layers.
    """
    layout = read_layout(path, kind, cell)
    header = _header(layout, layers) if nm_per_px is None else None
    if header is not None:
        width, height, frame, outline = header
        outlines = [o for o in layout.outlines if o is not outline]
        fields, unmatched = _matching_fields(layout.fields, frame, layers)
        commands, edited = _matching(outlines + unmatched, frame, layers)
        commands += fields
        paths = layout.paths
    else:
        edited = [*layout.outlines, *(o for f in layout.fields for o in _written_out(f))]
        edited, paths = _chosen(path, edited, layout.paths, layers)
        width, height, frame = _foreign_frame(path, edited, paths, nm_per_px)
        commands = []
    commands += [_wire(p, frame) for p in paths]
    commands += [_shape(outline, frame, layers) for outline in edited]
    return canonical(Program(width, height, tuple(commands)))


def _own_frame(height: int, nm_per_px: float | None) -> _Frame:
    scale, dbu_nm = (1.0, DBU_PX) if nm_per_px is None else (nm_per_px, DBU_NM)
    return _Frame(scale, 0.0, height * scale, dbu_nm)


def _canvas_outline(
    program: Program, nm_per_px: float | None, frame: _Frame, layers: LayerMap
) -> Outline:
    w, h = program.width, program.height
    scale = "unknown, 1 px is written as 1 nm" if nm_per_px is None else repr(float(nm_per_px))
    text = f"{CONVENTIONS} CANVAS {w} {h} nm_per_px {scale}"
    corners = np.array([(0, 0), (w, 0), (w, h), (0, h)], float)
    return Outline(layers.canvas, text, frame.units(corners))


def _outlines(shape: Shape, frame: _Frame, layers: LayerMap) -> list[Outline]:
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


def _repeated(gdstk: Any, cell: Any, array: Array, kind: Kind, frame: _Frame) -> Any:
    """Gdstk's reference to a cell at the places of an array."""
    columns, rows = array.nx, array.ny
    if kind == "gds":  # rounds where the last one stands, not the step
        spacing = (np.array([array.dx, -array.dy]) * frame.nm_per_px / 1000).tolist()
        return gdstk.Reference(cell, columns=columns, rows=rows, spacing=tuple(spacing))
    # OASIS would round the step itself, and a long row would drift: name the places
    places = np.rint(_places(array, frame) / frame.dbu_nm) * (frame.dbu_nm / 1000)
    reference = gdstk.Reference(cell)
    reference.repetition = gdstk.Repetition(offsets=places[1:].tolist())
    return reference


def _places(array: Array, frame: _Frame) -> Points:
    """Where the copies of an array stand, in nm from the first, row 0 of the result."""
    steps = np.array([(i, -j) for i in range(array.nx) for j in range(array.ny)], float)
    return steps * [array.dx, array.dy] * frame.nm_per_px


def _marked(gdstk: Any, outline: Outline, frame: _Frame) -> Any:
    """Gdstk's polygon of an outline in database units."""
    layer, datatype = outline.layer
    points = outline.points * (frame.dbu_nm / 1000)
    return _with_text(gdstk.Polygon(points, layer=layer, datatype=datatype), outline.text)


def _with_text(element: Any, text: str) -> Any:
    for number, piece in pieces(text):
        element.set_gds_property(number, piece)
    return element


def _header(layout: Layout, layers: LayerMap) -> tuple[int, int, _Frame, Outline] | None:
    """Canvas and frame of a file of ours, None where there are none or the canvas was edited."""
    for outline in layout.outlines:
        words = outline.text.split()
        if words[:2] != [CONVENTIONS, "CANVAS"] or len(words) < 6:
            continue
        try:
            scale = None if words[5].startswith("unknown") else float(words[5])
            program = parse(" ".join(words[1:4]))
        except ValueError:
            continue
        if scale is not None and not (math.isfinite(scale) and scale > 0):
            continue
        frame = _own_frame(program.height, scale)
        expected = _canvas_outline(program, scale, frame, layers)
        if _ring(expected.points) == _ring(np.rint(outline.points / frame.dbu_nm)):
            return program.width, program.height, frame, outline
    return None


def _matching(
    outlines: list[Outline], frame: _Frame, layers: LayerMap
) -> tuple[list[Command], list[Outline]]:
    """The commands whose outlines are in the file unchanged, and the outlines of no command."""
    by_text: dict[str, list[Outline]] = defaultdict(list)
    for outline in outlines:
        by_text[outline.text].append(outline)
    commands: list[Command] = []
    edited: list[Outline] = []
    for text, group in by_text.items():
        command = _command(text)
        if isinstance(command, Wire | Via | Poly) and _same([command], group, frame, layers):
            commands.append(command)
        else:
            edited += group
    return commands, edited


def _matching_fields(
    fields: tuple[Field, ...], frame: _Frame, layers: LayerMap
) -> tuple[list[Command], list[Outline]]:
    """The ARRAY commands whose cell and places are unchanged, and the other fields' outlines."""
    commands: list[Command] = []
    edited: list[Outline] = []
    for field in fields:
        command = _command(field.text)
        if isinstance(command, Array) and len(field.offsets) == command.nx * command.ny:
            apart = np.abs(_places(command, frame) - field.offsets).max()
            outlines = list(field.outlines)
            if apart <= 1.5 * frame.dbu_nm and _same(command.commands, outlines, frame, layers):
                commands.append(command)
                continue
        edited += _written_out(field)
    return commands, edited


def _command(text: str) -> Command | None:
    """The command of a property's text, None when it is none."""
    try:
        (command,) = parse(f"CANVAS 1 1\n{text}").commands
    except (AnswerError, ValueError):
        return None
    return command


def _same(
    shapes: list[Shape] | tuple[Shape, ...], found: list[Outline], frame: _Frame, layers: LayerMap
) -> bool:
    expected = [o for shape in shapes for o in _outlines(shape, frame, layers)]
    a = sorted((o.layer, _ring(o.points)) for o in expected)
    return a == sorted((o.layer, _ring(np.rint(o.points / frame.dbu_nm))) for o in found)


def _ring(points: np.ndarray) -> _Ring:
    """The corners from the smallest one, in the direction of its smaller neighbour."""
    corners = [(int(x), int(y)) for x, y in points]
    begin = corners.index(min(corners))
    turned = corners[begin:] + corners[:begin]
    return tuple(min(turned, turned[:1] + turned[:0:-1]))


def _written_out(field: Field) -> list[Outline]:
    return [
        Outline(outline.layer, "", outline.points + offset)
        for offset in field.offsets
        for outline in field.outlines
    ]


def _chosen(
    path: Path, outlines: list[Outline], paths: tuple[Path2D, ...], layers: LayerMap
) -> tuple[list[Outline], tuple[Path2D, ...]]:
    """What lies on the metal and via layers, or on the only layer there is."""
    present = sorted({o.layer for o in outlines} | {p.layer for p in paths})
    if not present:
        raise FabsightError(f"{path}: the cell has no shapes")
    wanted = {layers.metal, layers.via} & set(present) or set(present)
    if wanted.isdisjoint({layers.metal, layers.via}) and len(present) > 1:
        raise FabsightError(
            f"{path}: nothing on metal {layers.metal} or via {layers.via}, but on "
            f"{', '.join(map(str, present))}: say which with layers=LayerMap(metal=..., via=...)"
        )
    return [o for o in outlines if o.layer in wanted], tuple(p for p in paths if p.layer in wanted)


def _foreign_frame(
    path: Path, outlines: list[Outline], paths: tuple[Path2D, ...], nm_per_px: float | None
) -> tuple[int, int, _Frame]:
    """Width and height of the canvas about all shapes in px, and the frame."""
    corners = [o.points for o in outlines]
    for p in paths:
        corners += [p.spine - p.width / 2, p.spine + p.width / 2]
    everything = np.concatenate(corners)
    low, high = everything.min(0), everything.max(0)
    size_nm = float(max(high - low))
    if not math.isfinite(size_nm) or size_nm <= 0:
        raise FabsightError(f"{path}: the shapes have no area")
    scale = nm_per_px
    if scale is None:
        steps = (m * 10.0**e for e in range(30) for m in (1, 2, 5))
        scale = next(step for step in steps if size_nm / step <= AUTOMATIC_CANVAS_PX)
    width, height = (max(math.ceil(side / scale - 1e-6), 1) for side in (high - low).tolist())
    if max(width, height) > MAX_CANVAS_PX:
        raise FabsightError(
            f"{path}: at {scale:g} nm per px the layout is {width} x {height} px, "
            f"at most {MAX_CANVAS_PX} a side: give a larger nm_per_px"
        )
    return width, height, _Frame(scale, float(low[0]), float(high[1]), DBU_NM)


def _wire(path: Path2D, frame: _Frame) -> Wire:
    spine = frame.px(path.spine).round(2)
    steps = np.diff(spine, axis=0).tolist()
    runs = (Run("H", dx, 0.0) if abs(dx) > abs(dy) else Run("V", 0.0, dy) for dx, dy in steps)
    x, y = spine[0].tolist()
    return Wire(x, y, path.width / frame.nm_per_px, NO_CAP, NO_CAP, tuple(runs))


def _shape(outline: Outline, frame: _Frame, layers: LayerMap) -> Shape:
    """A via where a near-circle lies on the via layer, else a polygon."""
    points = frame.px(outline.points)
    if outline.layer == layers.via and len(points) >= 8:
        middle = (points.min(0) + points.max(0)) / 2
        radii = np.hypot(*(points - middle).T)
        x, y = points.T
        area = abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2
        r = math.sqrt(area / math.pi)
        # a regular polygon of 8 corners has 0.90 of its circle's area: radii are 5 % larger than r
        if np.std(radii) <= 0.025 * r + 0.05 and abs(radii.mean() - r) <= 0.06 * r:
            return Via(float(middle[0]), float(middle[1]), r)
    return Poly(tuple((x, y) for x, y in points.tolist()))

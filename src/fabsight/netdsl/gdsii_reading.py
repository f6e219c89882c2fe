"""Programs from GDSII and OASIS: our own files exactly, others by their geometry.

A polygon that still is what the command in its property draws is that command. One that was edited
since, or was made elsewhere, is read as what it is: rectangles and axis-parallel paths become
wires, near-circles on the via layer vias, everything else POLY.
"""

import math
from collections import defaultdict
from pathlib import Path
from typing import TypeAlias

import numpy as np

from fabsight.netdsl.canonical import canonical
from fabsight.netdsl.gdsfile import Field, Kind, Layout, Outline, Path2D, read_layout
from fabsight.netdsl.gdsii import (
    LAYERS,
    MAX_DBU_NM,
    MAX_NM_PER_PX,
    MIN_NM_PER_PX,
    Frame,
    LayerMap,
    array_places,
    canvas_outline,
    check_scale,
    own_frame,
    shape_outlines,
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
)
from fabsight.netdsl.rendering import CONVENTIONS
from fabsight.task import FabsightError

AUTOMATIC_CANVAS_PX = 8192  # a layout from elsewhere is scaled to fit, unless its scale is given
_Ring: TypeAlias = tuple[tuple[int, int], ...]


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
    check_scale(path, nm_per_px)
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


def _header(layout: Layout, layers: LayerMap) -> tuple[int, int, Frame, Outline] | None:
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
        if scale is not None and not MIN_NM_PER_PX <= scale <= MAX_NM_PER_PX:
            continue
        frame = own_frame(program.height, scale)
        expected = canvas_outline(program, scale, frame, layers)
        if _ring(expected.points) == _ring(np.rint(outline.points / frame.dbu_nm)):
            return program.width, program.height, frame, outline
    return None


def _matching(
    outlines: list[Outline], frame: Frame, layers: LayerMap
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
    fields: tuple[Field, ...], frame: Frame, layers: LayerMap
) -> tuple[list[Command], list[Outline]]:
    """The ARRAY commands whose cell and places are unchanged, and the other fields' outlines."""
    commands: list[Command] = []
    edited: list[Outline] = []
    for field in fields:
        command = _command(field.text)
        if isinstance(command, Array) and len(field.offsets) == command.nx * command.ny:
            apart = np.abs(array_places(command, frame) - field.offsets).max()
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
    except ValueError:
        return None
    return command


def _same(
    shapes: list[Shape] | tuple[Shape, ...], found: list[Outline], frame: Frame, layers: LayerMap
) -> bool:
    expected = [o for shape in shapes for o in shape_outlines(shape, frame, layers)]
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
) -> tuple[int, int, Frame]:
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
    return width, height, Frame(scale, float(low[0]), float(high[1]), MAX_DBU_NM)


def _wire(path: Path2D, frame: Frame) -> Wire:
    spine = frame.px(path.spine).round(2)
    steps = np.diff(spine, axis=0).tolist()
    runs = (Run("H", dx, 0.0) if abs(dx) > abs(dy) else Run("V", 0.0, dy) for dx, dy in steps)
    x, y = spine[0].tolist()
    return Wire(x, y, path.width / frame.nm_per_px, NO_CAP, NO_CAP, tuple(runs))


def _shape(outline: Outline, frame: Frame, layers: LayerMap) -> Shape:
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

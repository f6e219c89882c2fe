"""Programs from GDSII and OASIS: our own files exactly, others by their geometry.

A polygon that still is what the command in its property draws is that command. One that was edited
since, or was made elsewhere, is read as what it is (`gdsii_geometry`).
"""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from fabsight.netdsl.canonical import canonical
from fabsight.netdsl.gdsfile import Field, Kind, Layout, Outline, read_layout
from fabsight.netdsl.gdsii import (
    LAYERS,
    MAX_NM_PER_PX,
    MIN_NM_PER_PX,
    UNKNOWN_SCALE,
    Frame,
    LayerMap,
    array_places,
    canvas_outline,
    check_scale,
    own_frame,
    shape_outlines,
)
from fabsight.netdsl.gdsii_geometry import (
    Drawn,
    commands_of,
    on_layers,
    outside,
    read_geometry,
    written_out,
)
from fabsight.netdsl.language import (
    Array,
    Command,
    Poly,
    Program,
    Shape,
    Via,
    Wire,
    command_of,
    parse,
)
from fabsight.netdsl.rendering import CONVENTIONS
from fabsight.task import Imported

_Ring: TypeAlias = tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class _Header:
    """What the canvas outline of a file of ours says; the pixel size is None where unknown."""

    width: int
    height: int
    nm_per_px: float | None
    frame: Frame
    outline: Outline


def read_program(
    path: Path,
    kind: Kind,
    layers: LayerMap = LAYERS,
    cell: str = "",
    nm_per_px: float | None = None,
) -> Imported[Program]:
    """The program in a GDSII or OASIS file, canonical, with its pixel size: lengths in nm stay.

    Args:
        path: The file.
        kind: GDSII or OASIS.
        layers: Which layers are metal and via. A file that has neither but one layer is metal.
        cell: Which cell, where the file has several top cells.
        nm_per_px: Pixel size to read at. Without it that of the image which a file of ours is
            about; for a file from elsewhere 1 nm, or the next 1-2-5 step at which the canvas, the
            bounding box of the shapes, has at most 8192 px a side.

    Raises:
        FabsightError: The file cannot be read, or holds nothing on these layers.
    """
    check_scale(path, nm_per_px)
    layout = read_layout(path, kind, cell)
    header = _header(layout, layers)
    if header is None:
        drawn = Drawn(written_out(layout), layout.paths)
        return read_geometry(path, drawn, layers, nm_per_px, layout.notes)
    if header.nm_per_px is None or nm_per_px in (None, header.nm_per_px):
        return _own(layout, header, layers, nm_per_px)
    outlines = [o for o in written_out(layout) if o is not header.outline]
    drawn = Drawn(outlines, layout.paths, header.outline)
    return read_geometry(path, drawn, layers, nm_per_px, layout.notes)


def _own(
    layout: Layout, header: _Header, layers: LayerMap, nm_per_px: float | None
) -> Imported[Program]:
    """The program of a file of ours, at the pixel size that the file or the person says."""
    frame = header.frame
    outlines = [o for o in layout.outlines if o is not header.outline]
    fields, unmatched = _matching_fields(layout.fields, frame, layers)
    commands, edited = _matching(outlines + unmatched, frame, layers)
    drawn, notes = on_layers(Drawn(edited, layout.paths), {layers.metal, layers.via})
    reaching = outside(drawn, frame, (header.width, header.height))
    if reaching:
        notes.append(
            f"{reaching} shapes reach out of the canvas of {header.width} x {header.height} px: "
            "what lies outside is cut off"
        )
    commands += fields + commands_of(drawn, frame, layers)
    source = UNKNOWN_SCALE if header.nm_per_px is None else "canvas outline of the layout file"
    return Imported(
        canonical(Program(header.width, header.height, tuple(commands))),
        nm_per_px or header.nm_per_px,
        "user" if nm_per_px else source,
        (*layout.notes, *notes),
    )


def _header(layout: Layout, layers: LayerMap) -> _Header | None:
    """Canvas and scale of a file of ours, None where there are none or the canvas was edited."""
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
            return _Header(program.width, program.height, scale, frame, outline)
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
        command = command_of(text)
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
        command = command_of(field.text)
        if isinstance(command, Array) and len(field.offsets) == command.nx * command.ny:
            apart = np.abs(array_places(command, frame) - field.offsets).max()
            outlines = list(field.outlines)
            if apart <= 1.5 * frame.dbu_nm and _same(command.commands, outlines, frame, layers):
                commands.append(command)
                continue
        edited += field.copies()
    return commands, edited


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

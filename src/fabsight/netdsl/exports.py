"""Programs as files for other tools, and back: text, GDSII, OASIS, SVG, PNG.

Every writer has the shape of `Task.exports`: (question, program, path). The pixel size is the one
that the person gave, else that of the question's first image. A file appears whole or not at all.
Every reader has the shape of `Task.imports`: (path, settings); the pixel size in the settings wins
over what the file says.
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import TypeAlias

from fabsight.files import read_text, replacing
from fabsight.netdsl.gdsfile import Kind
from fabsight.netdsl.gdsii import UNKNOWN_SCALE, LayerMap, check_scale, write_layout
from fabsight.netdsl.gdsii_reading import read_program
from fabsight.netdsl.language import Program, parse, write
from fabsight.netdsl.rendering import render
from fabsight.netdsl.settings import LayoutSettings, scale_of
from fabsight.netdsl.svg import svg_text
from fabsight.netdsl.svg_reading import read_svg
from fabsight.task import AnswerError, FabsightError, Imported, Question

MAX_LAYER = 32767
LayoutQuestion: TypeAlias = Question[LayoutSettings]


def export_text(_question: LayoutQuestion, program: Program, path: Path) -> None:
    """Write the canonical NetDSL-L2 text."""
    with replacing(path) as part:
        part.write_text(write(program) + "\n", encoding="ascii")


def export_gds(question: LayoutQuestion, program: Program, path: Path) -> None:
    """Write GDSII; see `gdsii` for units and cells, the settings for layers."""
    layers = layer_map(question.context)
    write_layout(program, path, "gds", scale_of(question).nm_per_px, layers)


def export_oas(question: LayoutQuestion, program: Program, path: Path) -> None:
    """Write OASIS; see `gdsii` for units and cells, the settings for layers."""
    layers = layer_map(question.context)
    write_layout(program, path, "oas", scale_of(question).nm_per_px, layers)


def export_svg(
    question: LayoutQuestion, program: Program, path: Path, background: bool = False
) -> None:
    """Write SVG in px; `background` puts the question's first image below the layout."""
    picture = _data_uri(question) if background and question.images else ""
    with replacing(path) as part:
        text = svg_text(program, scale_of(question).nm_per_px, picture)
        part.write_text(text, encoding="utf-8")


def export_png(_question: LayoutQuestion, program: Program, path: Path) -> None:
    """Write the mask, 8-bit grey: 255 where there is metal or via, else 0."""
    from PIL import Image

    with replacing(path) as part:
        Image.fromarray(render(program) * 255).save(part, format="PNG")


def import_text(path: Path, settings: LayoutSettings) -> Imported[Program]:
    """The program in a text file; AnswerError names line and column. Texts have no scale."""
    nm_per_px = _said(path, settings)
    text = read_text(path)
    try:
        program = parse(text)
    except AnswerError as error:
        raise AnswerError(f"{path}: {error}", error.line, error.column) from error
    return Imported(program, nm_per_px, "user" if nm_per_px else UNKNOWN_SCALE)


def import_gds(path: Path, settings: LayoutSettings) -> Imported[Program]:
    """The program in a GDSII file: layers, cell and pixel size as the settings say."""
    return _import_layout(path, "gds", settings)


def import_oas(path: Path, settings: LayoutSettings) -> Imported[Program]:
    """The program in an OASIS file: layers, cell and pixel size as the settings say."""
    return _import_layout(path, "oas", settings)


def import_svg(path: Path, settings: LayoutSettings) -> Imported[Program]:
    """The program in an SVG file. Its numbers are px: the pixel size only says how large one is."""
    nm_per_px = _said(path, settings)
    read = read_svg(path)
    check_scale(path, read.nm_per_px)
    if nm_per_px is not None:
        return replace(read, nm_per_px=nm_per_px, scale_source="user")
    return read if read.nm_per_px else replace(read, scale_source=UNKNOWN_SCALE)


EXPORTS: Mapping[str, Callable[[LayoutQuestion, Program, Path], None]] = {
    "netdsl": export_text,
    "gds": export_gds,
    "oas": export_oas,
    "svg": export_svg,
    "png": export_png,
}
IMPORTS: Mapping[str, Callable[[Path, LayoutSettings], Imported[Program]]] = {
    "netdsl": import_text,
    "gds": import_gds,
    "oas": import_oas,
    "svg": import_svg,
}


def layer_map(settings: LayoutSettings) -> LayerMap:
    """The layers of the settings; the canvas outline takes the first of layer 0 that is free.

    Raises FabsightError where metal and vias are one layer, or a number is none of GDSII's.
    """
    metal, via = settings.metal_layer, settings.via_layer
    if metal == via or not all(0 <= number <= MAX_LAYER for number in (*metal, *via)):
        raise FabsightError(
            f"netdsl: metal_layer={metal} and via_layer={via}: give two different pairs of layer "
            f"and datatype, each from 0 to {MAX_LAYER}, as in --metal-layer 10,0"
        )
    return LayerMap(metal, via, next((0, n) for n in range(3) if (0, n) not in (metal, via)))


def _import_layout(path: Path, kind: Kind, settings: LayoutSettings) -> Imported[Program]:
    nm_per_px = _said(path, settings)
    return read_program(path, kind, layer_map(settings), settings.cell, nm_per_px)


def _said(path: Path, settings: LayoutSettings) -> float | None:
    """The pixel size that the person gave, None without one; FabsightError where it is none."""
    nm_per_px = settings.nm_per_px or None
    check_scale(path, nm_per_px)
    return nm_per_px


def _data_uri(question: LayoutQuestion) -> str:
    """The question's first image as an 8-bit PNG in a data URI."""
    from PIL import Image

    from fabsight.images import to_8bit

    buffer = BytesIO()
    Image.fromarray(to_8bit(question.images[0])).save(buffer, format="PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"

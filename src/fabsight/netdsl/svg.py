"""Programs to SVG: one element a command, vias in a group of their own.

A wire of one run is a rect, a via a circle, everything else a path; an ARRAY is a group. Each
carries its NetDSL command as `data-netdsl`. `svg_reading` reads them back.
"""

from typing import TypeAlias
from xml.sax.saxutils import quoteattr

from fabsight.netdsl.canonical import canonical
from fabsight.netdsl.language import Array, Command, Poly, Program, Shape, Via, text_of
from fabsight.netdsl.rendering import CONVENTIONS, Box, Primitive, primitives

COLOURS = {"metal": "#e0a030", "via": "#c0392b"}
COMMAND = "data-netdsl"
SCALE = "data-nm-per-px"
GEOMETRY = {
    "rect": ("x", "y", "width", "height"),
    "circle": ("cx", "cy", "r"),
    "path": ("d",),
    "polygon": ("points",),
}
Drawn: TypeAlias = tuple[str, dict[str, str]]  # an element's name and geometry attributes


def svg_text(program: Program, nm_per_px: float | None = None, background: str = "") -> str:
    r"""The SVG document of a program, canonical, one line an element.

    Args:
        program: What to draw.
        nm_per_px: Written as `data-nm-per-px` where it is known.
        background: Address of a picture drawn below the layout, "" for none; a data URI keeps
            the file in one piece.

    >>> print(svg_text(Program(8, 8, (Via(4.0, 4.0, 2.0),))).splitlines()[4])
    <circle cx="4" cy="4" r="2" data-netdsl="VIA 4 4 2"/>
    """
    program = canonical(program)
    w, h = program.width, program.height
    scale = f' {SCALE}="{float(nm_per_px)!r}"' if nm_per_px is not None else ""
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}" '
        f'viewBox="0 0 {w} {h}" {COMMAND}="{CONVENTIONS}"{scale}>'
    ]
    if background:
        lines.append(f'<image width="{w}" height="{h}" href={quoteattr(background)}/>')
    for layer, colour in COLOURS.items():
        lines.append(f'<g id="{layer}" fill="{colour}" fill-opacity="0.7">')
        for command in program.commands:
            lines += _lines(command, layer == "via")
        lines.append("</g>")
    return "\n".join([*lines, "</svg>", ""])


def _lines(command: Command, via: bool) -> list[str]:
    """The elements of a command on one of the two layers."""
    shapes = command.commands if isinstance(command, Array) else (command,)
    if not any(isinstance(shape, Via) == via for shape in shapes):
        return []
    if not isinstance(command, Array):
        return [_element(command, text_of(command))]
    copies = Program(1, 1, (command,)).shapes
    inner = [_element(shape) for shape in copies if isinstance(shape, Via) == via]
    return [f'<g {COMMAND}="{text_of(command)}">', *inner, "</g>"]


def _element(shape: Shape, text: str = "") -> str:
    name, attributes = drawing(shape)
    if text:
        attributes[COMMAND] = text
    if name == "path":
        attributes["fill-rule"] = fill_rule(shape)
    return " ".join([f"<{name}", *(f'{key}="{value}"' for key, value in attributes.items())]) + "/>"


def fill_rule(shape: Shape) -> str:
    """How a shape is filled that is written as a path."""
    return "evenodd" if isinstance(shape, Poly) else "nonzero"


def drawing(shape: Shape) -> Drawn:
    """Element name and geometry attributes of a shape."""
    parts = list(primitives(shape))
    match parts:
        case [Box(x0, y0, x1, y1)]:
            values = dict(zip(GEOMETRY["rect"], (x0, y0, x1 - x0, y1 - y0), strict=True))
            return "rect", {key: _number(value) for key, value in values.items()}
        case [Via(x, y, r)]:
            return "circle", {"cx": _number(x), "cy": _number(y), "r": _number(r)}
    return "path", {"d": " ".join(map(_subpath, parts))}


def _subpath(part: Primitive) -> str:
    """One closed subpath, all in one direction so that overlaps stay filled."""
    match part:
        case Via(x, y, r):
            left, right, radius = (_number(v) for v in (x - r, x + r, r))
            arc = f"A{radius} {radius} 0 1 1"
            return f"M{left} {_number(y)}{arc} {right} {_number(y)}{arc} {left} {_number(y)}Z"
        case Box(x0, y0, x1, y1):
            points: tuple[tuple[float, float], ...] = ((x0, y0), (x1, y0), (x1, y1), (x0, y1))
        case Poly(points):
            turned = (*points[1:], points[0])
            area = sum(a[0] * b[1] - a[1] * b[0] for a, b in zip(points, turned, strict=True))
            points = points if area >= 0 else points[::-1]
    return "M" + "L".join(f"{_number(x)} {_number(y)}" for x, y in points) + "Z"


def _number(value: float) -> str:
    """Four decimals at most: a width of two gives edges of three."""
    text = f"{value:.4f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text

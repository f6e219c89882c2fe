"""Programs to SVG, and back: one element a command, vias in a group of their own.

A wire of one run is a rect, a via a circle, everything else a path; an ARRAY is a group. Each
carries its NetDSL command as `data-netdsl`. Read back, an element whose geometry still says the
same as its command is that command; one that was moved or reshaped in a drawing program is read
as the rect, circle or polygon it is now. Nothing is skipped quietly: what cannot be read is an
error with its line.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from fabsight.netdsl.canonical import canonical
from fabsight.netdsl.language import (
    MAX_COORDINATE_PX,
    Array,
    Command,
    Poly,
    Program,
    Shape,
    Via,
    parse,
    text_of,
)
from fabsight.netdsl.rendering import CONVENTIONS, Box, Primitive, primitives
from fabsight.task import AnswerError, FabsightError, Imported

MAX_FILE_BYTES = 64_000_000
COLOURS = {"metal": "#e0a030", "via": "#c0392b"}
_DRAWN = {"rect", "circle", "path", "polygon"}
_IGNORED = {"image", "title", "desc", "metadata", "namedview", "defs", "style"}
_GEOMETRY = {
    "rect": ("x", "y", "width", "height"),
    "circle": ("cx", "cy", "r"),
    "path": ("d",),
    "polygon": ("points",),
}
_PATH_NUMBERS = {"M": 2, "m": 2, "L": 2, "l": 2, "H": 1, "h": 1, "V": 1, "v": 1, "Z": 0, "z": 0}
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_PATH_WORD = re.compile(rf"[A-Za-z]|{_NUMBER.pattern}")
_SCALE = "data-nm-per-px"


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
    scale = f' {_SCALE}="{float(nm_per_px)!r}"' if nm_per_px is not None else ""
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}" '
        f'viewBox="0 0 {w} {h}" data-netdsl="{CONVENTIONS}"{scale}>'
    ]
    if background:
        lines.append(f'<image width="{w}" height="{h}" href={quoteattr(background)}/>')
    for layer, colour in COLOURS.items():
        lines.append(f'<g id="{layer}" fill="{colour}" fill-opacity="0.7">')
        for command in program.commands:
            lines += _lines(command, layer == "via")
        lines.append("</g>")
    return "\n".join([*lines, "</svg>", ""])


def read_svg(path: Path) -> Imported[Program]:
    """The program in an SVG file, canonical, and its pixel size; the canvas is the view box.

    Raises:
        FabsightError: The file is no SVG, or holds what cannot be read, with the line.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise FabsightError(f"{path}: larger than {MAX_FILE_BYTES >> 20} MiB: split the layout")
        data = path.read_bytes()
    except OSError as error:
        raise FabsightError(f"{path}: cannot be read: {error.strerror}") from error
    reader = _Reader(path, expat.ParserCreate())
    reader.parser.StartDoctypeDeclHandler = reader.doctype
    reader.parser.StartElementHandler = reader.start
    reader.parser.EndElementHandler = reader.end
    try:
        reader.parser.Parse(data, True)
    except expat.ExpatError as error:
        raise FabsightError(f"{path}: is no SVG: {error}") from error
    width, height = reader.size
    program = canonical(Program(width, height, tuple(reader.commands)))
    source = "" if reader.nm_per_px is None else f"{_SCALE} of the SVG file"
    return Imported(program, reader.nm_per_px, source)


def _lines(command: Command, via: bool) -> list[str]:
    """The elements of a command on one of the two layers."""
    shapes = command.commands if isinstance(command, Array) else (command,)
    if not any(isinstance(shape, Via) == via for shape in shapes):
        return []
    if not isinstance(command, Array):
        return [_element(command, text_of(command))]
    copies = Program(1, 1, (command,)).shapes
    inner = [_element(shape) for shape in copies if isinstance(shape, Via) == via]
    return [f'<g data-netdsl="{text_of(command)}">', *inner, "</g>"]


def _element(shape: Shape, text: str = "") -> str:
    name, attributes = _drawing(shape)
    if text:
        attributes["data-netdsl"] = text
    if name == "path":
        attributes["fill-rule"] = "evenodd" if isinstance(shape, Poly) else "nonzero"
    return " ".join([f"<{name}", *(f'{key}="{value}"' for key, value in attributes.items())]) + "/>"


def _drawing(shape: Shape) -> tuple[str, dict[str, str]]:
    """Element name and geometry attributes of a shape."""
    parts = list(primitives(shape))
    match parts:
        case [Box(x0, y0, x1, y1)]:
            values = dict(zip(_GEOMETRY["rect"], (x0, y0, x1 - x0, y1 - y0), strict=True))
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


@dataclass
class _Reader:
    """What was read of a document so far."""

    path: Path
    parser: expat.XMLParserType
    size: tuple[int, int] = (0, 0)
    nm_per_px: float | None = None
    commands: list[Command] = field(default_factory=list)
    ignored: int = 0  # how deep inside an ignored element
    array: str = ""  # text of the array group that is open
    copies: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)

    def fail(self, rule: str) -> FabsightError:
        return FabsightError(f"{self.path}, line {self.parser.CurrentLineNumber}: {rule}")

    def doctype(self, *_: object) -> None:
        raise self.fail("a document type is not read: remove the <!DOCTYPE> line")

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(":")[2]
        if self.ignored or name in _IGNORED:
            self.ignored += 1
            return
        if "transform" in attributes:
            raise self.fail(f"<{name}> has a transform: apply it to the shapes first")
        if not any(self.size):
            self.size = self._canvas(name, attributes)
            self.nm_per_px = self._scale(attributes.get(_SCALE, ""))
        elif name == "g":
            if attributes.get("data-netdsl", "").startswith("ARRAY"):
                self.array, self.copies = attributes["data-netdsl"], []
        elif name in _DRAWN:
            self._shape(name, attributes)
        else:
            raise self.fail(f"<{name}> is not read, only {', '.join(sorted(_DRAWN))}")

    def end(self, tag: str) -> None:
        if self.ignored:
            self.ignored -= 1
        elif self.array and tag.rpartition(":")[2] == "g":
            self._close_array()

    def _canvas(self, name: str, attributes: Mapping[str, str]) -> tuple[int, int]:
        box = re.split(r"[\s,]+", attributes.get("viewBox", "").strip())
        if name != "svg" or len(box) != 4 or box[:2] != ["0", "0"]:
            raise self.fail('expected <svg ... viewBox="0 0 width height"> in whole px')
        try:
            program = parse(f"CANVAS {box[2]} {box[3]}")
        except AnswerError as error:
            raise self.fail(f"the view box is no canvas: {error}") from error
        return program.width, program.height

    def _scale(self, text: str) -> float | None:
        """The pixel size in nm, None where the file does not say."""
        if text and not _NUMBER.fullmatch(text):
            raise self.fail(f"{_SCALE}={text[:40]!r} is no number of nm: correct or remove it")
        return float(text) if text else None

    def _shape(self, name: str, attributes: Mapping[str, str]) -> None:
        command = _command(attributes.get("data-netdsl", ""))
        values = tuple(attributes.get(key, "0") for key in _GEOMETRY[name])
        if self.array:
            self.copies.append((name, values))
            return
        if command is not None and not isinstance(command, Array):
            drawn, expected = _drawing(command)
            if (drawn, tuple(expected.values())) == (name, values):
                self.commands.append(command)
                return
        self.commands += self._geometry(name, values)

    def _close_array(self) -> None:
        command = _command(self.array)
        expected: list[tuple[str, tuple[str, ...]]] = []
        if isinstance(command, Array):
            for shape in Program(1, 1, (command,)).shapes:
                drawn, values = _drawing(shape)
                expected.append((drawn, tuple(values.values())))
        for via in (True, False):  # a group holds the array's vias or its metal
            if self.copies == [e for e in expected if (e[0] == "circle") == via]:
                assert command is not None
                self.commands.append(command)
                break
        else:
            for name, values_ in self.copies:
                self.commands += self._geometry(name, values_)
        self.array = ""

    def _geometry(self, name: str, values: tuple[str, ...]) -> Iterator[Command]:
        """The shapes that an element draws, whatever it once was."""
        try:
            if name == "rect":
                x, y, w, h = map(_coordinate, values)
                yield Poly(((x, y), (x + w, y), (x + w, y + h), (x, y + h)))
            elif name == "circle":
                x, y, r = map(_coordinate, values)
                yield Via(x, y, r)
            elif name == "polygon":
                yield from _polygons("M" + values[0] + "Z")
            else:
                yield from _polygons(values[0])
        except ValueError as error:
            raise self.fail(f"<{name}>: {error}") from error


def _coordinate(text: str) -> float:
    """A number within the canvas' reach; ValueError for any other."""
    value = float(text)
    if not abs(value) <= MAX_COORDINATE_PX:
        raise ValueError(f"{text} is over {MAX_COORDINATE_PX:.0f} px")
    return value


def _command(text: str) -> Command | None:
    """The command of a `data-netdsl` attribute, None when it is none."""
    try:
        (command,) = parse(f"CANVAS 1 1\n{text}").commands
    except ValueError:
        return None
    return command


def _polygons(d: str) -> Iterator[Poly]:
    """The polygons of path data with straight lines; ValueError for anything else."""
    points: list[tuple[float, float]] = []
    x, y = 0.0, 0.0
    for command, numbers in _steps(d):
        if command in "ZzMm":
            if len(points) >= 3:
                yield Poly(tuple(points))  # an open subpath is closed by its fill
            if command in "Zz":
                x, y = points[0] if points else (x, y)
            points = []
        if command in "Zz":
            continue
        left, top = (x, y) if command.islower() else (0.0, 0.0)
        x = left + numbers[0] if command not in "Vv" else x
        y = top + numbers[-1] if command not in "Hh" else y
        points.append((x, y))
    if len(points) >= 3:
        yield Poly(tuple(points))


def _steps(d: str) -> Iterator[tuple[str, list[float]]]:
    """Path commands with the numbers of one step; a repeated M is an L, as SVG says."""
    words = _PATH_WORD.findall(d)
    if _PATH_WORD.sub("", d).strip(" ,\t\r\n"):
        raise ValueError(f"cannot read the path data {d[:40]!r}")
    command, index = "", 0
    while index < len(words):
        if words[index].isalpha():
            command, index = words[index], index + 1
        else:
            command = {"M": "L", "m": "l", "Z": "", "z": ""}.get(command, command)
        if command not in _PATH_NUMBERS:
            raise ValueError(f"path command {command!r} is not read, only M L H V Z")
        count = _PATH_NUMBERS[command]
        numbers = [_coordinate(word) for word in words[index : index + count]]
        if len(numbers) != count:
            raise ValueError(f"path command {command!r} lacks a number")
        yield command, numbers
        index += count

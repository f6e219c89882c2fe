"""Programs from SVG files: our own, also after a drawing program, and others of plain shapes.

An element whose geometry still says the same as its `data-netdsl` is that command; one that was
moved or reshaped is read as the rect, circle or polygon it is now. An ARRAY, written as a group of
metal and one of vias, is that command as long as all of its groups are as they were written.

What is filled is metal or via. What is hidden is left out and strokes about fills are ignored, both
with a warning; what would be read otherwise than it is drawn is an error with its line.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias
from xml.parsers import expat

from fabsight.netdsl.canonical import canonical
from fabsight.netdsl.language import (
    MAX_PAINTED_PX,
    Array,
    Command,
    Poly,
    Program,
    Shape,
    Via,
    command_of,
    parse,
)
from fabsight.netdsl.svg import COMMAND, GEOMETRY, SCALE, drawing, fill_rule
from fabsight.netdsl.svg_paths import NUMBER, coordinate, filled_polygons
from fabsight.task import AnswerError, FabsightError, Imported

MAX_FILE_BYTES = 64_000_000
_IGNORED = {"image", "title", "desc", "metadata", "namedview", "defs"}
_INHERITED = {"fill": "black", "fill-rule": "nonzero", "stroke": "none", "stroke-width": "1"}
_INHERITED |= {"fill-opacity": "1", "visibility": "visible"}
_NO_PAINT = ("none", "transparent")
_CHANGING = {"transform": "apply it", "clip-path": "cut the shapes", "mask": "cut the shapes"}
_Copy: TypeAlias = tuple[str, tuple[str, ...], str]  # element, geometry values, rule of a path


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
    program = canonical(Program(width, height, (*reader.commands, *reader.arrays())))
    source = "" if reader.nm_per_px is None else f"{SCALE} of the SVG file"
    return Imported(program, reader.nm_per_px, source, reader.warnings())


@dataclass
class _Group:
    """A group that says it holds the metal or the vias of an array, and where it stands."""

    text: str
    line: int
    depth: int
    copies: list[_Copy] = field(default_factory=list)


@dataclass
class _Reader:
    """What was read of a document so far."""

    path: Path
    parser: expat.XMLParserType
    size: tuple[int, int] = (0, 0)
    nm_per_px: float | None = None
    commands: list[Command] = field(default_factory=list)
    ignored: int = 0  # how deep inside an ignored element
    styles: list[dict[str, str]] = field(default_factory=lambda: [_INHERITED])
    array: _Group | None = None  # the array group that is open
    groups: dict[str, list[_Group]] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)
    compared: int = 0  # pairs of corners of polygons

    def fail(self, rule: str, line: int = 0) -> FabsightError:
        line = line or self.parser.CurrentLineNumber
        return FabsightError(f"{self.path}, line {line}: {rule}")

    def note(self, words: str, name: str) -> None:
        self.notes.setdefault(words, []).append(f"<{name}> in line {self.parser.CurrentLineNumber}")

    def warnings(self) -> tuple[str, ...]:
        """What was noted, each kind once with its first place."""
        return tuple(
            f"{words}: {places[0]}" + f" and {len(places) - 1} more" * (len(places) > 1)
            for words, places in self.notes.items()
        )

    def doctype(self, *_: object) -> None:
        raise self.fail("a document type is not read: remove the <!DOCTYPE> line")

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(":")[2]
        if self.ignored or name in _IGNORED:
            self.ignored += 1
            return
        if name == "style":
            self.note("style sheets are not read, only style attributes", name)
            self.ignored = 1
            return
        own = attributes | _declarations(attributes.get("style", ""))
        self._refuse_changed(name, own, attributes)
        style = self.styles[-1] | {
            key: own[key] for key in _INHERITED if own.get(key, "inherit") != "inherit"
        }
        if not any(self.size):
            self.size = self._canvas(name, attributes)
            self.nm_per_px = self._scale(attributes.get(SCALE, ""))
        if own.get("display") == "none" or _is_zero(own.get("opacity", "1")):
            self.note("what is hidden is left out", name)
            self.ignored = 1
            return
        self.styles.append(style)
        if name == "g":
            if self.array is None and attributes.get(COMMAND, "").startswith("ARRAY"):
                line = self.parser.CurrentLineNumber
                self.array = _Group(attributes[COMMAND], line, len(self.styles))
        elif name in GEOMETRY:
            self._shape(name, attributes, style)
        elif len(self.styles) > 2:
            raise self.fail(f"<{name}> is not read, only {', '.join(sorted(GEOMETRY))}")

    def end(self, _tag: str) -> None:
        if self.ignored:
            self.ignored -= 1
            return
        if self.array is not None and self.array.depth == len(self.styles):
            self.groups.setdefault(self.array.text, []).append(self.array)
            self.array = None
        self.styles.pop()

    def arrays(self) -> list[Command]:
        """The arrays whose groups all are as they were written; of others, the shapes drawn."""
        found: list[Command] = []
        for text, groups in self.groups.items():
            command = command_of(text)
            halves = _halves(command, sum(len(group.copies) for group in groups))
            drawn = [group.copies for group in groups]
            whole = bool(halves) and all(half in drawn for half in halves)
            if whole and command is not None:
                found.append(command)
            for group in groups:
                if not (whole and group.copies in halves):
                    for copy in group.copies:
                        found += self._geometry(copy, group.line)
        return found

    def _refuse_changed(self, name: str, own: Mapping[str, str], plain: Mapping[str, str]) -> None:
        """Refuse what changes a shape beyond its own geometry attributes."""
        for key, fix in _CHANGING.items():
            if own.get(key, "none") != "none":
                raise self.fail(f"<{name}> has a {key}: {fix} to the shapes first")
        for key in GEOMETRY.get(name, ()):
            if own.get(key) != plain.get(key):
                raise self.fail(f"<{name}> has {key} in its style: make it an attribute")
        for key in ("rx", "ry") if name == "rect" else ():
            if own.get(key, "auto") != "auto" and not _is_zero(own[key]):
                raise self.fail(f"<rect> has rounded corners ({key}): draw them as straight lines")

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
        if text and not NUMBER.fullmatch(text):
            raise self.fail(f"{SCALE}={text[:40]!r} is no number of nm: correct or remove it")
        return float(text) if text else None

    def _shape(self, name: str, attributes: Mapping[str, str], style: Mapping[str, str]) -> None:
        stroked = style["stroke"] not in _NO_PAINT and not _is_zero(style["stroke-width"])
        filled = style["fill"] not in _NO_PAINT and not _is_zero(style["fill-opacity"])
        if style["visibility"] != "visible" or not (filled or stroked):
            self.note("what is hidden is left out", name)
            return
        if not filled:
            raise self.fail(f"<{name}> has a stroke and no fill: make the stroke a path")
        if stroked:
            self.note("strokes are not read, only fills", name)
        values = tuple(attributes.get(key, "0") for key in GEOMETRY[name])
        copy = name, values, style["fill-rule"] if name in ("path", "polygon") else ""
        if self.array is not None:
            self.array.copies.append(copy)
            return
        command = command_of(attributes.get(COMMAND, ""))
        if command is not None and not isinstance(command, Array) and _drawn(command) == copy:
            self.commands.append(command)
            return
        self.commands += self._geometry(copy, self.parser.CurrentLineNumber)

    def _geometry(self, copy: _Copy, line: int) -> list[Command]:
        """The shapes that an element draws, whatever it once was."""
        name, values, rule = copy
        try:
            if name in ("polygon", "path"):
                d = values[0] if name == "path" else f"M{values[0]}Z"
                polygons = filled_polygons(d, rule)
                self.compared += sum(len(poly.points) ** 2 for poly in polygons)
                if self.compared > MAX_PAINTED_PX:
                    raise ValueError("the polygons have too many corners: split the layout")
                return [*polygons]
            x, y, *sizes = map(coordinate, values)
            if min(sizes) < 0:
                raise ValueError(f"its size {min(sizes):g} is below 0")
        except ValueError as error:
            raise self.fail(f"<{name}>: {error}", line) from error
        if min(sizes) == 0:
            return []
        if name == "circle":
            return [Via(x, y, sizes[0])]
        w, h = sizes
        return [Poly(((x, y), (x + w, y), (x + w, y + h), (x, y + h)))]


def _declarations(style: str) -> dict[str, str]:
    """The properties of a style attribute.

    >>> _declarations("fill: none; stroke:#000 !important")
    {'fill': 'none', 'stroke': '#000'}
    """
    pairs = (part.partition(":") for part in style.split(";") if ":" in part)
    return {
        key.strip().lower(): value.strip().removesuffix("!important").strip()
        for key, _, value in pairs
    }


def _is_zero(text: str) -> bool:
    """Whether a length or a share is 0, whatever its unit."""
    number = NUMBER.match(text.strip())
    return number is not None and float(number[0]) == 0


def _drawn(command: Shape) -> _Copy:
    """What a command other than an array is written as."""
    name, attributes = drawing(command)
    return name, tuple(attributes.values()), fill_rule(command) if name == "path" else ""


def _halves(command: Command | None, most: int) -> list[list[_Copy]]:
    """What the groups of an array hold: its metal and its vias, without those that are empty.

    Nothing where it has more than `most` copies.
    """
    if not isinstance(command, Array) or command.nx * command.ny * len(command.commands) > most:
        return []
    every = [_drawn(shape) for shape in Program(1, 1, (command,)).shapes]
    halves = ([e for e in every if (e[0] == "circle") == via] for via in (False, True))
    return [half for half in halves if half]

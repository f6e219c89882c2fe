r"""The layout language NetDSL-L2: its values, and its text: `parse`, `parse_recover`, `write`.

    CANVAS w h
    WIRE x0 y0 w_base l_s w_s l_e w_e (H len | V len)+
    VIA x y r
    ARRAY nx ny dx dy { commands }        extension: the commands, nx by ny times
    POLY x y x y x y ...                  extension (--extended): a filled polygon
    ... D dx dy ...                       extension (--extended): an oblique run of a wire

Source: Hitachi, arXiv 2606.02434, section 3; docs/netdsl-language.md is the reference. One command
a line, CANVAS first; the commands of an ARRAY may share a line or span several. A number is
`[+-]? digits (. digits)?`, no exponent, in px, rounded to two decimals. A ``` fence around the
whole program and a byte order mark are taken off; prose is not a program. A bad line is an error,
it never disappears. The limits of `shapes` bound what a text may cost; over one is an error too.
"""

import re
from collections.abc import Callable
from itertools import islice
from typing import NamedTuple, TypeAlias

from fabsight.files import MAX_TEXT_BYTES
from fabsight.netdsl.canonical import canonical
from fabsight.netdsl.rendering import Mask, extent, painted_px, primitives, render
from fabsight.netdsl.shapes import (
    MAX_CANVAS_AREA_PX,
    MAX_CANVAS_PX,
    MAX_COMMANDS,
    MAX_COORDINATE_PX,
    MAX_PAINTED_PX,
    MAX_PARTS,
    NO_CAP,
    Array,
    Cap,
    Command,
    Poly,
    Program,
    Run,
    Shape,
    Via,
    Wire,
    expand,
    is_extended,
    is_strict,
    moved,
    straight,
)
from fabsight.netdsl.tokens import LINE_END, Reader, Token, fail
from fabsight.task import AnswerError

__all__ = [
    "MAX_CANVAS_AREA_PX",
    "MAX_CANVAS_PX",
    "MAX_COMMANDS",
    "MAX_COORDINATE_PX",
    "MAX_ERRORS",
    "MAX_PAINTED_PX",
    "MAX_PARTS",
    "MAX_TEXT_CHARACTERS",
    "NO_CAP",
    "Array",
    "Cap",
    "Command",
    "Poly",
    "Program",
    "Run",
    "Shape",
    "Via",
    "Wire",
    "expand",
    "is_extended",
    "is_strict",
    "moved",
    "parse",
    "parse_and_render",
    "parse_recover",
    "straight",
    "text_of",
    "write",
]

MAX_TEXT_CHARACTERS = MAX_TEXT_BYTES
MAX_ERRORS = 100  # bad lines that `parse_recover` reports, and reads on after
Canvas: TypeAlias = tuple[int, int]  # width and height, px


def parse(
    text: str, *, canvas: Canvas | None = None, recover: bool = False, strict: bool = False
) -> Program:
    r"""The program a text describes, numbers rounded to two decimals, order as written.

    Args:
        text: The program, one command a line, CANVAS first.
        canvas: (width, height) in px of the image described: any other CANVAS is refused.
        recover: Keep the readable lines of a text that was cut off or has bad lines;
            `parse_recover` also says which lines were lost.
        strict: Refuse what is not in NetDSL-L2: POLY and oblique runs. ARRAY is read.

    Raises:
        AnswerError: with line and column of the first token that breaks a rule.

    >>> parse("CANVAS 64 64\nVIA 35 40 6").commands
    (Via(x=35.0, y=40.0, r=6.0),)
    >>> parse("CANVAS 64 64\nWIRE 0 12 8 H 64")
    Traceback (most recent call last):
    fabsight.task.AnswerError: netdsl line 2, column 13: WIRE needs a number for l_s, got 'H'
    """
    return _read(Reader(_lines(text), strict), recover, canvas)[0]


def command_of(text: str) -> Command | None:
    """The one command a text stands for, None when it is none: what our own files carry along.

    >>> command_of("VIA 5 5 2"), command_of("VIA 5")
    (Via(x=5.0, y=5.0, r=2.0), None)
    """
    try:
        (command,) = parse(f"CANVAS 1 1\n{text}").commands
    except ValueError:
        return None
    return command


def parse_recover(text: str) -> tuple[Program, list[AnswerError]]:
    r"""The readable lines of a text as a program, and one error for each line that was not.

    It is for text that a model was cut off in, at its token limit. An ARRAY counts as one line.
    After the `MAX_ERRORS`-th bad line the rest is not read: that is no program with a flaw.

    Raises `AnswerError` when even CANVAS cannot be read, or the text is too long.

    >>> program, errors = parse_recover("CANVAS 64 64\nVIA 8 8 2\nVIA 9")
    >>> len(program.commands), str(errors[0])
    (1, 'netdsl line 3, column 6: VIA needs a number for y, got the end of the text')
    """
    return _read(Reader(_lines(text)), True, None)


def write(program: Program) -> str:
    r"""The canonical text of a program, one command a line, without a final newline.

    Equal geometry gives equal text as far as `canonical` can tell. `parse(write(p))` is
    `canonical(p)`, so `write(parse(write(p)))` is `write(p)`.

    >>> from fabsight.netdsl.language import straight
    >>> write(Program(64, 64, (Via(8, 8.5, 2), straight("H", (60, 12), -60, 8))))
    'CANVAS 64 64\nWIRE 0 12 8 0 0 0 0 H 60\nVIA 8 8.5 2'
    """
    lines = [f"CANVAS {program.width} {program.height}"]
    lines += [text_of(command) for command in canonical(program).commands]
    return "\n".join(lines)


def parse_and_render(text: str, canvas: Canvas = (256, 256)) -> Mask:
    r"""The mask of a program's text, uint8 0 or 1, shape (height, width): the source's function.

    Args:
        text: The program.
        canvas: (width, height) in px for a text that begins without a CANVAS line.

    >>> int(parse_and_render("CANVAS 8 4\nWIRE 0 2 2 0 0 0 0 H 8").sum())
    16
    """
    text = text.removeprefix(_BYTE_ORDER_MARK)
    words = text.split(maxsplit=1)
    if words and words[0] in _READERS:
        text = f"CANVAS {canvas[0]} {canvas[1]}\n{text}"
    return render(parse(text))


def text_of(command: Command) -> str:
    """One command as it stands, on one line, numbers to two decimals."""
    match command:
        case Wire(x, y, width, start, end, runs):
            numbers = (x, y, width, start.length, start.width, end.length, end.width)
            return " ".join(("WIRE", *map(_decimal, numbers), *map(_run_text, runs)))
        case Via(x, y, r):
            return f"VIA {_decimal(x)} {_decimal(y)} {_decimal(r)}"
        case Poly(points):
            return " ".join(("POLY", *(_decimal(v) for point in points for v in point)))
        case Array(nx, ny, dx, dy, commands):
            inside = " ".join(map(text_of, commands))
            return f"ARRAY {nx} {ny} {_decimal(dx)} {_decimal(dy)} {{ {inside} }}"


def _run_text(run: Run) -> str:
    if run.axis == "D":
        return f"D {_decimal(run.dx)} {_decimal(run.dy)}"
    return f"{run.axis} {_decimal(run.dx if run.axis == 'H' else run.dy)}"


def _decimal(value: float) -> str:
    """Two decimals at most: no trailing zeros, no exponent, no minus zero."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
_FENCE = "```"
_BYTE_ORDER_MARK = "\ufeff"
_MAX_LENGTH_PX = 2 * MAX_COORDINATE_PX


class _Cost(NamedTuple):
    """What commands cost, arrays written out, and how far they reach from the origin."""

    commands: int = 0
    painted_px: float = 0.0
    reach_px: float = 0.0


def _read(
    reader: Reader, recover: bool, canvas: Canvas | None
) -> tuple[Program, list[AnswerError]]:
    width, height = _canvas(reader, canvas)
    commands: list[Command] = []
    errors: list[AnswerError] = []
    spent = _Cost()
    while reader.next.text and len(errors) < MAX_ERRORS:
        begin = reader.begin()
        try:
            if reader.next.text == LINE_END:
                reader.take()
                continue
            command = _command(reader)
            _end_of_line(reader)
            spent = _within_limits(spent, _cost(command, width, height), reader.tokens[begin])
            commands.append(command)
        except AnswerError as error:
            if not recover:
                raise
            errors.append(error.with_traceback(None))  # which would keep all that was read
            reader.skip_command(begin)
    return Program(width, height, tuple(commands)), errors


def _lines(text: str) -> list[str]:
    """The lines without byte order mark and fence; a text that is too long is refused unread."""
    if len(text) > MAX_TEXT_CHARACTERS:
        size = f"{len(text)} characters, {MAX_TEXT_CHARACTERS} are allowed"
        raise AnswerError(f"netdsl: the text is too long: {size}; split the layout")
    lines = text.removeprefix(_BYTE_ORDER_MARK).split("\n")
    filled = [number for number, line in enumerate(lines) if line.strip()]
    if filled and lines[filled[0]].lstrip().startswith(_FENCE):
        if lines[filled[-1]].strip() == _FENCE:
            lines[filled[-1]] = ""
        lines[filled[0]] = ""
    names = tuple(_READERS)
    found = (number for number, line in enumerate(lines) if line.lstrip().startswith(names))
    for number in islice(found, MAX_COMMANDS, None):
        line = lines[number]
        word = Token(line.split(maxsplit=1)[0], number + 1, len(line) - len(line.lstrip()) + 1)
        fail(word, _TOO_MANY)
    return lines


def _canvas(reader: Reader, expected: Canvas | None) -> Canvas:
    while reader.next.text == LINE_END:
        reader.take()
    if reader.next.text != "CANVAS":
        fail(reader.next, "expected 'CANVAS width height' first, and no prose around the program")
    begin = reader.take()
    width = _whole(reader, "CANVAS w", MAX_CANVAS_PX)
    token = reader.next
    height = _whole(reader, "CANVAS h", MAX_CANVAS_PX)
    if width * height > MAX_CANVAS_AREA_PX:
        fail(token, f"CANVAS needs w x h of at most {MAX_CANVAS_AREA_PX}: {width} px wide")
    if expected not in (None, (width, height)):
        rule = "CANVAS has the size of the image, {} x {} px: this one is {} x {} px"
        fail(begin, rule.format(*expected, width, height))
    if reader.next.text:
        _end_of_line(reader)
    return width, height


def _command(reader: Reader) -> Command:
    token = reader.take()
    if token.text == "CANVAS":
        fail(token, "expected one CANVAS only, on the first line")
    if token.text not in _READERS:
        fail(token, f"expected a command ({', '.join(_READERS)})")
    command = _READERS[token.text](reader)
    if reader.strict and is_extended(Program(1, 1, (command,))):
        what = "POLY" if isinstance(command, Poly) else "an oblique run (D)"
        fail(token, f"{what} is not in NetDSL-L2; leave out --strict-l2")
    return command


def _wire(reader: Reader) -> Wire:
    x, y = (_number(reader, f"WIRE needs a number for {name}") for name in ("x0", "y0"))
    width = _number(reader, "WIRE needs a number for w_base", above=0)
    caps = [
        _number(reader, f"WIRE needs a number for {name}", least=0)
        for name in ("l_s", "w_s", "l_e", "w_e")
    ]
    runs: list[Run] = []
    while reader.next.text in _AXES:
        if len(runs) == MAX_PARTS:
            fail(reader.next, f"WIRE has at most {MAX_PARTS} runs")
        runs.append(_run(reader))
    if not runs:
        fail(reader.next, "WIRE needs a run (H length, V length or D dx dy)")
    return Wire(x, y, width, Cap(*caps[:2]), Cap(*caps[2:]), tuple(runs))


_AXES = ("H", "V", "D")
_TOO_MANY = f"a program has at most {MAX_COMMANDS} commands, arrays written out"


def _run(reader: Reader) -> Run:
    token = reader.take()
    if token.text == "D":
        dx, dy = (_number(reader, f"run D needs a number for {name}") for name in ("dx", "dy"))
        run = Run("D", dx, dy)
    else:
        length = _number(reader, f"run {token.text} needs a number for its length")
        run = Run("H", length, 0.0) if token.text == "H" else Run("V", 0.0, length)
    if run.length == 0:
        fail(reader.tokens[reader.position - 1], f"run {token.text} needs a length other than 0")
    return run


def _via(reader: Reader) -> Via:
    x, y = (_number(reader, f"VIA needs a number for {name}") for name in ("x", "y"))
    return Via(x, y, _number(reader, "VIA needs a number for r", above=0))


def _poly(reader: Reader) -> Poly:
    points: list[tuple[float, float]] = []
    while len(points) < 3 or _NUMBER.fullmatch(reader.next.text):
        if len(points) == MAX_PARTS:
            fail(reader.next, f"POLY has at most {MAX_PARTS} corners")
        name = f"of corner {len(points) + 1} (3 at least, x y each)"
        x = _number(reader, f"POLY needs a number for x {name}")
        points.append((x, _number(reader, f"POLY needs a number for y {name}")))
    return Poly(tuple(points))


def _array(reader: Reader) -> Array:
    nx, ny = (_whole(reader, f"ARRAY {name}", MAX_COMMANDS) for name in ("nx", "ny"))
    dx, dy = (_number(reader, f"ARRAY needs a number for {name}") for name in ("dx", "dy"))
    brace = reader.take()
    if brace.text != "{":
        fail(brace, "ARRAY needs '{' before its commands")
    shapes: list[Shape] = []
    while reader.next.text != "}":
        if reader.next.text == LINE_END:
            reader.take()
            continue
        inner = reader.next
        if inner.text == "":
            fail(inner, "ARRAY needs '}' after its commands")
        if inner.text == "ARRAY":
            fail(inner, "ARRAY cannot stand inside ARRAY, write the inner one out")
        if len(shapes) == MAX_PARTS:
            fail(inner, f"ARRAY has at most {MAX_PARTS} commands in its braces")
        command = _command(reader)
        assert not isinstance(command, Array)  # refused above, before it could recurse
        shapes.append(command)
        if nx * ny * len(shapes) > MAX_COMMANDS:
            fail(inner, f"{_TOO_MANY}: this ARRAY brings them to {nx * ny * len(shapes)}")
    if not shapes:
        fail(reader.next, "ARRAY needs a command in its braces")
    reader.take()
    return Array(nx, ny, dx, dy, tuple(shapes))


_READERS: dict[str, Callable[[Reader], Command]] = {
    "WIRE": _wire,
    "VIA": _via,
    "ARRAY": _array,
    "POLY": _poly,
}


def _number(
    reader: Reader, rule: str, *, least: float = -_MAX_LENGTH_PX, above: float | None = None
) -> float:
    """The next token as a number in px, rounded to two decimals, within its bounds."""
    token = reader.next
    if not _NUMBER.fullmatch(token.text):
        fail(token, rule)
    value = round(float(token.text), 2) + 0.0  # the sum turns -0.0 into 0.0
    if above is not None and value <= above:
        fail(token, f"{rule} above {above:g}")
    if not least <= value <= _MAX_LENGTH_PX:
        fail(token, f"{rule} from {least:.0f} to {_MAX_LENGTH_PX:.0f}")
    reader.take()
    return value


def _whole(reader: Reader, name: str, most: int) -> int:
    """The next token as a whole number from 1 to `most`."""
    token = reader.next
    # a number of many digits is refused by its length: Python would refuse to convert it
    if not (token.text.isascii() and token.text.isdigit() and len(token.text) <= len(str(most))):
        fail(token, f"{name} needs a whole number from 1 to {most}")
    if not 1 <= int(token.text) <= most:
        fail(token, f"{name} needs a whole number from 1 to {most}")
    reader.take()
    return int(token.text)


def _end_of_line(reader: Reader) -> None:
    token = reader.next
    if token.text not in (LINE_END, ""):
        fail(token, "expected the end of the line after a complete command")
    reader.take()


def _cost(command: Command, width: int, height: int) -> _Cost:
    """What one command costs on a canvas, an array written out."""
    shapes = command.commands if isinstance(command, Array) else (command,)
    parts = [part for shape in shapes for part in primitives(shape)]
    painted = sum(painted_px(part, width, height) for part in parts)
    x0, y0, x1, y1 = zip(*map(extent, parts), strict=True)
    reach = max(-min(*x0, *y0), *x1, *y1)
    if not isinstance(command, Array):
        return _Cost(1, painted, reach)
    copies = command.nx * command.ny
    reach += max((command.nx - 1) * abs(command.dx), (command.ny - 1) * abs(command.dy))
    return _Cost(copies * len(shapes), copies * painted, reach)


def _within_limits(spent: _Cost, cost: _Cost, token: Token) -> _Cost:
    """What is spent with one more command; refuses one that reaches or costs too much."""
    commands = spent.commands + cost.commands
    painted = spent.painted_px + cost.painted_px
    if commands > MAX_COMMANDS:
        fail(token, f"{_TOO_MANY}: this one brings them to {commands}")
    if cost.reach_px > MAX_COORDINATE_PX:
        rule = f"coordinates go to {MAX_COORDINATE_PX:.0f} px: this command to {cost.reach_px:.0f}"
        fail(token, rule)
    if painted > MAX_PAINTED_PX:
        rule = f"painting a program may cost {MAX_PAINTED_PX:.0f} px, overlaps counted"
        fail(token, f"{rule}, arrays written out: this command brings it to {painted:.0f}")
    return _Cost(commands, painted)

"""The values of NetDSL-L2: a canvas, the wires and vias drawn on it, and two extensions.

`language` reads and writes them as text and is where the rest of the package imports them from;
`rendering` says exactly which pixels each paints. Numbers are in pixels.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

# A full frame of a real chip has 2,000 commands, 60 corners a polygon and paints 20 Mpx.
MAX_COORDINATE_PX = 1_000_000.0
MAX_CANVAS_PX = 65_536  # a side
MAX_CANVAS_AREA_PX = 400_000_000
MAX_COMMANDS = 200_000  # arrays written out
MAX_PARTS = 10_000  # runs of a wire, corners of a polygon, commands in an array's braces
MAX_PAINTED_PX = 4e9  # `rendering.painted_px` of all commands, arrays written out


@dataclass(frozen=True, slots=True)
class Run:
    """One leg of a wire: horizontal (dy = 0), vertical (dx = 0) or oblique; may be negative."""

    axis: Literal["H", "V", "D"]
    dx: float
    dy: float

    @property
    def length(self) -> float:
        """Unsigned length in px."""
        return math.hypot(self.dx, self.dy)


@dataclass(frozen=True, slots=True)
class Cap:
    """A dogbone end: `length` along the wire, `width` across, in px; 0 0 is none."""

    length: float = 0.0
    width: float = 0.0


NO_CAP = Cap()


@dataclass(frozen=True, slots=True)
class Wire:
    """A polyline of constant `width`, started at (x, y), with a cap at either end; px."""

    x: float
    y: float
    width: float
    start: Cap
    end: Cap
    runs: tuple[Run, ...]

    @property
    def tip(self) -> tuple[float, float]:
        """Where the last run ends, (x, y) in px."""
        return self.x + sum(r.dx for r in self.runs), self.y + sum(r.dy for r in self.runs)


@dataclass(frozen=True, slots=True)
class Via:
    """A disc: centre (x, y) and radius r in px."""

    x: float
    y: float
    r: float


@dataclass(frozen=True, slots=True)
class Poly:
    """A filled polygon (even-odd), corners in px; extended programs only."""

    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Array:
    """`commands` repeated nx times by dx to the right and ny times by dy down."""

    nx: int
    ny: int
    dx: float
    dy: float
    commands: tuple["Shape", ...]


Shape: TypeAlias = Wire | Via | Poly
Command: TypeAlias = Wire | Via | Poly | Array


@dataclass(frozen=True, slots=True)
class Program:
    """A layout on a canvas of `width` x `height` px."""

    width: int
    height: int
    commands: tuple[Command, ...] = ()

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """All wires, vias and polygons, arrays written out."""
        return tuple(_shapes(self.commands))


def straight(
    axis: Literal["H", "V"],
    begin: tuple[float, float],
    length: float,
    width: float,
    start: Cap = NO_CAP,
    end: Cap = NO_CAP,
) -> Wire:
    """A wire of one run from `begin` (x, y); px.

    >>> straight("H", (0, 12), 256, 8).runs
    (Run(axis='H', dx=256, dy=0.0),)
    """
    run = Run("H", length, 0.0) if axis == "H" else Run("V", 0.0, length)
    return Wire(begin[0], begin[1], width, start, end, (run,))


def moved(shape: Shape, dx: float, dy: float) -> Shape:
    """The same shape, dx to the right and dy down (px)."""
    if isinstance(shape, Poly):
        return Poly(tuple((x + dx, y + dy) for x, y in shape.points))
    return replace(shape, x=shape.x + dx, y=shape.y + dy)


def scaled(shape: Shape, by: float) -> Shape:
    """The same shape with every length, and its distance to the origin, times `by`.

    >>> scaled(Via(10, 4, 3), 2)
    Via(x=20, y=8, r=6)
    """
    if isinstance(shape, Poly):
        return Poly(tuple((x * by, y * by) for x, y in shape.points))
    if isinstance(shape, Via):
        return Via(shape.x * by, shape.y * by, shape.r * by)
    start, end = (Cap(cap.length * by, cap.width * by) for cap in (shape.start, shape.end))
    runs = tuple(Run(run.axis, run.dx * by, run.dy * by) for run in shape.runs)
    return Wire(shape.x * by, shape.y * by, shape.width * by, start, end, runs)


def is_strict(program: Program) -> bool:
    """Whether the program is plain NetDSL-L2: no ARRAY, no POLY, no oblique run."""
    return not any(isinstance(c, Array) for c in program.commands) and not is_extended(program)


def is_extended(program: Program) -> bool:
    """Whether any command is outside NetDSL-L2 with arrays: POLY or an oblique run."""
    return any(
        isinstance(s, Poly) or (isinstance(s, Wire) and any(r.axis == "D" for r in s.runs))
        for s in program.shapes
    )


def expand(program: Program) -> Program:
    """The same geometry without ARRAY.

    >>> array = Array(2, 1, 10, 0, (Via(5, 5, 2),))
    >>> expand(Program(32, 32, (array,))).commands
    (Via(x=5, y=5, r=2), Via(x=15, y=5, r=2))
    """
    return Program(program.width, program.height, program.shapes)


def _shapes(commands: tuple[Command, ...]) -> Iterator[Shape]:
    for command in commands:
        if isinstance(command, Array):
            for j in range(command.ny):
                for i in range(command.nx):
                    for shape in command.commands:
                        yield moved(shape, i * command.dx, j * command.dy)
        else:
            yield command

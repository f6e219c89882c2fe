"""One program for one geometry: what `write` writes, and what a model is trained on.

A model that sees the same picture with many texts cannot converge (the source's final loss was
0.28). `canonical` therefore chooses one order and one parametrisation, and changes no pixel:

- numbers are rounded to 0.01 px (the only step that can move an edge, by half of that);
- runs of length 0 go, runs that continue along their axis are merged;
- a cap is clipped to its run and goes when it does not protrude; a cap as long as its wire is
  the wire;
- of its two directions a wire takes the one that begins higher, then further left;
- a plain box (one run, no caps, or a rectangular POLY) is clipped to the canvas and runs along its
  longer side;
- polygons begin at their highest corner, without corners that do nothing;
- arrays step to the right and down, without rows, columns and commands that add nothing; an array
  of one, or one whose copies fall onto each other, is its shapes;
- duplicates go, also of copies of an array, and so does what lies outside the canvas;
- order: WIRE, VIA, POLY, ARRAY; each by y, then x, then the other numbers.

Everything is integer arithmetic in hundredths (and, for edges, two-hundredths) of a pixel.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

from fabsight.netdsl.normal import key, normal, on_grid
from fabsight.netdsl.shapes import Array, Command, Program, Shape, moved

_Size: TypeAlias = tuple[int, int]  # canvas in px


def canonical(program: Program) -> Program:
    """The same layout in its one order and parametrisation; see the module's text.

    >>> from fabsight.netdsl.shapes import Via, straight
    >>> wire = straight("V", (30, 4), -20, 40)
    >>> canonical(Program(64, 64, (wire, wire))).commands[0].runs
    (Run(axis='H', dx=40.0, dy=0.0),)
    >>> canonical(Program(64, 64, (Array(3, 1, 9, 0, (Via(5, 5, 2),)), Via(14, 5, 2)))).commands
    (Array(nx=3, ny=1, dx=9.0, dy=0.0, commands=(Via(x=5.0, y=5.0, r=2.0),)),)
    """
    size = program.width, program.height
    shapes: set[Shape] = set()
    arrays: dict[Array, set[Shape]] = {}
    for command in program.commands:
        if isinstance(command, Array):
            array, copies = _array(command, size)
            if array is None:
                shapes |= copies
            else:
                arrays[array] = copies
        elif (shape := normal(command, size)) is not None:
            shapes.add(shape)
    covered: set[Shape] = set()  # by arrays that have no copy in common
    commands: list[Command] = []
    for array in sorted(arrays, key=lambda array: (-len(arrays[array]), key(array))):
        if covered.isdisjoint(arrays[array]):
            commands.append(array)
            covered |= arrays[array]
        else:
            shapes |= arrays[array]
    commands += shapes - covered
    return Program(program.width, program.height, tuple(sorted(commands, key=key)))


class _Copy(NamedTuple):
    """What an array paints on the canvas: column, row and number of the command, and the shape."""

    place: tuple[int, int, int]
    shape: Shape


def _array(array: Array, size: _Size) -> tuple[Array | None, set[Shape]]:
    """The array without what adds nothing, and its copies; None where that is no array."""
    nx, dx, left = _steps(array.nx, array.dx)
    ny, dy, up = _steps(array.ny, array.dy)
    shapes = _sorted(array.commands, left, up)
    copies = [
        _Copy((i, j, k), copy)
        for i in range(nx)
        for j in range(ny)
        for k, shape in enumerate(shapes)
        if (copy := normal(moved(shape, i * dx, j * dy), size)) is not None
    ]
    for part in range(3):
        copies = _without_idle(copies, part)
    found = {copy.shape for copy in copies}
    if len(found) < len(copies) or not copies:
        return None, found
    columns, rows, numbers = (sorted({copy.place[part] for copy in copies}) for part in range(3))
    nx, ny = columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1
    if nx == ny == 1:
        return None, found
    first = _sorted([shapes[k] for k in numbers], columns[0] * dx, rows[0] * dy)
    return Array(nx, ny, dx if nx > 1 else 0.0, dy if ny > 1 else 0.0, tuple(first)), found


def _without_idle(copies: list[_Copy], part: int) -> list[_Copy]:
    """The copies without outer columns (part 0), rows (1) or any commands (2) that add nothing."""
    groups: defaultdict[int, set[Shape]] = defaultdict(set)
    for copy in copies:
        groups[copy.place[part]].add(copy.shape)
    count = Counter(shape for group in groups.values() for shape in group)
    upward = sorted(groups)
    kept = set(upward)
    for order in (upward[::-1], upward):
        for index in order:
            if index in kept and all(count[shape] > 1 for shape in groups[index]):
                kept.remove(index)
                count.subtract(groups[index])
            elif part < 2:  # columns and rows between others stay: they are counted by steps
                break
    return [copy for copy in copies if copy.place[part] in kept]


def _sorted(shapes: Iterable[Shape], dx: float, dy: float) -> list[Shape]:
    """Distinct shapes moved by dx, dy, unclipped, in order."""
    found = {normal(moved(shape, dx, dy), None) for shape in shapes}
    return sorted((shape for shape in found if shape is not None), key=key)


def _steps(count: int, step: float) -> tuple[int, float, float]:
    """How many steps of how many px (not negative), and where the first one is then, in px."""
    step = on_grid(step)
    if count == 1 or step == 0:
        return 1, 0.0, 0.0
    return count, abs(step), (count - 1) * min(step, 0.0)

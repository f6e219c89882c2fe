"""Finding ARRAY: equal shapes at regular places become one command.

A field of vias is one line of text instead of hundreds, which is what lets a program of it fit
into a model's answer, and what a person wants to edit.
"""

from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple, TypeAlias

from fabsight.netdsl.canonical import canonical
from fabsight.netdsl.language import Array, Command, Poly, Program, Shape, expand, moved

_PER_PX = 100  # places are compared in hundredths of a px, as they are written
_Place: TypeAlias = tuple[int, int]


class _Row(NamedTuple):
    """`number` values from `first`, `step` apart."""

    first: int
    step: int
    number: int


class _Grid(NamedTuple):
    xs: _Row
    ys: _Row

    @property
    def places(self) -> list[_Place]:
        xs, ys = ([row.first + row.step * i for i in range(row.number)] for row in self)
        return [(x, y) for y in ys for x in xs]


def fold_arrays(program: Program, minimum: int = 4) -> Program:
    """The same layout with equal shapes at a constant pitch folded into ARRAY commands; canonical.

    Greedy: rectangles of shapes first by rows, then by columns, whichever covers more. Arrays that
    the program has already are written out and found again. Shapes must be equal to 0.01 px.

    Args:
        program: Any program.
        minimum: The fewest shapes worth an array.

    >>> from fabsight.netdsl.language import Via
    >>> vias = tuple(Via(4.0 + 8 * i, 4.0 + 9 * j, 2.0) for i in range(13) for j in range(6))
    >>> fold_arrays(Program(128, 128, vias)).commands
    (Array(nx=13, ny=6, dx=8.0, dy=9.0, commands=(Via(x=4.0, y=4.0, r=2.0),)),)
    """
    alike: dict[Shape, list[_Place]] = defaultdict(list)
    for shape in canonical(expand(program)).commands:
        assert not isinstance(shape, Array)  # they were written out
        form, place = _form_and_place(shape)
        alike[form].append(place)
    commands: list[Command] = []
    for form, places in alike.items():
        grids, alone = _grids(places, minimum)
        commands += [_put(form, place) for place in alone]
        for xs, ys in grids:
            first = _put(form, (xs.first, ys.first))
            steps = xs.step / _PER_PX, ys.step / _PER_PX
            commands.append(Array(xs.number, ys.number, *steps, (first,)))
    return canonical(Program(program.width, program.height, tuple(commands)))


def _form_and_place(shape: Shape) -> tuple[Shape, _Place]:
    """The shape moved to the origin, and where it was."""
    x, y = shape.points[0] if isinstance(shape, Poly) else (shape.x, shape.y)
    place = round(x * _PER_PX), round(y * _PER_PX)
    if isinstance(shape, Poly):
        corners = ((round(a - x, 2) + 0.0, round(b - y, 2) + 0.0) for a, b in shape.points)
        return Poly(tuple(corners)), place
    return replace(shape, x=0.0, y=0.0), place


def _put(form: Shape, place: _Place) -> Shape:
    return moved(form, place[0] / _PER_PX, place[1] / _PER_PX)


def _grids(places: list[_Place], minimum: int) -> tuple[list[_Grid], list[_Place]]:
    """Disjoint grids of at least `minimum` places, and the places left over."""
    left = set(places)
    found: list[_Grid] = []
    while len(left) >= minimum:
        by_rows = _stacked(left)
        by_columns = [_Grid(xs, ys) for ys, xs in _stacked({(y, x) for x, y in left})]
        ways = [
            [grid for grid in way if grid.xs.number * grid.ys.number >= minimum]
            for way in (by_rows, by_columns)
        ]
        best = max(ways, key=_saved)
        if not best:
            break
        found += best
        left.difference_update(place for grid in best for place in grid.places)
    return found, sorted(left)


def _saved(grids: list[_Grid]) -> int:
    """How many commands the arrays save."""
    return sum(grid.xs.number * grid.ys.number - 1 for grid in grids)


def _stacked(places: set[_Place]) -> list[_Grid]:
    """Rows cut into progressions, and equal progressions stacked at a constant pitch."""
    rows: dict[int, list[int]] = defaultdict(list)
    for x, y in places:
        rows[y].append(x)
    stacks: dict[_Row, list[int]] = defaultdict(list)
    for y, xs in rows.items():
        for row in _progressions(sorted(xs)):
            stacks[row].append(y)
    return [
        _Grid(row, column) for row, ys in stacks.items() for column in _progressions(sorted(ys))
    ]


def _progressions(values: list[int]) -> list[_Row]:
    """Sorted distinct numbers cut into arithmetic progressions, the longest taken first."""
    spans: list[tuple[int, int]] = []  # first and last index of each stretch of one step
    steps = [b - a for a, b in pairwise(values)]
    for index, step in enumerate(steps):
        if spans and step == steps[spans[-1][0]]:
            spans[-1] = spans[-1][0], index + 1
        else:
            spans.append((index, index + 1))
    taken = [False] * len(values)
    rows = []
    for first, last in sorted(spans, key=lambda span: span[0] - span[1]):
        first, last = first + taken[first], last - taken[last]  # neighbours share an end
        if last > first:
            rows.append(_Row(values[first], steps[first], last - first + 1))
            taken[first : last + 1] = [True] * (last - first + 1)
    return rows + [_Row(v, 0, 1) for v, used in zip(values, taken, strict=True) if not used]

"""One parametrisation for one shape: what `canonical` makes of each wire, via and polygon.

The rules stand in `canonical`. Everything is integer arithmetic in hundredths (and, for edges,
two-hundredths) of a pixel.
"""

from collections import deque
from itertools import pairwise
from typing import Literal, TypeAlias

from fabsight.netdsl.rendering import extent, primitives
from fabsight.netdsl.shapes import Array, Cap, Command, Poly, Run, Shape, Via, Wire

_PER_PX = 100  # the grid of written numbers
_Size: TypeAlias = tuple[int, int] | None  # canvas in px; None inside an array: nothing is clipped
_Point: TypeAlias = tuple[int, int]  # on the grid
_Span: TypeAlias = tuple[int, int]  # low and high edge in half steps of the grid
_Cap: TypeAlias = tuple[int, int]  # length, width; (0, 0) is none
_Axis: TypeAlias = Literal["H", "V", "D"]
Key: TypeAlias = tuple[object, ...]
_NONE: _Cap = (0, 0)
_ORDER = (Wire, Via, Poly, Array)


def normal(shape: Shape, size: _Size) -> Shape | None:
    """One shape in its one parametrisation, or None when it paints nothing."""
    found: Shape | None
    match shape:
        case Via(x, y, r):
            found = Via(on_grid(x), on_grid(y), on_grid(r)) if _grid(r) > 0 else None
        case Wire():
            found = _wire(shape, size)
        case Poly():
            found = _poly(shape, size)
    return None if found is None or (size and _outside(found, size)) else found


def bounds(shape: Shape) -> tuple[float, float, float, float]:
    """The bounding box (x0, y0, x1, y1) of a shape in px.

    >>> bounds(Via(5, 5, 2))
    (3, 3, 7, 7)
    """
    x0, y0, x1, y1 = zip(*map(extent, primitives(shape)), strict=True)
    return min(x0), min(y0), max(x1), max(y1)


def _wire(wire: Wire, size: _Size) -> Wire | None:
    width = _grid(wire.width)
    corners, axes = _path(wire)
    if not axes or width <= 0:
        return None
    start = _cap(wire.start, width, corners[:2]) if axes[0] != "D" else _NONE
    end = _cap(wire.end, width, corners[-2:]) if axes[-1] != "D" else _NONE
    corners, axes = _merged(corners, axes)
    if len(axes) == 1 and axes[0] != "D":
        (x0, y0), (x1, y1) = corners
        length = abs(x1 - x0) + abs(y1 - y0)
        widest = max([width, *(cap[1] for cap in (start, end) if cap[0] == length)])
        if start[1] <= widest and end[1] <= widest:
            wide, high = (0, widest) if axes[0] == "H" else (widest, 0)
            xs = 2 * min(x0, x1) - wide, 2 * max(x0, x1) + wide
            return _box(xs, (2 * min(y0, y1) - high, 2 * max(y0, y1) + high), size)
    ways = (corners, axes, start, end), (corners[::-1], axes[::-1], end, start)
    return min((_wire_of(width, *way) for way in ways), key=key)


def _path(wire: Wire) -> tuple[list[_Point], list[_Axis]]:
    """The corners on the grid, and the axis from each to the next; runs of length 0 left out."""
    x, y = wire.x, wire.y
    corners = [(_grid(x), _grid(y))]
    axes: list[_Axis] = []
    for run in wire.runs:
        x, y = x + run.dx, y + run.dy
        corner = _grid(x), _grid(y)
        if corner != corners[-1]:
            corners.append(corner)
            axes.append(run.axis)
    return corners, axes


def _merged(corners: list[_Point], axes: list[_Axis]) -> tuple[list[_Point], list[_Axis]]:
    """The same without joints where an H or V run goes on in its direction."""
    kept, names = corners[:2], axes[:1]
    for corner, axis in zip(corners[2:], axes[1:], strict=True):
        (ax, ay), (bx, by) = kept[-2:]
        onward = (bx - ax) * (corner[0] - bx) > 0 or (by - ay) * (corner[1] - by) > 0
        if axis == names[-1] != "D" and onward:
            kept[-1] = corner
        else:
            kept.append(corner)
            names.append(axis)
    return kept, names


def _cap(cap: Cap, width: int, run: list[_Point]) -> _Cap:
    """The cap clipped to its run; none when it does not protrude."""
    (x0, y0), (x1, y1) = run
    length = min(_grid(cap.length), abs(x1 - x0) + abs(y1 - y0))
    across = _grid(cap.width)
    return (length, across) if length > 0 and across > width else _NONE


def _wire_of(width: int, corners: list[_Point], axes: list[_Axis], start: _Cap, end: _Cap) -> Wire:
    runs = []
    for (x0, y0), (x1, y1), axis in zip(corners[:-1], corners[1:], axes, strict=True):
        runs.append(Run(axis, _px(x1 - x0), _px(y1 - y0)))
    x, y = corners[0]
    first, last = (Cap(_px(length), _px(across)) for length, across in (start, end))
    return Wire(_px(x), _px(y), _px(width), first, last, tuple(runs))


def _box(xs: _Span, ys: _Span, size: _Size) -> Wire | None:
    """A box clipped to the canvas, as a wire along its longer side when the grid allows that.

    The centre line of a wire lies on the grid, so its long edges must add up to a multiple of 4
    half steps and its short edges be even; a box that came from a wire fits at least one way.

    Returns:
        None when it is outside the canvas or fits neither way.
    """
    limits = (2 * _PER_PX * size[0], 2 * _PER_PX * size[1]) if size else (None, None)
    (x0, x1), (y0, y1) = inside = _clipped(xs, limits[0]), _clipped(ys, limits[1])
    if x0 >= x1 or y0 >= y1:
        return None
    ways: tuple[_Axis, _Axis] = ("H", "V") if x1 - x0 >= y1 - y0 else ("V", "H")
    for axis in ways:
        begin, stop = inside[axis == "V"]
        low, high = _centred(*((ys, limits[1]) if axis == "H" else (xs, limits[0])))
        if begin % 2 == stop % 2 == 0 and (low + high) % 4 == 0:
            middle, width = (low + high) // 4, (high - low) // 2
            ends = [(begin // 2, middle), (stop // 2, middle)]
            corners = ends if axis == "H" else [(y, x) for x, y in ends]
            return _wire_of(width, corners, [axis], _NONE, _NONE)
    return None


def _clipped(span: _Span, limit: int | None) -> _Span:
    return span if limit is None else (max(span[0], 0), min(span[1], limit))


def _centred(span: _Span, limit: int | None) -> _Span:
    """The span clipped so that its middle lies on the grid.

    An edge at or beyond the canvas edge paints the same wherever it lies there, so it may stay up
    to 3 half steps (0.015 px) outside.
    """
    low, high = span
    if limit is None or (low > 0 and high < limit):
        return span
    if low <= 0 and high >= limit:
        return 0, limit
    return (-(high % 4), high) if low <= 0 else (low, limit + -(low + limit) % 4)


def _poly(poly: Poly, size: _Size) -> Wire | Poly | None:
    """The polygon from its highest corner, or the wire it is."""
    points = _reduced([(_grid(x), _grid(y)) for x, y in poly.points])
    if len(points) < 3:
        return None
    xs, ys = ({point[axis] for point in points} for axis in (0, 1))
    if len(points) == 4 and len(xs) == len(ys) == 2 and _is_outline(points):
        wire = _box((2 * min(xs), 2 * max(xs)), (2 * min(ys), 2 * max(ys)), size)
        if wire is not None:
            return wire
    top = min((y, x) for x, y in points)[::-1]
    firsts = [i for i, point in enumerate(points) if point == top]
    ways = (points[i::step] + points[:i:step] for i in firsts for step in (1, -1))
    return Poly(tuple((_px(x), _px(y)) for x, y in min(ways)))


def _reduced(points: list[_Point]) -> list[_Point]:
    """The polygon without repeats, spikes and joints on one axis, each looked at once or twice."""
    kept: deque[_Point] = deque()
    for point in points:
        while len(kept) >= 2 and _idle(kept[-2], kept[-1], point):
            kept.pop()
        if not kept or kept[-1] != point:
            kept.append(point)
    while len(kept) >= 3:  # the same where the end meets the beginning
        if kept[-1] == kept[0] or _idle(kept[-2], kept[-1], kept[0]):
            kept.pop()
        elif _idle(kept[-1], kept[0], kept[1]):
            kept.popleft()
        else:
            break
    return list(kept)


def _idle(before: _Point, point: _Point, after: _Point) -> bool:
    """Whether a corner changes nothing: the path turns back in it, or goes on along an axis."""
    return before == after or any(before[k] == point[k] == after[k] for k in (0, 1))


def _is_outline(points: list[_Point]) -> bool:
    """Whether four corners of a rectangle follow each other around it."""
    return all((a[0] == b[0]) != (a[1] == b[1]) for a, b in pairwise([*points, points[0]]))


def _outside(shape: Shape, size: tuple[int, int]) -> bool:
    """Whether the shape misses the canvas."""
    x0, y0, x1, y1 = bounds(shape)
    return x0 >= size[0] or y0 >= size[1] or x1 <= 0 or y1 <= 0


def key(command: Command) -> Key:
    """What commands are sorted by: kind, y, x, everything else."""
    kind = _ORDER.index(type(command))
    match command:
        case Wire(x, y, width, start, end, runs):
            caps = start.length, start.width, end.length, end.width
            return kind, y, x, width, caps, tuple((run.axis, run.dx, run.dy) for run in runs)
        case Via(x, y, r):
            return kind, y, x, r
        case Poly(points):
            return kind, *((y, x) for x, y in points)
        case Array(nx, ny, dx, dy, shapes):
            return kind, tuple(map(key, shapes)), nx, ny, dx, dy


def on_grid(value: float) -> float:
    """The number as it is written: to 0.01, and no minus zero.

    >>> on_grid(0.125), on_grid(-0.001)
    (0.12, 0.0)
    """
    return _px(_grid(value))


def _grid(value: float) -> int:
    return round(value * _PER_PX)


def _px(steps: int) -> float:
    return steps / _PER_PX

"""A layout with every edge moved outward or inward by the same distance."""

from collections.abc import Iterator
from dataclasses import replace

from fabsight.netdsl.shapes import Cap, Poly, Program, Shape, Via, Wire

LEAST_PX = 0.5  # no width and no radius is made smaller


def grown(program: Program, by_px: float, vias_by_px: float | None = None) -> Program:
    """Every edge moved outward by `by_px` (inward when negative), arrays written out.

    Args:
        program: A layout.
        by_px: For wires and polygons. A polygon may fall apart, or vanish, when it shrinks.
        vias_by_px: For vias; as `by_px` when None.

    >>> grown(Program(16, 16, (Via(8, 8, 3),)), 0.5).commands
    (Via(x=8, y=8, r=3.5),)
    """
    vias_by = by_px if vias_by_px is None else vias_by_px
    if by_px == 0 and vias_by == 0:
        return program
    size = program.width, program.height
    shapes = (new for shape in program.shapes for new in _grown(shape, (by_px, vias_by), size))
    return replace(program, commands=tuple(shapes))


def _grown(shape: Shape, by: tuple[float, float], size: tuple[int, int]) -> Iterator[Shape]:
    if isinstance(shape, Via):
        yield replace(shape, r=max(shape.r + by[1], LEAST_PX))
    elif isinstance(shape, Poly):
        yield from _offset(shape, by[0])
    else:
        yield _grown_wire(shape, by[0], size)


def _offset(polygon: Poly, by: float) -> Iterator[Poly]:
    import gdstk

    for part in gdstk.offset([gdstk.Polygon(polygon.points)], by, join="miter"):
        yield Poly(tuple((float(x), float(y)) for x, y in part.points))


def _grown_wire(wire: Wire, by: float, size: tuple[int, int]) -> Wire:
    """A wire wider by `by` px on each side, and longer by as much at each end on the canvas."""
    start, end = (_grown_cap(cap, by) for cap in (wire.start, wire.end))
    first, last = wire.runs[0], wire.runs[-1]
    back = _share(by, first.length) if _inside((wire.x, wire.y), size) else 0.0
    ahead = _share(by, last.length) if _inside(wire.tip, size) else 0.0
    origin = wire.x - first.dx * back, wire.y - first.dy * back
    runs = list(wire.runs)
    runs[0] = replace(first, dx=first.dx * (1 + back), dy=first.dy * (1 + back))
    runs[-1] = replace(runs[-1], dx=runs[-1].dx + last.dx * ahead, dy=runs[-1].dy + last.dy * ahead)
    return Wire(*origin, max(wire.width + 2 * by, LEAST_PX), start, end, tuple(runs))


def _share(by: float, length: float) -> float:
    """How much of its length a run grows by; what shrinks keeps a tenth."""
    return max(by / max(length, 1e-9), -0.45)


def _inside(place: tuple[float, float], size: tuple[int, int]) -> bool:
    """Whether a place is on the canvas: beyond, metal goes on, and its end is no edge."""
    return all(0 < at < side for at, side in zip(place, size, strict=True))


def _grown_cap(cap: Cap, by: float) -> Cap:
    if cap.length == 0:
        return cap
    return Cap(max(cap.length + 2 * by, LEAST_PX), max(cap.width + 2 * by, LEAST_PX))

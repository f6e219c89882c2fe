"""From program to pixels: the conventions of `netdsl-l2/1`.

Each rule is a test in tests/test_netdsl_rendering.py.

1. The origin is the top-left corner; x runs right, y runs down; pixel (i, j) covers
   [i, i+1) x [j, j+1). Coordinates may be decimal.
2. A wire body is, for each run, the axis-aligned box of half-width w/2 about the run.
3. A bend, where H meets V, is filled by a square of side w centred on the joint. A joint that
   touches an oblique run (extended programs) is filled by a disc of diameter w instead. Where a
   wire goes on along its axis there is no bend; a run of length 0 is no run.
4. A cap is a box that lies inside its run: from the end of the wire, its length (clipped to the
   run) along the run, its width across. Oblique runs carry no caps.
5. VIA is a filled disc. POLY is filled even-odd.
6. Drawing is a union; geometry is clipped to the canvas; a run may be negative.
7. The binary renderer paints a pixel when its centre lies inside: half-open on boxes and
   polygons (left and top edges included), closed on discs. Edges are known to 1e-6 px, so that
   0.1 + 0.2 and 0.3 paint the same pixels.
8. The coverage renderer gives each pixel the share of its area that is painted, on a grid of
   1/oversample px.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float32, UInt8

from fabsight.netdsl.shapes import Poly, Program, Shape, Via, Wire

CONVENTIONS = "netdsl-l2/1"
Mask: TypeAlias = UInt8[np.ndarray, "height width"]
Layer: TypeAlias = Literal["all", "metal", "via"]
_SNAP_PX = 1e-6
_BLOCK_PX = 1_000_000  # of a disc at a time: bounds memory
_PIECE_PX = 10_000  # what a piece costs to paint beside its pixels, in pixels
_CORNER_PX = 16  # what one row of one edge of a polygon costs


@dataclass(frozen=True, slots=True)
class Box:
    """[x0, x1) x [y0, y1) in px."""

    x0: float
    y0: float
    x1: float
    y1: float


Primitive: TypeAlias = Box | Via | Poly


def primitives(shape: Shape) -> Iterator[Primitive]:
    """The boxes, discs and polygons whose union is the shape."""
    if not isinstance(shape, Wire):
        yield shape
        return
    half = shape.width / 2
    x, y = shape.x, shape.y
    runs = [run for run in shape.runs if run.length > 0]
    for index, run in enumerate(runs):
        if index and "D" in (run.axis, runs[index - 1].axis):
            yield Via(x, y, half)
        elif index and run.axis != runs[index - 1].axis:
            yield Box(x - half, y - half, x + half, y + half)
        nx, ny = x + run.dx, y + run.dy
        yield _body(x, y, nx, ny, run.axis, half)
        if index == 0 and shape.start.length > 0 and run.axis != "D":
            length = min(shape.start.length, run.length)
            yield _cap(x, y, run.dx, run.dy, length, shape.start.width / 2)
        if index == len(runs) - 1 and shape.end.length > 0 and run.axis != "D":
            length = min(shape.end.length, run.length)
            yield _cap(nx, ny, -run.dx, -run.dy, length, shape.end.width / 2)
        x, y = nx, ny


def extent(part: Primitive) -> tuple[float, float, float, float]:
    """The bounding box (x0, y0, x1, y1) of a primitive in px."""
    match part:
        case Box(x0, y0, x1, y1):
            return x0, y0, x1, y1
        case Via(x, y, r):
            return x - r, y - r, x + r, y + r
        case Poly(points):
            xs, ys = zip(*points, strict=True)
            return min(xs), min(ys), max(xs), max(ys)


def painted_px(part: Primitive, width: int, height: int) -> float:
    """The most that painting a primitive costs, in pixels of a box: what a program may cost.

    >>> painted_px(Box(0, 0, 100, 400), 256, 256)
    35600.0
    """
    x0, y0, x1, y1 = extent(part)
    rows = min(y1 - y0, height)
    edges = len(part.points) * (_CORNER_PX * rows + _PIECE_PX) if isinstance(part, Poly) else 0
    return float(_PIECE_PX + edges + min(x1 - x0, width) * rows)


def render(program: Program, layer: Layer = "all") -> Mask:
    """The binary mask of a program, uint8 0 or 1, shape (height, width).

    >>> from fabsight.netdsl.shapes import straight
    >>> int(render(Program(8, 4, (straight("H", (0, 2), 8, 2),))).sum())
    16
    """
    return paint(pick(program.shapes, layer), program.width, program.height)


def paint(
    shapes: Iterable[Shape],
    width: int,
    height: int,
    origin: tuple[float, float] = (0.0, 0.0),
    scale: float = 1.0,
) -> Mask:
    """Paint shapes on a window of `width` x `height` pixels of 1/scale px, corner at `origin`."""
    mask = np.zeros((height, width), np.uint8)
    for shape in shapes:
        for primitive in primitives(shape):
            match primitive:
                case Box(x0, y0, x1, y1):
                    c0, c1 = (_first_column((x - origin[0]) * scale) for x in (x0, x1))
                    r0, r1 = (_first_column((y - origin[1]) * scale) for y in (y0, y1))
                    mask[max(r0, 0) : max(r1, 0), max(c0, 0) : max(c1, 0)] = 1
                case Via(x, y, r):
                    centre = (x - origin[0]) * scale, (y - origin[1]) * scale
                    _disc(mask, centre, r * scale)
                case Poly(points):
                    _polygon(mask, (np.asarray(points, float) - origin) * scale)
    return mask


def coverage(
    program: Program, layer: Layer = "all", oversample: int = 8
) -> Float32[np.ndarray, "height width"]:
    """The painted share of each pixel's area, 0 to 1 (anti-aliased), shape (height, width).

    Edges that lie on multiples of 1/oversample px are exact.
    """
    import cv2

    shapes = pick(program.shapes, layer)
    out = np.empty((program.height, program.width), np.float32)
    rows = max(1, 4_000_000 // (program.width * oversample**2))  # bounds memory on large frames
    for top in range(0, program.height, rows):
        count = min(rows, program.height - top)
        size = program.width * oversample, count * oversample
        fine = paint(shapes, *size, origin=(0.0, float(top)), scale=oversample)
        area = cv2.resize(
            fine.astype(np.float32), (program.width, count), interpolation=cv2.INTER_AREA
        )
        out[top : top + count] = area
    return out


def pick(shapes: tuple[Shape, ...], layer: Layer) -> tuple[Shape, ...]:
    """The shapes of one layer: vias, everything else, or all."""
    if layer == "all":
        return shapes
    return tuple(s for s in shapes if isinstance(s, Via) == (layer == "via"))


def _body(x: float, y: float, nx: float, ny: float, axis: str, half: float) -> Primitive:
    if axis == "H":
        return Box(min(x, nx), y - half, max(x, nx), y + half)
    if axis == "V":
        return Box(x - half, min(y, ny), x + half, max(y, ny))
    length = math.hypot(nx - x, ny - y)
    ax, ay = -(ny - y) / length * half, (nx - x) / length * half
    return Poly(((x + ax, y + ay), (nx + ax, ny + ay), (nx - ax, ny - ay), (x - ax, y - ay)))


def _cap(x: float, y: float, dx: float, dy: float, length: float, half: float) -> Box:
    if dy == 0:
        far = x + math.copysign(length, dx)
        return Box(min(x, far), y - half, max(x, far), y + half)
    far = y + math.copysign(length, dy)
    return Box(x - half, min(y, far), x + half, max(y, far))


def _first_column(edge: float) -> int:
    """The first pixel whose centre is at or right of `edge`."""
    return math.ceil(edge - 0.5 - _SNAP_PX)


def _disc(mask: Mask, centre: tuple[float, float], r: float) -> None:
    x, y = centre
    c0, c1 = max(_first_column(x - r), 0), min(_first_column(x + r) + 1, mask.shape[1])
    r0, r1 = max(_first_column(y - r), 0), min(_first_column(y + r) + 1, mask.shape[0])
    if c0 >= c1 or r0 >= r1:
        return
    dx = np.arange(c0, c1) + 0.5 - x
    rows = max(1, _BLOCK_PX // (c1 - c0))
    for top in range(r0, r1, rows):
        block = mask[top : min(top + rows, r1), c0:c1]
        dy = np.arange(top, top + len(block)) + 0.5 - y
        block[dx**2 + dy[:, None] ** 2 <= r * r + _SNAP_PX] = 1


def _polygon(mask: Mask, points: np.ndarray) -> None:
    """Even-odd fill by centre: toggle each row at every crossing, then accumulate."""
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    c0, c1 = max(_first_column(left), 0), min(_first_column(right), mask.shape[1])
    r0, r1 = max(_first_column(top), 0), min(_first_column(bottom), mask.shape[0])
    if c0 >= c1 or r0 >= r1:
        return
    toggles = np.zeros((r1 - r0, c1 - c0 + 1), np.uint8)
    for (x0, y0), (x1, y1) in zip(points, np.roll(points, -1, axis=0), strict=True):
        if y0 == y1:
            continue
        if y0 > y1:
            x0, y0, x1, y1 = x1, y1, x0, y0
        rows = np.arange(max(_first_column(y0), r0), min(_first_column(y1), r1))
        crossing = x0 + (rows + 0.5 - y0) * (x1 - x0) / (y1 - y0)
        columns = np.clip(np.ceil(crossing - 0.5 - _SNAP_PX), c0, c1).astype(np.int64)
        toggles[rows - r0, columns - c0] ^= 1  # an edge crosses a row once
    np.bitwise_xor.accumulate(toggles, axis=1, out=toggles)
    mask[r0:r1, c0:c1] |= toggles[:, :-1]

"""What is planted in a wafer: shapes on the disk, and how likely each of a grid's dies is to fail.

    shape --density--> 0 to 1 for every die --probability, chance--> the dies that fail

A shape knows its outline exactly: density is 1 inside, 0 outside, 1/2 on the outline, and falls
linearly between. Lengths are in the wafer's radius, angles clockwise from 12 o'clock, as in
`geometry`; what is a few dies wide on every grid (rims, scratches) is in dies.
"""

from dataclasses import dataclass
from math import ceil, cos, hypot, radians, sin
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float32

from fabsight.wafermap.layouts import Layout

Density: TypeAlias = Float32[np.ndarray, "rows columns"]
Cells: TypeAlias = Bool[np.ndarray, "rows columns"]
Floats: TypeAlias = Float32[np.ndarray, "..."]
Round: TypeAlias = Bool[np.ndarray, " 360"]
HALF = 0.5


@dataclass(frozen=True)
class Blob:
    """A filled outline.

    Attributes:
        x, y: Its centre.
        along, across: Half axes.
        turn_deg: Direction of `along`.
        lobes: (amplitude, phase in rad) of the outline's second and further harmonics.
        soft: Width of its edge, as a share of its radius.
    """

    x: float
    y: float
    along: float
    across: float
    turn_deg: float = 0.0
    lobes: tuple[tuple[float, float], ...] = ()
    soft: float = 0.2


@dataclass(frozen=True)
class Ring:
    """A disk with a hole, or the part of it about a clock position.

    Attributes:
        x, y, outer: Centre and radius of the disk.
        hole_x, hole_y, inner: Centre and radius of the hole.
        middle_deg, span_deg: The part; 360 is a closed ring.
        tilt: How much fainter it is opposite of the middle, 0 to 1.
        soft: Width of its edges, in the wafer's radius.
    """

    outer: float
    inner: float
    x: float = 0.0
    y: float = 0.0
    hole_x: float = 0.0
    hole_y: float = 0.0
    middle_deg: float = 0.0
    span_deg: float = 360.0
    tilt: float = 0.0
    soft: float = 0.1


@dataclass(frozen=True)
class Rim:
    """The outermost dies, all round or about a clock position.

    Attributes:
        depth: How many dies deep.
        middle_deg, span_deg: The part; 360 is a closed rim.
        taper: How much shallower it is at its ends, 0 to 1; of a closed one, opposite its middle.
        gaps: (middle_deg, span_deg) of pieces that are left out.
    """

    depth: float
    middle_deg: float = 0.0
    span_deg: float = 360.0
    taper: float = 0.0
    gaps: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Stroke:
    """A line, straight or bent.

    Attributes:
        x0, y0, x1, y1: Its ends.
        bend: How far its middle lies beside the chord, as a share of the chord; to the right of
            the way from the first end to the second where positive.
        width: In dies, at the first end and at the second.
        gaps: (from, to), 0 to 1 along it, of pieces that are left out.
    """

    x0: float
    y0: float
    x1: float
    y1: float
    bend: float = 0.0
    width: tuple[float, float] = (1.0, 1.0)
    gaps: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Flood:
    """Dies all over the wafer.

    Attributes:
        tilt_x, tilt_y, bowl: How much denser it is to the right, to the top, and at the rim
            than at the centre.
        wave: (amplitude, waves across x, across y, phase in rad) of a slow ripple.
        holes: What is left out of it.
    """

    tilt_x: float = 0.0
    tilt_y: float = 0.0
    bowl: float = 0.0
    wave: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    holes: tuple[Blob | Ring, ...] = ()


@dataclass(frozen=True)
class Lattice:
    """The same sites in every field of the grid: repeating rows, columns or reticle positions.

    Attributes:
        rows, columns: Of a field. One of them 1: whole columns or rows repeat.
        sites: (row, column) in the field.
        within: Where; everywhere when None.
    """

    rows: int
    columns: int
    sites: tuple[tuple[int, int], ...]
    within: Blob | None = None

    @property
    def kind(self) -> str:
        """Of CHOICES["repeats"]: what repeats.

        >>> Lattice(1, 4, ((0, 2),)).kind
        'columns'
        """
        return "columns" if self.rows == 1 else "rows" if self.columns == 1 else "reticle"


Shape: TypeAlias = Blob | Ring | Rim | Stroke | Flood | Lattice


@dataclass(frozen=True, eq=False)
class Part:
    """One thing planted in a wafer.

    Attributes:
        pattern: Of PATTERNS; of a Lattice what repeats: "rows", "columns" or "reticle".
        shape: Its parameters.
        probability: That a die well inside it fails.
        extent: The dies inside its outline.
        mask: The dies that fail because of it.
        bin: Hard bin of most of those.
        textured: Whether only every second column shows it in full.
    """

    pattern: str
    shape: Shape
    probability: float
    extent: Cells
    mask: Cells
    bin: int
    textured: bool = False


def density(shape: Shape, layout: Layout) -> Density:
    """How much of the shape each die of the grid has, 0 to 1.

    >>> import numpy as np
    >>> from fabsight.wafermap.layouts import draw_layout
    >>> layout = draw_layout(np.random.default_rng(0), (5, 5))
    >>> density(Blob(0, 0, 0.5, 0.5), layout)[2].round(2).tolist()
    [0.0, 1.0, 1.0, 1.0, 0.0]
    """
    match shape:
        case Blob():
            return _blob(shape, layout)
        case Ring():
            return _ring(shape, layout)
        case Rim():
            return _rim(shape, layout)
        case Stroke():
            return _stroke(shape, layout)
        case Flood():
            return _flood(shape, layout)
        case Lattice():
            return _lattice(shape, layout)


def around(shape: Ring | Rim, level: float = HALF) -> Round:
    """Whether the shape is at least this dense at each whole degree of the clock, by its plan.

    >>> int(around(Rim(1.0, span_deg=90.0)).sum())
    91
    """
    degrees = np.arange(360, dtype=np.float32)
    off = _off(degrees, shape.middle_deg)
    if isinstance(shape, Ring):
        found = _part(off, shape.span_deg) * _tilted(off, shape.tilt)
        return np.asarray(found >= level - 1e-6)
    return np.asarray((_reach(shape, degrees) >= level) & _kept(shape, degrees))


def path(stroke: Stroke, layout: Layout) -> Float32[np.ndarray, "points 2"]:
    """Points along a stroke, (row, column) in dies, at most half a die apart."""
    rows, columns = layout.dies.shape
    long = hypot((stroke.x1 - stroke.x0) * columns, (stroke.y1 - stroke.y0) * rows) / 2
    t = np.linspace(0, 1, max(2, ceil(2.2 * long * (1 + 4 * abs(stroke.bend)))), dtype=np.float32)
    aside = 4 * stroke.bend * t * (1 - t)
    dx, dy = stroke.x1 - stroke.x0, stroke.y1 - stroke.y0
    x, y = stroke.x0 + dx * t + dy * aside, stroke.y0 + dy * t - dx * aside
    return np.stack(((1 - y) / 2 * rows - HALF, (1 + x) / 2 * columns - HALF), 1)


def _blob(blob: Blob, layout: Layout) -> Density:
    disk = layout.disk
    c, s = cos(radians(blob.turn_deg)), sin(radians(blob.turn_deg))
    x, y = disk.x - np.float32(blob.x), disk.y - np.float32(blob.y)
    u = (x * np.float32(s) + y * np.float32(c)) / np.float32(blob.along)
    v = (x * np.float32(c) - y * np.float32(s)) / np.float32(blob.across)
    far = np.sqrt(u * u + v * v)
    if blob.lobes:
        angle = np.arctan2(v, u)
        outline = np.ones_like(far)
        for order, (amplitude, phase) in enumerate(blob.lobes, 2):
            outline += np.float32(amplitude) * np.cos(order * angle + np.float32(phase))
        far /= np.maximum(outline, np.float32(0.2))
    return _inside(1 - far, blob.soft)


def _ring(ring: Ring, layout: Layout) -> Density:
    disk = layout.disk
    x, y = disk.x, disk.y
    far = np.hypot(x - np.float32(ring.x), y - np.float32(ring.y))
    hole = np.hypot(x - np.float32(ring.hole_x), y - np.float32(ring.hole_y))
    found = _inside(ring.outer - far, ring.soft) * _inside(hole - ring.inner, ring.soft)
    off = _off(disk.clock_deg, ring.middle_deg)
    return np.asarray(found * _part(off, ring.span_deg) * _tilted(off, ring.tilt))


def _rim(rim: Rim, layout: Layout) -> Density:
    degrees = layout.disk.clock_deg
    deep = np.clip(_reach(rim, degrees) - layout.depth + 1, 0, 1)
    return np.asarray(deep * _kept(rim, degrees) * (layout.depth > 0), np.float32)


def _stroke(stroke: Stroke, layout: Layout) -> Density:
    rows, columns = layout.dies.shape
    points = path(stroke, layout)
    t = np.linspace(0, 1, len(points), dtype=np.float32)
    keep = np.ones(len(t), bool)
    for begin, end in stroke.gaps:
        keep &= (t < begin) | (t > end)
    step = np.gradient(points, axis=0)
    normal = step[:, ::-1] * np.asarray([1, -1], np.float32) / np.hypot(*step.T)[:, None].clip(1e-6)
    first, last = stroke.width
    wide = (first + (last - first) * t - 1) / 2
    found = np.zeros((rows, columns), np.float32)
    for share in np.linspace(-1, 1, 1 + 2 * ceil(max(0.0, float(wide.max())))):
        at = np.rint(points[keep] + (normal * (share * wide)[:, None])[keep]).astype(int)
        at = at[((at >= 0) & (at < (rows, columns))).all(1)]
        found[at[:, 0], at[:, 1]] = 1
    return found


def _flood(flood: Flood, layout: Layout) -> Density:
    disk = layout.disk
    found = 1 + flood.tilt_x * disk.x + flood.tilt_y * disk.y
    found += np.float32(flood.bowl) * (2 * disk.radius**2 - 1)
    amplitude, kx, ky, phase = flood.wave
    if amplitude:
        found += np.float32(amplitude) * np.sin(3.1416 * (kx * disk.x + ky * disk.y) + phase)
    np.clip(found, 0, 1.8, out=found)
    for hole in flood.holes:
        found *= 1 - density(hole, layout)
    return np.asarray(found, np.float32)


def _lattice(lattice: Lattice, layout: Layout) -> Density:
    field = np.zeros((lattice.rows, lattice.columns), np.float32)
    for row, column in lattice.sites:
        field[row % lattice.rows, column % lattice.columns] = 1
    rows, columns = layout.dies.shape
    found = np.tile(field, (-(-rows // lattice.rows), -(-columns // lattice.columns)))
    found = found[:rows, :columns]
    return found if lattice.within is None else found * _blob(lattice.within, layout)


END_DEG = 8.0  # a part of a ring fades over this angle


def _inside(distance: Density, soft: float) -> Density:
    """1 well inside (distance positive), 1/2 on the outline."""
    return np.asarray(np.clip(distance / max(soft, 1e-6) + HALF, 0, 1), np.float32)


def _off(degrees: Floats, middle_deg: float) -> Floats:
    """How far from a clock position, 0 to 180 degrees."""
    return np.asarray(np.abs((degrees - np.float32(middle_deg) + 180) % 360 - 180))


def _part(off: Floats, span_deg: float) -> Floats:
    """1 within the span, fading over END_DEG at its ends."""
    if span_deg >= 360:
        return np.ones_like(off)
    return np.asarray(np.clip((span_deg / 2 - off) / END_DEG + HALF, 0, 1))


def _tilted(off: Floats, tilt: float) -> Floats:
    """1 in the middle, falling to 1 - tilt opposite of it."""
    return 1 - np.float32(tilt) * (off / 180) ** 2


def _reach(rim: Rim, degrees: Floats) -> Floats:
    """How many dies deep a rim is at each clock position."""
    share = _off(degrees, rim.middle_deg) / (rim.span_deg / 2)
    return np.float32(rim.depth) * (1 - np.float32(rim.taper) * np.minimum(share, 1) ** 2)


def _kept(rim: Rim, degrees: Floats) -> Bool[np.ndarray, "..."]:
    """Whether a rim is there at each clock position."""
    kept = np.ones(degrees.shape, bool)
    if rim.span_deg < 360:
        kept &= _off(degrees, rim.middle_deg) <= rim.span_deg / 2
    for middle_deg, span_deg in rim.gaps:
        kept &= _off(degrees, middle_deg) > span_deg / 2
    return kept

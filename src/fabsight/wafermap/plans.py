"""Random plans of every pattern: the variety that real maps of WM-811K show of each class.

A plan is drawn inside its class; where the class's border is near, `truth` says which other class
would be as right.
"""

from collections.abc import Callable, Mapping
from math import cos, hypot, pi, radians, sin

from fabsight.wafermap.draws import Draw
from fabsight.wafermap.layouts import Layout
from fabsight.wafermap.patterns import Blob, Flood, Lattice, Rim, Ring, Shape, Stroke

NEAREST_LOC = 0.22  # a loc's centre is at least so far from the wafer's
RING_DEG = 270.0  # an edge ring covers at least this of the clock


def plan(draw: Draw, pattern: str, layout: Layout) -> tuple[Shape, ...]:
    """The shapes of one pattern on one wafer; none for "none"."""
    return PLANS[pattern](draw, layout)


def least(layout: Layout) -> float:
    """Half a die, in the wafer's radius, of the coarser side."""
    return 1 / float(min(layout.dies.shape))


def center(draw: Draw, layout: Layout) -> tuple[Shape, ...]:
    """A blob on the wafer's centre: compact, fading, oval, or with a dim core."""
    size = max(draw.log_between(0.07, 0.5), 2.4 * least(layout))
    off = draw.between(0, min(0.16, 0.05 + 0.4 * size))
    angle = draw.between(0, 2 * pi)
    soft = draw.between(0.7, 1.8) if draw.chance(0.35) else draw.between(0.05, 0.5)
    return (_blob(draw, off * sin(angle), off * cos(angle), size, 1.6, soft),)


def donut(draw: Draw, layout: Layout) -> tuple[Shape, ...]:
    """A ring around a clear centre: thick or thin, even, thinner on one side, or open."""
    finest = 2 * least(layout)
    if draw.chance(0.3):
        width = max(draw.between(0.06, 0.15), finest * 1.2)
        inner = draw.between(0.22, 0.72 - width)
    else:
        inner = draw.between(max(0.13, 2.2 * finest), 0.4)
        width = draw.between(max(0.15, 1.5 * finest), 0.5)
    outer = min(inner + width, 0.9)
    off, angle = draw.between(0, 0.12), draw.between(0, 360)
    x, y = off * sin(radians(angle)), off * cos(radians(angle))
    aside = draw.between(0, 0.85) * (outer - inner) / 2 if draw.chance(0.5) else 0.0
    turn = draw.between(0, 360)  # thickest here
    span = draw.between(160, 345) if draw.chance(0.35) else 360.0
    return (
        Ring(
            outer,
            inner,
            x,
            y,
            x - aside * sin(radians(turn)),
            y - aside * cos(radians(turn)),
            turn,
            span,
            draw.between(0.1, 0.9) if draw.chance(0.5) else 0.0,
            draw.between(0.03, 0.3) * min(1, 3 * width),
        ),
    )


def edge_loc(draw: Draw, layout: Layout) -> tuple[Shape, ...]:
    """A piece of the rim: a shallow arc, a deep blob that reaches the rim, or two of them."""
    count = 2 if draw.chance(0.12) else 1
    middle = draw.between(0, 360)
    found: list[Shape] = []
    for _ in range(count):
        kind = draw.rng.random()
        if kind < 0.6:
            found.append(_arc(draw, layout, middle, count))
        elif kind < 0.9:
            found.append(_rim_blob(draw, layout, middle))
        else:
            found.append(_segment(draw, middle))
        middle += 180 + draw.between(-50, 50)
    return tuple(found)


def edge_ring(draw: Draw, layout: Layout) -> tuple[Shape, ...]:
    """The rim all round: a die or two deep on most wafers, some with a piece missing."""
    small = min(layout.dies.shape)
    depth = draw.between(1.0, 2.2) if draw.chance(0.8) else draw.between(2, 0.08 * small + 1)
    taper = draw.between(0.2, 0.8) if depth > 1.8 and draw.chance(0.5) else 0.0
    turn = draw.between(0, 360)
    what = draw.rng.random()
    if what < 0.6:
        return (Rim(depth, turn, 360.0, taper),)
    if what < 0.85:
        return (Rim(depth, turn, draw.between(RING_DEG + 5, 345), taper / 2),)
    count = draw.whole(2, 4)
    wide = draw.between(6, (360 - RING_DEG - 10) / count)
    gaps = [(turn + 360 / count * (k + draw.between(-0.3, 0.3)), wide) for k in range(count)]
    return (Rim(depth, turn, 360.0, taper, tuple(gaps)),)


def loc(draw: Draw, layout: Layout) -> tuple[Shape, ...]:
    """A blob off the centre: round, long, or a comet; two small ones on some wafers."""
    coarse = least(layout)
    if draw.chance(0.1):  # two small spots across the wafer
        angle, far = draw.between(0, 2 * pi), draw.between(0.6, 0.85)
        size = draw.between(2.2, 3.2) * coarse
        return tuple(
            _blob(draw, side * far * sin(angle), side * far * cos(angle), size, 1.3, 0.2)
            for side in (1, -1)
        )
    size = max(draw.log_between(0.08, 0.45), 1.9 * coarse)
    angle = draw.between(0, 360)
    far = draw.between(NEAREST_LOC, max(NEAREST_LOC + 0.05, 0.98 - 0.6 * size))
    x, y = far * sin(radians(angle)), far * cos(radians(angle))
    soft = draw.between(0.8, 1.8) if draw.chance(0.4) else draw.between(0.05, 0.6)
    if not draw.chance(0.4):
        return (_blob(draw, x, y, size, 2.1, soft),)
    turn = angle + 90 * draw.whole(0, 1) + draw.between(-25, 25)
    long = min(size * draw.between(1.6, 2.6), 0.55)
    wide = max(long / draw.between(2.2, 4), 1.5 * coarse)
    return (Blob(x, y, long, wide, turn, _lobes(draw, 0.15), soft),)


def near_full(draw: Draw, _layout: Layout) -> tuple[Shape, ...]:
    """Nearly all dies: with holes at the rim or the centre, thinner on one side, or full."""
    what = draw.rng.random()
    if what < 0.3:
        return (Flood(),)
    angle = draw.between(0, 2 * pi)
    if what < 0.55:
        lean, bowl = draw.between(0.05, 0.35), draw.between(-0.15, 0.1)
        return (Flood(lean * sin(angle), lean * cos(angle), bowl),)
    holes = []
    for _ in range(draw.whole(1, 3)):
        if draw.chance(0.12):
            holes.append(Blob(0, 0, 0.16, 0.16, 0, _lobes(draw, 0.25), 0.8))
            continue
        turn = draw.between(0, 360)
        x, y = sin(radians(turn)), cos(radians(turn))
        holes.append(
            Blob(
                x,
                y,
                draw.between(0.2, 0.6),
                draw.between(0.1, 0.25),
                turn + 90,
                soft=draw.between(0.2, 1),
            )
        )
    return (Flood(holes=tuple(holes)),)


def random(draw: Draw, _layout: Layout) -> tuple[Shape, ...]:
    """Dies all over: even, or denser on one side, in the centre, at the rim or in slow ripples."""
    if draw.chance(0.3):
        return (Flood(),)
    angle, lean = draw.between(0, 2 * pi), draw.between(0, 0.5)
    wave = (0.0, 0.0, 0.0, 0.0)
    if draw.chance(0.4):
        wave = (
            draw.between(0.1, 0.7),
            draw.between(-1.5, 1.5),
            draw.between(-1.5, 1.5),
            draw.between(0, 2 * pi),
        )
    return (Flood(lean * sin(angle), lean * cos(angle), draw.between(-0.5, 0.3), wave),)


def scratch(draw: Draw, layout: Layout) -> tuple[Shape, ...]:
    """One to four lines: straight or bent, whole or broken, from the rim or inside."""
    count = draw.weighed(((1, 0.78), (2, 0.14), (3, 0.05), (4, 0.03)))
    like = draw.chance(0.5)  # several run side by side
    turn = _direction(draw)
    bend = draw.between(-0.25, 0.25) if draw.chance(0.45) else draw.between(-0.03, 0.03)
    found: list[Shape] = []
    for k in range(count):
        if k and not like:
            turn, bend = _direction(draw), draw.between(-0.25, 0.25)
        found.append(_line(draw, layout, turn + draw.between(-6, 6) * bool(k), bend))
    return tuple(found)


def none(_draw: Draw, _layout: Layout) -> tuple[Shape, ...]:
    """Nothing."""
    return ()


def repeats(draw: Draw, layout: Layout, kind: str) -> Lattice:
    """Repeating rows, columns or reticle positions, everywhere or in a part of the wafer."""
    rows, columns = layout.dies.shape
    within = None
    if draw.chance(0.2):
        within = _blob(draw, draw.between(-0.2, 0.2), draw.between(-0.2, 0.2), 0.7, 1.2, 0.3)
    if kind == "columns":
        period = draw.whole(2, max(3, min(8, columns // 5)))
        return Lattice(1, period, ((0, draw.whole(0, period - 1)),), within)
    if kind == "rows":
        period = draw.whole(2, max(3, min(8, rows // 5)))
        return Lattice(period, 1, ((draw.whole(0, period - 1), 0),), within)
    return reticle(draw, layout, within)


def reticle(draw: Draw, layout: Layout, within: Blob | None = None) -> Lattice:
    """One or two positions of an exposure field, at least three fields across and down."""
    rows, columns = layout.dies.shape
    highest, widest = min(7, max(2, rows // 4)), min(7, max(2, columns // 4))
    high, wide = draw.whole(min(3, highest), highest), draw.whole(min(3, widest), widest)
    count = 2 if high * wide >= 9 and draw.chance(0.3) else 1
    places = draw.rng.choice(high * wide, count, replace=False)
    return Lattice(high, wide, tuple((int(k) // wide, int(k) % wide) for k in places), within)


PLANS: Mapping[str, Callable[[Draw, Layout], tuple[Shape, ...]]] = {
    "center": center,
    "donut": donut,
    "edge-loc": edge_loc,
    "edge-ring": edge_ring,
    "loc": loc,
    "near-full": near_full,
    "random": random,
    "scratch": scratch,
    "none": none,
}


def _lobes(draw: Draw, most: float) -> tuple[tuple[float, float], ...]:
    """Harmonics 2 to 5 of an outline, the higher the weaker."""
    return tuple((draw.between(0, most) / k**0.5, draw.between(0, 2 * pi)) for k in range(1, 5))


def _blob(draw: Draw, x: float, y: float, size: float, oval: float, soft: float) -> Blob:
    stretch = draw.between(1, oval) ** 0.5
    return Blob(
        x, y, size * stretch, size / stretch, draw.between(0, 180), _lobes(draw, 0.22), soft
    )


def _arc(draw: Draw, layout: Layout, middle_deg: float, count: int) -> Rim:
    """A shallow piece of the rim: long ones on few wafers, short ones at least three dies."""
    shortest = 3.5 * 360 / (pi * min(layout.dies.shape))
    longest = 220 if count == 1 and draw.chance(0.15) else 110
    span = draw.between(shortest, max(shortest + 10, longest))
    depth = draw.between(1.0, 2.5) if draw.chance(0.6) else draw.between(2, 6)
    depth = min(depth, 0.13 * min(layout.dies.shape))
    return Rim(max(depth, 1.0), middle_deg, span, draw.between(0, 0.7))


def _rim_blob(draw: Draw, layout: Layout, middle_deg: float) -> Blob:
    """A blob whose centre is near the rim."""
    along = max(draw.log_between(0.12, 0.6), 2.5 * least(layout))
    across = max(along * draw.between(0.35, 1), 2 * least(layout))
    far = 1 - across * draw.between(0.05, 0.6)
    x, y = far * sin(radians(middle_deg)), far * cos(radians(middle_deg))
    soft = draw.between(0.05, 0.5) if draw.chance(0.7) else draw.between(0.6, 1.4)
    return Blob(x, y, along, across, middle_deg + 90, _lobes(draw, 0.15), soft)


def _segment(draw: Draw, middle_deg: float) -> Blob:
    """What a straight cut leaves at the rim: the end of a disk far larger than the wafer."""
    depth, radius = draw.between(0.15, 0.5), 5.0
    far = 1 - depth + radius
    x, y = far * sin(radians(middle_deg)), far * cos(radians(middle_deg))
    return Blob(x, y, radius, radius, soft=draw.between(0.01, 0.06))


def _direction(draw: Draw) -> float:
    """Of a scratch: along rows or columns more often than by chance."""
    what = draw.rng.random()
    return 90.0 if what < 0.12 else 0.0 if what < 0.2 else draw.between(0, 180)


def _line(draw: Draw, layout: Layout, turn_deg: float, bend: float) -> Stroke:
    """A stroke inside the wafer; four in ten begin at the rim."""
    shortest = max(0.2, min(14 * least(layout), 0.5))  # seven dies
    long = draw.log_between(shortest, 1.4)
    if long < 2 * shortest:
        bend /= 3  # a short bent one is a blob on the grid
    for _ in range(20):
        far, angle = draw.rng.random() ** 0.5, draw.between(0, 2 * pi)
        if draw.chance(0.4):
            far = 1 - least(layout)
        x0, y0 = far * sin(angle), far * cos(angle)
        x1 = x0 + long * sin(radians(turn_deg))
        y1 = y0 + long * cos(radians(turn_deg))
        if hypot(x1, y1) < 1 and _inside(x0, y0, x1, y1, bend):
            break
        turn_deg += 180
        long = max(shortest, long * 0.93)
    else:
        x0, y0, x1, y1 = -long / 2, 0.3, long / 2, 0.3
    wide = draw.weighed(((1.0, 0.6), (1.6, 0.25), (2.4, 0.15)))
    dies = long * min(layout.dies.shape) / 2
    wide = min(wide, max(1.0, dies / 7))
    width = (wide, max(1.0, wide * draw.between(0.5, 1.2)))
    gaps: tuple[tuple[float, float], ...] = ()
    if dies > 8 and draw.chance(0.3):
        gaps = tuple(
            (at, at + draw.between(1, 2.5) / dies)
            for at in (draw.between(0.2, 0.75) for _ in range(draw.whole(1, 3)))
        )
    return Stroke(x0, y0, x1, y1, bend, width, gaps)


def _inside(x0: float, y0: float, x1: float, y1: float, bend: float) -> bool:
    """Whether the middle of a stroke lies on the wafer too."""
    x, y = (x0 + x1) / 2 + (y1 - y0) * bend, (y0 + y1) / 2 - (x1 - x0) * bend
    return hypot(x, y) < 0.97

"""What is true of a drawn wafer, slot by slot, from what was planted.

Choices say what holds (true) and what is neither right nor wrong (possible); numbers carry the
tolerance within which a statement is right. Counts and rates are counted on the map itself, which
is what they are about; all else follows from the plan: shapes, outlines, and the dies that fail
because of them. Nothing is detected. docs/wafermap-generator.md states every rule in a table.
"""

from collections.abc import Iterable
from math import atan, atan2, degrees, hypot

import numpy as np

from fabsight.wafermap.borders import length_dies, patterns
from fabsight.wafermap.claims import (
    ALL_ROUND,
    CHOICES,
    UNDEFINED,
    Choice,
    Clock,
    Description,
    Number,
)
from fabsight.wafermap.geometry import QUADRANTS, ZONES, hours
from fabsight.wafermap.patterns import Blob, Flood, Part, Rim, Ring, Stroke, around
from fabsight.wafermap.plots import Plot, covered_deg

MOST_OF_IT, SOME_OF_IT = (
    0.3,
    0.1,
)  # shares of a part's failing dies that make a place true, possible
FULL, HALF_FULL = 0.5, 0.25  # shares of a place's dies that fail because of a part, likewise
SURROUNDS = 0.15  # in every quadrant: the part has no quarter
CLOSED_DEG, OPEN_DEG = 335, 285  # held in: all round from here; an interval to here; else None
RATE_TOLERANCE = 0.5  # percentage points: a rate said in whole per cent is right


def describe(plot: Plot) -> Description:
    """The description of a drawn wafer; root causes are left open."""
    choices = {
        "pattern": patterns(plot),
        "zone": zones(plot),
        "quadrant": quadrants(plot),
        "morphology": morphologies(plot),
        "arrangement": arrangement(plot),
        "symmetry": symmetry(plot),
        "repeats": repeats(plot),
    }
    numbers = {**counts(plot), **measures(plot)}
    return Description(choices, numbers, clock(plot))


def zones(plot: Plot) -> Choice:
    """Zones where a part has >= 30 % of its dies or that it fails by half; possible 10 % and 25 %.

    Random dies, a clean wafer and lattices are in all zones and concentrate in none: all possible.
    So is the edge where the outermost dies fail twice as often by chance as others.
    """
    if not plot.local and not any(p.pattern == "near-full" for p in plot.floods):
        return Choice((), ZONES)
    true, possible = np.zeros(5, bool), np.zeros(5, bool)
    for part in plot.local or plot.floods:
        found = plot.by_zone(part.mask)
        share, full = found / max(found.sum(), 1), found / np.maximum(plot.zone_dies, 1)
        true |= (share >= MOST_OF_IT) | (full >= FULL)
        possible |= (share >= SOME_OF_IT) | (full >= HALF_FULL)
    if plot.rim_chance > max(0.05, 2 * plot.background.rate):
        possible[-1] = True
    if any(p.pattern == "random" for p in plot.floods):
        possible[:] = True
    return _chosen(ZONES, true, possible)


def quadrants(plot: Plot) -> Choice:
    """Quadrants where a part has >= 30 % of its dies; possible >= 10 %.

    A part with >= 15 % in each quadrant lies around the centre: none is true, all are possible; so
    for maps without a part that lies somewhere.
    """
    true, possible = np.zeros(4, bool), np.zeros(4, bool)
    for part in plot.local:
        found = plot.by_quadrant(part.mask)
        share = found / max(found.sum(), 1)
        if share.min() >= SURROUNDS:
            possible[:] = True
        else:
            true |= share >= MOST_OF_IT
            possible |= share >= SOME_OF_IT
    if len(plot.local) < len(plot.parts) or not plot.parts:
        possible[:] = True
    return _chosen(QUADRANTS, true, possible)


def morphologies(plot: Plot) -> Choice:
    """What the parts look like, by their shapes; `_looks` has the rules.

    Dies that fail by chance are scattered: true where there is nothing else, possible where they
    are 2 % or more. Sites of a probe card that fail more often make stripes possible.
    """
    true: set[str] = set()
    possible: set[str] = set()
    for part in plot.local:
        has, may = _looks(part, plot)
        true |= has
        possible |= may
    for flood in plot.floods:
        if flood.pattern == "random":
            true.add("scattered")
        else:
            possible |= {"blob", "scattered"}
    for lattice in plot.lattices:
        possible |= {"striped", "scattered", "line"}
        if lattice.kind != "reticle":
            true.add("striped")
    if not plot.parts:
        true.add("scattered")
    if plot.background.rate >= 0.02:
        possible.add("scattered")
    if plot.background.stripes is not None or any(p.textured for p in plot.parts):
        possible.add("striped")
    return _named("morphology", true, possible)


def arrangement(plot: Plot) -> Choice:
    """Clustered where a part lies somewhere, random where dies fail evenly.

    Both are possible for near-full maps, lattices and uneven chance; random also where parts make
    less than 60 % of the failing dies.
    """
    true: set[str] = set()
    possible: set[str] = set()
    background = plot.background
    if plot.local:
        true.add("clustered")
        if plot.planted_share < 0.6:
            possible.add("random")
    elif plot.lattices or any(p.pattern == "near-full" for p in plot.floods):
        possible |= {"clustered", "random"}
    else:
        true.add("random")
        uneven = [hypot(background.tilt_x, background.tilt_y), abs(background.centre - 1)]
        for flood in (p.shape for p in plot.parts if isinstance(p.shape, Flood)):
            uneven += [hypot(flood.tilt_x, flood.tilt_y), abs(flood.bowl), flood.wave[0]]
        if max(uneven) > 0.15 or plot.rim_chance > 1.5 * background.rate:
            possible.add("clustered")
    return _named("arrangement", true, possible)


def symmetry(plot: Plot) -> Choice:
    """By how far the planted dies' centre of mass lies off the wafer's centre.

    As a share of their mean radius (0.4 at least): up to 0.15 symmetric, from 0.45 one-sided,
    both possible between, and where parts make less than 40 % of the failing dies. A clean map is
    symmetric where chance leans to no side by 15 % and 30 dies fail, else both are possible.
    """
    both = Choice((), CHOICES["symmetry"])
    if not plot.planted.any():
        lean = hypot(plot.background.tilt_x, plot.background.tilt_y)
        return both if lean > 0.15 or plot.fails < 30 else Choice(("symmetric",))
    union, disk = plot.planted, plot.layout.disk
    x, y = float(disk.x[union].mean()), float(disk.y[union].mean())
    off = hypot(x, y) / max(float(disk.radius[union].mean()), 0.4)
    if 0.15 < off < 0.45:
        return both
    true, other = ("symmetric", "one-sided") if off <= 0.15 else ("one-sided", "symmetric")
    return Choice((true,), (other,) if plot.planted_share < 0.4 else ())


def repeats(plot: Plot) -> Choice:
    """What was planted as a lattice, else none.

    Possible: rows and columns of a reticle lattice with two rows or columns a field; both the
    stripes and none, where single sites of a probe card fail more often.
    """
    true = {lattice.kind for lattice in plot.lattices}
    possible: set[str] = set()
    for lattice in plot.lattices:
        possible |= {"columns"} if lattice.rows == 2 else set()
        possible |= {"rows"} if lattice.columns == 2 else set()
        possible |= {"reticle"}  # whole rows or columns repeat in each field, too
    if plot.background.stripes is not None:
        possible |= {"none", plot.background.stripes.kind}
    if any(p.textured for p in plot.parts):
        possible |= {"none", "columns"}
    if not true and not possible:
        true = {"none"}
    return _named("repeats", true, possible)


def clock(plot: Plot) -> Clock | None:
    """Where around the clock; None where the parts say different things or a border is near.

    A ring or rim whose widest gap is <= 25 degrees lies all round, one of an interval <= 285 in
    that. Blobs and lines lie in the interval that holds the dies inside their outline;
    undefined where that is half the clock or more. Each end may be off by 0.75 h and an eighth of
    the interval. Maps without a part that lies somewhere have no clock position.
    """
    if not plot.local:
        return Clock(UNDEFINED)
    found = [_placed(part, plot) for part in plot.local]
    words = {one if isinstance(one, str) else "" for one in found}
    if words == {""}:
        return _interval(found)
    if len(words) == 1 and words <= {ALL_ROUND, UNDEFINED}:
        return Clock(words.pop())
    return None


def counts(plot: Plot) -> dict[str, Number]:
    """Dies, failing dies, fail rate and yield, of the wafer and of each zone and quadrant."""
    places = ["", *(f"@{zone}" for zone in ZONES), *(f"@{quadrant}" for quadrant in QUADRANTS)]
    dies = [plot.dies, *plot.zone_dies, *plot.by_quadrant(plot.layout.dies)]
    fails = [plot.fails, *plot.by_zone(plot.failing), *plot.by_quadrant(plot.failing)]
    found = {}
    for place, all_, failing in zip(places, map(int, dies), map(int, fails), strict=True):
        if all_:
            found[f"dies{place}"] = Number(all_)
            found[f"fails{place}"] = Number(failing)
            found[f"fail_rate{place}"] = Number(100 * failing / all_, RATE_TOLERANCE)
    if plot.dies:
        found["yield"] = Number(100 * (1 - plot.fail_share), RATE_TOLERANCE)
    return found


def measures(plot: Plot) -> dict[str, Number]:
    """What the plan says of its parts: clusters, arc, radius, length, angle.

    clusters: The parts that lie somewhere, 1 of a near-full map, 0 of a clean one; off by as many
        as their outlines have pieces more or fewer. Not for random maps and lattices.
    arc: Degrees of the rim that parts cover: of a Rim by its plan, of others by the share of
        outermost dies inside the outline. Not where over 20 % of the rim fail by chance.
    radius: Of the one ring or closed rim, midway between its edges.
    length, angle: Of the one line, along its path, and of its chord.
    """
    found = {}
    random = any(p.pattern == "random" for p in plot.floods)
    if not random and not plot.lattices:
        found["clusters"] = _clusters(plot)
        if plot.rim_chance <= 0.2:
            covered = _rim_deg(plot)
            found["arc"] = Number(covered, 20 + 0.1 * covered if covered else 10)
    rings = [p.shape for p in plot.parts if p.pattern in ("donut", "edge-ring")]
    if len(rings) == 1:
        found["radius"] = _radius(rings[0], plot)
    lines = [p.shape for p in plot.parts if isinstance(p.shape, Stroke)]
    if len(lines) == 1:
        found |= _line(lines[0], plot)
    return found


def _looks(part: Part, plot: Plot) -> tuple[set[str], set[str]]:
    """(true, possible) of a part's shape.

    Rings are rings from 200 degrees, possibly arcs below 315; below that arcs, possibly rings.
    Rims likewise with 270 degrees, possibly rings from 180; rims less than four times as long as
    deep are possibly blobs. Blobs are blobs, possibly lines from 2.5 times as long as wide, arcs
    from twice at the rim, scattered where they fade. Lines are lines, and arcs from a bend of 0.12,
    possibly from 0.05; possibly blobs below 5 widths.
    """
    shape, may = part.shape, set[str]()
    if isinstance(shape, (Ring, Rim)):
        return _looks_round(shape, plot)
    if isinstance(shape, Stroke):
        has = {"line"}
        if abs(shape.bend) >= 0.05:
            (has if abs(shape.bend) >= 0.12 else may).add("arc")
        if length_dies(shape, plot) < 5 * max(shape.width):
            may.add("blob")
        return has, may
    if isinstance(shape, Blob):
        long = shape.along / shape.across
        may |= {"line"} if max(long, 1 / long) > 2.5 else set()
        may |= {"arc"} if max(long, 1 / long) > 2 and part.pattern == "edge-loc" else set()
        may |= {"scattered"} if shape.soft > 0.8 or part.probability < 0.65 else set()
    return {"blob"}, may


def _looks_round(shape: Ring | Rim, plot: Plot) -> tuple[set[str], set[str]]:
    covered = covered_deg([shape])
    closed = 200 if isinstance(shape, Ring) else 270
    has, may = ({"ring"} if covered >= closed else {"arc"}), set[str]()
    if closed - 90 <= covered < 315:
        may |= {"ring", "arc"} - has
    if isinstance(shape, Rim):
        along = covered / 360 * np.pi * min(plot.grid.shape)
        may |= {"blob"} if along < 4 * shape.depth else set()
    elif shape.inner < 0.2 or shape.outer - shape.inner > 0.35 or covered < 220:
        may.add("blob")
    return has, may


def _placed(part: Part, plot: Plot) -> str | tuple[float, float]:
    """A clock word, "unclear", or (from, to) in degrees, from < to."""
    if isinstance(part.shape, (Ring, Rim)):
        start, stop = _narrowest(np.flatnonzero(around(part.shape)).astype(np.float32))
        if stop - start >= CLOSED_DEG:
            return ALL_ROUND
        return "unclear" if stop - start > OPEN_DEG else (start, stop)
    inside = part.extent & (plot.layout.disk.radius > 0.12)
    held = np.sort(plot.layout.disk.clock_deg[inside])
    if part.pattern == "center" or not len(held):
        return UNDEFINED
    start, stop = _narrowest(held)
    if stop - start >= 150:
        return UNDEFINED if stop - start >= 180 and isinstance(part.shape, Blob) else "unclear"
    return start, stop


def _narrowest(held: np.ndarray) -> tuple[float, float]:
    """The narrowest interval that holds sorted clock positions, degrees."""
    gaps = np.diff(held, append=held[0] + 360)
    widest = int(gaps.argmax())
    start = float(held[(widest + 1) % len(held)])
    return start, start + 360 - float(gaps[widest])


def _interval(found: Iterable[str | tuple[float, float]]) -> Clock | None:
    """One interval that holds all, None where they lie apart."""
    spans = [one for one in found if not isinstance(one, str)]
    edges = np.sort(
        np.concatenate([np.arange(start, stop + 1, 2.0) % 360 for start, stop in spans])
    )
    start, stop = _narrowest(edges.astype(np.float32))
    if len(spans) > 1 and stop - start > max(b - a for a, b in spans) + 30:
        return None
    return Clock("", hours(start), hours(stop), 0.75 + (stop - start) / 240)


def _clusters(plot: Plot) -> Number:
    import cv2

    if not plot.local:
        return Number(len(plot.floods), 0 if plot.floods or plot.background.rate < 0.02 else 1)
    union = np.zeros_like(plot.failing)
    for part in plot.local:
        union |= part.extent
    pieces = cv2.connectedComponents(union.astype(np.uint8), connectivity=8)[0] - 1
    return Number(len(plot.local), abs(pieces - len(plot.local)))


def _rim_deg(plot: Plot) -> float:
    covered = np.zeros(360, bool)
    owned = np.zeros_like(plot.failing)
    for part in plot.parts:
        if isinstance(part.shape, Rim):
            covered |= around(part.shape)
        else:
            owned |= part.extent
    if owned.any():
        at = np.floor(plot.layout.disk.clock_deg[plot.outermost]).astype(int) % 360
        inside = owned[plot.outermost]
        order = np.argsort(at, kind="stable")
        nearest = np.searchsorted(at[order], np.arange(360)).clip(max=len(at) - 1)
        covered |= inside[order][nearest]
    return float(covered.sum())


def _radius(shape: object, plot: Plot) -> Number:
    if isinstance(shape, Ring):
        aside = hypot(shape.x - shape.hole_x, shape.y - shape.hole_y) + hypot(shape.x, shape.y)
        return Number((shape.inner + shape.outer) / 2, 0.08 + aside / 2)
    assert isinstance(shape, Rim)
    return Number(1 - shape.depth / min(plot.grid.shape), 0.1)


def _line(stroke: Stroke, plot: Plot) -> dict[str, Number]:
    long = length_dies(stroke, plot)
    lost = sum(stop - start for start, stop in stroke.gaps)
    angle = degrees(atan2(stroke.x1 - stroke.x0, stroke.y1 - stroke.y0)) % 180
    spread = 8 + degrees(atan(max(stroke.width) / long) + atan(2 * abs(stroke.bend)))
    return {
        "length": Number(long, max(2, 0.25 * long + lost * long)),
        "angle": Number(angle, spread),
    }


def _chosen(names: tuple[str, ...], true: np.ndarray, possible: np.ndarray) -> Choice:
    return Choice(
        tuple(n for n, t in zip(names, true, strict=True) if t),
        tuple(n for n, t, p in zip(names, true, possible, strict=True) if p and not t),
    )


def _named(slot: str, true: set[str], possible: set[str]) -> Choice:
    names = CHOICES[slot]
    return Choice(
        tuple(n for n in names if n in true),
        tuple(n for n in names if n in possible - true),
    )

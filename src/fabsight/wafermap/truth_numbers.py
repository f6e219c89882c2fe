"""Where around the clock planted parts lie, and the numbers that are true of a drawn wafer."""

from collections.abc import Iterable
from math import atan, atan2, degrees, hypot

import numpy as np
from jaxtyping import Bool

from fabsight.wafermap.borders import length_dies
from fabsight.wafermap.claims import ALL_ROUND, UNDEFINED, Clock, Number
from fabsight.wafermap.geometry import QUADRANTS, ZONES, hours
from fabsight.wafermap.patterns import Blob, Part, Rim, Ring, Stroke, around
from fabsight.wafermap.plots import Plot

CLOSED_DEG, OPEN_DEG = 335, 285  # held in: all round from here; an interval to here; else None
SPREAD_DEG = 45.0  # two parts at one place
UNSURE = 8.0  # standard deviations: a fainter part may not be counted
RATE_TOLERANCE = 0.5  # percentage points: a rate said in whole per cent is right


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
        as their outlines, or their failing dies, have pieces more or fewer, and as stand out by
        less than 8 standard deviations. Not for random maps and lattices.
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
    if len(rings) == 1 and isinstance(rings[0], (Ring, Rim)):
        found["radius"] = _radius(rings[0], plot)
    lines = [p.shape for p in plot.parts if isinstance(p.shape, Stroke)]
    if len(lines) == 1:
        found |= _line(lines[0], plot)
    return found


def _placed(part: Part, plot: Plot) -> str | tuple[float, float]:
    """A clock word, "unclear", or (from, to) in degrees, from < to."""
    if isinstance(part.shape, (Ring, Rim)):
        start, stop = narrowest(np.flatnonzero(around(part.shape)).astype(np.float32))
        if stop - start >= CLOSED_DEG:
            return ALL_ROUND
        return "unclear" if stop - start > OPEN_DEG else (start, stop)
    inside = part.extent & (plot.layout.disk.radius > 0.12)
    held = np.sort(plot.layout.disk.clock_deg[inside])
    if part.pattern == "center" or not len(held):
        return UNDEFINED
    start, stop = narrowest(held)
    if stop - start >= 150:
        return UNDEFINED if stop - start >= 180 and isinstance(part.shape, Blob) else "unclear"
    return start, stop


def narrowest(held: np.ndarray) -> tuple[float, float]:
    """The narrowest interval that holds sorted clock positions, degrees."""
    gaps = np.diff(held, append=held[0] + 360)
    widest = int(gaps.argmax())
    start = float(held[(widest + 1) % len(held)])
    return start, start + 360 - float(gaps[widest])


def _interval(found: Iterable[str | tuple[float, float]]) -> Clock | None:
    """One interval that holds all, None where it is 45 degrees wider than one of them."""
    spans = [one for one in found if not isinstance(one, str)]
    edges = np.sort(
        np.concatenate([np.arange(start, stop + 1, 2.0) % 360 for start, stop in spans])
    )
    start, stop = narrowest(edges.astype(np.float32))
    if stop - start > min(b - a for a, b in spans) + SPREAD_DEG:
        return None
    return Clock("", hours(start), hours(stop), 0.75 + (stop - start) / 240)


def _clusters(plot: Plot) -> Number:
    if not plot.local:
        return Number(len(plot.floods), 0 if plot.floods or plot.background.rate < 0.02 else 1)
    count = len(plot.local)
    outlines, dies = np.zeros_like(plot.failing), np.zeros_like(plot.failing)
    for part in plot.local:
        outlines |= part.extent
        dies |= part.mask
    off = max(abs(pieces - count) for pieces in (_pieces(outlines), _pieces(dies)))
    return Number(count, max(off, sum(signal < UNSURE for signal in plot.signals)))


def _pieces(mask: Bool[np.ndarray, "rows columns"]) -> int:
    """Groups of at least three dies that touch by a side or a corner."""
    import cv2

    sizes = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)[2]
    return int((sizes[1:, cv2.CC_STAT_AREA] >= 3).sum())


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


def _radius(shape: Ring | Rim, plot: Plot) -> Number:
    if isinstance(shape, Ring):
        aside = hypot(shape.x - shape.hole_x, shape.y - shape.hole_y) + hypot(shape.x, shape.y)
        return Number((shape.inner + shape.outer) / 2, 0.08 + aside / 2)
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

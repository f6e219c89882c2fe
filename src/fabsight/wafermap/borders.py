"""Which patterns a drawn map has, and which other class's name fits it as well.

The classes of WM-811K border on each other, and people drew the borders differently. A plan near
a border keeps its own name as true and gets its neighbour's as possible, by these rules:

    center      loc where its centre lies > 0.12 of the radius off; random where wide and fading
    donut       center: a hole of radius < 0.2 or fewer than 9 dies; edge-ring: out to > 0.85;
                loc: less than 220 deg; random: thin or large
    edge-loc    edge-ring: all such parts cover > 200 deg; loc: over half of it inside the edge zone
    edge-ring   edge-loc: less than 315 deg; donut: deeper than a quarter of the radius
    loc         center: its centre < 0.4 off; edge-loc: it reaches the rim; scratch: 2.5 times as
                long as wide; random: over 30 % of the dies
    near-full   random: below 82 % fail
    random      near-full: over 68 % fail; none: below 32 % fail; center, loc, edge-ring: that way
                uneven
    scratch     loc: less than 8 dies or 4 widths long; edge-loc: half of it in the edge zone
    none        random: over 14 % expected; edge-ring, edge-loc: over 18 % expected at the rim and
                twice the rate; center, loc, scratch: over 17 % expected, where chance makes clumps

A part that stands out by less than 6.5 standard deviations of the background may be none. One that
others cover by half is possible, not true; so is one of less than 5 standard deviations or 4 dies,
which the generator avoids. Where 20 % fail by chance random is possible, where 30 %
do at the rim edge-ring, where a lattice is planted random and scratch.
"""

from collections.abc import Iterator
from math import hypot

import numpy as np

from fabsight.wafermap.claims import PATTERNS, Choice
from fabsight.wafermap.patterns import Blob, Flood, Part, Rim, Ring, Stroke, path
from fabsight.wafermap.plots import Plot, covered_deg

WEAK, FAINT = 6.5, 5.0  # standard deviations
FEWEST = 4  # dies that fail because of a part that shows
HIDDEN = 0.5  # share of a part that others cover


def patterns(plot: Plot) -> Choice:
    """The patterns of a map, in the order of PATTERNS; ("none",) where none is planted."""
    named = [p for p in plot.parts if p.pattern in PATTERNS]
    planted = {p.pattern for p in named}
    shown = {
        part.pattern
        for part, signal in zip(plot.parts, plot.signals, strict=True)
        if signal >= FAINT and part.mask.sum() >= FEWEST
    }
    hidden = {p.pattern for p in named if _hidden(p, named)}
    seen = planted & shown
    true = seen - hidden or seen or {"none"}
    possible = planted - true
    for part, signal in zip(plot.parts, plot.signals, strict=True):
        possible |= set(_neighbours(part, plot))
        if signal < WEAK and len(named) == 1:
            possible.add("none")
    possible |= set(_by_chance(plot, true))
    return Choice(
        tuple(p for p in PATTERNS if p in true),
        tuple(p for p in PATTERNS if p in possible - true),
    )


def length_dies(stroke: Stroke, plot: Plot) -> float:
    """Length of a stroke along its path, both end dies included, in dies."""
    at = path(stroke, plot.layout)
    return float(np.hypot(*np.diff(at, axis=0).T).sum()) + 1


def _neighbours(part: Part, plot: Plot) -> Iterator[str]:
    match part.pattern, part.shape:
        case "center" | "loc", Blob() as blob:
            yield from _of_blob(part, blob, plot)
        case "donut", Ring() as ring:
            yield from _of_donut(part, ring, plot)
        case "edge-loc", _:
            yield from _of_edge_loc(part, plot)
        case "edge-ring", Rim() as rim:
            if covered_deg([rim]) < 315:
                yield "edge-loc"
            if rim.depth > 0.125 * min(plot.grid.shape):
                yield "donut"
        case "near-full" | "random", Flood() as flood:
            yield from _of_flood(part, flood, plot)
        case "scratch", Stroke() as stroke:
            yield from _of_scratch(part, stroke, plot)
        case _:
            yield from ("random", "scratch")


def _of_blob(part: Part, blob: Blob, plot: Plot) -> Iterator[str]:
    far, large = hypot(blob.x, blob.y), part.extent.sum() / max(plot.dies, 1)
    if part.pattern == "center":
        if far > 0.12:
            yield "loc"
        if blob.soft > 0.8 and large > 0.2:
            yield "random"
        return
    if far < 0.4:
        yield "center"
    if (part.extent & plot.outermost).any() or far + blob.along > 0.95:
        yield "edge-loc"
    if blob.along > 2.5 * blob.across:
        yield "scratch"
    if large > 0.3:
        yield "random"


def _of_donut(part: Part, ring: Ring, plot: Plot) -> Iterator[str]:
    covered = covered_deg([ring])
    if ring.inner < 0.2 or ring.inner**2 * plot.dies < 9:
        yield "center"
    if hypot(ring.x, ring.y) + ring.outer > 0.85:
        yield "edge-ring"
        if covered < 300:
            yield "edge-loc"
    if covered < 220:
        yield "loc"
    if part.extent.sum() > 0.5 * plot.dies or part.probability < 0.65:
        yield "random"


def _of_edge_loc(part: Part, plot: Plot) -> Iterator[str]:
    same = [p.shape for p in plot.parts if p.pattern == "edge-loc"]
    rims = [shape for shape in same if isinstance(shape, Rim)]
    if covered_deg(rims) > 200:
        yield "edge-ring"
    zones = plot.by_zone(part.mask)
    if isinstance(part.shape, Blob) and 2 * zones[:-1].sum() > zones.sum():
        yield "loc"
    if part.extent.sum() > 0.35 * plot.dies:
        yield "random"


def _of_flood(part: Part, flood: Flood, plot: Plot) -> Iterator[str]:
    if part.pattern == "near-full":
        if plot.fail_share < 0.82:
            yield "random"
        return
    if plot.fail_share > 0.68:
        yield "near-full"
    if plot.fail_share < 0.32:
        yield "none"
    if flood.bowl < -0.2:
        yield "center"
    if flood.bowl > 0.2:
        yield "edge-ring"
    if hypot(flood.tilt_x, flood.tilt_y) > 0.3 or flood.wave[0] > 0.2:
        yield from ("loc", "edge-loc")


def _of_scratch(part: Part, stroke: Stroke, plot: Plot) -> Iterator[str]:
    long = length_dies(stroke, plot)
    if long < max(8, 4 * max(stroke.width)):
        yield "loc"
    zones = plot.by_zone(part.mask)
    if 2 * zones[-1] > zones.sum():
        yield "edge-loc"


def _by_chance(plot: Plot, true: set[str]) -> Iterator[str]:
    rate = plot.background.rate
    if rate > 0.2:
        yield "random"
    if plot.rim_chance > 0.3 and plot.rim_chance > 2 * rate:
        yield "edge-ring"
    if true != {"none"}:
        return
    if rate > 0.14:
        yield "random"
    if plot.rim_chance > max(0.18, 2 * rate):
        yield from ("edge-ring", "edge-loc")
    if rate > 0.17:
        yield from ("center", "loc", "scratch")


def _hidden(part: Part, parts: list[Part]) -> bool:
    """Whether other patterns cover half of a part."""
    others = [p.extent for p in parts if p.pattern != part.pattern]
    if not others:
        return False
    union = others[0]
    for extent in others[1:]:
        union = union | extent
    return bool((part.extent & union).sum() >= HIDDEN * part.extent.sum())

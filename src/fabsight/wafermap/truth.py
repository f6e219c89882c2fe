"""What is true of a drawn wafer, slot by slot, from what was planted.

Choices say what holds (true) and what is neither right nor wrong (possible); numbers carry the
tolerance within which a statement is right. Counts and rates are counted on the map itself, which
is what they are about; all else follows from the plan: shapes, outlines, and the dies that fail
because of them. Nothing is detected. docs/wafermap-generator.md states every rule in a table.
"""

from math import hypot, radians, sqrt

import numpy as np
from jaxtyping import Bool

from fabsight.wafermap.borders import length_dies, patterns
from fabsight.wafermap.claims import CHOICES, Choice, Description
from fabsight.wafermap.geometry import QUADRANTS, ZONES
from fabsight.wafermap.patterns import Blob, Flood, Lattice, Part, Rim, Ring, Stroke
from fabsight.wafermap.plots import Plot, covered_deg
from fabsight.wafermap.truth_numbers import clock, counts, measures, narrowest

MOST_OF_IT, SOME_OF_IT = 0.3, 0.1  # shares of a part's dies that make a place true, possible
FULL, HALF_FULL = 0.5, 0.25  # shares of a place's dies that fail because of a part, likewise
SURROUNDS, CENTRED = 0.15, 0.12  # share in every quadrant, or offset: the part has no quarter
CLEAR = 10  # dies and standard deviations by which repeating sites stand out
EVEN, ONE_SIDED = 0.15, 0.45  # how far off the centre of mass is


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

    A part with >= 15 % in each quadrant lies around the centre, and so does one (no line) whose
    planted dies have their centre of mass within 0.12 of it: none is true, all are possible. So for
    maps without a part that lies somewhere.
    """
    true, possible = np.zeros(4, bool), np.zeros(4, bool)
    for part in plot.local:
        found = plot.by_quadrant(part.mask)
        share = found / max(found.sum(), 1)
        if share.min() >= SURROUNDS or _centred(part, plot):
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
    both possible between, and where parts make less than 40 % of the failing dies. One-sided is
    possible, too, where a single part is off by more than 0.15. A clean map is symmetric where
    chance leans to no side by 15 % and 30 dies fail, else both are possible.
    """
    both = Choice((), CHOICES["symmetry"])
    if not plot.planted.any():
        lean = hypot(plot.background.tilt_x, plot.background.tilt_y)
        return both if lean > 0.15 or plot.fails < 30 else Choice(("symmetric",))
    off = _off(plot.planted, plot)
    if EVEN < off < ONE_SIDED:
        return both
    true, other = ("symmetric", "one-sided") if off <= EVEN else ("one-sided", "symmetric")
    open_ = plot.planted_share < 0.4
    if true == "symmetric":
        open_ |= any(part.mask.any() and _off(part.mask, plot) > EVEN for part in plot.local)
    return Choice((true,), (other,) if open_ else ())


def repeats(plot: Plot) -> Choice:
    """What was planted as a lattice, else none.

    A lattice is true where its sites outside of other parts' outlines stand out by ten standard
    deviations of the background and ten dies, else it and none are possible. Possible besides: rows
    and columns of a reticle lattice, whose sites repeat along both, reticle of rows and columns,
    which repeat in each field; the stripes and none, where single sites of a probe card fail more.
    """
    true: set[str] = set()
    possible: set[str] = set()
    for part in plot.parts:
        if not isinstance(part.shape, Lattice):
            continue
        kind = part.shape.kind
        if _alone(part, plot):
            true.add(kind)
        else:
            possible |= {kind, "none"}
        possible |= {"rows", "columns"} if kind == "reticle" else {"reticle"}
    if plot.background.stripes is not None:
        possible |= {"none", plot.background.stripes.kind}
    if any(p.textured for p in plot.parts):
        possible |= {"none", "columns"}
    if not true and not possible:
        true = {"none"}
    return _named("repeats", true, possible)


def _off(mask: Bool[np.ndarray, "rows columns"], plot: Plot) -> float:
    """How far the centre of mass lies off the wafer's, as a share of the mean radius."""
    disk = plot.layout.disk
    x, y = float(disk.x[mask].mean()), float(disk.y[mask].mean())
    return hypot(x, y) / max(float(disk.radius[mask].mean()), 0.4)


def _alone(part: Part, plot: Plot) -> bool:
    """Whether a lattice stands out of the background where no other part lies."""
    sites = part.extent.copy()
    for other in plot.local:
        sites &= ~(other.extent | other.mask)
    chance, fails = plot.chance[sites], int((part.mask & sites).sum())
    spread = float((chance * (1 - chance)).sum())
    return min(fails, (fails - float(chance.sum())) / sqrt(spread + 1)) >= CLEAR


def _centred(part: Part, plot: Plot) -> bool:
    """Whether a blob or ring lies about the wafer's centre."""
    if isinstance(part.shape, Stroke) or not part.mask.any():
        return False
    disk = plot.layout.disk
    return hypot(float(disk.x[part.mask].mean()), float(disk.y[part.mask].mean())) < CENTRED


def _looks(part: Part, plot: Plot) -> tuple[set[str], set[str]]:
    """(true, possible) of a part's shape.

    Rings are rings from 200 degrees, possibly arcs below 315; below that arcs, possibly rings.
    Rims likewise with 270 degrees, possibly rings from 180; rims less than four times as long as
    deep are possibly blobs. Blobs are blobs, possibly lines from 2.5 times as long as wide, arcs
    where what the rim leaves of them is 1.8 times as long as deep, scattered where they fade. Lines
    are lines, and arcs from a bend of 0.12, possibly from 0.05 (less where 0.3 of a die is as
    much); possibly blobs below 5 widths.
    """
    shape, may = part.shape, set[str]()
    if isinstance(shape, (Ring, Rim)):
        return _looks_round(shape, plot)
    if isinstance(shape, Stroke):
        has, long = {"line"}, length_dies(shape, plot)
        if abs(shape.bend) >= 0.05 - 0.3 / long:
            (has if abs(shape.bend) >= 0.12 else may).add("arc")
        if long < 5 * max(shape.width):
            may.add("blob")
        return has, may
    if isinstance(shape, Blob):
        long = shape.along / shape.across
        may |= {"line"} if max(long, 1 / long) > 2.5 else set()
        may |= {"arc"} if part.pattern == "edge-loc" and _along_the_rim(part, plot) else set()
        may |= {"scattered"} if shape.soft > 0.8 or part.probability < 0.65 else set()
    return {"blob"}, may


def _along_the_rim(part: Part, plot: Plot) -> bool:
    """Whether a part at the rim is 1.8 times as long as deep, as far as there are dies."""
    disk = plot.layout.disk
    if not part.extent.any():
        return False
    start, stop = narrowest(np.sort(disk.clock_deg[part.extent]))
    deep = 1 - float(disk.radius[part.extent].min())
    return radians(stop - start) > 1.8 * max(deep, 1 / float(min(plot.grid.shape)))


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

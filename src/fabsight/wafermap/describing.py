"""From facts to a description: what measured numbers say of each slot, and where they are silent.

    grid --facts.measure--> Facts --describe--> Description

Every rule has a band in which nothing is said: a value inside it is `possible`, so that a claim
about it is neither supported nor contradicted. docs/wafermap-claims.md lists the rules.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float64

from fabsight.wafermap.causes import hypotheses
from fabsight.wafermap.claims import (
    ALL_ROUND,
    CHOICES,
    MORPHOLOGIES,
    UNDEFINED,
    Choice,
    Clock,
    Description,
    Number,
)
from fabsight.wafermap.facts import HELD, Facts
from fabsight.wafermap.geometry import QUADRANTS, ZONES, disk, hours
from fabsight.wafermap.rates import Rates

RATE_TOLERANCE = 0.5  # percentage points
MOST_OF_IT, SOME_OF_IT = 0.28, 0.05  # shares of the core that a place holds
FULL, HALF_FULL = 0.5, 0.2  # shares of a place's dies that belong to the core
SURROUNDS = 0.13  # in every quadrant: the core has no quarter
NEAR_CENTRE, OFF_CENTRE = 0.12, 0.45  # of the core's centre of mass, in its mean radii
LEAST_RADIUS = 0.4
CLOSED_DEG, OPEN_DEG = 320.0, 240.0  # of a ring that is closed, that is surely open
LONG, ROUND = 3.0, 1.8  # elongation of an arc along the rim, of a blob there
PARTED_DEG = 45.0  # an empty part of the core's arc from which it is two places
FAINT_SHARE = 0.4  # of the fails: a ring of which less stands out is known in pieces
PIECE = 0.15  # share of the core of a group that counts
CLUSTERED_Z, RANDOM_Z = 5.0, 2.0  # join counts, standard deviations
BENT_DEG, STRAIGHT_DEG = 45.0, 12.0
EVERYWHERE = ("random", "none", "near-full")  # patterns that lie nowhere in particular
RINGS = ("donut", "edge-ring")


def describe(facts: Facts, pattern: Choice) -> Description:
    """What is true of a map, given which patterns it shows."""
    zone, quadrant = _places(facts, pattern)
    choices = {
        "pattern": pattern,
        "zone": zone,
        "quadrant": quadrant,
        "morphology": _morphology(facts, pattern),
        "arrangement": _arrangement(facts, pattern),
        "symmetry": _symmetry(facts, pattern),
        "repeats": _repeats(facts),
    }
    numbers = {**_counts(facts), **_measures(facts, pattern)}
    seen = Description(choices, numbers, _clock(facts, pattern))
    causes = tuple(found.key for found in hypotheses(seen, most=len(CHOICES) * 4))
    return Description(choices, numbers, seen.clock, causes)


def somewhere(pattern: Choice) -> bool:
    """Whether a pattern is there that lies somewhere."""
    return bool(set(pattern.true) - set(EVERYWHERE))


def _places(facts: Facts, pattern: Choice) -> tuple[Choice, Choice]:
    """Zones and quadrants that hold the core."""
    core = facts.background.core
    at = disk(*core.shape)
    held = np.flatnonzero(core)
    if somewhere(pattern) and not held.size and "edge-ring" in pattern.true:
        return Choice(("edge",), ("outer",)), Choice((), QUADRANTS)
    if not somewhere(pattern) or not held.size:
        near_full = "near-full" in pattern.true
        zone = _of_rates(facts) if near_full else Choice((), ZONES)
        return zone, Choice((), QUADRANTS)
    by_zone = np.bincount(at.zone.ravel()[held], minlength=5)
    share, full = by_zone / held.size, by_zone / np.maximum(facts.zones.dies, 1)
    zones = _banded(
        ZONES,
        np.maximum(share / MOST_OF_IT, full / FULL),
        np.maximum(share / SOME_OF_IT, full / HALF_FULL),
    )
    if "edge-ring" in pattern.true and "edge" not in zones.true:
        zones = Choice((*zones.true, "edge"), tuple(n for n in zones.possible if n != "edge"))
    if _faint_ring(facts, pattern) or _closed(facts, pattern):
        return zones, Choice((), QUADRANTS)
    quarters = np.bincount(at.quadrant.ravel()[held], minlength=4) / held.size
    if quarters.min() >= SURROUNDS:
        return zones, Choice((), QUADRANTS)
    return zones, _banded(QUADRANTS, quarters / MOST_OF_IT, quarters / SOME_OF_IT)


def _faint_ring(facts: Facts, pattern: Choice) -> bool:
    """Whether only pieces of a ring stand out: where they lie says little of where it lies."""
    local = set(pattern.true) - set(EVERYWHERE)
    return bool(local) and local <= set(RINGS) and facts.background.core_share < FAINT_SHARE


def _closed(facts: Facts, pattern: Choice) -> bool:
    """Whether the one pattern is a ring that lies all round."""
    clock = _clock(facts, pattern)
    return clock is not None and clock.word == ALL_ROUND


def _of_rates(facts: Facts) -> Choice:
    rate = np.nan_to_num(facts.zones.rate)
    return _banded(ZONES, rate / FULL, rate / HALF_FULL)


def _banded(
    names: tuple[str, ...], true: Float64[np.ndarray, " n"], possible: Float64[np.ndarray, " n"]
) -> Choice:
    """Names whose measure reaches 1: of `true` ones, and of `possible` ones besides."""
    return Choice(
        tuple(name for name, t in zip(names, true, strict=True) if t >= 1),
        tuple(n for n, t, p in zip(names, true, possible, strict=True) if p >= 1 > t),
    )


def _morphology(facts: Facts, pattern: Choice) -> Choice:
    true: set[str] = set()
    possible: set[str] = set()
    for name in pattern.true:
        has, may = _looks(name, facts)
        true |= has
        possible |= may
    for name in pattern.possible:
        has, may = _looks(name, facts)
        possible |= has | may
    if facts.repeats.kinds:
        possible |= {"striped", "line"}
    if facts.background.rate >= 0.01:
        possible.add("scattered")
    return Choice(
        tuple(name for name in MORPHOLOGIES if name in true),
        tuple(name for name in MORPHOLOGIES if name in possible - true),
    )


def _looks(pattern: str, facts: Facts) -> tuple[set[str], set[str]]:
    """What a pattern's dies look like (true, possible)."""
    covered = facts.edge.coverage_deg
    match pattern:
        case "donut":
            closed = facts.arc.span_deg >= 220
            return ({"ring"} if closed else set()), ({"arc", "blob"} if not closed else {"arc"})
        case "edge-ring":
            return ({"ring"}, {"arc"}) if covered >= 270 else (set(), {"ring", "arc"})
        case "edge-loc":
            return _looks_at_rim(facts)
        case "center" | "loc":
            return {"blob"}, {"scattered", "line"} if pattern == "loc" else {"scattered"}
        case "scratch":
            bend = facts.lines[0].bend_deg if facts.lines else 0.0
            may = {"blob"} | ({"arc"} if bend >= STRAIGHT_DEG else set())
            return {"line"} | ({"arc"} if bend >= BENT_DEG else set()), may
        case "near-full":
            return set(), {"blob", "scattered"}
    return {"scattered"}, set()


def _looks_at_rim(facts: Facts) -> tuple[set[str], set[str]]:
    """An arc along the rim or a blob at it, by the largest group's ellipse."""
    largest = facts.components[0].shape.elongation if facts.components else 0.0
    if largest >= LONG and facts.edge.coverage_deg >= 45:
        return {"arc"}, {"blob", "line"}
    if 0 < largest <= ROUND and facts.edge.coverage_deg < 60:
        return {"blob"}, {"arc"}
    return set(), {"arc", "blob", "line"}


def _arrangement(facts: Facts, pattern: Choice) -> Choice:
    both = Choice((), CHOICES["arrangement"])
    if "near-full" in (*pattern.true, *pattern.possible) or facts.repeats.kinds:
        return both
    z = max(facts.randomness.join_z, facts.randomness.moran_z)
    if somewhere(pattern):
        return Choice(("clustered",), () if z > CLUSTERED_Z else ("random",))
    return Choice(("random",)) if z < RANDOM_Z else both


def _symmetry(facts: Facts, pattern: Choice) -> Choice:
    core = facts.background.core
    held = np.flatnonzero(core)
    both = Choice((), CHOICES["symmetry"])
    if not somewhere(pattern) or held.size < 3:
        even = facts.counts.fails >= 30 and facts.symmetry.p_value > 0.05
        return Choice(("symmetric",), ()) if even else both
    at = disk(*core.shape)
    x, y = float(at.x.ravel()[held].mean()), float(at.y.ravel()[held].mean())
    off = np.hypot(x, y) / max(float(at.radius.ravel()[held].mean()), LEAST_RADIUS)
    if NEAR_CENTRE < off < OFF_CENTRE:
        return both
    true, other = ("symmetric", "one-sided") if off <= NEAR_CENTRE else ("one-sided", "symmetric")
    return Choice((true,), (other,) if facts.background.core_share < 0.4 else ())


def _repeats(facts: Facts) -> Choice:
    kinds = facts.repeats.kinds
    if kinds:
        return Choice(kinds, tuple(k for k in CHOICES["repeats"] if k not in (*kinds, "none")))
    return Choice(("none",), ("rows", "columns", "reticle"))


def _clock(facts: Facts, pattern: Choice) -> Clock | None:
    if not somewhere(pattern):
        return Clock(UNDEFINED)
    local = set(pattern.true) - set(EVERYWHERE)
    if local == {"center"}:
        return Clock(UNDEFINED)
    if len(local) > 1 or facts.background.core_dies < 3:
        return None
    if local <= set(RINGS):
        covered = facts.edge.coverage_deg if "edge-ring" in local else facts.arc.span_deg / HELD
        if covered >= CLOSED_DEG:
            return Clock(ALL_ROUND)
        if "edge-ring" in local or covered > OPEN_DEG or _faint_ring(facts, pattern):
            return None
    if facts.arc.span_deg >= 150 and local != {"edge-loc"}:
        return None
    arc = facts.arc
    if _widest_gap(facts) > PARTED_DEG:
        return None  # separate places: an interval that holds both holds what lies between, too
    return Clock("", hours(arc.from_deg), hours(arc.to_deg), 0.75 + arc.span_deg / 240)


def _widest_gap(facts: Facts) -> float:
    """Degrees of the widest empty part of the core's arc; 0 where that holds fewer than two."""
    core = facts.background.core
    clock = disk(*core.shape).clock_deg.ravel()[np.flatnonzero(core)]
    after = np.sort((clock - facts.arc.from_deg) % 360)
    inside = after[after <= facts.arc.span_deg + 1e-3]
    return float(np.diff(inside).max()) if len(inside) > 1 else 0.0


def _counts(facts: Facts) -> dict[str, Number]:
    """Counts and rates, exact; of the wafer, its zones and its quadrants."""
    counts = facts.counts
    found = {"dies": Number(counts.dies), "fails": Number(counts.fails)}
    if counts.dies:
        found["fail_rate"] = Number(100 * counts.fail_rate, RATE_TOLERANCE)
        found["yield"] = Number(100 * counts.yield_, RATE_TOLERANCE)
    regions: Mapping[tuple[str, ...], Rates] = {ZONES: facts.zones, QUADRANTS: facts.quadrants}
    for names, rates in regions.items():
        for k, name in enumerate(names):
            if rates.dies[k]:
                found[f"dies@{name}"] = Number(int(rates.dies[k]))
                found[f"fails@{name}"] = Number(int(rates.fails[k]))
                found[f"fail_rate@{name}"] = Number(100 * float(rates.rate[k]), RATE_TOLERANCE)
    return found


def _measures(facts: Facts, pattern: Choice) -> dict[str, Number]:
    """Clusters, rings and lines, where the pattern has them."""
    found: dict[str, Number] = {}
    local = set(pattern.true) - set(EVERYWHERE)
    pieces = sum(part.core_share >= PIECE for part in facts.components)
    if len(local) != 1:
        return found
    if local <= {"loc", "edge-loc", "center"} and pieces:
        found["clusters"] = Number(pieces, 1)
    if local <= {"edge-ring", "edge-loc"} and facts.edge.coverage_deg > 0:
        covered = facts.edge.coverage_deg
        found["arc"] = Number(round(covered), 20 + 0.1 * covered)
    if local <= set(RINGS):
        at_rim = local == {"edge-ring"}
        if not at_rim or facts.radial.peak_radius > 0.75:
            found["radius"] = Number(facts.radial.peak_radius, 0.1 if at_rim else 0.08)
            found["width"] = Number(facts.radial.width, 0.08)
    if local == {"scratch"} and facts.lines:
        line = facts.lines[0]
        found["length"] = Number(line.length_dies, max(2.0, 0.25 * line.length_dies))
        found["angle"] = Number(line.angle_deg, 10.0)
        found["bend"] = Number(line.bend_deg, 10.0)
    return found

"""Facts as numbers for a classifier: always as many, always finite, no absolute clock positions.

A map turned by quarter turns has the same numbers: where around the clock a pattern lies says
nothing of its class. Counts are shares of the dies, p-values are -log10 of them, 30 at most.
"""

import math

import numpy as np
from jaxtyping import Float32, Float64

from fabsight.wafermap.arcs import Arc
from fabsight.wafermap.components import Component, Shape
from fabsight.wafermap.courses import Line
from fabsight.wafermap.facts import Facts
from fabsight.wafermap.frame import RADIAL_BINS
from fabsight.wafermap.geometry import SECTORS, ZONES
from fabsight.wafermap.rates import Rates

MOST_LOG = 30.0
SHARES = (10, 30, 50, 70, 90)  # quantiles of the edge ring, in percent
ORDERED = (0, 2, 5, 8, 10, 11)  # of 12 sectors, from the lowest rate
DESCRIBED = 2  # components and lines that are described in full
NO_SHAPE = Shape(0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0, 0)
NO_COMPONENT = Component(
    0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, Arc(), NO_SHAPE, False, 0.0
)
NOWHERE = (0.0, 0.0)
NO_LINE = Line(NOWHERE, NOWHERE, NOWHERE, NOWHERE, 0.0, 0.0, 0.0, 0.0, 0, 0.0, 0.0, 1.0, 0.0)
Numbers = dict[str, float]
GROUP_NAMES = (
    *("dies", "share", "of_core", "of_fails", "radius", "radius_min", "radius_mean", "radius_max"),
    *("arc", "major", "minor", "major_dies", "minor_dies", "elongation", "solidity", "hole"),
    *("edge", "density"),
)
TOUCHING_NAMES = (
    *("share", "radius", "radius_min", "radius_max", "arc"),
    *("major", "minor", "minor_dies", "solidity"),
)
LINE_NAMES = ("score", "thinness", "length", "bend", "width", "contrast", "beside", "of_core")
AROUND_NAMES = (
    *(f"sorted_{k}" for k in ORDERED),
    *("wave_1", "wave_2", "wave_3", "std", "surest"),
)
VECTOR_NAMES: tuple[str, ...] = (
    *("fail_rate", "dies_log"),
    *(f"zone_{k}_rate" for k in range(len(ZONES))),
    *(f"zone_{k}_enriched" for k in range(len(ZONES))),
    *(f"{which}_{name}" for which in ("sectors", "edge_sectors") for name in AROUND_NAMES),
    *("fail_joins", "joins_of_fails", "join_z", "moran", "moran_z"),
    *("background", "core", "core_share", "core_arc", "groups"),
    *(f"group_{k}_{name}" for k in range(1, DESCRIBED + 1) for name in GROUP_NAMES),
    "touching_groups",
    *(f"touching_{k}_{name}" for k in range(1, DESCRIBED + 1) for name in TOUCHING_NAMES),
    *("other_groups", "longest_group_dies", "most_elongation"),
    *(f"radial_{k}" for k in range(1, RADIAL_BINS, 2)),
    *("peak_radius", "peak_rate", "peak_width", "centre_rate", "centre_p"),
    *(f"edge_rate_{share}" for share in SHARES),
    *("edge_coverage", "edge_arc", "edge_gaps", "edge_fill", "lines"),
    *(f"line_{k}_{name}" for k in range(1, DESCRIBED + 1) for name in LINE_NAMES),
    *("lines_length", "stripes_surest", "stripes_other", "stripes_strength"),
    *("reticle_surest", "reticle_strength", "shift", "shift_surest"),
)


def vector(facts: Facts) -> Float32[np.ndarray, " numbers"]:
    """The numbers that VECTOR_NAMES names.

    >>> from fabsight.wafermap.facts import measure
    >>> found = vector(measure(np.ones((9, 9), np.uint8)))
    >>> len(found) == len(VECTOR_NAMES), bool(np.isfinite(found).all())
    (True, True)
    """
    numbers = _numbers(facts)
    return np.array([numbers[name] for name in VECTOR_NAMES], np.float32)


def _numbers(facts: Facts) -> Numbers:
    return {
        **_whole(facts),
        **_regions(facts),
        **_clustering(facts),
        **_groups(facts),
        **_profile(facts),
        **_edge(facts),
        **_lines(facts),
        **_order(facts),
    }


def _log(p_value: float) -> float:
    return min(-math.log10(max(p_value, 1e-300)), MOST_LOG)


def _root(value: float) -> float:
    """The square root with the sign: z-scores without their long tails."""
    return math.copysign(math.sqrt(abs(value)), value)


def _whole(facts: Facts) -> Numbers:
    dies, fails = facts.counts.dies, facts.counts.fails
    return {"fail_rate": fails / max(dies, 1), "dies_log": math.log10(dies + 1)}


def _regions(facts: Facts) -> Numbers:
    rate = facts.counts.fails / max(facts.counts.dies, 1)
    zones = np.where(facts.zones.dies > 0, facts.zones.rate, rate)
    found = {f"zone_{k}_rate": float(zones[k]) for k in range(len(ZONES))}
    enriched = np.log2(np.maximum(facts.zones.enrichment, 1e-3))
    found |= {f"zone_{k}_enriched": float(enriched[k]) for k in range(len(ZONES))}
    found |= _around(facts.sectors, rate, "sectors")
    found |= _around(facts.edge_sectors, rate, "edge_sectors")
    return found


def _around(sectors: Rates, mean: float, name: str) -> Numbers:
    """What does not depend on where 12 o'clock is."""
    rate = np.where(sectors.dies > 0, sectors.rate, mean)
    ordered = np.sort(rate)
    waves = np.abs(np.fft.rfft(rate))[1:4] / SECTORS
    found = {f"{name}_sorted_{k}": float(ordered[k]) for k in ORDERED}
    found |= {f"{name}_wave_{k}": float(wave) for k, wave in enumerate(waves, 1)}
    found[f"{name}_std"] = float(rate.std())
    found[f"{name}_surest"] = _log(float(sectors.p_value.min()))
    return found


def _clustering(facts: Facts) -> Numbers:
    seen, ground = facts.randomness, facts.background
    return {
        "fail_joins": seen.fail_joins / max(seen.joins, 1),
        "joins_of_fails": seen.fail_joins / max(facts.counts.fails, 1),
        "join_z": _root(seen.join_z),
        "moran": seen.moran,
        "moran_z": _root(seen.moran_z),
        "background": ground.rate,
        "core": ground.core_dies / max(facts.counts.dies, 1),
        "core_share": ground.core_share,
        "core_arc": facts.arc.span_deg,
    }


def _groups(facts: Facts) -> Numbers:
    found: Numbers = {"groups": float(facts.groups)}
    parts = [*facts.components, *[NO_COMPONENT] * DESCRIBED]
    for k in range(DESCRIBED):
        one = _component(parts[k], max(facts.counts.dies, 1))
        found |= {f"group_{k + 1}_{name}": value for name, value in one.items()}
    found["touching_groups"] = float(facts.touching_groups)
    raw = [*facts.touching, *[NO_COMPONENT] * DESCRIBED]
    for k in range(DESCRIBED):
        one = _component(raw[k], max(facts.counts.dies, 1))
        found |= {f"touching_{k + 1}_{name}": one[name] for name in TOUCHING_NAMES}
    shares = [part.dies for part in facts.components[DESCRIBED:]]
    found["other_groups"] = sum(shares) / max(facts.counts.dies, 1)
    found["longest_group_dies"] = max((p.shape.major_dies for p in parts), default=0.0)
    found["most_elongation"] = max(p.shape.elongation for p in parts)
    return found


def _component(part: Component, dies: int) -> Numbers:
    shape = part.shape
    return {
        "dies": float(part.dies),
        "share": part.dies / dies,
        "of_core": part.core_share,
        "of_fails": part.fail_share,
        "radius": part.radius,
        "radius_min": part.radius_min,
        "radius_mean": part.radius_mean,
        "radius_max": part.radius_max,
        "arc": part.arc.span_deg,
        "major": shape.major,
        "minor": shape.minor,
        "major_dies": shape.major_dies,
        "minor_dies": shape.minor_dies,
        "elongation": shape.elongation,
        "solidity": shape.solidity,
        "hole": shape.hole_dies / dies,
        "edge": float(part.edge),
        "density": part.density,
    }


def _profile(facts: Facts) -> Numbers:
    seen = facts.radial
    found = {f"radial_{k}": float(seen.rate[k]) for k in range(1, len(seen.rate), 2)}
    return found | {
        "peak_radius": seen.peak_radius,
        "peak_rate": seen.peak_rate,
        "peak_width": seen.width,
        "centre_rate": seen.centre_rate,
        "centre_p": _log(seen.centre_p),
    }


def _edge(facts: Facts) -> Numbers:
    ring = facts.edge
    rate: Float64[np.ndarray, " steps"] = np.sort(ring.rate)
    found = {
        f"edge_rate_{share}": float(rate[len(rate) * share // 100])
        for share in (10, 30, 50, 70, 90)
    }
    return found | {
        "edge_coverage": ring.coverage_deg,
        "edge_arc": ring.arc.span_deg,
        "edge_gaps": float(ring.gaps),
        "edge_fill": ring.fill,
    }


def _lines(facts: Facts) -> Numbers:
    found: Numbers = {"lines": float(len(facts.lines))}
    parts = [*facts.lines, *[NO_LINE] * DESCRIBED]
    for k in range(DESCRIBED):
        line = parts[k]
        one = {
            "score": line.score,
            "thinness": line.thinness,
            "length": line.length_dies,
            "bend": line.bend_deg,
            "width": line.width_dies,
            "contrast": line.density - line.beside,
            "beside": line.beside,
            "of_core": line.dies / max(facts.background.core_dies, 1),
        }
        found |= {f"line_{k + 1}_{name}": value for name, value in one.items()}
    found["lines_length"] = sum(line.length_dies for line in facts.lines)
    return found


def _order(facts: Facts) -> Numbers:
    again = facts.repeats
    stripes = sorted((_log(again.rows.p_value), _log(again.columns.p_value)))
    return {
        "stripes_surest": stripes[1],
        "stripes_other": stripes[0],
        "stripes_strength": max(again.rows.strength, again.columns.strength),
        "reticle_surest": _log(again.reticle.p_value),
        "reticle_strength": again.reticle.strength,
        "shift": facts.symmetry.shift,
        "shift_surest": _log(facts.symmetry.p_value),
    }

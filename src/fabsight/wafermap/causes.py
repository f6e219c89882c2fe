"""Root-cause hypotheses: which ones a map speaks for, and why; never more than hypotheses.

Each hypothesis belongs to some patterns and gains or loses weight by what else is true of the map:
how wide a ring is, where it lies around the clock, whether a line bends, whether fails repeat. The
table follows what the literature says of these patterns; docs/wafermap-causes.md gives the sources
line by line. A fab's own table of process context outweighs it (`commonality`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from fabsight.wafermap.claims import ALL_ROUND, Description
from fabsight.wafermap.judging import overlap

MOST = 3  # hypotheses that are named
NOTCH_H = (5.25, 6.75)
CLOSED_DEG, NARROW, WIDE, RIM = 300.0, 0.13, 0.22, 0.9
STRAIGHT_DEG, BENT_DEG = 12.0, 20.0


@dataclass(frozen=True)
class Reason:
    """Something true of a map that speaks for or against a hypothesis.

    Attributes:
        text: In words, a clause.
        holds: Whether it is true of a map; False where that is not known.
    """

    text: str
    holds: Callable[[Description], bool]


@dataclass(frozen=True)
class Cause:
    """A hypothesis.

    Attributes:
        name: In words.
        patterns: Pattern -> weight before any reason, 0 to 1.
        reasons: Key of a reason -> what it adds to the weight; negative: speaks against.
        needs: Reasons without which it is not named at all.
        words: How others say it, a regular expression.
        sources: Keys of SOURCES that describe the mechanism.
    """

    name: str
    patterns: Mapping[str, float]
    reasons: Mapping[str, float] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    words: str = ""
    sources: tuple[str, ...] = ()


def _number(slot: str, least: float, most: float) -> Callable[[Description], bool]:
    def holds(seen: Description) -> bool:
        number = seen.numbers.get(slot)
        return number is not None and least <= number.value < most

    return holds


def _is(slot: str, value: str) -> Callable[[Description], bool]:
    return lambda seen: slot in seen.choices and value in seen.choices[slot].true


def _at_notch(seen: Description) -> bool:
    clock = seen.clock
    if clock is None or clock.word:
        return False
    return overlap((clock.start_h, clock.stop_h), NOTCH_H) > 0.25


def _all_round(seen: Description) -> bool:
    return seen.clock is not None and seen.clock.word == ALL_ROUND


def _off_centre(seen: Description) -> bool:
    return _is("symmetry", "one-sided")(seen)


INFINITE = float("inf")
SOURCES: Mapping[str, str] = {
    "hsu2007": "S.-C. Hsu, C.-F. Chien, Hybrid data mining approach for pattern extraction from "
    "wafer bin map to improve yield in semiconductor manufacturing, Int. J. Prod. Econ. 107, 2007",
    "jeong2008": "Y.-S. Jeong, S.-J. Kim, M. K. Jeong, Automatic identification of defect patterns "
    "in semiconductor wafer maps using spatial correlogram and dynamic time warping, IEEE Trans. "
    "Semicond. Manuf. 21(4), 2008",
    "may2006": "G. S. May, C. J. Spanos, Fundamentals of Semiconductor Manufacturing and Process "
    "Control, Wiley, 2006",
    "nishi2007": "Y. Nishi, R. Doering (eds.), Handbook of Semiconductor Manufacturing Technology, "
    "2nd ed., CRC Press, 2007",
    "quirk2001": "M. Quirk, J. Serda, Semiconductor Manufacturing Technology, Prentice Hall, 2001",
    "yuan2011": "T. Yuan, W. Kuo, S. J. Bae, Detection of spatial defect patterns generated in "
    "semiconductor fabrication processes, IEEE Trans. Semicond. Manuf. 24(3), 2011",
}
REASONS: Mapping[str, Reason] = {
    "closed": Reason("the ring is closed", _number("arc", CLOSED_DEG, INFINITE)),
    "open": Reason("the ring is open", _number("arc", 1.0, CLOSED_DEG)),
    "narrow": Reason("the band is narrow", _number("width", 0.0, NARROW)),
    "wide": Reason("the band is wide", _number("width", WIDE, INFINITE)),
    "rim": Reason("the outermost dies are hit", _number("radius", RIM, INFINITE)),
    "notch": Reason("the notch is where it lies", _at_notch),
    "straight": Reason("the course is straight", _number("bend", 0.0, STRAIGHT_DEG)),
    "bent": Reason("the course is bent", _number("bend", BENT_DEG, INFINITE)),
    "from-edge": Reason("the rim is reached", _is("zone", "edge")),
    "several": Reason("separate places are hit", _number("clusters", 2.5, INFINITE)),
    "single": Reason("one place is hit", _number("clusters", 0.5, 1.5)),
    "lopsided": Reason("one side is hit more", _off_centre),
    "even": Reason("all sides are hit alike", _is("symmetry", "symmetric")),
    "reticle": Reason("the exposure field repeats", _is("repeats", "reticle")),
    "rows": Reason("rows repeat", _is("repeats", "rows")),
    "columns": Reason("columns repeat", _is("repeats", "columns")),
    "dense": Reason("nearly all dies fail", _number("fail_rate", 85.0, INFINITE)),
    "sparse": Reason("few dies fail", _number("fail_rate", 0.0, 12.0)),
    "context": Reason("the process records point there", lambda _: False),
}

CAUSES: Mapping[str, Cause] = {
    # centre
    "cmp-centre": Cause(
        "uneven polishing (CMP) at the centre",
        {"center": 0.5, "donut": 0.25},
        {"even": 0.2, "lopsided": -0.3},
        words=(
            r"(?:uneven |non-?uniform )?(?:cmp|polish\w*|planari[sz]ation)(?: (?:pressure|"
            r"non-?uniformity|removal))?(?! scratch)"
        ),
        sources=("jeong2008", "quirk2001"),
    ),
    "deposition-profile": Cause(
        "a radial profile of film deposition (gas distribution, heater zones)",
        {"center": 0.45, "donut": 0.5, "edge-ring": 0.2},
        {"wide": 0.2, "even": 0.1, "lopsided": -0.1},
        words=(
            r"(?:thin[- ]film )?deposition(?: (?:rate|profile|non-?uniformity))?|cvd|pvd|"
            r"gas distribution|shower ?head|heater zones?"
        ),
        sources=("hsu2007", "quirk2001"),
    ),
    "spin-coating": Cause(
        "resist or developer dispense (spin coating)",
        {"center": 0.35, "donut": 0.4},
        {"narrow": 0.25, "lopsided": 0.15},
        words=(
            r"spin[- ]coat\w*|resist (?:dispense|coating|thickness)|"
            r"developer(?: puddle| dispense)?|photoresist"
        ),
        sources=("quirk2001",),
    ),
    "plasma-profile": Cause(
        "a radial plasma profile in etch",
        {"center": 0.3, "donut": 0.45, "edge-ring": 0.35},
        {"wide": 0.2, "even": 0.1},
        words=(
            r"plasma(?: \w+)?|"
            r"(?:non-?uniform )?etch(?:ing)?(?: (?:rate|profile|non-?uniformity))?|rf power"
        ),
        sources=("may2006", "nishi2007"),
    ),
    # edge
    "edge-bead": Cause(
        "edge bead removal",
        {"edge-ring": 0.4, "edge-loc": 0.15},
        {"narrow": 0.25, "rim": 0.2, "open": 0.05, "wide": -0.3},
        words=r"edge[- ]bead(?:[- ]removal)?|ebr",
        sources=("quirk2001", "nishi2007"),
    ),
    "focus-ring": Cause(
        "a worn focus ring of the etcher",
        {"edge-ring": 0.4},
        {"closed": 0.2, "wide": 0.15, "open": -0.2},
        words=r"focus ring(?: wear)?|edge ring (?:wear|erosion)|worn edge ring",
        sources=("nishi2007",),
    ),
    "bevel-flakes": Cause(
        "particles flaking off the bevel",
        {"edge-ring": 0.3, "edge-loc": 0.35},
        {"open": 0.15, "several": 0.25, "rim": 0.1},
        words=r"bevel\w*(?: \w+)?|flak\w+|delaminat\w+|peeling",
        sources=("nishi2007",),
    ),
    "edge-overlay": Cause(
        "overlay errors growing towards the rim",
        {"edge-ring": 0.25},
        {"wide": 0.15, "lopsided": 0.2, "reticle": 0.3},
        words=r"overlay(?: errors?)?|misalign\w*(?: of layers)?|registration",
        sources=("jeong2008",),
    ),
    "edge-contact": Cause(
        "edge contact in handling (gripper, clamp, cassette slot)",
        {"edge-loc": 0.45, "scratch": 0.2},
        {"rim": 0.15, "single": 0.1, "several": 0.15, "from-edge": 0.15},
        words=(
            r"grip\w*|clamp\w*|cassette(?: slot)?|foup|edge contact|"
            r"wafer handling at the (?:edge|rim)"
        ),
        sources=("yuan2011", "nishi2007"),
    ),
    "notch-alignment": Cause(
        "alignment or clamping at the notch",
        {"edge-loc": 0.1, "edge-ring": 0.0},
        {"notch": 0.7},
        needs=("notch",),
        words=r"notch (?:alignment|finder|clamp\w*)|alignment at the notch",
        sources=("nishi2007",),
    ),
    "one-sided-flow": Cause(
        "one-sided gas flow, pumping or heating",
        {"edge-loc": 0.35, "loc": 0.15},
        {"wide": 0.3, "lopsided": 0.1, "rim": -0.15},
        words=r"one-sided (?:gas )?flow|pump\w*|gas inlet|uneven heating|temperature gradient",
        sources=("may2006",),
    ),
    # local
    "local-contamination": Cause(
        "a local contamination (droplet, residue, chuck particle)",
        {"loc": 0.5, "center": 0.1},
        {"single": 0.2, "several": -0.1},
        words=r"contaminat\w+|droplets?|residues?|splash\w*|water ?marks?|chemical stains?",
        sources=("quirk2001",),
    ),
    "chuck-particle": Cause(
        "a particle under the wafer (hot spot in lithography)",
        {"loc": 0.35},
        {"single": 0.15, "sparse": 0.1},
        words=r"chuck(?: particles?)?|backside particles?|hot[- ]?spots?",
        sources=("nishi2007",),
    ),
    "thermal-spot": Cause(
        "a local fault of heating or cooling",
        {"loc": 0.3},
        {"several": 0.2},
        words=(
            r"(?:local )?(?:heater|heating|cooling|thermal) (?:fault|failure|spot|element)s?|"
            r"helium leak"
        ),
        sources=("may2006",),
    ),
    # lines
    "handling-scratch": Cause(
        "a scratch in handling (robot blade, cassette)",
        {"scratch": 0.45},
        {"straight": 0.25, "from-edge": 0.2, "bent": -0.25},
        words=(
            r"(?:wafer |robot |mechanical )?handling|robot(?: blade| arm)?|end[- ]effector|"
            r"transport"
        ),
        sources=("jeong2008", "yuan2011"),
    ),
    "cmp-scratch": Cause(
        "a scratch in polishing (hard particle on the pad)",
        {"scratch": 0.45},
        {"bent": 0.35, "straight": -0.15, "several": 0.1},
        words=(
            r"(?:cmp|polish\w*) scratch\w*|slurry|hard particles?(?: on the pad)?|polishing pad|"
            r"pad debris"
        ),
        sources=("quirk2001",),
    ),
    "probe-scratch": Cause(
        "contact damage in probing",
        {"scratch": 0.15},
        {"rows": 0.3, "columns": 0.3, "straight": 0.1},
        words=r"probe (?:needle|tip|mark|damage)s?|probing(?: damage)?",
        sources=("quirk2001",),
    ),
    # whole wafer
    "gross-process": Cause(
        "a skipped or wrong process step",
        {"near-full": 0.5, "random": 0.15},
        {"dense": 0.2, "even": 0.05},
        words=(
            r"(?:skipped|wrong|missing|gross|catastrophic) (?:process )?(?:step|recipe|error|"
            r"failure|excursion)"
        ),
        sources=("may2006",),
    ),
    "test-setup": Cause(
        "a fault of the test set-up (probe card, contact, program)",
        {"near-full": 0.4, "random": 0.2},
        {"rows": 0.4, "columns": 0.4, "dense": 0.1},
        words=r"test(?:er)? (?:set-?up|program|contact|equipment)|probe card",
        sources=("may2006",),
    ),
    "particles": Cause(
        "airborne or tool particles",
        {"random": 0.5, "none": 0.3},
        {"sparse": 0.1, "reticle": -0.3},
        words=r"particles?(?: contamination)?|particulate\w*|cleanroom",
        sources=("may2006",),
    ),
    "material": Cause(
        "starting material or a wide process shift",
        {"random": 0.35},
        {"sparse": -0.1},
        words=r"starting material|substrate|material defects?",
        sources=("may2006",),
    ),
    # whatever the pattern
    "reticle-defect": Cause(
        "a defect of the reticle, repeated in each exposure",
        dict.fromkeys(("center", "donut", "edge-loc", "edge-ring", "loc", "random", "none"), 0.1),
        {"reticle": 0.85},
        needs=("reticle",),
        words=r"reticle(?: defects?| haze)?|mask defects?|photomask",
        sources=("quirk2001",),
    ),
    "multi-site": Cause(
        "one site of a multi-site probe card",
        dict.fromkeys(("center", "donut", "loc", "random", "none", "near-full"), 0.1),
        {"rows": 0.7, "columns": 0.7},
        words=r"multi-?site|probe card site|test site",
        sources=("may2006",),
    ),
}


@dataclass(frozen=True)
class Hypothesis:
    """A cause that a map speaks for, its weight and the keys of what speaks for it."""

    key: str
    weight: float
    because: tuple[str, ...]


def hypotheses(seen: Description, most: int = MOST) -> tuple[Hypothesis, ...]:
    """The causes a map speaks for, likeliest first; () where its pattern is not known."""
    present = seen.choices["pattern"].true if "pattern" in seen.choices else ()
    holding = {key for key, reason in REASONS.items() if reason.holds(seen)}
    found = []
    for key, cause in CAUSES.items():
        weights = [cause.patterns[pattern] for pattern in present if pattern in cause.patterns]
        true = [reason for reason in cause.reasons if reason in holding]
        if not weights or not set(cause.needs) <= set(true):
            continue
        weight = max(weights) + sum(cause.reasons[reason] for reason in true)
        because = tuple(reason for reason in true if cause.reasons[reason] > 0)
        if weight > 0.2:
            found.append(Hypothesis(key, round(weight, 3), because))
    return tuple(sorted(found, key=lambda hypothesis: -hypothesis.weight)[:most])

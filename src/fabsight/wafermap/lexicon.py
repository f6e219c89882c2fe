"""The words for each value of each slot, as engineers and language models write them.

Terms are tried in order and the text they match is taken: "edge-ring" is a defect type, and neither
a zone "edge" nor a shape "ring" is left in it. Text is lower case with plain quotes and hyphens.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from re import Pattern

from fabsight.wafermap.claims import ALL_ROUND, UNDEFINED, Interval, Value

TAKEN = "\x1f"  # stands for each letter that has been read already


@dataclass(frozen=True)
class Term:
    """Words that mean a value of a slot; `flip`: that it does not hold ("open ring")."""

    slot: str
    value: Value
    words: Pattern[str]
    flip: bool = False


@dataclass(frozen=True)
class Mention:
    """A value found in a text, from `start` to `stop`."""

    slot: str
    value: Value
    start: int
    stop: int
    flip: bool = False


def _any(*ways: str) -> str:
    return "(?:" + "|".join(ways) + ")"


def _term(slot: str, value: Value, *ways: str, flip: bool = False) -> Term:
    return Term(slot, value, re.compile(rf"\b{_any(*ways)}(?!\w)"), flip)


# Words that hold a name of the lexicon and do not mean it.
IDLE = re.compile(
    r"\b"
    + _any(
        r"edge[- ](?:bead|exclusion|grip\w*|handling|clamp\w*|contact|effector|roll\w*|die|dice)",
        r"(?:end[- ]effector|leading edge|trailing edge|(?:sharp|soft|inner) edges?)",
        r"edges? of (?:the |each |a )?(?:ring|donut|blob|cluster|scratch|line|reticle|field|zone)",
        r"(?:focus ring|retaining ring|ring oscillator|in line with|line of sight|inline)",
        r"cent(?:er|re) of (?:mass|gravity)",
        r"cent(?:ered|red) (?:at|on|around|about|near|between)",
        r"cent(?:er|re)s? of (?:the |each |a |its )?(?:ring|donut|blob|cluster|scratch|line|field)",
        r"random(?:ly)? (?:chosen|selected|sample\w*|access)",
        r"(?:line ?width|production line|pipeline|bottom line|top of (?:that|this))",
        r"right (?:answer|away|now)",
        r"pattern recognition",
        r"clear(?:ly)? (?:visible|seen|shows?|that|from|evidence|signs?)",
    )
    + r"(?!\w)"
)

NOUN = "(?:pattern|defects?|signature|failures?|class|type|label|map)"
KIND = rf"(?:[- ]?(?:type|class|category|label)?[- ]?{NOUN})"
AREA = "(?:[- ](?:zone|region|area|ring|band|part|portion|section)s?)?"
WAFER = "(?:wafer(?:'s)?|map(?:'s)?|disk|disc)"
RIM = rf"(?:{WAFER} )?(?:edge|rim|perimeter|periphery|circumference|border|boundary|bevel)"
CORNER = "(?:[- ]hand)?(?: (?:quadrant|quarter|corner|part|region|area|side|edge))?"
ADJECTIVE = (
    "(?:systematic|clear|obvious|defect|spatial|particular|discernible|recogni[sz]able|real|such|"
    "significant|apparent|visible|identifiable|distinct|notable)"
)
IS = "(?:is|are|appears|looks|seems)"

NAMES = {  # of the types where a type is asked or named: "the type is center"
    "edge-ring": "edge[- ]?ring",
    "edge-loc": "edge[- ]?loc(?:al(?:i[sz]ed)?)?",
    "near-full": "near(?:ly)?[- ]?full",
    "donut": "(?:donut|doughnut)",
    "scratch": "scratch(?:es)?",
    "center": "cent(?:er|re)(?! ?(?:of|zone|region|area))",
    "random": "random(?! (?:distribution|spread|arrangement))",
    "loc": "loc(?:al(?:i[sz]ed)?)?",
    "none": "none",
}
NAME = _any(*NAMES.values())
NAMED = re.compile(
    r"\b(?:(?:type|class|pattern|label|category|signature|defect)(?:s|es)?(?: here)?"
    r"(?: (?:is|are)|:)(?: most likely| probably| clearly)?(?: not)?|classified as|"
    r"labell?ed(?: as)?|"
    rf"identified as)(?: an?| the)? (?P<list>[\"']?{NAME}(?:(?:,? and (?:an? )?|,? or (?:an? )?|, "
    rf"|\+| \+ )[\"']?{NAME})*)(?!\w)"
)
TYPES = [
    _term(
        "pattern",
        "none",
        rf"no (?:{ADJECTIVE} )*(?:pattern|signature)",
        "none (?:class|type|pattern)",
        "(?:class|type|label) none",
        "(?:normal|clean|defect-free|healthy) (?:wafer(?: map)?|map)",
    ),
    _term("pattern", "edge-ring", rf"edge[- ]?ring{KIND}?s?"),
    _term("pattern", "edge-loc", rf"edge[- ]?loc(?:al(?:i[sz]ed)?)?{KIND}?s?"),
    _term("pattern", "near-full", rf"near(?:ly)?[- ]?full{KIND}?"),
    _term("pattern", "donut", rf"(?:donut|doughnut)(?:[- ]shaped?|[- ]like)?{KIND}?s?"),
    _term("pattern", "scratch", rf"scratch(?:es|-like)?{KIND}?"),
    _term(
        "pattern",
        "center",
        rf"cent(?:er|re){KIND}",
        r"cent(?:er|re) \((?:type|class|pattern)\)",
        "bull'?s[- ]?eye",
    ),
    _term("pattern", "random", rf"random{KIND}"),
    _term(
        "pattern",
        "loc",
        rf"loc{KIND}?",
        rf"local(?:i[sz]ed)?{KIND}",
        "local(?:i[sz]ed)? (?:cluster|spot|patch)",
    ),
]
SHAPES = [
    _term(
        "clock",
        ALL_ROUND,
        "(?:open|incomplete|broken|partial|interrupted) ring",
        rf"ring (?:{IS} )?(?:open|incomplete|broken|interrupted|"
        "not (?:closed|complete|continuous|unbroken))",
        flip=True,
    ),
    _term(
        "clock",
        ALL_ROUND,
        "(?:closed|complete|full|continuous|unbroken|entire) ring",
        rf"ring (?:{IS} )?(?:closed|complete|unbroken|continuous)",
        "full circle",
        "full 360",
        "all (?:the way )?(?:a)?round(?: the (?:clock|wafer|edge|rim|circumference|perimeter))?",
        "(?:the )?(?:entire|whole|full|complete) (?:circumference|perimeter|periphery|rim)",
        "(?:every|all) clock (?:positions?|directions?)",
        "in (?:all|every) directions?",
        "completely around",
    ),
    _term(
        "clock",
        UNDEFINED,
        "no (?:(?:preferred|particular|specific|defined|clear|single|meaningful) )?"
        "(?:clock (?:position|direction)|angular (?:position|preference))",
        "clock position is (?:undefined|not defined|meaningless)",
        "no preferred (?:angle|direction)",
    ),
    _term("clock", UNDEFINED, "have a clock position", flip=True),
    _term(
        "repeats",
        "reticle",
        "(?:repeat|recur|periodic)[^.,;]{0,40}(?:reticle|exposure|shot|field|mask)s?",
        "reticle[- ](?:repeat|pattern|signature|periodic)[a-z]*",
    ),
    _term("repeats", "rows", r"(?:repeat|recur|periodic)[^.,;]{0,25}rows?"),
    _term("repeats", "columns", r"(?:repeat|recur|periodic)[^.,;]{0,25}columns?"),
    _term(
        "repeats",
        "none",
        r"(?:do(?:es)? not|don't|doesn't) (?:repeat|recur)\w*",
        "no (?:repetition|periodicity|repeaters)",
        "non-?periodic",
        "aperiodic",
    ),
    _term("repeats", "none", "do repeat", flip=True),
    _term(
        "morphology",
        "ring",
        "ring(?:[- ]shaped?|[- ]like)?s?",
        "annul(?:us|ar|i)",
        "circular band",
        "halo",
        r"toroid\w*",
    ),
    _term(
        "morphology",
        "arc",
        "arcs?(?:[- ]shaped?)?",
        "crescents?(?:[- ]shaped?)?",
        r"semi-?circ\w+",
        "(?:half|part)[- ]ring",
    ),
    _term(
        "morphology",
        "line",
        "lines?(?:[- ](?:shaped?|like))?",
        "linear(?:ly)?",
        "streaks?",
        "(?:chain|track|trace) of (?:failing )?dies",
    ),
    _term("morphology", "striped", "strip(?:e|ed|es|ing)", "band(?:ed|ing)"),
    _term(
        "morphology",
        "scattered",
        "scattered",
        "dispersed",
        "sprinkled",
        "isolated (?:fails|failures|failing dies|dies)",
    ),
    _term(
        "morphology",
        "blob",
        "blobs?(?:[- ](?:shaped?|like))?",
        "spot",
        "patch",
        "clump",
        "blotch",
        "(?:compact|dense|tight|single|round|one) (?:cluster|spot|patch|group|clump)",
    ),
    _term(
        "arrangement",
        "clustered",
        "(?:spatially )?cluster(?:ed|ing)",
        "not random",
        "non-?random(?:ly)?",
        "keep together",
        "aggregated",
        "systematic(?:ally)?",
        "grouped",
    ),
    _term(
        "arrangement",
        "random",
        "(?:spread |distributed )?at random",
        "random(?:ly)?(?: (?:distributed|spread|scattered|placed|located))?",
        "spatially random",
        "random (?:distribution|arrangement|spread)",
        "unclustered",
        "no spatial (?:correlation|structure|clustering)",
    ),
    _term(
        "symmetry",
        "one-sided",
        "one-?sided",
        r"asymmetr\w+",
        "lop-?sided",
        "skewed",
        "unsymmetrical",
    ),
    _term(
        "symmetry",
        "symmetric",
        r"(?:(?:rotational|radial|circular)(?:ly)? )?symmetr\w+"
        r"(?: about the (?:wafer's )?cent(?:er|re))?",
        "axisymmetric",
        "same on all sides",
    ),
]
PLACES = [
    _term(
        "zone",
        "mid-radius",
        f"mid[- ]?radi(?:us|al){AREA}",
        "middle (?:zone|ring|band|radius|annulus)",
        "intermediate radi(?:us|i)",
        "(?:half[- ]?way )?between (?:the )?cent(?:er|re) and (?:the )?(?:edge|rim)",
    ),
    _term("quadrant", "upper right", f"(?:upper|top)[- ]right{CORNER}", r"north-?east\w*"),
    _term("quadrant", "lower right", f"(?:lower|bottom)[- ]right{CORNER}", r"south-?east\w*"),
    _term("quadrant", "lower left", f"(?:lower|bottom)[- ]left{CORNER}", r"south-?west\w*"),
    _term("quadrant", "upper left", f"(?:upper|top)[- ]left{CORNER}", r"north-?west\w*"),
    _term(
        "zone",
        "edge",
        "outer (?:edge|rim|boundary|periphery)",
        f"{RIM}{AREA}",
        "outermost (?:dies|ring|zone|rows?)",
        f"peripheral(?:ly)?{AREA}",
    ),
    _term("zone", "outer", f"outer{AREA}"),
    _term("zone", "inner", f"inner{AREA}"),
    _term(
        "zone",
        "centre",
        f"(?:(?:wafer|map|die)[- ])?cent(?:er|re|ral|rally|red|ered){AREA}",
        "(?:middle|core) of the (?:wafer|map)",
    ),
]
SIDES: dict[str, Interval] = {
    "top|upper": (10.5, 1.5),
    "right": (1.5, 4.5),
    "bottom|lower": (4.5, 7.5),
    "left": (7.5, 10.5),
}
DIRECTIONS = [
    _term(
        "clock",
        interval,
        f"(?:at|on|to|along|near|towards?) the (?:{side})",
        f"(?:{side})(?:[- ]hand)?(?:most)? (?:side|half|edge|part)",
    )
    for side, interval in SIDES.items()
]
TERMS = [*TYPES, *SHAPES, *PLACES, *DIRECTIONS]

HOUR = r"(\d{1,2})(?:[:.](\d{2}))?"
CLOCK = r" ?o'? ?clock"
ABOUT = "(?:about |roughly |approximately |around |the )?"
BETWEEN = re.compile(
    rf"\b(?:from |between )?{ABOUT}{HOUR}(?:{CLOCK})? ?(?:-|to|and|through|until) ?"
    rf"{ABOUT}{HOUR}{CLOCK}"
)
AT = re.compile(rf"\b(?:at |near |towards? )?{ABOUT}{HOUR}{CLOCK}")


def mentions(text: str) -> list[Mention]:
    """What a sentence (lower case) mentions, in the order of the text; no letter is used twice.

    >>> [(m.slot, m.value) for m in mentions("an edge-ring from 2 to 4 o'clock")]
    [('pattern', 'edge-ring'), ('clock', (2.0, 4.0))]
    """
    found: list[Mention] = []
    for source in (_named, _clocks):
        for mention in source(text):
            text = blank(text, mention.start, mention.stop)
            found.append(mention)
    for match in IDLE.finditer(text):
        text = blank(text, *match.span())
    for term in TERMS:
        for match in term.words.finditer(text):
            start, stop = match.span()
            found.append(Mention(term.slot, term.value, start, stop, term.flip))
            text = blank(text, start, stop)
    return sorted(found, key=lambda mention: mention.start)


def blank(text: str, start: int, stop: int) -> str:
    """The text with the letters from start to stop taken; its length stays."""
    return text[:start] + TAKEN * (stop - start) + text[stop:]


def _named(text: str) -> Iterator[Mention]:
    """The types in what is said to be the type: "the types are center and scratch"."""
    for match in NAMED.finditer(text):
        first, stop = match.span("list")
        for value, words in NAMES.items():
            for name in re.finditer(rf"\b{words}(?!\w)", text[first:stop]):
                yield Mention("pattern", value, first + name.start(), first + name.end())
                text = blank(text, first + name.start(), first + name.end())


def _clocks(text: str) -> Iterator[Mention]:
    for match in BETWEEN.finditer(text):
        start, stop = _hour(*match.group(1, 2)), _hour(*match.group(3, 4))
        if start is not None and stop is not None:
            yield Mention("clock", (start, stop), *match.span())
            text = blank(text, *match.span())
    for match in AT.finditer(text):
        hour = _hour(*match.group(1, 2))
        if hour is not None:
            yield Mention("clock", (hour, hour), *match.span())


def _hour(hours: str, minutes: str | None) -> float | None:
    """The hour, 0 < h <= 12; None where a clock has none such."""
    value = int(hours) + int(minutes or 0) / 60
    if value >= 13 or int(minutes or 0) > 59:
        return None
    return value % 12 or 12.0

"""The words for each value of each slot, as engineers and language models write them.

Terms are tried in order and the text they match is taken: "edge-ring" is a defect type, and neither
a zone "edge" nor a shape "ring" is left in it. Text is lower case with plain quotes and hyphens.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fabsight.wafermap.claims import ALL_ROUND, Interval, Value
from fabsight.wafermap.terms import (
    BEST,
    NAMED,
    NAMES,
    RIM,
    SHAPES,
    TYPES,
    Term,
    either,
    term,
)

TAKEN = "\x01"  # stands for each letter that has been read already


@dataclass(frozen=True)
class Mention:
    """A value found in a text, from `start` to `stop`."""

    slot: str
    value: Value
    start: int
    stop: int
    flip: bool = False


# Words that hold a name of the lexicon and do not mean it.
IDLE = re.compile(
    r"\b"
    + either(
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
        r"line(?:s|d)? up",
        r"cent(?:ered|red) \x01",
        r"(?:nothing|anything|something|no|any) (?:systematic|clustered|random|special)"
        r"(?! (?:\w+ )*(?:pattern|signature))",
        r"(?:cent(?:er|re)|edge|rim|ring|line|local|random|wafer)[- ](?:align\w*|calibrat\w*|"
        r"detect\w*|find(?:er|ing)|correct\w*|inspect\w*|sensor|check|test|chuck|offset|time|"
        r"scan|seed|remov\w*|trim\w*|number|effects?|loss|order)",
        r"(?:off|de)[- ]?cent(?:er|re)d?",
        r"(?:distance|relative|respect|distances|offset|radius) (?:to|from|of) the "
        r"(?:\w+ )?(?:edge|rim|cent(?:er|re)|boundary|periphery)",
        r"(?:ring|band|annulus|halo|circle|concentric|round|wrapped|arranged) "
        r"(?:(?:a)?round|about|with) the (?:wafer )?cent(?:er|re)",
        r"(?:left|right) (?:out|with)|(?:is|are|was|be) left|bottom line",
        r"(?:to|on) the other (?:side|edge)",
        r"clear(?:ly)? (?:visible|seen|shows?|that|from|evidence|signs?)",
    )
    + r"(?!\w)"
)

AREA = (
    "(?:[- ](?:(?:most )?(?:zone|region|area|ring|band|part|portion|section|annulus|belt|dies|"
    "radius|third))s?)?"
)
HAND = "(?:[- ]?hand)?"
CORNER = (
    f"{HAND}(?:[- ](?:quadrant|quarter|corner|part|region|area|side|edge|sector|section|portion))?"
)


def _quarter(name: str, vertical: str, side: str, compass: str, letters: str) -> Term:
    """The term for a quadrant, which is said by its sides or by a direction."""
    return term(
        "quadrant",
        name,
        f"(?:{vertical})(?: and |[- ]?(?:hand )?){side}{CORNER}",
        f"{side}[- ](?:{vertical}){CORNER}",
        rf"{compass}\w*(?: (?:quadrant|quarter|corner|part|sector))?",
        f"{letters}(?:[- ](?:quadrant|quarter|corner|part|sector|side))",
        f"(?<=in the ){letters}",
    )


PLACES = [
    term(
        "zone",
        "mid-radius",
        f"(?:(?:area|zone|region|band|ring|dies) (?:at|around|near) )?(?:the )?"
        f"mid(?:dle)?[- ]?radi(?:us|al|i){AREA}",
        "mid[- ]?(?:zone|ring|band|annulus|range)",
        "middle (?:zone|ring|band|radius|annulus|belt)",
        "intermediate (?:radi(?:us|i)|zone|ring|band)",
        f"half[- ]?way (?:out|to the (?:edge|rim))|half (?:of )?(?:the|its) radius|half[- "
        f"]radius{AREA}",
        "(?:half[- ]?way |midway )?between (?:the )?cent(?:er|re) and (?:the )?(?:edge|rim)",
    ),
    _quarter("upper right", "upper|top", "right", "north-?east", "ne"),
    _quarter("lower right", "lower|bottom", "right", "south-?east", "se"),
    _quarter("lower left", "lower|bottom", "left", "south-?west", "sw"),
    _quarter("upper left", "upper|top", "left", "north-?west", "nw"),
    term(
        "zone",
        "edge",
        "(?:extreme |very |outer )(?:edge|rim|boundary|periphery|margin)(?: of the (?:wafer|map))?",
        f"{RIM}{AREA}(?: of the (?:wafer|map))?",
        "outermost (?:dies|ring|zone|rows?|band|area|region)",
        f"peripheral(?:ly)?{AREA}",
    ),
    term("zone", "outer", f"outer{AREA}"),
    term("zone", "inner", f"inner{AREA}"),
    term(
        "zone",
        "centre",
        f"(?:(?:very|dead|wafer|map|die)[- ])?cent(?:er|re|ral|rally|red|ered)(?:most)?{AREA}"
        "(?: of the (?:wafer|map))?",
        "(?:very )?(?:middle|core|heart|hub) of the (?:wafer|map|disc|disk)",
        "(?:very middle|innermost (?:zone|dies|area|region)|wafer (?:middle|core))",
        "(?<=the )(?:middle|core)(?: part)?(?=[.,;:)]|$| (?:is|and|but|or|clean|clear|free|"
        "alone|only|are|remains|stays|looks|fails|itself|of it|suffers|"
        "shows|has|was)\\b)",
    ),
]
SIDES: dict[str, Interval] = {
    "top|upper": (10.5, 1.5),
    "right": (1.5, 4.5),
    "bottom|lower": (4.5, 7.5),
    "left": (7.5, 10.5),
}
DIRECTIONS = [
    term(
        "clock",
        interval,
        f"(?:at|on|to|along|near|towards?) the (?:{side})(?! (?:of|half) )",
        f"(?:{side})(?:[- ]hand)?(?:most)? (?:side|half|edge|part)",
    )
    for side, interval in SIDES.items()
]
NAME_WORDS = [(value, re.compile(rf"\b{words}(?!\w)")) for value, words in NAMES.items()]
TERMS = [*TYPES, *SHAPES, *PLACES, *DIRECTIONS]

HOUR = r"(\d{1,2})(?:[:.](\d{2}))?(?! ?%)"
CLOCK = r"[- ]?o'? ?clock"
ABOUT = "(?:about |roughly |approximately |around |the |say |just )*"
BETWEEN = re.compile(
    rf"\b(?:from |between )?{ABOUT}{HOUR}(?:{CLOCK})?"
    r"(?: ?(?:-|/) ?|-to-| (?:clockwise |up |round |around |all the way |over |through )*"
    r"(?:to|and|through|until|"
    rf"till|through to|and (?:ends?|ending|stops?|stopping)(?: at)?) ){ABOUT}{HOUR}"
    rf"(?:{CLOCK}| on the clock)(?: (?:position|segment|sector)s?)?"
    rf"|\b(?:from |between ){ABOUT}{HOUR}{CLOCK} (?:(?:up |round )?to|and|until|till) {ABOUT}{HOUR}"
    r"(?!\w| ?%| dies)"
)
AT = re.compile(
    rf"\b(?:at |near |towards? )?{ABOUT}{HOUR}{CLOCK}(?: (?:position|direction|segment|sector))?"
)
LABELLED = re.compile(  # "clock: 2-4"
    rf"\bclock(?: position| range)? ?[:=] ?(?:from |between )?{HOUR}(?: ?(?:-|to|"
    rf"and) ?{HOUR})?(?!\w)"
)
EXCEPTED = re.compile(r"\b(?:except|apart from|aside from|save for|with the exception)\b")
NOTHING = re.compile(r"no\b|without\b|lacks\b|free\b")
STOP = re.compile(r"[,;:]| but | and ")


def mentions(text: str) -> list[Mention]:
    """What a sentence (lower case) mentions, in the order of the text; no letter is used twice.

    >>> [(m.slot, m.value) for m in mentions("an edge-ring from 2 to 4 o'clock")]
    [('pattern', 'edge-ring'), ('clock', (2.0, 4.0))]
    """
    found: list[Mention] = []
    whole = text
    for source in (_named, _clocks):
        for mention in source(text):
            text = blank(text, mention.start, mention.stop)
            found.append(mention)
    for match in IDLE.finditer(text):
        text = blank(text, *match.span())
    for one in TERMS:
        for match in one.words.finditer(text):
            start, stop = match.span()
            found.append(Mention(one.slot, one.value, start, stop, one.flip))
            text = blank(text, start, stop)
    found.sort(key=lambda mention: mention.start)
    return [m for k, m in enumerate(found) if not _of_a_part(whole, m, found[:k], found[k + 1 :])]


def _of_a_part(
    text: str, mention: Mention, earlier: Sequence[Mention], later: Sequence[Mention]
) -> bool:
    """Whether "no pattern" is said of a place that follows: a denial of the place, no type."""
    if mention.value != "none":
        return False
    if EXCEPTED.search(text):
        return True
    if any(text[one.stop : mention.start].strip(" ,") in ("", "the", "this") for one in earlier):
        return True
    if not NOTHING.match(text, mention.start):
        return False
    return any(
        one.slot in ("zone", "quadrant", "clock") and not STOP.search(text, mention.stop, one.start)
        for one in later
    )


def blank(text: str, start: int, stop: int) -> str:
    """The text with the letters from start to stop taken; its length stays."""
    return text[:start] + TAKEN * (stop - start) + text[stop:]


def _named(text: str) -> Iterator[Mention]:
    """The types in what is said to be the type: "the types are center and scratch"."""
    for words, groups in ((NAMED, ("list",)), (BEST, ("best", "bare"))):
        for match in words.finditer(text):
            group = next(name for name in groups if match[name] is not None)
            first, stop = match.span(group)
            for value, name in NAME_WORDS:
                for one in name.finditer(text, first, stop):
                    yield Mention("pattern", value, *one.span())
                    text = blank(text, *one.span())


def _clocks(text: str) -> Iterator[Mention]:
    if "clock" not in text:
        return
    for match in BETWEEN.finditer(text):
        four = match.groups()[:4] if match[1] else match.groups()[4:]
        start, stop = _hour(*four[:2]), _hour(*four[2:])
        if start is not None and stop is not None:
            value = (start, stop) if start != stop else ALL_ROUND
            yield Mention("clock", value, *match.span())
            text = blank(text, *match.span())
    for match in LABELLED.finditer(text):
        start = _hour(*match.group(1, 2))
        stop = _hour(*match.group(3, 4)) if match[3] else start
        if start is not None and stop is not None:
            yield Mention("clock", (start, stop), *match.span())
            text = blank(text, *match.span())
    for match in AT.finditer(text):
        hour = _hour(*match.group(1, 2))
        if hour is not None:
            yield Mention("clock", (hour, hour), *match.span())


def _hour(hours: str | None, minutes: str | None) -> float | None:
    """The hour, 0 < h <= 12; None where a clock has none such."""
    value = int(hours or 0) + int(minutes or 0) / 60
    if hours is None or value >= 13 or int(minutes or 0) > 59:
        return None
    return value % 12 or 12.0

"""Numbers in a text: rates, counts, lengths and angles, with what they are about.

"about 45 % of the dies in the edge zone fail" -> Claim("fail_rate", 45.0, where="edge")
"""

import re
from collections.abc import Iterator

from fabsight.wafermap.claims import PATTERNS, Claim
from fabsight.wafermap.lexicon import PLACES, blank

ABOUT_SHARE = 0.1  # what "about" allows, of the number
N = r"(?P<n>\d+(?:[ ,]\d{3})*(?:\.\d+)?)"
RANGE = r"(?:between )?(?P<a>\d+(?:\.\d+)?) ?%? ?(?:-|to|and) ?(?P<b>\d+(?:\.\d+)?)"
ABOUT = r"(?P<about>(?:about|around|approximately|approx|roughly|circa|ca|nearly|almost|some|~) ?)?"
VALUE = rf"(?:{RANGE}|{ABOUT}{N})(?: \(within (?P<within>\d+(?:\.\d+)?(?:e-?\d+)?)\))?"
OF = r"(?P<of> (?:of|in|at|for|within|inside)(?: the)? [^.,;0-9]{0,40}?)?"
DIES = r"(?:dies?|dice|chips?)"
FAILING = r"(?:fail(?:s|ed|ing)?|are (?:failing|bad|defective|faulty)|is failing|have failed)"
IS = r"(?: is| are| was|:| =| of| at| not| amounts to| reaches| equals)* "
RATE = (
    r"(?:fail(?:ure|ing)?[- ](?:rate|share|fraction|density)|defect (?:rate|density)|"
    rf"share of failing {DIES})"
)
ITS = r"(?:(?:the )?(?:line|scratch|ring|band|it)(?:'s|s) )?"
DEG = r" ?(?:degrees?|deg|\u00b0)"


# Slot -> ways to say it; the first that fits takes its words.
WAYS: tuple[tuple[str, str], ...] = (
    ("new_fails", rf"number of {DIES} that fail here and pass on the golden map{IS}{VALUE}"),
    ("gone_fails", rf"number of {DIES} that pass here and fail on the golden map{IS}{VALUE}"),
    ("new_fails", rf"{VALUE} (?:new(?:ly)? failing {DIES}|new fails)"),
    ("new_fails", rf"{VALUE} {DIES} fail that pass on the golden(?: map)?"),
    ("similar", rf"number of similar wafers{IS}{VALUE}"),
    ("similar", rf"{VALUE} (?:other )?(?:similar|like|alike) wafers"),
    ("similar", rf"{VALUE} wafers (?:are (?:similar|alike)|show the same|look (?:similar|alike))"),
    ("fail_rate", rf"{RATE}{OF}{IS}{VALUE} ?%"),
    ("fail_rate", rf"{VALUE} ?%(?: of)?(?: the| all)?(?: {DIES})?{OF} {FAILING}"),
    ("fail_rate", rf"{VALUE} ?% (?:{RATE}|failing|of failing {DIES}){OF}"),
    ("yield", rf"yield{OF}{IS}{VALUE} ?%"),
    ("yield", rf"{VALUE} ?% yield{OF}"),
    ("yield", rf"{VALUE} ?%(?: of)?(?: the| all)?(?: {DIES})?{OF} (?:pass|are (?:good|passing))"),
    ("fails", rf"number of fail(?:s|ures|ing {DIES}){OF}{IS}{VALUE}"),
    ("fails", rf"{VALUE} (?:(?:failing|failed|bad|defective) {DIES}|fails|failures){OF}"),
    ("fails", rf"{VALUE}(?: (?:out )?of (?:the )?\d+)? {DIES}{OF} {FAILING}"),
    ("dies", rf"number of {DIES}{OF}{IS}{VALUE}"),
    ("dies", rf"(?:has|have|holds|with|of all|out of|total of) {VALUE} {DIES}"),
    ("dies", rf"{VALUE} {DIES} in (?:total|all)"),
    ("clusters", rf"number of clusters{IS}{VALUE}"),
    ("clusters", rf"{VALUE} (?:separate |distinct |isolated |individual )?clusters"),
    ("arc", rf"(?:ring|arc|edge)[^.;0-9]{{0,30}}(?:covers?|spans?|subtends?|over) {VALUE}{DEG}"),
    ("arc", rf"{VALUE}{DEG} (?:of the (?:circumference|rim|perimeter|edge)|arc)"),
    ("radius", rf"{ITS}radius{IS}{VALUE}(?: of (?:the )?wafer(?:'s radius| radius)?)?"),
    ("width", rf"{ITS}width{IS}{VALUE}(?: of (?:the )?wafer(?:'s radius)?)?"),
    ("length", rf"(?:{ITS}length|line|scratch){IS}{VALUE} {DIES}"),
    ("length", rf"{VALUE} {DIES} long"),
    ("bend", rf"{ITS}bend{IS}{VALUE}{DEG}"),
    ("bend", rf"(?:bends?|turns?|curves?) by {VALUE}{DEG}"),
    ("angle", rf"{ITS}(?:angle|orientation|inclination){IS}{VALUE}{DEG}"),
    ("angle", rf"(?:runs|lies|oriented|inclined) at {VALUE}{DEG}"),
    ("probability", rf"probability of (?P<type>{'|'.join(PATTERNS)})(?:-type)?{IS}{VALUE}"),
)
FORMS = [(slot, re.compile(rf"(?<![\w.])(?:{words})(?!\w|\.\d)")) for slot, words in WAYS]
WORDS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8}
WORD = re.compile(
    rf"\b({'|'.join(WORDS)})(?= (?:separate |distinct |isolated |similar |"
    rf"other )*(?:clusters|wafers))"
)
DENIED = re.compile(r"\b(?:not|never|n't)\b|n't\b")


def spelled(text: str) -> str:
    """The text with small numbers that are written as words in digits; lengths may change.

    >>> spelled("three separate clusters")
    '3 separate clusters'
    """
    return WORD.sub(lambda match: str(WORDS[match[1]]), text)


def quantities(text: str) -> Iterator[tuple[Claim, int, int]]:
    """Claims about numbers in a sentence (lower case), and where each stands.

    >>> [claim.value for claim, _, _ in quantities("the yield is 87.5 %, 120 dies fail")]
    [87.5, 120.0]
    """
    for slot, words in FORMS:
        for match in words.finditer(text):
            named = _named(match)
            if named is None:
                continue
            value, tolerance = named
            start, stop = match.span()
            holds = not DENIED.search(match.group())
            groups = match.groupdict()
            where = groups.get("type") or _where(groups.get("of") or "")
            yield Claim(slot, value, where, holds, tolerance), start, stop
            text = blank(text, start, stop)


def _named(match: re.Match[str]) -> tuple[float, float] | None:
    """The number and the tolerance that its words allow; None where it is no number."""
    groups = match.groupdict()
    if groups.get("a"):
        low, high = float(groups["a"]), float(groups["b"])
        value, tolerance = (low + high) / 2, abs(high - low) / 2
    elif groups.get("n"):
        value = float(re.sub(r"[ ,]", "", groups["n"]))
        tolerance = ABOUT_SHARE * value if groups["about"] else 0.0
    else:
        return None
    if groups.get("within"):
        tolerance = float(groups["within"])
    return float(f"{value:.6g}"), float(f"{tolerance:.4g}")


def _where(words: str) -> str:
    for term in PLACES:
        if term.words.search(words):
            return str(term.value)
    return ""

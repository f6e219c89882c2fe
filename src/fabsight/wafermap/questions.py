"""What a question in free English asks for: which slots, in which form, about which part.

    "Is the centre clear, and what caused the ring?" --route--> Asked(form "yes-no", slots, claims)

A question may ask several things. What it asks in none of the known ways is answered with a whole
description, which is never wrong to give.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

from fabsight.wafermap.claims import Claim
from fabsight.wafermap.lexicon import PLACES
from fabsight.wafermap.reading_text import claims

Form: TypeAlias = Literal["open", "yes-no", "choice"]
FAMILIES: Mapping[str, tuple[str, ...]] = {
    "type": ("pattern",),
    "where": ("zone", "quadrant", "clock"),
    "shape": ("morphology",),
    "cause": ("pattern", "cause"),
    "consistency": ("arrangement", "symmetry", "repeats"),
    "golden": ("new_fails", "gone_fails"),
    "similar": ("similar",),
}
WHOLE = ("pattern", "zone", "quadrant", "clock", "morphology", "fail_rate", "cause")
WORDS: Mapping[str, str] = {
    "golden": r"golden|reference (?:map|wafer)|compar\w+|differ\w*|new(?:ly)? fail\w*",
    "similar": r"similar|how many (?:other )?wafers|same pattern|look(?:s)? like this|alike",
    "cause": r"caus\w+|why|root|reasons?|origin\w*|responsible|went wrong|culprit|"
    r"explain\w*|hypothes\w+"
    r"|process (?:step|problem|issue)|suspect\w*|tool",
    "where": r"where|locat\w+|positions?|which (?:zone|quadrant|part|side|area|region|half|quarter)"
    r"|clock|what (?:zone|quadrant|part|side|area|region)|concentrat\w+|"
    r"spatial(?:ly)? distribut\w+|distribution",
    "shape": r"shapes?|morpholog\w+|looks? like|form(?:s|ed)?|geometr\w+|appearance|appear",
    "consistency": r"consisten\w+|symmetr\w+|random\w*|cluster(?:ed|ing)|repeat\w*|"
    r"period\w*|systematic"
    r"|one-?sided|uniform\w*",
    "type": r"types?|class(?:es|ify|ified|ification)?|patterns?|kinds?|categor\w+|"
    r"label\w*|which defects?"
    r"|what defects?|signature",
}
NUMBER_WORDS: Mapping[str, str] = {
    "yield": r"yield",
    "fail_rate": r"fail(?:ure|ing)? (?:rate|share|fraction)|"
    r"(?:share|percent\w*|fraction|%)[^?]{0,20}fail\w*"
    r"|defect (?:rate|density)",
    "fails": r"how many (?:\w+ )?(?:dies|dice|chips)[^?]{0,20}(?:fail\w*|bad|"
    r"defective)|how many fail\w*"
    r"|number of fail\w*|fail(?:ing|ed)? (?:die )?count",
    "dies": r"how many (?:dies|dice|chips)(?! (?:fail|are (?:bad|failing|def)|in the))|"
    r"number of (?:dies|dice|chips)|die count",
    "clusters": r"how many (?:separate |distinct )?clusters|number of clusters",
    "arc": r"how much of the (?:circumference|rim|edge)|"
    r"(?:which|what|how large an?) arc|how many degrees|coverage",
    "radius": r"radius|how far (?:out|from the cent)",
    "width": r"how (?:wide|thick)|width|thickness",
    "length": r"how long|length",
    "bend": r"bent|bend|curv\w+",
    "angle": r"angle|orientation|direction of the (?:line|scratch)",
}
KEPT = 1024  # questions whose meaning is kept: one is often asked of thousands of maps
YES_NO = re.compile(
    r"^(?:\w+,? )?(?:is|are|does|do|did|has|have|can|could|was|were|will|would|should)\b(?! you\b)"
    r"|\b(?:true or false|yes or no|yes/no)\b|,? (?:right|correct|isn't it)\?$"
)
OPTION = re.compile(
    r"(?:^|[\s(])\(?([A-Ha-h])[).:]\s+(.*?)(?=(?:[\s,;(]+\(?[A-Ha-h][).:]\s)|[?\n]?\s*$)", re.S
)
COULD_YOU = re.compile(r"^(?:please,? )?(?:can|could|would|will) you (?:please )?")


@dataclass(frozen=True)
class Asked:
    """What is asked.

    Attributes:
        form: Open, yes or no, or a choice among options.
        families: Keys of FAMILIES, "number" or "description", in the order of the text.
        slots: Slots an answer should fill, without repetition.
        where: Zone or quadrant that numbers are asked of, "" for the wafer.
        claims: What a yes-no question puts forward.
        options: Letter -> claims of the option.
    """

    form: Form
    families: tuple[str, ...]
    slots: tuple[str, ...]
    where: str = ""
    claims: tuple[Claim, ...] = ()
    options: Mapping[str, tuple[Claim, ...]] | None = None


@lru_cache(maxsize=KEPT)
def route(text: str) -> Asked:
    """What a question asks for.

    >>> route("Which defect type is this, and where does it lie?").slots
    ('pattern', 'zone', 'quadrant', 'clock')
    >>> [(claim.slot, claim.value) for claim in route("Is there a scratch?").claims]
    [('pattern', 'scratch')]
    """
    said = COULD_YOU.sub("", " ".join(text.split()).lower())
    options = _options(text)
    if options:
        stem = text[: OPTION.search(text).start()].lower()  # type: ignore[union-attr]
        slots = _unique(claim.slot for found in options.values() for claim in found)
        return Asked("choice", _families(stem) or _of_slots(slots), slots, options=options)
    if YES_NO.search(said):
        put = tuple(claims(_statement(said)))
        if put and not _alternatives(said, put):
            slots = _unique(claim.slot for claim in put)
            return Asked("yes-no", _of_slots(slots), slots, claims=put)
    families = _families(said)
    numbers = tuple(slot for slot, words in NUMBER_WORDS.items() if _has(words, said))
    if "fails" in numbers:
        numbers = tuple(slot for slot in numbers if slot != "dies")
    if numbers and families and not _has(r"where|type|why|cause\w*|shape", said):
        families = ()
    slots = _unique((*(s for family in families for s in FAMILIES[family]), *numbers))
    families = (*families, *(("number",) * bool(numbers)))
    if not slots:
        return Asked("open", ("description",), WHOLE)
    return Asked("open", families, slots, where=_place(said) if numbers else "")


def _families(said: str) -> tuple[str, ...]:
    """The families whose words a question has, in the order of the text."""
    found = []
    for family, words in WORDS.items():
        match = re.search(rf"\b(?:{words})(?!\w)", said)
        if match:
            found.append((match.start(), family))
    names = [family for _, family in sorted(found)]
    if (
        "type" in names
        and len(names) > 1
        and not _has(r"types?|class\w*|kinds?|which|what defects?", said)
    ):
        names.remove("type")  # "where does the pattern lie?" asks for no type
    return tuple(names)


def _of_slots(slots: tuple[str, ...]) -> tuple[str, ...]:
    """The families that slots belong to; those of numbers are "number"."""
    home = {slot: family for family, of in reversed(tuple(FAMILIES.items())) for slot in of}
    return _unique(home.get(slot, "number") for slot in slots)


def _options(text: str) -> dict[str, tuple[Claim, ...]]:
    """Letter -> claims of each option of a multiple choice; {} where there are none."""
    found = {m[1].upper(): tuple(claims(_option(m[2]))) for m in OPTION.finditer(text)}
    return found if len(found) >= 2 and "A" in found else {}


def _alternatives(said: str, put: tuple[Claim, ...]) -> bool:
    """Whether a question asks which of several values holds: "clustered or random?"."""
    slots = [claim.slot for claim in put]
    return " or " in said and len(slots) > len(set(slots))


def _option(words: str) -> str:
    """An option as a statement: a bare name is a defect type."""
    bare = words.strip(" .,;?()")
    return f"The defect type is {bare}." if len(bare.split()) <= 2 else f"{bare}."


def _statement(said: str) -> str:
    """A yes-no question as the statement it asks about."""
    return (
        re.sub(r"\s*(?:,? (?:right|correct|isn't it|yes or no|true or false))?\?+\s*$", "", said)
        + "."
    )


def _place(said: str) -> str:
    for term in PLACES:
        if term.words.search(said):
            return str(term.value)
    return ""


def _has(words: str, said: str) -> bool:
    return bool(re.search(rf"(?<!\w)(?:{words})(?!\w)", said))


def _unique(slots: object) -> tuple[str, ...]:
    return tuple(dict.fromkeys(slots))  # type: ignore[call-overload]

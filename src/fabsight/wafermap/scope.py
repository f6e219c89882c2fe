"""What a clause denies: the scope of "no", "not", "is clear", "unlike", "less ... than".

    "the rim is hit, while the centre is not"         a verb denied at the end: its subject is
    "leaves the upper left untouched"                 an adjective behind a place
    "cannot be anything other than a scratch"         two denials of one thing cancel
    "unlike the centre, the rim shows many fails"     a comparison ends at its comma

A denial reaches forward to the end of its clause, to the next denial, or, where nothing follows,
back to its subject. What is unclear is no claim. After NegEx (Chapman et al. 2001,
J. Biomed. Inform. 34(5)).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fabsight.wafermap.asides import asserts, silent
from fabsight.wafermap.clauses import clauses
from fabsight.wafermap.lexicon import TAKEN, Mention, blank
from fabsight.wafermap.negation import (
    ALONE,
    AS,
    ATTRIBUTE,
    COMPARISON,
    ECHO,
    EITHER,
    FEWER,
    FORWARD,
    HEADING,
    HEDGE,
    LESS,
    NO_FAILS,
    NO_NEGATION,
    NOT_ATTRIBUTE,
    OBJECT_AFTER,
    PLACE_AFTER,
    PREDICATE,
    PREFERS,
    REACHES_BACK,
    SOUND_LATER,
    STANDS,
    THAN,
    VERBLESS,
)

PLACES = ("zone", "quadrant", "clock")
MORE = re.compile(r"\bmore than\b")
NEAR = 2  # letters between two denials that cancel
COMMA = re.compile(  # or what begins a clause without one: "instead of a ring we have an arc"
    r"[,:]|(?<=\x01) (?=(?:we|i|it|this|there|one) (?:have|has|see|sees|is|are|find|get|shows?)\b)"
)
LISTED = re.compile(  # what follows a comma within a list: "ring, arc or line", ", nor the rim"
    r" (?:or|nor) (?:(?:the|an?|any|in|at|from|on|of) )*\x01|"
    r" and (?:(?:the|an?|any|in|at|from|on|of) )*\x01+(?: \w+)?\W*$|"
    r" (?:an? |any |no )?\x01+(?:[- ]\w+)?(?:,| or | and (?!the)| nor )"
    r"| the \x01+(?:[- ]\w+)?(?:,? or |,? nor )"
)


@dataclass(frozen=True)
class Stated:
    """A mention with what the text says of it: that it holds or not, with reserve or without."""

    mention: Mention
    holds: bool
    hedged: bool


@dataclass(frozen=True)
class Predicate:
    """What is said of a subject: "is clear", "is not visible", "is not clean".

    Attributes:
        start, stop: Where it stands in its clause.
        absent: Whether it is said of things too, not of places alone.
        denied: Whether it is itself denied: "is not clear".
        core: Whether its adjective alone means that nothing fails; not so in "is not affected".
    """

    start: int
    stop: int
    absent: bool
    denied: bool
    core: bool = True

    @property
    def sound(self) -> bool:
        """Whether it says that nothing fails."""
        return not self.denied


def stated(sentence: str, mentions: Sequence[Mention]) -> list[Stated]:
    """What a sentence (lower case) says of what it mentions; nothing where it asserts nothing.

    >>> from fabsight.wafermap.lexicon import mentions
    >>> said = "no scratch is seen, but the centre is not clear"
    >>> [(s.mention.value, s.holds) for s in stated(said, mentions(said))]
    [('scratch', False), ('centre', True)]
    """
    masked = sentence
    for mention in mentions:
        masked = blank(masked, mention.start, mention.stop)
    if not mentions or not asserts(masked):
        return []
    masked = NO_NEGATION.sub(lambda match: " " * len(match[0]), masked)
    quiet = silent(masked)
    for span in quiet:
        masked = masked[: span[0]] + " " * (span[1] - span[0]) + masked[span[1] :]
    mentions = [m for m in mentions if not any(a <= m.start < b for a, b in quiet)]
    found: list[Stated] = []
    before: Predicate | None = None
    for start, stop in clauses(masked):
        inside = [m for m in mentions if start <= m.start < stop]
        clause = _clause(masked[start:stop], start, inside, before)
        hedged = bool(HEDGE.search(clause.text))
        for mention in inside:
            denied = denial(clause, mention)
            if denied is not None:
                found.append(Stated(mention, not denied, hedged))
        before = clause.predicates[-1] if clause.predicates else before
    return found


@dataclass(frozen=True)
class Clause:
    """A clause.

    Attributes:
        text: Its words, values and predicates masked.
        start: Where it stands in its sentence.
        inside: What it mentions.
        predicates: What it says of subjects.
        denials: Words that deny what follows them.
        before: The last predicate of the clauses before it.
    """

    text: str
    start: int
    inside: Sequence[Mention]
    predicates: Sequence[Predicate]
    denials: Sequence[re.Match[str]]
    before: Predicate | None


def _clause(text: str, start: int, inside: Sequence[Mention], before: Predicate | None) -> Clause:
    predicates = list(map(_predicate, PREDICATE.finditer(text)))
    for one in predicates:
        text = text[: one.start] + "\x02" * (one.stop - one.start) + text[one.stop :]
    return Clause(text, start, inside, predicates, list(FORWARD.finditer(text)), before)


def _predicate(match: re.Match[str]) -> Predicate:
    denied = bool(match["neg"] or match["never"]) != bool(
        match["modal"] or match["perfect"] or match["keeps"]
    )
    absent = bool(match["absent"] or match["bad"] or match["label"])
    return Predicate(*match.span(), absent, denied, core=not match["bad"])


def denial(clause: Clause, mention: Mention) -> bool | None:
    """Whether a clause denies what it mentions; None where that is unclear."""
    at = mention.start - clause.start
    compared = _compared(clause.text, at)
    if compared == "denied" and mention.slot in PLACES and MORE.search(clause.text):
        compared = "unclear"  # "the centre fails more than the rim"
    if compared != "not compared":
        return None if compared == "unclear" else compared == "denied"
    forward = _forward(clause, at, mention)
    behind = _said_of(clause, mention)
    if forward is None or behind is None:
        return None
    if not forward and EITHER.search(clause.text):
        return None
    over = PREFERS.search(clause.text)
    if over and over.end() <= at:
        return True
    return bool((forward + behind + mention.flip) % 2)


def _compared(text: str, at: int) -> str:
    """What a comparison says of what stands at a place: "less linear than dispersed"."""
    less = LESS.search(text)
    than = THAN.search(text) or (less and AS.search(text, less.end()))
    if not than:
        return "not compared"
    after = at > than.start()
    if less:
        return "asserted" if after else ("denied" if at >= less.end() else "unclear")
    if FEWER.search(text, 0, than.start()):
        return "unclear"
    if not after:
        return "not compared"
    return "denied" if COMPARISON.search(text, 0, than.start()) else "unclear"


def _forward(clause: Clause, at: int, mention: Mention) -> int | None:
    """Whether the denials before a mention deny it: 0, 1, or None where that is unclear."""
    denied, last = bool(HEADING.match(clause.text)), None
    for one in clause.denials:
        if one.end() > at:
            break
        between = clause.text[last.end() if last else 0 : one.start()]
        if one["except"]:
            denied = not (
                denied or any(p.sound and p.stop <= one.start() for p in clause.predicates)
            )
        elif last and TAKEN not in between and not between.rstrip().endswith((",", "and", "or")):
            denied = not denied
        else:
            denied = True
        last = one
    if not (denied and last):
        return int(denied)
    closed = _closed(clause.text, last.end(), at)
    if closed:
        return 0 if closed == "ended" else None
    things = [
        m
        for m in clause.inside
        if m.slot not in PLACES and last.end() <= m.start - clause.start < at
    ]
    return None if things and mention.slot in PLACES and not last["except"] else 1


def _closed(text: str, start: int, at: int) -> str:
    """Whether a comma that is none of a list has "ended" a scope before `at`, or may have."""
    for comma in COMMA.finditer(text, start, at):
        if TAKEN in text[start : comma.start()] and not LISTED.match(text, comma.end()):
            return "unclear" if text.startswith(" and ", comma.end()) else "ended"
    return ""


def _said_of(clause: Clause, mention: Mention) -> int | None:
    """How often what stands around a mention denies it; None where that is unclear."""
    at, end = mention.start - clause.start, mention.stop - clause.start
    ahead, after = clause.text[:at], clause.text[end:]
    before = clause.before
    sound = before is not None and before.sound
    if mention.slot in PLACES:
        attribute = ATTRIBUTE.search(ahead)
        if attribute and not NOT_ATTRIBUTE.match(after):
            return int(not attribute["neg"])
        alone = ALONE.match(after)
        if alone:
            return int(not alone["neg"])
    if ECHO.match(clause.text) or VERBLESS.match(clause.text):
        return int(sound)
    if STANDS.match(after):
        return int(before is not None and before.core)
    return _by_predicate(clause, mention)


def _by_predicate(clause: Clause, mention: Mention) -> int | None:
    """What the predicates before and after a mention, or a denied verb behind it, say of it."""
    at, end = mention.start - clause.start, mention.stop - clause.start
    for one in clause.predicates:
        if one.stop <= at and PLACE_AFTER.match(clause.text[one.stop : at]):
            return int(one.sound) if mention.slot in PLACES else 0
        if one.stop <= at and OBJECT_AFTER.match(clause.text[one.stop : at]):
            return None if _places_before(clause, one.start) else int(one.sound)
        if one.start >= end:
            return _subject(clause, mention, one)
    return _back(clause, mention) or _complement(clause, mention)


def _complement(clause: Clause, mention: Mention) -> int:
    """Whether the predicate before a mention denies it: "this does not qualify as a ring"."""
    ends = [one for one in clause.predicates if one.stop <= mention.start - clause.start]
    if not ends or ends[-1].core or not ends[-1].sound:
        return 0
    return int(TAKEN not in clause.text[: ends[-1].start])


def _places_before(clause: Clause, place: int) -> bool:
    return any(m.slot in PLACES and m.start - clause.start < place for m in clause.inside)


def _subject(clause: Clause, mention: Mention, said: Predicate) -> int | None:
    """Whether a predicate denies a mention before it; None where it is said of a part of it."""
    if not said.sound:
        return 0
    later = [m for m in clause.inside if m.start - clause.start >= said.stop]
    if later and later[0].slot in PLACES:
        between = clause.text[said.stop : later[0].start - clause.start]
        if PLACE_AFTER.match(between):
            return None
    if mention.slot in PLACES:
        things = [m for m in clause.inside if m.slot not in PLACES and m.start < mention.start]
        return None if said.absent and things else 1
    return int(said.absent)


def _back(clause: Clause, mention: Mention) -> int | None:
    """Whether a denial behind a mention denies it: "the centre does not"."""
    end = mention.stop - clause.start
    place = mention.slot in PLACES
    behind = [one for one in clause.denials if one.start() >= end]
    if len(behind) > 1 and behind[1].start() - behind[0].end() <= NEAR:
        return 0  # "the rim is not without fails"
    for one in behind:
        rest = clause.text[one.end() :]
        later = [m for m in clause.inside if m.start - clause.start >= one.end()]
        if later:
            return None if place and later[0].slot not in PLACES and one["noun"] else 0
        if one["verbal"]:
            if SOUND_LATER.match(rest):
                return 0
            if REACHES_BACK.match(rest):
                ends = not rest.strip(" .,;!")
                before = clause.before
                return int(not (ends and before is not None and before.core))
            return None if place else 0
        if one["noun"]:
            return (1 if NO_FAILS.match(rest) else None) if place else 0
        return 0
    return 0

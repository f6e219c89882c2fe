"""Sentences to clauses, and what a clause denies: the scope of "no", "not", "is clear".

    "The centre is clear, but the edge fails from 2 to 4 o'clock, not all round."
     -------------------      ------------------------------------  -------------
     denied by its predicate   asserted                              denied by "not"

A negation reaches forward to the end of its clause ("no ring or arc"); a predicate reaches back to
its subject ("the ring is absent"). Two negations of one thing cancel. Sentences that assert nothing
(questions, conditions) are left out. After NegEx (Chapman et al. 2001, J. Biomed. Inform. 34(5)).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from fabsight.wafermap.lexicon import Mention, blank

SENTENCE = re.compile(r"(?<=[.!?;])\s+(?=\S)|\n+")
ABBREVIATIONS = re.compile(r"\b(e\.g|i\.e|approx|ca|vs|no|fig|resp|etc)\.", re.I)
NOT_SAID = re.compile(
    r"^(?:if|unless|were (?:it|there)|had |suppose|assuming|whether|for a |typically,? (?:a|an) )\b"
    r"|\bwould (?:be|show|look|have|appear|indicate|produce|suggest)\b"
)
HEDGE = re.compile(
    r"\b(?:may|might|could|possibly|perhaps|probably|likely|presumably|seems?|"
    r"appears? to|suggests?|"
    r"uncertain|tentative(?:ly)?|potential(?:ly)?|cannot be (?:excluded|ruled out)|hypothe\w+)\b"
)
# Look like negations and are none.
NO_NEGATION = re.compile(
    r"\b(?:no doubt|not only|no question|not just|not merely|nothing but|no less than|"
    r"cannot be (?:excluded|"
    r"ruled out)|not (?:be )?(?:excluded|ruled out)|cannot (?:exclude|"
    r"rule out)|not unlike|no more than|"
    r"not surprising(?:ly)?|no matter)\b"
)
FORWARD = re.compile(
    r"\b(?:no|not|never|without|lacks?|lacking|lack of|absence of|free (?:of|from)|"
    r"clear of|devoid of|"
    r"rather than|instead of|as opposed to|unlike|excludes?|excluding|rules? out|"
    r"ruling out|neither|nor|"
    r"none of|hardly any|hardly|scarcely|barely any|few(?:er)?|outside(?: of)?|"
    r"away from|other than|spares?|sparing|"
    r"avoids?|avoiding|fails to (?:show|reach)|except(?: for| in| at)?|but not|cannot|"
    r"nothing|nowhere|"
    r"differs? from|different from|contrary to|is wrong to)\b|n't\b"
)
BAD = (
    r"affected|present|visible|seen|found|observed|involved|failing|detected|evident|"
    r"hit|damaged|failed|fail|"
    r"noticeable|discernible|apparent|concerned|touched|contaminated|defective"
)
ABSENT = "absent|missing|unlikely|excluded|ruled out|avoided|wrong|incorrect"
GOOD = (
    "clear|clean|unaffected|intact|spared|free|good|passing|healthy|defect-free|empty|"
    "untouched|fine|"
    "functional|yielding|undamaged|unharmed|quiet|normal|ok|low|lower|not affected"
)
ADVERB = (
    r"(?:(?:mostly|largely|entirely|completely|fully|quite|almost|nearly|essentially|"
    r"all|very|clearly|relatively|itself|perfectly|totally|also|still|again|however) )*"
)
LINK = (
    r"(?:is|are|was|were|remains?|stays?|appears?|looks?|seems?|shows up|has been|have been|"
    r"can be|be)"
)
FAILS = r"(?:fail\w*|defect\w*|bad)(?: dies)?"
FEW = r"(?:no|few|hardly any|almost no|next to no)"
# What is said of a subject: denied of places ("is clear"), of places and things ("is absent").
AFTER = re.compile(
    rf"\b(?:(?P<absent>(?:{LINK}|does|do|can) ?(?:not|n't|never|hardly|barely|nowhere) {ADVERB}"
    rf"(?:be |to be )?(?:{BAD})|{LINK} {ADVERB}(?:{ABSENT}))"
    rf"|(?P<double>{LINK} ?(?:not|n't|never|hardly) {ADVERB}(?:{GOOD}|{ABSENT}))"
    rf"|(?P<good>{LINK} {ADVERB}(?:{GOOD})|{ADVERB}(?:pass|passes|works|yields)(?! on)"
    rf"|shows? {FEW} {FAILS}|ha(?:s|ve) {FEW} {FAILS}|contains? {FEW} {FAILS}))\b"
)
BOUNDARY = re.compile(
    r",? (?:but(?! also)|however|whereas|while|although|though|yet|instead,|on the other hand|"
    r"in contrast)\b| - |\("
)
VERB = re.compile(
    rf"\b(?:{LINK}|has|have|lies?|sits?|forms?|shows?|covers?|spans?|concentrates?|"
    rf"clusters?|fails?|passe?s?|does|do|runs?|reach\w*|contains?|exhibits?|extends?|"
    rf"occup\w+|resembles?|points?|keeps?|falls?|starts?|ends?|stretch\w*)\b"
)
JOIN = re.compile(r", (?:and |or |so |then )?| and ")
DENIES = re.compile(r"(?:not|no|never|rather than|without|with no|instead of)\b")
NEAR = 9  # letters between two negations, the second of which is denied by the first
PLACES = ("zone", "quadrant", "clock")


@dataclass(frozen=True)
class Stated:
    """A mention with what the text says of it: that it holds or not, with reserve or without."""

    mention: Mention
    holds: bool
    hedged: bool


def sentences(text: str) -> Iterator[str]:
    """The sentences of a text that assert something."""
    guarded = ABBREVIATIONS.sub(r"\1", text)
    for sentence in SENTENCE.split(guarded):
        said = sentence.strip()
        if said and not said.endswith("?") and not NOT_SAID.search(said):
            yield said


def stated(sentence: str, mentions: Sequence[Mention]) -> list[Stated]:
    """What a sentence (lower case) says of what it mentions.

    >>> from fabsight.wafermap.lexicon import mentions
    >>> said = "no scratch is seen, but the centre is not clear"
    >>> [(s.mention.value, s.holds) for s in stated(said, mentions(said))]
    [('scratch', False), ('centre', True)]
    """
    found: list[Stated] = []
    for start, stop in clauses(sentence):
        inside = [m for m in mentions if start <= m.start < stop]
        found += _in_clause(sentence, (start, stop), inside)
    return found


def clauses(sentence: str) -> list[tuple[int, int]]:
    """Where the clauses of a sentence begin and end."""
    cuts = {0, *(match.start() for match in BOUNDARY.finditer(sentence))}
    for match in JOIN.finditer(sentence):
        before = sentence[max(cut for cut in cuts if cut <= match.start()) : match.start()]
        after = JOIN.split(sentence[match.end() :])[0]
        if (VERB.search(before) and VERB.search(after)) or DENIES.match(after):
            cuts.add(match.start())
    edges = [*sorted(cuts), len(sentence)]
    return [(a, b) for a, b in pairwise(edges) if b > a]


def _in_clause(sentence: str, span: tuple[int, int], inside: Sequence[Mention]) -> list[Stated]:
    start, stop = span
    text = NO_NEGATION.sub(lambda m: " " * len(m.group()), sentence[start:stop])
    for mention in inside:  # a negation inside a term is part of the term
        text = blank(text, mention.start - start, mention.stop - start)
    predicates = list(AFTER.finditer(text))
    for predicate in predicates:
        text = blank(text, *predicate.span())
    negations = _negations(text, start)
    hedged = bool(HEDGE.search(sentence[start:stop]))
    said = []
    for mention in inside:
        before = [(place, denies) for place, denies in negations if place < mention.start]
        place, denied = before[-1] if before else (0, False)
        if denied and mention.slot in PLACES and _denies_a_thing(place, mention, inside):
            continue  # "no scratch in the centre" says nothing of the centre
        denials = denied + mention.flip + _denied_after(mention, predicates, start)
        said.append(Stated(mention, denials % 2 == 0, hedged))
    return said


def _negations(text: str, start: int) -> list[tuple[int, bool]]:
    """Where the negations of a clause stand, and whether each denies: "not without" does not."""
    found: list[tuple[int, bool]] = []
    last = -NEAR
    for match in FORWARD.finditer(text):
        nested = match.start() - last < NEAR and "\x1f" not in text[max(last, 0) : match.start()]
        found.append((start + match.start(), not (nested and found and found[-1][1])))
        last = match.end()
    return found


def _denies_a_thing(negation: int, place: Mention, inside: Sequence[Mention]) -> bool:
    return any(m.slot not in PLACES and negation < m.start < place.start for m in inside)


def _denied_after(mention: Mention, predicates: Sequence[re.Match[str]], start: int) -> bool:
    """Whether the first predicate after a mention denies it."""
    for predicate in predicates:
        if start + predicate.start() > mention.start:
            return bool(predicate["absent"] or (predicate["good"] and mention.slot in PLACES))
    return False

"""From English to claims: what a text, ours or any model's, says of a wafer map.

    text --sentences--> sentence --lexicon, quantities--> mentions --stated--> claims

Nothing is guessed: what is not understood is no claim, and a text without any claim is refused.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from fabsight.wafermap.causes import CAUSES, REASONS
from fabsight.wafermap.claims import Answer, Claim
from fabsight.wafermap.clauses import sentences
from fabsight.wafermap.lexicon import Mention, blank, mentions
from fabsight.wafermap.negation import HEDGE
from fabsight.wafermap.phrases import ABSTAINS, CONVENTION, NO_CONTEXT, WITHDRAWN
from fabsight.wafermap.plain_text import plain
from fabsight.wafermap.quantities import quantities, spelled
from fabsight.wafermap.scope import stated

KEPT = 4096  # sentences whose claims are kept: models repeat themselves
LEAD = re.compile(
    r"^\s*[*_\"'(]*(?P<word>yes|no)\b[*_\"')]*(?=[.,:;!]|\s*$|\s+-)|"
    r"^\s*(?:answer|option)?:? ?\(?(?P<letter>[A-H])(?:[).:]|\s*$)",
    re.I,
)
NOTE = re.compile(r"\([^()]*\bnotch\b[^()]*\)|[^.!?\n]*\bconvention\b[^.!?\n]*[.!?\n]?", re.I)
CAUSAL = re.compile(
    r"\bcaus\w+|\bdue to\b|\bbecause of\b|\broot\b|\bstem\w*|\bresult\w* (?:from|of)\b|"
    r"\battribut\w+|\bsuggest\w*|"
    r"\bhypothes\w+|\bindicat\w+|\bconsistent with\b|\bpoints? (?:to|at)\b|\borigin\w*|"
    r"\bproduced by\b|\btypical of\b|"
    r"\bcandidates?\b|\bsources?\b|\bcome(?:s)? from\b"
)


def read(text: str) -> Answer:
    """The claims of a text, in its order, each once; the short answer it begins with.

    >>> read("No. The ring is broken from 5 to 7 o'clock; the centre is clear.").lead
    'No'
    """
    said: list[Claim] = []
    withdrawn: list[Claim] = []
    lead = LEAD.match(text)
    short = ""
    if lead:
        short = lead["letter"].upper() if lead["letter"] else lead["word"].capitalize()
        text = text[lead.end() :].lstrip(" .,:;!)-*\"'")
    for part, gone in _parts(_without_notes(text)):
        for claim in claims(part):
            target = withdrawn if gone else said
            if claim not in target:
                target.append(claim)
    return Answer(tuple(said), tuple(withdrawn), short)


def claims(text: str) -> Iterator[Claim]:
    """The claims of a text without short answer and notes."""
    for sentence in sentences(spelled(plain(text))):
        canonical = _canonical_cause(sentence)
        if canonical:
            yield canonical
            continue
        yield from _claims_in(" ".join(sentence.split()))


@lru_cache(maxsize=KEPT)
def _claims_in(sentence: str) -> tuple[Claim, ...]:
    found: list[tuple[int, Claim]] = []
    hedged = bool(HEDGE.search(sentence))
    for claim, start, stop in quantities(sentence):
        found.append(
            (
                start,
                Claim(claim.slot, claim.value, claim.where, claim.holds, claim.tolerance, hedged),
            )
        )
        sentence = blank(sentence, start, stop)
    if CAUSAL.search(sentence):
        sentence = _causes(sentence, found)
    for item in stated(sentence, mentions(sentence)):
        mention = item.mention
        claim = Claim(mention.slot, mention.value, holds=item.holds, hedged=item.hedged)
        found.append((mention.start, claim))
    return tuple(claim for _, claim in sorted(found, key=lambda pair: pair[0]))


def _causes(sentence: str, found: list[tuple[int, Claim]]) -> str:
    """The sentence without the causes it names, which are added to `found`."""
    named: list[Mention] = []
    ways = [(key, re.escape(cause.name.lower())) for key, cause in CAUSES.items()]
    ways += [(key, cause.words) for key, cause in CAUSES.items()]
    for key, words in ways:
        for match in re.finditer(rf"\b(?:{words})(?!\w)", sentence):
            named.append(Mention("cause", key, *match.span()))
            sentence = blank(sentence, *match.span())
    said = stated(sentence, sorted(named, key=lambda mention: mention.start))
    found += [(s.mention.start, Claim("cause", s.mention.value, holds=s.holds)) for s in said]
    return sentence


def _canonical_cause(sentence: str) -> Claim | None:
    """The cause of a sentence as `phrases` writes it, with its reasons; None for any other."""
    match = re.match(r"a possible cause is (?P<name>.*?)(?:, because (?P<why>.*))?\.?$", sentence)
    if match is None:
        return None
    for key, cause in CAUSES.items():
        if cause.name.lower() == match["name"]:
            why = match["why"] or ""
            reasons = [(why.find(r.text), k) for k, r in REASONS.items() if r.text in why]
            return Claim("cause", key, because=tuple(k for _, k in sorted(reasons)))
    return None


def _parts(text: str) -> Iterator[tuple[str, bool]]:
    """Pieces of a text, and whether each is what was withdrawn."""
    first, *others = text.split(WITHDRAWN)
    yield first, False
    for other in others:
        sentence, stop, rest = other.partition(". ")
        yield sentence + stop, True
        yield rest, False


def _without_notes(text: str) -> str:
    for note in (CONVENTION, ABSTAINS, NO_CONTEXT):
        text = text.replace(note, " ")
    return NOTE.sub(" ", text)

"""Whether the claims of an answer agree with the map: no truth is used, only what is measured.

    question, Answer --verify--> Check(score, coverage, evidence)

The score is what the answer says of each slot that was asked for, as an F score of its claims
against the measured description, less what it says wrong of anything else.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from fabsight.task import Check, Question
from fabsight.wafermap.claims import Answer, Choice, Claim, Description, Verdict
from fabsight.wafermap.composing import completed, compose
from fabsight.wafermap.judging import judge
from fabsight.wafermap.phrases import sentences
from fabsight.wafermap.questions import Asked, route
from fabsight.wafermap.rubrics import met
from fabsight.wafermap.seeing import seen
from fabsight.wafermap.settings import WaferSettings

LIKELY = 0.9  # of a pattern that the facts rule out and the classifier does not
UNDECIDED = 0.6  # worth of a slot that is answered with what cannot be checked
MOST_NAMED = 3


@dataclass(frozen=True)
class Finding:
    """A claim and what the map says of it."""

    claim: Claim
    verdict: Verdict


def checked_by(question: Question[WaferSettings]) -> Description:
    """What claims about the question's map are checked against: facts, not the classifier.

    One thing the classifier may do: a pattern that it holds for likelier than not is left open
    where the facts rule it out. Only what both deny is contradicted.
    """
    known = seen(question)
    said, doubted = known.evident.choices["pattern"], known.description.choices["pattern"].true
    likely = [name for name in doubted if known.scores.likelihood(name) >= LIKELY]
    left_open = tuple(dict.fromkeys((*said.possible, *(n for n in likely if n not in said.true))))
    return replace(
        known.evident,
        choices={**known.evident.choices, "pattern": Choice(said.true, left_open)},
        numbers={**known.evident.numbers, **known.beside},
    )


def findings(question: Question[WaferSettings], said: Answer) -> tuple[Finding, ...]:
    """Each claim of an answer with its verdict."""
    by = checked_by(question)
    return tuple(Finding(claim, judge(claim, by)) for claim in said.claims)


def verify(question: Question[WaferSettings], said: Answer) -> Check:
    """How well an answer agrees with its map."""
    asked, by = route(question.text), checked_by(question)
    said = completed(said, asked)
    found = [Finding(claim, judge(claim, by)) for claim in said.claims]
    wanted = compose(asked, by).claims
    shares = dict(_slots(asked, wanted, found, by))
    answered = [slot for slot in shares if any(f.claim.slot == slot for f in found)]
    decided = [f for f in found if f.verdict != "not checkable"]
    wrong = [f for f in decided if f.verdict == "contradicted"]
    honest = 1 - len(wrong) / len(decided) if decided else 1.0
    score = honest * sum(shares.values()) / max(len(shares), 1)
    evidence: dict[str, float | str] = {
        "supported": float(len(decided) - len(wrong)),
        "contradicted": float(len(wrong)),
        "not checkable": float(len(found) - len(decided)),
    }
    if wrong:
        evidence["the map contradicts"] = _quoted([f.claim for f in wrong])
    if said.withdrawn:
        evidence["withdrawn"] = _quoted(said.withdrawn)
    coverage = len(answered) / max(len(shares), 1)
    return Check(score, coverage, True, evidence)


def _slots(
    asked: Asked, wanted: Sequence[Claim], found: Sequence[Finding], by: Description
) -> Iterator[tuple[str, float]]:
    """Slot -> how well it is filled, 0 to 1, of the slots that were asked for."""
    slots = dict.fromkeys((*(claim.slot for claim in wanted), *asked.slots[:1]))
    for slot in slots:
        here = [f for f in found if f.claim.slot == slot]
        right = sum(f.verdict == "supported" for f in here)
        wrong = sum(f.verdict == "contradicted" for f in here)
        of = [claim for claim in wanted if claim.slot == slot]
        if slot == "cause":
            yield slot, float(right > 0 and not wrong)
            continue
        missed = sum(not met(claim, [f.claim for f in here], by) for claim in of if claim.holds)
        if right + wrong:
            yield slot, 2 * right / (2 * right + wrong + missed)
        else:
            yield slot, UNDECIDED if here else 0.0


def _quoted(claims: Sequence[Claim]) -> str:
    said = sentences(claims)
    more = f" and {len(said) - MOST_NAMED} more" if len(said) > MOST_NAMED else ""
    return " ".join(said[:MOST_NAMED]) + more

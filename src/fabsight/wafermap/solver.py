"""The embedded model: facts and the classifier's patterns to the claims that were asked for."""

from dataclasses import replace

from fabsight.task import Question
from fabsight.wafermap.claims import Answer
from fabsight.wafermap.composing import compose
from fabsight.wafermap.judging import judge
from fabsight.wafermap.phrases import write
from fabsight.wafermap.questions import route
from fabsight.wafermap.seeing import SURE, Seen, probabilities, seen
from fabsight.wafermap.settings import WaferSettings


def solve(question: Question[WaferSettings]) -> str:
    """The answer in sentences; every one is a claim that can be checked."""
    return write(answer(question, seen(question)))


def answer(question: Question[WaferSettings], known: Seen) -> Answer:
    """The answer as claims: patterns of low probability with reserve, or none where it abstains."""
    asked = route(question.text)
    found = compose(asked, known.description)
    if "pattern" in asked.slots and not known.description.choices["pattern"].true:
        others = tuple(claim for claim in found.claims if claim.slot in asked.slots)
        return replace(found, claims=(*probabilities(known), *others))
    claims = tuple(
        replace(claim, hedged=True)
        if claim.slot == "pattern" and claim.holds and _unsure(str(claim.value), known)
        else claim
        for claim in found.claims
    )
    return replace(found, claims=claims)


def refine(question: Question[WaferSettings], said: Answer) -> Answer:
    """The answer with what the map contradicts withdrawn: kept, but no longer claimed."""
    from fabsight.wafermap.checking import checked_by

    by = checked_by(question)
    wrong = tuple(claim for claim in said.claims if judge(claim, by) == "contradicted")
    if not wrong:
        return said
    kept = tuple(claim for claim in said.claims if claim not in wrong)
    gone = (*said.withdrawn, *(claim for claim in wrong if claim not in said.withdrawn))
    return Answer(kept, gone, "" if said.lead else said.lead)


def _unsure(pattern: str, known: Seen) -> bool:
    named = known.description.choices["pattern"].true
    return len(named) == 1 and known.scores.probability(pattern) < SURE

"""Rubrics: what an answer to one question must say, what it must not, and when a rubric is fit.

    Asked, Description --rubric--> items with weights --marks--> 0 to 1

An item is a claim, never a scrap of text; it is met by a claim in the answer that says the same,
with negations read. Whatever the truth contradicts costs as much as its slot is worth, so that
saying everything at once earns nothing. A rubric is used only after three gates.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fabsight.wafermap.claims import NUMBERS, Answer, Claim, Description
from fabsight.wafermap.composing import compose
from fabsight.wafermap.judging import judge
from fabsight.wafermap.questions import Asked

MAIN, OTHER, CAUSE = 2.0, 1.0, 0.5
CANDIDATES, SAMPLE = 64, 256  # constant answers that are tried, on how many questions about
MOST_FLOOR, MOST_ALIEN = 0.5, 0.5  # what a constant, or another map's, answer may score


@dataclass(frozen=True)
class Item:
    """A claim that a right answer makes, and what it is worth."""

    claim: Claim
    weight: float


@dataclass(frozen=True)
class Rubric:
    """What an answer to one question about one map is marked by.

    Attributes:
        items: Claims a right answer makes.
        truth: What is true of the map: whatever contradicts it costs.
    """

    items: tuple[Item, ...]
    truth: Description


def rubric(asked: Asked, truth: Description) -> Rubric:
    """The rubric of a question: its reference answer's claims; what is asked first weighs most."""
    reference = compose(asked, truth)
    main = reference.claims[0].slot if reference.claims else ""
    return Rubric(tuple(Item(claim, _weight(claim, main)) for claim in reference.claims), truth)


def marks(answer: Answer, by: Rubric) -> float:
    """The share of the rubric's weight that an answer earns, 0 to 1, what is wrong taken off.

    >>> from fabsight.wafermap.claims import Choice
    >>> truth = Description(choices={"pattern": Choice(true=("donut",))})
    >>> by = Rubric((Item(Claim("pattern", "donut"), 2.0),), truth)
    >>> [marks(Answer((Claim("pattern", name),)), by) for name in ("donut", "scratch")]
    [1.0, 0.0]
    """
    total = sum(item.weight for item in by.items)
    if not total:
        return 0.0
    earned = sum(item.weight for item in by.items if met(item.claim, answer.claims, by.truth))
    main = by.items[0].claim.slot
    wrong = (claim for claim in answer.claims if judge(claim, by.truth) == "contradicted")
    lost = sum(_weight(claim, main) for claim in wrong)
    return max(0.0, min(1.0, (earned - lost) / total))


def met(wanted: Claim, claims: Iterable[Claim], truth: Description) -> bool:
    """Whether one of the claims says what is wanted."""
    for claim in claims:
        if (claim.slot, claim.where, claim.holds) != (wanted.slot, wanted.where, wanted.holds):
            continue
        loose = claim.slot == "clock" or claim.slot in NUMBERS
        if claim.value == wanted.value or (loose and judge(claim, truth) == "supported"):
            return True
    return False


def _weight(claim: Claim, main: str) -> float:
    if claim.slot == "cause":
        return CAUSE
    return MAIN if claim.slot == main else OTHER


@dataclass(frozen=True)
class Posed:
    """A question with its rubric and its reference answer, before the gates."""

    asked: Asked
    by: Rubric
    reference: Answer
    pattern: str


def gates(posed: Sequence[Posed]) -> Mapping[int, str]:
    """Which rubrics are not fit to be used, by index, and why; of one family of questions.

    1. The reference answer scores 1.
    2. The reference answers of other patterns score 0.5 at most on the mean.
    3. The answer that is best for the whole family, if always given, scores 0.5 at most on it: of
       those on which it scores most, the last go until it does.
    """
    refused = {
        k: "its reference answer does not score 1"
        for k, one in enumerate(posed)
        if marks(one.reference, one.by) < 1.0 - 1e-9
    }
    by_pattern = {one.pattern: one.reference for one in posed}
    for k, one in enumerate(posed):
        others = [marks(ref, one.by) for name, ref in by_pattern.items() if name != one.pattern]
        if k not in refused and others and sum(others) / len(others) > MOST_ALIEN:
            refused[k] = "answers of other patterns score as well"
    left = [k for k in range(len(posed)) if k not in refused]
    while len(left) > 1:
        constant = best_constant([posed[k] for k in left])
        earned = {k: marks(constant, posed[k].by) for k in left}
        if sum(earned.values()) <= MOST_FLOOR * len(left):
            break
        easiest = max(reversed(left), key=lambda k: earned[k])
        refused[easiest] = "a constant answer scores as well"
        left.remove(easiest)
    return refused


def best_constant(posed: Sequence[Posed]) -> Answer:
    """The answer that, always given, scores most on questions of one family."""
    candidates = list({one.reference: None for one in posed[:CANDIDATES]})
    some = posed[:: max(1, len(posed) // SAMPLE)]
    return max(candidates, key=lambda answer: sum(marks(answer, one.by) for one in some))


def floor(posed: Sequence[Posed]) -> float:
    """What the best constant answer scores on a family of questions."""
    if not posed:
        return 0.0
    constant = best_constant(posed)
    return sum(marks(constant, one.by) for one in posed) / len(posed)

"""How good an answer is against the truth of its map: metrics and their totals."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from fabsight.settings import settings_from_json
from fabsight.task import Example, Metric, Row
from fabsight.wafermap.claims import (
    CHOICES,
    PATTERNS,
    Answer,
    Choice,
    Claim,
    Clock,
    Description,
    Number,
)
from fabsight.wafermap.composing import completed
from fabsight.wafermap.judging import judge, number_key
from fabsight.wafermap.questions import Asked, route
from fabsight.wafermap.reading_text import read
from fabsight.wafermap.rubrics import Rubric, marks, met, rubric
from fabsight.wafermap.settings import WaferSettings

TRUTH = "truth"  # key of the metadata that hold the whole description
SPREAD = 1 << len(PATTERNS)  # a pair of pattern sets in one number
WaferExample = Example[WaferSettings]


def _unread(example: WaferExample) -> float:
    """The pair of an answer that names nothing; NaN where no pattern is asked for."""
    asked, by = _posed(example)
    return _pair(by.truth, ()) if names_types(asked) else math.nan


def names_types(asked: Asked) -> bool:
    """Whether the question wants all types named: "is it a donut?" does not."""
    return "pattern" in asked.slots and asked.form != "yes-no"


METRICS: Mapping[str, Metric[WaferSettings]] = {
    "accuracy": Metric("higher", best=1.0, worst=0.0),
    "macro_f1": Metric("higher", best=1.0, worst=_unread, corpus=True),
    "exact_match": Metric("higher", best=1.0, worst=0.0),
    "claims_supported": Metric("higher", best=1.0, worst=0.0),
    "claims_contradicted": Metric("lower", best=0.0, worst=1.0),
    "rubric": Metric("higher", best=1.0, worst=0.0),
}


def score(answer: Answer, example: WaferExample) -> Row:
    """One number per metric.

    accuracy: what was asked first is right and nothing about it is wrong. macro_f1: F1 of the
    patterns over all answers to questions for them. exact_match: everything asked is right and
    nothing said is wrong. claims_supported, claims_contradicted: shares of the answer's claims that
    can be decided. rubric: marks.
    """
    asked, by = _posed(example)
    answer = completed(answer, asked)
    verdicts = [judge(claim, by.truth) for claim in answer.claims]
    decided = [verdict for verdict in verdicts if verdict != "not checkable"]
    wrong = {
        claim.slot for claim, v in zip(answer.claims, verdicts, strict=True) if v == "contradicted"
    }
    right = [(item, met(item.claim, answer.claims, by.truth)) for item in by.items]
    main = by.items[0].claim.slot if by.items else ""
    named = {str(c.value) for c in answer.claims if c.slot == "pattern" and c.holds}
    supported = decided.count("supported")
    return {
        "accuracy": float(
            main not in wrong and all(hit for i, hit in right if i.claim.slot == main)
        ),
        "macro_f1": _pair(by.truth, named) if names_types(asked) else math.nan,
        "exact_match": float(not wrong and all(hit for i, hit in right if i.claim.slot != "cause")),
        "claims_supported": supported / len(decided) if decided else 0.0,
        "claims_contradicted": (len(decided) - supported) / len(decided) if decided else 0.0,
        "rubric": marks(answer, by),
    }


def summarise(rows: Sequence[Row]) -> Row:
    """Macro F1 over the patterns that occur or were named; {} where none was asked for."""
    pairs = [int(row["macro_f1"]) for row in rows if not math.isnan(row["macro_f1"])]
    found = []
    for k in range(len(PATTERNS)):
        there = [pair // SPREAD >> k & 1 for pair in pairs]
        named = [pair % SPREAD >> k & 1 for pair in pairs]
        either = sum(there) + sum(named)
        if either:
            found.append(2 * sum(a & b for a, b in zip(there, named, strict=True)) / either)
    return {"macro_f1": sum(found) / len(found)} if found else {}


def truth_of(example: WaferExample) -> Description:
    """All that is known to be true of an example's map."""
    held = example.metadata.get(TRUTH)
    if isinstance(held, Description):
        return held
    if isinstance(held, Mapping):
        return settings_from_json(Description, held)
    return described_by(read(example.answer or "").claims)


def described_by(claims: Sequence[Claim]) -> Description:
    """What claims say is true: slots they fill hold these values and no others."""
    choices: dict[str, Choice] = {}
    numbers: dict[str, Number] = {}
    clock = None
    for claim in claims:
        if claim.slot in CHOICES and claim.holds:
            before = choices.get(claim.slot, Choice())
            choices[claim.slot] = Choice((*before.true, str(claim.value)))
        elif claim.slot == "clock" and claim.holds:
            clock = _clock(claim.value)
        elif isinstance(claim.value, float | int) and claim.holds:
            numbers[number_key(claim.slot, claim.where)] = Number(claim.value, claim.tolerance)
    return Description(choices, numbers, clock)


def _clock(value: Any) -> Clock:
    return Clock(value) if isinstance(value, str) else Clock("", value[0], value[1])


def _posed(example: WaferExample) -> tuple[Asked, Rubric]:
    asked = route(example.question.text)
    held = example.metadata.get("rubric")
    if isinstance(held, Rubric):
        return asked, held
    if isinstance(held, Mapping):
        return asked, settings_from_json(Rubric, held)
    return asked, rubric(asked, truth_of(example))


def _pair(truth: Description, named: Any) -> float:
    """The patterns that are there and those that were named, in one number."""
    there = truth.choices["pattern"].true if "pattern" in truth.choices else ()
    return float(_bits(there) * SPREAD + _bits(named))


def _bits(names: Any) -> int:
    return sum(1 << PATTERNS.index(name) for name in names)

"""What is supported, what contradicted, what cannot be decided; marks, gates and short answers."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from fabsight.wafermap.asking import SHARES, ask, pose
from fabsight.wafermap.claims import (
    ALL_ROUND,
    UNDEFINED,
    Answer,
    Choice,
    Claim,
    Clock,
    Description,
    Number,
)
from fabsight.wafermap.composing import completed, compose
from fabsight.wafermap.generator import draw_pattern, draw_wafer
from fabsight.wafermap.judging import judge
from fabsight.wafermap.phrases import write
from fabsight.wafermap.questions import route
from fabsight.wafermap.reading_text import read
from fabsight.wafermap.rubrics import Posed, floor, gates, marks, rubric
from fabsight.wafermap.scoring import METRICS, score
from fabsight.wafermap.synthesis import synthesize

SEEN = Description(
    choices={
        "pattern": Choice(("edge-loc",), ("loc",)),
        "zone": Choice(("edge",), ("outer",)),
        "morphology": Choice(("arc",)),
    },
    numbers={"fail_rate": Number(12.0, 0.5), "fails": Number(120.0)},
    clock=Clock("", 11.0, 1.0, 0.5),
)
CASES = [
    (Claim("pattern", "edge-loc"), "supported"),
    (Claim("pattern", "loc"), "not checkable"),
    (Claim("pattern", "donut"), "contradicted"),
    (Claim("pattern", "donut", holds=False), "supported"),
    (Claim("quadrant", "upper right"), "not checkable"),
    (Claim("clock", (11.25, 0.75)), "supported"),
    (Claim("clock", (12.0, 12.0)), "supported"),
    (Claim("clock", (5.0, 7.0)), "contradicted"),
    (Claim("clock", (5.0, 7.0), holds=False), "supported"),
    (Claim("clock", (1.0, 11.0)), "contradicted"),
    (Claim("clock", ALL_ROUND), "contradicted"),
    (Claim("clock", UNDEFINED), "contradicted"),
    (Claim("fail_rate", 12.4), "supported"),
    (Claim("fail_rate", 12.8), "not checkable"),
    (Claim("fail_rate", 14.0), "contradicted"),
    (Claim("fail_rate", 13.0, tolerance=1.0), "supported"),
    (Claim("fails", 121.0), "contradicted"),
    (Claim("fail_rate", 12.0, where="edge"), "not checkable"),
    (Claim("cause", "edge-bead"), "not checkable"),
]


@pytest.mark.parametrize(("claim", "verdict"), CASES)
def test_verdicts(claim, verdict):
    assert judge(claim, SEEN) == verdict


def test_a_closed_ring_lies_all_round():
    seen = replace(SEEN, clock=Clock(ALL_ROUND))
    assert judge(Claim("clock", ALL_ROUND), seen) == "supported"
    assert judge(Claim("clock", (2.0, 4.0)), seen) == "not checkable"  # it fails there too
    assert judge(Claim("clock", (3.0, 3.0), holds=False), seen) == "not checkable"
    assert judge(Claim("clock", (2.0, 8.0)), seen) == "contradicted"
    assert judge(Claim("clock", UNDEFINED), seen) == "not checkable"


@pytest.mark.parametrize("claim", [claim for claim, _ in CASES])
def test_a_denial_has_the_opposite_verdict(claim):
    other = {"supported": "contradicted", "contradicted": "supported"}
    one = judge(claim, SEEN)
    assert judge(replace(claim, holds=not claim.holds), SEEN) == other.get(one, one)


def test_saying_everything_earns_nothing():
    by = rubric(route("Which defect type is it?"), SEEN)
    every = Answer(
        tuple(Claim("pattern", name) for name in ("center", "donut", "edge-loc", "scratch"))
    )
    assert marks(every, by) == 0
    assert marks(Answer(()), by) == 0
    assert marks(Answer((Claim("pattern", "edge-loc"), Claim("zone", "centre"))), by) == 0.5


def test_yes_no_and_letters_stand_for_their_claims():
    asked = route("Is it a donut?")
    assert compose(asked, SEEN).lead == "No"
    assert completed(read("No."), asked).claims == (Claim("pattern", "donut", holds=False),)
    choice = route("Which type is it? A) Donut B) Edge-Loc C) Scratch")
    assert compose(choice, SEEN).lead == "B"
    assert completed(read("B"), choice).claims == (Claim("pattern", "edge-loc"),)


def test_every_question_has_a_reference_that_is_right():
    rng = np.random.default_rng(5)
    for _ in range(120):
        truth = draw_wafer(rng).description
        text, _ = ask(rng, truth)
        answer = compose(route(text), truth)
        assert answer.claims, text
        assert read(write(answer)).claims, text
        assert not [claim for claim in answer.claims if judge(claim, truth) == "contradicted"], text


def test_gates_refuse_what_any_answer_meets():
    drawn = [
        draw_pattern(np.random.default_rng(k), (p,)) for k, p in enumerate(("donut", "scratch"))
    ]
    posed = []
    for one in drawn:
        asked = route("Which defect type is it?")
        by = rubric(asked, one.description)
        name = one.description.choices["pattern"].true[0]
        posed.append(Posed(asked, by, compose(asked, one.description), name))
    assert not gates(posed)
    assert floor(posed) <= 0.5
    assert gates([replace(posed[0], reference=posed[1].reference)])


@pytest.mark.parametrize("family", SHARES)
def test_questions_of_every_family_are_posed_and_routed(family):
    truth = draw_pattern(np.random.default_rng(2), ("edge-ring",)).description
    text = pose(np.random.default_rng(1), family, truth)
    assert text
    assert route(text).slots


def test_the_answer_to_another_map_scores_less():
    examples = [synthesize(np.random.default_rng(k)) for k in range(40)]
    own = [score(read(e.answer), e)["rubric"] for e in examples]
    alien = [score(read(o.answer), e)["rubric"] for e, o in pairwise(examples)]
    assert own == [1.0] * len(own)
    assert np.mean(alien) < 0.35
    assert METRICS["rubric"].best == 1.0

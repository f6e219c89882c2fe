import pickle
from dataclasses import replace
from pathlib import Path

import pytest
from tests.toys import BAR

from fabsight import TASKS, models
from fabsight.models import Ask, Reply, identity, load, replies_to
from fabsight.synthesis import synthesize
from fabsight.task import FabsightError

ROOT = Path(__file__).parents[1]


def questions(count):
    return [example.question for example in synthesize(BAR, count)]


def test_embedded_answers_each_question_in_order():
    asked = questions(3)
    replies = load("embedded", BAR)(asked, Ask())
    assert [reply.text for reply in replies] == [BAR.solve(question) for question in asked]


def test_n_replies_follow_each_other_question_by_question():
    asked = questions(2)
    groups = replies_to(load("embedded", BAR), asked, Ask(n=3))
    assert [len(group) for group in groups] == [3, 3]
    assert [group[0].text for group in groups] == [BAR.solve(question) for question in asked]


def test_a_refused_question_is_a_reply_with_the_reason():
    (question,) = questions(1)
    blind = replace(question, context=BAR.context(threshold=255))
    (reply,) = load("embedded", BAR)([blind], Ask())
    assert reply == Reply("", error="bar: no column is bright; lower the threshold")


def broken(_question):
    raise ZeroDivisionError


def test_a_bug_in_a_solver_is_raised():
    with pytest.raises(ZeroDivisionError):
        load("embedded", replace(BAR, solve=broken))(questions(1), Ask())


def test_an_unknown_model_is_refused_and_the_known_named():
    with pytest.raises(FabsightError, match=r"'gpt-9' for bar: .*available: embedded"):
        load("gpt-9", BAR)


def test_a_model_that_loses_replies_is_found_out():
    def forgetful(asked, ask):
        return [Reply("")] * (len(asked) * ask.n - 1)

    with pytest.raises(ValueError, match="gave 3 replies to 2 questions asked 2 times"):
        replies_to(forgetful, questions(2), Ask(n=2))


def test_a_model_can_be_sent_to_a_worker_process():
    asked = questions(1)
    model = load("embedded", BAR)
    assert pickle.loads(pickle.dumps(model))(asked, Ask()) == model(asked, Ask())


def test_an_embedded_model_is_known_by_its_weights(monkeypatch, tmp_path):
    (found,) = identity("embedded", TASKS["netdsl"]).items()
    sums = (ROOT / "src/fabsight/weights/SHA256SUMS").read_text().split()
    assert found == (sums[1], sums[0])
    assert identity("embedded", BAR) == {}
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "bar_a.onnx").write_bytes(b"a")
    (tmp_path / "weights" / "barn_b.onnx").write_bytes(b"b")
    monkeypatch.setattr(models, "files", lambda _: tmp_path)
    assert list(identity("embedded", BAR)) == ["bar_a.onnx"]

import errno
import json
import os
import signal
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.toys import BAR, SHADE, TOYS, Bar, bar_write, write_bars

from fabsight.batch import Item
from fabsight.inputs import Unreadable, find_inputs, guess_task, questions
from fabsight.models import Ask, Reply, load
from fabsight.prediction import Job, failed_item, predict, predict_one, to_json
from fabsight.synthesis import synthesize
from fabsight.task import FabsightError, Image, Question

KEYS = ["path", "task", "model", "text", "answer", "check", "scale", "seconds", "error", "warnings"]


def job(task=BAR, **changes):
    return replace(Job(task, load("embedded", task), "embedded", task.context()), **changes)


def says(*texts):
    """A model that gives these texts to every question."""
    return lambda asked, ask: [Reply(text) for _ in asked for text in texts[: ask.n]]


def stack(path, count):
    with path.open("wb") as file:
        np.save(file, np.full((count, 8, 8), 40, np.uint8))
    return path


# --- one question


def example():
    return next(synthesize(BAR, 1))


def test_the_answer_is_canonical_and_checked():
    drawn = example()
    prediction = predict_one(BAR, drawn.question, load("embedded", BAR), "embedded")
    assert prediction.text == drawn.answer
    assert prediction.answer == {"x": prediction.answer["x"], "width": prediction.answer["width"]}
    assert prediction.check.score == 1
    assert prediction.error == ""
    assert prediction.seconds > 0


def test_unreadable_text_is_kept_with_the_reason():
    prediction = predict_one(BAR, example().question, says("a bar"), "toy")
    assert (prediction.text, prediction.answer, prediction.check) == ("a bar", None, None)
    assert prediction.error == "bar line 1: expected 'BAR x width', got 'a bar'"


def test_a_model_that_refuses_gives_its_reason():
    def mute(_asked, _ask):
        return [Reply("", error="no answer within 2048 tokens")]

    prediction = predict_one(BAR, example().question, mute, "toy")
    assert (prediction.text, prediction.error) == ("", "no answer within 2048 tokens")


def test_refining_improves_and_can_be_left_out():
    drawn = example()
    truth = BAR.parse(drawn.answer, drawn.question)
    off = bar_write(Bar(truth.x + 1, truth.width))
    raw, refined = (
        predict_one(BAR, drawn.question, says(off), "toy", refine=refine)
        for refine in (False, True)
    )
    assert (raw.text, refined.text) == (off, drawn.answer)
    assert raw.check.score < refined.check.score == 1


def test_a_refinement_that_verifies_lower_is_not_taken():
    drawn = example()
    spoiling = replace(BAR, refine=lambda _, bar: Bar(bar.x + 3, bar.width))
    prediction = predict_one(spoiling, drawn.question, says(drawn.answer), "toy")
    assert prediction.text == drawn.answer


def test_of_several_replies_the_one_that_verifies_best_is_kept():
    drawn = example()
    model = says("nonsense", "BAR 12 2", drawn.answer)
    one, three = (
        predict_one(BAR, drawn.question, model, "toy", ask=Ask(n=n), refine=False) for n in (1, 3)
    )
    assert one.error
    assert three.text == drawn.answer


def test_a_bug_in_a_verifier_is_raised():
    broken = replace(BAR, verify=lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        predict_one(broken, example().question, says("BAR 1 2"), "toy")


# --- files


def test_folders_files_and_globs_name_inputs_in_order_and_once(tmp_path):
    paths = write_bars(tmp_path / "b", 3)
    (tmp_path / "b" / "notes.txt").write_text("not an input")
    (tmp_path / "b" / ".hidden.npy").write_bytes(b"")
    found = find_inputs(BAR, [paths[2], tmp_path / "b", str(tmp_path / "*" / "*.npy")])
    assert found.found == (paths[2], paths[0], paths[1])
    assert found.skipped == (tmp_path / "b" / "notes.txt",)


def test_a_file_of_many_gives_many_questions(tmp_path):
    path = stack(tmp_path / "lot.stack", 3)
    assert [q.source for q in questions(SHADE, [path], SHADE.context())] == [
        f"{path}#{number}" for number in range(3)
    ]
    assert len(list(predict(job(SHADE), [path]))) == 3


def test_a_folder_recognised_as_a_whole_is_one_input_however_named(tmp_path):
    part = tmp_path / "part"
    views = write_bars(part, 2)
    (part / "views.txt").write_text("")
    for named in ([part], [tmp_path], views, [tmp_path / "part" / "*.npy"]):
        assert find_inputs(SHADE, named).found == (part,)
    (question,) = questions(SHADE, [part], SHADE.context())
    assert len(question.images) == 2


def test_an_unreadable_file_does_not_end_the_run(tmp_path):
    good, bad = write_bars(tmp_path, 2)
    bad.write_bytes(b"torn")
    gone = tmp_path / "gone.npy"
    asked = list(questions(BAR, [bad, gone, good], BAR.context()))
    assert isinstance(asked[2], Question)
    assert asked[:2] == [
        Unreadable(str(bad), f"read {bad}: not an array; give a .npy file"),
        Unreadable(str(gone), f"read {gone}: No such file or directory"),
    ]
    predictions = list(predict(job(), [bad, gone, good]))
    assert [bool(p.error) for p in predictions] == [True, True, False]
    assert [p.path for p in predictions] == [str(bad), str(gone), str(good)]


@pytest.mark.parametrize("named", ["none*.npy", "empty", ""])
def test_names_without_any_input_are_refused_before_work(tmp_path, named):
    (tmp_path / "empty").mkdir()
    with pytest.raises(FabsightError, match="predict bar"):
        list(questions(BAR, [tmp_path / named] if named else [], BAR.context()))


def test_own_words_and_a_golden_image_go_with_every_question(tmp_path):
    golden = Image(np.zeros((4, 4), np.uint8))
    paths = write_bars(tmp_path, 2)
    for question in questions(BAR, paths, BAR.context(), text="Which bar?", golden=golden):
        assert question.text == "Which bar?"
        assert question.golden is golden


def test_settings_reach_the_task(tmp_path):
    (path,) = write_bars(tmp_path, 1)
    (prediction,) = predict(job(context=BAR.context(threshold=255)), [path])
    assert prediction.error == "bar: no column is bright; lower the threshold"


def test_the_task_is_guessed_from_the_content(tmp_path):
    write_bars(tmp_path / "bars", 1)
    path = stack(tmp_path / "lot.stack", 1)
    assert guess_task(path, TOYS) is SHADE
    assert guess_task(tmp_path / "bars", TOYS) is BAR
    assert guess_task(str(tmp_path / "*.stack"), TOYS) is SHADE


def test_a_task_that_cannot_be_guessed_is_asked_for(tmp_path):
    (path,) = write_bars(tmp_path, 1)
    with pytest.raises(FabsightError, match="input of bar or other; say --task"):
        guess_task(path, {"bar": BAR, "other": replace(BAR, name="other")})
    (tmp_path / "x.txt").write_text("hello")
    with pytest.raises(FabsightError, match="there is no such file"):
        guess_task(tmp_path / "gone.txt", TOYS)
    with pytest.raises(FabsightError, match="no task recognises it; say --task, one of: bar, sh"):
        guess_task(tmp_path / "x.txt", TOYS)


def test_workers_predict_the_same(tmp_path):
    paths = write_bars(tmp_path, 4)
    paths[1].write_bytes(b"")
    one, two = (
        [to_json(p) | {"seconds": 0} for p in predict(job(), paths, workers=workers)]
        for workers in (1, 2)
    )
    assert one == two


def dying(_question):
    os.kill(os.getpid(), signal.SIGKILL)


def dividing(question):
    return 1 / 0 if question.images[0].pixels[0, 0] else ""


def test_an_input_that_kills_its_process_is_an_error_and_the_others_go_on(tmp_path):
    good, bad = write_bars(tmp_path, 2)
    np.save(bad, np.zeros((4, 4), np.uint8))
    deadly = replace(BAR, solve=partial(solve_unless_black, dying))
    first, second = predict(job(deadly), [bad, good], workers=2)
    assert first.error.startswith("the process died on this input 2 times (SIGKILL, out of memory?")
    assert (first.path, second.error) == (str(bad), "")
    row = failed_item(job(), Item("x.npy", None), "why")[0]
    assert (list(row), row["error"], row["path"]) == (KEYS, "why", "x.npy")


def solve_unless_black(otherwise, question):
    return BAR.solve(question) if question.images[0].pixels.any() else otherwise(question)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_bug_is_raised_with_its_place(tmp_path, workers):
    buggy = job(replace(BAR, solve=dividing))
    with pytest.raises((ZeroDivisionError, RuntimeError), match="division by zero"):
        list(predict(buggy, write_bars(tmp_path, 1), workers))


# --- JSON


def test_json_has_the_keys_of_the_contract(tmp_path):
    (path,) = write_bars(tmp_path, 1)
    (prediction,) = predict(job(), [path])
    row = json.loads(json.dumps(to_json(prediction)))
    assert list(row) == KEYS
    assert list(row["check"]) == ["score", "coverage", "independent", "evidence"]
    assert row["scale"] == {"nm_per_px": 2.0, "source": "toy"}
    assert row["warnings"] == ["a toy"]
    (row,) = map(to_json, predict(job(), [tmp_path / "gone.npy"]))
    assert list(row) == KEYS
    assert (row["check"], row["scale"]) == (None, None)


@given(st.text())
def test_any_text_becomes_a_row(text):
    row = to_json(predict_one(BAR, example().question, says(text), "toy"))
    assert json.loads(json.dumps(row)) == row
    assert Path(row["path"]) == Path()


def test_a_link_to_what_is_gone_is_an_input_that_cannot_be_read(tmp_path):
    paths = write_bars(tmp_path, 1)
    (tmp_path / "gone.npy").symlink_to("nowhere.npy")
    assert find_inputs(BAR, [tmp_path]).found == (*paths, tmp_path / "gone.npy")
    _, gone = questions(BAR, [tmp_path], BAR.context())
    assert isinstance(gone, Unreadable)


def test_runs_kept_in_a_folder_are_no_input_of_it(tmp_path):
    paths = write_bars(tmp_path, 2)
    write_bars(tmp_path / "run" / "answers" / "bar_000", 1)
    (tmp_path / "run" / "batch.json").write_text("{}")
    assert find_inputs(BAR, [tmp_path]).found == tuple(paths)
    inside = find_inputs(BAR, [tmp_path / "run"]).found  # named itself, it is what was meant
    assert [path.name for path in inside] == ["bar_000.npy"]


def test_a_folder_that_may_not_be_listed_is_an_input_that_cannot_be_read(tmp_path, monkeypatch):
    paths = write_bars(tmp_path, 1)
    write_bars(tmp_path / "locked", 1)
    real = os.scandir

    def scandir(place):
        if str(place).endswith("locked"):
            raise PermissionError(errno.EACCES, "Permission denied", str(place))
        return real(place)

    monkeypatch.setattr(os, "scandir", scandir)
    monkeypatch.setattr(os, "listdir", scandir)  # what Path.iterdir calls in Python 3.11
    assert find_inputs(BAR, [tmp_path]).found == (*paths, tmp_path / "locked")
    _, locked = questions(BAR, [tmp_path], BAR.context())
    assert isinstance(locked, Unreadable)
    assert locked.error == f"read {tmp_path / 'locked'}: Permission denied"

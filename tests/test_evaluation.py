import json
import math
import os
import signal
from dataclasses import replace

import numpy as np
import pytest
from tests.toys import BAR, SHADE, bar_solve, with_context

from fabsight.evaluation import Setup, evaluate, row_to_json, to_json
from fabsight.inputs import Unreadable
from fabsight.models import Reply, load
from fabsight.synthesis import synthesize
from fabsight.task import FabsightError, Image, Metric
from fabsight.totals import FLOOR_PIXELS, FloorSample, floor

KEYS = {"task", "model", "data", "count", "unreadable", "metrics", "metrics_readable", "spread"}
KEYS |= {"floor", "intervals", "by_kind", "by_difficulty", "seconds_per_example", "best", "broken"}


def examples(task, count=40, seed=0):
    return list(synthesize(task, count, seed))


def says(text):
    return lambda asked, ask: [Reply(text)] * (len(asked) * ask.n)


def in_turn(*texts):
    """A model that gives these texts one after the other."""
    left = list(texts)
    return lambda *_: [Reply(left.pop(0))]


def report(task, drawn, model=None, **options):
    return evaluate(task, drawn, model or load("embedded", task), "toy", Setup(**options))


def test_json_has_the_keys_of_the_contract():
    found = to_json(report(SHADE, examples(SHADE), data="synthetic"))
    assert set(found) == KEYS
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert (found["task"], found["model"], found["data"]) == ("shade", "toy", "synthetic")
    assert found["seconds_per_example"] > 0


def test_the_mean_is_over_all_with_failures_as_the_worst():
    drawn = examples(BAR, 4)
    texts = [drawn[0].answer, "no", drawn[2].answer, "BAR 1"]
    found = report(BAR, drawn, in_turn(*texts))
    assert (found.count, found.unreadable) == (4, 2)
    assert found.metrics == {"iou": 0.5, "width_error_px": 8.0}
    assert found.metrics_readable == {"iou": 1.0, "width_error_px": 0.0}
    assert [row.error == "" for row in found.rows] == [True, False, True, False]
    assert found.rows[1].metrics == {"iou": 0.0, "width_error_px": 16.0}
    assert found.rows[1].text == "no"


def test_nothing_readable_leaves_no_readable_mean():
    found = report(BAR, examples(BAR, 3), says("no"))
    assert found.metrics_readable == {}
    assert found.metrics["iou"] == 0


def test_spread_is_of_all_rows():
    drawn = examples(BAR, 4)
    found = report(BAR, drawn, in_turn(drawn[0].answer, "no", drawn[2].answer, drawn[3].answer))
    iou = found.spread["iou"]
    assert (iou["median"], iou["p90"], iou["count"]) == (1.0, 1.0, 4)
    assert iou["std"] == pytest.approx(np.std([1, 0, 1, 1]))


def test_corpus_metrics_are_not_means_of_rows():
    drawn = examples(SHADE, 60)
    truth = [example.answer for example in drawn]
    found = report(SHADE, drawn, says("dark"))
    dark = truth.count("dark")
    shown = 2 * dark / (dark + len(drawn))
    assert found.metrics["macro_f1"] == pytest.approx(shown / 3)
    assert found.metrics["accuracy"] == pytest.approx(dark / len(drawn))
    assert "macro_f1" not in found.spread
    low, high = found.intervals["macro_f1"]
    assert low < found.metrics["macro_f1"] < high


def test_unreadable_answers_count_in_corpus_metrics():
    found = report(SHADE, examples(SHADE, 30), says("no idea"))
    assert found.metrics == {"accuracy": 0.0, "macro_f1": 0.0}


def test_the_floor_is_the_best_constant_answer():
    drawn = examples(SHADE, 50)
    found = report(SHADE, drawn)
    share = max([e.answer for e in drawn].count(s) for s in ("dark", "light", "striped")) / 50
    assert found.floor["accuracy"] == pytest.approx(share)
    assert found.metrics["accuracy"] == 1


def test_the_floor_of_a_metric_where_low_is_good():
    width_first = replace(BAR, metrics=dict(reversed(BAR.metrics.items())))
    drawn = [e for e in examples(BAR, 40) if e.answer.endswith(("3", "4", "5"))]
    widths = [int(e.answer.split()[2]) for e in drawn]
    best = min(np.mean([abs(w - constant) for w in widths]) for constant in widths)
    assert report(width_first, drawn).floor["width_error_px"] == pytest.approx(best)


def test_a_constant_that_is_no_answer_to_a_question_scores_its_worst():
    other = replace(SHADE.context(), classes="light,striped")
    drawn = [with_context(e, other) if e.answer != "dark" else e for e in examples(SHADE, 30)]
    found = report(SHADE, drawn, says("light"))
    assert found.unreadable == 0
    assert found.floor["accuracy"] < 1


def test_truths_without_text_have_no_floor():
    drawn = [replace(e, answer=None, reference=e.question.images[0]) for e in examples(BAR, 3)]
    blind = replace(BAR, score=lambda *_: {"iou": 0.5, "width_error_px": 1.0})
    assert report(blind, drawn).floor == {}


def test_intervals_cover_the_mean_and_shrink_with_more_groups():
    shaky = replace(BAR, refine=lambda _, bar: bar)
    few, many = (
        report(shaky, examples(BAR, count), says("BAR 4 4"), refine=False) for count in (12, 300)
    )
    widths = []
    for found in (few, many):
        low, high = found.intervals["iou"]
        assert low <= found.metrics["iou"] <= high
        widths.append(high - low)
    assert widths[1] < widths[0]


def test_alike_examples_of_one_group_do_not_narrow_the_interval():
    drawn = examples(BAR, 12)
    copied = [replace(e, group=str(i)) for i, e in enumerate(drawn) for _ in range(20)]
    alone = [replace(e, group="") for e in copied]
    grouped, ungrouped = (report(BAR, d, says("BAR 4 4"), refine=False) for d in (copied, alone))
    width = [high - low for low, high in (r.intervals["iou"] for r in (grouped, ungrouped))]
    assert width[0] > 2 * width[1]


def test_a_single_group_has_no_interval():
    assert report(BAR, [replace(e, group="chip") for e in examples(BAR, 5)]).intervals == {}


def test_parts_by_kind_and_difficulty():
    drawn = examples(SHADE, 40)
    found = report(SHADE, drawn, says("dark"))
    assert {k: part["metrics"]["accuracy"] for k, part in found.by_kind.items()} == {
        "dark": 1.0,
        "light": 0.0,
        "striped": 0.0,
    }
    assert sum(part["count"] for part in found.by_difficulty.values()) == 40
    assert set(found.by_difficulty) == {"easy", "hard"}
    assert report(BAR, examples(BAR, 3)).by_difficulty == {}


def test_numbers_that_do_not_apply_are_left_out_of_the_mean():
    def only_wide(_bar, example):
        wide = example.kind == "wide"
        return {"iou": 1.0, "width_error_px": 3.0 if wide else math.nan}

    found = report(replace(BAR, score=only_wide), examples(BAR, 20))
    assert found.metrics["width_error_px"] == 3
    assert found.spread["width_error_px"]["count"] == found.by_kind["wide"]["count"] < 20
    assert "width_error_px" not in found.by_kind["narrow"]["metrics"]
    narrow = next(row for row in found.rows if row.kind == "narrow")
    assert row_to_json(narrow)["metrics"]["width_error_px"] is None


def test_workers_give_the_same_report():
    drawn = examples(SHADE, 90)
    one, two = (
        to_json(report(SHADE, drawn, workers=workers)) | {"seconds_per_example": 0}
        for workers in (1, 2)
    )
    assert one == two


def test_examples_are_read_once():
    drawn = examples(BAR, 5)
    assert report(BAR, iter(drawn)).count == 5


def test_an_empty_set_is_refused():
    with pytest.raises(FabsightError, match="evaluate bar: chips holds no examples"):
        report(BAR, [], data="chips")


def divide(*_):
    return 1 / 0


@pytest.mark.parametrize("workers", [1, 2])
def test_a_bug_in_a_scorer_is_raised(workers):
    with pytest.raises((ZeroDivisionError, RuntimeError), match="division by zero"):
        report(replace(BAR, score=divide), examples(BAR, 3), workers=workers)


def test_a_scorer_that_forgets_a_metric_is_found_out():
    more = BAR.metrics | {"cd_nm": Metric("lower", 0.0, 1.0)}
    with pytest.raises(
        ValueError, match=r"bar.score gave \['iou', 'width_error_px'\]; its metrics"
    ):
        report(replace(BAR, metrics=more), examples(BAR, 1))


def test_rows_are_json_with_their_check():
    row = row_to_json(report(BAR, examples(BAR, 1)).rows[0])
    assert row["check"]["score"] == 1
    assert json.loads(json.dumps(row, allow_nan=False)) == row
    assert row_to_json(report(BAR, examples(BAR, 1), says("no")).rows[0])["check"] is None


@pytest.mark.parametrize("size_px", [16, 1024])
def test_the_floor_costs_less_on_larger_images(size_px):
    graded = []

    def counting(text, question):
        graded.append(text)
        return BAR.parse(text, question)

    drawn = examples(BAR, 120)
    large = Image(np.zeros((size_px, size_px), np.uint8))
    drawn = [replace(e, question=replace(e.question, images=(large,))) for e in drawn]
    sample = FloorSample(seed=0)
    assert list(sample.watch(drawn)) == drawn
    task = replace(BAR, parse=counting, score=lambda *_: {"iou": 0.5, "width_error_px": 1.0})
    floor(task, sample)
    assert len(graded) * size_px**2 <= FLOOR_PIXELS
    assert len(graded) == {16: 16 * 120, 1024: 5 * 6}[size_px]
    again = FloorSample(seed=0)
    list(again.watch(drawn))
    assert (again.answers(), again.examples) == (sample.answers(), sample.examples)


# --- examples that cannot be read


def with_broken(drawn, *places):
    found = list(drawn)
    for number, place in enumerate(places):
        found.insert(place, Unreadable(f"data/examples.jsonl:{place + 1}", f"reason {number}"))
    return found


def test_broken_examples_count_as_failures_and_the_others_are_graded():
    drawn = examples(BAR, 4)
    found = report(BAR, with_broken(drawn, 0, 3, 5))
    assert (found.count, found.unreadable, found.broken["count"]) == (7, 0, 3)
    assert [row.broken for row in found.rows] == [1, 0, 0, 1, 0, 1, 0]
    assert found.broken["lines"][1] == {"path": "data/examples.jsonl:4", "error": "reason 1"}
    assert found.metrics["iou"] == pytest.approx(4 / 7)
    assert found.metrics["width_error_px"] == pytest.approx(16 * 3 / 7)
    assert found.metrics_readable == {"iou": 1.0, "width_error_px": 0.0}
    assert json.loads(json.dumps(to_json(found), allow_nan=False)) == to_json(found)
    assert row_to_json(found.rows[0])["broken"] is True


def test_broken_examples_lower_a_corpus_metric_too():
    drawn = examples(SHADE, 30)
    assert report(SHADE, drawn).metrics["macro_f1"] == 1
    found = report(SHADE, with_broken(drawn, *range(30)))
    assert found.metrics["accuracy"] == 0.5
    assert found.metrics["macro_f1"] == pytest.approx(2 / 3)  # every class: half found, none wrong


def test_many_broken_examples_are_named_up_to_a_limit():
    found = report(BAR, with_broken(examples(BAR, 1), *range(50)))
    assert (found.broken["count"], len(found.broken["lines"])) == (50, 20)


def test_broken_examples_are_the_same_for_any_number_of_workers():
    given = with_broken(examples(BAR, 12), 0, 5, 6)
    one, two = (to_json(report(BAR, given, workers=n)) | {"seconds_per_example": 0} for n in (1, 2))
    assert one == two


def test_nothing_but_broken_examples_is_refused():
    said = (
        r"none of the 2 examples of chips can be read; the first: data/examples.jsonl:1: reason 0"
    )
    with pytest.raises(FabsightError, match=said):
        report(BAR, with_broken([], 0, 1), data="chips")


def deadly(questions, ask):
    if questions[0].source == "deadly":
        os.kill(os.getpid(), signal.SIGKILL)
    return [Reply(bar_solve(question)) for question in questions for _ in range(ask.n)]


def test_an_example_that_kills_its_worker_is_broken_and_the_others_are_graded():
    drawn = examples(BAR, 5)
    drawn[2] = replace(drawn[2], question=replace(drawn[2].question, source="deadly"))
    found = report(BAR, with_broken(drawn, 0), deadly, workers=2, data="chips")
    assert [row.broken for row in found.rows] == [1, 0, 0, 1, 0, 0]
    assert found.broken["lines"][1]["path"] == "example 4 of chips"
    assert "the process died on this input 2 times (SIGKILL" in found.rows[3].error
    assert found.metrics["iou"] == pytest.approx(4 / 6)


# --- metrics with a target


def widths(bar, example):
    return BAR.score(bar, example) | {"width_px": float(bar.width)}


def true_width(example):
    return float(example.answer.split()[2])


def test_a_metric_with_a_target_has_what_the_truth_scores_beside_it_and_no_floor():
    metric = Metric("target", best=true_width, worst=16.0, unit="px")
    task = replace(BAR, metrics=BAR.metrics | {"width_px": metric}, score=widths)
    drawn = examples(BAR, 20)
    found = report(task, drawn)
    assert set(found.floor) == {"iou", "width_error_px"}
    assert found.best == {
        "iou": 1.0,
        "width_error_px": 0.0,
        "width_px": pytest.approx(np.mean([true_width(e) for e in drawn])),
    }
    assert found.rows[0].best == {"width_px": true_width(drawn[0])}

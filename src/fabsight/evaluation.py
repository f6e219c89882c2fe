"""evaluate: examples and a model to a report that can be believed.

An unreadable answer scores each metric's worst value and is counted; an exception inside a scorer
is a bug and is raised, never a bad answer. Beside each figure stand what a constant answer scores
(the floor) and a 95 % bootstrap interval over groups.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np

from fabsight import pool
from fabsight.models import Model
from fabsight.prediction import answer
from fabsight.shards import Record
from fabsight.task import Check, Example, FabsightError, Row, Task
from fabsight.totals import FloorSample, Totals, failure, floor, intervals, score, spread, totals


@dataclass(frozen=True)
class Graded:
    """One example, answered and graded.

    Attributes:
        source: Where the question came from.
        text: The answer, canonical where it could be read.
        error: "" or why it could not be read.
        metrics: A number per metric; the worst where unreadable, NaN where a metric does not apply.
        check: The verifier's result, None where unreadable.
        group, kind, difficulty: Of the example.
        seconds: Wall time of answering.
    """

    source: str
    text: str
    error: str
    metrics: Row
    check: Check | None
    group: str
    kind: str
    difficulty: str
    seconds: float


@dataclass(frozen=True)
class Report:
    """Totals of an evaluation; the fields but `rows` are the JSON of `evaluate --json`.

    Attributes:
        task, model, data: What was evaluated.
        count: Examples.
        unreadable: Answers that could not be read.
        metrics: Totals over all examples, failures as each metric's worst value.
        metrics_readable: Totals over readable answers; {} where there are none.
        spread: For each per-example metric std, median, p90 and the count it applies to.
        floor: Totals of the best constant answer among the set's own truths; {} where no truth is
            an answer text. Best by the headline metric, among the `FLOOR_ANSWERS` most frequent,
            on a sample of `FLOOR_EXAMPLES` examples.
        intervals: 95 % percentile bootstrap over groups, [low, high]; {} with fewer than two.
        by_kind, by_difficulty: count, unreadable and totals of each part.
        seconds_per_example: Mean wall time of answering.
        rows: Every example, in order.
    """

    task: str
    model: str
    data: str
    count: int
    unreadable: int
    metrics: Totals
    metrics_readable: Totals
    spread: dict[str, Totals]
    floor: Totals
    intervals: dict[str, list[float]]
    by_kind: dict[str, Record]
    by_difficulty: dict[str, Record]
    seconds_per_example: float
    rows: tuple[Graded, ...]


def evaluate(
    task: Task[Any, Any],
    examples: Iterable[Example[Any]],
    model: Model,
    model_name: str,
    *,
    data: str = "",
    refine: bool = True,
    seed: int = 0,
    workers: int = 1,
    progress: bool | None = None,
) -> Report:
    """Grade a model on examples, which are read once and not kept.

    The same examples and seed give the same report for any number of workers, seconds apart.

    Args:
        task: What is asked and how it is graded.
        examples: Questions with truth.
        model: What answers.
        model_name: What the report calls it.
        data: What the report calls the examples.
        refine: Whether the task improves the model's answers first, as `predict` does.
        seed: Of the floor's sample and the bootstrap.
        workers: Processes; 1 works in this one.
        progress: Whether to draw a bar on stderr; None: where that is a terminal.

    Raises:
        FabsightError: There are no examples.
    """
    sample = FloorSample(seed)
    total = len(examples) if isinstance(examples, Sequence) else None
    work = partial(grade, task, model, refine)
    found = pool.ordered(work, sample.watch(examples), workers)
    graded = list(pool.tracked(found, "examples", total, progress))
    if not graded:
        raise FabsightError(f"evaluate {task.name}: {data or 'the set'} holds no examples to grade")
    rows = [row.metrics for row in graded]
    readable = [row.metrics for row in graded if not row.error]
    return Report(
        task=task.name,
        model=model_name,
        data=data,
        count=len(rows),
        unreadable=len(rows) - len(readable),
        metrics=totals(task, rows),
        metrics_readable=totals(task, readable),
        spread=spread(task, rows),
        floor=floor(task, sample, workers),
        intervals=intervals(task, rows, [row.group for row in graded], np.random.default_rng(seed)),
        by_kind=_by(task, graded, "kind"),
        by_difficulty=_by(task, graded, "difficulty"),
        seconds_per_example=sum(row.seconds for row in graded) / len(graded),
        rows=tuple(graded),
    )


def grade(task: Task[Any, Any], model: Model, refine: bool, example: Example[Any]) -> Graded:
    """One example answered as `predict` would, and scored against its truth."""
    begin = perf_counter()
    answered = answer(task, example.question, model, refine=refine)
    seconds = perf_counter() - begin
    return Graded(
        source=example.question.source,
        text=answered.text,
        error=answered.error,
        metrics=failure(task, example) if answered.error else score(task, answered.value, example),
        check=answered.check,
        group=example.group,
        kind=example.kind,
        difficulty=example.difficulty,
        seconds=seconds,
    )


def to_json(report: Report) -> Record:
    """The report as one JSON object, without its rows; the contract of `evaluate --json`."""
    return {name: _plain(value) for name, value in vars(report).items() if name != "rows"}


def row_to_json(row: Graded) -> Record:
    """One row as a JSON object; numbers that do not apply are null."""
    check = row.check and {"score": row.check.score, "evidence": row.check.evidence}
    return {name: _plain(value) for name, value in (vars(row) | {"check": check}).items()}


def _plain(value: Any) -> Any:
    """JSON-ready: JSON has no NaN, a number that does not apply is null."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _by(task: Task[Any, Any], graded: Sequence[Graded], label: str) -> dict[str, Record]:
    found = {}
    for name in sorted({getattr(row, label) for row in graded} - {""}):
        part = [row for row in graded if getattr(row, label) == name]
        found[name] = {
            "count": len(part),
            "unreadable": sum(bool(row.error) for row in part),
            "metrics": totals(task, [row.metrics for row in part]),
        }
    return found

"""evaluate: examples and a model to a report that can be believed.

An unreadable answer scores each metric's worst value and is counted, and so does an example that
cannot be read; an exception inside a scorer is a bug and is raised, never a bad answer. Beside each
figure stand what a constant answer scores (the floor) and a 95 % bootstrap interval over groups.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from time import perf_counter
from typing import Any

import numpy as np

from fabsight import pool
from fabsight.inputs import Unreadable
from fabsight.models import Model
from fabsight.prediction import answer
from fabsight.shards import Record
from fabsight.task import Check, Example, FabsightError, Row, Task
from fabsight.totals import FloorSample, Totals, failure, floor, intervals, score, spread, totals

DIFFICULTIES = {"easy": 1, "medium": 2, "hard": 3}  # in this order, other names by alphabet
MOST_BROKEN = 20  # examples that cannot be read are named in the totals, up to this many


@dataclass(frozen=True)
class Setup:
    """How a grading is done.

    Attributes:
        data: What the report calls the examples.
        refine: Whether the task improves the model's answers first, as `predict` does.
        seed: Of the floor's sample and the bootstrap.
        workers: Processes; 1 works in this one.
        progress: Whether to draw a bar on stderr; None: where that is a terminal.
    """

    data: str = ""
    refine: bool = True
    seed: int = 0
    workers: int = 1
    progress: bool | None = None


USUAL = Setup()


@dataclass(frozen=True)
class Graded:
    """One example, answered and graded.

    Attributes:
        source: Where the question came from.
        text: The answer, canonical where it could be read.
        error: "" or why it, or the example itself, could not be read.
        metrics: A number per metric; the worst where unreadable, NaN where a metric does not apply.
        check: The verifier's result, None where unreadable.
        group, kind, difficulty: Of the example.
        seconds: Wall time of answering.
        best: What the truth scores, of metrics where that depends on the example.
        broken: Whether the example itself could not be read or graded.
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
    best: Row = field(default_factory=dict)
    broken: bool = False


@dataclass(frozen=True)
class Report:
    """Totals of an evaluation; the fields but `rows` are the JSON of `evaluate --json`.

    Attributes:
        task, model, data: What was evaluated.
        count: Examples, broken ones included.
        unreadable: Answers that could not be read.
        broken: Examples that could not be read or graded: their "count", and of the first of them
            in "lines" the "path" (file:line) and the "error".
        metrics: Totals over all examples, failures as each metric's worst value.
        metrics_readable: Totals over readable answers; {} where there are none.
        best: What the truth itself scores; a metric better at a "target" is read beside it.
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
    broken: Record
    metrics: Totals
    metrics_readable: Totals
    best: Totals
    spread: dict[str, Totals]
    floor: Totals
    intervals: dict[str, list[float]]
    by_kind: dict[str, Record]
    by_difficulty: dict[str, Record]
    seconds_per_example: float
    rows: tuple[Graded, ...]


def evaluate(
    task: Task[Any, Any],
    examples: Iterable[Example[Any] | Unreadable],
    model: Model,
    model_name: str,
    setup: Setup = USUAL,
) -> Report:
    """Grade a model, called `model_name` in the report, on examples read once and not kept.

    The same examples and seed give the same report for any number of workers, seconds apart. An
    example that cannot be read, or that kills its worker process, is broken: it scores what failing
    one of the other examples scores, taken in turn.

    Raises:
        FabsightError: There are no examples, or none that can be read.
    """
    sample, broken = FloorSample(setup.seed), dict[int, Unreadable]()
    total = len(examples) if isinstance(examples, Sequence) else None
    places: list[int] = []
    usable = sample.watch(_usable(examples, broken, places))
    found = pool.outcomes(partial(grade, task, model, setup.refine), usable, setup.workers)
    graded: dict[int, Graded] = {}
    with closing(found):
        for outcome in pool.tracked(found, "examples", total, setup.progress):
            place = places[outcome.index]
            if not isinstance(outcome.result, pool.Failure):
                graded[place] = outcome.result
            elif not outcome.result.died:
                raise outcome.result.exception()
            else:
                where = f"example {place + 1} of {setup.data or 'the set'}"
                broken[place] = Unreadable(where, outcome.result.message)
    if not graded:
        raise FabsightError(f"evaluate {task.name}: {_nothing(setup.data, broken)}")
    lost = cycle([failure(task, example) for example in sample.examples])
    rows = [
        graded[place] if place in graded else _broken(broken[place], next(lost))
        for place in range(len(graded) + len(broken))
    ]
    return _report(task, model_name, setup, rows, sample)


def _usable(
    examples: Iterable[Example[Any] | Unreadable], broken: dict[int, Unreadable], places: list[int]
) -> Iterator[Example[Any]]:
    """The examples that can be read, their places noted; the others go into `broken`."""
    for place, example in enumerate(examples):
        if isinstance(example, Unreadable):
            broken[place] = example
        else:
            places.append(place)
            yield example


def _nothing(data: str, broken: Mapping[int, Unreadable]) -> str:
    """Why there is nothing to grade."""
    if not broken:
        return f"{data or 'the set'} holds no examples to grade"
    first = broken[min(broken)]
    return (
        f"none of the {len(broken)} examples of {data or 'the set'} can be read; the first: "
        f"{first.path}: {first.error}"
    )


def _broken(example: Unreadable, metrics: Row) -> Graded:
    return Graded(example.path, "", example.error, metrics, None, "", "", "", 0.0, broken=True)


def _report(
    task: Task[Any, Any],
    model_name: str,
    setup: Setup,
    graded: Sequence[Graded],
    sample: FloorSample,
) -> Report:
    rows = [row.metrics for row in graded]
    broken = [{"path": row.source, "error": row.error} for row in graded if row.broken]
    rng = np.random.default_rng(setup.seed)
    return Report(
        task=task.name,
        model=model_name,
        data=setup.data,
        count=len(rows),
        unreadable=sum(bool(row.error) for row in graded) - len(broken),
        broken={"count": len(broken), "lines": broken[:MOST_BROKEN]},
        metrics=totals(task, rows),
        metrics_readable=totals(task, [row.metrics for row in graded if not row.error]),
        best=_best(task, graded),
        spread=spread(task, rows),
        floor=floor(task, sample, setup.workers),
        intervals=intervals(task, rows, [row.group for row in graded], rng),
        by_kind=_by(task, graded, "kind"),
        by_difficulty=_by(task, graded, "difficulty"),
        seconds_per_example=sum(row.seconds for row in graded) / (len(graded) - len(broken)),
        rows=tuple(graded),
    )


def _best(task: Task[Any, Any], graded: Sequence[Graded]) -> Totals:
    """What the truth scores: of metrics where that depends on the example the mean."""
    found = {}
    for name, metric in task.metrics.items():
        values = [row.best[name] for row in graded if name in row.best]
        known = [value for value in values if not math.isnan(value)]
        if not callable(metric.best):
            found[name] = float(metric.best)
        elif known:
            found[name] = math.fsum(known) / len(known)
    return found


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
        best={
            name: float(metric.best_for(example))
            for name, metric in task.metrics.items()
            if callable(metric.best)
        },
    )


def to_json(report: Report) -> Record:
    """The report as one JSON object, without its rows; the contract of `evaluate --json`."""
    return {name: _plain(value) for name, value in vars(report).items() if name != "rows"}


def row_to_json(row: Graded) -> Record:
    """One row as a JSON object; numbers that do not apply are null."""
    check = row.check and {
        key: getattr(row.check, key) for key in ("score", "coverage", "evidence")
    }
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
    names = {getattr(row, label) for row in graded} - {""}
    for name in sorted(names, key=lambda name: (DIFFICULTIES.get(name, 0), name)):
        part = [row for row in graded if getattr(row, label) == name]
        found[name] = {
            "count": len(part),
            "unreadable": sum(bool(row.error) for row in part),
            "metrics": totals(task, [row.metrics for row in part]),
        }
    return found

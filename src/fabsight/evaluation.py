"""evaluate: examples and a model to a report that can be believed.

An unreadable answer scores each metric's worst value and is counted; an exception inside a scorer
is a bug and is raised, never a bad answer. Beside each figure stand what a constant answer scores
(the floor) and a 95 % bootstrap interval over groups.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any, TypeAlias

import numpy as np

from fabsight import pool
from fabsight.models import Model
from fabsight.prediction import answer
from fabsight.shards import Record
from fabsight.task import AnswerError, Check, Example, FabsightError, Row, Task

# The floor tries the set's most frequent truths, on a sample of its examples drawn with `seed`.
FLOOR_ANSWERS = 16
FLOOR_EXAMPLES = 64
RESAMPLES = 1000
CORPUS_RESAMPLES = 200  # each calls the task's `summarise`
LEVEL = 0.95

Totals: TypeAlias = dict[str, float]


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
    rng = np.random.default_rng(seed)
    truths: Counter[str] = Counter()
    sample: list[Example[Any]] = []
    seen = _noting(examples, truths, sample, rng)
    total = len(examples) if isinstance(examples, Sequence) else None
    rows: list[Graded] = []
    with pool.progress("examples", total, progress) as step:
        for graded in pool.ordered(partial(grade, task, model, refine), seen, workers):
            rows.append(graded)
            step()
    if not rows:
        raise FabsightError(f"evaluate {task.name}: {data or 'the set'} holds no examples to grade")
    readable = [row for row in rows if not row.error]
    return Report(
        task=task.name,
        model=model_name,
        data=data,
        count=len(rows),
        unreadable=len(rows) - len(readable),
        metrics=totals(task, [row.metrics for row in rows]),
        metrics_readable=totals(task, [row.metrics for row in readable]),
        spread=_spread(task, rows),
        floor=floor(task, [text for text, _ in truths.most_common(FLOOR_ANSWERS)], sample, workers),
        intervals=_intervals(task, rows, rng),
        by_kind=_parts(task, rows, lambda row: row.kind),
        by_difficulty=_parts(task, rows, lambda row: row.difficulty),
        seconds_per_example=sum(row.seconds for row in rows) / len(rows),
        rows=tuple(rows),
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


def score(task: Task[Any, Any], value: Any, example: Example[Any]) -> Row:
    """The task's score of a value, one number for each of its metrics.

    Raises:
        ValueError: The scorer broke its contract.
    """
    row = task.score(value, example)
    if row.keys() != task.metrics.keys():
        raise ValueError(
            f"{task.name}.score gave {sorted(row)}; its metrics are {sorted(task.metrics)}"
        )
    return {name: float(row[name]) for name in task.metrics}


def failure(task: Task[Any, Any], example: Example[Any]) -> Row:
    """What an unreadable answer to the example scores."""
    return {name: float(metric.worst_for(example)) for name, metric in task.metrics.items()}


def totals(task: Task[Any, Any], rows: Sequence[Row]) -> Totals:
    """One number per metric: the mean of the rows it applies to, corpus metrics by `summarise`.

    A metric that applies to no row is left out.
    """
    if not rows:
        return {}
    found = {}
    summary = task.summarise(rows)
    for name, metric in task.metrics.items():
        applies = [row[name] for row in rows if not math.isnan(row[name])]
        if metric.corpus:
            found[name] = float(summary[name])
        elif applies:
            found[name] = math.fsum(applies) / len(applies)
    return found


def floor(
    task: Task[Any, Any],
    answers: Sequence[str],
    examples: Sequence[Example[Any]],
    workers: int = 1,
) -> Totals:
    """Totals of the constant answer that is best by the headline metric; {} without answers.

    What a model must beat to have looked at the image at all.
    """
    found = list(pool.ordered(partial(constant, task, examples), answers, workers))
    best: Totals = {}
    sign = 1 if task.metrics[task.headline].better == "higher" else -1
    for candidate in found:
        if not best or sign * candidate[task.headline] > sign * best[task.headline]:
            best = candidate
    return best


def constant(task: Task[Any, Any], examples: Sequence[Example[Any]], text: str) -> Totals:
    """Totals of giving the same answer to every example."""
    rows = []
    for example in examples:
        try:
            value = task.parse(text, example.question)
        except AnswerError:  # not an answer to this question: its classes are others
            rows.append(failure(task, example))
            continue
        rows.append(score(task, value, example))
    return totals(task, rows)


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


def _noting(
    examples: Iterable[Example[Any]],
    truths: Counter[str],
    sample: list[Example[Any]],
    rng: np.random.Generator,
) -> Iterator[Example[Any]]:
    """The examples as they pass, keeping truths and a uniform sample for the floor."""
    for index, example in enumerate(examples):
        if example.answer is not None:
            truths[example.answer] += 1
        if index < FLOOR_EXAMPLES:
            sample.append(example)
        elif (place := int(rng.integers(index + 1))) < FLOOR_EXAMPLES:  # reservoir sampling
            sample[place] = example
        yield example


def _spread(task: Task[Any, Any], rows: Sequence[Graded]) -> dict[str, Totals]:
    found = {}
    for name, metric in task.metrics.items():
        values = np.array([row.metrics[name] for row in rows])
        values = values[~np.isnan(values)]
        if metric.corpus or not values.size:
            continue
        found[name] = {
            "std": float(values.std()),
            "median": float(np.median(values)),
            "p90": float(np.percentile(values, 90)),
            "count": int(values.size),
        }
    return found


def _intervals(
    task: Task[Any, Any], rows: Sequence[Graded], rng: np.random.Generator
) -> dict[str, list[float]]:
    """Percentile bootstrap: whole groups are drawn, because examples of one source are alike."""
    members: dict[str, list[int]] = {}
    for index, row in enumerate(rows):
        members.setdefault(row.group or f"\0{index}", []).append(index)
    groups = [np.array(indices) for indices in members.values()]
    if len(groups) < 2:
        return {}
    names = [name for name, metric in task.metrics.items() if not metric.corpus]
    values = np.array([[row.metrics[name] for name in names] for row in rows])
    sums = np.array([np.nansum(values[group], axis=0) for group in groups])
    counts = np.array([np.count_nonzero(~np.isnan(values[group]), axis=0) for group in groups])
    means: dict[str, list[float]] = {name: [] for name in task.metrics}
    for resample in range(RESAMPLES):
        draw = rng.integers(len(groups), size=len(groups))
        for name, total, count in zip(names, sums[draw].sum(0), counts[draw].sum(0), strict=True):
            if count:
                means[name].append(total / count)
        if resample < CORPUS_RESAMPLES and len(names) < len(task.metrics):
            again = [rows[index].metrics for group in draw for index in groups[group]]
            for name, value in task.summarise(again).items():
                means[name].append(value)
    return {name: _percentiles(np.array(found)) for name, found in means.items() if found}


def _percentiles(values: np.ndarray) -> list[float]:
    tail = 50 * (1 - LEVEL)
    low, high = np.percentile(values, [tail, 100 - tail])
    return [float(low), float(high)]


def _parts(
    task: Task[Any, Any], rows: Sequence[Graded], label: Callable[[Graded], str]
) -> dict[str, Record]:
    found = {}
    for name in sorted({label(row) for row in rows} - {""}):
        part = [row for row in rows if label(row) == name]
        found[name] = {
            "count": len(part),
            "unreadable": sum(bool(row.error) for row in part),
            "metrics": totals(task, [row.metrics for row in part]),
        }
    return found

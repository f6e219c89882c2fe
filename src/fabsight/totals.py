"""From rows of metrics to totals, spreads, intervals, and the floor that a constant answer reaches.

A NaN in a row says that the metric does not apply to that example; it is left out of the means. A
row holds for a corpus metric (macro F1, calibration error) whatever the task's `summarise` needs.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from math import isqrt
from typing import Any, TypeAlias

import numpy as np

from fabsight import pool
from fabsight.task import AnswerError, Example, Row, Task

RESAMPLES = 1000
CORPUS_RESAMPLES = 200  # each calls the task's `summarise`
LEVEL = 0.95
# What the floor may cost, in pixels of images that answers are graded against: 512 of 256 x 256.
FLOOR_PIXELS = 2**25
FLOOR_GRADINGS_LEAST = 16
FLOOR_ANSWERS_MOST = 16
FLOOR_EXAMPLES_MOST = 1024

Totals: TypeAlias = dict[str, float]


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
        if metric.corpus and name in summary:
            found[name] = float(summary[name])
        elif applies and not metric.corpus:
            found[name] = math.fsum(applies) / len(applies)
    return found


def spread(task: Task[Any, Any], rows: Sequence[Row]) -> dict[str, Totals]:
    """For each per-example metric std, median, p90 and the count of rows it applies to."""
    found = {}
    for name, metric in task.metrics.items():
        values = np.array([row[name] for row in rows])
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


def intervals(
    task: Task[Any, Any], rows: Sequence[Row], groups: Sequence[str], rng: np.random.Generator
) -> dict[str, list[float]]:
    """The 95 % percentile bootstrap interval of each total, [low, high].

    Whole groups are drawn, because examples of one source are alike (Davison and Hinkley, Bootstrap
    Methods, section 3.8); "" is a group of its own. {} with fewer than two groups.
    """
    members: dict[str, list[int]] = {}
    for index, group in enumerate(groups):
        members.setdefault(group or f"\0{index}", []).append(index)
    if len(members) < 2:
        return {}
    indices = [np.array(found) for found in members.values()]
    names = [name for name, metric in task.metrics.items() if not metric.corpus]
    values = np.array([[row[name] for name in names] for row in rows])
    sums = np.array([np.nansum(values[group], axis=0) for group in indices])
    counts = np.array([np.count_nonzero(~np.isnan(values[group]), axis=0) for group in indices])
    drawn: dict[str, list[float]] = {name: [] for name in task.metrics}
    for resample in range(RESAMPLES):
        draw = rng.integers(len(indices), size=len(indices))
        for name, total, count in zip(names, sums[draw].sum(0), counts[draw].sum(0), strict=True):
            if count:
                drawn[name].append(total / count)
        if resample < CORPUS_RESAMPLES and len(names) < len(task.metrics):
            again = [rows[index] for group in draw for index in indices[group]]
            for name, value in task.summarise(again).items():
                drawn[name].append(value)
    tails = [50 * (1 - LEVEL), 50 * (1 + LEVEL)]
    return {name: np.percentile(found, tails).tolist() for name, found in drawn.items() if found}


class FloorSample:
    """Truths and examples that the floor is found on, noted while the examples pass by.

    Grading k constant answers against n examples is k * n gradings, whose cost grows with the
    images. So k and n are bounded by `FLOOR_PIXELS`: of 256 x 256 px images the 16 most frequent
    truths against 32 examples, of wafer maps against all up to 1024. The examples are a uniform
    sample of the set.
    """

    def __init__(self, seed: int) -> None:
        self.truths: Counter[str] = Counter()
        self.examples: list[Example[Any]] = []
        self._answers = self._most = 0
        self._seed = seed

    def watch(self, examples: Iterable[Example[Any]]) -> Iterator[Example[Any]]:
        """The same examples, noted."""
        rng = np.random.default_rng([self._seed, 1])
        for index, example in enumerate(examples):
            if index == 0:
                self._plan(sum(image.pixels.size for image in example.question.images))
            if example.answer is not None:
                self.truths[example.answer] += 1
            if index < self._most:
                self.examples.append(example)
            elif (place := int(rng.integers(index + 1))) < self._most:  # reservoir sampling
                self.examples[place] = example
            yield example

    def answers(self) -> list[str]:
        """The truths to try: the most frequent, of equally frequent ones a random choice."""
        rng, texts = np.random.default_rng([self._seed, 2]), list(self.truths)
        shuffled = [texts[place] for place in rng.permutation(len(texts))]
        return sorted(shuffled, key=lambda text: -self.truths[text])[: self._answers]

    def _plan(self, pixels: int) -> None:
        gradings = max(FLOOR_PIXELS // max(pixels, 1), FLOOR_GRADINGS_LEAST)
        self._answers = min(isqrt(gradings), FLOOR_ANSWERS_MOST)
        self._most = min(gradings // self._answers, FLOOR_EXAMPLES_MOST)


def floor(task: Task[Any, Any], sample: FloorSample, workers: int = 1) -> Totals:
    """Totals of the constant answer that is best by the headline metric; {} without answers.

    What a model must beat to have looked at the image at all. Metrics with a target are left out: a
    constant answer meets one without having looked.
    """
    work = partial(constant, task, sample.examples)
    sign = 1 if task.metrics[task.headline].better == "higher" else -1
    best: Totals = {}
    for candidate in pool.ordered(work, sample.answers(), workers):
        if not best or sign * candidate[task.headline] > sign * best[task.headline]:
            best = candidate
    return {name: value for name, value in best.items() if task.metrics[name].better != "target"}


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

"""predict: files to checked answers.

    path --read_input--> Question --predict_one--> Prediction --to_json--> row

The model proposes, the task refines, the verifier says how far to believe it. What cannot be read
(a file, or what the model wrote) becomes a Prediction with an error: the other inputs go on.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, Generic, TypeVar

from fabsight import pool, settings
from fabsight.batch import Item
from fabsight.inputs import Unreadable, find_inputs, read_input
from fabsight.models import Ask, Model, Reply, replies_to
from fabsight.shards import Record
from fabsight.task import Check, FabsightError, Image, Prediction, Question, Task

A = TypeVar("A")
GREEDY = Ask()


@dataclass(frozen=True, eq=False)
class Job:
    """How every input of a run is answered: one value that can be sent to worker processes.

    Attributes:
        task: What is asked.
        model: What answers.
        model_name: What the results call it.
        context: The task's settings.
        text: The question in words, "" for the task's own.
        golden: A reference image to compare every input with.
        ask: Sampling; of n > 1 replies the one that verifies best is kept.
        refine: Whether the task improves the model's answer.
    """

    task: Task[Any, Any]
    model: Model
    model_name: str
    context: Any
    text: str = ""
    golden: Image | None = None
    ask: Ask = GREEDY
    refine: bool = True


@dataclass(frozen=True, eq=False)
class Answered(Generic[A]):
    """An answer as a value with its check; `value` and `check` are None where `error` says why."""

    text: str
    value: A | None
    check: Check | None
    error: str = ""


def predict(job: Job, paths: Iterable[Path | str], workers: int = 1) -> Iterator[Prediction]:
    """One `Prediction` per question in the files, folders and globs, in their order.

    An input that cannot be read, or that kills its worker process, gives a Prediction with an
    error. Any other exception is a bug and is raised.
    """
    found = find_inputs(job.task, paths).found
    outcomes = pool.outcomes(partial(predict_input, job), found, workers)
    for outcome in pool.in_order(outcomes):
        if not isinstance(outcome.result, pool.Failure):
            yield from outcome.result
        elif outcome.result.trace:
            raise outcome.result.exception()
        else:
            yield failed(job, Unreadable(str(found[outcome.index]), outcome.result.message))


def predict_input(job: Job, path: Path) -> list[Prediction]:
    """The predictions of one input: one for a picture, one per wafer of a file of many."""
    return [prediction for _, prediction in answers(job, path)]


def failed_item(job: Job, item: Item, message: str) -> list[Record]:
    """The row of a batch item whose work broke, for `batch.run`."""
    return [to_json(failed(job, Unreadable(item.name, message)))]


def answers(job: Job, path: Path) -> Iterator[tuple[Question[Any] | None, Prediction]]:
    """Each question of one input with its prediction; None and an error for what is unreadable."""
    task, model = job.task, job.model
    for question in read_input(task, path, job.context, text=job.text, golden=job.golden):
        if isinstance(question, Unreadable):
            yield None, failed(job, question)
            continue
        prediction = predict_one(
            task, question, model, job.model_name, ask=job.ask, refine=job.refine
        )
        yield question, prediction


def predict_one(
    task: Task[Any, Any],
    question: Question[Any],
    model: Model,
    model_name: str,
    *,
    ask: Ask = GREEDY,
    refine: bool = True,
) -> Prediction:
    """The model's answer to one question, refined and checked; unreadable text is kept.

    With `refine` the answer that the task improved is returned, never one that verifies lower.
    """
    begin = perf_counter()
    best = answer(task, question, model, ask=ask, refine=refine)
    first = question.images[0] if question.images else None
    warnings = dict.fromkeys(w for image in question.images for w in image.warnings)
    return Prediction(
        path=question.source,
        task=task.name,
        model=model_name,
        text=best.text,
        answer=None if best.value is None else settings.to_json(best.value),
        check=best.check,
        nm_per_px=first.nm_per_px if first else None,
        scale_source=first.scale_source if first else "",
        seconds=perf_counter() - begin,
        error=best.error,
        warnings=tuple(warnings),
    )


def answer(
    task: Task[A, Any],
    question: Question[Any],
    model: Model,
    *,
    ask: Ask = GREEDY,
    refine: bool = True,
) -> Answered[A]:
    """The answer as a value: of several replies the one that verifies best, the first of equals."""
    (replies,) = replies_to(model, [question], ask)
    read = [_read(task, question, reply, refine) for reply in dict.fromkeys(map(_key, replies))]
    return max(read, key=lambda answered: answered.check.score if answered.check else -1.0)


def to_json(prediction: Prediction) -> Record:
    """The prediction as one JSON object; its keys are the contract of `predict --json`.

    >>> row = to_json(Prediction("a.png", "toy", "embedded", "7", 7, None, 2.5, "user", 0.1))
    >>> row["answer"], row["scale"]
    (7, {'nm_per_px': 2.5, 'source': 'user'})
    """
    check, scale = prediction.check, None
    if prediction.nm_per_px is not None:
        scale = {"nm_per_px": prediction.nm_per_px, "source": prediction.scale_source}
    return {
        "path": prediction.path,
        "task": prediction.task,
        "model": prediction.model,
        "text": prediction.text,
        "answer": prediction.answer,
        "check": None if check is None else settings.to_json(check),
        "scale": scale,
        "seconds": prediction.seconds,
        "error": prediction.error,
        "warnings": list(prediction.warnings),
    }


def failed(job: Job, unreadable: Unreadable) -> Prediction:
    """The prediction that stands for an input without an answer."""
    return Prediction(
        path=unreadable.path,
        task=job.task.name,
        model=job.model_name,
        text="",
        answer=None,
        check=None,
        nm_per_px=None,
        scale_source="",
        seconds=0.0,
        error=unreadable.error,
    )


def _key(reply: Reply) -> tuple[str, str]:
    return reply.text, reply.error  # replies that say the same are read once


def _read(
    task: Task[A, Any], question: Question[Any], reply: tuple[str, str], refine: bool
) -> Answered[A]:
    text, error = reply
    if error:
        return Answered(text, None, None, error)
    try:
        value = _as_written(task, question, task.parse(text, question))
        check = task.verify(question, value)
        if refine:
            value, check = _refined(task, question, value, check)
    except FabsightError as error:
        return Answered(text, None, None, str(error))
    return Answered(task.write(value), value, check)


def _refined(
    task: Task[A, Any], question: Question[Any], value: A, check: Check
) -> tuple[A, Check]:
    refined = _as_written(task, question, task.refine(question, value))
    if task.write(refined) == task.write(value):  # spares the second check, often the dearest step
        return value, check
    again = task.verify(question, refined)
    return (refined, again) if again.score >= check.score else (value, check)


def _as_written(task: Task[A, Any], question: Question[Any], value: A) -> A:
    """The value that the canonical text stands for: what is checked is what a person gets."""
    return task.parse(task.write(value), question)

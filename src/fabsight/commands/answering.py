"""predict: answers for a person, for a program, or as files to go on working with."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from fabsight import models, settings
from fabsight.batch import Steps, rows, run
from fabsight.commands.artifacts import answer_item, items, pool_tables
from fabsight.commands.console import OK, SOME_FAILED, Console, complain, one_line
from fabsight.commands.tasks import read_settings, task_for
from fabsight.commands.together import write_together
from fabsight.inputs import Inputs, find_inputs, read_golden
from fabsight.prediction import Job, failed_item, to_json
from fabsight.prediction import predict as predict_all
from fabsight.task import Prediction, Task

MOST_NAMED = 3


@dataclass(frozen=True)
class Request:
    """What a person asked for on the command line; "" and None where nothing was said."""

    paths: Sequence[str]
    task: str = ""
    model: str = models.EMBEDDED
    question: str = ""
    golden: Path | None = None
    settings: Sequence[str] = ()


def predict(request: Request, out: Path | None, workers: int, console: Console) -> int:
    """Answer; the exit code says whether every input has an answer."""
    job = job_of(request)
    _say_unused(request, job.task, console)
    inputs = find_inputs(job.task, request.paths)
    _say_skipped(inputs, console)
    if out is None:
        return _to_screen(job, inputs, workers, console)
    failed = predict_into(job, inputs.found, out, workers, console)
    for row in rows(out) if console.json else ():
        console.emit(row)
    return SOME_FAILED if failed else OK


def job_of(request: Request) -> Job:
    """How the request's inputs are to be answered."""
    task = task_for(request.task, request.paths)
    model = models.load(request.model, task)
    context = read_settings(task, request.settings)
    path = request.golden
    golden = None if path is None else read_golden(task, path, context)
    return Job(task, model, request.model, context, request.question, golden)


def predict_into(job: Job, found: Sequence[Path], out: Path, workers: int, console: Console) -> int:
    """Answer into a run folder, with report; returns how many failed. Goes on where it stopped."""
    from fabsight.reporting import report

    steps = Steps(partial(answer_item, job), partial(failed_item, job))
    said = {
        "task": job.task.name,
        "model": job.model_name,
        "weights": models.identity(job.model_name, job.task),
        "question": job.text,
        "golden": job.golden and sha256(job.golden.pixels.tobytes()).hexdigest(),
        "context": settings.to_json(job.context),
    }
    quiet = False if console.json or console.quiet else None
    result = run(items(found), steps, out, settings=said, workers=workers, progress=quiet)
    answered = list(rows(out))
    pool_tables(out, answered, job.task)
    for finding in write_together(job, found, out, answered):
        console.say(finding)
    page = report(out)
    if result.resumed:
        console.say(f"{result.resumed} of {result.done} inputs were done before")
    _say_failures([r["error"] for r in answered if r["error"]], len(answered))
    console.say(f"{result.results}\n{page}")
    return result.failed


def _to_screen(job: Job, inputs: Inputs, workers: int, console: Console) -> int:
    predictions = []
    for prediction in predict_all(job, inputs.found, workers):
        console.emit(to_json(prediction))
        predictions.append(prediction)
    if len(predictions) == 1:
        _say_one(predictions[0], console)
    else:
        console.table(("input", "check", "answer", "note"), [_summary(p) for p in predictions])
    errors = [p.error for p in predictions if p.error]
    _say_failures(errors, len(predictions))
    return SOME_FAILED if errors else OK


def _say_one(prediction: Prediction, console: Console) -> None:
    """One answer in full: its text, its check, what to know about it."""
    if prediction.error:
        return
    console.say(prediction.text.rstrip("\n"))
    facts: dict[str, Any] = {}
    if prediction.check:
        facts = {"check": prediction.check.score, "coverage": prediction.check.coverage}
        facts |= dict(prediction.check.evidence)
    if prediction.nm_per_px:
        facts["nm_per_px"] = prediction.nm_per_px
        facts["scale from"] = prediction.scale_source
    facts["seconds"] = prediction.seconds
    console.table(("what", "value"), list(facts.items()))
    for warning in prediction.warnings:
        console.say(f"note: {one_line(warning)}")


def _summary(prediction: Prediction) -> tuple[Any, ...]:
    check = prediction.check.score if prediction.check else None
    lines = prediction.text.splitlines()
    answer = lines[0] if len(lines) == 1 else f"{len(lines)} lines" if lines else None
    note = "; ".join((prediction.error, *prediction.warnings)).strip("; ")
    return Path(prediction.path).name, check, answer, note


def _say_failures(errors: Sequence[str], count: int) -> None:
    if errors:
        complain(f"{len(errors)} of {count} inputs have no answer; the first: {errors[0]}")


def _say_unused(request: Request, task: Task[Any, Any], console: Console) -> None:
    """Name the options that cannot change an answer of this task."""
    given = {"--question": request.question, "--golden": request.golden}
    needed = {"--question": "text", "--golden": "golden"}
    unused = [name for name, said in given.items() if said and needed[name] not in task.uses]
    if unused and not console.quiet:
        complain(f"note: {task.name} does not use {' or '.join(unused)}; the answers are the same")


def _say_skipped(inputs: Inputs, console: Console) -> None:
    if inputs.skipped:
        named = ", ".join(path.name for path in inputs.skipped[:MOST_NAMED])
        more = ", ..." if len(inputs.skipped) > MOST_NAMED else ""
        console.say(f"left out {len(inputs.skipped)} files that are no input: {named}{more}")

"""evaluate: a model against labelled data, on the screen or as a run folder with a report."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fabsight import models
from fabsight.commands.console import OK, Console
from fabsight.commands.tasks import read_settings, task_named
from fabsight.evaluation import Graded, Report, row_to_json, to_json
from fabsight.evaluation import evaluate as grade_all
from fabsight.settings import split_settings
from fabsight.task import AnswerError, Example, FabsightError, Task

Examples = Callable[[], Iterable[Example[Any]]]  # the same examples each time it is called


@dataclass(frozen=True)
class Grading:
    """What a person asked for; "" where nothing was said."""

    task: str
    data: str
    model: str = models.EMBEDDED
    split: str = ""
    settings: Sequence[str] = ()


def evaluate(grading: Grading, out: Path | None, workers: int, console: Console) -> int:
    """Grade and say the totals; with `out` also every row and a page."""
    task = task_named(grading.task)
    examples = examples_of(task, grading)
    quiet = False if console.json or console.quiet else None
    graded = grade_all(
        task,
        examples(),
        models.load(grading.model, task),
        grading.model,
        data=grading.data,
        workers=workers,
        progress=quiet,
    )
    console.emit(to_json(graded))
    _say(graded, task, console)
    if out is not None:
        console.say(str(write_run(graded, task, examples, out)))
    return OK


def examples_of(task: Task[Any, Any], grading: Grading) -> Examples:
    """The data's examples of one split, with the person's settings, read anew each time."""
    from fabsight import dataset

    folder = Path(grading.data)
    if not folder.is_dir():
        raise FabsightError(f"evaluate {task.name}: there is no dataset folder {folder}")
    read_settings(task, grading.settings)  # a wrong one is refused before any file is read
    said = split_settings(grading.settings)
    return lambda: dataset.read(folder, task, grading.split or None, said)


def _say(report: Report, task: Task[Any, Any], console: Console) -> None:
    console.say(
        f"{report.task}, {report.model}: {report.count} examples, {report.unreadable} unreadable, "
        f"{report.seconds_per_example:.3f} s each"
    )
    rows = []
    for name, value in report.metrics.items():
        metric = task.metrics[name]
        low, high = report.intervals.get(name, (None, None))
        spread = report.spread.get(name, {})
        rows.append(
            (
                f"{name} {metric.unit}".strip(),
                metric.better,
                value,
                low,
                high,
                report.floor.get(name),
                spread.get("median"),
                spread.get("p90"),
            )
        )
    heads = ("metric", "better", "mean", "95 % from", "to", "floor", "median", "p90")
    console.table(heads, rows)


def write_run(report: Report, task: Task[Any, Any], examples: Examples, out: Path) -> Path:
    """The path of the page, after evaluation.json, rows.jsonl and pictures of the worst."""
    from fabsight.report.evaluation import WORST, worst_first
    from fabsight.reporting import report as write_page
    from fabsight.shards import write_whole

    out.mkdir(parents=True, exist_ok=True)
    notes = {n: {"better": m.better, "unit": m.unit} for n, m in task.metrics.items()}
    totals = to_json(report) | {"metric_notes": notes}
    rows = [row_to_json(row) for row in report.rows]
    chosen = worst_first(totals, rows)[:WORST]
    for index, example in enumerate(examples()):
        if index in chosen:
            rows[index]["files"] = _pictures(task, example, report.rows[index], out, index)
    lines = [json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows]
    write_whole(out / "rows.jsonl", lines)
    write_whole(out / "evaluation.json", [json.dumps(totals, indent=1).encode()])
    return write_page(out)


def _pictures(
    task: Task[Any, Any], example: Example[Any], row: Graded, out: Path, index: int
) -> dict[str, str]:
    """The input and what is drawn over it, for the page: name -> path in the run folder."""
    from fabsight.images import save_png
    from fabsight.report.pictures import preview

    if not example.question.images:
        return {}
    (out / "worst").mkdir(exist_ok=True)
    files = {"input": f"worst/{index:06d}-input.png"}
    save_png(out / files["input"], preview(example.question.images[0]))
    try:
        value = task.parse(row.text, example.question)
    except AnswerError:
        return files  # what could not be read cannot be drawn
    files["overlay"] = f"worst/{index:06d}-overlay.png"
    save_png(out / files["overlay"], task.draw(example.question, value))
    return files

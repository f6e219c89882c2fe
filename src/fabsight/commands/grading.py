"""evaluate: a model against labelled data, on the screen or as a run folder with a report."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from fabsight import models
from fabsight.batch import PURPOSE
from fabsight.commands.console import OK, SOME_FAILED, Console, complain
from fabsight.commands.tasks import read_settings, task_named
from fabsight.evaluation import Graded, Report, Setup, row_to_json, to_json
from fabsight.evaluation import evaluate as grade_all
from fabsight.files import locked, prepare
from fabsight.inputs import Unreadable
from fabsight.settings import split_settings
from fabsight.task import AnswerError, Example, FabsightError, Task

# The same examples, and what cannot be read of them, each time it is called.
Examples = Callable[[], Iterable[Example[Any] | Unreadable]]
MOST_PARTS = 24  # kinds that the screen shows
PICTURES = "worst"  # folder in a run folder
HEADS = ("metric", "better", "mean", "best", "95 % from", "to", "floor", "median", "p90")


@dataclass(frozen=True)
class Grading:
    """What a person asked for; "" where nothing was said."""

    task: str
    data: str
    model: str = models.EMBEDDED
    split: str = ""
    settings: Sequence[str] = ()


def evaluate(grading: Grading, out: Path | None, workers: int, console: Console) -> int:
    """Grade and say the totals; with `out` also every row and a page.

    The exit code says whether every example could be read.
    """
    task = task_named(grading.task)
    examples = examples_of(task, grading)
    model = models.load(grading.model, task)
    quiet = False if console.json or console.quiet else None
    setup = Setup(data=grading.data, workers=workers, progress=quiet)
    with nullcontext() if out is None else _alone_in(out):
        graded = grade_all(task, examples(), model, grading.model, setup)
        console.emit(to_json(graded))
        _say(graded, task, console)
        if out is not None:
            console.say(str(write_run(graded, task, examples, out)))
    _say_broken(graded)
    return SOME_FAILED if graded.broken["count"] else OK


@contextmanager
def _alone_in(out: Path) -> Iterator[None]:
    """The folder made and locked, unless it holds something else than an evaluation."""
    prepare(out)
    with locked(out):
        if (out / PURPOSE).exists():
            raise FabsightError(
                f"evaluate: {out} holds the answers of a predict run; name another folder"
            )
        yield


def examples_of(task: Task[Any, Any], grading: Grading) -> Examples:
    """The data's examples of one split, with the person's settings, read anew each time."""
    from fabsight import dataset

    folder = Path(grading.data)
    context = read_settings(
        task, grading.settings
    )  # a wrong one is refused before any file is read
    if folder.is_file() and task.labelled is not None:
        return partial(_labelled, task, grading, context)
    if not folder.is_dir():
        raise FabsightError(f"evaluate {task.name}: there is no dataset folder {folder}")
    if grading.split:
        _require_split(grading, dataset.splits(folder))
    said = split_settings(grading.settings)
    return lambda: dataset.scan(folder, task, grading.split or None, said)


def _labelled(task: Task[Any, Any], grading: Grading, context: Any) -> Iterator[Example[Any]]:
    """The examples of one split in a file that holds labels."""
    assert task.labelled is not None
    seen: Counter[str] = Counter()
    for example in task.labelled(Path(grading.data), context):
        seen[example.split] += 1
        if not grading.split or example.split == grading.split:
            yield example
    if grading.split and grading.split not in seen:
        _require_split(grading, seen)


def _require_split(grading: Grading, there: Mapping[str, int]) -> None:
    if grading.split not in there:
        named = ", ".join(f"{name} ({number})" for name, number in sorted(there.items()) if name)
        raise FabsightError(
            f"evaluate {grading.task}: {grading.data} has no split {grading.split!r}; "
            + (f"there are: {named}" if named else "none is named there: leave --split out")
        )


def _say(report: Report, task: Task[Any, Any], console: Console) -> None:
    broken = f", {report.broken['count']} broken" if report.broken["count"] else ""
    console.say(
        f"{report.task}, {report.model}: {report.count} examples{broken}, {report.unreadable} "
        f"unreadable, {report.seconds_per_example:.3f} s each"
    )
    rows = []
    for name, value in report.metrics.items():
        metric = task.metrics[name]
        low, high = report.intervals.get(name, (None, None))
        spread = report.spread.get(name, {})
        beside = (report.floor.get(name), spread.get("median"), spread.get("p90"))
        head = (f"{name} {metric.unit}".strip(), metric.better, value, report.best.get(name))
        rows.append((*head, low, high, *beside))
    console.table(HEADS, rows)
    for label, parts in (("kind", report.by_kind), ("difficulty", report.by_difficulty)):
        if len(parts) > 1:
            console.table(
                (label, "count", "unreadable", *report.metrics), _parts(list(report.metrics), parts)
            )


def _parts(
    metrics: Sequence[str], parts: Mapping[str, Mapping[str, Any]]
) -> list[tuple[object, ...]]:
    """A line for each part of the data: how many, how many unreadable, every total."""
    rows: list[tuple[object, ...]] = [
        (name, part["count"], part["unreadable"], *map(part["metrics"].get, metrics))
        for name, part in parts.items()
    ]
    if len(rows) > MOST_PARTS:
        said = f"{len(rows) - MOST_PARTS} more: --json"
        rows[MOST_PARTS:] = [(said, None, None, *(None for _ in metrics))]
    return rows


def _say_broken(report: Report) -> None:
    """Which examples could not be read: on stderr, however the results are asked for."""
    count, lines = report.broken["count"], report.broken["lines"]
    if not count:
        return
    for row in lines:
        complain(f"{row['path']}: {row['error']}")
    more = f"; {count - len(lines)} more are not listed" if count > len(lines) else ""
    complain(
        f"{count} of {report.count} examples cannot be read and count as failures "
        f"(metrics_readable leaves them out){more}"
    )


def write_run(report: Report, task: Task[Any, Any], examples: Examples, out: Path) -> Path:
    """The path of the page, after evaluation.json, rows.jsonl and pictures of the worst."""
    from fabsight.report.evaluation import WORST, worst_first
    from fabsight.reporting import report as write_page
    from fabsight.shards import line, write_whole

    notes = {n: {"better": m.better, "unit": m.unit} for n, m in task.metrics.items()}
    totals = to_json(report) | {"metric_notes": notes}
    rows = [row_to_json(row) for row in report.rows]
    chosen = worst_first(totals, rows)[:WORST]
    for index, example in enumerate(examples()):
        if index in chosen and not isinstance(example, Unreadable):
            rows[index]["files"] = _pictures(task, example, report.rows[index], out, index)
    write_whole(out / "rows.jsonl", map(line, rows))
    write_whole(out / "evaluation.json", [json.dumps(totals, indent=1).encode()])
    _clear_pictures(out, rows)
    return write_page(out)


def _clear_pictures(out: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Remove the pictures that an earlier run left in the folder; other files stay."""
    shown = {out / name for row in rows for name in row.get("files", {}).values()}
    for name in ("input", "overlay"):
        for path in (out / PICTURES).glob(f"{'[0-9]' * 6}-{name}.png"):
            if path not in shown:
                path.unlink()


def _pictures(
    task: Task[Any, Any], example: Example[Any], row: Graded, out: Path, index: int
) -> dict[str, str]:
    """The input and what is drawn over it, for the page: name -> path in the run folder."""
    from fabsight.images import save_png
    from fabsight.report.pictures import picture_of

    if not example.question.images:
        return {}
    (out / PICTURES).mkdir(exist_ok=True)
    files = {"input": f"{PICTURES}/{index:06d}-input.png"}
    save_png(out / files["input"], picture_of(task, example.question))
    try:
        value = task.parse(row.text, example.question)
    except AnswerError:
        return files  # what could not be read cannot be drawn
    files["overlay"] = f"{PICTURES}/{index:06d}-overlay.png"
    save_png(out / files["overlay"], task.draw(example.question, value))
    return files

"""The files an answered input gets in a run folder, and the tables of all inputs together.

    answers/NAME/input.png      the input as a person sees it: 8 bits, not larger than a screen
    answers/NAME/overlay.png    the answer over it
    answers/NAME/answer.gds     every export of the task, the answer's text among them
    answers/NAME/wires.csv      every table of measurements
    tables/TASK_wires.csv       that table of all inputs, `input` naming each as the report does

An input with several questions (a wafer file) has one set of files for each, with a prefix.
"""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fabsight.batch import Item, path_items
from fabsight.files import replace_file
from fabsight.prediction import Job, answers, to_json
from fabsight.report.entries import short_names
from fabsight.report.pictures import picture_of
from fabsight.report.tables import csv_bytes
from fabsight.shards import Record
from fabsight.task import FabsightError, Prediction, Question, Task

ANSWERS, TABLES = "answers", "tables"
TEXT = "txt"
LONGEST_NAME = 60


@dataclass(frozen=True)
class Place:
    """One input and the folder its files go to, relative to the run folder."""

    path: Path
    folder: str


def items(paths: Sequence[Path]) -> list[Item]:
    """Batch items of files, each with a folder of its own named after the file."""
    taken: set[str] = set()
    found = []
    for item in path_items(paths):
        folder = f"{ANSWERS}/{_unique(slug(Path(item.value).name), taken)}"
        found.append(replace(item, value=Place(item.value, folder)))
    return found


def slug(name: str) -> str:
    """A file name every system accepts, recognisable still.

    >>> slug("lot 7/chip<1>.tif"), slug("..")
    ('lot_7_chip_1_.tif', 'input')
    """
    plain = re.sub(r"[^\w.-]+", "_", name, flags=re.ASCII).strip(".")[:LONGEST_NAME]
    return plain or "input"


def _unique(name: str, taken: set[str]) -> str:
    free, number = name, 1
    while free.lower() in taken:  # some file systems do not tell a from A
        number += 1
        free = f"{name}-{number}"
    taken.add(free.lower())
    return free


def answer_item(job: Job, item: Item, run: Path) -> list[Record]:
    """The rows of one input, each with "files"; the work of `batch.run`."""
    place: Place = item.value
    rows = []
    for number, (question, prediction) in enumerate(answers(job, place.path), 1):
        row = to_json(prediction)
        if question is not None and not prediction.error:
            prefix = f"{number:04d}-" if "#" in prediction.path else ""
            stem = f"{place.folder}/{prefix}"
            (run / place.folder).mkdir(parents=True, exist_ok=True)
            row["files"] = write_measured(job.task, question, prediction, (run, stem))
            exported, refused = write_exports(job.task, question, prediction, (run, stem))
            row["files"] |= exported
            row["warnings"] += refused
        rows.append(row)
    return rows


def write_measured(
    task: Task[Any, Any], question: Question[Any], prediction: Prediction, at: tuple[Path, str]
) -> dict[str, str]:
    """Pictures, text and tables of one answer: name -> path relative to the run folder.

    `at` is the run folder and what every relative path begins with.
    """
    from fabsight.images import save_png

    run, stem = at
    value = task.parse(prediction.text, question)
    files = {"overlay": f"{stem}overlay.png"}
    save_png(run / files["overlay"], task.draw(question, value))
    if question.images:
        files["input"] = f"{stem}input.png"
        save_png(run / files["input"], picture_of(task, question))
    if not {TEXT, task.name} & task.exports.keys():  # else an export holds the text
        files[TEXT] = f"{stem}answer.{TEXT}"
        replace_file(run / files[TEXT], prediction.text.encode())
    for name, measure in task.tables.items():
        files[name] = f"{stem}{name}.csv"
        replace_file(run / files[name], csv_bytes(measure(question, value)))
    return files


def write_exports(
    task: Task[Any, Any], question: Question[Any], prediction: Prediction, at: tuple[Path, str]
) -> tuple[dict[str, str], list[str]]:
    """Every export of one answer: format -> relative path, and why some were not written.

    Raises FabsightError where a file cannot be written at all, as on a full disk.
    """
    run, stem = at
    value = task.parse(prediction.text, question)
    files, refused = {}, []
    for name, export in task.exports.items():
        try:
            export(question, value, run / f"{stem}answer.{name}")
        except FabsightError as error:
            if isinstance(error.__cause__, OSError):  # the machine's fault, not the answer's
                raise
            refused.append(f"no {name} was written: {error}")
            continue
        files[name] = f"{stem}answer.{name}"
    return files, refused


def pool_tables(run: Path, rows: Sequence[Mapping[str, Any]], task: Task[Any, Any]) -> None:
    """Write tables/TASK_NAME.csv: each table of measurements, all inputs together."""
    for name in task.tables:
        pooled = list(_pooled(run, rows, name))
        if pooled:
            (run / TABLES).mkdir(exist_ok=True)
            replace_file(run / TABLES / f"{task.name}_{name}.csv", csv_bytes(pooled))


def _pooled(run: Path, rows: Sequence[Mapping[str, Any]], name: str) -> Iterator[dict[str, Any]]:
    names = short_names([str(row["path"]) for row in rows])
    for row, shown in zip(rows, names, strict=True):
        file = row.get("files", {}).get(name)
        if file:
            with (run / file).open(newline="", encoding="utf-8") as lines:
                for measured in csv.DictReader(lines):
                    yield {"input": shown, **measured}

"""The files an answered input gets in a run folder, and the tables of all inputs together.

    answers/NAME/input.png      the input as a person sees it, 8 bits
    answers/NAME/overlay.png    the answer over it
    answers/NAME/answer.gds     every export of the task, the answer's text among them
    answers/NAME/wires.csv      every table of measurements
    tables/TASK_wires.csv       that table of all inputs, a column naming the input

An input with several questions (a wafer file) has one set of files for each, with a prefix.
"""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fabsight.batch import Item, path_items
from fabsight.prediction import Job, answers, failed_item, to_json
from fabsight.report.tables import csv_bytes
from fabsight.shards import Record, write_whole
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
    rows = []
    for number, (question, prediction) in enumerate(answers(job, item.value.path), 1):
        row = to_json(prediction)
        if question is not None and not prediction.error:
            prefix = "" if number == 1 and "#" not in prediction.path else f"{number:04d}-"
            writer = Writer(run, item.value.folder, prefix)
            row["files"] = writer.write(job.task, question, prediction)
            row["warnings"] += writer.warnings
        rows.append(row)
    return rows


def fail_item(job: Job, item: Item, message: str) -> list[Record]:
    """The row of an input whose work broke."""
    return failed_item(job, item, message)


class Writer:
    """Writes one answer's files and remembers what could not be written in some format."""

    def __init__(self, run: Path, folder: str, prefix: str) -> None:
        self.run, self.folder, self.prefix = run, folder, prefix
        self.files: dict[str, str] = {}
        self.warnings: list[str] = []

    def write(
        self, task: Task[Any, Any], question: Question[Any], prediction: Prediction
    ) -> dict[str, str]:
        """What was written: name -> path relative to the run folder."""
        from fabsight.images import save_png, to_8bit

        value = task.parse(prediction.text, question)
        (self.run / self.folder).mkdir(parents=True, exist_ok=True)
        if question.images:
            save_png(self._path("input", "input.png"), to_8bit(question.images[0]))
        save_png(self._path("overlay", "overlay.png"), task.draw(question, value))
        if not {TEXT, task.name} & task.exports.keys():  # else an export holds the text
            write_whole(self._path(TEXT, "answer.txt"), [prediction.text.encode()])
        for name, export in task.exports.items():
            try:
                export(question, value, self._path(name, f"answer.{name}"))
            except FabsightError as error:
                del self.files[name]
                self.warnings.append(f"no {name} was written: {error}")
        for name, measure in task.tables.items():
            write_whole(self._path(name, f"{name}.csv"), [csv_bytes(measure(question, value))])
        return self.files

    def _path(self, name: str, file: str) -> Path:
        relative = f"{self.folder}/{self.prefix}{file}"
        self.files[name] = relative
        return self.run / relative


def pool_tables(run: Path, rows: Sequence[Mapping[str, Any]], task: Task[Any, Any]) -> None:
    """Write tables/TASK_NAME.csv: each table of measurements, all inputs together."""
    for name in task.tables:
        pooled = list(_pooled(run, rows, name))
        if pooled:
            (run / TABLES).mkdir(exist_ok=True)
            write_whole(run / TABLES / f"{task.name}_{name}.csv", [csv_bytes(pooled)])


def _pooled(run: Path, rows: Sequence[Mapping[str, Any]], name: str) -> Iterator[dict[str, Any]]:
    for row in rows:
        file = row.get("files", {}).get(name)
        if file:
            with (run / file).open(newline="", encoding="utf-8") as lines:
                for measured in csv.DictReader(lines):
                    yield {"input": Path(row["path"]).name, **measured}

"""What a run says of its inputs together: sentences, pictures and tables of each group of them.

together/NAME/PICTURE.png, together/NAME/TABLE.csv, and together.json, which names them
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fabsight.commands.artifacts import slug
from fabsight.files import replace_file
from fabsight.images import save_png
from fabsight.inputs import Unreadable, read_input
from fabsight.prediction import Job
from fabsight.report.tables import csv_bytes
from fabsight.task import Question, Together

FOLDER, LIST = "together", "together.json"


def write_together(job: Job, found: Sequence[Path], run: Path, rows: Sequence[Any]) -> list[str]:
    """Write what the task says of the answered inputs together; the findings, for the screen.

    The inputs are read once more; nothing is written where the task says nothing.
    """
    texts = {row["path"]: row["text"] for row in rows if not row["error"]}
    if job.task.together is None or len(texts) < 2:
        return []
    questions = [q for path in found for q in _questions(job, path) if q.source in texts]
    answers = [job.task.parse(texts[question.source], question) for question in questions]
    groups = [_written(group, run) for group in job.task.together(questions, answers)]
    if groups:
        replace_file(run / LIST, json.dumps(groups, indent=1).encode())
    return [f"{group['name']}: {said}" for group in groups for said in group["findings"]]


def _questions(job: Job, path: Path) -> Iterator[Question[Any]]:
    for question in read_input(job.task, path, job.context, text=job.text, golden=job.golden):
        if not isinstance(question, Unreadable):
            yield question


def _written(group: Together, run: Path) -> Mapping[str, Any]:
    """A group's files, and what names them."""
    stem = f"{FOLDER}/{slug(group.name)}"
    (run / stem).mkdir(parents=True, exist_ok=True)
    pictures, tables = {}, {}
    for caption, picture in group.pictures.items():
        pictures[caption] = f"{stem}/{slug(caption)}.png"
        save_png(run / pictures[caption], picture)
    for name, rows in group.tables.items():
        if rows:
            tables[name] = f"{stem}/{slug(name)}.csv"
            replace_file(run / tables[name], csv_bytes(rows))
    said = {"name": group.name, "findings": list(group.findings)}
    return said | {"pictures": pictures, "tables": tables}

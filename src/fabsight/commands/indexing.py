"""index: like cases in a folder of files, found again in milliseconds."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fabsight.commands.console import OK, SOME_FAILED, Console, complain
from fabsight.commands.tasks import all_tasks, read_settings, task_for, task_named
from fabsight.inputs import Unreadable, find_inputs, read_input
from fabsight.task import FabsightError, Lookup, Task

HIDDEN = ".fabsight-index"  # folder in the indexed one, where no other is named


@dataclass(frozen=True)
class Wanted:
    """Which index a person means; "" and None where nothing was said."""

    folder: Path
    task: str = ""
    out: Path | None = None
    settings: Sequence[str] = ()

    @property
    def place(self) -> Path:
        """Where the index is."""
        return self.folder / HIDDEN if self.out is None else self.out


def build(wanted: Wanted, console: Console) -> int:
    """Bring the index of a folder up to date; the exit code says whether every file was read."""
    task, lookup = _searchable(wanted.task, wanted.folder)
    context = read_settings(task, wanted.settings)
    done = lookup.add(wanted.place, find_inputs(task, [wanted.folder]).found, context)
    console.emit({"index": wanted.place, **done})
    counts = ", ".join(f"{value} {key}" for key, value in done.items() if isinstance(value, int))
    console.say(f"{wanted.place}: {counts}")
    for path, why in done.get("failed", {}).items():
        complain(f"{path}: {why}")
    return SOME_FAILED if done.get("failed") else OK


def search(wanted: Wanted, like: Path, count: int, console: Console) -> int:
    """Say which indexed cases are most like those in a file."""
    task, lookup = _searchable(wanted.task, like)
    if not wanted.place.is_dir():
        made = f"make it: fabsight index {wanted.folder}"
        raise FabsightError(f"index {wanted.folder}: there is no index in it yet; {made}")
    failed = False
    for question in read_input(task, like, read_settings(task, wanted.settings)):
        if isinstance(question, Unreadable):
            complain(f"{question.path}: {question.error}")
            failed = True
            continue
        rows = lookup.find(wanted.place, question, count)
        for row in rows:
            console.emit({"like": question.source, **row})
        if rows:
            console.say(question.source)
            console.table(tuple(rows[0]), [tuple(row.values()) for row in rows])
    return SOME_FAILED if failed else OK


def _searchable(name: str, path: Path) -> tuple[Task[Any, Any], Lookup[Any]]:
    chosen = task_named(name) if name else task_for("", [str(path)])
    if chosen.lookup is None:
        able = ", ".join(task.name for task in all_tasks().values() if task.lookup)
        raise FabsightError(f"index: {chosen.name} finds no like cases; these tasks do: {able}")
    return chosen, chosen.lookup

"""Files, folders and globs to questions: what a person names, in a fixed order, nothing lost.

    paths --find_inputs--> Inputs --questions--> Question, or Unreadable with the reason

Which files belong together is the task's to say, through `recognises`: a folder it recognises as a
whole (the views of one part) is one input; a file that holds many wafers gives many questions.
"""

import glob
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from fabsight.batch import PURPOSE
from fabsight.task import FabsightError, Image, Question, Task


@dataclass(frozen=True)
class Inputs:
    """What is to be predicted, in order, and files of folders that were not recognised."""

    found: tuple[Path, ...]
    skipped: tuple[Path, ...]


@dataclass(frozen=True)
class Unreadable:
    """A file, or a line of a dataset (file:line), of no use, and the sentence that says why."""

    path: str
    error: str


def questions(
    task: Task[Any, Any],
    paths: Iterable[Path | str],
    context: Any,
    *,
    text: str = "",
    golden: Image | None = None,
) -> Iterator[Question[Any] | Unreadable]:
    """The questions in files, folders and globs, in order, read one input at a time.

    A file that cannot be read gives an `Unreadable` in its place. `text` replaces the task's own
    question; `golden` goes with every question.

    Raises:
        FabsightError: A path, glob or folder without any input; see `find_inputs`.
    """
    for path in find_inputs(task, paths).found:
        yield from read_input(task, path, context, text=text, golden=golden)


def read_input(
    task: Task[Any, Any], path: Path, context: Any, *, text: str = "", golden: Image | None = None
) -> Iterator[Question[Any] | Unreadable]:
    """The questions in one input that `find_inputs` found; see `questions`."""
    try:
        if path.is_dir():
            next(path.iterdir(), None)  # says in the system's words where it may not be listed
        for question in task.read([path], context):
            yield replace(question, text=text or question.text, golden=golden or question.golden)
    except FabsightError as error:
        yield Unreadable(str(path), str(error))
    except OSError as error:
        yield Unreadable(str(path), f"read {path}: {error.strerror or error}")


def read_golden(task: Task[Any, Any], path: Path, context: Any) -> Image:
    """The reference in a file, read as the task reads what is to be compared with it.

    Raises:
        FabsightError: The file cannot be read, or holds several references or none.
    """
    if "golden" not in task.uses:
        from fabsight.images import read

        return read(path)
    found = list(islice(read_input(task, path, context), 2))
    for question in found:
        if isinstance(question, Unreadable):
            raise FabsightError(question.error)
        if len(found) == 1 and question.images:
            return question.images[0]
    what = (
        "nothing to compare with"
        if not found
        else "several, such as "
        + " and ".join(question.source for question in found if isinstance(question, Question))
    )
    raise FabsightError(f"--golden {path}: the file holds {what}; give a file with one reference")


def find_inputs(task: Task[Any, Any], paths: Iterable[Path | str]) -> Inputs:
    """The inputs that paths name: sorted within folders and globs, each once, no hidden files.

    A folder that the task recognises as a whole (the views of one part) is one input, however its
    files were named; else it stands for the files in it, at any depth, that the task recognises. A
    file named by the user is an input whether recognised or not: reading it will say what is wrong.

    Raises:
        FabsightError: A glob without match, a folder without input, or nothing named.
    """
    found: dict[Path, None] = {}
    skipped: dict[Path, None] = {}

    @cache  # a folder of thousands is looked at once, not once per file
    def is_whole(folder: Path) -> bool:
        return task.recognises(folder) > 0

    for path in paths:
        for match in _matches(Path(path), task.name):
            if not match.is_dir():
                found[match.parent if is_whole(match.parent) else match] = None
                continue
            inside = _inside(task, match, is_whole)
            if not any(inside.values()):
                raise FabsightError(
                    f"predict {task.name}: folder {match} holds {len(inside)} files and none is "
                    f"recognised as input; name the files themselves, or another --task"
                )
            found |= dict.fromkeys(path for path, known in inside.items() if known)
            skipped |= dict.fromkeys(path for path, known in inside.items() if not known)
    if not found:
        raise FabsightError(f"predict {task.name}: no file or folder was named")
    return Inputs(tuple(found), tuple(skipped))


def guess_task(path: Path | str, tasks: Mapping[str, Task[Any, Any]]) -> Task[Any, Any]:
    """The task that recognises the file best (of a folder, its first file that any recognises).

    Raises:
        FabsightError: No task recognises it, or two do equally well.
    """
    names = ", ".join(tasks)
    for match in _matches(Path(path), "without --task"):
        if not match.exists():
            raise FabsightError(f"predict {match}: there is no such file or folder")
        for candidate in (match, *(_files(match) if match.is_dir() else ())):
            sure = {name: task.recognises(candidate) for name, task in tasks.items()}
            best = [name for name, share in sure.items() if share == max(sure.values()) > 0]
            if len(best) > 1:
                raise FabsightError(
                    f"predict {candidate}: it could be input of {' or '.join(best)}; say --task"
                )
            if best:
                return tasks[best[0]]
    raise FabsightError(f"predict {path}: no task recognises it; say --task, one of: {names}")


def _matches(path: Path, verb: str) -> Sequence[Path]:
    """The path itself, or what a glob matches; a missing file is left for its reader to refuse."""
    if not glob.has_magic(str(path)) or path.exists():
        return [path]
    # Path.glob takes no absolute pattern.
    matches = sorted(map(Path, glob.glob(str(path), recursive=True)))  # noqa: PTH207
    if not matches:
        raise FabsightError(f"predict {verb}: nothing matches {path}; check the folder's name")
    return matches


def _files(folder: Path) -> list[Path]:
    """The files of a folder at any depth, without hidden ones and those of runs kept in it.

    A folder that may not be listed stands for its files, a link to what is gone for what it was:
    reading them will say so. Links to folders are not followed.
    """
    found: list[Path] = []

    def keep(error: OSError) -> None:
        found.append(Path(error.filename))

    for top, folders, names in os.walk(folder, onerror=keep):
        inside = Path(top)
        if PURPOSE in names and inside != folder:
            folders.clear()
            continue
        folders[:] = [name for name in folders if not name.startswith(".")]
        shown = [inside / name for name in names if not name.startswith(".")]
        found += [path for path in shown if path.is_file() or not path.exists()]
    return sorted(found)


def _inside(
    task: Task[Any, Any], folder: Path, is_whole: Callable[[Path], bool]
) -> dict[Path, bool]:
    """Each input of a folder, a file or a folder that is one, and whether it is recognised."""
    if is_whole(folder):
        return {folder: True}
    whole = dict.fromkeys(path.parent if is_whole(path.parent) else path for path in _files(folder))
    return {path: path.is_dir() or not path.exists() or task.recognises(path) > 0 for path in whole}

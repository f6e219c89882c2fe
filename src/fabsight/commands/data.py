"""synthesize and convert: verbs that make or rewrite data."""

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from fabsight.commands.console import OK, Console
from fabsight.commands.tasks import all_tasks, read_settings, task_named
from fabsight.task import AnswerError, FabsightError, Image, Question, Task

MARK = "made-from.json"
TEXT = "txt"  # the answer in the task's own language, in every list of formats
MAX_TEXT_BYTES = 16_000_000


@dataclass(frozen=True)
class Source:
    """An answer read from a file, the task it belongs to and the question it is written for."""

    task: Task[Any, Any]
    question: Question[Any]
    value: Any


def synthesize(task: str, count: int, seed: int, out: Path, workers: int, console: Console) -> int:
    """Write `count` examples into `out`; goes on where an earlier, broken-off call stopped."""
    from fabsight import dataset, pool
    from fabsight.synthesis import synthesize

    chosen = task_named(task)
    claim("synthesize", out, {"task": task, "seed": seed, "fabsight": version("fabsight")})
    before = dataset.resume(out)
    quiet = False if console.json or console.quiet else None
    todo = max(count - before, 0)
    drawn = synthesize(chosen, todo, seed, start=before, workers=workers)
    card = {
        "what": f"random {task} examples with exact truth",
        "made by": f"fabsight synthesize {task} --seed {seed}",
        "seed": seed,
        "licence": "CC0-1.0",
    }
    held = dataset.write(out, pool.tracked(drawn, "examples", todo, quiet), chosen, card)
    console.emit({"out": out, "task": task, "seed": seed, "count": held, "new": held - before})
    console.say(f"{out}: {held} examples" + (f", {before} of them from before" * bool(before)))
    return OK


def claim(verb: str, out: Path, purpose: Mapping[str, Any]) -> None:
    """Make the folder this dataset's own, or refuse one that holds something else."""
    from fabsight.shards import write_whole

    mark = out / MARK
    written = (json.dumps(purpose) + "\n").encode()
    if mark.is_file():
        if mark.read_bytes() != written:
            was = mark.read_text(encoding="utf-8").strip()
            raise FabsightError(
                f"{verb}: {out} holds a dataset made from {was}, not from "
                f"{json.dumps(purpose)}; name another folder, or remove this one"
            )
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FabsightError(f"{verb}: {out} holds something else; name another folder")
    out.mkdir(parents=True, exist_ok=True)
    write_whole(mark, [written])


def convert(
    file: Path, to: str, out: Path, task: str, settings: Sequence[str], console: Console
) -> int:
    """Write the answer in `file` in the format `to`."""
    source = read_answer(file, task, settings)
    written = write_answer(source, to, out)
    console.emit({"from": file, "to": out, "format": written, "task": source.task.name})
    console.say(f"{file} -> {out} ({written})")
    return OK


def read_answer(file: Path, task: str, settings: Sequence[str]) -> Source:
    """The answer in a file: by its extension a format a task imports, else the task's language.

    Raises FabsightError where no task (or not the named one) can read it, with each one's reason.
    """
    if not file.is_file():
        raise FabsightError(f"convert {file}: there is no such file")
    extension = file.suffix.lstrip(".").lower()
    candidates = [task_named(task)] if task else list(all_tasks().values())
    reasons = []
    for candidate in candidates:
        context = read_settings(candidate, settings)
        question = Question(_scale(context), candidate.prompt, context, str(file))
        if extension in candidate.imports:
            return Source(candidate, question, candidate.imports[extension](file))
        try:
            return Source(candidate, question, candidate.parse(_text(file), question))
        except AnswerError as error:
            reasons.append(f"{candidate.name}: {error}")
    raise FabsightError(f"convert {file}: no answer that can be read ({'; '.join(reasons)})")


def _scale(context: Any) -> tuple[Image, ...]:
    """A stand-in for the image that is not there, when the settings know its pixel size."""
    nm_per_px = getattr(context, "nm_per_px", 0.0)
    if not nm_per_px:
        return ()
    return (Image(np.zeros((1, 1), np.uint8), nm_per_px, "user"),)


def write_answer(source: Source, to: str, out: Path) -> str:
    """Write the answer; returns the format's name."""
    exports = source.task.exports
    if to == TEXT and TEXT not in exports:
        from fabsight.shards import write_whole

        text = source.task.write(source.value).rstrip("\n") + "\n"
        write_whole(out, [text.encode()])
    else:
        exports[_known(to, exports, source.task)](source.question, source.value, out)
    return to


def _known(to: str, exports: Mapping[str, Any], task: Task[Any, Any]) -> str:
    if to in exports:
        return to
    names = [*exports, TEXT]
    near = difflib.get_close_matches(to, names, n=1)
    fix = f"did you mean {near[0]}?" if near else f"there are: {', '.join(names)}"
    raise FabsightError(f"convert: {task.name} writes no {to!r}; {fix}")


def _text(file: Path) -> str:
    if file.stat().st_size > MAX_TEXT_BYTES:
        raise FabsightError(
            f"convert {file}: {file.stat().st_size:,} bytes are no answer text (at most "
            f"{MAX_TEXT_BYTES:,}); name the format by its extension"
        )
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise FabsightError(
            f"convert {file}: neither text nor a format known by its extension; rename it "
            f"(byte {error.start} is not UTF-8)"
        ) from error

"""convert: an answer in one file format to the same answer in another; its scale goes along."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fabsight.commands.console import OK, Console
from fabsight.commands.tasks import all_tasks, read_settings, task_named
from fabsight.files import read_text, replace_file
from fabsight.task import AnswerError, FabsightError, Imported, Question, Task

TEXT = "txt"  # the answer in the task's own language, in every list of formats


@dataclass(frozen=True)
class Source:
    """An answer read from a file, the task it belongs to and the question it is written for.

    Attributes:
        task: The task.
        question: Carries the settings and the scale; there is no image.
        value: The answer, as the task's own rules of parsing let it pass.
        scale: {"nm_per_px", "source"}, the first None when unknown.
        warnings: What was lost or changed on reading.
    """

    task: Task[Any, Any]
    question: Question[Any]
    value: Any
    scale: Mapping[str, Any]
    warnings: tuple[str, ...]


def convert(
    file: Path, to: str, out: Path, task: str, settings: Sequence[str], console: Console
) -> int:
    """Write the answer in `file` in the format `to`."""
    if file.exists() and out.exists() and out.samefile(file):
        raise FabsightError(f"convert {file}: --out names the same file; name another")
    if (notes := _rewritten(file, to, out, task, settings)) is not None:
        console.emit({"from": file, "to": out, "format": to, "warnings": notes})
        console.say(f"{file} -> {out} ({to})")
        for note in notes:
            console.say(f"  {note}")
        return OK
    source = read_answer("convert", file, task, settings)
    write_answer(source, to, out)
    warnings = (*source.warnings, *_unsaid(source, to, out))
    console.emit(
        {
            "from": file,
            "to": out,
            "format": to,
            "task": source.task.name,
            "scale": source.scale,
            "warnings": warnings,
        }
    )
    console.say(f"{file} -> {out} ({to}); {said_scale(source)}")
    for warning in warnings:
        console.say(f"  {warning}")
    return OK


def _rewritten(
    file: Path, to: str, out: Path, task: str, settings: Sequence[str]
) -> tuple[str, ...] | None:
    """What to know of an input file that was written in another format; None where it is none."""
    for candidate in [task_named(task)] if task else all_tasks().values():
        if to in candidate.transcodes and file.is_file() and candidate.recognises(file) > 0:
            return candidate.transcodes[to](file, out, read_settings(candidate, settings))
    return None


def said_scale(source: Source) -> str:
    """The scale and where it comes from, in words."""
    nm, origin = source.scale["nm_per_px"], source.scale["source"]
    return f"scale {origin or 'not known'}" if nm is None else f"scale {nm:g} nm per px ({origin})"


def _unsaid(source: Source, to: str, out: Path) -> list[str]:
    """What the written file does not hold, or its name does not say."""
    notes = []
    texts = (TEXT, source.task.name)
    scale, named = source.scale["nm_per_px"], out.suffix.lstrip(".").lower()
    if scale is not None and to in texts:
        notes.append(f"a text holds no scale: keep in mind the {scale:g} nm per px")
    if named != to and named in source.task.exports and {named, to} != set(texts):
        notes.append(f"{out.name} is written as {to}, whatever its name says: rename it")
    return notes


def read_answer(verb: str, file: Path, task: str, settings: Sequence[str]) -> Source:
    """The answer in a file: by its extension a format a task imports, else the task's language.

    Raises FabsightError where no task (or not the named one) can read it, with each one's reason.
    """
    if not file.is_file():
        what = "it is no file" if file.exists() else "there is no such file"
        raise FabsightError(f"{verb} {file}: {what}")
    extension = file.suffix.lstrip(".").lower()
    candidates = [task_named(task)] if task else list(all_tasks().values())
    importing = [each for each in candidates if extension in each.imports]
    reasons = []
    for candidate in importing or candidates:
        context = read_settings(candidate, settings)
        try:
            return _source(candidate, context, file, _imported(candidate, context, file, extension))
        except AnswerError as error:
            reasons.append(f"{candidate.name}: {error}")
    raise FabsightError(f"{verb} {file}: no answer that can be read ({'; '.join(reasons)})")


def _imported(task: Task[Any, Any], context: Any, file: Path, extension: str) -> Imported[Any]:
    read = task.imports.get(extension) or task.imports.get(task.name)
    if read is not None:
        return read(file, context)
    text = read_text(file)
    return Imported(task.parse(text, Question((), task.prompt, context, str(file))))


def _source(task: Task[Any, Any], context: Any, file: Path, imported: Imported[Any]) -> Source:
    nm, origin = imported.nm_per_px, imported.scale_source
    question = Question((), task.prompt, context, str(file), nm_per_px=nm, scale_source=origin)
    # what a file holds passes the same rules as what a model writes: settings apply
    value = task.parse(task.write(imported.answer), question)
    return Source(task, question, value, {"nm_per_px": nm, "source": origin}, imported.warnings)


def write_answer(source: Source, to: str, out: Path) -> None:
    """Write the answer in the format `to`."""
    exports = source.task.exports
    if to == TEXT and TEXT not in exports:
        text = source.task.write(source.value).rstrip("\n") + "\n"
        replace_file(out, text.encode())
    else:
        exports[_known(to, exports, source.task)](source.question, source.value, out)


def _known(to: str, exports: Mapping[str, Any], task: Task[Any, Any]) -> str:
    if to in exports:
        return to
    names = dict.fromkeys((*exports, *task.transcodes, TEXT))
    near = difflib.get_close_matches(to, names, n=1)
    fix = f"did you mean {near[0]}?" if near else f"there are: {', '.join(names)}"
    raise FabsightError(f"convert: {task.name} writes no {to!r}; {fix}")

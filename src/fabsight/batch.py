"""batch: thousands of inputs to one results file, whatever happens on the way.

    out/results.jsonl    the rows, in the order of the items; manifest.json has its sha256
    out/timings.jsonl    a line beside each row: what may differ between runs
    out/batch.json       what the folder is for: inputs, settings, version
    out/errors.log       tracebacks of bugs; each is an error row in the results too
    out/shards/          a run that is not finished: see `shards`

A run may be killed at any moment and started again with the same call. The results have the same
bytes after any number of kills and for any number of workers.
"""

import errno
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fabsight import pool
from fabsight.files import locked, prepare
from fabsight.shards import (
    FORMAT,
    SHARD_ITEMS,
    Record,
    clear,
    finished,
    join,
    line,
    open_shards,
    write_whole,
)
from fabsight.task import FabsightError

PURPOSE = "batch.json"
OTHERS = ("results.jsonl", "evaluation.json")  # whoever wrote these wrote no batch
VOLATILE = ("seconds",)  # keys of a row that two runs may disagree on
# What every further item would meet too: the run stops, instead of failing one item after another.
FATAL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)


@dataclass(frozen=True)
class Item:
    """One input of a batch.

    Attributes:
        name: What messages and error rows call it; unique in its batch.
        value: What the work needs of it, picklable and small: a path rather than pixels.
        stamp: Changes when the input does (size and time of a file); a run is not resumed over
            inputs that changed.
    """

    name: str
    value: Any
    stamp: str = ""


@dataclass(frozen=True, eq=False)
class Steps:
    """What is done to each item.

    Attributes:
        work: Rows of one item. It may write files of its own into the output folder, which it is
            given; after a kill it is called again and writes them again. It is sent to worker
            processes: a module-level function, or a `functools.partial` of one.
        failed: Rows of an item whose work raised or killed its process, from the reason why. A row
            with a true "error" counts as failed.
    """

    work: Callable[[Item, Path], list[Record]]
    failed: Callable[[Item, str], list[Record]]


@dataclass(frozen=True)
class BatchResult:
    """What a finished batch holds.

    Attributes:
        done: Items with rows, failed ones included.
        failed: Rows with an error.
        resumed: Items that an earlier run had done.
        results: The rows, one JSON object per line.
    """

    done: int
    failed: int
    resumed: int
    results: Path


def path_items(paths: Sequence[Path]) -> list[Item]:
    """Items whose values are files or folders, stamped with size and time."""
    return [Item(path.as_posix(), path, _stamp(path)) for path in paths]


def run(
    items: Sequence[Item],
    steps: Steps,
    out: Path,
    *,
    settings: Mapping[str, Any] | None = None,
    workers: int = 1,
    progress: bool | None = None,
) -> BatchResult:
    """Rows of all items in `out`/results.jsonl; goes on where an earlier, broken-off run stopped.

    One bad item gives an error row and the others go on: the caller decides what a failure is
    worth. With several workers that holds for items that crash their process too.

    Args:
        items: What to work on; their order is the order of the rows.
        steps: What to do.
        out: A folder of its own; made when missing.
        settings: Whatever decides the rows beside the items (model, task, settings), JSON-ready.
        workers: Processes; 1 works in this one.
        progress: Whether to draw a bar on stderr; None: where that is a terminal.

    Raises:
        FabsightError: The folder cannot be written, is full, is in use, or holds another batch.
    """
    purpose = _purpose(items, settings or {})
    prepare(out)
    with locked(out), _full_disk_explained(out):
        _claim(out, purpose)
        if manifest := finished(out):
            clear(out)
            return BatchResult(len(items), manifest["failed"], len(items), out / "results.jsonl")
        shards = open_shards(out, len(items))
        resumed = sum(shard.count - len(shard.todo) for shard in shards)
        todo = [index for shard in shards for index in sorted(shard.todo)]
        work = partial(_work, steps.work, out)
        with closing(pool.outcomes(work, (items[index] for index in todo), workers)) as found:
            for outcome in pool.tracked(found, "items", len(items), progress, resumed):
                index = todo[outcome.index]
                records = _records(outcome.result, items[index], steps, out)
                lasting = [_part(row, volatile=False) for row in records]
                times = [_part(row, volatile=True) for row in records]
                shards[index // SHARD_ITEMS].add(index, lasting, times)
        join(out, shards)
    failed = json.loads((out / "manifest.json").read_bytes())["failed"]
    return BatchResult(len(items), failed, resumed, out / "results.jsonl")


def rows(out: Path) -> Iterator[Record]:
    """The rows of a finished batch, each with its timings."""
    with (out / "results.jsonl").open() as results, (out / "timings.jsonl").open() as timings:
        for row, times in zip(results, timings, strict=True):
            yield json.loads(row) | json.loads(times)


def _records(
    result: list[Record] | pool.Failure, item: Item, steps: Steps, out: Path
) -> list[Record]:
    """The rows of an item; of one that failed, those that say so."""
    if not isinstance(result, pool.Failure):
        return result
    if result.errno in FATAL:
        raise OSError(result.errno, os.strerror(result.errno))
    if result.trace:
        with (out / "errors.log").open("a") as file:
            file.write(f"{item.name}: {result.message}\n{result.trace}\n")
    return steps.failed(item, result.message)


def _work(work: Callable[[Item, Path], list[Record]], out: Path, item: Item) -> list[Record]:
    records = work(item, out)
    for record in records:
        json.dumps(record, allow_nan=False)  # what has no JSON form is this item's failure
    return records


def _part(row: Record, volatile: bool) -> Record:
    return {key: value for key, value in row.items() if (key in VOLATILE) == volatile}


def _purpose(items: Sequence[Item], settings: Mapping[str, Any]) -> Record:
    names = [item.name for item in items]
    if not items:
        raise FabsightError("batch: there are no inputs")
    if len(set(names)) < len(names):
        twice = next(name for name, count in Counter(names).items() if count > 1)
        raise FabsightError(f"batch: {twice} is there twice; give each input once")
    return {
        "format": FORMAT,
        "version": version("fabsight"),
        "settings": json.loads(json.dumps(settings)),
        "items": [[item.name, item.stamp] for item in items],
    }


def _claim(out: Path, purpose: Record) -> None:
    """Make the folder this batch's own, or refuse one that belongs to another."""
    path = out / PURPOSE
    if not path.exists():
        if other := [name for name in OTHERS if (out / name).exists()]:
            raise FabsightError(
                f"batch: {out} holds {other[0]} without {PURPOSE}, so it is of another making; "
                "name another folder"
            )
        write_whole(path, [line(purpose)])
        return
    try:
        before = json.loads(path.read_bytes())
        dict(before["settings"], items=before["items"])
    except (ValueError, KeyError, TypeError) as error:
        raise FabsightError(f"batch: {path} is damaged; remove {out} or name another") from error
    old, new = (
        dict(_flat({key: p.get(key) for key in ("format", "version")} | p["settings"]))
        for p in (before, purpose)
    )
    differences = [
        f"{key} was {json.dumps(old.get(key))}, now {json.dumps(new.get(key))}"
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    ]
    differences += _input_differences(before["items"], purpose["items"])
    if differences:
        raise FabsightError(
            f"batch: {out} holds results of another run: {'; '.join(differences)}; name another "
            "folder, or remove this one"
        )


def _input_differences(old: list[list[str]], new: list[list[str]]) -> list[str]:
    if old == new:
        return []
    counts = f"{len(old)} inputs before, {len(new)} now" if len(old) != len(new) else "inputs"
    known = {tuple(pair) for pair in old}
    names = {name for name, _ in old}
    for name, stamp in new:
        if name not in names:
            return [f"{counts}: {name} is new"]
        if (name, stamp) not in known:
            return [f"{counts}: {name} has changed since"]
    return [f"{counts}: others or in another order"]


@contextmanager
def _full_disk_explained(out: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, FabsightError) as error:
        code = pool.errno_of(error)
        if code not in FATAL:
            raise
        full = OSError(code, os.strerror(code))
        raise FabsightError(
            f"batch: {out} cannot be written any more ({full.strerror}); make room, or allow "
            "writing there, and run the same command again: it goes on from here"
        ) from full


def _flat(settings: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Settings on one level, so that a message names the one that differs: context.edge."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _stamp(path: Path) -> str:
    if path.is_dir():
        return " ".join(_stamp(inside) for inside in sorted(path.iterdir()))
    if not path.exists():
        return "missing"
    status = path.stat()
    return f"{status.st_size}:{status.st_mtime_ns}"

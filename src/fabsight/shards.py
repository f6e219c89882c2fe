"""What a batch keeps on disk: a folder that is right at every moment, however a run ends.

    out/shards/00003.part     items of an unfinished shard as they finish, one line each
    out/shards/00003.times    what may differ between runs (seconds), a line beside each row
    out/shards/00003.jsonl    rows of a finished shard, in the order of the items
    out/shards/00003.json     its counts and sha256, written last: without it, it is unfinished
    out/timings.jsonl         a line beside each row of the results
    out/results.jsonl         all rows, in the order of the items
    out/manifest.json         counts and sha256 of results.jsonl, written last of all

Files appear whole: written beside, synced, renamed. Only parts grow line by line; a last line that
was torn by a kill is cut, and its item is done again.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from fabsight.files import replacing

Record: TypeAlias = dict[str, Any]

FORMAT = 1
SHARD_ITEMS = 64


@dataclass
class Shard:
    """Items first to first + count - 1, and what is known of them so far.

    Attributes:
        stem: Path of its files without suffix.
        first: Index of its first item in the batch.
        count: How many items it covers.
        entries: Item index -> {"item", "rows", "times"}; empty once the shard is finished.
        todo: Indices still to be worked on.
    """

    stem: Path
    first: int
    count: int
    entries: dict[int, Record] = field(default_factory=dict)
    todo: set[int] = field(default_factory=set)

    def load(self) -> None:
        """Find out what an earlier run left, and finish a shard whose items are all there."""
        if sound(self.stem.with_suffix(".json"), self.stem.with_suffix(".jsonl")):
            return
        self.entries = read_part(self.stem.with_suffix(".part"))
        self.todo = set(range(self.first, self.first + self.count)) - self.entries.keys()
        if not self.todo:
            self._finish()

    def add(self, index: int, rows: list[Record], times: list[Record]) -> None:
        """Keep one finished item: on disk before anything else happens."""
        entry = {"item": index, "rows": rows, "times": times}
        with self.stem.with_suffix(".part").open("ab") as file:
            file.write(line(entry))
        self.entries[index] = entry
        self.todo.discard(index)
        if not self.todo:
            self._finish()

    def _finish(self) -> None:
        entries = [self.entries[index] for index in sorted(self.entries)]
        rows = [row for entry in entries for row in entry["rows"]]
        times = [row for entry in entries for row in entry["times"]]
        write_whole(self.stem.with_suffix(".times"), map(line, times))
        digest = write_whole(self.stem.with_suffix(".jsonl"), map(line, rows))
        failed = sum(bool(row.get("error")) for row in rows)
        counts = {"items": self.count, "rows": len(rows), "failed": failed}
        write_whole(self.stem.with_suffix(".json"), [line(counts | {"sha256": digest})])
        self.stem.with_suffix(".part").unlink(missing_ok=True)
        self.entries.clear()


def open_shards(out: Path, count: int) -> list[Shard]:
    """The shards of a batch of `count` items, with what an earlier run left in them."""
    (out / "shards").mkdir(exist_ok=True)
    shards = []
    for number, first in enumerate(range(0, count, SHARD_ITEMS)):
        stem = out / "shards" / f"{number:05d}"
        shards.append(Shard(stem, first, min(SHARD_ITEMS, count - first)))
        shards[-1].load()
    return shards


def join(out: Path, shards: Sequence[Shard]) -> None:
    """Write the results of finished shards as one file, manifest last, and clear them away."""
    stems = [shard.stem for shard in shards]
    counts = [json.loads(stem.with_suffix(".json").read_bytes()) for stem in stems]
    write_whole(out / "timings.jsonl", (s.with_suffix(".times").read_bytes() for s in stems))
    rows = (stem.with_suffix(".jsonl").read_bytes() for stem in stems)
    digest = write_whole(out / "results.jsonl", rows)
    totals = {key: sum(c[key] for c in counts) for key in ("items", "rows", "failed")}
    manifest = {"format": FORMAT, **totals, "sha256": digest}
    write_whole(out / "manifest.json", [line(manifest)])
    clear(out)


def finished(out: Path) -> Record | None:
    """The manifest of a batch whose results are all there and whole, else None."""
    if not sound(out / "manifest.json", out / "results.jsonl"):
        return None
    manifest: Record = json.loads((out / "manifest.json").read_bytes())
    return manifest


def clear(out: Path) -> None:
    """Remove what the joined results made superfluous."""
    shutil.rmtree(out / "shards", ignore_errors=True)


def sound(manifest: Path, data: Path) -> bool:
    """Whether the data are there, whole, as the manifest says."""
    try:
        digest = json.loads(manifest.read_bytes())["sha256"]
        with data.open("rb") as file:
            return bool(hashlib.file_digest(file, "sha256").hexdigest() == digest)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def read_part(path: Path) -> dict[int, Record]:
    """The entries of an unfinished shard; what follows the last whole line is cut off."""
    entries: dict[int, Record] = {}
    if not path.exists():
        return entries
    whole = 0
    with path.open("rb+") as file:
        for text in file:
            try:
                entry = json.loads(text) if text.endswith(b"\n") else {}
                entries[entry["item"]] = entry
            except (ValueError, KeyError, TypeError):  # torn, or never reached the disk
                break
            whole += len(text)
        file.truncate(whole)
    return entries


def write_whole(path: Path, chunks: Iterable[bytes]) -> str:
    """The sha256 of what was written; the file appears whole or not at all, even on power loss.

    >>> folder = getfixture("tmp_path")
    >>> write_whole(folder / "a", [b"one", b"two"])[:8], [p.name for p in folder.iterdir()]
    ('25b6746d', ['a'])
    """
    digest = hashlib.sha256()
    with replacing(path, lasting=True) as part, part.open("wb") as file:
        for chunk in chunks:
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()


def line(value: Record) -> bytes:
    r"""One line of a JSON lines file, ASCII: file names need not be UTF-8.

    >>> line({"path": "50 µm.png"})
    b'{"path": "50 \\u00b5m.png"}\n'
    """
    return json.dumps(value, allow_nan=False).encode("ascii") + b"\n"

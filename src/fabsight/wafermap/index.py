"""An index of many maps on disk: built step by step over files, searched in milliseconds."""

import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float32

from fabsight.files import locked
from fabsight.task import FabsightError
from fabsight.wafermap.index_store import (
    DATABASE,
    compact,
    database,
    make,
    mapped,
    state,
    vectors_path,
    write,
)
from fabsight.wafermap.similarity import (
    LENGTH,
    PLAIN,
    POLAR,
    Match,
    Vector,
    descriptor,
    rotated_distances,
)
from fabsight.wafermap.wafer import Grid, Wafer

BATCH_MAPS = 1000  # a transaction; each costs two flushes of the disk
BATCH_FILES = 500
TURNED = 256  # maps whose rotations are tried at a time
MOST_TURNED = 2048  # and at most: see `search`
Reader: TypeAlias = Callable[[Path], Iterable[Wafer]]


@dataclass(frozen=True)
class Built:
    """What bringing an index up to date did.

    Attributes:
        added, replaced, unchanged, removed: Files.
        maps: Maps in the index now.
        failed: Files that could not be read: path -> why. What the index had of them is kept.
    """

    added: int
    replaced: int
    unchanged: int
    removed: int
    maps: int
    failed: dict[str, str]


@dataclass(frozen=True, eq=False)
class Index:
    """An index opened for searching: the state in which it was opened.

    Attributes:
        folder: Where it lies.
        vectors: Memory-mapped, a row a slot.
        live: Whether a slot holds a map.
        lengths: Squared length of each vector as it lies (polar and plain), and of what no rotation
            changes (plain and spectrum): half of every distance.
        generation: Of the vectors: after a compaction slots are others.
    """

    folder: Path
    vectors: Float32[np.ndarray, "slots 264"]
    live: Bool[np.ndarray, " slots"]
    lengths: Float32[np.ndarray, "2 slots"]
    generation: int

    @property
    def maps(self) -> int:
        """How many maps it holds."""
        return int(self.live.sum())


@dataclass(frozen=True)
class Hit:
    """A map found.

    Attributes:
        source, lot, wafer, labels: As its file said when it was indexed.
        rows, columns: Of its grid.
        match: How alike it is.
    """

    source: str
    lot: str
    wafer: str
    labels: tuple[str, ...]
    rows: int
    columns: int
    match: Match


@dataclass(frozen=True, eq=False)
class _Read:
    """A file that was read and is not in the database yet."""

    path: str
    bytes: int
    changed_ns: int
    digest: str
    wafers: list[Wafer]


def add(folder: Path, files: Sequence[Path], read: Reader, prune: bool = False) -> Built:
    """Bring an index up to date with files; it is made where there is none.

    A file whose size and time are those indexed is not opened, one whose bytes are those indexed
    not read. Killed at any point, the index holds whole files only. With `prune`, files that are
    indexed and not among `files` are removed. One process at a time; readers need not wait.
    """
    folder.mkdir(parents=True, exist_ok=True)
    counts = {"added": 0, "replaced": 0, "unchanged": 0}
    failed: dict[str, str] = {}
    with locked(folder):
        make(folder)
        with database(folder) as base:
            waiting: list[_Read] = []
            for path in dict.fromkeys(files):
                kind, found = _considered(base, path, read, failed)
                counts[kind] = counts.get(kind, 0) + 1
                waiting += [found] if found else []
                if len(waiting) >= BATCH_FILES or sum(len(w.wafers) for w in waiting) >= BATCH_MAPS:
                    _commit(folder, base, waiting)
                    waiting = []
            _commit(folder, base, waiting)
            removed = _prune(base, files) if prune else 0
            compact(folder, base)
            maps = int(base.execute("SELECT count(*) FROM map").fetchone()[0])
    counts.pop("failed", None)
    return Built(**counts, removed=removed, maps=maps, failed=failed)


def opened(folder: Path) -> Index:
    """The index of a folder; raises FabsightError where it is none, of another version or cut."""
    with database(folder) as base:
        base.execute("BEGIN")  # one state for all that is read
        slots, generation = state(base)
        numbers = np.fromiter((row[0] for row in base.execute("SELECT slot FROM map")), np.int64)
        vectors = mapped(vectors_path(folder, generation), slots)
    live = np.zeros(slots, np.bool_)
    live[numbers] = True
    squared = np.array(
        [
            np.einsum("mk,mk->m", part, part)
            for part in (vectors[:, : POLAR + PLAIN], vectors[:, POLAR:])
        ],
        np.float32,
    )
    return Index(folder, vectors, live, squared, generation)


def search(index: Index, grid: Grid, count: int = 10, rotate: bool = False) -> tuple[Hit, ...]:
    """The maps most like a grid, the likest first; equally like ones in the order indexed.

    With `rotate` each counts in its best rotation. What no rotation changes bounds that distance
    from below, so rotations are tried only while a bound says that one may still be among the
    likest; after `MOST_TURNED` maps the search stops, and the rest is less alike than its bound.
    """
    query = descriptor(grid)
    nearest = _turned(index, query, count) if rotate else _as_they_lie(index, query, count)
    return tuple(_hits(index, nearest))


def verified(folder: Path) -> tuple[str, ...]:
    """What is wrong with an index, a sentence each; () where every vector is as it was written."""
    try:
        index = opened(folder)
        with database(folder) as base:
            said = base.execute("PRAGMA integrity_check").fetchone()[0]
            problems = [] if said == "ok" else [f"{folder / DATABASE}: {said}"]
            for slot, crc, source in base.execute("SELECT slot, crc32, source FROM map"):
                if zlib.crc32(index.vectors[slot].tobytes()) != crc:
                    problems.append(f"{folder}: the vector of {source} (slot {slot}) was changed")
    except FabsightError as error:
        return (str(error),)
    return tuple(problems)


def _considered(
    base: sqlite3.Connection, path: Path, read: Reader, failed: dict[str, str]
) -> tuple[str, _Read | None]:
    """Which of the counts a file is, and what was read where it is new or changed."""
    try:
        status = path.stat()
        old = base.execute(
            "SELECT id, bytes, changed_ns, sha256 FROM file WHERE path = ?", (str(path),)
        ).fetchone()
        if old and old[1:3] == (status.st_size, status.st_mtime_ns):
            return "unchanged", None
        digest = _digest(path)
        if old and old[3] == digest:
            with base:
                base.execute(
                    "UPDATE file SET changed_ns = ? WHERE id = ?", (status.st_mtime_ns, old[0])
                )
            return "unchanged", None
        found = _Read(str(path), status.st_size, status.st_mtime_ns, digest, list(read(path)))
    except (FabsightError, OSError) as error:
        failed[str(path)] = str(error)
        return "failed", None
    return "replaced" if old else "added", found


def _commit(folder: Path, base: sqlite3.Connection, waiting: list[_Read]) -> None:
    """Write what was read: vectors, then the rows that name them, in one transaction."""
    if not waiting:
        return
    wafers = [wafer for found in waiting for wafer in found.wafers]
    vectors = np.array([descriptor(w.grid) for w in wafers], np.float32).reshape(-1, LENGTH)
    slot, generation = state(base)
    write(vectors_path(folder, generation), slot, vectors)
    crcs = iter([zlib.crc32(vector.tobytes()) for vector in vectors])
    with base:
        base.execute("UPDATE state SET slots = ?", (slot + len(wafers),))
        for found in waiting:
            _forget(base, found.path)
            number = base.execute(
                "INSERT INTO file (path, bytes, changed_ns, sha256) VALUES (?, ?, ?, ?)",
                (found.path, found.bytes, found.changed_ns, found.digest),
            ).lastrowid
            for wafer in found.wafers:
                row = (slot, number, *_described(wafer), next(crcs))
                base.execute("INSERT INTO map VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
                slot += 1


def _described(wafer: Wafer) -> tuple[str, str, str, str, int, int]:
    labels = "|".join(wafer.labels or ())
    return (wafer.source, wafer.about.lot, wafer.about.wafer, labels, *wafer.grid.shape)


def _forget(base: sqlite3.Connection, path: str) -> None:
    base.execute("DELETE FROM map WHERE file IN (SELECT id FROM file WHERE path = ?)", (path,))
    base.execute("DELETE FROM file WHERE path = ?", (path,))


def _prune(base: sqlite3.Connection, files: Sequence[Path]) -> int:
    kept = {str(path) for path in files}
    gone = [row[0] for row in base.execute("SELECT path FROM file") if row[0] not in kept]
    with base:
        for path in gone:
            _forget(base, path)
    return len(gone)


def _digest(path: Path) -> str:
    total = sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            total.update(block)
    return total.hexdigest()


def _as_they_lie(index: Index, query: Vector, count: int) -> Iterator[tuple[int, Match]]:
    ours = query[: POLAR + PLAIN]
    squared = index.lengths[0] - 2 * (index.vectors[:, : POLAR + PLAIN] @ ours) + ours @ ours
    for slot in _smallest(np.where(index.live, squared, np.inf), count):
        yield int(slot), Match.at(float(squared[slot]))


def _turned(index: Index, query: Vector, count: int) -> Iterator[tuple[int, Match]]:
    ours = query[POLAR:]
    bound = index.lengths[1] - 2 * (index.vectors[:, POLAR:] @ ours) + ours @ ours
    order = _smallest(np.where(index.live, bound, np.inf), MOST_TURNED)
    best = np.full(0, np.inf)
    squared, steps = np.zeros(len(order)), np.zeros(len(order), np.int64)
    done = 0
    while done < len(order):
        if done >= count and bound[order[done]] >= np.partition(best, count - 1)[count - 1]:
            break
        part = order[done : done + TURNED]
        found = rotated_distances(query, np.asarray(index.vectors[np.sort(part)]))
        back = np.argsort(np.argsort(part))
        squared[done : done + len(part)], steps[done : done + len(part)] = (
            found[0][back],
            found[1][back],
        )
        done += len(part)
        best = squared[:done]
    for k in sorted(range(done), key=lambda k: (squared[k], order[k]))[:count]:
        yield int(order[k]), Match.at(float(squared[k]), int(steps[k]))


def _smallest(squared: np.ndarray, count: int) -> np.ndarray:
    """Where the smallest finite values are, ascending; equal ones by place."""
    count = min(count, int(np.isfinite(squared).sum()))
    if not count:
        return np.zeros(0, np.int64)
    # All as small as the last one belong in: which of equals come first must not be chance.
    least = np.partition(squared, count - 1)[count - 1]
    among = np.flatnonzero(squared <= least)
    return among[np.argsort(squared[among], kind="stable")][:count]


def _hits(index: Index, nearest: Iterable[tuple[int, Match]]) -> Iterator[Hit]:
    with database(index.folder) as base:
        base.execute("BEGIN")
        if state(base)[1] != index.generation:
            raise FabsightError(
                f"search the index {index.folder}: it was compacted meanwhile; open it again"
            )
        for slot, match in nearest:
            row = base.execute(
                "SELECT source, lot, wafer, labels, rows, columns FROM map WHERE slot = ?", (slot,)
            ).fetchone()
            if row:  # else its file was replaced since the index was opened
                labels = tuple(row[3].split("|")) if row[3] else ()
                yield Hit(row[0], row[1], row[2], labels, row[4], row[5], match)

"""Where an index of maps lies on disk, and how it survives a crash.

    folder/maps.sqlite    files; of each map its slot, source, lot, wafer, labels, grid, checksum
    folder/maps-N.f32     64 bytes of header, then one descriptor (264 little-endian float32) a slot

Vectors are written and flushed first, the database commits second: what a crash leaves in the
vectors' file beyond the slots that the database counts does not exist and is written over. No slot
is written twice: what is replaced leaves its slot empty until the vectors are compacted into a new
file, which takes the old one's place in one transaction. A reader sees whole vectors of one state.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from fabsight.files import replacing
from fabsight.task import FabsightError
from fabsight.wafermap.similarity import LENGTH, VERSION

MAGIC = b"FABSIGHT-WAFERS\n"
FORMAT = 1
HEADER_BYTES = 64
ROW_BYTES = LENGTH * 4
DATABASE = "maps.sqlite"
COMPACTED = 0.5  # share of slots without a map at which the vectors are written anew
WAIT_S = 30.0  # for another process's transaction
SCHEMA = """
CREATE TABLE file (id INTEGER PRIMARY KEY, path TEXT UNIQUE NOT NULL, bytes INTEGER NOT NULL,
                   changed_ns INTEGER NOT NULL, sha256 TEXT NOT NULL);
CREATE TABLE map (slot INTEGER PRIMARY KEY, file INTEGER NOT NULL REFERENCES file(id),
                  source TEXT NOT NULL, lot TEXT NOT NULL, wafer TEXT NOT NULL,
                  labels TEXT NOT NULL, rows INTEGER NOT NULL, columns INTEGER NOT NULL,
                  crc32 INTEGER NOT NULL);
CREATE INDEX map_of_file ON map(file);
CREATE TABLE state (slots INTEGER NOT NULL, generation INTEGER NOT NULL);
INSERT INTO state VALUES (0, 0);
"""


def header() -> bytes:
    """The first 64 bytes of a vectors' file: what it is, its format, its descriptors' version.

    >>> len(header())
    64
    """
    numbers = np.array([FORMAT, VERSION, LENGTH], "<u4").tobytes()
    return (MAGIC + numbers).ljust(HEADER_BYTES, b"\0")


def make(folder: Path) -> None:
    """An empty index where there is none; the database comes last and says that there is one."""
    if (folder / DATABASE).exists():
        return
    with replacing(vectors_path(folder, 0), lasting=True) as part:
        part.write_bytes(header())
    with replacing(folder / DATABASE, lasting=True) as part, closing(sqlite3.connect(part)) as base:
        base.executescript(SCHEMA)


@contextmanager
def database(folder: Path) -> Iterator[sqlite3.Connection]:
    """The index's database; raises FabsightError where there is none or it cannot be read."""
    if not (folder / DATABASE).is_file():
        raise FabsightError(
            f"open the index {folder}: there is none ({DATABASE} is missing); make it with "
            f"fabsight index"
        )
    try:
        with closing(sqlite3.connect(folder / DATABASE, timeout=WAIT_S)) as base:
            base.execute("PRAGMA synchronous = FULL")
            yield base
    except sqlite3.Error as error:
        raise FabsightError(
            f"open the index {folder}: {DATABASE}: {error}; make it anew from the wafer files"
        ) from error


def vectors_path(folder: Path, generation: int) -> Path:
    """The file of the vectors; each compaction begins a new one."""
    return folder / f"maps-{generation}.f32"


def state(base: sqlite3.Connection) -> tuple[int, int]:
    """Slots in use, with or without a map, and the vectors' generation."""
    slots, generation = base.execute("SELECT slots, generation FROM state").fetchone()
    return int(slots), int(generation)


def write(path: Path, slot: int, vectors: Float32[np.ndarray, "maps 264"]) -> None:
    """Write vectors from a slot on, over whatever a crash has left there, and flush them."""
    with path.open("r+b") as file:
        file.truncate(HEADER_BYTES + slot * ROW_BYTES)
        file.seek(HEADER_BYTES + slot * ROW_BYTES)
        file.write(vectors.astype("<f4").tobytes())
        file.flush()
        os.fsync(file.fileno())


def mapped(path: Path, slots: int) -> Float32[np.ndarray, "slots 264"]:
    """The vectors, memory-mapped; raises FabsightError where they are cut or of another version."""
    try:
        with path.open("rb") as file:
            begins, size = file.read(HEADER_BYTES), os.fstat(file.fileno()).st_size
    except OSError as error:
        raise FabsightError(
            f"open the index {path.parent}: {path.name}: {error.strerror}"
        ) from error
    if begins != header():
        raise FabsightError(
            f"open the index {path}: its header is not that of format {FORMAT}, descriptor "
            f"{VERSION}; remove the index folder and build it again"
        )
    if size < HEADER_BYTES + slots * ROW_BYTES:
        held = (size - HEADER_BYTES) // ROW_BYTES
        raise FabsightError(
            f"open the index {path}: it holds {held} of {slots} vectors, so it was cut; remove the "
            "index folder and build it again"
        )
    if not slots:
        return np.zeros((0, LENGTH), np.float32)
    return np.memmap(path, "<f4", "r", HEADER_BYTES, (slots, LENGTH))


def compact(folder: Path, base: sqlite3.Connection) -> None:
    """Write the vectors without empty slots where half are empty; clear what compactions left."""
    slots, generation = state(base)
    live = [row[0] for row in base.execute("SELECT slot FROM map ORDER BY slot")]
    if slots - len(live) > COMPACTED * slots:
        old = mapped(vectors_path(folder, generation), slots)
        generation += 1
        with replacing(vectors_path(folder, generation), lasting=True) as part:
            part.write_bytes(header() + old[live].tobytes())
        with base:
            # Ascending onto lower numbers: no slot is given while another map has it.
            base.executemany(
                "UPDATE map SET slot = ? WHERE slot = ?", ((k, s) for k, s in enumerate(live))
            )
            base.execute("UPDATE state SET slots = ?, generation = ?", (len(live), generation))
    for path in folder.glob("maps-*.f32"):
        if path != vectors_path(folder, generation):
            path.unlink()

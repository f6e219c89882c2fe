"""Files that appear whole or not at all, also through a crash."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fabsight.task import FabsightError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file beside `path` to write to; flushed to disk, it then takes its place.

    Raises FabsightError where `path` is a folder or a device, the folder is missing or cannot be
    written, or the disk is full.

    >>> folder = getfixture("tmp_path")
    >>> with replacing(folder / "a") as part:
    ...     _ = part.write_text("one")
    >>> [p.name for p in folder.iterdir()]
    ['a']
    """
    if path.exists() and not path.is_file():
        what = "a folder" if path.is_dir() else "a device, not a file"
        raise FabsightError(f"write {path}: it is {what}; name a file")
    part = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        part.touch()  # says early, and in the system's words, that the folder cannot be written
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise FabsightError(
            f"write {path}: {error.strerror or error}; check that the folder exists, is writable "
            "and has space"
        ) from error
    finally:
        if os.path.lexists(part):
            part.unlink()


def replace_file(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    with replacing(path) as part:
        part.write_bytes(data)

"""Files that appear whole or not at all, also through a crash; text as people save it.

What is being written stands beside its place under a name of its own, `.fabsight-PID-HEX.tmp`,
which no message shows. A writer that is killed leaves it behind: `strays` finds it.
"""

import errno
import fcntl
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fabsight.task import FabsightError

BLOCK_BYTES = 4096
LOCK = ".lock"
MAX_TEXT_BYTES = 16_000_000  # of an answer
FREE_BYTES = 64 * 2**20  # less than this is as good as full
STRAY = re.compile(r"\.fabsight-\d+-[0-9a-f]{8}\.tmp")


@contextmanager
def replacing(path: Path, lasting: bool = False) -> Iterator[Path]:
    """A file beside `path` to write to; flushed to disk, it then takes its place.

    With `lasting` the new name is flushed too: after a power failure the file is there, not only
    whole if it is there. That doubles the waiting, so only what others rely on asks for it.

    Raises FabsightError where `path` is a folder or a device, the folder is missing or cannot be
    written, or the disk is full.

    >>> folder = getfixture("tmp_path")
    >>> with replacing(folder / "a") as part:
    ...     _ = part.write_text("one")
    >>> [p.name for p in folder.iterdir()]
    ['a']
    """
    # Short whatever the name is: a name as long as a file system allows can be written too.
    part = path.with_name(f".fabsight-{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        if path.exists() and not path.is_file():
            what = "a folder" if path.is_dir() else "a device, not a file"
            raise FabsightError(f"write {path}: it is {what}; name a file")
        part.touch()  # says early, and in the system's words, that the folder cannot be written
        yield part
        _require_space(part)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
        if lasting:
            _flush_names(path.parent)
    except FabsightError as error:
        error.args = (str(error).replace(str(part), str(path)), *error.args[1:])
        raise
    except OSError as error:
        reason = error.strerror or str(error).replace(str(part), str(path))
        raise FabsightError(
            f"write {path}: {reason}; check that the folder exists, is writable and has space"
        ) from error
    finally:
        if os.path.lexists(part):
            part.unlink()


def replace_file(path: Path, data: bytes, lasting: bool = False) -> None:
    """Write a file whole or not at all."""
    with replacing(path, lasting) as part:
        part.write_bytes(data)


def strays(folder: Path) -> list[Path]:
    """What killed writers left in a folder, at any depth; links to other folders are not followed.

    Only who knows that nobody is writing there (who holds its lock) may remove them.

    >>> folder = getfixture("tmp_path")
    >>> for name in (".fabsight-12-0a1b2c3d.tmp", ".mine.tmp", "a.png"):
    ...     (folder / name).touch()
    >>> [p.name for p in strays(folder)]
    ['.fabsight-12-0a1b2c3d.tmp']
    """
    found = [Path(top, name) for top, _, names in os.walk(folder) for name in names]
    return sorted(path for path in found if STRAY.fullmatch(path.name))


def clear_strays(folder: Path) -> None:
    """Remove what killed writers left in a folder, which the caller has locked."""
    for path in strays(folder):
        path.unlink(missing_ok=True)


def prepare(out: Path) -> None:
    """Make an output folder; find out before any work whether it can be written.

    What is there already must be of a run, which has left its lock: files of others are not mixed
    with, and theirs in the making not taken for strays.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        others = sorted(p.name for p in out.iterdir() if not p.name.startswith("."))
        if others and not (out / LOCK).exists():
            raise FabsightError(
                f"the output folder {out} holds {others[0]}, so it is of another making; name "
                "another folder"
            )
        with tempfile.TemporaryFile(dir=out) as probe:
            probe.write(b"\0" * 4096)
    except OSError as error:
        reason = "it is a file" if isinstance(error, FileExistsError) else error.strerror
        raise FabsightError(
            f"the output folder {out} cannot be written ({reason}); name another"
        ) from error
    free = shutil.disk_usage(out).free
    if free < FREE_BYTES:
        raise FabsightError(
            f"the disk of {out} has {free // 2**20} MiB left, {FREE_BYTES // 2**20} are needed at "
            "least; make room or name another folder"
        ) from OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """One run at a time in a folder, cleared of strays.

    The kernel lets go of the lock when the run ends, killed or not.
    """
    with (out / LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FabsightError(f"another run is writing into {out}; wait for it") from error
        clear_strays(out)
        yield


def _require_space(part: Path) -> None:
    """Raise OSError on a full disk: gdstk writes on its own and, cut off, says not a word."""
    disk = shutil.disk_usage(part.parent)
    if disk.total and disk.free < BLOCK_BYTES:  # a file system without sizes says 0 and 0
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _flush_names(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_text(path: Path, most_bytes: int = MAX_TEXT_BYTES) -> str:
    r"""The text of a UTF-8 file, without a byte order mark, each line end as \n.

    Raises FabsightError where there is no such file, or it is larger than `most_bytes` or no text.

    >>> path = getfixture("tmp_path") / "a.txt"
    >>> _ = path.write_bytes(b"\xef\xbb\xbfone\r\ntwo")
    >>> read_text(path)
    'one\ntwo'
    """
    try:
        size = path.stat().st_size
        if size > most_bytes:
            raise FabsightError(
                f"{path}: {size:,} bytes are too many for an answer, at most {most_bytes:,} can be "
                "read; split it"
            )
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FabsightError(
            f"{path}: is no text: byte {error.start} is not UTF-8; save it as UTF-8, or name it by "
            "its format"
        ) from error
    except OSError as error:
        raise FabsightError(
            f"{path}: cannot be read: {error.strerror or error}; check the name"
        ) from error

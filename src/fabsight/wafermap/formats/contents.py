"""The bytes of a wafer file, out of gzip or bzip2 where it is packed, never more than is sane.

A file of a kilobyte can unpack to a terabyte. What is read is counted: text is limited as a whole,
and a packed stream by how many times larger than its file it gets.
"""

import bz2
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path

from fabsight.task import FabsightError

HEAD_BYTES = 65_536
MAX_TEXT_BYTES = 256 * 2**20
MAX_STREAM_BYTES = 16 * 2**30
FREE_BYTES = 32 * 2**20  # up to here a packed file may unpack to any ratio
MAX_RATIO = 200  # measured: STDF packs 5 to 40 times, KLARF and CSV up to 30 times
_PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2"}


@dataclass
class Stream:
    """A file being read; `read` counts.

    Attributes:
        path: Of the file.
        file: Its unpacked bytes.
        packing: "gzip", "bzip2" or "".
        size: Bytes of the file itself.
        taken: Unpacked bytes read so far.
    """

    path: Path
    file: BufferedIOBase
    packing: str
    size: int
    taken: int = 0

    def read(self, count: int) -> bytes:
        """The next `count` bytes, fewer at the end.

        Raises FabsightError where the packing is damaged, or unpacks to more than is sane.
        """
        try:
            got = self.file.read(count)
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise FabsightError(
                f"read {self.path}: the {self.packing or 'file'} is damaged after byte "
                f"{self.taken:,} ({error}); copy it again"
            ) from error
        self.taken += len(got)
        most = max(FREE_BYTES, self.size * MAX_RATIO) if self.packing else MAX_STREAM_BYTES
        if self.taken > min(most, MAX_STREAM_BYTES):
            raise FabsightError(
                f"read {self.path}: {self.size:,} bytes of {self.packing or 'a file'} hold more "
                f"than {self.taken:,}; no wafer file does that. Unpack it yourself if it is sound"
            )
        return got


@contextmanager
def opened(path: Path) -> Iterator[Stream]:
    """A file to read from its first byte, unpacked.

    Raises FabsightError where there is none, or it cannot be read.
    """
    try:
        with path.open("rb") as raw:
            head = raw.read(3)
            raw.seek(0)
            packing = next((name for magic, name in _PACKED.items() if head.startswith(magic)), "")
            size = path.stat().st_size
            if packing == "gzip":
                with gzip.GzipFile(fileobj=raw) as file:
                    yield Stream(path, file, packing, size)
            elif packing == "bzip2":
                with bz2.BZ2File(raw) as file:
                    yield Stream(path, file, packing, size)
            else:
                yield Stream(path, raw, packing, size)
    except OSError as error:
        raise FabsightError(
            f"read {path}: {error.strerror or error}; check the name and its permissions"
        ) from error


def head_of(path: Path, count: int = HEAD_BYTES) -> bytes:
    """The first bytes of a file, unpacked; b"" where it cannot be read.

    >>> head_of(Path("no such file"))
    b''
    """
    try:
        if not path.is_file():
            return b""
        with opened(path) as stream:
            return stream.read(count)
    except (FabsightError, ValueError):  # ValueError: a NUL in the name
        return b""


def text_of(path: Path) -> str:
    r"""The whole text of a file, each line end as \n, without a byte order mark.

    Raises FabsightError where it cannot be read or is larger than 256 MiB.

    >>> path = getfixture("tmp_path") / "a.txt"
    >>> _ = path.write_bytes("\ufefföl\r\n".encode("utf-8"))
    >>> text_of(path)
    'öl\n'
    """
    with opened(path) as stream:
        data = stream.read(MAX_TEXT_BYTES + 1)
    if len(data) > MAX_TEXT_BYTES:
        raise FabsightError(
            f"read {path}: more than {MAX_TEXT_BYTES // 2**20} MiB of text; split it by wafer"
        )
    return as_text(data)


def as_text(data: bytes) -> str:
    r"""Bytes as text: UTF-8, UTF-16 with its mark, else Latin-1; line ends as \n.

    >>> as_text(b"\xb5m\r"), as_text("µ".encode("utf-16"))
    ('µm\n', 'µ')
    """
    text = decoded(data)
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def decoded(data: bytes) -> str:
    """Bytes as text, line ends as they are."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")

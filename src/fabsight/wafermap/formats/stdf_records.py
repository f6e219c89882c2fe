"""The records of an STDF V4 file that a wafer map needs; all others are skipped by their length.

A record is a length of two bytes, a type and a sub type, and as many bytes as the length says
(Teradyne, STDF Specification V4, 2007). FAR comes first and says which end of a number is first.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fabsight.task import FabsightError
from fabsight.wafermap.formats.contents import Stream

FAR, MIR, MRR, HBR = (0, 10), (1, 10), (1, 20), (1, 40)
WIR, WRR, WCR, PRR = (2, 10), (2, 20), (2, 30), (5, 20)
NAMES = {FAR: "FAR", MIR: "MIR", MRR: "MRR", HBR: "HBR", WIR: "WIR", WRR: "WRR", WCR: "WCR"}
NAMES |= {PRR: "PRR", (0, 20): "ATR", (5, 10): "PIR", (15, 10): "PTR", (15, 20): "FTR"}
WANTED = frozenset((MIR, MRR, HBR, WIR, WRR, WCR, PRR))
_CHUNK = 2**20
_FAR_BYTES = 6


@dataclass(frozen=True)
class Part:
    """A record.

    Attributes:
        kind: Type and sub type.
        data: What follows the header.
        at: Byte of the header in the unpacked file.
    """

    kind: tuple[int, int]
    data: bytes
    at: int


def byte_order(head: bytes, path: Path) -> str:
    """`<` or `>` for `struct`, from the FAR at the beginning.

    Raises FabsightError where the file does not begin with one of version 4.

    >>> byte_order(bytes.fromhex("0002 000a 01 04"), Path("a"))
    '>'
    """
    if len(head) < _FAR_BYTES or head[2:4] != b"\0\n" or head[:2] not in (b"\2\0", b"\0\2"):
        raise FabsightError(f"read {path}: byte 0: it does not begin with an STDF FAR record")
    if head[5] != 4:
        raise FabsightError(
            f"read {path}: byte 5: STDF version {head[5]}; version 4 can be read. Convert it with "
            "the tester's tools"
        )
    return "<" if head[0] == 2 else ">"


def records(stream: Stream, order: str, head: bytes) -> Iterator[Part]:
    """The wanted records of a stream of which `head` has been read, in order.

    Raises FabsightError naming record and byte where the file ends inside a record.
    """
    header = struct.Struct(f"{order}HBB")
    unpack = header.unpack_from
    buffer, base, at = head, 0, 0
    while True:
        last = len(buffer) - 4
        while at <= last:
            length, kind, sub = unpack(buffer, at)
            end = at + 4 + length
            if end > len(buffer):
                break
            if (kind, sub) in WANTED:
                yield Part((kind, sub), buffer[at + 4 : end], base + at)
            elif kind == 0 and sub not in (10, 20, 30):
                raise FabsightError(
                    f"read {stream.path}: byte {base + at:,}: no record of type 0 and sub type "
                    f"{sub} exists in STDF; the file is damaged from here on"
                )
            at = end
        more = stream.read(_CHUNK)
        base, buffer, at = base + at, buffer[at:] + more, 0
        if not more:
            break
    if buffer:
        _refuse_rest(stream.path, base, buffer, unpack(buffer, 0) if len(buffer) >= 4 else None)


def _refuse_rest(path: Path, at: int, rest: bytes, header: tuple[int, int, int] | None) -> None:
    if header is None:
        raise FabsightError(
            f"read {path}: byte {at:,}: the file ends inside a record's header: it is cut off; "
            "copy it again"
        )
    length, kind, sub = header
    raise FabsightError(
        f"read {path}: byte {at:,}: {NAMES.get((kind, sub), f'record {kind}/{sub}')} states "
        f"{length:,} bytes and the file ends after {len(rest) - 4:,}: it is cut off; copy it again"
    )


@dataclass
class Fields:
    """The fields of a record, read one after the other; beyond its end a field is missing."""

    part: Part
    order: str
    at: int = 0

    def number(self, form: str, missing: int) -> int:
        """The next number: `B` U*1, `H` U*2, `I` U*4, `b` I*1, `h` I*2."""
        value = self._next(form)
        return missing if value is None else int(value)

    def real(self) -> float:
        """The next R*4, 0 where it is missing."""
        value = self._next("f")
        return 0.0 if value is None else float(value)

    def character(self) -> str:
        """The next C*1, "" where it is missing or blank."""
        value = self._next("B")
        return "" if value is None else chr(int(value)).strip()

    def text(self) -> str:
        """The next C*n, "" where it is missing."""
        length = self.number("B", 0)
        value = self.part.data[self.at : self.at + length]
        self.at += length
        return value.decode("latin-1").strip(" \0")

    def _next(self, form: str) -> int | float | None:
        size = struct.calcsize(form)
        if self.at + size > len(self.part.data):
            self.at = len(self.part.data)
            return None
        (value,) = struct.unpack_from(self.order + form, self.part.data, self.at)
        self.at += size
        return value  # type: ignore[no-any-return]

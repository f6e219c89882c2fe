"""Where a GDSII file is damaged: its records, walked from the first byte.

A GDSII file is a row of records: a length of two bytes, which counts itself, a record type, a data
type, data; HEADER is the first and ENDLIB the last (Calma, GDSII Stream Format, release 6.0).
"""

import struct
from pathlib import Path

_HEAD = struct.Struct(">HBB")
_ENDLIB = 0x04
_LAST_TYPE = 0x3B  # LIBSECUR; higher numbers are reserved


def first_fault(path: Path) -> str:
    """What is wrong with the first damaged record and at which byte, "" where none is.

    >>> path = getfixture("tmp_path") / "a.gds"
    >>> _ = path.write_bytes(bytes.fromhex("0006 0002 0258 0004 7002"))
    >>> first_fault(path)
    'byte 6: a record of the reserved type 0x70'
    """
    size = path.stat().st_size
    at = 0
    with path.open("rb") as file:
        while at < size:
            head = file.read(_HEAD.size)
            if len(head) < _HEAD.size:
                return f"byte {at}: the file ends inside a record"
            length, kind, _ = _HEAD.unpack(head)
            if length < _HEAD.size or length % 2:
                return f"byte {at}: a record of length {length}; lengths are even and at least 4"
            if kind > _LAST_TYPE:
                return f"byte {at}: a record of the reserved type {kind:#04x}"
            if at + length > size:
                return f"byte {at}: a record of {length} bytes, but the file ends at byte {size}"
            if kind == _ENDLIB:
                return ""
            file.seek(length - _HEAD.size, 1)
            at += length
    return f"byte {size}: the file ends without its last record, ENDLIB"

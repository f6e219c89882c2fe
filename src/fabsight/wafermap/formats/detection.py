"""What kind of file a file is, by its content and never by its name."""

import re
from dataclasses import dataclass
from pathlib import Path

from fabsight.wafermap.formats import ascii_grids, bundles
from fabsight.wafermap.formats.contents import HEAD_BYTES, decoded, head_of
from fabsight.wafermap.formats.table_headers import find_header

_PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM", b"II*\0", b"MM\0*", b"GIF8")
_ZIP = b"PK\x03\x04"
_MAX_GRID_HEAD = 16_000  # characters that are looked at as a drawn map


@dataclass(frozen=True)
class _Sign:
    """What a text of one format has near its beginning."""

    name: str
    pattern: re.Pattern[str]


def _sign(name: str, pattern: str) -> _Sign:
    return _Sign(name, re.compile(pattern, re.IGNORECASE | re.MULTILINE))


_SIGNS = (
    _sign("klarf18", r'\A\s*Record\s+FileRecord\s+"?[\d.]*"?\s*\{'),
    _sign("klarf12", r"\A\s*FileVersion\s+\d+\s+\d+\s*;"),
    _sign("klarf12", r"^\s*DefectRecordSpec\s+\d+\s+\w+"),
    _sign("e142", r"<(\w+:)?MapData\b|<(\w+:)?SubstrateMaps?\b"),
    _sign("g85", r"<(\w+:)?Map\b[^<]*(FormatRevision|WaferId|SubstrateType)"),
    _sign("sinf", r"^\s*(RowData|ROWCT|COLCT)\s*:"),
)


def kind_of(path: Path) -> str:
    """The name of a file's format in `FORMATS`, "" where it is none of them; never raises.

    >>> path = getfixture("tmp_path") / "a.bin"
    >>> _ = path.write_text("FileVersion 1 2;")
    >>> kind_of(path)
    'klarf12'
    """
    head = head_of(path)
    if head[2:4] == b"\0\n" and head[:2] in (b"\2\0", b"\0\2"):
        return "stdf"
    if head.startswith(_ZIP):
        return "npz" if bundles.holds_maps(path) else ""
    if head.startswith(_PICTURES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return "picture"
    return _kind_of_text(head)


def _kind_of_text(head: bytes) -> str:
    wide = head.startswith((b"\xff\xfe", b"\xfe\xff"))
    if not head or (b"\0" in head and not wide):
        return ""
    text = decoded(head).replace("\r\n", "\n").replace("\r", "\n")
    for sign in _SIGNS:
        if sign.pattern.search(text):
            return sign.name
    if text.lstrip()[:1] in ("<", "{"):
        return ""
    if find_header(text):
        return "csv"
    if len(head) == HEAD_BYTES or len(text) > _MAX_GRID_HEAD:
        text = text[:_MAX_GRID_HEAD].rpartition("\n")[0]
    return "ascii" if ascii_grids.looks_like(text) else ""

"""What kind of file a file is, by its content and never by its name."""

import re
from pathlib import Path

from fabsight.wafermap.formats import ascii_grids, bundles
from fabsight.wafermap.formats.contents import HEAD_BYTES, decoded, head_of
from fabsight.wafermap.formats.table_headers import find_header, has_dies

_PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM", b"II*\0", b"MM\0*", b"GIF8")
_ZIP = b"PK\x03\x04"
_MAX_GRID_HEAD = 16_000  # characters that are looked at as a drawn map


def _sign(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.MULTILINE)


# Name of the format, how its text begins, and what is near its beginning.
_SIGNS = (
    ("klarf18", _sign(r'\s*Record\s+FileRecord\s+"?[\d.]*"?\s*\{'), _sign("")),
    ("klarf12", _sign(r"\s*FileVersion\s+\d+\s+\d+\s*;"), _sign("")),
    ("klarf12", _sign(r"\s*[A-Z]+\b[^\n]*;"), _sign(r"^\s*DefectRecordSpec\s+\d+\s+\w+")),
    ("e142", _sign(r"\s*<"), _sign(r"<(\w+:)?MapData\b|<(\w+:)?SubstrateMaps?\b")),
    ("g85", _sign(r"\s*<"), _sign(r"<(\w+:)?Map\b[^<]*(FormatRevision|WaferId|SubstrateType)")),
    ("sinf", _sign(r"\s*[A-Z][\w#]*\s*:"), _sign(r"^\s*(RowData|ROWCT|COLCT)\s*:")),
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
    for name, beginning, sign in _SIGNS:
        if beginning.match(text) and sign.search(text):
            return name
    if text.lstrip()[:1] in ("<", "{"):
        return ""
    header = find_header(text)
    if header and has_dies(text, header):
        return "csv"
    if len(head) == HEAD_BYTES or len(text) > _MAX_GRID_HEAD:
        text = text[:_MAX_GRID_HEAD].rpartition("\n")[0]
    return "ascii" if ascii_grids.looks_like(text) else ""

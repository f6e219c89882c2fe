"""KLARF write-back: the original file with a class for each defect, and no other byte changed."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from fabsight.files import replace_file
from fabsight.task import FabsightError
from fabsight.wafermap.formats.contents import MAX_TEXT_BYTES, opened
from fabsight.wafermap.formats.detection import kind_of
from fabsight.wafermap.formats.klarf12 import columns_of, groups
from fabsight.wafermap.formats.klarf12_grammar import TOKEN, Statement, defect_rows
from fabsight.wafermap.formats.klarf18 import wafer_records
from fabsight.wafermap.formats.klarf18_grammar import Columns, masked, parse

Edit: TypeAlias = tuple[int, int, str]  # from, to, what stands there then
_IMAGES = ("IMAGECOUNT", "IMAGELIST", "IMAGEINFO")  # kept last: readers expect them there
_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,40}")


def add_klarf_classes(
    path: Path, classes: Sequence[Sequence[int]], out: Path, column: str = "CLASSNUMBER"
) -> None:
    """Write a KLARF file again with a class number for each defect.

    Args:
        path: The file, of any version.
        classes: For each wafer in the file's order, a number for each defect in its order.
        out: Where the file goes, unpacked; `path` itself is allowed.
        column: Which column is filled; one that the file does not have is added after the others,
            before the images.

    Raises:
        FabsightError: The file is no KLARF or damaged, or has other numbers of wafers or defects.
    """
    path, column = Path(path), column.upper()
    if not _NAME.fullmatch(column):
        raise FabsightError(f"write {out}: {column!r} is no name of a KLARF column")
    kind = kind_of(path)
    if kind not in ("klarf12", "klarf18"):
        raise FabsightError(f"write {out}: {path} is no KLARF file, so it takes no classes")
    with opened(path) as stream:
        data = stream.read(MAX_TEXT_BYTES + 1)
    if len(data) > MAX_TEXT_BYTES or data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise FabsightError(f"write {out}: {path} is too large or UTF-16; save it as UTF-8 first")
    text = data.decode("latin-1")  # a character a byte
    if "\r" in text.replace("\r\n", ""):
        raise FabsightError(f"write {out}: {path} has lone carriage returns; give it line ends")
    edits = (_edits12 if kind == "klarf12" else _edits18)(text, classes, path, column)
    replace_file(Path(out), _edited(text, edits).encode("latin-1"))


def _edited(text: str, edits: Iterator[Edit]) -> str:
    pieces, at = [], 0
    for begin, end, new in sorted(set(edits)):
        pieces += [text[at:begin], new]
        at = end
    return "".join([*pieces, text[at:]])


def _edits12(
    text: str, classes: Sequence[Sequence[int]], path: Path, column: str
) -> Iterator[Edit]:
    wafers = list(groups(text, path))
    _require(len(wafers), len(classes), "wafers", "one list of classes a wafer", path)
    for number, (group, labels) in enumerate(zip(wafers, classes, strict=True)):
        spec = group.inherited.get("defectrecordspec")
        begun, rows = False, []
        for found in group.own:
            if found.keyword == "defectrecordspec":
                spec = found
            begun = begun or found.keyword == "defectlist"
            if found.keyword == "defectlist" or (begun and not found.keyword):
                rows += [(spec, row) for row in _rows12(text, found, spec, path)]
        _require(len(rows), len(labels), f"defects in wafer {number + 1}", "a class each", path)
        for (spec, row), label in zip(rows, labels, strict=True):
            assert spec
            names = columns_of(text, spec, path)
            yield from _cell(row, names, column, str(int(label)))
            yield from _spec12(text, spec, names, column)


def _rows12(
    text: str, found: Statement, spec: Statement | None, path: Path
) -> list[list[re.Match[str]]]:
    lines: list[tuple[int, list[re.Match[str]]]] = []
    at, number = found.start, found.values_line
    while at < found.end:
        stop = text.find("\n", at, found.end)
        stop = stop if stop >= 0 else found.end
        tokens = list(TOKEN.finditer(text, at, stop))
        if tokens:
            lines.append((number, tokens))
        at, number = stop + 1, number + 1
    if not lines:
        return []
    if not spec:
        raise FabsightError(f"read {path}:{found.line}: a DefectList before any DefectRecordSpec")
    return [row for _, row in defect_rows(lines, columns_of(text, spec, path), _word, str(path))]


def _word(token: re.Match[str]) -> str:
    return token[0]


def _place(names: Sequence[str]) -> int:
    """Which column a new one comes before."""
    return next((k for k, name in enumerate(names) if name in _IMAGES), len(names))


def _cell(
    row: Sequence[re.Match[str]], names: Sequence[str], column: str, value: str, shift: int = 0
) -> Iterator[Edit]:
    """The edit that fills or inserts a row's cell."""
    if column in names:
        found = row[names.index(column)]
        yield found.start() + shift, found.end() + shift, value
        return
    k = _place(names)
    if k < len(names):
        at = row[k].start() + shift
        yield at, at, f"{value} "
    else:
        at = row[-1].end() + shift
        yield at, at, f" {value}"


def _spec12(text: str, spec: Statement, names: Sequence[str], column: str) -> Iterator[Edit]:
    if column in names:
        return
    count, *written = TOKEN.finditer(text, spec.start, spec.end)
    yield count.start(), count.end(), str(len(names) + 1)
    yield from _cell(written, names, column, column)


def _edits18(
    text: str, classes: Sequence[Sequence[int]], path: Path, column: str
) -> Iterator[Edit]:
    wafers = [wafer for file in parse(text, str(path)) for _, _, wafer in wafer_records(file)]
    _require(len(wafers), len(classes), "wafers", "one list of classes a wafer", path)
    for number, (wafer, labels) in enumerate(zip(wafers, classes, strict=True)):
        found = wafer.lists.get("defectlist")
        count = len(found.rows) if found else 0
        _require(count, len(labels), f"defects in wafer {number + 1}", "a class each", path)
        if not found:
            continue
        for begin, end, label in zip(found.starts, found.ends, labels, strict=True):
            row = list(re.finditer(r"\S+", masked(text[begin:end])))
            yield from _cell(row, found.names, column, str(int(label)), begin)
        yield from _columns18(text, found, column)


def _columns18(text: str, found: Columns, column: str) -> Iterator[Edit]:
    if column in found.names:
        return
    begin, end = found.names_at
    brace = text.index("{", begin, end)
    count = re.compile(r"\d+").search(text, begin, brace)
    assert count
    yield count.start(), count.end(), str(len(found.names) + 1)
    k = _place(found.names)
    if k == len(found.names):
        at = begin + len(text[begin:end].rstrip())
        yield at, at, f", int32 {column}" if k else f" int32 {column}"
        return
    at = brace + 1
    for _ in range(k):
        at = text.index(",", at, end) + 1
    at += len(text[at:end]) - len(text[at:end].lstrip())
    yield at, at, f"int32 {column}, "


def _require(found: int, given: int, what: str, need: str, path: Path) -> None:
    if found != given:
        raise FabsightError(
            f"add classes to {path}: the file has {found} {what}, {given} were given; give {need}"
        )

"""CSV and its like: a row a die, with columns such as lot, wafer, x, y and bin, in any order.

A file may hold many lots and wafers, their rows mixed. Columns are found by their names; a column
`row` grows downward, a `y` upward unless a line above the table says `y axis: down`. A die that
occurs twice counts once, the last time.
"""

import csv
import io
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import numpy as np
from jaxtyping import Bool, Int32, Int64

from fabsight.task import FabsightError
from fabsight.wafermap.formats.contents import text_of
from fabsight.wafermap.formats.klarf import side_of
from fabsight.wafermap.formats.placing import (
    MAX_COORDINATE,
    Dies,
    arranged,
    failing,
    notch_down,
    slot_of,
    source_of,
)
from fabsight.wafermap.formats.table_headers import FACTS, Header, find_header
from fabsight.wafermap.settings import WaferSettings
from fabsight.wafermap.wafer import NO_BIN, About, Wafer

_MISSING = frozenset(("", "na", "n/a", "nan", "null", "none", "-", "-32768"))
_MISSING_COORDINATE = -32768  # of STDF, which tables are exported from
_YES, _NO = ("1", "1.0", "true", "t", "y", "yes"), ("0", "0.0", "false", "n", "no")
# These say it of the die, also in a column `fail`, where the others say whether it fails.
_PASSES = ("p", "pass", "passed", "good", "g", "ok")
_FAILS = ("f", "fail", "failed", "bad", "b", "ng", "reject", "x")


@dataclass(frozen=True, eq=False)
class _Rows:
    """The rows of a table."""

    path: Path
    header: Header
    cells: list[list[str]]
    body: str

    def column(self, name: str) -> list[str] | None:
        """The cells of a column, None where there is none."""
        k = self.header.columns.get(name)
        return None if k is None else [row[k] for row in self.cells]

    def refuse(self, row: int, rule: str) -> NoReturn:
        """Raise an error that names the line of a row."""
        lines = (line for line, _ in _cells(self.body, self.header))
        line = next(itertools.islice(lines, row, None), self.header.line)
        raise FabsightError(f"read {self.path}:{line}: {rule}")


def read(path: Path, settings: WaferSettings) -> Iterator[Wafer]:
    """The wafers of a table, in the order of their first rows."""
    text = text_of(path)
    header = find_header(text)
    if not header:
        raise FabsightError(
            f"read {path}: no header with columns x, y and bin (or pass) in its first lines; name "
            "the columns so"
        )
    rows = _rows(text, header, path)
    groups = list(_groups(rows))
    x, y = (_coordinates(rows, name) for name in ("x", "row" if "y" not in header.columns else "y"))
    bins, soft, passed = _results(rows)
    named = bins if bins is not None else soft
    failed = failing(named, passed, settings)
    seen: Counter[str] | None = Counter() if len(groups) > 1 else None
    for place in groups:
        about, right, up, warned = _about(rows, int(place[0]), bins is None and passed is None)
        known = place[(x[place] != _MISSING_COORDINATE) & (y[place] != _MISSING_COORDINATE)]
        if len(known) < len(place):
            warned.append(f"{len(place) - len(known)} rows have no coordinates and are on no map")
        source = source_of(path, about, seen)
        dies = Dies(
            x[known], y[known], failed[known],
            _known_bins(bins, known), _known_bins(soft, known),
            right, up,
        )  # fmt: skip
        wafer = arranged(dies, about, source)
        wafer = replace(wafer, source=source, warnings=(*wafer.warnings, *warned))
        yield notch_down(wafer, settings)


def _known_bins(
    bins: Int32[np.ndarray, " n"] | None, rows: Int64[np.ndarray, " m"]
) -> Int32[np.ndarray, " m"] | None:
    """A wafer's bins; None where it has none, though other wafers of the file may."""
    return None if bins is None or (bins[rows] == NO_BIN).all() else bins[rows]


def _rows(text: str, header: Header, path: Path) -> _Rows:
    body = text.split("\n", header.line)[header.line] if text.count("\n") >= header.line else ""
    try:
        cells = [row for _, row in _cells(body, header)]
    except csv.Error as error:
        raise FabsightError(f"read {path}: {error}; the table is damaged") from error
    rows = _Rows(path, header, cells, body)
    if not cells:
        raise FabsightError(f"read {path}:{header.line}: the table has a header and no rows")
    if set(map(len, cells)) != {header.width}:
        k = next(k for k, row in enumerate(cells) if len(row) != header.width)
        rows.refuse(k, f"a row of {len(cells[k])} cells under a header of {header.width}")
    return rows


def _cells(body: str, header: Header) -> Iterator[tuple[int, list[str]]]:
    """Line and cells of each row that is not blank."""
    if header.delimiter == " ":
        for number, line in enumerate(body.split("\n"), header.line + 1):
            if row := line.split():
                yield number, row
        return
    text = io.StringIO(body, newline="")
    reader = csv.reader(text, delimiter=header.delimiter, strict=True)
    try:
        for row in reader:
            if any(row):
                yield header.line + reader.line_num, row
    except csv.Error as error:
        raise csv.Error(f"line {header.line + reader.line_num}: {error}") from error


def _groups(rows: _Rows) -> Iterator[Int64[np.ndarray, " n"]]:
    """The rows of each wafer, in order."""
    count = len(rows.cells)
    names = [rows.column(name) or [""] * count for name in ("lot", "wafer")]
    number: dict[tuple[str, str], int] = {}
    keys = np.array([number.setdefault(key, len(number)) for key in zip(*names, strict=True)])
    order = np.argsort(keys, kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(keys[order])) + 1)


def _numbers(rows: _Rows, name: str, missing: int, label: str) -> Int64[np.ndarray, " n"]:
    """A column of whole numbers, `missing` where a cell says that it has none."""
    cells = rows.column(name) or []
    try:
        values = np.array(cells, np.float64)
    except ValueError:
        values = np.array([_number(rows, k, cell, label) for k, cell in enumerate(cells)])
    known = ~np.isnan(values)
    wrong = known & ((values != np.rint(values)) | (np.abs(values) > MAX_COORDINATE))
    if wrong.any():
        k = int(np.flatnonzero(wrong)[0])
        rows.refuse(k, f"{label} should be a whole number, got {cells[k][:40]!r}")
    return np.where(known, values, missing).astype(np.int64)


def _number(rows: _Rows, row: int, cell: str, label: str) -> float:
    if cell.strip().lower() in _MISSING:
        return np.nan
    try:
        return float(cell)
    except ValueError:
        rows.refuse(row, f"{label} should be a whole number, got {cell[:40]!r}")


def _coordinates(rows: _Rows, name: str) -> Int64[np.ndarray, " n"]:
    return _numbers(rows, name, _MISSING_COORDINATE, f"the die's {name}")


def _results(
    rows: _Rows,
) -> tuple[
    Int32[np.ndarray, " n"] | None, Int32[np.ndarray, " n"] | None, Bool[np.ndarray, " n"] | None
]:
    """Hard bins, soft bins and what passed, each None where the file has no such column."""

    def bins(name: str) -> Int32[np.ndarray, " n"] | None:
        if name not in rows.header.columns:
            return None
        return _numbers(rows, name, NO_BIN, name).astype(np.int32)

    columns = rows.header.columns
    passed = next((_passed(rows, name) for name in ("pass", "fail") if name in columns), None)
    return bins("hbin"), bins("sbin"), passed


def _passed(rows: _Rows, name: str) -> Bool[np.ndarray, " n"]:
    """Whether each die passes, by a column `pass` or `fail`."""
    cells = rows.column(name) or []
    passing = _PASSES + (_YES if name == "pass" else _NO)
    failing_words = _FAILS + (_NO if name == "pass" else _YES)
    meaning: dict[str, bool] = {}
    for cell in set(cells):
        word = cell.strip().lower()
        if word not in passing and word not in failing_words:
            rows.refuse(cells.index(cell), f"{name} should say pass or fail, got {cell[:40]!r}")
        meaning[cell] = word in passing
    return np.array([meaning[cell] for cell in cells], bool)


_VERBATIM = frozenset(("device", "step", "equipment", "time"))


def _about(rows: _Rows, first: int, by_soft: bool) -> tuple[About, bool, bool, list[str]]:
    """What is said of the wafer that begins at a row, which way x and y grow, and warnings."""
    columns, cells = rows.header.columns, rows.cells[first]

    def said(name: str) -> str:
        own = cells[columns[name]] if name in columns else ""
        return own or rows.header.facts.get(name, "")

    facts = {name: said(name) if name in _VERBATIM else said(name).strip() for name in FACTS}
    warned = []
    up, y_axis = "y" in columns, facts["yaxis"].lower()
    if y_axis in ("up", "down"):
        up = y_axis == "up"
    elif y_axis:
        rows.refuse(first, f"the y axis should be up or down, got {y_axis[:20]!r}")
    elif up:
        warned.append("the file does not say which way y grows: taken upward")
    if by_soft:
        warned.append("the file has no hard bins: its soft bins decide what passes")
    notch = side_of(facts["notch"]) if facts["notch"] else "down"
    if notch is None:
        rows.refuse(first, f"the notch should be down, left, up or right, got {facts['notch']!r}")
    pitch = [_positive(part) for part in facts["pitchum"].replace("x", " ").split()]
    diameter = _positive(facts["diametermm"])
    about = About(
        lot=said("lot"),
        wafer=said("wafer"),
        device=facts["device"],
        step=facts["step"],
        slot=slot_of(facts["slot"]),
        time=facts["time"],
        equipment=facts["equipment"],
        format="CSV",
        notch=notch,
        pitch_um=(pitch[0], pitch[1]) if len(pitch) == 2 else (0.0, 0.0),
        diameter_mm=diameter if 10 <= diameter <= 1000 else 0.0,
    )
    return about, facts["xaxis"].lower() != "left", up, warned


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if 0 < value < 1e9 else 0.0

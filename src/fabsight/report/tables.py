"""CSV files that spreadsheets can open without harm, and read back."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

SPREADSHEET_COMMANDS = ("=", "+", "-", "@", "\t", "\r")


def csv_bytes(rows: Sequence[Mapping[str, Any]]) -> bytes:
    r"""The rows as CSV with the union of their keys as columns; text never reads as a formula.

    A text cell that a spreadsheet would execute (it begins with = + - @) gets an apostrophe in
    front.

    >>> csv_bytes([{"a": 1, "b": "=1+1"}, {"a": -2.5}])
    b"a,b\n1,'=1+1\n-2.5,\n"
    """
    columns = columns_of(rows)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([_cell(column) for column in columns])
    writer.writerows([_cell(row.get(column)) for column in columns] for row in rows)
    # names of files need not be UTF-8
    return text.getvalue().encode("utf-8", "backslashreplace")


def columns_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Every key of the rows once, in the order they appear."""
    return list(dict.fromkeys(name for row in rows for name in row))


def read_csv(path: Path) -> list[dict[str, Any]]:
    """Rows of a CSV file, numbers as numbers, empty cells as None."""
    with path.open(newline="", encoding="utf-8") as file:
        return [{k: _value(v) for k, v in row.items()} for row in csv.DictReader(file)]


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(SPREADSHEET_COMMANDS) and not _is_number(value):
        return "'" + value
    return value


def _value(text: str | None) -> Any:
    if not text:
        return None
    if _is_number(text):
        return int(text) if text.lstrip("+-").isdigit() else float(text)
    return text[1:] if text.startswith("'") and text[1:2] in SPREADSHEET_COMMANDS else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True

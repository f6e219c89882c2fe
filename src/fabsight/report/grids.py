"""Tables that sort: units in their heads, numbers aligned to digits that mean something."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fabsight.report.markup import element, escape, is_number, number

MAX_TABLE_ROWS = 2_000
PRINTED_ROWS, PRINTED_COLUMNS = 60, 14  # page.css hides the others on paper
LONG_TEXT = 48  # characters; longer cells wrap
DIGITS = {"nm": 1, "px": 2, "um": 3, "deg": 1, "s": 2}  # after the point, by unit


class Markup(str):
    """A cell that is markup already; every other cell is escaped."""

    __slots__ = ()


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        key: Where its values are in a row.
        label: What its head says.
        unit: Unit of all its values, "" for none.
        tones: Value -> class of its text.
    """

    key: str
    label: str
    unit: str = ""
    tones: Mapping[str, str] = field(default_factory=dict)


def column(key: str, label: str = "") -> Column:
    """The column of a key: a key that ends in a unit gives it to the head.

    >>> column("cd_nm"), column("edges_explained").label
    (Column(key='cd_nm', label='cd', unit='nm', tones={}), 'edges explained')
    """
    name, unit = name_and_unit(key)
    return Column(key, label or name.replace("_", " "), unit)


def name_and_unit(key: str) -> tuple[str, str]:
    """A key without its unit, and the unit, "" where it has none.

    >>> name_and_unit("cd_nm"), name_and_unit("outline off (px)"), name_and_unit("kind")
    (('cd', 'nm'), ('outline off', 'px'), ('kind', ''))
    """
    for name, unit in ((key.rpartition("_")[::2]), (key.removesuffix(")").rpartition(" (")[::2])):
        if name and unit in DIGITS:
            return name, unit
    return key, ""


def present(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> list[Column]:
    """The columns that have a value in some row."""
    return [c for c in columns if any(row.get(c.key) not in (None, "") for row in rows)]


def table(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]], caption: str) -> str:
    """A table that sorts when its heads are clicked; what exceeds the page's limit is said.

    `caption` is what a screen reader calls it.
    """
    first = rows[:MAX_TABLE_ROWS]
    formats = {c.key: _format(c, first) for c in columns}
    head = "".join(_head(c, formats[c.key] is not None) for c in columns)
    body = "".join(
        element("tr", "".join(_cell(row.get(c.key), c, formats[c.key]) for c in columns))
        for row in first
    )
    grid = element(
        "table",
        element("caption", escape(caption), class_="unseen")
        + f"<thead>{element('tr', head)}</thead><tbody>{body}</tbody>",
        class_="sortable",
    )
    framed = element("div", grid, class_="scroll", tabindex="0", role="region", aria_label=caption)
    return framed + _left_out(len(rows), len(columns))


def shown(value: Any) -> str:
    """A value as markup."""
    return value if isinstance(value, Markup) else escape(number(value))


def _left_out(count: int, columns: int) -> str:
    said = ""
    if count > MAX_TABLE_ROWS:
        text = f"The first {MAX_TABLE_ROWS:,} of {count:,} rows; the CSV file has all."
        said = element("p", text, class_="note")
    if count > PRINTED_ROWS or columns > PRINTED_COLUMNS:
        text = (
            f"Printed: {min(count, PRINTED_ROWS):,} of {count:,} rows, "
            f"{min(columns, PRINTED_COLUMNS)} of {columns} columns; the CSV file has all."
        )
        said += element("p", text, class_="note on-paper")
    return said


def _head(column: Column, numeric: bool) -> str:
    unit = element("span", f" {escape(column.unit)}", class_="unit") if column.unit else ""
    button = element("button", escape(column.label) + unit, type="button")
    return element("th", button, scope="col", class_="num" if numeric else "text")


def _cell(value: Any, column: Column, form: str | None) -> str:
    """A cell; `form` is how a column of numbers is written, None for a column of text."""
    if isinstance(value, Markup):
        return element("td", value)
    if form is None:
        text = number(value)
        tone = column.tones.get(text) or ("long" if len(text) > LONG_TEXT else False)
        return element("td", escape(text), class_=tone)
    if not is_number(value):
        return element("td", escape(number(value)), class_="num", data_key="")
    return element("td", format(value, form), class_="num", data_key=repr(float(value)))


def _format(column: Column, rows: Sequence[Mapping[str, Any]]) -> str | None:
    """How the numbers of a column are written so that their points line up, None for text."""
    values = [row[column.key] for row in rows if is_number(row.get(column.key))]
    if not values:
        return None
    whole = all(isinstance(v, int) for v in values)
    return "d" if whole else digits(values, column.unit)


def digits(values: Sequence[float], unit: str = "") -> str:
    """One format for numbers: their unit's digits, one more where all are below 1.

    Numbers without a unit have four digits in the largest, at most three after the point.

    >>> digits([20.4, 0.1], "nm"), digits([0.31], "nm"), digits([9.41], "px")
    ('.1f', '.2f', '.2f')
    >>> digits([9.41, 10.4]), digits([0.5]), digits([20000.0]), digits([1e-7])
    ('.2f', '.3f', '.0f', '.3g')
    """
    largest = max((abs(v) for v in values if math.isfinite(v)), default=0.0)
    if 0 < largest < 1e-3 or largest >= 1e9:
        return ".3g"
    if unit in DIGITS:
        return f".{DIGITS[unit] + (largest < 1)}f"
    return f".{min(max(3 - math.floor(math.log10(largest or 1)), 0), 3)}f"


def quantity(value: float, unit: str) -> str:
    """One measured value with its unit, in the digits of that unit.

    >>> quantity(21.4567, "nm"), quantity(0.0456, "px"), quantity(0.91, "")
    ('21.5 nm', '0.046 px', '0.910')
    """
    return f"{value:{digits([value], unit)}} {unit}".rstrip()

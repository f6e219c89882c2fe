"""Tables of measurements: what a person decides by first, how it is distributed, then every row.

Lengths are shown in nm where the scale is known, else in px; inputs of either sort have tables of
their own, for a column has one unit. Which columns come first is said by the task's `TableView`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fabsight.report.charts import Spread, span, spread_chart
from fabsight.report.entries import Entry, Place
from fabsight.report.grids import (
    Column,
    Markup,
    column,
    name_and_unit,
    present,
    quantity,
    shown,
    table,
)
from fabsight.report.markup import element, escape, is_number, section
from fabsight.report.tables import columns_of, read_csv
from fabsight.task import TableView

INPUT = "input"  # the column that names the input
KNOWN, UNKNOWN = "nm", "px"

Row = Mapping[str, Any]


def measurements(
    place: Place, path: Path, view: TableView, entries: Sequence[Entry], title: str
) -> str:
    """The section of one table, the CSV file at `path`; "" where it has no rows."""
    rows = read_csv(path)
    keys = columns_of(rows)
    first = [key for key in keys if name_and_unit(key)[0] in view.first]
    measured = [row for row in rows if not first or any(is_number(row[key]) for key in first)]
    relative = path.relative_to(place.run).as_posix()
    note = f"{len(rows):,} rows, {len(measured):,} with a measurement; "
    head = element("p", escape(note) + place.link(relative, "all as CSV"), class_="note")
    links = {entry.name: Markup(entry.link) for entry in entries}
    scaled = [key for key in keys if name_and_unit(key)[1] == KNOWN]
    groups: dict[Any, dict[str, list[Row]]] = {}
    for row in measured:
        unit = KNOWN if any(row[key] is not None for key in scaled) else UNKNOWN
        groups.setdefault(row.get(view.by), {KNOWN: [], UNKNOWN: []})[unit].append(row)
    parts = [
        _part(part, view, links, kind, unit)
        for kind, units in groups.items()
        for unit, part in units.items()
        if part
    ]
    return section(title, head + "".join(parts), f"table-{path.stem}") if rows else ""


def _part(
    rows: Sequence[Row], view: TableView, links: Mapping[str, Markup], kind: Any, unit: str
) -> str:
    """One kind of rows in one unit: head, distributions, per input, every row."""
    columns = present(_columns(rows, view, unit), rows)
    lead = next((c.key for c in columns if c.key != INPUT), INPUT)
    order = {name: place for place, name in enumerate(dict.fromkeys(r.get(INPUT) for r in rows))}
    rows = sorted(rows, key=lambda row: (order[row.get(INPUT)], row.get(lead) is None))
    linked = [{**row, INPUT: links.get(str(row.get(INPUT)), row.get(INPUT))} for row in rows]
    constant = [c for c in columns if _is_constant(c, rows)]
    columns = [c for c in columns if c not in constant]
    lengths = any(c.unit in (KNOWN, UNKNOWN) for c in columns)
    scale = {KNOWN: "in nm", UNKNOWN: "in px, scale not known"}[unit] * lengths
    name = ", ".join(str(each) for each in (kind, scale) if each) or "all"
    said = [f"{len(rows):,} {'row' if len(rows) == 1 else 'rows'}"]
    said += [f"{escape(c.label)} {shown(linked[0][c.key])}" for c in constant if c.key != view.by]
    charted = [c for c in columns if name_and_unit(c.key)[0] in view.charted]
    return (
        element("h3", escape(name))
        + element("p", " · ".join(said), class_="note")
        + "".join(_distribution(c, linked) for c in charted)
        + table(columns, linked, f"measurements: {name}")
    )


def _columns(rows: Sequence[Row], view: TableView, unit: str) -> list[Column]:
    """The input, the view's first columns in its order, the rest; a length in one unit only."""
    keys = columns_of(rows)
    twice = {name_and_unit(k)[0] for k in keys if name_and_unit(k)[1] == KNOWN}
    other = UNKNOWN if unit == KNOWN else KNOWN
    keys = [k for k in keys if not (name_and_unit(k)[0] in twice and name_and_unit(k)[1] == other)]
    order = [INPUT, *view.first]

    def rank(key: str) -> int:
        name = name_and_unit(key)[0]
        return order.index(name) if name in order else len(order)

    return [column(k, view.first.get(name_and_unit(k)[0], "")) for k in sorted(keys, key=rank)]


def _is_constant(column: Column, rows: Sequence[Row]) -> bool:
    """Whether a column of text says the same in every row: that is said once, above."""
    first = rows[0].get(column.key)
    return isinstance(first, str) and all(row.get(column.key) == first for row in rows)


def _distribution(column: Column, rows: Sequence[Row]) -> str:
    """How a column is distributed over the run, and per input where there are several."""
    by_input: dict[Any, list[float]] = {}
    for row in rows:
        if is_number(value := row[column.key]):
            by_input.setdefault(row.get(INPUT), []).append(float(value))
    pooled = [value for values in by_input.values() for value in values]
    chart = spread_chart(f"{column.label} over the run", pooled, column.unit)
    whole = Spread.of(pooled)
    if whole is None or len(by_input) < 2:
        return element("div", chart, class_="charts")
    bounds = whole.least, whole.most
    spreads = [(name, found) for name, values in by_input.items() if (found := Spread.of(values))]
    lines = [_line(name, found, bounds) for name, found in spreads]
    heads = [
        Column(INPUT, "input"),
        *(Column(key, key, column.unit) for key in ("mean", "3 sigma", "least", "most")),
        Column("n", "n"),
        Column("strip", " to ".join(quantity(v, column.unit) for v in bounds)),
    ]
    caption = f"{column.label} per input"
    title = element("strong", escape(caption)) + element(
        "span", " bar: least to most, dot: mean", class_="subtitle"
    )
    per_input = element("div", element("p", title) + table(heads, lines, caption))
    return element("div", chart + per_input, class_="charts")


def _line(name: Any, found: Spread, bounds: tuple[float, float]) -> Row:
    return {
        INPUT: name,
        "mean": found.mean,
        "3 sigma": found.three_sigma if found.count > 1 else None,
        "least": found.least,
        "most": found.most,
        "n": found.count,
        "strip": Markup(span(found, bounds)),
    }

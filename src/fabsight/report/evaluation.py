"""The page of an evaluate run: metrics with intervals and floors, parts, distributions, worst."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fabsight.report.charts import histogram, interval
from fabsight.report.gallery import card
from fabsight.report.markup import element, escape, number, page, section, table, tiles
from fabsight.report.pictures import budget

WORST = 10
Record = Mapping[str, Any]


def evaluation_page(run: Path, totals: Record, rows: Sequence[Record], footer: str) -> str:
    """The page of an evaluate run from its totals and its rows."""
    unreadable = totals["unreadable"]
    headline = next(iter(totals["metrics"]))
    subtitle = f"{totals['model']} on {totals['data'] or 'unnamed data'}"
    seconds = totals.get("seconds_per_example")
    summary = tiles(
        [
            ("examples", f"{totals['count']:,}", ""),
            ("unreadable answers", f"{unreadable:,}", "bad" if unreadable else ""),
            (headline, number(totals["metrics"][headline]), ""),
            ("seconds per example", number(seconds), ""),
        ]
    )
    note = (
        "Means over all examples; an answer that could not be read scores the worst value. "
        "Brackets: 95 % bootstrap over groups. Floor (red tick): the best constant answer, what "
        "can be had without looking."
    )
    sections = [
        ("Summary", element("section", summary, id="summary")),
        ("Metrics", section("Metrics", metrics_table(totals), "metrics", note)),
        ("By kind", _parts("By kind", totals.get("by_kind", {}), "kinds")),
        ("By difficulty", _parts("By difficulty", totals.get("by_difficulty", {}), "levels")),
        ("Distributions", _distributions(totals, rows)),
        (f"Worst {min(WORST, len(rows))}", _worst(run, totals, rows)),
        ("All examples", _all(totals, rows)),
    ]
    title = f"{totals['task']}: {totals['count']:,} examples graded"
    return page(title, element("p", escape(subtitle), class_="subtitle"), sections, footer)


def metrics_table(totals: Record) -> str:
    """A row per metric: value, interval, strip, readable only, floor, spread."""
    notes = totals.get("metric_notes", {})
    heads = ("metric", "value", "95 % interval", "", "readable", "floor", "median", "p90")
    head = "".join(
        element("th", escape(h), scope="col", class_="text" if i in (0, 3) else "num")
        for i, h in enumerate(heads)
    )
    body = "".join(_metric_row(totals, name, notes.get(name, {})) for name in totals["metrics"])
    grid = element("table", f"<thead>{element('tr', head)}</thead><tbody>{body}</tbody>")
    return element("div", grid, class_="scroll", tabindex="0")


def _metric_row(totals: Record, name: str, note: Record) -> str:
    value = totals["metrics"][name]
    bounds = totals.get("intervals", {}).get(name)
    floor = totals.get("floor", {}).get(name)
    spread = totals.get("spread", {}).get(name, {})
    arrow = {"higher": "\u2191", "lower": "\u2193"}.get(note.get("better", ""), "")
    label = element("strong", escape(name)) + escape(f" {note.get('unit', '')} {arrow}".rstrip())
    between = f"{number(bounds[0])} to {number(bounds[1])}" if bounds else ""
    strip = interval(value, (bounds[0], bounds[1]) if bounds else None, floor)
    cells = [
        element("td", label),
        element("td", element("strong", escape(number(value))), class_="num"),
        element("td", escape(between), class_="num"),
        element("td", strip),
    ]
    rest = (totals.get("metrics_readable", {}).get(name), floor)
    rest += tuple(spread.get(key) for key in ("median", "p90"))
    cells += [element("td", escape(number(each)), class_="num") for each in rest]
    return element("tr", "".join(cells))


def _parts(title: str, parts: Mapping[str, Record], identifier: str) -> str:
    rows = [
        {
            "part": name,
            "examples": part["count"],
            "unreadable": part["unreadable"],
            **part["metrics"],
        }
        for name, part in parts.items()
    ]
    if not rows:
        return ""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    return section(title, table(columns, rows), identifier)


def _distributions(totals: Record, rows: Sequence[Record]) -> str:
    notes = totals.get("metric_notes", {})
    figures = []
    for name in per_example(totals):
        values = [v for row in rows if (v := row["metrics"].get(name)) is not None]
        figures.append(histogram(name, values, notes.get(name, {}).get("unit", "")))
    drawn = "".join(figures)
    return section(
        "Distributions",
        element("div", drawn, class_="charts") if drawn else "",
        "distributions",
        "Each example counts once; the line marks the median.",
    )


def worst_first(totals: Record, rows: Sequence[Record]) -> list[int]:
    """Indices of the rows, the worst by the headline metric first, unreadable ones before all."""
    headline = next(iter(per_example(totals)))
    note = totals.get("metric_notes", {}).get(headline, {})
    sign = -1 if note.get("better") == "lower" else 1

    def key(index: int) -> tuple[bool, float, int]:
        value = rows[index]["metrics"].get(headline)
        return not rows[index]["error"], sign * value if value is not None else 0.0, index

    return sorted(range(len(rows)), key=key)


def per_example(totals: Record) -> list[str]:
    """Metrics that mean something for one example; a corpus metric's row is only its ingredient."""
    return [name for name in totals["metrics"] if name in totals["spread"]] or ["none"]


def _worst(run: Path, totals: Record, rows: Sequence[Record]) -> str:
    headline = next(iter(per_example(totals)))
    fit = budget(WORST)
    cards = []
    for index in worst_first(totals, rows)[:WORST]:
        row = rows[index]
        value = row["metrics"].get(headline)
        shown = {
            "path": row["source"] or f"example {index}",
            "text": row["text"],
            "error": row["error"],
            "check": row.get("check"),
            "files": row.get("files"),
            "warnings": [f"{headline} {number(value)}"] if value is not None else [],
        }
        cards.append(card(run, Path(), shown, index, fit))
    return section(
        f"Worst {len(cards)}",
        element("div", "".join(cards), class_="gallery"),
        "worst",
        f"By {headline}; unreadable answers first.",
    )


def _all(totals: Record, rows: Sequence[Record]) -> str:
    flat = [
        {
            "source": row["source"],
            "kind": row["kind"],
            **{name: row["metrics"].get(name) for name in per_example(totals)},
            "check": (row.get("check") or {}).get("score"),
            "error": row["error"],
        }
        for row in rows
    ]
    columns = ["source", "kind", *per_example(totals), "check", "error"]
    columns = [c for c in columns if any(row.get(c) not in (None, "") for row in flat)]
    note = "report.csv has the same rows."
    return section("All examples", table(columns, flat), "examples", note)

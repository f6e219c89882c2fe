"""The page of an evaluate run: metrics with intervals and floors, parts, what to look at, worst."""

from collections.abc import Container, Mapping, Sequence
from pathlib import PurePath
from statistics import median
from typing import Any

from fabsight.report.attention import to_look_at
from fabsight.report.charts import Guides, histogram, interval
from fabsight.report.entries import Entry, Place, short_names
from fabsight.report.gallery import card
from fabsight.report.grids import Column, Markup, column, digits, present, quantity, table
from fabsight.report.guide import GENERAL, guide
from fabsight.report.markup import element, escape, number, page, section, tiles
from fabsight.report.pictures import budget
from fabsight.report.prediction import TONES, charts_of_checks, csv_link
from fabsight.task import Task

WORST = 10
BETTER = {"higher": "\u2191", "lower": "\u2193", "target": "\u2192 truth"}
Record = Mapping[str, Any]
GUIDE = {
    "Metrics": (
        "Means over all examples; an answer that could not be read scores the worst value, and so "
        "does an example that itself could not be read (broken). Readable: the mean over the "
        "others. An arrow says which way is better; truth is what the truth itself scores."
    ),
    "95 % interval": "Percentile bootstrap over groups: images of one source stay together.",
    "Floor (red tick)": "What the best constant answer scores: what can be had without looking.",
    "Check": GENERAL["Check"] + " Metrics know the truth, the check does not.",
}


def evaluation_page(
    place: Place, totals: Record, rows: Sequence[Record], task: Task[Any, Any] | None, footer: str
) -> str:
    """The page of an evaluate run from its totals, its rows and its task, where that is known."""
    entries = _entries(rows)
    order = worst_first(totals, rows)[:WORST]
    cards = [entries[index] for index in order]
    shown = {entry.anchor for entry in cards}
    texts = {totals["task"]: task.guide} if task else {}
    sections = [
        ("Summary", element("section", _summary(totals), id="summary", aria_label="Summary")),
        ("Metrics", section("Metrics", metrics_table(totals), "metrics", METRICS_NOTE)),
        ("To look at", to_look_at(entries)),
        (f"Worst {len(cards)}", _worst(place, totals, cards)),
        ("Distributions", _distributions(totals, rows, entries)),
        ("By kind", _parts("By kind", totals, "by_kind")),
        ("By difficulty", _parts("By difficulty", totals, "by_difficulty")),
        ("All examples", _all(place, totals, entries, shown)),
        ("How to read this page", guide(GUIDE, texts, [])),
    ]
    title = f"{totals['task']}: {totals['count']:,} examples graded"
    data = str(totals["data"])
    said = f"{totals['model']} on {PurePath(data).name or 'unnamed data'}"
    subtitle = element("p", escape(said), class_="subtitle", title=data)
    return page(title, subtitle, sections, footer)


METRICS_NOTE = "Red tick: floor, what the best constant answer scores. Bar: mean; line: interval."


def _entries(rows: Sequence[Record]) -> list[Entry]:
    """The graded examples as the parts of a page that answers have too."""
    paths = [row["source"] or f"example {index}" for index, row in enumerate(rows)]
    return [
        Entry(dict(row) | {"path": path}, index, name, f"example-{index}", seconds=_seconds(row))
        for index, (row, path, name) in enumerate(zip(rows, paths, short_names(paths), strict=True))
    ]


def _seconds(row: Record) -> float | None:
    """Wall time of answering, None where nothing was asked."""
    return None if row.get("broken") else float(row["seconds"])


def _summary(totals: Record) -> str:
    unreadable, broken = totals["unreadable"], totals.get("broken", {}).get("count", 0)
    headline = next(iter(totals["metrics"]))
    unit = totals.get("metric_notes", {}).get(headline, {}).get("unit", "")
    seconds = totals.get("seconds_per_example")
    items = [
        ("examples", f"{totals['count']:,}", ""),
        ("unreadable answers", f"{unreadable:,}", "bad" if unreadable else ""),
        *([("broken examples", f"{broken:,}", "bad")] if broken else []),
        (headline, quantity(totals["metrics"][headline], unit), ""),
    ]
    if bounds := totals.get("intervals", {}).get(headline):
        form = digits(bounds, unit)
        items.append(("95 % interval", f"{bounds[0]:{form}} to {bounds[1]:{form}}", ""))
    if headline in totals.get("floor", {}):
        items.append(("floor", quantity(totals["floor"][headline], unit), ""))
    if seconds is not None:
        items.append(("per example", quantity(seconds, "s"), ""))
    return tiles(items)


def metrics_table(totals: Record) -> str:
    """A row per metric: value, interval, strip, readable only, floor, spread."""
    notes = totals.get("metric_notes", {})
    heads = ("metric", "mean", "95 % interval", "", "truth", "readable", "floor", "median", "p90")
    head = "".join(
        element("th", escape(h), scope="col", class_="text" if i in (0, 3) else "num")
        for i, h in enumerate(heads)
    )
    body = "".join(_metric_row(totals, name, notes.get(name, {})) for name in totals["metrics"])
    grid = element("table", f"<thead>{element('tr', head)}</thead><tbody>{body}</tbody>")
    return element("div", grid, class_="scroll", tabindex="0", role="region", aria_label="Metrics")


def _metric_row(totals: Record, name: str, note: Record) -> str:
    value = totals["metrics"][name]
    bounds = totals.get("intervals", {}).get(name)
    floor = totals.get("floor", {}).get(name)
    spread = totals.get("spread", {}).get(name, {})
    better = note.get("better", "")
    arrow = BETTER.get(better, "")
    said = "nearer to the truth is better" if better == "target" else f"{better} is better"
    about = element("span", arrow, title=said, class_="unit") if arrow else ""
    unit = note.get("unit", "")
    label = element("strong", escape(name.removesuffix(f"_{unit}"))) + escape(
        f" {unit} " if unit else " "
    )
    best = totals.get("best", {}).get(name)
    rest = [best, totals.get("metrics_readable", {}).get(name), floor]
    rest += [spread.get(key) for key in ("median", "p90")]
    form = digits([v for v in (value, *rest) if v is not None], unit)
    between = f"{bounds[0]:{form}} to {bounds[1]:{form}}" if bounds else ""
    strip = interval(value, (bounds[0], bounds[1]) if bounds else None, floor)
    cells = [
        element("th", label + about, scope="row"),
        element("td", element("strong", f"{value:{form}}"), class_="num"),
        element("td", escape(between), class_="num"),
        element("td", strip),
    ]
    cells += [
        element("td", "" if each is None else f"{each:{form}}", class_="num") for each in rest
    ]
    return element("tr", "".join(cells))


def _columns(totals: Record, names: Sequence[str]) -> list[Column]:
    """Columns of metrics, with their units."""
    notes = totals.get("metric_notes", {})
    return [
        column(name)
        if column(name).unit
        else Column(name, name, notes.get(name, {}).get("unit", ""))
        for name in names
    ]


def _parts(title: str, totals: Record, key: str) -> str:
    rows = [
        {
            "part": name,
            "examples": part["count"],
            "unreadable": part["unreadable"],
            **part["metrics"],
        }
        for name, part in totals.get(key, {}).items()
    ]
    if len(rows) < 2:
        return ""  # one part is the whole
    columns = [column("part", title.removeprefix("By ")), column("examples"), column("unreadable")]
    columns += _columns(totals, list(totals["metrics"]))
    return section(title, table(columns, rows, title), key.replace("_", "-"))


def _distributions(totals: Record, rows: Sequence[Record], entries: Sequence[Entry]) -> str:
    """The headline metric over the examples, and the check and the seconds."""
    name = next(iter(per_example(totals)))
    unit = totals.get("metric_notes", {}).get(name, {}).get("unit", "")
    values = [v for row in rows if (v := row["metrics"].get(name)) is not None]
    chart = ""
    if len(values) > 1:
        middle = median(values)
        ends = f"{quantity(min(values), unit)} to {quantity(max(values), unit)}"
        caption = f"median {quantity(middle, unit)} · n {len(values)} · {ends}"
        chart = histogram(name, values, caption, Guides(middle))
    return section(
        "Distributions",
        charts_of_checks(entries, chart),
        "distributions",
        "Each example counts once.",
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


def _worst(place: Place, totals: Record, cards: Sequence[Entry]) -> str:
    headline = next(iter(per_example(totals)))
    fit = budget(WORST)
    drawn = []
    for order, entry in enumerate(cards):
        value = entry.row["metrics"].get(headline)
        said = [f"{headline} {number(value)}"] if value is not None else []
        drawn.append(card(place, entry, order, fit, said))
    return section(
        f"Worst {len(cards)}",
        element("div", "".join(drawn), class_="gallery"),
        "worst",
        f"By {headline}; unreadable answers first. Left the input, right the answer over it.",
    )


def _all(place: Place, totals: Record, entries: Sequence[Entry], shown: Container[str]) -> str:
    """A row per example; `shown` are those with a card."""
    names = per_example(totals)
    flat = [
        {
            "example": Markup(entry.link if entry.anchor in shown else entry.target),
            "kind": entry.row["kind"],
            **{name: entry.row["metrics"].get(name) for name in names},
            "verdict": entry.verdict.word,
            "check": entry.score,
            "seconds": entry.seconds,
            "error": entry.error,
        }
        for entry in entries
    ]
    columns = [column("example"), column("kind"), *_columns(totals, names)]
    columns += [Column("verdict", "verdict", tones=TONES), column("check")]
    columns += [Column("seconds", "time", "s"), column("error")]
    grid = table(present(columns, flat), flat, "All examples")
    return section("All examples", element("p", csv_link(place), class_="note") + grid, "examples")

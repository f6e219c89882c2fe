"""The page of predict runs: what to look at, answers, measurements, checks, how to read it."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from fabsight import settings
from fabsight.report.attention import to_look_at
from fabsight.report.charts import Guides, histogram
from fabsight.report.entries import (
    CONFIRMED,
    CONTRADICTED,
    DOUBTFUL,
    EMPTY_ANSWER,
    IN_DOUBT,
    NO_ANSWER,
    WELL,
    Entry,
    Place,
    Record,
    Run,
    short_names,
)
from fabsight.report.gallery import chosen, gallery
from fabsight.report.grids import Column, Markup, column, present, quantity, table
from fabsight.report.guide import GENERAL, guide, made_with
from fabsight.report.markup import element, escape, is_number, link, page, section, tiles
from fabsight.report.measurements import measurements
from fabsight.report.tables import columns_of
from fabsight.report.together import together
from fabsight.task import TableView, Task

TABLES = "tables"
SCORE_BINS = 20  # no bar lies across a threshold
TONES = {v.word: v.tone for v in (NO_ANSWER, EMPTY_ANSWER, CONTRADICTED, IN_DOUBT, WELL)}

Tasks = Mapping[str, Task[Any, Any]]
Sections = list[tuple[str, str]]


@dataclass(frozen=True)
class Part:
    """One run folder of the page: its task (None where it is not installed) and its results."""

    folder: Path
    name: str
    task: Task[Any, Any] | None
    entries: Sequence[Entry]
    batch: Record


def prediction_page(place: Place, runs: Mapping[Path, Run], tasks: Tasks, footer: str) -> str:
    """The page of predict runs: folder relative to the place's -> what it holds."""
    parts = _parts(runs, tasks)
    entries = [entry for part in parts for entry in part.entries]
    names = ", ".join(dict.fromkeys(part.name for part in parts)) or "nothing"
    models = sorted({str(entry.row["model"]) for entry in entries})
    said = f"answered by {', '.join(models)}" if models else "no inputs"
    title = f"{names}: {len(entries):,} {'input' if len(entries) == 1 else 'inputs'}"
    sections = [
        ("Summary", element("section", _summary(entries), id="summary", aria_label="Summary")),
        ("To look at", to_look_at(entries)),
    ]
    for part in parts:
        sections += together(place, part.folder)
        sections += _sections(place, part, len(entries), len(parts) > 1)
    guides = {p.name: p.task.guide for p in parts if p.task is not None}
    made = [line for part in parts if (line := _made(part))]
    sections.append(("How to read this page", guide(GENERAL, guides, made)))
    subtitle = element("p", escape(said), class_="subtitle")
    return page(title, subtitle, sections, footer)


def _parts(runs: Mapping[Path, Run], tasks: Tasks) -> list[Part]:
    parts = []
    for number, (folder, run) in enumerate(runs.items()):
        names = short_names([str(row["path"]) for row in run.rows])
        entries = [
            Entry(row, index, name, f"input-{number}-{index}", folder, seconds)
            for index, (row, name, seconds) in enumerate(
                zip(run.rows, names, run.seconds, strict=True)
            )
        ]
        name = str(run.rows[0]["task"]) if run.rows else folder.name
        parts.append(Part(folder, name, tasks.get(name), entries, run.batch))
    return parts


def _summary(entries: Sequence[Entry]) -> str:
    words = [entry.verdict for entry in entries]
    scaled = sum(bool((entry.row.get("scale") or {}).get("nm_per_px")) for entry in entries)
    seconds = [entry.seconds for entry in entries if entry.seconds is not None]
    items = [("inputs", f"{len(entries):,}", "")]
    for verdict, label in (
        (WELL, f"confirmed (check {CONFIRMED:.2f} to 1)"),
        (IN_DOUBT, f"doubtful ({DOUBTFUL:.2f} to {CONFIRMED:.2f})"),
        (CONTRADICTED, f"contradicted (below {DOUBTFUL:.2f})"),
        (EMPTY_ANSWER, "empty answer"),
        (NO_ANSWER, "no answer"),
    ):
        count = words.count(verdict)
        if count or verdict in (WELL, IN_DOUBT, CONTRADICTED):
            items.append((label, f"{count:,}", verdict.tone if count else ""))
    items.append(("scale known", f"{scaled:,} of {len(entries):,}", ""))
    if seconds:
        items.append(("median time", quantity(median(seconds), "s"), ""))
    note = (
        "The check compares each answer with its own input, without any truth; "
        + element("a", "how to read this page", href="#guide")
        + "."
    )
    return tiles(items) + element("p", note, class_="note")


def _sections(place: Place, part: Part, count: int, several: bool) -> Sections:
    """Answers, measurements and checks of one run."""
    of = f" of {part.name}" if several else ""
    cards, fit = chosen(part.entries, count)
    answers = f"Answers{of}"
    found = [(answers, gallery(place, cards, fit, answers, len(part.entries)))]
    views = part.task.views if part.task else {}
    for path in sorted((place.run / part.folder / TABLES).glob("*.csv")):
        name = path.stem.removeprefix(f"{part.name}_")
        title = path.stem.replace("_", " ")
        view = views.get(name, TableView())
        found.append((title, measurements(place, path, view, part.entries, title)))
    shown = {entry.anchor for entry in cards}
    found.append((f"Checks{of}", _checks(place, part, shown, f"Checks{of}")))
    return found


def _checks(place: Place, part: Part, shown: Container[str], title: str) -> str:
    """How checks and times are distributed, and a row per input; `shown` are those with a card."""
    rows = [_checked(entry, entry.anchor in shown) for entry in part.entries]
    named = {
        "verdict": Column("verdict", "verdict", tones=TONES),
        "nm_per_px": Column("nm_per_px", "scale", "nm/px"),
        "seconds": Column("seconds", "time", "s"),
    }
    columns = [named.get(key) or column(key) for key in columns_of(rows)]
    note = element("p", "What the check of each input measured; " + csv_link(place), class_="note")
    content = charts_of_checks(part.entries) + table(present(columns, rows), rows, title)
    identifier = title.lower().replace(" ", "-")
    return section(title, note + content, identifier) if rows else ""


def csv_link(place: Place) -> str:
    """A link to the CSV file beside the page."""
    return link(place.csv, "all as CSV")


def charts_of_checks(entries: Sequence[Entry], before: str = "") -> str:
    """Distributions of the check and of the seconds, where there are several inputs.

    `before` is a figure that stands in front of them.
    """
    scores = [entry.score for entry in entries if entry.score is not None]
    seconds = [entry.seconds for entry in entries if entry.seconds is not None]
    figures = before
    if len(scores) > 1:
        middle = median(scores)
        guides = Guides(middle, (DOUBTFUL, CONFIRMED), (0.0, 1.0), SCORE_BINS)
        caption = f"median {middle:.2f} · n {len(scores)} · dashed: {DOUBTFUL:.2f}, {CONFIRMED:.2f}"
        figures += histogram("check", scores, caption, guides)
    if len(seconds) > 1:
        middle, longest = median(seconds), max(seconds)
        caption = f"median {quantity(middle, 's')} · longest {quantity(longest, 's')} · n "
        figures += histogram(
            "time per input, s", seconds, caption + str(len(seconds)), Guides(middle)
        )
    return element("div", figures, class_="charts") if figures else ""


def _checked(entry: Entry, linked: bool) -> dict[str, Any]:
    """A row of the checks: numbers only; what the check says in words is on the cards.

    An input without a card is shown here: links to it lead to this row.
    """
    evidence = entry.check.get("evidence", {})
    return {
        "input": Markup(entry.link if linked else entry.target),
        "verdict": entry.verdict.word,
        "check": entry.score,
        "coverage": entry.check.get("coverage"),
        **{name: value for name, value in evidence.items() if is_number(value)},
        "nm_per_px": (entry.row.get("scale") or {}).get("nm_per_px"),
        "seconds": entry.seconds,
    }


def _made(part: Part) -> str:
    defaults = settings.to_json(part.task.context()) if part.task else {}
    return made_with(part.name, part.batch, defaults)

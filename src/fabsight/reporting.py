"""report: a run folder to one self-contained HTML page and a CSV file.

A run folder is what `predict --out` or `evaluate --out` wrote:

    results.jsonl         predict: a line per input, the JSON of `predict --json` plus "files"
    evaluation.json       evaluate: the totals, the JSON of `evaluate --json`
    rows.jsonl            evaluate: a line per example: metrics, kind, "files"
    tables/TASK_NAME.csv  measurements of all inputs together
    ...                   one folder per input: answer, overlay, exports

"files" names what belongs to an input relative to the run folder; its "input" and "overlay" are
shown. The page knows no task: it shows texts, tables and pictures.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from fabsight.report.charts import histogram
from fabsight.report.gallery import gallery
from fabsight.report.markup import element, escape, is_number, number, page, section, table, tiles
from fabsight.report.tables import columns_of, csv_bytes, read_csv
from fabsight.task import FabsightError

RESULTS, TOTALS, ROWS, TABLES = "results.jsonl", "evaluation.json", "rows.jsonl", "tables"
DOUBTFUL = 0.5  # a check below this is counted as doubtful
MOST_CHARTS = 24
MOST_NOTES = 40

Record = Mapping[str, Any]


def report(run: Path) -> Path:
    """The path of the page, RUN/report.html, written from what the run folder holds.

    A folder of predict runs (what `demo` writes) gives one page about all. Also writes
    RUN/report.csv, a row per input. Raises FabsightError where RUN is no run folder or a line of it
    cannot be read. The same run gives the same bytes.
    """
    from fabsight.report.evaluation import evaluation_page

    if (run / TOTALS).is_file():
        rows = read_lines(run / ROWS)
        document = evaluation_page(run, read_object(run / TOTALS), rows, footer())
        flat = [flat_row(row) for row in rows]
    else:
        parts = {path.parent.relative_to(run): read_lines(path) for path in results_in(run)}
        document = prediction_page(run, parts)
        flat = [flat_result(row) for rows in parts.values() for row in rows]
    (run / "report.csv").write_bytes(csv_bytes(flat))
    target = run / "report.html"
    target.write_text(document, encoding="utf-8")
    return target


def results_in(run: Path) -> list[Path]:
    """The results of a run folder, or of the run folders in it; FabsightError without any."""
    one = run / RESULTS
    found = [one] if one.is_file() else sorted(run.glob(f"*/{RESULTS}"))
    if not found:
        raise FabsightError(
            f"report {run}: neither {RESULTS} nor {TOTALS} is there; give a folder that "
            "`fabsight predict ... --out` or `fabsight evaluate ... --out` wrote"
        )
    return found


def prediction_page(run: Path, parts: Mapping[Path, Sequence[Record]]) -> str:
    """The page of predict runs: folder relative to `run` -> its results."""
    rows = [row for part in parts.values() for row in part]
    models = sorted({str(row["model"]) for row in rows})
    names = sorted({str(row["task"]) for row in rows})
    title = f"{', '.join(names) or 'nothing'}: {_count(len(rows), 'input')}"
    subtitle = element("p", escape(f"answered by {', '.join(models)}"), class_="subtitle")
    sections = [
        ("Summary", element("section", _summary(rows), id="summary")),
        ("To look at", _to_look_at(rows)),
    ]
    for folder, part in parts.items():
        of = f" of {part[0]['task']}" if len(parts) > 1 and part else ""
        name = f"Answers{of}"
        sections.append((name, gallery(run, folder, part, (name, len(rows)))))
        sections += _measurements(run, folder)
        sections.append((f"Checks{of}", _checks([flat_result(row) for row in part], of)))
    return page(title, subtitle, sections, footer())


def footer() -> str:
    """What made the page, and what it does not do."""
    from importlib.metadata import version

    return escape(
        f"fabsight {version('fabsight')}. This page is complete in itself: it loads nothing and "
        "sends nothing."
    )


def _summary(rows: Sequence[Record]) -> str:
    failed = sum(bool(row["error"]) for row in rows)
    scores = [score for row in rows if (score := check_score(row)) is not None]
    doubtful = sum(score < DOUBTFUL for score in scores)
    scaled = sum(bool((row.get("scale") or {}).get("nm_per_px")) for row in rows)
    items = [
        ("inputs", f"{len(rows):,}", ""),
        ("failed", f"{failed:,}", "bad" if failed else ""),
        ("median check", number(median(scores)) if scores else "-", ""),
        (f"check below {DOUBTFUL}", f"{doubtful:,}", "warn" if doubtful else ""),
        ("scale known", f"{scaled:,} of {len(rows):,}", ""),
    ]
    note = (
        "The check compares each answer with its own input, without any truth: 1 confirmed, "
        "0 contradicted."
    )
    return tiles(items) + element("p", note, class_="note")


def _to_look_at(rows: Sequence[Record]) -> str:
    """Failures first, then warnings, each with the inputs it concerns."""
    concerned: dict[str, list[str]] = {}
    for row in rows:
        if row["error"]:
            concerned.setdefault(row["error"], []).append(str(row["path"]))
    for row in rows:
        for warning in row.get("warnings", ()):
            concerned.setdefault(warning, []).append(str(row["path"]))
    lines = [
        element("li", f"{escape(what)} {element('span', escape(_these(paths)), class_='subtitle')}")
        for what, paths in list(concerned.items())[:MOST_NOTES]
    ]
    if len(concerned) > MOST_NOTES:
        lines.append(element("li", f"and {len(concerned) - MOST_NOTES} more, in report.csv"))
    listed = element("ul", "".join(lines), class_="notes") if lines else ""
    return section("To look at", listed, "notes")


def _these(paths: Sequence[str]) -> str:
    named = ", ".join(Path(p).name for p in paths[:3])
    return named if len(paths) <= 3 else f"{named} and {len(paths) - 3} more"


def _measurements(run: Path, folder: Path) -> list[tuple[str, str]]:
    """A section per table of measurements: the table and how its numbers are distributed."""
    found = []
    for path in sorted((run / folder / TABLES).glob("*.csv")):
        rows = read_csv(path)
        if not rows:
            continue
        columns = columns_of(rows)
        name = path.stem.replace("_", " ")
        note = f"{_count(len(rows), 'row')}; {path.relative_to(run).as_posix()}"
        content = table(columns, rows) + charts(columns, rows)
        found.append((name, section(name, content, f"table-{path.stem}", note)))
    return found


def _checks(flat: Sequence[Mapping[str, Any]], of: str) -> str:
    columns = [c for c in columns_of(flat) if any(row.get(c) not in (None, "") for row in flat)]
    numeric = [c for c in columns if c not in ("path", "folder")]
    return section(
        f"Checks and evidence{of}",
        table(columns, flat) + charts(numeric, flat),
        f"checks{of}".replace(" ", "-"),
        "What the check of each input measured; report.csv has the same rows.",
    )


def charts(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """Histograms of measured columns; whole numbers (indices, counts) are left to the table."""
    figures = []
    for column in columns:
        values = [float(row[column]) for row in rows if is_number(row.get(column))]
        if len(set(values)) > 1 and not all(value.is_integer() for value in values):
            title, unit = _title_and_unit(column)
            figures.append(histogram(title, values, unit))
    return element("div", "".join(figures[:MOST_CHARTS]), class_="charts") if figures else ""


def _title_and_unit(column: str) -> tuple[str, str]:
    """A column's name and unit: names end in their unit."""
    name, _, unit = column.rpartition("_")
    if name and unit in ("px", "nm", "um", "s", "deg"):
        return f"{name.replace('_', ' ')}, {unit}", unit
    return column.replace("_", " "), ""


def check_score(row: Record) -> float | None:
    """The check's score of a result, None where there was no answer to check."""
    check = row.get("check")
    return None if check is None else float(check["score"])


def flat_result(row: Record) -> dict[str, Any]:
    """One result on one level: path, score, scale, evidence, error."""
    check = row.get("check") or {}
    scale = row.get("scale") or {}
    return {
        "path": row["path"],
        "task": row["task"],
        "check": check.get("score"),
        "coverage": check.get("coverage"),
        "nm_per_px": scale.get("nm_per_px"),
        **dict(check.get("evidence", {})),
        "error": row["error"],
        "warnings": "; ".join(row.get("warnings", ())),
    }


def flat_row(row: Record) -> dict[str, Any]:
    """One graded example on one level."""
    metrics = row.get("metrics", {})
    plain = {k: v for k, v in row.items() if not isinstance(v, Mapping | list)}
    return plain | dict(metrics)


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def read_lines(path: Path) -> list[Record]:
    """The objects of a JSON lines file; FabsightError names the line that is none."""
    if not path.is_file():
        raise FabsightError(f"report: {path} is missing; run the same command again to finish it")
    found: list[Record] = []
    for number_, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise FabsightError(
                f"{path}, line {number_}: not JSON ({error.msg}); run the same command again, "
                "it goes on after the last whole line"
            ) from error
        if not isinstance(row, dict):
            raise FabsightError(f"{path}, line {number_}: expected an object {{...}}")
        found.append(row)
    return found


def read_object(path: Path) -> Record:
    """The JSON object in a file; FabsightError where there is none."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise FabsightError(f"{path}: not JSON ({error}); evaluate again") from error
    if not isinstance(value, dict):
        raise FabsightError(f"{path}: expected an object {{...}}")
    return value

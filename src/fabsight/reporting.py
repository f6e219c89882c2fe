"""report: a run folder to one self-contained HTML page and a CSV file.

A run folder is what `predict --out` or `evaluate --out` wrote:

    results.jsonl         predict: a line per input, the JSON of `predict --json` plus "files"
    timings.jsonl         predict: seconds, a line beside each
    batch.json            predict: the settings it was made with
    evaluation.json       evaluate: the totals, the JSON of `evaluate --json`
    rows.jsonl            evaluate: a line per example: metrics, kind, "files"
    tables/TASK_NAME.csv  measurements of all inputs together
    ...                   one folder per input: answer, overlay, exports

"files" names what belongs to an input relative to the run folder; its "input" and "overlay" are
shown. The page knows no task: it shows texts, tables and pictures, and what a task says of them
(`Task.views`, `Task.guide`).
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fabsight.files import replace_file
from fabsight.report.entries import Place, Record, Run
from fabsight.report.markup import escape
from fabsight.report.tables import csv_bytes
from fabsight.task import FabsightError, Task

RESULTS, TOTALS, ROWS = "results.jsonl", "evaluation.json", "rows.jsonl"
TIMES, BATCH = "timings.jsonl", "batch.json"
OF_RESULT = ("path", "task", "model", "error")  # what a page cannot be written without
OF_TOTALS = ("task", "model", "data", "count", "unreadable", "metrics", "spread")
OF_ROW = ("source", "text", "error", "metrics", "kind", "seconds")
RUNS_OF = ".fabsight-demo"  # marks a folder whose folders are one run each

Tasks = Mapping[str, Task[Any, Any]]


def report(run: Path, out: Path | None = None, tasks: Tasks | None = None) -> Path:
    """The path of the page, written from what the run folder holds: RUN/report.html.

    A demo's folder, which holds a run per task, gives one page about all. A CSV file of the same
    name, a row per input, is written beside the page. The same run gives the same bytes.

    Args:
        run: What `predict --out`, `evaluate --out` or `demo` wrote.
        out: Where to write instead: a file that ends in .html, or a folder that exists.
        tasks: Where to look for what a task says about its answers; all of them when None.

    Raises:
        FabsightError: RUN is no run folder, a line of it cannot be read, or the page not written.
    """
    from fabsight.commands.tasks import all_tasks
    from fabsight.report.evaluation import evaluation_page
    from fabsight.report.prediction import prediction_page

    known = all_tasks() if tasks is None else tasks
    graded = (run / TOTALS).is_file()
    runs = {} if graded else {path.relative_to(run): read_run(path) for path in runs_in(run)}
    target = _target(run, out)
    place = Place(run, os.path.relpath(run, target.parent), target.with_suffix(".csv").name)
    if graded:
        totals, rows = read_object(run / TOTALS, OF_TOTALS), read_lines(run / ROWS, OF_ROW)
        task = known.get(str(totals.get("task")))
        document = evaluation_page(place, totals, rows, task, footer())
        flat = [flat_row(row) for row in rows]
    else:
        document = prediction_page(place, runs, known, footer())
        flat = [flat_result(row) for found in runs.values() for row in found.rows]
    replace_file(target.with_suffix(".csv"), csv_bytes(flat))
    replace_file(target, document.encode())
    return target


def _target(run: Path, out: Path | None) -> Path:
    """The page to write."""
    if out is None:
        return run / "report.html"
    if out.suffix.lower() == ".html":
        return out
    if out.is_dir():
        return out / "report.html"
    raise FabsightError(f"report --out {out}: name a file that ends in .html, or a folder there is")


def runs_in(run: Path) -> list[Path]:
    """The run folder itself, or the ones in a demo's folder; FabsightError where it is neither."""
    if (run / RESULTS).is_file():
        return [run]
    inside = sorted(path.parent for path in run.glob(f"*/{RESULTS}"))
    if inside and (run / RUNS_OF).is_file():
        return inside
    fix = (
        "`fabsight predict ... --out` or `fabsight evaluate ... --out` wrote, when it has finished"
    )
    if inside:
        fix += f", such as {inside[0]}"
    raise FabsightError(
        f"report {run}: neither {RESULTS} nor {TOTALS} is there; give a folder that {fix}"
    )


def read_run(folder: Path) -> Run:
    """What a predict run's folder holds."""
    rows = read_lines(folder / RESULTS, OF_RESULT)
    times = read_lines(folder / TIMES) if (folder / TIMES).is_file() else []
    seconds = [row.get("seconds") for row in times]
    if len(seconds) != len(rows):  # the sidecar is of another run, or was not copied along
        seconds = [None] * len(rows)
    batch = read_object(folder / BATCH) if (folder / BATCH).is_file() else {}
    return Run(rows, seconds, batch)


def footer() -> str:
    """What made the page, and what it does not do."""
    from importlib.metadata import version

    return escape(
        f"fabsight {version('fabsight')}. This page is complete in itself: it loads nothing and "
        "sends nothing. Links lead to the files of the run where they are beside it."
    )


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


def read_lines(path: Path, keys: Sequence[str] = ()) -> list[Record]:
    """The objects of a JSON lines file; FabsightError names a line that is none or lacks a key."""
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
        found.append(_object(row, f"{path}, line {number_}", keys))
    return found


def read_object(path: Path, keys: Sequence[str] = ()) -> Record:
    """The JSON object in a file; FabsightError where there is none."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise FabsightError(f"{path}: not JSON ({error}); run the same command again") from error
    return _object(value, str(path), keys)


def _object(value: Any, where: str, keys: Sequence[str]) -> Record:
    """The value, which must be an object with these keys."""
    if not isinstance(value, dict):
        raise FabsightError(f"{where}: expected an object {{...}}")
    if missing := [key for key in keys if key not in value]:
        raise FabsightError(f"{where}: {', '.join(missing)} missing; fabsight did not write this")
    return value

"""A lot's report as plain data for JSON, and as tables for CSV files."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from math import isfinite
from typing import Any

import numpy as np

from fabsight.wafermap.golden import GoldenComparison
from fabsight.wafermap.lot import LotReport, named
from fabsight.wafermap.stacking import Stack


def as_data(value: Any) -> Any:
    """Any of the report's values as plain data for JSON; NaN and infinity become None.

    >>> from fabsight.wafermap.trends import Trend
    >>> as_data(Trend(float("nan"), 1.0, (), None))
    {'rate': None, 'dispersion': 1.0, 'changes': [], 'drift': None}
    """
    if isinstance(value, Stack):
        return {
            "wafers": value.wafers,
            "fails": value.fails.tolist(),
            "tested": value.tested.tolist(),
        }
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name.rstrip("_"): as_data(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): as_data(of) for key, of in value.items()}
    if isinstance(value, np.ndarray):
        return as_data(value.tolist())
    if isinstance(value, (tuple, list, frozenset)):
        return [as_data(one) for one in value]
    if isinstance(value, float):
        return value if isfinite(value) else None
    return value


def tables(report: LotReport) -> dict[str, list[dict[str, Any]]]:
    """The report as tables, a list of rows each: what CSV files hold.

    >>> from fabsight.wafermap.lot import lot_report
    >>> sorted(tables(lot_report([])))
    ['changes', 'golden', 'groups', 'repeaters', 'reticle', 'suspects', 'trends', 'wafers']
    """
    return {
        "wafers": [_flat(line) for line in report.wafers],
        "groups": [
            {
                "group": number,
                "count": group.count,
                "patterns": " ".join(f"{name}:{count}" for name, count in group.patterns),
                "similarity": group.similarity,
                "typical": report.wafers[group.typical].source,
                "wafers": " ".join(named(report.wafers[k]) for k in group.wafers),
            }
            for number, group in enumerate(report.clusters.groups, 1)
        ],
        "repeaters": [
            {"grid_rows": of.rows, "grid_columns": of.columns} | _flat(found)
            for of in report.stacks
            for found in of.repeaters
        ],
        "reticle": [
            {"field_columns": of.reticle.columns, "field_rows": of.reticle.rows} | _flat(found)
            for of in report.stacks
            for found in of.reticle.repeats
        ],
        "trends": [
            {"series": name, "rate": as_data(found.rate), "dispersion": found.dispersion}
            | (_flat(found.drift) if found.drift else {"tau": None, "p": None, "slope": None})
            for name, found in report.trends.items()
        ],
        "changes": [
            {"series": name, "wafer": named(report.wafers[change.at])} | _flat(change)
            for name, found in report.trends.items()
            for change in found.changes
        ],
        "suspects": [_flat(s) for s in (report.commonality.suspects if report.commonality else ())],
        "golden": [
            {"wafer": named(line)} | _golden_row(found)
            for line, found in zip(report.wafers, report.golden, strict=False)
            if found
        ],
    }


def _golden_row(found: GoldenComparison) -> dict[str, Any]:
    plain = {name: value for name, value in _flat(found).items() if not name.endswith("_fails")}
    plain.pop("zones")
    for zone in found.zones:
        plain |= {f"{zone.zone} {name}": getattr(zone, name) for name in ("new", "gone", "q")}
    return plain


def _flat(value: Any) -> dict[str, Any]:
    """A value's fields as cells: several in one are separated by blanks."""
    cells = {one.name.rstrip("_"): getattr(value, one.name) for one in fields(value)}
    return {
        name: " ".join(map(str, cell)) if isinstance(cell, tuple) else as_data(cell)
        for name, cell in cells.items()
    }

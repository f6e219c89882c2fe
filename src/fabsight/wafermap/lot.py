"""A lot's report: everything that can be said of several wafers together.

`lot_report` ties stack maps, repeaters, groups of patterns, trends, process context and the golden
map together; wafers of different grids are stacked apart and grouped together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np

from fabsight.task import FabsightError
from fabsight.wafermap.clusters import Clusters, clusters
from fabsight.wafermap.commonality import Commonality, commonality
from fabsight.wafermap.golden import GoldenComparison, against_golden
from fabsight.wafermap.process_context import Context, Passed, matched
from fabsight.wafermap.reticle import Reticle, reticle
from fabsight.wafermap.stacking import Grids, Repeater, Stack, repeaters, stack
from fabsight.wafermap.trends import Trend, ordered, trend
from fabsight.wafermap.wafer import FAIL, NO_DIE, Grid, Wafer

LOW_SPREADS = 3.0  # below the median, of 1.4826 times the median absolute deviation
LOW_LEAST = 0.01  # and this much yield at least: in an even lot nobody is low
LEAST_GROUP = 2  # wafers of which a group's share is followed and its history compared
LOW_YIELD = "low yield"


@dataclass(frozen=True)
class WaferLine:
    """One wafer of the lot.

    Attributes:
        source, lot, wafer, slot, time: As its file says; slot and time from the process context
            where the file has none.
        rows, columns: Of its grid.
        dies, fails: Counted.
        yield_: Share of dies that pass; NaN without dies.
        low: Whether its yield is far below the lot's.
        group: Number of its group of similar patterns, 1 and up; 0 for no pattern.
        patterns: Names given.
    """

    source: str
    lot: str
    wafer: str
    slot: int
    time: str
    rows: int
    columns: int
    dies: int
    fails: int
    yield_: float
    low: bool
    group: int
    patterns: tuple[str, ...]


@dataclass(frozen=True)
class GridGroup:
    """Wafers of one grid, laid over each other.

    Attributes:
        rows, columns: Of the grid.
        wafers: Places in the report's wafers.
        stack: How often each die fails.
        repeaters: Dies that fail more often than their neighbourhood.
        reticle: What repeats in the exposure field.
    """

    rows: int
    columns: int
    wafers: tuple[int, ...]
    stack: Stack
    repeaters: tuple[Repeater, ...]
    reticle: Reticle


@dataclass(frozen=True)
class LotReport:
    """What was found in a lot.

    Attributes:
        wafers: In the order of the series: by slot or time where all have one, else as given.
        order: "slot", "time" or "given".
        stacks: One a grid size, most wafers first.
        clusters: Groups of similar patterns; places are those of `wafers`.
        trends: "fail rate" and "group N": share of wafers of that group.
        commonality: None without process context.
        golden: A comparison a wafer, None where it could not be compared; () without a golden map.
        warnings: What a person should know.
    """

    wafers: tuple[WaferLine, ...]
    order: str
    stacks: tuple[GridGroup, ...]
    clusters: Clusters
    trends: Mapping[str, Trend]
    commonality: Commonality | None
    golden: tuple[GoldenComparison | None, ...]
    warnings: tuple[str, ...]


def lot_report(
    wafers: Sequence[Wafer],
    patterns: Sequence[tuple[str, ...]] | None = None,
    context: Context | None = None,
    golden: Grid | None = None,
    field: tuple[int, int] = (0, 0),
) -> LotReport:
    """Everything about a lot; `patterns` are each wafer's names as a classifier gave them.

    No wafers give an empty report; of one wafer there are no repeaters, changes nor suspects.

    >>> from fabsight.wafermap.wafer import About
    >>> left, clean = np.ones((2, 20, 20), np.uint8)
    >>> left[8:12, :4] = 2
    >>> lot = [Wafer(g, About(slot=k + 1)) for k, g in enumerate([left, clean, left])]
    >>> report = lot_report(lot)
    >>> [line.group for line in report.wafers], report.order
    ([1, 0, 1], 'slot')
    """
    if patterns is not None and len(patterns) != len(wafers):
        raise FabsightError(
            f"report on {len(wafers)} wafers: pattern names are given for {len(patterns)}; give "
            "one tuple of names a wafer"
        )
    passed = matched(context, [wafer.about for wafer in wafers]) if context else None
    places = [_place(wafer, passed[k] if passed else None) for k, wafer in enumerate(wafers)]
    order, turns = _order(wafers, places)
    wafers, places = [wafers[k] for k in turns], [places[k] for k in turns]
    names = None if patterns is None else [patterns[k] for k in turns]
    grids = [wafer.grid for wafer in wafers]
    groups = clusters(grids, names)
    low = _low([_yield(grid) for grid in grids])
    lines = _lines(wafers, places, groups, low, names)
    stacks = _stacks(grids, field)
    seen = [passed[k] for k in turns] if passed else None
    compared, refused = _compared(wafers, golden)
    return LotReport(
        wafers=lines,
        order=order,
        stacks=stacks,
        clusters=groups,
        trends=_trends(lines),
        commonality=commonality(seen, _targets(lines, groups, names)) if seen else None,
        golden=compared,
        warnings=(*_warnings(lines, stacks), *refused),
    )


def named(line: WaferLine) -> str:
    """What a person calls a wafer: its id, else its slot, else where it was read."""
    return line.wafer or (f"slot {line.slot}" if line.slot else line.source)


def short(line: WaferLine) -> str:
    """A wafer's name without its lot's."""
    name = named(line)
    return name.removeprefix(line.lot).lstrip("-_. ") or name if line.lot else name


def _yield(grid: Grid) -> float:
    dies = int((grid != NO_DIE).sum())
    return 1 - int((grid == FAIL).sum()) / dies if dies else float("nan")


def _place(wafer: Wafer, passed: Passed | None) -> tuple[int, str]:
    """Slot and time, from the process context where the file has none."""
    slot, time = wafer.about.slot, wafer.about.time
    return (slot or passed.slot, time or passed.time) if passed else (slot, time)


def _order(wafers: Sequence[Wafer], places: Sequence[tuple[int, str]]) -> tuple[str, list[int]]:
    """By slot within one lot, by time across lots, where all wafers have one; else as given."""
    slots, times = [slot for slot, _ in places], [time for _, time in places]
    one_lot = len({wafer.about.lot for wafer in wafers}) <= 1
    if one_lot and all(slots) and len(set(slots)) == len(slots) and slots:
        return "slot", ordered(slots)
    if all(times) and len(set(times)) > 1:
        return "time", ordered(times)
    return "given", list(range(len(wafers)))


def _low(yields: Sequence[float]) -> list[bool]:
    """Which yields lie far below the median: at three wafers or more."""
    known = np.array([one for one in yields if isfinite(one)])
    if len(known) < 3:
        return [False] * len(yields)
    middle = float(np.median(known))
    spread = 1.4826 * float(np.median(np.abs(known - middle)))
    return [middle - one > max(LOW_SPREADS * spread, LOW_LEAST) for one in yields]


def _lines(
    wafers: Sequence[Wafer],
    places: Sequence[tuple[int, str]],
    groups: Clusters,
    low: Sequence[bool],
    patterns: Sequence[tuple[str, ...]] | None,
) -> tuple[WaferLine, ...]:
    number = {k: n for n, group in enumerate(groups.groups, 1) for k in group.wafers}
    return tuple(
        WaferLine(
            source=wafer.source,
            lot=wafer.about.lot,
            wafer=wafer.about.wafer,
            slot=places[k][0],
            time=places[k][1],
            rows=wafer.grid.shape[0],
            columns=wafer.grid.shape[1],
            dies=int((wafer.grid != NO_DIE).sum()),
            fails=int((wafer.grid == FAIL).sum()),
            yield_=_yield(wafer.grid),
            low=low[k],
            group=number.get(k, 0),
            patterns=patterns[k] if patterns else (),
        )
        for k, wafer in enumerate(wafers)
    )


def _stacks(grids: Grids, field: tuple[int, int]) -> tuple[GridGroup, ...]:
    sizes: dict[tuple[int, int], list[int]] = {}
    for k, grid in enumerate(grids):
        sizes.setdefault((grid.shape[0], grid.shape[1]), []).append(k)
    found = []
    for (rows, columns), members in sizes.items():
        alike = [grids[k] for k in members]
        found.append(
            GridGroup(
                rows=rows,
                columns=columns,
                wafers=tuple(members),
                stack=stack(alike),
                repeaters=repeaters(alike),
                reticle=reticle(alike, field),
            )
        )
    return tuple(sorted(found, key=lambda of: (-len(of.wafers), of.rows, of.columns)))


def _trends(lines: Sequence[WaferLine]) -> dict[str, Trend]:
    if not lines:
        return {}
    fails, dies = (np.array([getattr(line, name) for line in lines]) for name in ("fails", "dies"))
    found = {"fail rate": trend(fails, dies)}
    groups = np.array([line.group for line in lines])
    for number in range(1, int(groups.max()) + 1):
        if (groups == number).sum() >= LEAST_GROUP:
            share = (groups == number).astype(np.int64)
            found[f"group {number}"] = trend(share, np.ones(len(lines), np.int64))
    return found


def _targets(
    lines: Sequence[WaferLine],
    groups: Clusters,
    patterns: Sequence[tuple[str, ...]] | None,
) -> dict[str, list[bool]]:
    """What wafers can be affected by: groups, pattern names where given, low yield."""
    found = {
        f"group {number}": [k in group.wafers for k in range(len(lines))]
        for number, group in enumerate(groups.groups, 1)
        if group.count >= LEAST_GROUP
    }
    for name in sorted({name for names in patterns or () for name in names} - {"none"}):
        found[name] = [name in line.patterns for line in lines]
    found[LOW_YIELD] = [line.low for line in lines]
    # Two targets of the same wafers are one test, not two.
    unlike = {tuple(affected): target for target, affected in reversed(found.items())}
    return {target: list(affected) for affected, target in unlike.items()}


def _compared(
    wafers: Sequence[Wafer], golden: Grid | None
) -> tuple[tuple[GoldenComparison | None, ...], list[str]]:
    if golden is None:
        return (), []
    found: list[GoldenComparison | None] = []
    refused = []
    for wafer in wafers:
        try:
            found.append(against_golden(wafer.grid, golden))
        except FabsightError as error:
            found.append(None)
            refused.append(f"{wafer.source or wafer.about.wafer}: {error}")
    return tuple(found), refused


def _warnings(lines: Sequence[WaferLine], stacks: Sequence[GridGroup]) -> list[str]:
    said = []
    if len(stacks) > 1:
        sizes = "; ".join(
            f"{of.rows} x {of.columns}: {', '.join(named(lines[k]) for k in of.wafers[:5])}"
            + (f" and {len(of.wafers) - 5} more" if len(of.wafers) > 5 else "")
            for of in stacks
        )
        said.append(f"the wafers have {len(stacks)} grids, each stacked by itself: {sizes}")
    empty = [named(line) for line in lines if not line.dies]
    if empty:
        said.append(f"without any die: {', '.join(empty)}")
    return said

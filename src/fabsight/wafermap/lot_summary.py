"""A lot in sentences, pictures and tables: what `predict --out` says of its wafers together."""

import re
from collections.abc import Iterator, Sequence

from fabsight.task import Question, Together
from fabsight.wafermap.causes import CAUSES
from fabsight.wafermap.claims import Answer
from fabsight.wafermap.commonality import Suspect
from fabsight.wafermap.lot import LotReport, lot_report, short
from fabsight.wafermap.lot_pictures import overview, stacked, typical
from fabsight.wafermap.lot_tables import tables
from fabsight.wafermap.phrases import TYPES
from fabsight.wafermap.process_context import read_context
from fabsight.wafermap.seeing import grid_of, seen
from fabsight.wafermap.settings import WaferSettings
from fabsight.wafermap.wafer import Wafer

MOST_NAMED = 8
LEAST_WAFERS = 2
WaferQuestion = Question[WaferSettings]


def lots(questions: Sequence[WaferQuestion], _answers: Sequence[Answer]) -> Iterator[Together]:
    """What is found in each lot of at least two wafers, in the order in which they come.

    Wafers without a lot's name belong together where their grids are alike.
    """
    by_lot: dict[str, list[WaferQuestion]] = {}
    for question in questions:
        rows, columns = grid_of(question).shape
        lot = question.context.about.lot
        name = f"lot {lot}" if lot else f"wafers of {rows} x {columns} dies without a lot's name"
        by_lot.setdefault(name, []).append(question)
    for name, found in by_lot.items():
        if len(found) >= LEAST_WAFERS:
            yield together(name, found)


def together(name: str, questions: Sequence[WaferQuestion]) -> Together:
    """What is found in the wafers of one lot."""
    first = questions[0]
    wafers = [Wafer(grid_of(q), q.context.about, q.source) for q in questions]
    patterns = [seen(q).description.choices["pattern"].true for q in questions]
    table = first.context.context_table
    report = lot_report(
        wafers,
        patterns,
        context=None if table is None else read_context(table),
        golden=None if first.golden is None else first.golden.pixels,
        field=first.context.reticle,
    )
    grids = {wafer.source: wafer.grid for wafer in wafers}
    pictures = {"Fail frequency": stacked(report)}
    if report.clusters.groups:
        pictures["Typical wafers"] = typical(report, grids)
    if len(report.wafers) > LEAST_WAFERS:
        pictures["Yield"] = overview(report)
    return Together(name, tuple(findings(report)), pictures, tables(report))


def findings(report: LotReport) -> Iterator[str]:
    """The report in sentences, most important first."""
    yield _counts(report)
    yield _groups(report)
    yield from _changes(report)
    yield from _repeaters(report)
    yield from _suspects(report)
    yield from report.warnings


def _counts(report: LotReport) -> str:
    dies = sum(line.dies for line in report.wafers)
    fails = sum(line.fails for line in report.wafers)
    yields = [line.yield_ for line in report.wafers if line.dies]
    low = [short(line) for line in report.wafers if line.low]
    said = f"{len(report.wafers)} wafers, yield {1 - fails / max(dies, 1):.1%}"
    if yields:
        said += f" ({min(yields):.1%} to {max(yields):.1%})"
    return said + (f"; far below the others: {_some(low)}" if low else "") + "."


def _groups(report: LotReport) -> str:
    groups, none = report.clusters.groups, report.clusters.none
    if not groups:
        return f"No pattern stands out on any of the {len(none)} wafers."
    parts = []
    for number, group in enumerate(groups[:MOST_NAMED], 1):
        names = "/".join(TYPES.get(name, name) for name, _ in group.patterns[:2]) or "alike"
        wafers = _some([short(report.wafers[k]) for k in group.wafers])
        parts.append(f"group {number}: {group.count} x {names} ({wafers})")
    noun = "group" if len(groups) == 1 else "groups"
    rest = f"; {len(none)} wafers without a pattern" if none else ""
    return f"{len(groups)} {noun} of similar patterns: {'; '.join(parts)}{rest}."


def _changes(report: LotReport) -> Iterator[str]:
    for name, trend in report.trends.items():
        for change in trend.changes:
            at, what = short(report.wafers[change.at]), name.replace("group", "share of group")
            yield (
                f"The {what} changes at {at}: {change.before:.1%} before, {change.after:.1%} from "
                "it on."
            )


def _repeaters(report: LotReport) -> Iterator[str]:
    for of in report.stacks:
        if of.repeaters:
            where = [
                f"row {r.row}, column {r.column}: {r.fails} of {r.wafers}" for r in of.repeaters
            ]
            noun = "die fails" if len(where) == 1 else "dies fail"
            yield f"{len(where)} {noun} again and again: {_some(where, '; ')}."
        if of.reticle.repeats:
            size = f"{of.reticle.columns} x {of.reticle.rows}"
            where = [f"column {r.column}, row {r.row}" for r in of.reticle.repeats]
            yield f"In exposure fields of {size} dies the same place fails: {_some(where, '; ')}."


def _suspects(report: LotReport) -> Iterator[str]:
    found = report.commonality
    if found is None:
        yield "No process records were given (--context-table): no tool or chamber is compared."
        return
    for one in found.suspects:
        if one.explained_by:
            continue
        yield (
            f"{one.factor} {one.level} goes with {one.target}: {one.affected_with} of "
            f"{one.with_level} wafers that saw it, {one.affected_without} of {one.without} others "
            f"(q = {one.q:.2g}){_fitting(report, one)}."
        )
    if not found.suspects:
        yield f"None of {len(found.factors)} process factors goes with a pattern or low yield."


def _fitting(report: LotReport, suspect: Suspect) -> str:
    """The root-cause hypothesis of the affected pattern that the suspect's name speaks for."""
    patterns: set[str] = {suspect.target}
    for number, group in enumerate(report.clusters.groups, 1):
        if suspect.target == f"group {number}":
            patterns |= {name for name, _ in group.patterns}
    name = re.sub(r"[_-]+", " ", f"{suspect.factor} {suspect.level}").lower()
    for cause in CAUSES.values():
        if patterns & cause.patterns.keys() and re.search(rf"\b(?:{cause.words})", name):
            return f"; it fits the hypothesis of {cause.name}"
    return ""


def _some(names: Sequence[str], between: str = ", ") -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return between.join(names[:MOST_NAMED]) + more

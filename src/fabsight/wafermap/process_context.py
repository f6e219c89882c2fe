"""Process context of wafers, read from a CSV file: which tools, chambers and steps each one saw.

Either a row a wafer, with a column for each step (`etch_tool`, `litho_tool`, ...), or a row a wafer
and step (`lot, wafer, step, tool, chamber, time`). Wafer ids are written in many ways; "1", "01",
"W01" and, in lot A12, "A12.01", "A12-1" and "A12#01" are one wafer.
"""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TypeAlias

from fabsight.files import read_text
from fabsight.task import FabsightError
from fabsight.wafermap.wafer import About

ALIASES: Mapping[str, tuple[str, ...]] = {
    "lot": ("lot", "lot_id", "lotid", "lot_no", "lot_number"),
    "wafer": ("wafer", "wafer_id", "waferid", "wafer_no", "wafer_number", "wid", "wf"),
    "slot": ("slot", "slot_id", "slot_no", "slot_number"),
    "tool": ("tool", "tool_id", "toolid", "equipment", "equipment_id", "eqp", "eqp_id", "machine"),
    "chamber": ("chamber", "chamber_id", "chamberid", "ch", "module"),
    "step": ("step", "step_id", "operation", "oper", "operation_id", "process_step", "process"),
    "time": ("time", "timestamp", "datetime", "date", "start_time", "track_in", "trackin"),
}
MOST_BYTES = 200_000_000
NAMED = 5  # wafers named in a message
NUMBERED = re.compile(r"(?:w|wf|wafer|slot)?[ _#.-]*0*(\d+)", re.IGNORECASE)
WITH_LOT = re.compile(r"(.*[^\s._#:/-])[\s._#:/-]+(?:w|wf|wafer)?0*(\d+)", re.IGNORECASE)
Key: TypeAlias = tuple[str, str]  # lot ("" unknown) and wafer


@dataclass(frozen=True)
class Passed:
    """What the table says of one wafer.

    Attributes:
        levels: Factor -> what the wafer saw there; several where it was reworked. Factors are
            "tool", "chamber" or "STEP tool", "STEP chamber"; a chamber is named TOOL/CHAMBER.
        slot: 0 unknown.
        time: As written, of the wafer's last row; "" unknown.
    """

    levels: Mapping[str, frozenset[str]]
    slot: int = 0
    time: str = ""


@dataclass(frozen=True)
class Context:
    """A table of process context.

    Attributes:
        source: The file.
        wafers: (lot, wafer) in one form of writing -> what the table says.
        factors: In the order of the table.
    """

    source: str
    wafers: Mapping[Key, Passed]
    factors: tuple[str, ...]


def wafer_key(lot: str, wafer: str) -> Key:
    """Lot and wafer in one form of writing; the lot may be part of the wafer's id.

    >>> wafer_key("A12", "A12.01"), wafer_key("", "A12-1"), wafer_key("a12 ", "W01")
    (('a12', '1'), ('a12', '1'), ('a12', '1'))
    """
    lot, wafer = lot.strip().casefold(), wafer.strip().casefold()
    if lot and wafer.startswith(lot) and len(wafer) > len(lot) and not wafer[len(lot)].isalnum():
        wafer = wafer[len(lot) + 1 :]
    plain = NUMBERED.fullmatch(wafer)
    if plain:
        return lot, plain[1]
    joined = WITH_LOT.fullmatch(wafer)
    if joined and not lot:
        return joined[1], joined[2]
    return lot, wafer


def read_context(path: Path) -> Context:
    """The process context in a CSV file (comma, semicolon or tab).

    Raises FabsightError where a column is missing, or a row has too many cells or no wafer.
    """
    text = read_text(path, MOST_BYTES)
    lines = csv.reader(StringIO(text), delimiter=_delimiter(text))
    try:
        rows = [(lines.line_num, [cell.strip() for cell in row]) for row in lines if any(row)]
    except csv.Error as error:
        raise FabsightError(
            f"{path}:{lines.line_num}: is no CSV: {error}; save it as CSV again"
        ) from error
    if len(rows) < 2:
        raise FabsightError(
            f"{path}: has {len(rows)} lines; a process context has a head and a row a wafer"
        )
    columns = _columns(path, rows[0][1])
    return _collected(path, columns, rows[1:])


def matched(context: Context, abouts: Sequence[About]) -> list[Passed]:
    """What the table says of each wafer; raises FabsightError naming those without a row.

    A wafer or a table without lots is matched by wafer alone, as long as that is one wafer only.
    """
    by_wafer: dict[str, list[Key]] = {}
    for key in context.wafers:
        by_wafer.setdefault(key[1], []).append(key)
    found, missing = [], []
    for about in abouts:
        lot, wafer = wafer_key(about.lot, about.wafer or (str(about.slot) if about.slot else ""))
        exact = (lot, wafer) if (lot, wafer) in context.wafers else None
        loose = [key for key in by_wafer.get(wafer, ()) if not lot or not key[0]]
        if exact is None and len(loose) > 1:
            raise FabsightError(
                f"{context.source}: wafer {about.wafer!r} without a lot is in {len(loose)} lots of "
                f"the table ({', '.join(key[0] for key in loose[:NAMED])}); name its lot"
            )
        if exact is None and not loose:
            missing.append(f"{about.lot or '?'}/{about.wafer or about.slot or '?'}")
        else:
            found.append(context.wafers[exact or loose[0]])
    if missing:
        named = ", ".join(missing[:NAMED]) + (", ..." if len(missing) > NAMED else "")
        has = ", ".join(f"{lot or '?'}/{wafer}" for lot, wafer in list(context.wafers)[:NAMED])
        raise FabsightError(
            f"{context.source}: no row for {len(missing)} of {len(abouts)} wafers ({named}); the "
            f"table has {len(context.wafers)} wafers, such as {has}; add their rows or leave them "
            "out"
        )
    return found


def _delimiter(text: str) -> str:
    head = text.partition("\n")[0]
    return max((",", ";", "\t"), key=head.count)


def _columns(path: Path, head: list[str]) -> list[str]:
    """The columns' names, the known ones as ALIASES calls them."""
    known = {alias: name for name, aliases in ALIASES.items() for alias in aliases}
    plain = [re.sub(r"[^a-z0-9]+", "_", name.casefold()).strip("_") for name in head]
    names = [known.get(name, given) for name, given in zip(plain, head, strict=True)]
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise FabsightError(f"{path}: has two columns for {', '.join(twice)}; rename or drop one")
    if "wafer" not in names and "slot" not in names:
        raise FabsightError(
            f"{path}: has no column for the wafer, only {', '.join(head)}; call it one of "
            f"{', '.join(ALIASES['wafer'])}"
        )
    if not set(names) - {"lot", "wafer", "slot", "time", "step", ""}:
        raise FabsightError(
            f"{path}: has no column of tools or chambers, only {', '.join(head)}; add at least one "
            "such as tool, chamber or etch_tool"
        )
    return names


def _collected(path: Path, columns: list[str], rows: list[tuple[int, list[str]]]) -> Context:
    levels: dict[Key, dict[str, set[str]]] = {}
    places: dict[Key, tuple[int, str]] = {}
    factors: dict[str, None] = {}
    for line, cells in rows:
        if len(cells) > len(columns):
            raise FabsightError(
                f"{path}:{line}: has {len(cells)} cells and the head {len(columns)}; quote cells "
                "that hold the delimiter"
            )
        row = dict(zip(columns, cells, strict=False))
        slot = _slot(path, line, row.get("slot", ""))
        wafer = row.get("wafer", "") or (str(slot) if slot else "")
        if not wafer:
            raise FabsightError(f"{path}:{line}: names no wafer; give it one or delete the line")
        key = wafer_key(row.get("lot", ""), wafer)
        seen = levels.setdefault(key, {})
        for factor, level in _factors(row):
            factors[factor] = None
            seen.setdefault(factor, set()).add(level)
        before = places.get(key, (0, ""))
        places[key] = (slot or before[0], max(row.get("time", ""), before[1]))
    wafers = {
        key: Passed({factor: frozenset(of) for factor, of in seen.items()}, *places[key])
        for key, seen in levels.items()
    }
    return Context(str(path), wafers, tuple(factors))


def _slot(path: Path, line: int, text: str) -> int:
    if not text:
        return 0
    try:
        return int(float(text))
    except (ValueError, OverflowError) as error:
        raise FabsightError(f"{path}:{line}: slot {text!r} is no number; give 1 and up") from error


def _factors(row: Mapping[str, str]) -> list[tuple[str, str]]:
    """Factors of a row and what the wafer saw there; empty cells say nothing."""
    step, tool, chamber = (row.get(name, "") for name in ("step", "tool", "chamber"))
    prefix = f"{step} " if step else ""
    found = [(prefix + "tool", tool)] if tool else []
    if chamber:
        # Chamber B of one tool is not chamber B of another.
        found.append((prefix + "chamber", f"{tool}/{chamber}" if tool else chamber))
    others = [(name, text) for name, text in row.items() if name and name not in ALIASES and text]
    return found + [(prefix + name, text) for name, text in others]

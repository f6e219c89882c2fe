"""Wafers to a table: a row a die, in the file's own die coordinates, with all that is known of it.

What is the same for all wafers stands above the table in lines `# name: value`, what is not in
columns; `tables` reads both again.
"""

import csv
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from fabsight.files import replacing
from fabsight.task import FabsightError
from fabsight.wafermap.formats.placing import as_filed
from fabsight.wafermap.wafer import NO_BIN, NO_DIE, PASS, Wafer

_PLAIN = re.compile(r"[\w.:+-]([\w .:+-]*[\w.:+-])?", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ASIDE = ("device", "step", "equipment", "time")


def write_csv(wafers: Iterable[Wafer], out: Path) -> tuple[str, ...]:
    """Write wafers to a CSV file, whole or not at all; what could not be kept.

    Raises FabsightError where there is no wafer, or the file cannot be written.
    """
    filed = [as_filed(wafer) for wafer in wafers]
    if not filed:
        raise FabsightError(f"write {out}: there is no wafer to write")
    facts = [_facts(wafer) for wafer in filed]
    common = {key for key in facts[0] if len({row[key] for row in facts}) == 1}
    varying = [key for key in facts[0] if key not in common]
    with_bins = any(wafer.bins is not None for wafer in filed)
    with_soft = any(wafer.soft_bins is not None for wafer in filed)
    names, warned = _names(filed)
    if any(_CONTROL.search(text) for wafer in filed for text in _texts(wafer)):
        warned.append("names have line ends or control characters; they became spaces")
    with (
        replacing(Path(out)) as part,
        part.open("w", encoding="utf-8", errors="replace", newline="") as file,
    ):
        for key in facts[0]:
            if key in common and facts[0][key]:
                file.write(f"# {key}: {_line(facts[0][key])}\n")
        table = csv.writer(file, lineterminator="\n")
        bins = ["hbin"] * with_bins + ["sbin"] * with_soft
        table.writerow(["lot", "wafer", "x", "y", *bins, "pass", *varying])
        for wafer, name, row in zip(filed, names, facts, strict=True):
            aside = [row[key] for key in varying]
            for cells in _rows(wafer, with_bins, with_soft):
                table.writerow([*name, *cells, *aside])
    if any(wafer.defects is not None for wafer in filed):
        warned.append("defects are not kept in CSV, only the dies that fail")
    return tuple(warned)


def _facts(wafer: Wafer) -> dict[str, str]:
    """What is said of a wafer, by column name; "" where nothing is known."""
    about, place = wafer.about, wafer.about.placement
    pitch = " ".join(repr(side) for side in about.pitch_um) if about.pitch_um[0] else ""
    facts = {name: _clean(str(getattr(about, name))) for name in _ASIDE}
    return facts | {
        "slot": str(about.slot) if about.slot else "",
        "notch": about.notch,
        "x_axis": "right" if place.x_column > 0 else "left",
        "y_axis": "down" if place.y_row > 0 else "up",
        "pitch_um": pitch,
        "diameter_mm": repr(about.diameter_mm) if about.diameter_mm else "",
    }


def _texts(wafer: Wafer) -> Iterator[str]:
    yield from (getattr(wafer.about, name) for name in ("lot", "wafer", *_ASIDE))


def _clean(text: str) -> str:
    return _CONTROL.sub(" ", text)


def _names(filed: Sequence[Wafer]) -> tuple[list[tuple[str, str]], list[str]]:
    """Lot and wafer of each, all different: rows of one name are one wafer."""
    seen: Counter[tuple[str, str]] = Counter()
    written = [(_clean(wafer.about.lot), _clean(wafer.about.wafer)) for wafer in filed]
    taken = set(written)
    names, renamed = [], 0
    for plain in written:
        name = plain
        seen[plain] += 1
        while seen[plain] > 1 and name in taken:
            name = (plain[0], f"{plain[1]}({seen[plain]})")
            seen[plain] += name in taken
        renamed += name != plain
        taken.add(name)
        names.append(name)
    warned = [f"{renamed} wafers of a name that occurred before got a number"] if renamed else []
    return names, warned


def _rows(wafer: Wafer, with_bins: bool, with_soft: bool) -> Iterator[list[object]]:
    """The cells of each die that are its own."""
    place = wafer.about.placement
    row, column = np.nonzero(wafer.grid != NO_DIE)
    columns = [
        place.x0 + place.x_column * column,
        place.y0 + place.y_row * row,
    ]
    lists: list[Sequence[object]] = [values.tolist() for values in columns]
    for bins, asked in ((wafer.bins, with_bins), (wafer.soft_bins, with_soft)):
        if asked:
            numbers = [NO_BIN] * len(row) if bins is None else bins[row, column].tolist()
            lists.append(["" if number == NO_BIN else number for number in numbers])
    lists.append((wafer.grid[row, column] == PASS).astype(int).tolist())
    for cells in zip(*lists, strict=True):
        yield list(cells)


def _line(value: str) -> str:
    """A value for a line above the table: as it is, or in JSON where a line could not hold it."""
    return value if _PLAIN.fullmatch(value) else json.dumps(value)

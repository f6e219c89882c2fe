"""What KLARF files of all versions have in common: an inspected wafer, and the `Wafer` it becomes.

Rules of the coordinates (KLA results file, versions 1.1 to 1.8): die (XINDEX, YINDEX) grows to the
right and upward; XREL, YREL are from the die's lower left corner; SampleCenterLocation is the
wafer's centre from the lower left corner of die (0, 0), so a defect lies at
XREL + XINDEX * pitch + DieOrigin - SampleCenterLocation from the centre. Lengths are in um up to
version 1.2 and in nm in 1.8.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float64, Int64

from fabsight.task import FabsightError
from fabsight.wafermap.formats.placing import (
    MAX_COORDINATE,
    Dies,
    arranged,
    notch_down,
    require_size,
)
from fabsight.wafermap.settings import WaferSettings
from fabsight.wafermap.wafer import SIDES, About, Defects, Side, Wafer

Places: TypeAlias = Int64[np.ndarray, "_ 2"]
NO_PLACES: Places = np.empty((0, 2), np.int64)
MISSING = frozenset({"na", "n/a", "nan", "null", "-", ""})


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of a list as written: a column's tokens by its name in capitals, and each row's line."""

    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    lines: Sequence[int] = ()


@dataclass(frozen=True, eq=False)
class Inspection:
    """One wafer of a KLARF file.

    Attributes:
        about: Names, notch, pitch and diameter.
        where: File and line of the wafer, for errors.
        path: The file, for errors that name lines.
        centre_um: SampleCenterLocation less DieOrigin; None where the file has none.
        dies: (XINDEX, YINDEX) of the dies that the file lists as inspected or there, n may be 0.
        removed: Dies that were taken out of the plan.
        defects: The defect list.
        um: Micrometres per unit of length.
        stated: Inspected dies by the summary, 0 unknown.
        warnings: From reading.
    """

    about: About
    where: str
    path: str
    centre_um: tuple[float, float] | None
    dies: Places
    removed: Places
    defects: Table
    um: float = 1.0
    stated: int = 0
    warnings: tuple[str, ...] = ()


def wafer_of(found: Inspection, settings: WaferSettings) -> Wafer:
    """The wafer of an inspection, notch down: a die with a defect (of `settings.classes`) fails."""
    defects = _defects(found)
    place = np.stack([defects.column, defects.row], 1).astype(np.int64)  # XINDEX, YINDEX so far
    placed = place[:, 0] != _NOWHERE
    warned = [*found.warnings]
    if not placed.all():
        warned.append(f"{(~placed).sum()} defects have no die index; no die fails for them")
    counted = placed
    if settings.classes:
        counted = placed & np.isin(defects.label, settings.classes)
    known = _known_dies(found, place[placed], warned)
    if not len(known):
        raise FabsightError(
            f"read {found.where}: neither a SampleTestPlan nor defects nor pitch, centre and size "
            "of the wafer, so its dies cannot be known"
        )
    x, y = known.T
    wafer = arranged(Dies(x, y, _among(known, place[counted]), up=True), found.about, found.where)
    corner = wafer.about.placement
    wafer = replace(
        wafer,
        defects=replace(
            defects,
            row=np.where(placed, corner.y0 - place[:, 1], -1).astype(np.int32),
            column=np.where(placed, place[:, 0] - corner.x0, -1).astype(np.int32),
        ),
        warnings=tuple(warned),
    )
    return notch_down(wafer, settings)


_NOWHERE = -(2**31)  # stands for a missing die index until the grid is known


def _known_dies(found: Inspection, places: Places, warned: list[str]) -> Places:
    """The dies of the grid: those the file lists and those with a defect, else deduced ones."""
    with_defect = np.unique(places, axis=0)
    stated = f" (the summary states {found.stated})" if found.stated else ""
    listed = np.unique(found.dies, axis=0)
    listed = listed[~_among(listed, found.removed)]
    named = len(listed) > 0
    if not named:
        listed = _deduced(found)
    extra = with_defect[~_among(with_defect, listed)]
    dies = np.concatenate([listed, extra])
    if named and len(extra):
        warned.append(
            f"{len(extra)} dies with defects are not in the SampleTestPlan; they were added"
        )
    elif not named and len(listed):
        warned.append(
            f"no SampleTestPlan: {len(dies)} dies were deduced from die pitch, wafer size and "
            f"centre{stated}"
        )
    elif len(extra) and not named:
        warned.append(
            f"no SampleTestPlan, and pitch, size or centre are unknown: the {len(extra)} dies with "
            f"defects are the only ones known{stated}"
        )
    return dies


def _deduced(found: Inspection) -> Places:
    """The dies that lie whole on the wafer; none where pitch, size or centre are unknown."""
    width, height = found.about.pitch_um
    radius = found.about.diameter_mm * 500
    if not (width > 0 and height > 0 and radius > 0 and found.centre_um):
        return NO_PLACES
    across, up = 2 * radius / width + 2, 2 * radius / height + 2
    require_size(
        int(min(up, 1e9)), int(min(across, 1e9)), f"{found.where}: dies of {width} x {height} um"
    )
    x, y = found.centre_um
    columns = np.arange(int(np.floor((x - radius) / width)), int((x + radius) / width) + 1)
    rows = np.arange(int(np.floor((y - radius) / height)), int((y + radius) / height) + 1)
    far_x = np.maximum(np.abs(columns * width - x), np.abs((columns + 1) * width - x))
    far_y = np.maximum(np.abs(rows * height - y), np.abs((rows + 1) * height - y))
    row, column = np.nonzero(np.hypot(far_y[:, None], far_x[None]) <= radius)
    return np.stack([columns[column], rows[row]], 1).astype(np.int64)


def _defects(found: Inspection) -> Defects:
    """The defects; `column` and `row` are XINDEX and YINDEX so far."""
    table, count = found.defects, len(found.defects.lines)
    if count and not {"XINDEX", "YINDEX"} <= table.columns.keys():
        raise FabsightError(
            f"read {found.path}:{table.lines[0]}: the defect list has no XINDEX and YINDEX, so its "
            "defects belong to no die; export it with both"
        )

    def whole(name: str, missing: int) -> Int64[np.ndarray, " n"]:
        return _whole(table, name, found.path, missing, count)

    column, row = whole("XINDEX", _NOWHERE), whole("YINDEX", _NOWHERE)
    nowhere = (column == _NOWHERE) | (row == _NOWHERE)
    column, row = (np.where(nowhere, _NOWHERE, values) for values in (column, row))
    x_um, y_um = (
        _from_centre(found, axis, index)
        for axis, index in enumerate(np.where(nowhere, 0, v) for v in (column, row))
    )
    return Defects(
        id=whole("DEFECTID", 0).astype(np.int32),
        row=row.astype(np.int32),
        column=column.astype(np.int32),
        x_um=np.where(nowhere, np.nan, x_um),
        y_um=np.where(nowhere, np.nan, y_um),
        size_um=_sizes(found, count),
        label=whole("CLASSNUMBER", 0).astype(np.int32),
    )


def _from_centre(
    found: Inspection, axis: int, index: Int64[np.ndarray, " n"]
) -> Float64[np.ndarray, " n"]:
    pitch = found.about.pitch_um[axis]
    if not (found.centre_um and pitch > 0):
        return np.full(len(index), np.nan)
    within = numbers(found.defects, "XY"[axis] + "REL", found.path, len(index)) * found.um
    return np.asarray(within + index * pitch - found.centre_um[axis])


def _sizes(found: Inspection, count: int) -> Float64[np.ndarray, " n"]:
    size = numbers(found.defects, "DSIZE", found.path, count)
    for name in ("XSIZE", "YSIZE"):
        if "DSIZE" not in found.defects.columns:
            size = np.fmax(size, numbers(found.defects, name, found.path, count))
    return np.asarray(size * found.um)


def numbers(table: Table, name: str, path: str, count: int) -> Float64[np.ndarray, " n"]:
    """A column as numbers, NaN for NA and where there is no such column.

    Raises FabsightError naming the line of what is none.
    """
    tokens = table.columns.get(name)
    if tokens is None:
        return np.full(count, np.nan)
    try:
        values = np.array(tokens, np.float64)
    except ValueError:
        values = np.array(
            [_number(token, name, f"{path}:{line}") for token, line in zip_rows(tokens, table)],
            np.float64,
        )
    if np.isinf(values).any():
        line = table.lines[int(np.flatnonzero(np.isinf(values))[0])]
        raise FabsightError(f"read {path}:{line}: {name} is infinite; correct it or write NA")
    return values


def zip_rows(tokens: Sequence[str], table: Table) -> list[tuple[str, int]]:
    """A column's tokens with their lines."""
    return list(zip(tokens, table.lines, strict=True))


def _number(token: str, name: str, where: str) -> float:
    if token.strip('"').lower() in MISSING:
        return np.nan
    try:
        return float(token)
    except ValueError:
        raise FabsightError(
            f"read {where}: {name} should be a number, got {token[:40]!r}"
        ) from None


def _whole(table: Table, name: str, path: str, missing: int, count: int) -> Int64[np.ndarray, " n"]:
    values = numbers(table, name, path, count)
    known = ~np.isnan(values)
    wrong = known & ((values != np.rint(values)) | (np.abs(values) > MAX_COORDINATE))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise FabsightError(
            f"read {path}:{table.lines[row]}: {name} should be a whole number of 32 bits, got "
            f"{table.columns[name][row][:40]!r}"
        )
    return np.where(known, values, missing).astype(np.int64)


def _among(places: Places, others: Places) -> Bool[np.ndarray, " n"]:
    """Which places are among others.

    By sorting: `np.isin` hashes, and keys of this form collide.
    """
    if not len(others):
        return np.zeros(len(places), bool)
    key, keys = (where[:, 0] * 2**32 + where[:, 1] for where in (places, others))
    keys = np.sort(keys)
    return np.asarray(keys[np.minimum(np.searchsorted(keys, key), len(keys) - 1)] == key)


def side_of(word: str) -> Side | None:
    """Where OrientationMarkLocation puts the notch; degrees are clockwise from 6 o'clock.

    >>> side_of("LEFT"), side_of("270.0"), side_of("?")
    ('left', 'right', None)
    """
    word = word.strip('"').lower()
    if word in {"bottom": 0, "top": 0}:
        return "down" if word == "bottom" else "up"
    if re.fullmatch(r"[+-]?\d{1,4}(\.0*)?", word):
        turns, rest = divmod(int(float(word)), 90)
        return None if rest else SIDES[turns % 4]
    return next((side for side in SIDES if side == word), None)


_DATE = re.compile(r"(\d{1,4})[-/.](\d{1,2})[-/.](\d{1,4})")


def iso_time(date: str, clock: str) -> str:
    """Date and time in ISO 8601; as written where the order of the date is unknown.

    KLARF writes month, day, year, the year of two digits or four; some writers the ISO order.

    >>> iso_time("07-30-77", "0:17:07"), iso_time("2000-01-30", "15:40:57")
    ('1977-07-30T00:17:07', '2000-01-30T15:40:57')
    """
    written = f"{date} {clock}".strip()
    found = _DATE.fullmatch(date)
    if not found:
        return written
    a, b, c = (int(part) for part in found.groups())
    year, month, day = (a, b, c) if len(found[1]) == 4 else (c, a, b)
    if len(found[1]) != 4 and len(found[3]) <= 2:
        year += 1900 if year >= 70 else 2000
    if not (1 <= month <= 12 and 1 <= day <= 31 and year >= 1000):
        return written
    hours = re.fullmatch(r"(\d{1,2}):(\d{2}):(\d{2})", clock)
    time = f"T{int(hours[1]):02d}:{hours[2]}:{hours[3]}" if hours else ""
    return f"{year:04d}-{month:02d}-{day:02d}{time}"

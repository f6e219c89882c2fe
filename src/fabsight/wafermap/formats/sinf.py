"""SINF, the simplified integrator nested format: header lines of KEY:value, then rows of codes.

Read by the public descriptions of the format (Artwork Conversion Software, "Supported wafer map
formats"): FNLOC 0 top, 90 right, 180 bottom, 270 left; rows from the top; codes of two hexadecimal
digits, or three decimal ones; `__` no die, `@@` not inspected, FD and FE edge, FF reference die;
BCEQU the passing codes, 01 where it is missing.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from fabsight.task import FabsightError
from fabsight.wafermap.formats.bin_maps import Codes, Coding, coded, degrees_side, require_rows
from fabsight.wafermap.formats.contents import text_of
from fabsight.wafermap.formats.placing import drawn, notch_down, source_of
from fabsight.wafermap.settings import WaferSettings
from fabsight.wafermap.wafer import NO_DIE, About, Placement, Wafer

_UM = {"mm": 1000.0, "mil": 25.4, "mils": 25.4, "um": 1.0, "micron": 1.0, "microns": 1.0}
_OTHER = {"FD": "edge dies", "FE": "edge dies", "FF": "reference dies"}
MOST_REFERENCES = 8  # dies; some writers use FF for what fails
_LINE = re.compile(r"\s*([A-Za-z][\w#]*)\s*:(.*)")


@dataclass
class _Map:
    """One wafer's lines."""

    line: int
    header: dict[str, tuple[int, str]]
    rows: list[list[str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)


def read(path: Path, settings: WaferSettings) -> Iterator[Wafer]:
    """The wafers of a SINF file, in its order."""
    maps = list(_maps(text_of(path)))
    if not maps:
        raise FabsightError(f"read {path}: it has no RowData, so no map")
    seen: Counter[str] | None = Counter() if len(maps) > 1 else None
    for found in maps:
        wafer = _wafer(found, settings, path)
        yield replace(wafer, source=source_of(path, wafer.about, seen))


def _maps(text: str) -> Iterator[_Map]:
    """The maps: a header line after rows begins the next, which inherits what it does not say."""
    found = _Map(1, {})
    for number, line in enumerate(text.split("\n"), 1):
        match = _LINE.match(line)
        if not match:
            continue
        key, value = match[1].upper(), match[2].strip()
        if key == "ROWDATA":
            found.rows.append(value.split())
            found.lines.append(number)
            continue
        if found.rows:
            yield found
            found = _Map(number, dict(found.header))
        found.header[key] = (number, value.partition(";")[0].strip())
    if found.rows:
        yield found


def _wafer(found: _Map, settings: WaferSettings, path: Path) -> Wafer:
    def said(key: str) -> str:
        return found.header.get(key, (0, ""))[1]

    def where(key: str) -> str:
        return f"{path}:{found.header.get(key, (found.lines[0], ''))[0]}"

    columns = len(found.rows[0])
    require_rows(len(found.rows), said("ROWCT"), "ROWCT", where("ROWCT"))
    require_rows(columns, said("COLCT"), "COLCT", where("COLCT"), "columns")
    for row, line in zip(found.rows, found.lines, strict=True):
        if len(row) != columns:
            raise FabsightError(
                f"read {path}:{line}: a row of {len(row)} dies in a map of {columns} columns"
            )
    codes = _codes(found, said("BCEQU"))
    wafer = coded(
        [[code.upper() for code in row] for row in found.rows], found.lines, codes, settings,
        str(path),
    )  # fmt: skip
    _check_dies(said("DIECT"), wafer, found, where("DIECT"))
    about = About(
        lot=said("LOT"),
        wafer=said("WAFER"),
        device=said("DEVICE"),
        time=said("DATE") or said("TIME"),
        format="SINF",
        notch=degrees_side(said("FNLOC"), "up", where("FNLOC")),
        pitch_um=_pitch_um(said("DUTMS"), said("XDIES"), said("YDIES")),
        placement=Placement(),
    )
    whole = drawn(wafer.grid, about, f"{path}:{found.line}", wafer.bins)
    warned = wafer.warnings
    if _too_many_references(found) and "FF" not in codes.other:
        warned += ("code FF is taken for a bin: reference dies would not be so many",)
    return notch_down(replace(whole, warnings=warned), settings)


def _codes(found: _Map, passing: str) -> Codes:
    present = {code.upper() for row in found.rows for code in row}
    nothing = frozenset(code for code in present if set(code) <= {"_"})
    numbers = {code for code in present if code.isalnum()}
    width = max((len(code) for code in numbers), default=2)
    decimal = width != 2 and all(code.isdigit() for code in numbers)
    coding: Coding = "decimal" if decimal else "hexadecimal"
    other = {code: "not inspected" for code in present if set(code) == {"@"}}
    passes = frozenset(code.upper() for code in re.split(r"[,\s]+", passing) if code)
    if width == 2:
        other |= {code: name for code, name in _OTHER.items() if code not in passes}
        if _too_many_references(found):
            other.pop("FF", None)
    return Codes(coding, nothing, other, passes or frozenset(("1".zfill(width),)))


def _too_many_references(found: _Map) -> bool:
    """Whether so many dies have the code FF that it is a bin and not the mark of reference dies."""
    codes = Counter(code.upper() for row in found.rows for code in row)
    dies = sum(count for code, count in codes.items() if set(code) != {"_"})
    return codes["FF"] > max(MOST_REFERENCES, dies // 100)


def _check_dies(stated: str, wafer: Wafer, found: _Map, where: str) -> None:
    """Refuse a DIECT that is neither the number of product dies nor that of all codes."""
    if not stated:
        return
    dies = int((wafer.grid != NO_DIE).sum())
    drawn_codes = sum(set(code) != {"_"} for row in found.rows for code in row)
    if not (stated.isascii() and stated.isdigit()) or int(stated[:9]) not in (dies, drawn_codes):
        raise FabsightError(
            f"read {where}: DIECT states {stated[:20]} dies, the map has {dies} of product and "
            f"{drawn_codes} in all"
        )


def _pitch_um(unit: str, x: str, y: str) -> tuple[float, float]:
    try:
        width, height = (float(re.split(r"[^\d.eE+-]", side)[0]) for side in (x, y))
    except ValueError:
        return 0.0, 0.0
    scale = _UM.get(unit.lower(), 0.0)
    pitch = (width * scale, height * scale)
    return pitch if all(0 < side < 1e6 for side in pitch) else (0.0, 0.0)

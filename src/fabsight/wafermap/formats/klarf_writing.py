"""Wafers to KLARF 1.2 and 1.8."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np

from fabsight.files import replacing
from fabsight.task import FabsightError
from fabsight.wafermap.formats.klarf_sheets import Sheet, quoted, sheet_of, us_date
from fabsight.wafermap.wafer import Wafer

_EPOCH = ("01-01-1970", "00:00:00")
_COLUMNS = ["DEFECTID", "XREL", "YREL", "XINDEX", "YINDEX", "DSIZE", "CLASSNUMBER", "TEST"]
_DEGREES = {"down": 0, "left": 90, "up": 180, "right": 270}

Lines: TypeAlias = Iterator[str]


def write_klarf12(wafers: Iterable[Wafer], out: Path) -> tuple[str, ...]:
    """Write wafers to a KLARF 1.2 file, whole or not at all; what could not be kept.

    Raises FabsightError where there is no wafer, or the file cannot be written.
    """
    return _written(wafers, out, _lines12)


def write_klarf18(wafers: Iterable[Wafer], out: Path) -> tuple[str, ...]:
    """Write wafers to a KLARF 1.8 file, whole or not at all; what could not be kept.

    Raises FabsightError where there is no wafer, or the file cannot be written.
    """
    return _written(wafers, out, _lines18)


def _written(
    wafers: Iterable[Wafer],
    out: Path,
    lines: Callable[[Iterator[Sheet], Counter[str]], Lines],
) -> tuple[str, ...]:
    warned: Counter[str] = Counter()
    count = 0

    def sheets() -> Iterator[Sheet]:
        nonlocal count
        for wafer in wafers:
            count += 1
            yield sheet_of(wafer, warned)

    with replacing(Path(out)) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(line + "\n" for line in lines(sheets(), warned))
        if not count:
            raise FabsightError(f"write {out}: there is no wafer to write")
    return tuple(message.format(n=n) for message, n in warned.items())


def _lines12(sheets: Iterator[Sheet], warned: Counter[str]) -> Lines:
    said: dict[str, str] = {}
    for number, sheet in enumerate(sheets):
        if not number:
            yield "FileVersion 1 2;"
            yield f"FileTimestamp {' '.join(us_date(sheet.about.time) or _EPOCH)};"
            yield "SampleType WAFER;"
        header = _header12(sheet, warned)
        for keyword, values in header.items():
            if said.get(keyword) != values:
                yield f"{keyword} {values};"
        said |= header
        yield from _wafer12(sheet, warned)
    yield "EndOfFile;"


def _header12(sheet: Sheet, warned: Counter[str]) -> dict[str, str]:
    """Statements that hold until they are said again."""
    about = sheet.about
    date = us_date(about.time)
    return {
        "InspectionStationID": f'"" "" {quoted(about.equipment, warned)}',
        "ResultTimestamp": " ".join(date) if date else '"" ""',
        "LotID": quoted(about.lot, warned),
        "SampleSize": f"1 {about.diameter_mm!r}" if about.diameter_mm else "1 0",
        "DeviceID": quoted(about.device, warned),
        "StepID": quoted(about.step, warned),
        "SampleOrientationMarkType": "NOTCH",
        "OrientationMarkLocation": about.notch.upper(),
        "DiePitch": f"{sheet.pitch_um[0]!r} {sheet.pitch_um[1]!r}",
        "DieOrigin": "0.0 0.0",
    }


def _wafer12(sheet: Sheet, warned: Counter[str]) -> Lines:
    yield f"WaferID {quoted(sheet.about.wafer, warned)};"
    if sheet.about.slot:
        yield f"Slot {sheet.about.slot};"
    yield f"SampleCenterLocation {sheet.centre_um[0]!r} {sheet.centre_um[1]!r};"
    classes = np.unique(sheet.label).tolist()
    if classes:
        yield f"ClassLookup {len(classes)}"
        yield "\n".join(f' {label} "class {label}"' for label in classes) + ";"
    yield "InspectionTest 1;"
    yield f"SampleTestPlan {len(sheet.dies)}"
    yield "\n".join(f" {x} {y}" for x, y in sheet.dies.tolist()) + ";"
    yield f"AreaPerTest {_area_um2(sheet):.10e};"
    yield f"DefectRecordSpec {len(_COLUMNS)} {' '.join(_COLUMNS)};"
    rows = [
        f" {n} {x!r} {y!r} {i} {j} {size!r} {label} 1"
        for n, (x, y), (i, j), size, label in zip(
            sheet.id.tolist(),
            sheet.within_um.tolist(),
            sheet.index.tolist(),
            sheet.size_um.tolist(),
            sheet.label.tolist(),
            strict=True,
        )
    ]
    yield "DefectList" + "".join("\n" + row for row in rows) + ";"
    yield "SummarySpec 5 TESTNO NDEFECT DEFDENSITY NDIE NDEFDIE;"
    density = len(rows) / (_area_um2(sheet) * 1e-8)
    yield f"SummaryList\n 1 {len(rows)} {density:.10e} {len(sheet.dies)} {sheet.dies_with};"


def _area_um2(sheet: Sheet) -> float:
    return len(sheet.dies) * sheet.pitch_um[0] * sheet.pitch_um[1]


def _lines18(sheets: Iterator[Sheet], warned: Counter[str]) -> Lines:
    lot: str | None = None
    stamp = _EPOCH
    yield 'Record FileRecord "1.8"\n{'
    for sheet in sheets:
        if lot is None:
            stamp = us_date(sheet.about.time) or _EPOCH
        name = quoted(sheet.about.lot, warned)
        if name != lot:
            if lot is not None:
                yield "  }"
            yield f"  Record LotRecord {name}\n  {{"
            lot = name
        yield from _wafer18(sheet, warned)
    yield "  }" if lot is not None else ""
    yield f'  Field FileTimestamp 2 {{"{stamp[0]}", "{stamp[1]}"}}'
    yield "}\nEndOfFile;"


def _wafer18(sheet: Sheet, warned: Counter[str]) -> Lines:
    about = sheet.about
    date = us_date(about.time)
    centre, pitch = sheet.centre_um, sheet.pitch_um
    size = round(about.diameter_mm * 1e6)
    yield f"    Record WaferRecord {quoted(about.wafer, warned)}\n    {{"
    fields = {
        "DeviceID": (quoted(about.device, warned),),
        "StepID": (quoted(about.step, warned),),
        "InspectionStationID": ('""', '""', quoted(about.equipment, warned)),
        "ResultTimestamp": tuple(f'"{part}"' for part in date) if date else (),
        "SampleType": ('"WAFER"',),
        "SampleSize": (str(size), "0") if size else (),
        "SampleOrientationMarkType": ('"NOTCH"',),
        "OrientationMarkLocation": (str(_DEGREES[about.notch]),),
        "DiePitch": tuple(repr(round(side * 1000, 6)) for side in pitch),
        "DieOrigin": ("0", "0"),
        "SampleCenterLocation": tuple(repr(round(place * 1000, 6)) for place in centre),
        "SlotNumber": (str(about.slot),) if about.slot else (),
    }
    for name, values in fields.items():
        if values:
            yield f"      Field {name} {len(values)} {{{', '.join(values)}}}"
    rows = [
        f"{n} {round(x * 1000)} {round(y * 1000)} {i} {j} {size_um * 1000!r} {label} 1;"
        for n, (x, y), (i, j), size_um, label in zip(
            sheet.id.tolist(),
            sheet.within_um.tolist(),
            sheet.index.tolist(),
            sheet.size_um.tolist(),
            sheet.label.tolist(),
            strict=True,
        )
    ]
    types = ["float" if name == "DSIZE" else "int32" for name in _COLUMNS]
    yield from _list18("DefectList", [*zip(types, _COLUMNS, strict=True)], rows, "      ")
    yield '      Record TestRecord "1"\n      {'
    yield f"        Field AreaPerTest 1 {{{_area_um2(sheet) * 1e6:.10e}}}"
    plan = [f"{x} {y};" for x, y in sheet.dies.tolist()]
    both = [("int32", "XINDEX"), ("int32", "YINDEX")]
    yield from _list18("SampleTestPlanList", both, plan, "        ")
    yield "      }\n      Record SummaryRecord\n      {"
    summary = [("int32", name) for name in ("TESTNO", "NDEFECT", "NDIE", "NDEFDIE")]
    totals = [f"1 {len(rows)} {len(plan)} {sheet.dies_with};"]
    yield from _list18("TestSummaryList", summary, totals, "        ")
    yield "      }\n    }"


def _list18(name: str, columns: list[tuple[str, str]], rows: list[str], indent: str) -> Lines:
    typed = ", ".join(f"{kind} {column}" for kind, column in columns)
    yield f"{indent}List {name}\n{indent}{{"
    yield f"{indent}  Columns {len(columns)} {{ {typed} }}"
    yield f"{indent}  Data {len(rows)}\n{indent}  {{"
    if rows:
        yield "\n".join(f"{indent}    {row}" for row in rows)
    yield f"{indent}  }}\n{indent}}}"

"""KLARF 1.8: records, fields and lists; lengths in nm.

    text --parse--> Record --_inspection--> Inspection --wafer_of--> Wafer

A wafer's own fields win over its lot's. SampleTestPlanList, of each test or of the wafer, names the
inspected dies.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from fabsight.task import FabsightError
from fabsight.wafermap.formats.contents import text_of
from fabsight.wafermap.formats.klarf import (
    NO_PLACES,
    Inspection,
    Places,
    Table,
    iso_time,
    numbers,
    side_of,
    wafer_of,
)
from fabsight.wafermap.formats.klarf12 import diameter_mm, orientation_warnings
from fabsight.wafermap.formats.klarf18_grammar import Columns, Record, images_of, parse
from fabsight.wafermap.formats.placing import MAX_CELLS, MAX_COORDINATE, slot_of, source_of
from fabsight.wafermap.settings import WaferSettings
from fabsight.wafermap.wafer import About, Wafer

UM = 1e-3  # micrometres in the unit of length, nm
_PLANS = ("sampletestplanlist", "samplediemaplist", "sampletestplan", "samplediemap")


def read(path: Path, settings: WaferSettings) -> Iterator[Wafer]:
    """The wafers of a KLARF 1.8 file, in its order, one at a time."""
    files = parse(text_of(path), str(path))
    wafers = [found for file in files for found in wafer_records(file)]
    if not wafers:
        raise FabsightError(f"read {path}: it has no WaferRecord, so no wafer")
    seen: Counter[str] | None = Counter() if len(wafers) > 1 else None
    for version, lot, wafer in wafers:
        found = wafer_of(_inspection(version, lot, wafer, path), settings)
        yield replace(found, source=source_of(path, found.about, seen))


def wafer_records(file: Record) -> Iterator[tuple[str, Record, Record]]:
    """Version, lot and wafer record of each wafer of a file, in order."""
    lots = [*file.inside("lotrecord")] or [file]
    for lot in lots:
        for wafer in lot.inside("waferrecord"):
            yield file.name, lot, wafer


def _inspection(version: str, lot: Record, wafer: Record, path: Path) -> Inspection:
    where = f"{path}:{wafer.line}"
    values = lot.fields | wafer.fields
    pitch, centre, origin = (
        _pair(values, name, where) for name in ("diepitch", "samplecenterlocation", "dieorigin")
    )
    origin = origin or (0.0, 0.0)
    records = [wafer, *wafer.inside("testrecord")]
    places = [
        _places(record.lists[name], str(path), name)
        for record in records
        for name in _PLANS
        if name in record.lists
    ]
    removed = wafer.lists.get("removeddielist")
    defects = wafer.lists.get("defectlist")
    stated = _stated(wafer)
    if defects is None and stated.get("NDEFECT") != 0:
        raise FabsightError(
            f"read {where}: the wafer {wafer.name!r} has no DefectList and no summary that says it "
            "has no defects: it is cut off or was not inspected"
        )
    table = _table(defects, str(path)) if defects else Table()
    warned = [*orientation_warnings(values)]
    if "NDEFECT" in stated and stated["NDEFECT"] != len(table.lines):
        warned.append(
            f"the summary states {stated['NDEFECT']:.0f} defects, the DefectList has "
            f"{len(table.lines)}: some were not listed, or it was edited"
        )
    return Inspection(
        about=_about(version, lot, wafer, pitch),
        where=where,
        path=str(path),
        centre_um=(centre[0] - origin[0], centre[1] - origin[1]) if centre else None,
        dies=np.concatenate([NO_PLACES, *places]),
        removed=_places(removed, str(path), "RemovedDieList") if removed else NO_PLACES,
        defects=table,
        um=UM,
        stated=int(stated.get("NDIE", 0)),
        warnings=tuple(warned),
    )


def _table(found: Columns, path: str) -> Table:
    """The columns of a list; images are counted."""
    for k, name in enumerate(found.names):
        if name in ("IMAGEINFO", "IMAGELIST"):
            for row, line in zip(found.rows, found.lines, strict=True):
                stated, listed = images_of(row[k])
                if stated != listed:
                    raise FabsightError(
                        f"read {path}:{line}: a defect states {stated} images and lists {listed}"
                    )
    columns = list(zip(*found.rows, strict=True)) or [()] * len(found.names)
    return Table(dict(zip(found.names, columns, strict=True)), found.lines)


def _places(found: Columns, path: str, name: str) -> Places:
    table = _table(found, path)
    if not {"XINDEX", "YINDEX"} <= table.columns.keys():
        return NO_PLACES
    x, y = (numbers(table, column, path, len(table.lines)) for column in ("XINDEX", "YINDEX"))
    places = np.stack([x, y], 1)
    if len(places) > MAX_CELLS or not (np.abs(places) <= MAX_COORDINATE).all():
        line = table.lines[0]
        raise FabsightError(f"read {path}:{line}: {name}: no wafer has such dies")
    return places.astype(np.int64)


def _stated(wafer: Record) -> dict[str, float]:
    """The sums of TestSummaryList over the tests; a list that is not of numbers says nothing."""
    for record in wafer.inside("summaryrecord"):
        found = record.lists.get("testsummarylist")
        if found:
            try:
                totals = np.array(found.rows, np.float64).reshape(-1, len(found.names)).sum(0)
            except ValueError:
                continue
            return {
                name: float(total)
                for name, total in zip(found.names, totals, strict=True)
                if 0 <= total <= MAX_COORDINATE
            }
    return {}


def _about(version: str, lot: Record, wafer: Record, pitch: tuple[float, float] | None) -> About:
    values = lot.fields | wafer.fields

    def first(name: str) -> str:
        return "".join(values.get(name, [])[:1])

    notch = first("orientationmarklocation") or first("inspectionorientation")
    return About(
        lot=lot.name if lot.kind == "lotrecord" else first("lotid"),
        wafer=wafer.name,
        device=first("deviceid"),
        step=first("stepid"),
        slot=slot_of(first("slotnumber") or first("slot")),
        time=iso_time(*([*values.get("resulttimestamp", []), "", ""])[:2]),
        equipment=" ".join(part for part in values.get("inspectionstationid", []) if part),
        format=f"KLARF {version or '1.8'}",
        notch=side_of(notch) or "down",
        pitch_um=pitch or (0.0, 0.0),
        diameter_mm=diameter_mm(first("samplesize"), 1e-6),
    )


def _pair(values: dict[str, list[str]], name: str, where: str) -> tuple[float, float] | None:
    """Two lengths in um, None where they are missing."""
    found = values.get(name, [])
    if len(found) < 2:
        return None
    try:
        a, b = float(found[0]), float(found[1])
    except ValueError:
        a = b = np.nan
    if not (abs(a) < 1e12 and abs(b) < 1e12):
        raise FabsightError(
            f"read {where}: {name} should be two lengths in nm, got {', '.join(found[:2])[:40]!r}"
        )
    return a / 1000, b / 1000

"""KLARF 1.0 to 1.2: statements of a keyword and values, each ended by a semicolon.

    text --statements--> Statement --_groups--> a wafer's --_inspection--> Inspection --> Wafer

A wafer begins at WaferID; what stands before holds for all wafers until it is said again. Its
defects may be spread over several DefectLists with TiffFileName between; a record of the list
begins on a line of its own and may go on over lines, with the images it has.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import takewhile
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
    side_of,
    wafer_of,
)
from fabsight.wafermap.formats.klarf12_grammar import TOKEN, Statement, defect_rows, statements
from fabsight.wafermap.formats.placing import MAX_CELLS, MAX_COORDINATE, slot_of, source_of
from fabsight.wafermap.settings import WaferSettings
from fabsight.wafermap.wafer import About, Wafer

_WAFERS = re.compile(r"^[ \t]*WaferID\b", re.MULTILINE | re.IGNORECASE)
_READ = frozenset(
    ["DEFECTID", "XREL", "YREL", "XINDEX", "YINDEX", "XSIZE", "YSIZE", "DSIZE", "CLASSNUMBER"]
)
_PLANS = frozenset(("sampletestplan", "sampledietestplan", "samplediemap"))
_MAX_VALUES = 10_000  # characters of a statement that is no list


@dataclass
class Group:
    """The statements of one wafer.

    Attributes:
        line: Of the first.
        inherited: By keyword, what was said before.
        own: In order.
        ended: Whether something follows, EndOfFile at least.
    """

    line: int
    inherited: Mapping[str, Statement]
    own: list[Statement] = field(default_factory=list)
    ended: bool = True

    def before_defects(self) -> list[Statement]:
        """Its statements up to the first DefectList: what follows may be said of the next wafer."""
        return list(takewhile(lambda found: found.keyword != "defectlist", self.own))


def read(path: Path, settings: WaferSettings) -> Iterator[Wafer]:
    """The wafers of a KLARF 1.x file, in its order, one at a time."""
    text = text_of(path)
    seen: Counter[str] | None = Counter() if len(_WAFERS.findall(text)) > 1 else None
    none = True
    for group in groups(text, path):
        wafer = wafer_of(_inspection(group, text, path), settings)
        yield replace(wafer, source=source_of(path, wafer.about, seen))
        none = False
    if none:
        raise FabsightError(f"read {path}: it has no WaferID and no DefectList, so no wafer")


def groups(text: str, path: Path) -> Iterator[Group]:
    """The statements of each wafer.

    Raises FabsightError where the file ends inside a statement.
    """
    said: dict[str, Statement] = {}
    group: Group | None = None
    last: Group | None = None
    for found in statements(text):
        if not found.closed and found.keyword != "endoffile" and not text[found.end :].strip():
            raise FabsightError(
                f"read {path}:{found.line}: {found.keyword or 'a list'} has no semicolon and the "
                "file ends: it is cut off; copy it again"
            )
        if group and found.keyword in ("waferid", "fileversion", "endoffile"):
            yield group
            group = None
        if found.keyword == "fileversion":
            said = {}
        if found.keyword in ("waferid", "defectlist") and not group:
            if last and said.get("slot") in last.before_defects():
                said.pop("slot")  # another wafer's
            group = last = Group(found.line, dict(said))
        if group:
            group.own.append(found)
        said[found.keyword] = found
    if group:
        group.ended = False
        yield group


@dataclass
class _Lists:
    """What the lists of one wafer hold, being gathered."""

    places: list[Places] = field(default_factory=list)
    removed: list[Places] = field(default_factory=list)
    columns: dict[str, list[str]] = field(default_factory=dict)
    lines: list[int] = field(default_factory=list)
    defect_lists: int = 0
    summary: dict[str, float] = field(default_factory=dict)
    summary_line: int = 0


def _inspection(group: Group, text: str, path: Path) -> Inspection:
    said = dict(group.inherited)
    header: dict[str, Statement] = said
    lists = _Lists()
    for found in group.own:
        if found.keyword == "defectlist" or (not found.keyword and lists.defect_lists):
            if not lists.defect_lists:
                header = dict(said)  # what follows the defects is said of the next wafer
            _add_defects(lists, text, found, said.get("defectrecordspec"), path)
        elif found.keyword in _PLANS:
            lists.places.append(_places(text, found, path))
        elif found.keyword == "removeddielist":
            lists.removed.append(_places(text, found, path))
        elif found.keyword == "summarylist":
            _add_summary(lists, text, found, said.get("summaryspec"))
        said[found.keyword] = found
    if not lists.defect_lists:
        header = said
    values = {
        keyword: [token.strip('"') for token in TOKEN.findall(text, found.start, found.end)]
        for keyword, found in header.items()
        if found.end - found.start <= _MAX_VALUES
    }
    warned = _warnings(group, lists, values, f"{path}:{group.line}")
    if not lists.places and "sampletestplan" in group.inherited:
        lists.places.append(_places(text, group.inherited["sampletestplan"], path))
    pitch, centre, origin = (
        _pair(values, name, path, header)
        for name in ("diepitch", "samplecenterlocation", "dieorigin")
    )
    origin = origin or (0.0, 0.0)
    return Inspection(
        about=_about(values, pitch),
        where=f"{path}:{group.line}",
        path=str(path),
        centre_um=(centre[0] - origin[0], centre[1] - origin[1]) if centre else None,
        dies=np.concatenate([NO_PLACES, *lists.places]),
        removed=np.concatenate([NO_PLACES, *lists.removed]),
        defects=Table(lists.columns, lists.lines),
        stated=int(lists.summary.get("NDIE", 0)),
        warnings=warned,
    )


def _add_defects(
    lists: _Lists, text: str, found: Statement, spec: Statement | None, path: Path
) -> None:
    """Add the records of a DefectList, or of the numbers after a TiffFileName inside one."""
    lists.defect_lists += 1
    lines = [
        (found.values_line + i, TOKEN.findall(line) if '"' in line else line.split())
        for i, line in enumerate(text[found.start : found.end].split("\n"))
        if line and not line.isspace()
    ]
    names = columns_of(text, spec, path) if spec else ()
    for name in _READ.intersection(names):
        lists.columns.setdefault(name, [])
    if not lines:
        return
    if not spec:
        raise FabsightError(
            f"read {path}:{found.line}: a DefectList before any DefectRecordSpec: its columns are "
            "unknown"
        )
    rows = defect_rows(lines, names, str, str(path))
    for k, name in enumerate(names):
        if name in _READ:
            column = lists.columns[name]
            if len(column) != len(lists.lines):
                raise FabsightError(
                    f"read {path}:{spec.line}: {name} is not in the DefectRecordSpec of this "
                    "wafer's first DefectList, or twice in this one; one spec a wafer can be read"
                )
            column.extend([row[k] for _, row in rows])
    lists.lines.extend([line for line, _ in rows])


def columns_of(text: str, spec: Statement, path: Path) -> tuple[str, ...]:
    """The columns of a DefectRecordSpec, in capitals."""
    count, *names = TOKEN.findall(text, spec.start, spec.end) or [""]
    if not (count.isascii() and count.isdigit()) or int(count[:9]) != len(names):
        raise FabsightError(
            f"read {path}:{spec.line}: DefectRecordSpec states {count[:20] or 'no number of'} "
            f"columns and names {len(names)}"
        )
    return tuple(name.strip('"').upper() for name in names)


def _places(text: str, found: Statement, path: Path) -> Places:
    """The dies of SampleTestPlan, SampleDieMap or RemovedDieList, as many as it states."""
    tokens = text[found.start : found.end].split()
    if not tokens:
        return NO_PLACES
    try:
        count = int(tokens[0])
        values = np.array(tokens[1:], np.float64)
    except (ValueError, OverflowError):
        raise FabsightError(
            f"read {path}:{found.line}: {found.keyword} should hold whole numbers only"
        ) from None
    if len(values) != 2 * count:
        raise FabsightError(
            f"read {path}:{found.line}: {found.keyword} states {count:,} dies and lists "
            f"{len(values) / 2:g}"
        )
    if count > MAX_CELLS or not (np.abs(values) <= MAX_COORDINATE).all():
        raise FabsightError(f"read {path}:{found.line}: {found.keyword}: no wafer has such dies")
    return values.astype(np.int64).reshape(-1, 2)


def _add_summary(lists: _Lists, text: str, found: Statement, spec: Statement | None) -> None:
    """Add up the summary's columns over its tests; a summary of another form is left alone."""
    names = [name.upper() for name in text[spec.start : spec.end].split()[1:]] if spec else []
    try:
        values = np.array(text[found.start : found.end].split(), np.float64)
    except ValueError:
        return
    if names and len(values) % len(names) == 0:
        totals = values.reshape(-1, len(names)).sum(0)
        lists.summary = {
            name: float(total)
            for name, total in zip(names, totals, strict=True)
            if 0 <= total <= MAX_COORDINATE
        }
        lists.summary_line = found.line


def _warnings(
    group: Group, lists: _Lists, values: Mapping[str, list[str]], where: str
) -> tuple[str, ...]:
    """What a person should know; an error where the wafer's defects are not known."""
    stated = lists.summary.get("NDEFECT")
    if not lists.defect_lists and stated != 0:
        raise FabsightError(
            f"read {where}: the wafer {' '.join(values.get('waferid', ['']))!r} has no DefectList "
            "and no summary that says it has no defects: it is cut off or was not inspected"
        )
    warned = []
    if group.own[0].keyword != "waferid":
        warned.append("the file names no WaferID")
    if stated is not None and stated != len(lists.lines):
        warned.append(
            f"line {lists.summary_line}: the summary states {stated:.0f} defects, the DefectList "
            f"has {len(lists.lines)}: some were not listed, or it was edited"
        )
    if not group.ended:
        warned.append("the file has no EndOfFile; it may be cut off")
    if not lists.places and "sampletestplan" in group.inherited:
        warned.append("the wafer has no SampleTestPlan; that of the wafer before was taken")
    warned.extend(orientation_warnings(values))
    return tuple(warned)


def orientation_warnings(values: Mapping[str, list[str]]) -> Iterator[str]:
    """What a person should know about which way up the wafer is."""
    if "".join(values.get("coordinatesmirrored", [])[:1]).upper() in ("YES", "Y", "TRUE"):
        yield "CoordinatesMirrored is YES: the map is shown as the file has it"
    mark = "".join(values.get("orientationmarklocation", [])[:1])
    side = side_of(mark)
    if mark and side is None:
        yield f"OrientationMarkLocation {mark[:20]!r} is unknown: the notch is taken down"
    elif mark[:1].isdigit() and side != "down":
        yield (
            f"OrientationMarkLocation {mark} is taken as degrees clockwise from 6 o'clock: {side}"
        )


def _about(values: Mapping[str, list[str]], pitch: tuple[float, float] | None) -> About:
    def first(name: str) -> str:
        return " ".join(values.get(name, [])[:1])

    version = ".".join(values.get("fileversion", ["1"])[:2])
    size = values.get("samplesize", [])
    return About(
        lot=first("lotid"),
        wafer=first("waferid"),
        device=first("deviceid"),
        step=first("stepid"),
        slot=slot_of(first("slot")),
        time=iso_time(*([*values.get("resulttimestamp", []), "", ""])[:2]),
        equipment=" ".join(part for part in values.get("inspectionstationid", []) if part),
        format=f"KLARF {version}",
        notch=side_of(first("orientationmarklocation")) or "down",
        pitch_um=pitch or (0.0, 0.0),
        diameter_mm=diameter_mm(size[1] if size[:1] == ["1"] and len(size) > 1 else "", 1.0),
    )


def diameter_mm(token: str, mm: float) -> float:
    """A wafer's diameter of a token in units of `mm`, 0 where it is none.

    >>> diameter_mm("300", 1.0), diameter_mm("300000000", 1e-6), diameter_mm("x", 1.0)
    (300.0, 300.0, 0.0)
    """
    try:
        size = float(token) * mm
    except ValueError:
        return 0.0
    return round(size, 6) if 10 <= size <= 1000 else 0.0


def _pair(
    values: Mapping[str, list[str]], name: str, path: Path, header: Mapping[str, Statement]
) -> tuple[float, float] | None:
    """Two lengths, None where they are missing."""
    found = values.get(name, [])
    if len(found) < 2:
        return None
    try:
        a, b = float(found[0]), float(found[1])
    except ValueError:
        a = b = np.nan
    if not (abs(a) < 1e9 and abs(b) < 1e9):
        raise FabsightError(
            f"read {path}:{header[name].line}: {name} should be two lengths in um, got "
            f"{' '.join(found[:2])[:40]!r}"
        )
    return a, b

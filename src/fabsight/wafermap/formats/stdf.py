"""STDF V4: the wafers that a tester probed, from its map records.

    bytes --records--> Part --_gathered--> _Probed, a wafer's PRR --_wafer--> Wafer

A PRR belongs to the wafer that its test head has open (WIR to WRR). Of a die that was tested again
the last result counts. A PRR says itself whether its part passed; where it says that it does not
know (PART_FLG bit 4), the bin decides: HBR's flag, else `pass_bins`. WCR says which way
coordinates grow; without it x is taken to grow to the right and y upward, as in a plot of them.
"""

import datetime
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int32

from fabsight.task import FabsightError
from fabsight.wafermap.formats.contents import opened
from fabsight.wafermap.formats.placing import Dies, arranged, failing, notch_down, source_of
from fabsight.wafermap.formats.stdf_records import (
    HBR,
    MIR,
    MRR,
    PRR,
    WCR,
    WIR,
    WRR,
    Fields,
    Part,
    byte_order,
    records,
)
from fabsight.wafermap.settings import WaferSettings
from fabsight.wafermap.wafer import NO_BIN, About, Side, Wafer

MISSING = -32768  # a coordinate that is not known
UNKNOWN_COUNT = 2**32 - 1
_PRR_BYTES = 13  # up to Y_COORD; what follows is not read
_FAILED, _UNJUDGED = 0x08, 0x10
_NO_BIN = 65535
_UNIT_UM = {1: 25_400.0, 2: 10_000.0, 3: 1000.0, 4: 25.4}  # inches, centimetres, millimetres, mils
_FLAT: dict[str, Side] = {"D": "down", "U": "up", "L": "left", "R": "right"}


@dataclass
class _Probed:
    """One wafer's results, being gathered."""

    at: int
    wafer: str = ""
    started: int = 0
    prr: bytearray = field(default_factory=bytearray)
    count: int | None = None
    closed_at: int = -1


@dataclass
class _Lot:
    """What the file says of all its wafers, being gathered."""

    about: About = field(default_factory=About)
    right: bool = True
    up: bool = True
    oriented: bool = False
    passing: dict[int, bool] = field(default_factory=dict)
    loose: _Probed = field(default_factory=lambda: _Probed(0))
    ended: bool = False


def read(path: Path, settings: WaferSettings) -> Iterator[Wafer]:
    """The wafers of an STDF file, in the order they were begun."""
    with opened(path) as stream:
        head = stream.read(2**16)
        order = byte_order(head, path)
        lot, wafers = _gathered(records(stream, order, head), order, path)
    if not wafers and lot.loose.prr:
        wafers = [lot.loose]
    if not wafers:
        raise FabsightError(
            f"read {path}: no WIR and no PRR record: the file holds no wafer and no part"
        )
    seen: Counter[str] | None = Counter() if len(wafers) > 1 else None
    for probed in wafers:
        wafer = _wafer(probed, lot, order, path, settings)
        yield replace(wafer, source=source_of(path, wafer.about, seen))


def _gathered(parts: Iterator[Part], order: str, path: Path) -> tuple[_Lot, list[_Probed]]:
    lot, wafers = _Lot(), []
    open_at: dict[int, _Probed] = {}  # by test head
    for part in parts:
        if part.kind == PRR:
            if len(part.data) < _PRR_BYTES:
                raise FabsightError(
                    f"read {path}: byte {part.at:,}: a PRR of {len(part.data)} bytes has no "
                    "coordinates; the file is damaged"
                )
            probed = open_at.get(part.data[0], lot.loose)
            probed.prr += part.data[:_PRR_BYTES]
        elif part.kind == WIR:
            fields = Fields(part, order)
            test_head, _ = fields.number("B", 1), fields.number("B", 0)
            started = fields.number("I", 0)
            open_at[test_head] = _Probed(part.at, fields.text(), started)
            wafers.append(open_at[test_head])
        elif part.kind == WRR:
            _close(open_at, part, order, path)
        else:
            _note(lot, part, order)
    return lot, wafers


def _close(open_at: dict[int, _Probed], part: Part, order: str, path: Path) -> None:
    fields = Fields(part, order)
    test_head = fields.number("B", 1)
    probed = open_at.pop(test_head, None)
    if probed is None:
        raise FabsightError(
            f"read {path}: byte {part.at:,}: a WRR of test head {test_head}, which has no wafer "
            "open; a WIR is missing"
        )
    fields.number("B", 0), fields.number("I", 0)
    count = fields.number("I", UNKNOWN_COUNT)
    probed.count = None if count == UNKNOWN_COUNT else count
    probed.closed_at = part.at
    for _ in range(4):
        fields.number("I", 0)
    probed.wafer = probed.wafer or fields.text()


def _note(lot: _Lot, part: Part, order: str) -> None:
    """Keep what MIR, WCR, HBR and MRR say of the whole file."""
    fields = Fields(part, order)
    if part.kind == MIR:
        lot.about = replace(_of_mir(fields), format="STDF V4")
    elif part.kind == WCR:
        _orient(lot, fields)
    elif part.kind == HBR:
        fields.number("H", 0)
        number, _ = fields.number("H", _NO_BIN), fields.number("I", 0)
        flag = fields.character()
        if flag in ("P", "F"):
            lot.passing[number] = flag == "P"
    elif part.kind == MRR:
        lot.ended = True


def _of_mir(fields: Fields) -> About:
    fields.number("I", 0)
    started = fields.number("I", 0)
    for form in "BBBBHB":  # station, mode, retest, protection, burn-in time, command mode
        fields.number(form, 0)
    lot, device, node, tester, job = (fields.text() for _ in range(5))
    fields.text(), fields.text()  # job revision, sublot
    operator, executive, version, code = (fields.text() for _ in range(4))
    del job, operator, executive, version
    return About(
        lot=lot, device=device, step=code, time=_iso(started), equipment=f"{tester} {node}".strip()
    )


def _orient(lot: _Lot, fields: Fields) -> None:
    size, height, width = fields.real(), fields.real(), fields.real()
    um = _UNIT_UM.get(fields.number("B", 0), 0.0)
    flat = fields.character().upper()
    fields.number("h", MISSING), fields.number("h", MISSING)
    right, up = fields.character().upper(), fields.character().upper()
    if right in ("L", "R"):
        lot.right = right == "R"
    if up in ("U", "D"):
        lot.up = up == "U"
    lot.oriented = up in ("U", "D")
    pitch = (width * um, height * um)
    diameter = size * um / 1000
    lot.about = replace(
        lot.about,
        notch=_FLAT.get(flat, "down"),
        pitch_um=pitch if all(0 < side < 1e6 for side in pitch) else (0.0, 0.0),
        diameter_mm=round(diameter, 6) if 10 <= diameter <= 1000 else 0.0,
    )


def _wafer(probed: _Probed, lot: _Lot, order: str, path: Path, settings: WaferSettings) -> Wafer:
    where = f"{path}: wafer {probed.wafer!r} (byte {probed.at:,})"
    prr = _results(bytes(probed.prr), order)
    placed = (prr["x"] != MISSING) & (prr["y"] != MISSING)
    x, y = (prr[axis][placed].astype(np.int64) for axis in "xy")
    _check_count(probed, len(prr), len(np.unique(x * 2**17 + y)), where)
    hard, soft = (_bins(prr[name][placed]) for name in ("hard", "soft"))
    failed = _failed(prr["flag"][placed], hard, lot, settings)
    about = replace(lot.about, wafer=probed.wafer, time=_iso(probed.started) or lot.about.time)
    dies = Dies(x, y, failed, hard, soft, right=lot.right, up=lot.up)
    wafer = notch_down(arranged(dies, about, where), settings)
    warned = [*wafer.warnings]
    if not placed.all():
        warned.append(f"{(~placed).sum()} parts have no coordinates and are not on the map")
    if probed is lot.loose:
        warned.append("the file has no WIR: all its parts are taken for one wafer")
    elif lot.loose.prr:
        count = len(lot.loose.prr) // _PRR_BYTES
        warned.append(f"{count} parts of the file belong to no wafer and are on no map")
    if not lot.oriented:
        warned.append("no WCR says which way y grows: taken upward")
    if not lot.ended:
        warned.append("the file has no MRR, its last record: the test was broken off")
    return replace(wafer, warnings=tuple(warned))


def _results(data: bytes, order: str) -> np.ndarray:
    names = ("head", "site", "flag", "tests", "hard", "soft", "x", "y")
    forms = ("u1", "u1", "u1", "u2", "u2", "u2", "i2", "i2")
    return np.frombuffer(
        data, np.dtype([(n, order + f) for n, f in zip(names, forms, strict=True)])
    )


def _check_count(probed: _Probed, results: int, distinct: int, where: str) -> None:
    """Refuse a wafer whose WRR states another number of parts than there are PRR.

    Testers count a part that was tested again once or each time.
    """
    if probed.count is not None and probed.count not in (results, distinct):
        raise FabsightError(
            f"read {where}: the WRR at byte {probed.closed_at:,} states {probed.count:,} parts, "
            f"the file has {results:,} PRR on {distinct:,} coordinates: results are missing"
        )


def _bins(numbers: np.ndarray) -> Int32[np.ndarray, " n"]:
    return np.where(numbers == _NO_BIN, NO_BIN, numbers.astype(np.int32)).astype(np.int32)


def _failed(
    flag: np.ndarray, hard: Int32[np.ndarray, " n"], lot: _Lot, settings: WaferSettings
) -> Bool[np.ndarray, " n"]:
    passed = (flag & _FAILED) == 0
    unjudged = (flag & _UNJUDGED) != 0
    by_bin = np.isin(hard, settings.pass_bins)
    for number, passes in lot.passing.items():
        by_bin[hard == number] = passes
    return failing(hard, np.where(unjudged, by_bin, passed), settings)


def _iso(seconds: int) -> str:
    """A time of STDF (seconds since 1970, the tester's local time) in ISO 8601, "" for 0."""
    if not seconds:
        return ""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S")

"""Wafers to SEMI G85: XML of the map, notch down, rows from the top."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
from jaxtyping import Int64

from fabsight.files import replacing
from fabsight.task import FabsightError
from fabsight.wafermap.wafer import FAIL, NO_DIE, PASS, Wafer

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LEAST_WIDTH = 3  # characters of a decimal code


@dataclass(frozen=True, eq=False)
class _Coded:
    """A grid of codes and what they mean.

    Attributes:
        codes: Of each cell; -1 no die.
        bins: Code -> passes, description.
        moved: Dies that could not keep their bin.
    """

    codes: Int64[np.ndarray, "rows columns"]
    bins: dict[int, tuple[bool, str]]
    moved: int


def write_g85(wafers: Iterable[Wafer], out: Path) -> tuple[str, ...]:
    """Write wafers to a G85 file, whole or not at all; what could not be kept.

    Raises FabsightError where there is no wafer, or the file cannot be written.
    """
    warned: Counter[str] = Counter()
    count = 0
    with (
        replacing(Path(out)) as part,
        part.open("w", encoding="utf-8", newline="\n") as file,
    ):
        file.write('<?xml version="1.0" encoding="utf-8"?>\n<Maps>\n')
        for wafer in wafers:
            file.writelines(_map(wafer, warned))
            count += 1
        file.write("</Maps>\n")
        if not count:
            raise FabsightError(f"write {out}: there is no wafer to write")
    return tuple(message.format(n=n) for message, n in warned.items())


def _map(wafer: Wafer, warned: Counter[str]) -> Iterator[str]:
    about = wafer.about
    coded = _coded(wafer)
    if coded.moved:
        warned["{n} dies got another bin: in G85 a bin passes or fails as a whole"] += coded.moved
    if wafer.defects is not None:
        warned["the defects of {n} wafers are not kept in G85"] += 1
    if wafer.soft_bins is not None:
        warned["the soft bins of {n} wafers are not kept in G85"] += 1
    width = max(_LEAST_WIDTH, len(str(max(coded.bins, default=0) + 1)))
    null = "9" * width
    if int(null) in coded.bins:
        width, null = width + 1, null + "9"
    rows, columns = wafer.grid.shape
    device = {
        "ProductId": about.device,
        "LotId": about.lot,
        "CreateDate": _stamp(about.time),
        "SupplierName": about.equipment,
        "WaferSize": f"{about.diameter_mm:g}" if about.diameter_mm else "",
        "DeviceSizeX": repr(about.pitch_um[0]) if about.pitch_um[0] else "",
        "DeviceSizeY": repr(about.pitch_um[1]) if about.pitch_um[1] else "",
        "Rows": str(rows),
        "Columns": str(columns),
        "Orientation": "0",
        "OriginLocation": "2",
        "BinType": "Decimal",
        "NullBin": null,
    }
    name = {"WaferId": about.wafer, "FormatRevision": "G85-1101"}
    yield f'  <Map xmlns:semi="http://www.semi.org"{_attributes(name, warned)}>\n'
    yield f"    <Device{_attributes(device, warned)}>\n"
    for code, (passes, text) in sorted(coded.bins.items()):
        said = {
            "BinCode": f"{code:0{width}d}",
            "BinQuality": "Pass" if passes else "Fail",
            "BinCount": str(int((coded.codes == code).sum())),
            "BinDescription": text,
        }
        yield f"      <Bin{_attributes(said, warned)}/>\n"
    yield '      <Data MapName="Map" MapVersion="1">\n'
    words = {code: f"{code:0{width}d}" for code in coded.bins} | {-1: null}
    for row in coded.codes.tolist():
        yield f"        <Row><![CDATA[{' '.join(words[code] for code in row)}]]></Row>\n"
    yield "      </Data>\n    </Device>\n  </Map>\n"


def _stamp(time: str) -> str:
    """A time of ISO 8601 in fourteen digits, as G85 has it; any other as it is."""
    digits = re.sub(r"[-:T]", "", time)
    return digits if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", time, re.ASCII) else time


def _coded(wafer: Wafer) -> _Coded:
    """Codes of a wafer's dies: its bins, and new ones for dies that its bins cannot tell apart."""
    grid = wafer.grid
    codes = np.full(grid.shape, -1, np.int64)
    if wafer.bins is None:
        codes[grid == PASS], codes[grid == FAIL] = 1, 0
        there = {1: (True, ""), 0: (False, "")}
        return _Coded(codes, {k: v for k, v in there.items() if (codes == k).any()}, 0)
    bins: dict[int, tuple[bool, str]] = {}
    dies = grid != NO_DIE
    codes[dies] = wafer.bins[dies]
    fresh = int(codes.max(initial=0)) + 1
    moved = 0
    for number in np.unique(codes[dies]).tolist():
        passing, failing = (dies & (codes == number) & (grid == s) for s in (PASS, FAIL))
        keeps = passing.sum() >= failing.sum()
        for passes, mask in ((True, passing), (False, failing)):
            if not mask.any():
                continue
            code = number
            if number < 0 or passes != keeps:
                code, fresh = fresh, fresh + 1
                moved += int(mask.sum())
            codes[mask] = code
            bins[code] = (passes, "" if code == number else f"was bin {number}")
    return _Coded(codes, bins, moved)


def _attributes(values: dict[str, str], warned: Counter[str]) -> str:
    """The attributes that say something."""
    written = ""
    for key, value in values.items():
        if not value:
            continue
        clean = _NOT_XML.sub("?", value)
        if clean != value:
            warned["{n} names have characters that XML cannot hold; they became ?"] += 1
        written += f" {key}={quoteattr(clean)}"
    return written

"""SEMI G85 map files: XML of Maps, Map, Device, Bin, Data and Row.

Rules as public descriptions and importers of the format give them: rows from the top, codes from
the left; Orientation is the notch in degrees clockwise from the bottom; OriginLocation numbers the
corner that die coordinates start from (0 centre, 1 upper right, 2 upper left, 3 lower left, 4 lower
right, as ORLOC of SEMI E5); BinQuality says which bins pass.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from fabsight.task import FabsightError
from fabsight.wafermap.formats.bin_maps import (
    Codes,
    Coding,
    coded,
    degrees_side,
    require_rows,
    split_row,
)
from fabsight.wafermap.formats.placing import drawn, notch_down, source_of
from fabsight.wafermap.formats.xml_tree import Node, read_tree
from fabsight.wafermap.settings import WaferSettings
from fabsight.wafermap.wafer import About, Placement, Wafer

CODINGS: dict[str, tuple[Coding, int]] = {  # in small letters: coding, characters of a code
    "ascii": ("ascii", 1),
    "decimal": ("decimal", 3),
    "hexadecimal": ("hexadecimal", 2),
    "integer2": ("hexadecimal", 4),
}
_PASS = ("pass", "good")
_FAIL = ("fail", "bad", "reject")


def read(path: Path, settings: WaferSettings) -> Iterator[Wafer]:
    """The wafers of a G85 file, in its order."""
    root = read_tree(path)
    maps = [root] if root.name == "map" else list(root.all("map"))
    if not maps:
        raise FabsightError(f"read {path}: it has no Map element, so no wafer")
    seen: Counter[str] | None = Counter() if len(maps) > 1 else None
    for found in maps:
        wafer = _wafer(found, settings, path)
        yield replace(wafer, source=source_of(path, wafer.about, seen))


def _wafer(found: Node, settings: WaferSettings, path: Path) -> Wafer:
    where = f"{path}:{found.line}"
    device = found.first("device")
    nodes = list(device.all("row")) if device else []
    if device is None or not nodes:
        raise FabsightError(f"read {where}: the Map has no Device with rows, so no dies")
    null = device.attributes.get("nullbin", "")
    coding, width = coding_of(device.get("bintype"), null)
    columns = device.get("columns")
    rows, lines = rows_of(nodes, columns, width, "Columns", path)
    require_rows(len(rows), device.get("rows"), "Rows", f"{path}:{device.line}")
    bins = list(device.all("bin"))
    codes = codes_of(bins, coding, null)
    wafer = coded(rows, lines, codes, settings, str(path))
    check_counts(bins, rows, path)
    place = _placement(device.get("originlocation"), len(rows), len(rows[0]))
    about = About(
        lot=device.get("lotid") or device.get("lotno") or found.get("lotid"),
        wafer=found.get("waferid") or found.get("substrateid"),
        device=device.get("productid"),
        time=iso_stamp(device.get("createdate")),
        equipment=device.get("suppliername"),
        format="SEMI G85",
        notch=degrees_side(device.get("orientation"), "down", f"{path}:{device.line}"),
        pitch_um=_pitch_um(device),
        diameter_mm=_diameter_mm(device.get("wafersize")),
        placement=place,
    )
    whole = drawn(wafer.grid, about, where, wafer.bins)
    return notch_down(replace(whole, warnings=wafer.warnings), settings)


def coding_of(kind: str, null: str) -> tuple[Coding, int]:
    """How codes are written, and how many characters one has.

    >>> coding_of("HexaDecimal", "FF"), coding_of("", ".")
    (('hexadecimal', 2), ('ascii', 1))
    """
    name = kind.lower().replace("-", "").rstrip("46")
    if name in CODINGS:
        coding, width = CODINGS[name]
        return coding, len(null) or width
    return ("ascii", 1) if len(null) == 1 and not null.isdigit() else ("decimal", len(null) or 3)


def rows_of(
    nodes: list[Node], columns: str, width: int, what: str, path: Path
) -> tuple[list[list[str]], list[int]]:
    """The codes of each row and its line, all rows as long as the first and as stated."""
    stated = int(columns) if columns.isascii() and columns.isdigit() and len(columns) < 9 else 0
    rows = [split_row(node.text, stated, width) for node in nodes]
    for row, node in zip(rows, nodes, strict=True):
        require_rows(len(row), columns, what, f"{path}:{node.line}", "columns")
        if len(row) != len(rows[0]):
            raise FabsightError(
                f"read {path}:{node.line}: a row of {len(row)} dies in a map of {len(rows[0])} "
                "columns"
            )
    if not rows[0]:
        raise FabsightError(f"read {path}:{nodes[0].line}: the row is empty")
    return rows, [node.line for node in nodes]


def codes_of(bins: list[Node], coding: Coding, null: str) -> Codes:
    """What codes stand for, by the quality of their bins."""
    quality = {node.attributes.get("bincode", ""): node.get("binquality").lower() for node in bins}
    other = {
        code: f"of quality {said}"
        for code, said in quality.items()
        if said and not said.startswith(_PASS + _FAIL) and not said.startswith("null")
    }
    judged = any(said.startswith(_PASS + _FAIL) for said in quality.values())
    if not judged:
        other = {}  # the qualities are no qualities: some writers put names of bins there
    nothing = {null} | {code for code, said in quality.items() if said.startswith("null")}
    passing = frozenset(code for code, said in quality.items() if said.startswith(_PASS))
    return Codes(coding, frozenset(nothing), other, passing if judged else None)


def check_counts(bins: list[Node], rows: list[list[str]], path: Path) -> None:
    """Refuse a map in which a bin has another number of dies than its BinCount."""
    counts = Counter(code for row in rows for code in row)
    for node in bins:
        code, stated = node.attributes.get("bincode", ""), node.get("bincount")
        if stated.isascii() and stated.isdigit() and int(stated[:9]) != _times(code, counts):
            raise FabsightError(
                f"read {path}:{node.line}: bin {code[:20]} states {stated[:12]} dies, the map has "
                f"{_times(code, counts)}"
            )


def _times(code: str, counts: Counter[str]) -> int:
    """How often a code occurs; bins are also named without leading zeros."""
    if code in counts or not code.isdigit():
        return counts[code]
    return sum(n for other, n in counts.items() if other.isdigit() and int(other) == int(code))


def _placement(origin: str, rows: int, columns: int) -> Placement:
    """Die coordinates, which start at 0 in the origin's corner."""
    left, top = Placement(), Placement(y0=rows - 1, y_row=-1)
    by_corner = {
        "1": Placement(x0=columns - 1, x_column=-1),
        "2": left,
        "3": top,
        "4": Placement(x0=columns - 1, x_column=-1, y0=rows - 1, y_row=-1),
        "0": Placement(x0=-(columns // 2), y0=-(rows // 2)),
    }
    return by_corner.get(origin, top)


def _pitch_um(device: Node) -> tuple[float, float]:
    """DeviceSizeX and Y, which are in um."""
    try:
        pitch = (float(device.get("devicesizex")), float(device.get("devicesizey")))
    except ValueError:
        return 0.0, 0.0
    return pitch if all(0 < side < 1e6 for side in pitch) else (0.0, 0.0)


def _diameter_mm(text: str) -> float:
    try:
        size = float(text)
    except ValueError:
        return 0.0
    return size if 10 <= size <= 1000 else 0.0


def iso_stamp(text: str) -> str:
    """A time of fourteen digits in ISO 8601, any other as written.

    >>> iso_stamp("2009022511532100"), iso_stamp("yesterday")
    ('2009-02-25T11:53:21', 'yesterday')
    """
    if not (text.isascii() and text.isdigit() and len(text) >= 14):
        return text
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}T{text[8:10]}:{text[10:12]}:{text[12:14]}"

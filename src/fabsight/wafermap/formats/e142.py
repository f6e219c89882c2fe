"""SEMI E142 substrate maps: XML of MapData, Layouts, Substrates and SubstrateMaps.

Rules as public descriptions and importers of the format give them: the rows of a 2DArray are drawn
from the top, codes from the left; Orientation is the notch in degrees clockwise from the bottom;
OriginLocation (LowerLeft where missing) and AxisDirection (UpRight where missing) number the dies.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from fabsight.task import FabsightError
from fabsight.wafermap.formats.bin_maps import coded, degrees_side, require_rows
from fabsight.wafermap.formats.g85 import check_counts, codes_of, coding_of, iso_stamp, rows_of
from fabsight.wafermap.formats.placing import drawn, notch_down, slot_of, source_of
from fabsight.wafermap.formats.xml_tree import Node, read_tree
from fabsight.wafermap.settings import WaferSettings
from fabsight.wafermap.wafer import About, Placement, Wafer

_UM = {"mm": 1000.0, "um": 1.0, "micron": 1.0, "cm": 10_000.0, "inch": 25_400.0, "mil": 25.4}


def read(path: Path, settings: WaferSettings) -> Iterator[Wafer]:
    """The wafers of an E142 file, in its order."""
    root = read_tree(path)
    maps = [node for node in root.all("substratemap") if node.first("bincodemap")]
    if not maps:
        raise FabsightError(f"read {path}: it has no SubstrateMap with a BinCodeMap, so no wafer")
    seen: Counter[str] | None = Counter() if len(maps) > 1 else None
    for found in maps:
        wafer = _wafer(found, root, settings, path)
        yield replace(wafer, source=source_of(path, wafer.about, seen))


def _wafer(found: Node, root: Node, settings: WaferSettings, path: Path) -> Wafer:
    where = f"{path}:{found.line}"
    kind = found.get("substratetype")
    if kind and not kind.lower().startswith("wafer"):
        raise FabsightError(f"read {where}: it maps a {kind[:40]}; only wafers can be read")
    codemap = found.first("bincodemap")
    assert codemap
    form = codemap.get("maptype")
    nodes = list(codemap.all("bincode"))
    if (form and form.lower() != "2darray") or not nodes:
        raise FabsightError(
            f"read {path}:{codemap.line}: a map of type {form[:40] or '2DArray'} with {len(nodes)} "
            "rows; a 2DArray with rows can be read"
        )
    layout = _layout(found, root)
    size = next((n for n in layout.children if n.name == "dimension"), None) if layout else None
    null = codemap.attributes.get("nullbin", "")
    coding, width = coding_of(codemap.get("bintype"), null)
    columns = size.get("x") if size else ""
    rows, lines = rows_of(nodes, columns, width, "Dimension X", path)
    require_rows(len(rows), size.get("y") if size else "", "Dimension Y", where)
    bins = list(codemap.all("bindefinition"))
    wafer = coded(rows, lines, codes_of(bins, coding, null), settings, str(path))
    check_counts(bins, rows, path)
    about = _about(found, root, layout, where)
    place = _placement(
        found.get("originlocation").lower(), found.get("axisdirection").lower(),
        len(rows), len(rows[0]),
    )  # fmt: skip
    whole = drawn(wafer.grid, replace(about, placement=place), where, wafer.bins)
    return notch_down(replace(whole, warnings=wafer.warnings), settings)


def _layout(found: Node, root: Node) -> Node | None:
    """The layout that a map names, by the last part of its LayoutSpecifier."""
    name = found.get("layoutspecifier").rpartition("/")[2].lower()
    layouts = list(root.all("layout"))
    named = [node for node in layouts if node.get("layoutid").lower() == name]
    return next(iter(named if name or len(layouts) != 1 else layouts), None)


def _about(found: Node, root: Node, layout: Node | None, where: str) -> About:
    name = found.get("substrateid")
    substrates = [n for n in root.all("substrate") if n.get("substrateid") == name]
    substrate = substrates[0] if substrates else Node("", 0)
    return About(
        lot=substrate.get("lotid") or found.get("lotid"),
        wafer=name,
        device=layout.get("productid") if layout else "",
        slot=slot_of(substrate.get("slotnumber")),
        time=iso_stamp(substrate.get("createdate")),
        equipment=substrate.get("suppliername"),
        format="SEMI E142",
        notch=degrees_side(found.get("orientation"), "down", where),
        pitch_um=_pitch_um(layout),
    )


def _pitch_um(layout: Node | None) -> tuple[float, float]:
    """StepSize, else DeviceSize."""
    for name in ("stepsize", "devicesize"):
        node = next((n for n in layout.children if n.name == name), None) if layout else None
        if layout is None or node is None:
            continue
        unit = (node.get("units") or layout.get("defaultunits") or "mm").lower().replace("µ", "u")
        scale = next((um for word, um in _UM.items() if unit.startswith(word)), 0.0)
        try:
            pitch = (float(node.get("x")) * scale, float(node.get("y")) * scale)
        except ValueError:
            continue
        if all(0 < side < 1e6 for side in pitch):
            return pitch
    return 0.0, 0.0


def _placement(origin: str, axes: str, rows: int, columns: int) -> Placement:
    """Die coordinates: 0 at the origin, growing along the axes.

    An origin on the far side of an axis gives coordinates that are 0 or negative.
    """
    right, down = "left" not in axes, "down" in axes
    if "center" in origin or "centre" in origin:
        zero_row, zero_column = rows // 2, columns // 2
    else:
        zero_row = 0 if "upper" in origin else rows - 1
        zero_column = columns - 1 if "right" in origin else 0
    x_column, y_row = 1 if right else -1, 1 if down else -1
    return Placement(
        x0=-zero_column * x_column, y0=-zero_row * y_row, y_row=y_row, x_column=x_column
    )

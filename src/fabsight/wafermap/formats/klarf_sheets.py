"""A wafer as KLARF of any version writes it: die indices, lengths in um, a defect a row.

A map of bins has no defects: each failing die gets one, at its centre, of the class of its bin.
"""

import re
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, Int64

from fabsight.wafermap.formats.placing import as_filed
from fabsight.wafermap.wafer import FAIL, NO_DIE, About, Defects, Grid, Placement, Wafer

UNKNOWN_DIAMETER_MM = 300.0
_ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:T(\d\d:\d\d:\d\d))?", re.ASCII)


@dataclass(frozen=True, eq=False)
class Sheet:
    """A wafer's figures in KLARF's coordinates: x to the right, y up.

    Attributes:
        about: Of the wafer as it was turned in its file.
        pitch_um: Of the dies.
        centre_um: SampleCenterLocation.
        dies: (XINDEX, YINDEX) of each die.
        id, size_um, label: Of each defect.
        index: (XINDEX, YINDEX) of each defect.
        within_um: (XREL, YREL) of each defect.
        dies_with: How many dies have a defect.
    """

    about: About
    pitch_um: tuple[float, float]
    centre_um: tuple[float, float]
    dies: Int64[np.ndarray, "n 2"]
    id: Int64[np.ndarray, " m"]
    size_um: Float64[np.ndarray, " m"]
    label: Int64[np.ndarray, " m"]
    index: Int64[np.ndarray, "m 2"]
    within_um: Float64[np.ndarray, "m 2"]
    dies_with: int


def sheet_of(wafer: Wafer, warned: Counter[str]) -> Sheet:
    """The sheet of a wafer; `warned` counts what could not be kept."""
    filed = as_filed(wafer)
    place = filed.about.placement
    if (place.x_column, place.y_row) != (1, -1):
        filed = _renumbered(wafer)
        place = filed.about.placement
        warned["the dies of {n} wafers are numbered anew: KLARF counts to the right and up"] += 1
    pitch = filed.about.pitch_um
    if not pitch[0]:
        size = (filed.about.diameter_mm or UNKNOWN_DIAMETER_MM) * 1000
        pitch = (size / filed.grid.shape[1], size / filed.grid.shape[0])
        warned["the die pitch of {n} wafers is unknown; one that fills the wafer was written"] += 1
    corner = np.array([place.x0, place.y0])
    row, column = np.nonzero(filed.grid != NO_DIE)
    dies = np.stack([column, -row], 1) + corner
    found = filed.defects or _none()
    found = _with_synthetic(found, filed, warned)
    inside = found.row >= 0
    if not inside.all():
        warned["{n} defects without a die were left out"] += int((~inside).sum())
    index = np.stack([found.column, -found.row], 1)[inside].astype(np.int64) + corner
    at = np.stack([found.x_um, found.y_um], 1)[inside]
    box = (dies.min(0) + dies.max(0) + 1) / 2 * pitch
    centre = _centre(index, at, np.array(pitch), box)
    within = at + centre - index * np.array(pitch)
    within = np.where(np.isnan(within), np.array(pitch) / 2, within)
    return Sheet(
        about=filed.about,
        pitch_um=pitch,
        centre_um=(float(centre[0]), float(centre[1])),
        dies=dies.astype(np.int64),
        id=found.id[inside].astype(np.int64),
        size_um=np.nan_to_num(found.size_um[inside]),
        label=found.label[inside].astype(np.int64),
        index=index,
        within_um=within,
        dies_with=len(np.unique(index, axis=0)),
    )


def _renumbered(wafer: Wafer) -> Wafer:
    """The wafer notch down, its dies counted from its middle to the right and up."""
    rows, columns = wafer.grid.shape
    place = Placement(x0=-(columns // 2), y0=rows // 2, y_row=-1)
    return replace(wafer, about=replace(wafer.about, notch="down", placement=place))


def _none() -> Defects:
    whole, real = np.empty(0, np.int32), np.empty(0, np.float64)
    return Defects(whole, whole, whole, real, real, real, whole)


def _with_synthetic(found: Defects, filed: Wafer, warned: Counter[str]) -> Defects:
    """The defects, and one more for each failing die that has none."""
    has = np.zeros(filed.grid.shape, bool)
    inside = found.row >= 0
    has[found.row[inside], found.column[inside]] = True
    row, column = np.nonzero((filed.grid == FAIL) & ~has)
    spare = _passing(filed.grid, has)
    if spare:
        warned["{n} dies pass though they have defects; in KLARF they fail"] += spare
    if not len(row):
        return found
    warned["{n} failing dies without a defect got one at their centre"] += len(row)
    label = np.zeros(len(row), np.int32)
    if filed.bins is not None:
        label = np.maximum(filed.bins[row, column], 0).astype(np.int32)
    unknown = np.full(len(row), np.nan)
    first = int(found.id.max(initial=0)) + 1
    if first + len(row) > 2**31 - 1:
        first = 1
    return Defects(
        id=np.concatenate([found.id, np.arange(first, first + len(row), dtype=np.int32)]),
        row=np.concatenate([found.row, row.astype(np.int32)]),
        column=np.concatenate([found.column, column.astype(np.int32)]),
        x_um=np.concatenate([found.x_um, unknown]),
        y_um=np.concatenate([found.y_um, unknown]),
        size_um=np.concatenate([found.size_um, np.zeros(len(row))]),
        label=np.concatenate([found.label, label]),
    )


def _passing(grid: Grid, has: np.ndarray) -> int:
    return int((has & (grid != FAIL)).sum())


def _centre(
    index: Int64[np.ndarray, "m 2"],
    at: Float64[np.ndarray, "m 2"],
    pitch: np.ndarray,
    box: np.ndarray,
) -> np.ndarray:
    """The wafer's centre from die (0, 0), such that each defect lies in its die.

    The middle of the grid where that allows it.
    """
    known = ~np.isnan(at).any(1)
    if not known.any():
        return np.asarray(box)
    least = (index[known] * pitch - at[known]).max(0)
    most = ((index[known] + 1) * pitch - at[known]).min(0)
    return np.where((least <= box) & (box <= most), box, (least + most) / 2)


def us_date(time: str) -> tuple[str, str] | None:
    """Date and time as KLARF writes them (month, day, year), None where the time is not ISO.

    >>> us_date("2024-07-01T21:59:59"), us_date("yesterday")
    (('07-01-2024', '21:59:59'), None)
    """
    found = _ISO.fullmatch(time)
    if not found:
        return None
    return f"{found[2]}-{found[3]}-{found[1]}", found[4] or "00:00:00"


def quoted(text: str, warned: Counter[str]) -> str:
    """A text in quotation marks; what KLARF cannot hold in them is replaced and counted."""
    clean = re.sub(r"[\x00-\x1f\x7f\ud800-\udfff]", " ", text.replace('"', "'"))
    if clean != text:
        warned["{n} names have quotation marks or line ends; they were replaced"] += 1
    return f'"{clean}"'

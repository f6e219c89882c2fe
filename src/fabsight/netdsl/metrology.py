"""Measurements of an image along its program: CD, pitch, space, roughness, vias and their overlay.

A row per straight run of a wire and per via, all with the same columns, for CSV. Lengths are in px
and, when the scale is known, in nm; what cannot be measured is None. docs/netdsl-metrology.md has
each column's formula and source.

The program only says where to look. `profiles` finds each row of each edge, `edge_model` the place
of the edge convention on the mean profile, `roughness` the statistics, `via_metrology` the discs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float64

from fabsight.images import grey as grey_of
from fabsight.netdsl.beside import neighbours, under
from fabsight.netdsl.edge_model import Convention, edge_positions
from fabsight.netdsl.profiles import Edge, Facing, Grey, Leg, Scene, edges_of, legs_of, match
from fabsight.netdsl.reduction import reduced
from fabsight.netdsl.rendering import paint, pick
from fabsight.netdsl.roughness import Roughness, mean_error, roughness
from fabsight.netdsl.sem import signed_distance
from fabsight.netdsl.settings import LayoutSettings, scale_of
from fabsight.netdsl.shapes import Program, Shape, Via
from fabsight.netdsl.via_metrology import MeasuredVia, measure_vias, unseen
from fabsight.task import Question

LEAST_ROWS = 4
MOST_MEASURED = 20_000  # runs, and vias; of more the first are measured
UNBELIEVED = 0.5  # share of the drawn width a measured one may differ by
UNSURE_PX = 2.0  # rows matched at random scatter by 2.3 px, those of an edge by less
VIA_MARGIN_PX = 3.0  # a via marks the image this far beyond its rim
DECIMALS = 4

WIRE_LENGTHS = (
    "length_px",
    "design_width_px",
    "cd_px",
    "cd_se_px",
    "space_left_px",
    "space_right_px",
    "pitch_left_px",
    "pitch_right_px",
    "ler_left_px",
    "ler_left_biased_px",
    "ler_right_px",
    "ler_right_biased_px",
    "lwr_px",
    "lwr_se_px",
    "lwr_biased_px",
    "correlation_px",
)
VIA_LENGTHS = (
    "design_diameter_px",
    "diameter_px",
    "diameter_se_px",
    "overlay_px",
    "enclosure_px",
)
NAMES = {"left": "left", "right": "right", "up": "upper", "down": "lower"}
HIDDEN = "hidden"  # at the image's border or beside other metal, all along
UNSEEN = "not seen"  # it does not stand out from the noise
UNSEEN_VIA = "rim cut or not seen"
UNTRIED = f"not tried: only the first {MOST_MEASURED:,} are"
SHORT_PX = 8.0  # corners take 2 px at each end, and 4 rows must be left
COLUMNS = ("kind", "id", "orientation", "edge", "rows", "wire", "x_px", "y_px")

Measurement: TypeAlias = dict[str, Any]
Rows: TypeAlias = Float64[np.ndarray, " rows"]


@dataclass(frozen=True, eq=False)
class MeasuredLeg:
    """A straight run and the outward displacement of its two edges from the program's, px.

    Attributes:
        leg: The run.
        left: Per row, of the left edge (upper edge of a horizontal run); None if it is hidden.
        right: Per row, of the right (lower) edge.
        lost: Why `left` or `right` is None, by that name, or why "both" are.
    """

    leg: Leg
    left: Rows | None
    right: Rows | None
    lost: Mapping[str, str] = field(default_factory=dict)

    @property
    def width(self) -> Rows | None:
        """Width of each row, px; NaN where an edge is hidden.

        None where an edge is missing, or the two found are not those of one wire: their distance
        is more than half of the drawn width away from it.
        """
        if self.left is None or self.right is None:
            return None
        width: Rows = self.leg.width + self.left + self.right
        doubt = max(UNBELIEVED * self.leg.width, UNSURE_PX)
        mean = mean_of(width)
        return width if mean > 0 and abs(mean - self.leg.width) <= doubt else None

    @property
    def unmeasured(self) -> str:
        """Why there is no width, in words; "" where there is one."""
        if self.left is None or self.right is None:
            return "; ".join(self.lost.values())
        if not np.isfinite(mean_of(self.left + self.right)):
            return "few rows show both edges"
        return "its edges are not those of one wire" if self.width is None else ""

    @property
    def centre_px(self) -> float:
        """Measured place of the centre line across the run; the program's if an edge is hidden."""
        shift = (mean_of(self.right) - mean_of(self.left)) / 2
        return self.leg.middle + (0.0 if np.isnan(shift) else shift)


def measure(question: Question[LayoutSettings], program: Program) -> list[Measurement]:
    """One row per straight run and per via of the program, measured on the question's first image.

    Every row has the same keys. Lengths end in `_px`, and again in `_nm`, which is None without a
    scale. The settings' `edge` says which edge is measured.
    """
    read = reduced(question)
    small = read.shrunk(program)
    legs, vias = measure_parts(grey_of(read.question.images[0]), small, question.context.edge)
    runs = [m.leg for m in legs]
    sides = {"left": -1, "right": 1}
    beside = {name: neighbours(runs, side, MOST_MEASURED) for name, side in sides.items()}
    wires = [_wire_row(own) for own in legs]
    for row, own, *others in zip(wires, legs, *beside.values(), strict=True):
        for side, other in zip(beside, others, strict=True):
            row |= {} if other is None else _beside(side, own, legs[other])
    below = under(runs, [(via.design.x, via.design.y) for via in vias])
    rows = wires + [
        _via_row(index, via, None if leg is None else legs[leg])
        for index, (via, leg) in enumerate(zip(vias, below, strict=True))
    ]
    nm_per_px = scale_of(question).nm_per_px
    return [_complete(row, question.context.edge, read.factor, nm_per_px) for row in rows]


def measure_parts(
    grey: Grey, program: Program, convention: Convention = "mid"
) -> tuple[list[MeasuredLeg], list[MeasuredVia]]:
    """Every straight run and every via of a program, measured on an image; px.

    Image and program are compared on the part they share, from the top-left corner.
    """
    scene = scene_of(grey, program)
    legs = legs_of(program)
    edges = edges_of(legs[:MOST_MEASURED], scene)
    found = {
        (edge.leg, edge.facing): rows
        for edge, rows in zip(edges, displacements(edges, convention), strict=True)
    }
    measured = with_sides(legs, found)
    height, width = scene.grey.shape
    metal = signed_distance(paint(pick(program.shapes, "metal"), width, height), 1)
    discs = [via for via in pick(program.shapes, "via") if isinstance(via, Via)]
    vias = measure_vias(discs[:MOST_MEASURED], scene.grey, metal, convention)
    return measured, vias + [unseen(via) for via in discs[MOST_MEASURED:]]


def with_sides(
    legs: Sequence[Leg], rows: Mapping[tuple[int, Facing], Rows | None]
) -> list[MeasuredLeg]:
    """Each run with the rows of its two edges, by the run's index and the way they face.

    An edge without rows was not seen, one that is not there is hidden.
    """
    found = []
    for index, leg in enumerate(legs):
        facing: tuple[Facing, Facing] = ("left", "right") if leg.axis == "V" else ("up", "down")
        sides = [rows.get((index, way)) for way in facing]
        lost = {
            side: f"{NAMES[way]} edge {UNSEEN if (index, way) in rows else HIDDEN}"
            for side, way, own in zip(("left", "right"), facing, sides, strict=True)
            if own is None
        }
        if lost and leg.span[1] - leg.span[0] < SHORT_PX:
            lost = {"both": "too short"}
        if index >= MOST_MEASURED:
            lost = {"both": UNTRIED}
        found.append(MeasuredLeg(leg, sides[0], sides[1], lost))
    return found


def scene_of(grey: Grey, program: Program) -> Scene:
    """What edges are looked for in: the part that image and program share."""
    height, width = min(grey.shape[0], program.height), min(grey.shape[1], program.width)
    vias = [_grown(via) for via in pick(program.shapes, "via")]
    return Scene(
        grey[:height, :width],
        signed_distance(paint(program.shapes, width, height), 1),
        paint(vias, width, height) == 0,
    )


def displacements(edges: Sequence[Edge], convention: Convention = "mid") -> list[Rows | None]:
    """How far outward each row of each edge lies in the image, px; None for an edge not seen."""
    groups: dict[Facing, list[int]] = {}
    for index, edge in enumerate(edges):
        groups.setdefault(edge.facing, []).append(index)
    matched = [match([edges[k] for k in group]) for group in groups.values()]
    places = edge_positions([profile for _, profile in matched], convention)
    found: list[Rows | None] = [None] * len(edges)
    for group, (shifts, _), place in zip(groups.values(), matched, places.tolist(), strict=True):
        for index, shift in zip(group, shifts, strict=True):
            good = shift[np.isfinite(shift)]
            if len(good) and good.std() < UNSURE_PX:
                found[index] = shift + place
    return found


def mean_of(values: Rows | None) -> float:
    """The mean of the rows that were measured, NaN when fewer than 4 were."""
    if values is None:
        return float("nan")
    good = values[np.isfinite(values)]
    return float(good.mean()) if len(good) >= LEAST_ROWS else float("nan")


def _grown(via: Shape) -> Shape:
    assert isinstance(via, Via)
    return Via(via.x, via.y, via.r + VIA_MARGIN_PX)


def _wire_row(own: MeasuredLeg) -> Measurement:
    leg, width = own.leg, own.width
    across = own.centre_px
    along = (leg.span[0] + leg.span[1]) / 2
    row: Measurement = {
        "kind": "wire",
        "id": f"W{leg.wire}.{leg.run}",
        "orientation": "vertical" if leg.axis == "V" else "horizontal",
        "x_px": across if leg.axis == "V" else along,
        "y_px": along if leg.axis == "V" else across,
        "length_px": leg.span[1] - leg.span[0],
        "design_width_px": leg.width,
    }
    if width is not None:
        row |= {
            "rows": int(np.isfinite(width).sum()),
            "cd_px": mean_of(width),
            "cd_se_px": mean_error(width),
        }
    row["unmeasured"] = own.unmeasured or None
    row |= _rough("ler_left", own.left) | _rough("ler_right", own.right)
    row |= _rough("lwr", width, error=True, correlation=True)
    return row


def _beside(side: str, own: MeasuredLeg, other: MeasuredLeg) -> Measurement:
    """Space and pitch to the neighbour on one side."""
    gap = abs(other.leg.middle - own.leg.middle) - (other.leg.width + own.leg.width) / 2
    facing = (own.right, other.left) if side == "right" else (own.left, other.right)
    whole = own.width is not None and other.width is not None
    return {
        f"space_{side}_px": gap - mean_of(facing[0]) - mean_of(facing[1]),
        f"pitch_{side}_px": abs(other.centre_px - own.centre_px) if whole else None,
    }


def _rough(
    name: str, values: Rows | None, error: bool = False, correlation: bool = False
) -> Measurement:
    found: Roughness | None = None if values is None else roughness(values)
    if found is None:
        return {}
    row: Measurement = {
        f"{name}_px": found.three_sigma_px,
        f"{name}_biased_px": found.biased_px,
    }
    if error:
        row[f"{name}_se_px"] = found.error_px
    if correlation:
        row["correlation_px"] = found.correlation_px
    return row


def _via_row(index: int, via: MeasuredVia, wire: MeasuredLeg | None) -> Measurement:
    row: Measurement = {
        "kind": "via",
        "id": f"V{index}",
        "rows": via.rays,
        "x_px": via.x_px,
        "y_px": via.y_px,
        "design_diameter_px": 2 * via.design.r,
        "diameter_px": via.diameter_px,
        "diameter_se_px": via.diameter_se_px,
    }
    if not np.isfinite(via.diameter_px):
        row["unmeasured"] = UNTRIED if index >= MOST_MEASURED else UNSEEN_VIA
    if wire is None:
        return row
    overlay = wire.leg.across(via.x_px, via.y_px) - wire.centre_px
    return row | {
        "wire": f"W{wire.leg.wire}.{wire.leg.run}",
        "orientation": "vertical" if wire.leg.axis == "V" else "horizontal",
        "overlay_px": overlay,
        "enclosure_px": (mean_of(wire.width) - via.diameter_px) / 2 - abs(overlay),
    }


def _complete(
    row: Mapping[str, Any], convention: Convention, factor: float, nm_per_px: float | None
) -> Measurement:
    """The row with every column in order, rounded, None for what is missing, and nm.

    Lengths become those of the image as it is: it was read with `factor` px to one.
    """
    out: Measurement = {}
    for name in (*COLUMNS, *WIRE_LENGTHS, *VIA_LENGTHS):
        value: Any = convention if name == "edge" else row.get(name)
        if isinstance(value, int | float) and name.endswith("_px"):
            value *= factor
        if isinstance(value, float):
            value = round(value, DECIMALS) if np.isfinite(value) else None
        out[name] = value
        if name.endswith("_px"):
            known = value is not None and nm_per_px is not None
            out[f"{name[:-3]}_nm"] = round(value * nm_per_px, DECIMALS) if known else None
    out["unmeasured"] = row.get("unmeasured")
    return out

"""Diameter and centre of every via, from rays through its rim.

The image is sampled along rays from the program's centre outwards; each ray is a row of an edge,
matched to the mean profile of all vias of its kind as a wire's rows are. The displacements d over
the angle are fitted by

    d(angle) = a + u cos(angle) + v sin(angle)

so the radius is the program's plus a and the centre moves by (u, v). Vias inside metal and vias on
the floor look different and are two kinds.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Shaped

from fabsight.netdsl.edge_model import Convention, edge_positions
from fabsight.netdsl.profiles import Edge, Grey, match
from fabsight.netdsl.shapes import Via

REACH_PX = 5.0
STEP_PX = 0.5
FEWEST_RAYS = 16
MOST_RAYS = 128
WALL_PX = 2.0  # rays of a via in metal end this far before the metal's edge
UNSURE_PX = 2.0
LEAST_RAYS = 8


@dataclass(frozen=True)
class MeasuredVia:
    """A via of the program and what was measured, px; NaN where the image shows no rim.

    Attributes:
        design: The program's via.
        x_px: Centre.
        y_px: Centre.
        diameter_px: Mean diameter.
        diameter_se_px: Its standard error.
        rays: Rays used.
    """

    design: Via
    x_px: float
    y_px: float
    diameter_px: float
    diameter_se_px: float
    rays: int


def measure_vias(
    vias: Sequence[Via], grey: Grey, metal_px: Grey, convention: Convention = "mid"
) -> list[MeasuredVia]:
    """Every via measured, in order.

    Args:
        vias: The program's.
        grey: The image.
        metal_px: Signed distance to the edge of the wires, positive inside.
        convention: Which edge of the rim is meant.
    """
    measured = {}
    kinds: tuple[list[int], list[int]] = ([], [])
    for index, via in enumerate(vias):
        if 0 <= int(via.y) < grey.shape[0] and 0 <= int(via.x) < grey.shape[1]:
            kinds[in_metal(via, metal_px)].append(index)
    for buried, members in enumerate(kinds):
        edges = [_rays(i, vias[i], grey, metal_px if buried else None) for i in members]
        edges = [e for e in edges if e.use.any()]
        if not edges:
            continue
        shifts, profile = match(edges, steady=_on_circle)
        place = float(edge_positions([profile], convention, in_metal=bool(buried))[0])
        for edge, shift in zip(edges, shifts, strict=True):
            measured[edge.leg] = _circle(vias[edge.leg], shift, place)
    return [measured.get(index, unseen(via)) for index, via in enumerate(vias)]


def in_metal(via: Via, metal_px: Shaped[np.ndarray, "height width"]) -> bool:
    """Whether a via's centre lies in a wire, by the wires' mask or the distance to their edges."""
    row, column = int(via.y), int(via.x)
    height, width = metal_px.shape
    return 0 <= row < height and 0 <= column < width and bool(metal_px[row, column] > 0)


def _rays(index: int, via: Via, grey: Grey, metal_px: Grey | None) -> Edge:
    """The grey values along rays across the rim, a row per ray."""
    import cv2

    count = _ray_count(via)
    inside = min(REACH_PX, math.floor(via.r / STEP_PX) * STEP_PX)
    offsets = np.arange(-inside, REACH_PX + STEP_PX / 2, STEP_PX)
    angles = 2 * np.pi * np.arange(count) / count
    reach = via.r + offsets
    # pixel (i, j) has its centre at (i + 0.5, j + 0.5); remap counts from centres
    x = np.asarray(via.x - 0.5 + np.cos(angles)[:, None] * reach, np.float32)
    y = np.asarray(via.y - 0.5 + np.sin(angles)[:, None] * reach, np.float32)
    height, width = grey.shape
    use = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    if metal_px is not None:
        use &= cv2.remap(metal_px, x, y, cv2.INTER_LINEAR, borderValue=0) > WALL_PX
    rim = np.abs(offsets) <= 1
    use &= use[:, rim].all(axis=1, keepdims=True)
    sampled = np.asarray(cv2.remap(np.ascontiguousarray(grey), x, y, cv2.INTER_LINEAR), np.float32)
    return Edge(index, "right", via.r, 0, offsets, sampled, use)


def _ray_count(via: Via) -> int:
    """About a ray per pixel of rim."""
    return int(np.clip(math.ceil(2 * math.pi * via.r), FEWEST_RAYS, MOST_RAYS))


def _circle(via: Via, shift: Float64[np.ndarray, " rays"], place: float) -> MeasuredVia:
    good = np.isfinite(shift)
    if good.sum() < LEAST_RAYS or np.nanstd(shift) > UNSURE_PX:
        return unseen(via)
    terms = _terms(len(shift))[good]
    inverse = np.linalg.pinv(terms.T @ terms)
    wider, right, down = inverse @ (terms.T @ shift[good])
    rest = shift[good] - terms @ (wider, right, down)
    variance = float(rest @ rest) / max(len(terms) - 3, 1) * inverse[0, 0]
    return MeasuredVia(
        via,
        via.x + float(right),
        via.y + float(down),
        2 * (via.r + float(wider) + place),
        2 * math.sqrt(variance),
        len(terms),
    )


def _on_circle(shift: np.ndarray, used: np.ndarray) -> np.ndarray:
    """The displacements of a moved and widened circle that fit those of the used rays best."""
    terms = _terms(len(shift))
    return np.asarray(terms @ (np.linalg.pinv(terms[used]) @ shift[used]))


def _terms(rays: int) -> Float64[np.ndarray, "rays 3"]:
    """What widening, and moving right and down, displace each ray by."""
    angles = 2 * np.pi * np.arange(rays) / rays
    return np.stack([np.ones(rays), np.cos(angles), np.sin(angles)], axis=1)


def unseen(via: Via) -> MeasuredVia:
    """A via of which nothing was measured."""
    nan = float("nan")
    return MeasuredVia(via, nan, nan, nan, nan, 0)

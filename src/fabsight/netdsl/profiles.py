"""Where the image's edges lie, to a fraction of a pixel, along the straight edges of a program.

Across every exposed edge of the program the image's own pixels are taken, none interpolated: each
is a grey value at an offset t from the program's edge (px, positive outwards). Edges that face the
same way form a class, for tilt and shadow make opposite edges look different. Per class, in turn:

1. the mean profile T(t) is built from all pixels, each row shifted by its displacement so far;
2. each row's displacement is that of the best match of T: least squares, weighted by the inverse
   variance of the residuals at each offset, a free grey offset per row.

The profile of thousands of pixels says where on the edge the convention lies (`convention`); the
match says how far each row is from the program.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Bool, Float32, Float64

from fabsight.netdsl.language import Program
from fabsight.netdsl.shapes import Wire

REACH_PX = 8  # pixels taken to either side of an edge
SEARCH_PX = 4.0  # largest displacement looked for
STEP_PX = 0.25
FINE_PX = 0.125  # grid of the mean profile
ROUNDS = 3
GUARD_PX = 2  # rows next to a corner or a crossing are left out
SMOOTH_PX = 0.3  # the mean profile is smoothed by this
NEAR_PX = 1.0  # how far the program's distance may be off for a pixel to belong to the edge

Grey: TypeAlias = Float32[np.ndarray, "height width"]
Facing: TypeAlias = Literal["left", "right", "up", "down"]


@dataclass(frozen=True)
class Leg:
    """One straight run of a wire of a program: axis-aligned, from (x0, y0) to (x1, y1) in px."""

    wire: int
    run: int
    axis: Literal["H", "V"]
    x0: float
    y0: float
    x1: float
    y1: float
    width: float


@dataclass(frozen=True, eq=False)
class Edge:
    """The pixels across one long edge of a leg, one row per pixel along it.

    Attributes:
        leg: Index of the leg.
        facing: Which way out of the metal it faces.
        at_px: x (facing left or right) or y of the program's edge.
        first: Pixel index, along the leg, of the first row.
        offsets_px: Where each pixel centre lies, outwards from the program's edge, ascending.
        grey: Raw grey values.
        use: Which pixels have this edge as their nearest.
    """

    leg: int
    facing: Facing
    at_px: float
    first: int
    offsets_px: Float64[np.ndarray, " pixels"]
    grey: Float32[np.ndarray, "rows pixels"]
    use: Bool[np.ndarray, "rows pixels"]


@dataclass(frozen=True, eq=False)
class Profile:
    """The mean grey value across all edges that face one way, at `offsets_px` from the edge."""

    offsets_px: Float64[np.ndarray, " points"]
    grey: Float64[np.ndarray, " points"]
    weight: Float64[np.ndarray, " points"]


def legs_of(program: Program) -> list[Leg]:
    """Every axis-aligned run of every wire, in the program's order."""
    found: list[Leg] = []
    for index, wire in enumerate(s for s in program.shapes if isinstance(s, Wire)):
        x, y = wire.x, wire.y
        for number, run in enumerate(wire.runs):
            ends = (min(x, x + run.dx), min(y, y + run.dy), max(x, x + run.dx), max(y, y + run.dy))
            if run.axis != "D":
                found.append(Leg(index, number, run.axis, *ends, wire.width))
            x, y = x + run.dx, y + run.dy
    return found


def edges_of(
    legs: Sequence[Leg], grey: Grey, distance_px: Grey, clear: Bool[np.ndarray, "height width"]
) -> list[Edge]:
    """The pixels across every edge of the legs that is exposed somewhere.

    Args:
        legs: Straight runs.
        grey: The image.
        distance_px: Signed distance to the program's edge, positive in metal.
        clear: False where something else (a via) marks the image.
    """
    turned = grey.T, distance_px.T, clear.T
    edges = []
    for index, leg in enumerate(legs):
        upright = leg.axis == "V"
        layers = (grey, distance_px, clear) if upright else turned
        middle = (leg.x0 + leg.x1) / 2 if upright else (leg.y0 + leg.y1) / 2
        span = (leg.y0, leg.y1) if upright else (leg.x0, leg.x1)
        names: tuple[Facing, Facing] = ("left", "right") if upright else ("up", "down")
        for facing, sign in zip(names, (-1, 1), strict=True):
            edge = _edge(index, facing, middle + sign * leg.width / 2, sign, span, layers)
            if edge is not None and edge.use.any():
                edges.append(edge)
    return edges


def _edge(
    leg: int,
    facing: Facing,
    at_px: float,
    sign: int,
    span: tuple[float, float],
    layers: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> Edge | None:
    grey, distance, clear = layers
    first = max(math.ceil(span[0] - 0.5), 0)
    last = min(math.ceil(span[1] - 0.5), grey.shape[0])
    columns = np.arange(math.floor(at_px) - REACH_PX, math.floor(at_px) + REACH_PX + 1)
    columns = columns[(columns >= 0) & (columns < grey.shape[1])]
    if first >= last or not len(columns):
        return None
    part = slice(first, last), slice(columns[0], columns[-1] + 1)
    offsets = (columns + 0.5 - at_px) * sign
    near = np.abs(distance[part] + offsets) < NEAR_PX
    use = near & clear[part]
    core = np.abs(offsets) <= GUARD_PX
    whole = use[:, core].all(axis=1) & (core.sum() >= 2 * GUARD_PX)
    use &= _shrunk(whole)[:, None]
    return Edge(leg, facing, at_px, first, offsets[::sign], grey[part][:, ::sign], use[:, ::sign])


def _shrunk(rows: Bool[np.ndarray, " rows"]) -> Bool[np.ndarray, " rows"]:
    """Rows whose neighbours within GUARD_PX hold too; beyond the ends counts as holding."""
    padded = np.pad(rows, GUARD_PX, constant_values=True)
    shrunk: Bool[np.ndarray, " rows"] = np.lib.stride_tricks.sliding_window_view(
        padded, 2 * GUARD_PX + 1
    ).all(axis=1)
    return shrunk


def match(edges: Sequence[Edge]) -> tuple[list[Float64[np.ndarray, " rows"]], Profile]:
    """Outward displacement of each row of edges of one class (NaN where unused), and their profile.

    Displacements are relative to the profile; `convention` says where its edge lies.
    """
    shifts = [np.where(e.use.any(axis=1), 0.0, np.nan) for e in edges]
    offsets = [np.zeros(len(s)) for s in shifts]
    noise = np.ones(1)
    for _ in range(ROUNDS):
        profile = _mean_profile(edges, shifts, offsets)
        squares, counts = np.zeros(2 * REACH_PX + 2), np.zeros(2 * REACH_PX + 2)
        for index, edge in enumerate(edges):
            fit = _match_edge(edge, profile, noise)
            shifts[index], offsets[index] = fit[0], fit[1]
            where = np.clip(np.rint(edge.offsets_px).astype(int) + REACH_PX, 0, len(squares) - 1)
            rest = np.where(edge.use, edge.grey - fit[2], 0.0)
            np.add.at(squares, where, np.sum(rest**2, axis=0))
            np.add.at(counts, where, np.sum(edge.use, axis=0))
        noise = (squares + 1e-9) / np.maximum(counts, 1)
        noise = np.maximum(noise, noise[counts > 0].min(initial=1.0))
    return shifts, _mean_profile(edges, shifts, offsets)


def _match_edge(
    edge: Edge, profile: Profile, noise: Float64[np.ndarray, " bins"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Displacement and grey offset of each row, and the fitted grey values."""
    trial = np.arange(-SEARCH_PX, SEARCH_PX + STEP_PX / 2, STEP_PX)
    model = np.interp(edge.offsets_px[:, None] - trial, profile.offsets_px, profile.grey)
    bins = np.clip(np.rint(edge.offsets_px).astype(int) + REACH_PX, 0, len(noise) - 1)
    weight = edge.use / noise[bins]
    grey = edge.grey.astype(np.float64)
    total = np.maximum(weight.sum(axis=1, keepdims=True), 1e-12)
    mean = (weight * grey).sum(axis=1, keepdims=True) / total
    rest = grey - mean
    tilt = weight @ model / total
    misfit = weight @ model**2 - total * tilt**2 - 2 * (weight * rest) @ model
    best = misfit.argmin(axis=1).clip(1, len(trial) - 2)
    rows = np.arange(len(best))
    before, at, after = (misfit[rows, best + k] for k in (-1, 0, 1))
    bend = before - 2 * at + after
    part = np.where(bend > 0, 0.5 * (before - after) / np.where(bend > 0, bend, 1), 0).clip(-1, 1)
    shift = np.where(edge.use.any(axis=1), trial[best] + part * STEP_PX, np.nan)
    fitted = np.interp(
        edge.offsets_px - np.nan_to_num(shift)[:, None], profile.offsets_px, profile.grey
    )
    offset = ((weight * (grey - fitted)).sum(axis=1, keepdims=True) / total)[:, 0]
    return shift, offset, fitted + offset[:, None]


def _mean_profile(
    edges: Sequence[Edge], shifts: Sequence[np.ndarray], offsets: Sequence[np.ndarray]
) -> Profile:
    """All pixels in place, averaged on a grid of FINE_PX by linear weights."""
    reach = REACH_PX + SEARCH_PX
    count = round(2 * reach / FINE_PX) + 1
    sums, weights = np.zeros(count + 1), np.zeros(count + 1)
    for edge, shift, offset in zip(edges, shifts, offsets, strict=True):
        place = (edge.offsets_px - np.nan_to_num(shift)[:, None] + reach) / FINE_PX
        place = place[edge.use].clip(0, count - 1)
        grey = (edge.grey - offset[:, None])[edge.use]
        low = place.astype(np.int64)
        part = place - low
        weights += np.bincount(low, 1 - part, count + 1) + np.bincount(low + 1, part, count + 1)
        sums += np.bincount(low, grey * (1 - part), count + 1)
        sums += np.bincount(low + 1, grey * part, count + 1)
    grid = np.arange(count) * FINE_PX - reach
    weights, sums = _smooth(weights[:count]), _smooth(sums[:count])
    filled = weights > 1e-3 * weights.max()
    level = np.interp(grid, grid[filled], sums[filled] / weights[filled])
    return Profile(grid, level, weights)


def _smooth(values: Float64[np.ndarray, " points"]) -> Float64[np.ndarray, " points"]:
    width = SMOOTH_PX / FINE_PX
    steps = np.arange(-math.ceil(3 * width), math.ceil(3 * width) + 1)
    kernel = np.exp(-0.5 * (steps / width) ** 2)
    return np.convolve(values, kernel / kernel.sum(), mode="same")

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
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from fabsight.netdsl.shapes import Program, Wire

REACH_PX = 8  # pixels taken to either side of an edge
SEARCH_PX = 4.0  # largest displacement looked for
STEP_PX = 0.25
FINE_PX = 0.125  # grid of the mean profile
ROUNDS = 3
SETTLING_ROWS = 512
GUARD_PX = 2  # rows next to a corner or a crossing are left out
SMOOTH_PX = 0.3  # the mean profile is smoothed by this
NEAR_PX = 1.0  # how far the program's distance may be off for a pixel to belong to the edge

Grey: TypeAlias = Float32[np.ndarray, "height width"]
Steady: TypeAlias = Callable[[np.ndarray, np.ndarray], np.ndarray]
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

    @property
    def middle(self) -> float:
        """The centre line's x (vertical runs) or y (horizontal ones)."""
        return self.x0 if self.axis == "V" else self.y0

    @property
    def span(self) -> tuple[float, float]:
        """Where the run begins and ends along its axis."""
        return (self.y0, self.y1) if self.axis == "V" else (self.x0, self.x1)

    def across(self, x: float, y: float) -> float:
        """The coordinate of a point across the run."""
        return x if self.axis == "V" else y

    def contains(self, x: float, y: float) -> bool:
        """Whether a point lies on the run's body."""
        along = y if self.axis == "V" else x
        beside = abs(self.across(x, y) - self.middle)
        return beside <= self.width / 2 and self.span[0] <= along <= self.span[1]


@dataclass(frozen=True, eq=False)
class Scene:
    """What edges are looked for in.

    Attributes:
        grey: The image.
        distance_px: Signed distance to the program's edge, positive in metal.
        clear: False where something else (a via) marks the image.
    """

    grey: Grey
    distance_px: Grey
    clear: Bool[np.ndarray, "height width"]

    @property
    def turned(self) -> "Scene":
        """The same with rows for columns."""
        return Scene(self.grey.T, self.distance_px.T, self.clear.T)


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


@dataclass(frozen=True)
class End:
    """One end of a wire.

    Attributes:
        wire: Index of the wire among the program's wires.
        last: Whether it is where the last run ends.
        facing: Which way out of the metal it faces.
        at_px: x (facing left or right) or y of the edge.
        span: Where the edge begins and ends along itself, px.
    """

    wire: int
    last: bool
    facing: Facing
    at_px: float
    span: tuple[float, float]


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


def edges_of(legs: Sequence[Leg], scene: Scene) -> list[Edge]:
    """The pixels across every edge of the legs that is exposed somewhere."""
    turned = scene.turned
    edges = []
    for index, leg in enumerate(legs):
        upright = leg.axis == "V"
        layers = scene if upright else turned
        names: tuple[Facing, Facing] = ("left", "right") if upright else ("up", "down")
        for facing, sign in zip(names, (-1, 1), strict=True):
            edge = _edge(index, facing, leg.middle + sign * leg.width / 2, sign, leg.span, layers)
            if edge is not None and edge.use.any():
                edges.append(edge)
    return edges


def ends_of(program: Program) -> list[End]:
    """Both ends of every wire whose first or last run is axis-aligned, in the program's order."""
    found = []
    for index, wire in enumerate(s for s in program.shapes if isinstance(s, Wire)):
        tips = ((wire.x, wire.y), wire.tip)
        outs = ((-wire.runs[0].dx, -wire.runs[0].dy), (wire.runs[-1].dx, wire.runs[-1].dy))
        for last, cap in enumerate((wire.start, wire.end)):
            (x, y), (dx, dy) = tips[last], outs[last]
            if dx and dy:
                continue
            facing: Facing = ("right" if dx > 0 else "left") if dx else "down" if dy > 0 else "up"
            at, middle = (x, y) if dx else (y, x)
            half = max(wire.width, cap.width if cap.length else 0.0) / 2
            found.append(End(index, bool(last), facing, at, (middle - half, middle + half)))
    return found


def edge_of_end(index: int, end: End, scene: Scene) -> Edge | None:
    """The pixels across the end, None where it is hidden; `index` becomes the edge's `leg`."""
    upright = end.facing in ("left", "right")
    sign = 1 if end.facing in ("right", "down") else -1
    layers = scene if upright else scene.turned
    edge = _edge(index, end.facing, end.at_px, sign, end.span, layers)
    return edge if edge is not None and edge.use.any() else None


def _edge(
    leg: int,
    facing: Facing,
    at_px: float,
    sign: int,
    span: tuple[float, float],
    scene: Scene,
) -> Edge | None:
    grey, distance, clear = scene.grey, scene.distance_px, scene.clear
    first = max(math.ceil(span[0] - 0.5), 0)
    last = min(math.ceil(span[1] - 0.5), grey.shape[0])
    columns = np.arange(math.floor(at_px) - REACH_PX, math.floor(at_px) + REACH_PX + 1)
    columns = columns[(columns >= 0) & (columns < grey.shape[1])]
    if first >= last or not len(columns):
        return None
    part = slice(first, last), slice(columns[0], columns[-1] + 1)
    offsets = (columns + 0.5 - at_px) * sign
    near = np.abs(distance[part] + offsets) < NEAR_PX
    use: np.ndarray = near & clear[part]
    core = np.abs(offsets) <= GUARD_PX
    if core.sum() < 2 * GUARD_PX:  # at the canvas edge
        return None
    use &= _shrunk(np.asarray(use[:, core].all(axis=1)))[:, None]
    return Edge(leg, facing, at_px, first, offsets[::sign], grey[part][:, ::sign], use[:, ::sign])


def _shrunk(rows: Bool[np.ndarray, " rows"]) -> Bool[np.ndarray, " rows"]:
    """Rows whose neighbours within GUARD_PX hold too; beyond the ends counts as holding."""
    kept = rows.copy()
    for by in range(1, GUARD_PX + 1):
        kept[by:] &= rows[:-by]
        kept[:-by] &= rows[by:]
    return kept


def match(
    edges: Sequence[Edge], steady: Steady | None = None
) -> tuple[list[Float64[np.ndarray, " rows"]], Profile]:
    """Outward displacement of each row of edges of one class (NaN where unused), and their profile.

    Displacements are relative to the profile; `edge_model` says where its edge lies.

    Args:
        edges: Edges that look alike.
        steady: What an edge's rows are known to have in common: the profile is then averaged over
            rows in the places this gives them, from their displacements and which of them count.
    """
    stack = _stacked(edges)
    shown, profile, noise = _settled(
        stack if steady else _stacked(thinned(edges, SETTLING_ROWS)), steady
    )
    if steady is None:  # a few hundred rows settle the profile; every row is then laid over it
        shift = _best_shifts(stack, stack.use / noise[stack.bins], profile)
        shown = np.where(stack.use.any(axis=1), shift, np.nan)
    ends = np.cumsum([len(e.grey) for e in edges])[:-1]
    return np.split(shown, ends), profile


def _settled(
    stack: "_Stack", steady: Steady | None
) -> tuple[Float64[np.ndarray, " rows"], Profile, Float64[np.ndarray, " bins"]]:
    """Displacements that agree with the profile they make; the profile; noise at each offset."""
    count = len(stack.grey)
    shift, offset = np.zeros(count), np.zeros(count)
    noise = np.ones(2 * REACH_PX + 2)
    used = np.asarray(stack.use.any(axis=1))
    for _ in range(ROUNDS):
        profile = _mean_profile(stack, shift, offset)
        weight = stack.use / noise[stack.bins]
        shift = _best_shifts(stack, weight, profile)
        shift -= shift[used].mean()  # else rows and profile could wander off together
        shown = np.where(used, shift, np.nan)
        if steady is not None:
            shift = np.concatenate([steady(shift[p], used[p]) for p, _ in stack.edges])
        rest = stack.grey - _at(profile, stack.offsets - shift[:, None])
        offset = (weight * rest).sum(axis=1) / np.maximum(weight.sum(axis=1), 1e-12)
        rest = (rest - offset[:, None])[stack.use]
        bins, size = stack.bins[stack.use], len(noise)
        counts = np.bincount(bins, minlength=size)
        noise = (np.bincount(bins, rest**2, size) + 1e-9) / np.maximum(counts, 1)
        noise = np.maximum(noise, noise[counts > 0].min(initial=1.0))
    return shown, _mean_profile(stack, shift, offset), noise


def thinned(edges: Sequence[Edge], most: int) -> list[Edge]:
    """The edges with every k-th of the rows that count, about `most` in all."""
    used = [np.flatnonzero(edge.use.any(axis=1)) for edge in edges]
    step = max(sum(map(len, used)) // most, 1)
    kept = [(edge, rows[::step]) for edge, rows in zip(edges, used, strict=True) if len(rows)]
    return [replace(e, grey=e.grey[r], use=e.use[r]) for e, r in kept]


def profile_of(
    offsets_px: Float64[np.ndarray, " n"],
    grey: Float64[np.ndarray, " n"],
    weight: Float64[np.ndarray, " n"],
) -> Profile:
    """A mean profile measured at other offsets (ascending, px outwards), on the common grid."""
    reach = REACH_PX + SEARCH_PX
    grid = np.linspace(-reach, reach, round(2 * reach / FINE_PX) + 1)
    shares = np.interp(grid, offsets_px, weight, left=0, right=0)
    return Profile(grid, np.interp(grid, offsets_px, grey), shares)


@dataclass(frozen=True, eq=False)
class _Stack:
    """The rows of all edges of a class; rows cut by the canvas are filled up with unused pixels.

    Attributes:
        edges: Rows of each edge, and the offsets they share.
        offsets: Per pixel, px outwards.
        bins: Per pixel, the offset rounded: an index of noise levels.
        grey: Grey values.
        use: Which pixels count.
    """

    edges: list[tuple[slice, np.ndarray]]
    offsets: Float64[np.ndarray, "rows pixels"]
    bins: Int64[np.ndarray, "rows pixels"]
    grey: Float64[np.ndarray, "rows pixels"]
    use: Bool[np.ndarray, "rows pixels"]


def _stacked(edges: Sequence[Edge]) -> _Stack:
    pixels = max(e.grey.shape[1] for e in edges)
    rows = sum(len(e.grey) for e in edges)
    offsets, grey = np.zeros((rows, pixels)), np.zeros((rows, pixels))
    use = np.zeros((rows, pixels), bool)
    parts, begin = [], 0
    for edge in edges:
        part, width = slice(begin, begin + len(edge.grey)), edge.grey.shape[1]
        offsets[part, :width], grey[part, :width] = edge.offsets_px, edge.grey
        use[part, :width] = edge.use
        parts.append((part, offsets[begin]))
        begin = part.stop
    bins = np.rint(offsets).astype(np.int64) + REACH_PX
    return _Stack(parts, offsets, bins.clip(0, 2 * REACH_PX + 1), grey, use)


def _best_shifts(
    stack: _Stack, weight: Float64[np.ndarray, "rows pixels"], profile: Profile
) -> Float64[np.ndarray, " rows"]:
    """The displacement of least squares of each row, its grey offset free."""
    trial = np.arange(-SEARCH_PX, SEARCH_PX + STEP_PX / 2, STEP_PX)
    total = np.maximum(weight.sum(axis=1, keepdims=True), 1e-12)
    rest = weight * (stack.grey - (weight * stack.grey).sum(axis=1, keepdims=True) / total)
    misfit = np.empty((len(rest), len(trial)))
    for part, offsets in stack.edges:
        model = _at(profile, offsets[:, None] - trial)
        mean = weight[part] @ model
        misfit[part] = weight[part] @ model**2 - mean**2 / total[part] - 2 * rest[part] @ model
    best = misfit.argmin(axis=1).clip(1, len(trial) - 2)
    rows = np.arange(len(best))
    before, at, after = (misfit[rows, best + k] for k in (-1, 0, 1))
    bend = np.maximum(before - 2 * at + after, 1e-12)
    part_of_step = (0.5 * (before - after) / bend).clip(-1, 1)
    shifts: Float64[np.ndarray, " rows"] = trial[best] + part_of_step * STEP_PX
    return shifts


def _at(profile: Profile, offsets_px: Float64[np.ndarray, "..."]) -> Float64[np.ndarray, "..."]:
    """The profile at any offsets, linear between its points, constant beyond them."""
    place = (offsets_px - profile.offsets_px[0]) / FINE_PX
    low = place.astype(np.int64).clip(0, len(profile.grey) - 2)
    rise = np.diff(profile.grey)
    return np.asarray(profile.grey[low] + (place - low).clip(0, 1) * rise[low])


def _mean_profile(
    stack: _Stack, shift: Float64[np.ndarray, " rows"], offset: Float64[np.ndarray, " rows"]
) -> Profile:
    """All pixels in place, averaged on a grid of FINE_PX by linear weights."""
    reach = REACH_PX + SEARCH_PX
    count = round(2 * reach / FINE_PX) + 1
    place = ((stack.offsets - shift[:, None])[stack.use] + reach) / FINE_PX
    place = place.clip(0, count - 1)
    grey = (stack.grey - offset[:, None])[stack.use]
    low = place.astype(np.int64)
    part = place - low
    size = count + 1
    weights = np.bincount(low, 1 - part, size) + np.bincount(low + 1, part, size)
    sums = np.bincount(low, grey * (1 - part), size) + np.bincount(low + 1, grey * part, size)
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

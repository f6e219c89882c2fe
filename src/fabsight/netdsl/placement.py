"""Where exactly an edge lies: the profile of grey across it, averaged along it, read by a small net.

The segmenter sees some tens of pixels; a wire's side is hundreds long. Averaged along the side the
profile has almost no noise, and its shape (rim, shadow, blur, the step of the material) says how
far the middle of the sidewall is from where the side was drawn. A multilayer perceptron of some
10 k weights, trained by `placement_training` on looks of the `bloom` family, reads it; its inputs
are the side's own profile, the mean over sides that face the same way, and the mean over all.
"""

from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Bool, Float32, Float64

from fabsight.netdsl.language import Cap, Program, Run, Shape, Via, Wire
from fabsight.netdsl.rendering import render

Grey: TypeAlias = Float32[np.ndarray, "height width"]
Facing: TypeAlias = Literal["left", "right", "up", "down"]
FACINGS: tuple[Facing, ...] = ("left", "right", "up", "down")

REACH_PX = 8.0
STEP_PX = 0.5
OFFSETS = np.arange(-REACH_PX, REACH_PX + STEP_PX / 2, STEP_PX)  # negative: outside
INSET_PX = 3.0  # the corners of a side belong to two edges
LEAST_PX = 10.0
MOST_PX = 1.5  # no side moves further


@dataclass(frozen=True)
class Side:
    """One straight side of a wire's run.

    Attributes:
        shape: Index of the wire among the program's shapes.
        run: Index of the run.
        facing: Which way is out.
        at: Coordinate of the side across, px.
        begin: Where it begins along, px.
        end: Where it ends along, px.
    """

    shape: int
    run: int
    facing: Facing
    at: float
    begin: float
    end: float


def sides(program: Program) -> list[Side]:
    """Sides of all horizontal and vertical runs that are long enough and inside the canvas."""
    found = []
    for k, shape in enumerate(program.shapes):
        if not isinstance(shape, Wire):
            continue
        x, y = shape.x, shape.y
        for i, run in enumerate(shape.runs):
            begin, end, across, size = _span(run, x, y, program)
            begin += shape.start.length if i == 0 else shape.width / 2
            end -= shape.end.length if i == len(shape.runs) - 1 else shape.width / 2
            if run.dx < 0 or run.dy < 0:  # start and end swap along the axis
                first = shape.start.length if i == 0 else shape.width / 2
                last = shape.end.length if i == len(shape.runs) - 1 else shape.width / 2
                begin, end = begin - first + last, end + last - first
            begin, end = max(begin, 0.0) + INSET_PX, min(end, size[0]) - INSET_PX
            if run.axis != "D" and end - begin >= LEAST_PX:
                low, high = across - shape.width / 2, across + shape.width / 2
                names: tuple[Facing, Facing] = ("up", "down") if run.axis == "H" else ("left", "right")
                for name, at in zip(names, (low, high), strict=True):
                    if 1 <= at <= size[1] - 1:
                        found.append(Side(k, i, name, at, begin, end))
            x, y = x + run.dx, y + run.dy
    return found


def _span(
    run: Run, x: float, y: float, program: Program
) -> tuple[float, float, float, tuple[int, int]]:
    """Begin, end and centre of a run in its own axis, and canvas (along, across)."""
    if run.axis == "H":
        return min(x, x + run.dx), max(x, x + run.dx), y, (program.width, program.height)
    return min(y, y + run.dy), max(y, y + run.dy), x, (program.height, program.width)


def profiles(
    grey: Grey, program: Program, found: list[Side]
) -> tuple[Float64[np.ndarray, "sides offsets"], Bool[np.ndarray, "sides offsets"]]:
    """Mean grey at each offset across each side (outside first), and where it is known.

    A profile ends half way to the next metal outside, and at the middle of the wire inside.
    """
    mask = render(program)
    values = np.zeros((len(found), len(OFFSETS)))
    known = np.zeros((len(found), len(OFFSETS)), bool)
    turned = {"H": (grey, mask), "V": (grey.T, mask.T)}
    for k, side in enumerate(found):
        axis = "H" if side.facing in ("up", "down") else "V"
        picture, metal = turned[axis]
        c0, c1 = int(np.ceil(side.begin)), int(side.end)
        r0 = max(int(side.at - REACH_PX - 2), 0)
        r1 = min(int(side.at + REACH_PX + 3), picture.shape[0])
        mean = picture[r0:r1, c0:c1].mean(axis=1)
        filled = metal[r0:r1, c0:c1].mean(axis=1)
        sign = 1.0 if side.facing in ("left", "up") else -1.0
        places = side.at + sign * OFFSETS - 0.5
        values[k] = np.interp(places, np.arange(r0, r1), mean)
        inside = np.interp(places, np.arange(r0, r1), filled)
        known[k] = _known(inside) & (places >= 0) & (places <= picture.shape[0] - 1)
    return values, known


def _known(filled: Float64[np.ndarray, " offsets"]) -> Bool[np.ndarray, " offsets"]:
    """Offsets before half of the gap outside and half of the width inside."""
    middle = len(OFFSETS) // 2
    margin = round(1 / STEP_PX)
    outer = np.flatnonzero(filled[: middle - margin] > 0.25)
    inner = np.flatnonzero(filled[middle + margin :] < 0.75)
    low = 0 if len(outer) == 0 else (int(outer[-1]) + middle) // 2
    high = len(OFFSETS) if len(inner) == 0 else middle + (int(inner[0]) + margin + 1) // 2
    known = np.zeros(len(OFFSETS), bool)
    known[low : max(high, middle + 1)] = True
    return known


def features(
    values: Float64[np.ndarray, "sides offsets"],
    known: Bool[np.ndarray, "sides offsets"],
    found: list[Side],
) -> Float32[np.ndarray, "sides inputs"]:
    """Inputs of the net: own, same-facing and overall profile, each with what is known of it."""
    weight = known * np.array([[s.end - s.begin] for s in found])
    overall = _mean(values, weight)
    level, spread = overall.mean(), max(float(overall.std()), 1e-6)
    rows = []
    facing = {f: np.array([s.facing == f for s in found]) for f in FACINGS}
    means = {f: _mean(values[m], weight[m]) for f, m in facing.items() if m.any()}
    for k, side in enumerate(found):
        own = _filled(values[k], known[k])
        parts = [(p - level) / spread for p in (own, means[side.facing], overall)]
        length = np.log(side.end - side.begin) / 5
        rows.append(np.concatenate([*parts, known[k], [length]]))
    return np.asarray(rows, np.float32)


def _mean(
    values: Float64[np.ndarray, "n offsets"], weight: Float64[np.ndarray, "n offsets"]
) -> Float64[np.ndarray, " offsets"]:
    total = weight.sum(axis=0)
    mean = (values * weight).sum(axis=0) / np.maximum(total, 1e-9)
    return _filled(mean, total > 0)


def _filled(
    profile: Float64[np.ndarray, " offsets"], known: Bool[np.ndarray, " offsets"]
) -> Float64[np.ndarray, " offsets"]:
    """Unknown offsets take the nearest known value."""
    at = np.flatnonzero(known)
    if len(at) == 0:
        return np.zeros_like(profile)
    return np.interp(np.arange(len(profile)), at, profile[at])


@cache
def _weights() -> list[Float32[np.ndarray, "..."]]:
    path = files("fabsight") / "weights" / "netdsl_placement.npz"
    with path.open("rb") as file:
        stored = np.load(file)
        return [stored[name] for name in ("w0", "b0", "w1", "b1", "w2", "b2")]


def outward(inputs: Float32[np.ndarray, "sides inputs"]) -> Float32[np.ndarray, " sides"]:
    """How far each side should move outward, px (inward negative)."""
    w0, b0, w1, b1, w2, b2 = _weights()
    hidden = np.maximum(inputs @ w0 + b0, 0)
    hidden = np.maximum(hidden @ w1 + b1, 0)
    return np.asarray(np.clip((hidden @ w2 + b2)[:, 0], -MOST_PX, MOST_PX), np.float32)


def place(grey: Grey, program: Program, rounds: int = 2) -> Program:
    """The program with every side where its profile says; metal must be bright."""
    for _ in range(rounds):
        found = sides(program)
        if not found:
            break
        values, known = profiles(grey, program, found)
        program = shifted(program, found, outward(features(values, known, found)))
    return program


def shifted(
    program: Program, found: list[Side], by: Float32[np.ndarray, " sides"]
) -> Program:
    """Sides moved outward by their amounts; ends, caps and vias by the mean of what faces alike."""
    mean = {}
    lengths = np.array([s.end - s.begin for s in found])
    for facing in FACINGS:
        mine = np.array([s.facing == facing for s in found])
        mean[facing] = float(np.average(by[mine], weights=lengths[mine])) if mine.any() else None
    overall = float(np.average(by, weights=lengths))
    moves = {f: overall if m is None else m for f, m in mean.items()}
    own: dict[int, dict[Facing, list[tuple[float, float]]]] = {}
    for side, amount in zip(found, by.tolist(), strict=True):
        faces = own.setdefault(side.shape, {})
        faces.setdefault(side.facing, []).append((amount, side.end - side.begin))
    shapes: list[Shape] = []
    for k, shape in enumerate(program.shapes):
        if isinstance(shape, Wire):
            faces = own.get(k, {})
            mine = {f: _weighted(v) for f, v in faces.items()}
            shapes.append(_shifted_wire(shape, moves, mine, program))
        elif isinstance(shape, Via):
            shapes.append(replace(shape, r=max(shape.r + overall, 0.5)))
        else:
            shapes.append(shape)
    return replace(program, commands=tuple(shapes))


def _weighted(pairs: list[tuple[float, float]]) -> float:
    """Mean of amounts weighted by lengths."""
    return sum(a * n for a, n in pairs) / sum(n for _, n in pairs)


def _shifted_wire(
    wire: Wire, moves: dict[Facing, float], own: dict[Facing, float], program: Program
) -> Wire:
    """The wire with its width and place from its own sides, its ends from the common moves."""
    across: dict[str, tuple[float, float]] = {}
    for axis, (low, high) in (("H", ("up", "down")), ("V", ("left", "right"))):
        across[axis] = own.get(low, moves[low]), own.get(high, moves[high])  # type: ignore[arg-type]
    lengths = {axis: sum(r.length for r in wire.runs if r.axis == axis) for axis in ("H", "V")}
    total = max(lengths["H"] + lengths["V"], 1e-9)
    grow = sum(sum(across[axis]) * lengths[axis] for axis in ("H", "V")) / total
    # a centre moves by half the difference of its sides; x from vertical runs, y from horizontal
    dx = (across["V"][1] - across["V"][0]) / 2 if lengths["V"] else 0.0
    dy = (across["H"][1] - across["H"][0]) / 2 if lengths["H"] else 0.0
    runs, (x, y) = list(wire.runs), (wire.x + dx, wire.y + dy)
    first, last = runs[0], runs[-1]
    start = _end_move(first, moves, inward=True)
    if _on_border(wire.x, wire.y, first.axis, program):
        start = 0.0
    tip = wire.tip
    end = 0.0 if _on_border(*tip, last.axis, program) else _end_move(last, moves, inward=False)
    ux, uy = np.sign(first.dx), np.sign(first.dy)
    x0, y0 = (wire.x - ux * start, y) if first.axis == "H" else (x, wire.y - uy * start)
    runs = _stretched(wire, runs, (x0, y0), (dx, dy), end)
    caps = [_cap_moved(c, grow, s) for c, s in ((wire.start, start), (wire.end, end))]
    return Wire(round(x0, 2), round(y0, 2), max(round(wire.width + grow, 2), 0.5), *caps, tuple(runs))


def _stretched(
    wire: Wire, runs: list[Run], start: tuple[float, float], by: tuple[float, float], end: float
) -> list[Run]:
    """Runs from the moved start through the moved joints to the moved end."""
    x, y = wire.x, wire.y
    at = start
    out = []
    for k, run in enumerate(runs):
        x, y = x + run.dx, y + run.dy
        goal = [x + by[0], y + by[1]]
        if k == len(runs) - 1:
            goal = [x + np.sign(run.dx) * end, y + np.sign(run.dy) * end]
        step = goal[0] - at[0] if run.axis == "H" else goal[1] - at[1]
        if run.axis == "D":
            out.append(run)
            at = at[0] + run.dx, at[1] + run.dy
            continue
        if step * (run.dx + run.dy) <= 0:  # a jog shorter than the move keeps its length
            step = run.dx + run.dy
        step = round(float(step), 2)
        out.append(Run("H", step, 0.0) if run.axis == "H" else Run("V", 0.0, step))
        at = (at[0] + step, at[1]) if run.axis == "H" else (at[0], at[1] + step)
    return out


def _end_move(run: Run, moves: dict[Facing, float], inward: bool) -> float:
    """How far an end moves outward: by what faces the way it points."""
    forward = run.dx + run.dy > 0
    if inward:
        forward = not forward
    if run.axis == "H":
        return moves["right" if forward else "left"]
    return moves["down" if forward else "up"]


def _on_border(x: float, y: float, axis: str, program: Program) -> bool:
    at, size = (x, program.width) if axis == "H" else (y, program.height)
    return at <= 0.5 or at >= size - 0.5


def _cap_moved(cap: Cap, grow: float, along: float) -> Cap:
    if cap.length == 0:
        return cap
    return Cap(max(round(cap.length + 2 * along, 2), 0.5), max(round(cap.width + grow, 2), 0.5))

"""A proposal's numbers moved to where the image has the edges.

Widths, centre lines, ends and vias that are clearly off move to where the front end's shares of
metal have them; nothing is added or taken away.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from fabsight.netdsl.arrays import fold_arrays
from fabsight.netdsl.canonical import canonical
from fabsight.netdsl.conventions import CLEARLY_PX, Gap, gap, sides_of
from fabsight.netdsl.frontends import Evidence, Share
from fabsight.netdsl.growing import LEAST_PX, grown
from fabsight.netdsl.metrology import (
    MOST_MEASURED,
    MeasuredLeg,
    Rows,
    mean_of,
    scene_of,
    with_sides,
)
from fabsight.netdsl.profiles import Edge, edge_of_end, edges_of, ends_of, legs_of
from fabsight.netdsl.regular import on_grids
from fabsight.netdsl.rendering import paint, pick
from fabsight.netdsl.roughness import mean_error
from fabsight.netdsl.shapes import Cap, Program, Run, Via, Wire, expand, is_strict

SEARCH_PX = 5.0
OVERHANG_PX = 2.0  # metal this close to a via's rim is taken for its own
BURIED_SHARE = 0.7  # of the square about a via in metal
COMMON_PX = 0.6  # what a whole layout may be off by: front ends err that much themselves


def placed(
    evidence: Evidence,
    program: Program,
    outward_px: tuple[float, float] = (0.0, 0.0),
    passes: int = 2,
) -> Program:
    """The program with every number that is clearly off moved to where the image has the edge.

    Edges are looked for within 5 px. Polygons, wires with oblique runs and vias that overhang metal
    only move with the layout's common gap. Without anything clearly off, or with more runs than
    are measured, the program itself is returned.

    Args:
        evidence: What a front end says about the image, on the program's canvas.
        program: The proposal.
        outward_px: How far outside of mid-sidewall the convention puts edges of wires, of vias.
        passes: How often; an edge far off brings others into view.
    """
    found = program
    for _ in range(passes):
        moved = _moved(evidence, found, outward_px)
        if moved is found:
            break
        found = moved
    if found is program:
        return program
    tidy = canonical(on_grids(found))
    return expand(tidy) if is_strict(program) else fold_arrays(tidy)


def _moved(evidence: Evidence, program: Program, outward_px: tuple[float, float]) -> Program:
    scene = scene_of(evidence.share, program)
    legs, ends = legs_of(program), ends_of(program)
    if len(legs) > MOST_MEASURED:
        return program
    sides = {(edge.leg, edge.facing): _rows(edge) + outward_px[0] for edge in edges_of(legs, scene)}
    measured = with_sides(legs, sides)
    common = gap(sides_of(measured))
    by = common.px if common.clear and abs(common.px) > COMMON_PX else 0.0
    grew = grown(program, by)
    off = {
        (end.wire, end.last): _clear(_rows(edge) + outward_px[0], by)
        for k, end in enumerate(ends)
        if (edge := edge_of_end(k, end, scene)) is not None
    }
    own: dict[int, list[MeasuredLeg]] = {}
    for leg in measured:
        own.setdefault(leg.leg.wire, []).append(leg)
    vias = _seen_vias(evidence, program)
    shapes, wire = list(grew.shapes), -1
    for k, shape in enumerate(shapes):
        if isinstance(shape, Wire):
            wire += 1
            both = off.get((wire, False), 0.0), off.get((wire, True), 0.0)
            shapes[k] = _wire(shape, own.get(wire, []), both, by)
        elif isinstance(shape, Via):
            seen = vias(shape)
            shapes[k] = shape if seen is None else _via(shape, seen, outward_px[1])
    return program if tuple(shapes) == program.shapes else replace(program, commands=tuple(shapes))


def _seen_vias(evidence: Evidence, program: Program) -> Callable[[Via], Share | None]:
    """Where a via of the program is looked for: shares of via in metal, shares of metal outside.

    None for one that overhangs metal: its rim is not its own.
    """
    height, width = evidence.share.shape
    metal = paint(pick(program.shapes, "metal"), width, height) > 0
    holes = None if evidence.via is None else np.minimum(evidence.via, evidence.share)

    def seen(via: Via) -> Share | None:
        reach = via.r + OVERHANG_PX
        rows, columns = (slice(max(int(c - reach), 0), int(c + reach) + 1) for c in (via.y, via.x))
        around = metal[rows, columns]
        if not around.any():
            return evidence.share
        return holes if around.size and around.mean() > BURIED_SHARE else None

    return seen


def _rows(edge: Edge) -> Rows:
    """How far outward metal reaches in each row of shares, px; NaN where the edge is hidden."""
    near = np.abs(edge.offsets_px) <= SEARCH_PX
    drawn = np.clip(0.5 - edge.offsets_px[near], 0, 1)
    use = edge.use[:, near]
    more = np.where(use, edge.grey[:, near] - drawn, 0.0).sum(axis=1)
    return np.where(use.any(axis=1), more, np.nan)


def _clear(rows: Rows | None, less_px: float = 0.0) -> float:
    """The mean of the rows less what is known already where that is clearly off, else 0."""
    off = mean_of(rows) - less_px
    if rows is None or not abs(off) > CLEARLY_PX:  # spares the error, the dearest number here
        return 0.0
    return off if Gap(off, mean_error(rows)).clear else 0.0


def _wire(wire: Wire, legs: Sequence[MeasuredLeg], ends: tuple[float, float], by: float) -> Wire:
    """The wire with its width, the centre lines of its runs, and its ends moved.

    `by` is how far outward every edge has been moved since the legs were measured.
    """
    halves = [(leg.width - wire.width) / 2 for leg in legs if leg.width is not None]
    off = 2 * _clear(np.concatenate(halves)) if halves else 0.0
    width = max(wire.width + off, LEAST_PX)
    corners = [[wire.x, wire.y]]
    for run in wire.runs:
        corners.append([corners[-1][0] + run.dx, corners[-1][1] + run.dy])
    still = not off
    for leg in legs:
        aside = _aside(leg, by, off)
        across = 0 if leg.leg.axis == "V" else 1
        for corner in (leg.leg.run, leg.leg.run + 1):
            corners[corner][across] += aside
        still &= not aside
    for end, run, corner, sign in ((0, wire.runs[0], 0, -1), (1, wire.runs[-1], -1, 1)):
        if ends[end]:
            corners[corner][0] += sign * ends[end] * np.sign(run.dx)
            corners[corner][1] += sign * ends[end] * np.sign(run.dy)
            still = False
    if still or any(run.axis == "D" for run in wire.runs):
        return wire
    moved = _rebuilt(wire, width, corners)
    turned = [a.dx * b.dx + a.dy * b.dy <= 0 for a, b in zip(moved.runs, wire.runs, strict=True)]
    return wire if any(turned) else moved


def _aside(leg: MeasuredLeg, by: float, wider: float) -> float:
    """How far the centre line is clearly off; an edge whose opposite is hidden tells it alone."""
    if leg.left is not None and leg.right is not None:
        return _clear((leg.right - leg.left) / 2)
    if leg.right is not None:
        return _clear(leg.right, by + wider / 2)
    return -_clear(leg.left, by + wider / 2)


def _rebuilt(wire: Wire, width: float, corners: Sequence[Sequence[float]]) -> Wire:
    runs = []
    for run, (x0, y0), (x1, y1) in zip(wire.runs, corners, corners[1:], strict=False):
        dx, dy = float(x1 - x0), float(y1 - y0)
        runs.append(Run(run.axis, 0.0 if run.axis == "V" else dx, 0.0 if run.axis == "H" else dy))
    more = width - wire.width
    start, end = (
        Cap(cap.length, max(cap.width + more, LEAST_PX)) if cap.length else cap
        for cap in (wire.start, wire.end)
    )
    return Wire(float(corners[0][0]), float(corners[0][1]), width, start, end, tuple(runs))


def _via(via: Via, seen: Share, outward_px: float) -> Via:
    """The via at the place and radius its own piece of the shares has, where clearly off."""
    import cv2

    reach = math.ceil(via.r + SEARCH_PX)
    x0, y0 = max(int(via.x) - reach, 0), max(int(via.y) - reach, 0)
    window = seen[y0 : int(via.y) + reach + 1, x0 : int(via.x) + reach + 1]
    row, column = int(via.y) - y0, int(via.x) - x0
    if not (0 <= row < window.shape[0] and 0 <= column < window.shape[1]):
        return via
    _, names = cv2.connectedComponents((window > 0.5).astype(np.uint8), connectivity=4)
    if names[row, column] == 0:
        return via
    own = (names == names[row, column]).astype(np.uint8)
    weight = np.where(cv2.dilate(own, np.ones((3, 3), np.uint8)) > 0, window, 0)
    area = float(weight.sum())
    x = float(weight.sum(axis=0) @ (np.arange(weight.shape[1]) + 0.5)) / area + x0
    y = float(weight.sum(axis=1) @ (np.arange(weight.shape[0]) + 0.5)) / area + y0
    r = math.sqrt(area / math.pi) + outward_px
    if max(abs(r - via.r), math.hypot(x - via.x, y - via.y)) > SEARCH_PX:
        return via  # something else
    off = [Gap(now - was, 0.0).clear for now, was in ((x, via.x), (y, via.y), (r, via.r))]
    return Via(x, y, max(r, LEAST_PX)) if any(off) else via

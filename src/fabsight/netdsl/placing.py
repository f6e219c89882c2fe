"""A proposal's numbers moved to where the image has the edges.

Widths, centre lines, ends and vias that are clearly off move to where the front end's shares of
metal have them; nothing is added or taken away.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fabsight.netdsl.arrays import fold_arrays
from fabsight.netdsl.canonical import canonical
from fabsight.netdsl.conventions import CLEARLY_PX, Gap, gap, sides_of
from fabsight.netdsl.frontends import Evidence, Share
from fabsight.netdsl.growing import LEAST_PX, grown
from fabsight.netdsl.metrology import MeasuredLeg, Rows, mean_of, scene_of
from fabsight.netdsl.profiles import Edge, edge_of_end, edges_of, ends_of, legs_of
from fabsight.netdsl.regular import on_grids
from fabsight.netdsl.rendering import paint, pick
from fabsight.netdsl.roughness import mean_error
from fabsight.netdsl.shapes import Cap, Program, Run, Shape, Via, Wire, expand, is_strict

SEARCH_PX = 5.0
PASSES = 2  # an edge far off brings others into view


def placed(
    evidence: Evidence, program: Program, outward_px: tuple[float, float] = (0.0, 0.0)
) -> Program:
    """The program with every number that is clearly off moved to where the image has the edge.

    Edges are looked for within 5 px. Polygons and oblique runs only move with the layout's common
    gap. Without anything clearly off the program itself is returned.

    Args:
        evidence: What a front end says about the image, on the program's canvas.
        program: The proposal.
        outward_px: How far outside of mid-sidewall the convention puts edges of wires, of vias.
    """
    found = program
    for _ in range(PASSES):
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
    sides = {(edge.leg, edge.facing): _rows(edge) + outward_px[0] for edge in edges_of(legs, scene)}
    measured = [
        MeasuredLeg(
            leg,
            sides.get((k, "left" if leg.axis == "V" else "up")),
            sides.get((k, "right" if leg.axis == "V" else "down")),
        )
        for k, leg in enumerate(legs)
    ]
    common = gap(sides_of(measured))
    by = common.px if common.clear else 0.0
    grew = grown(program, by)
    off = {
        (end.wire, end.last): _clear(_rows(edge) + outward_px[0], by)
        for k, end in enumerate(ends)
        if (edge := edge_of_end(k, end, scene)) is not None
    }
    metal = pick(program.shapes, "metal")
    holes = evidence.share if evidence.via is None else np.minimum(evidence.via, evidence.share)
    shapes, wire = list(grew.shapes), -1
    for k, shape in enumerate(shapes):
        if isinstance(shape, Wire):
            wire += 1
            own = [leg for leg in measured if leg.leg.wire == wire]
            both = off.get((wire, False), 0.0), off.get((wire, True), 0.0)
            shapes[k] = _wire(shape, own, both, by)
        elif isinstance(shape, Via):
            inside = evidence.via is not None and buried(shape, metal)
            shapes[k] = _via(shape, holes if inside else evidence.share, outward_px[1])
    return program if tuple(shapes) == program.shapes else replace(program, commands=tuple(shapes))


def buried(via: Via, metal: Sequence[Shape]) -> bool:
    """Whether a via's centre lies in metal."""
    return bool(paint(metal, 1, 1, origin=(via.x - 0.5, via.y - 0.5)).any())


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
    if still:
        return wire
    return _rebuilt(wire, width, corners)


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

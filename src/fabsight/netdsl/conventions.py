"""How far edges lie from where a program draws them, and edges drawn by another convention.

Everything here rests on the metrology's edge model: a layout's drawn widths are its measured CDs.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float32, Float64

from fabsight.images import is_binary
from fabsight.netdsl.edge_model import Convention
from fabsight.netdsl.growing import LEAST_PX, grown
from fabsight.netdsl.metrology import (
    MeasuredLeg,
    Rows,
    displacements,
    mean_of,
    measure_parts,
    scene_of,
)
from fabsight.netdsl.normal import bounds
from fabsight.netdsl.profiles import Grey, Scene, edges_of, legs_of, thinned
from fabsight.netdsl.rendering import paint, pick
from fabsight.netdsl.sem import signed_distance
from fabsight.netdsl.shapes import Program, Via, moved
from fabsight.netdsl.via_metrology import in_metal, measure_vias

CLEARLY_PX = 0.3  # what is less far off stays: the program's own place is as good
TRUST = 0.5  # in the edge model's place against the front end's
FAR_PX = 1.5  # an edge this far from the others is wrong
MOST_LEGS = 12  # whose edges tell how far a layout is from a convention
SAMPLE_PX = 1536  # side of what is asked of a large image
MOST_VIAS = 12  # of a kind whose diameters tell that kind's
MOST_ROWS = 512  # of those edges
CLEARLY_SE = 3.0  # ... and so does what is off by fewer of its standard errors


@dataclass(frozen=True)
class Gap:
    """How far outward edges lie in the image from the program's, px: the mean and its error."""

    px: float
    error_px: float

    @property
    def clear(self) -> bool:
        """Whether the edges are off beyond doubt."""
        return abs(self.px) > max(CLEARLY_PX, CLEARLY_SE * self.error_px)


NO_GAP = Gap(0.0, float("inf"))


def gap(sides: Sequence[Float64[np.ndarray, "..."] | None]) -> Gap:
    """The mean displacement of edges, each weighted by its rows; infinitely unsure without any.

    Edges that are far from the median of all are left out: they are wrong, not the convention. The
    error is that of the scatter between edges.
    """
    found = [(mean_of(side), np.isfinite(side).sum()) for side in sides if side is not None]
    means, counts = np.array([pair for pair in found if np.isfinite(pair[0])]).reshape(-1, 2).T
    if not len(counts):
        return NO_GAP
    usual = np.abs(means - np.median(means)) <= FAR_PX
    means, weight = means[usual], counts[usual] / counts[usual].sum()
    mean = float(weight @ means)
    error = float(np.sqrt((weight**2) @ (means - mean) ** 2)) if len(means) > 1 else math.inf
    return Gap(mean, error)


def sampled_gap(program: Program, scene: Scene, convention: Convention = "mid") -> Gap:
    """The gap on a sample of a layout's straight edges: tells a bias, not where one edge is."""
    legs = legs_of(program)
    edges = edges_of(legs[:: -(-len(legs) // MOST_LEGS) or 1], scene)
    return gap(displacements(thinned(edges, MOST_ROWS), convention)) if edges else NO_GAP


def drawn_by(grey: Grey, program: Program, convention: Convention) -> Program:
    """A program drawn at the front end's edges, drawn where a convention puts them.

    Mid-sidewall is taken half way between where the front end and where the edge model have it:
    neither is better than the other on simulated images, and they err differently. Radii of vias
    are, too.
    """
    if is_binary(grey):
        return program
    part, sample = _sample(grey, program)
    mid = sampled_gap(sample, scene_of(part, sample))
    wires, vias = outward(grey, program, convention)
    return grown(_wider(program, _vias_off(part, sample)), TRUST * mid.px + wires, vias)


def _sample(
    grey: Grey, program: Program
) -> tuple[Float32[np.ndarray, "sampled_high sampled_wide"], Program]:
    """The middle of a large image and what lies there: enough to tell what edges have in common."""
    corner = [max((side - SAMPLE_PX) // 2, 0) for side in grey.shape]
    if not any(corner):
        return grey, program
    top, left = corner
    part = grey[top : top + SAMPLE_PX, left : left + SAMPLE_PX]
    height, width = part.shape
    shapes = []
    for shape in program.shapes:
        x0, y0, x1, y1 = bounds(shape)
        if x1 > left and x0 < left + width and y1 > top and y0 < top + height:
            shapes.append(moved(shape, -left, -top))
    return part, Program(width, height, tuple(shapes))


def _vias_off(grey: Grey, program: Program) -> dict[bool, float]:
    """How much larger radii are measured than drawn: of vias in metal (True), and outside, px.

    One by one, small vias are measured no better than the front end sees them; the median of many
    is.
    """
    vias = [shape for shape in program.shapes if isinstance(shape, Via)]
    found = dict.fromkeys((False, True), 0.0)
    if not vias:
        return found
    metal = signed_distance(paint(pick(program.shapes, "metal"), *grey.shape[::-1]), 1)
    for buried in found:
        kind = [via for via in vias if in_metal(via, metal) is buried]
        some = kind[:: -(-len(kind) // MOST_VIAS) or 1]
        off = [via.diameter_px / 2 - via.design.r for via in measure_vias(some, grey, metal)]
        seen = [by for by in off if np.isfinite(by)]
        found[buried] = float(np.clip(np.median(seen), -FAR_PX, FAR_PX)) if seen else 0.0
    return found


def _wider(program: Program, off_px: Mapping[bool, float]) -> Program:
    """The program with radii half way to those measured."""
    if not any(off_px.values()):
        return program
    metal = paint(pick(program.shapes, "metal"), program.width, program.height)
    shapes = (
        replace(shape, r=max(shape.r + TRUST * off_px[in_metal(shape, metal)], LEAST_PX))
        if isinstance(shape, Via)
        else shape
        for shape in program.shapes
    )
    return replace(program, commands=tuple(shapes))


def outward(grey: Grey, program: Program, convention: Convention) -> tuple[float, float]:
    """How far outside of mid-sidewall a convention puts the edges of wires, and of vias; px.

    Both places are found on the same profiles: what the image leaves unsure of one drops out. On a
    mask the conventions are one.
    """
    if convention == "mid" or is_binary(grey):
        return 0.0, 0.0
    mid, other = (measure_parts(grey, program, each) for each in ("mid", convention))
    wires = gap(sides_of(other[0])).px - gap(sides_of(mid[0])).px
    vias = [(b.diameter_px - a.diameter_px) / 2 for a, b in zip(mid[1], other[1], strict=True)]
    seen = [by for by in vias if np.isfinite(by)]
    return wires, float(np.mean(seen)) if seen else wires


def sides_of(legs: Sequence[MeasuredLeg]) -> list[Rows | None]:
    """Both edges of every run."""
    return [side for leg in legs for side in (leg.left, leg.right)]

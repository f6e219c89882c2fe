"""How much of the edge ring fails, around the clock: what tells a ring from a part of one."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float64, UInt8

from fabsight.wafermap.arcs import Arc, runs
from fabsight.wafermap.frame import EDGE_STEP_DEG, EDGE_STEPS, Frame, tally

SMOOTH_DEG = 7.0  # standard deviation, at least
DEPTH = 0.05  # of the ring of outermost dies, as a share of the grid's smaller side
LEAST_DEPTH = 2  # dies
HEIGHT = 0.4  # of the ring's high rate above background, from which a direction is covered
LEAST_RISE = 0.12  # above the background, for a direction to be covered at all
SURE = 2.0  # standard deviations above background
HIGH = 0.9  # quantile of the rates around the clock that counts as the ring's high rate
BRIDGED = 2  # steps of a gap that does not part an arc


@dataclass(frozen=True, eq=False)
class EdgeRing:
    """The ring of outermost dies around the clock.

    Attributes:
        rate: Smoothed fail rate of each step of 5 degrees, from 12 o'clock clockwise.
        covered: Which steps fail more than the background, by much and surely.
        coverage_deg: How much of the ring is covered.
        arc: The longest covered arc; gaps of up to 10 degrees do not part it.
        gaps: Uncovered parts between covered ones, longer than 10 degrees.
        fill: Fail rate of the whole ring; 0 without dies.
        depth_dies: How many dies deep the ring is that was looked at.
    """

    rate: Float64[np.ndarray, " steps"]
    covered: Bool[np.ndarray, " steps"]
    coverage_deg: float
    arc: Arc
    gaps: int
    fill: float
    depth_dies: int


def edge_ring(grid: UInt8[np.ndarray, "rows columns"], place: Frame, background: float) -> EdgeRing:
    """Coverage of the outermost dies.

    >>> from fabsight.wafermap.frame import frame
    >>> grid = np.ones((20, 20), np.uint8)
    >>> grid[:2] = 2
    >>> found = edge_ring(grid, frame(20, 20), 0.0)
    >>> found.arc.from_deg, found.arc.to_deg, found.gaps
    (310.0, 50.0, 1)
    """
    depth = max(LEAST_DEPTH, round(DEPTH * min(grid.shape)))
    step = np.where(_outermost(grid, depth).ravel(), place.step, EDGE_STEPS)
    dies, fails = (a[:EDGE_STEPS] for a in tally(step, grid.ravel(), EDGE_STEPS + 1))
    kernel = _smoothing(round(max(SMOOTH_DEG, 57.3 / max(min(grid.shape), 1)), 1))
    weight, raised = kernel @ dies, kernel @ fails
    known = weight > 0.5
    rate = np.where(known, raised / np.where(known, weight, 1.0), 0.0)
    spread = np.sqrt(background * (1 - background) / np.maximum(weight, 0.5))
    high = float(np.sort(rate)[int(HIGH * EDGE_STEPS)])
    rise = max(LEAST_RISE, HEIGHT * (high - background))
    covered = known & (rate > background + np.maximum(rise, SURE * spread))
    found = runs(_bridged(covered))
    arc = Arc()
    if found:
        first, steps = found[0]
        end = (first + steps) * EDGE_STEP_DEG % 360 if steps < EDGE_STEPS else 360
        arc = Arc(float(first * EDGE_STEP_DEG), float(end), float(steps * EDGE_STEP_DEG))
    return EdgeRing(
        rate=rate,
        covered=covered,
        coverage_deg=float(np.count_nonzero(covered) * EDGE_STEP_DEG),
        arc=arc,
        gaps=len(found) if arc.span_deg < 360 else 0,
        fill=int(fails.sum()) / max(int(dies.sum()), 1),
        depth_dies=depth,
    )


def _outermost(
    grid: UInt8[np.ndarray, "rows columns"], depth: int
) -> Bool[np.ndarray, "rows columns"]:
    """Dies with a cell beyond the wafer's rim within `depth` cells."""
    import cv2

    size = 2 * depth + 1
    die = (grid > 0).view(np.uint8)
    inner = cv2.erode(
        die, np.ones((size, size), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0
    )
    return np.asarray(die != inner)


def _bridged(covered: Bool[np.ndarray, " steps"]) -> Bool[np.ndarray, " steps"]:
    """With the short gaps filled."""
    filled = covered.copy()
    for first, steps in runs(~covered):
        if steps <= BRIDGED and steps < len(covered):
            filled[np.arange(first, first + steps) % len(covered)] = True
    return filled


@lru_cache(maxsize=32)
def _smoothing(deviation_deg: float) -> Float64[np.ndarray, "steps steps"]:
    """Weights of the other steps, the nearest 1."""
    apart = np.arange(EDGE_STEPS) * EDGE_STEP_DEG
    apart = np.minimum(apart, 360 - apart)
    weight = np.exp(-((apart / deviation_deg) ** 2) / 2)
    weight[weight < 1e-3] = 0.0
    at = np.arange(EDGE_STEPS)
    return np.asarray(weight[(at[:, None] - at) % EDGE_STEPS], np.float64)

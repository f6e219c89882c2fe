"""Failing dies that belong to no pattern: how likely each die is to fail by chance.

Real wafers fail more at the rim (in WM-811K's class None 2.2 times as often, as a median), somewhat
more or less in the centre, on one side, or in every second column of a probe card's sites.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from fabsight.wafermap.draws import Draw
from fabsight.wafermap.layouts import Layout
from fabsight.wafermap.patterns import Lattice, density

MOST = 0.95  # no die is lost by chance for sure
RIM_DEPTH = 1.5  # dies


@dataclass(frozen=True)
class Background:
    """What fails by chance.

    Attributes:
        rate: Share of all dies that fail by it, as expected.
        rim: How many times as often as elsewhere the outermost dies fail.
        centre: Likewise at the very centre; falls to 1 at half the radius.
        tilt_x, tilt_y: How much more often, 0 to 1, at the right end than in the middle; at the
            top.
        stripes: Sites of a probe card that fail more often, None for most.
        stripe: How many times as often.
    """

    rate: float
    rim: float = 1.0
    centre: float = 1.0
    tilt_x: float = 0.0
    tilt_y: float = 0.0
    stripes: Lattice | None = None
    stripe: float = 1.0


# from, to: rates by the strongest pattern of a wafer; drawn so that each ratio is as likely
RATES = {
    "center": (0.012, 0.26),
    "donut": (0.03, 0.18),
    "edge-loc": (0.015, 0.2),
    "edge-ring": (0.01, 0.14),
    "loc": (0.006, 0.26),
    "near-full": (0.05, 0.3),
    "random": (0.02, 0.1),
    "scratch": (0.004, 0.15),
    "none": (0.01, 0.16),
}
CLEAN_SHARE = 0.08  # of wafers with next to no fails by chance
HEAVY_SHARE = 0.6  # of wafers without a pattern that fail as often as WM-811K's do


def draw_background(draw: Draw, patterns: tuple[str, ...]) -> Background:
    """A random background as wafers with these patterns have it."""
    low, high = RATES[patterns[0] if patterns else "none"]
    rate = draw.log_between(low, high)
    if set(patterns) <= {"none"} and draw.chance(HEAVY_SHARE):
        rate = draw.between(0.08, 0.22)
    if draw.chance(CLEAN_SHARE):
        rate = draw.log_between(0.001, 0.02)
    stripes = None
    if draw.chance(0.06):
        period = draw.whole(2, 4)
        at = (0, draw.whole(0, period - 1))
        stripes = Lattice(1, period, (at,)) if draw.chance(0.7) else Lattice(period, 1, (at[::-1],))
    lean, angle = draw.between(0, 0.5) * draw.chance(0.3), draw.between(0, 2 * np.pi)
    return Background(
        rate,
        draw.log_between(0.9, 4.0),
        draw.between(0.4, 1.7),
        lean * float(np.sin(angle)),
        lean * float(np.cos(angle)),
        stripes,
        draw.between(1.3, 2.2) if stripes else 1.0,
    )


def rates(background: Background, layout: Layout) -> Float32[np.ndarray, "rows columns"]:
    """How likely each die is to fail by chance; their mean is the rate, 0 where no die is."""
    disk = layout.disk
    found = 1 + np.float32(background.tilt_x) * disk.x + np.float32(background.tilt_y) * disk.y
    if background.rim != 1:
        found *= np.where(layout.depth < RIM_DEPTH, np.float32(background.rim), np.float32(1))
    if background.centre != 1:
        near = np.maximum(1 - 2 * disk.radius, 0)
        found *= 1 + np.float32(background.centre - 1) * near
    if background.stripes is not None:
        found *= 1 + np.float32(background.stripe - 1) * density(background.stripes, layout)
    found *= layout.dies
    mean = float(found.sum()) / max(int(layout.dies.sum()), 1)
    return np.minimum(found * np.float32(background.rate / max(mean, 1e-9)), np.float32(MOST))

"""Failing dies that belong to no pattern: how likely each die is to fail by chance.

Real wafers fail more at the rim (in WM-811K's class None 2.2 times as often, as a median; the dies
farthest out, which the edge cuts, most), somewhat more or less in the centre, on one side, or in
every second column of a probe card's sites.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from fabsight.wafermap.draws import Draw
from fabsight.wafermap.layouts import Layout
from fabsight.wafermap.patterns import Lattice, density

MOST = 0.95  # no die is lost by chance for sure
RIM_DEPTH = 1.2  # dies that touch the outside with a side, not only with a corner
HALVED = np.float32(0.5)
TAIL = 0.25  # of the rim's excess that a die inside has, halved with each further die


@dataclass(frozen=True)
class Background:
    """What fails by chance.

    Attributes:
        rate: Share of all dies that fail by it, as expected.
        rim: How many times as often as elsewhere the outermost dies fail, about.
        centre: Likewise at the very centre; falls to 1 at a third of the radius.
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


# from, to: shares of dies that fail by chance, by the first pattern of a wafer
RATES = {
    "center": (0.012, 0.28),
    "donut": (0.03, 0.2),
    "edge-loc": (0.015, 0.22),
    "edge-ring": (0.01, 0.13),
    "loc": (0.006, 0.26),
    "near-full": (0.05, 0.3),
    "random": (0.02, 0.1),
    "scratch": (0.006, 0.13),
    "none": (0.01, 0.24),
}
EVEN_SHARE = 0.6  # of wafers whose rate is as likely anywhere in the range; else each ratio is
CLEAN_SHARE = 0.08  # of wafers with next to no fails by chance


def draw_background(draw: Draw, patterns: tuple[str, ...]) -> Background:
    """A random background as wafers with these patterns have it."""
    low, high = RATES[patterns[0] if patterns else "none"]
    rate = draw.between(low, high) if draw.chance(EVEN_SHARE) else draw.log_between(low, high)
    if draw.chance(CLEAN_SHARE):
        rate = draw.log_between(0.001, 0.02)
    stripes = None
    if draw.chance(0.06):
        period = draw.whole(2, 4)
        at = (0, draw.whole(0, period - 1))
        stripes = Lattice(1, period, (at,)) if draw.chance(0.7) else Lattice(period, 1, (at[::-1],))
    lean, angle = draw.between(0, 0.5) * draw.chance(0.5), draw.between(0, 2 * np.pi)
    return Background(
        rate,
        draw.log_between(1.3, 3.8) if draw.chance(0.9) else 1.0,
        draw.between(0.4, 2.2),
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
        out = np.clip(8 * disk.radius - 6.6, 0.6, 1.6)  # the farther out, the oftener
        excess = np.where(layout.depth < RIM_DEPTH, out, TAIL * HALVED ** (layout.depth - 1))
        found *= 1 + np.float32(background.rim - 1) * excess
    if background.centre != 1:
        near = np.maximum(1 - 3 * disk.radius, 0)
        found *= 1 + np.float32(background.centre - 1) * near
    if background.stripes is not None:
        found *= 1 + np.float32(background.stripe - 1) * density(background.stripes, layout)
    found *= layout.dies
    mean = float(found.sum()) / max(int(layout.dies.sum()), 1)
    return np.minimum(found * np.float32(background.rate / max(mean, 1e-9)), np.float32(MOST))

"""Arcs of the clock: the smallest that holds a share of some angles, the runs of covered steps."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64


@dataclass(frozen=True)
class Arc:
    """A part of the clock.

    Attributes:
        from_deg, to_deg: Clockwise from 12 o'clock, from the one to the other; 0 and 360 where
            it is all of the clock.
        span_deg: How much it covers, 0 to 360.
    """

    from_deg: float = 0.0
    to_deg: float = 0.0
    span_deg: float = 0.0


def smallest(clock_deg: Float64[np.ndarray, " n"], share: float) -> Arc:
    """The smallest arc that holds a share of the angles; of several the first clockwise.

    >>> smallest(np.array([350.0, 5.0, 10.0, 180.0]), 0.75)
    Arc(from_deg=350.0, to_deg=10.0, span_deg=20.0)
    """
    if not len(clock_deg):
        return Arc()
    placed = np.sort(clock_deg)
    held = max(math.ceil(share * len(placed) - 1e-9), 1)
    ends = np.concatenate([placed, placed + 360.0])[held - 1 : held - 1 + len(placed)]
    spans = ends - placed
    at = int(np.argmin(np.round(spans, 6)))
    return Arc(float(placed[at]), float(ends[at] % 360.0), float(spans[at]))


def runs(covered: Bool[np.ndarray, " steps"]) -> list[tuple[int, int]]:
    """First step and number of steps of each run of True around the clock, longest first.

    >>> runs(np.array([True, False, True, True]))
    [(2, 3)]
    >>> runs(np.array([True, True]))
    [(0, 2)]
    """
    if covered.all():
        return [(0, len(covered))] if len(covered) else []
    around = np.concatenate([covered[-1:], covered, covered[:1]])
    starts = (covered & ~around[:-2]).nonzero()[0]
    stops = (covered & ~around[2:]).nonzero()[0]
    if len(starts) and stops[0] < starts[0]:
        stops = np.roll(stops, -1)
    lengths = (stops - starts) % len(covered) + 1
    order = np.argsort(-lengths, kind="stable")
    return [(int(starts[k]), int(lengths[k])) for k in order]

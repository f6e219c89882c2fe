"""The answer drawn over its map: dies of the pattern, zones and clock, and what is contradicted."""

import math

import numpy as np
from jaxtyping import Bool

from fabsight.task import Picture, Question
from fabsight.wafermap.checking import findings
from fabsight.wafermap.claims import Answer, Claim
from fabsight.wafermap.geometry import QUADRANTS, ZONES, disk
from fabsight.wafermap.judging import span
from fabsight.wafermap.rendering import PALE, SIDE_PX, colours, painted, rendered, with_clock
from fabsight.wafermap.seeing import grid_of, seen
from fabsight.wafermap.settings import WaferSettings
from fabsight.wafermap.wafer import FAIL, NO_DIE, Grid

DOUBTED = (118, 72, 168)  # tint of places that a contradicted claim is about
TINT = 0.35


def show(question: Question[WaferSettings]) -> Picture:
    """The map as a person sees it."""
    return with_clock(rendered(grid_of(question)))


def draw(question: Question[WaferSettings], said: Answer) -> Picture:
    """The map with fails of the pattern dark and others pale, and doubted places tinted."""
    known = seen(question)
    dies = colours(known.grid)
    dies[(known.grid == FAIL) & (known.facts.background.core == 0)] = PALE
    wrong = [f.claim for f in findings(question, said) if f.verdict == "contradicted"]
    for claim in (*wrong, *said.withdrawn):
        where = place_of(claim, known.grid) & (known.grid != NO_DIE)
        dies[where] = (dies[where] * (1 - TINT) + np.array(DOUBTED) * TINT).astype(np.uint8)
    return with_clock(painted(dies, SIDE_PX))


def place_of(claim: Claim, grid: Grid) -> Bool[np.ndarray, "rows columns"]:
    """The dies that a claim is about; none where it is about the whole wafer.

    >>> int(place_of(Claim("zone", "centre"), np.ones((5, 5), np.uint8)).sum())
    1
    """
    at = disk(*grid.shape)
    value = claim.value if claim.slot in ("zone", "quadrant", "clock") else claim.where
    if value in ZONES:
        return np.asarray(at.zone == ZONES.index(value))
    if value in QUADRANTS:
        return np.asarray(at.quadrant == QUADRANTS.index(value))
    if isinstance(value, tuple):
        after = (at.clock_deg / 30 - value[0]) % 12
        return np.asarray(after <= max(span(value), math.ulp(1.0)))
    return np.zeros(grid.shape, bool)

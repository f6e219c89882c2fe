"""Deterministic measurements of a wafer map: what every answer about it is checked against.

    grid --measure--> Facts --vector--> numbers for a classifier

docs/wafermap-facts.md has the formula, the unit, the source and the limits of each.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Int64, UInt8

from fabsight.task import FabsightError
from fabsight.wafermap.arcs import Arc, smallest
from fabsight.wafermap.background import Background, dense, first_rate
from fabsight.wafermap.components import Component, components, touching
from fabsight.wafermap.courses import Line
from fabsight.wafermap.edge import EdgeRing, edge_ring
from fabsight.wafermap.frame import (
    PATCH_BANDS,
    PATCH_SECTORS,
    RADIAL_BINS,
    Frame,
    frame,
    tally,
)
from fabsight.wafermap.geometry import QUADRANTS, SECTORS, ZONES
from fabsight.wafermap.lines import lines
from fabsight.wafermap.radial import Radial, radial
from fabsight.wafermap.rates import Rates, rates, wilson
from fabsight.wafermap.repeats import Repeats, repeats
from fabsight.wafermap.spatial import Near, Randomness, near, randomness
from fabsight.wafermap.wafer import FAIL

HELD = 0.9  # share of the core that its arc holds


@dataclass(frozen=True)
class Counts:
    """Dies and fails of the whole map.

    Attributes:
        dies, fails: How many.
        yield_: Share of dies that pass, 0 to 1; NaN without dies.
        fail_rate: 1 less the yield.
        low, high: Wilson's 95 % interval of the fail rate; 0 and 1 without dies.
    """

    dies: int
    fails: int
    yield_: float
    fail_rate: float
    low: float
    high: float


@dataclass(frozen=True)
class Symmetry:
    """Whether the fails lie to one side of the wafer's centre.

    Attributes:
        x, y: Mean position of the fails less that of the dies, in radii, right and up.
        shift: Its length.
        clock_deg: Its direction; 0 where there is none.
        p_value: That fails dealt out to the dies lie so far off (Hotelling's test).
    """

    x: float = 0.0
    y: float = 0.0
    shift: float = 0.0
    clock_deg: float = 0.0
    p_value: float = 1.0


@dataclass(frozen=True, eq=False)
class Facts:
    """What is measured of a map; `geometry` has the order of zones, sectors and quadrants.

    Attributes:
        counts: Of the whole map.
        zones, sectors, edge_sectors, quadrants: Rates of 5, 12, 12, 4 regions.
        randomness: Whether fails keep together.
        background: The random background and the core, which stands out of it.
        components: Groups of the core, largest first, eight at most.
        groups: How many groups of three dies or more there are.
        touching: The two largest groups of fails that touch, noise and all.
        touching_groups: How many of these of three dies or more there are.
        arc: The smallest part of the clock that holds 90 % of the core.
        radial: Profile over the radius.
        edge: The ring of outermost dies.
        lines: Thin chains, surest first, four at most.
        repeats: Periods of rows, columns and reticle fields.
        symmetry: About the wafer's centre.
    """

    counts: Counts
    zones: Rates
    sectors: Rates
    edge_sectors: Rates
    quadrants: Rates
    randomness: Randomness
    background: Background
    components: tuple[Component, ...]
    groups: int
    touching: tuple[Component, ...]
    touching_groups: int
    arc: Arc
    radial: Radial
    edge: EdgeRing
    lines: tuple[Line, ...]
    repeats: Repeats
    symmetry: Symmetry


def measure(grid: UInt8[np.ndarray, "rows columns"]) -> Facts:
    """The facts of a map of NO_DIE, PASS and FAIL.

    >>> grid = np.ones((25, 25), np.uint8)
    >>> grid[10:15, 10:15] = 2
    >>> found = measure(grid)
    >>> found.counts.fails, found.zones.rate.round(2).tolist()
    (25, [1.0, 0.08, 0.0, 0.0, 0.0])
    >>> found.components[0].dies, found.radial.clear, found.repeats.kinds
    (25, False, ())
    """
    _checked(grid)
    grid = np.ascontiguousarray(grid)
    place, values = frame(*grid.shape), grid.ravel()
    die, fail = grid > 0, grid == FAIL
    around = near(die.view(np.uint8), fail.view(np.uint8))
    counts = _counts(int(np.count_nonzero(die)), int(np.count_nonzero(fail)))
    zones, sectors, edge_sectors, quadrants = _regions(place, values, counts)
    background, found_lines = _background(die, fail, around, place, values)
    parts, groups = components(background.core, die, fail, place)
    raw_parts, raw_groups = touching(die, fail, place)
    ring_dies, ring_fails = tally(place.ring, values, RADIAL_BINS)
    pitch = (2 / grid.shape[0] + 2 / grid.shape[1]) / 2
    return Facts(
        counts=counts,
        zones=zones,
        sectors=sectors,
        edge_sectors=edge_sectors,
        quadrants=quadrants,
        randomness=randomness(die, fail, around),
        background=background,
        components=parts,
        groups=groups,
        touching=raw_parts,
        touching_groups=raw_groups,
        arc=smallest(place.clock_deg[np.flatnonzero(background.core)], HELD),
        radial=radial(ring_dies, ring_fails, background.rate, pitch),
        edge=edge_ring(grid, place, background.rate),
        lines=found_lines,
        repeats=repeats(die, fail, place),
        symmetry=_symmetry(die, fail, place),
    )


def _checked(grid: UInt8[np.ndarray, "rows columns"]) -> None:
    if grid.size == 0:
        raise FabsightError(f"measure: the grid is {grid.shape[0]} x {grid.shape[1]}: no cell")
    if grid.max() > FAIL:
        raise FabsightError(
            f"measure: the grid holds {int(grid.max())}; a cell is 0 (no die), 1 (pass) or 2 "
            "(fail): turn bins into these first"
        )


def _counts(dies: int, fails: int) -> Counts:
    low, high = wilson(np.array([fails]), np.array([dies]))
    rate = fails / dies if dies else math.nan
    return Counts(dies, fails, 1 - rate, rate, float(low[0]), float(high[0]))


def _regions(
    place: Frame, values: UInt8[np.ndarray, " cells"], counts: Counts
) -> tuple[Rates, Rates, Rates, Rates]:
    """Rates of zones, sectors, edge sectors, quadrants."""
    dies, fails = tally(place.region, values, place.regions.shape[1])
    found = rates(place.regions @ dies, place.regions @ fails, counts.dies, counts.fails)
    ends = np.cumsum([0, len(ZONES), SECTORS, SECTORS, len(QUADRANTS)]).tolist()
    parts = [
        Rates(*(array[start:stop] for array in vars(found).values()))
        for start, stop in pairwise(ends)
    ]
    return parts[0], parts[1], parts[2], parts[3]


def _background(
    die: Bool[np.ndarray, "rows columns"],
    fail: Bool[np.ndarray, "rows columns"],
    around: Near,
    place: Frame,
    values: UInt8[np.ndarray, " cells"],
) -> tuple[Background, tuple[Line, ...]]:
    """The background and the lines: sparse lines belong to the core too."""
    fails = int(np.count_nonzero(fail))
    if not fails:
        return Background(0.0, np.zeros(fail.shape, np.uint8), 0, 0.0), ()
    dies_of, fails_of = _patches(place, values)
    rate = min(first_rate(dies_of, fails_of), fails / int(np.count_nonzero(die)))
    core, rate = dense(die.view(np.uint8), fail.view(np.uint8), around, rate)
    found, members = lines(die, fail, rate)
    core = core | members
    size = int(np.count_nonzero(core))
    return Background(float(rate), core.view(np.uint8), size, size / fails), found


def _patches(
    place: Frame, values: UInt8[np.ndarray, " cells"]
) -> tuple[Int64[np.ndarray, " patches"], Int64[np.ndarray, " patches"]]:
    return tally(place.patch, values, PATCH_BANDS * PATCH_SECTORS)


def _symmetry(
    die: Bool[np.ndarray, "rows columns"], fail: Bool[np.ndarray, "rows columns"], place: Frame
) -> Symmetry:
    """First circular harmonic, radii as weights: a blob in the middle has no side."""
    cells, failing = np.flatnonzero(die), np.flatnonzero(fail)
    n, k = len(cells), len(failing)
    if not 0 < k < n:
        return Symmetry()
    x, y = place.x[cells], place.y[cells]
    mean_x, mean_y = float(x.sum()) / n, float(y.sum()) / n
    x, y = x - mean_x, y - mean_y
    shift_x = float(place.x[failing].sum()) / k - mean_x
    shift_y = float(place.y[failing].sum()) / k - mean_y
    xx, yy, xy = float(x @ x), float(y @ y), float(x @ y)
    scale = (n - k) / (n - 1) / k / n  # variance of a mean of k of n without replacement
    square = _mahalanobis(shift_x, shift_y, (xx * scale, yy * scale, xy * scale))
    shift = math.hypot(shift_x, shift_y)
    clock = math.degrees(math.atan2(shift_x, shift_y)) % 360 if shift > 1e-9 else 0.0
    return Symmetry(shift_x, shift_y, shift, clock, math.exp(-square / 2))


def _mahalanobis(x: float, y: float, covariance: tuple[float, float, float]) -> float:
    """Squared distance; along the one direction that varies where the other does not."""
    xx, yy, xy = covariance
    determinant = xx * yy - xy * xy
    if determinant > 1e-12 * max(xx, yy) ** 2:
        return (yy * x * x - 2 * xy * x * y + xx * y * y) / determinant
    return (x * x + y * y) / (xx + yy) if xx + yy > 0 else 0.0

"""A map against a golden one: what fails anew, what fails no more, and whether that is chance.

The two maps' discordant dies are compared by McNemar's exact test, over the wafer and in each zone;
their agreement by Cohen's kappa. Where the grids differ, the offset is found that lays the most
dies on dies.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, UInt8

from fabsight.task import FabsightError
from fabsight.wafermap.geometry import ZONES, disk
from fabsight.wafermap.lot_statistics import benjamini_hochberg, sign_test
from fabsight.wafermap.wafer import FAIL, NO_DIE, Grid

OtherGrid: TypeAlias = UInt8[np.ndarray, "other_rows other_columns"]
REACH = 3  # dies by which grids may be offset
LEAST_COMMON = 0.8  # of the dies of the larger map


@dataclass(frozen=True)
class ZoneChange:
    """A zone of the wafer, this map against the golden one.

    Attributes:
        zone: Of ZONES.
        dies: On both maps.
        new, gone: That fail here only; that fail on the golden map only.
        p: McNemar's exact test, two-sided: new and gone are as likely.
        q: Adjusted over the zones (Benjamini, Hochberg).
    """

    zone: str
    dies: int
    new: int
    gone: int
    p: float
    q: float


@dataclass(frozen=True, eq=False)
class GoldenComparison:
    """A map against a golden one; grids are those of the map.

    Attributes:
        new_fails, gone_fails: Where the map fails and the golden one passes, and the reverse.
        offset: Rows and columns that the golden map was moved down and right.
        dies: On both maps; only these are compared.
        only_here, only_golden: Dies on one map only.
        new, gone, both: Fails on the map, on the golden one, on both.
        agreement: Share of dies with the same result.
        kappa: Cohen's: agreement beyond that of chance; 1 is all, 0 none; 1 where neither fails.
        p: McNemar's exact test over all dies.
        zones: The five zones.
    """

    new_fails: Bool[np.ndarray, "rows columns"]
    gone_fails: Bool[np.ndarray, "rows columns"]
    offset: tuple[int, int]
    dies: int
    only_here: int
    only_golden: int
    new: int
    gone: int
    both: int
    agreement: float
    kappa: float
    p: float
    zones: tuple[ZoneChange, ...]


def against_golden(grid: Grid, golden: OtherGrid) -> GoldenComparison:
    """What differs between a map and a golden one of the same product.

    Raises FabsightError where at no offset of up to three dies enough of them lie on each other.

    >>> here, golden = np.ones((2, 9, 9), np.uint8)
    >>> here[0, :5] = 2
    >>> found = against_golden(here, golden)
    >>> found.new, found.gone, round(found.agreement, 3), found.p
    (5, 0, 0.938, 0.0625)
    """
    offset = _offset(grid, golden)
    moved = _moved(golden, offset, grid.shape)
    common = (grid != NO_DIE) & (moved != NO_DIE)
    here, there = (grid == FAIL) & common, (moved == FAIL) & common
    new, gone = here & ~there, there & ~here
    dies, fresh, lost = int(common.sum()), int(new.sum()), int(gone.sum())
    agreement = 1 - (fresh + lost) / dies
    return GoldenComparison(
        new_fails=new,
        gone_fails=gone,
        offset=offset,
        dies=dies,
        only_here=int((grid != NO_DIE).sum()) - dies,
        only_golden=int((golden != NO_DIE).sum()) - dies,
        new=fresh,
        gone=lost,
        both=int((here & there).sum()),
        agreement=agreement,
        kappa=_kappa(agreement, float(here.sum() / dies), float(there.sum() / dies)),
        p=sign_test(fresh, lost),
        zones=_zones(common, new, gone),
    )


def _offset(grid: Grid, golden: OtherGrid) -> tuple[int, int]:
    """Rows and columns to move the golden map: most dies on dies, then most fails on fails."""
    if not (grid != NO_DIE).any() or not (golden != NO_DIE).any():
        raise FabsightError("compare with a golden map: one of the maps has no dies; give another")
    tried = []
    for down in range(-REACH, REACH + 1):
        for right in range(-REACH, REACH + 1):
            moved = _moved(golden, (down, right), grid.shape)
            common = int(((grid != NO_DIE) & (moved != NO_DIE)).sum())
            fails = int(((grid == FAIL) & (moved == FAIL)).sum())
            tried.append((-common, abs(down) + abs(right), -fails, down, right))
    best = min(tried)
    most = max(int((grid != NO_DIE).sum()), int((golden != NO_DIE).sum()))
    if -best[0] < LEAST_COMMON * most:
        raise FabsightError(
            f"compare a map of {grid.shape[0]} x {grid.shape[1]} with a golden map of "
            f"{golden.shape[0]} x {golden.shape[1]}: at most {-best[0]} of {most} dies lie on each "
            f"other at any offset of up to {REACH}; give a golden map of the same product"
        )
    return best[3], best[4]


def _moved(golden: OtherGrid, offset: tuple[int, int], shape: tuple[int, ...]) -> Grid:
    """The golden map moved down and right, on a grid of another shape."""
    found = np.zeros(shape, np.uint8)
    down, right = offset
    rows = slice(max(down, 0), min(golden.shape[0] + down, shape[0]))
    columns = slice(max(right, 0), min(golden.shape[1] + right, shape[1]))
    if rows.start < rows.stop and columns.start < columns.stop:
        found[rows, columns] = golden[
            rows.start - down : rows.stop - down, columns.start - right : columns.stop - right
        ]
    return found


def _kappa(agreement: float, here: float, there: float) -> float:
    chance = here * there + (1 - here) * (1 - there)
    return (agreement - chance) / (1 - chance) if chance < 1 else 1.0


def _zones(
    common: Bool[np.ndarray, "rows columns"],
    new: Bool[np.ndarray, "rows columns"],
    gone: Bool[np.ndarray, "rows columns"],
) -> tuple[ZoneChange, ...]:
    zone = disk(*common.shape).zone
    dies, fresh, lost = (
        np.bincount(zone[one], minlength=len(ZONES)).tolist() for one in (common, new, gone)
    )
    p = np.array([sign_test(*counts) for counts in zip(fresh, lost, strict=True)])
    q = benjamini_hochberg(p)
    return tuple(
        ZoneChange(name, dies[k], fresh[k], lost[k], float(p[k]), float(q[k]))
        for k, name in enumerate(ZONES)
    )

"""A planned wafer as `truth` reads it: the map, what was planted, and what fails by chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float32, Int64

from fabsight.wafermap.backgrounds import RIM_DEPTH, Background
from fabsight.wafermap.geometry import ZONES
from fabsight.wafermap.layouts import Layout
from fabsight.wafermap.patterns import Flood, Lattice, Part, Rim, Ring, around
from fabsight.wafermap.wafer import FAIL, Grid

ALL = len(ZONES)  # index of the whole wafer behind the zones


@dataclass(frozen=True, eq=False)
class Plot:
    """All that is known of a drawn wafer.

    Attributes:
        grid: The map.
        layout: Its dies.
        parts: What was planted.
        background: What fails by chance.
        chance: How likely each die fails by it.
        signals: By how many standard deviations of the background each part stands out.
    """

    grid: Grid
    layout: Layout
    parts: tuple[Part, ...]
    background: Background
    chance: Float32[np.ndarray, "rows columns"]
    signals: tuple[float, ...]

    @cached_property
    def local(self) -> tuple[Part, ...]:
        """The parts that lie somewhere: no floods, no lattices."""
        return tuple(p for p in self.parts if not isinstance(p.shape, (Flood, Lattice)))

    @cached_property
    def floods(self) -> tuple[Part, ...]:
        """The parts that lie all over."""
        return tuple(p for p in self.parts if isinstance(p.shape, Flood))

    @cached_property
    def lattices(self) -> tuple[Lattice, ...]:
        """What repeats."""
        return tuple(p.shape for p in self.parts if isinstance(p.shape, Lattice))

    @cached_property
    def failing(self) -> Bool[np.ndarray, "rows columns"]:
        """The dies that fail."""
        return np.asarray(self.grid == FAIL)

    @cached_property
    def dies(self) -> int:
        """How many dies there are."""
        return int(self.layout.dies.sum())

    @cached_property
    def fails(self) -> int:
        """How many fail."""
        return int(self.failing.sum())

    @cached_property
    def fail_share(self) -> float:
        """Failing dies of all dies, 0 to 1."""
        return self.fails / max(self.dies, 1)

    @cached_property
    def planted(self) -> Bool[np.ndarray, "rows columns"]:
        """The dies that fail because of a part."""
        union = np.zeros_like(self.failing)
        for part in self.parts:
            union |= part.mask
        return union

    @cached_property
    def planted_share(self) -> float:
        """Those, of all that fail; 0 where none does."""
        return int(self.planted.sum()) / max(self.fails, 1)

    @cached_property
    def outermost(self) -> Bool[np.ndarray, "rows columns"]:
        """The dies at the rim."""
        return np.asarray((self.layout.depth < RIM_DEPTH) & self.layout.dies)

    @cached_property
    def rim_chance(self) -> float:
        """Share of the outermost dies that fail by chance, as expected."""
        return float(self.chance[self.outermost].mean()) if self.outermost.any() else 0.0

    @cached_property
    def zone_dies(self) -> Int64[np.ndarray, " 5"]:
        """Dies in each zone."""
        return self.by_zone(self.layout.dies)

    def by_zone(self, mask: Bool[np.ndarray, "rows columns"]) -> Int64[np.ndarray, " 5"]:
        """Dies of a mask in each zone."""
        return np.bincount(self.layout.disk.zone[mask], minlength=5).astype(np.int64)

    def by_quadrant(self, mask: Bool[np.ndarray, "rows columns"]) -> Int64[np.ndarray, " 4"]:
        """Dies of a mask in each quadrant."""
        return np.bincount(self.layout.disk.quadrant[mask], minlength=4).astype(np.int64)


def covered_deg(shapes: Sequence[Ring | Rim]) -> int:
    """How many degrees of the clock the shapes cover together, by their plan.

    >>> covered_deg([Rim(1.0, 0.0, 90.0), Rim(1.0, 30.0, 90.0)])
    121
    """
    found = np.zeros(360, bool)
    for shape in shapes:
        found |= around(shape)
    return int(found.sum())

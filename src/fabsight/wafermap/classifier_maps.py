"""Labelled maps for training, tuning and measuring the classifier: real ones and generated ones.

    WM-811K bundle   --singles-->    one class each, some labels wrong
    MixedWM38 bundle --mixtures-->   up to four patterns each, from a generator of its authors
    a seed           --generated-->  what `generator` draws, with exact truth

Planes are made once and kept as bytes; a map of each set in ten, whole blocks of lots where the
published order is known, is kept aside for tuning.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from fabsight.wafermap.claims import PATTERNS
from fabsight.wafermap.classifier import MEMBERS, Grids
from fabsight.wafermap.planes import planes

SINGLES, MIXED = "wm811k_trainval.npz", "mixedwm38_trainval.npz"
TRAINING_PARTS = (0, 1, 2, 3)
BLOCK, TUNING_EVERY, TUNING = 200, 10, 7
BLOCKED_EVERY, BLOCKED = 5, 4
NO_CLASS, UNKNOWN = -1, -1.0

Split: TypeAlias = Literal["random", "blocked"]
SPLITS: tuple[Split, ...] = ("random", "blocked")


@dataclass(frozen=True, eq=False)
class Maps:
    """Maps with labels.

    Attributes:
        planes: uint8 (n, 3, 52, 52); see `planes.planes`.
        label: Index into PATTERNS; NO_CLASS where the patterns are not exclusive.
        members: 1 where a pattern of MEMBERS is present, UNKNOWN where either name would do.
        size: Rows * 1000 + columns of the grid.
        row: Place in the published order, whose neighbours are of one lot; -1 unknown.
        part: Part of the data: 0 to 3 training, 4 validation.
    """

    planes: UInt8[np.ndarray, "n 3 52 52"]
    label: Int64[np.ndarray, " n"]
    members: Float32[np.ndarray, "n 8"]
    size: Int64[np.ndarray, " n"]
    row: Int64[np.ndarray, " n"]
    part: Int64[np.ndarray, " n"]

    def take(self, chosen: np.ndarray) -> "Maps":
        """The chosen maps, by index or mask."""
        return Maps(**{name: array[chosen] for name, array in vars(self).items()})


def grids(path: Path) -> Grids:
    """The die grids of a bundle of either kind, in its order."""
    held = np.load(path)
    if "maps" in held:
        return list(held["maps"])
    flat, offsets, sizes = held["flat"], held["offsets"], held["hw"].astype(int)
    parts = zip(offsets[:-1], offsets[1:], sizes, strict=True)
    return [flat[start:stop].reshape(tuple(size)) for start, stop, size in parts]


def singles(path: Path) -> Maps:
    """The maps of a WM-811K bundle."""
    held = np.load(path)
    names = [str(name).lower() for name in held["classes"]]
    label = np.array([PATTERNS.index(name) for name in names])[held["label"].astype(int)]
    members = (label[:, None] == np.arange(len(MEMBERS))).astype(np.float32)
    return _maps(grids(path), label, members, held["row"], held["split"])


def mixtures(path: Path) -> Maps:
    """The maps of a MixedWM38 bundle."""
    held = np.load(path)
    names = [str(name).lower() for name in held["label_names"]]
    members = held["labels"][:, [names.index(name) for name in MEMBERS]].astype(np.float32)
    nothing = np.full(len(members), NO_CLASS)
    return _maps(grids(path), nothing, members, nothing, held["split"])


def generated(seed: int, count: int, several: bool = False) -> Maps:
    """Maps of the generator, as they come or every second one of several patterns.

    They have a class where one pattern is there and no other name would do.
    """
    from fabsight.wafermap.generator import MIXES, draw_pattern, draw_wafer

    found, label, members = [], np.full(count, NO_CLASS), np.zeros((count, len(MEMBERS)))
    for k in range(count):
        rng = np.random.default_rng([seed, k])
        drawn = (
            draw_pattern(rng, MIXES[k // 2 % len(MIXES)]) if several and k % 2 else draw_wafer(rng)
        )
        choice = drawn.description.choices["pattern"]
        found.append(drawn.wafer.grid)
        if len(choice.true) == 1 and not choice.possible:
            label[k] = PATTERNS.index(choice.true[0])
        for names, value in ((choice.possible, UNKNOWN), (choice.true, 1.0)):
            members[k, [MEMBERS.index(name) for name in names if name in MEMBERS]] = value
    nothing = np.full(count, -1)
    return _maps(found, label, members.astype(np.float32), nothing, np.zeros(count))


def _maps(
    found: Grids,
    label: np.ndarray,
    members: np.ndarray,
    row: np.ndarray,
    part: np.ndarray,
) -> Maps:
    size = np.array([grid.shape[0] * 1000 + grid.shape[1] for grid in found])
    numbers = [array.astype(np.int64) for array in (label, size, row, part)]
    return Maps(np.stack([planes(grid) for grid in found]), numbers[0], members, *numbers[1:])


def is_tuning(maps: Maps) -> np.ndarray:
    """Which maps are kept aside: every tenth block of rows, or every tenth map without rows."""
    order = np.where(maps.row >= 0, maps.row // BLOCK, np.arange(len(maps.row)))
    return np.asarray(order % TUNING_EVERY == TUNING)


def is_blocked_test(maps: Maps) -> np.ndarray:
    """Which maps of a bundle with rows the blocked split tests on: every fifth block of rows."""
    return np.asarray((maps.row >= 0) & (maps.row // BLOCK % BLOCKED_EVERY == BLOCKED))


def to_learn(maps: Maps, split: Split = "random") -> Maps:
    """What is learnt from: all but what is tested on or kept aside for tuning."""
    by_part = np.isin(maps.part, TRAINING_PARTS)
    allowed = (
        ~is_blocked_test(maps) & (by_part | (maps.row >= 0)) if split == "blocked" else by_part
    )
    return maps.take(allowed & ~is_tuning(maps))


def kept_aside(maps: Maps) -> Maps:
    """What is kept aside of the training part."""
    return maps.take(np.isin(maps.part, TRAINING_PARTS) & is_tuning(maps))

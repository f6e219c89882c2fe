"""Random wafer maps with exact truth for every claim.

    layout, plants, background --grown--> Drawn: the wafer, what was planted, and its description

`draw_wafer` draws everything; `draw_pattern` draws a wafer of given patterns; `grown` grows one
that is planned already (lots do so). Equal generator state gives equal bytes. What is true of a
drawn wafer is derived in `truth` from what was planted, never from measuring the map.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Bool, Float32, Int32

from fabsight.task import FabsightError
from fabsight.wafermap.backgrounds import Background, draw_background, rates
from fabsight.wafermap.borders import FAINT, FEWEST
from fabsight.wafermap.claims import PATTERNS, Description
from fabsight.wafermap.draws import Draw
from fabsight.wafermap.layouts import Layout, draw_layout
from fabsight.wafermap.patterns import HALF, Part, Shape, density
from fabsight.wafermap.plans import plan, repeats
from fabsight.wafermap.plots import Plot
from fabsight.wafermap.truth import describe
from fabsight.wafermap.wafer import FAIL, NO_BIN, NO_DIE, PASS, About, Wafer

Difficulty: TypeAlias = Literal["easy", "medium", "hard"]
PASS_BIN = 1
CHANCE_BINS = (3, 4, 5, 7)  # open, short, leakage, function: what fails by chance
PATTERN_BINS = tuple(b for b in range(6, 33) if b not in CHANCE_BINS)
OWN_BIN = 0.9  # share of a pattern's dies that fail in its bin
TRIES = 40  # plans drawn, each with less chance, until every part shows
EASY, MEDIUM = 12.0, 8.0  # standard deviations
FAIL_SHARES = {"random": (0.24, 0.66), "near-full": (0.76, 1.0)}
MIXES: tuple[tuple[str, ...], ...] = tuple(
    (*middle, *edge, *more)
    for middle in ((), ("center",), ("donut",))
    for edge in ((), ("edge-loc",), ("edge-ring",))
    for more in ((), ("loc",), ("scratch",))
    if len(middle) + len(edge) + len(more) >= 2
)
MIXED_SHARE, REPEAT_SHARE, TEXTURE_SHARE = 0.18, 0.08, 0.06


@dataclass(frozen=True)
class Plant:
    """One thing to plant.

    Attributes:
        pattern: Of PATTERNS; of a Lattice what repeats.
        shape: Its parameters.
        probability: That a die well inside it fails.
        bin: Hard bin of most of its dies.
        texture: (every how many columns, probability on the others): a pattern that every second
            site of a probe card shows.
    """

    pattern: str
    shape: Shape
    probability: float
    bin: int = PATTERN_BINS[0]
    texture: tuple[int, float] = (1, 1.0)


@dataclass(frozen=True, eq=False)
class Drawn:
    """A wafer and what is true of it.

    Attributes:
        wafer: As a reader would give it; `retests` counts dies measured twice.
        planted: What fails for a reason, in the order planted; a die may belong to several.
        background: What fails by chance.
        description: What is true of the map.
        difficulty: easy: one pattern that stands out, whose class alone fits; hard: three
            patterns, a weak one, or one that two more classes fit; medium: the others.
    """

    wafer: Wafer
    planted: tuple[Part, ...]
    background: Background
    description: Description
    difficulty: Difficulty


def draw_wafer(rng: np.random.Generator) -> Drawn:
    """A random wafer: a pattern of the nine classes, each as likely, or two or three at once.

    >>> drawn = draw_wafer(np.random.default_rng(1))
    >>> drawn.wafer.grid.dtype, drawn.difficulty in ("easy", "medium", "hard")
    (dtype('uint8'), True)
    """
    draw = Draw(rng)
    mixed = draw.chance(MIXED_SHARE)
    patterns = draw.pick(MIXES) if mixed else (draw.pick(PATTERNS),)
    return _draw(draw, patterns, None, draw.chance(REPEAT_SHARE))


def draw_pattern(
    rng: np.random.Generator, patterns: tuple[str, ...], size: tuple[int, int] | None = None
) -> Drawn:
    """A random wafer with these patterns and no others; `size` is rows and columns of its grid.

    What one of them covers the description leaves open, not claims.

    >>> drawn = draw_pattern(np.random.default_rng(2), ("donut", "scratch"), (38, 36))
    >>> [part.pattern for part in drawn.planted]
    ['donut', 'scratch']
    """
    if unknown := [p for p in patterns if p not in PATTERNS]:
        raise FabsightError(
            f"draw_pattern: {unknown[0]!r} is no pattern; there are {', '.join(PATTERNS)}"
        )
    return _draw(Draw(rng), patterns, size, False)


def grown(
    draw: Draw, layout: Layout, plants: Sequence[Plant], background: Background, about: About
) -> Drawn:
    """The wafer that grows from a plan: chance decides which dies fail, retests and bins follow."""
    chance = rates(background, layout)
    by_chance = draw.rng.random(layout.dies.shape, np.float32) < chance
    masks, extents = _fails(draw, layout, plants)
    failing = by_chance.copy()
    for mask in masks:
        failing |= mask
    passed_again, retests = _retested(draw, failing)
    failing &= ~passed_again
    parts = tuple(
        Part(p.pattern, p.shape, p.probability, extent, mask & failing, p.bin, p.texture[0] > 1)
        for p, extent, mask in zip(plants, extents, masks, strict=True)
    )
    grid = np.where(layout.dies, np.uint8(PASS), np.uint8(NO_DIE))
    grid[failing] = FAIL
    wafer = Wafer(grid, about, "generated", _bins(draw, grid, parts), retests=retests)
    signals = tuple(_signal(part, chance) for part in parts)
    description = describe(Plot(grid, layout, parts, background, chance, signals))
    return Drawn(wafer, parts, background, description, _difficulty(signals, description))


def new_plants(draw: Draw, layout: Layout, patterns: Sequence[str]) -> list[Plant]:
    """Random plants of these patterns; "none" adds none."""
    bins = draw.rng.permutation(PATTERN_BINS)
    found = []
    for pattern, bin_ in zip(patterns, bins, strict=False):
        probability = draw.between(0.5, 1) if draw.chance(0.5) else draw.between(0.85, 1)
        if pattern == "edge-ring" and draw.chance(0.5):
            probability = 1.0  # dies that the edge cuts all fail
        if pattern in ("scratch", "edge-ring"):
            probability = max(probability, draw.between(0.7, 1))
        if pattern in FAIL_SHARES:
            probability = draw.between(*FAIL_SHARES[pattern])
            if pattern == "near-full" and draw.chance(0.3):
                probability = 1.0
        texture = (1, 1.0)
        if pattern in ("random", "donut", "center", "loc") and draw.chance(TEXTURE_SHARE):
            texture = (2, draw.between(0.1, 0.5))
        found += [
            Plant(pattern, shape, probability, int(bin_), texture)
            for shape in plan(draw, pattern, layout)
        ]
    return found


def draw_about(draw: Draw, layout: Layout) -> About:
    """Names, time and measures as a prober writes them."""
    lot = draw_lot_name(draw)
    slot = draw.whole(1, 25)
    return About(
        lot=lot,
        wafer=f"{lot}-{slot:02d}",
        device=f"FS{draw.whole(10, 99)}{draw.pick('ABCD')}",
        step=draw.pick(("CP1", "CP2", "WAT", "EDS")),
        slot=slot,
        time=f"2026-{draw.whole(1, 12):02d}-{draw.whole(1, 28):02d}T"
        f"{draw.whole(0, 23):02d}:{draw.whole(0, 59):02d}:00",
        equipment=f"PRB{draw.whole(1, 24):02d}",
        format="generated",
        pitch_um=layout.pitch_um,
        diameter_mm=layout.diameter_mm,
    )


def draw_lot_name(draw: Draw) -> str:
    """A lot's name: a letter, six digits and a split number."""
    return f"{draw.pick('ABFKNTW')}{draw.whole(100000, 999999)}.{draw.whole(0, 3)}"


def _draw(
    draw: Draw, patterns: tuple[str, ...], size: tuple[int, int] | None, repeating: bool
) -> Drawn:
    """Wafers are drawn until every planted part shows; then the background falls."""
    layout = draw_layout(draw.rng, size)
    background = draw_background(draw, patterns)
    about = draw_about(draw, layout)
    for attempt in range(TRIES):
        plants = new_plants(draw, layout, patterns)
        if repeating and not FAIL_SHARES.keys() & set(patterns):  # a flood would hide it
            kind = draw.pick(("rows", "columns", "reticle", "reticle"))
            shape = repeats(draw, layout, kind)
            plants.append(Plant(shape.kind, shape, draw.between(0.5, 1), 2))
        drawn = grown(draw, layout, plants, background, about)
        if shows(drawn, layout):
            break
        background = replace(background, rate=background.rate * (0.8 if attempt else 1))
    return drawn


def shows(drawn: Drawn, layout: Layout) -> bool:
    """Whether every planted part has dies that fail and stands out of the background."""
    chance = rates(drawn.background, layout)
    return all(
        part.mask.sum() >= FEWEST and _signal(part, chance) >= FAINT for part in drawn.planted
    )


def _signal(part: Part, chance: Float32[np.ndarray, "rows columns"]) -> float:
    """By how many standard deviations of the background a part stands out."""
    expected = float(chance[part.extent].sum())
    spread = float((chance[part.extent] * (1 - chance[part.extent])).sum())
    return (int((part.mask & part.extent).sum()) - expected) / sqrt(spread + 1)


Cells: TypeAlias = Bool[np.ndarray, "rows columns"]


def _fails(draw: Draw, layout: Layout, plants: Sequence[Plant]) -> tuple[list[Cells], list[Cells]]:
    """Of each plant the dies that fail because of it, and those inside its outline."""
    masks, extents = [], []
    for plant in plants:
        dense = density(plant.shape, layout) * layout.dies
        extents.append(np.asarray(dense >= HALF))
        dense *= np.float32(plant.probability)
        every, others = plant.texture
        if every > 1:
            keep = np.full(dense.shape[1], others, np.float32)
            keep[::every] = 1
            dense *= keep
        masks.append(np.asarray(draw.rng.random(dense.shape, np.float32) < dense))
    return masks, extents


def _retested(draw: Draw, failing: Cells) -> tuple[Cells, int]:
    """Failing dies that pass when they are measured again, and how many were measured again."""
    passed = np.zeros_like(failing)
    if not draw.chance(0.25):
        return passed, 0
    again = failing & (draw.rng.random(failing.shape, np.float32) < draw.between(0.02, 0.3))
    passed = again & (draw.rng.random(failing.shape, np.float32) < draw.between(0, 0.15))
    return passed, int(again.sum())


def _bins(draw: Draw, grid: np.ndarray, parts: Sequence[Part]) -> Int32[np.ndarray, "rows columns"]:
    """Hard bins: chance fails in a few bins, most of a pattern's dies in its own."""
    bins = np.where(grid == NO_DIE, np.int32(NO_BIN), np.int32(PASS_BIN))
    failing = grid == FAIL
    count = int(failing.sum())
    bins[failing] = np.asarray(CHANCE_BINS, np.int32)[
        np.minimum(draw.rng.exponential(1.2, count), len(CHANCE_BINS) - 1).astype(int)
    ]
    for part in parts:
        own = part.mask & (draw.rng.random(grid.shape, np.float32) < OWN_BIN)
        bins[own] = part.bin
    return bins


def _difficulty(signals: Sequence[float], description: Description) -> Difficulty:
    weakest = min(signals, default=EASY)
    patterns = description.choices["pattern"]
    true, possible = len(patterns.true), len(patterns.possible)
    if weakest < MEDIUM or true > 2 or possible > 1:
        return "hard"
    return "easy" if weakest >= EASY and true == 1 and not possible else "medium"

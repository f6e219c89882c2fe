"""Lots with planted truth for the lot's benchmark: patterns, repeaters, steps, guilty chambers."""

import numpy as np

from fabsight.wafermap.geometry import disk
from fabsight.wafermap.wafer import About, Wafer

KINDS = ("center", "donut", "edge-ring", "edge-loc 2", "edge-loc 8", "loc 4", "scratch 1")


def dies(rows: int, columns: int) -> np.ndarray:
    """1 where a round wafer has a die."""
    return (disk(rows, columns).radius <= 1.0).astype(np.uint8)


def drawn(rng: np.random.Generator, kind: str, shape: tuple[int, int], noise: float) -> np.ndarray:
    """One map of a kind: the same place each time, its size, strength and noise are not."""
    grid, places = dies(*shape), disk(*shape)
    chance = np.full(shape, noise * rng.uniform(0.5, 1.5))
    chance += _shape(rng, kind, places.radius, places.clock_deg) * rng.uniform(0.55, 0.95)
    grid[(grid > 0) & (rng.random(shape) < chance)] = 2
    return grid


def _shape(
    rng: np.random.Generator, kind: str, radius: np.ndarray, clock_deg: np.ndarray
) -> np.ndarray:
    name, _, hour = kind.partition(" ")
    turn = np.abs((clock_deg - 30 * float(hour or 12) + 180 + rng.normal(0, 5)) % 360 - 180)
    size = rng.uniform(0.9, 1.15)
    x, y = radius * np.sin(np.radians(turn)), radius * np.cos(np.radians(turn))
    if name == "center":
        return radius < 0.33 * size
    if name == "donut":
        return np.abs(radius - 0.5) < 0.15 * size
    if name == "edge-ring":
        return radius > 1 - 0.12 * size
    if name == "edge-loc":
        return (radius > 1 - 0.2 * size) & (turn < 35 * size)
    if name == "loc":
        return np.hypot(x, y - 0.55) < 0.22 * size
    if name == "scratch":
        return (x < 0.06) & (y > 0.05) & (y < 0.8 * size)
    return np.zeros_like(radius)


def lot_of(
    rng: np.random.Generator, kinds: list[str], shape: tuple[int, int], noise: float
) -> list[Wafer]:
    """Wafers 1, 2, ... of a lot, one of each kind given."""
    return [
        Wafer(drawn(rng, kind, shape, noise), About(lot="L1", wafer=f"{k:02d}", slot=k), f"w{k}")
        for k, kind in enumerate(kinds, 1)
    ]

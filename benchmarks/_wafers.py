"""Real wafer maps for the scripts that compare with them, and features any classifier can use."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from _bench import ROOT
from fabsight.wafermap.claims import PATTERNS
from fabsight.wafermap.geometry import disk
from fabsight.wafermap.wafer import FAIL, NO_DIE

MAPS = ROOT.parent / "shared" / "data" / "wafermap" / "wm811k_trainval.npz"
TURNS_DEG = range(0, 180, 15)


def real_maps(
    path: Path, splits: Sequence[int], most: int, rng: np.random.Generator
) -> list[list[np.ndarray]]:
    """Up to `most` maps of each class, in the order of PATTERNS, drawn from these splits."""
    if not path.is_file():
        raise SystemExit(f"the real maps {path} are not here; give them with --maps")
    with np.load(path) as bundle:
        flat, offsets, sizes = bundle["flat"], bundle["offsets"], bundle["hw"]
        labels, split = bundle["label"], bundle["split"]
        names = [str(name).lower() for name in bundle["classes"]]
    usable = np.isin(split, splits)
    found = []
    for pattern in PATTERNS:
        at = rng.permutation(np.flatnonzero(usable & (labels == names.index(pattern))))[:most]
        found.append([flat[offsets[i] : offsets[i + 1]].reshape(sizes[i]) for i in at])
    return found


def features(grid: np.ndarray) -> list[float]:
    """Simple measures of a map: rates by place, how fails keep together, clusters, projections."""
    where, dies, fails = disk(*grid.shape), grid != NO_DIE, grid == FAIL
    rate = fails.sum() / max(dies.sum(), 1)
    found = [rate, dies.sum(), *_rates(where.zone, dies, fails, 5)]
    for part in (where.radius > 0.8, where.radius <= 0.8):
        sectors = _rates(where.sector, dies & part, fails & part, 12)
        waves = np.abs(np.fft.rfft(sectors))[1:4] / 12
        found += [*np.sort(sectors)[[0, 3, 6, 9, 11]], sectors.std(), *waves]
    found += [_together(fails, dies, rate), *_clusters(fails, grid.shape)]
    return [*found, *_projections(where.x, where.y, dies, fails)]


def _rates(index: np.ndarray, dies: np.ndarray, fails: np.ndarray, count: int) -> np.ndarray:
    all_ = np.bincount(index[dies], minlength=count)
    return np.bincount(index[fails], minlength=count) / np.maximum(all_, 1)


def _together(fails: np.ndarray, dies: np.ndarray, rate: float) -> float:
    """Failing neighbours side by side, of those that chance would make."""
    pairs = (fails[1:] & fails[:-1]).sum() + (fails[:, 1:] & fails[:, :-1]).sum()
    all_ = (dies[1:] & dies[:-1]).sum() + (dies[:, 1:] & dies[:, :-1]).sum()
    return float(pairs / max(all_ * rate**2, 1))


def _clusters(fails: np.ndarray, shape: tuple[int, int]) -> list[float]:
    """Size, place, axes and holes of the two largest groups of failing dies."""
    count, labels, stats, centres = cv2.connectedComponentsWithStats(
        fails.astype(np.uint8), connectivity=8
    )
    found, radius = [float(count)], disk(*shape).radius
    largest = 1 + np.argsort(-stats[1:, cv2.CC_STAT_AREA], kind="stable")[:2]
    for k in largest:
        inside = labels == k
        y, x = np.nonzero(inside)
        spread = np.cov(x / shape[1], y / shape[0]) if len(x) > 2 else np.zeros((2, 2))
        minor, major = np.sqrt(np.maximum(np.linalg.eigvalsh(spread), 0))
        wide, high, area = stats[k][2:]
        away = np.hypot(*(centres[k] / (shape[1], shape[0]) - 0.5)) * 2
        around = len(np.unique(disk(*shape).sector[inside]))
        found += [area / fails.size, away, major, minor, minor / max(major, 1e-6)]
        found += [radius[inside].min(), radius[inside].max(), area / (wide * high), around]
    return found + [0.0] * (9 * (2 - len(largest)))


def _projections(x: np.ndarray, y: np.ndarray, dies: np.ndarray, fails: np.ndarray) -> list[float]:
    """Highest fail rate along lines of each direction, and how it varies."""
    found = []
    for turn in np.radians(TURNS_DEG):
        at = np.clip((x * np.cos(turn) + y * np.sin(turn) + 1) * 12, 0, 23).astype(int)
        all_ = np.bincount(at[dies], minlength=24)
        rates = np.bincount(at[fails], minlength=24) / np.maximum(all_, 3)
        found += [rates[2:22].max(), rates[2:22].std()]
    return found

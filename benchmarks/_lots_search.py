"""Search among maps for the lot's benchmark: quality beside raw pixels, time, memory, exactness."""

import resource
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fabsight.wafermap import index as index_module
from fabsight.wafermap.index import add, opened, search, verified
from fabsight.wafermap.similarity import (
    descriptor,
    rotated_distances,
    squared_distances,
)
from fabsight.wafermap.wafer import FAIL, About, Grid, Wafer

SPLITS = 4  # 0 to 3, the parts named train; val is left out, test is not in the file
BLOCK = 200  # rows of the original table: one block is much of one lot
SIDE = 32
NEAREST = 10


@dataclass(frozen=True, eq=False)
class Maps:
    """Real maps: what a bundle holds of its splits 0 to 3."""

    flat: np.ndarray
    offsets: np.ndarray
    shapes: np.ndarray
    labels: np.ndarray
    rows: np.ndarray
    used: np.ndarray
    classes: list[str]

    def grid(self, k: int) -> Grid:
        """Map k of the bundle, as it lies."""
        flat = self.flat[self.offsets[k] : self.offsets[k + 1]]
        return np.asarray(flat.reshape(self.shapes[k]), np.uint8)


def maps_in(path: Path) -> Maps:
    """The maps of a bundle."""
    with np.load(path) as held:
        part = [held[name] for name in ("flat", "offsets", "hw", "label", "row")]
        return Maps(*part, np.flatnonzero(held["split"] < SPLITS), held["classes"].tolist())


def pixels(grid: Grid) -> np.ndarray:
    """The map's fails on 32 x 32, by the nearest die."""
    rows, columns = (np.arange(SIDE) * size // SIDE for size in grid.shape)
    return (grid[np.ix_(rows, columns)] == FAIL).astype(np.float32).ravel()


def quality(maps: Maps, per_class: int, seed: int) -> tuple[list[str], list[list[Any]]]:
    """Precision@10 by class: descriptors as maps lie and rotated, and raw pixels.

    Neighbours are sought among all maps of the splits but the query, and again among those of
    other blocks of the original table.
    """
    rng = np.random.default_rng(seed)
    labels, blocks = maps.labels[maps.used], maps.rows[maps.used] // BLOCK
    queries = [
        rng.permutation(np.flatnonzero(labels == k))[:per_class] for k in range(len(maps.classes))
    ]
    vectors = np.stack([descriptor(maps.grid(k)) for k in maps.used])
    raw = np.stack([pixels(maps.grid(k)) for k in maps.used])
    square = (raw**2).sum(1)
    ways = {
        "descriptor": lambda q: squared_distances(vectors[q], vectors),
        "rotated": lambda q: rotated_distances(vectors[q], vectors)[0],
        "pixels 32x32": lambda q: square - 2 * (raw @ raw[q]),
    }
    rows = []
    for name, distances in ways.items():
        shares: dict[bool, list[float]] = {False: [], True: []}
        for of in queries:
            hits: dict[bool, list[float]] = {False: [], True: []}
            for q in of:
                far = np.array(distances(q), np.float64)
                far[q] = np.inf
                for blocked in (False, True):
                    far[(blocks == blocks[q]) & blocked] = np.inf
                    near = np.argpartition(far, NEAREST)[:NEAREST]
                    hits[blocked].append(float((labels[near] == labels[q]).mean()))
            for blocked, found in hits.items():
                shares[blocked].append(float(np.mean(found)))
        for blocked, found in shares.items():
            where = "other blocks" if blocked else "all"
            rows.append([f"{name}, {where}", *found, float(np.mean(found))])
    return ["precision@10", *maps.classes, "mean"], rows


def speed(maps: Maps, count: int, queries: int, seed: int) -> dict[str, float]:
    """Building an index of `count` maps (turned where there are not as many), and asking it."""
    rng = np.random.default_rng(seed)
    found: dict[str, float] = {"maps": count}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        files = _named_files(place, count)

        def read(path: Path) -> Iterator[Wafer]:
            first = int(path.read_text())
            for k in range(first, min(first + 1000, count)):
                turned = np.rot90(maps.grid(maps.used[k % len(maps.used)]), k // len(maps.used))
                yield Wafer(np.ascontiguousarray(turned), About(), f"{k}")

        began = time.perf_counter()
        add(place / "index", files, read)
        found["build_ms_per_map"] = 1000 * (time.perf_counter() - began) / count
        began = time.perf_counter()
        index = opened(place / "index")
        found["open_ms"] = 1000 * (time.perf_counter() - began)
        asked = [maps.grid(k) for k in rng.choice(maps.used, queries)]
        answers = {}
        for rotate in (False, True):
            times, name = [], "rotated" if rotate else "as_they_lie"
            for grid in asked:
                began = time.perf_counter()
                hits = search(index, grid, NEAREST, rotate)
                times.append(1000 * (time.perf_counter() - began))
                answers.setdefault(name, []).append({hit.source for hit in hits})
            found |= {f"{name}_ms_p{p}": float(np.percentile(times[3:], p)) for p in (50, 90, 99)}
        found["rotated_recall"] = _recall(index, asked, answers["rotated"])
        found["disk_mb"] = sum(p.stat().st_size for p in (place / "index").iterdir()) / 1e6
        found["problems"] = len(verified(place / "index"))
    found["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found


def _recall(index: index_module.Index, asked: list[Grid], answers: list[set[str]]) -> float:
    """Share of the ten likest in any rotation that a search finds that stops early."""
    stops, index_module.MOST_TURNED = index_module.MOST_TURNED, len(index.live)
    try:
        exact = [{hit.source for hit in search(index, g, NEAREST, True)} for g in asked[:40]]
    finally:
        index_module.MOST_TURNED = stops
    return float(np.mean([len(a & b) / NEAREST for a, b in zip(exact, answers, strict=False)]))


def _named_files(folder: Path, count: int) -> list[Path]:
    files = []
    for first in range(0, count, 1000):
        files.append(folder / f"{first:07d}")
        files[-1].write_text(str(first))
    return files

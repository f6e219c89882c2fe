"""What a map looks like as a short vector, comparable across grid sizes, and how alike two are.

A descriptor has three parts. `polar`: fail density on 8 radii x 24 angles less its mean, of length
n / (n + 1) where n was its length: shape counts, faint shape little. `plain`: fail rate and
texture, which no rotation changes. `spectrum`: the polar part's Fourier magnitudes around the
clock, by which a search finds what is rotated before it tries the rotations (Zhang, Lu, "A
comparative study of Fourier descriptors", Signal Process. Image Commun. 17, 825, 2002).
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float32

from fabsight.wafermap.geometry import disk
from fabsight.wafermap.wafer import FAIL, NO_DIE, Grid

RADII, ANGLES = 8, 24
ORDERS = 7  # Fourier orders kept of each radius: 0 to 6
POLAR, PLAIN, SPECTRUM = RADII * ANGLES, 16, RADII * ORDERS
LENGTH = POLAR + PLAIN + SPECTRUM
VERSION = 1  # of what the numbers mean: an index of another version is built again
WIDTH = 0.6  # of a cell's Gaussian, in cells
PRIOR_DIES = 0.5  # a cell with few dies is drawn to the wafer's own fail rate
FAINT = 1.0  # length at which a shape counts half
LEVEL = 0.4  # weight of the logarithm of the fail rate
RATE_FLOOR = 0.02
POOLED = 64  # dies per side; larger grids are summed to fewer before the polar part

Vector: TypeAlias = Float32[np.ndarray, "264"]
Vectors: TypeAlias = Float32[np.ndarray, "maps 264"]


@dataclass(frozen=True)
class Match:
    """How alike two maps are.

    Attributes:
        similarity: 1 for the same descriptor; 0 where nothing is shared (1 - d^2 / 2, at least 0).
        rotation_deg: Clockwise turn of the second map that fits best, in steps of 15; 0 where none
            was searched.
    """

    similarity: float
    rotation_deg: float = 0.0

    @staticmethod
    def at(squared: float, steps: int = 0) -> "Match":
        """The match at a squared distance and a number of steps of rotation.

        >>> Match.at(0.5, 6)
        Match(similarity=0.75, rotation_deg=90.0)
        """
        return Match(min(max(1 - squared / 2, 0.0), 1.0), steps * 360 / ANGLES)


def descriptor(grid: Grid) -> Vector:
    """The descriptor of a map: float32, 264 numbers: polar, plain, spectrum.

    >>> descriptor(np.array([[1, 2], [1, 1]], np.uint8)).shape
    (264,)
    """
    fails, there = grid == FAIL, grid != NO_DIE
    rate = float(fails.sum() / max(int(there.sum()), 1))
    polar = _polar(fails, there, rate)
    level = LEVEL * np.log(rate + RATE_FLOOR)
    bins = np.fft.rfft(polar.reshape(RADII, ANGLES), axis=1)[:, :ORDERS]
    # Parseval: the magnitudes of all orders are as long as the polar part itself.
    spectrum = np.abs(bins) * np.where(np.arange(ORDERS) > 0, np.sqrt(2), 1) / np.sqrt(ANGLES)
    parts = (polar, [level], _texture(fails), spectrum.ravel())
    return np.concatenate(parts).astype(np.float32)


def alike(a: Vector, b: Vector, rotate: bool = False) -> Match:
    """How alike two descriptors are; with `rotate`, in the rotation that fits best.

    >>> left, top = np.ones((2, 9, 9), np.uint8)
    >>> left[4, :4] = top[:4, 4] = 2
    >>> alike(descriptor(top), descriptor(left), rotate=True).rotation_deg
    90.0
    """
    return matches(a, b[None], rotate)[0]


def matches(query: Vector, maps: Vectors, rotate: bool = False) -> list[Match]:
    """How alike each map is to the query."""
    if not rotate:
        return [Match.at(float(d)) for d in squared_distances(query, maps)]
    squared, steps = rotated_distances(query, maps)
    return [Match.at(float(d), int(k)) for d, k in zip(squared, steps, strict=True)]


def squared_distances(query: Vector, maps: Vectors) -> Float32[np.ndarray, " maps"]:
    """Squared distance of the polar and plain parts, as the maps lie."""
    return _squared(query[: POLAR + PLAIN], maps[:, : POLAR + PLAIN])


def unrotated_distances(query: Vector, maps: Vectors) -> Float32[np.ndarray, " maps"]:
    """Squared distance of what no rotation changes: never more than that of any rotation."""
    return _squared(query[POLAR:], maps[:, POLAR:])


def rotated_distances(
    query: Vector, maps: Vectors
) -> tuple[Float32[np.ndarray, " maps"], np.ndarray]:
    """Squared distance in the best of 24 rotations, and its number of steps clockwise."""
    shape = (-1, RADII, ANGLES)
    ours = np.fft.rfft(query[:POLAR].reshape(RADII, ANGLES), axis=1)
    theirs = np.fft.rfft(maps[:, :POLAR].reshape(shape), axis=2)
    # Radii are summed before the one inverse transform: correlation is linear.
    shared = np.fft.irfft((ours * theirs.conj()).sum(1), ANGLES, axis=1)
    best = shared.argmax(1)
    lengths = (query[:POLAR] ** 2).sum() + (maps[:, :POLAR] ** 2).sum(1)
    plain = _squared(query[POLAR : POLAR + PLAIN], maps[:, POLAR : POLAR + PLAIN])
    squared = np.maximum(lengths - 2 * shared.max(1), 0) + plain
    return squared.astype(np.float32), best


def similarity_matrix(maps: Vectors, rotate: bool = False) -> Float32[np.ndarray, "maps maps"]:
    """How alike each map is to each other: 1 on the diagonal, symmetric."""
    distances = rotated_distances if rotate else None
    rows = [distances(m, maps)[0] if distances else squared_distances(m, maps) for m in maps]
    squared = np.array(rows, np.float32).reshape(len(maps), len(maps))
    found = np.clip(1 - np.minimum(squared, squared.T) / 2, 0, 1)
    np.fill_diagonal(found, 1)
    return found


def _squared(query: np.ndarray, maps: np.ndarray) -> Float32[np.ndarray, " maps"]:
    # By products, one pass over the maps: differences would need as much memory again.
    lengths = np.einsum("mk,mk->m", maps, maps)
    return np.asarray(np.maximum(lengths - 2 * (maps @ query) + query @ query, 0), np.float32)


def _polar(
    fails: Bool[np.ndarray, "rows columns"], there: Bool[np.ndarray, "rows columns"], rate: float
) -> Float32[np.ndarray, "192"]:
    both = np.stack([fails, there]).astype(np.float32)
    both = _pooled(both)
    cells = kernels(*both.shape[1:]) @ both.reshape(2, -1).T
    density = (cells[:, 0] + PRIOR_DIES * rate) / (cells[:, 1] + PRIOR_DIES)
    density -= density.mean()
    return np.asarray(density / (np.linalg.norm(density) + FAINT), np.float32)


def _pooled(both: Float32[np.ndarray, "2 r c"]) -> Float32[np.ndarray, "2 r2 c2"]:
    """Counts summed to at most POOLED a side; what lies on two of the new places goes to one."""
    for axis in (1, 2):
        size = both.shape[axis]
        if size > POOLED:
            begins = -(-np.arange(POOLED) * size // POOLED)
            both = np.add.reduceat(both, begins, axis=axis)
    return both


@lru_cache(maxsize=256)
def kernels(rows: int, columns: int):  # type: ignore[no-untyped-def]  # scipy has no types
    """Sparse (192, dies) float32: how much each die of a grid counts in each polar cell."""
    from scipy.sparse import csr_array

    places = disk(rows, columns)
    radius, clock_deg = places.radius.ravel(), places.clock_deg.ravel()
    blocks = []
    for ring in range(RADII):
        middle = (ring + 0.5) / RADII
        across = (radius - middle) * RADII / WIDTH
        turn = clock_deg[None] - 360 / ANGLES * np.arange(ANGLES)[:, None]
        turn = np.radians((turn + 180) % 360 - 180)
        # Near the centre a cell's arc is narrower than a ring is wide: no finer than that.
        narrow = max(2 * np.pi / ANGLES * middle, 1 / RADII) * WIDTH
        square = across**2 + (turn * middle / narrow) ** 2
        blocks.append(np.where(square < 9, np.exp(-square / 2), 0).astype(np.float32))
    return csr_array(np.concatenate(blocks))


def _texture(fails: Bool[np.ndarray, "rows columns"]) -> Float32[np.ndarray, "15"]:
    """What failing dies look like close by: neighbours that fail too, and the largest group.

    A scratch has two neighbours, a blob eight, chance none.
    """
    import cv2

    found = np.zeros(PLAIN - 1, np.float32)
    total = int(fails.sum())
    if not total:
        return found
    mask = fails.astype(np.uint8)
    near = cv2.filter2D(mask, -1, np.ones((3, 3)), borderType=cv2.BORDER_CONSTANT) - mask
    found[:9] = np.bincount(near[fails], minlength=9) / total
    count, label, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    largest = int(areas.argmax()) + 1
    row, column = np.nonzero(label == largest)
    across = np.stack([column * 2 / fails.shape[1], row * 2 / fails.shape[0]])
    spread = np.cov(across, bias=True)
    short, long = np.sqrt(np.maximum(np.linalg.eigvalsh(spread), 0))
    biggest = int(areas.max())
    found[9:] = (
        np.log1p(biggest) / 5,
        biggest / total,
        long,
        short,
        short / max(long, 1e-3),
        np.log1p(count - 1) / 5,
    )
    return found

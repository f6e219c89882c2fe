"""A few numbers that say how well a program agrees with an image: `measure`.

Whole-image ones (agreement, coverage, the largest unexplained patch) and ones of single shapes:
support, displacement and width, each also over what the image's own roughness explains.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from fabsight.images import is_binary
from fabsight.netdsl.conventions import NO_GAP, sampled_gap
from fabsight.netdsl.edge_model import Convention, edge_positions
from fabsight.netdsl.edge_profiles import (
    BINS,
    CENTRES_PX,
    SIDES,
    Map,
    Match,
    Outline,
    Pieces,
    Profile,
    joined,
    match,
    means_by_bin,
    profiles_of_pieces,
)
from fabsight.netdsl.language import Program
from fabsight.netdsl.profiles import Scene, profile_of
from fabsight.netdsl.via_agreement import NO_VIAS, fit_of_vias
from fabsight.vision.noise import noise_of
from fabsight.vision.slope import squared_slope

BLUR_PX = 1.0
BOX_PX = 9
SLOW_PX = 16  # illumination is smoothed over two and a half times this
EXPLAINED_WITHIN_PX = 4.0  # of the outline
MOST_PATCHES = 16
FALSE, WEAKEST, WEAKEST_PX = 1, 2, 3  # places of these measures among those along the outline
EDGE_WIDTH_PX = 4.0  # of what edge energy shows of an edge, across it
UNSUPPORTED = 0.5  # support below this: the image hardly shows the shape
TOLERATED_PX = 0.4
LEAST_PX = 4.0  # a piece shorter than this is judged with others
LEAST_SIDE_PX = 8.0
LEAST_PIECE_PX = 24.0
LEAST_SCATTER_PX = 16.0
MEDIAN_OF_SQUARE = 0.455  # of a squared normal variable
BODY_PX = 1.0  # metal this far from its edges is a shape's body
FAR_PX = 4.0  # floor this far from metal is floor
LEAST_BODY_PX = 48
BODY_STEP = 0.3  # of the range of grey along edges: less between floor and metal tells nothing
SAMPLE = 16_384  # pixels that estimate thresholds


@dataclass(frozen=True)
class Measures:
    """What is measured of a program on an image.

    Attributes:
        agreement: Share of the image's structure that the program predicts, 0 to 1.
        coverage: Share of the image's edge energy that lies along the program's outline.
        patch_px: Largest unexplained patch of edges, as px of outline.
        missing_px: All unexplained edges, as px of outline.
        blot: Largest difference from the prediction, over its own spread.
        support: Mean support of the outline's pieces, by length, 0 to 1.
        false_px: px of outline that nothing in the image supports, short pieces taken together.
        weakest_shape: Support of the weakest shape, or of all small ones together.
        weakest_px: Most px of one piece's outline that nothing in the image supports.
        offset_px: Root mean square offset of the sides of shapes.
        moved_px: Largest displacement of a shape beyond what roughness explains.
        moved_sigma: The same, over what roughness explains.
        wide_px: Largest outward offset common to opposite sides of a shape, beyond the same.
        wide_sigma: The same, over what roughness explains.
        edge_px: Largest offset of a piece of outline beyond what roughness explains.
        edge_sigma: Largest offset of a piece of outline, over what roughness explains.
        gap_px: How far the whole outline lies from the edge convention.
        via_shown: How clearly the faintest via in metal stands out, 0 to 1; 1 without any.
        via_fits: How well radius and place of the worst via in metal fit, 0 to 1; 1 without any.
        vias: How many vias in metal there are.
        rough_px: Scatter of pieces of 64 px about the outline.
        noise: Noise of the image over its contrast.
    """

    agreement: float
    coverage: float
    patch_px: float
    missing_px: float
    blot: float
    support: float
    false_px: float
    weakest_shape: float
    weakest_px: float
    offset_px: float
    moved_px: float
    moved_sigma: float
    wide_px: float
    wide_sigma: float
    edge_px: float
    edge_sigma: float
    rough_px: float
    gap_px: float
    via_shown: float
    via_fits: float
    vias: float
    noise: float


class Patch(NamedTuple):
    """Edges in the image that no outline explains: their box, px, and how long an outline is."""

    x0: float
    y0: float
    x1: float
    y1: float
    length_px: float

    @property
    def centre(self) -> tuple[float, float]:
        """The box's middle, (x, y)."""
        return (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2


@dataclass(frozen=True)
class Suspects:
    """Where a program fits worst.

    Attributes:
        support: Index and support (0 to 1) of the shapes the image hardly shows, weakest first.
        displaced: Index of the shape with the edge farthest off, -1 for none.
        edge_px: How far outward that edge lies in the image.
        patches: Unexplained patches of edges, largest first.
    """

    support: tuple[tuple[int, float], ...]
    displaced: int
    edge_px: float
    patches: tuple[Patch, ...]


def measure(
    grey: Map, program: Program, outline: Outline, convention: Convention
) -> tuple[Measures, Suspects]:
    """The measures of a program that has an outline, and where it fits worst."""
    noise = noise_of(grey)
    smooth, mean = _flattened(smoothed(grey), outline)
    predicted = mean.astype(np.float32)[outline.bins]
    contrast = max(float(predicted.std()), 1e-6)
    coverage, missing_px, patch_px, patches = _explained(smooth, noise, outline)
    bodies = _bodies(smooth, outline, mean[:BINS], noise)
    every = profiles_of_pieces(smooth, outline, least_px=0.5)
    long = every.length_px >= LEAST_PX
    fits, weak, displaced, edge_px = _along(every.part(long), mean[:BINS], bodies)
    _add_short(fits, every.part(~long), mean[:BINS])
    values = [
        _agreement(smooth, predicted, noise),
        coverage,
        patch_px,
        missing_px,
        float(np.abs(_boxed(smooth - predicted)).max()) / contrast,
        *fits,
        _gap_px(grey, program, outline, convention),
        *(NO_VIAS if is_binary(grey) else fit_of_vias(smooth, program, outline, mean[:BINS])),
        noise / contrast,
    ]
    found = Measures(*values)
    return found, Suspects(weak, displaced, edge_px, patches)


def _along(
    pieces: Pieces, mean: Profile, bodies: Float[np.ndarray, " shapes"]
) -> tuple[list[float], tuple[tuple[int, float], ...], int, float]:
    """Measures from `support` to `rough_px`; the suspects among shapes."""
    if not pieces.length_px.size:  # nothing long enough to be judged is not supported
        return [0.0] * 12, (), -1, 0.0
    sides = joined(pieces, _side_names(pieces))
    expected = _expected(sides, mean)
    one, whole = match(pieces, expected), match(sides, expected)
    support = np.minimum(one.support, 1) * one.likeness
    length = pieces.length_px
    spread = _scatter(pieces, sides, one, whole)
    by_shape, least = _of_shapes(pieces, support, bodies)
    moved, wide = _opposite(sides, whole.offset_px, spread)
    long = np.flatnonzero(length >= LEAST_PIECE_PX)
    error = np.sqrt(spread / length[long])
    edge = _worst(one.offset_px[long], error)
    off = one.offset_px[long]
    at = long[np.argmax(np.abs(off) / np.hypot(error, TOLERATED_PX))] if long.size else -1
    fits = [
        float(np.average(support, weights=length)),
        float(((1 - support) * length).sum()),
        least,
        float(((1 - support) * length).max()),
        float(np.sqrt(np.average(whole.offset_px**2, weights=sides.length_px))),
        *moved,
        *wide,
        *edge,
        math.sqrt(spread) / 8,  # over 64 px
    ]
    weak = tuple((int(k), float(by_shape[k])) for k in np.argsort(by_shape, kind="stable"))
    weak = tuple(pair for pair in weak if pair[1] < UNSUPPORTED)
    if at < 0:
        return fits, weak, -1, 0.0
    return fits, weak, int(pieces.shape[at]), float(one.offset_px[at])


def _of_shapes(
    pieces: Pieces, support: Float[np.ndarray, " pieces"], bodies: Float[np.ndarray, " shapes"]
) -> tuple[Float[np.ndarray, " shapes"], float]:
    """Support of each shape by its outline and its body, inf where not told; the least.

    Shapes of little outline are judged together, for the least only.
    """
    length = np.bincount(pieces.shape, pieces.length_px, len(bodies))
    total = np.bincount(pieces.shape, support * pieces.length_px, len(bodies))
    long = length >= LEAST_PIECE_PX
    found = np.minimum(np.where(long, total / np.maximum(length, 1e-9), np.inf), bodies)
    least = float(found.min())
    rest = float(length[~long].sum())
    if rest >= LEAST_PIECE_PX or not np.isfinite(least):
        least = min(least, float(total[~long].sum()) / max(rest, 1e-9))
    return found, least


def _boxed(image: Map) -> Map:
    import cv2

    return np.asarray(cv2.blur(image, (BOX_PX, BOX_PX)), np.float32)


def _expected(sides: Pieces, mean: Float[np.ndarray, " bins"]) -> Float[np.ndarray, "4 bins"]:
    """The profile of each facing: its own as far as many shapes make it, else the common one."""
    facing = joined(sides, sides.side)
    out = np.repeat(mean[None], 4, axis=0)
    own = facing.total / np.maximum(facing.count, 1)
    for row, side in enumerate(facing.side):
        there = facing.count[row] > 0
        shapes = np.count_nonzero(sides.side == side)
        share = shapes / (shapes + 4.0)
        out[side][there] += share * (own[row] - mean)[there]
    return out


def _scatter(pieces: Pieces, sides: Pieces, one: Match, whole: Match) -> float:
    """Variance of offsets times length (px^3), from pieces about the sides they belong to."""
    side_of = np.searchsorted(_side_names(sides), _side_names(pieces))
    share = pieces.length_px / sides.length_px[side_of]
    part = (share < 0.75) & (pieces.length_px >= LEAST_SCATTER_PX)
    off = (one.offset_px - whole.offset_px[side_of])[part]
    square = off**2 * pieces.length_px[part] / (1 - share[part])
    # as if four pieces had shown a little roughness; a median, for damage is not roughness
    return float(np.median(np.concatenate([square, [4.0, 4.0, 12.0, 12.0]]))) / MEDIAN_OF_SQUARE


def _side_names(pieces: Pieces) -> Int[np.ndarray, " pieces"]:
    return np.asarray(pieces.shape * len(SIDES) + pieces.side)


def _worst(value: np.ndarray, error: np.ndarray) -> tuple[float, float]:
    """The largest offset beyond twice what roughness explains, px; and the largest over that."""
    if not value.size:
        return 0.0, 0.0
    size = np.abs(value)
    over = np.maximum(size - 2 * error, 0)
    return float(over.max()), float((size / np.hypot(error, TOLERATED_PX)).max())


def _opposite(
    sides: Pieces, offset_px: np.ndarray, spread: float
) -> tuple[tuple[float, float], tuple[float, float]]:
    """The worst displacement and the worst widening of a shape, each as `_worst` gives it."""
    count = int(sides.shape.max()) + 1
    offset, length = np.zeros((count, 4)), np.full((count, 4), 1e-9)
    offset[sides.shape, sides.side] = offset_px
    length[sides.shape, sides.side] = sides.length_px
    # left and right, then top and bottom
    first, second = offset[:, ::2].ravel(), offset[:, 1::2].ravel()
    shorter = np.minimum(length[:, ::2], length[:, 1::2]).ravel()
    both = shorter >= LEAST_SIDE_PX
    first, second, shorter = first[both], second[both], shorter[both]
    # roughness moves close edges together: it widens more than it displaces
    moved = _worst((first - second) / 2, np.sqrt(spread / 2 / shorter))
    return moved, _worst((first + second) / 2, np.sqrt(spread / shorter))


def _add_short(fits: list[float], short: Pieces, mean: Profile) -> None:
    """Judge the pieces too short to be judged alone together, as if they were one shape."""
    length = float(short.length_px.sum())
    if length < LEAST_PIECE_PX:
        return
    together = joined(short, short.side)
    found = match(together, np.repeat(mean[None], len(SIDES), axis=0))
    support = np.minimum(found.support, 1) * found.likeness
    share = float(np.average(support, weights=together.length_px))
    fits[FALSE] += (1 - share) * length
    fits[WEAKEST] = min(fits[WEAKEST], share)
    fits[WEAKEST_PX] = max(fits[WEAKEST_PX], (1 - share) * length)


def _bodies(
    smooth: Map, outline: Outline, mean: Profile, noise: float
) -> Float[np.ndarray, " shapes"]:
    """How far from floor to metal the grey of each shape's own metal is; inf where not told.

    Beside other metal an edge may seem to be there; metal that is not there cannot.
    """
    own = (outline.alone >= 0) & (outline.distance_px > BODY_PX) & (outline.bins < BINS)
    names = outline.alone[own]
    count = int(max(outline.alone.max(), outline.shape_of_piece.max())) + 1
    floor = float(mean[CENTRES_PX <= -FAR_PX].mean())
    seen = np.bincount(names, smooth[own] - floor, count)
    expected = np.bincount(names, mean[outline.bins[own]] - floor, count)
    pixels = np.bincount(names, minlength=count)
    step = np.abs(expected) / np.maximum(pixels, 1)
    told = (pixels >= LEAST_BODY_PX) & (step > BODY_STEP * np.ptp(mean)) & (step > noise)
    found = np.full(count, np.inf)
    found[told] = np.clip(seen[told] / expected[told], 0, 1)
    return found


def _gap_px(grey: Map, program: Program, outline: Outline, convention: Convention) -> float:
    """How far all edges together lie from the convention; on the common profile, without wires."""
    scene = Scene(grey, outline.distance_px, outline.bins < BINS)
    found = sampled_gap(program, scene, convention)
    if found is not NO_GAP:
        return abs(found.px)
    mean, count = means_by_bin(grey, outline)
    profile = profile_of(-CENTRES_PX[::-1], mean[:BINS][::-1], count[:BINS][::-1])
    return abs(float(edge_positions([profile], convention)[0]))


def smoothed(grey: Map) -> Map:
    """The image under a narrow Gaussian, which edges survive and most noise does not."""
    import cv2

    return np.asarray(cv2.GaussianBlur(grey, (0, 0), BLUR_PX), np.float32)


def _flattened(smooth: Map, outline: Outline) -> tuple[Map, np.ndarray]:
    """The image without slow illumination, and its mean by bin."""
    import cv2

    mean, _ = means_by_bin(smooth, outline)
    rest = smooth - mean[outline.bins].astype(np.float32)
    height, width = smooth.shape
    size = max(width // SLOW_PX, 1), max(height // SLOW_PX, 1)
    small = cv2.resize(rest, size, interpolation=cv2.INTER_AREA)
    slow = cv2.GaussianBlur(small, (0, 0), 2.5)
    flat = smooth - cv2.resize(slow, (width, height), interpolation=cv2.INTER_LINEAR)
    return flat, means_by_bin(flat, outline)[0]


def _agreement(smooth: Map, predicted: np.ndarray, noise: float) -> float:
    # white noise after a Gaussian blur: variance / (4 pi sigma^2)
    floor = noise**2 / (4 * math.pi * BLUR_PX**2)
    total = float(smooth.var())
    left = float(np.mean((smooth - predicted) ** 2))
    if total <= 1.5 * floor or total == 0:
        return 0.0
    return float(np.clip(1 - max(left - floor, 0.0) / (total - floor), 0.0, 1.0))


def edge_energy(smooth: Map, noise: float) -> Map:
    """Squared gradient where it stands above the noise, else 0."""
    energy = squared_slope(smooth)
    # of white noise: standard deviation of a derivative of a Gaussian, both directions
    floor = noise**2 / (8 * math.pi * BLUR_PX**4)
    top = float(np.percentile(energy.ravel()[:: max(1, energy.size // SAMPLE)], 98))
    threshold = max(16 * floor, 0.06 * top, 1e-6)
    energy[energy < threshold] = 0
    return energy


def _explained(
    smooth: Map, noise: float, outline: Outline
) -> tuple[float, float, float, tuple[Patch, ...]]:
    """Share of edge energy along the outline; px of unexplained edges, in all and of patches.

    How much energy makes a px of edge is a matter of the image alone.
    """
    import cv2

    energy = edge_energy(smooth, noise)
    total = float(energy.sum())
    if total == 0:
        return 0.0, 0.0, 0.0, ()
    far = np.abs(outline.distance_px) > EXPLAINED_WITHIN_PX
    far &= (outline.bins < BINS) & (energy > 0) & ~outline.elsewhere
    per_px = total / np.count_nonzero(energy) * EDGE_WIDTH_PX
    left = np.where(far, energy, np.float32(0))
    missing_px = float(left.sum()) / per_px
    share = 1 - float(left.sum()) / total
    if missing_px == 0:
        return share, 0.0, 0.0, ()
    near = cv2.dilate(far.astype(np.uint8), np.ones((3, 3), np.uint8))
    _, names, boxes, _ = cv2.connectedComponentsWithStats(near)
    sizes = np.bincount(names.ravel(), left.ravel(), len(boxes)) / per_px
    order = np.argsort(-sizes, kind="stable")[:MOST_PATCHES].tolist()
    found = [(*boxes[k, :4].tolist(), float(sizes[k])) for k in order if sizes[k] > 0]
    largest = tuple(Patch(x, y, x + w, y + h, length) for x, y, w, h, length in found)
    return share, missing_px, float(sizes.max()), largest


def length_of(outline: Outline) -> float:
    """Length of the outline, px."""
    return float(np.count_nonzero(np.abs(outline.distance_px) < 1)) / 2

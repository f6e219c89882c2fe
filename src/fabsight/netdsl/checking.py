"""How well a program agrees with the image it was read from; no truth is needed.

Only pixels are asked: nothing of the solver or of its segmenter is used. `edge_profiles` says what
the image shows along the program's outline; `measure` makes a few numbers of it, and a logistic
regression, fitted by benchmarks/calibrate_check.py on simulated images of one family, makes those
one confidence. An image without anything in it and a program without anything in it agree, but
nothing was checked: 0.5.
"""

import math
from dataclasses import dataclass

import numpy as np

from fabsight import images
from fabsight.netdsl.edge_place import edge_place_px, edge_shift_px, half_level_px
from fabsight.netdsl.edge_profiles import (
    BINS,
    Map,
    Outline,
    joined,
    match,
    means_by_bin,
    outline_of,
    profiles_of_pieces,
)
from fabsight.netdsl.language import Program
from fabsight.netdsl.settings import LayoutSettings
from fabsight.task import Check, Question

__all__ = ["confidence", "edge_shift_px", "measure", "terms", "verify"]

BLUR_PX = 1.0
EXPLAINED_WITHIN_PX = 4.0


@dataclass(frozen=True)
class Measures:
    """What is measured of a program on an image.

    Attributes:
        agreement: Share of the image's structure that the program predicts, 0 to 1.
        coverage: Share of the image's edge energy that lies along the program's outline.
        patch_px: Largest unexplained patch of edges, as px of ordinary outline.
        blot: Largest difference from the prediction, over its own spread.
        support: Mean support of the outline's pieces, by length, 0 to 1.
        weakest_shape: Support of the weakest shape.
        weakest_px: Most px of one piece's outline that nothing in the image supports.
        offset_px: Root mean square offset of the sides of shapes.
        moved_px: Largest displacement of a shape.
        moved_sigma: The same, over what roughness explains.
        wide_px: Largest outward offset shared by a shape's opposite sides.
        wide_sigma: The same, over what roughness explains.
        profile_px: How far the whole outline lies from the edge convention.
        rough_px: Scatter of pieces of 64 px about the outline.
        noise: Noise of the image over its contrast.
    """

    agreement: float
    coverage: float
    patch_px: float
    blot: float
    support: float
    weakest_shape: float
    weakest_px: float
    offset_px: float
    moved_px: float
    moved_sigma: float
    wide_px: float
    wide_sigma: float
    profile_px: float
    rough_px: float
    noise: float


def verify(question: Question[LayoutSettings], program: Program) -> Check:
    """The confidence in a program, 0 to 1, from its question's pixels alone."""
    grey = images.grey(question.images[0])
    height, width = grey.shape
    if (program.height, program.width) != (height, width):
        said = f"canvas {program.width} x {program.height} px, image {width} x {height} px"
        return Check(0.0, 0.0, True, {"reason": f"the sizes differ: {said}"})
    outline = outline_of(program, fine_for(grey))
    smooth = _smooth(grey)
    if outline is None:
        return _without_outline(smooth, grey)
    found = measure(grey, outline, question.context)
    return Check(confidence(found), found.coverage, True, {"agreement": found.agreement})


def fine_for(grey: Map) -> int:
    """How finely outlines are drawn: whole pixels for binary images, which were drawn on them."""
    binary = bool(((grey == grey.min()) | (grey == grey.max())).all())
    return 1 if binary else 2


def _without_outline(smooth: Map, grey: Map) -> Check:
    energy, _ = _edges(smooth, _noise(grey))
    if not energy.any():
        return Check(0.5, 0.0, True, {"reason": "nothing to check: no edges in image or program"})
    return Check(0.0, 0.0, True, {"reason": "the image has edges, the program has none"})


def confidence(found: Measures) -> float:
    """0 to 1 from the measures."""
    logit = BIAS + float(np.dot(WEIGHTS, terms(found)))
    return 1 / (1 + math.exp(-min(max(logit, -30.0), 30.0)))


def terms(found: Measures) -> list[float]:
    """What the logistic regression adds up."""
    return [
        math.log(1 - found.agreement + 0.01),
        math.log(1 - found.coverage + 0.005),
        math.log1p(found.patch_px / 4),
        math.log(found.blot + 0.05),
        math.log(1 - found.support + 0.01),
        math.log(1 - found.weakest_shape + 0.05),
        math.log1p(found.weakest_px / 4),
        math.log(found.offset_px + 0.2),
        math.log(found.moved_px + 0.2),
        math.log(found.moved_sigma + 0.5),
        math.log(found.wide_px + 0.2),
        math.log(found.wide_sigma + 0.5),
        found.profile_px,
        max(found.profile_px - 0.5, 0),
        math.log(found.rough_px + 0.2),
        math.log(found.noise + 0.02),
    ]


BIAS = 8.318
WEIGHTS = (
    0.676,
    0.281,
    -1.071,
    -1.513,
    1.170,
    -1.036,
    -0.011,
    -2.138,
    0.338,
    0.338,
    -0.574,
    -0.574,
    -1.071,
    -0.546,
    1.880,
    0.420,
)


def measure(grey: Map, outline: Outline, settings: LayoutSettings) -> Measures:
    """The measures of a program that has an outline."""
    noise = _noise(grey)
    smooth, mean, count = _flattened(_smooth(grey), outline)
    predicted = mean.astype(np.float32)[outline.bins]
    contrast = max(float(predicted.std()), 1e-6)
    rest = np.abs(cv_box(smooth - predicted, 9))
    agreement = _agreement(smooth, predicted, noise)
    coverage, patch = _explained(smooth, noise, outline)
    pieces = profiles_of_pieces(smooth, outline)
    expected = np.repeat(mean[None, :BINS], 4, axis=0)
    one = match(pieces, expected)
    support = np.minimum(one.support, 1) * one.likeness
    long = pieces.length_px >= 16
    length = pieces.length_px
    if long.sum() < 3:
        long = length >= 0
    spread2 = float(np.median((one.offset_px**2 * length)[long])) / 0.455
    by_shape = np.bincount(pieces.shape, support * length) / np.maximum(
        np.bincount(pieces.shape, length), 1e-9
    )
    big = np.bincount(pieces.shape, length) >= 12
    sides = joined(pieces, pieces.shape * 4 + pieces.side)
    whole = match(sides, expected)
    moved, wide = _opposite(sides, whole, spread2)
    mid = edge_place_px(mean[:BINS], count[:BINS])
    return Measures(
        agreement,
        coverage,
        patch,
        float(rest.max()) / contrast,
        float(np.average(support, weights=length)),
        float(by_shape[big].min()) if big.any() else 0.0,
        float(((1 - support) * length).max()),
        float(np.sqrt(np.average(whole.offset_px**2, weights=sides.length_px))),
        *moved,
        *wide,
        abs(half_level_px(mean[:BINS], mid, settings.edge)),
        math.sqrt(spread2 / 64),
        noise / contrast,
    )


def cv_box(image, side):
    import cv2

    return cv2.blur(image, (side, side))


TOLERATED_PX = 0.4


def _opposite(sides, whole, spread2):
    """Largest displacement and largest widening of a shape: px, and over what roughness explains."""
    n = int(sides.shape.max()) + 1
    offset = np.zeros((n, 4))
    length = np.full((n, 4), 1e-9)
    offset[sides.shape, sides.side] = whole.offset_px
    length[sides.shape, sides.side] = sides.length_px
    moved, wide = [0.0, 0.0], [0.0, 0.0]
    for a, b in ((0, 1), (2, 3)):
        both = np.minimum(length[:, a], length[:, b]) >= 8
        if not both.any():
            continue
        o = offset[both]
        error = np.sqrt(
            spread2 / 4 * (1 / length[both][:, a] + 1 / length[both][:, b]) + TOLERATED_PX**2
        )
        for out, value in ((moved, o[:, a] - o[:, b]), (wide, o[:, a] + o[:, b])):
            value = np.abs(value) / 2
            # what roughness explains counts less
            out[0] = max(out[0], float((value * np.minimum(1, TOLERATED_PX / error)).max()))
            out[1] = max(out[1], float((value / error).max()))
    return moved, wide


def _smooth(grey: Map) -> Map:
    import cv2

    return np.asarray(cv2.GaussianBlur(grey, (0, 0), BLUR_PX), np.float32)


def _noise(grey: Map) -> float:
    """Standard deviation of white noise (Immerkaer 1996, by median): edges on the axes drop out."""
    import cv2

    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    high = cv2.filter2D(grey, cv2.CV_32F, kernel)[1:-1, 1:-1]
    sample = np.abs(high.ravel()[:: max(1, high.size // 16384)])
    return float(np.median(sample)) / 0.6745 / 6 if sample.size else 0.0


def _flattened(smooth: Map, outline: Outline) -> tuple[Map, np.ndarray, np.ndarray]:
    """The image without slow illumination, and its mean by bin."""
    import cv2

    mean, _ = means_by_bin(smooth, outline)
    rest = smooth - mean[outline.bins].astype(np.float32)
    small = cv2.resize(rest, None, fx=1 / 16, fy=1 / 16, interpolation=cv2.INTER_AREA)
    slow = cv2.GaussianBlur(small, (0, 0), 2.5)
    flat = smooth - cv2.resize(slow, smooth.shape[::-1], interpolation=cv2.INTER_LINEAR)
    mean, count = means_by_bin(flat, outline)
    return flat, mean, count


def _agreement(smooth: Map, predicted: np.ndarray, noise: float) -> float:
    # white noise after a Gaussian blur: variance / (4 pi sigma^2)
    floor = noise**2 / (4 * math.pi * BLUR_PX**2)
    total = float(smooth.var())
    left = float(np.mean((smooth - predicted) ** 2))
    if total <= 1.5 * floor or total == 0:
        return 0.0
    return float(np.clip(1 - max(left - floor, 0.0) / (total - floor), 0.0, 1.0))


def _edges(smooth: Map, noise: float) -> tuple[Map, float]:
    """Gradient energy above the noise, and the threshold."""
    import cv2

    gx = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=1 / 8)
    gy = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=1 / 8)
    energy = gx * gx + gy * gy
    # of white noise: standard deviation of a derivative of a Gaussian, both directions
    floor = noise**2 / (8 * math.pi * BLUR_PX**4)
    top = float(np.percentile(energy.ravel()[:: max(1, energy.size // 16384)], 98))
    threshold = max(16 * floor, 0.06 * top, 1e-6)
    energy[energy < threshold] = 0
    return energy, threshold


def _explained(smooth: Map, noise: float, outline: Outline) -> tuple[float, float]:
    """Share of edge energy along the outline; largest unexplained patch in px of outline."""
    import cv2

    energy, _ = _edges(smooth, noise)
    total = float(energy.sum())
    if total == 0:
        return 0.0, 0.0
    far = np.abs(outline.distance_px) > EXPLAINED_WITHIN_PX
    far &= outline.bins < BINS
    left = np.where(far, energy, np.float32(0))
    unexplained = float(left.sum())
    share = 1 - unexplained / total
    per_px = max((total - unexplained), 1e-9) / max(_length(outline), 1.0)
    if unexplained == 0:
        return share, 0.0
    near = cv2.dilate((left > 0).astype(np.uint8), np.ones((3, 3), np.uint8))
    _, names = cv2.connectedComponents(near)
    largest = float(np.bincount(names.ravel(), left.ravel())[1:].max())
    return share, min(largest / per_px, 2000.0)


def _length(outline: Outline) -> float:
    return float(np.count_nonzero(np.abs(outline.distance_px) < 1)) / 2

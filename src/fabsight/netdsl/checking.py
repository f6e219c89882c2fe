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
from fabsight.netdsl.edge_profiles import (
    BINS,
    Map,
    Outline,
    edge_shift_px,
    joined,
    match,
    means_by_bin,
    outline_of,
    profile_edge_px,
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
        support: Mean support of the outline's pieces, by length.
        weakest: Support of the weakest piece.
        offset_px: Root mean square offset of the sides of wires.
        worst_px: Largest offset of a side of a wire.
        profile_px: How far the whole outline lies from the edge convention.
    """

    agreement: float
    coverage: float
    patch_px: float
    support: float
    weakest: float
    offset_px: float
    worst_px: float
    profile_px: float


def verify(question: Question[LayoutSettings], program: Program) -> Check:
    """The confidence in a program, 0 to 1, from its question's pixels alone."""
    grey = images.grey(question.images[0])
    height, width = grey.shape
    if (program.height, program.width) != (height, width):
        said = f"canvas {program.width} x {program.height} px, image {width} x {height} px"
        return Check(0.0, 0.0, True, {"reason": f"the sizes differ: {said}"})
    outline = outline_of(program)
    smooth = _smooth(grey)
    if outline is None:
        return _without_outline(smooth, grey)
    found = measure(grey, outline, question.context)
    return Check(confidence(found), found.coverage, True, {"agreement": found.agreement})


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
        found.agreement,
        found.coverage,
        math.log1p(found.patch_px / 8),
        min(found.support, 1.0),
        min(found.weakest, 1.0),
        found.offset_px,
        found.worst_px,
        found.profile_px,
    ]


BIAS = 2.724
WEIGHTS = (-5.279, 1.075, -0.972, 3.099, 0.287, -0.862, -0.238, -0.342)


def measure(grey: Map, outline: Outline, settings: LayoutSettings) -> Measures:
    """The measures of a program that has an outline."""
    smooth = _smooth(grey)
    noise = _noise(grey)
    smooth, mean = _flattened(smooth, outline)
    agreement = _agreement(smooth, mean[outline.bins], noise)
    coverage, patch = _explained(smooth, noise, outline)
    pieces = profiles_of_pieces(smooth, outline)
    facing = joined(pieces, pieces.side)
    expected = np.repeat(mean[None, :BINS], 4, axis=0)
    one = match(pieces, expected)
    sides = joined(pieces, pieces.wire * 4 + pieces.side)
    whole = match(sides, expected)
    return Measures(
        agreement,
        coverage,
        patch,
        float(np.average(np.minimum(one.support, 1) * one.likeness, weights=pieces.length_px)),
        float((np.minimum(one.support, 1) * one.likeness).min()),
        float(np.sqrt(np.average(whole.offset_px**2, weights=sides.length_px))),
        float(np.abs(whole.offset_px).max()),
        abs(profile_edge_px(mean[:BINS])),
    )


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


def _flattened(smooth: Map, outline: Outline) -> tuple[Map, np.ndarray]:
    """The image without slow illumination, and its mean by bin."""
    import cv2

    mean, _ = means_by_bin(smooth, outline)
    rest = smooth - mean[outline.bins].astype(np.float32)
    small = cv2.resize(rest, None, fx=1 / 16, fy=1 / 16, interpolation=cv2.INTER_AREA)
    slow = cv2.GaussianBlur(small, (0, 0), 2.5)
    flat = smooth - cv2.resize(slow, smooth.shape[::-1], interpolation=cv2.INTER_LINEAR)
    mean, _ = means_by_bin(flat, outline)
    return flat, mean


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

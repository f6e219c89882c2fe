"""From grey values to evidence: the share of metal in each pixel, by five named front ends.

`learned` (the default) reads ideal geometry behind roughness, rims and noise. The others are
classical and comparable: `global` is the source's fixed threshold 100 (arXiv 2606.02434, section
4.3), `otsu` Otsu's, `half-level` half way between local metal and floor levels, `edge-paired` takes
bright rims for walls and colours the regions between them alternately.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8

from fabsight import images
from fabsight.images import is_binary
from fabsight.netdsl.settings import LayoutSettings
from fabsight.task import Question

Grey: TypeAlias = Float32[np.ndarray, "height width"]
Share: TypeAlias = Float32[np.ndarray, "height width"]

GLOBAL_LEVEL = 100.0
FLAT = 1e-6
DOUBTFUL = 0.14  # right polarity: 0.03-0.15 on simulated looks, wrong: 0.17-0.55
DECISIVE = 0.7
CONVINCING = 0.5


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a front end says about an image.

    Attributes:
        share: Share of metal in each pixel, 0 to 1.
        via: Share of via seen inside metal, None where the front end does not look for any.
        inverted: Whether the metal was taken to be darker than the floor.
    """

    share: Share
    via: Share | None
    inverted: bool


@lru_cache(maxsize=2)  # how to read a question, its answer and refining ask in turn
def seen(question: Question[LayoutSettings]) -> Evidence:
    """What the settings' front end says about a question's first image, at its size."""
    return evidence(images.grey(question.images[0]), question.context)


def evidence(grey: Grey, settings: LayoutSettings) -> Evidence:
    """Shares of metal and via in a grey image of any range.

    An image of one grey level has no metal; an image of two levels is a mask already.
    """
    low, high = float(grey.min()), float(grey.max())
    if high - low <= FLAT * max(abs(high), 1.0):
        return Evidence(np.zeros_like(grey), None, False)
    dark = low + high - grey
    if is_binary(grey):
        inverted = settings.polarity == "dark" or (settings.polarity == "auto" and is_dark(grey))
        return Evidence(((dark if inverted else grey) == high).astype(np.float32), None, inverted)
    if settings.binarize == "learned":
        return _learned(grey, dark, settings)
    inverted = settings.polarity == "dark" or (settings.polarity == "auto" and is_dark(grey))
    bright = dark if inverted else grey
    # the global level is one of an 8-bit image; other ranges are brought to 0-255 first
    scaled = bright if low >= 0 and 1 < high <= 255 else (bright - low) * (255 / (high - low))
    mask = BINARIZERS[settings.binarize](np.asarray(scaled, np.float32))
    return Evidence(tidy(mask).astype(np.float32), None, inverted)


def _learned(grey: Grey, dark: Grey, settings: LayoutSettings) -> Evidence:
    """The segmenter's shares; a doubtful reading is compared with two others.

    One is of the inverted image, for dark metal. The other is of the image with the regions that
    `edge_paired` takes for metal made brighter, for metal of which only the rims show.
    """
    from fabsight.netdsl.segmenter import segment

    if settings.polarity == "dark":
        shares = segment(dark)
        return Evidence(shares[0], shares[1], True)
    shares = segment(grey)
    before = doubt(shares[0])
    if before <= DOUBTFUL:
        return Evidence(shares[0], shares[1], False)
    if settings.polarity == "auto":
        inverted = segment(dark)
        if doubt(inverted[0]) < DECISIVE * before:
            return Evidence(inverted[0], inverted[1], True)
    hinted = segment(np.asarray(grey + grey.std() * edge_paired(grey), np.float32))
    if doubt(hinted[0]) < CONVINCING * before:
        # the hint is no via, and vias are not seen where the metal's top is not
        return Evidence(hinted[0], None, False)
    return Evidence(shares[0], shares[1], False)


def doubt(share: Share) -> float:
    """How undecided shares are, 0 (all 0 or 1) to 1 (all 1/2)."""
    return float(np.mean(4 * share * (1 - share)))


def is_dark(grey: Grey) -> bool:
    """Whether metal seems darker than the floor: layouts have more islands than holes.

    Stripes look alike both ways; they are taken to be bright.
    """
    mask = otsu(grey)
    return _islands(~mask) > 2.5 * _islands(mask) + 3


def _islands(mask: Bool[np.ndarray, "h w"]) -> int:
    import cv2

    kernel = np.ones((3, 3), np.uint8)
    opened = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, kernel)
    _, _, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=4)
    return int((stats[1:, 4] >= 24).sum())


def _blurred(grey: Grey, sigma_px: float) -> Grey:
    import cv2

    return np.asarray(cv2.GaussianBlur(grey, (0, 0), sigma_px), np.float32)


def global_level(grey: Grey) -> Bool[np.ndarray, "height width"]:
    """Brighter than 100 of 255, the source's threshold."""
    return np.asarray(grey > GLOBAL_LEVEL)


def otsu(grey: Grey) -> Bool[np.ndarray, "height width"]:
    """Brighter than Otsu's threshold of the lightly blurred image."""
    import cv2

    smooth = _blurred(grey, 1.0)
    low, high = float(smooth.min()), float(smooth.max())
    bytes_ = np.asarray((smooth - low) * (255 / max(high - low, FLAT)), np.uint8)
    level, _ = cv2.threshold(bytes_, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    return np.asarray(bytes_ > level)


def half_level(grey: Grey) -> Bool[np.ndarray, "height width"]:
    """Brighter than half way between the local levels of metal and floor away from edges."""
    import cv2

    smooth, mask = _blurred(grey, 1.0), otsu(grey).astype(np.uint8)
    kernel = np.ones((5, 5), np.uint8)
    inside, outside = cv2.erode(mask, kernel) > 0, cv2.dilate(mask, kernel) == 0
    if not inside.any() or not outside.any():
        return np.asarray(mask > 0)
    level = (_local_mean(smooth, inside) + _local_mean(smooth, outside)) / 2
    return np.asarray(smooth > level)


def _local_mean(grey: Grey, where: Bool[np.ndarray, "h w"]) -> Grey:
    """Mean over the marked pixels in a Gaussian neighbourhood of 40 px."""
    weight = where.astype(np.float32)
    mean: Grey = _blurred(grey * weight, 40.0) / np.maximum(_blurred(weight, 40.0), 1e-3)
    return mean


def edge_paired(grey: Grey) -> Bool[np.ndarray, "height width"]:
    """Regions between bright rims, coloured alternately floor and metal, split at mid-rim.

    For metal whose top has the floor's grey: only its rims show.
    """
    import cv2

    rims = half_level(grey)
    _, labels, stats, _ = cv2.connectedComponentsWithStats((~rims).astype(np.uint8), connectivity=4)
    large = np.flatnonzero(stats[:, 4] >= 8)
    large = large[large > 0]
    if len(large) < 2:
        return rims
    seeds = np.isin(labels, large)
    _, nearest = cv2.distanceTransformWithLabels(
        (~seeds).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    region_of = np.zeros(int(nearest.max()) + 1, np.int64)
    region_of[nearest[seeds]] = labels[seeds]
    regions = region_of[nearest]
    floor = int(large[np.argmax(stats[large, 4])])
    metal = _alternate(regions, floor)
    return np.asarray(metal[regions])


def _alternate(regions: Int64[np.ndarray, "h w"], floor: int) -> Bool[np.ndarray, " regions"]:
    """True for regions an odd number of borders away from the floor region."""
    pairs = [
        np.stack([a.ravel(), b.ravel()], 1)
        for a, b in ((regions[:, :-1], regions[:, 1:]), (regions[:-1], regions[1:]))
    ]
    joined = np.concatenate(pairs)
    borders, length = np.unique(joined[joined[:, 0] != joined[:, 1]], axis=0, return_counts=True)
    depth = {floor: 0}
    todo = [floor]
    while todo:
        here = todo.pop(0)
        for a, b in borders[length >= 4].tolist():
            other = b if a == here else a if b == here else None
            if other is not None and other not in depth:
                depth[other] = depth[here] + 1
                todo.append(other)
    odd = np.zeros(int(regions.max()) + 1, bool)
    for region, steps in depth.items():
        odd[region] = steps % 2 == 1
    return odd


BINARIZERS: Mapping[str, Callable[[Grey], Bool[np.ndarray, "height width"]]] = {
    "global": global_level,
    "otsu": otsu,
    "half-level": half_level,
    "edge-paired": edge_paired,
}


def tidy(
    mask: Bool[np.ndarray, "height width"], least_px: int = 20
) -> UInt8[np.ndarray, "height width"]:
    """The mask without specks and holes smaller than `least_px` pixels."""
    import cv2

    out = mask.astype(np.uint8)
    for value in (1, 0):
        flipped = out if value else 1 - out
        _, labels, stats, _ = cv2.connectedComponentsWithStats(flipped, connectivity=4)
        small = stats[:, 4] < least_px
        small[0] = False
        out[small[labels]] = 1 - value
    return out

"""The skeleton of a mask: one-pixel centre lines by iterated thinning.

The neighbourhoods at which a pixel may go are those of Zhang and Suen, "A fast parallel algorithm
for thinning digital patterns", Communications of the ACM 27(3), 1984, with the corrections
`skimage.morphology.skeletonize` makes to keep diagonal strokes one pixel thin and blobs of two
pixels from vanishing. The result is identical to scikit-image's, pixel by pixel; the metric SkF1
is defined on it.

Each pass codes all eight neighbours of every pixel into one byte with a single filter, so a pass
costs three OpenCV calls and the number of passes is the half-width of the widest part.
"""

from functools import cache

import numpy as np
from jaxtyping import UInt8

NEIGHBOURS = ("NW", "N", "NE", "E", "SE", "S", "SW", "W")  # bit k of a code is NEIGHBOURS[k]

# Where scikit-image's rule differs from the paper's: occupied neighbours -> passes that remove.
CORRECTIONS = {
    (1, 2): ("N E", "E S", "S W", "N W"),
    (1,): (
        "NW N",
        "N NE",
        "NE E",
        "N NE E",
        "NW N W",
        "NW N E",
        "N NE W",
        "NW S W",
        "N SW W",
        "N NE SW W",
    ),
    (2,): (
        "E SE",
        "S SW",
        "SW W",
        "E SE S",
        "S SW W",
        "N E SE",
        "E S SW",
        "SE S W",
        "NE E S SW",
    ),
    (): ("SE S", "NW W"),
}


def skeletonize(
    mask: UInt8[np.ndarray, "height width"],
) -> UInt8[np.ndarray, "height width"]:
    """The skeleton of the non-zero pixels, uint8 0 or 1; what lies beyond the border is empty.

    >>> bar = np.zeros((5, 9), np.uint8)
    >>> bar[1:4, 1:8] = 1
    >>> skeletonize(bar)[2]
    array([0, 1, 1, 1, 1, 1, 0, 0, 0], dtype=uint8)
    """
    import cv2

    weights = np.array([[1, 2, 4], [128, 0, 8], [64, 32, 16]], np.float32)  # NEIGHBOURS' bits
    skeleton: UInt8[np.ndarray, "height width"] = (mask != 0).astype(np.uint8)
    count = cv2.countNonZero(skeleton)
    while True:
        for keep in _keep_tables():
            code = cv2.filter2D(skeleton, cv2.CV_8U, weights, borderType=cv2.BORDER_CONSTANT)
            skeleton &= cv2.LUT(code, keep)
        left = cv2.countNonZero(skeleton)
        if left == count:
            return skeleton
        count = left


@cache
def _keep_tables() -> tuple[np.ndarray, np.ndarray]:
    """For the first and the second pass: 1 where a pixel with that code stays, shape (256,)."""
    removing = [_zhang_suen(code) for code in range(256)]
    for passes, neighbourhoods in CORRECTIONS.items():
        for names in neighbourhoods:
            removing[sum(1 << NEIGHBOURS.index(n) for n in names.split())] = passes
    first, second = (
        np.array([number not in passes for passes in removing], np.uint8) for number in (1, 2)
    )
    return first, second


def _zhang_suen(code: int) -> tuple[int, ...]:
    """The passes (1, 2) in which the paper's rule removes a pixel with these neighbours."""
    ring = [bool(code >> k & 1) for k in range(8)]
    _, north, _, east, _, south, _, west = ring
    rises = sum(not ring[k - 1] and ring[k] for k in range(8))
    if rises != 1 or not 2 <= sum(ring) <= 6:
        return ()
    first = not (east and south and (north or west))
    second = not (north and west and (east or south))
    return tuple(number for number, goes in ((1, first), (2, second)) if goes)

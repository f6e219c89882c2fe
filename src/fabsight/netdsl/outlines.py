"""Polygons for metal that no few straight wires describe (extended programs only)."""

import numpy as np
from jaxtyping import Float32, Int32

from fabsight.netdsl.language import Poly

FINE = 4  # outlines are traced on a grid this much finer than pixels
TOLERANCE_PX = 0.45
LEAST_HOLE_PX = 12.0


def outline(
    share: Float32[np.ndarray, "height width"], origin: tuple[int, int], price: float
) -> list[Poly]:
    """One polygon per island of share > 1/2, corners in px of the whole image.

    Holes are joined to their island's outline by a cut of no width: the fill is even-odd. Islands
    smaller than `price` px are left out.
    """
    import cv2

    height, width = share.shape
    fine = cv2.resize(share, (width * FINE, height * FINE), interpolation=cv2.INTER_LINEAR)
    mask = np.pad((fine > 0.5).astype(np.uint8), 1)
    rings, tree = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    found = []
    for k, ring in enumerate(rings):
        if tree[0][k][3] >= 0 or cv2.contourArea(ring) < price * FINE**2:
            continue
        points = _corners(ring, origin)
        child = tree[0][k][2]
        while child >= 0:
            if cv2.contourArea(rings[child]) >= LEAST_HOLE_PX * FINE**2:
                hole = _corners(rings[child], origin)
                if len(hole) >= 3:
                    points = [*points, points[0], *hole, hole[0]]
            child = tree[0][child][0]
        if len(points) >= 3:
            found.append(Poly(tuple(points)))
    return found


def _corners(
    ring: Int32[np.ndarray, "n 1 2"], origin: tuple[int, int]
) -> list[tuple[float, float]]:
    import cv2

    corners = cv2.approxPolyDP(ring, TOLERANCE_PX * FINE, closed=True)[:, 0]
    # a traced point is the centre of a fine pixel, one in from the padding
    px = (corners - 1 + 0.5) / FINE + np.asarray(origin)
    return [(round(float(x), 2), round(float(y), 2)) for x, y in px]

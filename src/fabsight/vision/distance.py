"""Distances between pixels, the same bits every time."""

import numpy as np
from jaxtyping import Float32, UInt8


def distance_px(mask: UInt8[np.ndarray, "height width"]) -> Float32[np.ndarray, "height width"]:
    """How far each pixel is from the nearest pixel that is 0, centre to centre, in px.

    OpenCV takes another way with one thread than with several, and that one is off in the last bit
    now and then, depending on where its buffers lie in memory. Distances on a grid are roots of
    whole numbers, so they are rounded to such; beyond 1,600 px neighbouring roots are too near in
    float32 to be told apart.

    >>> distance_px(np.array([[0, 1, 1], [1, 1, 1]], np.uint8)).round(3).tolist()
    [[0.0, 1.0, 2.0], [1.0, 1.4140000343322754, 2.2360000610351562]]
    """
    import cv2

    found: Float32[np.ndarray, "height width"] = cv2.distanceTransform(
        mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE
    )
    np.square(found, out=found)
    np.rint(found, out=found)
    np.sqrt(found, out=found)
    return found

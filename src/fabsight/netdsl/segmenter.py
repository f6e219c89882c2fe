"""The learned front end: an SEM image to the share of metal and of via in each pixel.

A 0.44 M parameter network run by onnxruntime; `segmenter_training` made it, its card is
weights/netdsl_segmenter.md. Large frames go through in overlapping tiles.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.resources import as_file, files
from typing import Any

import numpy as np
from jaxtyping import Float32

TILE_PX = 1280
MARGIN_PX = 160  # the network sees farther, but hardly: tiles agree with the whole to 0.1
THREADS = 2  # tiles of a large frame at a time
MULTIPLE = 16


def normalise(grey: Float32[np.ndarray, "height width"]) -> Float32[np.ndarray, "height width"]:
    """Zero mean, unit standard deviation; a flat image gives zeros."""
    spread = float(grey.std())
    return np.asarray((grey - grey.mean()) / max(spread, 1e-6), np.float32)


def segment(grey: Float32[np.ndarray, "height width"]) -> Float32[np.ndarray, "2 height width"]:
    """Shares of metal (0) and of via inside metal (1) in each pixel; metal must be bright."""
    image = normalise(grey)
    height, width = image.shape
    if height <= TILE_PX and width <= TILE_PX:
        return _run(image)
    out = np.empty((2, height, width), np.float32)
    step = TILE_PX - 2 * MARGIN_PX

    def fill(corner: tuple[int, int]) -> None:
        top, left = corner
        y0, x0 = max(top - MARGIN_PX, 0), max(left - MARGIN_PX, 0)
        tile = _run(image[y0 : top + step + MARGIN_PX, x0 : left + step + MARGIN_PX])
        inner = tile[:, top - y0 : top - y0 + step, left - x0 : left - x0 + step]
        out[:, top : top + step, left : left + step] = inner

    corners = [(y, x) for y in range(0, height, step) for x in range(0, width, step)]
    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(fill, corners))
    return out


def _run(image: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, "2 h w"]:
    height, width = image.shape
    pad = [(0, -n % MULTIPLE) for n in (height, width)]
    padded = np.pad(image, pad, mode="edge")
    share = _session().run(None, {"image": padded[None, None]})[0][0]
    return np.asarray(share[:, :height, :width], np.float32)


@cache
def _session() -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # parallel work is one image per process
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    with as_file(files("fabsight") / "weights" / "netdsl_segmenter.onnx") as path:
        return onnxruntime.InferenceSession(
            path.read_bytes(), options, providers=["CPUExecutionProvider"]
        )

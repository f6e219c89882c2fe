"""What else turns an SEM image into a mask or an outline: thresholds and contour tracers.

potrace is GPL: it is run as a program where it is installed, never imported. A tracer is given a
mask, its outline is drawn at pixel centres (even-odd), and its vertices are counted: the segments
of its paths, or the corners of its polygons.
"""

import io
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping

import cv2
import numpy as np
from PIL import Image as Pillow

from fabsight.netdsl.frontends import BINARIZERS, evidence
from fabsight.netdsl.rendering import Mask, paint
from fabsight.netdsl.settings import LayoutSettings
from fabsight.netdsl.shapes import Poly

THRESHOLDS = tuple(BINARIZERS)
CURVE_STEPS = 8  # chords a Bezier curve is drawn with
CONTOUR_TOLERANCE_PX = 1.0
_WORD = re.compile(r"[MmLlCcZz]|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_PATH = re.compile(r'<path d="([^"]*)"[^>]*?(?:translate\(([-\d.]+),([-\d.]+)\)"?)?\s*/>')


def threshold(pixels: np.ndarray, name: str) -> Mask:
    """A threshold's mask, its polarity found and its specks removed as the product does it."""
    found = evidence(pixels.astype(np.float32), LayoutSettings(binarize=name))  # type: ignore[arg-type]
    return np.asarray(found.share > 0.5, np.uint8)


def learned(pixels: np.ndarray) -> Mask:
    """The segmenter's mask, without any program."""
    found = evidence(pixels.astype(np.float32), LayoutSettings())
    return np.asarray(found.share > 0.5, np.uint8)


def contours(mask: Mask) -> tuple[Mask, int]:
    """OpenCV: contours simplified by Douglas and Peucker at 1 px, and their vertices."""
    found, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    simple = [cv2.approxPolyDP(c, CONTOUR_TOLERANCE_PX, True) for c in found]
    drawn = np.zeros_like(mask)
    if simple:
        cv2.drawContours(drawn, simple, -1, 1, cv2.FILLED)
    return drawn, sum(len(c) for c in simple)


def potrace(mask: Mask) -> tuple[Mask, int]:
    """Outlines by potrace with its defaults, and the segments of its paths."""
    height, width = mask.shape
    bitmap = f"P4\n{width} {height}\n".encode() + np.packbits(mask, axis=1).tobytes()
    command = ["potrace", "--svg", "--output", "-", "-"]
    text = subprocess.run(command, input=bitmap, capture_output=True, check=True).stdout.decode()
    rings, vertices = [], 0
    for path in re.findall(r'<path d="([^"]*)"', text):
        found, count = flatten(path)
        rings += [np.add(ring / (10, -10), (0, height)) for ring in found]
        vertices += count
    return filled(rings, mask.shape), vertices


def vtracer(mask: Mask) -> tuple[Mask, int]:
    """Outlines by vtracer with its defaults for two-level pictures, and their segments."""
    from vtracer import convert_raw_image_to_svg

    picture = io.BytesIO()
    Pillow.fromarray((1 - mask) * np.uint8(255)).save(picture, "PNG")
    text = convert_raw_image_to_svg(picture.getvalue(), img_format="png", colormode="binary")
    rings, vertices = [], 0
    for path, x, y in _PATH.findall(text):
        found, count = flatten(path)
        rings += [np.add(ring, (float(x or 0), float(y or 0))) for ring in found]
        vertices += count
    return filled(rings, mask.shape), vertices


def tracers() -> Mapping[str, Callable[[Mask], tuple[Mask, int]]]:
    """The tracers that are installed."""
    found: dict[str, Callable[[Mask], tuple[Mask, int]]] = {"OpenCV contours": contours}
    if shutil.which("potrace"):
        found["potrace"] = potrace
    else:
        print("# potrace is not installed (Debian: apt-get install potrace): left out")
    found["vtracer"] = vtracer
    return found


def flatten(path: str) -> tuple[list[np.ndarray], int]:
    """Rings of an SVG path (M, L, C, Z, absolute and relative) as points, and its segments.

    >>> rings, segments = flatten("M0 0 L4 0 l0 4 z")
    >>> rings[0].tolist(), segments
    ([[0.0, 0.0], [4.0, 0.0], [4.0, 4.0]], 2)
    """
    words = _WORD.findall(path)
    rings: list[np.ndarray] = []
    ring: list[np.ndarray] = []
    here, begin, verb, at, segments = np.zeros(2), np.zeros(2), "M", 0, 0
    while at < len(words):
        if words[at].isalpha():
            verb, at = words[at], at + 1
        if verb in "Zz":
            rings, ring, here = [*rings, np.array(ring)], [], begin
            continue
        size = 6 if verb in "Cc" else 2
        given = np.array(words[at : at + size], float).reshape(-1, 2)
        points = given + here if verb.islower() else given
        at += size
        if verb in "Mm":
            begin, ring, verb = points[0], [points[0]], "L" if verb == "M" else "l"
        else:
            ring += _bezier(here, *points) if verb in "Cc" else [points[0]]
            segments += 1
        here = points[-1]
    return rings, segments


def _bezier(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> list[np.ndarray]:
    t = np.linspace(0, 1, CURVE_STEPS + 1)[1:, None]
    return list((1 - t) ** 3 * a + 3 * t * (1 - t) ** 2 * b + 3 * t**2 * (1 - t) * c + t**3 * d)


def filled(rings: list[np.ndarray], shape: tuple[int, ...]) -> Mask:
    """The even-odd fill of rings (x, y) px, at pixel centres."""
    out = np.zeros(shape, np.uint8)
    for ring in rings:
        if len(ring) >= 3:
            poly = Poly(tuple((float(x), float(y)) for x, y in ring))
            out ^= paint([poly], shape[1], shape[0])
    return out

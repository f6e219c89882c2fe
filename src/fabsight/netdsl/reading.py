"""From files to layout questions: which files are layout images, what is cropped, what is known."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32

from fabsight.images import grey, read
from fabsight.netdsl.settings import LayoutSettings
from fabsight.netdsl.synthesis import PROMPT
from fabsight.settings import check_settings
from fabsight.task import FabsightError, Image, Question

PICTURES = {".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp", ".webp", ".npy"}
PROGRAM = re.compile(rb"(\xef\xbb\xbf)?\s*CANVAS\s+\d+\s+\d+")
LEAST_PX = 16
BAR_SHARE = 0.25  # an information bar begins in this share of the picture, at the bottom
EVEN = 0.02  # share of the picture's grey range within which greys are one and the same
ABOVE_ALIKE = 0.35  # less than this share of the rows above a bar has its grey
INK = 0.3  # share of the grey range by which writing differs from the bar
LEAST_BAR_PX = 8
LEAST_LETTER_PX = 5
TALLEST_LETTER = 0.6  # of the bar's height
ASYMMETRY = 0.8  # px of a letter unlike its mirror image, per px of its width and height
LEAST_LETTERS = 10  # bars of real instruments show 50 and more


def recognises(path: Path) -> float:
    """How sure it is that a file is a picture of a layout, 0 to 1; a program is an answer."""
    return 0.5 if path.suffix.lower() in PICTURES and path.is_file() else 0.0


def questions(
    paths: Sequence[Path], settings: LayoutSettings
) -> Iterator[Question[LayoutSettings]]:
    """One question per picture; an information bar at the bottom is cropped and said so."""
    check_settings(settings)
    for path in paths:
        if _is_program(path):
            raise FabsightError(
                f"netdsl reads pictures: {path} is a program; give it to convert or vary"
            )
        image = read(path)
        if min(image.pixels.shape[:2]) < LEAST_PX:
            raise FabsightError(
                f"netdsl reads pictures of at least {LEAST_PX} x {LEAST_PX} px: {path} has "
                f"{image.pixels.shape[1]} x {image.pixels.shape[0]}"
            )
        if settings.nm_per_px > 0:
            image = replace(image, nm_per_px=settings.nm_per_px, scale_source="user")
        if settings.crop_bar:
            image = without_bar(image)
        yield Question((image,), PROMPT, settings, source=str(path))


def _is_program(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return bool(PROGRAM.match(file.read(256)))


def without_bar(image: Image) -> Image:
    """The image without the information bar at its bottom, with a warning that names the row."""
    seen = grey(image)
    if bool(np.all((seen == seen.min()) | (seen == seen.max()))):  # a mask has no bar
        return image
    row = bar_row(seen)
    if row is None:
        return image
    height = image.pixels.shape[0]
    rows = f"rows {row} to {height - 1} of {height}, {height - row} px"
    note = f"information bar cropped: {rows} (--no-crop-bar keeps them)"
    pixels = np.ascontiguousarray(image.pixels[:row])
    return replace(image, pixels=pixels, warnings=(*image.warnings, note))


def bar_row(seen: Float32[np.ndarray, "height width"]) -> int | None:
    """The first row of an information bar near the bottom, None when there is none.

    A bar is a band of rows that are mostly one and the same grey, unlike the rows above it, with
    writing in it. It may lie over the picture, which then goes on below. A flat floor under
    horizontal lines is such a band too, also with a row of vias on it: the writing tells them
    apart, and is looked for letter by letter.
    """
    height = len(seen)
    first = int(height * (1 - BAR_SHARE))
    low, span = seen[first:], max(float(np.ptp(seen)), 1e-6)
    level = np.median(low, axis=1)
    even = (np.abs(low - level[:, None]) < EVEN * span).mean(axis=1) >= 0.5
    for start, stop in _bands(even, np.abs(np.diff(level)) < EVEN * span):
        row, rows, base = first + start, stop - start, float(np.median(level[start:stop]))
        if start == 0 or rows < max(LEAST_BAR_PX, height // 60):
            continue
        above = np.abs(seen[max(row - rows, 0) : row] - base) < EVEN * span
        ink = np.abs(low[start:stop] - base) > INK * span
        if above.mean() < ABOVE_ALIKE and letters(ink) >= LEAST_LETTERS:
            return row
    return None


def letters(ink: Bool[np.ndarray, "height width"]) -> int:
    """How many separate small marks in a band look like letters or digits.

    They end inside the band, and at least one of their two mirror images differs from them: those
    of vias, boxes and straight wires do not. Symmetric letters (H, I, O, 0, 8) are not counted.

    >>> one = np.zeros((12, 8), bool)
    >>> one[2:9, 2] = one[8, 2:6] = True
    >>> letters(np.tile(one, 5)), letters(np.tile(one | one[:, ::-1] | one[::-1], 5))
    (5, 0)
    """
    import cv2

    height, width = ink.shape
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(ink.astype(np.uint8))
    x, y, w, h, _ = boxes.T
    inside = (x > 0) & (y > 0) & (x + w < width) & (y + h < height)
    sized = (h >= LEAST_LETTER_PX) & (h <= TALLEST_LETTER * height) & (w <= 3 * h)
    found = 0
    for k in np.flatnonzero(inside & sized):
        one = labels[y[k] : y[k] + h[k], x[k] : x[k] + w[k]] == k
        differ = max((one != one[::-1]).sum(), (one != one[:, ::-1]).sum())
        found += bool(differ > ASYMMETRY * (w[k] + h[k]))
    return found


def _bands(
    even: Bool[np.ndarray, " rows"], same: Bool[np.ndarray, " steps"]
) -> list[tuple[int, int]]:
    """First row and end of each stretch of even rows; `same` says where the level goes on."""
    joined = even[1:] & even[:-1] & same
    starts = np.flatnonzero(even & np.r_[True, ~joined])
    stops = np.flatnonzero(even & np.r_[~joined, True]) + 1
    return list(zip(starts.tolist(), stops.tolist(), strict=True))

"""From files to layout questions: which files are layout images, what is cropped, what is known."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from fabsight.images import grey, read
from fabsight.netdsl.settings import LayoutSettings
from fabsight.netdsl.synthesis import PROMPT
from fabsight.task import FabsightError, Image, Question

PICTURES = {".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp", ".webp", ".npy"}
PROGRAM = re.compile(rb"^\s*CANVAS\s+\d+\s+\d+")
LEAST_PX = 16
BAR_SHARE = 0.2  # an information bar is no taller than this share of the picture


def recognises(path: Path) -> float:
    """How sure it is that a file is a layout image or program, 0 to 1; reads the first bytes."""
    if not path.is_file():
        return 0.0
    with path.open("rb") as file:
        head = file.read(256)
    if PROGRAM.match(head):
        return 1.0
    return 0.5 if path.suffix.lower() in PICTURES else 0.0


def questions(
    paths: Sequence[Path], settings: LayoutSettings
) -> Iterator[Question[LayoutSettings]]:
    """One question per picture; an information bar at the bottom is cropped and said so."""
    if settings.nm_per_px < 0:
        raise FabsightError(
            f"netdsl: nm_per_px={settings.nm_per_px:g}: a pixel is larger than 0 nm"
        )
    for path in paths:
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


def without_bar(image: Image) -> Image:
    """The image without the information bar at its bottom, with a warning that names the row."""
    seen = grey(image)
    if bool(np.all((seen == seen.min()) | (seen == seen.max()))):  # a mask has no bar
        return image
    row = bar_row(seen)
    if row is None:
        return image
    height = image.pixels.shape[0]
    note = f"information bar cropped: rows {row} to {height - 1} of {height} (--no-crop-bar keeps)"
    pixels = np.ascontiguousarray(image.pixels[:row])
    return replace(image, pixels=pixels, warnings=(*image.warnings, note))


def bar_row(seen: Float32[np.ndarray, "height width"]) -> int | None:
    """The first row of an information bar, None when there is none.

    A bar is a band at the bottom whose rows are mostly one and the same grey, cut off from the
    picture by a step; the picture's own rows are not so even.
    """
    height = len(seen)
    first = int(height * (1 - BAR_SHARE))
    low = seen[first:]
    base = np.median(low[-max(2, len(low) // 20) :])
    span = max(float(np.ptp(seen)), 1e-6)
    even = (np.abs(low - base) < 0.02 * span).mean(axis=1)
    rows = np.flatnonzero(even < 0.5)
    # text may fill part of a row of the bar, but never most of it for many rows on end
    start = int(rows[-1]) + 1 if len(rows) else 0
    bar = len(low) - start
    if start == 0 or bar < max(8, height // 60):
        return None
    above = seen[: first + start]
    picture_even = (np.abs(above[-bar:] - base) < 0.02 * span).mean()
    inside_even = even[start:].mean()
    text = (np.abs(low[start:] - base) > 0.3 * span).mean()
    if picture_even > 0.35 or inside_even < 0.6 or text < 0.002:
        return None
    return first + start

"""Pictures inside the page: bounded in pixels and bytes, as data URIs."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fabsight.report.markup import element
from fabsight.task import Image, Picture, Question, Task

JPEG_QUALITY = 84
FEW_COLOURS = 16
PAGE_BYTES = 24_000_000  # of pictures; the page stays below 30 MB
WIDEST_PX = 720
PREVIEW_PX = 1024
SMALLEST_PX = 160


@dataclass(frozen=True)
class Budget:
    """How many pictures fit in the page and how large each may be.

    Attributes:
        edge_px: Longest side of each.
        count: Most that are shown.
    """

    edge_px: int
    count: int


def budget(count: int, per_item: int = 2, page_bytes: int = PAGE_BYTES) -> Budget:
    """Side and number of `per_item` pictures for each of `count` items.

    A noisy picture takes up to about 0.8 bytes a pixel as data URI; sides shrink with the number
    of items, and below the smallest useful side items are left out.

    >>> budget(12), budget(100_000)
    (Budget(edge_px=720, count=12), Budget(edge_px=160, count=585))
    """
    worst_bytes_per_px = 0.8
    for edge_px in range(WIDEST_PX, SMALLEST_PX - 1, -8):
        each = per_item * edge_px * edge_px * worst_bytes_per_px
        if each * count <= page_bytes:
            return Budget(edge_px, count)
    return Budget(SMALLEST_PX, int(page_bytes // each))


def picture_of(task: Task[Any, Any], question: Question[Any]) -> Picture:
    """The input of a question that has images as a person sees it, bounded in size."""
    if task.show is None:
        return preview(question.images[0])
    return preview(Image(task.show(question)))


def preview(image: Image, edge_px: int = PREVIEW_PX) -> Picture:
    """The image as a person sees it: uint8 RGB, at most `edge_px` on its longest side."""
    import cv2

    from fabsight.images import to_8bit

    shown = to_8bit(image)
    height, width = shown.shape[:2]
    scale = edge_px / max(height, width)
    if scale >= 1:
        return shown
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(shown, size, interpolation=cv2.INTER_AREA), np.uint8)


def data_uri(path: Path, edge_px: int) -> tuple[str, tuple[int, int]]:
    """The picture, at most `edge_px` on its longest side, and its width and height.

    PNG where it has few colours, else JPEG.
    """
    from PIL import Image as PILImage

    from fabsight.images import read

    small = PILImage.fromarray(preview(read(path), edge_px))
    data = io.BytesIO()
    drawn = small.getcolors(FEW_COLOURS) is not None
    if drawn:
        small.save(data, "PNG")
    else:  # a noisy photograph takes three times the bytes and thirty times the time as PNG
        small.save(data, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    kind = "png" if drawn else "jpeg"
    coded = base64.b64encode(data.getvalue()).decode()
    return f"data:image/{kind};base64,{coded}", small.size


def picture(run: Path, relative: str, edge_px: int, alt: str) -> str:
    """An <img> with the picture inside; "" where the run folder holds no such file."""
    path = (run / relative).resolve()
    if not (path.is_file() and path.is_relative_to(run.resolve())):
        return ""
    source, (width, height) = data_uri(path, edge_px)
    shown = element("img", src=source, alt=alt, width=width, height=height, decoding="async")
    return shown.removesuffix("</img>")

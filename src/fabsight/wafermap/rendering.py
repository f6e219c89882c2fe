"""A wafer map as a person, or a vision model, sees it: dies as cells, notch, zones and clock."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import UInt8

from fabsight.task import Picture
from fabsight.wafermap.geometry import ZONES
from fabsight.wafermap.wafer import FAIL, NO_DIE, PASS, Grid

SIDE_PX = 512  # of the wafer in a picture, about
PAPER, LINE, WRITING = (255, 255, 255), (150, 158, 168), (70, 78, 88)
COLOURS: Mapping[int, tuple[int, int, int]] = {
    NO_DIE: PAPER,
    PASS: (205, 221, 214),
    FAIL: (196, 62, 42),
}
PALE = (236, 178, 150)  # fails that belong to no pattern
GAP_FROM_PX = 6  # cells from this size on have a gap between them
MARGIN = 0.075  # of the wafer's size, for the clock around it


def rendered(grid: Grid, side_px: int = SIDE_PX) -> Picture:
    """The map alone, uint8 RGB: square cells where the grid is nearly square, gaps where they fit.

    >>> rendered(np.full((10, 10), 2, np.uint8), 200).shape
    (200, 200, 3)
    """
    return painted(colours(grid), side_px)


def colours(grid: Grid) -> UInt8[np.ndarray, "rows columns 3"]:
    """The colour of each die."""
    table = np.array([COLOURS[value] for value in (NO_DIE, PASS, FAIL)], np.uint8)
    return np.asarray(table[grid])


def painted(dies: UInt8[np.ndarray, "rows columns 3"], side_px: int) -> Picture:
    """Cells of these colours in a picture about `side_px` wide; the wafer is round in it."""
    rows, columns = dies.shape[:2]
    tall, wide = max(1, side_px // rows), max(1, side_px // columns)
    picture = dies.repeat(tall, 0).repeat(wide, 1)
    if min(tall, wide) >= GAP_FROM_PX:
        picture[tall - 1 :: tall] = PAPER
        picture[:, wide - 1 :: wide] = PAPER
    return np.ascontiguousarray(picture)


def with_clock(picture: Picture) -> UInt8[np.ndarray, "tall wide 3"]:
    """The picture on paper with zone rings, the hours around it and the notch at 6 o'clock."""
    from PIL import Image, ImageDraw, ImageFont

    tall, wide = picture.shape[:2]
    edge = max(18, round(MARGIN * max(tall, wide)))
    paper = Image.new("RGB", (wide + 2 * edge, tall + 2 * edge), PAPER)
    paper.paste(Image.fromarray(picture), (edge, edge))
    pen = ImageDraw.Draw(paper)
    middle = (edge + wide / 2, edge + tall / 2)
    for number in range(1, len(ZONES) + 1):
        share = number / len(ZONES)
        _ellipse(pen, middle, (share * wide / 2, share * tall / 2))
    font = ImageFont.load_default(max(10, round(0.028 * max(tall, wide))))
    for hour in range(1, 13):
        angle = math.radians(30 * hour)
        x = middle[0] + math.sin(angle) * (wide / 2 + 0.55 * edge)
        y = middle[1] - math.cos(angle) * (tall / 2 + 0.55 * edge)
        pen.text((x, y), str(hour), fill=WRITING, font=font, anchor="mm")
    _notch(pen, (middle[0], edge + tall), max(3.0, 0.013 * wide))
    return np.asarray(paper, np.uint8)


def _ellipse(pen: Any, middle: tuple[float, float], half: tuple[float, float]) -> None:
    box = (middle[0] - half[0], middle[1] - half[1], middle[0] + half[0], middle[1] + half[1])
    pen.ellipse(box, outline=LINE, width=1)


def _notch(pen: Any, tip: tuple[float, float], size: float) -> None:
    x, y = tip
    pen.polygon([(x, y - size), (x - size, y + size), (x + size, y + size)], fill=WRITING)

"""The answer over the image, for a person: outlines, objections, and a legend with a scale bar.

Outlines are drawn from the program's numbers at the picture's own resolution, not from a mask blown
up, so at 4x a quarter of a pixel is visible. Colours are Okabe and Ito's, which people with any
colour vision tell apart.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, UInt8

from fabsight.images import to_8bit
from fabsight.netdsl.checking import Findings
from fabsight.netdsl.language import Program, Shape
from fabsight.netdsl.rendering import Layer, Mask, paint, pick
from fabsight.netdsl.settings import LayoutSettings, scale_of
from fabsight.task import Check, Picture, Question

NOTHING = Findings(Check(0.0, 0.0, True, {}))
LARGEST_SIDE_PX = 2048
ENLARGED_SIDE_PX = 1024  # small images are enlarged up to about this
LARGEST_ZOOM = 4

SKY = (86, 180, 233)
YELLOW = (240, 228, 66)
VERMILION = (226, 70, 30)
PURPLE = (204, 90, 190)
INK = (228, 230, 233)
STRIP = (24, 27, 32)
LAYERS: dict[Layer, tuple[int, int, int]] = {"metal": SKY, "via": YELLOW}
DIM = 0.55  # brightness of what lies outside the program's canvas

TEXT_PX = 14
LINE_PX = 24
GAP_PX = 16
SWATCH_PX = 12
MARK_GAP_PX = 6
BOX_PX = 6  # room between what is boxed and its box
LONGEST_BAR_PX = 160


@dataclass(frozen=True)
class Entry:
    """Words of the legend, after a colour mark, a scale bar or nothing."""

    text: str
    colour: tuple[int, int, int] | None = None
    bar_px: int = 0

    @property
    def mark_px(self) -> int:
        """Room the mark takes, its gap included."""
        mark = self.bar_px or (SWATCH_PX if self.colour else 0)
        return mark + MARK_GAP_PX if mark else 0


def draw(
    question: Question[LayoutSettings], program: Program, found: Findings = NOTHING
) -> Picture:
    """The program's outlines over the question's image, uint8 RGB, at most 2048 px wide or high.

    Args:
        question: Its first image is drawn; 16-bit is windowed, small ones are enlarged up to 4x.
        program: Metal is outlined in blue, vias in yellow.
        found: What the check objects to: shapes the image hardly shows are outlined in red, edges
            that the program lacks are boxed in it.
    """
    image = question.images[0]
    height, width = image.pixels.shape[:2]
    zoom = zoom_for(max(height, width))
    picture = _resized(to_8bit(image), zoom)
    size = picture.shape[0], picture.shape[1]
    bottom, right = round(program.height * zoom), round(program.width * zoom)
    outside = np.ones(size, bool)
    outside[:bottom, :right] = False
    picture[outside] = (picture[outside] * DIM).astype(np.uint8)
    line_px = 2 if zoom >= 3 else 1
    for layer, colour in LAYERS.items():
        mask = _painted(program, pick(program.shapes, layer), size, zoom)
        picture[_outline(mask, line_px)] = colour
    entries = [
        Entry(f"metal ({_counted(len(pick(program.shapes, 'metal')), 'command')})", SKY),
        Entry(f"via ({len(pick(program.shapes, 'via'))})", YELLOW),
        *_objections(picture, program, found, (zoom, line_px)),
        Entry(_size_text(width, height, zoom)),
    ]
    nm_per_px = scale_of(question).nm_per_px
    strip = _legend(entries, picture.shape[1], nm_per_px / zoom if nm_per_px else None)
    return np.concatenate([picture, strip])


def _objections(
    picture: Picture, program: Program, found: Findings, scale: tuple[float, int]
) -> list[Entry]:
    """Draw what the check objects to; its words for the legend."""
    zoom, line_px = scale
    entries = []
    if found.unsupported:
        every = program.shapes
        shapes = [every[k] for k in found.unsupported]
        mask = _painted(program, shapes, (picture.shape[0], picture.shape[1]), zoom)
        picture[_outline(mask, 2 * line_px)] = VERMILION
        entries.append(Entry(f"not in the image ({len(shapes)})", VERMILION))
    for patch in found.patches:
        x0, y0, x1, y1 = (round(side * zoom) for side in patch[:4])
        _box(picture, (x0 - BOX_PX, y0 - BOX_PX, x1 + BOX_PX, y1 + BOX_PX), line_px)
    if found.patches:
        entries.append(Entry(f"boxed: edges not in the program ({len(found.patches)})", PURPLE))
    return entries


def _box(picture: Picture, corners: tuple[int, int, int, int], line_px: int) -> None:
    height, width = picture.shape[:2]
    x0, y0 = max(corners[0], 0), max(corners[1], 0)
    x1, y1 = min(corners[2], width), min(corners[3], height)
    for rows, columns in (
        (slice(y0, y0 + line_px), slice(x0, x1)),
        (slice(y1 - line_px, y1), slice(x0, x1)),
        (slice(y0, y1), slice(x0, x0 + line_px)),
        (slice(y0, y1), slice(x1 - line_px, x1)),
    ):
        picture[rows, columns] = PURPLE


def zoom_for(side_px: int) -> float:
    """Picture pixels per image pixel: 1 to 4 times, or what makes a large image fit.

    >>> zoom_for(256), zoom_for(300), zoom_for(2000), zoom_for(4096)
    (4, 3, 1, 0.5)
    """
    if side_px > LARGEST_SIDE_PX:
        return LARGEST_SIDE_PX / side_px
    return max(1, min(LARGEST_ZOOM, ENLARGED_SIDE_PX // side_px))


def _resized(shown: Picture, zoom: float) -> UInt8[np.ndarray, "rows columns 3"]:
    """The picture enlarged by whole pixels, so that each stays visible, or shrunk by area."""
    import cv2

    if zoom >= 1:
        whole = int(zoom)
        return shown.repeat(whole, axis=0).repeat(whole, axis=1)
    height, width = shown.shape[0], shown.shape[1]
    size = (max(1, round(width * zoom)), max(1, round(height * zoom)))
    return np.asarray(cv2.resize(shown, size, interpolation=cv2.INTER_AREA))


def _painted(program: Program, shapes: Sequence[Shape], size: tuple[int, int], zoom: float) -> Mask:
    """Shapes of the program at the picture's resolution, (rows, columns), cut at its canvas."""
    out = np.zeros(size, np.uint8)
    height, width = (
        min(room, round(side * zoom))
        for room, side in zip(size, (program.height, program.width), strict=True)
    )
    out[:height, :width] = paint(shapes, width, height, scale=zoom)
    return out


def _outline(mask: Mask, line_px: int) -> Bool[np.ndarray, "rows columns"]:
    """The mask's outermost `line_px` pixels; the picture's border is no outline."""
    import cv2

    side = 2 * line_px + 1
    inside = cv2.erode(mask, np.ones((side, side), np.uint8), borderValue=1)
    line: Bool[np.ndarray, "rows columns"] = (mask != 0) & (inside == 0)
    return line


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _size_text(width: int, height: int, zoom: float) -> str:
    shown = f"shown {zoom:g}x" if zoom >= 1 else f"shown at {zoom:.0%}".replace("%", " %")
    return f"{width} x {height} px, {shown}"


def bar_length_nm(nm_per_px: float, room_px: float) -> float:
    """The longest of 1, 2, 5, 10, ... nm that fits in the room.

    >>> bar_length_nm(2.5, 100)
    200.0
    """
    room_nm = room_px * nm_per_px
    decade = 10.0 ** math.floor(math.log10(room_nm))
    steps = (decade / 2, decade, 2 * decade, 5 * decade)  # log10(999.9999999999999) is 3
    return max(step for step in steps if step <= room_nm)


def _legend(entries: list[Entry], width: int, nm_per_px: float | None) -> Picture:
    """The strip under the picture, (lines * 24, width, 3): marks, words, and a scale bar."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(size=TEXT_PX)
    if nm_per_px:
        entries = [*entries, _bar(nm_per_px, min(width / 3, LONGEST_BAR_PX))]
    widths = [e.mark_px + math.ceil(font.getlength(e.text)) for e in entries]
    places = _wrapped(widths, width)
    strip = Image.new("RGB", (width, (places[-1][1] + 1) * LINE_PX), STRIP)
    pen = ImageDraw.Draw(strip)
    for entry, (x, line) in zip(entries, places, strict=True):
        middle = line * LINE_PX + LINE_PX // 2
        if entry.bar_px:
            pen.rectangle((x, middle - 2, x + entry.bar_px - 1, middle + 1), fill=INK)
        elif entry.colour:
            box = (x, middle - SWATCH_PX // 2, x + SWATCH_PX - 1, middle + SWATCH_PX // 2 - 1)
            pen.rectangle(box, outline=entry.colour, width=2)
        pen.text((x + entry.mark_px, middle), entry.text, fill=INK, font=font, anchor="lm")
    return np.asarray(strip)


def _bar(nm_per_px: float, room_px: float) -> Entry:
    length_nm = bar_length_nm(nm_per_px, room_px)
    label = f"{length_nm / 1000:g} µm" if length_nm >= 1000 else f"{length_nm:g} nm"
    return Entry(label, bar_px=round(length_nm / nm_per_px))


def _wrapped(widths: list[int], room_px: int) -> list[tuple[int, int]]:
    """Where entries of these widths go: (x, line), in reading order."""
    places: list[tuple[int, int]] = []
    x, line = GAP_PX // 2, 0
    for wide in widths:
        if x > GAP_PX and x + wide > room_px - GAP_PX // 2:
            x, line = GAP_PX // 2, line + 1
        places.append((x, line))
        x += wide + GAP_PX
    return places

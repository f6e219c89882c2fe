"""A wafer map as SVG: dies as rectangles, zones, the clock and the notch, for slides and reports.

Dies of one kind are one path, so that a map of 20,000 dies stays small and opens at once.
"""

import math
from collections.abc import Mapping
from html import escape

import numpy as np
from jaxtyping import Bool, UInt8

from fabsight.wafermap.geometry import ZONES
from fabsight.wafermap.rendering import COLOURS, LINE, PALE, WRITING
from fabsight.wafermap.wafer import FAIL, PASS, Grid

RADIUS = 100.0  # of the wafer, user units
MARGIN = 14.0
GAP = 0.08  # of a die, between neighbours
LINE_HEIGHT, WRAP = 6.0, 78


def svg_text(grid: Grid, core: UInt8[np.ndarray, "rows columns"], title: str, text: str) -> str:
    """The picture with a title above and the answer below.

    Args:
        grid: The map.
        core: 1 where a failing die belongs to something systematic: drawn darker.
        title: Lot and wafer, or the file.
        text: The answer; wrapped.
    """
    lines = wrapped(text, WRAP)
    side = 2 * (RADIUS + MARGIN)
    height = side + 10 + LINE_HEIGHT * (len(lines) + 1)
    kinds: Mapping[str, tuple[Bool[np.ndarray, "rows columns"], tuple[int, int, int]]] = {
        "pass": (grid == PASS, COLOURS[PASS]),
        "fail": ((grid == FAIL) & (core == 0), PALE),
        "fail of a pattern": ((grid == FAIL) & (core != 0), COLOURS[FAIL]),
    }
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{_n(-side / 2)} {_n(-side / 2 - 10)} '
        f'{_n(side)} {_n(height)}" font-family="sans-serif" font-size="4.4">',
        f"<title>{escape(title)}</title>",
        f'<text x="0" y="{_n(-side / 2 - 3)}" text-anchor="middle">{escape(title)}</text>',
    ]
    for name, (mask, colour) in kinds.items():
        parts.append(f'<path class="{name}" fill="{_hex(colour)}" d="{_cells(mask)}"/>')
    parts += [*_rings(), *_hours(), _notch()]
    for number, line in enumerate(lines, 1):
        y = side / 2 + LINE_HEIGHT * number
        parts.append(f'<text x="{_n(4 - side / 2)}" y="{_n(y)}">{escape(line)}</text>')
    return "\n".join((*parts, "</svg>")) + "\n"


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most `width` letters.

    >>> wrapped("one two three", 8)
    ['one two', 'three']
    """
    import textwrap

    return textwrap.wrap(text, width) or [""]


def _cells(mask: Bool[np.ndarray, "rows columns"]) -> str:
    """One path of a rectangle for each die of the mask."""
    rows, columns = mask.shape
    wide, tall = 2 * RADIUS / columns, 2 * RADIUS / rows
    inner = f"h{_n(wide * (1 - GAP))}v{_n(tall * (1 - GAP))}h{_n(-wide * (1 - GAP))}z"
    found = []
    for row, column in np.argwhere(mask):
        x = -RADIUS + (column + GAP / 2) * wide
        y = -RADIUS + (row + GAP / 2) * tall
        found.append(f"M{_n(x)} {_n(y)}{inner}")
    return "".join(found)


def _rings() -> list[str]:
    style = f'fill="none" stroke="{_hex(LINE)}" stroke-width="0.4"'
    radii = (RADIUS * number / len(ZONES) for number in range(1, len(ZONES) + 1))
    return [f'<circle r="{_n(radius)}" {style}/>' for radius in radii]


def _hours() -> list[str]:
    found = []
    for hour in range(1, 13):
        angle = math.radians(30 * hour)
        x, y = math.sin(angle) * (RADIUS + 8), -math.cos(angle) * (RADIUS + 8)
        found.append(
            f'<text x="{_n(x)}" y="{_n(y + 1.6)}" text-anchor="middle" fill="{_hex(WRITING)}">'
            f"{hour}</text>"
        )
    return found


def _notch() -> str:
    y = RADIUS
    return f'<path class="notch" fill="{_hex(WRITING)}" d="M0 {_n(y - 2)}l-2 4h4z"/>'


def _hex(colour: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")

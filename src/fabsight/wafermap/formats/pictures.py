"""Pictures of wafer maps, drawn by a program, read back to dies.

    pixels --_indexed--> colours --_cells--> one colour a die --_states--> grid

A map that a program drew has few colours, and its dies are one pixel each, or blocks of pixels of
one size with or without lines between. The colour of the corners is no die. Of two others the
redder one fails; of two greys the one farther from the corners' (0, 127, 255: none, pass, fail).
Anything else (photographs, smoothed pictures, axes and text) is refused: a guess would be a map
that nobody measured.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from jaxtyping import Int64, UInt8

from fabsight.images import read as read_image
from fabsight.task import FabsightError, Pixels
from fabsight.wafermap.formats.placing import drawn, notch_down, require_size
from fabsight.wafermap.settings import WaferSettings
from fabsight.wafermap.wafer import FAIL, NO_DIE, PASS, About, Grid, Wafer

MAX_COLOURS = 8
MAX_PIXELS = 16_000_000
GLANCE_PIXELS = 4_200_000  # of a picture that is looked at only to say what it is
LEAST_DIES, MOST_DIES = 5, 1000  # across and down, of a picture that is surely a map
PURE = 0.9  # of a die's pixels have its colour
_SMALL = 100  # pixels: a picture so small has a pixel a die
_OUTSIDE, _INSIDE = 0.1, 0.8  # dies outside and inside the circle of a map that is surely one

Colours: TypeAlias = UInt8[np.ndarray, "colours 3"]
Indexed: TypeAlias = Int64[np.ndarray, "height width"]


@dataclass(frozen=True)
class _Read:
    """What a picture is read to: a grid, and the colours that its states have."""

    grid: Grid
    palette: str


def read(path: Path, settings: WaferSettings) -> Iterator[Wafer]:
    """The one wafer of a picture."""
    image = read_image(path, limit_mpx=MAX_PIXELS / 1e6)
    found = _map_of(image.pixels, str(path))
    about = About(format="picture")
    wafer = drawn(found.grid, about, str(path))
    warned = (f"read from a picture: {found.palette}; the notch is taken down", *image.warnings)
    if settings.notch != "file":
        warned = (f"read from a picture: {found.palette}", *image.warnings)
    wafer = Wafer(wafer.grid, wafer.about, str(path), warnings=warned)
    yield notch_down(wafer, settings)


def surely_a_map(path: Path) -> bool:
    """Whether a picture is without doubt one of a wafer map: few colours and dies on a disk."""
    try:
        image = read_image(path, limit_mpx=GLANCE_PIXELS / 1e6)
        grid = _map_of(image.pixels, str(path)).grid
    except FabsightError:
        return False
    return on_a_disk(grid)


def on_a_disk(grid: Grid) -> bool:
    """Whether dies fill the ellipse in a grid's box and leave its corners empty."""
    down, right = (np.flatnonzero((grid != NO_DIE).any(axis)) for axis in (1, 0))
    if not len(down):
        return False
    part = grid[down[0] : down[-1] + 1, right[0] : right[-1] + 1] != NO_DIE
    rows, columns = part.shape
    if not (min(rows, columns) >= LEAST_DIES and max(rows, columns) <= MOST_DIES):
        return False
    y, x = np.mgrid[0:rows, 0:columns]
    radius = np.hypot((2 * y + 1) / rows - 1, (2 * x + 1) / columns - 1)
    # Half a die of tolerance to both sides: the rim is a staircase.
    step = 2 / min(rows, columns)
    outside, inside = part[radius > 1 + step], part[radius < 1 - step]
    corner = not (part[0, 0] or part[0, -1] or part[-1, 0] or part[-1, -1])
    return corner and outside.sum() <= _OUTSIDE * outside.size and bool(inside.mean() >= _INSIDE)


def _map_of(pixels: Pixels, where: str) -> _Read:
    indexed, colours = _indexed(pixels, where)
    background = _background(indexed, where)
    inside = indexed != background
    down, right = (np.flatnonzero(inside.any(axis)) for axis in (1, 0))
    box = indexed[down[0] : down[-1] + 1, right[0] : right[-1] + 1]
    cells = _cells(box, background, where)
    require_size(cells.shape[0], cells.shape[1], where)
    # Where lines are drawn all over, their colour is that of the corners, and no die is another.
    states, palette = _states(cells, _background(cells, where), colours, where)
    return _Read(states[cells], palette)


def _indexed(pixels: Pixels, where: str) -> tuple[Indexed, Colours]:
    """Each pixel as a number of its colour, and the colours; of few colours only."""
    if pixels.dtype == np.float32 and not np.isfinite(pixels).all():
        raise FabsightError(f"read {where}: the picture has values that are no numbers")
    rgb = np.stack([pixels] * 3, -1) if pixels.ndim == 2 else pixels
    if rgb.max(initial=0) > 255 or rgb.min(initial=0) < 0 or (rgb != np.rint(rgb)).any():
        raise FabsightError(f"read {where}: the picture has more than 8 bits; it is no drawn map")
    key = (rgb.astype(np.int64) * (65536, 256, 1)).sum(-1)
    sample = key[:: max(1, len(key) // 64)]  # most photographs are told by some rows
    if len(np.unique(sample)) > MAX_COLOURS:
        _refuse_colours(len(np.unique(sample)), where)
    found: list[int] = []
    rest = key.ravel()
    while len(rest):  # much faster than sorting millions of pixels of few colours
        found.append(int(rest[0]))
        if len(found) > MAX_COLOURS:
            _refuse_colours(len(found), where)
        rest = rest[rest != found[-1]]
    kinds = np.sort(np.array(found))
    place = np.searchsorted(kinds, key)
    colours = np.stack([kinds >> 16, kinds >> 8 & 255, kinds & 255], -1).astype(np.uint8)
    return np.asarray(place, np.int64).reshape(key.shape), colours


def _refuse_colours(count: int, where: str) -> None:
    raise FabsightError(
        f"read {where}: at least {count} colours, a drawn wafer map has {MAX_COLOURS} at most: it "
        "is a photograph, or smoothed, or has text on it. Give the file that it was drawn from"
    )


def _background(indexed: Indexed, where: str) -> int:
    """The colour of no die: that of at least three corners."""
    corners = [int(indexed[y, x]) for y in (0, -1) for x in (0, -1)]
    colour = max(corners, key=corners.count)
    if corners.count(colour) < 3 or (indexed == colour).all():
        raise FabsightError(
            f"read {where}: its corners are of different colours, or it is of one colour: no wafer "
            "map with room around a wafer"
        )
    return colour


def _cells(box: Indexed, background: int, where: str) -> Indexed:
    """One colour a die of a picture cut to its dies."""
    rows, columns = (_spans(box, axis, background) for axis in (0, 1))
    if rows is None or columns is None:
        raise FabsightError(
            f"read {where}: its blocks of colour are of no one size, so dies cannot be told apart; "
            "draw it without smoothing, axes and text"
        )
    middle = box[np.ix_((rows[0] + rows[1]) // 2, (columns[0] + columns[1]) // 2)]
    whole = np.repeat(np.repeat(middle, rows[1] - rows[0], 0), columns[1] - columns[0], 1)
    kept = box[np.ix_(_indices(*rows), _indices(*columns))]
    if (whole == kept).mean() < 1 - (1 - PURE) / 10:
        raise FabsightError(f"read {where}: its blocks are not each of one colour; it is no map")
    return np.asarray(middle)


def _indices(begin: Int64[np.ndarray, " n"], end: Int64[np.ndarray, " n"]) -> np.ndarray:
    return np.concatenate([np.arange(a, b) for a, b in zip(begin, end, strict=True)])


def _spans(
    box: Indexed, axis: int, background: int
) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " n"]] | None:
    """Begin and end of each die along an axis, None where they are not evenly spaced.

    Lines between dies are rows (columns) of one colour throughout, at a fixed pitch.
    """
    lined = _between_lines(box if axis == 0 else box.T, background)
    if lined is not None:
        return lined
    return _by_edges(box if axis == 0 else box.T)


def _between_lines(
    box: Indexed, background: int
) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " n"]] | None:
    """Dies between lines; None where there are no lines.

    A line is a row of nothing but one colour and the background.
    """
    plain = (box == background).all(1)
    for colour in np.unique(box):
        plain |= ((box == colour) | (box == background)).all(1) & _rare(box, int(colour))
    edges = np.flatnonzero(np.diff(np.concatenate([[1], plain.astype(np.int64), [1]])))
    begin, end = edges[::2], edges[1::2]
    if len(begin) < LEAST_DIES or not plain.any():
        return None
    sizes, gaps = end - begin, np.diff(begin)
    if np.ptp(sizes) > 1 or np.ptp(gaps) > 1 or (end[:-1] == begin[1:]).any():
        return None
    return begin, end


def _rare(box: Indexed, colour: int) -> bool:
    """Whether a colour never fills a block: it is one of lines."""
    mask = box == colour
    thick = mask[1:, 1:] & mask[:-1, :-1] & mask[1:, :-1] & mask[:-1, 1:]
    return bool(thick.sum() <= mask.sum() / 2)


def _by_edges(box: Indexed) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " n"]] | None:
    """Dies that touch: their edges lie in a raster of one pitch, whole or not."""
    size = len(box)
    edges = np.flatnonzero((box[1:] != box[:-1]).any(1)) + 1
    if not len(edges):
        return np.array([0]), np.array([size])
    steps = np.diff(np.concatenate([[0], edges, [size]]))
    whole = int(np.gcd.reduce(steps))
    if whole > 1 or steps.min() == 1:
        begin = np.arange(0, size, whole)
        return begin, begin + whole
    for count in range(len(steps), min(size, 4 * len(steps)) + 1):
        pitch = size / count
        places = edges / pitch
        if (np.abs(places - np.rint(places)) * pitch <= 1.0).all() and pitch >= 2:
            bounds = np.rint(np.arange(count + 1) * pitch).astype(np.int64)
            return bounds[:-1], bounds[1:]
    if size <= _SMALL:
        return np.arange(size), np.arange(1, size + 1)
    return None


def _states(
    cells: Indexed, background: int, colours: Colours, where: str
) -> tuple[UInt8[np.ndarray, " colours"], str]:
    """The state of each colour, and the palette in words."""
    others = [int(k) for k in np.unique(cells) if k != background]
    if len(others) > 2:
        raise FabsightError(
            f"read {where}: dies of {len(others)} colours; which of them pass is not said. Maps of "
            "a colour for pass and one for fail can be read"
        )
    states = np.full(len(colours), NO_DIE, np.uint8)
    failing = _failing(others, background, colours)
    for k in others:
        states[k] = FAIL if k == failing else PASS
    words = [f"no die {_hex(colours[background])}"]
    words += [f"{'fail' if k == failing else 'pass'} {_hex(colours[k])}" for k in others]
    return states, ", ".join(words)


def _failing(others: list[int], background: int, colours: Colours) -> int:
    """The colour of failing dies, -1 where none fail."""
    values = colours.astype(np.int64)
    redness = values[:, 0] - values[:, 1]
    apart = np.abs(values - values[background]).sum(1)
    if len(others) == 1:
        (only,) = others
        full = (
            tuple(colours[only]) in ((255, 255, 255), (2, 2, 2)) and values[background].max() == 0
        )
        return only if full or redness[only] > 100 else -1
    first, second = others
    if abs(redness[first] - redness[second]) > 20:
        return first if redness[first] > redness[second] else second
    return first if apart[first] > apart[second] else second


def _hex(colour: UInt8[np.ndarray, " 3"]) -> str:
    return "#" + "".join(f"{int(v):02x}" for v in colour)

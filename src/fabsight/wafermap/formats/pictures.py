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
from jaxtyping import Bool, Int64, UInt8

from fabsight.images import read as read_image
from fabsight.task import FabsightError, Pixels
from fabsight.wafermap.formats.placing import drawn, notch_down, require_size
from fabsight.wafermap.settings import WaferSettings
from fabsight.wafermap.wafer import FAIL, NO_DIE, PASS, About, Grid, Wafer

MAX_COLOURS = 8
MAX_PIXELS = 16_000_000
GLANCE_PIXELS = 4_200_000  # of a picture that is looked at only to say what it is
LEAST_DIES, MOST_DIES = 5, 1000  # across and down, of a picture that is surely a map
_FULL = 0.4  # of the rows of a map of a pixel a die differ from the next: a disk has 0.58
_OUTSIDE, _INSIDE = 0.1, 0.8  # dies outside and inside the circle of a map that is surely one

Colours: TypeAlias = UInt8[np.ndarray, "colours 3"]
Indexed: TypeAlias = Int64[np.ndarray, "height width"]
Cells: TypeAlias = Int64[np.ndarray, "rows columns"]
Spans: TypeAlias = Int64[np.ndarray, "_ 2"]  # begin and end of each die, in pixels


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


def _cells(box: Indexed, background: int, where: str) -> Cells:
    """One colour a die of a picture cut to its dies."""
    spans = _between_lines(box, background) or _by_edges(box)
    if spans is None:
        raise FabsightError(
            f"read {where}: its blocks of colour are of no one size, so dies cannot be told apart; "
            "draw it without smoothing, axes and text"
        )
    rows, columns = spans
    middle = box[np.ix_(rows.mean(1).astype(np.int64), columns.mean(1).astype(np.int64))]
    whole = np.repeat(np.repeat(middle, np.diff(rows)[:, 0], 0), np.diff(columns)[:, 0], 1)
    if not np.array_equal(whole, box[np.ix_(_indices(rows), _indices(columns))]):
        raise FabsightError(f"read {where}: its blocks are not each of one colour; it is no map")
    return np.asarray(middle)


def _indices(spans: Spans) -> Int64[np.ndarray, " pixels"]:
    return np.concatenate([np.arange(begin, end) for begin, end in spans.tolist()])


def _between_lines(box: Indexed, background: int) -> tuple[Spans, Spans] | None:
    """Dies between lines, None where there are no lines.

    A line is a row or column of nothing but one colour and the background. Lines run both ways and
    their colour is nowhere else: a row of dies that all pass is no line.
    """
    for colour in np.unique(box).tolist():
        ink = box == colour
        plain = ink | (box == background)
        rows, columns = plain.all(1), plain.all(0)
        if not (rows.any() and columns.any()) or (
            colour != background and ink[np.ix_(~rows, ~columns)].any()
        ):
            continue
        spans = _evenly(rows), _evenly(columns)
        if spans[0] is not None and spans[1] is not None:
            return spans[0], spans[1]
    return None


def _evenly(line: Bool[np.ndarray, " pixels"]) -> Spans | None:
    """The stretches between lines, None where they are few or not of one size and pitch."""
    edges = np.flatnonzero(np.diff(np.concatenate([[1], line.astype(np.int64), [1]])))
    spans = edges.reshape(-1, 2)
    if len(spans) < LEAST_DIES or np.ptp(np.diff(spans)) > 1 or np.ptp(np.diff(spans[:, 0])) > 1:
        return None
    return spans


def _by_edges(box: Indexed) -> tuple[Spans, Spans] | None:
    """Dies that touch, None where the edges between colours are in no raster of one pitch."""
    rows, columns = _raster(box), _raster(box.T)
    return None if rows is None or columns is None else (rows, columns)


def _raster(box: Indexed) -> Spans | None:
    """Dies along the first axis."""
    size = len(box)
    edges = np.flatnonzero((box[1:] != box[:-1]).any(1)) + 1
    if not len(edges):
        return np.array([[0, size]])
    whole = int(np.gcd.reduce([*edges.tolist(), size]))
    if whole > 1 or len(edges) >= _FULL * size:
        begin = np.arange(0, size, whole)
        return np.stack([begin, begin + whole], 1)
    for count in range(len(edges) + 1, min(size // 2, 4 * len(edges)) + 1):
        exact = np.arange(count + 1) * (size / count)
        ways = (np.floor(exact + 0.5), np.ceil(exact - 0.5), np.floor(exact), np.ceil(exact))
        for rounded in ways:
            if np.isin(edges, rounded).all():
                bounds = rounded.astype(np.int64)
                return np.stack([bounds[:-1], bounds[1:]], 1)
    return None


def _states(
    cells: Cells, background: int, colours: Colours, where: str
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

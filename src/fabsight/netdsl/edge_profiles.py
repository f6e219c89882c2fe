"""What an image shows along a program's outline: mean grey against the distance to the edge.

The image is predicted from the program by analysis by synthesis: every pixel gets the mean grey
of all pixels at the same signed distance d to the outline (px, positive in metal), and vias that
lie inside metal get a profile of their own. The outline is then cut into pieces (one side of one
wire in one square of 64 px), and each piece's own profile is laid over the common one: how far it
must be shifted is the offset of that edge, how strongly it follows is the piece's support.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from fabsight.netdsl.language import Program, Via
from fabsight.netdsl.normal import bounds
from fabsight.netdsl.rendering import Mask, paint, pick

Map: TypeAlias = Float32[np.ndarray, "height width"]
Profile: TypeAlias = Float[np.ndarray, " bins"]

REACH_PX = 8.0  # profiles go this far to either side
STEP_PX = 0.5
CELL_PX = 64
BORDER_PX = 3
SEAM_PX = 4  # as far as an edge shows
STRIP_PX = 512  # rows done at once: bounds memory on large frames
LARGEST_OFFSET_PX = 4.0
SIDES = ("left", "right", "top", "bottom")
NAMES_KEPT = 16  # wires told apart in one cell; more share their pieces

BINS = round(2 * REACH_PX / STEP_PX) + 1
CENTRES_PX = np.linspace(-REACH_PX, REACH_PX, BINS)
VIA_REACH_PX = 2.0  # a via's own profile begins this far outside it
VIA_BINS = 16
_SHIFTS_PX = np.arange(-LARGEST_OFFSET_PX, LARGEST_OFFSET_PX + 0.01, 0.25)


class Seams(NamedTuple):
    """At which sides of a canvas the image goes on, and is judged there with what lies beside."""

    left: bool
    top: bool
    right: bool
    bottom: bool


NO_SEAMS = Seams(False, False, False, False)


@dataclass(frozen=True, eq=False)
class Outline:
    """A program's geometry at each pixel.

    Attributes:
        distance_px: Signed distance to the outline, positive in metal.
        bins: Which mean a pixel belongs to: its distance, or its place in a via inside metal.
        piece: Piece of the outline a pixel near it belongs to; -1 elsewhere, and at the border.
        shape_of_piece: Index of the program's shape of each piece, -1 for names not in use.
        alone: Index of the shape a pixel of metal belongs to alone, -1 elsewhere.
        elsewhere: What an edge beyond a seam may show in.
    """

    distance_px: Map
    bins: Int[np.ndarray, "height width"]
    piece: Int[np.ndarray, "height width"]
    shape_of_piece: Int[np.ndarray, " names"]
    alone: Int[np.ndarray, "height width"]
    elsewhere: Bool[np.ndarray, "height width"]


def outline_of(program: Program, fine: int = 2, seams: Seams = NO_SEAMS) -> Outline | None:
    """Where each pixel lies with respect to the program's outline; None when it has none.

    Edges are rounded to 1/fine px. A binary image is itself drawn on whole pixels: take 1 there.
    An edge right beside the canvas' border shows one of its sides only, and is no piece's.
    """
    import cv2

    owner, alone = _owners(program)
    mask = (owner >= 0).astype(np.uint8)
    if not mask.any() or mask.all():
        return None
    distance = _distance(program, fine)
    gx = cv2.Sobel(distance, cv2.CV_32F, 1, 0)
    gy = cv2.Sobel(distance, cv2.CV_32F, 0, 1)
    upright = np.abs(gx) >= np.abs(gy)
    # metal grows to the right of a left edge
    side = np.where(upright, (gx < 0).astype(np.int8), (gy < 0).astype(np.int8) + np.int8(2))
    rows, columns = (np.arange(n, dtype=np.int32) // CELL_PX for n in mask.shape)
    across = int(columns[-1]) + 1
    cell = rows[:, None] * across + columns
    owner = _nearest_owner(owner, mask)
    near = np.abs(distance) < REACH_PX
    near &= _inside(mask.shape, (BORDER_PX,) * 4)
    piece = np.where(near, (cell * 4 + side) * NAMES_KEPT + owner % NAMES_KEPT, np.int32(-1))
    shape = np.full((int(rows[-1]) + 1) * across * 4 * NAMES_KEPT, -1, np.int32)
    shape[piece[near]] = owner[near]
    bins = np.clip(np.rint((distance + REACH_PX) / STEP_PX), 0, BINS - 1).astype(np.int32)
    _mark_vias(bins, program, distance)
    return Outline(distance, bins, piece, shape, alone, beyond(mask.shape, seams))


def beyond(shape: tuple[int, ...], seams: Seams) -> Bool[np.ndarray, "height width"]:
    """Where an edge beyond a seam may show."""
    return ~_inside(shape, [SEAM_PX if there else 0 for there in seams])


def _inside(shape: tuple[int, ...], px: Sequence[int]) -> Bool[np.ndarray, "height width"]:
    """What lies farther than this from the left, upper, right and lower side."""
    inside = np.zeros(shape, bool)
    left, top, right, bottom = px
    inside[top : shape[0] - bottom, left : shape[1] - right] = True
    return inside


def _owners(
    program: Program,
) -> tuple[Int[np.ndarray, "height width"], Int[np.ndarray, "height width"]]:
    """Index of the last shape drawn on each pixel, and of the only one; -1 elsewhere."""
    owner = np.full((program.height, program.width), -1, np.int32)
    alone = owner.copy()
    for index, shape in enumerate(program.shapes):
        x0, y0, x1, y1 = bounds(shape)
        left, top = max(math.floor(x0), 0), max(math.floor(y0), 0)
        right, bottom = min(math.ceil(x1), program.width), min(math.ceil(y1), program.height)
        if left < right and top < bottom:
            part = paint((shape,), right - left, bottom - top, origin=(float(left), float(top))) > 0
            window = np.s_[top:bottom, left:right]
            alone[window][part] = np.where(owner[window][part] < 0, index, -1)
            owner[window][part] = index
    return owner, alone


def _nearest_owner(
    owner: Int[np.ndarray, "height width"], mask: Mask
) -> Int[np.ndarray, "height width"]:
    """The shape each pixel is in or nearest to."""
    import cv2

    _, names = cv2.distanceTransformWithLabels(
        1 - mask, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    inside = mask > 0
    owner_of_name = np.zeros(int(names.max()) + 1, np.int32)
    owner_of_name[names[inside]] = owner[inside]
    found: Int[np.ndarray, "height width"] = owner_of_name[names]
    return found


def _distance(program: Program, fine: int) -> Map:
    """Signed distance in px, strip by strip with a margin beyond what profiles reach."""
    import cv2

    out = np.empty((program.height, program.width), np.float32)
    margin = round(REACH_PX) + 4
    for top in range(0, program.height, STRIP_PX):
        begin = max(top - margin, 0)
        end = min(top + STRIP_PX + margin, program.height)
        size = program.width * fine, (end - begin) * fine
        drawn = paint(program.shapes, *size, origin=(0.0, float(begin)), scale=fine)
        signed = _signed(drawn, fine)
        small = cv2.resize(
            signed, (program.width, end - begin), interpolation=cv2.INTER_AREA
        ) * np.float32(1 / fine)
        count = min(STRIP_PX, program.height - top)
        out[top : top + count] = small[top - begin : top - begin + count]
    return out


def _signed(drawn: Mask, fine: int) -> Map:
    import cv2

    if not drawn.any() or drawn.all():
        return np.full(drawn.shape, fine * 99.0 * (1 if drawn.any() else -1), np.float32)
    inside = cv2.distanceTransform(drawn, cv2.DIST_L2, cv2.DIST_MASK_5)
    outside = cv2.distanceTransform(1 - drawn, cv2.DIST_L2, cv2.DIST_MASK_5)
    inside -= outside
    # distances end at pixel centres: half a fine pixel beyond the edge
    signed: Map = inside - np.sign(inside) * np.float32(0.5)
    return signed


def _mark_vias(bins: np.ndarray, program: Program, distance: Map) -> None:
    """Give pixels of vias that lie inside metal bins of their own."""
    metal = pick(program.shapes, "metal")
    if not metal:
        return
    for via in program.shapes:
        if not isinstance(via, Via):
            continue
        reach = via.r + VIA_REACH_PX
        x0, x1 = max(int(via.x - reach), 0), min(int(via.x + reach) + 2, program.width)
        y0, y1 = max(int(via.y - reach), 0), min(int(via.y + reach) + 2, program.height)
        if x0 >= x1 or y0 >= y1:
            continue
        dx, dy = np.arange(x0, x1) + 0.5 - via.x, np.arange(y0, y1) + 0.5 - via.y
        radius = np.hypot(dx, dy[:, None])
        window = distance[y0:y1, x0:x1]
        ring = (radius > via.r) & (radius < reach)
        if not ring.any() or np.mean(window[ring] > 0) < 0.9:
            continue  # it stands alone or sticks out: its edge is the outline
        own = (radius < reach) & (window > 0)
        place = np.clip(np.rint((via.r - radius + VIA_REACH_PX) / STEP_PX), 0, VIA_BINS - 1)
        bins[y0:y1, x0:x1][own] = BINS + place[own].astype(np.int32)


def means_by_bin(grey: Map, outline: Outline) -> tuple[Profile, Profile]:
    """Mean grey and pixel count of each bin of distance, then of each bin of a via's radius.

    Empty bins take their value from their neighbours.
    """
    total = np.bincount(outline.bins.ravel(), grey.ravel(), BINS + VIA_BINS)
    count = np.bincount(outline.bins.ravel(), minlength=BINS + VIA_BINS).astype(float)
    mean = total / np.maximum(count, 1)
    for part in (slice(0, BINS), slice(BINS, None)):
        filled = np.flatnonzero(count[part])
        if filled.size:
            mean[part] = np.interp(np.arange(count[part].size), filled, mean[part][filled])
    return mean, count


@dataclass(frozen=True, eq=False)
class Pieces:
    """Profiles of pieces of outline.

    Attributes:
        total: Sum of grey in each bin, (pieces, BINS).
        count: Pixels in each bin.
        side: Index into SIDES.
        shape: Index of the program's shape.
        name: Index of the piece in `Outline.piece`, -1 for groups of pieces.
        length_px: Length of outline.
    """

    total: Float[np.ndarray, "pieces bins"]
    count: Float[np.ndarray, "pieces bins"]
    side: Int[np.ndarray, " pieces"]
    shape: Int[np.ndarray, " pieces"]
    name: Int[np.ndarray, " pieces"]
    length_px: Float[np.ndarray, " pieces"]

    def part(self, which: Bool[np.ndarray, " pieces"]) -> "Pieces":
        """Some of the pieces."""
        return Pieces(*(getattr(self, name)[which] for name in self.__dataclass_fields__))


def profiles_of_pieces(grey: Map, outline: Outline, least_px: float = 4.0) -> Pieces:
    """The profile of every piece of outline at least `least_px` long."""
    near = np.flatnonzero((outline.piece >= 0) & (outline.bins < BINS))
    key = outline.piece.ravel()[near] * BINS + outline.bins.ravel()[near]
    size = outline.shape_of_piece.size * BINS
    total = np.bincount(key, grey.ravel()[near], size).reshape(-1, BINS).astype(float)
    count = np.bincount(key, minlength=size).reshape(-1, BINS).astype(float)
    # pixels within 1 px of the edge, two to a px of outline
    middle = slice(BINS // 2 - 2, BINS // 2 + 3)
    length = count[:, middle].sum(axis=1) / 2.5
    kept = np.flatnonzero(length >= least_px)
    side = kept // NAMES_KEPT % 4
    return Pieces(total[kept], count[kept], side, outline.shape_of_piece[kept], kept, length[kept])


def joined(pieces: Pieces, key: Int[np.ndarray, " pieces"]) -> Pieces:
    """Pieces of equal key as one: whole sides of wires, or all edges facing one way."""
    _, first, place = np.unique(key, return_index=True, return_inverse=True)
    total, count = (np.zeros((first.size, BINS)) for _ in range(2))
    np.add.at(total, place, pieces.total)
    np.add.at(count, place, pieces.count)
    length = np.bincount(place, pieces.length_px, first.size)
    return Pieces(
        total, count, pieces.side[first], pieces.shape[first], np.full(first.size, -1), length
    )


@dataclass(frozen=True, eq=False)
class Match:
    """How pieces of outline follow the profile expected of them.

    Attributes:
        offset_px: How far outward the image's edge lies from the program's.
        support: Slope of the piece's profile over the expected one: 1 as strong, 0 no edge.
        likeness: Correlation of the two, 0 to 1.
    """

    offset_px: Float[np.ndarray, " pieces"]
    support: Float[np.ndarray, " pieces"]
    likeness: Float[np.ndarray, " pieces"]


def match(pieces: Pieces, expected: Float[np.ndarray, "sides bins"]) -> Match:
    """The shift of the expected profile of its side that fits each piece best, by least squares."""
    at = CENTRES_PX[None, :] + _SHIFTS_PX[:, None]
    count = pieces.count
    mean = pieces.total / np.maximum(count, 1)
    n = count.sum(axis=1)[:, None]
    own = (count * mean).sum(axis=1)[:, None]
    own_square = (count * mean**2).sum(axis=1)[:, None]
    covariance, spread = (np.zeros((count.shape[0], _SHIFTS_PX.size)) for _ in range(2))
    for side in range(expected.shape[0]):
        here = pieces.side == side
        shifted = np.interp(at, CENTRES_PX, expected[side])
        c = count[here]
        total = c @ shifted.T
        spread[here] = c @ (shifted**2).T - total**2 / n[here]
        covariance[here] = (c * mean[here]) @ shifted.T - total * own[here] / n[here]
    variance = np.maximum(own_square - own**2 / n, 1e-12)
    slope = covariance / np.maximum(spread, 1e-9)
    explained = np.where(slope > 0, covariance * slope, 0.0) / variance
    # a tie, or nearly one, is no reason to move an edge
    explained -= 1e-3 * np.abs(_SHIFTS_PX)
    best = np.argmax(explained, axis=1)
    rows = np.arange(best.size)
    return Match(
        _SHIFTS_PX[best] + _vertex(explained, best),
        np.maximum(slope[rows, best], 0.0),
        np.sqrt(np.clip(explained[rows, best], 0.0, 1.0)),
    )


def _vertex(curve: np.ndarray, best: np.ndarray) -> np.ndarray:
    """How far the maximum of a parabola through three points lies from the middle one, px."""
    rows = np.arange(best.size)
    middle = np.clip(best, 1, curve.shape[1] - 2)
    left, centre, right = (curve[rows, middle + k] for k in (-1, 0, 1))
    bend = left - 2 * centre + right
    inner = (best == middle) & (bend < -1e-12)
    move = np.where(inner, 0.5 * (left - right) / np.where(inner, bend, 1.0), 0.0)
    part: np.ndarray = np.clip(move, -0.5, 0.5) * (_SHIFTS_PX[1] - _SHIFTS_PX[0])
    return part

"""What an image shows along a program's outline: mean grey against the distance to the edge.

The image is predicted from the program by analysis by synthesis: every pixel gets the mean grey
of all pixels at the same signed distance d to the outline (px, positive in metal), and vias that
lie inside metal get a profile of their own. The outline is then cut into pieces (one side of one
wire in one square of 64 px), and each piece's own profile is laid over the common one: how far it
must be shifted is the offset of that edge, how strongly it follows is the piece's support.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float, Float32, Int

from fabsight.netdsl.language import Program, Via
from fabsight.netdsl.rendering import Mask, paint, pick

Map: TypeAlias = Float32[np.ndarray, "height width"]
Profile: TypeAlias = Float[np.ndarray, " bins"]

REACH_PX = 8.0  # profiles go this far to either side
STEP_PX = 0.5
CELL_PX = 64
FINE = 2  # distances are taken on a grid this much finer
STRIP_PX = 512  # rows done at once: bounds memory on large frames
LARGEST_OFFSET_PX = 4.0
SIDES = ("left", "right", "top", "bottom")
NAMES_KEPT = 16  # wires told apart in one cell; more share their pieces

BINS = round(2 * REACH_PX / STEP_PX) + 1
CENTRES_PX = np.linspace(-REACH_PX, REACH_PX, BINS)
VIA_REACH_PX = 2.0  # a via's own profile begins this far outside it
VIA_BINS = 16
_SHIFTS_PX = np.arange(-LARGEST_OFFSET_PX, LARGEST_OFFSET_PX + 0.01, 0.25)


@dataclass(frozen=True, eq=False)
class Outline:
    """A program's geometry at each pixel.

    Attributes:
        distance_px: Signed distance to the outline, positive in metal.
        bins: Which mean a pixel belongs to: its distance, or its place in a via inside metal.
        piece: Piece of the outline a pixel near it belongs to, -1 elsewhere.
        pieces: Number of piece names, used or not.
        wire_of_piece: Connected component of metal, 1 and up, of each piece; 0 for unused names.
    """

    distance_px: Map
    bins: Int[np.ndarray, "height width"]
    piece: Int[np.ndarray, "height width"]
    pieces: int
    wire_of_piece: Int[np.ndarray, " pieces"]


def outline_of(program: Program) -> Outline | None:
    """Where each pixel lies with respect to the program's outline; None when it has none."""
    import cv2

    mask = paint(program.shapes, program.width, program.height)
    if not mask.any() or mask.all():
        return None
    distance = _distance(program)
    _, names = cv2.distanceTransformWithLabels(
        1 - mask, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_CCOMP
    )
    gx = cv2.Sobel(distance, cv2.CV_32F, 1, 0)
    gy = cv2.Sobel(distance, cv2.CV_32F, 0, 1)
    # metal grows to the right of a left edge
    side = np.where(np.abs(gx) >= np.abs(gy), np.where(gx > 0, 0, 1), np.where(gy > 0, 2, 3))
    rows, columns = (np.arange(n) // CELL_PX for n in mask.shape)
    across = int(columns[-1]) + 1
    cell = rows[:, None] * across + columns
    near = np.abs(distance) < REACH_PX
    piece = np.where(near, (cell * 4 + side) * NAMES_KEPT + names % NAMES_KEPT, -1).astype(np.int32)
    pieces = (int(rows[-1]) + 1) * across * 4 * NAMES_KEPT
    wire = np.zeros(pieces, np.int32)
    wire[piece[near]] = names[near]
    bins = np.clip(np.rint((distance + REACH_PX) / STEP_PX), 0, BINS - 1).astype(np.int32)
    _mark_vias(bins, program, distance)
    return Outline(distance, bins, piece, pieces, wire)


def _distance(program: Program) -> Map:
    """Signed distance in px, strip by strip with a margin beyond what profiles reach."""
    import cv2

    out = np.empty((program.height, program.width), np.float32)
    margin = round(REACH_PX) + 4
    for top in range(0, program.height, STRIP_PX):
        begin = max(top - margin, 0)
        end = min(top + STRIP_PX + margin, program.height)
        size = program.width * FINE, (end - begin) * FINE
        fine = paint(program.shapes, *size, origin=(0.0, float(begin)), scale=FINE)
        signed = _signed(fine)
        small = cv2.resize(
            signed, (program.width, end - begin), interpolation=cv2.INTER_AREA
        ) * np.float32(1 / FINE)
        count = min(STRIP_PX, program.height - top)
        out[top : top + count] = small[top - begin : top - begin + count]
    return out


def _signed(fine: Mask) -> Map:
    import cv2

    if not fine.any() or fine.all():
        return np.full(fine.shape, FINE * 99.0 * (1 if fine.any() else -1), np.float32)
    inside = cv2.distanceTransform(fine, cv2.DIST_L2, cv2.DIST_MASK_5)
    outside = cv2.distanceTransform(1 - fine, cv2.DIST_L2, cv2.DIST_MASK_5)
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
        wire: Connected component of metal.
        name: Index of the piece in `Outline.piece`, -1 for groups of pieces.
        length_px: Length of outline.
    """

    total: Float[np.ndarray, "pieces bins"]
    count: Float[np.ndarray, "pieces bins"]
    side: Int[np.ndarray, " pieces"]
    wire: Int[np.ndarray, " pieces"]
    name: Int[np.ndarray, " pieces"]
    length_px: Float[np.ndarray, " pieces"]


def profiles_of_pieces(grey: Map, outline: Outline, least_px: float = 4.0) -> Pieces:
    """The profile of every piece of outline at least `least_px` long."""
    near = np.flatnonzero((outline.piece >= 0) & (outline.bins < BINS))
    key = outline.piece.ravel()[near] * BINS + outline.bins.ravel()[near]
    size = outline.pieces * BINS
    total = np.bincount(key, grey.ravel()[near], size).reshape(-1, BINS)
    count = np.bincount(key, minlength=size).reshape(-1, BINS).astype(float)
    # pixels within 1 px of the edge, two to a px of outline
    middle = slice(BINS // 2 - 2, BINS // 2 + 3)
    length = count[:, middle].sum(axis=1) / 2.5
    kept = np.flatnonzero(length >= least_px)
    side = kept // NAMES_KEPT % 4
    return Pieces(total[kept], count[kept], side, outline.wire_of_piece[kept], kept, length[kept])


def joined(pieces: Pieces, key: Int[np.ndarray, " pieces"]) -> Pieces:
    """Pieces of equal key as one: whole sides of wires, or all edges facing one way."""
    _, first, place = np.unique(key, return_index=True, return_inverse=True)
    total, count = (np.zeros((first.size, BINS)) for _ in range(2))
    np.add.at(total, place, pieces.total)
    np.add.at(count, place, pieces.count)
    length = np.bincount(place, pieces.length_px, first.size)
    return Pieces(
        total, count, pieces.side[first], pieces.wire[first], np.full(first.size, -1), length
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


def profile_edge_px(profile: Profile) -> float:
    """Where the edge lies in a mean profile: the peak of a bright rim, else the steepest slope.

    >>> round(profile_edge_px(np.tanh(CENTRES_PX - 1)), 1)
    1.0
    """
    inner = slice(BINS // 2 - 10, BINS // 2 + 11)
    floor, metal = _levels(profile)
    smooth = np.convolve(np.pad(profile, 2, mode="edge"), np.hanning(7)[1:-1] / 3, mode="valid")
    line = np.where(CENTRES_PX > 0, metal, floor)
    peak = smooth - np.maximum(line, max(floor, metal))
    step = abs(metal - floor)
    rimmed = peak[inner].max() > 0.35 * step
    curve = smooth if rimmed else np.abs(np.gradient(smooth))
    best = np.array([np.argmax(curve[inner]) + inner.start])
    left, centre, right = (curve[best[0] + k] for k in (-1, 0, 1))
    bend = left - 2 * centre + right
    move = 0.5 * (left - right) / bend if bend < 0 else 0.0
    return float(CENTRES_PX[best[0]] + np.clip(move, -1, 1) * STEP_PX)


def _levels(profile: Profile) -> tuple[float, float]:
    """Grey of the floor and of the metal's top, away from the edge."""
    away = round(2.5 / STEP_PX)
    return float(np.median(profile[:away])), float(np.median(profile[-away:]))


def edge_shift_px(
    image_grey: Map, program: Program, convention: Literal["mid", "outer", "inner"]
) -> float:
    """How far outward (px) an outline at mid-sidewall must move to lie where a convention puts it.

    `outer` is half way from the floor's grey to the grey at the edge, `inner` half way from there
    to the metal's top, both on the mean profile. 0 for `mid`, and where nothing is to be seen.
    """
    outline = None if convention == "mid" else outline_of(program)
    if outline is None:
        return 0.0
    profile = means_by_bin(image_grey, outline)[0][:BINS]
    return _half_level(profile, outer=convention == "outer")


def _half_level(profile: Profile, outer: bool) -> float:
    floor, metal = _levels(profile)
    middle = BINS // 2 + round(profile_edge_px(profile) / STEP_PX)
    middle = min(max(middle, 1), BINS - 2)
    at_edge = float(profile[middle])
    flanks = {
        True: (profile[middle::-1], floor, 1.0),
        False: (profile[middle:], metal, -1.0),
    }
    found = {side: _crossing(curve, level, at_edge) for side, (curve, level, _) in flanks.items()}
    # a flank without contrast is taken as wide as the other
    width = found[outer] or found[not outer]
    start = CENTRES_PX[middle]
    return float(flanks[outer][2] * width - start)


def _crossing(curve: Profile, level: float, at_edge: float) -> float:
    """Distance along a flank to half way between the edge's grey and a level; 0 without one."""
    gone = (curve - at_edge) / (level - at_edge) if level != at_edge else np.zeros_like(curve)
    past = np.flatnonzero(gone >= 0.5)
    if not past.size or abs(level - at_edge) < 0.1 * np.ptp(curve):
        return 0.0
    k = int(past[0])
    part = (0.5 - gone[k - 1]) / (gone[k] - gone[k - 1])
    return float((k - 1 + part) * STEP_PX)

"""From a map of metal shares to a program: cover, place edges between pixels, assemble, prune."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float32

from fabsight.netdsl.assembly import Leg, Section, Tolerances, assemble, legs_of, wire_of
from fabsight.netdsl.cover import (
    EPSILON,
    Boxes,
    Kept,
    Prices,
    Votes,
    component_votes,
    cover,
    refine,
)
from fabsight.netdsl.language import Program, Shape, Via, Wire
from fabsight.netdsl.outlines import outline
from fabsight.netdsl.rendering import paint
from fabsight.netdsl.tracks import Jogs, add_caps, tracks

Share: TypeAlias = Float32[np.ndarray, "height width"]
Corners: TypeAlias = tuple[float, float, float, float]

WINDOW_PX = 288  # larger pieces of metal are covered in tiles and joined
TILE_PX = 224
EDGE_PX = 3  # how far an edge is looked for around its pixel
JOGS = Jogs()
EXACT = Tolerances()
LOOSE = Tolerances(align=2.5, reach=4.0, width=2.0, width_share=0.25)
BULGE_PX = 1.5  # how far roughness may move the middle or a side of a wire
PLACE_PX = 0.1  # edges are given to this
SEAM_PX = 2  # boxes cut by a tile border are one when their sides agree within this


@dataclass(frozen=True)
class Fit:
    """How a share map becomes a program.

    Attributes:
        price: px of area one more command must win.
        bulge: px of area a wire must win along the middle of another of about its width.
        part: px of area one more box must win; boxes become caps and bends of a command.
        speck: Pieces of metal smaller than this are noise, px.
        decided: Votes are spread by this: undecided pixels at edges vote more fully. Edges are
            placed by the shares as they are.
        enough: Share of all votes, less prices, above which straight wires are not questioned.
        extended: Whether polygons are allowed where straight wires do not do.
        jogs: Prices of wandering wires.
        tolerances: How straight wires are put together.
        loose: How wandering wires are put together.
    """

    price: float = 20.0
    bulge: float = 20.0
    part: float = 11.0
    speck: float = 14.0
    decided: float = 1.5
    enough: float = 0.97
    extended: bool = False
    jogs: Jogs = JOGS
    tolerances: Tolerances = EXACT
    loose: Tolerances = LOOSE


@dataclass(frozen=True, eq=False)
class Piece:
    """One connected piece of metal in its window: corner (x, y), votes, share, what is its own."""

    x: int
    y: int
    votes: Votes
    share: Share
    own: Bool[np.ndarray, "h w"]
    canvas: tuple[int, int]


def fit(share: Share, fit: Fit) -> Program:
    """The program whose rendering agrees best with the shares, at a price per command."""
    shapes: list[Shape] = []
    for piece in pieces(share, fit.speck, fit.decided):
        shapes += fit_piece(piece, fit)
    height, width = share.shape
    return Program(width, height, tuple(shapes))


def pieces(share: Share, speck: float, decided: float = 1.0) -> list[Piece]:
    """Connected pieces of metal, each in a window with a margin of EDGE_PX."""
    import cv2

    height, width = share.shape
    metal = (share > 0.5).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(metal, connectivity=4)
    found = []
    for k in range(1, count):
        x, y, w, h, area = (int(v) for v in stats[k])
        if area < speck:
            continue
        x0, y0 = max(x - EDGE_PX, 0), max(y - EDGE_PX, 0)
        x1, y1 = min(x + w + EDGE_PX, width), min(y + h + EDGE_PX, height)
        window = np.s_[y0:y1, x0:x1]
        own = labels[window] == k
        spread = np.clip(0.5 + decided * (share[window] - 0.5), 0, 1)
        votes = component_votes(spread, own)
        found.append(Piece(x0, y0, votes, share[window], own, (width, height)))
    return found


def fit_piece(piece: Piece, fit: Fit) -> list[Shape]:
    """The commands of one piece of metal, in image coordinates."""
    via = _as_via(piece)
    if via is not None:
        return [Via(via.x + piece.x, via.y + piece.y, via.r)]
    boxes = cover_piece(piece.votes, fit)
    legs = legs_of(_moved(place_edges(boxes, piece), piece), piece.canvas)
    straight = _finish(legs, piece, fit, fit.tolerances)
    most = float(np.maximum(piece.votes, 0).sum())
    if worth(straight, piece, fit) > fit.enough * most:
        return straight
    if fit.extended:
        own = np.where(piece.votes > -1, piece.share, 0)
        return list(outline(np.asarray(own, np.float32), (piece.x, piece.y), fit.price))
    wandering = _wander(piece, fit)
    return max(straight, wandering, key=lambda shapes: worth(shapes, piece, fit))


def _wander(piece: Piece, fit: Fit) -> list[Shape]:
    """Wires with jogs along the stretches, and boxes over what they leave."""
    legs = tracks(piece.votes, piece.own, fit.jogs)
    left = _left(legs, piece)
    for leg in legs:
        add_caps(leg, left, fit.jogs)
    boxes = cover_piece(_left(legs, piece), fit)
    for leg in legs:
        x, y = (piece.x, piece.y) if leg.axis == "H" else (piece.y, piece.x)
        leg.sections = [Section(s.a + x, s.b + x, s.c + y) for s in leg.sections]
    corners = [(float(a), float(b), float(c), float(d)) for a, b, c, d in boxes]
    more = legs_of(_moved(corners, piece), piece.canvas)
    return _finish(legs + more, piece, fit, fit.loose)


def _left(legs: list[Leg], piece: Piece) -> Votes:
    """Votes with what the legs paint worth almost nothing."""
    height, width = piece.votes.shape
    covered = paint([wire_of([(leg, 0)]) for leg in legs], width, height) > 0
    return np.where(covered, np.float32(EPSILON) * (piece.votes > 0), piece.votes)


def _finish(legs: list[Leg], piece: Piece, fit: Fit, tolerances: Tolerances) -> list[Shape]:
    return prune(list(assemble(legs, piece.canvas, tolerances)), piece, fit)


def worth(shapes: list[Shape], piece: Piece, fit: Fit) -> float:
    """Votes the shapes win, less their prices."""
    height, width = piece.votes.shape
    mask = paint(shapes, width, height, origin=(float(piece.x), float(piece.y))) > 0
    return float(piece.votes[mask].sum()) - fit.price * len(shapes)


def _moved(corners: list[Corners], piece: Piece) -> list[Corners]:
    x, y = piece.x, piece.y
    return [(x0 + x, y0 + y, x1 + x, y1 + y) for x0, y0, x1, y1 in corners]


def cover_piece(votes: Votes, fit: Fit) -> Boxes:
    """Boxes over one piece; a piece larger than a window is covered in tiles and joined."""
    prices = Prices(box=fit.part)
    height, width = votes.shape
    if max(height, width) <= WINDOW_PX:
        return cover(votes, prices)
    boxes = []
    for top in range(0, height, TILE_PX):
        for left in range(0, width, TILE_PX):
            tile = votes[top : top + TILE_PX, left : left + TILE_PX]
            if (tile > 0).any():
                boxes.append(cover(tile, prices) + np.array([left, top, left, top]))
    joined = _join(_join(np.concatenate(boxes), 0), 1)
    return refine(joined, votes, prices)


def _join(boxes: Boxes, axis: int) -> Kept:
    """Boxes cut by tile borders along x (0) or y (1) made whole."""
    low, high, side, far = (0, 2, 1, 3) if axis == 0 else (1, 3, 0, 2)
    order = boxes[np.lexsort((boxes[:, side], boxes[:, low]))].tolist()
    open_ends: dict[float, list[list[float]]] = {}
    out = []
    for box in order:
        match = None
        if box[low] % TILE_PX == 0:
            for other in open_ends.get(box[low], []):
                if (
                    abs(other[side] - box[side]) <= SEAM_PX
                    and abs(other[far] - box[far]) <= SEAM_PX
                ):
                    match = other
                    break
        if match is None:
            out.append(box)
            match = box
        else:
            open_ends[match[high]].remove(match)
            longer = box if box[high] - box[low] > match[high] - match[low] else match
            match[side], match[far] = longer[side], longer[far]
            match[high] = box[high]
        if match[high] % TILE_PX == 0:
            open_ends.setdefault(match[high], []).append(match)
    return np.array(out, np.float64).reshape(-1, 4)


def place_edges(boxes: Boxes, piece: Piece) -> list[Corners]:
    """Corners between pixels: each edge where the shares across it, averaged along it, say."""
    height, width = piece.share.shape
    count = np.zeros((height, width), np.int16)
    whole = boxes.astype(np.int64).tolist()
    for x0, y0, x1, y1 in whole:
        count[y0:y1, x0:x1] += 1
    single = count <= 1
    out = []
    for x0, y0, x1, y1 in whole:
        alone = single[y0:y1, x0:x1]
        left = _place(piece.share, alone, (y0, y1, x0, x1), low=True)
        right = _place(piece.share, alone, (y0, y1, x0, x1), low=False)
        top = _place(piece.share.T, alone.T, (x0, x1, y0, y1), low=True)
        bottom = _place(piece.share.T, alone.T, (x0, x1, y0, y1), low=False)
        out.append((left, top, right, bottom))
    return out


def _place(
    share: Share, alone: Bool[np.ndarray, "h w"], box: tuple[int, int, int, int], low: bool
) -> float:
    """One vertical edge of the box (y0, y1, x0, x1), between pixels.

    Rows count where the box is alone at the edge, and nothing else touches it there.
    """
    y0, y1, x0, x1 = box
    edge = x0 if low else x1
    reach = min(EDGE_PX, max((x1 - x0) // 2, 1))
    begin, end = max(edge - EDGE_PX, 0), min(edge + EDGE_PX, share.shape[1])
    if low:
        end = min(edge + reach, end)
    else:
        begin = max(edge - reach, begin)
    if edge in (0, share.shape[1]) or end - begin < 2:
        return float(edge)
    rows = (
        alone[:, : 1 + reach // 2].all(axis=1) if low else alone[:, -1 - reach // 2 :].all(axis=1)
    )
    strip = share[y0:y1, begin:end]
    outside = strip[:, 0] if low else strip[:, -1]
    rows = rows & (outside < 0.5)
    if rows.sum() < 2:
        return float(edge)
    profile = strip[rows].mean(axis=0)
    if not low:
        profile = profile[::-1]
    at = edge - begin if low else end - edge
    first = int(np.argmin(profile[: at + 1]))
    last = at + int(np.argmax(profile[at:])) if at < len(profile) else len(profile) - 1
    base, peak = float(profile[first]), float(profile[last])
    if peak - base < 0.2:
        return float(edge)
    inside = float((profile[first : last + 1] - base).sum()) / (peak - base)
    position = last + 1 - inside
    position = float(np.clip(position, at - 1.5, at + 1.5))
    exact = begin + position if low else end - position
    return round(exact / PLACE_PX) * PLACE_PX


def prune(shapes: list[Shape], piece: Piece, fit: Fit) -> list[Shape]:
    """Drop commands whose own pixels win less than their price; the largest is kept."""
    height, width = piece.votes.shape
    origin = float(piece.x), float(piece.y)
    masks = [paint([s], width, height, origin=origin).astype(bool) for s in shapes]
    count = np.sum(masks, axis=0, dtype=np.int16) if masks else np.zeros((height, width), np.int16)
    kept = []
    order = np.argsort([int(m.sum()) for m in masks], kind="stable")
    for k in order.tolist():
        own = masks[k] & (count == 1)
        price = fit.bulge if _is_bulge(k, shapes) else fit.price
        if float(piece.votes[own].sum()) < price and k != order[-1]:
            count -= masks[k]
        else:
            kept.append(shapes[k])
    return kept


def _is_bulge(k: int, shapes: list[Shape]) -> bool:
    """Whether a wire runs along the middle of another of about its width: roughness does that."""
    one = shapes[k]
    if not isinstance(one, Wire) or len(one.runs) != 1:
        return False
    return any(_runs_along(one, other) for other in shapes if isinstance(other, Wire))


def _runs_along(one: Wire, other: Wire) -> bool:
    """Whether the straight `one` lies on the straight `other`, away from its ends: no dogbone."""
    if one is other or len(other.runs) != 1 or one.runs[0].axis != other.runs[0].axis:
        return False
    upright = one.runs[0].axis == "V"
    aside = abs(one.x - other.x) if upright else abs(one.y - other.y)
    if aside > BULGE_PX or abs(one.width - other.width) > 2 * BULGE_PX:
        return False
    spans = []
    for wire in (one, other):
        begin, step = (wire.y, wire.runs[0].dy) if upright else (wire.x, wire.runs[0].dx)
        spans.append(sorted((begin, begin + step)))
    (low, high), (first, last) = spans
    return low > first + BULGE_PX and high < last - BULGE_PX


def _as_via(piece: Piece) -> Via | None:
    """The disc that explains a small round piece better than any box."""
    ys, xs = np.nonzero(piece.own)
    w, h = int(np.ptp(xs)) + 1, int(np.ptp(ys)) + 1
    if max(w, h) > 48 or abs(w - h) > 0.15 * max(w, h) + 1:
        return None
    weight = piece.share * (piece.votes > -0.9) * (piece.votes != -1)
    total = float(weight.sum())
    grid_y, grid_x = np.mgrid[: weight.shape[0], : weight.shape[1]]
    x, y = (float((weight * g).sum()) / total + 0.5 for g in (grid_x, grid_y))
    r = float(np.sqrt(total / np.pi))
    x, y, r = (round(v / PLACE_PX) * PLACE_PX for v in (x, y, r))
    via, disc = _best_disc(x, y, r, piece)
    box = float(piece.votes[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1].sum())
    most = float(np.maximum(piece.votes, 0).sum())
    return via if disc > box and disc > 0.8 * most else None


def _best_disc(x: float, y: float, r: float, piece: Piece) -> tuple[Via, float]:
    """The disc of the piece's area, or one a step larger or smaller that paints it exactly."""
    size = piece.votes.shape[1], piece.votes.shape[0]
    most = float(np.maximum(piece.votes, 0).sum())
    tried = []
    for step in (0, -1, 1, -2, 2):
        via = Via(x, y, round(r + step * PLACE_PX, 2))
        won = float(piece.votes[paint([via], *size) > 0].sum())
        tried.append((via, won))
        if won >= most:
            return via, won
    return tried[0]

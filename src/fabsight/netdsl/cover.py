"""Boxes that cover a layout: the geometry step of the solver.

The evidence is a map of votes, +1 where a pixel is surely metal, -1 where it surely is not. Boxes
are taken one by one, each the one whose new pixels win most votes, as long as they win more than
the price of a command; then every edge is moved to its exact optimum given all other boxes.

A box may begin and end only on lines where the outline has edges, so the search for the best one
(Bentley's maximum-sum rectangle) runs on a grid of some tens of cells instead of pixels.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

Votes: TypeAlias = Float32[np.ndarray, "height width"]
Boxes: TypeAlias = Float64[np.ndarray, "n 4"]  # x0 y0 x1 y1, half-open, px
Kept: TypeAlias = Float64[np.ndarray, "kept 4"]

MAX_LINES = 44  # per axis; keeps one search under a millisecond
EPSILON = 1e-3  # what an already covered metal pixel still wins: boxes reach into their neighbours


@dataclass(frozen=True)
class Prices:
    """What boxes must win: px of area.

    Attributes:
        box: A new box.
        caution: Weight of floor against metal while boxes are chosen: above 1, a wide box over a
            dumbbell does not win against its bar. Refinement weighs both alike.
        reach: How far an edge may move in one refinement pass, px.
        passes: Refinement passes.
    """

    box: float = 24.0
    caution: float = 3
    reach: int = 6
    passes: int = 3


def cover(votes: Votes, prices: Prices) -> Boxes:
    """Boxes covering the metal of one window, refined; corners on whole pixels."""
    rows, columns = _lines(votes, axis=0), _lines(votes, axis=1)
    cells = _cells(np.where(votes < 0, prices.caution * votes, votes), rows, columns)
    if cells.size == 0:
        return np.zeros((0, 4))
    gain = cells.copy()
    boxes = []
    # all covered metal together must never win another box, however large it is
    again = min(EPSILON, 0.5 * prices.box / max(float(np.maximum(cells, 0).sum()), 1.0))
    for _ in range(2000):
        won, (top, bottom, left, right) = best_rectangle(gain)
        if won < prices.box:
            break
        boxes.append((columns[left], rows[top], columns[right], rows[bottom]))
        covered = gain[top:bottom, left:right]
        covered[...] = again * np.maximum(cells[top:bottom, left:right], 0)
    found = np.array(boxes, np.float64).reshape(-1, 4)
    return refine(found, votes, prices)


def best_rectangle(
    gain: Float64[np.ndarray, "rows columns"],
) -> tuple[float, tuple[int, int, int, int]]:
    """The largest sum over any rectangle of cells, and (top, bottom, left, right), half-open.

    >>> best_rectangle(np.array([[1.0, -3.0], [2.0, 1.0]]))
    (3.0, (0, 2, 0, 1))
    """
    height, width = gain.shape
    if height > width:
        won, (left, right, top, bottom) = best_rectangle(np.ascontiguousarray(gain.T))
        return won, (top, bottom, left, right)
    down = np.zeros((height + 1, width))
    np.cumsum(gain, axis=0, out=down[1:])
    tops, bottoms = _pairs(height)
    across = np.zeros((len(tops), width + 1))
    np.cumsum(down[bottoms] - down[tops], axis=1, out=across[:, 1:])
    lowest = np.minimum.accumulate(across, axis=1)
    sums = across - lowest
    at = int(sums.argmax())
    pair, right = divmod(at, width + 1)
    left = int(np.argmin(across[pair, : right + 1]))
    best = float(sums[pair, right])
    return best, (int(tops[pair]), int(bottoms[pair]), left, right)


_PAIRS: dict[int, tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " n"]]] = {}


def _pairs(height: int) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " n"]]:
    """All (top, bottom) with top < bottom, kept: the same few sizes come again and again."""
    if height not in _PAIRS:
        tops, bottoms = np.triu_indices(height + 1, 1)
        _PAIRS[height] = tops.astype(np.int64), bottoms.astype(np.int64)
    return _PAIRS[height]


def refine(boxes: Boxes, votes: Votes, prices: Prices) -> Kept:
    """Move every edge to its optimum given the other boxes; boxes that win too little go.

    Exact coordinate ascent on the votes under the union: it never falls.
    """
    if len(boxes) == 0:
        return boxes
    height, width = votes.shape
    box = boxes.astype(np.int64).tolist()
    count = np.zeros((height, width), np.int16)
    for x0, y0, x1, y1 in box:
        count[y0:y1, x0:x1] += 1
    for _ in range(prices.passes):
        moved = False
        for k, b in enumerate(box):
            if b is None:
                continue
            count[b[1] : b[3], b[0] : b[2]] -= 1
            new = _best_edges(b, votes, count, prices)
            if new is not None:
                count[new[1] : new[3], new[0] : new[2]] += 1
            moved |= new != b
            box[k] = new
        if not moved:
            break
    return np.array([b for b in box if b is not None], np.float64).reshape(-1, 4)


def _best_edges(
    box: list[int],
    votes: Votes,
    count: "np.ndarray[tuple[int, int], np.dtype[np.int16]]",
    prices: Prices,
) -> list[int] | None:
    """One box with each of its edges at its optimum, None when it no longer earns its price."""
    height, width = votes.shape
    reach = prices.reach
    x0, y0, x1, y1 = box
    wx0, wx1 = max(x0 - reach, 0), min(x1 + reach, width)
    wy0, wy1 = max(y0 - reach, 0), min(y1 + reach, height)
    free = np.where(count[wy0:wy1, wx0:wx1] > 0, EPSILON, votes[wy0:wy1, wx0:wx1])
    across = free[y0 - wy0 : y1 - wy0].sum(axis=0)
    x0, x1 = _interval(across, x0 - wx0, x1 - wx0, reach)
    down = free[:, x0:x1].sum(axis=1)
    y0, y1 = _interval(down, y0 - wy0, y1 - wy0, reach)
    inside = np.s_[y0:y1, x0:x1]
    new = np.where(count[wy0:wy1, wx0:wx1][inside] > 0, 0, votes[wy0:wy1, wx0:wx1][inside])
    if float(new.sum()) < prices.box or x1 <= x0 or y1 <= y0:
        return None
    return [x0 + wx0, y0 + wy0, x1 + wx0, y1 + wy0]


def _interval(gain: Float32[np.ndarray, " n"], begin: int, end: int, reach: int) -> tuple[int, int]:
    """Begin and end near the given ones with the largest sum between them."""
    total = np.concatenate(([0.0], np.cumsum(gain)))
    low, high = max(begin - reach, 0), min(begin + reach, (begin + end) // 2)
    begin = low + int(np.argmin(total[low : high + 1]))
    low, high = max(end - reach, begin + 1), min(end + reach, len(gain))
    if low > high:
        return begin, begin
    # the last maximum, so that ties cover rather than shrink
    end = high - int(np.argmax(total[low : high + 1][::-1]))
    return begin, end


def _lines(votes: Votes, axis: int) -> Int64[np.ndarray, " n"]:
    """Where boxes may begin or end along one axis: pixel boundaries with most outline on them."""
    metal = votes > 0
    edge = np.diff(metal, axis=axis, prepend=False, append=False)
    support = edge.sum(axis=1 - axis).astype(np.float64)
    lines = np.flatnonzero(support)
    if len(lines) <= MAX_LINES:
        return lines
    smooth = support.copy()
    smooth[1:] += 0.5 * support[:-1]
    smooth[:-1] += 0.5 * support[1:]
    keep = np.zeros(len(support), bool)
    blocked = np.zeros(len(support), bool)
    keep[lines[[0, -1]]] = True
    for at in np.argsort(-smooth, kind="stable"):
        if keep.sum() >= MAX_LINES or support[at] == 0:
            break
        if not blocked[at]:
            keep[at] = True
            blocked[max(at - 1, 0) : at + 2] = True
    return np.flatnonzero(keep)


def _cells(
    votes: Votes, rows: Int64[np.ndarray, " r"], columns: Int64[np.ndarray, " c"]
) -> Float64[np.ndarray, "rows columns"]:
    """Sums of votes between lines."""
    total = np.zeros((votes.shape[0] + 1, votes.shape[1] + 1))
    np.cumsum(np.cumsum(votes, axis=0, dtype=np.float64), axis=1, out=total[1:, 1:])
    corner = total[np.ix_(rows, columns)]
    return np.diff(np.diff(corner, axis=0), axis=1)


def component_votes(share: Float32[np.ndarray, "h w"], own: Bool[np.ndarray, "h w"]) -> Votes:
    """Votes for one component: its own share of metal; metal of others counts as floor."""
    votes = 2 * share - 1
    return np.asarray(np.where(own | (votes <= 0), votes, -1.0), np.float32)

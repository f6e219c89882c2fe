"""Wires that wander: the best path of constant width along each stretch of metal.

Metal is divided into stretches that run along x and along y (whichever straight run through a
pixel is longer). Along a stretch, the best sequence of straight runs joined by jogs is found
exactly by dynamic programming (Viterbi): the votes under the wire, less a price per jog.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float32, Int64

from fabsight.netdsl.assembly import ENDS, Axis, Leg, Section
from fabsight.netdsl.cover import EPSILON, Votes
from fabsight.netdsl.language import Cap

STEP_PX = 3  # resolution along a stretch
MARGIN_PX = 3
MAX_PLACES = 72
LONGEST_PX = 180  # longer stretches are followed in parts: their width may change on the way


@dataclass(frozen=True)
class Jogs:
    """Prices of a wandering wire, px of area.

    Attributes:
        jog: One more jog.
        overhang: Weight of what a jog's joints paint beside the path.
        least: A stretch smaller than this is left to boxes.
        bridge: A stretch goes on through metal that runs across it for up to twice this, px.
        cap: What a dogbone end must win.
    """

    jog: float = 8.0
    overhang: float = 0.3
    least: float = 20.0
    bridge: int = 12
    cap: float = 9.0


@dataclass(frozen=True, eq=False)
class Stretch:
    """Votes along one stretch, turned so that it runs along x; `cumulative` sums them down y."""

    axis: Axis
    x: int
    y: int
    cumulative: Float32[np.ndarray, "rows1 columns"]
    width: float


def tracks(votes: Votes, own: Bool[np.ndarray, "h w"], jogs: Jogs) -> list[Leg]:
    """One leg per stretch of metal, in the window's coordinates."""
    metal = own & (votes > 0)
    across, down = run_lengths(metal), run_lengths(metal.T).T
    legs = []
    sideways = metal & (across >= down)
    for axis in ("H", "V"):
        mine = sideways if axis == "H" else (metal & ~sideways).T
        field = votes if axis == "H" else votes.T
        mine = _bridged(mine, metal if axis == "H" else metal.T, jogs.bridge)
        for stretch in _stretches(axis, mine, field, jogs):
            leg = follow(stretch, jogs)
            if leg is not None:
                legs.append(leg)
    return _joined(legs)


def _bridged(
    mine: Bool[np.ndarray, "h w"], metal: Bool[np.ndarray, "h w"], bridge: int
) -> Bool[np.ndarray, "h w"]:
    """Stretches joined through metal that runs across them."""
    import cv2

    if bridge == 0:
        return mine
    kernel = np.ones((1, 2 * bridge + 1), np.uint8)
    closed = cv2.morphologyEx(np.ascontiguousarray(mine, np.uint8), cv2.MORPH_CLOSE, kernel)
    return np.asarray((closed > 0) & metal)


def add_caps(leg: Leg, left: Votes, jogs: Jogs) -> None:
    """Dogbone ends that win the most of what is left, at either end of the leg.

    `left` are the votes in the leg's window with painted pixels worth nothing.
    """
    field = left if leg.axis == "H" else left.T
    for end in ENDS:
        section = leg.sections[-1 if end else 0]
        low, high = round(section.c - leg.w / 2), round(section.c + leg.w / 2)
        reach = int(min(max(leg.w, 4), low, field.shape[0] - high))
        depth = int(min(2.5 * leg.w + 4, 0.75 * leg.length))
        if reach < 1 or depth < 2:
            continue
        at = round(leg.at(end))
        columns = np.arange(at, at + depth) if end == 0 else np.arange(at - 1, at - 1 - depth, -1)
        columns = columns[(columns >= 0) & (columns < field.shape[1])]
        flaps = field[low - reach : low, columns][::-1] + field[high : high + reach, columns]
        won = np.cumsum(np.cumsum(flaps, axis=0), axis=1)
        k, n = divmod(int(won.argmax()), won.shape[1])
        if won[k, n] > jogs.cap:
            leg.caps[end] = Cap(float(n + 1), leg.w + 2.0 * (k + 1))


def run_lengths(metal: Bool[np.ndarray, "h w"]) -> Int64[np.ndarray, "h w"]:
    """For each metal pixel the length of the straight run of its row it belongs to, else 0.

    >>> run_lengths(np.array([[True, True, False, True]])).tolist()
    [[2, 2, 0, 1]]
    """
    height, width = metal.shape
    flat = np.zeros((height, width + 1), np.int8)
    flat[:, :-1] = metal
    change = np.flatnonzero(np.diff(np.concatenate(([0], flat.ravel()))))
    lengths = change[1::2] - change[::2]
    out = np.zeros(height * (width + 1), np.int64)
    out[flat.ravel() > 0] = np.repeat(lengths, lengths)
    return out.reshape(height, width + 1)[:, :-1]


def _stretches(
    axis: Axis, mine: Bool[np.ndarray, "h w"], field: Votes, jogs: Jogs
) -> list[Stretch]:
    import cv2

    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        np.ascontiguousarray(mine, np.uint8), connectivity=4
    )
    height = len(mine)
    found = []
    for k in range(1, count):
        x, y, w, h, area = (int(v) for v in stats[k])
        if area < jogs.least or w < 2:
            continue
        parts = -(-w // LONGEST_PX)
        for left, right in pairwise(x + np.arange(parts + 1) * w // parts):
            whole = labels[y : y + h, left:right] == k
            rows = np.flatnonzero(whole.any(axis=1))
            if len(rows) == 0:
                continue
            y0 = max(y + int(rows[0]) - MARGIN_PX, 0)
            y1 = min(y + int(rows[-1]) + 1 + MARGIN_PX, height)
            window = field[y0:y1, left:right]
            own = labels[y0:y1, left:right] == k
            gain = np.where(own | (window <= 0), window, EPSILON)
            total = np.zeros((y1 - y0 + 1, right - left), np.float32)
            np.cumsum(gain, axis=0, out=total[1:])
            thick = float(np.median(own.sum(axis=0)))
            found.append(Stretch(axis, int(left), y0, total, thick))
    return found


def _joined(legs: list[Leg]) -> list[Leg]:
    """Consecutive parts of one long stretch as one leg where their widths agree."""
    out: list[Leg] = []
    for leg in legs:
        last = out[-1] if out else None
        if (
            last is not None
            and last.axis == leg.axis
            and last.w == leg.w
            and last.at(1) == leg.at(0)
            and abs(last.centre(1) - leg.centre(0)) < leg.w
        ):
            if last.centre(1) == leg.centre(0):  # no jog between them: one section
                last.move_end(1, leg.sections[0].b)
                del leg.sections[0]
            last.sections += leg.sections
        else:
            out.append(leg)
    return out


def follow(stretch: Stretch, jogs: Jogs) -> Leg | None:
    """The best wandering wire of constant width over a stretch, None where nothing is won."""
    rows, columns = stretch.cumulative.shape
    starts = np.arange(0, columns, STEP_PX)
    total = np.add.reduceat(stretch.cumulative, starts, axis=1).T
    best: tuple[float, int, Int64[np.ndarray, " n"]] | None = None
    for width in sorted({max(round(stretch.width) + d, 2) for d in (-1, 0, 1)}):
        if width >= rows or rows - width > MAX_PLACES:
            continue
        gain = total[:, width:] - total[:, :-width]
        won, path = viterbi(np.ascontiguousarray(gain), jogs.jog, jogs.overhang * width)
        if best is None or won > best[0]:
            best = won, width, path
    if best is None or best[0] <= 0:
        return None
    _, width, path = best
    turns = np.flatnonzero(np.diff(path)) + 1
    edges = [0, *(int(starts[t]) for t in turns), columns]
    tops = [int(path[0]), *(int(path[t]) for t in turns)]
    sections = [
        Section(stretch.x + a, stretch.x + b, stretch.y + top + width / 2)
        for a, b, top in zip(edges[:-1], edges[1:], tops, strict=True)
    ]
    return Leg(stretch.axis, sections, float(width))


def viterbi(
    gain: Float32[np.ndarray, "steps places"], jog: float, per_place: float
) -> tuple[float, Int64[np.ndarray, " steps"]]:
    """The path of places with the largest total gain, less jog + per_place * |move| at each move.

    >>> gain = np.array([[1, 0], [1, 0], [0, 9], [0, 9]], np.float32)
    >>> viterbi(gain, 1.0, 0.0)[1].tolist()
    [0, 0, 1, 1]
    """
    steps, places = gain.shape
    index = np.arange(places)
    move = np.abs(index[:, None] - index)
    cost = np.where(move > 0, jog + per_place * move, 0).astype(np.float32)
    came = np.zeros((steps, places), np.int64)
    value = gain[0]
    for k in range(1, steps):
        options = value - cost
        came[k] = options.argmax(axis=1)
        value = options[index, came[k]] + gain[k]
    path = np.zeros(steps, np.int64)
    path[-1] = int(value.argmax())
    for k in range(steps - 1, 0, -1):
        path[k - 1] = came[k, path[k]]
    return float(value.max()), path

"""Thin chains of failing dies, straight or bent: what a scratch looks like.

Each failing die is looked at along 12 directions over seven dies: a chain has many fails along one
and passing dies on both sides of it. What is found so is joined, a parabola in the frame of its
main axis is fitted, and the chain is counted again along that curve, with a tail probability that
pays for all places and directions where one could have been.
"""

from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Int64, UInt8

from fabsight.wafermap.courses import Course, Line, follow, measured

REACH = 3  # dies to both sides along a direction
SIDE = 2  # dies from the chain to what lies beside it
LEAST_PASSING = 4  # of the seven dies on each side
CHANCE = 6e-3  # that so many of the other six fail along one direction
LEAST_SEEDS = 4
MOST = 4  # lines
TRIED = 6  # groups of seeds
PLACES = 12.0 * 4.0  # directions and lengths that a line could have had at each die
SURE_P = 1e-2  # lines that are less sure are left out
LEAST_LENGTH = 5.0  # dies
LEAST_CONTRAST = 0.25  # fail rate along less beside


def lines(
    die: Bool[np.ndarray, "rows columns"], fail: Bool[np.ndarray, "rows columns"], background: float
) -> tuple[tuple[Line, ...], Bool[np.ndarray, "rows columns"]]:
    """The surest lines first, and the failing dies that make them up.

    >>> grid = np.zeros((25, 25), bool)
    >>> grid[np.arange(5, 17), np.arange(5, 17)] = True
    >>> (line,), members = lines(np.ones_like(grid), grid, 0.01)
    >>> (line.start, line.stop, line.angle_deg, line.bend_deg < 1, int(members.sum()))
    ((5.0, 5.0), (16.0, 16.0), 135.0, True, 12)
    """
    members = np.zeros_like(fail)
    seeds = _seeds(die, fail, background)
    if seeds is None:
        return (), members
    courses = [c for c in (follow(g, fail) for g in _groups(seeds)) if c is not None]
    trials = np.count_nonzero(die) * PLACES
    found = [(measured(course, die, fail, background, trials), course) for course in courses]
    sure = [pair for pair in found if _is_line(pair[0])]
    sure.sort(key=lambda pair: (-pair[0].score, pair[0].start))
    kept: list[Line] = []
    for line, course in sure:
        if len(kept) < MOST and not _known(course, members):
            kept.append(line)
            members.ravel()[course.cells] = True
    return tuple(kept), members


def _is_line(line: Line) -> bool:
    return bool(
        line.p_value <= SURE_P
        and line.length_dies >= LEAST_LENGTH
        and line.density - line.beside >= LEAST_CONTRAST
    )


def _known(course: Course, members: Bool[np.ndarray, "rows columns"]) -> bool:
    """Whether most of it belongs to a surer line."""
    return bool(members.ravel()[course.cells].mean() > 0.5)


def _seeds(
    die: Bool[np.ndarray, "rows columns"], fail: Bool[np.ndarray, "rows columns"], background: float
) -> UInt8[np.ndarray, "rows columns"] | None:
    """1 at failing dies that look like part of a chain; None where there are too few."""
    import cv2

    least = _least_along(background)
    rows, columns = fail.shape
    if least > 2 * REACH + 1 or max(rows, columns) < LEAST_LENGTH:
        return None
    pad = SIDE + 1
    failing = fail.view(np.uint8)
    passing = cv2.copyMakeBorder((die & ~fail).view(np.uint8), pad, pad, pad, pad, 0)
    seeds = np.zeros_like(fail)
    for kernel, (down, right) in _directions():
        along = cv2.filter2D(failing, cv2.CV_8U, kernel, borderType=cv2.BORDER_CONSTANT)
        chain = fail & (along >= least)
        if not chain.any():
            continue
        beside = cv2.filter2D(passing, cv2.CV_8U, kernel, borderType=cv2.BORDER_CONSTANT)
        for sign in (1, -1):
            top, left = pad + sign * down, pad + sign * right
            chain &= beside[top : top + rows, left : left + columns] >= LEAST_PASSING
        seeds |= chain
    return seeds.view(np.uint8) if np.count_nonzero(seeds) >= LEAST_SEEDS else None


def _groups(seeds: UInt8[np.ndarray, "rows columns"]) -> list[Int64[np.ndarray, " n"]]:
    """Cells of the largest groups of seeds; one missing die parts none (see `components`)."""
    import cv2

    spread = cv2.copyMakeBorder(seeds, 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    spread = cv2.dilate(spread, np.ones((2, 2), np.uint8), anchor=(0, 0))
    _, label = cv2.connectedComponents(spread, connectivity=8)
    cells = np.flatnonzero(seeds)
    of = label[1:-1, 1:-1].ravel()[cells]
    sizes = np.bincount(of)
    largest = np.argsort(-sizes, kind="stable")[:TRIED]
    return [cells[of == k] for k in largest.tolist() if sizes[k] >= LEAST_SEEDS]


@lru_cache(maxsize=1)
def _directions() -> tuple[tuple[UInt8[np.ndarray, "7 7"], tuple[int, int]], ...]:
    """Seven cells along each of 12 directions, and the step to what lies beside them."""
    ends = [(-REACH, k) for k in range(-REACH, REACH)]
    ends += [(k, REACH) for k in range(-REACH, REACH)]
    found = []
    for down, right in ends:
        kernel = np.zeros((2 * REACH + 1, 2 * REACH + 1), np.uint8)
        for step in range(-REACH, REACH + 1):
            kernel[REACH + round(down * step / REACH), REACH + round(right * step / REACH)] = 1
        found.append((kernel, (round(right * SIDE / REACH), -round(down * SIDE / REACH))))
    return tuple(found)


@lru_cache(maxsize=256)
def _least_of(percent: int) -> int:
    from scipy.special import bdtrc

    others = 2 * REACH
    tails = [bdtrc(k - 1.0, others, percent / 200) for k in range(1, others + 1)]
    enough = [k for k, tail in enumerate(tails, 1) if tail <= CHANCE]
    return max(enough[0] + 1, REACH + 1) if enough else others + 2


def _least_along(background: float) -> int:
    """How many of seven dies must fail, the one in the middle included; 8 where none is enough."""
    return _least_of(int(np.ceil(background * 200)))

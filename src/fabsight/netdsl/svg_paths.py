"""The polygons of SVG path data: straight lines only, and no holes.

Each subpath becomes a polygon of its own. That is what a drawing program fills as long as the
subpaths do not cut holes into each other; where they may, the path is refused.
"""

import bisect
import heapq
import re
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np

from fabsight.netdsl.shapes import MAX_COORDINATE_PX, MAX_PARTS, Poly

NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_WORD = re.compile(rf"[A-Za-z]|{NUMBER.pattern}")
_COUNTS = {"M": 2, "m": 2, "L": 2, "l": 2, "H": 1, "h": 1, "V": 1, "v": 1, "Z": 0, "z": 0}
_Box: TypeAlias = tuple[float, float, float, float]  # x0, y0, x1, y1


def filled_polygons(d: str, rule: str) -> list[Poly]:
    """The polygons that a path fills; ValueError where it has curves, or may have holes.

    Args:
        d: Path data.
        rule: The fill rule, "nonzero" or "evenodd".

    >>> filled_polygons("M0 0H9V9H0Z", "nonzero")
    [Poly(points=((0.0, 0.0), (9.0, 0.0), (9.0, 9.0), (0.0, 9.0)))]
    """
    found = list(_polygons(d))
    if rule == "nonzero":
        if any(_crosses_itself(poly) for poly in found):
            raise ValueError("a line that crosses itself is not read: draw separate shapes")
        # what runs one way round adds up
        holes = len({_area(poly) > 0 for poly in found if _area(poly)}) > 1
    else:
        holes = True
    if holes and _any_overlap([_box(poly) for poly in found]):
        raise ValueError("a path with holes is not read: cut it into shapes without any")
    return found


def coordinate(text: str) -> float:
    """A number within the canvas' reach; ValueError for any other."""
    value = float(text)
    if not abs(value) <= MAX_COORDINATE_PX:
        raise ValueError(f"{text} is over {MAX_COORDINATE_PX:.0f} px")
    return value


def _polygons(d: str) -> Iterator[Poly]:
    """A polygon for each subpath with straight lines; ValueError for anything else."""
    points: list[tuple[float, float]] = []
    x, y = 0.0, 0.0
    for command, numbers in _steps(d):
        if command in "ZzMm":
            if len(points) >= 3:
                yield Poly(tuple(points))  # an open subpath is closed by its fill
            if command in "Zz":
                x, y = points[0] if points else (x, y)
            points = []
        if command in "Zz":
            continue
        left, top = (x, y) if command.islower() else (0.0, 0.0)
        x = left + numbers[0] if command not in "Vv" else x
        y = top + numbers[-1] if command not in "Hh" else y
        points.append((x, y))
        if len(points) > MAX_PARTS:
            raise ValueError(f"a polygon has at most {MAX_PARTS} corners")
    if len(points) >= 3:
        yield Poly(tuple(points))


def _steps(d: str) -> Iterator[tuple[str, list[float]]]:
    """Path commands with the numbers of one step; a repeated M is an L, as SVG says."""
    words = _WORD.findall(d)
    if _WORD.sub("", d).strip(" ,\t\r\n"):
        raise ValueError(f"cannot read the path data {d[:40]!r}")
    command, index = "", 0
    while index < len(words):
        if words[index].isalpha():
            command, index = words[index], index + 1
        else:
            command = {"M": "L", "m": "l", "Z": "", "z": ""}.get(command, command)
        if command not in _COUNTS:
            raise ValueError(f"path command {command!r} is not read, only M L H V Z")
        count = _COUNTS[command]
        numbers = [coordinate(word) for word in words[index : index + count]]
        if len(numbers) != count:
            raise ValueError(f"path command {command!r} lacks a number")
        yield command, numbers
        index += count


def _area(poly: Poly) -> float:
    """Signed area, px2: positive where the corners run clockwise on the screen."""
    x, y = np.array(poly.points).T
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def _box(poly: Poly) -> _Box:
    x, y = zip(*poly.points, strict=True)
    return min(x), min(y), max(x), max(y)


def _crosses_itself(poly: Poly) -> bool:
    """Whether two edges cross between their ends; edges that only touch do not."""
    begin = np.array(poly.points)
    step = np.roll(begin, -1, axis=0) - begin
    for first in range(len(begin) - 1):
        start, along = begin[first], step[first]
        away, later = begin[first + 1 :] - start, step[first + 1 :]
        # on which side of this edge each later one begins and ends, and the other way round
        sides = _cross(along, away) * _cross(along, away + later)
        across = _cross(later, -away) * _cross(later, along - away)
        if ((sides < 0) & (across < 0)).any():
            return True
    return False


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.asarray(a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0])


def _any_overlap(boxes: Sequence[_Box]) -> bool:
    """Whether any two boxes share area: a line sweeps over them from the left."""
    open_spans: list[tuple[float, float]] = []  # y0, y1 of boxes the line is in: none overlap
    closing: list[tuple[float, float, float]] = []  # x1, y0, y1 of the same
    for x0, y0, x1, y1 in sorted(boxes):
        if x0 == x1 or y0 == y1:
            continue
        while closing and closing[0][0] <= x0:
            open_spans.remove(heapq.heappop(closing)[1:])
        place = bisect.bisect(open_spans, (y0, y1))
        if place and open_spans[place - 1][1] > y0:
            return True
        if place < len(open_spans) and open_spans[place][0] < y1:
            return True
        open_spans.insert(place, (y0, y1))
        heapq.heappush(closing, (x1, y0, y1))
    return False

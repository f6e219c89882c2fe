"""The course of a thin chain of dies: a curve fitted to it, and the chain counted along it."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

BAND = 0.75  # dies to both sides of the curve where fails belong to the chain
BANDS = (0.55, 1.05)  # where it is counted: one row of dies wide in any direction, two to three
FAR, FARTHEST = 1.6, 3.3  # dies from the curve: beside it
LOOK_ON = 5.0  # dies beyond the ends where the chain may go on
MOST_GAP = 3.2  # dies between two fails of one chain
BENDS = 6  # fails from which a bend is fitted
LARGEST_SCORE = 60.0
FITS = 2
AHEAD = 12  # rows and columns around the first of a chain where the rest is looked for
ASIDE = 6  # around the chain, where what lies beside it is counted
LEAST_FAILS = 4  # of a chain


@dataclass(frozen=True, eq=False)
class Course:
    """A curve along a chain, v = c + b u + a u^2 in the frame of its main axis, in dies.

    Attributes:
        origin: Row and column where u and v are 0.
        axis: Unit vector of u, as rows down and columns right.
        curve: c, b, a.
        start_u, stop_u: First and last fail of the chain.
        cells: Failing dies on it.
    """

    origin: tuple[float, float]
    axis: tuple[float, float]
    curve: tuple[float, float, float]
    start_u: float
    stop_u: float
    cells: Int64[np.ndarray, " n"]

    def height(self, u: float) -> float:
        """V of the curve."""
        c, b, a = self.curve
        return c + b * u + a * u * u

    def turn(self, u: float) -> float:
        """Direction of the curve against the axis, in degrees."""
        return math.degrees(math.atan(self.curve[1] + 2 * self.curve[2] * u))

    def place(self, u: float) -> tuple[float, float]:
        """Row and column of a point of the curve, to a millionth of a die."""
        v, (down, right) = self.height(u), self.axis
        row, column = self.origin[0] + u * down - v * right, self.origin[1] + u * right + v * down
        return round(row, 6) + 0.0, round(column, 6) + 0.0


@dataclass(frozen=True)
class Line:
    """A thin chain of failing dies.

    Attributes:
        start, stop: Its ends, row and column of the grid; the start is the upper (or left) one.
        start_xy, stop_xy: The same right and up, in radii of the wafer.
        length_dies: Along its course, the dies at both ends included.
        angle_deg: From end to end: 0 vertical, 90 horizontal, clockwise, 0 to 180.
        bend_deg: How much its direction turns from end to end.
        width_dies: How many dies wide.
        dies: Failing dies that it consists of.
        density: Fail rate along it, in the one of two bands where it is the surest.
        beside: Fail rate beside it, two and three dies away on both sides.
        p_value: Chance of so many fails along a line anywhere on the map, given the rate beside it
            or the background, whichever is higher; bounds by the number of lines there could be.
        score: -log10 of it, 0 to 60.
    """

    start: tuple[float, float]
    stop: tuple[float, float]
    start_xy: tuple[float, float]
    stop_xy: tuple[float, float]
    length_dies: float
    angle_deg: float
    bend_deg: float
    width_dies: float
    dies: int
    density: float
    beside: float
    p_value: float
    score: float

    @property
    def thinness(self) -> float:
        """Length over width times contrast, in dies: what tells a scratch from a long blob."""
        return self.length_dies / max(self.width_dies, 1.0) * (self.density - self.beside)


def follow(seeds: Int64[np.ndarray, " n"], fail: Bool[np.ndarray, "rows columns"]) -> Course | None:
    """The course through a group of cells, with the fails that go on beyond its ends.

    None where the group is no chain: thicker than a line or too short.
    """
    columns = fail.shape[1]
    fails, on = _near(fail, seeds, AHEAD), seeds
    course = _fitted(on, columns)
    for _ in range(FITS):
        if course is None:
            return None
        on = _on(course, fails, columns)
        if len(on) < LEAST_FAILS:
            return None
        course = _fitted(on, columns)
    return course


def _near(
    mask: Bool[np.ndarray, "rows columns"], cells: Int64[np.ndarray, " n"], margin: int
) -> Int64[np.ndarray, " m"]:
    """Cells of the mask in the box around some cells, so many rows and columns wider."""
    columns = mask.shape[1]
    row, column = np.divmod(cells, columns)
    top, left = max(int(row.min()) - margin, 0), max(int(column.min()) - margin, 0)
    part = mask[top : int(row.max()) + margin + 1, left : int(column.max()) + margin + 1]
    down, right = part.nonzero()
    return np.asarray((down + top) * columns + right + left)


def _fitted(cells: Int64[np.ndarray, " n"], columns: int) -> Course | None:
    """The parabola with the least squares of heights over the main axis."""
    row, column = np.divmod(cells, columns)
    count = len(cells)
    origin = float(row.sum()) / count, float(column.sum()) / count
    down, right = row - origin[0], column - origin[1]
    turn = math.atan2(2 * float(down @ right), float(down @ down - right @ right)) / 2
    axis = math.cos(turn), math.sin(turn)
    u, v = down * axis[0] + right * axis[1], right * axis[0] - down * axis[1]
    start, stop = float(u.min()), float(u.max())
    if stop - start < 2:
        return None
    bent = count >= BENDS and stop - start >= BENDS - 1
    basis = np.stack([np.ones(count), u, u * u] if bent else [np.ones(count), u])
    normal = basis @ basis.T
    normal[np.diag_indices(len(normal))] *= 1 + 1e-12
    terms = [*np.linalg.solve(normal, basis @ v).tolist(), 0.0][:3]
    return Course(origin, axis, (terms[0], terms[1], terms[2]), start, stop, cells)


def _along(
    course: Course, cells: Int64[np.ndarray, " n"], columns: int
) -> tuple[Float64[np.ndarray, " n"], Float64[np.ndarray, " n"]]:
    """U of cells and their distance from the curve, in dies, its sign the side."""
    row, column = np.divmod(cells, columns)
    down, right = row - course.origin[0], column - course.origin[1]
    u = down * course.axis[0] + right * course.axis[1]
    v = right * course.axis[0] - down * course.axis[1]
    c, b, a = course.curve
    slope = b + 2 * a * u
    return u, (v - c - b * u - a * u * u) / np.sqrt(1 + slope * slope)


def _on(course: Course, fails: Int64[np.ndarray, " n"], columns: int) -> Int64[np.ndarray, " m"]:
    """Fails on the curve, of the longest run without a gap that parts it."""
    u, off = _along(course, fails, columns)
    near = np.abs(off) <= BAND
    near &= (u >= course.start_u - LOOK_ON) & (u <= course.stop_u + LOOK_ON)
    cells, u = fails[near], u[near]
    if not len(cells):
        return np.asarray(cells)
    order = np.argsort(u, kind="stable")
    cells, u = cells[order], u[order]
    steepness = np.hypot(1, course.curve[1] + 2 * course.curve[2] * u)
    parted = np.flatnonzero(np.diff(u) * steepness[1:] > MOST_GAP) + 1
    pieces = np.split(np.arange(len(cells)), parted)
    return np.asarray(cells[max(pieces, key=len)])


def measured(
    course: Course,
    die: Bool[np.ndarray, "rows columns"],
    fail: Bool[np.ndarray, "rows columns"],
    background: float,
    trials: float,
) -> Line:
    """What is to be said of a course; `trials` is how many there could have been."""
    rows, columns = fail.shape
    cells = _near(die, course.cells, ASIDE)
    u, off = _along(course, cells, columns)
    off = np.abs(off)
    within = (u >= course.start_u - 0.5) & (u <= course.stop_u + 0.5) & (off <= FARTHEST)
    cells, off = cells[within], off[within]
    failing = fail.ravel()[cells]
    beside = off >= FAR
    beside_dies, beside_fails = int(beside.sum()), int(failing[beside].sum())
    rate = (beside_fails + background) / (beside_dies + 1)
    length = _length(course)
    chance, density = _surest_band(off, failing, max(rate, background, 1e-4))
    p_value = min(chance * trials * len(BANDS), 1.0)
    inner = off < FAR
    extra = int(failing[inner].sum()) - rate * int(inner.sum())
    ends = sorted((course.place(course.start_u), course.place(course.stop_u)))
    (top, left), (bottom, right) = ends
    run = (right - left) / columns, -(bottom - top) / rows
    return Line(
        start=ends[0],
        stop=ends[1],
        start_xy=((2 * left + 1) / columns - 1, 1 - (2 * top + 1) / rows),
        stop_xy=((2 * right + 1) / columns - 1, 1 - (2 * bottom + 1) / rows),
        length_dies=length,
        angle_deg=round(math.degrees(math.atan2(run[0], run[1])), 6) % 180,
        bend_deg=abs(course.turn(course.stop_u) - course.turn(course.start_u)),
        width_dies=float(max(extra / length, 1.0)),
        dies=len(course.cells),
        density=density,
        beside=beside_fails / max(beside_dies, 1),
        p_value=p_value,
        score=min(-math.log10(p_value), LARGEST_SCORE) + 0.0,
    )


def _surest_band(
    off: Float64[np.ndarray, " n"], failing: Bool[np.ndarray, " n"], rate: float
) -> tuple[float, float]:
    """Chance of so many fails in the band where that is least, 1e-300 at least, and their rate."""
    from scipy.special import bdtrc

    tried = []
    for band in BANDS:
        on = off <= band
        dies, fails = int(on.sum()), int(failing[on].sum())
        chance = max(float(bdtrc(fails - 1.0, dies, rate)), 1e-300)
        tried.append((chance, fails / max(dies, 1)))
    return min(tried)


def _length(course: Course) -> float:
    """Arc length between the ends, and the die at the end."""
    u = np.linspace(course.start_u, course.stop_u, 17)
    c, b, a = course.curve
    return float(np.hypot(np.diff(u), np.diff(c + b * u + a * u * u)).sum()) + 1.0

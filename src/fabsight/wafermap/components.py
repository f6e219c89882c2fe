"""What the core of a map consists of: separate groups of failing dies, measured one by one."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int32, Int64, UInt8

from fabsight.wafermap.arcs import Arc, smallest
from fabsight.wafermap.frame import Frame

MOST = 8  # components that are measured
MOST_TOUCHING = 2
LEAST_DIES = 3  # smaller groups are counted, not measured
HELD = 0.95  # share of a component that its arc holds


@dataclass(frozen=True)
class Shape:
    """Ellipse and outline of a group of dies.

    Attributes:
        major, minor: Full axes of the ellipse with the dies' second moments, in radii of the wafer.
        major_dies, minor_dies: The same in dies along these directions.
        elongation: Major over minor axis, 1 and up.
        angle_deg: Of the major axis: 0 vertical, 90 horizontal, clockwise, 0 to 180.
        solidity: Share of its convex hull's area, in dies, that the closed group fills.
        holes: Places inside, of two dies or more, that it encloses.
        hole_dies: Their dies.
    """

    major: float
    minor: float
    major_dies: float
    minor_dies: float
    elongation: float
    angle_deg: float
    solidity: float
    holes: int
    hole_dies: int


@dataclass(frozen=True)
class Component:
    """One group of failing dies of the core.

    Attributes:
        dies: Failing dies.
        core_share, fail_share: Of the core's dies, of all fails.
        radius_min, radius_mean, radius_max: Of its dies, in radii of the wafer.
        x, y: Centroid, right and up, in radii of the wafer.
        radius, clock_deg: The same as distance and clock angle.
        arc: The smallest part of the clock that holds 95 % of it.
        shape: Its axes and outline.
        edge: Whether it reaches the edge zone.
        density: Failing share of the dies within its closed outline.
    """

    dies: int
    core_share: float
    fail_share: float
    radius_min: float
    radius_mean: float
    radius_max: float
    x: float
    y: float
    radius: float
    clock_deg: float
    arc: Arc
    shape: Shape
    edge: bool
    density: float


def components(
    core: UInt8[np.ndarray, "rows columns"],
    die: Bool[np.ndarray, "rows columns"],
    fail: Bool[np.ndarray, "rows columns"],
    place: Frame,
) -> tuple[tuple[Component, ...], int]:
    """The largest groups of the core, largest first, and how many of LEAST_DIES there are.

    Dies belong together that touch at a side or corner, or that one missing die parts.
    """
    return _measured(_labels(core), die, fail, place, MOST)


def touching(
    die: Bool[np.ndarray, "rows columns"], fail: Bool[np.ndarray, "rows columns"], place: Frame
) -> tuple[tuple[Component, ...], int]:
    """The MOST_TOUCHING largest groups of all fails, noise and all, that touch; how many there are.

    Shares "of the core" are those of all fails here.
    """
    import cv2

    _, label = cv2.connectedComponents(fail.view(np.uint8), connectivity=8)
    return _measured(np.asarray(label, np.int32), die, fail, place, MOST_TOUCHING)


def _measured(
    label: Int32[np.ndarray, "rows columns"],
    die: Bool[np.ndarray, "rows columns"],
    fail: Bool[np.ndarray, "rows columns"],
    place: Frame,
    most: int,
) -> tuple[tuple[Component, ...], int]:
    """Groups of labelled dies, the largest first, and how many of LEAST_DIES there are."""
    inside = np.flatnonzero(label)
    if not len(inside):
        return (), 0
    of = label.ravel()[inside]
    sizes = np.bincount(of)
    groups = np.flatnonzero(sizes >= LEAST_DIES)
    outward = np.bincount(of, place.radius[inside]).round(6)  # so that a turn changes no order
    groups = groups[np.lexsort((groups, outward[groups], -sizes[groups]))]
    order = np.argsort(of, kind="stable")
    inside, stops = inside[order], np.cumsum(sizes)
    fails = int(np.count_nonzero(fail))
    found = []
    for k in groups[:most].tolist():
        cells = inside[stops[k] - sizes[k] : stops[k]]
        found.append(_component(cells, len(inside), fails, die, fail, place))
    return tuple(found), len(groups)


def _labels(core: UInt8[np.ndarray, "rows columns"]) -> Int32[np.ndarray, "rows columns"]:
    """Group of each die of the core, 0 outside.

    Two squares of 2 x 2 touch exactly when their first cells are two apart at most.
    """
    import cv2

    spread = cv2.copyMakeBorder(core, 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    spread = cv2.dilate(spread, np.ones((2, 2), np.uint8), anchor=(0, 0))
    _, label = cv2.connectedComponents(spread, connectivity=8)
    return np.asarray(label[1:-1, 1:-1] * core, np.int32)


def _component(
    cells: Int64[np.ndarray, " n"],
    core_dies: int,
    fails: int,
    die: Bool[np.ndarray, "rows columns"],
    fail: Bool[np.ndarray, "rows columns"],
    place: Frame,
) -> Component:
    radius, clock = place.radius[cells], place.clock_deg[cells]
    x, y = place.x[cells], place.y[cells]
    closed, corner = _closed(cells, die.shape[1])
    middle_x, middle_y = float(x.sum()) / len(x), float(y.sum()) / len(y)
    return Component(
        dies=len(cells),
        core_share=len(cells) / core_dies,
        fail_share=len(cells) / fails,
        radius_min=float(radius.min()),
        radius_mean=float(radius.sum()) / len(radius),
        radius_max=float(radius.max()),
        x=middle_x,
        y=middle_y,
        radius=float(np.hypot(middle_x, middle_y)),
        clock_deg=float(np.degrees(np.arctan2(middle_x, middle_y)) % 360),
        arc=smallest(clock, HELD),
        shape=_shape(x - middle_x, y - middle_y, closed, die.shape),
        edge=bool(place.edge[cells].any()),
        density=_density(closed, corner, die, fail),
    )


def _closed(
    cells: Int64[np.ndarray, " n"], columns: int
) -> tuple[UInt8[np.ndarray, "height width"], tuple[int, int]]:
    """The group with single missing dies filled, three cells of nothing around, and its corner."""
    import cv2

    row, column = np.divmod(cells, columns)
    top, left = int(row.min()) - 3, int(column.min()) - 3
    mask = np.zeros((int(row.max()) - top + 4, int(column.max()) - left + 4), np.uint8)
    mask[row - top, column - left] = 1
    closed = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    return closed, (top, left)


def _density(
    closed: UInt8[np.ndarray, "height width"],
    corner: tuple[int, int],
    die: Bool[np.ndarray, "rows columns"],
    fail: Bool[np.ndarray, "rows columns"],
) -> float:
    top, left = max(corner[0], 0), max(corner[1], 0)
    within = closed[top - corner[0] :, left - corner[1] :].view(bool)
    window = np.s_[top : top + within.shape[0], left : left + within.shape[1]]
    part = die[window]
    within = within[: part.shape[0], : part.shape[1]]
    return float(np.count_nonzero(fail[window] & within) / np.count_nonzero(part & within))


def _shape(
    x: Float64[np.ndarray, " n"],
    y: Float64[np.ndarray, " n"],
    closed: UInt8[np.ndarray, "height width"],
    size: tuple[int, ...],
) -> Shape:
    """Axes from second moments of the dies' areas about the centroid, the outline from cells."""
    rows, columns = size
    xx = float(x @ x) / len(x) + (2 / columns) ** 2 / 12
    yy = float(y @ y) / len(x) + (2 / rows) ** 2 / 12
    xy = float(x @ y) / len(x)
    half, mean = np.hypot((xx - yy) / 2, xy), (xx + yy) / 2
    major, minor = 4 * np.sqrt(mean + half), 4 * np.sqrt(max(mean - half, 1e-12))
    turn = np.arctan2(2 * xy, xx - yy) / 2  # of the major axis, from x towards y
    across, down = np.cos(turn) * columns / 2, np.sin(turn) * rows / 2
    sideways, along = np.sin(turn) * columns / 2, np.cos(turn) * rows / 2
    solidity, holes, hole_dies = _outline(closed)
    return Shape(
        major=float(major),
        minor=float(minor),
        major_dies=float(major * np.hypot(across, down)),
        minor_dies=float(minor * np.hypot(sideways, along)),
        elongation=float(major / minor),
        angle_deg=float(np.round(90 - np.degrees(turn), 9) % 180),
        solidity=solidity,
        holes=holes,
        hole_dies=hole_dies,
    )


def _outline(closed: UInt8[np.ndarray, "height width"]) -> tuple[float, int, int]:
    """Solidity, holes, dies in holes of a mask with nothing at its border."""
    import cv2

    count, _, stats, _ = cv2.connectedComponentsWithStats(1 - closed, connectivity=4)
    areas = stats[2:count, cv2.CC_STAT_AREA]  # after the mask itself and the outside
    areas = areas[areas > 1]
    first = closed.argmax(1)  # leftmost and rightmost cell of each row span the hull
    last = closed.shape[1] - closed[:, ::-1].argmax(1)
    row = np.flatnonzero(closed.any(1))
    left, right = first[row], last[row]
    corners = np.concatenate(
        [np.stack([side, end], 1) for side in (left, right) for end in (row, row + 1)]
    )
    hull = cv2.contourArea(cv2.convexHull(corners.astype(np.float32)))
    return float(np.count_nonzero(closed) / hull), len(areas), int(areas.sum())

"""Vias that form a grid, put exactly on it: one radius, one pitch each way, noise averaged out.

A grid of n vias knows its pitch and radius sqrt(n) times better than one via does, and folds into
one ARRAY, which a person can edit.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float64, Int64

from fabsight.netdsl.language import Program, Via

LEAST = 4  # vias of a grid
NEAR = 1.8  # neighbours are at most this many typical distances apart
LINE_PX = 3.5  # vias of one row differ by less
MISFIT_PX = 1.8  # a row lies on the grid within this
RADIUS_PX = 1.2  # radii of one grid lie this close to their median
PLACE_PX = 0.1


def on_grids(program: Program) -> Program:
    """The program with each grid of like vias made regular; all else as it was.

    >>> noisy = tuple(Via(10 + 12 * i + 0.1 * (i == 1), 20, 4 + 0.2 * (i == 2)) for i in range(4))
    >>> {v.r for v in on_grids(Program(64, 64, noisy)).commands}
    {4.0}
    """
    shapes = list(program.shapes)
    vias = [k for k, s in enumerate(shapes) if isinstance(s, Via)]
    if len(vias) < LEAST:
        return program
    found = np.array([[s.x, s.y, s.r] for s in shapes if isinstance(s, Via)])
    for group in _groups(found):
        alike = np.abs(found[group, 2] - np.median(found[group, 2])) <= RADIUS_PX
        group = group[alike]  # another size is meant, or a defect
        fitted = _fitted(found[group]) if len(group) >= LEAST else None
        if fitted is not None:
            for k, (x, y, r) in zip(group.tolist(), fitted.tolist(), strict=True):
                shapes[vias[k]] = Via(x, y, r)
    return replace(program, commands=tuple(shapes))


def _groups(vias: Float64[np.ndarray, "n 3"]) -> list[Int64[np.ndarray, " m"]]:
    """Indices of vias that hang together at about their nearest neighbours' distance."""
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import KDTree, distance_matrix

    places = vias[:, :2]
    if len(vias) > 4000:  # the matrix below grows with the square
        return []
    nearest = KDTree(places).query(places, k=2)[0][:, 1]
    apart = distance_matrix(places, places)
    like = np.abs(vias[:, None, 2] - vias[None, :, 2]) <= 2 * RADIUS_PX
    linked = (apart <= NEAR * np.minimum(nearest[:, None], nearest)) & like
    _, label = connected_components(linked, directed=False)
    groups = [np.flatnonzero(label == k) for k in np.unique(label)]
    return [group for group in groups if len(group) >= LEAST]


def _fitted(vias: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3"] | None:
    """Grid places and the common radius, None where they are not one grid."""
    columns, rows = (_progression(vias[:, axis]) for axis in (0, 1))
    if columns is None or rows is None:
        return None
    r = round(float(vias[:, 2].mean()) / PLACE_PX) * PLACE_PX
    return np.stack([columns, rows, np.full(len(vias), round(r, 2))], axis=1)


def _progression(at: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"] | None:
    """Coordinates moved to an arithmetic progression through their rows, None where none fits."""
    order = np.sort(at)
    row_of = np.searchsorted(order[np.flatnonzero(np.diff(order) > LINE_PX)], at, side="left")
    means = np.array([at[row_of == k].mean() for k in range(row_of.max() + 1)])
    if len(means) == 1:
        return np.full(len(at), round(float(means[0]), 1))
    steps = np.round((means - means[0]) / np.diff(means).min()).astype(int)
    index = steps[row_of]
    pitch, origin = np.polyfit(index, at, 1)
    # the pitch is rounded so that its repeats are exact in text
    pitch = round(float(pitch) / PLACE_PX) * PLACE_PX
    origin = round(float(np.mean(at - index * pitch)) / PLACE_PX) * PLACE_PX
    fitted = np.round(origin + index * pitch, 2)
    return fitted if np.abs(means - (origin + steps * pitch)).max() <= MISFIT_PX else None

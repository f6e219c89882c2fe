"""Boxes over a map of votes: the best rectangle, exact covers, refinement that never loses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fabsight.netdsl.cover import (
    EPSILON,
    Prices,
    best_rectangle,
    component_votes,
    cover,
    refine,
)

SIDE = 64
tables = arrays(
    np.float64,
    st.tuples(st.integers(1, 6), st.integers(1, 6)),
    elements=st.integers(-9, 9).map(float),
)
corners = st.tuples(*[st.integers(0, SIDE - 12)] * 2, *[st.integers(10, 30)] * 2)
boxes_of_a_window = st.lists(corners, min_size=1, max_size=5).map(
    lambda found: np.array(
        [(x, y, min(x + w, SIDE), min(y + h, SIDE)) for x, y, w, h in found], np.float64
    )
)


def painted(boxes, side=SIDE):
    mask = np.zeros((side, side), bool)
    for x0, y0, x1, y1 in np.asarray(boxes).astype(int):
        mask[y0:y1, x0:x1] = True
    return mask


def votes_of(mask):
    return np.where(mask, 1, -1).astype(np.float32)


def won(boxes, votes):
    return float(votes[painted(boxes, len(votes))].sum(dtype=np.float64))


def sums(table):
    height, width = table.shape
    for top in range(height):
        for bottom in range(top + 1, height + 1):
            for left in range(width):
                for right in range(left + 1, width + 1):
                    yield table[top:bottom, left:right].sum()


@given(tables)
def test_no_rectangle_wins_more_than_the_best(table):
    best, (top, bottom, left, right) = best_rectangle(table)
    assert best == table[top:bottom, left:right].sum()
    assert best == max(0.0, *sums(table))


nets = st.lists(
    st.tuples(st.booleans(), *[st.integers(0, 2)] * 2, st.integers(1, 3)), min_size=1, max_size=6
).map(
    # bars of 6 px from crossing to crossing of a lattice of 20 px, as metal is routed
    lambda bars: np.array(
        [
            (x, y, x + 20 * n - 14, y + 6) if across else (x, y, x + 6, y + 20 * n - 14)
            for across, i, j, n in bars
            for x, y in [(2 + 20 * i, 2 + 20 * j)]
        ],
        np.float64,
    ).clip(0, SIDE)
)


@given(nets)
@effort(max_examples=60)
def test_routed_metal_is_covered_exactly(boxes):
    mask = painted(boxes)
    found = cover(votes_of(mask), Prices(box=9.0))
    assert np.array_equal(painted(found), mask)


@pytest.mark.parametrize(
    "boxes",
    [
        [(10, 20, 50, 28)],
        [(10, 20, 50, 28), (10, 20, 18, 60)],
        [(4, 30, 60, 36), (30, 4, 36, 60)],
        [(8, 28, 56, 36), (8, 24, 20, 40), (44, 24, 56, 40)],
        [(0, 0, 64, 64)],
    ],
    ids=["bar", "corner", "cross", "dumbbell", "everything"],
)
def test_a_shape_takes_no_more_boxes_than_it_is_made_of(boxes):
    found = cover(votes_of(painted(boxes)), Prices(box=9.0))
    assert np.array_equal(painted(found), painted(boxes))
    assert len(found) <= len(boxes)


def test_what_wins_less_than_the_price_of_a_box_gets_none():
    votes = votes_of(painted([(10, 10, 14, 14)]))
    assert cover(votes, Prices(box=17.0)).shape == (0, 4)
    assert cover(votes, Prices(box=15.0)).tolist() == [[10, 10, 14, 14]]


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (17, 300)])
@pytest.mark.parametrize("value", [-1.0, 0.0, 1.0])
def test_windows_of_any_size_and_no_content(shape, value):
    found = cover(np.full(shape, value, np.float32), Prices(box=0.5))
    assert found.tolist() == ([[0, 0, shape[1], shape[0]]] if value > 0 else [])


@given(boxes_of_a_window, boxes_of_a_window, st.integers(0, 2**32 - 1))
@effort(max_examples=60)
def test_refining_never_loses_votes_of_the_union(boxes, others, seed):
    noise = np.random.default_rng(seed).normal(0, 0.4, (SIDE, SIDE))
    votes = np.clip(votes_of(painted(others)) + noise, -1, 1).astype(np.float32)
    prices = Prices(box=0.0)
    refined = refine(boxes, votes, prices)
    # what another box has painted already still wins EPSILON
    slack = EPSILON * SIDE * SIDE * len(boxes)
    assert won(refined, votes) >= won(boxes, votes) - slack


@given(boxes_of_a_window.filter(lambda boxes: len(boxes) == 1), st.integers(-4, 4))
def test_refining_finds_the_edges_of_one_box_from_nearby(boxes, off):
    (x0, y0, x1, y1) = boxes[0]
    start = np.clip(np.array([[x0 + off, y0 - off, x1 + off, y1 - off]]), 0, SIDE)
    if start[0, 2] - start[0, 0] < 8 or start[0, 3] - start[0, 1] < 8:
        return
    assert refine(start, votes_of(painted(boxes)), Prices()).tolist() == boxes.tolist()


def test_no_boxes_refine_to_no_boxes():
    assert refine(np.zeros((0, 4)), np.ones((8, 8), np.float32), Prices()).shape == (0, 4)


def test_one_large_pad_is_one_box():
    """What is covered wins a trifle once more: over a large area it must not add up to a box."""
    found = cover(np.ones((400, 400), np.float32), Prices(box=9.0))
    assert found.tolist() == [[0, 0, 400, 400]]


def test_metal_of_other_components_votes_as_floor():
    share = np.array([[1.0, 0.0, 1.0, 0.4]], np.float32)
    own = np.array([[True, False, False, False]])
    assert component_votes(share, own) == pytest.approx(np.array([[1.0, -1.0, -1.0, -0.2]]))

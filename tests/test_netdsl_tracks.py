"""Wandering wires: the exact path, against every path; stretches, bridges and caps."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fabsight.netdsl.assembly import Leg, Section, wire_of
from fabsight.netdsl.language import Cap
from fabsight.netdsl.rendering import paint
from fabsight.netdsl.tracks import STEP_PX, Jogs, add_caps, run_lengths, tracks, viterbi

gains = arrays(
    np.float32,
    st.tuples(st.integers(1, 5), st.integers(1, 4)),
    elements=st.integers(-8, 8).map(float),
)


def worth(path, gain, jog, per_place):
    moves = np.abs(np.diff(path))
    return sum(gain[k, p] for k, p in enumerate(path)) - sum(
        jog + per_place * move for move in moves if move
    )


@given(gains, st.integers(0, 6), st.integers(0, 3))
def test_the_path_is_the_best_of_all_paths(gain, jog, per_place):
    value, path = viterbi(gain, float(jog), float(per_place))
    every = itertools.product(range(gain.shape[1]), repeat=len(gain))
    assert value == max(worth(other, gain, jog, per_place) for other in every)
    assert worth(path.tolist(), gain, jog, per_place) == value


@given(arrays(np.bool_, st.tuples(st.integers(1, 5), st.integers(1, 9))))
def test_run_lengths_are_those_counted_by_hand(metal):
    expected = np.zeros(metal.shape, int)
    for y, row in enumerate(metal):
        at = 0
        for value, group in itertools.groupby(row.tolist()):
            count = len(list(group))
            expected[y, at : at + count] = count * value
            at += count
    assert np.array_equal(run_lengths(metal), expected)


def votes_and_own(mask):
    return np.where(mask, 1, -1).astype(np.float32), mask.astype(bool)


def drawn(legs, shape):
    return paint([wire_of([(leg, 0)]) for leg in legs], shape[1], shape[0]) > 0


def stairs(width=200, height=60):
    mask = np.zeros((height, width), bool)
    for begin, end, top in ((0, 60, 10), (60, 120, 13), (120, 200, 17)):
        mask[top : top + 8, begin:end] = True
    return mask


@pytest.mark.parametrize("turned", [False, True])
def test_a_wire_with_jogs_is_followed_in_sections(turned):
    mask = stairs().T if turned else stairs()
    (leg,) = tracks(*votes_and_own(mask), Jogs())
    assert leg.axis == ("V" if turned else "H")
    assert (leg.w, [s.c for s in leg.sections]) == (8.0, [14.0, 17.0, 21.0])
    starts = [section.a for section in leg.sections]
    assert np.abs(np.subtract(starts, (0, 60, 120))).max() <= STEP_PX


def test_jogs_that_win_less_than_their_price_are_not_made():
    mask = np.zeros((30, 120), bool)
    mask[10:18, :60] = True
    mask[11:19, 60:63] = True
    mask[10:18, 63:] = True
    (leg,) = tracks(*votes_and_own(mask), Jogs(jog=8.0))
    assert len(leg.sections) == 1


@pytest.mark.parametrize(("bridge", "pieces"), [(12, 1), (0, 2)])
def test_a_stretch_goes_on_through_metal_that_crosses_it(bridge, pieces):
    mask = np.zeros((120, 120), bool)
    mask[56:64, 10:110] = True
    mask[:, 50:62] = True
    legs = tracks(*votes_and_own(mask), Jogs(bridge=bridge))
    assert len([leg for leg in legs if leg.axis == "H"]) == pieces
    assert (drawn(legs, mask.shape) & mask).sum() > 0.97 * mask.sum()


def test_specks_are_left_to_boxes():
    mask = np.zeros((20, 20), bool)
    mask[4:8, 4:8] = True
    assert tracks(*votes_and_own(mask), Jogs(least=20.0)) == []


@pytest.mark.parametrize("end", [0, 1])
def test_a_dogbone_end_is_seen_in_what_is_left(end):
    mask = np.zeros((40, 120), bool)
    mask[16:24, 10:110] = True
    wide = np.s_[12:28, 98:110] if end else np.s_[12:28, 10:22]
    mask[wide] = True
    leg = Leg("H", [Section(10, 110, 20)], 8.0)
    votes, _ = votes_and_own(mask)
    votes[16:24, 10:110] = 0
    add_caps(leg, votes, Jogs())
    assert leg.caps == {end: Cap(12.0, 16.0)}


def test_no_cap_where_nothing_is_left():
    leg = Leg("H", [Section(10, 110, 20)], 8.0)
    add_caps(leg, np.full((40, 120), -1, np.float32), Jogs())
    assert leg.caps == {}

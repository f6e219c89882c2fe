"""Stacks, repeaters, the exposure field, and the exact statistics below them."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabsight.task import FabsightError
from fabsight.wafermap.geometry import disk
from fabsight.wafermap.lot_statistics import (
    benjamini_hochberg,
    fisher_greater,
    grouped_log_tail,
    poisson_binomial_tails,
    sign_test,
    wilson,
)
from fabsight.wafermap.reticle import reticle
from fabsight.wafermap.stacking import neighbours, repeaters, stack

stats = pytest.importorskip("scipy.stats")


def lot(rng, wafers=25, shape=(26, 26), rate=0.08):
    """Round wafers whose dies fail by chance, each at a rate of its own."""
    there = disk(*shape).radius <= 1
    grids = np.where(there, 1, 0).astype(np.uint8)[None].repeat(wafers, 0)
    rates = rate * rng.uniform(0.3, 2, (wafers, 1, 1))
    grids[there & (rng.random(grids.shape) < rates)] = 2
    return list(grids)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=7))
def test_poisson_binomial_is_the_sum_over_all_outcomes(chances):
    mass = np.zeros(len(chances) + 1)
    for outcome in itertools.product((0, 1), repeat=len(chances)):
        mass[sum(outcome)] += math.prod(
            p if hit else 1 - p for p, hit in zip(chances, outcome, strict=True)
        )
    for seen in range(len(chances) + 1):
        found = poisson_binomial_tails(np.array([chances]), np.array([seen]))[0]
        assert found == pytest.approx(mass[seen:].sum(), abs=1e-12)


@pytest.mark.parametrize(("n", "p", "seen"), [(50, 0.1, 20), (4000, 0.05, 900), (30, 0.5, 3)])
def test_log_tail_is_the_binomial_one_however_small(n, p, seen):
    found = grouped_log_tail(np.array([p, p]), np.array([n // 2, n - n // 2]), seen)
    assert found == pytest.approx(stats.binom.logsf(seen - 1, n, p), rel=1e-8)


def test_log_tail_of_certain_and_impossible_counts():
    chances, trials = np.array([0.0, 1.0, 0.3]), np.array([5, 4, 10])
    assert grouped_log_tail(chances, trials, 4) == 0.0
    assert grouped_log_tail(chances, trials, 15) == -math.inf
    assert grouped_log_tail(chances, trials, 14) == pytest.approx(10 * math.log(0.3))


@given(st.lists(st.floats(1e-9, 1), min_size=1, max_size=30))
def test_adjusted_p_values_are_those_of_scipy(p):
    assert np.allclose(benjamini_hochberg(np.array(p)), stats.false_discovery_control(p))


@given(*[st.integers(0, 12)] * 4)
def test_fisher_is_that_of_scipy(a, b, c, d):
    ours = fisher_greater(np.array([a]), np.array([a + b]), a + c, a + b + c + d)[0]
    theirs = stats.fisher_exact([[a, b], [c, d]], "greater").pvalue
    assert ours == pytest.approx(theirs, abs=1e-9)


def test_intervals_and_sign_test_are_those_of_scipy():
    for k, n in [(0, 7), (3, 11), (40, 40)]:
        theirs = stats.binomtest(k, n).proportion_ci(method="wilson")
        assert wilson(k, n) == pytest.approx((theirs.low, theirs.high))
        assert sign_test(k, n - k) == pytest.approx(stats.binomtest(k, n).pvalue)
    assert wilson(0, 0) == (0.0, 1.0)
    assert sign_test(0, 0) == 1.0


def test_stack_counts_fails_and_dies():
    found = stack([np.array([[0, 1, 2]], np.uint8), np.array([[1, 2, 2]], np.uint8)])
    assert found.fails.tolist() == [[0, 1, 2]]
    assert found.tested.tolist() == [[1, 2, 2]]
    assert stack([np.array([[0, 1]], np.uint8)]).frequency.tolist()[0][0] != 0  # NaN


@pytest.mark.parametrize("grids", [[], [np.ones((3, 4), np.uint8), np.ones((4, 3), np.uint8)]])
def test_grids_of_several_sizes_are_refused(grids):
    with pytest.raises(FabsightError, match="grids must be of one size"):
        stack(grids)


def test_planted_repeaters_are_found_and_few_others():
    rng = np.random.default_rng(5)
    found, planted, false = 0, 0, 0
    for _ in range(10):
        wafers = lot(rng)
        dies = np.argwhere(disk(26, 26).radius < 0.9)
        places = {tuple(die) for die in rng.choice(dies, 4, replace=False).tolist()}
        for wafer, (row, column) in itertools.product(wafers, sorted(places)):
            if rng.random() < 0.6:
                wafer[row, column] = 2
        seen = {(one.row, one.column) for one in repeaters(wafers)}
        found, planted = found + len(seen & places), planted + len(places)
        false += len(seen - places)
    assert found >= 0.95 * planted
    assert false <= 3


def test_a_pattern_that_returns_is_no_repeater():
    rng = np.random.default_rng(6)
    places = disk(26, 26)
    wafers = lot(rng)
    for wafer in wafers:
        ring = (places.radius > 0.85) & (rng.random(wafer.shape) < 0.7)
        blob = (places.radius < 0.3) & (rng.random(wafer.shape) < 0.7)
        wafer[(wafer > 0) & (ring | blob)] = 2
    assert len(repeaters(wafers)) <= 1


def test_lots_without_repeaters():
    assert repeaters([np.full((9, 9), 2, np.uint8)] * 5) == ()  # all fail: nobody stands out
    assert repeaters([np.zeros((4, 4), np.uint8)] * 5) == ()
    one = np.ones((9, 9), np.uint8)
    one[4, 4] = 2
    assert repeaters([one, one]) == ()
    assert len(repeaters([one] * 4)) == 1


def test_neighbours_at_the_rim_are_of_the_rim():
    there = disk(20, 20).radius <= 1
    found = neighbours(20, 20, there.tobytes())
    rim = int(np.flatnonzero(there.ravel())[0])
    row, column = np.divmod(found[rim][found[rim] >= 0], 20)
    assert found[rim][0] == rim
    assert (np.hypot(row - 9.5, column - 9.5) > 8).all()
    middle = found[10 * 20 + 10]
    assert len(set(middle.tolist())) == 25


@pytest.mark.parametrize("field", [(2, 2), (3, 2), (1, 4), (6, 1)])
def test_a_field_is_found_by_what_repeats_in_it(field):
    rng = np.random.default_rng(field[0] * 10 + field[1])
    across, down = field
    wafers = lot(rng, 8, (30, 31))
    for wafer in wafers:
        place = wafer[down - 1 :: down, across - 1 :: across]
        place[(place > 0) & (rng.random(place.shape) < 0.5)] = 2
    found = reticle(wafers)
    assert (found.columns, found.rows, found.given) == (*field, False)
    assert [(one.column, one.row) for one in found.repeats] == [(across - 1, down - 1)]
    told = reticle(wafers, field, origin=(across - 1, down - 1))
    assert told.given
    assert [(one.column, one.row) for one in told.repeats] == [(0, 0)]


def test_no_field_is_found_where_nothing_repeats_with_one():
    rng = np.random.default_rng(9)
    for _ in range(5):
        wafers = lot(rng, 5)
        for wafer in wafers:
            wafer[12, 13] = 2  # a repeater is no field
        assert reticle(wafers).columns == 0
    assert reticle([np.zeros((5, 5), np.uint8)]).repeats == ()
    assert reticle([np.ones((1, 1), np.uint8)]).repeats == ()


@pytest.mark.parametrize("field", [(1, 1), (0, 3), (40, 2), (-2, -2)])
def test_impossible_fields_are_refused(field):
    with pytest.raises(FabsightError, match="two dies or more and fits on the wafer"):
        reticle(lot(np.random.default_rng(0), 2), field)

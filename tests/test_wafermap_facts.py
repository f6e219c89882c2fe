"""Facts of whole maps: edge cases, turns and mirrors, what is planted, what chance leaves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from fabsight.task import FabsightError
from fabsight.wafermap.fact_vector import VECTOR_NAMES, vector
from fabsight.wafermap.facts import measure
from fabsight.wafermap.geometry import apart, disk

TURN = {"quadrants": 1, "sectors": 3, "edge_sectors": 3}
maps = arrays.arrays(
    np.uint8,
    st.tuples(st.integers(1, 24), st.integers(1, 24)),
    elements=st.sampled_from((0, 1, 1, 1, 2)),
)


def wafer(rows, columns, rate, seed):
    die = disk(rows, columns).radius < 1
    fails = np.random.default_rng(seed).random((rows, columns)) < rate
    return (die * (1 + fails)).astype(np.uint8)


def with_blob(seed):
    grid = wafer(31, 31, 0.06, seed)
    at = disk(31, 31)
    blob = np.hypot(at.x - 0.5, at.y - 0.25) < 0.22
    grid[15, 15] = 0  # has no direction: it would count for 12 o'clock however the map is turned
    return np.where(blob & (grid > 0), 2, grid).astype(np.uint8)


EMPTY = {
    "one by one, no die": np.zeros((1, 1), np.uint8),
    "one by one, pass": np.ones((1, 1), np.uint8),
    "one by one, fail": np.full((1, 1), 2, np.uint8),
    "no die": np.zeros((25, 27), np.uint8),
    "no fail": np.ones((25, 27), np.uint8),
    "all fail": np.full((25, 27), 2, np.uint8),
    "one fail": np.pad(np.full((1, 1), 2, np.uint8), 12, constant_values=1),
    "one pass": np.pad(np.full((1, 1), 1, np.uint8), 12, constant_values=2),
    "one row": np.tile(np.array([1, 2], np.uint8), 20)[None],
    "one column": np.tile(np.array([1, 1, 2], np.uint8), 20)[:, None],
    "two dies": np.array([[1, 2]], np.uint8),
    "a diagonal of dies": (np.eye(20, dtype=np.uint8) * 2),
    "large": wafer(500, 500, 0.03, 1),
    "every other": (np.indices((30, 30)).sum(0) % 2 + 1).astype(np.uint8),
}


@pytest.mark.parametrize("name", EMPTY)
def test_every_map_has_finite_facts(name):
    facts = measure(EMPTY[name])
    assert np.isfinite(vector(facts)).all()
    check_sums(EMPTY[name], facts)


@settings(max_examples=60, deadline=None)
@given(maps)
def test_any_map_has_finite_facts_that_add_up(grid):
    facts = measure(grid)
    found = vector(facts)
    assert found.shape == (len(VECTOR_NAMES),)
    assert np.isfinite(found).all()
    check_sums(grid, facts)


def check_sums(grid, facts):
    dies, fails = np.count_nonzero(grid), np.count_nonzero(grid == 2)
    assert (facts.counts.dies, facts.counts.fails) == (dies, fails)
    for part in (facts.zones, facts.sectors, facts.quadrants, facts.radial):
        assert (part.dies.sum(), part.fails.sum()) == (dies, fails)
    assert facts.edge_sectors.dies.sum() == facts.zones.dies[4]
    for part in (facts.zones, facts.sectors, facts.edge_sectors, facts.quadrants):
        assert ((part.low <= part.high) & (part.p_value >= 0) & (part.p_value <= 1)).all()
        assert np.isfinite(part.enrichment).all()
        assert (np.isnan(part.rate) == (part.dies == 0)).all()
    core = facts.background.core
    assert (grid[core > 0] == 2).all()
    assert facts.background.core_dies == core.sum()
    assert sum(c.dies for c in facts.components) <= core.sum()
    for part in facts.components:
        assert part.radius_min <= part.radius_mean <= part.radius_max + 1e-9
        assert 0 < part.shape.solidity <= 1 + 1e-6
        assert 0 < part.density <= 1


def test_what_is_no_map_is_refused():
    with pytest.raises(FabsightError, match="holds 7"):
        measure(np.full((3, 3), 7, np.uint8))
    with pytest.raises(FabsightError, match="no cell"):
        measure(np.zeros((0, 3), np.uint8))


def test_how_the_grid_lies_in_memory_does_not_matter():
    grid = wafer(33, 31, 0.05, 5)
    grid[np.arange(6, 22), np.arange(6, 22)] = 2
    columns_first = np.asfortranarray(grid)
    columns_first.setflags(write=False)
    facts, again = measure(grid), measure(columns_first)
    assert len(facts.lines) == 1
    np.testing.assert_array_equal(facts.background.core, again.background.core)
    np.testing.assert_array_equal(vector(facts), vector(again))


def invariant(facts):
    """What neither turns nor mirrors change."""
    line = [(x.length_dies, x.bend_deg, x.width_dies, x.density, x.score) for x in facts.lines]
    return np.array([
        *vars(facts.randomness).values(), *facts.zones.rate, facts.background.rate,
        facts.background.core_dies, facts.groups, facts.arc.span_deg, facts.symmetry.shift,
        facts.symmetry.p_value, facts.radial.peak_radius, facts.radial.width,
        *np.ravel(sorted((c.dies, c.radius, c.shape.major, c.arc.span_deg) for c in
        facts.components)), *np.ravel(sorted(line)),
    ])  # fmt: skip


@pytest.mark.parametrize("seed", range(6))
def test_facts_turn_with_the_map(seed):
    grid = with_blob(seed)
    facts, turned = measure(grid), measure(np.ascontiguousarray(np.rot90(grid, -1)))
    np.testing.assert_allclose(invariant(turned), invariant(facts), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(vector(turned), vector(facts), rtol=1e-4, atol=1e-4)
    for name, steps in TURN.items():
        before, after = getattr(facts, name), getattr(turned, name)
        for key, value in vars(before).items():
            np.testing.assert_allclose(np.roll(value, steps), getattr(after, key), rtol=1e-9)
    np.testing.assert_allclose(np.roll(facts.edge.rate, 18), turned.edge.rate, atol=1e-9)
    assert apart(turned.symmetry.clock_deg, facts.symmetry.clock_deg + 90) < 1e-3
    assert apart(turned.components[0].clock_deg, facts.components[0].clock_deg + 90) < 1e-3
    assert apart(turned.arc.from_deg, facts.arc.from_deg + 90) < 1e-3
    angles = [f.components[0].shape.angle_deg for f in (facts, turned)]
    assert apart(2 * angles[1], 2 * angles[0] + 180) < 1e-3


@pytest.mark.parametrize("seed", range(6))
def test_facts_are_mirrored_with_the_map(seed):
    grid = with_blob(seed)
    facts, mirrored = measure(grid), measure(np.ascontiguousarray(grid[:, ::-1]))
    np.testing.assert_allclose(invariant(mirrored), invariant(facts), rtol=1e-5, atol=1e-6)
    assert apart(mirrored.symmetry.clock_deg, -facts.symmetry.clock_deg) < 1e-3
    assert apart(mirrored.arc.to_deg, -facts.arc.from_deg) < 1e-3
    np.testing.assert_array_equal(mirrored.background.core, facts.background.core[:, ::-1])


def test_pure_noise_has_no_pattern():
    """At most 1 % of 240 random maps have lines, or repeats; below 1 % of fails are in the core."""
    lines, repeats, core, sided = 0, 0, [], 0
    for seed in range(240):
        rows, columns = ((25, 27), (40, 37), (26, 26))[seed % 3]
        facts = measure(wafer(rows, columns, (0.02, 0.06, 0.15, 0.4)[seed % 4], seed))
        lines += len(facts.lines) > 0
        repeats += len(facts.repeats.kinds) > 0
        sided += facts.symmetry.p_value < 0.01
        core.append(facts.background.core_share)
    assert lines <= 2
    assert repeats <= 2
    assert sided <= 7
    assert np.mean(core) < 0.01


def test_a_blob_is_found_where_it_was_planted():
    for seed in range(20):
        facts = measure(with_blob(seed))
        part = facts.components[0]
        assert np.hypot(part.x - 0.5, part.y - 0.25) < 0.05
        assert part.density > 0.85
        assert part.shape.elongation < 1.5
        assert abs(facts.background.rate - 0.06) < 0.04
        assert facts.symmetry.p_value < 0.01
        assert apart(facts.symmetry.clock_deg, 63) < 40


@pytest.mark.parametrize("stop_deg", [90, 180, 270, 360])
def test_how_much_of_the_edge_fails(stop_deg):
    at = disk(40, 38)
    ring = (at.radius > 0.9) & (at.radius < 1) & (at.clock_deg < stop_deg)
    for seed in range(10):
        grid = wafer(40, 38, 0.05, seed)
        fails = ring & (np.random.default_rng(seed).random(ring.shape) < 0.8)
        found = measure(np.where(fails, 2, grid).astype(np.uint8)).edge
        assert abs(found.coverage_deg - stop_deg) <= 25
        assert abs(found.arc.span_deg - stop_deg) <= 30


def test_a_donut_has_a_clear_centre_and_a_radius():
    at = disk(33, 33)
    for seed in range(10):
        grid = wafer(33, 33, 0.05, seed)
        donut = np.abs(at.radius - 0.5) < 0.12
        facts = measure(np.where(donut, 2, grid).astype(np.uint8))
        assert facts.radial.clear
        assert abs(facts.radial.peak_radius - 0.5) < 0.06
        assert abs(facts.radial.width - 0.24) < 0.08
        assert facts.components[0].shape.holes == 1
        assert facts.arc.span_deg > 310
        filled = np.where(at.radius < 0.4, 2, grid).astype(np.uint8)
        assert not measure(filled).radial.clear

"""Parts of the facts against closed forms, other implementations and brute force."""

import itertools

import numpy as np
import pytest

from fabsight.wafermap.arcs import runs, smallest
from fabsight.wafermap.components import components
from fabsight.wafermap.facts import measure
from fabsight.wafermap.frame import frame
from fabsight.wafermap.geometry import apart, disk
from fabsight.wafermap.rates import two_sided, wilson
from fabsight.wafermap.spatial import near, randomness
from test_wafermap_facts import wafer


def test_small_tables_are_fishers():
    from scipy import stats

    for dies, fails, n, k in [(3, 2, 100, 2), (20, 0, 60, 2), (97, 1, 100, 3), (5, 5, 300, 8)]:
        table = [[fails, dies - fails], [k - fails, n - dies - k + fails]]
        (found,) = two_sided(np.array([dies]), np.array([fails]), n, k)
        assert found == pytest.approx(stats.fisher_exact(table)[1], rel=1e-6)
    failing = two_sided(np.array([3]), np.array([1]), 100, 98)
    assert failing[0] == pytest.approx(stats.fisher_exact([[1, 2], [97, 0]])[1], rel=1e-6)


def test_large_tables_are_the_n_less_one_chi_squared():
    from scipy import stats

    dies, fails, n, k = 60, 20, 600, 90
    table = np.array([[fails, dies - fails], [k - fails, n - dies - k + fails]])
    chi2 = stats.chi2_contingency(table, correction=False)[0] * (n - 1) / n
    (found,) = two_sided(np.array([dies]), np.array([fails]), n, k)
    assert found == pytest.approx(stats.chi2.sf(chi2, 1), rel=1e-9)


def test_wilson_is_scipys():
    from scipy import stats

    low, high = wilson(np.array([0, 3, 10]), np.array([10, 10, 10]))
    for k, fails in enumerate((0, 3, 10)):
        known = stats.binomtest(fails, 10).proportion_ci(method="wilson")
        assert (low[k], high[k]) == pytest.approx((known.low, known.high), abs=1e-9)


def test_join_counts_and_moran_are_those_of_all_arrangements():
    """Mean and standard deviation over every way to deal 3 fails out to 9 dies of odd shape."""
    die = np.array([[0, 1, 1, 0], [1, 1, 1, 1], [1, 1, 0, 1]], bool)
    places = np.flatnonzero(die)
    joins, morans, found = [], [], None
    for chosen in itertools.combinations(places, 3):
        fail = np.zeros(die.size, bool)
        fail[list(chosen)] = True
        fail = fail.reshape(die.shape)
        found = randomness(die, fail, near(die.astype(np.uint8), fail.astype(np.uint8)))
        joins.append(found.fail_joins)
        morans.append(found.moran)
    assert found is not None
    assert found.expected == pytest.approx(np.mean(joins))
    assert found.join_z == pytest.approx((joins[-1] - np.mean(joins)) / np.std(joins))
    assert np.mean(morans) == pytest.approx(-1 / 8)
    assert found.moran_z == pytest.approx((morans[-1] + 1 / 8) / np.std(morans))


def test_components_are_those_of_a_region_measuring_library():
    measure_lib = pytest.importorskip("skimage.measure")
    core = np.zeros((40, 40), np.uint8)
    at = disk(40, 40)
    core[(((at.x - 0.1) / 0.5) ** 2 + ((at.y + at.x / 2) / 0.2) ** 2) < 1] = 1
    die = np.ones_like(core, bool)
    (part,), groups = components(core, die, core > 0, frame(40, 40))
    (known,) = measure_lib.regionprops(core)
    assert groups == 1
    # the library takes dies for points, we for squares: 16 / 12 more of each squared axis
    assert part.shape.major_dies**2 == pytest.approx(known.axis_major_length**2 + 4 / 3, rel=1e-3)
    assert part.shape.minor_dies**2 == pytest.approx(known.axis_minor_length**2 + 4 / 3, rel=1e-3)
    assert part.shape.solidity == pytest.approx(known.solidity, abs=0.06)
    clockwise = (180 - np.degrees(known.orientation)) % 180
    assert apart(2 * part.shape.angle_deg, 2 * clockwise) < 0.1
    assert part.density == 1.0


def test_axes_hold_where_dies_are_not_square():
    """A disk on a grid of tall dies is round on the wafer and long in dies."""
    at = disk(20, 60)
    core = (at.radius < 0.5).astype(np.uint8)
    (part,), _ = components(core, core >= 0, core > 0, frame(20, 60))
    assert part.shape.elongation < 1.05
    assert part.shape.major == pytest.approx(1.0, abs=0.05)


def test_one_missing_die_parts_no_component_and_two_do():
    for gap, count in ((1, 1), (2, 2)):
        core = np.zeros((20, 20), np.uint8)
        core[10, 2:8] = core[10, 8 + gap : 14 + gap] = 1
        _, groups = components(core, np.ones_like(core, bool), core > 0, frame(20, 20))
        assert groups == count


def test_arcs_against_brute_force():
    rng = np.random.default_rng(3)
    for _ in range(30):
        clock = rng.random(rng.integers(1, 12)) * 360
        found = smallest(clock, 0.8)
        held = int(np.ceil(0.8 * len(clock) - 1e-9))
        best = min(np.sort((clock - start) % 360)[held - 1] for start in clock)
        assert found.span_deg == pytest.approx(best)
        inside = (clock - found.from_deg) % 360 <= found.span_deg + 1e-9
        assert inside.sum() >= held


def test_runs_against_labels():
    from scipy import ndimage

    rng = np.random.default_rng(4)
    for _ in range(50):
        covered = rng.random(20) < rng.random()
        label, count = ndimage.label(np.tile(covered, 3))
        known = sorted(
            {
                (int(np.flatnonzero(label == k)[0]) % 20, min(int((label == k).sum()), 20))
                for k in set(label[20:40]) - {0}
            }
        )
        assert count >= 0
        if covered.all():
            assert runs(covered) == [(0, 20)]
        else:
            assert sorted(runs(covered)) == known


def scratched(seed, bend_deg, missing, noise, length=18.0):
    """A map with a chain of dies, and its angle, length and bend."""
    rng = np.random.default_rng(seed)
    grid = wafer(40, 40, noise, seed + 1000)
    middle, angle = rng.uniform(-5, 5, 2) + 19.5, rng.uniform(0, np.pi)
    steps = np.linspace(-length / 2, length / 2, 200)
    turn = angle + np.radians(bend_deg) * steps / length
    path = np.cumsum(np.stack([-np.cos(turn), np.sin(turn)]), 1) * (steps[1] - steps[0])
    path += middle[:, None] - path.mean(1, keepdims=True)
    cells = np.unique(np.round(path).astype(int), axis=1)
    cells = cells[:, rng.random(cells.shape[1]) >= missing]
    grid[cells[0], cells[1]] = np.where(grid[cells[0], cells[1]] > 0, 2, 0)
    return grid, np.degrees(angle) % 180


@pytest.mark.parametrize(("bend_deg", "missing"), [(0, 0.0), (0, 0.2), (50, 0.0), (50, 0.2)])
def test_scratches_are_found(bend_deg, missing):
    """18 dies long, straight and bent, whole and with a fifth missing, in 5 % of noise."""
    found, angles, bends, lengths = 0, [], [], []
    for seed in range(40):
        grid, angle = scratched(seed, bend_deg, missing, 0.05)
        lines = measure(grid).lines
        if lines and lines[0].length_dies > 10:
            found += 1
            angles.append(apart(2 * lines[0].angle_deg, 2 * angle) / 2)
            bends.append(abs(lines[0].bend_deg - bend_deg))
            lengths.append(abs(lines[0].length_dies - 19))
    assert found >= 37
    assert np.median(angles) < 6
    assert np.median(bends) < 18
    assert np.median(lengths) < 3.5


@pytest.mark.parametrize("period", [2, 3, 5, 7])
@pytest.mark.parametrize("axis", [0, 1])
def test_stripes_are_found(axis, period):
    for seed in range(5):
        grid = wafer(37, 37, 0.05, seed)
        rng = np.random.default_rng(seed)
        phase = int(rng.integers(period))
        striped = np.zeros_like(grid, bool)
        np.moveaxis(striped, axis, 0)[phase::period] = True
        fails = striped & (rng.random(grid.shape) < 0.6) & (grid > 0)
        found = measure(np.where(fails, 2, grid).astype(np.uint8)).repeats
        stripes = (found.rows, found.columns)[axis]
        assert found.kinds == (("rows", "columns")[axis],)
        assert (stripes.period, stripes.phase) == (period, phase)
        assert stripes.strength == pytest.approx(0.57, abs=0.15)


@pytest.mark.parametrize(("rows", "columns"), [(2, 3), (4, 3), (5, 5)])
def test_a_place_of_the_reticle_is_found(rows, columns):
    for seed in range(5):
        grid = wafer(38, 36, 0.05, seed)
        rng = np.random.default_rng(seed)
        row, column = int(rng.integers(rows)), int(rng.integers(columns))
        hit = np.zeros_like(grid, bool)
        hit[row::rows, column::columns] = True
        fails = hit & (rng.random(grid.shape) < 0.8) & (grid > 0)
        found = measure(np.where(fails, 2, grid).astype(np.uint8)).repeats
        assert found.kinds == ("reticle",)
        field = found.reticle
        assert (field.rows, field.columns, field.row, field.column) == (rows, columns, row, column)


def test_one_bad_row_and_a_cluster_are_no_repeat():
    for seed in range(20):
        grid = wafer(35, 33, 0.05, seed)
        grid[12] = np.where(grid[12] > 0, 2, 0)
        assert measure(grid).repeats.kinds == ()
        grid = wafer(35, 33, 0.05, seed)
        grid[8:20, 10:18] = 2
        assert measure(grid).repeats.kinds == ()

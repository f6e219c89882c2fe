"""Groups, trends, the golden map, and the report that ties a lot together."""

import itertools
import json
import math
from math import log

import numpy as np
import pytest

from fabsight.task import FabsightError
from fabsight.wafermap.clusters import clusters, patterned
from fabsight.wafermap.geometry import disk
from fabsight.wafermap.golden import against_golden
from fabsight.wafermap.lot import lot_report
from fabsight.wafermap.lot_tables import as_data, tables
from fabsight.wafermap.process_context import read_context
from fabsight.wafermap.randomness import clustering
from fabsight.wafermap.trends import change_points, dispersion, drift, ordered, trend
from fabsight.wafermap.wafer import About, Wafer

KINDS = ("center", "ring", "left", "none")


def drawn(rng, kind, shape=(26, 26), noise=0.04):
    """A map of a kind, the same place each time."""
    places = disk(*shape)
    grid = (places.radius <= 1).astype(np.uint8)
    where = {
        "center": places.radius < 0.35,
        "ring": places.radius > 0.85,
        "left": np.hypot(places.x + 0.6, places.y) < 0.25,
        "none": places.radius > 9,
    }[kind]
    grid[(grid > 0) & (rng.random(shape) < noise + 0.75 * where)] = 2
    return grid


def wafers_of(grids, lot="A1"):
    return [
        Wafer(grid, About(lot=lot, wafer=f"{k:02d}", slot=k), f"{k}.csv")
        for k, grid in enumerate(grids, 1)
    ]


def test_how_many_patterns_and_how_many_wafers_have_each():
    rng = np.random.default_rng(2)
    kinds = list(rng.permutation(["center"] * 6 + ["ring"] * 4 + ["left"] * 3 + ["none"] * 12))
    grids = [drawn(rng, kind, [(26, 26), (40, 33)][k % 2]) for k, kind in enumerate(kinds)]
    found = clusters(grids)
    assert [group.count for group in found.groups] == [6, 4, 3]
    for group in found.groups:
        assert len({kinds[k] for k in group.wafers}) == 1
        assert group.typical in group.wafers
        assert group.similarity > 0.6
    assert {kinds[k] for k in found.none} == {"none"}
    assert clusters(grids) == found


def test_groups_do_not_depend_on_the_order_of_wafers():
    rng = np.random.default_rng(3)
    grids = [drawn(rng, kind) for kind in KINDS for _ in range(4)]
    turns = rng.permutation(len(grids)).tolist()
    one = {frozenset(group.wafers) for group in clusters(grids).groups}
    other = clusters([grids[k] for k in turns]).groups
    assert one == {frozenset(turns[k] for k in group.wafers) for group in other}


def test_turned_patterns_are_one_group_when_asked():
    grid = drawn(np.random.default_rng(4), "left")
    turned = [np.ascontiguousarray(np.rot90(grid, k)) for k in range(4)]
    assert len(clusters(turned).groups) == 4
    assert len(clusters(turned, rotate=True).groups) == 1


def test_random_and_clean_lots_have_no_pattern():
    rng = np.random.default_rng(5)
    grids = [drawn(rng, "none", noise=rng.uniform(0, 0.4)) for _ in range(150)]
    assert sum(patterned(grids)) <= 2
    assert clusters([np.ones((9, 9), np.uint8)] * 3).groups == ()
    assert clusters([]).groups == ()
    assert patterned([np.full((9, 9), 2, np.uint8)]) == [True]  # near-full


def test_names_decide_what_is_no_pattern():
    grids = [np.full((9, 9), k, np.uint8) for k in (1, 2, 1)]
    found = clusters(grids, [("loc",), ("random",), ()])
    assert found.none == (1, 2)
    assert found.groups[0].patterns == (("loc", 1),)
    with pytest.raises(FabsightError, match="pattern names are given for 1"):
        clusters(grids, [("loc",)])


def test_join_counts_have_the_moments_of_all_arrangements():
    """The lift is against the mean over every way to place three fails on nine dies."""
    lifts = []
    for fails in itertools.combinations(range(9), 3):
        grid = np.ones(9, np.uint8)
        grid[list(fails)] = 2
        lifts.append(clustering(grid.reshape(3, 3)).lift)
    assert np.mean(lifts) == pytest.approx(1)


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.3])
def test_chance_is_seldom_called_a_pattern(rate):
    rng = np.random.default_rng(8)
    p = [clustering(drawn(rng, "none", noise=rate)).p for _ in range(400)]
    assert np.mean(np.array(p) <= 0.05) <= 0.08
    assert np.mean(np.array(p) <= 0.01) <= 0.025


def test_change_points_are_the_best_of_all():
    rng = np.random.default_rng(1)

    def cost(k, n):
        share = k / n
        return -2 * sum(c * log(p) for c, p in ((k, share), (n - k, 1 - share)) if c)

    for _ in range(25):
        n = rng.integers(20, 60, 11)
        k = rng.binomial(n, np.where(np.arange(11) < 5, 0.1, 0.3))
        totals = {}
        for count in range(4):
            for ends in itertools.combinations(range(3, 9), count):
                bounds = [0, *ends, 11]
                if min(np.diff(bounds)) >= 3:
                    parts = itertools.pairwise(bounds)
                    each = [cost(k[a:b].sum(), n[a:b].sum()) for a, b in parts]
                    totals[ends] = sum(each) + 4.0 * count
        best = min(totals, key=totals.__getitem__)
        assert tuple(change_points(k.astype(float), n.astype(float), 4.0)) == best


def test_planted_changes_are_found_and_few_others():
    rng = np.random.default_rng(4)
    exact = false = 0
    for _ in range(100):
        at = int(rng.integers(4, 22))
        scatter = np.exp(rng.normal(0, 0.1, 25))
        rate = np.where(np.arange(25) < at, 0.05, 0.12) * scatter
        found = trend(rng.binomial(600, rate), np.full(25, 600))
        exact += len(found.changes) == 1 and abs(found.changes[0].at - at) <= 1
        false += len(trend(rng.binomial(600, 0.08 * scatter), np.full(25, 600)).changes) > 0
    assert exact >= 95
    assert false <= 4


def test_a_change_says_how_much():
    found = trend(np.array([5] * 6 + [0] + [20] * 6), np.array([100] * 6 + [0] + [100] * 6))
    (change,) = found.changes
    assert (change.at, change.before, change.after) == (7, 0.05, 0.2)
    assert change.before_interval[1] < change.after_interval[0]
    assert change.gain > 1
    assert found.drift.p < 0.01


def test_series_with_little_in_them():
    none = np.zeros(0, np.int64)
    assert math.isnan(trend(none, none).rate)
    assert math.isnan(trend(np.zeros(3, np.int64), np.zeros(3, np.int64)).rate)
    one = trend(np.array([3]), np.array([10]))
    assert (one.rate, one.changes, one.drift) == (0.3, (), None)
    for value in (0, 10):
        flat = trend(np.full(30, value), np.full(30, 10))
        assert (flat.changes, flat.drift.p) == ((), 1.0)
    assert dispersion(np.array([1.0, 1.0]), np.array([1.0, 1.0])) == 1.0
    assert drift(np.arange(5.0), np.ones(5)) is None
    with pytest.raises(FabsightError, match="0 <= hits <= trials"):
        trend(np.array([3]), np.array([2]))


def test_wafers_without_a_slot_or_time_come_last():
    assert ordered(["2026-02-01", "", "2026-01-31"]) == [2, 0, 1]


def test_new_and_gone_fails_on_an_offset_grid():
    rng = np.random.default_rng(3)
    golden = drawn(rng, "none", (20, 20))
    here = golden.copy()
    places = disk(20, 20)
    blob = (places.radius < 0.2) & (golden == 1)
    here[blob] = 2
    gone = tuple(np.argwhere((golden == 2) & (places.radius > 0.5))[0])
    here[gone] = 1
    shifted = np.pad(golden, ((2, 0), (1, 0)))
    found = against_golden(here, shifted)
    assert found.offset == (-2, -1)
    assert (found.new, found.gone) == (int(blob.sum()), 1)
    assert found.new_fails.sum() == found.new
    assert found.gone_fails[gone]
    assert found.zones[0].q < 0.01
    assert found.zones[0].new == found.new
    assert sum(zone.dies for zone in found.zones) == found.dies
    assert found.p < 0.01


def test_equal_maps_agree_wholly():
    for value in (1, 2):
        found = against_golden(np.full((5, 5), value, np.uint8), np.full((5, 5), value, np.uint8))
        assert (found.agreement, found.kappa, found.p, found.offset) == (1.0, 1.0, 1.0, (0, 0))


@pytest.mark.parametrize(
    ("shape", "said"), [((40, 40), "same product"), ((9, 30), "same product"), (None, "no dies")]
)
def test_other_products_are_no_golden_map(shape, said):
    golden = np.ones(shape, np.uint8) if shape else np.zeros((20, 20), np.uint8)
    with pytest.raises(FabsightError, match=said):
        against_golden(np.ones((20, 20), np.uint8), golden)


def test_a_whole_lot(tmp_path):
    rng = np.random.default_rng(6)
    kinds = ["none"] * 12 + ["ring"] * 13
    grids = [drawn(rng, kind, noise=0.02) for kind in kinds]
    for grid in grids:
        grid[7, 9] = 2
    table = tmp_path / "context.csv"
    rows = [f"A1,{k},E{1 if k > 12 else 2},{'AB'[k % 2]}" for k in range(1, 26)]
    table.write_text("Lot ID;Wafer;Etch;Chamber\n".replace(";", ",") + "\n".join(rows))
    wafers = wafers_of(grids)[::-1]
    report = lot_report(wafers, context=read_context(table), golden=grids[0])
    assert report.order == "slot"
    assert [line.slot for line in report.wafers] == list(range(1, 26))
    assert [line.group for line in report.wafers] == [0] * 12 + [1] * 13
    assert [(r.row, r.column) for r in report.stacks[0].repeaters] == [(7, 9)]
    assert report.trends["fail rate"].changes[0].at == 12
    assert report.trends["group 1"].changes[0].at == 12
    suspect = report.commonality.suspects[0]
    assert (suspect.target, suspect.factor, suspect.level) == ("group 1", "Etch", "E1")
    assert report.golden[0].agreement == 1.0
    assert report.golden[-1].zones[4].q < 0.01
    data = json.loads(json.dumps(as_data(report), allow_nan=False))
    assert data["wafers"][0]["yield"] == report.wafers[0].yield_
    rows = tables(report)
    assert len(rows["wafers"]) == len(rows["golden"]) == 25
    assert rows["changes"][0]["wafer"] == "13"
    assert rows["groups"][0]["count"] == 13
    for table_of in rows.values():
        assert len({tuple(row) for row in table_of}) <= 1  # one head a table
        json.dumps(table_of, allow_nan=False)


def test_degenerate_lots():
    assert lot_report([]).warnings == ()
    empty, single = np.zeros((4, 4), np.uint8), np.full((4, 4), 2, np.uint8)
    for grids in ([empty], [single], [empty, single], [np.ones((1, 1), np.uint8)]):
        report = lot_report(wafers_of(grids))
        json.dumps(as_data(report), allow_nan=False)
        json.dumps(tables(report), allow_nan=False)
        assert len(report.wafers) == len(grids)
    assert "without any die: 01" in lot_report(wafers_of([empty])).warnings[0]
    with pytest.raises(FabsightError, match="names are given for 0"):
        lot_report(wafers_of([empty]), patterns=[])


def test_wafers_of_different_grids_are_stacked_apart_with_a_warning():
    rng = np.random.default_rng(1)
    shapes = [(26, 26), (26, 26), (30, 20)]
    report = lot_report(wafers_of([drawn(rng, "ring", shape) for shape in shapes]))
    assert [(of.rows, of.columns, of.wafers) for of in report.stacks] == [
        (26, 26, (0, 1)),
        (30, 20, (2,)),
    ]
    assert "2 grids" in report.warnings[0]
    assert "30 x 20: 03" in report.warnings[0]
    assert report.clusters.groups[0].count == 3


def test_a_golden_map_of_another_product_is_a_warning():
    report = lot_report(wafers_of([np.ones((9, 9), np.uint8)]), golden=np.ones((30, 30), np.uint8))
    assert report.golden == (None,)
    assert "same product" in report.warnings[0]


def test_one_wafer_far_below_the_others_is_low():
    rng = np.random.default_rng(1)
    grids = [drawn(rng, "none") for _ in range(9)] + [drawn(rng, "ring")]
    assert [line.low for line in lot_report(wafers_of(grids)).wafers] == [False] * 9 + [True]

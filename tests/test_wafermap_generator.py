"""Drawn wafers obey the definitions of their classes, and their truth is what was planted."""

import time
from dataclasses import replace

import numpy as np
import pytest

from fabsight.task import FabsightError
from fabsight.wafermap.backgrounds import Background, draw_background, rates
from fabsight.wafermap.claims import CHOICES, NUMBERS, PATTERNS
from fabsight.wafermap.draws import Draw
from fabsight.wafermap.generator import MIXES, Plant, draw_pattern, draw_wafer, grown
from fabsight.wafermap.geometry import QUADRANTS, ZONES, apart, disk
from fabsight.wafermap.layouts import LEAST_DIES, MOST_DIES, SIZES, Layout, draw_layout
from fabsight.wafermap.lot_generator import PLANTED, context_csv, draw_lot
from fabsight.wafermap.patterns import (
    HALF,
    Blob,
    Flood,
    Lattice,
    Rim,
    Ring,
    Stroke,
    around,
    density,
    path,
)
from fabsight.wafermap.wafer import FAIL, NO_BIN, NO_DIE, PASS, About

CLEAN = Background(0.0)
EACH = 25  # wafers of a class in tests of definitions


def rng(seed):
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def some():
    """Some wafers of each class."""
    return {name: [draw_pattern(rng((k, 7)), (name,)) for k in range(EACH)] for name in PATTERNS}


@pytest.fixture(scope="module")
def mixed():
    """Wafers as they come."""
    generator = rng(3)
    return [draw_wafer(generator) for _ in range(160)]


@pytest.fixture(scope="module")
def plain():
    """A round layout of 41 by 41 dies without notch, flat or holes."""
    dies = disk(41, 41).radius <= 1.0
    framed = draw_layout(rng(0), (41, 41))
    cv2 = pytest.importorskip("cv2")
    deep = cv2.distanceTransform(np.pad(dies, 1).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
    return Layout(dies, (deep / 0.955).astype(np.float32), 200.0, framed.pitch_um)


def planted(layout, *plants, background=CLEAN, seed=0):
    """A wafer grown from (pattern, shape) pairs, every die inside failing."""
    plants = [Plant(pattern, shape, 1.0, 9 + k) for k, (pattern, shape) in enumerate(plants)]
    draw = Draw(rng(seed))
    drawn = grown(draw, layout, plants, background, About())
    while drawn.wafer.retests:
        drawn = grown(draw, layout, plants, background, About())
    return drawn


def test_equal_state_gives_equal_bytes():
    for seed in range(20):
        a, b = draw_wafer(rng(seed)), draw_wafer(rng(seed))
        assert a.wafer.grid.tobytes() == b.wafer.grid.tobytes()
        assert a.wafer.bins.tobytes() == b.wafer.bins.tobytes()
        assert a.wafer.about == b.wafer.about
        assert a.description == b.description
        assert [p.shape for p in a.planted] == [p.shape for p in b.planted]
        assert all(
            (p.mask == q.mask).all() and (p.extent == q.extent).all()
            for p, q in zip(a.planted, b.planted, strict=True)
        )


def test_one_generator_draws_different_wafers(mixed):
    assert len({m.wafer.grid.tobytes() for m in mixed}) > 0.99 * len(mixed)


def test_the_map_is_its_parts_and_chance(mixed):
    for drawn in mixed:
        grid, bins = drawn.wafer.grid, drawn.wafer.bins
        for part in drawn.planted:
            assert (grid[part.mask] == FAIL).all()
            assert (grid[part.extent] != NO_DIE).all()
        assert ((bins == NO_BIN) == (grid == NO_DIE)).all()
        assert ((bins == 1) == (grid == PASS)).all()
        assert grid.any(0).all(), "cut to the dies"
        assert grid.any(1).all(), "cut to the dies"
        assert drawn.wafer.retests <= drawn.description.numbers["dies"].value


def test_most_of_a_patterns_dies_fail_in_its_bin(some):
    for drawn in some["edge-ring"]:
        part = drawn.planted[0]
        assert (drawn.wafer.bins[part.mask] == part.bin).mean() > 0.7
        others = (drawn.wafer.grid == FAIL) & ~part.mask
        assert (drawn.wafer.bins[others] != part.bin).all()


def test_numbers_equal_recounts(mixed):
    for drawn in mixed[:150]:
        grid, numbers = drawn.wafer.grid, drawn.description.numbers
        rows, columns = grid.shape
        y, x = np.mgrid[0:rows, 0:columns]
        x, y = (2 * x + 1) / columns - 1, 1 - (2 * y + 1) / rows
        radius, dies, fails = np.hypot(x, y), grid > 0, grid == FAIL
        assert numbers["dies"].value == dies.sum()
        assert numbers["fails"].value == fails.sum()
        assert numbers["fail_rate"].value == pytest.approx(100 * fails.sum() / dies.sum())
        assert numbers["yield"].value == pytest.approx(100 - numbers["fail_rate"].value)
        edge = radius > 0.8
        share = 100 * (fails & edge).sum() / (dies & edge).sum()
        assert numbers["fail_rate@edge"].value == pytest.approx(share, abs=1)
        for name, where in (
            ("upper right", (x >= 0) & (y > 0) | (x == 0) & (y == 0)),
            ("lower left", (x <= 0) & (y < 0)),
        ):
            assert numbers[f"fails@{name}"].value == (fails & where).sum()
        assert (
            sum(numbers[f"dies@{z}"].value for z in ZONES if f"dies@{z}" in numbers) == dies.sum()
        )
        assert sum(numbers[f"fails@{q}"].value for q in QUADRANTS) == fails.sum()


def test_descriptions_speak_the_language(mixed):
    for drawn in mixed:
        description = drawn.description
        assert description.causes is None
        assert set(description.choices) == set(CHOICES)
        for slot, choice in description.choices.items():
            assert not set(choice.true) & set(choice.possible)
            assert set(choice.true) | set(choice.possible) <= set(CHOICES[slot])
            assert choice.true or choice.possible, slot
        for slot, number in description.numbers.items():
            name, _, where = slot.partition("@")
            assert name in NUMBERS
            assert where in ("", *ZONES, *QUADRANTS)
            assert np.isfinite(number.value)
            assert number.tolerance >= 0


def test_patterns_are_what_was_asked():
    for seed, patterns in enumerate(MIXES):
        drawn = draw_pattern(rng(seed), patterns)
        choice = drawn.description.choices["pattern"]
        assert set(choice.true) <= set(patterns) <= {*choice.true, *choice.possible}
        assert {p.pattern for p in drawn.planted} == set(patterns)


def test_an_edge_ring_goes_round(some):
    for drawn in some["edge-ring"]:
        (part,) = drawn.planted
        assert around(part.shape).sum() >= 270
        where = disk(*part.extent.shape)
        outside = where.radius > 0.8
        hours = np.bincount(
            (where.clock_deg[part.extent & outside] // 15).astype(int), minlength=24
        )
        dies = np.bincount(
            (where.clock_deg[(drawn.wafer.grid > 0) & outside] // 15).astype(int), minlength=24
        )
        assert (hours[dies > 0] > 0).mean() >= 0.7
        assert "edge" in drawn.description.choices["zone"].true


def test_an_edge_loc_reaches_the_rim_and_is_open(some):
    for drawn in some["edge-loc"]:
        where = disk(*drawn.wafer.grid.shape)
        for part in drawn.planted:
            assert where.radius[part.extent].max() > 0.85
            if isinstance(part.shape, Rim):
                assert around(part.shape).sum() < 270


def test_a_center_is_in_the_centre(some):
    for drawn in some["center"]:
        (part,) = drawn.planted
        where = disk(*part.extent.shape)
        x, y = where.x[part.extent].mean(), where.y[part.extent].mean()
        assert np.hypot(x, y) < 0.3
        zones = drawn.description.choices["zone"]
        assert set(zones.true) & {"centre", "inner"}


def test_a_loc_is_not(some):
    for drawn in some["loc"]:
        for part in drawn.planted:
            where = disk(*part.extent.shape)
            x, y = where.x[part.extent].mean(), where.y[part.extent].mean()
            assert np.hypot(x, y) > 0.15
            assert part.extent.sum() < 0.5 * (drawn.wafer.grid > 0).sum()


def test_a_donut_has_a_hole(some):
    for drawn in some["donut"]:
        (part,) = drawn.planted
        where, shape = disk(*part.extent.shape), part.shape
        hole = np.hypot(where.x - shape.hole_x, where.y - shape.hole_y) < shape.inner
        assert not part.extent[hole].any()
        assert ((drawn.wafer.grid > 0) & hole).sum() >= 1


def test_full_and_random_maps_fail_as_much(some):
    for drawn in some["near-full"]:
        assert drawn.description.numbers["fail_rate"].value > 65
    for drawn in some["random"]:
        assert 15 < drawn.description.numbers["fail_rate"].value < 85
    for drawn in some["none"]:
        assert not drawn.planted
        assert drawn.description.numbers["fail_rate"].value < 35
        assert drawn.description.choices["pattern"].true == ("none",)


def test_a_scratch_is_thin(some):
    for drawn in some["scratch"]:
        layout = Layout(
            drawn.wafer.grid > 0, np.zeros(drawn.wafer.grid.shape, np.float32), 1, (1, 1)
        )
        for part in drawn.planted:
            long = np.hypot(*np.diff(path(part.shape, layout), axis=0).T).sum()
            assert part.extent.sum() <= (long + 3) * (max(part.shape.width) + 1.2)


def test_classes_come_as_often():
    generator = rng(5)
    names = []
    for _ in range(450):
        drawn = draw_wafer(generator)
        true = {p.pattern for p in drawn.planted} & set(PATTERNS) or {"none"}
        names += list(true) if len(true) == 1 else []
    shares = [names.count(name) / len(names) for name in PATTERNS]
    assert 0.05 < min(shares) < max(shares) < 0.18  # a ninth each, give or take three sigma
    assert 0.7 < len(names) / 450 < 0.92


def test_every_size_can_be_drawn():
    for (size, _), pattern in zip(SIZES, PATTERNS * 3, strict=False):
        drawn = draw_pattern(rng(sum(size)), (pattern,), size)
        assert drawn.wafer.grid.shape == size
    for size in ((9, 12), (12, 9), (107, 150), (160, 160)):
        for pattern in PATTERNS:
            drawn = draw_pattern(rng(1), (pattern,), size)
            assert drawn.wafer.grid.shape == size
            assert drawn.planted or pattern == "none"


def test_layouts_are_round_and_their_measures_agree():
    generator, counts = rng(2), []
    for _ in range(300):
        layout = draw_layout(generator)
        rows, columns = layout.dies.shape
        counts.append(layout.dies.sum())
        wide, high = columns * layout.pitch_um[0] / 1000, rows * layout.pitch_um[1] / 1000
        assert layout.diameter_mm - 12 < wide < layout.diameter_mm
        assert layout.diameter_mm - 12 < high < layout.diameter_mm
        assert layout.disk.radius[layout.dies].max() < 1.1
        assert ((layout.depth > 0) | ~layout.dies).all()
        assert layout.depth[layout.dies].min() == pytest.approx(1, abs=0.01)
    assert LEAST_DIES <= min(counts) < 300
    assert 5000 < max(counts) <= MOST_DIES


def test_chance_has_its_rate():
    generator = rng(4)
    for _ in range(50):
        layout = draw_layout(generator)
        background = draw_background(Draw(generator), ("none",))
        chance = rates(background, layout)
        assert chance[layout.dies].mean() == pytest.approx(background.rate, rel=0.1)
        assert not chance[~layout.dies].any()


@pytest.mark.parametrize(
    ("span", "pattern", "word", "looks"),
    [(360, "edge-ring", "all round", "ring"), (120, "edge-loc", "", "arc")],
)
def test_truth_of_a_rim(plain, span, pattern, word, looks):
    drawn = planted(plain, (pattern, Rim(2.0, 90.0, span)))
    choices, numbers = drawn.description.choices, drawn.description.numbers
    assert choices["zone"].true == ("edge",)
    assert choices["morphology"].true == (looks,)
    assert choices["arrangement"].true == ("clustered",)
    assert drawn.description.clock.word == word
    assert numbers["arc"].value == pytest.approx(span, abs=2)
    assert numbers["clusters"].value == 1
    if span == 360:
        assert choices["quadrant"].true == ()
        assert choices["symmetry"].true == ("symmetric",)
        assert numbers["radius"].value == pytest.approx(0.95, abs=0.02)
    else:
        assert choices["quadrant"].true == ("upper right", "lower right")
        assert choices["symmetry"].true == ("one-sided",)
        assert drawn.description.clock.start_h == pytest.approx(1, abs=0.1)
        assert drawn.description.clock.stop_h == pytest.approx(5, abs=0.1)


def test_a_ring_between_closed_and_open_has_no_clock(plain):
    for span, known in ((345, True), (310, False), (280, True)):
        drawn = planted(plain, ("edge-ring", Rim(2.0, 0.0, span)))
        assert (drawn.description.clock is not None) == known
        assert ("edge-loc" in drawn.description.choices["pattern"].possible) == (span < 315)


def test_a_broken_ring_is_all_round(plain):
    gaps = tuple((at, 20.0) for at in (40, 130, 220, 310))
    drawn = planted(plain, ("edge-ring", Rim(2.0, gaps=gaps)))
    assert drawn.description.clock.word == "all round"
    assert drawn.description.numbers["arc"].value == pytest.approx(280, abs=4)
    assert drawn.description.choices["morphology"].true == ("ring",)


def test_truth_of_a_donut(plain):
    drawn = planted(plain, ("donut", Ring(0.6, 0.4, soft=0.02)))
    choices, numbers = drawn.description.choices, drawn.description.numbers
    assert choices["pattern"].true == ("donut",)
    assert choices["pattern"].possible == ()
    assert choices["zone"].true == ("mid-radius",)
    assert choices["morphology"].true == ("ring",)
    assert choices["repeats"].true == ("none",)
    assert numbers["radius"].value == 0.5
    assert numbers["arc"].value == 0
    assert drawn.description.clock.word == "all round"
    assert drawn.difficulty == "easy"


def test_truth_of_blobs(plain):
    drawn = planted(plain, ("loc", Blob(-0.45, 0.45, 0.2, 0.2, soft=0.02)))
    choices = drawn.description.choices
    assert choices["quadrant"].true == ("upper left",)
    assert choices["zone"].true == ("mid-radius", "outer")
    assert choices["morphology"].true == ("blob",)
    clock = drawn.description.clock
    assert (clock.start_h + clock.stop_h) / 2 == pytest.approx(10.5, abs=0.1)
    centred = planted(plain, ("center", Blob(0, 0, 0.2, 0.2, soft=0.02)))
    assert centred.description.clock.word == "undefined"
    assert "centre" in centred.description.choices["zone"].true
    assert centred.description.choices["quadrant"].true == ()
    assert centred.description.choices["symmetry"].true == ("symmetric",)


def test_a_blob_at_twelve_has_an_interval_across_it(plain):
    clock = planted(plain, ("loc", Blob(0, 0.6, 0.2, 0.2, soft=0.02))).description.clock
    assert clock.start_h > 10.5
    assert clock.stop_h < 1.5


def test_truth_of_a_line(plain):
    level = planted(plain, ("scratch", Stroke(-0.5, 0.3, 0.5, 0.3)))
    numbers = level.description.numbers
    assert numbers["angle"].value == pytest.approx(90)
    assert numbers["length"].value == pytest.approx(21.5, abs=0.1)
    assert (level.wafer.grid == FAIL).sum() == pytest.approx(21, abs=1)
    assert level.description.choices["morphology"].true == ("line",)
    rising = planted(plain, ("scratch", Stroke(-0.3, -0.3, 0.3, 0.3)))
    assert rising.description.numbers["angle"].value == pytest.approx(45)
    bent = planted(plain, ("scratch", Stroke(-0.3, -0.3, 0.3, 0.3, bend=0.2)))
    assert bent.description.choices["morphology"].true == ("arc", "line")


def test_a_positive_bend_is_to_the_right(plain):
    at = path(Stroke(0, -0.5, 0, 0.5, bend=0.2), plain)  # upwards
    assert at[len(at) // 2, 1] > at[0, 1]


def test_several_parts_are_one_description(plain):
    two = planted(
        plain,
        ("loc", Blob(0.6, 0, 0.15, 0.15, soft=0.02)),
        ("loc", Blob(-0.6, 0, 0.15, 0.15, soft=0.02)),
    )
    assert two.description.numbers["clusters"].value == 2
    assert two.description.clock is None
    assert two.description.choices["symmetry"].true == ("symmetric",)
    both = planted(plain, ("edge-ring", Rim(2.0)), ("loc", Blob(0.3, 0.3, 0.15, 0.15, soft=0.02)))
    choices = both.description.choices
    assert choices["pattern"].true == ("edge-ring", "loc")
    assert choices["morphology"].true == ("ring", "blob")
    assert both.description.clock is None
    assert {"edge", "inner"} <= set(choices["zone"].true)


def test_what_lies_under_another_pattern_is_not_claimed(plain):
    drawn = planted(
        plain,
        ("donut", Ring(0.7, 0.3, soft=0.02)),
        ("scratch", Stroke(0.4, -0.2, 0.4, 0.2)),
    )
    choice = drawn.description.choices["pattern"]
    assert choice.true == ("donut",)
    assert choice.possible == ("scratch",)


def test_what_nobody_can_see_is_not_claimed(plain):
    heavy = Background(0.3)
    drawn = planted(plain, ("loc", Blob(0.5, 0, 0.06, 0.06, soft=0.02)), background=heavy)
    choice = drawn.description.choices["pattern"]
    assert choice.true == ("none",)
    assert "loc" in choice.possible


def test_truth_of_lattices(plain):
    rows = planted(plain, ("rows", Lattice(4, 1, ((1, 0),))))
    assert rows.description.choices["repeats"].true == ("rows",)
    assert rows.description.choices["morphology"].true == ("striped",)
    assert rows.description.choices["pattern"].true == ("none",)
    field = planted(plain, ("reticle", Lattice(4, 5, ((1, 3),))))
    assert field.description.choices["repeats"].true == ("reticle",)
    at = np.argwhere(field.wafer.grid == FAIL)
    assert {(int(r) % 4, int(c) % 5) for r, c in at} == {(1, 3)}


def test_floods_have_no_place(plain):
    full = planted(plain, ("near-full", Flood()))
    assert full.description.choices["zone"].true == ZONES
    assert full.description.choices["quadrant"].true == ()
    assert full.description.clock.word == "undefined"
    assert full.description.choices["pattern"].true == ("near-full",)
    clean = planted(plain, background=Background(0.03))
    assert clean.description.choices["pattern"].true == ("none",)
    assert clean.description.choices["zone"].true == ()
    assert clean.description.choices["morphology"].true == ("scattered",)
    assert clean.description.numbers["clusters"].value == 0


def test_retested_dies_that_pass_belong_to_no_part():
    seen = 0
    for seed in range(60):
        drawn = draw_pattern(rng(seed), ("edge-ring",), (38, 36))
        seen += drawn.wafer.retests > 0
        assert not (drawn.planted[0].mask & (drawn.wafer.grid != FAIL)).any()
    assert seen > 5


def test_outlines_are_exact(plain):
    where = plain.disk
    blob = Blob(0.2, -0.1, 0.5, 0.3, turn_deg=90, soft=0.1)
    inside = ((where.x - 0.2) / 0.5) ** 2 + ((where.y + 0.1) / 0.3) ** 2 < 1
    assert ((density(blob, plain) >= HALF) == inside).all()
    ring = density(Ring(0.8, 0.5, soft=0.1), plain) >= HALF
    assert (ring == ((where.radius >= 0.5) & (where.radius <= 0.8))).all()
    half = density(Ring(0.8, 0.5, middle_deg=90, span_deg=180), plain) >= HALF
    assert all(apart(float(d), 90) <= 90.1 for d in where.clock_deg[half])


def test_a_nearest_centroid_tells_the_classes_apart():
    """Radial rates, and how uneven they are around: the classes are what their names say."""

    def features(grid):
        where, dies, fails = disk(*grid.shape), grid > 0, grid == FAIL
        zones = np.bincount(where.zone[fails], minlength=5) / np.bincount(
            where.zone[dies], minlength=5
        ).clip(1)
        edge = where.radius > 0.8
        sectors = np.bincount(where.sector[fails & edge], minlength=12) / np.bincount(
            where.sector[dies & edge], minlength=12
        ).clip(1)
        inner = np.bincount(where.sector[fails & ~edge], minlength=12) / np.bincount(
            where.sector[dies & ~edge], minlength=12
        ).clip(1)
        near = fails[1:-1, 1:-1] * sum(
            np.roll(np.roll(fails, a, 0), b, 1)[1:-1, 1:-1]
            for a in (-1, 0, 1)
            for b in (-1, 0, 1)
            if a or b
        )
        return [*zones, sectors.std(), inner.max(), inner.std(), fails.mean(), near.mean()]

    def drawn(seed):
        generator = rng(seed)
        found = [
            features(draw_pattern(generator, (name,)).wafer.grid)
            for name in PATTERNS
            for _ in range(20)
        ]
        return np.asarray(found)

    train, test = drawn(21), drawn(22)
    mean, scale = train.mean(0), train.std(0)
    train, test = (train - mean) / scale, (test - mean) / scale
    centroids = train.reshape(len(PATTERNS), 20, -1).mean(1)
    said = ((test[:, None] - centroids) ** 2).sum(-1).argmin(1)
    assert (said == np.repeat(np.arange(len(PATTERNS)), 20)).mean() > 0.55


def test_a_thousand_maps_take_no_time():
    took = []
    for seed in range(3):
        generator, start = rng(seed), time.perf_counter()
        for name in PATTERNS * 3:
            draw_pattern(generator, (name,), (53, 52))
        took.append((time.perf_counter() - start) / 27)
    assert min(took) < 0.02  # ten times what an idle machine takes, with shape checks


def test_what_cannot_be_drawn_is_said():
    with pytest.raises(FabsightError, match="'swirl' is no pattern; there are center, donut"):
        draw_pattern(rng(0), ("swirl",))
    with pytest.raises(FabsightError, match="3 rows and 40 columns; give 5 to 1000"):
        draw_pattern(rng(0), ("loc",), (3, 40))
    with pytest.raises(FabsightError, match="cannot plant 'ghost'"):
        draw_lot(rng(0), ["ghost"])
    with pytest.raises(FabsightError, match="plant one of them"):
        draw_lot(rng(0), ["change", "guilty"])
    with pytest.raises(FabsightError, match="4 wafers; a lot has at least 8"):
        draw_lot(rng(0), wafers=4)


@pytest.mark.parametrize("what", PLANTED)
def test_lots_show_what_was_planted(what):
    for seed in range(6):
        lot = draw_lot(rng((seed, 9)), [what])
        assert len(lot.wafers) == len(lot.context) == 25
        assert len({d.wafer.grid.shape for d in lot.wafers}) == 1
        of = {k: group.pattern for group in lot.groups for k in group.wafers}
        assert len(of) == sum(len(group.wafers) for group in lot.groups)
        for k, drawn in enumerate(lot.wafers):
            names = {p.pattern for p in drawn.planted} - {"reticle"}
            assert names == ({of[k]} if k in of else set())
            assert drawn.wafer.about.slot == k + 1
            assert any(p.pattern == "reticle" for p in drawn.planted) == (what == "repeater")
        assert (lot.change is not None) == (what == "change")
        assert (lot.guilty is not None) == (what == "guilty")
        assert (lot.repeater is not None) == (what == "repeater")


def test_clusters_are_apart_and_leave_clean_wafers():
    for seed in range(8):
        lot = draw_lot(rng(seed), ["clusters"], size=(26, 26))
        assert 2 <= len(lot.groups) <= 4
        assert all(len(group.wafers) >= 3 for group in lot.groups)
        assert len({group.pattern for group in lot.groups}) == len(lot.groups)
        assert sum(len(group.wafers) for group in lot.groups) <= 20


def test_a_change_goes_by_slot_or_by_time():
    kinds = set()
    for seed in range(12):
        lot = draw_lot(rng(seed), ["change"], size=(26, 26))
        (group,), change = lot.groups, lot.change
        column = [row["time"] if change.by == "time" else k for k, row in enumerate(lot.context)]
        after = {k for k in range(25) if column[k] >= column[change.first]}
        assert after == set(group.wafers)
        kinds.add(change.by)
    assert kinds == {"slot", "time"}


def test_the_guilty_chamber_goes_with_the_pattern():
    for seed in range(8):
        lot = draw_lot(rng(seed), ["guilty"], size=(26, 26))
        (group,), guilty = lot.groups, lot.guilty
        through = [k for k, row in enumerate(lot.context) if row[guilty.column] == guilty.value]
        assert tuple(through) == guilty.wafers
        hit = len(set(group.wafers) & set(through)) / len(through)
        stray = len(set(group.wafers) - set(through)) / (25 - len(through))
        assert hit > 0.6 > 0.25 > stray


def test_lots_are_the_same_for_the_same_seed():
    a, b = draw_lot(rng(8)), draw_lot(rng(8))
    assert context_csv(a) == context_csv(b)
    assert a.groups == b.groups
    for one, other in zip(a.wafers, b.wafers, strict=True):
        assert one.wafer.grid.tobytes() == other.wafer.grid.tobytes()
        assert one.description == other.description


def test_the_context_is_a_table():
    lines = context_csv(draw_lot(rng(0), ["guilty"])).splitlines()
    head = lines[0].split(",")
    assert head[:4] == ["lot", "wafer", "slot", "time"]
    assert len(lines) == 26
    assert all(len(line.split(",")) == len(head) for line in lines)


def test_like_wafers_are_alike():
    """Failing dies of a group's wafers coincide more than those of different groups."""
    lot = draw_lot(rng(1), ["clusters"], size=(38, 36))
    a, b = (lot.groups[k].wafers for k in (0, 1))
    extents = [lot.wafers[k].planted[0].extent for k in (*a[:3], *b[:3])]

    def iou(i, j):
        return (extents[i] & extents[j]).sum() / (extents[i] | extents[j]).sum()

    within = np.mean([iou(0, 1), iou(0, 2), iou(1, 2), iou(3, 4), iou(3, 5), iou(4, 5)])
    between = np.mean([iou(i, j) for i in range(3) for j in range(3, 6)])
    assert within > between + 0.1


def test_an_empty_plan_is_a_clean_wafer(plain):
    drawn = planted(plain)
    assert drawn.description.numbers["fails"].value == 0
    assert drawn.description.numbers["yield"].value == 100
    weak = replace(CLEAN, rate=0.001)
    assert planted(plain, background=weak).difficulty == "easy"

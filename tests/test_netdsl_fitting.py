"""From shares to programs: exact on clean layouts, between pixels on anti-aliased ones, tiled."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from fabsight.netdsl.canonical import canonical
from fabsight.netdsl.fitting import TILE_PX, WINDOW_PX, Fit, fit, pieces
from fabsight.netdsl.language import (
    NO_CAP,
    Cap,
    Poly,
    Program,
    Run,
    Via,
    Wire,
    is_strict,
    parse,
    straight,
    write,
)
from fabsight.netdsl.rendering import coverage, render
from fabsight.netdsl.synthesis import layout

FIT = Fit()


def clean(program):
    return render(program).astype(np.float32)


def iou(one, two):
    a, b = render(one) > 0, render(two) > 0
    return (a & b).sum() / max((a | b).sum(), 1)


@pytest.mark.parametrize(
    "text",
    [
        "WIRE 0 12 8 0 0 0 0 H 128",
        "WIRE 12 0 10 0 0 30 14 V 60",
        "WIRE 64 20 6 12 12 12 12 V 70",
        "WIRE 20 20 6 0 0 0 0 H 60 V 50 H -30",
        "VIA 35 40 6",
        "VIA 35 40 8",
        "WIRE 20 60 8 0 0 0 0 H 88\nWIRE 60 0 8 0 0 0 0 V 128",
        "WIRE 0 0 128 0 0 0 0 H 128",
        "WIRE 10 30 4 0 0 0 0 H 100\nWIRE 10 38 4 0 0 0 0 H 100\nWIRE 10 46 4 0 0 0 0 H 100",
    ],
)
def test_a_clean_picture_gives_its_program_back(text):
    truth = canonical(parse(f"CANVAS 128 128\n{text}"))
    found = canonical(fit(clean(truth), FIT))
    assert np.array_equal(render(found), render(truth))
    assert len(found.commands) == len(truth.commands)


@pytest.mark.parametrize("topology", ["stripes", "lines", "manhattan"])
def test_drawn_layouts_are_fitted_almost_to_the_pixel(topology):
    """Caps worth less than their price are left away; everything else is exact."""
    rows = []
    for seed in range(12):
        truth = layout(np.random.default_rng(seed), topology)
        found = fit(clean(truth), FIT)
        rows.append((iou(found, truth), len(found.shapes), len(truth.shapes)))
        assert parse(write(found))
    ious, ours, theirs = np.array(rows).T
    assert np.mean(ious) >= 0.995
    assert ious.min() >= 0.985
    assert np.median(ours / theirs) <= 1.1


@given(st.integers(0, 2**32 - 1))
@effort(max_examples=10)
def test_any_drawn_layout_is_fitted(seed):
    truth = layout(np.random.default_rng(seed))
    assert iou(fit(clean(truth), FIT), truth) >= 0.98


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("offset", [0.0, 0.25, 0.5, 0.8])
def test_edges_between_pixels_are_placed_between_pixels(offset, turned):
    axis = "V" if turned else "H"
    begin = (40.5 + offset, 20.0) if turned else (20.0, 40.5 + offset)
    truth = Program(128, 128, (straight(axis, begin, 80.0, 9.0),))
    (wire,) = fit(coverage(truth), FIT).shapes
    assert wire.width == pytest.approx(9.0, abs=0.15)
    assert (wire.x if turned else wire.y) == pytest.approx(40.5 + offset, abs=0.15)


@pytest.mark.parametrize("r", [3.0, 4.3, 7.75, 15.0])
def test_a_disc_is_a_via_with_its_area(r):
    truth = Program(64, 64, (Via(30.3, 33.7, r),))
    (via,) = fit(coverage(truth), FIT).shapes
    assert isinstance(via, Via)
    assert (via.x, via.y, via.r) == pytest.approx((30.3, 33.7, r), abs=0.25)


def test_a_square_is_no_via():
    (shape,) = fit(clean(Program(64, 64, (straight("H", (20.0, 30.0), 14.0, 14.0),))), FIT).shapes
    assert isinstance(shape, Wire)


def test_no_metal_gives_no_commands():
    found = fit(np.zeros((30, 50), np.float32), FIT)
    assert (found.width, found.height, found.commands) == (50, 30, ())


@pytest.mark.parametrize("shape", [(17, 300), (300, 17), (16, 16), (31, 257)])
def test_odd_sizes(shape):
    height, width = shape
    truth = Program(width, height, (straight("H", (2.0, 8.0), width - 4.0, 4.0),))
    found = fit(clean(truth), FIT)
    assert (found.width, found.height) == (width, height)
    assert np.array_equal(render(found), render(truth))


def test_specks_are_noise():
    share = np.zeros((64, 64), np.float32)
    share[5:8, 5:8] = 1
    share[40:48, 10:50] = 1
    assert len(fit(share, FIT).commands) == 1


def test_a_comb_of_many_teeth_is_one_command_a_tooth():
    shapes = [straight("V", (float(x), 20.0), 210.0, 4.0) for x in range(8, 240, 8)]
    truth = Program(256, 256, (straight("H", (4.0, 25.0), 246.0, 10.0), *shapes))
    found = fit(clean(truth), FIT)
    assert iou(found, truth) >= 0.99
    assert len(found.commands) <= len(truth.commands)


def test_a_meander_is_few_wires():
    runs = []
    for k in range(6):
        runs += [Run("H", 160.0 if k % 2 == 0 else -160.0, 0.0), Run("V", 0.0, 24.0)]
    truth = Program(220, 200, (Wire(20.0, 20.0, 8.0, NO_CAP, NO_CAP, tuple(runs)),))
    found = fit(clean(truth), FIT)
    assert np.array_equal(render(found), render(truth))
    assert len(found.commands) == 1


@pytest.mark.parametrize("axis", ["H", "V"])
@pytest.mark.parametrize("length", [TILE_PX + 200, 3 * TILE_PX, 2 * TILE_PX + 40])
def test_a_wire_across_tiles_is_one_command(axis, length):
    size = max(length + 40, WINDOW_PX + 10)
    truth = Program(size, size, (straight(axis, (20.0, 100.0), float(length - 80), 10.0),))
    found = fit(clean(truth), FIT)
    assert len(found.commands) == 1
    assert np.array_equal(render(found), render(truth))


def test_a_large_frame_is_fitted_like_its_parts():
    shapes = [straight("H", (0.0, 30.0 + 60 * k), 900.0, 12.0) for k in range(10)]
    shapes += [
        Wire(40.0 + 160 * k, 42.0, 8.0, NO_CAP, NO_CAP, (Run("V", 0.0, 33.0), Run("H", 60.0, 0.0)))
        for k in range(5)
    ]
    truth = Program(900, 640, tuple(shapes))
    found = fit(clean(truth), FIT)
    assert iou(found, truth) >= 0.995
    assert len(found.commands) <= 1.1 * len(truth.commands)


@pytest.mark.parametrize("extended", [False, True])
def test_oblique_metal_is_straight_wires_or_one_polygon(extended):
    corners = ((20.0, 20.0), (110.0, 50.0), (100.0, 110.0), (30.0, 80.0))
    share = coverage(Program(128, 128, (Poly(corners),)))
    found = fit(share, Fit(extended=extended))
    assert is_strict(found) is not extended
    both = render(found) > 0
    truth = share > 0.5
    agreement = (both & truth).sum() / (both | truth).sum()
    assert agreement >= (0.98 if extended else 0.8)
    if extended:
        assert len(found.commands) == 1


def test_a_higher_price_gives_shorter_programs():
    truth = layout(np.random.default_rng(3), "manhattan")
    counts = [
        len(fit(clean(truth), Fit(price=price, part=price / 2, speck=1)).commands)
        for price in (4.0, 100.0, 1000.0, 1e5)
    ]
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] < counts[0]


def test_caps_survive_the_border():
    """Half of the wire and half of its cap lie outside the canvas."""
    truth = Program(128, 128, (Wire(20.0, 60.0, 6.0, NO_CAP, Cap(10.0, 12.0), (
        Run("H", 108.0, 0.0), Run("V", 0.0, 40.0))),))  # fmt: skip
    found = fit(clean(truth), FIT)
    assert np.array_equal(render(found), render(truth))
    assert len(found.commands) == 1


def test_pieces_are_the_connected_metal_in_windows():
    share = np.zeros((50, 80), np.float32)
    share[10:20, 10:30] = 1
    share[30:40, 50:70] = 1
    found = pieces(share, 14.0)
    assert [(p.x, p.y) for p in found] == [(7, 7), (47, 27)]
    assert [int(p.own.sum()) for p in found] == [200, 200]
    assert all((p.votes[p.own] == 1).all() and (p.votes[~p.own] == -1).all() for p in found)

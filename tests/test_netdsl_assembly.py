"""Boxes become wires: dogbones, bends, wires cut by the border of the canvas."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabsight.netdsl.assembly import Leg, Section, Tolerances, assemble, legs_of, wire_of
from fabsight.netdsl.language import NO_CAP, Cap, Program, Run, Wire, straight
from fabsight.netdsl.rendering import Box, paint, primitives, render

CANVAS = (256, 256)


def boxes_of(wire, canvas=CANVAS):
    """Body runs long enough to reach the far side of each bend, and caps: what a cover finds."""
    half, found = wire.width / 2, []
    x, y = wire.x, wire.y
    for number, run in enumerate(wire.runs):
        nx, ny = x + run.dx, y + run.dy
        before, after = half * (number > 0), half * (number + 1 < len(wire.runs))
        ux, uy = np.sign(run.dx), np.sign(run.dy)
        ends = (x - ux * before, y - uy * before, nx + ux * after, ny + uy * after)
        side = (0, half) if run.dx else (half, 0)
        xs, ys = sorted((ends[0], ends[2])), sorted((ends[1], ends[3]))
        found.append((xs[0] - side[0], ys[0] - side[1], xs[1] + side[0], ys[1] + side[1]))
        x, y = nx, ny
    boxes = [p for p in primitives(wire) if isinstance(p, Box)]
    caps = [
        (b.x0, b.y0, b.x1, b.y1) for b in boxes[1:] if wire.start != NO_CAP or wire.end != NO_CAP
    ]
    clip = [(max(a, 0), max(b, 0), min(c, canvas[0]), min(d, canvas[1])) for a, b, c, d in found]
    if len(wire.runs) == 1:
        clip += [
            (max(a, 0), max(b, 0), min(c, canvas[0]), min(d, canvas[1])) for a, b, c, d in caps
        ]
    return [tuple(map(float, box)) for box in clip]


def same_picture(wires, expected):
    a, b = (paint(shapes, *CANVAS) for shapes in (wires, expected))
    return np.array_equal(a, b)


bends = st.builds(
    lambda x, y, w, steps, upright: Wire(
        x, y, w, NO_CAP, NO_CAP,
        tuple(
            Run("V", 0.0, s) if upright ^ bool(k % 2) else Run("H", s, 0.0)
            for k, s in enumerate(steps)
        ),
    ),
    st.integers(100, 150).map(float),
    st.integers(100, 150).map(float),
    st.sampled_from([4.0, 6.0, 8.0, 10.0]),
    st.lists(st.sampled_from([-44.0, -33.0, 35.0, 46.0]), min_size=1, max_size=2),
    st.booleans(),
)  # fmt: skip


@given(bends)
def test_legs_that_fill_a_corner_are_one_wire(wire):
    (found,) = assemble(legs_of(boxes_of(wire), CANVAS), CANVAS)
    assert same_picture([found], [wire])
    assert len(found.runs) == len(wire.runs)


@pytest.mark.parametrize("axis", ["H", "V"])
@pytest.mark.parametrize("ends", [(True, False), (False, True), (True, True)])
def test_boxes_on_the_ends_of_a_bar_are_its_dogbones(axis, ends):
    caps = [Cap(14.0, 16.0) if has else NO_CAP for has in ends]
    wire = straight(axis, (60.0, 60.0), 120.0, 8.0, *caps)
    (found,) = assemble(legs_of(boxes_of(wire), CANVAS), CANVAS)
    assert same_picture([found], [wire])
    assert {found.start, found.end} == set(caps)


def test_a_cap_longer_than_wide_is_a_cap():
    wire = straight("H", (40.0, 80.0), 150.0, 6.0, NO_CAP, Cap(30.0, 12.0))
    (found,) = assemble(legs_of(boxes_of(wire), CANVAS), CANVAS)
    assert (found.start, found.end) == (NO_CAP, Cap(30.0, 12.0))


def test_a_wire_along_the_border_takes_its_width_from_the_leg_that_shows_it():
    """Half of the first run lies outside; the second run shows how wide the wire is."""
    wire = Wire(40.0, 0.0, 10.0, NO_CAP, NO_CAP, (Run("H", 100.0, 0.0), Run("V", 0.0, 80.0)))
    (found,) = assemble(legs_of(boxes_of(wire), CANVAS), CANVAS)
    assert same_picture([found], [wire])
    assert found.width == 10.0
    assert found.y == pytest.approx(0.0)


def test_the_cap_of_a_wire_cut_by_the_border_is_as_wide_outside():
    """Shown: a leg of 3 px whose cap shows 5; the other leg says that the wire has 5."""
    boxes = [
        (208.0, 136.5, 256.0, 141.5),
        (253.0, 136.5, 256.0, 180.0),
        (251.0, 170.0, 256.0, 180.0),
    ]
    (found,) = assemble(legs_of(boxes, CANVAS), CANVAS)
    assert found.width == 5.0
    picture = render(Program(*CANVAS, (found,)))
    assert picture[172, 250:].tolist() == [0, 1, 1, 1, 1, 1]
    assert picture[160, 250:].tolist() == [0, 0, 0, 1, 1, 1]


def test_legs_of_different_width_stay_two_wires():
    boxes = [(20.0, 50.0, 120.0, 56.0), (114.0, 50.0, 130.0, 150.0)]
    assert len(assemble(legs_of(boxes, CANVAS), CANVAS)) == 2


def test_parallel_bars_stay_apart():
    boxes = [(20.0, 50.0, 120.0, 56.0), (20.0, 70.0, 120.0, 76.0)]
    assert len(assemble(legs_of(boxes, CANVAS), CANVAS)) == 2


def test_a_ring_of_four_legs_is_one_open_chain():
    boxes = [
        (20.0, 20.0, 120.0, 28.0),
        (112.0, 20.0, 120.0, 120.0),
        (20.0, 112.0, 120.0, 120.0),
        (20.0, 20.0, 28.0, 120.0),
    ]
    wires = assemble(legs_of(boxes, CANVAS), CANVAS)
    mask = paint(wires, *CANVAS)
    expected = np.zeros_like(mask)
    expected[20:120, 20:120] = 1
    expected[28:112, 28:112] = 0
    assert np.array_equal(mask, expected)
    assert sum(len(wire.runs) for wire in wires) == 4


@pytest.mark.parametrize(
    ("box", "cut"),
    [
        ((0.0, 50.0, 256.0, 58.0), None),
        ((20.0, 0.0, 120.0, 5.0), 0),
        ((20.0, 250.0, 120.0, 256.0), 1),
        ((0.0, 20.0, 5.0, 120.0), 0),
        ((250.0, 20.0, 256.0, 120.0), 1),
    ],
)
def test_a_leg_knows_which_of_its_sides_the_border_cuts(box, cut):
    (leg,) = legs_of([box], CANVAS)
    assert leg.cut == cut


def test_a_leg_in_sections_is_a_wire_with_jogs():
    leg = Leg("H", [Section(10, 60, 20), Section(60, 110, 26)], 8.0)
    wire = wire_of([(leg, 0)])
    assert [(run.axis, run.dx, run.dy) for run in wire.runs] == [
        ("H", 50, 0.0), ("V", 0.0, 6), ("H", 50, 0.0)
    ]  # fmt: skip
    back = wire_of([(leg, 1)])
    assert paint([back], *CANVAS).tolist() == paint([wire], *CANVAS).tolist()


@given(st.lists(bends, max_size=4))
def test_every_leg_ends_up_in_exactly_one_wire(wires):
    boxes = [box for wire in wires for box in boxes_of(wire)]
    legs = legs_of(boxes, CANVAS)
    found = assemble(legs, CANVAS, Tolerances())
    assert all(leg.used for leg in legs)
    assert sum(len(w.runs) for w in found) <= len(boxes)

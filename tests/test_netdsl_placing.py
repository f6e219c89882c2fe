"""Edges by convention, layouts grown, and the numbers of a proposal moved to the image's edges."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabsight.netdsl.checking import verify
from fabsight.netdsl.conventions import Gap, gap, outward
from fabsight.netdsl.frontends import evidence
from fabsight.netdsl.growing import grown
from fabsight.netdsl.language import Cap, Poly, Program, Run, Via, Wire, moved, parse, straight
from fabsight.netdsl.looks import Look, draw_look
from fabsight.netdsl.metrology import measure, measure_parts
from fabsight.netdsl.placing import placed
from fabsight.netdsl.rendering import render
from fabsight.netdsl.sem import simulate
from fabsight.netdsl.settings import LayoutSettings
from fabsight.netdsl.solver import layout_of, refine
from fabsight.netdsl.synthesis import PROMPT, layout
from fabsight.task import Image, Question

TRUTH = parse(
    "CANVAS 192 192\nWIRE 40 0 14 0 0 0 0 V 192\nWIRE 80 20 16 20 24 0 0 V 140\n"
    "WIRE 120 30 12 0 0 0 0 H 60 V 120\nVIA 108 120 8"
)


def asked(pixels, **chosen):
    return Question((Image(pixels),), PROMPT, LayoutSettings(**chosen))


def seen(program, preset="clean", seed=0, family="relief", **chosen):
    if preset == "clean":
        return asked(render(program) * np.uint8(255), **chosen)
    rng = np.random.default_rng(seed)
    return asked(simulate(program, draw_look(rng, preset, family), rng).pixels, **chosen)


def iou(one, two):
    a, b = render(one) > 0, render(two) > 0
    return (a & b).sum() / (a | b).sum()


def off_by(program, rng, most_px):
    """Every place and width off by up to `most_px`."""

    def off():
        return float(rng.uniform(-most_px, most_px))

    shapes = []
    for shape in program.shapes:
        shape = moved(shape, off(), off())
        if isinstance(shape, Wire):
            shape = replace(shape, width=shape.width + off())
        elif isinstance(shape, Via):
            shape = replace(shape, r=shape.r + off() / 2)
        shapes.append(shape)
    return replace(program, commands=tuple(shapes))


@pytest.mark.parametrize(("preset", "least"), [("clean", 0.94), ("mild", 0.88), ("hard", 0.83)])
def test_numbers_off_by_some_px_are_moved_to_the_edges(preset, least):
    rng = np.random.default_rng(3)
    for seed in range(3):
        question = seen(TRUTH, preset, seed)
        proposal = off_by(TRUTH, rng, 3.0)
        refined = refine(question, proposal)
        assert iou(refined, TRUTH) > max(least, iou(proposal, TRUTH))
        assert verify(question, refined).score >= verify(question, proposal).score


def test_every_number_is_found_on_a_mask():
    proposal = parse(
        "CANVAS 192 192\nWIRE 42 0 11 0 0 0 0 V 192\nWIRE 78 23 19 20 27 0 0 V 134\n"
        "WIRE 123 32 12 0 0 0 0 H 54 V 121\nVIA 110 121 6"
    )
    assert iou(proposal, TRUTH) < 0.75
    assert iou(refine(seen(TRUTH), proposal), TRUTH) > 0.98


def test_a_right_program_stays_itself():
    question = seen(TRUTH, "mild")
    assert refine(seen(TRUTH), TRUTH) is TRUTH
    assert iou(refine(question, TRUTH), TRUTH) > 0.94
    solved = layout_of(seen(TRUTH))
    assert refine(seen(TRUTH), solved) is solved


def test_what_a_proposal_lacks_is_not_its_merit():
    question = seen(TRUTH)
    for shapes in ((), TRUTH.shapes[:1], (Poly(((5, 5), (25, 5), (15, 35))),)):
        proposal = replace(TRUTH, commands=tuple(shapes))
        refined = refine(question, proposal)
        assert len(refined.shapes) == len(shapes)
        assert iou(refined, TRUTH) == pytest.approx(iou(proposal, TRUTH), abs=0.02)


def test_a_via_that_overhangs_metal_stays_and_hinders_nothing():
    truth = parse(
        "CANVAS 128 128\nWIRE 40 48 8 0 0 0 0 H 56\nWIRE 20 90 10 0 0 0 0 H 90\nVIA 37 48 8"
    )
    assert placed(evidence(np.float32(render(truth) * 255), LayoutSettings()), truth) is truth
    shapes = [moved(s, 0, 3) if getattr(s, "y", 0) == 90 else s for s in truth.shapes]
    assert iou(refine(seen(truth), replace(truth, commands=tuple(shapes))), truth) > 0.99


@pytest.mark.parametrize(("preset", "least"), [("clean", 1.0), ("mild", 0.97), ("hard", 0.92)])
def test_refining_hardly_spoils_what_is_right(preset, least):
    found = []
    for seed in range(6):
        program = layout(np.random.default_rng(seed))
        found.append(iou(refine(seen(program, preset, seed, "bloom"), program), program))
    assert np.mean(found) >= least


def test_runs_neither_turn_nor_vanish():
    short = parse("CANVAS 64 64\nWIRE 20 20 6 0 0 0 0 H 20 V 2 H 20")
    assert [r.axis for r in grown(short, -3.0).shapes[0].runs] == ["H", "V", "H"]
    for by in (-3.0, -1.0, 2.0):
        for shape in grown(Program(64, 64, (straight("H", (30, 30), 3, 8),)), by).shapes:
            assert shape.runs[0].dx > 0


def test_a_canvas_of_another_size_is_left_alone():
    other = replace(TRUTH, width=150)
    assert refine(seen(TRUTH), other) is other


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_any_program_may_be_refined(seed):
    rng = np.random.default_rng(seed)
    program = layout(rng)
    question = asked(rng.integers(0, 256, (256, 256)).astype(np.uint8))
    proposal = off_by(program, rng, 8.0)
    found = placed(evidence(np.float32(render(program) * 255), LayoutSettings()), proposal)
    assert len(found.shapes) <= len(proposal.shapes)
    assert verify(question, refine(question, proposal)).score >= verify(question, proposal).score


LINES = Program(256, 256, tuple(straight("V", (x, 0), 256, 14) for x in range(20, 250, 32)))
RIMMED = Look(rim=55.0, sidewall_px=3.0, dose=20.0, roughness_px=0.3, blur_px=0.6, shadow=0.0)


@pytest.mark.parametrize("edge", ["inner", "mid", "outer"])
def test_drawn_widths_are_measured_widths_in_every_convention(edge):
    question = asked(simulate(LINES, RIMMED, np.random.default_rng(2)).pixels, edge=edge)
    program = layout_of(question)
    rows = [row for row in measure(question, program) if row["cd_px"] is not None]
    assert len(rows) >= len(LINES.commands)
    off = [row["cd_px"] - row["design_width_px"] for row in rows]
    assert abs(np.mean(off)) < 0.2
    assert verify(question, program).evidence["outline off (px)"] < 0.25


def test_a_proposal_by_another_convention_is_moved_to_the_one_asked_for():
    pixels = simulate(LINES, RIMMED, np.random.default_rng(2)).pixels
    outer, mid = (asked(pixels, edge=edge) for edge in ("outer", "mid"))
    refined = refine(outer, LINES)
    assert verify(outer, refined).score > verify(outer, LINES).score
    assert np.mean([w.width for w in refined.shapes]) > 14.5
    widths = [[w.width for w in refine(mid, p).shapes] for p in (refined, LINES)]
    assert np.mean(widths[0]) == pytest.approx(np.mean(widths[1]), abs=0.6)


def test_conventions_lie_outside_and_inside():
    grey = simulate(LINES, RIMMED, np.random.default_rng(0)).pixels.astype(np.float32)
    wires = {edge: outward(grey, LINES, edge)[0] for edge in ("outer", "mid", "inner")}
    assert 0.4 < wires["outer"] < 3
    assert wires["mid"] == 0
    assert -3 < wires["inner"] < -0.4


def test_a_gap_is_weighed_by_rows_and_knows_its_error():
    rng = np.random.default_rng(0)
    edges = [0.5 + 0.1 * rng.standard_normal(400) + by for by in (-0.02, 0.02, 0.0, 8.0)]
    sides = [*edges, None, np.full(400, np.nan), np.full(2, 9.0)]
    found = gap(sides)
    assert found.px == pytest.approx(0.5, abs=0.02)
    assert 0.002 < found.error_px < 0.02
    assert not gap([None]).clear
    assert Gap(0.6, 0.1).clear
    assert not Gap(0.6, 0.3).clear


def test_narrow_wires_are_measured_too():
    thin = Program(200, 200, tuple(straight("V", (x, 0), 200, 5) for x in range(15, 190, 24)))
    grey = simulate(thin, Look(dose=20.0), np.random.default_rng(1)).pixels.astype(np.float32)
    legs, _ = measure_parts(grey, thin)
    assert abs(gap([side for leg in legs for side in (leg.left, leg.right)]).px) < 0.4


def test_growing_moves_every_edge_outward():
    square = Program(64, 64, (straight("H", (20.0, 32.0), 24.0, 10.0),))
    assert render(grown(square, 1.0)).sum() == 26 * 12
    assert render(grown(square, -1.0)).sum() == 22 * 8
    assert grown(square, 0.0) == square
    for seed in range(6):
        program = layout(np.random.default_rng(seed))
        areas = [int(render(grown(program, by)).sum()) for by in (-1.0, 0.0, 1.0)]
        assert areas[0] < areas[1] < areas[2]


def test_polygons_grow_and_shrink_and_may_vanish():
    square = Program(64, 64, (Poly(((20, 20), (40, 20), (40, 40), (20, 40))),))
    assert render(grown(square, 2.0)).sum() == 24 * 24
    assert render(grown(square, -2.0)).sum() == 16 * 16
    assert grown(square, -12.0).commands == ()
    neck = Poly(((4, 4), (24, 4), (24, 13), (40, 13), (40, 4), (60, 4), (60, 24), (4, 24), (4, 20)))
    assert all(isinstance(s, Poly) for s in grown(Program(64, 64, (neck,)), -1.0).commands)


def test_caps_and_vias_grow():
    wire = Wire(10, 32, 8, Cap(6, 12), Cap(), (Run("H", 30, 0.0),))
    found = grown(Program(64, 64, (wire, Via(50, 50, 4))), 1.0, vias_by_px=0.5).commands
    assert found[0].start == Cap(8, 14)
    assert found[1].r == 4.5

"""The embedded model from image to program: conventions, ranges, polarity, settings."""

from dataclasses import replace

import numpy as np
import pytest

from fabsight.netdsl.canonical import canonical
from fabsight.netdsl.language import (
    Array,
    Poly,
    Program,
    Via,
    Wire,
    is_strict,
    parse,
    straight,
    write,
)
from fabsight.netdsl.looks import Look, draw_look
from fabsight.netdsl.regular import on_grids
from fabsight.netdsl.rendering import render
from fabsight.netdsl.sem import simulate
from fabsight.netdsl.settings import LayoutSettings
from fabsight.netdsl.solver import layout_of, solve
from fabsight.task import Image, Question

BARS = Program(256, 256, tuple(straight("V", (30.0 + 40 * k, 0.0), 256.0, 14.0) for k in range(5)))
ROUTED = parse(
    "CANVAS 256 256\nWIRE 20 30 10 0 0 20 16 H 150 V 120\nWIRE 30 80 8 0 0 0 0 H 100 V 120\n"
    "WIRE 200 20 12 0 0 0 0 V 210\nVIA 60 180 8\n"
)


def pixels_of(program, preset="mild", seed=0, family="bloom"):
    rng = np.random.default_rng(seed)
    return simulate(program, draw_look(rng, preset, family), rng).pixels


def asked(pixels, **settings):
    return Question((Image(pixels),), "", LayoutSettings(**settings))


def iou(one, two):
    a, b = render(one) > 0, render(two) > 0
    return (a & b).sum() / max((a | b).sum(), 1)


@pytest.mark.parametrize("family", ["bloom", "relief"])
@pytest.mark.parametrize(("preset", "least"), [("mild", 0.9), ("hard", 0.8)])
def test_simulated_layouts_are_read(preset, least, family):
    """Few commands of straight edges, on a family it was trained on and on one it was not."""
    for truth in (BARS, ROUTED):
        found = layout_of(asked(pixels_of(truth, preset, 3, family)))
        assert iou(found, truth) >= least
        assert len(found.shapes) <= 2 * len(truth.shapes) + 2


def test_the_answer_is_canonical_text():
    question = asked(pixels_of(ROUTED))
    text = solve(question)
    assert write(canonical(parse(text))) == text
    assert solve(asked(pixels_of(ROUTED))) == text


@pytest.mark.parametrize("value", [0, 90, 255])
def test_a_uniform_image_has_an_empty_program(value):
    found = layout_of(asked(np.full((64, 80), value, np.uint8)))
    assert (found.width, found.height, found.commands) == (80, 64, ())


def test_noise_alone_has_next_to_nothing():
    noise = np.random.default_rng(0).poisson(100, (128, 128)).astype(np.uint8)
    assert render(layout_of(asked(noise))).mean() < 0.25


@pytest.mark.parametrize("shape", [(17, 300), (300, 17), (16, 16), (131, 257)])
def test_small_and_odd_sizes(shape):
    height, width = shape
    truth = Program(width, height, (straight("H", (0.0, height / 2), float(width), 8.0),))
    found = layout_of(asked(pixels_of(truth)))
    assert (found.width, found.height) == (width, height)
    assert iou(found, truth) > 0.6


def test_16_bits_and_floats_give_the_program_of_8_bits():
    pixels = pixels_of(ROUTED)
    first = layout_of(asked(pixels))
    for other in (pixels.astype(np.uint16) * 257, pixels.astype(np.float32) / 255):
        assert iou(layout_of(asked(other)), first) > 0.995


@pytest.mark.parametrize(("gain", "offset"), [(0.25, 0), (0.5, 60), (40.0, 500)])
def test_gain_and_offset_do_not_matter(gain, offset):
    pixels = pixels_of(ROUTED)
    found = layout_of(asked((pixels * gain + offset).astype(np.float32)))
    assert iou(found, layout_of(asked(pixels))) > 0.995


def test_colour_is_read_as_grey():
    pixels = pixels_of(ROUTED)
    colour = np.stack([pixels] * 3, axis=2)
    assert iou(layout_of(asked(colour)), layout_of(asked(pixels))) > 0.995


def test_dark_metal_is_the_inverted_image():
    pixels = pixels_of(ROUTED)
    bright = layout_of(asked(pixels))
    assert iou(layout_of(asked(255 - pixels, polarity="dark")), bright) > 0.99
    assert iou(layout_of(asked(255 - pixels)), bright) > 0.95


def test_outer_edges_are_wider_and_inner_ones_narrower():
    look = Look(rim=50.0, sidewall_px=3.0, dose=20.0, roughness_px=0.3, blur_px=0.6, shadow=0.0)
    pixels = simulate(BARS, look, np.random.default_rng(2)).pixels
    areas = {e: render(layout_of(asked(pixels, edge=e))).mean() for e in ("inner", "mid", "outer")}
    assert areas["inner"] < areas["mid"] < areas["outer"]


def test_strict_programs_have_no_array():
    vias = tuple(Via(24.0 + 30 * i, 24.0 + 30 * j, 7.0) for j in range(7) for i in range(7))
    pixels = render(Program(256, 256, vias)) * np.uint8(255)
    free, strict = layout_of(asked(pixels)), layout_of(asked(pixels, strict_l2=True))
    assert [type(command) for command in free.commands] == [Array]
    assert is_strict(strict)
    assert np.array_equal(render(free), render(strict))
    assert len(strict.commands) == 49


def test_oblique_metal_needs_the_extension():
    corners = ((30.0, 30.0), (230.0, 170.0), (215.0, 195.0), (15.0, 55.0))
    truth = Program(256, 256, (Poly(corners),))
    pixels = pixels_of(truth)
    free, strict = layout_of(asked(pixels, extended=True)), layout_of(asked(pixels))
    assert any(isinstance(shape, Poly) for shape in free.shapes)
    assert all(isinstance(shape, Wire | Via) for shape in strict.shapes)
    assert iou(free, truth) > max(iou(strict, truth), 0.9)


def test_vias_inside_metal_are_found():
    metal = straight("H", (0.0, 64.0), 128.0, 40.0)
    truth = Program(128, 128, (metal, Via(30.0, 64.0, 8.0), Via(90.0, 62.0, 8.0)))
    look = Look(metal=120.0, via=200.0, rim=30.0, dose=20.0, blur_px=0.6)
    found = layout_of(asked(simulate(truth, look, np.random.default_rng(0)).pixels))
    places = sorted((s.x, s.y) for s in found.shapes if isinstance(s, Via))
    assert len(places) == 2
    assert np.abs(np.subtract(places, [(30.0, 64.0), (90.0, 62.0)])).max() < 1.5


def test_a_via_of_another_size_keeps_it():
    vias = [Via(20.0 + 20 * i, 20.0 + 20 * j, 5.0) for j in range(4) for i in range(5)]
    vias[7] = replace(vias[7], r=3.0)
    program = Program(128, 128, tuple(vias))
    assert sorted(v.r for v in on_grids(program).shapes)[:2] == [3.0, 5.0]
    found = layout_of(asked(render(program) * np.uint8(255)))
    assert sorted(v.r for v in found.shapes)[0] == pytest.approx(3.0, abs=0.4)


def test_a_wire_across_the_tiles_of_a_large_frame_is_one_command():
    truth = Program(
        1200, 400, tuple(straight("H", (0.0, 50.0 + 60 * k), 1200.0, 16.0) for k in range(6))
    )
    found = layout_of(asked(pixels_of(truth)))
    assert iou(found, truth) > 0.9
    assert len(found.commands) <= 8

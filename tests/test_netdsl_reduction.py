"""Magnified images: they are read reduced, and everything said is in the person's pixels."""

from dataclasses import replace

import numpy as np
import pytest

from fabsight import TASKS
from fabsight.images import grey
from fabsight.netdsl.checking import inspect, verify
from fabsight.netdsl.language import Poly, Program, Via, parse, straight, write
from fabsight.netdsl.looks import draw_look
from fabsight.netdsl.metrology import measure
from fabsight.netdsl.reduction import LEAST_SIDE_PX, WIDE_PX, edge_px, reduced, shrink
from fabsight.netdsl.rendering import render
from fabsight.netdsl.scoring import score_masks
from fabsight.netdsl.sem import simulate
from fabsight.netdsl.settings import LayoutSettings
from fabsight.netdsl.shapes import scaled
from fabsight.netdsl.solver import refine, solve
from fabsight.netdsl.synthesis import PROMPT, layout
from fabsight.task import FabsightError, Image, Question

TASK = TASKS["netdsl"]
SIDE = 160
TRUTH = Program(
    SIDE,
    SIDE,
    (
        *(straight("V", (x, 0), SIDE, 12) for x in (20, 60)),
        straight("H", (90, 40), 70, 14),
        Via(120, 100, 8),
    ),
)


def asked(pixels, **settings):
    return Question((Image(pixels, 2.0, "user"),), PROMPT, LayoutSettings(**settings))


def shot(seed=0, preset="mild", program=TRUTH):
    rng = np.random.default_rng(seed)
    return simulate(program, draw_look(rng, preset), rng).pixels


def magnified(pixels, by):
    import cv2

    return cv2.resize(pixels, None, fx=by, fy=by, interpolation=cv2.INTER_CUBIC)


def enlarged(program, by):
    shapes = tuple(scaled(shape, by) for shape in program.shapes)
    return Program(round(program.width * by), round(program.height * by), shapes)


@pytest.mark.parametrize("by", [3, 4, 6])
def test_a_magnified_image_is_read_as_well(by):
    pixels = shot()
    plain, large = asked(pixels), asked(magnified(pixels, by))
    assert reduced(plain).factor == 1
    assert 1 < reduced(large).factor <= by
    truth = enlarged(TRUTH, by)
    found = TASK.parse(solve(large), large)
    assert (found.width, found.height) == (SIDE * by, SIDE * by)
    assert score_masks(render(found), render(truth))["iou"] > 0.9
    assert verify(large, found).score > 0.6
    assert "read at" in verify(large, found).evidence
    blind = replace(large, context=LayoutSettings(reduce=1))
    assert reduced(blind).question is blind
    worse = TASK.parse(solve(blind), blind)
    assert score_masks(render(worse), render(truth))["iou"] < 0.9
    assert verify(blind, worse).score < 0.5


def test_the_width_of_edges_follows_the_magnification():
    pixels = grey(Image(shot(1)))
    widths = [edge_px([np.asarray(magnified(pixels, by), np.float32)]) for by in (1, 1.5, 2, 3)]
    assert widths == sorted(widths)
    assert widths[3] > 2 * widths[0]


@pytest.mark.parametrize("preset", ["mild", "hard"])
@pytest.mark.parametrize("family", ["bloom", "relief"])
def test_usual_images_are_read_as_they_are(family, preset):
    for seed in range(6):
        rng = np.random.default_rng([7, seed])
        program = layout(rng)
        pixels = simulate(program, draw_look(rng, preset, family), rng).pixels
        question = asked(pixels)
        assert reduced(question).question is question


def test_masks_flat_and_small_images_are_read_as_they_are():
    mask = magnified(render(TRUTH), 4) * np.uint8(255)
    mask[mask > 100] = 255
    mask[mask < 255] = 0
    flat = np.full((300, 300), 90, np.uint8)
    ramp = np.tile(np.linspace(0, 255, LEAST_SIDE_PX).astype(np.uint8), (LEAST_SIDE_PX, 1))
    for pixels in (mask, flat, ramp):
        assert reduced(asked(pixels)).factor == 1


@pytest.mark.parametrize("factor", [1.5, 2.0, 3.0, 7.0])
def test_places_are_kept_to_a_hundredth_of_a_pixel(factor):
    pixels = np.zeros((420, 420), np.float32)
    pixels[84:336, 126:210] = 100
    small = shrink(pixels, factor)
    total = small.sum()
    y, x = (np.arange(n) + 0.5 for n in small.shape)
    centre = float(small.sum(0) @ x / total), float(small.sum(1) @ y / total)
    assert centre == pytest.approx((168 / factor, 210 / factor), abs=0.01)
    assert total * factor**2 == pytest.approx(pixels.sum(), rel=1e-3)


def test_a_person_can_say_by_how_much():
    question = asked(shot(2), reduce=2)
    read = reduced(question)
    assert read.factor == 2
    assert read.question.images[0].pixels.shape == (SIDE // 2, SIDE // 2)
    assert read.question.images[0].nm_per_px == 4.0
    found = TASK.parse(solve(question), question)
    assert (found.width, found.height) == (SIDE, SIDE)
    assert score_masks(render(found), render(TRUTH))["iou"] > 0.85


def test_what_the_check_objects_to_is_where_the_person_sees_it():
    by = 4
    question = asked(magnified(shot(3), by))
    truth = enlarged(TRUTH, by)
    lacking = replace(truth, commands=truth.commands[1:])
    (patch, *_) = inspect(question, lacking).patches
    assert patch.x0 - 8 * by < 20 * by < patch.x1 + 8 * by
    assert patch.y1 - patch.y0 > 100 * by
    wire = straight("V", (30 * by, 0), SIDE * by, 6 * by)
    more = replace(truth, commands=(*truth.commands, wire))
    found = inspect(question, more)
    assert found.unsupported == (len(truth.commands),)
    assert f"WIRE at ({30 * by}, 0)" in str(found.check.evidence["not in the image"])


def test_lengths_are_those_of_the_image_as_it_is():
    pixels, by = shot(4), 4
    small = measure(asked(pixels), TRUTH)
    large = measure(asked(magnified(pixels, by)), enlarged(TRUTH, by))
    for one, other in zip(small, large, strict=True):
        name = "diameter" if one["kind"] == "via" else "cd"
        assert other[f"{name}_px"] == pytest.approx(by * one[f"{name}_px"], abs=0.3 * by)
        assert other[f"{name}_nm"] == pytest.approx(2 * other[f"{name}_px"], abs=0.01)
        assert other["x_px"] == pytest.approx(by * one["x_px"], abs=0.5 * by)
        assert other["edge"] == "mid"


def test_refining_a_magnified_layout_never_lowers_its_check():
    by = 4
    question = asked(magnified(shot(5), by))
    truth = enlarged(TRUTH, by)
    moved = straight("V", (22.5 * by, 0), SIDE * by, 12 * by)
    off = replace(truth, commands=(moved, *truth.commands[1:]))
    for program, least in ((truth, 0.95), (off, score_masks(render(off), render(truth))["iou"])):
        found = refine(question, program)
        assert verify(question, found).score >= verify(question, program).score
        assert score_masks(render(found), render(truth))["iou"] >= least
        assert parse(write(found)) == found or found is program


def electrons(by, seed=0, preset="hard"):
    """A layout whose look is magnified too, with as many electrons to a pixel as before."""
    rng = np.random.default_rng(seed)
    look = draw_look(rng, preset)
    lengths = [name for name in vars(look) if name.endswith("_px") and name != "drift_px"]
    look = replace(look, **{name: by * getattr(look, name) for name in lengths})
    return simulate(enlarged(TRUTH, by), look, rng, 2).pixels


@pytest.mark.parametrize("kind", ["grey", "rgb", "16-bit", "dark", "odd"])
def test_any_kind_of_image_is_read_reduced(kind):
    pixels = electrons(3)
    truth = render(enlarged(TRUTH, 3))
    if kind == "rgb":
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    elif kind == "16-bit":
        pixels = pixels.astype(np.uint16) * 200
    elif kind == "dark":
        pixels = 255 - pixels
    elif kind == "odd":
        pixels, truth = pixels[:-7, :-5], truth[:-7, :-5]
    question = asked(pixels)
    assert reduced(question).factor >= 2
    found = TASK.parse(solve(question), question)
    assert score_masks(render(found), truth)["iou"] > 0.75


def test_arrays_and_polygons_are_rescaled_whole():
    contacts = tuple(Via(x, y, 6) for x in range(20, 150, 26) for y in range(20, 150, 26))
    program = Program(SIDE, SIDE, contacts)
    question = asked(shot(6, program=program), reduce=2)
    found = TASK.parse(solve(question), question)
    assert len(found.commands) < len(contacts)
    assert len(found.shapes) == len(contacts)
    oblique = Program(SIDE, SIDE, (Poly(((10, 10), (120, 60), (90, 130), (20, 110))),))
    question = asked(shot(7, program=oblique), reduce=2, extended=True)
    found = TASK.parse(solve(question), question)
    assert score_masks(render(found), render(oblique))["iou"] > 0.9
    strict = asked(shot(7, program=oblique), reduce=2, strict_l2=True)
    assert not any(isinstance(c, Poly) for c in TASK.parse(solve(strict), strict).commands)


def test_sparse_images_and_slow_gradients_are_not_taken_for_magnified():
    import cv2

    ramp = np.tile(np.linspace(0, 200, 600, dtype=np.float32), (600, 1))
    for size in (40, 100, 300):
        image = np.zeros((600, 600), np.float32)
        image[250 : 250 + size, 200 : 200 + size] = 60
        for sigma in (0.8, 1.2):
            sharp = cv2.GaussianBlur(image, (0, 0), sigma)
            assert edge_px([sharp]) < WIDE_PX
            assert edge_px([sharp + ramp]) < WIDE_PX
    for seed in range(4):
        rng = np.random.default_rng([3, seed])
        one = Program(384, 384, (straight("V", (190, 110), 150, 24), Via(80, 190, 6)))
        pixels = simulate(one, draw_look(rng, "mild"), rng).pixels
        assert reduced(asked(pixels)).factor == 1


def test_metal_wider_than_the_front_end_knows_is_read_smaller():
    """Enlarged masks: sharp edges, but stripes of a hundred pixels."""
    stripes = Program(SIDE, SIDE, tuple(straight("V", (x, 0), SIDE, 24) for x in (20, 70, 120)))
    pixels = magnified(render(stripes) * np.uint8(255), 4)
    question = asked(pixels)
    found = TASK.parse(solve(question), question)
    assert score_masks(render(found), render(enlarged(stripes, 4)))["iou"] > 0.9


def test_a_factor_that_leaves_nothing_is_refused():
    with pytest.raises(FabsightError, match="reduce=64 leaves too little of 160 x 160 px: give 10"):
        reduced(asked(shot(), reduce=64))


def test_a_person_does_not_reduce_a_mask():
    mask = render(TRUTH) * np.uint8(255)
    assert reduced(asked(mask, reduce=3)).factor == 1

"""The verifier of layouts: no truth, pixels only."""

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabsight.netdsl.checking import inspect, name_of, oblique_share, verify
from fabsight.netdsl.edge_profiles import CENTRES_PX, match, outline_of, profiles_of_pieces
from fabsight.netdsl.language import Array, Poly, Program, Via, moved, parse, straight, write
from fabsight.netdsl.looks import Look, draw_look
from fabsight.netdsl.rendering import coverage, render
from fabsight.netdsl.sem import simulate
from fabsight.netdsl.settings import LayoutSettings
from fabsight.netdsl.synthesis import PROMPT, TOPOLOGIES, layout
from fabsight.task import Image, Question

SIDE = 192
WIRES = tuple(straight("V", (x, 0), SIDE, 12) for x in (20, 50, 80, 110, 140, 170))
GRATING = Program(SIDE, SIDE, WIRES)
LOOKS = ("clean", "mild")


def asked(pixels, **chosen):
    return Question((Image(pixels),), PROMPT, LayoutSettings(**chosen))


def seen(program, preset, seed=0, family="relief"):
    rng = np.random.default_rng(seed)
    if preset == "clean":
        return asked(render(program) * np.uint8(255))
    return asked(simulate(program, draw_look(rng, preset, family), rng).pixels)


def with_first(shape):
    return replace(GRATING, commands=(*([shape] if shape else []), *WIRES[1:]))


@pytest.fixture(scope="module", params=LOOKS)
def question(request):
    return seen(GRATING, request.param)


def test_a_right_program_is_believed(question):
    check = verify(question, GRATING)
    assert check.score > 0.7
    assert check.coverage > 0.97
    assert check.independent
    near = replace(GRATING, commands=tuple(moved(w, 0.3, -0.3) for w in WIRES))
    assert verify(question, near).score > 0.6


WRONG = {
    "moved": with_first(moved(WIRES[0], 4, 0)),
    "missing": with_first(None),
    "wide": with_first(replace(WIRES[0], width=16)),
    "all wide": replace(GRATING, commands=tuple(replace(w, width=16) for w in WIRES)),
    "all narrow": replace(GRATING, commands=tuple(replace(w, width=8) for w in WIRES)),
    "added": replace(GRATING, commands=(*WIRES, straight("H", (0, 96), SIDE, 8))),
    "turned": Program(
        SIDE, SIDE, tuple(straight("H", (0, x), SIDE, 12) for x in range(20, 190, 30))
    ),
    "half": with_first(straight("V", (20, 0), SIDE / 2, 12)),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_wrong_program_is_not(question, wrong):
    assert verify(question, wrong).score < verify(question, GRATING).score - 0.15


@pytest.mark.parametrize("preset", ["mild", "hard"])
def test_the_score_falls_with_the_damage(preset):
    found = np.zeros(4)
    for seed in range(3):
        question = seen(GRATING, preset, seed)
        for k in range(4):
            worse = tuple(moved(w, 4, 0) for w in WIRES[:k]) + WIRES[k:]
            found[k] += verify(question, replace(GRATING, commands=worse)).score
    assert found[0] == found.max()
    assert (np.diff(found) < 0.05).all()


def test_silence_and_noise_cover_nothing(question):
    everything = (straight("V", (SIDE / 2, 0), SIDE, SIDE),)
    for commands in ((), everything):
        check = verify(question, replace(GRATING, commands=commands))
        assert (check.score, check.coverage) == (0.0, 0.0)


def test_a_program_over_a_blank_image_is_not_believed():
    rng = np.random.default_rng(0)
    flat = np.full((SIDE, SIDE), 90, np.uint8)
    noisy = rng.poisson(90, flat.shape).astype(np.uint8)
    for pixels in (flat, noisy, noisy.astype(np.float32)):
        assert verify(asked(pixels), GRATING).score < 0.1
        empty = verify(asked(pixels), Program(SIDE, SIDE))
        assert (empty.score, empty.coverage) == (0.5, 0.0)
        assert "nothing to check" in empty.evidence["reason"]


def test_another_canvas_is_refused_with_the_sizes(question):
    check = verify(question, replace(GRATING, width=100))
    assert check.score == 0
    assert "100 x 192 px" in check.evidence["reason"]


def test_evidence_names_what_fits_worst():
    question = seen(GRATING, "mild")
    displaced = with_first(moved(WIRES[0], 3, 0))
    assert "line 2, WIRE at (23, 0)" in verify(question, displaced).evidence["worst shape"]
    added = verify(question, WRONG["added"]).evidence
    assert "line 8, WIRE at (0, 96)" in added["worst shape"]
    assert "line 8, WIRE at (0, 96)" in added["not in the image"]
    missing = verify(question, WRONG["missing"]).evidence
    assert "px around (" in missing["not in the program"]
    assert "edges" in missing["decided by"]
    right = verify(question, GRATING).evidence
    assert not {"worst shape", "not in the image", "not in the program"} & set(right)


def test_objections_have_their_places():
    question = seen(GRATING, "mild")
    assert inspect(question, WRONG["added"]).unsupported == (6,)
    (patch, *_) = inspect(question, WRONG["missing"]).patches
    assert patch.x0 - 8 < 20 < patch.x1 + 8
    assert patch.y1 - patch.y0 > 100
    found = inspect(question, GRATING)
    assert found.unsupported == ()
    assert found.patches == ()


def test_shapes_are_named_by_their_line_and_copy():
    array = Array(3, 2, 20, 30, (Via(10, 9, 3), Via(15, 9, 2)))
    program = Program(96, 96, (WIRES[0], array, WIRES[1]))
    assert name_of(program, 0) == "line 2, WIRE at (20, 0)"
    assert name_of(program, 1) == "line 3, VIA at (10, 9), copy (1, 1)"
    assert name_of(program, 1 + 2 * 5 + 1) == "line 3, VIA at (55, 39), copy (3, 2)"
    assert name_of(program, 13) == "line 4, WIRE at (50, 0)"


GRID = tuple(Via(x, y, 4) for x in range(14, 190, 24) for y in range(12, 190, 24))


@pytest.mark.parametrize("preset", ["clean", "mild"])
def test_the_more_is_left_out_or_invented_the_lower_the_score(preset):
    truth = Program(SIDE, SIDE, GRID)
    question = seen(truth, preset, 3)
    fewer = [verify(question, replace(truth, commands=GRID[k:])).score for k in (0, 1, 8, 32, 56)]
    assert fewer == sorted(fewer, reverse=True)
    assert fewer[2] < fewer[0] - 0.1
    assert fewer[4] < fewer[0] - 0.5
    question = seen(GRATING, preset, 3)
    small = tuple(Via(x + 15, y, 2) for x in range(20, 170, 30) for y in range(8, 190, 20))
    scores = [
        verify(question, replace(GRATING, commands=WIRES + small[:k])).score for k in (0, 4, 12, 45)
    ]
    assert scores == sorted(scores, reverse=True)
    assert scores[3] < scores[0] - 0.3


def test_the_order_of_commands_does_not_matter():
    program = layout(np.random.default_rng(103), "manhattan")
    question = seen(program, "mild", 5)
    damaged = replace(program, commands=program.shapes[2:])
    rng = np.random.default_rng(0)
    scores = set()
    for _ in range(4):
        mixed = replace(damaged, commands=tuple(rng.permutation(np.array(damaged.shapes, object))))
        scores.add(verify(question, parse(write(mixed))).score)
    assert len(scores) == 1


def tiled(pixels, program, times):
    shapes = tuple(
        moved(s, program.width * i, program.height * j)
        for i in range(times)
        for j in range(times)
        for s in program.shapes
    )
    large = Program(program.width * times, program.height * times, shapes)
    return asked(np.tile(pixels, (times, times))), large


def test_a_larger_frame_of_the_same_is_as_credible():
    side = 256
    for seed, topology in enumerate(("stripes", "lines")):  # nothing sticks out of the canvas
        program = layout(np.random.default_rng(seed), topology)
        question = seen(program, "mild", seed)
        pixels = question.images[0].pixels
        for answer in (program, replace(program, commands=program.shapes[1:])):
            small = verify(asked(pixels), answer)
            large = verify(*tiled(pixels, answer, 3))
            assert large.score == pytest.approx(small.score, abs=0.15)
        wrong, whole = tiled(pixels, program, 3)
        pixels = wrong.images[0].pixels.copy()
        pixels[side : 2 * side, side : 2 * side] = np.rot90(pixels[:side, :side])
        at = verify(asked(pixels), whole).evidence["worst region"]
        assert at.endswith(f"at ({side}, {side})")


def vias_in_metal(r, width):
    """Three wires, three vias in two of them, and their image."""
    wires = (straight("V", (x, 0), SIDE, width) for x in (30, 80, 130))
    shown = Program(SIDE, SIDE, (*wires, Via(30, 60, r), Via(80, 60, r), Via(80, 120, r)))
    look = Look(metal=110.0, via=200.0, rim=30.0, dose=20.0)
    return shown, asked(simulate(shown, look, np.random.default_rng(0)).pixels)


def test_a_via_in_metal_that_the_image_does_not_show_lowers_the_score():
    shown, question = vias_in_metal(5, 24)
    false = replace(shown, commands=(*shown.commands, Via(130, 90, 5)))
    assert verify(question, false).score < verify(question, shown).score - 0.05
    assert "a via in metal" in verify(question, false).evidence["decided by"]


def test_vias_inside_metal_do_not_spoil_a_right_program():
    vias = (Via(80, 30, 3.5), Via(80, 80, 3.5), Via(80, 130, 3.5), Via(140, 60, 3.5))
    program = replace(GRATING, commands=(*WIRES, *vias))
    for preset in LOOKS:
        assert verify(seen(program, preset), program).score > 0.6


def test_contrast_and_number_type_do_not_matter():
    question = seen(GRATING, "mild")
    pixels = question.images[0].pixels
    score = verify(question, GRATING).score
    for other in (pixels.astype(np.uint16) * 200, 255 - pixels, pixels.astype(np.float32) * 3 + 7):
        assert verify(asked(other), GRATING).score == pytest.approx(score, abs=0.02)


def test_oblique_edges_are_told():
    tilted = Program(
        SIDE,
        SIDE,
        tuple(Poly(((x, 0), (x + 12, 0), (x + 72, 192), (x + 60, 192))) for x in (10, 40, 70, 100)),
    )
    question = seen(tilted, "mild")
    assert oblique_share(question.images[0].pixels.astype(np.float32), GRATING) > 0.8
    assert "% of the outline" in verify(question, GRATING).evidence["oblique or curved edges"]
    assert oblique_share(render(GRATING) * np.float32(255), GRATING) < 0.02


def test_offsets_are_measured():
    grey = coverage(GRATING) * np.float32(100)
    shifted = replace(GRATING, commands=tuple(moved(w, 1.5, 0) for w in WIRES))
    outline = outline_of(shifted)
    pieces = profiles_of_pieces(grey, outline)
    straight_edge = np.clip(0.5 + CENTRES_PX, 0, 1) * 100
    found = match(pieces, np.repeat(straight_edge[None], 4, axis=0))
    assert found.offset_px[pieces.side == 0] == pytest.approx(1.5, abs=0.2)
    assert found.offset_px[pieces.side == 1] == pytest.approx(-1.5, abs=0.2)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(1, 70), st.integers(1, 70))
def test_any_image_gets_a_score(seed, width, height):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (height, width)).astype(np.uint8)
    shapes = tuple(Via(*rng.uniform(0, 70, 2), rng.uniform(0.3, 20)) for _ in range(3))
    program = Program(
        width, height, (*shapes[: seed % 4], straight("H", (0, 9), 40, 0.5 + seed % 9))
    )
    first, again = (verify(asked(pixels), program) for _ in range(2))
    assert 0 <= first.score <= 1
    assert 0 <= first.coverage <= 1
    assert first == again


def test_wrong_layouts_rank_below_right_ones():
    right, wrong = [], []
    previous = layout(np.random.default_rng(99), "lines")
    for seed, topology in enumerate(TOPOLOGIES * 3):
        program = layout(np.random.default_rng(seed), topology)
        question = seen(program, "mild", seed)
        shapes = program.shapes
        at = seed % len(shapes)
        rest = shapes[:at] + shapes[at + 1 :]
        right.append(verify(question, program).score)
        wrongs = (rest, (*rest, moved(shapes[at], 5, 5)), previous.shapes)
        wrong += [verify(question, replace(program, commands=w)).score for w in wrongs]
        previous = program
    ahead = np.array(right)[:, None] > np.array(wrong)
    assert ahead.mean() >= 0.9


@pytest.mark.nightly
def test_a_frame_takes_seconds():
    shapes = tuple(straight("V", (x, 0), 3536, 14) for x in range(20, 4096, 32))
    program = Program(4096, 3536, shapes)
    question = asked(render(program) * np.uint8(200))
    began = time.perf_counter()
    assert verify(question, program).score > 0.7
    assert time.perf_counter() - began < 20


def test_the_copies_of_an_array_are_written_out_once():
    array = Array(60, 60, 4.26, 4.26, (Via(1.0, 1.0, 1.0),))
    image = Image(np.random.default_rng(0).integers(0, 255, (256, 256), dtype=np.uint8))
    begin = time.process_time()
    verify(Question((image,), "", LayoutSettings()), Program(256, 256, (array,)))
    assert time.process_time() - begin < 8.0  # it took a minute


SEAM = 256  # between the regions of an image twice as large


@pytest.mark.parametrize("at", [*range(SEAM - 3, SEAM + 4)])
def test_a_right_layout_is_believed_wherever_its_edges_lie_to_a_seam(at):
    side = 2 * SEAM
    shapes = tuple(straight("V", (x, 0), side, 20) for x in (40, 120, at + 10, 400))
    truth = Program(side, side, shapes)
    assert verify(seen(truth, "mild", 1), truth).score > 0.8


@pytest.mark.parametrize("width", [2, 3, 5, 8])
@pytest.mark.parametrize("at", [SEAM, 1, 330])
def test_a_false_wire_is_found_wherever_it_lies(at, width):
    side = 2 * SEAM
    shapes = tuple(straight("V", (x, 0), side, 20) for x in (40, 120, 200, 400))
    truth = Program(side, side, shapes)
    question = seen(truth, "mild", 1)
    wire = straight("V", (at + (width / 2 if at == 1 else 0), 0), side, width)
    found = inspect(question, replace(truth, commands=(*shapes, wire)))
    assert found.check.score < verify(question, truth).score - 0.1
    assert found.unsupported == (4,)


def test_small_contacts_are_judged_together():
    for r in (2.5, 3.0):
        contacts = tuple(Via(x, y, r) for x in range(10, 190, 16) for y in range(10, 190, 16))
        truth = Program(SIDE, SIDE, contacts)
        assert verify(seen(truth, "mild", 1), truth).score > 0.4


def test_vias_are_not_oblique_in_any_band_of_a_large_image():
    shapes = tuple(Via(x, y, 20) for x in range(60, 2950, 90) for y in range(60, 2950, 90))
    program = Program(3000, 3000, shapes)
    grey = coverage(program) * np.float32(100)
    assert oblique_share(np.asarray(grey, np.float32), program) < 0.1


def test_a_via_aside_or_of_another_size_lowers_the_score():
    shown, question = vias_in_metal(6, 30)
    right = verify(question, shown).score
    for wrong in (Via(80, 120, 2.5), Via(80, 120, 10), Via(84, 120, 6)):
        program = replace(shown, commands=(*shown.commands[:-1], wrong))
        assert verify(question, program).score < right - 0.02

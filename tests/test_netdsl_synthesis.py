"""Random layouts: what is promised of every one of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from fabsight.netdsl.language import Via, Wire, is_strict, parse, write
from fabsight.netdsl.normal import bounds
from fabsight.netdsl.rendering import paint, render
from fabsight.netdsl.synthesis import TOPOLOGIES, example, layout, synthesize

SIDE = 256
MAX_WORDS = 2048
seeds = st.integers(0, 2**32 - 1)


def drawn(seed, topology=None):
    return layout(np.random.default_rng(seed), topology)


@given(seeds, st.sampled_from(TOPOLOGIES))
@effort(max_examples=40)
def test_a_layout_is_its_own_text(seed, topology):
    program = drawn(seed, topology)
    assert parse(write(program)) == program
    assert is_strict(program)
    assert program.commands


@given(seeds)
@effort(max_examples=40)
def test_a_layout_fits_the_answer_of_a_model(seed):
    """Numbers and words; a tokenizer makes about one token of each digit and word."""
    text = write(drawn(seed))
    digits = sum(map(str.isdigit, text))
    assert digits + len(text.split()) <= MAX_WORDS


@given(seeds, st.sampled_from(TOPOLOGIES))
@effort(max_examples=25)
def test_shapes_do_not_touch(seed, topology):
    """Each shape is an island of its own; vias lie inside a wire or apart from everything."""
    import cv2

    program = drawn(seed, topology)
    metal = [s for s in program.shapes if isinstance(s, Wire)]
    mask = np.zeros((SIDE, SIDE), int)
    for shape in metal:
        mask += paint([shape], SIDE, SIDE)
    assert mask.max(initial=0) <= 1
    seen = sum(bool(paint([shape], SIDE, SIDE).any()) for shape in metal)
    islands, _ = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    assert islands - 1 == seen
    for via in (s for s in program.shapes if isinstance(s, Via)):
        disc = paint([via], SIDE, SIDE) > 0
        around = cv2.dilate(disc.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        assert not mask[around].any() or mask[disc].all()


@given(seeds, st.sampled_from(TOPOLOGIES))
@effort(max_examples=40)
def test_centre_lines_lie_inside_the_canvas(seed, topology):
    for shape in drawn(seed, topology).shapes:
        points = [(shape.x, shape.y)] + ([shape.tip] if isinstance(shape, Wire) else [])
        assert all(0 <= v <= SIDE for point in points for v in point)
        x0, y0, x1, y1 = bounds(shape)
        assert min(x1, y1) > 0
        assert max(x0, y0) < SIDE


def test_every_topology_has_what_it_is_named_for():
    found = {t: [drawn(seed, t) for seed in range(30)] for t in TOPOLOGIES}
    axes = {
        t: {run.axis for p in programs for s in p.shapes if isinstance(s, Wire) for run in s.runs}
        for t, programs in found.items()
    }
    assert axes == {"stripes": {"V"}, "lines": {"H"}, "manhattan": {"H", "V"}}
    everything = [s for programs in found.values() for p in programs for s in p.shapes]
    assert any(isinstance(s, Via) for s in everything)
    assert any(isinstance(s, Wire) and s.start.length > 0 for s in everything)
    assert any(isinstance(s, Wire) and len(s.runs) >= 3 for s in everything)


def test_metal_covers_a_share_a_chip_would_have():
    shares = [render(drawn(seed)).mean() for seed in range(60)]
    assert 0.1 < np.median(shares) < 0.6
    assert min(shares) > 0


@pytest.mark.parametrize("side", [128, 512])
def test_other_sizes(side):
    program = layout(np.random.default_rng(2), "manhattan", side)
    assert (program.width, program.height) == (side, side)
    assert render(program).any()


def test_an_example_says_how_it_was_made():
    for preset, difficulty in (("clean", "easy"), ("mild", "medium"), ("hard", "hard")):
        found = example(np.random.default_rng(1), preset, topology="lines")
        assert (found.kind, found.difficulty) == (f"lines/{preset}", difficulty)
        assert found.question.images[0].pixels.shape == (SIDE, SIDE)
    levels = np.unique(example(np.random.default_rng(1), "clean").question.images[0].pixels)
    assert levels.tolist() == [0, 255]


def test_synthesize_draws_every_topology_and_look():
    kinds = {synthesize(np.random.default_rng([7, k])).kind for k in range(60)}
    assert len({kind.split("/")[0] for kind in kinds}) == 3
    assert len({kind.split("/")[1] for kind in kinds}) == 4

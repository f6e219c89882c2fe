"""Front ends: every one finds metal on an easy image; polarity; degenerate images."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fabsight.netdsl.frontends import (
    BINARIZERS,
    DOUBTFUL,
    doubt,
    edge_paired,
    evidence,
    half_level,
    is_dark,
    tidy,
)
from fabsight.netdsl.language import Program, straight
from fabsight.netdsl.looks import Look
from fabsight.netdsl.rendering import render
from fabsight.netdsl.sem import simulate
from fabsight.netdsl.settings import LayoutSettings
from fabsight.netdsl.synthesis import layout

BARS = Program(128, 128, tuple(straight("H", (10.0, 20.0 + 28 * k), 100.0, 12.0) for k in range(4)))
TRUTH = render(BARS) > 0


def grey_of(program=BARS, seed=0, **look):
    rng = np.random.default_rng(seed)
    return simulate(program, Look(**look), rng).pixels.astype(np.float32)


def agreement(share, truth=TRUTH):
    mask = share > 0.5
    return (mask & truth).sum() / (mask | truth).sum()


EASY = {"background": 60.0, "metal": 160.0, "rim": 0.0, "shadow": 0.0, "dose": 20.0, "blur_px": 0.6}


@pytest.mark.parametrize("name", ["global", "otsu", "half-level", "learned"])
def test_every_front_end_finds_the_metal_of_an_easy_image(name):
    found = evidence(grey_of(**EASY), LayoutSettings(binarize=name))
    assert agreement(found.share) > 0.95
    assert not found.inverted


@pytest.mark.parametrize("name", ["learned", "edge-paired"])
def test_metal_that_shows_only_its_rims_is_filled(name):
    grey = grey_of(background=90.0, metal=90.0, rim=80.0, shadow=0.0, dose=20.0)
    assert agreement(evidence(grey, LayoutSettings(binarize=name)).share) > 0.75
    assert agreement(half_level(grey)) < 0.6, "a threshold sees only the rims"


@pytest.mark.parametrize("name", ["otsu", "half-level", "learned"])
def test_dark_metal_is_read_when_it_is_said_to_be_dark(name):
    grey = 255 - grey_of(**EASY)
    found = evidence(grey, LayoutSettings(binarize=name, polarity="dark"))
    assert found.inverted
    assert agreement(found.share) > 0.95


@pytest.mark.parametrize("seed", [1, 5, 8])
def test_the_polarity_of_islands_is_found(seed):
    program = layout(np.random.default_rng(seed), "manhattan")
    grey = grey_of(program, **EASY)
    truth = render(program) > 0
    for image, dark in ((grey, False), (255 - grey, True)):
        found = evidence(image, LayoutSettings())
        assert found.inverted is dark
        assert agreement(found.share, truth) > 0.9


def test_illumination_is_followed_by_local_levels():
    slope = np.linspace(0, 45, 128, dtype=np.float32)[None]
    grey = grey_of(**EASY) * 0.7 + slope
    assert agreement(half_level(grey)) > 0.9
    assert agreement(evidence(grey, LayoutSettings()).share) > 0.9


@pytest.mark.parametrize("value", [0.0, 128.0, 65535.0, -3.0])
@pytest.mark.parametrize("name", [*BINARIZERS, "learned"])
def test_an_image_of_one_grey_has_no_metal(name, value):
    grey = np.full((40, 50), value, np.float32)
    found = evidence(grey, LayoutSettings(binarize=name))
    assert not found.share.any()


@pytest.mark.parametrize("levels", [(0, 1), (0, 255), (-1.5, 3e4), (100, 101)])
def test_an_image_of_two_levels_is_a_mask(levels):
    low, high = levels
    grey = np.where(TRUTH, high, low).astype(np.float32)
    found = evidence(grey, LayoutSettings())
    assert np.array_equal(found.share > 0.5, TRUTH)
    dark = evidence(grey, LayoutSettings(polarity="dark"))
    assert np.array_equal(dark.share > 0.5, ~TRUTH)


@pytest.mark.parametrize("name", BINARIZERS)
def test_thresholds_do_not_depend_on_the_range_of_grey(name):
    """0 to 255, 16 bit, and float from 0 to 1; the fixed threshold is one of 0 to 255."""
    grey = grey_of(**EASY)
    full = (grey - grey.min()) * (255 / np.ptp(grey))
    first = evidence(full, LayoutSettings(binarize=name)).share
    for scale in (257.0, 1 / 255):
        other = evidence((full * scale).astype(np.float32), LayoutSettings(binarize=name)).share
        assert (first != other).mean() < 0.01


@given(
    arrays(
        np.float32,
        st.tuples(st.integers(16, 40), st.integers(16, 40)),
        elements=st.integers(0, 255).map(float),
    ),
    st.sampled_from([*BINARIZERS]),
)
@effort(max_examples=40)
def test_any_image_gives_shares(grey, name):
    found = evidence(grey, LayoutSettings(binarize=name))
    assert found.share.shape == grey.shape
    assert found.share.dtype == np.float32
    assert 0 <= found.share.min() <= found.share.max() <= 1


def test_edge_paired_alternates_from_the_floor():
    """Three nested frames of rim: floor, metal, floor, metal."""
    grey = np.full((128, 128), 50, np.float32)
    for inset in (10, 25, 40):
        grey[inset : 128 - inset, inset : 128 - inset] = 200
        grey[inset + 3 : 125 - inset, inset + 3 : 125 - inset] = 50
    metal = edge_paired(grey)
    assert [bool(metal[64, x]) for x in (4, 18, 32, 64)] == [False, True, False, True]


def test_an_image_without_closed_rims_is_its_half_level_mask():
    grey = np.full((64, 64), 200, np.float32)
    grey[:, 30:34] = 20
    assert edge_paired(grey).shape == grey.shape


def test_specks_and_pinholes_are_tidied():
    mask = TRUTH.copy()
    mask[60, 3] = True
    mask[20, 50] = False
    assert np.array_equal(tidy(mask) > 0, TRUTH)


def test_doubt_runs_from_none_to_all():
    assert doubt(np.zeros((4, 4), np.float32)) == 0
    assert doubt(np.full((4, 4), 0.5, np.float32)) == 1
    assert 0 < DOUBTFUL < 1


def test_many_dark_islands_are_dark_metal_and_stripes_are_bright():
    islands = np.full((128, 128), 200, np.float32)
    for y in range(8, 120, 20):
        for x in range(8, 120, 20):
            islands[y : y + 9, x : x + 9] = 40
    assert is_dark(islands)
    assert not is_dark(255 - islands)
    stripes = np.where((np.arange(128) // 12) % 2, 200, 40).astype(np.float32)
    assert not is_dark(np.repeat(stripes[None], 128, axis=0))

"""The metrics, against MedPy and scikit-image, and at the edges of their definitions."""

import functools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fabsight.netdsl import language, scoring
from fabsight.netdsl.language import Array, Program, Via, straight
from fabsight.netdsl.settings import LayoutSettings
from fabsight.task import Example, FabsightError, Image, Question
from fabsight.vision.skeleton import skeletonize

masks = hnp.arrays(np.uint8, st.tuples(*[st.integers(1, 24)] * 2), elements=st.integers(0, 1))


def blobs(rng, shape=(90, 120)):
    import cv2

    field = cv2.GaussianBlur(rng.random(shape), (0, 0), rng.uniform(1.5, 6))
    return (field > np.quantile(field, rng.uniform(0.2, 0.8))).astype(np.uint8)


def example_of(program=None, reference=None):
    picture = Image(np.zeros((32, 32), np.uint8))
    question = Question((picture,), "", LayoutSettings(), source="a.png")
    answer = None if program is None else language.write(program)
    return Example(question, answer=answer, reference=reference)


STRIPES = Program(
    48, 40, (straight("H", (0.0, 8.0), 48.0, 6.0), straight("H", (0.0, 24.0), 48.0, 7.0))
)


# Skeleton


@settings(deadline=None)  # the first example pays for importing the oracle
@given(masks)
def test_skeleton_is_scikit_images(mask):
    from skimage.morphology import skeletonize as reference

    assert np.array_equal(skeletonize(mask), reference(mask != 0))


@pytest.mark.parametrize("seed", range(12))
def test_skeleton_of_larger_shapes_is_scikit_images(seed):
    from skimage.morphology import skeletonize as reference

    mask = blobs(np.random.default_rng(seed))
    assert np.array_equal(skeletonize(mask), reference(mask != 0))


def test_every_neighbourhood_thins_as_in_scikit_image():
    """All 256 neighbourhoods, each on its own island."""
    from skimage.morphology import skeletonize as reference

    mask = np.zeros((16 * 5, 16 * 5), np.uint8)
    ring = [(0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0)]
    for code in range(256):
        top, left = code // 16 * 5 + 1, code % 16 * 5 + 1
        mask[top + 1, left + 1] = 1
        for bit, (row, column) in enumerate(ring):
            mask[top + row, left + column] = code >> bit & 1
    assert np.array_equal(skeletonize(mask), reference(mask != 0))


# Masks


@pytest.mark.parametrize("seed", range(8))
def test_assd_is_medpys_with_the_canvas_edge_no_boundary(seed, monkeypatch):
    from medpy.metric import binary

    inner = functools.partial(binary.binary_erosion, border_value=1)
    monkeypatch.setattr(binary, "binary_erosion", inner)
    rng = np.random.default_rng(seed)
    a, b = blobs(rng), blobs(rng)
    row = scoring.score_masks(a, b)
    assert row["assd_px"] == pytest.approx(binary.assd(a, b), abs=1e-5)
    assert row["iou"] == pytest.approx(binary.jc(a, b))
    assert row["dice"] == pytest.approx(binary.dc(a, b))


@pytest.mark.parametrize("seed", range(4))
def test_f1_is_counted_within_the_tolerance(seed):
    from scipy.ndimage import distance_transform_edt
    from skimage.morphology import skeletonize as reference

    rng = np.random.default_rng(seed)
    a, b = blobs(rng), blobs(rng)

    def f1(ours, theirs, tolerance):
        precision = (distance_transform_edt(~theirs)[ours] <= tolerance).mean()
        recall = (distance_transform_edt(~ours)[theirs] <= tolerance).mean()
        return 2 * precision * recall / (precision + recall)

    row = scoring.score_masks(a, b)
    edges = scoring.boundary(a), scoring.boundary(b)
    assert row["bf1_2px"] == pytest.approx(f1(*edges, 2))
    assert row["skf1_1px"] == pytest.approx(f1(reference(a != 0), reference(b != 0), 1))


def test_the_canvas_edge_is_no_boundary():
    mask = np.zeros((8, 8), np.uint8)
    mask[:, :3] = 1
    assert np.argwhere(scoring.boundary(mask)).tolist() == [[row, 2] for row in range(8)]


@given(masks)
def test_a_mask_scores_perfectly_against_itself(mask):
    row = scoring.score_masks(mask, mask)
    assert row == {"iou": 1, "dice": 1, "bf1_2px": 1, "skf1_1px": 1, "assd_px": 0}


@settings(max_examples=50)
@given(st.data())
def test_scores_are_symmetric_and_bounded(data):
    a = data.draw(masks)
    b = data.draw(hnp.arrays(np.uint8, a.shape, elements=st.integers(0, 1)))
    row = scoring.score_masks(a, b)
    assert row == pytest.approx(scoring.score_masks(b, a))
    assert all(0 <= row[k] <= 1 for k in ("iou", "dice", "bf1_2px", "skf1_1px"))
    assert 0 <= row["assd_px"] <= math.hypot(*a.shape)


def test_nothing_against_something_is_the_worst():
    empty, full = np.zeros((30, 40), np.uint8), np.ones((30, 40), np.uint8)
    part = empty.copy()
    part[5:9, 5:9] = 1
    worst = {"iou": 0, "dice": 0, "bf1_2px": 0, "skf1_1px": 0, "assd_px": 50}
    assert scoring.score_masks(empty, part) == worst
    assert scoring.score_masks(part, empty) == worst
    assert scoring.score_masks(empty, full) == worst
    assert scoring.score_masks(full, part)["assd_px"] == 50  # a full canvas has no boundary


def test_another_canvas_is_cut_or_padded():
    truth = np.zeros((20, 20), np.uint8)
    truth[:, 4:8] = 1
    assert scoring.score_masks(truth[:, :10], truth)["iou"] == 1
    assert scoring.score_masks(np.pad(truth, ((0, 9), (0, 3))), truth)["iou"] == 1
    assert scoring.score_masks(truth[:10], truth)["iou"] == 0.5


def test_a_huge_canvas_is_not_painted():
    vast = Program(65_536, 65_536, (straight("H", (0.0, 8.0), 65_536.0, 6.0),))
    assert scoring.render_on(vast, 48, 40).sum() == 6 * 48


# Programs


def test_truth_scores_best():
    example = example_of(STRIPES)
    row = scoring.score(STRIPES, example)
    assert row == {name: m.best_for(example) for name, m in scoring.METRICS.items()}
    assert list(row) == list(scoring.METRICS)


def test_worst_values_depend_on_the_truth():
    example = example_of(STRIPES)
    worst = {name: m.worst_for(example) for name, m in scoring.METRICS.items()}
    assert worst["assd_px"] == math.hypot(48, 40)
    assert worst["commands"] == 1 + 6 + 7  # each pixel row of metal a wire of its own


@pytest.mark.parametrize(
    "pixels",
    [
        np.array([[0, 1, 2]], np.uint8),
        np.array([[9, 255, 200]], np.uint8),
        np.array([[0, 65535, 40000]], np.uint16),
        np.array([[0, 1, 0.7]], np.float32),
        np.array([[[0, 0, 0], [0, 255, 0], [200, 0, 0]]], np.uint8),
    ],
    ids=["labels", "grey", "16-bit", "float", "colour"],
)
def test_reference_masks_of_every_kind(pixels):
    assert scoring.mask_of(Image(pixels)).tolist() == [[0, 1, 1]]


def test_a_reference_mask_is_a_truth_without_a_length():
    mask = scoring.render_on(STRIPES, 48, 40)
    example = example_of(reference=Image(mask * np.uint8(255)))
    row = scoring.score(STRIPES, example)
    assert row["iou"] == 1
    assert row["commands"] == 3
    assert math.isnan(scoring.METRICS["commands"].best_for(example))
    assert scoring.METRICS["commands"].worst_for(example) == 14


def test_no_truth_is_said():
    with pytest.raises(FabsightError, match=r"a\.png.*neither an answer nor a reference mask"):
        scoring.score(STRIPES, example_of())


def test_length_of_a_program():
    array = Program(64, 64, (Array(4, 3, 10.0, 10.0, (Via(5.0, 5.0, 2.0), Via(8.0, 8.0, 1.0))),))
    assert scoring.count_commands(array) == 25
    assert scoring.program_bytes(STRIPES) > scoring.program_bytes(Program(48, 40))

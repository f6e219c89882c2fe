"""The picture of an answer: exact outlines, bounded size, and a golden sample."""

from pathlib import Path

import numpy as np
import pytest

from fabsight.netdsl import overlay, rendering
from fabsight.netdsl.agreement import Patch
from fabsight.netdsl.checking import Findings
from fabsight.netdsl.language import parse
from fabsight.netdsl.settings import LayoutSettings
from fabsight.task import Check, Image, Question

GOLDEN = Path(__file__).parent / "golden" / "overlay_netdsl.png"
TEXT = """CANVAS 96 72
WIRE 0 16 12 0 0 0 0 H 96
WIRE 30 34 8.5 0 0 14 16 V 30
WIRE 70 72 9 0 0 0 0 V -40
VIA 30 57 4.5
"""


def question_of(pixels, nm_per_px=None, settings=LayoutSettings()):  # noqa: B008
    return Question((Image(pixels, nm_per_px=nm_per_px),), "", settings)


def sample():
    """A picture drawn from numbers alone: the same on every machine."""
    program = parse(TEXT)
    rows, columns = np.indices((80, 96))
    texture = 60 + (rows * 7 + columns * 13) % 17
    pixels = texture.astype(np.uint8)
    pixels[:72] += (100 * rendering.render(program)).astype(np.uint8)
    found = Findings(Check(0.1, 0.5, True, {}), (1,), (Patch(5, 40, 15, 44, 20.0),))
    return overlay.draw(question_of(pixels, nm_per_px=2.5), program, found)


def test_the_picture_is_the_golden_one():
    import cv2

    picture, golden = sample(), cv2.imread(str(GOLDEN))[..., ::-1]
    assert picture.shape == golden.shape
    drawn = 80 * 4  # letters may be hinted differently by another FreeType
    assert np.array_equal(picture[:drawn], golden[:drawn])
    assert np.mean(np.any(picture[drawn:] != golden[drawn:], axis=2)) < 0.05


def test_outlines_lie_on_the_edge_to_a_quarter_pixel():
    program = parse("CANVAS 40 40\nWIRE 10.25 0 6.5 0 0 0 0 V 40")
    picture = overlay.draw(question_of(np.zeros((40, 40), np.uint8)), program)
    blue = np.all(picture[:160] == overlay.SKY, axis=2)
    left, right = (10.25 - 3.25) * 4, (10.25 + 3.25) * 4
    assert np.flatnonzero(blue[80]).tolist() == [left, left + 1, right - 2, right - 1]
    assert np.array_equal(blue[0], blue[80])  # the canvas edge is no outline


def test_raw_pixels_show_between_the_outlines():
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8) * 3
    picture = overlay.draw(question_of(pixels), parse("CANVAS 8 8"))
    assert np.array_equal(picture[:32:4, :32:4, 0], pixels)


@pytest.mark.parametrize("shape", [(3000, 10), (10, 3000), (2049, 2049)])
def test_large_images_are_bounded(shape):
    picture = overlay.draw(question_of(np.zeros(shape, np.uint16)), parse("CANVAS 10 10"))
    assert max(picture.shape[:2]) <= overlay.LARGEST_SIDE_PX + 10 * overlay.LINE_PX


def test_what_lies_outside_the_canvas_is_dimmed():
    picture = overlay.draw(question_of(np.full((20, 20), 200, np.uint8)), parse("CANVAS 20 15"))
    assert picture[59, 0, 0] == 200
    assert picture[60, 0, 0] == 110


def test_a_canvas_larger_than_the_image_is_cut():
    program = parse("CANVAS 4000 4000\nWIRE 0 10 6 0 0 0 0 H 4000")
    picture = overlay.draw(question_of(np.zeros((20, 30), np.uint8)), program)
    assert picture.shape[1] == 120


def test_16_bit_and_colour_are_shown():
    program = parse("CANVAS 20 20")
    deep = np.linspace(0, 4000, 400).astype(np.uint16).reshape(20, 20)
    assert overlay.draw(question_of(deep), program)[:80].max() > 250
    colour = np.full((20, 20, 3), (200, 30, 40), np.uint8)
    assert overlay.draw(question_of(colour), program)[0, 0].tolist() == [200, 30, 40]


def test_a_scale_bar_needs_a_scale():
    blank, program = np.zeros((40, 400), np.uint8), parse("CANVAS 400 40")
    without = overlay.draw(question_of(blank), program)
    by_file = overlay.draw(question_of(blank, 3.0), program)
    by_user = overlay.draw(question_of(blank, 9.0, LayoutSettings(nm_per_px=3.0)), program)
    assert not np.array_equal(without, by_file)
    assert np.array_equal(by_file, by_user)  # what the user says overrides the file


@pytest.mark.parametrize("room_nm", [999.9999999999999, 1000.0, 0.0999999999999999, 1.0, 2e-7])
def test_a_scale_bar_fits_at_the_edge_of_a_decade(room_nm):
    length_nm = overlay.bar_length_nm(room_nm, 1.0)
    assert 0.4 * room_nm < length_nm <= room_nm

"""From files to layout questions: what is recognised, refused, cropped, and known."""

import numpy as np
import pytest

from fabsight.images import grey, read, save_png
from fabsight.inputs import find_inputs
from fabsight.netdsl import TASK
from fabsight.netdsl.language import Program, Via, straight
from fabsight.netdsl.looks import Look, draw_look
from fabsight.netdsl.reading import bar_row, questions, recognises, without_bar
from fabsight.netdsl.rendering import coverage
from fabsight.netdsl.sem import simulate
from fabsight.netdsl.settings import LayoutSettings
from fabsight.netdsl.synthesis import TOPOLOGIES, layout
from fabsight.task import FabsightError, Image

BARS = Program(256, 220, tuple(straight("H", (10.0, 20.0 + 40 * k), 200.0, 12.0) for k in range(5)))


def picture(program=BARS, seed=0, **look):
    return simulate(program, Look(**look), np.random.default_rng(seed)).pixels


def with_bar(pixels, height=36, back=0, ink=255):
    """The picture over a bar with something like text in it."""
    bar = np.full((height, pixels.shape[1]), back, np.uint8)
    for x in range(12, 120, 9):
        bar[10:20, x : x + 2] = ink
        bar[10:12, x : x + 6] = ink
    bar[24:27, 150:200] = ink
    return np.concatenate([pixels, bar])


@pytest.mark.parametrize(("back", "ink"), [(0, 255), (255, 0), (30, 240)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_an_information_bar_is_found_at_its_row(back, ink, seed):
    pixels = picture(seed=seed, dose=8.0, blur_px=0.8, background=70.0, metal=140.0)
    row = bar_row(with_bar(pixels, back=back, ink=ink).astype(np.float32))
    assert row is not None
    assert abs(row - len(pixels)) <= 2


@pytest.mark.parametrize("seed", range(12))
def test_a_layout_without_a_bar_keeps_all_its_rows(seed):
    program = layout(np.random.default_rng(seed))
    for look in ({}, {"dose": 5.0}, {"background": 0.0, "metal": 200.0, "rim": 0.0}):
        pixels = picture(program, seed, **look)
        assert bar_row(pixels.astype(np.float32)) is None
    from fabsight.netdsl.rendering import render

    assert bar_row(render(program).astype(np.float32) * 255) is None


@pytest.mark.parametrize("preset", ["clean", "mild", "hard", "wild"])
@pytest.mark.parametrize("family", ["bloom", "relief"])
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_no_simulated_layout_is_cropped(preset, family, topology):
    for seed in range(10):
        rng = np.random.default_rng(seed)
        program = layout(rng, topology, side=128)
        pixels = simulate(program, draw_look(rng, preset, family), rng).pixels
        assert without_bar(Image(pixels)).pixels is pixels, seed


@pytest.mark.parametrize("radius_px", [0.0, 1.0, 2.0, 2.5, 3.0, 5.0])
def test_lines_and_small_vias_at_the_bottom_are_no_bar(radius_px):
    """A flat floor under lines looks like a bar but for its writing."""
    for seed in range(10):
        rng = np.random.default_rng(seed)
        side = int(rng.choice([128, 200, 256]))
        bottom = rng.uniform(0.8, 0.95) * side
        wires = [straight("H", (0.0, bottom - 12 * k), float(side), 5.0) for k in range(3)]
        places = np.arange(8, side - 8, rng.choice([12, 17.3, 25])) if radius_px else ()
        vias = [Via(float(x), (bottom + side) / 2, radius_px) for x in places]
        program = Program(side, side, (*wires, *vias))
        drawn = coverage(program) * 200 + 20
        look = Look(dose=float(rng.choice([5, 1e3, 1e9])), rim=float(rng.choice([0, 40])))
        for seen in (drawn, simulate(program, look, rng).pixels.astype(np.float32)):
            assert bar_row(seen) is None, seed


def test_a_bar_over_the_picture_is_cropped_with_what_lies_below_it():
    pixels = picture(dose=8.0, background=70.0, metal=140.0)
    seen = np.concatenate([with_bar(pixels), pixels[:20]])
    row = bar_row(seen.astype(np.float32))
    assert row is not None
    assert abs(row - len(pixels)) <= 2


def test_a_band_without_writing_is_no_bar():
    pixels = picture(dose=8.0, background=70.0, metal=140.0)
    assert bar_row(with_bar(pixels, ink=0).astype(np.float32)) is None


def test_cropping_is_said_and_can_be_switched_off(tmp_path):
    path = tmp_path / "a.png"
    save_png(path, with_bar(picture(dose=8.0, background=70.0, metal=140.0)))
    (cropped,) = questions([path], LayoutSettings())
    (whole,) = questions([path], LayoutSettings(crop_bar=False))
    assert abs(cropped.images[0].pixels.shape[0] - 220) <= 2
    assert any("information bar cropped: rows" in note for note in cropped.images[0].warnings)
    height = len(cropped.images[0].pixels)
    (note,) = cropped.images[0].warnings
    assert f"rows {height} to 255 of 256, {256 - height} px" in note
    assert whole.images[0].pixels.shape == (256, 256)
    assert not whole.images[0].warnings


def test_a_cropped_image_keeps_its_scale():
    image = Image(with_bar(picture(dose=8.0)), 2.5, "user")
    assert without_bar(image).nm_per_px == 2.5


def test_the_scale_that_a_person_gives_wins(tmp_path):
    path = tmp_path / "a.png"
    save_png(path, picture())
    (question,) = questions([path], LayoutSettings(nm_per_px=3.2))
    assert (question.images[0].nm_per_px, question.images[0].scale_source) == (3.2, "user")


@pytest.mark.parametrize("shape", [(15, 300), (300, 15), (1, 1)])
def test_pictures_too_small_to_hold_a_layout_are_refused(tmp_path, shape):
    path = tmp_path / "small.png"
    save_png(path, np.zeros(shape, np.uint8))
    with pytest.raises(FabsightError, match=r"at least 16 x 16 px: .*small\.png has"):
        list(questions([path], LayoutSettings()))


@pytest.mark.parametrize(
    ("name", "data", "least", "most"),
    [
        ("a.netdsl", b"CANVAS 256 256\nVIA 1 1 1", 0.0, 0.0),
        ("a.txt", b"  CANVAS 256 256", 0.0, 0.0),
        ("a.png", b"\x89PNG", 0.1, 0.9),
        ("a.TIF", b"II*\0", 0.1, 0.9),
        ("a.csv", b"x,y\n1,2", 0.0, 0.0),
        ("a", b"", 0.0, 0.0),
    ],
)
def test_files_are_recognised_by_what_they_hold(tmp_path, name, data, least, most):
    path = tmp_path / name
    path.write_bytes(data)
    assert least <= recognises(path) <= most


def test_folders_and_missing_files_are_not_recognised(tmp_path):
    assert recognises(tmp_path) == 0
    assert recognises(tmp_path / "none.png") == 0


def test_programs_beside_the_pictures_of_a_folder_are_left_out(tmp_path):
    save_png(tmp_path / "a.png", picture())
    (tmp_path / "a.txt").write_text("CANVAS 256 220\nVIA 9 9 3\n")
    (tmp_path / "b.netdsl").write_text("CANVAS 256 220\n")
    inputs = find_inputs(TASK, [tmp_path])
    assert inputs.found == (tmp_path / "a.png",)
    assert inputs.skipped == (tmp_path / "a.txt", tmp_path / "b.netdsl")
    with pytest.raises(FabsightError, match=r"a\.txt is a program; give it to convert or vary"):
        list(questions([tmp_path / "a.txt"], LayoutSettings()))


def test_real_photographs_lose_their_bar_and_nothing_else(shared_data):
    """Photonic devices under a microscope's information bar."""
    paths = sorted((shared_data / "netdsl" / "siepic_photos").glob("*.png"))
    cropped = 0
    for path, question in zip(paths, questions(paths, LayoutSettings()), strict=True):
        rows, whole = len(question.images[0].pixels), len(read(path).pixels)
        assert rows == whole or 0.85 * whole < rows < 0.95 * whole
        cropped += rows < whole
    assert cropped == 4  # the fifth is a collage


def test_bars_of_another_instrument_are_found(shared_data):
    """They lie over the picture, which goes on below them."""
    paths = sorted((shared_data / "micrograph" / "nffa").rglob("*.jpg"))
    seen = [grey(read(path)) for path in paths]
    rows = [bar_row(picture) for picture in seen if picture.shape == (768, 1024)]
    assert len(rows) >= 19
    assert all(row is not None and 600 < row < 700 for row in rows)
    assert not any(bar_row(picture) for picture in seen if picture.shape == (600, 1024))

"""Pictures of wafer maps: read back to the dies they were drawn from, or refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.wafermap_files import disk

from fabsight.task import FabsightError
from fabsight.wafermap.formats import detect, read_wafers, recognises
from fabsight.wafermap.formats.pictures import on_a_disk
from fabsight.wafermap.settings import WaferSettings

Pillow = pytest.importorskip("PIL.Image")
SETTINGS = WaferSettings()
GREYS = {"0 1 2": (0, 1, 2), "0 127 255": (0, 127, 255), "0 128 255": (0, 128, 255)}
GREYS |= {"white paper": (255, 200, 0)}
COLOURS = {
    "green and red on white": ((255, 255, 255), (0, 160, 0), (200, 0, 0)),
    "viridis": ((68, 1, 84), (33, 145, 140), (253, 231, 37)),
    "grey and red": ((255, 255, 255), (190, 190, 190), (220, 40, 40)),
    "blue and orange": ((240, 240, 240), (31, 119, 180), (255, 127, 14)),
}


def drawn(folder, pixels, name="map.png"):
    path = folder / name
    Pillow.fromarray(np.asarray(pixels, np.uint8)).save(path)
    return path


def enlarged(grid, height, width, line=0):
    """The rows and columns of a grid blown up, with room for a line above and left of each die."""
    rows = np.repeat(np.arange(grid.shape[0]), height + line)
    columns = np.repeat(np.arange(grid.shape[1]), width + line)
    whole = grid[np.ix_(rows, columns)]
    on_line = (np.arange(len(rows)) % (height + line) < line)[:, None] | (
        np.arange(len(columns)) % (width + line) < line
    )
    return whole, on_line


def one(path):
    (wafer,) = read_wafers(path, SETTINGS)
    return wafer


@pytest.mark.parametrize("values", GREYS.values(), ids=GREYS)
@pytest.mark.parametrize("size", [(1, 1), (2, 2), (7, 7), (4, 9)])
def test_grey_maps_of_any_size_are_read_back(tmp_path, values, size):
    grid = disk()
    whole, _ = enlarged(grid, *size)
    path = drawn(tmp_path, np.array(values)[whole])
    assert recognises(path) == 0.7
    np.testing.assert_array_equal(one(path).grid, grid)


@pytest.mark.parametrize("palette", COLOURS.values(), ids=COLOURS)
@pytest.mark.parametrize("line", [0, 1, 2])
def test_coloured_maps_with_and_without_lines_are_read_back(tmp_path, palette, line):
    grid = disk(25)
    whole, on_line = enlarged(grid, 6, 5, line)
    for ink in (palette[0], (0, 0, 0), (128, 128, 128)):
        pixels = np.array(palette)[whole]
        pixels[on_line] = ink
        margin = np.full((pixels.shape[0] + 20, pixels.shape[1] + 30, 3), palette[0])
        margin[9 : 9 + len(pixels), 13 : 13 + pixels.shape[1]] = pixels
        for shown in (pixels, margin):
            path = drawn(tmp_path, shown)
            np.testing.assert_array_equal(one(path).grid, grid)
            assert recognises(path) == 0.7


def test_lines_around_dies_alone_are_read_back(tmp_path):
    grid = disk(25)
    whole, on_line = enlarged(grid, 6, 6, 1)
    pixels = np.array([(255, 255, 255), (0, 160, 0), (200, 0, 0)])[whole]
    pixels[on_line & (whole > 0)] = 0
    np.testing.assert_array_equal(one(drawn(tmp_path, pixels)).grid, grid)


@pytest.mark.parametrize("side", [50, 64, 100, 137, 224])
def test_maps_enlarged_by_no_whole_number_are_read_back(tmp_path, side):
    grid = disk()
    picture = Pillow.fromarray(np.array([0, 127, 255], np.uint8)[grid])
    path = tmp_path / "map.png"
    picture.resize((side, side), Pillow.Resampling.NEAREST).save(path)
    np.testing.assert_array_equal(one(path).grid, grid)


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(9, 40), st.integers(9, 40), st.integers(1, 6))
def test_any_map_on_a_disk_is_read_back(tmp_path_factory, seed, rows, columns, size):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:rows, 0:columns]
    there = np.hypot((2 * y + 1) / rows - 1, (2 * x + 1) / columns - 1) <= 1
    grid = (there * rng.choice([1, 1, 1, 2], (rows, columns))).astype(np.uint8)
    path = tmp_path_factory.mktemp("maps") / "map.png"
    whole, _ = enlarged(grid, size, size)
    drawn(path.parent, np.array([0, 127, 255])[whole])
    found = one(path)
    np.testing.assert_array_equal(found.grid, grid)


def test_what_the_colours_were_taken_for_is_told(tmp_path):
    palette = np.array(COLOURS["green and red on white"])
    wafer = one(drawn(tmp_path, palette[enlarged(disk(), 5, 5)[0]]))
    assert wafer.warnings[0] == (
        "read from a picture: no die #ffffff, pass #00a000, fail #c80000; the notch is taken down"
    )


def test_a_clean_map_and_a_dead_one(tmp_path):
    clean = np.minimum(disk(), 1)
    assert one(drawn(tmp_path, clean * 127)).grid.max() == 1
    assert one(drawn(tmp_path, clean * 255)).grid[10, 10] == 2


def photograph():
    rng = np.random.default_rng(3)
    return rng.integers(0, 256, (300, 300)).astype(np.uint8)


def gradient():
    return np.tile(np.arange(256, dtype=np.uint8), (64, 1))


def layout():
    mask = np.zeros((256, 256), np.uint8)
    mask[20:200, 30:40] = mask[20:30, 30:220] = mask[90:99, 60:250] = 255
    return mask


def text():
    shown = np.array([0, 127, 255])[enlarged(disk(), 9, 9)[0]]
    shown[2:9, 2:4] = 255
    return shown


def smoothed():
    picture = Pillow.fromarray(np.array([0, 127, 255], np.uint8)[disk()])
    return np.asarray(picture.resize((200, 200), Pillow.Resampling.BICUBIC))


@pytest.mark.parametrize("make", [photograph, gradient, layout, text, smoothed])
def test_other_pictures_are_not_recognised(tmp_path, make):
    path = drawn(tmp_path, make())
    assert detect(path).name == "picture"
    assert recognises(path) == 0


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (photograph, "colours, a drawn wafer map has 8 at most: it is a photograph"),
        (smoothed, "colours, a drawn wafer map has 8 at most"),
        (lambda: np.full((40, 40), 9), "of one colour"),
        (lambda: np.kron([[0, 60], [120, 180]], np.ones((9, 9))), "corners are of different"),
        (
            lambda: np.array([0, 60, 120, 180])[disk() + (disk() == 2) * np.arange(21) % 2],
            "dies of",
        ),
    ],
)
def test_other_pictures_are_refused_with_the_reason(tmp_path, make, rule):
    with pytest.raises(FabsightError, match=rule):
        one(drawn(tmp_path, make()))


def test_a_broken_picture_is_refused(tmp_path):
    path = drawn(tmp_path, disk() * 100)
    path.write_bytes(path.read_bytes()[:60])
    assert recognises(path) == 0
    with pytest.raises(FabsightError):
        one(path)


def test_a_disk_is_told_from_a_square():
    assert on_a_disk(disk())
    assert not on_a_disk(np.ones((20, 20), np.uint8))
    assert not on_a_disk(np.zeros((20, 20), np.uint8))
    assert not on_a_disk(disk(3))


def test_real_maps_drawn_and_read_back(shared_data, tmp_path):
    wafers = read_wafers(shared_data / "wafermap" / "wm811k_trainval.npz", SETTINGS)
    right = known = 0
    for k, wafer in enumerate(wafers):
        if k >= 3000:
            break
        if k % 60:
            continue
        grid = wafer.grid
        path = drawn(tmp_path, np.array([0, 127, 255])[enlarged(grid, 4, 4)[0]])
        known += recognises(path) > 0
        if grid.shape == (found := one(path)).grid.shape:
            right += bool((found.grid == grid).all())
    assert right == 50
    assert known >= 47

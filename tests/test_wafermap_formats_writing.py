"""What is written is read again: any grid, bins, names and defects, in every format."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabsight.task import FabsightError
from fabsight.wafermap.formats import WRITERS, read_wafers
from fabsight.wafermap.formats.placing import arranged, drawn, notch_down
from fabsight.wafermap.settings import WaferSettings
from fabsight.wafermap.wafer import NO_BIN, SIDES, About, Defects, Placement, Wafer

SETTINGS = WaferSettings()
TEXTS = ("lot", "wafer", "device", "step", "equipment")
names = st.text(st.characters(exclude_categories=("Cs",)), max_size=8) | st.sampled_from(
    ["", "LOT 7", "a,b", "# x", 'a"b', "x\ny", " 1 ", "7.0", "é", "=1+1"]
)
plain = st.text("abcXYZ019 _.,;#-<>&", max_size=8).map(str.strip)
sizes = st.floats(1, 1e5).map(lambda v: round(v, 3))


@st.composite
def wafers(draw, texts=plain, defects=False):
    rows, columns = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    grid = rng.choice([0, 1, 1, 2], (rows, columns)).astype(np.uint8)
    grid[rng.integers(rows), rng.integers(columns)] = draw(st.integers(1, 2))
    bins = soft = None
    if draw(st.booleans()):
        bins = rng.choice([NO_BIN, 0, 1, 1, 2, 999, 70000], grid.shape).astype(np.int32)
        bins[grid == 0] = NO_BIN
    if draw(st.booleans()):
        soft = np.where(grid > 0, rng.integers(-1, 300, grid.shape), NO_BIN).astype(np.int32)
    place = Placement(
        x0=draw(st.integers(-99, 99)),
        y0=draw(st.integers(-99, 99)),
        y_row=draw(st.sampled_from([1, -1])),
        x_column=draw(st.sampled_from([1, -1])),
    )
    about = About(
        lot=draw(texts),
        wafer=draw(texts),
        device=draw(texts),
        step=draw(texts),
        slot=draw(st.integers(0, 25)),
        time=draw(st.sampled_from(["", "2024-02-29T09:30:01"])),
        equipment=draw(texts),
        notch=draw(st.sampled_from(SIDES)),
        pitch_um=draw(st.just((0.0, 0.0)) | st.tuples(sizes, sizes)),
        diameter_mm=draw(st.sampled_from([0.0, 150.0, 300.0])),
        placement=place,
    )
    cut = drawn(grid, about, "test", bins)
    down, right = (np.flatnonzero((grid > 0).any(axis)) for axis in (1, 0))
    if soft is not None:
        soft = soft[down[0] : down[-1] + 1, right[0] : right[-1] + 1]
    wafer = replace(cut, soft_bins=soft)
    if defects and draw(st.booleans()):
        wafer = replace(wafer, defects=_on(wafer, rng))
    return notch_down(wafer, SETTINGS)


def _on(wafer, rng):
    """A defect or two on each failing die, in the frame of the file."""
    row, column = np.nonzero(wafer.grid == 2)
    row, column = np.repeat(row, 2), np.repeat(column, 2)
    width, height = wafer.about.pitch_um
    x = (column + rng.uniform(0.1, 0.9, len(row)) - wafer.grid.shape[1] / 2) * width
    y = (wafer.grid.shape[0] / 2 - row - rng.uniform(0.1, 0.9, len(row))) * height
    unknown = width == 0
    return Defects(
        id=np.arange(1, len(row) + 1, dtype=np.int32),
        row=row.astype(np.int32),
        column=column.astype(np.int32),
        x_um=np.full(len(row), np.nan) if unknown else x,
        y_um=np.full(len(row), np.nan) if unknown else y,
        size_um=rng.uniform(0, 9, len(row)).round(3),
        label=rng.integers(0, 5, len(row)).astype(np.int32),
    )


def again(folder, kind, given_wafers):
    path = folder / f"out.{kind}"
    said = WRITERS[kind](iter(given_wafers), path)
    return list(read_wafers(path, SETTINGS)), said


@settings(max_examples=25)
@given(st.lists(wafers(names), min_size=1, max_size=3))
def test_csv_keeps_everything_but_defects(tmp_path_factory, made):
    found, _ = again(tmp_path_factory.mktemp("csv"), "csv", made)
    assert len(found) == len(made)
    seen = set()
    for one, other in zip(made, found, strict=True):
        np.testing.assert_array_equal(one.grid, other.grid)
        np.testing.assert_array_equal(_bins(one), _bins(other))
        np.testing.assert_array_equal(_soft(one), _soft(other))
        texts = {key: spaced(getattr(one.about, key)) for key in TEXTS}
        name = (texts["lot"], texts["wafer"])
        if name in seen:
            texts["wafer"] = other.about.wafer
        seen.add(name)
        assert other.about == replace(one.about, format="CSV", **texts)


def spaced(text):
    return re.sub(r"[\x00-\x1f\x7f]", " ", text)


def _bins(wafer):
    return np.full(wafer.grid.shape, NO_BIN) if wafer.bins is None else wafer.bins


def _soft(wafer):
    return np.full(wafer.grid.shape, NO_BIN) if wafer.soft_bins is None else wafer.soft_bins


@settings(max_examples=25)
@given(st.lists(wafers(), min_size=1, max_size=3))
def test_g85_keeps_the_map_and_the_names(tmp_path_factory, made):
    found, said = again(tmp_path_factory.mktemp("g85"), "g85", made)
    for one, other in zip(made, found, strict=True):
        np.testing.assert_array_equal(one.grid, other.grid)
        for key in ("lot", "wafer", "device", "time", "equipment", "pitch_um", "diameter_mm"):
            assert getattr(one.about, key) == getattr(other.about, key)
        if one.bins is not None and not any("another bin" in text for text in said):
            np.testing.assert_array_equal(one.bins, other.bins)


@settings(max_examples=25)
@given(st.lists(wafers(defects=True), min_size=1, max_size=3), st.sampled_from([12, 18]))
def test_klarf_keeps_the_map_the_defects_and_the_names(tmp_path_factory, made, version):
    found, said = again(tmp_path_factory.mktemp("klarf"), f"klarf{version}", made)
    assert len(found) == len(made)
    for one, other in zip(made, found, strict=True):
        np.testing.assert_array_equal(one.grid, other.grid)
        for key in ("lot", "wafer", "device", "step", "time", "slot", "equipment", "diameter_mm"):
            assert getattr(one.about, key) == getattr(other.about, key)
        if one.about.pitch_um[0]:
            np.testing.assert_allclose(one.about.pitch_um, other.about.pitch_um)
        if one.defects is not None:
            for key in ("id", "row", "column", "label"):
                np.testing.assert_array_equal(
                    getattr(one.defects, key), getattr(other.defects, key)
                )
            np.testing.assert_allclose(one.defects.size_um, other.defects.size_um, atol=1e-9)
            if one.about.pitch_um[0]:
                for key in ("x_um", "y_um"):
                    near = {"rtol": 0, "atol": 2e-3}  # KLARF 1.8 counts nanometres
                    a, b = getattr(one.defects, key), getattr(other.defects, key)
                    np.testing.assert_allclose(a, b, **near)
        if not any("numbered anew" in text for text in said):
            assert one.about.placement == other.about.placement


@pytest.mark.parametrize("kind", WRITERS)
@settings(max_examples=15)
@given(made=wafers(names, defects=True))
def test_any_name_is_written_so_that_it_is_read(tmp_path_factory, kind, made):
    ((found,), _) = again(tmp_path_factory.mktemp("names"), kind, [made])
    np.testing.assert_array_equal(found.grid, made.grid)


@pytest.mark.parametrize("kind", WRITERS)
def test_nothing_is_not_written(tmp_path, kind):
    with pytest.raises(FabsightError, match="there is no wafer to write"):
        WRITERS[kind](iter(()), tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", WRITERS)
def test_equal_wafers_give_equal_bytes_and_are_told_apart(tmp_path, kind):
    wafer = Wafer(np.array([[1, 2]], np.uint8), About(lot="L", wafer="1"))
    for name in ("a", "b"):
        WRITERS[kind](iter([wafer, wafer]), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    found = list(read_wafers(tmp_path / "a", SETTINGS))
    assert [w.source[-len("L/1(2)") :] for w in found][1] == "L/1(2)"


def test_a_bin_that_passes_and_fails_becomes_two_in_g85(tmp_path):
    bins = np.array([[5, 5, 5]], np.int32)
    wafer = Wafer(np.array([[2, 2, 1]], np.uint8), About(), bins=bins)
    (found,), said = again(tmp_path, "g85", [wafer])
    assert found.bins.tolist() == [[5, 5, 6]]
    assert said == ("1 dies got another bin: in G85 a bin passes or fails as a whole",)


def test_a_map_of_bins_becomes_defects_of_their_class(tmp_path):
    bins = np.array([[1, 5, 7]], np.int32)
    wafer = Wafer(np.array([[1, 2, 2]], np.uint8), About(pitch_um=(10.0, 20.0)), bins=bins)
    (found,), said = again(tmp_path, "klarf12", [wafer])
    assert found.defects.label.tolist() == [5, 7]
    assert "2 failing dies without a defect got one at their centre" in said
    np.testing.assert_allclose(found.defects.x_um, [0, 10])
    np.testing.assert_allclose(found.defects.y_um, [0, 0])


def test_dies_of_the_helpers_are_what_they_say():
    with pytest.raises(FabsightError, match="the map has no die"):
        drawn(np.zeros((2, 2), np.uint8), About(), "a")
    assert arranged.__doc__

"""Descriptors, similarity, and the index of maps on disk through changes and crashes."""

import itertools
import time

import numpy as np
import pytest

from fabsight.task import FabsightError
from fabsight.wafermap import index as index_module
from fabsight.wafermap.geometry import disk
from fabsight.wafermap.index import add, opened, search, verified
from fabsight.wafermap.index_store import HEADER_BYTES, ROW_BYTES
from fabsight.wafermap.similarity import (
    LENGTH,
    alike,
    descriptor,
    matches,
    rotated_distances,
    similarity_matrix,
    squared_distances,
    unrotated_distances,
)
from fabsight.wafermap.wafer import About, Wafer


def wafer_of(seed, shape=(26, 26)):
    """A blob at a place of its own on a round wafer, on a noise of its own."""
    rng = np.random.default_rng(seed)
    places = disk(*shape)
    grid = (places.radius <= 1).astype(np.uint8)
    x, y = rng.uniform(-0.6, 0.6, 2)
    blob = np.hypot(places.x - x, places.y - y) < rng.uniform(0.15, 0.4)
    grid[(grid > 0) & ((blob & (rng.random(shape) < 0.8)) | (rng.random(shape) < 0.03))] = 2
    return grid


def read(path):
    """Wafers of a file that names their seeds."""
    for seed in path.read_text().split():
        if seed == "bad":
            raise FabsightError(f"{path}: is no wafer file")
        yield Wafer(
            wafer_of(int(seed)), About(lot="L", wafer=seed), f"{path}#{seed}", labels=("loc",)
        )


def files_of(folder, contents):
    paths = []
    for name, text in contents.items():
        (folder / name).write_text(text)
        paths.append(folder / name)
    return paths


def found(index, seed, **options):
    return [hit.wafer for hit in search(index, wafer_of(seed), **options)]


def test_a_rotated_map_is_found_with_its_rotation():
    grid = wafer_of(3)
    for turns in range(4):
        turned = np.ascontiguousarray(np.rot90(grid, -turns))
        match = alike(descriptor(turned), descriptor(grid), rotate=True)
        assert match.rotation_deg == 90 * turns
        assert match.similarity > 0.999


def test_one_pattern_on_grids_of_different_size_is_alike():
    one, other = np.ones((24, 24), np.uint8), np.ones((120, 90), np.uint8)
    for grid in (one, other):
        grid[disk(*grid.shape).radius < 0.35] = 2
    far = np.ones((24, 24), np.uint8)
    far[disk(24, 24).radius > 0.9] = 2
    near = alike(descriptor(one), descriptor(other)).similarity
    assert near > 0.7
    assert near > alike(descriptor(one), descriptor(far)).similarity + 0.3


@pytest.mark.parametrize("value", [0, 1, 2])
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (5, 4), (300, 210)])
def test_any_grid_has_a_finite_descriptor(value, shape):
    vector = descriptor(np.full(shape, value, np.uint8))
    assert vector.shape == (LENGTH,)
    assert np.isfinite(vector).all()


def test_distances_keep_their_order():
    vectors = np.stack([descriptor(wafer_of(k)) for k in range(12)])
    query = descriptor(wafer_of(40))
    bound = unrotated_distances(query, vectors)
    turned = rotated_distances(query, vectors)[0]
    assert (bound <= turned + 1e-5).all()
    assert (turned <= squared_distances(query, vectors) + 1e-5).all()
    whole = similarity_matrix(vectors, rotate=True)
    assert np.allclose(whole, whole.T)
    assert np.diag(whole).tolist() == [1] * 12


@pytest.mark.parametrize("rotate", [False, True])
def test_a_search_finds_what_comparing_all_finds(tmp_path, rotate):
    paths = files_of(tmp_path, {f"{k}.txt": f"{2 * k} {2 * k + 1}" for k in range(30)})
    add(tmp_path / "index", paths, read)
    index = opened(tmp_path / "index")
    vectors = np.stack([descriptor(wafer_of(k)) for k in range(60)])
    for seed in (7, 100, 101):
        all_of = matches(descriptor(wafer_of(seed)), vectors, rotate)
        best = sorted(range(60), key=lambda k: -all_of[k].similarity)[:5]
        assert found(index, seed, count=5, rotate=rotate) == [str(k) for k in best]
    hit = search(index, wafer_of(7), 1)[0]
    assert (hit.lot, hit.labels, hit.rows) == ("L", ("loc",), 26)
    assert hit.match.similarity == pytest.approx(1)


def test_only_what_changed_is_read_again(tmp_path):
    paths = files_of(tmp_path, {"a": "1 2", "b": "3", "c": "4"})
    asked = []

    def counting(path):
        asked.append(path.name)
        return read(path)

    built = add(tmp_path / "index", paths, counting)
    assert (built.added, built.maps, asked) == (3, 4, ["a", "b", "c"])
    paths[1].write_text("5 6")
    time.sleep(0.01)
    paths[2].write_text("4")  # the same bytes at another time
    built = add(tmp_path / "index", paths, counting)
    assert (built.replaced, built.unchanged, built.maps) == (1, 2, 5)
    assert asked == ["a", "b", "c", "b"]
    index = opened(tmp_path / "index")
    assert found(index, 5, count=1) == ["5"]
    assert "3" not in found(index, 3, count=9)
    built = add(tmp_path / "index", paths[:1], counting, prune=True)
    assert (built.removed, built.maps) == (2, 2)
    assert verified(tmp_path / "index") == ()


def test_compacting_keeps_every_map(tmp_path):
    paths = files_of(tmp_path, {str(k): str(k) for k in range(12)})
    add(tmp_path / "index", paths, read)
    before = opened(tmp_path / "index")
    add(tmp_path / "index", paths[8:], read, prune=True)
    assert [p.name for p in (tmp_path / "index").glob("*.f32")] == ["maps-1.f32"]
    index = opened(tmp_path / "index")
    assert index.vectors.shape == (4, LENGTH)
    assert {found(index, k, count=1)[0] for k in range(8, 12)} == {"8", "9", "10", "11"}
    assert verified(tmp_path / "index") == ()
    with pytest.raises(FabsightError, match="compacted meanwhile; open it again"):
        search(before, wafer_of(1))


def test_files_that_cannot_be_read_are_named_and_leave_the_rest(tmp_path):
    paths = files_of(tmp_path, {"a": "1", "b": "bad"})
    built = add(tmp_path / "index", [*paths, tmp_path / "missing"], read)
    assert (built.added, built.maps) == (1, 1)
    assert sorted(built.failed) == [str(tmp_path / "b"), str(tmp_path / "missing")]
    paths[0].write_text("bad bad")
    built = add(tmp_path / "index", paths, read)
    assert built.maps == 1  # what it had of the file is kept


@pytest.mark.parametrize("moment", ["vectors", "rows"])
def test_a_crash_leaves_the_index_as_it_was(tmp_path, monkeypatch, moment):
    paths = files_of(tmp_path, {"a": "1 2", "b": "3"})
    add(tmp_path / "index", paths[:1], read)

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(index_module, "write" if moment == "vectors" else "_forget", killed)
    with pytest.raises(KeyboardInterrupt):
        add(tmp_path / "index", paths, read)
    monkeypatch.undo()
    index = opened(tmp_path / "index")
    assert index.maps == 2
    assert verified(tmp_path / "index") == ()
    with (tmp_path / "index" / "maps-0.f32").open("ab") as file:
        file.write(b"half a vector")
    assert add(tmp_path / "index", paths, read).maps == 3
    assert found(opened(tmp_path / "index"), 3, count=1) == ["3"]
    assert verified(tmp_path / "index") == ()


def test_damage_is_found(tmp_path):
    folder = tmp_path / "index"
    add(folder, files_of(tmp_path, {"a": "1 2 3"}), read)
    path = folder / "maps-0.f32"
    whole = path.read_bytes()
    place = HEADER_BYTES + ROW_BYTES + 8
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    assert len(verified(folder)) == 1
    assert "#2 (slot 1) was changed" in verified(folder)[0]
    for bad, said in [(whole[:-9], "it was cut"), (b"x" + whole[1:], "its header is not")]:
        path.write_bytes(bad)
        assert said in verified(folder)[0]
        with pytest.raises(FabsightError, match=said):
            opened(folder)
    path.unlink()
    assert "No such file" in verified(folder)[0]
    (folder / "maps.sqlite").write_bytes(b"no database" * 100)
    assert "not a database" in verified(folder)[0]
    with pytest.raises(FabsightError, match="there is none"):
        opened(tmp_path)


def test_an_empty_index_has_nothing_to_find(tmp_path):
    assert add(tmp_path / "index", [], read).maps == 0
    index = opened(tmp_path / "index")
    for rotate, count in itertools.product((False, True), (0, 3)):
        assert search(index, wafer_of(1), count, rotate) == ()

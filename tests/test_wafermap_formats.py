"""Wafer files of all kinds: found by content, read to wafers, bounded, never surprising."""

import bz2
import gzip
import itertools
import time
from pathlib import Path

import numpy as np
import pytest
from tests.wafermap_files import ASCII, CSV, FILES, KLARF12, bundle, disk

from fabsight.task import FabsightError
from fabsight.wafermap.formats import FORMATS, detect, read_wafers, recognises, transcode
from fabsight.wafermap.settings import WaferSettings
from fabsight.wafermap.wafer import NO_BIN

SETTINGS = WaferSettings()
# What the samples of public projects hold: wafers with (dies that fail, dies, defects).
PUBLIC = {
    "impro02_LAA_FAA_v12_800kB.000": [(17, 1674, 12263)],
    "impro02_no_defect.000": [(0, 1110, 0)],
    "jklarfreader_klarf12DefectListExample.klarf": [(2, 8, 13)],
    "jklarfreader_klarf12Example.klarf": [(2, 2, 2)],
    "jklarfreader_klarfWithImagelist.klarf": [(4, 5, 6)],
    "jklarfreader_simple12.klarf": [(1, 1, 1)],
    "jklarfreader_simple18.klarf": [(3, 12, 3), (1, 2166, 1)],
    "lot2.stdf.bz2": [(67, 1456, None)],
}


def put(folder, data, name="file.bin"):
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def counts(wafer):
    defects = None if wafer.defects is None else len(wafer.defects.id)
    return int((wafer.grid == 2).sum()), int((wafer.grid > 0).sum()), defects


@pytest.mark.parametrize("kind", FILES)
def test_files_are_known_by_content_and_not_by_name(tmp_path, kind):
    for name in ("a.txt", "b.csv", "c.klarf", "noname"):
        path = put(tmp_path, FILES[kind], name)
        assert detect(path).name == kind
        assert recognises(path) == FORMATS[kind].sure


@pytest.mark.parametrize("kind", [k for k in FILES if k != "npz"])
@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_packed_files_are_read_as_they_are(tmp_path, kind, pack):
    plain = list(read_wafers(put(tmp_path, FILES[kind]), SETTINGS))
    packed = list(read_wafers(put(tmp_path, pack(FILES[kind])), SETTINGS))
    assert [w.about for w in plain] == [w.about for w in packed]
    for one, other in zip(plain, packed, strict=True):
        np.testing.assert_array_equal(one.grid, other.grid)


@pytest.mark.parametrize("name", PUBLIC)
def test_public_samples_hold_what_they_hold(shared_data, name):
    path = shared_data / "wafermap" / "formats" / name
    assert [counts(wafer) for wafer in read_wafers(path, SETTINGS)] == PUBLIC[name]


def test_the_public_sample_of_retests_is_counted(shared_data):
    path = shared_data / "wafermap" / "formats" / "lot2.stdf.bz2"
    (wafer,) = read_wafers(path, SETTINGS)
    assert wafer.retests == 1569 - 1456
    assert "113 results are of 113 dies" in wafer.warnings[0]
    assert wafer.about.lot == "GAL-LOT"


def test_the_public_table_holds_its_wafers(shared_data):
    path = shared_data / "wafermap" / "formats" / "telecasterer_fmt-demo.csv"
    wafers = list(read_wafers(path, SETTINGS))
    lines = path.read_text().splitlines()[1:]
    assert sum((w.grid > 0).sum() for w in wafers) == len({tuple(r.split(",")[1:4]) for r in lines})
    first = lines[0].split(",")
    assert wafers[0].about.wafer == first[1]
    assert wafers[0].about.placement.die(0, 0)[1] == max(int(r.split(",")[3]) for r in lines)


def test_a_wafer_without_defects_or_summary_is_refused_after_the_good_one(shared_data):
    path = shared_data / "wafermap" / "formats" / "jklarfreader_bad12.klarf"
    wafers = read_wafers(path, SETTINGS)
    assert counts(next(wafers)) == (1, 1, 1)
    with pytest.raises(FabsightError, match=r"bad12\.klarf:36: the wafer 'anotherWafer' has no"):
        next(wafers)


@pytest.mark.parametrize("kind", ["klarf12", "klarf18", "sinf", "g85", "csv", "ascii"])
def test_line_ends_marks_and_case_do_not_matter(tmp_path, kind):
    text = FILES[kind].decode()
    read = list(read_wafers(put(tmp_path, text), SETTINGS))
    forms = [text.replace("\n", "\r\n").encode(), text.replace("\n", "\r").encode()]
    forms += [text.encode("utf-8-sig")]
    if kind not in ("g85", "ascii"):
        forms += [text.encode("utf-16"), text.replace("LOT A", "LOT A").upper().encode()]
    for data in forms:
        again = list(read_wafers(put(tmp_path, data), SETTINGS))
        assert [counts(w) for w in again] == [counts(w) for w in read]
        for one, other in zip(again, read, strict=True):
            np.testing.assert_array_equal(one.grid, other.grid)


def test_names_in_latin_1_are_read(tmp_path):
    path = put(tmp_path, CSV.replace("LOT A", "Lösung").encode("latin-1"))
    assert next(read_wafers(path, SETTINGS)).about.lot == "Lösung"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("empty", b""),
        ("zeros", bytes(1000)),
        ("prose", b"The quick brown fox\njumps over the lazy dog\nand so on it goes\n"),
        ("layout", b"CANVAS 256 256\nRECT 0 0 10 10\nRECT 1 2 3 4\n"),
        ("table", b"lot,wafer,tool,slot\nA,1,T1,2\nA,2,T1,3\n"),
        ("measures", b"x,y,value\n1,2,3.5\n2,2,3.6\n"),
        ("prose with words", b"the x and y of a bin\nand the row after it\n"),
        ("boxes", b"1 2 30 40 5\n6 7 80 90 3\n5 4 30 20 0\n"),
        ("python", b'DEVICE = """\nFileVersion 1 2;\nDefectRecordSpec 3 A B C;\n"""\n'),
        ("json", b'{"x": 1, "y": 2, "bin": 3}'),
        ("svg", b'<svg xmlns="http://www.w3.org/2000/svg"><rect/></svg>'),
        ("html", b"<!DOCTYPE html><html><body>a map</body></html>"),
        ("zip", b"PK\x03\x04" + bytes(100)),
        ("gds", bytes.fromhex("000600020258") + bytes(64)),
        ("broken gz", b"\x1f\x8b\x08\x00garbage"),
        ("broken bz2", b"BZh9garbage"),
        ("half utf-16", b"\xff\xfeA"),
    ],
)
def test_other_files_are_not_recognised(tmp_path, name, data):
    path = put(tmp_path, data, name)
    assert detect(path) is None
    assert recognises(path) == 0
    with pytest.raises(FabsightError, match="no wafer file"):
        list(read_wafers(path, SETTINGS))


def test_what_is_no_file_is_refused_in_words(tmp_path):
    assert recognises(tmp_path) == recognises(tmp_path / "gone") == recognises(Path("a\0b")) == 0
    with pytest.raises(FabsightError, match="there is no such file"):
        list(read_wafers(tmp_path / "gone", SETTINGS))


def test_a_wafer_is_turned_notch_down_with_all_that_is_on_it(tmp_path):
    straight, *_ = read_wafers(put(tmp_path, KLARF12), SETTINGS)
    for side, quarters in (("LEFT", 1), ("UP", 2), ("RIGHT", 3)):
        turned = KLARF12.replace("Location DOWN", f"Location {side}")
        wafer, *_ = read_wafers(put(tmp_path, turned), SETTINGS)
        np.testing.assert_array_equal(wafer.grid, np.rot90(straight.grid, quarters))
        assert wafer.about.notch == side.lower()
        for k in range(len(wafer.defects.id)):
            row, column = int(wafer.defects.row[k]), int(wafer.defects.column[k])
            assert wafer.grid[row, column] == 2
            was = (int(places[k]) for places in (straight.defects.row, straight.defects.column))
            assert wafer.about.placement.die(row, column) == straight.about.placement.die(*was)
        pitch = wafer.about.pitch_um
        assert pitch == straight.about.pitch_um[:: 1 if quarters == 2 else -1]
        x, y = wafer.defects.x_um, wafer.defects.y_um
        middle = (np.array(wafer.grid.shape)[::-1] - 1) / 2
        die_x = (wafer.defects.column - middle[0]) * pitch[0]
        die_y = (middle[1] - wafer.defects.row) * pitch[1]
        assert (np.abs(x - die_x) <= pitch[0] / 2).all()
        assert (np.abs(y - die_y) <= pitch[1] / 2).all()


def test_the_person_knows_better_where_the_notch_is(tmp_path):
    path = put(tmp_path, ASCII)
    straight, *_ = read_wafers(path, SETTINGS)
    turned, *_ = read_wafers(path, WaferSettings(notch="left"))
    np.testing.assert_array_equal(turned.grid, np.rot90(straight.grid))
    assert turned.about.notch == "left"


def test_bins_decide_what_fails(tmp_path):
    path = put(tmp_path, CSV)
    assert counts(next(read_wafers(path, SETTINGS)))[0] == 0  # bin 2 was tested again: bin 1
    assert counts(next(read_wafers(path, WaferSettings(pass_bins=(5,)))))[0] == 5
    assert counts(next(read_wafers(path, WaferSettings(fail_bins=(1,)))))[0] == 5


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
@pytest.mark.parametrize("head", [b"FileVersion 1 2;\n", b"\2\0\0\n\2\4", b"x,y,bin\n1,1,1\n"])
def test_bombs_are_refused_quickly(tmp_path, pack, head):
    filler = b"\0" if head[0] == 2 else b" "
    path = put(tmp_path, pack(head + filler * 40 * 2**20))
    began = time.process_time()
    with pytest.raises(FabsightError):
        list(read_wafers(path, SETTINGS))
    recognises(path)
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        ("klarf12", "SampleTestPlan 5", "SampleTestPlan 1000000000"),
        ("klarf12", " 1 0\n 0 -1;", " 1 0\n 0 -1000000000;"),
        ("klarf12", "DefectRecordSpec 10", "DefectRecordSpec " + "9" * 5000),
        ("klarf12", " 1 100.5 200.5 0 1 ", " 1 100.5 200.5 0 " + "9" * 5000 + " "),
        ("klarf18", "Data 3", "Data 999999999"),
        ("klarf18", " 0 -1; }", " 0 -1000000000; }"),
        ("klarf18", "Data 3", "Data " + "9" * 5000),
        ("sinf", "ROWCT:3", "ROWCT:1000000000"),
        ("sinf", "COLCT:4", "COLCT:" + "9" * 5000),
        ("g85", 'Rows="3"', 'Rows="1000000000"'),
        ("g85", 'Columns="4"', 'Columns="1000000000"'),
        ("e142", 'X="4"', 'X="1000000000"'),
        ("csv", "01,0,-1,", "01,0,-1000000000,"),
        ("csv", "01,0,-1,", "01,0," + "9" * 5000 + ","),
    ],
)
def test_claims_of_enormous_sizes_are_refused(tmp_path, kind, old, new):
    text = FILES[kind].decode()
    assert old in text
    began = time.process_time()
    with pytest.raises(FabsightError):
        list(read_wafers(put(tmp_path, text.replace(old, new)), SETTINGS))
    assert time.process_time() - began < 1


def test_what_is_nested_deep_is_refused(tmp_path):
    deep = 'Record FileRecord "1.8" {' + "Record A {" * 50_000
    with pytest.raises(FabsightError, match="nested more than 32 deep"):
        list(read_wafers(put(tmp_path, deep), SETTINGS))
    xml = '<Maps><Map WaferId="1">' + "<a>" * 50_000
    with pytest.raises(FabsightError, match="in one another"):
        list(read_wafers(put(tmp_path, xml), SETTINGS))


@pytest.mark.parametrize(
    "head",
    [
        '<!DOCTYPE Maps SYSTEM "file:///etc/passwd">',
        '<!DOCTYPE Maps [<!ENTITY a "b">]>',
        '<!DOCTYPE Maps [<!ENTITY a "1"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>',
    ],
)
@pytest.mark.parametrize("kind", ["g85", "e142"])
def test_document_types_and_entities_are_refused(tmp_path, kind, head):
    text = FILES[kind].decode().replace("?>\n", "?>\n" + head, 1)
    with pytest.raises(FabsightError, match="declares a document type"):
        list(read_wafers(put(tmp_path, text), SETTINGS))


def test_bundles_give_their_maps_labels_and_splits(tmp_path):
    first, second = read_wafers(put(tmp_path, FILES["npz"]), SETTINGS)
    assert first.labels == ("edge-ring",)
    assert second.labels == ("none",)
    assert (first.split, second.split) == ("train", "test")
    assert second.grid.tolist() == [[1, 2], [2, 1]]
    assert second.about.placement.die(0, 0) == (1, 1)
    assert first.source.endswith("file.bin#0")


def test_bundles_of_mixed_patterns_name_them_all(tmp_path):
    arrays = {
        "maps": np.stack([disk(9)] * 3),
        "labels": np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0]], np.uint8),
        "label_names": np.array(["Center", "Near-full", "Scratch"]),
        "split": np.array([0, 1, 2]),
        "splits": np.array(["train1", "val", "test"]),
    }
    np.savez(tmp_path / "mixed.npz", **arrays)
    wafers = list(read_wafers(tmp_path / "mixed.npz", SETTINGS))
    assert [w.labels for w in wafers] == [("center", "scratch"), ("none",), ("near-full",)]
    assert [w.split for w in wafers] == ["train", "val", "test"]


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"hw": np.array([[3, 3], [4, 4]], np.int16)}, "map 1: hw states 4 x 4 dies, offsets 12"),
        ({"hw": np.array([[3, 3]], np.int16)}, "do not belong together"),
        ({"offsets": np.array([0, 9, 20])}, "the last offset is 20, flat holds 21"),
        ({"label": np.array([0, 3], np.int8)}, "map 1: label is 3, of 3 names"),
        ({"classes": np.array(["Edge-Ring", "Loc", "Blob"])}, "class 'blob' is none of"),
        ({"flat": np.full(21, 7, np.uint8)}, "map 0 holds 7"),
        ({"flat": np.zeros(21, np.uint8)}, "map 0 has no die"),
        ({"flat": np.array([None] * 21)}, "flat.npy states 21 of object"),
    ],
)
def test_bundles_that_do_not_add_up_are_refused(tmp_path, changes, rule):
    with pytest.raises(FabsightError, match=rule):
        list(read_wafers(put(tmp_path, bundle(**changes)), SETTINGS))


def test_the_large_bundle_is_read_in_seconds(shared_data):
    path = shared_data / "wafermap" / "wm811k_trainval.npz"
    began = time.process_time()
    wafers = list(itertools.islice(read_wafers(path, SETTINGS), 5000))
    assert time.process_time() - began < 5
    assert sum(w.labels == ("none",) for w in wafers) > 1000


def test_transcoding_says_what_is_lost(tmp_path):
    path = put(tmp_path, KLARF12)
    said = transcode(path, "csv", tmp_path / "a.csv", SETTINGS)
    assert "defects are not kept in CSV, only the dies that fail" in said
    wafers = list(read_wafers(tmp_path / "a.csv", SETTINGS))
    assert [counts(w)[:2] for w in wafers] == [(2, 5), (1, 2)]
    with pytest.raises(FabsightError, match="one of csv, g85, klarf12, klarf18"):
        transcode(path, "gds", tmp_path / "a.gds", SETTINGS)


def test_bins_of_what_has_none_are_missing(tmp_path):
    wafer = next(read_wafers(put(tmp_path, CSV), SETTINGS))
    assert wafer.bins.min() == NO_BIN
    assert wafer.bins[wafer.grid == 0].tolist() == [NO_BIN] * 4
    assert next(read_wafers(put(tmp_path, ASCII.replace("X", "F")), SETTINGS)).bins is not None
    assert next(read_wafers(put(tmp_path, "0 1 0\n1 2 1\n0 1 0\n"), SETTINGS)).bins is None

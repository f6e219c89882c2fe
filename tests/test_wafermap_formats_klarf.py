"""KLARF of all versions: what is read, what is refused and where, classes written back."""

import time

import numpy as np
import pytest
from tests.wafermap_files import KLARF12, KLARF18

from fabsight.task import FabsightError
from fabsight.wafermap.formats import add_klarf_classes, read_wafers
from fabsight.wafermap.settings import WaferSettings

SETTINGS = WaferSettings()
LAST = KLARF12.index('WaferID "02"')
ONE = KLARF12[:LAST] + "EndOfFile;\n"


def read(folder, text, settings=SETTINGS):
    path = folder / "a.klarf"
    path.write_bytes(text.encode("latin-1"))
    return list(read_wafers(path, settings))


def test_the_wafers_of_a_file_and_all_that_is_said_of_them(tmp_path):
    first, second = read(tmp_path, KLARF12)
    assert first.grid.tolist() == [[0, 2, 0], [1, 1, 2], [0, 1, 0]]
    about = first.about
    assert (about.lot, about.wafer, about.device, about.step) == ("LOT A", "01", "DEV", "M1")
    assert (about.slot, about.time, about.format) == (3, "2024-02-29T09:30:00", "KLARF 1.2")
    assert (about.equipment, about.diameter_mm) == ("KLA 2930 K1", 200.0)
    assert about.pitch_um == (20000.0, 10000.0)
    assert about.placement.die(0, 1) == (0, 1)
    assert first.source.endswith("a.klarf#LOT A/01")
    assert first.warnings == ()
    assert second.grid.tolist() == [[1], [2]]
    assert (second.about.slot, second.about.lot) == (4, "LOT A")


def test_a_slot_is_its_own_wafers(tmp_path):
    one, two = read(tmp_path, KLARF12.replace("Slot 4;\n", ""))
    assert (one.about.slot, two.about.slot) == (3, 0)
    early = KLARF12.replace("Slot 4;\n", "").replace('WaferID "02"', 'Slot 4;\nWaferID "02"')
    assert [w.about.slot for w in read(tmp_path, early)] == [3, 4]


@pytest.mark.parametrize("text", [ONE, KLARF18])
def test_defects_are_where_they_are_on_the_wafer(tmp_path, text):
    (wafer,) = read(tmp_path, text)
    assert wafer.source.endswith("a.klarf")
    found = wafer.defects
    assert found.id.tolist() == [1, 2, 3]
    assert found.label.tolist() == [7, 0, 7]
    np.testing.assert_allclose(found.x_um, [-9899.5, 10000.0, 9999.0])
    np.testing.assert_allclose(found.y_um, [5200.5, -5000.0, 14999.0])
    np.testing.assert_allclose(found.size_um, [1.5, 2.0, np.nan])
    assert found.row.tolist() == [0, 1, 0]
    assert found.column.tolist() == [1, 2, 1]
    assert (wafer.about.lot, wafer.about.slot, wafer.about.diameter_mm) == ("LOT A", 3, 200.0)
    assert wafer.about.time == "2024-02-29T09:30:00"


@pytest.mark.parametrize("text", [ONE, KLARF18])
def test_only_asked_classes_fail(tmp_path, text):
    (wafer,) = read(tmp_path, text, WaferSettings(classes=(0,)))
    assert wafer.grid.tolist() == [[0, 1, 0], [1, 1, 2], [0, 1, 0]]
    assert len(wafer.defects.id) == 3


def test_columns_may_stand_in_any_order_and_case(tmp_path):
    text = ONE.replace(
        "10 DEFECTID XREL YREL XINDEX YINDEX DSIZE CLASSNUMBER TEST IMAGECOUNT IMAGELIST",
        "6 ClassNumber yindex xindex Yrel Xrel DefectID",
    )
    begin, end = text.index("DefectList\n"), text.index("SummarySpec")
    rows = "DefectList\n 7 1 0 200.5 100.5 1\n 0 0 1\n 0 0 2\n 7 1 0 1 1 3;\n"
    (wafer,) = read(tmp_path, text[:begin] + rows + text[end:])
    assert wafer.defects.id.tolist() == [1, 2, 3]
    assert wafer.defects.label.tolist() == [7, 0, 7]
    assert wafer.grid.tolist() == [[0, 2, 0], [1, 1, 2], [0, 1, 0]]
    assert np.isnan(wafer.defects.size_um).all()


@pytest.mark.parametrize(
    ("spec", "rows"),
    [
        ("4 DEFECTID XINDEX YINDEX IMAGECOUNT", " 1 0 0 0\n 2 0 1 2\n 1 0\n 2 0\n 3 0 0 0"),
        ("5 DEFECTID XINDEX YINDEX IMAGECOUNT IMAGELIST", " 1 0 0 0\n 2 0 1 1 9 0\n 3 0 0 0"),
        ("5 DEFECTID XINDEX YINDEX IMAGECOUNT IMAGELIST", " 1 0 0 0 0\n 2 0 1 1 1 9 0\n 3 0 0 0 0"),
        ("5 DEFECTID IMAGECOUNT IMAGELIST XINDEX YINDEX", " 1 0 0 0 0\n 2 1 1 9 0 0 1\n 3 0 0 0 0"),
        ("5 DEFECTID NOTE XINDEX YINDEX TEST", ' 1 "a b" 0 0 1\n 2 "" 0 1 1\n 3 "c;d" 0 0 1'),
    ],
)
def test_lists_of_images_are_read_in_each_dialect(tmp_path, spec, rows):
    begin, end = ONE.index("DefectRecordSpec"), ONE.index("SummarySpec")
    text = ONE[:begin] + f"DefectRecordSpec {spec};\nDefectList\n{rows};\n" + ONE[end:]
    (wafer,) = read(tmp_path, text)
    assert wafer.defects.id.tolist() == [1, 2, 3]
    assert wafer.defects.row.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    "edit",
    [
        lambda t: t.replace("DefectList\n 1", "DefectList;\nTiffFileName a.tif;\nDefectList\n 1"),
        lambda t: t.replace("DefectList\n 1", "DefectList\nTiffFileName a.tif;\n 1"),
        lambda t: t.replace(" 3 19999.0", "TiffFileName b.tif;\n 3 19999.0"),
        lambda t: t.replace('StepID "M1";', 'StepID "M1"'),
        lambda t: t.replace("1 0 0;\nSummarySpec", "1 0 0\nSummarySpec"),
        lambda t: t.replace("EndOfFile;", "EndOfFile"),
        lambda t: t.replace("Slot 3;", "Slot 3;\nVendorThing 3 {a} 7;\nAnother;"),
    ],
)
def test_statements_between_and_missing_semicolons_do_no_harm(tmp_path, edit):
    text = edit(ONE)
    assert text != ONE
    (wafer,) = read(tmp_path, text)
    assert len(wafer.defects.id) == 3
    assert wafer.about.step == "M1"
    assert wafer.grid.tolist() == [[0, 2, 0], [1, 1, 2], [0, 1, 0]]


def test_files_put_one_after_the_other_are_all_read(tmp_path):
    assert [w.about.wafer for w in read(tmp_path, ONE + KLARF12)] == ["01", "01", "02"]
    wafers = read(tmp_path, KLARF18 + KLARF18)
    assert [w.source[-3:] for w in wafers] == ["/01", "(2)"]


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("SampleTestPlan 5", "SampleTestPlan 6", "a.klarf:22: sampletestplan states 6 dies and li"),
        (
            "DefectRecordSpec 10",
            "DefectRecordSpec 9",
            "a.klarf:29: DefectRecordSpec states 9 colum",
        ),
        ("0 1 1.5 7 1 0 0", "0 1 1.5 7 1 0", "a.klarf:31: a defect record's IMAGECOUNT is 0"),
        ("0 1 1.5 7 1 0 0", "0 1 1.5 7 1 0 0 5", "a.klarf:31: a defect record of 11 values"),
        ("1 2 2 1 0\n 2 0", "1 2 2 1 0\n 2", "a.klarf:32: a defect record of"),
        ("7 1 0 0\n 2", "7 1 1 0\n 2", "IMAGECOUNT is 1, its IMAGELIST has 0 images"),
        ("0 1 1.5 7", "0 1.5 1.5 7", "a.klarf:31: YINDEX should be a whole number"),
        ("0 1 1.5 7", "0 x 1.5 7", "a.klarf:31: YINDEX should be a number, got 'x'"),
        ("0 1 1.5 7", "0 1 inf 7", "a.klarf:31: DSIZE is infinite"),
        ("DiePitch 2.0e+04", "DiePitch wide", "a.klarf:13: diepitch should be two lengths in um"),
        ("DefectList\n 1", "Nothing\n 1", "a.klarf:15: the wafer '01' has no DefectList"),
        ("XINDEX YINDEX DSIZE", "XI YI DSIZE", "a.klarf:31: the defect list has no XINDEX"),
        (";\nSummarySpec", "", "no semicolon and the file ends"),
    ],
)
def test_what_does_not_add_up_is_refused_where_it_stands(tmp_path, old, new, rule):
    text = ONE.replace(old, new)
    if not new:
        text = ONE[: ONE.index(old)]
    assert text != ONE
    with pytest.raises(FabsightError, match=rule):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("Data 3", "Data 4", "a.klarf:14: defectlist states 4 rows and has 3"),
        ("Columns 8", "Columns 9", "Columns of defectlist states 9 values and has 8"),
        ("7 N;\n          2", "7 N 1;\n          2", "a.klarf:15: a row of 9 values in defectlist"),
        ("Images 2", "Images 3", "a.klarf:16: a defect states 3 images and lists 2"),
        ("SlotNumber 1 {3}", "SlotNumber 2 {3}", "a.klarf:8: slotnumber states 2 values and has 1"),
        ("1 100500", "1 1O0500", "a.klarf:15: XREL should be a number, got '1O0500'"),
        ("Record TestRecord", "Rekord TestRecord", "a.klarf:21: expected Record, Field, List or }"),
        ("List DefectList", "List Defects", "a.klarf:5: the wafer '01' has no DefectList"),
    ],
)
def test_klarf_18_is_refused_where_it_does_not_add_up(tmp_path, old, new, rule):
    assert old in KLARF18
    with pytest.raises(FabsightError, match=rule):
        read(tmp_path, KLARF18.replace(old, new))


@pytest.mark.parametrize("text", [ONE, KLARF18])
def test_a_file_cut_off_anywhere_is_refused_or_said_to_be(tmp_path, text):
    whole = text.rstrip().removesuffix("EndOfFile;").rstrip()
    for end in range(0, len(whole) - 1, 7):
        try:
            wafers = read(tmp_path, text[:end])
        except FabsightError:
            continue
        assert any("cut off" in said for wafer in wafers for said in wafer.warnings), end


def test_dies_are_deduced_where_no_plan_names_them(tmp_path):
    begin, end = ONE.index("SampleTestPlan"), ONE.index("AreaPerTest")
    (wafer,) = read(tmp_path, ONE[:begin] + ONE[end:])
    assert "were deduced from die pitch, wafer size and centre" in wafer.warnings[0]
    assert "(the summary states 5)" in wafer.warnings[0]
    x, y = np.meshgrid(np.arange(-6, 7), np.arange(-12, 13))
    far = np.hypot((np.abs(x) + 0.5) * 20, (np.abs(y) + 0.5) * 10)
    assert (wafer.grid > 0).sum() == (far <= 100).sum()
    assert (wafer.grid == 2).sum() == 2
    unsized = ONE[:begin] + ONE[end:].replace("1.0e+09", "1")
    (wafer,) = read(tmp_path, unsized.replace("SampleSize 1 200;", ""))
    assert wafer.grid.tolist() == [[2, 0], [0, 2]]
    assert "are the only ones known" in wafer.warnings[0]


def test_defects_outside_the_plan_keep_their_dies_and_are_told(tmp_path):
    (wafer,) = read(tmp_path, ONE.replace(" 1 0\n 0 -1;", " 0 -2\n 0 -1;"))
    assert wafer.grid.tolist() == [[0, 2, 0], [1, 1, 2], [0, 1, 0], [0, 1, 0]]
    assert wafer.warnings == ("1 dies with defects are not in the SampleTestPlan; they were added",)


def test_defects_without_a_die_fail_none(tmp_path):
    (wafer,) = read(tmp_path, ONE.replace(" 2 0.0 0.0 1 0 2.0", " 2 0.0 0.0 NA 0 2.0"))
    assert wafer.grid.tolist() == [[0, 2, 0], [1, 1, 1], [0, 1, 0]]
    assert wafer.defects.row.tolist() == [0, -1, 0]
    assert "1 defects have no die index" in wafer.warnings[0]


def test_removed_dies_are_no_dies(tmp_path):
    (wafer,) = read(tmp_path, ONE.replace("AreaPer", "RemovedDieList 2\n 0 -1\n 1 0;\nAreaPer"))
    assert wafer.grid.tolist()[1:] == [[1, 1, 2]]


def test_a_summary_that_says_other_things_is_told(tmp_path):
    (wafer,) = read(tmp_path, ONE.replace(" 1 3 0.3 5 2;", " 1 4 0.3 5 2;"))
    assert "states 4 defects, the DefectList has 3" in wafer.warnings[0]
    (wafer,) = read(tmp_path, KLARF18.replace("{ 1 3 5; }", "{ 1 4 5; }"))
    assert "states 4 defects, the DefectList has 3" in wafer.warnings[0]


def test_a_wafer_that_the_summary_calls_clean_needs_no_list(tmp_path):
    begin, end = ONE.index("DefectList\n"), ONE.index("SummarySpec")
    text = (ONE[:begin] + ONE[end:]).replace(" 1 3 0.3 5 2;", " 1 0 0 5 0;")
    (wafer,) = read(tmp_path, text)
    assert (wafer.grid == 2).sum() == 0
    assert len(wafer.defects.id) == 0


@pytest.mark.parametrize(("degrees", "side"), [(90, "left"), (180, "up"), (270, "right")])
def test_the_mark_in_degrees_is_told(tmp_path, degrees, side):
    mark = f"OrientationMarkLocation 1 {{{degrees}}}"
    (wafer,) = read(tmp_path, KLARF18.replace("OrientationMarkLocation 1 {0}", mark))
    assert wafer.about.notch == side
    assert "clockwise from 6 o'clock" in wafer.warnings[0]


def changed(old, new):
    """Lines that differ."""
    a, b = old.split(b"\n"), new.split(b"\n")
    assert len(a) == len(b)
    return [(x, y) for x, y in zip(a, b, strict=True) if x != y]


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_classes_are_filled_and_nothing_else_is_touched(tmp_path, ends):
    path, out = tmp_path / "a.klarf", tmp_path / "b.klarf"
    path.write_bytes(KLARF12.replace("DEV", "D\xb5V").replace("\n", ends).encode("latin-1"))
    add_klarf_classes(path, [[11, 22, 33], [44]], out)
    tail = b"\r" if ends == "\r\n" else b""
    assert changed(path.read_bytes(), out.read_bytes()) == [
        (b" 1 100.5 200.5 0 1 1.5 7 1 0 0" + tail, b" 1 100.5 200.5 0 1 1.5 11 1 0 0" + tail),
        (b" 2 0.0 0.0 1 0 2.0 0 1 2 2 1 0" + tail, b" 2 0.0 0.0 1 0 2.0 22 1 2 2 1 0" + tail),
        (b" 3 19999.0 9999.0 0 1 NA 7 1 0 0;" + tail, b" 3 19999.0 9999.0 0 1 NA 33 1 0 0;" + tail),
        (b" 1 5.0 5.0 0 0 1.0 0 1 0 0;" + tail, b" 1 5.0 5.0 0 0 1.0 44 1 0 0;" + tail),
    ]
    assert [w.defects.label.tolist() for w in read_wafers(out, SETTINGS)] == [[11, 22, 33], [44]]


def test_a_column_is_added_before_the_images(tmp_path):
    path, out = tmp_path / "a.klarf", tmp_path / "b.klarf"
    path.write_text(KLARF12)
    add_klarf_classes(path, [[11, 22, 33], [44]], out, "AUTOCLASS")
    text = out.read_text()
    assert "DefectRecordSpec 11 DEFECTID XREL YREL XINDEX YINDEX DSIZE CLASSNUMBER TEST " in text
    assert "TEST AUTOCLASS IMAGECOUNT IMAGELIST;" in text
    assert " 2 0.0 0.0 1 0 2.0 0 1 22 2 2 1 0\n 2 0\n" in text
    assert [len(w.defects.id) for w in read_wafers(out, SETTINGS)] == [3, 1]
    for added in ("11 ", "22 ", "33 ", "44 "):
        text = text.replace(f" 1 {added}", " 1 ", 1)
    assert text.replace("Spec 11", "Spec 10").replace(" AUTOCLASS", "") == KLARF12


def test_a_column_is_added_at_the_end_without_images(tmp_path):
    path, out = tmp_path / "a.klarf", tmp_path / "b.klarf"
    path.write_text(
        KLARF12.replace("10 DEF", "8 DEF").replace(" IMAGECOUNT IMAGELIST", "")
        .replace("7 1 0 0", "7 1")
        .replace("2.0 0 1 2 2 1 0\n 2 0", "2.0 0 1").replace("1 0 0;", "1;")
    )  # fmt: skip
    add_klarf_classes(path, [[11, 22, 33], [44]], out, "AUTOCLASS")
    assert "CLASSNUMBER TEST AUTOCLASS;" in out.read_text()
    assert " 3 19999.0 9999.0 0 1 NA 7 1 33;" in out.read_text()
    assert [len(w.defects.id) for w in read_wafers(out, SETTINGS)] == [3, 1]


@pytest.mark.parametrize("column", ["CLASSNUMBER", "AUTOCLASS"])
def test_classes_of_klarf_18(tmp_path, column):
    path, out = tmp_path / "a.klarf", tmp_path / "b.klarf"
    path.write_text(KLARF18)
    add_klarf_classes(path, [[11, 22, 33]], out, column)
    (wafer,) = read_wafers(out, SETTINGS)
    lines = changed(path.read_bytes(), out.read_bytes())
    if column == "CLASSNUMBER":
        assert wafer.defects.label.tolist() == [11, 22, 33]
        assert len(lines) == 3
    else:
        assert wafer.defects.label.tolist() == [7, 0, 7]
        assert b"Columns 9 {" in lines[0][1]
        assert b"int32 CLASSNUMBER, int32 AUTOCLASS, ImageList IMAGEINFO" in lines[1][1]
        assert b'0 22 Images 2 { "a; b/1.jpg" "JPG"' in lines[3][1]


@pytest.mark.parametrize("text", [KLARF12, KLARF18])
def test_classes_that_do_not_fit_the_file_are_refused(tmp_path, text):
    path, out = tmp_path / "a.klarf", tmp_path / "b.klarf"
    path.write_text(text)
    with pytest.raises(FabsightError, match=r"the file has \d wafers, 5 were given"):
        add_klarf_classes(path, [[1]] * 5, out)
    with pytest.raises(FabsightError, match=r"the file has 3 defects in wafer 1, 1 were given"):
        add_klarf_classes(path, [[1], [1]][: 2 if text is KLARF12 else 1], out)
    with pytest.raises(FabsightError, match="is no name of a KLARF column"):
        add_klarf_classes(path, [], out, "A B")
    path.write_text("x,y,bin\n1,1,1\n")
    with pytest.raises(FabsightError, match="is no KLARF file"):
        add_klarf_classes(path, [], out)
    assert not out.exists()


def test_a_hundred_thousand_defects_are_read_in_two_seconds(tmp_path):
    n = 100_000
    rows = "\n".join(
        f" {k} {k % 977}.5 {k % 991}.25 {k % 31} {k % 29} 1.0 {k % 9} 1 1 1 7 0" for k in range(n)
    )
    begin, end = ONE.index("DefectList\n"), ONE.index("SummarySpec")
    text = ONE[:begin] + f"DefectList\n{rows};\n" + ONE[end:]
    path = tmp_path / "a.klarf"
    path.write_text(text)
    began = time.process_time()
    (wafer,) = read_wafers(path, SETTINGS)
    assert len(wafer.defects.id) == n
    assert (
        time.process_time() - began < 4
    )  # 0.9 s on an idle core; test machines are slower and check shapes

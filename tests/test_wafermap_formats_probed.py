"""STDF, SINF, G85, E142, tables and drawn maps: what is read, what is refused and where."""

import struct
import time

import numpy as np
import pytest
from tests.wafermap_files import ASCII, CSV, E142, G85, SINF, prr, record, stdf

from fabsight.task import FabsightError
from fabsight.wafermap.formats import read_wafers
from fabsight.wafermap.settings import WaferSettings

SETTINGS = WaferSettings()


def read(folder, data, settings=SETTINGS):
    path = folder / "a.map"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return list(read_wafers(path, settings))


@pytest.mark.parametrize("order", ["<", ">"])
def test_stdf_of_both_byte_orders(tmp_path, order):
    (wafer,) = read(tmp_path, stdf(order=order))
    assert wafer.grid.tolist() == [[0, 1, 0], [1, 1, 1]]
    assert wafer.bins.tolist() == [[-1, 1, -1], [1, 1, 1]]
    assert wafer.soft_bins.tolist() == [[-1, 10, -1], [10, 10, 10]]
    assert wafer.retests == 1
    about = wafer.about
    assert (about.lot, about.wafer, about.device, about.step) == ("LOT A", "01", "DEV", "SORT")
    assert about.pitch_um == (2000.0, 3000.0)
    assert (about.diameter_mm, about.equipment) == (200.0, "tester node")
    assert about.time == "2020-09-13T12:30:00"
    assert about.placement.die(1, 0) == (-1, 0)
    assert wafer.warnings == ("1 results are of 1 dies measured before; the last one counts",)


def test_the_axes_and_the_flat_are_those_of_wcr(tmp_path):
    parts = [(5, 7, 1), (6, 7, 1), (6, 8, 3)]
    (wafer,) = read(tmp_path, stdf(parts))
    assert wafer.grid.tolist() == [[0, 2], [1, 1]]
    (wafer,) = read(tmp_path, stdf(parts, wcr="DRD"))
    assert wafer.grid.tolist() == [[1, 1], [0, 2]]
    (wafer,) = read(tmp_path, stdf(parts, wcr="DLD"))
    assert wafer.grid.tolist() == [[1, 1], [2, 0]]
    assert wafer.about.placement.die(1, 0) == (6, 8)
    (wafer,) = read(tmp_path, stdf(parts, wcr="LRU"))
    assert wafer.grid.tolist() == np.rot90([[0, 2], [1, 1]]).tolist()
    assert wafer.about.pitch_um == (3000.0, 2000.0)
    (wafer,) = read(tmp_path, stdf(parts, wcr=None))
    assert wafer.grid.tolist() == [[0, 2], [1, 1]]
    assert wafer.warnings == ("no WCR says which way y grows: taken upward",)


def test_several_wafers_of_a_file_and_on_two_heads(tmp_path):
    wafers = read(tmp_path, stdf(wafers=("01", "02")))
    assert [w.source[-8:] for w in wafers] == ["LOT A/01", "LOT A/02"]
    data = record(0, 10, b"\2\4")
    for head, name in ((1, b"\1A"), (2, b"\1B")):
        data += record(2, 10, struct.pack("<BBI", head, 255, 9) + name)
    data += prr(0, 0, 1) + prr(4, 4, 2, head=2) + prr(1, 0, 1)
    data += record(1, 20, struct.pack("<Ic", 9, b" "))
    one, two = read(tmp_path, data)
    assert (one.grid.tolist(), two.grid.tolist()) == ([[1, 1]], [[2]])
    assert two.about.wafer == "B"


def test_the_part_itself_says_whether_it_passed(tmp_path):
    parts = [(0, 0, 1, 8), (1, 0, 2, 0), (2, 0, 1, 16), (3, 0, 2, 16)]
    (wafer,) = read(tmp_path, stdf(parts))
    assert wafer.grid.tolist() == [[2, 1, 1, 2]]
    (wafer,) = read(tmp_path, stdf(parts), WaferSettings(pass_bins=(2,)))
    assert wafer.grid.tolist() == [[2, 1, 1, 1]]  # HBR says that bin 1 passes
    (wafer,) = read(tmp_path, stdf(parts), WaferSettings(fail_bins=(2,)))
    assert wafer.grid.tolist() == [[1, 2, 1, 2]]


def test_parts_without_coordinates_or_wafer_are_counted(tmp_path):
    (wafer,) = read(tmp_path, stdf([(0, 0, 1), (-32768, 0, 1), (3, -32768, 2)]))
    assert wafer.grid.tolist() == [[1]]
    assert wafer.warnings == ("2 parts have no coordinates and are not on the map",)
    loose = record(0, 10, b"\2\4") + prr(0, 0, 1) + prr(1, 0, 2)
    (wafer,) = read(tmp_path, loose)
    assert wafer.grid.tolist() == [[1, 2]]
    assert wafer.warnings[0] == "the file has no WIR: all its parts are taken for one wafer"
    assert wafer.warnings[-1].startswith("the file has no MRR")


def test_stdf_with_other_counts_is_refused(tmp_path):
    assert read(tmp_path, stdf(count=4))  # testers count dies, or results
    with pytest.raises(
        FabsightError, match=r"WRR at byte \d+ states 6 parts, the file has 5 PRR on"
    ):
        read(tmp_path, stdf(count=6))


@pytest.mark.parametrize("order", ["<", ">"])
def test_stdf_cut_off_anywhere_names_record_and_byte(tmp_path, order):
    data = stdf(order=order)
    ends, at = set(), 0
    while at < len(data):
        at += 4 + struct.unpack_from(f"{order}H", data, at)[0]
        ends.add(at)
    for end in range(6, len(data)):
        if end in ends:
            continue
        with pytest.raises(FabsightError, match=r"byte \d+: (the file ends|.* states)"):
            read(tmp_path, data[:end])


def test_stdf_of_another_version_or_kind_is_refused(tmp_path):
    data = bytearray(stdf())
    data[5] = 3
    with pytest.raises(FabsightError, match="byte 5: STDF version 3; version 4 can be read"):
        read(tmp_path, bytes(data))
    with pytest.raises(FabsightError, match="no WIR and no PRR"):
        read(tmp_path, record(0, 10, b"\2\4"))
    with pytest.raises(FabsightError, match="a PRR of 3 bytes"):
        read(tmp_path, record(0, 10, b"\2\4") + record(5, 20, b"abc"))
    with pytest.raises(FabsightError, match="has no wafer open; a WIR is missing"):
        read(tmp_path, record(0, 10, b"\2\4") + record(2, 20, b"\1" * 30))


def test_the_public_sample_is_read_quickly(shared_data):
    path = shared_data / "wafermap" / "formats" / "lot2.stdf.bz2"
    took = []
    for _ in range(3):
        began = time.process_time()
        list(read_wafers(path, SETTINGS))
        took.append(time.process_time() - began)
    assert min(took) < 1  # 0.1 s without the checks of shapes and types


def test_sinf_is_read_as_drawn(tmp_path):
    (wafer,) = read(tmp_path, SINF)
    assert wafer.grid.tolist() == [[0, 1, 1], [1, 2, 1], [0, 1, 0]]
    assert wafer.bins.tolist() == [[-1, 1, 1], [1, 12, 1], [-1, 1, -1]]
    assert (wafer.about.lot, wafer.about.wafer, wafer.about.device) == ("LOT A", "01", "DEV")
    assert wafer.about.pitch_um == (2000.0, 3000.0)
    assert set(wafer.warnings) == {
        "1 dies are not inspected (@@): left out of the map",
        "1 dies are reference dies (FF): left out of the map",
    }


@pytest.mark.parametrize(("degrees", "quarters"), [("180", 0), ("270", 1), ("0", 2), ("90", 3)])
def test_the_flat_of_sinf_is_counted_from_the_top(tmp_path, degrees, quarters):
    (straight,) = read(tmp_path, SINF)
    (wafer,) = read(tmp_path, SINF.replace("FNLOC:180", f"FNLOC:{degrees}"))
    np.testing.assert_array_equal(wafer.grid, np.rot90(straight.grid, quarters))


def test_many_dies_of_the_reference_code_are_a_bin(tmp_path):
    text = SINF[: SINF.index("RowData")].replace("ROWCT:3", "ROWCT:5") + "RowData:01 FF FF 01\n" * 5
    (wafer,) = read(tmp_path, text)
    assert wafer.grid.tolist() == [[1, 2, 2, 1]] * 5
    assert wafer.warnings == ("code FF is taken for a bin: reference dies would not be so many",)


def test_sinf_of_three_figures_and_of_several_wafers(tmp_path):
    text = SINF.replace("__", "___").replace("@@", "@@@").replace("01 ", "000 ")
    text = text.replace("RowData:01", "RowData:000").replace("0C", "012").replace("FF", "000")
    text = text.replace("BCEQU:01", "BCEQU:000")
    (wafer,) = read(tmp_path, text)
    assert wafer.grid.tolist() == [[0, 1, 1], [1, 2, 1], [0, 1, 1]]
    assert wafer.bins[1, 1] == 12
    one, two = read(tmp_path, SINF + "WAFER:02\n" + SINF[SINF.index("RowData") :])
    assert (one.about.wafer, two.about.wafer, two.about.lot) == ("01", "02", "LOT A")


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("ROWCT:3", "ROWCT:4", r"a.map:5: ROWCT states 4 rows, the map has 3"),
        ("COLCT:4", "COLCT:5", r"a.map:6: COLCT states 5 columns, the map has 4"),
        ("01 0C 01 @@", "01 0C 01", r"a.map:14: a row of 3 dies in a map of 4 columns"),
        ("01 0C 01 @@", "01 0C ZZ @@", r"a.map:14: 'ZZ' is no hexadecimal bin code"),
        ("FNLOC:180", "FNLOC:45", r"a.map:4: the notch is at '45'"),
        ("REFPX:1", "DIECT:3", r"a.map:8: DIECT states 3 dies, the map has 6 of product and 8"),
    ],
)
def test_sinf_that_does_not_add_up_is_refused(tmp_path, old, new, rule):
    assert old in SINF
    with pytest.raises(FabsightError, match=rule):
        read(tmp_path, SINF.replace(old, new))


@pytest.mark.parametrize("stated", ["6", "8"])
def test_diect_may_count_either_way(tmp_path, stated):
    assert read(tmp_path, SINF.replace("REFPX:1", f"DIECT:{stated}"))


def test_g85_is_read_as_drawn(tmp_path):
    (wafer,) = read(tmp_path, G85)
    assert wafer.grid.tolist() == [[0, 1, 1, 0], [1, 2, 0, 1], [0, 1, 2, 0]]
    assert wafer.bins.tolist() == [[-1, 1, 1, -1], [1, 0, -1, 1], [-1, 1, 0, -1]]
    about = wafer.about
    assert (about.lot, about.wafer, about.device) == ("LOT A", "01", "DEV")
    assert (about.time, about.equipment) == ("2024-02-29T09:30:00", "S")
    assert (about.pitch_um, about.diameter_mm) == ((2000.0, 3000.0), 200.0)
    assert about.placement.die(2, 0) == (0, 0)
    assert wafer.warnings == ("1 dies are of quality reference (009): left out of the map",)


@pytest.mark.parametrize(("degrees", "quarters"), [("0", 0), ("90", 1), ("180", 2), ("270", 3)])
@pytest.mark.parametrize("text", [G85, E142])
def test_the_notch_of_semi_maps_is_counted_from_the_bottom(tmp_path, text, degrees, quarters):
    (straight,) = read(tmp_path, text)
    (wafer,) = read(tmp_path, text.replace('Orientation="0"', f'Orientation="{degrees}"'))
    np.testing.assert_array_equal(wafer.grid, np.rot90(straight.grid, quarters))


@pytest.mark.parametrize(
    ("kind", "null", "codes"),
    [
        ("Ascii", ".", ".11.1091.10."),
        ("HexaDecimal", "FF", "FF0101FF01000901FF0100FF"),
        ("Integer2", "FFFF", "FFFF00010001FFFF0001000000090001FFFF00010000FFFF"),
        ("Decimal", "255", "255001001255001000009001255001000255"),
    ],
)
def test_bins_of_g85_are_coded_in_four_ways(tmp_path, kind, null, codes):
    text = G85.replace("Decimal", kind).replace('"255"', f'"{null}"')
    width = len(codes) // 12
    for k, row in enumerate(("255 001 001 255 ", "001 000 009 001 ", "255 001 000 255 ")):
        text = text.replace(row, codes[4 * k * width : 4 * (k + 1) * width])
    for number in "019":
        text = text.replace(f'BinCode="00{number}"', f'BinCode="{number.zfill(width)}"')
    (wafer,) = read(tmp_path, text)
    assert wafer.grid.tolist() == [[0, 1, 1, 0], [1, 2, 0, 1], [0, 1, 2, 0]]
    assert wafer.bins[1].tolist() == [1, 0, -1, 1]


def test_several_maps_of_g85(tmp_path):
    begin, end = G85.index(" <Map "), G85.index("</Maps>")
    text = G85[:end] + G85[begin:end].replace('WaferId="01"', 'WaferId="02"') + G85[end:]
    assert [w.source[-8:] for w in read(tmp_path, text)] == ["LOT A/01", "LOT A/02"]


@pytest.mark.parametrize(
    ("text", "old", "new", "rule"),
    [
        (G85, 'Rows="3"', 'Rows="4"', "a.map:4: Rows states 4 rows, the map has 3"),
        (G85, 'Columns="4"', 'Columns="5"', "a.map:11: Columns states 5 columns, the map has 4"),
        (G85, 'BinCount="5"', 'BinCount="6"', "a.map:8: bin 001 states 6 dies, the map has 5"),
        (G85, "001 000 009", "001 0x0 009", "a.map:12: '0x0' is no decimal bin code"),
        (G85, "</Data>", "", "not well-formed XML"),
        (G85, "<Device", "<Gadget", "not well-formed"),
        (E142, 'X="4" Y="3"', 'X="4" Y="4"', "Dimension Y states 4 rows, the map has 3"),
        (E142, 'X="4" Y="3"', 'X="5" Y="3"', "a.map:18: Dimension X states 5 columns, the map has"),
        (E142, 'BinCount="6"', 'BinCount="7"', "a.map:17: bin 0A states 7 dies, the map has 6"),
        (E142, 'MapType="2DArray"', 'MapType="List"', "a map of type List"),
        (E142, 'SubstrateType="Wafer"', 'SubstrateType="Strip"', "it maps a Strip; only wafers"),
    ],
)
def test_semi_maps_that_do_not_add_up_are_refused(tmp_path, text, old, new, rule):
    assert old in text
    with pytest.raises(FabsightError, match=rule):
        read(tmp_path, text.replace(old, new))


def test_e142_is_read_as_drawn(tmp_path):
    (wafer,) = read(tmp_path, E142)
    assert wafer.grid.tolist() == [[0, 1, 1, 0], [1, 2, 1, 1], [0, 1, 2, 0]]
    assert wafer.bins[1].tolist() == [10, 0, 10, 10]
    about = wafer.about
    assert (about.lot, about.wafer, about.device, about.slot) == ("LOT A", "01", "DEV", 3)
    assert about.pitch_um == (2000.0, 3000.0)
    assert about.placement.die(2, 3) == (3, 2)
    text = E142.replace('"UpperLeft"', '"LowerRight"').replace('"DownRight"', '"UpLeft"')
    (wafer,) = read(tmp_path, text)
    assert wafer.about.placement.die(2, 3) == (0, 0)
    assert wafer.about.placement.die(0, 1) == (2, 2)


def test_tables_are_read_by_the_names_of_their_columns(tmp_path):
    one, two = read(tmp_path, CSV)
    assert one.grid.tolist() == [[0, 1, 0], [1, 1, 1], [0, 1, 0]]
    assert one.soft_bins.tolist() == [[-1, 10, -1], [10, 11, 10], [-1, -1, -1]]
    assert (one.retests, one.about.placement.die(0, 1)) == (1, (0, 1))
    assert (two.source[-8:], two.grid.tolist()) == ("LOT A/02", [[1]])
    names = {"x": "Die X", "y": "DIE_Y", "hbin": "Hard-Bin", "lot": "LotID", "wafer": "Wafer No."}
    header = ",".join(names.get(name, name) for name in ["lot", "wafer", "x", "y", "hbin", "sbin"])
    for delimiter in (",", ";", "\t", "|"):
        text = CSV.replace("lot,wafer,x,y,hbin,sbin", header).replace(",", delimiter)
        again, _ = read(tmp_path, text)
        np.testing.assert_array_equal(again.grid, one.grid)
        assert again.about.lot == "LOT A"
    text = CSV.replace("LOT A", "A").replace(",1,\n", ",1,0\n").replace(",", "  ")
    again, _ = read(tmp_path, text)
    np.testing.assert_array_equal(again.grid, one.grid)


def test_which_way_y_grows_is_what_the_file_says(tmp_path):
    rows = "1,1,1\n1,2,2\n"
    for head, grid, warns in (
        ("x,y,bin\n", [[2], [1]], True),
        ("# y axis: up\nx,y,bin\n", [[2], [1]], False),
        ("# y axis: down\nx,y,bin\n", [[1], [2]], False),
        ("column,row,bin\n", [[1], [2]], False),
    ):
        (wafer,) = read(tmp_path, head + rows)
        assert wafer.grid.tolist() == grid
        assert bool(wafer.warnings) == warns


@pytest.mark.parametrize(
    ("head", "cells", "grid"),
    [
        ("pass", ("1", "0"), [[1, 2]]),
        ("Pass/Fail", ("P", "F"), [[1, 2]]),
        ("result", ("PASS", "fail"), [[1, 2]]),
        ("fail", ("0", "1"), [[1, 2]]),
        ("Failed", ("pass", "FAIL"), [[1, 2]]),
        ("isGood", ("true", "False"), [[1, 2]]),
        ("sbin", ("1", "9"), [[1, 2]]),
        ("bin", ("1.0", ""), [[1, 2]]),
    ],
)
def test_results_of_tables_come_in_many_words(tmp_path, head, cells, grid):
    (wafer,) = read(tmp_path, f"x,row,{head}\n0,0,{cells[0]}\n1,0,{cells[1]}\n")
    assert wafer.grid.tolist() == grid


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("x,y,bin\n1,2\n", "a.map:2: a row of 2 cells under a header of 3"),
        ("x,y,bin\n1,2,1\n\n1.5,2,1\n", "a.map:4: the die's x should be a whole number, got '1.5'"),
        ("x,y,bin\n1,2,1\n1,a,1\n", "a.map:3: the die's y should be a whole number, got 'a'"),
        ("x,y,bin\n1,2,one\n", "a.map:2: hbin should be a whole number"),
        ("x,y,pass\n1,2,maybe\n", "a.map:2: pass should say pass or fail, got 'maybe'"),
        ("x,y,bin\n", "a.map:1: the table has a header and no rows"),
        ("x,y,bin\n,,1\n", "no die has coordinates"),
        ('x,y,bin\n1,2,"1\n', "a.map: line 2: unexpected end of data"),
        ("# y axis: north\nx,y,bin\n1,2,1\n", "the y axis should be up or down, got 'north'"),
        ("# notch: north\nx,y,bin\n1,2,1\n", "the notch should be down, left, up or right"),
    ],
)
def test_tables_that_are_wrong_are_refused_where(tmp_path, text, rule):
    with pytest.raises(FabsightError, match=rule):
        read(tmp_path, text)


def test_rows_without_coordinates_are_counted(tmp_path):
    (wafer,) = read(tmp_path, "# y axis: up\nx,y,bin\n1,2,1\n,,1\n-32768,-32768,1\nNA,NA,2\n")
    assert wafer.warnings == ("3 rows have no coordinates and are on no map",)


def test_a_hundred_thousand_dies_are_read_in_a_second(tmp_path):
    rows = [f"L,{k // 4000},{k % 63},{k % 4000 // 63},{1 + k % 7},{k % 90}" for k in range(100_000)]
    text = "lot,wafer,x,y,hbin,sbin\n" + "\n".join(rows)
    (tmp_path / "a.map").write_text(text)
    began = time.process_time()
    wafers = list(read_wafers(tmp_path / "a.map", SETTINGS))
    assert time.process_time() - began < 1
    assert sum((w.grid > 0).sum() for w in wafers) == 100_000


@pytest.mark.parametrize(
    ("text", "grid"),
    [
        (ASCII, [[0, 0, 1, 0, 0], [0, 1, 1, 1, 0], [1, 1, 2, 1, 1], [0, 1, 1, 2, 0],
                 [0, 0, 1, 0, 0]]),
        ("0 1 0\n1 2 1\n0 1 0", [[0, 1, 0], [1, 2, 1], [0, 1, 0]]),
        ("010\n121\n010\n", [[0, 1, 0], [1, 2, 1], [0, 1, 0]]),
        ("0,1,0\n1,7,1\n0,1,0\n", [[0, 1, 0], [1, 2, 1], [0, 1, 0]]),
        (" 1\n151\n 1\n", [[0, 1, 0], [1, 2, 1], [0, 1, 0]]),
        (". P .\nP F P\n. P .\n", [[0, 1, 0], [1, 2, 1], [0, 1, 0]]),
        ("-1 1 -1\n1 12 1\n-1 1 -1\n", [[0, 1, 0], [1, 2, 1], [0, 1, 0]]),
        ("_1_\n101\n_1_\n", [[0, 1, 0], [1, 2, 1], [0, 1, 0]]),
        ("Lot: L1\nWafer: 5\n\n.1.\n111\n.1.\n", [[0, 1, 0], [1, 1, 1], [0, 1, 0]]),
    ],
)  # fmt: skip
def test_drawn_maps_are_read_as_drawn(tmp_path, text, grid):
    (wafer,) = read(tmp_path, text)
    assert wafer.grid.tolist() == grid


def test_several_drawn_maps_of_a_text(tmp_path):
    text = "wafer: 1\n.1.\n111\n.1.\n\nwafer: 2\n.1.\n1X1\n.1.\n"
    assert [w.source[-2:] for w in read(tmp_path, text)] == ["#1", "#2"]
    with pytest.raises(FabsightError, match=r"a.map:6: a row of 4 dies in a map of 3 columns"):
        read(tmp_path, ".1.\n111\n.1.\n\n.1.\n1X11\n.1.\n")

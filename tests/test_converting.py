"""convert from the command line: lengths in nm stay, settings apply, files are safe."""

import errno
import os
import re
import struct
from pathlib import Path

import numpy as np
import pytest
from tests.command_line import ended, objects

from fabsight.commands.console import ENVIRONMENT, OK, USAGE

gdstk = pytest.importorskip("gdstk")

LAYOUT = "CANVAS 64 48\nWIRE 0 10 6 0 0 0 0 H 60\nVIA 30 30 5\nARRAY 2 2 9 9 { VIA 45 30 2 }\n"


@pytest.fixture
def run(capsys):
    """Run a command line on the real tasks: (exit code, stdout, stderr)."""
    return lambda *arguments: ended(capsys, arguments)


@pytest.fixture
def layout(tmp_path):
    path = tmp_path / "layout.netdsl"
    path.write_text(LAYOUT)
    return path


def box_nm(path: Path) -> np.ndarray:
    """Width and height in nm of what lies on metal and vias, as gdstk alone sees it."""
    read = gdstk.read_oas if path.suffix == ".oas" else gdstk.read_gds
    (top,) = read(path, unit=1e-9).top_level()
    corners = [p.points for p in top.get_polygons() if p.layer in (1, 2)]
    return np.ptp(np.concatenate(corners), axis=0)


def foreign(path: Path, *elements, unit=1e-6, precision=1e-9) -> Path:
    library = gdstk.Library(unit=unit, precision=precision)
    library.new_cell("TOP").add(*elements)
    (library.write_oas if path.suffix == ".oas" else library.write_gds)(path)
    return path


def wires_and_via(scale=1.0):
    """40 x 32 um; the via lies inside, as its polygon has a circle's area, not its box."""
    corners = [((-2.5, 0), (37.5, 1.5)), ((0, 30), (20, 32))]
    wires = [gdstk.rectangle(*(np.array(at) * scale for at in c), layer=1) for c in corners]
    via = gdstk.ellipse((10 * scale, 20 * scale), 2 * scale, layer=2, tolerance=1e-3 * scale)
    return *wires, via


@pytest.mark.parametrize(
    ("unit", "scale", "precision"),
    [(1e-6, 1.0, 5e-9), (1e-9, 1000.0, 1e-10), (1e-3, 1e-3, 2.5e-10)],
)
@pytest.mark.parametrize("kind", ["gds", "oas"])
def test_a_layout_from_elsewhere_keeps_its_size_in_nm(run, tmp_path, kind, unit, scale, precision):
    before = foreign(tmp_path / f"a.{kind}", *wires_and_via(scale), unit=unit, precision=precision)
    at = before
    for step in ("svg", "oas", "gds"):
        after = tmp_path / f"{at.stem}{step}.{step}"
        assert run("convert", at, "--to", step, "--out", after)[0] == OK
        at = after
    assert np.allclose(box_nm(before), [40_000, 32_000], atol=5)
    assert np.allclose(box_nm(at), box_nm(before), atol=0.05)


@pytest.mark.parametrize("said", [3, 7.5, 100])
def test_the_pixel_size_said_changes_the_grid_not_the_layout(run, tmp_path, said):
    before, after = foreign(tmp_path / "a.gds", *wires_and_via()), tmp_path / "b.gds"
    command = ("convert", before, "--to", "gds", "--out", after, "--nm-per-px", said, "--json")
    code, out, _ = run(*command)
    assert code == OK
    assert objects(out)[0]["scale"] == {"nm_per_px": said, "source": "user"}
    assert np.allclose(box_nm(after), box_nm(before), atol=0.02 * said)
    assert run("convert", after, "--to", "gds", "--out", before, "--nm-per-px", 2 * said)[0] == OK
    assert np.allclose(box_nm(after), box_nm(before), atol=0.04 * said)


def test_the_scale_and_its_source_are_always_said(run, layout, tmp_path):
    """A text has none; then what a layout file assumes is said, and the person's word is taken."""
    gds, again = tmp_path / "a.gds", tmp_path / "b.gds"
    code, out, _ = run("convert", layout, "--to", "gds", "--out", gds)
    assert code == OK
    assert "scale not known: GDSII and OASIS have 1 px as 1 nm" in out
    assert np.allclose(box_nm(gds), [60, 34], atol=0.02)
    _, out, _ = run("convert", gds, "--to", "gds", "--out", again, "--json")
    (row,) = objects(out)
    assert row["scale"]["nm_per_px"] is None
    assert "1 px as 1 nm" in row["scale"]["source"]
    assert np.allclose(box_nm(again), [60, 34], atol=0.02)
    _, out, _ = run("convert", gds, "--to", "gds", "--out", again, "--nm-per-px", 2.5)
    assert "scale 2.5 nm per px (user)" in out
    assert np.allclose(box_nm(again), [150, 85], atol=0.05)
    _, out, _ = run("convert", again, "--to", "txt", "--out", tmp_path / "a.txt")
    assert "2.5 nm per px (canvas outline of the layout file)" in out
    assert "a text holds no scale" in out


def test_an_svg_file_keeps_its_pixel_size(run, layout, tmp_path):
    svg, gds = tmp_path / "a.svg", tmp_path / "a.gds"
    assert run("convert", layout, "--to", "svg", "--out", svg, "--nm-per-px", 4)[0] == OK
    _, out, _ = run("convert", svg, "--to", "gds", "--out", gds, "--json")
    assert objects(out)[0]["scale"]["nm_per_px"] == 4
    assert np.allclose(box_nm(gds), [240, 136], atol=0.05)
    assert run("convert", svg, "--to", "gds", "--out", gds, "--nm-per-px", 2)[0] == OK
    assert np.allclose(box_nm(gds), [120, 68], atol=0.05)
    for wrong in ("wide", "0", "-2", "nan", "1e99"):
        svg.write_text(
            re.sub('data-nm-per-px="[^"]*"', f'data-nm-per-px="{wrong}"', svg.read_text())
        )
        code, _, err = run("convert", svg, "--to", "gds", "--out", gds)
        assert code == USAGE
        assert "a.svg" in err


@pytest.mark.parametrize("kind", ["netdsl", "gds", "oas", "svg"])
def test_settings_apply_to_what_any_file_holds(run, layout, tmp_path, kind):
    source, out = tmp_path / f"a.{kind}", tmp_path / "b.netdsl"
    assert run("convert", layout, "--to", kind, "--out", source)[0] == OK
    for option, arrays in ((), 1), (("--strict-l2",), 0):
        assert run("convert", source, "--to", "netdsl", "--out", out, *option)[0] == OK
        assert out.read_text().count("ARRAY") == arrays
    code, _, err = run("convert", source, "--to", "gds", "--out", out, "--nm-per-px", -1)
    assert code == USAGE
    assert "nm_per_px=-1: expected number from 0.0001 to 1e+08, or 0" in err


@pytest.mark.parametrize("suffix", ["txt", "netdsl", ""])
def test_text_is_read_as_editors_save_it(run, tmp_path, suffix):
    path, out = tmp_path / f"a.{suffix}", tmp_path / "b.netdsl"
    texts = [b"\xef\xbb\xbf" + LAYOUT.encode(), LAYOUT.replace("\n", "\r\n").encode()]
    for data in (*texts, b"\xef\xbb\xbf" + texts[1]):
        path.write_bytes(data)
        assert run("convert", path, "--to", "netdsl", "--out", out)[0] == OK
        assert out.read_text().splitlines()[0] == "CANVAS 64 48"
    path.write_bytes(LAYOUT.encode("utf-16"))
    code, _, err = run("convert", path, "--to", "netdsl", "--out", out)
    assert code == USAGE
    assert "byte 0 is not UTF-8; save it as UTF-8" in err


def test_a_file_is_not_written_over_itself(run, tmp_path):
    gds = foreign(tmp_path / "a.gds", *wires_and_via())
    before = gds.read_bytes()
    (tmp_path / "link.gds").symlink_to(gds)
    (tmp_path / "hard.gds").hardlink_to(gds)
    for out in (gds, tmp_path / "link.gds", tmp_path / "hard.gds"):
        code, _, err = run("convert", gds, "--to", "gds", "--out", out)
        assert code == USAGE
        assert "--out names the same file; name another" in err
    assert gds.read_bytes() == before
    assert (tmp_path / "link.gds").is_symlink()


@pytest.mark.parametrize("to", ["txt", "netdsl", "gds", "oas", "svg", "png"])
def test_a_device_or_folder_stays_what_it_is(run, layout, tmp_path, to):
    for place in ("/dev/null", tmp_path):
        code, _, err = run("convert", layout, "--to", to, "--out", place)
        assert code == USAGE
        assert "name a file" in err
    assert Path("/dev/null").is_char_device()
    assert list(tmp_path.iterdir()) == [layout]


@pytest.mark.parametrize("to", ["txt", "netdsl", "gds", "oas", "svg", "png"])
def test_a_full_disk_is_an_error_that_names_the_file_given(run, layout, tmp_path, to, monkeypatch):
    real = os.fsync

    def full(handle):
        if os.fstat(handle).st_size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/proc/self/fd/7")
        real(handle)

    monkeypatch.setattr(os, "fsync", full)
    out = tmp_path / f"a.{to}"
    code, _, err = run("convert", layout, "--to", to, "--out", out)
    assert code == ENVIRONMENT
    assert str(out) in err
    assert ".tmp" not in err
    assert list(tmp_path.iterdir()) == [layout]


@pytest.mark.parametrize("to", ["gds", "oas"])
def test_a_layout_written_in_part_is_an_error(run, layout, tmp_path, to, monkeypatch):
    monkeypatch.setattr("fabsight.netdsl.gdsii.has_end", lambda _path, _kind: False)
    code, _, err = run("convert", layout, "--to", to, "--out", tmp_path / f"a.{to}")
    assert code == ENVIRONMENT
    assert f"a.{to}: the file was cut short, as by a full disk" in err
    assert list(tmp_path.iterdir()) == [layout]


def damaged(whole: bytes) -> dict[str, tuple[bytes, str]]:
    """Name -> bytes of a GDSII file, and what the message says of them."""
    at = whole.index(b"\x00\x04\x08\x00")  # the first BOUNDARY
    record = struct.pack(">HBBI", 8, 0x70, 2, 1)
    odd = struct.pack(">HBBB", 5, 0x08, 0, 1)
    return {
        "empty": (b"", "it is empty"),
        "cut between records": (whole[:-4], f"byte {len(whole) - 4}: the file ends without"),
        "cut inside a record": (whole[: at + 30], f"byte {at + 16}: a record of"),
        "cut inside a head": (whole[: at + 2], f"byte {at}: the file ends inside a record"),
        "reserved type": (whole[:at] + record + whole[at:], f"byte {at}: a record of the reserved"),
        "odd length": (whole[:at] + odd + whole[at:], f"byte {at}: a record of length 5"),
        "noise": (whole[:6] + bytes(range(7, 250)), "byte 6: a record of 1800 bytes, but"),
        "text": (LAYOUT.encode(), "it begins with b'CANV' at byte 0; name it by what it holds"),
    }


@pytest.mark.parametrize("name", damaged(b"\x00\x04\x08\x00" * 20))
def test_a_damaged_gdsii_file_is_refused_with_the_byte(run, tmp_path, name):
    path = foreign(tmp_path / "a.gds", *wires_and_via())
    data, says = damaged(path.read_bytes())[name]
    path.write_bytes(data)
    code, out, err = run("convert", path, "--to", "netdsl", "--out", tmp_path / "b")
    assert (code, out) == (USAGE, "")
    assert f"{path}: " in err
    assert says in err
    assert "write it again" in err
    assert not (tmp_path / "b").exists()


def test_a_file_without_cells_says_so(run, tmp_path):
    gdstk.Library().write_gds(tmp_path / "a.gds")
    code, _, err = run("convert", tmp_path / "a.gds", "--to", "netdsl", "--out", tmp_path / "b")
    assert code == USAGE
    assert "a.gds: holds no cell" in err


def test_what_is_lost_is_said(run, tmp_path):
    thin = gdstk.FlexPath([(0, 3), (9, 3)], 0, layer=1, simple_path=True)
    text = gdstk.Label("hello", (1, 1), layer=1)
    other = gdstk.rectangle((0, 0), (50, 50), layer=7)
    path = foreign(tmp_path / "a.gds", *wires_and_via(), thin, text, other)
    _, out, _ = run("convert", path, "--to", "gds", "--out", tmp_path / "b.gds", "--json")
    said = " ".join(objects(out)[0]["warnings"])
    for words in ("(there are 1)", "(the file has 1)", "(7, 0)", "(-2500, 0) nm of the file"):
        assert words in said


def test_shapes_drawn_outside_the_canvas_are_said(run, layout, tmp_path):
    gds = tmp_path / "a.gds"
    assert run("convert", layout, "--to", "gds", "--out", gds, "--nm-per-px", 1000)[0] == OK
    library = gdstk.read_gds(gds)
    (top,) = library.top_level()
    top.add(gdstk.rectangle((60, 40), (90, 44), layer=1), gdstk.rectangle((1, 1), (2, 2), layer=9))
    library.write_gds(gds)
    _, out, _ = run("convert", gds, "--to", "netdsl", "--out", tmp_path / "b.netdsl")
    assert "1 shapes reach out of the canvas of 64 x 48 px" in out
    assert "not read: (9, 0)" in out
    assert "WIRE 60 6 4 0 0 0 0 H 4" in (tmp_path / "b.netdsl").read_text()


def test_cell_and_layers_can_be_said(run, tmp_path):
    """A layout with its metal on 10/5, in one of two top cells, read and written there."""
    library = gdstk.Library()
    bar = gdstk.rectangle((0, 0), (4, 1), layer=10, datatype=5)
    library.new_cell("ONE").add(bar, gdstk.rectangle((0, 0), (9, 9), layer=3))
    library.new_cell("TWO").add(gdstk.rectangle((0, 0), (1, 1), layer=10, datatype=5))
    path, out = tmp_path / "a.gds", tmp_path / "b.gds"
    library.write_gds(path)
    command = ("convert", path, "--to", "gds", "--out", out)
    code, _, err = run(*command)
    assert (code, "has 2 top cells (ONE, TWO): say which with --cell" in err) == (USAGE, True)
    code, _, err = run(*command, "--cell", "ONE")
    assert (code, "say which with --metal-layer" in err) == (USAGE, True)
    said = ("--cell", "ONE", "--metal-layer", "10,5", "--via-layer", "0,0")
    assert run(*command, *said)[0] == OK
    (top,) = gdstk.read_gds(out, unit=1e-9).top_level()
    boxes = {(p.layer, p.datatype): np.ptp(p.points, axis=0).tolist() for p in top.polygons}
    assert boxes == {(10, 5): [4000, 1000], (0, 1): [4000, 1000]}
    again = ("convert", out, "--to", "netdsl", "--out", tmp_path / "c", *said[2:])
    assert run(*again)[0] == OK
    assert (tmp_path / "c").read_text().split("\n")[1] == "WIRE 0 500 1000 0 0 0 0 H 4000"
    for wrong in ("2,0", "-1,0", "40000,0", "1"):
        code, _, err = run(*command, "--metal-layer", wrong)
        assert code == USAGE
        assert "metal_layer" in err


def test_a_name_that_says_another_format_is_pointed_out(run, layout, tmp_path):
    for to, name, said in (("gds", "a.oas", True), ("gds", "a.gds", False), ("txt", "a", False)):
        _, out, _ = run("convert", layout, "--to", to, "--out", tmp_path / name)
        assert ("whatever its name says" in out) == said


def test_shapes_too_thin_for_the_grid_are_said(run, tmp_path):
    wide, line = gdstk.rectangle((0, 0), (4000, 90), layer=1), [(0, 95), (4000, 95)]
    thin = gdstk.rectangle((0, 100), (4000, 100.002), layer=1)
    path = gdstk.FlexPath(line, 0.002, layer=1, simple_path=True)
    file = foreign(tmp_path / "a.gds", wide, thin, path)
    for said, lost in (((), True), (("--nm-per-px", 100), False)):
        command = ("convert", file, "--to", "netdsl", "--out", tmp_path / "b", *said)
        _, out, _ = run(*command)
        assert ("thinner than 0.01 px are left out (there are 2)" in out) == lost
        assert len((tmp_path / "b").read_text().splitlines()) == (2 if lost else 4)

"""Programs to GDSII, OASIS, SVG, PNG and text, and back; files from elsewhere; damaged files."""

import random
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fabsight.netdsl.canonical import canonical
from fabsight.netdsl.exports import EXPORTS, IMPORTS, export_svg
from fabsight.netdsl.gdsii import LayerMap, write_layout
from fabsight.netdsl.gdsii_reading import read_program
from fabsight.netdsl.language import (
    NO_CAP,
    Array,
    Poly,
    Program,
    Run,
    Via,
    Wire,
    parse,
    straight,
    write,
)
from fabsight.netdsl.metrology import measure
from fabsight.netdsl.rendering import coverage, render
from fabsight.netdsl.settings import LayoutSettings
from fabsight.netdsl.svg import svg_text
from fabsight.netdsl.svg_reading import read_svg
from fabsight.netdsl.variants import variants
from fabsight.task import AnswerError, FabsightError, Image, Question, Wish

gdstk = pytest.importorskip("gdstk")

EVERYTHING = """CANVAS 256 200
WIRE 0 12 8 0 0 0 0 H 256
WIRE 12 0 10 0 0 30 14 V 60
WIRE 100 100 6.35 12 12.2 8 14 H 60 V 60 H -30.25
WIRE 150 20 4 0 0 0 0 H 40 V 40 H -40 V -41
WIRE 200 100 5 0 0 0 0 H 20 D 20 30 V 30
VIA 35.27 40 6
POLY 200 160 240 170 230.5 190
ARRAY 3 1 9 0 { VIA 9 170 3 WIRE 9 180 3 0 0 0 0 H 3 V 3 }
ARRAY 40 4 4.13 9.1 { VIA 30.5 150 1.5 }"""


def read(kind: str, path: Path) -> Program:
    return IMPORTS[kind](path, LayoutSettings()).answer


def question(nm_per_px: float | None) -> Question[LayoutSettings]:
    image = Image(np.full((200, 256), 90, np.uint8), nm_per_px, "user")
    return Question((image,), "", LayoutSettings())


@pytest.mark.parametrize("nm_per_px", [None, 0.004, 0.87, 2.3, 13.0])
@pytest.mark.parametrize("kind", ["netdsl", "gds", "oas", "svg"])
def test_our_own_files_read_back_exactly(tmp_path: Path, kind: str, nm_per_px) -> None:
    program, path = parse(EVERYTHING), tmp_path / f"a.{kind}"
    EXPORTS[kind](question(nm_per_px), program, path)
    data = path.read_bytes()
    assert canonical(read(kind, path)) == canonical(program)
    EXPORTS[kind](question(nm_per_px), program, path)
    assert path.read_bytes() == data
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("kind", ["gds", "oas"])
@pytest.mark.parametrize("runs", [8, 60, 400])
def test_commands_longer_than_a_property_read_back_without_a_word(
    tmp_path: Path, capfd, kind: str, runs: int
) -> None:
    """A warning is an error here; gdstk's own would go to the process's standard error."""
    stairs = tuple(
        Run("H", 3.25, 0.0) if n % 2 else Run("V", 0.0, 2.75 if n % 4 else -1.5)
        for n in range(runs)
    )
    wire = Wire(10.25, 20.5, 1.5, NO_CAP, NO_CAP, stairs)
    corners = tuple((60 + 30 * np.cos(a), 240 + 10 * np.sin(a)) for a in np.arange(0, 6, 0.1))
    many = Array(2, 2, 500, 9, tuple(Via(5 + k, 300, 0.25) for k in range(90)))
    program = canonical(Program(1000, 420, (wire, Poly(corners), many)))
    path = tmp_path / f"a.{kind}"
    write_layout(program, path, kind, 2.5)
    assert read_program(path, kind).answer == program
    assert capfd.readouterr() == ("", "")


def test_every_element_keeps_the_limits_of_gdsii(tmp_path: Path) -> None:
    path = tmp_path / "a.gds"
    stairs = (Run("H", 3.25, 0.0), Run("V", 0.0, 2.75)) * 80
    wire = Wire(10.25, 20.5, 1.5, NO_CAP, NO_CAP, stairs)
    write_layout(Program(1000, 420, (wire,)), path, "gds", None)
    cell = gdstk.read_gds(path).top_level()[0]
    assert len(cell.labels) > 2
    assert max(len(label.text) for label in cell.labels) <= 512
    for polygon in cell.polygons:
        assert sum(len(values[2]) for values in polygon.properties) <= 128


def test_a_long_command_whose_label_was_lost_is_read_by_its_geometry(tmp_path: Path) -> None:
    path = tmp_path / "a.gds"
    stairs = (Run("H", 6.0, 0.0), Run("V", 0.0, 5.0)) * 40
    program = Program(400, 300, (Wire(10, 20, 2, NO_CAP, NO_CAP, stairs),))
    write_layout(program, path, "gds", None)
    edit(path, lambda cell: cell.remove(cell.labels[0]))
    found = read_program(path, "gds").answer
    assert [type(command) for command in found.commands] == [Poly]
    assert np.array_equal(render(found), render(program))


steps = st.integers(1, 4000).map(lambda v: v / 100)
wires = st.builds(
    lambda x, y, w, runs: Wire(x, y, w, NO_CAP, NO_CAP, tuple(runs)),
    steps,
    steps,
    steps,
    st.lists(
        st.one_of(
            steps.map(lambda v: Run("H", v, 0.0)),
            steps.map(lambda v: Run("V", 0.0, -v)),
            st.builds(lambda x, y: Run("D", x, y), steps, steps),
        ),
        min_size=1,
        max_size=4,
    ),
)
shapes = st.one_of(wires, st.builds(Via, steps, steps, steps))


@given(st.lists(shapes, max_size=5), st.sampled_from([None, 0.31, 4.7]))
@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_program_reads_back_from_layout_files(tmp_path: Path, commands, scale) -> None:
    program = Program(50, 40, tuple(commands))
    for kind in ("gds", "oas"):
        write_layout(program, tmp_path / "a", kind, scale)
        assert read_program(tmp_path / "a", kind).answer == canonical(program)


@given(st.lists(shapes, max_size=5))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_program_reads_back_from_svg(tmp_path: Path, commands) -> None:
    program = Program(50, 40, tuple(commands))
    (tmp_path / "a").write_text(svg_text(program))
    assert read_svg(tmp_path / "a").answer == canonical(program)


def test_the_layout_is_in_nm_with_y_up(tmp_path: Path) -> None:
    program = Program(100, 80, (straight("H", (10.0, 20.0), 30.0, 4.0), Via(50.0, 10.0, 6.0)))
    write_layout(program, tmp_path / "a.gds", "gds", 2.0)
    library = gdstk.read_gds(tmp_path / "a.gds", unit=1e-9)
    (cell,) = library.top_level()
    by_layer = {polygon.layer: polygon for polygon in cell.polygons}
    assert np.allclose(by_layer[1].bounding_box(), ((20, 116), (80, 124)))
    assert by_layer[2].area() == pytest.approx(np.pi * 12**2, rel=1e-3)
    assert np.allclose(by_layer[0].bounding_box(), ((0, 0), (200, 160)))
    assert library.precision == pytest.approx(1e-11)


def test_layers_can_be_chosen(tmp_path: Path) -> None:
    layers = LayerMap(metal=(31, 2), via=(41, 0), canvas=(235, 4))
    program = parse(EVERYTHING)
    write_layout(program, tmp_path / "a.gds", "gds", 2.0, layers)
    assert gdstk.read_gds(tmp_path / "a.gds").layers_and_datatypes() == {(31, 2), (41, 0), (235, 4)}
    assert read_program(tmp_path / "a.gds", "gds", layers).answer == canonical(program)


def edit(path: Path, change) -> None:
    library = gdstk.read_gds(path)
    change({cell.name: cell for cell in library.cells}["LAYOUT"])
    library.write_gds(path)


def test_an_edited_polygon_is_read_as_it_is_now(tmp_path: Path) -> None:
    path = tmp_path / "a.gds"
    program = Program(64, 64, (straight("H", (8.0, 8.0), 40.0, 4.0), Via(20.0, 40.0, 6.0)))
    write_layout(program, path, "gds", None)
    edit(path, lambda cell: [p.translate(0.004, -0.01) for p in cell.polygons if p.layer])
    moved_wire, moved_via = read_program(path, "gds").answer.commands
    assert moved_wire == straight("H", (12.0, 18.0), 40.0, 4.0)
    assert isinstance(moved_via, Via)
    assert (moved_via.x, moved_via.y) == (24.0, 50.0)
    assert moved_via.r == pytest.approx(6.0, abs=0.02)


def test_an_edited_array_is_read_as_it_is_now(tmp_path: Path) -> None:
    path = tmp_path / "a.gds"
    program = parse("CANVAS 64 64\nARRAY 3 2 10 12 { WIRE 8 8 4 0 0 0 0 H 5 }")
    write_layout(program, path, "gds", None)
    edit(path, lambda cell: setattr(cell.references[0], "origin", (0.001, 0)))
    expected = parse("CANVAS 64 64\nARRAY 3 2 10 12 { WIRE 9 8 4 0 0 0 0 H 5 }")
    assert np.array_equal(render(read_program(path, "gds").answer), render(expected))


def foreign(tmp_path: Path, *elements, cells: int = 1) -> Path:
    library = gdstk.Library(unit=1e-6, precision=1e-9)
    for number in range(cells):
        library.new_cell(f"C{number}").add(*elements)
    library.write_gds(tmp_path / "foreign.gds")
    return tmp_path / "foreign.gds"


def test_rectangles_paths_circles_and_polygons_from_elsewhere(tmp_path: Path) -> None:
    path = foreign(
        tmp_path,
        gdstk.rectangle((0, 0), (0.2, 0.01), layer=1),
        gdstk.FlexPath([(0.05, 0.1), (0.1, 0.1), (0.1, 0.15)], 0.01, layer=1, simple_path=True),
        gdstk.FlexPath(
            [(0.05, 0.05), (0.1, 0.05)], 0.01, ends="extended", layer=1, simple_path=True
        ),
        gdstk.ellipse((0.15, 0.1), 0.02, layer=2, tolerance=1e-4),
        gdstk.Polygon([(0.15, 0.15), (0.2, 0.2), (0.15, 0.2)], layer=1),
    )
    program = read_program(path, "gds").answer
    assert write(program).splitlines()[0] == "CANVAS 200 200"
    kinds = {type(c): c for c in program.commands}
    assert set(kinds) == {Wire, Via, Poly}
    assert kinds[Via].r == pytest.approx(20, abs=0.3)
    lines = write(program).splitlines()
    assert "WIRE 0 195 10 0 0 0 0 H 200" in lines
    assert "WIRE 100 50 10 0 0 0 0 V 50 H -50" in lines
    assert "WIRE 45 150 10 0 0 0 0 H 60" in lines
    assert "POLY 150 0 150 50 200 0" in lines


def test_references_are_written_out_and_bounded(tmp_path: Path) -> None:
    library = gdstk.Library()
    leaf = library.new_cell("LEAF").add(gdstk.rectangle((0, 0), (1, 1), layer=1))
    row = library.new_cell("ROW").add(gdstk.Reference(leaf, columns=4, rows=1, spacing=(2, 2)))
    top = library.new_cell("TOP")
    top.add(gdstk.Reference(row, rotation=np.pi / 2, columns=1, rows=3, spacing=(2, 2)))
    library.write_gds(tmp_path / "a.gds")
    program = read_program(tmp_path / "a.gds", "gds", nm_per_px=100).answer
    assert len(program.commands) == 12
    top.add(gdstk.Reference(row, columns=30_000, rows=30_000, spacing=(2, 2)))
    library.write_gds(tmp_path / "a.gds")
    with pytest.raises(
        FabsightError, match="'TOP' has 3600000012 shapes with references written o"
    ):
        read_program(tmp_path / "a.gds", "gds")


def test_damaged_units_are_refused(tmp_path: Path) -> None:
    path = foreign(tmp_path, gdstk.rectangle((0, 0), (3000, 1000), layer=1))
    data = path.read_bytes()
    units = data.index(b"\x00\x14\x03\x05") + 4  # the UNITS record holds two 8-byte reals
    path.write_bytes(data[: units + 8] + b"\x7f" + data[units + 9 :])
    with pytest.raises(FabsightError, match="its units are damaged"):
        read_program(path, "gds")


def test_a_large_layout_is_scaled_to_fit(tmp_path: Path) -> None:
    path = foreign(tmp_path, gdstk.rectangle((0, 0), (3000, 1000), layer=5))
    assert read_program(path, "gds").answer == canonical(
        Program(6000, 2000, (straight("H", (0.0, 1000.0), 6000.0, 2000.0),))
    )
    assert read_program(path, "gds", nm_per_px=1000).answer.width == 3000
    with pytest.raises(FabsightError, match="at 1 nm per px the layout is 3000000 x 1000000 px"):
        read_program(path, "gds", nm_per_px=1.0)


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    box = gdstk.rectangle((0, 0), (1, 1), layer=5)
    with pytest.raises(FabsightError, match=r"has 2 top cells \(C0, C1\): say which with --cell"):
        read_program(foreign(tmp_path, box, cells=2), "gds")
    assert read_program(tmp_path / "foreign.gds", "gds", cell="C1").answer.commands
    with pytest.raises(FabsightError, match="has no cell 'X', it has C0, C1"):
        read_program(tmp_path / "foreign.gds", "gds", cell="X")
    with pytest.raises(FabsightError, match="has no shapes"):
        read_program(foreign(tmp_path), "gds")
    with pytest.raises(
        FabsightError, match=r"nothing on metal \(1, 0\) .* \(5, 0\), \(6, 0\): say"
    ):
        read_program(foreign(tmp_path, box, gdstk.rectangle((0, 0), (1, 1), layer=6)), "gds")
    for kind in ("gds", "oas", "svg", "netdsl"):
        with pytest.raises(FabsightError, match="cannot be read: No such file"):
            read(kind, tmp_path / "missing")
    (tmp_path / "a").write_bytes(b"\xff\xfeno")
    for kind, message in (("gds", "is no GDSII"), ("oas", "is no OASIS"), ("netdsl", "is no text")):
        with pytest.raises(FabsightError, match=message):
            read(kind, tmp_path / "a")


def test_what_cannot_be_written_says_why(tmp_path: Path) -> None:
    program = parse(EVERYTHING)
    for kind, export in EXPORTS.items():
        for path, reason in (
            (tmp_path / "no" / "folder" / "x", "check that the folder exists"),
            (tmp_path, "it is a folder; name a file"),
        ):
            with pytest.raises(FabsightError, match=reason):
                export(question(None), program, path)
        assert kind
    with pytest.raises(FabsightError, match="a pixel of -1 nm is not between 0"):
        EXPORTS["gds"](question(-1.0), program, tmp_path / "a.gds")
    far = Program(60_000, 60_000, (Via(9.0, 9.0, 2.0),))
    with pytest.raises(FabsightError, match="too large for GDSII's 32 bits: write OASIS"):
        EXPORTS["gds"](question(5e3), far, tmp_path / "a.gds")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["gds", "oas"])
def test_a_damaged_layout_is_a_named_error(tmp_path: Path, kind: str) -> None:
    """gdstk dies of a few of these (signal 11): the reader must not."""
    path = tmp_path / f"a.{kind}"
    EXPORTS[kind](question(2.0), parse(EVERYTHING), path)
    whole = path.read_bytes()
    rng = random.Random(7)
    for trial in range(9):
        data = bytearray(whole)
        if trial % 3 == 0:
            del data[rng.randrange(20, len(data)) :]
        for _ in range(rng.choice([1, 2, 9])):
            data[rng.randrange(20, len(data)) if len(data) > 20 else 0] = rng.randrange(256)
        path.write_bytes(data)
        try:
            assert isinstance(read(kind, path), Program)
        except FabsightError as error:
            assert str(path) in str(error)  # noqa: PT017


def test_a_png_is_the_mask(tmp_path: Path) -> None:
    from PIL import Image as Picture

    program = parse(EVERYTHING)
    EXPORTS["png"](question(None), program, tmp_path / "a.png")
    with Picture.open(tmp_path / "a.png") as picture:
        assert np.array_equal(np.asarray(picture), render(program) * 255)


def test_svg_groups_vias_and_may_hold_the_image(tmp_path: Path) -> None:
    program, path = parse("CANVAS 256 200\nVIA 9 9 2\nWIRE 0 9 2 0 0 0 0 H 9"), tmp_path / "a.svg"
    export_svg(question(2.5), program, path, background=True)
    text = path.read_text()
    metal, via = text.split('<g id="via"')
    assert 'data-nm-per-px="2.5"' in metal
    assert '<rect x="0" y="8" width="9" height="2"' in metal
    assert "data:image/png;base64," in metal
    assert '<circle cx="9" cy="9" r="2"' in via
    assert read_svg(path).answer == canonical(program)


def test_svg_shapes_that_were_moved_are_read_where_they_are(tmp_path: Path) -> None:
    path = tmp_path / "a.svg"
    program = parse("CANVAS 64 64\nVIA 9 9 2\nWIRE 0 9 2 0 0 0 0 H 9\nPOLY 20 20 40 20 30 40")
    text = svg_text(program)
    for old, new in (('cx="9"', 'cx="11"'), ('x="0"', 'x="3"'), ("M40 20L", "M44 20L")):
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    expected = "CANVAS 64 64\nVIA 11 9 2\nWIRE 3 9 2 0 0 0 0 H 9\nPOLY 20 20 44 20 30 40"
    assert read_svg(path).answer == canonical(parse(expected))


SVG = '<svg viewBox="0 0 64 64">'
RING = "M10 10L50 10L50 50L10 50ZM20 20L20 40L40 40L40 20Z"  # the hole runs the other way round


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("nothing", "is no SVG"),
        ("<svg/>", "line 1: expected <svg"),
        ('<svg viewBox="0 0 1e9 5"/>', "the view box is no canvas"),
        (f"{SVG}\n<rect transform='scale(2)'/></svg>", "line 2: <rect> has a transform"),
        (f"{SVG}\n<use href='#a'/></svg>", "line 2: <use> is not read, only circle, path"),
        (f"{SVG}<path d='M0 0C1 1 2 2 3 3Z'/></svg>", "path command 'C' is not read"),
        (f"{SVG}<path d='M0 0 L1'/></svg>", "path command 'L' lacks a number"),
        (f"{SVG}<path d='M0 0 L1 ?'/></svg>", "cannot read the path data"),
        (f"{SVG}<rect x='a'/></svg>", "<rect>: could not convert"),
        (f"{SVG}<circle r='nan'/></svg>", "<circle>: "),
        (f'<!DOCTYPE a [<!ENTITY b "c">]>{SVG}</svg>', "a document type is not read"),
        (f"{SVG}\n<g style='transform: scale(2)'/></svg>", "line 2: <g> has a transform: apply it"),
        (f"{SVG}<path clip-path='url(#a)'/></svg>", "<path> has a clip-path: cut the shapes"),
        (f"{SVG}<rect width='9' height='9' rx='3'/></svg>", "<rect> has rounded corners"),
        (f"{SVG}<rect width='9' height='9' style='ry:1px'/></svg>", "rounded corners .ry."),
        (f"{SVG}<rect width='9' height='9' style='x:5px'/></svg>", "has x in its style"),
        (f"{SVG}<rect width='-9' height='9'/></svg>", "its size -9 is below 0"),
        (
            f"{SVG}<g stroke='#000'><path d='M1 1L9 1' fill='none'/></g></svg>",
            "a stroke and no fill",
        ),
        (f"{SVG}<path fill-rule='evenodd' d='{RING}'/></svg>", "a path with holes is not read"),
        (f"{SVG}<path d='{RING}'/></svg>", "a path with holes is not read"),
        (f"{SVG}<path d='M9 0L12 9L0 3L18 3L3 9Z'/></svg>", "a line that crosses itself"),
    ],
)
def test_svg_errors_name_line_and_reason(tmp_path: Path, body: str, message: str) -> None:
    (tmp_path / "a.svg").write_text(body)
    with pytest.raises(FabsightError, match=message):
        read_svg(tmp_path / "a.svg")


def test_svg_paths_of_other_programs(tmp_path: Path) -> None:
    body = (
        "<g><path d='m 10,10 h 20 v 5 h -20 z M 40 40 50 40 50 50'/><polygon points='1,1 9,1 9,9'/>"
    )
    (tmp_path / "a.svg").write_text(f"{SVG}{body}</g></svg>")
    expected = "POLY 10 10 30 10 30 15 10 15\nPOLY 40 40 50 40 50 50\nPOLY 1 1 9 1 9 9"
    assert read_svg(tmp_path / "a.svg").answer == canonical(parse(f"CANVAS 64 64\n{expected}"))


def test_a_canvas_of_too_large_an_area_says_what_to_give(tmp_path: Path) -> None:
    library = gdstk.Library(unit=1e-6, precision=1e-9)
    library.new_cell("A").add(gdstk.rectangle((0, 0), (30, 30), layer=1))
    library.write_gds(tmp_path / "a.gds")
    says = "30000 x 30000 px, at most 65536 a side and 400000000 in all: give a larger nm_per_px"
    with pytest.raises(FabsightError, match=says):
        IMPORTS["gds"](tmp_path / "a.gds", LayoutSettings(nm_per_px=1.0))


def test_what_svg_hides_is_left_out_and_named(tmp_path: Path) -> None:
    hidden = (
        *("display='none'", "style='display:none'", "visibility='hidden'", "opacity='0'"),
        *("fill='none'", "style='fill: transparent'", "fill-opacity='0'"),
    )
    shown = "<g visibility='hidden'><circle cx='9' cy='9' r='3' visibility='visible'/></g>"
    lines = [SVG, shown, *(f"<circle cx='40' cy='40' r='5' {how}/>" for how in hidden)]
    lines += ["<g display='none'>", "<rect width='9' height='9'/>", "</g>", "</svg>"]
    (tmp_path / "a.svg").write_text("\n".join(lines))
    found = read_svg(tmp_path / "a.svg")
    assert found.answer == parse("CANVAS 64 64\nVIA 9 9 3")
    assert found.warnings == ("what is hidden is left out: <circle> in line 3 and 7 more",)


def test_strokes_and_style_sheets_are_named_when_they_are_not_read(tmp_path: Path) -> None:
    body = "<style>rect {fill: none}</style><g style='stroke:#000'><circle cx='9' cy='9' r='3'/>"
    (tmp_path / "a.svg").write_text(f"{SVG}{body}</g></svg>")
    found = read_svg(tmp_path / "a.svg")
    assert found.answer == parse("CANVAS 64 64\nVIA 9 9 3")
    assert found.warnings == (
        "style sheets are not read, only style attributes: <style> in line 1",
        "strokes are not read, only fills: <circle> in line 1",
    )


@pytest.mark.parametrize("rule", ["nonzero", "evenodd"])
def test_subpaths_beside_one_another_are_shapes_of_their_own(tmp_path: Path, rule: str) -> None:
    d = "M1 1H9V9H1ZM9 1V9H20V1ZM1 9H20V12H1Z"  # they touch, and run different ways round
    (tmp_path / "a.svg").write_text(f"{SVG}<path fill-rule='{rule}' d='{d}'/></svg>")
    mask = render(read_svg(tmp_path / "a.svg").answer)
    assert mask[1:12, 1:20].all()
    assert mask.sum() == 11 * 19


MIXED = "CANVAS 64 64\nARRAY 2 1 20 0 { WIRE 5 10 4 0 0 0 0 H 12 VIA 11 10 1.5 }"


def test_an_array_of_metal_and_vias_is_read_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "a.svg").write_text(svg_text(parse(MIXED)))
    assert read_svg(tmp_path / "a.svg").answer == canonical(parse(MIXED))


def test_metal_of_an_array_that_was_moved_or_deleted_does_not_come_back(tmp_path: Path) -> None:
    text, path = svg_text(parse(MIXED)), tmp_path / "a.svg"
    vias = "VIA 11 10 1.5\nVIA 31 10 1.5"
    moved_rects = text.replace('y="8"', 'y="40"')
    deleted = "\n".join(line for line in text.splitlines() if "<rect" not in line)
    wires = "WIRE 5 42 4 0 0 0 0 H 12\nWIRE 25 42 4 0 0 0 0 H 12\n"
    for changed, metal in ((moved_rects, wires), (deleted, "")):
        path.write_text(changed)
        assert read_svg(path).answer == canonical(parse(f"CANVAS 64 64\n{metal}{vias}"))


def test_a_copy_of_an_arrays_group_is_read_where_it_is(tmp_path: Path) -> None:
    lines = svg_text(parse(MIXED)).splitlines()
    first = next(k for k, line in enumerate(lines) if line.startswith('<g data-netdsl="ARRAY'))
    copied = [line.replace('y="8"', 'y="40"') for line in lines[first : first + 4]]
    (tmp_path / "a.svg").write_text("\n".join([*lines[:first], *copied, *lines[first:]]))
    wires = "WIRE 5 42 4 0 0 0 0 H 12\nWIRE 25 42 4 0 0 0 0 H 12"
    assert read_svg(tmp_path / "a.svg").answer == canonical(parse(f"{MIXED}\n{wires}"))


def test_every_file_has_the_scale_of_the_measurements(tmp_path: Path) -> None:
    program = parse("CANVAS 64 64\nWIRE 0 12 8 0 0 0 0 H 64")
    image = Image(render(program) * np.uint8(255), 5.0, "TIFF tag")
    for said, nm_per_px in ((2.0, 2.0), (0.0, 5.0)):
        asked = Question((image,), "?", LayoutSettings(nm_per_px=said))
        row = measure(asked, program)[0]
        assert row["cd_nm"] == pytest.approx(row["cd_px"] * nm_per_px, abs=1e-3)
        for kind in ("gds", "oas", "svg"):
            path = tmp_path / f"a.{kind}"
            EXPORTS[kind](asked, program, path)
            assert IMPORTS[kind](path, LayoutSettings()).nm_per_px == nm_per_px
        varied = variants(asked, program, Wish(0, (), "clean")).draw(0).question
        assert varied.images[0].nm_per_px == nm_per_px


def test_text_errors_keep_their_line(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("CANVAS 64 64\nVIA 1")
    with pytest.raises(AnswerError, match="line 2, column 6"):
        read("netdsl", tmp_path / "a")


def test_a_program_without_a_question_image_has_no_scale(tmp_path: Path) -> None:
    bare = replace(question(None), images=())
    EXPORTS["gds"](bare, parse(EVERYTHING), tmp_path / "a.gds")
    assert read("gds", tmp_path / "a.gds") == canonical(parse(EVERYTHING))


def test_human_labels_of_a_real_chip_are_read(shared_data: Path) -> None:
    path = sorted((shared_data / "netdsl" / "emsec_labels").glob("*.svg"))[0]
    program = read_svg(path).answer
    assert (program.width, program.height) == (4096, 3536)
    text = path.read_text()
    polygons = [
        Poly(tuple((float(x), float(y)) for x, y in re.findall(r"([0-9.]+),([0-9.]+)", d)))
        for d in re.findall(r'<path d="([^"]+)"', text)
    ]
    assert len(polygons) > 700
    assert np.array_equal(render(program, "metal"), render(Program(4096, 3536, tuple(polygons))))
    assert sum(isinstance(c, Via) for c in program.commands) == text.count("<circle")
    assert parse(write(program)) == program


@given(st.lists(shapes, min_size=1, max_size=5), st.sampled_from([None, 0.31, 4.7]))
@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_geometry_says_the_same_as_the_properties(tmp_path: Path, commands, scale) -> None:
    """What another tool sees of a file of ours: within 1 % of the area."""
    program, path = Program(50, 40, tuple(commands)), tmp_path / "a.gds"
    write_layout(program, path, "gds", scale)
    edit(path, lambda cell: [p.delete_gds_property(1) for p in cell.polygons if p.layer])
    area = max(coverage(program).sum(), 30.0)
    apart = np.abs(coverage(read_program(path, "gds").answer) - coverage(program)).sum()
    assert apart <= 0.01 * area + 0.25  # a pixel's coverage is known to a sixteenth

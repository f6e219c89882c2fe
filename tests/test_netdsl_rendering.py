"""The conventions of netdsl-l2/1, each against a mask drawn by hand; the test names its rule."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabsight.netdsl.language import Cap, Poly, Program, Run, Shape, Via, Wire, parse, straight
from fabsight.netdsl.rendering import coverage, paint, render


def picture(mask: np.ndarray) -> str:
    return "\n".join("".join(".#"[v] for v in row) for row in mask)


def drawn(commands: str, *rows: str) -> None:
    """The commands paint exactly these rows."""
    text = f"CANVAS {len(rows[0])} {len(rows)}\n{commands}"
    assert picture(render(parse(text))) == "\n".join(rows)


def test_rule_1_the_origin_is_top_left_and_y_runs_down() -> None:
    drawn("WIRE 1 1 2 0 0 0 0 H 3", ".###..", ".###..", "......")
    drawn("WIRE 1 1 2 0 0 0 0 V 2", "......", "##....", "##....")


def test_rule_1_coordinates_may_be_decimal() -> None:
    drawn("WIRE 0.6 1 1 0 0 0 0 H 3.8", ".###..", "......")  # 0.6 to 4.4 by 0.5 to 1.5
    drawn("WIRE 0.5 1 1 0 0 0 0 H 4", "####..", "......")  # 0.5 to 4.5: half-open


def test_rule_2_a_body_is_the_box_of_half_width_about_the_run() -> None:
    drawn("WIRE 1 3 4 0 0 0 0 H 4", "......", ".####.", ".####.", ".####.", ".####.", "......")
    drawn("WIRE 3 1 4 0 0 0 0 V 2", "......", ".####.", ".####.", "......")


def test_rule_3_a_bend_is_filled_by_a_square() -> None:
    drawn(
        "WIRE 0 2 2 0 0 0 0 H 4 V 4",
        "......",
        "#####.",
        "#####.",
        "...##.",
        "...##.",
        "...##.",
    )


def test_rule_3_going_on_along_the_axis_is_no_bend() -> None:
    drawn("WIRE 2 2 4 0 0 0 0 H 1 H 1", "..##..", "..##..", "..##..", "..##..")
    drawn("WIRE 2 2 4 0 0 0 0 H 2 H -1", "..##..", "..##..", "..##..", "..##..")


def test_rule_3_a_run_of_no_length_is_no_run() -> None:
    runs = Run("H", 2.0, 0.0), Run("V", 0.0, 0.0), Run("H", 2.0, 0.0)
    wire = Wire(1.0, 2.0, 2.0, Cap(), Cap(), runs)
    assert picture(render(Program(6, 4, (wire,)))) == "......\n.####.\n.####.\n......"
    nothing = Wire(1.0, 2.0, 2.0, Cap(1.0, 4.0), Cap(), runs[1:2])
    assert not render(Program(6, 4, (nothing,))).any()


def test_rule_3_a_joint_of_an_oblique_run_is_a_disc() -> None:
    wire = Wire(0.0, 8.0, 4.0, Cap(), Cap(), (Run("H", 8.0, 0.0), Run("D", 6.0, 6.0)))
    disc = render(Program(20, 20, (Via(8.0, 8.0, 2.0),)))
    assert (render(Program(20, 20, (wire,))) >= disc).all()


def test_rule_4_a_cap_is_a_box_inside_its_run() -> None:
    drawn(
        "WIRE 1 2 2 2 4 1 4 H 6",
        ".##...#.",
        ".######.",
        ".######.",
        ".##...#.",
    )
    drawn("WIRE 2 0 2 0 0 1 4 V 3", ".##.", ".##.", "####", "....")
    drawn("WIRE 7 2 2 2 4 0 0 H -6", ".....##.", ".######.", ".######.", ".....##.")


def test_rule_4_a_cap_is_clipped_to_its_run() -> None:
    drawn("WIRE 1 2 2 9 4 0 0 H 3", ".###..", ".###..", ".###..", ".###..")


def test_rule_4_caps_sit_on_the_first_and_the_last_run() -> None:
    drawn(
        "WIRE 0 3 2 1 4 1 4 H 6 V 5",
        "........",
        "#.......",
        "#######.",
        "#######.",
        "#....##.",
        ".....##.",
        ".....##.",
        "....####",
    )


def test_rule_4_a_cap_narrower_than_its_wire_changes_nothing() -> None:
    drawn("WIRE 1 2 4 2 2 0 0 H 3", ".###..", ".###..", ".###..", ".###..")


def test_rule_5_a_via_is_a_filled_disc() -> None:
    drawn("VIA 2.5 2.5 2", "..#..", ".###.", "#####", ".###.", "..#..")
    drawn("VIA 3 3 2", "......", "..##..", ".####.", ".####.", "..##..", "......")


def test_rule_5_a_polygon_is_filled_even_odd() -> None:
    drawn("POLY 1 1 5 1 5 4 1 4", "......", ".####.", ".####.", ".####.", "......")
    star = "POLY 0 0 6 0 6 6 0 6 0 0 2 2 4 2 4 4 2 4 2 2"
    drawn(star, "######", "######", "##..##", "##..##", "######", "######")


def test_rule_6_drawing_is_a_union() -> None:
    drawn("VIA 3 1 1\nWIRE 0 1 2 0 0 0 0 H 6", "######", "######", "......")


def test_rule_6_geometry_is_clipped_to_the_canvas() -> None:
    drawn(
        "WIRE -9 0 4 0 0 0 0 H 99\nVIA 5.5 3.5 0.5\nVIA 99 99 5",
        "######",
        "######",
        "......",
        ".....#",
    )
    drawn("POLY -9 2 99 2 99 99 -9 99", "....", "....", "####")


def test_rule_6_a_run_may_be_negative() -> None:
    drawn("WIRE 5 1 2 0 0 0 0 H -4", ".####.", ".####.")
    drawn("WIRE 1 3 2 0 0 0 0 V -2", "....", "##..", "##..")


@pytest.mark.parametrize("command", ["WIRE 1 1.5 2 0 0 0 0 H 2", "POLY 1 .5 3 .5 3 2.5 1 2.5"])
def test_rule_7_boxes_and_polygons_are_half_open(command: str) -> None:
    drawn(command.replace(" .5", " 0.5"), ".##.", ".##.", "....")  # edges on rows' centres


def test_rule_7_discs_are_closed() -> None:
    drawn("VIA 1.5 1.5 1", ".#.", "###", ".#.")


def test_rule_7_edges_are_known_to_a_millionth_of_a_pixel() -> None:
    for exact, noisy in ((0.3, 0.1 + 0.2), (10.5, 12.3 - 1.8), (2.5, 2.5 + 1e-9)):
        box = [straight("H", (x, 2.0), 4.0, 2.0) for x in (exact, noisy)]
        a, b = (render(Program(24, 4, (wire,))) for wire in box)
        assert np.array_equal(a, b)


def test_rule_8_coverage_is_the_painted_share_of_each_pixel() -> None:
    soft = coverage(Program(3, 2, (straight("H", (0.25, 0.75), 2.0, 0.5),)))
    assert np.array_equal(soft, np.float32([[0.375, 0.5, 0.125], [0, 0, 0]]))


eighths = st.integers(-16, 80).map(lambda v: v / 8)


@given(eighths, eighths, st.integers(1, 40), st.integers(1, 20), st.sampled_from("HV"))
def test_rule_8_the_area_of_boxes_on_eighths_is_exact(x, y, length, half, axis) -> None:
    wire = straight(axis, (x, y), length / 8, half / 4)
    x0, x1, y0, y1 = x, x + length / 8, y - half / 8, y + half / 8
    if axis == "V":
        x0, x1, y0, y1 = x - half / 8, x + half / 8, y, y + length / 8
    wide = max(0.0, min(x1, 12) - max(x0, 0))
    high = max(0.0, min(y1, 10) - max(y0, 0))
    assert coverage(Program(12, 10, (wire,))).sum() == pytest.approx(wide * high, abs=1e-4)


@pytest.mark.parametrize("r", [2.0, 5.3, 11.7])
def test_rule_8_the_area_of_a_disc_is_near_pi_r_squared(r: float) -> None:
    area = coverage(Program(32, 32, (Via(16.2, 15.7, r),))).sum()
    assert area == pytest.approx(math.pi * r * r, abs=0.05 * r)


def test_rule_8_bands_of_a_large_frame_join_exactly() -> None:
    shapes: tuple[Shape, ...] = (
        Via(300.3, 41.7, 30.0),
        straight("V", (20.4, -5.0), 300.0, 7.3),
        Poly(((500.0, 3.0), (900.5, 60.0), (450.0, 88.8))),
    )
    whole = coverage(Program(1000, 90, shapes))  # painted in bands of 62 rows
    fine = paint(shapes, 8000, 720, scale=8.0)
    mean = fine.reshape(90, 8, 1000, 8).mean((1, 3), dtype=np.float64)
    assert np.abs(whole - mean).max() < 1e-6


def test_layers_are_metal_and_via() -> None:
    program = Program(6, 2, (straight("H", (0.0, 1.0), 3.0, 2.0), Via(2.0, 1.0, 1.0)))
    assert picture(render(program, "metal")) == "###...\n###..."
    assert picture(render(program, "via")) == ".##...\n.##..."
    assert np.array_equal(render(program), render(program, "metal") | render(program, "via"))


def test_a_window_shows_its_part_of_the_layout() -> None:
    shapes = (Via(9.5, 9.5, 4.0), straight("H", (0.0, 3.0), 20.0, 3.0))
    whole = render(Program(20, 20, shapes))
    assert np.array_equal(paint(shapes, 6, 7, origin=(5.0, 4.0)), whole[4:11, 5:11])

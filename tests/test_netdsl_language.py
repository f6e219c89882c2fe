"""The text of NetDSL-L2: what is read, what is refused and in which words, one text per layout."""

import re
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabsight.evaluation import evaluate
from fabsight.models import Reply
from fabsight.netdsl import TASK
from fabsight.netdsl.arrays import fold_arrays
from fabsight.netdsl.canonical import canonical
from fabsight.netdsl.language import (
    MAX_CANVAS_PX,
    MAX_COMMANDS,
    MAX_ERRORS,
    NO_CAP,
    Array,
    Cap,
    Command,
    Poly,
    Program,
    Run,
    Shape,
    Via,
    Wire,
    expand,
    parse,
    parse_and_render,
    parse_recover,
    straight,
    write,
)
from fabsight.netdsl.rendering import coverage, render
from fabsight.netdsl.settings import LayoutSettings
from fabsight.netdsl.synthesis import example
from fabsight.task import AnswerError, Image, Question

WIDTH, HEIGHT = 24, 20


def grid(least: float, most: float) -> st.SearchStrategy[float]:
    """Numbers of two decimals, mostly of one half: where rounding and pixel centres are hard."""
    fine = st.integers(round(least * 100), round(most * 100)).map(lambda v: v / 100)
    halves = st.integers(round(least * 2), round(most * 2)).map(lambda v: v / 2)
    return st.one_of(halves, fine)


caps = st.one_of(st.just(NO_CAP), st.builds(Cap, grid(0, 12), grid(0, 12)))
lengths = grid(-30, 30).filter(bool)
flat_runs = st.one_of(
    st.builds(lambda v: Run("H", v, 0.0), lengths), st.builds(lambda v: Run("V", 0.0, v), lengths)
)
oblique = st.builds(lambda x, y: Run("D", x, y), lengths, lengths)


def wires(runs: st.SearchStrategy[Run], most: int) -> st.SearchStrategy[Wire]:
    legs = st.lists(runs, min_size=1, max_size=most).map(tuple)
    return st.builds(Wire, grid(-10, 30), grid(-10, 30), grid(0.5, 9), caps, caps, legs)


vias = st.builds(Via, grid(-5, 30), grid(-5, 30), grid(0.5, 8))
corners = st.tuples(grid(-5, 30), grid(-5, 30))
rectangles = st.builds(
    lambda a, b: Poly((a, (b[0], a[1]), b, (a[0], b[1]))), corners, corners
).filter(lambda p: p.points[0][0] != p.points[2][0] and p.points[0][1] != p.points[2][1])
polygons = st.lists(corners, min_size=3, max_size=7).map(lambda p: Poly(tuple(p)))
strict_shapes = st.one_of(wires(flat_runs, 1), wires(flat_runs, 4), vias)
shapes: st.SearchStrategy[Shape] = st.one_of(
    strict_shapes, wires(st.one_of(flat_runs, oblique), 3), rectangles, polygons
)
arrays = st.builds(
    Array,
    st.integers(1, 4),
    st.integers(1, 3),
    grid(-9, 9),
    grid(-9, 9),
    st.lists(strict_shapes, min_size=1, max_size=2).map(tuple),
)
commands: st.SearchStrategy[Command] = st.one_of(shapes, shapes, arrays)
programs = st.lists(commands, max_size=4).map(lambda c: Program(WIDTH, HEIGHT, tuple(c)))


@given(programs)
def test_writing_changes_no_pixel(program: Program) -> None:
    again = parse(write(program))
    assert np.array_equal(render(again), render(program))
    assert np.array_equal(render(again, "via"), render(program, "via"))


@given(programs)
def test_writing_changes_no_area(program: Program) -> None:
    drift = np.abs(coverage(parse(write(program))) - coverage(program))
    assert drift.max() < 1e-6


@given(programs)
def test_the_text_is_a_fixed_point_and_reads_back_exactly(program: Program) -> None:
    text = write(program)
    assert write(parse(text)) == text
    assert parse(text) == canonical(program)


steps = st.sampled_from([0.0, 3.0, 6.0, -3.0, 100.0])
wide = st.builds(lambda y, w: straight("H", (-40.0, y), 90.0, w), grid(0, 20), grid(1, 5))
few = st.sampled_from([Via(6.0, 6.0, 2.0), Via(9.0, 6.0, 2.0), Via(6.0, 9.0, 2.0)]) | wide
crowded = st.builds(
    Array,
    st.integers(1, 4),
    st.integers(1, 3),
    steps,
    steps,
    st.lists(few, min_size=1, max_size=3).map(tuple),
)
crowds = st.lists(few | crowded, max_size=4).map(lambda c: Program(WIDTH, HEIGHT, tuple(c)))


@given(crowds, st.randoms(use_true_random=False))
def test_no_shape_is_written_twice(program: Program, random) -> None:
    text = write(program)
    again = parse(text)
    assert write(again) == text
    assert np.array_equal(render(again), render(program))
    shuffled = list(program.commands)
    random.shuffle(shuffled)
    assert write(replace(program, commands=(*shuffled, *shuffled[:1]))) == text
    alone = [canonical(replace(again, commands=(shape,))).commands for shape in again.shapes]
    painted = [shape for shapes in alone for shape in shapes]
    assert len(set(painted)) == len(painted)
    assert set(painted) == set(canonical(expand(program)).commands)


def reversed_wire(wire: Wire) -> Wire:
    x, y = wire.tip
    runs = tuple(Run(r.axis, 0.0 - r.dx, 0.0 - r.dy) for r in wire.runs[::-1])
    return Wire(x, y, wire.width, wire.end, wire.start, runs)


@given(programs, st.randoms(use_true_random=False))
def test_order_direction_and_repeats_do_not_change_the_text(program: Program, random) -> None:
    turned = [reversed_wire(c) if isinstance(c, Wire) else c for c in program.commands]
    turned += turned[:1]
    random.shuffle(turned)
    assert write(replace(program, commands=tuple(turned))) == write(program)


@given(st.lists(flat_runs, min_size=1, max_size=3), st.data())
def test_a_run_in_two_pieces_is_one_run(runs, data) -> None:
    whole = Wire(5.0, 5.0, 3.0, NO_CAP, NO_CAP, tuple(runs))
    pieces = []
    for run in runs:
        share = data.draw(st.sampled_from([0.0, 0.5, 1.0]))
        first = Run(run.axis, round(run.dx * share, 2), round(run.dy * share, 2))
        rest = Run(run.axis, run.dx - first.dx, run.dy - first.dy)
        pieces += [first, rest]
    split = replace(whole, runs=tuple(pieces))
    assert write(Program(WIDTH, HEIGHT, (split,))) == write(Program(WIDTH, HEIGHT, (whole,)))


@pytest.mark.parametrize(
    ("given_text", "canonical_text"),
    [
        ("WIRE 30 44 40 0 0 0 0 V -20", "WIRE 10 34 20 0 0 0 0 H 40"),
        ("WIRE 2 10 6 4 5 4 6 H 9", "WIRE 2 10 6 0 0 0 0 H 9"),  # caps that do not protrude
        ("WIRE 2 10 2 50 6 0 0 H 9", "WIRE 2 10 6 0 0 0 0 H 9"),  # a cap as long as the wire
        ("WIRE 2 10 2 3 6 0 0 H 9", "WIRE 2 10 2 3 6 0 0 H 9"),
        ("WIRE 11 10 2 0 0 3 6 H -9", "WIRE 2 10 2 3 6 0 0 H 9"),
        ("WIRE -9 10 2 0 0 0 0 H 900", "WIRE 0 10 2 0 0 0 0 H 64"),  # clipped to the canvas
        ("WIRE 2 0 10 0 0 0 0 H 9", "WIRE 2 2.5 5 0 0 0 0 H 9"),
        ("WIRE 2 99 10 0 0 0 0 H 9\nVIA -9 9 3", ""),  # outside
        ("VIA 1.999 2.001 3.10", "VIA 2 2 3.1"),
        ("POLY 4 2 9 2 9 3 9 12 4 12", "WIRE 6.5 2 5 0 0 0 0 V 10"),  # a rectangle is a wire
        ("POLY 9 12 4 2 9 2 9 7", "POLY 4 2 9 2 9 12"),
        ("ARRAY 3 1 -10 7 { VIA 40 9 2 }", "ARRAY 3 1 10 0 { VIA 20 9 2 }"),
        ("ARRAY 1 1 -10 7 { VIA 40 9 2 VIA 50 9 2 }", "VIA 40 9 2\nVIA 50 9 2"),
        ("ARRAY 5 3 0 0 { VIA 40 9 2 }", "VIA 40 9 2"),  # a step of zero
        ("ARRAY 5 2 0.004 9 { VIA 40 9 2 }", "ARRAY 1 2 0 9 { VIA 40 9 2 }"),  # or almost
        ("ARRAY 3 1 9 0 { WIRE -99 9 2 0 0 0 0 H 300 }", "WIRE 0 9 2 0 0 0 0 H 64"),  # clipped
        ("ARRAY 9 9 9 30 { VIA 40 9 2 }", "ARRAY 3 2 9 30 { VIA 40 9 2 }"),  # outside
        ("ARRAY 3 1 9 0 { VIA 9 9 2 VIA 9 9 2 }", "ARRAY 3 1 9 0 { VIA 9 9 2 }"),
        ("ARRAY 3 1 9 0 { VIA 9 9 2 VIA 99 9 2 }", "ARRAY 3 1 9 0 { VIA 9 9 2 }"),
        ("ARRAY 2 1 9 0 { VIA 9 9 2 VIA 18 9 2 }", "VIA 9 9 2\nVIA 18 9 2\nVIA 27 9 2"),
        ("ARRAY 3 1 9 0 { VIA 9 9 2 }\nVIA 18 9 2", "ARRAY 3 1 9 0 { VIA 9 9 2 }"),
        (
            "ARRAY 2 1 18 0 { VIA 9 9 2 }\nARRAY 3 1 9 0 { VIA 9 9 2 }",
            "ARRAY 3 1 9 0 { VIA 9 9 2 }",
        ),
        (
            "ARRAY 2 1 9 0 { VIA 27 9 2 }\nARRAY 3 1 9 0 { VIA 9 9 2 }",
            "VIA 36 9 2\nARRAY 3 1 9 0 { VIA 9 9 2 }",
        ),
        ("POLY 4 2 4 2 9 2 9 12 20 13 9 12 9 2 2 9", "POLY 4 2 2 9 9 2"),  # there and back
        (
            "VIA 9 9 2\nWIRE 0 9 2 0 0 0 0 H 9\nVIA 9 8 2",
            "WIRE 0 9 2 0 0 0 0 H 9\nVIA 9 8 2\nVIA 9 9 2",
        ),
    ],
)
def test_one_geometry_has_one_text(given_text: str, canonical_text: str) -> None:
    text = write(parse(f"CANVAS 64 64\n{given_text}"))
    assert text == f"CANVAS 64 64\n{canonical_text}".strip()


def test_the_example_of_the_source_reads() -> None:
    text = "CANVAS 256 256\nWIRE 0 12 8 0 0 0 0 H 256\nWIRE 12 0 10 0 0 30 14 V 60\nVIA 35 40 6"
    wire, capped, via = parse(text).commands
    assert wire == straight("H", (0.0, 12.0), 256.0, 8.0)
    assert capped == straight("V", (12.0, 0.0), 60.0, 10.0, end=Cap(30.0, 14.0))
    assert via == Via(35.0, 40.0, 6.0)
    assert set(write(parse(text)).splitlines()) == set(text.splitlines())


def test_an_array_may_span_lines_and_hold_several_commands() -> None:
    text = "CANVAS 64 64\nARRAY 2 3 10 10 {\n  VIA 5 5 2\n\n WIRE 0 5 2 0 0 0 0 H 9 VIA 7 5 1 }\r\n"
    program = parse(text)
    assert len(program.commands) == 1
    assert len(expand(program).commands) == 18


def test_a_fence_around_the_program_is_taken_off() -> None:
    bare = "CANVAS 64 64\nVIA 5 5 2"
    assert parse(f"```netdsl\n{bare}\n```\n") == parse(bare) == parse(f"\n\n{bare}\n")
    assert parse(f"```\n{bare}") == parse(bare)  # cut off before the closing fence
    with pytest.raises(AnswerError, match=r"line 4, column 1: expected a command .* got '```'"):
        parse(f"```\n{bare}\n```\nThat is all.")


WIRE = "CANVAS 64 64\nWIRE 0 12 8 0 0 0 0"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1, column 1: expected 'CANVAS width height' first.* got the end of the text"),
        ("I cannot see an image", "line 1, column 1: expected 'CANVAS width height'.* got 'I'"),
        ("CANVAS 64", "line 1, column 10: CANVAS h needs a whole number from 1 to 65536, got the"),
        ("CANVAS 64 -1", "column 11: CANVAS h needs a whole number"),
        ("CANVAS 64 6.5", "column 11: CANVAS h needs a whole number"),
        (f"CANVAS 64 {MAX_CANVAS_PX + 1}", "column 11: CANVAS h needs a whole number from 1 to"),
        ("CANVAS 64 " + "9" * 9000, "CANVAS h needs a whole number"),
        ("CANVAS 64 ²", "CANVAS h needs a whole number"),
        ("CANVAS 64 64 VIA 1 1 1", "line 1, column 14: expected the end of the line after a comp"),
        ("CANVAS 64 64\n\nCANVAS 64 64", "line 3, column 1: expected one CANVAS only"),
        ("CANVAS 64 64\nWIRE 0 12 8 H 64", "column 13: WIRE needs a number for l_s, got 'H'"),
        ("CANVAS 64 64\nwire 0 12", "column 1: expected a command .WIRE, VIA, ARRAY, POLY., got"),
        (WIRE, "line 2, column 20: WIRE needs a run .H length, V length or D dx dy., got the end"),
        (f"{WIRE} H", "column 22: run H needs a number for its length, got the end of the text"),
        (f"{WIRE} H 5 8", "column 25: expected the end of the line after a complete command, got"),
        (f"{WIRE} H 0.001", "column 23: run H needs a length other than 0, got '0.001'"),
        (f"{WIRE} H nan", "run H needs a number for its length, got 'nan'"),
        (f"{WIRE} H 1e3", "run H needs a number for its length, got '1e3'"),
        (f"{WIRE} H ٣", "run H needs a number for its length"),
        (f"{WIRE} H {'9' * 400}", "run H needs a number for its length from -2000000 to 2000000"),
        (f"{WIRE} H 1500000", "line 2, column 1: coordinates go to 1000000 px: this command to 15"),
        ("CANVAS 64 64\nWIRE 0 0 0 0 0 0 0 H 5", "WIRE needs a number for w_base above 0, got '0'"),
        ("CANVAS 64 64\nWIRE 0 0 2 -1 0 0 0 H 5", "needs a number for l_s from 0 to 2000000, got"),
        ("CANVAS 64 64\nVIA 9 9 -2", "line 2, column 9: VIA needs a number for r above 0, got '-2"),
        ("CANVAS 64 64\nVIA 9, 9 2", "line 2, column 5: VIA needs a number for x, got '9,'"),
        (
            "CANVAS 64 64\nVIA 9\n9 2",
            "line 2, column 6: VIA needs a number for y, got the end of t",
        ),
        ("CANVAS 64 64\nPOLY 1 1 5 5", "POLY needs a number for x of corner 3 .3 at least"),
        ("CANVAS 64 64\nPOLY 1 1 5 5 1 5 9", "POLY needs a number for y of corner 4"),
        ("CANVAS 64 64\nARRAY 2 2 9 9", "ARRAY needs '{' before its commands"),
        ("CANVAS 64 64\nARRAY 2 2 9 9 { }", "ARRAY needs a command in its braces, got '}'"),
        ("CANVAS 64 64\nARRAY 2 2 9 9 { VIA 1 1 1\n", "ARRAY needs '}' after its commands, got"),
        ("CANVAS 64 64\nARRAY 0 2 9 9 { VIA 1 1 1 }", "ARRAY nx needs a whole number from 1 to"),
        (
            "CANVAS 64 64\nARRAY 2 2 9 9 { ARRAY 2 2 1 1 { VIA 1 1 1 } }",
            "line 2, column 17: ARRAY cannot stand inside ARRAY, write the inner one out",
        ),
        ("CANVAS 64 64\nVIA 1 1 1\n}", "line 3, column 1: expected a command"),
    ],
)
def test_an_error_names_line_column_rule_and_word(text: str, message: str) -> None:
    with pytest.raises(AnswerError, match=message) as caught:
        parse(text)
    assert f"line {caught.value.line}, column {caught.value.column}:" in str(caught.value)
    assert len(str(caught.value)) < 200


HUGE = "CANVAS 20000 20000\n"
WIDE = "WIRE 0 128 256 0 0 0 0 H 256"
ZIGZAG = " ".join(f"{k} {k % 2 * 20_000}" for k in range(9_000))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("CANVAS 65536 65536", "line 1, column 14: CANVAS needs w x h of at most 400000000: 65536"),
        ("CANVAS 256 256\n" + "VIA 1 1 1\n" * 200_001, "line 200002, column 1: a program has at"),
        ("CANVAS 256 256\nARRAY 500 500 1 1 {\nVIA 1 1 1 }", "line 3, column 1: a program has at"),
        (
            "CANVAS 256 256\nARRAY 1 1 1 1 { " + "VIA 1 1 1 " * 200_001,
            "line 2, column 100017: ARRAY has at most 10000 commands in its braces",
        ),
        (f"CANVAS 64 64\nWIRE 0 0 2 0 0 0 0{' H 1 V 1' * 6_000}", "WIRE has at most 10000 runs"),
        (f"CANVAS 64 64\nPOLY{' 1 1 2 2' * 6_000}", "POLY has at most 10000 corners"),
        (f"{HUGE}POLY {ZIGZAG}\nPOLY {ZIGZAG}", "line 3, column 1: painting a program may cost 4"),
        (
            f"CANVAS 256 256\nVIA 1 1 1\nARRAY 400 400 0.01 0.01 {{ {WIDE} }}",
            "line 3, column 1: painting a program may cost 4000000000 px, overlaps counted, arrays",
        ),
    ],
)
def test_a_text_that_costs_too_much_is_refused_at_once(text: str, message: str) -> None:
    begin = time.process_time()
    with pytest.raises(AnswerError, match=message):
        parse(text)
    assert time.process_time() - begin < 8.0  # type checks and coverage cost tenfold


def test_spikes_within_spikes_are_taken_off_in_linear_time() -> None:
    path = [(float(k % 50), float(k % 2 + k // 50)) for k in range(5_000)]
    spike = Poly((*path, *path[-2:0:-1]))
    begin = time.process_time()
    assert write(Program(64, 64, (spike,))) == "CANVAS 64 64"
    assert time.process_time() - begin < 8.0


def of_image(height: int, width: int, **settings: bool) -> Question[LayoutSettings]:
    return Question((Image(np.zeros((height, width), np.uint8)),), "?", LayoutSettings(**settings))


def test_a_canvas_other_than_the_image_is_refused_at_its_line() -> None:
    text = "\nCANVAS 64 48\nARRAY 2 1 9 0 { VIA 9 9 2 }"
    assert TASK.parse(text, of_image(48, 64)) == parse(text)
    assert len(TASK.parse(text, of_image(48, 64, strict_l2=True)).commands) == 2
    says = "line 2, column 1: CANVAS has the size of the image, 48 x 64 px: this one is 64 x 48 px"
    with pytest.raises(AnswerError, match=says) as caught:
        TASK.parse(text, of_image(64, 48))
    assert (caught.value.line, caught.value.column) == (2, 1)


def test_a_program_without_an_image_has_any_canvas() -> None:
    text = "CANVAS 64 48"
    assert TASK.parse(text, Question((), "?", LayoutSettings())) == Program(64, 48)
    scaled = Question((), "?", LayoutSettings(), nm_per_px=2.5)
    assert TASK.parse(text, scaled) == Program(64, 48)
    with pytest.raises(AnswerError, match="1 x 1 px"):
        TASK.parse(text, of_image(1, 1))


@dataclass(frozen=True)
class Constant:
    """A model that says the same whatever it sees."""

    text: str

    def __call__(self, questions, ask):
        return [Reply(self.text) for _ in questions for _ in range(ask.n)]


def test_a_model_that_answers_on_another_canvas_has_failed() -> None:
    examples = [example(np.random.default_rng(seed), "clean") for seed in range(2)]
    for canvas, failures in (("256 256", 0), ("256 255", 2)):
        graded = evaluate(TASK, examples, Constant(f"CANVAS {canvas}"), "constant")
        assert graded.unreadable == failures
        errors = [row.error for row in graded.rows]
        assert all(
            ("256 x 256 px: this one is 256 x 255 px" in e) == (failures > 0) for e in errors
        )


def test_a_byte_order_mark_and_windows_line_ends_are_read() -> None:
    bare = "CANVAS 64 64\nVIA 5 5 2\nVIA 5"
    marked = "\ufeff" + bare.replace("\n", "\r\n")
    program, errors = parse_recover(marked)
    assert (program, [str(e) for e in errors]) == (
        parse_recover(bare)[0],
        [str(e) for e in parse_recover(bare)[1]],
    )
    assert parse_and_render("\ufeffVIA 5 5 2\r\n").sum() == parse_and_render("VIA 5 5 2").sum() > 0
    assert parse("\ufeff```\r\nCANVAS 64 64\r\n```\r\n") == Program(64, 64)
    with pytest.raises(AnswerError, match="line 1, column 1: expected 'CANVAS"):
        parse("\ufeff\ufeffCANVAS 64 64")


def test_bombs_are_refused_before_they_cost_anything() -> None:
    side = 60_000
    texts = [
        f"CANVAS 64 64\nARRAY {side} {side} 1 1 {{ VIA 1 1 1 }}",
        "CANVAS 64 64\n" + f"ARRAY {MAX_COMMANDS} 1 0 1 {{ VIA 1 1 1 }}\n" * 2,
        f"CANVAS 64 64\nARRAY {MAX_COMMANDS} 1 9 1 {{ VIA 1 1 1 }}",
        "CANVAS 64 64\nARRAY 1000000000000 1 1 1 { VIA 1 1 1 }",
        "CANVAS 64 64\n" + "ARRAY 1 1 1 1 { " * 20_000,
        "CANVAS 64 64\nVIA 1 1 1" + "1" * 1_000_000,
    ]
    for text in texts:
        begin = time.process_time()
        with pytest.raises(AnswerError):
            parse(text)
        assert time.process_time() - begin < 4.0


def test_hostile_texts_are_recovered_in_linear_time() -> None:
    for line in ("{", "}", "ARRAY 1 1 1 1 { X", "ARRAY 9 9 9 9 { VIA 1 1 1", "POLY 1 1", "WIRE"):
        begin = time.process_time()
        program, errors = parse_recover("CANVAS 64 64\n" + f"{line}\n" * 1_000)
        assert not program.commands
        assert errors
        assert time.process_time() - begin < 5.0


def test_recovering_ends_after_a_hundred_bad_lines() -> None:
    begin = time.process_time()
    program, errors = parse_recover("CANVAS 64 64\nVIA 9 9 2\n" + "x\n" * 200_000 + "VIA 5 5 2")
    assert time.process_time() - begin < 2.0
    assert program.commands == (Via(9.0, 9.0, 2.0),)
    assert [error.line for error in errors] == list(range(3, 3 + MAX_ERRORS))
    assert all(error.__traceback__ is None and error.__context__ is None for error in errors)


def test_strict_refuses_what_is_not_in_netdsl_l2_at_its_line() -> None:
    strict = of_image(48, 64, strict_l2=True)
    start = "CANVAS 64 48\nVIA 9 9 2\n"
    for command, column, what in (
        ("POLY 1 1 9 1 5 9", 1, "POLY"),
        ("ARRAY 2 1 9 0 { VIA 9 9 2 WIRE 9 9 2 0 0 0 0 H 9 D 3 4 }", 27, "an oblique run .D."),
    ):
        says = f"line 3, column {column}: {what} is not in NetDSL-L2; leave out --strict-l2"
        with pytest.raises(AnswerError, match=says) as caught:
            TASK.parse(start + command, strict)
        assert (caught.value.line, caught.value.column) == (3, column)
        assert TASK.parse(start + command, of_image(48, 64)) == parse(start + command)


def test_a_text_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fabsight.netdsl.language.MAX_TEXT_CHARACTERS", 20)
    with pytest.raises(AnswerError, match="too long: 22 characters, 20 are allowed"):
        parse("CANVAS 64 64\nVIA 9 9 2")


def test_recovering_keeps_the_readable_lines_and_reports_the_rest() -> None:
    text = "\n".join(
        [
            "CANVAS 64 64",
            "VIA 5 5 2",
            "VIA 6 6",
            "ARRAY 2 2 9 9 { VIA 1 1 1",
            "VIA 2 2 x }",
            "VIA 7 7 2 junk",
            "ARRAY 2 2 9 9 {",
            " VIA 3 3 1 }",
            "WIRE 0 12 8 0 0 0 0 H 30 V",
        ]
    )
    program, errors = parse_recover(text)
    assert [e.line for e in errors] == [3, 5, 6, 9]
    kept = (Via(5.0, 5.0, 2.0), Array(2, 2, 9.0, 9.0, (Via(3.0, 3.0, 1.0),)))
    assert program.commands == kept
    assert parse(text, recover=True) == program
    with pytest.raises(AnswerError, match="line 3"):
        parse(text)
    with pytest.raises(AnswerError, match="CANVAS"):
        parse("WIRE 0 12", recover=True)


words = st.sampled_from(
    [
        *("CANVAS", "WIRE", "VIA", "ARRAY", "POLY", "H", "V", "D", "{", "}", "```", "\n", "x"),
        *("0", "5", "+7", "64", "-3.25", "99999999999", "1e9", "nan", "\x0b", "\u2028"),
    ]
)


@given(st.one_of(st.text(), st.lists(words, max_size=60).map(" ".join)))
def test_any_text_gives_a_program_or_a_named_error(text: str) -> None:
    for start in ("", "CANVAS 64 64\n"):
        try:
            program, errors = parse_recover(start + text)
        except AnswerError as error:
            program, errors = Program(1, 1), [error]
        assert all(e.line > 0 and str(e).startswith("netdsl line ") for e in errors)
        assert parse(write(program)) == canonical(program)
        if not errors:
            assert parse(start + text) == program


@given(programs, st.integers(0, 400))
def test_a_text_cut_anywhere_keeps_what_was_complete(program: Program, cut: int) -> None:
    lines = write(program).splitlines()
    text = "\n".join(lines)[:cut]
    complete = max(text.count("\n"), 0)
    if complete:
        kept, errors = parse_recover(text)
        assert kept.commands[: complete - 1] == parse("\n".join(lines[:complete])).commands
        assert len(errors) <= 1


def test_the_name_of_the_source_renders() -> None:
    text = "CANVAS 8 4\nWIRE 0 2 2 0 0 0 0 H 8"
    mask = parse_and_render(text)
    assert mask.shape == (4, 8)
    assert mask.dtype == np.uint8
    assert np.array_equal(mask, render(parse(text)))
    bare = parse_and_render("WIRE 0 2 2 0 0 0 0 H 8", canvas=(8, 4))
    assert np.array_equal(bare, mask)
    assert parse_and_render("VIA 5 5 2").shape == (256, 256)


@given(programs)
def test_folding_arrays_changes_no_pixel(program: Program) -> None:
    folded = fold_arrays(program)
    assert np.array_equal(render(folded), render(program))
    assert canonical(folded) == folded
    assert fold_arrays(folded) == folded


grids = st.builds(
    lambda n, pitch, origin: [
        (origin[0] + i * pitch[0], origin[1] + j * pitch[1])
        for i in range(n[0])
        for j in range(n[1])
    ],
    st.tuples(st.integers(1, 6), st.integers(1, 6)),
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    st.tuples(st.integers(0, 9), st.integers(0, 9)),
)


@given(st.lists(grids, max_size=3), st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40))))
def test_folding_covers_each_place_once(fields, strays) -> None:
    places = {place for field in fields for place in field} | set(strays)
    vias = tuple(Via(float(x), float(y), 0.75) for x, y in places)
    folded = fold_arrays(Program(64, 64, vias))
    assert len(folded.commands) <= len(vias)
    assert sorted((v.x, v.y) for v in folded.shapes) == sorted(places)


def test_a_via_field_with_a_hole_folds_to_a_few_commands() -> None:
    places = [(4.0 + 8.37 * i, 4.0 + 9.13 * j) for i in range(13) for j in range(6)]
    vias = tuple(Via(round(x, 2), round(y, 2), 2.0) for x, y in places)
    assert len(fold_arrays(Program(128, 128, vias)).commands) == 1
    assert len(fold_arrays(Program(128, 128, vias[:40] + vias[41:])).commands) <= 5


def test_equal_wires_at_a_pitch_fold() -> None:
    wires = tuple(straight("V", (4.0 + 9 * i, 0.0), 64.0, 4.0) for i in range(7))
    (array,) = fold_arrays(Program(64, 64, wires)).commands
    assert array == Array(7, 1, 9.0, 0.0, (wires[0],))


def test_folding_is_fast() -> None:
    rng = np.random.default_rng(0)
    for count, bound_s in ((100, 0.5), (5_000, 8.0)):  # type checks in tests cost tenfold
        places = rng.integers(0, 400, (count, 2))
        program = Program(400, 400, tuple(Via(float(x), float(y), 2.0) for x, y in places))
        begin = time.process_time()
        fold_arrays(program)
        assert time.process_time() - begin < bound_s


def test_the_examples_of_the_reference_are_true() -> None:
    page = (Path(__file__).parents[1] / "docs" / "netdsl-language.md").read_text()
    names: dict[str, object] = {}
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 4
    for block in blocks:
        exec(block, names)

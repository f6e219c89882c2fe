"""Edits of programs: each does to the nets what its name says, and its box is exact."""

import numpy as np
import pytest

from fabsight.netdsl.canonical import canonical
from fabsight.netdsl.language import Array, Cap, Program, Via, expand, parse, straight, write
from fabsight.netdsl.rendering import render
from fabsight.netdsl.vary import KINDS, Edit, vary
from fabsight.task import FabsightError

LAYOUT = parse(
    """CANVAS 128 128
WIRE 0 12 8 0 0 0 0 H 128
WIRE 8 30 7 0 0 0 0 H 40 V 50 H 30
WIRE 12 60 10 0 0 20 16 V 60
WIRE 70 30 6 8 12 0 0 H 58
WIRE 100 128 9 0 0 0 0 V -80
VIA 30 30 3
VIA 90 100 5
ARRAY 3 2 10 12 { VIA 60 106 3 }"""
)
NETS = {"cut": 1, "bridge": -1, "missing_wire": None, "missing_via": 0}


def count_nets(mask: np.ndarray) -> int:
    from scipy import ndimage

    return int(ndimage.label(mask)[1])


def nets(program: Program) -> int:
    return count_nets(render(program, "metal"))


def layers(program: Program) -> np.ndarray:
    return np.stack([render(program, "metal"), render(program, "via")])


def changed(before: Program, after: Program) -> np.ndarray:
    return (layers(before) != layers(after)).any(0)


def seeds(kind: str, count: int = 12):
    return [vary(LAYOUT, np.random.default_rng(seed), [kind]) for seed in range(count)]


@pytest.mark.parametrize("kind", KINDS)
def test_an_edit_does_to_the_nets_what_its_name_says(kind: str) -> None:
    for variation in seeds(kind):
        effect = NETS.get(kind, 0)
        assert effect is None or nets(variation.program) - nets(LAYOUT) == effect
        assert [edit.kind for edit in variation.edits] == [kind]


@pytest.mark.parametrize("kind", KINDS)
def test_the_box_is_about_the_changed_pixels(kind: str) -> None:
    for variation in seeds(kind, 6):
        ((x0, y0, x1, y1),) = (edit.box_px for edit in variation.edits)
        differs = changed(LAYOUT, variation.program)
        assert differs[y0:y1, x0:x1].sum() == differs.sum() >= 4
        for line in (*differs[y0:y1, [x0, x1 - 1]].T, *differs[[y0, y1 - 1], x0:x1]):
            assert line.any()


@pytest.mark.parametrize("kind", ["spur", "bridge", "widen"])
def test_metal_is_only_added(kind: str) -> None:
    for variation in seeds(kind):
        assert (layers(variation.program) >= layers(LAYOUT)).all()


@pytest.mark.parametrize("kind", ["cut", "mousebite", "pinhole", "narrow", "missing_wire"])
def test_metal_is_only_removed(kind: str) -> None:
    for variation in seeds(kind):
        assert (layers(variation.program) <= layers(LAYOUT)).all()


def test_a_pinhole_is_a_hole() -> None:
    for variation in seeds("pinhole"):
        ground = [count_nets(1 - render(p, "metal")) for p in (LAYOUT, variation.program)]
        assert ground[1] == ground[0] + 1


def test_a_missing_via_shows_inside_metal() -> None:
    program = Program(40, 40, (straight("H", (0.0, 20.0), 40.0, 16.0), Via(20.0, 20.0, 4.0)))
    (edit,) = vary(program, np.random.default_rng(0), ["missing_via"]).edits
    assert edit == Edit("missing_via", (16, 16, 24, 24), "via 8 px wide left out")


def test_one_via_of_an_array_is_edited_and_other_arrays_stay() -> None:
    program = parse(
        "CANVAS 64 64\nARRAY 3 3 8 8 { VIA 8 8 2 }\nARRAY 2 2 8 8 { WIRE 40 40 3 0 0 0 0 H 5 }"
    )
    varied = vary(program, np.random.default_rng(1), ["missing_via"]).program
    assert len(varied.shapes) == len(program.shapes) - 1
    assert sum(isinstance(command, Array) for command in varied.commands) == 1


def test_the_one_via_among_many_wires_is_found() -> None:
    wires = [straight("H", (0.0, 2.0 + 4 * i), 512.0, 2.0) for i in range(128)]
    program = Program(512, 512, (*wires, Via(256.0, 256.0, 5.0)))
    for seed in range(5):
        assert vary(program, np.random.default_rng(seed), ["missing_via"]).edits


def test_equal_generators_give_equal_edits() -> None:
    a, b = (vary(LAYOUT, np.random.default_rng(5), count=4) for _ in range(2))
    assert a == b
    assert a != vary(LAYOUT, np.random.default_rng(6), count=4)


def test_several_edits_stay_apart_and_readable() -> None:
    for seed in range(6):
        variation = vary(LAYOUT, np.random.default_rng(seed), count=4)
        assert len(variation.edits) == 4
        painted = np.zeros((128, 128), int)
        for edit in variation.edits:
            x0, y0, x1, y1 = edit.box_px
            painted[y0:y1, x0:x1] += 1
        assert painted.max() == 1
        assert not (changed(LAYOUT, variation.program) & (painted == 0)).any()
        assert parse(write(variation.program)) == canonical(variation.program) == variation.program


def test_a_cut_keeps_caps_and_bends() -> None:
    wire = straight("H", (4.0, 32.0), 56.0, 6.0, start=Cap(8.0, 14.0), end=Cap(8.0, 14.0))
    for seed in range(10):
        varied = vary(Program(64, 64, (wire,)), np.random.default_rng(seed), ["cut"]).program
        first, last = expand(varied).commands
        assert first.start == last.end == Cap(8.0, 14.0)


def test_what_does_not_fit_is_said() -> None:
    with pytest.raises(FabsightError, match="'melt' is no kind of edit: choose from widen, narrow"):
        vary(LAYOUT, np.random.default_rng(0), ["melt"])
    lonely = Program(64, 64, (straight("H", (4.0, 32.0), 56.0, 6.0),))
    with pytest.raises(FabsightError, match="none of missing_via fits this program of 1 shapes"):
        vary(lonely, np.random.default_rng(0), ["missing_via"])
    with pytest.raises(FabsightError, match="fits this program of 0 shapes"):
        vary(Program(64, 64), np.random.default_rng(0))

"""What the measuring scripts share: outlines by peers, floors, cases, and what a name runs."""

import math
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from fabsight.commands.benchmarks import chosen

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def scripts(monkeypatch):
    """Import a module of benchmarks/ as its scripts do."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))

    def load(name):
        import importlib

        return importlib.import_module(name)

    yield load
    for name in [n for n, m in sys.modules.items() if _is_ours(m)]:
        del sys.modules[name]


def _is_ours(module):
    return str(getattr(module, "__file__", None) or "").startswith(str(BENCHMARKS))


def ring(side=64):
    """A square ring: a hole tests the fill rule, its corners the tracers."""
    mask = np.zeros((side, side), np.uint8)
    mask[10:50, 12:52] = 1
    mask[24:36, 26:38] = 0
    return mask


@pytest.mark.parametrize("name", ["contours", "potrace", "vtracer"])
def test_tracers_draw_what_they_trace(scripts, name):
    if name == "potrace" and not shutil.which("potrace"):
        pytest.skip("potrace is not installed")
    if name == "vtracer":
        pytest.importorskip("vtracer")
    drawn, vertices = getattr(scripts("_peers"), name)(ring())
    shared, either = (drawn & ring()).sum(), (drawn | ring()).sum()
    assert shared / either > 0.97
    assert 8 <= vertices <= 40


def test_paths_are_flattened_relative_and_absolute(scripts):
    flatten = scripts("_peers").flatten
    absolute, count = flatten("M1 1 L5 1 L5 5 Z M2 2 C3 2 4 2 4 3 Z")
    relative, same = flatten("m1 1 l4 0 0 4 z m1 1 c1 0 2 0 2 1 z")
    assert count == same == 3
    for one, other in zip(absolute, relative, strict=True):
        np.testing.assert_allclose(one, other)


def test_floor_is_no_judge_of_itself(scripts):
    floor = scripts("netdsl_fidelity").floor
    half = np.arange(100) < 50
    assert floor([half, ~half]) == 0.5  # all metal; either truth scores 0 on the other
    assert floor([half, half]) == 1.0


def test_a_case_is_drawn_from_its_name_alone(scripts):
    cases = scripts("_cases")
    mild = cases.Set("a", "lines", "mild", "relief")
    first, again = (cases.draw_case(mild, 3, BENCHMARKS) for _ in range(2))
    assert (first.pixels == again.pixels).all()
    hard = cases.Set("b", "lines", "hard", "bloom")
    assert (cases.draw_case(hard, 3, BENCHMARKS).truth == first.truth).all()
    assert not math.isnan(first.commands)


def test_quick_fidelity_of_one_row_scores_every_peer(scripts):
    fidelity, cases = scripts("netdsl_fidelity"), scripts("_cases")
    row = cases.Set("mild", "stripes", "mild", "relief")
    found = fidelity.summary(row, fidelity.measure(row, 2, BENCHMARKS))
    assert found["floor"] < found["ours"]["iou"] <= 1
    assert {"global", "otsu", "half-level", "edge-paired", "learned mask"} <= found["peers"].keys()
    for text in (fidelity.our_table([found]), fidelity.tracer_table([found], learned_too=True)):
        assert "mild" in text


def test_metrology_truth_is_the_roughened_edge(scripts):
    metrology = scripts("netdsl_metrology")
    program = metrology.layout(np.random.default_rng(5), "stripes", 256)
    legs = metrology.legs_of(program)
    leg = next(leg for leg in legs if leg.axis == "V" and leg.span == (0, 256))
    truth = metrology.Truth(legs, np.full((256, 256), 0.25, np.float32))
    row = {"orientation": "vertical", "x_px": leg.middle + 1, "y_px": 128.0, "length_px": 100.0}
    assert truth.run_of(row) == leg
    left, right = truth.edges(leg, row)
    assert len(left) == 100
    np.testing.assert_allclose([left, right], 0.25)
    wave = np.sqrt(2) * np.sin(np.arange(1000) * 2 * np.pi / 50)
    assert metrology.three_sigma(wave) == pytest.approx(3, rel=0.01)


def test_a_name_runs_a_script_a_task_or_all_that_measure():
    scripts = {n: Path(n) for n in ("netdsl_a", "netdsl_b", "make_samples", "verify")}
    names = {
        name: [path.name for path in chosen(name, scripts)]
        for name in ("netdsl", "all", "make_samples")
    }
    assert names == {
        "netdsl": ["netdsl_a", "netdsl_b"],
        "all": ["netdsl_a", "netdsl_b", "verify"],
        "make_samples": ["make_samples"],
    }

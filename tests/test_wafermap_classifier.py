"""The classifier: what it sees, what it says of clear maps, what is trained, tuned and shipped."""

import hashlib
from dataclasses import replace
from importlib.resources import files
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fabsight.wafermap.claims import PATTERNS
from fabsight.wafermap.classifier import (
    ALONE,
    MEMBERS,
    NETWORKS,
    Constants,
    Scores,
    classify,
    classify_all,
    constants,
    decide,
    scored,
    turns,
)
from fabsight.wafermap.classifier_maps import (
    SINGLES,
    Maps,
    generated,
    grids,
    is_blocked_test,
    is_tuning,
    kept_aside,
    to_learn,
)
from fabsight.wafermap.classifier_network import export, network
from fabsight.wafermap.classifier_training import batch, loss, stream
from fabsight.wafermap.classifier_tuning import Given, expected_error, f1_scores, fit
from fabsight.wafermap.generator import draw_pattern
from fabsight.wafermap.geometry import disk
from fabsight.wafermap.planes import SIDE, planes

WEIGHTS = files("fabsight") / "weights"
REAL = Path(__file__).parents[2] / "shared" / "data" / "wafermap" / SINGLES
MOST_BYTES = 2_000_000


def wafer(size, fails):
    """A round wafer of `size` by `size` dies on which `fails` of its disk fail."""
    at = disk(size, size)
    return np.where(at.radius > 1, 0, np.where(fails(at), 2, 1)).astype(np.uint8)


def ring(at):
    return at.radius > 0.86


def centre(at):
    return at.radius < 0.3


def nothing(at):
    return at.radius < 0


@pytest.fixture(scope="module")
def drawn():
    """A few maps as the training holds them."""
    return generated(3, 60)


# What it sees


def test_planes_keep_the_share_of_failing_dies():
    grid = wafer(130, centre)
    failing, dies, _ = planes(grid) / 255.0
    assert (failing * dies).sum() / dies.sum() == pytest.approx(
        (grid == 2).sum() / (grid > 0).sum(), abs=2e-3
    )


@pytest.mark.parametrize("size", [26, 52, 120, 260])
def test_a_line_of_single_dies_is_seen_on_a_wafer_of_any_size(size):
    grid = wafer(size, nothing)
    for k in range(size // 4, 3 * size // 4):
        grid[k, k // 2 + size // 4 : k // 2 + size // 4 + 2] = 2  # two wide: steps keep together
    company = planes(grid)[2]
    assert company.max(1)[SIDE // 3 : 2 * SIDE // 3].min() >= 100


def test_stray_fails_keep_no_company():
    grid = wafer(30, nothing)
    grid[5:25:5, 10:22:5] = 2
    assert planes(grid)[2].max() == 0
    assert planes(grid)[0].max() == 255


def test_empty_rows_around_the_dies_change_nothing():
    grid = wafer(33, ring)
    assert np.array_equal(planes(grid), planes(np.pad(grid, ((1, 4), (0, 7)))))
    assert not planes(np.zeros((3, 5), np.uint8)).any()


# What it says


def is_clear(drawn):
    return drawn.difficulty == "easy" and not drawn.description.choices["pattern"].possible


@pytest.mark.parametrize("name", PATTERNS)
def test_clear_maps_of_each_pattern_are_named(name):
    wafers = (draw_pattern(np.random.default_rng([9, k]), (name,)) for k in range(400))
    clear = list(islice((d for d in wafers if is_clear(d)), 12))
    found = [decide(scores, "one") for scores in classify_all([d.wafer.grid for d in clear])]
    assert sum(names == (name,) for names in found) >= 0.8 * len(found)


@given(
    arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40)), elements=st.integers(0, 2))
)
@settings(max_examples=25, deadline=None)
def test_any_grid_has_scores_that_are_probabilities(grid):
    scores = classify(grid)
    assert scores.probabilities.sum() == pytest.approx(1)
    assert ((scores.members >= 0) & (scores.members <= 1)).all()
    assert 0 <= scores.several <= 1
    for patterns in ("auto", "one", "several"):
        names = decide(scores, patterns)
        assert names
        assert set(names) <= set(PATTERNS)
        assert len(names) == 1 or not {"none", *ALONE} & set(names)


def test_many_maps_at_once_score_as_each_alone():
    some = [wafer(26, ring), wafer(61, centre), wafer(40, nothing)]
    for alone, together in zip(map(classify, some), classify_all(some), strict=True):
        assert np.allclose(alone.probabilities, together.probabilities, atol=1e-5)
        assert np.allclose(alone.members, together.members, atol=1e-5)
    assert classify_all([]) == []


def test_turning_the_wafer_changes_no_clear_answer():
    grid = wafer(45, lambda at: (at.radius > 0.8) & (at.clock_deg < 60))
    views = [np.rot90(side, k) for side in (grid, grid[:, ::-1]) for k in range(4)]
    assert {decide(scores) for scores in classify_all(views)} == {("edge-loc",)}


def test_a_mixture_is_told_from_one_pattern():
    both = classify(wafer(52, lambda at: ring(at) | centre(at)))
    assert decide(both, "several") == decide(both) == ("center", "edge-ring")
    assert len(decide(both, "one")) == 1
    assert decide(classify(wafer(52, ring)), "several") == ("edge-ring",)


# How it decides


def scores_of(several=0.0, **shares):
    classes = np.array([shares.get(name.replace("-", "_"), 1e-4) for name in PATTERNS])
    return Scores(classes / classes.sum(), classes[:8], several)


def test_below_the_asked_probability_nothing_is_named():
    scores = scores_of(edge_ring=0.7, none=0.3)
    assert decide(scores, "one", abstain=0.6) == ("edge-ring",)
    assert decide(scores, "one", abstain=0.8) == ()
    assert decide(scores, "several", abstain=0.6) == ("edge-ring",)
    assert decide(scores, "several", abstain=0.8) == ()


def test_auto_names_several_only_where_that_is_all_but_certain():
    least = constants().several_from
    scores = scores_of(least - 0.01, center=0.9, edge_ring=0.95)
    assert decide(scores, "auto") == decide(scores, "one")
    assert decide(replace(scores, several=least), "auto") == ("center", "edge-ring")


def test_what_covers_the_wafer_is_named_alone_and_nothing_is_none():
    assert decide(scores_of(near_full=0.99, loc=0.9), "several") == ("near-full",)
    assert decide(scores_of(random=0.8, loc=0.95), "several") == ("loc",)
    assert decide(scores_of(none=0.9), "several") == ("none",)


def test_several_is_the_chance_of_two_or_more():
    fitted = Constants(1.0, (0.0,) * 9, (0.0,) * 9, 1.0, (0.5,) * 8, 0.5)
    raw = np.zeros((1, 17))
    raw[0, 9:] = [0, 0, *[-60] * 6]
    assert scored(raw, fitted)[0].several == pytest.approx(0.25)


def test_each_turn_is_another_picture_of_the_same_map():
    flat = planes(wafer(40, lambda at: (at.x > 0.3) & (at.y > at.x)))[None]
    found = turns(flat)
    assert np.array_equal(found[0], flat)
    assert len({one.tobytes() for one in found}) == len(found)
    assert {int(one.sum()) for one in found} == {int(flat.sum())}


# What is learnt from, and what is fitted


def test_what_is_kept_aside_is_never_learnt_from():
    rows = np.arange(4000)
    nothing = np.zeros(4000, np.int64)
    maps = Maps(
        np.zeros((4000, 3, SIDE, SIDE), np.uint8),
        nothing,
        np.zeros((4000, 8), np.float32),
        nothing,
        rows,
        rows % 5,
    )
    learnt, aside = to_learn(maps), kept_aside(maps)
    assert not set(learnt.row) & set(aside.row)
    assert not (learnt.part == 4).any()
    assert not (aside.part == 4).any()
    assert not set(learnt.row // 200) & set(aside.row // 200), "whole blocks of lots are kept aside"
    blocked = to_learn(maps, "blocked")
    assert not set(blocked.row // 200) & set(maps.row[is_blocked_test(maps)] // 200)
    assert not is_tuning(blocked).any()


def test_generated_maps_have_a_class_only_where_no_other_name_would_do(drawn):
    again = generated(3, 60)
    assert np.array_equal(drawn.planes, again.planes)
    assert np.array_equal(drawn.members, again.members)
    one = drawn.label >= 0
    assert 20 < one.sum() < 60
    assert (drawn.members[one] >= 0).all()
    named = drawn.label[one]
    assert (drawn.members[one].sum(1) == (named < 8)).all()


def test_constants_are_found_again():
    rng = np.random.default_rng(5)
    label = np.repeat(np.arange(9), [60, 60, 60, 60, 60, 60, 60, 60, 600])
    raw = np.zeros((len(label), 17))
    raw[:, :9] = 4 * rng.normal(size=(len(label), 9))  # twice too sure of themselves
    odds = np.exp(raw[:, :9] / 2)
    label = np.array([rng.choice(9, p=o / o.sum()) for o in odds])
    members = (label[:, None] == np.arange(8)).astype(np.float32)
    raw[:, 9:] = np.where(members > 0, 4.0, -4.0)
    count = len(label)
    nothing = np.zeros(count, np.int64)
    maps = Maps(
        np.zeros((count, 3, SIDE, SIDE), np.uint8), label, members, nothing, nothing, nothing
    )
    seen = Given(maps, raw)
    fitted = fit(seen, seen, seen)
    assert fitted.temperature == pytest.approx(2, rel=0.25)
    assert fitted.several_from >= 0.5
    shares = np.stack([s.probabilities for s in scored(raw, fitted)])
    assert expected_error(shares.max(1), shares.argmax(1) == label) < 0.05


def test_calibration_error_and_f1_of_worked_examples():
    sure = np.array([0.8] * 10)
    assert expected_error(sure, np.arange(10) < 8) == pytest.approx(0)
    assert expected_error(sure, np.arange(10) < 3) == pytest.approx(0.5)
    found = f1_scores(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 1]), 4)
    assert found.tolist() == pytest.approx([2 / 3, 0.5, 0, 0])


# How it is trained


def test_batches_repeat_and_are_of_all_sources(drawn):
    source = stream(1, _many(drawn), drawn, drawn)
    first, again, other = (batch(source, k) for k in (4, 4, 5))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])
    x, label, members = first
    assert x.min() >= 0
    assert x.max() <= 1
    assert len(x) == len(label) == len(members) == 176


def _many(maps):
    """Maps of one size with every class, as many as mixtures need."""
    label = np.arange(400) % 9
    members = (label[:, None] == np.arange(8)).astype(np.float32)
    flat = maps.planes[np.arange(400) % len(maps.planes)]
    nothing = np.zeros(400, np.int64)
    return Maps(flat, label, members, np.full(400, 30030), nothing, nothing)


def test_the_exported_network_computes_what_the_trained_one_does(tmp_path):
    torch = pytest.importorskip("torch", reason="torch is not installed (extra: train)")
    pytest.importorskip("onnx", reason="onnx is not installed (extra: train)")
    import onnxruntime

    torch.manual_seed(0)
    net = network().eval()
    path = tmp_path / "net.onnx"
    export(net, path)
    x = np.random.default_rng(0).integers(0, 256, (3, 3, SIDE, SIDE), dtype=np.uint8)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (found,) = session.run(["logits"], {"planes": x})
    with torch.no_grad():
        expected = net(torch.from_numpy(x).float() / 255).numpy()
    assert np.abs(found - expected).max() < 5e-3  # weights are kept as float16
    assert path.stat().st_size < 1_200_000


def test_unknown_members_teach_nothing():
    torch = pytest.importorskip("torch", reason="torch is not installed (extra: train)")
    members = torch.tensor([[1.0, -1.0, *[0.0] * 6]])
    losses = []
    for value in (-3.0, 3.0):
        given = torch.zeros(1, 17)
        given[0, 10] = value
        losses.append(float(loss(given, (None, torch.tensor([0]), members))))
    assert losses[0] == pytest.approx(losses[1])


# What is shipped


def test_the_networks_are_small_and_listed():
    listed = (WEIGHTS / "SHA256SUMS").read_text().split()
    named = dict(zip(listed[1::2], listed[::2], strict=True))
    for name in NETWORKS:
        held = (WEIGHTS / name).read_bytes()
        assert hashlib.sha256(held).hexdigest() == named[name]
        assert len(held) <= MOST_BYTES


def test_real_maps_never_learnt_from_are_named():
    if not REAL.is_file():
        pytest.skip("the WM-811K bundle is not here")
    held = np.load(REAL)
    chosen = np.flatnonzero(held["split"] == 4)[::25]
    some = grids(REAL)
    names = [str(name).lower() for name in held["classes"]]
    found = [decide(scores, "one") for scores in classify_all([some[k] for k in chosen])]
    right = [(names[held["label"][k]],) == one for k, one in zip(chosen, found, strict=True)]
    assert np.mean(right) >= 0.94


def test_members_are_the_patterns_without_none():
    assert (*MEMBERS, "none") == PATTERNS

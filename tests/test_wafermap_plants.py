"""Texts about wafer maps with planted false statements: they say what they should; are flagged."""

import sys
from pathlib import Path

import numpy as np
import pytest

from fabsight.wafermap.claims import Answer
from fabsight.wafermap.generator import draw_wafer
from fabsight.wafermap.judging import judge

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
PARTS = ("dev", "held-out")


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


@pytest.fixture(scope="module")
def maps():
    """What is true of forty maps."""
    rng = np.random.default_rng(7)
    return [draw_wafer(rng).description for _ in range(40)]


@pytest.fixture
def drawn(scripts, maps):
    """The module of texts, a generator, and forty worlds."""
    texts = scripts("_plant_texts")
    return texts, np.random.default_rng(7), [texts.world_of(one) for one in maps]


def test_halves_are_large_and_share_no_frame(scripts):
    frames = scripts("_plant_texts").frames
    dev, held_out = ({frame.text for frame in frames(part)} for part in PARTS)
    assert len(dev | held_out) >= 300
    assert min(len(dev), len(held_out)) >= 150
    assert not dev & held_out


def test_every_value_has_a_word_in_either_half(scripts):
    texts, words = scripts("_plant_texts"), scripts("_plant_words").WORDS
    for (slot, form), values in words.items():
        for value, (plain, *_) in values.items():
            assert all(texts.words(part, slot, form, value)[0] == plain for part in PARTS)


@pytest.mark.parametrize("part", PARTS)
def test_true_texts_say_only_what_is_true(drawn, part):
    texts, rng, worlds = drawn
    for _ in range(60):
        text = texts.true_text(rng, worlds, texts.frames(part))
        assert {judge(claim, text.description) for claim in text.statements} == {"supported"}
        assert text.planted is None
        assert "{" not in text.text.replace('{"', "")


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("slot", ["pattern", "zone", "quadrant", "clock", "morphology"])
def test_planted_texts_say_one_false_thing(drawn, part, slot):
    texts, rng, worlds = drawn
    for _ in range(15):
        text = texts.planted_text(rng, worlds, texts.frames(part), slot)
        verdicts = [judge(claim, text.description) for claim in text.statements]
        assert set(verdicts) <= {"supported", "contradicted"}
        assert verdicts.count("contradicted") == 1
        assert text.planted == text.statements[verdicts.index("contradicted")]
        assert text.planted.slot == slot


def test_a_frame_means_what_its_signs_say(drawn):
    texts, rng, worlds = drawn
    frame = texts.Frame("contrast", "While {zone-} is fine, {zone+} is hit.", None, "dev")
    found = [said for world in worlds if (said := texts.said(rng, frame, world, "zone"))]
    assert found
    for said in found:
        assert [(c.slot, c.holds) for c in said.claims] == [("zone", False), ("zone", True)]
        assert said.planted in said.claims


def test_equal_seeds_give_equal_texts(scripts):
    script = scripts("wafermap_plants")
    first, again = (script.measure("dev", 5)["plants"] for _ in range(2))
    assert [p["text"].text for p in first] == [p["text"].text for p in again]


def test_a_reader_that_reads_nothing_flags_nothing(scripts, monkeypatch):
    script = scripts("wafermap_plants")
    monkeypatch.setattr(script, "read", lambda _: Answer(()))
    found = script.summary("dev", script.measure("dev", 10))["all"]
    assert found["flagged"] == found["false_flags"] == found["true_statements_read"] == 0


def test_plants_are_flagged_and_true_texts_are_not(scripts):
    script = scripts("wafermap_plants")
    found = script.summary("dev", script.measure("dev", 60))["all"]
    assert found["flagged"] >= 0.85
    assert found["false_flags"] <= 0.08

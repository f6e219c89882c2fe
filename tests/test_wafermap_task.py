"""The wafer-map task as a person uses it: files in, claims, pictures, tables, files out."""

import json
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from tests.command_line import ended

from fabsight.settings import to_json
from fabsight.task import AnswerError, FabsightError, Image, Question
from fabsight.wafermap import TASK, parse
from fabsight.wafermap.claims import PATTERNS, Claim
from fabsight.wafermap.exports import claims_table, dies_table, wafer_table
from fabsight.wafermap.formats import write_csv, write_klarf12
from fabsight.wafermap.generator import draw_pattern
from fabsight.wafermap.overlay import place_of
from fabsight.wafermap.seeing import named_patterns, seen
from fabsight.wafermap.settings import WaferSettings


def drawn(seed, *patterns, size=(38, 36)):
    return draw_pattern(np.random.default_rng(seed), patterns, size)


def asked(grid, text, **settings):
    return Question((Image(grid),), text, WaferSettings(**settings), "a.klarf")


def claims(question):
    return parse(TASK.solve(question), question).claims


@pytest.fixture
def run(capsys):
    """Run a command line on the real tasks: (exit code, stdout, stderr)."""
    return lambda *arguments: ended(capsys, arguments)


RING = drawn(3, "edge-ring").wafer.grid
DONUT = drawn(2, "donut").wafer.grid


def test_a_ring_is_described():
    said = {(c.slot, c.value) for c in claims(asked(RING, "Describe this wafer map."))}
    assert {("pattern", "edge-ring"), ("zone", "edge"), ("morphology", "ring")} <= said


@pytest.mark.parametrize(
    ("text", "lead"),
    [
        ("Is it an edge ring?", "Yes"),
        ("Is it a scratch?", "No"),
        ("Which type is it? A) Donut B) Edge-Ring C) Scratch", "B"),
    ],
)
def test_short_answers_come_first(text, lead):
    question = asked(RING, text)
    assert TASK.solve(question).startswith(f"{lead}.")
    assert parse(lead, question).claims


def test_counts_are_exact():
    (claim,) = claims(asked(RING, "How many dies fail?"))
    assert claim == Claim("fails", float((RING == 2).sum()))


def test_what_the_map_contradicts_is_withdrawn():
    question = asked(RING, "Where are the failing dies?")
    said = parse("The failing dies lie in the centre zone and in the edge zone.", question)
    before = TASK.verify(question, said)
    refined = TASK.refine(question, said)
    assert refined.withdrawn == (Claim("zone", "centre"),)
    assert "Withdrawn, because the map contradicts it" in TASK.write(refined)
    assert "centre" in before.evidence["the map contradicts"]
    assert TASK.verify(question, refined).score > before.score
    assert parse(TASK.write(refined), question) == refined


def test_silence_covers_nothing():
    question = asked(RING, "Where are the failing dies, and which type is it?")
    little = parse("The yield is 10 %.", question)
    assert TASK.verify(question, little).score < 0.2
    with pytest.raises(AnswerError, match="no claim"):
        parse("I cannot tell.", question)


def test_abstaining_names_probabilities_instead():
    question = asked(RING, "Which defect type is it?", abstain=1.0)
    said = claims(question)
    assert {claim.slot for claim in said} == {"probability"}
    assert "No defect type is likely enough" in TASK.solve(question)


def test_a_golden_map_is_compared_with():
    golden = RING.copy()
    golden[RING == 2] = 1
    question = Question(
        (Image(RING),),
        "How does it compare with the golden map?",
        WaferSettings(),
        golden=Image(golden),
    )
    assert Claim("new_fails", float((RING == 2).sum())) in claims(question)
    other = Question((Image(RING),), "compare", WaferSettings(), golden=Image(golden[1:]))
    with pytest.raises(FabsightError, match="same product"):
        TASK.solve(other)


def test_maps_that_are_none_are_refused():
    with pytest.raises(FabsightError, match="a die is 0"):
        TASK.solve(asked(np.full((9, 9), 7, np.uint8), "What is it?"))
    with pytest.raises(FabsightError, match="no map"):
        TASK.solve(Question((), "What is it?", WaferSettings()))


@pytest.mark.parametrize(
    "grid",
    [
        np.zeros((5, 5), np.uint8),
        np.full((1, 1), 2, np.uint8),
        np.full((40, 3), 2, np.uint8),
        np.ones((7, 7), np.uint8),
    ],
)
def test_degenerate_maps_are_answered(grid):
    question = asked(grid, TASK.prompt)
    answer = parse(TASK.solve(question), question)
    assert 0 <= TASK.verify(question, answer).score <= 1
    assert TASK.draw(question, answer).shape[2] == 3


def test_exports_and_tables(tmp_path):
    question = asked(DONUT, TASK.prompt)
    answer = parse(TASK.solve(question), question)
    TASK.exports["svg"](question, answer, tmp_path / "a.svg")
    drawing = ElementTree.parse(tmp_path / "a.svg").getroot()
    cells = sum(e.get("d", "").count("M") for e in drawing if "fail" in (e.get("class") or ""))
    assert cells == (DONUT == 2).sum()
    assert len(dies_table(question, answer)) == (DONUT == 2).sum()
    (row,) = wafer_table(question, answer)
    assert row["dies"] == (DONUT > 0).sum()
    verdicts = {row["verdict"] for row in claims_table(question, answer)}
    assert verdicts <= {"supported", "contradicted", "not checkable"}
    json.dumps(to_json(claims_table(question, answer)))


def test_places_of_claims():
    grid = np.ones((20, 20), np.uint8)
    assert place_of(Claim("quadrant", "upper right"), grid)[3, 15]
    assert place_of(Claim("clock", (11.0, 1.0)), grid)[1, 10]
    assert not place_of(Claim("pattern", "donut"), grid).any()


def test_named_patterns_leave_others_possible():
    known = seen(asked(DONUT, "?"))
    choice = named_patterns(known.scores, "one", 0.0)
    assert choice.true == ("donut",)
    assert set(choice.possible) < set(PATTERNS)


def test_files_are_predicted_converted_and_indexed(run, tmp_path):
    folder = tmp_path / "lot"
    folder.mkdir()
    write_klarf12([drawn(1, "scratch").wafer], folder / "a.klarf")
    write_csv([drawn(k, "donut").wafer for k in (2, 4)], folder / "b.csv")
    code, out, _ = run("predict", folder, "--json", "-q", "Which defect type is it?")
    assert code == 0
    assert len(out.splitlines()) == 3
    code, _, error = run("convert", folder / "b.csv", "--to", "g85", "-o", tmp_path / "b.xml")
    assert code == 0, error
    code, out, _ = run("predict", tmp_path / "b.xml", "--json")
    assert [json.loads(line)["error"] for line in out.splitlines()] == ["", ""]
    assert run("index", folder)[0] == 0
    code, out, _ = run("index", folder, "--like", folder / "a.klarf", "-n", "1", "--json")
    found = json.loads(out)
    assert found["source"].endswith("a.klarf")
    assert found["similarity"] == pytest.approx(1, abs=1e-3)


def bundle(path, count=6):
    """A small bundle in the form of WM-811K."""
    wafers = [drawn(10 * k + j, name) for j in range(count) for k, name in enumerate(PATTERNS)]
    grids = [one.wafer.grid for one in wafers]
    label = np.array([k for _ in range(count) for k in range(len(PATTERNS))], np.int8)
    flat = np.concatenate([grid.ravel() for grid in grids])
    offsets = np.concatenate([[0], np.cumsum([grid.size for grid in grids])])
    np.savez(
        path,
        flat=flat,
        offsets=offsets,
        hw=np.array([g.shape for g in grids], np.int16),
        label=label,
        classes=np.array(PATTERNS),
        split=np.full(len(grids), 4, np.int8),
        splits=np.array(["train1", "train10", "train20", "train29", "val", "test"]),
    )


def test_bundles_are_evaluated_and_made_into_instruction_data(run, tmp_path):
    bundle(tmp_path / "maps.npz")
    code, out, error = run(
        "evaluate", "wafermap", tmp_path / "maps.npz", "--json", "--split", "val"
    )
    assert code == 0, error
    found = json.loads(out)
    assert found["count"] == 54
    assert found["metrics"]["macro_f1"] > found["floor"]["macro_f1"] + 0.3
    code, _, error = run("evaluate", "wafermap", tmp_path / "maps.npz", "--split", "test")
    assert code == 2
    assert "no split 'test'" in error
    code, out, error = run(
        "convert", tmp_path / "maps.npz", "--to", "dataset", "-o", tmp_path / "data"
    )
    assert code == 0, error
    assert "passed the gates" in out
    code, out, _ = run("evaluate", "wafermap", tmp_path / "data", "--json")
    assert code == 0
    assert json.loads(out)["metrics"]["rubric"] > 0.6

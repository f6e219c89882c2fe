"""Verbs that make, grade and rewrite data: synthesize, evaluate, convert, vary."""

import json
import os
from collections import Counter
from dataclasses import replace

import pytest
from tests.command_line import objects, tree
from tests.toys import TOYS

import fabsight
from fabsight import dataset
from fabsight.commands import console

EVALUATION_KEYS = {
    "task", "model", "data", "count", "unreadable", "metrics", "metrics_readable", "floor",
    "intervals", "spread", "seconds_per_example"
}  # fmt: skip


def test_synthesize_then_evaluate(fabsight_, tmp_path):
    code, out, _ = fabsight_("synthesize", "shade", "-n", 12, "--out", tmp_path / "d", "--json")
    assert code == 0
    assert objects(out)[0]["count"] == 12
    code, out, err = fabsight_("evaluate", "shade", tmp_path / "d", "--json")
    assert (code, err) == (0, "")
    (totals,) = objects(out)
    assert set(totals) >= EVALUATION_KEYS
    assert totals["metrics"]["accuracy"] == 1.0
    code, out, _ = fabsight_("evaluate", "shade", tmp_path / "d", "--out", tmp_path / "run")
    assert code == 0
    assert "accuracy" in out
    assert {"evaluation.json", "rows.jsonl", "report.html"} <= set(tree(tmp_path / "run"))


def test_synthesize_goes_on_and_refuses_another_seed(fabsight_, tmp_path):
    fabsight_("synthesize", "bar", "-n", 5, "-o", tmp_path / "whole")
    fabsight_("synthesize", "bar", "-n", 2, "-o", tmp_path / "parts")
    fabsight_("synthesize", "bar", "-n", 5, "-o", tmp_path / "parts")
    assert tree(tmp_path / "whole") == tree(tmp_path / "parts")
    code, _, err = fabsight_("synthesize", "bar", "-n", 5, "--seed", 1, "-o", tmp_path / "parts")
    assert code == console.USAGE
    assert "name another folder" in err
    code, _, err = fabsight_("synthesize", "bar", "-n", 5, "-o", tmp_path)
    assert "holds something else" in err


def test_evaluate_obeys_settings_and_split(fabsight_, tmp_path):
    fabsight_("synthesize", "bar", "-n", 6, "-o", tmp_path / "d")
    _, out, _ = fabsight_("evaluate", "bar", tmp_path / "d", "--threshold", "254", "--json")
    assert objects(out)[0]["unreadable"] == 6
    code, _, err = fabsight_("evaluate", "bar", tmp_path / "d", "--split", "test")
    assert code == console.USAGE
    assert "no split 'test'; none is named there: leave --split out" in err
    assert fabsight_("evaluate", "bar", tmp_path / "none")[0] == console.USAGE


def test_convert_reads_by_extension_or_as_text(fabsight_, tmp_path):
    (tmp_path / "a.txt").write_text("BAR 3 4")
    (tmp_path / "b.bar").write_text("BAR 3 4")
    for name in ("a.txt", "b.bar"):
        code, out, _ = fabsight_(
            "convert", tmp_path / name, "--to", "txt", "-o", tmp_path / "out", "--json"
        )
        assert code == 0
        assert objects(out)[0]["task"] == "bar"
        assert (tmp_path / "out").read_text() == "BAR 3 4\n"


@pytest.mark.parametrize(
    ("name", "content", "to", "said"),
    [
        ("a.bar", b"BAR 3 4", "gdss", "there are: txt"),
        ("a.bar", b"BAR 3 4", "tx", "did you mean txt?"),
        ("a.bar", b"nonsense", "txt", "expected 'BAR x width'"),
        ("a.bar", b"\xff\xfe\x00", "txt", "not UTF-8"),
        (None, b"", "txt", "no such file"),
    ],
)
def test_convert_refuses_with_the_reason(fabsight_, tmp_path, name, content, to, said):
    if name:
        (tmp_path / name).write_bytes(content)
    code, _, err = fabsight_(
        "convert", tmp_path / (name or "none"), "--to", to, "-o", tmp_path / "out"
    )
    assert code == console.USAGE
    assert said in err
    assert not (tmp_path / "out").exists()


@pytest.fixture
def partly_broken(fabsight_, tmp_path):
    """A dataset of eight examples, half of which cannot be read."""
    folder = tmp_path / "d"
    fabsight_("synthesize", "bar", "-n", 8, "-o", folder)
    lines = (folder / "examples.jsonl").read_text().splitlines()
    lines[1] = "nonsense"
    lines[3] = lines[3].replace("BAR", "BAT")
    lines[6] = json.dumps({**json.loads(lines[6]), "images": ["../../etc/passwd"]})
    (folder / "examples.jsonl").write_text("\n".join(lines))
    (folder / "000005.png").unlink()
    return folder


def test_pictures_of_an_earlier_evaluation_are_removed(fabsight_, tmp_path):
    data, out = tmp_path / "d", tmp_path / "run"
    fabsight_("synthesize", "bar", "-n", 3, "--out", data)
    assert fabsight_("evaluate", "bar", data, "--out", out)[0] == 0
    stale = [out / "worst" / name for name in ("000017-input.png", "000017-overlay.png")]
    kept = out / "worst" / "of mine.png"
    for path in (*stale, kept):
        path.write_bytes(b"")
    assert fabsight_("evaluate", "bar", data, "--out", out)[0] == 0
    assert kept.exists()
    assert not any(path.exists() for path in stale)
    rows = objects((out / "rows.jsonl").read_text())
    shown = {out / name for row in rows for name in row.get("files", {}).values()}
    assert shown
    assert set(kept.parent.iterdir()) == {*shown, kept}


def test_evaluate_grades_what_can_be_read_and_names_the_rest(fabsight_, partly_broken, tmp_path):
    arguments = ("evaluate", "bar", partly_broken, "--out", tmp_path / "run", "--json")
    code, out, err = fabsight_(*arguments)
    assert code == console.SOME_FAILED
    (totals,) = objects(out)
    assert (totals["count"], totals["broken"]["count"]) == (8, 4)
    assert totals["metrics"]["iou"] == pytest.approx(totals["metrics_readable"]["iou"] / 2)
    lines = [row["path"].rpartition(":")[2] for row in totals["broken"]["lines"]]
    assert lines == ["2", "4", "5", "7"]
    assert all(row["error"] in err for row in totals["broken"]["lines"])
    assert "4 of 8 examples cannot be read and count as failures" in err
    rows = objects((tmp_path / "run" / "rows.jsonl").read_text())
    assert [row["broken"] for row in rows] == [0, 1, 0, 1, 1, 0, 1, 0]
    assert all((tmp_path / "run" / f).is_file() for r in rows for f in r.get("files", {}).values())
    code, out, _ = fabsight_("evaluate", "bar", partly_broken)
    assert code == console.SOME_FAILED
    assert "8 examples, 4 broken, 0 unreadable" in out


def test_evaluate_of_nothing_readable_is_an_error(fabsight_, partly_broken):
    for picture in partly_broken.glob("*.png"):
        picture.unlink()
    code, out, err = fabsight_("evaluate", "bar", partly_broken, "--json")
    assert (code, out) == (console.USAGE, "")
    assert "none of the 8 examples" in err


def test_evaluate_names_the_splits_there_are(fabsight_, partly_broken):
    lines = (partly_broken / "examples.jsonl").read_text().splitlines()
    named = {0: "val", 2: "train", 4: "train"}
    for index, split in named.items():
        lines[index] = json.dumps({**json.loads(lines[index]), "split": split})
    (partly_broken / "examples.jsonl").write_text("\n".join(lines))
    code, _, err = fabsight_("evaluate", "bar", partly_broken, "--split", "test")
    assert code == console.USAGE
    assert "has no split 'test'; there are: train (2), val (1)" in err


def test_evaluate_and_predict_leave_each_others_folders_alone(fabsight_, bars, tmp_path):
    fabsight_("synthesize", "bar", "-n", 2, "-o", tmp_path / "d")
    fabsight_("predict", bars, "-t", "bar", "-o", tmp_path / "p")
    fabsight_("evaluate", "bar", tmp_path / "d", "-o", tmp_path / "e")
    before = tree(tmp_path / "p"), tree(tmp_path / "e")
    code, _, err = fabsight_("evaluate", "bar", tmp_path / "d", "-o", tmp_path / "p")
    assert (code, "holds the answers of a predict run" in err) == (console.USAGE, True)
    code, _, err = fabsight_("predict", bars, "-t", "bar", "-o", tmp_path / "e")
    assert (code, "of another making" in err) == (console.USAGE, True)
    code, _, err = fabsight_("evaluate", "bar", tmp_path / "d", "-o", tmp_path)
    assert (code, "of another making" in err) == (console.USAGE, True)
    assert before == (tree(tmp_path / "p"), tree(tmp_path / "e"))
    assert fabsight_("evaluate", "bar", tmp_path / "d", "-o", tmp_path / "e")[0] == 0


@pytest.fixture
def layouts(fabsight_, monkeypatch, tmp_path):
    """The command line with a layout task (no solver needed), and a program."""
    from fabsight.netdsl import exports, language, parse
    from fabsight.netdsl.settings import LayoutSettings
    from fabsight.netdsl.variants import variants

    task = replace(TOYS["bar"], name="netdsl", parse=parse, write=language.write)
    task = replace(task, context=LayoutSettings, imports=exports.IMPORTS, exports=exports.EXPORTS)
    task = replace(task, vary=variants)
    monkeypatch.setattr(fabsight, "TASKS", {"netdsl": task}, raising=False)
    wires = "".join(f"WIRE 0 {y} 8 0 0 0 0 H 64\n" for y in (12, 32, 52))
    (tmp_path / "three.txt").write_text(f"CANVAS 64 64\n{wires}")
    return fabsight_


def test_vary_writes_defects_with_exact_labels_and_goes_on(layouts, tmp_path):
    program = tmp_path / "three.txt"
    edits = ("-k", "cut", "-k", "bridge", "--look", "clean")
    code, _, _ = layouts("vary", program, "-n", 2, *edits, "-o", tmp_path / "v")
    assert code == 0
    _, out, _ = layouts("vary", program, "-n", 5, *edits, "-o", tmp_path / "v", "--json")
    assert (objects(out)[0]["count"], objects(out)[0]["new"]) == (5, 3)
    layouts("vary", program, "-n", 5, *edits, "-o", tmp_path / "whole")
    assert tree(tmp_path / "v") == tree(tmp_path / "whole")
    examples = objects((tmp_path / "v" / "examples.jsonl").read_text())
    assert {e["kind"] for e in examples} <= {"cut", "bridge"}
    assert all(e["metadata"]["edits"][0]["box_px"] and e["golden"] for e in examples)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("-k", "cutt"), "choose from widen"), (("--look", "nice"), "choose from clean")],
)
def test_vary_refuses_before_it_writes(layouts, tmp_path, arguments, said):
    code, _, err = layouts("vary", tmp_path / "three.txt", *arguments, "-o", tmp_path / "v")
    assert code == console.USAGE
    assert said in err
    assert not (tmp_path / "v").exists()


def test_a_converted_layout_carries_the_pixel_size_said(layouts, tmp_path):
    for nm in (2, 5):
        arguments = ("--to", "gds", "-o", tmp_path / f"{nm}.gds", "--nm-per-px", nm)
        assert layouts("convert", tmp_path / "three.txt", *arguments)[0] == 0
    gds = (tmp_path / "2.gds").read_bytes()
    assert gds != (tmp_path / "5.gds").read_bytes()
    assert layouts("convert", tmp_path / "2.gds", "--to", "txt", "-o", tmp_path / "back")[0] == 0
    assert (tmp_path / "back").read_text() == (tmp_path / "three.txt").read_text()


def kinds_of(folder):
    return Counter(e["kind"] for e in objects((folder / "examples.jsonl").read_text()))


def test_every_kind_of_edit_that_has_a_place_comes_equally_often(layouts, tmp_path):
    code, out, _ = layouts("vary", tmp_path / "three.txt", "-n", 36, "--look", "clean", "-o",
                           tmp_path / "v", "--json")  # fmt: skip
    assert code == 0
    assert objects(out)[0]["warnings"] == ["no place found in this layout for: missing_via"]
    assert len(kinds_of(tmp_path / "v")) == 9
    assert set(kinds_of(tmp_path / "v").values()) == {4}


def test_a_kind_without_a_place_is_said_and_none_at_all_refused(layouts, tmp_path):
    program, edits = tmp_path / "three.txt", ("-k", "missing_via", "-k", "cut", "--look", "clean")
    _, out, _ = layouts("vary", program, "-n", 3, *edits, "-o", tmp_path / "v")
    assert "no place found in this layout for: missing_via" in out
    assert kinds_of(tmp_path / "v") == {"cut": 3}
    code, _, err = layouts("vary", program, *edits[:2], "-o", tmp_path / "w")
    assert code == console.USAGE
    assert "none of missing_via fits this program of 3 shapes" in err
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize("source", ["three.txt", "a.gds", "a.oas", "a.svg"])
def test_variants_carry_the_scale_of_the_layout(layouts, tmp_path, source):
    said = ("--nm-per-px", 2.5)
    given = said if source == "three.txt" else ()
    if not given:
        layouts(
            "convert", tmp_path / "three.txt", "--to", source[2:], "-o", tmp_path / source, *said
        )
    command = ("vary", tmp_path / source, "-n", 1, "--look", "clean", *given)
    _, out, _ = layouts(*command, "-o", tmp_path / "v", "--json")
    assert objects(out)[0]["scale"]["nm_per_px"] == 2.5
    (example,) = dataset.read(tmp_path / "v", fabsight.TASKS["netdsl"])
    assert example.question.images[0].nm_per_px == example.question.golden.nm_per_px == 2.5
    assert example.group == source


def test_vary_is_a_verb_of_any_task_that_offers_it(fabsight_, tmp_path):
    (tmp_path / "a.txt").write_text("BAR 3 4")
    (tmp_path / "b.txt").write_text("dark")
    _, out, _ = fabsight_("vary", tmp_path / "a.txt", "-n", 2, "-o", tmp_path / "v")
    assert f"{tmp_path}/v: 2 variants; scale 2 nm per px (toy)" in out
    assert "no place for narrower" in out
    assert kinds_of(tmp_path / "v") == {"wider 0": 2}
    code, _, err = fabsight_("vary", tmp_path / "b.txt", "-t", "shade", "-o", tmp_path / "w")
    assert code == console.USAGE
    assert "shade has no variants; choose bar" in err
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize("verb", ["vary", "synthesize"])
def test_a_folder_that_holds_enough_is_left_as_it_is_and_that_is_said(fabsight_, tmp_path, verb):
    (tmp_path / "a.txt").write_text("BAR 3 4")
    what = tmp_path / "a.txt" if verb == "vary" else "bar"
    command = (verb, what, "-o", tmp_path / "d", "-n")
    fabsight_(*command, 4)
    before = tree(tmp_path / "d")
    for asked, said in ((4, "kept; nothing"), (2, "kept, more than the 2 asked for; nothing")):
        code, out, _ = fabsight_(*command, asked)
        assert code == 0
        assert f"/d: 4 {'variants' if verb == 'vary' else 'examples'} from before are {said}" in out
        _, out, _ = fabsight_(*command, asked, "--json")
        row = objects(out)[0]
        assert [row[key] for key in ("count", "new", "kept", "asked")] == [4, 0, 4, asked]
    assert tree(tmp_path / "d") == before


def test_what_differs_from_the_folder_is_named(layouts, tmp_path):
    command = ("vary", tmp_path / "three.txt", "-n", 1, "--look", "clean", "-o", tmp_path / "v")
    layouts(*command)
    code, _, err = layouts(*command, "--seed", 3, "--nm-per-px", 2)
    assert code == console.USAGE
    assert "nm_per_px was null, now 2.0" in err
    assert "seed was 0, now 3" in err
    assert "look" not in err
    (tmp_path / "v" / "made-from.json").write_text("[")
    assert "made-from.json is damaged" in layouts(*command)[2]


def test_a_layout_as_a_dataset_folder_is_refused(layouts, tmp_path):
    for place in (tmp_path / "three.txt", "/dev/null"):
        code, _, err = layouts("vary", tmp_path / "three.txt", "-o", place)
        assert code == console.USAGE
        assert "holds something else; name another folder" in err


def test_names_that_are_no_text_do_not_matter(layouts, tmp_path):
    odd = tmp_path / os.fsdecode(b"\xff.txt")
    odd.write_bytes((tmp_path / "three.txt").read_bytes())
    code, _, err = layouts("vary", odd, "-n", 1, "--look", "clean", "-o", tmp_path / "v")
    assert (code, err) == (0, "")
    assert len(list(dataset.read(tmp_path / "v", fabsight.TASKS["netdsl"]))) == 1
    gds = tmp_path / os.fsdecode(b"\xfe.gds")
    assert layouts("convert", odd, "--to", "gds", "-o", gds)[0] == 0
    assert layouts("convert", gds, "--to", "svg", "-o", tmp_path / "a.svg")[0] == 0

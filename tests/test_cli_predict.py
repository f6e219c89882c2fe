"""predict, and report on what it wrote."""

import errno
import os
import shutil
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from tests.command_line import objects, tree
from tests.toys import TOYS, write_bars

import fabsight
from fabsight.commands import console
from fabsight.images import save_png
from fabsight.task import FabsightError

PREDICTION_KEYS = {
    "path", "task", "model", "text", "answer", "check", "scale", "seconds", "error", "warnings"
}  # fmt: skip


@pytest.fixture
def spoiled(bars):
    (bars / "bar_001.npy").write_bytes(b"not an array")
    return bars


def test_predict_prints_one_json_object_per_input_and_nothing_else(fabsight_, bars):
    code, out, err = fabsight_("predict", bars, "--task", "bar", "--json")
    assert (code, err) == (0, "")
    rows = objects(out)
    assert [set(row) for row in rows] == [PREDICTION_KEYS] * 3
    assert all(row["task"] == "bar" and row["check"]["score"] > 0.9 for row in rows)


def test_predict_shows_one_answer_in_full_and_several_as_a_table(fabsight_, bars):
    code, out, _ = fabsight_("predict", bars / "bar_000.npy", "-t", "bar")
    assert code == 0
    assert out.startswith("BAR ")
    assert "check" in out
    assert "note: a toy" in out
    _, out, _ = fabsight_("predict", bars, "-t", "bar")
    assert [line.split()[0] for line in out.splitlines() if "bar_" in line] == [
        "bar_000.npy", "bar_001.npy", "bar_002.npy"
    ]  # fmt: skip


def test_predict_guesses_the_task(fabsight_, bars):
    _, out, _ = fabsight_("predict", bars, "--json")
    assert {row["task"] for row in objects(out)} == {"bar"}


def test_one_bad_input_is_an_error_row_and_exit_code_1(fabsight_, spoiled):
    code, out, err = fabsight_("predict", spoiled, "-t", "bar", "--json")
    assert code == console.SOME_FAILED
    assert [bool(row["error"]) for row in objects(out)] == [False, True, False]
    assert err.count("\n") == 1
    assert "1 of 3 inputs have no answer" in err
    assert "give a .npy file" in err


def test_predict_into_a_folder_writes_files_and_a_report(fabsight_, spoiled, tmp_path):
    code, out, _ = fabsight_("predict", spoiled, "-t", "bar", "--out", tmp_path / "run")
    assert code == console.SOME_FAILED
    assert out.splitlines()[-1] == str(tmp_path / "run" / "report.html")
    files = set(tree(tmp_path / "run"))
    assert {"results.jsonl", "report.html", "report.csv"} <= files
    answers = {"input.png", "overlay.png", "answer.txt"}
    assert {f"answers/bar_000.npy/{name}" for name in answers} <= files
    rows = objects((tmp_path / "run" / "results.jsonl").read_text())
    assert all((tmp_path / "run" / f).is_file() for r in rows for f in r.get("files", {}).values())


def test_files_of_one_name_are_told_apart(fabsight_, bars, tmp_path, monkeypatch):
    task = replace(TOYS["bar"], tables={"widths": lambda _, bar: [{"width_px": bar.width + 0.5}]})
    monkeypatch.setattr(fabsight, "TASKS", {"bar": task})
    shutil.copytree(bars, tmp_path / "more")
    run = tmp_path / os.fsdecode(b"run\xff")
    assert fabsight_("predict", bars, tmp_path / "more", "-t", "bar", "--out", run)[0] == 0
    lines = (run / "tables" / "bar_widths.csv").read_text().splitlines()[1:]
    names = [f"{folder}/bar_00{n}.npy" for folder in ("bars", "more") for n in range(3)]
    assert [line.split(",")[0] for line in lines] == names
    code, _, _ = fabsight_("report", run, "--out", tmp_path / "page.html")
    assert code == 0
    page = (tmp_path / "page.html").read_text()
    assert all(page.count(f">{name}</a>") >= 2 for name in names)  # its row and its measurements
    assert 'href="./run%FF/tables/bar_widths.csv"' in page


def test_the_same_command_again_goes_on_and_another_is_refused(fabsight_, bars, tmp_path):
    again = ("predict", bars, "-t", "bar", "--out", tmp_path / "run")
    assert fabsight_(*again)[0] == 0
    before = tree(tmp_path / "run")
    code, out, _ = fabsight_(*again)
    assert code == 0
    assert "3 of 3 inputs were done before" in out
    assert tree(tmp_path / "run") == before
    code, _, err = fabsight_(*again, "--threshold", "90")
    assert code == console.USAGE
    assert "another run" in err


def test_a_run_is_not_gone_on_with_under_other_weights(fabsight_, bars, tmp_path, monkeypatch):
    from fabsight import models

    again = ("predict", bars, "-t", "bar", "--out", tmp_path / "run")
    monkeypatch.setattr(models, "identity", lambda *_: {"bar.onnx": "a" * 64})
    assert fabsight_(*again)[0] == 0
    monkeypatch.setattr(models, "identity", lambda *_: {"bar.onnx": "b" * 64})
    code, _, err = fabsight_(*again)
    assert code == console.USAGE
    assert f'weights.bar.onnx was "{"a" * 64}", now "{"b" * 64}"' in err


@pytest.mark.parametrize("form", ["--json", "--quiet", "table", "--out"])
def test_names_that_are_no_utf_8_are_printed_as_escapes(fabsight_, bars, tmp_path, form):
    odd = bars / os.fsdecode(b"\xff\n.npy")
    (bars / "bar_000.npy").rename(odd)
    options = {"table": [], "--out": ["--out", tmp_path / os.fsdecode(b"run\xfe"), "--json"]}
    code, out, _ = fabsight_("predict", bars, "-t", "bar", *options.get(form, [form]))
    assert code == 0
    out.encode()
    if form in ("--json", "--out"):
        assert "\\udcff" in out
        assert str(odd) in [row["path"] for row in objects(out)]


def test_json_is_ascii_where_stdout_is():
    assert console.json_line({"a": "µm"}, "ascii") == '{"a": "\\u00b5m"}'


def test_options_that_a_task_does_not_use_are_named(fabsight_, bars, monkeypatch, tmp_path):
    image = tmp_path / "good.png"
    save_png(image, np.zeros((8, 8), np.uint8))
    asked = ("predict", bars, "-t", "bar", "--question", "why?", "--golden", image)
    code, out, err = fabsight_(*asked, "--json")
    assert (code, len(objects(out))) == (0, 3)
    assert err == (
        "fabsight: note: bar does not use --question or --golden; the answers are the same\n"
    )
    assert fabsight_(*asked, "--quiet")[2] == ""
    task = replace(TOYS["bar"], uses=frozenset({"text"}))
    monkeypatch.setattr(fabsight, "TASKS", {"bar": task})
    assert "does not use --golden;" in fabsight_(*asked)[2]


def test_json_with_a_folder_still_prints_only_json(fabsight_, bars, tmp_path):
    code, out, _ = fabsight_("predict", bars, "-t", "bar", "--out", tmp_path / "run", "--json")
    assert code == 0
    assert [set(row) for row in objects(out)] == [PREDICTION_KEYS | {"files"}] * 3


def test_a_file_of_many_has_files_for_each(fabsight_, tmp_path):
    import numpy as np

    with (tmp_path / "two.stack").open("wb") as file:
        np.save(file, np.array([np.full((8, 8), 40), np.full((8, 8), 210)], np.uint8))
    code, _, _ = fabsight_("predict", tmp_path / "two.stack", "--out", tmp_path / "run")
    assert code == 0
    rows = objects((tmp_path / "run" / "results.jsonl").read_text())
    assert [row["text"] for row in rows] == ["dark", "light"]
    assert len({row["files"]["overlay"] for row in rows}) == 2


def test_equal_names_in_different_folders_do_not_overwrite_each_other(fabsight_, tmp_path):
    write_bars(tmp_path / "a", 1, seed=1)
    write_bars(tmp_path / "b", 1, seed=2)
    fabsight_("predict", tmp_path / "a", tmp_path / "b", "-t", "bar", "--out", tmp_path / "run")
    folders = sorted(p.name for p in (tmp_path / "run" / "answers").iterdir())
    assert folders == ["bar_000.npy", "bar_000.npy-2"]


def test_tables_are_pooled_and_a_refused_export_is_a_warning(
    fabsight_, bars, tmp_path, monkeypatch
):
    def refuse(_question, bar, _path):
        raise FabsightError(f"toy: {bar.x} is too far left")

    def widths(_question, bar):
        return [{"bar": 0, "width_px": bar.width + 0.5}, {"bar": "=1+1", "width_px": None}]

    task = replace(TOYS["bar"], exports={"wide": refuse}, tables={"widths": widths})
    monkeypatch.setattr(fabsight, "TASKS", {"bar": task})
    code, _, _ = fabsight_("predict", bars, "-t", "bar", "--out", tmp_path / "run")
    assert code == 0
    (first, *_) = objects((tmp_path / "run" / "results.jsonl").read_text())
    assert "wide" not in first["files"]
    assert first["files"]["txt"] == "answers/bar_000.npy/answer.txt"
    assert "no wide was written: toy: " in first["warnings"][-1]
    table = (tmp_path / "run" / "tables" / "bar_widths.csv").read_text().splitlines()
    assert table[0] == "input,bar,width_px"
    assert len(table) == 1 + 2 * 3
    assert table[2] == "bar_000.npy,'=1+1,"
    assert "bar widths" in (tmp_path / "run" / "report.html").read_text()


def test_report_again_gives_the_same_page(fabsight_, bars, tmp_path):
    fabsight_("predict", bars, "-t", "bar", "--out", tmp_path / "run")
    page = (tmp_path / "run" / "report.html").read_bytes()
    code, out, _ = fabsight_("report", tmp_path / "run", "--json")
    assert code == 0
    assert objects(out) == [{"report": f"{tmp_path}/run/report.html"}]
    assert (tmp_path / "run" / "report.html").read_bytes() == page
    code, out, _ = fabsight_("report", tmp_path / "run", "--out", tmp_path / "lot 7.html")
    assert (code, out.strip()) == (0, f"{tmp_path}/lot 7.html")
    assert (tmp_path / "lot 7.csv").is_file()
    code, _, err = fabsight_("report", bars)
    assert code == console.USAGE
    assert "give a folder" in err


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EIO])
@pytest.mark.parametrize("workers", [1, 2])
def test_an_export_that_the_machine_refuses_ends_the_run(
    fabsight_, bars, tmp_path, monkeypatch, code, workers
):
    task = replace(TOYS["bar"], exports={"txt": partial(refused_by_the_machine, code)})
    monkeypatch.setattr(fabsight, "TASKS", {"bar": task}, raising=False)
    command = ("predict", bars, "-t", "bar", "--out", tmp_path / "run", "-j", workers)
    ended, out, err = fabsight_(*command)
    assert (ended, out) == (console.ENVIRONMENT, "")
    assert os.strerror(code) in err
    assert "run the same command again" in err
    assert not (tmp_path / "run" / "results.jsonl").exists()
    monkeypatch.setattr(fabsight, "TASKS", TOYS, raising=False)
    assert fabsight_(*command)[0] == 0


def refused_by_the_machine(code, _question, _bar, path):
    error = OSError(code, os.strerror(code))
    raise FabsightError(f"write {path}: {error.strerror}; make room") from error

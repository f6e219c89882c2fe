import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import make_dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.toys import TOYS, write_bars

import fabsight
from fabsight.cli import main
from fabsight.commands import benchmarks, console
from fabsight.commands.options import Verb, settings_as_options
from fabsight.task import FabsightError

ROOT = Path(__file__).parents[1]
PREDICTION_KEYS = {
    "path", "task", "model", "text", "answer", "check", "scale", "seconds", "error", "warnings"
}  # fmt: skip
EVALUATION_KEYS = {
    "task", "model", "data", "count", "unreadable", "metrics", "metrics_readable", "floor",
    "intervals", "spread", "seconds_per_example"
}  # fmt: skip


@pytest.fixture
def fabsight_(monkeypatch, capsys):
    """Run a command line on the toy tasks: (exit code, stdout, stderr)."""
    monkeypatch.setattr(fabsight, "TASKS", TOYS, raising=False)

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return run


@pytest.fixture
def bars(tmp_path):
    write_bars(tmp_path / "bars", 3)
    return tmp_path / "bars"


@pytest.fixture
def spoiled(bars):
    (bars / "bar_001.npy").write_bytes(b"not an array")
    return bars


def objects(text):
    return [json.loads(line) for line in text.splitlines()]


def tree(folder):
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


# ---- predict


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


# ---- settings and usage


def test_a_setting_is_an_option(fabsight_, bars):
    for said in (("--set", "threshold=254"), ("--threshold", "254"), ("--threshold=254",)):
        code, out, err = fabsight_("predict", bars, "-t", "bar", *said, "--json")
        assert code == console.SOME_FAILED
        assert "lower the threshold" in err
        assert [row["text"] for row in objects(out)] == [""] * 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--treshold", "3"), "did you mean --threshold?"),
        (("--jsno",), "did you mean --json?"),
        (("--zzzzz",), "see: fabsight predict --help"),
        (("--threshold",), "--threshold needs a value"),
        (("--set", "treshold=3"), "did you mean 'threshold'?"),
        (("--set", "threshold"), "expected key=value"),
        (("--set", "threshold=high"), "expected number"),
        (("--task", "bra"), "did you mean 'bar'?"),
        (("--model", "embeded"), "embedded"),
        (("--golden", "no-such.png"), "no-such.png"),
    ],
)
def test_wrong_usage_is_one_sentence_with_the_fix(fabsight_, bars, arguments, said):
    code, out, err = fabsight_("predict", bars, "-t", "bar", *arguments)
    assert (code, out) == (console.USAGE, "")
    assert said in err
    assert err.startswith("fabsight: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [("predict",), ("reprot", "x"), ("report", "--jsno", "x"), ("predict", "x", "-j", "0")],
)
def test_what_the_parser_refuses_ends_with_2(fabsight_, arguments):
    code, out, err = fabsight_(*arguments)
    assert (code, out) == (2, "")
    assert "Error" in err


def test_switches_and_negations_are_settings(monkeypatch):
    context = make_dataclass("Context", [("fine", bool, True), ("price", float, 1.0)], frozen=True)
    toy = replace(TOYS["bar"], context=context)
    monkeypatch.setattr(fabsight, "TASKS", {"bar": toy}, raising=False)
    verb = Verb("predict", {"--set": True, "--out": True, "-o": True, "--json": False})
    for written, wanted in [
        (["--fine", "a.png"], ["--set", "fine=true", "a.png"]),
        (["--no-fine", "a.png"], ["--set", "fine=false", "a.png"]),
        (["--fine=no"], ["--set", "fine=no"]),
        (["--price", "-3"], ["--set", "price=-3"]),
        (["--out", "--fine", "-o", "--price"], ["--out", "--fine", "-o", "--price"]),
        (["--", "--fine"], ["--", "--fine"]),
    ]:
        assert settings_as_options(verb, written) == wanted


@given(st.lists(st.sampled_from(["a.png", "--json", "--out", "-o", "x=y", "--out=x", "-", "-3"])))
def test_arguments_without_settings_are_left_alone(arguments):
    verb = Verb("predict", {"--set": True, "--out": True, "-o": True, "--json": False})
    assert settings_as_options(verb, arguments) == arguments


def test_version_and_help(fabsight_):
    assert re.fullmatch(r"fabsight \d+\.\d+\.\d+\n", fabsight_("--version")[1])
    assert "predict" in fabsight_("--help")[1]


# ---- synthesize and evaluate


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


# ---- convert, report, bench, doctor, demo


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


def test_report_again_gives_the_same_page(fabsight_, bars, tmp_path):
    fabsight_("predict", bars, "-t", "bar", "--out", tmp_path / "run")
    page = (tmp_path / "run" / "report.html").read_bytes()
    code, out, _ = fabsight_("report", tmp_path / "run", "--json")
    assert code == 0
    assert objects(out) == [{"report": f"{tmp_path}/run/report.html"}]
    assert (tmp_path / "run" / "report.html").read_bytes() == page
    code, _, err = fabsight_("report", bars)
    assert code == console.USAGE
    assert "give a folder" in err


def test_bench_lists_runs_and_reports_failure(fabsight_, tmp_path, monkeypatch):
    (tmp_path / "good.py").write_text('"""Says hello."""\n')
    (tmp_path / "bad.py").write_text('"""Fails."""\nraise SystemExit(7)\n')
    monkeypatch.setattr(benchmarks, "folder", lambda: tmp_path)
    assert "Says hello." in fabsight_("bench")[1]
    code, out, _ = fabsight_("bench", "good", "--json")
    assert (code, objects(out)[0]["exit_code"]) == (0, 0)
    code, _, err = fabsight_("bench", "all")
    assert code == console.SOME_FAILED
    assert "bad: ended with exit code 7" in err
    assert "did you mean 'good'" in fabsight_("bench", "goood")[2]


def test_bench_outside_a_checkout_says_so(fabsight_, tmp_path, monkeypatch):
    monkeypatch.setattr(fabsight, "__file__", str(tmp_path / "lib" / "fabsight" / "__init__.py"))
    code, _, err = fabsight_("bench")
    assert code == console.USAGE
    assert "clone the repository" in err


def test_doctor_finds_this_machine_sound(fabsight_):
    code, out, _ = fabsight_("doctor", "--json")
    findings = objects(out)
    assert {"dependency", "extra", "machine", "package", "place"} <= {f["area"] for f in findings}
    assert code == (console.ENVIRONMENT if any(f["status"] == "problem" for f in findings) else 0)


def test_doctor_names_damaged_weights_and_missing_packages(monkeypatch, tmp_path):
    from importlib import metadata

    from fabsight import doctor

    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "torn.onnx").write_bytes(b"torn")
    monkeypatch.setattr(doctor, "files", lambda _: tmp_path)
    (found,) = doctor.weights()
    assert (found.status, found.name) == ("problem", "torn.onnx")
    wanted = ["absent-a>=1", "absent-b ; extra == 'scale'"]
    monkeypatch.setattr(metadata, "requires", lambda _: wanted)
    found = list(doctor.requirements())
    assert [(f.status, f.name) for f in found] == [("problem", "absent-a"), ("missing", "scale")]
    assert found[1].fix == "pip install 'fabsight[scale]'"


def test_demo_answers_the_samples_of_every_task(fabsight_, tmp_path, monkeypatch):
    from fabsight import demo

    write_bars(tmp_path / "package" / "samples" / "bar", 2)
    monkeypatch.setattr(demo, "files", lambda _: tmp_path / "package")
    for _ in range(2):  # a demo may write over a demo
        code, out, _ = fabsight_("demo", "--out", tmp_path / "shown")
        assert code == 0
        assert out.splitlines()[-1] == str(tmp_path / "shown" / "report.html")
    assert "bar_001.npy" in (tmp_path / "shown" / "report.html").read_text()


def test_demo_leaves_a_folder_with_something_else_alone(fabsight_, bars):
    before = tree(bars)
    code, _, err = fabsight_("demo", "--out", bars)
    assert code == console.USAGE
    assert "name another folder" in err
    assert tree(bars) == before


# ---- vary


@pytest.fixture
def layouts(fabsight_, monkeypatch, tmp_path):
    """The command line with a layout task (no solver needed), and a program."""
    from fabsight.netdsl import exports, language
    from fabsight.netdsl.settings import LayoutSettings

    def parse(text, _question):
        return language.parse(text)

    task = replace(TOYS["bar"], name="netdsl", parse=parse, write=language.write)
    task = replace(task, context=LayoutSettings, imports=exports.IMPORTS, exports=exports.EXPORTS)
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


# ---- how a process ends


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (FabsightError("a: b; do c"), console.USAGE, "a: b; do c"),
        (FileNotFoundError(2, "No such file", "x.png"), console.ENVIRONMENT, "x.png"),
        (MemoryError(), console.ENVIRONMENT, "fewer --workers"),
        (KeyboardInterrupt(), console.INTERRUPTED, "run the same command again"),
        (FabsightError("evil \x1b[2J\nname"), console.USAGE, "evil \\x1b[2J name"),
    ],
)
def test_what_a_person_can_act_on_is_one_sentence(capsys, error, code, said):
    def verb():
        raise error

    assert console.exit_code(verb) == code
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def test_what_the_machine_lacks_is_its_own_exit_code():
    def verb():
        try:
            raise ModuleNotFoundError("torch")
        except ModuleNotFoundError as missing:
            raise FabsightError("this needs torch: pip install 'fabsight[train]'") from missing

    assert console.exit_code(verb) == console.ENVIRONMENT


def test_a_fault_of_the_program_keeps_its_traceback():
    def verb():
        return 1 // 0

    with pytest.raises(ZeroDivisionError):
        console.exit_code(verb)


@pytest.mark.skipif(shutil.which("head") is None, reason="needs head")
def test_a_reader_that_goes_away_is_no_error_message():
    many = "from fabsight.commands.console import *\nimport sys\n" + (
        "def verb():\n    while True: write_line('x' * 1000)\nsys.exit(exit_code(verb))\n"
    )
    command = f'"{sys.executable}" -c "$CODE" | head -1 > {os.devnull}; exit ${{PIPESTATUS[0]}}'
    ended = subprocess.run(
        ["bash", "-c", command], env=os.environ | {"CODE": many}, capture_output=True, text=True
    )
    assert (ended.returncode, ended.stderr) == (console.BROKEN_PIPE, "")


def test_ctrl_c_says_how_to_go_on_and_the_same_command_does(fabsight_, tmp_path):
    code = (
        "import fabsight, sys; from tests.toys import TOYS; fabsight.TASKS = TOYS\n"
        "from fabsight.cli import main; main(sys.argv[1:])"
    )
    arguments = ["synthesize", "bar", "-o", str(tmp_path / "d"), "-n"]
    command = [sys.executable, "-c", code, *arguments, "100000"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as running:
        until = time.monotonic() + 30
        while not (tmp_path / "d" / "000003.png").exists() and time.monotonic() < until:
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=30)
    assert running.returncode == console.INTERRUPTED
    assert "run the same command again" in err
    assert err.count("\n") == 1
    held = len((tmp_path / "d" / "examples.jsonl").read_bytes().splitlines())
    assert fabsight_(*arguments, held + 2)[0] == 0
    fabsight_("synthesize", "bar", "-o", tmp_path / "whole", "-n", held + 2)
    assert tree(tmp_path / "d") == tree(tmp_path / "whole")


def test_python_dash_m_works():
    command = [sys.executable, "-m", "fabsight", "--version"]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.stdout.startswith("fabsight ")

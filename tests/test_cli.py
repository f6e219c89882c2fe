"""What all verbs share: settings, usage, and how a process ends."""

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
from tests.command_line import objects, tree
from tests.toys import TOYS

import fabsight
from fabsight.cli import LATER
from fabsight.commands import console
from fabsight.commands.options import Verb, settings_as_options
from fabsight.task import FabsightError

ROOT = Path(__file__).parents[1]


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


@pytest.mark.parametrize("verb", LATER)
def test_what_is_to_come_says_that_it_is_not_there_yet(fabsight_, verb):
    code, out, err = fabsight_(verb, "netdsl", "data", "--method", "sft")
    assert (code, out) == (console.USAGE, "")
    assert f"{verb} is not in this version; there are: demo, predict" in err
    assert verb in (ROOT / "docs" / "cli.md").read_text().partition("## Not in this version")[2]


def test_an_option_to_come_says_so(fabsight_, bars):
    for said in (["--engine", "ray"], ["--engine=ray"]):
        code, _, err = fabsight_("predict", bars, *said)
        assert code == console.USAGE
        assert "--engine is not in this version; see: fabsight predict --help" in err


def test_switches_and_negations_are_settings(monkeypatch):
    context = make_dataclass("Context", [("fine", bool, True), ("price", float, 1.0)], frozen=True)
    toy = replace(TOYS["bar"], context=context)
    monkeypatch.setattr(fabsight, "TASKS", {"bar": toy}, raising=False)
    verb = Verb("predict", {"--set": True, "--out": True, "-o": True, "--json": False})
    for written, wanted in [
        (["--fine", "a.png"], ["--set", "fine=true", "a.png"]),
        (["--no-fine", "a.png"], ["--set", "fine=false", "a.png"]),
        (["--fine=no"], ["--set", "fine=no"]),
        (["--fine", "false", "a.png"], ["--set", "fine=false", "a.png"]),
        (["--fine", "No"], ["--set", "fine=No"]),
        (["--fine", "0", "--json"], ["--set", "fine=0", "--json"]),
        (["--fine", "true"], ["--set", "fine=true"]),
        (["--fine", "./no"], ["--set", "fine=true", "./no"]),
        (["--fine", "--json"], ["--set", "fine=true", "--json"]),
        (["--price", "-3"], ["--set", "price=-3"]),
        (["--out", "--fine", "-o", "--price"], ["--out", "--fine", "-o", "--price"]),
        (["--", "--fine"], ["--", "--fine"]),
    ]:
        assert settings_as_options(verb, written) == wanted
    with pytest.raises(FabsightError, match="--no-fine takes no value; write --fine=false"):
        settings_as_options(verb, ["--no-fine=false"])


@given(st.lists(st.sampled_from(["a.png", "--json", "--out", "-o", "x=y", "--out=x", "-", "-3"])))
def test_arguments_without_settings_are_left_alone(arguments):
    verb = Verb("predict", {"--set": True, "--out": True, "-o": True, "--json": False})
    assert settings_as_options(verb, arguments) == arguments


def test_version_and_help(fabsight_):
    assert re.fullmatch(r"fabsight \d+\.\d+\.\d+\n", fabsight_("--version")[1])
    assert "predict" in fabsight_("--help")[1]


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
        "from fabsight.cli import LATER, main; main(sys.argv[1:])"
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

"""What people really give a command line: each fault is one sentence, an exit code, no traceback.

End to end over the real tasks, in one process; the last test starts a process of its own.
"""

import json
import os
import re
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from tests.command_line import ended

from fabsight.commands.console import ENVIRONMENT, OK, SOME_FAILED, USAGE
from fabsight.images import save_png
from fabsight.netdsl.language import Program, straight
from fabsight.netdsl.looks import Look
from fabsight.netdsl.sem import simulate

BARS = Program(64, 48, tuple(straight("H", (0.0, 10.0 + 14 * k), 64.0, 6.0) for k in range(3)))
LAYOUT = "CANVAS 64 48\nWIRE 0 10 6 0 0 0 0 H 64\nVIA 30 30 5\n"
MOST_CHARACTERS = 600


@pytest.fixture
def run(capsys):
    """Run a command line: (exit code, stdout, stderr); no traceback, no warning, ever."""

    def run_one(*arguments):
        code, out, err = ended(capsys, arguments)
        assert "Traceback" not in out + err
        assert "Warning" not in err
        return code, out, err

    return run_one


@pytest.fixture
def good(tmp_path):
    path = tmp_path / "good.png"
    save_png(path, simulate(BARS, Look(dose=20.0), np.random.default_rng(0)).pixels)
    return path


@pytest.fixture
def layout(tmp_path):
    path = tmp_path / "layout.netdsl"
    path.write_text(LAYOUT)
    return path


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, data):
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def tiff(width, height):
    """A header that promises far more than the file holds."""
    tags = [(256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 1), (262, 3, 1)]
    tags += [(273, 4, 200), (278, 4, height), (279, 4, width * height % 2**32)]
    fields = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + fields + b"\0" * 200


def bad_files(folder):
    """Name -> bytes of files that are no layout image."""
    whole = folder / "whole.png"
    save_png(whole, np.arange(64 * 64, dtype=np.uint8).reshape(64, 64) % 251)
    data = whole.read_bytes()
    whole.unlink()
    return {
        "empty.png": b"",
        "truncated.png": data[: len(data) // 2],
        "flipped.png": data[:60] + bytes([data[60] ^ 255]) + data[61:],
        "text.png": b"dear all, please find attached the image\n",
        "bomb.png": png(60_000, 60_000, zlib.compress(b"\0" * 100_000)),
        "bomb.tif": tiff(60_000, 60_000),
        "lying.tif": tiff(300, 300),
        "pdf.jpg": b"%PDF-1.7 not a picture",
        "objects.npy": b"\x93NUMPY\x01\x00F\x00"
        b"{'descr': '|O', 'fortran_order': False, 'shape': (3,), }"
        + b" " * 10 + b"\n",
        "shape.npy": b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '<f4', 'fortran_order': False, "
        b"'shape': (99999999, 9999)}".ljust(117) + b"\n",
        "tiny.png": png(3, 3, zlib.compress(b"\0" * 12)),
    }  # fmt: skip


NAMES = [
    "empty.png", "truncated.png", "flipped.png", "text.png", "bomb.png", "bomb.tif", "lying.tif",
    "pdf.jpg", "objects.npy", "shape.npy", "tiny.png",
]  # fmt: skip


def one_sentence(text):
    """The errors among the lines of a command's stderr, each short enough to read."""
    lines = [line for line in text.splitlines() if line.strip()]
    assert lines
    assert all(len(line) < MOST_CHARACTERS for line in lines), text
    return lines


def rows_of(text):
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("name", NAMES)
def test_a_bad_picture_is_an_error_row_and_the_good_one_survives(run, good, tmp_path, name):
    bad = tmp_path / "in" / name
    bad.parent.mkdir()
    bad.write_bytes(bad_files(tmp_path)[name])
    code, out, err = run("predict", good, bad, "--task", "netdsl", "--json")
    assert code == SOME_FAILED
    rows = {row["path"].split("/")[-1]: row for row in rows_of(out)}
    assert rows["good.png"]["error"] == ""
    assert rows["good.png"]["text"].startswith("CANVAS 64 48\nWIRE")
    assert name in rows[name]["error"]
    assert len(rows[name]["error"]) < MOST_CHARACTERS
    assert rows[name]["text"] == ""
    assert any("1 of 2" in line for line in one_sentence(err))


def test_the_list_of_bad_files_is_tested_in_full(tmp_path):
    assert sorted(bad_files(tmp_path)) == sorted(NAMES)


def test_a_folder_of_only_bad_pictures_has_a_row_for_each(run, tmp_path):
    folder = tmp_path / "all"
    folder.mkdir()
    for name, data in bad_files(tmp_path).items():
        (folder / name).write_bytes(data)
    code, out, _ = run("predict", folder, "--task", "netdsl", "--json")
    assert code == SOME_FAILED
    assert [bool(row["error"]) for row in rows_of(out)] == [True] * len(NAMES)


def test_a_run_folder_keeps_what_could_be_answered(run, good, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no")
    code, _, _ = run("predict", good, bad, "-t", "netdsl", "--out", tmp_path / "run")
    assert code == SOME_FAILED
    rows = rows_of((tmp_path / "run" / "results.jsonl").read_text())
    assert [bool(row["error"]) for row in rows] == [False, True]
    page = (tmp_path / "run" / "report.html").read_text()
    assert "bad.png" in page


@pytest.mark.parametrize(
    ("mode", "shape"), [("colour", (48, 64, 3)), ("grey", (48, 64)), ("column", (300, 17))]
)
def test_unusual_but_readable_pictures_are_answered(run, tmp_path, mode, shape):
    rng = np.random.default_rng(0)
    path = tmp_path / f"{mode}.png"
    save_png(path, rng.integers(0, 255, shape, dtype=np.uint8))
    code, out, _ = run("predict", path, "-t", "netdsl", "--json")
    (row,) = rows_of(out)
    assert code == OK
    assert row["text"].startswith(f"CANVAS {shape[1]} {shape[0]}")


@pytest.mark.parametrize("value", [0, 255])
def test_an_empty_mask_is_an_empty_program(run, tmp_path, value):
    path = tmp_path / "mask.png"
    save_png(path, np.full((40, 40), value, np.uint8))
    code, out, _ = run("predict", path, "-t", "netdsl", "--json")
    (row,) = rows_of(out)
    assert (code, row["text"].strip(), row["error"]) == (OK, "CANVAS 40 40", "")
    assert row["check"]["score"] <= 0.5


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("predict", "{tmp}/missing.png"), "missing.png"),
        (("predict", "{tmp}/nothing"), "nothing"),
        (("predict", "{tmp}/*.xyz"), "xyz"),
        (("predict", "{good}", "--task", "netsdl"), "did you mean 'netdsl'"),
        (("predict", "{good}", "--set", "edge=sideways"), "edge"),
        (("predict", "{good}", "--set", "edgy=mid"), "edge"),
        (("predict", "{good}", "--set", "price=cheap"), "price"),
        (("predict", "{good}", "--set", "prize=3"), "did you mean 'price'"),
        (("predict", "{good}", "--price", "-1"), "price=-1: expected number from 0 to 1e+06"),
        (("predict", "{good}", "--price", "nan"), "price=nan: expected a finite number"),
        (("predict", "{good}", "--price", "inf"), "price=inf: expected a finite number"),
        (("predict", "{good}", "--nm-per-px", "nan"), "nm_per_px=nan: expected a finite number"),
        (("predict", "{good}", "--nm-per-px", "-2"), "expected number from 0.0001 to 1e+08, or 0"),
        (
            ("predict", "{good}", "--nm-per-px", "1e12"),
            "expected number from 0.0001 to 1e+08, or 0",
        ),
        (
            ("convert", "{layout}", "--to", "gds", "--out", "{tmp}/a.gds", "--nm-per-px", "-1"),
            "0.0001",
        ),
        (("predict", "{good}", "--model", "{tmp}/nothing"), "nothing"),
        (("evaluate", "netdsl", "{tmp}/missing"), "missing"),
        (("evaluate", "netdsl", "{tmp}/nothing"), "nothing"),
        (("evaluate", "netdsl", "{good}"), "good.png"),
        (("convert", "{tmp}/missing.netdsl", "--to", "gds", "--out", "{tmp}/a.gds"), "missing"),
        (("convert", "{layout}", "--to", "dwg", "--out", "{tmp}/a.dwg"), "dwg"),
        (("convert", "{good}", "--to", "gds", "--out", "{tmp}/a.gds"), "good.png"),
        (("convert", "{layout}", "--to", "gds", "--out", "{tmp}/no/such/a.gds"), "no/such"),
        (("vary", "{tmp}/missing.netdsl", "--out", "{tmp}/v"), "missing"),
        (("vary", "{layout}", "--out", "{tmp}/v", "--look", "blurry"), "blurry"),
        (("vary", "{layout}", "--out", "{tmp}/v", "--kind", "melt"), "melt"),
        (("synthesize", "netdsl", "--count", "0", "--out", "{tmp}/s"), "count"),
        (("synthesize", "netdsl", "--count", "2", "--seed", "-1", "--out", "{tmp}/s"), "seed"),
        (("synthesize", "netdls", "--count", "2", "--out", "{tmp}/s"), "netdsl"),
        (("report", "{tmp}/nothing"), "nothing"),
        (("report", "{good}"), "good.png"),
        (("bench", "nothing"), "nothing"),
        (("predikt", "{good}"), "predikt"),
    ],
)
def test_a_mistake_is_one_sentence_that_names_it(run, good, layout, tmp_path, arguments, says):
    (tmp_path / "nothing").mkdir()
    known = {"tmp": tmp_path, "good": good, "layout": layout}
    code, out, err = run(*(argument.format(**known) for argument in arguments))
    assert code in (USAGE, ENVIRONMENT)
    assert out == ""
    words = " ".join(re.sub(r"[│╭╮╰╯─]", " ", err).split())
    assert says in words or says.replace("/", "") in words.replace("/", "").replace(" ", "")
    assert len(words) < MOST_CHARACTERS


PROGRAMS = {
    "nothing": b"",
    "prose": b"I cannot see an image.",
    "canvas": b"CANVAS",
    "huge canvas": b"CANVAS 99999999 5",
    "cut short": b"CANVAS 64 48\nWIRE 0 10 6 0 0",
    "not a number": b"CANVAS 64 48\nVIA nan 3 4",
    "array bomb": b"CANVAS 64 48\nARRAY 99999 99999 1 1 { VIA 1 1 1 }",
    "nested": b"CANVAS 64 48\n" + b"ARRAY 2 2 1 1 { " * 2000,
    "bytes": bytes(range(256)),
    "binary canvas": b"CANVAS 64 48\nVIA 1 1 \xff\xfe",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_malformed_program_is_refused_by_convert_and_vary(run, tmp_path, name):
    path = tmp_path / "bad.netdsl"
    path.write_bytes(PROGRAMS[name])
    for arguments in (
        ("convert", path, "--to", "gds", "--out", tmp_path / "a.gds", "-t", "netdsl"),
        ("vary", path, "--out", tmp_path / "v", "--count", "2"),
    ):
        code, out, err = run(*arguments)
        assert (code, out) == (USAGE, "")
        assert "bad.netdsl" in err
        one_sentence(err)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad.netdsl"], "nothing half written"


@pytest.mark.parametrize("suffix", [".gds", ".oas", ".svg"])
@pytest.mark.parametrize("data", [b"", b"\x00\x06\x00\x02\x00\x05", b"<svg", b"%SEMI-OASIS\r\n"])
def test_a_damaged_layout_file_is_refused(run, tmp_path, suffix, data):
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(data)
    code, out, err = run("convert", path, "--to", "netdsl", "--out", tmp_path / "a.netdsl")
    assert (code, out) == (USAGE, "")
    assert f"bad{suffix}" in err
    one_sentence(err)
    assert not (tmp_path / "a.netdsl").exists()


def dataset_of(folder, *rows):
    folder.mkdir()
    save_png(folder / "0.png", simulate(BARS, Look(), np.random.default_rng(0)).pixels)
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    (folder / "examples.jsonl").write_text("\n".join(lines) + "\n")
    return folder


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("{", "examples.jsonl"),
        ('{"images": ["0.png"]}', "answer"),
        ({"images": ["1.png"], "question": "?", "answer": LAYOUT}, "1.png"),
        ({"images": ["../../0.png"], "question": "?", "answer": LAYOUT}, "../../0.png"),
        ({"images": [], "question": "?", "answer": LAYOUT}, "images"),
        ({"images": "0.png", "question": 3, "answer": LAYOUT}, "examples.jsonl"),
        ({"images": ["0.png"], "question": "?", "reference": "none.png"}, "none.png"),
        ("[1, 2]", "examples.jsonl"),
    ],
)
def test_a_bad_line_of_a_dataset_is_named_and_counts_as_a_failure(run, tmp_path, row, says):
    right = {"images": ["0.png"], "question": "?", "answer": LAYOUT}
    folder = dataset_of(tmp_path / "data", right, row)
    code, out, err = run("evaluate", "netdsl", folder, "--json")
    assert code == SOME_FAILED
    totals = json.loads(out)
    assert (totals["count"], totals["broken"]["count"]) == (2, 1)
    assert totals["metrics"]["iou"] == totals["metrics_readable"]["iou"] / 2
    named, counted = err.splitlines()
    assert "examples.jsonl:2: " in named
    assert says in named
    assert "1 of 2 examples cannot be read" in counted
    folder = dataset_of(tmp_path / "alone", row)
    code, out, err = run("evaluate", "netdsl", folder, "--json")
    assert (code, out) == (USAGE, "")
    assert "examples.jsonl:1: " in err
    one_sentence(err)


def test_a_true_answer_that_is_no_program_is_refused(run, tmp_path):
    row = {"images": ["0.png"], "question": "?", "answer": "CANVAS 64 48\nWIRE 1"}
    code, out, err = run("evaluate", "netdsl", dataset_of(tmp_path / "data", row), "--json")
    assert (code, out) == (USAGE, "")
    assert "WIRE" in err or "line 2" in err
    one_sentence(err)


def test_a_place_that_is_a_file_cannot_be_a_folder(run, good, layout, tmp_path):
    taken = tmp_path / "taken"
    taken.write_text("mine")
    for arguments in (
        ("predict", good, "-t", "netdsl", "--out", taken),
        ("synthesize", "netdsl", "--count", "1", "--out", taken),
        ("vary", layout, "--out", taken),
        ("demo", "--out", taken),
    ):
        code, out, err = run(*arguments)
        assert code in (USAGE, ENVIRONMENT), arguments
        assert out == ""
        assert "taken" in err
        one_sentence(err)
    assert taken.read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_an_unwritable_place_is_refused_before_work(run, good, tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    code, out, err = run("predict", good, "-t", "netdsl", "--out", closed / "run")
    assert (code, out) == (ENVIRONMENT, "")
    one_sentence(err)


def test_a_full_or_absent_device_is_an_error_of_the_machine(run, layout):
    for place in ("/dev/full", "/proc/fabsight.gds"):
        if not Path(place).parent.exists():
            pytest.skip(f"no {place} here")
        code, out, err = run("convert", layout, "--to", "svg", "--out", place)
        assert code in (USAGE, ENVIRONMENT), place
        assert out == ""
        one_sentence(err)


def test_a_process_of_its_own_says_no_more(good, tmp_path):
    """No warning from a library, no traceback at exit, no thread that hangs."""
    bad = tmp_path / "bad.tif"
    bad.write_bytes(bad_files(tmp_path)["bomb.tif"])
    command = [sys.executable, "-m", "fabsight", "predict", good, bad, "-t", "netdsl", "--json"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ended.returncode == SOME_FAILED
    assert len(ended.stdout.splitlines()) == 2
    assert len(ended.stderr.splitlines()) == 1, ended.stderr

"""Verbs about the installation: bench, doctor, demo."""

from tests.command_line import objects, tree
from tests.toys import write_bars

import fabsight
from fabsight.commands import benchmarks, console


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
    for name in ("toy_a.py", "toy_b.py", "make_c.py"):
        (tmp_path / name).write_text('"""Measures."""\n')
    assert "several at once: toy, all" in fabsight_("bench")[1]
    rows = objects(fabsight_("bench", "toy", "--json")[1])
    assert [row["name"] for row in rows] == ["toy_a", "toy_b"]


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

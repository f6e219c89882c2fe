import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.toys import BAR, write_bars

from fabsight import files, pool, shards
from fabsight.batch import Item, Steps, path_items, rows, run
from fabsight.files import strays
from fabsight.models import load
from fabsight.prediction import Job, answers, failed_item, to_json
from fabsight.task import FabsightError

ROOT = Path(__file__).parents[1]
COUNT = 3 * shards.SHARD_ITEMS + 5
KILLS, KILL_BUDGET_S = 6, 12.0


# --- work to do: module-level, because worker processes import it


def square(item, folder):
    """Rows of an item whose value is a number, or the name of something that goes wrong."""
    match item.value:
        case int(number):
            (folder / f"{item.name}.txt").write_text(str(number))
            return [{"item": item.name, "square": number**2, "seconds": time.perf_counter()}]
        case "several":
            return [{"item": item.name, "part": part} for part in range(3)]
        case "not json":
            return [{"item": item.name, "value": float("nan")}]
    return TROUBLE[item.value]()


def full():
    raise OSError(errno.ENOSPC, "No space left on device")


def full_wrapped():
    try:
        full()
    except OSError as error:
        raise FabsightError("square: the picture cannot be written") from error


def refuse():
    raise FabsightError("square: the item is refused; give a number")


TROUBLE = {
    "full": full,
    "full, wrapped": full_wrapped,
    "refused": refuse,
    "bug": lambda: 1 / 0,
    "crash": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "exit": lambda: os._exit(3),
}


def wrong(item, message):
    return [{"item": item.name, "error": message}]


def slow_square(item, folder):
    time.sleep(0.004)
    return square(item, folder)


def once_crashing(item, folder):
    """Kills its process the first time that it sees an item."""
    mark = folder / f"{item.name}.seen"
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return square(item, folder)


def numbers(*values):
    return [Item(f"n{index}", value) for index, value in enumerate(values)]


STEPS = Steps(square, wrong)
SLOW = Steps(slow_square, wrong)


def output(out):
    """What must not differ between runs."""
    return {name: (out / name).read_bytes() for name in ("results.jsonl", "manifest.json")}


def errors(out):
    return [row.get("error") for row in rows(out)]


# --- results


def test_rows_stand_in_the_order_of_the_items(tmp_path):
    result = run(numbers(3, "several", 4), STEPS, tmp_path / "out")
    assert (result.done, result.failed, result.resumed) == (3, 0, 0)
    lines = result.results.read_text().splitlines()
    assert [json.loads(line)["item"] for line in lines] == ["n0", "n1", "n1", "n1", "n2"]
    assert not (tmp_path / "out" / "shards").exists()
    assert (tmp_path / "out" / "n0.txt").read_text() == "3"


def test_seconds_are_kept_beside_the_rows(tmp_path):
    result = run(numbers(3), STEPS, tmp_path)
    assert result.results.read_text() == '{"item": "n0", "square": 9}\n'
    assert [row["square"] + (row["seconds"] > 0) for row in rows(tmp_path)] == [10]


def test_workers_and_time_of_day_do_not_change_a_byte(tmp_path):
    items = [*numbers(*range(COUNT)), Item("last", "bug"), Item("past", "several")]
    for workers in (1, 2):
        run(items, STEPS, tmp_path / str(workers), workers=workers)
    assert output(tmp_path / "1") == output(tmp_path / "2")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_bad_item_is_an_error_row_and_the_others_go_on(tmp_path, workers):
    items = numbers(1, "refused", "bug", "not json", 2)
    result = run(items, STEPS, tmp_path, workers=workers)
    assert (result.done, result.failed) == (5, 3)
    assert errors(tmp_path) == [
        None,
        "square: the item is refused; give a number",
        "ZeroDivisionError: division by zero",
        "ValueError: Out of range float values are not JSON compliant",
        None,
    ]
    log = (tmp_path / "errors.log").read_text()
    assert "n2: ZeroDivisionError: division by zero" in log
    assert "1 / 0" in log
    assert "refused" not in log


def test_a_crashing_process_costs_its_own_item_only(tmp_path):
    items = numbers(1, "crash", 2, "exit", 3)
    result = run(items, STEPS, tmp_path, workers=2)
    assert (result.done, result.failed) == (5, 2)
    assert errors(tmp_path)[1] == "the process died on this input 2 times (SIGSEGV)"
    assert errors(tmp_path)[3] == "the process died on this input 2 times (exit code 3)"


def test_a_process_that_was_killed_once_loses_nothing(tmp_path):
    result = run(numbers(1, 2, 3), Steps(once_crashing, wrong), tmp_path, workers=2)
    assert result.failed == 0


# --- resuming


def test_a_finished_batch_is_not_done_again(tmp_path):
    run(numbers(1, 2), STEPS, tmp_path)
    before = output(tmp_path)
    result = run(numbers(1, 2), Steps(wrong, wrong), tmp_path)
    assert (result.done, result.resumed) == (2, 2)
    assert output(tmp_path) == before


class Stop(BaseException):
    """Stands for Ctrl-C, at a chosen item."""


def stopping_at(name, item, folder):
    if item.name == name:
        raise Stop
    return square(item, folder)


def interrupted(out, count, at):
    with pytest.raises(Stop):
        run(numbers(*range(count)), Steps(partial(stopping_at, f"n{at}"), wrong), out)


@pytest.mark.parametrize("at", [0, 1, shards.SHARD_ITEMS, COUNT - 1])
def test_an_interrupted_batch_goes_on_where_it_stopped(tmp_path, at):
    interrupted(tmp_path / "broken", COUNT, at)
    result = run(numbers(*range(COUNT)), STEPS, tmp_path / "broken")
    run(numbers(*range(COUNT)), STEPS, tmp_path / "whole")
    assert result.resumed == at
    assert output(tmp_path / "broken") == output(tmp_path / "whole")


@pytest.mark.parametrize(
    "tail", [b'{"item": 2, "ro', b"\0\0\0\0", b"[]\n", b'{"rows": []}\n', b"\xff\n"]
)
def test_a_torn_tail_is_cut(tmp_path, tail):
    interrupted(tmp_path, 5, 2)
    part = tmp_path / "shards" / "00000.part"
    whole = part.read_bytes()
    part.write_bytes(whole + tail)
    assert list(shards.read_part(part)) == [0, 1]
    assert part.read_bytes() == whole
    assert run(numbers(*range(5)), STEPS, tmp_path).resumed == 2


@given(st.data())
def test_a_part_cut_anywhere_gives_its_whole_lines(tmp_path_factory, data):
    part = tmp_path_factory.mktemp("part") / "00000.part"
    lines = [
        shards.line({"item": index, "rows": [{"µ": "\n"}], "times": [{}]}) for index in range(4)
    ]
    text = b"".join(lines)
    part.write_bytes(text[: data.draw(st.integers(0, len(text)))])
    found = shards.read_part(part)
    assert list(found) == list(range(len(found)))
    assert part.read_bytes() == b"".join(lines[: len(found)])


def test_a_damaged_shard_is_done_again(tmp_path):
    count = shards.SHARD_ITEMS + 5
    interrupted(tmp_path, count, shards.SHARD_ITEMS + 2)
    (tmp_path / "shards" / "00000.jsonl").write_bytes(b"bit rot")
    assert run(numbers(*range(count)), STEPS, tmp_path).resumed == 2
    assert [row["square"] for row in rows(tmp_path)] == [n * n for n in range(count)]


def test_damaged_results_are_made_again(tmp_path):
    run(numbers(1, 2), STEPS, tmp_path)
    before = output(tmp_path)
    (tmp_path / "results.jsonl").write_bytes(b"bit rot")
    assert run(numbers(1, 2), STEPS, tmp_path).resumed == 0
    assert output(tmp_path) == before


CHAOS = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.test_batch import COUNT, SLOW, numbers, run
if __name__ == "__main__":
    run(numbers(*range(COUNT)), SLOW, Path(sys.argv[1]), workers=2)
"""


def test_kill_9_at_any_moment_loses_nothing_and_repeats_nothing(tmp_path):
    script = tmp_path / "chaos.py"
    script.write_text(CHAOS.format(root=str(ROOT)))
    out, chance, killed = tmp_path / "killed", random.Random(0), 0
    begin = time.monotonic()
    while killed < KILLS and time.monotonic() - begin < KILL_BUDGET_S:
        process = subprocess.Popen(
            [sys.executable, str(script), str(out)], start_new_session=True, cwd=tmp_path
        )
        done_before = progress_of(out)
        while process.poll() is None and progress_of(out) <= done_before:
            time.sleep(0.002)  # until it works again
        time.sleep(chance.uniform(0.0, 0.12))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            killed += 1
        if process.wait() == 0:
            break
    subprocess.run([sys.executable, str(script), str(out)], check=True, cwd=tmp_path)
    run(numbers(*range(COUNT)), STEPS, tmp_path / "whole")
    assert killed >= 3
    assert output(out) == output(tmp_path / "whole")
    assert strays(out) == []


def progress_of(out):
    return sum(path.stat().st_size for path in out.glob("shards/*.*") if path.exists())


def test_workers_end_with_their_parent(tmp_path):
    psutil = pytest.importorskip("psutil")
    script = tmp_path / "chaos.py"
    script.write_text(CHAOS.format(root=str(ROOT)))
    process = subprocess.Popen([sys.executable, str(script), str(tmp_path / "out")])
    while not progress_of(tmp_path / "out"):
        time.sleep(0.005)
    children = psutil.Process(process.pid).children()
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(children, timeout=5)
    assert children
    assert not alive


def test_ctrl_c_leaves_a_folder_that_can_be_resumed(tmp_path):
    script = tmp_path / "chaos.py"
    script.write_text(CHAOS.format(root=str(ROOT)))
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, str(script), str(out)], stderr=subprocess.PIPE, start_new_session=True
    )
    while not progress_of(out):
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=10)
    assert said.decode().rstrip().endswith("KeyboardInterrupt")
    result = run(numbers(*range(COUNT)), STEPS, out)
    assert 0 < result.resumed < COUNT


# --- refusals


@pytest.mark.parametrize(
    ("items", "settings", "reason"),
    [
        (numbers(1, 2, 3), {"model": "a"}, "2 inputs before, 3 now: n2 is new"),
        (numbers(1), {"model": "a"}, "2 inputs before, 1 now"),
        (numbers(1, 2)[::-1], {"model": "a"}, "in another order"),
        ([Item("n0", 1), Item("n1", 2, "7 bytes")], {"model": "a"}, "n1 has changed since"),
        (numbers(1, 2), {"model": "b"}, 'model was "a", now "b"'),
        (numbers(1, 2), {"model": "a", "edge": 1}, "edge was null, now 1"),
    ],
)
def test_another_batch_in_the_same_folder_is_refused(tmp_path, items, settings, reason):
    run(numbers(1, 2), STEPS, tmp_path, settings={"model": "a"})
    with pytest.raises(FabsightError, match="holds results of another run") as refusal:
        run(items, STEPS, tmp_path, settings=settings)
    assert reason in str(refusal.value)


def test_results_of_other_making_are_not_overwritten(tmp_path):
    for name in ("results.jsonl", "evaluation.json"):
        out = tmp_path / name.partition(".")[0]
        out.mkdir()
        (out / name).write_text("precious")
        with pytest.raises(FabsightError, match="of another making"):
            run(numbers(1), STEPS, out)
        assert (out / name).read_text() == "precious"


def test_a_damaged_description_is_refused(tmp_path):
    run(numbers(1), STEPS, tmp_path)
    for damaged in ("{", "[]", '{"format": 1}', '{"settings": 3, "items": []}'):
        (tmp_path / "batch.json").write_text(damaged)
        with pytest.raises(FabsightError, match=r"batch.json is damaged; remove"):
            run(numbers(1), STEPS, tmp_path)


def test_a_refusal_names_the_setting_that_differs_whole(tmp_path):
    long = "x" * 300
    run(numbers(1), STEPS, tmp_path, settings={"context": {"edge": "mid", "note": long, "n": 1}})
    with pytest.raises(FabsightError, match=r"another run: context\.note was") as refusal:
        run(numbers(1), STEPS, tmp_path, settings={"context": {"edge": "mid", "note": "y", "n": 1}})
    assert f'"{long}", now "y"; name another folder' in str(refusal.value)
    assert "edge" not in str(refusal.value)


def test_what_killed_writers_left_is_cleared_at_any_depth(tmp_path):
    interrupted(tmp_path, 5, 2)
    left = [tmp_path / "shards", tmp_path / "answers" / "a.png", tmp_path]
    left[1].mkdir(parents=True)
    for folder in left:
        (folder / ".fabsight-4711-0123abcd.tmp").write_text("half")
    (tmp_path / "answers" / ".mine.tmp").write_text("kept")
    run(numbers(*range(5)), STEPS, tmp_path)
    assert strays(tmp_path) == []
    assert (tmp_path / "answers" / ".mine.tmp").exists()


def test_an_unwritable_folder_is_refused_before_work(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FabsightError, match=r"cannot be written \(Not a directory\)"):
        run(numbers("bug"), STEPS, tmp_path / "file" / "out")


def test_a_full_disk_is_refused_before_work(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "FREE_BYTES", 2**70)
    with pytest.raises(FabsightError, match="MiB left"):
        run(numbers("bug"), STEPS, tmp_path)


@pytest.mark.parametrize(("workers", "full"), [(1, "full"), (2, "full"), (2, "full, wrapped")])
def test_a_disk_that_fills_up_stops_the_run_and_fails_no_item(tmp_path, workers, full):
    with pytest.raises(FabsightError, match=r"No space left .* run the same command again"):
        run(numbers(1, full, 2), STEPS, tmp_path, workers=workers)
    assert all(
        "error" not in row
        for e in shards.read_part(part_of(tmp_path)).values()
        for row in e["rows"]
    )


def part_of(out):
    return out / "shards" / "00000.part"


def test_two_runs_in_one_folder_are_refused(tmp_path):
    def nested(_item, folder):
        run(numbers(1), STEPS, folder)

    run(numbers(1), Steps(nested, wrong), tmp_path)
    assert errors(tmp_path) == [f"another run is writing into {tmp_path}; wait for it"]


def test_nothing_and_twice_the_same_are_refused(tmp_path):
    with pytest.raises(FabsightError, match="no inputs"):
        run([], STEPS, tmp_path)
    with pytest.raises(FabsightError, match="n0 is there twice"):
        run(numbers(1) * 2, STEPS, tmp_path)
    many = [Item(f"n{k}", k) for k in range(20_000)]
    begin = time.process_time()
    with pytest.raises(FabsightError, match="n19999 is there twice"):
        run([*many, many[-1]], STEPS, tmp_path)
    assert time.process_time() - begin < 1.0


def test_work_that_cannot_reach_a_worker_is_refused():
    with pytest.raises(FabsightError, match="use module-level functions, or workers=1"):
        list(pool.outcomes(lambda value: value, [1], workers=2))
    with pytest.raises(FabsightError, match="0 workers"):
        pool.outcomes(abs, [1], workers=0)


def maker(value):
    return lambda: value


def test_a_result_that_cannot_leave_its_worker_is_a_failure():
    (outcome,) = pool.outcomes(maker, [1], workers=2)
    assert outcome.result.message.startswith("the result cannot leave the worker process")
    with pytest.raises(RuntimeError, match=r"in a worker process(.|\n)*Traceback"):
        list(pool.ordered(maker, [1], workers=2))


def test_a_script_without_main_guard_is_told_so(tmp_path):
    script = tmp_path / "bare.py"
    script.write_text("from fabsight import pool\nprint(list(pool.ordered(abs, [1], workers=2)))\n")
    ended = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=30)
    assert "__name__ == '__main__'" in ended.stderr
    assert ended.returncode != 0


# --- progress


def test_progress_is_silent_unless_asked(tmp_path, capsys):
    run(numbers(1), STEPS, tmp_path / "a")
    assert capsys.readouterr() == ("", "")
    run(numbers(1), STEPS, tmp_path / "b", progress=True)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "1/1" in shown.err


# --- predictions


def predicted(job, item, folder):
    found = []
    for question, prediction in answers(job, item.value):
        found.append(to_json(prediction))
        if question:
            answer = BAR.parse(prediction.text, question)
            BAR.exports["txt"](question, answer, folder / f"{item.value.stem}.txt")
    return found


def test_a_batch_of_predictions_with_a_bad_file(tmp_path):
    paths = write_bars(tmp_path / "in", 5)
    paths[2].write_bytes(b"torn")
    job = Job(BAR, load("embedded", BAR), "embedded", BAR.context())
    steps = Steps(partial(predicted, job), partial(failed_item, job))
    outs = [tmp_path / "one", tmp_path / "two"]
    for workers, out in enumerate(outs, start=1):
        result = run(path_items(paths), steps, out, settings={"task": "bar"}, workers=workers)
        assert (result.done, result.failed) == (5, 1)
    assert output(outs[0]) == output(outs[1])
    found = list(rows(outs[0]))
    assert (outs[0] / "bar_000.txt").read_text().strip() == found[0]["text"]
    assert found[0]["seconds"] > 0
    assert "not an array" in found[2]["error"]
    assert found[0].keys() == found[2].keys()


def test_a_changed_file_is_noticed(tmp_path):
    (path,) = write_bars(tmp_path, 1)
    before = path_items([path, tmp_path, tmp_path / "gone"])
    os.utime(path, ns=(0, 0))
    after = path_items([path, tmp_path, tmp_path / "gone"])
    assert [a.stamp == b.stamp for a, b in zip(before, after, strict=True)] == [False, False, True]

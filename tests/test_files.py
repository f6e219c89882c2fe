"""Files are whole or absent whenever the writer dies, and messages name the file that was meant."""

import errno
import multiprocessing
import os
import shutil
import signal
import time

import pytest

from fabsight.files import clear_strays, locked, prepare, replace_file, replacing, strays
from fabsight.task import AnswerError, FabsightError

SIZE = 200_000


def write_for_ever(path):
    while True:
        for letter in b"ab":
            replace_file(path, bytes([letter]) * SIZE, lasting=True)


def test_a_killed_writer_leaves_a_whole_file_and_a_stray_that_is_found(tmp_path):
    path, seen = tmp_path / "file", 0
    context = multiprocessing.get_context("fork")
    give_up = time.monotonic() + 60
    for _ in range(1000):
        if seen > 3 or time.monotonic() > give_up:
            break
        writer = context.Process(target=write_for_ever, args=(path,))
        writer.start()
        until = time.monotonic() + 10
        while not (path.exists() and strays(tmp_path)) and time.monotonic() < until:
            time.sleep(0.0002)
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
        data = path.read_bytes()
        assert len(data) == SIZE
        assert len(set(data)) == 1
        seen += len(strays(tmp_path))
        clear_strays(tmp_path)
        assert [p.name for p in tmp_path.iterdir()] == ["file"]
    assert seen > 3


def test_a_stray_while_writing_is_gone_afterwards(tmp_path):
    with replacing(tmp_path / "a") as part:
        assert strays(tmp_path) == [part]
    with pytest.raises(ZeroDivisionError), replacing(tmp_path / "a") as part:
        raise ZeroDivisionError
    assert strays(tmp_path) == []
    assert (tmp_path / "a").read_bytes() == b""


def test_links_out_of_a_folder_are_not_followed(tmp_path):
    (tmp_path / "else").mkdir()
    (tmp_path / "else" / ".fabsight-1-0123abcd.tmp").touch()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "link").symlink_to(tmp_path / "else")
    (tmp_path / "run" / "loop").symlink_to(tmp_path / "run")
    assert strays(tmp_path / "run") == []


def test_a_name_as_long_as_the_file_system_allows_can_be_written(tmp_path):
    path = tmp_path / ("n" * 255)
    replace_file(path, b"x")
    assert path.read_bytes() == b"x"


def failing(error):
    def fail(*_):
        raise error

    return fail


def break_off(path, monkeypatch, place, known):
    with replacing(path) as part:
        error = OSError(errno.ENOSPC, "No space", str(part)) if known else OSError(f"lost {part}")
        if place == "in the block":
            raise error
        monkeypatch.setattr(os, "fsync", failing(error))


@pytest.mark.parametrize("place", ["in the block", "os.fsync"])
@pytest.mark.parametrize("known", [True, False])
def test_a_message_names_the_file_and_not_what_stands_for_it(tmp_path, monkeypatch, place, known):
    with pytest.raises(FabsightError) as refusal:
        break_off(tmp_path / "a.gds", monkeypatch, place, known)
    assert str(refusal.value).startswith(f"write {tmp_path}/a.gds: ")
    assert "fabsight-" not in str(refusal.value)
    assert strays(tmp_path) == []


def refuse_in_the_block(path):
    with replacing(path) as part:
        raise AnswerError(f"{part}: too large for GDSII: write OASIS", 3, 4)


def test_a_refusal_by_who_writes_names_the_file_too(tmp_path):
    with pytest.raises(AnswerError) as refusal:
        refuse_in_the_block(tmp_path / "a.gds")
    assert str(refusal.value) == f"{tmp_path}/a.gds: too large for GDSII: write OASIS"
    assert (refusal.value.line, refusal.value.column) == (3, 4)


def test_a_writer_that_does_not_notice_a_full_disk_is_found_out(tmp_path, monkeypatch):
    (tmp_path / "a").write_text("before")
    disk = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: disk._replace(free=100))
    with pytest.raises(FabsightError, match="No space left on device; check that"):
        replace_file(tmp_path / "a", b"cut off")
    assert (tmp_path / "a").read_text() == "before"
    monkeypatch.setattr(shutil, "disk_usage", lambda _: disk._replace(total=0, free=0))
    replace_file(tmp_path / "a", b"whole")


def test_a_run_takes_an_empty_folder_or_its_own(tmp_path):
    (tmp_path / ".DS_Store").touch()
    for _ in range(2):
        prepare(tmp_path)
        with locked(tmp_path):
            (tmp_path / "results").touch()
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").touch()
    with pytest.raises(FabsightError, match=r"holds letter.txt, so it is of another making"):
        prepare(tmp_path / "home")


def test_a_folder_a_device_and_a_missing_place_are_refused(tmp_path):
    for path, said in (
        (tmp_path, "it is a folder; name a file"),
        (tmp_path / "none" / "a", "No such file or directory; check that the folder exists"),
    ):
        with pytest.raises(FabsightError, match=said):
            replace_file(path, b"")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FabsightError, match="a device, not a file"):
        replace_file(tmp_path / "pipe", b"")

"""Damaged files of every kind give wafers or a FabsightError, quickly, and nothing else."""

import time
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.wafermap_files import FILES

from fabsight.task import FabsightError
from fabsight.wafermap.formats import FORMATS, add_klarf_classes, read_wafers, recognises
from fabsight.wafermap.settings import WaferSettings

SETTINGS = WaferSettings()
MOST_S = 1.0
quick = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
pieces = st.sampled_from(
    [b"", b"\0", b"\xff", b";", b'"', b"{", b"}", b"-", b"9" * 30, b"\n", b" ", b"<", b">", b"NA"]
) | st.sampled_from(
    [b"1e308", b"nan", b"]]>", b"&x;", b",", b"\r", b"DefectList", b"WaferID", b"Data 3 {"]
)
edits = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 40), pieces | st.binary(max_size=4)),
    min_size=1,
    max_size=4,
)


def damaged(data, changes):
    for share, removed, added in changes:
        at = int(share * len(data))
        data = data[:at] + added + data[at + removed :]
    return data


def read_all(path):
    """Read a file as the kind that it is, and as the kind that it was."""
    began = time.process_time()
    recognises(path)
    with suppress(FabsightError):
        for wafer in read_wafers(path, SETTINGS):
            assert set(np.unique(wafer.grid).tolist()) <= {0, 1, 2}
            assert wafer.grid.any()
    assert time.process_time() - began < MOST_S


@pytest.mark.parametrize("kind", FILES)
@quick
@given(changes=edits)
def test_damaged_files_are_read_or_refused(tmp_path, kind, changes):
    path = tmp_path / "file"
    path.write_bytes(damaged(FILES[kind], changes))
    read_all(path)
    with suppress(FabsightError):
        list(FORMATS[kind].read(path, SETTINGS))


@quick
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path, data):
    path = tmp_path / "file"
    path.write_bytes(data)
    read_all(path)
    for known in FORMATS.values():
        with suppress(FabsightError):
            list(known.read(path, SETTINGS))


@quick
@given(st.text("lotwaferxyhbin,;\t0123456789-#:.X\n \"'", max_size=120))
def test_any_text_is_read_or_refused(tmp_path, text):
    path = tmp_path / "file"
    path.write_text(text)
    read_all(path)
    for name in ("csv", "ascii", "sinf", "klarf12", "klarf18"):
        with suppress(FabsightError):
            list(FORMATS[name].read(path, SETTINGS))


@pytest.mark.parametrize("kind", ["klarf12", "klarf18"])
@quick
@given(changes=edits, column=st.sampled_from(["CLASSNUMBER", "NEW"]))
def test_classes_of_damaged_files_are_written_or_refused(tmp_path, kind, changes, column):
    path, out = tmp_path / "file", tmp_path / "out"
    path.write_bytes(damaged(FILES[kind], changes))
    try:
        labels = [[1] * len(w.defects.id) for w in FORMATS[kind].read(path, SETTINGS)]
        add_klarf_classes(path, labels, out, column)
    except FabsightError:
        return
    again = list(read_wafers(out, SETTINGS))
    assert [len(w.defects.id) for w in again] == [len(row) for row in labels]


def test_damaged_public_samples_are_read_or_refused(shared_data, tmp_path):
    rng = np.random.default_rng(5)
    path = tmp_path / "file"
    for source in sorted((shared_data / "wafermap" / "formats").iterdir()):
        whole = source.read_bytes()[:60_000]
        for _ in range(12):
            data = bytearray(whole)
            for at in rng.integers(0, len(data), rng.integers(1, 6)):
                data[at] = rng.integers(0, 256)
            path.write_bytes(
                bytes(data[: rng.integers(1, len(data))] if rng.random() < 0.3 else data)
            )
            read_all(path)

"""What is planted in lots is said of them: in sentences, in pictures, in files."""

import json

import numpy as np
import pytest
from tests.command_line import ended

from fabsight.task import Image, Question
from fabsight.wafermap.formats import write_klarf12
from fabsight.wafermap.lot import lot_report, short
from fabsight.wafermap.lot_generator import context_csv, draw_lot
from fabsight.wafermap.lot_pictures import shades
from fabsight.wafermap.lot_summary import findings, lots
from fabsight.wafermap.settings import WaferSettings


@pytest.fixture
def run(capsys):
    return lambda *arguments: ended(capsys, arguments)


def questions(lot, **settings):
    return [
        Question(
            (Image(one.wafer.grid),), "?", WaferSettings(about=one.wafer.about, **settings), f"{k}"
        )
        for k, one in enumerate(lot.wafers)
    ]


def test_groups_and_repeaters_are_named():
    lot = draw_lot(np.random.default_rng(4), ("clusters", "repeater"))
    (found,) = lots(questions(lot), [])
    said = " ".join(found.findings)
    for group in lot.groups:
        assert f"{len(group.wafers)} x" in said
    assert "again and again" in said
    assert "No process records were given" in said
    assert set(found.pictures) == {"Fail frequency", "Typical wafers", "Yield"}
    assert found.tables["wafers"]


def test_a_guilty_chamber_is_named_with_the_hypothesis_it_fits(tmp_path):
    lot = draw_lot(np.random.default_rng(5), ("guilty",))
    (tmp_path / "context.csv").write_text(context_csv(lot))
    (found,) = lots(questions(lot, context_table=tmp_path / "context.csv"), [])
    (said,) = [line for line in found.findings if "goes with" in line]
    assert lot.guilty.value in said


def test_a_change_is_placed():
    lot = draw_lot(np.random.default_rng(6), ("change",))
    (found,) = lots(questions(lot), [])
    first = lot.wafers[lot.change.first].wafer.about
    name = first.wafer.removeprefix(first.lot).lstrip("-")
    assert any(f"changes at {name}" in line for line in found.findings)


def test_single_wafers_and_mixed_lots():
    one, other = (draw_lot(np.random.default_rng(k), (), wafers=8) for k in (1, 2))
    both = [*questions(one), *questions(other)]
    assert [group.name for group in lots(both, [])] == [
        f"lot {lot.wafers[0].wafer.about.lot}" for lot in (one, other)
    ]
    assert not list(lots(both[:1], []))


def test_names_without_their_lot():
    report = lot_report([one.wafer for one in draw_lot(np.random.default_rng(1), (), 8).wafers])
    assert [short(line) for line in report.wafers] == [f"{k:02d}" for k in range(1, 9)]
    assert next(findings(report)).startswith("8 wafers, yield ")


def test_no_die_is_paper():
    picture = shades(np.array([[np.nan, 0.0, 1.0]], np.float32))
    assert picture[0, 0].tolist() == [255, 255, 255]
    assert picture[0, 1].sum() > picture[0, 2].sum()


def test_the_run_folder_and_the_page_say_it(run, tmp_path):
    lot = draw_lot(np.random.default_rng(4), ("repeater",), wafers=8)
    write_klarf12([one.wafer for one in lot.wafers], tmp_path / "lot.klarf")
    code, out, error = run("predict", tmp_path / "lot.klarf", "--out", tmp_path / "run")
    assert code == 0, error
    (group,) = json.loads((tmp_path / "run" / "together.json").read_text())
    assert all((tmp_path / "run" / file).is_file() for file in group["pictures"].values())
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Fail frequency" in page
    assert group["findings"][0] in out

import csv
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.test_reporting import EVIL, Page, failure, result

from fabsight.report import grids, pictures
from fabsight.report.attention import MOST_LINES, MOST_LINKS, to_look_at
from fabsight.report.charts import (
    FEWEST_VALUES,
    Guides,
    Spread,
    axis,
    histogram,
    interval,
    spread_chart,
)
from fabsight.report.entries import CONFIRMED, DOUBTFUL, Entry, short_names
from fabsight.report.grids import Markup, column, present, table
from fabsight.report.tables import csv_bytes, read_csv


def cells(markup):
    """The rows of a table as lists of texts."""
    rows = re.findall(r"<tr>(.*?)</tr>", markup)
    return [
        [re.sub("<.*?>", "", cell) for cell in re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row)]
        for row in rows
    ]


# ---- tables


def test_a_column_lines_up_in_the_digits_of_its_unit():
    rows = [{"cd_nm": 20.44, "cd_px": 8.176, "se_nm": 0.312, "n": 3, "share": 0.98765},
            {"cd_nm": 7, "cd_px": None, "se_nm": 0.1, "n": 12, "share": 1.0}]  # fmt: skip
    head, first, second = cells(table([column(key) for key in rows[0]], rows, "x"))
    assert head == ["cd nm", "cd px", "se nm", "n", "share"]
    assert first == ["20.4", "8.18", "0.31", "3", "0.988"]
    assert second == ["7.0", "", "0.10", "12", "1.000"]


def test_columns_without_a_value_are_not_shown():
    rows = [{"a": None, "b": 1, "c": ""}, {"a": "", "b": None, "c": 0}]
    assert [c.key for c in present([column(key) for key in "abc"], rows)] == ["b", "c"]


def test_only_what_was_made_as_markup_is_markup():
    text = table([column("a")], [{"a": EVIL}, {"a": Markup("<b>x</b>")}], EVIL)
    page = Page(text)
    assert "img" not in page.tags
    assert page.tags.count("b") == 1


def test_a_table_too_long_for_page_or_paper_says_so(monkeypatch):
    monkeypatch.setattr(grids, "MAX_TABLE_ROWS", 3)
    text = table([column("a")], [{"a": i} for i in range(5)], "five")
    assert text.count("<tr>") == 4
    assert "The first 3 of 5 rows" in text
    assert "Printed" not in text
    assert "Printed: 60 of 61 rows" in table([column("a")], [{"a": 1}] * 61, "long")


def test_paper_and_page_agree_on_what_is_printed():
    from importlib.resources import files

    style = files("fabsight.report").joinpath("page.css").read_text()
    assert f"tbody tr:nth-child(n+{grids.PRINTED_ROWS + 1})" in style
    assert f"td:nth-child(n+{grids.PRINTED_COLUMNS + 1})" in style


# ---- names


@given(st.lists(st.text("ab/", min_size=1, max_size=8)))
def test_different_paths_have_different_names(paths):
    clean = {str(re.sub("/+", "/", "/" + path)).rstrip("/") or "/" for path in paths}
    names = short_names(sorted(clean))
    assert len(set(names)) == len(clean)


def test_the_same_path_twice_keeps_its_short_name():
    assert short_names(["/a/1.png", "/a/1.png"]) == ["1.png", "1.png"]


# ---- what to look at


def entries(rows):
    return [Entry(row, i, row["path"], f"input-0-{i}") for i, row in enumerate(rows)]


def test_what_needs_a_look_is_grouped_with_reasons_and_links():
    empty = {"score": 0.5, "coverage": 0.0, "independent": True, "evidence": {"reason": "no edges"}}
    page = Page(
        to_look_at(
            entries(
                [
                    result("fine.png", 0.9),
                    result("warned.png", 0.9, warnings=["bar cropped"]),
                    result("doubt.png", 0.6),
                    result("worse.png", 0.1),
                    result("bad.png", 0.3),
                    result("empty.png", check=empty),
                    failure("x.png"),
                ]
            )
        )
    )
    links = [value for _, name, value in page.attributes if name == "href"]
    assert links == [f"#input-0-{i}" for i in (6, 5, 3, 4, 2, 1)]
    for said in ("No answer", "Empty answer", "below 0.50", "Doubtful", "bar cropped", "no edges"):
        assert said in page.text
    assert "fine.png" not in page.text


def test_one_reason_is_one_line_however_many_inputs_it_concerns():
    rows = [result(f"{i}.png", warnings=["no scale"]) for i in range(500)]
    page = Page(to_look_at(entries(rows)))
    assert page.tags.count("li") == 1
    assert f"and {500 - MOST_LINKS} more" in page.text
    many = Page(to_look_at(entries([result(f"{i}.png", 0.1) for i in range(500)])))
    assert many.tags.count("li") == MOST_LINES + 1
    assert f"and {500 - MOST_LINES} more, in the CSV file" in many.text


def test_nothing_to_look_at_is_said():
    assert "every answer is confirmed" in to_look_at(entries([result("a.png")]))
    assert to_look_at([]) == ""


# ---- charts


def test_a_spread_says_mean_three_sigma_and_count():
    values = [20.0, 21.0, 22.0, 23.0, 24.0, math.nan]
    text = spread_chart("CD", values, "nm")
    sigma = np.std(values[:5], ddof=1)
    assert f"mean 22.0 nm · n 5 · 3 sigma {3 * sigma:.1f} nm · 20.0 nm to 24.0 nm" in text
    assert "1 without a value" in text
    assert "<svg" not in spread_chart("CD", values[: FEWEST_VALUES - 1], "nm")
    assert spread_chart("CD", [math.nan]) == ""


@pytest.mark.parametrize("values", [[], [math.inf], [3.0]])
def test_a_spread_of_next_to_nothing(values):
    found = Spread.of(values)
    assert found is None or (found.count == 1 and math.isnan(found.three_sigma))


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), max_size=40))
def test_a_histogram_shows_every_finite_value_once(values):
    text = histogram("x", values, "said")
    finite = [v for v in values if math.isfinite(v)]
    if not finite:
        assert text == ""
        return
    counts = [int(n) for n in re.findall(r"<title>[^<]*: (\d+)</title>", text)]
    assert sum(counts) == len(finite)
    Page(text)


@given(st.floats(-1e30, 1e30, allow_subnormal=False), st.floats(-1e30, 1e30, allow_subnormal=False))
def test_axes_hold_their_values(a, b):
    low, high = sorted((a, b))
    first, last, step = axis(low, high)
    slack = 1e-6 * max(abs(low), abs(high), step)
    assert first <= low + slack
    assert last >= high - slack
    assert step > 0


def test_a_strip_is_drawn_for_shares_only():
    assert "rect" in interval(0.5, (0.4, 0.6), 0.2)
    assert interval(4.2, None, None) == ""


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "a": st.text(st.characters(exclude_categories=["Cs", "Cc"])),
                "b": st.floats(-1e6, 1e6),
            }
        ),
        min_size=1,
    )
)
def test_a_csv_reads_back_and_never_as_a_formula(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    path.write_bytes(csv_bytes(rows))
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            text = row["a"]
            assert text[:1] not in "=@" or text == ""
    assert [row["b"] for row in read_csv(path)] == [row["b"] for row in rows]


def test_a_preview_keeps_small_images_and_bounds_large_ones():
    from fabsight.task import Image

    small = np.arange(48, dtype=np.uint8).reshape(6, 8)
    assert np.array_equal(pictures.preview(Image(small))[..., 0], small)
    large = np.zeros((500, 4096), np.uint16)
    assert pictures.preview(Image(large)).shape == (125, 1024, 3)


def test_no_bar_of_checks_lies_across_a_threshold():
    from fabsight.report.prediction import SCORE_BINS

    for threshold in (DOUBTFUL, CONFIRMED):
        assert threshold * SCORE_BINS == pytest.approx(round(threshold * SCORE_BINS))
    text = histogram("check", [0.49, 0.5, 0.51, 0.8], "said", Guides(None, (), (0.0, 1.0), 20))
    assert "<title>0.45 to 0.5: 1</title>" in text
    assert "<title>0.5 to 0.55: 2</title>" in text

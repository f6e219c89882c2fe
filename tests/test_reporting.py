import base64
import csv
import io
import json
import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabsight.images import save_png
from fabsight.report import gallery, markup, pictures
from fabsight.report.charts import axis, histogram, interval
from fabsight.report.markup import escape, table
from fabsight.report.tables import csv_bytes, read_csv
from fabsight.reporting import report
from fabsight.task import FabsightError

EVIL = "\"><img src=x onerror=alert(1)><script>alert('x')</script>&amp;\x1b[2J"


def result(path, score=0.9, **more):
    check = {"score": score, "coverage": 1.0, "independent": True, "evidence": {"edges": score}}
    row = {"path": path, "task": "toy", "model": "embedded", "text": "A 1", "answer": 1}
    row |= {"check": check, "scale": None, "error": "", "warnings": []}
    return row | more


def failure(path):
    return result(path, check=None, text="", answer=None, error="read x: broken; copy it again")


def write_run(folder, rows):
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(row) for row in rows]
    (folder / "results.jsonl").write_text("".join(f"{line}\n" for line in lines))
    return folder


class Page(HTMLParser):
    """Tags, attributes and text of a page, and that every element is closed in order."""

    EMPTY = ("meta", "img", "input", "br")

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text, self.open = [], [], "", []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def page_of(run):
    return Page(report(run).read_text())


# ---- what a page holds


def test_the_page_is_complete_in_itself(tmp_path):
    save_png(tmp_path / "o.png", np.zeros((9, 9, 3), np.uint8))
    files = {"overlay": "o.png", "input": "o.png", "gds": "a b.gds"}
    page = page_of(write_run(tmp_path, [result("a.png", files=files)]))
    links = [value for _, name, value in page.attributes if name in ("src", "href")]
    assert "./a%20b.gds" in links
    assert all(link.startswith(("data:image/", "#", "./")) for link in links)
    assert not {name for _, name, _ in page.attributes if name.startswith("on") or name == "style"}


def test_the_policy_allows_the_pages_own_style_and_script_only(tmp_path):
    import hashlib

    text = report(write_run(tmp_path, [result("a.png")])).read_text()
    (policy,) = [v for _, n, v in Page(text).attributes if n == "content" and "default" in v]
    assert policy.startswith("default-src 'none'; img-src data:;")
    for tag in ("style", "script"):
        (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_names_and_texts_cannot_become_markup(tmp_path):
    check = {"score": 0.5, "coverage": 1, "independent": True, "evidence": {EVIL: EVIL}}
    row = result(
        f"/lot/{EVIL}.png", text=f"{EVIL}\n{EVIL}", check=check, warnings=[EVIL], model=EVIL,
        task=EVIL, scale={"nm_per_px": 1.0, "source": EVIL}, files={EVIL: EVIL},
    )  # fmt: skip
    run = write_run(tmp_path, [row, result("b", error=EVIL)])
    (run / "tables").mkdir()
    (run / "tables" / "toy.csv").write_bytes(csv_bytes([{EVIL: EVIL, "n": 1}, {"n": 2}]))
    page = page_of(run)
    assert page.tags.count("script") == 1
    assert "img" not in page.tags
    assert "alert('x')" in page.text
    assert "\x1b" not in page.text
    assert not [n for _, n, _ in page.attributes if n.startswith("on")]


@given(st.text())
def test_escaped_text_reads_back_as_itself(text):
    page = Page(f'<p title="{escape(text)}">{escape(text)}</p>')
    shown = "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)
    assert page.text == shown
    assert page.tags == ["p"]


def test_pictures_outside_the_run_folder_are_not_shown(tmp_path):
    save_png(tmp_path / "secret.png", np.zeros((9, 9, 3), np.uint8))
    files = {"overlay": "../secret.png", "input": str(tmp_path / "secret.png")}
    page = page_of(write_run(tmp_path / "run", [result("a.png", files=files)]))
    assert "img" not in page.tags


def test_failures_and_low_checks_come_first_and_are_counted(tmp_path):
    rows = [result("good.png", 0.95), result("poor.png", 0.2), failure("broken.png")]
    page = page_of(write_run(tmp_path, rows))
    names = [v for tag, n, v in page.attributes if (tag, n) == ("article", "data-name")]
    assert names == ["broken.png", "poor.png", "good.png"]
    assert "read x: broken; copy it again" in page.text
    assert re.search(r"failed\s*1", page.text)


def test_what_many_inputs_leave_out_is_said_and_the_page_stays_small(tmp_path, monkeypatch):
    monkeypatch.setattr(gallery, "budget", lambda count: pictures.Budget(16, min(count, 10)))
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    save_png(tmp_path / "o.png", noise)
    rows = [result(f"{i}.png", files={"overlay": "o.png"}) for i in range(25)]
    page = page_of(write_run(tmp_path, rows))
    assert page.tags.count("article") == 10
    assert "10 of 25 inputs are shown here" in page.text
    assert "24.png" in page.text  # still in the table


def test_thousands_of_inputs_fit_in_thirty_megabytes():
    noise = np.random.default_rng(0).integers(0, 256, (720, 720, 3), np.uint8)
    for count in (10, 100, 1000, 100_000):
        fit = pictures.budget(count)
        each = fit.edge_px**2 * 0.8
        assert 2 * each * min(fit.count, count) <= pictures.PAGE_BYTES
    del noise


@pytest.mark.parametrize("edge_px", [160, 400])
def test_a_noisy_picture_is_as_small_as_the_budget_says(tmp_path, edge_px):
    rng = np.random.default_rng(0)
    grey = np.clip(rng.normal(110, 25, (720, 720, 1)), 0, 255).astype(np.uint8)
    save_png(tmp_path / "n.png", np.repeat(grey, 3, axis=2))
    uri = pictures.data_uri(tmp_path / "n.png", edge_px)
    assert len(uri) < 0.8 * edge_px**2


def test_a_table_too_long_for_the_page_says_so(monkeypatch):
    monkeypatch.setattr(markup, "MAX_TABLE_ROWS", 3)
    text = table(["a"], [{"a": i} for i in range(5)])
    assert text.count("<tr>") == 4
    assert "The first 3 of 5 rows" in text


def test_several_runs_make_one_page(tmp_path):
    write_run(tmp_path / "bar", [result("a.png", task="bar")])
    write_run(tmp_path / "shade", [result("b.png", task="shade"), failure("c.png")])
    page = page_of(tmp_path)
    assert "Answers of bar" in page.text
    assert "Answers of shade" in page.text
    rows = list(csv.DictReader(io.StringIO((tmp_path / "report.csv").read_text())))
    assert [row["path"] for row in rows] == ["a.png", "b.png", "c.png"]


def test_measurements_are_shown_with_their_distributions(tmp_path):
    run = write_run(tmp_path, [result("a.png")])
    (run / "tables").mkdir()
    rows = [{"input": "a.png", "cd_nm": 20.0 + i / 7} for i in range(20)]
    (run / "tables" / "toy_wires.csv").write_bytes(csv_bytes(rows))
    page = page_of(run)
    assert "toy wires" in page.text
    assert re.search(r"cd, nm\s*median 21.36 nm", page.text)


@pytest.mark.parametrize("rows", [[], [failure("a")], [result("a"), result("b")]])
def test_small_runs_have_a_page(tmp_path, rows):
    assert page_of(write_run(tmp_path, rows)).text


@pytest.mark.parametrize(
    ("content", "said"),
    [('{"path": "a', "line 1: not JSON"), ("[1]", "line 1: expected an object")],
)
def test_a_damaged_run_is_refused_with_the_line(tmp_path, content, said):
    (tmp_path / "results.jsonl").write_text(content)
    with pytest.raises(FabsightError, match=said):
        report(tmp_path)


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(FabsightError, match="give a folder that"):
        report(tmp_path)


# ---- evaluation


def graded(source, iou, **more):
    row = {"source": source, "text": "A 1", "error": "", "metrics": {"iou": iou, "f1": 9.0}}
    row |= {"check": {"score": iou, "evidence": {}}, "group": "", "kind": "k", "difficulty": ""}
    return row | {"seconds": 0.1} | more


def test_an_evaluation_shows_floors_intervals_and_the_worst_first(tmp_path):
    rows = [graded(f"{i}.png", i / 20) for i in range(20)] + [
        graded("bad.png", 0.0, error="line 1: expected A", check=None)
    ]
    totals = {
        "task": "toy", "model": "m", "data": "d", "count": 21, "unreadable": 1,
        "metrics": {"iou": 0.45, "f1": 0.7}, "metrics_readable": {"iou": 0.475},
        "floor": {"iou": 0.3}, "intervals": {"iou": [0.4, 0.5]},
        "spread": {"iou": {"std": 0.1, "median": 0.4, "p90": 0.9, "count": 21}},
        "by_kind": {"k": {"count": 21, "unreadable": 1, "metrics": {"iou": 0.45}}},
        "by_difficulty": {}, "seconds_per_example": 0.1,
        "metric_notes": {"iou": {"better": "higher", "unit": ""}},
    }  # fmt: skip
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "evaluation.json").write_text(json.dumps(totals))
    page = page_of(tmp_path)
    names = [v for tag, n, v in page.attributes if (tag, n) == ("article", "data-name")]
    assert names[:3] == ["bad.png", "0.png", "1.png"]
    assert len(names) == 10
    assert "0.4 to 0.5" in page.text
    assert "sd 0.3" in page.text
    assert "f1: " not in str(page.attributes)  # a corpus metric has no value for one example
    assert {v for _, n, v in page.attributes if n == "class"} >= {"floor", "whisker", "dot"}


# ---- pieces


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), max_size=40))
def test_a_histogram_shows_every_finite_value_once(values):
    text = histogram("x", values)
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

import base64
import csv
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from urllib.parse import unquote

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.toys import BAR

from fabsight.images import save_png
from fabsight.report import gallery, pictures
from fabsight.report.entries import CONFIRMED, DOUBTFUL
from fabsight.report.markup import escape
from fabsight.report.tables import csv_bytes
from fabsight.reporting import RUNS_OF, report
from fabsight.task import FabsightError, TableView

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
        self.tags, self.elements, self.attributes, self.text, self.open = [], [], [], "", []
        self.caption, self.columns = "", {}  # of each table: its caption -> its heads
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.elements.append((tag, attrs))
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if "caption" in self.open:
            self.caption = data
            self.columns[data] = []
        elif "thead" in self.open and self.caption:
            heads = self.columns[self.caption]
            if self.open[-1] == "span":
                heads[-1] += data
            else:
                heads.append(data)


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
    assert re.search(r"no answer\s*1", page.text)


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
    uri, size = pictures.data_uri(tmp_path / "n.png", edge_px)
    assert size == (edge_px, edge_px)
    assert len(uri) < 0.8 * edge_px**2


def test_a_demos_runs_make_one_page(tmp_path):
    (tmp_path / RUNS_OF).touch()
    write_run(tmp_path / "bar", [result("a.png", task="bar")])
    write_run(tmp_path / "shade", [result("b.png", task="shade"), failure("c.png")])
    page = page_of(tmp_path)
    assert "Answers of bar" in page.text
    assert "Answers of shade" in page.text
    rows = list(csv.DictReader(io.StringIO((tmp_path / "report.csv").read_text())))
    assert [row["path"] for row in rows] == ["a.png", "b.png", "c.png"]


VIEW = TableView({"cd": "CD", "cd_se": "CD error", "id": "id"}, ("cd",), by="kind")


def measured(folder, rows, view=VIEW):
    """The page of a run with a table of measurements."""
    run = write_run(folder, [result(f"/lot/{name}.png", task="bar") for name in "ab"])
    (run / "tables").mkdir(exist_ok=True)
    (run / "tables" / "bar_widths.csv").write_bytes(csv_bytes(rows))
    return Page(report(run, tasks={"bar": replace(BAR, views={"widths": view})}).read_text())


def test_measurements_begin_with_what_a_person_decides_by(tmp_path):
    rows = [
        {"input": "a.png", "id": f"W{i}", "kind": "wire", "depth_px": None, "cd_px": 8.0 + i / 7,
         "cd_nm": 20.0 + i, "cd_se_px": 0.1, "cd_se_nm": 0.25, "edge": "mid"}
        for i in range(20)
    ]  # fmt: skip
    rows += [{"input": "a.png", "id": "none", "kind": "wire", "cd_px": None}]
    page = measured(tmp_path, rows)
    assert page.columns["measurements: wire, in nm"] == ["CD nm", "CD error nm", "id"]
    assert "21 rows, 20 with a measurement" in page.text
    assert "edge mid" in page.text  # what is the same in every row is said once
    assert "depth" not in page.text
    assert "mean 29.5 nm · n 20 · 3 sigma 17.7 nm" in page.text
    assert ("a", "href", "./tables/bar_widths.csv") in page.attributes


def test_inputs_with_and_without_scale_share_no_column(tmp_path):
    rows = [{"input": "a.png", "kind": "wire", "cd_px": 8.0, "cd_nm": 20.0 + i} for i in range(9)]
    rows += [{"input": "b.png", "kind": "wire", "cd_px": 8.0 + i, "cd_nm": None} for i in range(9)]
    rows += [{"input": "b.png", "kind": "via", "cd_px": 3.0, "cd_nm": None}]
    page = measured(tmp_path, rows)
    assert page.columns["measurements: wire, in nm"] == ["CD nm"]
    assert page.columns["measurements: wire, in px, scale not known"] == ["CD px"]
    assert "measurements: via, in px, scale not known" in page.columns


def test_each_input_has_its_own_mean(tmp_path):
    rows = [{"input": f"{n}.png", "cd_nm": mean + i} for n, mean in (("a", 20.0), ("b", 30.0))
            for i in range(5)]  # fmt: skip
    page = measured(tmp_path, rows, TableView({"cd": "CD"}, ("cd",)))
    assert page.columns["CD per input"][:4] == ["input", "mean nm", "3 sigma nm", "least nm"]
    assert re.search(r"a\.png22\.04\.7.*b\.png32\.04\.7", page.text)
    assert page.tags.count("figure") == 2  # CD and check: nobody decides by the others


def test_a_task_that_is_not_known_still_has_its_tables(tmp_path):
    run = write_run(tmp_path, [result("a.png")])
    (run / "tables").mkdir()
    (run / "tables" / "toy_wires.csv").write_bytes(csv_bytes([{"input": "a.png", "cd_nm": 20.5}]))
    page = page_of(run)
    assert "toy wires" in page.text
    assert page.columns["measurements: in nm"] == ["cd nm"]


def test_files_are_named_without_their_folders(tmp_path):
    rows = [result("/lot 1/wafer/1.png"), result("/lot 2/wafer/1.png"), failure("/lot 2/2.png")]
    rows[2]["error"] = "read image: /lot 2/2.png: broken"
    page = page_of(write_run(tmp_path, rows))
    assert "/lot" not in page.text.replace("lot 1/wafer", "").replace("lot 2/wafer", "")
    assert "lot 2/wafer/1.png" in page.text
    assert "read image: 2.png: broken" in page.text
    assert "/lot 2/2.png" in [v for _, n, v in page.attributes if n == "title"]


def test_every_link_leads_somewhere_and_ids_are_unique(tmp_path, monkeypatch):
    monkeypatch.setattr(gallery, "budget", lambda _: pictures.Budget(16, 3))
    run = write_run(tmp_path, [result(f"{i}.png", i / 20) for i in range(20)] + [failure("x.png")])
    page = page_of(run)
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    links = {v[1:] for _, n, v in page.attributes if n == "href" and v.startswith("#")}
    assert links <= set(ids)
    assert {f"input-0-{i}" for i in range(10)} <= set(ids)


def test_pictures_words_and_headings_serve_those_who_do_not_see_colours(tmp_path):
    save_png(tmp_path / "o.png", np.zeros((9, 18, 3), np.uint8))
    files = {"overlay": "o.png", "input": "o.png"}
    page = page_of(write_run(tmp_path, [result("a.png", 0.3, files=files), result("b.png")]))
    images = [dict(attrs) for tag, attrs in page.elements if tag == "img"]
    assert [image["alt"] for image in images] == [
        "a.png: input", "a.png: answer drawn over the input"
    ]  # fmt: skip
    assert all((i["width"], i["height"], i["decoding"]) == ("18", "9", "async") for i in images)
    assert "0.30 contradicted" in page.text
    assert "0.90 confirmed" in page.text
    levels = [int(tag[1]) for tag in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(below - above <= 1 for above, below in pairwise(levels))
    scrolled = [dict(a) for t, a in page.elements if dict(a).get("class") == "scroll"]
    assert scrolled
    assert all(s["role"] == "region" and s["aria-label"] for s in scrolled)


def test_the_guide_says_the_thresholds_and_what_the_task_says(tmp_path):
    task = replace(BAR, guide={"Overlay": "Green is the bar."})
    (write_run(tmp_path, [result("a.png", task="bar")]) / "batch.json").write_text(
        json.dumps({"version": "9.9", "settings": {"model": "m", "context": {"threshold": 90.0}}})
    )
    text = Page(report(tmp_path, tasks={"bar": task}).read_text()).text
    assert f"From {CONFIRMED:.2f} this page says confirmed, from {DOUBTFUL:.2f} doubtful" in text
    assert "Green is the bar." in text
    assert "bar: model m · threshold 90 (changed) · made by fabsight 9.9" in text


def test_seconds_come_from_the_sidecar_if_it_fits(tmp_path):
    run = write_run(tmp_path, [result("a.png"), result("b.png")])
    assert "median time" not in page_of(run).text
    (run / "timings.jsonl").write_text('{"seconds": 0.25}\n{"seconds": 0.75}\n')
    assert re.search(r"median time\s*0\.500 s", page_of(run).text)
    (run / "timings.jsonl").write_text('{"seconds": 0.25}\n')
    assert "median time" not in page_of(run).text


@pytest.mark.parametrize("rows", [[], [failure("a")], [result("a"), result("b")]])
def test_small_runs_have_a_page(tmp_path, rows):
    assert page_of(write_run(tmp_path, rows)).text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"path": "a', "line 1: not JSON"),
        ("[1]", "line 1: expected an object"),
        ('{"path": "a", "model": ""}', "line 1: task, error missing"),
    ],
)
def test_a_damaged_run_is_refused_with_the_line(tmp_path, content, said):
    (tmp_path / "results.jsonl").write_text(content)
    with pytest.raises(FabsightError, match=said):
        report(tmp_path)


def test_a_folder_that_is_no_run_is_refused_and_left_as_it_is(tmp_path):
    with pytest.raises(FabsightError, match="give a folder that"):
        report(tmp_path)
    write_run(tmp_path / "mine", [result("a.png")])
    with pytest.raises(FabsightError, match=r"such as .*mine"):
        report(tmp_path)  # it only holds a run
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_page_written_elsewhere_links_back(tmp_path):
    run = write_run(tmp_path / "run", [result("a.png", files={"gds": "a b.gds"})])
    (tmp_path / "pages").mkdir()
    for out, name in (("pages", "report"), ("pages/lot 7.html", "lot 7")):
        written = report(run, tmp_path / out)
        assert written == tmp_path / "pages" / f"{name}.html"
        page = Page(written.read_text())
        links = [v for _, n, v in page.attributes if n == "href" and v.startswith(".")]
        assert "./../run/a%20b.gds" in links
        assert all((written.parent / unquote(v)).exists() for v in links if v.endswith("csv"))
    assert [path.name for path in run.iterdir()] == ["results.jsonl"]


@pytest.mark.parametrize(
    ("out", "said"), [("none", "ends in .html"), ("none/a.html", "check that the folder exists")]
)
def test_a_page_that_cannot_be_written_is_refused(tmp_path, out, said):
    run = write_run(tmp_path / "run", [result("a.png")])
    with pytest.raises(FabsightError, match=said):
        report(run, tmp_path / out)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


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
    assert "0.400 to 0.500" in page.text
    assert "median 0.450 · n 21 · 0.000 to 0.950" in page.text
    assert "f1: " not in str(page.attributes)  # a corpus metric has no value for one example
    assert {v for _, n, v in page.attributes if n == "class"} >= {"floor", "whisker", "dot"}


def test_an_evaluation_names_broken_and_empty_and_links_to_all(tmp_path):
    empty = {"score": 0.5, "coverage": 0.0, "evidence": {"reason": "no edges"}}
    rows = [graded(f"/lot/{i}.png", 0.5 + i / 40) for i in range(20)]
    rows += [graded("/lot/e.png", 1.0, check=empty)]
    rows += [graded("/lot/examples.jsonl:3", 0.0, error="no image", check=None, broken=True)]
    totals = {
        "task": "toy", "model": "m", "data": "/lot", "count": 22, "unreadable": 0,
        "broken": {"count": 1, "lines": []}, "metrics": {"iou": 0.7, "off_px": 3.0},
        "best": {"iou": 1.0, "off_px": 0.0}, "spread": {"iou": {}, "off_px": {}},
        "metric_notes": {"iou": {"better": "higher", "unit": ""},
                         "off_px": {"better": "target", "unit": "px"}},
    }  # fmt: skip
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "evaluation.json").write_text(json.dumps(totals))
    page = page_of(tmp_path)
    assert re.search(r"broken examples\s*1", page.text)
    assert "Empty answer" in page.text
    assert "examples.jsonl:3 no image" in page.text
    assert "off px \u2192 truth" in page.text
    assert "/lot" not in page.text
    assert "n 21" in page.text  # nothing was asked of the broken one: it took no time
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {f"example-{i}" for i in range(22)} <= set(ids)

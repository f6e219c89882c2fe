"""Cards of a run: input beside overlay, check, warnings, the answer's text, files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fabsight.report.markup import element, escape, link, number, section
from fabsight.report.pictures import Budget, budget, picture

GOOD, DOUBTFUL = 0.8, 0.5  # how the score is coloured; its number is always beside it
LONGEST_TEXT = 20_000
MOST_FAILED = 48  # cards without a picture; the list above them says how many there are
MOST_EVIDENCE = 6
HIDDEN_FILES = ("input", "overlay")


def gallery(
    run: Path, folder: Path, rows: Sequence[Mapping[str, Any]], head: tuple[str, int]
) -> str:
    """The cards of the run in run/folder, those that need a look first: failures, low checks.

    `head` is the section's name and how many inputs the whole page shows. Pictures shrink with
    their number and cards beyond the page's budget are left out, which the section's note says.
    """
    name, count = head
    whole = budget(count)
    fit = Budget(whole.edge_px, max(1, whole.count * len(rows) // max(count, 1)))
    order = sorted(range(len(rows)), key=lambda i: (_score(rows[i]), i))
    failed = sum(_score(row) < 0 for row in rows)
    shown = order[: min(failed, MOST_FAILED)] + order[failed : failed + fit.count]
    cards = "".join(card(run, folder, rows[i], i, fit) for i in shown)
    note = "Input left, answer drawn over it right. Failures and the lowest checks come first."
    if len(shown) < len(rows):
        note += (
            f" {len(shown):,} of {len(rows):,} inputs are shown here so that the page stays "
            "small; all are in the tables and in the run folder."
        )
    grid = element("div", cards, class_="gallery")
    return section(name, (toolbar() + grid) if cards else "", name.lower().replace(" ", "-"), note)


def toolbar() -> str:
    """Sorting, filtering and paging of the cards that follow; shown when scripts run."""
    sorts = "".join(
        element("button", label, type="button", data_sort=by, aria_pressed=pressed)
        for by, label, pressed in (
            ("score", "lowest check", "true"),
            ("order", "as given", "false"),
            ("name", "name", "false"),
        )
    )
    find = element("input", type="search", placeholder="file name", aria_label="file name")
    steps = (
        element("button", "previous", type="button", data_step="-1"),
        element("span", ""),
        element("button", "next", type="button", data_step="1"),
    )
    pager = element("span", " ".join(steps), class_="pager")
    return element(
        "div",
        f"Order {sorts} {find.removesuffix('</input>')} {pager}",
        class_="toolbar",
        hidden=True,
    )


def card(run: Path, folder: Path, row: Mapping[str, Any], index: int, fit: Budget) -> str:
    """One input: pictures, name, score, what is wrong, evidence, text and files."""
    name = Path(str(row["path"])).name
    files = {k: (folder / f).as_posix() for k, f in (row.get("files") or {}).items()}
    pictures = [
        shown
        for key, what in (("input", "input"), ("overlay", "answer over input"))
        if key in files and (shown := picture(run, files[key], fit.edge_px, f"{name}: {what}"))
    ]
    pair = element("div", "".join(pictures), class_="pair" if len(pictures) == 2 else "pair single")
    title = element("span", escape(name), class_="name", title=str(row["path"])) + _badge(row)
    parts = [element("div", title, class_="title")]
    if row["error"]:
        parts.append(element("p", escape(row["error"]), class_="bad"))
    parts += [element("p", escape(w), class_="warn") for w in row.get("warnings", ())]
    parts += [_facts(row), _text(row.get("text") or ""), _files(files)]
    body = element("div", "".join(parts), class_="body")
    return element(
        "article",
        (pair if pictures else "") + body,
        class_="card",
        data_name=name,
        data_score=repr(_score(row)),
        data_order=index,
    )


def _score(row: Mapping[str, Any]) -> float:
    """What cards are ordered by: a failure comes before every score."""
    check = row.get("check")
    return -1.0 if row["error"] or check is None else float(check["score"])


def _badge(row: Mapping[str, Any]) -> str:
    score = _score(row)
    if score < 0:
        return element("span", "failed", class_="score bad")
    tone = "good" if score >= GOOD else "warn" if score >= DOUBTFUL else "bad"
    return element("span", f"check {score:.2f}", class_=f"score {tone}")


def _facts(row: Mapping[str, Any]) -> str:
    scale = row.get("scale") or {}
    check = row.get("check") or {}
    facts = [
        f"{name.replace('_', ' ')} {number(value)}"
        for name, value in list(check.get("evidence", {}).items())[:MOST_EVIDENCE]
    ]
    if scale.get("nm_per_px"):
        facts.append(f"{number(float(scale['nm_per_px']))} nm/px ({scale.get('source', '')})")
    return element("p", escape(" · ".join(facts)), class_="facts") if facts else ""


def _text(text: str) -> str:
    if not text:
        return ""
    shown = text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "\n(cut here)"
    lines = len(text.splitlines())
    if lines == 1 and len(text) <= 200:
        return element("p", escape(text))
    summary = element("summary", f"answer, {lines} lines")
    return element("details", summary + element("pre", escape(shown)))


def _files(files: Mapping[str, str]) -> str:
    links = [link(path, name) for name, path in files.items() if name not in HIDDEN_FILES]
    return element("p", " ".join(links), class_="files") if links else ""

"""Cards of a run: input beside overlay, what the check says, warnings, the answer's text, files."""

from collections.abc import Mapping, Sequence

from fabsight.report.entries import NO_ANSWER, Entry, Place
from fabsight.report.markup import element, escape, number, section
from fabsight.report.pictures import Budget, budget, picture

LONGEST_TEXT = 20_000
LONGEST_PROSE = 1500  # one line up to this long is read without opening it
MOST_FAILED = 48  # cards without a picture; the list above them says how many there are
HIDDEN_FILES = ("input", "overlay")


def chosen(entries: Sequence[Entry], count: int) -> tuple[list[Entry], Budget]:
    """The entries that get a card, what needs a look first, and how large their pictures may be.

    `count` is how many inputs the whole page shows. Pictures shrink with their number; cards beyond
    the page's budget are left out.
    """
    whole = budget(count)
    fit = Budget(whole.edge_px, max(1, whole.count * len(entries) // max(count, 1)))
    order = sorted(entries, key=urgency)
    failed = sum(entry.verdict is NO_ANSWER for entry in order)
    return order[: min(failed, MOST_FAILED)] + order[failed : failed + fit.count], fit


def urgency(entry: Entry) -> tuple[int, float, int]:
    """What entries are ordered by: failures, empty answers, then the lowest check first."""
    return min(entry.verdict.rank, 2), entry.score or 0.0, entry.index


def gallery(place: Place, cards: Sequence[Entry], fit: Budget, title: str, count: int) -> str:
    """The section of the cards; its note says when only some of `count` inputs have one."""
    note = "Left the input, right the answer drawn over it. What needs a look comes first."
    if len(cards) < count:
        note += (
            f" {len(cards):,} of {count:,} inputs are shown here so that the page stays "
            "small; all are in the tables and in the run folder."
        )
    drawn = "".join(card(place, entry, order, fit) for order, entry in enumerate(cards))
    grid = element("div", drawn, class_="gallery")
    identifier = title.lower().replace(" ", "-")
    return section(title, toolbar() * (len(cards) > 1) + grid * bool(cards), identifier, note)


def toolbar() -> str:
    """Sorting, filtering and paging of the cards that follow; shown when scripts run."""
    sorts = "".join(
        element("button", label, type="button", data_sort=by, aria_pressed=pressed)
        for by, label, pressed in (
            ("urgency", "lowest check", "true"),
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


def card(place: Place, entry: Entry, order: int, fit: Budget, said: Sequence[str] = ()) -> str:
    """One input: pictures, name, verdict, what is wrong, text and files.

    `order` is its place among the cards; `said` stands first.
    """
    row = entry.row
    files = {k: (entry.folder / f).as_posix() for k, f in (row.get("files") or {}).items()}
    pictures = [
        shown
        for key, what in (("input", "input"), ("overlay", "answer drawn over the input"))
        if key in files
        and (shown := picture(place.run, files[key], fit.edge_px, f"{entry.name}: {what}"))
    ]
    pair = element("div", "".join(pictures), class_="pair" if len(pictures) == 2 else "pair single")
    name = element("h3", escape(entry.name), class_="name", title=str(row["path"]))
    parts = [element("div", name + badge(entry), class_="title")]
    parts += [element("p", escape(line)) for line in said]
    if entry.error:
        parts.append(element("p", escape(entry.error), class_="bad"))
    parts += [element("p", escape(w), class_="warn") for w in row.get("warnings", ())]
    parts += [element("p", escape(fact), class_="facts") for fact in _facts(entry)]
    parts += [_text(row.get("text") or ""), _files(place, files)]
    body = element("div", "".join(parts), class_="body")
    return element(
        "article",
        (pair if pictures else "") + body,
        id=entry.anchor,
        class_="card",
        data_name=entry.name,
        data_urgency=order,
        data_order=entry.index,
    )


def badge(entry: Entry) -> str:
    """The verdict in words, with the score where there is one."""
    score = "" if entry.score is None or entry.error else f"{entry.score:.2f} "
    said = f"{score}{entry.verdict.word}"
    return element("span", said, class_=f"score {entry.verdict.tone}")


def _facts(entry: Entry) -> list[str]:
    """What the check says in words, and the scale."""
    match entry.row.get("scale"):
        case {"nm_per_px": float() | int() as size, "source": source}:
            return [*entry.remarks, f"{number(size)} nm/px ({source})"]
    return entry.remarks


def _text(text: str) -> str:
    if not text:
        return ""
    shown = text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "\n(cut here)"
    lines = len(text.splitlines())
    if lines == 1 and len(text) <= LONGEST_PROSE:
        return element("p", escape(text))
    summary = element("summary", f"answer, {lines} lines")
    return element("details", summary + element("pre", escape(shown), tabindex="0"))


def _files(place: Place, files: Mapping[str, str]) -> str:
    links = [place.link(path, name) for name, path in files.items() if name not in HIDDEN_FILES]
    return element("p", " ".join(links), class_="files") if links else ""

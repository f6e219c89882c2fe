"""The list at the top of a page: what a person should look at, why, and where it is."""

from collections.abc import Callable, Iterator, Sequence

from fabsight.report.entries import (
    CONTRADICTED,
    DOUBTFUL,
    EMPTY_ANSWER,
    IN_DOUBT,
    NO_ANSWER,
    Entry,
)
from fabsight.report.gallery import urgency
from fabsight.report.markup import element, escape, section

MOST_LINES = 12  # in a group
MOST_LINKS = 8  # in a line


def to_look_at(entries: Sequence[Entry], title: str = "To look at") -> str:
    """A section: groups of inputs that need a look, each with its reason and a link to it.

    Inputs with the same reason share a line. Without any, the section says so.
    """
    ordered = sorted(entries, key=urgency)
    groups = [
        ("No answer", _by_reason(_having(ordered, NO_ANSWER), _errors)),
        ("Empty answer: nothing of the image is accounted for", _each(ordered, EMPTY_ANSWER)),
        (f"Contradicted: check below {DOUBTFUL:.2f}", _each(ordered, CONTRADICTED)),
        ("Doubtful", _together(_having(ordered, IN_DOUBT))),
        ("Warnings", _by_reason(ordered, _warnings)),
    ]
    found = "".join(_group(name, lines) for name, lines in groups if lines)
    if not found and entries:
        found = element("p", "Nothing: every answer is confirmed, without a warning.")
    return section(title, found, title.lower().replace(" ", "-"))


def _having(entries: Sequence[Entry], verdict: object) -> list[Entry]:
    return [entry for entry in entries if entry.verdict is verdict]


def _each(entries: Sequence[Entry], verdict: object) -> list[str]:
    """A line for each entry: link, score, what the check says."""
    return [
        f"{entry.link} {element('span', escape(_said(entry)), class_='subtitle')}"
        for entry in _having(entries, verdict)
    ]


def _said(entry: Entry) -> str:
    score = "" if entry.score is None else f"{entry.score:.2f}"
    return " · ".join([score, *entry.remarks])


def _together(entries: Sequence[Entry]) -> list[str]:
    """One line of links with scores."""
    links = [f"{entry.link} {entry.score:.2f}" for entry in entries]
    return [_listed(links)] if links else []


def _errors(entry: Entry) -> Iterator[str]:
    yield entry.error.replace(f"{entry.name}: ", "") or "nothing to check"


def _warnings(entry: Entry) -> Iterator[str]:
    yield from entry.row.get("warnings", ())


def _by_reason(entries: Sequence[Entry], reasons: Callable[[Entry], Iterator[str]]) -> list[str]:
    """A line for each reason, with links to the inputs it concerns."""
    concerned: dict[str, list[str]] = {}
    for entry in entries:
        for reason in reasons(entry):
            concerned.setdefault(reason, []).append(entry.link)
    return [
        f"{_listed(links)} {element('span', escape(reason), class_='subtitle')}"
        for reason, links in concerned.items()
    ]


def _listed(links: Sequence[str]) -> str:
    named = ", ".join(links[:MOST_LINKS])
    return named if len(links) <= MOST_LINKS else f"{named} and {len(links) - MOST_LINKS:,} more"


def _group(name: str, lines: Sequence[str]) -> str:
    shown = [element("li", line) for line in lines[:MOST_LINES]]
    if len(lines) > MOST_LINES:
        shown.append(element("li", f"and {len(lines) - MOST_LINES:,} more, in the CSV file"))
    return element("h3", escape(name)) + element("ul", "".join(shown), class_="notes")

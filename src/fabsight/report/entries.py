"""One input as every part of the page shows it, and what the score of its check is called."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from fabsight.report.markup import element, escape, link

CONFIRMED, DOUBTFUL = 0.8, 0.5  # the only thresholds of the page; its guide quotes them

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Verdict:
    """What a check amounts to, in a word; the colour never stands alone.

    Attributes:
        word: What the page calls it.
        tone: Its colour: "good", "warn" or "bad".
        rank: What needs a look first comes first.
    """

    word: str
    tone: str
    rank: int


NO_ANSWER = Verdict("no answer", "bad", 0)
EMPTY_ANSWER = Verdict("empty", "bad", 1)
CONTRADICTED = Verdict("contradicted", "bad", 2)
IN_DOUBT = Verdict("doubtful", "warn", 3)
WELL = Verdict("confirmed", "good", 4)


@dataclass(frozen=True)
class Place:
    """Where the page is.

    Attributes:
        run: The run folder it is about; pictures are read from there.
        base: That folder as the page's links name it.
        csv: Name of the CSV file beside the page.
    """

    run: Path
    base: str = "."
    csv: str = "report.csv"

    def link(self, relative: str, text: str) -> str:
        """A link to a file of the run folder."""
        return link(f"{self.base}/{relative}", text)


@dataclass(frozen=True)
class Run:
    """What a run folder holds.

    Attributes:
        rows: Its results.
        seconds: Wall time of each, None where it is not known.
        batch: What batch.json says of how it was made, {} without.
    """

    rows: Sequence[Record]
    seconds: Sequence[float | None]
    batch: Record


@dataclass(frozen=True)
class Entry:
    """One result.

    Attributes:
        row: The result as its file has it.
        index: Its place in the order the inputs were given in.
        name: The file's name, with as many of its folders as tell it from the others.
        anchor: Its id on the page.
        folder: Its run folder, relative to the one the page is about.
        seconds: Wall time of answering, None where it is not known.
    """

    row: Record
    index: int
    name: str
    anchor: str
    folder: Path = Path()
    seconds: float | None = None

    @property
    def check(self) -> Record:
        """The check, {} where there was no answer to check."""
        return self.row.get("check") or {}

    @property
    def score(self) -> float | None:
        """The check's score, None where there was no answer to check."""
        return float(self.check["score"]) if self.check else None

    @property
    def verdict(self) -> Verdict:
        """What its check amounts to."""
        if self.row["error"] or self.score is None:
            return NO_ANSWER
        if self.check.get("coverage") == 0:
            return EMPTY_ANSWER
        return verdict(self.score)

    @property
    def remarks(self) -> list[str]:
        """What the check says in words."""
        evidence = self.check.get("evidence", {})
        return [f"{name}: {said}" for name, said in evidence.items() if isinstance(said, str)]

    @property
    def link(self) -> str:
        """A link to where the page shows it."""
        return element("a", escape(self.name), href=f"#{self.anchor}", title=str(self.row["path"]))

    @property
    def target(self) -> str:
        """The name where links lead that has no card."""
        path = str(self.row["path"])
        return element("span", escape(self.name), id=self.anchor, title=path)

    @property
    def error(self) -> str:
        """What went wrong, naming the file without its folders."""
        return str(self.row["error"]).replace(str(self.row["path"]), self.name)


def verdict(score: float) -> Verdict:
    """What a score is called.

    >>> [verdict(score).word for score in (0.8, 0.79, 0.5, 0.49)]
    ['confirmed', 'doubtful', 'doubtful', 'contradicted']
    """
    if score >= CONFIRMED:
        return WELL
    return IN_DOUBT if score >= DOUBTFUL else CONTRADICTED


def short_names(paths: Sequence[str]) -> list[str]:
    """File names, each with as many of its folders as tell it from the other paths.

    >>> short_names(["/a/x/1.png", "/a/y/1.png", "/a/y/2.png"])
    ['x/1.png', 'y/1.png', '2.png']
    """
    parts = [PurePosixPath(path).parts or ("",) for path in paths]
    depth = dict.fromkeys(paths, 1)
    while True:
        owners: dict[tuple[str, ...], set[str]] = {}
        for path, own in zip(paths, parts, strict=True):
            owners.setdefault(own[-depth[path] :], set()).add(path)
        longest = {path: len(own) for path, own in zip(paths, parts, strict=True)}
        shared = [p for group in owners.values() if len(group) > 1 for p in group]
        unsettled = [path for path in shared if depth[path] < longest[path]]
        if not unsettled:
            return ["/".join(own[-depth[p] :]) for p, own in zip(paths, parts, strict=True)]
        for path in unsettled:
            depth[path] += 1

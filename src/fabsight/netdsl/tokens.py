"""The words of a program's text, each with its place, and the error that names a place."""

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple, NoReturn

from fabsight.task import AnswerError

LINE_END = "\n"
_WORD = re.compile(r"[{}]|[^\s{}]+")
_CHUNK = 64  # tokens read ahead
_SHOWN_CHARACTERS = 40


class Token(NamedTuple):
    """A word, a brace, the end of a line (a newline) or the end of the text ("")."""

    text: str
    line: int
    column: int


class Reader:
    """The tokens of a text, read as they are asked for, and how far they were taken.

    `strict` is for who reads them: whether commands outside NetDSL-L2 are refused.
    """

    def __init__(self, lines: Sequence[str], strict: bool = False) -> None:
        self.strict = strict
        self.source = _tokens(lines)
        self.tokens: list[Token] = []
        self.position = 0

    @property
    def next(self) -> Token:
        """The token to be read, not taken yet."""
        if self.position == len(self.tokens):
            self.tokens += islice(self.source, _CHUNK)
        return self.tokens[self.position]

    def begin(self) -> int:
        """Where the next command begins; what was taken before it is forgotten now and then."""
        if 2 * self.position > len(self.tokens):
            del self.tokens[: self.position]
            self.position = 0
        return self.position

    def take(self) -> Token:
        """The next token; the end of the text stays where it is."""
        token = self.next
        self.position += bool(token.text)
        return token

    def skip_command(self, begin: int) -> None:
        """Go to the end of a bad command's line; for an ARRAY left open, of its brace's line."""
        words = [token.text for token in self.tokens[begin : self.position]]
        if words[:1] == ["ARRAY"] and words.count("{") > words.count("}"):
            here = self.position
            while self.next.text not in ("}", "ARRAY", "CANVAS", ""):
                self.position += 1
            if self.next.text != "}":
                self.position = here
        while self.next.text not in (LINE_END, ""):
            self.position += 1


def _tokens(lines: Sequence[str]) -> Iterator[Token]:
    """The words of the lines, each line that is not blank closed by its end, the last by ""."""
    last = max((number for number, line in enumerate(lines) if line.strip()), default=0)
    for number, line in enumerate(lines[: last + 1]):
        for word in _WORD.finditer(line):
            yield Token(word[0], number + 1, word.start() + 1)
        if number == last or line.strip():
            end = "" if number == last else LINE_END
            yield Token(end, number + 1, len(line.rstrip()) + 1)


def fail(token: Token, rule: str) -> NoReturn:
    """Raise: where, which rule, what was read instead."""
    got = {LINE_END: "the end of the line", "": "the end of the text"}.get(token.text)
    if got is None:
        cut = "..." if len(token.text) > _SHOWN_CHARACTERS else ""
        got = repr(token.text[:_SHOWN_CHARACTERS] + cut)
    place = f"netdsl line {token.line}, column {token.column}"
    raise AnswerError(f"{place}: {rule}, got {got}", token.line, token.column)

"""The grammar of KLARF 1.8: records in records, fields of values, lists of columns and rows.

    Record WaferRecord "W1" { Field SlotNumber 1 {3}  List L { Columns 2 {..} Data 1 { 0 0; } } }

Each count that the text states (values of a field, columns, rows, images of a row) is checked.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from fabsight.task import FabsightError

MAX_DEPTH = 32
_TOKEN = re.compile(r'"[^"]*"|[{},;]|[^\s{},;"]+|"')
_IMAGES = re.compile(r'Images\s+(\d+)\s*\{((?:"[^"]*"|[^{}"])*)\}', re.IGNORECASE)
_QUOTED = re.compile(r'"[^"]*"')
_BRACE_OR_QUOTED = re.compile(r'"[^"]*"|[{}]')


@dataclass(frozen=True)
class Columns:
    """A list of rows.

    Attributes:
        names: Of the columns, in capitals.
        rows: A token a column; a list of images is one token.
        lines: Of each row.
        starts, ends: Where each row lies in the text, without its semicolon.
        names_at: Where in the text the number of columns begins, and where the closing brace is.
    """

    names: tuple[str, ...]
    rows: list[list[str]]
    lines: list[int]
    starts: list[int]
    ends: list[int]
    names_at: tuple[int, int]


@dataclass(frozen=True)
class Record:
    """A record and what is in it.

    Attributes:
        kind: WaferRecord, ..., in small letters.
        name: What follows, without quotation marks.
        line: Where it begins.
        fields: Values by name in small letters, without quotation marks.
        lists: By name in small letters; of several of one name the last.
        records: Inside it, in order.
    """

    kind: str
    name: str
    line: int
    fields: dict[str, list[str]] = field(default_factory=dict)
    lists: dict[str, Columns] = field(default_factory=dict)
    records: list["Record"] = field(default_factory=list)

    def inside(self, kind: str) -> Iterator["Record"]:
        """The records of a kind at any depth, in order."""
        for record in self.records:
            if record.kind == kind:
                yield record
            yield from record.inside(kind)


@dataclass
class _Reader:
    """A text and how far it is read."""

    text: str
    path: str
    at: int = 0
    line: int = 1
    counted: int = 0

    def fault(self, rule: str) -> FabsightError:
        """An error at the place that was read last."""
        return FabsightError(f"read {self.path}:{self.here()}: {rule}")

    def here(self) -> int:
        """The line that was read last."""
        self.line += self.text.count("\n", self.counted, self.at)
        self.counted = max(self.counted, self.at)
        return self.line

    def next(self) -> str:
        """The next token, "" at the end."""
        found = _TOKEN.search(self.text, self.at)
        self.at = found.end() if found else len(self.text)
        return found[0] if found else ""

    def expect(self, token: str, after: str) -> None:
        """Read a token that must come."""
        got = self.next()
        if got != token:
            raise self.fault(f"expected {token} after {after}, got {_shown(got)}")

    def count(self, of: str) -> int:
        """Read a number of things."""
        got = self.next()
        if not (got.isascii() and got.isdigit() and len(got) <= 9):
            raise self.fault(f"expected how many {of} follow, got {_shown(got)}")
        return int(got)


def parse(text: str, path: str) -> list[Record]:
    """The records of a text, outermost first.

    Raises FabsightError naming the line where the text breaks the grammar or a count is wrong.

    >>> found = parse('Record FileRecord "1.8" { Field A 2 {1, "b"} } EndOfFile;', "a")
    >>> found[0].name, found[0].fields
    ('1.8', {'a': ['1', 'b']})
    """
    reader = _Reader(text, path)
    found: list[Record] = []
    while token := reader.next():
        if token.lower() == "record":
            found.append(_record(reader, 1))
        elif token.lower() not in ("endoffile", ";"):
            raise reader.fault(f"expected Record or EndOfFile, got {_shown(token)}")
    return found


def _record(reader: _Reader, depth: int) -> Record:
    if depth > MAX_DEPTH:
        raise reader.fault(
            f"records are nested more than {MAX_DEPTH} deep; no KLARF file does that"
        )
    kind = reader.next()
    line = reader.here()
    name = ""
    while (token := reader.next()) != "{":
        if token in ("", "}", ";", ","):
            raise reader.fault(f"expected {{ after Record {kind[:40]}, got {_shown(token)}")
        name = f"{name} {token}".strip()
    record = Record(kind.lower(), name.strip('"'), line)
    while (token := reader.next()) != "}":
        word = token.lower()
        if word == "record":
            record.records.append(_record(reader, depth + 1))
        elif word == "field":
            field_name = reader.next().lower()
            record.fields[field_name] = _values(reader, field_name)
        elif word == "list":
            list_name = reader.next().lower()
            found = _list(reader, list_name)
            if found:
                record.lists[list_name] = found
        elif word != ";":
            raise reader.fault(
                f"expected Record, Field, List or }} in {kind[:40]} of line {line}, got "
                f"{_shown(token)}"
            )
    return record


def _values(reader: _Reader, name: str) -> list[str]:
    """As many values between commas as are stated; words between two commas are one value."""
    count = reader.count(f"values of {name[:40]}")
    reader.expect("{", f"the number of values of {name[:40]}")
    values: list[str] = []
    words: list[str] = []
    while True:
        token = reader.next()
        if token in ("", "{", ";", '"'):
            raise reader.fault(f"expected a value of {name[:40]}, got {_shown(token)}")
        if token not in (",", "}"):
            words.append(token.strip('"') if token[0] == '"' else token)
            continue
        if words:
            values.append(" ".join(words))
            words = []
        if token == "}":
            break
    if len(values) != count:
        raise reader.fault(f"{name[:40]} states {count} values and has {len(values)}")
    return values


def _list(reader: _Reader, name: str) -> Columns | None:
    """Columns and rows; None of a list without either."""
    reader.expect("{", f"List {name[:40]}")
    names: tuple[str, ...] = ()
    names_at = (0, 0)
    found: Columns | None = None
    while (token := reader.next()) != "}":
        word = token.lower()
        if word == "columns":
            begin = reader.at
            typed = _values(reader, f"Columns of {name}")
            names = tuple(words.split()[-1].upper() if words else "" for words in typed)
            names_at = (begin, reader.at - 1)
        elif word == "data":
            found = _data(reader, name[:40], names, names_at)
        elif word != ";":
            raise reader.fault(
                f"expected Columns, Data or }} in List {name[:40]}, got {_shown(token)}"
            )
    return found


def _data(reader: _Reader, name: str, names: tuple[str, ...], names_at: tuple[int, int]) -> Columns:
    count = reader.count(f"rows of {name}")
    reader.expect("{", f"the number of rows of {name}")
    begin, first_line = reader.at, reader.here()
    end = _closing_brace(reader.text, begin)
    if end < 0:
        raise reader.fault(f"Data of {name} is not closed: the file is cut off; copy it again")
    body = masked(reader.text[begin:end])
    reader.at = end + 1
    *parts, rest = body.split(";")
    if rest.strip():
        raise reader.fault(f"the last row of {name} has no semicolon")
    if len(parts) != count:
        raise FabsightError(
            f"read {reader.path}:{first_line}: {name} states {count:,} rows and has {len(parts):,}"
        )
    rows, lines, starts, ends = [], [], [], []
    at, line = begin, first_line
    for part in parts:
        row = part.split()
        blank = len(part) - len(part.lstrip())
        broken = reader.text.count("\n", at, at + blank)
        lines.append(line + broken)
        starts.append(at + blank)
        if len(row) != len(names):
            raise FabsightError(
                f"read {reader.path}:{line + broken}: a row of {len(row)} values in {name}, which "
                f"has {len(names)} columns"
            )
        rows.append(row)
        line += broken + reader.text.count("\n", at + blank, at + len(part))
        ends.append(at + len(part))
        at += len(part) + 1
    return Columns(names, rows, lines, starts, ends, names_at)


def _closing_brace(text: str, at: int) -> int:
    depth = 0
    for found in _BRACE_OR_QUOTED.finditer(text, at):
        if found[0] == "{":
            depth += 1
        elif found[0] == "}":
            if not depth:
                return found.start()
            depth -= 1
    return -1


def masked(body: str) -> str:
    """Rows with each list of images and each quoted text as one word of the same length.

    >>> masked('1 Images 1 { "a b" "JPG" } 2;')
    '1 Images_1_{_"a_b"_"JPG"_} 2;'
    """
    if "{" in body:
        body = _IMAGES.sub(_one_word, body)
    return _QUOTED.sub(_one_word, body) if '"' in body else body


def _one_word(found: re.Match[str]) -> str:
    return re.sub(r"[\s;]", "_", found[0])


def images_of(token: str) -> tuple[int, int]:
    """How many images a token of a masked row states, and how many it lists.

    >>> images_of('Images_2_{_"a"_"JPG",_"b"_"JPG"_}'), images_of("N")
    ((2, 2), (0, 0))
    """
    found = re.fullmatch(r"Images_+(\d{1,9})_*\{(.*)\}", token, re.IGNORECASE | re.DOTALL)
    if not found:
        return 0, 0
    listed = _QUOTED.sub("x", found[2]).strip("_")
    return int(found[1]), listed.count(",") + 1 if listed else 0


def _shown(token: str) -> str:
    return repr(token[:40]) if token else "the end of the file"

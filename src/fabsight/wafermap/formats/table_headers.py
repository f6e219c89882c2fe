"""Where a table of dies has its header, which column is what, and what the lines above it say."""

import csv
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

# Names of columns, letters and digits only, in small letters.
_SYNONYMS: Mapping[str, str] = {
    "lot": "lot lotid lotno lotname lotnumber lotnum",
    "wafer": "wafer waferid waferno wafernumber wafername wafernum waf wid waferindex",
    "x": "x diex xdie xcoord xcoordinate coordx xpos posx positionx xposition xindex dieindexx "
    "xloc diexcoord diecoordx chipx xchip partx col column diecol diecolumn",
    "y": "y diey ydie ycoord ycoordinate coordy ypos posy positiony yposition yindex dieindexy "
    "yloc dieycoord diecoordy chipy ychip party",
    "row": "row line dierow",
    "hbin": "hbin hardbin hwbin hbinnum hbinno hbinnumber hardbinnumber hardwarebin hb bin bincode "
    "binnum binno binnumber binning bins",
    "sbin": "sbin softbin swbin sbinnum sbinno sbinnumber softbinnumber softwarebin sb",
    "pass": "pass passed passfail pf ispass isgood good result passflag status testresult",
    "fail": "fail failed isfail failing bad isbad defective",
    "slot": "slot slotid slotno slotnumber",
    "device": "device deviceid product productid parttype",
    "step": "step stepid operation layer",
    "equipment": "equipment tester prober station",
    "time": "time starttime testtime timestamp date",
    "notch": "notch flat orientation notchlocation",
    "xaxis": "xaxis xdirection",
    "yaxis": "yaxis ydirection",
    "pitchum": "pitchum",
    "diametermm": "diametermm waferdiametermm",
}
NAMES = {name: column for column, names in _SYNONYMS.items() for name in names.split()}
_NAMED = ("slot", "device", "step", "equipment", "time")
FACTS = (*_NAMED, "notch", "xaxis", "yaxis", "pitchum", "diametermm")
RESULTS = frozenset(("hbin", "sbin", "pass", "fail"))
DELIMITERS = (",", ";", "\t", "|", " ")
_SEARCHED_LINES = 60
_COORDINATE = re.compile(r"[+-]?\d+(\.\d*)?|[A-Za-z/]{0,4}", re.ASCII)
_MAX_HEADER = 20_000  # characters
_FACT = re.compile(r'[#%"\s]*([A-Za-z][\w ./-]{0,30}?)"?\s*[:=,;\t]\s*(.*)')


@dataclass(frozen=True)
class Header:
    """The header of a table.

    Attributes:
        line: Of the header, from 1.
        delimiter: Between cells; " " for any white space.
        columns: Which cell is what; `row` is a `y` that grows downward.
        width: Cells of a row.
        facts: What the lines above say of all dies, by column name.
    """

    line: int
    delimiter: str
    columns: Mapping[str, int]
    width: int
    facts: Mapping[str, str] = field(default_factory=dict)


def find_header(text: str) -> Header | None:
    r"""The header of a table of dies, None where there is none in the first 60 lines.

    >>> find_header("# notch: left\nLot,X,Y,Hard Bin\n").columns
    {'lot': 0, 'x': 1, 'y': 2, 'hbin': 3}
    """
    facts: dict[str, str] = {}
    for number, line in enumerate(_first_lines(text), 1):
        found = max((_columns(line, d) for d in DELIMITERS), key=lambda c: len(c[1]))
        delimiter, columns, width = found
        if "x" in columns and columns.keys() & {"y", "row"} and RESULTS & columns.keys():
            return Header(number, delimiter, columns, width, facts)
        stated = _FACT.match(line)
        if stated and (name := NAMES.get(_letters(stated[1]), "")):
            facts[name] = _unquoted(stated[2])
    return None


def has_dies(text: str, header: Header) -> bool:
    r"""Whether the first row under a header, if any, has coordinates; a line of prose has none.

    >>> table = "x,y,bin\n1,2,1\n"
    >>> has_dies(table, find_header(table)), has_dies("x,y,bin\nand so\n", find_header(table))
    (True, False)
    """
    row = next((line for line in text.split("\n")[header.line :] if line.strip()), None)
    if row is None:
        return header.delimiter != " "
    cells = cells_of(row, header.delimiter)
    places = [k for name, k in header.columns.items() if name in ("x", "y", "row")]
    if header.delimiter == " " and len(cells) != header.width:
        return False
    return all(k < len(cells) and _COORDINATE.fullmatch(cells[k].strip()) for k in places)


def _first_lines(text: str) -> Iterator[str]:
    at = 0
    for _ in range(_SEARCHED_LINES):
        end = text.find("\n", at)
        stop = end if end >= 0 else len(text)
        if at >= len(text):
            return
        yield text[at : min(stop, at + _MAX_HEADER)]
        at = stop + 1


def _columns(line: str, delimiter: str) -> tuple[str, dict[str, int], int]:
    """Delimiter, which cell is what (the first of a name), and how many cells there are."""
    cells = cells_of(line, delimiter)
    found: dict[str, int] = {}
    for k, cell in enumerate(cells):
        name = NAMES.get(_letters(cell.lstrip("#% ")), "")
        if name and name not in found:
            found[name] = k
    return delimiter, found, len(cells)


def cells_of(line: str, delimiter: str) -> list[str]:
    """The cells of one line.

    >>> cells_of('a,"b,c"', ",")
    ['a', 'b,c']
    """
    if delimiter == " ":
        return line.split()
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower()) if len(name) < 60 else ""


def _unquoted(value: str) -> str:
    """A stated value; ours are JSON where they hold what a line cannot."""
    value = value.strip().rstrip(",;")
    if value.startswith('"'):
        try:
            read = json.loads(value)
        except ValueError:
            return value.strip('"')
        return read if isinstance(read, str) else value
    return value

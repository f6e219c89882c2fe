"""The grammar of KLARF 1.0 to 1.2: statements ended by semicolons, and records of defect lists."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from fabsight.task import FabsightError

# A line that begins with one of these begins a statement, also where a semicolon is missing.
_WORDS = (
    "fileversion filetimestamp tiffspec tifffilename inspectionstationid sampletype "
    "resulttimestamp lotid samplesize deviceid setupid stepid resultsid sampleorientationmarktype "
    "orientationmarklocation diepitch dieorigin waferid slot samplecenterlocation classlookup "
    "sampletestplan samplediemap sampledietestplan orientationinstructions "
    "coordinatesmirrored inspectiontest areapertest customwaferlist defectrecordspec defectlist "
    "removeddielist processequipmentidlist summaryspec summarylist lotstatus waferstatus endoffile "
    "operatorid classificationsource product waferscribe testparametersspec testparameterslist "
    "clusterclassificationlist defectclusterspec defectclustersetup inspectedareaorigin "
    "inspectedarea alignmentpoints alignmentimages alignmentimagetransforms databasealignmentmarks "
    "sampledieorigin coordinatescentered recipeid recipeversion"
)
KEYWORDS = frozenset(_WORDS.split())
TOKEN = re.compile(r'"[^"\n]*"?|[^\s"]+')
_LINE_KEYWORD = re.compile(r"^[ \t]*([A-Za-z]\w*)", re.MULTILINE)

T = TypeVar("T")


@dataclass(frozen=True)
class Statement:
    """A statement: its place in the text and what it is.

    Attributes:
        keyword: Its first word in small letters; "" for numbers, which continue a DefectList.
        start, end: Of its values, without keyword and semicolon.
        line: Of the keyword.
        values_line: Of `start`.
        closed: Whether a semicolon ends it.
    """

    keyword: str
    start: int
    end: int
    line: int
    values_line: int
    closed: bool


def statements(text: str) -> Iterator[Statement]:
    """The statements of a text, in order."""
    at, line = 0, 1
    while at < len(text):
        end = _semicolon(text, at)
        closed = end >= 0
        stop = end if closed else len(text)
        cuts = [m for m in _LINE_KEYWORD.finditer(text, at, stop) if m[1].lower() in KEYWORDS]
        bounds = [at, *(m.start() for m in cuts if text[at : m.start()].strip()), stop]
        for begin, finish in pairwise(bounds):
            found = _statement(text, begin, finish, line, closed and finish == stop)
            if found:
                yield found
            line += text.count("\n", begin, finish)
        at = stop + 1


def _semicolon(text: str, at: int) -> int:
    """Where the next semicolon outside quotation marks is, -1 where none is."""
    end = text.find(";", at)
    while end >= 0:
        line = max(at, text.rfind("\n", at, end) + 1)
        if text.count('"', line, end) % 2 == 0:
            return end
        end = text.find(";", end + 1)
    return -1


def _statement(text: str, begin: int, end: int, line: int, closed: bool) -> Statement | None:
    first = TOKEN.search(text, begin, end)
    if not first:
        return None
    line += text.count("\n", begin, first.start())
    word = first[0]
    if not word[0].isalpha():
        return Statement("", first.start(), end, line, line, closed)
    return Statement(word.lower(), first.end(), end, line, line, closed)


def defect_rows(
    lines: Sequence[tuple[int, Sequence[T]]],
    spec: Sequence[str],
    text_of_token: Callable[[T], str],
    path: str,
) -> list[tuple[int, list[T]]]:
    """The records of a defect list: line and one token a column, images taken out.

    The column IMAGELIST stands for a number and as many pairs. Files that leave out that number
    (IMAGECOUNT says it), or have pairs without an IMAGELIST column, are read too.
    """
    images = {name: k for k, name in enumerate(spec) if name in ("IMAGECOUNT", "IMAGELIST")}
    ways = [(-1, 0)]  # column that counts images, how many tokens more than pairs the list has
    if "IMAGELIST" in images:
        ways = [(images["IMAGELIST"], 0)]
        if images.get("IMAGECOUNT") == images["IMAGELIST"] - 1:
            ways.append((images["IMAGECOUNT"], -1))
    elif images.get("IMAGECOUNT") == len(spec) - 1:
        ways.append((images["IMAGECOUNT"], 0))
    problem: FabsightError | None = None
    for column, more in ways:
        try:
            return list(_grouped(lines, len(spec), column, more, text_of_token, path))
        except FabsightError as error:
            problem = problem or error
    assert problem
    raise problem


def _grouped(
    lines: Iterable[tuple[int, Sequence[T]]],
    width: int,
    column: int,
    more: int,
    text_of_token: Callable[[T], str],
    path: str,
) -> Iterator[tuple[int, list[T]]]:
    """Records of `width` columns and two tokens for each image that `column` counts."""
    pending: list[T] = []
    begun, need = 0, width
    for line, tokens in lines:
        if not pending:
            begun, need = line, width
        had = len(pending)
        pending.extend(tokens)
        if 0 <= column < len(pending) and had <= column:
            need = width + more + 2 * _images(text_of_token(pending[column]), f"{path}:{begun}")
        if len(pending) < need:
            continue
        if len(pending) > need:
            raise FabsightError(
                f"read {path}:{begun}: a defect record of {len(pending)} values; "
                f"DefectRecordSpec and its images make {need}"
            )
        if column >= 0 and need != width:
            pending[column + 1 : column + 1 + need - width] = []
        yield begun, pending
        pending = []
    if pending:
        raise FabsightError(
            f"read {path}:{begun}: a defect record of {len(pending)} values; DefectRecordSpec and "
            f"its images make {need}"
        )


def _images(token: str, where: str) -> int:
    if not (token.isascii() and token.isdigit() and len(token) <= 6):
        raise FabsightError(
            f"read {where}: a defect record's number of images should be a whole number, got "
            f"{token[:40]!r}"
        )
    return int(token)

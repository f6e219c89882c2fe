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


@dataclass(frozen=True)
class _Way:
    """How a file writes the images of a defect.

    Attributes:
        counting: The column that says how many pairs follow it; -1 none.
        more: Tokens of a record beside its columns and pairs.
        same: A column that says the same number; -1 none.
        wraps: Whether a record may go on over lines.
    """

    counting: int = -1
    more: int = 0
    same: int = -1
    wraps: bool = True


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
    problem: FabsightError | None = None
    for way in _ways(spec):
        try:
            return list(_grouped(lines, len(spec), way, text_of_token, path))
        except FabsightError as error:
            problem = problem or error
    assert problem
    raise problem


def _ways(spec: Sequence[str]) -> list[_Way]:
    """The ways a file may be written, in the order in which they are tried."""
    at = {name: k for k, name in enumerate(spec)}
    count, images = at.get("IMAGECOUNT", -1), at.get("IMAGELIST", -1)
    if images >= 0:
        listed = _Way(images, 0, count if count < images else -1)
        return [listed, _Way(count, -1)] if count == images - 1 >= 0 else [listed]
    # What follows a record on further lines may be pairs of images: so first without.
    plain = [_Way(wraps=False), _Way()]
    return [plain[0], _Way(count), plain[1]] if count == len(spec) - 1 else plain


def _grouped(
    lines: Iterable[tuple[int, Sequence[T]]],
    width: int,
    way: _Way,
    text_of_token: Callable[[T], str],
    path: str,
) -> Iterator[tuple[int, list[T]]]:
    """Records that each begin on a line of their own."""
    pending: list[T] = []
    begun, need = 0, width
    for line, tokens in lines:
        if not pending:
            begun, need = line, width
        had = len(pending)
        pending.extend(tokens)
        if had <= way.counting < len(pending):
            pairs = _images(text_of_token(pending[way.counting]), f"{path}:{begun}")
            if way.same >= 0 and text_of_token(pending[way.same]) != str(pairs):
                raise FabsightError(
                    f"read {path}:{begun}: a defect record's IMAGECOUNT is "
                    f"{text_of_token(pending[way.same])[:20]}, its IMAGELIST has {pairs} images"
                )
            need = width + way.more + 2 * pairs
        if len(pending) < need and way.wraps:
            continue
        if len(pending) != need:
            raise _wrong_width(path, begun, len(pending), need)
        if need != width:
            pending[way.counting + 1 : way.counting + 1 + need - width] = []
        yield begun, pending
        pending = []
    if pending:
        raise _wrong_width(path, begun, len(pending), need)


def _wrong_width(path: str, line: int, found: int, need: int) -> FabsightError:
    return FabsightError(
        f"read {path}:{line}: a defect record of {found} values; DefectRecordSpec and its images "
        f"make {need}"
    )


def _images(token: str, where: str) -> int:
    if not (token.isascii() and token.isdigit() and len(token) <= 6):
        raise FabsightError(
            f"read {where}: a defect record's number of images should be a whole number, got "
            f"{token[:40]!r}"
        )
    return int(token)

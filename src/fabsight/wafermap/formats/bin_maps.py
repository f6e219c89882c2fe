"""Maps that draw one code a die, row by row: what SINF, G85 and E142 have in common."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from fabsight.task import FabsightError
from fabsight.wafermap.formats.placing import failing, require_size
from fabsight.wafermap.settings import WaferSettings
from fabsight.wafermap.wafer import FAIL, NO_BIN, NO_DIE, PASS, SIDES, About, Side, Wafer

Coding: TypeAlias = Literal["ascii", "decimal", "hexadecimal"]
_MAX_CODE = 2**31 - 1


@dataclass(frozen=True)
class Codes:
    """What the codes of a map stand for.

    Attributes:
        coding: How a code is a number.
        nothing: Codes without a die.
        other: Codes of what is no product die, and what to call it (reference, edge, ...).
        passing: Codes that pass, None where the file does not say.
    """

    coding: Coding
    nothing: frozenset[str]
    other: Mapping[str, str]
    passing: frozenset[str] | None


def coded(
    rows: Sequence[Sequence[str]],
    lines: Sequence[int],
    codes: Codes,
    settings: WaferSettings,
    path: str,
) -> Wafer:
    """The wafer of rows of codes, all of one length, as drawn; `about` is left to the caller.

    Dies that are no product (reference, edge, not inspected) are no dies of the map and counted.
    """
    height, width = len(rows), len(rows[0]) if rows else 0
    require_size(height, width, path)
    kinds: dict[str, int] = {}
    numbered = np.array(
        [[kinds.setdefault(code, len(kinds)) for code in row] for row in rows], np.int64
    ).reshape(height, width)
    number = np.array([_number(code, codes, rows, lines, path) for code in kinds], np.int32)
    there = np.array([code not in codes.nothing and code not in codes.other for code in kinds])
    passed = None
    if codes.passing is not None:
        passed = np.array([code in codes.passing for code in kinds])
    failed = failing(number, passed, settings)
    state = np.where(there, np.where(failed, FAIL, PASS), NO_DIE).astype(np.uint8)
    number[~there] = NO_BIN
    counts = np.bincount(numbered.ravel(), minlength=len(kinds))
    left_out: Counter[str] = Counter()
    for code, k in kinds.items():
        if code in codes.other:
            left_out[f"{codes.other[code]} ({code})"] += int(counts[k])
    warned = tuple(
        f"{count} dies are {name}: left out of the map" for name, count in left_out.items()
    )
    return Wafer(state[numbered], About(), bins=number[numbered], warnings=warned)


def _number(
    code: str,
    codes: Codes,
    rows: Sequence[Sequence[str]],
    lines: Sequence[int],
    path: str,
) -> int:
    """The bin of a code; a letter stands for its character's number."""
    if code in codes.nothing or code in codes.other:
        return NO_BIN
    if codes.coding == "ascii" and len(code) == 1:
        return int(code) if code in "0123456789" else ord(code)
    try:
        value = int(code, 16 if codes.coding == "hexadecimal" else 10)
    except ValueError:
        value = -1
    if not 0 <= value <= _MAX_CODE or not code.isalnum():
        row = next(k for k, row in enumerate(rows) if code in row)
        raise FabsightError(
            f"read {path}:{lines[row]}: {code[:20]!r} is no {codes.coding} bin code"
        )
    return value


def split_row(text: str, columns: int, width: int) -> list[str]:
    """The codes of a row: words, or every `width` characters where there are no spaces.

    A row of exactly `columns` characters is one code a character, spaces too, where `width` is 1.

    >>> split_row(" 001 255 ", 2, 3), split_row("00FF", 2, 2), split_row("1 X", 3, 1)
    (['001', '255'], ['00', 'FF'], ['1', ' ', 'X'])
    """
    if width == 1:
        text = text.strip("\n")
        for candidate in (text, text.strip()):
            if len(candidate) == columns:
                return list(candidate)
        text = text.strip()
    words = text.split()
    if len(words) > 1 or width < 1:
        return words
    text = words[0] if words else ""
    return [text[k : k + width] for k in range(0, len(text), width)]


def require_rows(found: int, stated: str, what: str, where: str, of: str = "rows") -> None:
    """Refuse a number of rows or columns other than stated; "" states nothing."""
    if stated and not (stated.isascii() and stated.isdigit() and int(stated[:9]) == found):
        raise FabsightError(f"read {where}: {what} states {stated[:20]} {of}, the map has {found}")


def degrees_side(text: str, zero: Side, where: str) -> Side:
    """Where a notch is that is given in degrees clockwise from `zero`; "" is down.

    >>> degrees_side("90", "down", "a"), degrees_side("180", "up", "a")
    ('left', 'down')
    """
    if not text:
        return "down"
    try:
        turns, rest = divmod(round(float(text)), 90)
    except (ValueError, OverflowError):
        turns, rest = 0, 1
    if rest:
        raise FabsightError(
            f"read {where}: the notch is at {text[:20]!r}; 0, 90, 180 or 270 degrees can be read"
        )
    return SIDES[(SIDES.index(zero) + turns) % 4]

"""Maps drawn in characters or numbers, a line a row: `. 1 X`, or 0 none, 1 pass, 2 fail.

A blank line ends a map, so a file may hold several. Where a sign for no die occurs (. - _ ~ or a
space), figures are bins and letters say pass (P G O) or fail (X F B # *); else 0 is no die and
other figures are bins. Of a map of 0, 1 and 2 alone these are no bins, but states.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Int32, UInt8

from fabsight.task import FabsightError
from fabsight.wafermap.formats.contents import text_of
from fabsight.wafermap.formats.placing import (
    drawn,
    failing,
    notch_down,
    require_size,
    slot_of,
    source_of,
)
from fabsight.wafermap.settings import WaferSettings
from fabsight.wafermap.wafer import FAIL, NO_BIN, NO_DIE, PASS, About, Wafer

NOTHING = frozenset(" .-_~")
PASSES, FAILS = frozenset("PpGgOo+"), frozenset("XxFfBb#*@!")
_LEAST = 3  # rows and columns
_MAX_CODE = 9999
_WORD = re.compile(r"-?\d{1,4}|[.\-_~A-Za-z#*@!+]")
_FACT = re.compile(r"\s*#?\s*(lot|wafer|device|notch|slot)\s*[:=]\s*(.*)", re.IGNORECASE)


@dataclass(frozen=True)
class _Block:
    """A map: its first line and the codes of each row."""

    line: int
    rows: list[list[str]]
    facts: dict[str, str]


def looks_like(text: str) -> bool:
    r"""Whether a text begins with a map.

    >>> looks_like(" .11.\n 1X11\n .11."), looks_like("abc\ndef\nghi"), looks_like("1 2\n3 4")
    (True, False, False)
    """
    try:
        block = next(_blocks(text, Path()), None)
    except FabsightError:
        return False
    if block is None:
        return False
    codes = {code for row in block.rows for code in row}
    corners = [row[k] for row in (block.rows[0], block.rows[-1]) for k in (0, -1)]
    if codes <= {"0", "1", "2"}:
        return len(codes) > 1
    # Any text of short words or columns of numbers would do, but for its corners without a die.
    empty, least = (NOTHING, 1) if codes & NOTHING else ({"0", "-1"}, 3)
    return sum(code in empty for code in corners) >= least and not codes <= empty


def read(path: Path, settings: WaferSettings) -> Iterator[Wafer]:
    """The maps of a text, in order."""
    blocks = list(_blocks(text_of(path), path))
    if not blocks:
        raise FabsightError(
            f"read {path}: no map of at least {_LEAST} rows and columns of codes in it"
        )
    seen: Counter[str] | None = Counter() if len(blocks) > 1 else None
    for block in blocks:
        wafer = _wafer(block, settings, path)
        yield replace(wafer, source=source_of(path, wafer.about, seen))


def _blocks(text: str, path: Path) -> Iterator[_Block]:
    facts: dict[str, str] = {}
    rows: list[tuple[int, str]] = []
    for number, line in enumerate([*text.split("\n"), ""], 1):
        fact = _FACT.fullmatch(line)
        if fact or not line.strip() or line.startswith("# "):
            if rows:
                yield _block(rows, dict(facts), path)
                rows = []
            if fact:
                facts[fact[1].lower()] = fact[2].strip()
            continue
        rows.append((number, line))


def _block(rows: list[tuple[int, str]], facts: dict[str, str], path: Path) -> _Block:
    first = rows[0][0]
    words = [re.split(r"[,;\t ]+", line.strip(" ,;\t")) for _, line in rows]
    by_words = all(len(row) > 1 and all(map(_WORD.fullmatch, row)) for row in words)
    if by_words and max(len(row) for row in words) >= _LEAST:
        codes = words
    else:
        spaced = any(line[0] == " " or " " in line.strip() for _, line in rows)
        width = max(len(line.rstrip()) for _, line in rows)
        require_size(len(rows), width, f"{path}:{first}")
        codes = [list(line.rstrip().ljust(width) if spaced else line.strip()) for _, line in rows]
    for (number, _), row in zip(rows, codes, strict=True):
        if len(row) != len(codes[0]):
            raise FabsightError(
                f"read {path}:{number}: a row of {len(row)} dies in a map of {len(codes[0])} "
                "columns"
            )
    if len(codes) < _LEAST or len(codes[0]) < _LEAST:
        raise FabsightError(
            f"read {path}:{first}: {len(codes)} x {len(codes[0])} codes are no map; {_LEAST} rows "
            "and columns are the least"
        )
    for number, row in zip((n for n, _ in rows), codes, strict=True):
        for code in row:
            _check(code, f"{path}:{number}")
    return _Block(first, codes, facts)


def _check(code: str, where: str) -> None:
    known = code in NOTHING or code in PASSES or code in FAILS or code.lstrip("-").isdigit()
    if not known or not code.isascii():
        raise FabsightError(
            f"read {where}: {code!r} is no code of a map; figures, {' '.join(sorted(NOTHING))}, "
            f"{' '.join(sorted(PASSES))} and {' '.join(sorted(FAILS))} are"
        )


def _meaning(
    kinds: list[str], settings: WaferSettings
) -> tuple[UInt8[np.ndarray, " n"], Int32[np.ndarray, " n"]]:
    """State and bin of each code of a map."""
    if set(kinds) <= {"0", "1", "2"}:
        return np.array(kinds, np.uint8), np.full(len(kinds), NO_BIN, np.int32)
    empty = NOTHING.intersection(kinds) or {"0"}
    numbers = np.array([int(k) if k.isdigit() else NO_BIN for k in kinds], np.int32)
    passed = ~failing(numbers, None, settings)
    passed |= np.array([k in PASSES for k in kinds])
    none = np.array([k in empty or k.startswith("-") for k in kinds])
    numbers[none] = NO_BIN
    passed &= ~np.array([k in FAILS for k in kinds])
    return np.where(none, NO_DIE, np.where(passed, PASS, FAIL)).astype(np.uint8), numbers


def _wafer(block: _Block, settings: WaferSettings, path: Path) -> Wafer:
    where = f"{path}:{block.line}"
    codes = np.array(block.rows)
    kinds, place = np.unique(codes, return_inverse=True)
    state, numbers = _meaning(kinds.tolist(), settings)
    bins = numbers[place].reshape(codes.shape) if (numbers != NO_BIN).any() else None
    notch = block.facts.get("notch", "down").lower()
    about = About(
        lot=block.facts.get("lot", ""),
        wafer=block.facts.get("wafer", ""),
        device=block.facts.get("device", ""),
        slot=slot_of(block.facts.get("slot", "")),
        format="ASCII map",
        notch=notch if notch in ("left", "up", "right") else "down",  # type: ignore[arg-type]
    )
    return notch_down(drawn(state[place].reshape(codes.shape), about, where, bins), settings)

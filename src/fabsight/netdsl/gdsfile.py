"""What a GDSII or OASIS file holds, as plain values in nm, read by gdstk in a process of its own.

gdstk ends its process with a segmentation fault on some damaged files (3 % of files with one byte
changed), so a file from elsewhere is read in a child process with bounded memory and time. What
comes back is JSON: one cell, flattened; of GDSII's text labels only those that `carried` wrote.
"""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from jaxtyping import Float

from fabsight.netdsl.gdsii_records import first_fault
from fabsight.task import FabsightError

Kind: TypeAlias = Literal["gds", "oas"]
Points: TypeAlias = Float[np.ndarray, "corners 2"]
LayerNumber: TypeAlias = tuple[int, int]

TIMEOUT_S = 120
MAX_MEMORY_BYTES = 4 << 30
MAX_REACH_NM = 1e12  # a kilometre
PROPERTY_CHARACTERS = 120  # GDSII allows an element 128 bytes of properties in all
LABEL_CHARACTERS = 470  # and a text label 512
KEY = "netdsl-text"
_MAGIC = {"gds": b"\x00\x06\x00\x02", "oas": b"%SEMI-OASIS\r\n"}
_OASIS_END_BYTES = 256  # OASIS 1.0, 14: the END record is this long and is the last of the file
_END = {"gds": b"\x00\x04\x04\x00", "oas": b"\x02"}  # how the last record begins
_END_BYTES = {"gds": 4, "oas": _OASIS_END_BYTES}  # counted from the end of the file
_AGAIN = "write it again with the tool that made it"
_CHILD = "from fabsight.netdsl.flattening import serve_one_file; serve_one_file()"


@dataclass(frozen=True, eq=False)
class Outline:
    """A polygon in nm, y up, with the text of its properties."""

    layer: LayerNumber
    text: str
    points: Points


@dataclass(frozen=True, eq=False)
class Path2D:
    """An axis-parallel path of constant width in nm whose ends are flush (extensions built in)."""

    layer: LayerNumber
    width: float
    spine: Points


@dataclass(frozen=True, eq=False)
class Field:
    """A reference that carries a text: outlines repeated at offsets in nm."""

    text: str
    offsets: Points
    outlines: tuple[Outline, ...]

    def copies(self) -> list[Outline]:
        """The outlines at each of their places, without text."""
        return [
            Outline(outline.layer, "", outline.points + offset)
            for offset in self.offsets
            for outline in self.outlines
        ]


@dataclass(frozen=True, eq=False)
class Layout:
    """One cell of a file, and what of it is not in here, in sentences."""

    outlines: tuple[Outline, ...]
    paths: tuple[Path2D, ...]
    fields: tuple[Field, ...]
    notes: tuple[str, ...] = ()


def read_layout(path: Path, kind: Kind, cell: str = "") -> Layout:
    """The shapes of one cell of a file, sub-cells and repetitions written out.

    Args:
        path: The file.
        kind: GDSII or OASIS.
        cell: Which cell; may be left out when the file has one top cell.

    Raises:
        FabsightError: The file is damaged, too large, or does not say which cell.
    """
    _check_header(path, kind)
    command = [sys.executable, "-P", "-c", _CHILD, kind, str(path), cell]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    try:
        child = subprocess.run(
            command, check=False, capture_output=True, env=environment, timeout=TIMEOUT_S
        )
    except subprocess.TimeoutExpired as slow:
        raise FabsightError(f"{path}: reading took over {TIMEOUT_S} s; split the layout") from slow
    dead = child.returncode or not child.stdout
    found = {} if dead else json.loads(child.stdout)
    doubtful = dead or "error" in found or found["unsupported"]
    fault = first_fault(path) if kind == "gds" and doubtful else ""
    if fault:
        raise FabsightError(f"{path}: this GDSII file is damaged at {fault}; {_AGAIN}")
    if dead:
        raise FabsightError(
            f"{path}: this {_name(kind)} file is damaged or needs over {MAX_MEMORY_BYTES >> 30} "
            f"GiB: its reader ended with code {child.returncode}; {_AGAIN}, or cut out a part"
        )
    if "error" in found:
        raise FabsightError(f"{path}: {found['error']}")
    reach_nm = _reach_nm(found)
    if not reach_nm <= MAX_REACH_NM:
        raise FabsightError(f"{path}: coordinates reach {reach_nm:g} nm: its units are damaged")
    return Layout(
        tuple(_outline(item) for item in found["outlines"]),
        tuple(Path2D((p[0], p[1]), p[2], _pairs(p[3])) for p in found["paths"]),
        tuple(
            Field(text, _pairs(offsets), tuple(map(_outline, outlines)))
            for text, offsets, outlines in found["fields"]
        ),
        tuple(found["notes"]),
    )


def _check_header(path: Path, kind: Kind) -> None:
    """Refuse what is no such file, and an OASIS file cut short (gdstk reads its first part)."""
    try:
        with path.open("rb") as file:
            head = file.read(len(_MAGIC[kind]))
        if head == _MAGIC[kind] and kind == "oas" and not has_end(path, kind):
            raise FabsightError(
                f"{path}: this OASIS file is cut short: it has no END record {_OASIS_END_BYTES} "
                f"bytes before its end, at byte {path.stat().st_size}; {_AGAIN}"
            )
    except OSError as error:
        raise FabsightError(f"{path}: cannot be read: {error.strerror}") from error
    if head != _MAGIC[kind]:
        begins = f"it begins with {head!r} at byte 0" if head else "it is empty"
        raise FabsightError(
            f"{path}: is no {_name(kind)} file: {begins}; name it by what it holds, or {_AGAIN}"
        )


def has_end(path: Path, kind: Kind) -> bool:
    """Whether a file's last record is there: a file cut short has none."""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - _END_BYTES[kind], 0))
        return file.read(len(_END[kind])) == _END[kind]


def _reach_nm(found: dict[str, Any]) -> float:
    """The largest coordinate; nan where one is nan."""
    numbers = [item[3] for item in found["outlines"]]
    numbers += [[item[2], *item[3]] for item in found["paths"]]
    for _, offsets, outlines in found["fields"]:
        numbers += [offsets, *(item[3] for item in outlines)]
    flat = np.array([number for part in numbers for number in part], np.float64)
    return float(np.abs(flat).max(initial=0.0))


def _name(kind: Kind) -> str:
    return "GDSII" if kind == "gds" else "OASIS"


def _outline(item: list[Any]) -> Outline:
    return Outline((item[0], item[1]), item[2], _pairs(item[3]))


def _pairs(flat: list[float]) -> Points:
    return np.asarray(flat, np.float64).reshape(-1, 2)


def carried(text: str) -> tuple[str, list[str]]:
    """A text as one GDSII property, and the labels that hold it where it is too long for that.

    A long text's property is a key, and each label is the key, its own number and a piece.

    >>> carried("VIA 8 8 3")
    ('VIA 8 8 3', [])
    >>> [len(label) for label in carried("x" * 700)[1]]
    [501, 261]
    """
    if len(text) <= PROPERTY_CHARACTERS:
        return text, []
    key = f"{KEY}:{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    cuts = range(0, len(text), LABEL_CHARACTERS)
    return key, [f"{key}:{n}:{text[at : at + LABEL_CHARACTERS]}" for n, at in enumerate(cuts)]

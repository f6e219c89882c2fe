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
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from jaxtyping import Float

from fabsight.netdsl.language import MAX_COMMANDS
from fabsight.task import FabsightError

Kind: TypeAlias = Literal["gds", "oas"]
_Texts: TypeAlias = dict[str, str]
Points: TypeAlias = Float[np.ndarray, "corners 2"]
LayerNumber: TypeAlias = tuple[int, int]

TIMEOUT_S = 120
MAX_MEMORY_BYTES = 4 << 30
MAX_CORNERS = 5_000_000
MAX_REACH_NM = 1e12  # a kilometre
PROPERTY_CHARACTERS = 120  # GDSII allows an element 128 bytes of properties in all
LABEL_CHARACTERS = 470  # and a text label 512
_KEY = "netdsl-text"
_MAGIC = {"gds": b"\x00\x06\x00\x02", "oas": b"%SEMI-OASIS\r\n"}
_OASIS_END_BYTES = 256  # OASIS 1.0, 14: the END record is this long and is the last of the file
_CHILD = "from fabsight.netdsl.gdsfile import serve_one_file; serve_one_file()"


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


@dataclass(frozen=True, eq=False)
class Layout:
    """One cell of a file."""

    outlines: tuple[Outline, ...]
    paths: tuple[Path2D, ...]
    fields: tuple[Field, ...]


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
    if child.returncode or not child.stdout:
        raise FabsightError(
            f"{path}: this {_name(kind)} file is damaged or needs over "
            f"{MAX_MEMORY_BYTES >> 30} GiB: its reader ended with code {child.returncode}"
        )
    found = json.loads(child.stdout)
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
    )


def _check_header(path: Path, kind: Kind) -> None:
    """Refuse what is no such file, and an OASIS file cut short (gdstk reads its first part)."""
    try:
        with path.open("rb") as file:
            head = file.read(len(_MAGIC[kind]))
            file.seek(0, os.SEEK_END)
            size = file.tell()
            file.seek(max(size - _OASIS_END_BYTES, 0))
            end = file.read(1)
    except OSError as error:
        raise FabsightError(f"{path}: cannot be read: {error.strerror}") from error
    if head != _MAGIC[kind]:
        raise FabsightError(f"{path}: is no {_name(kind)} file: it begins with {head!r}")
    if kind == "oas" and end != b"\x02":
        raise FabsightError(f"{path}: this OASIS file is cut short: it has no END record")


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


# ---- the child process


class _RefusedError(Exception):
    """Why the file cannot be used, in one sentence."""


def serve_one_file() -> None:
    """Main function of the child process: read the file named in sys.argv, print JSON."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (TIMEOUT_S, TIMEOUT_S))
    kind, path, cell = sys.argv[1:]
    found: dict[str, Any]
    try:
        found = _contents(kind, path, cell)
    except (_RefusedError, OSError, RuntimeError, MemoryError) as error:
        found = {"error": str(error).rstrip(".") or "needs too much memory"}
    json.dump(found, sys.stdout)


def _contents(kind: str, path: str, name: str) -> dict[str, list[Any]]:
    import gdstk

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        library = (gdstk.read_gds if kind == "gds" else gdstk.read_oas)(path, unit=1e-9)
    missing = [str(w.message) for w in said if "issing" in str(w.message)]
    if missing:
        raise _RefusedError(f"the layout is incomplete: {missing[0]}")
    texts = _long_texts(library)
    top = _choose(library, name)
    count = _count(top)
    if count > MAX_COMMANDS:
        raise _RefusedError(
            f"cell {top.name!r} has {count} shapes with references written out, "
            f"at most {MAX_COMMANDS} can be read: cut out a part"
        )
    fields = [r for r in top.references if _text(r) and _is_plain(r)]
    found_fields = [_field(reference, texts) for reference in fields]
    flat = top.copy("flat")
    flat.remove(*(r for r in flat.references if _text(r) and _is_plain(r)))
    flat.flatten()
    corners = sum(polygon.size for polygon in flat.polygons)
    if corners > MAX_CORNERS:
        raise _RefusedError(
            f"cell {top.name!r} has {corners} corners with references written out, "
            f"at most {MAX_CORNERS} can be read: cut out a part"
        )
    outlines = [_plain(polygon, texts) for polygon in flat.polygons]
    paths = []
    for path_ in flat.paths:
        straight = _straight(path_)
        if straight:
            paths.append(straight)
        else:
            outlines += [_plain(polygon, texts) for polygon in path_.to_polygons()]
    return {"outlines": outlines, "paths": paths, "fields": found_fields}


def _choose(library: Any, name: str) -> Any:
    cells = {cell.name: cell for cell in library.cells if hasattr(cell, "polygons")}
    if name:
        if name not in cells:
            raise _RefusedError(f"has no cell {name!r}, it has {', '.join(sorted(cells))}")
        return cells[name]
    tops = [cell for cell in library.top_level() if hasattr(cell, "polygons")]
    if len(tops) != 1:
        names = ", ".join(sorted(cell.name for cell in tops)) or "none"
        raise _RefusedError(f"has {len(tops)} top cells ({names}): say which with cell=...")
    return tops[0]


def _count(top: Any) -> int:
    """How many shapes the cell has when all references and repetitions are written out."""
    counts: dict[str, int] = {}
    open_cells: set[str] = set()
    stack = [top]
    while stack:
        cell = stack[-1]
        inner = [r.cell for r in cell.references if r.cell.name not in counts]
        if inner:
            if cell.name in open_cells:
                raise _RefusedError(f"cell {cell.name!r} contains itself")
            open_cells.add(cell.name)
            stack += inner
            continue
        shapes = sum(_repeats(shape) for shape in (*cell.polygons, *cell.paths))
        shapes += sum(_repeats(r) * counts[r.cell.name] for r in cell.references)
        counts[cell.name] = shapes
        stack.pop()
    return counts[top.name]


def _repeats(element: Any) -> int:
    return max(int(element.repetition.size), 1) if element.repetition is not None else 1


def _text(element: Any, texts: _Texts | None = None) -> str:
    """The text in the properties of an element, a key resolved, "" when there is none."""
    pieces = {
        values[1]: bytes(values[2]).rstrip(b"\x00").decode("ascii", "replace")
        for values in element.properties
        if values[0] == "S_GDS_PROPERTY" and len(values) == 3 and isinstance(values[2], bytes)
    }
    text = "".join(pieces[number] for number in sorted(pieces))
    return texts.get(text, text) if texts else text


def _is_plain(reference: Any) -> bool:
    """Whether a reference only moves its cell, and the cell has polygons alone."""
    turned = reference.rotation or reference.x_reflection or reference.magnification != 1
    return not (turned or reference.cell.references or reference.cell.paths)


def _field(reference: Any, texts: _Texts) -> list[Any]:
    offsets = np.asarray(reference.origin, float)
    if reference.repetition is not None and reference.repetition.size:
        offsets = offsets + reference.repetition.get_offsets()
    outlines = [_plain(polygon, texts) for polygon in reference.cell.polygons]
    return [_text(reference, texts), offsets.ravel().tolist(), outlines]


def _plain(polygon: Any, texts: _Texts) -> list[Any]:
    return [polygon.layer, polygon.datatype, _text(polygon, texts), polygon.points.ravel().tolist()]


def _straight(path: Any) -> list[Any] | None:
    """Layer, width and spine of an axis-parallel path with square ends, None for any other."""
    if not hasattr(path, "ends") or path.num_paths != 1:
        return None
    spine, widths, end = path.spine(), path.widths(), path.ends[0]
    steps = np.diff(spine, axis=0)
    if len(spine) < 2 or np.ptp(widths) or not ((steps == 0).sum(1) == 1).all():
        return None
    width = float(widths[0, 0])
    ends = {"flush": (0.0, 0.0), "extended": (width / 2, width / 2)}
    if isinstance(end, str) and end not in ends:
        return None
    first, last = ends[end] if isinstance(end, str) else end
    spine[0] -= np.sign(steps[0]) * first
    spine[-1] += np.sign(steps[-1]) * last
    return [path.layers[0], path.datatypes[0], width, spine.ravel().tolist()]


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
    key = f"{_KEY}:{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    cuts = range(0, len(text), LABEL_CHARACTERS)
    return key, [f"{key}:{n}:{text[at : at + LABEL_CHARACTERS]}" for n, at in enumerate(cuts)]


def _long_texts(library: Any) -> _Texts:
    """The texts in a file's labels by their keys."""
    parts: dict[str, dict[int, str]] = {}
    for cell in library.cells:
        for label in getattr(cell, "labels", ()):
            words = label.text.split(":", 3)
            if words[0] == _KEY and len(words) == 4 and words[2].isascii() and words[2].isdigit():
                parts.setdefault(":".join(words[:2]), {})[int(words[2])] = words[3]
    return {key: "".join(part[n] for n in sorted(part)) for key, part in parts.items()}

"""One cell of a GDSII or OASIS file, flattened by gdstk: what the child process of `gdsfile` runs.

References and repetitions are written out, each shape keeps the text of its properties, and an
axis-parallel path stays one. The result goes to standard output as JSON.
"""

import json
import sys
import warnings
from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np

from fabsight.netdsl.gdsfile import KEY, MAX_MEMORY_BYTES, TIMEOUT_S
from fabsight.netdsl.language import MAX_COMMANDS

_Texts: TypeAlias = dict[str, str]
MAX_CORNERS = 5_000_000
_SHOWN = 12  # names in a message
_UNSUPPORTED = "Unsupported record in file."  # gdstk's words


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
    except OSError as error:
        found = {"error": f"is damaged: {str(error).rstrip('.')}"}
    except (_RefusedError, RuntimeError, MemoryError) as error:
        found = {"error": str(error).rstrip(".") or "needs too much memory"}
    json.dump(found, sys.stdout)


def _contents(kind: str, path: str, name: str) -> dict[str, Any]:
    import gdstk

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        library = (gdstk.read_gds if kind == "gds" else gdstk.read_oas)(path, unit=1e-9)
    messages = [str(w.message) for w in said]
    missing = [message for message in messages if "issing" in message]
    if missing:
        raise _RefusedError(f"the layout is incomplete: {missing[0]}")
    texts = _long_texts(library)
    notes = _notes(library, messages)
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
    # flatten() would leave repetitions out where a cell has no references
    polygons = flat.get_polygons(apply_repetitions=True, include_paths=False)
    corners = sum(polygon.size for polygon in polygons)
    if corners > MAX_CORNERS:
        raise _RefusedError(
            f"cell {top.name!r} has {corners} corners with references written out, "
            f"at most {MAX_CORNERS} can be read: cut out a part"
        )
    paths = []
    for path_ in flat.get_paths(apply_repetitions=True):
        straight = _straight(path_)
        if straight:
            paths.append(straight)
        else:
            polygons += path_.to_polygons()
    wide = [polygon for polygon in polygons if np.ptp(polygon.points, axis=0).all()]
    wide_paths = [path_ for path_ in paths if path_[2] > 0]
    if thin := len(polygons) - len(wide) + len(paths) - len(wide_paths):
        notes.append(f"shapes without area are not read (there are {thin})")
    outlines = [_plain(polygon, texts) for polygon in wide]
    found = {"outlines": outlines, "paths": wide_paths, "fields": found_fields, "notes": notes}
    return found | {"unsupported": _UNSUPPORTED in messages}


def _notes(library: Any, messages: list[str]) -> list[str]:
    """What is not read, in sentences; the texts are taken out, so that none is written out."""
    texts = 0
    for cell in library.cells:
        labels = getattr(cell, "labels", ())
        texts += sum(not label.text.startswith(KEY) for label in labels)
        if labels:
            cell.remove(*labels)
    notes = [f"texts are not read (the file has {texts})"] if texts else []
    if _UNSUPPORTED in messages:
        notes.append("records of a kind without shapes are not read")
    return notes


def _choose(library: Any, name: str) -> Any:
    cells = {cell.name: cell for cell in library.cells if hasattr(cell, "polygons")}
    if name:
        if name not in cells:
            raise _RefusedError(f"has no cell {name!r}, it has {_named(cells)}")
        return cells[name]
    tops = [cell for cell in library.top_level() if hasattr(cell, "polygons")]
    if not tops:
        raise _RefusedError("holds no cell: there is no layout in it")
    if len(tops) != 1:
        names = _named(cell.name for cell in tops)
        raise _RefusedError(f"has {len(tops)} top cells ({names}): say which with --cell")
    return tops[0]


def _named(names: Iterable[str]) -> str:
    """The first of many names, so that a message stays readable."""
    found = sorted(names)
    return ", ".join(found[:_SHOWN]) + f", ... ({len(found)})" * (len(found) > _SHOWN)


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
        # a reference to nothing counts too: writing out billions of them takes its time
        shapes += sum(_repeats(r) * max(counts[r.cell.name], 1) for r in cell.references)
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
    polygons = reference.cell.get_polygons(apply_repetitions=True)
    outlines = [_plain(polygon, texts) for polygon in polygons]
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


def _long_texts(library: Any) -> _Texts:
    """The texts in a file's labels by their keys."""
    parts: dict[str, dict[int, str]] = {}
    for cell in library.cells:
        for label in getattr(cell, "labels", ()):
            words = label.text.split(":", 3)
            if words[0] == KEY and len(words) == 4 and words[2].isascii() and words[2].isdigit():
                parts.setdefault(":".join(words[:2]), {})[int(words[2])] = words[3]
    return {key: "".join(part[n] for n in sorted(part)) for key, part in parts.items()}

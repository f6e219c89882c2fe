"""Maps found again: an index over folders of wafer files, and what of it is like a map."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from fabsight.task import Lookup, Question
from fabsight.wafermap import index
from fabsight.wafermap.formats import read_wafers
from fabsight.wafermap.settings import WaferSettings
from fabsight.wafermap.wafer import Grid

MOST_COUNTED = 1000  # similar maps that are counted


def add(folder: Path, files: Sequence[Path], settings: WaferSettings) -> Mapping[str, Any]:
    """Bring the index up to date with the files; counts of what was done, and failures by file."""
    built = index.add(folder, files, lambda path: read_wafers(path, settings), prune=True)
    return vars(built)


def find(folder: Path, question: Question[WaferSettings], count: int) -> list[dict[str, Any]]:
    """The maps most like the question's, in whichever rotation: source, similarity, rotation."""
    grid = _grid_of(question)
    return [
        {
            "source": hit.source,
            "lot": hit.lot,
            "wafer": hit.wafer,
            "similarity": round(hit.match.similarity, 4),
            "rotation_deg": hit.match.rotation_deg,
            "labels": " + ".join(hit.labels),
        }
        for hit in index.search(_opened(folder), grid, count, rotate=True)
    ]


def similar(folder: Path, grid: Grid, alike: float) -> int:
    """How many maps of an index are at least so like a map, as they lie; it may be one itself."""
    hits = index.search(_opened(folder), grid, MOST_COUNTED)
    return sum(hit.match.similarity >= alike for hit in hits)


def _grid_of(question: Question[WaferSettings]) -> Grid:
    from fabsight.wafermap.seeing import grid_of

    return grid_of(question)


@lru_cache(maxsize=4)
def _opened(folder: Path) -> index.Index:
    return index.opened(folder)


LOOKUP: Lookup[WaferSettings] = Lookup(add, find)

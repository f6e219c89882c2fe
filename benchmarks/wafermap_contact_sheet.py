"""Drawn wafer maps to look at, a row a pattern; real maps of the class beside them where they are.

    python benchmarks/wafermap_contact_sheet.py [--count 12] [--quick] [--beside FILE] [--maps FILE]

Writes docs/figures/wafermap_generated.png: the nine classes, mixtures, repeats, and the wafers of
a lot with a guilty chamber. `--beside FILE` also writes a picture with as many real maps of each
class (WM-811K, development splits) to the right of the drawn ones; it is for looking only, real
maps are not committed.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from _bench import FIGURES, SEED
from _wafers import MAPS, real_maps
from fabsight.wafermap.backgrounds import draw_background
from fabsight.wafermap.claims import PATTERNS
from fabsight.wafermap.draws import Draw
from fabsight.wafermap.generator import MIXES, Plant, draw_pattern, grown
from fabsight.wafermap.layouts import draw_layout
from fabsight.wafermap.lot_generator import draw_lot
from fabsight.wafermap.plans import repeats
from fabsight.wafermap.wafer import About

CELL_PX, GAP_PX = 64, 4
PALETTE = (255, 255, 255, 200, 214, 229, 213, 94, 0, 90, 90, 90)  # none, pass, fail, between
BETWEEN = 3
DEVELOPMENT = (0, 1, 2, 3)


def main() -> None:
    """Draw the pictures that were asked for."""
    asked = _options()
    count = asked.count or (4 if asked.quick else 12)
    rows = [_class(name, count) for name in PATTERNS]
    extra = [_mixed(count), _repeating(count), _lot(count)]
    _save(asked.out / "wafermap_generated.png", [*rows, *extra])
    if asked.beside:
        real = real_maps(asked.maps, DEVELOPMENT, count, np.random.default_rng(SEED))
        _save(asked.beside, [a + b for a, b in zip(rows, real, strict=True)])


def _options() -> Any:
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("--count", type=int, default=0, help="maps per row (default 12)")
    asked.add_argument("--quick", action="store_true", help="4 maps per row")
    asked.add_argument("--beside", type=Path, help="picture with real maps to the right")
    asked.add_argument("--maps", type=Path, default=MAPS, help="WM-811K bundle (.npz)")
    asked.add_argument("--out", type=Path, default=FIGURES, help="folder of the picture")
    return asked.parse_args()


def _class(name: str, count: int) -> list[np.ndarray]:
    rng = np.random.default_rng((*SEED, PATTERNS.index(name)))
    return [draw_pattern(rng, (name,)).wafer.grid for _ in range(count)]


def _mixed(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng((*SEED, 20))
    picked = rng.permutation(len(MIXES))
    return [draw_pattern(rng, MIXES[picked[k % len(MIXES)]]).wafer.grid for k in range(count)]


def _repeating(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng((*SEED, 21))
    draw, found = Draw(rng), []
    for k in range(count):
        layout = draw_layout(rng)
        shape = repeats(draw, layout, ("rows", "columns", "reticle")[k % 3])
        plant = Plant(shape.kind, shape, draw.between(0.6, 1))
        background = draw_background(draw, ("scratch",))
        found.append(grown(draw, layout, [plant], background, About()).wafer.grid)
    return found


def _lot(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng((*SEED, 22))
    return [drawn.wafer.grid for drawn in draw_lot(rng, ["guilty"], max(count, 8)).wafers[:count]]


def _save(path: Path, rows: Sequence[Sequence[np.ndarray]]) -> None:
    """The maps in rows, every cell of one size, whatever the grid."""
    step = CELL_PX + GAP_PX
    sheet = np.full((len(rows) * step, max(map(len, rows)) * step), BETWEEN, np.uint8)
    for i, row in enumerate(rows):
        for k, grid in enumerate(row):
            at = (np.arange(CELL_PX) + 0.5) / CELL_PX
            cell = grid[(at * len(grid)).astype(int)][:, (at * grid.shape[1]).astype(int)]
            y, x = i * step + GAP_PX // 2, k * step + GAP_PX // 2
            sheet[y : y + CELL_PX, x : x + CELL_PX] = cell
    picture = Image.fromarray(sheet, "P")
    picture.putpalette(PALETTE)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, optimize=True, bits=2)
    print(f"written: {path} ({path.stat().st_size // 1000} kB)")


if __name__ == "__main__":
    main()

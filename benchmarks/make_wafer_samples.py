"""Make the bundled wafer-map samples from the generator and from licensed files.

    python benchmarks/make_wafer_samples.py SHARED_DATA

SHARED_DATA holds `wafermap/formats` (MIT).
"""

import shutil
import sys
from pathlib import Path

import numpy as np

from fabsight.images import save_png
from fabsight.wafermap.formats import write_csv, write_g85, write_klarf12
from fabsight.wafermap.generator import Drawn, draw_pattern
from fabsight.wafermap.rendering import rendered

OUT = Path(__file__).parents[1] / "src/fabsight/samples/wafermap"
REAL = {
    "lot2.stdf.bz2": "lot2.stdf.bz2",
    "jklarfreader_simple18.klarf": "jklarfreader_simple18.klarf",
}


def drawn(seed: int, size: tuple[int, int], *patterns: str) -> Drawn:
    """A generated wafer."""
    return draw_pattern(np.random.default_rng(seed), patterns, size)


def ascii_map(path: Path, grid: np.ndarray) -> None:
    """A map in characters: . no die, 1 pass, X fail."""
    path.write_text("\n".join("".join(".1X"[v] for v in row) for row in grid) + "\n")


def main() -> None:
    """Write every sample."""
    data = Path(sys.argv[1]) / "wafermap" / "formats"
    OUT.mkdir(parents=True, exist_ok=True)
    write_klarf12([drawn(1, (33, 37), "scratch").wafer], OUT / "scratch.klarf")
    write_g85([drawn(2, (38, 36), "donut").wafer], OUT / "donut.xml")
    ascii_map(OUT / "edge_ring.txt", drawn(3, (26, 26), "edge-ring").wafer.grid)
    write_csv([drawn(4, (39, 37), "edge-loc", "scratch").wafer], OUT / "mixed.csv")
    save_png(OUT / "center.png", rendered(drawn(5, (25, 27), "center").wafer.grid, 300))
    for source, name in REAL.items():
        shutil.copyfile(data / source, OUT / name)


if __name__ == "__main__":
    main()

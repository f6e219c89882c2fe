"""Make the bundled demo samples from the generator and from licensed real data.

    python benchmarks/make_samples.py SHARED_DATA

SHARED_DATA holds `netdsl/emsec_labels` (CC BY 4.0) and `netdsl/siepic_photos` (MIT).
"""

import sys
from pathlib import Path

import cv2
import numpy as np
import tifffile

from fabsight.images import save_png
from fabsight.netdsl.labels import read_label
from fabsight.netdsl.looks import Look, draw_look
from fabsight.netdsl.sem import signed_distance, simulate, simulate_distance
from fabsight.netdsl.synthesis import layout

OUT = Path(__file__).parents[1] / "src/fabsight/samples/netdsl"


def drawn(seed: int, name: str, topology: str, preset: str) -> None:
    """A generated layout under the held-out family of looks."""
    rng = np.random.default_rng(seed)
    program = layout(rng, topology)  # type: ignore[arg-type]
    pixels = simulate(program, draw_look(rng, preset, "relief"), rng).pixels  # type: ignore[arg-type]
    save_png(OUT / f"{name}.png", pixels)


def chip(labels: Path, seed: int, name: str, preset: str) -> None:
    """A tile of a human-labelled chip under a simulated SEM."""
    rng = np.random.default_rng(seed)
    metal, via = read_label(labels)
    y, x = (int(rng.integers(0, n - 512)) for n in metal.shape)
    window = np.s_[y : y + 512, x : x + 512]
    look = draw_look(rng, preset, "relief")  # type: ignore[arg-type]
    inner = signed_distance(np.ascontiguousarray(via[window] & metal[window]), 1)
    distance = signed_distance(np.ascontiguousarray(metal[window] | via[window]), 1)
    save_png(OUT / f"{name}.png", simulate_distance(distance, look, rng, inner).pixels)


def sixteen_bit() -> None:
    """A 16-bit TIFF with a vendor's pixel size, its grey levels far above 255."""
    rng = np.random.default_rng(7)
    program = layout(rng, "manhattan")
    pixels = simulate(program, draw_look(rng, "mild", "relief"), rng).pixels
    header = b"[Scan]\r\nPixelWidth=2.5e-09\r\nPixelHeight=2.5e-09\r\n"
    tifffile.imwrite(
        OUT / "manhattan_16bit_2.5nm.tif",
        pixels.astype(np.uint16) * 180 + 9000,
        compression="deflate",
        extratags=[(34682, "s", 0, header.decode(), True)],
    )


def rims_only() -> None:
    """Metal whose top has the floor's grey: only bright rims show."""
    rng = np.random.default_rng(11)
    program = layout(rng, "manhattan")
    look = Look(family="relief", background=95, metal=97, rim=60, roughness_px=0.6, blur_px=0.8)
    save_png(OUT / "rims_only.png", simulate(program, look, rng).pixels)


def photograph(source: Path) -> None:
    """A real SEM photograph with its information bar, reduced."""
    picture = cv2.imread(str(source), cv2.IMREAD_GRAYSCALE)
    scale = 640 / picture.shape[1]
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    save_png(OUT / f"{source.stem}.png", small)


def main() -> None:
    """Write every sample."""
    data = Path(sys.argv[1]) / "netdsl"
    OUT.mkdir(parents=True, exist_ok=True)
    drawn(3, "stripes_mild", "stripes", "mild")
    drawn(4, "lines_hard", "lines", "hard")
    drawn(5, "manhattan_wild", "manhattan", "wild")
    chip(data / "emsec_labels/label0004.svg", 1, "chip_mild", "mild")
    chip(data / "emsec_labels/label0005.svg", 2, "chip_hard", "hard")
    sixteen_bit()
    rims_only()
    photograph(data / "siepic_photos/siepic_directional_coupler.png")


if __name__ == "__main__":
    main()

"""Training of the segmenter: an SEM image to the share of metal and of via in each pixel.

The network learns the *ideal* geometry behind a rough, blurred, noisy image: the target is the area
each pixel has inside the layout drawn without roughness, so that straight edges average their
roughness out. Only the `bloom` family of looks is used here.

    python -m fabsight.netdsl.segmenter_training --labels DIR --out RUN
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from fabsight import pool
from fabsight.methods.supervised import Recipe, fit
from fabsight.netdsl.looks import Preset, draw_look
from fabsight.netdsl.rendering import paint, pick
from fabsight.netdsl.segmenter import normalise
from fabsight.netdsl.segmenter_network import export, network, restored
from fabsight.netdsl.sem import Map, signed_distance, simulate_distance
from fabsight.netdsl.synthesis import layout

SIDE = 256
FINE = 2
PRESETS: tuple[Preset, ...] = ("mild", "hard", "wild")
KEPT = 800  # geometries in use at a time
FIRST = 400  # geometries before the first batch
SHOWN = 7  # samples to a new geometry


@dataclass(frozen=True, eq=False)
class Geometry:
    """Signed distances (px, positive inside) to metal (with vias), and to vias inside metal."""

    metal: Map
    via: Map | None


def geometry(rng: np.random.Generator, labels: list[tuple[Any, Any]]) -> Geometry:
    """A drawn layout, a tile of a labelled chip at a random scale, or free-form strokes."""
    what = rng.random()
    if labels and what < 0.4:
        return _from_label(rng, labels)
    if what < 0.55:
        return _strokes(rng)
    program = layout(rng, side=SIDE)
    masks = [
        paint(pick(program.shapes, layer), SIDE * FINE, SIDE * FINE, scale=FINE)
        for layer in ("metal", "via")
    ]
    return _geometry(masks[0], masks[1])


def _geometry(metal: UInt8[np.ndarray, "h w"], via: UInt8[np.ndarray, "h w"]) -> Geometry:
    inside = via & metal
    return Geometry(
        signed_distance(metal | via, FINE), signed_distance(inside, FINE) if inside.any() else None
    )


def _from_label(rng: np.random.Generator, labels: list[tuple[Any, Any]]) -> Geometry:
    import cv2

    metal, via = labels[rng.integers(len(labels))]
    side = round(SIDE / rng.choice([rng.uniform(0.4, 1.3), 0.5, 1.0]))
    y, x = (int(rng.integers(0, n - side)) for n in metal.shape)
    tiles = []
    for mask in (metal, via):
        tile = mask[y : y + side, x : x + side].astype(np.float32)
        fine = cv2.resize(tile, (SIDE * FINE, SIDE * FINE), interpolation=cv2.INTER_LINEAR)
        tiles.append((fine > 0.5).astype(np.uint8))
    return _geometry(tiles[0], tiles[1])


def _strokes(rng: np.random.Generator) -> Geometry:
    """Rounded strokes at any angle: geometry no label and no generator of ours has."""
    import cv2

    side = SIDE * FINE
    metal = np.zeros((side, side), np.uint8)
    for _ in range(int(rng.integers(2, 14))):
        width = int(rng.integers(4, 22)) * FINE
        points = [rng.integers(0, side, 2)]
        angle = rng.uniform(0, 2 * np.pi)
        for _ in range(int(rng.integers(1, 5))):
            angle += rng.choice([0.0, np.pi / 4, -np.pi / 4, np.pi / 2, rng.normal(0, 0.2)])
            step = rng.uniform(30, 160) * FINE
            points.append(
                points[-1] + (step * np.array([np.cos(angle), np.sin(angle)])).astype(int)
            )
        cv2.polylines(metal, [np.array(points, np.int32)], False, 1, width)
    return _geometry(metal, np.zeros_like(metal))


def sample(
    rng: np.random.Generator, shape: Geometry, mix: Sequence[float]
) -> tuple[Float32[np.ndarray, "1 h w"], Float32[np.ndarray, "3 h w"]]:
    """A simulated image, normalised, and its target: metal share, via share, weight.

    `mix` is the probability of each of `PRESETS`.
    """
    preset = PRESETS[rng.choice(len(PRESETS), p=mix)]
    turn, flip = int(rng.integers(4)), rng.random() < 0.5
    metal, via = (None if m is None else _turn(m, turn, flip) for m in (shape.metal, shape.via))
    assert metal is not None
    if rng.random() < 0.4:  # many layers show no vias
        via = None
    look = draw_look(rng, preset)
    shot = simulate_distance(metal, look, rng, via)
    pixels = shot.pixels
    if look.metal < look.background:  # the network reads bright metal; dark metal is inverted
        pixels = 255 - pixels
    image = normalise(pixels.astype(np.float32))
    image = image * rng.uniform(0.75, 1.3) + rng.normal(0, 0.15)
    target = np.clip(metal + 0.5, 0, 1)
    inner = np.zeros_like(target) if via is None else np.clip(via + 0.5, 0, 1)
    weight = 0.4 + 2 * np.exp(-np.abs(metal) / 3)
    return image[None].astype(np.float32), np.stack([target, inner, weight]).astype(np.float32)


def _turn(distance: Map, turn: int, flip: bool) -> Map:
    turned = np.rot90(distance, turn)
    return np.ascontiguousarray(turned[:, ::-1] if flip else turned)


def loss(prediction: Any, batch: tuple[Any, ...]) -> Any:
    """Binary cross-entropy against area shares, weighted towards edges."""
    from torch.nn.functional import binary_cross_entropy_with_logits as bce

    target = batch[1]
    metal = bce(prediction[:, 0], target[:, 0], weight=target[:, 2])
    return metal + 0.3 * bce(prediction[:, 1], target[:, 1])


@dataclass(frozen=True, eq=False)
class Stream:
    """What batches are made of: seed, labelled chips, probability of each preset, batch size."""

    seed: int
    labels: list[tuple[Any, Any]]
    mix: tuple[float, ...]
    size: int = 8


def batch(
    stream: Stream, number: int
) -> tuple[Float32[np.ndarray, "n 1 h w"], Float32[np.ndarray, "n 3 h w"]]:
    """Images and targets of batch `number`, which depend on the stream and the number only.

    Geometry is dear and looks are cheap: a sample takes one of the last `KEPT` geometries, of which
    there is a new one every few samples.
    """
    import cv2

    cv2.setNumThreads(1)
    rng = np.random.default_rng([stream.seed, 0, number])
    samples = []
    for index in range(number * stream.size, (number + 1) * stream.size):
        newest = FIRST + index // SHOWN
        shape = _kept(stream, int(rng.integers(max(0, newest - KEPT + 1), newest + 1)))
        samples.append(sample(rng, shape, stream.mix))
    return np.stack([s[0] for s in samples]), np.stack([s[1] for s in samples])


@lru_cache(maxsize=KEPT)
def _kept(stream: Stream, number: int) -> Geometry:
    return geometry(np.random.default_rng([stream.seed, 1, number]), stream.labels)


def batches(stream: Stream, workers: int, first: int = 0) -> Iterator[Any]:
    """Batches first, first + 1, ... as torch tensors, made by `workers` processes."""
    import torch

    for images, targets in pool.ordered(partial(batch, stream), count(first), workers):
        yield torch.from_numpy(images), torch.from_numpy(targets)


def read_labels(folder: Path, names: list[str]) -> list[tuple[Any, Any]]:
    """(metal, via) masks of labelled chips, uint8, from SVG files of lime paths and red circles."""
    from fabsight.netdsl.labels import read_label

    return [read_label(folder / f"{name}.svg") for name in names]


def started(init: Path | None, stream: Stream) -> Any:
    """An untrained network, or that of a `state.pt` or an ONNX file."""
    import torch

    if init is None:
        return network()
    if init.suffix == ".onnx":
        return restored(init, torch.cat([torch.from_numpy(batch(stream, k)[0]) for k in range(6)]))
    net = network()
    net.load_state_dict(torch.load(init, weights_only=True)["average"])
    return net


def main(argv: list[str] | None = None) -> None:
    """Train and export; the command behind the shipped weights."""
    import torch

    parser = argparse.ArgumentParser(description="train the segmenter")
    parser.add_argument("--labels", type=Path, help="folder of emsec label SVGs (labels 0-3 used)")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--init", type=Path, help="state.pt or .onnx of an earlier run to begin from"
    )
    parser.add_argument("--mix", default="0.25,0.3,0.45", help="share of mild, hard, wild looks")
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--steps", type=int, default=9000)
    parser.add_argument("--workers", type=int, default=2, help="processes that draw batches")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(argv)
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)
    names = [f"label000{i}" for i in range(4)]
    labels = read_labels(args.labels, names) if args.labels else []
    stream = Stream(args.seed, labels, tuple(float(p) for p in args.mix.split(",")))
    recipe = Recipe(steps=args.steps, rate=args.rate)
    net = started(args.init, stream).to(memory_format=torch.channels_last)
    trained = fit(net, partial(batches, stream, args.workers), loss, recipe, args.out)
    export(trained, args.out / "segmenter.onnx")


if __name__ == "__main__":
    main()

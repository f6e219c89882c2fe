"""Training of the edge placement net: simulated sides, displaced by known amounts.

    python -m fabsight.netdsl.placement_training --out src/fabsight/weights/netdsl_placement.npz

Each sample is a generated layout under a look of the `bloom` family. Its program is displaced (all
sides alike by up to 1.2 px, each wire by a little more) and the net learns to say by how much each
side must move back. No output of the segmenter is used.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from fabsight.netdsl.language import Program, Wire
from fabsight.netdsl.looks import Preset, draw_look
from fabsight.netdsl.placement import features, profiles, sides
from fabsight.netdsl.sem import simulate
from fabsight.netdsl.synthesis import layout

PRESETS: tuple[Preset, ...] = ("mild", "mild", "hard", "hard", "wild")


def sample(
    rng: np.random.Generator,
) -> tuple[Float32[np.ndarray, "sides inputs"], Float32[np.ndarray, " sides"]]:
    """Inputs and outward moves of the sides of one displaced layout; none where it has no sides."""
    program = layout(rng)
    look = draw_look(rng, PRESETS[rng.integers(len(PRESETS))])
    grey = simulate(program, look, rng, oversample=4).pixels.astype(np.float32)
    if look.metal < look.background:
        grey = 255 - grey
    moved, moves = _displaced(rng, program)
    found = sides(moved)
    if not found:
        return np.zeros((0, 0), np.float32), np.zeros(0, np.float32)
    low_first = {"left": -1, "up": -1, "right": 1, "down": 1}
    target = []
    for side in found:
        grow, shift_x, shift_y = moves[side.shape]
        shift = shift_x if side.facing in ("left", "right") else shift_y
        target.append(-(grow / 2 + low_first[side.facing] * shift))
    values, known = profiles(grey, moved, found)
    return features(values, known, found), np.asarray(target, np.float32)


def _displaced(
    rng: np.random.Generator, program: Program
) -> tuple[Program, list[tuple[float, float, float]]]:
    """The program with wires wider and moved, and (width change, dx, dy) of each shape."""
    common = rng.uniform(-1.6, 1.6)
    drift = rng.normal(0, 0.3, 2)
    shapes, moves = [], []
    for shape in program.shapes:
        if not isinstance(shape, Wire):
            shapes.append(shape)
            moves.append((0.0, 0.0, 0.0))
            continue
        grow = max(common + rng.normal(0, 0.5), 2 - shape.width)
        dx, dy = drift + rng.normal(0, 0.3, 2)
        moved = replace(shape, x=shape.x + dx, y=shape.y + dy, width=shape.width + grow)
        shapes.append(moved)
        moves.append((float(grow), float(dx), float(dy)))
    return replace(program, commands=tuple(shapes)), moves


def _many(
    job: tuple[int, int],
) -> tuple[Float32[np.ndarray, "sides inputs"], Float32[np.ndarray, " sides"]]:
    seed, count = job
    rng = np.random.default_rng(seed)
    pairs = [sample(rng) for _ in range(count)]
    pairs = [p for p in pairs if len(p[1])]
    return np.concatenate([p[0] for p in pairs]), np.concatenate([p[1] for p in pairs])


def main(argv: list[str] | None = None) -> None:
    """Draw samples, fit the net, write its weights, print its error on fresh samples."""
    import multiprocessing

    import torch

    parser = argparse.ArgumentParser(description="train the edge placement net")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--images", type=int, default=6000)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args(argv)
    torch.manual_seed(0)
    jobs = [(10_000 + k, 50) for k in range(args.images // 50)]
    with multiprocessing.get_context("spawn").Pool(args.workers) as pool:
        parts = pool.map(_many, jobs, chunksize=1)
    held = max(1, len(parts) // 10)
    x, y = (torch.from_numpy(np.concatenate([p[i] for p in parts[held:]])) for i in (0, 1))
    tx, ty = (torch.from_numpy(np.concatenate([p[i] for p in parts[:held]])) for i in (0, 1))
    net = torch.nn.Sequential(
        torch.nn.Linear(x.shape[1], 64), torch.nn.ReLU(),
        torch.nn.Linear(64, 48), torch.nn.ReLU(), torch.nn.Linear(48, 1),
    )
    steps = args.epochs * (len(x) // 512)
    optimiser = torch.optim.AdamW(net.parameters(), 3e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for step in range(steps):
        at = torch.randint(len(x), (512,))
        noise = 0.03 * torch.randn(512, x.shape[1])
        value = torch.nn.functional.smooth_l1_loss(net(x[at] + noise)[:, 0], y[at], beta=0.3)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        schedule.step()
        if step % 1000 == 0 or step == steps - 1:
            with torch.no_grad():
                error = (net(tx)[:, 0] - ty)
            print(step, float(value), "held-out error sd", float(error.std()), "bias", float(error.mean()))
    names = ("w0", "b0", "w1", "b1", "w2", "b2")
    layers = [p.detach().numpy() for p in net.parameters()]
    np.savez(args.out, **{n: (w.T if w.ndim == 2 else w) for n, w in zip(names, layers, strict=True)})


if __name__ == "__main__":
    main()

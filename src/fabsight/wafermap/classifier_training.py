"""Training of the classifier: WM-811K (one class each), MixedWM38 (several), drawn maps (both).

    python -m fabsight.wafermap.classifier_training --data DIR --view straight --out RUN

Maps of the training part only; a tenth of it, in blocks of 200 consecutive rows, is kept aside for
fitting temperatures and class weights (`classifier_tuning`). Rare classes are drawn more often than
they occur, and mixtures are made of two real maps of one size besides.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from fabsight.methods.supervised import Recipe, fit
from fabsight.wafermap.claims import PATTERNS
from fabsight.wafermap.classifier_network import VIEWS, View, export, network
from fabsight.wafermap.generator import draw_wafer
from fabsight.wafermap.planes import ANGLES, planes, unrolled

SINGLES, MIXED = "wm811k_trainval.npz", "mixedwm38_trainval.npz"
TRAINING_PARTS = (0, 1, 2, 3)
BLOCK, TUNING_EVERY = 200, 10
BATCH, OF_MIXED, OF_MADE = 128, 20, 12  # samples of a batch from MixedWM38 and from two maps
OF_DRAWN = 28  # samples of a batch that the generator drew
EVENNESS = 0.5  # classes are drawn in proportion to their count to this power
SMOOTHING = 0.04
NOT_MIXED = ("near-full", "random", "none")
MEMBERS = PATTERNS[:8]


@dataclass(frozen=True, eq=False)
class Maps:
    """Maps with labels.

    Attributes:
        planes: uint8 (n, 3, 48, 48); see `planes.planes`.
        label: Index into PATTERNS; -1 where the patterns are not exclusive.
        members: 1 where a pattern of MEMBERS is present, 0.5 where it may be.
        size: Rows * 1000 + columns of the grid.
        row: Place in the published order, whose neighbours are of one lot; -1 unknown.
        part: Part of the data: 0 to 3 training, 4 validation.
    """

    planes: UInt8[np.ndarray, "n 3 48 48"]
    label: Int64[np.ndarray, " n"]
    members: Float32[np.ndarray, "n 8"]
    size: Int64[np.ndarray, " n"]
    row: Int64[np.ndarray, " n"]
    part: Int64[np.ndarray, " n"]

    def take(self, chosen: np.ndarray) -> "Maps":
        """The chosen maps, by index or mask."""
        return Maps(**{name: array[chosen] for name, array in vars(self).items()})


def singles(path: Path) -> Maps:
    """The maps of a WM-811K bundle."""
    held = np.load(path)
    names = [str(name).lower() for name in held["classes"]]
    to_ours = np.array([PATTERNS.index(name) for name in names])
    flat, offsets, sizes = held["flat"], held["offsets"], held["hw"].astype(int)
    label = to_ours[held["label"].astype(int)]
    found = np.stack(
        [
            planes(flat[offsets[i] : offsets[i + 1]].reshape(tuple(sizes[i])))
            for i in range(len(sizes))
        ]
    )
    members = (label[:, None] == np.arange(len(MEMBERS))).astype(np.float32)
    size = sizes[:, 0] * 1000 + sizes[:, 1]
    row, part = held["row"].astype(np.int64), held["split"].astype(np.int64)
    return Maps(found, label.astype(np.int64), members, size.astype(np.int64), row, part)


def mixtures(path: Path) -> Maps:
    """The maps of a MixedWM38 bundle."""
    held = np.load(path)
    names = [str(name).lower() for name in held["label_names"]]
    order = [names.index(name) for name in MEMBERS]
    found = np.stack([planes(grid) for grid in held["maps"]])
    count = len(found)
    nothing = np.full(count, -1, np.int64)
    members = held["labels"][:, order].astype(np.float32)
    part = held["split"].astype(np.int64)
    return Maps(found, nothing, members, np.full(count, 52052, np.int64), nothing, part)


def drawn_maps(count: int, seed: int) -> Maps:
    """Maps of the generator, of one pattern or several; a class only where no other fits."""
    found, label = [], np.full(count, -1, np.int64)
    members = np.zeros((count, len(MEMBERS)), np.float32)
    for k in range(count):
        one = draw_wafer(np.random.default_rng([seed, k]))
        choice = one.description.choices["pattern"]
        found.append(planes(one.wafer.grid))
        if len(choice.true) == 1 and not choice.possible:
            label[k] = PATTERNS.index(choice.true[0])
        for names, value in ((choice.possible, 0.5), (choice.true, 1.0)):
            members[k, [MEMBERS.index(name) for name in names if name in MEMBERS]] = value
    size, row = np.full(count, -1, np.int64), np.full(count, -1, np.int64)
    return Maps(np.stack(found), label, members, size, row, np.zeros(count, np.int64))


def is_tuning(maps: Maps) -> np.ndarray:
    """Which maps are kept aside: every tenth block of rows, or every tenth map without rows."""
    order = np.where(maps.row >= 0, maps.row // BLOCK, np.arange(len(maps.row)))
    return np.asarray(order % TUNING_EVERY == 7)


@dataclass(frozen=True, eq=False)
class Stream:
    """What batches are drawn from."""

    seed: int
    view: View
    singles: Maps
    mixed: Maps
    drawn: Maps
    by_class: Sequence[np.ndarray]
    shares: np.ndarray
    pairs: Mapping[int, np.ndarray]


def stream(seed: int, view: View, one: Maps, several: Maps, made: Maps) -> Stream:
    """The endless stream of batches of real maps of one pattern, of several, and of drawn ones."""
    by_class = [np.flatnonzero(one.label == k) for k in range(len(PATTERNS))]
    shares = np.array([len(found) ** EVENNESS for found in by_class])
    plain = [PATTERNS.index(name) for name in NOT_MIXED]
    usable = np.flatnonzero(~np.isin(one.label, plain))
    pairs = {
        int(size): usable[one.size[usable] == size]
        for size in np.unique(one.size[usable])
        if (one.size[usable] == size).sum() >= 20
    }
    return Stream(seed, view, one, several, made, by_class, shares / shares.sum(), pairs)


def batch(drawn: Stream, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Planes from 0 to 1, labels and members of batch `number`."""
    rng = np.random.default_rng([drawn.seed, number])
    count = BATCH - OF_MIXED - OF_MADE - OF_DRAWN
    classes = rng.choice(len(PATTERNS), count, p=drawn.shares)
    chosen = np.array([rng.choice(drawn.by_class[k]) for k in classes])
    of_mixed = rng.integers(len(drawn.mixed.label), size=OF_MIXED)
    made, made_members = _made(drawn, rng)
    of_drawn = rng.integers(len(drawn.drawn.label), size=OF_DRAWN)
    parts = (drawn.singles.take(chosen), drawn.mixed.take(of_mixed), drawn.drawn.take(of_drawn))
    found = np.concatenate([*(part.planes for part in parts), made])
    members = np.concatenate([*(part.members for part in parts), made_members])
    label = np.concatenate([*(part.label for part in parts), np.full(OF_MADE, -1)])
    turned = np.stack([_turned(one, drawn.view, rng) for one in found])
    return turned.astype(np.float32) / 255, label, members


def _made(drawn: Stream, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Mixtures of two or three maps of one size: a die fails where it fails in any."""
    sizes = list(drawn.pairs)
    weights = np.array([len(drawn.pairs[size]) for size in sizes], float)
    found, members = [], []
    for _ in range(OF_MADE):
        of = drawn.pairs[sizes[rng.choice(len(sizes), p=weights / weights.sum())]]
        parts = rng.choice(of, 2 if rng.random() < 0.7 else 3, replace=False)
        found.append(drawn.singles.planes[parts].max(0))
        members.append(drawn.singles.members[parts].max(0))
    return np.stack(found), np.stack(members)


def _turned(one: np.ndarray, view: View, rng: np.random.Generator) -> np.ndarray:
    """Planes turned and mirrored at random: no pattern knows which way is up."""
    if view == "unrolled":
        flat = unrolled(np.rot90(one, int(rng.integers(4)), (1, 2)))
        flat = np.roll(flat, int(rng.integers(ANGLES // 4)), 2)
        return flat[:, :, ::-1] if rng.random() < 0.5 else flat
    turned = np.rot90(one, int(rng.integers(4)), (1, 2))
    if rng.random() < 0.5:
        turned = turned[:, :, ::-1]
    return _rotated(turned, rng.uniform(-45, 45)) if rng.random() < 0.5 else turned


def _rotated(one: np.ndarray, degrees: float) -> np.ndarray:
    import cv2

    side = one.shape[1]
    about = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), degrees, 1.0)
    picture = np.ascontiguousarray(one.transpose(1, 2, 0))
    return np.asarray(cv2.warpAffine(picture, about, (side, side))).transpose(2, 0, 1)


def batches(drawn: Stream, first: int = 0) -> Iterator[Any]:
    """Batches first, first + 1, ... as torch tensors."""
    import cv2
    import torch

    cv2.setNumThreads(1)
    number = first
    while True:
        yield tuple(torch.from_numpy(np.ascontiguousarray(array)) for array in batch(drawn, number))
        number += 1


def loss(prediction: Any, of: tuple[Any, ...]) -> Any:
    """Cross-entropy of the class where there is one, binary cross-entropy of every member."""
    from torch.nn import functional

    _, label, members = of
    exclusive = functional.cross_entropy(
        prediction[:, :9], label, ignore_index=-1, label_smoothing=SMOOTHING
    )
    target = members * (1 - SMOOTHING) + SMOOTHING / 2
    together = functional.binary_cross_entropy_with_logits(prediction[:, 9:], target)
    return exclusive + 2 * together


def main(argv: list[str] | None = None) -> None:
    """Train one view and export it; the command behind the shipped weights."""
    import torch

    parser = argparse.ArgumentParser(description="train the wafer-map classifier")
    parser.add_argument("--data", type=Path, required=True, help="folder of the two .npz bundles")
    parser.add_argument("--view", choices=VIEWS, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=12000)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--drawn", type=int, default=40000, help="maps that the generator draws")
    parser.add_argument("--init", type=Path, help="state.pt of an earlier run to begin from")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(argv)
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)
    one, several = singles(args.data / SINGLES), mixtures(args.data / MIXED)
    kept = [
        maps.take(np.isin(maps.part, TRAINING_PARTS) & ~is_tuning(maps)) for maps in (one, several)
    ]
    drawn = stream(args.seed, args.view, kept[0], kept[1], drawn_maps(args.drawn, args.seed))
    recipe = Recipe(steps=args.steps, rate=args.rate, decay=5e-4, average=0.999)
    net = network(args.view)
    if args.init:
        net.load_state_dict(torch.load(args.init, weights_only=True)["average"])
    net = net.to(memory_format=torch.channels_last)
    trained = fit(net, partial(batches, drawn), loss, recipe, args.out)
    export(trained, args.view, args.out / f"wafermap_{args.view}.onnx")


if __name__ == "__main__":
    main()

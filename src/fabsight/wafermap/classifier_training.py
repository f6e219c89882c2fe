"""Training of the classifier: maps of one class (WM-811K), mixed types (MixedWM38), generated ones.

    python -m fabsight.wafermap.classifier_training --data DIR --out RUN

What it learns from and what it never sees is told in `classifier_maps`. Rare classes are drawn more
often than they occur; mixtures are made of two or three real maps of one size besides.
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
from fabsight.wafermap.classifier import NETWORKS
from fabsight.wafermap.classifier_maps import (
    MIXED,
    NO_CLASS,
    SINGLES,
    SPLITS,
    Maps,
    generated,
    mixtures,
    singles,
    to_learn,
)
from fabsight.wafermap.classifier_network import export, network

BATCH = (64, 64, 16, 32)  # of WM-811K, of MixedWM38, made of two or three maps, generated
GENERATED = 16_000
EVENNESS = 0.5  # classes are drawn in proportion to their count to this power
SMOOTHING, MEMBER_SMOOTHING = 0.04, 0.02
BEHIND = 0.25  # share of maps behind which a clean map is laid: its stray fails change no label
UPRIGHT = 0.7  # share of MixedWM38 maps left as they are: its authors always used the same places
TIDY = 0.2  # share of mixtures without their stray fails, which those of MixedWM38 all have
ROTATED, ZOOM = 0.5, 0.05  # share of maps turned by any angle, and how much they grow or shrink
NOT_MIXED = ("near-full", "random", "none")
FEWEST = 20  # maps of a size that mixtures are made of


@dataclass(frozen=True, eq=False)
class Stream:
    """What batches are drawn from.

    Attributes:
        seed: Of everything random.
        singles, mixed, drawn: Maps of the three sources.
        by_class: Indices into `singles` of each class.
        shares: How often each class is drawn.
        partners: By size: indices into `singles` of maps that mixtures are made of.
        clean: By size: indices into `singles` of maps without a pattern.
        of: How many maps of a batch are singles, mixed, made and drawn.
    """

    seed: int
    singles: Maps
    mixed: Maps
    drawn: Maps
    by_class: Sequence[Int64[np.ndarray, " _"]]
    shares: np.ndarray
    partners: Mapping[int, Int64[np.ndarray, " _"]]
    clean: Mapping[int, Int64[np.ndarray, " _"]]
    of: tuple[int, int, int, int] = BATCH


def stream(
    seed: int, one: Maps, several: Maps, drawn: Maps, of: tuple[int, int, int, int] = BATCH
) -> Stream:
    """The endless stream of batches of these maps."""
    by_class = [np.flatnonzero(one.label == k) for k in range(len(PATTERNS))]
    shares = np.array([len(found) ** EVENNESS for found in by_class])
    plain = np.isin(one.label, [PATTERNS.index(name) for name in NOT_MIXED])
    none = one.label == PATTERNS.index("none")
    sizes = [int(size) for size in np.unique(one.size)]
    partners = {size: np.flatnonzero((one.size == size) & ~plain) for size in sizes}
    return Stream(
        seed=seed,
        singles=one,
        mixed=several,
        drawn=drawn,
        by_class=by_class,
        shares=shares / shares.sum(),
        partners={size: found for size, found in partners.items() if len(found) >= FEWEST},
        clean={size: np.flatnonzero((one.size == size) & none) for size in sizes},
        of=of,
    )


def batch(
    source: Stream, number: int
) -> tuple[Float32[np.ndarray, "n 3 52 52"], Int64[np.ndarray, " n"], Float32[np.ndarray, "n 8"]]:
    """Planes from 0 to 1, labels and members of batch `number`."""
    rng = np.random.default_rng([source.seed, number])
    of_singles, of_mixed, of_made, of_drawn = source.of
    classes = rng.choice(len(PATTERNS), of_singles, p=source.shares)
    chosen = np.array([rng.choice(source.by_class[k]) for k in classes])
    mixed = source.mixed.take(rng.integers(len(source.mixed.label), size=of_mixed))
    drawn = source.drawn.take(rng.integers(len(source.drawn.label), size=of_drawn))
    made, made_members = _made(source, of_made, rng)
    turned = [seen(_before_clean(source, int(k), rng), rng) for k in chosen]
    turned += [_as_published(_tidy(one, rng), rng) for one in mixed.planes]
    turned += [seen(_tidy(one, rng), rng) for one in made]
    turned += [seen(one, rng) for one in drawn.planes]
    label = [source.singles.label[chosen], mixed.label, np.full(of_made, NO_CLASS), drawn.label]
    members = [source.singles.members[chosen], mixed.members, made_members, drawn.members]
    scaled = np.stack(turned).astype(np.float32) / 255
    return scaled, np.concatenate(label), np.concatenate(members)


def _made(
    source: Stream, count: int, rng: np.random.Generator
) -> tuple[UInt8[np.ndarray, "n 3 52 52"], Float32[np.ndarray, "n 8"]]:
    """Mixtures of two or three maps of one size: a die fails where it fails in any."""
    sizes = list(source.partners)
    weights = np.array([len(source.partners[size]) for size in sizes], float)
    found, members = [], []
    for _ in range(count):
        of = source.partners[sizes[rng.choice(len(sizes), p=weights / weights.sum())]]
        parts = rng.choice(of, 2 if rng.random() < 0.7 else 3, replace=False)
        found.append(source.singles.planes[parts].max(0))
        members.append(source.singles.members[parts].max(0))
    return np.stack(found), np.stack(members)


def _before_clean(
    source: Stream, one: int, rng: np.random.Generator
) -> UInt8[np.ndarray, "3 52 52"]:
    """Planes of a map, now and then with a clean map of its size laid behind it."""
    found, clean = source.singles.planes[one], source.clean[int(source.singles.size[one])]
    if rng.random() >= BEHIND or not len(clean):
        return np.asarray(found)
    return np.asarray(np.maximum(found, source.singles.planes[rng.choice(clean)]))


def _tidy(
    one: UInt8[np.ndarray, "3 52 52"], rng: np.random.Generator
) -> UInt8[np.ndarray, "3 52 52"]:
    """Planes of a mixture, now and then without the fails that have no company."""
    if rng.random() >= TIDY:
        return one
    return np.stack([np.where(one[2] > 0, one[0], 0), one[1], one[2]]).astype(np.uint8)


def _as_published(
    one: UInt8[np.ndarray, "3 52 52"], rng: np.random.Generator
) -> UInt8[np.ndarray, "3 52 52"]:
    """Planes of MixedWM38: as they are, or by quarters; its dies fill the cells but for a hair."""
    if rng.random() < UPRIGHT:
        return one
    turned = np.rot90(one, int(rng.integers(4)), (1, 2))
    return turned[:, :, ::-1] if rng.random() < 0.5 else turned


def seen(
    one: UInt8[np.ndarray, "3 52 52"], rng: np.random.Generator
) -> UInt8[np.ndarray, "3 52 52"]:
    """Planes turned and mirrored at random: no pattern knows which way is up."""
    turned = np.rot90(one, int(rng.integers(4)), (1, 2))
    mirrored, degrees = rng.random() < 0.5, rng.uniform(-45, 45)
    turned = turned[:, :, ::-1] if mirrored else turned
    if rng.random() >= ROTATED:
        return turned
    return _rotated(turned, degrees, 1 + rng.uniform(-ZOOM, ZOOM))


def _rotated(
    one: UInt8[np.ndarray, "3 52 52"], degrees: float, scale: float
) -> UInt8[np.ndarray, "3 52 52"]:
    import cv2

    side = one.shape[1]
    about = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), degrees, scale)
    picture = np.ascontiguousarray(one.transpose(1, 2, 0))
    turned = np.asarray(cv2.warpAffine(picture, about, (side, side)), np.uint8)
    return turned.transpose(2, 0, 1)


def batches(source: Stream, first: int = 0) -> Iterator[Any]:
    """Batches first, first + 1, ... as torch tensors."""
    import cv2
    import torch

    cv2.setNumThreads(1)
    number = first
    while True:
        found = batch(source, number)
        yield tuple(torch.from_numpy(np.ascontiguousarray(array)) for array in found)
        number += 1


def loss(prediction: Any, of: tuple[Any, ...]) -> Any:
    """Cross-entropy of the class where there is one, and twice that of the members."""
    from torch.nn import functional

    exclusive = functional.cross_entropy(
        prediction[:, :9], of[1], ignore_index=NO_CLASS, label_smoothing=SMOOTHING
    )
    return exclusive + 2 * members_loss(prediction, of)


def members_loss(prediction: Any, of: tuple[Any, ...]) -> Any:
    """Binary cross-entropy of the members that are known."""
    from torch.nn import functional

    known = (of[2] >= 0).float()
    target = of[2].clamp(min=0) * (1 - MEMBER_SMOOTHING) + MEMBER_SMOOTHING / 2
    return functional.binary_cross_entropy_with_logits(prediction[:, 9:], target, known)


def main(argv: list[str] | None = None) -> None:
    """Train and export the network; the command behind the shipped weights."""
    import torch

    parser = argparse.ArgumentParser(description="train the wafer-map classifier")
    parser.add_argument("--data", type=Path, required=True, help="folder of the two .npz bundles")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--init", type=Path, help="state.pt of a training to go on from")
    parser.add_argument("--steps", type=int, default=9000)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--of", default=",".join(map(str, BATCH)), help="maps of a batch by source")
    parser.add_argument(
        "--members", action="store_true", help="learn which are there together only"
    )
    parser.add_argument("--split", choices=SPLITS, default="random", help="what is never seen")
    parser.add_argument("--generated", type=int, default=GENERATED, help="maps drawn")
    args = parser.parse_args(argv)
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)
    one = to_learn(singles(args.data / SINGLES), args.split)
    several = to_learn(mixtures(args.data / MIXED), args.split)
    drawn = to_learn(generated(args.seed, args.generated, several=True), args.split)
    of = tuple(map(int, args.of.split(",")))
    source = stream(args.seed, one, several, drawn, (of[0], of[1], of[2], of[3]))
    recipe = Recipe(steps=args.steps, rate=args.rate, decay=5e-4, average=0.999)
    net = network()
    if args.init:
        net.load_state_dict(torch.load(args.init, weights_only=True)["average"])
    net = net.to(memory_format=torch.channels_last)
    trained = fit(
        net, partial(batches, source), members_loss if args.members else loss, recipe, args.out
    )
    export(trained, args.out / NETWORKS[args.members])


if __name__ == "__main__":
    main()

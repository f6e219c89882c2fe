"""Fits the classifier's constants on maps kept aside from training, and writes its files.

    python -m fabsight.wafermap.classifier_tuning --data DIR --runs RUN,RUN --out DIR

Few constants, so that they cannot follow the noise of rare classes: one temperature and one weight
of the prior for the classes, one temperature and eight thresholds for the members, one threshold
for telling mixtures.
"""

import argparse
import json
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from fabsight.settings import to_json
from fabsight.wafermap.claims import PATTERNS
from fabsight.wafermap.classifier import (
    BATCH,
    FITTED,
    NETWORKS,
    Constants,
    Scores,
    logits,
    open_networks,
    scored,
)
from fabsight.wafermap.classifier_maps import (
    MIXED,
    SINGLES,
    Maps,
    generated,
    kept_aside,
    mixtures,
    singles,
)
from fabsight.wafermap.classifier_training import EVENNESS

GENERATED, SEED = 600, 4711  # maps drawn; the training draws from other seeds
MISTAKEN = 0.005  # share of real single maps that may be taken for mixtures
WEIGHTS = np.linspace(0.0, 1.2, 13)  # of the prior, tried
TEMPERATURES = np.geomspace(0.3, 2.5, 30)


@dataclass(frozen=True, eq=False)
class Given:
    """Maps with what the networks make of them.

    Attributes:
        maps: With labels.
        raw: Mean logits, (n, 17).
    """

    maps: Maps
    raw: Float64[np.ndarray, "n 17"]


def run(maps: Maps, folder: Path | None = None) -> Given:
    """The logits of maps by the networks in a folder, else by those shipped."""
    networks = open_networks(folder) if folder else None
    parts = [
        logits(maps.planes[first : first + BATCH], networks)
        for first in range(0, len(maps.planes), BATCH)
    ]
    return Given(maps, np.concatenate(parts))


def f1_scores(
    label: Int64[np.ndarray, " n"], given: Int64[np.ndarray, " n"], classes: int = len(PATTERNS)
) -> Float64[np.ndarray, " classes"]:
    """F1 score of each class, 0 where a class is neither there nor given.

    >>> f1_scores(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).round(3).tolist()
    [0.667, 0.667]
    """
    hits = np.array([((label == k) & (given == k)).sum() for k in range(classes)], float)
    both = np.array([(label == k).sum() + (given == k).sum() for k in range(classes)], float)
    return np.asarray(2 * hits / np.maximum(both, 1))


def fit(one: Given, several: Given, drawn: Given) -> Constants:
    """The constants that are best on real single maps, real mixtures and generated maps."""
    label, raw = one.maps.label, one.raw[:, :9]
    counts = np.bincount(label, minlength=len(PATTERNS)) + 1.0
    odds = (1 - EVENNESS) * np.log(counts / counts.sum())
    temperature = min(TEMPERATURES, key=lambda t: _class_loss(raw / t + odds, label))
    macro = [f1_scores(label, (raw / temperature + w * odds).argmax(1)).mean() for w in WEIGHTS]
    smooth = np.convolve(np.pad(macro, 1, mode="edge"), np.ones(3) / 3, "valid")
    favour = (WEIGHTS[int(smooth.argmax())] - 1) * odds
    alike = np.concatenate([several.raw, drawn.raw])[:, 9:]
    there = np.concatenate([several.maps.members, drawn.maps.members])
    member = min(TEMPERATURES, key=lambda t: _member_loss(alike / t, there))
    rough = Constants(
        temperature=float(temperature),
        prior=_plain(odds),
        favour=_plain(favour),
        member_temperature=float(member),
        member_threshold=_thresholds(there, alike / member),
        several_from=1.0,
    )
    by_chance = [scores.several for scores in scored(one.raw, rough)]
    return replace(rough, several_from=float(max(np.quantile(by_chance, 1 - MISTAKEN), 0.5)))


def _plain(values: np.ndarray) -> tuple[float, ...]:
    return tuple(round(float(value), 4) for value in values)


def _thresholds(
    members: Float32[np.ndarray, "n 8"], values: Float64[np.ndarray, "n 8"]
) -> tuple[float, ...]:
    """Probability from which each member is named: the middle of the best range."""
    shares, tried = 1 / (1 + np.exp(-values)), np.linspace(0.3, 0.7, 21)
    found = []
    for share, there in zip(shares.T, members.T, strict=True):
        right = np.array([((share >= least) == there)[there >= 0].mean() for least in tried])
        found.append(round(float(np.mean(tried[right >= right.max() - 1e-9])), 3))
    return tuple(found)


def _class_loss(values: np.ndarray, label: np.ndarray) -> float:
    top = values.max(1, keepdims=True)
    logs = values - top - np.log(np.exp(values - top).sum(1, keepdims=True))
    return float(-logs[np.arange(len(label)), label].mean())


def _member_loss(values: np.ndarray, there: np.ndarray) -> float:
    known = there >= 0
    return float(np.mean((np.logaddexp(0, values) - there * values)[known]))


def expected_error(
    probability: Float64[np.ndarray, " n"], right: Bool[np.ndarray, " n"], bins: int = 15
) -> float:
    """Expected calibration error: mean distance of probability and share of right, in equal bins.

    >>> expected_error(np.array([0.9, 0.9]), np.array([True, False]))
    0.4
    """
    place = np.minimum((probability * bins).astype(int), bins - 1)
    gaps = np.bincount(place, probability - right, bins)
    return float(np.abs(gaps).sum() / len(right))


def report(one: Given, several: Given, drawn: Given, fitted: Constants) -> str:
    """What the constants do on these maps, for a person."""
    scores = scored(one.raw, fitted)
    label = one.maps.label
    named = np.array([np.log(s.probabilities + 1e-12) + fitted.favour for s in scores]).argmax(1)
    shares = np.stack([s.probabilities for s in scores])
    lines = [f"{key}: {value}" for key, value in vars(fitted).items()]
    found = f1_scores(label, named)
    lines += [f"{name} {value:.3f}" for name, value in zip(PATTERNS, found, strict=True)]
    lines.append(f"macro-F1 {found.mean():.4f}, accuracy {(named == label).mean():.4f}")
    lines.append(f"ECE {expected_error(shares.max(1), shares.argmax(1) == label):.4f}")
    mixed = np.array([s.several for s in scores]) >= fitted.several_from
    lines.append(f"single maps taken for mixtures {mixed.mean():.4f}")
    for name, given in (("MixedWM38", several), ("generated", drawn)):
        lines.append(f"{name}: {_mixture_line(given.maps, scored(given.raw, fitted), fitted)}")
    return "\n".join(lines) + "\n"


def _mixture_line(maps: Maps, scores: list[Scores], fitted: Constants) -> str:
    there = np.stack([s.members for s in scores]) >= np.array(fitted.member_threshold)
    known = maps.members >= 0
    exact = ((there == (maps.members > 0)) | ~known).all(1).mean()
    many = (maps.members > 0).sum(1) > 1
    called = np.array([s.several for s in scores]) >= fitted.several_from
    told = f"exact match {exact:.4f}, mixtures taken for such {called[many].mean():.4f}"
    return f"{told}, others {called[~many].mean():.4f}, of {len(many)}"


def main(argv: list[str] | None = None) -> None:
    """Fit, print what the tuning part says, and write networks and constants to a folder."""
    parser = argparse.ArgumentParser(description="fit the wafer-map classifier's constants")
    parser.add_argument("--data", type=Path, required=True, help="folder of the two .npz bundles")
    parser.add_argument("--runs", required=True, help="folders of both trainings, by comma")
    parser.add_argument("--out", type=Path, required=True, help="where the files go")
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    for folder, name in zip(args.runs.split(","), NETWORKS, strict=True):
        shutil.copyfile(Path(folder) / name, args.out / name)
    maps = (
        kept_aside(singles(args.data / SINGLES)),
        kept_aside(mixtures(args.data / MIXED)),
        generated(SEED, GENERATED, several=True),
    )
    one, several, drawn = (run(some, args.out) for some in maps)
    fitted = fit(one, several, drawn)
    sys.stdout.write(report(one, several, drawn, fitted))
    held: Any = to_json(fitted)
    (args.out / FITTED).write_text(json.dumps(held, indent=1) + "\n")


if __name__ == "__main__":
    main()

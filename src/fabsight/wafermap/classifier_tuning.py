"""Fits the classifier's constants on maps kept aside from training, and writes its three files.

    python -m fabsight.wafermap.classifier_tuning --data DIR --straight RUN --unrolled RUN --out DIR

Few constants, so that they cannot follow the noise of rare classes: one temperature and one weight
of the prior for the classes, one temperature and eight thresholds for the members, one threshold
for telling mixtures.
"""

import argparse
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fabsight.settings import to_json
from fabsight.wafermap.claims import PATTERNS
from fabsight.wafermap.classifier import MEMBERS, Constants, Scores, scored
from fabsight.wafermap.classifier_network import VIEWS, View
from fabsight.wafermap.classifier_training import (
    EVENNESS,
    MIXED,
    SINGLES,
    TRAINING_PARTS,
    Maps,
    is_tuning,
    mixtures,
    singles,
)
from fabsight.wafermap.planes import unrolled

MISTAKEN = 0.01  # share of single maps that may be taken for mixtures
WEIGHTS = np.linspace(0.0, 1.2, 13)  # of the prior, tried
TEMPERATURES = np.geomspace(0.4, 2.5, 25)


def run(folders: Mapping[View, Path], flat: np.ndarray) -> np.ndarray:
    """Mean logits (n, 17) of exported networks on planes (n, 3, 48, 48)."""
    import onnxruntime

    found = []
    for view, path in folders.items():
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        parts = []
        for first in range(0, len(flat), 256):
            some = flat[first : first + 256]
            seen = np.stack([unrolled(one) for one in some]) if view == "unrolled" else some
            parts.append(session.run(None, {"planes": seen})[0])
        found.append(np.concatenate(parts))
    return np.asarray(np.mean(found, axis=0), np.float64)


def macro_f1(label: np.ndarray, given: np.ndarray, classes: int = len(PATTERNS)) -> float:
    """Mean over the classes of the F1 score."""
    return float(np.mean(f1_scores(label, given, classes)))


def f1_scores(label: np.ndarray, given: np.ndarray, classes: int = len(PATTERNS)) -> np.ndarray:
    """F1 score of each class, 0 where a class is neither there nor given."""
    hits = np.array([((label == k) & (given == k)).sum() for k in range(classes)], float)
    both = np.array([(label == k).sum() + (given == k).sum() for k in range(classes)], float)
    return np.asarray(2 * hits / np.maximum(both, 1))


def fit(one: Maps, raw: np.ndarray, several: Maps, raw_several: np.ndarray) -> Constants:
    """The constants that are best on these maps."""
    counts = np.bincount(one.label, minlength=len(PATTERNS)) + 1.0
    odds = (1 - EVENNESS) * np.log(counts / counts.sum())
    temperature = min(TEMPERATURES, key=lambda t: _class_loss(raw[:, :9] / t + odds, one.label))
    shares = [macro_f1(one.label, (raw[:, :9] / temperature + w * odds).argmax(1)) for w in WEIGHTS]
    smooth = np.convolve(np.pad(shares, 1, mode="edge"), np.ones(3) / 3, "valid")
    weigh = WEIGHTS[int(smooth.argmax())] * odds
    both = np.concatenate([raw[:, 9:], raw_several[:, 9:]])
    there = np.concatenate([one.members, several.members])
    member = min(TEMPERATURES, key=lambda t: _member_loss(both / t, there))
    plain = Constants(float(temperature), tuple(odds), tuple(weigh), float(member), (0.5,) * 8, 1.0)
    thresholds = _thresholds(several.members, scored(raw_several, plain))
    alike = np.array([scores.several for scores in scored(raw, plain)])
    several_from = float(max(np.quantile(alike, 1 - MISTAKEN), 0.5))
    return Constants(
        float(temperature),
        tuple(map(float, odds)),
        tuple(map(float, weigh)),
        float(member),
        thresholds,
        several_from,
    )


def _thresholds(members: np.ndarray, given: list[Scores]) -> tuple[float, ...]:
    """Probability from which each member is named: the middle of the best range."""
    shares = np.stack([scores.members for scores in given])
    tried = np.linspace(0.2, 0.8, 25)
    found = []
    for k in range(len(MEMBERS)):
        right = np.array([((shares[:, k] >= t) == members[:, k]).mean() for t in tried])
        found.append(float(np.mean(tried[right >= right.max() - 1e-9])))
    return tuple(found)


def _class_loss(values: np.ndarray, label: np.ndarray) -> float:
    top = values.max(1, keepdims=True)
    logs = values - top - np.log(np.exp(values - top).sum(1, keepdims=True))
    return float(-logs[np.arange(len(label)), label].mean())


def _member_loss(values: np.ndarray, there: np.ndarray) -> float:
    return float(np.mean(np.logaddexp(0, values) - there * values))


def kept_aside(maps: Maps) -> Maps:
    """The tuning part of the training part."""
    return maps.take(np.isin(maps.part, TRAINING_PARTS) & is_tuning(maps))


def main(argv: list[str] | None = None) -> None:
    """Fit, print what the tuning part says, and write networks and constants to a folder."""
    parser = argparse.ArgumentParser(description="fit the wafer-map classifier's constants")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--straight", type=Path, required=True, help="a training's folder")
    parser.add_argument("--unrolled", type=Path, required=True, help="a training's folder")
    parser.add_argument(
        "--out", type=Path, help="where the three files go; none are written if not"
    )
    args = parser.parse_args(argv)
    files = {view: getattr(args, view) / f"wafermap_{view}.onnx" for view in VIEWS}
    one, several = kept_aside(singles(args.data / SINGLES)), kept_aside(mixtures(args.data / MIXED))
    raw, raw_several = run(files, one.planes), run(files, several.planes)
    fitted = fit(one, raw, several, raw_several)
    _say(fitted, one, raw)
    if args.out:
        for path in files.values():
            shutil.copyfile(path, args.out / path.name)
        held: Any = to_json(fitted)
        (args.out / "wafermap_classifier.json").write_text(json.dumps(held, indent=1) + "\n")


def _say(fitted: Constants, one: Maps, raw: np.ndarray) -> None:
    import sys

    given = np.array([scores.weighed.argmax() for scores in scored(raw, fitted)])
    lines = [f"{k}: {v}" for k, v in vars(fitted).items()]
    lines += [f"{n} {f:.3f}" for n, f in zip(PATTERNS, f1_scores(one.label, given), strict=True)]
    lines.append(f"macro-F1 {macro_f1(one.label, given):.4f} of {len(given)} tuning maps")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

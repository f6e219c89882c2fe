"""Training of the evidence: from facts to which patterns they allow; the second opinion.

    python -m fabsight.wafermap.evidence_training --data DIR --out DIR

A small perceptron on the vector of facts, of real maps of the training part and of drawn ones. What
it rules out and what it confirms is set on maps kept aside: a pattern that is there is ruled out in
0.5 % of maps, one that is not is confirmed in 1 %.
"""

import argparse
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from fabsight.methods.supervised import Recipe, fit
from fabsight.wafermap.claims import PATTERNS
from fabsight.wafermap.classifier_maps import BLOCK, SINGLES, TRAINING_PARTS, TUNING, TUNING_EVERY
from fabsight.wafermap.fact_vector import VECTOR_NAMES, vector
from fabsight.wafermap.facts import measure
from fabsight.wafermap.generator import draw_wafer

WIDE = 96
BATCH = 256
LOST, FALSE = 0.005, 0.01  # of patterns that are there, ruled out; of those that are not, confirmed
Table = tuple[np.ndarray, np.ndarray, np.ndarray]  # facts, targets 0 to 1, weights 0 or 1


def network(mean: np.ndarray, scale: np.ndarray) -> Any:
    """Facts (n, f) to logits (n, 9) of the patterns, each for itself."""
    import torch
    from torch import nn

    class Evidence(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32))
            self.register_buffer("scale", torch.tensor(scale, dtype=torch.float32))
            self.layers = nn.Sequential(
                nn.Linear(len(mean), WIDE),
                nn.ReLU(),
                nn.Dropout(0.15),
                nn.Linear(WIDE, WIDE),
                nn.ReLU(),
                nn.Dropout(0.15),
                nn.Linear(WIDE, len(PATTERNS)),
            )

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layers(((x - self.mean) / self.scale).clamp(-6, 6))

    return Evidence()


def real(path: Path) -> tuple[Table, np.ndarray]:
    """Facts and labels of the training part of a WM-811K bundle; which are kept aside."""
    held = np.load(path)
    names = [str(name).lower() for name in held["classes"]]
    rows = np.flatnonzero(np.isin(held["split"], TRAINING_PARTS))
    flat, offsets, sizes = held["flat"], held["offsets"], held["hw"].astype(int)
    facts, targets = [], np.zeros((len(rows), len(PATTERNS)), np.float32)
    for k, i in enumerate(rows):
        facts.append(vector(measure(flat[offsets[i] : offsets[i + 1]].reshape(tuple(sizes[i])))))
        targets[k, PATTERNS.index(names[held["label"][i]])] = 1
    aside = (held["row"][rows] // BLOCK) % TUNING_EVERY == TUNING
    return (np.stack(facts), targets, np.ones_like(targets)), np.asarray(aside)


def drawn(count: int, seed: int) -> Table:
    """Facts and truths of drawn maps; patterns that may be there or not weigh nothing."""
    facts = []
    targets = np.zeros((count, len(PATTERNS)), np.float32)
    weights = np.ones_like(targets)
    for k in range(count):
        one = draw_wafer(np.random.default_rng([seed, k]))
        choice = one.description.choices["pattern"]
        facts.append(vector(measure(one.wafer.grid)))
        targets[k, [PATTERNS.index(name) for name in choice.true]] = 1
        weights[k, [PATTERNS.index(name) for name in choice.possible]] = 0
    return np.stack(facts), targets, weights


def batches(table: Table, seed: int, first: int = 0) -> Iterator[Any]:
    """Batches first, first + 1, ..., rare patterns more often than they occur."""
    import torch

    facts, targets, weights = table
    share = 1 / np.sqrt(targets.sum(0) + 1)
    odds = (targets @ share) + 1e-6
    odds /= odds.sum()
    number = first
    while True:
        chosen = np.random.default_rng([seed, number]).choice(len(facts), BATCH, p=odds)
        yield tuple(torch.from_numpy(part[chosen]) for part in (facts, targets, weights))
        number += 1


def loss(prediction: Any, of: tuple[Any, ...]) -> Any:
    """Binary cross-entropy of every pattern that is decided."""
    from torch.nn.functional import binary_cross_entropy_with_logits as bce

    _, targets, weights = of
    return bce(prediction, targets, weight=weights)


def limits(shares: Float32[np.ndarray, "n 9"], table: Table) -> dict[str, list[float]]:
    """Probability below which each pattern is ruled out and from which it is confirmed."""
    _, targets, weights = table
    low, high = [], []
    for k in range(len(PATTERNS)):
        there = shares[(targets[:, k] > 0) & (weights[:, k] > 0), k]
        absent = shares[(targets[:, k] == 0) & (weights[:, k] > 0), k]
        low.append(float(min(np.quantile(there, LOST), 0.5)))
        high.append(float(max(np.quantile(absent, 1 - FALSE), 0.5)))
    return {"ruled_out_below": low, "confirmed_from": high}


def main(argv: list[str] | None = None) -> None:
    """Train, fit the limits, write the two files."""
    import torch

    parser = argparse.ArgumentParser(description="train the evidence of wafer-map patterns")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--drawn", type=int, default=24000)
    parser.add_argument("--steps", type=int, default=12000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(argv)
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)
    maps, aside = real(args.data / SINGLES)
    made = drawn(args.drawn, args.seed)
    cut = args.drawn // 8
    learnt: Any = tuple(
        np.concatenate([a[~aside], b[cut:]]) for a, b in zip(maps, made, strict=True)
    )
    tuned: Any = tuple(np.concatenate([a[aside], b[:cut]]) for a, b in zip(maps, made, strict=True))
    mean, scale = learnt[0].mean(0), learnt[0].std(0) + 1e-3
    recipe = Recipe(steps=args.steps, rate=2e-3, decay=1e-3, bfloat16=False)
    net = fit(network(mean, scale), partial(batches, learnt, args.seed), loss, recipe, args.out)
    with torch.no_grad():
        shares = torch.sigmoid(net(torch.from_numpy(tuned[0]))).numpy()
    held = {"facts": list(VECTOR_NAMES), **limits(shares, tuned)}
    (args.out / "wafermap_evidence.json").write_text(json.dumps(held, indent=1) + "\n")
    _export(net, args.out / "wafermap_evidence.onnx")


def _export(net: Any, path: Path) -> None:
    import warnings

    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            torch.nn.Sequential(net, torch.nn.Sigmoid()).eval(),
            (torch.zeros(2, len(VECTOR_NAMES)),),
            str(path),
            input_names=["facts"],
            output_names=["shares"],
            dynamic_axes={"facts": {0: "n"}, "shares": {0: "n"}},
            opset_version=17,
            dynamo=False,
        )


if __name__ == "__main__":
    main()

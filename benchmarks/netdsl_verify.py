"""How well the layout verifier tells right programs from wrong ones, on looks held out of its fit.

    python benchmarks/netdsl_verify.py [--count 128] [--quick] [--labels DIR] [--out DIR]

The relief family of looks on drawn layouts and on tiles of the held-out labels. Right: the truth,
and the truth with every coordinate off by up to 0.3 px. Wrong: the damages of calibrate_check.py
and the program of another image. AUROC per damage and pooled, median scores, time for one image.
"""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from _bench import environment, header, options, save, table
from calibrate_check import DAMAGES, HELD_OUT_LABELS, PRESETS, Case, cases, read_labels
from fabsight.netdsl import verify

SEED = 2026
COUNT, QUICK_COUNT = 128, 16
KINDS = (*DAMAGES, "other")


def auroc(right: Sequence[float], wrong: Sequence[float]) -> float:
    """Share of pairs in which the right one scores higher, ties half; nan without any."""
    if not right or not wrong:
        return float("nan")
    over = np.subtract.outer(np.array(right), np.array(wrong))
    return float(np.mean((over > 0) + (over == 0) / 2))


def row(scored: list[tuple[Case, float]]) -> list[float]:
    """AUROC of each damage and pooled; median score of truths, near truths and wrong ones."""
    right = [s for case, s in scored if case.right]
    wrong = [s for case, s in scored if not case.right]
    by_kind = [auroc(right, [s for case, s in scored if case.kind == kind]) for kind in KINDS]
    medians = [
        float(np.median([s for case, s in scored if case.kind == kind] or [np.nan]))
        for kind in ("truth", "near")
    ]
    return [*by_kind, auroc(right, wrong), *medians, float(np.median(wrong or [np.nan]))]


def main() -> None:
    """Score every case and print a row for each preset, for labels, and for all."""
    asked = options(__doc__, COUNT, QUICK_COUNT)
    here = environment() | {"seed": [SEED]}
    print(header("netdsl_verify", here))
    labels = read_labels(HELD_OUT_LABELS, asked.labels)
    if not labels:
        print(f"# no labels in {asked.labels}: drawn layouts only")
    scored, seconds = [], []
    for case in cases(SEED, asked.count, "relief", labels, PRESETS):
        began = time.perf_counter()
        scored.append((case, verify(case.question, case.program).score))
        seconds.append(time.perf_counter() - began)
    rows: list[list[Any]] = []
    for name in (*PRESETS, "label", "all"):
        part = [pair for pair in scored if name == "all" or name in pair[0].look.split("/")]
        if part:
            rows.append([name, *row(part)])
    head = ("set", *KINDS, "pooled", "truth", "near", "wrong")
    print(table(head, rows))
    milliseconds = 1000 * float(np.median(seconds))
    print(f"# {len(scored)} programs on {asked.count} images; median {milliseconds:.1f} ms each")
    found = {"environment": here, "columns": head, "rows": rows, "median_ms": milliseconds}
    save(asked.out, "netdsl_verify", found)


if __name__ == "__main__":
    main()

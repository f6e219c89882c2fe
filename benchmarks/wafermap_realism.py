"""How like real maps drawn ones are: a classifier that saw drawn maps only, tried on real ones.

    python benchmarks/wafermap_realism.py [--count 600] [--quick] [--maps FILE] [--out DIR]

Gradient boosting (scikit-learn) on simple measures learns `--count` drawn maps of each class and is
tried on up to as many real ones (WM-811K, development splits 0 to 3), three times; for comparison
the same learns real maps of splits 0 to 2 and is tried on split 3. Also measures how long drawing
takes, in processor time of one core.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from _bench import RESULTS, SEED, environment, header, save, table
from _wafers import MAPS, features, real_maps
from fabsight.wafermap.claims import PATTERNS
from fabsight.wafermap.generator import draw_pattern, draw_wafer

DRAWS = 3  # sets of drawn maps
SIZES = ((26, 26), (38, 36), (53, 52), (160, 160))
Maps = Sequence[Sequence[np.ndarray]]


def main() -> None:
    """Print and keep the figures."""
    asked = _options()
    count = asked.count or (60 if asked.quick else 600)
    where = environment()
    print(header("wafermap_realism", where))
    rng = np.random.default_rng(SEED)
    real = real_maps(asked.maps, (0, 1, 2, 3), count, rng)
    rows = {}
    for turn in range(1 if asked.quick else DRAWS):
        drawn = [[draw_pattern(rng, (name,)).wafer.grid for _ in range(count)] for name in PATTERNS]
        rows[f"drawn -> real {turn + 1}"] = _tried(drawn, real)
    learned, tried = (real_maps(asked.maps, splits, count, rng) for splits in ((0, 1, 2), (3,)))
    rows["real -> real"] = _tried(learned, tried)
    names = ("", "accuracy", *PATTERNS)
    print(table(names, [(k, v["balanced_accuracy"], *v["recall"]) for k, v in rows.items()]))
    print("\nof each class (row), tried after learning drawn maps, said to be (column):")
    confusion = np.mean([v["confusion"] for k, v in rows.items() if k != "real -> real"], 0)
    print(
        table(
            names[:1] + PATTERNS,
            [(n, *map(float, r)) for n, r in zip(PATTERNS, confusion, strict=True)],
        )
    )
    times = {f"{h}x{w}": _milliseconds(count, (h, w)) for h, w in SIZES} | {
        "as they come": _milliseconds(count, None)
    }
    print("\n" + table(("ms a map", *times), [("", *times.values())]))
    save(asked.out, "wafermap_realism", {**where, "count": count, "rows": rows, "ms": times})


def _options() -> Any:
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("--count", type=int, default=0, help="maps per class (default 600)")
    asked.add_argument("--quick", action="store_true", help="60 maps per class")
    asked.add_argument("--maps", type=Path, default=MAPS, help="WM-811K bundle (.npz)")
    asked.add_argument("--out", type=Path, default=RESULTS, help="where the JSON file goes")
    return asked.parse_args()


def _tried(learned: Maps, tried: Maps) -> dict[str, Any]:
    """Accuracy with every class counting the same, recall by class, confusion in shares."""
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier
    except ImportError:
        raise SystemExit("wafermap_realism needs scikit-learn: pip install scikit-learn") from None
    x, y = _table(learned)
    model = HistGradientBoostingClassifier(
        max_iter=100, max_leaf_nodes=15, l2_regularization=1.0, class_weight="balanced"
    )
    model.set_params(random_state=0).fit(x, y)
    x, y = _table(tried)
    confusion = np.zeros((len(PATTERNS), len(PATTERNS)))
    np.add.at(confusion, (y, model.predict(x)), 1)
    confusion /= np.maximum(confusion.sum(1, keepdims=True), 1)
    recall = confusion.diagonal()
    return {
        "balanced_accuracy": float(recall.mean()),
        "recall": recall.tolist(),
        "confusion": confusion.tolist(),
    }


def _table(maps: Maps) -> tuple[np.ndarray, np.ndarray]:
    x = np.asarray([features(grid) for row in maps for grid in row], np.float32)
    return x, np.repeat(np.arange(len(PATTERNS)), [len(row) for row in maps])


def _milliseconds(count: int, size: tuple[int, int] | None) -> float:
    rng = np.random.default_rng(SEED)
    start = time.process_time()
    for k in range(count):
        if size is None:
            draw_wafer(rng)
        else:
            draw_pattern(rng, (PATTERNS[k % len(PATTERNS)],), size)
    return (time.process_time() - start) / count * 1000


if __name__ == "__main__":
    main()

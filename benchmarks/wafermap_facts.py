"""Facts of wafer maps: time per map, what they tell apart, and a classifier on them.

    python benchmarks/wafermap_facts.py [--count 12000] [--quick] [--shared DIR] [--out DIR]

Times are processor time of one core, the least of five runs a map, beside the 108 features of the
prototype in the same run. What needs WM-811K (`wm811k_trainval.npz`, its training splits alone) is
left out where that is absent; the classifier also needs scikit-learn. Thresholds were chosen while
looking at maps of the same splits.
"""

import argparse
import ast
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from _bench import RESULTS, ROOT, SEED, environment, header, save, table
from fabsight.wafermap.fact_vector import VECTOR_NAMES, vector
from fabsight.wafermap.facts import measure
from fabsight.wafermap.geometry import disk

SHARED = ROOT.parent / "shared"
DATA = Path("data", "wafermap", "wm811k_trainval.npz")
PROTOTYPE = Path("prototypes", "wafermap", "feat_reference.py")
SIZES = ((25, 27), (38, 36), (53, 52), (64, 64), (212, 204))
RUNS, TIMED = 5, 40
NOISE_MAPS = 1000
TUNING = 0.2  # share of the maps that the classifier does not see
CLASSES = (
    *("Center", "Donut", "Edge-Loc", "Edge-Ring", "Loc"),
    *("Near-full", "Random", "Scratch", "None"),
)
QUESTIONS = (
    ("edge coverage", "edge_coverage", ("Edge-Ring",), ("Edge-Loc",), 1),
    ("longest edge arc", "edge_arc", ("Edge-Ring",), ("Edge-Loc",), 1),
    ("line score", "line_1_score", ("Scratch",), ("Loc",), 1),
    ("line score", "line_1_score", ("Scratch",), ("None",), 1),
    ("line score", "line_1_score", ("Scratch",), ("Loc", "None"), 1),
    ("line thinness", "line_1_thinness", ("Scratch",), ("Loc",), 1),
    ("line thinness", "line_1_thinness", ("Scratch",), ("Loc", "None"), 1),
    ("centre zone enriched", "zone_0_enriched", ("Center",), ("Donut",), 1),
    ("centre zone enriched", "zone_0_enriched", ("Center",), ("Edge-Loc", "Loc", "None"), 1),
    ("peak radius", "peak_radius", ("Donut",), ("Center",), 1),
    ("centre against peak", "centre_p", ("Donut",), ("Center",), 1),
    ("mid zone enriched", "zone_2_enriched", ("Donut",), ("Center", "Loc", "None"), 1),
)
LINES = (
    *((6, 0, 0.0), (8, 0, 0.0), (12, 0, 0.0), (12, 0, 0.2), (18, 0, 0.2)),
    *((18, 30, 0.2), (18, 60, 0.2), (18, 90, 0.2), (25, 60, 0.2)),
)  # dies, degrees, share
Grid: TypeAlias = np.ndarray
Features: TypeAlias = Callable[[Grid], np.ndarray]


@dataclass(frozen=True)
class Maps:
    """Maps of WM-811K, their classes, and which are kept for tuning."""

    grids: list[Grid]
    label: np.ndarray
    tuning: np.ndarray


def main() -> None:
    """Print the tables and write the figures."""
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("--count", type=int, default=12000, help="real maps (default 12000)")
    asked.add_argument("--quick", action="store_true", help="600 real maps, 100 random ones")
    asked.add_argument("--shared", type=Path, default=SHARED, help="folder of data and prototypes")
    asked.add_argument("--out", type=Path, default=RESULTS, help="where the JSON file goes")
    options = asked.parse_args()
    settings = environment()
    print(header("wafermap_facts", settings))
    features: dict[str, Features] = {"facts": lambda grid: vector(measure(grid))}
    if (options.shared / PROTOTYPE).is_file():
        features["prototype"] = prototype(options.shared / PROTOTYPE)
    found: dict[str, Any] = {"environment": settings, "times_ms": times(features)}
    found["chance"] = chance(100 if options.quick else NOISE_MAPS)
    found["planted_lines"] = planted(20 if options.quick else 200)
    data = options.shared / DATA
    if data.is_file():
        maps = real_maps(data, 600 if options.quick else options.count)
        found |= on_real_maps(maps, features)
    else:
        print(f"\n# {data} is not here: what needs real maps is left out")
    save(options.out, "wafermap_facts", found)


def prototype(path: Path) -> Features:
    """The prototype's function without the loop over its data, which it runs when imported."""
    kept: list[ast.stmt] = []
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef) or (
            isinstance(node, ast.Assign) and not _reads(node, {"z", "time"})
        ):
            kept.append(node)
        elif isinstance(node, ast.Assign) and _reads(node, {"time"}):
            break
    names: dict[str, Any] = {}
    exec(compile(ast.Module(kept, []), str(path), "exec"), names)
    return names["feats"]  # type: ignore[no-any-return]


def _reads(node: ast.Assign, names: set[str]) -> bool:
    mentioned = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    return bool(mentioned & names)


def drawn(rows: int, columns: int, seed: int) -> Grid:
    """A map with noise, and by turns a blob, a ring and a line."""
    rng, at = np.random.default_rng((*SEED, seed)), disk(rows, columns)
    fails = rng.random((rows, columns)) < rng.uniform(0.02, 0.15)
    if seed % 4 == 1:
        fails |= np.hypot(at.x - 0.4, at.y - 0.2) < 0.25
    elif seed % 4 == 2:
        fails |= at.radius > 0.9
    elif seed % 4 == 3:
        fails |= (np.abs(at.x - at.y / 3) < 1.5 / columns) & (np.abs(at.y) < 0.4)
    return ((at.radius < 1) * (1 + fails)).astype(np.uint8)


def least_ms(features: Features, grid: Grid) -> float:
    """The least time of RUNS runs."""
    spent = []
    for _ in range(RUNS):
        start = time.process_time()
        features(grid)
        spent.append(time.process_time() - start)
    return min(spent) * 1e3


def times(features: Mapping[str, Features]) -> list[dict[str, Any]]:
    """Time per map for each size of grid."""
    rows = []
    for size in SIZES:
        grids = [drawn(*size, seed) for seed in range(TIMED)]
        row: dict[str, Any] = {"grid": f"{size[0]} x {size[1]}"}
        for name, function in features.items():
            spent = [least_ms(function, grid) for grid in grids]
            row[name], row[f"{name} worst"] = float(np.mean(spent)), float(np.max(spent))
        rows.append(row)
    print("\nms a map (mean and worst of drawn maps)")
    print(table(list(rows[0]), [list(row.values()) for row in rows]))
    return rows


def chance(count: int) -> list[dict[str, Any]]:
    """What is found on maps of pure noise."""
    rows = []
    for rate in (0.02, 0.05, 0.1, 0.2, 0.4):
        facts = []
        for seed in range(count):
            rng, die = np.random.default_rng((*SEED, seed)), disk(30, 30).radius < 1
            grid = die * (1 + (rng.random((30, 30)) < rate))
            facts.append(measure(grid.astype(np.uint8)))
        rows.append(
            {
                "fail rate": rate,
                "lines": float(np.mean([len(f.lines) > 0 for f in facts])),
                "repeats": float(np.mean([len(f.repeats.kinds) > 0 for f in facts])),
                "clear centre": float(np.mean([f.radial.clear for f in facts])),
                "one-sided p<.01": float(np.mean([f.symmetry.p_value < 0.01 for f in facts])),
                "fails in core": float(np.mean([f.background.core_share for f in facts])),
                "background": float(np.mean([f.background.rate for f in facts])),
                "join z std": float(np.std([f.randomness.join_z for f in facts])),
            }
        )
    print(f"\nshare of {count} maps of pure noise (30 x 30) on which is found:")
    print(table(list(rows[0]), [list(row.values()) for row in rows]))
    return rows


def planted(count: int) -> list[dict[str, Any]]:
    """How often planted lines are found, with what errors, in 5 % of noise on 40 x 40."""
    rows = []
    for length, bend_deg, missing in LINES:
        seen, off = 0, []
        for seed in range(count):
            grid, angle = line_map(seed, length, bend_deg, missing)
            lines = measure(grid).lines
            if lines and abs(lines[0].length_dies - length) < length / 2:
                seen += 1
                turned = (lines[0].angle_deg - angle + 90) % 180 - 90
                off.append((abs(lines[0].length_dies - length), abs(turned)))
        errors = np.median(off, axis=0) if off else (np.nan, np.nan)
        rows.append(
            {
                "length": length,
                "bend": bend_deg,
                "missing": missing,
                "found": seen / count,
                "length off": float(errors[0]),
                "angle off": float(errors[1]),
            }
        )
    print(f"\nlines planted on {count} maps; medians of the errors in dies and degrees")
    print(table(list(rows[0]), [list(row.values()) for row in rows]))
    return rows


def line_map(seed: int, length: int, bend_deg: int, missing: float) -> tuple[Grid, float]:
    """A map of noise with an arc of dies, one wide, and the angle of its chord."""
    rng, at = np.random.default_rng((*SEED, seed)), disk(40, 40)
    grid = (at.radius < 1) * (1 + (rng.random((40, 40)) < 0.05))
    middle, angle = rng.uniform(-5, 5, 2) + 19.5, rng.uniform(0, np.pi)
    steps = np.linspace(-0.5, 0.5, 200) * (length - 1)
    turn = angle + np.radians(bend_deg) * steps / length
    path = np.cumsum(np.stack([-np.cos(turn), np.sin(turn)]), 1) * (steps[1] - steps[0])
    cells = np.unique(np.round(path + middle[:, None] - path.mean(1, keepdims=True)), axis=1)
    row, column = cells[:, rng.random(cells.shape[1]) >= missing].astype(int)
    grid[row, column] = np.where(grid[row, column] > 0, 2, 0)
    return grid.astype(np.uint8), float(np.degrees(angle))


def real_maps(path: Path, count: int) -> Maps:
    """Drawn from the training splits; those that are tuned on are drawn with the seed."""
    held = np.load(path)
    training = np.flatnonzero(held["split"] < list(held["splits"]).index("val"))
    rng = np.random.default_rng(SEED)
    chosen = np.sort(rng.choice(training, min(count, len(training)), replace=False))
    flat, offsets, size = held["flat"], held["offsets"], held["hw"]
    grids = [flat[offsets[k] : offsets[k + 1]].reshape(size[k]) for k in chosen.tolist()]
    return Maps(grids, held["label"][chosen], rng.random(len(chosen)) < TUNING)


def on_real_maps(maps: Maps, features: Mapping[str, Features]) -> dict[str, Any]:
    """Times, AUROCs and the classifier."""
    numbers, spent = {}, {}
    for name, function in features.items():
        start = time.process_time()
        numbers[name] = np.stack([function(grid) for grid in maps.grids])
        spent[name] = (time.process_time() - start) / len(maps.grids) * 1e3
    print(f"\n{len(maps.grids)} maps of WM-811K, ms a map, one run each:")
    print(table(("features", "ms"), list(spent.items())))
    return {
        "real_ms": spent,
        "auroc": aurocs(maps, numbers["facts"]),
        "classifier": classifiers(maps, numbers),
    }


def aurocs(maps: Maps, numbers: np.ndarray) -> list[dict[str, Any]]:
    """How well single facts tell classes apart."""
    rows = []
    for title, name, these, others, sign in QUESTIONS:
        values = sign * numbers[:, VECTOR_NAMES.index(name)]
        parts = [
            values[np.isin(maps.label, [CLASSES.index(c) for c in part])]
            for part in (these, others)
        ]
        rows.append(
            {
                "fact": title,
                "class": ", ".join(these),
                "against": ", ".join(others),
                "AUROC": auroc(*parts),
            }
        )
    print()
    print(table(list(rows[0]), [list(row.values()) for row in rows]))
    return rows


def auroc(these: np.ndarray, others: np.ndarray) -> float:
    """Mann and Whitney's U as a share: ties count half."""
    if not len(these) or not len(others):
        return float("nan")
    ordered = np.sort(others)
    below = np.searchsorted(ordered, these, "left") + np.searchsorted(ordered, these, "right")
    return float(below.sum() / 2 / len(these) / len(others))


def classifiers(maps: Maps, numbers: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Macro-F1 on the tuning part of gradient boosting on each kind of features."""
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.metrics import f1_score
    except ImportError:
        print("\n# scikit-learn is not here: the classifier is left out")
        return {}
    train, found = ~maps.tuning, {}
    for name, table_ in numbers.items():
        model = HistGradientBoostingClassifier(
            max_iter=200, learning_rate=0.08, l2_regularization=1.0, random_state=0
        )
        model.fit(np.nan_to_num(table_[train]), maps.label[train])
        said, true = model.predict(np.nan_to_num(table_[maps.tuning])), maps.label[maps.tuning]
        each = f1_score(true, said, labels=range(len(CLASSES)), average=None, zero_division=0.0)
        found[name] = {
            "numbers": table_.shape[1],
            "macro_f1": float(np.mean(each)),
            "accuracy": float(np.mean(said == true)),
            **{CLASSES[k]: float(f1) for k, f1 in enumerate(each)},
        }
    print(f"\ngradient boosting on {int(train.sum())} maps, F1 on {int(maps.tuning.sum())} others")
    keys = list(next(iter(found.values())))
    print(table(("", *found), [(key, *(one[key] for one in found.values())) for key in keys]))
    return found


if __name__ == "__main__":
    main()

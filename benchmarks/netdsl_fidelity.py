"""Layout fidelity against independent truth: the solver beside thresholds and contour tracers.

    python benchmarks/netdsl_fidelity.py [--count 24] [--quick] [--labels DIR] [--out DIR]

Each row is a set of images drawn from seeds of its own; rows that differ in look or in what may be
answered show the same layouts. The segmenter was trained on looks of the `bloom` family and on
labels 0 to 3 of the chip; looks of the `relief` family and labels 4 and 5 were held out. A program
that cannot be read scores IoU 0 and counts. `rough truth` is the mask a perfect segmentation of the
rough edges would give; `floor` the best single answer: all metal, or one of the set's own truths.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, TypeAlias

import numpy as np

from _bench import environment, header, options, save, table
from _cases import (
    HELD_OUT_LABELS,
    TRAINED_LABELS,
    Case,
    Set,
    draw_case,
    missing_labels,
)
from _peers import THRESHOLDS, learned, threshold, tracers
from fabsight import TASKS
from fabsight.netdsl.scoring import score_masks
from fabsight.task import FabsightError, Row

TASK = TASKS["netdsl"]
Found: TypeAlias = Mapping[str, Any]
COUNT, QUICK_COUNT = 24, 3
QUALITY = ("iou", "dice", "bf1_2px", "skf1_1px", "assd_px")
WORST_SHOWN = 5
LEARNED, ROUGH = "learned mask", "rough truth"

CLEAN = (
    Set("clean stripes", "stripes", bar=0.995),
    Set("clean lines", "lines", bar=0.995),
    Set("clean manhattan", "manhattan", bar=0.995),
    Set("clean large", "large", bar=0.995),
)
BARS = {"mild": 0.97, "hard": 0.93}
LOOKS = tuple(
    Set(f"{preset} {family}", "mixed", preset, family, bar=BARS.get(preset, float("nan")))
    for family in ("bloom", "relief")
    for preset in ("mild", "hard", "wild")
)


@dataclass(eq=False)
class Tally:
    """What was measured of one row.

    Attributes:
        ours: Scores of each image's program, `commands`, `ms`, `cpu_ms` among them.
        ratios: Commands of each program over those of the truth.
        unreadable: Programs that could not be read back.
        peers: Scores of each image by name of the peer, `vertices` where it has any.
        truths: True masks, flat.
        names: Names of the images.
    """

    ours: list[Row] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)
    unreadable: int = 0
    peers: dict[str, list[Row]] = field(default_factory=dict)
    truths: list[np.ndarray] = field(default_factory=list)
    names: list[str] = field(default_factory=list)


def chip_sets() -> list[Set]:
    """Tiles of the chip: both groups of labels, both scales, clean and under held-out looks."""
    found = []
    for labels, group in ((TRAINED_LABELS, "0-3"), (HELD_OUT_LABELS, "4-5")):
        for scale, size, bar in ((1.0, "1", 0.955), (0.5, "1/2", 0.94)):
            name = f"emsec {group} x{size}"
            clean = Set(f"{name} clean", "emsec", labels=labels, scale=scale, bar=bar)
            mild = replace(clean, name=f"{name} mild relief", preset="mild", family="relief")
            hard = replace(mild, name=f"{name} hard relief", preset="hard")
            extended = replace(clean, name=f"{name} clean extended", extended=True, bar=0.975)
            found += [clean, extended, replace(mild, bar=0.92), replace(hard, bar=0.87)]
    return found


def measure(row: Set, count: int, labels: Path) -> Tally:
    """Everything measured of a row, its images drawn one after another."""
    tally = Tally()
    cases = [draw_case(row, number, labels) for number in range(count)]
    for case in cases:
        _answer(case, tally)
        tally.truths.append(case.truth.ravel() > 0)
        tally.names.append(case.name)
    masks = {name: [threshold(case.pixels, name) for case in cases] for name in THRESHOLDS}
    masks[LEARNED] = [learned(case.pixels) for case in cases]
    masks[ROUGH] = [case.rough for case in cases]
    for name, found in masks.items():
        tally.peers[name] = [
            score_masks(m, case.truth) for m, case in zip(found, cases, strict=True)
        ]
    best = max(THRESHOLDS, key=lambda name: mean(tally.peers[name], "iou"))
    for name, trace in tracers().items():
        for source in (best, LEARNED):
            rows = []
            for mask, case in zip(masks[source], cases, strict=True):
                drawn, vertices = trace(mask)
                rows.append(score_masks(drawn, case.truth) | {"vertices": float(vertices)})
            tally.peers[f"{name} on {source}"] = rows
    return tally


def _answer(case: Case, tally: Tally) -> None:
    """Solve one image, read the text back, score it."""
    question = case.example.question
    begin, used = perf_counter(), process_time()
    text = TASK.solve(question)
    ms = 1000 * (perf_counter() - begin)
    cpu_ms = 1000 * (process_time() - used)
    try:
        scores = TASK.score(TASK.parse(text, question), case.example)
    except FabsightError as error:
        print(f"# {case.name}: {error}")
        tally.unreadable += 1
        scores = {name: m.worst_for(case.example) for name, m in TASK.metrics.items()}
    tally.ours.append(scores | {"ms": ms, "cpu_ms": cpu_ms})
    tally.ratios.append(scores["commands"] / case.commands)


def floor(truths: Sequence[np.ndarray]) -> float:
    """Mean IoU of the best single answer: all metal, or one of the truths for every image."""
    flat = np.array(truths, np.float32)
    areas = flat.sum(axis=1)
    shared = flat @ flat.T
    union = areas[:, None] + areas - shared
    same = np.divide(shared, union, out=np.ones_like(union), where=union > 0)
    np.fill_diagonal(same, 0)  # an answer is not its own judge
    others = same.sum(axis=1) / max(len(flat) - 1, 1)
    return float(max(others.max(), (areas / flat.shape[1]).mean()))


def mean(rows: Sequence[Row], key: str) -> float:
    """The mean of one metric."""
    return statistics.fmean(row[key] for row in rows)


def summary(row: Set, tally: Tally) -> dict[str, Any]:
    """The row as JSON: means over all images, failures as worst."""
    ious = [r["iou"] for r in tally.ours]
    count = len(ious)
    ours = {key: mean(tally.ours, key) for key in QUALITY}
    ours |= {
        "iou_least": min(ious),
        "iou_p10": float(np.percentile(ious, 10)),
        "commands_median": statistics.median(r["commands"] for r in tally.ours),
        "commands_ratio": statistics.fmean(tally.ratios),
        "readable": 1 - tally.unreadable / count,
        "ms_median": statistics.median(r["ms"] for r in tally.ours),
        "cpu_ms_median": statistics.median(r["cpu_ms"] for r in tally.ours),
    }
    plain, with_ours = rivals(row, tally)
    return {
        "set": asdict(row),
        "seen_in_training": seen_in_training(row),
        "count": count,
        "floor": floor(tally.truths),
        "ours": ours,
        "peers": {name: _of_peer(rows) for name, rows in tally.peers.items()},
        "strongest": [_strongest(tally, names) for names in (plain, with_ours)],
        "worst": [
            {"image": tally.names[i], "iou": ious[i]} for i in np.argsort(ious)[:WORST_SHOWN]
        ],
    }


def rivals(row: Set, tally: Tally) -> tuple[list[str], list[str]]:
    """Peers that owe us nothing, and tracers on our segmenter's mask.

    A clean image is a mask already, so that its thresholds are the truth and no rivals.
    """
    ours = [name for name in tally.peers if name.endswith(f" on {LEARNED}")]
    others = [name for name in tally.peers if name not in (*ours, LEARNED, ROUGH)]
    if row.preset == "clean":
        others = [name for name in others if name not in THRESHOLDS]
    return others, ours


def _strongest(tally: Tally, names: Sequence[str]) -> dict[str, Any]:
    """The best of some peers by mean IoU, and the share of images on which we are no worse."""
    best = max(names, key=lambda name: mean(tally.peers[name], "iou"))
    pairs = zip(tally.ours, tally.peers[best], strict=True)
    won = statistics.fmean(ours["iou"] >= theirs["iou"] for ours, theirs in pairs)
    return {"peer": best, "iou": mean(tally.peers[best], "iou"), "won": won}


def _of_peer(rows: Sequence[Row]) -> Row:
    found = {key: mean(rows, key) for key in QUALITY}
    if "vertices" in rows[0]:
        found["vertices_median"] = statistics.median(row["vertices"] for row in rows)
    return found


def seen_in_training(row: Set) -> str:
    """Whether the segmenter was trained on such looks or such geometry."""
    seen = (["bloom looks"] if row.preset != "clean" and row.family == "bloom" else []) + (
        ["labels"] if row.labels == TRAINED_LABELS else []
    )
    return ", ".join(seen) or "no"


OURS = ("iou", "iou_least", "dice", "bf1_2px", "skf1_1px", "assd_px")
LENGTHS = ("commands_median", "commands_ratio", "readable", "ms_median", "cpu_ms_median")
HEAD = ("IoU", "least", "Dice", "BF1@2", "SkF1@1", "ASSD_px")
HEAD += ("commands", "x true", "readable", "ms", "CPU ms", "asked", "floor", "n")


def our_table(rows: Sequence[Found]) -> str:
    """The solver's figures, a line per row."""
    lines = []
    for row in rows:
        figures = [row["ours"][key] for key in OURS + LENGTHS]
        about = row["set"]
        use = row["seen_in_training"]
        lines.append([about["name"], use, *figures, about["bar"], row["floor"], row["count"]])
    return table(("set", "seen in training", *HEAD), lines)


def mask_table(rows: Sequence[Found]) -> str:
    """IoU of the solver and of every mask, a line per row."""
    names = [LEARNED, *THRESHOLDS, ROUGH]
    lines = []
    for row in rows:
        masks = [row["peers"][name]["iou"] for name in names]
        lines.append([row["set"]["name"], row["ours"]["iou"], *masks, row["floor"]])
    return table(("IoU", "program", *names, "floor"), lines)


def tracer_table(rows: Sequence[Found], learned_too: bool) -> str:
    """IoU and vertices of the contour tracers on one kind of mask, a line per row."""
    lines = []
    for row in rows:
        peers = row["peers"]
        source = LEARNED if learned_too else max(THRESHOLDS, key=lambda n: peers[n]["iou"])
        found = [f for name, f in peers.items() if name.endswith(f" on {source}")]
        cells = [v for f in found for v in (f["iou"], int(f["vertices_median"]))]
        ours = row["ours"]["iou"], int(row["ours"]["commands_median"])
        best = row["strongest"][learned_too]
        lines.append([row["set"]["name"], *ours, *cells, source, best["peer"], best["won"]])
    head = [text for name in tracers() for text in (name, "vertices")]
    return table(("IoU", "program", "commands", *head, "on", "strongest", "we win"), lines)


def worst_lines(rows: Sequence[Found]) -> str:
    """The lowest IoU of each row, by name of the image."""
    return "\n".join("; ".join(f"{w['image']} {w['iou']:.3f}" for w in r["worst"]) for r in rows)


def main() -> None:
    """Measure every row, print the tables, keep the JSON."""
    given = options(__doc__, COUNT, QUICK_COUNT)
    about = environment()
    print(header("netdsl_fidelity", about), flush=True)
    sets = [*CLEAN, *LOOKS]
    if missing := missing_labels(given.labels, TRAINED_LABELS + HELD_OUT_LABELS):
        print(f"# labels {missing} are not in {given.labels}: the chip's rows are left out")
    else:
        sets += chip_sets()
    begin = perf_counter()
    rows = [summary(row, measure(row, given.count, given.labels)) for row in sets]
    print(our_table(rows), mask_table(rows), sep="\n\n", end="\n\n")
    print(tracer_table(rows, learned_too=False), tracer_table(rows, learned_too=True), sep="\n\n")
    print("\nlowest IoU of each row:", worst_lines(rows), sep="\n")
    print(f"\n{perf_counter() - begin:.0f} s")
    save(given.out, "netdsl_fidelity", {"environment": about, "rows": rows})


if __name__ == "__main__":
    main()

"""Quality against program length: by bytes of the true program, and along the price of a command.

    python benchmarks/netdsl_quality_length.py [--count 16] [--quick] [--labels DIR] [--out DIR]

Length is that of the canonical text under zlib, as in the source's figure (arXiv 2606.02434). The
price knob is `--set price=`; each price answers the same images. Looks of the relief family and
labels 4 and 5 were held out of training.
"""

import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from _bench import FIGURES, environment, header, options, save, table
from _cases import HELD_OUT_LABELS, Case, Set, draw_case, missing_labels
from fabsight import TASKS
from fabsight.netdsl.language import parse
from fabsight.netdsl.scoring import count_commands, program_bytes
from fabsight.netdsl.settings import LayoutSettings

TASK = TASKS["netdsl"]
COUNT, QUICK_COUNT = 16, 3
PRICES = (3.0, 6.0, 12.0, 24.0, 48.0, 96.0, 192.0, 384.0)
DEFAULT_PRICE = LayoutSettings().price
BINS = 5
LENGTH_SETS = (
    Set("stripes", "stripes", "mild", "relief"),
    Set("lines", "lines", "mild", "relief"),
    Set("manhattan", "manhattan", "mild", "relief"),
    Set("four layouts", "large", "mild", "relief"),
)
Point: TypeAlias = dict[str, Any]


def price_sets(labels: Path) -> list[Set]:
    """Drawn layouts under held-out looks, and tiles of the held-out labels where they are."""
    drawn = [Set(f"synthetic {preset}", "mixed", preset, "relief") for preset in ("mild", "hard")]
    if missing := missing_labels(labels, HELD_OUT_LABELS):
        print(f"# labels {missing} are not in {labels}: the chip's tiles are left out")
        return drawn
    chip = Set("emsec 4-5 x1/2 clean", "emsec", labels=HELD_OUT_LABELS, scale=0.5)
    seen = replace(chip, name="emsec 4-5 x1/2 mild", preset="mild", family="relief")
    return [*drawn, chip, seen]


def answered(case: Case, price: float) -> Point:
    """Quality and length of one image's program at a price."""
    question = case.example.question
    question = replace(question, context=replace(question.context, price=price))
    program = TASK.parse(TASK.solve(question), question)
    scores = TASK.score(program, case.example)
    return {
        "iou": scores["iou"],
        "assd_px": scores["assd_px"],
        "bytes": program_bytes(program),
        "commands": scores["commands"],
    }


def along_prices(row: Set, count: int, labels: Path) -> list[Point]:
    """Means of a set's images at each price."""
    cases = [draw_case(row, number, labels) for number in range(count)]
    found = []
    for price in PRICES:
        points = [answered(case, price) for case in cases]
        means = {key: statistics.fmean(p[key] for p in points) for key in points[0]}
        found.append({"set": row.name, "price": price, "images": count, **means})
    return found


def by_length(count: int, labels: Path) -> list[Point]:
    """A point per image: length of its true program, and the quality of its answer."""
    found = []
    for row in LENGTH_SETS:
        for number in range(count):
            case = draw_case(row, number, labels)
            assert case.example.answer is not None
            true = parse(case.example.answer)
            point = answered(case, DEFAULT_PRICE)
            known = {"true_bytes": program_bytes(true), "true_commands": count_commands(true)}
            found.append({"set": row.name, **known, **point})
    return found


def binned(points: Sequence[Point]) -> list[Point]:
    """Means over equal numbers of images, ordered by the true program's length."""
    ordered = sorted(points, key=lambda point: point["true_bytes"])
    found = []
    for part in np.array_split(np.arange(len(ordered)), min(BINS, len(ordered))):
        inside = [ordered[k] for k in part]
        lengths = [p["true_bytes"] for p in inside]
        means = {k: statistics.fmean(p[k] for p in inside) for k in ("iou", "assd_px", "bytes")}
        limits = {"least_bytes": lengths[0], "most_bytes": lengths[-1]}
        found.append({**limits, "images": len(inside), **means})
    return found


def plot(points: Sequence[Point], prices: Sequence[Point], where: Path) -> None:
    """Two panels: IoU by length of the truth, IoU and length along the price."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "fabsight"
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for name in dict.fromkeys(p["set"] for p in points):
        own = [p for p in points if p["set"] == name]
        left.scatter([p["true_bytes"] for p in own], [p["iou"] for p in own], s=12, label=name)
    steps = binned(points)
    middle = [(b["least_bytes"] + b["most_bytes"]) / 2 for b in steps]
    left.plot(middle, [b["iou"] for b in steps], color="black", label="mean of equal parts")
    left.set_xlabel("true program, zlib bytes")
    left.set_ylabel("IoU, mild relief looks")
    for name in dict.fromkeys(p["set"] for p in prices):
        own = [p for p in prices if p["set"] == name]
        right.plot([p["bytes"] for p in own], [p["iou"] for p in own], marker="o", label=name)
        for p in own:
            if p["price"] in (PRICES[0], DEFAULT_PRICE, PRICES[-1]):
                at = p["bytes"], p["iou"]
                right.annotate(f"{p['price']:g}", at, (3, 4), textcoords="offset points")
    right.set_xlabel("answer, mean zlib bytes (numbers: price of a command, px)")
    right.set_ylabel("mean IoU")
    for axes in (left, right):
        axes.grid(visible=True, alpha=0.3)
        axes.legend(fontsize=8)
    where.mkdir(parents=True, exist_ok=True)
    for kind in ("svg", "png"):
        metadata = {"Date": None} if kind == "svg" else {}
        figure.savefig(where / f"netdsl_quality_length.{kind}", metadata=metadata, dpi=110)
    pyplot.close(figure)


def main() -> None:
    """Measure, print, plot, keep."""
    given = options(__doc__, COUNT, QUICK_COUNT)
    about = environment()
    print(header("netdsl_quality_length", about), flush=True)
    points = by_length(given.count, given.labels)
    prices = [
        point
        for row in price_sets(given.labels)
        for point in along_prices(row, given.count, given.labels)
    ]
    keys = ("least_bytes", "most_bytes", "images", "iou", "assd_px", "bytes")
    head = ("true program from", "to bytes", "images", "IoU", "ASSD px", "answer's bytes")
    print(table(head, [[step[key] for key in keys] for step in binned(points)]), end="\n\n")
    columns = ("set", "price", "iou", "assd_px", "bytes", "commands")
    print(table(columns, [[point[key] for key in columns] for point in prices]))
    plot(points, prices, FIGURES if not given.quick else given.out)
    found = {"environment": about, "by_length": points, "binned": binned(points), "prices": prices}
    save(given.out, "netdsl_quality_length", found)


if __name__ == "__main__":
    main()

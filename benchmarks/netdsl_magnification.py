"""Layouts at several magnifications, electrons per pixel unchanged: read as they are and reduced.

    python benchmarks/netdsl_magnification.py [--count 16] [--quick] [--out DIR]

Drawn layouts and every length of their looks times 1 to 6, looks of the relief family, which was
held out. `reduced` lets the solver choose how to read the image, `as it is` sets `reduce=1`.
"""

import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

from _bench import environment, header, options, save, table
from _cases import SIDE_PX, generator
from fabsight import TASKS
from fabsight.netdsl.language import Program
from fabsight.netdsl.looks import Look, Preset, draw_look
from fabsight.netdsl.reduction import reduced
from fabsight.netdsl.rendering import render
from fabsight.netdsl.scoring import score_masks
from fabsight.netdsl.sem import simulate
from fabsight.netdsl.settings import LayoutSettings
from fabsight.netdsl.shapes import scaled
from fabsight.netdsl.synthesis import PROMPT, TOPOLOGIES, layout
from fabsight.task import Image, Question

TASK = TASKS["netdsl"]
COUNT, QUICK_COUNT = 16, 3
TIMES = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
PRESETS: tuple[Preset, ...] = ("mild", "hard")
OVERSAMPLE = 2
HEAD = ("set", "IoU reduced", "as it is", "check reduced", "as it is", "factor", "n")


def magnified(look: Look, by: float) -> Look:
    """The look with every length times `by`; levels, dose and row effects as they are."""
    lengths = [name for name in vars(look) if name.endswith("_px") and name != "drift_px"]
    return replace(look, **{name: getattr(look, name) * by for name in lengths})


def case(preset: Preset, number: int, by: float) -> tuple[Question[LayoutSettings], Program]:
    """Image `number` of a preset at a magnification, and its true layout."""
    rng = generator("magnification", number)
    program = layout(rng, TOPOLOGIES[number % 3], SIDE_PX)
    look = magnified(draw_look(rng, preset, "relief"), by)
    side = round(SIDE_PX * by)
    truth = Program(side, side, tuple(scaled(shape, by) for shape in program.shapes))
    pixels = simulate(truth, look, rng, OVERSAMPLE).pixels
    return Question((Image(pixels),), PROMPT, LayoutSettings()), truth


def answered(question: Question[LayoutSettings], truth: Program) -> tuple[float, float]:
    """IoU of the solver's program, and its check."""
    found = TASK.parse(TASK.solve(question), question)
    return score_masks(render(found), render(truth))["iou"], TASK.verify(question, found).score


def row(preset: Preset, by: float, count: int) -> list[Any]:
    """Means over `count` images, and the usual factor."""
    free, fixed, factors = [], [], []
    for number in range(count):
        question, truth = case(preset, number, by)
        free.append(answered(question, truth))
        factors.append(reduced(question).factor)
        as_it_is = replace(question, context=LayoutSettings(reduce=1.0))
        fixed.append(answered(as_it_is, truth))
    iou, check = (statistics.fmean(found[k] for found in free) for k in (0, 1))
    iou_fixed, check_fixed = (statistics.fmean(found[k] for found in fixed) for k in (0, 1))
    usual = statistics.median(factors)
    return [f"{preset} x{by:g}", iou, iou_fixed, check, check_fixed, usual, count]


def main() -> None:
    """Measure every preset at every magnification."""
    asked = options(__doc__, COUNT, QUICK_COUNT)
    here = environment()
    print(header(Path(__file__).stem, here), flush=True)
    rows = [row(preset, by, asked.count) for preset in PRESETS for by in TIMES]
    print(table(HEAD, rows))
    save(asked.out, Path(__file__).stem, {"environment": here, "columns": HEAD, "rows": rows})


if __name__ == "__main__":
    main()

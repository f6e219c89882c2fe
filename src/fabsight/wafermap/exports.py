"""What an answer is written as: text, SVG, KLARF with a class for each defect."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from fabsight.files import replacing
from fabsight.task import Question
from fabsight.wafermap.checking import findings
from fabsight.wafermap.claims import Answer
from fabsight.wafermap.formats import WRITERS, transcode
from fabsight.wafermap.geometry import QUADRANTS, ZONES, disk
from fabsight.wafermap.phrases import TYPES, sentences, write
from fabsight.wafermap.seeing import seen
from fabsight.wafermap.settings import WaferSettings
from fabsight.wafermap.svg import svg_text

WaferQuestion = Question[WaferSettings]


def export_text(_question: WaferQuestion, said: Answer, path: Path) -> None:
    """Write the answer's sentences."""
    with replacing(path) as part:
        part.write_text(write(said) + "\n", encoding="utf-8")


def export_svg(question: WaferQuestion, said: Answer, path: Path) -> None:
    """Write the map as SVG with zones, clock and the answer below."""
    known, about = seen(question), question.context.about
    title = " ".join(filter(None, (about.lot, about.wafer))) or Path(question.source).name
    text = svg_text(known.grid, known.facts.background.core, title or "wafer map", write(said))
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


EXPORTS: Mapping[str, Callable[[WaferQuestion, Answer, Path], None]] = {
    "txt": export_text,
    "svg": export_svg,
}


def rewritten(to: str, source: Path, out: Path, settings: WaferSettings) -> tuple[str, ...]:
    """Write the wafers of a file in another format; what a person should know."""
    return transcode(source, to, out, settings)


def instruction(source: Path, out: Path, settings: WaferSettings) -> tuple[str, ...]:
    """Write questions, answers and rubrics about labelled maps as a dataset folder."""
    from fabsight.wafermap.instruction import write_dataset

    return write_dataset(source, out, settings)


Transcoder: TypeAlias = Callable[[Path, Path, WaferSettings], tuple[str, ...]]
TRANSCODES: Mapping[str, Transcoder] = {
    **{to: partial(rewritten, to) for to in WRITERS},
    "dataset": instruction,
}


def claims_table(question: WaferQuestion, said: Answer) -> list[dict[str, Any]]:
    """A row per claim: what it says and whether the map supports it."""
    found = findings(question, said)
    return [
        {
            "slot": f.claim.slot,
            "value": _plain(f.claim.value),
            "where": f.claim.where,
            "holds": f.claim.holds,
            "verdict": f.verdict,
            "sentence": sentences([f.claim])[0],
        }
        for f in found
    ]


def wafer_table(question: WaferQuestion, _said: Answer) -> list[dict[str, Any]]:
    """One row about the wafer: names, counts, rates by zone, pattern with probability."""
    known, about = seen(question), question.context.about
    counts, scores = known.facts.counts, known.scores
    named = known.description.choices["pattern"].true
    row: dict[str, Any] = {
        "lot": about.lot,
        "wafer": about.wafer,
        "slot": about.slot,
        "dies": counts.dies,
        "fails": counts.fails,
        "yield_pct": _percent(counts.yield_),
        "pattern": " + ".join(TYPES[name] for name in named),
        "probability": round(max((scores.probability(n) for n in named), default=0.0), 3),
        "systematic_fails": known.facts.background.core_dies,
        "background_pct": _percent(known.facts.background.rate),
        "edge_covered_deg": round(known.facts.edge.coverage_deg),
    }
    for names, rates in ((ZONES, known.facts.zones), (QUADRANTS, known.facts.quadrants)):
        for name, rate in zip(names, rates.rate, strict=True):
            row[f"fail_pct_{name.replace(' ', '_').replace('-', '_')}"] = _percent(float(rate))
    return [row]


def dies_table(question: WaferQuestion, _said: Answer) -> list[dict[str, Any]]:
    """A row per failing die: place in the file's coordinates, zone, clock, whether systematic."""
    known = seen(question)
    at, placed = disk(*known.grid.shape), question.context.about.placement
    core = known.facts.background.core
    rows = []
    for row, column in np.argwhere(known.grid == 2).tolist():
        x, y = placed.die(row, column)
        rows.append(
            {
                "x": x,
                "y": y,
                "radius": round(float(at.radius[row, column]), 3),
                "clock_h": round(float(at.clock_deg[row, column]) / 30, 2),
                "zone": ZONES[at.zone[row, column]],
                "quadrant": QUADRANTS[at.quadrant[row, column]],
                "systematic": bool(core[row, column]),
            }
        )
    return rows


def _percent(share: float) -> float | None:
    return None if np.isnan(share) else round(100 * share, 2)


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return f"{value[0]:.4g}-{value[1]:.4g}"
    return value

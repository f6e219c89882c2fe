"""Metrology against the generator's truth: bias and spread of CD, LER and LWR on simulated looks.

    python benchmarks/netdsl_metrology.py [--count 40] [--quick] [--out DIR]

The truth of an edge is where the simulated, rough edge lies along the rows that were measured: the
drawn edge plus the generator's displacement there. CD is also compared with the drawn width, which
the roughness of a finite edge is not part of. Each image is measured along its true program (the
metrology alone) and along the solver's (the product). LER and LWR are 3 sigma about the best
straight line; `biased` is the same before the noise is subtracted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float64

from _bench import environment, header, options, save, table
from _cases import SIDE_PX, generator
from fabsight import TASKS
from fabsight.netdsl.looks import Family, Preset, draw_look
from fabsight.netdsl.metrology import measure
from fabsight.netdsl.profiles import Leg, legs_of
from fabsight.netdsl.roughness import straightened
from fabsight.netdsl.sem import Map, simulate
from fabsight.netdsl.settings import LayoutSettings
from fabsight.netdsl.synthesis import TOPOLOGIES, layout
from fabsight.task import Image, Question

TASK = TASKS["netdsl"]
COUNT, QUICK_COUNT = 40, 3
SETS: tuple[tuple[Preset, Family], ...] = (
    ("mild", "bloom"),
    ("mild", "relief"),
    ("hard", "bloom"),
    ("hard", "relief"),
)
LEAST_ROWS = 48  # shorter stretches hold too few correlation lengths to know a sigma
SAME_PX = 3.0  # a measured run is a true one's if their centre lines are this near
ASKED_CD_PX, ASKED_LER = 0.1, 0.1

Lines: TypeAlias = list[dict[str, float]]
Edge: TypeAlias = Float64[np.ndarray, " rows"]


@dataclass(frozen=True, eq=False)
class Truth:
    """A drawn layout's runs and how far its rough edges lie outwards of the drawn ones, px."""

    legs: Sequence[Leg]
    displacement_px: Map

    def run_of(self, row: Mapping[str, Any]) -> Leg | None:
        """The true run that a measured one is about, None where there is no such run."""
        upright = row["orientation"] == "vertical"
        across, along = (row["x_px"], row["y_px"]) if upright else (row["y_px"], row["x_px"])
        fits = [
            leg
            for leg in self.legs
            if (leg.axis == "V") == upright
            and abs(leg.middle - across) < SAME_PX
            and leg.span[0] < along < leg.span[1]
        ]
        return min(fits, key=lambda leg: abs(leg.middle - across), default=None)

    def edges(self, leg: Leg, row: Mapping[str, Any]) -> tuple[Edge, Edge]:
        """Outward displacement of both edges along the rows a measured run shares with a true one.

        A rough edge lies where distance + field = 0, so the field is read there, not on the drawn
        edge: one step of a fixed-point iteration.
        """
        along = row["y_px"] if leg.axis == "V" else row["x_px"]
        half = row["length_px"] / 2
        first = int(np.ceil(max(leg.span[0], along - half, 0)))
        last = int(min(leg.span[1], along + half, len(self._field(leg))))
        rows = np.arange(first, last)
        found = []
        for side in (-1, 1):
            at = leg.middle + side * leg.width / 2
            once = self._sample(leg, rows, np.full(len(rows), at))
            found.append(self._sample(leg, rows, at + side * once))
        return found[0], found[1]

    def _field(self, leg: Leg) -> Map:
        return self.displacement_px if leg.axis == "V" else self.displacement_px.T

    def _sample(self, leg: Leg, rows: np.ndarray, at_px: Edge) -> Edge:
        """The field along rows, linear between pixel centres across."""
        field = self._field(leg)
        place = np.clip(at_px - 0.5, 0, field.shape[1] - 1.001)
        left = place.astype(int)
        share = place - left
        values: Edge = field[rows, left] * (1 - share) + field[rows, left + 1] * share
        return values


def three_sigma(edge: Edge) -> float:
    """3 sigma about the best straight line."""
    return 3 * float(np.sqrt((straightened(edge) ** 2).sum() / (len(edge) - 2)))


def compared(rows: Sequence[Mapping[str, Any]], truth: Truth) -> Lines:
    """Measured and true values of each run long enough; nan where something was not measured."""
    found: Lines = []
    for row in rows:
        if row["kind"] != "wire" or not row["rows"] or row["rows"] < LEAST_ROWS:
            continue
        leg = truth.run_of(row)
        if leg is None:
            continue
        left, right = truth.edges(leg, row)
        if len(left) < LEAST_ROWS:
            continue
        known = {k: np.nan if v is None else v for k, v in row.items() if k.endswith("_px")}
        found.append(
            {
                "cd": known["cd_px"] - leg.width - float(left.mean() + right.mean()),
                "cd_drawn": known["cd_px"] - leg.width,
                "program_width": known["design_width_px"] - leg.width,
                "cd_in_errors": (known["cd_px"] - leg.width) / known["cd_se_px"],
                "ler": known["ler_left_px"] + known["ler_right_px"],
                "ler_biased": known["ler_left_biased_px"] + known["ler_right_biased_px"],
                "ler_true": three_sigma(left) + three_sigma(right),
                "lwr": known["lwr_px"],
                "lwr_biased": known["lwr_biased_px"],
                "lwr_true": three_sigma(left + right),
            }
        )
    return found


def image_lines(number: int, preset: Preset, family: Family) -> tuple[Lines, Lines]:
    """One image measured along its true program and along the solver's."""
    rng = generator("metrology", number)
    program = layout(rng, TOPOLOGIES[number % len(TOPOLOGIES)], SIDE_PX)
    seen = simulate(program, draw_look(rng, preset, family), rng)
    question = Question((Image(seen.pixels),), TASK.prompt, LayoutSettings())
    truth = Truth(legs_of(program), seen.roughness_px)
    solved = TASK.parse(TASK.solve(question), question)
    found = [compared(measure(question, along), truth) for along in (program, solved)]
    return found[0], found[1]


def summary(images: Sequence[Lines]) -> dict[str, float]:
    """Bias and spread of everything compared; roughness biases are shares of the mean truth.

    A look moves every edge of its image alike, so each image has one vote in a bias; the spread
    between images and that of the runs about their image's mean are kept apart.
    """
    images = [lines for lines in images if lines]
    out: dict[str, float] = {"images": len(images), "runs": sum(map(len, images))}
    for key in ("cd", "cd_drawn", "program_width"):
        groups = [_finite(lines, key) for lines in images]
        means = np.array([group.mean() for group in groups if len(group)])
        within = np.concatenate([group - group.mean() for group in groups if len(group)])
        out[f"{key}_bias_px"] = float(means.mean())
        out[f"{key}_between_px"] = float(means.std())
        out[f"{key}_within_px"] = float(within.std())
    every = [line for lines in images for line in lines]
    out["cd_within_2_errors"] = float(np.mean(np.abs(_finite(every, "cd_in_errors")) < 2))
    for name, edges in (("ler", 2), ("lwr", 1)):
        true = _finite(every, f"{name}_true")
        out[f"{name}_true_px"] = float(true.mean()) / edges
        for key in (name, f"{name}_biased"):
            both = [line for line in every if np.isfinite(line[key])]
            ratio = _finite(both, key).mean() / _finite(both, f"{name}_true").mean()
            out[f"{key}_bias"] = float(ratio) - 1
    return out


def _finite(lines: Lines, key: str) -> Edge:
    values = np.array([line[key] for line in lines])
    return values[np.isfinite(values)]


HEAD = {
    "runs": "runs",
    "cd_bias_px": "CD bias px",
    "cd_between_px": "images",
    "cd_within_px": "runs",
    "cd_drawn_bias_px": "to drawn",
    "cd_within_2_errors": "within 2 se",
    "program_width_bias_px": "program",
    "program_width_between_px": "images",
    "ler_true_px": "LER px",
    "ler_bias": "bias",
    "ler_biased_bias": "biased",
    "lwr_true_px": "LWR px",
    "lwr_bias": "bias",
    "lwr_biased_bias": "biased",
}


def main() -> None:
    """Measure every set along both programs, print, keep."""
    given = options(__doc__, COUNT, QUICK_COUNT)
    about = environment()
    print(header("netdsl_metrology", about), flush=True)
    rows = []
    for preset, family in SETS:
        found = [image_lines(number, preset, family) for number in range(given.count)]
        for name, images in zip(("true", "solver's"), zip(*found, strict=True), strict=True):
            rows.append({"look": f"{preset} {family}", "along": name, **summary(images)})
    cells = [[row["look"], row["along"], *(row[key] for key in HEAD)] for row in rows]
    print(table(("look", "program", *HEAD.values()), cells))
    print(
        "\nCD bias: against the rough edge as simulated, each image one vote; `images`, `runs`: "
        "spread between images, and of runs within one; `to drawn`: against the drawn width;"
        "\n`program`: the program's own width against the drawn one; LER, LWR: true 3 sigma; "
        "`biased`: noise not subtracted"
        f"\nasked on mild looks: CD bias within {ASKED_CD_PX:g} px, LER bias within "
        f"{100 * ASKED_LER:g} %; the bloom family trained the segmenter, relief was held out"
    )
    save(given.out, "netdsl_metrology", {"environment": about, "rows": rows})


if __name__ == "__main__":
    main()

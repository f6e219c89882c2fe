"""Fit the confidence of the layout verifier on simulated images of the bloom family.

    python benchmarks/calibrate_check.py [--images 480] [--labels DIR] [--seed 1]

Right programs are truths and truths with every coordinate off by up to 0.3 px; wrong ones are the
damages below. Prints the constants of netdsl/confidence.py, as they stand there.
`netdsl_verify.py` measures them on the family and on the labels that are left out here.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from fabsight import images
from fabsight.netdsl.agreement import Measures, measure
from fabsight.netdsl.checking import fine_for
from fabsight.netdsl.confidence import KNOWN, SURPRISE_CAP, difficulty, raw, terms
from fabsight.netdsl.edge_profiles import outline_of
from fabsight.netdsl.labels import read_label_program
from fabsight.netdsl.language import Cap, Poly, Program, Shape, Via, Wire, moved, straight
from fabsight.netdsl.looks import Family, Preset, draw_look
from fabsight.netdsl.rendering import render
from fabsight.netdsl.sem import simulate
from fabsight.netdsl.settings import LayoutSettings
from fabsight.netdsl.synthesis import PROMPT, TOPOLOGIES, layout
from fabsight.task import Image, Question

PRESETS: tuple[Preset, ...] = ("clean", "mild", "hard", "wild")
LABELS = Path(__file__).parents[2] / "shared" / "data" / "netdsl" / "emsec_labels"
TRAINING_LABELS, HELD_OUT_LABELS = (0, 1, 2, 3), (4, 5)
SIDE = 256
# what is left out or invented must always count: a reward that forgets it is gamed
AT_LEAST = {"missing_px": 0.2, "false_px": 0.2}
LEAST_CHANGE_PX = 100  # a damage that changes fewer pixels is not seen by anyone


@dataclass(frozen=True)
class Case:
    """A program on an image: `kind` is the damage, or `truth` and `near` for right ones."""

    question: Question[LayoutSettings]
    program: Program
    kind: str
    look: str

    @property
    def right(self) -> bool:
        """Whether the program is the truth or nearly so."""
        return self.kind in ("truth", "near")


def question_of(pixels: np.ndarray) -> Question[LayoutSettings]:
    """An image as a question."""
    return Question((Image(pixels),), PROMPT, LayoutSettings())


def tile(
    rng: np.random.Generator, label: Program, side: int = SIDE, scale: float | None = None
) -> Program:
    """A random square of a label that holds metal, at scale 1 or 1/2."""
    scale = scale or float(rng.choice([1.0, 0.5]))
    while True:
        x = rng.uniform(0, label.width - side / scale)
        y = rng.uniform(0, label.height - side / scale)
        shapes: list[Shape] = []
        for shape in label.shapes:
            if isinstance(shape, Via):
                new: Shape = Via((shape.x - x) * scale, (shape.y - y) * scale, shape.r * scale)
                low, high = (new.x - new.r, new.y - new.r), (new.x + new.r, new.y + new.r)
            else:
                points = (np.array(shape.points) - (x, y)) * scale
                new = Poly(tuple(map(tuple, points.tolist())))
                low, high = points.min(axis=0), points.max(axis=0)
            if max(low) < side and min(high) > 0:
                shapes.append(new)
        program = Program(side, side, tuple(shapes))
        if 0.05 < render(program).mean() < 0.9:
            return program


def wider(shape: Shape, by: float) -> Shape:
    """The shape `by` px wider in all, half to each side."""
    if isinstance(shape, Via):
        return replace(shape, r=max(shape.r + by / 2, 0.5))
    if isinstance(shape, Poly):
        import gdstk

        grown = gdstk.offset([gdstk.Polygon(shape.points)], by / 2, join="miter")
        points = max((g.points.tolist() for g in grown), key=len, default=[])
        return Poly(tuple(map(tuple, points))) if len(points) >= 3 else Via(-9, -9, 1)
    caps = [
        Cap(cap.length, max(cap.width + by, 1.0)) if cap.length else cap
        for cap in (shape.start, shape.end)
    ]
    return replace(shape, width=max(shape.width + by, 1.0), start=caps[0], end=caps[1])


def jittered(program: Program, rng: np.random.Generator, most_px: float) -> Program:
    """Every coordinate and width off by up to `most_px`."""

    def off() -> float:
        return float(rng.uniform(-most_px, most_px))

    return replace(
        program,
        commands=tuple(wider(moved(s, off(), off()), off()) for s in program.shapes),
    )


def _pick(program: Program, rng: np.random.Generator) -> int:
    tracks = [i for i, s in enumerate(program.shapes) if not isinstance(s, Via)]
    return int(rng.choice(tracks or range(len(program.shapes))))


def _with(program: Program, index: int, *new: Shape) -> Program:
    shapes = program.shapes
    return replace(program, commands=(*shapes[:index], *new, *shapes[index + 1 :]))


def _signed(rng: np.random.Generator, low: float, high: float) -> float:
    return float(rng.uniform(low, high) * rng.choice([-1, 1]))


def move(program: Program, rng: np.random.Generator) -> Program:
    """One wire or polygon 2 to 6 px aside."""
    index = _pick(program, rng)
    shape, by = program.shapes[index], _signed(rng, 2, 6)
    if isinstance(shape, Wire):
        across = (0.0, by) if shape.runs[0].axis == "H" else (by, 0.0)
    else:
        across = (by, _signed(rng, 0, 4))
    return _with(program, index, moved(shape, *across))


def miss(program: Program, rng: np.random.Generator) -> Program:
    """One wire or polygon left out."""
    return _with(program, _pick(program, rng))


def add(program: Program, rng: np.random.Generator) -> Program:
    """A wire where none is."""
    width, length = rng.uniform(4, 14), rng.uniform(40, 200)
    x, y = rng.uniform(0, SIDE - 40, 2)
    new = straight("H" if rng.random() < 0.5 else "V", (x, y), length, width)
    return replace(program, commands=(*program.commands, new))


def one_width(program: Program, rng: np.random.Generator) -> Program:
    """One wire 2 to 4 px wider or narrower."""
    index = _pick(program, rng)
    return _with(program, index, wider(program.shapes[index], _signed(rng, 2, 4)))


def all_widths(program: Program, rng: np.random.Generator) -> Program:
    """Every shape 2 to 4 px wider, or narrower."""
    by = _signed(rng, 2, 4)
    return replace(program, commands=tuple(wider(s, by) for s in program.shapes))


def false_via(program: Program, rng: np.random.Generator) -> Program:
    """A via in a wire where the image has none."""
    wires = [s for s in program.shapes if isinstance(s, Wire) and s.width >= 6]
    if not wires:
        return program
    wire = wires[rng.integers(len(wires))]
    run, share = wire.runs[0], rng.uniform(0.2, 0.8)
    at = wire.x + share * run.dx, wire.y + share * run.dy
    via = Via(*at, float(rng.uniform(2, wire.width / 2 - 1)))
    near = [v for v in program.shapes if isinstance(v, Via)]
    if any(np.hypot(v.x - at[0], v.y - at[1]) < v.r + via.r + 2 for v in near):
        return program
    return replace(program, commands=(*program.commands, via))


def via_size(program: Program, rng: np.random.Generator) -> Program:
    """One via 35 to 70 % larger or smaller, by 1.5 px at least."""
    vias = [k for k, s in enumerate(program.shapes) if isinstance(s, Via)]
    if not vias:
        return program
    index = vias[rng.integers(len(vias))]
    via = program.shapes[index]
    assert isinstance(via, Via)
    by = max(rng.uniform(0.35, 0.7) * via.r, 1.5) * rng.choice([-1, 1])
    return _with(program, index, replace(via, r=max(via.r + float(by), 0.5)))


def via_aside(program: Program, rng: np.random.Generator) -> Program:
    """One via 2 to 5 px aside."""
    vias = [k for k, s in enumerate(program.shapes) if isinstance(s, Via)]
    if not vias:
        return program
    index, angle = vias[rng.integers(len(vias))], rng.uniform(0, 2 * np.pi)
    by = rng.uniform(2, 5)
    shape = moved(program.shapes[index], float(by * np.cos(angle)), float(by * np.sin(angle)))
    return _with(program, index, shape)


def miss_many(program: Program, rng: np.random.Generator) -> Program:
    """Several shapes left out, up to all but one."""
    count = len(program.shapes)
    if count < 3:
        return program
    gone = rng.choice(count, min(int(2 ** rng.uniform(1, 6)), count - 1), replace=False)
    kept = tuple(s for k, s in enumerate(program.shapes) if k not in set(gone.tolist()))
    return replace(program, commands=kept)


def add_many(program: Program, rng: np.random.Generator) -> Program:
    """Several small vias or stubs where none are."""
    new: list[Shape] = []
    for _ in range(int(2 ** rng.uniform(2, 6))):
        x, y = rng.uniform(0, SIDE, 2)
        if rng.random() < 0.5:
            new.append(Via(x, y, float(rng.uniform(1.5, 5))))
        else:
            axis: Literal["H", "V"] = "H" if rng.random() < 0.5 else "V"
            new.append(straight(axis, (x, y), float(rng.uniform(4, 20)), float(rng.uniform(2, 8))))
    return replace(program, commands=(*program.commands, *new))


def nothing(program: Program, _rng: np.random.Generator) -> Program:
    """No commands."""
    return replace(program, commands=())


def everything(program: Program, _rng: np.random.Generator) -> Program:
    """Metal everywhere."""
    return replace(program, commands=(straight("H", (0, SIDE / 2), SIDE, SIDE),))


DAMAGES: dict[str, Callable[[Program, np.random.Generator], Program]] = {
    "moved": move,
    "missing": miss,
    "added": add,
    "one width": one_width,
    "all widths": all_widths,
    "false via": false_via,
    "many missing": miss_many,
    "many added": add_many,
    "empty": nothing,
    "all metal": everything,
    "via size": via_size,
    "via aside": via_aside,
}
OF_VIAS = (false_via, via_size, via_aside)


def damaged(
    program: Program, rng: np.random.Generator, damage: Callable[..., Program]
) -> Program | None:
    """A damage that shows on the canvas, None where ten tries found none."""
    truth = render(program)
    for _ in range(10):
        wrong = damage(program, rng)
        if damage in OF_VIAS and wrong is not program:
            return wrong  # a via in metal changes no pixel of the mask
        if np.count_nonzero(render(wrong) != truth) >= LEAST_CHANGE_PX:
            return wrong
    return None


def layout_for(number: int, rng: np.random.Generator, labels: list[Program]) -> tuple[str, Program]:
    """A drawn layout or a tile of a label, the kinds in turn."""
    kinds = [*TOPOLOGIES, *(["label"] if labels else [])]
    kind = kinds[number % len(kinds)]
    if kind == "label":
        return kind, tile(rng, labels[rng.integers(len(labels))])
    return kind, layout(rng, kind)  # type: ignore[arg-type]


def cases(
    seed: int, count: int, family: Family, labels: list[Program], presets: tuple[Preset, ...]
) -> Iterator[Case]:
    """All programs, right and wrong, on `count` images; image i depends on (seed, i) only."""
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        kind, program = layout_for(number, rng, labels)
        _, other = layout_for(number + 1, np.random.default_rng([seed, number + 1]), labels)
        if not program.shapes or not render(program).any():
            continue
        preset = presets[number // 4 % len(presets)]
        pixels = (
            render(program) * np.uint8(255)
            if preset == "clean"
            else simulate(program, draw_look(rng, preset, family), rng).pixels
        )
        question = question_of(pixels)
        look = f"{preset}/{kind}"
        yield Case(question, program, "truth", look)
        yield Case(question, jittered(program, rng, 0.3), "near", look)
        yield Case(question, other, "other", look)
        for place, (name, damage) in enumerate(DAMAGES.items()):
            if damage in OF_VIAS and preset == "clean":
                continue  # no via in metal shows in a mask
            wrong = damaged(program, np.random.default_rng([seed, number, place]), damage)
            if wrong is not None:
                yield Case(question, wrong, name, look)


def measures_of(case: Case) -> Measures | None:
    """The measures of a case; None where the program has no outline, which needs none."""
    grey = images.grey(case.question.images[0])
    outline = outline_of(case.program, fine_for(grey))
    return measure(grey, case.program, outline, "mid")[0] if outline else None


def read_labels(numbers: tuple[int, ...], folder: Path) -> list[Program]:
    """Labels that are there, as programs."""
    paths = [folder / f"label{n:04d}.svg" for n in numbers]
    return [read_label_program(path) for path in paths if path.is_file()]


@dataclass(frozen=True)
class Constants:
    """What confidence.py holds."""

    bias: float
    usual: np.ndarray
    spread: np.ndarray
    weights: np.ndarray


def fit(found: list[Measures], right: np.ndarray, ridge: float = 2e-3) -> Constants:
    """Usual measures of right programs, and a logistic regression with weights that never help."""
    from scipy.optimize import minimize

    values = np.array([raw(m) for m in found])
    hard = np.array([difficulty(m) for m in found])
    usual = np.linalg.lstsq(hard[right], values[right], rcond=None)[0].T
    rest = values - hard @ usual.T
    spread = rest[right].std(axis=0) + 1e-6
    x = np.hstack(
        [
            np.ones((len(found), 1)),
            -terms(np.minimum(rest / spread, SURPRISE_CAP)).reshape(len(found), -1),
        ]
    )
    sign = np.where(right, 1.0, -1.0)
    weight = np.where(right, 0.5 / right.sum(), 0.5 / (~right).sum())

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        margin = sign * (x @ w)
        slope = -sign * weight / (1 + np.exp(np.clip(margin, -50, 50)))
        gradient = x.T @ slope
        gradient[1:] += 2 * ridge * w[1:]
        return float(weight @ np.logaddexp(0, -margin) + ridge * w[1:] @ w[1:]), gradient

    knees = (x.shape[1] - 1) // len(KNOWN)
    least = [AT_LEAST.get(name, 0.0) for name in KNOWN for _ in range(knees)]
    limits = [(None, None)] + [(low, None) for low in least]
    w = minimize(loss, np.zeros(x.shape[1]), jac=True, method="L-BFGS-B", bounds=limits).x
    return Constants(float(w[0]), usual, spread, w[1:])


def shown(constants: Constants) -> str:
    """The constants as Python."""
    numbers = np.column_stack(
        [constants.usual, constants.spread, constants.weights.reshape(len(KNOWN), -1)]
    )
    rows = (
        f'    "{name}": (' + ", ".join(f"{v:.3f}" for v in row) + "),\n"
        for name, row in zip(KNOWN, numbers, strict=True)
    )
    return f"BIAS = {constants.bias:.3f}\nFITTED = {{\n{''.join(rows)}}}"


def main() -> None:
    """Measure every case, fit, print."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--images", type=int, default=480)
    asked.add_argument("--labels", type=Path, default=LABELS)
    asked.add_argument("--seed", type=int, default=1)
    options = asked.parse_args()
    labels = read_labels(TRAINING_LABELS, options.labels)
    rows, right = [], []
    for case in cases(options.seed, options.images, "bloom", labels, PRESETS):
        found = measures_of(case)
        unseen = found is not None and case.kind == "false via" and found.via_shown == 1
        if found is not None and not unseen:  # a via that cannot be judged teaches nothing
            rows.append(found)
            right.append(case.right)
    print(f"# benchmarks/calibrate_check.py --images {options.images} --seed {options.seed}")
    print(shown(fit(rows, np.array(right))))


if __name__ == "__main__":
    main()

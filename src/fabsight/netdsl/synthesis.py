"""Random layouts with exact truth: vertical stripes, horizontal lines and Manhattan routing.

The mixture is the source's (arXiv 2606.02434, section 4.1); its distributions are not published,
so the ranges are ours. Shapes never touch, keep at least 4 px apart, and lie on a grid of 1 px
(three layouts in four) or 1/4 px.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import UInt8

from fabsight.netdsl.canonical import canonical
from fabsight.netdsl.language import (
    NO_CAP,
    Cap,
    Program,
    Run,
    Shape,
    Via,
    Wire,
    straight,
    write,
)
from fabsight.netdsl.looks import Family, Preset, draw_look
from fabsight.netdsl.rendering import paint
from fabsight.netdsl.sem import simulate
from fabsight.netdsl.settings import LayoutSettings
from fabsight.task import Example, Image, Question

PROMPT = "Reconstruct this circuit pattern in NetDSL-L2."
Topology: TypeAlias = Literal["stripes", "lines", "manhattan"]
TOPOLOGIES: tuple[Topology, ...] = ("stripes", "lines", "manhattan")
GAP_PX = 4


@dataclass(frozen=True)
class Draw:
    """What a layout is drawn with: the generator, the canvas side and the grid, px."""

    rng: np.random.Generator
    side: int = 256
    grid: float = 1.0

    def between(self, low: float, high: float) -> float:
        """A number in [low, high] on the grid."""
        steps = self.rng.integers(round(low / self.grid), round(high / self.grid) + 1)
        return float(steps * self.grid)

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return bool(self.rng.random() < probability)


def layout(rng: np.random.Generator, topology: Topology | None = None, side: int = 256) -> Program:
    """A random layout of `side` x `side` px, in canonical form."""
    grid = float(rng.choice([1.0, 1.0, 1.0, 0.25]))
    draw = Draw(rng, side, grid)
    kind = topology or TOPOLOGIES[rng.integers(3)]
    shapes = _manhattan(draw) if kind == "manhattan" else _stripes(draw, kind == "lines")
    return canonical(Program(side, side, tuple(shapes)))


def example(
    rng: np.random.Generator,
    preset: Preset | None = None,
    family: Family = "bloom",
    topology: Topology | None = None,
) -> Example[LayoutSettings]:
    """A layout, its image under a look, and the program as truth."""
    kind = topology or TOPOLOGIES[rng.integers(3)]
    program = layout(rng, kind)
    chosen: Preset = preset or _presets()[rng.integers(4)]
    if chosen == "clean":
        pixels = paint(program.shapes, program.width, program.height) * np.uint8(255)
    else:
        pixels = simulate(program, draw_look(rng, chosen, family), rng).pixels
    question = Question((Image(pixels),), PROMPT, LayoutSettings())
    difficulty = {"clean": "easy", "mild": "medium"}.get(chosen, "hard")
    return Example(question, write(program), kind=f"{kind}/{chosen}", difficulty=difficulty)


def synthesize(rng: np.random.Generator) -> Example[LayoutSettings]:
    """A random example: any topology, any preset of the training family of looks."""
    return example(rng)


def _presets() -> tuple[Preset, ...]:
    return ("clean", "mild", "hard", "wild")


def _stripes(draw: Draw, horizontal: bool) -> list[Shape]:
    """Parallel wires over the whole canvas, some broken, some with dogbone ends."""
    side = draw.side
    shapes: list[Shape] = []
    widest = float(draw.rng.choice([8, 12, 18, 26]))
    space = float(draw.rng.choice([10, 18, 30]))
    regular = draw.chance(0.35)
    width, gap = draw.between(4, widest), draw.between(5, space)
    caps = draw.chance(0.6)
    place = draw.between(0, 12)
    while True:
        if not regular:
            width, gap = draw.between(4, widest), draw.between(5, space)
        if place + width > side:
            return shapes
        centre = place + width / 2
        flare = min(draw.between(1, 3), (gap - 4) / 2) if caps else 0.0
        for begin, length, ends in _pieces(draw):
            cap = [
                Cap(draw.between(8, 24), width + 2 * flare) if has and flare > 0 else NO_CAP
                for has in ends
            ]
            at = (begin, centre) if horizontal else (centre, begin)
            shapes.append(straight("H" if horizontal else "V", at, length, width, *cap))
        if draw.chance(0.08) and gap >= 16 and not caps:
            along, middle = draw.between(10, side - 10), place + width + gap / 2
            x, y = (along, middle) if horizontal else (middle, along)
            shapes.append(Via(x, y, draw.between(3, max(3, gap / 2 - 5))))
        place += width + gap


def _pieces(draw: Draw) -> list[tuple[float, float, tuple[bool, bool]]]:
    """Begin, length and free ends of the pieces of one stripe."""
    side, what = draw.side, draw.rng.random()
    if what < 0.5:
        return [(0.0, float(side), (False, False))]
    if what < 0.65:
        return [(0.0, draw.between(60, side - 36), (False, True))]
    if what < 0.8:
        begin = draw.between(30, side - 76)
        return [(begin, side - begin, (True, False))]
    begin, length = draw.between(10, 60), draw.between(50, 90)
    pieces = [(begin, length, (True, True))]
    after = begin + length + draw.between(10, 30)
    if side - after > 45:
        pieces.append((after, side - after, (True, False)))
    return pieces


def _manhattan(draw: Draw) -> list[Shape]:
    """Wires with bends and caps, isolated vias, vias on wires, and via arrays."""
    side = draw.side
    blocked = np.zeros((side, side), np.uint8)
    shapes: list[Shape] = []
    if draw.chance(0.3):
        array = _via_array(draw)
        shapes += array
        blocked |= _grown(array, side)
    width = 2 * draw.between(2, 7)  # sides lie on the grid, not between
    target = int(draw.rng.integers(4, 16 if width > 8 else 28))
    wires: list[Wire] = []
    for _ in range(160):
        if len(wires) >= target:
            break
        if draw.chance(0.2):
            width = 2 * draw.between(2, 7)
        wire = _wire(draw, width)
        if wire is not None and _place(blocked, wire):
            wires.append(wire)
    shapes += wires
    for _ in range(int(draw.rng.integers(0, 6))):
        via = Via(draw.between(12, side - 12), draw.between(12, side - 12), draw.between(3, 8))
        if _place(blocked, via):
            shapes.append(via)
    if draw.chance(0.3):
        shapes += [_on(draw, w) for w in wires if w.width >= 8]
    return shapes


def _wire(draw: Draw, width: float) -> Wire | None:
    """A random walk of up to four runs inside the canvas, None when it is too short."""
    side = draw.side
    x0, y0 = draw.between(0, side), draw.between(0, side)
    x, y, horizontal = x0, y0, draw.chance(0.5)
    runs: list[Run] = []
    for _ in range(draw.rng.integers(1, 5)):
        step = draw.between(24, 140) * (1 if draw.chance(0.5) else -1)
        here = x if horizontal else y
        step = min(max(here + step, 0.0), float(side)) - here
        if abs(step) < 3 * width:
            break
        runs.append(Run("H", step, 0.0) if horizontal else Run("V", 0.0, step))
        x, y = (x + step, y) if horizontal else (x, y + step)
        horizontal = not horizontal
    if not runs:
        return None
    caps = [
        Cap(draw.between(width, 2 * width), width + 2 * draw.between(1, 3))
        if draw.chance(0.4)
        else NO_CAP
        for _ in range(2)
    ]
    return Wire(x0, y0, width, caps[0], caps[1], tuple(runs))


def _via_array(draw: Draw) -> list[Shape]:
    radius = draw.between(3, 6)
    pitch = [2 * radius + draw.between(5, 12) for _ in range(2)]
    count = [int(draw.rng.integers(2, 8)) for _ in range(2)]
    span = [p * (n - 1) for p, n in zip(pitch, count, strict=True)]
    corner = [draw.between(10, max(10, draw.side - s - 12)) for s in span]
    return [
        Via(corner[0] + i * pitch[0], corner[1] + j * pitch[1], radius)
        for j in range(count[1])
        for i in range(count[0])
    ]


def _on(draw: Draw, wire: Wire) -> Via:
    """A via inside a wire, at its start."""
    run, inset = wire.runs[0], wire.width
    dx, dy = np.sign(run.dx) * inset, np.sign(run.dy) * inset
    return Via(wire.x + dx, wire.y + dy, draw.between(2, wire.width / 2 - 1))


def _grown(shapes: list[Shape], side: int) -> UInt8[np.ndarray, "side side"]:
    import cv2

    kernel = np.ones((2 * GAP_PX + 1, 2 * GAP_PX + 1), np.uint8)
    return np.asarray(cv2.dilate(paint(shapes, side, side), kernel), np.uint8)


def _place(blocked: UInt8[np.ndarray, "side side"], shape: Shape) -> bool:
    """Claim the shape's surroundings if they are free."""
    side = blocked.shape[0]
    mask = paint([shape], side, side)
    if not mask.any() or (blocked & mask).any():
        return False
    blocked |= _grown([shape], side)
    return True

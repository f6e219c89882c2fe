"""The images the layout scripts measure on, each with its truth, each drawn from a seed of its own.

Two families of looks: `bloom` trained the segmenter and tuned the check, `relief` was held out.
Labels 0 to 3 of the chip trained the segmenter, 4 and 5 were held out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias
from zlib import crc32

import numpy as np
from jaxtyping import UInt8

from _bench import SEED
from fabsight.netdsl.labels import read_label_program
from fabsight.netdsl.language import Poly, Program, Shape, Via, moved, write
from fabsight.netdsl.looks import Family, Preset, draw_look
from fabsight.netdsl.rendering import Mask, render
from fabsight.netdsl.scoring import count_commands
from fabsight.netdsl.sem import simulate
from fabsight.netdsl.settings import LayoutSettings
from fabsight.netdsl.synthesis import PROMPT, TOPOLOGIES, Topology, layout
from fabsight.task import Example, Image, Question

SIDE_PX = 256
APART_PX = 24  # between the layouts of a large program: more than their wires reach beyond an edge
FILLED = (0.05, 0.9)  # share of metal in a tile worth asking about
TRAINED_LABELS, HELD_OUT_LABELS = (0, 1, 2, 3), (4, 5)
Kind: TypeAlias = Literal["stripes", "lines", "manhattan", "large", "mixed", "emsec"]


@dataclass(frozen=True)
class Set:
    """One row of a table: what is drawn, how it looks, how it is asked.

    Attributes:
        name: What the table calls it.
        kind: Geometry: a topology, `large` (four Manhattan layouts), `mixed`, or chip tiles.
        preset: The look's preset.
        family: Family of looks; without meaning for `clean`.
        labels: Which labels the tiles come from.
        scale: px of the tile per px of the label.
        extended: Whether polygons are allowed in the answer.
        bar: The IoU asked for, nan where none is.
    """

    name: str
    kind: Kind
    preset: Preset = "clean"
    family: Family = "bloom"
    labels: tuple[int, ...] = ()
    scale: float = 1.0
    extended: bool = False
    bar: float = float("nan")

    @property
    def seed_name(self) -> str:
        """What seeds the row: sets that differ only in look or answer show the same layouts."""
        return " ".join(map(str, (self.kind, *self.labels, self.scale)))


@dataclass(frozen=True, eq=False)
class Case:
    """An image to read and its truth.

    Attributes:
        name: Row and number: enough to draw it again.
        example: The question and the truth, as a program or as a mask.
        truth: True mask, drawn without roughness.
        rough: The mask a perfect segmentation of the rough edges would give.
        commands: Commands of the true program, nan where only a mask is known.
    """

    name: str
    example: Example[LayoutSettings]
    truth: Mask
    rough: Mask
    commands: float

    @property
    def pixels(self) -> UInt8[np.ndarray, "height width"]:
        """What is read."""
        return np.asarray(self.example.question.images[0].pixels)


def generator(name: str, number: int) -> np.random.Generator:
    """The generator of one image: the same whatever else is measured beside it."""
    return np.random.default_rng([*SEED, crc32(name.encode()), number])


def draw_case(row: Set, number: int, labels: Path) -> Case:
    """Image `number` of a row."""
    rng = generator(row.seed_name, number)
    program = _program(row, number, rng, labels)
    truth = render(program)
    rough = truth
    if row.preset == "clean":
        pixels = truth * np.uint8(255)
    else:
        seen = simulate(program, draw_look(rng, row.preset, row.family), rng)
        pixels = seen.pixels
        rough = np.asarray(seen.distance_px + seen.roughness_px > 0, np.uint8)
    question = Question((Image(pixels),), PROMPT, LayoutSettings(extended=row.extended))
    if row.kind == "emsec":
        reference = Image(truth * np.uint8(255))
        example, commands = Example(question, reference=reference), float("nan")
    else:
        example, commands = Example(question, write(program)), float(count_commands(program))
    return Case(f"{row.name} #{number}", example, truth, rough, commands)


def _program(row: Set, number: int, rng: np.random.Generator, labels: Path) -> Program:
    if row.kind == "emsec":
        label = row.labels[number % len(row.labels)]
        return tile(rng, label_of(labels, label), row.scale)
    if row.kind == "large":
        return large(rng)
    topology: Topology = TOPOLOGIES[number % 3] if row.kind == "mixed" else row.kind
    return layout(rng, topology, SIDE_PX)


def large(rng: np.random.Generator) -> Program:
    """Four Manhattan layouts on one canvas: about 2,000 tokens of program."""
    step = SIDE_PX + APART_PX
    shapes: list[Shape] = []
    for dx, dy in ((0, 0), (step, 0), (0, step), (step, step)):
        shapes += [moved(s, dx, dy) for s in layout(rng, "manhattan", SIDE_PX).shapes]
    return Program(step + SIDE_PX, step + SIDE_PX, tuple(shapes))


@cache
def label_of(folder: Path, number: int) -> Program:
    """A label's polygons and vias."""
    return read_label_program(folder / f"label{number:04d}.svg")


def missing_labels(folder: Path, numbers: Sequence[int]) -> list[int]:
    """The labels that are not there."""
    return [n for n in numbers if not (folder / f"label{n:04d}.svg").is_file()]


def tile(rng: np.random.Generator, label: Program, scale: float, side: int = SIDE_PX) -> Program:
    """A random square of a label at a scale, with some metal and not only metal."""
    while True:
        x = float(rng.integers(0, int(label.width - side / scale) + 1))
        y = float(rng.integers(0, int(label.height - side / scale) + 1))
        program = Program(side, side, tuple(_within(label, (x, y), scale, side)))
        if FILLED[0] < render(program).mean() < FILLED[1]:
            return program


def _within(label: Program, corner: tuple[float, float], scale: float, side: int) -> list[Shape]:
    """The shapes of a label that reach into a square, in its px."""
    low, high = _boxes(label)
    near = np.all((high > corner) & (low < np.add(corner, side / scale)), axis=1)
    found: list[Shape] = []
    for index in np.flatnonzero(near):
        shape = moved(label.shapes[index], -corner[0], -corner[1])
        if isinstance(shape, Via):
            found.append(Via(shape.x * scale, shape.y * scale, shape.r * scale))
        elif isinstance(shape, Poly):
            found.append(Poly(tuple((x * scale, y * scale) for x, y in shape.points)))
    return found


@cache
def _boxes(label: Program) -> tuple[np.ndarray, np.ndarray]:
    """Low and high corners of every shape of a label, (shapes, 2) each."""
    low, high = [], []
    for shape in label.shapes:
        corners = shape.points if isinstance(shape, Poly) else ((shape.x, shape.y),)
        points = np.array(corners)
        reach = shape.r if isinstance(shape, Via) else 0.0
        low.append(points.min(axis=0) - reach)
        high.append(points.max(axis=0) + reach)
    return np.array(low), np.array(high)

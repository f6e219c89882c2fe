"""What each edit of `vary` puts in the place of one shape, tried at one random place.

An edit that takes metal away writes what is left: NetDSL only adds. Positions lie on quarters of
a pixel, so that the rails beside a notch or a hole end exactly where the wire did.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Int32

from fabsight.netdsl.language import NO_CAP, Program, Run, Shape, Via, Wire, moved, straight
from fabsight.netdsl.rendering import Mask, render

MAX_BRIDGE_PX = 40


@dataclass(frozen=True)
class Drawn:
    """A program and, once asked for, its layers and nets: the 4-connected components of metal."""

    program: Program

    @cached_property
    def metal(self) -> Mask:
        """The mask of the metal."""
        return render(self.program, "metal")

    @cached_property
    def via(self) -> Mask:
        """The mask of the vias."""
        return render(self.program, "via")

    @cached_property
    def nets(self) -> Int32[np.ndarray, "height width"]:
        """The number of each pixel's net, 0 for none."""
        import cv2

        return np.asarray(cv2.connectedComponents(self.metal, connectivity=4)[1], np.int32)

    @cached_property
    def count(self) -> int:
        """How many nets there are."""
        return int(self.nets.max(initial=0))


@dataclass(frozen=True)
class Draw:
    """Which shape an edit is tried on, the layout it is part of, and the generator."""

    shape: Shape
    drawn: Drawn
    rng: np.random.Generator

    @property
    def width(self) -> float:
        """Width of the wire or diameter of the via in px, 0 for a polygon."""
        match self.shape:
            case Wire(width=width):
                return width
            case Via(r=r):
                return 2 * r
        return 0.0

    def between(self, low: float, high: float) -> float:
        """A number in [low, high] in quarters of a px; `low` where the range is empty."""
        first, last = np.ceil(low * 4), np.floor(high * 4)
        return float(self.rng.integers(first, max(first, last) + 1)) / 4

    def sign(self) -> float:
        """1 or -1."""
        return float(self.rng.choice([-1.0, 1.0]))


Change: TypeAlias = tuple[tuple[Shape, ...], str]  # what takes the shape's place, in words


def _resized(draw: Draw, sign: float, word: str) -> Change | None:
    """A wire or via larger or smaller by a quarter to 60 % across, at least 2 px."""
    shape = draw.shape
    size = draw.width
    change = sign * max(draw.between(0.25 * size, 0.6 * size), 2.0)
    if size + change < 2:
        return None
    if isinstance(shape, Via):
        return (replace(shape, r=(size + change) / 2),), f"via {word} by {abs(change):g} px across"
    assert isinstance(shape, Wire)
    start, end = (
        replace(cap, width=max(cap.width + change, 0.0)) if cap.length else cap
        for cap in (shape.start, shape.end)
    )
    wire = replace(shape, width=size + change, start=start, end=end)
    return (wire,), f"wire {word} by {abs(change):g} px to {wire.width:g} px"


def _widen(draw: Draw) -> Change | None:
    return _resized(draw, 1.0, "widened")


def _narrow(draw: Draw) -> Change | None:
    return _resized(draw, -1.0, "narrowed")


def _shift(draw: Draw) -> Change | None:
    """A via anywhere, a wire across its first run, by 2 px to its own width."""
    shape, distance = draw.shape, draw.sign()
    if isinstance(shape, Via):
        dx, dy = distance * draw.between(2, 2 * shape.r), draw.sign() * draw.between(0, shape.r)
    elif isinstance(shape, Wire):
        distance *= draw.between(2, shape.width)
        dx, dy = (0.0, distance) if shape.runs[0].axis == "H" else (distance, 0.0)
    else:
        return None
    name = "via" if isinstance(shape, Via) else "wire"
    return (moved(shape, dx, dy),), f"{name} shifted by ({dx:g}, {dy:g}) px"


def _missing(draw: Draw) -> Change | None:
    name = "via" if isinstance(draw.shape, Via) else "wire"
    return (), f"{name} {draw.width:g} px wide left out"


@dataclass(frozen=True)
class _Stretch:
    """A free stretch of a wire's run: where it begins, and how far it may be edited."""

    wire: Wire
    number: int  # of the run
    x: float
    y: float
    low: float  # px along the run, clear of caps and bends, inside the canvas
    high: float

    def at(self, along: float, across: float) -> tuple[float, float]:
        """The point `along` the run and `across` it to the right (H: down)."""
        run = self.wire.runs[self.number]
        along *= 1.0 if run.dx + run.dy > 0 else -1.0
        if run.axis == "H":
            return self.x + along, self.y + across
        return self.x + across, self.y + along

    def rail(self, begin: float, end: float, across: float, width: float) -> Wire:
        """A plain wire along the stretch, its middle `across` from the run."""
        x, y = self.at(min(begin, end), across)
        x2, y2 = self.at(max(begin, end), across)
        if self.wire.runs[self.number].axis == "H":
            return straight("H", (x, y), x2 - x, width)
        return straight("V", (x, y), y2 - y, width)

    def without(self, begin: float, end: float) -> tuple[Wire, Wire]:
        """The wire before and after [begin, end] of the run."""
        wire, run = self.wire, self.wire.runs[self.number]
        x, y = self.at(end, 0.0)
        first = replace(wire, end=NO_CAP, runs=(*wire.runs[: self.number], _shortened(run, begin)))
        rest = _shortened(run, run.length - end)
        last = replace(wire, x=x, y=y, start=NO_CAP, runs=(rest, *wire.runs[self.number + 1 :]))
        return first, last


def _shortened(run: Run, length: float) -> Run:
    share = length / run.length
    return Run(run.axis, run.dx * share, run.dy * share)


def _stretch(draw: Draw, length: float) -> _Stretch | None:
    """A random run of the wire with `length` px free of bends and caps inside the canvas."""
    wire = draw.shape
    if not isinstance(wire, Wire):
        return None
    number = int(draw.rng.integers(len(wire.runs)))
    run = wire.runs[number]
    if run.axis == "D":
        return None
    last = len(wire.runs) - 1
    margin = 1.0
    low = wire.start.length if number == 0 else wire.width / 2
    high = run.length - (wire.end.length if number == last else wire.width / 2)
    x = wire.x + sum(r.dx for r in wire.runs[:number])
    y = wire.y + sum(r.dy for r in wire.runs[:number])
    program = draw.drawn.program
    begin, side = (x, program.width) if run.axis == "H" else (y, program.height)
    forward = run.dx + run.dy > 0
    low = max(low, -begin if forward else begin - side) + margin
    high = min(high, side - begin if forward else begin) - margin
    return _Stretch(wire, number, x, y, low, high) if high - low >= length else None


def _cut(draw: Draw) -> Change | None:
    """A gap across a wire, of half to one and a half of its width, at least 2 px."""
    width = draw.width
    gap = draw.between(max(2.0, 0.5 * width), max(3.0, 1.5 * width))
    stretch = _stretch(draw, gap)
    if stretch is None:
        return None
    begin = draw.between(stretch.low, stretch.high - gap)
    x, y = stretch.at(begin + gap / 2, 0.0)
    text = f"open: wire of width {width:g} px cut by {gap:g} px at ({x:g}, {y:g})"
    return stretch.without(begin, begin + gap), text


def _mousebite(draw: Draw) -> Change | None:
    """A notch of a quarter to two thirds of the width in one edge."""
    width = draw.width
    depth = 2 * draw.between(max(1.0, 0.125 * width), 0.325 * width)
    length = draw.between(2.0, max(3.0, width))
    stretch = _stretch(draw, length)
    if stretch is None or width - depth < 1:
        return None
    begin, side = draw.between(stretch.low, stretch.high - length), draw.sign()
    neck = stretch.rail(begin, begin + length, side * depth / 2, width - depth)
    x, y = stretch.at(begin + length / 2, -side * width / 2)
    text = (
        f"mousebite of {length:g} x {depth:g} px in a wire of width {width:g} px at ({x:g}, {y:g})"
    )
    return (*stretch.without(begin, begin + length), neck), text


def _pinhole(draw: Draw) -> Change | None:
    """A hole that leaves at least 1 px of metal on either side."""
    width = draw.width
    if width < 4:
        return None
    left_out = 2 * draw.between((width + 2) / 4, min(0.4 * width, (width - 1) / 2))
    hole, rail = 2 * left_out - width, width - left_out  # so that a rail's middle is on the grid
    length = draw.between(2.0, max(2.0, hole))
    stretch = _stretch(draw, length)
    if stretch is None or rail < 1:
        return None
    begin = draw.between(stretch.low, stretch.high - length)
    rails = [stretch.rail(begin, begin + length, s * left_out / 2, rail) for s in (-1, 1)]
    x, y = stretch.at(begin + length / 2, 0.0)
    size = f"{length:g} x {hole:g} px"
    text = f"pin-hole of {size} in a wire of width {width:g} px at ({x:g}, {y:g})"
    return (*stretch.without(begin, begin + length), *rails), text


def _spur(draw: Draw) -> Change | None:
    """Extra metal on one edge, a quarter to all of the width long."""
    width = draw.width
    reach = draw.between(max(2.0, 0.25 * width), max(3.0, width))
    length = draw.between(2.0, max(3.0, 0.75 * width))
    stretch = _stretch(draw, length)
    if stretch is None:
        return None
    begin, side = draw.between(stretch.low, stretch.high - length), draw.sign()
    # it begins 1 px inside the wire, so that rounding to the grid leaves no gap between them
    spur = stretch.rail(begin, begin + length, side * (width + reach - 1) / 2, reach + 1)
    x, y = stretch.at(begin + length / 2, side * width / 2)
    text = f"spur of {length:g} x {reach:g} px on a wire of width {width:g} px at ({x:g}, {y:g})"
    return (stretch.wire, spur), text


def _bridge(draw: Draw) -> Change | None:
    """Metal from a wire straight across to the next net beside it."""
    size = draw.between(2.0, max(3.0, 0.75 * draw.width))
    stretch = _stretch(draw, size)
    if stretch is None:
        return None
    wire, side = stretch.wire, draw.sign()
    begin = draw.between(stretch.low, stretch.high - size)
    nets = draw.drawn.nets
    middle = begin + size / 2
    edge = wire.width / 2
    own = _net_at(nets, stretch.at(middle, side * (edge - 1)))
    for gap in range(1, MAX_BRIDGE_PX):
        net = _net_at(nets, stretch.at(middle, side * (edge + gap)))
        if net is None or (net and net == own):
            return None
        if net:
            across = side * (wire.width + gap) / 2  # 1 px into either net
            metal = stretch.rail(begin, begin + size, across, gap + 2.0)
            x, y = stretch.at(middle, side * (edge + gap / 2))
            return (wire, metal), f"short: bridge of {size:g} x {gap} px at ({x:g}, {y:g})"
    return None


def _net_at(nets: np.ndarray, point: tuple[float, float]) -> int | None:
    """The net at a point (x, y), 0 for none, None outside the canvas."""
    column, row = int(np.floor(point[0])), int(np.floor(point[1]))
    if not (0 <= row < nets.shape[0] and 0 <= column < nets.shape[1]):
        return None
    return int(nets[row, column])


class Rule(NamedTuple):
    """An edit, the shapes it is made on, and by how much it changes the number of nets."""

    change: Callable[[Draw], Change | None]
    shapes: tuple[type[Wire] | type[Via], ...] = (Wire,)
    nets: int | None = 0  # None: any


EDITS: Mapping[str, Rule] = {
    "widen": Rule(_widen, (Wire, Via)),
    "narrow": Rule(_narrow, (Wire, Via)),
    "shift": Rule(_shift, (Wire, Via)),
    "cut": Rule(_cut, nets=1),
    "bridge": Rule(_bridge, nets=-1),
    "missing_wire": Rule(_missing, nets=None),
    "missing_via": Rule(_missing, (Via,)),
    "spur": Rule(_spur),
    "mousebite": Rule(_mousebite),
    "pinhole": Rule(_pinhole),
}

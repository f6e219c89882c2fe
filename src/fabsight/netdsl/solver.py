"""The embedded model: an image to a program. Front end, fit, edge convention, text."""

from dataclasses import replace

import numpy as np

from fabsight.images import grey
from fabsight.netdsl.arrays import fold_arrays
from fabsight.netdsl.canonical import canonical
from fabsight.netdsl.checking import edge_shift_px
from fabsight.netdsl.fitting import Fit, Share, fit, pieces
from fabsight.netdsl.frontends import evidence
from fabsight.netdsl.language import Cap, Poly, Program, Shape, Via, Wire, expand, write
from fabsight.netdsl.regular import on_grids
from fabsight.netdsl.settings import LayoutSettings
from fabsight.task import Question

LEAST_VIA_PX = 9.0
VIA_FILL = (0.55, 1.4)  # area of a via over that of the disc across its bounding box


def solve(question: Question[LayoutSettings]) -> str:
    """The canonical program of a layout image, without any language model."""
    return write(layout_of(question))


def layout_of(question: Question[LayoutSettings]) -> Program:
    """The program of a layout image."""
    settings = question.context
    seen = grey(question.images[0])
    found = evidence(seen, settings)
    program = fit(found.share, Fit(price=settings.price, extended=settings.extended))
    if found.via is not None:
        vias = vias_in(np.minimum(found.via, found.share))
        program = replace(program, commands=program.commands + vias)
    if settings.edge != "mid":
        program = grown(program, edge_shift_px(seen, program, settings.edge))
    tidy = canonical(on_grids(program))
    return expand(tidy) if settings.strict_l2 else fold_arrays(tidy)


def vias_in(share: Share) -> tuple[Via, ...]:
    """Discs seen inside metal."""
    found = []
    for piece in pieces(share, LEAST_VIA_PX):
        ys, xs = np.nonzero(piece.own)
        w, h = int(np.ptp(xs)) + 1, int(np.ptp(ys)) + 1
        fill = len(xs) / (np.pi * w * h / 4)
        if max(w, h) > 1.6 * min(w, h) + 1 or not VIA_FILL[0] <= fill <= VIA_FILL[1]:
            continue
        weight = np.where(piece.own, piece.share, 0)
        area = float(np.where(piece.votes > -0.999, piece.share, 0).sum())
        x = float((weight.sum(axis=0) * np.arange(weight.shape[1])).sum() / weight.sum()) + 0.5
        y = float((weight.sum(axis=1) * np.arange(weight.shape[0])).sum() / weight.sum()) + 0.5
        r = float(np.sqrt(min(area, 1.3 * len(xs)) / np.pi))
        found.append(Via(round(x + piece.x, 1), round(y + piece.y, 1), round(r, 1)))
    return tuple(found)


def grown(program: Program, by_px: float) -> Program:
    """Every edge moved outward by `by_px` (inward when negative).

    >>> grown(Program(16, 16, (Via(8, 8, 3),)), 0.5).commands
    (Via(x=8, y=8, r=3.5),)
    """
    if by_px == 0:
        return program
    return replace(program, commands=tuple(_grown(s, by_px) for s in program.shapes))


def _grown(shape: Shape, by: float) -> Shape:
    if isinstance(shape, Via):
        return replace(shape, r=max(shape.r + by, 0.5))
    if isinstance(shape, Poly):
        return shape
    width = max(shape.width + 2 * by, 0.5)
    start, end = (_grown_cap(cap, by) for cap in (shape.start, shape.end))
    first, last = shape.runs[0], shape.runs[-1]
    back = by / max(first.length, 1e-9)
    origin = shape.x - first.dx * back, shape.y - first.dy * back
    runs = list(shape.runs)
    runs[0] = replace(first, dx=first.dx * (1 + back), dy=first.dy * (1 + back))
    ahead = by / max(last.length, 1e-9)
    runs[-1] = replace(runs[-1], dx=runs[-1].dx + last.dx * ahead, dy=runs[-1].dy + last.dy * ahead)
    return Wire(*origin, width, start, end, tuple(runs))


def _grown_cap(cap: Cap, by: float) -> Cap:
    if cap.length == 0:
        return cap
    return Cap(max(cap.length + 2 * by, 0.5), max(cap.width + 2 * by, 0.5))


def refine(_question: Question[LayoutSettings], program: Program) -> Program:
    """The program as it is: the solver has refined its own, and another model's is its own merit.

    Putting the solver's answer in the place of a worse one would credit every model with it.
    """
    return program

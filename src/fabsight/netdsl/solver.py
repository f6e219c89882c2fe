"""The embedded model: an image to a program. Front end, fit, edge convention, text."""

from dataclasses import replace

import numpy as np

from fabsight.images import grey, is_binary
from fabsight.netdsl.arrays import fold_arrays
from fabsight.netdsl.canonical import canonical
from fabsight.netdsl.checking import verify
from fabsight.netdsl.confidence import FAULTLESS
from fabsight.netdsl.conventions import drawn_by, outward
from fabsight.netdsl.fitting import Fit, Share, fit, pieces
from fabsight.netdsl.frontends import seen
from fabsight.netdsl.language import Program, Via, expand, write
from fabsight.netdsl.placing import placed
from fabsight.netdsl.reduction import reduced
from fabsight.netdsl.regular import on_grids
from fabsight.netdsl.rendering import paint, pick
from fabsight.netdsl.settings import LayoutSettings
from fabsight.task import Question

ROUGH_BULGE = 2.5  # times the price: on a mask a bulge is meant, on an image it may be roughness
TRIFLE = 0.02  # of the score: right programs on rough images lose as much
LEAST_VIA_PX = 9.0
VIA_FILL = (0.55, 1.4)  # area of a via over that of the disc across its bounding box


def solve(question: Question[LayoutSettings]) -> str:
    """The canonical program of a layout image, without any language model."""
    return write(layout_of(question))


def layout_of(question: Question[LayoutSettings]) -> Program:
    """The program of a layout image."""
    read = reduced(question)
    if read.factor != 1:
        height, width = question.images[0].pixels.shape[:2]
        return read.enlarged(layout_of(read.question), (width, height))
    image, settings = grey(question.images[0]), question.context
    found = seen(question)
    bulge = settings.price * (1 if is_binary(image) else ROUGH_BULGE)
    extended = settings.extended and not settings.strict_l2
    wanted = Fit(price=settings.price, bulge=bulge, extended=extended)
    program = fit(found.share, wanted)
    if found.via is not None:
        height, width = found.share.shape
        metal = paint(pick(program.shapes, "metal"), width, height)
        inner = vias_in(np.minimum(found.via, found.share))
        vias = [via for via in inner if metal[int(via.y), int(via.x)]]
        program = replace(program, commands=(*program.commands, *vias))
    program = placed(found, program, passes=1)
    program = drawn_by(image, program, settings.edge)
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


def refine(question: Question[LayoutSettings], program: Program) -> Program:
    """The program with what is clearly off moved to where the image shows it.

    Only numbers change, each by at most a few px: shapes a proposal lacks are not its merit. The
    program itself is returned where nothing is clearly off, where moving it does not verify higher,
    and where the check has next to nothing to object to already.
    """
    image = grey(question.images[0])
    if image.shape != (program.height, program.width) or not program.commands:
        return program
    read = reduced(question)
    if read.factor != 1:
        small = read.shrunk(program)
        better = refine(read.question, small)
        return (
            program if better is small else read.enlarged(better, (program.width, program.height))
        )
    before = verify(question, program).score
    if before >= FAULTLESS - TRIFLE:
        return program
    moved = placed(seen(question), program, outward(image, program, question.context.edge))
    return moved if verify(question, moved).score > before else program

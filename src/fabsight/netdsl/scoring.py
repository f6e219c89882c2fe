"""How a layout program is graded against the truth.

Masks are compared on the truth's canvas: a mask of another size is cut or padded with background
at its right and bottom. The boundary of a mask is its pixels with one of their four neighbours
outside it; the canvas edge is not a boundary, for stripes that leave the picture do not end there.

    iou, dice    shares of pixels
    bf1_2px      harmonic mean of the shares of either boundary within 2 px of the other
    skf1_1px     the same for skeletons within 1 px
    assd_px      mean of the distances from either boundary to the other, pooled (MedPy 0.5.2)
    commands     lines of the program with arrays written out, CANVAS included

Where one boundary is empty and the other is not, there is nothing to measure a distance to: F1 is
0 and ASSD the canvas diagonal. Where both are empty, equal masks are perfect and others as bad.
"""

import math
import zlib
from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float32, Integer, UInt8

from fabsight.netdsl import language
from fabsight.netdsl.language import Program
from fabsight.netdsl.rendering import Mask, paint, render
from fabsight.netdsl.settings import LayoutSettings
from fabsight.task import Example, FabsightError, Image, Metric, Row
from fabsight.vision.distance import distance_px
from fabsight.vision.skeleton import skeletonize

BOUNDARY_TOLERANCE_PX = 2.0
SKELETON_TOLERANCE_PX = 1.0
LARGEST_LABEL = 15  # integer masks that go no higher hold labels, not grey levels
_EXACT_PX = 1e-3  # distances are float32 roots of integers; their next value is never this near

LayoutExample: TypeAlias = Example[LayoutSettings]
Line: TypeAlias = Bool[np.ndarray, "height width"]


def score(program: Program, example: LayoutExample) -> Row:
    """The metrics of a program against the example's truth: its answer, or its reference mask."""
    truth = truth_mask(example)
    row = score_masks(render_on(program, truth.shape[1], truth.shape[0]), truth)
    return row | {"commands": float(count_commands(program))}


def score_masks(
    mask: Integer[np.ndarray, "mask_height mask_width"]
    | Bool[np.ndarray, "mask_height mask_width"],
    truth: Integer[np.ndarray, "height width"] | Bool[np.ndarray, "height width"],
) -> Row:
    """The metrics of a mask against a true mask; non-zero is metal.

    >>> truth = np.zeros((8, 8), np.uint8)
    >>> truth[:, 2:6] = 1
    >>> row = score_masks(truth[:, ::-1], truth)
    >>> row["iou"], row["assd_px"]
    (1.0, 0.0)
    >>> score_masks(np.ones_like(truth), truth)["dice"]
    0.6666666666666666
    """
    ours = _fit(mask != 0, *truth.shape)
    theirs = (truth != 0).astype(np.uint8)
    shared = int(np.count_nonzero(ours & theirs))
    total = int(np.count_nonzero(ours)) + int(np.count_nonzero(theirs))
    same = 2 * shared == total
    away, back = distances(boundary(ours), boundary(theirs))
    bones = distances(skeletonize(ours) != 0, skeletonize(theirs) != 0)
    return {
        "iou": shared / (total - shared) if total else 1.0,
        "dice": 2 * shared / total if total else 1.0,
        "bf1_2px": _f1(away, back, BOUNDARY_TOLERANCE_PX, same),
        "skf1_1px": _f1(*bones, SKELETON_TOLERANCE_PX, same),
        "assd_px": _assd(away, back, same, math.hypot(*truth.shape)),
    }


def boundary(mask: UInt8[np.ndarray, "height width"]) -> Line:
    """The mask's pixels with a 4-neighbour on the canvas that is not of the mask."""
    import cv2

    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    inside = cv2.erode(mask, cross, borderType=cv2.BORDER_CONSTANT, borderValue=1)
    line: Line = (mask != 0) & (inside == 0)
    return line


def distances(
    ours: Line, theirs: Line
) -> tuple[Float32[np.ndarray, " ours"], Float32[np.ndarray, " theirs"]]:
    """From each pixel of a line to the nearest of the other, in px; infinite if it is empty."""
    return _distances_to(theirs)[ours], _distances_to(ours)[theirs]


def truth_mask(example: LayoutExample) -> Mask:
    """The true mask of an example, uint8 0 or 1: its answer drawn, else its reference image.

    Raises:
        FabsightError: The example has neither.
    """
    if example.answer is not None:
        return render(language.parse(example.answer))
    if example.reference is not None:
        return mask_of(example.reference)
    raise FabsightError(
        f"Cannot score an answer to {example.question.source or 'a layout question'}: the example "
        "has neither an answer nor a reference mask. Give it one of the two."
    )


def mask_of(reference: Image) -> Mask:
    """The metal of a mask picture, uint8 0 or 1.

    Integer pictures that go up to 15 at most are labels: anything but 0 is metal. In any other
    picture metal is what is brighter than half the maximum, so JPEG noise and anti-aliased edges
    do not widen it.
    """
    pixels = reference.pixels if reference.pixels.ndim == 2 else reference.pixels.max(axis=2)
    top = float(pixels.max(initial=0))
    labels = pixels.dtype.kind == "u" and top <= LARGEST_LABEL
    return (pixels > (0 if labels else top / 2)).astype(np.uint8)


def render_on(program: Program, width: int, height: int) -> Mask:
    """The program's mask on a canvas of another size: cut, or padded with background."""
    part = paint(program.shapes, min(width, program.width), min(height, program.height))
    return _fit(part, height, width)


def count_commands(program: Program) -> int:
    """Lines of the program once arrays are written out, CANVAS included.

    >>> from fabsight.netdsl.language import Array, Via
    >>> count_commands(Program(64, 64, (Array(3, 2, 10.0, 10.0, (Via(5.0, 5.0, 2.0),)),)))
    7
    """
    return 1 + len(program.shapes)


def program_bytes(program: Program) -> int:
    """Bytes of the program's canonical text under zlib: the length axis of the source's figure."""
    return len(zlib.compress(language.write(program).encode(), level=9))


def _true_commands(example: LayoutExample) -> float:
    """Commands of the true answer; not a number when only a mask is known."""
    if example.answer is None:
        return math.nan
    return float(count_commands(language.parse(example.answer)))


def _commands_of_rows(example: LayoutExample) -> float:
    """What an unreadable program costs: the truth as one wire per pixel row and metal run."""
    truth = truth_mask(example)
    starts = np.diff(truth.astype(np.int8), axis=1, prepend=0) > 0
    spelt = 1.0 + float(np.count_nonzero(starts))
    return float(np.fmax(spelt, _true_commands(example)))


def _diagonal_px(example: LayoutExample) -> float:
    return math.hypot(*truth_mask(example).shape)


METRICS: Mapping[str, Metric[LayoutSettings]] = {
    "iou": Metric("higher", best=1.0, worst=0.0),
    "dice": Metric("higher", best=1.0, worst=0.0),
    "bf1_2px": Metric("higher", best=1.0, worst=0.0),
    "skf1_1px": Metric("higher", best=1.0, worst=0.0),
    "assd_px": Metric("lower", best=0.0, worst=_diagonal_px, unit="px"),
    # The empty program is the shortest and no good one: the truth's own length is the measure.
    "commands": Metric("target", best=_true_commands, worst=_commands_of_rows),
}


def _fit(
    mask: Bool[np.ndarray, "mask_height mask_width"] | UInt8[np.ndarray, "mask_height mask_width"],
    height: int,
    width: int,
) -> Mask:
    if mask.shape == (height, width):
        return mask.astype(np.uint8)
    out = np.zeros((height, width), np.uint8)
    part = mask[:height, :width]
    out[: part.shape[0], : part.shape[1]] = part
    return out


def _distances_to(line: Line) -> Float32[np.ndarray, "height width"]:
    if not line.any():
        return np.full(line.shape, np.inf, np.float32)
    return distance_px((~line).astype(np.uint8))


def _f1(away: np.ndarray, back: np.ndarray, tolerance_px: float, same: bool) -> float:
    if not away.size or not back.size:
        return float(same)
    precision, recall = (float((d <= tolerance_px + _EXACT_PX).mean()) for d in (away, back))
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _assd(away: np.ndarray, back: np.ndarray, same: bool, diagonal_px: float) -> float:
    if not away.size or not back.size:
        return 0.0 if same else diagonal_px
    return float(np.concatenate([away, back]).mean(dtype=np.float64))

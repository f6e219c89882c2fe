"""How well a program agrees with the image it was read from; no truth is needed.

Only pixels are asked: nothing of the solver or of its segmenter is used. `edge_profiles` says what
the image shows along the program's outline, `agreement` makes a few numbers of it, and a logistic
regression, fitted by benchmarks/calibrate_check.py on simulated images of one family, makes those
one confidence. It asks how much worse each number is than on right programs of images as noisy and
as rough, so a hard image does not condemn a right program.
"""

import math

import numpy as np
from jaxtyping import Float

from fabsight import images
from fabsight.netdsl.agreement import (
    Measures,
    Suspects,
    edge_energy,
    measure,
    noise_of,
    smoothed,
)
from fabsight.netdsl.edge_place import edge_shift_px
from fabsight.netdsl.edge_profiles import Map, outline_of
from fabsight.netdsl.language import Poly, Program, Via
from fabsight.netdsl.settings import LayoutSettings
from fabsight.task import Check, Question

__all__ = ["confidence", "edge_shift_px", "verify"]

LEAST_AGREEMENT = 0.2  # below it, the score falls in proportion
KNEES = (0.5, 2.0)  # surprise costs nothing below the first, more above the second
SURPRISE_CAP = 12.0
UNSUPPORTED = 0.5
OFF_AXIS_DEG = 10.0
VIA_MARGIN_PX = 4.0
OBLIQUE_SHARE = 0.1  # rough and rounded straight edges have less


def verify(question: Question[LayoutSettings], program: Program) -> Check:
    """The confidence in a program, 0 to 1, from its question's pixels alone.

    A canvas of another size than the image scores 0, and so does a program without any outline
    (empty, or metal everywhere) on an image with edges. Where neither has edges there is nothing
    to check: 0.5. Polarity is not judged: an outline is right whichever side is metal.
    """
    grey = images.grey(question.images[0])
    height, width = grey.shape
    if (program.height, program.width) != (height, width):
        said = f"canvas {program.width} x {program.height} px, image {width} x {height} px"
        return Check(0.0, 0.0, True, {"reason": f"the sizes differ: {said}"})
    outline = outline_of(program, fine_for(grey))
    if outline is None:
        return _without_outline(grey)
    found, suspects = measure(grey, outline, question.context)
    evidence = _evidence(found, suspects, program)
    oblique = oblique_share(grey, program)
    if oblique > OBLIQUE_SHARE:
        evidence["oblique or curved edges"] = f"{100 * oblique:.0f} % of the outline"
    return Check(confidence(found), found.coverage, True, evidence)


def _without_outline(grey: Map) -> Check:
    if edge_energy(smoothed(grey), noise_of(grey)).any():
        return Check(0.0, 0.0, True, {"reason": "the image has edges, the program has none"})
    return Check(0.5, 0.0, True, {"reason": "nothing to check: no edges in image or program"})


def _evidence(found: Measures, suspects: Suspects, program: Program) -> dict[str, float | str]:
    """The measures a person can follow, and where the program fits worst."""
    said: dict[str, float | str] = {
        "agreement": round(found.agreement, 3),
        "edges explained": round(found.coverage, 3),
        "edges supported": round(found.support, 3),
        "outline off (px)": round(found.profile_px, 2),
    }
    if suspects.weakest >= 0 and found.weakest_shape < UNSUPPORTED:
        name = _name(program, suspects.weakest)
        said["worst shape"] = f"{name}: the image shows {found.weakest_shape:.0%} of its edges"
    elif suspects.displaced >= 0:
        name = _name(program, suspects.displaced)
        said["worst shape"] = f"{name}: edge {abs(suspects.edge_px):.1f} px off"
    if found.patch_px >= 1:
        x, y = suspects.patch
        said["unexplained edges"] = f"{found.patch_px:.0f} px around ({x:.0f}, {y:.0f})"
    return said


def _name(program: Program, index: int) -> str:
    """A shape as a person finds it: its kind, its number among its kind, its place."""
    shapes = program.shapes
    shape = shapes[index]
    kind = type(shape)
    number = sum(isinstance(s, kind) for s in shapes[: index + 1])
    x, y = shape.points[0] if isinstance(shape, Poly) else (shape.x, shape.y)
    return f"{kind.__name__.upper()} {number} at ({x:g}, {y:g})"


def oblique_share(grey: Map, program: Program) -> float:
    """Share of the image's edges over 10 degrees off its axes, the program's vias apart."""
    import cv2

    smooth = np.asarray(cv2.GaussianBlur(grey, (0, 0), 1.5), np.float32)
    gx, gy = (cv2.Sobel(smooth, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    xx, yy, xy = (cv2.boxFilter(a * b, -1, (9, 9)) for a, b in ((gx, gx), (gy, gy), (gx, gy)))
    edges = edge_energy(smooth, noise_of(grey)) > 0
    for via in program.shapes:
        if not isinstance(via, Via):
            continue
        r = via.r + VIA_MARGIN_PX
        rows, columns = (slice(max(int(c - r), 0), max(int(c + r) + 1, 0)) for c in (via.y, via.x))
        edges[rows, columns] = False
    if not edges.any():
        return 0.0
    angle = 0.5 * np.arctan2(2 * xy[edges], xx[edges] - yy[edges])
    off = np.abs((angle + np.pi / 4) % (np.pi / 2) - np.pi / 4)
    return float(np.mean(off > np.radians(OFF_AXIS_DEG)))


def fine_for(grey: Map) -> int:
    """How finely outlines are drawn: whole pixels for binary images, which were drawn on them."""
    binary = bool(((grey == grey.min()) | (grey == grey.max())).all())
    return 1 if binary else 2


def confidence(found: Measures) -> float:
    """0 to 1 from the measures; never higher when a measure is worse."""
    logit = BIAS - float(np.dot(WEIGHTS, terms(surprise(found))))
    seen = min(found.agreement / LEAST_AGREEMENT, 1.0)
    return seen / (1 + math.exp(-min(max(logit, -30.0), 30.0)))


def raw(found: Measures) -> list[float]:
    """The measures as logarithms, larger is worse."""
    return [
        math.log(1 - found.agreement + 0.01),
        math.log(1 - found.coverage + 0.005),
        math.log(found.patch_px + 4),
        math.log(found.blot + 0.1),
        math.log(1 - found.support + 0.01),
        math.log(1 - found.weakest_shape + 0.05),
        math.log(found.weakest_px + 4),
        math.log(found.offset_px + 0.2),
        math.log(found.moved_px + 0.3),
        math.log(found.moved_sigma + 0.5),
        math.log(found.wide_px + 0.3),
        math.log(found.wide_sigma + 0.5),
        math.log(found.edge_px + 0.3),
        math.log(found.edge_sigma + 0.5),
        math.log(found.profile_px + 0.3),
    ]


def difficulty(found: Measures) -> list[float]:
    """What makes measures of right programs worse: noise and roughness."""
    return [
        1.0,
        math.log(min(found.noise, 1.0) + 0.02),
        math.log(min(found.rough_px, 1.5) + 0.1),
    ]


def surprise(found: Measures) -> Float[np.ndarray, " measures"]:
    """How much worse each measure is than on right programs of such an image, in their spreads."""
    over = (np.array(raw(found)) - np.array(USUAL) @ difficulty(found)) / SPREAD
    return np.asarray(np.minimum(over, SURPRISE_CAP))


def terms(surprises: Float[np.ndarray, "*rows measures"]) -> Float[np.ndarray, "*rows terms"]:
    """What the logistic regression takes away: each surprise above its knees."""
    above = np.maximum(surprises[..., None] - np.array(KNEES), 0)
    return np.asarray(above.reshape(*surprises.shape[:-1], -1))


# fitted: python benchmarks/calibrate_check.py --images 192 --seed 1
BIAS = 1.939
USUAL = (
    (-0.599, 0.834, 0.236),
    (-2.769, 0.533, 0.264),
    (3.305, 0.403, 0.203),
    (1.648, 0.614, 0.321),
    (-2.114, 0.534, 0.050),
    (-1.153, 0.343, 0.040),
    (3.631, 0.392, 0.142),
    (0.097, 0.156, 0.370),
    (-0.697, 0.231, -0.298),
    (1.011, 0.266, 0.106),
    (-0.704, 0.208, -0.261),
    (1.046, 0.237, 0.150),
    (0.441, 0.374, -0.098),
    (1.810, 0.354, 0.203),
    (-0.178, 0.133, 0.071),
)
SPREAD = (
    0.572,
    0.874,
    0.793,
    0.409,
    0.500,
    0.505,
    0.535,
    0.292,
    0.404,
    0.400,
    0.445,
    0.407,
    0.599,
    0.462,
    0.351,
)
WEIGHTS = (
    0.000,
    0.000,
    0.000,
    0.000,
    0.561,
    0.513,
    0.069,
    0.322,
    0.000,
    0.000,
    0.116,
    0.850,
    0.000,
    0.000,
    0.193,
    0.000,
    0.000,
    0.601,
    0.000,
    0.000,
    0.445,
    0.000,
    0.000,
    0.676,
    0.481,
    0.000,
    0.000,
    0.000,
    0.672,
    0.584,
)

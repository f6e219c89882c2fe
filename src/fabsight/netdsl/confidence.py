"""One confidence from the check's measures: how surprising they are for a right program.

A logistic regression over how much worse each measure is than on right programs of images as noisy
and as rough. `python benchmarks/calibrate_check.py` fits the constants below on simulated images of
one family of looks and prints them.
"""

import math

import numpy as np
from jaxtyping import Float

from fabsight.netdsl.agreement import UNSUPPORTED, Measures

LEAST_AGREEMENT = 0.2  # below it, the score falls in proportion
LEAST_COVERAGE = 0.9  # the same
LEAST_SHAPE = UNSUPPORTED  # below it the score falls to half: what is listed must cost something
KNEES = (0.5, 2.0)  # surprise costs nothing below the first, more above the second
SURPRISE_CAP = 12.0
LARGEST_PATCH_PX = 2000.0  # a larger patch is no more surprising
DECIDES = 0.25  # of the logit: what takes less from the score is not worth a word


def confidence(found: Measures) -> float:
    """0 to 1 from the measures; never higher when a measure is worse.

    With more than a tenth of the edges unexplained it falls in proportion: silence is worth
    nothing. It falls also with a shape of whose outline the image shows less than half.
    """
    logit = BIAS - float(np.sum(WEIGHTS * terms(surprise(found))))
    seen = min(found.agreement / LEAST_AGREEMENT, 1.0) * min(found.coverage / LEAST_COVERAGE, 1.0)
    seen *= 0.5 + 0.5 * min(found.weakest_shape / LEAST_SHAPE, 1.0)
    return seen / (1 + math.exp(-min(max(logit, -30.0), 30.0)))


def decisive(found: Measures, px: float = 1.0) -> str:
    """What takes most from the confidence, in words with its measure; "" where little does.

    Lengths are told times `px`.
    """
    by_measure = (WEIGHTS * terms(surprise(found))).sum(axis=1)
    worst = int(by_measure.argmax())
    if by_measure[worst] < DECIDES:
        return ""
    name, words = list(KNOWN.items())[worst]
    return words.format(getattr(found, name) * (px if name.endswith("_px") else 1))


# each measure the confidence knows, and how a person is told of it
KNOWN = {
    "agreement": "only {:.0%} of the image's structure is explained",
    "coverage": "only {:.0%} of the image's edges are along the outline",
    "patch_px": "edges of {:.0f} px in one place are not in the program",
    "missing_px": "edges of {:.0f} px in all are not in the program",
    "blot": "one spot differs from the prediction by {:.1f} of its contrast",
    "support": "the image shows only {:.0%} of the outline",
    "false_px": "{:.0f} px of outline in all are not in the image",
    "weakest_shape": "the image shows only {:.0%} of the outline of a shape, or of all small ones",
    "weakest_px": "{:.0f} px of outline in one place are not in the image",
    "offset_px": "sides of shapes are off by {:.1f} px (root mean square)",
    "moved_px": "one shape is displaced by {:.1f} px more than roughness explains",
    "moved_sigma": "one shape is displaced by {:.1f} times what roughness explains",
    "wide_px": "one shape's width is off by {:.1f} px a side more than roughness explains",
    "wide_sigma": "one shape's width is off by {:.1f} times what roughness explains",
    "edge_px": "one edge is off by {:.1f} px more than roughness explains",
    "edge_sigma": "one edge is off by {:.1f} times what roughness explains",
    "gap_px": "edges lie {:.1f} px outside or inside of the edge convention",
    "via_shown": "a via in metal shows only {:.0%} of the contrast it needs",
    "via_fits": "radius and place of a via in metal explain only {:.0%} of what the best ones do",
}


def raw(found: Measures) -> list[float]:
    """The measures of `KNOWN` as logarithms, larger is worse."""
    return [
        math.log(1 - found.agreement + 0.01),
        math.log(1 - found.coverage + 0.005),
        math.log(min(found.patch_px, LARGEST_PATCH_PX) + 4),
        math.log(found.missing_px + 8),
        math.log(found.blot + 0.1),
        math.log(1 - found.support + 0.01),
        math.log(found.false_px + 8),
        math.log(1 - found.weakest_shape + 0.05),
        math.log(found.weakest_px + 4),
        math.log(found.offset_px + 0.2),
        math.log(found.moved_px + 0.3),
        math.log(found.moved_sigma + 0.5),
        math.log(found.wide_px + 0.3),
        math.log(found.wide_sigma + 0.5),
        math.log(found.edge_px + 0.3),
        math.log(found.edge_sigma + 0.5),
        math.log(found.gap_px + 0.3),
        math.log(1.05 - found.via_shown),
        math.log(1.05 - found.via_fits),
    ]


def difficulty(found: Measures) -> list[float]:
    """What makes measures of right programs worse: noise, roughness, the worst of many vias."""
    return [
        1.0,
        math.log(min(found.noise, 1.0) + 0.02),
        math.log(min(found.rough_px, 1.5) + 0.1),
        math.log(1 + found.vias),
    ]


def surprise(found: Measures) -> Float[np.ndarray, " measures"]:
    """How much worse each measure is than on right programs of such an image, in their spreads."""
    over = (np.array(raw(found)) - USUAL @ difficulty(found)) / SPREAD
    return np.asarray(np.minimum(over, SURPRISE_CAP))


def terms(surprises: Float[np.ndarray, "*rows measures"]) -> Float[np.ndarray, "*rows measures 2"]:
    """What the logistic regression takes away: each surprise above either knee."""
    return np.asarray(np.maximum(surprises[..., None] - np.array(KNEES), 0))


# Per measure: what it usually is (constant, by noise, by roughness, by vias), its spread, and
# what a unit of surprise above either knee takes away. Fitted:
# python benchmarks/calibrate_check.py --images 480 --seed 1
BIAS = 2.197
FITTED = {
    "agreement": (-0.624, 0.821, 0.254, -0.058, 0.546, 0.000, 0.000),
    "coverage": (-3.062, 0.412, 0.338, 0.101, 0.781, 0.000, 0.000),
    "patch_px": (3.375, 0.299, 0.398, 0.052, 0.825, 0.492, 0.472),
    "missing_px": (5.297, 0.466, 0.672, -0.017, 1.074, 0.200, 0.200),
    "blot": (1.508, 0.557, 0.366, 0.117, 0.389, 0.000, 0.806),
    "support": (-2.226, 0.517, 0.077, 0.053, 0.475, 0.000, 0.000),
    "false_px": (6.057, 0.782, 0.170, -0.131, 0.750, 0.200, 0.200),
    "weakest_shape": (-1.048, 0.396, 0.020, 0.018, 0.481, 0.383, 0.985),
    "weakest_px": (3.605, 0.397, 0.202, -0.043, 0.452, 0.000, 0.000),
    "offset_px": (0.127, 0.173, 0.374, -0.010, 0.281, 0.000, 0.000),
    "moved_px": (-0.628, 0.287, -0.347, -0.066, 0.383, 0.000, 0.629),
    "moved_sigma": (1.063, 0.302, 0.094, -0.021, 0.381, 0.000, 0.048),
    "wide_px": (-0.566, 0.248, -0.240, -0.112, 0.415, 0.305, 0.000),
    "wide_sigma": (1.151, 0.277, 0.169, -0.057, 0.380, 0.305, 0.455),
    "edge_px": (0.513, 0.375, -0.057, -0.161, 0.562, 0.000, 0.166),
    "edge_sigma": (1.878, 0.365, 0.242, -0.070, 0.434, 0.000, 0.000),
    "gap_px": (-0.376, 0.194, -0.012, 0.034, 0.335, 0.489, 0.547),
    "via_shown": (-3.003, 0.005, -0.006, 0.266, 0.403, 0.029, 0.563),
    "via_fits": (-2.921, 0.000, 0.046, 0.941, 0.283, 0.350, 0.000),
}
_TABLE = np.array(list(FITTED.values()))
USUAL, SPREAD, WEIGHTS = _TABLE[:, :4], _TABLE[:, 4], _TABLE[:, 5:]
FAULTLESS = 1 / (1 + math.exp(-BIAS)) - 1e-3  # what a program without any surprise scores

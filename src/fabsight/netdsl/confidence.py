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
    """What makes measures of right programs worse: noise and roughness."""
    return [
        1.0,
        math.log(min(found.noise, 1.0) + 0.02),
        math.log(min(found.rough_px, 1.5) + 0.1),
    ]


def surprise(found: Measures) -> Float[np.ndarray, " measures"]:
    """How much worse each measure is than on right programs of such an image, in their spreads."""
    over = (np.array(raw(found)) - USUAL @ difficulty(found)) / SPREAD
    return np.asarray(np.minimum(over, SURPRISE_CAP))


def terms(surprises: Float[np.ndarray, "*rows measures"]) -> Float[np.ndarray, "*rows measures 2"]:
    """What the logistic regression takes away: each surprise above either knee."""
    return np.asarray(np.maximum(surprises[..., None] - np.array(KNEES), 0))


# Per measure: what it usually is (constant, by noise, by roughness), its spread, and what a unit
# of surprise above either knee takes away. Fitted:
# python benchmarks/calibrate_check.py --images 480 --seed 1
BIAS = 2.147
FITTED = {
    "agreement": (-0.666, 0.822, 0.234, 0.547, 0.000, 0.000),
    "coverage": (-2.989, 0.409, 0.374, 0.785, 0.000, 0.000),
    "patch_px": (3.412, 0.297, 0.416, 0.825, 0.494, 0.474),
    "missing_px": (5.284, 0.467, 0.666, 1.074, 0.200, 0.200),
    "blot": (1.591, 0.554, 0.408, 0.399, 0.000, 0.742),
    "support": (-2.188, 0.515, 0.096, 0.476, 0.000, 0.000),
    "false_px": (5.964, 0.786, 0.124, 0.757, 0.200, 0.200),
    "weakest_shape": (-1.035, 0.396, 0.026, 0.481, 0.358, 0.997),
    "weakest_px": (3.574, 0.398, 0.186, 0.453, 0.000, 0.000),
    "offset_px": (0.120, 0.174, 0.371, 0.281, 0.066, 0.000),
    "moved_px": (-0.675, 0.289, -0.371, 0.386, 0.000, 0.604),
    "moved_sigma": (1.048, 0.303, 0.087, 0.382, 0.000, 0.035),
    "wide_px": (-0.645, 0.251, -0.280, 0.424, 0.288, 0.000),
    "wide_sigma": (1.111, 0.279, 0.148, 0.382, 0.287, 0.431),
    "edge_px": (0.398, 0.380, -0.114, 0.575, 0.000, 0.036),
    "edge_sigma": (1.828, 0.367, 0.217, 0.438, 0.000, 0.000),
    "gap_px": (-0.352, 0.193, 0.000, 0.336, 0.465, 0.540),
    "via_shown": (-2.814, -0.003, 0.088, 0.450, 0.142, 0.334),
    "via_fits": (-2.206, -0.029, 0.401, 0.799, 0.207, 0.070),
}
_TABLE = np.array(list(FITTED.values()))
USUAL, SPREAD, WEIGHTS = _TABLE[:, :3], _TABLE[:, 3], _TABLE[:, 4:]
FAULTLESS = 1 / (1 + math.exp(-BIAS)) - 1e-3  # what a program without any surprise scores

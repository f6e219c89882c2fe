"""Where the edge lies in a mean profile across it: mid-sidewall, or by another convention.

The brightest place is not it, nor the steepest: a rim decays differently to either side, stands on
a step, and is smeared by roughness and beam. So the profile is compared with many drawn from the
bloom model (`looks`, `sem`), shifted to and fro; the answer is the mean of the shifts, weighted by
how well each fits.
"""

import math
from functools import cache
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float, Float32

from fabsight.netdsl.edge_profiles import (
    BINS,
    CENTRES_PX,
    STEP_PX,
    Map,
    Profile,
    means_by_bin,
    outline_of,
)
from fabsight.netdsl.language import Program
from fabsight.netdsl.looks import Look, Preset, draw_look

Convention: TypeAlias = Literal["mid", "outer", "inner"]
TEMPLATES = 480
WITHIN_PX = 6.0  # of the edge: beyond, shadows and neighbours decide
LARGEST_SHIFT_PX = 3.0
SHIFT_STEP_PX = 0.25
SMEAR_PX = (0.5, 2.4)  # roughness and beam together, standard deviation
SHARPNESS = 10.0  # how fast weight falls with misfit relative to the best
LEAST_MISFIT = 0.003
_PRESETS: tuple[Preset, ...] = ("mild", "hard", "wild")


def edge_place_px(profile: Profile, count: Profile) -> float:
    """Where mid-sidewall lies in a mean profile, px from its middle, positive in metal.

    `count` is the number of pixels behind each bin. 0 for a profile without contrast.
    """
    if not count.any():
        return 0.0
    # on whole pixels every other bin is empty
    usual = np.median(count[count > 0])
    weight = np.minimum(count, usual) * (np.abs(CENTRES_PX) <= WITHIN_PX)
    if not weight.any():
        return 0.0
    weight = weight / weight.sum()
    centred = profile - weight @ profile
    power = float(weight @ centred**2)
    if power <= 1e-9:
        return 0.0
    templates, squares, places = _templates()
    mean = templates @ weight
    variance = np.maximum(squares @ weight - mean**2, 1e-9)
    misfit = 1 - (templates @ (weight * centred)) ** 2 / variance / power
    best = float(misfit.min())
    trust = np.exp(-SHARPNESS * (misfit - best) / (max(best, 0.0) + LEAST_MISFIT))
    return float(trust @ places / trust.sum())


def edge_shift_px(image_grey: Map, program: Program, convention: Convention) -> float:
    """How far outward (px) an outline at mid-sidewall must move to lie where a convention puts it.

    `outer` is half way from the floor's grey to the grey at the edge, `inner` half way from there
    to the metal's top, both on the mean profile. 0 for `mid`, and where nothing is to be seen.
    """
    outline = None if convention == "mid" else outline_of(program)
    if outline is None:
        return 0.0
    mean, _ = means_by_bin(image_grey, outline)
    return -half_level_px(mean[:BINS], 0.0, convention)


def half_level_px(profile: Profile, mid_px: float, convention: Convention) -> float:
    """Where a convention puts the edge in a profile with mid-sidewall at `mid_px`; px, + in metal.

    >>> step = np.clip(CENTRES_PX / 4, -1, 1)
    >>> half_level_px(step, 0.0, "outer"), half_level_px(step, 0.0, "inner")
    (-2.0, 2.0)
    """
    if convention == "mid":
        return mid_px
    middle = min(max(BINS // 2 + round(mid_px / STEP_PX), 1), BINS - 2)
    away = round(2.5 / STEP_PX)
    floor, metal = float(np.median(profile[:away])), float(np.median(profile[-away:]))
    outside = _half_way_px(profile[middle::-1], floor)
    inside = _half_way_px(profile[middle:], metal)
    # a flank without contrast is taken as wide as the other
    return mid_px - (outside or inside) if convention == "outer" else mid_px + (inside or outside)


def _half_way_px(flank: Float[np.ndarray, " n"], level: float) -> float:
    """Distance along a flank to half way between its start and a level; 0 without contrast."""
    height = level - float(flank[0])
    if abs(height) <= 0.1 * float(np.ptp(flank)):
        return 0.0
    gone = (flank - flank[0]) / height
    k = int(np.argmax(gone >= 0.5))
    if k == 0:
        return 0.0
    return float((k - 1 + (0.5 - gone[k - 1]) / (gone[k] - gone[k - 1])) * STEP_PX)


@cache
def _templates() -> tuple[
    Float32[np.ndarray, "n bins"], Float32[np.ndarray, "n bins"], Float32[np.ndarray, " n"]
]:
    """Profiles of drawn looks at every shift, their squares, and where the edge lies in each."""
    rng = np.random.default_rng(0)
    per_step = round(STEP_PX / SHIFT_STEP_PX)
    steps = round(LARGEST_SHIFT_PX / SHIFT_STEP_PX)
    reach = (BINS // 2) * per_step + steps
    at = np.arange(-reach, reach + 1) * SHIFT_STEP_PX
    drawn = np.array(
        [
            _profile(draw_look(rng, _PRESETS[k % 3]), at, rng.uniform(*SMEAR_PX))
            for k in range(TEMPLATES)
        ]
    )
    bins = np.arange(BINS) * per_step
    shifts = np.arange(2 * steps + 1)
    templates = drawn[:, shifts[:, None] + bins].reshape(-1, BINS).astype(np.float32)
    templates -= templates.mean(axis=1, keepdims=True)
    places = np.tile((steps - shifts) * SHIFT_STEP_PX, TEMPLATES).astype(np.float32)
    return templates, templates**2, places


def _profile(look: Look, at_px: Float[np.ndarray, " n"], smear_px: float) -> np.ndarray:
    """Grey across a straight edge in the bloom model, smeared."""
    pad = math.ceil(4 * smear_px / SHIFT_STEP_PX)
    line = np.pad(
        at_px,
        pad,
        mode="linear_ramp",
        end_values=(at_px[0] - pad * SHIFT_STEP_PX, at_px[-1] + pad * SHIFT_STEP_PX),
    )
    step = 0.5 + 0.5 * np.tanh(line * (2.2 / look.sidewall_px))
    reach = np.where(line > 0, look.rim_in_px, look.rim_out_px)
    rim = np.exp(-((np.abs(line) / reach) ** look.rim_shape))
    dark = np.exp(np.minimum(line, 0) / look.shadow_px) * (line < 0)
    grey = look.background + (look.metal - look.background) * step + look.rim * rim
    grey -= look.shadow * look.background * dark
    kernel = np.exp(-0.5 * (np.arange(-pad, pad + 1) * SHIFT_STEP_PX / smear_px) ** 2)
    return np.convolve(grey, kernel / kernel.sum(), mode="valid")

"""How the fail rate goes with the radius: profile, peak, clear centre."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float64, Int64

from fabsight.wafermap.frame import RADIAL_BINS
from fabsight.wafermap.rates import two_sided

CENTRE_BINS = 5  # the centre: radius up to 0.25
PEAK_BINS = 2  # to both sides of the peak
CLEAR = 0.5  # a clear centre has less than half of the peak's rate
CLEAR_P = 0.01
SMOOTH_DIES = 0.6  # standard deviation of the smoothing
LEAST_SMOOTH = 0.03  # in radii


@dataclass(frozen=True, eq=False)
class Radial:
    """The radial profile of the fails.

    Attributes:
        radius: Middles of the bins, in radii of the wafer.
        dies, fails: Of each bin.
        rate: Smoothed fail rate of each bin.
        peak_radius: Where the rate is highest.
        peak_rate: The rate there.
        width: Of the peak at half its height above the background, in radii.
        centre_rate: Fail rate of the centre, up to radius 0.25; 0 where it has no die.
        centre_p: Two-sided, that centre and peak have one rate; 1 where the centre is the peak.
        clear: Whether the centre is clear: its rate is below half of the peak's and the test says
            that this is no chance.
    """

    radius: Float64[np.ndarray, " bins"]
    dies: Int64[np.ndarray, " bins"]
    fails: Int64[np.ndarray, " bins"]
    rate: Float64[np.ndarray, " bins"]
    peak_radius: float
    peak_rate: float
    width: float
    centre_rate: float
    centre_p: float
    clear: bool


def radial(
    dies: Int64[np.ndarray, " bins"],
    fails: Int64[np.ndarray, " bins"],
    background: float,
    pitch: float,
) -> Radial:
    """The profile from counts in RADIAL_BINS bins; `pitch` is that of the dies, in radii.

    >>> dies = np.full(20, 30)
    >>> found = radial(dies, np.where(np.arange(20) // 3 == 4, 30, 0), 0.0, 0.05)
    >>> round(found.peak_radius, 3), round(found.width, 2), found.clear
    (0.675, 0.15, True)
    """
    kernel = _smoothing(round(max(SMOOTH_DIES * pitch, LEAST_SMOOTH), 4))
    weight, raised = kernel @ dies, kernel @ fails
    mean = int(fails.sum()) / max(int(dies.sum()), 1)
    known = weight > 1e-6
    rate = np.where(known, raised / np.where(known, weight, 1.0), mean)
    trusted = raised + mean  # a bin of few dies does not make the peak
    peak = int(np.argmax(np.round(trusted / (weight + 1.0), 9)))
    centres = (np.arange(RADIAL_BINS) + 0.5) / RADIAL_BINS
    inner_dies, inner_fails = int(dies[:CENTRE_BINS].sum()), int(fails[:CENTRE_BINS].sum())
    centre_rate = inner_fails / max(inner_dies, 1)
    p_value = _centre_p(dies, fails, peak)
    return Radial(
        radius=centres,
        dies=dies,
        fails=fails,
        rate=rate,
        peak_radius=float(centres[peak]),
        peak_rate=float(rate[peak]),
        width=_width(rate, peak, background),
        centre_rate=centre_rate,
        centre_p=p_value,
        clear=inner_dies > 0 and centre_rate < CLEAR * float(rate[peak]) and p_value < CLEAR_P,
    )


def _centre_p(
    dies: Int64[np.ndarray, " bins"], fails: Int64[np.ndarray, " bins"], peak: int
) -> float:
    low, high = max(peak - PEAK_BINS, CENTRE_BINS), peak + PEAK_BINS + 1
    if peak < CENTRE_BINS:
        return 1.0
    inner_dies, inner_fails = dies[:CENTRE_BINS].sum(), fails[:CENTRE_BINS].sum()
    all_dies = int(inner_dies + dies[low:high].sum())
    all_fails = int(inner_fails + fails[low:high].sum())
    return float(two_sided(np.array([inner_dies]), np.array([inner_fails]), all_dies, all_fails)[0])


def _width(rate: Float64[np.ndarray, " bins"], peak: int, background: float) -> float:
    """Between the places where the rate falls through half of the peak's height, interpolated."""
    half = (float(rate[peak]) + background) / 2
    if rate[peak] <= background:
        return 0.0
    outward, inward = rate[peak:], rate[peak::-1]
    return (_reach(outward, half) + _reach(inward, half)) / RADIAL_BINS


def _reach(falling: Float64[np.ndarray, " n"], level: float) -> float:
    """Bins from the first value to where the level is crossed; to the end where it never is."""
    below = falling < level
    if not below.any():
        return len(falling) - 0.5
    k = int(below.argmax())
    return float(k - (level - falling[k]) / (falling[k - 1] - falling[k]))


@lru_cache(maxsize=64)
def _smoothing(deviation: float) -> Float64[np.ndarray, "bins bins"]:
    at = np.arange(RADIAL_BINS) / RADIAL_BINS
    kernel = np.exp(-(((at[:, None] - at) / deviation) ** 2) / 2)
    kernel[kernel < 1e-4] = 0.0
    return np.asarray(kernel, np.float64)

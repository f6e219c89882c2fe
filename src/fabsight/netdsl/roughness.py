"""Line edge and line width roughness of one row of displacements: biased, unbiased, and how sure.

LER and LWR are 3 sigma of an edge, or of a width, about its best straight line (SEMI P47). The
scatter measured is that of the line plus that of the measurement:

    sigma_biased^2 = sigma^2 + sigma_noise^2

The error of one row is independent of the next row's, so its power spectrum is flat, while a
line's falls with frequency. The plateau at high frequencies is the noise, and is subtracted (Mack,
"Reducing roughness in extreme ultraviolet lithography", J. Micro/Nanolith. MEMS MOEMS 17, 041006,
2018).
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

MIN_ROWS = 24
PLATEAU = 0.375  # cycles per row above which the spectrum is taken for noise; 0.5 is the highest


@dataclass(frozen=True)
class Roughness:
    """Roughness of one edge or width.

    Attributes:
        three_sigma_px: Unbiased: the noise subtracted. 0 where the noise accounts for everything.
        error_px: Standard error of `three_sigma_px`.
        biased_px: 3 sigma as measured.
        noise_px: Standard deviation of one row's measurement.
        correlation_px: Where the autocorrelation falls to 1/e; None where there is no roughness.
        rows: How many rows in succession were used.
    """

    three_sigma_px: float
    error_px: float
    biased_px: float
    noise_px: float
    correlation_px: float | None
    rows: int


def roughness(displacement_px: Float64[np.ndarray, " rows"]) -> Roughness | None:
    """Roughness of the longest stretch without gaps (NaN); None if shorter than 24 rows.

    >>> wave = np.sqrt(2) * np.sin(np.arange(1000) / 10)
    >>> round(roughness(wave).three_sigma_px, 1)
    3.0
    """
    stretch = longest_stretch(displacement_px)
    count = len(stretch)
    if count < MIN_ROWS:
        return None
    rest = straightened(stretch)
    power = float((rest**2).sum() / (count - 2))
    noise = min(noise_power(rest), power)
    lags = autocovariance(rest)
    true = power - noise
    three_sigma = float(3 * np.sqrt(true))
    bins = max(1.0, count * (0.5 - PLATEAU) / 1.5)  # independent ones: a Hann window mixes 1.5
    spread = np.sqrt(2 * _summed_squares(lags) / count + noise**2 / bins)
    return Roughness(
        three_sigma_px=three_sigma,
        error_px=_error(three_sigma, float(spread)),
        biased_px=float(3 * np.sqrt(power)),
        noise_px=float(np.sqrt(noise)),
        correlation_px=_correlation(lags, true),
        rows=count,
    )


def longest_stretch(values: Float64[np.ndarray, " rows"]) -> Float64[np.ndarray, " stretch"]:
    """The longest run of values without NaN.

    >>> longest_stretch(np.array([1.0, np.nan, 2.0, 3.0]))
    array([2., 3.])
    """
    good = np.concatenate([[False], np.isfinite(values), [False]])
    begins, ends = np.flatnonzero(good[1:] & ~good[:-1]), np.flatnonzero(good[:-1] & ~good[1:])
    if not len(begins):
        return values[:0]
    longest = int((ends - begins).argmax())
    return values[begins[longest] : ends[longest]]


def straightened(values: Float64[np.ndarray, " rows"]) -> Float64[np.ndarray, " rows"]:
    """What is left about the best straight line: a turned image is not a rough one."""
    place = np.linspace(-1, 1, len(values))
    rest: Float64[np.ndarray, " rows"] = values - values.mean()
    rest -= place * (place @ rest) / (place @ place)
    return rest


def spectrum(
    values: Float64[np.ndarray, " rows"],
) -> tuple[Float64[np.ndarray, " bins"], Float64[np.ndarray, " bins"]]:
    """Frequency (cycles per row) and two-sided power density (px^2 per cycle per row).

    A Hann window keeps the ends' mismatch from leaking into the plateau. The density averages to
    the variance over -0.5 to 0.5 cycles per row.
    """
    count = len(values)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(count) + 0.5) / count)
    power = np.abs(np.fft.rfft(values * window)) ** 2 / float((window**2).sum())
    return np.fft.rfftfreq(count), power


def noise_power(values: Float64[np.ndarray, " rows"]) -> float:
    """Variance of the white part: the mean density of the plateau, px^2."""
    frequency, density = spectrum(values)
    return float(density[frequency > PLATEAU].mean())


def autocovariance(values: Float64[np.ndarray, " rows"]) -> Float64[np.ndarray, " lags"]:
    """Autocovariance at lags of 0 to half the length, px^2."""
    count = len(values)
    power = np.abs(np.fft.rfft(values, 2 * count)) ** 2
    lags = np.fft.irfft(power)[: count // 2]
    return np.asarray(lags / np.arange(count, count - len(lags), -1))


def mean_error(values: Float64[np.ndarray, " rows"]) -> float:
    """Standard error of the mean of correlated rows, px; NaN for fewer than 4.

    The autocovariance is summed up to its first zero: neighbouring rows of a rough edge say the
    same thing twice.
    """
    good = values[np.isfinite(values)]
    if len(good) < 4:
        return float("nan")
    lags = _until_zero(autocovariance(good - good.mean()))
    return float(np.sqrt(max(2 * lags.sum() - lags[0], lags[0]) / len(good)))


def _error(three_sigma: float, variance_error: float) -> float:
    """Standard error of 3 sigma, from that of sigma^2; finite where sigma is 0."""
    least = 3 * math.sqrt(variance_error)
    return 9 * variance_error / (2 * max(three_sigma, least)) if least else 0.0


def _until_zero(lags: Float64[np.ndarray, " lags"]) -> Float64[np.ndarray, " kept"]:
    ends = np.flatnonzero(lags <= 0)
    return lags[: max(int(ends[0]), 1)] if len(ends) else lags


def _summed_squares(lags: Float64[np.ndarray, " lags"]) -> float:
    kept = _until_zero(lags)
    return float(2 * (kept**2).sum() - kept[0] ** 2)


def _correlation(lags: Float64[np.ndarray, " lags"], true: float) -> float | None:
    """The lag at which the noise-free autocorrelation falls to 1/e, interpolated."""
    if true <= 0:
        return None
    curve = np.concatenate([[1.0], lags[1:] / true])
    below = np.flatnonzero(curve < np.exp(-1))
    if not len(below):
        return None
    after = int(below[0])
    high, low = curve[after - 1], curve[after]
    return float(after - 1 + (high - np.exp(-1)) / (high - low))

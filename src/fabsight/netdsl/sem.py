"""A documented model of SEM image formation, in two families that share no formula.

Both start from the signed distance d to the layout edge (px, positive in metal), roughened by a
random field n of given sigma, correlation length and Hurst exponent (d' = d + n; the isotropic
spectrum of Palasantzas, Phys. Rev. B 48, 14472), and end with beam blur, slow illumination, row
displacement and Poisson noise of a dose. In between:

- bloom:  grey = floor + (metal - floor) s(d') + rim k(d') (1 + tilt n.t) - shadow, where s is a
  logistic step over the sidewall, k a peak at the edge with separate decays to either side, and
  the shadow decays exponentially with the distance to the wall. Charging adds a decaying trail.
- relief: h(d') is a height field with a linear sidewall; grey is the material's level times the
  secant of the local slope (Reimer, Scanning Electron Microscopy, 1998, sec. 4.1), dimmed by how
  much higher the neighbourhood is, plus the slope towards a side detector. Charging depletes the
  yield by what the beam deposited before, along the row and from row to row.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float32, UInt8

from fabsight.netdsl.language import Program
from fabsight.netdsl.looks import Look
from fabsight.netdsl.rendering import paint, pick
from fabsight.vision.distance import distance_px

Map: TypeAlias = Float32[np.ndarray, "height width"]


@dataclass(frozen=True, eq=False)
class Micrograph:
    """A simulated image and what it was made from.

    Attributes:
        pixels: uint8 (height, width).
        distance_px: Signed distance to the ideal edge, positive in metal, (height, width).
        roughness_px: Outward displacement of the edge at each pixel, (height, width).
    """

    pixels: UInt8[np.ndarray, "height width"]
    distance_px: Map
    roughness_px: Map


def simulate(
    program: Program, look: Look, rng: np.random.Generator, oversample: int = 4
) -> Micrograph:
    """The SEM image of a program under a look, uint8, and its exact geometry.

    Edges finer than 1/oversample px are rounded to that grid. The same generator state gives the
    same bytes.
    """
    metal = _fine(program, "metal", oversample)
    vias = _fine(program, "via", oversample)
    via_distance = signed_distance(vias, oversample) if vias.any() else None
    distance = signed_distance(metal | vias, oversample)
    # a via shows on its own only where it lies inside metal; elsewhere it is metal
    inner = None
    if via_distance is not None and (vias & metal).any():
        inner = np.minimum(via_distance, signed_distance(metal, oversample))
    return simulate_distance(distance, look, rng, inner)


def simulate_distance(
    distance: Map, look: Look, rng: np.random.Generator, via_distance: Map | None = None
) -> Micrograph:
    """The SEM image of any geometry given as signed distance (px, positive in metal)."""
    rough = rough_field(distance.shape, look, rng)
    place = distance + rough
    form = _bloom if look.family == "bloom" else _relief
    grey = form(place, look, rng)
    if via_distance is not None:
        inside = _step(via_distance + 0.5 * rough, look.sidewall_px)
        ring = np.exp(-np.abs(via_distance) / look.rim_in_px)
        grey += (look.via - look.metal) * inside + 0.5 * look.rim * ring * (via_distance > -6)
    grey = _beam(grey, look, rng)
    grey = _charge_bloom(grey, look, rng) if look.family == "bloom" else grey
    return Micrograph(_expose(grey, look, rng), distance, rough)


def signed_distance(fine: UInt8[np.ndarray, "h w"], oversample: int) -> Map:
    """Distance of each pixel centre to the edge of a mask drawn `oversample` times finer; px.

    Positive inside. A mask without any edge is everywhere as far as the image is large.
    """
    import cv2

    height, width = fine.shape[0] // oversample, fine.shape[1] // oversample
    if not fine.any() or fine.all():
        sign = 1.0 if fine.any() else -1.0
        return np.full((height, width), sign * max(height, width), np.float32)
    signed = np.where(fine > 0, distance_px(fine) - 0.5, 0.5 - distance_px(1 - fine))
    small = cv2.resize(signed, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small / oversample, np.float32)


def rough_field(shape: tuple[int, int], look: Look, rng: np.random.Generator) -> Map:
    """A random field of edge displacements, standard deviation `look.roughness_px`, in px."""
    from scipy.fft import irfft2, rfft2

    white = rng.standard_normal(shape, dtype=np.float32)
    if look.roughness_px == 0:
        return np.zeros(shape, np.float32)
    ky = np.fft.fftfreq(shape[0])[:, None] * 2 * np.pi
    kx = np.fft.rfftfreq(shape[1]) * 2 * np.pi
    k2 = (kx**2 + ky**2) * look.correlation_px**2
    filtered = rfft2(white) * ((1 + k2) ** (-(1 + look.hurst) / 2)).astype(np.float32)
    # unit variance of the infinite field: the power of the filter, by Parseval
    full = (1 + (np.fft.fftfreq(shape[1]) * 2 * np.pi * look.correlation_px) ** 2) + (
        ky * look.correlation_px
    ) ** 2
    power = float(np.mean(full ** -(1 + look.hurst)))
    field = irfft2(filtered, s=shape) * (look.roughness_px / np.sqrt(power))
    return np.asarray(field, np.float32)


def _fine(program: Program, layer: str, oversample: int) -> UInt8[np.ndarray, "h w"]:
    shapes = pick(program.shapes, layer)  # type: ignore[arg-type]
    width, height = program.width * oversample, program.height * oversample
    return paint(shapes, width, height, scale=oversample)


def _step(distance: Map, width_px: float) -> Map:
    """0 to 1 over a sidewall, half at the edge."""
    return np.asarray(0.5 + 0.5 * np.tanh(distance * (2.2 / max(width_px, 0.1))), np.float32)


def _normals(distance: Map, look: Look) -> Map:
    """Cosine between the outward normal and the tilt direction, -1 to 1."""
    import cv2

    smooth = cv2.GaussianBlur(distance, (0, 0), 1.5)
    gy, gx = np.gradient(smooth)
    norm = np.hypot(gx, gy) + 1e-3
    cosine = -(gx * np.cos(look.tilt_angle) + gy * np.sin(look.tilt_angle)) / norm
    return np.asarray(cosine, np.float32)


def _bloom(place: Map, look: Look, rng: np.random.Generator) -> Map:
    grey = look.background + (look.metal - look.background) * _step(place, look.sidewall_px)
    facing = _normals(place, look) if look.tilt else np.zeros_like(place)
    reach = np.where(place > 0, look.rim_in_px, look.rim_out_px)
    rim = np.exp(-((np.abs(place) / reach) ** look.rim_shape))
    grey += look.rim * rim * (1 + look.tilt * facing)
    dark = np.exp(np.minimum(place, 0) / look.shadow_px) * (place < 0)
    grey -= look.shadow * look.background * dark * (1 - look.tilt * facing)
    return np.asarray(grey + _grain(grey.shape, look, rng), np.float32)


def _relief(place: Map, look: Look, rng: np.random.Generator) -> Map:
    import cv2

    height = np.clip(0.5 + place / max(look.sidewall_px, 0.5), 0, 1).astype(np.float32)
    gy, gx = np.gradient(cv2.GaussianBlur(height, (0, 0), 0.5))
    steep = 2.0 + 2.5 * abs(look.rim) / 40
    secant = np.sqrt(1 + (steep * gx) ** 2 + (steep * gy) ** 2)
    level = look.background + (look.metal - look.background) * height
    grey = level * (1 + np.sign(look.rim) * 0.6 * np.minimum(secant - 1, 2.5))
    wide = cv2.GaussianBlur(height, (0, 0), look.shadow_px)
    grey *= 1 - 1.5 * look.shadow * np.maximum(wide - height, 0)
    towards = -(gx * np.cos(look.tilt_angle) + gy * np.sin(look.tilt_angle))
    grey += look.tilt * 60 * towards
    grey += _grain(grey.shape, look, rng)
    if look.charging:
        grey = _charge_relief(np.asarray(grey, np.float32), look)
    halo = cv2.GaussianBlur(grey, (0, 0), 4 * max(look.blur_px, 0.3))
    return np.asarray(0.93 * grey + 0.07 * halo, np.float32)


def _grain(shape: tuple[int, ...], look: Look, rng: np.random.Generator) -> Map:
    import cv2

    noise = rng.standard_normal(shape, dtype=np.float32)
    if look.grain == 0:
        return np.zeros(shape, np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), look.grain_px)
    return np.asarray(noise * (look.grain / max(float(noise.std()), 1e-6)), np.float32)


def _trail(grey: Map, reach_px: float) -> Map:
    """Exponential memory along each row of what came before, same mean gain."""
    from scipy.signal import lfilter

    keep = float(np.exp(-1 / reach_px))
    return np.asarray(lfilter([1 - keep], [1, -keep], grey - grey.mean(), axis=1), np.float32)


def _charge_bloom(grey: Map, look: Look, rng: np.random.Generator) -> Map:
    from scipy.signal import lfilter

    offsets = rng.standard_normal((grey.shape[0], 1))
    rows = lfilter([0.6], [1, -0.8], offsets, axis=0) * look.row_noise
    return np.asarray(grey - look.charging * 3 * _trail(grey, look.charging_px) + rows, np.float32)


def _charge_relief(grey: Map, look: Look) -> Map:
    from scipy.signal import lfilter

    along = _trail(grey, look.charging_px)
    line = grey.mean(axis=1, keepdims=True) - grey.mean()
    before = lfilter([0.3], [1, -0.7], line, axis=0)
    deposit = (along + before) / max(float(grey.mean()), 1.0)
    return np.asarray(grey * np.clip(1 - 2 * look.charging * deposit, 0.3, 1.7), np.float32)


def _beam(grey: Map, look: Look, rng: np.random.Generator) -> Map:
    import cv2

    if look.blur_px > 0:
        grey = cv2.GaussianBlur(grey, (0, 0), look.blur_px)
    shift = np.asarray(rng.standard_normal(grey.shape[0]) * look.drift_px, np.float32)
    if look.drift_px > 0:
        xs = np.arange(grey.shape[1], dtype=np.float32)[None] + shift[:, None]
        ys = np.repeat(np.arange(grey.shape[0], dtype=np.float32)[:, None], grey.shape[1], 1)
        grey = cv2.remap(grey, xs, ys, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    slow = rng.uniform(-1, 1, (3, 3)).astype(np.float32)
    if look.illumination > 0:
        field = cv2.resize(slow, grey.shape[::-1], interpolation=cv2.INTER_CUBIC)
        grey = grey * (1 + look.illumination * field)
    return np.asarray(grey, np.float32)


def _expose(grey: Map, look: Look, rng: np.random.Generator) -> UInt8[np.ndarray, "height width"]:
    grey = np.clip(grey, 0, 400)
    if np.isfinite(look.dose):
        grey = rng.poisson(grey * look.dose) / look.dose
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8)

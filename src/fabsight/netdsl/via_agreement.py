"""How well the vias a program has inside metal agree with an image: are they there, and so large.

Each via is looked at along rays from its centre: how far the grey is from that of metal as far
from its edge. What is a via's own stands out from that within a radius; the program's radius is
held against the one that tells the two greys apart best. A via that lies aside stands out more on
one side of its rim than on the other. Rims and shadows do both as well, but to all vias of an image
alike: what most have in common is not held against any.
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Complex, Float, Float32

from fabsight.netdsl.edge_profiles import BINS, CENTRES_PX, Map, Outline, Profile
from fabsight.netdsl.language import Program, Via
from fabsight.netdsl.rendering import pick

VIA_STEP = 0.2  # of the range of grey along edges: what a via in metal must stand out by
CORE = 0.6  # of the radius: the part of a via that its rim leaves alone
RAYS = 16
RING_PX = 0.5
BEYOND_PX = 4.0  # rays end this far outside the rim
WALL_PX = 1.5  # nothing is judged so close to the metal's edge
BAND_PX = 4.0  # across the rim: how far aside a via may lie
FEWEST_ALIKE = 3  # vias tell what is common to all
LEAST_RING = 4  # rays that must reach a ring


class ViaFit(NamedTuple):
    """The worst of the vias in metal; 1 and 1 without any.

    Attributes:
        shown: How clearly the faintest stands out, 0 to 1; 1 is a fifth of the range along edges.
        fits: How much of what the best radius explains the drawn one explains, less the share of
            its radius that a via lies aside; 0 to 1.
        number: Vias in metal that were judged: the worst of many is worse.
    """

    shown: float
    fits: float
    number: float = 0.0


NO_VIAS = ViaFit(1.0, 1.0)


def fit_of_vias(smooth: Map, program: Program, outline: Outline, mean: Profile) -> ViaFit:
    """How well the program's vias in metal agree with the image.

    Args:
        smooth: The image without noise and slow illumination.
        program: The layout.
        outline: Where each pixel lies with respect to it.
        mean: Mean grey of the image by distance to the outline.
    """
    vias = np.array([(via.x, via.y, via.r) for via in _buried(program, outline)], float)
    if not len(vias):
        return NO_VIAS
    rest, use = _rays(vias, smooth, outline.distance_px, mean)
    rings, area = _rings(rest, use)
    within = _radii(area.shape[1]) <= np.maximum(CORE * vias[:, 2:], RING_PX)
    core = _mean(rings, area * within)
    shown = np.abs(core) / (VIA_STEP * float(np.ptp(mean)) + 1e-9)
    visible = shown >= 1
    least = min(float(shown.min()), 1.0)
    if not visible.any():
        return ViaFit(least, 1.0, float(len(vias)))
    rest, use, radii = rest[visible], use[visible], vias[visible, 2]
    aside = _aside_px(rest, use, core[visible], radii)
    fits = _explained(rings[visible], area[visible], radii)
    if len(radii) >= FEWEST_ALIKE:
        aside = aside - (np.median(aside.real) + 1j * np.median(aside.imag))
        fits = np.minimum(fits / max(float(np.median(fits)), 1e-9), 1.0)
    fits *= np.maximum(1 - np.abs(aside) / radii, 0)
    return ViaFit(least, float(fits.min()), float(len(vias)))


def _buried(program: Program, outline: Outline) -> list[Via]:
    height, width = outline.bins.shape
    vias = [via for via in pick(program.shapes, "via") if isinstance(via, Via)]
    on_canvas = [via for via in vias if 0 <= via.y < height and 0 <= via.x < width]
    return [via for via in on_canvas if outline.bins[int(via.y), int(via.x)] >= BINS]


def _radii(rings: int) -> Float[np.ndarray, " rings"]:
    return (np.arange(rings) + 0.5) * RING_PX


def _rays(
    vias: Float[np.ndarray, "vias 3"], smooth: Map, metal_px: Map, mean: Profile
) -> tuple[Float[np.ndarray, "vias rays rings"], Bool[np.ndarray, "vias rays rings"]]:
    """How far the grey is from metal's along rays from each centre, and where that counts."""
    x, y, r = vias.T[:, :, None, None]
    rho = _radii(math.ceil((float(r.max()) + BEYOND_PX) / RING_PX))
    angle = 2 * np.pi * np.arange(RAYS)[:, None] / RAYS
    columns = np.asarray(x - 0.5 + np.cos(angle) * rho, np.float32).reshape(-1, len(rho))
    rows = np.asarray(y - 0.5 + np.sin(angle) * rho, np.float32).reshape(-1, len(rho))
    height, width = smooth.shape
    there = (columns >= 0) & (columns <= width - 1) & (rows >= 0) & (rows <= height - 1)
    inside = _sampled(metal_px, columns, rows)
    rest = _sampled(smooth, columns, rows) - np.interp(inside, CENTRES_PX, mean)
    use = (
        there
        & (inside > WALL_PX)
        & (rho <= r + BEYOND_PX).repeat(RAYS, axis=1).reshape(inside.shape)
    )
    shape = len(vias), RAYS, len(rho)
    return rest.reshape(shape), use.reshape(shape)


def _rings(
    rest: Float[np.ndarray, "vias rays rings"], use: Bool[np.ndarray, "vias rays rings"]
) -> tuple[Float[np.ndarray, "vias rings"], Float[np.ndarray, "vias rings"]]:
    """How far each ring's grey is from metal's, and the area it is seen on, px."""
    count = use.sum(axis=1)
    ring = (use * rest).sum(axis=1) / np.maximum(count, 1)
    area = 2 * np.pi * _radii(rest.shape[2]) * RING_PX * count / RAYS
    return ring, np.where(count >= LEAST_RING, area, 0.0)


def _aside_px(
    rest: Float[np.ndarray, "vias rays rings"],
    use: Bool[np.ndarray, "vias rays rings"],
    core: Float[np.ndarray, " vias"],
    drawn: Float[np.ndarray, " vias"],
) -> Complex[np.ndarray, " vias"]:
    """How far each via lies to the right, and (imaginary) down, px; 0 where the rim is hidden.

    About its rim, grey then varies once around the angle: a step moved by d raises the mean over a
    band of b px by d / b of itself.
    """
    near = np.abs(_radii(rest.shape[2]) - drawn[:, None]) <= BAND_PX / 2
    band = use & near[:, None, :]
    count = band.sum(axis=2)
    means = (band * rest).sum(axis=2) / np.maximum(count, 1)
    turn = np.exp(2j * np.pi * np.arange(RAYS) / RAYS)
    swing = ((means - means.mean(axis=1, keepdims=True)) * turn).mean(axis=1) * 2
    whole = (count > 0).all(axis=1)
    return np.where(whole, BAND_PX * swing / core, 0.0)


def _sampled(
    image: Map, columns: Float32[np.ndarray, "rays rings"], rows: Float32[np.ndarray, "rays rings"]
) -> Float32[np.ndarray, "rays rings"]:
    """The image between pixels."""
    import cv2

    step = 32_000  # cv2 takes at most 32,767 rows at a time
    parts = [
        cv2.remap(
            image,
            columns[k : k + step],
            rows[k : k + step],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        for k in range(0, len(rows), step)
    ]
    return np.asarray(np.concatenate(parts), np.float32)


def _mean(
    values: Float[np.ndarray, "vias rings"], weights: Float[np.ndarray, "vias rings"]
) -> Float[np.ndarray, " vias"]:
    total = weights.sum(axis=1)
    return np.asarray((values * weights).sum(axis=1) / np.maximum(total, 1e-9))


def _explained(
    rings: Float[np.ndarray, "vias rings"],
    area: Float[np.ndarray, "vias rings"],
    drawn: Float[np.ndarray, " vias"],
) -> Float[np.ndarray, " vias"]:
    """Variance between disc and surround at the drawn radius, over that at the best radius."""
    inner, inner_sum = np.cumsum(area, axis=1), np.cumsum(area * rings, axis=1)
    outer = inner[:, -1:] - inner
    outer_sum = inner_sum[:, -1:] - inner_sum
    step = inner_sum / np.maximum(inner, 1e-9) - outer_sum / np.maximum(outer, 1e-9)
    between = np.where((inner > 0) & (outer > 0), inner * outer * step**2, 0.0)
    at = np.clip(np.rint(drawn / RING_PX).astype(int) - 1, 0, area.shape[1] - 1)
    there = between[np.arange(len(drawn)), at]
    best = between.max(axis=1)
    return np.asarray(np.where(best > 0, there / np.maximum(best, 1e-12), 1.0))

"""Where on a mean edge profile the edge lies, for each convention.

`mid` is mid-sidewall. Neither the brightest point nor the steepest slope of a blurred profile lies
there: a step below the rim pulls the peak inwards, and a rim pulls the slope outwards, by up to a
pixel each. So a profile is fitted by what forms it, and the edge is the place of step and rim:

    T(t) = [floor + step s(-t') + rim k(t') - shadow exp(-t' / 6 px)] * Gauss(beam),  t' = t - edge
    s    = logistic over the sidewall;  k = exp(-|t' / reach|^1.5), another reach on either side

The four grey levels follow by linear least squares (variable projection, Golub and Pereyra 1973);
edge, sidewall, beam and the two reaches by damped Gauss-Newton under wide log-normal priors. The
prior knows no side: both reaches start alike. With a strong symmetric rim the result is the peak
of the rim, without a rim the steepest slope.

`outer` and `inner` are where the fitted profile crosses half way from the rim's peak to the floor,
and to the metal's top; without a rim both are where it crosses half way from floor to top.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float64

from fabsight.netdsl.profiles import FINE_PX, REACH_PX, SEARCH_PX, Profile

Convention: TypeAlias = Literal["mid", "outer", "inner"]

RIM_POWER = 1.5
SHADOW_PX = 6.0
# Prior of edge (px), of the logarithms of sidewall, beam and mean reach (px), and of half the
# logarithm of the inner reach over the outer.
PRIOR = np.array([0.0, np.log(1.5), np.log(1.0), np.log(1.6), 0.0])
SPREAD = np.array([1.0, 0.4, 0.35, 0.3, 0.25])
SPREAD_IN_METAL = np.array([0.5, 0.4, 0.35, 0.3, 0.05])  # metal on both sides: alike
MISFIT = 0.02  # of the profile's range: how well the formula is trusted to describe it
SPARSE = 0.01  # points of less weight than this share of the largest are left out
GRID = 3  # every third point of the profile is fitted
STEPS = 12
CONVERGED_PX = 0.03  # of every parameter: the edge is then a hundredth off at most
# Per point, on floor, step, rim, shadow: a shadow must earn its place, or it takes the rim's tail.
RIDGES = (0.0, 1e-3, 1e-3, 1e-2)
RIM_SHARE = 0.1  # a rim this small against the step has no flank of its own


def edge_positions(
    profiles: Sequence[Profile], convention: Convention = "mid", in_metal: bool = False
) -> Float64[np.ndarray, " profiles"]:
    """Where the edge lies on each profile, px outwards from the profile's zero.

    Args:
        profiles: Mean profiles of one kind.
        convention: Which edge is meant.
        in_metal: Whether metal lies on both sides, as at the rim of a via: a rim's two reaches are
            then taken to be alike.
    """
    if not profiles:
        return np.zeros(0)
    t, grey, weight = _fitted_part(profiles)
    spread = SPREAD_IN_METAL if in_metal else SPREAD
    parameters = _fit(t, grey, weight, spread)
    if convention == "mid":
        return parameters[:, 0]
    columns = _columns(t, parameters)
    levels = _levels(columns, grey, weight)
    curves = np.einsum("ptc,pc->pt", columns, levels)
    places = zip(curves, levels, parameters[:, 0], strict=True)
    return np.array([_flank(t, *place, convention) for place in places])


def _fitted_part(
    profiles: Sequence[Profile],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Offsets (points,), grey and weight (profiles, points), thinned and within reach."""
    thin = slice(round(SEARCH_PX / FINE_PX), -round(SEARCH_PX / FINE_PX), GRID)
    grey = np.stack([p.grey[thin] for p in profiles])
    counts = np.stack([p.weight[thin] for p in profiles])
    weight = (counts > SPARSE * counts.max(axis=1, keepdims=True)).astype(float)
    return profiles[0].offsets_px[thin], grey, weight


def _fit(
    t: np.ndarray, grey: np.ndarray, weight: np.ndarray, spread: np.ndarray
) -> Float64[np.ndarray, "profiles 5"]:
    """The five shape parameters of each profile: the better of two descents.

    They start at the steepest slope and at the program's edge, for the flank of a strong rim is
    steep as well, and a minimum of its own.
    """
    slope = np.abs(np.gradient(grey, t, axis=1)) * weight * (np.abs(t) < REACH_PX / 2)
    starts = np.concatenate([t[slope.argmax(axis=1)], np.zeros(len(grey))])
    twice = np.tile(grey, (2, 1)), np.tile(weight, (2, 1))
    found, cost = (part.reshape(2, len(grey), -1) for part in _descend(t, *twice, starts, spread))
    best = cost[..., 0].argmin(axis=0)
    return np.asarray(found[best, np.arange(len(grey))])


def _descend(
    t: np.ndarray, grey: np.ndarray, weight: np.ndarray, start_px: np.ndarray, spread: np.ndarray
) -> tuple[Float64[np.ndarray, "profiles 5"], Float64[np.ndarray, " profiles"]]:
    """Levenberg and Marquardt's descent from these places of the edge: parameters and misfit."""
    scale = np.maximum(MISFIT * np.ptp(grey, axis=1), 1e-6 * np.abs(grey).max() + 1e-9)
    trusts = scale, spread
    now = np.tile(PRIOR, (len(grey), 1))
    now[:, 0] = start_px
    damping = np.full(len(grey), 1e-2)
    rest, slopes = _residuals(t, grey, weight, now, trusts)
    for _ in range(STEPS):
        pull = np.einsum("pri,prj->pij", slopes, slopes)
        push = np.einsum("pri,pr->pi", slopes, rest)
        diagonal = np.einsum("pii->pi", pull) * damping[:, None]
        step = -np.linalg.solve(pull + diagonal[:, :, None] * np.eye(5), push[:, :, None])[..., 0]
        trial = now + np.clip(step, -0.7, 0.7)
        new_rest, new_slopes = _residuals(t, grey, weight, trial, trusts)
        better = (new_rest**2).sum(axis=1) < (rest**2).sum(axis=1)
        now[better], rest[better], slopes[better] = (
            trial[better],
            new_rest[better],
            new_slopes[better],
        )
        damping = np.where(better, damping / 5, damping * 5)
        if np.all(np.abs(step).max(axis=1) < CONVERGED_PX):
            break
    return now, (rest**2).sum(axis=1)


def _residuals(
    t: np.ndarray,
    grey: np.ndarray,
    weight: np.ndarray,
    at: np.ndarray,
    trusts: tuple[np.ndarray, np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Misfit with the prior's, (profiles, points + 5), and its slopes by each parameter."""
    scale, spread = trusts
    nudge = 1e-3
    shifts = np.concatenate([np.zeros((1, 5)), nudge * np.eye(5)])
    variants = (at[:, None] + shifts).reshape(-1, 5)
    sixfold = np.repeat(grey, 6, axis=0), np.repeat(weight, 6, axis=0)
    columns = _columns(t, variants)
    levels = _levels(columns, *sixfold)
    misfit = (np.einsum("ptc,pc->pt", columns, levels) - sixfold[0]) * sixfold[1]
    misfit /= np.repeat(scale, 6)[:, None]
    rest = np.concatenate([misfit, (variants - PRIOR) / spread], axis=1)
    rest = rest.reshape(len(grey), 6, -1)
    return rest[:, 0], ((rest[:, 1:] - rest[:, :1]) / nudge).transpose(0, 2, 1)


def _columns(t: np.ndarray, parameters: np.ndarray) -> Float64[np.ndarray, "sets points 4"]:
    """The blurred shapes of floor, step, rim and shadow."""
    edge = parameters[:, 0]
    sidewall, beam, mean, ratio = np.exp(parameters[:, 1:].clip(-4, 4)).T
    inner, outer = mean * ratio, mean / ratio
    inwards = edge[:, None] - t
    step = 0.5 + 0.5 * np.tanh(2.2 * inwards / sidewall[:, None])
    reach = np.where(inwards > 0, inner[:, None], outer[:, None])
    rim = np.exp(-((np.abs(inwards) / reach) ** RIM_POWER))
    shadow = np.exp(np.minimum(inwards, 0) / SHADOW_PX) * (inwards < 0)
    columns = np.stack([np.ones_like(step), step, rim, shadow], axis=2)
    beams, which = np.unique(beam, return_inverse=True)  # most sets differ in other things
    kernels = np.exp(-0.5 * ((t[:, None] - t) / beams[:, None, None]) ** 2)
    kernels /= kernels.sum(axis=2, keepdims=True)
    for k, kernel in enumerate(kernels):
        columns[which == k] = kernel @ columns[which == k]
    return columns


def _levels(
    columns: np.ndarray, grey: np.ndarray, weight: np.ndarray
) -> Float64[np.ndarray, "sets 4"]:
    """The grey levels that fit best."""
    weighted = columns * weight[:, :, None]
    ridge = weight.sum(axis=1)[:, None, None] * np.diag(RIDGES)
    gram = np.einsum("pti,ptj->pij", weighted, columns) + ridge
    return np.linalg.solve(gram, np.einsum("pti,pt->pi", weighted, grey)[..., None])[..., 0]


def _flank(
    t: np.ndarray, curve: np.ndarray, levels: np.ndarray, edge: float, convention: Convention
) -> float:
    """The half-level crossing of one fitted curve on the flank asked for."""
    floor, step, rim, _ = levels
    beyond = REACH_PX / 2 + 1
    # farther out nothing would lie beyond it
    edge = min(max(edge, float(t[0]) + beyond), float(t[-1]) - beyond)
    outside, inside = curve[t > edge + REACH_PX / 2], curve[t < edge - REACH_PX / 2]
    base = float(np.median(outside if convention == "outer" else inside))
    near = np.abs(t - edge) < REACH_PX / 2
    sign = np.sign(rim) if abs(rim) > RIM_SHARE * abs(step) else 0.0
    peak = int(np.flatnonzero(near)[np.argmax((sign * curve)[near])])
    height = curve[peak] - base
    if sign == 0 or height * sign < RIM_SHARE * abs(rim):  # no rim on this side: the step's middle
        return _crossing(t, curve, floor + step / 2, edge)
    flank = slice(peak, None) if convention == "outer" else slice(0, peak + 1)
    return _crossing(t[flank], curve[flank], base + height / 2, float(t[peak]))


def _crossing(t: np.ndarray, curve: np.ndarray, level: float, near: float) -> float:
    """Where the curve crosses a level, nearest to a place; the place itself if it never does."""
    above = curve > level
    turns = np.flatnonzero(above[1:] != above[:-1])
    if not len(turns):
        return near
    part = (level - curve[turns]) / (curve[turns + 1] - curve[turns])
    places = t[turns] + part * (t[turns + 1] - t[turns])
    return float(places[np.abs(places - near).argmin()])

"""How a simulated SEM image looks: every parameter in physical units, and the named presets.

Two families of image formation share these parameters and nothing else (`sem` has the formulas):

- `bloom`: brightness as a function of the distance to the edge. Used to train and to tune.
- `relief`: brightness from the slope and openness of a height field. Held out: nothing is trained
  or tuned on it, so figures measured on it say how well an unseen instrument is read.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

Family: TypeAlias = Literal["bloom", "relief"]
Preset: TypeAlias = Literal["clean", "mild", "hard", "wild"]


@dataclass(frozen=True)
class Look:
    """One way an SEM image is formed; the layout edge is mid-sidewall in both families.

    Attributes:
        family: Formation model.
        background: Grey level of the floor, 0-255.
        metal: Grey level of the metal's top, 0-255.
        via: Grey level of a via seen inside metal, 0-255.
        rim: Extra grey at the edge (secondary electrons escape there).
        rim_in_px: Decay of the rim towards the metal (bloom), 1/e.
        rim_out_px: Decay of the rim towards the floor (bloom), 1/e.
        rim_shape: 1 exponential, 2 Gaussian, anything between (bloom).
        sidewall_px: Width of the sidewall in the image plane.
        shadow: Share of grey lost on the floor beside a wall.
        shadow_px: Reach of the shadow.
        tilt: Asymmetry of opposite edges, -1 to 1.
        tilt_angle: Direction of that asymmetry, radians.
        roughness_px: Standard deviation of an edge about its place (LER is 3 of these).
        correlation_px: Correlation length of the roughness.
        hurst: Hurst exponent of the roughness, 0 to 1.
        blur_px: Gaussian beam width, standard deviation.
        dose: Electrons per grey level: Poisson noise of variance grey / dose.
        charging: Share of grey that trails along the scan direction.
        charging_px: Reach of the trail.
        row_noise: Standard deviation of a row's offset, grey levels.
        drift_px: Standard deviation of a row's displacement (vibration, drift).
        illumination: Share of grey that varies slowly over the image.
        grain: Standard deviation of the material's own texture, grey levels.
        grain_px: Grain size.
    """

    family: Family = "bloom"
    background: float = 70.0
    metal: float = 130.0
    via: float = 175.0
    rim: float = 45.0
    rim_in_px: float = 2.0
    rim_out_px: float = 1.5
    rim_shape: float = 1.5
    sidewall_px: float = 1.5
    shadow: float = 0.1
    shadow_px: float = 6.0
    tilt: float = 0.0
    tilt_angle: float = 0.0
    roughness_px: float = 0.0
    correlation_px: float = 8.0
    hurst: float = 0.7
    blur_px: float = 0.0
    dose: float = math.inf
    charging: float = 0.0
    charging_px: float = 20.0
    row_noise: float = 0.0
    drift_px: float = 0.0
    illumination: float = 0.0
    grain: float = 0.0
    grain_px: float = 1.5


def draw_look(rng: np.random.Generator, preset: Preset, family: Family = "bloom") -> Look:
    """A random look of a preset: roughness, dose and blur are the preset's, the rest is drawn.

    `clean` is not simulated at all: `sem.simulate` gives metal 255 on floor 0.

    >>> draw_look(np.random.default_rng(0), "hard").dose
    3.0
    """
    if preset == "wild":
        return _wild(rng, family)
    strong = {"clean": 0.0, "mild": 1.0, "hard": 2.5}[preset]
    background = rng.uniform(40, 90)
    metal = background + rng.uniform(35, 90)
    look = Look(
        family=family,
        background=background,
        metal=metal,
        via=_via_level(rng, metal),
        rim=rng.uniform(10, 70) if rng.random() < 0.85 else 0.0,
        rim_in_px=rng.uniform(1.0, 3.5),
        rim_out_px=rng.uniform(0.8, 2.5),
        rim_shape=rng.uniform(1.0, 2.0),
        sidewall_px=rng.uniform(0.8, 2.5),
        shadow=rng.uniform(0.0, 0.25),
        shadow_px=rng.uniform(3, 12),
        tilt=rng.uniform(-0.2, 0.2) * strong,
        tilt_angle=rng.uniform(0, 2 * math.pi),
        correlation_px=rng.uniform(4, 16),
        hurst=rng.uniform(0.4, 0.9),
        charging=rng.uniform(0.0, 0.06) * strong,
        charging_px=rng.uniform(8, 60),
        row_noise=rng.uniform(0.0, 1.0) * strong,
        drift_px=rng.uniform(0.0, 0.06) * strong,
        illumination=rng.uniform(0.0, 0.08) * strong,
        grain=rng.uniform(0.0, 2.0) * strong,
        grain_px=rng.uniform(0.8, 2.5),
    )
    if preset == "mild":
        return replace(look, roughness_px=0.6, dose=12.0, blur_px=0.8)
    if preset == "hard":
        return replace(look, roughness_px=1.3, dose=3.0, blur_px=1.3)
    return look


def _wild(rng: np.random.Generator, family: Family) -> Look:
    """Every parameter drawn wide, contrast and polarity too."""
    levels = rng.uniform(25, 190, 2)
    kind = rng.random()
    if kind < 0.12:  # the metal's top has the floor's grey: only the rims show
        metal = background = float(levels[0])
        rim = rng.uniform(25, 90)
    elif kind < 0.24:  # dark metal on a bright floor
        metal, background = float(levels.min()), float(levels.max()) + 15
        rim = rng.uniform(0, 60)
    else:
        metal, background = float(levels.max()) + 15, float(levels.min())
        rim = rng.uniform(-20, 90) if rng.random() < 0.8 else 0.0
    return Look(
        family=family,
        background=background,
        metal=metal,
        via=_via_level(rng, metal),
        rim=rim,
        rim_in_px=rng.uniform(0.6, 5.0),
        rim_out_px=rng.uniform(0.5, 4.0),
        rim_shape=rng.uniform(0.8, 2.5),
        sidewall_px=rng.uniform(0.4, 4.0),
        shadow=rng.uniform(0.0, 0.5),
        shadow_px=rng.uniform(2, 25),
        tilt=rng.uniform(-0.8, 0.8),
        tilt_angle=rng.uniform(0, 2 * math.pi),
        roughness_px=rng.uniform(0.0, 1.6),
        correlation_px=rng.uniform(2.5, 25),
        hurst=rng.uniform(0.3, 1.0),
        blur_px=rng.uniform(0.2, 2.0),
        dose=float(np.exp(rng.uniform(math.log(0.8), math.log(40)))),
        charging=rng.uniform(0.0, 0.25),
        charging_px=rng.uniform(5, 90),
        row_noise=rng.uniform(0.0, 5.0),
        drift_px=rng.uniform(0.0, 0.3),
        illumination=rng.uniform(0.0, 0.35),
        grain=rng.uniform(0.0, 8.0),
        grain_px=rng.uniform(0.6, 4.0),
    )


def _via_level(rng: np.random.Generator, metal: float) -> float:
    step = rng.uniform(25, 80) * (1 if rng.random() < 0.7 else -1)
    return float(np.clip(metal + step, 10, 245))

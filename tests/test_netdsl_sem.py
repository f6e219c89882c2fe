"""The simulated instrument: its stated numbers are those that are measured on its images."""

import math
from dataclasses import replace

import numpy as np
import pytest

from fabsight.netdsl.language import Program, Via, straight
from fabsight.netdsl.looks import Look, draw_look
from fabsight.netdsl.sem import rough_field, signed_distance, simulate, simulate_distance
from fabsight.netdsl.synthesis import layout

FAMILIES = ("bloom", "relief")
LINES = Program(
    128, 128, tuple(straight("V", (20.0 + 30 * k, 0.0), 128.0, 10.0 + 2 * k) for k in range(4))
)


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("preset", ["mild", "hard", "wild"])
def test_the_same_seed_gives_the_same_bytes(preset, family):
    def shot(seed):
        draw = rng(seed)
        return simulate(LINES, draw_look(draw, preset, family), draw).pixels

    assert np.array_equal(shot(1), shot(1))
    assert not np.array_equal(shot(1), shot(2))


@pytest.mark.parametrize("sigma", [0.6, 1.3])
def test_roughness_has_the_stated_standard_deviation(sigma):
    look = Look(roughness_px=sigma, correlation_px=8.0)
    fields = [rough_field((256, 256), look, rng(seed)) for seed in range(6)]
    assert np.std(fields) == pytest.approx(sigma, rel=0.05)
    assert abs(np.mean(fields)) < 0.1 * sigma


def correlation_at(field, lag):
    centred = field - field.mean()
    return float((centred[:, :-lag] * centred[:, lag:]).mean() / centred.var())


@pytest.mark.parametrize("hurst", [0.4, 0.8])
def test_roughness_falls_off_with_the_stated_correlation_length(hurst):
    """The spectrum (1 + k^2 L^2)^-(1 + H): 1/e within a factor of L, longer L is smoother."""
    found = []
    for length in (4.0, 8.0, 16.0):
        look = Look(roughness_px=1.0, correlation_px=length, hurst=hurst)
        fields = [rough_field((256, 256), look, rng(seed)) for seed in range(4)]
        curve = [np.mean([correlation_at(f, lag) for f in fields]) for lag in range(1, 60)]
        found.append(1 + int(np.argmax(np.array(curve) < 1 / math.e)))
    ratios = np.array(found) / (4.0, 8.0, 16.0)
    assert found == sorted(found)
    assert ratios.min() > 0.5
    assert ratios.max() < 3.0


def test_no_roughness_draws_as_many_random_numbers():
    """A look's other parameters do not move with its roughness."""
    one, two = rng(), rng()
    assert not rough_field((32, 32), Look(), one).any()
    rough_field((32, 32), Look(roughness_px=1.0), two)
    assert one.random() == two.random()


def test_roughness_moves_the_edge_by_what_is_returned():
    look = Look(roughness_px=1.0, rim=0.0, shadow=0.0, sidewall_px=0.5)
    shot = simulate(LINES, look, rng(), oversample=8)
    metal = shot.pixels > (look.metal + look.background) / 2
    expected = shot.distance_px + shot.roughness_px > 0
    assert (metal == expected).mean() > 0.995


@pytest.mark.parametrize("dose", [3.0, 12.0])
def test_noise_has_the_variance_of_its_dose(dose):
    """Poisson: variance = grey / dose; rounding to whole grey levels adds 1/12."""
    flat = np.full((256, 256), 200.0, np.float32)
    for family in FAMILIES:
        look = Look(family=family, dose=dose, rim=0.0, shadow=0.0, background=70.0, metal=130.0)
        pixels = simulate_distance(flat, look, rng()).pixels.astype(float)
        assert pixels.mean() == pytest.approx(130.0, rel=0.01)
        assert pixels.var() == pytest.approx(130.0 / dose + 1 / 12, rel=0.05)


def test_more_dose_is_less_noise_and_no_dose_limit_is_none():
    flat = np.full((64, 64), 50.0, np.float32)
    spreads = [
        simulate_distance(flat, Look(dose=dose, rim=0.0), rng()).pixels.std()
        for dose in (1.0, 10.0, 100.0, math.inf)
    ]
    assert spreads == sorted(spreads, reverse=True)
    assert spreads[-1] == 0


def edge_places(profile, rimmed):
    """Where the two edges of a line lie in its profile: rim peaks, or steepest slopes; px."""
    curve = profile if rimmed else np.abs(np.gradient(profile))
    found = []
    for half in (slice(5, 40), slice(40, 75)):
        at = half.start + int(np.argmax(curve[half]))
        left, centre, right = curve[at - 1 : at + 2]
        bend = left - 2 * centre + right
        found.append(at + 0.5 + (0.5 * (left - right) / bend if bend else 0.0))
    return found


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("rim", [0.0, 60.0])
@pytest.mark.parametrize("sidewall_px", [1.0, 2.0])
def test_the_layout_edge_is_mid_sidewall(family, rim, sidewall_px):
    """Without roughness and noise: at the rim's peak, or at the steepest slope, on average.

    Metal as bright as the floor shows its rims alone: a step of grey would move their peaks.
    """
    apart = []
    for k in range(16):
        width, middle = 20.0 + k / 4, 40.0 + (k % 5) / 8
        program = Program(80, 40, (straight("V", (middle, 0.0), 40.0, width),))
        metal = 90.0 if rim else 150.0
        look = Look(
            family=family, background=90.0, metal=metal, rim=rim, rim_in_px=2.0, rim_out_px=2.0,
            shadow=0.0, sidewall_px=sidewall_px, blur_px=0.6
        )  # fmt: skip
        profile = simulate(program, look, rng(), oversample=16).pixels.mean(axis=0).astype(float)
        left, right = edge_places(profile, rim > 0)
        apart += [left - (middle - width / 2), (middle + width / 2) - right]
    assert abs(np.mean(apart)) <= 0.15
    assert np.abs(apart).max() <= 0.6


@pytest.mark.parametrize("family", FAMILIES)
def test_a_via_inside_metal_shows_and_its_absence_does_not(family):
    metal = straight("H", (0.0, 32.0), 64.0, 30.0)
    look = Look(family=family, metal=120.0, via=190.0, rim=0.0, shadow=0.0)
    with_via = simulate(Program(64, 64, (metal, Via(32.0, 32.0, 7.0))), look, rng()).pixels
    without = simulate(Program(64, 64, (metal,)), look, rng()).pixels
    assert with_via[32, 32] > without[32, 32] + 40
    assert with_via[32, 8] == without[32, 8]


@pytest.mark.parametrize("commands", [(), (straight("H", (0.0, 16.0), 32.0, 32.0),)])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_layout_without_any_edge_is_flat(family, commands):
    pixels = simulate(Program(32, 32, commands), Look(family=family), rng()).pixels
    assert np.ptp(pixels) == 0


def test_signed_distance_is_to_the_edge_in_px():
    mask = np.zeros((80, 160), np.uint8)
    mask[:, 40:120] = 1  # four times finer: 10 to 30 of 40 px
    distance = signed_distance(mask, 4)
    assert distance.shape == (20, 40)
    assert distance[10, [9, 10, 20, 29, 30]] == pytest.approx([-0.5, 0.5, 9.5, 0.5, -0.5], abs=0.01)


def test_drift_illumination_and_charging_change_what_they_say():
    still = simulate(LINES, Look(), rng()).pixels.astype(float)
    for change in (
        {"drift_px": 0.5}, {"illumination": 0.2}, {"charging": 0.2}, {"row_noise": 3.0},
        {"grain": 4.0}, {"tilt": 0.6}, {"shadow": 0.4}, {"blur_px": 1.5},
    ):  # fmt: skip
        for family in FAMILIES:
            if (family, *change) == ("relief", "row_noise"):
                continue  # bloom's alone
            look = replace(Look(family=family), **change)
            base = still if family == "bloom" else simulate(
                LINES, Look(family=family), rng()).pixels  # fmt: skip
            moved = np.abs(simulate(LINES, look, rng()).pixels - base.astype(float)).mean()
            assert 0.2 < moved < 40, (family, change)


@pytest.mark.parametrize("preset", ["mild", "hard"])
def test_presets_have_their_stated_roughness_dose_and_blur(preset):
    stated = {"mild": (0.6, 12.0, 0.8), "hard": (1.3, 3.0, 1.3)}[preset]
    for seed in range(20):
        for family in FAMILIES:
            look = draw_look(rng(seed), preset, family)
            assert (look.roughness_px, look.dose, look.blur_px) == stated
            assert look.family == family


def test_wild_looks_have_both_polarities_and_rims_alone():
    looks = [draw_look(rng(seed), "wild") for seed in range(200)]
    contrast = np.array([look.metal - look.background for look in looks])
    assert (contrast < 0).any()
    assert (contrast == 0).any()
    assert (contrast > 100).any()


def test_the_two_families_differ_on_the_same_look():
    program = layout(rng(4))
    one, two = (
        simulate(program, replace(draw_look(rng(9), "mild"), family=family), rng(1)).pixels
        for family in FAMILIES
    )
    assert np.abs(one.astype(float) - two).mean() > 2

"""Measurements against simulated lines whose every row is known.

The simulator here shares no formula with the package's: its rims are hyperbolic secants, its
sidewalls error functions, its edges autoregressive and drawn row by row.
"""

import csv
import io
import itertools
import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabsight.netdsl import metrology, roughness
from fabsight.netdsl.beside import neighbours, under
from fabsight.netdsl.edge_model import edge_positions
from fabsight.netdsl.language import Program, Via, parse, straight
from fabsight.netdsl.looks import Look
from fabsight.netdsl.profiles import FINE_PX, REACH_PX, SEARCH_PX, Leg, Profile, legs_of
from fabsight.netdsl.sem import simulate
from fabsight.netdsl.settings import LayoutSettings
from fabsight.task import Image, Question

SIZE = 256
CENTRES = (24.3, 62.5, 101.8, 140.1, 185.6, 229.4)
WIDTHS = (14.2, 17.7, 21.5, 15.0, 26.3, 18.9)
LOOKS = {
    "rim": {"rim": 60.0, "reach": 1.3},
    "wide rim": {"rim": 35.0, "reach": 2.2},
    "no rim": {"rim": 0.0, "reach": 1.0},
    "only rims": {"rim": 70.0, "reach": 1.5, "metal": 80.0},
    "dark metal": {"rim": 30.0, "reach": 1.3, "metal": 40.0, "floor": 120.0},
}


def rough_line(rng, sigma_px, correlation_px):
    """A stationary line: a first-order autoregression of this scatter and correlation length."""
    keep = math.exp(-1 / correlation_px)
    steps = rng.standard_normal(SIZE) * sigma_px * math.sqrt(1 - keep**2)
    line = np.empty(SIZE)
    line[0] = rng.standard_normal() * sigma_px
    for row in range(1, SIZE):
        line[row] = keep * line[row - 1] + steps[row]
    return line


def lines(seed, metal=150.0, floor=80.0, rim=50.0, reach=1.5, dose=12.0, sigma_px=0.6):
    """Grey image of vertical lines, and the true (left, right) edges of each, per row."""
    from scipy.ndimage import gaussian_filter
    from scipy.special import erf

    rng = np.random.default_rng(seed)
    fine = 8
    x = (np.arange(SIZE * fine) + 0.5) / fine
    image, edges = np.full((SIZE, SIZE * fine), floor), []
    for centre, width in zip(CENTRES, WIDTHS, strict=True):
        left = centre - width / 2 + rough_line(rng, sigma_px, 7.0)
        right = centre + width / 2 + rough_line(rng, sigma_px, 7.0)
        edges.append((left, right))
        for edge, sign in ((left, 1), (right, -1)):
            inwards = (x - edge[:, None]) * sign
            image += (metal - floor) * (0.5 * erf(inwards / 1.0) - (0.5 if sign < 0 else -0.5))
            image += rim / np.cosh(inwards / reach)
    image = gaussian_filter(image, (0.8, 0.8 * fine)).reshape(SIZE, SIZE, fine).mean(axis=2)
    noisy = rng.poisson(np.clip(image, 1, None) * dose) / dose
    return noisy.astype(np.float32), edges


def stripes(error_px=0.0):
    """The program of those lines, to two decimals, its edges wrong by up to `error_px`."""
    rng = np.random.default_rng(0)
    text = f"CANVAS {SIZE} {SIZE}\n"
    for centre, width in zip(CENTRES, WIDTHS, strict=True):
        dx, dw = rng.uniform(-error_px, error_px, 2)
        text += f"WIRE {centre + dx:.2f} 0 {width + dw:.2f} 0 0 0 0 V {SIZE}\n"
    return parse(text)


def question_of(pixels, nm_per_px=None, edge="mid"):
    return Question((Image(pixels, nm_per_px=nm_per_px),), "", LayoutSettings(edge=edge))


def three_sigma(values):
    rest = roughness.straightened(values)
    return 3 * math.sqrt((rest**2).sum() / (len(rest) - 2))


def test_cd_and_roughness_are_the_true_ones():
    """The bars of a mild image, over looks nothing was tuned on; no look is far off on its own."""
    wrong, ler, lwr = [], [], []
    for look in LOOKS.values():
        pixels, edges = lines(0, **look)
        rows = metrology.measure(question_of(pixels), stripes(0.6))
        pairs = list(zip(rows, edges, strict=True))
        wrong.append(np.mean([row["cd_px"] - np.mean(b - a) for row, (a, b) in pairs]))
        ler += [row["ler_left_px"] / three_sigma(a) for row, (a, b) in pairs]
        ler += [row["ler_right_px"] / three_sigma(b) for row, (a, b) in pairs]
        lwr += [row["lwr_px"] / three_sigma(b - a) for row, (a, b) in pairs]
    assert abs(np.mean(wrong)) < 0.1
    assert np.abs(wrong).max() < 0.3
    assert abs(np.mean(ler) - 1) < 0.1
    assert abs(np.mean(lwr) - 1) < 0.1


@pytest.mark.parametrize("family", ["bloom", "relief"])
def test_cd_under_the_packages_own_looks(family):
    """Both image formations, mild looks: the bias over images is below 0.1 px."""
    from fabsight.netdsl.looks import draw_look
    from fabsight.netdsl.sem import simulate

    program = parse(
        "CANVAS 192 128\nWIRE 30.5 0 15 0 0 0 0 V 128\nWIRE 75 0 18.5 0 0 0 0 V 128\n"
        "WIRE 120.25 0 21 0 0 0 0 V 128\nWIRE 164 0 17 0 0 0 0 V 128"
    )
    wrong = []
    for seed in range(24):
        rng = np.random.default_rng(seed)
        pixels = simulate(program, draw_look(rng, "mild", family), rng, 8).pixels
        rows = metrology.measure(question_of(pixels), program)
        wrong.append(np.mean([row["cd_px"] - row["design_width_px"] for row in rows]))
    assert abs(np.mean(wrong)) < 0.1
    assert np.std(wrong) < 0.4


def test_the_standard_error_of_cd_is_its_scatter():
    rows = [
        row
        for seed in range(4)
        for row in metrology.measure(question_of(lines(seed, sigma_px=1.0)[0]), stripes())
    ]
    deviations = [(row["cd_px"] - row["design_width_px"]) / row["cd_se_px"] for row in rows]
    assert 0.6 < np.std(deviations) < 1.6


def test_noise_is_subtracted_from_roughness():
    pixels, edges = lines(5, dose=0.6, sigma_px=0.5)
    rows = metrology.measure(question_of(pixels), stripes())
    truth = np.mean([three_sigma(edge) for pair in edges for edge in pair])
    biased = np.mean([row["ler_left_biased_px"] for row in rows])
    unbiased = np.mean([row["ler_left_px"] for row in rows])
    assert biased > 1.1 * truth
    assert abs(unbiased / truth - 1) < 0.15


def test_spaces_and_pitches_add_up():
    pixels, _ = lines(1)
    rows = metrology.measure(question_of(pixels), stripes(0.3))
    assert rows[0]["space_left_px"] is None
    assert rows[-1]["pitch_right_px"] is None
    for here, following in itertools.pairwise(rows):
        assert here["pitch_right_px"] == following["pitch_left_px"]
        half_widths = (here["cd_px"] + following["cd_px"]) / 2
        assert here["pitch_right_px"] == pytest.approx(
            here["space_right_px"] + half_widths, abs=2e-3
        )
    truth = CENTRES[1] - CENTRES[0]
    assert rows[0]["pitch_right_px"] == pytest.approx(truth, abs=0.3)


def test_horizontal_lines_are_measured_as_vertical_ones():
    pixels, _ = lines(2)
    upright = metrology.measure(question_of(pixels), stripes())
    text = f"CANVAS {SIZE} {SIZE}\n" + "".join(
        f"WIRE 0 {c:.2f} {w:.2f} 0 0 0 0 H {SIZE}\n" for c, w in zip(CENTRES, WIDTHS, strict=True)
    )
    lying = metrology.measure(question_of(np.ascontiguousarray(pixels.T)), parse(text))
    for one, other in zip(upright, lying, strict=True):
        assert other["orientation"] == "horizontal"
        assert other["cd_px"] == pytest.approx(one["cd_px"], abs=1e-3)
        assert other["ler_left_px"] == pytest.approx(one["ler_left_px"], abs=1e-3)
        assert other["y_px"] == pytest.approx(one["x_px"], abs=1e-3)


def test_conventions_are_ordered_and_named():
    pixels, _ = lines(3, rim=60.0)
    rows = {
        edge: metrology.measure(question_of(pixels, edge=edge), stripes())
        for edge in ("inner", "mid", "outer")
    }
    for inner, mid, outer in zip(*rows.values(), strict=True):
        assert inner["cd_px"] < mid["cd_px"] < outer["cd_px"]
        assert [inner["edge"], mid["edge"], outer["edge"]] == ["inner", "mid", "outer"]


def test_nanometres_need_a_scale():
    pixels, _ = lines(4)
    plain = metrology.measure(question_of(pixels), stripes())[1]
    scaled = metrology.measure(question_of(pixels, nm_per_px=2.5), stripes())[1]
    assert plain["cd_nm"] is None
    assert scaled["cd_nm"] == pytest.approx(2.5 * scaled["cd_px"], abs=1e-3)
    assert list(plain) == list(scaled)
    assert all(f"{name[:-3]}_nm" in scaled for name in scaled if name.endswith("_px"))


def test_rows_make_a_csv():
    program = parse("CANVAS 64 64\nWIRE 30 0 16 0 0 0 0 V 64\nVIA 30 30 4")
    rows = metrology.measure(question_of(np.zeros((64, 64), np.uint8)), program)
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    assert [row["kind"] for row in csv.DictReader(io.StringIO(out.getvalue()))] == ["wire", "via"]


@pytest.mark.parametrize("noisy", [False, True])
def test_a_blank_image_measures_nothing(noisy):
    rng = np.random.default_rng(0)
    pixels = rng.poisson(100, (SIZE, SIZE)).astype(np.uint8) if noisy else np.full((8, 8), 7, "u1")
    program = stripes() if noisy else parse("CANVAS 8 8\nWIRE 4 0 3 0 0 0 0 V 8\nVIA 4 4 1")
    for row in metrology.measure(question_of(pixels), program):
        if noisy:
            assert row["cd_px"] is None
            assert row["ler_left_px"] is None
    assert metrology.measure(question_of(pixels), parse("CANVAS 8 8")) == []


def test_bends_caps_and_hidden_edges_are_left_out():
    program = parse(
        "CANVAS 128 128\nWIRE 30 20 16 14 26 0 0 V 80 H 70\nWIRE 60 0 12 0 0 0 0 V 128\n"
        "WIRE 60 4 12 0 0 0 0 V 90"
    )
    pixels = (80 + 90 * metrology_mask(program)).astype(np.float32)
    pixels += np.random.default_rng(0).standard_normal(pixels.shape).astype(np.float32)
    rows = metrology.measure(question_of(pixels), program)
    upright, lying = rows[0], rows[1]
    assert upright["cd_px"] == pytest.approx(16, abs=0.1)
    assert 50 < upright["rows"] <= 58  # neither the cap's 14 rows nor the bend's 8
    assert lying["cd_px"] == pytest.approx(16, abs=0.1)
    assert lying["rows"] < 52  # nor where the second wire crosses it


def metrology_mask(program):
    from fabsight.netdsl.rendering import render

    return render(program)


def test_vias_are_found_and_laid_over_their_wire():
    from fabsight.netdsl.looks import Look
    from fabsight.netdsl.sem import simulate

    rng = np.random.default_rng(3)
    truth = parse(
        "CANVAS 96 96\nWIRE 40.5 0 24 0 0 0 0 V 96\nVIA 42.5 30 6\nVIA 39 66 6\nVIA 75 48 7"
    )
    said = parse(
        "CANVAS 96 96\nWIRE 40.5 0 24 0 0 0 0 V 96\nVIA 42 30.4 6\nVIA 39.5 66 6\nVIA 75 48 7"
    )
    pixels = simulate(truth, Look(rim=25.0, rim_in_px=1.5, blur_px=0.8, dose=12.0), rng, 8).pixels
    wire, *vias = metrology.measure(question_of(pixels), said)
    for row, (x, y, r) in zip(vias, [(42.5, 30, 6), (39, 66, 6), (75, 48, 7)], strict=True):
        assert row["x_px"] == pytest.approx(x, abs=0.25)
        assert row["y_px"] == pytest.approx(y, abs=0.25)
        assert row["diameter_px"] == pytest.approx(2 * r, abs=0.8)
    assert [row["wire"] for row in vias] == ["W0.0", "W0.0", None]
    assert vias[0]["overlay_px"] == pytest.approx(2.0, abs=0.3)
    assert vias[1]["overlay_px"] == pytest.approx(-1.5, abs=0.3)
    assert vias[1]["enclosure_px"] == pytest.approx(12 - 6 - 1.5, abs=0.8)
    assert wire["cd_px"] == pytest.approx(24, abs=0.3)


def test_image_and_canvas_of_different_sizes_share_a_corner():
    pixels, _ = lines(0)
    whole = metrology.measure(question_of(pixels), stripes())
    cut = metrology.measure(question_of(pixels[:200, :170]), stripes())
    assert len(cut) == len(whole)
    assert cut[0]["cd_px"] == pytest.approx(whole[0]["cd_px"], abs=0.25)
    assert cut[-1]["cd_px"] is None


def test_time_of_a_picture():
    """6 lines of 256 px take about 25 ms; the bound leaves room for slow machines."""
    pixels, _ = lines(0)
    spent = []
    for _ in range(5):
        begin = time.process_time()
        metrology.measure_parts(pixels, stripes())
        spent.append(time.process_time() - begin)
    assert min(spent) < 0.15


# Runs beside one another


def every_neighbour(legs, side):
    """`neighbours` as its words say it: every run compared with every other."""
    found = []
    for leg in legs:
        gaps = []
        for index, other in enumerate(legs):
            away = (other.middle - leg.middle) * side
            shared = min(leg.span[1], other.span[1]) > max(leg.span[0], other.span[0])
            if other.axis == leg.axis and away > 0 and shared:
                gaps.append((away - (other.width + leg.width) / 2, index))
        gap, nearest = min(gaps, default=(0, None))
        found.append(nearest if gap > 0 else None)
    return found


def every_run_under(legs, x, y):
    there = [k for k, leg in enumerate(legs) if leg.contains(x, y)]
    return min(there, key=lambda k: abs(legs[k].across(x, y) - legs[k].middle), default=None)


halves = st.integers(-60, 60).map(lambda n: n / 2)
lengths = st.integers(1, 120).map(lambda n: n / 2)


@st.composite
def some_legs(draw):
    found = []
    for index in range(draw(st.integers(0, 40))):
        axis, x, y = draw(st.sampled_from("HV")), draw(halves), draw(halves)
        length = draw(lengths)
        end = (x + length, y) if axis == "H" else (x, y + length)
        found.append(Leg(index, 0, axis, x, y, *end, draw(lengths) / 4))
    return found


@given(some_legs(), st.lists(st.tuples(halves, halves), max_size=5))
def test_runs_are_found_as_if_each_was_compared_with_each(legs, points):
    for side in (-1, 1):
        every = every_neighbour(legs, side)
        assert neighbours(legs, side, len(legs)) == every
        assert neighbours(legs, side, 3) == every[:3] + [None] * len(legs[3:])
    assert under(legs, points) == [every_run_under(legs, *point) for point in points]


@pytest.mark.parametrize("step", [(0, 0), (5, 0), (0, 5), (5, 5), (0.01, 0.01)])
def test_twenty_thousand_runs_take_seconds(step):
    """About 1 s, also where all of them or none of them lie beside one another."""
    count = 20_000
    legs = [Leg(k, 0, "H", k * step[0], k * step[1], k * step[0] + 4, 0, 3) for k in range(count)]
    begin = time.process_time()
    neighbours(legs, 1, count)
    under(legs, [(leg.x0, leg.y0) for leg in legs])
    assert time.process_time() - begin < 10.0


def test_a_picture_of_many_wires_and_vias_is_measured_in_seconds():
    side = 40
    text = f"CANVAS {8 * side + 8} {8 * side + 8}\n" + "".join(
        f"WIRE {8 * i + 1} {8 * j + 4} 3 0 0 0 0 H 5\nVIA {8 * i + 3} {8 * j + 4} 1\n"
        for i in range(side)
        for j in range(side)
    )
    program = parse(text)
    blank = np.zeros((program.height, program.width), np.float32)
    begin = time.process_time()
    rows = metrology.measure(question_of(blank), program)
    assert time.process_time() - begin < 5.0
    assert [row["wire"] for row in rows[side**2 :]] == [
        f"W{leg.wire}.0" for leg in legs_of(program)
    ]


# Edge model


def profile_of(grey):
    reach = REACH_PX + SEARCH_PX
    t = np.arange(round(2 * reach / FINE_PX) + 1) * FINE_PX - reach
    return Profile(t, grey(t), np.ones(len(t)))


@pytest.mark.parametrize("place", [-0.8, 0.0, 1.3])
def test_without_a_rim_the_edge_is_the_steepest_slope(place):
    profile = profile_of(lambda t: 80 + 60 / (1 + np.exp((t - place) / 0.7)))
    for convention in ("mid", "outer", "inner"):
        assert edge_positions([profile], convention)[0] == pytest.approx(place, abs=0.05)


@pytest.mark.parametrize("place", [-0.8, 0.0, 1.3])
def test_a_rim_without_a_step_is_its_own_peak(place):
    profile = profile_of(lambda t: 80 + 60 * np.exp(-0.5 * ((t - place) / 1.2) ** 2))
    assert edge_positions([profile])[0] == pytest.approx(place, abs=0.05)
    half = 1.2 * math.sqrt(2 * math.log(2))
    assert edge_positions([profile], "outer")[0] == pytest.approx(place + half, abs=0.2)
    assert edge_positions([profile], "inner")[0] == pytest.approx(place - half, abs=0.2)


# Roughness


def test_white_noise_is_no_roughness():
    found = roughness.roughness(np.random.default_rng(0).standard_normal(4000))
    assert found.biased_px == pytest.approx(3, rel=0.05)
    assert found.three_sigma_px < 0.8
    assert found.noise_px == pytest.approx(1, rel=0.1)


def test_roughness_of_a_known_line():
    """A line as the beam's blur leaves it, measured with an error of 0.4 px per row."""
    from scipy.ndimage import gaussian_filter1d

    rng = np.random.default_rng(1)
    true = [gaussian_filter1d(rough_line(rng, 0.7, 6.0), 1.0) for _ in range(40)]
    found = [roughness.roughness(line + 0.4 * rng.standard_normal(SIZE)) for line in true]
    values = [f.three_sigma_px for f in found]
    assert np.mean(values) == pytest.approx(np.mean([three_sigma(line) for line in true]), rel=0.03)
    assert np.mean([f.error_px for f in found]) == pytest.approx(np.std(values), rel=0.4)
    assert np.mean([f.correlation_px for f in found]) == pytest.approx(6, rel=0.3)


def test_a_turned_line_is_not_rough():
    assert roughness.roughness(np.linspace(0, 5, 200)).biased_px < 1e-9


@given(st.integers(0, 60), st.integers(0, 60))
def test_short_or_broken_lines_have_no_roughness(before, after):
    values = np.concatenate([np.arange(before) % 3.0, [np.nan], np.arange(after) % 5.0])
    found = roughness.roughness(values)
    assert (found is None) == (max(before, after) < roughness.MIN_ROWS)
    if found is not None:
        assert found.rows == max(before, after)
        assert 0 <= found.three_sigma_px <= found.biased_px


def test_the_spectrum_averages_to_the_variance():
    values = np.random.default_rng(2).standard_normal(4096)
    _, density = roughness.spectrum(values)
    assert density.mean() == pytest.approx(1, rel=0.1)


def test_the_error_of_a_mean_counts_correlated_rows_once():
    rng = np.random.default_rng(3)
    made = [rough_line(rng, 1.0, 8.0) for _ in range(60)]
    said = np.mean([roughness.mean_error(line) for line in made])
    assert said == pytest.approx(np.std([line.mean() for line in made]), rel=0.35)
    assert math.isnan(roughness.mean_error(np.array([1.0, np.nan, 2.0])))


numbers = st.integers(-40, 120).map(lambda n: n / 4)
sizes = st.integers(1, 80).map(lambda n: n / 4)
run = st.tuples(st.sampled_from("HV"), numbers.filter(bool))


@st.composite
def programs(draw):
    width, height = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    text = f"CANVAS {width} {height}\n"
    for _ in range(draw(st.integers(0, 3))):
        cap = f"{draw(sizes)} {draw(sizes)}"
        runs = " ".join(
            f"{axis} {length}" for axis, length in draw(st.lists(run, min_size=1, max_size=3))
        )
        text += f"WIRE {draw(numbers)} {draw(numbers)} {draw(sizes)} {cap} {cap} {runs}\n"
    for _ in range(draw(st.integers(0, 2))):
        text += f"VIA {draw(numbers)} {draw(numbers)} {draw(sizes)}\n"
    return parse(text)


@given(programs(), st.integers(0, 2**32), st.sampled_from(["mid", "outer", "inner"]))
def test_any_program_on_any_image_is_measured_or_left_empty(program, seed, edge):
    rng = np.random.default_rng(seed)
    shape = int(rng.integers(1, 50)), int(rng.integers(1, 50))
    pixels = (metrology_mask(program)[: shape[0], : shape[1]] * 80 + 60).astype(np.uint8)
    pixels += rng.integers(0, 20, pixels.shape, np.uint8)
    for row in metrology.measure(question_of(pixels, edge=edge), program):
        assert all(v is None or isinstance(v, str) or math.isfinite(v) for v in row.values())


def test_what_is_not_measured_says_why():
    wires = (straight("V", (3, 0), 96, 12), straight("V", (40, 0), 96, 10))
    program = Program(
        96, 96, (*wires, straight("V", (49, 0), 96, 8), Via(75, 40, 5), Via(95.5, 0.5, 4))
    )
    look = Look(dose=20.0, blur_px=0.8)
    pixels = simulate(program, look, np.random.default_rng(0)).pixels
    rows = metrology.measure(Question((Image(pixels),), "", LayoutSettings()), program)
    said = {row["id"]: row["unmeasured"] for row in rows}
    assert said["W0.0"] == "left edge hidden"
    assert said["W1.0"] == "right edge hidden"
    assert said["V0"] is None
    assert said["V1"] == "rim cut or not seen"
    for row in rows:
        measured = row["cd_px"] if row["kind"] == "wire" else row["diameter_px"]
        assert (measured is None) == bool(row["unmeasured"])
    noise = np.random.default_rng(1).normal(90, 20, pixels.shape).clip(0, 255).astype(np.uint8)
    for row in metrology.measure(Question((Image(noise),), "", LayoutSettings()), program):
        measured = row["cd_px"] if row["kind"] == "wire" else row["diameter_px"]
        assert (measured is None) == bool(row["unmeasured"])

"""The learned front end: size, bytes, tiles, and what the training feeds it."""

import hashlib
import re
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from fabsight.netdsl.looks import draw_look
from fabsight.netdsl.rendering import coverage
from fabsight.netdsl.segmenter import MULTIPLE, TILE_PX, normalise, segment
from fabsight.netdsl.segmenter_network import export
from fabsight.netdsl.segmenter_training import (
    SIDE,
    Stream,
    geometry,
    read_labels,
    sample,
    started,
)
from fabsight.netdsl.sem import simulate
from fabsight.netdsl.synthesis import layout
from fabsight.task import FabsightError

WEIGHTS = files("fabsight") / "weights"
MAX_BYTES = 2_000_000


def shot(seed, side=256, preset="mild"):
    rng = np.random.default_rng(seed)
    program = layout(rng, side=side)
    return program, simulate(program, draw_look(rng, preset), rng, 2).pixels.astype(np.float32)


def test_the_weights_are_small_and_are_those_that_are_listed():
    listed = (WEIGHTS / "SHA256SUMS").read_text().split()
    named = dict(zip(listed[1::2], listed[::2], strict=True))
    shipped = [path for path in Path(str(WEIGHTS)).iterdir() if path.suffix == ".onnx"]
    assert {path.name for path in shipped} == set(named)
    for path in shipped:
        data = path.read_bytes()
        assert len(data) <= MAX_BYTES
        assert hashlib.sha256(data).hexdigest() == named[path.name], f"{path.name} is another file"
        assert (path.with_suffix(".md")).is_file(), "weights have a card"


def test_the_card_counts_the_parameters_there_are():
    onnx = pytest.importorskip("onnx", reason="onnx is not installed (extra: train)")
    model = onnx.load_from_string((WEIGHTS / "netdsl_segmenter.onnx").read_bytes())
    count = sum(int(np.prod(tensor.dims)) for tensor in model.graph.initializer)
    card = (WEIGHTS / "netdsl_segmenter.md").read_text()
    (said,) = re.findall(r"of ([\d,]+) parameters", card)
    assert count == pytest.approx(int(said.replace(",", "")), rel=0.02)


def test_the_same_image_gives_the_same_shares():
    _, grey = shot(0)
    assert np.array_equal(segment(grey), segment(grey.copy()))


@pytest.mark.parametrize("shape", [(16, 16), (17, 300), (300, 17), (129, 255)])
def test_any_size_gives_a_share_for_each_pixel(shape):
    grey = np.random.default_rng(0).normal(100, 20, shape).astype(np.float32)
    found = segment(grey)
    assert found.shape == (2, *shape)
    assert found.min() >= 0
    assert found.max() <= 1


def test_grey_scale_does_not_matter():
    _, grey = shot(1)
    assert segment(grey * 0.3 + 11) == pytest.approx(segment(grey), abs=1e-3)


def test_a_flat_image_is_normalised_to_zeros():
    assert not normalise(np.full((20, 20), 77.0, np.float32)).any()


def test_tiles_of_a_large_frame_agree_with_the_whole():
    """One tile more than fits: the frame goes through in tiles, its left part also in one."""
    side = TILE_PX + 64
    _, grey = shot(2, side=side)
    image = normalise(grey)
    tiled = segment(image)
    from fabsight.netdsl.segmenter import _run

    whole = _run(image)
    assert np.abs(tiled - whole).max() <= 0.1
    assert np.abs(tiled - whole).mean() <= 1e-4


def test_shares_are_the_layouts_areas():
    apart = []
    for seed in range(4):
        program, grey = shot(seed)
        apart.append(np.abs(segment(grey)[0] - coverage(program)).mean())
    assert np.mean(apart) < 0.06


def test_padding_is_not_seen():
    """A size that is no multiple of what the network needs, against the same image cut to one."""
    _, grey = shot(5)
    cut = grey[: 256 - MULTIPLE, :]
    odd = normalise(grey)[: 256 - MULTIPLE + 5, :]
    far = np.s_[:, : 256 - 6 * MULTIPLE, :]
    a, b = segment(normalise(cut))[far], segment(odd)[far]
    assert np.abs(a - b).mean() < 0.01


def test_training_samples_are_normalised_images_and_area_targets():
    rng = np.random.default_rng(3)
    for _ in range(8):
        image, target = sample(rng, geometry(rng, []), (0.3, 0.3, 0.4))
        assert image.shape == (1, SIDE, SIDE)
        assert target.shape == (3, SIDE, SIDE)
        assert 0.4 < image.std() < 1.6
        assert target[:2].min() >= 0
        assert target[:2].max() <= 1
        assert (target[1] <= target[0] + 1e-6).all(), "a via lies inside metal"
        assert target[2].min() >= 0.4


def test_training_takes_tiles_of_labelled_chips(tmp_path):
    wires = "".join(
        f'<path d="M0,{y} L900,{y} L900,{y + 20} L0,{y + 20} Z"/>' for y in range(0, 900, 40)
    )
    head = '<svg width="900" height="900"><circle cx="450" cy="450" r="6"/>'
    (tmp_path / "label0000.svg").write_text(f"{head}{wires}</svg>")
    labels = read_labels(tmp_path, ["label0000"])
    rng = np.random.default_rng(1)
    found = [geometry(rng, labels) for _ in range(12)]
    assert all(shape.metal.shape == (SIDE, SIDE) for shape in found)


def test_a_network_goes_on_from_its_onnx_file(tmp_path):
    torch = pytest.importorskip("torch", reason="torch is not installed (extra: train)")
    pytest.importorskip("onnx", reason="onnx is not installed (extra: train)")
    stream = Stream(4, [], (0.4, 0.3, 0.3), size=2)
    shipped = Path(str(WEIGHTS / "netdsl_segmenter.onnx"))
    net = started(shipped, stream).eval()
    _, grey = shot(6)
    with torch.no_grad():
        found = torch.sigmoid(net(torch.from_numpy(normalise(grey))[None, None]))[0].numpy()
    assert found == pytest.approx(segment(grey), abs=1e-3)
    export(net, tmp_path / "again.onnx")
    again = started(tmp_path / "again.onnx", stream).eval()
    with torch.no_grad():
        same = torch.sigmoid(again(torch.from_numpy(normalise(grey))[None, None]))[0].numpy()
    assert same == pytest.approx(found, abs=1e-3)


def test_another_network_is_no_segmenter(tmp_path):
    torch = pytest.importorskip("torch", reason="torch is not installed (extra: train)")
    pytest.importorskip("onnx", reason="onnx is not installed (extra: train)")
    other = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3, padding=1), torch.nn.ReLU())
    export(other, tmp_path / "other.onnx")
    with pytest.raises(FabsightError, match=r"other\.onnx is not the segmenter's network"):
        started(tmp_path / "other.onnx", Stream(4, [], (0.4, 0.3, 0.3), size=1))

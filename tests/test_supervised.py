"""The training loop: it learns, resumes where it was cut short, and exports what it learned."""

import json
import math
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fabsight.files import strays
from fabsight.task import FabsightError

torch = pytest.importorskip("torch", reason="torch is not installed (extra: train)")

from fabsight.methods.supervised import Recipe, fit  # noqa: E402

TRUE = (2.0, -1.0)
STEPS = 60


def net():
    torch.manual_seed(0)
    return torch.nn.Linear(2, 1)


def batches(start=0):
    step = start
    while True:
        rng = np.random.default_rng(step)
        x = rng.normal(size=(16, 2)).astype(np.float32)
        yield torch.from_numpy(x), torch.from_numpy(x @ np.array(TRUE, np.float32)[:, None])
        step += 1


def loss(prediction, batch):
    return ((prediction - batch[1]) ** 2).mean()


def recipe(steps=STEPS, **others):
    return Recipe(steps=steps, rate=0.2, average=0.9, save_every=20, bfloat16=False, **others)


def test_a_line_is_learned_and_logged(tmp_path):
    trained = fit(net(), batches, loss, recipe(), tmp_path)
    weights = trained.weight.detach().numpy().ravel()
    assert weights == pytest.approx(TRUE, abs=0.2)
    assert not trained.training
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [20, 40, 60]
    assert all(math.isfinite(row["loss"]) for row in rows)
    assert rows[-1]["loss"] < rows[0]["loss"]


def noisy_net():
    """A net whose training draws random numbers and keeps statistics of its batches."""
    torch.manual_seed(0)
    layers = torch.nn.Linear(2, 8), torch.nn.BatchNorm1d(8), torch.nn.Dropout(0.3)
    return torch.nn.Sequential(*layers, torch.nn.Linear(8, 1))


def log_of(out):
    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


@pytest.mark.parametrize("cut", [25, 45, 59])
def test_a_run_cut_short_ends_bit_for_bit_where_a_whole_one_does(tmp_path, cut):
    def cut_short(start=0):
        for number, batch in enumerate(batches(start), start):
            if number == cut:
                raise KeyboardInterrupt
            yield batch

    whole = fit(noisy_net(), batches, loss, recipe(), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fit(noisy_net(), cut_short, loss, recipe(), tmp_path / "cut")
    torch.manual_seed(99)
    resumed = fit(noisy_net(), batches, loss, recipe(), tmp_path / "cut")
    for one, other in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    assert log_of(tmp_path / "cut") == log_of(tmp_path / "whole")


KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from dataclasses import replace
from tests.test_supervised import batches, fit, loss, noisy_net, recipe
fit(noisy_net(), batches, loss, replace(recipe(steps=100_000), save_every=1), Path(sys.argv[1]))
"""


def test_a_killed_run_can_be_resumed(tmp_path):
    script, out = tmp_path / "killed.py", tmp_path / "out"
    script.write_text(KILLED.format(root=str(Path(__file__).parents[1])))
    process = subprocess.Popen([sys.executable, str(script), str(out)])
    until = time.monotonic() + 60
    while not (out / "state.pt").exists() and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(0.3)
    process.kill()
    process.wait()
    (out / ".fabsight-4711-0123abcd.tmp").write_text("half")
    step = torch.load(out / "state.pt", weights_only=True)["step"]
    assert step > 0
    more = replace(recipe(steps=100_000), save_every=1)
    asked = []

    def stop(start):
        asked.append(start)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(noisy_net(), stop, loss, more, out)
    assert asked == [step]
    assert strays(out) == []


def none_left(_start):
    raise AssertionError("a finished run asked for a batch")


def test_a_finished_run_is_not_trained_again(tmp_path):
    first = fit(net(), batches, loss, recipe(), tmp_path)
    again = fit(net(), none_left, loss, recipe(), tmp_path)
    assert torch.equal(first.weight, again.weight)


@pytest.mark.parametrize(
    "state", [[1, 2], torch.zeros(3), 7, {"recipe": 1}, {"recipe": {}}, "damaged parts"]
)
def test_a_state_that_is_none_of_training_is_refused(tmp_path, state):
    fit(net(), batches, loss, recipe(steps=20), tmp_path)
    if state == "damaged parts":
        state = torch.load(tmp_path / "state.pt", weights_only=True) | {"net": [], "random": 0}
    torch.save(state, tmp_path / "state.pt")
    with pytest.raises(FabsightError, match=r"state\.pt is "):
        fit(net(), batches, loss, recipe(steps=20), tmp_path)


def test_a_folder_of_another_recipe_or_a_damaged_one_is_refused(tmp_path):
    fit(net(), batches, loss, recipe(steps=20), tmp_path)
    with pytest.raises(FabsightError, match="another recipe: steps was 20, now 60; name"):
        fit(net(), batches, loss, recipe(), tmp_path)
    with pytest.raises(FabsightError, match="damaged or of another network"):
        fit(noisy_net(), batches, loss, recipe(steps=20), tmp_path)
    (tmp_path / "state.pt").write_bytes((tmp_path / "state.pt").read_bytes()[:1000])
    with pytest.raises(FabsightError, match=r"damaged .* remove it to begin again"):
        fit(net(), batches, loss, recipe(steps=20), tmp_path)


def test_layers_run_where_the_network_is(tmp_path, monkeypatch):
    seen = []
    real = torch.autocast

    def autocast(device, *rest, **options):
        seen.append(device)
        return real("cpu", *rest, **options)

    monkeypatch.setattr(torch, "autocast", autocast)
    fit(net(), batches, loss, recipe(steps=1), tmp_path / "cpu")
    with pytest.raises(RuntimeError, match="meta"):  # the meta device computes nothing
        fit(net().to("meta"), batches, loss, recipe(steps=1), tmp_path / "meta")
    assert seen == ["cpu", "meta"]


def test_bfloat16_learns_too(tmp_path):
    low = replace(recipe(), bfloat16=True)
    trained = fit(net(), batches, loss, low, tmp_path)
    assert trained.weight.detach().numpy().ravel() == pytest.approx(TRUE, abs=0.3)


def test_the_segmenter_trains_a_step_and_exports(tmp_path):
    pytest.importorskip("onnx", reason="onnx is not installed (extra: train)")
    import onnxruntime

    from fabsight.netdsl import segmenter_training as training

    rng = np.random.default_rng(0)
    samples = [training.sample(rng, training.geometry(rng, []), (0.4, 0.3, 0.3)) for _ in range(2)]
    batch = tuple(
        torch.from_numpy(np.stack(part)[..., :64, :64]) for part in zip(*samples, strict=True)
    )
    torch.manual_seed(0)
    few = Recipe(steps=3, rate=1e-3, save_every=3, bfloat16=False)
    trained = fit(training.network(), lambda _: [batch] * 3, training.loss, few, tmp_path)
    path = tmp_path / "segmenter.onnx"
    training.export(trained, path)
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    image = batch[0][:1].numpy()
    (found,) = session.run(None, {"image": image})
    expected = torch.sigmoid(trained(torch.from_numpy(image))).detach().numpy()
    assert found.shape == (1, 2, 64, 64)
    assert found == pytest.approx(expected, abs=1e-4)


def test_batch_k_of_the_segmenter_is_the_same_wherever_reading_begins_and_for_any_workers():
    from fabsight.netdsl import segmenter_training as training

    def some(workers, first, number):
        stream = training.Stream(3, [], (1.0, 0.0, 0.0), size=2)
        found = training.batches(stream, workers, first)
        return [next(found) for _ in range(number)]

    whole, late, two = some(1, 0, 4), some(1, 2, 2), some(2, 1, 2)
    for expected, given in ((whole[2:], late), (whole[1:3], two)):
        for one, other in zip(expected, given, strict=True):
            assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert not torch.equal(whole[0][0], whole[1][0])

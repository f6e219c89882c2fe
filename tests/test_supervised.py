"""The training loop: it learns, resumes where it was cut short, and exports what it learned."""

import json
import math

import numpy as np
import pytest

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
    trained = fit(net(), batches(), loss, recipe(), tmp_path)
    weights = trained.weight.detach().numpy().ravel()
    assert weights == pytest.approx(TRUE, abs=0.2)
    assert not trained.training
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [20, 40, 60]
    assert all(math.isfinite(row["loss"]) for row in rows)
    assert rows[-1]["loss"] < rows[0]["loss"]


def test_a_run_cut_short_ends_where_a_whole_one_does(tmp_path):
    whole = fit(net(), batches(), loss, recipe(), tmp_path / "whole")

    def cut_short():
        for number, batch in enumerate(batches()):
            if number == 45:
                raise KeyboardInterrupt
            yield batch

    with pytest.raises(KeyboardInterrupt):
        fit(net(), cut_short(), loss, recipe(), tmp_path / "cut")
    resumed = fit(net(), batches(start=40), loss, recipe(), tmp_path / "cut")
    assert torch.allclose(whole.weight, resumed.weight)
    assert not list((tmp_path / "cut").glob("*.part"))


def test_a_finished_run_is_not_trained_again(tmp_path):
    first = fit(net(), batches(), loss, recipe(), tmp_path)
    again = fit(net(), iter(()), loss, recipe(), tmp_path)
    assert torch.equal(first.weight, again.weight)


def test_bfloat16_learns_too(tmp_path):
    import dataclasses

    low = dataclasses.replace(recipe(), bfloat16=True)
    trained = fit(net(), batches(), loss, low, tmp_path)
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
    trained = fit(training.network(), iter([batch] * 3), training.loss, few, tmp_path)
    path = tmp_path / "segmenter.onnx"
    with pytest.warns() as said:
        training.export(trained, path)
    assert all(issubclass(w.category, DeprecationWarning) for w in said)
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    image = batch[0][:1].numpy()
    (found,) = session.run(None, {"image": image})
    expected = torch.sigmoid(trained(torch.from_numpy(image))).detach().numpy()
    assert found.shape == (1, 2, 64, 64)
    assert found == pytest.approx(expected, abs=1e-4)

"""Supervised training of small networks that are exported to ONNX: one plain loop.

The caller brings the network, the batches and the loss; the loop brings warm-up and cosine decay,
an exponential moving average of the weights, checkpoints that survive a kill, and a log.
"""

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

from fabsight.files import locked, prepare, replacing
from fabsight.task import FabsightError

STATE = "state.pt"
Batch: TypeAlias = tuple[Any, ...]  # torch tensors: inputs first


@dataclass(frozen=True)
class Recipe:
    """How long and how fast to learn.

    Attributes:
        steps: Optimiser steps.
        rate: Peak learning rate of AdamW.
        warmup: Share of the steps spent warming up.
        decay: Weight decay.
        average: Decay of the moving average of weights that is exported.
        clip: Largest norm of the gradient.
        save_every: Steps between checkpoints.
        bfloat16: Forward pass in bfloat16.
    """

    steps: int = 10_000
    rate: float = 3e-3
    warmup: float = 0.03
    decay: float = 1e-4
    average: float = 0.998
    clip: float = 1.0
    save_every: int = 500
    bfloat16: bool = True


def fit(
    net: Any,
    batches: Callable[[int], Iterable[Batch]],
    loss: Callable[[Any, Batch], Any],
    recipe: Recipe,
    out: Path,
) -> Any:
    """The averaged network after `recipe.steps`; resumes from `out` when a run was cut short.

    A resumed run computes what an uninterrupted one does: it sees the same batches, and goes on
    from the same weights, moments, running loss and random state (of the CPU).

    Args:
        net: A torch module, on the device it is to learn on.
        batches: Batches k, k + 1, ... of an endless sequence, given k; tensors, the first of which
            goes through the net.
        loss: (prediction, batch) -> scalar tensor.
        recipe: Steps and rates.
        out: Folder for `state.pt` (resume) and `log.jsonl`.

    Raises:
        FabsightError: `out` cannot be written, or its state is damaged or of another recipe.
    """
    prepare(out)
    with locked(out):
        learner = _learner(net, recipe)
        step = _resume(out / STATE, learner)
        if step < recipe.steps:
            _learn(learner, islice(batches(step), recipe.steps - step), loss, out)
        return learner.average.eval()


@dataclass
class _Learner:
    """Everything that changes while a network learns."""

    recipe: Recipe
    net: Any
    average: Any
    optimiser: Any
    schedule: Any
    step: int = 0
    running: float = 0.0

    def parts(self) -> dict[str, Any]:
        """What has a state of its own, by its name in the checkpoint."""
        return {name: getattr(self, name) for name in ("net", "average", "optimiser", "schedule")}


def _learner(net: Any, recipe: Recipe) -> _Learner:
    import copy

    import torch

    optimiser = torch.optim.AdamW(net.parameters(), lr=recipe.rate, weight_decay=recipe.decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda s: _rate(s, recipe))
    return _Learner(recipe, net, copy.deepcopy(net), optimiser, schedule)


def _learn(
    learner: _Learner, batches: Iterable[Batch], loss: Callable[[Any, Batch], Any], out: Path
) -> None:
    """A step for each batch, with a checkpoint and a line of the log now and then."""
    recipe, began = learner.recipe, time.perf_counter()
    learner.net.train()
    for batch in batches:
        value = _step(learner, batch, loss)
        learner.running = value if learner.step == 1 else 0.98 * learner.running + 0.02 * value
        if learner.step % recipe.save_every == 0 or learner.step == recipe.steps:
            _save(out / STATE, learner)
            seconds = round(time.perf_counter() - began, 1)
            row = {"step": learner.step, "loss": round(learner.running, 5), "seconds": seconds}
            with (out / "log.jsonl").open("a") as log:
                log.write(json.dumps(row | asdict(recipe)) + "\n")


def _step(learner: _Learner, batch: Batch, loss: Callable[[Any, Batch], Any]) -> float:
    """One optimiser step; returns the batch's loss."""
    import torch

    recipe = learner.recipe
    device = next(learner.net.parameters()).device
    batch = tuple(tensor.to(device) for tensor in batch)
    learner.optimiser.zero_grad(set_to_none=True)
    with torch.autocast(device.type, torch.bfloat16, enabled=recipe.bfloat16):
        prediction = learner.net(batch[0])
    value = loss(prediction.float(), batch)
    value.backward()
    torch.nn.utils.clip_grad_norm_(learner.net.parameters(), recipe.clip)
    learner.optimiser.step()
    learner.schedule.step()
    learner.step += 1
    _follow(learner.average, learner.net, min(recipe.average, learner.step / (learner.step + 10)))
    return float(value.item())


def _rate(step: int, recipe: Recipe) -> float:
    import math

    warm = max(1, int(recipe.warmup * recipe.steps))
    if step < warm:
        return (step + 1) / warm
    share = min(1.0, (step - warm) / max(1, recipe.steps - warm))
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * share))


def _follow(average: Any, net: Any, keep: float) -> None:
    import torch

    with torch.no_grad():
        for slow, fast in zip(
            average.state_dict().values(), net.state_dict().values(), strict=True
        ):
            if slow.dtype.is_floating_point:
                slow.lerp_(fast, 1 - keep)
            else:
                slow.copy_(fast)


def _save(path: Path, learner: _Learner) -> None:
    import torch

    state = {name: part.state_dict() for name, part in learner.parts().items()}
    state |= {"step": learner.step, "running": learner.running, "random": torch.get_rng_state()}
    with replacing(path, lasting=True) as part:
        torch.save(state | {"recipe": asdict(learner.recipe)}, part)


def _resume(path: Path, learner: _Learner) -> int:
    """The step reached, after loading what an earlier run saved."""
    import pickle

    import torch

    unread = (pickle.UnpicklingError, EOFError, RuntimeError)
    unlike = (KeyError, ValueError, TypeError, AttributeError)  # parts that are of another kind
    if not path.exists():
        return 0
    device = next(learner.net.parameters()).device
    try:
        state = torch.load(path, weights_only=True, map_location=device)
        if not isinstance(state, dict) or not isinstance(state.get("recipe"), dict):
            raise ValueError("it holds no state of a training")
        was, now = state["recipe"], asdict(learner.recipe)
        if was != now:
            differs = [f"{k} was {was.get(k)}, now {now[k]}" for k in now if was.get(k) != now[k]]
            raise FabsightError(
                f"train: {path} is of another recipe: {', '.join(differs)}; name another folder"
            )
        for name, part in learner.parts().items():
            part.load_state_dict(state[name])
        torch.set_rng_state(state["random"].cpu())
        learner.step, learner.running = int(state["step"]), float(state["running"])
    except (*unread, *unlike) as error:
        raise FabsightError(
            f"train: {path} is damaged or of another network ({error}); remove it to begin again"
        ) from error
    return learner.step

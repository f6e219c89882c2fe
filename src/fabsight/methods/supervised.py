"""Supervised training of small networks that are exported to ONNX: one plain loop.

The caller brings the network, the batches and the loss; the loop brings warm-up and cosine decay,
an exponential moving average of the weights, checkpoints that survive a kill, and a log.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

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
    batches: Iterator[Batch],
    loss: Callable[[Any, Batch], Any],
    recipe: Recipe,
    out: Path,
) -> Any:
    """The averaged network after `recipe.steps`; resumes from `out` when a run was cut short.

    Args:
        net: A torch module.
        batches: Endless batches of tensors; the first goes through the net.
        loss: (prediction, batch) -> scalar tensor.
        recipe: Steps and rates.
        out: Folder for `state.pt` (resume) and `log.jsonl`.
    """
    import copy

    import torch

    out.mkdir(parents=True, exist_ok=True)
    average = copy.deepcopy(net)
    optimiser = torch.optim.AdamW(net.parameters(), lr=recipe.rate, weight_decay=recipe.decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda s: _rate(s, recipe))
    step = _resume(out / "state.pt", net, average, optimiser, schedule)
    began, running = time.perf_counter(), 0.0
    net.train()
    while step < recipe.steps:
        batch = next(batches)
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bfloat16):
            prediction = net(batch[0])
        value = loss(prediction.float(), batch)
        value.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), recipe.clip)
        optimiser.step()
        schedule.step()
        step += 1
        _follow(average, net, min(recipe.average, step / (step + 10)))
        running = value.item() if step == 1 else 0.98 * running + 0.02 * value.item()
        if step % recipe.save_every == 0 or step == recipe.steps:
            _save(out / "state.pt", step, net, average, optimiser, schedule)
            seconds = round(time.perf_counter() - began, 1)
            row = {"step": step, "loss": round(running, 5), "seconds": seconds} | asdict(recipe)
            with (out / "log.jsonl").open("a") as log:
                log.write(json.dumps(row) + "\n")
    return average.eval()


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


def _save(path: Path, step: int, net: Any, average: Any, optimiser: Any, schedule: Any) -> None:
    import torch

    state = {
        "step": step,
        "net": net.state_dict(),
        "average": average.state_dict(),
        "optimiser": optimiser.state_dict(),
        "schedule": schedule.state_dict(),
    }
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _resume(path: Path, net: Any, average: Any, optimiser: Any, schedule: Any) -> int:
    import torch

    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    net.load_state_dict(state["net"])
    average.load_state_dict(state["average"])
    optimiser.load_state_dict(state["optimiser"])
    schedule.load_state_dict(state["schedule"])
    return int(state["step"])

"""What else names the pattern of a wafer map: measured facts with boosted trees, a plain network.

The facts are those of the reference in shared/prototypes/wafermap (108 numbers a map); the network
is the reference's small one (127 k parameters, die by die at 48 x 48), trained here with torch.
"""

import ast
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fabsight.methods.supervised import Recipe, fit

SIDE = 48
CONSTANTS = {"K8", "A", "CA", "SA", "cache"}  # of the reference script, beside its functions
BATCH = 128


def reference_facts(script: Path) -> Callable[[np.ndarray], np.ndarray]:
    """The function of the reference script that measures a map; the rest of it is not run."""
    kept = [node for node in ast.parse(script.read_text()).body if _is_kept(node)]
    room: dict[str, Any] = {}
    exec(compile(ast.Module(kept, []), str(script), "exec"), room)
    return lambda grid: np.nan_to_num(room["feats"](grid))


def _is_kept(node: ast.stmt) -> bool:
    if isinstance(node, ast.Assign):
        names = {name.id for name in ast.walk(node.targets[0]) if isinstance(name, ast.Name)}
        return names <= CONSTANTS
    return isinstance(node, (ast.Import, ast.ImportFrom, ast.FunctionDef))


def boosted_trees(facts: np.ndarray, label: np.ndarray) -> Any:
    """The reference's classifier of facts."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.utils.class_weight import compute_sample_weight

    weight = compute_sample_weight("balanced", label) ** 0.5
    trees = HistGradientBoostingClassifier(
        max_iter=80, learning_rate=0.12, max_leaf_nodes=24, l2_regularization=1.0, random_state=0
    )
    return trees.fit(facts, label, sample_weight=weight)


def nearest(grid: np.ndarray) -> np.ndarray:
    """Passing and failing dies at 48 x 48, each cell the die at its middle; uint8 (2, 48, 48)."""
    rows, columns = ((np.arange(SIDE) + 0.5)[:, None] * grid.shape / SIDE).astype(int).T
    cut = grid[rows][:, columns]
    return np.stack([cut == 1, cut == 2]).astype(np.uint8)


def plain_network(
    grids: Sequence[np.ndarray], label: np.ndarray, steps: int, out: Path
) -> Callable[[np.ndarray], np.ndarray]:
    """The reference's network after `steps` batches of 128, as a function of planes to logits."""
    import torch
    from torch import nn

    def block(cin: int, cout: int, stride: int = 1) -> list[Any]:
        conv = nn.Conv2d(cin, cout, 3, stride, 1, bias=False)
        return [conv, nn.BatchNorm2d(cout), nn.ReLU()]

    class Plain(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            plan = ((2, 16, 1), (16, 32, 2), (32, 32, 1), (32, 64, 2), (64, 64, 1), (64, 96, 2))
            self.body = nn.Sequential(*(part for sizes in plan for part in block(*sizes)))
            self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(192, 9))

        def forward(self, x: Any) -> Any:
            y = self.body(x)
            return self.head(torch.cat([y.mean((2, 3)), y.amax((2, 3))], 1))

    torch.manual_seed(0)
    torch.set_num_threads(1)
    planes = np.stack([nearest(grid) for grid in grids])
    counts = np.bincount(label, minlength=9)
    weight = (counts.max() / counts) ** 0.25
    weights = torch.tensor(weight / weight[label].mean(), dtype=torch.float32)

    def batches(first: int) -> Any:
        for number in range(first, steps):
            rng = np.random.default_rng([0, number])
            chosen = rng.integers(len(planes), size=BATCH)
            x = np.rot90(planes[chosen], int(rng.integers(4)), (2, 3))
            x = x[..., ::-1] if rng.random() < 0.5 else x
            x = np.ascontiguousarray(x, np.float32)
            yield torch.from_numpy(x), torch.from_numpy(label[chosen])

    def loss(prediction: Any, of: tuple[Any, ...]) -> Any:
        each = nn.functional.cross_entropy(prediction, of[1], reduction="none")
        return (each * weights[of[1]]).mean()

    net = Plain().to(memory_format=torch.channels_last)
    trained = fit(net, batches, loss, Recipe(steps=steps, rate=2e-3, average=0.995), out)

    return _exported(trained, out / "plain.onnx")


def _exported(net: Any, path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """The network run as ours is: by onnxruntime, on one thread."""
    import warnings

    import onnxruntime
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            net.cpu().eval(),
            (torch.zeros(2, 2, SIDE, SIDE),),
            str(path),
            input_names=["planes"],
            output_names=["logits"],
            dynamic_axes={"planes": {0: "n"}, "logits": {0: "n"}},
            opset_version=17,
            dynamo=False,
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda seen: np.asarray(session.run(None, {"planes": seen.astype(np.float32)})[0])

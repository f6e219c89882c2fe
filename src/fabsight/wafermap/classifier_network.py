"""The classifier's network: planes of a wafer map to scores of patterns, and its ONNX file.

0.49 M parameters, residual 3 x 3 convolutions on 2 x 2 folded cells, and two heads: 9 exclusive
classes (WM-811K) and 8 patterns that may be there together (mixed types).
"""

from pathlib import Path
from typing import Any

import numpy as np

CLASSES, MEMBERS = 9, 8
PLANES, PLACES = 3, 3
WIDTHS = (48, 64, 128)
DROPOUT = 0.3


def network() -> Any:
    """The untrained torch module: (n, 3, 52, 52) from 0 to 1 to logits (n, 9 + 8)."""
    import torch
    from torch import nn
    from torch.nn import functional

    class Convolution(nn.Module):  # type: ignore[misc]
        """3 x 3, batch norm, ReLU."""

        def __init__(self, cin: int, cout: int, stride: int = 1) -> None:
            super().__init__()
            self.conv = nn.Conv2d(cin, cout, 3, stride, 1, bias=False)
            self.norm = nn.BatchNorm2d(cout)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return functional.relu(self.norm(self.conv(x)))

    class Residual(nn.Module):  # type: ignore[misc]
        def __init__(self, width: int) -> None:
            super().__init__()
            self.first, self.second = Convolution(width, width), Convolution(width, width)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.second(self.first(x))

    class Classifier(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            low, mid, high = WIDTHS
            self.fold = nn.PixelUnshuffle(2)
            self.stem = Convolution(4 * (PLANES + PLACES), low)
            self.middle = nn.Sequential(Convolution(low, mid, 2), Residual(mid))
            self.top = nn.Sequential(Convolution(mid, high, 2), Residual(high))
            self.drop = nn.Dropout(DROPOUT)
            self.head = nn.Linear(2 * high, CLASSES + MEMBERS)
            self.register_buffer("where", _where(), persistent=False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            where = self.where.expand(x.shape[0], -1, -1, -1)
            y = self.top(self.middle(self.stem(self.fold(torch.cat([x, where], 1)))))
            pooled = torch.cat([y.mean((2, 3)), y.amax((2, 3))], 1)
            return self.head(self.drop(pooled))

    return Classifier()


def _where() -> Any:
    """Distance from the wafer's centre, right and up: planes beside those of the map."""
    import torch

    from fabsight.wafermap.planes import SIDE

    right = ((2 * torch.arange(SIDE) + 1) / SIDE - 1)[None].expand(SIDE, SIDE)
    radius = torch.hypot(right, right.T).clamp(max=1.2)
    return torch.stack([radius, right, -right.T])[None]


def export(net: Any, path: Path) -> None:
    """Write the network as ONNX: planes, uint8, to logits; dynamic batch, weights as float16."""
    import warnings

    import onnx
    import torch

    from fabsight.wafermap.planes import SIDE

    class Scaled(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.net(x.float() / 255)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            Scaled().eval(),
            (torch.zeros((2, PLANES, SIDE, SIDE), dtype=torch.uint8),),
            str(path),
            input_names=["planes"],
            output_names=["logits"],
            dynamic_axes={"planes": {0: "n"}, "logits": {0: "n"}},
            opset_version=17,
            dynamo=False,
        )
    onnx.save(_halved(onnx.load(path)), path)


def _halved(model: Any) -> Any:
    """The model with its weights kept as float16 and cast when it is loaded: half the size."""
    import onnx
    from onnx import numpy_helper

    casts = []
    for tensor in model.graph.initializer:
        values, name = numpy_helper.to_array(tensor), tensor.name
        if values.dtype != np.float32 or values.ndim < 2:
            continue
        half = f"{name}_half"
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), half))
        casts.append(onnx.helper.make_node("Cast", [half], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return model

"""The classifier's networks: planes of a wafer map to scores of patterns, and their ONNX files.

Two of one kind (0.27 M parameters each), one for the straight planes and one for the unrolled ones,
where a ring is a line and a turn of the wafer is a shift. Each has two heads: 9 exclusive classes
(WM-811K) and 8 patterns that may be there together (mixed types).
"""

from pathlib import Path
from typing import Any, Literal, TypeAlias

View: TypeAlias = Literal["straight", "unrolled"]
VIEWS: tuple[View, ...] = ("straight", "unrolled")
CLASSES, MEMBERS = 9, 8
WIDTHS = (32, 48, 96)
DROPOUT = 0.3


def network(view: View) -> Any:
    """The untrained torch module: (n, 3, h, w) from 0 to 1 to logits (n, 9 + 8)."""
    import torch
    from torch import nn
    from torch.nn import functional

    around = view == "unrolled"

    class Convolution(nn.Module):  # type: ignore[misc]
        """3 x 3, batch norm, ReLU; across the clock's seam where the planes are unrolled."""

        def __init__(self, cin: int, cout: int, stride: int = 1) -> None:
            super().__init__()
            padding = (1, 0) if around else (1, 1)
            self.conv = nn.Conv2d(cin, cout, 3, stride, padding, bias=False)
            self.norm = nn.BatchNorm2d(cout)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if around:
                x = torch.cat([x[..., -1:], x, x[..., :1]], -1)
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
            self.stem = Convolution(16, low)
            self.middle = nn.Sequential(Convolution(low, mid, 2), Residual(mid))
            self.top = nn.Sequential(Convolution(mid, high, 2), Residual(high))
            self.drop = nn.Dropout(DROPOUT)
            self.head = nn.Linear(2 * high, CLASSES + MEMBERS)
            self.register_buffer("where", _where(around), persistent=False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            where = self.where.expand(x.shape[0], -1, -1, -1)
            y = self.top(self.middle(self.stem(self.fold(torch.cat([x, where], 1)))))
            pooled = torch.cat([y.mean((2, 3)), y.amax((2, 3))], 1)
            return self.head(self.drop(pooled))

    return Classifier()


def _where(around: bool) -> Any:
    """Distance from the wafer's centre, a plane of the view's size."""
    import torch

    from fabsight.wafermap.planes import ANGLES, RADII, SIDE

    if around:
        radius = (torch.arange(RADII) + 0.5) / RADII
        return radius[:, None].expand(RADII, ANGLES)[None, None].contiguous()
    side = (2 * torch.arange(SIDE) + 1) / SIDE - 1
    return torch.hypot(side[:, None], side[None])[None, None].clamp(max=1.2)


def export(net: Any, view: View, path: Path) -> None:
    """Write the network as ONNX: planes, uint8, to logits; dynamic batch."""
    import warnings

    import torch

    from fabsight.wafermap.planes import ANGLES, RADII, SIDE

    class Scaled(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.net(x.float() / 255)

    shape = (2, 3, RADII, ANGLES) if view == "unrolled" else (2, 3, SIDE, SIDE)
    axes = {"planes": {0: "n"}, "logits": {0: "n"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            Scaled().eval(),
            (torch.zeros(shape, dtype=torch.uint8),),
            str(path),
            input_names=["planes"],
            output_names=["logits"],
            dynamic_axes=axes,
            opset_version=17,
            dynamo=False,
        )

"""The segmenter's network: what it is made of, from weights and back to them.

Fully convolutional (0.44 M parameters): pixels are folded 2 x 2 into channels, three levels down,
three up, added skips. Layout edges are straight for hundreds of pixels and rough for ten: on two
levels each pixel also sees what is along its row and its column, so that an edge's roughness
averages out.
"""

from pathlib import Path
from typing import Any

from fabsight.task import FabsightError

QUARTER_TAPS, EIGHTH_TAPS = 21, 15  # reach of rows and columns on the two levels, in their pixels


def network() -> Any:
    """The untrained torch module: (n, 1, h, w) to logits (n, 2, h, w); h and w multiples of 16."""
    import torch
    from torch import nn

    def block(cin: int, cout: int, stride: int = 1, dilation: int = 1) -> Any:
        conv = nn.Conv2d(cin, cout, 3, stride, dilation, dilation, bias=False)
        return nn.Sequential(conv, nn.BatchNorm2d(cout), nn.ReLU(inplace=True))

    class Along(nn.Module):  # type: ignore[misc]
        """Adds what lies along the row and the column; nothing at first."""

        def __init__(self, width: int, taps: int) -> None:
            super().__init__()
            half = taps // 2
            self.row = nn.Conv2d(width, width, (1, taps), padding=(0, half), groups=width)
            self.column = nn.Conv2d(width, width, (taps, 1), padding=(half, 0), groups=width)
            self.mix = nn.Conv2d(2 * width, width, 1)
            for mean in (self.row, self.column):
                nn.init.constant_(mean.weight, 1 / taps)
                nn.init.zeros_(mean.bias)
            nn.init.zeros_(self.mix.weight)
            nn.init.zeros_(self.mix.bias)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.mix(torch.relu(torch.cat([self.row(x), self.column(x)], 1)))

    class Segmenter(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Sequential(nn.PixelUnshuffle(2), block(4, 20), block(20, 20))
            self.down1 = nn.Sequential(block(20, 40, 2), block(40, 40))
            self.down2 = nn.Sequential(block(40, 64, 2), block(64, 64))
            self.down3 = nn.Sequential(block(64, 96, 2), block(96, 96), block(96, 96, 1, 2))
            self.up2, self.join2 = nn.Conv2d(96, 64, 1), nn.Sequential(block(64, 64), block(64, 64))
            self.up1, self.join1 = nn.Conv2d(64, 40, 1), block(40, 40)
            self.up0, self.join0 = nn.Conv2d(40, 20, 1), nn.Sequential(block(20, 20), block(20, 20))
            self.head = nn.Sequential(nn.Conv2d(20, 8, 1), nn.PixelShuffle(2))
            self.grow = nn.Upsample(scale_factor=2, mode="nearest")
            self.along_down1, self.along_up1 = (Along(40, QUARTER_TAPS) for _ in range(2))
            self.along_down2, self.along_up2 = (Along(64, EIGHTH_TAPS) for _ in range(2))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            s0 = self.stem(x)
            s1 = self.along_down1(self.down1(s0))
            s2 = self.along_down2(self.down2(s1))
            y = self.join2(s2 + self.grow(self.up2(self.down3(s2))))
            y = self.join1(s1 + self.grow(self.up1(self.along_up2(y))))
            y = self.join0(s0 + self.grow(self.up0(self.along_up1(y))))
            return self.head(y)

    return Segmenter()


def export(net: Any, path: Path) -> None:
    """Write the network with its sigmoid as ONNX, dynamic batch and size."""
    import warnings

    import torch

    model = torch.nn.Sequential(net, torch.nn.Sigmoid()).eval()
    axes = {0: "n", 2: "h", 3: "w"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # `restored` reads its names of nodes
        torch.onnx.export(
            model,
            (torch.zeros(1, 1, 64, 64),),
            str(path),
            input_names=["image"],
            output_names=["share"],
            dynamic_axes={"image": axes, "share": axes},
            opset_version=17,
            dynamo=False,
        )


def restored(path: Path, images: Any) -> Any:
    """A network that can learn on, from its ONNX file; parts the file lacks change nothing.

    The file has its batch norms folded into the convolutions before them. Each gets the statistics
    of `images` and undoes them, so that the network computes what the file does.

    Args:
        path: What `export` wrote.
        images: Torch tensor (n, 1, h, w) of normalised images, some dozen.

    Raises:
        FabsightError: The file is no such network.
    """
    import onnx
    import torch

    net = network()
    modules = dict(net.named_modules())
    graph = onnx.load(str(path)).graph
    values = {v.name: torch.tensor(onnx.numpy_helper.to_array(v)) for v in graph.initializer}
    folded = {}
    try:
        for node in graph.node:
            if node.op_type == "Identity" and node.input[0] in values:  # equal weights, kept once
                values[node.output[0]] = values[node.input[0]]
            if node.op_type != "Conv":
                continue
            name = _module_name(node.output[0])
            weight, bias = (values[i] for i in node.input[1:3])
            conv = modules[name]
            with torch.no_grad():
                conv.weight.copy_(weight)
                if conv.bias is not None:
                    conv.bias.copy_(bias)
                else:
                    folded[name.removesuffix("0") + "1"] = bias
    except (KeyError, ValueError, RuntimeError) as error:
        raise FabsightError(f"train: {path} is not the segmenter's network: {error!r}") from error
    for name, bias in folded.items():
        modules[name].register_forward_pre_hook(_undoing(bias))
    with torch.no_grad():
        net.train()(images)
    for name in folded:
        modules[name]._forward_pre_hooks.clear()
    return net


def _module_name(output: str) -> str:
    """`stem.1.0` from `/0/stem/stem.1/stem.1.0/Conv_output_0`, as torch names what it exports."""
    name = ""
    for part in output.split("/")[2:-1]:
        name = part if not name or part.startswith(f"{name}.") else f"{name}.{part}"
    return name


def _undoing(bias: Any) -> Any:
    """A hook that gives a batch norm its input's statistics, and the scale and bias to undo it."""

    def hook(norm: Any, inputs: Any) -> None:
        import torch

        x = inputs[0]
        mean, spread = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
        with torch.no_grad():
            norm.weight.copy_(torch.sqrt(spread + norm.eps))
            norm.bias.copy_(bias + mean)
            # the forward pass that follows mixes the same statistics in
            norm.running_mean.copy_(mean)
            norm.running_var.copy_(spread)

    return hook

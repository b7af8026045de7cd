"""Standalone networks of the NAS-Bench-201 topology space (torch).

The published network (Dong and Yang 2020) and the digits network differ only in their `Skeleton`.
Weights are drawn from the generator that is passed in; torch's global generator is neither read nor
advanced.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..spaces.base import Arch
from ..spaces.nb201 import OPERATIONS, SPACE
from ..spaces.nb201_isomorphism import EDGES
from ..spaces.skeletons import Skeleton


def relu_conv_bn(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """ReLU, convolution without bias, batch-norm: the convolution edge of NAS-Bench-201."""
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    )


def edge_operation(name: str, channels: int) -> nn.Module:
    """The module of one edge (``none`` has none: the edge is left out)."""
    if name == "skip_connect":
        return nn.Identity()
    if name == "avg_pool_3x3":
        return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
    if name in ("nor_conv_1x1", "nor_conv_3x3"):
        return relu_conv_bn(channels, channels, int(name[-1]))
    raise ValueError(f"expected one of {OPERATIONS[1:]}, got {name!r}")


class Cell(nn.Module):
    """Node j is the sum of its edges; input and output are (batch, channels, height, width)."""

    def __init__(self, ops: Sequence[str], channels: int) -> None:
        super().__init__()
        self.edges = nn.ModuleDict(
            {
                f"{source}-{target}": edge_operation(op, channels)
                for op, (target, source) in zip(ops, EDGES, strict=True)
                if op != "none"
            }
        )

    def forward(self, x: Tensor) -> Tensor:
        nodes: list[Tensor | None] = [x]
        for target in (1, 2, 3):
            total: Tensor | None = None
            for source in range(target):
                key = f"{source}-{target}"
                if key not in self.edges:
                    continue
                read = nodes[source]
                # a node without inputs is zero, and a convolution of zero still has an offset
                term = self.edges[key](torch.zeros_like(x) if read is None else read)
                total = term if total is None else total + term
            nodes.append(total)
        out = nodes[3]
        return torch.zeros_like(x) if out is None else out


class ResidualReduction(nn.Module):
    """Two 3x3 convolutions, the first of stride 2, and a pooled 1x1 shortcut: halves the image."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(relu_conv_bn(inputs, outputs, 3, stride=2), relu_conv_bn(outputs, outputs, 3))
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(inputs, outputs, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.convolutions(x) + self.shortcut(x)
        return out


def pool_reduction(inputs: int, outputs: int) -> nn.Sequential:
    """2x2 average pooling, 1x1 convolution, batch-norm: halves the image and leaves the work to the cells."""
    return nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))


class CellNetwork(nn.Module):
    """Stem, three stages of cells, classifier; (batch, input_channels, size, size) -> (batch, classes)."""

    def __init__(self, arch: Arch | str, skeleton: Skeleton) -> None:
        super().__init__()
        ops = SPACE.operations(arch)
        kernel, width = skeleton.stem_kernel, skeleton.channels
        layers: list[nn.Module] = [
            nn.Conv2d(skeleton.input_channels, width, kernel, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(width),
        ]
        for stage in range(3):
            layers += [Cell(ops, width) for _ in range(skeleton.cells)]
            if stage < 2:
                reduction = ResidualReduction if skeleton.reduction == "residual" else pool_reduction
                layers.append(reduction(width, 2 * width))
                width *= 2
        layers += [nn.BatchNorm2d(width), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(width, skeleton.classes)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.classifier(self.features(x))
        return out


@torch.no_grad()
def initialise(net: nn.Module, generator: torch.Generator) -> None:
    """torch's own default initialisation (uniform, bound 1/sqrt(fan-in)), from an explicit generator."""
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            fan_in = module.weight[0].numel()
            bound = 1 / math.sqrt(fan_in)
            module.weight.uniform_(-bound, bound, generator=generator)
            if module.bias is not None:
                module.bias.uniform_(-bound, bound, generator=generator)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()  # ones, zeros and fresh statistics: draws nothing


def build_network(arch: Arch | str, skeleton: Skeleton, generator: torch.Generator) -> CellNetwork:
    """A freshly initialised network; only `generator` is advanced."""
    with torch.device("meta"):  # no draw from the global generator
        net = CellNetwork(arch, skeleton)
    net = net.to_empty(device=generator.device)
    initialise(net, generator)
    return net

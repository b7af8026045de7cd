"""Two small networks of layers one after the other, to be shuffled: one with skips (ResNet), one without (VGG) (torch).

Both have the same skeleton: a stem, stages of equal layers, and between stages half the image and twice the channels.
A layer with skip adds two convolutions to what it reads (He et al. 2016); one without is a convolution (Simonyan and
Zisserman 2015, with batch-norm).
"""

from __future__ import annotations

import itertools
from typing import Literal

import torch
from torch import Tensor, nn

from ..core.errors import ParameterError

#: With skips, and without.
Kind = Literal["resnet", "vgg"]


def _conv_bn(inputs: int, outputs: int, kernel: int = 3) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False), nn.BatchNorm2d(outputs)]


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        first, second = _conv_bn(channels, channels), _conv_bn(channels, channels)
        self.body = nn.Sequential(*first, nn.ReLU(), *second)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.body(x))


class LayeredNetwork(nn.Module):
    """(batch, inputs, size, size) -> logits (batch, classes).

    Parameters
    ----------
    kind: ``resnet`` or ``vgg``. channels: of the first stage. layers: of equal shape, of each stage. stages: of them.
    generator: of the CPU; draws the weights.

    Attributes
    ----------
    stages: a list of layers for each stage; all layers of a stage may change places.
    """

    def __init__(
        self,
        kind: Kind,
        *,
        generator: torch.Generator,
        inputs: int = 3,
        classes: int = 10,
        channels: int = 8,
        layers: int = 4,
        stages: int = 3,
    ) -> None:
        super().__init__()
        if kind not in ("resnet", "vgg") or min(channels, layers, stages) < 1:
            raise ParameterError(
                "layered network: expected 'resnet' or 'vgg' with channels, layers and stages of 1 or more, got "
                f"{kind!r}, {channels}, {layers}, {stages}"
            )
        self.kind = kind
        widths = [channels * 2**i for i in range(stages)]
        self.stem = nn.Sequential(*_conv_bn(inputs, channels), nn.ReLU())
        self.between = nn.ModuleList(
            nn.Sequential(nn.MaxPool2d(2), *_conv_bn(a, b, 1), nn.ReLU()) for a, b in itertools.pairwise(widths)
        )
        self.stages = nn.ModuleList(
            nn.ModuleList(
                _Residual(width) if kind == "resnet" else nn.Sequential(*_conv_bn(width, width), nn.ReLU())
                for _ in range(layers)
            )
            for width in widths
        )
        self.classifier = nn.Linear(widths[-1], classes)
        self._draw(generator)

    def _draw(self, generator: torch.Generator) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.01, generator=generator)
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for number, stage in enumerate(self.stages):
            x = self.between[number - 1](x) if number else x
            for layer in stage:  # type: ignore[attr-defined]
                x = layer(x)
        out: Tensor = self.classifier(x.mean((2, 3)))
        return out

"""The operations of the DARTS family (Liu et al. 2019; ``noise``: Zela et al. 2020) as torch modules.

Every operation maps (batch, channels, height, width) to the same channels and, at stride 2, to half the
height and width, rounded up where it can be (a skip of stride 2 needs an even size). A network is of one of
two kinds, as `nasanalysis.spaces.darts_costs` counts them: ``evaluation``, batch-norms with parameters, and
``search``, batch-norms without, and one more after each pooling.

Nothing is drawn from torch's global generator: noise and drop-path masks come from a `Randomness`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..core.errors import UnknownNameError
from .randomness import Randomness


class Zero(nn.Module):
    """``none``: zeros, to which no gradient flows."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x[:, :, :: self.stride, :: self.stride])


class Noise(nn.Module):
    """``noise``: standard Gaussian whatever the input, in training and in evaluation (RobustDARTS)."""

    def __init__(self, stride: int, randomness: Randomness) -> None:
        super().__init__()
        self.stride, self.randomness = stride, randomness

    def forward(self, x: Tensor) -> Tensor:
        return self.randomness.normal_like(x[:, :, :: self.stride, :: self.stride])


class FactorizedReduce(nn.Module):
    """ReLU, two 1x1 convolutions of stride 2, one of them a pixel further on, batch-norm: halves an even size."""

    def __init__(self, inputs: int, outputs: int, *, affine: bool) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.even = nn.Conv2d(inputs, outputs // 2, 1, stride=2, bias=False)
        self.odd = nn.Conv2d(inputs, outputs // 2, 1, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(outputs, affine=affine)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(x)
        out: Tensor = self.norm(torch.cat((self.even(x), self.odd(x[:, :, 1:, 1:])), dim=1))
        return out


def relu_conv_bn(inputs: int, outputs: int, *, affine: bool) -> nn.Sequential:
    """ReLU, 1x1 convolution, batch-norm: brings a cell's input to the cell's channels."""
    return nn.Sequential(nn.ReLU(), nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs, affine=affine))


def _separable(channels: int, kernel: int, stride: int, dilation: int, affine: bool) -> list[nn.Module]:
    """ReLU, depthwise and pointwise convolution, batch-norm."""
    padding = dilation * (kernel // 2)
    return [
        nn.ReLU(),
        nn.Conv2d(
            channels,
            channels,
            kernel,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=channels,
            bias=False,
        ),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels, affine=affine),
    ]


def _sep_conv(kernel: int) -> Callable[[int, int, bool], nn.Module]:
    return lambda channels, stride, affine: nn.Sequential(
        *_separable(channels, kernel, stride, 1, affine), *_separable(channels, kernel, 1, 1, affine)
    )


def _dil_conv(kernel: int) -> Callable[[int, int, bool], nn.Module]:
    return lambda channels, stride, affine: nn.Sequential(*_separable(channels, kernel, stride, 2, affine))


def _pool(make: Callable[[int], nn.Module]) -> Callable[[int, int, bool], nn.Module]:
    return lambda channels, stride, affine: (
        make(stride) if affine else nn.Sequential(make(stride), nn.BatchNorm2d(channels, affine=False))
    )


def _skip(channels: int, stride: int, affine: bool) -> nn.Module:
    return nn.Identity() if stride == 1 else FactorizedReduce(channels, channels, affine=affine)


#: Operation -> (channels, stride, affine) -> module; ``noise`` is made in `operation`.
_MAKERS: dict[str, Callable[[int, int, bool], nn.Module]] = {
    "none": lambda channels, stride, affine: Zero(stride),
    "max_pool_3x3": _pool(lambda stride: nn.MaxPool2d(3, stride=stride, padding=1)),
    "avg_pool_3x3": _pool(lambda stride: nn.AvgPool2d(3, stride=stride, padding=1, count_include_pad=False)),
    "skip_connect": _skip,
    "sep_conv_3x3": _sep_conv(3),
    "sep_conv_5x5": _sep_conv(5),
    "dil_conv_3x3": _dil_conv(3),
    "dil_conv_5x5": _dil_conv(5),
}


def operation(name: str, channels: int, stride: int, *, affine: bool, randomness: Randomness) -> nn.Module:
    """The module of one edge.

    Parameters
    ----------
    stride: 1, or 2 where a reduction cell reads one of its inputs.
    affine: whether batch-norms have parameters (evaluation network). Without, poolings end in a batch-norm too
        (search network), so that no operation of a mixture outweighs the others by its scale.
    randomness: what ``noise`` draws from.
    """
    if name == "noise":
        return Noise(stride, randomness)
    if name not in _MAKERS:
        raise UnknownNameError("operation", name, (*_MAKERS, "noise"))
    return _MAKERS[name](channels, stride, affine)

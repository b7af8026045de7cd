"""One architecture with several sets of weights as one network: calls cost small networks more than arithmetic.

A study finetunes each architecture from several supernets (protocols, seeds). K networks of one architecture become
one whose channels stand side by side, (batch, K C, height, width): convolutions in K groups, batch-norm over all
channels, a classifier for each. A step makes as many calls for K networks as for one, and every network's numbers are
its own: nothing mixes.
"""

from __future__ import annotations

import copy
from collections.abc import Hashable, Sequence

import torch
from torch import Tensor, nn

from ..core.errors import ArchError
from .base import Net
from .capabilities import HasStructure, SeesCopies


def stackable(net: nn.Module) -> bool:
    """Whether networks of this class can be stacked.

    Such a class is `HasStructure`, and every module in it that must know how many networks stand side by side is
    `SeesCopies`.
    """
    return isinstance(net, HasStructure)


def _structure(net: nn.Module) -> Hashable | None:
    return net.structure if isinstance(net, HasStructure) else None


class StackedLinear(nn.Module):
    """K classifiers; (batch, K inputs) -> (batch, K, outputs)."""

    def __init__(self, parts: Sequence[nn.Linear]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.stack([part.weight.detach() for part in parts]))  # (K, outputs, inputs)
        self.bias = nn.Parameter(torch.stack([part.bias.detach() for part in parts]))  # (K, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("bki,koi->bko", x.unflatten(1, (len(self.weight), -1)), self.weight) + self.bias


class StackedNetwork(nn.Module):
    """K networks of one architecture as one; (batch, channels, size, size) -> (batch, K, classes).

    Weights are copies: the networks that are given stay as they are. Every parameter holds those of the K networks
    one after the other along its first dimension. `ArchError` unless the networks are alike.
    """

    def __init__(self, nets: Sequence[nn.Module]) -> None:
        super().__init__()
        if not nets or len({_structure(net) for net in nets}) != 1 or _structure(nets[0]) is None:
            raise ArchError("stacked: expected networks of one architecture and one skeleton, of a class that stacks")
        self.count = len(nets)
        self.net = copy.deepcopy(nets[0])
        first = True
        for name, module in list(nets[0].named_modules()):
            parts = [net.get_submodule(name) for net in nets]
            if isinstance(module, nn.Conv2d):
                self._replace(name, _convolution(parts, shared_input=first))  # the first reads the images
                first = False
            elif isinstance(module, nn.BatchNorm2d):
                self._replace(name, _batch_norm(parts))
            elif isinstance(module, nn.Linear):
                self._replace(name, StackedLinear(parts))  # type: ignore[arg-type]
            elif isinstance(stacked := self.net.get_submodule(name), SeesCopies):
                stacked.copies = self.count

    def _replace(self, name: str, module: nn.Module) -> None:
        parent, _, last = name.rpartition(".")
        setattr(self.net.get_submodule(parent), last, module)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(x)
        return out


def _convolution(parts: Sequence[nn.Module], *, shared_input: bool) -> nn.Conv2d:
    first = parts[0]
    assert isinstance(first, nn.Conv2d)
    count = len(parts)
    wide = nn.Conv2d(
        first.in_channels if shared_input else first.in_channels * count,
        first.out_channels * count,
        first.kernel_size,  # type: ignore[arg-type]
        stride=first.stride,  # type: ignore[arg-type]
        padding=first.padding,  # type: ignore[arg-type]
        dilation=first.dilation,  # type: ignore[arg-type]
        groups=1 if shared_input else first.groups * count,
        bias=first.bias is not None,
        device="meta",
    )
    return _filled(wide, parts)


def _batch_norm(parts: Sequence[nn.Module]) -> nn.BatchNorm2d:
    first = parts[0]
    assert isinstance(first, nn.BatchNorm2d)
    wide = nn.BatchNorm2d(
        first.num_features * len(parts), eps=first.eps, momentum=first.momentum, affine=first.affine, device="meta"
    )
    return _filled(wide, parts)


def _filled(wide: Net, parts: Sequence[nn.Module]) -> Net:
    """`wide` with the parts' weights and statistics side by side, their type and memory layout kept."""
    states = [part.state_dict() for part in parts]
    state = {n: torch.cat([s[n] for s in states]) if v.dim() else v.clone() for n, v in states[0].items()}
    wide.load_state_dict(state, assign=True)
    return wide

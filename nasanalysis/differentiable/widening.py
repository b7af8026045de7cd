"""Weights of a network whose operations see few channels, taken over by one whose operations see more (torch).

Progressive DrNAS (Chen et al. 2021, Section 4) widens its supernet between stages, after Net2Net (Chen et al. 2016):
every new channel of a convolution is a copy of an old one, drawn uniformly, on its way in and on its way out; its
batch-norm follows the way out. As in the public code nothing is divided by the number of copies, so the function is
not kept: sums over copied inputs grow, and batch-norm takes that out again.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ..core.errors import ParameterError


@torch.no_grad()
def widen(net: nn.Module, before: nn.Module, generator: torch.Generator) -> None:
    """Give `net` the weights and statistics of `before`, a network of the same names and of equal or smaller widths.

    generator: of the CPU; draws which channels are copied. `ParameterError` where names or kernels differ, or a width
    shrinks.
    """
    old: Mapping[str, Tensor] = before.state_dict()
    if set(old) != set(net.state_dict()):
        raise ParameterError("widening: expected two networks with the same weights by name, got others")
    outward: dict[str, Tensor] = {}  # holder of modules -> how the channels of its last convolution were drawn
    for name, module in net.named_modules():
        holder = name.rpartition(".")[0]
        for key, value in (*module._parameters.items(), *module._buffers.items()):
            if value is None:
                continue
            source = old[f"{name}.{key}" if name else key]
            if isinstance(module, nn.Conv2d) and key == "weight":
                rows = _drawn(source.shape[0], value.shape[0], generator)
                columns = _drawn(source.shape[1], value.shape[1], generator)
                outward[holder] = rows
                taken = source[rows][:, columns]
            elif isinstance(module, nn.BatchNorm2d) and source.dim():
                rows = outward.get(holder, torch.empty(0, dtype=torch.int64))
                if len(rows) != len(value) or _most(rows) >= len(source):
                    rows = _drawn(len(source), len(value), generator)
                    outward[holder] = rows
                taken = source[rows]
            else:
                taken = source
            if taken.shape != value.shape:
                raise ParameterError(
                    f"widening: expected {name}.{key} of {tuple(value.shape)} to come from channels of one of the same "
                    f"kernel, got {tuple(source.shape)}"
                )
            value.copy_(taken)


def _most(rows: Tensor) -> int:
    return int(rows.max()) if len(rows) else -1


def _drawn(before: int, after: int, generator: torch.Generator) -> Tensor:
    """Indices of old channels: all of them in order, then draws."""
    if after < before:
        raise ParameterError(f"widening: expected at least the {before} channels of before, got {after}")
    return torch.cat([torch.arange(before), torch.randint(before, (after - before,), generator=generator)])

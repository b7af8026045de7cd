"""The networks of a space by name, at the size that a configuration asks for, with weights from a generator.

Two registries, open to anyone: a space whose supernet, or whose architectures by themselves, are written elsewhere
joins with one line each::

    from nasanalysis.networks.build import ALONE, SUPERNETS

    SUPERNETS["my-space"] = "my_package.networks:supernet"  # (space, NetworkConfig, InputShape) -> Supernet
    ALONE["my-space"] = "my_package.networks:alone"         # (Arch, NetworkConfig, InputShape) -> torch.nn.Module

What a network can do beyond that it says by what it implements: see `nasanalysis.networks.capabilities`.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import nn

from ..core.errors import ParameterError
from ..core.registry import resolve
from ..spaces.base import Arch
from .base import Net, Supernet, initialise_on_cpu
from .capabilities import InputShape
from .config import NetworkConfig

_DARTS = ("darts", "s1", "s2", "s3", "s4", "s5")
_NB1SHOT1 = ("nb101-1", "nb101-2", "nb101-3")

#: Space -> the maker of its one-shot supernet (`SupernetMaker`).
SUPERNETS: dict[str, str] = {
    "nb201": "nasanalysis.networks.nb201_supernet:supernet",
    **dict.fromkeys(_NB1SHOT1, "nasanalysis.networks.nb101:supernet"),
    **dict.fromkeys(_DARTS, "nasanalysis.networks.darts_supernet:supernet"),
}

#: Space -> the maker of its relaxed network (a `SupernetMaker` that gives a `nasanalysis.networks.mixture.Relaxable`).
RELAXED: dict[str, str] = {**SUPERNETS, **dict.fromkeys(_NB1SHOT1, "nasanalysis.networks.nb101_mixed:relaxed")}

#: Space -> the maker of one architecture's own network, as it is trained from scratch (`AloneMaker`).
ALONE: dict[str, str] = {
    "nb201": "nasanalysis.networks.nb201:alone",
    "nb101": "nasanalysis.networks.nb101:alone",
    **dict.fromkeys(_NB1SHOT1, "nasanalysis.networks.nb101:alone"),
    **dict.fromkeys(_DARTS, "nasanalysis.networks.darts:alone"),
}


class SupernetMaker(Protocol):
    """Makes a supernet under ``torch.device("meta")``: it draws nothing and allocates nothing."""

    def __call__(self, space: str, network: NetworkConfig, shape: InputShape, /) -> Supernet: ...


class AloneMaker(Protocol):
    """The same for one architecture; `ArchError` if it is none of its space."""

    def __call__(self, arch: Arch, network: NetworkConfig, shape: InputShape, /) -> nn.Module: ...


def build_supernet(
    space: str, network: NetworkConfig, shape: InputShape, generator: torch.Generator, *, device: str = "cpu"
) -> Supernet:
    """A freshly initialised supernet, channels last; only `generator`, one of the CPU, is advanced.

    Every device gets the same weights. `UnknownNameError` lists the spaces that have a supernet.
    """
    net = _blank(space, network, shape, device=device)
    initialise_on_cpu(net, generator)
    return net


def build_relaxed(
    space: str, network: NetworkConfig, shape: InputShape, generator: torch.Generator, *, device: str = "cpu"
) -> nn.Module:
    """The freshly initialised relaxed network of a space, for differentiable search; as `build_supernet` in the rest.

    Raises `UnknownNameError` (listing the spaces that have one) or, for a network that asks for what its space does not
    have, `ParameterError`.
    """
    make: SupernetMaker = resolve("space that can be relaxed", space, RELAXED)
    if network.partial > 1 and space in _NB1SHOT1:
        raise ParameterError(
            f"partial: expected 1 on {space}, got {network.partial}; nb201 and the darts spaces have it"
        )
    with torch.device("meta"):
        net: nn.Module = make(space, network, shape)
    net = _nan(net, device)
    initialise_on_cpu(net, generator)
    return net


def build_alone(
    arch: Arch | str,
    network: NetworkConfig,
    shape: InputShape,
    generator: torch.Generator,
    *,
    device: str = "cpu",
) -> nn.Module:
    """The freshly initialised network of one architecture (text with its prefix); as `build_supernet` in the rest."""
    named = Arch.from_text(arch) if isinstance(arch, str) else arch
    make: AloneMaker = resolve("space with networks", named.space, ALONE)
    with torch.device("meta"):
        net = make(named, network, shape)
    net = _nan(net, device)
    initialise_on_cpu(net, generator)
    return net


def _blank(space: str, network: NetworkConfig, shape: InputShape, *, device: str = "cpu") -> Supernet:
    """A supernet that waits for weights, for those who load or draw them next: until then every one is NaN."""
    make: SupernetMaker = resolve("space with a supernet", space, SUPERNETS)
    with torch.device("meta"):
        net = make(space, network, shape)
    return _nan(net, device)


@torch.no_grad()
def _nan(net: Net, device: str) -> Net:
    net = net.to_empty(device=device)
    net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for tensor in (*net.parameters(), *net.buffers()):
        # memory as it comes can hold finite numbers, which would pass for weights; NaN cannot
        tensor.fill_(torch.nan) if tensor.is_floating_point() else tensor.zero_()
    return net

"""What every one-shot supernet shares: one set of weights, of which each architecture uses a part.

A supernet is made of cells. What one cell computes is a *choice* (the supernet's own decoded form of an
architecture); a forward pass takes one choice for all cells, or one for each. A supernet's
weights are read in two ways: shared, by `Supernet.forward` (training), and copied, by `Supernet.subnet`
(finetuning, measuring), which gives the standalone network of one architecture with inherited weights.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from ..core.errors import ArchError, NasAnalysisError
from ..spaces import get_space
from ..spaces.base import Arch
from ..spaces.capabilities import Samplable

#: What one cell computes, as its supernet understands it.
Choice = Hashable

Net = TypeVar("Net", bound=nn.Module)


def live_benchmark(space: str) -> str:
    """What stands in the column ``benchmark`` of frames that were measured on live networks of `space`."""
    return f"live-{space}"


class UndefinedProtocolError(NasAnalysisError, ValueError):
    """A training protocol that a space does not define, such as FairNAS where operations sit on nodes."""


class Supernet(nn.Module, ABC):
    """Shared weights of all architectures of a space; (batch, channels, size, size) -> (batch, classes).

    Attributes
    ----------
    space: name of the space.
    depth: number of cells.
    """

    space: str
    depth: int

    @abstractmethod
    def choice(self, arch: Arch | str) -> Choice:
        """The decoded form of an architecture; `ArchError` if it is none of this space."""

    @abstractmethod
    def forward(self, x: Tensor, choices: Choice | Sequence[Choice]) -> Tensor:
        """Logits of one architecture (a choice) or of one choice for each cell (a list of `depth`)."""

    @abstractmethod
    def standalone(self, arch: Arch | str) -> nn.Module:
        """The network of one architecture with weights of its own, not initialised."""

    @abstractmethod
    def inherited(self, arch: Arch | str) -> Mapping[str, Tensor]:
        """Name in `standalone`'s state -> the part of this supernet's weights that stands there."""

    def sample(self, rng: np.random.Generator) -> Choice:
        """One architecture, uniform over the space."""
        return self.choice(get_space(self.space, Samplable).sample(1, rng)[0])

    def sample_fed(self, rng: np.random.Generator) -> Choice:
        """One architecture whose every node has an input: `sample`, where a space has no other architectures."""
        return self.sample(rng)

    def fair(self, rng: np.random.Generator) -> list[Choice]:
        """Architectures that together use every operation of every edge exactly once (FairNAS)."""
        raise UndefinedProtocolError(
            f"fairnas: not defined on {self.space}: it needs the same operations on every edge; use multipath, which "
            "averages over architectures drawn independently"
        )

    def several(self, x: Tensor, each: Sequence[Choice | Sequence[Choice]]) -> Tensor:
        """Logits of several architectures on the same images: (architectures, batch, classes)."""
        return torch.stack([self(x, choices) for choices in each])

    def subnet(self, arch: Arch | str) -> nn.Module:
        """A standalone network with copies of the weights and batch-norm statistics that `arch` inherits."""
        with torch.device("meta"):
            net = self.standalone(arch)
        state = {name: value.detach().clone() for name, value in self.inherited(arch).items()}
        net.load_state_dict(state, strict=True, assign=True)  # device, type and memory layout of the supernet
        return net.train(self.training)

    def per_cell(self, choices: Choice | Sequence[Choice]) -> Sequence[Choice]:
        """One choice for each cell, whichever way they were given."""
        if not isinstance(choices, list):
            return [choices] * self.depth
        if len(choices) != self.depth:
            raise ArchError(f"{self.space}: expected one choice or {self.depth}, one for each cell, got {len(choices)}")
        return choices


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


def initialise_on_cpu(net: nn.Module, generator: torch.Generator) -> None:
    """`initialise` with the draws made on the CPU: every device has the same weights, and `net` stays on its own."""
    device = next(net.parameters()).device
    initialise(net.cpu(), generator)
    net.to(device)


def initialised(net: Net, generator: torch.Generator) -> Net:
    """`net`, made under ``torch.device("meta")``, with memory and fresh weights; only `generator` is advanced."""
    net = net.to_empty(device=generator.device)
    initialise(net, generator)
    return net

"""Networks of single architectures with weights drawn from a generator, for tests."""

from __future__ import annotations

from typing import Any

import torch

from nasanalysis.networks.base import initialised
from nasanalysis.networks.darts import DartsNetwork, DartsSkeleton
from nasanalysis.networks.nb101 import NB101Network, Skeleton101


def build_darts_network(
    arch: Any, skeleton: DartsSkeleton, generator: torch.Generator, randomness: Any = None
) -> DartsNetwork:
    with torch.device("meta"):  # no draw from the global generator
        net = DartsNetwork(arch, skeleton, randomness)
    return initialised(net, generator)


def build_network101(arch: Any, skeleton: Skeleton101, generator: torch.Generator) -> NB101Network:
    with torch.device("meta"):
        net = NB101Network(arch, skeleton)
    return initialised(net, generator)

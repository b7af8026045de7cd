"""Alphas lie on the CPU, networks anywhere: a mixed forward keeps to the device of the network."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from nasanalysis.core.registry import resolve
from nasanalysis.differentiable.relaxations import Dirichlet, Gumbel, OneArchitecture, ReinMax, Softmax, mixture_of
from nasanalysis.differentiable.state import Alphas
from nasanalysis.networks.build import RELAXED
from nasanalysis.networks.config import NetworkConfig
from nasanalysis.training.settings import DataConfig
from nasanalysis.training.tasks import load_task

TASK = load_task(DataConfig(data="digits"))
NETWORKS: dict[str, dict[str, Any]] = {
    "nb201": {"cells": 1, "reduction": "pool", "stem_kernel": 1},
    "nb201 partial": {"cells": 1, "reduction": "pool", "stem_kernel": 1, "partial": 2},
    "nb101-1": {"cells": 1},
    "s2": {"layers": 3},
    "darts": {"layers": 3, "partial": 4},
}


@functools.cache
def relaxed(name: str) -> Any:
    space = name.split()[0]
    with torch.device("meta"):
        return resolve("space", space, RELAXED)(space, NetworkConfig(channels=4, **NETWORKS[name]), TASK)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(
    "relaxation", [Softmax(), Gumbel(), Gumbel(hard=False), Gumbel(chosen_only=True), Dirichlet(), ReinMax()], ids=str
)
def test_a_mixture_on_the_cpu_runs_in_a_network_elsewhere(name: str, relaxation: Any) -> None:
    net = relaxed(name)
    generator = torch.Generator().manual_seed(0)
    for decided in (False, True):  # an edge settled on nothing adds nothing but a constant
        alphas = Alphas(net.decisions, generator)
        if decided:
            first = net.decisions[0]
            alphas.decide(first.place, first.candidates[0])
        mixture = mixture_of(relaxation, net, alphas, generator=generator, rng=np.random.default_rng(0), progress=0.0)
        assert net.mixed(torch.empty(2, 1, 12, 12, device="meta"), mixture).device.type == "meta"


def test_one_architecture_runs_there_too() -> None:
    net = relaxed("nb201")
    mixtures = OneArchitecture().mixtures(net, np.random.default_rng(0))
    assert net.mixed(torch.empty(2, 1, 12, 12, device="meta"), mixtures).device.type == "meta"

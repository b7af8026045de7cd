"""Small searches on digits for tests: one place where their sizes stand."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch

from nasanalysis.differentiable.learner import SearchLearner
from nasanalysis.differentiable.method import Method
from nasanalysis.differentiable.methods import method
from nasanalysis.differentiable.settings import settings_for
from nasanalysis.networks.config import NetworkConfig
from nasanalysis.training.settings import DataConfig
from nasanalysis.training.tasks import Task, load_task

#: A search on digits as its file says it, in seconds; keys of [search] may follow.
TINY_CONFIG = """
space = "nb201"
seeds = [0, 1]
[network]
channels = 4
cells = 1
reduction = "pool"
affine = false
[data]
data = "digits"
[search]
epochs = 1
batch_size = 128
"""


class FewDigits:
    """The first images of the digits task, so that an epoch is a few batches."""

    def __init__(self, task: Task, train: int, valid: int) -> None:
        self.name, self.inputs, self.size, self.classes = task.name, task.inputs, task.size, task.classes
        self.labels = task.labels[:train]
        self.valid = (task.valid[0][:valid], task.valid[1][:valid])
        self.inputs_sha256: dict[str, str] = {}
        self._task = task

    def batch(self, index: torch.Tensor, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        return self._task.batch(index, generator)


@cache
def few_digits(train: int = 192, valid: int = 64) -> FewDigits:
    return FewDigits(load_task(DataConfig(data="digits")), train, valid)


def small_network(space: str) -> NetworkConfig:
    if space == "nb201":
        return NetworkConfig(channels=4, cells=1, reduction="pool", affine=False)
    return NetworkConfig(channels=4, cells=1, layers=3)


def learner(
    name: str | Method, space: str = "nb201", *, epochs: int = 2, seed: int = 0, options: Any = None, **settings: Any
) -> SearchLearner:
    """A search of few images; `settings` are those of `SearchSettings`."""
    chosen = method(name, space, epochs, **(options or {})) if isinstance(name, str) else name
    changed = settings_for(space, chosen.settings, **({"batch_size": 32, "epochs": epochs} | settings))
    return SearchLearner(space, small_network(space), few_digits(), chosen, changed, seed=seed)

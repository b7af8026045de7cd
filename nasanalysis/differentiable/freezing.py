"""Operations that stop learning while the search goes on (OLES; Jiang et al. 2023): those that overfit (torch).

An operation of an edge of a cell overfits where the gradients of its weights on training and on validation batches
point apart. Where their cosine, mean over a window of steps of alpha, is below a threshold, its weights rest for good;
its weight in the mixture goes on. The validation gradient is that of the batch that alpha is stepped on, the training
gradient that of the last weight step: no pass is added.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ..core.errors import ParameterError


@dataclass(frozen=True)
class OperationStopping:
    """When the weights of an operation rest.

    Attributes
    ----------
    threshold, window: they rest where the mean cosine of `window` steps is below `threshold` (public code: 0.4 and 20).
    reading: ``paper``: one cosine of all weights of the operation together (its definition of gradient matching).
        ``code``: the validation gradient is added to the training one before the two are compared, for the step of
        alpha that DARTS's code makes leaves gradients of weights where they are; one cosine for each tensor along its
        first axis, their mean; one step more than `window` is summed, and divided by `window`. Its cosines are far
        larger: 0.7 where the two gradients are at right angles and of one length.
    """

    threshold: float = 0.4
    window: int = 20
    reading: Literal["paper", "code"] = "code"

    def __post_init__(self) -> None:
        if self.window < 1 or not -1 <= self.threshold <= 1:
            raise ParameterError(
                "operation stopping: expected window >= 1 and -1 <= threshold <= 1, got "
                f"{self.window} and {self.threshold}"
            )

    @property
    def readings(self) -> int:
        """Steps of alpha between two decisions."""
        return self.window + (self.reading == "code")

    def cosine(self, training: Sequence[Tensor], validation: Sequence[Tensor]) -> float:
        """How much the gradients of an operation's weights agree, tensor by tensor in one order; 0 where one is 0."""
        if self.reading == "paper":
            one, other = (torch.cat([g.flatten() for g in each]) for each in (training, validation))
            return float(torch.cosine_similarity(one, other, dim=0))
        each = [torch.cosine_similarity(t, t + v, dim=0).mean() for t, v in zip(training, validation, strict=True)]
        return float(torch.stack(each).mean())


def operations_with_weights(net: nn.Module) -> dict[str, list[nn.Parameter]]:
    """Name in the network -> the weights of each operation of each edge (or node) of each cell, skips left out.

    A skip that halves the image has weights, which the public code does not count among operations either.
    """
    found = {}
    for name, module in net.named_modules():
        parent, _, operation = name.rpartition(".")
        holder = parent.rpartition(".")[0].rpartition(".")[2]
        if holder in ("edges", "operations") and isinstance(net.get_submodule(parent), nn.ModuleDict):
            weights = list(module.parameters())
            if weights and operation != "skip_connect":
                found[name] = weights
    return found


class OperationWatch:
    """The operations of a network under `OperationStopping`.

    Attributes
    ----------
    resting: names of the operations whose weights have stopped.
    """

    def __init__(self, net: nn.Module, plan: OperationStopping) -> None:
        self.plan, self.operations = plan, operations_with_weights(net)
        if not self.operations:
            raise ParameterError("operation stopping: expected operations with weights on edges or nodes, got none")
        self.resting: set[str] = set()
        self._sums = dict.fromkeys(self.operations, 0.0)
        self._counts = dict.fromkeys(self.operations, 0)
        self._training: dict[str, list[Tensor]] = {}

    def trained(self) -> None:
        """After a weight step: keep its gradients, as it used them."""
        self._training = {}
        for name, weights in self.operations.items():
            gradients = [w.grad for w in weights if w.grad is not None]
            if name not in self.resting and len(gradients) == len(weights):
                self._training[name] = gradients

    def validated(self, gradients: Mapping[Tensor, Tensor]) -> None:
        """At a step of alpha: weight -> gradient of its loss; what has had its readings is decided."""
        for name, training in self._training.items():
            validation = [gradients[w] for w in self.operations[name] if w in gradients]
            if len(validation) < len(training):  # not part of this mixture
                continue
            self._sums[name] += self.plan.cosine(training, validation)
            self._counts[name] += 1
            if self._counts[name] == self.plan.readings:
                if self._sums[name] / self.plan.window < self.plan.threshold:
                    self._rest(name)
                self._sums[name], self._counts[name] = 0.0, 0
        self._training = {n: g for n, g in self._training.items() if n not in self.resting}

    def _rest(self, name: str) -> None:
        self.resting.add(name)
        for weight in self.operations[name]:
            weight.requires_grad_(False)
            weight.grad = None  # so that neither decay nor momentum moves it

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {
            "resting": sorted(self.resting),
            "sums": dict(self._sums),
            "counts": dict(self._counts),
            "training": {name: [g.clone() for g in each] for name, each in self._training.items()},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state`."""
        for weights in self.operations.values():
            for weight in weights:
                weight.requires_grad_(True)
        self.resting = set()
        for name in state["resting"]:
            self._rest(name)
        self._sums, self._counts = dict(state["sums"]), dict(state["counts"])
        self._training = {name: list(each) for name, each in state["training"].items()}

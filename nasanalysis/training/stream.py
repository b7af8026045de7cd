"""The order in which training images come: minibatches of indices, and the state to go on from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..core.errors import ParameterError


class Stream:
    """Minibatches of indices, each image once before any comes again.

    Parameters
    ----------
    count, batch_size: images in all, and of a minibatch.
    generator: of the CPU; draws the order.
    keep_last: whether the last, smaller batch of an epoch comes too (as in the public code of DARTS and
        NAS-Bench-201) or is left out. One of a single image is left out in any case: batch-norm needs two.
    """

    def __init__(self, count: int, batch_size: int, generator: torch.Generator, *, keep_last: bool = False) -> None:
        if count < batch_size:
            raise ParameterError(
                f"batch_size: expected at most the {count} training images, got {batch_size}; use more images or less"
            )
        self._count, self._size, self._generator = count, batch_size, generator
        rest = count % batch_size
        self._used = count if keep_last and rest > 1 else count - rest
        self._order = torch.randperm(count, generator=generator)
        self._next = 0

    @property
    def batches(self) -> int:
        """Minibatches of one epoch."""
        return -(-self._used // self._size)

    def __call__(self) -> Tensor:
        if self._next >= self._used:
            self._order, self._next = torch.randperm(self._count, generator=self._generator), 0
        start, self._next = self._next, min(self._next + self._size, self._used)
        return self._order[start : self._next]

    def state(self) -> dict[str, Any]:
        return {"order": self._order, "next": self._next, "generator": self._generator.get_state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._order, self._next = state["order"], state["next"]
        self._generator.set_state(state["generator"])

"""How much an autograd graph holds at its peak: bytes of saved tensors that are alive, each storage once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any


class _Held:
    """A saved tensor; forgotten when its graph is."""

    def __init__(self, tensor: Any, ledger: Ledger) -> None:
        self.tensor, self._ledger = tensor, ledger
        storage = tensor.untyped_storage()
        self._key, size = storage.data_ptr(), storage.nbytes()
        ledger.add(self._key, size)
        self._size = size

    def __del__(self) -> None:
        self._ledger.remove(self._key, self._size)


class Ledger:
    """Attributes
    ----------
    held, peak: bytes now, and at most so far.
    """

    def __init__(self) -> None:
        self.held, self.peak = 0, 0
        self._owners: Counter[int] = Counter()

    def add(self, key: int, size: int) -> None:
        """One more owner of a storage."""
        self._owners[key] += 1
        if self._owners[key] == 1:
            self.held += size
            self.peak = max(self.peak, self.held)

    def remove(self, key: int, size: int) -> None:
        """One owner less."""
        self._owners[key] -= 1
        if not self._owners[key]:
            self.held -= size


def peak_of(work: Callable[[], object]) -> int:
    """Bytes that graphs of `work` hold at most at one time, what they share counted once."""
    import torch

    ledger = Ledger()
    with torch.autograd.graph.saved_tensors_hooks(lambda t: _Held(t, ledger), lambda held: held.tensor):
        work()
    return ledger.peak

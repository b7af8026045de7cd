"""The learning rate over a training: a shape by name between two rates, update by update or epoch by epoch."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..core.errors import ParameterError
from ..core.registry import resolve

#: Name -> shape: ``(done, of) -> share`` of the way from the lower rate to the higher, 1 at the beginning.
SCHEDULES: dict[str, str] = {
    "cosine": "nasanalysis.training.schedules:cosine",
    "linear": "nasanalysis.training.schedules:linear",
    "constant": "nasanalysis.training.schedules:constant",
}


def cosine(done: int, of: int) -> float:
    """Half a cosine, from 1 to 0 (Loshchilov and Hutter 2017, without restarts)."""
    return 0.5 * (1 + math.cos(math.pi * done / of))


def linear(done: int, of: int) -> float:
    """A straight line from 1 to 0."""
    return 1 - done / of


def constant(done: int, of: int) -> float:
    """1 throughout."""
    return 1.0


@dataclass(frozen=True)
class Schedule:
    """A learning rate.

    Attributes
    ----------
    high, low: the rate at the beginning, and what it falls to.
    shape: a name of `SCHEDULES`.
    by: ``update``: it falls with every update; ``epoch``: it stays for an epoch (DARTS's code).
    """

    high: float
    low: float = 0.0
    shape: str = "cosine"
    by: str = "update"

    def __post_init__(self) -> None:
        resolve("schedule", self.shape, SCHEDULES)
        if self.by not in ("update", "epoch"):
            raise ParameterError(f"schedule: expected by 'update' or 'epoch', got {self.by!r}")
        if not 0 <= self.low <= self.high or not 0 < self.high < math.inf:
            raise ParameterError(
                f"schedule: expected 0 <= learning_rate_min <= learning_rate, got {self.low} and {self.high}"
            )

    def rate(self, *, update: int, updates: int, epoch: int, epochs: int) -> float:
        """The rate of an update; `update` and `epoch` count what is done."""
        done, of = (update, updates) if self.by == "update" else (epoch, epochs)
        share: float = resolve("schedule", self.shape, SCHEDULES)(done, of)
        return self.low + (self.high - self.low) * share

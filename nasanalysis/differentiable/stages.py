"""The course of a search: stages, each with its epochs, its network, its candidates and its learning rate.

P-DARTS and progressive DrNAS rebuild the network between stages; DARTS-PT has a second one, in which edges are
decided; every other method has one. What happens inside a stage between epochs is its `Decider`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from ..core.errors import ParameterError
from ..training.schedules import Schedule

if TYPE_CHECKING:
    from .learner import SearchLearner


class Decider(Protocol):
    """What decides, drops or removes between the epochs of a stage."""

    def before_epoch(self, learner: SearchLearner, epoch: int) -> None:
        """Called before each epoch of its stage with the number that are done in it."""
        ...


@dataclass(frozen=True)
class Stage:
    """A part of a search.

    Attributes
    ----------
    epochs: how many. frozen: of these, the first ones in which alpha rests.
    network: keys of the `NetworkConfig` that are other than the search's (``layers``, ``partial``): the network is
        built anew, with fresh weights, or with `widen` with those of before (`nasanalysis.differentiable.widening`).
    keep: candidates that every edge keeps when the stage begins, those of the largest weights; None: all.
    fresh: whether alphas are drawn anew when the stage begins (P-DARTS), or taken over by name.
    skip_dropout: probability of dropping values on identity skips when the stage begins (see `skip_dropout_at`).
    rate: of the weights: (share of the search's own at the start, and at the end of the stage); None: the search's own
        schedule over this stage.
    alpha: whether alpha is trained. decider: see `Decider`.
    """

    epochs: int
    frozen: int = 0
    network: Mapping[str, Any] = field(default_factory=dict)
    keep: int | None = None
    fresh: bool = False
    skip_dropout: float = 0.0
    rate: tuple[float, float] | None = None
    alpha: bool = True
    decider: Decider | None = None
    # not part of the words of a stage: searches of before keep their fingerprints (`Method.described`)
    widen: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.frozen < 0 or (self.keep is not None and self.keep < 1):
            raise ParameterError(
                f"stage: expected epochs >= 1, frozen >= 0 and keep >= 1, got {self.epochs}, {self.frozen}, {self.keep}"
            )

    def skip_dropout_at(self, epoch: int) -> float:
        """The probability in an epoch of the stage: it falls while alpha rests, then fast (public code of P-DARTS)."""
        if epoch < self.frozen:
            return self.skip_dropout * (self.epochs - epoch - 1) / self.epochs
        return float(self.skip_dropout * 2.718281828459045 ** (-0.2 * (epoch - self.frozen)))


@dataclass(frozen=True)
class Course:
    """Stages one after the other, as learning rates see them (`nasanalysis.training.loop.Rates`).

    Attributes
    ----------
    high, low: learning rates of the weights at the beginning and the end of a stage that has none of its own.
    """

    stages: tuple[Stage, ...]
    high: float
    low: float

    @property
    def epochs(self) -> int:
        """Of all stages."""
        return sum(stage.epochs for stage in self.stages)

    @property
    def searching(self) -> int:
        """Epochs of the stages that search, those in which finished weights are tuned at a rate of their own left
        out.
        """
        return sum(stage.epochs for stage in self.stages if stage.rate is None) or self.epochs

    def at(self, epoch: int) -> tuple[int, int]:
        """(number of the stage, epochs done in it) after `epoch` epochs; the end belongs to the last stage."""
        for number, stage in enumerate(self.stages):
            if epoch < stage.epochs or number == len(self.stages) - 1:
                return number, epoch
            epoch -= stage.epochs
        raise ParameterError("course: expected at least one stage")

    def rate(self, *, update: int, updates: int, epoch: int, epochs: int) -> float:
        """Half a cosine over each stage, epoch by epoch."""
        number, done = self.at(epoch)
        stage = self.stages[number]
        if stage.rate is None:
            schedule = Schedule(self.high, self.low, by="epoch")
        else:
            first, last = (share * self.high for share in stage.rate)
            schedule = Schedule(first, last, shape="constant" if first == last else "cosine", by="epoch")
        return schedule.rate(update=0, updates=1, epoch=min(done, stage.epochs), epochs=stage.epochs)


def one(epochs: int, **options: Any) -> tuple[Stage, ...]:
    """A search in one stage."""
    return (Stage(epochs, **options),)

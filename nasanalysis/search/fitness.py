"""What a search asks: `Fitness` (architectures -> `Answers`), and the memory in front of it.

A fitness is anything with a name, a space and a call. Values are oriented, so that higher is better, and NaN
where undefined; what they are (a score, a sum of scores, a supernet's answer) is the fitness's own affair.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.errors import SearchError

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Answers:
    """What a fitness says of n architectures.

    Attributes
    ----------
    values: (n,) higher is better; NaN where undefined.
    seconds: (n,) cost of each evaluation, at least 0.
    counted: (n,) whether each is a query; None where all are. Only a repeat answered from memory is not.
    """

    values: Floats
    seconds: Floats
    counted: NDArray[np.bool_] | None = None

    @classmethod
    def of(cls, values: ArrayLike, seconds: ArrayLike = 0.0, *, name: str = "fitness") -> Answers:
        """Answers from anything array-like, checked; infinite values are refused. `name` opens a message.

        `seconds` is (n,), or one number for all.
        """
        array = np.asarray(values, dtype=np.float64)
        cost = np.asarray(seconds, dtype=np.float64)
        if array.ndim != 1 or cost.shape not in ((), array.shape):
            raise SearchError(f"{name}: expected (n,) values and seconds, got {array.shape} and {cost.shape}")
        if np.isinf(array).any():
            raise SearchError(f"{name}: expected finite values or NaN, got infinite ones; leave the undefined NaN")
        if not (np.isfinite(cost) & (cost >= 0)).all():
            raise SearchError(f"{name}: expected seconds of at least 0, got {cost[~(cost >= 0)][:3].tolist()}")
        return cls(array, np.broadcast_to(cost, array.shape))


@runtime_checkable
class Fitness(Protocol):
    """A score of architectures of one space, asked for while a search runs.

    Attributes
    ----------
    name: what it is called in tables and messages.
    space: name of the space of its architectures.

    Called on architectures as text ``space:key``; `Answers` stand in the same order. An architecture that it
    cannot know is an error; one that it knows and cannot score is NaN.
    """

    @property
    def name(self) -> str: ...
    @property
    def space(self) -> str: ...
    def __call__(self, archs: Sequence[str], /) -> Answers: ...


@runtime_checkable
class SteppedFitness(Protocol):
    """A fitness that grows with training: what `successive_halving` asks.

    Called as ``fitness(archs, step, after)``: values after `step` completed minibatches or epochs of
    architectures that were trained for `after` of them already (0: for none); the seconds are those of the
    steps in between.
    """

    @property
    def name(self) -> str: ...
    @property
    def space(self) -> str: ...
    def __call__(self, archs: Sequence[str], /, step: int, after: int = 0) -> Answers: ...


class Memoised:
    """Remembers what a fitness said: an architecture asked again costs no time.

    Parameters
    ----------
    fitness: what is asked once for each architecture.
    count_repeats: whether a repeat still is a query. True is how published searches on tables count
        (an algorithm that repeats itself pays with its queries); False counts evaluations.

    A memory belongs to one search: use a fresh one for each, or seconds of one are saved by another.
    """

    def __init__(self, fitness: Fitness, *, count_repeats: bool = True) -> None:
        self.fitness, self.count_repeats = fitness, count_repeats
        self._known: dict[str, float] = {}

    @property
    def name(self) -> str:
        return self.fitness.name

    @property
    def space(self) -> str:
        return self.fitness.space

    def __len__(self) -> int:
        """How many architectures were evaluated."""
        return len(self._known)

    def __call__(self, archs: Sequence[str], /) -> Answers:
        """Answers; those known cost 0 seconds."""
        known = self._known
        places = {arch: i for i, arch in reversed(list(enumerate(archs))) if arch not in known}  # first of each
        seconds = np.zeros(len(archs))
        if places:
            new = sorted(places, key=places.__getitem__)
            answers = self.fitness(new)
            known.update(zip(new, answers.values.tolist(), strict=True))
            seconds[[places[arch] for arch in new]] = answers.seconds
        counted = None
        if not self.count_repeats:
            counted = np.array([places.get(arch) == i for i, arch in enumerate(archs)], dtype=np.bool_)
        return Answers(np.array([known[arch] for arch in archs], dtype=np.float64), seconds, counted)


@dataclass(frozen=True)
class FunctionFitness:
    """Any function of one architecture (text ``space:key``) as a fitness: higher is better, NaN where undefined.

    seconds: cost of each call, where it matters.
    """

    name: str
    space: str
    function: Callable[[str], float]
    seconds: float = 0.0

    def __call__(self, archs: Sequence[str], /) -> Answers:
        """One call for each architecture."""
        return Answers.of([self.function(arch) for arch in archs], self.seconds, name=self.name)

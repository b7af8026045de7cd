"""A weighted sum of fitnesses, on scales that do not move while a search runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..core.errors import SearchError
from ..stats.combine import Rule, normalise
from .fitness import Answers, Fitness, Floats

_MOVING = ("z", "rank")


@dataclass(frozen=True, eq=False)
class Part:
    """One term of a `Combined` fitness: ``weight * normalise(value)``.

    Attributes
    ----------
    fitness: what is asked; its values are oriented already, so a weight is positive where the term helps.
    rule, sigma_1: see `nasanalysis.stats.normalise`.
    reference: (m,) values of this fitness for a stated set of architectures, oriented. The rules ``z`` and
        ``rank`` look at a set of architectures, and that which a search has seen changes with every query: they
        are allowed with a reference only, and then mean the place within it.
    """

    fitness: Fitness
    weight: float = 1.0
    rule: Rule = "raw"
    sigma_1: float | None = None
    reference: ArrayLike | None = None

    def __post_init__(self) -> None:
        if not np.isfinite(self.weight):
            raise SearchError(f"{self.fitness.name}: weight: expected a finite number, got {self.weight!r}")
        if self.rule in _MOVING:
            known = np.asarray([] if self.reference is None else self.reference, dtype=np.float64)
            if np.isfinite(known).sum() < 2:
                raise SearchError(
                    f"{self.fitness.name}: the rule {self.rule!r} depends on the set of architectures, which a search "
                    "does not fix; give reference= (values of a stated set), or use raw, angle/pi, 1/sigma_1 or percent"
                )
        elif self.reference is not None:
            raise SearchError(f"{self.fitness.name}: the rule {self.rule!r} takes no reference")
        self.scaled(np.zeros(1))  # an unknown rule or a missing sigma_1 is an error now, not in mid-search

    def scaled(self, values: Floats) -> Floats:
        """(n,) values of the fitness -> (n,) terms of the sum."""
        if self.rule not in _MOVING:
            return self.weight * normalise(values, self.rule, sigma_1=self.sigma_1)
        known = np.asarray(self.reference, dtype=np.float64)
        known = np.sort(known[np.isfinite(known)])
        if self.rule == "z":
            if not known[-1] > known[0]:
                raise SearchError(f"{self.fitness.name}: z: expected a reference that varies, got one value")
            return np.asarray(self.weight * (values - known.mean()) / known.std())
        below = np.searchsorted(known, values, "left") + 0.5
        upto = np.searchsorted(known, values, "right") + 0.5
        return self.weight * np.where(np.isfinite(values), (below + upto) / 2, np.nan) / len(known)


@dataclass(frozen=True, eq=False)
class Combined:
    """Sum of `Part`s, undefined where one of them is; a query costs what its parts cost together.

    GeNAS's angle + flatness is
    ``Combined("angle + flatness", [Part(angle, 1, "angle/pi"), Part(flatness, 16, "1/sigma_1", sigma_1=2e-3)])``.
    """

    name: str
    parts: Sequence[Part]

    def __post_init__(self) -> None:
        if not self.parts:
            raise SearchError(f"{self.name}: expected at least one part")
        spaces = sorted({part.fitness.space for part in self.parts})
        if len(spaces) > 1:
            raise SearchError(f"{self.name}: expected parts of one space, got {', '.join(spaces)}")

    @property
    def space(self) -> str:
        return self.parts[0].fitness.space

    def __call__(self, archs: Sequence[str], /) -> Answers:
        """Every part is asked for every architecture."""
        total, seconds = np.zeros(len(archs)), np.zeros(len(archs))
        for part in self.parts:
            answers = part.fitness(archs)
            total = total + part.scaled(answers.values)
            seconds = seconds + answers.seconds
        return Answers(total, seconds)

"""Limits on what an architecture may cost."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from ..core.errors import SearchError
from ..spaces import get_space
from ..spaces.capabilities import Enumerable, counter
from .space import Moves, draw_fresh, plain_moves
from .within import NEAREST, Within

_ENDS = ("min", "max")


@dataclass(frozen=True)
class Constraint:
    """Limits, both ends included; None is no limit.

    Attributes
    ----------
    params_min, params_max: trainable parameters (count).
    flops_min, flops_max: multiply-accumulates of one image.
    dataset: whose network is meant.
    channels, cells: another size of the network, where it is not the space's own.
    of: what an architecture costs (``params``, ``flops``), in place of the space's own count: of a live network.
    tries: draws after which a search gives up, or takes a random architecture for one that cannot be changed.
    """

    params_min: float | None = None
    params_max: float | None = None
    flops_min: float | None = None
    flops_max: float | None = None
    dataset: str = "cifar10"
    channels: int | None = None
    cells: int | None = None
    tries: int = 10_000
    of: Callable[[str], Mapping[str, float]] | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("params", "flops"):
            low, high = getattr(self, f"{name}_min"), getattr(self, f"{name}_max")
            if low is not None and high is not None and low > high:
                raise SearchError(f"constraint: {name}: expected a minimum below the maximum, got {low:g} and {high:g}")
        if all(getattr(self, name) is None for name in ("params_min", "params_max", "flops_min", "flops_max")):
            raise SearchError("constraint: expected at least one of params_min, params_max, flops_min, flops_max")
        if self.tries < 1:
            raise SearchError(f"constraint: tries: expected at least 1, got {self.tries}")

    def __str__(self) -> str:
        limits = []
        for name in ("params", "flops"):
            low, high = getattr(self, f"{name}_min"), getattr(self, f"{name}_max")
            if low is not None or high is not None:
                left = "" if low is None else f"{low:,.0f} <= "
                limits.append(f"{left}{name}" + ("" if high is None else f" <= {high:,.0f}"))
        return ", ".join(limits)

    def costs(self, arch: str) -> dict[str, float]:
        """What of `arch` is limited: ``params`` (count), ``flops``."""
        limited = [name for name in ("params", "flops") if any(getattr(self, f"{name}_{e}") is not None for e in _ENDS)]
        if self.of is not None:
            given = self.of(arch)
            return {name: given[name] for name in limited}
        space = get_space(arch.partition(":")[0])
        size = {"channels": self.channels, "cells": self.cells}
        return {name: float(counter(space, name, **size)(arch, self.dataset)) for name in limited}

    def __call__(self, arch: str) -> bool:
        """Whether `arch` (text ``space:key``) is within the limits."""
        return self._allows(self.costs(arch))

    def _allows(self, costs: dict[str, float]) -> bool:
        for name, value in costs.items():
            low, high = getattr(self, f"{name}_min"), getattr(self, f"{name}_max")
            if (low is not None and value < low) or (high is not None and value > high):
                return False
        return True


class Constrained:
    """`moves` whose results meet a `Constraint`: what does not is drawn again.

    Where no change of an architecture is found to meet it, the change is a random architecture that does.
    """

    def __init__(self, moves: Moves, constraint: Constraint) -> None:
        self.moves, self.constraint = moves, constraint
        self._known: dict[str, bool] = {}

    @property
    def space(self) -> str:
        return self.moves.space

    def allows(self, arch: str) -> bool:
        """Whether `arch` meets the constraint."""
        if arch not in self._known:
            self._known[arch] = self.constraint(arch)
        return self._known[arch]

    def decisions(self, arch: str) -> tuple[Hashable, ...]:
        return self.moves.decisions(arch)

    def sample(self, rng: np.random.Generator) -> str:
        for _ in range(self.constraint.tries):
            arch = self.moves.sample(rng)
            if self.allows(arch):
                return arch
        seen = [self.constraint.costs(self.moves.sample(rng)) for _ in range(min(1000, self.constraint.tries))]
        ranges = "; ".join(
            f"{name} of random ones run from {min(c[name] for c in seen):,.0f} to {max(c[name] for c in seen):,.0f}"
            for name in seen[0]
        )
        raise SearchError(
            f"{self.space}: no architecture met {self.constraint} in {self.constraint.tries:,} draws ({ranges}); "
            "widen the limits"
        )

    def mutate(self, arch: str, rng: np.random.Generator) -> str:
        for _ in range(self.constraint.tries):
            child = self.moves.mutate(arch, rng)
            if self.allows(child):
                return child
        return self.sample(rng)

    def perturb(self, arch: str, probability: float, rng: np.random.Generator) -> str:
        for _ in range(self.constraint.tries):
            child = self.moves.perturb(arch, probability, rng)
            if self.allows(child):
                return child
        return self.sample(rng)

    def crossover(self, first: str, second: str, rng: np.random.Generator) -> str:
        for _ in range(self.constraint.tries):
            child = self.moves.crossover(first, second, rng)
            if self.allows(child):
                return child
        return self.sample(rng)

    def fresh(self, n: int, rng: np.random.Generator, seen: Collection[str] = ()) -> list[str]:
        return draw_fresh(lambda: self.sample(rng), n, seen, 1000 + 100 * n)


def get_moves(
    space: str,
    *,
    archs: Iterable[str] | None = None,
    constraint: Constraint | None = None,
    nearest: int = NEAREST,
) -> Moves:
    """The moves of a search.

    Parameters
    ----------
    space: name of the space.
    archs: only these (a table's): see `Within`; the whole space where they are all of it.
    constraint: only architectures that meet it.
    nearest: see `Within`.
    """
    moves = plain_moves(space)
    if archs is None:
        return moves if constraint is None else Constrained(moves, constraint)
    listed = list(dict.fromkeys(archs))
    wrong = next((arch for arch in listed if not arch.startswith(f"{space}:")), None)
    if wrong is not None:
        raise SearchError(f"{space}: expected architectures as '{space}:key', got {wrong!r}")
    if constraint is None:
        whole = get_space(space)
        is_all = isinstance(whole, Enumerable) and len(listed) == len(whole)
        return moves if is_all else Within(moves, listed, nearest)
    kept = [arch for arch in listed if constraint(arch)]
    if len(kept) < 2:
        raise SearchError(
            f"{space}: expected at least 2 of the {len(listed):,} architectures to meet {constraint}, got {len(kept)}; "
            "widen the limits"
        )
    return Within(moves, kept, nearest)

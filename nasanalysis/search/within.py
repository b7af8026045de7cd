"""Moves that stay among the architectures of a table.

A table often holds a part of its space only: ``digits`` 800 of 15,625 cells of ``nb201``, the published
zero-cost scores 9,445. A search over it draws, changes and crosses architectures of the table alone. In 5 % of
a space a single change seldom lands inside, so a mutation goes to one of the `nearest` architectures of the
table, counted in differing decisions: as many as an architecture of ``nb201`` has neighbours (24). Where the
table is the whole space these are exactly its neighbours.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable

import numpy as np
from numpy.typing import NDArray

from ..core.errors import SearchError
from .space import Moves

#: Neighbours of an architecture of ``nb201``: six edges, four other operations.
NEAREST = 24

_Indices = NDArray[np.intp]


class Within:
    """`moves`, kept among `archs`.

    Parameters
    ----------
    moves: of the space.
    archs: architectures of that space (text ``space:key``), at least two.
    nearest: among how many a mutation chooses, ties at the border broken at random.

    ``perturb`` and ``crossover`` give what they would give in the whole space where the table holds it, else the
    nearest architecture of the table, ties broken at random.
    """

    def __init__(self, moves: Moves, archs: Iterable[str], nearest: int = NEAREST) -> None:
        self.moves, self.archs, self.nearest = moves, tuple(dict.fromkeys(archs)), nearest
        if len(self.archs) < 2:
            raise SearchError(f"{moves.space}: expected at least 2 architectures to search among, got {self.archs}")
        if nearest < 1:
            raise SearchError(f"nearest: expected at least 1, got {nearest!r}")
        self._index = {arch: i for i, arch in enumerate(self.archs)}
        decisions = [moves.decisions(arch) for arch in self.archs]
        self._codes: list[dict[Hashable, int]] = [{} for _ in decisions[0]]
        self._table = np.array(
            [
                [codes.setdefault(value, len(codes)) for codes, value in zip(self._codes, row, strict=True)]
                for row in decisions
            ],
            dtype=np.int32,
        ).T.copy()  # (decisions, architectures)
        self._near: dict[str, tuple[_Indices, _Indices]] = {}

    @property
    def space(self) -> str:
        return self.moves.space

    def decisions(self, arch: str) -> tuple[Hashable, ...]:
        return self.moves.decisions(arch)

    def sample(self, rng: np.random.Generator) -> str:
        return self.archs[int(rng.integers(len(self.archs)))]

    def mutate(self, arch: str, rng: np.random.Generator) -> str:
        inside, tied = self._nearest_of(arch)
        place = int(rng.integers(min(self.nearest, len(inside) + len(tied))))
        if place < len(inside):
            return self.archs[int(inside[place])]
        return self.archs[int(tied[rng.integers(len(tied))])]

    def perturb(self, arch: str, probability: float, rng: np.random.Generator) -> str:
        return self._snap(self.moves.perturb(arch, probability, rng), rng)

    def crossover(self, first: str, second: str, rng: np.random.Generator) -> str:
        return self._snap(self.moves.crossover(first, second, rng), rng)

    def fresh(self, n: int, rng: np.random.Generator, seen: Collection[str] = ()) -> list[str]:
        left = [arch for arch in self.archs if arch not in seen] if seen else self.archs
        return [left[i] for i in rng.permutation(len(left))[:n]]

    def distances(self, arch: str) -> NDArray[np.int64]:
        """(n_archs,) in how many decisions each architecture of the table differs."""
        codes = [codes.get(value, -1) for codes, value in zip(self._codes, self.decisions(arch), strict=True)]
        return np.asarray((self._table != np.array(codes, dtype=np.int32)[:, None]).sum(axis=0))

    def _snap(self, arch: str, rng: np.random.Generator) -> str:
        if arch in self._index:
            return arch
        distance = self.distances(arch)
        near = np.flatnonzero(distance == distance.min())
        return self.archs[int(near[rng.integers(len(near))])]

    def _nearest_of(self, arch: str) -> tuple[_Indices, _Indices]:
        """Indices nearer than the border, and those on it."""
        if arch not in self._near:
            distance = self.distances(arch)
            if arch in self._index:
                distance[self._index[arch]] = np.iinfo(np.int64).max
            k = min(self.nearest, len(distance) - (arch in self._index))
            border = np.partition(distance, k - 1)[k - 1]
            self._near[arch] = np.flatnonzero(distance < border), np.flatnonzero(distance == border)
        return self._near[arch]

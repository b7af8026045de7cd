"""When two architectures of the DARTS kind are the same: two named rules.

``published``: the order of a node's two inputs means nothing; it is gone from the key already.
``node_order``: nor does the numbering of the intermediate nodes. The representative is the smallest key over all
renumberings (the concatenation then has its channels in another order, which no later layer minds).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

from .base import Arch
from .capabilities import TwoCells
from .darts_genotype import Cell, Genotype, format_key

RULES: tuple[str, ...] = ("published", "node_order")


class Classes(Mapping[Arch, Arch]):
    """Architecture -> the representative of its class under `rule`: of any of the space, without a table."""

    def __init__(self, space: TwoCells, rule: str) -> None:
        self._space, self._rule = space, rule

    def __getitem__(self, arch: Arch) -> Arch:
        arch = self._space.parse(str(arch))
        return arch if self._rule == "published" else self._renumbered(arch)

    def __iter__(self) -> Iterator[Arch]:
        return iter(self._space)

    def __len__(self) -> int:
        return len(self._space)

    def _renumbered(self, arch: Arch) -> Arch:
        normal, reduce = (_smallest_numbering(cell) for cell in self._space.genotype(arch))
        return Arch(self._space.name, format_key(Genotype(normal, reduce)))


def _smallest_numbering(cell: Cell) -> Cell:
    """The smallest cell, as a tuple, among all renumberings in which nodes still read earlier ones."""
    best: Cell | None = None
    for order in itertools.permutations(range(len(cell))):
        number = {0: 0, 1: 1} | {old + 2: new + 2 for new, old in enumerate(order)}
        renumbered = tuple(
            tuple(sorted(((op, number[source]) for op, source in cell[old]), key=lambda edge: edge[::-1]))
            for old in order
        )
        if all(source < node for node, inputs in enumerate(renumbered, start=2) for _, source in inputs) and (
            best is None or renumbered < best
        ):
            best = renumbered  # type: ignore[assignment]
    assert best is not None  # the identity is always among them
    return best

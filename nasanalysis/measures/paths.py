"""A network's weights path by path from input to output: what a network tells `angle` about itself."""

from __future__ import annotations

from typing import NamedTuple


class Constant(NamedTuple):
    """`size` entries of `value` in both vectors: the stand-in of an operation without weights."""

    value: float
    size: int


#: Name of a parameter, flattened; or the stand-in of an operation without weights.
Piece = str | Constant


class WeightPaths(NamedTuple):
    """The pieces that stand in the vector once, and those along each path without a ``none``, cell after cell.

    An edge that several paths share stands in each of them. No `paths`: nothing leads from input to output.
    """

    once: tuple[Piece, ...]
    paths: tuple[tuple[Piece, ...], ...]

    def pieces(self) -> list[Piece]:
        """All of them, repetitions included."""
        return [*self.once, *(piece for path in self.paths for piece in path)]

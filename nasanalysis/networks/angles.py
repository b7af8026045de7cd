"""Angles of many architectures of one supernet, without a copy and without a forward pass.

An angle is sums of dot products of the weights that an architecture uses, so each dot product is taken once. A supernet
that can add them up for all architectures at once says so (`HasAngles`; NAS-Bench-201); any other is read architecture
by architecture. Both are exact: equal to `nasanalysis.measures.angle` of the inherited network, but for rounding.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..measures.angle import Lengths, pieces_of, searched_names
from ..measures.parameters import Position
from ..measures.paths import Piece
from ..spaces.base import Arch
from .base import Supernet

Vector = Literal["flat", "paths"]
Floats = NDArray[np.float64]


class Angles(NamedTuple):
    """One entry for each architecture.

    Attributes
    ----------
    angle: (n,) radians; NaN where no path leads from input to output.
    fixed_before, fixed_after: (n,) share of the squared length before and after training that is not weights of
        convolutions in the search cells: batch-norms, stem, reductions, classifier, stand-ins.
    """

    angle: Floats
    fixed_before: Floats
    fixed_after: Floats


@runtime_checkable
class HasAngles(Protocol):
    """A supernet that adds up the dot products of all architectures at once."""

    def angles(self, initial: Supernet, archs: Sequence[Arch | str], vector: Vector, weights: Position) -> Angles:
        """See `supernet_angles`."""
        ...


def supernet_angles(
    initial: Supernet,
    final: Supernet,
    archs: Sequence[Arch | str],
    *,
    vector: Vector = "paths",
    weights: Position = "all",
) -> Angles:
    """Angle of each architecture between the weights it inherits before and after training.

    Parameters
    ----------
    initial, final: a supernet before and after its training. archs: of its space.
    vector, weights: ``vector`` and ``position`` of `nasanalysis.measures.angle.angle`.

    Raises `ParameterError` for ``paths`` on a space that does not define them.
    """
    if isinstance(final, HasAngles):
        return final.angles(initial, archs, vector, weights)
    seen: dict[object, tuple[float, float, float]] = {}
    rows = [_one(initial, final, arch, vector, weights, seen) for arch in archs]
    return Angles(*(np.array(column, dtype=np.float64) for column in zip(*rows, strict=True)))


def of_sums(total: Floats, fixed: Floats) -> Angles:
    """(n, 3) sums of ``<w0, w>``, ``|w0|^2``, ``|w|^2``, of all pieces and of the fixed ones -> their angles."""
    with np.errstate(invalid="ignore", divide="ignore"):
        length = np.sqrt(total[:, 1]) * np.sqrt(total[:, 2])
        cosine = np.where(length > 0, total[:, 0] / length, np.nan)
        shares = np.where(total[:, 1:] > 0, fixed[:, 1:] / total[:, 1:], np.nan)
        return Angles(np.arccos(np.clip(cosine, -1, 1)), shares[:, 0], shares[:, 1])


def dots(before: Tensor, after: Tensor) -> tuple[float, float, float]:
    """``<w0, w>``, ``|w0|^2``, ``|w|^2`` in double precision."""
    a, b = (w.detach().to("cpu", torch.float64).flatten() for w in (before, after))
    return float(a @ b), float(a @ a), float(b @ b)


def _one(
    initial: Supernet,
    final: Supernet,
    arch: Arch | str,
    vector: Vector,
    weights: Position,
    seen: dict[object, tuple[float, float, float]],
) -> tuple[float, float, float]:
    with torch.device("meta"):
        network = final.standalone(arch)
    pieces = pieces_of(network, vector=vector, position=weights)
    if pieces is None:
        return math.nan, math.nan, math.nan
    searched, before, after = searched_names(network), initial.inherited(arch), final.inherited(arch)
    total, fixed = np.zeros(3), np.zeros(3)
    for piece, times in Counter(pieces).items():
        terms = times * np.array(_terms(before, after, piece, seen))
        total += terms
        if piece not in searched:
            fixed += terms
    lengths = Lengths(*total.tolist(), *fixed[1:].tolist())
    return (lengths.angle, *lengths.shares)


def _terms(
    before: Mapping[str, Tensor],
    after: Mapping[str, Tensor],
    piece: Piece,
    seen: dict[object, tuple[float, float, float]],
) -> tuple[float, float, float]:
    if not isinstance(piece, str):
        return (piece.size * piece.value**2,) * 3
    a, b = before[piece], after[piece]
    key = (a.data_ptr(), b.data_ptr(), a.shape)  # where it lies in the supernet: many architectures share it
    if key not in seen:
        seen[key] = dots(a, b)
    return seen[key]

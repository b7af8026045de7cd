"""Angle between a network's weights before and after training (RLNAS, Zhang et al. 2021; GeNAS, Eq. 8).

``arccos( <w0, w> / (|w0| |w|) )`` in radians, larger is better. Two vectors w:

``flat``
    every parameter that the architecture uses, once. It uses those on which its output depends in evaluation mode:
    not the edges from which nothing reaches the output, and not a convolution that reads nothing but zeros. The
    batch-norm behind such a convolution gives an offset and counts. (Edges that are not read get no gradient; a
    convolution of zeros gets one that is zero.)
``paths``
    RLNAS's: path by path from input to output, so an edge that several paths share is there as often; an operation
    without weights has a stand-in that is equal in both vectors. The network says what its paths are
    (``weight_paths()``): NAS-Bench-201 and the DARTS space define them.

Both over ``all`` weights, or those of the search ``cells`` alone: stem, reductions, last batch-norm and classifier are
in every architecture, and on small networks they drown the rest.

Where no path leads from the input to the output the angle is undefined, NaN; the public code says 0
(``variant="reference"``).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from ..core.errors import NasAnalysisError, ParameterError
from .capabilities import HasSearchCells, HasWeightPaths
from .parameters import Position, noisy_names, used_names
from .paths import Piece, WeightPaths

#: A network, or its state: name -> weights.
Weights = nn.Module | Mapping[str, Tensor]

#: Endings of batch-norm statistics, which stand in a state but are no weights.
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def angle(
    initial: Weights | None,
    final: Weights | None,
    *,
    vector: Literal["flat", "paths"] = "flat",
    variant: Literal["paper", "reference"] = "paper",
    position: Position = "all",
    paths: WeightPaths | None = None,
) -> float:
    """Radians in [0, pi]; NaN where it is undefined (no live path, a vector of length zero, weights not finite).

    Parameters
    ----------
    initial, final: networks of one architecture, or their states, before and after training. One of them
        should be a network: it says which weights are used and what its paths are. Of two states ``flat`` takes every
        entry but batch-norm statistics.
    vector, variant, position: see the module. ``cells`` of ``flat`` needs a network that says which are its cells.
    paths: the paths, where no network says them.

    Raises
    ------
    NasAnalysisError: no initial weights; weights that one of them lacks or that differ in shape.
    ParameterError: an unknown choice, or ``paths`` of a network that does not define them.
    """
    if variant not in ("paper", "reference"):
        raise ParameterError(f"variant: expected 'paper' or 'reference', got {variant!r}")
    _require(initial, final)
    assert initial is not None
    assert final is not None
    lengths = squared_lengths(initial, final, vector=vector, position=position, paths=paths)
    if lengths is None:
        return 0.0 if variant == "reference" else math.nan
    return lengths.angle


class Lengths(NamedTuple):
    """The parts of an angle, and how much of it the architecture has no say in.

    Attributes
    ----------
    product: ``<w0, w>``. before, after: ``|w0|^2`` and ``|w|^2``. fixed_before, fixed_after: what is not weights of
        convolutions in the search cells, of these: batch-norms, stem, reductions, classifier, stand-ins.
    """

    product: float
    before: float
    after: float
    fixed_before: float
    fixed_after: float

    @property
    def angle(self) -> float:
        """Radians; NaN for a vector of length zero or one that is not finite."""
        length = math.sqrt(self.before) * math.sqrt(self.after) if min(self.before, self.after) >= 0 else math.nan
        if not math.isfinite(self.product) or not math.isfinite(length) or length == 0:
            return math.nan
        return math.acos(min(1.0, max(-1.0, self.product / length)))

    @property
    def shares(self) -> tuple[float, float]:
        """Share of the squared length that is fixed, before and after training; NaN for a length of zero."""
        pairs = ((self.fixed_before, self.before), (self.fixed_after, self.after))
        before, after = (part / whole if whole > 0 else math.nan for part, whole in pairs)
        return before, after


def squared_lengths(
    initial: Weights,
    final: Weights,
    *,
    vector: Literal["flat", "paths"] = "flat",
    position: Position = "all",
    paths: WeightPaths | None = None,
) -> Lengths | None:
    """What `angle` is made of; None where no path leads from the input to the output. Parameters: those of `angle`."""
    network = next((w for w in (final, initial) if isinstance(w, nn.Module)), None)
    before, after = _state(initial), _state(final)
    if isinstance(initial, nn.Module) and isinstance(final, nn.Module):
        _entries(before, after)
    if network is None and vector == "flat" and position == "all" and (paths is None or paths.paths):
        return _lengths(before, after, _entries(before, after), None)
    pieces = pieces_of(network, vector=vector, position=position, paths=paths)
    return None if pieces is None else _lengths(before, after, pieces, network)


def pieces_of(
    network: nn.Module | None,
    *,
    vector: Literal["flat", "paths"] = "flat",
    position: Position = "all",
    paths: WeightPaths | None = None,
) -> Sequence[Piece] | None:
    """What stands in the vector of an architecture, repetitions included; None where no path is live."""
    if vector not in ("flat", "paths"):
        raise ParameterError(f"vector: expected 'flat' or 'paths', got {vector!r}")
    if position not in ("all", "cells"):
        raise ParameterError(f"position: expected 'all' or 'cells', got {position!r}")
    if paths is None and isinstance(network, HasWeightPaths):
        paths = network.weight_paths()
    if paths is None and vector == "paths":
        got = "two states" if network is None else type(network).__name__
        raise ParameterError(
            f"vector 'paths': expected a network that defines weight_paths(), as those of nb201 and of the DARTS space "
            f"do, got {got}; take vector='flat', or give the paths"
        )
    if paths is not None and not paths.paths:
        return None
    if vector == "paths":
        assert paths is not None
        return (paths if position == "all" else paths._replace(once=())).pieces()
    if network is None:
        raise ParameterError("position 'cells': expected a network among initial and final, got two states")
    inside = set(noisy_names(network, position))
    return [name for name in used_names(network) if name in inside]


def piece_terms(before: Mapping[str, Tensor], after: Mapping[str, Tensor], piece: Piece) -> tuple[float, float, float]:
    """``<w0, w>``, ``|w0|^2``, ``|w|^2`` of one piece, in double precision."""
    if not isinstance(piece, str):
        return (piece.size * piece.value**2,) * 3
    a, b = (each.detach().flatten().to(device="cpu", dtype=torch.float64) for each in _pair(before, after, piece))
    return float(a @ b), float(a @ a), float(b @ b)


def searched_names(network: nn.Module) -> set[str]:
    """Names of the weights of convolutions in the search cells; none of a network that does not say its cells."""
    if not isinstance(network, HasSearchCells):
        return set()
    weights = dict(network.named_parameters())
    return {name for name in noisy_names(network, "cells") if weights[name].ndim > 1}


def _require(initial: Weights | None, final: Weights | None) -> None:
    for what, weights in (("initial", initial), ("final", final)):
        if weights is None:
            raise NasAnalysisError(
                f"angle: expected the {what} weights, got none; keep the state of the network from before the first "
                "training step (supernet training writes it as initial.pt)"
            )


def _lengths(
    before: Mapping[str, Tensor], after: Mapping[str, Tensor], pieces: Sequence[Piece], network: nn.Module | None
) -> Lengths:
    product = length0 = length1 = fixed0 = fixed1 = 0.0
    searched = set() if network is None else searched_names(network)
    for piece, times in Counter(pieces).items():
        terms = piece_terms(before, after, piece)
        product += times * terms[0]
        length0 += times * terms[1]
        length1 += times * terms[2]
        if piece not in searched:
            fixed0 += times * terms[1]
            fixed1 += times * terms[2]
    return Lengths(product, length0, length1, fixed0, fixed1)


def _state(weights: Weights) -> Mapping[str, Tensor]:
    return dict(weights.named_parameters()) if isinstance(weights, nn.Module) else weights


def _entries(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> list[str]:
    names = [name for name in before if not name.endswith(_STATISTICS)]
    others = [name for name in after if not name.endswith(_STATISTICS)]
    if set(names) != set(others):
        only = sorted(set(names) ^ set(others))
        raise NasAnalysisError(
            f"angle: expected the same weights before and after, got {len(names)} and {len(others)}; only one of them "
            f"has {', '.join(only[:3])}{' ...' if len(only) > 3 else ''}. Compare networks of one architecture"
        )
    return names


def _pair(before: Mapping[str, Tensor], after: Mapping[str, Tensor], name: str) -> tuple[Tensor, Tensor]:
    parts = []
    for what, state in (("initial", before), ("final", after)):
        if name not in state:
            raise NasAnalysisError(
                f"angle: expected {name} among the {what} weights, got {len(state)} others; compare networks of one "
                "architecture"
            )
        parts.append(state[name])
    a, b = parts
    if a.shape != b.shape:
        raise NasAnalysisError(
            f"angle: expected {name} of one shape, got {tuple(a.shape)} before and {tuple(b.shape)} after; compare "
            "networks of one architecture and size"
        )
    return a, b

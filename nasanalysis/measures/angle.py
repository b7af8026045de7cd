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
from typing import Literal

import torch
from torch import Tensor, nn

from ..core.errors import NasAnalysisError, ParameterError
from .capabilities import HasWeightPaths
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
    if vector not in ("flat", "paths"):
        raise ParameterError(f"vector: expected 'flat' or 'paths', got {vector!r}")
    if variant not in ("paper", "reference"):
        raise ParameterError(f"variant: expected 'paper' or 'reference', got {variant!r}")
    if position not in ("all", "cells"):
        raise ParameterError(f"position: expected 'all' or 'cells', got {position!r}")
    for what, weights in (("initial", initial), ("final", final)):
        if weights is None:
            raise NasAnalysisError(
                f"angle: expected the {what} weights, got none; keep the state of the network from before the first "
                "training step (supernet training writes it as initial.pt)"
            )
    assert initial is not None
    assert final is not None
    network = next((w for w in (final, initial) if isinstance(w, nn.Module)), None)
    if paths is None and isinstance(network, HasWeightPaths):
        paths = network.weight_paths()
    if paths is None and vector == "paths":
        got = "two states" if network is None else type(network).__name__
        raise ParameterError(
            f"vector 'paths': expected a network that defines weight_paths(), as those of nb201 and of the DARTS space "
            f"do, got {got}; take vector='flat', or give the paths"
        )
    if paths is not None and not paths.paths:
        return 0.0 if variant == "reference" else math.nan
    before, after = _state(initial), _state(final)
    if isinstance(initial, nn.Module) and isinstance(final, nn.Module):
        _entries(before, after)
    pieces: Sequence[Piece]
    if vector == "paths":
        assert paths is not None
        pieces = (paths if position == "all" else paths._replace(once=())).pieces()
    elif network is not None:
        inside = set(noisy_names(network, position))
        pieces = [name for name in used_names(network) if name in inside]
    elif position == "cells":
        raise ParameterError("position 'cells': expected a network among initial and final, got two states")
    else:
        pieces = _entries(before, after)
    return _angle(before, after, pieces)


def _angle(before: Mapping[str, Tensor], after: Mapping[str, Tensor], pieces: Sequence[Piece]) -> float:
    product = length0 = length1 = 0.0
    for piece, times in Counter(pieces).items():
        if isinstance(piece, str):
            a, b = (
                each.detach().flatten().to(device="cpu", dtype=torch.float64) for each in _pair(before, after, piece)
            )
            terms = (float(a @ b), float(a @ a), float(b @ b))
        else:
            terms = (piece.size * piece.value**2,) * 3
        product += times * terms[0]
        length0 += times * terms[1]
        length1 += times * terms[2]
    length = math.sqrt(length0) * math.sqrt(length1)
    if not math.isfinite(product) or not math.isfinite(length) or length == 0:
        return math.nan
    return math.acos(min(1.0, max(-1.0, product / length)))


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

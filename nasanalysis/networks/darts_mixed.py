"""The relaxed cell of the DARTS family (torch): all candidate operations of all edges, weighed and summed.

Edges that start at one node pool the same values at the same stride: each pooling is computed once for all of them,
and every edge has its own batch-norm after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .mixture import Mixture, Place, shuffled, weighted_sum

if TYPE_CHECKING:
    from .darts_cells import SharedCell

_POOLING = ("max_pool_3x3", "avg_pool_3x3")


def mixed_cell(cell: SharedCell, before: Tensor, last: Tensor, mixture: Mixture) -> Tensor:
    """The cell's output, (batch, nodes * channels, height, width)."""
    kind = "reduce" if cell.reduces else "normal"
    pooled: dict[tuple[int, str], Tensor] = {}

    def node(number: int, states: Sequence[Tensor]) -> Tensor:
        terms: list[Tensor] = []
        rests: list[Tensor] = []
        scales = mixture.rows.get(Place(kind, f"node-{number}"), {})
        for source in range(number):
            place = Place(kind, f"{source}-{number}")
            if place in mixture.rows:
                parts = _edge(cell, states[source], place, source, mixture, pooled)
                if cell.training and cell.randomness.drop_path:
                    parts = cell.randomness.drop_together(parts)
                if str(source) in scales:
                    parts = [part * scales[str(source)] for part in parts]
                terms.append(parts[0])
                rests += parts[1:]
        total, rest = weighted_sum(terms), weighted_sum(rests)
        if total is None:
            return _zeros(states[0], cell.channels, cell.place.stride(0))
        # shuffling is linear, so once for the sum is what every edge would do
        return total if rest is None else shuffled(torch.cat((total, rest), 1), cell.partial)

    return cell.compute(before, last, node)


def _edge(
    cell: SharedCell,
    x: Tensor,
    place: Place,
    source: int,
    mixture: Mixture,
    pooled: dict[tuple[int, str], Tensor],
) -> Sequence[Tensor]:
    """The mixed operations of an edge and, with partial channels, what goes around them."""
    through, around = x, None
    stride = cell.place.stride(source)
    if cell.partial > 1:
        width = x.shape[1] // cell.partial
        through, around = x[:, :width], x[:, width:]
        around = F.max_pool2d(around, 2) if stride == 2 else around
    modules: Mapping[str, nn.Module] = cell.edges[place.edge]  # type: ignore[assignment]
    terms = []
    for name, weight in mixture.rows[place].items():
        if name == "none":
            continue  # zeros, whatever their weight
        if name in _POOLING:
            out = _pooled(modules[name], pooled, (source, name), through)
        else:
            out = modules[name](through)
            if cell.training and isinstance(modules[name], nn.Identity):
                out = cell.randomness.drop_values(out)
        terms.append(weight * out)
    out_or_none = weighted_sum(terms)
    out = _zeros(through, through.shape[1], stride) if out_or_none is None else out_or_none
    if place in mixture.constants:
        out = out + mixture.constants[place]
    return [out] if around is None else [out, around]


def _pooled(module: nn.Module, pooled: dict[tuple[int, str], Tensor], key: tuple[int, str], x: Tensor) -> Tensor:
    """The pooling of an edge: the values of the first edge that asked, through the batch-norm of its own."""
    pooling, *norms = module if isinstance(module, nn.Sequential) else (module,)
    if key not in pooled:
        pooled[key] = pooling(x)
    out = pooled[key]
    for norm in norms:
        out = norm(out)
    return out


def _zeros(x: Tensor, channels: int, stride: int) -> Tensor:
    """What an edge gives that computes nothing."""
    return torch.zeros_like(x[:, :1, ::stride, ::stride]).expand(-1, channels, -1, -1)

"""What every edge of a relaxed network reads and what each of its operations gives, one by one (torch).

The plain form of `Relaxable.mixed`, slow and without sharing, for whoever looks into an edge; its logits are the same.
Networks whose operations sit on edges: NAS-Bench-201 and the DARTS family, all channels through the operations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..core.errors import ParameterError
from .darts_supernet import DartsSupernet
from .mixture import Mixture, Place, each_cell, weighted_sum
from .nb201_supernet import NB201Supernet, SharedCell


class EdgeOutputs(NamedTuple):
    """One edge of one cell.

    Attributes
    ----------
    position: of the cell. place: of the decision.
    read: the edge's input, (batch, channels, height, width). outputs: operation -> its output; ``none`` is left out.
    weights: operation -> its weight in the mixture.
    """

    position: int
    place: Place
    read: Tensor
    outputs: Mapping[str, Tensor]
    weights: Mapping[str, Tensor]

    @property
    def mixed(self) -> Tensor | None:
        """The edge's output: outputs times weights; None of an edge that computes nothing."""
        return weighted_sum([self.weights[op] * out for op, out in self.outputs.items()])


#: Handed every edge in turn, in the order in which they are computed.
See = Callable[[EdgeOutputs], object]


def followed(net: nn.Module, x: Tensor, mixture: Mixture | Sequence[Mixture], see: See) -> Tensor:
    """Logits (batch, classes) of `net` under a mixture, edge by edge; `see` is handed each edge.

    `ParameterError` for networks whose operations sit on nodes, or see a part of the channels.
    """
    if isinstance(net, NB201Supernet):
        return _nb201(net, x, mixture, see)
    if isinstance(net, DartsSupernet):
        return _darts(net, x, mixture, see)
    space = getattr(net, "space", type(net).__name__)
    raise ParameterError(f"edges: expected a network whose operations sit on edges (nb201, darts, s1 ...), got {space}")


def _nb201(net: NB201Supernet, x: Tensor, mixture: Mixture | Sequence[Mixture], see: See) -> Tensor:
    each = each_cell(net, mixture)
    position = 0
    for layer in net.features:
        if not isinstance(layer, SharedCell):
            x = layer(x)
            continue
        _whole(layer.partial)
        values = [x]
        for target in (1, 2, 3):
            terms = []
            for source in range(target):
                place = Place("cell", f"{source}-{target}")
                terms.append(_edge(layer.edges, position, place, values[source], each[position], see))
            values.append(_total(terms, x))
        x, position = values[3], position + 1
    out: Tensor = net.classifier(x)
    return out


def _darts(net: DartsSupernet, x: Tensor, mixture: Mixture | Sequence[Mixture], see: See) -> Tensor:
    each = each_cell(net, mixture)

    def run(position: int, before: Tensor, last: Tensor) -> Tensor:
        cell = net._cell(position)
        _whole(cell.partial)
        kind = "reduce" if cell.reduces else "normal"

        def node(number: int, states: Sequence[Tensor]) -> Tensor:
            places = [Place(kind, f"{source}-{number}") for source in range(number)]
            terms = [
                _edge(cell.edges, position, place, states[source], each[position], see)
                for source, place in enumerate(places)
            ]
            stride = cell.place.stride(0)
            return _total(terms, states[0][:, :1, ::stride, ::stride].expand(-1, cell.channels, -1, -1))

        return cell.compute(before, last, node)

    return net.body(x, run)[0]  # type: ignore[no-any-return]


def _edge(edges: nn.ModuleDict, position: int, place: Place, read: Tensor, mixture: Mixture, see: See) -> Tensor | None:
    row = mixture.rows.get(place, {})
    modules: Mapping[str, nn.Module] = edges[place.edge]  # type: ignore[assignment]
    outputs = {op: modules[op](read) for op in row if op != "none"}
    edge = EdgeOutputs(position, place, read, outputs, row)
    see(edge)
    return edge.mixed


def _total(terms: Sequence[Tensor | None], like: Tensor) -> Tensor:
    total = weighted_sum([term for term in terms if term is not None])
    return torch.zeros_like(like) if total is None else total


def _whole(partial: int) -> None:
    if partial > 1:
        raise ParameterError(f"edges: expected all channels through the operations, got a {partial}th (partial)")

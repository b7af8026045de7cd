"""What the networks of the DARTS family are built of: skeleton, stem, cells, auxiliary head, classifier.

`Body` is the fixed network around the cells; a `FixedCell` holds the operations of one genotype, a
`SharedCell` all candidate operations of all edges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from ..core.errors import NasAnalysisError, UnknownNameError
from ..spaces.darts_costs import Network, network
from ..spaces.darts_genotype import Cell, Edge
from .darts_mixed import mixed_cell
from .darts_operations import FactorizedReduce, operation, relu_conv_bn
from .mixture import Mixture, part_of, require_whole
from .randomness import Randomness


@dataclass(frozen=True)
class DartsSkeleton(Network):
    """The network around the cells; the defaults are those of DARTS's search on CIFAR-10.

    Attributes
    ----------
    kind: ``search`` (batch-norms of the cells without parameters, one more after each pooling) or ``evaluation``.
    channels, cells: C of the first cell (even), and the number of cells; those at one and two thirds of the depth
        reduce: they double C and halve the image.
    image_size: pixels, a multiple of 4; 224 or more gets the ImageNet stem and is a multiple of 32.
    classes: outputs of the classifier.
    auxiliary: whether there is an auxiliary head at two thirds of the depth (3 cells or more; images of 32 to 40, or
        224 to 256 pixels).
    input_channels: 3 for colour, 1 for grey.
    """

    kind: Literal["search", "evaluation"] = "search"
    channels: int = 16
    cells: int = 8
    image_size: int = 32
    classes: int = 10
    auxiliary: bool = False
    input_channels: int = 3

    def __post_init__(self) -> None:
        if self.kind not in ("search", "evaluation"):
            raise UnknownNameError("network", self.kind, ("search", "evaluation"))
        for name in ("channels", "cells", "image_size", "classes", "input_channels"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise NasAnalysisError(f"{name}: expected a positive integer, got {value!r}")
        if self.channels % 2:
            raise NasAnalysisError(
                f"channels: expected an even number (a factorised reduction halves it), got {self.channels}"
            )
        multiple = 32 if self.imagenet else 4
        if self.image_size % multiple:
            raise NasAnalysisError(
                f"image_size: expected a multiple of {multiple} (every reduction halves it), got {self.image_size}"
            )
        if self.auxiliary and self.cells < 3:
            raise NasAnalysisError(f"auxiliary: expected at least 3 cells for an auxiliary head, got {self.cells}")
        sizes = (224, 256) if self.imagenet else (32, 36, 40)
        if self.auxiliary and self.image_size not in sizes:
            raise NasAnalysisError(
                f"auxiliary: the head is made for images of {', '.join(map(str, sizes))} pixels, got "
                f"{self.image_size}; leave it out"
            )

    @property
    def affine(self) -> bool:
        """Whether the batch-norms of the cells have parameters."""
        return self.kind == "evaluation"


def darts_skeleton(
    dataset: str = "cifar10",
    kind: str = "evaluation",
    *,
    channels: int | None = None,
    cells: int | None = None,
    auxiliary: bool = False,
) -> DartsSkeleton:
    """The skeleton that DARTS uses on `dataset`: evaluation C = 36, 20 cells (ImageNet 48, 14), search 16, 8."""
    return DartsSkeleton(**asdict(network(dataset, kind, channels=channels, cells=cells, auxiliary=auxiliary)))


@dataclass(frozen=True)
class Place:
    """Where a cell stands.

    Attributes
    ----------
    inputs: channels of the cell before the last one, and of the last one.
    channels: of the cell itself.
    reduces: whether it is a reduction cell.
    after_reduction: whether the last cell reduced, so that the cell before it is twice as large.
    """

    inputs: tuple[int, int]
    channels: int
    reduces: bool
    after_reduction: bool

    def stride(self, source: int) -> int:
        """The stride of an edge that starts at node `source`."""
        return 2 if self.reduces and source < 2 else 1


class DartsCell(nn.Module):
    """Brings its two inputs to the cell's channels; intermediate nodes are sums, all of them concatenated."""

    def __init__(self, place: Place, nodes: int, *, affine: bool, randomness: Randomness) -> None:
        super().__init__()
        self.reduces, self.channels, self.nodes, self.randomness = place.reduces, place.channels, nodes, randomness
        self.preprocess0: nn.Module = (
            FactorizedReduce(place.inputs[0], place.channels, affine=affine)
            if place.after_reduction
            else relu_conv_bn(place.inputs[0], place.channels, affine=affine)
        )
        self.preprocess1 = relu_conv_bn(place.inputs[1], place.channels, affine=affine)

    def compute(self, before: Tensor, last: Tensor, value: Callable[[int, Sequence[Tensor]], Tensor]) -> Tensor:
        """The cell's output; ``value(node, states)`` is that of one intermediate node."""
        states = [self.preprocess0(before), self.preprocess1(last)]
        for node in range(2, self.nodes + 2):
            states.append(value(node, states))
        return torch.cat(states[2:], dim=1)

    def path_sum(self, states: Sequence[Tensor], inputs: Iterable[tuple[nn.Module, int]]) -> Tensor:
        """The sum over ``(operation, predecessor)``; in training with drop-path on all but the identity."""
        return _sum(
            module(states[source])
            if not self.training or isinstance(module, nn.Identity)
            else self.randomness.drop(module(states[source]))
            for module, source in inputs
        )


class FixedCell(DartsCell):
    """The cell of one genotype: ``operations`` in the genotype's order, two for each node."""

    def __init__(self, cell: Cell, place: Place, *, affine: bool, randomness: Randomness) -> None:
        super().__init__(place, len(cell), affine=affine, randomness=randomness)
        edges = [edge for node in cell for edge in node]
        self.sources = [source for _, source in edges]
        self.operations = nn.ModuleList(
            operation(op, place.channels, place.stride(source), affine=affine, randomness=randomness)
            for op, source in edges
        )

    def forward(self, before: Tensor, last: Tensor) -> Tensor:
        return self.compute(before, last, self._node)

    def _node(self, node: int, states: Sequence[Tensor]) -> Tensor:
        return self.path_sum(states, ((self.operations[i], self.sources[i]) for i in (2 * node - 4, 2 * node - 3)))


class SharedCell(DartsCell):
    """The weights of every candidate operation of every edge: ``edges["source-node"][operation]``."""

    def __init__(
        self,
        candidates: Mapping[tuple[int, int], Sequence[str]],
        place: Place,
        nodes: int,
        *,
        affine: bool,
        randomness: Randomness,
        partial: int = 1,
    ) -> None:
        super().__init__(place, nodes, affine=affine, randomness=randomness)
        self.place, self.partial = place, partial
        through = part_of(place.channels, partial)
        self.edges = nn.ModuleDict(
            {
                edge_name(source, node): nn.ModuleDict(
                    {
                        op: operation(op, through, place.stride(source), affine=affine, randomness=randomness)
                        for op in ops
                    }
                )
                for (node, source), ops in candidates.items()
            }
        )

    def forward(self, before: Tensor, last: Tensor, cell: Cell) -> Tensor:
        """The cell's output with two edges and one operation on each for every node."""
        require_whole(self.partial)

        def node(number: int, states: Sequence[Tensor]) -> Tensor:
            return self.path_sum(states, ((self._module(edge, number), edge[1]) for edge in cell[number - 2]))

        return self.compute(before, last, node)

    def mixed(self, before: Tensor, last: Tensor, mixture: Mixture) -> Tensor:
        """The cell's output under a mixture (`nasanalysis.networks.darts_mixed`)."""
        return mixed_cell(self, before, last, mixture)

    def _module(self, edge: Edge, node: int) -> nn.Module:
        op, source = edge
        return self.edges[edge_name(source, node)][op]  # type: ignore[index, no-any-return]


def edge_name(source: int, node: int) -> str:
    """The name of an edge in a supernet's state."""
    return f"{source}-{node}"


def _sum(terms: Iterable[Tensor]) -> Tensor:
    """Their sum, without the zero that Python's own begins with."""
    each = iter(terms)
    total = next(each)
    for term in each:
        total = total + term
    return total

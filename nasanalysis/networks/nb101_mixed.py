"""The relaxed network of the NAS-Bench-1shot1 spaces (torch): operations of the nodes and inputs of the nodes, weighed.

That of Zela, Siems and Hutter 2020 (Section 4): every choice node is as wide as its cell says, whatever the
architecture, so its weights are nobody's to inherit; the one-shot supernet whose architectures are those of
NAS-Bench-101 is `nasanalysis.networks.nb101.NB1Shot1Supernet`. A node reads the cell's input through a 1x1 convolution
of its own and the nodes before it as they are, each times its weight; the cell's output is its weighed nodes side by
side, and the weighed projection of its input added.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..core.errors import UnknownNameError
from ..spaces.base import Arch
from ..spaces.nb1shot1 import OPERATIONS, SPACES_1SHOT1
from ..spaces.nb101_enumeration import Skeleton101
from .capabilities import InputShape
from .config import NetworkConfig
from .mixture import Decision, Mixture, Place, each_cell, weighted_sum
from .nb101 import skeleton_of
from .randomness import Randomness

#: Parents of each node in turn, output last, and the operation of each choice node (`NB1Shot1.choice`).
Chosen = tuple[tuple[tuple[int, ...], ...], tuple[int, ...]]


def decisions_of(space: str) -> tuple[Decision, ...]:
    """The operation of every choice node, and the inputs of every node, output included, that may choose them."""
    parents = SPACES_1SHOT1[space].parents
    operations = [Decision(Place("cell", f"node-{node}"), OPERATIONS) for node in range(1, len(parents))]
    inputs = [
        Decision(Place("cell", f"inputs-{node}"), tuple(map(str, range(node))), kind="input", keeps=count)
        for node, count in enumerate(parents, start=1)
        if count < node
    ]
    return (*operations, *inputs)


def _conv_bn_relu(inputs: int, outputs: int, kernel: int, *, affine: bool) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs, affine=affine),
        nn.ReLU(),
    )


def _operation(name: str, channels: int) -> nn.Module:
    if name == OPERATIONS[0]:
        return nn.MaxPool2d(3, stride=1, padding=1)
    return _conv_bn_relu(channels, channels, 3 if name.startswith("conv3x3") else 1, affine=False)


class MixedModule(nn.Module):
    """One cell: `nodes` choice nodes of `channels` each; (batch, inputs, ...) -> (batch, nodes * channels, ...)."""

    def __init__(self, nodes: int, inputs: int, channels: int) -> None:
        super().__init__()
        self.nodes = nodes
        self.operations = nn.ModuleDict(
            {
                f"node-{node}": nn.ModuleDict({name: _operation(name, channels) for name in OPERATIONS})
                for node in range(1, nodes + 1)
            }
        )
        self.projections = nn.ModuleList(_conv_bn_relu(inputs, channels, 1, affine=True) for _ in range(nodes))
        self.around = _conv_bn_relu(inputs, nodes * channels, 1, affine=True)

    def mixed(self, x: Tensor, mixture: Mixture) -> Tensor:
        values: list[Tensor] = []
        for node in range(1, self.nodes + 1):
            states = [self.projections[node - 1](x), *values]
            rows = mixture.rows.get(Place("cell", f"inputs-{node}"))
            read = [
                state if rows is None else rows[str(source)] * state
                for source, state in enumerate(states)
                if rows is None or str(source) in rows
            ]
            total = weighted_sum(read)
            total = torch.zeros_like(states[0]) if total is None else total
            values.append(self._operations(node, total, mixture))
        rows = mixture.rows.get(Place("cell", f"inputs-{self.nodes + 1}"))
        parts = [
            value if rows is None else value * rows[str(node)] if str(node) in rows else torch.zeros_like(value)
            for node, value in enumerate(values, start=1)
        ]
        out = torch.cat(parts, 1)
        if rows is None:
            return out + self.around(x)  # type: ignore[no-any-return]
        return out + rows["0"] * self.around(x) if "0" in rows else out

    def _operations(self, node: int, x: Tensor, mixture: Mixture) -> Tensor:
        place = Place("cell", f"node-{node}")
        modules = self.operations[place.edge]
        terms = [weight * modules[name](x) for name, weight in mixture.rows.get(place, {}).items()]  # type: ignore[index]
        total = weighted_sum(terms)
        total = torch.zeros_like(x) if total is None else total
        if place in mixture.constants:
            total = total + mixture.constants[place]
        return total


class NB1Shot1Mixed(nn.Module):
    """The relaxed network of ``nb101-1``, ``nb101-2`` or ``nb101-3``; `UnknownNameError` for any other.

    Three stacks of modules with 2x2 max-pooling between, widths doubled there, a 1x1 convolution, the mean, a dense
    layer.
    """

    def __init__(self, space: str, skeleton: Skeleton101) -> None:
        if space not in SPACES_1SHOT1:
            raise UnknownNameError("NAS-Bench-1shot1 space", space, SPACES_1SHOT1)
        super().__init__()
        self.space, self.skeleton = space, skeleton
        self.depth = 3 * skeleton.cells
        self.decisions = decisions_of(space)
        self.edge_decisions: tuple[Decision, ...] = ()
        self.randomness = Randomness()
        nodes = SPACES_1SHOT1[space].choices
        self.stem = _conv_bn_relu(skeleton.input_channels, skeleton.channels, 3, affine=True)
        width, inputs = skeleton.channels, skeleton.channels
        cells = []
        for position in range(self.depth):
            width *= 2 if position and position % skeleton.cells == 0 else 1
            cells.append(MixedModule(nodes, inputs, width))
            inputs = nodes * width
        self.cells = nn.ModuleList(cells)
        self.after = nn.Sequential(
            nn.ReLU(), nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width, affine=False)
        )
        self.classifier = nn.Linear(width, skeleton.classes)

    def mixed(self, x: Tensor, mixture: Mixture | Sequence[Mixture]) -> Tensor:
        """See `nasanalysis.networks.mixture.Relaxable`."""
        x = self.stem(x)
        for position, (cell, one) in enumerate(zip(self.cells, each_cell(self, mixture), strict=True)):
            if position and position % self.skeleton.cells == 0:
                x = F.max_pool2d(x, 2)
            x = cell.mixed(x, one)  # type: ignore[operator]
        out: Tensor = self.classifier(self.after(x).mean((2, 3)))
        return out

    def choice(self, arch: Arch | str) -> Chosen:
        """An architecture as `chosen` takes it."""
        return SPACES_1SHOT1[self.space].choice(arch)

    def sample(self, rng: np.random.Generator) -> Chosen:
        """One architecture, uniform over the encodings."""
        return self.choice(SPACES_1SHOT1[self.space].sample(1, rng)[0])

    sample_fed = sample

    def chosen(self, choice: Chosen) -> dict[Place, tuple[str, ...]]:
        """What an architecture has at each place, for `nasanalysis.networks.mixture.one_hot`."""
        parents, operations = choice
        table: dict[Place, tuple[str, ...]] = {
            Place("cell", f"node-{node}"): (OPERATIONS[op],) for node, op in enumerate(operations, start=1)
        }
        known = {d.place for d in self.decisions}
        for node, sources in enumerate(parents, start=1):
            if (place := Place("cell", f"inputs-{node}")) in known:
                table[place] = tuple(map(str, sources))
        return table


def relaxed(space: str, network: NetworkConfig, shape: InputShape) -> NB1Shot1Mixed:
    """See `nasanalysis.networks.build.RELAXED`."""
    return NB1Shot1Mixed(space, skeleton_of(network, shape))

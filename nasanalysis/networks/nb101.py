"""Networks of NAS-Bench-101 cells (torch), and one-shot supernets of the three NAS-Bench-1shot1 spaces.

The network is that of Ying et al. 2019 (Section 2.1 and the benchmark's ``model_builder``): a 3x3 stem,
three stacks of modules with 2x2 max-pooling between, global mean, dense layer; every convolution is
followed by batch-norm and ReLU. `Skeleton101` gives its size. Initial weights and the momentum of batch-norm
(0.1 for the newest batch) are torch's defaults; the benchmark's momentum is 0.003, for 108 epochs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..core.errors import ArchError, UnknownNameError
from ..spaces.base import Arch
from ..spaces.nb1shot1 import SPACES_1SHOT1
from ..spaces.nb101_enumeration import Skeleton101
from ..spaces.nb101_graph import SHORT, Cell
from .base import Choice, Supernet
from .capabilities import InputShape
from .config import NetworkConfig
from .nb101_plan import OUTPUT, Plan, Wiring, encoded, plan, wiring


def run_module(
    x: Tensor,
    todo: Plan,
    operation: Callable[[str, Tensor], Tensor],
    project: Callable[[str, Tensor, int], Tensor],
    copies: int = 1,
) -> Tensor:
    """A module: ``operation(name, x)`` keeps the width of x, ``project(name, x, width)`` gives `width`.

    `copies`: networks side by side in the channels, each with widths of its own.
    """
    values: dict[int, Tensor] = {}
    for node, name, sources, projection, width in todo.steps:
        total = None if projection is None else project(projection, x, width)
        for source in sources:
            read = values[source]
            if read.shape[1] != copies * width:
                narrow = read.unflatten(1, (copies, -1))[:, :, :width]
                read = narrow.flatten(1, 2) if copies > 1 else narrow[:, 0]
            total = read if total is None else total + read
        assert total is not None  # pruned: every vertex reads something
        values[node] = operation(name, total)
    out = None
    if todo.joined:
        out = _joined([values[v] for v in todo.joined], copies)
    if todo.projection is not None:
        projected = project(todo.projection, x, todo.width)
        out = projected if out is None else out + projected
    assert out is not None
    return out


def _joined(parts: Sequence[Tensor], copies: int) -> Tensor:
    if len(parts) == 1:
        return parts[0]
    if copies == 1:
        return torch.cat(list(parts), 1)
    return torch.cat([part.unflatten(1, (copies, -1)) for part in parts], 2).flatten(1, 2)


class ConvBnRelu(nn.Module):
    """Convolution without bias that keeps the image size, batch-norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.relu(self.norm(self.convolution(x)))
        return out


class SlicedConv(ConvBnRelu):
    """`ConvBnRelu` of which the first channels are used: as many as x has, and as many as are asked for.

    In training the running statistics of exactly these channels are updated.
    """

    def forward(self, x: Tensor, width: int | None = None) -> Tensor:
        """`width` is that of x if not given."""
        convolution, norm = self.convolution, self.norm
        inputs = x.shape[1]
        outputs = inputs if width is None else width
        if inputs == convolution.in_channels and outputs == convolution.out_channels:
            return super().forward(x)
        mean, variance, batches, momentum = norm.running_mean, norm.running_var, norm.num_batches_tracked, norm.momentum
        if mean is None or variance is None or batches is None or momentum is None:
            raise RuntimeError("expected batch-norm with running statistics and a momentum, as it was built")
        if self.training:
            batches.add_(1)
        x = F.conv2d(x, convolution.weight[:outputs, :inputs], padding=convolution.padding)
        x = F.batch_norm(
            x,
            mean[:outputs],  # views: training writes through them
            variance[:outputs],
            norm.weight[:outputs],
            norm.bias[:outputs],
            self.training,
            momentum,
            norm.eps,
        )
        return F.relu(x)


def operation_module(name: str, channels: int, convolution: Callable[[int, int, int], nn.Module]) -> nn.Module:
    """The module of an operation; ``convolution(inputs, outputs, kernel)`` makes one."""
    return nn.MaxPool2d(3, stride=1, padding=1) if name == SHORT[2] else convolution(channels, channels, int(name[-1]))


class CellModule(nn.Module):
    """One module of one cell; (batch, inputs, height, width) -> (batch, outputs, height, width)."""

    #: Networks side by side in the channels (see `nasanalysis.networks.stacked`).
    copies = 1

    def __init__(self, graph: Wiring, inputs: int, outputs: int) -> None:
        super().__init__()
        self.plan = plan(graph, outputs)
        self.operations = nn.ModuleDict(
            {s.operation: operation_module(s.operation.split("-")[1], s.width, ConvBnRelu) for s in self.plan.steps}
        )
        widths = {s.projection: s.width for s in self.plan.steps} | {self.plan.projection: outputs}
        self.projections = nn.ModuleDict(
            {name: ConvBnRelu(inputs, width, 1) for name, width in widths.items() if name is not None}
        )

    def forward(self, x: Tensor) -> Tensor:
        return run_module(
            x,
            self.plan,
            lambda name, x: self.operations[name](x),
            lambda name, x, _: self.projections[name](x),
            self.copies,
        )


class SharedModule(nn.Module):
    """The weights of every operation on every choice node, and of every projection of the input."""

    def __init__(self, parents: Sequence[int], inputs: int, outputs: int) -> None:
        super().__init__()
        # The widest vertex: the output has one parent fewer than usual, since it reads the input too.
        widest = -(-outputs // (parents[-1] - 1))
        nodes = range(1, len(parents))
        self.operations = nn.ModuleDict(
            {f"{node}-{name}": operation_module(name, widest, SlicedConv) for node in nodes for name in SHORT}
        )
        self.projections = nn.ModuleDict({str(node): SlicedConv(inputs, widest, 1) for node in nodes})
        self.projections[OUTPUT] = SlicedConv(inputs, outputs, 1)
        self.outputs = outputs

    def forward(self, x: Tensor, graph: Wiring) -> Tensor:
        return run_module(
            x,
            plan(graph, self.outputs),
            lambda name, x: self.operations[name](x),
            lambda name, x, width: self.projections[name](x, width),
        )


def _run_network(
    net: NB101Network | NB1Shot1Supernet, x: Tensor, modules: Iterable[Callable[[Tensor], Tensor]]
) -> Tensor:
    x = net.stem(x)
    for number, module in enumerate(modules):
        if number and number % net.skeleton.cells == 0:
            x = F.max_pool2d(x, 2)
        x = module(x)
    out: Tensor = net.classifier(x.mean((2, 3)))
    return out


class NB101Network(nn.Module):
    """The network of one cell; (batch, input_channels, size, size) -> (batch, classes).

    Parameters
    ----------
    arch: an architecture of ``nb101`` or its text, a `Cell` in any order of vertices (it is pruned), or a
        NAS-Bench-1shot1 encoding, whose network is that of its cell.
    skeleton: size of the network.

    Trainable parameters are ``get_space("nb101").params`` with the same skeleton. `ArchError` if it is no
    cell, `NasAnalysisError` if the skeleton is too narrow for it.
    """

    def __init__(self, arch: Arch | Cell | Wiring | str, skeleton: Skeleton101) -> None:
        super().__init__()
        graph = arch if isinstance(arch, Wiring) else wiring(arch)
        self.skeleton = skeleton
        #: What the network computes but for its weights (see `nasanalysis.networks.stacked`).
        self.structure = (graph, skeleton)
        self.stem = ConvBnRelu(skeleton.input_channels, skeleton.channels, 3)
        self.cells = nn.ModuleList(CellModule(graph, inputs, outputs) for inputs, outputs, _ in skeleton.modules())
        self.classifier = nn.Linear(4 * skeleton.channels, skeleton.classes)

    def forward(self, x: Tensor) -> Tensor:
        return _run_network(self, x, self.cells)

    def search_cells(self) -> list[nn.Module]:
        """The modules, from the first to the last. Every parameter is in use: the cell is pruned."""
        return list(self.cells)

    def feature_blocks(self) -> list[nn.Module]:
        """The stem, then the modules."""
        return [self.stem, *self.cells]


class NB1Shot1Supernet(Supernet):
    """The one-shot supernet of a NAS-Bench-1shot1 space: `subnet` is exactly the network of NAS-Bench-101.

    A choice node holds its three operations and a projection of the input; so does the output hold a projection.
    Weights are as wide as the widest vertex of any architecture, and an architecture uses their
    first channels: as many as its vertices have in NAS-Bench-101.

    This is not the supernet of Zela, Siems and Hutter 2020. There every node has the same width whatever the
    architecture, so that what is trained has other shapes, other parameters and other costs than the network
    whose accuracy the benchmark records. Here the inherited network is the recorded one: parameters equal
    ``get_space(space).params``, and inherited weights can go on training as that network. The price is
    that the first channels of a weight are trained more often than the last.

    Loose ends of an encoding are not computed, so their weights get no gradient. Encodings that are one
    cell may use different weights: each choice node keeps its own.

    Parameters
    ----------
    space: ``nb101-1``, ``nb101-2`` or ``nb101-3``; `UnknownNameError` for any other.
    skeleton: size of the network.
    """

    def __init__(self, space: str, skeleton: Skeleton101) -> None:
        if space not in SPACES_1SHOT1:
            raise UnknownNameError("NAS-Bench-1shot1 space", space, SPACES_1SHOT1)
        super().__init__()
        self.space = space
        self.skeleton = skeleton
        self.depth = 3 * skeleton.cells
        parents = SPACES_1SHOT1[space].parents
        self.stem = ConvBnRelu(skeleton.input_channels, skeleton.channels, 3)
        self.cells = nn.ModuleList(SharedModule(parents, inputs, outputs) for inputs, outputs, _ in skeleton.modules())
        self.classifier = nn.Linear(4 * skeleton.channels, skeleton.classes)

    def choice(self, arch: Arch | str) -> Wiring:
        if isinstance(arch, Arch) and arch.space != self.space:
            SPACES_1SHOT1[self.space].encoding(arch)  # raises, and says what is wrong
        key = arch.key if isinstance(arch, Arch) else Arch.from_text(arch, self.space).key
        return encoded(self.space, key)

    def forward(self, x: Tensor, choices: Choice | Sequence[Choice]) -> Tensor:
        each = self.per_cell(choices)
        for choice in each:
            if not isinstance(choice, Wiring) or choice.space != self.space:
                raise ArchError(
                    f"{self.space}: expected choices that `choice` or `sample` of this supernet gave, got {choice!r}"
                )
        return _run_network(self, x, [partial(cell, graph=graph) for cell, graph in zip(self.cells, each, strict=True)])

    def standalone(self, arch: Arch | str) -> NB101Network:
        return NB101Network(self.choice(arch), self.skeleton)

    def inherited(self, arch: Arch | str) -> Mapping[str, Tensor]:
        with torch.device("meta"):
            shapes = {name: value.shape for name, value in self.standalone(arch).state_dict().items()}
        shared = self.state_dict()
        return {name: shared[name][tuple(slice(size) for size in shape)] for name, shape in shapes.items()}


def skeleton_of(network: NetworkConfig, shape: InputShape) -> Skeleton101:
    """The skeleton that a configuration asks for, for images of `shape`."""
    return Skeleton101(shape.size, shape.classes, network.channels, network.cells, shape.inputs)


def supernet(space: str, network: NetworkConfig, shape: InputShape) -> NB1Shot1Supernet:
    """See `nasanalysis.networks.build`."""
    return NB1Shot1Supernet(space, skeleton_of(network, shape))


def alone(arch: Arch, network: NetworkConfig, shape: InputShape) -> NB101Network:
    """One architecture of ``nb101`` or of a NAS-Bench-1shot1 space (see `nasanalysis.networks.build`)."""
    return NB101Network(arch, skeleton_of(network, shape))

"""Networks of the NAS-Bench-201 topology space (torch): one architecture by itself.

The published network (Dong and Yang 2020) and the digits network differ only in their `Skeleton`; the one-shot
supernet is in `nasanalysis.networks.nb201_supernet`.
Weights are drawn from the generator that is passed in; torch's global generator is neither read nor
advanced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import torch
from torch import Tensor, nn

from ..measures.paths import Constant, Piece, WeightPaths
from ..spaces.base import Arch
from ..spaces.nb201 import OPERATIONS, SPACE
from ..spaces.nb201_isomorphism import EDGES
from ..spaces.skeletons import Skeleton
from .base import initialised
from .capabilities import InputShape
from .config import NetworkConfig

#: The six operations of a cell, in the order of the architecture string.
Ops = tuple[str, ...]


def relu_conv_bn(inputs: int, outputs: int, kernel: int, stride: int = 1, *, affine: bool = True) -> nn.Sequential:
    """ReLU, convolution without bias, batch-norm: the convolution edge of NAS-Bench-201."""
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs, affine=affine),
    )


def edge_operation(name: str, channels: int, *, affine: bool = True) -> nn.Module:
    """The module of one edge (``none`` has none: the edge is left out)."""
    if name == "skip_connect":
        return nn.Identity()
    if name == "avg_pool_3x3":
        return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
    if name in ("nor_conv_1x1", "nor_conv_3x3"):
        return relu_conv_bn(channels, channels, int(name[-1]), affine=affine)
    raise ValueError(f"expected one of {OPERATIONS[1:]}, got {name!r}")


@lru_cache(maxsize=1 << 14)
def read_edges(ops: Ops) -> tuple[tuple[int, int, str], ...]:
    """(target, source, operation) of the edges from which something reaches the output, in string order."""
    reaches, kept = {3}, []
    for op, (target, source) in zip(reversed(ops), reversed(EDGES), strict=True):
        if op != "none" and target in reaches:
            reaches.add(source)
            kept.append((target, source, op))
    return tuple(reversed(kept))


def sum_edges(x: Tensor, edges: Sequence[tuple[int, int, str]], operation: Callable[[str, str], nn.Module]) -> Tensor:
    """The cell: node j is the sum of its edges. ``operation(edge, name)`` gives the module of one."""
    nodes: list[Tensor | None] = [x, None, None, None]
    for target, source, name in edges:
        read = nodes[source]
        # a node without inputs is zero, and a convolution of zero still has an offset
        term = operation(f"{source}-{target}", name)(torch.zeros_like(x) if read is None else read)
        total = nodes[target]
        nodes[target] = term if total is None else total + term
    out = nodes[3]
    return torch.zeros_like(x) if out is None else out


class Cell(nn.Module):
    """The cell of one architecture; input and output are (batch, channels, height, width)."""

    def __init__(self, ops: Sequence[str], channels: int, *, affine: bool = True) -> None:
        super().__init__()
        self.affine = affine
        self.read = read_edges(tuple(ops))
        self.edges = nn.ModuleDict(
            {
                f"{source}-{target}": edge_operation(op, channels, affine=affine)
                for op, (target, source) in zip(ops, EDGES, strict=True)
                if op != "none"
            }
        )

    def forward(self, x: Tensor) -> Tensor:
        return sum_edges(x, self.read, lambda edge, _: self.edges[edge])

    def used(self, fed: bool) -> tuple[list[str], bool]:
        """Names of the parameters that the output depends on, and whether it depends on anything but zeros.

        `fed`: whether the cell's input does. A convolution of zeros is zero whatever its weights, its batch-norm not
        if it has an offset.
        """
        names: list[str] = []
        live = {0} if fed else set()
        for target, source, op in self.read:
            if op.startswith("nor_conv"):
                edge = f"{source}-{target}"
                weights = [f"edges.{edge}.{name}" for name, _ in self.edges[edge].named_parameters()]
                names += weights if source in live else weights[1:]
                if self.affine or source in live:
                    live.add(target)
            elif source in live:
                live.add(target)
        return names, 3 in live


#: Paths from input to output, in the order of RLNAS's code.
PATHS = (("0-3",), ("0-2", "2-3"), ("0-1", "1-2", "2-3"), ("0-1", "1-3"))


class ResidualReduction(nn.Module):
    """Two 3x3 convolutions, the first of stride 2, and a pooled 1x1 shortcut: halves the image."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(relu_conv_bn(inputs, outputs, 3, stride=2), relu_conv_bn(outputs, outputs, 3))
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(inputs, outputs, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.convolutions(x) + self.shortcut(x)
        return out


def pool_reduction(inputs: int, outputs: int) -> nn.Sequential:
    """2x2 average pooling, 1x1 convolution, batch-norm: halves the image and leaves the work to the cells."""
    return nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))


def features(skeleton: Skeleton, cell: Callable[[int], nn.Module]) -> Iterator[nn.Module]:
    """Stem, three stages of cells with reductions between, pooling; ``cell(channels)`` makes one cell."""
    kernel, width = skeleton.stem_kernel, skeleton.channels
    yield nn.Conv2d(skeleton.input_channels, width, kernel, padding=kernel // 2, bias=False)
    yield nn.BatchNorm2d(width)
    for stage in range(3):
        yield from (cell(width) for _ in range(skeleton.cells))
        if stage < 2:
            reduction = ResidualReduction if skeleton.reduction == "residual" else pool_reduction
            yield reduction(width, 2 * width)
            width *= 2
    yield from (nn.BatchNorm2d(width), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())


class CellNetwork(nn.Module):
    """The network of one architecture; (batch, input_channels, size, size) -> (batch, classes)."""

    def __init__(self, arch: Arch | str, skeleton: Skeleton) -> None:
        super().__init__()
        ops = SPACE.operations(arch)
        #: What the network computes but for its weights (see `nasanalysis.networks.stacked`).
        self.structure = (ops, skeleton)
        self.features = nn.Sequential(*features(skeleton, lambda channels: Cell(ops, channels, affine=skeleton.affine)))
        self.classifier = nn.Linear(skeleton.stages[-1][0], skeleton.classes)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.classifier(self.features(x))
        return out

    def search_cells(self) -> list[Cell]:
        """The cells, from the first to the last."""
        return [module for module in self.features if isinstance(module, Cell)]

    def feature_blocks(self) -> list[nn.Module]:
        """The stem (its batch-norm), then cells and reductions."""
        return list(self.features)[1:-4]

    def used_parameters(self) -> list[str]:
        """Names of the parameters that the output depends on, in evaluation mode.

        Those of edges from which nothing reaches the output are left out, and the weights of a convolution that
        reads zeros. Where no path leads through a cell, so is all that lies before the last cell.
        """
        names: list[str] = []
        connected = _connected(self.structure[0])
        fed = True
        for number, module in enumerate(self.features):
            used = [name for name, _ in module.named_parameters()]
            if isinstance(module, Cell):
                used, fed = module.used(fed)
                names = names if connected else []  # what came before ends here
            elif not fed:
                used = _used_of_zeros(module)
                fed = bool(used)
            names += [f"features.{number}.{name}" for name in used]
        return [*names, "classifier.weight", "classifier.bias"]

    def weight_paths(self) -> WeightPaths:
        """RLNAS's vector (Zhang et al. 2021, Section 3.2, and its code): see `nasanalysis.measures.angle`.

        Once: stem, reductions, last batch-norm, classifier. Along the four paths of each cell: the weights of the
        convolutions (not their batch-norms); average pooling stands as a 3x3 kernel of 1/9 for every channel, a
        skip as nothing, and a path with ``none`` is left out.
        """
        ops = {f"{s}-{t}": op for op, (t, s) in zip(self.structure[0], EDGES, strict=True)}
        once = [
            f"features.{number}.{name}"
            for number, module in enumerate(self.features)
            if not isinstance(module, Cell)
            for name, _ in module.named_parameters()
        ]
        cells = [(n, module) for n, module in enumerate(self.features) if isinstance(module, Cell)]
        widths = [width for width, _ in self.structure[1].stages for _ in range(self.structure[1].cells)]
        paths: list[tuple[Piece, ...]] = []
        for path in PATHS:
            if any(ops[edge] == "none" for edge in path):
                continue
            pieces: list[Piece] = []
            for (number, _), width in zip(cells, widths, strict=True):
                for edge in path:
                    if ops[edge].startswith("nor_conv"):
                        pieces.append(f"features.{number}.edges.{edge}.1.weight")
                    elif ops[edge] == "avg_pool_3x3":
                        pieces.append(Constant(1 / 9, 9 * width))
            paths.append(tuple(pieces))
        return WeightPaths((*once, "classifier.weight", "classifier.bias"), tuple(paths))


def _connected(ops: Ops) -> bool:
    """Whether a path without ``none`` leads from the input of a cell to its output."""
    return any(source == 0 for _, source, _ in read_edges(ops))


def _used_of_zeros(module: nn.Module) -> list[str]:
    """Names of the parameters of a reduction or batch-norm that count where it reads zeros.

    The first that counts is a batch-norm's; a pooled shortcut, which has none, passes the zeros on.
    """
    names: list[str] = []
    for name, part in module.named_modules():
        if not name.startswith("shortcut") and (
            isinstance(part, nn.BatchNorm2d) or (names and not list(part.children()))
        ):
            names += [f"{name}.{weight}".lstrip(".") for weight, _ in part.named_parameters()]
    return names


def build_network(arch: Arch | str, skeleton: Skeleton, generator: torch.Generator) -> CellNetwork:
    """A freshly initialised network; only `generator` is advanced."""
    with torch.device("meta"):  # no draw from the global generator
        net = CellNetwork(arch, skeleton)
    return initialised(net, generator)


def skeleton_of(network: NetworkConfig, shape: InputShape) -> Skeleton:
    """The skeleton that a configuration asks for, for images of `shape`."""
    return Skeleton(
        image_size=shape.size,
        classes=shape.classes,
        channels=network.channels,
        cells=network.cells,
        input_channels=shape.inputs,
        stem_kernel=network.stem_kernel,
        reduction=network.reduction,  # type: ignore[arg-type]
        affine=network.affine is not False,
    )


def alone(arch: Arch, network: NetworkConfig, shape: InputShape) -> CellNetwork:
    """One architecture (see `nasanalysis.networks.build`)."""
    return CellNetwork(arch, skeleton_of(network, shape))

"""The networks of DARTS (Liu et al. 2019) around two cells: exact parameters and FLOPs by arithmetic.

Two networks, not to be confused:

``search``      the network of the search: C = 16, 8 cells, batch-norms inside the cells without
                parameters, the stem's with; a batch-norm after each pooling
``evaluation``  the network trained from scratch: C = 36, 20 cells, batch-norms with parameters; on
                ImageNet C = 48, 14 cells and a stem of three strided convolutions

In both, cells at one and two thirds of the depth reduce: they double C and halve the image. Each cell
brings its two inputs to C channels first, by ReLU, 1x1 convolution and batch-norm, or by a factorised
reduction where the cell before the last one is larger. A separable convolution is two stacked
depthwise-pointwise pairs, a dilated one a single pair, a skip in a reduction a factorised reduction.
The auxiliary head (evaluation only) is a second classifier at two thirds of the depth, used in
training and thrown away after.

FLOPs are multiply-accumulates of one image in convolutions and classifiers; batch-norm, pooling,
sums and the classifier's bias are free. (DARTS_V2 so has 528 million on CIFAR-10 and 530 million on
ImageNet, where the paper prints 574 million without its definition; the parameters agree.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from ..core.errors import NasAnalysisError, UnknownNameError
from .base import Images
from .darts_genotype import Cell, Genotype

#: Dataset -> (image size, classes).
DATASETS: dict[str, tuple[int, int]] = {
    "cifar10": (32, 10),
    "cifar100": (32, 100),
    "svhn": (32, 10),
    "imagenet": (224, 1000),
}
#: (network, is ImageNet) -> (C, number of cells), the defaults of DARTS's code.
DEFAULTS: dict[tuple[str, bool], tuple[int, int]] = {
    ("search", False): (16, 8),
    ("evaluation", False): (36, 20),
    ("evaluation", True): (48, 14),
}

#: One edge of a cell: operation, predecessor, target node.
Edges = tuple[tuple[str, int], ...]
#: (parameters, multiply-accumulates).
Cost = tuple[int, int]


@dataclass(frozen=True)
class Network:
    """A network of the DARTS family.

    Attributes
    ----------
    kind: ``search`` or ``evaluation``.
    channels, cells: C of the first cell, and the number of cells.
    image_size, classes: of the dataset; an image of 224 or more gets the ImageNet stem.
    auxiliary: whether the auxiliary head is counted.
    """

    kind: Literal["search", "evaluation"]
    channels: int
    cells: int
    image_size: int
    classes: int
    auxiliary: bool

    @property
    def imagenet(self) -> bool:
        return self.image_size >= 224

    @property
    def reductions(self) -> frozenset[int]:
        """Positions of the cells that reduce."""
        return frozenset({self.cells // 3, 2 * self.cells // 3})


def network(
    dataset: str | Images = "cifar10",
    kind: str = "evaluation",
    *,
    channels: int | None = None,
    cells: int | None = None,
    auxiliary: bool = False,
) -> Network:
    """The network that DARTS trains on `dataset`, with other C or number of cells if given."""
    if isinstance(dataset, Images):
        _in_colour(dataset)
    elif dataset not in DATASETS:
        raise UnknownNameError("dataset", dataset, DATASETS)
    if kind not in ("search", "evaluation"):
        raise UnknownNameError("network", kind, ("search", "evaluation"))
    size, classes = (dataset.image_size, dataset.classes) if isinstance(dataset, Images) else DATASETS[dataset]
    if (kind, size >= 224) not in DEFAULTS:
        raise NasAnalysisError(
            f"network {kind!r}: DARTS searches on small images, got dataset {dataset!r}; use cifar10"
        )
    if auxiliary and kind == "search":
        raise NasAnalysisError("auxiliary: only the evaluation network has an auxiliary head, got network 'search'")
    default = DEFAULTS[kind, size >= 224]
    values = {"channels": default[0] if channels is None else channels, "cells": default[1] if cells is None else cells}
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise NasAnalysisError(f"{name}: expected a positive integer, got {value!r}")
    if values["channels"] % 2:
        raise NasAnalysisError(
            f"channels: expected an even number (a factorised reduction halves it), got {values['channels']}"
        )
    if auxiliary and values["cells"] < 3:
        raise NasAnalysisError(f"auxiliary: expected at least 3 cells for an auxiliary head, got {values['cells']}")
    return Network(kind, values["channels"], values["cells"], size, classes, auxiliary)  # type: ignore[arg-type]


def _in_colour(images: Images) -> None:
    if images.channels != 3:
        raise NasAnalysisError(f"{images}: DARTS's stem is counted for 3 input channels, got {images.channels}")


def genotype_cost(genotype: Genotype, net: Network) -> Cost:
    """Parameters and multiply-accumulates of the network that holds just this genotype."""
    return _cost(_edges(genotype.normal), _edges(genotype.reduce), len(genotype.normal), net)


def supernet_params(normal: Iterable[Iterable[str]], reduce: Iterable[Iterable[str]], nodes: int, net: Network) -> int:
    """Weights of the supernet in which every edge holds all of its operations (architecture parameters aside).

    `normal`, `reduce`: operations of each edge, in DARTS's edge order.
    """
    ends = [(node, source) for node in range(2, nodes + 2) for source in range(node)]
    cells = [
        tuple((op, source) for (_, source), ops in zip(ends, cell, strict=True) for op in ops)
        for cell in (normal, reduce)
    ]
    return _cost(cells[0], cells[1], nodes, net)[0]


def _edges(cell: Cell) -> Edges:
    return tuple(edge for node in cell for edge in node)


@lru_cache(maxsize=4096)
def _cost(normal: Edges, reduce: Edges, nodes: int, net: Network) -> Cost:
    return _add(part for part in _parts(normal, reduce, nodes, net))


def _add(costs: Iterable[Cost]) -> Cost:
    params = flops = 0
    for more_params, more_flops in costs:
        params += more_params
        flops += more_flops
    return params, flops


def _parts(normal: Edges, reduce: Edges, nodes: int, net: Network) -> Iterator[Cost]:
    affine = net.kind == "evaluation"
    c, size = net.channels, net.image_size
    if net.imagenet:
        yield _conv(3, c // 2, 3, size // 2, True)
        yield _conv(c // 2, c, 3, size // 4, True)
        yield _conv(c, c, 3, size // 8, True)
        before, last, size = c, c, size // 8
    else:
        yield _conv(3, 3 * c, 3, size, True)
        before, last = 3 * c, 3 * c
    for position in range(net.cells):
        reduces = position in net.reductions
        c = 2 * c if reduces else c
        # A factorised reduction reads the larger image and writes this one: its cost is that of a 1x1 convolution here.
        yield _conv(before, c, 1, size, affine)
        yield _conv(last, c, 1, size, affine)
        out = size // 2 if reduces else size
        for op, source in reduce if reduces else normal:
            yield _operation(op, c, reduces and source < 2, out, affine)
        before, last, size = last, nodes * c, out
        if net.auxiliary and position == 2 * net.cells // 3:
            yield _auxiliary(last, net)
    yield last * net.classes + net.classes, last * net.classes


def _conv(c_in: int, c_out: int, kernel: int, size: int, affine: bool) -> Cost:
    weights = kernel * kernel * c_in * c_out
    return weights + 2 * c_out * affine, weights * size * size


def _separable(c: int, kernel: int, size: int, affine: bool) -> Cost:
    """Depthwise then pointwise convolution, then batch-norm; `size` is that of the output."""
    weights = kernel * kernel * c + c * c
    return weights + 2 * c * affine, weights * size * size


def _twice(cost: Cost) -> Cost:
    return 2 * cost[0], 2 * cost[1]


_FREE: Cost = (0, 0)
_OPERATIONS: dict[str, Callable[[int, bool, int, bool], Cost]] = {
    "max_pool_3x3": lambda c, strided, size, affine: _FREE,
    "avg_pool_3x3": lambda c, strided, size, affine: _FREE,
    "skip_connect": lambda c, strided, size, affine: _conv(c, c, 1, size, affine) if strided else _FREE,
    "sep_conv_3x3": lambda c, strided, size, affine: _twice(_separable(c, 3, size, affine)),
    "sep_conv_5x5": lambda c, strided, size, affine: _twice(_separable(c, 5, size, affine)),
    "dil_conv_3x3": lambda c, strided, size, affine: _separable(c, 3, size, affine),
    "dil_conv_5x5": lambda c, strided, size, affine: _separable(c, 5, size, affine),
    "none": lambda c, strided, size, affine: _FREE,
    "noise": lambda c, strided, size, affine: _FREE,
}


def _operation(op: str, c: int, strided: bool, size: int, affine: bool) -> Cost:
    return _OPERATIONS[op](c, strided, size, affine)


def _auxiliary(c: int, net: Network) -> Cost:
    """5x5 pooling to 2x2, 1x1 convolution to 128, 2x2 to 768 (on ImageNet without batch-norm), classifier."""
    return _add(
        (
            _conv(c, 128, 1, 2, True),
            _conv(128, 768, 2, 1, not net.imagenet),
            (768 * net.classes + net.classes, 768 * net.classes),
        )
    )

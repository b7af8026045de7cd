"""All 423,624 cells of NAS-Bench-101, in seconds, and their exact costs, without a hash.

Method: every directed acyclic graph of 2 to 7 vertices and at most 9 edges in which each vertex lies
on a path from input to output is reduced to representatives up to isomorphism (1, 1, 10, 97, 810,
1,574 of them); the labellings of a representative are then reduced by its own automorphisms. No MD5 is
needed, so that the count does not rest on the public hash, and the hash can be checked against it.

A cell is stored as one integer: its vertices, its edges (21 bits), and its labels as a number in base
3. Ascending integers are the order in which the benchmark's authors met the cells: that is our index.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np

from ..core.errors import NasAnalysisError, UnknownNameError
from .base import Images
from .nb101_graph import MAX_EDGES, MAX_VERTICES, Cell, bit, canonical_graph, edge_list, edge_of_bit, vertex_channels

_LABELS: int = 3 ** (MAX_VERTICES - 2)
_EDGE_BITS = MAX_VERTICES * (MAX_VERTICES - 1) // 2


def encode(cell: Cell) -> int:
    """A cell as one integer (see the module)."""
    number = 0
    for label in cell.labels:
        number = 3 * number + label
    return _graph_code(cell.vertices, cell.edges) + number


def decode(code: int) -> Cell:
    """The inverse of `encode`."""
    graph, number = divmod(int(code), _LABELS)
    vertices, edges = graph >> _EDGE_BITS, graph & ((1 << _EDGE_BITS) - 1)
    labels = []
    for _ in range(vertices - 2):
        number, label = divmod(number, 3)
        labels.append(label)
    return Cell(vertices, edges, tuple(reversed(labels)))


def _graph_code(vertices: int, edges: int) -> int:
    return (vertices << _EDGE_BITS | edges) * _LABELS


@cache
def labellings(inner: int) -> np.ndarray:
    """(3^inner, inner) labels, last vertex fastest: row i is the number i in base 3."""
    return np.array(list(itertools.product(range(3), repeat=inner)), dtype=np.int64).reshape(3**inner, inner)


@cache
def _powers(inner: int) -> np.ndarray:
    return 3 ** np.arange(inner - 1, -1, -1, dtype=np.int64)


def canonical_label_numbers(orders: tuple[tuple[int, ...], ...], labels: np.ndarray) -> np.ndarray:
    """(n,) smallest label number of each row of `labels` (n, inner) under the vertex `orders` of a graph."""
    powers = _powers(labels.shape[1])
    numbers = [labels[:, [v - 1 for v in order]] @ powers for order in orders]
    return np.asarray(np.min(numbers, axis=0))


def canonical_codes(vertices: int, edges: int, labels: np.ndarray) -> np.ndarray:
    """(n,) codes of the classes of one pruned graph under each row of `labels` (n, vertices - 2)."""
    best, orders = canonical_graph(vertices, edges)
    return _graph_code(vertices, best) + canonical_label_numbers(orders, labels)


def representatives(vertices: int) -> np.ndarray:
    """Edges (as bits, ascending) of the unlabelled graphs of the space, one for each isomorphism class."""
    width = vertices * (vertices - 1) // 2
    edges = np.arange(1 << width, dtype=np.int64)
    edges = edges[np.bitwise_count(edges) <= MAX_EDGES]
    for v in range(vertices):  # everything reads something, everything is read
        reads = sum(1 << bit(x, v) for x in range(v))
        is_read = sum(1 << bit(v, y) for y in range(v + 1, vertices))
        edges = edges[((edges & reads) != 0) | (v == 0)]
        edges = edges[((edges & is_read) != 0) | (v == vertices - 1)]
    smallest = edges.copy()
    for order in itertools.permutations(range(1, vertices - 1)):
        place = [0, *(0 for _ in order), vertices - 1]
        for i, v in enumerate(order, start=1):
            place[v] = i
        moved = np.zeros_like(edges)
        forward = np.ones(len(edges), dtype=bool)
        for number in range(width):
            x, y = edge_of_bit(number)
            has = edges >> number & 1
            if place[x] < place[y]:
                moved |= has << bit(place[x], place[y])
            else:
                forward &= has == 0
        np.minimum(smallest, np.where(forward, moved, smallest), out=smallest)
    return np.asarray(edges[smallest == edges])


@cache
def all_codes() -> np.ndarray:
    """(423624,) int64, ascending: one code for each cell of the space (about 3 s, once; not writable)."""
    parts = []
    for vertices in range(2, MAX_VERTICES + 1):
        labels = labellings(vertices - 2)
        numbers = np.arange(len(labels))
        for edges in representatives(vertices).tolist():
            _, orders = canonical_graph(vertices, edges)
            kept = numbers[canonical_label_numbers(orders, labels) == numbers] if len(orders) > 1 else numbers
            parts.append(_graph_code(vertices, edges) + kept)
    codes = np.concatenate(parts)
    codes.setflags(write=False)
    return codes


def by_graph(codes: np.ndarray) -> Iterator[tuple[Cell, np.ndarray, slice]]:
    """Ascending codes, graph by graph: the graph (its labels are 0), the numbers of the labels, where they stand."""
    graphs, numbers = np.divmod(codes, _LABELS)
    starts = np.flatnonzero(np.diff(graphs, prepend=-1)).tolist()
    for start, end in itertools.pairwise([*starts, len(codes)]):
        yield decode(int(graphs[start]) * _LABELS), numbers[start:end], slice(start, end)


@dataclass(frozen=True)
class Skeleton101:
    """Stem, three stacks of modules with C, 2C and 4C channels, max-pooling between, classifier.

    Parameters
    ----------
    image_size: height and width of the input in pixels; halved between stacks.
    classes: outputs of the classifier, which has a bias.
    channels: C (128); cells: modules in a stack (3). Ying et al. 2019, Section 2.1.
    input_channels: 3 for colour. The stem is a 3x3 convolution.

    Every convolution is followed by batch-norm and ReLU, has no bias, and keeps the image size.
    """

    image_size: int
    classes: int
    channels: int = 128
    cells: int = 3
    input_channels: int = 3

    def __post_init__(self) -> None:
        for name in ("image_size", "classes", "channels", "cells", "input_channels"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise NasAnalysisError(f"{name}: expected a positive integer, got {value!r}")
        if self.image_size % 4:
            raise NasAnalysisError(f"image_size: expected a multiple of 4 (two poolings), got {self.image_size}")

    def modules(self) -> list[tuple[int, int, int]]:
        """(input channels, output channels, image size) of each module in turn."""
        listed, inputs = [], self.channels
        for stack in range(3):
            outputs = self.channels << stack
            for _ in range(self.cells):
                listed.append((inputs, outputs, self.image_size >> stack))
                inputs = outputs
        return listed

    def fixed(self) -> tuple[int, int]:
        """(parameters, multiply-accumulates) of stem and classifier (with its bias)."""
        stem = 9 * self.input_channels * self.channels
        classifier = (4 * self.channels + 1) * self.classes
        return stem + 2 * self.channels + classifier, stem * self.image_size**2 + classifier


#: Dataset -> the skeleton that the benchmark trains on it.
SKELETONS: dict[str, Skeleton101] = {"cifar10": Skeleton101(image_size=32, classes=10)}


def skeleton101(dataset: str | Images, *, channels: int | None = None, cells: int | None = None) -> Skeleton101:
    """The skeleton for `dataset`, with other channels C or modules per stack if given."""
    if isinstance(dataset, Images):
        base = Skeleton101(dataset.image_size, dataset.classes, input_channels=dataset.channels)
    elif dataset in SKELETONS:
        base = SKELETONS[dataset]
    else:
        raise UnknownNameError("dataset", dataset, SKELETONS)
    return Skeleton101(
        base.image_size,
        base.classes,
        base.channels if channels is None else channels,
        base.cells if cells is None else cells,
        base.input_channels,
    )


@lru_cache(maxsize=1 << 14)
def graph_costs(vertices: int, edges: int, net: Skeleton101) -> np.ndarray:
    """(2, 1 + 3 * inner) int64: row 0 parameters, row 1 multiply-accumulates of a network.

    Column 0 is what does not depend on the labels (stem, projections of the input, classifier); column
    ``1 + 3 (v - 1) + label`` is what vertex v adds when it has that label.
    """
    pairs = edge_list(edges)
    last = vertices - 1
    costs = np.zeros((2, 1 + 3 * (vertices - 2)), dtype=np.int64)
    costs[:, 0] = net.fixed()
    for inputs, outputs, size in net.modules():
        channels = vertex_channels(vertices, edges, inputs, outputs)
        for source, target in pairs:  # a 1x1 projection wherever the input is read
            if source == 0:
                weights = inputs * channels[target]
                costs[:, 0] += (weights + 2 * channels[target], weights * size * size)
        for v in range(1, last):
            for label, kernel in ((0, 3), (1, 1)):
                weights = kernel * kernel * channels[v] ** 2
                costs[:, 1 + 3 * (v - 1) + label] += (weights + 2 * channels[v], weights * size * size)
    return costs


def cell_costs(cell: Cell, net: Skeleton101) -> tuple[int, int]:
    """(trainable parameters, multiply-accumulates of one image) of the network of a pruned cell."""
    table = graph_costs(cell.vertices, cell.edges, net)
    columns = [0, *(1 + 3 * i + label for i, label in enumerate(cell.labels))]
    params, flops = table[:, columns].sum(axis=1).tolist()
    return params, flops


def all_costs(codes: np.ndarray, net: Skeleton101) -> tuple[np.ndarray, np.ndarray]:
    """(n,) parameters and (n,) multiply-accumulates, int64, of ascending `codes` of cells."""
    costs = np.empty((2, len(codes)), dtype=np.int64)
    for cell, numbers, at in by_graph(codes):
        table = graph_costs(cell.vertices, cell.edges, net)
        columns = 1 + 3 * np.arange(cell.vertices - 2) + labellings(cell.vertices - 2)[numbers]
        costs[:, at] = table[:, :1] + table[:, columns].sum(axis=2)
    return costs[0], costs[1]

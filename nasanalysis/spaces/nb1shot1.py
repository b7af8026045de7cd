"""The three search spaces of NAS-Bench-1shot1 (Zela, Siems and Hutter 2020) inside NAS-Bench-101.

An architecture is an encoding: every choice node has one operation and a fixed number of parents, and so
has the output (which has no operation). Its text is that of `nb101`, with every node in it, also those
that nothing reads ("loose ends")::

    maxpool3x3~0+conv3x3~01+conv1x1~12+conv3x3~03+output~34

Parents per node, last = output: 1,2,2,2,2 (space 1), 1,1,2,2,3 (space 2), 1,1,1,2,2,2 (space 3): 9 edges
each. Many encodings are one network: `NB1Shot1.cell` prunes the loose ends and gives the architecture of
`nb101` that was trained, which is also the class of an encoding.

**Index order.** Parents node by node, combinations in lexicographic order, last node fastest, then the
operations, last node fastest, in this benchmark's own order: maxpool3x3, conv3x3, conv1x1. That is not
NAS-Bench-101's order (conv3x3, conv1x1, maxpool3x3): texts carry names, so nothing depends on it but the
index and `choice`.

**Sizes.** Four counts are in use; `nasanalysis.spaces.nb1shot1_counts` derives every one of them:

================================== ======== ======== =========
count                               space 1  space 2   space 3
================================== ======== ======== =========
encodings (our architectures)        14,580   29,160 1,312,200
published, with loose ends            6,240   29,160   363,648
published, without loose ends         2,487    3,609    24,066
distinct cells of NAS-Bench-101       2,685    7,773    55,854
================================== ======== ======== =========
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, lru_cache

import numpy as np

from ..core.errors import ArchError, NasAnalysisError, UnknownNameError
from .base import Arch, Images
from .capabilities import Drawing
from .cell_graphs import CellGraph
from .nb101 import SPACE as NB101
from .nb101 import cell_graph, drawing, format_cell, parse_cell
from .nb101_enumeration import Skeleton101, canonical_codes, skeleton101
from .nb101_graph import Cell, bit, from_matrix, keep, live_vertices

#: The operations in this benchmark's order.
OPERATIONS: tuple[str, ...] = ("maxpool3x3", "conv3x3-bn-relu", "conv1x1-bn-relu")
#: Their labels in NAS-Bench-101, in this benchmark's order.
_LABELS = (2, 0, 1)
#: Parents of each node in turn; the last node is the output.
PARENTS: dict[str, tuple[int, ...]] = {
    "nb101-1": (1, 2, 2, 2, 2),
    "nb101-2": (1, 1, 2, 2, 3),
    "nb101-3": (1, 1, 1, 2, 2, 2),
}


class CellOf(Mapping[Arch, Arch]):
    """Encodings -> their cells in ``nb101``, worked out when asked for."""

    def __init__(self, space: NB1Shot1) -> None:
        self._space = space

    def __getitem__(self, arch: Arch) -> Arch:
        return self._space.cell(arch)

    def __iter__(self) -> Iterator[Arch]:
        return iter(self._space)

    def __len__(self) -> int:
        return len(self._space)


class NB1Shot1:
    """One of the three spaces. Nothing is enumerated before it is asked for."""

    #: One rule: the same cell of NAS-Bench-101. The representative is that cell, an architecture of ``nb101``.
    isomorphism_rules: tuple[str, ...] = ("published",)
    operation_kinds = NB101.operation_kinds

    def __init__(self, name: str) -> None:
        if name not in PARENTS:
            raise UnknownNameError("NAS-Bench-1shot1 space", name, PARENTS)
        self.name = name
        self.parents = PARENTS[name]
        #: Nodes that have an operation.
        self.choices: int = len(self.parents) - 1
        self.longest_path = self.choices
        #: Choices of parents of each node in turn, the output last.
        self.combinations = [list(itertools.combinations(range(n), k)) for n, k in enumerate(self.parents, 1)]
        self._operations: int = 3**self.choices

    def __len__(self) -> int:
        return math.prod(len(options) for options in self.combinations) * self._operations

    def __iter__(self) -> Iterator[Arch]:
        return (self.arch(i) for i in range(len(self)))

    def __repr__(self) -> str:
        return f"<space {self.name}: {len(self):,} architectures>"

    def parse(self, text: str) -> Arch:
        """Text with or without the prefix -> `Arch`; `ArchError` if it is no encoding of this space."""
        arch = Arch.from_text(text, self.name)
        return Arch(self.name, format_cell(self._check(parse_cell(arch.key, self.name), arch.key)))

    def encoding(self, arch: Arch | str) -> Cell:
        """The graph with its loose ends."""
        if isinstance(arch, Arch) and arch.space != self.name:
            raise ArchError(f"{self.name}: expected an architecture of this space, got one of {arch.space!r}: {arch}")
        key = arch.key if isinstance(arch, Arch) else Arch.from_text(arch, self.name).key
        return self._check(parse_cell(key, self.name), key)

    def cell(self, arch: Arch | str) -> Arch:
        """The architecture of ``nb101`` that an encoding is: pruned and canonical."""
        return NB101.from_cell(self.encoding(arch))

    def from_matrix(self, matrix: Sequence[Sequence[float]] | np.ndarray, operations: Sequence[str]) -> Arch:
        """Adjacency matrix with loose ends and the operations of the choice nodes only -> `Arch`."""
        cell = from_matrix(matrix, ["input", *operations, "output"])
        return Arch(self.name, format_cell(self._check(cell, format_cell(cell))))

    def arch(self, index: int) -> Arch:
        """The encoding at an index (see the module's index order; negative numbers are refused)."""
        if isinstance(index, bool) or not isinstance(index, (int, np.integer)):
            raise ArchError(f"{self.name}: expected an integer index, got {index!r}")
        if not 0 <= index < len(self):
            raise ArchError(f"{self.name}: expected an index from 0 to {len(self) - 1}, got {index}")
        graph, rest = divmod(int(index), self._operations)
        labels = []
        for _ in range(self.choices):
            rest, choice = divmod(rest, 3)
            labels.append(_LABELS[choice])
        sets = []
        for options in reversed(self.combinations):
            graph, chosen = divmod(graph, len(options))
            sets.append(options[chosen])
        return Arch(self.name, format_cell(Cell(self.choices + 2, graph_bits(sets[::-1]), tuple(reversed(labels)))))

    def index(self, arch: Arch | str) -> int:
        """The index of an encoding."""
        cell = self.encoding(arch)
        number = 0
        for target, options in enumerate(self.combinations, 1):
            sources = tuple(x for x in range(target) if cell.edges >> bit(x, target) & 1)
            number = number * len(options) + options.index(sources)
        for label in cell.labels:
            number = 3 * number + _LABELS.index(label)
        return number

    def choice(self, arch: Arch | str) -> tuple[tuple[tuple[int, ...], ...], tuple[int, ...]]:
        """(parents of each node in turn, output last; operation index of each choice node in `OPERATIONS`)."""
        cell = self.encoding(arch)
        sets = tuple(tuple(x for x in range(y) if cell.edges >> bit(x, y) & 1) for y in range(1, self.choices + 2))
        return sets, tuple(_LABELS.index(label) for label in cell.labels)

    def sample(self, n: int, rng: np.random.Generator, *, distinct_cells: bool = False) -> list[Arch]:
        """`n` distinct encodings, uniform without replacement, in the order drawn.

        Distinct encodings may be one network. With `distinct_cells` each network comes once: encodings
        are drawn in the same way and those whose cell was drawn before are passed over.
        """
        most = len(np.unique(self.cell_codes)) if distinct_cells else len(self)
        if not 0 <= n <= most:
            raise NasAnalysisError(f"{self.name}: expected a sample of 0 to {most} architectures, got {n}")
        if not distinct_cells:
            return [self.arch(i) for i in rng.choice(len(self), size=n, replace=False)]
        order = rng.permutation(len(self))
        _, first = np.unique(self.cell_codes[order], return_index=True)
        return [self.arch(i) for i in order[np.sort(first)[:n]]]

    def has_live_path(self, arch: Arch | str) -> bool:
        """Whether the output depends on the input: always so here, since every node has parents."""
        return bool(live_vertices(self.choices + 2, self.encoding(arch).edges))

    def neighbours(self, arch: Arch | str) -> list[Arch]:
        """The encodings that differ in one choice: the parents of one node, or one operation."""
        parents, operations = self.choice(arch)
        near = [
            ((*parents[:node], other, *parents[node + 1 :]), operations)
            for node, options in enumerate(self.combinations)
            for other in options
            if other != parents[node]
        ]
        near += [
            (parents, (*operations[:node], other, *operations[node + 1 :]))
            for node in range(self.choices)
            for other in range(3)
            if other != operations[node]
        ]
        return [
            Arch(self.name, format_cell(Cell(self.choices + 2, graph_bits(sets), tuple(_LABELS[c] for c in chosen))))
            for sets, chosen in near
        ]

    @property
    def gene_sizes(self) -> tuple[int, ...]:
        """Choices of parents of each node, the output last, then operations of each choice node."""
        return (*map(len, self.combinations), *([3] * self.choices))

    def genes(self, arch: Arch | str) -> tuple[int, ...]:
        """The digits of the index, which is a number with these sizes as its bases."""
        return _genes(self, arch if isinstance(arch, str) else str(arch))

    def from_genes(self, genes: Sequence[int]) -> Arch:
        """Digits -> the encoding."""
        return _of_genes(self, tuple(genes))

    def drawings(self, arch: Arch | str) -> list[Drawing]:
        """The cell with its loose ends, operations on nodes."""
        return [drawing(self.encoding(arch))]

    def cell_graphs(self, arch: Arch | str) -> list[CellGraph]:
        """The encoding with its loose ends, operations in nodes."""
        return [cell_graph(self.encoding(arch))]

    @cached_property
    def cell_codes(self) -> np.ndarray:
        """(len(self),) int64: the code (`nb101_enumeration`) of every encoding's cell, in index order."""
        labels = np.array(list(itertools.product(_LABELS, repeat=self.choices)), dtype=np.int64)
        codes = np.empty((len(self) // self._operations, self._operations), dtype=np.int64)
        for row, edges in enumerate(self._graphs()):
            kept = live_vertices(self.choices + 2, edges)
            vertices, pruned = keep(self.choices + 2, edges, kept)
            codes[row] = canonical_codes(vertices, pruned, labels[:, [v - 1 for v in kept[1:-1]]])
        codes.setflags(write=False)
        return codes.ravel()

    def unique_archs(self, rule: str = "published") -> Mapping[Arch, Arch]:
        """Every encoding -> its class, named by the architecture of ``nb101`` that it is."""
        if rule not in self.isomorphism_rules:
            raise UnknownNameError("isomorphism rule", rule, self.isomorphism_rules)
        return CellOf(self)

    def unique_arch(self, arch: Arch | str, rule: str = "published") -> Arch:
        """The class of an encoding under `rule`."""
        return self.unique_archs(rule)[self.parse(arch) if isinstance(arch, str) else arch]

    def skeleton(self, dataset: str | Images, *, channels: int | None = None, cells: int | None = None) -> Skeleton101:
        """The network of NAS-Bench-101 around the cells."""
        return skeleton101(dataset, channels=channels, cells=cells)

    def params(
        self,
        arch: Arch | str,
        dataset: str | Images = "cifar10",
        *,
        channels: int | None = None,
        cells: int | None = None,
    ) -> int:
        """Trainable parameters of the encoding's cell as NAS-Bench-101 trained it (loose ends cost nothing)."""
        return NB101.params(self.cell(arch), dataset, channels=channels, cells=cells)

    def flops(
        self,
        arch: Arch | str,
        dataset: str | Images = "cifar10",
        *,
        channels: int | None = None,
        cells: int | None = None,
    ) -> float:
        """Multiply-accumulates of one image of the encoding's cell; see `nb101`."""
        return NB101.flops(self.cell(arch), dataset, channels=channels, cells=cells)

    def _graphs(self) -> Iterator[int]:
        """Edges of every choice of parents, in index order."""
        return (graph_bits(sets) for sets in itertools.product(*self.combinations))

    def _check(self, cell: Cell, text: str) -> Cell:
        if cell.vertices != self.choices + 2:
            raise ArchError(f"{self.name}: expected {self.choices} choice nodes and the output, got {text[:200]!r}")
        parents = tuple(sum(cell.edges >> bit(x, y) & 1 for x in range(y)) for y in range(1, cell.vertices))
        if parents != self.parents:
            raise ArchError(
                f"{self.name}: expected {self.parents} parents of the nodes in turn, got {parents} in {text[:200]!r}"
            )
        return cell


@lru_cache(maxsize=1 << 17)  # a search asks for the same encodings again and again
def _genes(space: NB1Shot1, arch: str) -> tuple[int, ...]:
    index, genes = space.index(arch), []
    for size in reversed(space.gene_sizes):
        index, digit = divmod(index, size)
        genes.append(digit)
    return tuple(reversed(genes))


@lru_cache(maxsize=1 << 17)
def _of_genes(space: NB1Shot1, genes: tuple[int, ...]) -> Arch:
    index = 0
    for gene, size in zip(genes, space.gene_sizes, strict=True):
        index = index * size + gene
    return space.arch(index)


def graph_bits(sets: Sequence[Sequence[int]]) -> int:
    """Parents of each node in turn -> the edges as bits."""
    return sum(1 << bit(source, target) for target, sources in enumerate(sets, 1) for source in sources)


SPACES_1SHOT1: dict[str, NB1Shot1] = {name: NB1Shot1(name) for name in PARENTS}
SPACE_1, SPACE_2, SPACE_3 = SPACES_1SHOT1.values()

"""The NATS-Bench topology space, which is NAS-Bench-201 (Dong and Yang 2020): 15,625 cells.

Four nodes, six edges, one of five operations on each. The text of a cell lists, node by node, each
incoming edge as ``operation~source``::

    |nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|

so edges stand in the order 0-1, 0-2, 1-2, 0-3, 1-3, 2-3.

**Index order.** The benchmark's index is the order of ``meta_archs`` in its archive: all cells, nodes
in turn, last edge fastest, operations as in `OPERATIONS`, shuffled by Python's ``random.Random(88)``.
We rebuild that order here, so the index of an architecture is official without the archive; a test
compares it with the archive's ``meta`` file where that is at hand.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, cached_property, lru_cache
from typing import ClassVar

import numpy as np

from ..core.errors import ArchError, NasAnalysisError, UnknownNameError
from . import nb201_isomorphism
from .base import Arch, Images
from .capabilities import Drawing
from .cell_graphs import CellGraph, Kind, kind_of, on_edges
from .nb201_isomorphism import EDGES
from .skeletons import Skeleton, skeleton

#: The five operations, in the benchmark's order (operation index 0 to 4).
OPERATIONS: tuple[str, ...] = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")

_TOPOLOGY = on_edges([(source, target) for target, source in EDGES])

_NODE = re.compile(r"\|([a-z0-9_]+~\d+\|)+")


def format_cell(ops: Sequence[str]) -> str:
    """Six operation names in edge order -> the architecture string."""
    nodes = []
    for node in (1, 2, 3):
        edges = [f"{op}~{source}" for op, (target, source) in zip(ops, EDGES, strict=True) if target == node]
        nodes.append(f"|{'|'.join(edges)}|")
    return "+".join(nodes)


def parse_cell(key: str) -> tuple[str, ...]:
    """The architecture string -> six operation names in edge order; `ArchError` says what is wrong."""
    nodes = key.strip().split("+")
    if len(nodes) != 3 or not all(_NODE.fullmatch(node) for node in nodes):
        raise ArchError(f"nb201: expected three nodes as '|op~0|+|op~0|op~1|+|op~0|op~1|op~2|', got {key[:200]!r}")
    ops = []
    for target, node in enumerate(nodes, start=1):
        edges = [edge.partition("~") for edge in node.strip("|").split("|")]
        sources = [int(source) for _, _, source in edges]
        if sources != list(range(target)):
            raise ArchError(
                f"nb201: node {target} must read nodes {list(range(target))} in order, got {sources} in {key[:200]!r}"
            )
        for op, _, _ in edges:
            if op not in OPERATIONS:
                raise ArchError(f"nb201: {UnknownNameError('operation', op, OPERATIONS)} in {key[:200]!r}")
            ops.append(op)
    return tuple(ops)


@lru_cache(maxsize=1 << 14)  # all cells: a table asks for each one's costs and class, again for every data set
def _parsed(key: str) -> tuple[Arch, tuple[str, ...]]:
    """The architecture of a text, and its operations."""
    ops = parse_cell(key)
    return Arch("nb201", format_cell(ops)), ops


@lru_cache(maxsize=1 << 14)  # a search asks for the same few thousand cells again and again
def _genes(key: str) -> tuple[int, ...]:
    return tuple(OPERATIONS.index(op) for op in parse_cell(key))


@lru_cache(maxsize=1 << 14)
def _of_genes(genes: tuple[int, ...]) -> Arch:
    return Arch("nb201", format_cell([OPERATIONS[g] for g in genes]))


@lru_cache(maxsize=64)
def _costs(dataset: str, channels: int | None, cells: int | None) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Parameters, and multiply-accumulates: of the skeleton, of a 1x1 and of a 3x3 convolution in each cell."""
    net = skeleton(dataset, channels=channels, cells=cells)
    return (
        (net.base_params(), net.cell_conv_params(1), net.cell_conv_params(3)),
        (net.base_flops(), net.cell_conv_flops(1), net.cell_conv_flops(3)),
    )


@cache
def _official_order() -> tuple[Arch, ...]:
    return tuple(Arch("nb201", format_cell(ops)) for ops in _official_operations())


@cache
def _official_operations() -> tuple[tuple[str, ...], ...]:
    cells = list(itertools.product(OPERATIONS, repeat=len(EDGES)))
    random.Random(88).shuffle(cells)  # the benchmark's own shuffle: see the module's docstring
    return tuple(cells)


@cache
def _representatives(rule: str) -> Mapping[Arch, Arch]:
    first: dict[str, Arch] = {}
    forms = (nb201_isomorphism.canonical_form(ops, rule) for ops in _official_operations())
    return {arch: first.setdefault(form, arch) for arch, form in zip(_official_order(), forms, strict=True)}


class NB201:
    """The space object: iterate it, index it, sample it, ask it for costs."""

    name = "nb201"
    isomorphism_rules: tuple[str, ...] = tuple(nb201_isomorphism.RULES)
    operation_kinds: ClassVar[Mapping[str, Kind]] = {operation: kind_of(operation) for operation in OPERATIONS}
    longest_path = 3

    def __len__(self) -> int:
        return int(len(OPERATIONS) ** len(EDGES))

    def __iter__(self) -> Iterator[Arch]:
        return iter(_official_order())

    def __repr__(self) -> str:
        return f"<space nb201: {len(self):,} architectures>"

    def parse(self, text: str) -> Arch:
        """Text with or without the ``nb201:`` prefix -> `Arch`; `ArchError` if it is none of ours."""
        arch = Arch.from_text(text, self.name)
        return _parsed(arch.key)[0]

    def operations(self, arch: Arch | str) -> tuple[str, ...]:
        """Six operation names in edge order 0-1, 0-2, 1-2, 0-3, 1-3, 2-3."""
        return _parsed(self._checked(arch).key)[1]

    def arch(self, index: int) -> Arch:
        """The architecture at an index of the benchmark (0 to 15,624; negative numbers are refused)."""
        if isinstance(index, bool) or not isinstance(index, (int, np.integer)):
            raise ArchError(f"nb201: expected an integer index, got {index!r}")
        if not 0 <= index < len(self):
            raise ArchError(f"nb201: expected an index from 0 to {len(self) - 1}, got {index}")
        return _official_order()[int(index)]

    def index(self, arch: Arch | str) -> int:
        """The benchmark's index of an architecture."""
        return self._indices[self._checked(arch)]

    def sample(self, n: int, rng: np.random.Generator) -> list[Arch]:
        """`n` distinct architectures, uniform without replacement, in the order drawn."""
        if not 0 <= n <= len(self):
            raise NasAnalysisError(f"nb201: expected a sample of 0 to {len(self)} architectures, got {n}")
        return [self.arch(i) for i in rng.choice(len(self), size=n, replace=False)]

    def has_live_path(self, arch: Arch | str) -> bool:
        """Whether the output depends on the input: some path of edges without ``none`` joins them."""
        live = {0}
        for op, (target, source) in zip(self.operations(arch), EDGES, strict=True):
            if op != "none" and source in live:
                live.add(target)
        return 3 in live

    def neighbours(self, arch: Arch | str) -> list[Arch]:
        """The 24 architectures that differ in one operation, edge by edge."""
        ops = self.operations(arch)
        return [
            Arch(self.name, format_cell((*ops[:e], other, *ops[e + 1 :])))
            for e in range(len(EDGES))
            for other in OPERATIONS
            if other != ops[e]
        ]

    @property
    def gene_sizes(self) -> tuple[int, ...]:
        """Operations of each edge."""
        return (len(OPERATIONS),) * len(EDGES)

    def genes(self, arch: Arch | str) -> tuple[int, ...]:
        """Operation index of each edge, in the order of the architecture string."""
        return _genes(self._checked(arch).key if isinstance(arch, Arch) else Arch.from_text(arch, self.name).key)

    def from_genes(self, genes: Sequence[int]) -> Arch:
        """Six operation indices -> `Arch`."""
        return _of_genes(tuple(genes))

    def label(self, arch: Arch | str) -> str:
        """``nb201 no. 1462``: the benchmark's index."""
        return f"{self.name} no. {self.index(arch)}"

    def drawings(self, arch: Arch | str) -> list[Drawing]:
        """The cell, operations on edges. An edge of ``none`` is left out; a node stands where its number says."""
        ops = zip(self.operations(arch), EDGES, strict=True)
        edges = [(str(source), str(target), op) for op, (target, source) in ops if op != "none"]
        return [Drawing("cell", {"0": "in", "1": "1", "2": "2", "3": "out"}, edges, layers=range(4))]

    def cell_graphs(self, arch: Arch | str) -> list[CellGraph]:
        """The cell with an operation on each of its six edges."""
        return [CellGraph("cell", _TOPOLOGY, self.operations(arch))]

    def unique_archs(self, rule: str = "published") -> Mapping[Arch, Arch]:
        """Every architecture -> the representative of its class: the member of smallest index.

        `rule` is one of `isomorphism_rules`; see `nasanalysis.spaces.nb201_isomorphism`.
        """
        return _representatives(rule)

    def unique_arch(self, arch: Arch | str, rule: str = "published") -> Arch:
        """The representative of an architecture's class under `rule`."""
        return self.unique_archs(rule)[self._checked(arch)]

    def skeleton(self, dataset: str | Images, *, channels: int | None = None, cells: int | None = None) -> Skeleton:
        """The network around the cells; `UnknownNameError` for a dataset it is not known for."""
        return skeleton(dataset, channels=channels, cells=cells)

    def params(
        self,
        arch: Arch | str,
        dataset: str | Images = "cifar10",
        *,
        channels: int | None = None,
        cells: int | None = None,
    ) -> int:
        """Trainable parameters (count). Equal to NATS-Bench's ``params`` but for 150 faulty records.

        On CIFAR-10 with C = 16 and N = 5: 73,306 + 28,000 per 1x1 and 243,040 per 3x3 convolution.
        """
        base, small, large = _costs(dataset, channels, cells)[0]
        ops = self.operations(arch)
        return base + ops.count("nor_conv_1x1") * small + ops.count("nor_conv_3x3") * large

    def flops(
        self,
        arch: Arch | str,
        dataset: str | Images = "cifar10",
        *,
        channels: int | None = None,
        cells: int | None = None,
    ) -> float:
        """Multiply-accumulates of one image, as NATS-Bench's ``flop`` counts them (there in millions)."""
        base, small, large = _costs(dataset, channels, cells)[1]
        ops = self.operations(arch)
        return float(base + ops.count("nor_conv_1x1") * small + ops.count("nor_conv_3x3") * large)

    def _checked(self, arch: Arch | str) -> Arch:
        if isinstance(arch, str):
            return self.parse(arch)
        if arch.space != self.name:
            raise ArchError(f"nb201: expected an architecture of this space, got one of {arch.space!r}: {arch}")
        return arch

    @cached_property
    def _indices(self) -> dict[Arch, int]:
        return {arch: i for i, arch in enumerate(self)}


SPACE = NB201()

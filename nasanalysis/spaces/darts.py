"""The DARTS space (Liu et al. 2019): two cells of four nodes, two inputs each, seven operations.

1,037,664,180 cells, hence 1.08e18 architectures: DARTS's own count, in which a node reads two different
predecessors and the order of the two means nothing. Genotypes outside that count exist in files
(``none``, or one predecessor read twice): they are valid to load and have costs, but no index.

The smaller spaces S1 to S5 are built from the same class in `nasanalysis.spaces.darts_subspaces`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

import numpy as np

from ..core.errors import ArchError, NasAnalysisError, UnknownNameError
from .base import Arch, Images
from .capabilities import Drawing
from .cell_graphs import CellGraph, kind_of, two_inputs
from .darts_costs import Network, genotype_cost, network, supernet_params
from .darts_genotype import CELLS, OPERATIONS, Cell, Edge, Genotype, format_key, format_python, parse, read
from .darts_isomorphism import RULES, Classes

#: One intermediate node: its two inputs.
Node = tuple[Edge, Edge]


def edges(nodes: int) -> tuple[tuple[int, int], ...]:
    """``(node, predecessor)`` of each possible edge of a cell, in DARTS's order: 14 for four nodes."""
    return tuple((node, source) for node in range(2, nodes + 2) for source in range(node))


class CellSpace:
    """A space of two cells of the DARTS kind.

    Parameters
    ----------
    name: of the space.
    nodes: intermediate nodes of a cell.
    operations: cell name -> for every edge, in the order of `edges`, the operations a genotype may have.
    unselected: operations that edges of the supernet hold and files may show, but no search selects (``none``).
    repeated: whether a node that reads one predecessor twice is valid to load.
    """

    isomorphism_rules: tuple[str, ...] = RULES

    def __init__(
        self,
        name: str,
        nodes: int,
        operations: Mapping[str, Sequence[Sequence[str]]],
        *,
        unselected: Sequence[str] = (),
        repeated: bool = False,
    ) -> None:
        self.name, self.nodes, self.unselected, self.repeated = name, nodes, tuple(unselected), repeated
        self.edge_operations: dict[str, dict[tuple[int, int], tuple[str, ...]]] = {
            cell: {edge: tuple(ops) for edge, ops in zip(edges(nodes), operations[cell], strict=True)} for cell in CELLS
        }
        self._choices: list[list[Node]] = [
            self._node_choices(cell, node) for cell in CELLS for node in range(2, nodes + 2)
        ]
        self._numbers = [{choice: i for i, choice in enumerate(choices)} for choices in self._choices]
        on_edges = (op for ops in self.edge_operations.values() for options in ops.values() for op in options)
        self.operation_kinds = {op: kind_of(op) for op in dict.fromkeys((*on_edges, *self.unselected))}
        self.longest_path = nodes
        self._size = int(np.prod([len(choices) for choices in self._choices], dtype=object))

    def _node_choices(self, cell: str, node: int) -> list[Node]:
        ops = self.edge_operations[cell]
        return [
            ((a, first), (b, second))
            for first, second in itertools.combinations(range(node), 2)
            for a in ops[node, first]
            for b in ops[node, second]
        ]

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Arch]:
        """Every architecture in index order (lazily: the DARTS space would take longer than a life)."""
        return map(self.arch, range(len(self)))

    def __repr__(self) -> str:
        return f"<space {self.name}: {len(self):,} architectures>"

    def parse(self, text: str) -> Arch:
        """A genotype in any public spelling, or the canonical text, with or without the prefix -> `Arch`."""
        try:
            return self._arch(parse(Arch.from_text(text, self.name).key, self.nodes))
        except ArchError as error:
            raise self._named(error) from None

    def from_genotype(self, genotype: object) -> Arch:
        """A genotype held as objects (a ``Genotype`` of any code base, a dict, a pair of cells) -> `Arch`."""
        try:
            return self._arch(read(genotype, self.nodes))
        except ArchError as error:
            raise self._named(error) from None

    def genotype(self, arch: Arch | str) -> Genotype:
        """The two cells of an architecture."""
        return self._genotype(self._checked(arch).key)

    def python(self, arch: Arch | str) -> str:
        """``Genotype(normal=[...], ...)`` as public code prints and reads it."""
        return format_python(self.genotype(arch))

    def arch(self, index: int) -> Arch:
        """The architecture at an index of our own order: nodes in turn, normal cell first, last node fastest."""
        if isinstance(index, bool) or not isinstance(index, (int, np.integer)):
            raise ArchError(f"{self.name}: expected an integer index, got {index!r}")
        if not 0 <= index < len(self):
            raise ArchError(f"{self.name}: expected an index from 0 to {len(self) - 1}, got {index}")
        rest, nodes = int(index), []
        for choices in reversed(self._choices):
            rest, digit = divmod(rest, len(choices))
            nodes.append(choices[digit])
        nodes.reverse()
        return Arch(self.name, format_key(Genotype(tuple(nodes[: self.nodes]), tuple(nodes[self.nodes :]))))

    def index(self, arch: Arch | str) -> int:
        """The index of an architecture; `ArchError` where it is valid to load but not one of the space's count."""
        index = 0
        genotype = self.genotype(arch)
        for node, numbers in zip((*genotype.normal, *genotype.reduce), self._numbers, strict=True):
            if node not in numbers:
                raise ArchError(
                    f"{self.name}: expected two different predecessors and selectable operations at every node, "
                    f"got {node}: such an architecture is valid to load but has no index"
                )
            index = index * len(numbers) + numbers[node]
        return index

    def is_counted(self, arch: Arch | str) -> bool:
        """Whether an architecture is one of the space's ``len``: no ``none``, no predecessor read twice."""
        genotype = self.genotype(arch)
        return all(
            node in numbers for node, numbers in zip((*genotype.normal, *genotype.reduce), self._numbers, strict=True)
        )

    def sample(self, n: int, rng: np.random.Generator) -> list[Arch]:
        """`n` distinct architectures, uniform without replacement, in the order drawn."""
        if not 0 <= n <= len(self):
            raise NasAnalysisError(f"{self.name}: expected a sample of 0 to {len(self)} architectures, got {n}")
        if len(self) <= 100_000:
            return [self.arch(i) for i in rng.choice(len(self), size=n, replace=False)]
        drawn: dict[int, None] = {}
        while len(drawn) < n:
            drawn.update(dict.fromkeys(rng.integers(len(self), size=n - len(drawn)).tolist()))
        return [self.arch(i) for i in drawn]

    def neighbours(self, arch: Arch | str) -> list[Arch]:
        """Architectures that differ in one operation or in one predecessor (120 in the DARTS space).

        A new predecessor keeps the operation where its edge may have it, and is left out where not, as is one
        that the node reads already.
        """
        genotype = self.genotype(arch)
        near: dict[Arch, None] = {}
        for (c, cell), node in itertools.product(enumerate(CELLS), range(self.nodes)):
            inputs = genotype[c][node]
            ops = self.edge_operations[cell]
            for i, (op, source) in enumerate(inputs):
                other = inputs[1 - i]
                changed: list[Edge] = [(new, source) for new in ops[node + 2, source] if new != op]
                changed += [
                    (op, new) for new in range(node + 2) if new not in (source, other[1]) and op in ops[node + 2, new]
                ]
                for edge in changed:
                    first, second = sorted((edge, other), key=lambda e: e[::-1])
                    cells = [list(part) for part in genotype]
                    cells[c][node] = (first, second)
                    near[Arch(self.name, format_key(Genotype(tuple(cells[0]), tuple(cells[1]))))] = None
        near.pop(self._checked(arch), None)
        return list(near)

    def unique_archs(self, rule: str = "published") -> Mapping[Arch, Arch]:
        """Architecture -> the representative of its class under `rule`, worked out when asked for.

        Under ``published`` every architecture is its own: a key holds a node's inputs as a set. Under
        ``node_order`` it is the smallest key over all renumberings of the intermediate nodes (the
        concatenation then has its channels in another order, which no later layer minds).
        """
        if rule not in self.isomorphism_rules:
            raise UnknownNameError("isomorphism rule", rule, self.isomorphism_rules)
        return Classes(self, rule)

    def unique_arch(self, arch: Arch | str, rule: str = "published") -> Arch:
        """The representative of an architecture's class under `rule`."""
        return self.unique_archs(rule)[self._checked(arch)]

    def drawings(self, arch: Arch | str) -> list[Drawing]:
        """Normal and reduction cell, operations on edges; the output concatenates all nodes."""
        return [_drawing(name, cell) for name, cell in zip(CELLS, self.genotype(arch), strict=True)]

    def cell_graphs(self, arch: Arch | str) -> list[CellGraph]:
        """Normal and reduction cell, operations on edges, each node's inputs in turn."""
        return [_graph(name, cell) for name, cell in zip(CELLS, self.genotype(arch), strict=True)]

    def skeleton(self, dataset: str | Images, *, channels: int | None = None, cells: int | None = None) -> Network:
        """The evaluation network around the cells; `UnknownNameError` for a dataset it is not known for."""
        return network(dataset, "evaluation", channels=channels, cells=cells)

    def params(
        self,
        arch: Arch | str,
        dataset: str | Images = "cifar10",
        *,
        channels: int | None = None,
        cells: int | None = None,
        network: str = "evaluation",
        auxiliary: bool = False,
    ) -> int:
        """Trainable parameters (count) of the network of this genotype.

        Parameters
        ----------
        dataset: cifar10, cifar100, svhn, or imagenet.
        network: ``evaluation`` (C = 36, 20 cells; ImageNet 48, 14) or ``search`` (C = 16, 8 cells).
        channels, cells: other sizes (NAS-Bench-301 trains 32 and 8).
        auxiliary: count the auxiliary head of the evaluation network, which published sizes leave out.
        """
        return self._cost(arch, dataset, channels, cells, network, auxiliary)[0]

    def flops(
        self,
        arch: Arch | str,
        dataset: str | Images = "cifar10",
        *,
        channels: int | None = None,
        cells: int | None = None,
        network: str = "evaluation",
        auxiliary: bool = False,
    ) -> float:
        """Multiply-accumulates of one image in convolutions and classifier; options as in `params`."""
        return float(self._cost(arch, dataset, channels, cells, network, auxiliary)[1])

    def _cost(
        self,
        arch: Arch | str,
        dataset: str | Images,
        channels: int | None,
        cells: int | None,
        kind: str,
        auxiliary: bool,
    ) -> tuple[int, int]:
        return genotype_cost(
            self.genotype(arch), network(dataset, kind, channels=channels, cells=cells, auxiliary=auxiliary)
        )

    def supernet_params(
        self, dataset: str | Images = "cifar10", *, channels: int | None = None, cells: int | None = None
    ) -> int:
        """Weights (count) of the search's supernet, every edge with all of its operations; alphas not counted."""
        normal, reduce = (list(self.edge_operations[cell].values()) for cell in CELLS)
        return supernet_params(normal, reduce, self.nodes, network(dataset, "search", channels=channels, cells=cells))

    def _arch(self, genotype: Genotype) -> Arch:
        for cell, nodes in zip(CELLS, genotype, strict=True):
            for node, inputs in enumerate(nodes, start=2):
                for op, source in inputs:
                    ops = (*self.edge_operations[cell][node, source], *self.unselected)
                    if op not in ops:
                        raise ArchError(
                            f"{cell}, edge from {source} to {node}: expected one of {', '.join(ops)}, got {op!r}"
                        )
                if inputs[0][1] == inputs[1][1] and not self.repeated:
                    raise ArchError(
                        f"{cell}, node {node}: expected two different predecessors, got {inputs[0][1]} twice"
                    )
        return Arch(self.name, format_key(genotype))

    def _genotype(self, key: str) -> Genotype:
        return _parsed(key, self.nodes)

    def _checked(self, arch: Arch | str) -> Arch:
        if isinstance(arch, str):
            return self.parse(arch)
        if arch.space != self.name:
            raise ArchError(f"{self.name}: expected an architecture of this space, got one of {arch.space!r}: {arch}")
        return arch

    def _named(self, error: ArchError) -> ArchError:
        return ArchError(f"{self.name}: {error}")


def _drawing(name: str, cell: Cell) -> Drawing:
    numbers = range(2, len(cell) + 2)
    labels = {"0": "c(k−2)", "1": "c(k−1)"} | {str(n): str(n - 2) for n in numbers} | {"out": "c(k)"}
    edges: list[tuple[str, str, str | None]] = [
        (str(source), str(n), op) for n, node in zip(numbers, cell, strict=True) for op, source in node if op != "none"
    ]
    return Drawing(name, labels, [*edges, *((str(n), "out", None) for n in numbers)])


def _graph(name: str, cell: Cell) -> CellGraph:
    topology = two_inputs([[source for _, source in node] for node in cell])
    return CellGraph(name, topology, tuple(op for node in cell for op, _ in node))


@lru_cache(maxsize=8192)
def _parsed(key: str, nodes: int) -> Genotype:
    return parse(key, nodes)


SPACE = CellSpace(
    "darts",
    4,
    {cell: [OPERATIONS] * 14 for cell in CELLS},
    unselected=("none",),
    repeated=True,
)

"""The NAS-Bench-101 space (Ying et al. 2019): 423,624 cells.

The text of a cell lists every vertex but the input, in order, as ``operation~sources``; vertex 0 is the
input, and the last one is the output::

    conv3x3~0+maxpool3x3~01+output~02

**Identity.** The key is the canonical cell: pruned, and the one member of its isomorphism class that the
benchmark trained (`nb101_graph.canonical`). So two texts are one architecture exactly if their canonical
keys are equal, and the key rebuilds the cell, which a hash cannot. The public hash (`NB101.hash`) names
the same classes; a test checks this over the whole space.

**Index order.** Vertices, then edges, then labels, ascending: the order in which the benchmark's authors
met the cells. Nothing is enumerated before it is asked for.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import ClassVar

import numpy as np

from ..core.errors import ArchError, NasAnalysisError, UnknownNameError
from .base import Arch, Images
from .capabilities import Drawing
from .cell_graphs import CellGraph, Kind, in_nodes, kind_of
from .nb101_enumeration import (
    Skeleton101,
    all_codes,
    all_costs,
    by_graph,
    cell_costs,
    decode,
    encode,
    labellings,
    skeleton101,
)
from .nb101_graph import (
    SHORT,
    Cell,
    bit,
    canonical,
    edge_list,
    from_matrix,
    module_hash,
    operation_label,
    operation_names,
    prune,
    to_matrix,
    validate,
)
from .nb101_hashes import indices_of

_VERTEX = re.compile(r"([a-z0-9-]+)~([0-9]*)")
#: Vertices a text may hold: more are never needed, and sources are single digits.
_MOST_VERTICES = 10


def format_cell(cell: Cell) -> str:
    """`Cell` -> its text, as it stands (not made canonical)."""
    names = [*(SHORT[label] for label in cell.labels), "output"]
    return "+".join(
        f"{name}~{''.join(str(x) for x in range(y) if cell.edges >> bit(x, y) & 1)}" for y, name in enumerate(names, 1)
    )


def format_codes(codes: np.ndarray) -> list[str]:
    """Codes of cells (`nb101_enumeration`), in any order -> their texts: graph by graph, all 423,624 in a second."""
    texts = np.empty(len(codes), dtype=object)
    order = np.argsort(codes, kind="stable")
    for cell, numbers, at in by_graph(codes[order]):
        inner, last = [], ""
        for target in range(1, cell.vertices):
            sources = "".join(str(x) for x in range(target) if cell.edges >> bit(x, target) & 1)
            inner.append([f"{name}~{sources}+" for name in SHORT])
            last = f"output~{sources}"
        if 4 * len(numbers) > 3 ** len(inner[:-1]):
            every = np.array(["".join(parts) + last for parts in itertools.product(*inner[:-1])], dtype=object)
            texts[order[at]] = every[numbers]
        else:
            labels = labellings(cell.vertices - 2)[numbers].tolist()
            texts[order[at]] = [
                "".join([part[i] for part, i in zip(inner, row, strict=False)]) + last for row in labels
            ]
    return list(texts)


def parse_cell(text: str, space: str = "nb101") -> Cell:
    """Text -> `Cell`, as it stands: it may hold vertices that lead nowhere. `ArchError` says what is wrong."""
    parts = text.strip().split("+")
    if len(parts) + 1 > _MOST_VERTICES:
        raise ArchError(f"{space}: expected at most {_MOST_VERTICES - 1} vertices after the input, got {len(parts)}")
    edges, labels = 0, []
    for target, part in enumerate(parts, 1):
        match = _VERTEX.fullmatch(part)
        if not match:
            raise ArchError(
                f"{space}: expected vertices as 'conv3x3~0+conv1x1~01+output~12', got {part[:200]!r} in {text[:200]!r}"
            )
        name, digits = match.groups()
        sources = [int(d) for d in digits]
        if sources != sorted(set(sources)) or (sources and sources[-1] >= target):
            raise ArchError(
                f"{space}: vertex {target} must read distinct vertices below {target} in ascending order, "
                f"got {digits[:200]!r} in {text[:200]!r}"
            )
        if (name == "output") != (target == len(parts)):
            raise ArchError(f"{space}: expected 'output' as the last vertex and only there, got {text[:200]!r}")
        if target < len(parts):
            try:
                labels.append(operation_label(name))
            except ArchError:
                raise ArchError(f"{space}: {UnknownNameError('operation', name, SHORT)} in {text[:200]!r}") from None
        edges |= sum(1 << bit(source, target) for source in sources)
    return Cell(len(parts) + 1, edges, tuple(labels))


def drawing(cell: Cell) -> Drawing:
    """A cell as a graph, operations on nodes."""
    last = cell.vertices - 1
    labels = {str(v): "in" if v == 0 else "out" if v == last else "" for v in range(cell.vertices)}
    operations = {str(v): SHORT[label] for v, label in enumerate(cell.labels, 1)}
    edges = [(str(s), str(t), None) for t in range(1, last + 1) for s in range(t) if cell.edges >> bit(s, t) & 1]
    return Drawing("cell", labels, edges, operations)


def cell_graph(cell: Cell) -> CellGraph:
    """A cell as a labelled graph, operations in nodes."""
    return CellGraph("cell", in_nodes(cell.vertices, edge_list(cell.edges)), tuple(SHORT[i] for i in cell.labels))


class OwnClass(Mapping[Arch, Arch]):
    """Every architecture of a space -> itself: the keys are one for each class already."""

    def __init__(self, space: NB101) -> None:
        self._space = space

    def __getitem__(self, arch: Arch) -> Arch:
        return self._space.from_cell(self._space.cell(arch))

    def __iter__(self) -> Iterator[Arch]:
        return iter(self._space)

    def __len__(self) -> int:
        return len(self._space)


class NB101:
    """The space object: parse, hash, index, sample, costs."""

    name = "nb101"
    #: One rule: isomorphic after pruning, which is what the benchmark calls one architecture.
    isomorphism_rules: tuple[str, ...] = ("published",)
    operation_kinds: ClassVar[Mapping[str, Kind]] = {operation: kind_of(operation) for operation in SHORT}
    longest_path = 5

    def __len__(self) -> int:
        return 423_624

    def __iter__(self) -> Iterator[Arch]:
        return (Arch(self.name, key) for key in format_codes(all_codes()))

    def __repr__(self) -> str:
        return f"<space nb101: {len(self):,} architectures>"

    def parse(self, text: str) -> Arch:
        """Text with or without the ``nb101:`` prefix -> canonical `Arch`, pruned first.

        `ArchError` if no path leads through it, or if more than 7 vertices or 9 edges are left.
        """
        arch = Arch.from_text(text, self.name)
        return self.from_cell(parse_cell(arch.key))

    def from_cell(self, cell: Cell) -> Arch:
        """Any `Cell` -> `Arch`: pruned, checked against the limits, canonical."""
        return Arch(self.name, format_cell(canonical(validate(prune(cell)))))

    def from_spec(self, matrix: Sequence[Sequence[float]] | np.ndarray, operations: Sequence[str]) -> Arch:
        """Adjacency matrix (V, V) and V operation names, as NAS-Bench-101 writes a spec -> `Arch`."""
        return self.from_cell(from_matrix(matrix, operations))

    def from_hash(self, name: str) -> Arch:
        """The cell of a public hash; `ArchError` where it is the hash of no cell of the space."""
        arch = self.arch(int(indices_of([name])[0]))
        if self.hash(arch) != name:  # the first half names the cell, the second half must be its own
            raise ArchError(f"nb101: {name!r} is the hash of no cell of the space; the nearest is {self.hash(arch)}")
        return arch

    def from_hashes(self, names: Sequence[str]) -> list[Arch]:
        """The cells of many hashes, by their first 16 digits: all of the space in seconds."""
        return [Arch(self.name, key) for key in format_codes(all_codes()[indices_of(names)])]

    def texts_of_hashes(self, names: Sequence[str]) -> list[str]:
        """`from_hashes` as ``space:key``."""
        return self.texts(all_codes()[indices_of(names)])

    def texts(self, codes: np.ndarray | None = None) -> list[str]:
        """``space:key`` of codes of `nb101_enumeration`; of every cell, in index order, without `codes`."""
        return [f"{self.name}:{key}" for key in format_codes(all_codes() if codes is None else codes)]

    def from_code(self, code: int) -> Arch:
        """A code of `nb101_enumeration` -> `Arch`."""
        return Arch(self.name, format_cell(decode(code)))

    def cell(self, arch: Arch | str) -> Cell:
        """The canonical cell of an architecture."""
        if isinstance(arch, Arch) and arch.space != self.name:
            raise ArchError(f"nb101: expected an architecture of this space, got one of {arch.space!r}: {arch}")
        text = arch.key if isinstance(arch, Arch) else Arch.from_text(arch, self.name).key
        return canonical(validate(prune(parse_cell(text))))

    def spec(self, arch: Arch | str) -> tuple[np.ndarray, list[str]]:
        """(V, V) int64 adjacency matrix and V operation names of the cell that the benchmark trained."""
        cell = self.cell(arch)
        return to_matrix(cell), operation_names(cell)

    def hash(self, arch: Arch | str) -> str:
        """The public hash (32 hexadecimal digits) under which the benchmark's files hold the cell."""
        return module_hash(self.cell(arch))

    def has_live_path(self, arch: Arch | str) -> bool:
        """Whether the output depends on the input: always so, or it would be no cell."""
        return bool(self.cell(arch).edges)

    def arch(self, index: int) -> Arch:
        """The architecture at an index, 0 to 423,623 (negative numbers are refused)."""
        if isinstance(index, bool) or not isinstance(index, (int, np.integer)):
            raise ArchError(f"nb101: expected an integer index, got {index!r}")
        if not 0 <= index < len(self):
            raise ArchError(f"nb101: expected an index from 0 to {len(self) - 1}, got {index}")
        return self.from_code(int(all_codes()[index]))

    def index(self, arch: Arch | str) -> int:
        """The index of an architecture."""
        return int(np.searchsorted(all_codes(), encode(self.cell(arch))))

    def sample(self, n: int, rng: np.random.Generator) -> list[Arch]:
        """`n` distinct architectures, uniform without replacement, in the order drawn."""
        if not 0 <= n <= len(self):
            raise NasAnalysisError(f"nb101: expected a sample of 0 to {len(self)} architectures, got {n}")
        return [self.arch(i) for i in rng.choice(len(self), size=n, replace=False)]

    def unique_archs(self, rule: str = "published") -> Mapping[Arch, Arch]:
        """Every architecture -> itself: a key stands for a whole isomorphism class."""
        if rule not in self.isomorphism_rules:
            raise UnknownNameError("isomorphism rule", rule, self.isomorphism_rules)
        return OwnClass(self)

    def unique_arch(self, arch: Arch | str, rule: str = "published") -> Arch:
        """The representative of an architecture's class: its canonical self."""
        return self.unique_archs(rule)[self.parse(arch) if isinstance(arch, str) else arch]

    def drawings(self, arch: Arch | str) -> list[Drawing]:
        """The canonical cell, operations on nodes."""
        return [drawing(self.cell(arch))]

    def cell_graphs(self, arch: Arch | str) -> list[CellGraph]:
        """The canonical cell, operations in nodes."""
        return [cell_graph(self.cell(arch))]

    def skeleton(self, dataset: str | Images, *, channels: int | None = None, cells: int | None = None) -> Skeleton101:
        """The network around the cells; `UnknownNameError` for a dataset it is not known for."""
        return skeleton101(dataset, channels=channels, cells=cells)

    def params(
        self,
        arch: Arch | str,
        dataset: str | Images = "cifar10",
        *,
        channels: int | None = None,
        cells: int | None = None,
    ) -> int:
        """Trainable parameters (count), equal to the benchmark's ``trainable_parameters``.

        `channels` (128) are those of the first stack, `cells` (3) the modules in a stack.
        """
        return cell_costs(self.cell(arch), skeleton101(dataset, channels=channels, cells=cells))[0]

    def flops(
        self,
        arch: Arch | str,
        dataset: str | Images = "cifar10",
        *,
        channels: int | None = None,
        cells: int | None = None,
    ) -> float:
        """Multiply-accumulates of one image: convolutions, projections, the classifier and its bias.

        Batch-norm, pooling, sums and concatenation are free, as NATS-Bench counts. The benchmark itself
        records none.
        """
        return float(cell_costs(self.cell(arch), skeleton101(dataset, channels=channels, cells=cells))[1])

    def costs(
        self, dataset: str | Images = "cifar10", *, channels: int | None = None, cells: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """(423624,) parameters and (423624,) multiply-accumulates, int64, in index order (1 s)."""
        return all_costs(all_codes(), skeleton101(dataset, channels=channels, cells=cells))

    @cache  # noqa: B019 (one instance, `SPACE`)
    def hashes(self) -> tuple[str, ...]:
        """The public hashes of all cells in index order (about 45 s, once in a process)."""
        return tuple(module_hash(decode(code)) for code in all_codes().tolist())


SPACE = NB101()

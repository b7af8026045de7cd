"""The one-shot supernet of the DARTS space and of S1 to S5: all candidate operations of all edges (torch).

It is of the ``search`` kind (batch-norms of the cells without parameters) and is read in two ways: `forward` follows
one genotype (two edges for every node, one operation on each), `mixed` weighs all operations of all edges, as
differentiable search does.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

import numpy as np
from torch import Tensor

from ..core.errors import ArchError
from ..spaces.base import Arch
from ..spaces.darts import CellSpace, edges
from ..spaces.darts_genotype import CELLS, Cell, Genotype
from .base import Choice, Supernet, UndefinedProtocolError
from .capabilities import InputShape
from .config import NetworkConfig
from .darts import DartsNetwork, cell_space, skeleton_of
from .darts_body import Body
from .darts_cells import DartsCell, DartsSkeleton, SharedCell, edge_name
from .darts_cells import Place as CellPlace
from .mixture import Decision, Mixture, Place, each_cell
from .randomness import Randomness


class DartsSupernet(Supernet):
    """The one-shot supernet: every edge of every cell holds all of its candidate operations.

    A choice is a decoded `Genotype`, both parts together: each cell takes its own. Candidates are those of the
    space: ``none`` is among them on `darts` and `s3`, where genotypes in files may show it, but no search
    selects it, and so neither `sample` nor `fair` draws it.

    Parameters
    ----------
    space: ``darts``, ``s1`` to ``s5``, or a `CellSpace` of one's own.
    skeleton: sizes; by default the search network of DARTS.
    randomness: drop-path probability and generator; see `Randomness`.
    partial: K where a K-th of the channels goes through the operations of an edge (Xu et al. 2020).

    Attributes
    ----------
    cell_space: the space.
    edges: ``(node, predecessor)`` of each edge of a cell, in the order of `candidates`.
    candidates: cell -> edge by edge, the names of its operations (``none``, where there is one, first).
    """

    def __init__(
        self,
        space: str | CellSpace,
        skeleton: DartsSkeleton | None = None,
        randomness: Randomness | None = None,
        *,
        partial: int = 1,
    ) -> None:
        super().__init__()
        self.cell_space = cells = cell_space(space) if isinstance(space, str) else space
        self.space = cells.name
        self.skeleton = skeleton = DartsSkeleton() if skeleton is None else skeleton
        self.randomness = shared = Randomness() if randomness is None else randomness
        self.depth = skeleton.cells
        self.edges = edges(cells.nodes)
        candidates = {
            cell: {edge: (*cells.unselected, *cells.edge_operations[cell][edge]) for edge in self.edges}
            for cell in CELLS
        }
        self.candidates: dict[str, tuple[tuple[str, ...], ...]] = {
            c: tuple(ops.values()) for c, ops in candidates.items()
        }

        def make(place: CellPlace) -> DartsCell:
            ops = candidates[CELLS[place.reduces]]
            return SharedCell(ops, place, cells.nodes, affine=skeleton.affine, randomness=shared, partial=partial)

        self.body = Body(skeleton, cells.nodes, make)

    def choice(self, arch: Arch | str) -> Genotype:
        return self.cell_space.genotype(arch)

    def sample(self, rng: np.random.Generator) -> Genotype:
        return self.choice(self.cell_space.sample(1, rng)[0])

    def fair(self, rng: np.random.Generator) -> list[Choice]:
        """One topology (two predecessors of every node), and on its edges every operation exactly once."""
        self._check_fair()
        columns = [self._permuted(cell, rng) for cell in CELLS]
        return [Genotype(normal, reduce) for normal, reduce in zip(*columns, strict=True)]

    def forward(self, x: Tensor, choices: Choice | Sequence[Choice]) -> Tensor:
        return self._follow(x, choices, auxiliary=False)[0]

    @property
    def has_auxiliary(self) -> bool:
        """Whether there is an auxiliary head."""
        return self.skeleton.auxiliary

    def with_auxiliary(self, x: Tensor, choices: Choice | Sequence[Choice]) -> tuple[Tensor, Tensor]:
        """The logits, and those of the auxiliary head, both (batch, classes)."""
        return self._follow(x, choices, auxiliary=True)  # type: ignore[return-value]

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """See `nasanalysis.networks.mixture.Relaxable`."""
        return tuple(
            Decision(Place(cell, edge_name(source, node)), ops)
            for cell in CELLS
            for (node, source), ops in zip(self.edges, self.candidates[cell], strict=True)
        )

    @property
    def edge_decisions(self) -> tuple[Decision, ...]:
        """See `nasanalysis.networks.mixture.Relaxable`."""
        return tuple(
            Decision(Place(cell, f"node-{node}"), tuple(map(str, range(node))), kind="input", keeps=2)
            for cell in CELLS
            for node in range(2, self.cell_space.nodes + 2)
        )

    def mixed(self, x: Tensor, mixture: Mixture | Sequence[Mixture]) -> Tensor:
        """Logits under a mixture: see `nasanalysis.networks.mixture.Relaxable`.

        In training, drop-path falls on the mixture of a whole edge (as RobustDARTS searches), not on its operations.
        """
        each = each_cell(self, mixture)

        def run(position: int, before: Tensor, last: Tensor) -> Tensor:
            return self._cell(position).mixed(before, last, each[position])

        return self.body(x, run)[0]  # type: ignore[no-any-return]

    def chosen(self, choice: Choice) -> dict[Place, tuple[str, ...]]:
        """What an architecture has at each place, for `nasanalysis.networks.mixture.one_hot`."""
        genotype = self._checked(choice)
        places: dict[Place, tuple[str, ...]] = {}
        for cell, nodes in zip(CELLS, genotype, strict=True):
            for node, inputs in enumerate(nodes, start=2):
                for op, source in inputs:
                    place = Place(cell, edge_name(source, node))
                    places[place] = (*places.get(place, ()), op)
        return places

    def standalone(self, arch: Arch | str) -> DartsNetwork:
        """The network of one architecture; its randomness is a copy of the supernet's, in the same state."""
        return DartsNetwork(self.choice(arch), self.skeleton, copy.deepcopy(self.randomness))

    def inherited(self, arch: Arch | str) -> Mapping[str, Tensor]:
        genotype = self.choice(arch)
        places: list[dict[tuple[str, str], list[int]]] = [{}, {}]
        for part, cell in zip(places, genotype, strict=True):
            for i, (node, (op, source)) in enumerate(_numbered(cell)):
                part.setdefault((edge_name(source, node), op), []).append(i)
        state = {}
        for name, value in self.state_dict().items():
            cell_name, _, rest = name.partition(".edges.")
            if not rest:
                state[name] = value
                continue
            edge, op, tail = rest.split(".", 2)
            reduces = self._cell(int(cell_name.rpartition(".")[2])).reduces
            for i in places[reduces].get((edge, op), ()):
                state[f"{cell_name}.operations.{i}.{tail}"] = value
        return state

    def _follow(
        self, x: Tensor, choices: Choice | Sequence[Choice], *, auxiliary: bool
    ) -> tuple[Tensor, Tensor | None]:
        each = [self._checked(choice) for choice in self.per_cell(choices)]

        def run(position: int, before: Tensor, last: Tensor) -> Tensor:
            cell = self._cell(position)
            return cell(before, last, each[position][cell.reduces])  # type: ignore[no-any-return]

        return self.body(x, run, auxiliary=auxiliary)  # type: ignore[no-any-return]

    def _cell(self, position: int) -> SharedCell:
        return self.body.cells[position]  # type: ignore[return-value]

    def _checked(self, choice: Choice) -> Genotype:
        if not isinstance(choice, Genotype):
            raise ArchError(
                f"{self.space}: expected a Genotype with the parts normal and reduce, got {type(choice).__name__}; "
                "decode an architecture with choice()"
            )
        try:
            return _canonical(self.cell_space, choice)
        except TypeError:  # lists inside cannot be looked up
            return self.choice(self.cell_space.from_genotype(choice))

    def _check_fair(self) -> None:
        counts = {
            (cell, edge): len(ops) for cell in CELLS for edge, ops in self.cell_space.edge_operations[cell].items()
        }
        (first_at, first), *others = counts.items()
        for at, count in others:
            if count != first:
                raise UndefinedProtocolError(
                    f"fairnas: not defined on {self.space}: expected as many operations on every edge, got {first} on "
                    f"{_edge_text(first_at)} and {count} on {_edge_text(at)}; use multipath, which averages over "
                    "architectures drawn independently"
                )

    def _permuted(self, cell: str, rng: np.random.Generator) -> Iterator[Cell]:
        """The cells of one topology that together use each operation of each of its edges once."""
        nodes = []
        for node in range(2, self.cell_space.nodes + 2):
            pairs = list(itertools.combinations(range(node), 2))
            for source in pairs[rng.integers(len(pairs))]:
                ops = self.cell_space.edge_operations[cell][node, source]
                nodes.append([(ops[i], source) for i in rng.permutation(len(ops)).tolist()])
        for inputs in zip(*nodes, strict=True):
            yield tuple(zip(inputs[::2], inputs[1::2], strict=True))


def darts_supernet(
    space: str | CellSpace,
    *,
    channels: int = 16,
    layers: int = 8,
    classes: int = 10,
    image_size: int = 32,
    auxiliary: bool = False,
    input_channels: int = 3,
    randomness: Randomness | None = None,
) -> DartsSupernet:
    """A supernet of the ``search`` kind with `layers` cells.

    Make it under ``torch.device("meta")`` and fill it with `initialised`, so that only your generator is advanced.
    """
    skeleton = DartsSkeleton(
        channels=channels,
        cells=layers,
        classes=classes,
        image_size=image_size,
        auxiliary=auxiliary,
        input_channels=input_channels,
    )
    return DartsSupernet(space, skeleton, randomness)


def _numbered(cell: Cell) -> Iterator[tuple[int, tuple[str, int]]]:
    """``(node, (operation, predecessor))`` in the order of a `FixedCell`'s operations."""
    for node, inputs in enumerate(cell, start=2):
        for edge in inputs:
            yield node, edge


def supernet(space: str, network: NetworkConfig, shape: InputShape) -> DartsSupernet:
    """See `nasanalysis.networks.build`."""
    return DartsSupernet(space, skeleton_of(network, shape, kind="search"), partial=network.partial)


@lru_cache(maxsize=1 << 14)
def _canonical(space: CellSpace, genotype: Genotype) -> Genotype:
    return space.genotype(space.from_genotype(genotype))


def _edge_text(at: tuple[str, tuple[int, int]]) -> str:
    cell, (node, source) = at
    return f"edge {edge_name(source, node)} of {cell}"

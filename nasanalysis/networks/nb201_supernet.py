"""The one-shot supernet of the NAS-Bench-201 topology space (torch); `nasanalysis.networks.nb201` has the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor, nn

from ..core.errors import ParameterError
from ..measures.parameters import Position
from ..spaces.base import Arch
from ..spaces.nb201 import OPERATIONS, SPACE
from ..spaces.nb201_isomorphism import EDGES
from ..spaces.skeletons import Skeleton
from .angles import Angles, Vector
from .base import Choice, Supernet
from .capabilities import InputShape
from .config import NetworkConfig
from .mixture import Decision, Mixture, Place, each_cell, part_of, require_whole
from .nb201 import CellNetwork, Ops, edge_operation, features, read_edges, skeleton_of, sum_edges
from .nb201_angles import angles
from .nb201_mixed import DECISIONS, EDGE_DECISIONS, mixed_cell
from .randomness import Randomness


class SharedCell(nn.Module):
    """The weights of every operation on every edge; a choice says which are used, or a mixture how much.

    partial: K where a K-th of the channels goes through the operations of an edge and the rest around them (Xu et al.
        2020); 1: all of them.
    """

    def __init__(
        self, channels: int, *, affine: bool = True, partial: int = 1, randomness: Randomness | None = None
    ) -> None:
        super().__init__()
        self.partial, self.randomness = partial, Randomness() if randomness is None else randomness
        through = part_of(channels, partial)
        self.edges = nn.ModuleDict(
            {
                f"{source}-{target}": nn.ModuleDict(
                    {op: edge_operation(op, through, affine=affine) for op in OPERATIONS[1:]}
                )
                for target, source in EDGES
            }
        )

    def mixed(self, x: Tensor, mixture: Mixture) -> Tensor:
        """The cell's output under a mixture (`nasanalysis.networks.nb201_mixed`)."""
        return mixed_cell(self, x, mixture)

    def forward(self, x: Tensor, ops: Ops) -> Tensor:
        require_whole(self.partial)
        return sum_edges(x, read_edges(ops), lambda edge, name: self.edges[edge][name])  # type: ignore[index]


class NB201Supernet(Supernet):
    """The one-shot supernet over `Skeleton`: every edge of every cell holds all four operations with weights.

    An architecture's copy (`subnet`) is the `CellNetwork` of that architecture. Edges that nothing reads
    are not computed, so their weights get no gradient.
    """

    space = "nb201"

    decisions: tuple[Decision, ...] = DECISIONS
    edge_decisions: tuple[Decision, ...] = EDGE_DECISIONS

    def __init__(self, skeleton: Skeleton, *, partial: int = 1) -> None:
        super().__init__()
        self.skeleton = skeleton
        self.depth = 3 * skeleton.cells
        self.randomness = draws = Randomness()

        def make(channels: int) -> SharedCell:
            return SharedCell(channels, affine=skeleton.affine, partial=partial, randomness=draws)

        self.features = nn.Sequential(*features(skeleton, make))
        self.classifier = nn.Linear(skeleton.stages[-1][0], skeleton.classes)

    def choice(self, arch: Arch | str) -> Ops:
        return SPACE.operations(arch)

    def sample(self, rng: np.random.Generator) -> Ops:
        return tuple(OPERATIONS[i] for i in rng.integers(len(OPERATIONS), size=len(EDGES)).tolist())

    def sample_fed(self, rng: np.random.Generator) -> Ops:
        """Uniform as `sample`, the edges into a node drawn again while all of them are ``none`` (RLNAS)."""
        ops: list[str] = []
        for node in (1, 2, 3):
            drawn = [0] * node
            while not any(drawn):
                drawn = rng.integers(len(OPERATIONS), size=node).tolist()
            ops += [OPERATIONS[i] for i in drawn]
        return tuple(ops)

    def fair(self, rng: np.random.Generator) -> list[Choice]:
        shuffled = [rng.permutation(len(OPERATIONS)).tolist() for _ in EDGES]
        return [tuple(OPERATIONS[order[i]] for order in shuffled) for i in range(len(OPERATIONS))]

    def forward(self, x: Tensor, choices: Choice | Sequence[Choice]) -> Tensor:
        each = iter(self.per_cell(choices))
        for layer in self.features:
            x = layer(x, next(each)) if isinstance(layer, SharedCell) else layer(x)
        out: Tensor = self.classifier(x)
        return out

    def mixed(self, x: Tensor, mixture: Mixture | Sequence[Mixture]) -> Tensor:
        """Logits under a mixture: see `nasanalysis.networks.mixture.Relaxable`."""
        each = iter(each_cell(self, mixture))
        for layer in self.features:
            x = layer.mixed(x, next(each)) if isinstance(layer, SharedCell) else layer(x)
        out: Tensor = self.classifier(x)
        return out

    def chosen(self, choice: Choice) -> dict[Place, tuple[str, ...]]:
        """What an architecture has at each place, for `nasanalysis.networks.mixture.one_hot`."""
        return {d.place: (op,) for d, op in zip(self.decisions, choice, strict=True)}  # type: ignore[call-overload]

    def angles(self, initial: Supernet, archs: Sequence[Arch | str], vector: Vector, weights: Position) -> Angles:
        """See `nasanalysis.networks.angles.supernet_angles`."""
        if not isinstance(initial, NB201Supernet):
            raise ParameterError(f"angles: expected the same supernet before its training, got one of {initial.space}")
        return angles(initial, self, archs, vector, weights)

    def standalone(self, arch: Arch | str) -> CellNetwork:
        return CellNetwork(arch, self.skeleton)

    def inherited(self, arch: Arch | str) -> Mapping[str, Tensor]:
        chosen = {f"{s}-{t}": op for op, (t, s) in zip(self.choice(arch), EDGES, strict=True)}
        state = {}
        for name, value in self.state_dict().items():
            layer, _, rest = name.partition(".edges.")
            if rest:
                edge, op, tail = rest.split(".", 2)
                if chosen[edge] == op:
                    state[f"{layer}.edges.{edge}.{tail}"] = value
            else:
                state[name] = value
        return state


def supernet(space: str, network: NetworkConfig, shape: InputShape) -> NB201Supernet:
    """See `nasanalysis.networks.build`; there is one space of these cells."""
    return NB201Supernet(skeleton_of(network, shape), partial=network.partial)

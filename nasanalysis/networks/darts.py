"""Networks of the DARTS space and of its subspaces S1 to S5 (torch): one architecture by itself.

The skeleton decides which of DARTS's two networks is built. A supernet is of the ``search`` kind (C = 16, 8
cells, batch-norms of the cells without parameters), and so are the standalone networks that inherit its weights;
the network trained from scratch is of the ``evaluation`` kind (C = 36, 20 cells). Parameters and FLOPs are those
that `nasanalysis.spaces.darts.CellSpace` counts.

The supernet itself is in `nasanalysis.networks.darts_supernet`.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from ..core.errors import ArchError, UnknownNameError
from ..measures.paths import WeightPaths
from ..spaces import get_space
from ..spaces.base import Arch
from ..spaces.darts import CellSpace
from ..spaces.darts_genotype import Genotype, read
from .capabilities import InputShape
from .config import NetworkConfig
from .darts_body import Body
from .darts_cells import DartsCell, DartsSkeleton, FixedCell, Place, darts_skeleton
from .darts_paths import used_parameters, weight_paths
from .randomness import Randomness

SPACES = ("darts", "s1", "s2", "s3", "s4", "s5")


class DartsNetwork(nn.Module):
    """The network of one genotype; (batch, input_channels, size, size) -> (batch, classes).

    Parameters
    ----------
    arch: an architecture of the DARTS space or of S1 to S5 (text with its prefix), or a decoded genotype.
    skeleton: kind of network and sizes; by default the evaluation network on CIFAR-10.
    randomness: drop-path probability and generator; see `Randomness`.
    """

    def __init__(
        self,
        arch: Arch | str | Genotype,
        skeleton: DartsSkeleton | None = None,
        randomness: Randomness | None = None,
    ) -> None:
        super().__init__()
        self.skeleton = skeleton = darts_skeleton() if skeleton is None else skeleton
        self.randomness = shared = Randomness() if randomness is None else randomness
        self.genotype = genotype = _decoded(arch)

        def make(place: Place) -> DartsCell:
            return FixedCell(genotype[place.reduces], place, affine=skeleton.affine, randomness=shared)

        self.body = Body(skeleton, len(genotype.normal), make)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x, self._run)[0]  # type: ignore[no-any-return]

    @property
    def has_auxiliary(self) -> bool:
        """Whether there is an auxiliary head."""
        return self.skeleton.auxiliary

    def with_auxiliary(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The logits, and those of the auxiliary head, both (batch, classes)."""
        return self.body(x, self._run, auxiliary=True)  # type: ignore[no-any-return]

    def search_cells(self) -> list[nn.Module]:
        """The cells, from the first to the last."""
        return list(self.body.cells)

    def feature_blocks(self) -> list[nn.Module]:
        """The stem (what the first cell reads last), then the cells."""
        return [self.body.stem, *self.body.cells]

    def used_parameters(self) -> list[str]:
        """Names of the parameters that the logits depend on, in evaluation mode (see `darts_paths`)."""
        return used_parameters(self.body, self.genotype)

    def weight_paths(self) -> WeightPaths:
        """RLNAS's vector (see `darts_paths`)."""
        return weight_paths(self.body, self.genotype)

    def _run(self, position: int, before: Tensor, last: Tensor) -> Tensor:
        return self.body.cells[position](before, last)  # type: ignore[no-any-return]


def cell_space(name: str) -> CellSpace:
    """The space of DARTS cells called `name`; `UnknownNameError` lists them."""
    if name not in SPACES:
        raise UnknownNameError("space of DARTS cells", name, SPACES)
    return get_space(name)  # type: ignore[return-value]


def _decoded(arch: Arch | str | Genotype) -> Genotype:
    if isinstance(arch, Genotype):
        return read(arch, len(arch.normal))
    named = Arch.from_text(arch) if isinstance(arch, str) else arch
    if named.space not in SPACES:
        raise ArchError(f"expected an architecture of {', '.join(SPACES)}, got one of {named.space!r}: {named}")
    return cell_space(named.space).genotype(str(named))


def alone(arch: Arch, network: NetworkConfig, shape: InputShape) -> DartsNetwork:
    """One architecture at its evaluation (see `nasanalysis.networks.build`)."""
    return DartsNetwork(arch, skeleton_of(network, shape, kind="evaluation"))


def skeleton_of(network: NetworkConfig, shape: InputShape, *, kind: Literal["search", "evaluation"]) -> DartsSkeleton:
    """The skeleton that a configuration asks for, for images of `shape`."""
    return DartsSkeleton(
        kind=kind,
        channels=network.channels,
        cells=network.layers,
        image_size=shape.size,
        classes=shape.classes,
        auxiliary=network.auxiliary,
        input_channels=shape.inputs,
    )

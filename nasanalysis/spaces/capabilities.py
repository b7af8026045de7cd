"""What a space can be asked for, one small protocol for each question.

A space must have a name and read its architectures' text (`Space`). Everything else is a capability: whoever needs one
asks for it by name, ``get_space("nb201", HasNeighbours)``, and a space without it says what it lacks. So a space from
outside the package works as far as it goes, without a base class::

    class Widths:
        name, gene_sizes = "widths", (8, 8, 8)                      # HasGenes: can be searched

        def parse(self, text): ...                                  # Space: ``widths:key`` -> Arch
        def params(self, arch, dataset): ...                        # HasParams: the proxy ``params``, constraints
        def genes(self, arch): ...
        def from_genes(self, genes): ...

    SPACES["widths"] = "my_module:SPACE"
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np

from ..core.errors import MissingCapabilityError
from .base import Arch, Images, Space
from .cell_graphs import CellGraph, Kind

C = TypeVar("C")


@runtime_checkable
class Enumerable(Space, Protocol):
    """A finite set in a fixed order: as many as ``len`` says, each with an index from 0."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Arch]: ...
    def arch(self, index: int) -> Arch: ...
    def index(self, arch: Arch | str) -> int: ...


@runtime_checkable
class Samplable(Space, Protocol):
    """Draws: `n` distinct architectures, uniform, in the order drawn."""

    def sample(self, n: int, rng: np.random.Generator) -> list[Arch]: ...


@runtime_checkable
class Isomorphic(Space, Protocol):
    """Knows which architectures are the same network, under rules with names (the first is ``published``)."""

    @property
    def isomorphism_rules(self) -> Sequence[str]: ...
    def unique_archs(self, rule: str = "published") -> Mapping[Arch, Arch]: ...


@runtime_checkable
class HasParams(Space, Protocol):
    """Counts trainable parameters of the network trained on `dataset` (and takes a size where it is `Sized`)."""

    @property
    def params(self) -> Any: ...  # ``(arch, dataset) -> int``: the keywords of a size differ from space to space


@runtime_checkable
class HasFlops(Space, Protocol):
    """Counts multiply-accumulates of one image of `dataset`; arguments as those of `HasParams`."""

    @property
    def flops(self) -> Any: ...  # ``(arch, dataset) -> float``


@runtime_checkable
class Sized(Space, Protocol):
    """Puts its cells into networks of several sizes: `params` and `flops` then take ``channels`` and ``cells``.

    skeleton: the fixed network around the cells; `UnknownNameError` for a dataset it is not known for.
    """

    def skeleton(self, dataset: str | Images, *, channels: int | None = None, cells: int | None = None) -> object: ...


@runtime_checkable
class HasLivePath(Space, Protocol):
    """Says whether the output of a network depends on its input at all."""

    def has_live_path(self, arch: Arch | str) -> bool: ...


@runtime_checkable
class HasNeighbours(Space, Protocol):
    """Lists the architectures that differ in one decision."""

    def neighbours(self, arch: Arch | str) -> list[Arch]: ...


@runtime_checkable
class HasGenes(Space, Protocol):
    """An architecture is a row of digits: at a position the same options, whatever stands at the others.

    gene_sizes: number of options at each position.
    """

    @property
    def gene_sizes(self) -> tuple[int, ...]: ...
    def genes(self, arch: Arch | str) -> tuple[int, ...]: ...
    def from_genes(self, genes: Sequence[int]) -> Arch: ...


@runtime_checkable
class TwoCells(Enumerable, Protocol):
    """An architecture is a normal and a reduction cell, each node of which reads two earlier ones (DARTS)."""

    nodes: int
    edge_operations: dict[str, dict[tuple[int, int], tuple[str, ...]]]

    @property
    def genotype(self) -> Any: ...  # ``(arch) -> Genotype``


@runtime_checkable
class HasReader(Space, Protocol):
    """Reads spellings of its own in files, beyond the text that `parse` takes (`nasanalysis.spaces.names`)."""

    def read(self, raw: object) -> Arch: ...


@runtime_checkable
class HasLabels(Space, Protocol):
    """Has a short name for an architecture whose key is long."""

    def label(self, arch: Arch | str) -> str: ...


@dataclass(frozen=True)
class Drawing:
    """A cell as a graph, to be drawn.

    Attributes
    ----------
    name: ``cell``, ``normal`` or ``reduce``.
    labels: node -> what stands in it, in topological order, the output last.
    edges: (source, target, operation or None).
    operations: node -> its operation, in spaces whose operations sit on nodes.
    layers: where each node stands from left to right; by default the longest path from an input.
    """

    name: str
    labels: Mapping[str, str]
    edges: Sequence[tuple[str, str, str | None]]
    operations: Mapping[str, str] = field(default_factory=dict)
    layers: Sequence[int] | None = None


@runtime_checkable
class Drawable(Space, Protocol):
    """Gives the cells of an architecture as graphs."""

    def drawings(self, arch: Arch | str) -> list[Drawing]: ...


@runtime_checkable
class HasCellGraphs(Space, Protocol):
    """Gives the cells of an architecture as labelled graphs, for arithmetic (`nasanalysis.proxies.graph`).

    operation_kinds: every operation that a slot can hold -> its kind.
    longest_path: operations that the longest possible path through one cell holds.
    """

    @property
    def operation_kinds(self) -> Mapping[str, Kind]: ...
    @property
    def longest_path(self) -> int: ...
    def cell_graphs(self, arch: Arch | str) -> list[CellGraph]: ...


#: What a space with the capability can do, for the message of one without.
_CAN: dict[type, str] = {
    Enumerable: "be enumerated",
    Samplable: "be sampled",
    Isomorphic: "tell which architectures are the same",
    HasParams: "count parameters",
    HasFlops: "count FLOPs",
    Sized: "be built in other sizes",
    HasLivePath: "tell architectures with a live path",
    HasNeighbours: "list neighbours",
    HasGenes: "be searched position by position",
    TwoCells: "be searched node by node",
    HasReader: "read names of its own",
    HasLabels: "name architectures shortly",
    Drawable: "be drawn",
    HasCellGraphs: "give its cells as graphs",
}


def members(capability: type) -> list[str]:
    """The names that a capability asks for beyond those of every `Space`."""
    protocols = [one for one in capability.__mro__ if one.__module__ not in ("typing", "builtins")]
    names = {name for one in protocols for name in (*vars(one), *vars(one).get("__annotations__", {}))}
    plain = {name for name in names if not name.startswith("_")} | (names & {"__len__", "__iter__"})
    return sorted(plain - {"name", "parse"}, key=lambda name: name.strip("_"))


def require(space: Space, capability: type[C]) -> C:
    """`space` where it has `capability`; `MissingCapabilityError` names what it lacks."""
    if isinstance(space, capability):
        return space
    lacks = ", ".join(name for name in members(capability) if not hasattr(space, name))
    can = _CAN.get(capability, f"be used as {capability.__name__}")
    raise MissingCapabilityError(space.name, can, lacks)


#: What an architecture costs -> the capability to count it.
COSTS: dict[str, type] = {"params": HasParams, "flops": HasFlops}


def counter(
    space: Space, quantity: str, *, channels: int | None = None, cells: int | None = None
) -> Callable[[Arch | str, str | Images], float]:
    """``(arch, dataset) -> params`` (count) or ``flops`` (multiply-accumulates of one image).

    `MissingCapabilityError` where the space does not count it, or has one size only and another is asked for.
    """
    count: Callable[..., float] = getattr(require(space, COSTS[quantity]), quantity)
    if channels is None and cells is None:  # a space of one size need not know these words
        return count
    require(space, Sized)
    return partial(count, channels=channels, cells=cells)

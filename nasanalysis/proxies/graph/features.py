"""Numbers of many cells: ``graph_features(archs)`` -> one row for each architecture, one column for each feature.

Words. An operation or an edge is *live* if it lies on a path from an input to the output on which no operation is
``none``; such a path is *open*. On a path a skip hands on what it reads, so the *length* of a path counts the
operations that are not skips, and its content is theirs. All features are the same for cells that differ in the
numbering of their nodes; those of open paths (`FEATURES` says which) are the same for NAS-Bench-201 cells that compute
the same function, and do not see the loose ends of an encoding of NAS-Bench-1shot1.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ...core.errors import ArchError, NasAnalysisError
from ...spaces import Arch, get_space
from ...spaces.capabilities import HasCellGraphs
from ...spaces.cell_graphs import CellGraph, Topology
from .paths import Bools, paths_of, through, widths

Values = dict[str, NDArray[np.float64]]


class Feature(NamedTuple):
    """direction: +1 where more of it was expected to be better, -1 where less. folded: it is one of open paths."""

    direction: int
    folded: bool
    meaning: str


#: Feature -> what it is. ``count`` and ``live_count`` take an operation, ``paths`` a content, ``length`` a number.
FEATURES = {
    "count": Feature(1, False, "slots that hold this operation, as the cell is written (-1 unless a convolution)"),
    "live_count": Feature(1, False, "of these, the live ones (-1 unless a convolution)"),
    "live_edges": Feature(1, False, "live edges: those with operations, or all where operations sit in nodes"),
    "live_operations": Feature(1, False, "live operations"),
    "parameter_free": Feature(-1, False, "share of the live operations without weights; null where none is live"),
    "width": Feature(1, True, "most live operations of which no two lie on one open path"),
    "input_degree": Feature(1, False, "live edges that leave an input"),
    "output_degree": Feature(1, False, "live edges that enter the output"),
    "live": Feature(1, True, "1 where the output depends on the input (an open path), else 0"),
    "depth": Feature(1, True, "greatest length of an open path, 0 without one"),
    "depth_conv": Feature(1, True, "most convolutions on an open path, 0 without one"),
    "paths": Feature(1, True, "open paths, or those of one content: conv (nothing but convolutions, at least one), "
                              "mixed (convolutions and others), free (no weights), identity (nothing but skips)"),
    "length": Feature(1, True, "open paths of this length"),
}  # fmt: skip
CONTENTS = ("conv", "mixed", "free", "identity")


@dataclass(frozen=True)
class _Group:
    """Cells of one name and topology: `rows` of the table that they fill, `operations` (n, n_slots) as numbers."""

    topology: Topology
    rows: list[int]
    operations: list[tuple[str, ...]]


def graph_features(archs: Iterable[str | Arch], space: str | None = None) -> pl.DataFrame:
    """Features of cells as graphs: ``arch`` and one column for each feature, named as the proxy of it.

    Parameters
    ----------
    archs: ``space:key``, or bare keys where `space` is given; all of one space.
    space: its name; by default that of the first architecture.

    Returns one row for each architecture in the order given, all float64: ``graph_depth``,
    ``graph_count@nor_conv_3x3``, ``graph_paths@conv``, ``graph_length@2`` ...; of a space with two cells
    ``graph_depth@normal``, ``graph_count@reduce/skip_connect`` ... `FEATURES` says what each is. Exact arithmetic.

    Raises `MissingCapabilityError` for a space without cells, `ArchError` for architectures of several.

    >>> table = graph_features(["nb201:|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|nor_conv_3x3~1|none~2|"])
    >>> table.select("graph_depth", "graph_width", "graph_paths", "graph_paths@conv", "graph_count@none").row(0)
    (2.0, 2.0, 2.0, 1.0, 3.0)
    """
    texts = [str(arch) for arch in archs]
    if not texts:
        raise NasAnalysisError("graph_features: expected at least one architecture, got none")
    name = Arch.from_text(texts[0]).space if space is None else space
    return _features(name, tuple(texts))


@lru_cache(maxsize=2)  # the proxies of one space ask for the same architectures one after the other
def _features(name: str, texts: tuple[str, ...]) -> pl.DataFrame:
    space = get_space(name, HasCellGraphs)
    archs = [space.parse(text) for text in texts]
    groups: dict[str, dict[Topology, _Group]] = defaultdict(dict)
    for row, arch in enumerate(archs):
        for graph in space.cell_graphs(arch):
            _add(groups[graph.name], graph, row)
    table: Values = {}
    for cell, of_topology in groups.items():
        for feature, column in _table(space, list(of_topology.values()), len(texts)).items():
            table[f"graph_{feature}" if len(groups) == 1 else of_cell(f"graph_{feature}", cell)] = column
    return pl.DataFrame({"arch": [str(arch) for arch in archs], **table})


def of_cell(name: str, cell: str) -> str:
    """The feature `name` of one cell: ``graph_depth`` -> ``graph_depth@normal``, ``graph_count@normal/none``."""
    base, at, argument = name.partition("@")
    return f"{base}@{cell}/{argument}" if at else f"{base}@{cell}"


def _add(groups: dict[Topology, _Group], graph: CellGraph, row: int) -> None:
    group = groups.setdefault(graph.topology, _Group(graph.topology, [], []))
    group.rows.append(row)
    group.operations.append(graph.operations)


def _table(space: HasCellGraphs, groups: list[_Group], n: int) -> Values:
    table: Values = {}
    for group in groups:
        for feature, column in _of_group(space, group).items():
            table.setdefault(feature, np.full(n, np.nan))[group.rows] = column
    return table


def _of_group(space: HasCellGraphs, group: _Group) -> dict[str, NDArray[np.generic]]:
    """Every feature of cells of one topology, (n,) each."""
    paths, edges = paths_of(group.topology), group.topology.edges
    numbers, kinds = _as_numbers(space, group)
    open_paths = _count(kinds == "none", paths.slots) == 0
    live, live_edges = through(open_paths, paths.slots), through(open_paths, paths.edges)
    carries = np.array([slot is not None for *_, slot in edges]) if not group.topology.node_slots else np.True_
    of_op = {op: numbers == i for i, op in enumerate(space.operation_kinds)}
    n_live = live.sum(axis=1)
    free = (live & (kinds != "conv")).sum(axis=1)
    return {
        **{f"count@{op}": here.sum(axis=1) for op, here in of_op.items()},
        **{f"live_count@{op}": (here & live).sum(axis=1) for op, here in of_op.items() if op != "none"},
        "live_edges": (live_edges & carries).sum(axis=1),
        "live_operations": n_live,
        "parameter_free": np.where(n_live > 0, free / np.maximum(n_live, 1), np.nan),
        "width": widths(paths, open_paths),
        "input_degree": live_edges[:, [source in group.topology.inputs for source, *_ in edges]].sum(axis=1),
        "output_degree": live_edges[:, [target == group.topology.output for _, target, _ in edges]].sum(axis=1),
        **_of_paths(kinds, paths.slots, open_paths, space.longest_path),
    }


def _of_paths(kinds: NDArray[np.str_], slots: Bools, open_paths: Bools, longest: int) -> dict[str, NDArray[np.generic]]:
    """The features that skips and closed paths do not change: `FEATURES` whose `folded` is true."""
    convolutions, length = _count(kinds == "conv", slots), _count(kinds != "skip", slots)
    content = {
        "conv": (convolutions > 0) & (convolutions == length),
        "mixed": (convolutions > 0) & (convolutions < length),
        "free": convolutions == 0,
        "identity": length == 0,
    }
    return {
        "live": open_paths.any(axis=1),
        "depth": np.max(length * open_paths, axis=1, initial=0),
        "depth_conv": np.max(convolutions * open_paths, axis=1, initial=0),
        "paths": open_paths.sum(axis=1),
        **{f"paths@{name}": (open_paths & here).sum(axis=1) for name, here in content.items()},
        **{f"length@{n}": (open_paths & (length == n)).sum(axis=1) for n in range(longest + 1)},
    }


def _count(here: Bools, slots: Bools) -> NDArray[np.int64]:
    """(n, n_paths): slots on each path that are `here` (n, n_slots)."""
    return np.asarray(here.astype(np.int64) @ slots.astype(np.int64).T)


def _as_numbers(space: HasCellGraphs, group: _Group) -> tuple[NDArray[np.int64], NDArray[np.str_]]:
    """(n, n_slots) operations as places in `operation_kinds`, and their kinds."""
    place = {operation: i for i, operation in enumerate(space.operation_kinds)}
    shape = len(group.rows), paths_of(group.topology).slots.shape[1]
    try:
        numbers = np.array([[place[op] for op in ops] for ops in group.operations], dtype=np.int64).reshape(shape)
    except KeyError as error:
        raise ArchError(
            f"graph_features: expected operations of {space.name} ({', '.join(place)}), got {error.args[0]!r}"
        ) from None
    return numbers, np.array(list(space.operation_kinds.values()), dtype="<U5")[numbers]

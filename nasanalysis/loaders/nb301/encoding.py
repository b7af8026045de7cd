"""A DARTS genotype as NAS-Bench-301's surrogates read it: 56 numbers.

The surrogates were fitted on the vector form of a ConfigSpace configuration: 28 edges (14 of each
cell), 6 choices of a node's two predecessors, and 22 settings of the training that the public package
always fills with the same values. The order is ConfigSpace's own: settings and unconditional choices by
name first, then the edges that exist only for some predecessors, by name too, so that edge 10 stands
before edge 2.

===================  =====  ==============================================================
columns              count  value
===================  =====  ==============================================================
edge_<cell>_<k>      28     operation number 0 to 6 (`nasanalysis.spaces.darts_genotype.OPERATIONS`);
                            -1 where the genotype has no such edge
inputs_node_<c>_<n>  6      number of the predecessor pair among 0_1, 0_2, ..., in that order
all others           22     constant: the training protocol, scaled by ConfigSpace
===================  =====  ==============================================================
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from ...core.errors import ArchError
from ...spaces.base import Arch
from ...spaces.darts import SPACE
from ...spaces.darts_genotype import CELLS, OPERATIONS, Edge

#: Value of the 22 constant columns, before scaling given in words: what the public package always asks for.
_CONSTANTS: dict[int, tuple[str, float]] = {
    0: ("batch_size", 0.5863451791322553),  # 96
    1: ("augment", 0.0),
    2: ("autoaugment", 0.0),
    3: ("cutout", 0.0),
    4: ("cutout_holes", 0.16666444442962952),  # 1
    5: ("cutout_length", 0.3099999239999697),  # 16
    6: ("fastautoaugment", 0.0),
    7: ("loss_module", 0.0),
    8: ("auxiliary", 0.0),
    9: ("drop_path_prob", 0.0),  # 0.2
    14: ("init_channels", 0.003149999006299998),  # 32
    21: ("layers", 0.000749999001499998),  # 8
    22: ("network", 0.0),
    23: ("optimizer", 0.0),
    24: ("learning_rate", -3.6888794541139363),  # ln 0.025
    25: ("momentum", 0.8988764044943821),  # 0.9
    26: ("weight_decay", -8.111728083308073),  # ln 0.0003
    27: ("T_max", 0.009949999019899998),  # 100
    28: ("eta_min", 1e-12),
    29: ("lr_scheduler", 0.0),
    30: ("batch_loss_computation_technique", 0.0),
    31: ("mixup_alpha", 0.7051278400653053),  # 0.2
}


def _columns() -> tuple[str, ...]:
    names = {column: name for column, (name, _) in _CONSTANTS.items()}
    free = [f"edge_{cell}_{k}" for cell in CELLS for k in (0, 1)]
    free += [f"inputs_node_{cell}_{node}" for cell in CELLS for node in (3, 4, 5)]
    free += [f"edge_{cell}_{k}" for cell in CELLS for k in sorted(range(2, 14), key=str)]
    rest = iter(free)
    return tuple(names[column] if column in names else next(rest) for column in range(len(names) + len(free)))


#: Names of the 56 columns, without the package's prefixes.
COLUMNS: tuple[str, ...] = _columns()
_COLUMN = {name: i for i, name in enumerate(COLUMNS)}
_OPERATION = {op: i for i, op in enumerate(OPERATIONS)}
_PAIR = {node: {pair: i for i, pair in enumerate(itertools.combinations(range(node), 2))} for node in (3, 4, 5)}
_FIRST_EDGE = {2: 0, 3: 2, 4: 5, 5: 9}
_BLANK = np.full(len(COLUMNS), -1.0)
for _column, (_, _value) in _CONSTANTS.items():
    _BLANK[_column] = _value

#: What one node sets: columns and values.
_Entries = tuple[tuple[int, ...], tuple[float, ...]]
#: (position among the eight nodes, its canonical text) -> what it sets. Filled as nodes are met: under 3,000 of them.
_NODES: dict[tuple[int, str], _Entries] = {}


def encode(archs: Iterable[Arch | str]) -> npt.NDArray[np.float64]:
    """The (n, 56) matrix of architectures of the ``darts`` space.

    `ArchError` for a genotype that is valid in the space but that the encoding cannot express: one with
    ``none``, which is not among NAS-Bench-301's operations, or one in which a node reads a predecessor
    twice, for which there is only one column.
    """
    columns, values = [], []
    for arch in archs:
        nodes = _nodes(str(arch))
        columns.append([column for part, _ in nodes for column in part])
        values.append([value for _, part in nodes for value in part])
    matrix = np.tile(_BLANK, (len(columns), 1))
    if columns:
        np.put_along_axis(matrix, np.array(columns), np.array(values), axis=1)
    return matrix


def _nodes(text: str) -> list[_Entries]:
    """What the eight nodes of an architecture set. A key made only of canonical nodes met before needs no parsing."""
    known = _split(text.removeprefix("darts:"))
    if known is not None and all(node in _NODES for node in known):
        return [_NODES[node] for node in known]
    arch = SPACE.parse(text)
    genotype = SPACE.genotype(arch)
    entries = [
        _entries(arch, cell, n, inputs)
        for cell, nodes in zip(CELLS, genotype, strict=True)
        for n, inputs in enumerate(nodes, 2)
    ]
    _NODES.update(zip(_split(arch.key) or (), entries, strict=True))
    return entries


def _split(key: str) -> list[tuple[int, str]] | None:
    """Position and text of the eight nodes of a canonical key; None for any other spelling."""
    normal, separator, reduce = key.partition(";reduce=")
    nodes = [*normal.removeprefix("normal=").split("+"), *reduce.split("+")]
    return list(enumerate(nodes)) if separator and normal.startswith("normal=") and len(nodes) == 8 else None


def _entries(arch: Arch, cell: str, node: int, inputs: tuple[Edge, Edge]) -> _Entries:
    sources = (inputs[0][1], inputs[1][1])
    if sources[0] == sources[1]:
        raise _outside(
            arch,
            f"{cell}, node {node} reads predecessor {sources[0]} twice, and the encoding has one column for each edge",
        )
    entries: dict[int, float] = {}
    for op, source in inputs:
        if op not in _OPERATION:
            raise _outside(
                arch, f"{cell}, node {node} holds {op!r}, and the encoding knows only {', '.join(OPERATIONS)}"
            )
        entries[_COLUMN[f"edge_{cell}_{_FIRST_EDGE[node] + source}"]] = _OPERATION[op]
    if node > 2:
        entries[_COLUMN[f"inputs_node_{cell}_{node}"]] = _PAIR[node][sources]
    return tuple(entries), tuple(entries.values())


def _outside(arch: Arch, why: str) -> ArchError:
    return ArchError(
        f"nb301: {why}: this genotype is outside NAS-Bench-301's encoding "
        f"(valid in the darts space, not for the surrogate): {arch}"
    )

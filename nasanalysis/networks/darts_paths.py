"""Which weights of a network of DARTS cells its output depends on, and its weights path by path (RLNAS).

RLNAS's vector (Zhang et al. 2021, Section 3.2, and its code for the DARTS space). Once: the stem, what brings the
inputs of every cell to its channels, the classifier's weight (without its bias). Then, in each cell, every path from
one of its inputs to an intermediate node (all of them are concatenated to the output): the convolutions and
batch-norms of its edges. A skip stands as the C x C identity, pooling as a 3x3 kernel of 1/9 for every channel; a skip
of stride 2 has weights of its own. A path with ``none`` is left out, and one with ``noise``, which passes nothing on.
That code counts the weight of a dilated convolution's batch-norm twice, in place of its bias; here the bias stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from torch import nn

from ..measures.paths import Constant, Piece, WeightPaths
from ..spaces.darts_genotype import Cell, Genotype
from .darts_body import Body
from .darts_cells import FixedCell

#: Operations that pass nothing of their input on.
CUT = ("none", "noise")
POOLS = ("max_pool_3x3", "avg_pool_3x3")
_STEM = (-2, -1)


def weight_paths(body: Body, genotype: Genotype) -> WeightPaths:
    """See the module; no paths at all where the output does not depend on the image."""
    once: list[Piece] = [*_names("body.stem", body.stem)]
    paths: list[tuple[Piece, ...]] = []
    live = set(_STEM)
    for position, module, cell in _cells(body, genotype):
        prefix = f"body.cells.{position}"
        once += _names(f"{prefix}.preprocess0", module.preprocess0) + _names(
            f"{prefix}.preprocess1", module.preprocess1
        )
        for source, path in _routes(cell):
            if position - 2 + source in live:
                live.add(position)
            paths.append(tuple(piece for i in path for piece in _pieces(prefix, module, cell, i)))
    once.append("body.classifier.weight")
    return WeightPaths(tuple(once), tuple(paths) if len(body.cells) - 1 in live else ())


def used_parameters(body: Body, genotype: Genotype) -> list[str]:
    """Names of the parameters that the logits depend on, in evaluation mode.

    Left out: the auxiliary head, operations and cells that nothing reads, and convolutions that read zeros
    (the batch-norm after one still gives an offset).
    """
    cells = list(_cells(body, genotype))
    fed = dict.fromkeys(_STEM, True)  # output of a cell -> whether it can be anything but zero
    nodes: dict[int, list[bool]] = {}
    for position, module, cell in cells:
        nodes[position] = _live_nodes(module, cell)
        fed[position] = any(nodes[position][2:])
    needed = {len(cells) - 1}
    for position, _, cell in reversed(cells):
        if position in needed:
            needed |= {position - 2 + source for source in _read(cell)}
    names: list[str] = []
    if needed & set(_STEM):
        names += _names("body.stem.first", body.stem.first)
    if -1 in needed:
        names += _names("body.stem.second", body.stem.second)
    for position, module, cell in cells:
        if position not in needed:
            continue
        prefix = f"body.cells.{position}"
        for source in sorted(_read(cell)):
            part = f"preprocess{source}"
            names += _names(f"{prefix}.{part}", module.get_submodule(part), fed=fed[position - 2 + source])
        for i, (op, source) in enumerate(_edges(cell)):
            if op not in CUT:
                names += _names(f"{prefix}.operations.{i}", module.operations[i], fed=nodes[position][source])
    return [*names, *(["body.classifier.weight"] if fed[len(cells) - 1] else []), "body.classifier.bias"]


def _cells(body: Body, genotype: Genotype) -> Iterator[tuple[int, FixedCell, Cell]]:
    for position, module in enumerate(body.cells):
        assert isinstance(module, FixedCell)
        yield position, module, genotype[module.reduces]


def _edges(cell: Cell) -> list[tuple[str, int]]:
    """``(operation, source)`` in the order of a `FixedCell`'s operations."""
    return [edge for node in cell for edge in node]


def _read(cell: Cell) -> set[int]:
    """Which of the cell's two inputs are read."""
    return {source for op, source in _edges(cell) if source < 2 and op not in CUT}


def _routes(cell: Cell) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Every path from an input to an intermediate node: the input, and the numbers of its edges."""
    reaching: dict[int, list[tuple[int, tuple[int, ...]]]] = {0: [(0, ())], 1: [(1, ())]}
    for i, (op, source) in enumerate(_edges(cell)):
        routes = reaching.setdefault(2 + i // 2, [])
        if op not in CUT:
            routes += [(start, (*path, i)) for start, path in reaching[source]]
    for node, routes in reaching.items():
        if node > 1:
            yield from routes


def _pieces(prefix: str, module: FixedCell, cell: Cell, i: int) -> Iterable[Piece]:
    op, _ = _edges(cell)[i]
    weights = _names(f"{prefix}.operations.{i}", module.operations[i])
    if op in POOLS:
        return [Constant(1 / 9, 9 * module.channels), *weights]
    if isinstance(module.operations[i], nn.Identity):
        return [Constant(1.0, module.channels)]  # the identity; its zeros change neither product nor norm
    return weights


def _live_nodes(module: FixedCell, cell: Cell) -> list[bool]:
    """Whether each node can be anything but zero; batch-norm makes sure of it for the inputs."""
    live = [True, True]
    edges = _edges(cell)
    for node in range(len(cell)):
        each = (2 * node, 2 * node + 1)
        live.append(any(_gives(module.operations[i], edges[i][0], live[edges[i][1]]) for i in each))
    return live


def _gives(module: nn.Module, op: str, fed: bool) -> bool:
    if op in CUT:
        return op == "noise"
    return fed or any(isinstance(part, nn.BatchNorm2d) for part in module.modules())


def _names(prefix: str, module: nn.Module, *, fed: bool = True) -> list[str]:
    """Names of the parameters of `module`; where it reads zeros, from its first batch-norm on."""
    names: list[str] = []
    for name, part in module.named_modules():
        if list(part.children()):
            continue
        fed = fed or isinstance(part, nn.BatchNorm2d)
        if fed:
            names += [f"{prefix}.{name}.{weight}".replace("..", ".") for weight, _ in part.named_parameters()]
    return names

"""Angles of all architectures of NAS-Bench-201 at once: dot products per edge and operation, then sums along paths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from ..measures.parameters import Position
from ..spaces.base import Arch
from ..spaces.nb201 import OPERATIONS
from ..spaces.nb201_isomorphism import EDGES
from .angles import Angles, Floats, Vector, dots, of_sums
from .nb201 import PATHS, Ops, read_edges

if TYPE_CHECKING:
    from .nb201_supernet import NB201Supernet

_EDGES = [f"{source}-{target}" for target, source in EDGES]


def angles(
    initial: NB201Supernet, final: NB201Supernet, archs: Sequence[Arch | str], vector: Vector, weights: Position
) -> Angles:
    """See `nasanalysis.networks.angles.supernet_angles`."""
    before, after = (dict(net.named_parameters()) for net in (initial, final))
    ops = [final.choice(arch) for arch in archs]
    index = np.array([[OPERATIONS.index(op) for op in each] for each in ops]).reshape(-1, len(EDGES))
    convolutions, others = _tables(before, after, final, vector)
    use, feed = _path_counts(index) if vector == "paths" else _reads(ops, final.skeleton.affine)
    at = np.arange(len(EDGES))
    searched = np.einsum("ne,nek->nk", feed, convolutions[at, index])
    fixed = np.einsum("ne,nek->nk", use, others[at, index])
    if weights == "all":
        fixed = fixed + _once(before, after)
    total = searched + fixed
    total[~_connected(index)] = np.nan
    return of_sums(total, np.where(np.isnan(total), np.nan, fixed))


def _tables(
    before: Mapping[str, Tensor], after: Mapping[str, Tensor], net: NB201Supernet, vector: Vector
) -> tuple[Floats, Floats]:
    """(edges, operations, 3) sums over the cells: of convolutions, and of what else an operation brings."""
    convolutions, others = np.zeros((len(EDGES), len(OPERATIONS), 3)), np.zeros((len(EDGES), len(OPERATIONS), 3))
    for name in before:
        rest = name.partition(".edges.")[2]
        if not rest:
            continue
        edge, op, part = rest.split(".", 2)
        to = convolutions if part == "1.weight" else others
        if to is convolutions or vector == "flat":  # paths hold no batch-norms
            to[_EDGES.index(edge), OPERATIONS.index(op)] += dots(before[name], after[name])
    if vector == "paths":  # the stand-in of pooling: 3x3 kernels of 1/9
        size = sum(9 * width * net.skeleton.cells for width, _ in net.skeleton.stages)
        others[:, OPERATIONS.index("avg_pool_3x3")] = size * (1 / 9) ** 2
    return convolutions, others


def _once(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> Floats:
    rows = [dots(before[name], after[name]) for name in before if ".edges." not in name]
    total: Floats = np.array(rows, dtype=np.float64).sum(0)
    return total


def _path_counts(index: np.ndarray) -> tuple[Floats, Floats]:
    """(n, edges): in how many live paths each edge stands."""
    counts = np.zeros(index.shape)
    for path in PATHS:
        edges = [_EDGES.index(edge) for edge in path]
        counts[:, edges] += (index[:, edges] > 0).all(1, keepdims=True)
    return counts, counts


def _reads(ops: Sequence[Ops], affine: bool) -> tuple[Floats, Floats]:
    """(n, edges), twice: edges from which something reaches the output; of these, those that read more than zeros."""
    use, feed = np.zeros((len(ops), len(EDGES))), np.zeros((len(ops), len(EDGES)))
    for row, each in enumerate(ops):
        live = {0}
        for target, source, op in read_edges(each):
            at = EDGES.index((target, source))
            use[row, at] = 1
            feed[row, at] = source in live
            if source in live or (affine and op.startswith("nor_conv")):
                live.add(target)
    return use, feed


def _connected(index: np.ndarray) -> np.ndarray:
    paths = [(index[:, [_EDGES.index(edge) for edge in path]] > 0).all(1) for path in PATHS]
    return np.any(paths, axis=0)  # type: ignore[no-any-return]

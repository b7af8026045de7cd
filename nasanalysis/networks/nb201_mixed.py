"""The relaxed cell of NAS-Bench-201 (torch): all operations of all edges, weighed and summed.

Edges that start at one node read the same values, so what they share is computed once: average pooling and ReLU, and
the convolutions of a kernel size as one convolution with as many outputs as there are edges. It is what the edges would
compute one by one, in another order of sums.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..spaces.nb201 import OPERATIONS
from ..spaces.nb201_isomorphism import EDGES
from .mixture import Decision, Mixture, Place, shuffled, weighted_sum

if TYPE_CHECKING:
    from .nb201_supernet import SharedCell

#: What a cell leaves open: the operation of each edge, ``none`` among them.
DECISIONS = tuple(Decision(Place("cell", f"{source}-{target}"), OPERATIONS) for target, source in EDGES)
#: What edge normalisation weighs: the inputs of every node.
EDGE_DECISIONS = tuple(
    Decision(Place("cell", f"node-{node}"), tuple(map(str, range(node))), kind="input") for node in (1, 2, 3)
)
_CONVOLUTIONS = ("nor_conv_1x1", "nor_conv_3x3")


def mixed_cell(cell: SharedCell, x: Tensor, mixture: Mixture) -> Tensor:
    """(batch, channels, height, width) -> the same: node j is the sum of its mixed edges."""
    arriving: list[list[Tensor]] = [[], [], [], []]
    around: list[list[Tensor]] = [[], [], [], []]
    partial = cell.partial
    for source in range(3):
        value = x if source == 0 else _node(x, arriving[source], around[source], partial)
        rows = {
            target: mixture.rows[place]
            for target in range(source + 1, 4)
            if (place := Place("cell", f"{source}-{target}")) in mixture.rows
        }
        through, rest = value, None
        if partial > 1:
            width = value.shape[1] // partial
            through, rest = value[:, :width], value[:, width:]
        outputs = _edges(cell, source, through, rows)
        for target in rows:
            place = Place("cell", f"{source}-{target}")
            out = weighted_sum(outputs[target])
            if place in mixture.constants:
                # weights lie on the CPU wherever the network is; a scalar goes along with what it is added to
                out = (torch.zeros_like(through) if out is None else out) + mixture.constants[place]
            if out is None:
                out = torch.zeros_like(through)
            scale = mixture.rows.get(Place("cell", f"node-{target}"), {}).get(str(source))
            parts = [out] if rest is None else [out, rest]
            if cell.training and cell.randomness.drop_path:
                parts = list(cell.randomness.drop_together(parts))
            if scale is not None:
                parts = [part * scale for part in parts]
            arriving[target].append(parts[0])
            around[target] += parts[1:]
    return _node(x, arriving[3], around[3], partial)


def _node(x: Tensor, arriving: Sequence[Tensor], around: Sequence[Tensor], partial: int) -> Tensor:
    total = weighted_sum(arriving)
    if total is None:
        return torch.zeros_like(x)
    rest = weighted_sum(around)
    # shuffling is linear, so once for the sum is what every edge would do
    return total if rest is None else shuffled(torch.cat((total, rest), 1), partial)


def _edges(
    cell: SharedCell, source: int, x: Tensor, rows: Mapping[int, Mapping[str, Tensor]]
) -> dict[int, list[Tensor]]:
    """Target -> the weighted outputs of the operations of its edge from `source`."""
    outputs: dict[int, list[Tensor]] = {target: [] for target in rows}
    pooled: Tensor | None = None
    rectified: Tensor | None = None
    for name in _CONVOLUTIONS:
        targets = [target for target, row in rows.items() if name in row]
        if not targets:
            continue
        rectified = F.relu(x) if rectified is None else rectified
        modules = [cell.edges[f"{source}-{target}"][name] for target in targets]  # type: ignore[index]
        for target, out in zip(targets, convolved(rectified, modules), strict=True):
            outputs[target].append(rows[target][name] * out)
    for target, row in rows.items():
        if "avg_pool_3x3" in row:
            if pooled is None:
                pooled = cell.edges[f"{source}-{target}"]["avg_pool_3x3"](x)  # type: ignore[index]
            outputs[target].append(row["avg_pool_3x3"] * pooled)
        if "skip_connect" in row:
            skipped = cell.randomness.drop_values(x) if cell.training else x
            outputs[target].append(row["skip_connect"] * skipped)
    return outputs


def convolved(rectified: Tensor, modules: Sequence[nn.Module]) -> Sequence[Tensor]:
    """Outputs of several ``ReLU, convolution, batch-norm`` of one input, which has passed the ReLU, as one of each."""
    if len(modules) == 1:
        return [modules[0][2](modules[0][1](rectified))]  # type: ignore[index]
    convolutions, norms = [m[1] for m in modules], [m[2] for m in modules]  # type: ignore[index]
    out = F.conv2d(rectified, torch.cat([c.weight for c in convolutions]), padding=convolutions[0].padding)
    return norm_together(out, norms).chunk(len(modules), 1)


def norm_together(x: Tensor, norms: Sequence[nn.BatchNorm2d]) -> Tensor:
    """Batch-norms of one kind, each on its equal part of the channels, in one call; their statistics move with it."""
    first = norms[0]
    weight = bias = mean = variance = None
    if first.affine:
        weight, bias = torch.cat([n.weight for n in norms]), torch.cat([n.bias for n in norms])
    tracked = first.running_mean is not None
    if tracked:
        mean = torch.cat([n.running_mean for n in norms])  # type: ignore[misc]
        variance = torch.cat([n.running_var for n in norms])  # type: ignore[misc]
    batch = first.training or not tracked
    out = F.batch_norm(x, mean, variance, weight, bias, batch, first.momentum or 0.0, first.eps)
    if tracked and first.training and mean is not None and variance is not None:
        for norm, one, two in zip(norms, mean.chunk(len(norms)), variance.chunk(len(norms)), strict=True):
            norm.running_mean.copy_(one)  # type: ignore[union-attr]
            norm.running_var.copy_(two)  # type: ignore[union-attr]
            norm.num_batches_tracked.add_(1)  # type: ignore[union-attr]
    return out

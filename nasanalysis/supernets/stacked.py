"""Several networks of NAS-Bench-201 cells in one: small networks cost more in calls than in arithmetic.

K networks of one skeleton become one whose channels stand side by side, (batch, K C, height, width): convolutions
in K groups, batch-norm over all channels at once. On each edge the networks that share an operation are gathered,
computed together and added back, so a step makes about as many calls for K networks as for one. Every
network's numbers are its own: nothing mixes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..errors import ArchError
from .nb201 import Cell, CellNetwork, ResidualReduction


class Grouped(nn.Module):
    """ReLU (where the networks have one), convolution in one group for each network, batch-norm."""

    def __init__(self, members: Sequence[nn.Sequential]) -> None:
        super().__init__()
        layers = list(members[0])
        made: list[nn.Module] = []
        for place, layer in enumerate(layers):
            parts = [member[place] for member in members]
            made.append(_stack(parts) if isinstance(layer, (nn.Conv2d, nn.BatchNorm2d)) else layer)
        self.layers = nn.Sequential(*made)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layers(x)
        return out


def _stack(parts: Sequence[nn.Module], *, shared_input: bool = False) -> nn.Module:
    """Convolutions or batch-norms side by side, with copies of their weights and statistics."""
    first, count = parts[0], len(parts)
    if isinstance(first, nn.Conv2d):
        with torch.device(first.weight.device):
            made: nn.Module = nn.utils.skip_init(
                nn.Conv2d,
                first.in_channels if shared_input else first.in_channels * count,
                first.out_channels * count,
                first.kernel_size,
                stride=first.stride,
                padding=first.padding,
                groups=1 if shared_input else count,
                bias=False,
                device=first.weight.device,
            )
    else:
        assert isinstance(first, nn.BatchNorm2d)
        made = nn.BatchNorm2d(first.num_features * count, device=first.weight.device)
    with torch.no_grad():
        for name, value in made.state_dict().items():
            pieces = [part.state_dict()[name] for part in parts]
            value.copy_(torch.cat(pieces) if value.dim() else pieces[0])
    return made


class StackedCell(nn.Module):
    """The cells of K networks at one place; input and output are (batch, K C, height, width), channels last."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        super().__init__()
        self.count = len(cells)
        self.operations = nn.ModuleDict()
        self._plan: list[tuple[int, int, str, str]] = []
        edges = sorted({(target, source) for cell in cells for target, source, _ in cell.read})
        for target, source in edges:
            users: dict[str, list[int]] = {}
            for k, cell in enumerate(cells):
                for t, s, op in cell.read:
                    if (t, s) == (target, source):
                        users.setdefault(op, []).append(k)
            for op, members in users.items():
                name = f"{source}-{target}-{op}"
                parts = [cells[k].edges[f"{source}-{target}"] for k in members]
                self.operations[name] = Grouped(parts) if isinstance(parts[0], nn.Sequential) else parts[0]
                self.register_buffer(f"index-{name}", torch.tensor(members), persistent=False)
                self._plan.append((target, source, name, op))

    def forward(self, x: Tensor) -> Tensor:
        # (batch, K, C, height, width): a network's channels are one piece of memory
        nodes: list[Tensor | None] = [x.unflatten(1, (self.count, -1)), None, None, None]
        start = nodes[0]
        assert start is not None
        for target, source, name, op in self._plan:
            index = self.get_buffer(f"index-{name}")
            read = nodes[source]
            if read is None:
                read = torch.zeros_like(start)
            term = read if len(index) == self.count else read.index_select(1, index)
            if op != "skip_connect":
                term = self.operations[name](term.flatten(1, 2)).unflatten(1, (len(index), -1))
            total = nodes[target]
            if len(index) == self.count:
                nodes[target] = term if total is None else total + term
            else:
                nodes[target] = (torch.zeros_like(start) if total is None else total).index_add(1, index, term)
        out = nodes[3]
        return (torch.zeros_like(start) if out is None else out).flatten(1, 2)


class StackedReduction(nn.Module):
    """Reductions side by side: residual blocks, or pooling and a 1x1 convolution."""

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.residual = isinstance(members[0], ResidualReduction)
        if self.residual:
            parts = [list(m.children()) for m in members]  # convolutions, shortcut
            self.first = nn.Sequential(*(Grouped([p[0][i] for p in parts]) for i in range(2)))  # type: ignore[index]
            self.second: nn.Module = Grouped([p[1] for p in parts])  # type: ignore[misc]
        else:
            self.first = nn.Sequential()
            self.second = Grouped(members)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.first(x) + self.second(x) if self.residual else self.second(x)
        return out


class StackedNetwork(nn.Module):
    """K networks as one; (batch, channels, size, size) -> (batch, K, classes).

    Weights are copies: the networks that are given stay as they are. `slices` says which part of each parameter is
    whose: parameters hold the networks of `members` side by side along their first dimension.
    """

    def __init__(self, nets: Sequence[CellNetwork]) -> None:
        super().__init__()
        if not nets or len({tuple(type(layer) for layer in net.features) for net in nets}) > 1:
            raise ArchError("stacked: expected networks of one skeleton")
        self.count = len(nets)
        layers: list[nn.Module] = []
        for place, layer in enumerate(nets[0].features):
            parts = [net.features[place] for net in nets]
            if isinstance(layer, Cell):
                layers.append(StackedCell(parts))  # type: ignore[arg-type]
            elif isinstance(layer, (nn.Conv2d, nn.BatchNorm2d)):
                layers.append(_stack(parts, shared_input=place == 0))
            elif isinstance(layer, ResidualReduction) or (isinstance(layer, nn.Sequential) and len(layer)):
                layers.append(StackedReduction(parts))
            else:
                layers.append(layer)
        self.features = nn.Sequential(*layers)
        heads = [net.classifier for net in nets]
        self.weight = nn.Parameter(torch.stack([head.weight.detach() for head in heads]))  # (K, classes, width)
        self.bias = nn.Parameter(torch.stack([head.bias.detach() for head in heads]))  # (K, classes)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.features(x).unflatten(1, (self.count, -1))
        return torch.einsum("bkc,koc->bko", hidden, self.weight) + self.bias

    def owners(self) -> dict[str, Tensor]:
        """Parameter name -> the networks whose weights stand side by side in it, int64 (k,)."""
        everyone = torch.arange(self.count, device=self.bias.device)
        found = {}
        for name, _ in self.named_parameters():
            path = name.split(".")
            found[name] = everyone
            if "operations" in path:
                at = path.index("operations")
                cell = self.get_submodule(".".join(path[:at]))
                found[name] = cell.get_buffer(f"index-{path[at + 1]}")
        return found

"""What is read along a finetuning, for one network or for the K of a `StackedNetwork`; nothing waits for the device."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ..networks.batchnorm import own_statistics
from ..networks.stacked import StackedNetwork


class Readings:
    """What is read along a finetuning of the K networks, kept on the device until it is over."""

    def __init__(self, net: nn.Module, recalibration: Sequence[Tensor]) -> None:
        self._net, self._recalibration = net, recalibration
        self._losses: list[Tensor] = []
        self._right: list[Tensor] = []
        self._mini: dict[int, tuple[Tensor, Tensor]] = {}
        self._whole: dict[int, tuple[Tensor, Tensor]] = {}

    def train(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """The minibatch of a step, before its update: losses (K,), logits (batch, K, classes)."""
        self._losses.append(loss.detach())
        self._right.append(_correct(logits.detach(), labels).mean(0))

    def minibatch(self, step: int, images: Tensor, labels: Tensor) -> None:
        """A validation minibatch after `step`, under running statistics."""
        self._mini[step] = _read(self._net, images, labels)

    def whole(self, step: int, pieces: Sequence[tuple[Tensor, Tensor]], *, again: bool = True) -> None:
        """The whole validation part; `again`: under statistics that are re-estimated on a copy."""
        context = own_statistics(self._net, self._recalibration) if again else contextlib.nullcontext()
        with context:
            self._whole[step] = _whole(self._net, pieces)

    @property
    def count(self) -> int:
        """K."""
        return len(self._losses[0])

    def table(self) -> dict[str, Tensor]:
        """Column -> (steps + 1, K) on the CPU, NaN where not read."""
        steps, count = len(self._losses), self.count
        train = dict(enumerate(self._losses, 1))
        after = {step: loss for step, (loss, _) in self._mini.items() if step}
        table = {
            "train_loss": _spread(train, steps, count),
            "train_accuracy": 100 * _spread(dict(enumerate(self._right, 1)), steps, count),
            "sotl": _spread(_running_sum(train), steps, count),
            "sovl": _spread(_running_sum(after), steps, count),
        }
        table["val_loss"], table["val_acc"] = _both(self._whole, steps, count)
        table["valid_loss"], table["valid_accuracy"] = _both(self._mini, steps, count)
        table["tl_mini"], table["val_acc_mini"] = table["train_loss"], table["valid_accuracy"]
        return table


class Gradients:
    """Sums of gradients and of their norms, step by step and network by network, on the device."""

    _NAMES = ("sog", "sog_sum", "sog_l2", "sogn", "sogn_l2_per_tensor")

    def __init__(self, net: nn.Module) -> None:
        self._weights = [p for p in net.parameters() if p.requires_grad]
        self._count = net.count if isinstance(net, StackedNetwork) else 1
        # a parameter holds the weights of the K networks one after the other
        pieces = [w.numel() // self._count for w in self._weights for _ in range(self._count)]
        self._lengths = torch.tensor(pieces, device=self._weights[0].device)
        self._sum = self._weights[0].new_zeros(sum(pieces))
        self._rows: list[Tensor] = []

    @torch.no_grad()
    def add(self) -> None:
        # one long vector: a few operations in place of a few for each weight
        grads = torch.cat(
            [torch.zeros_like(w).flatten() if w.grad is None else w.grad.flatten() for w in self._weights]
        )
        self._sum += grads
        rows = (
            self._by_piece(self._sum.abs()),
            self._by_piece(self._sum),
            self._by_piece(self._sum.square()),
            self._by_piece(grads.abs()),
            self._by_piece(grads.square()).sqrt(),
        )
        self._rows.append(torch.stack(rows).unflatten(1, (-1, self._count)).sum(1))

    def _by_piece(self, values: Tensor) -> Tensor:
        return torch.segment_reduce(values, "sum", lengths=self._lengths)

    def columns(self, steps: int) -> dict[str, Tensor]:
        rows = torch.stack(self._rows).double().cpu()  # (steps, measures, K)
        rows[:, 2] = rows[:, 2].sqrt()
        rows[:, 3:] = rows[:, 3:].cumsum(0)
        return {name: _spread(dict(enumerate(rows[:, i], 1)), steps, self._count) for i, name in enumerate(self._NAMES)}


class Bfloat16(nn.Module):
    """A network whose forward pass runs under autocast."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, torch.bfloat16):
            out: Tensor = self.net(x)
        return out.float()


def logits_of(net: nn.Module, images: Tensor) -> Tensor:
    """(batch, K, classes), K = 1 for a plain network."""
    out: Tensor = net(images)
    return out if out.dim() == 3 else out.unsqueeze(1)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """(batch, K) in nats."""
    each = labels.repeat_interleave(logits.shape[1])
    return nn.functional.cross_entropy(logits.flatten(0, 1), each, reduction="none").view(logits.shape[:2])


def _correct(logits: Tensor, labels: Tensor) -> Tensor:
    """(batch, K), 1 where the class is right."""
    return (logits.argmax(2) == labels[:, None]).to(logits.dtype)


@torch.no_grad()
def _read(net: nn.Module, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """(loss in nats, accuracy in percent), (K,) each, of one validation minibatch under running statistics."""
    training = net.training
    net.eval()
    logits = logits_of(net, images)
    net.train(training)
    return cross_entropy(logits, labels).mean(0), 100 * _correct(logits, labels).mean(0)


@torch.no_grad()
def _whole(net: nn.Module, pieces: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """(mean loss in nats, accuracy in percent), (K,) each, on all of `pieces` under running statistics."""
    training = net.training
    net.eval()
    sums: list[Tensor] = []
    for images, labels in pieces:
        logits = logits_of(net, images)
        sums.append(torch.stack((cross_entropy(logits, labels).sum(0), _correct(logits, labels).sum(0))))
    net.train(training)
    loss, right = torch.stack(sums).double().sum(0) / sum(len(labels) for _, labels in pieces)
    return loss, 100 * right


def _spread(read: Mapping[int, Tensor], steps: int, count: int) -> Tensor:
    """(steps + 1, K) in double precision on the CPU, NaN at the steps that were not read."""
    out = torch.full((steps + 1, count), math.nan, dtype=torch.float64)
    if read:
        out[list(read)] = torch.stack(list(read.values())).double().cpu()
    return out


def _both(read: Mapping[int, tuple[Tensor, Tensor]], steps: int, count: int) -> tuple[Tensor, Tensor]:
    """Losses and accuracies of `_spread`; where the loss is not finite no class is predicted, and both are NaN."""
    loss = _spread({step: pair[0] for step, pair in read.items()}, steps, count)
    right = _spread({step: pair[1] for step, pair in read.items()}, steps, count)
    right[~torch.isfinite(loss)] = math.nan
    return loss, right


def _running_sum(read: Mapping[int, Tensor]) -> dict[int, Tensor]:
    """Sum of what was read up to each step, in double precision."""
    if not read:
        return {}
    return dict(zip(read, torch.stack(list(read.values())).double().cumsum(0), strict=True))

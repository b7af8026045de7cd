"""Finetuning: a few minibatches on one architecture, and every measure that one pass can give (SoTL thesis, 4.2).

Each architecture starts from the supernet's weights (or from scratch) and sees the same minibatches in the same
order under the same augmentation. Nothing in the loop waits for the device.

What is read at step t (t minibatches done; 0 = inherited weights):

=================== ============================================================================= ======
``sotl``            sum of the training losses of minibatches 1 to t, each before its own update  lower
``tl_mini``         training loss of minibatch t, before its update (step 1: inherited weights)   lower
``val_acc_mini``    accuracy on validation minibatch t after update t                             higher
``sovl``            sum of the losses of the validation minibatches read after updates 1 to t       lower
``val_acc``         accuracy on the whole validation part, before and every `val_acc_every`       higher
``val_loss``        mean loss of the same                                                         lower
``sog``             | sum of g_1 .. g_t |_1; ``sog_sum`` without the bars, ``sog_l2`` the 2-norm   higher
``sogn``            sum of |g|_1; ``sogn_l2_per_tensor`` sums every tensor's 2-norm instead       higher
=================== ============================================================================= ======

Batch-norm: before the first step the running statistics are re-estimated for the architecture on
`recalibration` training images, then updated by the steps as usual; minibatches are validated with them. For
``val_acc`` and ``val_loss`` they are re-estimated again, on a copy. g is the gradient of the loss alone, without
weight decay.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl
import torch
from torch import Tensor, nn

from ..core.errors import NasAnalysisError, ParameterError
from ..core.seeding import torch_generator
from ..networks.batchnorm import own_statistics, recalibrate
from ..networks.stacked import StackedNetwork, stackable
from .optimisers import sgd
from .settings import FinetuneSettings
from .tasks import Task
from .train import Stream

#: Scores of a finetuning: name -> where it is read, `every` step or the steps of the `whole` validation part.
MEASURES = {
    "sotl": "every",
    "tl_mini": "every",
    "val_acc_mini": "every",
    "sovl": "every",
    "val_acc": "whole",
    "val_loss": "whole",
    "sog": "every",
    "sog_sum": "every",
    "sog_l2": "every",
    "sogn": "every",
    "sogn_l2_per_tensor": "every",
}


class DivergedError(NasAnalysisError):
    """A training loss that is not finite."""


@dataclass(frozen=True)
class Batches:
    """The minibatches that every architecture of a finetuning sees.

    Attributes
    ----------
    train: T pairs of images and labels. valid: T + 1 pairs, before the first step and after each.
    recalibration: images. whole: images and labels of the validation part, in pieces; empty: not read.
    """

    train: list[tuple[Tensor, Tensor]]
    valid: list[tuple[Tensor, Tensor]]
    recalibration: list[Tensor]
    whole: list[tuple[Tensor, Tensor]]


def draw_batches(task: Task, settings: FinetuneSettings, *, seed: int) -> Batches:
    """The minibatches of `seed`; a shorter finetuning sees the first of a longer one's.

    Raises `ParameterError` where the task has fewer images than a minibatch.
    """
    order = Stream(len(task.labels), settings.batch_size, torch_generator(seed, "finetune", "order"))
    augment = torch_generator(seed, "finetune", "augmentation")
    train = [task.batch(order(), augment) for _ in range(settings.minibatches)]
    images, labels = task.valid
    valid = []
    if settings.valid_batch:
        if settings.valid_batch > len(labels):
            raise ParameterError(
                f"valid_batch: expected at most the {len(labels)} validation images, got {settings.valid_batch}"
            )
        index = Stream(len(labels), settings.valid_batch, torch_generator(seed, "finetune", "validation"))
        for _ in range(0, settings.minibatches + 1, settings.valid_every):
            chosen = index().to(labels.device)
            valid.append((images[chosen].contiguous(memory_format=torch.channels_last), labels[chosen]))
    again = torch_generator(seed, "finetune", "recalibration")
    size = min(settings.recalibration, len(task.labels))
    chosen = torch.randperm(len(task.labels), generator=again)[:size]
    pieces = [task.batch(piece, again)[0] for piece in chosen.split(128) if len(piece) > 1]
    whole = list(zip(images.split(128), labels.split(128), strict=True))
    return Batches(train, valid, pieces, whole)


def finetune(net: nn.Module, batches: Batches, settings: FinetuneSettings) -> pl.DataFrame:
    """Finetune `net` in place; one row for each step from 0 to T.

    Columns: ``step, train_loss, train_accuracy`` (minibatch `step`, before its update), ``valid_loss,
    valid_accuracy`` (validation minibatch after it), and the columns of `MEASURES`; null where not read. Losses in
    nats, accuracies in percent. ``seconds``: of the steps up to there with all that is read along the way, known
    at the last step only.

    Raises `DivergedError` where a training loss is not finite: what is measured after it is void.
    """
    [rows] = _loop(net, batches, settings)
    if isinstance(rows, DivergedError):
        raise rows
    return rows


def finetune_together(
    nets: Sequence[nn.Module], batches: Batches, settings: FinetuneSettings
) -> list[pl.DataFrame | DivergedError]:
    """Finetune copies of several networks of one architecture at once (see `nasanalysis.networks.stacked`).

    The answers are those of `finetune`, to rounding, in the order of `nets`, with an error in place of the rows of
    a network that diverged. ``seconds`` is each network's share. Networks of a class that does not stack are finetuned
    one after the other.
    """
    if len(nets) > 1 and stackable(nets[0]):
        return _loop(StackedNetwork(nets), batches, settings)
    return [found for net in nets for found in _loop(copy.deepcopy(net), batches, settings)]


def _loop(net: nn.Module, batches: Batches, settings: FinetuneSettings) -> list[pl.DataFrame | DivergedError]:
    """The finetuning of one network, or of the K of a `StackedNetwork`: what is read has K columns."""
    gradients = _Gradients(net) if settings.gradients else None
    if settings.precision == "bfloat16":
        net = _Bfloat16(net)
    # an architecture's own statistics to begin with: a supernet's mix all of them
    recalibrate(net, batches.recalibration)
    weights = [p for p in net.parameters() if p.requires_grad]
    optimiser = sgd(
        weights,
        learning_rate=settings.learning_rate,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
    )
    losses: list[Tensor] = []
    right: list[Tensor] = []
    mini: dict[int, tuple[Tensor, Tensor]] = {}
    whole: dict[int, tuple[Tensor, Tensor]] = {0: _mean(net, batches)} if batches.whole else {}
    if batches.valid:
        mini[0] = _read(net, *batches.valid[0])
    started = time.perf_counter()
    net.train()
    for step, (images, labels) in enumerate(batches.train, 1):
        logits = _logits(net, images)
        loss = _cross_entropy(logits, labels).mean(0)
        optimiser.zero_grad(set_to_none=True)
        loss.sum().backward()
        if gradients is not None:
            gradients.add()
        optimiser.step()
        losses.append(loss.detach())
        right.append(_correct(logits.detach(), labels).mean(0))
        if batches.valid and step % settings.valid_every == 0:
            mini[step] = _read(net, *batches.valid[step // settings.valid_every])
        if batches.whole and settings.val_acc_every and step % settings.val_acc_every == 0:
            whole[step] = _whole(net, batches)
    steps, count = settings.minibatches, len(losses[0])
    train = dict(enumerate(losses, 1))
    table = {"train_loss": _spread(train, steps, count)}  # (steps + 1, K) each, on the CPU
    seconds = time.perf_counter() - started  # what was read is here, so the device has done its work
    table |= {
        "train_accuracy": 100 * _spread(dict(enumerate(right, 1)), steps, count),
        "sotl": _spread(_running_sum(train), steps, count),
        "sovl": _spread(_running_sum({step: loss for step, (loss, _) in mini.items() if step}), steps, count),
    }
    table["val_loss"], table["val_acc"] = _both(whole, steps, count)
    table["valid_loss"], table["valid_accuracy"] = _both(mini, steps, count)
    table["tl_mini"], table["val_acc_mini"] = table["train_loss"], table["valid_accuracy"]
    if gradients is not None:
        table |= gradients.columns(steps)
    return [
        _rows({name: values[:, k] for name, values in table.items()}, seconds / count, settings) for k in range(count)
    ]


def _rows(columns: Mapping[str, Tensor], seconds: float, settings: FinetuneSettings) -> pl.DataFrame | DivergedError:
    losses = columns["train_loss"][1:]
    bad = torch.nonzero(~torch.isfinite(losses))
    if len(bad):
        return DivergedError(
            f"training loss {float(losses[int(bad[0])])} at minibatch {1 + int(bad[0])} of {len(losses)} "
            f"(learning rate {settings.learning_rate:g})"
        )
    found = {n: [v if math.isfinite(v) else None for v in values.tolist()] for n, values in columns.items()}
    steps = len(losses) + 1
    named = {"step": range(steps), **found, "seconds": [None] * (steps - 1) + [seconds]}
    return pl.DataFrame(named, schema_overrides={name: pl.Float64() for name in (*found, "seconds")})


class _Gradients:
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


class _Bfloat16(nn.Module):
    """A network whose forward pass runs under autocast."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, torch.bfloat16):
            out: Tensor = self.net(x)
        return out.float()


def _logits(net: nn.Module, images: Tensor) -> Tensor:
    """(batch, K, classes), K = 1 for a plain network."""
    out: Tensor = net(images)
    return out if out.dim() == 3 else out.unsqueeze(1)


def _cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
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
    logits = _logits(net, images)
    net.train(training)
    return _cross_entropy(logits, labels).mean(0), 100 * _correct(logits, labels).mean(0)


@torch.no_grad()
def _whole(net: nn.Module, batches: Batches) -> tuple[Tensor, Tensor]:
    """(mean loss in nats, accuracy in percent), (K,) each, on the whole validation part.

    Statistics are re-estimated on a copy.
    """
    with own_statistics(net, batches.recalibration):
        return _mean(net, batches)


@torch.no_grad()
def _mean(net: nn.Module, batches: Batches) -> tuple[Tensor, Tensor]:
    """As `_whole`, with the running statistics as they are."""
    training = net.training
    net.eval()
    sums: list[Tensor] = []
    for images, labels in batches.whole:
        logits = _logits(net, images)
        sums.append(torch.stack((_cross_entropy(logits, labels).sum(0), _correct(logits, labels).sum(0))))
    net.train(training)
    loss, right = torch.stack(sums).double().sum(0) / sum(len(labels) for _, labels in batches.whole)
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

"""Finetuning: a few minibatches on one architecture, and every measure that one pass can give (SoTL thesis, 4.2).

Each architecture starts from the supernet's weights (or from scratch) and sees the same minibatches in the same
order under the same augmentation. Nothing in the loop waits for the device.

What is read at step t (t minibatches done; 0 = inherited weights):

=================== ============================================================================= ======
``sotl``            sum of the training losses of minibatches 1 to t, each before its own update  lower
``tl_mini``         training loss of minibatch t, before its update (step 1: inherited weights)   lower
``val_acc_mini``    accuracy on validation minibatch t after update t                             higher
``sovl``            sum of the losses of validation minibatches 0 to t                            lower
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

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl
import torch
from torch import Tensor, nn

from ..errors import NasAnalysisError, ParameterError
from ..seeding import torch_generator
from .batchnorm import own_statistics, recalibrate
from .optimisers import sgd
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
class FinetuneSettings:
    """SGD at a constant rate; defaults of the SoTL thesis (4.2, Table B.1).

    Attributes
    ----------
    minibatches: T, steps of `batch_size` images.
    learning_rate: 0.01 for SPOS, 0.001 for the others in the thesis.
    from_scratch: fresh weights from the seed in place of the supernet's.
    valid_batch: images of a validation minibatch; 0 leaves `val_acc_mini` and `sovl` out.
    valid_every: steps between validation minibatches.
    val_acc_every: steps between accuracies on the whole validation part; 0: only before the first step.
    recalibration: training images that batch-norm statistics are re-estimated on.
    gradients: accumulate `sog` and `sogn`.
    """

    minibatches: int = 100
    batch_size: int = 64
    learning_rate: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 5e-4
    from_scratch: bool = False
    valid_batch: int = 64
    valid_every: int = 1
    val_acc_every: int = 100
    recalibration: int = 1024
    gradients: bool = True

    def __post_init__(self) -> None:
        if self.minibatches < 1 or self.batch_size < 2 or self.valid_every < 1:
            raise ParameterError(
                "finetuning: expected at least 1 minibatch, batches of at least 2 images (batch-norm needs two) and "
                f"valid_every >= 1, got minibatches = {self.minibatches}, batch_size = {self.batch_size}, "
                f"valid_every = {self.valid_every}"
            )
        if not self.learning_rate > 0 or self.valid_batch < 0 or self.val_acc_every < 0:
            raise ParameterError(
                "finetuning: expected learning_rate > 0, valid_batch >= 0 and val_acc_every >= 0, got "
                f"{self.learning_rate}, {self.valid_batch}, {self.val_acc_every}"
            )
        if not 0 <= self.momentum < 1 or not self.weight_decay >= 0:
            raise ParameterError(
                f"finetuning: expected 0 <= momentum < 1 and weight_decay >= 0, got {self.momentum} and "
                f"{self.weight_decay}"
            )
        if self.recalibration < 2:
            raise ParameterError(f"finetuning: expected recalibration on at least 2 images, got {self.recalibration}")


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
    # an architecture's own statistics to begin with: a supernet's mix all of them
    recalibrate(net, batches.recalibration)
    device = batches.train[0][0].device
    weights = [p for p in net.parameters() if p.requires_grad]
    optimiser = sgd(
        weights,
        learning_rate=settings.learning_rate,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
    )
    steps = settings.minibatches
    nothing = torch.tensor(math.nan, device=device)
    gradients = _Gradients(weights) if settings.gradients else None
    read: dict[str, list[Tensor]] = {"train_loss": [nothing], "train_accuracy": [nothing]}
    mini: dict[int, tuple[Tensor, Tensor]] = {}
    whole: dict[int, tuple[float | None, float | None]] = {0: _mean(net, batches)} if batches.whole else {}
    if batches.valid:
        mini[0] = _read(net, *batches.valid[0])
    started = time.perf_counter()
    net.train()
    for step, (images, labels) in enumerate(batches.train, 1):
        logits = net(images)
        loss = nn.functional.cross_entropy(logits, labels)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        if gradients is not None:
            gradients.add()
        optimiser.step()
        read["train_loss"].append(loss.detach())
        read["train_accuracy"].append((logits.detach().argmax(1) == labels).float().mean())
        if batches.valid and step % settings.valid_every == 0:
            mini[step] = _read(net, *batches.valid[step // settings.valid_every])
        if batches.whole and settings.val_acc_every and step % settings.val_acc_every == 0:
            whole[step] = _whole(net, batches)
    losses = torch.stack(read["train_loss"]).double().cpu()
    seconds = time.perf_counter() - started
    bad = torch.nonzero(~torch.isfinite(losses[1:]))
    if len(bad):
        raise DivergedError(
            f"training loss {float(losses[1 + int(bad[0])])} at minibatch {1 + int(bad[0])} of {steps} "
            f"(learning rate {settings.learning_rate:g})"
        )
    table: dict[str, list[float | None] | range] = {
        "step": range(steps + 1),
        "train_loss": _listed(losses),
        "train_accuracy": _listed(100 * torch.stack(read["train_accuracy"]).double().cpu()),
        "sotl": _listed(torch.cat((losses[:1], losses[1:].cumsum(0)))),
        "tl_mini": _listed(losses),
        "val_acc": [whole.get(t, (None, None))[1] for t in range(steps + 1)],
        "val_loss": [whole.get(t, (None, None))[0] for t in range(steps + 1)],
        "seconds": [None] * steps + [seconds],
    }
    table |= _minis(mini, steps)
    if gradients is not None:
        table |= gradients.columns()
    return pl.DataFrame(table)


class _Gradients:
    """Sums of gradients and of their norms, step by step, on the device."""

    def __init__(self, weights: Sequence[Tensor]) -> None:
        self._weights = weights
        self._lengths = torch.tensor([w.numel() for w in weights], device=weights[0].device)
        self._sum = weights[0].new_zeros(int(self._lengths.sum()))
        self._rows: list[Tensor] = []

    @torch.no_grad()
    def add(self) -> None:
        # one long vector: five operations in place of five for each weight
        grads = torch.cat(
            [torch.zeros_like(w).flatten() if w.grad is None else w.grad.flatten() for w in self._weights]
        )
        self._sum += grads
        per_tensor = torch.segment_reduce(grads.square(), "sum", lengths=self._lengths).sqrt().sum()
        self._rows.append(
            torch.stack((self._sum.norm(1), self._sum.sum(), self._sum.norm(2), grads.norm(1), per_tensor))
        )

    def columns(self) -> dict[str, list[float | None]]:
        rows = torch.stack(self._rows).double().cpu()
        rows[:, 3:] = rows[:, 3:].cumsum(0)
        names = ("sog", "sog_sum", "sog_l2", "sogn", "sogn_l2_per_tensor")
        return {name: [None, *_listed(rows[:, i])] for i, name in enumerate(names)}


@torch.no_grad()
def _read(net: nn.Module, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """(loss, accuracy as a fraction) of one validation minibatch under running statistics, on the device."""
    training = net.training
    net.eval()
    logits = net(images)
    net.train(training)
    return nn.functional.cross_entropy(logits, labels), (logits.argmax(1) == labels).float().mean()


@torch.no_grad()
def _whole(net: nn.Module, batches: Batches) -> tuple[float | None, float | None]:
    """(mean loss in nats, accuracy in percent) on the whole validation part, statistics re-estimated on a copy.

    None for both where the loss is not finite: no class is predicted then.
    """
    with own_statistics(net, batches.recalibration):
        return _mean(net, batches)


@torch.no_grad()
def _mean(net: nn.Module, batches: Batches) -> tuple[float | None, float | None]:
    """As `_whole`, with the running statistics as they are."""
    training = net.training
    net.eval()
    sums, count = torch.zeros(2, dtype=torch.float64, device=batches.whole[0][0].device), 0
    for images, labels in batches.whole:
        logits = net(images)
        loss = nn.functional.cross_entropy(logits, labels, reduction="sum")
        sums += torch.stack((loss, (logits.argmax(1) == labels).sum()))
        count += len(labels)
    net.train(training)
    loss_sum, right = sums.tolist()
    return (loss_sum / count, 100 * right / count) if math.isfinite(loss_sum) else (None, None)


def _minis(mini: Mapping[int, tuple[Tensor, Tensor]], steps: int) -> dict[str, list[float | None]]:
    empty: list[float | None] = [None] * (steps + 1)
    if not mini:
        return {name: list(empty) for name in ("valid_loss", "valid_accuracy", "val_acc_mini", "sovl")}
    losses = torch.stack([loss for loss, _ in mini.values()]).double().cpu()
    right = 100 * torch.stack([correct for _, correct in mini.values()]).double().cpu()
    found = {name: list(empty) for name in ("valid_loss", "valid_accuracy", "sovl")}
    for place, step in enumerate(mini):
        found["valid_loss"][step] = _finite(float(losses[place]))
        found["valid_accuracy"][step] = float(right[place]) if losses[place].isfinite() else None
        found["sovl"][step] = _finite(float(losses[: place + 1].sum()))
    return {**found, "val_acc_mini": list(found["valid_accuracy"])}


def _listed(values: Tensor) -> list[float | None]:
    return [_finite(v) for v in values.tolist()]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None

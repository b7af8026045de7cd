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
from ..networks.batchnorm import recalibrate
from ..networks.stacked import StackedNetwork, stackable
from .finetune_readings import Bfloat16, Gradients, Readings, cross_entropy, logits_of
from .optimisers import sgd
from .settings import FinetuneSettings
from .stream import Stream
from .tasks import Task

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
    return [rows for net in nets for rows in _loop(copy.deepcopy(net), batches, settings)]


def _loop(net: nn.Module, batches: Batches, settings: FinetuneSettings) -> list[pl.DataFrame | DivergedError]:
    """The finetuning of one network, or of the K of a `StackedNetwork`: what is read has K columns."""
    gradients = Gradients(net) if settings.gradients else None
    if settings.precision == "bfloat16":
        net = Bfloat16(net)
    # an architecture's own statistics to begin with: a supernet's mix all of them
    recalibrate(net, batches.recalibration)
    weights = [p for p in net.parameters() if p.requires_grad]
    optimiser = sgd(
        weights,
        learning_rate=settings.learning_rate,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
    )
    readings = Readings(net, batches.recalibration)
    if batches.whole:
        readings.whole(0, batches.whole, again=False)
    if batches.valid:
        readings.minibatch(0, *batches.valid[0])
    started = time.perf_counter()
    net.train()
    for step, (images, labels) in enumerate(batches.train, 1):
        logits = logits_of(net, images)
        loss = cross_entropy(logits, labels).mean(0)
        optimiser.zero_grad(set_to_none=True)
        loss.sum().backward()
        if gradients is not None:
            gradients.add()
        optimiser.step()
        readings.train(loss, logits, labels)
        if batches.valid and step % settings.valid_every == 0:
            readings.minibatch(step, *batches.valid[step // settings.valid_every])
        if batches.whole and settings.val_acc_every and step % settings.val_acc_every == 0:
            readings.whole(step, batches.whole)
    table, count = readings.table(), readings.count
    seconds = time.perf_counter() - started  # what was read is on the CPU, so the device has done its work
    if gradients is not None:
        table |= gradients.columns(settings.minibatches)
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
    values_of = {n: [v if math.isfinite(v) else None for v in values.tolist()] for n, values in columns.items()}
    steps = len(losses) + 1
    named = {"step": range(steps), **values_of, "seconds": [None] * (steps - 1) + [seconds]}
    return pl.DataFrame(named, schema_overrides={name: pl.Float64() for name in (*values_of, "seconds")})

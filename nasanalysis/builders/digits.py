"""One architecture trained from scratch on the digits task (`nasanalysis.training.digits`).

The skeleton has no convolution wider than one pixel, so what a network sees of a shape, it sees through its cells.
"""

from __future__ import annotations

import polars as pl
import torch
from torch import Tensor, nn

from ..core.seeding import torch_generator
from ..networks.nb201 import CellNetwork, build_network
from ..spaces.base import Arch
from ..spaces.skeletons import SKELETONS
from ..training.digits import DigitsConfig, DigitsData, place


class Watcher:
    """Looks on while a network is trained, and changes nothing: neither its arithmetic nor its random stream."""

    def started(self, net: CellNetwork) -> None:
        """Before the first step: initial weights."""

    def differentiated(self, step: int, loss: Tensor, net: CellNetwork) -> None:
        """Step `step` (from 1) has its gradients, of the loss alone, and has not moved the weights yet."""

    def updated(self, step: int, net: CellNetwork) -> None:
        """Step `step` has moved the weights."""

    def trained(self, epoch: int, net: CellNetwork) -> None:
        """The steps of an epoch are done; its evaluation comes next."""

    def evaluated(self, epoch: int, net: CellNetwork) -> None:
        """The losses and accuracies of an epoch are known; `net` is in evaluation mode."""


@torch.no_grad()
def _evaluate(net: nn.Module, images: Tensor, labels: Tensor) -> tuple[float, float]:
    """(mean cross-entropy in nats, accuracy in percent) with running batch-norm statistics."""
    net.eval()
    logits = torch.cat([net(x) for x in images.split(128)])  # small batches stay in the processor's cache
    loss = nn.functional.cross_entropy(logits, labels)
    return float(loss), 100.0 * float((logits.argmax(1) == labels).double().mean())


def train_architecture(arch: Arch | str, seed: int, config: DigitsConfig, data: DigitsData) -> pl.DataFrame:
    """Train one architecture from scratch with one seed; a row for each completed epoch.

    Columns: ``step`` (1 to epochs), ``train_loss`` (nats; mean over the epoch's minibatches as they
    were trained on, weighted by their images), ``train_accuracy`` (percent, likewise), and
    ``valid_``/``test_`` ``loss``/``accuracy`` after the epoch. Initialisation, order, placement and
    noise come from one stream for each of (seed, architecture), so runs are independent and repeatable.
    """
    return train_network(arch, seed, config, data)[1]


def train_network(
    arch: Arch | str, seed: int, config: DigitsConfig, data: DigitsData, watcher: Watcher | None = None
) -> tuple[CellNetwork, pl.DataFrame]:
    """The trained network and the rows of `train_architecture`; `watcher` sees every step."""
    watcher = watcher or Watcher()
    generator = torch_generator(seed, "digits", "train", str(arch))
    net = build_network(arch, SKELETONS["digits"], generator)
    optimiser = torch.optim.SGD(
        net.parameters(),
        lr=config.learning_rate,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
        nesterov=config.momentum > 0,
        fused=True,
    )
    n = len(data.train_labels)
    steps = config.epochs * -(-n // config.batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    rows = []
    step = 0
    watcher.started(net)
    for epoch in range(1, config.epochs + 1):
        net.train()
        order = torch.randperm(n, generator=generator)
        images = place(data.train_images[order], config.noise, generator)
        labels = data.train_labels[order]
        loss_sum = torch.zeros(())
        correct = torch.zeros((), dtype=torch.int64)
        for x, y in zip(images.split(config.batch_size), labels.split(config.batch_size), strict=True):
            logits = net(x)
            loss = nn.functional.cross_entropy(logits, y)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            step += 1
            watcher.differentiated(step, loss.detach(), net)
            optimiser.step()
            schedule.step()
            watcher.updated(step, net)
            loss_sum += loss.detach() * len(y)
            correct += (logits.detach().argmax(1) == y).sum()
        watcher.trained(epoch, net)
        valid_loss, valid_accuracy = _evaluate(net, *data.valid)
        test_loss, test_accuracy = _evaluate(net, *data.test)
        rows.append(
            {
                "step": epoch,
                "train_loss": float(loss_sum) / n,
                "train_accuracy": 100.0 * float(correct) / n,
                "valid_loss": valid_loss,
                "valid_accuracy": valid_accuracy,
                "test_loss": test_loss,
                "test_accuracy": test_accuracy,
            }
        )
        watcher.evaluated(epoch, net)
    return net, pl.DataFrame(rows)

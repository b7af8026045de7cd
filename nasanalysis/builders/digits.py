"""One architecture trained from scratch on the digits task (`nasanalysis.training.digits`).

The skeleton has no convolution wider than one pixel, so what a network sees of a shape, it sees through its cells.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
import torch
from torch import Tensor, nn

from ..core.seeding import torch_generator
from ..networks.nb201 import CellNetwork, build_network
from ..spaces.base import Arch
from ..spaces.skeletons import SKELETONS
from ..training.digits import DigitsConfig, DigitsData, place
from ..training.loop import Learner, Loop, Reading

#: Of every epoch, in order: what `train_architecture` describes.
COLUMNS = tuple(f"{split}_{what}" for split in ("train", "valid", "test") for what in ("loss", "accuracy"))


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
    learner = DigitsLearner(arch, seed, config, data, watcher or Watcher())
    learner.watcher.started(learner.net)
    loop = Loop(learner, TorchCosine(config.learning_rate, learner.updates), epochs=config.epochs)
    rows = []
    for epoch in range(1, config.epochs + 1):
        row = loop.run_epoch()
        rows.append({"step": epoch, **{name: row[name] for name in COLUMNS}})
        learner.watcher.evaluated(epoch, learner.net)
    return learner.net, pl.DataFrame(rows)


class TorchCosine:
    """The rates that ``torch.optim.lr_scheduler.CosineAnnealingLR`` sets, update by update.

    Torch works each rate out from the one before it, so the last bits are not those of the cosine itself; the tables of
    `digits` were trained with torch's.
    """

    def __init__(self, high: float, updates: int) -> None:
        optimiser = torch.optim.SGD([torch.zeros(())], lr=high)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, updates)
        self._rates = [high]
        for _ in range(updates):
            optimiser.step()
            schedule.step()
            self._rates.append(float(schedule.get_last_lr()[0]))

    def rate(self, *, update: int, updates: int, epoch: int, epochs: int) -> float:
        """The rate of an update, `update` being the number that are done."""
        return self._rates[update]


class DigitsLearner(Learner):
    """One network of digits under `nasanalysis.training.loop`.

    Initialisation, order, placement and noise are drawn from one stream, and losses are summed in 32 bits: as the first
    edition was trained, so that its runs can be made again.
    """

    def __init__(self, arch: Arch | str, seed: int, config: DigitsConfig, data: DigitsData, watcher: Watcher) -> None:
        self.name = f"{arch}, seed {seed}"
        self.watcher, self._config, self._data = watcher, config, data
        self._generator = torch_generator(seed, "digits", "train", str(arch))
        self.net: CellNetwork = build_network(arch, SKELETONS["digits"], self._generator)
        self.optimiser = torch.optim.SGD(
            self.net.parameters(),
            lr=config.learning_rate,
            momentum=config.momentum,
            weight_decay=config.weight_decay,
            nesterov=config.momentum > 0,
            fused=True,
        )
        self._n_images = len(data.train_labels)
        self.updates = config.epochs * -(-self._n_images // config.batch_size)
        self._step = 0

    def begin(self, epoch: int, epochs: int) -> None:
        order = torch.randperm(self._n_images, generator=self._generator)
        images = place(self._data.train_images[order], self._config.noise, self._generator)
        size = self._config.batch_size
        self._batches = zip(images.split(size), self._data.train_labels[order].split(size), strict=True)
        self._loss_sum, self._correct = torch.zeros(()), torch.zeros((), dtype=torch.int64)

    def update(self) -> Reading:
        images, labels = next(self._batches)
        logits = self.net(images)
        loss = nn.functional.cross_entropy(logits, labels)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self._step += 1
        self.watcher.differentiated(self._step, loss.detach(), self.net)
        self.optimiser.step()
        self.watcher.updated(self._step, self.net)
        correct = (logits.detach().argmax(1) == labels).sum()
        self._loss_sum += loss.detach() * len(labels)
        self._correct += correct
        return Reading(loss.detach(), correct / len(labels), len(labels))

    def read(self, done: int) -> dict[str, float]:
        self.watcher.trained(done * self._config.epochs // self.updates, self.net)
        row = {
            "train_loss": float(self._loss_sum) / self._n_images,
            "train_accuracy": 100.0 * float(self._correct) / self._n_images,
        }
        for split, images in (("valid", self._data.valid), ("test", self._data.test)):
            row[f"{split}_loss"], row[f"{split}_accuracy"] = _evaluate(self.net, *images)
        return row

    def state(self) -> dict[str, Any]:
        return {
            "net": self.net.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "stream": self._generator.get_state(),
            "step": self._step,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        self.net.load_state_dict(state["net"])
        self.optimiser.load_state_dict(state["optimiser"])
        self._generator.set_state(state["stream"])
        self._step = state["step"]

"""The digits task: scikit-learn's 1,797 handwritten digits, made hard enough to tell cells apart.

Each 8 x 8 digit is placed at random on a 12 x 12 canvas, under Gaussian noise of standard deviation
0.3: afresh for every training batch, in a few fixed draws for validation and test. The skeleton has no
convolution wider than one pixel, so what a network sees of a shape, it sees through its cells.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn

from ..errors import BuildError, MissingExtraError
from ..seeding import generator as numpy_generator
from ..seeding import torch_generator
from ..spaces.base import Arch
from ..spaces.skeletons import SKELETONS
from .nb201 import CellNetwork, build_network


@dataclass(frozen=True)
class DigitsConfig:
    """Everything that fixes the digits benchmark but the architecture and its training seed.

    Attributes
    ----------
    data_seed: draws the split and the fixed validation and test images.
    train, valid, test: images in each part (stratified by class; 1,797 in all).
    draws: fixed placements of each validation and test image.
    noise: standard deviation of the Gaussian noise; pixels lie in [0, 1].
    epochs, batch_size, learning_rate, momentum, weight_decay: SGD with Nesterov momentum and a cosine
        from `learning_rate` to zero, step by step.
    """

    data_seed: int = 0
    train: int = 1000
    valid: int = 297
    test: int = 500
    draws: int = 4
    noise: float = 0.3
    epochs: int = 12
    batch_size: int = 64
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch_size < 2 or self.draws < 1:
            raise BuildError(f"digits: expected at least 1 epoch, batches of 2 and 1 draw, got {self}")
        if self.train + self.valid + self.test > 1797:
            raise BuildError(f"digits: expected at most 1797 images, got {self.train} + {self.valid} + {self.test}")

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class DigitsData:
    """Training digits as 8 x 8 images; validation and test as finished 12 x 12 inputs."""

    train_images: Tensor  # (train, 8, 8)
    train_labels: Tensor  # (train,) int64
    valid: tuple[Tensor, Tensor]  # (draws * valid, 1, 12, 12), labels
    test: tuple[Tensor, Tensor]


def place(images: Tensor, noise: float, generator: torch.Generator, canvas: int = 12) -> Tensor:
    """(n, 8, 8) -> (n, 1, canvas, canvas): a random place for each image, then Gaussian noise."""
    n, size, _ = images.shape
    corner = torch.randint(0, canvas - size + 1, (n, 2), generator=generator)
    span = torch.arange(size)
    rows = (corner[:, :1] + span)[:, :, None]
    columns = (corner[:, 1:] + span)[:, None, :]
    out = torch.zeros(n, canvas, canvas)
    out[torch.arange(n)[:, None, None], rows, columns] = images
    return (out + noise * torch.randn(out.shape, generator=generator))[:, None]


def load_digits(config: DigitsConfig) -> DigitsData:
    """The split and the fixed validation and test images of `config` (scikit-learn's copy, no download)."""
    try:
        from sklearn.datasets import load_digits as sklearn_digits
        from sklearn.model_selection import train_test_split
    except ImportError as error:
        raise MissingExtraError("scikit-learn", "supernet", "the digits data") from error

    images, labels = sklearn_digits(return_X_y=True)
    x = torch.from_numpy((images / 16.0).astype(np.float32)).reshape(-1, 8, 8)
    y = torch.from_numpy(labels.astype(np.int64))
    state = int(numpy_generator(config.data_seed, "digits", "split").integers(2**31))
    train, rest = train_test_split(np.arange(len(y)), train_size=config.train, stratify=labels, random_state=state)
    valid, test = train_test_split(
        rest, train_size=config.valid, test_size=config.test, stratify=labels[rest], random_state=state
    )

    def fixed(part: np.ndarray, name: str) -> tuple[Tensor, Tensor]:
        index = torch.from_numpy(np.tile(part, config.draws))
        return place(x[index], config.noise, torch_generator(config.data_seed, "digits", name)), y[index]

    return DigitsData(x[train], y[train], fixed(valid, "valid"), fixed(test, "test"))


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
    arch: Arch | str, seed: int, config: DigitsConfig, data: DigitsData
) -> tuple[CellNetwork, pl.DataFrame]:
    """The trained network and the rows of `train_architecture`."""
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
            optimiser.step()
            schedule.step()
            loss_sum += loss.detach() * len(y)
            correct += (logits.detach().argmax(1) == y).sum()
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
    return net, pl.DataFrame(rows)

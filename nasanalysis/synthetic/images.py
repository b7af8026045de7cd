"""The images of the learning-rate experiment: training, validation and test, on a device (torch)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import overload

import numpy as np
import torch
from torch import Tensor

from ..core.seeding import torch_generator
from ..loaders.images.read import load_images, split
from ..training.batches import Augment, Images
from .config import RateConfig

#: Images that are read at once where nothing is trained.
READ = 1000


@dataclass(frozen=True)
class Parts:
    """Attributes
    ----------
    train, valid: images to train on, and for the validation loss.
    judged: the test images that the data folder has; the validation images of a data set without a test part.
    channels, pixels, classes: of an image, how many numbers it has, and how many classes there are.
    """

    train: Images
    valid: Images
    judged: Images
    channels: int
    pixels: int
    classes: int

    def epoch(self, config: RateConfig, seed: int, epoch: int) -> Minibatches:
        """The minibatches of an epoch (counted from 0), in an order drawn by seed and epoch; the last is smaller."""
        order = torch.randperm(len(self.train), generator=torch_generator(seed, "learning rate", "order", epoch))
        augment = Augment(crop=config.crop, flip=config.flip)
        return Minibatches(self.train, torch.split(order, config.batch_size), augment, (seed, epoch))


@dataclass(frozen=True)
class Minibatches(Sequence[tuple[Tensor, Tensor]]):
    """Minibatches that are gathered when they are asked for, and again when asked again: an unroll keeps none of them.

    Attributes
    ----------
    indices: of the images of each. draws: what, with its place in the epoch, decides the augmentation of a minibatch.
    first: place in the epoch of the first of these.
    """

    images: Images
    indices: Sequence[Tensor]
    augment: Augment
    draws: tuple[int, int]
    first: int = 0

    def __len__(self) -> int:
        return len(self.indices)

    @overload
    def __getitem__(self, at: int) -> tuple[Tensor, Tensor]: ...
    @overload
    def __getitem__(self, at: slice) -> Minibatches: ...
    def __getitem__(self, at: int | slice) -> tuple[Tensor, Tensor] | Minibatches:
        if isinstance(at, slice):
            span = range(len(self))[at]
            return replace(self, indices=self.indices[at], first=self.first + span.start)
        index, place = self.indices[at], self.first + range(len(self))[at]
        seed, epoch = self.draws
        draw = torch_generator(seed, "learning rate", "augmentation", epoch, place) if self.augment.draws else None
        return self.images.batch(index, draw, self.augment)

    def by(self, count: int) -> Iterator[Minibatches]:
        """These, so many at a time; the last are fewer."""
        return (self[first : first + count] for first in range(0, len(self), count))


def load_parts(config: RateConfig, data: Path | None, device: str) -> Parts:
    """Where files are looked for: see `load_images`, whose `MissingDataError` says what is missing."""
    images = load_images(config.data, data)
    train, valid = split(images, train=config.train, valid=config.valid, seed=config.split_seed)
    judged = valid if images.test is None else images.test.take(np.arange(len(images.test)))
    _, height, width, channels = images.train.images.shape
    made = [
        Images(part, images.mean, images.std, device=device, padding=padding)
        for part, padding in ((train, config.crop), (valid, 0), (judged, 0))
    ]
    return Parts(made[0], made[1], made[2], channels, height * width * channels, len(images.classes))


@torch.no_grad()
def accuracy(net: torch.nn.Module, images: Images) -> tuple[float, float]:
    """(accuracy in percent, loss in nats) over a whole part."""
    right, total = 0, 0.0
    for index in torch.split(torch.arange(len(images)), READ):
        inputs, labels = images.batch(index)
        logits = net(inputs)
        right += int((logits.argmax(1) == labels).sum())
        total += float(torch.nn.functional.cross_entropy(logits, labels, reduction="sum"))
    return 100 * right / len(images), total / len(images)

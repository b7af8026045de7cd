"""What a supernet learns: minibatches for training, fixed images for validation and recalibration.

A task hands out training minibatches by index, so whoever trains decides the order, and augments them from
the generator that is passed in. Two kinds: images of a data set (`ImageTask`), and the digits task of the
embedded benchmark (`DigitsTask`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from ..core.errors import MissingDataError, UnknownNameError
from ..core.seeding import torch_generator
from ..loaders.images.drawn import DRAWN, drawn_images
from ..loaders.images.read import IMAGE_DATA, load_images, nb201_split, split
from ..loaders.images.types import ImageData
from .batches import Augment, Images
from .digits import DigitsConfig, load_digits, place
from .settings import DataConfig


class Task(Protocol):
    """Attributes
    ----------
    name: of the data set. inputs, size, classes: channels and pixels of an image, number of classes.
    labels: (n,) int64, of the training images.
    valid: images (n, inputs, size, size) as the network takes them, and labels.
    inputs_sha256: file -> hash of what was read.
    """

    name: str
    inputs: int
    size: int
    classes: int
    labels: Tensor
    valid: tuple[Tensor, Tensor]
    inputs_sha256: dict[str, str]

    def batch(self, index: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """The training images at `index` (int64, on the CPU), augmented with `generator`, and their labels."""
        ...


@runtime_checkable
class HasTest(Protocol):
    """A task with a third part, which no measure reads: images and labels, as `Task.valid`."""

    test: tuple[Tensor, Tensor]


def held_out(task: Task) -> dict[str, tuple[Tensor, Tensor]]:
    """Name of each part that is not trained on -> images and labels."""
    return {"valid": task.valid} | ({"test": task.test} if isinstance(task, HasTest) else {})


class ImageTask:
    """Images of a data set on a device as bytes, cropped, flipped and cut out as they are asked for."""

    def __init__(
        self, config: DataConfig, *, data: Path | None = None, device: str = "cpu", stand_in: bool = False
    ) -> None:
        images = _images(config, data, stand_in)
        if config.split == "nb201":
            train, valid, _ = nb201_split(images, folder=data)
        else:
            train, valid = split(images, train=config.train, valid=config.valid, seed=config.split_seed)
        self.name = config.data if config.data in IMAGE_DATA and images.source != DRAWN else images.name
        self.classes = len(images.classes)
        self.size, self.inputs = int(train.images.shape[1]), int(train.images.shape[3])
        self.inputs_sha256 = dict(images.sha256)
        self._augment = Augment(crop=config.crop, flip=config.flip, cutout=config.cutout)
        self._images = Images(train, images.mean, images.std, device=device, padding=config.crop)
        valid_images = Images(valid, images.mean, images.std, device=device)
        self.valid = valid_images.batch(torch.arange(len(valid)), None, None)
        self.labels = torch.from_numpy(train.labels)
        self._labels = drawn_labels(self.labels, self.classes, config).to(device)

    def batch(self, index: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        images, _ = self._images.batch(index, generator, self._augment)
        return images, self._labels[index.to(self._labels.device)]


class DigitsTask:
    """The digits task of `nasanalysis.training.digits`: random places and noise for every training batch."""

    name, inputs, size, classes = "digits", 1, 12, 10

    def __init__(self, config: DataConfig, *, device: str = "cpu") -> None:
        self._digits = DigitsConfig()
        digits = load_digits(self._digits)
        self.labels = digits.train_labels
        self.valid = (digits.valid[0].to(device), digits.valid[1].to(device))
        self.test = (digits.test[0].to(device), digits.test[1].to(device))
        self.inputs_sha256: dict[str, str] = {}
        self._images, self._device = digits.train_images, device
        self._labels = drawn_labels(self.labels, self.classes, config)

    def batch(self, index: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        images = place(self._images[index], self._digits.noise, generator)
        return images.to(self._device), self._labels[index].to(self._device)


def valid_batches(task: Task, size: int, seed: int) -> list[tuple[Tensor, Tensor]]:
    """The validation images in batches of `size`, in an order of `seed`; a last image alone is left out.

    Folders of images come class by class: batch-norm that takes its statistics from a batch of one class reads another
    network than was trained.
    """
    images, labels = task.valid
    order = torch.randperm(len(labels), generator=torch_generator(seed, "validation order")).to(labels.device)
    return [(images[part], labels[part]) for part in order.split(size) if len(part) > 1]


def drawn_labels(labels: Tensor, classes: int, config: DataConfig) -> Tensor:
    """The labels that are trained on: the true ones, or random ones that stay the same (RLNAS)."""
    if config.labels == "true":
        return labels
    return torch.randint(classes, labels.shape, generator=torch_generator(config.split_seed, "random labels"))


def _images(config: DataConfig, data: Path | None, stand_in: bool) -> ImageData:
    try:
        return load_images(config.data, data, size=config.size)
    except MissingDataError:
        if not stand_in:
            raise
        try:
            return drawn_images(config.data, size=config.size)
        except UnknownNameError as unknown:
            raise MissingDataError(f"{config.data}: no such images at hand, and {unknown}") from None


def load_task(config: DataConfig, *, data: Path | None = None, device: str = "cpu", stand_in: bool = False) -> Task:
    """The task of `config`, on `device`; see `load_images` for where files are looked for.

    `stand_in`: drawn pixels where no files are found, which cost what images cost and are no use else; the task's name
    says so.
    """
    if config.data == "digits":
        return DigitsTask(config, device=device)
    return ImageTask(config, data=data, device=device, stand_in=stand_in)

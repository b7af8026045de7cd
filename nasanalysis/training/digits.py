"""The digits task: scikit-learn's 1,797 handwritten digits, made hard enough to tell cells apart.

Each 8 x 8 digit is placed at random on a 12 x 12 canvas, under Gaussian noise of standard deviation
0.3: afresh for every training batch, in a few fixed draws for validation and test.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..core.errors import BuildError, MissingExtraError
from ..core.seeding import generator as numpy_generator
from ..core.seeding import torch_generator


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

"""Batches of images: gathered, augmented and normalised on the device, without a loop over images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..core.errors import ParameterError
from ..loaders.images.types import ImageSet


@dataclass(frozen=True)
class Augment:
    """What is drawn afresh for every image of a training batch.

    Attributes
    ----------
    crop: pixels of black border; a window of the image's own size is cut out anywhere. Shifts by up to `crop`.
    flip: mirror every second image, on average, left to right.
    cutout: side in pixels of a square that is set to the mean (0 after normalisation); 0 is none. Its centre is
        any pixel, so it may be clipped at the border. DeVries and Taylor 2017, arXiv:1708.04552, section 3.2.

    The published code of DARTS uses crop 4, flips and cutout 16 on images of 32 pixels; that of NAS-Bench-201 crop 4
    and flips on 32 pixels, crop 2 and flips on 16.
    """

    crop: int = 0
    flip: bool = False
    cutout: int = 0

    def __post_init__(self) -> None:
        for name, value in (("crop", self.crop), ("cutout", self.cutout)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise ParameterError(f"augment: expected {name} as a number of pixels, 0 or more, got {value!r}")

    @property
    def draws(self) -> bool:
        """Whether there is anything to draw."""
        return bool(self.crop or self.flip or self.cutout)


class Images:
    """Images of one part on a device, as uint8 and padded once; `batch` gathers and normalises.

    Parameters
    ----------
    part: the images.
    mean, std: per channel, pixels in [0, 1]; every std above 0.
    padding: pixels of black border kept around every image: at least the largest `Augment.crop` to come.
    """

    def __init__(
        self,
        part: ImageSet,
        mean: Sequence[float],
        std: Sequence[float],
        *,
        device: str | torch.device = "cpu",
        padding: int = 0,
    ) -> None:
        n, height, width, channels = part.images.shape
        if len(mean) != channels or len(std) != channels or not all(s > 0 for s in std):
            raise ParameterError(
                f"images: expected mean and std of {channels} channels, each std above 0, got {mean} and {std}"
            )
        if isinstance(padding, bool) or not isinstance(padding, int) or padding < 0:
            raise ParameterError(f"images: expected padding as a number of pixels, 0 or more, got {padding!r}")
        self.height, self.width, self.channels, self.padding = height, width, channels, padding
        self.device = torch.device(device)
        padded = torch.zeros(n, height + 2 * padding, width + 2 * padding, channels, dtype=torch.uint8)
        padded[:, padding : padding + height, padding : padding + width] = torch.from_numpy(part.images)
        self._padded = padded.to(self.device)
        self.labels = torch.from_numpy(part.labels).to(self.device)
        scale = torch.tensor([1 / (255 * s) for s in std], dtype=torch.float64)
        shift = torch.tensor([-m / s for m, s in zip(mean, std, strict=True)], dtype=torch.float64)
        self._scale, self._shift = (t.to(torch.float32).to(self.device) for t in (scale, shift))

    def __len__(self) -> int:
        return len(self.labels)

    def batch(
        self, index: Tensor, generator: torch.Generator | None = None, augment: Augment | None = None
    ) -> tuple[Tensor, Tensor]:
        """(images, labels) at `index`, on the device.

        Parameters
        ----------
        index: (B,) whole numbers; checked where they lie on the CPU.
        generator: of the CPU; needed where `augment` draws anything. The draws are made there and moved, so that
            every device sees the same augmented images.
        augment: None for the images as they are.

        Returns float32 (B, channels, height, width) in channels_last memory, (pixel / 255 - mean) / std, and (B,)
        int64 labels. Borders that a crop lets in are black before normalisation; a cutout is 0 after it.
        """
        if index.ndim != 1 or index.dtype not in (torch.int64, torch.int32):
            raise ParameterError(f"batch: expected whole numbers (B,), got {tuple(index.shape)} of {index.dtype}")
        if index.device.type == "cpu" and len(index) and not 0 <= int(index.min()) <= int(index.max()) < len(self):
            raise ParameterError(
                f"batch: expected indices 0 to {len(self) - 1}, got {int(index.min())} to {int(index.max())}"
            )
        augment = augment or Augment()
        if augment.crop > self.padding:
            raise ParameterError(
                f"batch: expected a crop of at most {self.padding}, the padding these images were made with, "
                f"got {augment.crop}; make them with padding={augment.crop}"
            )
        index = index.to(self.device, torch.int64)
        draws = self._draw(len(index), generator, augment)
        return self._gather(index, draws, augment), self.labels[index]

    def _draw(self, count: int, generator: torch.Generator | None, augment: Augment) -> Tensor:
        """(3 or 5, B): top and left of the window, whether to flip, row and column of the cutout's centre."""
        if not augment.draws:
            return torch.empty(3, 0, dtype=torch.int64)
        if generator is None or generator.device.type != "cpu":
            got = "none" if generator is None else f"one of {generator.device}"
            raise ParameterError(f"batch: expected a generator of the CPU, which draws the augmentation, got {got}")
        highest = [2 * augment.crop + 1, 2 * augment.crop + 1, 2 if augment.flip else 1]
        if augment.cutout:
            highest += [self.height, self.width]
        rows = [
            torch.randint(high, (count,), generator=generator) if high > 1 else torch.zeros(count, dtype=torch.int64)
            for high in highest
        ]
        return torch.stack(rows).to(self.device)

    def _gather(self, index: Tensor, draws: Tensor, augment: Augment) -> Tensor:
        pad, height, width = self.padding, self.height, self.width
        if augment.crop:
            taken = self._windows(pad - augment.crop, augment.crop)[index, draws[0], draws[1]]
        else:
            taken = self._padded[:, pad : pad + height, pad : pad + width][index]
        if augment.flip:
            taken = torch.where(draws[2].bool()[:, None, None, None], taken.flip(2), taken)
        images = torch.addcmul(self._shift, taken.to(torch.float32), self._scale)
        if augment.cutout:
            inside = [
                (span >= first[:, None]) & (span < first[:, None] + augment.cutout)
                for span, first in (
                    (torch.arange(height, device=self.device), draws[3] - augment.cutout // 2),
                    (torch.arange(width, device=self.device), draws[4] - augment.cutout // 2),
                )
            ]
            images.masked_fill_((inside[0][:, :, None] & inside[1][:, None, :])[..., None], 0.0)
        return images.permute(0, 3, 1, 2)

    def _windows(self, start: int, crop: int) -> Tensor:
        """(n, 2 crop + 1, 2 crop + 1, height, width, channels): every window of every image, as a view."""
        n, _, whole, channels = self._padded.shape
        row, column = whole * channels, channels
        image = self._padded.stride(0)
        return self._padded.as_strided(
            (n, 2 * crop + 1, 2 * crop + 1, self.height, self.width, channels),
            (image, row, column, row, column, 1),
            start * (row + column),
        )

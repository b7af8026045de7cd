"""What an image data set is, and what every reader checks before it hands one out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...core.errors import DataFileError


@dataclass(frozen=True, eq=False)
class ImageSet:
    """One part of a data set.

    Attributes
    ----------
    images: (n, height, width, channels) uint8, C-contiguous; channels is 1 or 3 (red, green, blue).
    labels: (n,) int64, the index of each image's class.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: NDArray[np.int64]) -> ImageSet:
        """The images at `index`, copied, in that order."""
        return ImageSet(self.images[index], self.labels[index])


@dataclass(frozen=True, eq=False)
class ImageData:
    """An image data set as it was read.

    Attributes
    ----------
    name: ``cifar10``, ``cifar100``, ``svhn``, ``ImageNet16-120``, ``mnist``, ``digits``, or the stem of the
        file or folder it came from.
    classes: class names in label order.
    train, test: the parts; ``test`` is None where the source has none.
    source: the file or folder it came from.
    sha256: file -> SHA-256 of every file read; of a folder of images one hash over names and bytes.
    mean, std: per channel, pixels in [0, 1]: what a network's input is normalised with.
    """

    name: str
    classes: tuple[str, ...]
    train: ImageSet
    test: ImageSet | None
    source: str
    sha256: Mapping[str, str] = field(repr=False)
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Raw:
    """What a reader of one format returns: `ImageData` without its name, source and normalisation."""

    classes: tuple[str, ...]
    train: ImageSet
    test: ImageSet | None
    sha256: Mapping[str, str]


def image_set(images: object, labels: object, classes: Sequence[str], where: Path | str) -> ImageSet:
    """An `ImageSet` of what a file holds; `DataFileError` says what does not fit.

    Parameters
    ----------
    images: (n, height, width, channels) uint8.
    labels: n whole numbers, each an index into `classes`.
    where: the file, for messages.
    """
    pixels, codes = np.asarray(images), np.asarray(labels)
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[3] not in (1, 3) or 0 in pixels.shape[1:]:
        raise DataFileError(
            f"{where}: expected images as (n, height, width, 1 or 3) of uint8, got {pixels.shape} of {pixels.dtype}"
        )
    if codes.ndim != 1 or (codes.size and codes.dtype.kind not in "iu"):
        raise DataFileError(f"{where}: expected a list of whole numbers as labels, got {codes.shape} of {codes.dtype}")
    if len(codes) != len(pixels):
        raise DataFileError(
            f"{where}: expected as many labels as images, got {len(codes):,} labels and {len(pixels):,} images; "
            "are the files of one data set?"
        )
    if not len(codes):
        raise DataFileError(f"{where}: expected images, got none")
    codes = codes.astype(np.int64)
    wrong = np.unique(codes[(codes < 0) | (codes >= len(classes))])
    if len(wrong):
        first = int(np.flatnonzero(codes == wrong[0])[0])
        shown = ", ".join(map(str, wrong[:5])) + (", ..." if len(wrong) > 5 else "")
        raise DataFileError(
            f"{where}: expected labels 0 to {len(classes) - 1} ({len(classes)} classes), got {shown} "
            f"(first at image {first:,}); is the file damaged, or of another data set?"
        )
    return ImageSet(np.ascontiguousarray(pixels), codes)


def join(parts: Sequence[ImageSet], where: Path | str) -> ImageSet:
    """Several files of one part, one after the other."""
    shapes = {part.images.shape[1:] for part in parts}
    if len(shapes) > 1:
        raise DataFileError(f"{where}: expected images of one size in all files, got {sorted(shapes)}")
    return ImageSet(np.concatenate([p.images for p in parts]), np.concatenate([p.labels for p in parts]))


def moments(part: ImageSet) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """(mean, standard deviation) of each channel over all pixels, which lie in [0, 1]; exact, by counting values."""
    levels = np.arange(256) / 255
    means, stds = [], []
    for channel in range(part.images.shape[3]):
        counts = np.zeros(256)
        for start in range(0, len(part), 4096):
            counts += np.bincount(part.images[start : start + 4096, :, :, channel].ravel(), minlength=256)
        share = counts / counts.sum()
        mean = float(share @ levels)
        means.append(mean)
        stds.append(float(np.sqrt(share @ (levels - mean) ** 2)))
    return tuple(means), tuple(stds)

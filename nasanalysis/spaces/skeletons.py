"""The fixed network around a cell, and what it costs: exact parameters and FLOPs by arithmetic.

A cell of NAS-Bench-201 keeps channels and size, so a network costs its skeleton plus, for each edge,
the cost of that edge's operation in every cell of the three stages. FLOPs are multiply-accumulates of
one image, counted as NATS-Bench counts them (its recorded ``flop``): convolutions, the classifier's
products and its bias; batch-norm, pooling and sums are free.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Literal

from ..core.errors import NasAnalysisError, UnknownNameError
from .base import Images


@dataclass(frozen=True)
class Skeleton:
    """Stem, three stages of `cells` cells with C, 2C and 4C channels, two reductions, classifier.

    Parameters
    ----------
    image_size: height and width of the input in pixels; halved by each reduction.
    classes: outputs of the classifier.
    channels, cells: C and N (Dong and Yang 2020, Section 2.2: 16 and 5).
    input_channels: 3 for colour, 1 for grey.
    stem_kernel: kernel size of the stem convolution (followed by batch-norm).
    reduction: ``"residual"`` is NAS-Bench-201's residual block (two 3x3 convolutions and a pooled
        1x1 shortcut); ``"pool"`` is 2x2 average pooling and one 1x1 convolution with batch-norm,
        which leaves the work to the cells.
    affine: whether the batch-norms of the cells' convolutions have weights and offsets, as in the benchmark's
        networks; its search code has none in the cells.
    """

    image_size: int
    classes: int
    channels: int = 16
    cells: int = 5
    input_channels: int = 3
    stem_kernel: int = 3
    reduction: Literal["residual", "pool"] = "residual"
    affine: bool = True

    def __post_init__(self) -> None:
        for name in ("image_size", "classes", "channels", "cells", "input_channels", "stem_kernel"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise NasAnalysisError(f"{name}: expected a positive integer, got {value!r}")
        if self.image_size % 4:
            raise NasAnalysisError(f"image_size: expected a multiple of 4 (two reductions), got {self.image_size}")

    def __repr__(self) -> str:
        # fingerprints hold it: `affine` came later, and stands there where it says something new alone
        shown = [field.name for field in fields(self) if field.name != "affine" or not self.affine]
        return f"Skeleton({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"

    @property
    def stages(self) -> tuple[tuple[int, int], ...]:
        """(channels, image size) of the three stages."""
        return tuple((self.channels << s, self.image_size >> s) for s in range(3))

    def cell_conv_params(self, kernel: int) -> int:
        """Parameters of one ReLU-convolution-batch-norm edge, over all cells of the network."""
        return self.cells * sum(kernel * kernel * c * c + 2 * c * self.affine for c, _ in self.stages)

    def cell_conv_flops(self, kernel: int) -> int:
        """Multiply-accumulates of one convolution edge, over all cells of the network."""
        return self.cells * sum(kernel * kernel * c * c * size * size for c, size in self.stages)

    def base_params(self) -> int:
        """Parameters of everything but the cells' operations."""
        total = self.stem_kernel**2 * self.input_channels * self.channels + 2 * self.channels
        for (c, _), (d, _) in zip(self.stages, self.stages[1:], strict=False):
            if self.reduction == "residual":
                total += (9 * c * d + 2 * d) + (9 * d * d + 2 * d) + c * d
            else:
                total += c * d + 2 * d
        last = self.stages[-1][0]
        return total + 2 * last + last * self.classes + self.classes

    def base_flops(self) -> int:
        """Multiply-accumulates of everything but the cells' operations (plus the classifier's bias)."""
        total = self.stem_kernel**2 * self.input_channels * self.channels * self.image_size**2
        for (c, _), (d, size) in zip(self.stages, self.stages[1:], strict=False):
            per_pixel = 9 * c * d + 9 * d * d + c * d if self.reduction == "residual" else c * d
            total += per_pixel * size * size
        last = self.stages[-1][0]
        return total + last * self.classes + self.classes


#: Dataset -> the skeleton its benchmark trains. ``digits`` is ours (see `nasanalysis.builders.digits`).
SKELETONS: dict[str, Skeleton] = {
    "cifar10": Skeleton(image_size=32, classes=10),
    "cifar10-valid": Skeleton(image_size=32, classes=10),
    "cifar100": Skeleton(image_size=32, classes=100),
    "ImageNet16-120": Skeleton(image_size=16, classes=120),
    "digits": Skeleton(
        image_size=12, classes=10, channels=4, cells=1, input_channels=1, stem_kernel=1, reduction="pool"
    ),
}


def skeleton(dataset: str | Images, *, channels: int | None = None, cells: int | None = None) -> Skeleton:
    """The skeleton trained on `dataset`, with other channels C or cells N if given."""
    if isinstance(dataset, Images):
        base = Skeleton(dataset.image_size, dataset.classes, input_channels=dataset.channels)
    elif dataset in SKELETONS:
        base = SKELETONS[dataset]
    else:
        raise UnknownNameError("dataset", dataset, SKELETONS)
    return replace(
        base,
        channels=base.channels if channels is None else channels,
        cells=base.cells if cells is None else cells,
    )

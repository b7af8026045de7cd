"""How live networks are trained, finetuned and measured, and on which images. Imports no torch."""

from __future__ import annotations

import math
from typing import ClassVar, Literal, Self

from pydantic import model_validator

from ..core.errors import UnknownNameError
from ..core.settings import Settings
from ..core.toml import Many
from ..measures.names import ZERO_COST_NAMES

#: Measure -> (vector, weights) of `nasanalysis.measures.angle`.
ANGLE_OF: dict[str, tuple[Literal["paths", "flat"], Literal["all", "cells"]]] = {
    "angle": ("paths", "all"),
    "angle_flat": ("flat", "all"),
    "angle_cells": ("paths", "cells"),
    "angle_flat_cells": ("flat", "cells"),
}
ANGLES = tuple(ANGLE_OF)
ON_VALIDATION = ("val_acc", "val_loss")
HESSIAN = ("weight_hessian_ev", "weight_hessian_trace")
#: All names of measures, noise excepted.
MEASURED = (*ON_VALIDATION, *ANGLES, *HESSIAN, *ZERO_COST_NAMES)


class DataConfig(Settings):
    """Which images, how many, and how they are augmented.

    Attributes
    ----------
    data: ``cifar10``, ``cifar100``, ``svhn``, ``ImageNet16-120``, ``mnist``, ``digits``, or a folder or archive of
        images (see `nasanalysis.loaders.images.read`).
    size: pixels; None as stored.
    split: ``stratified``: `train` and `valid` images drawn from the data set's training images by `split_seed`,
        stratified by class; or ``nb201``: the official parts of NAS-Bench-201, whole (needs the benchmark's published
        split file in the data folder; `train`, `valid` and `split_seed` then say nothing).
    train, valid, split_seed: see `split`.
    crop: zero padding in pixels before a random crop. flip: mirror half of the images. cutout: side of the
        erased square in pixels, 0 for none.
    labels: ``true``, or ``random``: each training image has one class drawn at random for good (RLNAS).
    """

    data: str = "cifar10"
    size: int | None = None
    split: Literal["stratified", "nb201"] = "stratified"
    train: int = 25_000
    valid: int = 25_000
    split_seed: int = 0
    crop: int = 4
    flip: bool = True
    cutout: int = 0
    labels: Literal["true", "random"] = "true"


class TrainSettings(Settings):
    """SGD with momentum; cosine from `learning_rate` to `learning_rate_min`, update by update.

    The defaults are those of the SoTL thesis, Table B.1, for NAS-Bench-201. `epochs`: see
    `nasanalysis.training.train`.

    Attributes
    ----------
    nesterov: the public code of NAS-Bench-201 has it, that of the DARTS space and of GeNAS has not.
    clip: largest 2-norm of all gradients together before a step, 0 for none (DARTS, GeNAS: 5; NAS-Bench-201: none).
    unsampled: what a step does to weights that its architectures do not use. ``untouched``: nothing (torch since 2.0,
        where ``zero_grad`` drops gradients). ``zero_grad``: from the first time a weight was used, its gradient is 0
        where it is not, so weight decay and momentum act at every step (torch before 2.0: RLNAS, GeNAS, the thesis).
        A weight that was never used has no gradient yet, in both.
    compute: ``equal-images``: an epoch is as many images forward and backward as there are, whatever the protocol
        does. ``equal-updates``: an epoch is a pass over the minibatches, as in the thesis, which trains every protocol
        for as many epochs: `fairnas` sees each with 5 architectures, `multipath` with 4.
    images: images forward and backward of the whole training, in place of `epochs` times those there are (`epochs`
        then says in how many parts it is recorded); ``equal-images`` alone.
    """

    later: ClassVar[frozenset[str]] = frozenset({"nesterov", "clip", "unsampled", "compute", "images"})

    epochs: int = 100
    batch_size: int = 64
    learning_rate: float = 0.025
    learning_rate_min: float = 0.001
    momentum: float = 0.9
    weight_decay: float = 5e-4
    nesterov: bool = True
    clip: float = 0.0
    unsampled: Literal["untouched", "zero_grad"] = "untouched"
    compute: Literal["equal-images", "equal-updates"] = "equal-images"
    images: int | None = None

    @model_validator(mode="after")
    def _budget(self) -> Self:
        if self.images is not None and self.compute == "equal-updates":
            raise ValueError(
                f"training: compute = 'equal-updates' counts updates, images = {self.images} is a budget in images, "
                "which protocols spend in different numbers of updates; leave one of them out"
            )
        if self.images is not None and self.images < self.batch_size:
            raise ValueError(f"training: expected images of at least one batch ({self.batch_size}), got {self.images}")
        if not 0 <= self.clip < math.inf:
            raise ValueError(f"training: expected clip of 0 (none) or more, got {self.clip}")
        return self

    @model_validator(mode="after")
    def _train(self) -> Self:
        if self.epochs < 1 or self.batch_size < 2:
            raise ValueError(
                f"training: expected at least 1 epoch and batches of at least 2 images (batch-norm needs two), got "
                f"epochs = {self.epochs}, batch_size = {self.batch_size}"
            )
        if not 0 <= self.learning_rate_min <= self.learning_rate or self.learning_rate <= 0:
            raise ValueError(
                "training: expected 0 <= learning_rate_min <= learning_rate, got "
                f"{self.learning_rate_min} and {self.learning_rate}"
            )
        _require_sgd("training", self.momentum, self.weight_decay)
        return self


class FinetuneSettings(Settings):
    """SGD at a constant rate; defaults of the SoTL thesis (4.2, Table B.1).

    Attributes
    ----------
    minibatches: T, steps of `batch_size` images.
    learning_rate: 0.01 for SPOS, 0.001 for the others in the thesis.
    valid_batch: images of a validation minibatch; 0 leaves `val_acc_mini` and `sovl` out.
    valid_every: steps between validation minibatches.
    val_acc_every: steps between accuracies on the whole validation part; 0: only before the first step.
    recalibration: training images that batch-norm statistics are re-estimated on.
    gradients: accumulate `sog` and `sogn`.
    precision: of the forward pass: ``float32``, or ``bfloat16`` (torch's autocast; weights, batch-norm statistics,
        losses and sums stay float32).
    """

    minibatches: int = 100
    batch_size: int = 64
    learning_rate: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 5e-4
    valid_batch: int = 64
    valid_every: int = 1
    val_acc_every: int = 100
    recalibration: int = 1024
    gradients: bool = True
    precision: Literal["float32", "bfloat16"] = "float32"

    @model_validator(mode="after")
    def _finetune(self) -> Self:
        if self.minibatches < 1 or self.batch_size < 2 or self.valid_every < 1:
            raise ValueError(
                "finetuning: expected at least 1 minibatch, batches of at least 2 images (batch-norm needs two) and "
                f"valid_every >= 1, got minibatches = {self.minibatches}, batch_size = {self.batch_size}, "
                f"valid_every = {self.valid_every}"
            )
        if not self.learning_rate > 0 or self.valid_batch < 0 or self.val_acc_every < 0:
            raise ValueError(
                "finetuning: expected learning_rate > 0, valid_batch >= 0 and val_acc_every >= 0, got "
                f"{self.learning_rate}, {self.valid_batch}, {self.val_acc_every}"
            )
        _require_sgd("finetuning", self.momentum, self.weight_decay)
        _require_recalibration("finetuning", self.recalibration)
        return self

    def read_at(self, measure: str) -> int:
        """The last step at which `measure` is read."""
        every = {
            "val_acc": self.val_acc_every,
            "val_loss": self.val_acc_every,
            "val_acc_mini": self.valid_every,
            "sovl": self.valid_every,
        }.get(measure, 1)
        return self.minibatches - self.minibatches % every if every else 0


class MeasureSettings(Settings):
    """How an architecture is measured.

    Attributes
    ----------
    measures: names of the table in `nasanalysis.training.measure`, noise excepted.
    sigmas: standard deviations of the noise, rising; none: no noise. draws: of the noise at each.
    position: ``all`` weights or those of the search ``cells``. direction: ``random`` or ``hessian``.
    scheme: ``independent`` draws (GeNAS Eq. 4) or ``cumulative`` (its public code).
    images: validation images on which the loss under noise is read; 0: all.
    recalibration: training images for the statistics of batch-norm; all where there are fewer.
    statistics: of batch-norm while measuring. ``recalibrated``: re-estimated for the architecture on `recalibration`
        training images (RLNAS's accuracy: on 20,000). ``running``: the supernet's, a mixture of all architectures
        (the DARTS space's public code). ``batch``: those of each batch that is read (public code of NAS-Bench-201,
        ``track_running_stats`` off).
    hessian_images: validation images of the Hessian. batch_size: training images of the zero-cost measures.
    """

    later: ClassVar[frozenset[str]] = frozenset({"statistics"})

    measures: Many[str] = (*ON_VALIDATION, "angle", "angle_flat")
    sigmas: Many[float] = (2e-3, 1e-2, 2e-2)
    draws: int = 4
    position: Literal["all", "cells"] = "all"
    direction: Literal["random", "hessian"] = "random"
    scheme: Literal["independent", "cumulative"] = "independent"
    images: int = 0
    recalibration: int = 1024
    hessian_images: int = 256
    batch_size: int = 64
    statistics: Literal["recalibrated", "running", "batch"] = "recalibrated"

    @model_validator(mode="after")
    def _measure(self) -> Self:
        for name in self.measures:
            if name not in MEASURED:
                raise ValueError(str(UnknownNameError("measure", name, MEASURED)))
        _require_sigmas(self.sigmas)
        if self.draws < 1 or self.images < 0 or self.hessian_images < 1 or self.batch_size < 2:
            raise ValueError(
                "measuring: expected draws >= 1, images >= 0, hessian_images >= 1 and batch_size >= 2, got "
                f"{self.draws}, {self.images}, {self.hessian_images} and {self.batch_size}"
            )
        _require_recalibration("measuring", self.recalibration)
        return self

    @model_validator(mode="after")
    def _reads_something(self) -> Self:
        if not self.measures and not self.sigmas:
            raise ValueError("measuring: expected measures or sigmas, got neither")
        return self

    @property
    def kind_of_noise(self) -> dict[str, str]:
        """As the columns of a PERTURBED frame say it."""
        return {"position": self.position, "direction": self.direction, "draws": self.scheme}


def _require_sgd(what: str, momentum: float, weight_decay: float) -> None:
    if not 0 <= momentum < 1 or not weight_decay >= 0:
        raise ValueError(f"{what}: expected 0 <= momentum < 1 and weight_decay >= 0, got {momentum} and {weight_decay}")


def _require_recalibration(what: str, images: int) -> None:
    if images < 2:
        raise ValueError(f"{what}: expected recalibration on at least 2 images, got {images}")


def _require_sigmas(sigmas: tuple[float, ...]) -> None:
    if any(not math.isfinite(s) or s <= 0 for s in sigmas) or list(sigmas) != sorted(set(sigmas)):
        raise ValueError(f"measuring: expected sigmas above 0, each larger than the one before, got {list(sigmas)}")

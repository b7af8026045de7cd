"""What a search is run with whatever its method: images, epochs, the optimiser of the weights. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from ..core.settings import Settings


class SearchSettings(Settings):
    """Defaults are those of the DARTS space (Liu et al. 2019 and their code); `FAMILIES` has what others use.

    Attributes
    ----------
    epochs: of the whole search, selection by perturbation left out. A method of several stages shares them.
    batch_size, learning_rate, learning_rate_min, momentum, weight_decay, nesterov, clip: SGD over the weights; the rate
        falls by half a cosine, epoch by epoch.
    order: whether alpha steps before the weights (DARTS) or after them (public code of NAS-Bench-201).
    validation: batches that alpha is trained on: ``fresh``, drawn anew for every step (DARTS), or a ``pass`` over all
        of them before any comes again.
    alpha_share: share of the training images that alpha is trained on; the weights have the rest. Both are augmented.
    statistics: of batch-norm where a supernet is read: ``batch`` or ``running``.
    read_images: images on which masks are judged, supernets compared, and eigenvalues read; 0: all of alpha's.
    diagnose_every, eigenvalue_every: epochs between readings that move nothing; 0: none
        (`nasanalysis.differentiable.diagnostics`). A Hessian costs two or three passes for each architecture parameter.
    eigenvalue_data: images that eigenvalues are read on: a batch of those that ``alpha`` is trained on, of those of the
        ``weights``, or ``both``. eigenvalue_relaxed: of a hard sampler, those of its softmax. eigenvalue_spectrum: all
        eigenvalues, where the Hessian is small enough to be taken whole.
    keep_weights_every: epochs between weights that are kept, for `nasanalysis diffsearch diagnose`; 0: the last alone.
    """

    later: ClassVar[frozenset[str]] = frozenset(
        {
            "diagnose_every",
            "eigenvalue_every",
            "eigenvalue_data",
            "eigenvalue_relaxed",
            "eigenvalue_spectrum",
            "keep_weights_every",
        }
    )

    epochs: int = 50
    batch_size: int = 64
    learning_rate: float = 0.025
    learning_rate_min: float = 0.001
    momentum: float = 0.9
    weight_decay: float = 3e-4
    nesterov: bool = False
    clip: float = 5.0
    order: Literal["alpha-first", "weights-first"] = "alpha-first"
    validation: Literal["fresh", "pass"] = "fresh"
    alpha_share: float = 0.5
    statistics: Literal["batch", "running"] = "batch"
    read_images: int = 0
    diagnose_every: int = 0
    eigenvalue_every: int = 0
    eigenvalue_data: Literal["alpha", "weights", "both"] = "alpha"
    eigenvalue_relaxed: bool = False
    eigenvalue_spectrum: bool = False
    keep_weights_every: int = 0

    @model_validator(mode="after")
    def _ranges(self) -> Self:
        if self.epochs < 1 or self.batch_size < 2 or not 0 < self.alpha_share < 1 or self.read_images < 0:
            raise ValueError(
                "search: expected epochs >= 1, batches of at least 2 images, 0 < alpha_share < 1 and read_images >= 0, "
                f"got {self.epochs}, {self.batch_size}, {self.alpha_share}, {self.read_images}"
            )
        if not 0 <= self.learning_rate_min <= self.learning_rate or self.learning_rate <= 0:
            raise ValueError(
                "search: expected 0 <= learning_rate_min <= learning_rate, got "
                f"{self.learning_rate_min} and {self.learning_rate}"
            )
        if min(self.diagnose_every, self.eigenvalue_every, self.keep_weights_every) < 0:
            raise ValueError(
                "search: expected diagnose_every, eigenvalue_every and keep_weights_every of 0 or more, got "
                f"{self.diagnose_every}, {self.eigenvalue_every} and {self.keep_weights_every}"
            )
        if not 0 <= self.momentum < 1 or self.weight_decay < 0 or self.clip < 0:
            raise ValueError(
                "search: expected 0 <= momentum < 1, weight_decay >= 0 and clip >= 0, got "
                f"{self.momentum}, {self.weight_decay}, {self.clip}"
            )
        return self


#: First part of a space's name -> what its public code has other than DARTS.
FAMILIES: dict[str, dict[str, Any]] = {
    "nb201": {
        "epochs": 100,
        "weight_decay": 5e-4,
        "nesterov": True,
        "clip": 0.0,
        "order": "weights-first",
    },
    "nb101": {"validation": "pass"},
}


def family(space: str) -> str:
    """``nb201``, ``nb101`` or ``darts``: whose code a space is searched as."""
    first = space.partition("-")[0]
    return first if first in FAMILIES else "darts"


def settings_for(space: str, by_method: Mapping[str, Any] | None = None, **changes: Any) -> SearchSettings:
    """The settings that the public code of a space has, then those of a method (`Method.settings`), then `changes`."""
    return SearchSettings(**{**FAMILIES.get(family(space), {}), **(by_method or {}), **changes})

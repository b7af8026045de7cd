"""Everything that fixes a run of the second edition of `digits` but the architecture and its seed."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from ..core.errors import BuildError
from ..core.provenance import package_versions
from ..measures.noise import checked_sigmas
from ..training.digits import DigitsConfig

#: Packages whose version can change a number that is recorded.
_PACKAGES = ("torch", "numpy", "scipy", "scikit-learn")

#: To be raised when the same settings would record other numbers: runs of two versions never stand in one folder.
RECORDER = 1


@dataclass(frozen=True)
class RecorderSettings:
    """What is measured, where and how often.

    Attributes
    ----------
    task: the digits task and its training, those of the first edition.
    minibatches: the first minibatches whose training losses are kept.
    valid_every, valid_batch: an accuracy on `valid_batch` validation images after every `valid_every` of them.
    angle_epochs: completed epochs after which the angle is measured.
    sigmas, noise_draws: standard deviations of the weight noise, beside 0, and draws at each. GeNAS's for
        NAS-Bench-201 are 2e-3, 1e-2 and 2e-2; these networks are small, and only larger ones ruin them.
    noise_epochs: completed epochs after which the loss under noise is measured.
    trace_draws, hessian_tolerance: Hutchinson's vectors, and the relative accuracy of the eigenvalue.
    zero_cost_batch: training images that the zero-cost measures read.

    Noise and Hessian are measured on the first placement of every validation digit (297 images of the 1,188).
    """

    task: DigitsConfig = field(default_factory=DigitsConfig)
    minibatches: int = 100
    valid_every: int = 10
    valid_batch: int = 64
    angle_epochs: tuple[int, ...] = (1, 2, 4, 8, 12)
    sigmas: tuple[float, ...] = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
    noise_draws: int = 4
    noise_epochs: tuple[int, ...] = (2, 12)
    trace_draws: int = 8
    hessian_tolerance: float = 1e-2
    zero_cost_batch: int = 64

    def __post_init__(self) -> None:
        checked_sigmas(self.sigmas)
        for name in ("minibatches", "valid_every", "valid_batch", "noise_draws", "trace_draws", "zero_cost_batch"):
            if getattr(self, name) < 1:
                raise BuildError(f"digits-2: {name}: expected at least 1, got {getattr(self, name)}")
        for name in ("angle_epochs", "noise_epochs"):
            if any(not 1 <= epoch <= self.task.epochs for epoch in getattr(self, name)):
                raise BuildError(f"digits-2: {name}: expected 1 to {self.task.epochs}, got {getattr(self, name)}")

    @property
    def validated_minibatches(self) -> tuple[int, ...]:
        """The minibatches after which a validation minibatch is read."""
        steps = min(self.minibatches, self.task.epochs * -(-self.task.train // self.task.batch_size))
        return tuple(range(self.valid_every, steps + 1, self.valid_every))

    def fingerprint(self) -> dict[str, Any]:
        """Name -> value of every setting, flat, so that a difference is named; versions of packages included."""
        settings = {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items() if name != "task"}
        task = {f"task.{name}": value for name, value in self.task.as_dict().items()}
        packages = {f"packages.{name}": value for name, value in package_versions(_PACKAGES).items()}
        return {"benchmark": "digits-2", "recorder": RECORDER, **settings, **task, **packages}

"""How one architecture is trained alone: settings by name, and those of the papers (`PUBLISHED`). Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from pydantic import model_validator

from ..core.settings import Settings
from ..core.toml import as_value_error
from ..networks.config import NetworkConfig
from .schedules import Schedule


class AloneSettings(Settings):
    """How one architecture is trained; defaults of NAS-Bench-201 (Dong and Yang 2020, Section 2.3).

    Attributes
    ----------
    epochs, batch_size: the last, smaller batch of an epoch is trained on too.
    optimiser: a name of `nasanalysis.training.optimisers`; momentum, nesterov, betas, weight_decay: its options, None
        for its own default.
    learning_rate, learning_rate_min, schedule, schedule_by: see `nasanalysis.training.schedules`.
    clip: largest 2-norm of the gradients of all weights together; 0: none.
    auxiliary_weight: of the auxiliary head's loss; above 0 the network must have one.
    drop_path: probability that a path is dropped at the end of training; above 0 the network must drop paths.
    """

    epochs: int = 200
    batch_size: int = 256
    optimiser: str = "sgd"
    learning_rate: float = 0.1
    learning_rate_min: float = 0.0
    schedule: str = "cosine"
    schedule_by: Literal["update", "epoch"] = "update"
    momentum: float | None = None
    nesterov: bool | None = None
    betas: tuple[float, float] | None = None
    weight_decay: float | None = 5e-4
    clip: float = 0.0
    auxiliary_weight: float = 0.0
    drop_path: float = 0.0

    @model_validator(mode="after")
    def _alone(self) -> Self:
        if self.epochs < 1 or self.batch_size < 2:
            raise ValueError(
                "training alone: expected at least 1 epoch and batches of at least 2 images (batch-norm needs two), "
                f"got epochs = {self.epochs}, batch_size = {self.batch_size}"
            )
        if not 0 <= self.drop_path < 1 or not 0 <= self.auxiliary_weight < math.inf or not 0 <= self.clip < math.inf:
            raise ValueError(
                "training alone: expected 0 <= drop_path < 1, auxiliary_weight >= 0 and clip >= 0, got "
                f"{self.drop_path}, {self.auxiliary_weight} and {self.clip}"
            )
        with as_value_error():
            _ = self.rates
        return self

    @property
    def rates(self) -> Schedule:
        return Schedule(self.learning_rate, self.learning_rate_min, self.schedule, self.schedule_by)

    @property
    def optimiser_options(self) -> dict[str, Any]:
        """What `nasanalysis.training.optimisers.optimiser` takes; None: the optimiser's own default."""
        names = ("learning_rate", "clip", "momentum", "nesterov", "betas", "weight_decay")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class Published:
    """How a paper trains what its search has found: settings, network, and keys of `DataConfig`."""

    settings: AloneSettings
    network: NetworkConfig
    data: Mapping[str, Any]


_DARTS = AloneSettings(
    epochs=600,
    batch_size=96,
    learning_rate=0.025,
    schedule_by="epoch",
    momentum=0.9,
    nesterov=False,
    weight_decay=3e-4,
    clip=5.0,
    auxiliary_weight=0.4,
    drop_path=0.2,
)
_CROPPED: Mapping[str, Any] = {"crop": 4, "flip": True}

#: Name -> a published evaluation, each figure as the paper's public code has it.
PUBLISHED: dict[str, Published] = {
    # Liu et al. 2019, Section 3.2; quark0/darts, cnn/train.py: no Nesterov, the rate falls by epoch
    "darts": Published(_DARTS, NetworkConfig(channels=36, layers=20, auxiliary=True), {**_CROPPED, "cutout": 16}),
    # Zela et al. 2020 (RobustDARTS): S1 to S4 on CIFAR-100 and SVHN, a smaller network, otherwise as DARTS
    "robust-darts": Published(_DARTS, NetworkConfig(channels=16, layers=8, auxiliary=True), {**_CROPPED, "cutout": 16}),
    # Dong and Yang 2020, Section 2.3 (momentum 0.9 with Nesterov are the optimiser's own defaults)
    "nb201": Published(AloneSettings(), NetworkConfig(channels=16, cells=5), _CROPPED),
    # Ying et al. 2019; google-research/nasbench, lib/config.py: a rate of 0.1 for each of two shards of 256 images
    "nb101": Published(
        AloneSettings(epochs=108, optimiser="rmsprop", learning_rate=0.2, momentum=0.9, weight_decay=1e-4),
        NetworkConfig(channels=128, cells=3),
        _CROPPED,
    ),
    # ours: `nasanalysis.training.digits`, whose runs draw everything from one stream and are not these bit by bit
    "digits": Published(
        AloneSettings(epochs=12, batch_size=64),
        NetworkConfig(channels=4, cells=1, reduction="pool", stem_kernel=1),
        {"data": "digits"},
    ),
}

"""Configurations of the synthetic experiments: one TOML file each, ``kind`` first. Imports no torch.

Shipped ones are ``reports/synthetic/*.toml``; every key has a default.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from ..core.errors import StudyError, UnknownNameError
from ..core.resources import toml_file
from ..core.settings import Settings
from ..core.toml import Many, read_keys, validated

#: Where shipped configurations are.
CONFIGS = "reports/synthetic"


class Experiment(Settings):
    """What all kinds share.

    Attributes
    ----------
    title: for readers. seeds: how often everything is repeated with other draws.
    """

    kind: str
    title: str = ""
    seeds: int = Field(default=10, ge=1)


class EvidenceConfig(Experiment):
    """Bayesian linear regression (thesis, 3.1).

    Attributes
    ----------
    problems: random problems in which the bound is checked, each of another size, noise and prior.
    samples: numbers k of posterior draws for a point. points, features: of the problem whose gap is shown.
    repeats: estimates of each k, for their spread.
    checked: k of the Monte Carlo check against the closed form, one in each of `seeds` problems.
    """

    kind: Literal["evidence"] = "evidence"
    problems: int = Field(default=1000, ge=1)
    samples: Many[int] = (1, 2, 4, 8, 16, 32, 64, 128, 256)
    points: int = Field(default=30, ge=1)
    features: int = Field(default=10, ge=1)
    repeats: int = Field(default=200, ge=2)
    checked: int = Field(default=2000, ge=2)


class FourierConfig(Experiment):
    """Linear regression on Fourier terms; what the text and the author's code have otherwise is named.

    Attributes
    ----------
    reading: ``text``: `points` drawn uniformly in +-`span`, a feature cos + sin of each degree with one weight, periods
        of 1 / degree. ``code``: points equally spaced in +-`span` times pi, cosine and sine apart, periods of 2 pi /
        degree.
    true_degree, max_degree: of the targets, and of the features. columns: how many features are kept, 0 for all.
    noise: variance added to the targets.
    batch_size, rate: of SGD. epochs: passes over the points.
    """

    kind: Literal["fourier"] = "fourier"
    reading: Literal["text", "code"] = "text"
    points: int = Field(default=10_000, ge=1)
    span: float = Field(default=10.0, gt=0)
    true_degree: int = Field(default=3, ge=0)
    max_degree: int = Field(default=21, ge=1)
    columns: int = Field(default=0, ge=0)
    noise: float = Field(default=0.0, ge=0)
    batch_size: int = Field(default=64, ge=1)
    rate: float = Field(default=0.01, gt=0)
    epochs: int = Field(default=1, ge=1)
    degrees: Many[int] = (0, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21)


class MaxDegConfig(FourierConfig):
    """The degree as a parameter that gradients move (thesis, Eq. 4.5).

    Attributes
    ----------
    starts: of MaxDeg, with `fixed_T`. Ts: numbers of steps, from `fixed_start`; validation_Ts: of the baselines.
    hyper_rate: of SGD on MaxDeg. outer: its steps.
    penalty, squared: what is added to every training loss: penalty * |MaxDeg|, or penalty * MaxDeg^2.
    decay: decay * |w|^2 / (number of weights), added too.
    """

    kind: Literal["maxdeg"] = "maxdeg"  # type: ignore[assignment]
    starts: Many[float] = (-1.0, 0.0, 1.5, 5.0, 8.0)
    fixed_T: int = Field(default=25, ge=2)
    Ts: Many[int] = (2, 3, 5, 10, 15, 25)
    validation_Ts: Many[int] = (2, 25)
    fixed_start: float = -1.0
    hyper_rate: float = Field(default=0.01, gt=0)
    outer: int = Field(default=3000, ge=1)
    penalty: float = Field(default=0.01, ge=0)
    squared: bool = True
    decay: float = Field(default=0.0, ge=0)


class RateConfig(Experiment):
    """The learning rate as a parameter that gradients move (thesis, 4.1.1).

    Attributes
    ----------
    data, train, valid, split_seed, crop, flip: images, see `nasanalysis.training.settings.DataConfig`.
    network: ``mlp`` (`hidden` layers of `width`) or ``vgg16``.
    Ts: numbers of steps of an unroll; 0: the rate stays as it is, a control. fixed_rates: further ones that stay.
    rate, hyper_rate, clip: the first rate, the rate of its own descent, and the largest slope that counts.
    epochs: passes over the training images. threads: of torch, in each process.
    """

    later: ClassVar[frozenset[str]] = frozenset({"fixed_rates"})

    kind: Literal["learning_rate"] = "learning_rate"
    seeds: int = Field(default=3, ge=1)
    data: str = "mnist"
    train: int = Field(default=54_000, ge=1)
    valid: int = Field(default=6_000, ge=1)
    split_seed: int = 0
    crop: int = Field(default=0, ge=0)
    flip: bool = False
    network: Literal["mlp", "vgg16"] = "mlp"
    hidden: int = Field(default=2, ge=0)
    width: int = Field(default=1000, ge=1)
    batch_size: int = Field(default=128, ge=1)
    Ts: Many[int] = (0, 2, 10, 50, 250)
    fixed_rates: Many[float] = ()
    rate: float = Field(default=1e-3, gt=0)
    hyper_rate: float = Field(default=1e-2, gt=0)
    clip: float = Field(default=10.0, gt=0)
    epochs: int = Field(default=50, ge=1)
    threads: int = Field(default=1, ge=1)


class MemoryConfig(RateConfig):
    """Memory of an unroll at its peak, each in a process of its own: `Ts` in forward mode.

    Attributes
    ----------
    reverse_Ts: through the graph of all steps, beside it.
    """

    kind: Literal["memory"] = "memory"  # type: ignore[assignment]
    seeds: int = Field(default=1, ge=1)
    Ts: Many[int] = (2, 10, 25, 50, 100, 250)
    reverse_Ts: Many[int] = (2, 5, 10, 25)


#: Kind of a configuration -> its model.
MODELS: dict[str, type[Experiment]] = {
    "evidence": EvidenceConfig,
    "fourier": FourierConfig,
    "maxdeg": MaxDegConfig,
    "learning_rate": RateConfig,
    "memory": MemoryConfig,
}


def load_config(name_or_path: str | Path) -> Experiment:
    """A shipped configuration by name, or a TOML file; `StudyError` says what is wrong in it."""
    path = toml_file(name_or_path, CONFIGS, kind="configuration")
    keys = read_keys(path, what="a configuration of a synthetic experiment")
    kind = keys.get("kind")
    if not isinstance(kind, str):
        raise StudyError(f"{path}: expected kind = one of {', '.join(MODELS)}, got {kind!r}")
    if kind not in MODELS:
        raise StudyError(f"{path}: {UnknownNameError('kind', kind, MODELS)}")
    return validated(MODELS[kind], keys, where=str(path))

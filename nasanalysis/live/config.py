"""A supernet study as a TOML file: the network, the images, how it is trained and finetuned.

Every key has a default but `space`; ``reports/configs/`` holds documented examples. Keys that are not known are
refused by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from ..core.errors import NasAnalysisError, UnknownNameError
from ..core.terms import TermModel
from ..core.toml import read_toml
from ..networks.config import NetworkConfig
from ..spaces import get_space
from ..training.finetune import FinetuneSettings
from ..training.measure import MeasureSettings
from ..training.protocols import Protocol, get_protocol
from ..training.tasks import DataConfig
from ..training.train import TrainSettings

#: Preset -> training settings as published (SoTL thesis, Table B.1; GeNAS, Section 4.1 and appendix).
PRESETS: dict[str, dict[str, Any]] = {
    "thesis-nb201": {"epochs": 100, "weight_decay": 5e-4},
    "thesis-nb1shot1": {"epochs": 50, "weight_decay": 3e-4},
    "thesis-darts": {"epochs": 100, "weight_decay": 3e-4},
    "genas": {"epochs": 250, "weight_decay": 5e-4},
}


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def given(table: _Model, kind: type) -> dict[str, Any]:
    """What `table` says of the fields of a dataclass: a key left out has the dataclass's own default."""
    own = table.model_dump(exclude_none=True)
    return {field.name: own[field.name] for field in fields(kind) if field.name in own}


class TrainConfig(_Model):
    """Protocols x seeds are trained, each into a folder of its own.

    Attributes
    ----------
    protocols: see `nasanalysis.training.protocols`. seeds: weights, order and architectures of each training.
    preset: defaults of `settings` (`PRESETS`); without one, those of `TrainSettings`.
    genotype: ``one`` for all cells or ``per_cell``.
    outer_rate, inner_batch, squared: what Reptile and Metaprox leave open (see `Protocol`).
    The remaining keys are those of `TrainSettings`.
    """

    protocols: tuple[str, ...] = ("spos",)
    seeds: tuple[int, ...] = (0,)
    preset: str | None = None
    genotype: str = "one"
    outer_rate: float | None = None
    inner_batch: str | None = None
    squared: bool | None = None
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    learning_rate_min: float | None = None
    momentum: float | None = None
    weight_decay: float | None = None

    @property
    def settings(self) -> TrainSettings:
        if self.preset is not None and self.preset not in PRESETS:
            raise UnknownNameError("preset", self.preset, PRESETS)
        return TrainSettings(**{**PRESETS.get(self.preset or "", {}), **given(self, TrainSettings)})

    def protocol(self, name: str) -> Protocol:
        return replace(get_protocol(name), **given(self, Protocol))


class PartConfig(_Model):
    """What is done to a sample of architectures of every supernet named.

    Attributes
    ----------
    name: the `setting` of its frames. protocols, seeds: of the supernets; default all that are trained.
    archs: a sample (see `nasanalysis.loaders.samples.space_archs`). limit: only the first so many.
    """

    name: str = Field(pattern=r"^[a-z0-9.+-]+$")
    protocols: tuple[str, ...] | None = None
    seeds: tuple[int, ...] | None = None
    archs: str = "thesis"
    limit: int | None = Field(default=None, ge=1)


class FinetuneConfig(PartConfig):
    """One finetuning of the architectures.

    Attributes
    ----------
    data_seed: draws the minibatches, the same for every supernet and every architecture.
    together: networks of one architecture (from different supernets) that are finetuned at once; see
        `nasanalysis.networks.stacked`. Small networks gain, large ones need memory.
    from_scratch: fresh weights from each seed in place of a supernet's.
    The remaining keys are those of `FinetuneSettings`.
    """

    data_seed: int = Field(default=0, ge=0)
    together: int = Field(default=16, ge=1)
    from_scratch: bool = False
    minibatches: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    momentum: float | None = None
    weight_decay: float | None = None
    valid_batch: int | None = None
    valid_every: int | None = None
    val_acc_every: int | None = None
    recalibration: int | None = None
    gradients: bool | None = None
    precision: str | None = None

    def settings(self, train: TrainConfig) -> FinetuneSettings:
        """`weight_decay` is that of the training unless given."""
        return FinetuneSettings(**{"weight_decay": train.settings.weight_decay, **given(self, FinetuneSettings)})


class MeasureConfig(PartConfig):
    """One measuring of the architectures with the weights they inherit.

    Attributes
    ----------
    noise_seed: draws the images and, for each architecture and supernet, the noise.
    The remaining keys are those of `MeasureSettings`.
    """

    noise_seed: int = Field(default=0, ge=0)
    measures: tuple[str, ...] | None = None
    sigmas: tuple[float, ...] | None = None
    draws: int | None = None
    position: str | None = None
    direction: str | None = None
    scheme: str | None = None
    images: int | None = None
    recalibration: int | None = None
    hessian_images: int | None = None
    batch_size: int | None = None

    @property
    def settings(self) -> MeasureSettings:
        return MeasureSettings(**given(self, MeasureSettings))


class SearchConfig(MeasureConfig):
    """One search over architectures, with what it measures of each as fitness.

    Attributes
    ----------
    protocols, seeds: of the supernets; an architecture's fitness is the mean over them. Default: the first of each.
    terms: the fitness, a weighted sum; ``flatness`` and ``sharpness`` are computed from the noise. ``sotl`` (and what
        else a finetuning reads) needs `finetune`, the name of a part whose settings are used.
    algorithm: of `nasanalysis.search.ALGORITHMS`. preset, options: its settings, by name or one by one.
    queries, budget_seconds: the end of the search. search_seeds: one search each.
    params_min, params_max, flops_min, flops_max: limits on the architectures, for this network.
    curvature: sigmas at which the loss under noise of what was found is measured afterwards; none by default.
    The remaining keys are those of `MeasureSettings`; `archs` and `limit` have no meaning here.
    """

    terms: tuple[TermModel, ...] = Field(min_length=1)
    finetune: str | None = None
    algorithm: str = "spos_evolution"
    preset: str | None = None
    options: tuple[tuple[str, Any], ...] = ()
    queries: int | None = Field(default=None, ge=1)
    budget_seconds: float | None = Field(default=None, gt=0)
    search_seeds: tuple[int, ...] = (0,)
    params_min: float | None = None
    params_max: float | None = None
    flops_min: float | None = None
    flops_max: float | None = None
    curvature: tuple[float, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> Self:
        seeds, proxies = self.search_seeds, [term.proxy for term in self.terms]
        if not seeds or len(set(seeds)) < len(seeds) or min(seeds) < 0:
            raise ValueError(f"search_seeds: expected whole numbers from 0, each once, got {list(seeds)}")
        if len(set(proxies)) < len(proxies):
            raise ValueError(f"terms: expected each proxy once, got {', '.join(proxies)}")
        if moving := [term.proxy for term in self.terms if term.rule in ("z", "rank")]:
            raise ValueError(
                f"terms: {moving[0]}: the rules z and rank look at a set of architectures, which a search does not "
                "fix; use raw, angle/pi, 1/sigma_1 or percent"
            )
        if self.measures is not None:
            raise ValueError("measures: expected none in a search, whose terms say what is measured")
        return self

    @property
    def around(self) -> Self:
        """The same, to measure what was found: noise at the sigmas of `curvature` alone, or as the search itself."""
        return self.model_copy(update={"measures": (), "sigmas": self.curvature}) if self.curvature else self

    @field_validator("options", mode="before")
    @classmethod
    def _pairs(cls, value: Any) -> Any:
        """A table as pairs, which a process can keep by."""
        if not isinstance(value, dict):
            return value
        return tuple((name, tuple(v) if isinstance(v, list) else v) for name, v in value.items())


class SupernetConfig(_Model):
    """The whole file. `threads`: of each process on the CPU; with 1, results do not depend on the machine's cores."""

    title: str = ""
    space: str
    threads: int = Field(default=1, ge=1)
    network: NetworkConfig = NetworkConfig()
    data: DataConfig = DataConfig()
    train: TrainConfig = TrainConfig()
    finetune: tuple[FinetuneConfig, ...] = ()
    measure: tuple[MeasureConfig, ...] = ()
    search: tuple[SearchConfig, ...] = ()

    @model_validator(mode="after")
    def _names(self) -> Self:
        protocols, seeds = self.train.protocols, self.train.seeds
        if not protocols or len(set(protocols)) < len(protocols):
            raise ValueError(f"protocols: expected at least one, each once, got {list(protocols)}")
        if not seeds or len(set(seeds)) < len(seeds) or min(seeds) < 0:
            raise ValueError(f"seeds: expected whole numbers from 0, each once, got {list(seeds)}")
        try:
            get_space(self.space)
            for name in self.train.protocols:
                self.train.protocol(name)
            _ = self.train.settings
            for tuned in self.finetune:
                tuned.settings(self.train)
            for read in (*self.measure, *self.search, *(part.around for part in self.search)):
                _ = read.settings
        except NasAnalysisError as error:
            raise ValueError(str(error)) from error
        self._check_parts("finetune", self.finetune)
        self._check_parts("measure", self.measure)
        self._check_parts("search", self.search)
        return self

    def _check_parts(self, kind: str, parts: Sequence[PartConfig]) -> None:
        for part in parts:
            if lost := set(part.protocols or ()) - set(self.train.protocols):
                raise ValueError(f"{kind} {part.name!r}: protocols not trained here: {', '.join(sorted(lost))}")
            if other := set(part.seeds or ()) - set(self.train.seeds):
                raise ValueError(f"{kind} {part.name!r}: seeds not trained here: {sorted(other)}")
        names = [part.name for part in parts]
        if len(set(names)) < len(names):
            raise ValueError(f"{kind}: two parts share a name; got {', '.join(names)}")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a TOML file; `StudyError` says what is wrong in it, key by key."""
        return read_toml(path, cls, what="a configuration file")

"""A supernet study as a TOML file: the network, the images, how it is trained, finetuned, measured and searched.

Every key has a default but `space`; ``reports/configs/`` holds documented examples. A table of the file is the settings
that the library takes (`nasanalysis.training.settings`) and says in addition which supernets and architectures. Keys
that are not known are refused by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from ..core.errors import UnknownNameError
from ..core.resources import toml_file
from ..core.settings import Settings
from ..core.terms import TermModel
from ..core.toml import Many, StrictModel, as_value_error, read_toml
from ..measures.names import ZERO_COST_NAMES
from ..networks.config import NetworkConfig
from ..spaces import get_space
from ..training.protocols import Protocol, get_protocol
from ..training.settings import ANGLES, DataConfig, FinetuneSettings, MeasureSettings, TrainSettings

#: Where shipped configurations are.
CONFIGS = "reports/configs"
#: Preset -> training settings as published (SoTL thesis, Table B.1; GeNAS, Section 4.1 and appendix).
PRESETS: dict[str, dict[str, Any]] = {
    "thesis-nb201": {"epochs": 100, "weight_decay": 5e-4},
    "thesis-nb1shot1": {"epochs": 50, "weight_decay": 3e-4},
    "thesis-darts": {"epochs": 100, "weight_decay": 3e-4},
    "genas": {"epochs": 250, "weight_decay": 5e-4},
    # with what `BY_SPACE` adds
    "as-published": {"unsampled": "zero_grad", "compute": "equal-updates"},
    "torch-2": {"compute": "equal-updates"},
}
#: What ``as-published`` and ``torch-2`` add on a space: table -> keys. nb201: RLNAS and the public code of
#: NAS-Bench-201; the DARTS spaces: the public code of GeNAS; NAS-Bench-1shot1: its own, decay and epochs of the thesis.
BY_SPACE: dict[str, dict[str, dict[str, Any]]] = {
    "nb201": {
        "train": {"epochs": 250, "weight_decay": 5e-4, "genotype": "per_cell", "empty_nodes": "redrawn"},
        "network": {"affine": False},
    },
    "nb101": {"train": {"epochs": 50, "weight_decay": 3e-4, "nesterov": False, "clip": 5.0}},
    "darts": {"train": {"epochs": 250, "weight_decay": 3e-4, "nesterov": False, "clip": 5.0}},
}
_PUBLISHED = ("as-published", "torch-2")


def _said_by_space(space: str) -> dict[str, dict[str, Any]]:
    family = space.partition("-")[0]
    return BY_SPACE.get("darts" if family in ("s1", "s2", "s3", "s4", "s5") else family, {})


def _require_seeds(what: str, seeds: Sequence[int]) -> None:
    if not seeds or len(set(seeds)) < len(seeds) or min(seeds) < 0:
        raise ValueError(f"{what}: expected whole numbers from 0, each once, got {list(seeds)}")


class TrainConfig(TrainSettings):
    """Protocols x seeds are trained, each into a folder of its own.

    Attributes
    ----------
    protocols: see `nasanalysis.training.protocols`. seeds: weights, order and architectures of each training.
    preset: defaults of the settings (`PRESETS`); without one, those of `TrainSettings`.
    genotype: ``one`` for all cells or ``per_cell``. empty_nodes: ``kept`` or ``redrawn`` (see `Protocol`).
    snapshots: epochs after which the weights are kept beside those of the end, to be measured (`MeasureConfig.epochs`).
    outer_rate, inner_batch, squared: what Reptile and Metaprox leave open (see `Protocol`).
    """

    later: ClassVar[frozenset[str]] = frozenset({"empty_nodes", "snapshots"})

    protocols: Many[str] = ("spos",)
    seeds: Many[int] = (0,)
    preset: str | None = None
    genotype: str = "one"
    outer_rate: float | None = None
    inner_batch: str | None = None
    squared: bool | None = None
    empty_nodes: Literal["kept", "redrawn"] = "kept"
    snapshots: Many[int] = ()

    @model_validator(mode="before")
    @classmethod
    def _preset(cls, keys: Any) -> Any:
        name = keys.get("preset") if isinstance(keys, dict) else None
        if not isinstance(name, str):
            return keys
        if name not in PRESETS:
            raise ValueError(str(UnknownNameError("preset", name, PRESETS)))
        return {**PRESETS[name], **keys}

    @model_validator(mode="after")
    def _supernets(self) -> Self:
        if not self.protocols or len(set(self.protocols)) < len(self.protocols):
            raise ValueError(f"protocols: expected at least one, each once, got {list(self.protocols)}")
        _require_seeds("seeds", self.seeds)
        if outside := [epoch for epoch in self.snapshots if not 1 <= epoch <= self.epochs]:
            raise ValueError(f"snapshots: expected epochs from 1 to {self.epochs}, got {outside}")
        with as_value_error():
            for name in self.protocols:
                self.protocol(name)
        return self

    def unwritten(self) -> frozenset[str]:
        """None where a preset sets what came later: a default is then a decision."""
        return frozenset() if self.preset in _PUBLISHED else super().unwritten()

    @property
    def settings(self) -> TrainSettings:
        return TrainSettings.of(self)

    def protocol(self, name: str) -> Protocol:
        """A protocol by name, with what this configuration says of it."""
        said = {key: getattr(self, key) for key in ("genotype", "outer_rate", "inner_batch", "squared", "empty_nodes")}
        return replace(get_protocol(name), **{key: value for key, value in said.items() if value is not None})


class PartConfig(Settings):
    """What is done to a sample of architectures of every supernet named.

    Attributes
    ----------
    name: the `setting` of its frames. protocols, seeds: of the supernets; default all that are trained.
    archs: a sample (see `nasanalysis.loaders.samples.space_archs`). limit: only the first so many.
    """

    name: str = Field(pattern=r"^[a-z0-9.+-]+$")
    protocols: Many[str] | None = None
    seeds: Many[int] | None = None
    archs: str = "thesis"
    limit: int | None = Field(default=None, ge=1)


class FinetuneConfig(PartConfig, FinetuneSettings):
    """One finetuning of the architectures. `weight_decay` is that of the training unless given.

    Attributes
    ----------
    data_seed: draws the minibatches, the same for every supernet and every architecture.
    together: networks of one architecture (from different supernets) that are finetuned at once; see
        `nasanalysis.networks.stacked`. Small networks gain, large ones need memory.
    from_scratch: fresh weights from each seed in place of a supernet's.
    """

    data_seed: int = Field(default=0, ge=0)
    together: int = Field(default=16, ge=1)
    from_scratch: bool = False

    @property
    def settings(self) -> FinetuneSettings:
        return FinetuneSettings.of(self)


class MeasureConfig(PartConfig, MeasureSettings):
    """One measuring of the architectures with the weights they inherit.

    Attributes
    ----------
    noise_seed: draws the images and, for each architecture and supernet, the noise.
    epochs: snapshots of the training that are measured, each into ``NAME-epoch-N``; none: the weights of the end.
    """

    later: ClassVar[frozenset[str]] = frozenset({"epochs"})

    noise_seed: int = Field(default=0, ge=0)
    epochs: Many[int] = ()

    @property
    def settings(self) -> MeasureSettings:
        return MeasureSettings.of(self)


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
    measures: none: the terms say what is measured. `archs` and `limit` have no meaning here.
    """

    measures: Many[str] = Field(default=(), max_length=0)
    terms: Many[TermModel] = Field(min_length=1)
    finetune: str | None = None
    algorithm: str = "spos_evolution"
    preset: str | None = None
    options: Many[Annotated[tuple[str, Any], Field(strict=False)]] = ()
    queries: int | None = Field(default=None, ge=1)
    budget_seconds: float | None = Field(default=None, gt=0)
    search_seeds: Many[int] = (0,)
    params_min: float | None = None
    params_max: float | None = None
    flops_min: float | None = None
    flops_max: float | None = None
    curvature: Many[float] = ()

    @field_validator("epochs")
    @classmethod
    def _at_the_end(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if value:
            raise ValueError("expected none in a search, which reads the weights of the end")
        return value

    @field_validator("measures", mode="before")
    @classmethod
    def _no_measures(cls, value: Any) -> Any:
        if value:
            raise ValueError("expected none in a search, whose terms say what is measured")
        return value

    @field_validator("options", mode="before")
    @classmethod
    def _pairs(cls, value: Any) -> Any:
        """A table as pairs, which a process can keep by."""
        if not isinstance(value, dict):
            return value
        return tuple((name, tuple(v) if isinstance(v, list) else v) for name, v in value.items())

    @model_validator(mode="after")
    def _reads_something(self) -> Self:
        """In place of the check of a measuring: the terms are what is read."""
        proxies = [term.proxy for term in self.terms]
        if len(set(proxies)) < len(proxies):
            raise ValueError(f"terms: expected each proxy once, got {', '.join(proxies)}")
        if moving := [term.proxy for term in self.terms if term.rule in ("z", "rank")]:
            raise ValueError(
                f"terms: {moving[0]}: the rules z and rank look at a set of architectures, which a search does not "
                "fix; use raw, angle/pi, 1/sigma_1 or percent"
            )
        return self

    @model_validator(mode="after")
    def _searches(self) -> Self:
        _require_seeds("search_seeds", self.search_seeds)
        _ = self.around if self.curvature else None  # refuses sigmas that do not rise
        return self

    @property
    def around(self) -> MeasureConfig:
        """To measure what was found: noise at the sigmas of `curvature` alone."""
        return MeasureConfig.of(self, measures=(), sigmas=self.curvature)


def _reads_labels(part: MeasureConfig) -> list[str]:
    """What a part reads that needs a supernet which knows the classes."""
    terms = part.terms if isinstance(part, SearchConfig) else ()
    names = [*part.measures, *(term.proxy for term in terms)]
    noise = ["noise"] if part.sigmas and not terms else []
    free = (*ANGLES, "params", "flops", *ZERO_COST_NAMES)
    return [*(name for name in names if name not in free), *noise]


class SupernetConfig(StrictModel):
    """The whole file. `threads`: of each process on the CPU; with 1, results do not depend on the machine's cores."""

    title: str = ""
    space: str
    threads: int = Field(default=1, ge=1)
    network: NetworkConfig = NetworkConfig()
    data: DataConfig = DataConfig()
    train: TrainConfig = TrainConfig()
    finetune: Many[FinetuneConfig] = ()
    measure: Many[MeasureConfig] = ()
    search: Many[SearchConfig] = ()

    @model_validator(mode="before")
    @classmethod
    def _published(cls, keys: Any) -> Any:
        """What a preset says on this space, under what the file says itself."""
        train = keys.get("train") if isinstance(keys, dict) else None
        if not isinstance(train, dict) or train.get("preset") not in _PUBLISHED:
            return keys
        added = _said_by_space(str(keys.get("space")))
        tables = {name: keys.get(name, {}) for name in added}
        return {**keys, **{n: {**added[n], **t} if isinstance(t, dict) else t for n, t in tables.items()}}

    @field_validator("space")
    @classmethod
    def _known_space(cls, name: str) -> str:
        with as_value_error():
            get_space(name)
        return name

    @field_validator("finetune")
    @classmethod
    def _same_decay(cls, parts: tuple[FinetuneConfig, ...], info: ValidationInfo) -> tuple[FinetuneConfig, ...]:
        train = info.data.get("train")
        return tuple(
            part
            if train is None or "weight_decay" in part.model_fields_set
            else part.model_copy(update={"weight_decay": train.weight_decay})
            for part in parts
        )

    @model_validator(mode="after")
    def _parts(self) -> Self:
        self._check_parts("finetune", self.finetune)
        self._check_parts("measure", self.measure)
        self._check_parts("search", self.search)
        return self

    @model_validator(mode="after")
    def _contradictions(self) -> Self:
        if self.network.affine is not None and self.space != "nb201":
            raise ValueError(
                f"network.affine: expected it on nb201 alone, got {self.network.affine} on {self.space}; leave it out "
                "(the search cells of the darts spaces have none, those of NAS-Bench-1shot1 are the recorded networks')"
            )
        if self.data.labels == "random":
            if self.finetune:
                raise ValueError(
                    f"finetune {self.finetune[0].name!r}: finetuning is on the labels of the training, and these are "
                    "random: its losses say how fast noise is learned, nothing of an architecture. Leave [[finetune]] "
                    "out and keep to the angles, or train on labels = 'true'"
                )
            for part in (*self.measure, *self.search):
                if read := _reads_labels(part):
                    raise ValueError(
                        f"{part.name!r} reads {', '.join(read)} on true labels, but labels = 'random': such a supernet "
                        "has learned no class, so they say nothing of an architecture. Keep to the angles (measures = "
                        "['angle', 'angle_cells'], sigmas = []), or train on labels = 'true'"
                    )
        for part in self.measure:
            if lost := sorted(set(part.epochs) - {*self.train.snapshots, self.train.epochs}):
                raise ValueError(f"measure {part.name!r}: epochs {lost} are not among train.snapshots")
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
    def load(cls, name_or_path: Path | str) -> Self:
        """A shipped configuration by name, or a TOML file; `StudyError` says what is wrong in it, key by key."""
        return read_toml(toml_file(name_or_path, CONFIGS, kind="configuration"), cls, what="a configuration file")

"""Which architectures are trained alone, how, and with which seeds, as a TOML file. Imports no torch.

A file begins from a published evaluation (`nasanalysis.training.alone_settings.PUBLISHED`) and says what is other than
there; ``reports/standalone/`` holds documented examples. Keys that are not known are refused by name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from ..core.errors import UnknownNameError
from ..core.resources import toml_file
from ..core.toml import Many, StrictModel, as_value_error, read_toml
from ..networks.config import NetworkConfig
from ..spaces import get_space
from ..spaces.capabilities import Enumerable
from .alone_settings import PUBLISHED, AloneSettings, Published
from .settings import DataConfig

#: Where shipped configurations are.
CONFIGS = "reports/standalone"

#: More architectures than anybody trains: a space with more is refused as a whole.
MOST = 20_000


class StandaloneConfig(StrictModel):
    """The whole file.

    Attributes
    ----------
    preset: name of a published evaluation. network, settings, data: keys of `NetworkConfig`, `AloneSettings` and
        `DataConfig` that are other than its own.
    archs: names of architectures; ``all`` of a finite space; or ``selected``, those that searches selected.
    every: of ``selected``, also what would have been selected after every so many epochs; 0: the end alone.
    threads: of each process; with 1 a training that was broken off gives the same bits.
    """

    title: str = ""
    space: str
    preset: str
    threads: int = Field(default=1, ge=1)
    seeds: Many[int] = Field(default=(0,), min_length=1)
    archs: Literal["all", "selected"] | Many[str] = "selected"
    every: int = Field(default=0, ge=0)
    network: dict[str, Any] = Field(default_factory=dict)
    settings: dict[str, Any] = Field(default_factory=dict)
    data: dict[str, Any] = Field(default_factory=dict)

    @field_validator("space")
    @classmethod
    def _known_space(cls, name: str) -> str:
        with as_value_error():
            get_space(name)
        return name

    @field_validator("preset")
    @classmethod
    def _known_preset(cls, name: str) -> str:
        if name not in PUBLISHED:
            raise ValueError(str(UnknownNameError("published evaluation", name, PUBLISHED)))
        return name

    @model_validator(mode="after")
    def _parts(self) -> Self:
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds: expected each once, got {list(self.seeds)}")
        with as_value_error():
            _ = self.alone, self.size, self.images
            if self.archs != "selected":
                self.named_archs()
        return self

    @property
    def _published(self) -> Published:
        return PUBLISHED[self.preset]

    @property
    def alone(self) -> AloneSettings:
        """How every architecture is trained."""
        return self._published.settings.changed(**self.settings)

    @property
    def size(self) -> NetworkConfig:
        """Size of the network around the cells."""
        return self._published.network.changed(**self.network)

    @property
    def images(self) -> DataConfig:
        """Which images, and how they are augmented."""
        return DataConfig().changed(**{**self._published.data, **self.data})

    def named_archs(self, selected: tuple[str, ...] = ()) -> list[str]:
        """Canonical names, each once, in order; `selected`: what searches selected.

        Raises `ArchError` for what is not of the space, `ValueError` where there is nothing or too much to train.
        """
        space = get_space(self.space)
        if self.archs == "all":
            finite = get_space(self.space, Enumerable)
            if len(finite) > MOST:
                raise ValueError(f"archs: expected a space of at most {MOST:,}, got {self.space} with {len(finite):,}")
            return [str(arch) for arch in finite]
        texts = selected if self.archs == "selected" else self.archs
        names = list(dict.fromkeys(str(space.parse(text)) for text in texts))
        if not names:
            raise ValueError('archs: expected names, "all" or "selected" with a finished search, got none')
        return names

    @classmethod
    def load(cls, name_or_path: Path | str) -> Self:
        """A shipped configuration by name, or a TOML file; `StudyError` says what is wrong in it, key by key."""
        return read_toml(
            toml_file(name_or_path, CONFIGS, kind="configuration of standalone trainings"),
            cls,
            what="a configuration of standalone trainings",
        )

"""A study of searches as a TOML file: the network, the images, the methods, the seeds. Imports no torch.

Every key has a default but `space`; ``reports/searches/`` holds documented examples. Keys that are not known are
refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from ..core.errors import UnknownNameError
from ..core.resources import toml_file
from ..core.toml import Many, StrictModel, as_value_error, read_toml
from ..networks.config import NetworkConfig
from ..spaces import get_space
from ..training.settings import DataConfig
from .names import METHODS
from .settings import SearchSettings, settings_for

#: Where shipped configurations are.
CONFIGS = "reports/searches"


class MethodConfig(StrictModel):
    """A method of the study.

    Attributes
    ----------
    name: see ``nasanalysis diffsearch methods``. setting: what tells two rows of one method apart in results
    (``T=10``).
    options: of the method, by name. search, network: keys of these tables that are other than the study's.
    seeds: other than the study's.
    """

    name: str
    setting: str = Field(default="", pattern=r"^[\w=.,+ -]*$")
    options: dict[str, Any] = Field(default_factory=dict)
    search: dict[str, Any] = Field(default_factory=dict)
    network: dict[str, Any] = Field(default_factory=dict)
    seeds: Many[int] | None = None

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in METHODS:
            raise ValueError(str(UnknownNameError("method", name, METHODS)))
        return name

    @property
    def label(self) -> str:
        """Its name in files."""
        return f"{self.name}-{self.setting}" if self.setting else self.name


class DiffSearchConfig(StrictModel):
    """The whole file. `threads`: of each process; with 1 a search that was broken off gives the same bits.

    Attributes
    ----------
    search: what is other than the public code of the space has it (`SearchSettings`).
    method: one table for each row; every one is run with every seed.
    """

    title: str = ""
    space: str
    threads: int = Field(default=1, ge=1)
    network: NetworkConfig = NetworkConfig()
    data: DataConfig = DataConfig()
    search: dict[str, Any] = Field(default_factory=dict)
    seeds: Many[int] = (0,)
    method: Many[MethodConfig] = ()

    @field_validator("space")
    @classmethod
    def _known_space(cls, name: str) -> str:
        with as_value_error():
            get_space(name)
        return name

    @field_validator("search")
    @classmethod
    def _known_settings(cls, keys: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        with as_value_error():
            settings_for(info.data.get("space", "darts"), **keys)
        return keys

    @model_validator(mode="after")
    def _rows(self) -> Self:
        if not self.method:
            raise ValueError("expected at least one [[method]], got none")
        labels = [row.label for row in self.method]
        if twice := sorted({label for label in labels if labels.count(label) > 1}):
            raise ValueError(f"method: two rows are called {', '.join(twice)}; give each a `setting`")
        with as_value_error():
            for row in self.method:
                self.settings(row)
                self.network_of(row)
        return self

    def settings(self, row: MethodConfig, by_method: Mapping[str, Any] | None = None) -> SearchSettings:
        """The settings of a row; what the file says goes before what the method sets."""
        return settings_for(self.space, by_method, **{**self.search, **row.search})

    def network_of(self, row: MethodConfig) -> NetworkConfig:
        """The network of a row, before the method's own."""
        return self.network.changed(**row.network) if row.network else self.network

    @property
    def jobs(self) -> list[tuple[MethodConfig, int]]:
        """(row, seed) of every search, the first seed of every row first: whoever breaks off has something of each."""
        seeds = [list(row.seeds or self.seeds) for row in self.method]
        most = max(map(len, seeds), default=0)
        rows = list(zip(self.method, seeds, strict=True))
        return [(row, each[i]) for i in range(most) for row, each in rows if i < len(each)]

    @classmethod
    def load(cls, name_or_path: Path | str) -> Self:
        """A shipped configuration by name, or a TOML file; `StudyError` says what is wrong in it, key by key."""
        return read_toml(
            toml_file(name_or_path, CONFIGS, kind="configuration of searches"), cls, what="a configuration of searches"
        )

"""The data sets the toolkit knows, as ``data/registry.toml`` describes them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

from pydantic import Field

from ..core.errors import DataFileError
from ..core.resources import shipped
from ..core.toml import Many, StrictModel, read_toml


class DataSet(StrictModel):
    """One entry of ``data/registry.toml``."""

    name: str
    title: str
    files: list[str]
    source: str
    size: str
    licence: str
    citation: str
    how: str
    check: str
    sha256_published: dict[str, str] = Field(default_factory=dict)
    sha256_seen: dict[str, str] = Field(default_factory=dict)
    urls: dict[str, list[str]] = Field(default_factory=dict)
    unpack: dict[str, str] = Field(default_factory=dict)
    hub: str = ""

    def sha256(self, file: str) -> str | None:
        """What a file of this data set must hash to, if anything is known of it: by its place, or by its name."""
        known = {**self.sha256_seen, **self.sha256_published}
        return known.get(file) or known.get(Path(file).name)

    @property
    def to_get(self) -> str:
        """How to get it, in a few words: the command where there is one, else where it is."""
        return f"`nasanalysis data get {self.name}`" if self.urls else f"by hand from {self.source}"

    @property
    def most(self) -> int | None:
        """Bytes that no file of this data set exceeds: twice the largest that `size` names; None if it names none."""
        stated = re.findall(r"([0-9.]+) (MB|GB)", self.size)
        return max((int(2 * float(n) * {"MB": 10**6, "GB": 10**9}[unit]) for n, unit in stated), default=None)


class _Registry(StrictModel):
    data: Many[DataSet]


def data_sets_of(files: Iterable[str]) -> list[DataSet]:
    """The data sets that hold any of `files` (a place in a data folder, the name of a file or of the data set)."""
    wanted = {form for file in files for form in (file, Path(file).name)}

    def holds(entry: DataSet) -> bool:
        patterns = [form for file in entry.files for form in (file, Path(file).name)]
        return entry.name in wanted or any(fnmatch(name, pattern) for name in wanted for pattern in patterns)

    return [entry for entry in data_sets().values() if holds(entry)]


@cache
def data_sets() -> dict[str, DataSet]:
    """Every data set of the registry, by name."""
    registry = read_toml(shipped("data/registry.toml"), _Registry, what="the data registry", error=DataFileError)
    return {entry.name: entry for entry in registry.data}

"""What a result was made from: one object that finds every file, hands it out and writes it down.

A study, a card or a comparison asks `Sources` for benchmarks, samples, kept results and logs. What it was given stands
in `Sources.inputs`, and from there, with its SHA-256, in the provenance: nobody lists inputs a second time by hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from ..core.errors import MissingDataError
from ..core.frames import read_frame
from ..core.provenance import InputSet, provenance
from ..core.resources import shipped
from .benchmark import BENCHMARKS, Benchmark, load_benchmark
from .files import find
from .samples import read_sample, take_sample
from .tables.load import load_plain, named
from .thesis_samples import read_thesis_sample, thesis_sample_file

#: Where the package keeps results that took long to compute.
KEPT = "reports/results"


class Sources:
    """Everything that is read for one result.

    Attributes
    ----------
    data: folder of raw files; by default ``$NASANALYSIS_DATA``, then the user's cache.
    beside: folder of the study file: relative paths of the user's own files begin there, then where the command runs.
    notes: benchmark -> what a user must know of its data, of those that were asked for.
    """

    def __init__(self, data: Path | str | None = None, beside: Path | None = None) -> None:
        self.data, self.beside = data, beside
        self.notes: dict[str, list[str]] = {}
        self._inputs: dict[Path | InputSet, None] = {}
        self._thesis: dict[Path, list[str]] = {}

    @property
    def inputs(self) -> tuple[Path | InputSet, ...]:
        """What has been handed out so far, in this order, each once."""
        return tuple(self._inputs)

    def log(self, path: Path | InputSet) -> Path | InputSet:
        """Write down a file that is read by other means than these methods."""
        self._inputs[path] = None
        return path

    def benchmark(
        self,
        name: str | Sequence[str],
        *,
        unit: str | None = None,
        space: str | None = None,
        dataset: str | None = None,
    ) -> Benchmark:
        """`nasanalysis.load_benchmark`; `MissingDataError` where its files are not on this machine.

        name: of a benchmark, or the path of a user's own file, or several of these. unit, space, dataset: of plain
        tables that do not say them (`StudyError` where a unit or a space is asked of anything else).
        """
        if isinstance(name, str) and name in BENCHMARKS:
            own: str | list[str] = name
        else:
            own = self._own(name) if isinstance(name, str) else [self._own(one) for one in name]
        if unit is None and space is None:
            benchmark = named(load_benchmark(own, self.data), dataset)
        else:
            benchmark = load_plain(own, dataset, unit, space)
        self._inputs.update(dict.fromkeys(benchmark.inputs))
        self.notes[benchmark.name] = [*benchmark.notes]
        return benchmark

    def file(self, name: Path | str) -> Path:
        """A raw file by its place in the data folder; `MissingDataError` lists where it was looked for."""
        path = find(name, self.data)
        self.log(path)
        return path

    def user_file(self, path: Path | str) -> Path:
        """A file of the user's by its path, where it is: whoever reads it says if it is not there."""
        path = Path(self._own(str(path)))
        if path.is_file():
            self.log(path)
        return path

    def _own(self, path: str) -> str:
        """`path` from the study file's folder where it leads somewhere from there, else as it is."""
        there = self.beside / path if self.beside is not None else Path(path)
        return str(there) if there.exists() and path not in ("", ".") else path

    def folder(self, name: Path | str) -> Path:
        """A folder in the data folder. Nothing is written down yet: `log` what is read of it."""
        return find(name, self.data)

    def kept(self, name: str) -> Path:
        """A result by its path, or by the name under which the package keeps it."""
        path = kept_file(name)
        self.log(path)
        return path

    def frame(self, names: str | tuple[str, ...], schema: str) -> pl.DataFrame:
        """The rows of kept results, checked against `schema`, such as ``SCORES``."""
        files = [names] if isinstance(names, str) else names
        return pl.concat([read_frame(self.kept(name), schema) for name in files])

    def named_archs(self, sample: str, space: str) -> list[str] | None:
        """The architectures of `sample` where it is a list of its own (the thesis's, or a file), else None."""
        if sample == "thesis":
            path = thesis_sample_file(space, self.data)
            self.log(path)
            if path not in self._thesis:  # a pickle that is walked op by op; items of one study ask for it again
                self._thesis[path] = read_thesis_sample(path, space)
            return list(self._thesis[path])
        if Path(sample).suffix:
            return read_sample(self.user_file(sample), space)
        return None

    def take_sample(self, frame: pl.DataFrame, sample: str, benchmark: Benchmark) -> pl.DataFrame:
        """The rows of `frame` that belong to `sample`, see `nasanalysis.loaders.samples.take_sample`."""
        named = self.named_archs(sample, benchmark.space)
        if named is not None:
            return frame.filter(pl.col("arch").is_in(named))
        return take_sample(frame, sample, benchmark=benchmark)

    def provenance(self, *, seeds: Mapping[str, int], config: Mapping[str, Any]) -> dict[str, Any]:
        """`nasanalysis.core.provenance.provenance` of what was read, with the notes of its benchmarks."""
        record = provenance(seeds=seeds, inputs=self.inputs, config=config)
        return {**record, "notes": self.notes}


def kept_file(name: str) -> Path:
    """A file by its path, or by the name under which the package keeps it; `MissingDataError` where it is neither."""
    if Path(name).is_file():
        return Path(name)
    if Path(name).name == name:
        try:
            return shipped(f"{KEPT}/{name}")
        except MissingDataError:
            pass
    raise MissingDataError(
        f"{name}: expected a kept result, found nothing there; run the command that makes it first (the table of "
        "reports/results/README.md), or correct the path"
    )

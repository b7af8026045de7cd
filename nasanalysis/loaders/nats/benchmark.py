"""NATS-Bench (Dong et al. 2021) from its official archives: every schedule, dataset, split, seed and epoch.

``nats-tss``: the topology space (`nasanalysis.spaces.nb201`), 12 and 200 epochs. ``nats-sss``: the size space
(`nasanalysis.spaces.nats_sss`), 1, 12 and 90 epochs. The forms of the archive are listed in `nats_files`; any
part of the architectures works, and `Benchmark.notes` says how many there are. `nats_parse` says what the
benchmark's names mean; `nats_convert` how an archive is converted, once, to a columnar cache.

``seconds`` is the training time of one epoch, an estimate of the benchmark's authors, the same for every epoch.

**What is missing in the benchmark stays missing.** At 200 epochs almost half of the topologies (7,456) have two
trainings, not three; CIFAR-100 and ImageNet16-120 have ``valid`` and ``test`` at the last epoch only, and a whole
curve for ``valtest`` (both together); ``cifar10-valid`` has ``test`` at the last epoch only; ``cifar10`` has no
validation. `Benchmark.curve` refuses a curve that is not there and says what is.

**Where the package `nats_bench` differs**, though its numbers are ours: it answers for ``hp="12"`` unless told
otherwise; it draws a random seed from the global generator unless ``is_random=False`` (the mean over seeds) or a
plain int is given; ``cifar100`` at an epoch before the last silently answers with ``ori-test``, which is valid and
test together; a missing epoch silently drops keys; and an index that is a numpy integer answers -1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from ...core.errors import DataFileError, ParameterError
from ...core.frames import SCHEMAS, check, complete
from ...core.provenance import InputSet
from ...spaces import get_space
from ...spaces.capabilities import Enumerable, Isomorphic
from ..benchmark import Benchmark
from .convert import CHUNK as CHUNK
from .convert import Converted, convert_archive, truth_table
from .files import SSS, TSS, Archive, Format, Member, archive_at, find_archive
from .parse import DATASETS, RUNS, Array, Rows, read_all, trainings

_CONSTANT = {"method": "scratch", "setting": "published", "unit": "epoch"}


@dataclass(frozen=True, repr=False)
class NatsBenchmark(Benchmark):
    """A `Benchmark` that reads the curves of some architectures without looking at the others.

    `some_curves`: texts of architectures -> the CURVES rows of those.
    """

    some_curves: Callable[[Sequence[str]], pl.LazyFrame] | None = None

    def _lazy_of(self, frame: str, archs: Sequence[str] | None) -> pl.LazyFrame:
        if frame == "CURVES" and archs is not None and self.some_curves is not None:
            return self.some_curves(archs)
        return self.lazy(frame)


def load_tss(data: Path | None = None) -> Benchmark:
    """The topology space: 15,625 architectures, 12 and 200 epochs, every epoch's losses and accuracies."""
    return load(TSS, data)


def load_sss(data: Path | None = None) -> Benchmark:
    """The size space: 32,768 architectures, 1, 12 and 90 epochs, every epoch's losses and accuracies."""
    return load(SSS, data)


def load(form: Format, data: Path | str | None = None) -> Benchmark:
    """The benchmark in the first archive found of `form`; `MissingDataError` lists where it was looked for."""
    return from_archive(find_archive(form, data))


def from_archive(archive: Archive | Path | str, form: Format = TSS) -> Benchmark:
    """The benchmark in this archive: a folder, a ``.tar`` or a single ``.pickle.pbz2``, whatever its name.

    The index file is compared with the official order at once; the rest is read and checked when a frame is
    first asked for. Raises `DataFileError` for an archive of another version, a damaged or an empty one.
    """
    if not isinstance(archive, Archive):
        archive = archive_at(form, archive)
    form = archive.form
    if archive.kind != "single":
        if not archive.members:
            raise DataFileError(
                f"{archive.path}: expected files 000000.pickle.pbz2 ..., got none; is the archive unpacked?"
            )
        if archive.meta is not None:
            archive.check_order()
    size = len(get_space(form.space, Enumerable))
    if archive.members and archive.members[-1].index >= size:
        raise DataFileError(
            f"{archive.path}: expected files 000000 to {size - 1:06d}, got {archive.members[-1].name}; "
            "is it another benchmark's archive?"
        )

    @cache
    def converted() -> Converted:
        return convert_archive(archive)

    def curves() -> pl.LazyFrame:
        return _finished(pl.scan_parquet(list(converted().chunks.values())), "CURVES", form)

    def some_curves(archs: Sequence[str]) -> pl.LazyFrame:
        space = get_space(form.space, Enumerable)
        wanted = {space.index(arch) // CHUNK * CHUNK for arch in archs}
        files = [file for first, file in converted().chunks.items() if first in wanted]
        if not files:
            return SCHEMAS["CURVES"].empty().lazy()
        return _finished(pl.scan_parquet(files).filter(pl.col("arch").is_in(list(archs))), "CURVES", form)

    def truth() -> pl.LazyFrame:
        return _finished(pl.scan_parquet(converted().truth), "TRUTH", form)

    if archive.kind == "single":
        how_many = f"the architectures are in the single file {archive.path.name}"
    else:
        how_many = f"{len(archive.members):,} of {size:,} architectures are in {archive.path.name}"
    return NatsBenchmark(
        name=form.name,
        space=form.space,
        datasets=DATASETS,
        inputs=(InputSet(archive.path.name, archive.key),),
        read={"CURVES": curves, "TRUTH": truth},
        some_curves=some_curves,
        notes=(how_many, "seconds are the authors' estimates, constant over the epochs"),
    )


def from_api(api: Any) -> Benchmark:
    """The benchmark behind an object of the package `nats_bench` (``nats_bench.create(...)``).

    With ``fast_mode=True`` that is its whole archive on disk, read as `from_archive` does; otherwise what the
    object holds in memory. The object is not changed, and no random generator is touched.
    """
    forms = {"topology": TSS, "size": SSS}
    name = getattr(api, "search_space_name", None)
    if name not in forms or not hasattr(api, "arch2infos_dict"):
        raise ParameterError(f"expected what nats_bench.create returns, got {type(api).__name__}")
    form = forms[name]
    if api.fast_mode and api.archive_dir is not None:
        return from_archive(api.archive_dir, form)
    indices = sorted(api.arch2infos_dict)
    if not indices:
        raise DataFileError("nats_bench API: expected results in memory, got an object that holds none")

    size = len(get_space(form.space, Enumerable))

    def contents() -> Iterator[tuple[int, Path, Any]]:
        for index in indices:
            results = {hp: result.state_dict() for hp, result in api.arch2infos_dict[index].items()}
            yield index, Path(f"nats_bench API/{index:06d}"), results

    @cache
    def frames() -> tuple[pl.DataFrame, pl.DataFrame]:
        return read_all(contents(), form).frames()

    return Benchmark(
        name=form.name,
        space=form.space,
        datasets=DATASETS,
        read={
            "CURVES": lambda: _finished(frames()[1].lazy(), "CURVES", form),
            "TRUTH": lambda: _finished(truth_table(frames()[0]).lazy(), "TRUTH", form),
        },
        notes=(f"{len(indices):,} of {size:,} architectures, from a nats_bench API object",),
    )


def recorded_costs(data: Path | str | None = None, *, schedule: int = 200, form: Format = TSS) -> pl.DataFrame:
    """ARCHS frame with the costs that the files record, for comparison: `Benchmark.archs` computes them exactly.

    The benchmark records millions; here ``params`` is the count and ``flops`` multiply-accumulates of one
    image. The recorded costs of 150 topologies at 200 epochs are off by one convolution.
    """
    archive = find_archive(form, data)
    runs = recorded_runs(archive).filter(pl.col("schedule") == schedule)
    costs = runs.sort("dataset", "arch", "seed").unique(["dataset", "arch"], keep="first", maintain_order=True)
    classes = get_space(form.space, Isomorphic).unique_archs("published")
    names = {str(arch): str(same) for arch, same in classes.items()}
    costs = costs.with_columns(
        benchmark=pl.lit(form.name), unique_arch=pl.col("arch").replace_strict(names, return_dtype=pl.String)
    )
    return check(costs.select(*SCHEMAS["ARCHS"].columns), "ARCHS", where=str(archive.path))


def recorded_runs(archive: Archive) -> pl.DataFrame:
    """One row for each training: ``dataset, arch, schedule, seed, params, flops, valid, test, valtest``."""
    return pl.read_parquet(list(convert_archive(archive).runs))


def find_folder(form: Format, data: Path | str | None = None) -> Path:
    """The path of the archive that `load` would read."""
    return find_archive(form, data).path


def read_meta(path: Path | str, form: Format = TSS) -> list[str]:
    """Every architecture string of the benchmark in index order, as the archive's ``meta`` file has it."""
    return archive_at(form, path).order()


def read_file(path: Path, form: Format = TSS) -> Iterator[tuple[dict[str, Any], dict[str, Array]]]:
    """Every training in one architecture's file: its facts, and its curves as arrays (epochs,), NaN where not recorded.

    Facts: dataset, arch, schedule, seed; params (count), flops (multiply-accumulates); ``valid``, ``test``,
    ``valtest`` accuracy after the last epoch (percent, None where not recorded).
    """
    folder = Archive(form, path.parent, "folder")
    member = Member(int(path.name[:6]), path.name, path.stat().st_size)
    rows = Rows()
    rows.add(folder.read(member), form, member.index, path)
    yield from trainings(rows)


def _finished(table: pl.LazyFrame, frame: str, form: Format) -> pl.LazyFrame:
    """The cache's table with the columns that are the same in every row, in the order of the schema."""
    constant = {"benchmark": form.name, **(_CONSTANT if frame == "CURVES" else {"origin": "tabular"})}
    table = complete(table.with_columns(**{name: pl.lit(value) for name, value in constant.items()}), frame)
    return table.select(*SCHEMAS[frame].columns)


__all__ = [
    "DATASETS",
    "RUNS",
    "SSS",
    "TSS",
    "find_archive",
    "find_folder",
    "from_api",
    "from_archive",
    "load",
    "load_sss",
    "load_tss",
    "read_file",
    "read_meta",
    "recorded_costs",
    "recorded_runs",
]

"""NAS-Bench-101 (Ying et al. 2019) and the three spaces of NAS-Bench-1shot1 over it, from whichever files are there.

Benchmark ``nb101`` (dataset ``cifar10``: 40,000 training, 10,000 validation, 10,000 test images):

* with an official file, ``nasbench_full.tfrecord`` (schedules 4, 12, 36, 108) or
  ``nasbench_only108.tfrecord``: every run of all 423,624 cells;
* else the mean test accuracy of three runs after 108 epochs of all cells (seed null), plus the single runs
  (seed 0 to 2) of those cells whose official records are at hand in other files.

The benchmark's own API draws one of the three runs at random at each query; here a run has a number, and
the mean over runs is a row of its own (seed null). Benchmarks ``nb101-1``, ``nb101-2`` and ``nb101-3`` are
the same truth for every encoding of a NAS-Bench-1shot1 space: encodings that are one cell share it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from pathlib import Path

import filelock
import numpy as np
import polars as pl

from ...core.errors import ArchError, DataFileError, MissingDataError
from ...core.provenance import sha256
from ...core.reading import reads
from ...core.shown import words
from ...spaces import get_space
from ...spaces.capabilities import Isomorphic
from ...spaces.nb1shot1 import PARENTS, SPACES_1SHOT1
from ...spaces.nb101 import SPACE
from ...spaces.nb101_enumeration import all_codes
from ...spaces.nb101_hashes import indices_of
from .. import safe_pickle
from ..benchmark import Benchmark
from ..cache import convert, converted_path
from ..files import candidates, find, missing
from .batches import read_tfrecord_runs
from .one_shot import oneshot_files, other_files, read_oneshot, scores_of_oneshot
from .records import (
    RUNS_PER_CELL,
    SCHEDULES,
    curves_of_runs,
    runs_frame,
    spec_runs,
    truth_of_runs,
)

#: Raise with every change of what the conversions give.
_VERSION = 1

#: Official file -> its schedules.
OFFICIAL = {"nasbench_full.tfrecord": SCHEDULES, "nasbench_only108.tfrecord": (108,)}
MEANS = "mean_test_accuracy_108_epochs.parquet"
RECORDS = "official_records_30.pkl"


#: From so many architectures on, the table of all costs is faster than one by one.
_MANY = 10_000


@dataclass(frozen=True, repr=False)
class NB101Benchmark(Benchmark):
    """A `Benchmark` whose ARCHS are looked up in a table of all costs: 423,624 of them in seconds.

    `cells`: for a NAS-Bench-1shot1 space, the truth of the cells that its encodings are; where only some
    encodings are asked for, only those are looked up.
    """

    cells: Benchmark | None = None

    def _lazy_of(self, frame: str, archs: Sequence[str] | None) -> pl.LazyFrame:
        if self.cells is None or archs is None:
            return self.lazy(frame)
        space = SPACES_1SHOT1[self.space]
        wanted = list(dict.fromkeys(archs))
        encodings = {"arch": wanted, "cell": [str(space.cell(arch)) for arch in wanted]}
        return _of_cells(self.name, self.cells.lazy(frame), pl.LazyFrame(encodings))

    def _archs_of(self, dataset: str, rule: str) -> pl.DataFrame:
        get_space(self.space, Isomorphic).unique_archs(rule)  # refuses an unknown rule
        archs = (
            self.lazy("TRUTH").filter(pl.col("dataset") == dataset).select("arch").unique(maintain_order=True).collect()
        )
        if len(archs) < _MANY:
            return super()._archs_of(dataset, rule)
        if self.space == "nb101":
            table = cells_table().select("arch", "params", "flops", unique_arch="arch")
        else:
            table = encodings_table(self.space).join(
                cells_table(), left_on="cell", right_on="arch", maintain_order="left"
            )
            table = table.rename({"cell": "unique_arch"})
        joined = archs.join(table, on="arch", how="left", maintain_order="left")
        return joined.select(
            pl.lit(self.name).alias("benchmark"),
            pl.lit(dataset).alias("dataset"),
            "arch",
            "unique_arch",
            "params",
            "flops",
        )


@cache
def cells_table() -> pl.DataFrame:
    """``arch, params, flops`` of all 423,624 cells, in index order (some seconds, once in a process)."""
    params, flops = SPACE.costs()
    return pl.DataFrame(
        {
            "arch": SPACE.texts(),
            "params": params,
            "flops": flops.astype(np.float64),
        }
    )


@lru_cache(maxsize=3)
def encodings_table(space: str) -> pl.DataFrame:
    """``arch, cell`` of every encoding of a NAS-Bench-1shot1 space (``nb101-3``: 1,312,200 in half a minute)."""
    encodings = SPACES_1SHOT1[space]
    rows = np.searchsorted(all_codes(), encodings.cell_codes)
    return pl.DataFrame({"arch": [str(arch) for arch in encodings], "cell": cells_table()["arch"].gather(rows)})


def load(data: Path | None = None) -> Benchmark:
    """``nb101`` from the files found in the folder `data` (see the module); the first use converts them."""
    folder = _find("nb101/one_shot", data)
    oneshot = oneshot_files(folder) if folder else []
    scores = {"SCORES": lambda: scores_of_oneshot(_scan("nb101-oneshot", oneshot, lambda: read_oneshot(oneshot)[0]))}
    for name, schedules in OFFICIAL.items():
        if path := _find(f"nb101/{name}", data):
            return from_tfrecord(path, schedules=schedules, scores=scores if oneshot else {}, inputs=oneshot)
    means = _find(f"nb101/{MEANS}", data)
    records = _find(f"nb101/{RECORDS}", data)
    if means is None and records is None and not oneshot:
        places = [place for file in (MEANS, *OFFICIAL) for place in candidates(f"nb101/{file}", data)]
        raise missing("nb101", places, ["nb101-108", "nb101-mean"])
    runs_from = [*([records] if records else []), *oneshot]
    runs = partial(_scan, "nb101-runs", runs_from, lambda: _runs(records, oneshot))
    notes = ["seed null is the mean over three runs; seeds 0 to 2 are single runs in the order of the official records"]
    if means:
        notes.append("means: test accuracy at 108 epochs of all 423,624 cells; no validation accuracy, no curves")
    if runs_from:
        notes.append(
            "single runs, validation accuracy and curves: only of the cells whose official records are at hand"
        )
    if folder and (unread := other_files(folder)):
        notes.append(
            "one-shot evaluations not read, their paths are not <method>/space<n>/seed<k>/eval_results.pkl: "
            + ", ".join(path.relative_to(folder).as_posix() for path in unread)
        )

    def truth() -> pl.LazyFrame:
        parts = [_means(means)] if means else []
        if runs_from:
            single = truth_of_runs(runs())
            parts.append(single.filter(pl.col("seed").is_not_null() | (pl.col("split") != "test")) if means else single)
        return pl.concat(parts)

    read: dict[str, Callable[[], pl.LazyFrame]] = {"TRUTH": truth}
    if runs_from:
        read["CURVES"] = lambda: curves_of_runs(runs())
    return NB101Benchmark(
        name="nb101",
        space="nb101",
        datasets=("cifar10",),
        inputs=tuple(p for p in (means, records, *oneshot) if p),
        read=read | (scores if oneshot else {}),
        notes=tuple(notes),
    )


def from_tfrecord(
    path: Path,
    *,
    schedules: tuple[int, ...] | None = None,
    scores: dict[str, Callable[[], pl.LazyFrame]] | None = None,
    inputs: list[Path] | None = None,
) -> Benchmark:
    """A tfrecord file of NAS-Bench-101.

    Parameters
    ----------
    schedules: the file must hold three runs of all 423,624 cells at each of these, or `DataFileError` says
        what is missing (a file cut between two records looks whole); None: take whatever it holds.
    """
    path = Path(path)

    def runs() -> pl.LazyFrame:
        def work() -> pl.DataFrame:
            frame = read_tfrecord_runs(path)
            if schedules is not None:
                _complete(frame, schedules, path)
            return frame

        return _scan("nb101-tfrecord" if schedules is None else "nb101-official", [path], work)

    return NB101Benchmark(
        name="nb101",
        space="nb101",
        datasets=("cifar10",),
        inputs=(path, *(inputs or [])),
        read={"TRUTH": lambda: truth_of_runs(runs()), "CURVES": lambda: curves_of_runs(runs()), **(scores or {})},
        notes=("seed null is the mean over three runs; seeds 0 to 2 are single runs in the order of the file",),
    )


def load_space(space: str, data: Path | None = None) -> Benchmark:
    """A NAS-Bench-1shot1 space with the truth of the cells that its encodings are."""
    cells = load(data)

    def of_cells(frame: str) -> Callable[[], pl.LazyFrame]:
        return lambda: _of_cells(space, cells.lazy(frame), encodings_table(space).lazy())

    return NB101Benchmark(
        cells=cells,
        name=space,
        space=space,
        datasets=cells.datasets,
        inputs=cells.inputs,
        read={frame: of_cells(frame) for frame in ("TRUTH", "CURVES") if frame in cells.read},
        notes=(*cells.notes, "truth is that of the cell without loose ends: encodings that are one cell share it"),
    )


def _of_cells(space: str, table: pl.LazyFrame, encodings: pl.LazyFrame) -> pl.LazyFrame:
    """A frame of cells as a frame of encodings (columns ``arch, cell``), in the benchmark called `space`."""
    columns = table.collect_schema().names()
    joined = encodings.join(table.rename({"arch": "cell"}), on="cell", maintain_order="left")
    return joined.with_columns(benchmark=pl.lit(space)).select(columns)


def load_space_1(data: Path | None = None) -> Benchmark:
    """``nb101-1``: see `load_space`."""
    return load_space("nb101-1", data)


def load_space_2(data: Path | None = None) -> Benchmark:
    """``nb101-2``: see `load_space`."""
    return load_space("nb101-2", data)


def load_space_3(data: Path | None = None) -> Benchmark:
    """``nb101-3``: see `load_space`."""
    return load_space("nb101-3", data)


@reads("encodings of NAS-Bench-101 cells")
def read_encodings(path: Path, space: str) -> list[str]:
    """Encodings of a NAS-Bench-1shot1 space from a pickled list of ``NB101Arch`` objects, as text ``space:key``."""
    if space not in SPACES_1SHOT1:
        raise ArchError(f"expected one of {', '.join(PARENTS)}, got {space!r}")
    records = safe_pickle.load(path, safe_pickle.NB101_SAMPLE)
    try:
        pairs = [record.record_args[0] for record in records]
        return [str(SPACES_1SHOT1[space].from_matrix(np.asarray(matrix), list(names))) for matrix, names in pairs]
    except (ArchError, AttributeError, IndexError, TypeError, ValueError) as error:
        raise DataFileError(f"{path}: expected NB101Arch((adjacency, operations)) records, got {error}") from error


@reads("the table of means of NAS-Bench-101")
def read_means(path: Path) -> pl.DataFrame:
    """``arch, module_hash, params, accuracy`` (percent) of the table of means, checked against the whole space.

    Its hashes must be those of the space (the first half of each is compared), each once, and its parameters ours,
    row by row: `DataFileError` otherwise.
    """
    wanted = {"module_hash": pl.String(), "trainable_parameters": pl.Int64(), "mean_final_test_accuracy": pl.Float64()}
    try:
        table = pl.read_parquet(path).select(pl.col(name).cast(dtype) for name, dtype in wanted.items())
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataFileError(f"{path}: expected a Parquet table with {', '.join(wanted)}, got {error}") from error
    if len(table) != len(SPACE) or table["module_hash"].n_unique() != len(SPACE):
        raise DataFileError(
            f"{path}: expected {len(SPACE):,} different cells, "
            f"got {table['module_hash'].n_unique():,} in {len(table):,} rows"
        )
    try:
        cells = indices_of(table["module_hash"].to_list())
    except ArchError as error:
        raise DataFileError(f"{path}: expected the cells of NAS-Bench-101: {error}") from error
    joined = pl.concat([table, cells_table()[cells]], how="horizontal")
    for what, bad in (
        ("other trainable parameters than its cell has", pl.col("params") != pl.col("trainable_parameters")),
        ("an accuracy outside 0 to 1", ~pl.col("mean_final_test_accuracy").is_between(0, 1)),
    ):
        wrong = joined.filter(bad)
        if len(wrong):
            raise DataFileError(
                f"{path}: expected the cells of NAS-Bench-101, got {what} in {len(wrong)} rows, first: {wrong.row(0)}"
            )
    return joined.select("arch", "module_hash", "params", accuracy=pl.col("mean_final_test_accuracy") * 100)


def _means(path: Path) -> pl.LazyFrame:
    return _scan("nb101-means", [path], lambda: read_means(path)).select(
        benchmark=pl.lit("nb101"),
        dataset=pl.lit("cifar10"),
        arch="arch",
        split=pl.lit("test"),
        schedule=pl.lit(108, pl.Int64),
        seed=pl.lit(None, pl.Int64),
        accuracy="accuracy",
        origin=pl.lit("tabular"),
    )


@reads("official records of NAS-Bench-101")
def read_records(path: Path) -> pl.DataFrame:
    """RUNS of a pickle ``{hash: (fixed statistics, {epochs: [run, ...]})}``, as the benchmark's API holds its data."""
    loaded = safe_pickle.load(path, safe_pickle.NUMPY)
    if not isinstance(loaded, dict) or not loaded:
        raise DataFileError(f"{path}: expected a dict of hash -> record, got {type(loaded).__name__}")
    rows = []
    for name, record in loaded.items():
        try:
            spec, by_schedule = record
            runs = list(spec_runs(spec, by_schedule))
            if any(SPACE.hash(row[0]) != name for row in runs[:1]):
                raise ValueError(f"expected the hash of its cell, {SPACE.hash(runs[0][0])}")
        except (ArchError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise DataFileError(f"{path}: record {words([name])}: {type(error).__name__}: {error}") from error
        rows += runs
    return runs_frame(rows)


def _runs(records: Path | None, oneshot: list[Path]) -> pl.DataFrame:
    parts = [*([read_records(records)] if records else []), *([read_oneshot(oneshot)[1]] if oneshot else [])]
    frame = pl.concat(parts, how="vertical_relaxed").unique(maintain_order=True)
    twice = frame.filter(pl.struct("arch", "schedule", "seed").is_duplicated())
    if len(twice):
        raise DataFileError(f"{records}: other official runs of {twice['arch'][0]} than the one-shot files hold")
    return frame


def _find(relative: str, data: Path | None) -> Path | None:
    try:
        return find(relative, data)
    except MissingDataError:
        return None


def _complete(frame: pl.DataFrame, schedules: tuple[int, ...], path: Path) -> None:
    counts = dict(frame.group_by("schedule").len().iter_rows())
    expected = dict.fromkeys(schedules, len(SPACE) * RUNS_PER_CELL)
    if counts != expected:
        raise DataFileError(
            f"{path}: expected runs by schedule {expected}, got {counts}; is the download complete? "
            "Read a part of the benchmark with loaders.nb101.from_tfrecord."
        )


def _scan(converter: str, raw: list[Path], work: Callable[[], pl.DataFrame]) -> pl.LazyFrame:
    """The converted table, lazily; one process converts, others wait for it."""
    key = sha256(raw[0]) if len(raw) == 1 else hashlib.sha256("".join(map(sha256, raw)).encode()).hexdigest()
    path = converted_path(key, converter, _VERSION)
    try:
        pl.read_parquet_metadata(path)
    except (OSError, pl.exceptions.PolarsError):  # not there, or damaged
        with _alone(path):
            frame = convert(raw, converter, _VERSION, work, key=key)
        if not path.exists():
            return frame.lazy()
    return pl.scan_parquet(path)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the lock of a conversion; where no lock can be made nothing can be written either, so go on."""
    lock = filelock.FileLock(path.with_suffix(".lock"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError:
        yield
        return
    try:
        yield
    finally:
        lock.release()

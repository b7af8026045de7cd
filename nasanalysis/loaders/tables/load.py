"""Benchmarks of a user's own: descriptions, a folder of them, or plain tables -> `Benchmark`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from ...core.errors import DataFileError, MissingDataError, StudyError
from ..benchmark import Benchmark
from ..export import is_export, read_export
from .benchmark import load_tables
from .own import OPAQUE, UNNAMED, completed, kind_of, names_of, paired, said_of_space, score_rows, space_of, truth_rows
from .plain import STDIN, SUFFIXES, PlainTable, is_plain, read_plain
from .units import AccuracyUnit, known_unit

#: Said of a file that is neither a description nor a plain table.
NO_TABLE = (
    f"expected a .toml description or a table ({', '.join(SUFFIXES)}); "
    "a file of another kind needs a description (docs/bring-your-own-table.md)"
)


def is_own(source: object) -> bool:
    """Whether `source` names files of a user's: a path, several, or a text that ends like one or is a folder."""
    if isinstance(source, str):
        return source == STDIN or Path(source).suffix.lower() in (".toml", *SUFFIXES) or Path(source).is_dir()
    return isinstance(source, Path | Sequence)


def load_own(
    source: Path | str | Sequence[Path | str],
    data: Path | str | None = None,
    *,
    unit: AccuracyUnit | None = None,
    space: str | None = None,
) -> Benchmark:
    """One benchmark from a TOML description, several, a folder of them, or plain tables.

    Parameters
    ----------
    source: path(s), or a folder that `nasanalysis data export` wrote. Plain tables (`nasanalysis.loaders.tables.own`)
        need no description: one with a truth, one with scores, or both. ``-`` is standard input.
    data: where the files of descriptions are looked for, besides the folder of the TOML file.
    unit, space: of plain tables: the unit of their accuracies, and the space where their names do not tell it.
    """
    if isinstance(source, Path | str) and is_export(source):
        return read_export(source)
    paths = [source] if isinstance(source, Path | str) else list(source)
    paths = [inside for path in paths for inside in _unfolded(path)]
    described = [path for path in paths if Path(path).suffix.lower() == ".toml"]
    if described and len(described) < len(paths):
        raise DataFileError(f"expected TOML descriptions or plain tables, got both: {', '.join(map(str, paths))}")
    if described:
        benchmark = load_tables(described, data)
        return replace(benchmark, inputs=(*benchmark.inputs, *map(Path, described)))
    return plain_benchmark([read_plain(path) for path in paths], paths, unit=unit, space=space)


def load_plain(
    path: Path | str | Sequence[Path | str],
    dataset: str | None = None,
    unit: str | None = None,
    space: str | None = None,
) -> Benchmark:
    """`load_own` of plain tables, which are of `dataset` where they name none; `StudyError` for anything else."""
    for one in [path] if isinstance(path, Path | str) else path:
        if not is_plain(str(one)):
            raise StudyError(f"{one}: unit and space are of plain tables ({', '.join(SUFFIXES)}); leave them out")
    return named(load_own(path, unit=known_unit(unit), space=space), dataset)


def named(benchmark: Benchmark, dataset: str | None) -> Benchmark:
    """`benchmark`, all of `dataset` where its tables name no data set."""
    if dataset is None or benchmark.datasets != (UNNAMED["dataset"],):
        return benchmark
    read = {kind: _labelled(frame, dataset) for kind, frame in benchmark.read.items()}
    return replace(benchmark, datasets=(dataset,), read=read)


def _labelled(read: Callable[[], pl.LazyFrame], dataset: str) -> Callable[[], pl.LazyFrame]:
    return lambda: read().with_columns(dataset=pl.lit(dataset))


def _unfolded(path: Path | str) -> list[Path | str]:
    if str(path) == STDIN or not Path(path).is_dir():
        if not is_plain(str(path)) and Path(path).suffix.lower() != ".toml":
            raise DataFileError(f"{path}: {NO_TABLE}")
        return [path]
    inside: list[Path | str] = [*sorted(Path(path).glob("*.toml"))]
    if not inside:
        raise MissingDataError(f"{path}: expected a folder with TOML descriptions of tables, found none in it")
    return inside


def plain_benchmark(
    tables: Sequence[PlainTable],
    paths: Sequence[Path | str] = (),
    *,
    unit: AccuracyUnit | None = None,
    space: str | None = None,
) -> Benchmark:
    """A benchmark of plain tables; its name is that of the first file, unless a column ``benchmark`` says another."""
    space = space or next((s for table in tables if (s := space_of(names_of(table)))), None) or OPAQUE
    kinds = [kind_of(table) for table in tables]
    truths = [truth_rows(t, space, unit=unit) for t, kind in zip(tables, kinds, strict=True) if kind == "TRUTH"]
    notes: list[str] = []
    scores = [score_rows(t, space, notes.append) for t, kind in zip(tables, kinds, strict=True) if kind == "SCORES"]
    frames: dict[str, pl.DataFrame] = {}
    if truths:
        frames["TRUTH"] = pl.concat(truths, how="diagonal_relaxed")
    if scores:
        frames["SCORES"] = pl.concat(scores, how="diagonal_relaxed").with_columns(
            pl.when(pl.col("value").is_finite()).then("value").alias("value")
        )
    if len(frames) == 2:
        frames["TRUTH"], frames["SCORES"] = paired(frames["TRUTH"], frames["SCORES"])
    name = _name(frames, tables)
    where = " + ".join(table.name for table in tables)
    frames = {
        kind: completed(frame.with_columns(benchmark=pl.lit(name)), kind, where=where) for kind, frame in frames.items()
    }
    return Benchmark(
        name=name,
        space=space,
        datasets=_datasets(frames),
        inputs=tuple(Path(path) for path in paths if str(path) != STDIN),
        read={kind: _reader(frame) for kind, frame in frames.items()},
        notes=(*notes, *(n for table in tables if (n := said_of_space(table, None if space == OPAQUE else space)))),
    )


def _reader(frame: pl.DataFrame) -> Any:
    return lambda: frame.lazy()


def _name(frames: dict[str, pl.DataFrame], tables: Sequence[PlainTable]) -> str:
    labels = sorted(
        {
            str(label)
            for frame in frames.values()
            if "benchmark" in frame.columns
            for label in frame["benchmark"].unique()
        }
        - {UNNAMED["benchmark"]}
    )
    if len(labels) > 1:
        raise DataFileError(
            f"{tables[0].name}: expected one benchmark, got {', '.join(labels[:8])}; filter the table by its column "
            "'benchmark'"
        )
    stem = UNNAMED["benchmark"] if tables[0].name == "standard input" else Path(tables[0].name).stem
    return labels[0] if labels else stem


def _datasets(frames: dict[str, pl.DataFrame]) -> tuple[str, ...]:
    return tuple(sorted({name for frame in frames.values() for name in frame["dataset"].unique()}, key=str.casefold))

"""Scores from a user's own files in an item of a study: ``scores = "my_scores.csv"``."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from ..core.errors import StudyError
from ..loaders import Benchmark
from ..loaders.tables.own import completed, score_rows
from ..loaders.tables.plain import is_plain, read_plain
from ..proxies import canonical, score
from ..stats.infinite import Infinite, infinite_note
from .files import finite_scores
from .items import Sources


class DirectionWarning(UserWarning):
    """A score whose direction is in doubt."""


class InfiniteWarning(UserWarning):
    """Infinite scores, and what was made of them."""


def own_scores(
    sources: Sources,
    files: Sequence[str],
    benchmark: Benchmark,
    *,
    asker: str,
    transfer: bool = False,
    infinite: Infinite = "missing",
    directions: Mapping[str, int | str] | None = None,
) -> pl.DataFrame | None:
    """SCORES of plain tables and descriptions, under the labels of `benchmark`; None without files.

    Parameters
    ----------
    transfer: whether scores of another benchmark were asked for (``scores_dataset``).
    infinite: what an infinite score is, an `InfiniteWarning` says so; ``worst`` by `directions`.

    `StudyError` in the name of `asker` where a table does not say of which of several data sets it is, or names another
    benchmark unasked.
    """
    if not files:
        return None
    tables = [_labelled(_rows(sources, file, benchmark), file, benchmark, asker, transfer) for file in files]
    rows = pl.concat([completed(table, "SCORES", where=file) for table, file in zip(tables, files, strict=True)])
    rows = rows.with_columns(proxy=pl.Series([canonical(name) for name in rows["proxy"]], dtype=pl.String))
    if (note := infinite_note(rows, infinite, 'infinite = "worst"')) is not None:
        warnings.warn(f"{asker}: {note}", InfiniteWarning, stacklevel=2)
    return finite_scores(rows, infinite, directions)


def _rows(sources: Sources, file: str, benchmark: Benchmark) -> pl.DataFrame:
    if is_plain(file):
        return score_rows(read_plain(sources.user_file(file)), benchmark.space)
    return sources.benchmark(file).lazy("SCORES").collect()


def _labelled(rows: pl.DataFrame, file: str, benchmark: Benchmark, asker: str, transfer: bool) -> pl.DataFrame:
    if "dataset" not in rows.columns:
        if len(benchmark.datasets) > 1:
            raise StudyError(
                f"{asker}: {file}: expected a column 'dataset', since {benchmark.name!r} has several: "
                f"{', '.join(benchmark.datasets)}"
            )
        rows = rows.with_columns(dataset=pl.lit(benchmark.datasets[0]))
    if "benchmark" in rows.columns and not transfer:
        names = rows["benchmark"].unique().sort().to_list()
        if names != [benchmark.name]:
            raise StudyError(
                f"{asker}: {file}: scores of benchmark {', '.join(names)}, and a truth of {benchmark.name}; filter the "
                "file, or say scores_dataset where they are to be set against each other all the same"
            )
    return rows.with_columns(benchmark=pl.lit(benchmark.name))


def scores_of(
    benchmark: Benchmark, recorded: pl.DataFrame | None, proxies: str | Sequence[str], *, dataset: str, **how: Any
) -> pl.DataFrame:
    """`nasanalysis.score`, where proxies that the user's files hold are read from them.

    how: `step`, `schedule`, `archs` as there; a file's scores are those of its steps.
    """
    names = [proxies] if isinstance(proxies, str) else list(proxies)
    here = set() if recorded is None else set(recorded["proxy"])
    parts = []
    if computed := [name for name in names if name not in here]:
        parts.append(score(benchmark, computed, dataset=dataset, **how))
    if recorded is not None and len(computed) < len(names):
        parts.append(_of(recorded.filter(pl.col("proxy").is_in(names)), dataset, how.get("step"), how.get("archs")))
    return pl.concat(parts)


def _of(rows: pl.DataFrame, dataset: str, step: int | None, archs: Sequence[str] | None) -> pl.DataFrame:
    here = rows.filter(pl.col("dataset") == dataset)
    if here.is_empty():
        there = ", ".join(rows["dataset"].unique().sort())
        raise StudyError(
            f"scores: none of dataset {dataset!r}, there is {there}; say scores_dataset to set them against its truth"
        )
    if step is not None and here["step"].is_not_null().any():
        here = here.filter(pl.col("step").is_null() | (pl.col("step") == step))
    return here if archs is None else here.filter(pl.col("arch").is_in(list(archs)))

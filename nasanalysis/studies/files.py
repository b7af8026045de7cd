"""Truth against scores, each a benchmark or a user's own file: what ``nasanalysis correlate`` does."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import polars as pl

from .. import stats
from ..core.errors import ArchError, FrameError, StudyError, UnknownNameError
from ..core.frames import check
from ..loaders import BENCHMARKS, archs_frame
from ..loaders.samples import read_columns, read_sample
from ..loaders.sources import Sources
from ..proxies import ALIASES, PROXIES, get_proxy, score
from ..spaces import SPACES, get_space, parse_arch

_FILES = (".csv", ".parquet")


def compare(
    truth: str,
    scores: str,
    *,
    dataset: str | None = None,
    split: str | None = None,
    schedule: int | None = None,
    sample: Path | str | None = None,
    statistics: tuple[str, ...] = ("spearman_rho", "kendall_tau"),
    n_boot: int = 1000,
    seed: int = 0,
    step: int | None = None,
    directions: Mapping[str, int | str] | None = None,
    data: Path | str | None = None,
    warn: Callable[[str], None] = lambda text: warnings.warn(text, stacklevel=3),
) -> pl.DataFrame:
    """STATS of `scores` against `truth`.

    Parameters
    ----------
    truth: a benchmark, or a CSV or Parquet file with columns ``arch, accuracy`` (percent).
    scores: a proxy, or a CSV or Parquet file with columns ``arch, proxy, value[, step]``.
    dataset, split, schedule: which truth of a benchmark; each may be left out where only one is recorded
        (`split` is ``test`` by default).
    sample: a file that lists the architectures to use (see `nasanalysis.loaders.samples.read_sample`).
    directions: proxy -> ``higher`` or ``lower`` (or +1, -1), where ours, or what the name says, is wrong.
    warn: called with a sentence on whatever was left out, and on every direction in doubt.

    Architectures may be written with or without their ``space:`` prefix; the answer concerns those that
    both sides hold, and counts the others.
    """
    facts, table = read_pair(truth, scores, dataset=dataset, split=split, schedule=schedule, sources=Sources(data))
    if step is not None:
        table = table.filter(pl.col("step").is_null() | (pl.col("step") == step))
        if table.is_empty():
            raise StudyError(f"--step {step}: the scores hold no such step")
    refuse_strange_directions(directions, table)
    spaces = sorted({arch.partition(":")[0] for arch in facts["arch"]})
    chosen = None if sample is None else read_sample(Path(sample), spaces[0] if len(spaces) == 1 else None)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        frame: pl.DataFrame = stats.correlate(
            facts,
            table,
            statistics=statistics,
            n_boot=n_boot,
            seed=seed,
            directions=directions,
            sample=chosen,
            sample_name="all" if sample is None else Path(sample).name,
        )
    for note in (*(str(warning.message) for warning in caught), *stats.direction_notes(frame, table, directions)):
        warn(note)
    return frame


def refuse_strange_directions(directions: Mapping[str, int | str] | None, scores: pl.DataFrame) -> None:
    """`UnknownNameError` for a direction of a proxy that the scores do not hold."""
    names = scores["proxy"].unique(maintain_order=True).to_list()
    for name in directions or ():
        if name not in names and ALIASES.get(name) not in names:
            raise UnknownNameError("proxy in these scores (a direction)", name, names)


def read_pair(
    truth: str,
    scores: str,
    *,
    dataset: str | None = None,
    split: str | None = None,
    schedule: int | None = None,
    sources: Sources,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The TRUTH and SCORES frames that `compare` sets against each other (parameters as there)."""
    truth_is_file, scores_are_file = _is_file(truth, BENCHMARKS, "benchmark"), _is_file(scores, PROXIES, "proxy")
    if truth_is_file:
        facts = _truth_file(sources.user_file(truth), dataset, split, schedule)
    else:
        facts = _truth_of(truth, dataset, split, schedule, sources)
    benchmark, dataset = facts["benchmark"][0], facts["dataset"][0]
    if scores_are_file:
        table = _scores_file(sources.user_file(scores), benchmark, dataset)
    elif truth_is_file:
        table = _costs(scores, facts, dataset)
    else:
        table = score(sources.benchmark(truth), scores, dataset=dataset)
    return facts, table


def _is_file(text: str, names: object, kind: str) -> bool:
    if Path(text).suffix in _FILES:
        return True
    if Path(text).exists() and Path(text).is_file():
        raise StudyError(f"{text}: expected a {kind} or a file ending in {' or '.join(_FILES)}")
    return False


def _truth_of(
    name: str, dataset: str | None, split: str | None, schedule: int | None, sources: Sources
) -> pl.DataFrame:
    benchmark = sources.benchmark(name)
    if dataset is None:
        if len(benchmark.datasets) > 1:
            raise StudyError(
                f"benchmark {name!r} has several datasets: choose one with --dataset: {', '.join(benchmark.datasets)}"
            )
        dataset = benchmark.datasets[0]
    frame = benchmark.truth(dataset, split=split or "test", schedule=schedule)
    known = benchmark.truth(dataset).select("split", "schedule").unique().sort("split", "schedule").rows()
    if frame.is_empty():
        raise StudyError(
            f"{name}/{dataset}: no {split or 'test'} accuracy{f' of schedule {schedule}' if schedule else ''}; "
            f"recorded (split, schedule): {', '.join(f'{s} {e}' for s, e in known)}"
        )
    schedules = frame["schedule"].unique().sort().to_list()
    if len(schedules) > 1:
        raise StudyError(
            f"{name}/{dataset}: several schedules: choose one with --schedule, of {', '.join(map(str, schedules))}"
        )
    return frame


def _read(path: Path, columns: tuple[str, ...]) -> pl.DataFrame:
    table = read_columns(path, columns)
    return table.with_columns(_canonical(table["arch"], path))


def _canonical(names: pl.Series, path: Path) -> pl.Series:
    """Architectures as ``space:key`` where the space is known; other texts get the prefix ``user:``.

    The space is that of the first row with a known prefix, else the first in which some row parses; a row
    that does not parse in it is an error.
    """
    if names.dtype != pl.String() or names.is_null().any():
        raise FrameError(
            f"{path}: column 'arch': expected text in every row, got {names.dtype} with {names.null_count()} empty"
        )
    texts = names.unique(maintain_order=True).to_list()
    prefixes = (text.partition(":")[0] for text in texts)
    space = next((prefix for prefix in prefixes if prefix in SPACES), None)
    space = space or next((name for name in SPACES for text in texts if _parses(text, name)), None)
    if space is None:
        return pl.Series("arch", [f"user:{text}" for text in names])
    archs = []
    for row, text in enumerate(names, start=1):
        try:
            archs.append(str(parse_arch(text, None if text.partition(":")[0] in SPACES else space)))
        except ArchError as error:
            raise ArchError(f"{path}, row {row}: {error}") from error
    return pl.Series("arch", archs)


def _parses(text: str, space: str) -> bool:
    try:
        get_space(space).parse(text)
    except ArchError:
        return False
    return True


def _truth_file(path: Path, dataset: str | None, split: str | None, schedule: int | None) -> pl.DataFrame:
    table = _read(path, ("arch", "accuracy"))
    table = _finite(table, "accuracy", path)
    wanted = {
        "benchmark": path.stem,
        "dataset": dataset or "",
        "split": split or "test",
        "schedule": schedule,
        "seed": None,
        "origin": "tabular",
    }
    for column in ("dataset", "split", "schedule"):
        asked = {"dataset": dataset, "split": split, "schedule": schedule}[column]
        if column in table.columns and asked is not None:
            table = table.filter(pl.col(column) == asked)
            if table.is_empty():
                raise StudyError(f"{path}: no row with {column} {asked!r}")
    table = table.with_columns(pl.lit(value).alias(c) for c, value in wanted.items() if c not in table.columns)
    return check(table, "TRUTH", where=str(path))


def _scores_file(path: Path, benchmark: str, dataset: str) -> pl.DataFrame:
    table = _read(path, ("arch", "proxy", "value"))
    table = _finite(table, "value", path)
    if "dataset" in table.columns and dataset and table["dataset"].n_unique() > 1:
        table = table.filter(pl.col("dataset") == dataset)
        if table.is_empty():
            raise StudyError(f"{path}: no row of dataset {dataset!r}")
    defaults = {"method": "", "setting": "", "seed": None, "unit": None, "step": None}
    table = table.with_columns(pl.lit(value).alias(c) for c, value in defaults.items() if c not in table.columns)
    return check(table.with_columns(benchmark=pl.lit(benchmark), dataset=pl.lit(dataset)), "SCORES", where=str(path))


def _finite(table: pl.DataFrame, column: str, path: Path) -> pl.DataFrame:
    """Numbers as float, with NaN and infinities as null: they are left out and counted."""
    if not table[column].dtype.is_numeric():
        raise FrameError(
            f"{path}: column {column!r}: expected numbers, got {table[column].dtype} such as {table[column][0]!r}"
        )
    values = pl.col(column).cast(pl.Float64)
    return table.with_columns(pl.when(values.is_finite()).then(values).alias(column))


def _costs(proxy: str, facts: pl.DataFrame, dataset: str) -> pl.DataFrame:
    """A cost proxy of the architectures in a user's truth file."""
    one = get_proxy(proxy)
    if one.needs != "archs":
        raise StudyError(
            f"--scores {proxy}: it is read from {one.needs}, which a truth file does not hold; "
            "use a benchmark as --truth, or write the scores with `nasanalysis score` first"
        )
    space = facts["arch"][0].partition(":")[0]
    if space not in SPACES:
        raise UnknownNameError("space", space, SPACES)
    frame = archs_frame(get_space(space), facts["arch"].unique(maintain_order=True), dataset or "cifar10")
    return one(
        frame.select(pl.lit(facts["benchmark"][0]).alias("benchmark"), pl.lit(dataset).alias("dataset"), pl.all())
    )


__all__ = ["compare"]

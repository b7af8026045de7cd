"""Truth against scores, each a benchmark or a user's own file: what ``nasanalysis correlate`` does."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from .. import stats
from ..core.errors import StudyError, UnknownNameError
from ..core.notes import told
from ..loaders.samples import read_sample
from ..loaders.sources import Sources
from ..loaders.tables.units import AccuracyUnit
from ..proxies import ALIASES
from ..stats.infinite import Infinite, infinite_note, with_infinite
from . import pairs
from .pairs import Asked


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
    quantity: str | None = None,
    transfer: str | None = None,
    unit: AccuracyUnit | None = None,
    space: str | None = None,
    infinite: Infinite = "missing",
    data: Path | str | None = None,
    warn: Callable[[str], None] = lambda text: warnings.warn(text, stacklevel=3),
) -> pl.DataFrame:
    """STATS of `scores` against `truth`.

    Parameters
    ----------
    truth: a benchmark, a TOML description of a table, or a CSV or Parquet file with columns ``arch, accuracy``
        (percent); ``-`` is standard input.
    scores: a proxy, a TOML description, or a CSV or Parquet file with columns ``arch, proxy, value[, step]``.
    dataset, split, schedule: which truth of a benchmark; each may be left out where only one is recorded
        (`split` is ``test`` by default).
    sample: a file that lists the architectures to use (see `nasanalysis.loaders.samples.read_sample`).
    directions: proxy -> ``higher`` or ``lower`` (or +1, -1), where ours, or what the name says, is wrong.
    quantity: which truth, where there are several quantities (``accuracy``, ``loss`` ...).
    transfer: ``DATASET`` or ``BENCHMARK/DATASET`` of scores to be set against a truth of another: the column `setting`
        says so. Without it scores and truth of different names are an error.
    unit: of the accuracies of a plain table: ``percent``, ``fraction``, ``error-percent`` or ``error-fraction``.
    space: of plain tables, where the spelling of their architectures does not tell it.
    infinite: what an infinite score is: ``missing``, or ``worst`` (ranked last; `setting` says so).
    warn: called with a sentence on whatever was guessed or left out, and on every direction in doubt.

    Architectures may be spelt in any way that `nasanalysis.spaces.names` reads; the answer concerns those that
    both sides hold, and counts the others.
    """
    asked = Asked(dataset, split, schedule, quantity, transfer, unit, space)
    with told(warn):
        facts, table = pairs.read_pair(truth, scores, asked, Sources(data), warn)
    if step is not None:
        table = table.filter(pl.col("step").is_null() | (pl.col("step") == step))
        if table.is_empty():
            raise StudyError(f"--step {step}: the scores hold no such step")
    refuse_strange_directions(directions, table)
    if (note := infinite_note(table, infinite)) is not None:
        warn(note)
    spaces = sorted({arch.partition(":")[0] for arch in facts["arch"]})
    chosen = None if sample is None else read_sample(Path(sample), spaces[0] if len(spaces) == 1 else None)
    with told(warn):
        frame: pl.DataFrame = stats.correlate(
            facts,
            table,
            statistics=statistics,
            n_boot=n_boot,
            seed=seed,
            directions=directions,
            infinite=infinite,
            sample=chosen,
            sample_name="all" if sample is None else Path(sample).name,
        )
    for note in stats.direction_notes(frame, table, directions):
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
    say: Callable[[str], None] = lambda _: None,
    infinite: Infinite = "missing",
    **asked: Any,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The TRUTH and SCORES frames that `compare` sets against each other (parameters as there).

    Infinite scores are left as they are, and told: `finite_scores` makes of them what `infinite` says, once the scores
    that count are chosen.
    """
    with told(say):
        facts, table = pairs.read_pair(truth, scores, Asked(dataset, split, schedule, **asked), sources, say)
    if (note := infinite_note(table, infinite)) is not None:
        say(note)
    return facts, table


def finite_scores(
    scores: pl.DataFrame, infinite: Infinite, directions: Mapping[str, int | str] | None = None
) -> pl.DataFrame:
    """Scores of which the infinite ones are null, or the worst of their proxy and named in `setting`."""
    scores = with_infinite(scores, infinite, directions)
    return scores.with_columns(value=pl.when(pl.col("value").is_finite()).then("value"))


__all__ = ["compare"]

"""Which of several proxies ranks better, each from a benchmark or a file: what ``nasanalysis compare`` does."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from .. import stats
from ..core.errors import StudyError, UnknownNameError
from ..loaders.sources import Sources
from ..stats.infinite import Infinite
from ..stats.verdicts import NEITHER
from .files import finite_scores, read_pair, refuse_strange_directions


def compare_scores(
    truth: str,
    scores: str | Sequence[str],
    *,
    proxies: Sequence[str] = (),
    baseline: str | None = None,
    statistic: str = "spearman_rho",
    dataset: str | None = None,
    split: str | None = None,
    schedule: int | None = None,
    method: str | None = None,
    setting: str | None = None,
    step: int | None = None,
    directions: Mapping[str, int | str] | None = None,
    n_boot: int = 1000,
    n_permutations: int | None = None,
    margin: float | None = None,
    seed: int = 0,
    data: Path | str | None = None,
    warn: Callable[[str], None] = lambda text: warnings.warn(text, stacklevel=3),
    infinite: Infinite = "missing",
    **asked: Any,
) -> pl.DataFrame:
    """Paired differences between proxies, as `nasanalysis.stats.compare_proxies` answers them.

    Parameters
    ----------
    truth: a benchmark, or a file, as in `nasanalysis.compare`. scores: one or several, each a proxy or a file.
    proxies: which of them (all by default); baseline: the one that every other is compared with (all pairs by default).
    method, setting: which, where a proxy stands under several. step: completed epochs or minibatches; by default the
        last of each proxy.
    directions, warn: as in `nasanalysis.compare`, and so are `quantity`, `transfer`, `unit`, `space` and `infinite`
        (asked); the rest as in `compare_proxies`.
    """
    sources = Sources(data)
    texts = [scores] if isinstance(scores, str) else list(scores)
    where = {"dataset": dataset, "split": split, "schedule": schedule, "infinite": infinite, **asked}
    told: list[str] = []
    read = [read_pair(truth, text, sources=sources, say=told.append, **where) for text in texts]
    for note in dict.fromkeys(told):  # each once: the truth is read beside every table of scores
        warn(note)
    facts, table = read[0][0], pl.concat([scored for _, scored in read], how="vertical_relaxed")
    names = table["proxy"].unique(maintain_order=True).to_list()
    for name in (*proxies, *([baseline] if baseline else [])):
        if name not in names:
            raise UnknownNameError("proxy in these scores", name, names)
    refuse_strange_directions(directions, table)
    if proxies:
        table = table.filter(pl.col("proxy").is_in([*proxies, *([baseline] if baseline else [])]))
    if baseline is None and table["proxy"].n_unique() == 2:
        baseline = [*proxies, *table["proxy"].unique(maintain_order=True)][1]  # of two, the one that was named second
    table = finite_scores(_one_of_each(table, method=method, setting=setting, step=step), infinite, directions)
    options: dict[str, Any] = {"directions": directions, "seed": seed, "n_boot": n_boot}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        frame: pl.DataFrame = stats.compare_proxies(
            facts,
            table,
            baseline=baseline,
            statistic=statistic,
            n_permutations=n_permutations,
            margin=margin,
            **options,
        )
        alone = stats.correlate(facts, table, statistics=("spearman_rho",), **options)
    notes = [str(warning.message) for warning in caught] + stats.direction_notes(alone, table, directions)
    for note in dict.fromkeys(notes):
        warn(note)
    pointing = dict(alone.select("proxy", "direction").iter_rows())
    source = dict(alone.select("proxy", "direction_source").iter_rows())
    steps = dict(table.group_by("proxy").agg(pl.col("step").max()).iter_rows())
    return frame.with_columns(
        *(_looked_up(frame, column, pointing).alias(f"{column}_direction") for column in ("proxy", "other")),
        *(_looked_up(frame, column, source).alias(f"{column}_direction_source") for column in ("proxy", "other")),
        *(_looked_up(frame, column, steps).alias(f"{column}_step") for column in ("proxy", "other")),
    )


def _looked_up(frame: pl.DataFrame, column: str, values: Mapping[str, Any]) -> pl.Series:
    return pl.Series([values.get(name) for name in frame[column]], strict=False)


def _one_of_each(table: pl.DataFrame, *, method: str | None, setting: str | None, step: int | None) -> pl.DataFrame:
    """One step, method and setting of each proxy; `StudyError` where one must be chosen or does not exist."""
    for column, wanted in (("method", method), ("setting", setting)):
        if wanted is not None:
            here, several = pl.col(column) == wanted, pl.col(column).n_unique().over("proxy") > 1
            if table.filter(here).is_empty():
                raise UnknownNameError(f"{column} of these scores", wanted, table[column].unique().sort().to_list())
            table = table.filter(here | ~several)  # a cost has no setting to choose
        clash = table.filter(pl.col(column).n_unique().over("proxy") > 1)
        if not clash.is_empty():
            name = clash["proxy"][0]
            known = ", ".join(clash.filter(proxy=name)[column].unique().sort().to_list())
            raise StudyError(f"{name!r} stands under several {column}s; choose one with --{column}: {known}")
    if step is not None:
        chosen = table.filter(pl.col("step").is_null() | (pl.col("step") == step))
        if chosen["proxy"].n_unique() < table["proxy"].n_unique():
            lost = sorted(set(table["proxy"]) - set(chosen["proxy"]))
            raise StudyError(f"--step {step}: {lost[0]!r} has no such step")
        return chosen
    return table.filter(pl.col("step").is_null() | (pl.col("step") == pl.col("step").max().over("proxy")))


def sentence(row: Mapping[str, Any], level: float = 0.95) -> str:
    """One row of the answer as a sentence."""
    sides = [(_at_step(row, "proxy"), row["first"]), (_at_step(row, "other"), row["second"])]
    if turned := row["ahead"] == row["other"]:
        sides.reverse()
    (one, first), (other, second) = sides
    said = f"{row['statistic']} {_number(first)} against {_number(second)}, difference {_gap(row, -1 if turned else 1)}"
    if row["p_holm"] is not None:
        said += f", p = {row['p_holm']:.3g} after Holm's correction"
    said += f", on {row['n_archs']:,} architectures"
    if row["verdict"] == "equivalent":
        return f"{one} ranks as well as {other}, within the margin asked for ({level:.0%}): {said}."
    if row["ahead"] == NEITHER:
        return f"{one} and {other} cannot be told apart ({level:.0%}): {said}."
    return f"{one} ranks better than {other} ({level:.0%}): {said}."


def _gap(row: Mapping[str, Any], sign: int) -> str:
    """The difference with its interval, seen from the first side (+1) or the second (-1)."""
    if row["difference"] is None:
        return "undefined"
    text = f"{sign * row['difference']:+.3f}"
    if row["ci_low"] is None:
        return text
    low, high = sorted((sign * row["ci_low"], sign * row["ci_high"]))
    return f"{text} [{low:+.3f}, {high:+.3f}]"


def _at_step(row: Mapping[str, Any], side: str) -> str:
    step = row.get(f"{side}_step")
    return str(row[side]) if step is None else f"{row[side]} (step {step})"


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"

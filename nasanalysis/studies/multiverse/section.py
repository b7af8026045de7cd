"""What a ``[[multiverse]]`` item shows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import polars as pl

from ... import plots, stats
from ...core.errors import StudyError, UnknownNameError
from ...loaders import Benchmark
from ...plots.style import proxy_label, statistic_label
from ...proxies import needs_of, score_noise
from ...report.model import Figure, Section, Table
from ...report.tables import plain_table
from ...stats.multiverse import CHOICES
from ..choices import of_setting
from ..items import Resampling, Sources
from ..own_scores import own_scores, scores_of
from .items import MultiverseItem

_RULE = (
    "A specification is one truth, sample, statistic and unit of resampling. The claim holds where the whole 95 % "
    "interval of the paired difference is above {above}, does not hold where it is below {below}, and cannot be told "
    "otherwise. Overlapping specifications are not independent: their share is no probability."
)


def multiverse_section(item: MultiverseItem, sources: Sources, resampling: Resampling) -> Section:
    """Run `item`; `MissingDataError` where the benchmark is not here."""
    benchmark = sources.benchmark(item.benchmark)
    truth = _truth(item, benchmark)
    scores = _scores(item, sources, benchmark, truth["dataset"].unique(maintain_order=True))
    frame: pl.DataFrame = stats.multiverse(
        truth,
        scores,
        item.better,
        item.than,
        statistics=item.statistics,
        samples={name: _sample(name, truth, sources, benchmark) for name in item.samples},
        units=item.resampled,
        scores_from=dict(item.scores_from),
        truth_seeds=item.truth_seeds,
        score_seeds=item.score_seeds,
        other_runs_only=item.other_runs_only,
        directions=dict(item.directions),
        margin=item.margin,
        n_boot=item.bootstrap or resampling.n,
        seed=resampling.seed,
        level=resampling.level,
    )
    summary = stats.summarise_multiverse(frame)
    summary = replace(summary, better=proxy_label(item.better), than=proxy_label(item.than))
    said = summary.sentence
    figure = Figure(
        f"{item.name}-curve",
        f"{said} Each column is a specification; marks below say what it chooses.",
        lambda: plots.plot_specification_curve(frame)[0],
        frame,
    )
    return Section(item.title, f"{item.text} {said}".strip(), (choices_table(item, frame),), (figure,), (said,))


def choices_table(item: MultiverseItem, frame: pl.DataFrame) -> Table:
    """A row for each level of each choice that has several: in how many specifications the claim holds."""
    rows: list[tuple[str, str, int, int, int, int]] = []
    for choice in ("all", *CHOICES):
        parts = [("", frame)] if choice == "all" else [(_level(choice, k), p) for (k,), p in _parts(frame, choice)]
        if choice != "all" and len(parts) < 2:
            continue
        for level, part in parts:
            share = stats.summarise_multiverse(part).share
            rows.append((choice.replace("_", " "), level, share.holds, share.fails, share.open, share.n))
    schema = {"choice": pl.String, "level": pl.String, **dict.fromkeys(("holds", "fails", "open", "n"), pl.Int64)}
    rule = _RULE.format(above=item.margin or 0, below=-item.margin if item.margin else 0)
    return plain_table(
        item.name,
        f"{proxy_label(item.better)} better than {proxy_label(item.than)}: in how many specifications?",
        pl.DataFrame(rows, schema=schema, orient="row"),
        ["choice", "level", "holds", "does not hold", "cannot tell", "of"],
        ["s", "s", "d", "d", "d", "d"],
        rule,
    )


def _parts(frame: pl.DataFrame, choice: str) -> Iterable[tuple[tuple[object, ...], pl.DataFrame]]:
    return frame.sort(choice, nulls_last=True, maintain_order=True).group_by(choice, maintain_order=True)


def _level(choice: str, value: object) -> str:
    if choice == "statistic":
        return statistic_label(str(value))
    return stats.NOUNS.get(value, str(value))  # type: ignore[call-overload, no-any-return]


def _truth(item: MultiverseItem, benchmark: Benchmark) -> pl.DataFrame:
    frame = benchmark.truth(quantity="accuracy")
    wanted = {"dataset": item.datasets, "split": item.splits, "schedule": item.schedules}
    for column, values in wanted.items():
        if values is None:
            continue
        if lost := [value for value in values if value not in set(frame[column])]:
            there = ", ".join(map(str, frame[column].unique().sort()))
            raise StudyError(f"{item.name}: {benchmark.name} has no truth of {column} {lost[0]!r}; it has {there}")
        frame = frame.filter(pl.col(column).is_in(list(values)))
    return frame


def _scores(item: MultiverseItem, sources: Sources, benchmark: Benchmark, datasets: Iterable[str]) -> pl.DataFrame:
    recorded = own_scores(sources, item.scores, benchmark, asker=item.name, transfer=bool(item.scores_from))
    wanted = list(dict.fromkeys(dict(item.scores_from).get(dataset, dataset) for dataset in datasets))
    names = [item.better, item.than]
    live = _of_live_networks(item, names, sources, benchmark, wanted)
    rest = [name for name in names if live is None or name not in set(live["proxy"])]
    parts = [scores_of(benchmark, recorded, rest, dataset=dataset) for dataset in wanted] if rest else []
    frame = pl.concat([*parts, *([] if live is None else [live])])
    frame = of_setting(frame, item.scored_by)
    if item.steps is not None:
        there = frame["step"].drop_nulls().unique().sort().to_list()
        frame = frame.filter(pl.col("step").is_null() | pl.col("step").is_in(list(item.steps)))
        if lost := [name for name in names if name not in set(frame["proxy"])]:
            known = f"{there[0]} to {there[-1]}" if there else "none"
            asked = ", ".join(map(str, item.steps))
            raise StudyError(f"{item.name}: {lost[0]!r} has no step {asked}; steps there are {known}")
    return frame


def _of_live_networks(
    item: MultiverseItem, names: list[str], sources: Sources, benchmark: Benchmark, datasets: list[str]
) -> pl.DataFrame | None:
    """Scores of the item's kept files under the labels of the truth, beside each of `datasets`; None without files."""
    parts = []
    if item.kept is not None:
        parts.append(_of_part(item, sources.frame(item.kept, "SCORES")).filter(pl.col("proxy").is_in(names)))
    if item.perturbed is not None:
        rows = _of_part(item, sources.frame(item.perturbed, "PERTURBED"))
        kinds = rows.select("position", "direction", "draws").unique().to_dicts()
        if len(kinds) > 1:
            raise StudyError(
                f"{item.name}: expected one kind of noise in {item.perturbed}, got {kinds}; say which part"
            )
        parts += [score_noise(name, rows, **kinds[0]) for name in names if needs_of(name) == "perturbed"]
    if not parts:
        return None
    live = pl.concat(parts).drop_nulls("value").with_columns(benchmark=pl.lit(benchmark.name))
    return pl.concat([live.with_columns(dataset=pl.lit(dataset)) for dataset in datasets])


def _of_part(item: MultiverseItem, rows: pl.DataFrame) -> pl.DataFrame:
    if item.part is None:
        return rows
    if rows.filter(setting=item.part).is_empty():
        raise UnknownNameError("part of these kept results", item.part, rows["setting"].unique().sort().to_list())
    return rows.filter(setting=item.part)


def _sample(name: str, truth: pl.DataFrame, sources: Sources, benchmark: Benchmark) -> list[str] | None:
    if name == "all":
        return None
    archs: list[str] = sources.take_sample(truth, name, benchmark)["arch"].unique().to_list()
    return archs

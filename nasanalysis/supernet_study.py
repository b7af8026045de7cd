"""Sections of a study about live supernets: tables and figures of ``[[supernet]]`` items (`supernet_items`).

Statistics are means over supernets of one kind with their standard deviation; intervals are bootstraps over
architectures and supernets, and differences to the parameter count see the same architectures in every draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
from scipy.stats import rankdata

from . import plots, stats
from .errors import MissingDataError, StudyError, UnknownNameError
from .frames import read_frame
from .loaders import Benchmark, load_benchmark
from .plots.style import legend_beside, new_axes, new_panels, proxy_axis, statistic_label
from .proxies import direction, needs_noise, noise_proxy, score
from .report.model import Figure, Mark, Section, Table
from .report.tables import EMPHASIS_NOTE, plain_table
from .resources import shipped
from .samples import SAMPLES, named_archs, sample_file, take_sample
from .supernet_items import PARAMETERS, Arm, SupernetFigure, SupernetItem
from .supernet_tables import WITH_PARAMS, Column, training_table, whole

_FILES = "reports/results"
_ARM = ["method", "setting"]
#: Stands for the recorded score beside ours.
RECORDED = "recorded"


def supernet_section(item: SupernetItem, data: Path | str | None, *, n_boot: int, seed: int) -> Section:
    """Run `item`; `MissingDataError` where a file or the truth is not here."""
    tables: list[Table] = []
    figures: list[Figure] = []
    if item.scores:
        run = _Run(item, load_benchmark(item.benchmark, data), data, n_boot, seed)
        if item.readings:
            tables.append(run.ranking())
        if item.spread:
            tables.append(run.spread())
        if item.between:
            tables.append(run.between())
        if item.recorded:
            tables.append(run.against_recorded(item.recorded))
        draw = {"steps": run.steps, "losses": run.losses, "curvature": run.curvature}
        figures = [draw[figure.kind](figure) for figure in item.figures]
    if item.training:
        tables.append(training_table(item.name, [kept_file(name) for name in item.training]))
    return Section(item.title, item.text, tuple(tables), tuple(figures))


def supernet_inputs(item: SupernetItem, data: Path | str | None) -> list[Any]:
    """The files behind `item`, for provenance."""
    found: list[Any] = [kept_file(name) for name in (*item.scores, *item.losses, *item.perturbed, *item.training)]
    if item.benchmark:
        benchmark = load_benchmark(item.benchmark, data)
        found += [*benchmark.inputs, sample_file(item.sample, benchmark=benchmark, data=data)]
    return [path for path in found if path is not None]


def kept_file(name: str) -> Path:
    """A file by its path, or by the name under which the package keeps it; `MissingDataError` where it is neither."""
    if Path(name).is_file():
        return Path(name)
    if Path(name).name == name:
        try:
            return shipped(f"{_FILES}/{name}")
        except MissingDataError:
            pass
    raise MissingDataError(
        f"{name}: expected a Parquet file of `nasanalysis supernet finetune` (or `train`), found nothing there; "
        "run it with a configuration of reports/configs first, or correct the path"
    )


@dataclass(frozen=True)
class _Run:
    """One item with its benchmark at hand."""

    item: SupernetItem
    benchmark: Benchmark
    data: Path | str | None
    n_boot: int
    seed: int

    # --- frames -----------------------------------------------------------------------------------------

    @cached_property
    def scores(self) -> pl.DataFrame:
        """SCORES of all arms and no others, named after the truth so that the two meet."""
        frames = [read_frame(kept_file(name), "SCORES") for name in self.item.scores]
        held = pl.concat([*frames, *self._of_noise()]).drop_nulls("value")
        for arm in self.item.arms:
            if self._of(held, arm).is_empty():
                there = [f"{m} in {s}" for m, s in held.select(_ARM).unique().sort(_ARM).iter_rows()]
                raise UnknownNameError("supernet of these scores", f"{arm.protocol} in {arm.part}", there)
        wanted = pl.DataFrame(
            [(a.protocol, a.part) for a in self.item.arms], schema=dict.fromkeys(_ARM, pl.String()), orient="row"
        )
        held = held.join(wanted.unique(), on=_ARM, how="semi")
        if self.item.sample != "all":
            held = held.filter(pl.col("arch").is_in(self.truth["arch"].unique().to_list()))
        held = held.with_columns(benchmark=pl.lit(self.benchmark.name), dataset=pl.lit(self.item.dataset))
        return pl.concat([held, *self._sums(held)])

    @cached_property
    def perturbed(self) -> pl.DataFrame:
        """PERTURBED of all files, named after the truth."""
        held = pl.concat([read_frame(kept_file(name), "PERTURBED") for name in self.item.perturbed])
        return held.with_columns(benchmark=pl.lit(self.benchmark.name), dataset=pl.lit(self.item.dataset))

    def _of_noise(self) -> list[pl.DataFrame]:
        """SCORES of the readings that are computed from losses under noise."""
        if not self.item.perturbed:
            return []
        named = dict.fromkeys(n for reading in self.item.readings for n in reading.read if needs_noise(n))
        made = []
        for rows in (self._of(self.perturbed, arm) for arm in self.item.arms):
            kinds = rows.select("position", "direction", "draws").unique().rows()
            for name, (position, noise, draws) in product(named, kinds):  # a part has one kind of noise
                made.append(noise_proxy(name, position, noise, draws)(rows))
        return made

    def _sums(self, held: pl.DataFrame) -> list[pl.DataFrame]:
        """SCORES of the readings that are weighted sums, under their labels."""
        return [
            stats.combine(
                self._of(held, arm), [stats.Term(**term.model_dump()) for term in reading.terms], reading.label
            ).drop_nulls("value")
            for reading in self.item.readings
            if reading.terms
            for arm in self.item.arms
        ]

    @staticmethod
    def _of(frame: pl.DataFrame, arm: Arm) -> pl.DataFrame:
        return frame.filter(pl.col("method") == arm.protocol, pl.col("setting") == arm.part)

    @cached_property
    def truth(self) -> pl.DataFrame:
        return self._truth(self.benchmark)

    @cached_property
    def second(self) -> pl.DataFrame | None:
        """The second truth under the name of the first; None where none is asked for or its files are not here."""
        if self.item.second_truth is None:
            return None
        try:
            found = self._truth(load_benchmark(self.item.second_truth, self.data))
        except MissingDataError:
            return None
        return found.with_columns(benchmark=pl.lit(self.benchmark.name))

    def _truth(self, benchmark: Benchmark) -> pl.DataFrame:
        i = self.item
        named = named_archs(i.sample, benchmark=benchmark, data=self.data)
        frame = benchmark.truth(i.dataset, split=i.split, schedule=i.schedule, archs=named)
        if frame.is_empty():
            raise StudyError(
                f"{i.name}: {benchmark.name}/{i.dataset} has no {i.split} accuracy of schedule {i.schedule} for "
                f"sample {i.sample!r}"
            )
        return take_sample(frame, i.sample, benchmark=benchmark, data=self.data)

    @cached_property
    def params(self) -> pl.DataFrame:
        archs = self.truth["arch"].unique(maintain_order=True).to_list()
        return score(self.benchmark, "params", dataset=self.item.dataset, archs=archs)

    @cached_property
    def params_as_truth(self) -> pl.DataFrame:
        """Ranks of the parameter count in place of the accuracy: rank correlations with it come out right."""
        ranks = 100 * rankdata(self.params["value"].to_numpy()) / len(self.params)
        return self.params.select(
            "benchmark",
            "dataset",
            "arch",
            split=pl.lit(self.item.split),
            schedule=pl.lit(self.item.schedule, pl.Int64),
            seed=pl.lit(None, pl.Int64),
            accuracy=pl.Series(ranks),
            origin=pl.lit("tabular"),
        )

    def _seeded(self, truth: pl.DataFrame, scores: pl.DataFrame, statistic: str) -> pl.DataFrame:
        """STATS of `correlate_seeds`, with an interval where one is valid."""
        measure = stats.get_statistic(statistic)
        n_boot = self.n_boot if measure.interval == "bootstrap" else 0
        made: list[pl.DataFrame] = [
            stats.correlate_seeds(truth, rows, statistics=(statistic,), over=_over(rows), n_boot=n_boot, seed=self.seed)
            for rows in scores.partition_by(_ARM, maintain_order=True)
        ]
        return pl.concat(made)

    # --- the table of readings --------------------------------------------------------------------------

    def ranking(self) -> Table:
        """One row for each arm and reading, the parameter count first."""
        i = self.item
        rows = self._read()
        columns = [self._column(rows, statistic) for statistic in i.statistics]
        lines = [(PARAMETERS, None, None), *((r.label, r.step, a) for a in i.arms for r in i.readings)]
        header, numeric = ["supernet", "measure", "minibatches"], [False, False, True]
        cells = [[arm.label if arm else "–", m, whole(step)] for m, step, arm in lines]
        marks = [[Mark.NONE] * 3 for _ in lines]
        for column in columns:
            for head, texts, own in column.shown(lines):
                header.append(head)
                numeric.append(True)
                for line, text, mark in zip(range(len(lines)), texts, own, strict=True):
                    cells[line].append(text)
                    marks[line].append(mark)
        header += ["n", "missing"]
        numeric += [True, True]
        for line, (label, _, arm) in enumerate(lines):
            row = columns[0].own[label, arm.label if arm else ""]
            cells[line] += [whole(row["n_archs"]), whole(row["n_missing"])]
            marks[line] += [Mark.NONE] * 2
        record = pl.DataFrame([row for c in columns for row in c.record(lines)], infer_schema_length=None)
        return Table(i.name, i.title, header, cells, record, numeric, self._note(columns), marks)

    def _read(self) -> pl.DataFrame:
        """The rows of all readings; `StudyError` where an arm lacks one."""
        parts = []
        for reading in self.item.readings:
            of_proxy = self.scores.filter(pl.col("proxy") == reading.name)
            for arm in self.item.arms:
                rows = self._of(of_proxy, arm)
                found = rows.filter(pl.col("step").eq_missing(reading.step))
                if found.is_empty():
                    if rows.is_empty():
                        known = self._of(self.scores, arm)["proxy"].unique().sort()
                        raise UnknownNameError(f"measure of {arm.protocol} in {arm.part}", reading.name, known)
                    steps = ", ".join(map(str, rows["step"].unique().sort()))
                    if reading.step is None:
                        raise StudyError(f"{self.item.name}: {reading.name}: expected a step of {steps}, got none")
                    raise StudyError(
                        f"{self.item.name}: {reading.name} of {arm.protocol} in {arm.part} is not read after "
                        f"{reading.step} minibatches; it is after {steps}"
                    )
                parts.append(found)
        return pl.concat(parts).unique(maintain_order=True)

    def _column(self, rows: pl.DataFrame, statistic: str) -> Column:
        with_params = statistic in WITH_PARAMS
        measured = WITH_PARAMS.get(statistic, statistic)
        truth = self.params_as_truth if with_params else self.truth
        own = self._by_label(self._seeded(truth, rows, measured))
        second: dict[tuple[str, str], dict[str, Any]] = {}
        gaps: dict[tuple[str, str], dict[str, Any]] = {}
        if not with_params:
            bar = stats.correlate(truth, self.params, statistics=(measured,), n_boot=self.n_boot, seed=self.seed)
            own[PARAMETERS, ""] = self._bare(bar)
            if self.second is not None:
                second = self._by_label(self._seeded(self.second, rows, measured))
                second[PARAMETERS, ""] = self._bare(
                    stats.correlate(self.second, self.params, statistics=(measured,), n_boot=0)
                )
            if stats.get_statistic(measured).interval == "bootstrap":
                gaps = self._by_label(self._gaps(rows, measured))
        else:
            own[PARAMETERS, ""] = {"estimate": None, "n_archs": None, "n_missing": None}
        printed = {
            (row.measure, arm if row.measure != PARAMETERS else ""): (text, row.where)
            for row in self.item.published
            if row.statistic == statistic
            for arm, text in row.values.items()
        }
        beside = self.item.second_truth if second else None
        return Column(statistic, own, second, gaps, printed, beside)

    def _gaps(self, rows: pl.DataFrame, statistic: str) -> pl.DataFrame:
        made: list[pl.DataFrame] = [
            stats.seeds_against_baseline(
                self.truth,
                part,
                self.params,
                statistic=statistic,
                over=_over(part),
                n_boot=self.n_boot,
                seed=self.seed,
            )
            for part in rows.partition_by(_ARM, maintain_order=True)
        ]
        return pl.concat(made)

    def _by_label(self, frame: pl.DataFrame) -> dict[tuple[str, str], dict[str, Any]]:
        """(label of a reading, label of an arm) -> row."""
        held = {(r["method"], r["setting"], r["proxy"], r["step"]): r for r in frame.to_dicts()}
        return {
            (reading.label, arm.label): held[arm.protocol, arm.part, reading.name, reading.step]
            for reading in self.item.readings
            for arm in self.item.arms
        }

    @staticmethod
    def _bare(frame: pl.DataFrame) -> dict[str, Any]:
        """The row of a score without seeds; intervals from halves belong to smaller samples and are left out."""
        row = frame.row(0, named=True)
        if row["interval"] and "halves" in row["interval"]:
            row |= {"ci_low": None, "ci_high": None, "interval": None}
        return row

    def _note(self, columns: Sequence[Column]) -> str:
        i = self.item
        after = f" after {i.schedule} epochs" if i.schedule else ""
        seeds = sorted({int(row["n_score_seeds"]) for c in columns for row in c.own.values() if "n_score_seeds" in row})
        sentences = [
            f"Truth: {i.split} accuracy{after} of {self.benchmark.name} ({_truth_seeds(columns[0])}).",
            f"Architectures: {SAMPLES.get(i.sample, i.sample)}.",
            f"Mean ± standard deviation over {' or '.join(map(str, seeds))} supernets of each kind."
            if max(seeds) > 1
            else "One supernet of each kind.",
            "Missing: architectures of the truth without a score of every supernet.",
        ]
        if any(c.gaps for c in columns) and self.n_boot:
            nested = _resampled(max(seeds))
            sentences.append(
                f"Brackets: 95 % intervals, percentile bootstrap over {nested} ({self.n_boot:,} draws, seed "
                f"{self.seed}); of the parameters over architectures. Δ parameters: statistic minus that of the "
                "parameters, on the same architectures in every draw."
            )
        said = "; ".join(f"{arm.label}: {arm.protocol}, {arm.part}" for arm in i.arms)
        sentences.append(f"Supernets: {said}.")
        lower = [r.label for r in i.readings if direction(r.name) < 0]
        if lower:
            sentences.append(f"Lower is better in {', '.join(lower)}; turned round first.")
        if self.second is not None:
            sentences.append(f"With {i.second_truth}: the same scores against that truth.")
        elif i.second_truth is not None:
            sentences.append(f"The second truth, {i.second_truth}, is not in the data folder.")
        if i.published:
            sentences.append(f"Published: {'; '.join(dict.fromkeys(p.where for p in i.published))}.")
        sentences.append(f"Within each kind of supernet: {EMPHASIS_NOTE[0].lower()}{EMPHASIS_NOTE[1:]}")
        if any(statistic.startswith("topk_mean") for statistic in i.statistics):
            sentences.append("Of top-k means the standard deviation stands in for the interval.")
        return " ".join(sentences)

    # --- other tables -----------------------------------------------------------------------------------

    def spread(self) -> Table:
        """How far the architectures lie apart in every reading: raw scores, means over supernets."""
        rows = self._read().group_by(*_ARM, "proxy", "step", "arch").agg(pl.col("value").mean())
        found = []
        for arm in self.item.arms:
            for reading in self.item.readings:
                one = self._of(rows, arm).filter(
                    pl.col("proxy") == reading.name, pl.col("step").eq_missing(reading.step)
                )
                low, middle, high = np.quantile(one["value"].to_numpy(), [0.0, 0.5, 1.0]).tolist()
                unit = next((u for u in ("%", "nats") if proxy_axis(reading.name).endswith(f"({u})")), "")
                found.append((arm.label, reading.label, reading.step, unit, low, middle, high, len(one)))
        columns = ["supernet", "measure", "minibatches", "unit", "lowest", "median", "highest", "n_archs"]
        return plain_table(
            f"{self.item.name}-spread",
            "How far the architectures lie apart",
            pl.DataFrame(found, schema=columns, orient="row"),
            [*columns[:-1], "n"],
            ["s", "s", "d", "s", ",.2f", ",.2f", ",.2f", "d"],
            "Lowest, median and highest over the architectures, each a mean over the supernets.",
        )

    def between(self) -> Table:
        """Rank correlation between readings themselves, truth left aside: mean and spread over supernets."""
        i = self.item
        names = {reading.label: reading.name for reading in i.readings}
        printed = {(p.measure, arm): text for p in i.published for arm, text in p.values.items()}
        statistic, rows, found = i.statistics[0], self._read(), []
        for arm, (pair, labels) in product(i.arms, i.pairs.items()):
            first, second = (names[label] for label in labels)
            both = self._of(rows, arm).filter(pl.col("proxy").is_in([first, second]))
            values, n = [], 0
            for one in both.partition_by("seed", maintain_order=True):
                matrix = stats.proxy_matrix(one.with_columns(step=None, unit=None), statistic=statistic)
                row = matrix.row(by_predicate=(pl.col("first") == first) & (pl.col("second") == second), named=True)
                values.append(float("nan") if row["estimate"] is None else row["estimate"])
                n = row["n_archs"]
            spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
            found.append(
                (arm.label, pair, float(np.mean(values)), spread, printed.get((pair, arm.label)), len(values), n)
            )
        columns = ["supernet", "measures", statistic, "sd", "published", "supernets", "n_archs"]
        return plain_table(
            f"{i.name}-between",
            "Do the measures rank alike?",
            pl.DataFrame(found, schema=columns, orient="row", schema_overrides={"published": pl.String()}),
            ["supernet", "measures", statistic_label(statistic), "sd", "published", "supernets", "n"],
            ["s", "s", ".3f", ".3f", "s", "d", "d"],
            "Of one measure with another on the same architectures, each turned so that higher is better.",
        )

    def against_recorded(self, setting: str) -> Table:
        """Our scores against those that the benchmark's files record under the same name and `setting`."""
        i = self.item
        rows = self._read().with_columns(step=None, unit=None)
        held = self.benchmark.scores(i.dataset, archs=rows["arch"].unique().to_list())
        held = held.filter(pl.col("setting") == setting)
        found = []
        for arm, reading in product(i.arms, i.readings):
            theirs = held.filter(pl.col("proxy") == reading.name)
            if theirs.is_empty():
                raise UnknownNameError(f"score recorded under {setting!r}", reading.name, held["proxy"].unique().sort())
            ours = self._of(rows, arm).filter(pl.col("proxy") == reading.name)
            both = [ours, theirs.select(ours.columns).with_columns(step=None, unit=None, proxy=pl.lit(RECORDED))]
            pair = pl.concat([frame.with_columns(method=pl.lit(""), setting=pl.lit("")) for frame in both])
            sign = direction(reading.name)
            matrix = stats.proxy_matrix(
                pair,
                statistic="spearman_rho",
                n_boot=self.n_boot,
                seed=self.seed,
                directions={reading.name: sign, RECORDED: sign},
            )
            row = matrix.row(
                by_predicate=(pl.col("first") == reading.name) & (pl.col("second") == RECORDED), named=True
            )
            shared = ours.join(theirs, on="arch", suffix="_recorded").drop_nulls(["value", "value_recorded"])
            medians = (shared["value"].median(), shared["value_recorded"].median())
            found.append(
                (arm.label, reading.label, row["estimate"], row["ci_low"], row["ci_high"], *medians, row["n_archs"])
            )
        columns = ["supernet", "measure", "spearman_rho", "ci_low", "ci_high", "median", "recorded_median", "n_archs"]
        return plain_table(
            f"{i.name}-recorded",
            "Our values against the published ones of the same architectures",
            pl.DataFrame(found, schema=columns, orient="row"),
            [
                "network",
                "measure",
                statistic_label("spearman_rho"),
                "low",
                "high",
                "our median",
                "published median",
                "n",
            ],
            ["s", "s", ".3f", ".3f", ".3f", ",.4g", ",.4g", "d"],
            "Spearman's rho of ours with theirs; low and high: 95 % interval, bootstrap over architectures.",
        )

    # --- figures ----------------------------------------------------------------------------------------

    def steps(self, figure: SupernetFigure) -> Figure:
        """A statistic by minibatch; several arms are drawn on the architectures that all of them score."""
        arms = [arm for label in figure.arms for arm in self.item.arms if arm.label == label]
        scored = [p for p in figure.proxies if p != "params"]
        rows = self.scores.filter(pl.col("proxy").is_in(scored))
        parts = [self._of(rows, arm) for arm in arms]
        for part, arm in zip(parts, arms, strict=True):
            if lost := [p for p in scored if p not in part["proxy"]]:
                known = self._of(self.scores, arm)["proxy"].unique().sort()
                raise UnknownNameError(f"measure of {arm.protocol} in {arm.part}", lost[0], known)
        common = set.intersection(*(set(part["arch"]) for part in parts))
        truth = self.truth.filter(pl.col("arch").is_in(sorted(common)))
        lines = []
        for arm, part in zip(arms, parts, strict=True):
            for proxy in scored:
                chosen = part.filter(pl.col("proxy") == proxy, pl.col("arch").is_in(sorted(common)))
                one = self._seeded(truth, chosen, figure.statistic)
                lines.append(one.with_columns(proxy=pl.lit(arm.label if len(arms) > 1 else proxy)))
        spread = bool(lines[0]["ci_low"].is_null().all())
        if spread:
            lines = [
                one.with_columns(ci_low=pl.col("estimate") - pl.col("sd"), ci_high=pl.col("estimate") + pl.col("sd"))
                for one in lines
            ]
        frame = pl.concat(lines)
        if "params" in figure.proxies:
            costs = self.params.filter(pl.col("arch").is_in(sorted(common)))
            bar = stats.correlate(truth, costs, statistics=(figure.statistic,), n_boot=0)
            frame = pl.concat([frame, bar], how="diagonal")

        def draw() -> Any:
            ax = plots.plot_correlation_by_step(frame, figure.statistic, ax=new_axes(figsize=(8.2, 4.2)))
            legend_beside(ax)
            return ax

        seeds = max(int(one["n_score_seeds"].to_list()[0]) for one in lines)
        said = f"95 % intervals over {_resampled(seeds)}"
        if spread:
            said = "± one standard deviation over supernets" if frame["sd"].is_not_null().any() else ""
        subject = ", ".join(scored) if len(arms) > 1 else arms[0].label
        caption = figure.caption or f"{statistic_label(figure.statistic)} by minibatch: {subject}."
        return Figure(
            f"{self.item.name}-{figure.name}",
            f"{caption} {int(frame['n_archs'].to_numpy().max()):,} architectures{'; bands: ' if said else ''}{said}.",
            draw,
            frame,
        )

    def losses(self, figure: SupernetFigure) -> Figure:
        """Training losses of groups of architectures, a panel for each arm."""
        held = pl.concat([read_frame(kept_file(name), "CURVES") for name in self.item.losses])
        panels = []
        for label in figure.arms:
            arm = next(a for a in self.item.arms if a.label == label)
            rows = self._of(held, arm).drop_nulls("train_loss").filter(pl.col("step") >= 1)
            if rows.is_empty():
                there = [f"{m} in {s}" for m, s in held.select(_ARM).unique().sort(_ARM).iter_rows()]
                raise UnknownNameError("supernet of these losses", f"{arm.protocol} in {arm.part}", there)
            last = int(rows["step"].to_numpy().max())
            ends = ((pl.col("step") + figure.window - 1) // figure.window * figure.window).clip(upper_bound=last)
            keys = ["benchmark", "dataset", "arch", *_ARM, "schedule", "seed", "unit"]
            rows = rows.with_columns(step=ends).group_by(*keys, "step").agg(pl.col("train_loss").mean())
            found = plots.losses_by_group(rows, self.truth, groups=figure.groups)
            panels.append(found.select(pl.lit(label).alias("supernet"), pl.all()))

        def draw() -> Any:
            axes = new_panels(len(panels))
            for ax, panel in zip(axes, panels, strict=True):
                what = "training loss" + (f", mean of {figure.window} minibatches" if figure.window > 1 else "")
                plots.plot_losses_by_group(panel, ax=ax, title=panel["supernet"][0], label=f"{what} (nats)")
                ax.label_outer()
                if ax is axes[-1]:
                    legend_beside(ax)
                elif (legend := ax.get_legend()) is not None:
                    legend.remove()
            return axes[0]

        caption = figure.caption or "Training loss during finetuning, architectures grouped by true accuracy."
        return Figure(
            f"{self.item.name}-{figure.name}",
            f"{caption} Means over supernets; bands: quartiles of the architectures of a group.",
            draw,
            pl.concat(panels),
        )

    def curvature(self, figure: SupernetFigure) -> Figure:
        """Loss under noise of architectures from the best to the worst, a panel for each arm."""
        truth = self.truth
        means = truth.group_by("arch").agg(pl.col("accuracy").mean()).filter(pl.col("accuracy") >= figure.above)
        order = means.sort("accuracy", "arch", descending=True)["arch"]
        panels = []
        for label in figure.arms:
            arm = next(a for a in self.item.arms if a.label == label)
            rows = self._of(self.perturbed, arm)
            held = [arch for arch in order if arch in set(rows["arch"])]
            picked = [held[round(k)] for k in np.linspace(0, len(held) - 1, min(figure.archs, len(held)))]
            found = plots.loss_curvature(rows.filter(pl.col("arch").is_in(picked)), truth)
            panels.append(found.select(pl.lit(label).alias("supernet"), pl.all()))

        def draw() -> Any:
            axes = new_panels(len(panels))
            for ax, panel in zip(axes, panels, strict=True):
                plots.plot_loss_curvature(panel, ax=ax, title=panel["supernet"][0])
            return axes[0]

        return Figure(
            f"{self.item.name}-{figure.name}",
            figure.caption or "Validation loss under weight noise, from the best architecture to the worst.",
            draw,
            pl.concat(panels),
        )


def _over(rows: pl.DataFrame) -> Literal["nested", "archs"]:
    """Seeds are resampled where there are several."""
    return "nested" if rows["seed"].n_unique() > 1 else "archs"


def _resampled(seeds: int) -> str:
    return "architectures and supernets" if seeds > 1 else "architectures"


def _truth_seeds(column: Column) -> str:
    return ", ".join(sorted({str(row["truth_seeds"]) for row in column.own.values() if row.get("truth_seeds")}))

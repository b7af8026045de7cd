"""Sections of a study about live supernets: tables and figures of ``[[supernet]]`` items (`supernet_items`).

Statistics are means over supernets of one kind with their standard deviation; intervals are bootstraps over
architectures and supernets, and differences to the parameter count see the same architectures in every draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ... import stats
from ...core.errors import StudyError, UnknownNameError
from ...loaders import load_benchmark
from ...loaders.samples import SAMPLES, sample_file
from ...plots.style import proxy_axis, statistic_label
from ...proxies import direction
from ...report.model import Figure, Mark, Section, Table
from ...report.tables import EMPHASIS_NOTE, plain_table, significant
from .figures import FIGURES
from .frames import ARM, ItemFrames, kept_file, resampled, resampling
from .items import PARAMETERS, SupernetItem
from .tables import WITH_PARAMS, Column, training_table, whole

#: Stands for the recorded score beside ours.
RECORDED = "recorded"


def supernet_section(item: SupernetItem, data: Path | str | None, *, n_boot: int, seed: int) -> Section:
    """Run `item`; `MissingDataError` where a file or the truth is not here."""
    tables: list[Table] = []
    figures: list[Figure] = []
    if item.scores:
        run = _Tables(item, load_benchmark(item.benchmark, data), data, n_boot, seed)
        if item.readings:
            tables.append(run.ranking())
        if item.spread:
            tables.append(run.spread())
        if item.between:
            tables.append(run.between())
        if item.recorded:
            tables.append(run.against_recorded(item.recorded))
        figures = [FIGURES[figure.kind](run, figure) for figure in item.figures]
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


class _Tables(ItemFrames):
    """The tables of an item."""

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
                rows = self.of(of_proxy, arm)
                found = rows.filter(pl.col("step").eq_missing(reading.step))
                if found.is_empty():
                    if rows.is_empty():
                        known = self.of(self.scores, arm)["proxy"].unique().sort()
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
        own = self._by_label(self.seeded(truth, rows, measured))
        second: dict[tuple[str, str], dict[str, Any]] = {}
        gaps: dict[tuple[str, str], dict[str, Any]] = {}
        if not with_params:
            bar = stats.correlate(truth, self.params, statistics=(measured,), n_boot=self.n_boot, seed=self.seed)
            own[PARAMETERS, ""] = self._bare(bar)
            if self.second is not None:
                second = self._by_label(self.seeded(self.second, rows, measured))
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
                over=resampling(part),
                n_boot=self.n_boot,
                seed=self.seed,
            )
            for part in rows.partition_by(ARM, maintain_order=True)
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
            nested = resampled(max(seeds))
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
        rows = self._read().group_by(*ARM, "proxy", "step", "arch").agg(pl.col("value").mean())
        found = []
        for arm in self.item.arms:
            for reading in self.item.readings:
                one = self.of(rows, arm).filter(
                    pl.col("proxy") == reading.name, pl.col("step").eq_missing(reading.step)
                )
                low, middle, high = np.quantile(one["value"].to_numpy(), [0.0, 0.5, 1.0]).tolist()
                unit = next((u for u in ("%", "nats", "radians") if proxy_axis(reading.name).endswith(f"({u})")), "")
                found.append((arm.label, reading.label, reading.step, unit, low, middle, high, len(one)))
        columns = ["supernet", "measure", "minibatches", "unit", "lowest", "median", "highest", "n_archs"]
        return plain_table(
            f"{self.item.name}-spread",
            "How far the architectures lie apart",
            pl.DataFrame(found, schema=columns, orient="row"),
            [*columns[:-1], "n"],
            ["s", "s", "d", "s", significant, significant, significant, "d"],
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
            both = self.of(rows, arm).filter(pl.col("proxy").is_in([first, second]))
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
            ours = self.of(rows, arm).filter(pl.col("proxy") == reading.name)
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
            ["s", "s", ".3f", ".3f", ".3f", significant, significant, "d"],
            "Spearman's rho of ours with theirs; low and high: 95 % interval, bootstrap over architectures.",
        )


def _truth_seeds(column: Column) -> str:
    return ", ".join(sorted({str(row["truth_seeds"]) for row in column.own.values() if row.get("truth_seeds")}))

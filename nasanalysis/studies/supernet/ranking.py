"""The table of readings: every measure of every supernet by its statistics, the parameter count first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import polars as pl

from ... import stats
from ...loaders.samples import sample_label
from ...proxies import direction
from ...report.cells import EMPHASIS_NOTE, whole
from ...report.model import Mark, Table
from ...report.published import by_cell, places
from ...stats.resampling import Resampling
from .column import WITH_PARAMS, Column, Line, Rows
from .frames import ARM, ItemFrames, resampled, resampling_of
from .items import PARAMETERS


def ranking_table(run: ItemFrames) -> Table:
    """One row for each arm and reading, the parameter count first."""
    item = run.item
    columns = [_column(run, statistic) for statistic in item.statistics]
    lines: list[Line] = [(PARAMETERS, None, None), *((r.label, r.step, a) for a in item.arms for r in item.readings)]
    header, numeric = [item.words.one, "measure", item.words.steps], [False, False, True]
    cells = [[arm.label if arm else "–", measure, whole(step)] for measure, step, arm in lines]
    marks = [[Mark.NONE] * 3 for _ in lines]
    for column in columns:
        for head, texts, emphasised in column.shown(lines):
            header.append(head)
            numeric.append(True)
            for line, text, mark in zip(range(len(lines)), texts, emphasised, strict=True):
                cells[line].append(text)
                marks[line].append(mark)
    for line, (label, _, arm) in enumerate(lines):
        row = columns[0].ours[label, arm.label if arm else ""]
        cells[line] += [whole(row["n_archs"]), whole(row["n_missing"])]
        marks[line] += [Mark.NONE] * 2
    data = pl.DataFrame([row for c in columns for row in c.record(lines)], infer_schema_length=None)
    header, numeric = [*header, "n", "missing"], [*numeric, True, True]
    return Table(item.name, item.title, header, cells, data, numeric, _note(run, columns), marks)


def _column(run: ItemFrames, statistic: str) -> Column:
    published, second_truth = by_cell(run.item.published), run.item.second_truth
    if statistic in WITH_PARAMS:  # the parameter count with itself says nothing, and has no bar to be ahead of
        ours = _by_label(run, run.seeded(run.params_as_truth, run.readings, WITH_PARAMS[statistic]))
        ours[PARAMETERS, ""] = {"estimate": None, "n_archs": None, "n_missing": None}
        return Column(statistic, ours, {}, {}, published, None)
    ours = _by_label(run, run.seeded(run.truth, run.readings, statistic))
    ours[PARAMETERS, ""] = _bar(run, run.truth, statistic, run.resampling.n)
    second: Rows = {}
    if run.second is not None:
        second = _by_label(run, run.seeded(run.second, run.readings, statistic))
        second[PARAMETERS, ""] = _bar(run, run.second, statistic, 0)
    with_intervals = stats.get_statistic(statistic).interval == "bootstrap"
    gaps = _by_label(run, _gaps(run, statistic)) if with_intervals else {}
    return Column(statistic, ours, second, gaps, published, second_truth if second else None, _ties(run, statistic))


def _ties(run: ItemFrames, statistic: str) -> frozenset[tuple[str, str]]:
    """The readings that are not told apart from the best of their arm, seed by seed."""
    resampling = Resampling(run.resampling.n, run.resampling.seed)
    rows = _by_label(run, stats.seeds_beside_best(run.truth, run.readings, (statistic,), resampling=resampling))
    return frozenset(key for key, row in rows.items() if row["standing"] == "tied")


def _gaps(run: ItemFrames, statistic: str) -> pl.DataFrame:
    """Differences of every reading to the parameter count."""
    parts: list[pl.DataFrame] = [
        stats.seeds_against_baseline(
            run.truth,
            part,
            run.params,
            statistic=statistic,
            over=resampling_of(part),
            n_boot=run.resampling.n,
            seed=run.resampling.seed,
        )
        for part in run.readings.partition_by(ARM, maintain_order=True)
    ]
    return pl.concat(parts)


def _by_label(run: ItemFrames, frame: pl.DataFrame) -> Rows:
    """(label of a reading, label of an arm) -> row."""
    rows = {(r["method"], r["setting"], r["proxy"], r["step"]): r for r in frame.to_dicts()}
    return {
        (reading.label, arm.label): rows[arm.protocol, arm.part, reading.name, reading.step]
        for reading in run.item.readings
        for arm in run.item.arms
    }


def _bar(run: ItemFrames, truth: pl.DataFrame, statistic: str, n_boot: int) -> dict[str, Any]:
    """The row of the parameter count; intervals from halves belong to smaller samples and are left out."""
    frame = stats.correlate(truth, run.params, statistics=(statistic,), n_boot=n_boot, seed=run.resampling.seed)
    row: dict[str, Any] = frame.row(0, named=True)
    if row["interval"] and "halves" in row["interval"]:
        row |= {"ci_low": None, "ci_high": None, "interval": None}
    return row


def _note(run: ItemFrames, columns: Sequence[Column]) -> str:
    return " ".join([*_subject(run, columns), *_intervals(run, columns), *_beside(run)])


def _subject(run: ItemFrames, columns: Sequence[Column]) -> Iterator[str]:
    i = run.item
    after = f" after {i.schedule} epochs" if i.schedule else ""
    truths = sorted({str(row["truth_seeds"]) for row in columns[0].ours.values() if row.get("truth_seeds")})
    yield f"Truth: {i.split} accuracy{after} of {run.benchmark.name} ({', '.join(truths)})."
    yield f"Architectures: {sample_label(i.sample)}."
    seeds = _seeds(columns)
    if max(seeds) > 1:
        yield f"Mean ± standard deviation over {' or '.join(map(str, seeds))} {i.words.many} of each kind."
    else:
        yield f"One {i.words.many.removesuffix('s')} of each kind."
    yield f"Missing: architectures of the truth without a score of every {i.words.many.removesuffix('s')}."


def _intervals(run: ItemFrames, columns: Sequence[Column]) -> Iterator[str]:
    if any(c.gaps for c in columns) and run.resampling.n:
        yield (
            f"Brackets: 95 % intervals, percentile bootstrap over {_drawn(c.gaps for c in columns)} "
            f"({run.resampling.n:,} draws, seed {run.resampling.seed}); of the parameters over "
            f"{_drawn(_bars(columns))}. Δ parameters: statistic minus that of the parameters, on the same "
            "architectures in every draw."
        )


def _drawn(rows: Iterable[Rows]) -> str:
    return resampled(row.get("interval") for some in rows for row in some.values())


def _bars(columns: Sequence[Column]) -> Iterator[Rows]:
    """The rows of the parameter count."""
    for column in columns:
        yield {key: row for key, row in column.ours.items() if key == (PARAMETERS, "")}


def _beside(run: ItemFrames) -> Iterator[str]:
    i = run.item
    if any(arm.part for arm in i.arms):
        yield f"Supernets: {'; '.join(f'{arm.label}: {arm.protocol}, {arm.part}' for arm in i.arms)}."
    lower = [r.label for r in i.readings if direction(r.name) < 0]
    if lower:
        yield f"Lower is better in {', '.join(lower)}; turned round first."
    if run.second is not None:
        yield f"With {i.second_truth}: the same scores against that truth."
    elif i.second_truth is not None:
        yield f"The second truth, {i.second_truth}, is not in the data folder."
    if i.published:
        yield f"Published: {places(i.published)}."
    yield f"Within each kind of {i.words.many.removesuffix('s')}: {EMPHASIS_NOTE[0].lower()}{EMPHASIS_NOTE[1:]}"
    if any(statistic.startswith("topk_mean") for statistic in i.statistics):
        yield "Of top-k means the standard deviation stands in for the interval."


def _seeds(columns: Sequence[Column]) -> list[int]:
    """How many supernets there are of a kind."""
    return sorted({int(row["n_score_seeds"]) for c in columns for row in c.ours.values() if "n_score_seeds" in row})

"""STATS and reliability frames -> tables for a reader."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

from ..plots.style import proxy_label, statistic_label
from .cells import emphasis, emphasis_note, number, with_interval
from .model import Mark, Table
from .published import Cells, Published


def statistics_table(
    name: str,
    title: str,
    stats: pl.DataFrame,
    published: Cells | None = None,
    note: str = "",
    standings: pl.DataFrame | None = None,
) -> Table:
    """One row for each (dataset, proxy), one column for each statistic with its interval.

    `stats`: STATS frame with one step for each proxy. Published figures (rows are (dataset, proxy), columns
    statistics) stand in a column of their own beside ours, with the difference. The best of each dataset and
    statistic is marked; `standings` (of `nasanalysis.stats.beside_best`) says which are not told apart from it.
    """
    published = published or {}
    statistics = stats["statistic"].unique(maintain_order=True).to_list()
    several = stats["dataset"].n_unique() > 1
    stepped = stats["step"].is_not_null().any()
    with_published = [s for s in statistics if any(column == s for _, column in published)]
    header = [*(["dataset"] if several else []), "proxy", *(["step"] if stepped else [])]
    numeric = [False] * (len(header) - int(stepped)) + [True] * int(stepped)
    for statistic in statistics:
        header.append(statistic_label(statistic))
        numeric.append(True)
        if statistic in with_published:
            header += ["published", "difference"]
            numeric += [True, True]
    header += ["n", "missing"]
    numeric += [True, True]
    rows, record, marks = [], [], []
    emphasised = _emphasised(stats, standings)
    for (dataset, proxy, step), group in stats.group_by("dataset", "proxy", "step", maintain_order=True):
        line = [
            *([str(dataset)] if several else []),
            proxy_label(str(proxy)),
            *(["" if step is None else str(step)] if stepped else []),
        ]
        marked = [Mark.NONE] * len(line)
        by_name = {row["statistic"]: row for row in group.to_dicts()}
        for statistic in statistics:
            row = by_name.get(statistic)
            digits = 2 if statistic.startswith("topk_mean") else 3
            if row is None:
                line += ["–"] * (3 if statistic in with_published else 1)
                marked += [Mark.NONE] * (3 if statistic in with_published else 1)
                continue
            mark = emphasised[str(dataset), str(proxy), step, statistic]
            marked += [mark, *([Mark.NONE] * 2 if statistic in with_published else [])]
            if (
                row["interval"] and "halves" in row["interval"]
            ):  # of samples half the size: in the CSV, not beside the estimate
                line.append(number(row["estimate"], digits))
            else:
                line.append(with_interval(row["estimate"], row["ci_low"], row["ci_high"], digits))
            printed = published.get(((str(dataset), str(proxy)), statistic))
            if statistic in with_published:
                line += [printed.text if printed else "–", _difference(row["estimate"], printed)]
            beside = {
                "published": printed.number if printed else None,
                "published_in": printed.where if printed else None,
            }
            record.append({**row, "mark": mark.words, **beside})
        first = group.row(0, named=True)
        line += [f"{first['n_archs']:,}", f"{first['n_missing']:,}"]
        rows.append(line)
        marks.append([*marked, Mark.NONE, Mark.NONE])
    note = f"{note} {emphasis_note(marks)}".strip()
    return Table(name, title, header, rows, pl.DataFrame(record, infer_schema_length=None), numeric, note, marks)


def _difference(estimate: float | None, printed: Published | None) -> str:
    """Ours minus the published."""
    return "–" if printed is None or estimate is None else f"{estimate - printed.number:+.3f}"


def _emphasised(stats: pl.DataFrame, standings: pl.DataFrame | None) -> dict[tuple[object, ...], Mark]:
    """(dataset, proxy, step, statistic) -> mark."""
    keys = ["dataset", "proxy", "step", "statistic"]
    ties = set() if standings is None else set(standings.filter(standing="tied").select(keys).rows())
    marks: dict[tuple[object, ...], Mark] = {}
    for _, group in stats.group_by("dataset", "statistic", maintain_order=True):
        rows = group.select(keys).rows()
        marks |= dict(zip(rows, emphasis(group["estimate"].to_list(), [row in ties for row in rows]), strict=True))
    return marks


def reliability_text(name: str, title: str, table: pl.DataFrame, note: str = "") -> Table:
    """The reliability frame of `nasanalysis.stats.reliability_table` for a reader."""
    several = table["dataset"].n_unique() > 1
    header = [
        *(["dataset"] if several else []),
        "architectures",
        "n",
        "runs each",
        "reliability of one run",
        "of their mean",
        "ceiling",
    ]
    rows = []
    for row in table.to_dicts():
        share = "all" if row["fraction"] == 1 else f"best {row['fraction']:.0%}"
        rows.append(
            [
                *([row["dataset"]] if several else []),
                share,
                f"{row['n_archs']:,}",
                f"{row['n_seeds']:g}",
                with_interval(row["reliability"], row["ci_low"], row["ci_high"], 3),
                number(row["reliability_of_mean"], 3),
                number(row["ceiling"], 3),
            ]
        )
    numeric = [False] * (2 if several else 1) + [True] * 5
    reasons = dict.fromkeys(f"No reliability: {why}." for why in table["reason"].drop_nulls())
    return Table(name, title, header, rows, table, numeric, " ".join([note, *reasons]).strip())


def plain_table(
    name: str,
    title: str,
    frame: pl.DataFrame,
    header: Sequence[str],
    formats: Sequence[str | Callable[[Any], str]],
    note: str = "",
    *,
    rows: Sequence[int] | None = None,
) -> Table:
    """A frame shown as it is: one format spec for each column, such as ``s``, ``d``, ``.3f``, or `significant`.

    `rows`: which rows a reader is shown (all by default); the CSV file holds every one.
    """
    shown = frame if rows is None else frame[list(rows)]
    cells = [
        [
            "–" if value is None else spec(value) if callable(spec) else format(value, spec)
            for value, spec in zip(row, formats, strict=True)
        ]
        for row in shown.iter_rows()
    ]
    return Table(name, title, list(header), cells, frame, [spec != "s" for spec in formats], note)

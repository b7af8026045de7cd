"""STATS and reliability frames -> tables for a reader; a table -> Markdown, LaTeX, CSV."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import polars as pl

from ..plots.style import proxy_label, statistic_label
from .model import Table

#: (dataset, proxy, statistic) -> (published value as printed, where).
Published = Mapping[tuple[str, str, str], tuple[str, str]]


def number(value: float | None, digits: int) -> str:
    """Fixed decimals; an en dash for what is undefined."""
    return "–" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def with_interval(estimate: float | None, low: float | None, high: float | None, digits: int) -> str:
    """``0.793 [0.735, 0.840]``, or the estimate alone where there is no interval."""
    text = number(estimate, digits)
    return (
        text
        if low is None or high is None or text == "–"
        else f"{text} [{number(low, digits)}, {number(high, digits)}]"
    )


def statistics_table(
    name: str, title: str, stats: pl.DataFrame, published: Published | None = None, note: str = ""
) -> Table:
    """One row for each (dataset, proxy), one column for each statistic with its interval.

    `stats`: STATS frame with one step for each proxy. Published figures stand in a column of their own
    beside ours, with the difference.
    """
    published = published or {}
    statistics = stats["statistic"].unique(maintain_order=True).to_list()
    several = stats["dataset"].n_unique() > 1
    stepped = stats["step"].is_not_null().any()
    with_published = [s for s in statistics if any(key[2] == s for key in published)]
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
    rows, record = [], []
    for (dataset, proxy, step), group in stats.group_by("dataset", "proxy", "step", maintain_order=True):
        line = [*([str(dataset)] if several else []), proxy_label(str(proxy)), *([_step(step)] if stepped else [])]
        by_name = {row["statistic"]: row for row in group.to_dicts()}
        for statistic in statistics:
            row = by_name.get(statistic)
            digits = 2 if statistic.startswith("topk_mean") else 3
            if row is None:
                line += ["–"] * (3 if statistic in with_published else 1)
                continue
            if (
                row["interval"] and "halves" in row["interval"]
            ):  # of samples half the size: in the CSV, not beside the estimate
                line.append(number(row["estimate"], digits))
            else:
                line.append(with_interval(row["estimate"], row["ci_low"], row["ci_high"], digits))
            printed, where = published.get((str(dataset), str(proxy), statistic), ("", ""))
            if statistic in with_published:
                line += [
                    printed or "–",
                    f"{row['estimate'] - float(printed):+.3f}" if printed and row["estimate"] is not None else "–",
                ]
            record.append({**row, "published": float(printed) if printed else None, "published_in": where or None})
        first = group.row(0, named=True)
        line += [f"{first['n_archs']:,}", f"{first['n_missing']:,}"]
        rows.append(line)
    return Table(name, title, header, rows, pl.DataFrame(record, infer_schema_length=None), numeric, note)


def _step(step: object) -> str:
    return "" if step is None else str(step)


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
    return Table(name, title, header, rows, table, numeric, note)


def plain_table(
    name: str,
    title: str,
    frame: pl.DataFrame,
    header: Sequence[str],
    formats: Sequence[str],
    note: str = "",
    *,
    rows: Sequence[int] | None = None,
) -> Table:
    """A frame shown as it is: one format spec for each column, such as ``s``, ``d`` or ``.3f``.

    `rows`: which rows a reader is shown (all by default); the CSV file holds every one.
    """
    shown = frame if rows is None else frame[list(rows)]
    cells = [
        ["–" if value is None else format(value, spec) for value, spec in zip(row, formats, strict=True)]
        for row in shown.iter_rows()
    ]
    return Table(name, title, list(header), cells, frame, [spec != "s" for spec in formats], note)


def to_markdown(table: Table) -> str:
    """GitHub Markdown: title, table, note."""
    cells = [[c.replace("|", "\\|") for c in line] for line in [table.header, *table.rows]]
    rule = ["---:" if right else ":---" for right in table.numeric]
    lines = ["| " + " | ".join(line) + " |" for line in [cells[0], rule, *cells[1:]]]
    return "\n".join([f"**{table.title}**", "", *lines, *(["", table.note] if table.note else []), ""])


_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "ρ": r"$\rho$",
    "τ": r"$\tau$",
    "±": r"$\pm$",
    "–": "--",
    "−": "$-$",
    "×": r"$\times$",
    "σ": r"$\sigma$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
}


def latex_text(text: str) -> str:
    """Text safe to put into LaTeX."""
    return "".join(_LATEX.get(character, character) for character in text)


def to_latex(table: Table) -> str:
    """A LaTeX table with booktabs rules."""
    columns = "".join("r" if right else "l" for right in table.numeric)
    lines = [" & ".join(latex_text(c) for c in line) + r" \\" for line in [table.header, *table.rows]]
    return "\n".join(
        [
            r"% needs \usepackage{booktabs}",
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{latex_text(table.title)}. {latex_text(table.note)}}}",
            rf"\label{{tab:{table.name}}}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            lines[0],
            r"\midrule",
            *lines[1:],
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )

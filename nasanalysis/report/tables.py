"""STATS and reliability frames -> tables for a reader; a table -> Markdown, LaTeX, HTML."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jinja2
import polars as pl
from markupsafe import Markup, escape

from ..core.errors import StudyError
from ..plots.style import proxy_label, statistic_label
from .model import Mark, Table

#: (dataset, proxy, statistic) -> (published value as printed, where).
Published = Mapping[tuple[str, str, str], tuple[str, str]]


def number(value: float | None, digits: int) -> str:
    """Fixed decimals; an en dash for what is undefined."""
    return "–" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def significant(value: float, digits: int = 4) -> str:
    """`digits` significant ones, without an exponent, and whole numbers whole: 0.001221, 42.44, 116,503."""
    if not math.isfinite(value) or value == 0:
        return f"{value:g}"
    return f"{value:,.{max(0, digits - 1 - math.floor(math.log10(abs(value))))}f}"


def with_interval(estimate: float | None, low: float | None, high: float | None, digits: int) -> str:
    """``0.793 [0.735, 0.840]``, or the estimate alone where there is no interval."""
    text = number(estimate, digits)
    return (
        text
        if low is None or high is None or text == "–"
        else f"{text} [{number(low, digits)}, {number(high, digits)}]"
    )


def with_spread(estimate: float | None, spread: float | None, digits: int) -> str:
    """``0.79 ± 0.02``, or the estimate alone where there is no spread."""
    text = number(estimate, digits)
    return text if spread is None or not math.isfinite(spread) or text == "–" else f"{text} ± {number(spread, digits)}"


#: What the marks of `emphasis` mean, for a table's note.
EMPHASIS_NOTE = "Bold: best; underlined: second; †: within the 95 % interval of the best."


def emphasis(
    estimates: Sequence[float | None],
    lows: Sequence[float | None] | None = None,
    highs: Sequence[float | None] | None = None,
    *,
    direction: int = 1,
    tied: Sequence[bool] | None = None,
) -> list[Mark]:
    """Which of several values is best, second, and not told from the best.

    Parameters
    ----------
    estimates: (n,); undefined ones get no mark. Equal values share their mark.
    lows, highs: intervals; a value within the interval of the best is a tie.
    direction: +1 if higher is better, -1 if lower is.
    tied: where a paired test says which are ties, its answer, used instead of the intervals.

    Fewer than two defined values are not compared.
    """
    defined = [v is not None and math.isfinite(v) for v in estimates]
    order = sorted({direction * v for v in estimates if v is not None and math.isfinite(v)}, reverse=True)
    marks = [Mark.NONE] * len(estimates)
    if sum(defined) < 2:
        return marks
    best = next(i for i, v in enumerate(estimates) if v is not None and direction * v == order[0])
    low, high = lows[best] if lows else None, highs[best] if highs else None
    for i, value in enumerate(estimates):
        if value is None or not math.isfinite(value):
            continue
        if direction * value == order[0]:
            marks[i] |= Mark.BEST
            continue
        if direction * value == order[1]:
            marks[i] |= Mark.SECOND
        within = low is not None and high is not None and low <= value <= high
        if tied[i] if tied is not None else within:
            marks[i] |= Mark.TIE
    return marks


def statistics_table(
    name: str, title: str, stats: pl.DataFrame, published: Published | None = None, note: str = ""
) -> Table:
    """One row for each (dataset, proxy), one column for each statistic with its interval.

    `stats`: STATS frame with one step for each proxy. Published figures stand in a column of their own
    beside ours, with the difference. The best of each dataset and statistic is marked, see `emphasis`.
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
    rows, record, marks = [], [], []
    emphasised = _emphasised(stats)
    for (dataset, proxy, step), group in stats.group_by("dataset", "proxy", "step", maintain_order=True):
        line = [*([str(dataset)] if several else []), proxy_label(str(proxy)), *([_step(step)] if stepped else [])]
        own = [Mark.NONE] * len(line)
        by_name = {row["statistic"]: row for row in group.to_dicts()}
        for statistic in statistics:
            row = by_name.get(statistic)
            digits = 2 if statistic.startswith("topk_mean") else 3
            if row is None:
                line += ["–"] * (3 if statistic in with_published else 1)
                own += [Mark.NONE] * (3 if statistic in with_published else 1)
                continue
            mark = emphasised[str(dataset), str(proxy), step, statistic]
            own += [mark, *([Mark.NONE] * 2 if statistic in with_published else [])]
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
            beside = {"published": float(printed) if printed else None, "published_in": where or None}
            record.append({**row, "mark": mark.words, **beside})
        first = group.row(0, named=True)
        line += [f"{first['n_archs']:,}", f"{first['n_missing']:,}"]
        rows.append(line)
        marks.append([*own, Mark.NONE, Mark.NONE])
    if any(mark for line in marks for mark in line):
        note = f"{note} {EMPHASIS_NOTE}".strip()
    return Table(name, title, header, rows, pl.DataFrame(record, infer_schema_length=None), numeric, note, marks)


def _emphasised(stats: pl.DataFrame) -> dict[tuple[object, ...], Mark]:
    """(dataset, proxy, step, statistic) -> mark; intervals from halves belong to smaller samples and tie nothing."""
    found: dict[tuple[object, ...], Mark] = {}
    for _, group in stats.group_by("dataset", "statistic", maintain_order=True):
        whole = not any("halves" in text for text in group["interval"].drop_nulls())
        ends = (group["ci_low"].to_list(), group["ci_high"].to_list()) if whole else (None, None)
        keys = group.select("dataset", "proxy", "step", "statistic").rows()
        found |= dict(zip(keys, emphasis(group["estimate"].to_list(), *ends), strict=True))
    return found


def wide_table(
    name: str,
    title: str,
    frame: pl.DataFrame,
    *,
    rows: str,
    columns: str,
    estimate: str = "estimate",
    spread: str | None = None,
    interval: tuple[str, str] | None = None,
    digits: int = 3,
    direction: int = 1,
    baseline: str | None = None,
    published: Mapping[tuple[str, str], str] | None = None,
    note: str = "",
) -> Table:
    """A tidy frame as a reader compares it: a line for each `rows`, a column for each `columns`.

    Parameters
    ----------
    frame: one row for each (`rows`, `columns`), with `estimate`, and `spread` (shown as ``±``) or `interval`
        (two columns, shown in brackets). Where there is a spread only, values within it of the best are ties.
    direction: +1 if higher is better, -1 if lower is.
    baseline: a value of `rows`; the difference to it then stands beside every value.
    published: (row, column) -> figure as printed elsewhere, in a column of its own beside ours.

    `StudyError` if a cell is held twice or the baseline is missing.
    """
    if frame.select(rows, columns).is_duplicated().any():
        raise StudyError(f"table {name!r}: several rows for one ({rows}, {columns}); filter first")
    lines = frame[rows].unique(maintain_order=True).to_list()
    heads = frame[columns].unique(maintain_order=True).to_list()
    if baseline is not None and baseline not in lines:
        raise StudyError(f"table {name!r}: no row {baseline!r} to compare with; got {', '.join(map(str, lines))}")
    held = {(row[rows], row[columns]): row for row in frame.to_dicts()}
    header, numeric = [rows.replace("_", " ")], [False]
    cells: list[list[str]] = [[str(line)] for line in lines]
    marks = [[Mark.NONE] for _ in lines]
    said: dict[tuple[object, object], Mark] = {}
    for head in heads:
        column = [held.get((line, head), {}) for line in lines]
        values = [row.get(estimate) for row in column]
        if interval:
            ends = [row.get(interval[0]) for row in column], [row.get(interval[1]) for row in column]
            texts = [with_interval(v, a, b, digits) for v, a, b in zip(values, *ends, strict=True)]
        elif spread:
            wide = [row.get(spread) for row in column]
            around = [(v, s) if v is not None and s is not None else None for v, s in zip(values, wide, strict=True)]
            ends = [a and a[0] - a[1] for a in around], [a and a[0] + a[1] for a in around]
            texts = [with_spread(v, s, digits) for v, s in zip(values, wide, strict=True)]
        else:
            ends = [None] * len(lines), [None] * len(lines)
            texts = [number(v, digits) for v in values]
        own = emphasis(values, *ends, direction=direction)
        said |= {(line, head): mark for line, mark in zip(lines, own, strict=True)}
        parts = [(str(head), texts, own)]
        plain = [Mark.NONE] * len(lines)
        if baseline is not None:
            base = held.get((baseline, head), {}).get(estimate)
            deltas = ["–" if v is None or base is None else f"{v - base:+.{digits}f}" for v in values]
            parts.append((f"Δ {baseline}", deltas, plain))
        printed = {line: (published or {}).get((str(line), str(head))) for line in lines}
        if any(printed.values()):
            parts.append(("published", [printed[line] or "–" for line in lines], plain))
        for text, column_cells, column_marks in parts:
            header.append(text)
            numeric.append(True)
            for i, cell in enumerate(column_cells):
                cells[i].append(cell)
                marks[i].append(column_marks[i])
    words = [said[row[rows], row[columns]].words for row in frame.to_dicts()]
    data = frame.with_columns(pl.Series("mark", words, dtype=pl.String))
    if any(said.values()):
        note = f"{note} {EMPHASIS_NOTE if interval else _SPREAD_NOTE if spread else _PLAIN_NOTE}".strip()
    return Table(name, title, header, cells, data, numeric, note, marks)


_SPREAD_NOTE = "Bold: best; underlined: second; †: within the spread of the best."
_PLAIN_NOTE = "Bold: best; underlined: second."


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


def to_markdown(table: Table) -> str:
    """GitHub Markdown: title, table, note; second best by ``<ins>``, for Markdown has no underline."""
    body = [
        [_marked(_bar(cell), mark, "**{}**", "<ins>{}</ins>", "†") for cell, mark in r] for r in table.marked_rows()
    ]
    cells = [[_bar(c) for c in table.header], *body]
    rule = ["---:" if right else ":---" for right in table.numeric]
    lines = ["| " + " | ".join(line) + " |" for line in [cells[0], rule, *cells[1:]]]
    return "\n".join([f"**{table.title}**", "", *lines, *(["", table.note] if table.note else []), ""])


def _bar(text: str) -> str:
    return text.replace("|", "\\|")


def _marked(text: str, mark: Mark, best: str, second: str, tie: str) -> str:
    """The estimate of a cell emphasised; an interval in brackets after it stays plain."""
    head, bracket, interval = text.partition(" [")
    if Mark.BEST in mark:
        head = best.format(head)
    if Mark.SECOND in mark:
        head = second.format(head)
    return head + (tie if Mark.TIE in mark else "") + bracket + interval


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
    "†": r"$^{\dagger}$",
    "Δ": r"$\Delta$",
    "α": r"$\alpha$",
    "β": r"$\beta$",
    "γ": r"$\gamma$",
}


def latex_text(text: str) -> str:
    """Text safe to put into LaTeX."""
    return "".join(_LATEX.get(character, character) for character in text)


def to_latex(table: Table) -> str:
    """A LaTeX table with booktabs rules."""
    columns = "".join("r" if right else "l" for right in table.numeric)
    best, second, tie = r"\textbf{{{}}}", r"\underline{{{}}}", r"$^{\dagger}$"
    body = [[_marked(latex_text(c), mark, best, second, tie) for c, mark in line] for line in table.marked_rows()]
    lines = [" & ".join(line) + r" \\" for line in [[latex_text(c) for c in table.header], *body]]
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


def to_html(table: Table) -> str:
    """An HTML ``<table>`` with its caption, for any page; text is escaped."""
    return str(environment().get_template("table.html").render(table=table))


def environment() -> jinja2.Environment:
    """The templates of this package; cells are shown by the filter ``emphasised``."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("nasanalysis.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    made.filters["emphasised"] = _html_cell
    return made


def _html_cell(cell: tuple[str, Mark]) -> Markup:
    text = _marked(str(escape(cell[0])), cell[1], "<strong>{}</strong>", "<u>{}</u>", "<sup>†</sup>")
    return Markup(text)  # escaped above

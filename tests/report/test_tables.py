"""Tables: emphasis, spreads, differences and published figures, in Markdown, LaTeX, HTML and CSV."""

from __future__ import annotations

import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_frames import stats_frame

from nasanalysis.report import Mark, Table
from nasanalysis.report.cells import emphasis, significant, with_spread
from nasanalysis.report.markup import to_html, to_latex, to_markdown
from nasanalysis.report.published import Published, by_cell
from nasanalysis.report.tables import statistics_table


def test_best_second_and_ties_as_the_paired_comparison_says() -> None:
    marks = emphasis([0.50, 0.70, 0.66, None], [False, False, True, False])
    assert marks == [Mark.NONE, Mark.BEST, Mark.SECOND | Mark.TIE, Mark.NONE]
    assert emphasis([3.0, 1.0, 2.0], direction=-1) == [Mark.NONE, Mark.BEST, Mark.SECOND]
    assert emphasis([1.0, 1.0, 0.0]) == [Mark.BEST, Mark.BEST, Mark.SECOND]
    assert emphasis([1.0, None, math.nan]) == [Mark.NONE] * 3  # nothing to compare
    assert emphasis([1.0, 0.9, 0.8], tied=[False, False, True])[2] == Mark.TIE  # what a paired test says


@given(st.lists(st.one_of(st.none(), st.integers(-5, 5).map(float)), max_size=8), st.sampled_from([1, -1]))
def test_marks_follow_the_order(values: list[float | None], direction: int) -> None:
    marks = emphasis(values, direction=direction)
    defined = [direction * v for v in values if v is not None]
    for value, mark in zip(values, marks, strict=True):
        if value is None or len(defined) < 2:
            assert mark == Mark.NONE
        else:
            better = len({v for v in defined if v > direction * value})
            assert (Mark.BEST in mark, Mark.SECOND in mark) == (better == 0, better == 1)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0012213, "0.001221"),
        (42.4389, "42.44"),
        (10.0, "10.00"),
        (-0.5, "-0.5000"),
        (116503.09, "116,503"),
        (0.0, "0"),
        (float("inf"), "inf"),
    ],
)
def test_significant_digits(value: float, text: str) -> None:
    assert significant(value) == text


def test_spread_is_shown_only_where_there_is_one() -> None:
    assert with_spread(0.794, 0.021, 2) == "0.79 ± 0.02"
    assert with_spread(0.794, None, 2) == "0.79"
    assert with_spread(None, 0.1, 2) == "–"


def marked(rows: list[list[str]], marks: list[list[Mark]]) -> Table:
    numeric = [False, *[True] * (len(rows[0]) - 1)]
    return Table("t", "A & B", ["proxy", *"xyz"[: len(rows[0]) - 1]], rows, pl.DataFrame(), numeric, marks=marks)


def test_marks_in_every_format() -> None:
    table = marked(
        [["a", "0.50 ± 0.05"], ["b", "0.60 ± 0.20"]],
        [[Mark.NONE, Mark.SECOND | Mark.TIE], [Mark.NONE, Mark.BEST]],
    )
    markdown, latex, html = to_markdown(table), to_latex(table), to_html(table)
    assert "| **0.60 ± 0.20** |" in markdown
    assert "| <ins>0.50 ± 0.05</ins>† |" in markdown
    assert r"\textbf{0.60 $\pm$ 0.20}" in latex
    assert r"\underline{0.50 $\pm$ 0.05}$^{\dagger}$" in latex
    assert r"A \& B" in latex
    assert latex.index(r"\toprule") < latex.index(r"\midrule") < latex.index(r"\bottomrule")
    assert "<strong>0.60 ± 0.20</strong>" in html
    assert "<u>0.50 ± 0.05</u><sup>†</sup>" in html
    assert "A &amp; B" in html


def test_intervals_stay_plain_beside_a_bold_estimate() -> None:
    table = marked([["b", "0.6 [0.4, 0.8]"]], [[Mark.NONE, Mark.BEST]])
    assert "| **0.6** [0.4, 0.8] |" in to_markdown(table)
    assert "<strong>0.6</strong> [0.4, 0.8]" in to_html(table)


def test_text_is_escaped_in_every_format() -> None:
    table = Table("t", "T", ["a|b"], [["<b>|_%"]], pl.DataFrame({"a": [1]}), [False], marks=[[Mark.BEST]])
    assert "**<b>\\|_%**" in to_markdown(table)
    assert "<strong>&lt;b&gt;|_%</strong>" in to_html(table)
    assert r"\textbf{<b>|\_\%}" in to_latex(table)


def test_statistics_table_marks_the_best_of_each_statistic() -> None:
    last = stats_frame().filter((pl.col("step") != 1) | pl.col("step").is_null())
    printed = Published(row=("d", "sotl"), column="kendall_tau", value="0.65", where="Paper, Table 1")
    table = statistics_table("s", "S", last, by_cell([printed]))
    by_proxy = {row[0]: marks for row, marks in zip(table.rows, table.marks, strict=True)}
    at = table.header.index("Kendall's τ-b")
    assert by_proxy["SoTL, all steps"][at] == Mark.BEST
    assert by_proxy["parameters"][at] == Mark.SECOND  # 0.5 lies outside [0.6, 0.8]
    assert by_proxy["Zen-score"][at] == Mark.NONE
    row = next(r for r in table.rows if r[0] == "SoTL, all steps")
    assert row[at + 1 : at + 3] == ["0.65", "+0.050"]
    assert table.data.filter(pl.col("proxy") == "sotl")["mark"].to_list() == ["best"]


def test_intervals_from_halves_tie_nothing() -> None:
    last = (
        stats_frame()
        .filter(pl.col("step").is_null() | (pl.col("step") == 2))
        .with_columns(interval=pl.lit("random halves"))
    )
    table = statistics_table("s", "S", last.with_columns(ci_low=pl.lit(0.0), ci_high=pl.lit(1.0)))
    assert not any(Mark.TIE in mark for line in table.marks for mark in line)

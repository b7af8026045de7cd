"""Decisions of searches by hand: edges, convolutions, growth."""

from __future__ import annotations

import math

import polars as pl
import pytest

from nasanalysis.search.decisions import (
    count_convolutions,
    decided_for_convolutions,
    edge_choices,
    growth,
    selected_convolutions,
    share_without,
)

HOW = {"benchmark": "live", "dataset": "digits", "method": "darts", "setting": "", "seed": 0}
S2 = (
    "s2:normal=|sep_conv_3x3~0|skip_connect~1|+|sep_conv_3x3~1|sep_conv_3x3~2|+|sep_conv_3x3~1|sep_conv_3x3~2|+"
    "|sep_conv_3x3~1|sep_conv_3x3~3|;reduce=|sep_conv_3x3~0|sep_conv_3x3~1|+|sep_conv_3x3~1|sep_conv_3x3~2|+"
    "|sep_conv_3x3~0|sep_conv_3x3~3|+|sep_conv_3x3~1|sep_conv_3x3~4|"
)
TWO = "nb201:|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_1x1~1|none~2|"


def trace(rows: list[tuple[int, str, float | None, str | None]]) -> pl.DataFrame:
    schema = {"epoch": pl.Int64, "quantity": pl.String, "value": pl.Float64, "text": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(**{k: pl.lit(v) for k, v in HOW.items()})


def test_edges_on_which_the_skip_is_preferred_and_the_convolution_is_dearer() -> None:
    weights = {"0-1": (0.6, 0.4), "0-2": (0.3, 0.7), "1-2": (0.5, 0.5)}
    costs = {"0-1": (1.0, 5.0), "0-2": (5.0, 1.0), "1-2": (2.0, 2.0)}
    rows = [
        {**HOW, "epoch": 5, "cell": "cell", "edge": edge, "operation": op, "weight": w, "strength": cost}
        for edge in weights
        for op, w, cost in zip(("skip_connect", "sep_conv_3x3"), weights[edge], costs[edge], strict=True)
    ]
    lone = {
        **HOW,
        "epoch": 5,
        "cell": "cell",
        "edge": "0-3",
        "operation": "skip_connect",
        "weight": 1.0,
        "strength": 9.0,
    }
    (row,) = edge_choices(pl.DataFrame([*rows, lone])).to_dicts()
    assert row["edges"] == 3, "the edge without a convolution says nothing"
    assert row["skip_preferred"] == pytest.approx(1 / 3), "equal weights prefer nothing"
    assert row["convolution_dearer"] == pytest.approx(1.5 / 3), "a tie counts half"


def test_edges_that_are_decided_against_alpha() -> None:
    """Alpha prefers noise on two edges of three; one of these goes to the convolution."""
    alphas = {"0-1": (1.0, 0.0), "0-2": (2.0, 0.0), "1-2": (0.0, 1.0)}
    decided = {"0-1": "sep_conv_3x3", "0-2": "noise", "1-2": "sep_conv_3x3"}
    rows = [
        {**HOW, "epoch": epoch, "cell": "cell", "edge": edge, "operation": op, "alpha": alpha, "weight": 0.5,
         "mask": epoch < 20 or decided[edge] == op}
        for epoch in (0, 10, 20) for edge, both in alphas.items()
        for op, alpha in zip(("noise", "sep_conv_3x3"), both, strict=True)
    ]  # fmt: skip
    (row,) = decided_for_convolutions(pl.DataFrame(rows)).to_dicts()
    assert (row["share"], row["edges"]) == (0.5, 2)
    assert decided_for_convolutions(pl.DataFrame(rows).filter(pl.col("epoch") < 20)).is_empty(), "nothing was decided"


def test_convolutions_of_what_is_selected_by_epoch_and_at_the_end() -> None:
    none = "nb201:|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
    rows = trace([(5, "genotype", None, none), (10, "genotype", None, TWO), (10, "selected", None, TWO)])
    assert selected_convolutions(rows)["convolutions"].to_list() == [2.0]
    assert selected_convolutions(rows, 5)["convolutions"].to_list() == [0.0]
    assert selected_convolutions(rows, 7).is_empty()
    assert count_convolutions([none, TWO]) == [0.0, 2.0], "of 1x1 convolutions none is counted"
    on_nodes = "nb101-3:conv3x3~0+conv1x1~1+conv3x3~2+maxpool3x3~02+conv3x3~34+output~35"
    assert count_convolutions([on_nodes]) == [3.0]
    assert count_convolutions([S2]) == [15.0], "of both cells"


def test_growth_and_epochs_without_a_skip() -> None:
    rows = trace(
        [(e, "arch_hessian_ev", 2.0 * 3.0 ** (e > 0), None) for e in range(6)]
        + [(e, "selected_skips", float(e > 2), None) for e in range(5)]
    )
    assert growth(rows)["growth"].to_list() == [pytest.approx(math.log(3))]
    assert share_without(rows)["share"].to_list() == [0.5], "of epochs 1 to 4; before the first nothing was learnt"
    falling = rows.with_columns(value=pl.when(quantity="arch_hessian_ev").then(-1.0).otherwise("value"))
    assert growth(falling).is_empty(), "a logarithm needs eigenvalues above 0"

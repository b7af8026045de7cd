"""Cost against correlation as a chart: what it holds of each entry, where costs stand, that it is one specification."""

from __future__ import annotations

import json
from math import log10

import polars as pl
import pytest

from nasanalysis.report.front_chart import front_chart, front_points

BOARD = pl.DataFrame(
    {
        "proxy": ["params", "sotl", "sotl", "snip", "zen"],
        "step": [None, 1, 10, None, None],
        "unit": [None, "epoch", "epoch", None, None],
        "estimate": [0.5, 0.4, 0.9, 0.7, 0.6],
        "ci_low": [0.4, 0.3, 0.8, 0.6, 0.5],
        "ci_high": [0.6, 0.5, 0.95, 0.8, 0.7],
        "cost": [0.0, 2.0, 20.0, 0.5, None],
        "tier": [3, 4, 1, 2, 2],
        "verdict": [None, "behind", "ahead", "ahead", "ahead"],
    }
)
LEARNED = pl.DataFrame({"k": [20, 20], "cost": [4.0, 4.0], "learned": 0.75, "learned_low": 0.6, "learned_high": 0.85})


def test_the_front_is_of_entries_and_trained_architectures_together() -> None:
    table = front_points(BOARD, LEARNED, unit="seconds")
    assert table["entry"].to_list() == [
        *("parameters", "SoTL, all steps, 1 epoch", "SoTL, all steps, 10 epochs", "SNIP"),
        "20 trained architectures and a regressor",
    ]
    assert table.filter("on_front")["estimate"].to_list() == [0.5, 0.9, 0.7, 0.75]
    assert table["price"].to_list() == ["0", "2 s", "20 s", "0.5 s", "4 s"]
    assert table["correlation"][2] == "0.900 [0.800, 0.950]"
    assert table["standing"].to_list() == ["–", "worse", "better", "better", "–"]
    assert table.filter(line="SoTL, all steps")["colour"].n_unique() == 1, "a proxy has one colour at every step"
    looks = table.unique("line").select("colour", "shape")
    assert looks.n_unique() == len(looks), "no two proxies look alike"


def test_no_cost_stands_a_decade_below_the_least() -> None:
    table = front_points(BOARD)
    assert table["at"].to_list() == [-2.0, log10(2), log10(20), log10(0.5)]
    assert front_points(BOARD.filter(cost=0))["at"].to_list() == [-1.0]


def test_the_specification_holds_the_entries_and_names_the_ticks() -> None:
    pytest.importorskip("altair", reason="charts need the extra page")
    spec = front_chart(front_points(BOARD, LEARNED), statistic="spearman_rho", cost="seconds of training")
    text = json.dumps(spec)
    assert "http" not in text.replace(spec["$schema"], ""), "nothing is fetched"
    assert spec["data"]["values"][0]["entry"] == "parameters"
    assert [param["name"] for param in spec["params"]] == ["picked", "hover"]
    axis = next(layer["encoding"]["x"]["axis"] for layer in spec["vconcat"][0]["layer"])
    assert axis["values"][0] == -2.0
    assert "datum.value === -2 ? '0'" in axis["labelExpr"]
    assert text.count('"filter": {"param": "hover"') == 2, "a ring and its words"
    assert spec["params"][1]["value"] == [{"entry": "SoTL, all steps, 10 epochs"}], "the best is told until one points"

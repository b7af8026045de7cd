"""The scatter that answers the pointer: what it holds of each architecture, and that the specification is one."""

from __future__ import annotations

import io
import json

import numpy as np
import polars as pl
import pytest
from small_frames import ARCHS

from nasanalysis.report.drawn_cells import COLOURS, can_be_drawn, drawn_cell
from nasanalysis.report.explorer import MOST, explorer, points

CELL = "nb201:|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_1x1~1|nor_conv_3x3~2|"


def some(n: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    rng = np.random.default_rng(0)
    archs = [f"mine:{i}" for i in range(n)]
    accuracy = pl.DataFrame({"arch": archs, "accuracy": rng.random(n)})
    scores = pl.concat(
        pl.DataFrame({"arch": archs, "proxy": name, "value": rng.random(n)}) for name in ("params", "sotl")
    )
    return accuracy, scores


def test_a_cell_as_text_holds_every_edge_but_none() -> None:
    cell = drawn_cell(CELL)
    edges = [edge.split(" ") for edge in cell.edges.split(";")]
    assert [edge[5] for edge in edges] == ["conv_3×3", "avg_pool_3×3", "skip", "conv_1×1", "conv_3×3"]
    assert all(len(edge) == 6 and edge[5] in COLOURS for edge in edges)
    assert [float(edge[4]) != 0 for edge in edges] == [False, False, True, True, False], "edges over nodes bow"
    assert [node.split(" ")[2] for node in cell.nodes.split(";")] == ["in", "1", "2", "out"]
    assert can_be_drawn(CELL)
    assert not can_be_drawn("mine:1")


def test_of_many_architectures_the_best_the_front_and_a_draw_are_kept() -> None:
    accuracy, scores = some(3 * MOST)
    table = points(accuracy, scores)
    assert len(table) == MOST
    assert table["accuracy"].is_sorted(descending=True)
    best = accuracy.sort("accuracy", descending=True)["arch"].head(50).to_list()
    assert table["arch"].head(50).to_list() == best
    assert table.equals(points(accuracy, scores)), "the same draw"
    assert not table.equals(points(accuracy, scores, seed=1))
    smallest = scores.filter(proxy="params").sort("value")["arch"][0]
    assert table.filter(pl.col("front"), arch=smallest).height == 1, "the smallest is on the front"


def test_curves_are_asked_for_what_is_shown_and_are_means_over_runs() -> None:
    accuracy, scores = some(3)
    asked: list[list[str]] = []

    def curves(archs: list[str]) -> pl.DataFrame:
        asked.append(archs)
        return pl.DataFrame({"arch": [archs[0]] * 4, "step": [1, 1, 2, 2], "value": [1.0, 3.0, 0.5, 1.5]})

    table = points(accuracy, scores, curves)
    assert asked == [table["arch"].to_list()]
    assert table["curve"].to_list() == ["1:2.0 2:1.0", None, None]


def test_an_undefined_score_is_no_point() -> None:
    accuracy, scores = some(4)
    broken = scores.with_columns(value=pl.when(pl.col("arch") == "mine:0").then(float("inf")).otherwise("value"))
    assert "mine:0" not in points(accuracy, broken)["arch"].to_list()


def test_the_specification_holds_the_points_and_answers_the_pointer() -> None:
    pytest.importorskip("altair", reason="charts need the extra page")
    table = points(
        pl.DataFrame({"arch": ARCHS, "accuracy": [float(i) for i in range(len(ARCHS))]}),
        pl.DataFrame({"arch": ARCHS * 2, "proxy": ["params"] * len(ARCHS) + ["sotl"] * len(ARCHS), "value": 1.0}),
    )
    spec = explorer(table, ["sotl", "params"], target="test accuracy")
    text = json.dumps(spec)
    assert "http" not in text.replace(spec["$schema"], ""), "nothing is fetched"
    held = pl.read_csv(io.StringIO(spec["data"]["values"]))
    assert held["a"].to_list() == sorted(held["a"].to_list(), reverse=True)
    assert held["t"].to_list() == table["arch"].to_list()
    assert [param["name"] for param in spec["params"]] == ["across", "brush", "hover"]
    assert spec["params"][0]["bind"]["labels"] == ["SoTL, all steps (nats)", "parameters"]
    assert text.count('"filter": {"param": "hover"') == 2, "a ring and the scores: this space cannot be drawn"
    assert text.count('"filter": {"param": "brush"') == 2, "a histogram of accuracy and one of size"

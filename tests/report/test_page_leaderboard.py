"""The leaderboard at the top of a page: its rows, what a reader chooses by, where its bars stand."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from nasanalysis.loaders.sources import Sources
from nasanalysis.plots.lines import colour_of
from nasanalysis.report import Board, Result, Section, write_report
from nasanalysis.report.leaderboard import leaderboard
from nasanalysis.stats.resampling import Resampling
from nasanalysis.studies.boards import benchmark_label, board
from nasanalysis.studies.comparison.items import Comparison
from nasanalysis.studies.leaderboard.items import LeaderboardItem


def frame(*proxies: str, statistic: str = "spearman_rho") -> pl.DataFrame:
    n = len(proxies)
    return pl.DataFrame(
        {
            "proxy": list(proxies),
            "step": [4, *[None] * (n - 1)],
            "unit": ["epoch", *[None] * (n - 1)],
            "statistic": statistic,
            "estimate": [0.75, 0.5, -0.25][:n],
            "ci_low": [0.7, None, -0.5][:n],
            "ci_high": [0.8, None, 0.0][:n],
            "tier": [1, 2, 3][:n],
            "rank_low": [1, 2, 2][:n],
            "rank_high": [1, 3, 3][:n],
            "minus_baseline": [0.25, None, -0.75][:n],
            "minus_low": [0.2, None, -0.8][:n],
            "minus_high": [0.3, None, -0.7][:n],
            "verdict": ["ahead", None, "behind"][:n],
            "needs": ["curves", "archs", "weights"][:n],
            "cost": [4.0, 0.0, None][:n],
            "n_archs": 100,
        },
        schema_overrides={"step": pl.Int64},
    )


BOARD = Board(frame("sotl", "params", "snip"), "NAS-Bench-201, CIFAR-10", "test accuracy", "all; 100 scored by all")


def test_rows_say_what_the_frame_says_on_one_axis() -> None:
    shown = leaderboard([("s--one", BOARD)])
    assert shown is not None
    first, bar, last = shown.entries
    assert (shown.low, shown.zero) == (-0.5, pytest.approx(33.3))
    assert (first.name, first.verdict) == ("SoTL, all steps, 4 epochs", "better")
    assert (first.said, first.interval) == ("0.750", "[0.700, 0.800]")
    assert (bar.verdict, bar.interval, bar.difference, bar.at) == ("the bar", "", "–", (66.7, 66.7, 66.7))
    assert (last.verdict, last.difference, last.ends, last.at[1:]) == (
        "worse",
        "-0.750",
        "[-0.800, -0.700]",
        (0.0, 33.3),
    )
    assert [entry.family for entry in shown.entries] == ["training curves", "read off the cell", "weights"]
    assert [entry.colour for entry in shown.entries] == [colour_of(name) for name in ("sotl", "params", "snip")]
    assert (first.ranks, bar.ranks, first.address) == ("1", "2 to 3", "s--one")


def test_a_truth_has_the_board_of_most_entries_and_one_statistic() -> None:
    small = Board(frame("sotl", "params"), BOARD.benchmark, BOARD.truth, BOARD.subset)
    other = Board(frame("sotl", "params", statistic="kendall_tau"), "digits", "t", "s")
    valid = Board(frame("sotl", "params"), BOARD.benchmark, "validation accuracy", BOARD.subset)
    shown = leaderboard([("a", small), ("b", BOARD), ("c", other), ("d", valid)])
    assert shown is not None
    assert [entry.address for entry in shown.entries] == ["b", "b", "b", "d", "d"]
    assert dict(shown.choices)["truth"] == ["test accuracy", "validation accuracy"]
    assert leaderboard([]) is None


def test_the_page_shows_it_first_and_links_every_entry(tmp_path: Path) -> None:
    section = Section("One", answer=("It is.",), boards=(BOARD,))
    text = write_report([Result("s", "S", "", (section,), {})], tmp_path).read_text(encoding="utf-8")
    assert text.index('id="answer"') < text.index('id="leaderboard"') < text.index('<h2 id="s"')
    assert text.count('<a href="#s--one"><') + text.count('<a href="#s--one">') >= len(BOARD.frame)
    for value in ("NAS-Bench-201, CIFAR-10", "test accuracy", "all; 100 scored by all", "training curves"):
        assert f">{value}</option>" in text
    without = write_report([Result("s", "S", "", (), {})], tmp_path).read_text(encoding="utf-8")
    assert 'id="leaderboard"' not in without


def test_items_bring_their_boards_in_words() -> None:
    keys = {"name": "x", "title": "X", "benchmark": "digits", "schedule": 12, "sample": "uniform-live"}
    more = {"proxies": ["sotl", "params"], "steps": [2, 12], "truth_seed": 1, "other_truths": ["valid"]}
    item = LeaderboardItem.model_validate({**keys, **more})
    test, valid = item.section(Sources(None), Resampling(20)).boards
    assert (test.benchmark, test.truth, test.unit) == ("digits", "test accuracy after 12 epochs, run 1", "epochs")
    assert valid.truth == "validation accuracy after 12 epochs, run 1"
    assert test.subset.endswith("live path from input to output; 750 scored by all")
    compare = Comparison.model_validate({**keys, "proxies": ["val_acc", "params"]})
    (compared,) = compare.section(Sources(None), Resampling(20)).boards
    rows = {row["proxy"]: row for row in compared.frame.to_dicts()}
    assert rows["val_acc"]["verdict"] in ("ahead", "behind", "not told apart")
    assert (rows["val_acc"]["step"], rows["val_acc"]["cost"], rows["params"]["verdict"]) == (12, 12.0, None)
    alone = Comparison.model_validate({**keys, "proxies": ["params"]})
    assert alone.section(Sources(None), Resampling(20)).boards == ()


def test_names_of_benchmarks() -> None:
    assert benchmark_label("nb201", "cifar10") == "NAS-Bench-201, CIFAR-10"
    assert benchmark_label("digits", "digits") == "digits"
    assert benchmark_label("mine", "data") == "mine, data"
    words = board(frame("sotl", "params"), benchmark="nb101", dataset="cifar10", split="test", sample="random-2000@0")
    assert words.subset == "2,000 drawn at random (seed 0); 100 scored by all"

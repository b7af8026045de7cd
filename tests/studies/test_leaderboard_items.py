"""``[[leaderboard]]`` items: the answer is read off the board by rule."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from nasanalysis.core.errors import NasAnalysisError
from nasanalysis.loaders.sources import Sources
from nasanalysis.report import Result, write_report
from nasanalysis.stats.resampling import Resampling
from nasanalysis.studies.leaderboard.answer import answers, choice_of_truth
from nasanalysis.studies.leaderboard.items import LeaderboardItem

ITEM = {"name": "board", "title": "Which one?", "benchmark": "digits", "proxies": ("sotl", "params"), "top": ()}


def row(
    proxy: str, step: int | None, estimate: float, cost: float, tier: int, rank: int, **more: object
) -> dict[str, object]:
    return {
        "proxy": proxy, "step": step, "unit": None if step is None else "epoch", "statistic": "spearman_rho",
        "estimate": estimate, "ci_low": estimate - 0.1, "ci_high": estimate + 0.1, "cost": cost, "tier": tier,
        "rank": rank, "minus_baseline": None, "minus_low": None, "minus_high": None, "verdict": None, **more,
    }  # fmt: skip


BOARD = pl.DataFrame(
    [
        row("sotl", 12, 0.9, 12.0, 1, 1, verdict="ahead", minus_baseline=0.2, minus_low=0.1, minus_high=0.3),
        row("val_acc", 12, 0.85, 12.0, 1, 2, verdict="ahead", minus_baseline=0.15, minus_low=0.1, minus_high=0.2),
        row("params", None, 0.7, 0.0, 2, 3),
        row("sotl", 1, 0.5, 1.0, 3, 4, verdict="behind", minus_baseline=-0.2, minus_low=-0.3, minus_high=-0.1),
    ],
    infer_schema_length=None,
)


def test_a_budget_at_which_nothing_changes_is_passed_over() -> None:
    first, second = answers(BOARD, "params", "epochs")
    assert first == "Without training: parameters, Spearman's ρ 0.700 [0.600, 0.800]."
    assert second == (
        "For 12 epochs an architecture: SoTL, all steps, 12 epochs, Spearman's ρ 0.900 [0.800, 1.000]; better than "
        "parameters (+0.200 [+0.100, +0.300]). Not told apart from it: validation accuracy, 12 epochs."
    )


def test_another_truth_may_choose_another_winner() -> None:
    other = BOARD.sort(pl.col("proxy") == "val_acc", descending=True)
    assert choice_of_truth(BOARD, {}) is None
    said = choice_of_truth(BOARD, {"validation accuracy": other})
    assert said == "On validation accuracy validation accuracy, 12 epochs comes first."
    assert choice_of_truth(BOARD, {"test accuracy": BOARD}) == (
        "The winner stays SoTL, all steps, 12 epochs on test accuracy too."
    )


def test_the_answer_stands_at_the_top_of_the_page(tmp_path: Path) -> None:
    item = LeaderboardItem.model_validate({**ITEM, "steps": (1, 12), "scores_seed": 0, "truth_seed": 1})
    section = item.section(Sources(None), Resampling(50))
    assert section.answer[0].startswith("Without training: parameters, ")
    assert [len(section.tables), len(section.figures)] == [1, 2]
    assert section.tables[0].data["cost"].to_list() == [12.0, 0.0, 1.0]
    page = write_report([Result("s", "S", "", (section,), {})], tmp_path).read_text()
    assert page.index("The answer") < page.index("Without training: parameters") < page.index("Which one?</h3>")
    assert (tmp_path / "tables" / "s-board.csv").exists()


def test_a_report_without_an_answer_has_no_such_heading(tmp_path: Path) -> None:
    assert "The answer" not in write_report([Result("s", "S", "", (), {})], tmp_path).read_text()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"proxies": ("params",)}, "proxies"),
        ({"dataset": "cifar10"}, "cifar10"),
        ({"split": "valtest"}, "no valtest accuracy"),
        ({"sotl": 1}, "sotl"),
    ],
)
def test_malformed_items(changes: dict[str, object], message: str) -> None:
    with pytest.raises((NasAnalysisError, ValueError), match=message):
        LeaderboardItem.model_validate({**ITEM, **changes}).section(Sources(None), Resampling(0))

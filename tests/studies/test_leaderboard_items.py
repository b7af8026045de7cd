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
    assert page.index("The answer") < page.index("Without training: parameters") < page.index("Which one?<a class")
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


LEARNED = {
    **ITEM, "sample": "uniform-live", "steps": (1, 12), "scores_seed": 0, "truth_seed": 1, "learned": (10, 40),
    "learned_draws": 2, "regressor": "ridge",
}  # fmt: skip


def test_a_proxy_stands_beside_what_trained_architectures_give_for_as_much() -> None:
    pytest.importorskip("sklearn")
    section = LeaderboardItem.model_validate(LEARNED).section(Sources(None), Resampling(40))
    learned = section.tables[1].data
    # 750 architectures: one epoch of each is 62 trainings of 12 epochs; parameters cost nothing and stand beside each k
    assert learned.select("k", "proxy", "step").rows() == [(10, "params", None), (40, "params", None), (62, "sotl", 1)]
    assert learned["cost"].to_list() == pytest.approx([10 * 12 / 750, 40 * 12 / 750, 62 * 12 / 750])
    free, *_, dear = (said for said in section.answer if "stays" not in said)
    assert "regressor on the cell" in free
    assert dear.endswith("For as much all 750 architectures could be trained.")
    drawn = section.figures[1].draw()
    assert {"10", "40", "62"} <= {text.get_text() for text in drawn.texts}
    named = [text.get_text() for text in drawn.get_legend().get_texts()]
    assert "so many trained architectures and a regressor" in named


def test_the_words_follow_the_verdict() -> None:
    from nasanalysis.studies.leaderboard.learned import LearnedBar, learned_sentence

    def rows(*verdicts: str, step: int | None = None) -> pl.DataFrame:
        return pl.DataFrame(
            [
                {
                    "k": 10 * i, "proxy": "mine", "step": step, "learned": 0.8, "learned_low": 0.7, "learned_high": 0.9,
                    "difference": -0.1, "ci_low": -0.2, "ci_high": 0.05, "verdict": said, "cost": 0.5 * i,
                }
                for i, said in enumerate(verdicts, start=1)
            ],
            schema_overrides={"step": pl.Int64},
        )  # fmt: skip

    free = ("mine", None)
    said = learned_sentence(LearnedBar(rows("not told apart", "behind"), 12, 100, {free: 0}), free, "epochs")
    assert "20 trained architectures and a regressor on the cell are better than it" in said
    assert "the fewest of 10, 20), for 1 epochs an architecture that is ranked" in said
    said = learned_sentence(LearnedBar(rows("not told apart", "ahead"), 12, 100, {free: 0}), free, "epochs")
    assert "No k trained architectures" in said
    for verdict, words in {
        "behind": "the proxy is worse", "ahead": "the proxy is better", "not told apart": "not told apart from that",
    }.items():  # fmt: skip
        dear = ("mine", 1)
        said = learned_sentence(LearnedBar(rows(verdict, step=1), 12, 100, {dear: 10}), dear, "epochs")
        assert words in said
        assert "(-0.100 [-0.200, +0.050])" in said
    assert learned_sentence(LearnedBar(rows("behind"), 12, 100, {}), ("other", None), "epochs") == ""


def test_without_scikit_learn_the_board_stands_and_a_line_says_what_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "sklearn", None)
    section = LeaderboardItem.model_validate({**LEARNED, "regressor": "random_forest"}).section(
        Sources(None), Resampling(20)
    )
    assert len(section.tables) == 1
    assert "left out" in section.text
    assert "nasanalysis[predict]" in section.text
    assert "regressor" not in " ".join(section.answer)


def test_k_that_leave_nothing_to_rank_are_refused() -> None:
    pytest.importorskip("sklearn")
    item = LeaderboardItem.model_validate({**LEARNED, "learned": (10, 740)})
    with pytest.raises(NasAnalysisError, match="board: learned: expected k that leave 20 architectures.*got 740"):
        item.section(Sources(None), Resampling(0))

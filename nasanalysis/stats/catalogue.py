"""Every statistic in a line: its formula in words, its unit, which way is better, how its interval is made."""

from __future__ import annotations

from dataclasses import dataclass

from .registry import STATISTICS, get_statistic

#: Name, or what stands before its ``@`` -> (formula in words, source).
FORMULAS = {
    "spearman_rho": ("correlation of the ranks, ties at their mean rank", "Spearman 1904"),
    "kendall_tau": ("ordered pairs minus reversed pairs of all, corrected for ties (tau-b)", "Kendall 1945"),
    "pearson_r": ("linear correlation of the values", "Pearson 1895"),
    "sparse_kendall_tau": ("tau-b after the truth is rounded to 0.1 percentage points", "Yu et al. 2020"),
    "sparse_kendall_tau@score": ("tau-b after the score is rounded instead of the truth", "public code of NAS papers"),
    "weighted_tau": ("tau in which exchanges among the best weigh most", "Vigna 2015"),
    "partial_spearman": (
        "Spearman's correlation of what is left of both ranks once the ranks of the covariates are taken off",
        "SoTL thesis 4.2.4; textbook partial correlation",
    ),
    "partial_kendall": ("Kendall's tau of score and truth with the covariates held fixed", "Kendall 1942"),
    "spearman_with": (
        "Spearman's correlation of the score with a covariate, not the truth",
        "SoTL thesis 4.2.4",
    ),
    "kendall_with": ("Kendall's tau-b of the score with a covariate, not the truth", "SoTL thesis 4.2.4"),
    "ndcg": ("gain of the ranking, the best places discounted least, over that of the true ranking", "Järvelin 2002"),
    "topk_mean": ("mean truth of the k architectures scored best, in expectation over ties", "top-k of NAS papers"),
    "best_rank": ("true rank of the best of the k architectures scored best", "ranks of NAS papers"),
    "precision": ("share of the truly best k among the k scored best", "precision at k"),
    "regret": ("percentage points between the best truth and the best of the k scored best", "simple regret"),
}


@dataclass(frozen=True)
class StatisticLine:
    """One line of the catalogue. needs: what a table must hold beside score and truth."""

    name: str
    formula: str
    unit: str
    better: str
    interval: str
    needs: str
    source: str


def statistic_catalogue() -> list[StatisticLine]:
    """A line for every statistic that is offered; other parameters may stand after the ``@``."""
    return [_line(name) for name in STATISTICS]


def _line(name: str) -> StatisticLine:
    one, base = get_statistic(name), name.partition("@")[0]
    words, source = FORMULAS.get(name) or FORMULAS.get(base) or ("a statistic from outside the package", "")
    if "@top" in name:
        words += f", over the {name.partition('@top')[2]} of best truth only"
    better = "higher" if one.higher_is_better else "lower"
    return StatisticLine(name, words, one.unit, better, one.interval, " and ".join(one.covariates), source)

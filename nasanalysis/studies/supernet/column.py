"""One statistic in the table of readings, with the columns that stand beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ...plots.style import statistic_label
from ...report.cells import emphasis, with_interval, with_spread
from ...report.model import Mark
from ...report.published import Cells, Published
from .items import Arm

#: Statistic of a study file -> the one that is computed with the parameter count in place of the accuracy.
WITH_PARAMS = {"spearman_with@params": "spearman_rho", "kendall_with@params": "kendall_tau"}


#: (measure, arm), labels -> row of a frame; the parameter count has no arm: "".
Rows = dict[tuple[str, str], dict[str, Any]]
#: A line of the table: label of the measure, its step, and the arm.
Line = tuple[str, int | None, Arm | None]


@dataclass(frozen=True)
class Column:
    """One statistic of all readings and arms, with what stands beside it.

    Attributes
    ----------
    ours: STATS. second: the same against the second truth. gaps: difference to the parameter count.
    published: figures of the item; those of other statistics are left aside.
    ties: (measure, arm) of those that are not told apart from the best of their arm.
    """

    statistic: str
    ours: Rows
    second: Rows
    gaps: Rows
    published: Cells
    second_truth: str | None
    ties: frozenset[tuple[str, str]] = frozenset()

    @property
    def digits(self) -> int:
        return 2 if self.statistic.startswith("topk_mean") else 3

    def _published(self, measure: str, arm: str) -> Published | None:
        return self.published.get(((arm, measure) if arm else (measure,), self.statistic))

    def marks(self) -> dict[tuple[str, str], Mark]:
        """The best, second and ties among the measures of each arm."""
        marks: dict[tuple[str, str], Mark] = {}
        if self.statistic in WITH_PARAMS:  # neither high nor low is better
            return marks
        for arm in dict.fromkeys(arm for _, arm in self.ours if arm):
            keys = [key for key in self.ours if key[1] == arm]
            estimates = [self.ours[key]["estimate"] for key in keys]
            marks |= dict(zip(keys, emphasis(estimates, [key in self.ties for key in keys]), strict=True))
        return marks

    def shown(self, lines: Sequence[Line]) -> Iterator[tuple[str, list[str], list[Mark]]]:
        keys = [(label, arm.label if arm else "") for label, _, arm in lines]
        marks, plain = self.marks(), [Mark.NONE] * len(lines)
        head = statistic_label(self.statistic)
        yield head, [_cell(self.ours[key], self.digits) for key in keys], [marks.get(key, Mark.NONE) for key in keys]
        if any(column == self.statistic for _, column in self.published):
            beside = [self._published(*key) for key in keys]
            yield "published", [figure.text if figure else "–" for figure in beside], plain
        if self.second_truth:
            texts = [with_spread(self.second[k]["estimate"], self.second[k].get("sd"), self.digits) for k in keys]
            yield f"with {self.second_truth}", texts, plain
        if self.gaps:
            yield "Δ parameters", [_gap(self.gaps.get(key), self.digits) for key in keys], plain

    def record(self, lines: Sequence[Line]) -> Iterator[dict[str, Any]]:
        marks = self.marks()
        for label, step, arm in lines:
            key = (label, arm.label if arm else "")
            row, second, gap = self.ours[key], self.second.get(key, {}), self.gaps.get(key, {})
            printed = self._published(*key)
            yield {
                "measure": label,
                "proxy": row.get("proxy"),
                "step": step,
                "supernet": arm.label if arm else None,
                "method": arm.protocol if arm else None,
                "setting": arm.part if arm else None,
                "statistic": self.statistic,
                **{
                    name: row.get(name) for name in ("estimate", "sd", "n_score_seeds", "ci_low", "ci_high", "interval")
                },
                "n_archs": row["n_archs"],
                "n_missing": row["n_missing"],
                "published": printed.number if printed else None,
                "published_sd": printed.deviation if printed else None,
                "published_in": printed.where if printed else None,
                "second_truth": second.get("estimate"),
                "second_truth_sd": second.get("sd"),
                "minus_params": gap.get("difference"),
                "minus_params_low": gap.get("ci_low"),
                "minus_params_high": gap.get("ci_high"),
                "mark": marks.get(key, Mark.NONE).words,
            }


def _cell(row: dict[str, Any], digits: int) -> str:
    """``0.780 ± 0.060 [0.70, 0.84]``."""
    text = with_spread(row["estimate"], row.get("sd"), digits)
    ends = with_interval(row["estimate"], row.get("ci_low"), row.get("ci_high"), digits)
    _, bracket, interval = ends.partition(" [")
    return text + bracket + interval


def _gap(row: dict[str, Any] | None, digits: int) -> str:
    if row is None or row["difference"] is None:
        return "–"
    if row["ci_low"] is None:
        return f"{row['difference']:+.{digits}f}"
    return f"{row['difference']:+.{digits}f} [{row['ci_low']:+.{digits}f}, {row['ci_high']:+.{digits}f}]"

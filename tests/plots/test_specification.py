"""The specification curve shows what the multiverse says, in order."""

from __future__ import annotations

import polars as pl
import pytest

pytest.importorskip("matplotlib")

from nasanalysis.core.errors import StudyError
from nasanalysis.plots import plot_specification_curve, specification_curve
from nasanalysis.stats.multiverse import CHOICES


def answers(n: int) -> pl.DataFrame:
    verdicts = ("ahead", "behind", "not told apart", None)
    rows = [
        dict.fromkeys(CHOICES, "x")
        | {"split": ("test", "valid")[i % 2], "statistic": "spearman_rho", "schedule": 12, "step": i % 3 + 1}
        | {"proxy": "sotl", "other": "params", "verdict": verdicts[i % 4]}
        | {"difference": (-1) ** i * i / n, "ci_low": (-1) ** i * i / n - 0.1, "ci_high": (-1) ** i * i / n + 0.1}
        for i in range(n)
    ]
    return pl.DataFrame(rows)


def test_the_frame_is_sorted_and_leaves_out_what_was_not_asked() -> None:
    frame = specification_curve(answers(12))
    assert len(frame) == 9
    assert frame["difference"].is_sorted()
    assert frame["place"].to_list() == list(range(9))
    assert set(frame["says"]) == {"holds", "does not hold", "cannot tell"}


@pytest.mark.parametrize("n", [8, 300])
def test_points_and_marks(n: int) -> None:
    upper, lower = plot_specification_curve(answers(n), title="A claim")
    frame = specification_curve(answers(n))
    drawn = [line for line in upper.lines if line.get_marker() == "o"]
    points = {int(x): float(y) for line in drawn for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)}
    assert [points[x] for x in frame["place"]] == frame["difference"].to_list()
    texts = [label.get_text() for label in lower.get_yticklabels()]
    assert texts == ["split: test", "split: valid", "step: 1", "step: 2", "step: 3"]
    marks = [len(c.get_offsets()) for c in lower.collections]
    assert sum(marks[:2]) == sum(marks[2:]) == len(frame)
    assert upper.get_legend().get_texts()[0].get_text().startswith("holds (")


def test_nothing_to_draw() -> None:
    with pytest.raises(StudyError, match="expected specifications with a verdict, got none"):
        plot_specification_curve(answers(4).with_columns(verdict=pl.lit(None, pl.String)))

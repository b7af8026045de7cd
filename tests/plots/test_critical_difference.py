"""The critical-difference diagram says what the frame of `friedman` says."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from nasanalysis.core.errors import FrameError
from nasanalysis.plots import plot_critical_difference
from nasanalysis.stats import friedman

pytest.importorskip("scikit_posthocs", reason="extra: posthocs")


def answer() -> pl.DataFrame:
    values = np.random.default_rng(0).normal(size=(14, 4)) + np.array([3, 3, 0, 0])
    rows = [("b", str(i), f"proxy {k}", v) for i, row in enumerate(values) for k, v in enumerate(row)]
    return friedman(pl.DataFrame(rows, schema=["benchmark", "dataset", "proxy", "estimate"], orient="row"))


def test_names_ranks_and_bars_are_those_of_the_frame() -> None:
    frame = answer()
    ax = plot_critical_difference(frame)
    said = " ".join(text.get_text() for text in ax.texts)
    for name, rank in frame.select("proxy", "mean_rank").iter_rows():
        assert name in said
        assert f"{rank:.2g}" in said
    assert "14 data sets" in ax.get_title(loc="left")
    bars = [line for line in ax.lines if len(set(line.get_ydata())) == 1 and len(set(line.get_xdata())) == 2]
    spans = {tuple(np.round(sorted(map(float, line.get_xdata())), 6)) for line in bars}
    tiers = [frame.filter(tier=t)["mean_rank"].to_list() for t in (1, 2)]
    for ranks in tiers:
        assert tuple(np.round([min(ranks), max(ranks)], 6)) in spans


def test_another_frame_is_refused() -> None:
    with pytest.raises(FrameError, match="missing column"):
        plot_critical_difference(answer().drop("critical_difference"))

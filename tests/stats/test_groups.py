"""Groups of architectures by true accuracy: the numbers, on small tables worked out by hand."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from small_frames import ARCHS, TRUTH, curves_frame

from nasanalysis import stats
from nasanalysis.core.errors import StudyError


def test_groups_hold_the_tenths_of_true_accuracy_and_average_seeds() -> None:
    curves = curves_frame({arch: [10.0 * i, 10.0 * i + 1] for i, arch in enumerate(ARCHS)}, seeds=2)
    table = stats.losses_by_group(curves, TRUTH)
    first = {row["group"]: row for row in table.filter(pl.col("step") == 1).to_dicts()}
    assert (
        first["best 10 %"]["n_archs"] == 2
    )  # numbers 18 and 19, losses 180 and 190, and 0.5 for the mean of two seeds
    assert first["best 10 %"]["mean"] == pytest.approx(185.5)
    assert first["worst 10 %"]["mean"] == pytest.approx(5.5)
    assert first["middle 10 %"]["mean"] == pytest.approx(95.5)  # numbers 9 and 10
    assert first["all"]["n_archs"] == 20
    assert (first["all"]["low"], first["all"]["high"]) == pytest.approx(
        tuple(np.quantile(np.arange(20) * 10 + 0.5, [0.25, 0.75]))
    )


def test_relative_losses_start_at_zero() -> None:
    curves = curves_frame({arch: [float(i), i + 2.0, i - 1.0] for i, arch in enumerate(ARCHS)})
    table = stats.losses_by_group(curves, TRUTH, relative=True).filter(pl.col("group") == "all")
    assert table["mean"].to_list() == pytest.approx([0.0, 2.0, -1.0])


def test_losses_of_two_settings_are_refused() -> None:
    curves = curves_frame({arch: [1.0] for arch in ARCHS})
    both = pl.concat([curves, curves.with_columns(setting=pl.lit("other"))])
    with pytest.raises(StudyError, match="one dataset, method, setting and unit; filter first"):
        stats.losses_by_group(both, TRUTH)
    with pytest.raises(StudyError, match="expected a column of the CURVES frame, got 'valid'"):
        stats.losses_by_group(curves, TRUTH, value="valid")

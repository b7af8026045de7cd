"""Plots of differentiable searches: spectra by rank, cells whose candidates are as wide as their weights."""

from __future__ import annotations

import polars as pl
import pytest

from nasanalysis import plots
from nasanalysis.core.errors import StudyError
from nasanalysis.plots.relaxed import WIDEST

HOW = {"benchmark": "live-nb201", "dataset": "digits", "method": "darts", "setting": ""}


def spectra(count: int = 3) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {**HOW, "seed": seed, "epoch": epoch, "part": str(i), "quantity": "arch_hessian_spectrum",
             "value": (i - 1) * 10.0**epoch + seed}
            for seed in (0, 1) for epoch in (0, 2) for i in range(count)
        ]
    )  # fmt: skip


def test_spectra_are_means_by_rank_and_ends_are_bold() -> None:
    table = plots.spectra_by_epoch(spectra())
    assert table.filter(epoch=2, number=0).row(0) == (2, 0, -99.5, -100.0, -99.0, 2)
    axes = plots.plot_spectra(spectra())
    widths = [line.get_linewidth() for line in axes.lines]
    assert widths[0] == widths[2] > widths[1]
    assert axes.lines[2].get_ydata().tolist() == [1.5, 100.5]
    assert axes.get_yscale() == "symlog"
    mixed = pl.concat([spectra(), spectra(4).filter(seed=0).with_columns(seed=pl.lit(5, pl.Int64))])
    with pytest.raises(StudyError, match=r"one number of eigenvalues, got \[3, 4\]"):
        plots.plot_spectra(mixed)
    with pytest.raises(StudyError, match="search with eigenvalue_spectrum = true"):
        plots.plot_spectra(spectra(), quantity="arch_hessian_ev")


def alphas(**more: object) -> pl.DataFrame:
    rows = [
        {**HOW, "seed": seed, "epoch": epoch, "cell": "cell", "edge": edge, "operation": op, "weight": weight,
         "mask": op != "avg_pool_3x3"}
        for seed in (0, 1) for epoch in (0, 5) for edge in ("0-1", "0-2", "1-2")
        for op, weight in (("none", 0.4), ("skip_connect", 0.2 + 0.1 * seed), ("avg_pool_3x3", 0.3))
    ]  # fmt: skip
    return pl.DataFrame(rows).with_columns(**{k: pl.lit(v) for k, v in more.items()})


def test_a_cell_is_drawn_with_its_weights() -> None:
    table = plots.relaxed_edges(alphas(), cell="cell")
    weights = {(r["source"], r["target"], r["operation"]): r["weight"] for r in table.to_dicts()}
    assert weights[0, 2, "skip_connect"] == pytest.approx(0.25), "mean over seeds"
    assert weights[0, 2, "avg_pool_3x3"] == 0, "it is gone"
    axes = plots.plot_relaxed_cell(alphas())
    arcs = [patch for patch in axes.patches if hasattr(patch, "get_connectionstyle")]
    assert len(arcs) == 3 * 2, "`none` is not drawn"
    widths = sorted({round(arc.get_linewidth(), 3) for arc in arcs})
    assert widths == [0.4, round(0.25 * WIDEST, 3)]
    assert {text.get_text() for text in axes.texts} == {"in 0", "1", "2"}


def test_what_cells_cannot_be_drawn() -> None:
    with pytest.raises(StudyError, match="ALPHAS of one method and setting, got several"):
        plots.plot_relaxed_cell(pl.concat([alphas(), alphas(method="gdas")]))
    for keys in ({"cell": "reduce"}, {"epoch": 3}):
        with pytest.raises(StudyError, match="expected edges of a cell among cell with weights of epoch"):
            plots.plot_relaxed_cell(alphas(), **keys)  # type: ignore[arg-type]
    with pytest.raises(StudyError, match="expected edges"):
        plots.plot_relaxed_cell(alphas(edge="node-1").unique())

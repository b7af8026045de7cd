"""seaborn is what the plots stand on: the reader's theme, palette and context hold, and it computes no interval."""

from __future__ import annotations

import subprocess
import sys

import matplotlib as mpl
import numpy as np
import polars as pl
import pytest
import seaborn as sns
from matplotlib.colors import to_hex, to_rgb
from small_frames import ARCHS, TRUTH, scores_frame

from nasanalysis import plots
from nasanalysis.plots.lines import PLACES, band_alpha, places
from nasanalysis.plots.style import COLOURS, RC, SEQUENTIAL, proxy_label


def steps_frame(*proxies: str) -> pl.DataFrame:
    """Kendall's tau at three steps with lopsided intervals, one of them undefined for the first proxy."""
    rows = [
        (p, s, None if (s, p) == (2, proxies[0]) else 0.1 * s + 0.01 * i)
        for i, p in enumerate(proxies)
        for s in (1, 2, 3)
    ]
    frame = pl.DataFrame(rows, schema=["proxy", "step", "estimate"], orient="row")
    place = {
        "benchmark": "b",
        "dataset": "d",
        "method": "",
        "setting": "",
        "truth_split": "test",
        "truth_seeds": "mean",
    }
    rest = {"truth_schedule": 3, "sample": "all", "statistic": "kendall_tau", "unit": "epoch", "interval": "percentile"}
    return frame.with_columns(
        ci_low=pl.col("estimate") - 0.01,
        ci_high=pl.col("estimate") + 0.3,
        n_archs=pl.lit(20),
        n_missing=pl.lit(0),
        **{name: pl.lit(value) for name, value in (place | rest).items()},
    )


def draw(*proxies: str):  # type: ignore[no-untyped-def]
    return plots.plot_correlation_by_step(steps_frame(*(proxies or ("sotl", "val_acc"))), "kendall_tau")


def colours(ax) -> dict[str, str]:  # type: ignore[no-untyped-def]
    return {str(line.get_label()): to_hex(line.get_color()).upper() for line in ax.lines}


def test_without_settings_of_the_reader_ours_hold() -> None:
    with mpl.rc_context():
        mpl.rcdefaults()
        ax = draw()
        assert colours(ax) == {"SoTL, all steps": COLOURS[0], "validation accuracy": COLOURS[3]}
        assert not ax.spines["top"].get_visible()
        assert ax.lines[0].get_linewidth() == RC["lines.linewidth"]


def test_a_palette_of_the_reader_colours_lines_points_and_marks() -> None:
    with sns.color_palette("husl", 9) as husl:
        expected = [to_hex(colour).upper() for colour in husl]
        assert colours(draw()) == {"SoTL, all steps": expected[0], "validation accuracy": expected[3]}
        pairs = pl.DataFrame({"arch": ["a", "b"], "score": [1.0, 2.0], "accuracy": [1.0, 3.0]})
        (points,) = plots.plot_scatter(pairs, proxy="sotl").collections
        assert to_hex(points.get_facecolors()[0]).upper() == expected[0]


def test_a_theme_of_the_reader_holds() -> None:
    with mpl.rc_context():
        sns.set_theme(style="darkgrid", palette="deep")
        ax = draw()
        assert to_rgb(ax.get_facecolor()) == pytest.approx(to_rgb(mpl.rcParams["axes.facecolor"]))
        assert to_hex(ax.get_facecolor()) == "#eaeaf2"
        assert ax.spines["top"].get_visible()  # as darkgrid has it
        assert colours(ax)["SoTL, all steps"] == to_hex(sns.color_palette("deep")[0]).upper()
        table = pl.DataFrame({"x": [1, 2, 1, 2], "y": [1, 1, 2, 2], "estimate": [0.1, 0.2, 0.3, 0.4]})
        mesh = plots.plot_ablation_heatmap(table, x="x", y="y").collections[0]
        assert mesh.get_cmap().name == mpl.rcParams["image.cmap"] != SEQUENTIAL


def test_a_context_of_the_reader_scales_lines_and_text() -> None:
    plain = draw()
    with sns.plotting_context("poster"):
        large = draw()
        assert large.lines[0].get_linewidth() == mpl.rcParams["lines.linewidth"] > plain.lines[0].get_linewidth()
        assert large.xaxis.label.get_size() > 1.5 * plain.xaxis.label.get_size()
    assert draw().lines[0].get_linewidth() == plain.lines[0].get_linewidth()


def test_bands_are_the_intervals_of_the_frame_and_gaps_stay_gaps() -> None:
    ax = draw("sotl")
    (line,), (band,) = ax.lines, ax.collections
    assert line.get_xdata().tolist() == [1, 2, 3]
    assert line.get_ydata() == pytest.approx([0.1, np.nan, 0.3], nan_ok=True)
    heights = {round(float(y), 6) for path in band.get_paths() for y in path.vertices[:, 1]}
    assert heights == {0.09, 0.4, 0.29, 0.6}


def test_a_proxy_has_one_colour_in_every_figure() -> None:
    by_step = colours(draw("val_acc", "params", "sotl"))
    values = {name: {a: float(i) for i, a in enumerate(ARCHS)} for name in ("params", "sotl", "val_acc")}
    topk = colours(plots.plot_topk(plots.topk_by_k(TRUTH, scores_frame(values))))
    assert {name: topk[name] for name in by_step} == by_step
    assert len(set(by_step.values())) == 3


def test_places_are_kept_where_they_can_be_and_never_shared() -> None:
    names = ["mine", "nwot", "sotl_e@3", "sotl", "params", "sotl_e@1"]
    at = places(names)
    assert len(set(at.values())) == len(names)
    assert (at["sotl"], at["params"], at["nwot"]) == (0, 1, PLACES["nwot"])
    assert places([proxy_label("sotl"), "val_loss"])[proxy_label("sotl")] == at["sotl"]  # searches name lines by label
    everything = places([*PLACES, *map(str, range(30))])
    assert sorted(everything.values()) == list(range(len(PLACES) + 30))


@pytest.mark.parametrize("bands", [1, 3, 12, 100])
def test_many_bands_never_mix_into_a_solid_one(bands: int) -> None:
    opacity = 1 - (1 - band_alpha(bands)) ** bands
    assert opacity < 0.66


def test_undefined_numbers_leave_a_cell_empty_and_the_rest_is_legible() -> None:
    values = {"proxy": ["a", "a", "b", "b"], "other": ["a", "b", "a", "b"], "estimate": [1.0, None, 0.05, 1.0]}
    ax = plots.plot_proxy_matrix(pl.DataFrame(values))
    assert [t.get_text() for t in ax.texts] == ["1", ".05", "1"]
    assert [to_hex(t.get_color()) for t in ax.texts] == ["#ffffff", "#000000", "#ffffff"]


def test_seaborn_is_loaded_when_something_is_drawn() -> None:
    code = "import sys; from nasanalysis import plots; plots.plot_scatter; print('seaborn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

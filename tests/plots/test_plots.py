"""Plots: the numbers are tested, the axes are labelled, nothing global is touched."""

from __future__ import annotations

import polars as pl
import pytest

from nasanalysis.core.errors import StudyError
from nasanalysis.core.frames import SCHEMAS, check
from nasanalysis.plots import correlation_by_step, plot_correlation_by_step, plot_scatter, score_against_truth
from nasanalysis.plots.style import COLOURS, proxy_label, statistic_label


def stats_frame(datasets: tuple[str, ...] = ("digits",)) -> pl.DataFrame:
    rows = []
    for dataset in datasets:
        for statistic in ("spearman_rho", "kendall_tau"):
            rows += [
                {"dataset": dataset, "statistic": statistic, "proxy": "sotl", "unit": "epoch", "step": s}
                | {"estimate": s / 10, "ci_low": s / 10 - 0.05, "ci_high": s / 10 + 0.05}
                for s in (3, 1, 2)
            ]
            rows.append({"dataset": dataset, "statistic": statistic, "proxy": "params", "estimate": 0.8})
    place = {"benchmark": "b", "method": "m", "setting": "", "truth_split": "test", "truth_schedule": 12}
    rest = {"truth_seeds": "mean", "sample": "all", "interval": None, "n_archs": 9, "n_missing": 0}
    frame = pl.DataFrame(rows, infer_schema_length=None)
    return check(frame.with_columns(pl.lit(v).alias(k) for k, v in (place | rest).items()), "STATS")


def truth_and_scores() -> tuple[pl.DataFrame, pl.DataFrame]:
    place = {"benchmark": "b", "dataset": "d"}
    truth = pl.DataFrame(
        {"arch": [f"nb201:{a}" for a in "aabbc"], "seed": [0, 1, 0, 1, 0], "accuracy": [50.0, 60.0, 70.0, 72.0, 10.0]}
    ).with_columns(
        split=pl.lit("test"), schedule=pl.lit(12), origin=pl.lit("trained"), **{k: pl.lit(v) for k, v in place.items()}
    )
    scores = pl.DataFrame(
        {"arch": [f"nb201:{a}" for a in "aabd"], "seed": [0, 1, 0, 0], "value": [1.0, 3.0, 5.0, 7.0]}
    ).with_columns(
        method=pl.lit("m"),
        setting=pl.lit(""),
        proxy=pl.lit("sotl"),
        unit=pl.lit("epoch"),
        step=pl.lit(12),
        **{k: pl.lit(v) for k, v in place.items()},
    )
    return check(truth, "TRUTH"), check(scores, "SCORES")


def test_numbers_of_the_step_figure() -> None:
    table = correlation_by_step(stats_frame(), "spearman_rho")
    assert table.select("proxy", "step", "estimate").rows() == [
        ("sotl", 1, 0.1),
        ("sotl", 2, 0.2),
        ("sotl", 3, 0.3),
        ("params", None, 0.8),
    ]


def test_step_figure_refuses_what_it_cannot_show() -> None:
    with pytest.raises(StudyError, match="no rows for statistic 'pearson_r'; the table holds kendall_tau, spearman"):
        correlation_by_step(stats_frame(), "pearson_r")
    with pytest.raises(StudyError, match="expected one dataset in a figure, got cifar10, digits; filter first"):
        correlation_by_step(stats_frame(("digits", "cifar10")))
    with pytest.raises(StudyError, match="the table holds none"):
        correlation_by_step(SCHEMAS["STATS"].empty())


def test_step_figure_draws_those_numbers_with_labels() -> None:
    from matplotlib.axes import Axes

    ax = plot_correlation_by_step(stats_frame(), title="t")
    assert isinstance(ax, Axes)
    assert ax.get_xlabel() == "completed epochs"
    assert ax.get_ylabel() == "Spearman's ρ with test accuracy after 12 epochs"
    assert ax.get_title(loc="left") == "t"
    lines = {str(line.get_label()): line for line in ax.get_lines()}
    assert set(lines) == {"SoTL, all steps", "parameters"}
    assert lines["SoTL, all steps"].get_xydata().tolist() == [[1, 0.1], [2, 0.2], [3, 0.3]]
    assert set(lines["parameters"].get_ydata()) == {0.8}
    (band,) = ax.collections
    low, high = band.get_datalim(ax.transData).intervaly
    assert (low, high) == (pytest.approx(0.05), pytest.approx(0.35))
    legend = ax.get_legend()
    assert legend is not None
    assert len(legend.get_texts()) == 2


def test_minibatches_are_named_on_the_axis() -> None:
    frame = stats_frame().with_columns(
        unit=pl.when(pl.col("unit").is_not_null()).then(pl.lit("minibatch")), truth_schedule=pl.lit(None, pl.Int64)
    )
    ax = plot_correlation_by_step(frame, "kendall_tau")
    assert ax.get_xlabel() == "minibatches"
    assert ax.get_ylabel() == "Kendall's τ-b with test accuracy"


def test_numbers_of_the_scatter() -> None:
    truth, scores = truth_and_scores()
    pairs = score_against_truth(truth, scores)
    assert pairs.rows() == [("nb201:a", 2.0, 55.0), ("nb201:b", 5.0, 71.0)], "means over seeds, both sides held"
    means = (
        truth.group_by("arch", maintain_order=True)
        .first()
        .with_columns(seed=pl.lit(None, pl.Int64), accuracy=pl.lit(33.0))
    )
    both = check(pl.concat([truth, means.select(truth.columns)]), "TRUTH")
    assert set(score_against_truth(both, scores)["accuracy"]) == {33.0}, "recorded means are used where there are any"
    holed = scores.with_columns(value=pl.when(pl.col("arch") == "nb201:b").then(None).otherwise("value"))
    assert score_against_truth(truth, holed)["arch"].to_list() == ["nb201:a"]


def test_scatter_of_several_targets_is_refused() -> None:
    truth, scores = truth_and_scores()
    other = truth.with_columns(split=pl.lit("valid"))
    with pytest.raises(StudyError, match="expected one split in a scatter plot, got 2; filter first"):
        score_against_truth(pl.concat([truth, other]), scores)
    with pytest.raises(StudyError, match="expected one step"):
        score_against_truth(truth, pl.concat([scores, scores.with_columns(step=pl.lit(1, pl.Int64))]))


@pytest.mark.parametrize(
    ("proxy", "label"),
    [
        ("params", "parameters"),
        ("flops", "FLOPs (multiply-accumulates of one image)"),
        ("sotl_e@3", "SoTL, last 3 steps (nats)"),
        ("val_loss", "validation loss (nats)"),
        ("val_acc", "validation accuracy (%)"),
        ("sum_train_error", "sum of training errors (percentage points)"),
    ],
)
def test_scatter_draws_those_numbers_with_units(proxy: str, label: str) -> None:
    pairs = score_against_truth(*truth_and_scores())
    ax = plot_scatter(pairs, proxy=proxy, target="test accuracy on digits")
    (points,) = ax.collections
    assert points.get_offsets().tolist() == [[2.0, 55.0], [5.0, 71.0]]
    assert ax.get_xlabel() == label
    assert ax.get_ylabel() == "test accuracy on digits (%)"
    assert [t.get_text() for t in ax.texts] == ["n = 2"]


def test_given_axes_are_used_and_nothing_global_changes() -> None:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context():
        mpl.rcdefaults()  # whatever earlier tests did
        before = dict(mpl.rcParams)
        backend = mpl.get_backend()
        ax = Figure().add_subplot()
        assert plot_correlation_by_step(stats_frame(), ax=ax) is ax
        fresh = plot_scatter(score_against_truth(*truth_and_scores()), proxy="sotl")
        assert fresh is not ax
        assert dict(mpl.rcParams) == before
        assert mpl.get_backend() == backend


def test_the_same_figure_is_the_same_svg() -> None:
    import io

    from nasanalysis.plots.style import look

    texts = []
    for _ in range(2):
        out = io.BytesIO()
        with look():
            figure = plot_correlation_by_step(stats_frame()).get_figure(root=True)
            assert figure is not None
            figure.savefig(out, format="svg", metadata={"Date": None})
        texts.append(out.getvalue())
    assert texts[0] == texts[1]


def test_pandas_tables_are_drawn_too() -> None:
    pd = pytest.importorskip("pandas")
    frame = stats_frame()
    table = correlation_by_step(pd.DataFrame(frame.to_dict(as_series=False)))
    assert isinstance(table, pd.DataFrame)
    assert table["estimate"].tolist() == [0.1, 0.2, 0.3, 0.8]


def test_labels() -> None:
    assert proxy_label("sotl_e@1") == "SoTL, last step"
    assert proxy_label("sovl_first@4") == "SoVL, first 4 steps"
    assert proxy_label("sotl_ema@0.9") == "SoTL-EMA (0.9)"
    assert proxy_label("my_own") == "my own"
    assert statistic_label("topk_mean@10") == "top-10 mean (%)"
    assert len(set(COLOURS)) == len(COLOURS) >= 8

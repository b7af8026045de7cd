"""Small frames worked out by hand, for tests of plots, tables and cards."""

from __future__ import annotations

import polars as pl

ARCHS = [f"user:{i:02d}" for i in range(20)]


def truth_frame(accuracy: dict[str, float]) -> pl.DataFrame:
    return pl.DataFrame({"arch": list(accuracy), "accuracy": list(accuracy.values())}).with_columns(
        benchmark=pl.lit("b"),
        dataset=pl.lit("d"),
        split=pl.lit("test"),
        schedule=pl.lit(3),
        seed=pl.lit(None, pl.Int64),
        origin=pl.lit("trained"),
    )


def scores_frame(values: dict[str, dict[str, float]]) -> pl.DataFrame:
    rows = [(p, a, float(v)) for p, own in values.items() for a, v in own.items()]
    frame = pl.DataFrame(rows, schema={"proxy": pl.String, "arch": pl.String, "value": pl.Float64}, orient="row")
    return frame.with_columns(
        benchmark=pl.lit("b"),
        dataset=pl.lit("d"),
        method=pl.lit(""),
        setting=pl.lit(""),
        seed=pl.lit(None, pl.Int64),
        unit=pl.lit(None, pl.String),
        step=pl.lit(None, pl.Int64),
    )


def curves_frame(losses: dict[str, list[float]], seeds: int = 1) -> pl.DataFrame:
    rows = [
        (arch, seed, step, loss + seed)
        for arch, own in losses.items()
        for seed in range(seeds)
        for step, loss in enumerate(own, 1)
    ]
    frame = pl.DataFrame(rows, schema=["arch", "seed", "step", "train_loss"], orient="row")
    return frame.with_columns(
        benchmark=pl.lit("b"),
        dataset=pl.lit("d"),
        method=pl.lit("scratch"),
        setting=pl.lit(""),
        schedule=pl.lit(3),
        unit=pl.lit("epoch"),
    )


TRUTH = truth_frame({arch: 50.0 + i for i, arch in enumerate(ARCHS)})


def stats_frame() -> pl.DataFrame:
    rows = [
        ("params", None, 0.5, 0.4, 0.6),
        ("sotl", 1, 0.2, 0.1, 0.3),
        ("sotl", 2, 0.7, 0.6, 0.8),
        ("zen", None, None, None, None),
    ]
    frame = pl.DataFrame(rows, schema=["proxy", "step", "estimate", "ci_low", "ci_high"], orient="row")
    return frame.with_columns(
        benchmark=pl.lit("b"),
        dataset=pl.lit("d"),
        method=pl.lit(""),
        setting=pl.lit(""),
        truth_split=pl.lit("test"),
        truth_schedule=pl.lit(3),
        truth_seeds=pl.lit("mean"),
        sample=pl.lit("all"),
        statistic=pl.lit("kendall_tau"),
        unit=pl.lit(None, pl.String),
        interval=pl.lit("percentile"),
        n_archs=pl.lit(20),
        n_missing=pl.lit(0),
    )


def trace_frame(values: dict[int, float]) -> pl.DataFrame:
    return pl.DataFrame({"epoch": list(values), "value": list(values.values())}).with_columns(
        benchmark=pl.lit("b"),
        dataset=pl.lit("d"),
        method=pl.lit("darts"),
        setting=pl.lit("0.0_0.0003"),
        seed=pl.lit(1),
        quantity=pl.lit("arch_hessian_ev"),
    )

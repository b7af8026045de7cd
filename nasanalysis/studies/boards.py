"""What items add to the leaderboard of the page: their entries on one truth, and that truth in words."""

from __future__ import annotations

import polars as pl

from .. import stats
from ..loaders.samples import sample_label
from ..report.model import Board
from .items import Resampling

#: What a reader sees of a benchmark and of a data set; others by their own name.
BENCHMARK_LABELS = {
    "digits-2": "digits, second edition",
    "digits-2-minibatches": "digits, second edition, minibatches",
    "nb201": "NAS-Bench-201",
    "nb201-thesis": "NAS-Bench-201",
    "nats-tss": "NATS-Bench, topologies",
    "nats-sss": "NATS-Bench, sizes",
    "nb101": "NAS-Bench-101",
    "nb101-1": "NAS-Bench-1shot1, space 1",
    "nb101-2": "NAS-Bench-1shot1, space 2",
    "nb101-3": "NAS-Bench-1shot1, space 3",
    "nb301": "NAS-Bench-301",
    "nb301-v0.9": "NAS-Bench-301 v0.9",
    "darts-214": "DARTS, 214 trained",
    "darts-1000": "DARTS, 1,000 trained",
    "robust-darts": "RobustDARTS",
}
DATASET_LABELS = {"cifar10": "CIFAR-10", "cifar10-valid": "CIFAR-10, half", "cifar100": "CIFAR-100"}
_SPLITS = {"valid": "validation", "valtest": "validation and test"}
BASELINE = "params"


def benchmark_label(benchmark: str, dataset: str) -> str:
    """``NAS-Bench-201, CIFAR-10``; a data set that is named like its benchmark stands once."""
    name = BENCHMARK_LABELS.get(benchmark, benchmark)
    return name if dataset in ("", benchmark.partition("-")[0]) else f"{name}, {DATASET_LABELS.get(dataset, dataset)}"


def board(
    frame: pl.DataFrame,
    *,
    benchmark: str,
    dataset: str,
    split: str,
    sample: str,
    schedule: int | None = None,
    truth_seed: int | None = None,
    scores_seed: int | None = None,
    baseline: str = BASELINE,
    unit: str = "epochs",
) -> Board:
    """The entries of `nasanalysis.stats.leaderboard` with their truth in words."""
    truth = f"{_SPLITS.get(split, split)} accuracy" + (f" after {schedule} epochs" if schedule else "")
    if truth_seed is not None:
        truth += f", run {truth_seed}"
    if scores_seed is not None:
        truth += f", scores of run {scores_seed}"
    n = frame["n_archs"].to_list()[0] if len(frame) else 0
    subset = f"{sample_label(sample)}; {n:,} scored by all"
    return Board(frame, benchmark_label(benchmark, dataset), truth, subset, baseline, unit)


def compared(
    truth: pl.DataFrame, scores: pl.DataFrame, resampling: Resampling, directions: dict[str, str] | None = None
) -> pl.DataFrame | None:
    """`nasanalysis.stats.leaderboard` on Spearman's rho, the parameter count as the bar.

    truth, scores: of one data set, a step of each proxy. Null where there is no parameter count, or nothing beside it.
    """
    proxies = set(scores["proxy"])
    if BASELINE not in proxies or len(proxies) < 2:
        return None
    frame: pl.DataFrame = stats.leaderboard(
        truth, scores, baseline=BASELINE, top=(), costs=_epochs(scores), directions=directions, resampling=resampling
    )
    return frame


def _epochs(scores: pl.DataFrame) -> pl.DataFrame:
    """Columns proxy, step, cost: epochs of training where a score says its epoch."""
    entries = scores.select("proxy", "step", "unit").unique(maintain_order=True)
    cost = pl.when(pl.col("unit") == "epoch").then(pl.col("step").cast(pl.Float64))
    return entries.select("proxy", "step", cost=cost).drop_nulls("cost")

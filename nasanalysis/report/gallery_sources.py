"""Where the numbers of the gallery come from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl

from .. import stats
from ..core.frames import read_frame
from ..core.resources import shipped
from ..loaders import Benchmark, load_benchmark
from ..plots.style import arch_label
from ..proxies import score
from ..spaces import get_space
from ..spaces.capabilities import HasLivePath
from ..stats.averages import mean_scores
from ..stats.pairs import mean_accuracy

ZERO_COST = (
    "synflow",
    "nwot",
    "snip",
    "grasp",
    "fisher",
    "jacov",
    "grad_norm",
    "l2_norm",
    "zen",
    "epe_nas",
    "plain",
)


@dataclass(frozen=True)
class Sources:
    """Where the gallery's numbers come from; each is read when first asked for."""

    data: Path | None = None
    n_boot: int = 300

    @cached_property
    def digits(self) -> Benchmark:
        return load_benchmark("digits")

    @cached_property
    def nb201(self) -> Benchmark:
        return load_benchmark("nb201", self.data)

    @cached_property
    def digits_truth(self) -> pl.DataFrame:
        """Test accuracy of the uniform sample, architectures without a live path left out."""
        space, outside = get_space("nb201", HasLivePath), self.digits.metadata.get("outside_uniform_sample", [])
        frame = self.digits_all.filter(~pl.col("arch").is_in(outside))
        live = [arch for arch in frame["arch"].unique().to_list() if space.has_live_path(arch)]
        return frame.filter(pl.col("arch").is_in(live))

    @cached_property
    def digits_all(self) -> pl.DataFrame:
        return self.digits.truth("digits", split="test")

    def scores(self, *proxies: str) -> pl.DataFrame:
        """SCORES of digits for the architectures of `digits_truth`, at every epoch."""
        archs = self.digits_truth["arch"].unique().to_list()
        return score(self.digits, proxies).filter(pl.col("arch").is_in(archs))

    @cached_property
    def digits_pairs(self) -> pl.DataFrame:
        """arch, sotl, params, accuracy of digits after the last epoch."""
        last = last_step(self.scores("sotl", "params"))
        wide = mean_scores(last).pivot("proxy", index="arch", values="value")
        return wide.join(mean_accuracy(self.digits_truth), on="arch").sort("arch")

    @cached_property
    def nb201_truth(self) -> pl.DataFrame:
        return self.nb201.truth("cifar10", split="test", schedule=200)

    @cached_property
    def zero_cost(self) -> pl.DataFrame:
        """SCORES of the zero-cost proxies and params on the architectures that all of them score."""
        frame = score(self.nb201, [*ZERO_COST, "params", "flops"], dataset="cifar10").drop_nulls("value")
        frame = frame.filter(pl.col("setting") != "Masters_Thesis")  # the same proxies once more, on 200 architectures
        common = frame.group_by("arch").len().filter(pl.col("len") == len(ZERO_COST) + 2)["arch"]
        return frame.filter(pl.col("arch").is_in(common.to_list()))

    @cached_property
    def zero_cost_stats(self) -> pl.DataFrame:
        archs = self.zero_cost["arch"].unique().to_list()
        truth = self.nb201_truth.filter(pl.col("arch").is_in(archs))
        taus: pl.DataFrame = stats.correlate(truth, self.zero_cost, statistics=("kendall_tau",), n_boot=self.n_boot)
        return taus

    @cached_property
    def sotl_windows(self) -> pl.DataFrame:
        """A tidy ablation: Kendall's tau of SoTL over the last `window` epochs, read at `epoch`; digits."""
        names = [f"sotl_e@{window}" for window in (1, 2, 3, 4, 6, 8, 12)]
        frame: pl.DataFrame = stats.correlate(
            self.digits_truth, self.scores(*names), statistics=("kendall_tau",), n_boot=self.n_boot
        )
        window = pl.col("proxy").str.split("@").list.last().cast(pl.Int64).alias("window")
        return frame.select(window, pl.col("step").alias("epoch"), "estimate", "ci_low", "ci_high").sort(
            "window", "epoch"
        )


def last_step(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.filter(pl.col("step").is_null() | (pl.col("step") == pl.col("step").max().over("proxy")))


def landscape(name: str) -> pl.DataFrame:
    return read_frame(shipped(f"reports/results/digits_{name}.parquet"))


def with_accuracy(frame: pl.DataFrame, truth: pl.DataFrame, column: str = "network") -> pl.DataFrame:
    """A column that names each architecture by its number and true accuracy, worst first."""
    means = truth.filter(pl.col("seed").is_null()).select("arch", "accuracy")
    joined = frame.join(means, on="arch", maintain_order="left").sort("accuracy", maintain_order=True)
    text = [f"{arch_label(a)} ({accuracy:.0f} %)" for a, accuracy in joined.select("arch", "accuracy").iter_rows()]
    return joined.with_columns(pl.Series(column, text))

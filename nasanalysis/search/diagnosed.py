"""What diagnostics of differentiable searches say, one number for each search, to be compared over seeds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl

from ..core.errors import SearchError
from ..core.frames import any_frame, check
from ..stats.rank import spearman_rho

#: What tells searches apart.
SEARCHES = ["method", "setting", "seed"]


@any_frame
def skip_gaps(alphas: pl.DataFrame) -> pl.DataFrame:
    """TRACE of ``skip_minus_conv`` by epoch: the weight of the skip less the mean weight of convolutions, mean over
    edges that have both (Wang et al. 2021, Figure 3: the mean is ours, the text does not say).

    alphas: ALPHAS; weights are those after the relaxation. `SearchError` where no edge has both.
    """
    table = check(alphas, "ALPHAS").filter(pl.col("mask").fill_null(value=True))
    where = ["benchmark", "dataset", *SEARCHES, "epoch"]
    each = (
        table.group_by(*where, "cell", "edge", maintain_order=True)
        .agg(
            skip=pl.col("weight").filter(pl.col("operation") == "skip_connect").mean(),
            conv=pl.col("weight").filter(pl.col("operation").str.contains("conv")).mean(),
        )
        .drop_nulls(["skip", "conv"])
    )
    if each.is_empty():
        raise SearchError("skip_minus_conv: expected edges with skip_connect and a convolution, got none")
    means = each.group_by(where, maintain_order=True).agg(value=(pl.col("skip") - pl.col("conv")).mean())
    return check(means.with_columns(quantity=pl.lit("skip_minus_conv")), "TRACE")


@any_frame
def strength_agreement(strengths: pl.DataFrame, value: str = "strength") -> pl.DataFrame:
    """One row for each search and epoch: does alpha rank the operations of an edge as `value` does?

    strengths: STRENGTHS; ``none`` is left out (its output is 0, so masking it costs nothing by construction). Returns
    method, setting, seed, epoch, rho (Spearman's between weight and `value` within an edge, mean over edges where both
    vary), same (share of edges where both have the same best operation), edges.
    """
    table = check(strengths, "STRENGTHS").filter(pl.col("operation") != "none").drop_nulls([value, "weight"])
    rows = []
    for key, search in table.group_by(*SEARCHES, "epoch", maintain_order=True):
        edges = [edge for _, edge in search.group_by("cell", "edge", maintain_order=True) if len(edge) > 1]
        rhos = [r for edge in edges if (r := _rho(edge["weight"], edge[value])) is not None]
        same = [edge["weight"].arg_max() == edge[value].arg_max() for edge in edges]
        rho = float(np.mean(rhos)) if rhos else None
        rows.append((*key, rho, float(np.mean(same)) if same else None, len(edges)))
    schema = {"method": pl.String, "setting": pl.String, "seed": pl.Int64, "epoch": pl.Int64, "rho": pl.Float64,
              "same": pl.Float64, "edges": pl.Int64}  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


@any_frame
def along_the_search(trace: pl.DataFrame, one: str, other: str) -> pl.DataFrame:
    """method, setting, seed, rho, epochs: Spearman's of two quantities of a TRACE over the epochs that have both.

    Null where one of them does not vary. Epochs of one search depend on each other: compare over seeds.
    """
    table = check(trace, "TRACE").filter(pl.col("quantity").is_in([one, other])).drop_nulls("value")
    wide = table.pivot("quantity", index=[*SEARCHES, "epoch"], values="value").sort(*SEARCHES, "epoch")
    schema = {"method": pl.String, "setting": pl.String, "seed": pl.Int64, "rho": pl.Float64, "epochs": pl.Int64}
    if not {one, other} <= set(wide.columns):
        return pl.DataFrame(schema=schema)
    rows = []
    for key, search in wide.drop_nulls([one, other]).group_by(SEARCHES, maintain_order=True):
        rows.append((*key, _rho(search[one], search[other]), len(search)))
    return pl.DataFrame(rows, schema=schema, orient="row")


@any_frame
def at_the_end(trace: pl.DataFrame, quantity: str, last: int = 5) -> pl.DataFrame:
    """method, setting, seed, value: the mean of the last readings of a quantity of a TRACE."""
    table = check(trace, "TRACE").filter(quantity=quantity).drop_nulls("value").sort(*SEARCHES, "epoch")
    return table.group_by(SEARCHES, maintain_order=True).agg(pl.col("value").tail(last).mean())


def _rho(one: pl.Series, other: pl.Series) -> float | None:
    rank: Callable[..., float] = spearman_rho
    if len(one) < 2 or one.n_unique() < 2 or other.n_unique() < 2:
        return None
    return float(rank(one.to_numpy(), other.to_numpy()))

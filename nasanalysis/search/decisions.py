"""What searches decide, edge by edge and operation by operation: one number for each search."""

from __future__ import annotations

import polars as pl

from ..core.frames import any_frame, check
from ..proxies.graph import graph_features
from .diagnosed import SEARCHES, at_the_end

#: 3x3 convolutions (separable in the spaces of DARTS), which the works compare with the skip connection.
CONVOLUTIONS = ("sep_conv_3x3", "nor_conv_3x3", "conv3x3")
SKIP = "skip_connect"


@any_frame
def edge_choices(strengths: pl.DataFrame) -> pl.DataFrame:
    """One row for each search and epoch: the skip beside the 3x3 convolution, over edges that have both.

    strengths: STRENGTHS. Returns method, setting, seed, epoch, skip_preferred (share of edges on which alpha gives the
    skip more weight), convolution_dearer (share on which masking the convolution costs more accuracy than masking the
    skip; ties count half), edges. Wang et al. 2021, Figure 2.
    """
    table = check(strengths, "STRENGTHS")
    where = [*SEARCHES, "epoch"]
    pair = table.group_by(*where, "cell", "edge", maintain_order=True).agg(
        **{
            f"{name}_{value}": pl.col(value).filter(pl.col("operation").is_in(operations)).max()
            for name, operations in (("skip", [SKIP]), ("conv", list(CONVOLUTIONS)))
            for value in ("weight", "strength")
        }
    )
    both = pair.drop_nulls(["skip_weight", "conv_weight", "skip_strength", "conv_strength"])
    gap = pl.col("conv_strength") - pl.col("skip_strength")
    return both.group_by(where, maintain_order=True).agg(
        skip_preferred=(pl.col("skip_weight") > pl.col("conv_weight")).mean(),
        convolution_dearer=((gap.sign() + 1) / 2).mean(),
        edges=pl.len().cast(pl.Int64),
    )


@any_frame
def decided_for_convolutions(alphas: pl.DataFrame) -> pl.DataFrame:
    """Of searches that decide after they have searched: share of the edges whose largest alpha is another operation
    than the 3x3 convolution that are decided for the convolution nevertheless.

    alphas: ALPHAS with the last epoch of the search, where no mask excludes anything, and the end. Returns method,
    setting, seed, share (null where alpha prefers the convolution everywhere), edges (how many alpha would give to
    another operation); no row for a search that leaves anything undecided. Wang et al. 2021, Figure 5, on S4.
    """
    table = check(alphas, "ALPHAS").with_columns(pl.col("mask").fill_null(value=True))
    rows = []
    for key, search in table.group_by(SEARCHES, maintain_order=True):
        open_at = search.group_by("epoch").agg(pl.col("mask").all()).filter("mask")["epoch"]
        end = search.filter(epoch=search["epoch"].max(), mask=True)
        if not len(open_at) or end.select("cell", "edge").is_duplicated().any():
            continue
        wanted = search.filter(epoch=open_at.max()).sort("alpha", descending=True, maintain_order=True)
        wanted = wanted.group_by("cell", "edge", maintain_order=True).agg(pl.col("operation").first().alias("wanted"))
        both = wanted.join(end, on=["cell", "edge"], how="inner").filter(~pl.col("wanted").is_in(CONVOLUTIONS))
        for_conv = both["operation"].is_in(CONVOLUTIONS)
        rows.append((*key, float(for_conv.to_numpy().mean()) if len(both) else None, len(both)))
    schema = {"method": pl.String, "setting": pl.String, "seed": pl.Int64, "share": pl.Float64, "edges": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


@any_frame
def growth(trace: pl.DataFrame, quantity: str = "arch_hessian_ev") -> pl.DataFrame:
    """method, setting, seed, growth: logarithm of the last readings (mean of five) over the first, where both are
    above 0.
    """
    ends = at_the_end(trace, quantity).rename({"value": "end"})
    rows = check(trace, "TRACE").filter(quantity=quantity).drop_nulls("value").sort("epoch")
    first = rows.group_by(SEARCHES, maintain_order=True).agg(first=pl.col("value").first())
    both = ends.join(first, on=SEARCHES, maintain_order="left").filter(pl.min_horizontal("end", "first") > 0)
    return both.select(*SEARCHES, growth=(pl.col("end") / pl.col("first")).log())


@any_frame
def share_without(trace: pl.DataFrame, quantity: str = "selected_skips") -> pl.DataFrame:
    """method, setting, seed, share: of the epochs of a search, those after which it would select none of `quantity`."""
    rows = check(trace, "TRACE").filter(quantity=quantity).drop_nulls("value").filter(pl.col("epoch") > 0)
    return rows.group_by(SEARCHES, maintain_order=True).agg(share=(pl.col("value") == 0).mean())


@any_frame
def selected_convolutions(trace: pl.DataFrame, epoch: int | None = None) -> pl.DataFrame:
    """method, setting, seed, convolutions: 3x3 convolutions of what a search would select after `epoch`, or selected.

    trace: TRACE with the texts ``genotype`` (by epoch) and ``selected`` (at the end).
    """
    table = check(trace, "TRACE")
    rows = table.filter(quantity="selected") if epoch is None else table.filter(quantity="genotype", epoch=epoch)
    rows = rows.drop_nulls("text").select(*SEARCHES, arch="text")
    if rows.is_empty():
        return rows.select(*SEARCHES, convolutions=pl.lit(None, pl.Float64))
    spaced = rows.with_columns(space=pl.col("arch").str.extract(r"^([^:]+):"))
    counts = []
    for each in spaced.partition_by("space", maintain_order=True):
        names = each["arch"].unique(maintain_order=True).to_list()
        counted = pl.DataFrame({"arch": names, "convolutions": count_convolutions(names)})
        counts.append(each.join(counted, on="arch", how="left", maintain_order="left"))
    return pl.concat(counts).select(*SEARCHES, "convolutions")


def count_convolutions(archs: list[str]) -> list[float]:
    """3x3 convolutions of each architecture of one space, all its cells together."""
    features = graph_features(archs)
    columns = [
        name
        for name in features.columns
        if name.startswith("graph_count") and name.rpartition("@")[2].rpartition("/")[2] in CONVOLUTIONS
    ]
    return features.with_columns(n=pl.sum_horizontal(pl.lit(0.0), *columns))["n"].to_list()

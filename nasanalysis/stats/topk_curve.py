"""How good the architectures are that a proxy puts first, for every k."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from ..core.errors import StudyError
from ..core.frames import any_frame
from .alignment import direction_of
from .averages import checked_scores, mean_scores
from .pairs import mean_accuracy
from .topk import topk_mean

KS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
BEST, RANDOM = "best possible", "chosen at random"


@any_frame
def topk_by_k(
    truth: pl.DataFrame,
    scores: pl.DataFrame,
    *,
    ks: Sequence[int] = KS,
    directions: Mapping[str, int | str] | None = None,
) -> pl.DataFrame:
    """Columns ``proxy, k, topk_mean, n_archs``: mean true accuracy (percent) of the `k` scored best.

    Architectures are those that every proxy scores, so all stand before the same choice; `ks` beyond
    their number are left out. Two more lines are added: `BEST` (the truly best k) and `RANDOM` (the mean
    of all, what a random choice gives in expectation). Ties at the k-th place: the expectation over
    breaking them at random.

    `truth`: of one dataset, split and schedule. `scores`: one step of each proxy; seeds are averaged.
    """
    table = checked_scores(scores)
    if table.select("proxy", "method", "setting", "step").n_unique() > table["proxy"].n_unique():
        raise StudyError("top-k: expected one method, setting and step for each proxy; filter first")
    means = mean_scores(table).select("arch", "proxy", "value").pivot("proxy", index="arch", values="value")
    wide = means.join(mean_accuracy(truth), on="arch").drop_nulls().sort("arch")
    if wide.is_empty():
        raise StudyError("top-k: no architecture has a true accuracy and a score of every proxy")
    y = wide["accuracy"].to_numpy()
    ks = [k for k in ks if k <= len(y)]
    rows: list[tuple[str, int, float, int]] = []
    for name in table["proxy"].unique(maintain_order=True):
        x = direction_of(name, directions) * wide[name].to_numpy()
        rows += [(name, k, topk_mean(x, y, k), len(y)) for k in ks]
    rows += [(BEST, k, float(np.sort(y)[-k:].mean()), len(y)) for k in ks]
    rows += [(RANDOM, k, float(y.mean()), len(y)) for k in ks]
    schema = {"proxy": pl.String, "k": pl.Int64, "topk_mean": pl.Float64, "n_archs": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")

"""Does the dominant eigenvalue go with the error of the search model? Published logs, over settings and within them."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ...core.errors import MissingDataError
from ...core.seeding import generator
from ...loaders.darts import robust_darts
from ...report.cells import with_interval
from ...report.model import Table
from ...report.published import Cells
from ...stats.bootstrap import BOOTSTRAP, bootstrap_counts, percentile_interval
from ...stats.rank import spearman_rho
from ...stats.resamples import Resamples
from ..items import Resampling, Sources

#: Readings of the eigenvalue whose mean is that of a search's end.
LAST = 5
#: Searches below which a correlation says nothing.
FEWEST = 4
_NOTE = (
    "Eigenvalue: mean of the last {last} that a search logged, most positive, without the architecture weight decay. "
    "Error: of the search model (the relaxed network, not what was found and trained alone) on validation images, last "
    "epoch. Spearman's ρ; brackets: {level:g} %, percentile bootstrap over searches, or over whole settings for their "
    "means and for what is left of all once the means are taken away. Over settings the L2 factor and drop-path move "
    "both numbers; within one they do not."
)


def eigenvalue_errors(sources: Sources, resampling: Resampling, published: Cells) -> Table:
    """Spearman's of eigenvalue and last validation error over searches: all, over means of settings, within a setting.

    Raises `MissingDataError` where fewer than `FEWEST` searches have both.
    """
    rows = logged(sources)
    if rows.height < FEWEST:
        raise MissingDataError(
            f"robust-darts: expected at least {FEWEST} searches with Hessians and errors, got {rows.height}; the "
            "repository automl/RobustDARTS has them in search_logs"
        )
    results, few_searches = [], 0
    for where, each in rows.group_by("searched", maintain_order=True):
        name = str(where[0])
        results.append((name, "all searches", *_correlation(each, resampling), each.height))
        means = each.group_by("setting", maintain_order=True).agg(pl.col("eigenvalue", "error").mean())
        results.append((name, "means of settings", *_correlation(means, resampling), means.height))
        results.append((name, "within settings, all together", *_within(each, resampling), each.height))
        for setting, few in each.group_by("setting", maintain_order=True):
            if few.height < FEWEST:
                few_searches += 1
                continue
            results.append((name, f"within {setting[0]}", *_correlation(few, resampling), few.height))
    schema = {"searched": pl.String, "over": pl.String, "spearman": pl.Float64, "ci_low": pl.Float64,
              "ci_high": pl.Float64, "n": pl.Int64}  # fmt: skip
    frame = pl.DataFrame(results, schema=schema, orient="row")
    cells = []
    for name, over, rho, low, high, n in results:
        shown = "–" if rho is None else with_interval(rho, low, high, 2)
        cells.append([name, over, shown, str(n), _verdict(low, high)])
    note = _NOTE.format(last=LAST, level=100 * resampling.level)
    if few_searches:
        note += f" Settings of fewer than {FEWEST} searches have no row of their own: {few_searches}."
    header = ["space, data set", "over", "Spearman's ρ", "n", "verdict"]
    return Table("eigenvalue-errors", "Dominant eigenvalue and error of the search model", header, cells, frame,
                 [False, False, True, True, False], note)  # fmt: skip


def logged(sources: Sources) -> pl.DataFrame:
    """searched, setting, seed, eigenvalue, error (percent): of each search that logged both."""
    searches, _ = robust_darts.survey(sources.folder("robust_darts"))
    rows = []
    for search in (search for search in searches if search.has_hessians):
        sources.log(search.file("derivatives", ".json"))
        sources.log(search.file("errors", ".json"))
        known = search.folder.parents[2] / "results_perf.yaml"  # says which files hold accuracies
        if known.is_file():
            sources.log(known)
        logged = robust_darts.dominant_eigenvalues(search, with_decay=False)
        last = [logged[epoch] for epoch in sorted(logged)[-LAST:]]
        error = robust_darts.errors(search).sort("epoch")["valid_error"][-1]
        rows.append((f"{search.space}, {search.dataset}", search.setting, search.seed, float(np.mean(last)), error))
    schema = {"searched": pl.String, "setting": pl.String, "seed": pl.Int64, "eigenvalue": pl.Float64,
              "error": pl.Float64}  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row").drop_nulls().sort("searched", "setting", "seed")


def _correlation(rows: pl.DataFrame, resampling: Resampling) -> tuple[float | None, float | None, float | None]:
    x, y = rows["eigenvalue"].to_numpy(), rows["error"].to_numpy()
    if len(x) < FEWEST or len(set(x)) < 2 or len(set(y)) < 2:
        return None, None, None
    return _bootstrapped(x, y, np.arange(len(x)), resampling)


def _within(rows: pl.DataFrame, resampling: Resampling) -> tuple[float | None, float | None, float | None]:
    """Of what is left once the means of each setting are taken away; whole settings are drawn again."""
    left = rows.with_columns(pl.col("eigenvalue", "error") - pl.col("eigenvalue", "error").mean().over("setting"))
    left = left.filter(pl.len().over("setting") > 1)
    x, y = left["eigenvalue"].to_numpy(), left["error"].to_numpy()
    unit = left["setting"].rle_id().to_numpy()  # rows are sorted by setting
    if left["setting"].n_unique() < FEWEST:
        return None, None, None
    return _bootstrapped(x, y, unit, resampling)


def _bootstrapped(
    x: NDArray[np.float64], y: NDArray[np.float64], unit: NDArray[np.integer], resampling: Resampling
) -> tuple[float, float | None, float | None]:
    """`unit` (n,): number of what is drawn together."""
    rho = float(spearman_rho(x, y))
    if not resampling.n:
        return rho, None, None
    rng = generator(resampling.seed, "eigenvalue errors")
    counts = bootstrap_counts(int(unit.max()) + 1, resampling.n, rng)[:, unit]
    interval = percentile_interval(Resamples(y, counts).spearman_rho(x), BOOTSTRAP, level=resampling.level)
    return rho, interval.low, interval.high


def _verdict(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return "cannot tell"
    return "goes with error" if low > 0 else "against error" if high < 0 else "cannot tell"

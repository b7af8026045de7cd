"""200 proxies of all 15,625 cells in one wide CSV file, each against the truth: ours against pandas and scipy.

The peer reads both files with pandas, joins them and calls scipy's spearmanr and kendalltau for every column: what a
notebook does. Ours recognises the table, reads every architecture's name, checks both frames, says which way each score
is read, and gives the same two statistics with what is undefined and tied beside them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
from sidebyside import Row, Skipped, side_by_side

import nasanalysis as na
from nasanalysis.loaders.tables.load import load_plain
from nasanalysis.spaces import get_space

PROXIES = 200


def rows(data: Path | None) -> Iterator[Row | Skipped]:
    archs = [str(arch) for arch in get_space("nb201")]
    rng = np.random.default_rng(0)
    values = {f"p{i}": rng.normal(size=len(archs)) for i in range(PROXIES)}
    with tempfile.TemporaryDirectory(prefix="bench-wide-") as temp:
        truth, scores = Path(temp) / "truth.csv", Path(temp) / "scores.csv"
        pl.DataFrame({"arch": archs, "accuracy": rng.uniform(10, 95, len(archs))}).write_csv(truth)
        pl.DataFrame({"arch": archs, **values}).write_csv(scores)
        yield side_by_side(
            f"Correlate {PROXIES} proxies of {len(archs):,} architectures from CSV",
            lambda: _by_scipy(truth, scores),
            lambda: _ours(truth, scores),
            peer_name="pandas and scipy",
            rounds=1,
            note="two statistics, no intervals; files read and joined by both",
        )


def _by_scipy(truth: Path, scores: Path) -> list[tuple[float, float]]:
    import pandas as pd
    from scipy.stats import kendalltau, spearmanr

    table = pd.read_csv(truth).merge(pd.read_csv(scores), on="arch")
    columns = (table[f"p{i}"] for i in range(PROXIES))
    return [(spearmanr(c, table["accuracy"]).statistic, kendalltau(c, table["accuracy"]).statistic) for c in columns]


def _ours(truth: Path, scores: Path) -> pl.DataFrame:
    benchmark = load_plain([str(truth), str(scores)], None, None, None)
    return na.correlate(
        benchmark.truth(), benchmark.scores(), statistics=["spearman_rho", "kendall_tau"], n_boot=0,
        directions={f"p{i}": "higher" for i in range(PROXIES)},
    )  # fmt: skip

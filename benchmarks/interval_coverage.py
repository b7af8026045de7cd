"""How often the intervals of `nasanalysis.stats` hold the truth: simulated, one finished cell at a time.

    python benchmarks/interval_coverage.py                     # the table of reports/results/coverage.csv

Scores and truths are bivariate normal with Kendall's tau 0, 0.5 or 0.9 (r = sin(pi tau / 2); Spearman's rho is
6 / pi asin(r / 2)), samples of 20, 50 or 200 architectures, 2,000 samples of each. Every interval is made as
`correlate` makes it, from the same 1,000 resamples. A run that is stopped goes on where it was: each (n, tau) is
one file in --work. About 6 minutes on one core of a busy machine, with plain numpy.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import polars as pl

from nasanalysis.core.atomic import write_text
from nasanalysis.core.provenance import provenance
from nasanalysis.core.seeding import generator
from nasanalysis.jobs.units import gather, prepare, run_units
from nasanalysis.stats import Resamples, get_statistic
from nasanalysis.stats.intervals import make_interval

SIZES, TAUS = (20, 50, 200), (0.0, 0.5, 0.9)
STATISTICS = ("kendall_tau", "spearman_rho")
KINDS = ("fisher_z", "percentile", "bca")
DEFAULT = "fisher_z"
OUT = Path(__file__).resolve().parent.parent / "reports" / "results" / "coverage.csv"


def simulate(n: int, tau: float, simulations: int, n_boot: int, seed: int) -> pl.DataFrame:
    """One cell: a row for each statistic and kind of interval."""
    r = np.sin(np.pi * tau / 2)
    true = {"kendall_tau": tau, "spearman_rho": 6 / np.pi * np.arcsin(r / 2)}
    rng = generator(seed, "coverage", n, tau)
    tally = {(s, k): np.zeros(3) for s in STATISTICS for k in KINDS}  # below, above, width
    for _ in range(simulations):
        x = rng.normal(size=n)
        y = r * x + np.sqrt(1 - r * r) * rng.normal(size=n)
        drawn = rng.integers(0, n, size=(n_boot, n)) + n * np.arange(n_boot)[:, None]
        resamples = Resamples(y, np.bincount(drawn.ravel(), minlength=n_boot * n).reshape(n_boot, n))
        for name in STATISTICS:
            statistic = get_statistic(name)
            estimate = statistic(x, y)
            values = statistic.on_resamples(resamples, x)
            for kind in KINDS:
                made = make_interval(
                    kind, values, estimate, statistic.on_resamples, x, y, excess=statistic.excess
                )  # fmt: skip
                tally[name, kind] += (true[name] < made.low, true[name] > made.high, made.high - made.low)
    rows = [
        {
            "n_archs": n,
            "tau": tau,
            "statistic": name,
            "truth": round(float(true[name]), 4),
            "interval": kind,
            "default": kind == DEFAULT,
            "coverage_percent": round(100 * (1 - (below + above) / simulations), 2),
            "truth_below_percent": round(100 * below / simulations, 2),
            "truth_above_percent": round(100 * above / simulations, 2),
            "mean_width": round(width / simulations, 4),
            "simulations": simulations,
            "resamples": n_boot,
        }
        for (name, kind), (below, above, width) in tally.items()
    ]
    return pl.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=2000)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--work", type=Path, default=OUT.parents[1] / "out" / "coverage", help="finished cells")
    a = parser.parse_args()
    start = time.perf_counter()
    config = {"simulations": a.simulations, "resamples": a.resamples, "seed": a.seed, "kinds": list(KINDS)}
    units = prepare(a.work, config, resume=True)
    cells = {f"n{n}-tau{t}": (n, t, a.simulations, a.resamples, a.seed) for n in SIZES for t in TAUS}
    table = pl.concat(gather(run_units(simulate, cells, units, workers=a.workers, description="cells")))
    record = provenance(seeds={"coverage": a.seed}, config=config)
    head = [
        "# Coverage of 95 % intervals over architectures, bivariate normal scores and truths",
        f"# made by: python benchmarks/interval_coverage.py --simulations {a.simulations} --resamples {a.resamples} "
        f"--seed {a.seed}",
        f"# provenance: {json.dumps(record, sort_keys=True)}",
    ]
    write_text(a.out, "\n".join(head) + "\n" + table.write_csv())
    with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_width_chars=160):
        print(table)
    kept = table.filter(pl.col("default"), pl.col("n_archs") >= 50)
    worst = kept.sort((pl.col("coverage_percent") - 95).abs(), descending=True).row(0, named=True)
    print(
        f"default ({DEFAULT}) from n = 50: {kept['coverage_percent'].min()} to {kept['coverage_percent'].max()} %; "
        f"furthest from 95: {worst['statistic']}, n = {worst['n_archs']}, tau = {worst['tau']}"
    )
    print(f"{time.perf_counter() - start:.0f} s; written: {a.out}")


if __name__ == "__main__":
    main()

"""How often the intervals hold the truth, and how often the tests are wrong: simulated, one table.

=========== =========================================================================================================
plain       bivariate normal, Kendall's tau 0, 0.5, 0.9: every kind of interval of tau and of rho
tied        the score cut into few equally frequent levels: tau's Fisher z, and what `intervals` takes in its place
clustered   triples of isomorphs, or half of them in triples: intervals over architectures, and over classes
paired      two scores of one rho, of one shape (both normal) or of two (one is the truth half of the time, else noise):
            how often a difference is found, by the paired interval, the permutation test and the studentised one
by_step     twelve steps without a difference: how often one is found somewhere, by single intervals and by the band
reliability the better half of truth, three runs: bias and coverage, chosen by a run left out, bias chosen by the mean
=========== =========================================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl

from ..core.seeding import generator
from .bootstrap import FISHER_Z, IntervalKind, bootstrap_counts, fisher_z_interval, percentile_interval
from .classes import Labels
from .intervals import make_interval
from .permutation import permutation_test
from .rank import Floats, kendall_tau, spearman_rho
from .registry import get_statistic
from .reliability import reliability, resampled_reliability, top_fraction
from .resamples import Resamples
from .resampling import units_of
from .simultaneous import simultaneous_band

SIZES = (30, 100, 200)
TAUS = (0.0, 0.5, 0.9)
LEVELS = (3, 4, 12)
STEPS = 12
PERMUTATIONS = 99
RHO = 0.5  # of both scores of the paired case

#: (setting, statistic, method) -> one number of each simulation: 1 and 0 for held or found, or a difference.
Tally = dict[tuple[str, str, str], list[float]]


def simulate(case: str, n: int, simulations: int, n_boot: int, seed: int) -> pl.DataFrame:
    """One cell of the table: a row for each setting, statistic and method.

    Returns columns case, n_archs, setting, statistic, method, measured (``coverage``, ``type I`` or ``bias``), percent
    (of the simulations; a bias in hundredths of a correlation), monte_carlo_error (one standard error of it), wanted,
    simulations, resamples.
    """
    rng = generator(seed, "simulation", case, n)
    tally: Tally = {}
    measured = _CASES[case](n, simulations, n_boot, rng, tally)
    rows: list[dict[str, Any]] = []
    for (setting, statistic, method), values in tally.items():
        what = "bias" if method.startswith("bias") else measured
        each = 100 * np.asarray(values)
        rows.append(
            {
                "case": case,
                "n_archs": n,
                "setting": setting,
                "statistic": statistic,
                "method": method,
                "measured": what,
                "percent": round(float(each.mean()), 2),
                "monte_carlo_error": round(float(each.std(ddof=1) / np.sqrt(len(each))), 2),
                "wanted": {"coverage": 95, "type I": 5, "bias": 0}[what],
                "simulations": simulations,
                "resamples": n_boot,
            }
        )
    return pl.DataFrame(rows)


def cases() -> Sequence[str]:
    return tuple(_CASES)


def _add(tally: Tally, key: tuple[str, str, str], value: float) -> None:
    tally.setdefault(key, []).append(float(value))


def _normal_pair(n: int, r: float, rng: np.random.Generator) -> tuple[Floats, Floats]:
    x = rng.normal(size=n)
    return x, r * x + np.sqrt(1 - r * r) * rng.normal(size=n)


def _plain(n: int, simulations: int, n_boot: int, rng: np.random.Generator, tally: Tally) -> str:
    kinds: tuple[IntervalKind, ...] = ("fisher_z", "percentile", "bca")
    for tau in TAUS:
        r = float(np.sin(np.pi * tau / 2))
        true = {"kendall_tau": tau, "spearman_rho": 6 / np.pi * np.arcsin(r / 2)}
        for _ in range(simulations):
            x, y = _normal_pair(n, r, rng)
            drawn = Resamples(y, bootstrap_counts(n, n_boot, rng))
            for name, value in true.items():
                measure = get_statistic(name)
                each, estimate = measure.on_resamples(drawn, x), measure(x, y)
                for kind in kinds:
                    interval = make_interval(
                        kind, each, estimate, measure.on_resamples, x, y, excess=measure.excess
                    )  # fmt: skip
                    _add(tally, (f"tau {tau}", name, kind), interval.low <= value <= interval.high)
    return "coverage"


def _tied(n: int, simulations: int, n_boot: int, rng: np.random.Generator, tally: Tally) -> str:
    from scipy.special import ndtri

    measure = get_statistic("kendall_tau")
    for tau, levels in [(t, lv) for t in (0.2, 0.8) for lv in LEVELS]:
        r, cuts = float(np.sin(np.pi * tau / 2)), ndtri(np.arange(1, levels) / levels)
        large = [_normal_pair(50_000, r, rng) for _ in range(4)]
        true = float(np.mean([kendall_tau(np.searchsorted(cuts, x), y) for x, y in large]))
        for _ in range(simulations):
            x, y = _normal_pair(n, r, rng)
            x = np.searchsorted(cuts, x).astype(np.float64)
            each, estimate = Resamples(y, bootstrap_counts(n, n_boot, rng)).kendall_tau(x), measure(x, y)
            if not np.isfinite(estimate):
                continue
            ours = make_interval("fisher_z", each, estimate, measure.on_resamples, x, y, excess=measure.excess)
            plain = fisher_z_interval(each, estimate, n, excess=measure.excess)
            for how, interval in (("fisher_z without the rule", plain), ("default", ours)):
                _add(tally, (f"tau {tau}, {levels} levels", "kendall_tau", how), interval.low <= true <= interval.high)
    return "coverage"


def _clustered(n: int, simulations: int, n_boot: int, rng: np.random.Generator, tally: Tally) -> str:
    half = np.arange(n // 2)
    alone = np.concatenate([half, half.size + np.arange(n - half.size) // 3])
    for setting, labels in (("triples, tau 0.5", np.arange(n) // 3), ("half of them in triples, tau 0.5", alone)):
        _clustered_in(setting, labels, simulations, n_boot, rng, tally)
    return "coverage"


def _clustered_in(
    setting: str, labels: Labels, simulations: int, n_boot: int, rng: np.random.Generator, tally: Tally
) -> None:
    n, r, noise = len(labels), float(np.sin(np.pi * 0.5 / 2)), 0.1
    seen = r / (1 + noise**2)
    true = {"kendall_tau": 2 / np.pi * np.arcsin(seen), "spearman_rho": 6 / np.pi * np.arcsin(seen / 2)}
    for _ in range(simulations):
        x, y = (
            v[labels] + noise * rng.normal(size=n) for v in _normal_pair(int(labels.max()) + 1, r, rng)
        )  # fmt: skip
        for unit in ("arch", "class"):
            units = units_of("arch" if unit == "arch" else "class", n, labels)
            drawn = Resamples(y, units.spread(bootstrap_counts(units.n, n_boot, rng)))
            for name, value in true.items():
                measure = get_statistic(name)
                each, how = measure.on_resamples(drawn, x), measure.on_resamples
                interval = make_interval(
                    "fisher_z", each, measure(x, y), how, x, y, excess=measure.excess, units=units
                )  # fmt: skip
                _add(tally, (setting, name, f"over {units.noun}"), interval.low <= value <= interval.high)


def _paired(n: int, simulations: int, n_boot: int, rng: np.random.Generator, tally: Tally) -> str:
    measure, r = get_statistic("spearman_rho"), 2 * np.sin(np.pi * RHO / 6)
    for setting in ("one shape", "two shapes"):
        for _ in range(simulations):
            y = rng.normal(size=n)
            one, other = (r * y + np.sqrt(1 - r * r) * rng.normal(size=n) for _ in range(2))
            if setting == "two shapes":
                other = np.where(rng.random(n) < RHO, y, rng.normal(size=n))
            drawn = Resamples(y, bootstrap_counts(n, n_boot, rng))
            gap = percentile_interval(drawn.spearman_rho(one) - drawn.spearman_rho(other), "")
            _add(tally, (setting, measure.name, "paired interval"), gap.low > 0 or gap.high < 0)
            for studentised, name in ((False, "permutation"), (True, "studentised permutation")):
                p = permutation_test(
                    measure, one, other, y, rng=rng, n_permutations=PERMUTATIONS, studentised=studentised
                )  # fmt: skip
                _add(tally, (setting, measure.name, name), p <= 0.05)
    return "type I"


def _by_step(n: int, simulations: int, n_boot: int, rng: np.random.Generator, tally: Tally) -> str:
    for _ in range(simulations):
        y, shared = rng.normal(size=(2, n))
        noise = np.sqrt(0.5) * (shared + rng.normal(size=(STEPS, n)))  # steps of one proxy resemble each other
        scores, other = y + noise, y + rng.normal(size=n)
        drawn = Resamples(y, bootstrap_counts(n, n_boot, rng))
        base = drawn.spearman_rho(other)
        gaps = np.array([drawn.spearman_rho(row) - base for row in scores])
        estimates = np.array([spearman_rho(row, y) for row in scores]) - spearman_rho(other, y)
        low, high = np.quantile(gaps, [0.025, 0.975], axis=1)
        band = simultaneous_band(estimates, gaps)
        for name, ends in (("single intervals", (low, high)), ("band", (band.low, band.high))):
            excluded = bool((ends[0] > 0).any() or (ends[1] < 0).any())
            _add(tally, (f"{STEPS} steps", "spearman_rho", f"somewhere, {name}"), excluded)
    return "type I"


def _reliability(n: int, simulations: int, n_boot: int, rng: np.random.Generator, tally: Tally) -> str:
    for r in (0.0, 0.8):
        true = 0.0 if r == 0 else reliability(_runs(200_000, r, rng), fraction=0.5)
        setting = f"reliability {r}, better half"
        for _ in range(simulations):
            runs = _runs(n, r, rng)
            estimate = reliability(runs, fraction=0.5)
            each = resampled_reliability(runs, 0.5, bootstrap_counts(n, n_boot, rng))
            interval = fisher_z_interval(each, estimate, max(n // 2, 3), method=FISHER_Z)
            _add(tally, (setting, "spearman_rho", "chosen by a run left out"), interval.low <= true <= interval.high)
            _add(tally, (setting, "spearman_rho", "bias, chosen by a run left out"), estimate - true)
            by_mean = reliability(top_fraction(runs, 0.5))
            _add(tally, (setting, "spearman_rho", "bias, chosen by the mean of all"), by_mean - true)
    return "coverage"


def _runs(n: int, r: float, rng: np.random.Generator) -> Floats:
    """(n, 3) runs of normal truth, each pair correlated by `r`."""
    return np.asarray(np.sqrt(r) * rng.normal(size=(n, 1)) + np.sqrt(1 - r) * rng.normal(size=(n, 3)))


_CASES: dict[str, Callable[[int, int, int, np.random.Generator, Tally], str]] = {
    "plain": _plain,
    "tied": _tied,
    "clustered": _clustered,
    "paired": _paired,
    "by_step": _by_step,
    "reliability": _reliability,
}

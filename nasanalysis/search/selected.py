"""What differentiable searches select, judged by a truth: by epoch, and at the end, over seeds."""

from __future__ import annotations

import math

import numpy as np
import polars as pl

from ..core.errors import SearchError
from ..core.frames import any_frame, check
from ..stats.verdicts import verdict

#: What tells rows of searches apart.
ROW = ["method", "setting"]


@any_frame
def selected_by_epoch(trace: pl.DataFrame, truth: pl.DataFrame) -> pl.DataFrame:
    """The true accuracy of what each search would select after each epoch.

    Parameters
    ----------
    trace: TRACE with the texts ``genotype`` (by epoch) and ``selected`` (at the end).
    truth: TRUTH of the same architectures, one data set, split and schedule; seeds are averaged.

    Returns method, setting, seed, epoch, arch, accuracy (percent; null where the truth has no such architecture), last
    (whether it is what the search selected). Raises `SearchError` where `trace` holds no selection.
    """
    table = check(trace, "TRACE").filter(pl.col("quantity").is_in(["genotype", "selected"]))
    if table.is_empty():
        raise SearchError("selected: expected a trace with the quantities genotype or selected, got neither")
    accuracy = truth_means(truth)
    return (
        table.with_columns(last=pl.col("quantity") == "selected")
        .rename({"text": "arch"})
        .join(accuracy, on="arch", how="left")
        .select(*ROW, "seed", "epoch", "arch", "accuracy", "last")
        .sort(*ROW, "seed", "last", "epoch")
    )


def truth_means(truth: pl.DataFrame) -> pl.DataFrame:
    """arch, accuracy: the mean over seeds; `SearchError` where data sets, splits or schedules are mixed."""
    table = check(truth, "TRUTH")
    for column in ("dataset", "split", "schedule"):
        if table[column].n_unique() > 1:
            got = ", ".join(map(str, table[column].unique().sort().to_list()))
            raise SearchError(f"selected: expected the truth of one {column}, got {got}; filter it first")
    return table.group_by("arch").agg(pl.col("accuracy").mean())


def summarise_selected(selected: pl.DataFrame, *, level: float = 0.95) -> pl.DataFrame:
    """One row for each method and setting: accuracy of what its seeds selected.

    selected: of `selected_by_epoch`. Returns method, setting, n_seeds, n_undefined (selections without a truth, left
    out), mean, sd, ci_low, ci_high (Student's t over seeds: with three of them the interval is wide, and says so),
    standing beside the best mean by the differences of shared seeds: ``best``, ``tied`` (not told apart), ``behind``,
    or null where fewer than two seeds are shared; in the order of the means.
    """
    ends = selected.filter(pl.col("last"))
    values: dict[tuple[str, str], dict[int, float]] = {}
    undefined: dict[tuple[str, str], int] = {}
    for method, setting, seed, accuracy in ends.select(*ROW, "seed", "accuracy").iter_rows():
        key = (method, setting)
        undefined.setdefault(key, 0)
        values.setdefault(key, {})
        if accuracy is None:
            undefined[key] += 1
        else:
            values[key][seed] = accuracy
    means = {key: float(np.mean(list(each.values()))) for key, each in values.items() if each}
    best = max(means, key=lambda key: means[key], default=None)
    rows = []
    for key, each in values.items():
        numbers = np.array(list(each.values()))
        low, high = t_interval(numbers, level)
        rows.append(
            {
                "method": key[0],
                "setting": key[1],
                "n_seeds": len(each) + undefined[key],
                "n_undefined": undefined[key],
                "mean": means.get(key),
                "sd": float(numbers.std(ddof=1)) if len(numbers) > 1 else None,
                "ci_low": low,
                "ci_high": high,
                "standing": _standing(values, best, key, level),
            }
        )
    schema = {
        **{"method": pl.String, "setting": pl.String, "n_seeds": pl.Int64, "n_undefined": pl.Int64},
        **dict.fromkeys(("mean", "sd", "ci_low", "ci_high"), pl.Float64),
        "standing": pl.String,
    }
    return pl.DataFrame(rows, schema=schema).sort("mean", descending=True, nulls_last=True, maintain_order=True)


def t_interval(values: np.ndarray, level: float) -> tuple[float | None, float | None]:
    """Student's interval of a mean; nothing of fewer than two values."""
    if len(values) < 2:
        return None, None
    from scipy.special import stdtrit

    half = float(stdtrit(len(values) - 1, (1 + level) / 2)) * float(values.std(ddof=1)) / math.sqrt(len(values))
    mean = float(values.mean())
    return mean - half, mean + half


def _standing(
    values: dict[tuple[str, str], dict[int, float]], best: tuple[str, str] | None, key: tuple[str, str], level: float
) -> str | None:
    if best is None or not values[key]:
        return None
    if key == best:
        return "best"
    shared = sorted(set(values[best]) & set(values[key]))
    gaps = np.array([values[best][s] - values[key][s] for s in shared])
    if len(gaps) < 2:
        return None
    low, high = t_interval(gaps, level)
    return "tied" if verdict(float(gaps.mean()), low, high) not in ("ahead", "behind") else "behind"

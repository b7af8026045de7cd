"""Ablations: every setting of a grid, one tidy table, and its differences from a baseline."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import joblib
import numpy as np
import polars as pl

from ..core.errors import StudyError, UnknownNameError

Evaluate = Callable[..., "float | Mapping[str, float]"]


def ablation(
    evaluate: Evaluate,
    grid: Mapping[str, Sequence[Any]],
    *,
    baseline: Mapping[str, Any] | None = None,
    one_at_a_time: bool = False,
    workers: int | None = None,
) -> pl.DataFrame:
    """``evaluate(**setting)`` for the settings of a grid, as GeNAS Tables 5, 6 and 8 to 13.

    Parameters
    ----------
    evaluate: one setting -> a number, or several by name (``{"kendall_tau": ..., "topk_mean@10": ...}``).
    grid: factor -> its values: sigmas, alpha, gamma, mu, positions, directions, T, batch size, learning rate ...
    baseline: the setting that differences are taken from; by default the first value of every factor.
    one_at_a_time: the baseline, and the settings that differ from it in one factor, in place of all combinations.
    workers: processes (joblib's ``n_jobs``); settings are independent of one another.

    Returns one row for each setting and metric: a column for each factor (numbers and words as they are, a
    sequence as text such as ``0.002, 0.01``), metric, value (null where undefined), baseline (its value there),
    delta (value minus baseline), is_baseline. Rows stand in the order of the grid. `UnknownNameError` for a
    baseline factor that the grid lacks, `StudyError` for an empty grid or a setting twice.
    """
    if not grid or any(isinstance(v, str) or not len(v) for v in grid.values()):
        raise StudyError("ablation: expected a grid of factors with at least one value each, such as {'gamma': (1, 2)}")
    base = {factor: values[0] for factor, values in grid.items()}
    for factor, value in (baseline or {}).items():
        if factor not in grid:
            raise UnknownNameError("factor of this grid", factor, grid)
        base[factor] = value
    if one_at_a_time:
        settings = [base] + [{**base, f: v} for f, values in grid.items() for v in values if v != base[f]]
    else:
        settings = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
        if base not in settings:
            settings = [base, *settings]
    shown = [tuple(map(_shown, setting.values())) for setting in settings]
    if len(set(shown)) < len(shown):
        raise StudyError("ablation: expected every setting once; a factor of the grid holds a value twice")
    outcomes = joblib.Parallel(n_jobs=workers)(joblib.delayed(evaluate)(**setting) for setting in settings)
    results = [dict(f) if isinstance(f, Mapping) else {"value": f} for f in outcomes]
    reference = results[settings.index(base)]
    rows: list[dict[str, Any]] = []
    for setting, values, result in zip(settings, shown, results, strict=True):
        if result.keys() != reference.keys():
            raise StudyError(
                f"ablation: expected the metrics {', '.join(reference)} of every setting, got {', '.join(result)} "
                f"for {setting}"
            )
        for metric, value in result.items():
            at_base = _number(reference[metric])
            number = _number(value)
            delta = None if number is None or at_base is None else number - at_base
            row = dict(zip(grid, values, strict=True))
            row |= {"metric": metric, "value": number, "baseline": at_base, "delta": delta}
            rows.append(row | {"is_baseline": setting == base})
    real = dict.fromkeys(["value", "baseline", "delta"], pl.Float64())
    return pl.DataFrame(rows, schema_overrides=real, infer_schema_length=None)


def _shown(value: Any) -> Any:
    if isinstance(value, (list, tuple, np.ndarray)):
        return ", ".join(f"{v:g}" if isinstance(v, (int, float, np.number)) else str(v) for v in value)
    return value.item() if isinstance(value, np.generic) else value


def _number(value: Any) -> float | None:
    number = float("nan") if value is None else float(value)
    return number if np.isfinite(number) else None

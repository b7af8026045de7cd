"""What a statistic holds fixed: parameter counts, FLOPs or other scores, beside the truth's architectures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from ..core.errors import StudyError, UnknownNameError
from ..core.frames import to_polars
from .averages import PLACE, checked_costs, checked_scores, counting_rows, in_order, over_seeds
from .rank import Floats
from .series import Place, Truth


def aligned_covariates(
    frame: Any, scores: pl.DataFrame, truths: Mapping[Place, Truth], wanted: Sequence[str]
) -> dict[Place, dict[str, Floats]]:
    """Per (benchmark, dataset), each covariate in the order of the truth's architectures, NaN where undefined."""
    if not wanted:
        return {}
    table = _covariate_rows(frame, scores)
    values: dict[Place, dict[str, Floats]] = {}
    for place, truth in truths.items():
        here = table.filter(pl.col("benchmark") == place[0], pl.col("dataset") == place[1])
        if not here.is_empty():
            values[place] = {name: _covariate(here, name, place, truth.archs) for name in dict.fromkeys(wanted)}
    return values


def _covariate_rows(frame: Any, scores: pl.DataFrame) -> pl.DataFrame:
    if frame is None:
        return scores
    if "proxy" in to_polars(frame).columns:
        return checked_scores(frame)
    costs = checked_costs(frame).with_columns(pl.col("params").cast(pl.Float64))
    table = costs.unpivot(["params", "flops"], index=[*PLACE, "arch"], variable_name="proxy")
    return table.with_columns(*(pl.lit(None).alias(c) for c in ("method", "setting", "seed", "unit", "step")))


def _covariate(table: pl.DataFrame, name: str, place: Place, archs: Sequence[str]) -> Floats:
    rows = table.filter(pl.col("proxy") == name)
    if rows.is_empty():
        raise UnknownNameError("covariate in these scores", name, sorted(set(table["proxy"])))
    if rows.select("method", "setting", "unit", "step").n_unique() > 1:
        raise StudyError(
            f"covariate {name!r} of {'/'.join(place)}: expected one value for each architecture, got several "
            "steps, methods or settings; pass covariates=, filtered to one"
        )
    return in_order(over_seeds(counting_rows(rows, [], what=f"covariate {name!r}"), [], "value"), archs, "value")

"""What a statistic holds fixed: parameter counts, FLOPs or other scores, beside the truth's architectures.

Parameters and FLOPs that no table holds are counted, where the space of the architectures is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from ..core.errors import ArchError, MissingCapabilityError, StudyError, UnknownNameError
from ..core.frames import to_polars
from ..loaders.unnamed import images_of
from ..spaces import SPACES, get_space
from ..spaces.capabilities import COSTS, counter
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
        if frame is None or not here.is_empty():
            counted = frame is None
            values[place] = {n: _covariate(here, n, place, truth.archs, counted) for n in dict.fromkeys(wanted)}
    return values


def _covariate_rows(frame: Any, scores: pl.DataFrame) -> pl.DataFrame:
    if frame is None:
        return scores
    if "proxy" in to_polars(frame).columns:
        return checked_scores(frame)
    costs = checked_costs(frame).with_columns(pl.col("params").cast(pl.Float64))
    table = costs.unpivot(["params", "flops"], index=[*PLACE, "arch"], variable_name="proxy")
    return table.with_columns(*(pl.lit(None).alias(c) for c in ("method", "setting", "seed", "unit", "step")))


def _covariate(table: pl.DataFrame, name: str, place: Place, archs: Sequence[str], counted: bool) -> Floats:
    """`counted`: whether a cost that the table lacks is counted from the space."""
    rows = table.filter(pl.col("proxy") == name)
    if rows.is_empty():
        costs = costs_of_space(name, place[1], archs) if counted else None
        if costs is None:
            raise UnknownNameError("covariate in these scores", name, sorted(set(table["proxy"])))
        return costs
    if rows.select("method", "setting", "unit", "step").n_unique() > 1:
        raise StudyError(
            f"covariate {name!r} of {'/'.join(place)}: expected one value for each architecture, got several "
            "steps, methods or settings; pass covariates=, filtered to one"
        )
    return in_order(over_seeds(counting_rows(rows, [], what=f"covariate {name!r}"), [], "value"), archs, "value")


def costs_of_space(name: str, dataset: str, archs: Sequence[str]) -> Floats | None:
    """``params`` or ``flops`` of `archs` (n_archs,) as their space counts them; None where it cannot.

    dataset: whose images and classes; for an empty name see `nasanalysis.loaders.unnamed`.
    """
    spaces = {arch.partition(":")[0] for arch in archs}
    if name not in COSTS or len(spaces) != 1 or not spaces <= set(SPACES):
        return None
    try:
        space = get_space(spaces.pop())
        count, images = counter(space, name), images_of(dataset)
        return np.array([count(space.parse(arch), images) for arch in archs], dtype=np.float64)
    except (ArchError, MissingCapabilityError, UnknownNameError):  # names, costs or a dataset that the space lacks
        return None

"""Differentiable searches compared, by what they select and how they came to it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl

from ...core.errors import StudyError
from ...plots.selected import row_label
from ...proxies.graph import graph_features
from ...search.decisions import count_convolutions
from ...search.selected import t_interval
from .model import Check
from .verdicts import Reading


def _depth(search: pl.DataFrame) -> float | None:
    """Operations on the longest path of what one search selected (of the first cell, where there are several)."""
    features = graph_features(search.filter("last")["arch"].to_list()).row(0, named=True)
    return float(next(value for name, value in features.items() if name.partition("@")[0] == "graph_depth"))


def _convolutions(search: pl.DataFrame) -> float | None:
    """3x3 convolutions of what one search selected."""
    return count_convolutions(search.filter("last")["arch"].to_list())[0]


def _fall(search: pl.DataFrame) -> float | None:
    """True accuracy of the best that one search would have selected after some epoch, less that of its end."""
    ends = search.filter("last")["accuracy"].to_list()
    best = search.drop_nulls("accuracy")["accuracy"].max()
    return None if best is None or not ends or ends[0] is None else float(best) - float(ends[0])  # type: ignore[arg-type]


#: What searches are compared by, of `selected_by_epoch` of one search; "": the true accuracy of what it selected.
SEARCHED: dict[str, Callable[[pl.DataFrame], float | None]] = {
    "": lambda search: search.filter("last")["accuracy"].to_list()[0],
    "depth": _depth,
    "3x3 convolutions": _convolutions,
    "fall at the end": _fall,
}


def searched(selected: pl.DataFrame, test: Check) -> Reading:
    """What two methods select, compared by their shared seeds; Student's interval."""
    number = SEARCHED[test.statistic]
    by_label: dict[str, dict[int, float]] = {}
    for (method, setting, seed), each in selected.group_by("method", "setting", "seed", maintain_order=True):
        label = row_label(str(method), str(setting))
        if each["last"].any() and label in (test.better, test.than) and (value := number(each)) is not None:
            by_label.setdefault(label, {})[int(seed)] = value
    for label in (test.better, test.than):
        if label not in by_label:
            known = [row_label(*row) for row in selected.select("method", "setting").unique(maintain_order=True).rows()]
            raise StudyError(f"{test.item}: expected methods of {', '.join(known)}, got {label!r}")
    first, second = by_label[test.better], by_label[test.than]
    gaps = np.array([first[seed] - second[seed] for seed in sorted(set(first) & set(second))])
    low, high = t_interval(gaps, 0.95)
    return Reading(float(gaps.mean()) if len(gaps) else None, low, high, n=len(gaps))

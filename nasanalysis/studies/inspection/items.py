"""What weights of finished searches say: ``[[inspection]]`` items of a study file.

::

    [[inspection]]
    name = "inspected"                  # file stem of its tables and figures
    title = "What do the weights say?"
    estimates = ["digits_inspected_estimates.parquet"]      # TRACE of `nasanalysis diffsearch inspect`, kept or by path
    shuffles = ["digits_inspected_shuffles.parquet"]        # the same
    selections = ["digits_inspected_selections.parquet"]    # TRACE of searches that decide edges
    landscapes = "digits_inspected_landscapes.parquet"
    alphas = "digits_diffsearch_alphas.parquet"             # ALPHAS, whose cells are drawn
    cells = ["darts"]                   # of these methods ("method", or "method (setting)")
    claims = [{ rule = "skip is nearer", claim = "...", published = "...", where = "DARTS-PT" }]    # see `RULES`

Every key but name and title may be left out, not all of them.
"""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from ..items import ItemModel, Many, Resampling, Section, Sources
from ..judged import PublishedClaim


class InspectionItem(ItemModel):
    """One ``[[inspection]]`` of a study (keys: see the module)."""

    estimates: Many[str] = ()
    shuffles: Many[str] = ()
    selections: Many[str] = ()
    landscapes: str | None = None
    alphas: str | None = None
    cells: Many[str] = ()
    claims: Many[PublishedClaim] = ()

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not (self.estimates or self.shuffles or self.selections or self.landscapes or self.alphas):
            raise ValueError("expected at least one of estimates, shuffles, selections, landscapes, alphas; got none")
        if bool(self.cells) != (self.alphas is not None):
            raise ValueError("expected cells = [methods] with alphas = FILE, and neither without the other")
        return self

    def section(self, sources: Sources, resampling: Resampling) -> Section:
        """Tables, a verdict for each claim, and the figures."""
        from .section import inspection_section

        return inspection_section(self, sources, resampling)

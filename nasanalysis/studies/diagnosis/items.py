"""Diagnostics of differentiable searches in a study: ``[[diagnosis]]`` items of a study file.

::

    [[diagnosis]]
    name = "digits"                     # file stem of its tables and figures
    title = "What do alphas say?"
    traces = ["digits_diagnosed_trace.parquet", "digits_diagnosed_gaps.parquet"]    # TRACE, kept or by path
    strengths = "digits_diagnosed_strengths.parquet"    # STRENGTHS of `nasanalysis diffsearch diagnose`
    alphas = "digits_s4_alphas.parquet" # ALPHAS of searches that decide after they have searched; may be left out
    epochs = [25]                       # after which operations that would be selected are counted; may be left out
    control = "r_darts_l2"              # method (or "method (setting)") that the others' eigenvalues stand beside
    claims = [{ rule = "masking", claim = "...", published = "...", where = "DARTS-PT, Figure 2" }]    # see `RULES`
"""

from __future__ import annotations

from pydantic import Field

from ..items import ItemModel, Many, Resampling, Section, Sources
from ..judged import PublishedClaim


class DiagnosisItem(ItemModel):
    """One ``[[diagnosis]]`` of a study (keys: see the module)."""

    traces: Many[str] = Field(min_length=1)
    strengths: str | None = None
    alphas: str | None = None
    epochs: Many[int] = ()
    control: str | None = None
    claims: Many[PublishedClaim] = ()

    def section(self, sources: Sources, resampling: Resampling) -> Section:
        """Numbers by method, a verdict for each claim, and the figures."""
        from .section import diagnosis_section

        return diagnosis_section(self, sources, resampling)

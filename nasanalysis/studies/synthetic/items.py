"""Synthetic experiments in a study: ``[[synthetic]]`` items of a study file.

::

    [[synthetic]]
    name = "fourier"                            # file stem of its tables and figures
    title = "Which degree has the lowest SoTL?"
    results = "synthetic_fourier.parquet"       # of `nasanalysis synthetic run`, kept or by path
    claims = [
      { rule = "lowest at the truth", claim = "Lowest at the true degree", published = "3", where = "thesis" },
      { rule = "not tested", claim = "...", published = "98.3 %", where = "thesis", why = "needs: nasanalysis ..." },
    ]

The kind of the experiment stands in the results; rules by kind: `nasanalysis.studies.synthetic.rules.RULES`.
"""

from __future__ import annotations

from ..items import ItemModel, Many, Resampling, Section, Sources
from ..judged import PublishedClaim


class SyntheticItem(ItemModel):
    """One ``[[synthetic]]`` of a study (keys: see the module)."""

    results: str
    claims: Many[PublishedClaim] = ()

    def section(self, sources: Sources, resampling: Resampling) -> Section:
        """Numbers, figures, and a verdict for each claim."""
        from .section import synthetic_section

        return synthetic_section(self, sources, resampling)

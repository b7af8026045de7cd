"""Differentiable searches in a study: ``[[diffsearch]]`` items of a study file.

::

    [[diffsearch]]
    name = "digits"                     # file stem of its table and figures
    title = "What does differentiable search select?"
    traces = ["digits_diffsearch_trace.parquet"]    # TRACE of `nasanalysis diffsearch`, kept or by path
    truth = "digits_diffsearch_truth.parquet"       # TRUTH of the cells, a file or a list of files; or
    benchmark = "nb201"                             # a benchmark that knows them, with the next three keys
    dataset = "cifar10"
    split = "test"
    schedule = 200
    selected_alone = false              # read the truth of what was selected alone, of a benchmark of many cells
    methods = ["darts", "sotl_darts (T=10)"]    # rows of the figure; default: all
"""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from ..items import ItemModel, Many, Resampling, Section, Sources


class DiffSearchItem(ItemModel):
    """One ``[[diffsearch]]`` of a study (keys: see the module)."""

    traces: Many[str] = Field(min_length=1)
    truth: str | Many[str] | None = None
    benchmark: str | None = None
    dataset: str | None = None
    split: str = "test"
    schedule: int | None = None
    selected_alone: bool = False
    methods: Many[str] = ()

    @model_validator(mode="after")
    def _one_truth(self) -> Self:
        if (self.truth is None) == (self.benchmark is None):
            raise ValueError("expected the truth of the cells: truth = FILE, or benchmark = NAME, one of them")
        return self

    def section(self, sources: Sources, resampling: Resampling) -> Section:
        """A table over methods, and true accuracy by epoch."""
        from .section import diffsearch_section

        return diffsearch_section(self, sources, resampling)

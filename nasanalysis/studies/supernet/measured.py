"""Measures of trained networks that a benchmark records: ``[[measured]]`` items of a study file.

A ``[[measured]]`` is a ``[[supernet]]`` (its keys, tables and figures) whose scores are the benchmark's own: no files,
no arms, steps are completed epochs. Any proxy is a reading, computed where it can be::

    [[measured]]
    name = "flatness"
    title = "Flatness, angle and accuracy of trained networks"
    benchmark = "digits-2"
    dataset = "digits"
    schedule = 12
    scores_seed = 0                     # of one training run ...
    truth_seed = 1                      # ... against the truth of another
    readings = [{ label = "Angle", proxy = "angle", step = 12 }, { label = "Flatness", proxy = "flatness", step = 12 }]
    claims = [{ says = "...", better = "Angle", than = "Flatness", where = "GeNAS, Table 5" }]
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import polars as pl

from ...proxies import canonical, score
from ..items import Resampling, Section, Sources
from .frames import ItemFrames
from .items import Arm, SupernetItem, Words
from .section import section_of

#: The networks of a benchmark as one arm.
ARM = Arm(label="from scratch", protocol="scratch", part="")


class MeasuredItem(SupernetItem):
    """One ``[[measured]]`` of a study (keys: see the module)."""

    words: ClassVar[Words] = Words("networks", "trainings", "epochs")

    arms: tuple[Arm, ...] = (ARM,)
    scores_seed: int | None = None

    @property
    def has_scores(self) -> bool:
        return True

    @property
    def has_noise(self) -> bool:
        return True

    def section(self, sources: Sources, resampling: Resampling) -> Section:
        """Tables and figures of what the benchmark records of its networks."""
        return section_of(MeasuredFrames(self, sources, sources.benchmark(self.benchmark), resampling))


@dataclass(frozen=True)
class MeasuredFrames(ItemFrames):
    """The same frames, from the benchmark's own."""

    item: MeasuredItem

    def _read(self) -> list[pl.DataFrame]:
        proxies = dict.fromkeys(name for reading in self.item.readings for name in reading.read)
        proxies |= dict.fromkeys(p for figure in self.item.figures for p in figure.proxies if p != "params")
        named = {canonical(name): name for name in proxies}
        frame = score(self.benchmark, list(named), dataset=self.item.dataset)
        frame = frame.with_columns(
            pl.col("proxy").replace(named), method=pl.lit(ARM.protocol), setting=pl.lit(ARM.part)
        )
        return [self._of_seed(frame)]

    @cached_property
    def perturbed(self) -> pl.DataFrame:
        """PERTURBED after the last epoch that has any."""
        rows = self.benchmark.perturbed(self.item.dataset)
        rows = rows.filter(pl.col("step").eq_missing(pl.col("step").max()))
        return self._of_seed(_in_arm(rows))

    def _of_seed(self, frame: pl.DataFrame) -> pl.DataFrame:
        seed = self.item.scores_seed
        return frame if seed is None else frame.filter(pl.col("seed") == seed)


def _in_arm(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(method=pl.lit(ARM.protocol), setting=pl.lit(ARM.part))

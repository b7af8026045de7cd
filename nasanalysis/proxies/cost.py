"""Proxies that read what an architecture costs: the bar that every other proxy must clear."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from ..core.errors import UnknownNameError
from ..core.frames import any_frame, check
from .base import as_scores

COSTS = {
    "params": "trainable parameters (count)",
    "flops": "multiply-accumulates of one image",
}


@dataclass(frozen=True)
class Cost:
    """`params` or `flops` of an ARCHS frame, as scores; more is better."""

    name: str

    direction = 1
    needs = "archs"

    def __post_init__(self) -> None:
        if self.name not in COSTS:
            raise UnknownNameError("cost", self.name, COSTS)

    @property
    def reference(self) -> str:
        return COSTS[self.name]

    def __call__(self, archs: pl.DataFrame) -> pl.DataFrame:
        """ARCHS -> SCORES: one value for each architecture, no seed and no step."""
        return _score(archs, self.name)


@any_frame
def _score(archs: pl.DataFrame, name: str) -> pl.DataFrame:
    return as_scores(check(archs, "ARCHS"), name, name)


PARAMS, FLOPS = Cost("params"), Cost("flops")

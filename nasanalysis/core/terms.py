"""One term of a weighted sum of scores, as configurations and study files write it."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from .toml import StrictModel


class TermModel(StrictModel):
    """``weight * normalised(proxy)``; the rules stand in `nasanalysis.stats.normalise`."""

    proxy: str
    weight: float = 1.0
    rule: Literal["raw", "z", "rank", "angle/pi", "1/sigma_1", "percent"] = "raw"
    sigma_1: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _scaled(self) -> Self:
        if (self.rule == "1/sigma_1") != (self.sigma_1 is not None):
            raise ValueError(f"{self.proxy}: expected sigma_1 with the rule 1/sigma_1, and with no other")
        return self

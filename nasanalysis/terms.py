"""One term of a weighted sum of scores, as configurations and study files write it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class TermModel(BaseModel):
    """``weight * normalised(proxy)``; the rules stand in `nasanalysis.stats.normalise`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    proxy: str
    weight: float = 1.0
    rule: Literal["raw", "z", "rank", "angle/pi", "1/sigma_1", "percent"] = "raw"
    sigma_1: float | None = Field(default=None, gt=0)

"""Two functions in turn: the cost of each, and their ratio."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """One comparison; `peer` and `ours` are costs in `unit`. `note` says what was scaled, if anything."""

    name: str
    peer: float
    ours: float
    unit: str
    peer_name: str
    note: str = ""

    @property
    def ratio(self) -> float:
        return self.peer / self.ours

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "ratio": self.ratio}


@dataclass(frozen=True)
class Skipped:
    """A comparison that could not be made here, and why."""

    name: str
    why: str


def seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def side_by_side(
    name: str,
    peer: Callable[[], object],
    ours: Callable[[], object],
    *,
    peer_name: str,
    scale: float = 1.0,
    ours_scale: float = 1.0,
    rounds: int = 3,
    note: str = "",
) -> Row:
    """Median seconds of `peer` (times `scale`) and of `ours` (times `ours_scale`), called in turn."""
    costs = [(seconds(peer), seconds(ours)) for _ in range(rounds)]
    return Row(
        name,
        statistics.median(p for p, _ in costs) * scale,
        statistics.median(o for _, o in costs) * ours_scale,
        "s",
        peer_name,
        note,
    )

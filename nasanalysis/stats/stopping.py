"""Early stopping by the eigenvalues of the architecture Hessian (RobustDARTS, Zela et al. 2020, section 4.3.5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

import polars as pl

from ..core.errors import ParameterError, StudyError
from ..core.frames import any_frame, check

SEARCH = ["benchmark", "dataset", "method", "setting", "part", "seed", "search_seed"]


class Stop(NamedTuple):
    """Where a search ends: the epoch it stops at, the epoch whose architecture it returns, and A(e) / A(e - lag)."""

    stop_epoch: int
    return_epoch: int
    ratio: float


@dataclass(frozen=True)
class StoppingRule:
    """Stop at the first epoch e with A(e) / A(e - `lag`) > `factor`; defaults are those of RobustDARTS.

    A(e) is the mean of the last `window` eigenvalues, one `every` second epoch. It belongs to the epoch in the middle
    of its window (e - 4 by default), and the architecture returned is that of the epoch A(e - lag) belongs to (e - 12).
    That epoch must be `first` (10) at least.

    `ParameterError` for an even window or numbers below 1.
    """

    every: int = 2
    window: int = 5
    lag: int = 8
    factor: float = 1.3
    first: int = 10

    def __post_init__(self) -> None:
        if min(self.every, self.window, self.lag) < 1 or self.window % 2 == 0 or self.lag % self.every:
            raise ParameterError(
                "stopping rule: expected every and lag of at least 1, lag a multiple of every, and an odd window, got "
                f"{self.every}, {self.lag} and {self.window}"
            )

    @property
    def reach(self) -> int:
        """Epochs from the middle of a window to its end."""
        return self.every * (self.window // 2)

    def averages(self, eigenvalues: Mapping[int, float]) -> dict[int, float]:
        """Epoch -> eigenvalue in; epoch in the middle of a window -> A, where all the window is there, out."""
        averages = {}
        for middle in sorted(epoch for epoch in eigenvalues if epoch % self.every == 0):
            window = range(middle - self.reach, middle + self.reach + 1, self.every)
            if all(epoch in eigenvalues for epoch in window):
                averages[middle] = fmean(eigenvalues[epoch] for epoch in window)
        return averages

    def __call__(self, eigenvalues: Mapping[int, float]) -> Stop | None:
        """Where a search with these eigenvalues stops, epoch -> eigenvalue; None if the rule never fires."""
        averages = self.averages(eigenvalues)
        for middle, average in averages.items():
            before = middle - self.lag
            # A ratio to a negative or vanishing average says nothing about growth.
            if before >= self.first and averages.get(before, 0.0) > 0 and average / averages[before] > self.factor:
                return Stop(middle + self.reach, before, average / averages[before])
        return None


ROBUST_DARTS = StoppingRule()


@any_frame
def eigenvalue_trajectories(
    trace: pl.DataFrame, *, quantity: str = "arch_hessian_ev", rule: StoppingRule = ROBUST_DARTS
) -> pl.DataFrame:
    """Columns `SEARCH` (what tells searches apart), ``epoch, eigenvalue, average``.

    ``average`` is A of the rule, given at the epoch in the middle of its window; null at the ends and at the epochs
    that the rule does not read. `trace`: TRACE frame. `StudyError` if it lacks `quantity`.
    """
    table = check(trace, "TRACE").filter(pl.col("quantity") == quantity).drop_nulls("value")
    if table.is_empty():
        known = ", ".join(sorted(set(trace["quantity"]))) or "none"
        raise StudyError(f"eigenvalues: no values of {quantity!r}; the trace holds {known}")
    table = table.sort(*SEARCH, "epoch").select(*SEARCH, "epoch", pl.col("value").alias("eigenvalue"))
    parts = []
    for search in table.partition_by(SEARCH, maintain_order=True):
        averages = rule.averages(dict(search.select("epoch", "eigenvalue").iter_rows()))
        values = [averages.get(epoch) for epoch in search["epoch"]]
        parts.append(search.with_columns(pl.Series("average", values, pl.Float64)))
    return pl.concat(parts)


@any_frame
def early_stopping(
    trace: pl.DataFrame, *, quantity: str = "arch_hessian_ev", rule: StoppingRule = ROBUST_DARTS
) -> pl.DataFrame:
    """Columns `SEARCH`, ``stop_epoch, return_epoch, ratio``; null if it never fires.

    One row for each search of `trace` (TRACE frame), see `StoppingRule`.
    """
    table = eigenvalue_trajectories(trace, quantity=quantity, rule=rule)
    rows = []
    for key, search in table.group_by(SEARCH, maintain_order=True):
        stop = rule(dict(search.select("epoch", "eigenvalue").iter_rows()))
        rows.append((*key, *(stop or (None, None, None))))
    schema = {name: table.schema[name] for name in SEARCH}
    return pl.DataFrame(
        rows, schema={**schema, "stop_epoch": pl.Int64, "return_epoch": pl.Int64, "ratio": pl.Float64}, orient="row"
    )

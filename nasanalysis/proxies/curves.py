"""Proxies read from a training curve: sums of losses (SoTL) and their rivals. No weights, no torch.

Every one is defined for every step j of a curve and uses exactly the first j completed epochs (or
minibatches): none looks one step ahead, none lags one behind. Where a value it needs was not recorded,
or too few steps are completed for its window, the score is null.

A CURVES frame of a supernet's finetuning (unit ``minibatch``) and one of a tabular benchmark (unit
``epoch``) are read alike. ``setting`` of the scores names the training schedule, because the first 12
epochs of a 200-epoch run are not a 12-epoch run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..core.errors import ParameterError
from ..core.frames import any_frame, check

Matrix = NDArray[np.float64]
Window = Literal["all", "last", "first"]

_RUN = ["benchmark", "dataset", "arch", "method", "setting", "schedule", "seed", "unit"]


def windowed_sum(values: Matrix, window: Window = "all", size: int | None = None) -> Matrix:
    """Sums of a (runs, steps) matrix along its steps, for each end of the window.

    ``all``: steps 1 to j. ``last``: the `size` steps up to j, NaN where j < size. ``first``: steps 1 to
    `size`, NaN where j < size, constant after. A NaN inside a window makes its sum NaN.
    """
    if window == "all":
        return np.cumsum(values, axis=1)
    if size is None or size < 1:
        raise ParameterError(f"window {window!r}: expected a size of at least 1 step, got {size!r}")
    sums = np.full_like(values, np.nan)
    if size > values.shape[1]:
        return sums
    if window == "last":
        sums[:, size - 1 :] = np.lib.stride_tricks.sliding_window_view(values, size, axis=1).sum(axis=2)
    else:
        sums[:, size - 1 :] = values[:, :size].sum(axis=1, keepdims=True)
    return sums


def exponential_sum(values: Matrix, decay: float) -> Matrix:
    """``sum over t <= j of decay**(j - t) * values[t]`` for every step j (Ru et al. 2021, SoTL-EMA)."""
    if not 0 < decay <= 1:
        raise ParameterError(f"sotl_ema: expected a decay in (0, 1], got {decay}")
    sums = np.empty_like(values)
    total = np.zeros(len(values))
    for j in range(values.shape[1]):
        total = decay * total + values[:, j]
        sums[:, j] = total
    return sums


@dataclass(frozen=True)
class WindowSum:
    """Sum of one column of the curves over a window of steps: SoTL, SoVL, sum of training errors.

    Attributes
    ----------
    base: name without parameters; column: the column summed.
    error: sum ``100 - column`` (percent) instead of the column.
    window, size: see `windowed_sum`.
    """

    base: str
    column: str
    reference: str
    window: Window = "all"
    size: int | None = None
    error: bool = False

    direction = -1
    needs = "curves"

    @property
    def name(self) -> str:
        ending = {"all": "", "last": f"_e@{self.size}", "first": f"_first@{self.size}"}[self.window]
        return self.base + ending

    def __call__(self, curves: pl.DataFrame) -> pl.DataFrame:
        """CURVES -> SCORES at every step."""
        return _score(curves, self.name, self.column, self._reduce)

    def _reduce(self, values: Matrix) -> Matrix:
        return windowed_sum(100.0 - values if self.error else values, self.window, self.size)


@dataclass(frozen=True)
class ExponentialSum:
    """SoTL with an exponential memory: ``sum_t decay**(T-t) * loss_t`` (Ru et al. 2021)."""

    decay: float = 0.999

    direction = -1
    needs = "curves"
    reference = "Ru et al. 2021, SoTL-EMA, gamma = 0.999"

    def __post_init__(self) -> None:
        if not 0 < self.decay <= 1:
            raise ParameterError(f"sotl_ema: expected a decay in (0, 1], got {self.decay}")

    @property
    def name(self) -> str:
        return "sotl_ema" if self.decay == 0.999 else f"sotl_ema@{self.decay:g}"

    def __call__(self, curves: pl.DataFrame) -> pl.DataFrame:
        """CURVES -> SCORES at every step."""
        return _score(curves, self.name, "train_loss", lambda values: exponential_sum(values, self.decay))


@dataclass(frozen=True)
class LastValue:
    """One column of the curves, as it stands after each step."""

    name: str
    column: str
    direction: int
    reference: str

    needs = "curves"

    def __call__(self, curves: pl.DataFrame) -> pl.DataFrame:
        """CURVES -> SCORES at every step."""
        return _score(curves, self.name, self.column, lambda values: values)


@any_frame
def _score(curves: pl.DataFrame, name: str, column: str, reduce) -> pl.DataFrame:  # type: ignore[no-untyped-def]
    """Lay the runs out as a (runs, steps 1..T) matrix, reduce it, and return the recorded cells as SCORES."""
    table = check(curves, "CURVES").filter(pl.col("step") >= 1)
    if table.is_empty():
        return check(_empty_scores(), "SCORES")
    runs = table.select(_RUN).unique(maintain_order=True).with_row_index("run")
    cells = table.join(runs, on=_RUN, nulls_equal=True, how="left", maintain_order="left")
    row, step = cells["run"].to_numpy(), cells["step"].to_numpy()
    matrix = np.full((len(runs), int(step.max())), np.nan)
    matrix[row, step - 1] = cells[column].cast(pl.Float64).fill_null(np.nan).to_numpy()
    values = reduce(matrix)[row, step - 1]
    schedule = pl.format("schedule={}", pl.col("schedule"))
    return check(
        cells.select(
            "benchmark",
            "dataset",
            "arch",
            "method",
            setting=pl.when(pl.col("setting") == "").then(schedule).otherwise(pl.col("setting") + ";" + schedule),
            proxy=pl.lit(name),
            seed="seed",
            unit="unit",
            step="step",
            value=pl.Series(values).fill_nan(None),
        ),
        "SCORES",
    )


def _empty_scores() -> pl.DataFrame:
    from ..core.frames import SCHEMAS

    return SCHEMAS["SCORES"].empty()

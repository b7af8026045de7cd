"""Flatness of the loss around a network's weights (GeNAS, Eqs. 3 and 4), from losses under weight noise. No torch.

``F = 1 / ( sum_i |(L(s_(i+1)) - L(s_i)) / (s_(i+1) - s_i)| + alpha |L(s_1) / s_1| )``: the inverse of the whole sum
(the exponent -1 of the printed Eq. 4 stands in the wrong place). s_1 < ... < s_t are the standard deviations of the
noise, L is validation loss in nats. With several draws of noise F is taken draw by draw, draw j pairing the losses of
its own noise at every sigma, and then averaged.

Nothing here is measured: every flatness, of any alpha and sigmas, comes from one PERTURBED frame.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..core.errors import ParameterError, UnknownNameError
from ..core.frames import SCHEMAS, any_frame, check
from .base import as_scores

_RUN = ["benchmark", "dataset", "arch", "method", "setting", "seed", "unit", "step"]
_STATISTICS = ("mean", "median")


def inverse_slope(losses: NDArray[np.float64], sigmas: Sequence[float], alpha: float) -> NDArray[np.float64]:
    """(n,) flatness of (n, t) losses at t sigmas; NaN where a loss is, and where the sum is 0 (F is not finite)."""
    s = np.asarray(sigmas, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        total = np.abs(np.diff(losses, axis=1) / np.diff(s)).sum(axis=1)
        if alpha:
            total = total + alpha * np.abs(losses[:, 0] / s[0])
        inverse = 1.0 / total
    return np.where(np.isfinite(inverse) & np.isfinite(losses).all(axis=1), inverse, np.nan)


@dataclass(frozen=True)
class _Losses:
    """Losses of many runs: (runs x draws, sigmas), NaN where there is none."""

    runs: pl.DataFrame
    run: NDArray[np.int64]  # of each row
    values: NDArray[np.float64]
    sigmas: list[float]


@any_frame
def flatness_table(
    perturbed: pl.DataFrame,
    *,
    sigmas: Sequence[float] | None = None,
    alpha: float = 1.0,
    statistic: str = "mean",
    position: str = "all",
    direction: str = "random",
    draws: str = "independent",
) -> pl.DataFrame:
    """The keys of SCORES without ``proxy``, and ``value, standard_error, n_draws``, of a PERTURBED frame.

    Parameters
    ----------
    sigmas: which of the frame's standard deviations, at least two, strictly increasing and above 0; by default all
        of them above 0. Under cumulative noise they are the nominal ones, as in the public code.
    alpha: weight of the loss at the smallest sigma, >= 0 (GeNAS: 1; 0 is its Eq. 3).
    statistic: ``mean`` or ``median`` over draws.
    position, direction, draws: which noise, as in the columns of these names; different kinds are never mixed.

    Returns
    -------
    value: null where a draw does not define it: a loss is null or missing at one of the sigmas, or F is not finite.
    standard_error: of the mean over draws; null with fewer than two, and for the median.
    n_draws: draws that define it.

    Raises
    ------
    ParameterError: a choice that cannot be, sigmas or a kind of noise that the frame does not hold, or architectures
        measured at different sigmas where none are named.
    """
    if not math.isfinite(alpha) or alpha < 0:
        raise ParameterError(f"flatness: expected alpha >= 0, got {alpha}")
    if statistic not in _STATISTICS:
        raise UnknownNameError("statistic over draws", statistic, _STATISTICS)
    kind = {"position": position, "direction": direction, "draws": draws}
    for column, word in kind.items():
        if word not in SCHEMAS["PERTURBED"].choices[column]:
            raise UnknownNameError(column, word, sorted(SCHEMAS["PERTURBED"].choices[column]))
    levels = None if sigmas is None else _checked(sigmas)
    table = check(perturbed, "PERTURBED")
    if table.is_empty():
        return _columns(table.with_columns(value=None, standard_error=None, n_draws=None))
    losses = _matrix(_of_kind(table, kind), levels)
    each = inverse_slope(losses.values, losses.sigmas, alpha)
    drawn = pl.DataFrame({"run": losses.run, "f": each}, schema={"run": pl.UInt32, "f": pl.Float64})
    f = pl.col("f").fill_nan(None)
    error = f.std(ddof=1) / f.count().sqrt() if statistic == "mean" else pl.lit(None, pl.Float64)
    # the mean of the draws that went well would flatter the sharpest networks
    whole = f.is_not_null().all()
    by_run = drawn.group_by("run").agg(
        pl.when(whole).then(f.mean() if statistic == "mean" else f.median()).alias("value"),
        pl.when(whole).then(error).alias("standard_error"),
        f.count().alias("n_draws"),
    )
    return _columns(losses.runs.with_row_index("run").join(by_run, on="run", how="left", maintain_order="left"))


@any_frame
def flatness(
    perturbed: pl.DataFrame,
    *,
    sigmas: Sequence[float] | None = None,
    alpha: float = 1.0,
    statistic: str = "mean",
    position: str = "all",
    direction: str = "random",
    draws: str = "independent",
) -> pl.DataFrame:
    """SCORES of `flatness_table`, named as `Flatness` names them; higher is better."""
    levels = None if sigmas is None else tuple(_checked(sigmas))
    return Flatness(levels, alpha, statistic, position, direction, draws)(perturbed)


@dataclass(frozen=True)
class Flatness:
    """Flatness as a proxy; see `flatness_table`. `noise` is its parameter ``direction``."""

    sigmas: tuple[float, ...] | None = None
    alpha: float = 1.0
    statistic: str = "mean"
    position: str = "all"
    noise: str = "random"
    draws: str = "independent"

    needs = "perturbed"

    @property
    def direction(self) -> int:
        return 1

    @property
    def reference(self) -> str:
        return "GeNAS, Eq. 4 (Eq. 3 with alpha = 0)"

    @property
    def base(self) -> str:
        return "flatness"

    @property
    def name(self) -> str:
        """``flatness``, and what differs from the defaults: ``flatness@alpha=0,sigmas=0.002/0.01/0.02``."""
        given = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}
        text = ",".join(f"{key}={_text(given[key])}" for key in sorted(given))
        return f"{self.base}@{text}" if text else self.base

    @classmethod
    def from_argument(cls, argument: str | None) -> Self:
        """The proxy of what stands behind the ``@`` of its name, parameters in any order; `ParameterError` if none."""
        known = {f.name for f in fields(cls)}
        given: dict[str, object] = {}
        for part in [] if argument is None else argument.split(","):
            key, equals, word = part.partition("=")
            if key not in known:
                raise UnknownNameError("parameter of flatness", key, sorted(known))
            if not equals or not word or key in given:
                raise ParameterError(f"flatness: expected parameters once each as {key}=VALUE, got {argument!r}")
            try:
                given[key] = _read(key, word)
            except ValueError:
                raise ParameterError(f"flatness: expected a number for {key}, got {word!r}") from None
        return cls(**given)  # type: ignore[arg-type]

    def of_noise(self, position: str, direction: str, draws: str) -> Self:
        """The same on another kind of noise."""
        return replace(self, position=position, noise=direction, draws=draws)

    def table(self, perturbed: pl.DataFrame) -> pl.DataFrame:
        """`flatness_table` with these parameters."""
        return flatness_table(
            perturbed,
            sigmas=self.sigmas,
            alpha=self.alpha,
            statistic=self.statistic,
            position=self.position,
            direction=self.noise,
            draws=self.draws,
        )

    def __call__(self, perturbed: pl.DataFrame) -> pl.DataFrame:
        """PERTURBED -> SCORES: one value for each architecture, method, setting, seed and step of its weights."""
        return _scores(perturbed, self)


@dataclass(frozen=True)
class Sharpness(Flatness):
    """Minus the flatness (GeNAS, Table 6): lower is better."""

    @property
    def direction(self) -> int:
        return -1

    @property
    def reference(self) -> str:
        return "GeNAS, Table 6: minus the flatness of Eq. 4"

    @property
    def base(self) -> str:
        return "sharpness"


@any_frame
def _scores(perturbed: pl.DataFrame, proxy: Flatness) -> pl.DataFrame:
    return as_scores(proxy.table(perturbed), proxy.name, pl.col("value") * proxy.direction)


def _checked(sigmas: Sequence[float]) -> list[float]:
    levels = [float(sigma) for sigma in sigmas]
    wanted = "flatness: expected at least two sigmas > 0, each above the one before"
    if len(levels) < 2:
        raise ParameterError(f"{wanted}, got {levels}")
    for level in levels:
        if not math.isfinite(level) or level <= 0:
            raise ParameterError(f"{wanted}, got {level:g} in {levels}")
    for before, level in itertools.pairwise(levels):
        if level <= before:
            how = "twice" if level == before else f"after {before:g}"
            raise ParameterError(f"{wanted}, got {level:g} {how} in {levels}")
    return levels


def _of_kind(table: pl.DataFrame, kind: Mapping[str, str]) -> pl.DataFrame:
    chosen = table.filter(pl.col(column) == word for column, word in kind.items())
    if chosen.is_empty():
        kinds = table.select(*kind).unique().sort(*kind).rows()
        raise ParameterError(
            f"flatness: expected losses with {_words(kind.values())} (position, direction, draws), got "
            f"{'; '.join(_words(row) for row in kinds)}"
        )
    return chosen


def _matrix(table: pl.DataFrame, sigmas: list[float] | None) -> _Losses:
    noisy = table.filter(pl.col("sigma") > 0)
    measured = sorted(noisy["sigma"].unique().to_list())
    runs = table.select(_RUN).unique(maintain_order=True)
    if sigmas is None:
        sets = noisy.group_by(_RUN).agg(pl.col("sigma").unique().sort())["sigma"].unique()
        if len(sets) > 1:
            raise ParameterError(
                f"flatness: expected every architecture at the same sigmas, got different ones among "
                f"{_numbers(measured)}; name them with sigmas=..."
            )
        chosen = _checked(measured)
    else:
        chosen = []
        for sigma in sigmas:
            same = [level for level in measured if math.isclose(level, sigma, rel_tol=1e-9)]
            if not same:
                raise ParameterError(
                    f"flatness: expected sigmas that were measured, {_numbers(measured)}, got {sigma:g}; "
                    "choose among them or measure the losses again"
                )
            chosen.append(same[0])
    numbered = runs.with_row_index("run")
    cells = noisy.filter(pl.col("sigma").is_in(chosen)).join(numbered, on=_RUN, nulls_equal=True, how="left")
    rows = cells.select("run", "draw").unique(maintain_order=True).with_row_index("row")
    cells = cells.join(rows, on=["run", "draw"], how="left")
    values = np.full((len(rows), len(chosen)), np.nan)
    column = np.searchsorted(np.array(chosen), cells["sigma"].to_numpy())
    values[cells["row"].to_numpy(), column] = cells["loss"].fill_null(np.nan).to_numpy()
    return _Losses(runs, rows["run"].to_numpy().astype(np.int64), values, chosen)


def _columns(table: pl.DataFrame) -> pl.DataFrame:
    return table.select(
        *_RUN,
        pl.col("value", "standard_error").cast(pl.Float64),
        pl.col("n_draws").cast(pl.Int64).fill_null(0),
    )


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return "/".join(map(_text, value))
    if isinstance(value, (int, float)):
        short = f"{value:g}"
        return short if float(short) == value else repr(float(value))
    return str(value)


def _read(key: str, word: str) -> object:
    if key == "sigmas":
        return tuple(map(float, word.split("/")))
    return float(word) if key == "alpha" else word


def _words(words: object) -> str:
    return "/".join(words)  # type: ignore[arg-type]


def _numbers(numbers: Sequence[float]) -> str:
    return ", ".join(map(_text, numbers)) or "none"

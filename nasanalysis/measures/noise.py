"""Noise in the weights: which sigmas, which scheme, and the vectors themselves, one draw after the other."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from torch import Tensor

from ..core.errors import ParameterError

#: ``independent``: drawn afresh at every sigma (GeNAS, Eq. 4). ``cumulative``: added to the noise of the sigma before.
Scheme = Literal["independent", "cumulative"]


def checked_sigmas(sigmas: Sequence[float]) -> list[float]:
    """`sigmas` as floats; `ParameterError` unless they are finite and strictly increase from 0 or above."""
    levels = [float(sigma) for sigma in sigmas]
    wanted = "sigmas: expected standard deviations > 0, each above the one before (0 may stand first)"
    if not levels:
        raise ParameterError(f"{wanted}, got none")
    for level in levels:
        if not math.isfinite(level) or level < 0:
            raise ParameterError(f"{wanted}, got {level:g} in {levels}")
    for before, level in itertools.pairwise(levels):
        if level == before:
            raise ParameterError(f"{wanted}, got {level:g} twice in {levels}")
        if level < before:
            raise ParameterError(f"{wanted}, got {level:g} after {before:g} in {levels}; sort them")
    return levels


def checked_scheme(scheme: str) -> Scheme:
    """`scheme`; `ParameterError` if it is none."""
    if scheme not in ("independent", "cumulative"):
        raise ParameterError(f"scheme: expected 'independent' or 'cumulative', got {scheme!r}")
    return scheme  # type: ignore[return-value]


def true_standard_deviations(sigmas: Sequence[float], scheme: Scheme = "cumulative") -> list[float]:
    """The standard deviations that the noise has when it is asked for at `sigmas`.

    ``independent``: the sigmas. ``cumulative``: GeNAS's public code adds N(0, s_t - s_(t-1)) to the noise that is
    there, so variances add up, ``sqrt(sum_t (s_t - s_(t-1))^2)`` with s_0 = 0: 1e-3, 3e-3, 6e-3 are 1e-3, 2.236e-3,
    3.742e-3.
    """
    levels = checked_sigmas(sigmas)
    if checked_scheme(scheme) == "independent":
        return levels
    steps = [level - before for before, level in zip([0.0, *levels], levels, strict=False)]
    return [math.hypot(*steps[: t + 1]) for t in range(len(levels))]


def noise_vectors(
    sigmas: Sequence[float], draws: int, scheme: Scheme, step: Callable[[], Tensor]
) -> Iterator[tuple[float, int, Tensor]]:
    """``(sigma, draw, noise)``, draw by draw and in each by rising sigma, so more draws leave the first as they are.

    `step()` gives a fresh vector of noise of standard deviation 1.
    """
    for draw in range(draws):
        total: Tensor | None = None
        for before, sigma in zip([0.0, *sigmas], sigmas, strict=False):
            if scheme == "independent" or total is None:
                total = step().mul_(sigma)
            else:
                total = total + step().mul_(sigma - before)
            yield sigma, draw, total

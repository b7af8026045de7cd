"""What is drawn again, how often and from which seed: said once, and handed on as one object."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..core.errors import StudyError
from ..core.seeding import generator
from .bootstrap import IntervalKind, bootstrap_counts, check_interval, check_level, half_counts
from .rank import Floats
from .resamples import Resamples

#: What a resample holds another draw of: classes of architectures that compute the same function (not drawn yet),
#: architectures, seeds, or architectures and seeds at once. It stands in the column `resampled` of a STATS frame.
Unit = Literal["class", "arch", "seed", "nested"]
#: How resamples are drawn: with replacement, or halves without (for statistics of the best few).
Kind = Literal["bootstrap", "halves"]
_KEPT = 4  # sets of architectures whose resamples stay in memory


@dataclass(frozen=True)
class Resampling:
    """How intervals are drawn.

    Attributes
    ----------
    n: resamples; 0 for no interval.
    seed: of the resamples: the same seed gives the same resamples, on every machine.
    level: share of the resamples within an interval.
    unit: what is resampled, see `Unit`.
    interval: how a bootstrap of a correlation becomes an interval, see `nasanalysis.stats.bootstrap`.
    """

    n: int = 1000
    seed: int = 0
    level: float = 0.95
    unit: Unit = "arch"
    interval: IntervalKind = "fisher_z"

    def __post_init__(self) -> None:
        if self.n < 0:
            raise ValueError(f"n_boot: expected 0 or more resamples, got {self.n}")
        check_level(self.level)
        check_interval(self.interval)
        if self.unit not in get_args(Unit):
            raise ValueError(f"unit: expected one of {', '.join(get_args(Unit))}, got {self.unit!r}")

    def of_units(self, *units: Unit) -> Resampling:
        """Itself, if its unit is one of those a caller can resample; else `StudyError`."""
        if self.unit not in units:
            raise StudyError(
                f"resampling: expected unit {' or '.join(map(repr, units))} here, got {self.unit!r}; seeds are "
                "resampled by correlate_seeds and seeds_against_baseline"
            )
        return self

    def generator(self, *names: object) -> np.random.Generator:
        """The stream of random numbers of one named use."""
        return generator(self.seed, "stats", *names)

    def counts(self, n_archs: int, kind: Kind = "bootstrap") -> NDArray[np.int32]:
        """(n, n_archs): how often each resample holds each architecture."""
        draw = half_counts if kind == "halves" else bootstrap_counts
        return draw(n_archs, self.n, self.generator(kind))


class Drawn:
    """The resamples of sets of architectures, drawn when first asked for; the last few sets are kept.

    Sets of one size share their draws, so what is asked of one set of architectures compares as pairs.
    """

    def __init__(self, resampling: Resampling, *, compiled: bool | None = None) -> None:
        self.resampling = resampling
        self._compiled = compiled
        self._kept: OrderedDict[tuple[Kind, bytes], Resamples] = OrderedDict()
        self._counts: dict[Kind, NDArray[np.int32]] = {}  # the last ones

    def of(self, truth: Floats, kind: Kind = "bootstrap") -> Resamples:
        """Resamples beside this truth (n_archs,), finite."""
        key = (kind, truth.tobytes())
        if key not in self._kept:
            self._kept[key] = Resamples(truth, self._counts_of(len(truth), kind), compiled=self._compiled)
        self._kept.move_to_end(key)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return self._kept[key]

    def _counts_of(self, n_archs: int, kind: Kind) -> NDArray[np.int32]:
        if kind not in self._counts or self._counts[kind].shape[1] != n_archs:
            self._counts[kind] = self.resampling.counts(n_archs, kind)
        return self._counts[kind]


def asked(
    resampling: Resampling | None,
    n_boot: int,
    seed: int,
    level: float,
    *,
    interval: IntervalKind = "fisher_z",
    unit: Unit = "arch",
    units: Sequence[Unit] = ("arch",),
    default: int = 1000,
) -> Resampling:
    """The one that a caller asked for: `resampling`, or one made of the arguments that stand for it.

    units: those that the caller can resample. default: its default of `n_boot`. `ValueError` for both at once.
    """
    made_of = Resampling(n_boot, seed, level, unit, interval)
    if resampling is None:
        return made_of.of_units(*units)
    if made_of != Resampling(default, unit=unit):
        raise ValueError("resampling: expected either resampling= or n_boot=, seed=, level=, interval=, got both")
    return resampling.of_units(*units)

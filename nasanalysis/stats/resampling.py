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
from .bootstrap import (
    Interval,
    IntervalKind,
    bootstrap_counts,
    check_interval,
    check_level,
    half_counts,
    jackknife_counts,
)
from .classes import Labels, dense
from .rank import Floats
from .resamples import Resamples

#: What a resample holds another draw of: classes of architectures that compute the same function (all members of a
#: drawn class come along), architectures, seeds, or seeds and architectures (or classes) at once. It stands in the
#: column `resampled` of a STATS frame.
Unit = Literal["class", "arch", "seed", "nested"]
#: How resamples are drawn: with replacement, or halves without (for statistics of the best few).
Kind = Literal["bootstrap", "halves"]
NOUNS: dict[Unit, str] = {"arch": "architectures", "class": "functional classes"}
_KEPT = 4  # sets of architectures whose resamples stay in memory


@dataclass(frozen=True)
class Units:
    """What is drawn again of one set of architectures.

    Attributes
    ----------
    name: ``arch`` or ``class``.
    labels: (n_archs,), the unit of each architecture, from 0 to `n` - 1.
    n: their number.
    """

    name: Unit
    labels: Labels
    n: int

    @property
    def noun(self) -> str:
        return NOUNS[self.name]

    @property
    def can_be_drawn(self) -> bool:
        """Whether there is more than one: a single class is in every resample, so nothing varies."""
        return self.n > 1

    @property
    def tied_copies(self) -> float:
        """Share of ties among the pairs that two copies of a unit make: 1 for architectures, 1/k for classes of k."""
        sizes = np.bincount(self.labels, minlength=1).astype(np.float64)
        return float(sizes.sum() / max((sizes**2).sum(), 1.0))

    def spread(self, counts: NDArray[np.int32]) -> NDArray[np.int32]:
        """Counts of units (n_resamples, n) -> of architectures (n_resamples, n_archs)."""
        return counts if self.name == "arch" else counts[:, self.labels]

    def says(self, method: str) -> str:
        """How an interval was made, which is worded for architectures, with what was drawn in their place."""
        return method.replace(NOUNS["arch"], self.noun)

    def left_out(self) -> NDArray[np.int8]:
        """(n_sets, n_archs) of 0 and 1: each unit left out in turn, as `jackknife_counts` has it."""
        kept = jackknife_counts(self.n)
        return kept if self.name == "arch" else kept[:, self.labels]

    def no_interval(self) -> Interval:
        """What stands where there is one unit only."""
        why = f"no interval: all {len(self.labels)} architectures are of one functional class"
        return Interval(float("nan"), float("nan"), why)


def units_of(unit: Unit | None, n_archs: int, classes: Labels | None) -> Units:
    """The `unit` of these architectures; by default `classes` (n_archs,) where one stands twice, else architectures."""
    labels = np.arange(n_archs) if classes is None else dense(classes)
    n_classes = int(labels.max(initial=-1)) + 1
    if unit == "class" or (unit != "arch" and n_classes < n_archs):
        return Units("class", labels, n_classes)
    return Units("arch", np.arange(n_archs), n_archs)


@dataclass(frozen=True)
class Resampling:
    """How intervals are drawn.

    Attributes
    ----------
    n: resamples; 0 for no interval.
    seed: of the resamples: the same seed gives the same resamples, on every machine.
    level: share of the resamples within an interval.
    unit: what is resampled, see `Unit`. By default functional classes where a set of architectures holds one of them
        twice, else architectures (which is the same thing there).
    interval: how a bootstrap of a correlation becomes an interval, see `nasanalysis.stats.bootstrap`.
    """

    n: int = 1000
    seed: int = 0
    level: float = 0.95
    unit: Unit | None = None
    interval: IntervalKind = "fisher_z"

    def __post_init__(self) -> None:
        if self.n < 0:
            raise ValueError(f"n_boot: expected 0 or more resamples, got {self.n}")
        check_level(self.level)
        check_interval(self.interval)
        if self.unit is not None and self.unit not in get_args(Unit):
            raise ValueError(f"unit: expected one of {', '.join(get_args(Unit))}, got {self.unit!r}")

    @property
    def needs_classes(self) -> bool:
        """Whether anybody must find out which architectures are one network."""
        return self.n > 0 and self.unit not in ("arch", "seed")

    def of_units(self, *units: Unit) -> Resampling:
        """Itself, if its unit is one of those a caller can resample; else `StudyError`."""
        if self.unit is not None and self.unit not in units:
            raise StudyError(
                f"resampling: expected unit {' or '.join(map(repr, units))} here, got {self.unit!r}; seeds are "
                "resampled by correlate_seeds and seeds_against_baseline"
            )
        return self

    def generator(self, *names: object) -> np.random.Generator:
        """The stream of random numbers of one named use."""
        return generator(self.seed, "stats", *names)

    def counts(self, n_units: int, kind: Kind = "bootstrap") -> NDArray[np.int32]:
        """(n, n_units): how often each resample holds each unit."""
        draw = half_counts if kind == "halves" else bootstrap_counts
        return draw(n_units, self.n, self.generator(kind))

    def units(self, n_archs: int, classes: Labels | None = None) -> Units:
        """What is drawn again of `n_archs` architectures of these `classes` (n_archs,), None where unknown."""
        return units_of(self.unit, n_archs, classes)


class Drawn:
    """The resamples of sets of architectures, drawn when first asked for; the last few sets are kept.

    Sets of one size share their draws, so what is asked of one set of architectures compares as pairs.
    """

    def __init__(self, resampling: Resampling, *, compiled: bool | None = None) -> None:
        self.resampling = resampling
        self._compiled = compiled
        self._kept: OrderedDict[tuple[Kind, bytes, Unit, bytes], Resamples] = OrderedDict()
        self._counts: dict[Kind, NDArray[np.int32]] = {}  # of units, the last ones

    def of(self, truth: Floats, kind: Kind = "bootstrap", units: Units | None = None) -> Resamples:
        """Resamples beside this truth (n_archs,), finite; `units`: what is drawn, by default architectures."""
        units = units or units_of("arch", len(truth), None)
        key = (kind, truth.tobytes(), units.name, units.labels.tobytes())
        if key not in self._kept:
            self._kept[key] = Resamples(truth, self.counts(units, kind), compiled=self._compiled)
        self._kept.move_to_end(key)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return self._kept[key]

    def counts(self, units: Units, kind: Kind = "bootstrap") -> NDArray[np.int32]:
        """(n_resamples, n_archs): how often each resample holds each architecture."""
        if kind not in self._counts or self._counts[kind].shape[1] != units.n:
            self._counts[kind] = self.resampling.counts(units.n, kind)
        return units.spread(self._counts[kind])


def asked(
    resampling: Resampling | None,
    n_boot: int,
    seed: int,
    level: float,
    *,
    interval: IntervalKind = "fisher_z",
    unit: Unit | None = None,
    units: Sequence[Unit] = ("arch", "class"),
    default: int = 1000,
) -> Resampling:
    """The one that a caller asked for: `resampling`, or one made of the arguments that stand for it.

    units: those that the caller can resample. default: its default of `n_boot`. `ValueError` for both at once.
    """
    made_of = Resampling(n_boot, seed, level, unit, interval)
    if resampling is None:
        return made_of.of_units(*units)
    if made_of != Resampling(default):
        raise ValueError("resampling: expected either resampling= or n_boot=, seed=, level=, interval= ..., got both")
    return resampling.of_units(*units)

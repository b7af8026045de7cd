"""What one study asks again and again: a statistic of a score on resamples that were drawn before.

The interval of a reading, its difference to the parameters and its place beside the best are read from the same draws
(the same stream, units and truth). Values are kept by a digest of what they were computed from, a few kilobytes each;
the draws themselves, which are large, only for the last sets of architectures. Results are those of drawing anew, to
the last bit, and so is where the generator stands afterwards.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import Any

import numpy as np

from .bootstrap import bootstrap_counts
from .rank import Floats
from .registry import Statistic
from .resamples import Resamples
from .resampling import Units

_VALUES: OrderedDict[tuple[bytes, str, bytes], Floats] = OrderedDict()
_DRAWN: OrderedDict[bytes, Resamples] = OrderedDict()
_AFTER: OrderedDict[bytes, Any] = OrderedDict()
#: Values, draws and states that are kept.
MOST_VALUES, MOST_DRAWN, MOST_STATES = 2_000, 2, 1_000


class Draws:
    """`n_boot` bootstrap resamples of `units` beside `truth` (n_archs,), drawn by `rng` when they are needed."""

    def __init__(self, truth: Floats, units: Units, n_boot: int, rng: np.random.Generator) -> None:
        self._truth, self._units, self._n_boot, self._rng = truth, units, n_boot, rng
        self._state: Any = rng.bit_generator.state
        self._key = _digest(
            str(self._state), str(n_boot), units.name, units.labels, np.asarray(truth, dtype=np.float64)
        )

    def values(self, statistic: Statistic, score: Floats) -> Floats:
        """(n_boot,): the statistic of `score` on every resample."""
        key = (self._key, statistic.name, _digest(np.asarray(score, dtype=np.float64)))
        if key not in _VALUES:
            _VALUES[key] = statistic.on_resamples(self._resamples(), score)
        values: Floats = _kept(_VALUES, key, MOST_VALUES)
        return values

    def gaps(self, statistic: Statistic, scores: Floats, baseline: Floats | None) -> Floats:
        """(k, n_boot): of each of `scores`, minus that of `baseline`: (n_archs,) for all of them, or one for each."""
        each = np.array([self.values(statistic, row) for row in scores])
        if baseline is not None:
            others = [self.values(statistic, row) for row in np.atleast_2d(baseline)]
            each = each - np.array(others if baseline.ndim == 2 else others * len(each))
        self._pass()
        return each

    def _resamples(self) -> Resamples:
        if self._key not in _DRAWN:
            self._rng.bit_generator.state = self._state
            counts = bootstrap_counts(self._units.n, self._n_boot, self._rng)
            _AFTER[self._key] = self._rng.bit_generator.state
            _DRAWN[self._key] = Resamples(self._truth, self._units.spread(counts))
        drawn: Resamples = _kept(_DRAWN, self._key, MOST_DRAWN)
        return drawn

    def _pass(self) -> None:
        """Leave the generator where the draw leaves it."""
        if self._key not in _AFTER:
            self._resamples()
        self._rng.bit_generator.state = _kept(_AFTER, self._key, MOST_STATES)


def _kept(kept: OrderedDict[Any, Any], key: Any, most: int) -> Any:
    """The value of `key`, which is now the last to go; the first go where there are more than `most`."""
    kept.move_to_end(key)
    while len(kept) > most:
        kept.popitem(last=False)
    return kept[key]


def _digest(*parts: str | np.ndarray) -> bytes:
    total = hashlib.blake2b(digest_size=16)
    for part in parts:
        total.update(part.encode() if isinstance(part, str) else part.tobytes())
    return total.digest()

"""A score beside the truth of the same architectures: what every statistic is computed from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import StudyError
from .classes import Labels, class_labels
from .rank import Floats
from .resampling import Resampling, Units

FEWEST = 3  # architectures: below this no statistic says anything

Place = tuple[str, str]  # benchmark, dataset


@dataclass(frozen=True)
class Truth:
    """Truth of one (benchmark, dataset): architectures in order of their text."""

    archs: list[str]
    values: Floats  # NaN where undefined
    outside: frozenset[str]  # architectures of the truth that are not in the sample
    split: str
    schedule: int | None
    seeds: str

    @cached_property
    def classes(self) -> Labels:
        """(n_archs,): equal where two architectures are one network."""
        return class_labels(self.archs)


@dataclass(frozen=True)
class Series:
    """The scores of one proxy at one step, in the order of the truth's architectures."""

    place: Place
    key: dict[str, Any]
    truth: Truth
    values: Floats  # oriented, NaN where undefined
    direction: int  # +1 or -1, what the raw scores were multiplied by
    used: NDArray[np.bool_]
    covariates: Mapping[str, Floats]  # as values, of those asked for
    seed: int | None = None  # of the scores, where seeds stand apart
    direction_source: str | None = None  # ours, given, by name or assumed: see `nasanalysis.proxies.direction_of`
    undefined: int = 0  # architectures of the truth that stand in the scores without a finite value

    @property
    def used_truth(self) -> Floats:
        return self.truth.values[self.used]

    @property
    def used_score(self) -> Floats:
        return self.values[self.used]

    def archs(self) -> list[str]:
        """The architectures used, in order of their text."""
        return [arch for arch, used in zip(self.truth.archs, self.used, strict=True) if used]

    def used_with(self, covariates: Sequence[str]) -> NDArray[np.bool_]:
        """Which architectures have a score, a truth and these covariates."""
        used = self.used
        for name in covariates:
            used = used & np.isfinite(self.covariates[name])
        return used

    def units(self, resampling: Resampling, used: NDArray[np.bool_] | None = None) -> Units:
        """What `resampling` draws of the architectures used (by this score, or those of the mask `used`)."""
        used = self.used if used is None else used
        return resampling.units(int(used.sum()), self.truth.classes[used] if resampling.needs_classes else None)

    @property
    def name(self) -> str:
        said = ", ".join(f"{k} {v!r}" for k, v in self.key.items() if v not in (None, ""))
        return f"{'/'.join(part for part in self.place if part)} ({said})"

    def refuse_too_few(self, stranger: str | None) -> None:
        """`StudyError` unless enough architectures are used; `stranger`: one that only the scores name."""
        n_used, of = int(self.used.sum()), len(self.used)
        if n_used >= FEWEST:
            return
        no_score, no_truth = int(np.isnan(self.values).sum()), int(np.isnan(self.truth.values).sum())
        if self.undefined and no_score == of and stranger is None:
            raise StudyError(
                f"{self.name}: none of the {self.undefined} scores of its architectures is a finite number (all are "
                "empty, NaN or infinite): nothing can be ranked. Did the proxy fail or overflow? Leave this score out"
            )
        why = f"{no_score} of the {of} architectures of the truth have no defined score"
        if no_truth:
            why += f", {no_truth} have no defined truth"
        if stranger is not None:
            example = repr(self.truth.archs[0]) if self.truth.archs else "none"
            why += f"; scores name architectures that the truth lacks: scores have {stranger!r}, truth has {example}"
        raise StudyError(
            f"{self.name}: expected at least {FEWEST} architectures with a score and a truth, got {n_used}: {why}. "
            "Check that both tables spell architectures alike, or leave this score out"
        )

"""The one rule by which a comparison of two scores becomes a word, a mark or a tier.

Whatever says "ahead", sets a value in bold or ties it with the best asks here, with an interval of a *paired*
difference: whether two intervals of the single scores overlap says little of their difference.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..core.errors import StudyError
from ..core.frames import to_polars
from .rank import Floats

#: Of the first score beside the second.
Verdict = Literal["ahead", "behind", "equivalent", "not told apart"]
NEITHER = "neither"

_WORDS: dict[Verdict, str] = {
    "ahead": "{first} ranks better than {second}",
    "behind": "{first} ranks worse than {second}",
    "equivalent": "{first} ranks as well as {second} (within {margin:g})",
    "not told apart": "{first} and {second} are not told apart",
}


def verdict(
    difference: float | None,
    low: float | None,
    high: float | None,
    margin: float | None = None,
    *,
    p: float | None = None,
    level: float = 0.95,
) -> Verdict:
    """What an interval of ``statistic(first) - statistic(second)``, higher is better, allows to say.

    Parameters
    ----------
    difference, low, high: the estimate and the ends of its (paired) interval; undefined ones are null or NaN.
    margin: differences smaller than this do not matter: ``equivalent`` where the whole interval lies within it, even
        if the interval excludes 0. Without a margin nothing is equivalent: an interval that holds 0 only says that the
        two are not told apart.
    p: of a test of the same difference, corrected for the number of comparisons; ``ahead`` and ``behind`` then need
        ``p <= 1 - level`` as well (or alone, where there is no interval).
    """
    check_margin(margin)
    difference, low, high = (math.nan if v is None else float(v) for v in (difference, low, high))
    has_interval = math.isfinite(low) and math.isfinite(high)
    if not math.isfinite(difference) or not (has_interval or p is not None):
        return "not told apart"
    if has_interval:
        if margin is not None and -margin < low and high < margin:
            return "equivalent"
        if low <= 0 <= high:
            return "not told apart"
    if p is not None and not p <= 1 - level + 1e-12:
        return "not told apart"
    return "ahead" if difference > 0 else "behind"


def in_words(said: Verdict, first: str, second: str, margin: float | None = None) -> str:
    """A verdict as a clause: ``nwot ranks better than params``."""
    return _WORDS[said].format(first=first, second=second, margin=margin or 0.0)


def better(said: Verdict, first: str, second: str) -> str:
    """The better of the two, or ``neither``."""
    return {"ahead": first, "behind": second}.get(said, NEITHER)


def check_margin(margin: float | None) -> None:
    """`ValueError` unless `margin` is None or a positive number."""
    if margin is not None and not (math.isfinite(margin) and margin > 0):
        raise ValueError(f"margin: expected a positive difference that does not matter, such as 0.02, got {margin!r}")


def tiers(estimates: Sequence[float] | Floats, clear: NDArray[np.bool_]) -> list[int]:
    """The tier of each score, 1 the best: whoever is not told apart from the best of a tier belongs to it.

    estimates: (k,), higher is better. clear: (k, k), whether row is clearly better than column. A tier's members are
    compared with its best only, so two of them may still differ clearly from each other.
    """
    left = [int(i) for i in np.argsort(-np.asarray(estimates, dtype=np.float64), kind="stable")]
    number, answer = 0, [0] * len(left)
    while left:
        number += 1
        best = left[0]
        tier = [i for i in left if not clear[best, i]]
        for i in tier:
            answer[i] = number
        left = [i for i in left if clear[best, i]]
    return answer


def emphasis_from_pairs(pairs: Any) -> Mapping[str, Literal["best", "tied", "behind"]]:
    """Proxy -> its place beside the best one, for bold (``best``) and a dagger (``tied``) in a table.

    pairs: of `compare_proxies`, one benchmark and dataset: all pairs, or all against the best as `baseline`. Tied is
    whoever its comparison with the best does not tell apart, or calls equivalent. `StudyError` where a proxy was not
    compared with the best.
    """
    table = to_polars(pairs)
    if table.select("benchmark", "dataset", "statistic").n_unique() > 1:
        raise StudyError("emphasis: expected pairs of one benchmark, dataset and statistic; filter first")
    value = {row["other"]: row["second"] for row in table.to_dicts()}
    value |= {row["proxy"]: row["first"] for row in table.to_dicts()}
    ranked = [name for name, v in value.items() if v is not None]
    if not ranked:
        return {}
    best = max(ranked, key=lambda name: float(value[name]))
    marks: dict[str, Literal["best", "tied", "behind"]] = {best: "best"}
    for row in table.to_dicts():
        if best in (row["proxy"], row["other"]):
            name = row["other"] if row["proxy"] == best else row["proxy"]
            marks[name] = "behind" if row["verdict"] in ("ahead", "behind") else "tied"
    if lacking := [name for name in ranked if name not in marks]:
        raise StudyError(f"emphasis: expected {lacking[0]!r} compared with the best, {best!r}; compare all pairs")
    return marks

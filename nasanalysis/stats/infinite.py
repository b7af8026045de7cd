"""Infinite scores: not measured, or the worst there is.

Some proxies diverge on architectures that do not train, and say inf or -inf of them. By default such a score is
undefined, left out and counted. Ranked last it stands below every finite score of its proxy, all infinite ones equal,
whatever their sign: a divergence is no praise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

import polars as pl

from ..core.errors import StudyError
from ..core.frames import to_polars
from ..proxies import direction_of

Infinite = Literal["missing", "worst"]

#: What the column `setting` of STATS says of scores among which infinite ones were ranked last.
RANKED_LAST = "infinite scores ranked last"


def with_infinite(scores: Any, infinite: Infinite, directions: Mapping[str, int | str] | None = None) -> pl.DataFrame:
    """Scores whose infinite values, for ``worst``, are finite and below all others of their proxy (oriented)."""
    _check(infinite)
    table = to_polars(scores)
    if infinite == "missing" or not table["value"].dtype.is_float() or not table["value"].is_infinite().any():
        return table
    parts = [_of_proxy(part, directions) for part in table.partition_by("proxy", maintain_order=True)]
    return pl.concat(parts)


def _check(infinite: str) -> None:
    if infinite not in get_args(Infinite):
        raise StudyError(f"infinite: expected {' or '.join(get_args(Infinite))}, got {infinite!r}")


def _of_proxy(part: pl.DataFrame, directions: Mapping[str, int | str] | None) -> pl.DataFrame:
    if not part["value"].is_infinite().any():
        return part
    sign = direction_of(str(part["proxy"][0]), directions).sign
    series = [c for c in ("benchmark", "dataset", "method", "setting", "unit", "step") if c in part.columns]
    lost = pl.col("value").is_infinite().any().over(*series, "arch")  # one seed that diverges is enough
    finite = pl.when(pl.col("value").is_finite()).then(pl.col("value") * sign)
    lowest = finite.min().over(*series).fill_null(0.0)
    below = sign * (lowest - 1 - lowest.abs())  # below also where adding 1 is lost to rounding
    setting = pl.when(lost.any().over(*series)).then(_named(part)).otherwise(_setting(part))
    return part.with_columns(value=pl.when(lost).then(below).otherwise("value"), setting=setting)


def _setting(part: pl.DataFrame) -> pl.Expr:
    return pl.col("setting").fill_null("") if "setting" in part.columns else pl.lit("")


def _named(part: pl.DataFrame) -> pl.Expr:
    setting = _setting(part)
    return pl.when(setting == "").then(pl.lit(RANKED_LAST)).otherwise(setting + pl.lit(f"; {RANKED_LAST}"))


def infinite_note(scores: pl.DataFrame, infinite: Infinite, how: str = "--infinite worst") -> str | None:
    """A sentence on the infinite scores there are; None without any. `how`: what asks for them to be ranked last."""
    _check(infinite)
    lost = scores.filter(pl.col("value").is_infinite())
    if lost.is_empty():
        return None
    names = ", ".join(sorted(set(lost["proxy"])))
    done = f"left out as undefined; {how} ranks them last" if infinite == "missing" else "ranked last"
    return f"{len(lost):,} of {len(scores):,} scores are infinite ({names}): {done}"

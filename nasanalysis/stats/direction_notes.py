"""What a reader must be told of the directions that a table of statistics was made with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from ..core.frames import check
from ..proxies import direction_of
from .averages import checked_scores

#: A correlation whose interval lies wholly below this is worth asking about.
STRONGLY_NEGATIVE = -0.2
_CORRELATIONS = ("spearman_rho", "kendall_tau", "pearson_r")
_OTHER = {"higher": "lower", "lower": "higher"}


def option(name: str, word: str) -> str:
    """How a direction is given at the prompt: ``--direction mine=lower``."""
    return f"--direction {name}={word}" if " " not in name else f"--direction '{name}={word}'"


def key(name: str, word: str) -> str:
    """How a direction is given in a study: ``directions = { "mine" = "lower" }``."""
    return f'directions = {{ "{name}" = "{word}" }}'


def direction_notes(
    stats: Any,
    scores: Any,
    directions: Mapping[str, int | str] | None = None,
    *,
    given: Callable[[str, str], str] = option,
) -> list[str]:
    """Sentences on the directions behind a STATS frame of the SCORES `scores`; none where nothing is in doubt.

    Told are names that say nothing (higher is assumed to be better), losses and the like that hold no positive value
    (were they negated?), and correlations whose interval lies below `STRONGLY_NEGATIVE`; not where it was given.
    `given` says how a name and a word are given: `option`, or `key`.
    """
    table = checked_scores(scores)
    names = table["proxy"].unique().sort().to_list()
    negated = [name for name in names if _looks_negated(table, name, directions)]
    doubtful = [row for row in _strongly_negative(check(stats, "STATS")) if row["proxy"] not in negated]
    asked = {row["proxy"] for row in doubtful}
    unknown = [n for n in names if direction_of(n, directions).source == "assumed" and n not in asked]
    return [
        *([_assumed(unknown) + given(unknown[0], "lower")] if unknown else []),
        *(_negated(name, table) + given(name, "higher") for name in negated),
        *(_hint(row) + given(row["proxy"], _OTHER[_word(row)]) for row in doubtful),
    ]


def _assumed(names: list[str]) -> str:
    shown = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
    return f"direction of {shown}: not known, higher is taken as better; if lower is: "


def _looks_negated(table: pl.DataFrame, name: str, directions: Mapping[str, int | str] | None) -> bool:
    """Whether a score of which lower is better, by our rules or its name, holds nothing above 0 and something below."""
    known = direction_of(name, directions)
    if known.sign > 0 or known.source == "given":
        return False
    values = table.filter(pl.col("proxy") == name)["value"].drop_nulls()
    return bool(len(values) and (values <= 0).all() and (values < 0).any())


def _negated(name: str, table: pl.DataFrame) -> str:
    count = table.filter(pl.col("proxy") == name)["value"].drop_nulls().len()
    return (
        f"{name}: none of its {count:,} values is above 0, though lower is better in what is called so: are they "
        "negated? If higher is better here: "
    )


def _strongly_negative(stats: pl.DataFrame) -> list[dict[str, Any]]:
    """For each proxy its first correlation that is clearly negative, at its last step."""
    given = (pl.col("direction_source") == "given").fill_null(False)
    rows = stats.filter(pl.col("statistic").is_in(_CORRELATIONS), ~given)
    last = pl.col("step").is_null() | (pl.col("step") == pl.col("step").max().over("proxy"))
    rows = rows.filter(last).filter(pl.col("ci_high") < STRONGLY_NEGATIVE)
    return rows.unique("proxy", keep="first", maintain_order=True).to_dicts()


def _word(row: Mapping[str, Any]) -> str:
    return "higher" if row["direction"] != -1 else "lower"


def _hint(row: Mapping[str, Any]) -> str:
    word = _word(row)
    said = f"{row['statistic']} {row['estimate']:.2f} [{row['ci_low']:.2f}, {row['ci_high']:.2f}]"
    source = f" ({row['direction_source']})" if row["direction_source"] else ""
    return f"{row['proxy']}: {said} with {word} taken as better{source}: does {_OTHER[word]} mean better? Then: "

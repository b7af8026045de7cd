"""Explanations of proxies (`nasanalysis.stats.explain_proxy`) -> tables and a figure for a reader."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from .. import plots
from ..plots.explanation import feature_label, level_text, most_important
from ..plots.style import proxy_label
from ..stats.explain import Explanation
from .cells import number, with_interval, with_spread
from .model import Figure, Table

#: Features of which the errors are shown: live operations, depth, size. The CSV files hold all of them.
SHOWN = re.compile(r"graph_live_count@|graph_depth(@|$)|params$")
#: Levels with a smaller share of the architectures are left to the CSV file.
FEWEST = 0.02
_FEATURES = 12


def explanation_tables(name: str, explanations: Mapping[str, Explanation], note: str = "") -> tuple[Table, ...]:
    """What is left of each proxy, what drives it, and where it errs; `name` is the stem of the files."""
    return _partial(name, explanations, note), _importance(name, explanations), _errors(name, explanations)


def explanation_figure(name: str, explanations: Mapping[str, Explanation]) -> Figure:
    """Importances beside errors."""
    importance, errors = _together(explanations, "importance"), shown_errors(explanations)
    return Figure(
        name,
        "What drives the ranking (left: what a regressor's R² loses when the feature is permuted) and where it errs "
        "(right: above 0 the score thinks too well of these architectures; 95 % intervals).",
        lambda: plots.plot_explanation(importance, errors)[0],
        errors,
    )


def sentences(explanations: Mapping[str, Explanation]) -> Iterator[str]:
    """One for each proxy, by rule: how much of it the cell explains, and what is left."""
    for name, one in explanations.items():
        given = {row["given"]: row for row in one.partial.to_dicts()}
        every, nothing = given["all features"], given["nothing"]
        shares = [100 * (every[f"explained_of_{of}"] or 0.0) for of in ("proxy", "truth")]
        left = with_interval(every["estimate"], every["ci_low"], every["ci_high"], 3)
        rest = "nothing of it is left to compare" if every["estimate"] is None else f"Spearman's ρ given them is {left}"
        yield (
            f"{proxy_label(name)}: the {every['n_given']} features of the cell explain {shares[0]:.0f} % of the "
            f"variance of its ranks and {shares[1]:.0f} % of the truth's; {rest}, "
            f"{number(nothing['estimate'], 3)} without."
        )


def shown_errors(explanations: Mapping[str, Explanation]) -> pl.DataFrame:
    """Errors by operation, depth and size, of levels that are not rare, with a column ``of`` for the proxy."""
    errors = _together(explanations, "errors").filter(pl.col("feature").str.contains(SHOWN.pattern))
    whole = pl.col("n_archs").sum().over("of", "feature")
    return errors.filter(pl.col("n_archs") >= FEWEST * whole)


def _together(explanations: Mapping[str, Explanation], part: str) -> pl.DataFrame:
    parts: list[pl.DataFrame] = [
        getattr(one, part).select(pl.lit(name).alias("of"), pl.all()) for name, one in explanations.items()
    ]
    return pl.concat(parts)


def _partial(name: str, explanations: Mapping[str, Explanation], note: str) -> Table:
    data = pl.concat([one.partial for one in explanations.values()])
    header = ["proxy", "given", "Spearman's ρ", "explained of it (%)", "of the truth (%)", "n", "classes"]
    rows = [
        [
            proxy_label(row["proxy"]),
            _given(row),
            with_interval(row["estimate"], row["ci_low"], row["ci_high"], 3),
            *(number(_percent(row[f"explained_of_{of}"]), 1) for of in ("proxy", "truth")),
            f"{row['n_archs']:,}",
            f"{row['n_classes']:,}",
        ]
        for row in data.to_dicts()
    ]
    said = (
        "Partial rank correlation with the truth: what is left of both rankings once the ranks of the features are "
        "taken off; – where nothing is left of one. Brackets: 95 % intervals, functional classes resampled."
    )
    numeric = [False, False, True, True, True, True, True]
    return Table(f"{name}-given", "What is left of it?", header, rows, data, numeric, f"{note} {said}".strip())


def _given(row: Mapping[str, Any]) -> str:
    given = str(row["given"]).replace("params", proxy_label("params"))
    return given if row["n_given"] < 2 else f"{given} ({row['n_given']})"


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share or 0.0


def _importance(name: str, explanations: Mapping[str, Explanation]) -> Table:
    data = _together(explanations, "importance")
    first = next(iter(explanations.values())).importance
    columns = {
        "truth": (first, "truth"),
        **{proxy_label(n): (one.importance, "proxy") for n, one in explanations.items()},
    }
    tables = {label: {row["feature"]: row for row in frame.to_dicts()} for label, (frame, _) in columns.items()}
    rows = []
    for feature in most_important(data, _FEATURES):
        line = [feature_label(feature)]
        for label, (_, of) in columns.items():
            row = tables[label].get(feature)
            line.append("–" if row is None else with_spread(row[of], row[f"{of}_sd"], 3))
        rows.append(line)
    fits = ["R² before", *(number(frame[f"fit_{of}"][0], 3) for frame, of in columns.values())]
    note = (
        "What R² on the classes left out loses when a feature is permuted (mean and standard deviation over "
        "permutations), of a regressor of the ranks. Features that say the same share their importance."
    )
    header, numeric = ["feature", *columns], [False, *[True] * len(columns)]
    return Table(f"{name}-importance", "What drives it, and the truth?", header, [*rows, fits], data, numeric, note)


def _errors(name: str, explanations: Mapping[str, Explanation]) -> Table:
    shown, names = shown_errors(explanations), list(explanations)
    rows = []
    for (feature, level), group in shown.group_by("feature", "level", maintain_order=True):
        of = {row["of"]: row for row in group.to_dicts()}
        cells = []
        for one in names:
            row = of.get(one)
            mean, low, high = ((row or {}).get(c) for c in ("mean_error", "ci_low", "ci_high"))
            cells.append(with_interval(_percent(mean), _percent(low), _percent(high), 1))
        rows.append([feature_label(str(feature)), level_text(str(level)), f"{group['n_archs'][0]:,}", *cells])
    note = (
        "Mean of rank by score minus true rank, in percent of the architectures: above 0 it thinks too well of them. "
        "Brackets: 95 % intervals, functional classes resampled. Every feature and level stands in the CSV file."
    )
    header = ["feature", "level", "n", *map(proxy_label, names)]
    numeric = [False, False, True, *[True] * len(names)]
    return Table(f"{name}-errors", "Where does it err?", header, rows, _together(explanations, "errors"), numeric, note)

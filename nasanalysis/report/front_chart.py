"""What entries cost against how well they rank, as a chart that answers the pointer, with the front of the best.

Altair writes the specification (extra ``page``), as for `nasanalysis.report.explorer`; the still figure is
`nasanalysis.plots.plot_cost_front`.
"""

from __future__ import annotations

from math import floor, log10
from typing import Any

import polars as pl

from ..plots.leaderboard import entry_label
from ..plots.lines import looks_of
from ..plots.style import GREY, proxy_label, statistic_label
from ..stats.front import with_front
from .cells import number, price, with_interval
from .leaderboard import WORDS

_TRAINED = "trained architectures and a regressor"
#: Markers of the still figure -> shapes of Vega; its last two have none, and are triangles on their side.
_SHAPES = {
    **{"o": "circle", "s": "square", "^": "triangle-up", "D": "diamond", "v": "triangle-down", "P": "cross"},
    **{"X": "triangle-right", "*": "triangle-left"},
}
#: What is said of the entry under the pointer: an expression of Vega, its lines apart.
_SAID = (
    "[datum.entry, datum.correlation + '; cost ' + datum.price, datum.standing === '–' ? '' : "
    "'beside the bar: ' + datum.standing + '; tier ' + datum.tier]"
)
#: Columns that the chart holds as text.
_TOLD = ("entry", "correlation", "price", "standing", "tier")


def front_points(board: pl.DataFrame, learned: pl.DataFrame | None = None, *, unit: str = "epochs") -> pl.DataFrame:
    """What the chart shows of each entry, and of each number of trained architectures.

    Parameters
    ----------
    board: of `nasanalysis.stats.leaderboard`; entries without a cost or an estimate are left out.
    learned: columns k, cost, learned, learned_low, learned_high, of `nasanalysis.stats.learned_bar`.
    unit: of the costs, in words.

    Returns columns cost, estimate, low, high, on_front, at (where the cost stands on the axis: the logarithm to base
    10 of a cost, a place one decade below the least for no cost), line (what a line joins), colour, shape, and the
    texts of a pointer.
    """
    entries = board.drop_nulls(["estimate", "cost"])
    looks = looks_of(entries["proxy"])
    rows = [
        {
            **{"cost": float(row["cost"]), "estimate": row["estimate"], "low": row["ci_low"], "high": row["ci_high"]},
            "line": proxy_label(row["proxy"]),
            **dict(zip(("colour", "shape"), (looks[row["proxy"]][0], _SHAPES[looks[row["proxy"]][1]]), strict=True)),
            "entry": entry_label(row["proxy"], row["step"], row["unit"]),
            "standing": "–" if row["verdict"] is None else WORDS.get(row["verdict"], row["verdict"]),
            "tier": "–" if row["tier"] is None else str(row["tier"]),
        }
        for row in entries.iter_rows(named=True)
    ]
    for row in () if learned is None else learned.unique("k").sort("k").iter_rows(named=True):
        ends = {"low": row["learned_low"], "high": row["learned_high"]}
        rows.append(
            {
                **{"cost": float(row["cost"]), "estimate": row["learned"], **ends},
                "line": _TRAINED,
                **{"colour": GREY, "shape": "square"},
                "entry": f"{row['k']} {_TRAINED}",
                **{"standing": "–", "tier": "–"},
            }
        )
    numbers = dict.fromkeys(("cost", "estimate", "low", "high"), pl.Float64)
    table = with_front(pl.DataFrame(rows, schema_overrides=numbers), "cost", "estimate")
    correlations = [
        with_interval(one, low, high, 3) for one, low, high in table[["estimate", "low", "high"]].iter_rows()
    ]
    prices = [price(cost, unit) for cost in table["cost"]]
    return table.with_columns(
        pl.Series("at", _places(table["cost"].to_list()), dtype=pl.Float64),
        correlation=pl.Series(correlations, dtype=pl.String),
        price=pl.Series(prices, dtype=pl.String),
    )


def _places(costs: list[float]) -> list[float]:
    """Logarithms of costs; no cost stands one decade below the decade of the least."""
    least = min((log10(cost) for cost in costs if cost > 0), default=0.0)
    return [log10(cost) if cost > 0 else floor(least) - 1.0 for cost in costs]


def front_chart(points: pl.DataFrame, *, statistic: str, cost: str) -> dict[str, Any]:
    """The Vega-Lite specification of `front_points`.

    A ring and a few lines below follow the pointer; a click on a name in the list leaves that proxy alone in colour.

    `statistic`: as the frame names it; cost: what stands along the axis, in words.
    """
    import altair

    alt: Any = altair
    shown = points.select(*("at", "estimate", "low", "high", "line", "on_front"), *_TOLD).sort("at", "estimate")
    lines = points.select("line", "colour", "shape").unique(maintain_order=True).sort(pl.col("line").str.to_lowercase())
    data = alt.InlineData(values=shown.to_dicts(), name="entries")
    picked = alt.selection_point(name="picked", fields=["line"], bind="legend", empty=True)
    near: dict[str, Any] = {"on": "pointerover", "nearest": True, "fields": ["entry"], "empty": False, "clear": False}
    first = shown.filter("on_front").sort("estimate")["entry"].to_list()[-1:]
    hover = alt.selection_point(name="hover", value=[{"entry": entry} for entry in first], **near)
    ticks = {"values": _ticks(points), "labelExpr": _tick_words(points), "grid": True}
    x = alt.X("at:Q").scale(zero=False, nice=False, padding=24).title(cost).axis(**ticks)
    y = alt.Y("estimate:Q").scale(zero=False, padding=12).title(statistic_label(statistic))
    domain = lines["line"].to_list()
    legend = {"title": None, "symbolLimit": 40, "columns": 1, "labelLimit": 230, "labelFontSize": 11}
    colour = alt.Color("line:N").scale(domain=domain, range=lines["colour"].to_list()).legend(**legend)
    shape = alt.Shape("line:N").scale(domain=domain, range=lines["shape"].to_list()).legend(**legend)
    faint = alt.condition(picked, alt.value(0.95), alt.value(0.12))
    base = alt.Chart()
    front = base.transform_filter("datum.on_front").mark_line(interpolate="step-after", color=GREY, strokeWidth=1.5)
    fainter = alt.condition(picked, alt.value(0.5), alt.value(0.06))
    ends: dict[str, Any] = {"y": alt.Y("low:Q").title(statistic_label(statistic)), "y2": "high:Q"}
    whiskers = base.mark_rule(strokeWidth=1.3).encode(x, color=colour, opacity=fainter, **ends)
    joined = base.mark_line(strokeWidth=0.8).encode(x, y, color=colour, detail="line:N", opacity=fainter)
    looks = {"color": colour, "shape": shape, "opacity": faint}
    trained = f"datum.line === '{_TRAINED}'"
    dots = base.transform_filter(f"!({trained})").mark_point(size=60, filled=True).encode(x, y, **looks)
    squares = base.transform_filter(trained).mark_point(size=70, fill="white", strokeWidth=1.8).encode(x, y, **looks)
    dots = dots.add_params(picked, hover)
    ring = base.transform_filter(hover).mark_point(size=170, color="black", strokeWidth=2).encode(x, y)
    chart = alt.layer(front.encode(x, y), whiskers, joined, squares, dots, ring).properties(width=620, height=360)
    words = base.transform_filter(hover).transform_calculate(said=_SAID).mark_text(align="left", fontSize=12)
    words = words.encode(x=alt.value(2), y=alt.value(10), text="said:N").properties(width=300, height=48)
    chart = alt.vconcat(chart, words, data=data, spacing=6).configure(font="system-ui, sans-serif", background="white")
    spec: dict[str, Any] = chart.configure_view(stroke=None).to_dict()
    return spec


def _ticks(points: pl.DataFrame) -> list[float]:
    """Decades from the least place to the greatest, and the place of no cost; thirds of them where few."""
    at = points["at"].to_list()
    free = points.filter(pl.col("cost") == 0)["at"].to_list()[:1]
    paid = [place for place, cost in zip(at, points["cost"], strict=True) if cost > 0]
    if not paid:
        return free
    decades = [float(k) for k in range(floor(min(paid)), floor(max(paid)) + 2)]
    between = [k + log10(m) for k in decades for m in (2, 5)] if len(decades) < 4 else []
    return [*free, *sorted(place for place in decades + between if min(paid) - 0.4 <= place <= max(paid) + 0.1)]


def _tick_words(points: pl.DataFrame) -> str:
    """An expression of Vega: the cost at a tick, 0 at the place of no cost."""
    free = points.filter(pl.col("cost") == 0)["at"].to_list()[:1]
    words = "format(pow(10, datum.value), ',.3~g')"
    return f"datum.value === {number(free[0], 0)} ? '0' : {words}" if free else words

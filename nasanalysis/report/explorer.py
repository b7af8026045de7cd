"""A scatter that answers the pointer: the architecture drawn, its curve and scores; a brush that fills histograms.

Altair writes the specification (extra ``page``); a page holds it beside Vega and shows it where scripts run.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl

from ..core.seeding import generator
from ..plots.lines import colour_of
from ..plots.style import GREY, proxy_axis, proxy_label
from ..stats.front import with_front
from .drawn_cells import COLOURS, can_be_drawn, drawn_cell

#: Architectures of a chart at most: the best, the front of size and accuracy, and a random draw of the rest.
MOST = 2500
_BEST = 50
_CURVE = 40  # points of a curve at most
_SIZE = "params"
_SMALL: dict[str, Any] = {"fontSize": 11, "fontWeight": "normal"}
_ACROSS = "datum[across] === '' ? null : toNumber(datum[across])"


def points(
    accuracy: pl.DataFrame,
    scores: pl.DataFrame,
    curves: Callable[[list[str]], pl.DataFrame] | None = None,
    *,
    seed: int = 0,
) -> pl.DataFrame:
    """What a chart shows of each architecture.

    Parameters
    ----------
    accuracy: columns arch, accuracy (percent). scores: columns arch, proxy, value: one for each architecture and proxy.
    curves: architectures -> columns arch, step, value, asked for those that are shown; null where there are none.

    Returns columns arch, accuracy, a column for each proxy, front (of fewest parameters and highest accuracy), curve
    (text ``step:value`` with blanks between, null for none); at most `MOST` rows, best first.
    """
    finite = scores.filter(pl.col("value").is_finite())
    wide = finite.pivot("proxy", index="arch", values="value", aggregate_function="mean")
    known = accuracy.drop_nulls("accuracy").join(wide, on="arch", how="inner")
    table = known.sort("accuracy", "arch", descending=[True, False])
    if _SIZE in table.columns:
        table = with_front(table, _SIZE, "accuracy").rename({"on_front": "front"})
    else:
        table = table.with_columns(front=pl.lit(False))
    if len(table) > MOST:
        table = table.filter(_kept(table["front"].to_numpy().copy(), seed))
    if curves is None:
        return table.with_columns(curve=pl.lit(None, pl.String))
    return table.join(_curves(curves(table["arch"].to_list())), on="arch", how="left", maintain_order="left")


def _kept(keep: Any, seed: int) -> pl.Series:
    """The rows to keep beside those of `keep` (rows, best first): the best, and a random draw of the rest."""
    keep[:_BEST] = True
    rest = np.flatnonzero(~keep)
    keep[generator(seed, "explorer").choice(rest, max(0, MOST - int(keep.sum())), replace=False)] = True
    return pl.Series(keep)


def _curves(curves: pl.DataFrame) -> pl.DataFrame:
    """arch -> ``step:value`` with blanks between, mean over runs, at most `_CURVE` steps."""
    mean = curves.drop_nulls("value").group_by("arch", "step").agg(pl.col("value").mean()).sort("arch", "step")
    steps = mean["step"].unique().sort().to_list()
    shown = steps[:: max(1, -(-len(steps) // _CURVE))]
    value = pl.col("value").cast(pl.Float64).round_sig_figs(4).cast(pl.String)
    text = (pl.col("step").cast(pl.String) + ":" + value).str.join(" ")
    return mean.filter(pl.col("step").is_in(shown)).group_by("arch", maintain_order=True).agg(curve=text)


def explorer(
    table: pl.DataFrame, proxies: Sequence[str], *, target: str, curve: str = "training loss (nats)"
) -> dict[str, Any]:
    """The Vega-Lite specification of `points`.

    `proxies`: what may stand across, the first at first. target, curve: what accuracies and curves are, in words.
    """
    import altair as alt

    fields = {f"p{i}": proxy for i, proxy in enumerate(proxies)}
    drawn = can_be_drawn(table["arch"][0])
    data = alt.InlineData(values=_csv(table, fields, drawn), format=alt.CsvDataFormat(type="csv"), name="points")
    choice = alt.binding_select(options=list(fields), labels=[proxy_axis(p) for p in proxies], name="across: ")
    across = alt.param(name="across", value="p0", bind=choice)
    brush = alt.selection_interval(name="brush")
    near: dict[str, Any] = {"on": "pointerover", "nearest": True, "fields": ["i"], "empty": False, "clear": False}
    hover = alt.selection_point(name="hover", value=[{"i": "0"}], **near)
    scatter = _scatter(alt, (across, brush, hover), fields, target)
    curved = [_curve(alt, hover, curve)] if table["curve"].is_not_null().any() else []
    beside = [*([_cell(alt, hover)] if drawn else []), alt.hconcat(*curved, _scores(alt, hover, fields))]
    below = [_histogram(alt, brush, "a", f"{target} (%)")]
    below += [_histogram(alt, brush, field, "parameters") for field, proxy in fields.items() if proxy == _SIZE]
    chart = alt.vconcat(alt.hconcat(scatter, alt.vconcat(*beside)), alt.hconcat(*below), data=data)
    chart = chart.configure(font="system-ui, sans-serif", background="white").configure_view(stroke=None)
    spec: dict[str, Any] = chart.to_dict()
    return spec


def _csv(table: pl.DataFrame, fields: dict[str, str], drawn: bool) -> str:
    """The points as CSV: short names, as many digits as a figure shows."""
    columns = {"i": pl.int_range(pl.len()), "a": pl.col("accuracy").cast(pl.Float64).round(3)}
    columns |= {field: pl.col(proxy).cast(pl.Float64).round_sig_figs(5) for field, proxy in fields.items()}
    columns |= {"f": pl.col("front").cast(pl.Int8), "c": pl.col("curve")}
    frame = table.select(**columns)
    if drawn:
        cells = [drawn_cell(arch) for arch in table["arch"]]
        frame = frame.with_columns(n=pl.Series([c.nodes for c in cells]), e=pl.Series([c.edges for c in cells]))
    text = io.StringIO()
    frame.with_columns(t=table["arch"]).write_csv(text)
    return text.getvalue()


def _scatter(alt: Any, params: tuple[Any, Any, Any], fields: dict[str, str], target: str) -> Any:
    """Accuracy against the chosen proxy, the front where parameters stand across, a ring at the pointer."""
    across, brush, hover = params
    base = alt.Chart().transform_calculate(x=_ACROSS)
    x = alt.X("x:Q").scale(zero=False).title(None).axis(format="~s", grid=True)
    y = alt.Y("a:Q").scale(zero=False).title(f"{target} (%)")
    colour = alt.condition(brush, alt.value(colour_of(fields["p0"])), alt.value("#c9c9c9"))
    dots = base.mark_circle(size=22, opacity=0.6).encode(x, y, color=colour).add_params(across, brush, hover)
    layers = [dots]
    for field in (field for field, proxy in fields.items() if proxy == _SIZE):
        front = base.transform_filter(f"datum.f == 1 && across == '{field}'")
        dotted = {"color": GREY, "size": 25}
        layers.append(front.mark_line(interpolate="step-after", color=GREY, strokeWidth=1.5, point=dotted).encode(x, y))
    layers.append(base.transform_filter(hover).mark_point(size=150, color="black", strokeWidth=2).encode(x, y))
    names = ", ".join(f"{field}: {proxy_axis(proxy)!r}" for field, proxy in fields.items())
    title = alt.Title(text=alt.expr(f"{{{names}}}[across]"), anchor="middle", orient="bottom", **_SMALL)
    return alt.layer(*layers).properties(width=430, height=330, title=title)


def _cell(alt: Any, hover: Any) -> Any:
    """The architecture under the pointer: edges as curves that bow where they pass over layers."""
    picked = alt.Chart().transform_filter(hover)
    edges = (
        picked.transform_calculate(edge="split(datum.e, ';')")
        .transform_flatten(["edge"])
        .transform_calculate(q="split(datum.edge, ' ')", share="sequence(0, 1.01, 0.1)")
        .transform_calculate(op="datum.q[5]", b="+datum.q[4]")
        .transform_calculate(x1="+datum.q[0]", y1="+datum.q[1]", x2="+datum.q[2]", y2="+datum.q[3]")
        .transform_calculate(cx="(datum.x1 + datum.x2) / 2 + datum.b * (datum.y2 - datum.y1)")
        .transform_calculate(cy="(datum.y1 + datum.y2) / 2 - datum.b * (datum.x2 - datum.x1)")
        .transform_flatten(["share"])
        .transform_calculate(u="(1 - datum.share) * (1 - datum.share)", w="datum.share * datum.share")
        .transform_calculate(v="2 * datum.share * (1 - datum.share)")
        .transform_calculate(px="datum.u * datum.x1 + datum.v * datum.cx + datum.w * datum.x2")
        .transform_calculate(py="datum.u * datum.y1 + datum.v * datum.cy + datum.w * datum.y2")
        .transform_calculate(words="datum.op == '-' ? '' : replace(datum.op, regexp('_', 'g'), ' ')")
    )
    colour = alt.Color("op:N").scale(domain=list(COLOURS), range=list(COLOURS.values())).legend(None)
    x = alt.X("px:Q").scale(zero=False, padding=22).axis(None)
    y = alt.Y("py:Q").scale(zero=False, padding=16).axis(None)
    lines = edges.mark_line(strokeWidth=2).encode(x, y, detail="edge:N", order="share:Q", color=colour)
    said = edges.transform_filter("abs(datum.share - 0.5) < 0.01")
    halo = said.mark_text(fontSize=10, stroke="white", strokeWidth=4).encode(x, y, text="words:N")
    words = said.mark_text(fontSize=10).encode(x, y, text="words:N", color=colour)
    nodes = (
        picked.transform_calculate(node="split(datum.n, ';')")
        .transform_flatten(["node"])
        .transform_calculate(q="split(datum.node, ' ')")
        .transform_calculate(px="+datum.q[0]", py="+datum.q[1]", words="replace(datum.q[2], regexp('_', 'g'), ' ')")
    )
    dots = nodes.mark_circle(size=420, color="#eeeeee", stroke="#777777", strokeWidth=1, opacity=1).encode(x, y)
    names = nodes.mark_text(fontSize=10).encode(x, y, text="words:N")
    title = alt.Title(text="the architecture under the pointer", color=GREY, anchor="start", **_SMALL)
    around = nodes.mark_text(fontSize=10, stroke="white", strokeWidth=4).encode(x, y, text="words:N")
    return alt.layer(lines, halo, words, dots, around, names).properties(width=420, height=130, title=title)


def _curve(alt: Any, hover: Any, title: str) -> Any:
    """The curve of the architecture under the pointer."""
    pairs = (
        alt.Chart()
        .transform_filter(hover)
        .transform_calculate(pair="split(datum.c, ' ')")
        .transform_flatten(["pair"])
        .transform_calculate(k="+split(datum.pair, ':')[0]", v="+split(datum.pair, ':')[1]")
    )
    x = alt.X("k:Q").title("epoch").axis(format="d", tickMinStep=1)
    y = alt.Y("v:Q").scale(zero=False).title(title)
    return pairs.mark_line(color=colour_of("sotl"), point={"size": 18}).encode(x, y).properties(width=170, height=120)


def _scores(alt: Any, hover: Any, fields: dict[str, str]) -> Any:
    """Its accuracy and its scores."""
    names = {"a": "accuracy (%)", **{field: proxy_label(proxy) for field, proxy in fields.items()}}
    said = ", ".join(f"{key}: {label!r}" for key, label in names.items())
    rows = (
        alt.Chart()
        .transform_filter(hover)
        .transform_fold(list(names), as_=["key", "value"])
        .transform_calculate(
            v="+datum.value", said="abs(datum.v) < 1000 ? format(datum.v, '.5~g') : format(datum.v, ',.0f')"
        )
    )
    label = {"labelExpr": f"{{{said}}}[datum.value]", "ticks": False, "domain": False, "labelLimit": 170}
    y = alt.Y("key:N").sort(list(names)).title(None).axis(**label)
    values = rows.mark_text(align="left", fontSize=11).encode(y, x=alt.value(4), text="said:N")
    return values.properties(width=70, height=max(60, 15 * len(names)))


def _histogram(alt: Any, brush: Any, field: str, title: str) -> Any:
    """All architectures of the chart in grey, those under the brush in colour."""
    x = alt.X(f"{field}:Q").bin(maxbins=40).title(title).axis(format="~s")
    y = alt.Y("count()").title("architectures")
    every = alt.Chart().mark_bar(color="#d5d5d5").encode(x, y)
    chosen = alt.Chart().transform_calculate(x=_ACROSS).transform_filter(brush)
    some = chosen.mark_bar(color=colour_of("sotl"), opacity=0.85).encode(x, y)
    return alt.layer(every, some).properties(width=400, height=90)

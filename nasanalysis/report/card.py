"""One proxy on one page: does it beat the parameter count, where does it fail, how sure are we?"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from .. import plots
from ..core.atomic import write_text
from ..core.errors import StudyError
from ..core.frames import SCHEMAS, check
from ..plots.style import arch_label, proxy_label
from ..spaces import offers
from ..spaces.capabilities import Drawable
from .card_page import BASELINE, Page, verdict
from .card_tables import given_params, ranking, repeats, where_it_fails, worst
from .markup import environment
from .model import Figure, Table
from .writer import png_base64

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Card:
    """What the page says, with the numbers behind it.

    Attributes
    ----------
    verdict: one sentence on the parameter count.
    facts: the numbers of the verdict and the counts, as `nasanalysis card --json` prints them.
    """

    proxy: str
    verdict: str
    facts: dict[str, Any]
    tables: tuple[Table, ...]
    figures: tuple[Figure, ...]
    notes: tuple[str, ...]
    provenance: dict[str, Any]


def make_card(
    truth: pl.DataFrame,
    scores: pl.DataFrame,
    costs: pl.DataFrame | None,
    *,
    n_boot: int = 1000,
    seed: int = 0,
    provenance: dict[str, Any] | None = None,
) -> Card:
    """The card of one proxy.

    Parameters
    ----------
    truth: TRUTH frame of one dataset, split and schedule; with seeds apart the page says how well it repeats.
    scores: SCORES frame of one proxy at one step.
    costs: columns ``arch, params`` (count); None where the space is unknown: the page then says so.
    n_boot, seed: of every interval.

    Every comparison with the parameter count is on the architectures that the proxy scores.
    `StudyError` unless there is one proxy, one step and one dataset.
    """
    facts, table = check(truth, "TRUTH"), check(scores, "SCORES")
    for column in ("proxy", "step", "method", "setting", "dataset"):
        if table[column].n_unique() > 1:
            shown = ", ".join(map(str, table[column].unique().sort().to_list()[:8]))
            raise StudyError(f"card: expected one {column}, got {shown}; choose one")
    proxy = str(table["proxy"][0])
    table = table.drop_nulls("value")
    if table.is_empty():
        raise StudyError(f"card: {proxy!r} is undefined for every architecture")
    page = Page(facts, table, _cost_scores(table, costs), proxy, n_boot, seed)
    tables = [ranking(page), *given_params(page), *where_it_fails(page), *worst(page), *repeats(page)]
    sentence, numbers = verdict(page)
    return Card(proxy, sentence, numbers, tuple(tables), tuple(figures(page)), tuple(notes(page)), provenance or {})


def _cost_scores(table: pl.DataFrame, costs: pl.DataFrame | None) -> pl.DataFrame | None:
    """SCORES of `BASELINE` for the architectures that the proxy scores."""
    if costs is None:
        return None
    keys = table.select("benchmark", "dataset", "arch").unique(maintain_order=True)
    known = keys.join(costs.select("arch", value=pl.col("params").cast(pl.Float64)), on="arch")
    words = {"method": "", "setting": "", "proxy": BASELINE}
    nulls = {"seed": pl.Int64, "unit": pl.String, "step": pl.Int64}
    return check(
        known.with_columns(
            *(pl.lit(v).alias(k) for k, v in words.items()), *(pl.lit(None, t).alias(k) for k, t in nulls.items())
        ).select(*SCHEMAS["SCORES"].columns),
        "SCORES",
    )


def notes(page: Page) -> list[str]:
    """What a reader must know: missing architectures, missing seeds, missing parameters."""
    lines = []
    known, scored = set(page.truth["arch"]), set(page.scores["arch"])
    if len(known - scored):
        lines.append(
            f"{len(known - scored):,} architectures of the truth have no score; they are left out on both sides."
        )
    if len(scored - known):
        lines.append(f"{len(scored - known):,} scored architectures have no truth; they are left out.")
    if not repeats(page):
        lines.append(
            "The truth has one value for each architecture: how well it repeats, and so the ceiling, is not known."
        )
    if page.params is None:
        lines.append("The space of these architectures is unknown, so there is no comparison with the parameter count.")
    seeds = page.scores["seed"].drop_nulls().n_unique()
    if seeds > 1:
        lines.append(f"Scores are means over {seeds} seeds.")
    return lines


def figures(page: Page) -> list[Figure]:
    """Score against accuracy, rank against rank, and the cells of the worst errors."""
    pairs = page.pairs()
    drawn = [
        Figure(
            "scatter",
            f"{proxy_label(page.proxy)} against {page.target}, one point for each architecture.",
            lambda: plots.plot_scatter(pairs, proxy=page.proxy, target=page.target),
            pairs,
        ),
        Figure(
            "ranks",
            "Rank by score against true rank: above the diagonal the proxy flatters, below it overlooks.",
            lambda: plots.plot_rank_density(pairs, proxy=page.proxy, direction=page.direction, target=page.target),
            pairs,
        ),
    ]
    worst = page.worst_pairs()
    if _drawable(worst["arch"][0]):
        caption = "The largest rank errors: above, ranked too high; below, too low. Edges of none are left out."
        drawn.append(Figure("worst", caption, lambda: _draw_cells(worst), worst))
    return drawn


def _drawable(arch: str) -> bool:
    return offers(arch.partition(":")[0], Drawable)


def _draw_cells(worst: pl.DataFrame) -> Axes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as MplFigure

    columns = len(worst) // 2
    figure = MplFigure(figsize=(4.2 * columns, 5.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, columns, squeeze=False)
    for ax, row in zip(axes.ravel(), worst.iter_rows(named=True), strict=True):
        title = f"{arch_label(row['arch'])}: rank {row['score_rank']:,.0f} by score, truly {row['true_rank']:,.0f}"
        plots.plot_cell(row["arch"], ax=ax, title=title)
    first: Axes = axes[0, 0]
    return first


def write_card(card: Card, path: Path, *, say: Callable[[str], None] = lambda _: None) -> Path:
    """Write the card as one HTML file that holds its figures itself; returns `path`."""
    images = {}
    for figure in card.figures:
        say(f"card: drawing {figure.name}")
        images[figure.name] = png_base64(figure)
    page = (
        environment()
        .get_template("card.html")
        .render(
            card=card,
            title=proxy_label(card.proxy),
            images=images,
            made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            provenance=json.dumps(card.provenance, indent=2, sort_keys=True, default=str),
        )
    )
    return write_text(path, page)

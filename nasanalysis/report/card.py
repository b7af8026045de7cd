"""One proxy on one page: does it beat the parameter count, where does it fail, how sure are we?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from .. import plots, stats
from ..core.atomic import write_text
from ..core.errors import StudyError
from ..core.frames import SCHEMAS, check
from ..plots.style import arch_label, proxy_label
from ..spaces import offers
from ..spaces.capabilities import Drawable
from ..stats.averages import checked_scores
from .card_page import BASELINE, STATISTICS, Page, verdict
from .card_tables import given_params, ranking, repeats, where_it_fails, worst
from .card_why import why
from .libraries import libraries
from .model import Figure, Table
from .page import held_files, render
from .writer import csv_text, draw

if TYPE_CHECKING:
    from matplotlib.axes import Axes


#: Figures of the worst errors are called so, with a number; a card shows them side by side.
WORST_CELL = "worst"
_SHRUNK = 0.64


@dataclass(frozen=True)
class Card:
    """What the page says, with the numbers behind it.

    Attributes
    ----------
    verdict: one sentence on the parameter count. about: what is set against what, in one line.
    facts: the numbers of the verdict and the counts, as `nasanalysis card --json` prints them.
    """

    proxy: str
    verdict: str
    facts: dict[str, Any]
    tables: tuple[Table, ...]
    figures: tuple[Figure, ...]
    notes: tuple[str, ...]
    provenance: dict[str, Any]
    about: str = ""


def make_card(
    truth: pl.DataFrame,
    scores: pl.DataFrame,
    costs: pl.DataFrame | None,
    *,
    n_boot: int = 1000,
    seed: int = 0,
    directions: Mapping[str, int | str] | None = None,
    provenance: dict[str, Any] | None = None,
) -> Card:
    """The card of one proxy.

    Parameters
    ----------
    truth: TRUTH frame of one dataset, split and schedule; with seeds apart the page says how well it repeats.
    scores: SCORES frame of one proxy at one step.
    costs: columns ``arch, params`` (count); None where the space is unknown: the page then says so.
    n_boot, seed: of every interval. directions: as in `nasanalysis.stats.correlate`.

    Every comparison with the parameter count is on the architectures that the proxy scores.
    `StudyError` unless there is one proxy, one step and one dataset.
    """
    facts, table = check(truth, "TRUTH"), checked_scores(scores)
    for column in ("proxy", "step", "method", "setting", "dataset"):
        if table[column].n_unique() > 1:
            shown = ", ".join(map(str, table[column].unique().sort().to_list()[:8]))
            raise StudyError(f"card: expected one {column}, got {shown}; choose one")
    proxy = str(table["proxy"][0])
    table = table.drop_nulls("value")
    if table.is_empty():
        raise StudyError(f"card: {proxy!r} has no finite value: it is undefined for every architecture")
    page = Page(facts, table, _cost_scores(table, costs), proxy, n_boot, seed, directions)
    if page.pairs().is_empty():
        stats.correlate(facts, table, statistics=STATISTICS[:1], n_boot=0)  # says why no architecture has both
    tables = [ranking(page), *given_params(page), *where_it_fails(page), *worst(page), *repeats(page)]
    sentence, numbers = verdict(page)
    more_tables, more_figures, more_notes = why(page)
    parts = (*tables, *more_tables), (*figures(page), *more_figures), (*notes(page), *more_notes)
    return Card(proxy, sentence, numbers, *parts, provenance or {}, page.about)


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
    lines = [*page.doubts, *_of_one_cast(page)]
    known, scored = set(page.truth["arch"]), set(page.scores["arch"])
    if len(known - scored):
        lines.append(
            f"{len(known - scored):,} architectures of the truth have no score; they are left out on both sides."
        )
    if len(scored - known):
        lines.append(f"{len(scored - known):,} scored architectures have no truth; they are left out.")
    if page.reliability is None:
        lines.append(
            "The truth has one value for each architecture: how well it repeats, and so the ceiling, is not known."
        )
    if page.params is None:
        lines.append("The space of these architectures is unknown, so there is no comparison with the parameter count.")
    return lines


def _of_one_cast(page: Page) -> list[str]:
    """What it means that scores and truth share their training runs, or seem to."""
    pairs, ceiling = page.pairs(), page.ceiling
    rho = stats.spearman_rho(page.direction * pairs["score"].to_numpy(), page.oriented(pairs))
    above = ceiling is not None and rho > ceiling
    over = f" Spearman's ρ of {rho:.3f} is above the ceiling of {ceiling:.3f} for that reason." if above else ""
    if page.same_runs:
        return [
            "Scores and truth come from the same training runs, so the luck of a run counts on both sides: other runs "
            f"of these architectures would be ranked worse.{over} A study sets runs apart (scores_seed and truth_seed)."
        ]
    if above:
        return [
            f"Spearman's ρ of {rho:.3f} is above the ceiling of {ceiling:.3f}, which scores of other runs than the "
            "truth's cannot pass in expectation: do these scores come from the same training runs?"
        ]
    return []


def figures(page: Page) -> list[Figure]:
    """Score against accuracy, rank against rank, and the cells of the worst errors."""
    pairs = page.pairs()
    drawn = [
        Figure(
            "scatter",
            f"{proxy_label(page.proxy)} against {page.target}, one point for each architecture.",
            lambda: plots.plot_scatter(pairs, proxy=page.proxy, target=page.target, unit=page.quantity.unit),
            pairs,
        ),
        Figure(
            "ranks",
            "Rank by score against true rank: above the diagonal the proxy flatters, below it overlooks.",
            lambda: plots.plot_rank_density(
                pairs,
                proxy=page.proxy,
                direction=page.direction,
                truth_direction=page.quantity.direction,
                target=page.target,
            ),
            pairs,
        ),
    ]
    worst = page.worst_pairs()
    if not _drawable(worst["arch"][0]):
        return drawn
    return drawn + [_cell_figure(i, row, worst[i : i + 1]) for i, row in enumerate(worst.iter_rows(named=True))]


def _cell_figure(i: int, row: Mapping[str, Any], data: pl.DataFrame) -> Figure:
    """One architecture of the largest rank errors, drawn."""
    caption = (
        f"{arch_label(row['arch'])}: {row['side']}, {row['score_rank']:,.0f} by score, truly {row['true_rank']:,.0f}."
    )
    return Figure(f"{WORST_CELL}-{i + 1}", caption, lambda: _draw_cell(row["arch"]), data)


def _drawable(arch: str) -> bool:
    return offers(arch.partition(":")[0], Drawable)


def _draw_cell(arch: str) -> Axes:
    """A cell as small as its labels allow: two stand beside each other, and a telephone shows one."""
    from matplotlib.figure import Figure as MplFigure

    axes = plots.plot_cell(arch)
    figure = axes.get_figure(root=True)
    assert isinstance(figure, MplFigure)
    wide, high = figure.get_size_inches()
    if plots.cell_graph(arch)[0].nodes["operation"].is_null().all():  # labels on edges, which have room to spare
        figure.set_size_inches(_SHRUNK * wide, _SHRUNK * high)
    return axes


def write_card(card: Card, path: Path, *, say: Callable[[str], None] = lambda _: None) -> Path:
    """Write the card as one HTML file that holds its figures itself; returns `path`."""
    images, data = {}, {}
    for figure in card.figures:
        say(f"card: drawing {figure.name}")
        drawing = draw(figure)
        images[figure.name], data[f"{figure.name}.svg"] = drawing.image, drawing.svg
    data |= {f"{table.name}.csv": csv_text(table.data) for table in card.tables}
    data |= {f"{figure.name}.csv": csv_text(figure.data) for figure in card.figures}
    page = render(
        "card.html",
        card=card,
        title=proxy_label(card.proxy),
        images=images,
        cells=[figure for figure in card.figures if figure.name.startswith(WORST_CELL)],
        records={"this card": card.provenance},
        held_records="",
        files=held_files(data),
        libraries=libraries("tables"),
        charts={},
    )
    return write_text(path, page)

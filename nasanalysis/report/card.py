"""One proxy on one page: does it beat the parameter count, where does it fail, how sure are we?"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from .. import plots, stats
from ..core.atomic import write_text
from ..core.errors import StudyError
from ..core.frames import SCHEMAS, check
from ..core.seeding import generator
from ..plots.style import arch_label, proxy_label, statistic_label
from ..proxies import direction as proxy_direction
from ..spaces import offers
from ..spaces.capabilities import Drawable
from ..stats.bootstrap import OnResamples, bootstrap_counts, fisher_z_interval
from ..stats.partial import partial_spearman, partial_spearman_on_resamples
from ..stats.rank import Floats
from .model import Figure, Table
from .tables import environment, number, plain_table, reliability_text, with_interval
from .writer import png_base64

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BASELINE = "params"
#: Correlations on the page; the first is the one that the verdict is about.
STATISTICS = ("kendall_tau", "spearman_rho")
#: Architectures listed and drawn on either side of the worst rank errors.
WORST = 3


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
    page = _Page(facts, table, _cost_scores(table, costs), proxy, n_boot, seed)
    tables = [page.ranking(), *page.given_params(), *page.where_it_fails(), *page.worst(), *page.repeats()]
    verdict, numbers = page.verdict()
    return Card(proxy, verdict, numbers, tuple(tables), tuple(page.figures()), tuple(page.notes()), provenance or {})


def _cost_scores(table: pl.DataFrame, costs: pl.DataFrame | None) -> pl.DataFrame | None:
    """SCORES of `BASELINE` for the architectures that the proxy scores."""
    if costs is None:
        return None
    keys = table.select("benchmark", "dataset", "arch").unique(maintain_order=True)
    found = keys.join(costs.select("arch", value=pl.col("params").cast(pl.Float64)), on="arch")
    words = {"method": "", "setting": "", "proxy": BASELINE}
    nulls = {"seed": pl.Int64, "unit": pl.String, "step": pl.Int64}
    return check(
        found.with_columns(
            *(pl.lit(v).alias(k) for k, v in words.items()), *(pl.lit(None, t).alias(k) for k, t in nulls.items())
        ).select(*SCHEMAS["SCORES"].columns),
        "SCORES",
    )


@dataclass(frozen=True)
class _Page:
    truth: pl.DataFrame
    scores: pl.DataFrame
    params: pl.DataFrame | None
    proxy: str
    n_boot: int
    seed: int

    @property
    def direction(self) -> int:
        return proxy_direction(self.proxy)

    @property
    def target(self) -> str:
        split, schedule = self.truth["split"][0], self.truth["schedule"][0]
        return f"{split} accuracy" + (f" after {schedule} epochs" if schedule is not None else "")

    def pairs(self) -> pl.DataFrame:
        """Ranks of the proxy and of the truth, with params where known."""
        found = plots.rank_pairs(plots.score_against_truth(self.truth, self.scores), direction=self.direction)
        if self.params is None:
            return found
        return found.join(self.params.select("arch", params="value"), on="arch", how="left", maintain_order="left")

    def difference(self) -> dict[str, Any] | None:
        """Proxy minus parameter count, paired."""
        if self.params is None or self.proxy == BASELINE:
            return None
        both = pl.concat([self.scores.select(self.params.columns), self.params])
        frame = stats.difference_by_step(
            self.truth, both, self.proxy, BASELINE, statistic=STATISTICS[0], n_boot=self.n_boot, seed=self.seed
        )
        return frame.row(0, named=True)

    def verdict(self) -> tuple[str, dict[str, Any]]:
        """The sentence, and the numbers in it."""
        n = len(self.pairs())
        what, unit = proxy_label(self.proxy), statistic_label(STATISTICS[0])
        own = self._stats(self.scores, STATISTICS[:1]).row(0, named=True)
        facts: dict[str, Any] = {
            "proxy": self.proxy,
            "step": own["step"],
            "statistic": STATISTICS[0],
            "n_archs": n,
            "n_missing": self.truth["arch"].n_unique() - n,
            **{k: own[k] for k in ("estimate", "ci_low", "ci_high")},
        }
        said = f"{unit} {with_interval(own['estimate'], own['ci_low'], own['ci_high'], 3)} on {n:,} architectures"
        found = self.difference()
        if found is None:
            why = (
                "it is the parameter count"
                if self.proxy == BASELINE
                else "parameters of these architectures are unknown"
            )
            return f"{what}: {said}; {why}, so there is no comparison.", {**facts, "ahead": None}
        delta = f"{found['difference']:+.3f}" if found["difference"] is not None else "undefined"
        if found["ci_low"] is not None:
            delta += f" [{found['ci_low']:+.3f}, {found['ci_high']:+.3f}]"
        base = number(found["second"], 3)
        facts |= {f"{BASELINE}_estimate": found["second"], "difference": found["difference"], "ahead": found["ahead"]}
        facts |= {"difference_ci_low": found["ci_low"], "difference_ci_high": found["ci_high"]}
        if found["ahead"] == self.proxy:
            sentence = f"{what} beats the parameter count for certain (95 %)"
        elif found["ahead"] == BASELINE:
            sentence = f"{what} is worse than the parameter count for certain (95 %)"
        else:
            sentence = f"{what} cannot be told from the parameter count"
        return f"{sentence}: {said}, parameters {base}, difference {delta}.", facts

    def _stats(self, scores: pl.DataFrame, names: tuple[str, ...], archs: list[str] | None = None) -> pl.DataFrame:
        sample = self.scores["arch"].unique().to_list() if archs is None else archs
        held = set(self.truth["arch"])
        sample = [arch for arch in sample if arch in held]
        found: pl.DataFrame = stats.correlate(
            self.truth.filter(pl.col("arch").is_in(sample)),
            scores.filter(pl.col("arch").is_in(sample)),
            statistics=names,
            n_boot=self.n_boot,
            seed=self.seed,
        )
        return found

    def ranking(self) -> Table:
        """Correlations and top-k of the proxy and of the parameter count, over all, the best half and the best 10 %."""
        order = self.pairs().sort("true_rank", "arch")
        rows = []
        made: set[str] = set()
        for share in (1.0, 0.5, 0.1):
            edge = order["true_rank"].to_list()[max(0, int(np.ceil(share * len(order))) - 1)]
            archs = order.filter(pl.col("true_rank") <= edge)["arch"].to_list()
            if len(archs) < 10:
                continue
            for scores in (self.scores, self.params):
                if scores is None or (scores is self.params and self.proxy == BASELINE):
                    continue
                names = (*STATISTICS, "topk_mean@10") if share == 1 and len(archs) >= 10 else STATISTICS
                found = {r["statistic"]: r for r in self._stats(scores, names, archs).iter_rows(named=True)}
                row: dict[str, Any] = {
                    "architectures": "all" if share == 1 else f"truly best {share:.0%}",
                    "score": proxy_label(str(scores["proxy"][0])),
                    "n": len(archs),
                }
                for name in STATISTICS:
                    one = found[name]
                    made |= {one["interval"]} - {None}
                    row |= {name: one["estimate"], f"{name}_low": one["ci_low"], f"{name}_high": one["ci_high"]}
                row["topk_mean@10"] = found["topk_mean@10"]["estimate"] if "topk_mean@10" in found else None
                rows.append(row)
        frame = pl.DataFrame(rows, infer_schema_length=None)
        cells = [
            [
                row["architectures"],
                row["score"],
                f"{row['n']:,}",
                *(with_interval(row[s], row[f"{s}_low"], row[f"{s}_high"], 3) for s in STATISTICS),
                number(row["topk_mean@10"], 2),
            ]
            for row in rows
        ]
        header = ["architectures", "score", "n", *map(statistic_label, STATISTICS), statistic_label("topk_mean@10")]
        note = f"With {self.target}." + (f" Brackets: 95 % intervals, {'; '.join(sorted(made))}." if made else "")
        return Table("ranking", "How well it ranks", header, cells, frame, [False, False, True, True, True, True], note)

    def given_params(self) -> list[Table]:
        """Rank correlations among score, accuracy and parameters, and the partial one given parameters."""
        pairs = self.pairs()
        if self.params is None or self.proxy == BASELINE:
            return []
        pairs = pairs.drop_nulls("params")
        score = self.direction * pairs["score"].to_numpy()
        y, cost = pairs["accuracy"].to_numpy(), pairs["params"].to_numpy().astype(np.float64)
        plain, given = stats.Resamples.spearman_rho, functools.partial(_given, cost)
        rows = [
            ("score with accuracy", self._interval(plain, stats.spearman_rho(score, y), score, y)),
            ("score with parameters", self._interval(plain, stats.spearman_rho(score, cost), score, cost)),
            ("parameters with accuracy", self._interval(plain, stats.spearman_rho(cost, y), cost, y)),
            (
                "score with accuracy, given parameters (partial)",
                self._interval(given, partial_spearman(score, y, cost), score, y),
            ),
        ]
        schema = {"ranks": pl.String, "spearman_rho": pl.Float64, "ci_low": pl.Float64, "ci_high": pl.Float64}
        frame = pl.DataFrame([(name, *found) for name, found in rows], schema=schema, orient="row")
        frame = frame.with_columns(pl.col(pl.Float64).fill_nan(None))
        cells = [[name, with_interval(rho, low, high, 3)] for name, rho, low, high in frame.iter_rows()]
        note = "Partial: Spearman's ρ of what is left of both ranks once the ranks of the parameters are taken off."
        header, title = ["ranks of", "Spearman's ρ"], "Is it more than the parameter count?"
        return [Table("given-params", title, header, cells, frame, [False, True], note)]

    def _interval(
        self, statistic: OnResamples, estimate: float, score: Floats, truth: Floats
    ) -> tuple[float, float, float]:
        """An estimate with the ends of its bootstrap interval, made as `nasanalysis.stats.correlate` makes them."""
        if not self.n_boot:
            return estimate, float("nan"), float("nan")
        counts = bootstrap_counts(len(truth), self.n_boot, generator(self.seed, "stats", "bootstrap"))
        values = statistic(stats.Resamples(truth, counts), score)
        made = fisher_z_interval(values, estimate, len(truth))
        return estimate, made.low, made.high

    def where_it_fails(self) -> list[Table]:
        """Rank errors by group of parameters: five groups of equal size, fewer where counts repeat."""
        pairs = self.pairs()
        if "params" not in pairs.columns:
            return []
        pairs = pairs.drop_nulls("params")
        edges = np.unique(np.quantile(pairs["params"].to_numpy(), [0.2, 0.4, 0.6, 0.8], method="higher"))
        group = np.searchsorted(edges, pairs["params"].to_numpy(), side="left")
        n = len(pairs)
        rows = []
        for number_, part in (
            pairs.with_columns(pl.Series("group", group)).sort("group").group_by("group", maintain_order=True)
        ):
            del number_
            low, high = int(part["params"].to_numpy().min()), int(part["params"].to_numpy().max())
            tau = stats.kendall_tau(self.direction * part["score"].to_numpy(), part["accuracy"].to_numpy())
            errors = part["error"].to_numpy() / n * 100
            rows.append(
                (
                    f"{low:,}" if low == high else f"{low:,} to {high:,}",
                    len(part),
                    float(part["accuracy"].to_numpy().mean()),
                    tau if np.isfinite(tau) else None,
                    float(errors.mean()),
                    float(np.abs(errors).mean()),
                )
            )
        schema = {
            "params": pl.String,
            "n_archs": pl.Int64,
            "accuracy": pl.Float64,
            "kendall_tau": pl.Float64,
            "mean_error": pl.Float64,
            "mean_absolute_error": pl.Float64,
        }
        frame = pl.DataFrame(rows, schema=schema, orient="row")
        header = [
            "parameters",
            "n",
            "mean accuracy (%)",
            "Kendall's τ-b within",
            "mean rank error (%)",
            "mean |rank error| (%)",
        ]
        note = "Rank error: true rank less rank by score, in percent of all; positive where the proxy flatters."
        return [
            plain_table(
                "by-size", "Where it fails, by size", frame, header, ["s", ",d", ".2f", ".3f", "+.1f", ".1f"], note
            )
        ]

    def worst_pairs(self) -> pl.DataFrame:
        """The architectures it flatters most and those it overlooks most."""
        pairs = self.pairs().sort("error", "arch", descending=[True, False])
        count = min(WORST, len(pairs) // 2)
        return pl.concat(
            [
                pairs.head(count).with_columns(side=pl.lit("ranked too high")),
                pairs.tail(count).reverse().with_columns(side=pl.lit("ranked too low")),
            ]
        )

    def worst(self) -> list[Table]:
        """The table of `worst_pairs`."""
        found = self.worst_pairs()
        columns = ["side", "arch", "score", "accuracy", "score_rank", "true_rank"]
        header = ["", "architecture", proxy_label(self.proxy), "accuracy (%)", "rank by score", "true rank"]
        formats = ["s", "s", ".4g", ".2f", ",.0f", ",.0f"]
        if "params" in found.columns:
            columns, header, formats = [*columns, "params"], [*header, "parameters"], [*formats, ",.0f"]
        frame = found.select(columns)
        note = "Ranks: 1 is best, equal values share the mean of their ranks."
        return [plain_table("worst", "The largest rank errors", frame, header, formats, note)]

    def repeats(self) -> list[Table]:
        """How well the truth repeats, and the ceiling; nothing where there is one run of each."""
        runs = self.truth.filter(pl.col("seed").is_not_null())
        if runs.is_empty() or runs.group_by("arch").len()["len"].to_numpy().max() < 2:
            return []
        archs = self.pairs()["arch"].to_list()
        table = stats.reliability_table(runs, archs, n_boot=self.n_boot, seed=self.seed)
        note = "Ceiling: the highest correlation (Spearman) that any proxy can reach in expectation with this truth."
        return [reliability_text("repeats", "How sure the truth is", table, note)]

    def notes(self) -> list[str]:
        """What a reader must know: missing architectures, missing seeds, missing parameters."""
        lines = []
        held, scored = set(self.truth["arch"]), set(self.scores["arch"])
        if len(held - scored):
            lines.append(
                f"{len(held - scored):,} architectures of the truth have no score; they are left out on both sides."
            )
        if len(scored - held):
            lines.append(f"{len(scored - held):,} scored architectures have no truth; they are left out.")
        if not self.repeats():
            lines.append(
                "The truth has one value for each architecture: how well it repeats, and so the ceiling, is not known."
            )
        if self.params is None:
            lines.append(
                "The space of these architectures is unknown, so there is no comparison with the parameter count."
            )
        seeds = self.scores["seed"].drop_nulls().n_unique()
        if seeds > 1:
            lines.append(f"Scores are means over {seeds} seeds.")
        return lines

    def figures(self) -> list[Figure]:
        """Score against accuracy, rank against rank, and the cells of the worst errors."""
        pairs = self.pairs()
        found = [
            Figure(
                "scatter",
                f"{proxy_label(self.proxy)} against {self.target}, one point for each architecture.",
                lambda: plots.plot_scatter(pairs, proxy=self.proxy, target=self.target),
                pairs,
            ),
            Figure(
                "ranks",
                "Rank by score against true rank: above the diagonal the proxy flatters, below it overlooks.",
                lambda: plots.plot_rank_density(pairs, proxy=self.proxy, direction=self.direction, target=self.target),
                pairs,
            ),
        ]
        worst = self.worst_pairs()
        if _drawable(worst["arch"][0]):
            caption = "The largest rank errors: above, ranked too high; below, too low. Edges of none are left out."
            found.append(Figure("worst", caption, lambda: _draw_cells(worst), worst))
        return found


def _given(cost: Floats, resamples: stats.Resamples, score: Floats) -> Floats:
    return partial_spearman_on_resamples(resamples, score, cost)


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

"""What a card is made from: truth, scores and parameter counts of one proxy, and the verdict on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from .. import plots, stats
from ..core.frames import Quantity, truth_quantity
from ..plots.style import proxy_label, statistic_label
from ..proxies import Direction, direction_of
from ..stats.rank import Floats
from .card_words import about, of_the_same_runs, subject
from .cells import number, with_interval

BASELINE = "params"
#: Correlations on the page; the first is the one that the verdict is about.
STATISTICS = ("kendall_tau", "spearman_rho")
#: Architectures listed and drawn on either side of the worst rank errors.
WORST = 3


@dataclass(frozen=True)
class Page:
    """What the parts of a card are made from."""

    truth: pl.DataFrame
    scores: pl.DataFrame
    params: pl.DataFrame | None
    proxy: str
    n_boot: int
    seed: int
    directions: Mapping[str, int | str] | None = None

    @property
    def pointing(self) -> Direction:
        """Which way the score points, and how we know."""
        return direction_of(self.proxy, self.directions)

    @property
    def direction(self) -> int:
        """+1 where a higher score is better, else -1."""
        return self.pointing.sign

    @property
    def same_runs(self) -> bool | None:
        """Whether scores and truth come from the same training runs; None where nothing says so."""
        return of_the_same_runs(self.truth, self.scores)

    @property
    def target(self) -> str:
        """The truth in words."""
        split, schedule = self.truth["split"][0], self.truth["schedule"][0]
        return f"{split} {self.quantity.name}" + (f" after {schedule} epochs" if schedule is not None else "")

    @cached_property
    def quantity(self) -> Quantity:
        """What the numbers of the truth are: accuracy in percent, or another quantity with its unit and direction."""
        return truth_quantity(self.truth)

    @property
    def goal(self) -> str:
        """The column of `pairs` that holds the truth."""
        return self.pairs().columns[2]

    @property
    def axis(self) -> str:
        """The truth's quantity with its unit, as columns are headed."""
        return f"{self.quantity.name} ({self.quantity.sign})"

    @property
    def oriented_words(self) -> str:
        """Said beside the target where less of it is better."""
        return "" if self.quantity.direction == 1 else ", of which less is better"

    def oriented(self, pairs: pl.DataFrame) -> Floats:
        """The truth of `pairs`, higher is better."""
        return self.quantity.direction * pairs[self.goal].to_numpy()

    @property
    def about(self) -> str:
        """What is set against what, in one line."""
        return about(self.proxy, self.truth, self.scores, self.pointing, self.target)

    @cached_property
    def reliability(self) -> pl.DataFrame | None:
        """How well the truth repeats, as `nasanalysis.stats.reliability_table`; None where there is one run of each."""
        runs = self.truth.filter(pl.col("seed").is_not_null())
        if runs.is_empty() or runs.group_by("arch").len()["len"].to_numpy().max() < 2:
            return None
        archs = self.pairs()["arch"].to_list()
        table: pl.DataFrame = stats.reliability_table(runs, archs, n_boot=self.n_boot, seed=self.seed)
        return table

    @property
    def ceiling(self) -> float | None:
        """The highest correlation (Spearman) that a proxy of other runs can reach in expectation; None if unknown."""
        if self.reliability is None:
            return None
        whole = self.reliability.filter(pl.col("fraction") == 1)["ceiling"]
        return None if whole.is_empty() else whole[0]

    @cached_property
    def doubts(self) -> list[str]:
        """What is doubtful about the direction of the score."""
        frame = self.statistics(self.scores, STATISTICS[1:2])
        return stats.direction_notes(frame, self.scores, self.directions)

    def pairs(self) -> pl.DataFrame:
        """Ranks of the proxy and of the truth, with params where known."""
        return self._pairs

    @cached_property
    def _pairs(self) -> pl.DataFrame:
        pairs = plots.score_against_truth(self.truth, self.scores)
        ranks = plots.rank_pairs(pairs, direction=self.direction, truth_direction=self.quantity.direction)
        if self.params is None:
            return ranks
        return ranks.join(self.params.select("arch", params="value"), on="arch", how="left", maintain_order="left")

    def difference(self) -> dict[str, Any] | None:
        """Proxy minus parameter count, paired."""
        if self.params is None or self.proxy == BASELINE:
            return None
        both = pl.concat([self.scores.select(self.params.columns), self.params])
        frame = stats.difference_by_step(
            self.truth,
            both,
            self.proxy,
            BASELINE,
            statistic=STATISTICS[0],
            n_boot=self.n_boot,
            seed=self.seed,
            directions=self.directions,
        )
        return frame.row(0, named=True)

    def statistics(self, scores: pl.DataFrame, names: tuple[str, ...], archs: list[str] | None = None) -> pl.DataFrame:
        """STATS of `scores`, over the architectures of the proxy or over those named."""
        sample = self.scores["arch"].unique().to_list() if archs is None else archs
        known = set(self.truth["arch"])
        sample = [arch for arch in sample if arch in known]
        table: pl.DataFrame = stats.correlate(
            self.truth.filter(pl.col("arch").is_in(sample)),
            scores.filter(pl.col("arch").is_in(sample)),
            statistics=names,
            n_boot=self.n_boot,
            seed=self.seed,
            directions=self.directions,
        )
        return table

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


def verdict(page: Page) -> tuple[str, dict[str, Any]]:
    """The sentence, and the numbers in it."""
    n = len(page.pairs())
    what, unit = subject(page.proxy, page.scores, page.pointing, page.same_runs), statistic_label(STATISTICS[0])
    estimated = page.statistics(page.scores, STATISTICS[:1]).row(0, named=True)
    facts: dict[str, Any] = {
        "proxy": page.proxy,
        "step": estimated["step"],
        "unit": estimated["unit"],
        "direction": estimated["direction"],
        "direction_source": estimated["direction_source"],
        "same_runs": page.same_runs,
        "ceiling": page.ceiling,
        "statistic": STATISTICS[0],
        "n_archs": n,
        "n_missing": page.truth["arch"].n_unique() - n,
        **{k: estimated[k] for k in ("estimate", "ci_low", "ci_high")},
    }
    interval = with_interval(estimated["estimate"], estimated["ci_low"], estimated["ci_high"], 3)
    said = f"{unit} {interval} on {n:,} architectures"
    paired = page.difference()
    if paired is None:
        why = "it is the parameter count" if page.proxy == BASELINE else "parameters of these architectures are unknown"
        return f"{what}: {said}; {why}, so there is no comparison.", {**facts, "ahead": None}
    delta = f"{paired['difference']:+.3f}" if paired["difference"] is not None else "undefined"
    if paired["ci_low"] is not None:
        delta += f" [{paired['ci_low']:+.3f}, {paired['ci_high']:+.3f}]"
    base = number(paired["second"], 3)
    facts |= {f"{BASELINE}_estimate": paired["second"], "difference": paired["difference"], "ahead": paired["ahead"]}
    facts |= {"difference_ci_low": paired["ci_low"], "difference_ci_high": paired["ci_high"]}
    what += "," if what != proxy_label(page.proxy) else ""  # closes what stands between commas
    if paired["ahead"] == page.proxy:
        sentence = f"{what} beats the parameter count for certain (95 %)"
    elif paired["ahead"] == BASELINE:
        sentence = f"{what} is worse than the parameter count for certain (95 %)"
    else:
        sentence = f"{what} cannot be told from the parameter count"
    return f"{sentence}: {said}, parameters {base}, difference {delta}.", facts

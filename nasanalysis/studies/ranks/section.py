"""What a ``[[ranks]]`` item shows."""

from __future__ import annotations

from importlib.util import find_spec

import polars as pl

from ... import plots, stats
from ...core.errors import StudyError
from ...loaders.samples import sample_label
from ...plots.style import proxy_label, statistic_label
from ...proxies import score
from ...report.cells import number, with_interval
from ...report.model import Board, Figure, Section, Table
from ..boards import board, compared
from ..choices import at_steps, of_setting, the_dataset
from ..items import Resampling, Sources
from ..truth import read_truth
from .items import RanksItem, TruthItem


def ranks_section(item: RanksItem, sources: Sources, resampling: Resampling) -> Section:
    """Run `item`; `MissingDataError` where one of its benchmarks is not here."""
    parts = [_correlated(item, truth, sources, resampling) for truth in item.truths]
    each = pl.concat([part for part, _ in parts])
    boards = tuple(board for _, board in parts if board is not None)
    ranks: pl.DataFrame = stats.friedman(each, level=resampling.level)
    said = _sentence(ranks)
    figures: tuple[Figure, ...] = ()
    lacks = ""
    if find_spec("scikit_posthocs") is not None:
        caption = f"{said} Bars join proxies whose mean ranks lie within the critical difference (Nemenyi, 95 %)."
        figures = (Figure(item.name, caption, lambda: plots.plot_critical_difference(ranks), ranks),)
    else:
        lacks = " The diagram is left out: pip install -c constraints.txt 'nasanalysis[posthocs]'."
    text = f"{item.text} {said}{lacks}".strip()
    return Section(item.title, text, (_table(item, each, ranks),), figures, (said,), boards)


def _correlated(
    item: RanksItem, wanted: TruthItem, sources: Sources, resampling: Resampling
) -> tuple[pl.DataFrame, Board | None]:
    """STATS of every proxy on one truth, which stands as its dataset; its entries for the leaderboard of the page."""
    asker = f"{item.name}, {wanted.label}"
    benchmark = sources.benchmark(wanted.benchmark)
    dataset = the_dataset(asker, wanted.dataset, benchmark)
    truth = read_truth(
        sources,
        benchmark,
        dataset,
        split=wanted.split,
        schedule=wanted.schedule,
        sample=wanted.sample,
        asker=asker,
    )
    archs = truth["arch"].unique(maintain_order=True).to_list()
    scores = score(benchmark, item.proxies, dataset=wanted.scores_dataset or dataset, archs=archs)
    scores = at_steps(of_setting(scores, wanted.scored_by), None if wanted.step is None else [wanted.step])
    scores = scores.filter(pl.col("value").is_finite()).with_columns(dataset=pl.lit(dataset))
    known = scores.group_by("arch").agg(pl.col("proxy").n_unique().alias("n"))
    common = known.filter(pl.col("n") == len(item.proxies))["arch"].to_list()  # the same for every proxy
    if not common:
        raise StudyError(f"{asker}: no architecture has a score of all of {', '.join(item.proxies)}")
    truth, scores = (frame.filter(pl.col("arch").is_in(common)) for frame in (truth, scores))
    frame: pl.DataFrame = stats.correlate(truth, scores, statistics=(item.statistic,), resampling=resampling)
    entries = compared(truth, scores, resampling)
    shown = None
    if entries is not None:
        shown = board(
            entries,
            benchmark=wanted.benchmark,
            dataset=dataset,
            split=wanted.split,
            sample=wanted.sample,
            schedule=wanted.schedule,
        )
    return frame.with_columns(dataset=pl.lit(wanted.label)), shown


def _sentence(ranks: pl.DataFrame) -> str:
    """What Friedman and Nemenyi allow to say, by rule."""
    first = ranks.row(0, named=True)
    n, best = first["n_datasets"], proxy_label(first["proxy"])
    if first["p"] is None or not first["p"] <= 0.05:
        p = "undefined" if first["p"] is None else f"{first['p']:.2g}"
        return f"Over {n} truths the ranks of the proxies are not told apart (Friedman, p = {p})."
    tied = ranks.filter(pl.col("tier") == first["tier"])["proxy"].to_list()[1:]
    said = f"Over {n} truths {best} has the best mean rank, {first['mean_rank']:.2f} (Friedman, p = {first['p']:.2g})"
    return f"{said}; not told apart from it: {', '.join(map(proxy_label, tied))}." if tied else f"{said}."


def _table(item: RanksItem, each: pl.DataFrame, ranks: pl.DataFrame) -> Table:
    labels = [truth.label for truth in item.truths]
    by = {(row["proxy"], row["dataset"]): row for row in each.to_dicts()}
    rows = []
    for row in ranks.to_dicts():
        cells = [by[(row["proxy"], label)] for label in labels]
        line = [proxy_label(row["proxy"]), number(row["mean_rank"], 2), str(row["tier"])]
        rows.append(line + [with_interval(c["estimate"], c["ci_low"], c["ci_high"], 3) for c in cells])
    first = ranks.row(0, named=True)
    chi2 = "undefined" if first["p"] is None else f"chi2 {first['chi2']:.1f}, p = {first['p']:.2g}"
    n = dict(each.select("dataset", "n_archs").iter_rows())
    samples = "; ".join(
        f"{t.label}: {t.split}, {sample_label(t.sample)}, {n[t.label]:,} that every proxy scores" for t in item.truths
    )
    note = (
        f"{statistic_label(item.statistic)} on each truth with its 95 % interval, and the mean of ranks (1 is best). "
        f"Friedman: {chi2}. Two mean ranks differ where they lie more than {first['critical_difference']:.2f} apart "
        "(Nemenyi, all pairs at once); an entry is not told apart from the best of its tier. Truths are what is "
        f"repeated: those that share architectures are not independent, and p is then too small. {samples}."
    )
    data = ranks.join(each.pivot("dataset", index="proxy", values="estimate"), on="proxy", how="left")
    header = ["proxy", "mean rank", "tier", *labels]
    return Table(item.name, item.title, header, rows, data, [False, *[True] * (2 + len(labels))], note)

"""What a ``[[predictor]]`` item shows."""

from __future__ import annotations

import polars as pl

from ... import plots, stats
from ...loaders import Benchmark
from ...loaders.samples import sample_label
from ...plots.predictor import FEATURES, PARTS
from ...plots.style import proxy_label
from ...proxies import score
from ...proxies.graph import graph_features
from ...report.cells import with_interval
from ...report.model import Figure, Section, Table
from ..choices import at_steps, of_setting, the_dataset
from ..items import Resampling, Sources
from ..truth import read_truth
from .items import PredictorItem


def predictor_section(item: PredictorItem, sources: Sources, resampling: Resampling) -> Section:
    """Run `item`; `MissingDataError` where the benchmark is not here, `MissingExtraError` without scikit-learn."""
    benchmark = sources.benchmark(item.benchmark)
    dataset = the_dataset(item.name, item.dataset, benchmark)
    truth = read_truth(
        sources,
        benchmark,
        dataset,
        split=item.split,
        schedule=item.schedule,
        sample=item.sample,
        asker=item.name,
    )
    scores = _scores(item, benchmark, dataset)
    scored = scores.filter(pl.col("arch").is_in(truth["arch"].unique().to_list()))
    graph = graph_features(scored["arch"].unique(maintain_order=True).to_list())
    curve = stats.predictor_curve(
        truth,
        {"graph": graph, "proxies": scored, "both": [graph, scored]},
        k=item.k,
        draws=item.draws,
        regressor=item.regressor,
        alone=item.alone,
        seed=resampling.seed,
        level=resampling.level,
    )
    figure = Figure(
        item.name,
        f"{item.title} Bands: the central 95 % of {item.draws} draws of the trained architectures.",
        lambda: plots.plot_predictor(curve)[0],
        curve,
    )
    return Section(item.title, item.text, (_table(item, curve, dataset),), (figure,))


def _scores(item: PredictorItem, benchmark: Benchmark, dataset: str) -> pl.DataFrame:
    frame = score(benchmark, item.proxies, dataset=item.scores_dataset or dataset)
    frame = at_steps(of_setting(frame, item.scored_by), None if item.step is None else [item.step])
    frame = frame.drop_nulls("value").with_columns(dataset=pl.lit(dataset))
    counts = frame.group_by("arch").agg(pl.col("proxy").n_unique().alias("n"))
    whole = counts.filter(pl.col("n") == frame["proxy"].n_unique())["arch"]  # a blank would be learned as the mean
    return frame.filter(pl.col("arch").is_in(whole.to_list()))


def _table(item: PredictorItem, curve: pl.DataFrame, dataset: str) -> Table:
    sets = curve["features"].unique(maintain_order=True).to_list()
    header = ["ranked by", "trained", *(PARTS[part] for part in PARTS)]
    rows = []
    for name in sets:
        for k in curve.filter(features=name)["k"].unique().sort():
            cells = curve.filter(features=name, k=k)
            texts = []
            for part in PARTS:
                row = cells.filter(part=part).row(0, named=True)
                texts.append(with_interval(row["estimate"], row["ci_low"], row["ci_high"], 3))
            rows.append([FEATURES.get(name, proxy_label(name)), str(k), *texts])
    first = curve.row(0, named=True)
    note = (
        f"Spearman's rho with {item.split} accuracy on {dataset} of the architectures that were not trained: mean over "
        f"{item.draws} draws and where the central 95 % of draws fall. Learned: {item.regressor.replace('_', ' ')} on "
        f"{first['n_archs']:,} architectures ({sample_label(item.sample)}; those that every proxy scores), "
        "k of different functional classes trained, their classmates left out. The others rank the same rests, "
        "untrained."
    )
    return Table(item.name, item.title, header, rows, curve, [False, True, True, True], note)

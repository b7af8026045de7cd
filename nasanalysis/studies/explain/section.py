"""What an ``[[explain]]`` item shows."""

from __future__ import annotations

import polars as pl

from ... import stats
from ...core.errors import StudyError
from ...loaders import Benchmark
from ...loaders.samples import sample_label
from ...proxies import score
from ...proxies.graph import graph_features
from ...report.explanation import explanation_figure, explanation_tables, sentences
from ...report.model import Section
from ..choices import at_steps, of_setting, the_dataset
from ..items import Resampling, Sources
from ..own_scores import own_scores, scores_of
from ..truth import read_truth
from .items import ExplainItem


def explain_section(item: ExplainItem, sources: Sources, resampling: Resampling) -> Section:
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
        rows=None if item.truth_seed is None else pl.col("seed") == item.truth_seed,
    )
    archs = truth["arch"].unique(maintain_order=True).to_list()
    features = [graph_features(archs), score(benchmark, "params", dataset=dataset, archs=archs)]
    scores = _scores(item, sources, benchmark, dataset)
    explanations = {
        name: stats.explain_proxy(
            truth,
            scores.filter(proxy=name),
            features[:1] if name == "params" else features,
            directions=dict(item.directions),
            regressor=item.regressor,
            n_boot=min(item.bootstrap, resampling.n),
            seed=resampling.seed,
            level=resampling.level,
            most=item.most,
        )
        for name in item.proxies
    }
    said = " ".join(sentences(explanations))
    seeds = "" if item.truth_seed is None else f", training run {item.truth_seed}"
    scored = "" if item.scores_seed is None else f"; scores of run {item.scores_seed}"
    note = (
        f"Truth: {item.split} accuracy on {dataset}{seeds}{scored}. Architectures: "
        f"{sample_label(item.sample)}; those that the proxy scores."
    )
    tables = explanation_tables(item.name, explanations, note)
    return Section(item.title, f"{item.text} {said}".strip(), tables, (explanation_figure(item.name, explanations),))


def _scores(item: ExplainItem, sources: Sources, benchmark: Benchmark, dataset: str) -> pl.DataFrame:
    recorded = own_scores(sources, item.scores, benchmark, asker=item.name, transfer=item.scores_dataset is not None)
    frame = scores_of(benchmark, recorded, item.proxies, dataset=item.scores_dataset or dataset)
    frame = sources.take_sample(frame, item.sample, benchmark).with_columns(dataset=pl.lit(dataset))
    if item.scores_seed is not None:
        frame = frame.filter(pl.col("seed").is_null() | (pl.col("seed") == item.scores_seed))
    chosen = at_steps(of_setting(frame, item.scored_by), None if item.step is None else [item.step])
    if lost := [name for name in item.proxies if name not in set(chosen["proxy"])]:
        steps = frame.filter(proxy=lost[0])["step"].drop_nulls().unique().sort().to_list()
        there = f"; it has steps {steps[0]} to {steps[-1]}" if steps else ""
        raise StudyError(f"{item.name}: no scores of {lost[0]!r} at step {item.step}{there}")
    return chosen

"""The card of one proxy from a benchmark's or a user's own files: what ``nasanalysis card`` does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from ..core.errors import DataFileError, MissingCapabilityError, ParameterError, StudyError, UnknownNameError
from ..core.frames import read_frame
from ..core.notes import told
from ..loaders import archs_frame
from ..loaders.sources import Sources
from ..loaders.tables.load import is_own
from ..loaders.unnamed import images_of
from ..report.card import Card, make_card
from ..spaces import SPACES, get_space
from ..stats.infinite import Infinite
from .files import finite_scores, read_pair, refuse_strange_directions


def proxy_card(
    scores: str,
    *,
    truth: str | None = None,
    dataset: str | None = None,
    split: str | None = None,
    schedule: int | None = None,
    proxy: str | None = None,
    method: str | None = None,
    setting: str | None = None,
    step: int | None = None,
    directions: Mapping[str, int | str] | None = None,
    n_boot: int = 1000,
    seed: int = 0,
    data: Path | str | None = None,
    say: Callable[[str], None] = lambda _: None,
    infinite: Infinite = "missing",
    **asked: Any,
) -> Card:
    """The card of one proxy.

    Parameters
    ----------
    scores: a proxy, a TOML description, or a CSV or Parquet file with columns ``arch, proxy, value[, step]``; ``-`` is
        standard input.
    truth: a benchmark, a TOML description, or a file with columns ``arch, accuracy``. By default the benchmark that
        the scores file names, and ``digits`` for a proxy.
    dataset, split, schedule: as in `nasanalysis.compare`; `dataset` defaults to the only one that a scores
        file names.
    proxy, method, setting: which, where the scores hold several.
    step: completed epochs or minibatches; by default the last.
    directions: proxy -> ``higher`` or ``lower`` (or +1, -1), where ours, or what the name says, is wrong.

    asked: `quantity`, `transfer`, `unit` and `space`, and `infinite`, as in `nasanalysis.compare`.
    say: told what was guessed or left out.

    Raises `StudyError` where something must be chosen, and what `nasanalysis.compare` raises for its files.
    """
    named = _named_in(Path(scores)) if Path(scores).suffix == ".parquet" and Path(scores).exists() else {}
    truth = truth or named.get("benchmark") or (None if is_own(scores) or Path(scores).suffix else "digits")
    if truth is None:
        raise StudyError(f"{scores}: name the truth with --truth, a benchmark or a file with columns arch,accuracy")
    dataset = dataset or (named.get("dataset") if truth == named.get("benchmark") else None)
    sources = Sources(data)
    wanted_truth = {"dataset": dataset, "split": split, "schedule": schedule, "infinite": infinite, **asked}
    facts, table = read_pair(truth, scores, sources=sources, say=say, **wanted_truth)
    if len(several := facts["dataset"].unique().sort().to_list()) > 1:
        raise StudyError(f"{scores}: a card is of one dataset; choose it with --dataset: {', '.join(several)}")
    refuse_strange_directions(directions, table)
    names = table["proxy"].unique(maintain_order=True).to_list()
    if proxy is not None and proxy not in names:
        raise UnknownNameError("proxy in these scores", proxy, names)
    if proxy is None and len(names) > 1:
        raise StudyError(f"{scores}: holds several proxies; choose one with --proxy: {', '.join(names)}")
    table = table.filter(pl.col("proxy") == (proxy or names[0]))
    for column, wanted in (("method", method), ("setting", setting)):
        names = table[column].unique().sort().to_list()
        if wanted is None and len(names) > 1:
            raise StudyError(
                f"{scores}: scored under several {column}s; choose one with --{column}: {', '.join(names)}"
            )
        if wanted is not None and wanted not in names:
            raise UnknownNameError(f"{column} of these scores", wanted, names)
        table = table if wanted is None else table.filter(pl.col(column) == wanted)
    last = table["step"].max() if step is None else step
    if last is not None:
        table = table.filter(pl.col("step").is_null() | (pl.col("step") == last))
    if table.is_empty():
        raise StudyError(f"--step {step}: the scores hold no such step")
    table = finite_scores(table, infinite, directions)
    config = {"truth": truth, "scores": scores, "dataset": facts["dataset"][0], "step": last, "bootstrap": n_boot}
    record = sources.provenance(seeds={"bootstrap": seed}, config=config)
    with told(say):
        costs = _costs(facts, sources, truth)
    return make_card(facts, table, costs, n_boot=n_boot, seed=seed, directions=directions, provenance=record)


def _costs(facts: pl.DataFrame, sources: Sources, truth: str) -> pl.DataFrame | None:
    """Parameters of the architectures of the truth, where their space is known; a description may say the images."""
    names = facts["arch"].unique(maintain_order=True)
    space = names[0].partition(":")[0]
    if space not in SPACES:
        return None
    try:
        if Path(truth).suffix == ".toml":
            return sources.benchmark(truth).archs(facts["dataset"][0], archs=names.to_list())
        return archs_frame(get_space(space), names, images_of(facts["dataset"][0]))
    except (
        ParameterError,
        UnknownNameError,
        MissingCapabilityError,
    ):  # a dataset or a space of the user's own, without costs
        return None


def _named_in(path: Path) -> dict[str, str]:
    """The benchmark and dataset that a scores file names, where it names one."""
    try:
        frame = read_frame(path)
    except DataFileError:
        return {}
    return {
        column: str(frame[column][0])
        for column in ("benchmark", "dataset")
        if column in frame.columns and frame[column].n_unique() == 1 and frame[column][0] is not None
    }

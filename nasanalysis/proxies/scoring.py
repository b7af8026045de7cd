"""``score``: any proxies of any benchmark, each on the frame that it needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

from ..core.errors import MissingFrameError, NasAnalysisError, ParameterError, UnknownNameError
from ..core.frames import SCHEMAS, check
from .base import Proxy
from .curve_steps import undefined_at_the_end
from .registry import ALIASES, PROXIES, RECORDED, canonical, get_proxy, needs_of

if TYPE_CHECKING:
    from ..loaders import Benchmark


def score(
    benchmark: Benchmark,
    proxies: str | Sequence[str],
    *,
    dataset: str | None = None,
    step: int | None = None,
    schedule: int | None = None,
    archs: Sequence[str] | None = None,
) -> pl.DataFrame:
    """SCORES of `benchmark` under `proxies`, raw and at every recorded step.

    Parameters
    ----------
    proxies: one name or several, of curves, costs, losses under noise (``flatness@alpha=0``) or from outside; names of
        scores that the benchmark's files record work too. Where both exist (``params``), ours is computed and the
        file's is called ``recorded:params``.
    dataset: one dataset; by default all of the benchmark.
    step: keep only this many completed epochs or minibatches (cost proxies have no step and stay).
    schedule: total epochs of the curves to read, where a benchmark records several.
    archs: only these architectures (text ``space:key``); nothing else is read where that saves time.

    Raises `UnknownNameError` for a proxy that does not exist, `MissingFrameError` where the benchmark does not record
    the frame that a proxy needs, `NasAnalysisError` where that holds nothing for it, or has no such step.
    """
    names = list(dict.fromkeys(canonical(name) for name in ([proxies] if isinstance(proxies, str) else proxies)))
    needed: dict[str, pl.DataFrame] = {}
    parts = []
    for name in names:
        needs = needs_of(name)
        if needs == "scores" and name.partition("@")[0] not in PROXIES:
            parts.append(_recorded(benchmark, name, dataset, archs))
            continue
        if needs not in needed:
            try:
                needed[needs] = benchmark.frame(needs, dataset, schedule=schedule, archs=archs)
            except MissingFrameError as error:
                raise MissingFrameError(f"proxy {name!r}: {error}{_instead(benchmark, name)}") from None
        parts.append(_computed(benchmark, get_proxy(name), needed[needs]))
    return _at_step(check(pl.concat(parts), "SCORES"), step)


def _computed(benchmark: Benchmark, proxy: Proxy, frame: pl.DataFrame) -> pl.DataFrame:
    scores = check(proxy(frame), "SCORES", where=f"proxy {proxy.name!r}").select(*SCHEMAS["SCORES"].columns)
    column = getattr(proxy, "column", None)
    if proxy.needs == "curves" and (why := undefined_at_the_end(frame, scores, column or "train_loss")) is not None:
        raise NasAnalysisError(f"proxy {proxy.name!r}: benchmark {benchmark.name!r}: {why}")
    if scores["value"].is_null().all():
        raise NasAnalysisError(
            f"proxy {proxy.name!r}: benchmark {benchmark.name!r} records nothing it can be computed from "
            f"(it needs {proxy.needs}{f' with {column}' if column else ''})"
        )
    # steps at which the proxy is defined for no run (a window not yet full) are left out
    return scores.filter(pl.col("value").is_not_null().any().over("dataset", "setting", "step"))


def _instead(benchmark: Benchmark, name: str) -> str:
    """Advice where the files hold scores of the very name that cannot be computed."""
    there = benchmark.lazy("SCORES").filter(pl.col("proxy") == name).head(1).collect()
    return "" if there.is_empty() else f"; its files hold scores of this name: {RECORDED}{name} reads them"


def _recorded(benchmark: Benchmark, name: str, dataset: str | None, archs: Sequence[str] | None) -> pl.DataFrame:
    known = name.removeprefix(RECORDED)
    recorded = set(benchmark.lazy("SCORES").select("proxy").unique().collect()["proxy"].to_list())
    if known not in recorded:
        raise UnknownNameError("proxy", name, [*PROXIES, *ALIASES, *sorted(recorded)])
    return benchmark.scores(dataset, proxy=known, archs=archs).with_columns(proxy=pl.lit(name))


def _at_step(table: pl.DataFrame, step: int | None) -> pl.DataFrame:
    if step is None:
        return table
    steps = table["step"].drop_nulls().unique().sort().to_list()
    if steps and step not in steps:
        raise ParameterError(f"step {step}: expected one of {steps[0]} to {steps[-1]}, the completed steps recorded")
    return table.filter(pl.col("step").is_null() | (pl.col("step") == step))

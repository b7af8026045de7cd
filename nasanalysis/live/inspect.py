"""``nasanalysis diffsearch inspect``: more of what finished searches' weights say; resumable.

Beside the searches (`nasanalysis.live.diffsearch`)::

    out/inspect/estimates.parquet    TRACE: Proposition 1 of DARTS-PT, a row for each edge (``part``) and number
    out/inspect/shuffles.parquet     TRACE: accuracy before and after edges, or layers, change places
    out/inspect/selections.parquet   TRACE: DARTS-PT's selection from these weights, epoch by epoch
    out/inspect/landscapes.parquet   alpha, beta, loss of each search and epoch whose weights were kept
    out/inspect/units/               a file for each unit
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import polars as pl

from ..core.errors import MissingDataError, ParameterError
from ..core.frames import check, read_frame, write_frame
from ..core.provenance import package_versions, provenance
from ..differentiable.config import MethodConfig
from ..differentiable.estimation import estimates
from ..differentiable.landscape import directions, landscape
from ..differentiable.learner import SearchLearner
from ..differentiable.methods import method
from ..differentiable.search import SearchLoop
from ..differentiable.shuffling import Shuffled, shuffled_edges, shuffled_layers
from ..differentiable.strengths import require_weights
from ..jobs.units import exclusive, prepare, run_units
from ..networks.base import live_benchmark
from ..training.devices import settle
from ..training.tasks import load_task
from .diagnose import at_epoch, head_of, kept_epochs
from .diffsearch import SearchRun

What = Literal["estimates", "landscapes", "shuffles", "selections"]
#: What can be looked at, in the order of its cost.
WHAT: tuple[What, ...] = ("estimates", "landscapes", "shuffles", "selections")


@dataclass(frozen=True)
class Looks:
    """How finished searches are looked at.

    Attributes
    ----------
    images: that Proposition 1 is read on; 0: a batch. draws: of places to be shuffled.
    steps, reach: of a landscape's side, and how far it goes in alpha, along the directions of largest curvature.
    every: epochs of tuning between two decisions of a selection, each a selection of its own; 0: none.
    """

    images: int = 0
    draws: int = 10
    steps: int = 15
    reach: float = 1.0
    every: tuple[int, ...] = (0, 1, 5)

    def __post_init__(self) -> None:
        if self.draws < 1 or not self.every or min(self.every) < 0:
            raise ParameterError(
                f"inspect: expected draws >= 1 and every of 0 or more, got {self.draws} and {list(self.every)}"
            )


def inspect(run: SearchRun, what: Sequence[What] = WHAT, looks: Looks | None = None, *, workers: int = 1) -> list[Path]:
    """One file for each of `what`, from every finished search of `run`; goes on where it was killed.

    Raises `MissingDataError` where no search has finished, `ParameterError` for a method that has no mixture to look at
    (samplers), by name, before anything is computed.
    """
    if unknown := sorted(set(what) - set(WHAT)):
        raise ParameterError(f"inspect: expected some of {', '.join(WHAT)}, got {', '.join(unknown)}")
    looks = Looks() if looks is None else looks
    jobs = [job for job in run.config.jobs if (run.folder(*job) / "weights.pt").exists()]
    if not jobs:
        raise MissingDataError(
            f"{run.out}: expected finished searches (searches/METHOD-SEED/weights.pt), got none; run "
            f"`nasanalysis diffsearch run --out {run.out}` to its end"
        )
    for row, seed in jobs:
        require_weights(at_epoch(run, row, seed))
    out = run.out / "inspect"
    with exclusive(out):
        units = dict(_units(run, jobs, what, looks))
        # how a look is taken stands in the names of its units: other looks are other files
        mark = {"config": run.config.model_dump(mode="json"), "packages": package_versions(("torch", "numpy"))}
        folder = prepare(out, mark, resume=True)
        paths = run_units(work, units, folder, workers=workers, needs=run.needs, description="inspecting")
        record = provenance(
            seeds={"searches": max(seed for _, seed in jobs)},
            inputs=[run.folder(*job) / "weights.pt" for job in jobs],
            config={**mark, "looks": repr(looks)},
        )
        written = []
        for kind in what:
            parts = [read_frame(path) for path, unit in zip(paths, units.values(), strict=True) if unit[0] == kind]
            table = pl.concat(parts)
            if kind != "landscapes":
                table = check(table, "TRACE")
            written.append(write_frame(table, out / f"{kind}.parquet", record))
        return written


def _units(
    run: SearchRun, jobs: Sequence[tuple[MethodConfig, int]], what: Sequence[What], looks: Looks
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for kind in what:
        for row, seed in jobs:
            stem = run.folder(row, seed).name
            if kind == "shuffles":
                yield f"shuffles-{looks.draws}-{stem}", (kind, run, row, seed, None, looks)
                continue
            for epoch in (*kept_epochs(run.folder(row, seed)), None):
                at = f"{stem}-at-{epoch or 'end'}"
                if kind == "selections":
                    for every in looks.every:
                        one = replace(looks, every=(every,))
                        yield f"selections-every-{every}-{at}", (kind, run, row, seed, epoch, one)
                else:
                    how = f"{looks.steps}-{looks.reach:g}" if kind == "landscapes" else str(looks.images)
                    yield f"{kind}-{how}-{at}", (kind, run, row, seed, epoch, looks)
    if "shuffles" in what:
        first = jobs[0][0]
        for seed in sorted({seed for _, seed in jobs}):
            for net in ("resnet", "vgg"):
                yield f"shuffles-{looks.draws}-{net}-{seed}", ("shuffles", run, first, seed, net, looks)


def work(
    kind: What, run: SearchRun, row: MethodConfig, seed: int, which: int | str | None, looks: Looks
) -> pl.DataFrame:
    """One unit; `which`: the epoch (None: the end), or the network of layers."""
    settle(run.config.threads)
    if isinstance(which, str):
        return _layers(run, seed, which, looks)
    learner = at_epoch(run, row, seed, which)
    head = head_of(run, row, seed, which, learner)
    look: Callable[[SearchLearner, dict[str, Any], Looks], pl.DataFrame] = {
        "estimates": _estimates,
        "landscapes": _landscape,
        "shuffles": _edges,
        "selections": _selection,
    }[kind]
    return look(learner, head, looks)


def _rows(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    texts = dict.fromkeys(("benchmark", "dataset", "method", "setting", "part", "quantity", "text"), pl.String)
    schema = {**texts, "seed": pl.Int64, "epoch": pl.Int64, "value": pl.Float64}
    return pl.DataFrame([{**dict.fromkeys(schema), **row} for row in rows], schema=schema)


def _estimates(learner: SearchLearner, head: dict[str, Any], looks: Looks) -> pl.DataFrame:
    rows = []
    for one in estimates(learner, images=looks.images):
        numbers = {
            "conv_variance": one.errors.conv,
            "skip_variance": one.errors.skip,
            "skip_conv_covariance": one.errors.covariance,
            "predicted_skip": one.errors.skip_weight,
            "trained_skip": one.trained,
        }
        part = f"{one.position}/{one.place.cell}/{one.place.edge}"
        rows += [{**head, "part": part, "quantity": name, "value": value} for name, value in numbers.items()]
    return _rows(rows)


def _landscape(learner: SearchLearner, head: dict[str, Any], looks: Looks) -> pl.DataFrame:
    table = landscape(learner, directions(learner), reach=looks.reach, steps=looks.steps)
    return table.select(*(pl.lit(value).alias(name) for name, value in head.items()), "alpha", "beta", "loss")


def _shuffled(rows: Sequence[Shuffled], head: dict[str, Any]) -> pl.DataFrame:
    """Quantities ``accuracy (running)`` before, ``edges alone (running)`` after; ``part``: the draw."""
    table: list[dict[str, Any]] = []
    for statistics in dict.fromkeys(one.statistics for one in rows):
        before = next(one.before for one in rows if one.statistics == statistics)
        table.append({**head, "quantity": f"accuracy ({statistics})", "value": before})
    table += [
        {**head, "part": str(one.draw), "quantity": f"{one.what} ({one.statistics})", "value": one.after}
        for one in rows
    ]
    return _rows(table)


def _edges(learner: SearchLearner, head: dict[str, Any], looks: Looks) -> pl.DataFrame:
    return _shuffled(shuffled_edges(learner, draws=looks.draws), head)


def _layers(run: SearchRun, seed: int, kind: str, looks: Looks) -> pl.DataFrame:
    task = load_task(run.config.data, data=run.data, device=run.device)
    rows = shuffled_layers(kind, task, seed=seed, draws=looks.draws)  # type: ignore[arg-type]
    head = {
        "benchmark": live_benchmark(run.config.space),
        "dataset": task.name,
        "method": kind,
        "setting": "",
        "seed": seed,
        "epoch": 0,
    }
    return _shuffled(rows, head)


def _selection(learner: SearchLearner, head: dict[str, Any], looks: Looks) -> pl.DataFrame:
    """DARTS-PT's selection from the weights of a search, with so many epochs of tuning between two decisions."""
    (every,) = looks.every
    chosen = selecting(learner, every)
    name = "darts_pt" if head["method"] == "darts" else f"{head['method']}_pt"
    words = [head["setting"], f"every={every}", f"from epoch {head['epoch']}"]
    head = {**head, "method": name, "setting": ", ".join(word for word in words if word)}
    rows = []
    for record in chosen.history:
        at = {**head, "epoch": record["epoch"]}
        rows += [{**at, "quantity": key, "value": value} for key, value in record["numbers"].items()]
    rows.append({**head, "epoch": chosen.history[-1]["epoch"], "quantity": "selected", "text": str(chosen.selected())})
    return _rows(rows)


def selecting(learner: SearchLearner, every: int) -> SearchLearner:
    """A search that takes the weights and alphas of `learner` and selects by perturbation, to its end.

    every: epochs of tuning between two decisions (`Perturb`); 0: all are decided at once, and nothing is tuned.
    """
    require_weights(learner)
    if learner.method.perturbation is not None:
        raise ParameterError(
            f"{learner.method.name}: expected a search without noise on its weights for a selection of its own, got "
            "one with; run sdarts_pt, whose noise stays as it was"
        )
    stage = method("darts_pt", learner.space, 1, every=max(every, 1)).stages[-1]
    parts = replace(learner.method, stages=(stage,), stopping=None, drop_path=0.0, cutout_probability=0.0)
    search = SearchLearner(
        learner.space, learner.network, learner.task, parts, learner.settings, seed=learner.seed, device=learner.device
    )
    search.net.load_state_dict(learner.net.state_dict())
    search.alphas.restore(learner.alphas.state())
    search.history.clear()
    search.record(0)
    if every:
        loop = SearchLoop(search)
        for _ in range(loop.epochs):
            loop.run_epoch()
        return search
    assert stage.decider is not None
    for _ in range(stage.epochs):
        stage.decider.before_epoch(search, 0)
        search.record(len(search.history))
    return search

"""``nasanalysis diffsearch diagnose``: what finished searches' weights say of their operations; resumable.

Beside the searches (`nasanalysis.live.diffsearch`)::

    out/diagnose/strengths.parquet   STRENGTHS: every operation masked, and settled and tuned, beside its alpha
    out/diagnose/gaps.parquet        TRACE of ``skip_minus_conv`` by epoch
    out/diagnose/units/              a file for each search and epoch, and for each edge that was tuned
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl
import torch

from ..core.errors import MissingDataError, SearchError
from ..core.frames import check, read_frame, read_provenance, write_frame
from ..core.provenance import package_versions, provenance
from ..core.seeding import generator
from ..differentiable.config import DiffSearchConfig, MethodConfig
from ..differentiable.deciders import Greedy
from ..differentiable.learner import SearchLearner
from ..differentiable.strengths import Tuning, converged, masked, open_edges, require_weights
from ..jobs.units import exclusive, prepare, run_units
from ..jobs.units import gather as gather_units
from ..networks.base import live_benchmark
from ..networks.mixture import Place
from ..search.diagnosed import skip_gaps
from ..training import checkpoints
from ..training.devices import settle
from .diffsearch import SearchRun, learner_of

_KEYS = ["benchmark", "dataset", "method", "setting", "seed", "epoch", "cell", "edge", "operation"]


def config_of(folder: Path) -> DiffSearchConfig:
    """The configuration that the searches of a folder were run with; `MissingDataError` where none has finished."""
    path = folder / "trace.parquet"
    if not path.exists():
        raise MissingDataError(
            f"{folder}: expected the searches of `nasanalysis diffsearch run --out {folder}` (trace.parquet), got "
            "none; run them first"
        )
    config: dict[str, Any] = read_provenance(path)["config"]
    return DiffSearchConfig.model_validate(config)


def at_epoch(run: SearchRun, row: MethodConfig, seed: int, epoch: int | None = None) -> SearchLearner:
    """A search as it was after `epoch` (None: at its end): network, alphas, masks; nothing of its optimisers.

    Raises `MissingDataError` where no weights were kept of it.
    """
    folder = run.folder(row, seed)
    path = folder / ("weights.pt" if epoch is None else f"epoch-{epoch}.pt")
    if not path.exists() or not (folder / "alphas.parquet").exists():
        what = "its end" if epoch is None else f"epoch {epoch}"
        todo = "let it finish" if epoch is None else "search with keep_weights_every in [search]"
        raise MissingDataError(
            f"{folder}: expected weights of {what} ({path.name}) of a finished search, got none; {todo}: "
            f"nasanalysis diffsearch run --out {run.out}"
        )
    learner = learner_of(run, row, seed, diagnose_every=0, eigenvalue_every=0)
    alphas = read_frame(folder / "alphas.parquet", "ALPHAS")
    last = int(alphas["epoch"].max())  # type: ignore[arg-type]
    stage, _ = learner.course.at((last if epoch is None else epoch) - 1)
    for number in range(1, stage + 1):
        learner._build(number, learner.alphas)
    try:
        learner.net.load_state_dict(checkpoints.load(path, "weights")["net"])
    except RuntimeError as error:
        raise checkpoints.CheckpointError(
            f"{path}: expected weights of the network that the configuration describes, got others "
            f"({str(error).splitlines()[0]}); name the configuration of these searches"
        ) from error
    _take(learner, alphas.filter(epoch=last if epoch is None else epoch))
    if isinstance(learner.stage.decider, Greedy):  # batches grow each time that every cell decides an edge
        times = Counter(place.cell for place in learner.alphas.decided)
        learner.batch_size += learner.stage.decider.grow * max(times.values(), default=0)
    return learner


def _take(learner: SearchLearner, rows: pl.DataFrame) -> None:
    """Values and masks of alpha, by name, from one epoch of ALPHAS."""
    alphas = learner.alphas
    there: dict[Place, list[str]] = {}
    with torch.no_grad():
        for cell, edge, operation, value, mask in rows.select("cell", "edge", "operation", "alpha", "mask").iter_rows():
            place = Place(cell, edge)
            alphas.values[alphas.row(place), alphas.column(place, operation)] = value
            there.setdefault(place, [])
            if mask:
                there[place].append(operation)
    for place, candidates in there.items():
        if not candidates:
            alphas.remove(place)
        elif len(candidates) == 1 < len(alphas.decision(place).candidates):
            alphas.decide(place, candidates[0])
        else:
            for gone in [c for c in alphas.candidates(place) if c not in candidates]:
                alphas.drop(place, gone)


def kept_epochs(folder: Path) -> list[int]:
    """Epochs before the end of which a search kept its weights."""
    return sorted(int(path.stem.removeprefix("epoch-")) for path in folder.glob("epoch-*.pt"))


def diagnose(
    run: SearchRun, tuning: Tuning | None = None, *, edges: int = 0, workers: int = 1, images: int = 0
) -> dict[str, Path]:
    """STRENGTHS and gaps of every finished search of `run`; goes on where it was killed.

    Parameters
    ----------
    tuning: of discretised supernets at the end of a search; None: none is tuned, which is nearly all of the time.
    edges: of each search that are tuned, drawn by its seed; 0: all. images: that masks are judged on; 0: all alpha has.

    Methods without weights of operations (samplers, controls) are refused by name.
    """
    jobs = [job for job in run.config.jobs if (run.folder(*job) / "weights.pt").exists()]
    if not jobs:
        raise MissingDataError(
            f"{run.out}: expected finished searches (searches/METHOD-SEED/weights.pt), got none; run "
            f"`nasanalysis diffsearch run --out {run.out}` to its end"
        )
    out = run.out / "diagnose"
    with exclusive(out):
        units = dict(_units(run, jobs, tuning, edges, images))
        mark = {
            "config": run.config.model_dump(mode="json"),
            "tuning": None if tuning is None else asdict(tuning),
            "edges": edges,
            "images": images,
            "packages": package_versions(("torch", "numpy")),
        }
        folder = prepare(out, mark, resume=True)
        paths = run_units(work, units, folder, workers=workers, needs=run.needs, description="diagnosing")
        return _written(run, out, jobs, gather_units(paths), mark)


def _units(
    run: SearchRun, jobs: list[tuple[MethodConfig, int]], tuning: Tuning | None, edges: int, images: int
) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for row, seed in jobs:
        stem = run.folder(row, seed).name
        learner = at_epoch(run, row, seed)
        require_weights(learner)
        for epoch in (*kept_epochs(run.folder(row, seed)), None):
            yield f"{stem}-at-{epoch or 'end'}", (run, row, seed, epoch, None, None, images)
        if tuning is not None:
            places = open_edges(learner)
            if edges:
                order = generator(seed, "diagnose", "edges").permutation(len(places))[:edges]
                places = [places[i] for i in sorted(order.tolist())]
            for place in places:
                yield f"{stem}-tuned-{place.cell}-{place.edge}", (run, row, seed, None, place, tuning, images)


def work(
    run: SearchRun,
    row: MethodConfig,
    seed: int,
    epoch: int | None,
    place: Place | None,
    tuning: Tuning | None,
    images: int,
) -> pl.DataFrame:
    """One unit: all masks of a search at an epoch, or every operation of one edge settled and tuned."""
    settle(run.config.threads)
    learner = at_epoch(run, row, seed, epoch)
    head = head_of(run, row, seed, epoch, learner)
    if place is None or tuning is None:
        rows = [{**head, **_flat(one._asdict())} for one in masked(learner, images=images)]
        return pl.DataFrame(rows, schema=_schema(("weight", "alpha", "strength", "strength_loss")))
    rows = []
    for operation in learner.alphas.candidates(place):
        end = converged(learner, place, operation, tuning)
        numbers = {"discrete_accuracy": end.before, "converged_accuracy": end.after, "tuned_epochs": end.epochs}
        rows.append({**head, "cell": place.cell, "edge": place.edge, "operation": operation, **numbers})
    return pl.DataFrame(rows, schema=_schema(("discrete_accuracy", "converged_accuracy", "tuned_epochs")))


def head_of(run: SearchRun, row: MethodConfig, seed: int, epoch: int | None, learner: SearchLearner) -> dict[str, Any]:
    """What the rows of a look at one search begin with; `epoch` None: the last."""
    last = int(read_frame(run.folder(row, seed) / "alphas.parquet")["epoch"].max())  # type: ignore[arg-type]
    return {
        "benchmark": live_benchmark(learner.space),
        "dataset": learner.task.name,
        "method": row.name,
        "setting": row.setting,
        "seed": seed,
        "epoch": last if epoch is None else epoch,
    }


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    place: Place = row.pop("place")
    return {"cell": place.cell, "edge": place.edge, **row}


def _schema(values: tuple[str, ...]) -> dict[str, Any]:
    whole = {"seed", "epoch", "tuned_epochs"}
    texts = dict.fromkeys(_KEYS, pl.String) | dict.fromkeys(values, pl.Float64)
    return {name: pl.Int64 if name in whole else dtype for name, dtype in texts.items()}


def _written(
    run: SearchRun, out: Path, jobs: list[tuple[MethodConfig, int]], parts: list[pl.DataFrame], mark: dict[str, Any]
) -> dict[str, Path]:
    masks = [part for part in parts if "strength" in part.columns]
    tuned = [part for part in parts if "converged_accuracy" in part.columns]
    table = pl.concat(masks)
    if tuned:
        table = table.join(pl.concat(tuned), on=_KEYS, how="left", maintain_order="left")
    folders = [run.folder(*job) for job in jobs]
    record = provenance(
        seeds={"searches": max(seed for _, seed in jobs)},
        inputs=[folder / "weights.pt" for folder in folders],
        config=mark,
    )
    paths = {"strengths": write_frame(check(table, "STRENGTHS"), out / "strengths.parquet", record)}
    gaps = []
    for folder in folders:
        try:
            gaps.append(skip_gaps(read_frame(folder / "alphas.parquet", "ALPHAS")))
        except SearchError:  # a space without skips has no such gap
            continue
    if gaps:
        paths["gaps"] = write_frame(pl.concat(gaps), out / "gaps.parquet", record)
    return paths

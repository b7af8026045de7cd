"""``nasanalysis supernet estimate``: hours of a configuration on this machine, from a short run of each of its parts.

Nothing is kept: weights are fresh, which costs what trained ones cost, and so are pixels where the images are not at
hand. One process, as one of ``--workers`` works.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import polars as pl
import torch

from ..core.errors import MissingDataError, ParameterError
from ..core.seeding import torch_generator
from ..loaders.samples import space_archs
from ..loaders.thesis_samples import SAMPLES
from ..networks.angles import HasAngles, supernet_angles
from ..networks.base import Supernet, initialise_on_cpu
from ..training.devices import settle
from ..training.finetune import draw_batches, finetune
from ..training.measure import draw_probes, measure
from ..training.settings import ANGLE_OF, ANGLES
from ..training.train import SupernetLearner
from .config import FinetuneConfig, MeasureConfig
from .parts import jobs_of
from .run import Run

#: Columns of an estimate.
COLUMNS = {
    "part": pl.String(), "unit": pl.String(), "seconds_each": pl.Float64(), "count": pl.Int64(), "hours": pl.Float64(),
    "images": pl.String(),
}  # fmt: skip


def estimate(run: Run, *, updates: int = 20, archs: int = 3) -> pl.DataFrame:
    """Hours of one process for every training, finetuning and measuring of a configuration.

    Parameters
    ----------
    updates: of each protocol that are timed, after as many that are not. archs: the same for what is finetuned and
        measured, after one that is not.

    Returns
    -------
    Rows part, unit (what is counted), seconds_each (mean, wall), count (of the whole configuration), hours, images
    (what it was timed on: their name says so where pixels were drawn). Searches are left out: what they ask for
    depends on what they find. `ParameterError` for fewer than one of each.
    """
    if updates < 1 or archs < 1:
        raise ParameterError(f"estimate: expected at least one update and one architecture, got {updates} and {archs}")
    run = replace(run, stand_in=True)
    settle(run.config.threads)
    net = run.blank()
    initialise_on_cpu(net, torch_generator(0, "estimate"))
    rows = [*_trainings(run, net, updates)]
    rows += [_finetuning(run, net, part, archs) for part in run.config.finetune]
    rows += [_measuring(run, net, part, archs) for part in run.config.measure]
    table = pl.DataFrame(rows, schema={name: COLUMNS[name] for name in [*COLUMNS][:4]}, orient="row")
    hours = pl.col("seconds_each") * pl.col("count") / 3600
    return table.with_columns(hours=hours, images=pl.lit(run.task.name))


_Row = tuple[str, str, float, int]


def _trainings(run: Run, net: Supernet, updates: int) -> Iterator[_Row]:
    train = run.config.train
    for name in train.protocols:
        learner = SupernetLearner(net, run.task, train.protocol(name), train.settings, seed=0)
        net.train()
        seconds = _mean(run, [learner.update] * (2 * updates), updates)
        yield f"train {name}", "update", seconds, learner.updates * len(train.seeds)


def _finetuning(run: Run, net: Supernet, part: FinetuneConfig, archs: int) -> _Row:
    names = _archs(run, part.archs, part.limit)
    batches = draw_batches(run.task, part.settings, seed=part.data_seed)

    def one(arch: str) -> Callable[[], object]:
        return lambda: finetune(net.subnet(arch), batches, part.settings)

    seconds = _mean(run, [one(arch) for arch in _some(names, archs)], 1)
    return f"finetune {part.name}", "architecture of a supernet", seconds, len(names) * len(jobs_of(run, part))


def _measuring(run: Run, net: Supernet, part: MeasureConfig, archs: int) -> _Row:
    names, times = _archs(run, part.archs, part.limit), len(jobs_of(run, part)) * max(1, len(part.epochs))
    if part.archs == "all" and not part.sigmas and set(part.measures) <= set(ANGLES):
        some = names if isinstance(net, HasAngles) else names[:50]
        vectors = [ANGLE_OF[name] for name in part.measures]
        calls = [lambda: [supernet_angles(net, net, some, vector=v, weights=w) for v, w in vectors]]
        seconds = _mean(run, [*calls], 0) * len(names) / len(some)
        return f"measure {part.name}", "supernet, all its angles", seconds, times
    probes = draw_probes(run.task, part.settings, seed=part.noise_seed)

    def one(arch: str) -> Callable[[], object]:
        drawn = torch_generator(0, "estimate", arch)
        return lambda: measure(net.subnet(arch), net.subnet(arch), probes, part.settings, lambda _: drawn)

    seconds = _mean(run, [one(arch) for arch in _some(names, archs)], 1)
    return f"measure {part.name}", "architecture of a supernet", seconds, len(names) * times


def _archs(run: Run, sample: str, limit: int | None) -> list[str]:
    """The sample; as many drawn ones where it is the thesis's and its file is not at hand."""
    space = run.config.space
    try:
        return space_archs(sample, space, data=run.data)[:limit]
    except MissingDataError:
        if sample != "thesis":
            raise
        return space_archs(f"random-{SAMPLES[space][2]}@0", space)[:limit]


def _some(names: list[str], count: int) -> list[str]:
    """One to warm up on and `count` more, spread over the sample."""
    return [names[0], *names[:: max(1, len(names) // count)][:count]]


def _mean(run: Run, calls: list[Callable[[], object]], warm: int) -> float:
    """Mean seconds of the calls after the first `warm`, with the device's work done."""
    for call in calls[:warm]:
        call()
    _wait(run)
    start = time.perf_counter()
    for call in calls[warm:]:
        call()
    _wait(run)
    return (time.perf_counter() - start) / (len(calls) - warm)


def _wait(run: Run) -> None:
    if run.place != "cpu":
        torch.cuda.synchronize()

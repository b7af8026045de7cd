"""``nasanalysis supernet search``: a search whose fitness is read from live supernets (extra `supernet`).

``out/search/NAME/`` holds ``units/`` with one file for each architecture that was asked, so a killed search goes
through what it asked before without measuring it again, and the searches of one part share their measurements;
``trace.parquet``, and with ``curvature`` ``perturbed.parquet``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from ..core.errors import ParameterError, UnknownNameError
from ..core.frames import check, read_frame, write_frame
from ..core.seeding import generator
from ..jobs.units import exclusive, gather, prepare, progress_bar, run_units
from ..proxies import direction, needs_of, score_noise
from ..search.bind import bind
from ..search.constraints import Constraint, get_moves
from ..search.fitness import Answers, Memoised
from ..stats.combine import normalise

if TYPE_CHECKING:
    from ..training.settings import FinetuneSettings
    from .config import FinetuneConfig, MeasureConfig, SearchConfig
    from .run import Run

#: Fitness that needs no weights, of the live network itself.
COSTS = ("params", "flops")


def search_all(run: Run, *, only: str | None = None, workers: int = 1) -> list[Path]:
    """Every part ``[[search]]``, or the one called `only`; folders with ``trace.parquet`` (TRACE, all seeds).

    With ``curvature`` also ``perturbed.parquet``: PERTURBED of the architecture that each seed found.
    """
    from .parts import chosen

    return [_search_part(run, part, workers) for part in chosen(run.config.search, only, "search")]


def _most(part: SearchConfig) -> int | None:
    """The most architectures that all searches of a part ask for; None where seconds end them."""
    return None if part.queries is None else part.queries * len(part.search_seeds)


def best_of(folder: Path) -> pl.DataFrame:
    """What the searches of a folder found: seed, queries, arch, fitness."""
    trace = read_frame(folder / "trace.parquet", "TRACE")
    trace = trace.with_columns(seed="search_seed")
    last = trace.filter(pl.col("epoch") == pl.col("epoch").max().over("seed"))
    best = last.filter(quantity="best_arch").select("seed", queries="epoch", arch="text")
    return best.join(last.filter(quantity="best_fitness").select("seed", fitness="value"), on="seed").sort("seed")


def _search_part(run: Run, part: SearchConfig, workers: int) -> Path:
    from ..networks.base import live_benchmark

    search = partial(
        bind(part.algorithm, preset=part.preset, options=dict(part.options)),
        queries=part.queries,
        seconds=part.budget_seconds,
    )
    folder = run.out / "search" / part.name
    with exclusive(folder):
        fitness = LiveFitness(run, part, folder, workers=workers)
        moves = get_moves(run.config.space, constraint=_constraint(run, part))
        traces, best = [], {}
        with progress_bar() as bar:
            task = bar.add_task(f"search {part.name}: architectures asked", total=_most(part))
            fitness.tell = partial(bar.advance, task)
            for i, seed in enumerate(part.search_seeds, start=1):
                # what another search has measured costs this one the same seconds
                result = search(fitness.fresh(), moves, generator(seed, "search", part.name))
                best[result.best_arch] = seed
                where = live_benchmark(run.config.space), run.on_cpu.task.name
                traces.append(result.trace(*where, part=part.name, search_seed=seed))
                if part.queries is not None:
                    bar.update(task, completed=i * part.queries)  # repeats are not asked, and are done too
        record = run.record(part.name, {"noise": part.noise_seed, **{f"search {s}": s for s in part.search_seeds}})
        write_frame(check(pl.concat(traces), "TRACE"), folder / "trace.parquet", record)
        if part.curvature:
            write_frame(fitness.around(list(best)), folder / "perturbed.parquet", record)
    return folder


def _constraint(run: Run, part: SearchConfig) -> Constraint | None:
    limits = {f"{cost}_{end}": getattr(part, f"{cost}_{end}") for cost in COSTS for end in ("min", "max")}
    if all(value is None for value in limits.values()):
        return None
    return Constraint(**limits, of=_costs(run))


def _costs(run: Run) -> Callable[[str], Mapping[str, float]]:
    from ..networks.costs import network_costs

    net, task = run.on_cpu.blank(), run.on_cpu.task
    return lambda arch: network_costs(net, arch, inputs=task.inputs, size=task.size)


@dataclass(frozen=True)
class _Source:
    """Units of one kind: what is done to an architecture, and the SCORES that its rows give."""

    run: Run
    part: MeasureConfig | FinetuneConfig
    folder: Path
    work: Callable[..., pl.DataFrame]
    scores: Callable[[pl.DataFrame], pl.DataFrame]
    fingerprint: Mapping[str, Any]
    workers: int

    def rows(self, archs: Sequence[str]) -> dict[str, pl.DataFrame]:
        """Architecture -> rows of its unit; those without a file are made first."""
        from ..training.devices import DeviceError
        from .parts import unit_name

        home = prepare(self.folder, self.fingerprint, resume=True)
        distinct = list(dict.fromkeys(archs))
        units = {unit_name(arch): (self.run, self.part, arch) for arch in distinct}
        how = {"workers": self.workers, "needs": self.run.needs, "quiet": True}
        paths = run_units(self.work, units, home, description=self.part.name, **how)  # type: ignore[arg-type]
        frames = gather(paths)
        lacking = [(path, rows) for path, rows in zip(paths, frames, strict=True) if "lacked_memory" in rows.columns]
        for path, _ in lacking:
            path.unlink()
        if lacking:
            raise DeviceError(lacking[0][1]["error"].drop_nulls()[0])
        return dict(zip(distinct, frames, strict=True))


class LiveFitness:
    """Weighted sum of what a live network says of an architecture: means over the supernets of a part.

    A term is a cost of the network (``params``, ``flops``), what a finetuning reads (where the part names one), or
    what is measured on the inherited weights. Called on architectures, it makes the files that are not there yet
    (several processes) and answers from the files.

    Also a `SteppedFitness`, where a finetuning is named: ``fitness(archs, step, after)``. Every finetuning
    starts at the inherited weights; the seconds of the steps in between are its share of the whole.
    """

    def __init__(self, run: Run, part: SearchConfig, folder: Path, *, workers: int = 1) -> None:
        self.run, self.part, self.folder, self.workers = run, part, folder, workers
        self.space = run.config.space
        self.tell: Callable[[int], None] = lambda _: None  # called with how many architectures were answered
        self.name = " + ".join(
            term.proxy if term.weight == 1 else f"{term.weight:g} {term.proxy}" for term in part.terms
        )
        train = run.config.train
        self._supernets = {
            "protocols": part.protocols or train.protocols[:1],
            "seeds": part.seeds or train.seeds[:1],
        }
        self._tuning = _tuning(run, part)
        proxies = [term.proxy for term in part.terms]
        self._costs = _costs(run) if any(name in COSTS for name in proxies) else None
        self._tuned = [name for name in proxies if self._tuning is not None and _is_tuned(name, self._tuning, run)]
        self._read = [name for name in proxies if name not in (*COSTS, *self._tuned)]
        self._check()
        self._measuring = self._measured_source() if self._read else None

    def _check(self) -> None:
        """What cannot be is said before anything is measured."""
        from ..training.finetune import MEASURES
        from ..training.settings import MEASURED

        for name in self._read:
            if needs_of(name) == "perturbed":
                if len(self.part.sigmas) < 2:
                    raise ParameterError(f"search {self.part.name!r}: {name}: expected at least two sigmas")
            elif name in MEASURES and name not in MEASURED:
                raise ParameterError(
                    f"search {self.part.name!r}: {name} is read by a finetuning: name one, `finetune = NAME`"
                )
            elif name not in MEASURED:
                raise UnknownNameError(f"fitness of search {self.part.name!r}", name, [*COSTS, *MEASURED, *MEASURES])
        if self.part.algorithm == "successive_halving" and (self._tuning is None or self._read):
            raise ParameterError(
                f"search {self.part.name!r}: successive_halving needs a fitness that grows with training: terms that a "
                "finetuning reads, and `finetune = NAME`"
            )

    def fresh(self) -> Any:
        """For one search: what it asks twice costs nothing the second time."""
        return self if self.part.algorithm == "successive_halving" else Memoised(self)

    def __call__(self, archs: Sequence[str], /, step: int | None = None, after: int = 0) -> Answers:
        """`Answers`; NaN for an architecture that failed, or whose value is undefined, on one of the supernets."""
        values: dict[str, dict[str, float]] = {name: {} for name in (*COSTS, *self._tuned, *self._read)}
        seconds = dict.fromkeys(archs, 0.0)
        if self._measuring is not None:
            for arch, rows in self._measuring.rows(archs).items():
                seconds[arch] += _seconds(rows)
                for name in self._read:
                    values[name][arch] = _mean(rows, self._measuring.scores, name, None)
        if self._tuned:
            source, settings = self._tuned_source(step)
            for arch, rows in source.rows(archs).items():
                share = 1.0 if step is None else (step - after) / step
                seconds[arch] += share * _seconds(rows)
                for name in self._tuned:
                    values[name][arch] = _mean(rows, source.scores, name, settings.read_at(name))
        if self._costs is not None:
            for arch in seconds:
                for name, value in self._costs(arch).items():
                    values[name][arch] = value
        total = np.zeros(len(archs))
        for term in self.part.terms:
            scores = direction(term.proxy) * np.array([values[term.proxy][arch] for arch in archs])
            total += term.weight * normalise(scores, term.rule, sigma_1=term.sigma_1)
        self.tell(len(archs))
        return Answers.of(total, [seconds[arch] for arch in archs], name=self.name)

    def around(self, archs: Sequence[str]) -> pl.DataFrame:
        """PERTURBED of `archs` at the sigmas of ``curvature``, from every supernet of the part."""
        from .measure import perturbed

        source = self._measure(self.part.around, self.folder / "found")
        rows = pl.concat(source.rows(archs).values(), how="diagonal_relaxed")
        return perturbed(rows.filter(pl.col("error").is_null()), source.part)  # type: ignore[arg-type]

    def _measured_source(self) -> _Source:
        from .config import MeasureConfig

        measures = tuple(sorted(name for name in self._read if needs_of(name) != "perturbed"))
        sigmas = self.part.sigmas if len(measures) < len(self._read) else ()
        return self._measure(MeasureConfig.of(self.part, measures=measures, sigmas=sigmas), self.folder)

    def _measure(self, part: MeasureConfig, folder: Path) -> _Source:
        from .measure import measure_fingerprint, measure_unit, perturbed, require, scores
        from .parts import jobs_of

        part = part.model_copy(update=self._supernets)
        require(self.run, part, jobs_of(self.run, part))
        noisy = [name for name in self._read if needs_of(name) == "perturbed"]

        def read(rows: pl.DataFrame) -> pl.DataFrame:
            if not part.sigmas:
                return scores(rows)
            noise, kind = perturbed(rows, part), part.kind_of_noise
            return pl.concat([scores(rows), *(score_noise(name, noise, **kind) for name in noisy)])

        mark = measure_fingerprint(self.run, part)
        return _Source(self.run, part, folder, measure_unit, read, mark, self.workers)

    def _tuned_source(self, step: int | None) -> tuple[_Source, FinetuneSettings]:
        from .finetune import finetune_fingerprint, finetune_unit, require, scores

        assert self._tuning is not None
        part = self._tuning.model_copy(update=self._supernets)
        folder = self.folder / "finetune"
        if step is not None:
            part, folder = part.model_copy(update={"minibatches": step}), folder / f"step-{step}"
        require(self.run, part)
        mark = finetune_fingerprint(self.run, part)
        source = _Source(self.run, part, folder, finetune_unit, scores, mark, self.workers)
        return source, part.settings


def _tuning(run: Run, part: SearchConfig) -> FinetuneConfig | None:
    if part.finetune is None:
        return None
    named = {tuned.name: tuned for tuned in run.config.finetune}
    if part.finetune not in named:
        raise UnknownNameError(f"finetune of search {part.name!r}", part.finetune, named)
    return named[part.finetune]


def _is_tuned(name: str, tuning: FinetuneConfig, run: Run) -> bool:
    """Whether a finetuning reads `name`; `ParameterError` where this one does not."""
    from ..training.finetune import MEASURES

    if name not in MEASURES:
        return False
    if name.startswith("sog") and not tuning.gradients:
        raise ParameterError(f"finetune {tuning.name!r} does not sum gradients: {name} needs `gradients = true`")
    if name in ("val_acc_mini", "sovl") and not tuning.valid_batch:
        raise ParameterError(f"finetune {tuning.name!r} reads no validation minibatch: {name} needs `valid_batch`")
    return True


def _mean(rows: pl.DataFrame, scores: Callable[[pl.DataFrame], pl.DataFrame], name: str, step: int | None) -> float:
    """Mean of a score over the supernets of a unit; NaN where one failed or has none."""
    if rows["error"].is_not_null().any():
        return float("nan")
    values = scores(rows).filter(pl.col("proxy") == name, pl.col("step").eq_missing(step))["value"]
    if values.is_null().any() or len(values) != len(rows.select("method", "seed").unique()):
        return float("nan")
    return float(values.to_numpy().mean())


def _seconds(rows: pl.DataFrame) -> float:
    return float(rows["seconds"].sum()) if "seconds" in rows.columns else 0.0

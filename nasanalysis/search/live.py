"""``nasanalysis supernet search``: a search whose fitness is read from live supernets (extra `supernet`).

``out/search/NAME/units/`` holds one file for each architecture that was asked, so a killed search goes through what
it asked before without measuring it again, and several searches of one part share their measurements.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from ..errors import SearchError, UnknownNameError
from ..frames import check, write_frame
from ..proxies import direction, get_proxy, needs_noise
from ..seeding import generator
from ..stats.combine import normalise
from ..units import exclusive, gather, prepare, run_units
from .bind import bind
from .constraints import Constraint, get_moves
from .fitness import Answers, Memoised

if TYPE_CHECKING:
    from ..supernets.config import FinetuneConfig, SearchConfig
    from ..supernets.run import Run


def search_all(run: Run, *, only: str | None = None, workers: int = 1) -> list[Path]:
    """Every part ``[[search]]``, or the one called `only`; folders with ``trace.parquet`` (TRACE, all seeds).

    With ``curvature`` also ``perturbed.parquet``: PERTURBED of the architecture that each seed found.
    """
    from ..supernets.parts import chosen

    return [_search_part(run, part, workers) for part in chosen(run.config.search, only, "search")]


def _search_part(run: Run, part: SearchConfig, workers: int) -> Path:
    from ..supernets.base import live_benchmark

    search = _algorithm(part)
    folder = run.out / "search" / part.name
    with exclusive(folder):
        fitness = LiveFitness(run, part, folder, workers=workers)
        moves = get_moves(run.config.space, constraint=_constraint(run, part))
        traces, best = [], {}
        for seed in part.search_seeds:
            # a search pays for what it asks first; what another has measured costs it the same seconds
            found = search(fitness.fresh(), moves, generator(seed, "search", part.name))
            best[found.best_arch] = seed
            traces.append(
                found.trace(live_benchmark(run.config.space), run.on_cpu.task.name, seed=seed, setting=part.name)
            )
        record = run.record(part.name, {"noise": part.noise_seed, **{f"search {s}": s for s in part.search_seeds}})
        write_frame(check(pl.concat(traces), "TRACE"), folder / "trace.parquet", record)
        if part.curvature:
            write_frame(fitness.around(list(best)), folder / "perturbed.parquet", record)
    return folder


def _algorithm(part: SearchConfig) -> Any:
    """``(fitness, moves, rng) -> SearchResult`` with the settings of `part`, checked before anything is measured."""
    bound = bind(part.algorithm, preset=part.preset, options=dict(part.options))
    return partial(bound, queries=part.queries, seconds=part.budget_seconds)


def _constraint(run: Run, part: SearchConfig) -> Constraint | None:
    limits = {name: getattr(part, name) for name in ("params_min", "params_max", "flops_min", "flops_max")}
    if all(value is None for value in limits.values()):
        return None
    network = run.config.network
    return Constraint(**limits, channels=network.channels, cells=network.cells)


class LiveFitness:
    """Weighted sum of what is read from the weights that an architecture inherits: mean over the supernets of a part.

    Called on architectures, it measures those that have no file yet (several processes) and answers from the files.
    Also a `SteppedFitness`, where the terms are read by a finetuning: ``fitness(archs, step, after)``. Every
    finetuning starts at the inherited weights; the seconds of the steps in between are its share of the whole.
    """

    def __init__(self, run: Run, part: SearchConfig, folder: Path, *, workers: int = 1) -> None:
        from ..supernets.measure_run import require_angles

        self.run, self.part, self.folder, self.workers = run, part, folder, workers
        self.name = " + ".join(
            term.proxy if term.weight == 1 else f"{term.weight:g} {term.proxy}" for term in part.terms
        )
        self.space = run.config.space
        self.tuning = _tuning(run, part)
        train = run.config.train
        self._jobs = [(p, s) for p in part.protocols or train.protocols[:1] for s in part.seeds or train.seeds[:1]]
        run.require_supernets(self._jobs)
        proxies = [term.proxy for term in part.terms]
        self._noisy = [name for name in proxies if needs_noise(name)]
        read = tuple(name for name in proxies if name not in self._noisy)
        if self.tuning is None:
            self._part: Any = part.model_copy(
                update={"measures": read, "sigmas": part.settings.sigmas if self._noisy else ()}
            )
            _ = self._part.settings  # an unknown measure is an error now
            require_angles(run, read, self._jobs)
        else:
            self._part = self.tuning
        self._supernets = {
            "protocols": tuple(dict.fromkeys(protocol for protocol, _ in self._jobs)),
            "seeds": tuple(dict.fromkeys(seed for _, seed in self._jobs)),
        }
        self._part = self._part.model_copy(update=self._supernets)
        settings = asdict(part.settings) if self.tuning is None else asdict(self.tuning.settings(run.config.train))
        self._fingerprint = {
            **run.fingerprint(self._jobs),
            "read": {**settings, "measures": sorted(read), "noise_seed": part.noise_seed},
        }

    def fresh(self) -> Any:
        """For one search: what it asks twice costs nothing the second time."""
        return self if self.tuning is not None and self.part.algorithm == "successive_halving" else Memoised(self)

    def __call__(self, archs: Sequence[str], /, step: int | None = None, after: int = 0) -> Answers:
        """`Answers`; NaN for an architecture that failed on one of the supernets."""
        rows = self._rows(archs, step)
        values = {arch: self._value(rows[arch], step) for arch in rows}
        seconds = {arch: self._seconds(rows[arch], step, after) for arch in rows}
        return Answers.of([values[a] for a in archs], [seconds[a] for a in archs], name=self.name)

    def _rows(self, archs: Sequence[str], step: int | None) -> dict[str, pl.DataFrame]:
        from ..supernets.finetune_run import finetune_unit
        from ..supernets.measure_run import measure_unit
        from ..supernets.parts import unit_name

        part, mark, folder = self._part, self._fingerprint, self.folder
        if step is not None:
            if self.tuning is None:
                raise SearchError(f"{self.name}: has no steps: give the part a finetuning (`finetune = NAME`)")
            part = part.model_copy(update={"minibatches": step})
            mark, folder = {**mark, "minibatches": step}, folder / f"step-{step}"
        home = prepare(folder, mark, resume=True)
        distinct = list(dict.fromkeys(archs))
        units = {unit_name(arch): (self.run, part, arch) for arch in distinct}
        work = measure_unit if self.tuning is None else finetune_unit
        paths = run_units(
            work,
            units,
            home,
            workers=self.workers,
            needs=self.run.needs,
            description=f"search {self.part.name}",
            quiet=True,
        )
        return dict(zip(distinct, gather(paths), strict=True))

    def around(self, archs: Sequence[str]) -> pl.DataFrame:
        """PERTURBED of `archs` at the sigmas of ``curvature``, from every supernet of the part."""
        from ..supernets.measure_run import measure_unit, perturbed
        from ..supernets.parts import unit_name

        part = self.part.around.model_copy(update=self._supernets)
        mark = {**self._fingerprint, "read": {**asdict(part.settings), "noise_seed": part.noise_seed}}
        home = prepare(self.folder / "found", mark, resume=True)
        units = {unit_name(arch): (self.run, part, arch) for arch in archs}
        what = f"around what {part.name} found"
        paths = run_units(measure_unit, units, home, workers=self.workers, needs=self.run.needs, description=what)
        rows = pl.concat(gather(paths), how="diagonal_relaxed")
        return perturbed(rows.filter(pl.col("error").is_null()), part)

    def _value(self, rows: pl.DataFrame, step: int | None) -> float:
        if rows["error"].is_not_null().any():
            return float("nan")
        scores = self._scores(rows, step)
        total = 0.0
        for term in self.part.terms:
            own = scores.filter(pl.col("proxy") == get_proxy(term.proxy).name)["value"]
            if len(own) != len(self._jobs) or own.is_null().any():
                return float("nan")
            values = direction(term.proxy) * own.to_numpy()
            total += term.weight * float(normalise(values, term.rule, sigma_1=term.sigma_1).mean())
        return total

    def _scores(self, rows: pl.DataFrame, step: int | None) -> pl.DataFrame:
        if self.tuning is not None:
            from ..supernets.finetune_run import scores as read

            found = read(rows)
            last = pl.col("step").max().over("proxy") if step is None else pl.lit(step)
            return found.filter(pl.col("step") == last)
        from ..supernets.measure_run import perturbed, scores

        noise = perturbed(rows, self._part) if self._noisy else None
        made = [get_proxy(name)(noise) for name in self._noisy] if noise is not None else []
        return pl.concat([scores(rows), *made])

    def _seconds(self, rows: pl.DataFrame, step: int | None, after: int) -> float:
        if "seconds" not in rows.columns:
            return 0.0
        spent = float(rows["seconds"].sum())
        return spent if step is None else spent * (step - after) / step


def _tuning(run: Run, part: SearchConfig) -> FinetuneConfig | None:
    if part.finetune is None:
        return None
    named = {tuned.name: tuned for tuned in run.config.finetune}
    if part.finetune not in named:
        raise UnknownNameError(f"finetune of search {part.name!r}", part.finetune, named)
    return named[part.finetune]

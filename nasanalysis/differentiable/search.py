"""Running a search to its end, whatever kills it on the way, and what it leaves: TRACE, ALPHAS, one architecture."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ..core.errors import ParameterError
from ..core.frames import check, read_frame, write_frame
from ..core.provenance import package_versions, provenance
from ..core.seeding import generator
from ..networks.base import live_benchmark
from ..networks.mixture import Mixture, Place, one_hot
from ..spaces import get_space
from ..spaces.base import Arch
from ..spaces.capabilities import HasNeighbours, HasParams, Samplable
from ..training.loop import Loop, run, weights_and_shapes
from .learner import SearchLearner
from .selection import select
from .stopping import AdaptiveDecay, EarlyStopping


@dataclass(frozen=True)
class Outcome:
    """What a search leaves.

    Attributes
    ----------
    arch: the architecture it selects.
    trace: TRACE, numbers of every epoch and, as text, the architecture that would be selected after it (``genotype``)
        and the one that is (``selected``, at the epoch it is of).
    alphas: ALPHAS, weights, parameters and masks of every epoch from 0.
    """

    arch: Arch
    trace: pl.DataFrame
    alphas: pl.DataFrame


class SearchLoop(Loop):
    """The training loop, which a criterion may end early or send back.

    Attributes
    ----------
    selected_at: the epoch whose architecture counts, where it is not that of the end.
    returns: (epoch it fired, epoch it went back to) of each return.
    """

    def __init__(self, learner: SearchLearner) -> None:
        super().__init__(learner, learner.course, epochs=learner.course.epochs)
        self.search = learner
        self.selected_at: int | None = None
        self.returns: list[list[int]] = []
        self._kept: dict[int, dict[str, Any]] = {}

    def run_epoch(self) -> dict[str, float]:
        stopping = self.search.method.stopping
        if isinstance(stopping, AdaptiveDecay):
            self._kept[self.epoch] = copy.deepcopy(super().state())
            self._kept = {e: s for e, s in self._kept.items() if e >= self.epoch - _reach(stopping)}
        row = super().run_epoch()
        if stopping is not None and self.epoch < self.epochs:
            self._judge(stopping)
        return row

    def _judge(self, stopping: EarlyStopping | AdaptiveDecay) -> None:
        values = {
            int(record["epoch"]): record["numbers"]["arch_hessian_ev"]
            for record in self.search.history
            # what is read for a reader's sake alone (`diagnostics`) has no say
            if "arch_hessian_ev" in record["numbers"] and record["epoch"] and record["epoch"] % stopping.rule.every == 0
        }
        stop = stopping.rule(values)
        if stop is None or stop.stop_epoch != self.epoch:
            return
        if isinstance(stopping, EarlyStopping):
            self.selected_at, self.epochs = stop.return_epoch, self.epoch
            return
        if self.search.weight_decay >= stopping.most or stop.return_epoch not in self._kept:
            return
        decay = min(stopping.most, self.search.weight_decay * stopping.factor)
        self.returns.append([self.epoch, stop.return_epoch])
        super().restore(copy.deepcopy(self._kept[stop.return_epoch]))
        self._kept = {e: s for e, s in self._kept.items() if e <= stop.return_epoch}
        self.search.set_weight_decay(decay)

    def state(self) -> dict[str, Any]:
        return {
            **super().state(),
            "selected_at": self.selected_at,
            "returns": self.returns,
            "kept": [[epoch, state] for epoch, state in self._kept.items()],
            "of": self.epochs,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        super().restore(state)
        self.selected_at, self.epochs = state["selected_at"], state["of"]
        self.returns = [list(each) for each in state["returns"]]
        self._kept = {int(epoch): dict(kept) for epoch, kept in state["kept"]}


def _reach(stopping: EarlyStopping | AdaptiveDecay) -> int:
    rule = stopping.rule
    return 2 * rule.reach + rule.lag


def run_search(
    learner: SearchLearner,
    folder: Path,
    *,
    setting: str = "",
    config: Mapping[str, Any] | None = None,
    on_epoch: Callable[[int, int], object] = lambda done, of: None,
    other_versions: bool = False,
) -> Outcome:
    """Search to the end in `folder`; a search that was killed goes on from its last epoch.

    Files: those of `nasanalysis.training.loop.run`, and ``trace.parquet``, ``alphas.parquet`` (with provenance).
    `config` joins the fingerprint; `setting` stands in the frames. `other_versions`: also go on from what other
    versions of packages began.

    Raises `BuildError` where `folder` holds another search, or the loss or alphas are not finite (the last checkpoint
    is kept).
    """
    loop = SearchLoop(learner)
    mark = fingerprint(learner, config or {})
    run(
        loop,
        folder,
        mark,
        finish=lambda done: _write(learner, loop, folder, setting, mark),
        snapshots=snapshots(learner),
        on_epoch=on_epoch,
        other_versions=other_versions,
    )
    return read_outcome(folder)


def snapshots(learner: SearchLearner) -> list[int]:
    """Epochs after which weights are kept (``epoch-N.pt``), beside those of the end."""
    every = learner.settings.keep_weights_every
    return list(range(every, learner.course.epochs, every)) if every else []


def read_outcome(folder: Path) -> Outcome:
    """What a finished search left in `folder`; `MissingDataError` where it is not finished."""
    trace = check(read_frame(folder / "trace.parquet"), "TRACE")
    alphas = check(read_frame(folder / "alphas.parquet"), "ALPHAS")
    arch = trace.filter(quantity="selected")["text"].item()
    return Outcome(Arch.from_text(arch), trace, alphas)


def fingerprint(learner: SearchLearner, extra: Mapping[str, Any]) -> dict[str, Any]:
    """What must be equal for a search to go on from a checkpoint."""
    task = learner.task
    return {
        "space": learner.space,
        "weights": weights_and_shapes(learner.net) if learner.number == 0 else [],
        "network": learner.network.model_dump(),
        "task": [task.name, task.size, task.classes, len(task.labels)],
        "inputs": dict(task.inputs_sha256),
        "method": learner.method.name,
        "parts": learner.method.described(),
        "settings": learner.settings.model_dump(),
        "seed": learner.seed,
        "packages": package_versions(("torch", "numpy")),
        **extra,
    }


def chosen(learner: SearchLearner, selected_at: int | None = None) -> Arch:
    """The architecture that a search selects by its method's rule; `selected_at`: as it was after that epoch."""
    selection = learner.method.selection
    if selected_at is not None:
        return Arch.from_text(_genotype_at(learner.history, selected_at))
    if selection.by == "weights":
        return learner.selected()
    rng = generator(learner.seed, "search", "selection")
    space: Samplable = get_space(learner.space, Samplable)
    if selection.by == "random":
        return space.sample(1, rng)[0]
    if selection.by == "largest":
        return largest(learner.space)
    return _best_of(learner, selection.samples, rng)


def _genotype_at(history: Sequence[Mapping[str, Any]], epoch: int) -> str:
    for record in reversed(history):
        if record["epoch"] == epoch and record.get("genotype"):
            return str(record["genotype"])
    raise ParameterError(
        f"search: expected a genotype of epoch {epoch}, got none; the rule asks for one before the start"
    )


def largest(space: str) -> Arch:
    """The architecture of most parameters, by steps to the best neighbour from one that is drawn: a control, no
    search.
    """
    definition: Any = get_space(space, HasParams)
    get_space(space, HasNeighbours)

    def params(arch: Arch) -> int:
        return int(definition.params(arch, "cifar10"))  # images change all architectures alike

    arch: Arch = definition.sample(1, generator(0, "search", "largest"))[0]
    while params(better := max(definition.neighbours(arch), key=params)) > params(arch):
        arch = better
    return arch


def _best_of(learner: SearchLearner, samples: int, rng: np.random.Generator) -> Arch:
    """The best by the accuracy of the supernet on alpha's images, of architectures drawn uniformly or by the
    controller.
    """
    net: Any = learner.net
    candidates: list[tuple[Arch, Mixture]] = []
    if learner.controller is not None:
        draws = learner.selection_stream()
        for _ in range(samples):
            choices = learner.controller.net.draw(draws).choices
            table = {d.place: {c: 1.0} for d, c in zip(learner.alphas.decisions, choices, strict=True)}
            candidates.append((select(learner.space, table), one_hot(net, {p: tuple(row) for p, row in table.items()})))
    else:
        for arch in get_space(learner.space, Samplable).sample(samples, rng):
            candidates.append((arch, one_hot(net, net.chosen(net.choice(arch)))))
    accuracies = [learner.accuracy_under(mixture) for _, mixture in candidates]
    return candidates[int(np.argmax(accuracies))][0]


def _write(learner: SearchLearner, loop: SearchLoop, folder: Path, setting: str, mark: Mapping[str, Any]) -> None:
    learner.net.train()
    arch = chosen(learner, loop.selected_at)
    record = provenance(seeds={"search": learner.seed}, config=json.loads(json.dumps(mark)))
    record["inputs"] = dict(learner.task.inputs_sha256)
    head = {
        "benchmark": live_benchmark(learner.space),
        "dataset": learner.task.name,
        "method": learner.method.name,
        "setting": setting,
        "seed": learner.seed,
    }
    rows = _trace_rows(loop, learner.history, arch)
    schema = {"epoch": pl.Int64, "quantity": pl.String, "value": pl.Float64, "text": pl.String}
    trace = pl.DataFrame(rows, schema=schema, orient="row").with_columns(part=pl.lit(None, pl.String))
    spectra = spectrum_rows(learner.history)
    trace = pl.concat([trace, spectra.select(trace.columns)]).with_columns(**{k: pl.lit(v) for k, v in head.items()})
    write_frame(check(trace, "TRACE"), folder / "trace.parquet", record)
    alphas = pl.DataFrame(
        alpha_rows(learner.history),
        schema={
            "epoch": pl.Int64,
            "cell": pl.String,
            "edge": pl.String,
            "operation": pl.String,
            "weight": pl.Float64,
            "alpha": pl.Float64,
            "mask": pl.Boolean,
        },
        orient="row",
    ).with_columns(**{k: pl.lit(v) for k, v in head.items()})
    write_frame(check(alphas, "ALPHAS"), folder / "alphas.parquet", record)


def _trace_rows(
    loop: SearchLoop, history: Sequence[Mapping[str, Any]], arch: Arch
) -> list[tuple[int, str, float | None, str | None]]:
    rows: list[tuple[int, str, float | None, str | None]] = []
    named = {name for record in history for name in record["numbers"]}
    for row in loop.rows:
        for name, value in row.items():
            if name != "epoch" and name not in named:
                rows.append((int(row["epoch"]), name, float(value), None))
    for record in history:
        rows += [(record["epoch"], name, float(value), None) for name, value in record["numbers"].items()]
        if record.get("genotype"):
            rows.append((record["epoch"], "genotype", None, record["genotype"]))
        rows += [(record["epoch"], name, None, said) for name, said in record.get("notes", {}).items()]
    rows += [(fired, "went_back_to", float(to), None) for fired, to in loop.returns]
    rows.append((history[-1]["epoch"] if loop.selected_at is None else loop.selected_at, "selected", None, str(arch)))
    return rows


def spectrum_rows(history: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """epoch, quantity (``arch_hessian_spectrum``), part (number of the eigenvalue, from the lowest), value, text."""
    rows = [
        (record["epoch"], "arch_hessian_spectrum", str(number), value, None)
        for record in history
        for number, value in enumerate(record.get("spectrum", []))
    ]
    schema = {"epoch": pl.Int64, "quantity": pl.String, "part": pl.String, "value": pl.Float64, "text": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def alpha_rows(history: Sequence[Mapping[str, Any]]) -> list[tuple[int, str, str, str, float, float, bool]]:
    """(epoch, cell, edge, candidate, weight, alpha, whether it is still there) of every record of a history."""
    rows = []
    for record in history:
        state = record["alphas"]
        values, active = state["values"].tolist(), state["active"].tolist()
        decided = {Place(c, e): op for c, e, op in state["decided"]}
        removed = {Place(*each) for each in state["removed"]}
        for i, (cell, edge, *candidates) in enumerate(state["names"]):
            place = Place(cell, edge)
            weights = record["weights"].get(f"{cell}/{edge}", {})
            for j, candidate in enumerate(candidates):
                there = active[i][j] and place not in removed and decided.get(place, candidate) == candidate
                rows.append(
                    (record["epoch"], cell, edge, candidate, float(weights.get(candidate, 0.0)), values[i][j], there)
                )
    return rows

"""A search as something that the one training loop trains: periods of an alpha step and its weight steps (torch).

One update is one *period*: the gradient of alpha on the training batches to come, a step of alpha, then a weight step
on each of these batches. DARTS has a period of one batch, SoTL-DARTS of T. Everything that makes one method differ from
another is a part of its `Method`; there is no other loop.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..core.errors import BuildError, ParameterError
from ..core.seeding import generator, torch_generator
from ..networks.build import build_relaxed
from ..networks.config import NetworkConfig
from ..networks.mixture import Place, Relaxable
from ..spaces.base import Arch
from ..training.loop import Learner, Reading
from ..training.optimisers import optimiser
from ..training.stream import Stream
from ..training.tasks import Task, valid_batches
from .controller import ControllerLearner, ControllerNet
from .diagnostics import diagnosed, require_defined
from .freezing import OperationWatch
from .images import cut_out
from .measuring import measuring, randomness_of
from .method import Method
from .relaxations import OneArchitecture
from .selection import Table, margins, select, with_few_skips
from .settings import SearchSettings
from .stages import Course, Stage
from .state import Alphas
from .subject import Batch, NetworkSubject
from .widening import widen


class Supernet(NamedTuple):
    """What a relaxed network says on images: mean loss in nats, accuracy in percent."""

    loss: float
    accuracy: float


class SearchLearner(Learner):
    """One search of one method with one seed.

    Parameters
    ----------
    space, network, task: what is searched, the network around it, and on which images.
    method, settings: see `Method` and `nasanalysis.differentiable.settings.settings_for`, which knows what a method
    sets.

    Attributes
    ----------
    alphas: the state. batch_size: now (SGAS lets it grow). stage: the part of the search that runs.
    history: one record for each epoch from 0: what was decided, and the numbers.
    watch: of operations that may stop learning (OLES), or None.
    weight_decay: of the weights, now (DARTS-ADA lets it grow). left: training batches of this epoch still to come.
    """

    advice = "Use a smaller learning_rate, or clip"

    def __init__(
        self,
        space: str,
        network: NetworkConfig,
        task: Task,
        method: Method,
        settings: SearchSettings,
        *,
        seed: int,
        device: str = "cpu",
    ) -> None:
        self.space, self.task, self.method, self.seed, self.device = space, task, method, seed, device
        self.settings = settings
        require_defined(method, settings)
        self.network = network.changed(**method.network) if method.network else network
        self.name = f"{method.name}, seed {seed}"
        self.course = Course(method.stages, self.settings.learning_rate, self.settings.learning_rate_min)
        self.batch_size = self.settings.batch_size
        self.weight_decay = self.settings.weight_decay
        self.rng = generator(seed, "search", "decisions")
        self._draws = torch_generator(seed, "search", "relaxation")
        self._order = torch_generator(seed, "search", "order")
        self._augment = torch_generator(seed, "search", "augmentation")
        self._fresh = torch_generator(seed, "search", "weights")
        self.weight_images, self.alpha_images = self._halves()
        self.history: list[dict[str, Any]] = []
        self.number, self.done = 0, 0
        self._fixed: dict[str, list[Batch]] = {}
        self.controller: ControllerLearner | None = None
        self.watch: OperationWatch | None = None
        self._build(0, None)
        self.updates = max(1, -(-self.batches // method.period) * self.course.epochs)
        self.record(0)

    # the parts of a stage

    @property
    def stage(self) -> Stage:
        """The stage that runs."""
        return self.course.stages[self.number]

    @property
    def batches(self) -> int:
        """Training batches of an epoch, the last one smaller."""
        count, rest = divmod(len(self.weight_images), self.batch_size)
        return count + (rest > 1)

    def _halves(self) -> tuple[Tensor, Tensor]:
        """Indices of the images that weights, and that alphas are trained on: the same for every seed."""
        count = len(self.task.labels)
        order = torch.randperm(count, generator=torch_generator(0, "search", "halves"))
        first = round(count * (1 - self.settings.alpha_share))
        if min(first, count - first) < self.batch_size:
            raise ParameterError(
                f"search: expected at least one batch of {self.batch_size} images for the weights and one for alpha, "
                f"got {first} and {count - first}; use more images or smaller batches"
            )
        return order[:first], order[first:]

    def _build(self, number: int, before: Alphas | None) -> None:
        """Network, alphas and optimisers of a stage; `before`: the alphas of the stage that ends."""
        self.number, stage = number, self.course.stages[number]
        if number == 0 or stage.network:
            network = self.network.changed(**stage.network) if stage.network else self.network
            old = getattr(self, "net", None)
            self.net: nn.Module = build_relaxed(self.space, network, self.task, self._fresh, device=self.device)
            if old is not None and stage.widen:
                widen(self.net, old, self._fresh)
            if self.method.freezing is not None:
                self.watch = OperationWatch(self.net, self.method.freezing)
        net = self.net
        assert isinstance(net, Relaxable)
        decisions = net.decisions + (net.edge_decisions if self.method.edge_weights else ())
        if self.method.edge_weights and not net.edge_decisions:
            raise ParameterError(
                f"{self.method.name}: expected a space whose inputs can be weighed, got {self.space}, which chooses "
                "its inputs already"
            )
        if before is None or stage.network or stage.fresh:
            draws = torch_generator(self.seed, "search", "alphas", number)
            self.alphas = Alphas(decisions, None if self.method.zero_alphas else draws)
            if before is not None:
                self.alphas.follow(before, values=not stage.fresh)
        if stage.keep is not None:
            self._keep(stage.keep)
        if self.method.controller is not None and self.controller is None:
            start = torch_generator(self.seed, "search", "controller")
            self.controller = ControllerLearner(ControllerNet(decisions, self.method.controller, start))
        self._optimisers()

    def _optimisers(self) -> None:
        settings = self.settings
        self.optimiser = optimiser(
            "sgd",
            self.net.parameters(),
            learning_rate=settings.learning_rate,
            momentum=settings.momentum,
            weight_decay=self.weight_decay,
            nesterov=settings.nesterov,
            clip=settings.clip,
        )
        self.alpha_optimiser = self.method.alpha.build(self.alphas)
        self.subject = NetworkSubject(
            self.net, self.alphas, self.method.relaxation, self.optimiser, generator=self._draws, rng=self.rng
        )
        if self.watch is not None:
            self.subject.on_validation = self.watch.validated

    def _keep(self, count: int) -> None:
        """Drop candidates until every place has `count`, the smallest weights first."""
        last = self.number == len(self.course.stages) - 1
        for place, row in self.table().items():
            if self.alphas.decision(place).kind != "operation":
                continue
            # the last stage takes `none` out first (public code of P-DARTS)
            order = sorted(row, key=lambda c: -1.0 if last and c == "none" else row[c])
            for candidate in order[: max(0, len(row) - count)]:
                self.alphas.drop(place, candidate)

    # an epoch

    def begin(self, epoch: int, epochs: int) -> None:
        number, done = self.course.at(epoch)
        if number != self.number:
            self._build(number, self.alphas)
        stage = self.stage
        if stage.decider is not None:
            stage.decider.before_epoch(self, done)
        # while edges are decided after a search, what grew with it stays where it was at its end
        self.subject.progress = min(1.0, epoch / max(1, self.course.searching - 1))
        self._epoch_in_stage = done
        if (draws := randomness_of(self.net)) is not None:
            draws.drop_path = self.method.drop_path * self.subject.progress
            draws.skip_dropout = stage.skip_dropout_at(done)
        self._cutout = self.method.cutout_probability * self.subject.progress
        self._perturb(min(1.0, epoch / self.course.searching))
        self.left = self.batches
        self._train = Stream(len(self.weight_images), self.batch_size, self._order, keep_last=True)
        self._valid = Stream(len(self.alpha_images), min(self.batch_size, len(self.alpha_images)), self._order)

    def _perturb(self, progress: float) -> None:
        """Hang this epoch's noise on the weight step."""
        perturbation = self.method.perturbation
        if perturbation is None:
            self.subject.change = None
            return
        size = perturbation.size(progress)

        def change(weights: Tensor, batch: Batch) -> Tensor:
            return perturbation(weights, self.alphas, lambda w: self._loss_under(w, batch), self._draws, size)

        self.subject.change = change

    def _loss_under(self, weights: Tensor, batch: Batch) -> Tensor:
        """The loss under given weights, with the statistics that were there (the public code attacks in evaluation)."""
        training = self.net.training
        self.net.eval()
        try:
            logits = self.net.mixed(batch[0], self.alphas.mixture(weights))  # type: ignore[operator]
            return F.cross_entropy(logits, batch[1])
        finally:
            self.net.train(training)

    def updates_of(self, epoch: int, epochs: int) -> int:
        return -(-self.batches // self.method.period)

    def update(self) -> Reading:
        count = min(self.method.period, self.left)  # the last period of an epoch is shorter
        self.left -= count
        batches = [self._weight_batch() for _ in range(count)]
        alpha_first = self.settings.order == "alpha-first" or self.method.period > 1
        if alpha_first:
            self._alpha_step(batches)
        steps = [self.subject.step(batch) for batch in batches]
        if self.watch is not None:
            self.watch.trained()
        if not alpha_first:
            self._alpha_step(batches)
        images = [len(batch[1]) for batch in batches]
        shares = torch.tensor(images, dtype=torch.float64) / sum(images)
        loss = (torch.stack([s.loss for s in steps]).double() * shares.to(steps[0].loss.device)).sum()
        correct = (torch.stack([s.correct for s in steps]) * shares.to(steps[0].correct.device)).sum()
        return Reading(loss, correct, sum(images))

    def _alpha_step(self, batches: Sequence[Batch]) -> None:
        stage = self.stage
        if self.method.gradient is None or not stage.alpha or self._epoch_in_stage < stage.frozen:
            return
        # perturbed weights are for the weight step alone
        change, self.subject.change = self.subject.change, None
        gradient = self.method.gradient(self.subject, batches, self._alpha_batch)
        self.subject.change = change
        if not bool(torch.isfinite(gradient).all()):
            raise BuildError(
                f"{self.name}: the gradient of the architecture parameters is not finite; the last checkpoint is kept. "
                f"{self.advice}"
            )
        self.method.alpha.apply(self.alphas, gradient, self.alpha_optimiser, self.subject.progress)
        self.done += 1

    def _weight_batch(self) -> Batch:
        images, labels = self.task.batch(self.weight_images[self._train()], self._augment)
        if self._cutout:
            images = cut_out(images, self._cutout, self._augment)
        return images, labels

    def _alpha_batch(self) -> Batch:
        if self.settings.validation == "pass":
            index = self._valid()
        else:
            index = torch.randperm(len(self.alpha_images), generator=self._order)[: self.batch_size]
        return self.task.batch(self.alpha_images[index], self._augment)

    # readings, which move nothing

    def table(self) -> Table:
        """Place -> candidate -> weight as it is selected by: of the relaxation without draws, settled."""
        with torch.no_grad():
            weights = self.alphas.settle(self.method.relaxation.mean(self.alphas.logits()))
        return {p: row for p, row in self.alphas.by_name(weights).items() if p not in self.alphas.removed}

    def decided_table(self) -> Table:
        """`table`, a decided place with what it is decided on alone."""
        table = dict(self.table())
        for place, candidate in self.alphas.decided.items():
            if place in table:
                table[place] = {candidate: 1.0}
        return table

    def selected(self) -> Arch:
        """The architecture that the weights stand for now."""
        skips, table = self.method.selection.skips, self.decided_table()
        return select(self.space, table) if skips is None else with_few_skips(self.space, table, skips)

    @torch.no_grad()
    def reading(
        self,
        *,
        images: int = 0,
        mask: tuple[Place, str] | None = None,
        removed: Sequence[Place] = (),
        data: str = "alpha",
    ) -> Supernet:
        """Loss and accuracy of the relaxed network, under the weights of `table` (of a hard sampler: their largest).

        Parameters
        ----------
        images: how many of them; 0: `SearchSettings.read_images`, and all where that is 0.
        mask: a candidate whose weight is set to 0, the others as they are. removed: places that contribute nothing.
        data: ``alpha``: the images that alpha is trained on, augmented once and for all; ``weights``: likewise of those
            that the weights are trained on; ``valid``: those of the task.
        """
        weights = self.alphas.settle(self._read_weights()).clone()
        if mask is not None:
            place, candidate = mask
            weights[self.alphas.row(place), self.alphas.column(place, candidate)] = 0
        mixture = self.alphas.mixture(weights)
        for place in removed:
            mixture.rows.pop(place, None)  # type: ignore[attr-defined]
        return self._read(lambda x: self.net.mixed(x, mixture), self._read_batches(images, data))  # type: ignore[operator]

    def _read_weights(self) -> Tensor:
        """Weights without draws; of a hard sampler, whose network never saw a mixture, its largest alone."""
        mean = self.method.relaxation.mean(self.alphas.logits())
        return F.one_hot(mean.argmax(1), mean.shape[1]).to(mean) if self.method.relaxation.hard else mean

    def _read(self, logits_of: Any, batches: Sequence[Batch]) -> Supernet:
        with self.measuring():
            losses, correct, count = 0.0, 0, 0
            for x, labels in batches:
                logits = logits_of(x)
                losses += float(F.cross_entropy(logits, labels, reduction="sum"))
                correct += int((logits.argmax(1) == labels).sum())
                count += len(labels)
        return Supernet(losses / count, 100 * correct / count)

    def measuring(self) -> Any:
        """The network with batch-norm as it is read, and without drop-path; all as before when it ends."""
        return measuring(self.net, self.settings.statistics)

    def _read_batches(self, images: int, data: str) -> list[Batch]:
        if data == "valid":
            return valid_batches(self.task, max(self.batch_size, 2), self.seed)
        if data not in self._fixed:
            # alpha's stream has no second name, as before there were readings of others
            index, names = {"alpha": (self.alpha_images, ()), "weights": (self.weight_images, ("weights",))}[data]
            still = torch_generator(self.seed, "search", "readings", *names)
            size = self.settings.batch_size
            self._fixed[data] = [self.task.batch(index[i : i + size], still) for i in range(0, len(index) - 1, size)]
        fixed = self._fixed[data]
        wanted = images or self.settings.read_images
        if not wanted:
            return fixed
        return fixed[: max(1, -(-wanted // self.settings.batch_size))]

    def stability(self, place: Place, epochs: int) -> float:
        """Mean histogram intersection of an edge's weights with those of the last epochs (SGAS, criterion 2)."""
        now = self.table()[place]
        past = [record["weights"] for record in self.history[-epochs:]]
        key = f"{place.cell}/{place.edge}"
        shared = [sum(min(w, row.get(c, 0.0)) for c, w in now.items()) for row in (each[key] for each in past)]
        return sum(shared) / len(shared) if shared else 1.0

    # after an epoch

    def read(self, done: int) -> dict[str, float]:
        if self.controller is not None:
            self.controller.train(self._accuracy_of, self._draws)
        epoch = len(self.history)
        return {"alpha_updates": float(self.done), **self.record(epoch)}

    def record(self, epoch: int) -> dict[str, float]:
        """Add an epoch's record to `history`; the numbers among it."""
        table = self.decided_table()
        valid = self.reading(data="valid") if self._is_weighted() else Supernet(math.nan, math.nan)
        margin = [m.margin for m in margins(self.table())]
        skips = sum(_best_is(row, "skip_connect") for row in table.values())
        numbers = {
            "supernet_valid_loss": valid.loss,
            "supernet_valid_accuracy": valid.accuracy,
            "margin": float(np.mean(margin)) if margin else math.nan,
            "largest_alpha": float(self.alphas.values.detach().abs().max()),
            "skips": float(skips),
            "decided": float(len(self.alphas.decided)),
        }
        if self.watch is not None:
            numbers["resting_operations"] = float(len(self.watch.resting))
        if epoch and self._reads_eigenvalue(epoch):
            numbers["arch_hessian_ev"] = self.eigenvalue()
        genotype = self.selected() if self.method.selection.by == "weights" else None
        extra = diagnosed(self, epoch, genotype, valid.accuracy)
        numbers = {**extra.numbers, **numbers}
        self.history.append(
            {
                "epoch": epoch,
                "genotype": None if genotype is None else str(genotype),
                "weights": {f"{p.cell}/{p.edge}": dict(row) for p, row in table.items()},
                "alphas": self.alphas.state(),
                "numbers": {k: v for k, v in numbers.items() if math.isfinite(v)},
                "notes": extra.notes,
                "spectrum": extra.spectrum,
            }
        )
        return {k: v for k, v in numbers.items() if math.isfinite(v)}

    def _is_weighted(self) -> bool:
        return self.controller is None and not isinstance(self.method.relaxation, OneArchitecture)

    def _reads_eigenvalue(self, epoch: int) -> bool:
        stopping = self.method.stopping
        return stopping is not None and epoch % stopping.rule.every == 0

    def eigenvalue(self) -> float:
        """The most positive eigenvalue of the Hessian of the loss in alpha, on the first fixed batch of alpha's images.

        Taken under the relaxation's weights without draws, with batch statistics; nothing moves.
        """
        from .hessian import dominant

        return dominant(self)

    def accuracy_under(self, mixture: Any, *, data: str = "alpha") -> float:
        """Accuracy in percent of the network under a mixture, by default on the images that masks are judged on."""
        batches = self._read_batches(0, data)
        with torch.no_grad():
            return self._read(lambda x: self.net.mixed(x, mixture), batches).accuracy  # type: ignore[operator]

    def selection_stream(self) -> torch.Generator:
        """What a controller draws its last architectures from."""
        return torch_generator(self.seed, "search", "selection")

    def set_weight_decay(self, decay: float) -> None:
        """Another weight decay of the weights from now on."""
        self.weight_decay = self.subject.weight_decay = decay
        for group in self.optimiser.param_groups:
            group["weight_decay"] = decay

    def _accuracy_of(self, choices: Sequence[str]) -> float:
        from ..networks.mixture import one_hot

        places = [d.place for d in self.alphas.decisions]
        mixture = one_hot(self.net, {p: (c,) for p, c in zip(places, choices, strict=True)})  # type: ignore[arg-type]
        with torch.no_grad():
            return self._read(lambda x: self.net.mixed(x, mixture), [self._alpha_batch()]).accuracy  # type: ignore[operator]

    # going on after a kill

    def state(self) -> dict[str, Any]:
        kept: dict[str, Any] = {
            "stage": self.number,
            "net": self.net.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "alphas": self.alphas.state(),
            "alpha_optimiser": self.alpha_optimiser.state_dict(),
            "alpha_updates": self.done,
            "batch_size": self.batch_size,
            "weight_decay": self.weight_decay,
            "history": self.history,
            "rng": json.dumps(self.rng.bit_generator.state),
            "streams": [g.get_state() for g in self._streams()],
        }
        if self.controller is not None:
            kept["controller"] = self.controller.state()
        if self.watch is not None:
            kept["watch"] = self.watch.state()
        return kept

    def _streams(self) -> Iterator[torch.Generator]:
        yield from (self._draws, self._order, self._augment, self._fresh)
        if (draws := randomness_of(self.net)) is not None:
            yield draws.generator

    def finished(self, weights: Mapping[str, Tensor]) -> None:
        for number in range(self.number + 1, len(self.course.stages)):
            self._build(number, self.alphas)
        self.net.load_state_dict(weights)

    def restore(self, state: Mapping[str, Any]) -> None:
        self.weight_decay = state["weight_decay"]
        if state["stage"] != self.number:
            for number in range(self.number + 1 if state["stage"] > self.number else 0, state["stage"] + 1):
                self._build(number, self.alphas if number else None)
        else:
            self._optimisers()
        self.net.load_state_dict(state["net"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.set_weight_decay(state["weight_decay"])
        self.alphas.restore(state["alphas"])
        self.alpha_optimiser.load_state_dict(state["alpha_optimiser"])
        self.done, self.batch_size = state["alpha_updates"], state["batch_size"]
        self.history = list(state["history"])
        self.rng.bit_generator.state = json.loads(state["rng"])
        for stream, saved in zip(self._streams(), state["streams"], strict=True):
            stream.set_state(saved)
        if self.controller is not None:
            self.controller.restore(state["controller"])
        if self.watch is not None:
            self.watch.restore(state["watch"])


def _best_is(row: Mapping[str, float], name: str) -> bool:
    others = {c: w for c, w in row.items() if c != "none"}
    return bool(others) and max(others, key=lambda c: others[c]) == name

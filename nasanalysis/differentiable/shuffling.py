"""What changes when edges of a trained supernet, or layers of a network, change places (Wang et al. 2021, Table 1;
torch).

The published text: two random layers of every stage of a ResNet and of a VGG, two random edges of every cell of a
DARTS supernet. What it leaves open is ours: edges swap their operations together with their rows of weights, or their
operations alone; several draws; and accuracy is read twice, with the running statistics of batch-norm as training left
them and with those of the batch, which know of the swap. Only edges with the same candidates and the same stride can be
swapped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from ..core.errors import ParameterError
from ..core.seeding import generator, torch_generator
from ..networks.darts_supernet import DartsSupernet
from ..networks.layered import Kind, LayeredNetwork
from ..networks.mixture import Mixture, Place, each_cell
from ..networks.nb201_supernet import SharedCell
from ..training.alone import AloneLearner
from ..training.alone_settings import AloneSettings
from ..training.loop import Loop
from ..training.tasks import Task, valid_batches
from .learner import SearchLearner
from .measuring import measuring
from .strengths import require_weights

#: How batch-norm is read.
STATISTICS = ("running", "batch")


class Shuffled(NamedTuple):
    """Accuracy in percent of images that nothing was trained on.

    Attributes
    ----------
    what: ``edges with alpha``, ``edges alone`` or ``layers``. statistics: of batch-norm, ``running`` or ``batch``.
    draw: number of the draw of places. before, after: it.
    """

    what: str
    statistics: str
    draw: int
    before: float
    after: float


class _Cell(NamedTuple):
    """A cell of a supernet: the kind of its places, its edges by name, and the stride of each edge."""

    kind: str
    edges: nn.ModuleDict
    stride: Callable[[str], int]


def cells_of(net: nn.Module) -> list[_Cell]:
    """The cells of a supernet whose operations sit on edges; `ParameterError` for others."""
    if isinstance(net, DartsSupernet):
        cells = [net._cell(i) for i in range(net.depth)]
        return [
            _Cell("reduce" if c.reduces else "normal", c.edges, lambda e, c=c: c.place.stride(int(e.partition("-")[0])))  # type: ignore[misc]
            for c in cells
        ]
    found = [_Cell("cell", m.edges, lambda _: 1) for m in net.modules() if isinstance(m, SharedCell)]
    if not found:
        space = getattr(net, "space", type(net).__name__)
        raise ParameterError(f"shuffling: expected a supernet whose operations sit on edges, got {space}")
    return found


def alike(cell: _Cell) -> list[tuple[str, str]]:
    """Pairs of edges that can be swapped: the same candidates at the same stride."""
    names = list(cell.edges)
    return [(a, b) for i, a in enumerate(names) for b in names[i + 1 :] if not _differ(cell, a, b)]


def _differ(cell: _Cell, one: str, other: str) -> str:
    a, b = ((list(cell.edges[e]), cell.stride(e)) for e in (one, other))  # type: ignore[call-overload]
    return "" if a == b else f"{', '.join(a[0])} at stride {a[1]} and {', '.join(b[0])} at stride {b[1]}"


@contextmanager
def swapped(cell: _Cell, one: str, other: str) -> Iterator[None]:
    """A cell whose two edges have each other's operations, until it ends; `ParameterError` where shapes differ."""
    if difference := _differ(cell, one, other):
        raise ParameterError(
            f"shuffling: expected two edges of one shape, got {one} and {other} of a {cell.kind} cell ({difference})"
        )
    modules = cell.edges
    modules[one], modules[other] = modules[other], modules[one]
    try:
        yield
    finally:
        modules[one], modules[other] = modules[other], modules[one]


@torch.no_grad()
def shuffled_edges(learner: SearchLearner, *, draws: int = 10) -> list[Shuffled]:
    """Accuracy of the mixture before and after two random edges of every cell are swapped, for each draw.

    On the images of the task that nothing is trained on. `ParameterError` for a sampler, for spaces whose operations
    sit on nodes, and where a cell has no two edges of one shape.
    """
    require_weights(learner)
    cells = cells_of(learner.net)
    pairs = [alike(cell) for cell in cells]
    if not all(pairs):
        raise ParameterError(f"{learner.name}: expected two edges of one shape in every cell, got a cell without")
    values = learner.alphas.settle(learner.method.relaxation.mean(learner.alphas.logits()))
    whole = each_cell(learner.net, learner.alphas.mixture(values))  # type: ignore[arg-type]
    rng = generator(learner.seed, "shuffling", "edges")
    before = {s: _accuracy(learner, whole, s) for s in STATISTICS}
    rows = []
    for draw in range(draws):
        chosen = [each[int(rng.integers(len(each)))] for each in pairs]
        with _all_swapped(cells, chosen):
            rowed = [_with_rows(m, c, *pair) for m, c, pair in zip(whole, cells, chosen, strict=True)]
            for what, mixtures in (("edges with alpha", rowed), ("edges alone", whole)):
                rows += [Shuffled(what, s, draw, before[s], _accuracy(learner, mixtures, s)) for s in STATISTICS]
    return rows


@contextmanager
def _all_swapped(cells: list[_Cell], pairs: list[tuple[str, str]]) -> Iterator[None]:
    with ExitStack() as stack:
        for cell, pair in zip(cells, pairs, strict=True):
            stack.enter_context(swapped(cell, *pair))
        yield


def _with_rows(mixture: Mixture, cell: _Cell, one: str, other: str) -> Mixture:
    """`mixture` with the rows of two edges exchanged."""
    rows = dict(mixture.rows)
    a, b = Place(cell.kind, one), Place(cell.kind, other)
    rows[a], rows[b] = mixture.rows[b], mixture.rows[a]
    return Mixture(rows, mixture.constants)


def _accuracy(learner: SearchLearner, mixtures: Any, statistics: str) -> float:
    with measuring(learner.net, statistics):
        right, count = 0, 0
        for x, labels in learner._read_batches(0, "valid"):
            right += int((learner.net.mixed(x, mixtures).argmax(1) == labels).sum())  # type: ignore[operator]
            count += len(labels)
    return 100 * right / count


#: How the two networks of layers are trained, on digits in a few minutes.
LAYERED = AloneSettings(epochs=60, batch_size=32, learning_rate=0.05, weight_decay=5e-4)


def shuffled_layers(
    kind: Kind, task: Task, *, seed: int, draws: int = 10, settings: AloneSettings = LAYERED, layers: int = 4
) -> list[Shuffled]:
    """Train a ResNet or a VGG on `task`, then swap two random layers of every stage, for each draw."""
    net = LayeredNetwork(
        kind,
        generator=torch_generator(seed, "shuffling", kind, "weights"),
        inputs=task.inputs,
        classes=task.classes,
        layers=layers,
    )
    loop = Loop(AloneLearner(net, task, settings, seed=seed, name=kind), settings.rates, epochs=settings.epochs)
    for _ in range(settings.epochs):
        loop.run_epoch()
    return swapped_layers(net, task, generator(seed, "shuffling", kind), draws=draws)


@torch.no_grad()
def swapped_layers(net: LayeredNetwork, task: Task, rng: np.random.Generator, *, draws: int = 10) -> list[Shuffled]:
    """Accuracy of a trained network before and after two layers of every stage change places."""
    if any(len(stage) < 2 for stage in net.stages):  # type: ignore[arg-type]
        raise ParameterError("shuffling: expected stages of at least two layers, got fewer")
    before = {s: _plain_accuracy(net, task, s) for s in STATISTICS}
    rows = []
    for draw in range(draws):
        stages = list(net.stages)
        pairs = [sorted(rng.choice(len(stage), 2, replace=False).tolist()) for stage in stages]  # type: ignore[arg-type]
        _exchange(stages, pairs)
        rows += [Shuffled("layers", s, draw, before[s], _plain_accuracy(net, task, s)) for s in STATISTICS]
        _exchange(stages, pairs)
    return rows


def _exchange(stages: list[nn.Module], pairs: list[list[int]]) -> None:
    for stage, (i, j) in zip(stages, pairs, strict=True):
        stage[i], stage[j] = stage[j], stage[i]  # type: ignore[index, operator]


def _plain_accuracy(net: LayeredNetwork, task: Task, statistics: str) -> float:
    right = count = 0
    with measuring(net, statistics):
        for images, labels in valid_batches(task, 64, 0):
            right += int((net(images).argmax(1) == labels).sum())
            count += len(labels)
    return 100 * right / count

"""A weight step of differentiable search: ours against the plain public form of the loop, and methods against DARTS.

Network of the study: nb201, C = 8, N = 1, 16 x 16, batches of 64; images are random numbers, which cost as real ones
do.
The plain loop is what public codes do: every operation of every edge by itself, a backward pass of the validation loss,
a step of alpha, a backward pass of the training loss, a step of the weights. Seconds of processor time, one thread. The
rows of methods have first-order DARTS as their peer: 1 / ratio is their cost, beside what the number of passes says.
"""

from __future__ import annotations

import importlib.util
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sidebyside import Row, Skipped

ROUNDS = 3
#: Method, options -> passes of its weight step in those of first-order DARTS (forward is a third of forward and
#: backward).
EXPECTED: tuple[tuple[str, dict[str, Any], float], ...] = (
    ("darts", {"order": 2}, 2.5),
    ("darts", {"order": 2, "how": "exact"}, 2.5),
    ("sotl_darts", {"T": 20}, 1.0),
    ("sovl_darts", {"T": 20}, 1.5),
    ("sotl_darts", {"T": 7, "exact": True}, 2.5),
    ("drnas", {}, 1.0),
    ("gdas", {}, 0.4),
    ("random_ws", {}, 0.2),
    ("sdarts_rs", {}, 1.0),
    ("sdarts_adv", {}, 4.8),
    ("pc_darts", {"K": 4, "frozen": 0}, 0.5),
    ("enas", {}, 0.2),
    ("sgas", {"first": 1}, 1.0),
    ("oles", {}, 1.0),
    ("reinmax", {}, 1.0),
)
#: What lies further off than this factor is explained in `WHY`.
FACTOR = 1.5
#: Method, options in words -> why it costs other than its passes say.
WHY: dict[str, str] = {
    "pc_darts (K=4, frozen=0)": "two of eight channels: calls, and pooling and shuffling of all channels, cost what is "
    "saved; with four times the channels it is within the factor",
}
#: A reading of the whole architecture Hessian of 30 numbers, in weight steps of first-order DARTS (2 passes each): a
#: product with a vector is a backward pass through a backward pass, 2 to 3 passes.
HESSIAN = 30 * 2.5 / 2


def rows(data: Path | None) -> Iterator[Row | Skipped]:
    name = "weight step of differentiable search: nb201, C = 8, N = 1, 16 x 16"
    if importlib.util.find_spec("torch") is None:
        yield Skipped(name, "torch is not installed")
        return
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        images = _Images()
        first = _steps(_learner(images, "darts", {}))
        plain = _plain(_learner(images, "darts", {}))
        peer, mine = _in_turn(plain, first)
        yield Row(f"{name}, first-order DARTS", peer, mine, "s", "plain loop over operations", "processor time")
        for method, options, passes in EXPECTED:
            said = ", ".join(f"{k}={v}" for k, v in options.items())
            other = _steps(_learner(images, method, options))
            base, cost = _in_turn(first, other)
            row = f"{method}{f' ({said})' if said else ''}"
            note = f"costs {cost / base:.2f} of first-order DARTS; by passes {passes:g}"
            if not 1 / FACTOR <= cost / base / passes <= FACTOR:
                note += f"; {WHY.get(row, 'not explained')}"
            yield Row(f"{name}, {row}", base, cost, "s", "first-order DARTS", note)
        base, cost = _in_turn(first, _hessian(_learner(images, "darts", {})))
        note = f"costs {cost / base:.1f} weight steps of first-order DARTS; by passes {HESSIAN:g}"
        yield Row(f"{name}, architecture Hessian of 30 numbers", base, cost, "s", "first-order DARTS", note)
    finally:
        torch.set_num_threads(threads)


class _Images:
    """A task of random images."""

    name, inputs, size, classes = "random", 3, 16, 10

    def __init__(self) -> None:
        import torch

        generator = torch.Generator().manual_seed(0)
        self._x = torch.randn(2560, 3, 16, 16, generator=generator).contiguous(memory_format=torch.channels_last)
        self.labels = torch.randint(10, (2560,), generator=generator)
        self.valid = (self._x[:128], self.labels[:128])
        self.inputs_sha256: dict[str, str] = {}

    def batch(self, index: Any, generator: Any) -> tuple[Any, Any]:
        return self._x[index], self.labels[index]


def _learner(images: Any, name: str, options: dict[str, Any]) -> Any:
    from nasanalysis.differentiable.learner import SearchLearner
    from nasanalysis.differentiable.methods import method
    from nasanalysis.differentiable.settings import settings_for
    from nasanalysis.networks.config import NetworkConfig

    network = NetworkConfig(channels=8, cells=1, reduction="pool", affine=False)
    parts = method(name, "nb201", 2, **options)
    settings = settings_for("nb201", epochs=2)
    return SearchLearner("nb201", network, images, parts, settings, seed=0)


def _steps(learner: Any, count: int = 20) -> Callable[[], float]:
    """Seconds of one weight step, alpha's share with it, over at least `count` steps."""

    def run() -> float:
        learner.begin(0, 2)
        learner.net.train()
        period, done = learner.method.period, 0
        start = time.process_time()
        while done < count:
            done += min(period, learner.left)
            learner.update()
            if learner.left == 0:
                learner.begin(0, 2)
        return (time.process_time() - start) / done

    return run


def _hessian(learner: Any) -> Callable[[], float]:
    """Seconds of one reading of the whole architecture Hessian, on a batch of as many images as a step has."""

    def run() -> float:
        from nasanalysis.differentiable.hessian import architecture_hessian

        start = time.process_time()
        architecture_hessian(learner)
        return time.process_time() - start

    return run


def _plain(learner: Any, count: int = 20) -> Callable[[], float]:
    """The same network and optimisers, operation by operation."""
    import torch
    from torch.nn import functional as F

    net, alphas = learner.net, learner.alphas
    places = [d.place.edge for d in alphas.decisions]

    def logits(x: Any) -> Any:
        weights = alphas.values.softmax(1)
        for layer in net.features:
            if not hasattr(layer, "mixed"):
                x = layer(x)
                continue
            nodes = [x]
            for target in (1, 2, 3):
                total = 0
                for source in range(target):
                    row = weights[places.index(f"{source}-{target}")]
                    total = total + torch.zeros_like(x) * row[0]
                    for k, operation in enumerate(layer.edges[f"{source}-{target}"].values(), start=1):
                        total = total + row[k] * operation(nodes[source])
                nodes.append(total)
            x = nodes[3]
        return net.classifier(x)

    def run() -> float:
        learner.begin(0, 2)
        net.train()
        start = time.process_time()
        for _ in range(count):
            x, y = learner._weight_batch()
            learner.optimiser.zero_grad()
            F.cross_entropy(logits(x), y).backward()
            learner.optimiser.step()
            x, y = learner._alpha_batch()
            learner.alpha_optimiser.zero_grad()
            F.cross_entropy(logits(x), y).backward()
            learner.alpha_optimiser.step()
            if learner._train._next >= learner._train._used:
                learner.begin(0, 2)
        return (time.process_time() - start) / count

    return run


def _in_turn(peer: Callable[[], float], mine: Callable[[], float]) -> tuple[float, float]:
    peer(), mine()
    costs = [(peer(), mine()) for _ in range(ROUNDS)]
    first, second = (statistics.median(column) for column in zip(*costs, strict=True))
    return first, second

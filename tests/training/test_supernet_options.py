"""Every training option against a loop written out by hand, and what contradicts is refused."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from nasanalysis.core.errors import ParameterError
from nasanalysis.core.seeding import generator, torch_generator
from nasanalysis.measures.batchnorm import recalibrate
from nasanalysis.networks.base import Supernet
from nasanalysis.networks.build import build_supernet
from nasanalysis.networks.config import NetworkConfig
from nasanalysis.spaces.nb201 import OPERATIONS
from nasanalysis.training.loop import Loop
from nasanalysis.training.measure import draw_probes, measure
from nasanalysis.training.protocols import PROTOCOLS, Protocol
from nasanalysis.training.schedules import Schedule
from nasanalysis.training.settings import DataConfig, MeasureSettings, TrainSettings
from nasanalysis.training.tasks import load_task
from nasanalysis.training.train import SupernetLearner, train_supernet

ARCH = "nb201:|nor_conv_3x3~0|+|none~0|skip_connect~1|+|nor_conv_1x1~0|none~1|nor_conv_3x3~2|"
UPDATES, BATCH, SEED = 12, 16, 3


class Small:
    """The first images of digits: three updates make an epoch."""

    def __init__(self, labels: str = "true") -> None:
        task = load_task(DataConfig(data="digits", labels=labels))  # type: ignore[arg-type]
        self._task, self.labels = task, task.labels[: 3 * BATCH]
        self.name, self.inputs, self.size, self.classes = task.name, task.inputs, task.size, task.classes
        self.valid, self.inputs_sha256 = (task.valid[0][:64].double(), task.valid[1][:64]), task.inputs_sha256

    def batch(self, index: Any, augment: Any) -> Any:
        images, labels = self._task.batch(index, augment)
        return images.double(), labels


def supernet(**network: Any) -> Supernet:
    config = NetworkConfig(channels=2, cells=1, reduction="pool", stem_kernel=1, **network)
    return build_supernet("nb201", config, Small(), torch.Generator().manual_seed(SEED)).double()


def architectures(protocol: Protocol, rng: np.random.Generator) -> Any:
    """One path, drawn as RLNAS's code does: node by node, again while a node has no input."""

    def cell() -> tuple[str, ...]:
        if protocol.empty_nodes == "kept":
            return tuple(OPERATIONS[i] for i in rng.integers(5, size=6))
        drawn: list[str] = []
        for inputs in (1, 2, 3):
            while True:
                again = [OPERATIONS[i] for i in rng.integers(5, size=inputs)]
                if again != ["none"] * inputs:
                    break
            drawn += again
        return tuple(drawn)

    return [cell() for _ in range(3)] if protocol.genotype == "per_cell" else cell()


def by_hand(net: Supernet, task: Small, protocol: Protocol, settings: TrainSettings) -> list[Any]:
    """SGD as its formula stands, one architecture each; gradients that are None or zero where nothing was used."""
    weights = list(net.parameters())
    momenta = [torch.zeros_like(w) for w in weights]
    used = [False] * len(weights)
    archs = generator(SEED, "supernet", "architectures")
    order, augment = (torch_generator(SEED, "supernet", name) for name in ("order", "augmentation"))
    net.train()
    for number in range(UPDATES):
        if number % 3 == 0:
            index = torch.randperm(3 * BATCH, generator=order).split(BATCH)
        images, labels = task.batch(index[number % 3], augment)
        loss = torch.nn.functional.cross_entropy(net(images, architectures(protocol, archs)), labels)
        grads = list(torch.autograd.grad(loss, weights, allow_unused=True))
        used = [one or grad is not None for one, grad in zip(used, grads, strict=True)]
        if settings.unsampled == "zero_grad":
            filled = zip(weights, grads, used, strict=True)
            grads = [torch.zeros_like(w) if one and g is None else g for w, g, one in filled]
        rate = settings.learning_rate_min + 0.5 * (settings.learning_rate - settings.learning_rate_min) * (
            1 + np.cos(np.pi * number / UPDATES)
        )
        norm = torch.sqrt(sum(g.square().sum() for g in grads if g is not None))
        scale = min(1.0, settings.clip / (float(norm) + 1e-6)) if settings.clip else 1.0
        with torch.no_grad():
            for w, m, g in zip(weights, momenta, grads, strict=True):
                if g is None:
                    continue
                step = scale * g + settings.weight_decay * w
                m.mul_(settings.momentum).add_(step)
                w.sub_(rate * (step + settings.momentum * m if settings.nesterov else m))
    return [w.detach() for w in weights]


OPTIONS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any], str]] = {
    "as now": ({}, {}, {}, "true"),
    "zero_grad": ({"unsampled": "zero_grad"}, {}, {}, "true"),
    "zero_grad, per cell": ({"unsampled": "zero_grad"}, {"genotype": "per_cell"}, {}, "true"),
    "no Nesterov": ({"nesterov": False}, {}, {}, "true"),
    "clip": ({"clip": 0.05}, {}, {}, "true"),
    "zero_grad, clip, no Nesterov": ({"unsampled": "zero_grad", "clip": 0.05, "nesterov": False}, {}, {}, "true"),
    "redrawn": ({}, {"empty_nodes": "redrawn"}, {}, "true"),
    "redrawn, per cell": ({}, {"empty_nodes": "redrawn", "genotype": "per_cell"}, {}, "true"),
    "not affine": ({}, {"empty_nodes": "redrawn"}, {"affine": False}, "true"),
    "random labels": ({}, {}, {}, "random"),
}  # fmt: skip


def trained(net: Supernet, task: Small, protocol: Protocol, settings: TrainSettings) -> list[Any]:
    loop = Loop(
        SupernetLearner(net, task, protocol, settings, seed=SEED),
        Schedule(settings.learning_rate, settings.learning_rate_min),
        epochs=settings.epochs,
    )
    for _ in range(settings.epochs):
        loop.run_epoch()
    assert loop.done == UPDATES
    return [w.detach() for w in net.parameters()]


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_is_the_loop_written_out(name: str) -> None:
    changes, drawn, network, labels = OPTIONS[name]
    task, settings = Small(labels), TrainSettings(epochs=4, batch_size=BATCH, weight_decay=0.05, **changes)
    protocol = dataclasses.replace(PROTOCOLS["spos"], **drawn)
    expected = by_hand(supernet(**network), task, protocol, settings)
    got = trained(supernet(**network), task, protocol, settings)
    for one, other in zip(got, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-7, atol=1e-10)
    if name != "as now":
        as_now = TrainSettings(epochs=4, batch_size=BATCH, weight_decay=0.05)
        plain = trained(supernet(), Small(), PROTOCOLS["spos"], as_now)
        same = [torch.allclose(a, b, atol=1e-5) for a, b in zip(plain, got, strict=False) if a.shape == b.shape]
        assert len(plain) != len(got) or not all(same), "the option changes something"


def test_zero_filling_moves_what_is_not_sampled_but_nothing_that_never_was() -> None:
    """Two steps on one architecture, then one on another: the first's weights decay on; the rest stay to the bit."""
    from nasanalysis.training.optimisers import optimiser
    from nasanalysis.training.protocols import update

    net, task = supernet(), Small()
    first, second = ("nor_conv_3x3",) * 6, ("skip_connect",) * 6
    each = iter((first, first, second))
    net.sample = lambda rng: next(each)  # type: ignore[method-assign]
    sgd = optimiser("sgd", net.parameters(), learning_rate=0.1, momentum=0.9, weight_decay=0.1)
    batch = task.batch(torch.arange(8), torch.Generator())
    start = {name: w.detach().clone() for name, w in net.named_parameters()}
    states = []
    for _ in range(3):
        update(net, sgd, PROTOCOLS["spos"], lambda: batch, np.random.default_rng(0), unsampled="zero_grad")
        states.append({name: w.detach().clone() for name, w in net.named_parameters()})
    sampled = [name for name in start if ".nor_conv_3x3." in name]
    never = [name for name in start if ".nor_conv_1x1." in name]
    assert all(not torch.equal(states[1][name], states[2][name]) for name in sampled)
    assert never
    assert all(torch.equal(start[name], states[2][name]) for name in never)


def test_a_broken_off_training_with_zero_filling_gives_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The weights that were ever used come back with a checkpoint."""
    task, settings = Small(), TrainSettings(epochs=4, batch_size=BATCH, weight_decay=0.05, unsampled="zero_grad")

    def train(folder: str) -> dict[str, Any]:
        path = train_supernet(supernet(), task, PROTOCOLS["spos"], settings, seed=SEED, folder=tmp_path / folder,
                              snapshots=(1, 4))  # fmt: skip
        return dict(torch.load(path, weights_only=True)["net"])

    whole, run_epoch = train("whole"), Loop.run_epoch

    def interrupted(self: Loop) -> Any:
        if self.epoch == 2:
            raise KeyboardInterrupt
        return run_epoch(self)

    monkeypatch.setattr(Loop, "run_epoch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train("broken")
    monkeypatch.setattr(Loop, "run_epoch", run_epoch)
    again = train("broken")
    assert all(torch.equal(whole[name], again[name]) for name in whole)
    last = torch.load(tmp_path / "broken" / "epoch-4.pt", weights_only=True)["net"]
    assert all(torch.equal(whole[name], last[name]) for name in whole)
    first = torch.load(tmp_path / "broken" / "epoch-1.pt", weights_only=True)["net"]
    assert not torch.equal(first["classifier.weight"], whole["classifier.weight"])


@pytest.mark.parametrize(("name", "paths"), [("spos", 1), ("fairnas", 5), ("multipath", 4), ("reptile", 4)])
def test_compute(name: str, paths: int) -> None:
    """48 images in batches of 16: three updates an epoch, or as many images as there are."""

    def updates(**how: Any) -> int:
        settings = TrainSettings(epochs=20, batch_size=BATCH, **how)
        return SupernetLearner(supernet(), Small(), PROTOCOLS[name], settings, seed=0).updates

    assert updates(compute="equal-updates") == 60
    assert updates() == 60 // paths
    assert updates(images=4800) == 300 // paths


def test_redrawn_nodes_are_uniform_over_those_with_an_input() -> None:
    net, rng, draws = supernet(), np.random.default_rng(0), 6000
    nodes: list[Counter[Any]] = [Counter(), Counter(), Counter()]
    for _ in range(draws):
        ops = net.sample_fed(rng)
        for count, (start, end) in zip(nodes, ((0, 1), (1, 3), (3, 6)), strict=True):
            count[ops[start:end]] += 1  # type: ignore[index]
    for size, count in enumerate(nodes, start=1):
        allowed = set(itertools.product(OPERATIONS, repeat=size)) - {("none",) * size}
        assert set(count) == allowed
        expected = draws / len(allowed)
        chi_square = sum((n - expected) ** 2 / expected for n in count.values())
        assert chi_square < len(allowed) + 5 * np.sqrt(2 * len(allowed))


def test_cells_without_affine_batch_norm_are_counted_so() -> None:
    net: Any = supernet(affine=False)
    alone = net.subnet(ARCH)
    norms = ("edges.0-1.2.weight", "edges.0-1.2.bias")
    assert not [name for name, _ in alone.named_parameters() if name.endswith(norms)]
    size = net.skeleton
    assert sum(w.numel() for w in alone.parameters()) == (
        size.base_params() + 2 * size.cell_conv_params(3) + size.cell_conv_params(1)
    )


@pytest.mark.parametrize("statistics", ["recalibrated", "running", "batch"])
def test_statistics_of_batch_norm_at_evaluation(statistics: str) -> None:
    """Accuracy and loss by a forward pass each, written out."""
    task, net = Small(), supernet()
    trained(net, task, PROTOCOLS["spos"], TrainSettings(epochs=4, batch_size=BATCH))
    settings = MeasureSettings(
        measures=("val_loss",),
        sigmas=(),
        statistics=statistics,
        batch_size=8,
        recalibration=32,  # type: ignore[arg-type]
    )
    probes = draw_probes(task, settings, seed=0)  # type: ignore[arg-type]
    got = measure(net.subnet(ARCH), None, probes, settings, lambda what: torch.Generator()).scores["val_loss"]
    own = net.subnet(ARCH)
    if statistics == "recalibrated":
        recalibrate(own, probes.recalibration)
    own.train(statistics == "batch")
    with torch.no_grad():
        expected = torch.nn.functional.cross_entropy(own(probes.whole[0]), probes.whole[1])
    assert got == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"compute": "equal-updates", "images": 1000}, "compute = 'equal-updates' counts updates, images = 1000 is a"),
        ({"images": 5}, "images of at least one batch"),
        ({"clip": -1.0}, "clip of 0"),
        ({"clip": float("nan")}, "clip of 0"),
        ({"unsampled": "zeros"}, "unsampled"),
    ],
)
def test_bad_options(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError) as caught:
        TrainSettings(**given)
    assert message in str(caught.value)


def test_an_option_left_at_its_default_is_not_written() -> None:
    assert set(TrainSettings().model_dump()) == {
        "epochs", "batch_size", "learning_rate", "learning_rate_min", "momentum", "weight_decay",
    }  # fmt: skip
    assert TrainSettings(unsampled="zero_grad").model_dump()["unsampled"] == "zero_grad"
    assert "empty_nodes" not in PROTOCOLS["spos"].described()
    assert dataclasses.replace(PROTOCOLS["spos"], empty_nodes="redrawn").described()["empty_nodes"] == "redrawn"

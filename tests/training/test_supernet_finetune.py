"""Finetuning and all its measures against a plain loop: deep copies, gradients and SGD written out."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nasanalysis.core.errors import ParameterError
from nasanalysis.spaces import get_space
from nasanalysis.spaces.nb101_enumeration import Skeleton101
from nasanalysis.spaces.skeletons import Skeleton

torch = pytest.importorskip("torch")

from nasanalysis.networks.base import Supernet, initialised
from nasanalysis.networks.batchnorm import own_statistics, recalibrate
from nasanalysis.networks.nb101 import NB1Shot1Supernet
from nasanalysis.networks.nb201 import build_network
from nasanalysis.networks.nb201_supernet import NB201Supernet
from nasanalysis.training.finetune import MEASURES, Batches, DivergedError, draw_batches, finetune
from nasanalysis.training.settings import DataConfig, FinetuneSettings
from nasanalysis.training.tasks import load_task

pytestmark = pytest.mark.torch

SKELETON = Skeleton(image_size=8, classes=3, channels=2, cells=1, input_channels=1)
LIVE = "|nor_conv_3x3~0|+|skip_connect~0|nor_conv_1x1~1|+|avg_pool_3x3~0|nor_conv_3x3~1|skip_connect~2|"
DEAD = "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|none~0|none~1|none~2|"


class Line(torch.nn.Module):
    """Logits (a x + b, c x): three weights."""

    def __init__(self) -> None:
        super().__init__()
        self.slopes = torch.nn.Parameter(torch.tensor([0.5, -0.4], dtype=torch.float64))
        self.offset = torch.nn.Parameter(torch.tensor([0.1], dtype=torch.float64))

    def forward(self, x):  # type: ignore[no-untyped-def]
        return torch.stack((self.slopes[0] * x[:, 0] + self.offset, self.slopes[1] * x[:, 0]), 1)


def cell_net(arch: str = LIVE, dtype: torch.dtype = torch.float64) -> torch.nn.Module:
    net = build_network(arch, SKELETON, torch.Generator().manual_seed(3)).to(dtype)
    return net.to(memory_format=torch.channels_last)


def pairs(count: int, size: int, shape: Sequence[int], classes: int, seed: int, dtype: torch.dtype) -> list[Any]:
    g = torch.Generator().manual_seed(seed)
    return [
        (
            torch.randn(size, *shape, generator=g, dtype=torch.float64).to(dtype),
            torch.randint(classes, (size,), generator=g),
        )
        for _ in range(count)
    ]


def batches_of(shape: Sequence[int], classes: int, s: FinetuneSettings, dtype: torch.dtype = torch.float64) -> Batches:
    return Batches(
        train=pairs(s.minibatches, 6, shape, classes, 1, dtype),
        valid=pairs(s.minibatches // s.valid_every + 1, 7, shape, classes, 2, dtype) if s.valid_batch else [],
        recalibration=[x for x, _ in pairs(3, 5, shape, classes, 3, dtype)],
        whole=pairs(2, 8, shape, classes, 4, dtype) + pairs(1, 3, shape, classes, 5, dtype),
    )


def with_statistics_of(net: torch.nn.Module, images: Sequence[Any]) -> torch.nn.Module:
    """A copy whose running statistics are the mean over `images` of each batch's own, read by hooks on its layers."""
    net = copy.deepcopy(net).train()
    layers = [m for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    seen: dict[Any, list[Any]] = {}
    hooks = [
        layer.register_forward_pre_hook(
            lambda m, a: seen.setdefault(m, []).append((a[0].mean((0, 2, 3)), a[0].var((0, 2, 3), unbiased=True)))
        )
        for layer in layers
    ]
    with torch.no_grad():
        for x in images:
            net(x)
        for layer in layers:
            layer.running_mean.zero_()
            layer.running_var.fill_(1.0)
            if layer in seen:
                layer.running_mean.copy_(torch.stack([m for m, _ in seen[layer]]).mean(0))
                layer.running_var.copy_(torch.stack([v for _, v in seen[layer]]).mean(0))
    for hook in hooks:
        hook.remove()
    return net


def judged(net: torch.nn.Module, parts: Sequence[Any]) -> tuple[float, float]:
    """(mean loss, accuracy in percent) over all images of `parts`, in evaluation mode, on a copy."""
    net = copy.deepcopy(net).eval()
    losses, right = [], []
    with torch.no_grad():
        for x, y in parts:
            p = torch.softmax(net(x), 1)
            losses += (-torch.log(p[torch.arange(len(y)), y])).tolist()
            right += (p.argmax(1) == y).tolist()
    return float(np.mean(losses)), 100 * float(np.mean(right))


def plainly(net: torch.nn.Module, batches: Batches, s: FinetuneSettings) -> list[dict[str, float]]:
    """One dict for each step of what finetune's docstring promises."""
    net = with_statistics_of(net, batches.recalibration).train()
    weights = list(net.parameters())
    momenta = [torch.zeros_like(w) for w in weights]
    summed = [torch.zeros_like(w) for w in weights]
    sogn = tensors = sotl = sovl = 0.0
    rows: list[dict[str, float]] = []

    def read(row: dict[str, float], step: int) -> None:
        nonlocal sovl
        if batches.valid and step % s.valid_every == 0:
            loss, accuracy = judged(net, [batches.valid[step // s.valid_every]])
            row.update(valid_loss=loss, valid_accuracy=accuracy, val_acc_mini=accuracy)
            if step:
                sovl += loss
                row.update(sovl=sovl)
        if step == 0 or (s.val_acc_every and step % s.val_acc_every == 0):
            loss, accuracy = judged(with_statistics_of(net, batches.recalibration), batches.whole)
            row.update(val_loss=loss, val_acc=accuracy)
        rows.append({"step": step, **row})

    read({}, 0)
    for step, (x, y) in enumerate(batches.train, 1):
        logits = net(x)
        loss = torch.nn.functional.cross_entropy(logits, y)
        accuracy = 100 * float((logits.argmax(1) == y).double().mean())
        grads = torch.autograd.grad(loss, weights, allow_unused=True)
        used = [g for g in grads if g is not None]
        sotl += float(loss.detach())
        sogn += float(sum(g.abs().sum() for g in used))
        tensors += float(sum((g**2).sum().sqrt() for g in used))
        with torch.no_grad():
            for i, g in enumerate(grads):
                if g is not None:
                    summed[i] += g
                    total = g + s.weight_decay * weights[i]
                    momenta[i] = s.momentum * momenta[i] + total
                    weights[i] -= s.learning_rate * (total + s.momentum * momenta[i])
        row = {
            "train_loss": float(loss.detach()),
            "tl_mini": float(loss.detach()),
            "train_accuracy": accuracy,
            "sotl": sotl,
            "sog": float(sum(v.abs().sum() for v in summed)),
            "sog_sum": float(sum(v.sum() for v in summed)),
            "sog_l2": float(sum((v**2).sum() for v in summed) ** 0.5),
            "sogn": sogn,
            "sogn_l2_per_tensor": tensors,
        }
        if not s.gradients:
            row = {k: v for k, v in row.items() if not k.startswith("sog")}
        read(row, step)
    return rows


CASES = {
    "three weights": (Line, (1,), 2),
    "a cell": (cell_net, (1, 8, 8), 3),
    "a dead cell": (lambda: cell_net(DEAD), (1, 8, 8), 3),
}
SETTINGS = {
    "all": FinetuneSettings(minibatches=6, batch_size=6, learning_rate=0.05, valid_batch=7, val_acc_every=2),
    "sparse": FinetuneSettings(
        minibatches=5, batch_size=6, learning_rate=0.1, momentum=0.0, weight_decay=0.1, valid_batch=7, valid_every=2,
        val_acc_every=0,
    ),
    "none": FinetuneSettings(minibatches=2, batch_size=6, valid_batch=0, gradients=False),
}  # fmt: skip


def same_as_plain(got: Any, want: Sequence[dict[str, float]], tolerance: float) -> None:
    assert got.height == len(want)
    for row, plain in zip(got.to_dicts(), want, strict=True):
        for name in {*row, *plain} - {"seconds"}:
            if name in plain:
                assert row[name] == pytest.approx(plain[name], rel=tolerance, abs=tolerance), (row["step"], name)
            else:
                assert row[name] is None, (row["step"], name)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("case", CASES)
def test_every_measure_against_a_plain_loop(case: str, settings: str) -> None:
    make, shape, classes = CASES[case]
    s = SETTINGS[settings]
    batches = batches_of(shape, classes, s)
    got = finetune(make(), batches, s)
    same_as_plain(got, plainly(make(), batches, s), 1e-6)
    assert [name for name in MEASURES if name in got.columns or s.gradients] == [
        name for name in MEASURES if s.gradients or not name.startswith("sog")
    ]
    assert got["seconds"][:-1].null_count() == s.minibatches
    assert got["seconds"][-1] >= 0


def test_float32_as_it_runs() -> None:
    """The same in float32 and channels_last, where kernels and memory layouts are those of a real run."""
    s = SETTINGS["all"]
    batches = batches_of((1, 8, 8), 3, s, torch.float32)
    same_as_plain(
        finetune(cell_net(dtype=torch.float32), batches, s), plainly(cell_net(dtype=torch.float32), batches, s), 3e-4
    )


def test_what_a_prefix_and_the_reading_of_it_leave_alone() -> None:
    """A shorter finetuning is the beginning of a longer one, and measuring does not change what is measured."""
    whole = SETTINGS["all"].changed(val_acc_every=1)
    batches = batches_of((1, 8, 8), 3, whole)
    reference = finetune(cell_net(), batches, whole)
    short = whole.changed(minibatches=3)
    shorter = finetune(cell_net(), replace(batches, train=batches.train[:3], valid=batches.valid[:4]), short)
    assert shorter.drop("seconds").equals(reference.head(4).drop("seconds"))
    silent = whole.changed(valid_batch=0, gradients=False, val_acc_every=0)
    blind = finetune(cell_net(), replace(batches, valid=[]), silent)
    for name in ("train_loss", "train_accuracy", "sotl", "tl_mini"):
        assert blind[name].to_list() == reference[name].to_list()
    assert blind["val_acc"][0] == reference["val_acc"][0]
    assert blind["val_acc"][1:].null_count() == 6


# --- minibatches ------------------------------------------------------------------------------------------------------


def digits_task():  # type: ignore[no-untyped-def]
    return load_task(DataConfig(data="digits"))


def test_minibatches_are_the_same_for_all_and_a_prefix_of_more() -> None:
    task = digits_task()
    few, many = (FinetuneSettings(minibatches=n, batch_size=32, valid_batch=16) for n in (3, 40))
    a, b, other = draw_batches(task, few, seed=4), draw_batches(task, many, seed=4), draw_batches(task, few, seed=5)
    again = draw_batches(task, few, seed=4)
    for short, long, same in ((a.train, b.train, again.train), (a.valid, b.valid, again.valid)):
        assert len(short) < len(long)
        for (x1, y1), (x2, y2), (x3, y3) in zip(short, long, same, strict=False):
            assert torch.equal(x1, x2)
            assert torch.equal(y1, y2)
            assert torch.equal(x1, x3)
            assert torch.equal(y1, y3)
    assert (len(a.train), len(a.valid), len(b.train), len(b.valid)) == (3, 4, 40, 41)
    assert not torch.equal(a.train[0][0], other.train[0][0])
    for x1, x2 in zip(a.recalibration, b.recalibration, strict=True):
        assert torch.equal(x1, x2)
    assert len(torch.cat([y for _, y in a.whole])) == len(task.valid[1])


def test_each_image_comes_once_before_any_again() -> None:
    """Validation images are not augmented: every one of the first round is another."""
    task = digits_task()
    count = len(task.valid[1])
    s = FinetuneSettings(minibatches=count // 16 - 1, batch_size=2, valid_batch=16)
    assert len(torch.unique(task.valid[0].flatten(1), dim=0)) == count
    seen = torch.cat([x for x, _ in draw_batches(task, s, seed=0).valid]).flatten(1)
    assert len(torch.unique(seen, dim=0)) == len(seen) == count // 16 * 16


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"batch_size": 1}, "batches of at least 2 images (batch-norm needs two)"),
        ({"minibatches": 0}, "expected at least 1 minibatch"),
        ({"valid_every": 0}, "valid_every >= 1, got minibatches = 100, batch_size = 64, valid_every = 0"),
        ({"learning_rate": 0.0}, "expected learning_rate > 0"),
        ({"learning_rate": float("nan")}, "expected learning_rate > 0"),
        ({"momentum": 1.0}, "expected 0 <= momentum < 1"),
        ({"momentum": -0.1}, "expected 0 <= momentum < 1"),
        ({"weight_decay": -1e-4}, "weight_decay >= 0"),
        ({"valid_batch": -1}, "valid_batch >= 0"),
        ({"recalibration": 1}, "expected recalibration on at least 2 images, got 1"),
    ],
)
def test_settings_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError) as caught:
        FinetuneSettings(**given)
    assert message in str(caught.value)


def test_more_images_than_there_are_refused() -> None:
    task = digits_task()
    with pytest.raises(ParameterError, match=f"batch_size: expected at most the {len(task.labels)} training images"):
        draw_batches(task, FinetuneSettings(batch_size=len(task.labels) + 1), seed=0)
    held = len(task.valid[1])
    with pytest.raises(ParameterError, match=f"valid_batch: expected at most the {held} validation images, got 9999"):
        draw_batches(task, FinetuneSettings(minibatches=1, valid_batch=9999), seed=0)


# --- batch-norm -------------------------------------------------------------------------------------------------------


def state_bytes(net: torch.nn.Module) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in net.state_dict().items()}


def stretched_net() -> torch.nn.Module:
    """Running statistics and batch-norm weights that are not those of a fresh network."""
    net = cell_net().train()
    g = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                for value in (module.weight, module.bias, module.running_mean, module.running_var):
                    value.uniform_(0.2, 2.0, generator=g)
                module.num_batches_tracked.fill_(17)
    return net


@pytest.mark.parametrize("training", [True, False])
def test_recalibration_is_the_mean_of_batch_statistics(training: bool) -> None:
    images = [x for x, _ in pairs(3, 5, (1, 8, 8), 3, 3, torch.float64)]
    net = stretched_net().train(training)
    want = with_statistics_of(net, images).state_dict()
    before = state_bytes(net)
    recalibrate(net, images)
    for name, value in net.state_dict().items():
        if "running" in name:
            torch.testing.assert_close(value, want[name], rtol=1e-12, atol=1e-12)
            assert value.numpy().tobytes() != before[name] or ".edges." in name, name
        elif "num_batches" not in name:
            assert value.numpy().tobytes() == before[name], name
    assert all(m.training is training for m in net.modules())
    assert {m.momentum for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d)} == {0.1}


@pytest.mark.parametrize("training", [True, False])
def test_own_statistics_leave_everything_as_it_was(training: bool) -> None:
    images = [x for x, _ in pairs(2, 5, (1, 8, 8), 3, 3, torch.float64)]
    net = stretched_net().train(training)
    before = state_bytes(net)
    with own_statistics(net, images) as inside:
        assert inside is net
        assert not net.training
        assert state_bytes(net) != before
    assert state_bytes(net) == before
    with pytest.raises(RuntimeError), own_statistics(net, [images[0], torch.zeros(2, 9, 8, 8)]):  # nine channels
        pass
    with pytest.raises(KeyError), own_statistics(net, images):
        raise KeyError
    assert state_bytes(net) == before
    assert all(m.training is training for m in net.modules())


# --- subnets and failures ---------------------------------------------------------------------------------------------


def supernet(kind: str) -> Supernet:
    with torch.device("meta"):
        net: Supernet = (
            NB201Supernet(SKELETON) if kind == "nb201" else NB1Shot1Supernet(kind, Skeleton101(8, 3, 4, 1, 1))
        )
    return initialised(net, torch.Generator().manual_seed(0)).to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize("kind", ["nb201", "nb101-1"])
def test_finetuning_a_copy_leaves_the_supernet_byte_identical(kind: str) -> None:
    net = supernet(kind)
    before = state_bytes(net)
    arch = get_space(kind).sample(1, np.random.default_rng(0))[0]
    copy_of_part = net.subnet(arch)
    started = state_bytes(copy_of_part)
    finetune(copy_of_part, batches_of((1, 8, 8), 3, SETTINGS["all"], torch.float32), SETTINGS["all"])
    assert state_bytes(copy_of_part) != started
    assert state_bytes(net) == before
    assert state_bytes(net.subnet(arch)) == started


def test_a_diverging_loss_is_named() -> None:
    s = SETTINGS["all"].changed(learning_rate=1e30)
    batches = batches_of((1, 8, 8), 3, s, torch.float32)
    losses = []
    net = with_statistics_of(cell_net(dtype=torch.float32), batches.recalibration).train()
    optimiser = torch.optim.SGD(net.parameters(), lr=1e30, momentum=0.9, nesterov=True, weight_decay=5e-4)
    for x, y in batches.train:
        loss = torch.nn.functional.cross_entropy(net(x), y)
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    first = 1 + int(np.flatnonzero(~np.isfinite(losses))[0])
    with pytest.raises(
        DivergedError, match=rf"training loss (nan|inf) at minibatch {first} of 6 \(learning rate 1e\+30"
    ):
        finetune(cell_net(dtype=torch.float32), batches, s)


def test_what_is_not_finite_after_the_last_update_is_null() -> None:
    """The training loss of minibatch 1 is finite, and the weights after it are not: nothing is predicted."""
    s = FinetuneSettings(minibatches=1, batch_size=6, learning_rate=1e38, valid_batch=7, val_acc_every=1)
    rows = finetune(cell_net(dtype=torch.float32), batches_of((1, 8, 8), 3, s, torch.float32), s)
    first, last = rows.to_dicts()
    assert last["train_loss"] == pytest.approx(last["sotl"])
    assert last["train_loss"] < 10
    for name in ("val_loss", "val_acc", "valid_loss", "valid_accuracy", "val_acc_mini"):
        assert (last[name] is None, first[name] is None) == (True, False), name
    assert last["sovl"] is None


def test_an_architecture_without_a_live_path() -> None:
    """Its output is constant: all images get one class, and every number is finite."""
    s = SETTINGS["all"]
    net, batches = cell_net(DEAD, torch.float32), batches_of((1, 8, 8), 3, s, torch.float32)
    rows = finetune(net, batches, s)
    for name in {*MEASURES, "train_loss", "valid_loss"}:
        values = rows[name].drop_nulls()
        assert len(values), name
        assert values.is_finite().all(), name
    out = net.eval()(batches.train[0][0])
    assert torch.equal(out, out[:1].expand_as(out))

"""Several networks in one: outputs, gradients, statistics and finetuning are each network's own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from nasanalysis.core.errors import ArchError, ParameterError
from nasanalysis.spaces.nb101_enumeration import Skeleton101
from nasanalysis.spaces.nb201 import format_cell
from nasanalysis.spaces.skeletons import SKELETONS, Skeleton

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from drawn_networks import build_network101

from nasanalysis.networks.base import initialised
from nasanalysis.networks.nb201 import build_network
from nasanalysis.networks.nb201_supernet import NB201Supernet
from nasanalysis.networks.stacked import StackedNetwork
from nasanalysis.training.finetune import Batches, DivergedError, finetune, finetune_together
from nasanalysis.training.settings import FinetuneSettings

CELL = "nb201:|nor_conv_3x3~0|+|avg_pool_3x3~0|nor_conv_1x1~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|"
DEAD = f"nb201:{format_cell(['none'] * 6)}"
SMALL = Skeleton(8, 5, channels=3, cells=2, input_channels=2)
#: What is tried: (inputs, size), and a function that makes a fresh network.
TRIED = {
    "digits": ((1, 12), lambda g: build_network(CELL, SKELETONS["digits"], g)),
    "residual": ((2, 8), lambda g: build_network(CELL, SMALL, g)),
    "dead": ((2, 8), lambda g: build_network(DEAD, SMALL, g)),
    "nb101": (
        (3, 8),  # a vertex wider than what reads it, two joined, the input joined to the output
        lambda g: build_network101(
            "nb101:conv3x3~0+conv1x1~01+maxpool3x3~1+conv3x3~2+output~034", Skeleton101(8, 4, 7, 1, 3), g
        ),
    ),
}


def networks(name: str, count: int = 3) -> list[Any]:
    made = []
    for i in range(count):
        net = TRIED[name][1](torch.Generator().manual_seed(i)).double()
        for layer in net.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):  # statistics that are not those of a fresh layer
                layer.running_mean.normal_(generator=torch.Generator().manual_seed(i))
                layer.running_var.uniform_(0.5, 2, generator=torch.Generator().manual_seed(i))
        made.append(net.to(memory_format=torch.channels_last))
    return made


def images(name: str, count: int = 6, seed: int = 9) -> torch.Tensor:
    inputs, size = TRIED[name][0]
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn((count, inputs, size, size), generator=rng, dtype=torch.float64)
    return x.contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("name", TRIED)
@pytest.mark.parametrize("training", [False, True])
def test_outputs_and_gradients_are_those_of_each_network(name: str, training: bool) -> None:
    nets, x = networks(name), images(name)
    stacked = StackedNetwork(nets).train(training)
    out = stacked(x)
    weights = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)
    (out * weights).sum().backward()
    for k, net in enumerate(nets):
        own = net.train(training)(x)
        torch.testing.assert_close(out[:, k], own, rtol=1e-10, atol=1e-10)
        (own * weights[:, k]).sum().backward()
        theirs = dict(net.named_parameters())
        for key, parameter in stacked.net.named_parameters():
            if parameter.grad is None:
                assert theirs[key].grad is None
                continue
            piece = parameter.grad.chunk(len(nets))[k].reshape(theirs[key].shape)
            torch.testing.assert_close(piece, theirs[key].grad, rtol=1e-9, atol=1e-10)


def test_networks_given_stay_as_they_are() -> None:
    nets = networks("digits")
    before = [{k: v.clone() for k, v in net.state_dict().items()} for net in nets]
    stacked = StackedNetwork(nets).train()
    stacked(images("digits")).sum().backward()
    for net, state in zip(nets, before, strict=True):
        assert all(torch.equal(value, state[key]) for key, value in net.state_dict().items())


def test_networks_that_are_not_alike_are_refused() -> None:
    with pytest.raises(ArchError, match="expected networks of one architecture and one skeleton"):
        StackedNetwork([*networks("digits", 1), *networks("residual", 1)])
    swapped = CELL.replace("skip_connect", "avg_pool_3x3")  # the same weights, another network
    with pytest.raises(ArchError, match="expected networks of one architecture"):
        StackedNetwork([build_network(arch, SMALL, torch.Generator()) for arch in (CELL, swapped)])
    with pytest.raises(ArchError, match="of a class that stacks"):
        StackedNetwork([torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)])


def drawn(name: str) -> Batches:
    def pairs(count: int, size: int, seed: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
        labels = torch.Generator().manual_seed(seed)
        return [(images(name, size, seed + i), torch.randint(4, (size,), generator=labels)) for i in range(count)]

    return Batches(pairs(4, 8, 1), pairs(3, 6, 20), [x for x, _ in pairs(2, 7, 40)], pairs(2, 9, 60))


@pytest.mark.parametrize("name", TRIED)
def test_finetuned_together_as_alone(name: str) -> None:
    settings = FinetuneSettings(minibatches=4, batch_size=8, valid_batch=6, valid_every=2, val_acc_every=4)
    nets = networks(name)
    together = finetune_together(nets, drawn(name), settings)
    for net, rows in zip(nets, together, strict=True):
        assert isinstance(rows, pl.DataFrame)
        assert_frame_equal(rows.drop("seconds"), finetune(net, drawn(name), settings).drop("seconds"), abs_tol=1e-8)


def test_networks_that_do_not_stack_are_finetuned_in_turn() -> None:
    class Plain(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = torch.nn.Linear(144, 4).double()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.linear(x.flatten(1))

    nets = [Plain(), Plain()]
    before = [net.linear.weight.clone() for net in nets]
    settings = FinetuneSettings(minibatches=4, batch_size=8, valid_batch=6, valid_every=2, val_acc_every=4)
    found = finetune_together(nets, drawn("digits"), settings)
    assert all(torch.equal(net.linear.weight, weight) for net, weight in zip(nets, before, strict=True))
    for net, rows in zip(nets, found, strict=True):
        assert_frame_equal(rows.drop("seconds"), finetune(net, drawn("digits"), settings).drop("seconds"))


def test_one_that_diverges_leaves_the_others_alone() -> None:
    nets = networks("digits")
    with torch.no_grad():
        nets[1].classifier.weight.fill_(float("nan"))
    x = images("digits")
    batches = Batches([(x, torch.arange(6))] * 2, [], [x], [])
    settings = FinetuneSettings(minibatches=2, batch_size=6, valid_batch=0)
    first, second, third = finetune_together(nets, batches, settings)
    assert isinstance(second, DivergedError)
    assert "training loss nan at minibatch 1 of 2" in str(second)
    for net, rows in ((nets[0], first), (nets[2], third)):
        assert_frame_equal(rows.drop("seconds"), finetune(net, batches, settings).drop("seconds"), abs_tol=1e-8)


def test_bfloat16_is_near_and_leaves_weights_as_they_are() -> None:
    net = networks("digits", 1)[0].float()
    single = Batches(
        [(x.float(), y) for x, y in drawn("digits").train], [], [x.float() for x in drawn("digits").recalibration], []
    )
    settings = FinetuneSettings(minibatches=4, batch_size=8, valid_batch=0, precision="bfloat16")
    [low] = finetune_together([net], single, settings)
    [full] = finetune_together([net], single, settings.changed(precision="float32"))
    assert low["sotl"][-1] == pytest.approx(full["sotl"][-1], rel=0.02)
    assert low["sotl"][-1] != full["sotl"][-1]
    assert {p.dtype for p in net.parameters()} == {torch.float32}
    with pytest.raises(ParameterError, match="precision: Input should be 'float32' or 'bfloat16' .got 'half'"):
        settings.changed(precision="half")


def test_several_architectures_of_one_supernet_on_the_same_images() -> None:
    """One choice for all cells, or one for each: the logits are those of the standalone networks."""
    skeleton = replace(SKELETONS["digits"], cells=1)
    net = initialised(NB201Supernet(skeleton), torch.Generator().manual_seed(0)).eval()
    rng = np.random.default_rng(1)
    one, other = net.sample(rng), net.sample(rng)
    x = torch.randn(4, skeleton.input_channels, skeleton.image_size, skeleton.image_size)
    logits = net.several(x, [one, other, [one, other, one]])
    assert logits.shape == (3, 4, skeleton.classes)
    for row, ops in zip(logits, (one, other), strict=False):
        torch.testing.assert_close(row, net.subnet(f"nb201:{format_cell(ops)}")(x))
    torch.testing.assert_close(logits[2], net(x, [one, other, one]))
    assert not torch.allclose(logits[2], logits[0])
    with pytest.raises(ArchError, match="expected one choice or 3, one for each cell, got 2"):
        net.several(x, [[one, other]])

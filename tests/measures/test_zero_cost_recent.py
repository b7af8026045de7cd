"""ZiCo, SWAP and AZ-NAS's terms against plain numpy on networks small enough to do so, and spreads over draws."""

from __future__ import annotations

import itertools
import math
import statistics
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from test_zero_cost import OF_BLOCKS, Reference, batch, convnet, drawn, mlp, nb201_net, seeded
from torch import nn

from nasanalysis.core.errors import ParameterError
from nasanalysis.core.seeding import torch_generator
from nasanalysis.measures import zero_cost as zc
from nasanalysis.measures import zero_cost_az
from nasanalysis.measures.zero_cost import SUITE, ZERO_COST, zero_cost
from nasanalysis.measures.zero_cost_spread import zero_cost_spread

pytestmark = pytest.mark.torch

NB201 = "nb201:|nor_conv_3x3~0|+|avg_pool_3x3~0|skip_connect~1|+|none~0|nor_conv_1x1~1|skip_connect~2|"

# --- ZiCo ------------------------------------------------------------------------------------------------------------


def zico_by_hand(net: nn.Module, images: Any, labels: Any, parts: int, absolute: bool) -> float:
    """Weight by weight, the gradients from numpy's own forward and backward pass."""
    cuts = np.array_split(np.arange(len(images)), parts)
    runs = [Reference(net, images[torch.as_tensor(cut)], labels[torch.as_tensor(cut)]).run() for cut in cuts]
    total = 0.0
    for layer in ("g1", "g2"):
        inside = 0.0
        for gradients in zip(*(run[layer].ravel() for run in runs), strict=True):
            spread = statistics.pstdev([abs(g) for g in gradients] if absolute else gradients)
            if spread > 0:
                inside += statistics.fmean(abs(g) for g in gradients) / spread
        if inside > 0:
            total += math.log(inside)
    return total


@pytest.mark.parametrize("parts", [2, 3, 4])
@pytest.mark.parametrize("variant", ["reference", "paper"])
def test_zico_is_its_sum_over_weights(parts: int, variant: str) -> None:
    net, (images, labels) = mlp(), batch(9, (5,))
    expected = zico_by_hand(net, images, labels, parts, absolute=variant == "paper")
    assert zc.zico(net, images, labels, variant=variant, parts=parts) == pytest.approx(expected, rel=1e-9)


def test_zico_leaves_out_what_does_not_differ() -> None:
    net, (images, labels) = mlp(), batch(4, (5,))
    twice = torch.cat([images, images]), torch.cat([labels, labels])
    assert zc.zico(net, *twice) is None, "both halves have the same gradients"
    with torch.no_grad():
        net[0].weight[0].zero_()
        net[0].bias[0] = -1.0  # a unit that is never active: its weights have gradient zero everywhere
    images, labels = batch(9, (5,))
    assert zc.zico(net, images, labels) == pytest.approx(zico_by_hand(net, images, labels, 2, False), rel=1e-9)


def test_zico_needs_two_images_in_each_part() -> None:
    net, (images, labels) = mlp(), batch(3, (5,))
    assert zc.zico(net, images, labels) is None
    with pytest.raises(ParameterError, match="parts: expected 2 or more"):
        zc.zico(net, images, labels, parts=1)
    with pytest.raises(ParameterError, match="variant: expected 'reference' or 'paper'"):
        zc.zico(net, images, labels, variant="code")


# --- SWAP ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 3, 9, 17])
def test_swap_counts_the_patterns_of_units(n: int) -> None:
    net, (images, labels) = mlp(hidden=40), batch(n, (5,))
    active = Reference(net, images, labels).run()["z1"] > 0
    assert zc.swap(net, images, labels) == len({tuple(unit) for unit in active.T.tolist()})
    assert zc.swap(net, images, labels) <= 2**n


def test_swap_of_convolutions_counts_positions_of_all_layers_together() -> None:
    net, (images, labels) = convnet(), batch(3)
    patterns, x = set(), images
    for module in net:
        x = module(x)
        if isinstance(module, nn.ReLU):
            n, channels, height, width = x.shape
            for c, i, j in itertools.product(range(channels), range(height), range(width)):
                patterns.add(tuple(bool(x[image, c, i, j] > 0) for image in range(n)))
    assert zc.swap(net, images, labels) == len(patterns) > 4
    assert zc.swap(nn.Sequential(nn.Linear(5, 3)).double(), *batch(8, (5,))) is None


# --- AZ-NAS ----------------------------------------------------------------------------------------------------------


class TwoBlocks(nn.Module):
    """A stem of 1x1 and a block of 3x3 that may halve the image, all linear."""

    def __init__(self, stride: int = 2) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, 3, 1, bias=False)
        self.block = nn.Conv2d(3, 4, 3, stride=stride, padding=1, bias=False)
        self.head = nn.Linear(4, 3)
        self.double()

    def feature_blocks(self) -> list[nn.Module]:
        return [self.stem, self.block]

    def forward(self, x: Any) -> Any:
        return self.head(self.block(self.stem(x)).mean((2, 3)))


def convolved(x: Any, w: Any, stride: int, padding: int) -> Any:
    """(n, c, h, w) * (o, c, k, k), loop by loop."""
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    k = w.shape[2]
    size = (x.shape[2] - k) // stride + 1
    out = np.zeros((len(x), len(w), size, size))
    for n, o, i, j in itertools.product(range(len(x)), range(len(w)), range(size), range(size)):
        out[n, o, i, j] = (x[n, :, i * stride : i * stride + k, j * stride : j * stride + k] * w[o]).sum()
    return out


def entropy_by_hand(features: Any) -> float:
    rows = np.moveaxis(features, 1, -1).reshape(-1, features.shape[1])
    values = np.linalg.eigvals(np.cov(rows.T, bias=True)).real
    shares = np.maximum(values, 0) / values.sum()
    return float(-sum(p * math.log(p + 1e-8) for p in shares))


@pytest.fixture
def draws(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What AZ-NAS's terms draw, in order: weights in the order of modules, inputs, signs."""
    found: list[Any] = []
    real = zero_cost_az.gaussian

    def spy(like: Any, generator: Any) -> Any:
        value = real(like, generator)
        found.append(value.numpy().copy())
        return value

    monkeypatch.setattr(zero_cost_az, "gaussian", spy)
    return found


@pytest.mark.parametrize("stride", [1, 2])
def test_the_terms_of_az_nas_are_their_definitions(draws: list[Any], stride: int) -> None:
    images, labels = batch(3, (2, 4, 4))
    names = ["az_expressivity", "az_progressivity", "az_trainability"]
    found = zero_cost(TwoBlocks(stride), images, labels, proxies=names, generator=seeded())
    w1, w2, _, x, signs = draws
    w1, w2 = w1 * math.sqrt(2 / 2), w2 * math.sqrt(2 / 27)
    first = convolved(x, w1, 1, 0)
    second = convolved(first, w2, stride, 1)
    entropies = [entropy_by_hand(first), entropy_by_hand(second)]
    assert found["az_expressivity"] == pytest.approx(sum(entropies), rel=1e-9)
    assert found["az_progressivity"] == pytest.approx(entropies[1] - entropies[0], rel=1e-9)

    signs = np.sign(signs)
    back = np.zeros_like(first)  # of a linear block: apply it to every unit vector
    for c, i, j in itertools.product(range(3), range(4), range(4)):
        unit = np.zeros((1, 3, 4, 4))
        unit[0, c, i, j] = 1
        back[:, c, i, j] = (signs * convolved(unit, w2, stride, 1)).sum((1, 2, 3))
    side = 4 // stride
    mean = np.zeros((3 * stride**2, 4))
    for n, i, j in itertools.product(range(3), range(side), range(side)):
        pixels = back[n, :, i * stride : (i + 1) * stride, j * stride : (j + 1) * stride].ravel()
        mean += np.outer(pixels, signs[n, :, i, j])
    s = math.sqrt(np.linalg.eigvalsh(mean.T @ mean).max()) / (3 * side**2)
    assert found["az_trainability"] == pytest.approx(2 - s - 1 / (s + 1e-6), rel=1e-9)


def test_complexity_counts_multiplications_of_one_image() -> None:
    expected = 36 * 4 * 27 + 4 * 5 * 36 + 5 * 3
    for n in (2, 8):
        assert zc.az_complexity(convnet(), *batch(n)) == expected


def test_terms_of_az_nas_see_only_the_shape_and_the_generator() -> None:
    net, other = nb201_net(NB201), nb201_net(NB201, seed=5)
    names = sorted(OF_BLOCKS)
    first = zero_cost(net, *batch(4, (3, 8, 8)), proxies=names, generator=seeded(2))
    assert None not in first.values()
    assert zero_cost(other, *batch(4, (3, 8, 8), seed=9), proxies=names, generator=seeded(2)) == first
    generator = seeded(2)
    assert zc.az_expressivity(net, *batch(4, (3, 8, 8)), generator=generator) == first["az_expressivity"]
    again = zc.az_expressivity(net, *batch(4, (3, 8, 8)), generator=generator)
    assert again != first["az_expressivity"], "the generator is advanced"
    with pytest.raises(ParameterError, match=r"az-nas: expected a torch.Generator"):
        ZERO_COST["az_expressivity"].of(zc.Subject(net, *batch(4, (3, 8, 8))))


def test_blocks_that_say_nothing_leave_the_terms_undefined() -> None:
    identity = nb201_net("nb201:|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|")
    found = zero_cost(identity, *batch(4, (3, 8, 8)), proxies=sorted(OF_BLOCKS), generator=seeded())
    assert found["az_trainability"] is None, "cells hand on what they read"
    assert found["az_progressivity"] == pytest.approx(0, abs=1e-9)
    one = TwoBlocks()
    one.feature_blocks = lambda: [one.stem]  # type: ignore[method-assign]
    assert zc.az_progressivity(one, *batch(3, (2, 4, 4)), generator=seeded()) is None
    assert zc.az_expressivity(convnet(), *batch(), generator=seeded()) is None, "it names no blocks"


# --- several initialisations -----------------------------------------------------------------------------------------


def test_a_spread_is_that_of_networks_drawn_one_by_one() -> None:
    def build(generator: Any) -> nn.Module:
        net = mlp()
        with torch.no_grad():
            for p in net.parameters():
                p.copy_(torch.randn(p.shape, generator=generator, dtype=torch.float64))
        return net

    images, labels = batch(8, (5,))
    found = zero_cost_spread(build, images, labels, initialisations=4, proxies=["zico", "swap", "zen", "jacov"], seed=3)
    assert list(found) == ["zico", "swap", "zen", "jacov"]
    for number in range(4):
        net = build(torch_generator(3, "zero-cost", "weights", number))
        generator = torch_generator(3, "zero-cost", "draws", number)
        alone = zero_cost(net, images, labels, proxies=list(found), generator=generator)
        assert {name: spread.values[number] for name, spread in found.items()} == alone
    zico = found["zico"]
    assert (zico.mean, zico.sd) == pytest.approx((statistics.fmean(zico.values), statistics.stdev(zico.values)))
    assert zero_cost_spread(build, images, labels, initialisations=4, proxies=["zico"], seed=3)["zico"] == zico
    assert len(set(zico.values)) == 4


def test_a_spread_leaves_out_what_is_undefined() -> None:
    def build(generator: Any) -> nn.Module:
        linear = nn.Linear(5, 3).double()
        dead = bool(torch.rand((), generator=generator) < 0.5)
        return drawn(nn.Sequential(linear) if dead else nn.Sequential(linear, nn.ReLU(), nn.Linear(3, 3)))

    spread = zero_cost_spread(build, *batch(8, (5,)), initialisations=6, proxies=["swap"])["swap"]
    known = [value for value in spread.values if value is not None]
    assert 0 < len(known) < 6
    assert spread.mean == pytest.approx(statistics.fmean(known))
    once = zero_cost_spread(lambda _: drawn(nn.Sequential(nn.Linear(5, 3))), *batch(8, (5,)), initialisations=1)
    assert (once["swap"].mean, once["swap"].sd, once["l2_norm"].sd) == (None, None, None)
    with pytest.raises(ParameterError, match="initialisations: expected 1 or more, got 0"):
        zero_cost_spread(build, *batch(8, (5,)), initialisations=0)


def test_the_suite_is_what_was_published_before() -> None:
    assert list(SUITE) == sorted(SUITE)
    assert set(ZERO_COST) - set(SUITE) == {"zico", "swap", "az_complexity", *OF_BLOCKS}

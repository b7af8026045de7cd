"""Zero-cost measures against plain numpy and hand-written references, on networks small enough to do so."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from nasanalysis.core.errors import NasAnalysisError, ParameterError, UnknownNameError
from nasanalysis.core.seeding import torch_generator
from nasanalysis.measures import zero_cost as zc
from nasanalysis.measures.untouched import untouched
from nasanalysis.measures.zero_cost import ZERO_COST, zero_cost
from nasanalysis.spaces.skeletons import Skeleton, skeleton

pytestmark = pytest.mark.torch

DATA_FREE = {"az_complexity", "l2_norm", "synflow", "zen"}
#: Read the feature maps of blocks, which only some networks name; these and zen draw weights and inputs.
OF_BLOCKS = {"az_expressivity", "az_progressivity", "az_trainability"}
DRAWN = {"zen", *OF_BLOCKS}


def seeded(seed: int = 0) -> torch.Generator:
    return torch_generator(seed, "test")


def batch(n: int = 8, shape: tuple[int, ...] = (3, 6, 6), classes: int = 3, seed: int = 0) -> tuple[Any, Any]:
    g = seeded(seed)
    return torch.randn(n, *shape, generator=g, dtype=torch.float64), torch.randint(classes, (n,), generator=g)


def drawn(net: nn.Module, seed: int = 1) -> nn.Module:
    """Double precision, weights and batch-norm factors away from any special value."""
    g = seeded(seed)
    net = net.double()
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(torch.randn(p.shape, generator=g, dtype=torch.float64) * 0.5 + 0.1)
    return net


def mlp(inputs: int = 5, hidden: int = 7, classes: int = 3, seed: int = 1) -> nn.Module:
    return drawn(nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, classes)), seed)


def convnet(seed: int = 1) -> nn.Module:
    return drawn(
        nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1, bias=False),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Conv2d(4, 5, 3, stride=2),
            nn.BatchNorm2d(5),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(5, 3),
        ),
        seed,
    )


def measure(name: str, net: nn.Module, images: Any, labels: Any, seed: int = 0, **options: Any) -> float | None:
    if name in DRAWN:
        options["generator"] = seeded(seed)
    return ZERO_COST[name].function(net, images, labels, **options)


def agree(value: float | None, expected: float | None, rel: float) -> None:
    """Equal but for rounding, or both undefined."""
    assert (value is None) == (expected is None)
    assert value is None or value == pytest.approx(expected, rel=rel)


# --- plain numpy, two layers by hand ---------------------------------------------------------------------------------


class Reference:
    """A multilayer perceptron with one rectified layer, forward and backward by hand."""

    def __init__(self, net: nn.Module, images: Any, labels: Any) -> None:
        self.w1, self.b1, self.w2, self.b2 = (p.detach().numpy().copy() for p in net.parameters())
        self.x, self.y = images.numpy(), labels.numpy()

    def run(self, w1: Any = None, w2: Any = None) -> dict[str, Any]:
        w1, w2 = self.w1 if w1 is None else w1, self.w2 if w2 is None else w2
        z1 = self.x @ w1.T + self.b1
        h = np.where(z1 > 0, z1, 0)
        z2 = h @ w2.T + self.b2
        p = np.exp(z2 - z2.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        d2 = (p - np.eye(z2.shape[1])[self.y]) / len(self.x)
        d1 = (d2 @ w2) * (z1 > 0)
        jacobian = (np.ones_like(z2) @ w2 * (z1 > 0)) @ w1
        return {"z1": z1, "z2": z2, "d1": d1, "d2": d2, "g1": d1.T @ self.x, "g2": d2.T @ h, "jacobian": jacobian}

    def grad_norm(self) -> float:
        run = self.run()
        return float(np.sqrt((run["g1"] ** 2).sum()) + np.sqrt((run["g2"] ** 2).sum()))

    def snip(self) -> float:
        run = self.run()
        return float(np.abs(self.w1 * run["g1"]).sum() + np.abs(self.w2 * run["g2"]).sum())

    def plain(self) -> float:
        run = self.run()
        return float((self.w1 * run["g1"]).sum() + (self.w2 * run["g2"]).sum())

    def grasp(self) -> float:
        """The Hessian times the gradient by central differences of the gradient."""
        run, step = self.run(), 1e-5
        up, down = (self.run(self.w1 + s * run["g1"], self.w2 + s * run["g2"]) for s in (step, -step))
        hg = [(up[g] - down[g]) / (2 * step) for g in ("g1", "g2")]
        return float(-(self.w1 * hg[0]).sum() - (self.w2 * hg[1]).sum())

    def fisher(self, weighted: bool = True) -> float:
        run = self.run()
        total = 0.0
        for z, d, w in ((run["z1"], run["d1"], self.w1), (run["z2"], run["d2"], self.w2)):
            for channel in range(z.shape[1]):
                saliency = 0.5 * np.mean((z[:, channel] * d[:, channel]) ** 2)
                total += saliency * (w.shape[1] if weighted else 1)
        return float(total)

    def synflow_sum(self) -> float:
        w1, b1, w2 = np.abs(self.w1), np.abs(self.b1), np.abs(self.w2)
        h = w1.sum(1) + b1  # of an input of ones; nothing is negative, so the rectifier does nothing
        into_h = w2.sum(0)
        return float((w2 * h).sum() + (w1 * into_h[:, None]).sum())

    def jacov(self) -> float:
        v = np.real(np.linalg.eigvals(np.corrcoef(self.run()["jacobian"]))) + 1e-5
        return float(-np.sum(np.log(v) + 1 / v))

    def kernel(self) -> Any:
        code = self.run()["z1"] > 0
        n = len(code)
        k = np.zeros((n, n))
        for i in range(n):
            for j in range(n):
                k[i, j] = code.shape[1] - np.sum(code[i] != code[j])  # units minus Hamming distance
        return k

    def epe_nas(self, classes: int) -> float:
        rows, scores = self.run()["jacobian"], []
        for c in range(classes):
            own = rows[self.y == c]
            if len(own) == 0 or (classes > 100 and len(own) == 1):
                continue
            s = 0.0
            for a in own:
                for b in own:
                    a0, b0 = a - a.mean(), b - b.mean()
                    s += np.log(abs(a0 @ b0 / np.sqrt((a0 @ a0) * (b0 @ b0))) + 1e-5)
            scores.append(s / len(own) if classes > 100 else s)
        if classes <= 100:
            return float(sum(abs(s) for s in scores))
        return float(sum(abs(s - t) for s in scores for t in scores) / len(scores))


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(2, 9),
    inputs=st.integers(3, 9),
    hidden=st.integers(2, 12),
    classes=st.integers(2, 6),
)
def test_every_measure_of_the_gradient_is_what_numpy_says(
    seed: int, n: int, inputs: int, hidden: int, classes: int
) -> None:
    net = mlp(inputs, hidden, classes, seed)
    images, labels = batch(n, (inputs,), classes, seed + 1)
    reference = Reference(net, images, labels)
    for name in ("grad_norm", "snip", "plain", "fisher"):
        assert measure(name, net, images, labels) == pytest.approx(getattr(reference, name)(), rel=1e-9, abs=1e-12)
    assert zc.fisher(net, images, labels, variant="paper") == pytest.approx(reference.fisher(weighted=False), rel=1e-9)
    assert zc.synflow(net, images, labels, variant="paper") == pytest.approx(reference.synflow_sum(), rel=1e-12)
    assert zc.synflow(net, images, labels) == pytest.approx(np.log(reference.synflow_sum()), rel=1e-12)
    l2 = np.linalg.norm(reference.w1) + np.linalg.norm(reference.w2)
    assert zc.l2_norm(net, images, labels) == pytest.approx(l2, rel=1e-12)
    sign, log_determinant = np.linalg.slogdet(reference.kernel())
    found = zc.nwot(net, images, labels)
    if log_determinant > -5 and sign > 0:  # singular otherwise, as far as rounding can tell
        assert found == pytest.approx(log_determinant, rel=1e-7, abs=1e-7)
    else:
        assert found is None or found < -5


@pytest.mark.parametrize("seed", range(4))
def test_correlation_measures_and_grasp_are_what_numpy_says(seed: int) -> None:
    net = mlp(20, 30, 4, seed)
    images, labels = batch(10, (20,), 4, seed)
    reference = Reference(net, images, labels)
    assert zc.jacov(net, images, labels) == pytest.approx(reference.jacov(), rel=1e-8)
    assert zc.epe_nas(net, images, labels) == pytest.approx(reference.epe_nas(4), rel=1e-9)
    assert zc.grasp(net, images, labels) == pytest.approx(reference.grasp(), rel=1e-5)


def test_grasp_is_minus_w_h_g_with_the_explicit_hessian() -> None:
    net, (images, labels) = mlp(4, 3, 3), batch(6, (4,))
    w1, b1, w2, b2 = (p.detach() for p in net.parameters())
    flat = torch.cat([w1.flatten(), w2.flatten()])

    def loss(w: Any) -> Any:
        hidden = F.linear(images, w[: w1.numel()].view_as(w1), b1).clamp(min=0)
        return F.cross_entropy(F.linear(hidden, w[w1.numel() :].view_as(w2), b2), labels)

    hessian = torch.autograd.functional.hessian(loss, flat).numpy()
    gradient = torch.autograd.functional.jacobian(loss, flat).numpy()
    assert hessian.shape == (21, 21)
    assert zc.grasp(net, images, labels) == pytest.approx(-flat.numpy() @ hessian @ gradient, rel=1e-9)


def test_epe_nas_with_more_than_a_hundred_classes_compares_classes() -> None:
    net, (images, labels) = mlp(8, 12, 120), batch(60, (8,), 120)
    labels %= 25  # some classes with one image, most with several
    labels[:3] = torch.tensor([100, 101, 102])
    assert zc.epe_nas(net, images, labels) == pytest.approx(Reference(net, images, labels).epe_nas(120), rel=1e-9)


def test_epe_nas_of_few_classes_counts_a_class_of_one_image() -> None:
    net, (images, _) = mlp(8, 12, 3), batch(5, (8,))
    labels = torch.tensor([0, 1, 1, 1, 2])
    assert zc.epe_nas(net, images, labels) == pytest.approx(Reference(net, images, labels).epe_nas(3), rel=1e-9)


# --- convolutions and batch-norm -------------------------------------------------------------------------------------


def batch_norm(x: Any, layer: nn.BatchNorm2d, unit: bool = False) -> tuple[Any, Any]:
    """By hand: normalised by the batch's own statistics, and the batch's unbiased variance."""
    mean, var = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), unbiased=False, keepdim=True)
    out = (x - mean) / (var + layer.eps).sqrt()
    if not unit:
        out = out * layer.weight.view(1, -1, 1, 1) + layer.bias.view(1, -1, 1, 1)
    return out, x.var((0, 2, 3), unbiased=True)


def test_fisher_of_convolutions_loops_over_channels_and_images() -> None:
    net, (images, labels) = convnet(), batch()
    c1, n1, _, c2, n2, _, _, _, head = net
    a1 = F.conv2d(images, c1.weight, padding=1)
    a2 = F.conv2d(batch_norm(a1, n1)[0].clamp(min=0), c2.weight, c2.bias, stride=2)
    a3 = F.linear(batch_norm(a2, n2)[0].clamp(min=0).mean((2, 3)), head.weight, head.bias)
    gradients = torch.autograd.grad(F.cross_entropy(a3, labels), [a1, a2, a3])
    total = {"reference": 0.0, "paper": 0.0}
    for a, g, layer in zip((a1, a2, a3), gradients, (c1, c2, head), strict=True):
        for channel in range(a.shape[1]):
            squares = [float((a[i, channel] * g[i, channel]).detach().sum()) ** 2 for i in range(len(images))]
            saliency = 0.5 * sum(squares) / len(squares)
            total["paper"] += saliency
            total["reference"] += saliency * layer.weight[channel].numel()
    for variant, expected in total.items():
        assert zc.fisher(net, images, labels, variant=variant) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("variant", ["reference", "paper"])
def test_zen_is_its_definition(variant: str) -> None:
    net, (images, labels) = convnet(), batch()
    c1, n1, _, c2, n2, _, _, _, head = net
    g = seeded(5)
    w1, w2, _ = (torch.randn(m.weight.shape, generator=g).double() for m in (c1, c2, head))
    x, noise = (torch.randn(images.shape, generator=g).double() for _ in range(2))

    def features(x: Any) -> tuple[Any, list[Any]]:
        h, v1 = batch_norm(F.conv2d(x, w1, padding=1), n1, unit=True)
        h, v2 = batch_norm(F.conv2d(h.clamp(min=0), w2, stride=2), n2, unit=True)
        return h.clamp(min=0), [v1, v2]

    (f0, v0), (f1, v1) = features(x), features(x + 0.01 * noise)
    if variant == "reference":
        size = (f0 - f1).abs().sum((1, 2, 3)).mean()
        variances = [0.9 * (0.9 * 1 + 0.1 * a) + 0.1 * b for a, b in zip(v0, v1, strict=True)]
    else:
        size = torch.stack([(a - b).square().sum().sqrt() for a, b in zip(f0, f1, strict=True)]).mean()
        variances = v0
    expected = size.log() + sum(v.mean().sqrt().log() for v in variances)
    found = zc.zen(net, images, labels, generator=seeded(5), variant=variant)
    assert found == pytest.approx(float(expected), rel=1e-9)


def test_zen_of_other_networks_finds_the_features() -> None:
    images, labels = batch()

    class Pooled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 3)

        def forward(self, x: Any) -> Any:
            return self.head(self.body(x).mean((2, 3)))

    g = seeded(5)
    net = Pooled().double()
    weight = torch.randn(net.body.weight.shape, generator=g).double()
    torch.randn(net.head.weight.shape, generator=g)
    _, noise = (torch.randn(images.shape, generator=g).double() for _ in range(2))
    change = F.conv2d(0.01 * noise, weight)  # linear: x drops out
    expected = float(change.abs().sum((1, 2, 3)).mean().log())
    assert zc.zen(net, images, labels, generator=seeded(5)) == pytest.approx(expected, rel=1e-9)
    flat = nn.Sequential(nn.Linear(5, 3)).double()
    assert zc.zen(flat, *batch(8, (5,)), generator=seeded()) is not None


def test_weights_that_batch_norm_rescales() -> None:
    """L(c w) = L(w) gives w . g = 0 and, differentiated once more, -w . (H g) = |g|^2, layer by layer."""
    layers: list[nn.Module] = [nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4, eps=1e-12), nn.Tanh()]
    layers += [nn.Conv2d(4, 3, 3), nn.BatchNorm2d(3, eps=1e-12), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    net, (images, labels) = drawn(nn.Sequential(*layers)), batch(6)
    snip, plain = zc.snip(net, images, labels), zc.plain(net, images, labels)
    assert snip is not None
    assert plain is not None
    assert snip > 1e-2
    assert abs(plain) < 1e-9 * snip
    gradients = torch.autograd.grad(F.cross_entropy(net.train()(images), labels), [net[0].weight, net[3].weight])
    squares = sum(float(g.square().sum()) for g in gradients)
    assert zc.grasp(net, images, labels) == pytest.approx(squares, rel=1e-6)


def test_synflow_leaves_batch_norm_out_and_labels_and_pixels_say_nothing() -> None:
    net, (images, labels) = convnet(), batch()
    bare = nn.Sequential(*(m for m in net if not isinstance(m, nn.BatchNorm2d)))
    value = zc.synflow(net, images, labels)
    assert value == zc.synflow(bare, images, labels)
    assert value == zc.synflow(net, images * 7 - 3, (labels + 1) % 3)
    with torch.no_grad():
        net[3].bias.zero_()
        net[8].bias.zero_()
        before = zc.synflow(net, images, labels, variant="paper")
        net[0].weight.mul_(-5)  # the sign drops out, and every path takes one weight of every layer
    assert zc.synflow(net, images, labels, variant="paper") == pytest.approx(5 * before, rel=1e-12)


# --- rectifiers and layers: reused, functional, in place -------------------------------------------------------------


class Plainly(nn.Module):
    """Two convolutions; `act` is what rectifies, each time."""

    def __init__(self, act: Callable[[Any], Any], again: Callable[[Any], Any] | None = None) -> None:
        super().__init__()
        self.a, self.b, self.head = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.Linear(4, 3)
        self.act, self.again = act, act if again is None else again

    def forward(self, x: Any) -> Any:
        return self.head(self.again(self.b(self.act(self.a(x)))).mean((2, 3)))


RECTIFIED = {
    "one module twice": nn.ReLU(),
    "in place": nn.ReLU(inplace=True),
    "F.relu": F.relu,
    "torch.relu": torch.relu,
    "torch.relu_": torch.relu_,
    "method": lambda x: x.relu(),
    "method in place": lambda x: x.relu_(),
    "leaky": nn.LeakyReLU(0.0),
    "F.leaky_relu": lambda x: F.leaky_relu(x, 0.0),
}


@pytest.mark.parametrize("how", RECTIFIED)
def test_all_ways_to_rectify_are_one(how: str) -> None:
    images, labels = batch()
    expected = zero_cost(drawn(Plainly(nn.ReLU(), nn.ReLU())), images, labels, generator=seeded())
    found = zero_cost(drawn(Plainly(RECTIFIED[how])), images, labels, generator=seeded())
    assert {name for name, value in expected.items() if value is None} == OF_BLOCKS
    for name, value in expected.items():
        agree(found[name], value, rel=1e-12)


def test_what_works_in_place_changes_nothing() -> None:
    class Doubling(Plainly):
        def forward(self, x: Any) -> Any:
            return super().forward(x.mul_(2))

    images, labels = batch()
    names = ["fisher", "snip", "jacov"]
    expected = zero_cost(drawn(Plainly(torch.tanh)), images * 2, labels, proxies=names, generator=seeded())
    kept = images.clone()
    in_place = {"fisher": Plainly(lambda x: x.tanh_()), "snip": Doubling(torch.tanh), "jacov": Doubling(torch.tanh_)}
    for name, net in in_place.items():
        given = images if isinstance(net, Doubling) else images * 2
        assert measure(name, drawn(net), given, labels) == pytest.approx(expected[name], rel=1e-12), name
    assert torch.equal(images, kept)


def test_a_layer_that_runs_twice_counts_each_run() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.head = nn.Linear(24, 24), nn.Linear(24, 3)

        def forward(self, x: Any) -> Any:
            return self.head(F.relu(self.layer(F.relu(self.layer(x)))))

    net, (images, labels) = drawn(Twice()), batch(8, (24,))
    unrolled = nn.Sequential(net.layer, nn.ReLU(), net.layer, nn.ReLU(), net.head)
    apart = nn.Sequential(nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 3)).double()
    with torch.no_grad():
        for mine, other in ((0, net.layer), (2, net.layer), (4, net.head)):
            apart[mine].load_state_dict(other.state_dict())
    for name in ZERO_COST:
        agree(measure(name, net, images, labels), measure(name, unrolled, images, labels), rel=1e-12)
    for name in ("fisher", "nwot", "jacov"):
        assert measure(name, net, images, labels) == pytest.approx(measure(name, apart, images, labels), rel=1e-9)
    assert zc.plain(net, images, labels) == pytest.approx(zc.plain(apart, images, labels), rel=1e-9)  # w (g1 + g2)


def test_networks_without_rectifiers_have_no_nwot() -> None:
    assert zc.nwot(drawn(nn.Sequential(nn.Linear(5, 3))), *batch(8, (5,))) is None


# --- the networks of the search spaces -------------------------------------------------------------------------------

TINY = Skeleton(image_size=8, classes=3, channels=4, cells=1)


def nb201_net(key: str, seed: int = 0) -> nn.Module:
    from nasanalysis.networks.nb201 import build_network

    return build_network(key, TINY, torch_generator(seed, "weights")).double()


def test_edges_that_nothing_reads_have_no_gradient() -> None:
    loose = nb201_net("nb201:|nor_conv_3x3~0|+|nor_conv_1x1~0|none~1|+|nor_conv_3x3~0|none~1|none~2|")
    bare = nb201_net("nb201:|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|", seed=1)
    state = {name: value for name, value in loose.state_dict().items() if name in bare.state_dict()}
    assert len(state) < len(loose.state_dict())
    bare.load_state_dict(state)
    images, labels = batch(8, (3, 8, 8))
    names = [name for name in ZERO_COST if name not in ("l2_norm", *DRAWN)]  # which draw the unread weights too
    found = zero_cost(loose, images, labels, proxies=names, generator=seeded())
    assert None not in found.values()
    assert found == pytest.approx(zero_cost(bare, images, labels, proxies=names, generator=seeded()), rel=1e-9)
    assert zc.l2_norm(loose, images, labels) > zc.l2_norm(bare, images, labels)


def test_a_network_that_ignores_its_input() -> None:
    found = zero_cost(
        nb201_net("nb201:|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"),
        *batch(8, (3, 8, 8)),
        generator=seeded(),
    )
    undefined = {name for name, value in found.items() if value is None}
    assert {"jacov", "epe_nas", "nwot", "synflow", "zen", "zico", *OF_BLOCKS} == undefined


def nb101_net() -> nn.Module:
    from drawn_networks import build_network101

    from nasanalysis.spaces.nb101_enumeration import Skeleton101

    arch = "nb101-2:conv3x3~0+conv3x3~0+maxpool3x3~01+conv1x1~12+output~134"
    return build_network101(arch, Skeleton101(image_size=8, classes=3, channels=8, cells=1), seeded())


def darts_net(space: str) -> nn.Module:
    from drawn_networks import build_darts_network

    from nasanalysis.networks.darts_cells import DartsSkeleton
    from nasanalysis.spaces import get_space

    arch = get_space(space).sample(1, np.random.default_rng(1))[0]
    return build_darts_network(arch, DartsSkeleton(channels=2, cells=2, classes=3, image_size=8), seeded())


SPACES: dict[str, Callable[[], nn.Module]] = {
    "nb201": lambda: nb201_net(
        "nb201:|nor_conv_3x3~0|+|avg_pool_3x3~0|skip_connect~1|+|none~0|nor_conv_1x1~1|skip_connect~2|"
    ),
    "nb101": nb101_net,
    "darts": lambda: darts_net("darts"),
    "s4": lambda: darts_net("s4"),  # noise from a generator of the network's own
    "convnet": convnet,
}


@pytest.mark.parametrize("space", SPACES)
def test_measures_together_are_the_measures_alone(space: str) -> None:
    net = SPACES[space]().double()
    images, labels = batch(5, (3, 8, 8))
    together = zero_cost(net, images, labels, generator=seeded(3))
    assert list(together) == list(ZERO_COST)
    undefined = {name for name, value in together.items() if value is None}
    assert undefined == (OF_BLOCKS if space == "convnet" else set())
    for name, value in together.items():
        agree(measure(name, net, images, labels, seed=3), value, rel=1e-9)


def test_the_published_values_of_untrained_networks(data_dir: Path) -> None:
    """What no batch enters agrees with NAS-Bench-Suite-Zero but for the draw of the weights, at the published size."""
    from nasanalysis.networks.nb201 import build_network

    table = pl.read_csv(data_dir / "nb201" / "zero_cost_proxies_cifar10.csv").filter(pl.col("synflow") > 0)
    images, labels = batch(2, (3, 32, 32))
    for row in table.gather_every(1500).iter_rows(named=True):
        net = build_network("nb201:" + row["net_str"], skeleton("cifar10"), seeded())
        assert zc.l2_norm(net, images, labels) == pytest.approx(row["l2_norm"], rel=0.01)
        assert zc.synflow(net, images, labels) == pytest.approx(row["synflow"], abs=0.3)


# --- nothing is touched ----------------------------------------------------------------------------------------------


class Dropping(nn.Module):
    """Batch-norms, dropout as a module and as a function, a gradient, a frozen weight, mixed modes."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout2d(0.5))
        self.norm, self.head = nn.BatchNorm1d(4), nn.Linear(4, 3)
        self.fails = False

    def feature_blocks(self) -> list[nn.Module]:
        return list(self.body[:2])

    def forward(self, x: Any) -> Any:
        x = self.norm(self.body(x).mean((2, 3)))
        if self.fails:
            raise RuntimeError("half-way")
        return self.head(F.dropout(x, 0.5, training=True))


def messy(seed: int = 1) -> Dropping:
    net = drawn(Dropping(), seed)
    assert isinstance(net, Dropping)
    net.train()
    net.body.eval()
    net.head.weight.grad = torch.full_like(net.head.weight, 0.25)
    net.body[0].weight.requires_grad_(False)
    return net


def snapshot(net: nn.Module) -> list[Any]:
    """Everything that could have been changed, as bytes and plain values."""
    found: list[Any] = []
    for name, tensor in (*net.named_parameters(), *net.named_buffers()):
        gradient = None if tensor.grad is None else tensor.grad.numpy().tobytes()
        found.append((name, id(tensor), tensor.detach().numpy().tobytes(), tensor._version, gradient))
        found.append((tensor.requires_grad, tensor.dtype, tensor.is_leaf))
    for name, module in net.named_modules():
        hooks = [len(v) for k, v in sorted(vars(module).items()) if k.endswith("hooks")]
        found.append((name, module.training, sorted(vars(module)), hooks))
    return found


def generators() -> list[Any]:
    return [torch.get_rng_state().numpy().tobytes(), np.random.get_state()[1].tobytes(), random.getstate()]  # noqa: NPY002


@pytest.mark.parametrize("name", [*ZERO_COST, "all"])
@pytest.mark.parametrize("fails", [False, True])
def test_the_network_stays_byte_for_byte(name: str, fails: bool) -> None:
    net, (images, labels) = messy(), batch()
    net.fails = fails
    images.requires_grad_()
    kept, state = snapshot(net), generators()
    pixels, classes = images.detach().numpy().tobytes(), labels.numpy().tobytes()

    def run() -> object:
        if name == "all":
            return zero_cost(net, images, labels, generator=seeded())
        return measure(name, net, images, labels)

    if fails and name != "l2_norm":
        with pytest.raises(RuntimeError, match="half-way"):
            run()
    else:
        assert run() is not None
    assert snapshot(net) == kept
    assert generators() == state
    assert images.grad is None
    assert (images.detach().numpy().tobytes(), labels.numpy().tobytes()) == (pixels, classes)


def test_the_snapshot_sees_what_it_must() -> None:
    net, (images, _) = messy(), batch()
    for touch in (
        lambda: net(images),  # running statistics
        lambda: net.body[0].register_forward_hook(lambda *_: None),
        lambda: net.head.weight.grad.add_(1),
        lambda: net.eval(),
        lambda: net.head.bias.requires_grad_(False),
    ):
        kept = snapshot(net)
        touch()
        assert snapshot(net) != kept
    state = generators()
    torch.rand(1)
    assert generators() != state


def test_untouched_gives_a_copy_that_asks_for_gradients() -> None:
    net = messy()
    kept = snapshot(net)
    with pytest.raises(ZeroDivisionError), untouched(net) as twin:
        assert all(p.requires_grad and p.grad is None for p in twin.parameters())
        assert [m.training for m in twin.modules()] == [m.training for m in net.modules()]
        twin(batch()[0]).sum().backward()
        1 / 0  # noqa: B018
    assert snapshot(net) == kept
    tied = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    tied[1].weight = tied[0].weight
    with untouched(tied) as twin:
        assert twin[0].weight is twin[1].weight is not tied[0].weight
    net.kept = net.head.weight * 2
    with pytest.raises(NasAnalysisError, match="expected a network that can be copied, got Dropping"), untouched(net):
        pass


def test_the_callers_mode_and_statistics_say_nothing() -> None:
    net, (images, labels) = convnet(), batch()
    expected = zero_cost(net, images, labels, generator=seeded())
    net(images * 3 + 1)  # other running statistics
    with torch.no_grad():
        assert zero_cost(net.eval(), images, labels, generator=seeded()) == expected
    with torch.inference_mode():
        assert zero_cost(net, images.clone(), labels.clone(), generator=seeded()) == expected
    for p in net.parameters():
        p.requires_grad_(False)
    assert zero_cost(net, images, labels, generator=seeded()) == expected


def test_the_generator_is_the_only_source_of_randomness() -> None:
    net, (images, labels) = messy(), batch()
    torch.manual_seed(1)
    first = zero_cost(net, images, labels, generator=seeded(1))
    torch.manual_seed(2)
    assert zero_cost(net, images, labels, generator=seeded(1)) == first
    other = zero_cost(net, images, labels, generator=seeded(2))
    assert {name for name in first if first[name] != other[name]} == DRAWN
    g = seeded(1)
    assert zc.zen(net, images, labels, generator=g) == first["zen"]
    assert zc.zen(net, images, labels, generator=g) != first["zen"], "the generator is advanced"


# --- bad input -------------------------------------------------------------------------------------------------------


def test_unknown_names_are_refused_before_anything_runs() -> None:
    net = messy()
    net.fails = True
    with pytest.raises(UnknownNameError, match="unknown zero-cost measure 'synflo'. Did you mean 'synflow'"):
        zero_cost(net, *batch(), proxies=["snip", "synflo"], generator=seeded())
    with pytest.raises(ParameterError, match="expected a list of names, got the text 'snip'"):
        zero_cost(net, *batch(), proxies="snip", generator=seeded())
    assert zero_cost(net, *batch(), proxies=[], generator=seeded()) == {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: (x[:1], y[:1]), "images: expected at least 2 .* got 1"),
        (lambda x, y: (x, y[:-1]), r"labels: expected 8 whole numbers \(n,\), got \(7,\)"),
        (lambda x, y: (x, y.double()), r"labels: expected 8 whole numbers \(n,\), got \(8,\) of torch.float64"),
        (lambda x, y: (x, y - 5), "labels: expected classes 0 and up, got -"),
        (lambda x, y: (x, y + 1), "labels: expected classes 0 to 2, those of the network, got class 3"),
        (lambda x, y: (x.long(), y), r"images: expected numbers \(n, channels, height, width\), got .* of torch.int64"),
    ],
)
def test_batches_that_do_not_fit(change: Callable[[Any, Any], Any], message: str) -> None:
    images, labels = batch()
    labels[0] = 2
    with pytest.raises(ParameterError, match=message):
        zero_cost(convnet(), *change(images, labels), generator=seeded())


def test_networks_that_do_not_fit() -> None:
    images, labels = batch()
    with pytest.raises(NasAnalysisError, match=r"expected logits \(n, classes\) of 8 images, got \(8, 4, 6, 6\)"):
        zc.snip(nn.Conv2d(3, 4, 1).double(), images, labels)
    with pytest.raises(NasAnalysisError, match="expected a network with Conv2d or Linear layers, got Flatten"):
        zc.snip(nn.Flatten(), images, labels)
    with pytest.raises(ParameterError, match="zen: expected a torch.Generator"):
        zc.ZERO_COST["zen"].of(zc.Subject(convnet(), images, labels))
    with pytest.raises(ParameterError, match="variant: expected 'reference' or 'paper', got 'code'"):
        zc.fisher(convnet(), images, labels, variant="code")


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_logits_that_are_not_finite_leave_measures_undefined(bad: float) -> None:
    net, (images, labels) = convnet(), batch()
    with torch.no_grad():
        net[8].bias[0] = bad
    found = zero_cost(net, images, labels, generator=seeded())
    assert {name for name, value in found.items() if value is not None} <= DATA_FREE
    assert None not in (found["l2_norm"], found["zen"])  # they read other weights
    images[0, 0, 0, 0] = bad
    found = zero_cost(convnet(), images, labels, generator=seeded())
    assert {name for name, value in found.items() if value is not None} == DATA_FREE


def test_the_registry_is_what_its_functions_say() -> None:
    assert list(ZERO_COST) == sorted(ZERO_COST)
    for name, entry in ZERO_COST.items():
        assert (entry.name, entry.function) == (name, getattr(zc, name))
        assert entry.direction in (1, -1)
        assert entry.reference
        assert entry.function.__doc__

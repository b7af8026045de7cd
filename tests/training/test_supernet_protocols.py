"""Every training protocol against plain loops: a net of three weights in numpy, real cells by autograd."""

from __future__ import annotations

import copy
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasanalysis.core.errors import ParameterError, UnknownNameError
from nasanalysis.spaces.nb101_enumeration import Skeleton101
from nasanalysis.spaces.nb201 import OPERATIONS
from nasanalysis.spaces.skeletons import Skeleton

torch = pytest.importorskip("torch")

from nasanalysis.networks.base import Supernet, UndefinedProtocolError, initialised
from nasanalysis.networks.nb101 import NB1Shot1Supernet
from nasanalysis.networks.nb201_supernet import NB201Supernet
from nasanalysis.training.optimisers import momentum_buffers, sgd
from nasanalysis.training.protocols import PROTOCOLS, Protocol, get_protocol, update

pytestmark = pytest.mark.torch

RATE, MOMENTUM, DECAY = 0.1, 0.9, 0.01
Grads = list["np.ndarray[Any, Any] | None"]


class Three(Supernet):
    """Weights a, b, c: z = c + (a or b) x_0 + (a or b) x_1, logits (z, -z); two cells choose "a" or "b"."""

    space, depth = "three", 2

    def __init__(self) -> None:
        super().__init__()
        self.weights = torch.nn.ParameterList(
            torch.nn.Parameter(torch.tensor([v], dtype=torch.float64)) for v in (0.3, -0.7, 0.2)
        )

    def choice(self, arch):  # type: ignore[no-untyped-def]
        return arch

    def sample(self, rng):  # type: ignore[no-untyped-def]
        return "ab"[rng.integers(2)]

    def fair(self, rng):  # type: ignore[no-untyped-def]
        return ["ab"[i] for i in rng.permutation(2)]

    def forward(self, x, choices):  # type: ignore[no-untyped-def]
        z = self.weights[2]
        for cell, choice in enumerate(self.per_cell(choices)):
            z = z + self.weights["ab".index(choice)] * x[:, cell]
        return torch.stack((z, -z), 1)

    def standalone(self, arch):  # type: ignore[no-untyped-def]
        raise NotImplementedError

    def inherited(self, arch):  # type: ignore[no-untyped-def]
        raise NotImplementedError


def three_gradient(w: Sequence[np.ndarray], path: Sequence[str], x: np.ndarray, y: np.ndarray) -> tuple[float, Grads]:
    """Loss and gradient by hand: L = mean log(1 + exp(-2 s z)), s = +1 for label 0 and -1 for label 1."""
    a, b, c = (float(v[0]) for v in w)
    sign = 1.0 - 2.0 * y
    z = c + sum((a if op == "a" else b) * x[:, cell] for cell, op in enumerate(path))
    loss = float(np.log1p(np.exp(-2 * sign * z)).mean())
    by_z = -2 * sign / (1 + np.exp(2 * sign * z)) / len(y)
    grads: Grads = [None, None, np.array([by_z.sum()])]
    for cell, op in enumerate(path):
        place = "ab".index(op)
        old = grads[place]
        grads[place] = np.array([by_z @ x[:, cell]]) + (0 if old is None else old)
    return loss, grads


class Plain:
    """The update of the module's table, written out: lists of numpy weights and momenta, None for no gradient."""

    def __init__(self, weights: Sequence[np.ndarray], gradient: Callable[..., tuple[float, Grads]]) -> None:
        self.w = [np.array(v, np.float64) for v in weights]
        self.m = [np.zeros_like(v) for v in self.w]
        self.gradient = gradient

    def step(self, grads: Grads) -> None:
        for i, grad in enumerate(grads):
            if grad is None:
                continue
            total = grad + DECAY * self.w[i]
            self.m[i] = MOMENTUM * self.m[i] + total
            self.w[i] = self.w[i] - RATE * (total + MOMENTUM * self.m[i])

    def averaged(self, paths: Sequence[Any], batch: Any) -> float:
        losses, sums = [], [None] * len(self.w)
        for path in paths:
            loss, grads = self.gradient(self.w, path, *batch)
            losses.append(loss)
            sums = [s if g is None else g + (0 if s is None else s) for s, g in zip(sums, grads, strict=True)]
        self.step([None if s is None else s / len(paths) for s in sums])
        return float(np.mean(losses))

    def inner(self, paths: Sequence[Any], batches: Iterator[Any], p: Protocol) -> float:
        w0, m0 = [v.copy() for v in self.w], [v.copy() for v in self.m]
        ends, losses = [], []
        same = next(batches) if p.inner_batch == "same" else None
        for path in paths:
            self.w, self.m = [v.copy() for v in w0], [v.copy() for v in m0]
            for _ in range(p.inner_steps):
                batch = next(batches) if same is None else same
                loss, grads = self.gradient(self.w, path, *batch)
                losses.append(loss)
                away = [v - v0 for v, v0 in zip(self.w, w0, strict=True)]
                length = np.sqrt(sum((d**2).sum() for d in away))
                pull = p.prox if p.squared else (0.5 * p.prox / length if length else 0.0)
                self.step([None if g is None else g + pull * d for g, d in zip(grads, away, strict=True)])
            ends.append((self.w, self.m))
        n = len(paths)
        self.w = [v0 + p.outer_rate * (sum(e[0][i] for e in ends) / n - v0) for i, v0 in enumerate(w0)]
        self.m = [sum(e[1][i] for e in ends) / n for i in range(len(m0))]
        return float(np.mean(losses))

    def update(self, paths: Sequence[Any], batches: Iterator[Any], p: Protocol) -> float:
        return self.inner(paths, batches, p) if p.inner_steps else self.averaged(paths, next(batches))


def optimiser_of(net: torch.nn.Module) -> torch.optim.SGD:
    return sgd(net.parameters(), learning_rate=RATE, momentum=MOMENTUM, weight_decay=DECAY)


def three_batches(count: int = 200, seed: int = 3) -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(seed)
    return [(rng.normal(size=(5, 2)), rng.integers(2, size=5)) for _ in range(count)]


def as_tensors(batches: Sequence[tuple[np.ndarray, np.ndarray]]) -> Callable[[], tuple[Any, Any]]:
    each = iter(batches)
    return lambda: tuple(torch.from_numpy(part) for part in next(each))  # type: ignore[return-value]


def run(net: Supernet, protocol: Protocol, next_batch: Callable[[], Any], *, updates: int = 3, seed: int = 5):  # type: ignore[no-untyped-def]
    """(weights, momenta, mean losses) after some updates."""
    optimiser, rng = optimiser_of(net), np.random.default_rng(seed)
    losses = [float(update(net, optimiser, protocol, next_batch, rng)[0]) for _ in range(updates)]
    return [p.detach().clone() for p in net.parameters()], momentum_buffers(optimiser), losses


def drawn(p: Protocol, rng: np.random.Generator, depth: int, one: Callable[..., Any], fair: Callable[..., Any]) -> Any:
    """The paths of an update, drawn as the module says: for each cell anew, or once for all cells."""
    draw = (lambda: fair(rng)) if p.fair else (lambda: [one(rng) for _ in range(p.paths)])
    if p.genotype == "one":
        return [[path] * depth for path in draw()]
    cells = [draw() for _ in range(depth)]
    return [[cell[i] for cell in cells] for i in range(len(cells[0]))]


VARIANTS = {
    **PROTOCOLS,
    "spos per cell": replace(PROTOCOLS["spos"], genotype="per_cell"),
    "fairnas per cell": replace(PROTOCOLS["fairnas"], genotype="per_cell"),
    "multipath per cell": replace(PROTOCOLS["multipath"], genotype="per_cell", paths=3),
    "reptile fresh": replace(PROTOCOLS["reptile"], inner_batch="fresh", outer_rate=0.3, inner_steps=3),
    "metaprox norm": replace(PROTOCOLS["metaprox"], squared=False, prox=2.0),
    "metaprox mild": replace(PROTOCOLS["metaprox"], prox=0.7),
    "both fresh norm per cell": Protocol(
        "both", 3, inner_steps=2, prox=0.5, squared=False, inner_batch="fresh", genotype="per_cell", outer_rate=1.0
    ),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_three_weights_against_numpy(name: str) -> None:
    p, net, batches = VARIANTS[name], Three(), three_batches()
    plain = Plain([v.detach().numpy() for v in net.parameters()], three_gradient)
    rng, each = np.random.default_rng(5), iter(batches)
    losses = [
        plain.update(
            drawn(p, rng, 2, lambda r: "ab"[r.integers(2)], lambda r: ["ab"[i] for i in r.permutation(2)]), each, p
        )
        for _ in range(3)
    ]
    got_w, got_m, got_losses = run(net, p, as_tensors(batches))
    np.testing.assert_allclose(torch.stack(got_w).numpy(), np.stack(plain.w), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(torch.stack(got_m).numpy(), np.stack(plain.m), rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(got_losses, losses, rtol=1e-12)
    assert not np.allclose(torch.stack(got_w).numpy().ravel(), [0.3, -0.7, 0.2])


def cells(dtype: torch.dtype = torch.float64, channels: int = 2) -> NB201Supernet:
    with torch.device("meta"):
        net = NB201Supernet(Skeleton(image_size=8, classes=3, channels=channels, cells=1, input_channels=1))
    net = initialised(net, torch.Generator().manual_seed(0)).to(dtype)
    return net.to(memory_format=torch.channels_last)


def image_batches(count: int, dtype: torch.dtype = torch.float64, seed: int = 1) -> list[tuple[Any, Any]]:
    g = torch.Generator().manual_seed(seed)
    return [
        (torch.randn(6, 1, 8, 8, generator=g, dtype=torch.float64).to(dtype), torch.randint(3, (6,), generator=g))
        for _ in range(count)
    ]


def by_autograd(net: Supernet) -> Callable[..., tuple[float, Grads]]:
    """Loss and gradients of a copy of `net` with the weights put in; batch statistics, so no state matters."""
    own = copy.deepcopy(net).train()

    def gradient(w: Sequence[np.ndarray], path: Any, x: Any, y: Any) -> tuple[float, Grads]:
        weights = list(own.parameters())
        with torch.no_grad():
            for weight, value in zip(weights, w, strict=True):
                weight.copy_(torch.from_numpy(value))
        loss = torch.nn.functional.cross_entropy(own(x, path), y)
        grads = torch.autograd.grad(loss, weights, allow_unused=True)
        return float(loss.detach()), [None if g is None else g.contiguous().numpy() for g in grads]

    return gradient


def nb201_fair(rng: np.random.Generator) -> list[tuple[str, ...]]:
    orders = [rng.permutation(5) for _ in range(6)]
    return [tuple(OPERATIONS[order[i]] for order in orders) for i in range(5)]


def nb201_one(rng: np.random.Generator) -> tuple[str, ...]:
    return tuple(OPERATIONS[i] for i in rng.integers(5, size=6))


@pytest.mark.parametrize("name", ["spos", "fairnas", "multipath", "metaprox", "both fresh norm per cell"])
def test_real_cells_against_autograd(name: str) -> None:
    p, net, batches = VARIANTS[name], cells(), image_batches(30)
    before = [v.detach().clone() for v in net.parameters()]
    plain = Plain([v.numpy() for v in before], by_autograd(net))
    rng, each = np.random.default_rng(5), iter(batches)
    for _ in range(2):
        plain.update(drawn(p, rng, 3, nb201_one, nb201_fair), each, p)
    each = iter(batches)
    got_w, got_m, _ = run(net, p, lambda: next(each), updates=2)
    moved = 0
    for got, momentum, w, m, old in zip(got_w, got_m, plain.w, plain.m, before, strict=True):
        np.testing.assert_allclose(got.numpy(), w, rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(momentum.numpy(), m, rtol=1e-8, atol=1e-10)
        moved += not torch.equal(got, old)
    assert 5 < moved < len(before) or p.fair, "what is not sampled does not move"


# --- limits -----------------------------------------------------------------------------------------------------------

LIMITS = {
    "reptile, one step, eta 1 = spos": (Protocol("x", inner_steps=1, outer_rate=1.0), Protocol("spos")),
    "reptile of fresh batches, one step, eta 1 = spos": (
        Protocol("x", inner_steps=1, outer_rate=1.0, inner_batch="fresh"),
        Protocol("spos"),
    ),
    "multipath, one path = spos": (replace(PROTOCOLS["multipath"], paths=1), Protocol("spos")),
    "metaprox, lambda 0 = reptile": (replace(PROTOCOLS["metaprox"], prox=0.0), PROTOCOLS["reptile"]),
    "metaprox, one inner step = reptile, one inner step": (
        replace(PROTOCOLS["metaprox"], inner_steps=1),
        replace(PROTOCOLS["reptile"], inner_steps=1),
    ),
    "both, one path = metaprox": (replace(PROTOCOLS["multipath+metaprox"], paths=1), PROTOCOLS["metaprox"]),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("limit", LIMITS)
def test_limits_that_tie_the_protocols(limit: str, dtype: torch.dtype) -> None:
    results = []
    for p in LIMITS[limit]:
        each = iter(image_batches(20, dtype))
        results.append(run(cells(dtype), p, lambda each=each: next(each), updates=3))  # type: ignore[misc]
    (w1, m1, l1), (w2, m2, l2) = results
    tolerance = 2e-6 if dtype == torch.float32 else 1e-14
    for a, b in zip((*w1, *m1), (*w2, *m2), strict=True):
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(l1, l2, rtol=tolerance)
    if "metaprox" in limit or "multipath" in limit:  # the same operations in the same order
        assert all(torch.equal(a, b) for a, b in zip((*w1, *m1), (*w2, *m2), strict=True))


# --- what is drawn ----------------------------------------------------------------------------------------------------


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32), genotype=st.sampled_from(["one", "per_cell"]))
def test_fairnas_uses_each_operation_of_each_edge_once(seed: int, genotype: str) -> None:
    net = cells()
    paths = replace(PROTOCOLS["fairnas"], genotype=genotype).draw(net, np.random.default_rng(seed))
    assert len(paths) == 5
    for cell in range(net.depth):
        for edge in range(6):
            assert Counter(net.per_cell(path)[cell][edge] for path in paths) == dict.fromkeys(OPERATIONS, 1)


def test_per_cell_draws_every_cell_anew() -> None:
    net, rng = cells(), np.random.default_rng(0)
    single = [PROTOCOLS["multipath"].draw(net, rng) for _ in range(50)]
    each = [replace(PROTOCOLS["multipath"], genotype="per_cell").draw(net, rng) for _ in range(50)]
    for paths in itertools.chain(single, each):
        assert len(paths) == 4
    assert all(isinstance(path, tuple) for paths in single for path in paths)
    assert all(isinstance(path, list) and len(path) == 3 for paths in each for path in paths)
    alike = sum(len(set(path)) == 1 for paths in each for path in paths)
    assert alike == 0, "three cells of 15,625 choices"
    shares = Counter(path[0][2] for paths in each for path in paths)
    assert set(shares) == set(OPERATIONS)
    assert max(shares.values()) < 80, "200 draws of 5 operations"
    orders = replace(PROTOCOLS["fairnas"], genotype="per_cell").draw(net, rng)
    assert len({tuple(path[cell][0] for path in orders) for cell in range(3)}) > 1, "a permutation for each cell"


@pytest.mark.parametrize(
    ("name", "passes"),
    [("spos", 1), ("fairnas", 5), ("multipath", 4), ("reptile", 4), ("metaprox", 4), ("multipath+metaprox", 16)],
)
def test_passes_are_the_minibatches_that_were_computed(name: str, passes: int) -> None:
    net, p = cells(), get_protocol(name)
    assert p.passes(net) == passes
    calls = 0

    def count(*_: Any) -> None:
        nonlocal calls
        calls += 1

    net.features[0].register_forward_hook(count)
    each = iter(image_batches(1))  # one minibatch is enough: inner steps take the same
    update(net, optimiser_of(net), p, lambda: next(each), np.random.default_rng(0))
    assert calls == passes


def test_fresh_inner_batches_are_asked_for_one_by_one() -> None:
    p = replace(PROTOCOLS["multipath+metaprox"], inner_batch="fresh", paths=2, inner_steps=3)
    net, asked = cells(), []
    each = iter(image_batches(10))
    update(net, optimiser_of(net), p, lambda: asked.append(1) or next(each), np.random.default_rng(0))  # type: ignore[func-returns-value]
    assert len(asked) == 6


def test_fairnas_is_undefined_where_operations_sit_on_nodes() -> None:
    with torch.device("meta"):
        net = NB1Shot1Supernet("nb101-1", Skeleton101(8, 3, 4, 1, 1))
    rng = np.random.default_rng(0)
    for ask in (lambda: PROTOCOLS["fairnas"].draw(net, rng), lambda: PROTOCOLS["fairnas"].passes(net)):
        with pytest.raises(UndefinedProtocolError, match="fairnas: not defined on nb101-1.*use multipath"):
            ask()
    assert len(PROTOCOLS["multipath"].draw(net, rng)) == 4


# --- the proximal term ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("squared", [True, False])
def test_the_pull_is_the_gradient_of_the_written_loss(squared: bool) -> None:
    """Two inner steps on a real cell; the reference differentiates loss + (lambda / 2) |w' - w| or its square."""
    lam, x = 3.0, image_batches(1)[0]
    p = Protocol("x", inner_steps=2, prox=lam, squared=squared, outer_rate=1.0)
    net = cells()
    own = copy.deepcopy(net)
    got, _, _ = run(net, p, lambda: x, updates=1)
    path = nb201_one(np.random.default_rng(5))
    weights = list(own.parameters())
    start, momenta = [w.detach().clone() for w in weights], [torch.zeros_like(w) for w in weights]
    for step in range(2):
        loss = torch.nn.functional.cross_entropy(own(x[0], path), x[1])
        used = [
            i
            for i, g in enumerate(torch.autograd.grad(loss, weights, allow_unused=True, retain_graph=True))
            if g is not None
        ]
        distance = sum(((weights[i] - start[i]) ** 2).sum() for i in used)
        if step:
            loss = loss + lam / 2 * (distance if squared else distance.sqrt())  # type: ignore[union-attr]
        for i, g in zip(used, torch.autograd.grad(loss, [weights[i] for i in used]), strict=True):
            with torch.no_grad():
                total = g + DECAY * weights[i]
                momenta[i] = MOMENTUM * momenta[i] + total
                weights[i] -= RATE * (total + MOMENTUM * momenta[i])
    for a, b in zip(got, weights, strict=True):
        torch.testing.assert_close(a, b.detach(), rtol=1e-9, atol=1e-11)


# --- parameters and optimiser -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({"paths": 0}, "paths >= 1"),
        ({"inner_steps": -1}, "inner_steps >= 0"),
        ({"prox": -0.1}, "prox >= 0"),
        ({"prox": float("nan")}, "prox >= 0"),
        ({"outer_rate": 0.0}, "0 < outer_rate <= 1"),
        ({"outer_rate": 1.5}, "0 < outer_rate <= 1"),
        ({"inner_batch": "other"}, "expected inner_batch 'same' or 'fresh'"),
        ({"genotype": "two"}, "genotype 'one' or 'per_cell', got 'same' and 'two'"),
    ],
)
def test_bad_parameters(given_: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError) as caught:
        replace(PROTOCOLS["metaprox"], **given_)
    assert str(caught.value).startswith("metaprox: expected")
    assert message in str(caught.value)


def test_unknown_protocol() -> None:
    with pytest.raises(UnknownNameError, match="unknown training protocol 'spo'. Did you mean 'spos'"):
        get_protocol("spo")


@pytest.mark.parametrize("how", [{"foreach": False}, {"foreach": True}])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("momentum", "decay"), [(0.9, 5e-4), (0.0, 0.01), (0.5, 0.0)])
def test_the_optimiser_is_torchs_own_also_for_weights_that_join_late(
    how: Mapping[str, bool], dtype: torch.dtype, momentum: float, decay: float
) -> None:
    g = torch.Generator().manual_seed(0)
    start = [
        torch.randn(4, 3, 3, 3, generator=g).to(dtype).contiguous(memory_format=torch.channels_last) for _ in "abc"
    ]
    nets = [[torch.nn.Parameter(w.clone()) for w in start] for _ in range(2)]
    ours = sgd(nets[0], learning_rate=0.1, momentum=momentum, weight_decay=decay)
    theirs = torch.optim.SGD(nets[1], lr=0.1, momentum=momentum, weight_decay=decay, nesterov=momentum > 0, **how)
    for used in ((0,), (0, 1), (2,), (0, 1, 2), (1,)):
        for i in range(3):
            grad = torch.randn(4, 3, 3, 3, generator=g).to(dtype).contiguous(memory_format=torch.channels_last)
            for net in nets:
                net[i].grad = grad.clone() if i in used else None
        before = [w.detach().clone() for w in nets[0]]
        ours.step()
        theirs.step()
        for i, (a, b) in enumerate(zip(*nets, strict=True)):
            torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-7)
            assert torch.equal(a, before[i]) != (i in used), "no gradient: no step, no decay, no momentum"
    assert len(momentum_buffers(ours)) == (3 if momentum else 0)

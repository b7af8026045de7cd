"""Relaxed networks: one architecture as a mixture, plain loops as reference, gradients, partial channels, draws."""

from __future__ import annotations

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (extra supernet)")

from torch import nn
from torch.nn import functional as F

from nasanalysis.core.errors import ParameterError
from nasanalysis.core.seeding import torch_generator
from nasanalysis.networks.base import initialised
from nasanalysis.networks.darts_cells import DartsSkeleton
from nasanalysis.networks.darts_supernet import DartsSupernet
from nasanalysis.networks.mixture import Mixture, Place, Relaxable, one_hot, shuffled, weighing
from nasanalysis.networks.nb201_supernet import NB201Supernet
from nasanalysis.spaces.darts_genotype import Genotype
from nasanalysis.spaces.nb201 import OPERATIONS
from nasanalysis.spaces.skeletons import Skeleton

pytestmark = pytest.mark.torch

SPACES = ("nb201", "nb201-plain", "darts", "s1", "s2", "s3", "s4", "s5")


def network(space: str, *, partial: int = 1, seed: int = 0):  # type: ignore[no-untyped-def]
    """Small, with batch-norm statistics and parameters that are not the initial ones."""
    with torch.device("meta"):
        if space.startswith("nb201"):
            skeleton = Skeleton(image_size=12, classes=10, channels=4, cells=1, affine=space == "nb201")
            net = NB201Supernet(skeleton, partial=partial)
        else:
            net = DartsSupernet(space, DartsSkeleton(channels=4, cells=3, image_size=12), partial=partial)
    net = initialised(net, torch_generator(seed, "weights"))
    generator = torch_generator(seed, "statistics")
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1, generator=generator)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
            if module.affine:
                with torch.no_grad():
                    module.weight.uniform_(0.5, 1.5, generator=generator)
                    module.bias.normal_(0, 0.1, generator=generator)
    return net


def images(n: int = 4, seed: int = 1):  # type: ignore[no-untyped-def]
    return torch.randn(n, 3, 12, 12, generator=torch_generator(seed, "images"))


def uneven(net, seed: int = 2):  # type: ignore[no-untyped-def]
    """A mixture of weights that are all different."""
    generator = torch_generator(seed, "mixture")
    return weighing(net, lambda d: torch.rand(len(d.candidates), generator=generator).softmax(0))


def plain_edge(modules, x, row, training_noise=None):  # type: ignore[no-untyped-def]
    """An edge as the papers write it: every operation by itself, weighed and summed."""
    total = 0.0
    for name, weight in row.items():
        if name == "none":
            continue
        total = total + weight * modules[name](x)
    return total


def plain_nb201(net, x, mixture):  # type: ignore[no-untyped-def]
    for layer in net.features:
        if not hasattr(layer, "mixed"):
            x = layer(x)
            continue
        nodes = [x]
        for target in (1, 2, 3):
            nodes.append(
                sum(
                    plain_edge(layer.edges[f"{s}-{target}"], nodes[s], mixture.rows[Place("cell", f"{s}-{target}")])
                    for s in range(target)
                )
            )
        x = nodes[3]
    return net.classifier(x)


def plain_darts(net, x, mixture):  # type: ignore[no-untyped-def]
    def run(position, before, last):  # type: ignore[no-untyped-def]
        cell = net.body.cells[position]
        kind = "reduce" if cell.reduces else "normal"
        states = [cell.preprocess0(before), cell.preprocess1(last)]
        for node in range(2, net.cell_space.nodes + 2):
            states.append(
                sum(
                    plain_edge(cell.edges[f"{s}-{node}"], states[s], mixture.rows[Place(kind, f"{s}-{node}")])
                    for s in range(node)
                )
            )
        return torch.cat(states[2:], 1)

    return net.body(x, run)[0]


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("space", SPACES)
def test_a_mixture_is_what_a_plain_loop_over_edges_computes(space: str, training: bool) -> None:
    if space == "s4" and training:
        pytest.skip("noise is drawn in another order")
    net = network(space).train(training)
    twin = copy.deepcopy(net)
    mixture = uneven(net)
    plain = plain_nb201 if space.startswith("nb201") else plain_darts
    torch.testing.assert_close(net.mixed(images(), mixture), plain(twin, images(), mixture), rtol=1e-4, atol=1e-5)
    for (name, one), (_, other) in zip(net.named_buffers(), twin.named_buffers(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6, msg=name)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("space", SPACES)
def test_one_architecture_is_a_mixture_of_ones(space: str, training: bool) -> None:
    net = network(space).train(training)
    choice = net.sample(np.random.default_rng(8))
    if space == "s4":  # without noise on the path: a mixture draws in another order
        convolutions = [tuple((("sep_conv_3x3", s), ("sep_conv_3x3", s + 1)) for s in range(4))] * 2
        choice = Genotype(*convolutions)  # type: ignore[arg-type]
    mixture = one_hot(net, net.chosen(choice))
    torch.testing.assert_close(net.mixed(images(), mixture), net(images(), choice), rtol=1e-4, atol=1e-5)
    each = [mixture] * net.depth
    torch.testing.assert_close(net.mixed(images(), each), net(images(), choice), rtol=1e-4, atol=1e-5)


def test_an_operation_that_is_read_twice_weighs_two() -> None:
    net = network("darts").eval()
    odd = net.choice(
        "darts:Genotype(normal=[('none', 0), ('sep_conv_3x3', 1), ('none', 0), ('none', 1), ('sep_conv_3x3', 2), "
        "('sep_conv_3x3', 2), ('skip_connect', 0), ('dil_conv_3x3', 0)], "
        "reduce=[('none', 0), ('none', 1), ('skip_connect', 1), ('skip_connect', 1), ('max_pool_3x3', 0), "
        "('skip_connect', 2), ('sep_conv_5x5', 0), ('sep_conv_5x5', 0)])"
    )
    torch.testing.assert_close(net.mixed(images(), one_hot(net, net.chosen(odd))), net(images(), odd))


@pytest.mark.parametrize("space", ["nb201-plain", "s2", "darts"])
def test_gradients_in_the_weights_of_a_mixture_are_those_of_finite_differences(space: str) -> None:
    net = network(space).double().eval()
    x = images().double()
    generator = torch_generator(0, "alphas")
    alphas = [
        torch.randn(len(d.candidates), dtype=torch.float64, generator=generator, requires_grad=True)
        for d in net.decisions
    ]

    def loss(*values: torch.Tensor) -> torch.Tensor:
        each = iter(values)
        return F.cross_entropy(net.mixed(x, weighing(net, lambda _: next(each).softmax(0))), torch.arange(4))

    gradients = torch.autograd.grad(loss(*alphas), alphas)
    direction = [torch.randn(a.shape, dtype=a.dtype, generator=generator) for a in alphas]
    step = 1e-5
    with torch.no_grad():
        ahead, behind = (loss(*(a + s * d for a, d in zip(alphas, direction, strict=True))) for s in (step, -step))
    along = sum((g * d).sum() for g, d in zip(gradients, direction, strict=True))
    torch.testing.assert_close(along, (ahead - behind) / (2 * step), rtol=1e-4, atol=1e-8)
    assert all(bool((g != 0).any()) for g in gradients)


def test_unequal_candidates_and_candidates_left_out() -> None:
    net = network("nb201").eval()
    mixture = uneven(net)
    fewer = Mixture({p: {o: w for o, w in row.items() if o != "avg_pool_3x3"} for p, row in mixture.rows.items()})
    zero = Mixture({p: {o: w * (o != "avg_pool_3x3") for o, w in row.items()} for p, row in mixture.rows.items()})
    torch.testing.assert_close(net.mixed(images(), fewer), net.mixed(images(), zero))
    assert not torch.allclose(net.mixed(images(), fewer), net.mixed(images(), mixture))


@pytest.mark.parametrize("space", ["nb201", "darts"])
def test_an_edge_left_out_contributes_nothing_and_a_constant_is_added(space: str) -> None:
    net = network(space).eval()
    mixture = uneven(net)
    place = net.decisions[1].place
    without = Mixture({p: row for p, row in mixture.rows.items() if p != place})
    nothing = Mixture({**mixture.rows, place: {"none": torch.tensor(1.0)}})
    torch.testing.assert_close(net.mixed(images(), without), net.mixed(images(), nothing))
    zero = Mixture(mixture.rows, {place: torch.tensor(0.0)})
    torch.testing.assert_close(net.mixed(images(), zero), net.mixed(images(), mixture))
    shift = torch.tensor(0.0, requires_grad=True)
    logits = net.mixed(images(), Mixture(mixture.rows, {place: shift}))
    (slope,) = torch.autograd.grad(logits.square().sum(), shift)
    assert slope != 0


@pytest.mark.parametrize("space", ["nb201", "s2", "s5"])
def test_inputs_are_weighed_where_a_mixture_says_so(space: str) -> None:
    net = network(space).eval()
    mixture = uneven(net)
    ones = {d.place: dict.fromkeys(d.candidates, torch.tensor(1.0)) for d in net.edge_decisions}
    torch.testing.assert_close(
        net.mixed(images(), Mixture({**mixture.rows, **ones})), net.mixed(images(), mixture), rtol=1e-5, atol=1e-6
    )
    decision = net.edge_decisions[-1]
    cell, node = decision.place.cell, decision.place.edge.removeprefix("node-")
    half = {**ones, decision.place: {**ones[decision.place], "0": torch.tensor(0.5)}}
    row = {op: w / 2 for op, w in mixture.rows[Place(cell, f"0-{node}")].items()}
    by_hand = Mixture({**mixture.rows, Place(cell, f"0-{node}"): row})
    torch.testing.assert_close(
        net.mixed(images(), Mixture({**mixture.rows, **half})), net.mixed(images(), by_hand), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("space", ["nb201", "nb201-plain", "s2"])
def test_partial_channels_pass_the_rest_around_the_operations(space: str) -> None:
    net = network(space, partial=2).train()
    assert isinstance(net, Relaxable)
    mixture = uneven(net)
    assert net.mixed(images(), mixture).shape == (4, 10)
    cell = next(m for m in net.modules() if hasattr(m, "mixed") and m is not net)
    if space.startswith("nb201"):
        x = torch.randn(2, 4, 6, 6, generator=torch_generator(0, "x"))
        skip = Mixture({d.place: {"skip_connect": torch.tensor(1.0)} for d in net.decisions if d.place.edge == "0-3"})
        torch.testing.assert_close(cell.mixed(x, skip), shuffled(x, 2))
        assert shuffled(torch.arange(4.0).reshape(1, 4, 1, 1), 2).flatten().tolist() == [0, 2, 1, 3]
    with pytest.raises(ParameterError, match="partial: expected all channels"):
        net(images(), net.sample(np.random.default_rng(0)))
    with pytest.raises(ParameterError, match="partial: expected a divisor of the 4 channels"):
        network(space, partial=3)


@pytest.mark.parametrize("space", ["nb201", "s2"])
def test_drop_path_falls_on_whole_edges_and_skip_dropout_on_identities(space: str) -> None:
    net = network(space).train()
    mixture = uneven(net)
    first = net.mixed(images(), mixture)
    torch.testing.assert_close(net.mixed(images(), mixture), first)
    for name in ("drop_path", "skip_dropout"):
        setattr(net.randomness, name, 0.5)
        assert not torch.allclose(net.mixed(images(), mixture), first)
        torch.testing.assert_close(net.eval().mixed(images(), mixture), net.mixed(images(), mixture))
        setattr(net.train().randomness, name, 0.0)
        with pytest.raises(ParameterError, match=name):
            setattr(net.randomness, name, 1.0)


def test_a_mixture_that_does_not_fit() -> None:
    net = network("nb201")
    mixture = uneven(net)
    with pytest.raises(ParameterError, match="mixture: expected one or 3, one for each cell, got 2"):
        net.mixed(images(), [mixture, mixture])
    with pytest.raises(ParameterError, match=r"expected candidates of nb201's cell/0-9 \(there is no such edge\)"):
        net.mixed(images(), Mixture({Place("cell", "0-9"): {"none": torch.tensor(1.0)}}))
    with pytest.raises(ParameterError, match="got sep_conv_3x3"):
        net.mixed(images(), Mixture({Place("cell", "0-1"): {"sep_conv_3x3": torch.tensor(1.0)}}))
    assert [d.candidates for d in net.decisions] == [OPERATIONS] * 6

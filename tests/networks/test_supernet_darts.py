"""Networks of the DARTS space and S1 to S5: counts against `spaces`, weight sharing, protocols, randomness."""

from __future__ import annotations

import copy
import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="torch is not installed (extra supernet)")

from drawn_networks import build_darts_network
from torch import nn
from torch.nn import functional as F

from nasanalysis.core.errors import ArchError, NasAnalysisError, ParameterError, UnknownNameError
from nasanalysis.core.seeding import torch_generator
from nasanalysis.networks.base import UndefinedProtocolError, initialised
from nasanalysis.networks.darts import SPACES, DartsNetwork
from nasanalysis.networks.darts_cells import DartsSkeleton, FixedCell, Place, darts_skeleton
from nasanalysis.networks.darts_operations import operation
from nasanalysis.networks.darts_supernet import DartsSupernet, darts_supernet
from nasanalysis.networks.randomness import Randomness
from nasanalysis.spaces import get_space
from nasanalysis.spaces.darts import CellSpace
from nasanalysis.spaces.darts_genotype import CELLS, Genotype

pytestmark = pytest.mark.torch

#: Valid to load, not in the space's count: ``none``, and predecessors that are read twice.
ODD = (
    "darts:Genotype(normal=[('none', 0), ('sep_conv_3x3', 1), ('none', 0), ('none', 1), ('sep_conv_3x3', 2), "
    "('sep_conv_3x3', 2), ('skip_connect', 0), ('dil_conv_3x3', 0)], "
    "reduce=[('none', 0), ('none', 1), ('skip_connect', 1), ('skip_connect', 1), ('max_pool_3x3', 0), "
    "('skip_connect', 2), ('sep_conv_5x5', 0), ('sep_conv_5x5', 0)])"
)


def supernet(space: str | CellSpace, *, seed: int = 0, layers: int = 3, **options):  # type: ignore[no-untyped-def]
    with torch.device("meta"):
        net = darts_supernet(space, channels=4, layers=layers, image_size=12, **options)
    net = initialised(net, torch_generator(seed, "weights"))
    warm_up(net, seed)
    return net


def warm_up(net, seed: int = 0) -> None:  # type: ignore[no-untyped-def]
    """Batch-norm statistics and parameters that are not the initial ones."""
    generator = torch_generator(seed, "statistics")
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1, generator=generator)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
            if module.affine:
                with torch.no_grad():
                    module.weight.uniform_(0.5, 1.5, generator=generator)
                    module.bias.normal_(0, 0.1, generator=generator)


def images(n: int = 4, size: int = 12, seed: int = 1):  # type: ignore[no-untyped-def]
    return torch.randn(n, 3, size, size, generator=torch_generator(seed, "images"))


def count(net) -> int:  # type: ignore[no-untyped-def]
    return sum(p.numel() for p in net.parameters())


def measured_flops(net, size: int, *, auxiliary: bool) -> int:  # type: ignore[no-untyped-def]
    """Multiply-accumulates of one image, from the shapes that hooks see in a forward pass on the meta device."""
    total = 0

    def hook(module, inputs, output) -> None:  # type: ignore[no-untyped-def]
        nonlocal total
        total += output.numel() * module.weight[0].numel()

    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.register_forward_hook(hook)
    net.eval()
    x = torch.empty(1, 3, size, size, device="meta")
    if auxiliary:
        net.with_auxiliary(x)
    else:
        net(x)
    return total


# Counts


@pytest.mark.parametrize("space", SPACES)
def test_parameters_of_standalone_networks_are_those_of_the_space(space: str) -> None:
    definition = get_space(space)
    archs = definition.sample(3, np.random.default_rng(3))
    archs += [definition.parse(ODD)] if space == "darts" else []
    for arch in archs:
        for kind, dataset, auxiliary in (
            ("search", "cifar10", False),
            ("evaluation", "cifar10", False),
            ("evaluation", "cifar100", True),
            ("evaluation", "imagenet", True),
        ):
            skeleton = darts_skeleton(dataset, kind, auxiliary=auxiliary)
            with torch.device("meta"):
                net = DartsNetwork(arch, skeleton)
            assert count(net) == definition.params(arch, dataset, network=kind, auxiliary=auxiliary)


@pytest.mark.parametrize("space", SPACES)
def test_parameters_of_the_supernet_are_those_of_the_space(space: str) -> None:
    with torch.device("meta"):
        net = darts_supernet(space)
        larger = darts_supernet(space, channels=20, layers=5, classes=100)
    assert count(net) == get_space(space).supernet_params()
    assert count(larger) == get_space(space).supernet_params("cifar100", channels=20, cells=5)


@pytest.mark.parametrize(
    ("kind", "dataset", "auxiliary"),
    [
        ("search", "cifar10", False),
        ("evaluation", "cifar10", False),
        ("evaluation", "cifar10", True),
        ("evaluation", "imagenet", True),
    ],
)
def test_flops_counted_by_hooks_are_those_of_the_space(kind: str, dataset: str, auxiliary: bool) -> None:
    for space in ("darts", "s1", "s5"):
        definition = get_space(space)
        (arch,) = definition.sample(1, np.random.default_rng(5))
        skeleton = darts_skeleton(dataset, kind, auxiliary=auxiliary)
        with torch.device("meta"):
            net = DartsNetwork(arch, skeleton)
        expected = definition.flops(arch, dataset, network=kind, auxiliary=auxiliary)
        assert measured_flops(net, skeleton.image_size, auxiliary=auxiliary) == expected


def test_only_the_search_network_normalises_without_parameters_and_after_pooling() -> None:
    pool = [("max_pool_3x3", 0), ("avg_pool_3x3", 1)]
    arch = Genotype((tuple(pool),), (tuple(pool),))  # type: ignore[arg-type]
    for kind, norms in (("search", 4), ("evaluation", 2)):
        with torch.device("meta"):
            net = DartsNetwork(arch, DartsSkeleton(kind=kind, channels=4, cells=3, image_size=12))  # type: ignore[arg-type]
        cells = [m for m in net.modules() if isinstance(m, FixedCell)]
        for cell in cells:
            found = [m for m in cell.modules() if isinstance(m, nn.BatchNorm2d)]
            assert len(found) == norms
            assert {m.affine for m in found} == {kind == "evaluation"}
        assert net.body.stem.first[1].affine


# Values, against a plain second implementation


def plain_norm(x, state, at):  # type: ignore[no-untyped-def]
    return F.batch_norm(
        x,
        state[f"{at}.running_mean"],
        state[f"{at}.running_var"],
        state.get(f"{at}.weight"),
        state.get(f"{at}.bias"),
    )


def plain_operation(name, x, state, at, stride, affine):  # type: ignore[no-untyped-def]
    if name == "skip_connect":
        return x if stride == 1 else plain_halved(x, state, at)
    if "pool" in name:
        args = {"stride": stride, "padding": 1}
        if name == "max_pool_3x3":
            out = F.max_pool2d(x, 3, **args)
        else:
            ones = torch.ones_like(x[:1, :1])
            out = F.avg_pool2d(x, 3, **args) / F.avg_pool2d(ones, 3, **args)
        return out if affine else plain_norm(out, state, f"{at}.1")
    kernel = int(name[-1])
    rounds = [(0, stride), (4, 1)] if name.startswith("sep") else [(0, stride)]
    dilation = 1 if name.startswith("sep") else 2
    for first, step in rounds:
        depthwise = state[f"{at}.{first + 1}.weight"]
        x = F.conv2d(
            x.relu(),
            depthwise,
            stride=step,
            padding=dilation * (kernel - 1) // 2,
            dilation=dilation,
            groups=len(depthwise),
        )
        x = plain_norm(F.conv2d(x, state[f"{at}.{first + 2}.weight"]), state, f"{at}.{first + 3}")
    return x


def plain_halved(x, state, at):  # type: ignore[no-untyped-def]
    x = x.relu()
    even, odd = x[:, :, ::2, ::2], x[:, :, 1::2, 1::2]
    halves = F.conv2d(even, state[f"{at}.even.weight"]), F.conv2d(odd, state[f"{at}.odd.weight"])
    return plain_norm(torch.cat(halves, 1), state, f"{at}.norm")


def plain_network(genotype, skeleton, state, x):  # type: ignore[no-untyped-def]
    """The CIFAR network in evaluation mode, written out from DARTS's description."""
    before = last = plain_norm(F.conv2d(x, state["body.stem.first.0.weight"], padding=1), state, "body.stem.first.1")
    after_reduction = False
    for position in range(skeleton.cells):
        reduces = position in (skeleton.cells // 3, 2 * skeleton.cells // 3)
        at = f"body.cells.{position}"
        states = []
        for k, value in enumerate((before, last)):
            if k == 0 and after_reduction:
                states.append(plain_halved(value, state, f"{at}.preprocess0"))
            else:
                brought = F.conv2d(value.relu(), state[f"{at}.preprocess{k}.1.weight"])
                states.append(plain_norm(brought, state, f"{at}.preprocess{k}.2"))
        i = 0
        for node in genotype.reduce if reduces else genotype.normal:
            total = 0
            for name, source in node:
                stride = 2 if reduces and source < 2 else 1
                total = total + plain_operation(
                    name, states[source], state, f"{at}.operations.{i}", stride, skeleton.kind == "evaluation"
                )
                i += 1
            states.append(total)
        before, last, after_reduction = last, torch.cat(states[2:], 1), reduces
    return F.linear(last.mean((2, 3)), state["body.classifier.weight"], state["body.classifier.bias"])


@pytest.mark.parametrize("kind", ["search", "evaluation"])
def test_outputs_are_those_of_a_plain_second_implementation(kind: str) -> None:
    space = get_space("darts")
    skeleton = DartsSkeleton(kind=kind, channels=4, cells=5, image_size=12)  # type: ignore[arg-type]
    used: set[str] = set()
    for arch in space.sample(4, np.random.default_rng(11)):
        net = build_darts_network(arch, skeleton, torch_generator(0, str(arch)))
        warm_up(net)
        x = images()
        genotype = space.genotype(arch)  # type: ignore[attr-defined]
        used |= {op for cell in genotype for node in cell for op, _ in node}
        expected = plain_network(genotype, skeleton, net.state_dict(), x)
        torch.testing.assert_close(net.eval()(x), expected, rtol=1e-4, atol=1e-5)
    assert len(used) == 7


def test_shapes_of_the_whole_family() -> None:
    for dataset, size, classes in (("cifar100", 32, 100), ("imagenet", 224, 1000)):
        with torch.device("meta"):
            net = DartsNetwork(ODD, darts_skeleton(dataset, auxiliary=True))
        logits, second = net.with_auxiliary(torch.empty(2, 3, size, size, device="meta"))
        assert logits.shape == second.shape == (2, classes)
    with torch.device("meta"):
        grey = darts_supernet("s5", channels=4, layers=1, image_size=12, input_channels=1)
    assert grey(torch.empty(2, 1, 12, 12, device="meta"), grey.sample(np.random.default_rng(0))).shape == (2, 10)


# One-shot


@pytest.mark.parametrize("space", SPACES)
def test_a_subnet_computes_what_the_supernet_does(space: str) -> None:
    net = supernet(space)
    archs = net.cell_space.sample(4, np.random.default_rng(2))
    archs += [net.cell_space.parse(ODD)] if space == "darts" else []
    x = images()
    for arch in archs:
        net.eval()
        subnet = net.subnet(arch)  # noise: both go on from the same state
        assert torch.equal(net(x, net.choice(arch)), subnet(x))
        shared = copy.deepcopy(net).train()
        subnet = shared.subnet(arch)
        torch.testing.assert_close(shared(x, net.choice(arch)), subnet(x), rtol=1e-5, atol=1e-5)
        assert count(subnet) == net.cell_space.params(arch, channels=4, cells=3, network="search")


def test_a_subnet_owns_its_weights() -> None:
    net = supernet("s2")
    before = copy.deepcopy(net.state_dict())
    subnet = net.subnet(net.cell_space.arch(7))
    with torch.no_grad():
        for value in subnet.state_dict().values():
            value.zero_()
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_each_cell_may_have_a_choice_of_its_own() -> None:
    net = supernet("darts", layers=5).eval()
    rng = np.random.default_rng(4)
    a, b = net.sample(rng), net.sample(rng)
    x = images()
    assert torch.equal(net(x, [a] * 5), net(x, a))
    # cells 1 and 3 reduce: of what they are given, the normal part means nothing
    mixed = [a, Genotype(b.normal, a.reduce), a, Genotype(b.normal, a.reduce), a]
    assert torch.equal(net(x, mixed), net(x, a))
    assert not torch.allclose(net(x, [b, a, a, a, a]), net(x, a))
    with pytest.raises(ArchError, match="darts: expected one choice or 5, one for each cell, got 2"):
        net(x, [a, b])


@pytest.mark.parametrize("space", ["darts", "s1", "s4"])
def test_only_what_a_choice_uses_gets_a_gradient(space: str) -> None:
    net = supernet(space).train()
    arch = net.cell_space.parse(ODD) if space == "darts" else net.cell_space.sample(1, np.random.default_rng(6))[0]
    net(images(), net.choice(arch)).square().sum().backward()
    genotype = net.choice(arch)
    for name, parameter in net.named_parameters():
        cell, _, rest = name.partition(".edges.")
        used = space != "s4" or parameter.grad is not None  # where noise stands, what leads there gets none
        if rest:
            edge, op, _ = rest.split(".", 2)
            source, node = map(int, edge.split("-"))
            reduces = int(cell.rpartition(".")[2]) in net.skeleton.reductions
            used = (op, source) in genotype[reduces][node - 2]
        assert (parameter.grad is not None) == used, name


@pytest.mark.parametrize("space", SPACES)
def test_fair_uses_each_operation_of_each_chosen_edge_once(space: str) -> None:
    net = supernet(space)
    operations = net.cell_space.edge_operations
    for seed in range(5):
        group = net.fair(np.random.default_rng(seed))
        assert len(group) == len(operations["normal"][2, 0]) == {"darts": 7, "s5": 3}.get(space, 2)
        for c, cell in enumerate(CELLS):
            used = Counter(
                (node, source, op)
                for genotype in group
                for node, inputs in enumerate(genotype[c], start=2)  # type: ignore[index]
                for op, source in inputs
            )
            topology = {(node, source) for node, source, _ in used}
            assert len(topology) == 2 * net.cell_space.nodes
            assert used == Counter({(*edge, op): 1 for edge in topology for op in operations[cell][edge]})
        assert all(net._checked(genotype) == genotype for genotype in group)


def test_fair_draws_topologies_and_operations_uniformly() -> None:
    net = supernet("s5")
    rng = np.random.default_rng(0)
    drawn = Counter(genotype for _ in range(1500) for genotype in net.fair(rng))
    assert len(drawn) == 81
    # 4,500 draws over 81: mean 55.6, standard deviation about 7.4
    assert min(drawn.values()) > 25
    assert max(drawn.values()) < 90
    darts = supernet("darts")
    pairs = Counter(tuple(s for _, s in darts.fair(rng)[0].normal[3]) for _ in range(600))  # type: ignore[attr-defined]
    assert set(pairs) == set(itertools.combinations(range(5), 2))
    assert min(pairs.values()) > 30  # mean 60


def test_fair_is_undefined_where_edges_have_different_counts() -> None:
    uneven = {cell: [("skip_connect", "sep_conv_3x3"), ("skip_connect",)] for cell in CELLS}
    net = supernet(CellSpace("uneven", 1, uneven))
    with pytest.raises(
        UndefinedProtocolError,
        match=r"fairnas: not defined on uneven: .* got 2 on edge 0-2 of normal and 1 on edge 1-2 of normal",
    ):
        net.fair(np.random.default_rng(0))
    net(images(), net.sample(np.random.default_rng(0)))  # all else works


def test_sample_is_uniform_and_never_none() -> None:
    net = supernet("s5")
    rng = np.random.default_rng(0)
    drawn = Counter(net.sample(rng) for _ in range(4500))
    assert len(drawn) == 81
    assert max(drawn.values()) < 90
    three = supernet("s3")
    operations = Counter(op for _ in range(50) for cell in three.sample(rng) for node in cell for op, _ in node)
    assert set(operations) == {"skip_connect", "sep_conv_3x3"}
    assert three.candidates["normal"][0] == ("none", "skip_connect", "sep_conv_3x3")


# Randomness


def test_noise_is_gaussian_whatever_the_input_and_reproducible() -> None:
    def drawn(seed: int, stride: int, x):  # type: ignore[no-untyped-def]
        source = Randomness(torch_generator(seed, "noise"))
        return operation("noise", 4, stride, affine=True, randomness=source)(x)

    x = torch.full((64, 4, 16, 16), 1e6)
    for stride, size in ((1, 16), (2, 8)):
        torch.manual_seed(1)
        first = drawn(0, stride, x)
        torch.manual_seed(2)
        assert torch.equal(first, drawn(0, stride, -x))
        assert not torch.equal(first, drawn(1, stride, x))
        assert first.shape == (64, 4, size, size)
        assert abs(first.mean()) < 5 / first.numel() ** 0.5
        assert abs(first.std() - 1) < 5 / (2 * first.numel()) ** 0.5
    x.requires_grad_()
    assert not drawn(0, 1, x).requires_grad


def test_a_network_with_noise_goes_on_from_its_generator() -> None:
    net = supernet("s4").eval()
    noisy = net.choice("s4:" + net.cell_space.arch(0).key)
    x = images()
    state = net.randomness.generator.get_state()
    first, second = net(x, noisy), net(x, noisy)
    assert not torch.equal(first, second)
    net.randomness.generator.set_state(state)
    assert torch.equal(net(x, noisy), first)
    subnet = net.subnet("s4:" + net.cell_space.arch(0).key)
    assert torch.equal(subnet(x), second)
    assert torch.equal(net(x, noisy), second)  # what the subnet drew, it drew from a copy


def test_the_global_generator_is_neither_read_nor_advanced() -> None:
    outputs = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        net = supernet("s4").train()
        net.randomness.drop_path = 0.5
        rng = np.random.default_rng(0)
        outputs.append(net(images(), net.sample(rng)))
        subnet = net.subnet(net.cell_space.arch(3))
        outputs[-1] = outputs[-1] + subnet(images())
        assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(*outputs)


@pytest.mark.parametrize("probability", [0.2, 0.7])
def test_drop_path_keeps_the_expectation(probability: float) -> None:
    source = Randomness(torch_generator(0, "drop"), probability)
    x = images(20_000, size=2)
    out = source.drop(x)
    dropped = (out == 0).flatten(1).all(1)
    assert abs(dropped.float().mean() - probability) < 0.02
    torch.testing.assert_close(out[~dropped], x[~dropped] / (1 - probability))
    ones = source.drop(torch.ones(20_000, 1, 1, 1))
    assert abs(ones.mean() - 1) < 5 * (probability / (1 - probability) / 20_000) ** 0.5


@pytest.mark.parametrize(
    ("op", "reduces", "dropped"),
    [("skip_connect", False, False), ("skip_connect", True, True), ("avg_pool_3x3", False, True)],
)
def test_drop_path_spares_identities_and_evaluation(op: str, reduces: bool, dropped: bool) -> None:
    """A skip of stride 2 is a factorised reduction, and dropped as any operation with weights."""
    source = Randomness(torch_generator(0, "drop"))
    with torch.device("meta"):
        cell = FixedCell((((op, 0), (op, 1)),), Place((4, 4), 4, reduces, False), affine=True, randomness=source)
    cell = initialised(cell, torch_generator(0, "weights"))
    before, last = torch.randn(2, 8, 4, 6, 6, generator=torch_generator(1, "images"))
    for training in (True, False):
        source.drop_path = 0.0
        whole = cell.train(training)(before, last)
        source.drop_path = 0.5
        same = [torch.allclose(whole, cell(before, last), atol=1e-6) for _ in range(6)]
        assert all(same) != (training and dropped)


def test_a_copy_of_a_network_has_a_generator_of_its_own() -> None:
    net = supernet("s4").train()
    twin = copy.deepcopy(net)
    choice = net.choice("s4:" + net.cell_space.arch(0).key)
    x = images()
    first = net(x, choice)
    assert torch.equal(twin(x, choice), first)
    assert {id(m.randomness) for m in twin.modules() if hasattr(m, "randomness")} == {id(twin.randomness)}
    twin.randomness.drop_path = 0.5
    assert net.randomness.drop_path == 0


# Layout, speed paths


def test_channels_last_stays_and_changes_nothing() -> None:
    net = supernet("darts", layers=5).eval()
    seen = []
    for cell in net.body.cells:
        cell.register_forward_hook(lambda m, i, out: seen.append(out.is_contiguous(memory_format=torch.channels_last)))
    last = copy.deepcopy(net).to(memory_format=torch.channels_last)
    x = images()
    for arch in (*net.cell_space.sample(3, np.random.default_rng(9)), net.cell_space.parse(ODD)):
        choice = net.choice(arch)
        expected = net(x, choice)
        seen.clear()
        torch.testing.assert_close(
            last(x.to(memory_format=torch.channels_last), choice), expected, rtol=1e-4, atol=1e-5
        )
        assert seen == [True] * 5


# Bad input


def test_architectures_of_another_space() -> None:
    net = supernet("s1")
    with pytest.raises(ArchError, match="s1: expected an architecture of this space, got one of 's2'"):
        net.choice(get_space("s2").arch(0))
    foreign = supernet("darts").sample(np.random.default_rng(0))
    with pytest.raises(ArchError, match=r"s1: normal, edge from \d to \d: expected one of .*, got"):
        net(images(), foreign)
    with pytest.raises(ArchError, match="expected an architecture of darts, s1, .*, got one of 'nb201'"):
        DartsNetwork("nb201:|none~0|+|none~0|none~1|+|none~0|none~1|none~2|")
    with pytest.raises(UnknownNameError, match="unknown space of DARTS cells 'nb201'. Known: darts, s1"):
        darts_supernet("nb201")


def test_a_part_is_missing() -> None:
    net = supernet("s5")
    whole = net.choice(net.cell_space.arch(3))
    with pytest.raises(ArchError, match="expected 'normal=.*;reduce=.*', got 'normal=|skip_connect~0|"):
        net.choice("normal=|skip_connect~0|skip_connect~1|")
    with pytest.raises(ArchError, match="s5: reduce: too few edges: expected 2"):
        net(images(), Genotype(whole.normal, ()))
    with pytest.raises(ArchError, match="s5: expected a Genotype with the parts normal and reduce, got tuple"):
        net(images(), whole.normal)
    # inputs in another order, or held in lists, mean the same
    lists = Genotype([list(reversed(node)) for node in whole.normal], [list(node) for node in whole.reduce])  # type: ignore[arg-type]
    assert torch.equal(net.eval()(images(), lists), net(images(), whole))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channels": 15}, "channels: expected an even number"),
        ({"channels": 0}, "channels: expected a positive integer, got 0"),
        ({"cells": True}, "cells: expected a positive integer, got True"),
        ({"image_size": 30}, "image_size: expected a multiple of 4"),
        ({"image_size": 230}, "image_size: expected a multiple of 32"),
        ({"auxiliary": True, "cells": 2}, "auxiliary: expected at least 3 cells"),
        ({"auxiliary": True, "image_size": 12}, "made for images of 32, 36, 40 pixels, got 12; leave it out"),
        ({"kind": "train"}, "unknown network 'train'. Known: search, evaluation"),
    ],
)
def test_impossible_skeletons(change: dict[str, object], message: str) -> None:
    with pytest.raises(NasAnalysisError, match=message):
        DartsSkeleton(**change)  # type: ignore[arg-type]


def test_what_is_not_there() -> None:
    net = supernet("s5")
    with pytest.raises(NasAnalysisError, match="auxiliary: this network has no auxiliary head; build it with"):
        net.with_auxiliary(images(), net.sample(np.random.default_rng(0)))
    with pytest.raises(UnknownNameError, match="unknown operation 'sep_conv_7x7'"):
        operation("sep_conv_7x7", 4, 1, affine=True, randomness=Randomness())
    for probability in (1, -0.1, float("nan")):
        with pytest.raises(ParameterError, match=r"drop_path: expected a probability in \[0, 1\), got"):
            net.randomness.drop_path = probability


def test_the_auxiliary_head_of_a_supernet_is_trained_and_inherited() -> None:
    with torch.device("meta"):
        net = DartsSupernet("s5", DartsSkeleton(channels=4, cells=3, auxiliary=True))
    net = initialised(net, torch_generator(0, "weights"))
    warm_up(net)
    arch = net.cell_space.arch(40)
    x = images(size=32)
    logits, second = net.eval().with_auxiliary(x, net.choice(arch))
    subnet = net.subnet(arch)
    assert all(torch.equal(a, b) for a, b in zip(subnet.with_auxiliary(x), (logits, second), strict=True))
    assert torch.equal(net(x, net.choice(arch)), logits)
    second.sum().backward()
    assert net.body.auxiliary[-1].weight.grad is not None
    assert net.body.classifier.weight.grad is None


@settings(max_examples=25)
@given(index=st.integers(0, len(get_space("s1")) - 1), cells=st.integers(1, 6), channels=st.sampled_from([2, 6]))
def test_any_size_matches_the_arithmetic(index: int, cells: int, channels: int) -> None:
    space = get_space("s1")
    arch = space.arch(index)
    with torch.device("meta"):
        net = DartsNetwork(arch, darts_skeleton("svhn", channels=channels, cells=cells))
    assert count(net) == space.params(arch, "svhn", channels=channels, cells=cells)
    assert measured_flops(net, 32, auxiliary=False) == space.flops(arch, "svhn", channels=channels, cells=cells)

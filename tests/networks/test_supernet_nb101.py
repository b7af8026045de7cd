"""Networks of NAS-Bench-101 cells and supernets of the NAS-Bench-1shot1 spaces, against a plain reference."""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasanalysis.core.errors import ArchError, NasAnalysisError, UnknownNameError
from nasanalysis.spaces.base import Arch
from nasanalysis.spaces.nb1shot1 import SPACES_1SHOT1
from nasanalysis.spaces.nb101 import SPACE
from nasanalysis.spaces.nb101_enumeration import Skeleton101, cell_costs
from nasanalysis.spaces.nb101_graph import (
    Cell,
    canonical,
    edge_list,
    from_matrix,
    operation_names,
    prune,
    to_matrix,
)

torch = pytest.importorskip("torch")

from drawn_networks import build_network101

from nasanalysis.networks.base import UndefinedProtocolError, initialised
from nasanalysis.networks.nb101 import NB1Shot1Supernet, NB101Network, SharedModule
from nasanalysis.networks.nb101_plan import plan, wiring

pytestmark = pytest.mark.torch

#: 10 channels do not divide by 3 or 4 vertices: there the remainders show.
SMALL = Skeleton101(image_size=8, classes=5, channels=10, cells=2)
TINY_CELL = "output~0"
#: Three vertices feed the output, and the order written here is not the one the benchmark trained.
SPACE_2_ENCODING = "nb101-2:conv3x3~0+conv3x3~0+maxpool3x3~01+conv1x1~12+output~134"


def count(net: torch.nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def random_cells(n: int, seed: int = 0) -> list[Arch]:
    return [SPACE.parse(TINY_CELL), *SPACE.sample(n - 1, np.random.default_rng(seed))]


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def disturb(net: torch.nn.Module, seed: int) -> None:
    """Batch-norm weights, offsets and statistics that are not 1 and 0."""
    draw = generator(seed)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                for value in (module.weight, module.running_var):
                    value.uniform_(0.5, 1.5, generator=draw)
                for value in (module.bias, module.running_mean):
                    value.uniform_(-0.5, 0.5, generator=draw)


@cache
def supernet(space: str, channels: int = 10) -> NB1Shot1Supernet:
    with torch.device("meta"):
        net = NB1Shot1Supernet(space, Skeleton101(image_size=8, classes=5, channels=channels, cells=2))
    net = initialised(net, generator(1))
    disturb(net, 2)
    return net


@st.composite
def encodings(draw: st.DrawFn) -> Arch:
    space = SPACES_1SHOT1[draw(st.sampled_from(sorted(SPACES_1SHOT1)))]
    return space.arch(draw(st.integers(0, len(space) - 1)))


# --- a slow, plain reference: numpy, float64, one vertex at a time -------------------------------------------------


def trained_widths(matrix: np.ndarray, names: list[str], outputs: int) -> list[int]:
    """Channels of each vertex, found by laying the cell over the trained one, then by the published rule."""
    trained, trained_names = SPACE.spec(SPACE.from_spec(matrix, names))
    last = len(names) - 1
    for inner in itertools.permutations(range(1, last)):
        place = [0, *inner, last]  # vertex i of the trained cell is vertex place[i] of this one
        if np.array_equal(matrix[np.ix_(place, place)], trained) and [names[p] for p in place] == trained_names:
            break
    else:
        raise AssertionError("not the same cell")
    widths = [0] * last + [outputs]
    feeding = np.flatnonzero(trained[1:, last]) + 1
    for i, v in enumerate(feeding):
        widths[v] = outputs // len(feeding) + (1 if i < outputs % len(feeding) else 0)
    for v in range(last - 1, 0, -1):
        if not trained[v, last]:
            widths[v] = max(widths[t] for t in range(v + 1, last) if trained[v, t])
    own = [0] * (last + 1)
    for v, p in enumerate(place):
        own[p] = widths[v]
    return own


def conv_bn_relu(state: dict[str, np.ndarray], name: str, x: np.ndarray) -> np.ndarray:
    weight = state[f"{name}.convolution.weight"]
    size, kernel = x.shape[-1], weight.shape[-1]
    padded = np.pad(x, [(0, 0), (0, 0)] + 2 * [(kernel // 2, kernel // 2)])
    total = np.zeros((len(x), len(weight), size, size))
    for i, j in itertools.product(range(kernel), repeat=2):
        total += np.einsum("oc,nchw->nohw", weight[:, :, i, j], padded[:, :, i : i + size, j : j + size])
    norm = {k: state[f"{name}.norm.{k}"][:, None, None] for k in ("weight", "bias", "running_mean", "running_var")}
    scaled = (total - norm["running_mean"]) / np.sqrt(norm["running_var"] + 1e-5)
    return np.maximum(scaled * norm["weight"] + norm["bias"], 0)


def max_pool(x: np.ndarray) -> np.ndarray:
    size = x.shape[-1]
    padded = np.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1)], constant_values=-np.inf)
    return np.max([padded[:, :, i : i + size, j : j + size] for i in range(3) for j in range(3)], axis=0)


def reference(
    state: dict[str, np.ndarray], cell: Cell, numbers: tuple[int, ...], skeleton: Skeleton101, x: np.ndarray
) -> np.ndarray:
    """Logits of the network of a pruned cell whose inner vertices are called `numbers`."""
    matrix, names = to_matrix(cell), operation_names(cell)
    last = len(names) - 1
    x = conv_bn_relu(state, "stem", x)
    for module, (_, outputs, _) in enumerate(skeleton.modules()):
        if module in (skeleton.cells, 2 * skeleton.cells):
            x = np.max([x[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1)], axis=0)
        widths = trained_widths(matrix, names, outputs)
        values: dict[int, np.ndarray] = {}
        for v in range(1, last):
            name = names[v].split("-")[0]
            read = np.zeros((len(x), widths[v], *x.shape[2:]))
            if matrix[0, v]:
                read = conv_bn_relu(state, f"cells.{module}.projections.{numbers[v - 1]}", x)
            for source in range(1, v):
                if matrix[source, v]:
                    read = read + values[source][:, : widths[v]]
            assert read.shape[1] == widths[v]
            own = f"cells.{module}.operations.{numbers[v - 1]}-{name}"
            values[v] = max_pool(read) if name == "maxpool3x3" else conv_bn_relu(state, own, read)
        out = np.zeros((len(x), outputs, *x.shape[2:]))
        if matrix[1:, last].any():
            out = out + np.concatenate([values[v] for v in range(1, last) if matrix[v, last]], axis=1)
        if matrix[0, last]:
            out = out + conv_bn_relu(state, f"cells.{module}.projections.output", x)
        x = out
    return x.mean(axis=(2, 3)) @ state["classifier.weight"].T + state["classifier.bias"]


def check_reference(arch: Arch) -> None:
    net = build_network101(arch, SMALL, generator(3)).double().eval()
    disturb(net, 4)
    x = torch.randn(2, 3, 8, 8, generator=generator(5), dtype=torch.float64)
    state = {name: value.numpy() for name, value in net.state_dict().items()}
    graph = wiring(arch)
    expected = reference(state, graph.cell, graph.nodes, SMALL, x.numpy())
    with torch.no_grad():
        np.testing.assert_allclose(net(x).numpy(), expected, rtol=1e-9, atol=1e-10)


# --- the network of one cell ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("skeleton", [SMALL, Skeleton101(image_size=32, classes=10)], ids=["small", "benchmark"])
def test_parameters_are_those_of_the_space(skeleton: Skeleton101) -> None:
    for arch in random_cells(200):
        with torch.device("meta"):
            net = NB101Network(arch, skeleton)
        assert count(net) == cell_costs(SPACE.cell(arch), skeleton)[0], arch
    if skeleton.image_size == 32:
        assert count(net) == SPACE.params(arch, "cifar10")


def test_parameters_do_not_depend_on_the_order_in_which_a_cell_is_written() -> None:
    rng, moved = np.random.default_rng(6), 0
    for arch in SPACE.sample(300, rng):
        matrix, names = SPACE.spec(arch)
        place = [0, *(1 + rng.permutation(len(names) - 2)).tolist(), len(names) - 1]
        other = matrix[np.ix_(place, place)]
        if np.tril(other).any():  # this order is not topological
            continue
        cell = from_matrix(other, [names[p] for p in place])
        moved += cell_costs(cell, SMALL)[0] != cell_costs(canonical(cell), SMALL)[0]
        with torch.device("meta"):
            assert count(NB101Network(cell, SMALL)) == cell_costs(canonical(cell), SMALL)[0]
    assert moved  # in some of them the first vertex written is not the first one trained


def test_forward_of_a_cell_is_the_plain_computation() -> None:
    for arch in random_cells(25, seed=7):
        check_reference(arch)


@pytest.mark.parametrize("space", sorted(SPACES_1SHOT1))
def test_forward_of_an_encoding_is_the_plain_computation(space: str) -> None:
    for arch in SPACES_1SHOT1[space].sample(8, np.random.default_rng(8)):
        check_reference(arch)
    if space == "nb101-2":
        check_reference(Arch.from_text(SPACE_2_ENCODING))


def test_every_way_of_naming_a_cell_gives_its_network() -> None:
    encoding = SPACES_1SHOT1["nb101-2"].parse(SPACE_2_ENCODING)
    cell = SPACES_1SHOT1["nb101-2"].cell(encoding)
    expected = cell_costs(SPACE.cell(cell), SMALL)[0]
    for given_as in (encoding, str(encoding), cell, str(cell), cell.key, SPACE.cell(cell), wiring(encoding)):
        assert count(NB101Network(given_as, SMALL)) == expected


def test_loose_ends_are_left_out_and_numbers_kept() -> None:
    graph = wiring("nb101-1:conv3x3~0+conv1x1~01+maxpool3x3~12+conv3x3~23+output~02")
    assert graph.nodes == (1, 2)
    graph = wiring("nb101-1:conv3x3~0+conv1x1~01+maxpool3x3~01+conv3x3~13+output~04")
    assert graph.nodes == (1, 3, 4)
    names = {name.split(".")[3] for name, _ in NB101Network(graph, SMALL).named_parameters() if "operations" in name}
    assert names == {"1-conv3x3", "4-conv3x3"}


def test_output_shape_other_channels_and_classes() -> None:
    skeleton = Skeleton101(image_size=12, classes=7, channels=8, cells=1, input_channels=2)
    net = build_network101(TINY_CELL, skeleton, generator(0))
    assert net(torch.zeros(3, 2, 12, 12)).shape == (3, 7)


def test_building_draws_from_the_given_generator_only() -> None:
    states = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        states.append(build_network101(SPACE.arch(1000), SMALL, generator(9)).state_dict())
        assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_modules_keep_channels_last() -> None:
    truncated = 0
    for arch in [*random_cells(15, seed=10), Arch.from_text(SPACE_2_ENCODING)]:
        net = build_network101(arch, SMALL, generator(0)).to(memory_format=torch.channels_last)
        x = torch.randn(2, 3, 8, 8, generator=generator(1)).to(memory_format=torch.channels_last)
        seen: list[bool] = []
        hooks = [
            module.register_forward_hook(
                lambda _, __, out, seen=seen: seen.append(out.is_contiguous(memory_format=torch.channels_last))
            )
            for module in net.modules()
            if isinstance(module, (torch.nn.Conv2d, torch.nn.BatchNorm2d, torch.nn.MaxPool2d, torch.nn.ReLU))
        ]
        net(x)
        assert len(seen) == len(hooks)
        assert all(seen), arch
        for cell in net.cells:
            widths = {step.node: step.width for step in cell.plan.steps}
            truncated += sum(widths[s] > step.width for step in cell.plan.steps for s in step.sources)
    assert truncated


# --- the supernet ---------------------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(encodings(), st.sampled_from([10, 16]), st.booleans(), st.integers(0, 2**32))
def test_supernet_computes_its_subnet(arch: Arch, channels: int, channels_last: bool, seed: int) -> None:
    layout = torch.channels_last if channels_last else torch.contiguous_format
    net = supernet(arch.space, channels).to(memory_format=layout)
    x = torch.randn(4, 3, 8, 8, generator=generator(seed)).to(memory_format=layout)
    choice = net.eval().choice(arch)
    hash(choice)
    sub = net.subnet(arch)
    assert not sub.training
    assert count(sub) == cell_costs(SPACE.cell(SPACES_1SHOT1[arch.space].cell(arch)), net.skeleton)[0]
    with torch.no_grad():
        out = net(x, choice)
        assert out.shape == (4, 5)
        assert torch.equal(out, sub(x))

    net.train()
    sub.train()
    net.zero_grad()
    own, copied = net(x, choice), sub(x)
    torch.testing.assert_close(own, copied, rtol=1e-6, atol=1e-6)
    own.square().sum().backward()
    copied.square().sum().backward()
    statistics = net.inherited(arch)  # after the step: the running statistics have moved alike
    for name, value in sub.state_dict().items():
        torch.testing.assert_close(statistics[name], value, rtol=1e-5, atol=1e-6)

    # gradients: those of the subnet in the slices it uses, zero in the rest, none elsewhere
    gradients = {name: p.grad for name, p in sub.named_parameters()}
    for name, parameter in net.named_parameters():
        expected = gradients.get(name)
        if expected is None:
            assert parameter.grad is None, name
            continue
        rest = parameter.grad.clone()
        used = tuple(slice(size) for size in expected.shape)
        torch.testing.assert_close(rest[used], expected, rtol=1e-4, atol=1e-5)
        rest[used] = 0
        assert not rest.any(), name


@pytest.mark.parametrize("space", sorted(SPACES_1SHOT1))
def test_one_choice_for_each_cell(space: str) -> None:
    net = supernet(space).eval()
    archs = SPACES_1SHOT1[space].sample(net.depth, np.random.default_rng(11))
    mixed = net.subnet(archs[0])
    mixed.cells = torch.nn.ModuleList(net.subnet(arch).cells[i] for i, arch in enumerate(archs))
    x = torch.randn(2, 3, 8, 8, generator=generator(12))
    with torch.no_grad():
        assert torch.equal(net(x, [net.choice(arch) for arch in archs]), mixed(x))
        assert not torch.equal(net(x, net.choice(archs[0])), mixed(x))


def test_a_copy_does_not_share_memory() -> None:
    net = supernet("nb101-1").eval()
    arch = SPACES_1SHOT1["nb101-1"].arch(5)
    x = torch.randn(2, 3, 8, 8, generator=generator(13))
    with torch.no_grad():
        before = net(x, net.choice(arch))
        for parameter in net.subnet(arch).parameters():
            parameter.add_(1)
        assert torch.equal(net(x, net.choice(arch)), before)


@pytest.mark.parametrize("space", sorted(SPACES_1SHOT1))
def test_weights_are_as_wide_as_the_widest_vertex_and_no_wider(space: str) -> None:
    own = SPACES_1SHOT1[space]
    outputs = 32
    vertex, read = dict.fromkeys(range(1, own.choices + 1), 0), dict.fromkeys(range(1, own.choices + 1), 0)
    for index in range(0, len(own), 3**own.choices):  # every choice of parents; labels only break ties
        for step in plan(wiring(own.arch(index)), outputs).steps:
            vertex[step.node] = max(vertex[step.node], step.width)
            read[step.node] = max(read[step.node], step.width if step.projection else 0)
    with torch.device("meta"):
        shared = SharedModule(own.parents, 16, outputs)
    for node in vertex:
        assert shared.operations[f"{node}-conv3x3"].convolution.weight.shape == (vertex[node], vertex[node], 3, 3)
        assert shared.operations[f"{node}-conv1x1"].convolution.weight.shape == (vertex[node], vertex[node], 1, 1)
        assert shared.projections[str(node)].convolution.weight.shape == (read[node], 16, 1, 1)
    assert shared.projections["output"].convolution.weight.shape == (outputs, 16, 1, 1)


def test_encodings_of_one_cell_use_the_weights_of_their_own_nodes() -> None:
    net = supernet("nb101-1").eval()
    space = SPACES_1SHOT1["nb101-1"]
    first = space.parse("conv3x3~0+conv1x1~01+maxpool3x3~01+conv1x1~01+output~02")
    loose = space.parse("conv3x3~0+conv1x1~01+conv3x3~12+conv3x3~23+output~02")
    other = space.parse("conv3x3~0+maxpool3x3~01+conv1x1~01+conv1x1~01+output~03")
    assert space.cell(first) == space.cell(loose) == space.cell(other)
    assert net.choice(first) == net.choice(loose)
    x = torch.randn(2, 3, 8, 8, generator=generator(16))
    with torch.no_grad():
        assert not torch.equal(net(x, net.choice(first)), net(x, net.choice(other)))
    used = {name.split(".")[3] for name in net.inherited(other) if ".operations." in name}
    assert used == {"1-conv3x3", "3-conv1x1"}


def test_sampling_is_the_space_s_and_seeded() -> None:
    net = supernet("nb101-3")
    drawn = [net.sample(np.random.default_rng(14)) for _ in range(2)]
    arch = SPACES_1SHOT1["nb101-3"].sample(1, np.random.default_rng(14))[0]
    assert drawn == [net.choice(arch)] * 2
    rng = np.random.default_rng(15)
    assert len({net.sample(rng) for _ in range(20)}) > 10


def test_fairnas_is_refused() -> None:
    with pytest.raises(UndefinedProtocolError, match="fairnas: not defined on nb101-1"):
        supernet("nb101-1").fair(np.random.default_rng(0))


# --- bad input ------------------------------------------------------------------------------------------------------


def test_bad_input_says_what_is_wrong() -> None:
    net = supernet("nb101-1")
    x = torch.zeros(1, 3, 8, 8)
    with pytest.raises(UnknownNameError, match="unknown NAS-Bench-1shot1 space 'nb101-4'.*Known: nb101-1"):
        NB1Shot1Supernet("nb101-4", SMALL)
    with pytest.raises(ArchError, match="nb101-1: expected an architecture of this space, got one of 'nb101-2'"):
        net.choice(SPACES_1SHOT1["nb101-2"].arch(0))
    with pytest.raises(ArchError, match="nb101-1: expected vertices as"):
        net.choice(str(SPACES_1SHOT1["nb101-2"].arch(0)))
    with pytest.raises(ArchError, match="nb101-1: expected 4 choice nodes and the output"):
        net.choice("conv3x3~0+output~01")
    with pytest.raises(ArchError, match=r"nb101-1: expected \(1, 2, 2, 2, 2\) parents of the nodes in turn"):
        net.subnet("conv3x3~0+conv1x1~0+maxpool3x3~01+conv1x1~01+output~01")
    with pytest.raises(ArchError, match="nb101-1: expected choices that `choice` or `sample` of this supernet gave"):
        net(x, supernet("nb101-2").choice(SPACES_1SHOT1["nb101-2"].arch(0)))
    with pytest.raises(ArchError, match="of this supernet gave, got 'maxpool3x3"):
        net(x, SPACES_1SHOT1["nb101-1"].arch(0).key)
    with pytest.raises(ArchError, match="nb101-1: expected one choice or 6, one for each cell, got 1"):
        net(x, [net.choice(SPACES_1SHOT1["nb101-1"].arch(0))])
    with pytest.raises(ArchError, match="no path leads from input to output"):
        NB101Network("conv3x3~+output~1", SMALL)
    with pytest.raises(ArchError, match="nb101: expected an architecture of this space, got one of 'nb201'"):
        NB101Network(Arch("nb201", "x"), SMALL)
    with pytest.raises(NasAnalysisError, match=r"at least one channel .* got widths \(1, 0\) .* more channels"):
        NB101Network("conv3x3~0+conv3x3~0+output~12", Skeleton101(8, 5, channels=1))


def test_a_cell_is_pruned_first() -> None:
    cell = from_matrix([[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0]], ["input", *["conv3x3"] * 2, "output"])
    net = NB101Network(cell, SMALL)
    assert count(net) == cell_costs(prune(cell), SMALL)[0]
    assert edge_list(wiring(cell).cell.edges) == ((0, 1), (1, 2))

"""The angle between weights: closed forms, a slow loop over RLNAS's vector, and which weights an output depends on."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (extra supernet)")

from drawn_networks import build_darts_network, build_network101
from torch import nn

from nasanalysis.core.errors import NasAnalysisError, ParameterError
from nasanalysis.core.seeding import generator as numpy_generator
from nasanalysis.measures.angle import angle
from nasanalysis.measures.parameters import used_names
from nasanalysis.measures.paths import Constant, WeightPaths
from nasanalysis.networks.darts_cells import DartsSkeleton
from nasanalysis.networks.nb201 import build_network
from nasanalysis.spaces import get_space
from nasanalysis.spaces.nb101_enumeration import Skeleton101
from nasanalysis.spaces.nb201 import SPACE
from nasanalysis.spaces.skeletons import SKELETONS, Skeleton

pytestmark = pytest.mark.torch

SMALL = Skeleton(8, 5, channels=4, cells=2, reduction="residual")
DIGITS = SKELETONS["digits"]
FULL = "nb201:|nor_conv_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|avg_pool_3x3~0|skip_connect~1|nor_conv_3x3~2|"
DEAD = "nb201:|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|nor_conv_3x3~2|"
#: Edge 0-1 leads nowhere, and 2-3 reads zeros.
LOOSE = "nb201:|nor_conv_3x3~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|nor_conv_3x3~2|"
CONV = "|{0}~0|+|{1}~0|{2}~1|+|{3}~0|{4}~1|{5}~2|"


def generator(seed: int = 0):  # type: ignore[no-untyped-def]
    return torch.Generator().manual_seed(seed)


def shaken(net, seed: int = 3):  # type: ignore[no-untyped-def]
    """The same network with other weights, batch-norm statistics included."""
    import copy

    other = copy.deepcopy(net)
    with torch.no_grad():
        for value in [*other.parameters(), *(b for b in other.buffers() if b.is_floating_point())]:
            value.add_(torch.rand(value.shape, generator=generator(seed)), alpha=0.5)
    return other


def of_numpy(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.arccos(np.clip(a @ b / np.linalg.norm(a) / np.linalg.norm(b), -1, 1)))


def test_closed_forms() -> None:
    a = {"w": torch.tensor([[3.0, 0.0], [0.0, 4.0]])}
    assert angle(a, {"w": 7 * a["w"]}) == pytest.approx(0, abs=1e-7)
    assert angle(a, {"w": -a["w"]}) == pytest.approx(math.pi)
    assert angle(a, {"w": torch.tensor([[0.0, 1.0], [5.0, 0.0]])}) == pytest.approx(math.pi / 2)
    assert angle({"w": torch.tensor([1.0, 0])}, {"w": torch.tensor([1.0, 1.0])}) == pytest.approx(math.pi / 4)


def test_rounding_never_leaves_the_domain_of_the_arc_cosine() -> None:
    for seed in range(50):
        w = torch.randn(1000, generator=generator(seed))
        assert 0 <= angle({"w": w}, {"w": w * 1.1}) < 1e-3


def test_undefined_is_nan() -> None:
    w = {"w": torch.ones(3)}
    assert math.isnan(angle(w, {"w": torch.zeros(3)}))
    assert math.isnan(angle(w, {"w": torch.tensor([1.0, math.inf, 0.0])}))
    dead = build_network(DEAD, SMALL, generator())
    for vector in ("flat", "paths"):
        assert math.isnan(angle(dead, shaken(dead), vector=vector))
        assert angle(dead, shaken(dead), vector=vector, variant="reference") == 0


def test_flat_is_every_weight_once() -> None:
    net = build_network(FULL, SMALL, generator())
    other = shaken(net)
    vectors = [np.concatenate([p.detach().numpy().ravel() for p in n.parameters()]).astype(float) for n in (net, other)]
    assert angle(net, other) == pytest.approx(of_numpy(*vectors))
    assert angle(net.state_dict(), other.state_dict()) == pytest.approx(of_numpy(*vectors))  # statistics are left out
    assert angle(net.state_dict(), other) == pytest.approx(angle(net, other.state_dict()))


def rlnas_vector(net, arch: str) -> np.ndarray:  # type: ignore[no-untyped-def]
    """Slow and plain, from the modules: fixed parts, then the four paths, each through all cells."""
    weights = dict(net.named_parameters())
    parts = [p.detach().numpy().ravel() for name, p in weights.items() if ".edges." not in name]
    edge_ops = dict(zip(["0-1", "0-2", "1-2", "0-3", "1-3", "2-3"], SPACE.operations(arch), strict=True))
    for nodes in ([0, 3], [0, 2, 3], [0, 1, 2, 3], [0, 1, 3]):
        edges = [f"{a}-{b}" for a, b in itertools.pairwise(nodes)]
        if "none" in [edge_ops[e] for e in edges]:
            continue
        for cell in net.search_cells():
            width = 4 * 2 ** (net.search_cells().index(cell) // 2)
            for edge in edges:
                if "conv" in edge_ops[edge]:
                    parts.append(cell.edges[edge][1].weight.detach().numpy().ravel())
                elif edge_ops[edge] == "avg_pool_3x3":
                    parts.append(np.full(width * 9, 1 / 9))
    return np.concatenate(parts).astype(float)


@pytest.mark.parametrize("arch", [FULL, LOOSE, *map(str, SPACE.sample(6, numpy_generator(1, "angle")))])
def test_paths_equal_a_slow_loop_over_rlnas_vector(arch: str) -> None:
    net = build_network(arch, SMALL, generator())
    other = shaken(net)
    if not net.weight_paths().paths:
        assert math.isnan(angle(net, other, vector="paths"))
        return
    expected = of_numpy(rlnas_vector(net, arch), rlnas_vector(other, arch))
    assert angle(net, other, vector="paths") == pytest.approx(expected, rel=1e-9)


def test_paths_repeat_what_they_share_and_stand_in_for_pooling() -> None:
    net = build_network(
        "nb201:" + CONV.format(*["nor_conv_1x1"] * 3, "avg_pool_3x3", "none", "skip_connect"), SMALL, generator()
    )
    found = net.weight_paths()
    assert len(found.paths) == 3  # 0-1-3 has a none
    names = [p for p in found.pieces() if isinstance(p, str)]
    assert names.count("features.2.edges.0-1.1.weight") == 1
    assert names.count("features.2.edges.0-2.1.weight") == 1
    assert not any(name.endswith("2.weight") for name in names if ".edges." in name)  # no batch-norm of an edge
    assert found.paths[0] == tuple(Constant(1 / 9, 9 * c) for c in (4, 4, 8, 8, 16, 16))
    both = build_network("nb201:" + CONV.format("nor_conv_1x1", "none", *["skip_connect"] * 4), SMALL, generator())
    names = [p for p in both.weight_paths().pieces() if isinstance(p, str)]
    assert names.count("features.2.edges.0-1.1.weight") == 2  # on 0-1-2-3 and 0-1-3


def influences(net, size: int, channels: int) -> set[str]:  # type: ignore[no-untyped-def]
    """Names of the parameters with a gradient that is not zero, for weights and statistics drawn at random."""
    probe = shaken(net).double().eval()
    with torch.no_grad():
        for p in probe.parameters():
            p.copy_(torch.randn(p.shape, generator=generator(8), dtype=torch.float64))
        for name, b in probe.named_buffers():
            if name.endswith("running_mean"):
                b.copy_(torch.randn(b.shape, generator=generator(9), dtype=torch.float64))
    x = torch.randn(4, channels, size, size, generator=generator(5), dtype=torch.float64)
    out = probe(x)
    weights = dict(probe.named_parameters())
    slopes = torch.autograd.grad(
        (out * torch.randn(out.shape, generator=generator(6))).sum(), list(weights.values()), allow_unused=True
    )
    return {name for name, slope in zip(weights, slopes, strict=True) if slope is not None and bool(slope.any())}


NB201 = [FULL, LOOSE, DEAD]


@pytest.mark.parametrize("skeleton", [SMALL, DIGITS], ids=["residual", "pool"])
def test_used_parameters_of_nb201_are_those_that_the_output_depends_on(skeleton: Skeleton) -> None:
    rng = numpy_generator(2, "used")
    ops = ["none", "skip_connect", "avg_pool_3x3", "nor_conv_1x1", "nor_conv_3x3"]
    drawn = [CONV.format(*rng.choice(ops, 6, p=[0.5, 0.15, 0.05, 0.2, 0.1])) for _ in range(12)]
    dead = 0
    for arch in [*NB201, *drawn]:
        net = build_network(arch, skeleton, generator())
        used = net.used_parameters()
        assert len(used) == len(set(used))
        assert set(used) == influences(net, skeleton.image_size, skeleton.input_channels), arch
        dead += not net.weight_paths().paths
    assert dead > 3


def test_flat_leaves_out_what_the_output_does_not_depend_on() -> None:
    net = build_network(LOOSE, SMALL, generator())
    other = shaken(net)
    before = angle(net, other)
    with torch.no_grad():
        for cell in other.search_cells():
            cell.edges["0-1"][1].weight.add_(100)
            cell.edges["2-3"][1].weight.add_(100)  # reads zeros
    assert angle(net, other) == before
    with torch.no_grad():
        other.search_cells()[0].edges["2-3"][2].bias.add_(100)  # the offset counts
    assert angle(net, other) != before


DARTS = DartsSkeleton(channels=4, cells=5, image_size=8, kind="search")
NODE = "|{}~{}|{}~{}|"


def darts_arch(rng: np.random.Generator, p_none: float) -> str:
    ops = ["none", "skip_connect", "avg_pool_3x3", "max_pool_3x3", "sep_conv_3x3", "dil_conv_3x3"]
    p = [p_none, *[(1 - p_none) / 5] * 5]
    parts = []
    for name in ("normal", "reduce"):
        nodes = []
        for node in range(2, 6):
            edges = sorted((int(rng.integers(node)), str(rng.choice(ops, p=p))) for _ in range(2))
            nodes.append("|" + "".join(f"{op}~{source}|" for source, op in edges))
        parts.append(f"{name}=" + "+".join(nodes))
    return "darts:" + ";".join(parts)


@pytest.mark.parametrize("kind", ["search", "evaluation"])
def test_used_parameters_of_darts_are_those_that_the_output_depends_on(kind: str) -> None:
    rng = numpy_generator(3, "used", kind)
    skeleton = DartsSkeleton(channels=4, cells=5, image_size=8, kind=kind)  # type: ignore[arg-type]
    partly = 0
    for p_none in (0.0, 0.6, 0.8, 0.9, 1.0):
        for _ in range(1):
            net = build_darts_network(darts_arch(rng, p_none), skeleton, generator())
            used = net.used_parameters()
            assert len(used) == len(set(used))
            assert set(used) == influences(net, 8, 3)
            partly += len(used) < len(list(net.parameters()))
    assert partly > 2


def test_paths_of_a_darts_cell() -> None:
    """Normal cells: node 2 reads 0 (skip) and 1 (separable), node 3 reads 2 (pool) and 1 (none)."""
    text = "darts:normal=|skip_connect~0|sep_conv_3x3~1|+|none~1|avg_pool_3x3~2|+|none~0|none~1|+|none~0|none~1|;"
    text += "reduce=|skip_connect~0|skip_connect~1|+|none~0|none~1|+|none~0|none~1|+|none~0|none~1|"
    net = build_darts_network(text, DartsSkeleton(channels=4, cells=3, image_size=8), generator())
    found = net.weight_paths()
    first = found.paths[:4]  # cell 0 is normal: 0-2, 1-2, 0-2-3, 1-2-3
    separable = tuple(n for n, _ in net.named_parameters() if n.startswith("body.cells.0.operations.1."))
    assert len(separable) == 4
    assert first == (
        (Constant(1.0, 4),),
        separable,
        (Constant(1.0, 4), Constant(1 / 9, 36)),
        (*separable, Constant(1 / 9, 36)),
    )
    assert len(found.paths) == 4 + 2 + 2
    assert "body.classifier.weight" in found.once
    assert "body.classifier.bias" not in found.once
    assert 0 < angle(net, shaken(net), vector="paths") < math.pi
    cut = text.replace("skip_connect~0|sep_conv_3x3~1", "none~0|none~1")
    dead = build_darts_network(
        cut.replace("none~0|none~1|+|none~1|avg", "none~0|none~1|+|none~1|avg"), DARTS, generator()
    )
    assert math.isnan(angle(dead, shaken(dead), vector="paths"))


def test_nb101_uses_all_of_its_weights_and_defines_no_paths() -> None:
    arch = get_space("nb101").sample(1, numpy_generator(0, "nb101"))[0]
    net = build_network101(arch, Skeleton101(8, 5, 16, 1), generator())
    assert set(used_names(net)) == influences(net, 8, 3)
    assert len(net.search_cells()) == 3
    assert 0 < angle(net, shaken(net)) < math.pi
    with pytest.raises(
        ParameterError, match=r"expected a network that defines weight_paths\(\).*nb201.*got NB101Network"
    ):
        angle(net, shaken(net), vector="paths")


def test_paths_may_be_given_and_states_compared() -> None:
    a, b = {"w": torch.tensor([1.0, 0.0])}, {"w": torch.tensor([0.0, 1.0])}
    given = WeightPaths(("w",), (("w", Constant(1.0, 2)), ()))
    assert angle(a, b, vector="paths", paths=given) == pytest.approx(math.acos(2 / 4))
    with pytest.raises(ParameterError, match="got two states"):
        angle(a, b, vector="paths")


def test_what_cannot_be_compared_is_said() -> None:
    net = build_network(FULL, SMALL, generator())
    with pytest.raises(NasAnalysisError, match="expected the initial weights, got none; keep the state"):
        angle(None, net)
    with pytest.raises(NasAnalysisError, match=r"expected the same weights before and after, got \d+ and \d+"):
        angle(build_network(LOOSE, SMALL, generator()), net)
    wide = build_network(FULL, Skeleton(8, 5, channels=8, cells=2), generator())
    with pytest.raises(NasAnalysisError, match=r"of one shape, got \(8, 3, 3, 3\) before and \(4, 3, 3, 3\) after"):
        angle(wide, net)
    with pytest.raises(NasAnalysisError, match="expected features.0.weight among the initial weights, got 1 others"):
        angle({"w": torch.ones(2)}, net)
    with pytest.raises(ParameterError, match="expected 'flat' or 'paths', got 'path'"):
        angle(net, net, vector="path")  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="expected 'paper' or 'reference', got 'code'"):
        angle(net, net, variant="code")  # type: ignore[arg-type]


def test_any_network_has_a_flat_angle() -> None:
    net = nn.Linear(3, 2)
    assert angle(net, net) == pytest.approx(0, abs=1e-7)
    assert angle(net.double(), net) == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize("vector", ["flat", "paths"])
def test_cells_leave_out_stem_reductions_and_classifier(vector: str) -> None:
    """The same cells in another frame: ``all`` sees the frame, ``cells`` does not."""
    net = build_network(FULL, SMALL, generator(1))
    moved = shaken(net)
    cells = {id(p) for cell in net.search_cells() for p in cell.parameters()}
    framed = shaken(net)
    with torch.no_grad():
        for (_, p), q in zip(framed.named_parameters(), net.parameters(), strict=True):
            if id(q) not in cells:
                p.mul_(-3)
            else:
                p.copy_(dict(moved.named_parameters())[next(n for n, o in net.named_parameters() if o is q)])
    inside = angle(net, moved, vector=vector, position="cells")  # type: ignore[arg-type]
    assert inside == angle(net, framed, vector=vector, position="cells")  # type: ignore[arg-type]
    assert angle(net, framed, vector=vector) != angle(net, moved, vector=vector)  # type: ignore[arg-type]
    if vector == "flat":
        names = [n for n in used_names(net) if ".edges." in n]
        of = [
            np.concatenate([dict(m.named_parameters())[n].detach().double().numpy().ravel() for n in names])
            for m in (net, moved)
        ]
        assert inside == pytest.approx(of_numpy(*of))


def test_cells_without_weights_have_no_angle_and_two_states_no_cells() -> None:
    skips = build_network(CONV.format(*["skip_connect"] * 6), SMALL, generator(1))
    assert math.isnan(angle(skips, shaken(skips), position="cells"))
    state = dict(skips.named_parameters())
    with pytest.raises(ParameterError, match="position 'cells': expected a network"):
        angle(state, state, position="cells")
    with pytest.raises(ParameterError, match="position: expected 'all' or 'cells', got 'stem'"):
        angle(skips, skips, position="stem")  # type: ignore[arg-type]

"""The DARTS space and S1 to S5: identity, spellings, counts, and costs against a real network."""

from __future__ import annotations

import itertools
from collections import namedtuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasanalysis.core.errors import ArchError, NasAnalysisError, UnknownNameError
from nasanalysis.spaces import get_space
from nasanalysis.spaces.base import Arch
from nasanalysis.spaces.darts_genotype import OPERATIONS, Genotype, format_python, parse

DARTS = get_space("darts")
S = {k: get_space(f"s{k}") for k in range(1, 6)}
DARTS_V2 = (
    "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), "
    "('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5], "
    "reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0), "
    "('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], reduce_concat=[2, 3, 4, 5])"
)
V2 = DARTS.parse(DARTS_V2)

edges = st.tuples(
    *(
        st.tuples(*(st.tuples(st.sampled_from((*OPERATIONS, "none")), st.integers(0, node - 1)) for _ in range(2)))
        for node in range(2, 6)
    )
)
genotypes = st.builds(Genotype, edges, edges)


def spellings(genotype: Genotype) -> list[str]:
    """The ways public code writes one genotype."""
    nested = [[list(node) for node in cell] for cell in genotype]
    flat = [[edge for node in cell for edge in node] for cell in genotype]
    tuples = [tuple(cell) for cell in flat]
    bananas = (
        tuple([(source, OPERATIONS.index(op)) for op, source in cell] for cell in flat)
        if all(op in OPERATIONS for cell in flat for op, _ in cell)
        else None
    )
    jsonlike = {"normal": [list(e) for e in flat[0]], "reduce": [list(e) for e in flat[1]]}
    found = [
        f"Genotype(normal={flat[0]}, normal_concat=range(2, 6), reduce={flat[1]}, reduce_concat=range(2, 6))",
        f"Genotype(normal={flat[0]}, normal_concat=[2, 3, 4, 5], reduce={flat[1]}, reduce_concat=[2, 3, 4, 5])",
        f"GENOTYPE=Genotype(normal={nested[0]}, normal_concat=range(2, 6), reduce={nested[1]})",
        f"genotypes.Genotype({tuples[0]}, range(2, 6), {tuples[1]}, list(range(2, 6)))",
        f"Genotype(reduce={nested[1]}, normal={tuple(map(tuple, nested[0]))}, connectN=None, connects=None)",
        f"  darts:Genotype(normal={flat[0]}, reduce={flat[1]})"[2:],
        str(jsonlike).replace("'", '"'),
        f"({flat[0]}, {flat[1]})",
        "Genotype(normal=[" + ", ".join(f"('{op}', np.int64({i}))" for op, i in flat[0]) + f"], reduce={flat[1]})",
    ]
    return [*found, repr(bananas)] if bananas else found


@given(genotypes)
def test_every_public_spelling_is_one_key(genotype: Genotype) -> None:
    keys = {DARTS.parse(text) for text in spellings(genotype)}
    assert len(keys) == 1
    arch = keys.pop()
    assert DARTS.parse(str(arch)) == DARTS.parse(arch.key) == DARTS.parse(DARTS.python(arch)) == arch
    swapped = Genotype(*(tuple(node[::-1] for node in cell) for cell in genotype))
    assert DARTS.from_genotype(swapped) == arch
    read_back = DARTS.genotype(arch)
    assert all(
        sorted(a) == sorted(b) for x, y in zip(read_back, genotype, strict=True) for a, b in zip(x, y, strict=True)
    )


def test_objects_of_other_code_bases() -> None:
    Other = namedtuple("Genotype", "normal normal_concat reduce reduce_concat")
    normal, reduce = ([(op, np.int32(i)) for node in cell for op, i in node] for cell in DARTS.genotype(V2))
    assert DARTS.from_genotype(Other(normal, range(2, 6), reduce, range(2, 6))) == V2
    assert DARTS.from_genotype({"normal": normal, "reduce": reduce}) == V2
    assert parse(format_python(DARTS.genotype(V2)), 4) == DARTS.genotype(V2)


E3 = "('sep_conv_3x3', 0)"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            DARTS_V2.replace("('sep_conv_3x3', 0), ", "('sep_conv_3x3', 0), " * 2, 1),
            r"normal: too many edges: expected 8 .* got 9",
        ),
        (DARTS_V2.replace("('sep_conv_3x3', 0), ", "", 1), "normal: too few edges: expected 8 .* got 7"),
        (f"Genotype(normal=[[{E3}, {E3}, {E3}]] * 4, reduce=[])", "expected only names of operations"),
        (
            f"Genotype(normal=[[{E3}, {E3}, {E3}], [{E3}], [{E3}], [{E3}]], reduce=[])",
            "node 2: too many edges: expected 2 inputs, got 3",
        ),
        (
            DARTS_V2.replace("dil_conv_3x3", "dil_conv3x3"),
            "unknown operation 'dil_conv3x3'. Did you mean 'dil_conv_3x3'",
        ),
        (
            DARTS_V2.replace("('sep_conv_3x3', 1)", "('sep_conv_3x3', 2)", 1),
            "normal, node 2: wrong predecessor 2: expected one of 0 to 1",
        ),
        (DARTS_V2.replace("('sep_conv_3x3', 1)", "('sep_conv_3x3', -1)", 1), "wrong predecessor -1"),
        (
            DARTS_V2.replace("reduce_concat=[2, 3, 4, 5]", "reduce_concat=[4, 5]"),
            r"reduce_concat: expected .*\[2, 3, 4, 5\], got '\[4, 5\]'",
        ),
        (
            DARTS_V2.replace("reduce_concat", "reduce_concats"),
            "unknown field 'reduce_concats'. Did you mean 'reduce_concat'",
        ),
        (DARTS_V2.replace("dil_conv_3x3", "noise"), "expected one of max_pool_3x3.*got 'noise'"),
        ("Genotype(normal=[], normal_concat=range(2, 6))", "expected the fields normal and reduce"),
        ("Genotype(normal=[], normal=[])", "normal given twice"),
        ("Genotype([], normal=[], reduce=[])", "normal given twice"),
        ("__import__('os').system('true')", "expected only Genotype"),
        ("Genotype(normal=open('x'), reduce=[])", "expected only Genotype"),
        ("Genotype(normal=range(10**9), reduce=[])", "expected only"),
        ("Genotype(normal=range(100000), reduce=[])", "expected only"),
        ("Genotype(**{'normal': []})", "is not read"),
        ("Genotype(normal=[True, False], reduce=[])", "expected only names"),
        ("normal=|sep_conv_3x3~0|;reduce=||", "expected 4 intermediate nodes, got 1"),
        ("normal=|sep_conv_3x3|;reduce=||", "expected nodes as"),
        ("normal=|a~0|b~1|", "expected 'normal="),
        ("(" * 4000, "expected a genotype"),
        ("x" * 30_000, "at most 20,000"),
        ("", "expected one genotype"),
        ("1; 2", "expected one genotype"),
        ("'text'", "expected a genotype"),
    ],
)
def test_malformed_genotypes_say_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(ArchError, match=f"(?s)^darts: .*{message}"):
        DARTS.parse(text)


@given(st.text(max_size=60) | st.text(alphabet="Gnormalduce=[]()',0123456789_ ~|+;", max_size=120))
def test_any_text_parses_or_is_an_arch_error(text: str) -> None:
    try:
        arch = DARTS.parse(text)
    except ArchError:
        return
    assert DARTS.parse(arch.key) == arch


@given(genotypes, st.integers(0, 600), st.characters())
def test_one_changed_character_is_no_crash(genotype: Genotype, at: int, character: str) -> None:
    text = format_python(genotype)
    at %= len(text)
    try:
        arch = DARTS.parse(text[:at] + character + text[at + 1 :])
    except ArchError:
        return
    assert DARTS.parse(arch.key) == arch


def test_sizes() -> None:
    assert len(DARTS) == 1_037_664_180**2
    assert [len(S[k]) for k in range(1, 6)] == [46_080**2] * 4 + [81]
    assert len(set(S[5])) == 81
    assert {S[5].index(a) for a in S[5]} == set(range(81))


@given(st.integers(0, len(DARTS) - 1))
def test_index_and_arch_are_inverse(index: int) -> None:
    arch = DARTS.arch(index)
    assert DARTS.index(arch) == index
    assert DARTS.parse(str(arch)) == arch
    assert DARTS.is_counted(arch)
    small = index % len(S[1])
    assert S[1].index(S[1].arch(small)) == small


def test_bad_indices_and_foreign_architectures() -> None:
    for bad in (-1, len(DARTS), True, 1.5, "0"):
        with pytest.raises(ArchError, match="index"):
            DARTS.arch(bad)  # type: ignore[arg-type]
    with pytest.raises(ArchError, match="expected an architecture of this space, got one of 's1'"):
        DARTS.params(S[1].arch(0))
    without = DARTS.parse(DARTS_V2.replace("dil_conv_3x3", "none"))
    assert not DARTS.is_counted(without)
    with pytest.raises(ArchError, match="valid to load but has no index"):
        DARTS.index(without)


@pytest.mark.parametrize("space", [DARTS, *S.values()], ids=lambda s: s.name)
def test_samples_are_distinct_seeded_and_leave_the_global_generator_alone(space: object) -> None:
    np.random.seed(1)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first = space.sample(50, np.random.default_rng(3))  # type: ignore[attr-defined]
    assert first == space.sample(50, np.random.default_rng(3)) != space.sample(50, np.random.default_rng(4))  # type: ignore[attr-defined]
    assert len(set(first)) == 50
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002
    with pytest.raises(NasAnalysisError, match="expected a sample of 0 to"):
        space.sample(len(space) + 1, np.random.default_rng(0))  # type: ignore[attr-defined, arg-type]


def test_sampling_is_uniform_over_s5() -> None:
    rng = np.random.default_rng(0)
    counts = np.bincount([S[5].index(S[5].sample(1, rng)[0]) for _ in range(4050)], minlength=81)
    assert ((counts - 50) ** 2 / 50).sum() < 130  # chi-square with 80 degrees of freedom: 0.9997 quantile


@given(st.integers(0, len(DARTS) - 1))
def test_neighbours_differ_in_one_place_and_know_each_other(index: int) -> None:
    arch = DARTS.arch(index)
    found = DARTS.neighbours(arch)
    assert len(found) == len(set(found)) == 16 * 6 + 2 * 12
    mine = [set(node) for cell in DARTS.genotype(arch) for node in cell]
    for other in found[::7]:
        theirs = [set(node) for cell in DARTS.genotype(other) for node in cell]
        changed = [(a, b) for a, b in zip(mine, theirs, strict=True) if a != b]
        assert len(changed) == 1
        assert len(changed[0][0] & changed[0][1]) == 1
        assert arch in DARTS.neighbours(other)


def test_s1_edges_are_those_of_the_table() -> None:
    assert S[1].edge_operations["normal"][2, 0] == ("skip_connect", "dil_conv_3x3")
    assert S[1].edge_operations["normal"][4, 0] == ("max_pool_3x3", "skip_connect")
    assert S[1].edge_operations["normal"][5, 4] == ("dil_conv_3x3", "dil_conv_5x5")
    assert S[1].edge_operations["reduce"][2, 1] == ("max_pool_3x3", "dil_conv_3x3")
    assert S[1].edge_operations["reduce"][4, 1] == ("max_pool_3x3", "sep_conv_3x3")
    with pytest.raises(
        ArchError, match=r"s1: normal, edge from 0 to 2: expected one of skip_connect, dil_conv_3x3, got 'sep_conv"
    ):
        S[1].parse(DARTS_V2)
    twice = S[2].python(S[2].arch(0)).replace("('skip_connect', 1)", "('skip_connect', 0)", 1)
    with pytest.raises(ArchError, match="s2: normal, node 2: expected two different predecessors, got 0 twice"):
        S[2].parse(twice)
    assert "none" in S[3].parse(S[3].python(S[3].arch(0)).replace("skip_connect", "none", 1)).key
    assert "noise" in S[4].arch(0).key


def test_isomorphism() -> None:
    swapped = V2.key
    classes = DARTS.unique_archs()
    assert classes[V2] == V2
    assert DARTS.unique_arch(swapped) == V2
    # Two nodes that read only the cell's inputs may change places.
    node = "('{}', 0), ('{}', 1)"
    a, b = node.format("sep_conv_3x3", "skip_connect"), node.format("max_pool_3x3", "sep_conv_5x5")
    rest = "('skip_connect', {}), ('skip_connect', {}), ('skip_connect', 0), ('skip_connect', 1)"
    one = DARTS.parse(f"Genotype(normal=[{a}, {b}, {rest.format(0, 2)}], reduce=[{a}, {b}, {rest.format(0, 2)}])")
    two = DARTS.parse(f"Genotype(normal=[{b}, {a}, {rest.format(0, 3)}], reduce=[{a}, {b}, {rest.format(0, 2)}])")
    assert one != two
    assert DARTS.unique_arch(one) != DARTS.unique_arch(two)
    assert DARTS.unique_arch(one, "node_order") == DARTS.unique_arch(two, "node_order")
    assert DARTS.params(one) == DARTS.params(two)
    with pytest.raises(UnknownNameError, match="Did you mean 'node_order'"):
        DARTS.unique_archs("nodes_order")


@given(st.integers(0, len(DARTS) - 1))
def test_a_class_has_one_representative_which_is_of_the_class(index: int) -> None:
    arch = DARTS.arch(index)
    representative = DARTS.unique_arch(arch, "node_order")
    assert DARTS.unique_arch(representative, "node_order") == representative
    assert DARTS.params(representative) == DARTS.params(arch)


def test_published_sizes() -> None:
    """3.3 M and 4.7 M (DARTS, Tables 1 and 3); the supernets' sizes as their authors' logs print them."""
    assert DARTS.params(V2) == 3_349_342
    assert DARTS.params(V2, "imagenet") == 4_718_752
    assert DARTS.supernet_params() == 1_930_618
    assert S[1].supernet_params() == 405_146
    assert DARTS.params(V2, auxiliary=True) - DARTS.params(V2) == 576 * 128 + 256 + 4 * 128 * 768 + 1536 + 7690


def test_s1_supernet_size_is_the_logged_one(data_dir) -> None:  # type: ignore[no-untyped-def]
    log = data_dir / "robust_darts" / "s1" / "cifar10" / "0.0_0.0003-2516843" / "log_1.txt"
    assert f"param size = {S[1].supernet_params() / 1e6:f}MB" in log.read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dataset": "cifar"}, "unknown dataset 'cifar'. Did you mean 'cifar10'"),
        ({"network": "eval"}, "unknown network 'eval'"),
        ({"network": "search", "auxiliary": True}, "only the evaluation network has an auxiliary head"),
        ({"dataset": "imagenet", "network": "search"}, "searches on small images"),
        ({"channels": 15}, "expected an even number"),
        ({"cells": 0}, "cells: expected a positive integer, got 0"),
        ({"cells": 2, "auxiliary": True}, "at least 3 cells"),
    ],
)
def test_unusable_networks(options: dict[str, object], message: str) -> None:
    with pytest.raises(NasAnalysisError, match=message):
        DARTS.params(V2, **options)  # type: ignore[arg-type]


def test_free_operations_cost_nothing() -> None:
    sample = DARTS.sample(5, np.random.default_rng(0))
    for arch in sample:
        pooled = DARTS.parse(arch.key.replace("avg_pool_3x3", "none").replace("max_pool_3x3", "none"))
        assert (DARTS.params(arch), DARTS.flops(arch)) == (DARTS.params(pooled), DARTS.flops(pooled))


# ---- a real network, written independently and for clarity, counted by hooks ------------------------------------


def reference_network(
    genotype: Genotype, nodes: int, channels: int, cells: int, classes: int, kind: str, auxiliary: bool, imagenet: bool
):  # type: ignore[no-untyped-def]
    import torch
    from torch import nn

    affine = kind == "evaluation"

    class Reduction(nn.Module):
        def __init__(self, c_in: int, c_out: int) -> None:
            super().__init__()
            self.a, self.b = (nn.Conv2d(c_in, c_out // 2, 1, stride=2, bias=False) for _ in range(2))
            self.norm = nn.BatchNorm2d(c_out, affine=affine)

        def forward(self, x):  # type: ignore[no-untyped-def]
            x = torch.relu(x)
            return self.norm(torch.cat([self.a(x), self.b(x[:, :, 1:, 1:])], 1))

    def one_by_one(c_in: int, c_out: int) -> nn.Module:
        return nn.Sequential(nn.ReLU(), nn.Conv2d(c_in, c_out, 1, bias=False), nn.BatchNorm2d(c_out, affine=affine))

    def separable(c: int, kernel: int, stride: int, dilation: int) -> list[nn.Module]:
        pad = dilation * (kernel - 1) // 2
        depthwise = nn.Conv2d(c, c, kernel, stride, pad, dilation, groups=c, bias=False)
        return [nn.ReLU(), depthwise, nn.Conv2d(c, c, 1, bias=False), nn.BatchNorm2d(c, affine=affine)]

    class Zero(nn.Module):
        def __init__(self, stride: int) -> None:
            super().__init__()
            self.stride = stride

        def forward(self, x):  # type: ignore[no-untyped-def]
            return 0 * x[:, :, :: self.stride, :: self.stride]

    def operation(name: str, c: int, stride: int) -> nn.Module:
        kernel = int(name[-1]) if name[-1].isdigit() else 0
        if name.startswith("sep"):
            return nn.Sequential(*separable(c, kernel, stride, 1), *separable(c, kernel, 1, 1))
        if name.startswith("dil"):
            return nn.Sequential(*separable(c, kernel, stride, 2))
        if name == "skip_connect":
            return nn.Identity() if stride == 1 else Reduction(c, c)
        pools = {"max_pool_3x3": nn.MaxPool2d(3, stride, 1), "avg_pool_3x3": nn.AvgPool2d(3, stride, 1)}
        if name in pools:
            return pools[name] if affine else nn.Sequential(pools[name], nn.BatchNorm2d(c, affine=False))
        return Zero(stride)

    class Cell(nn.Module):
        def __init__(self, edges, c_before: int, c_last: int, c: int, reduces: bool, reduced: bool) -> None:  # type: ignore[no-untyped-def]
            super().__init__()
            self.first = Reduction(c_before, c) if reduced else one_by_one(c_before, c)
            self.second = one_by_one(c_last, c)
            self.sources = [[source for _, source in node] for node in edges]
            self.ops = nn.ModuleList(
                operation(op, c, 2 if reduces and source < 2 else 1) for node in edges for op, source in node
            )

        def forward(self, before, last):  # type: ignore[no-untyped-def]
            states = [self.first(before), self.second(last)]
            ops = iter(self.ops)
            for sources in self.sources:
                states.append(sum(next(ops)(states[source]) for source in sources))
            return torch.cat(states[2:], 1)

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            c = channels
            if imagenet:
                half = [nn.Conv2d(3, c // 2, 3, 2, 1, bias=False), nn.BatchNorm2d(c // 2), nn.ReLU()]
                self.stem0 = nn.Sequential(*half, nn.Conv2d(c // 2, c, 3, 2, 1, bias=False), nn.BatchNorm2d(c))
                self.stem1 = nn.Sequential(nn.ReLU(), nn.Conv2d(c, c, 3, 2, 1, bias=False), nn.BatchNorm2d(c))
                before, last, reduced = c, c, True
            else:
                self.stem = nn.Sequential(nn.Conv2d(3, 3 * c, 3, padding=1, bias=False), nn.BatchNorm2d(3 * c))
                before, last, reduced = 3 * c, 3 * c, False
            self.cells, self.head = nn.ModuleList(), None
            for i in range(cells):
                reduces = i in (cells // 3, 2 * cells // 3)
                c *= 2 if reduces else 1
                self.cells.append(
                    Cell(genotype.reduce if reduces else genotype.normal, before, last, c, reduces, reduced)
                )
                before, last, reduced = last, nodes * c, reduces
                if i == 2 * cells // 3 and auxiliary:
                    pool = nn.AvgPool2d(5, stride=2 if imagenet else 3)
                    body = [
                        nn.Conv2d(last, 128, 1, bias=False),
                        nn.BatchNorm2d(128),
                        nn.ReLU(),
                        nn.Conv2d(128, 768, 2, bias=False),
                    ]
                    body += [] if imagenet else [nn.BatchNorm2d(768)]
                    self.head = nn.Sequential(nn.ReLU(), pool, *body, nn.ReLU(), nn.Flatten(), nn.Linear(768, classes))
                    self.at = i
            self.classifier = nn.Linear(last, classes)

        def forward(self, x):  # type: ignore[no-untyped-def]
            if imagenet:
                before = self.stem0(x)
                last = self.stem1(before)
            else:
                before = last = self.stem(x)
            for i, cell in enumerate(self.cells):
                before, last = last, cell(before, last)
                if self.head is not None and i == self.at:
                    self.head(last)
            return self.classifier(last.mean((2, 3)))

    return Network()


def count(net, size: int) -> tuple[int, int]:  # type: ignore[no-untyped-def]
    """Parameters, and multiply-accumulates of one image by hooks on convolutions and linear layers."""
    import torch
    from torch import nn

    total = 0

    def hook(module, _, out) -> None:  # type: ignore[no-untyped-def]
        nonlocal total
        total += module.weight[0].numel() * out.numel()

    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(hook)
    with torch.no_grad():
        net.eval()(torch.zeros(1, 3, size, size))
    return sum(p.numel() for p in net.parameters()), total


NETWORKS = [
    ("cifar10", "evaluation", 36, 20, False),
    ("cifar10", "evaluation", 8, 5, True),
    ("cifar100", "evaluation", 4, 4, False),
    ("cifar10", "search", 16, 8, False),
    ("imagenet", "evaluation", 4, 6, True),
    ("cifar10", "search", 4, 1, False),
]


@pytest.mark.torch
@pytest.mark.parametrize(("dataset", "kind", "channels", "cells", "auxiliary"), NETWORKS)
def test_costs_equal_a_real_network(dataset: str, kind: str, channels: int, cells: int, auxiliary: bool) -> None:
    pytest.importorskip("torch")
    size, classes = {"cifar10": (32, 10), "cifar100": (32, 100), "imagenet": (224, 1000)}[dataset]
    rng = np.random.default_rng(cells)
    archs: list[tuple[object, Arch]] = [(DARTS, V2), *((DARTS, a) for a in DARTS.sample(int(channels < 36), rng))]
    archs += [(S[k], S[k].sample(1, rng)[0]) for k in (1, 4, 5)] if dataset == "cifar10" and channels < 36 else []
    for space, arch in archs:
        genotype = space.genotype(arch)  # type: ignore[attr-defined]
        net = reference_network(genotype, space.nodes, channels, cells, classes, kind, auxiliary, dataset == "imagenet")  # type: ignore[attr-defined]
        options = {"network": kind, "channels": channels, "cells": cells, "auxiliary": auxiliary}
        assert (space.params(arch, dataset, **options), space.flops(arch, dataset, **options)) == count(net, size)  # type: ignore[attr-defined]


@pytest.mark.torch
def test_every_operation_in_every_place_equals_a_real_network() -> None:
    pytest.importorskip("torch")
    for (c, node), op in itertools.product(((0, 3), (1, 0), (1, 2)), (*OPERATIONS, "none")):
        cells = [[[("max_pool_3x3", 0), ("none", 1)] for _ in range(4)] for _ in range(2)]
        cells[c][node] = [(op, node + 1), (op, 0)]
        arch = DARTS.from_genotype({"normal": cells[0], "reduce": cells[1]})
        net = reference_network(DARTS.genotype(arch), 4, 4, 3, 10, "evaluation", False, False)
        options = {"channels": 4, "cells": 3}
        assert (DARTS.params(arch, **options), DARTS.flops(arch, **options)) == count(net, 32)

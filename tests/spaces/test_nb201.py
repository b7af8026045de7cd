"""NAS-Bench-201 as a space: order, text, isomorphism, costs; each against something independent."""

from __future__ import annotations

import bz2
import contextlib
import io
import pickle
import random
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasanalysis.core.errors import ArchError, NasAnalysisError, UnknownNameError
from nasanalysis.loaders import safe_pickle
from nasanalysis.spaces import Arch, Space, get_space, parse_arch
from nasanalysis.spaces.nb201 import OPERATIONS, SPACE, format_cell, parse_cell
from nasanalysis.spaces.nb201_isomorphism import EDGES, RULES, canonical_form
from nasanalysis.spaces.skeletons import SKELETONS, Skeleton, skeleton

CONV3 = format_cell(["nor_conv_3x3"] * 6)
DEAD = format_cell(["none"] * 6)
CELLS = st.lists(st.sampled_from(OPERATIONS), min_size=6, max_size=6).map(tuple)
TSS = "nats-bench/NATS-tss-v1_0-3ffb9-simple"


class PlainUnpickler(pickle.Unpickler):
    """Lists, dicts, text and numbers only."""

    def find_class(self, module: str, name: str) -> Any:
        raise AssertionError(f"the file asks for {module}.{name}")


# --- order -------------------------------------------------------------------------------------------


def test_index_order_is_that_of_the_official_archive(data_dir: Path) -> None:
    raw = bz2.decompress((data_dir / TSS / "meta.pickle.pbz2").read_bytes())
    official = PlainUnpickler(io.BytesIO(raw)).load()["meta_archs"]
    assert len(official) == 15_625
    assert [arch.key for arch in SPACE] == official


def test_known_indices() -> None:
    known = {
        0: "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|",
        11: "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|none~0|nor_conv_3x3~1|avg_pool_3x3~2|",
        123: "|avg_pool_3x3~0|+|avg_pool_3x3~0|nor_conv_1x1~1|+|none~0|avg_pool_3x3~1|nor_conv_3x3~2|",
    }
    for index, key in known.items():
        assert SPACE.arch(index) == Arch("nb201", key)
        assert SPACE.index(key) == index
        assert SPACE.index(f"nb201:{key}") == index


def test_index_and_arch_are_inverse_over_the_whole_space() -> None:
    assert len(SPACE) == 15_625 == len(set(SPACE))
    assert [SPACE.index(arch) for arch in SPACE] == list(range(15_625))


def test_listing_the_order_leaves_the_global_generator_alone() -> None:
    from nasanalysis.spaces import nb201

    nb201._official_order.cache_clear()
    random.seed(5)
    before = random.getstate()
    first = nb201._official_order()[:3]
    assert random.getstate() == before
    random.seed(6)
    nb201._official_order.cache_clear()
    assert nb201._official_order()[:3] == first


@pytest.mark.parametrize("index", [-1, -15_625, 15_625, 10**9, True, False, 1.0, "3", None])
def test_index_out_of_bounds_or_no_integer_is_refused(index: Any) -> None:
    with pytest.raises(ArchError, match=r"nb201: expected an (index from 0 to 15624|integer index), got"):
        SPACE.arch(index)


def test_numpy_integers_are_indices() -> None:
    assert SPACE.arch(np.int64(11)) == SPACE.arch(11)


# --- text --------------------------------------------------------------------------------------------


@given(CELLS)
def test_format_and_parse_are_inverse(ops: tuple[str, ...]) -> None:
    key = format_cell(ops)
    assert parse_cell(key) == ops
    arch = SPACE.parse(key)
    assert str(arch) == f"nb201:{key}"
    assert SPACE.parse(str(arch)) == arch == parse_arch(str(arch)) == parse_arch(key, "nb201")
    assert SPACE.operations(arch) == ops


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected three nodes"),
        ("nb201:", "expected three nodes"),
        ("hello", "expected three nodes"),
        ("|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|", "expected three nodes"),
        (CONV3 + "+|none~0|", "expected three nodes"),
        (CONV3 + "x", "expected three nodes"),
        ("x" + CONV3, "expected three nodes"),
        (CONV3.replace("~1", "~0"), r"node 2 must read nodes \[0, 1\] in order, got \[0, 0\]"),
        (CONV3.replace("nor_conv_3x3~2", "nor_conv_3x3~3"), r"node 3 must read nodes \[0, 1, 2\]"),
        ("|none~0|+|none~1|none~0|+|none~0|none~1|none~2|", r"node 2 must read nodes \[0, 1\] in order, got \[1, 0\]"),
        ("|none~0|+|none~0|+|none~0|none~1|none~2|", r"node 2 must read nodes \[0, 1\] in order, got \[0\]"),
        (CONV3.replace("nor_conv_3x3~2", "nor_conv_3x4~2"), "unknown operation 'nor_conv_3x4'.*Did you mean 'nor_conv"),
        (CONV3.replace("nor_conv_3x3~2", "sep_conv_9x9~2"), "unknown operation 'sep_conv_9x9'.*Known: none, skip"),
        (CONV3.upper(), "expected three nodes"),
        ("nb301:" + CONV3, "expected three nodes"),
    ],
)
def test_malformed_text_is_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(ArchError, match=message) as caught:
        SPACE.parse(text)
    assert "nb201" in str(caught.value)


@given(st.text(max_size=60))
def test_any_text_is_an_architecture_or_an_arch_error(text: str) -> None:
    with contextlib.suppress(ArchError):
        assert SPACE.parse(text) in SPACE.unique_archs("skips_only")


def test_text_without_space_needs_a_space() -> None:
    with pytest.raises(ArchError, match="add the prefix"):
        parse_arch(CONV3)
    with pytest.raises(UnknownNameError, match="unknown space 'nb210'.*Did you mean 'nb201'"):
        parse_arch("nb210:" + CONV3)


def test_architecture_of_another_space_is_refused() -> None:
    with pytest.raises(ArchError, match="expected an architecture of this space, got one of 'darts'"):
        SPACE.params(Arch("darts", "x"))


def test_arch_is_frozen_ordered_and_hashable() -> None:
    a, b = Arch("nb201", "a"), Arch("nb201", "b")
    assert a < b
    assert len({a, Arch("nb201", "a")}) == 1
    with pytest.raises(AttributeError):
        a.key = "z"  # type: ignore[misc]
    assert Arch.from_text("darts:a:b") == Arch("darts", "a:b"), "split at the first colon only"


def test_space_protocol() -> None:
    assert isinstance(get_space("nb201"), Space)
    with pytest.raises(UnknownNameError, match="unknown space 'nb202'"):
        get_space("nb202")


# --- sampling, neighbours, live paths ----------------------------------------------------------------


def test_sample_is_without_replacement_seeded_and_bounded() -> None:
    one, two = (SPACE.sample(500, np.random.default_rng(3)) for _ in range(2))
    assert one == two != SPACE.sample(500, np.random.default_rng(4))
    assert len(set(one)) == 500
    assert set(SPACE.sample(15_625, np.random.default_rng(0))) == set(SPACE)
    for n in (-1, 15_626):
        with pytest.raises(NasAnalysisError, match=f"sample of 0 to 15625 architectures, got {n}"):
            SPACE.sample(n, np.random.default_rng(0))


def test_neighbours_are_24_and_symmetric() -> None:
    for arch in SPACE.sample(60, np.random.default_rng(1)):
        near = SPACE.neighbours(arch)
        assert len(set(near)) == 24
        assert arch not in near
        for other in near:
            differ = [a != b for a, b in zip(SPACE.operations(arch), SPACE.operations(other), strict=True)]
            assert sum(differ) == 1
            assert arch in SPACE.neighbours(other)


def test_live_path_agrees_with_the_four_paths_written_out() -> None:
    for arch in SPACE:
        e01, e02, e12, e03, e13, e23 = (op != "none" for op in SPACE.operations(arch))
        assert SPACE.has_live_path(arch) == (e03 or (e01 and e13) or (e02 and e23) or (e01 and e12 and e23))


# --- isomorphism -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "classes"),
    [("published", 6466), ("published_no_zeros", 5390), ("skips_only", 12751), ("functional", 5545), ("trained", 5875)],
)
def test_class_counts_and_representatives(rule: str, classes: int) -> None:
    unique = SPACE.unique_archs(rule)
    assert list(unique) == list(SPACE)
    assert len(set(unique.values())) == classes
    members = defaultdict(list)
    for arch, representative in unique.items():
        members[representative].append(SPACE.index(arch))
        assert unique[representative] == representative
    for representative, indices in members.items():
        assert SPACE.index(representative) == min(indices)
    forms = {canonical_form(SPACE.operations(r), rule) for r in members}
    assert len(forms) == classes


def test_unknown_rule() -> None:
    with pytest.raises(UnknownNameError, match="unknown isomorphism rule 'functionl'.*Did you mean 'functional'"):
        SPACE.unique_archs("functionl")


def _partition(values: dict[str, Any]) -> set[frozenset[str]]:
    groups: dict[Any, set[str]] = defaultdict(set)
    for key, value in values.items():
        groups[value].add(key)
    return {frozenset(group) for group in groups.values()}


def test_functional_classes_are_those_of_cells_evaluated_on_numbers() -> None:
    """Every operation is a random function of integers modulo a prime; a cell is its value at one input.

    A convolution is any function, with an offset at zero; pooling maps zero to zero; skip is the
    identity; none is zero; a node adds. Equal values are chance once in 2**61.
    """
    prime, draws = 2**61 - 1, random.Random(0)
    tables: dict[tuple[str, int], int] = {}

    def apply(op: str, x: int) -> int:
        if op == "none" or (op == "avg_pool_3x3" and x == 0):
            return 0
        if op == "skip_connect":
            return x
        return tables.setdefault((op, x), draws.randrange(1, prime))

    start = draws.randrange(1, prime)
    values = {}
    for arch in SPACE:
        nodes = {0: start, 1: 0, 2: 0, 3: 0}
        for op, (target, source) in zip(SPACE.operations(arch), EDGES, strict=True):
            nodes[target] = (nodes[target] + apply(op, nodes[source])) % prime
        values[arch.key] = nodes[3]
    ours = {arch.key: r.key for arch, r in SPACE.unique_archs("functional").items()}
    assert _partition(values) == _partition(ours)


@pytest.mark.parametrize(("rule", "consider_zero"), [("published", True), ("skips_only", False)])
def test_published_rules_equal_the_public_code(rule: str, consider_zero: bool) -> None:
    public = pytest.importorskip("nats_bench.genotype_utils")
    theirs = {
        arch.key: public.topology_str2structure(arch.key).to_unique_str(consider_zero=consider_zero) for arch in SPACE
    }
    ours = {arch.key: r.key for arch, r in SPACE.unique_archs(rule).items()}
    assert _partition(theirs) == _partition(ours)


def test_finer_rules_lie_within_coarser_ones() -> None:
    """Not so for the other pairs: the published form keeps a skipped sum as one term, sorted with the rest."""
    for fine, coarse in (("published", "published_no_zeros"), ("skips_only", "functional"), ("trained", "functional")):
        pairs = {(SPACE.unique_arch(a, fine), SPACE.unique_arch(a, coarse)) for a in SPACE}
        assert len(pairs) == len({f for f, _ in pairs}), f"{fine} does not refine {coarse}"
    assert set(RULES) == set(SPACE.isomorphism_rules)


# --- costs -------------------------------------------------------------------------------------------


def test_params_of_all_equal_the_thesis(data_dir: Path) -> None:
    recorded = safe_pickle.load(data_dir / "nb201/thesis_params.pkl", safe_pickle.TABLE)
    assert len(recorded) == 15_625
    wrong = {key: value for key, value in recorded.items() if SPACE.params(key, "cifar10") != round(float(value) * 1e6)}
    assert not wrong
    assert max(abs(float(v) * 1e6 - round(float(v) * 1e6)) for v in recorded.values()) < 1e-6, "whole counts"


@pytest.mark.parametrize("index", [0, 11])
def test_costs_equal_the_official_files(data_dir: Path, index: int) -> None:
    record = safe_pickle.load(data_dir / TSS / f"{index:06d}.pickle.pbz2", safe_pickle.NATS)
    seen = set()
    for hp, part in record.items():
        assert part["arch_str"] == SPACE.arch(index).key
        for (dataset, seed), run in part["all_results"].items():
            assert SPACE.params(SPACE.arch(index), dataset) == round(run["params"] * 1e6), (hp, dataset, seed)
            assert SPACE.flops(SPACE.arch(index), dataset) == pytest.approx(run["flop"] * 1e6, rel=1e-12, abs=0.5)
            seen.add(dataset)
    assert seen >= {"cifar10", "cifar10-valid", "cifar100", "ImageNet16-120"}


def test_costs_by_count_of_operations() -> None:
    bases = {"cifar10": 73_306, "cifar10-valid": 73_306, "cifar100": 79_156, "ImageNet16-120": 80_456}
    for dataset, base in bases.items():
        assert SPACE.params(DEAD, dataset) == base
        assert SPACE.params(CONV3, dataset) == base + 6 * 243_040
        assert SPACE.params(CONV3.replace("3x3", "1x1"), dataset) == base + 6 * 28_000


def test_unknown_dataset_and_bad_skeletons() -> None:
    with pytest.raises(UnknownNameError, match="unknown dataset 'cifar-10'.*Did you mean 'cifar10"):
        SPACE.params(CONV3, "cifar-10")
    for keys in ({"channels": 0}, {"cells": -1}, {"channels": True}, {"cells": 1.5}):
        with pytest.raises(NasAnalysisError, match="expected a positive integer"):
            SPACE.params(CONV3, "cifar10", **keys)  # type: ignore[arg-type]
    with pytest.raises(NasAnalysisError, match="multiple of 4"):
        Skeleton(image_size=30, classes=10)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Tiny networks are fastest on one thread."""
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def measured(arch: str, net_of: Skeleton) -> tuple[int, int]:
    """(trainable parameters, multiply-accumulates of one image) of the real torch network, by hooks."""
    torch = pytest.importorskip("torch")
    from nasanalysis.networks.nb201 import build_network

    net = build_network(arch, net_of, torch.Generator().manual_seed(0)).eval()
    macs = 0

    def count(module: Any, inputs: Any, output: Any) -> None:
        nonlocal macs
        if isinstance(module, torch.nn.Conv2d):
            macs += output.numel() * module.weight[0].numel()
        elif isinstance(module, torch.nn.Linear):
            macs += module.weight.numel() + module.bias.numel()

    for module in net.modules():
        module.register_forward_hook(count)
    size = net_of.image_size
    with torch.no_grad():
        out = net(torch.zeros(1, net_of.input_channels, size, size))
    assert out.shape == (1, net_of.classes)
    return sum(p.numel() for p in net.parameters() if p.requires_grad), macs


@pytest.mark.torch
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(
    ("dataset", "size"),
    [
        ("digits", {}),
        ("digits", {"channels": 7, "cells": 2}),
        ("cifar10", {"channels": 4, "cells": 2}),
        ("ImageNet16-120", {}),
        ("cifar100", {"cells": 1}),
    ],
)
def test_costs_equal_those_of_the_real_network(dataset: str, size: dict[str, int]) -> None:
    archs = [
        CONV3,
        DEAD,
        format_cell(["avg_pool_3x3"] * 6),
        *(a.key for a in SPACE.sample(3, np.random.default_rng(9))),
    ]
    for arch in archs:
        params, macs = measured(arch, skeleton(dataset, **size))
        assert SPACE.params(arch, dataset, **size) == params
        assert SPACE.flops(arch, dataset, **size) == macs


@pytest.mark.torch
@pytest.mark.usefixtures("one_thread")
def test_cells_of_one_functional_class_compute_the_same_function() -> None:
    """With one weight for each operation (wherever it stands), real cells of one class agree."""
    torch = pytest.importorskip("torch")
    from nasanalysis.networks.nb201 import Cell

    convolutions = {}
    for kernel in (1, 3):
        generator = torch.Generator().manual_seed(kernel)
        convolutions[kernel] = (
            torch.randn(3, 3, kernel, kernel, generator=generator),
            torch.rand(2, 3, generator=generator) + 0.5,
        )
    x = torch.randn(1, 3, 5, 5, generator=torch.Generator().manual_seed(7))

    def value(arch: Arch) -> Any:
        cell = Cell(SPACE.operations(arch), 3).eval()
        for edge in cell.edges.values():
            if isinstance(edge, torch.nn.Sequential):
                _, convolution, norm = edge
                weight, offset = convolutions[convolution.kernel_size[0]]
                convolution.weight.data = weight
                norm.weight.data, norm.bias.data = offset.unbind()
        with torch.no_grad():
            return cell(x)

    members = defaultdict(list)
    for arch, representative in SPACE.unique_archs("functional").items():
        members[representative].append(arch)
    groups = sorted((m for m in members.values() if len(m) > 1), key=len)
    chosen = np.random.default_rng(0).choice(len(groups), 20, replace=False)
    for i in chosen:
        values = [value(arch) for arch in groups[i][:3]]
        for other in values[1:]:
            torch.testing.assert_close(other, values[0])
    assert not torch.allclose(value(SPACE.parse(CONV3)), value(SPACE.parse(DEAD)))


def test_every_skeleton_is_priced() -> None:
    for dataset in SKELETONS:
        assert SPACE.flops(CONV3, dataset) > SPACE.flops(DEAD, dataset) > 0

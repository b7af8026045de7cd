"""The NATS-Bench size space: order, costs and text."""

from __future__ import annotations

import bz2
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nasanalysis.core.errors import ArchError, NasAnalysisError, ParameterError, UnknownNameError
from nasanalysis.spaces import get_space, parse_arch
from nasanalysis.spaces.base import Arch, Space
from nasanalysis.spaces.nats_sss import CHANNELS, SPACE, parse_channels

DATASETS = ("cifar10", "cifar10-valid", "cifar100", "ImageNet16-120")


def test_registered() -> None:
    assert get_space("nats-sss") is SPACE
    assert isinstance(SPACE, Space)
    assert len(SPACE) == len(list(SPACE)) == len(set(SPACE)) == 8**5 == 32_768


def test_order_is_the_archives(data_dir: Path) -> None:
    path = data_dir / "nats-bench" / "NATS-sss-v1_0-50262-simple" / "meta.pickle.pbz2"
    with bz2.open(path) as file:
        assert [arch.key for arch in SPACE] == pickle.load(file)["meta_archs"]


@pytest.mark.parametrize("index", [0, 11])
def test_costs_are_those_recorded(data_dir: Path, index: int) -> None:
    with bz2.open(data_dir / "nats-bench" / "NATS-sss-v1_0-50262-simple" / f"{index:06d}.pickle.pbz2") as file:
        content = pickle.load(file)
    seen = 0
    for info in content.values():
        arch = SPACE.parse(info["arch_str"])
        assert SPACE.index(arch) == index
        for (dataset, _), run in info["all_results"].items():
            assert SPACE.params(arch, dataset) == round(run["params"] * 1e6)
            assert SPACE.flops(arch, dataset) == round(run["flop"] * 1e6)
            seen += 1
    assert seen == 4 * (1 + 3 + 1)


@given(st.lists(st.sampled_from(CHANNELS), min_size=5, max_size=5), st.sampled_from(DATASETS))
def test_costs_agree_with_a_network_written_out(channels: list[int], dataset: str) -> None:
    """A second implementation: the layers one by one, each as (inputs, outputs, kernel, image size, batch-norm)."""
    size, classes = {"cifar100": (32, 100), "ImageNet16-120": (16, 120)}.get(dataset, (32, 10))
    layers = [(3, channels[0], 3, size, True)]
    before = channels[0]
    for place, width in enumerate(channels, start=1):
        if place in (2, 4):
            size //= 2
            layers += [(before, width, 3, size, True), (width, width, 3, size, True), (before, width, 1, size, False)]
        else:
            for target, source in ((1, 0), (2, 0), (2, 1), (3, 1), (3, 2)):
                layers.append((before if source == 0 else width, width, 3, size, True))
                assert target > source
            if width != before:
                layers.append((before, width, 1, size, True))
        before = width
    params = sum(i * o * k * k + 2 * o * bn for i, o, k, _, bn in layers) + 2 * before + before * classes + classes
    flops = sum(i * o * k * k * s * s for i, o, k, s, _ in layers) + before * classes + classes
    key = ":".join(map(str, channels))
    assert (SPACE.params(key, dataset), SPACE.flops(key, dataset)) == (params, flops)


@given(st.integers(0, 32_767))
def test_index_and_text_go_both_ways(index: int) -> None:
    arch = SPACE.arch(index)
    assert SPACE.index(arch) == SPACE.index(str(arch)) == SPACE.index(arch.key) == index
    assert SPACE.parse(str(arch)) == parse_arch(str(arch)) == parse_arch(arch.key, "nats-sss") == arch
    assert SPACE.arch(np.int64(index)) == arch
    assert SPACE.unique_arch(arch) == arch


def test_more_channels_cost_more() -> None:
    for arch in SPACE.sample(20, np.random.default_rng(0)):
        for other in SPACE.neighbours(arch):
            wider = sum(SPACE.channels(other)) > sum(SPACE.channels(arch))
            # a skip connection appears where the widths of neighbours differ, so only FLOPs of 3x3 always follow
            assert (SPACE.params(other) > SPACE.params(arch)) == wider


def test_neighbours() -> None:
    near = SPACE.neighbours("8:16:24:32:40")
    assert len(near) == len(set(near)) == 35
    for other in near:
        assert sum(a != b for a, b in zip(parse_channels(other.key), (8, 16, 24, 32, 40), strict=True)) == 1


def test_sample() -> None:
    drawn = SPACE.sample(500, np.random.default_rng(3))
    assert len(set(drawn)) == 500
    assert drawn == SPACE.sample(500, np.random.default_rng(3))
    with pytest.raises(NasAnalysisError, match="a sample of 0 to 32768"):
        SPACE.sample(32_769, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("8:8:8:8", "five numbers"),
        ("8:8:8:8:8:8", "got 6"),
        ("8:8:8:8:9", "got '9'"),
        ("8:8:8:8:72", "got '72'"),
        ("8:8:8:8:08", "got '08'"),
        ("8:8:8:8:", "got ''"),
        ("", "five numbers"),
        ("8:8:8:8:٨", "expected channels"),
    ],
)
def test_wrong_texts(text: str, message: str) -> None:
    with pytest.raises(ArchError, match=message):
        SPACE.parse(text)


def test_wrong_questions() -> None:
    for index in (-1, 32_768, True, 1.0):
        with pytest.raises(ArchError, match="index"):
            SPACE.arch(index)  # type: ignore[arg-type]
    with pytest.raises(ArchError, match="of this space"):
        SPACE.params(Arch("nb201", "8:8:8:8:8"), "cifar10")
    with pytest.raises(ParameterError, match="channels and cells belong to the architecture"):
        SPACE.params("8:8:8:8:8", "cifar10", channels=16)
    with pytest.raises(UnknownNameError, match="dataset"):
        SPACE.flops("8:8:8:8:8", "cifar1")
    with pytest.raises(UnknownNameError, match="isomorphism rule"):
        SPACE.unique_archs("functional")

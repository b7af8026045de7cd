"""Angles of many architectures at once against those of each inherited network."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from nasanalysis.core.errors import ParameterError
from nasanalysis.measures.angle import angle, squared_lengths
from nasanalysis.networks.angles import supernet_angles
from nasanalysis.networks.base import Supernet
from nasanalysis.networks.build import build_supernet
from nasanalysis.networks.config import NetworkConfig
from nasanalysis.spaces import get_space

DEAD = "nb201:|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"


class Shape:
    inputs, size, classes = 1, 8, 3


def pair(space: str, **network: object) -> tuple[Supernet, Supernet]:
    """A supernet with two sets of weights, neither with batch-norms of one."""
    config = NetworkConfig(channels=4, cells=1, layers=3, **network)  # type: ignore[arg-type]
    nets = [build_supernet(space, config, Shape(), torch.Generator().manual_seed(seed)) for seed in (0, 1)]
    noise = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for net in nets:
            for weight in net.parameters():
                weight.add_(0.3 * torch.randn(weight.shape, generator=noise))
    return nets[0], nets[1]


CASES = [
    ("nb201", "paths", {}), ("nb201", "flat", {}), ("nb201", "paths", {"affine": False}),
    ("nb201", "flat", {"affine": False}), ("nb201", "paths", {"reduction": "pool"}), ("nb101-1", "flat", {}),
    ("darts", "paths", {}), ("darts", "flat", {}),
]  # fmt: skip


@pytest.mark.parametrize("weights", ["all", "cells"])
@pytest.mark.parametrize(("space", "vector", "network"), CASES)
def test_all_at_once_is_one_by_one(space: str, vector: str, network: dict[str, object], weights: str) -> None:
    initial, final = pair(space, **network)
    count = 60 if space == "nb201" else 6
    archs = [str(arch) for arch in get_space(space).sample(count, np.random.default_rng(0))]  # type: ignore[attr-defined]
    if space == "nb201":
        archs += [DEAD, "nb201:|none~0|+|nor_conv_3x3~0|nor_conv_1x1~1|+|none~0|nor_conv_3x3~1|skip_connect~2|"]
    got = supernet_angles(initial, final, archs, vector=vector, weights=weights)  # type: ignore[arg-type]
    how = {"vector": vector, "position": weights}
    for number, arch in enumerate(archs):
        one, other = initial.subnet(arch), final.subnet(arch)
        np.testing.assert_allclose(got.angle[number], angle(one, other, **how), rtol=1e-9)  # type: ignore[arg-type]
        lengths = squared_lengths(one, other, **how)  # type: ignore[arg-type]
        if lengths is None:
            assert np.isnan([got.fixed_before[number], got.fixed_after[number]]).all()
        else:
            np.testing.assert_allclose((got.fixed_before[number], got.fixed_after[number]), lengths.shares, rtol=1e-9)
    assert len(set(got.angle.round(9).tolist())) > 3


def test_the_whole_space_without_a_forward_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    initial, final = pair("nb201", reduction="pool")
    monkeypatch.setattr(type(final), "forward", None)
    space = get_space("nb201")
    got = supernet_angles(initial, final, list(space), vector="paths", weights="cells")  # type: ignore[call-overload]
    assert len(got.angle) == 15625
    dead = [not space.has_live_path(arch) for arch in space]  # type: ignore[attr-defined]
    assert np.isnan(got.angle[dead]).all()
    without = [i for i, arch in enumerate(space) if "conv" not in str(arch).replace("skip_connect", "")]  # type: ignore[arg-type, call-overload]
    assert np.nanmax(got.angle[without]) < 1e-7, "stand-ins do not turn"
    assert np.isnan(got.angle).sum() < 15625 / 2
    assert np.nanmax(got.angle) > 1


def test_the_fixed_share_of_a_hand_made_vector() -> None:
    """Batch-norms of one, a stem and a classifier of known length beside one 3x3 convolution of known length."""
    initial, final = pair("nb201", reduction="pool")
    arch = "nb201:|nor_conv_3x3~0|+|none~0|none~1|+|none~0|nor_conv_1x1~1|none~2|"
    net = final.subnet(arch)
    convolutions = [w for name, w in net.named_parameters() if ".edges." in name and w.ndim == 4]
    searched = sum(float(w.detach().double().square().sum()) for w in convolutions)
    once = [w for name, w in net.named_parameters() if ".edges." not in name]
    fixed = sum(float(w.detach().double().square().sum()) for w in once)
    got = supernet_angles(initial, final, [arch], vector="paths").fixed_after[0]
    assert got == pytest.approx(fixed / (fixed + searched))


def test_paths_are_refused_where_they_are_not_defined() -> None:
    initial, final = pair("nb101-1")
    arch = str(get_space("nb101-1").sample(1, np.random.default_rng(0))[0])  # type: ignore[attr-defined]
    with pytest.raises(ParameterError, match=r"defines weight_paths.*vector='flat'"):
        supernet_angles(initial, final, [arch], vector="paths")
    with pytest.raises(ParameterError, match="expected the same supernet before its training, got one of nb101-1"):
        supernet_angles(initial, pair("nb201")[1], [DEAD])

"""Networks by the name of their space: filled before they are handed out, and open to spaces of others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from nasanalysis.core.errors import ArchError, UnknownNameError
from nasanalysis.core.seeding import generator, torch_generator
from nasanalysis.spaces import get_space

torch = pytest.importorskip("torch")

from nasanalysis.networks.base import initialise
from nasanalysis.networks.build import ALONE, SUPERNETS, _blank, build_alone, build_supernet
from nasanalysis.networks.capabilities import HasAuxiliaryHead, HasDropPath, HasStructure
from nasanalysis.networks.config import NetworkConfig

pytestmark = pytest.mark.torch


@dataclass(frozen=True)
class Shape:
    inputs: int = 3
    size: int = 16
    classes: int = 10


SMALL = NetworkConfig(channels=8, cells=1, layers=3)


def tensors(net: torch.nn.Module) -> dict[str, torch.Tensor]:
    return dict(net.state_dict())


@pytest.mark.parametrize("space", SUPERNETS)
def test_a_supernet_is_filled_from_its_generator_alone(space: str) -> None:
    nets = []
    for seed in (1, 2):
        torch.manual_seed(seed)  # another global stream
        state = torch.get_rng_state()
        nets.append(build_supernet(space, SMALL, Shape(), torch_generator(0, "weights")))
        assert torch.equal(torch.get_rng_state(), state)
    first, second = map(tensors, nets)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert all(value.isfinite().all() and value.abs().max() <= 1 for value in first.values())
    other = tensors(build_supernet(space, SMALL, Shape(), torch_generator(1, "weights")))
    classifier = next(name for name in first if name.endswith("classifier.weight"))
    assert not torch.equal(first[classifier], other[classifier])


@pytest.mark.parametrize("space", SUPERNETS)
def test_weights_that_are_not_there_yet_cannot_pass_for_weights(space: str) -> None:
    """Memory as it comes may hold finite numbers; what waits for weights is NaN, and initialising leaves none."""
    net = _blank(space, SMALL, Shape())
    floats = [value for value in tensors(net).values() if value.is_floating_point()]
    assert floats
    assert all(value.isnan().all() for value in floats)
    assert all((value == 0).all() for value in tensors(net).values() if not value.is_floating_point())
    initialise(net, torch_generator(0, "weights"))
    filled = tensors(build_supernet(space, SMALL, Shape(), torch_generator(0, "weights")))
    for name, value in tensors(net).items():
        assert torch.equal(value, filled[name]), name
        assert value.stride() == filled[name].stride(), "channels last, as it is trained"


@pytest.mark.parametrize("space", ALONE)
def test_an_architecture_alone_has_the_parameters_that_its_space_counts(space: str) -> None:
    known = get_space(space)
    [arch] = known.sample(1, generator(0, "alone"))
    net = build_alone(str(arch), SMALL, Shape(), torch_generator(0, "weights"))
    counted = sum(p.numel() for p in net.parameters())
    cells = SMALL.cells if space.startswith("nb") else SMALL.layers
    assert counted == known.params(arch, "cifar10", channels=SMALL.channels, cells=cells)
    net.eval()
    assert net(torch.zeros(2, 3, 16, 16)).isfinite().all()


def test_what_a_network_can_do_is_asked_of_it_not_of_its_name() -> None:
    def alone(space: str, **network: object) -> torch.nn.Module:
        [arch] = get_space(space).sample(1, generator(0, "alone"))
        config = NetworkConfig(channels=8, cells=1, layers=3, **network)  # type: ignore[arg-type]
        return build_alone(arch, config, Shape(size=32), torch_generator(0, "weights"))

    nb201, plain, headed = alone("nb201"), alone("darts"), alone("darts", auxiliary=True)
    assert isinstance(nb201, HasStructure)
    assert not isinstance(nb201, HasAuxiliaryHead | HasDropPath)
    assert isinstance(plain, HasAuxiliaryHead)
    assert isinstance(plain, HasDropPath)
    assert not plain.has_auxiliary
    assert isinstance(headed, HasAuxiliaryHead)
    assert headed.has_auxiliary


def test_a_space_of_ones_own_joins_with_two_lines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "outside_networks.py").write_text(
        """
import torch
from nasanalysis.networks.base import Supernet

class Widths(Supernet):
    space, depth = "widths", 1

    def __init__(self, classes):
        super().__init__()
        self.layer = torch.nn.Linear(3, classes)

    def choice(self, arch): return str(arch).partition(":")[2]
    def forward(self, x, choices): return self.layer(x.mean((2, 3))) * float(choices)
    def standalone(self, arch): return torch.nn.Linear(3, self.layer.out_features)
    def inherited(self, arch): return self.layer.state_dict()

def supernet(space, network, shape): return Widths(shape.classes)
def alone(arch, network, shape): return torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(),
                                                            torch.nn.Linear(3, shape.classes))
"""
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(SUPERNETS, "widths", "outside_networks:supernet")
    monkeypatch.setitem(ALONE, "widths", "outside_networks:alone")
    net = build_supernet("widths", SMALL, Shape(), torch_generator(0, "weights"))
    assert net(torch.ones(2, 3, 4, 4), "2").isfinite().all()
    assert torch.equal(net.subnet("widths:2").weight, net.layer.weight)
    assert build_alone("widths:2", SMALL, Shape(), torch_generator(0, "weights"))(torch.ones(2, 3, 4, 4)).shape == (
        2,
        10,
    )


def test_spaces_without_a_network_are_named() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown space with a supernet 'nb200'. Did you mean 'nb201'"):
        build_supernet("nb200", SMALL, Shape(), torch_generator(0))
    with pytest.raises(UnknownNameError, match="unknown space with networks 'nats-sss'"):
        build_alone("nats-sss:8:8:8:8:8", SMALL, Shape(), torch_generator(0))
    with pytest.raises(ArchError):
        build_alone("nb201:|none~0|", SMALL, Shape(), torch_generator(0))

"""Loss under weight noise and along filter-normalised directions: limits, distributions, and an untouched network."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (extra supernet)")

from torch import nn

from nasanalysis.errors import NasAnalysisError
from nasanalysis.spaces.skeletons import SKELETONS
from nasanalysis.supernets.nb201 import build_network
from nasanalysis.supernets.perturb import noisy_parameters, perturbed_frame, perturbed_losses
from nasanalysis.supernets.surfaces import filter_normalised_direction, loss_lines, loss_surface

pytestmark = pytest.mark.torch
ARCH = "nb201:|nor_conv_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|avg_pool_3x3~0|skip_connect~1|nor_conv_3x3~2|"


def generator(seed: int = 0):  # type: ignore[no-untyped-def]
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def net():  # type: ignore[no-untyped-def]
    made = build_network(ARCH, SKELETONS["digits"], generator())
    made.train()
    return made


@pytest.fixture
def images():  # type: ignore[no-untyped-def]
    return torch.randn(40, 1, 12, 12, generator=generator(1)), torch.arange(40) % 10


def state(net):  # type: ignore[no-untyped-def]
    return {name: value.clone() for name, value in net.state_dict().items()}


def loss_of(net, images):  # type: ignore[no-untyped-def]
    import copy

    with torch.no_grad():
        return float(nn.functional.cross_entropy(copy.deepcopy(net).eval()(images[0]), images[1]))


def test_network_stays_byte_identical_and_the_global_generator_untouched(net, images) -> None:  # type: ignore[no-untyped-def]
    before, drawn = state(net), torch.get_rng_state()
    perturbed_losses(net, *images, [0.0, 0.1], draws=2, generator=generator())
    loss_surface(net, *images, [-1.0, 0.0], [0.0, 1.0], generator=generator())
    loss_lines(net, *images, [0.0, 0.5], generator=generator())
    assert net.training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert torch.equal(torch.get_rng_state(), drawn)


def test_sigma_zero_is_the_loss_itself_and_draws_differ(net, images) -> None:  # type: ignore[no-untyped-def]
    table = perturbed_losses(net, *images, [0.0, 0.2], draws=3, generator=generator())
    assert table.select("sigma", "draw").rows() == [(0.0, 0), (0.2, 0), (0.2, 1), (0.2, 2)]
    assert table["loss"].to_list()[0] == pytest.approx(loss_of(net, images), abs=1e-6)
    assert table["loss"].n_unique() == 4
    again = perturbed_losses(net, *images, [0.0, 0.2], draws=3, generator=generator())
    assert again.equals(table)


def test_noise_has_the_nominal_standard_deviation() -> None:
    """A linear model whose loss reads the noise: logits (w, 0), so that loss = log(1 + exp(-w)) for label 0."""
    model = nn.Linear(1, 2, bias=False)
    with torch.no_grad():
        model.weight.zero_()
    x, y = torch.ones(1, 1), torch.zeros(1, dtype=torch.int64)
    table = perturbed_losses(model, x, y, [0.5], draws=4000, generator=generator(3))
    gaps = -np.log(np.expm1(table["loss"].to_numpy()))  # weight[0] - weight[1], of standard deviation sigma * sqrt(2)
    assert gaps.std() == pytest.approx(0.5 * np.sqrt(2), rel=0.05)
    assert abs(gaps.mean()) < 0.05


def test_cells_leave_stem_and_classifier_alone(net) -> None:  # type: ignore[no-untyped-def]
    inside = noisy_parameters(net, "cells")
    names = {id(p): name for name, p in net.named_parameters()}
    assert inside
    assert all("edges" in names[id(p)] for p in inside)
    assert len(noisy_parameters(net, "all")) == len(list(net.parameters())) > len(inside)
    with pytest.raises(NasAnalysisError, match="expected 'all' or 'cells', got 'stem'"):
        noisy_parameters(net, "stem")  # type: ignore[arg-type]


def test_perturbed_rows_make_a_checked_frame(net, images) -> None:  # type: ignore[no-untyped-def]
    losses = perturbed_losses(net, *images, [0.1], generator=generator(), position="cells")
    where = {"benchmark": "b", "dataset": "d", "arch": ARCH, "method": "scratch", "setting": "", "seed": 0}
    frame = perturbed_frame(losses, where, position="cells")
    assert frame.row(0, named=True)["position"] == "cells"
    assert frame.row(0, named=True)["draws"] == "independent"


@pytest.mark.parametrize(("sigmas", "draws"), [([], 1), ([-0.1], 1), ([0.1, 0.1], 1), ([float("nan")], 1), ([0.1], 0)])
def test_bad_noise_is_refused(net, images, sigmas, draws) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(NasAnalysisError, match="expected"):
        perturbed_losses(net, *images, sigmas, draws=draws, generator=generator())


def test_every_filter_of_a_direction_has_the_norm_of_the_networks_own(net) -> None:  # type: ignore[no-untyped-def]
    direction = filter_normalised_direction(net, generator())
    for name, weight in net.named_parameters():
        if weight.dim() <= 1:
            assert not direction[name].any()
            continue
        own = [float(f.norm()) for f in weight.detach()]
        assert [float(f.norm()) for f in direction[name]] == pytest.approx(own, rel=1e-4)


def test_filter_normalisation_cancels_a_change_of_scale(images) -> None:  # type: ignore[no-untyped-def]
    """Li et al.: a network whose weights are scaled, with batch-norm behind them, has the same landscape."""
    net = build_network(ARCH, SKELETONS["digits"], generator())
    net.train()
    with torch.no_grad():
        for _ in range(3):
            net(images[0])  # statistics that belong to these weights
    scaled = build_network(ARCH, SKELETONS["digits"], generator())
    scaled.load_state_dict(net.state_dict())
    with torch.no_grad():
        stem, norm = scaled.features[0], scaled.features[1]
        stem.weight.mul_(8)
        norm.running_mean.mul_(8)
        norm.running_var.mul_(64)
        norm.eps *= 64
    alphas = [-0.5, 0.0, 0.5]
    one = loss_surface(net, *images, alphas, generator=generator(5))["loss"].to_list()
    other = loss_surface(scaled, *images, alphas, generator=generator(5))["loss"].to_list()
    assert other == pytest.approx(one, rel=1e-3)


def test_surface_holds_the_network_at_its_origin_and_the_line_in_it(net, images) -> None:  # type: ignore[no-untyped-def]
    plane = loss_surface(net, *images, [-0.5, 0.0, 0.5], [-0.5, 0.0, 0.5], generator=generator(2))
    line = loss_surface(net, *images, [-0.5, 0.0, 0.5], generator=generator(2))
    assert len(plane) == 9
    assert plane.filter(pl.col("alpha") == 0, pl.col("beta") == 0)["loss"].item() == pytest.approx(
        loss_of(net, images), abs=1e-6
    )
    assert plane.filter(pl.col("beta") == 0)["loss"].to_list() == pytest.approx(line["loss"].to_list())
    lines = loss_lines(net, *images, [0.0, 0.5], generator=generator(2), directions=3)
    assert lines.filter(pl.col("alpha") == 0)["loss"].n_unique() == 1
    assert lines.filter(pl.col("alpha") == 0.5)["loss"].n_unique() == 3


def test_shipped_landscapes_are_whole() -> None:
    from nasanalysis.frames import read_frame, read_provenance
    from nasanalysis.resources import shipped

    path = shipped("reports/results/digits_perturbed.parquet")
    frame = read_frame(path, "PERTURBED")
    assert frame["arch"].n_unique() == 12
    assert frame["loss"].null_count() == 0
    assert read_provenance(path)["seeds"] == {"training": 0, "noise": 0, "directions": 0}
    surfaces = read_frame(shipped("reports/results/digits_surfaces.parquet"))
    for _, plane in surfaces.group_by("arch"):
        assert len(plane) == plane["alpha"].n_unique() * plane["beta"].n_unique()
        origin = plane.filter(pl.col("alpha") == 0, pl.col("beta") == 0)["loss"].item()
        own = frame.filter(pl.col("arch") == plane["arch"][0], pl.col("sigma") == 0)["loss"].item()
        assert origin == pytest.approx(own, abs=1e-6)  # two files of one network

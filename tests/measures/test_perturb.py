"""Loss under weight noise and along filter-normalised directions: limits, distributions, and an untouched network."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (extra supernet)")

from torch import nn

from nasanalysis.core.errors import NasAnalysisError, ParameterError
from nasanalysis.measures import perturb
from nasanalysis.measures.batchnorm import recalibrate
from nasanalysis.measures.noise import noise_vectors, true_standard_deviations
from nasanalysis.measures.parameters import noisy_names
from nasanalysis.measures.perturb import noisy_parameters, perturbed_frame, perturbed_losses
from nasanalysis.measures.surfaces import filter_normalised_direction, loss_lines, loss_surface
from nasanalysis.networks.nb201 import build_network
from nasanalysis.spaces.skeletons import SKELETONS

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


@pytest.mark.parametrize(
    ("sigmas", "message"),
    [
        ([], "got none"),
        ([-0.1], "got -0.1 in"),
        ([0.1, 0.1], "got 0.1 twice in"),
        ([0.2, 0.1], "got 0.1 after 0.2 in .*; sort them"),
        ([0.1, 0.0], "got 0 after 0.1"),
        ([0.0, 0.0, 0.1], "got 0 twice"),
        ([float("nan")], "got nan in"),
        ([0.1, float("inf")], "got inf in"),
    ],
)
def test_bad_sigmas_are_refused(net, images, sigmas, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ParameterError, match="expected standard deviations > 0, each above the one before.*" + message):
        perturbed_losses(net, *images, sigmas, generator=generator())
    with pytest.raises(ParameterError, match=message):
        true_standard_deviations(sigmas)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"draws": 0}, "draws: expected at least 1, got 0"),
        ({"scheme": "added"}, "scheme: expected 'independent' or 'cumulative', got 'added'"),
        ({"direction": "up"}, "direction: expected 'random' or 'hessian', got 'up'"),
        ({"how": "fast"}, "how: expected 'auto', 'in_place' or 'vmap', got 'fast'"),
        ({"position": "stem"}, "position: expected 'all' or 'cells', got 'stem'"),
        ({"how": "vmap", "recalibrate_after_noise": torch.zeros(2, 1, 12, 12)}, "every row has statistics of its own"),
    ],
)
def test_bad_choices_are_refused(net, images, choice, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ParameterError, match=message):
        perturbed_losses(net, *images, [0.1], generator=generator(), **choice)


def test_networks_say_which_are_their_cells_or_a_class_does() -> None:
    plain = nn.Sequential(nn.Linear(4, 3), nn.Sequential(nn.Linear(3, 2)))
    with pytest.raises(
        ParameterError, match=r"expected a network with a method search_cells\(\), got Sequential; name"
    ):
        noisy_names(plain, "cells")
    assert noisy_names(plain, "cells", cell=nn.Linear) == ["0.weight", "0.bias", "1.0.weight", "1.0.bias"]
    tied = nn.Sequential(plain[0], plain[0])
    assert noisy_names(tied, "cells", cell=nn.Linear) == ["0.weight", "0.bias"]  # each once


def test_true_standard_deviations_of_cumulative_noise() -> None:
    found = true_standard_deviations([1e-3, 3e-3, 6e-3])
    assert found == pytest.approx([1e-3, np.sqrt(1e-6 + 4e-6), np.sqrt(1e-6 + 4e-6 + 9e-6)], rel=1e-12)
    assert [round(s, 6) for s in found] == [0.001, 0.002236, 0.003742]
    assert true_standard_deviations([0.1, 0.2], "independent") == [0.1, 0.2]


@pytest.mark.parametrize("scheme", ["independent", "cumulative"])
def test_noise_has_its_true_standard_deviation(scheme: str) -> None:
    draw = generator(4)
    sigmas = [1e-3, 3e-3, 6e-3]
    rows = list(noise_vectors(sigmas, 2, scheme, lambda: torch.randn(200_000, generator=draw)))  # type: ignore[arg-type]
    assert [(s, d) for s, d, _ in rows] == [(s, d) for d in range(2) for s in sigmas]
    expected = true_standard_deviations(sigmas, scheme)  # type: ignore[arg-type]
    for number, (_, _, noise) in enumerate(rows):
        assert float(noise.std()) == pytest.approx(expected[number % 3], rel=0.01)
        assert abs(float(noise.mean())) < expected[number % 3] * 0.01
    correlation = float(torch.corrcoef(torch.stack([rows[0][2], rows[1][2]]))[0, 1])
    assert correlation == pytest.approx(0 if scheme == "independent" else 1 / np.sqrt(5), abs=0.01)


def test_cumulative_losses_are_those_of_noise_added_up(net, images) -> None:  # type: ignore[no-untyped-def]
    """Against a plain loop over a deep copy, tensor by tensor."""
    import copy

    table = perturbed_losses(net, *images, [0.05, 0.15], draws=2, generator=generator(6), scheme="cumulative")
    draw, expected = generator(6), []
    count = sum(p.numel() for p in net.parameters())
    for j in range(2):
        noisy = copy.deepcopy(net).eval()
        for sigma, before in ((0.05, 0.0), (0.15, 0.05)):
            vector = torch.randn(count, generator=draw) * (sigma - before)
            with torch.no_grad():
                for p, part in zip(
                    noisy.parameters(), vector.split([p.numel() for p in noisy.parameters()]), strict=True
                ):
                    p += part.view_as(p)
            expected.append((sigma, j, loss_of(noisy, images)))
    assert table.select("sigma", "draw").rows() == [(s, j) for s, j, _ in sorted(expected)]
    assert table["loss"].to_list() == pytest.approx([loss for *_, loss in sorted(expected)], rel=1e-5)


@pytest.mark.parametrize("scheme", ["independent", "cumulative"])
@pytest.mark.parametrize("position", ["all", "cells"])
def test_vmap_and_in_place_agree(net, images, scheme, position) -> None:  # type: ignore[no-untyped-def]
    with torch.no_grad():
        net(images[0])
    kinds = {"scheme": scheme, "position": position, "draws": 3, "batch": 16}
    one, other = (
        perturbed_losses(net, *images, [0.0, 0.05, 0.2], generator=generator(7), how=how, **kinds)
        for how in ("in_place", "vmap")
    )
    assert one.select("sigma", "draw").equals(other.select("sigma", "draw"))
    assert other["loss"].to_list() == pytest.approx(one["loss"].to_list(), rel=1e-5)
    assert one["loss"].n_unique() == 7


def test_more_draws_leave_the_first_as_they_are_and_the_batch_changes_nothing(net, images) -> None:  # type: ignore[no-untyped-def]
    few = perturbed_losses(net, *images, [0.1, 0.2], draws=2, generator=generator())
    many = perturbed_losses(net, *images, [0.1, 0.2], draws=4, generator=generator(), batch=7)
    same = many.filter(pl.col("draw") < 2)
    assert same["loss"].to_list() == pytest.approx(few["loss"].to_list(), rel=1e-5)


def test_batch_follows_the_widest_activation_and_leaves_no_hook(net) -> None:  # type: ignore[no-untyped-def]
    one = torch.zeros(1, 1, 12, 12)
    assert perturb.fitting_batch(net.eval(), one) == perturb._CACHED // (4 * 12 * 12 * 4)  # channels, pixels, bytes
    assert not any(module._forward_hooks for module in net.modules())
    wide = nn.Sequential(nn.Conv2d(1, 64, 1))
    assert perturb.fitting_batch(wide, torch.zeros(1, 1, 128, 128)) == 16
    assert perturb.fitting_batch(nn.Linear(2, 2), torch.zeros(9, 2)) == 1024


def test_vmap_takes_a_chunk_at_a_time(net, images, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    whole = perturbed_losses(net, *images, [0.1, 0.2], draws=3, generator=generator(), how="vmap")
    monkeypatch.setattr(perturb, "_HELD", 4 * sum(p.numel() for p in net.parameters()))
    parts = perturbed_losses(net, *images, [0.1, 0.2], draws=3, generator=generator(), how="vmap")
    assert parts["loss"].to_list() == pytest.approx(whole["loss"].to_list(), rel=1e-5)


def test_a_loss_that_is_not_finite_is_a_null_row() -> None:
    model = nn.Linear(1, 2)
    x, y = torch.full((3, 1), 3e38), torch.zeros(3, dtype=torch.int64)
    for how in ("in_place", "vmap"):
        table = perturbed_losses(model, x, y, [1e-3, 50.0], draws=8, generator=generator(), how=how)  # type: ignore[arg-type]
        assert len(table) == 16
        assert table.filter(pl.col("sigma") == 50)["loss"].null_count() > 0
        assert not table["loss"].is_nan().any()


class Quadratic(nn.Module):
    """Logits whose cross-entropy with label 0 is ``w^T diag(a) w / 2`` plus a constant, nearly: see the test."""

    def __init__(self, a: list[float]) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.zeros(len(a), dtype=torch.float64))
        self.register_buffer("a", torch.tensor(a, dtype=torch.float64))

    def forward(self, x):  # type: ignore[no-untyped-def]
        bowl = (self.a * self.w**2).sum() / 2
        # log(1 + exp(z)) with z = log(exp(bowl + 1) - 1) is bowl + 1
        z = torch.log(torch.expm1(bowl + 1))
        return torch.stack([torch.zeros_like(z), z]).expand(len(x), 2)


def test_loss_of_a_quadratic_bowl_under_noise_is_half_the_trace() -> None:
    """E w^T A w / 2 = sigma^2 tr(A) / 2."""
    bowl = Quadratic([3.0, 1.0, 0.5])
    x, y = torch.zeros(2, 1), torch.zeros(2, dtype=torch.int64)
    table = perturbed_losses(bowl, x, y, [0.0, 0.1, 0.3], draws=4000, generator=generator(), how="vmap")
    found = table.group_by("sigma", maintain_order=True).agg(pl.col("loss").mean())["loss"].to_numpy()
    assert found - 1 == pytest.approx([0, 0.01 * 4.5 / 2, 0.09 * 4.5 / 2], rel=0.06)


def test_noise_along_the_hessians_eigenvector_climbs_by_its_eigenvalue() -> None:
    """Along the leading eigenvector a step of sigma z costs lambda sigma^2 z^2 / 2."""
    bowl = Quadratic([3.0, 1.0, 0.5])
    x, y = torch.zeros(2, 1), torch.zeros(2, dtype=torch.int64)
    sigmas = [0.0, 0.1, 0.3]
    for how in ("in_place", "vmap"):
        table = perturbed_losses(
            bowl,
            x,
            y,
            sigmas,
            draws=1500,
            generator=generator(),
            direction="hessian",
            how=how,  # type: ignore[arg-type]
        )
        found = table.group_by("sigma", maintain_order=True).agg(pl.col("loss").mean())["loss"].to_numpy()
        assert found - 1 == pytest.approx([0, 0.01 * 3 / 2, 0.09 * 3 / 2], rel=0.1)


def test_hessian_noise_of_a_network_is_repeatable_and_stays_in_the_cells(net, images) -> None:  # type: ignore[no-untyped-def]
    kinds = {"direction": "hessian", "position": "cells", "draws": 2}
    one, other = (perturbed_losses(net, *images, [0.05], generator=generator(2), **kinds) for _ in range(2))
    assert one["loss"].to_list() == pytest.approx(other["loss"].to_list(), rel=1e-5)
    assert one["loss"].n_unique() == 2


def test_recalibration_after_noise_gives_every_row_its_own_statistics(net, images) -> None:  # type: ignore[no-untyped-def]
    """Noise on the stem's scale alone is undone by statistics that follow it."""
    net.eval()
    stale = perturbed_losses(net, *images, [0.0, 0.3], draws=2, generator=generator())
    fresh = perturbed_losses(
        net, *images, [0.0, 0.3], draws=2, generator=generator(), recalibrate_after_noise=images[0]
    )
    assert fresh["loss"].to_list() != pytest.approx(stale["loss"].to_list(), rel=1e-3)
    import copy

    own = copy.deepcopy(net)
    recalibrate(own, [images[0]])
    assert fresh["loss"].to_list()[0] == pytest.approx(loss_of(own, images), rel=1e-5)


class Failing(nn.Module):
    """Fails at the third call, after the copy was written to."""

    calls = 0

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)
        self.norm = nn.BatchNorm1d(3)

    def forward(self, x):  # type: ignore[no-untyped-def]
        type(self).calls += 1
        if type(self).calls == 3:
            raise RuntimeError("out of luck")
        return self.norm(self.layer(x))


def test_network_stays_byte_identical_whatever_is_measured_and_whatever_fails(net, images) -> None:  # type: ignore[no-untyped-def]
    nn.functional.cross_entropy(net(images[0]), images[1]).backward()
    next(net.parameters()).requires_grad_(False)
    net.features[2].eval()
    failing = Failing().train()
    kept = [(each, picture(each)) for each in (net, failing)]
    for kinds in ({}, {"how": "vmap"}, {"direction": "hessian"}, {"recalibrate_after_noise": images[0]}):
        perturbed_losses(net, *images, [0.0, 0.1], generator=generator(), **kinds)
    with pytest.raises(RuntimeError, match="out of luck"):
        perturbed_losses(failing, torch.randn(5, 4), torch.zeros(5).long(), [0.1], draws=9, generator=generator())
    for each, before in kept:
        assert picture(each) == before


def picture(net):  # type: ignore[no-untyped-def]
    """Everything that could have changed, as bytes and words."""
    return (
        [(n, v.numpy().tobytes()) for n, v in net.state_dict().items()],
        [(n, p.requires_grad, None if p.grad is None else p.grad.numpy().tobytes()) for n, p in net.named_parameters()],
        [(n, m.training) for n, m in net.named_modules()],
        [p.stride() for p in net.parameters()],
    )


def test_vmap_says_which_networks_it_does_not_take() -> None:
    from nasanalysis.networks.darts_operations import Noise
    from nasanalysis.networks.randomness import Randomness

    model = nn.Sequential(nn.Conv2d(1, 2, 1), Noise(1, Randomness()), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    x, y = torch.zeros(3, 1, 4, 4), torch.zeros(3, dtype=torch.int64)
    with pytest.raises(NasAnalysisError, match="expected a network that torch.vmap takes, got Sequential: .*in_place"):
        perturbed_losses(model, x, y, [0.1], generator=generator(), how="vmap")
    assert perturbed_losses(model, x, y, [0.1], generator=generator())["loss"].null_count() == 0


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
    from nasanalysis.core.frames import read_frame, read_provenance
    from nasanalysis.core.resources import shipped

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

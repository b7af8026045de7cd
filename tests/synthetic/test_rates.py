"""Learning rates by gradient: the rules, a plain loop beside them, and going on after a kill."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")

from nasanalysis.synthetic import rates
from nasanalysis.synthetic.config import MemoryConfig, RateConfig
from nasanalysis.synthetic.images import load_parts
from nasanalysis.synthetic.networks import mlp, vgg16
from nasanalysis.synthetic.run import Place, units_of

TINY: dict[str, Any] = {
    "data": "digits", "train": 320, "valid": 100, "width": 8, "batch_size": 32, "epochs": 2, "seeds": 1,
}  # fmt: skip


def test_the_networks_have_as_many_parameters_as_the_code() -> None:
    def count(net: Any) -> int:
        return sum(p.numel() for p in net.parameters())

    assert count(mlp(784, 10)) == 1_796_010
    assert count(vgg16(3, 10)) == 14_723_136 + (512 * 512 + 512) + (512 * 10 + 10)


def test_the_rate_is_clipped_and_never_falls_to_zero() -> None:
    config = RateConfig()
    for slope, ahead in ((-3.0, 0.13), (-300.0, 0.2)):
        rate, halved = rates.next_rate(0.1, slope, config)
        assert rate == pytest.approx(ahead)
        assert not halved
    assert rates.next_rate(0.05, 300.0, config) == (0.025, True)
    assert rates.next_rate(0.1, 10.0, config) == (0.05, True)
    assert rates.next_rate(0.05, float("nan"), config) == (0.025, True)


def by_hand(config: RateConfig, T: int) -> tuple[list[float], Any]:
    """The algorithm by torch's optimiser and its reverse mode, for one epoch."""
    parts = load_parts(config, None, "cpu")
    net, rate, losses = rates.network(config, parts, 0), config.rate, []
    batches = list(parts.epoch(config, 0, 0))
    for first in range(0, len(batches), T):
        few = batches[first : first + T]
        eta = torch.tensor(rate, requires_grad=True)
        points = {k: w.detach().clone().requires_grad_() for k, w in net.named_parameters()}
        total = torch.zeros(())
        for x, y in few:
            value = torch.nn.functional.cross_entropy(torch.func.functional_call(net, points, (x,)), y)
            total = total + value
            slopes = torch.autograd.grad(value, list(points.values()), create_graph=True)
            points = {k: w - eta * g for (k, w), g in zip(points.items(), slopes, strict=True)}
        (slope,) = torch.autograd.grad(total, [eta], allow_unused=True)
        step = config.hyper_rate * max(-config.clip, min(config.clip, 0.0 if slope is None else float(slope)))
        rate = rate - step if rate - step > 0 else rate / 2
        optimiser = torch.optim.SGD(net.parameters(), lr=rate)
        for x, y in few:
            optimiser.zero_grad()
            value = torch.nn.functional.cross_entropy(net(x), y)
            value.backward()
            losses.append(float(value.detach()))
            optimiser.step()
    return [rate, sum(losses) / len(losses)], net


@pytest.mark.parametrize("T", [2, 4])
def test_an_epoch_is_that_of_a_plain_loop(T: int) -> None:
    config = RateConfig(**TINY)
    parts = load_parts(config, None, "cpu")
    net = rates.network(config, parts, 0)
    weights = {k: w.detach() for k, w in net.named_parameters()}
    weights, rate, row = rates.one_epoch(config, rates.loss_of(net), weights, config.rate, T, parts, 0, 0)
    (slow_rate, slow_loss), trained = by_hand(config, T)
    assert rate == pytest.approx(slow_rate, rel=1e-4)
    assert row["train_loss"] == pytest.approx(slow_loss, rel=1e-5)
    for name, weight in trained.named_parameters():
        assert torch.allclose(weights[name], weight.detach(), atol=1e-5)


def test_a_broken_training_goes_on_and_ends_with_the_same_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = RateConfig(**TINY)
    whole = rates.train(config, 4, 0, None, "cpu", tmp_path / "whole.pt")
    real = rates.one_epoch

    def dies(*arguments: Any) -> Any:
        if arguments[-1] == 1:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(rates, "one_epoch", dies)
    with pytest.raises(KeyboardInterrupt):
        rates.train(config, 4, 0, None, "cpu", tmp_path / "part.pt")
    monkeypatch.setattr(rates, "one_epoch", real)
    again = rates.train(config, 4, 0, None, "cpu", tmp_path / "part.pt")
    assert again.drop("seconds").equals(whole.drop("seconds"))
    assert whole["epoch"].to_list() == [0, 1, 2]
    assert whole["n_test"].to_list() == [100] * 3


def test_fixed_rates_are_units_of_their_own_and_no_part_of_older_fingerprints(tmp_path: Path) -> None:
    config = RateConfig(**TINY, Ts=(0, 2))
    assert "fixed_rates" not in config.model_dump()
    units = units_of(config.changed(fixed_rates=(0.5,)), Place(tmp_path))
    assert list(units) == ["seed-0-T-0", "seed-0-T-2", "seed-0-rate-0.5"]
    function, arguments = units["seed-0-rate-0.5"]
    assert function(*arguments)["rate"].to_list() == [0.5] * 3


def test_the_control_keeps_its_rate_and_the_global_generator_is_left_alone(tmp_path: Path) -> None:
    torch.manual_seed(7)
    state = torch.get_rng_state()
    frame = rates.train(RateConfig(**TINY), 0, 0, None, "cpu", tmp_path / "c.pt")
    assert torch.equal(torch.get_rng_state(), state)
    assert frame["rate"].to_list() == [1e-3] * 3
    assert frame["outer_steps"].sum() == 0


def test_minibatches_are_gathered_again_as_they_were() -> None:
    config = RateConfig(**TINY, crop=1, flip=True)
    batches = load_parts(config, None, "cpu").epoch(config, 0, 0)
    assert len(batches) == 10
    for few in batches.by(3):
        for (x, y), (again, labels) in zip(few, few, strict=True):
            assert torch.equal(x, again)
            assert torch.equal(y, labels)
    assert torch.equal(batches[4][0], batches[3:6][1][0])
    assert not torch.equal(batches[4][0], load_parts(config, None, "cpu").epoch(config, 0, 1)[4][0])


def test_batch_norm_is_read_with_statistics_of_training_images(tmp_path: Path) -> None:
    """A network with batch-norm that keeps none of its own: judged on a copy, so the weights stay as they were."""
    config = RateConfig(**TINY)
    parts = load_parts(config, None, "cpu")
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4, track_running_stats=False), torch.nn.Flatten(),
        torch.nn.Linear(4 * 36, 10),
    )  # fmt: skip
    weights = {k: w.detach() for k, w in net.named_parameters()}
    first = rates.judged(config, net, weights, parts, 0)
    assert first == rates.judged(config, net, weights, parts, 0)
    assert net[1].running_mean is None


@pytest.mark.slow
def test_forward_mode_takes_the_memory_of_one_step() -> None:
    from nasanalysis.synthetic.memory import measure

    config = MemoryConfig(**{**TINY, "width": 800, "train": 1200, "batch_size": 64})
    forward = {T: measure(config, "forward", T, 0, None, "cpu") for T in (4, 18)}
    reverse = {T: measure(config, "reverse", T, 0, None, "cpu") for T in (4, 18)}
    assert forward[18]["slope"].item() == pytest.approx(reverse[18]["slope"].item(), rel=1e-3)
    step = 4 * forward[4]["parameters"].item() / 2**20  # all weights once
    assert forward[18]["mebibytes"].item() - forward[4]["mebibytes"].item() < 5 * step
    assert reverse[18]["mebibytes"].item() - reverse[4]["mebibytes"].item() > 15 * step


@pytest.mark.slow
def test_forward_mode_goes_through_the_vgg() -> None:
    """Convolutions, batch-norm and pooling; beside the graph of all steps."""
    from nasanalysis.core.seeding import torch_generator
    from nasanalysis.synthetic.memory import forward, reverse

    draw = torch_generator(0, "vgg")
    net = vgg16(3, 10)
    weights = {k: w.detach() for k, w in net.named_parameters()}
    batches = [(torch.randn(4, 3, 32, 32, generator=draw), torch.randint(10, (4,), generator=draw)) for _ in range(3)]
    eta = torch.tensor(0.01)
    slopes = [float(mode(rates.loss_of(net), weights, eta, batches)) for mode in (forward, reverse)]
    assert slopes[0] == pytest.approx(slopes[1], rel=1e-3)

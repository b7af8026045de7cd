"""ENAS's controller: REINFORCE on two arms in closed form, what is left without a signal, what it draws."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (extra supernet)")

from differentiable_searches import learner

from nasanalysis.core.errors import ParameterError
from nasanalysis.core.seeding import torch_generator
from nasanalysis.differentiable.controller import Controller, ControllerNet, Draw, reinforce
from nasanalysis.networks.mixture import Decision, Place

pytestmark = pytest.mark.torch


def two_arms(theta: torch.Tensor) -> list[Draw]:
    logs = torch.stack([theta, torch.zeros_like(theta)]).log_softmax(0)
    entropy = -(logs * logs.exp()).sum()
    return [Draw([str(i)], logs[i], entropy) for i in range(2)]


@pytest.mark.parametrize("value", [-1.0, 0.3, 2.0])
def test_on_two_arms_the_expected_gradient_is_p_times_1_minus_p_times_the_difference(value: float) -> None:
    plan = Controller(entropy=0.0)
    rewards = (0.9, 0.2)
    theta = torch.tensor(value, dtype=torch.float64, requires_grad=True)
    p = float(torch.sigmoid(theta.detach()))
    for baseline in (0.0, 0.5):  # which changes the variance alone
        draws = two_arms(theta)
        slopes = [
            torch.autograd.grad(reinforce(draw, reward, baseline, plan), theta, retain_graph=True)[0]
            for draw, reward in zip(draws, rewards, strict=True)
        ]
        expected = -p * (1 - p) * (rewards[0] - rewards[1])  # of the loss, which goes down where the reward goes up
        assert float(p * slopes[0] + (1 - p) * slopes[1]) == pytest.approx(expected)


def test_without_a_signal_the_entropy_alone_is_left() -> None:
    theta = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    (draw, _) = two_arms(theta)
    (nothing,) = torch.autograd.grad(reinforce(draw, 0.4, 0.4, Controller(entropy=0.0)), theta, retain_graph=True)
    assert float(nothing) == 0
    weight = 0.1
    (left,) = torch.autograd.grad(reinforce(draw, 0.4, 0.4, Controller(entropy=weight)), theta, retain_graph=True)
    (by_hand,) = torch.autograd.grad(-draw.log_probability * weight * draw.entropy, theta)
    torch.testing.assert_close(left, by_hand)


def test_draws_come_from_the_generator_and_their_probability_is_that_of_the_logits() -> None:
    decisions = [Decision(Place("cell", f"0-{i}"), ("a", "b", "c")) for i in (1, 2)]
    net = ControllerNet(decisions, Controller(), torch_generator(0))
    one, other = net.draw(torch_generator(3)), net.draw(torch_generator(3))
    assert one.choices == other.choices
    assert one.log_probability.item() == other.log_probability.item()
    many = [tuple(net.draw(torch_generator(seed)).choices) for seed in range(60)]
    assert len(set(many)) > 5, "near uniform before it has learned"
    assert float(one.entropy.detach()) == pytest.approx(2 * torch.tensor(3.0).log().item(), rel=0.01)
    best = net.draw(None)
    assert best.log_probability.item() >= max(net.draw(torch_generator(s)).log_probability.item() for s in range(9))
    with pytest.raises(ParameterError, match="at least 1"):
        Controller(steps=0)


def test_stability_is_the_mean_intersection_with_the_last_epochs() -> None:
    search = learner("darts")
    place = search.alphas.decisions[0].place
    now = search.table()[place]
    key = f"{place.cell}/{place.edge}"
    search.history = [
        {"weights": {key: dict.fromkeys(now, 0.2)}},
        {"weights": {key: {**dict.fromkeys(now, 0.0), "none": 1.0}}},
    ]
    by_hand = (sum(min(w, 0.2) for w in now.values()) + min(now["none"], 1.0)) / 2
    assert search.stability(place, 4) == pytest.approx(by_hand)
    assert search.stability(place, 1) == pytest.approx(now["none"])

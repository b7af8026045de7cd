"""Optimisers and schedules by name: torch's own numbers, options that are refused, gradients clipped before a step."""

from __future__ import annotations

import math
from typing import Any

import pytest

from nasanalysis.core.errors import ParameterError, UnknownNameError

torch = pytest.importorskip("torch")

from nasanalysis.training.optimisers import OPTIMISERS, clip_gradients, optimiser
from nasanalysis.training.schedules import SCHEDULES, Schedule

pytestmark = pytest.mark.torch

THEIRS: dict[str, tuple[dict[str, Any], Any, dict[str, Any]]] = {
    "sgd": (
        {"momentum": 0.8, "weight_decay": 0.1, "nesterov": False},
        torch.optim.SGD,
        {"momentum": 0.8, "weight_decay": 0.1},
    ),
    "adam": (
        {"betas": (0.5, 0.999), "weight_decay": 1e-3},
        torch.optim.Adam,
        {"betas": (0.5, 0.999), "weight_decay": 1e-3},
    ),
    "adamw": ({"weight_decay": 0.1}, torch.optim.AdamW, {"weight_decay": 0.1}),
    "rmsprop": ({"momentum": 0.5}, torch.optim.RMSprop, {"alpha": 0.9, "eps": 1.0, "momentum": 0.5}),
}


def weights() -> list[torch.nn.Parameter]:
    g = torch.Generator().manual_seed(0)
    return [torch.nn.Parameter(torch.randn(3, 2, generator=g)) for _ in range(2)]


def steps(made: torch.optim.Optimizer, params: list[torch.nn.Parameter], count: int = 4) -> None:
    g = torch.Generator().manual_seed(1)
    for _ in range(count):
        for weight in params:
            weight.grad = torch.randn(3, 2, generator=g)
        made.step()


@pytest.mark.parametrize("name", OPTIMISERS)
def test_by_name_it_is_torchs_own(name: str) -> None:
    options, theirs, given = THEIRS[name]
    a, b = weights(), weights()
    steps(optimiser(name, a, learning_rate=0.05, **options), a)
    steps(theirs(b, lr=0.05, **given), b)
    for x, y in zip(a, b, strict=True):
        torch.testing.assert_close(x, y, rtol=1e-6, atol=1e-7)


def test_sgd_is_nesterovs_unless_told_otherwise() -> None:
    moved = []
    for nesterov in (None, True, False):
        params = weights()
        steps(optimiser("sgd", params, learning_rate=0.05, nesterov=nesterov), params)
        moved.append(params[0].detach())
    assert torch.equal(moved[0], moved[1])
    assert not torch.equal(moved[1], moved[2])


def test_options_that_an_optimiser_does_not_have_are_refused() -> None:
    with pytest.raises(ParameterError, match="adam: expected options among betas, weight_decay, got mom"):
        optimiser("adam", weights(), learning_rate=0.1, momentum=0.9, nesterov=True)
    with pytest.raises(UnknownNameError, match="unknown optimiser 'agd'. Did you mean 'sgd'"):
        optimiser("agd", weights(), learning_rate=0.1)


def test_an_optimiser_of_ones_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    (tmp_path / "outside_optimiser.py").write_text(
        "import torch\n\ndef lazy(parameters, *, learning_rate, power=1):\n"
        "    return torch.optim.SGD(parameters, lr=learning_rate**power)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(OPTIMISERS, "lazy", "outside_optimiser:lazy")
    assert optimiser("lazy", weights(), learning_rate=0.1, power=2).param_groups[0]["lr"] == pytest.approx(0.01)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_gradients_are_clipped_together_before_every_step(name: str) -> None:
    a, b = weights(), weights()
    clipped, plain = optimiser(name, a, learning_rate=0.1, clip=1.0), optimiser(name, b, learning_rate=0.1)
    for large in (3.0, 0.01):
        for x, y in zip(a, b, strict=True):
            x.grad = torch.full((3, 2), large)
            y.grad = torch.full((3, 2), large)
        norm = large * math.sqrt(12)
        for y in b:
            y.grad *= min(1.0, 1.0 / (norm + 1e-6))
        clipped.step()
        plain.step()
        for x, y in zip(a, b, strict=True):
            torch.testing.assert_close(x, y)
    with pytest.raises(ParameterError, match="clip: expected a norm above 0, got -1"):
        clip_gradients(plain, -1)


def test_shapes_run_from_the_high_rate_to_the_low_one() -> None:
    def rates(shape: str, by: str) -> list[float]:
        schedule = Schedule(0.5, 0.1, shape, by)
        return [schedule.rate(update=u, updates=8, epoch=u // 2, epochs=4) for u in range(9)]

    for shape in SCHEDULES:
        assert rates(shape, "update")[0] == 0.5
        assert rates(shape, "epoch")[::2] == pytest.approx(
            [Schedule(0.5, 0.1, shape).rate(update=e, updates=4, epoch=0, epochs=1) for e in range(5)]
        ), "an epoch's rate is that of its beginning"
        assert rates(shape, "epoch")[0] == rates(shape, "epoch")[1]
    assert rates("cosine", "update")[4] == pytest.approx(0.3)
    assert rates("linear", "update")[2] == pytest.approx(0.4)
    assert rates("cosine", "update")[8] == rates("linear", "update")[8] == pytest.approx(0.1)
    assert set(rates("constant", "update")) == {0.5}


def test_the_cosine_is_torchs() -> None:
    net = weights()
    theirs = torch.optim.SGD(net, lr=0.3)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(theirs, 20, eta_min=0.01)
    for update in range(20):
        assert Schedule(0.3, 0.01).rate(update=update, updates=20, epoch=0, epochs=1) == pytest.approx(
            theirs.param_groups[0]["lr"], rel=1e-9
        )
        theirs.step()
        falling.step()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"high": 0.1, "low": 0.2}, "0 <= learning_rate_min <= learning_rate, got 0.2 and 0.1"),
        ({"high": math.nan}, "got 0.0 and nan"),
        ({"high": 0.0}, "got 0.0 and 0.0"),
        ({"high": 0.1, "by": "step"}, "expected by 'update' or 'epoch', got 'step'"),
        ({"high": 0.1, "shape": "cosin"}, "unknown schedule 'cosin'. Did you mean 'cosine'"),
    ],
)
def test_schedules_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises((ParameterError, UnknownNameError)) as caught:
        Schedule(**given)
    assert message in str(caught.value)

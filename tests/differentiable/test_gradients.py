"""Gradients of alpha against closed forms, brute force, and the limits in which one estimator is another."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (extra supernet)")

from differentiable_toys import Toy, brute_force
from hypothesis import given, settings
from hypothesis import strategies as st

from nasanalysis.core.errors import ParameterError
from nasanalysis.differentiable.gradients import FirstOrder, SecondOrder, SumOverUnroll

pytestmark = pytest.mark.torch


def bilevel(weights, alpha, batch):  # type: ignore[no-untyped-def]
    """Liu et al. 2019, Figure 2: training and validation loss of one weight and one alpha."""
    w, a = weights[0][0], alpha[0]
    return (w - a) ** 2 if batch == "train" else a * w - 2 * a + 1


def quadratic(weights, alpha, batch):  # type: ignore[no-untyped-def]
    return ((weights[0] - alpha) ** 2).sum() / 2


def curved(weights, alpha, batch):  # type: ignore[no-untyped-def]
    """No quadratic: three weights, two alphas; batches are numbers."""
    w = weights[0]
    mixed = alpha.softmax(0)
    return torch.log1p((w[0] * mixed[0] + w[1].sin() * mixed[1] - batch) ** 2) + 0.1 * (w[2] * mixed[0] - batch).cosh()


@pytest.mark.parametrize(("gradient", "fixed_point"), [(FirstOrder(), 2.0), (SecondOrder(rate=0.5), 1.0)])
def test_the_toy_bilevel_problem_ends_at_its_known_point(gradient, fixed_point: float) -> None:  # type: ignore[no-untyped-def]
    toy = Toy(bilevel, [-2.0], [2.0], rate=0.1)
    for _ in range(1200):
        slope = gradient(toy, ["train"], lambda: "valid")
        with torch.no_grad():
            toy.alpha -= 0.03 * slope
        toy.step("train")
    assert toy.alpha.item() == pytest.approx(fixed_point, abs=1e-3)
    assert toy.parameters[0].item() == pytest.approx(fixed_point, abs=1e-3)


@pytest.mark.parametrize("how", ["difference", "exact"])
@given(w=st.floats(-3, 3), a=st.floats(-3, 3), rate=st.floats(0, 1))
def test_the_second_order_on_the_toy_bilevel_problem(how, w: float, a: float, rate: float) -> None:  # type: ignore[no-untyped-def]
    # w' = w - 2 rate (w - a);  d/da [a w' - 2 a + 1] = w' - 2 + 2 rate a
    toy = Toy(bilevel, [w], [a])
    slope = SecondOrder(how, rate=rate)(toy, ["train"], lambda: "valid")
    expected = w - 2 * rate * (w - a) - 2 + 2 * rate * a
    assert slope.item() == pytest.approx(expected, abs=1e-6)  # the difference is exact on quadratics
    assert toy.parameters[0].item() == w, "the weights are where they were"


@given(r=st.lists(st.floats(-2, 2), min_size=1, max_size=3), rate=st.floats(0.0, 0.9), steps=st.integers(1, 12))
def test_sotl_on_a_quadratic_in_closed_form(r: list[float], rate: float, steps: int) -> None:
    toy = Toy(quadratic, [x + 1 for x in r], [1.0] * len(r), rate=max(rate, 1e-12))
    start = torch.tensor(r, dtype=torch.float64)
    first = SumOverUnroll(steps)(toy, [0] * steps, lambda: 0)
    exact = SumOverUnroll(steps, exact=True)(toy, [0] * steps, lambda: 0)
    shrink = 1 - toy.rate
    torch.testing.assert_close(first, -start * sum(shrink**t for t in range(steps)), atol=1e-12, rtol=1e-9)
    torch.testing.assert_close(exact, -start * sum(shrink ** (2 * t) for t in range(steps)), atol=1e-12, rtol=1e-9)
    torch.testing.assert_close(toy.parameters[0].detach(), start + 1)


@settings(deadline=None, max_examples=30)
@given(
    weights=st.lists(st.floats(-1, 1), min_size=3, max_size=3),
    alpha=st.lists(st.floats(-1, 1), min_size=2, max_size=2),
    momentum=st.sampled_from([0.0, 0.9]),
    decay=st.sampled_from([0.0, 0.1]),
    nesterov=st.booleans(),
    path=st.lists(st.floats(-1, 1), min_size=1, max_size=5),
)
def test_exact_sums_are_brute_force(weights, alpha, momentum, decay, nesterov, path) -> None:  # type: ignore[no-untyped-def]
    options = {"rate": 0.2, "momentum": momentum, "weight_decay": decay, "nesterov": nesterov and momentum > 0}
    toy = Toy(curved, weights, alpha, **options)
    sotl = SumOverUnroll(len(path), exact=True)(toy, path, lambda: 0.5)

    def of_training(points, a):  # type: ignore[no-untyped-def]
        return sum(curved([p], a, b) for p, b in zip(points, path, strict=False))

    torch.testing.assert_close(sotl, brute_force(toy, path, of_training))
    sovl = SumOverUnroll(len(path), data="valid", exact=True)(toy, path, lambda: 0.5)
    torch.testing.assert_close(
        sovl, brute_force(toy, path, lambda points, a: sum(curved([p], a, 0.5) for p in points[1:]))
    )
    second = SecondOrder("exact")(toy, path[:1], lambda: 0.5)
    torch.testing.assert_close(
        second, brute_force(toy, path[:1], lambda points, a: curved([points[-1]], a, 0.5)), atol=1e-9, rtol=1e-7
    )
    close = SecondOrder("difference", radius=1e-4)(toy, path[:1], lambda: 0.5)
    torch.testing.assert_close(close, second, atol=1e-5, rtol=1e-4)


def test_the_first_order_sum_is_the_sum_of_first_orders_along_the_path() -> None:
    path = [0.3, -0.2, 0.7]
    toy = Toy(curved, [0.1, 0.2, 0.3], [0.1, -0.1], rate=0.3, momentum=0.9)
    total = SumOverUnroll(3)(toy, path, lambda: 0.0)
    walker = Toy(curved, [0.1, 0.2, 0.3], [0.1, -0.1], rate=0.3, momentum=0.9)
    expected = torch.zeros(2, dtype=torch.float64)
    for batch in path:
        expected += FirstOrder(data="train")(walker, [batch], lambda: 0.0)
        walker.step(batch)
    torch.testing.assert_close(total, expected)
    mean = SumOverUnroll(3, mean=True)(toy, path, lambda: 0.0)
    torch.testing.assert_close(mean, expected / 3)


def test_limits_in_which_two_estimators_are_one() -> None:
    def toy(**options):  # type: ignore[no-untyped-def]
        return Toy(curved, [0.1, 0.2, 0.3], [0.1, -0.1], **options)

    first = FirstOrder()(toy(), [0.4], lambda: 0.5)
    torch.testing.assert_close(SecondOrder(rate=0.0)(toy(), [0.4], lambda: 0.5), first)
    torch.testing.assert_close(SecondOrder("exact", rate=0.0)(toy(), [0.4], lambda: 0.5), first)
    on_training = FirstOrder(data="train")(toy(), [0.4], lambda: 0.5)
    torch.testing.assert_close(SumOverUnroll(1)(toy(momentum=0.9), [0.4], lambda: 0.5), on_training)
    torch.testing.assert_close(SumOverUnroll(1, exact=True)(toy(), [0.4], lambda: 0.5), on_training)
    # the sum of two validation losses after one step each is the second order where T is 1
    once = SumOverUnroll(1, data="valid", exact=True)(toy(rate=0.3), [0.4], lambda: 0.5)
    torch.testing.assert_close(once, SecondOrder("exact", rate=0.3)(toy(), [0.4], lambda: 0.5))
    repeated = SumOverUnroll(3, same_batch=True)(toy(), [0.4, 9.0, 9.0], lambda: 0.5)
    torch.testing.assert_close(repeated, SumOverUnroll(3)(toy(), [0.4, 0.4, 0.4], lambda: 0.5))


def test_momentum_is_restored_or_not_as_asked() -> None:
    for restore in (True, False):
        toy = Toy(curved, [0.1, 0.2, 0.3], [0.1, -0.1], momentum=0.9)
        SumOverUnroll(3, restore_momentum=restore)(toy, [0.4, 0.2, 0.1], lambda: 0.5)
        assert bool((toy.momenta()[0] == 0).all()) == restore
        assert toy.parameters[0].tolist() == [0.1, 0.2, 0.3]


def test_a_loss_without_alpha_has_no_gradient_and_bad_numbers_are_refused() -> None:
    toy = Toy(lambda w, a, b: (w[0] ** 2).sum(), [1.0], [1.0])
    for gradient in (FirstOrder(), SecondOrder(), SecondOrder("exact"), SumOverUnroll(2), SumOverUnroll(2, exact=True)):
        assert gradient(toy, [0, 0], lambda: 0).tolist() == [0.0]
    with pytest.raises(ParameterError, match="at least 1 step, got 0"):
        SumOverUnroll(0)
    with pytest.raises(ParameterError, match="radius > 0"):
        SecondOrder(radius=0.0)

"""Fourier regressions beside plain loops, and MaxDeg's slope beside torch's."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from nasanalysis.core.seeding import generator
from nasanalysis.synthetic.config import FourierConfig, MaxDegConfig
from nasanalysis.synthetic.fourier import Terms, draw_terms, first_weights, fixed_degrees
from nasanalysis.synthetic.maxdeg import Model, search, slope_of_sotl, slope_of_validation

SMALL: dict[str, Any] = {"points": 256, "batch_size": 32, "max_degree": 5, "degrees": (0, 1, 3, 5)}


def test_terms_of_the_text_are_what_its_equations_say() -> None:
    terms = draw_terms(FourierConfig(points=7, max_degree=4, true_degree=2), generator(0))
    x = generator(0).uniform(-10, 10, size=7)
    for i, point in enumerate(x):
        row = [1.0] + [math.cos(2 * math.pi * j * point) + math.sin(2 * math.pi * j * point) for j in range(1, 5)]
        assert terms.features[i] == pytest.approx(row, abs=1e-9)
        assert terms.targets[i] == pytest.approx(sum(row[:3]), abs=1e-9)


def test_terms_of_the_code_are_eighteen_with_a_weight_each() -> None:
    config = FourierConfig(reading="code", points=101, span=10_000, max_degree=9, columns=18, noise=0.25)
    terms = draw_terms(config, generator(0))
    assert terms.degrees.tolist() == [0, *np.repeat(np.arange(1, 9), 2), 9]
    x = np.linspace(-10_000 * np.pi, 10_000 * np.pi, 101)
    assert terms.features[:, 3] == pytest.approx(np.cos(2 * x), abs=1e-6)
    assert terms.features[:, 4] == pytest.approx(np.sin(2 * x), abs=1e-6)
    assert np.var(terms.targets - terms.features[:, :7].sum(axis=1)) == pytest.approx(0.25, rel=0.5)


def test_a_training_of_one_degree_is_a_plain_loop() -> None:
    config = FourierConfig(**SMALL)
    rng = generator(3, "fourier", "text")
    terms = draw_terms(config, rng)
    weights = first_weights(6, rng)
    total, degree = 0.0, 3
    for x, y in terms.batches(32, rng):
        gradient = [0.0] * 6
        for point, target in zip(x, y, strict=True):
            miss = sum(weights[j] * point[j] for j in range(degree + 1)) - target
            total += miss**2 / 32
            for j in range(degree + 1):
                gradient[j] += 2 * miss * point[j] / 32
        weights = weights - 0.01 * np.array(gradient)
    last = fixed_degrees(config, 3).filter(degree=degree)[-1]
    assert last["sotl"].item() == pytest.approx(total, rel=1e-10)


def test_the_true_degree_has_the_lowest_sum_of_losses() -> None:
    last = fixed_degrees(FourierConfig(points=10_000, seeds=1), 0)
    final = last.filter(step=last["step"].max())
    assert final.sort("sotl")["degree"][0] == 3
    assert (final["loss"].is_finite()).all()


def problem(seed: int) -> tuple[Model, np.ndarray, list[Any]]:
    rng = generator(seed)
    terms: Terms = draw_terms(FourierConfig(points=64, max_degree=5), rng)
    model = Model(terms.degrees, 0.3, seed % 2 == 0, 0.2)
    return model, rng.normal(size=6), [b for _ in range(3) for b in terms.batches(16, rng)]


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("objective", ["sotl", "validation", "validation + penalty"])
def test_the_slope_of_max_deg_is_that_of_forward_mode_in_torch(seed: int, objective: str) -> None:
    torch = pytest.importorskip("torch")
    from nasanalysis.synthetic.unroll import unroll

    model, w, batches = problem(seed)
    degrees = torch.from_numpy(model.degrees)

    def error(weights: Any, degree: Any, batch: Any) -> Any:
        x, y = (torch.from_numpy(np.ascontiguousarray(part)) for part in batch)
        gates = (torch.tanh(degree - degrees) + 1) / 2
        return ((x @ (weights["w"] * gates) - y) ** 2).mean()

    def penalty(degree: Any) -> Any:
        return 0.3 * (degree**2 if model.squared else degree.abs())

    def loss(weights: Any, degree: Any, batch: Any) -> Any:
        return error(weights, degree, batch) + penalty(degree) + 0.2 * (weights["w"] ** 2).mean()

    def valid_loss(weights: Any, degree: Any, batch: Any) -> Any:
        return error(weights, degree, batch) + (penalty(degree) if objective.endswith("penalty") else 0.0)

    few, valid, degree, rate = batches[:5], batches[5], 1.3, 0.05
    slow = unroll(
        loss,
        {"w": torch.from_numpy(w)},
        torch.tensor(degree, dtype=torch.float64),
        few,
        rate=torch.tensor(rate, dtype=torch.float64),
        objective="sotl" if objective == "sotl" else "validation",
        valid=valid,
        valid_loss=valid_loss,
    ).slope
    if objective == "sotl":
        got = slope_of_sotl(model, w, degree, few, rate)
    else:
        got = slope_of_validation(model, w, degree, few, valid, rate, objective.endswith("penalty"))
    assert got == pytest.approx(float(slow), rel=1e-9)


def test_a_search_starts_where_it_is_told_and_tells_when_it_arrives() -> None:
    config = MaxDegConfig(points=512, batch_size=32, max_degree=5, outer=150, hyper_rate=0.05)
    path = search(config, 0.0, 10, "sotl", 0)
    assert path["max_deg"][0] == 0.0
    assert path["outer"].to_list() == [*range(101), 150]
    assert path["batches"][-1] == 1500
    (arrived,) = path["arrived"].unique().to_list()
    near = path.filter((path["max_deg"] - 3).abs() <= 0.5)
    assert near["outer"][0] == arrived
    assert search(config, 0.0, 10, "sotl", 0).equals(path)
    assert not search(config, 0.0, 10, "sotl", 1).equals(path)


def test_points_for_validation_are_drawn_from_the_whole_line() -> None:
    """The code's points stand in order, 2.5 in a period: halves of the line would hold other functions for a model."""
    config = MaxDegConfig(
        reading="code", points=50_000, span=10_000, max_degree=9, columns=18, noise=0.25, squared=False, outer=50
    )
    paths = [search(config, -1.0, 25, objective, 0) for objective in ("sotl", "validation x T")]
    arrived = [path["arrived"][0] for path in paths]
    assert None not in arrived
    assert abs(arrived[0] - arrived[1]) <= 10
    assert abs(paths[0]["max_deg"][-1] - paths[1]["max_deg"][-1]) < 0.3

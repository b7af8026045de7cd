"""The sum that ranks best, chosen on one half and judged on the other: by hand, by limits, and what is refused."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import polars as pl
import pytest
from scipy.stats import kendalltau

from nasanalysis.core.errors import StudyError, UnknownNameError
from nasanalysis.core.frames import SCHEMAS
from nasanalysis.core.seeding import generator
from nasanalysis.stats import Term, held_out_sum

PLACE = {"benchmark": "b", "dataset": "d"}


def frames(truth: np.ndarray, **proxies: np.ndarray) -> tuple[pl.DataFrame, pl.DataFrame]:
    archs = [f"nb201:a{i:04d}" for i in range(len(truth))]
    first = {**PLACE, "split": "test", "schedule": 200, "seed": 0, "origin": "trained"}
    rows = [{**first, "arch": arch, "accuracy": float(a)} for arch, a in zip(archs, truth, strict=True)]
    second = {**PLACE, "method": "m", "setting": "s", "seed": 0, "step": None, "unit": None}
    scores = [
        {**second, "arch": arch, "proxy": name, "value": float(value)}
        for name, values in proxies.items()
        for arch, value in zip(archs, values, strict=True)
    ]
    return (
        pl.DataFrame(rows, schema=SCHEMAS["TRUTH"].columns),
        pl.DataFrame(scores, schema=SCHEMAS["SCORES"].columns),
    )


def study(n: int, seed: int = 0) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    rng = np.random.default_rng(seed)
    truth = 50 + 10 * rng.normal(size=n)
    x, y = truth + 10 * rng.normal(size=(2, n))
    return truth, {"x": x, "y": y, "noise": rng.normal(size=n)}


TERMS = [Term(name, rule="z", direction=1) for name in ("x", "y", "noise")]


def z(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / values.std()


def test_every_split_by_hand() -> None:
    truth, proxies = study(120)
    proxies["y"][7] = np.nan  # left out for all
    table = held_out_sum(*frames(truth, **proxies), TERMS, n_splits=5)
    kept = np.isfinite(proxies["y"])
    y, values = truth[kept], {name: v[kept] for name, v in proxies.items()}
    n = round(0.5 * len(y))

    def tau(names: tuple[str, ...], rows: np.ndarray) -> float:
        return float(kendalltau(sum(z(values[name][rows]) for name in names), y[rows]).statistic)

    sums = [names for size in (2, 3) for names in combinations(values, size)]
    for row in table.to_dicts():
        order = generator(0, "stats", "held out", row["split"]).permutation(len(y))
        seen, rest = np.sort(order[:n]), np.sort(order[n:])
        best = max(sums, key=lambda names: tau(names, seen))
        part = max(values, key=lambda name: tau((name,), seen))
        assert (row["sum"], row["part"]) == (" + ".join(best), part)
        assert row["searched"] == pytest.approx(tau(best, seen))
        assert row["held_out"] == pytest.approx(tau(best, rest))
        assert row["part_held_out"] == pytest.approx(tau((part,), rest))
        assert row["gain"] == pytest.approx(row["held_out"] - row["part_held_out"])
        assert (row["n_searched"], row["n_held_out"]) == (n, len(y) - n)


def test_a_sum_of_what_says_different_things_gains_and_one_of_the_same_does_not() -> None:
    truth, proxies = study(400)
    table = held_out_sum(*frames(truth, **proxies), TERMS)
    assert (table["sum"] == "x + y").all()
    assert (table["gain"] > 0.05).all()
    twice = {"x": proxies["x"], "y": 3 * proxies["x"] + 1}
    same = held_out_sum(*frames(truth, **twice), TERMS[:2])
    np.testing.assert_allclose(same["gain"], 0, atol=1e-12)


def test_a_choice_among_noise_flatters_itself() -> None:
    gaps = []
    for seed in range(15):
        rng = np.random.default_rng(seed)
        noise = {name: rng.normal(size=40) for name in ("x", "y", "noise")}
        table = held_out_sum(*frames(rng.uniform(10, 90, 40), **noise), TERMS, n_splits=4)
        gaps.append(table["searched"].mean() - table["held_out"].mean())  # type: ignore[operator]
    assert np.mean(gaps) > 0.05


def test_largest_limits_the_terms() -> None:
    truth, proxies = study(60)
    proxies["noise"] = truth + 10 * np.random.default_rng(9).normal(size=60)
    assert (held_out_sum(*frames(truth, **proxies), TERMS, largest=2)["sum"].str.count_matches(r"\+") == 1).all()


def test_refusals() -> None:
    truth, proxies = study(20)
    both = frames(truth, **proxies)
    with pytest.raises(StudyError, match="at least two terms, each proxy once, got x"):
        held_out_sum(*both, TERMS[:1])
    with pytest.raises(StudyError, match="at least two terms, each proxy once, got x, x"):
        held_out_sum(*both, [TERMS[0], TERMS[0]])
    with pytest.raises(StudyError, match="at least 3 architectures on both sides, got 1 and 19"):
        held_out_sum(*both, TERMS, share=0.05)
    with pytest.raises(UnknownNameError, match="unknown proxy in these scores 'other'"):
        held_out_sum(*both, [TERMS[0], Term("other", direction=1)])
    with pytest.raises(StudyError, match="a statistic that is better higher, got 'regret@1'"):
        held_out_sum(*both, TERMS, statistic="regret@1")
    with pytest.raises(StudyError, match="expected sums of two terms or more, got largest = 1"):
        held_out_sum(*both, TERMS, largest=1)
    with pytest.raises(ValueError, match="0 < share < 1"):
        held_out_sum(*both, TERMS, share=1.0)

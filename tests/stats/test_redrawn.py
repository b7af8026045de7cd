"""Draws that are remembered: the same values to the last bit, and the same generator, as drawing anew."""

from __future__ import annotations

import numpy as np
import pytest

from nasanalysis.core.seeding import generator
from nasanalysis.stats import Resamples, get_statistic, redrawn
from nasanalysis.stats.bootstrap import bootstrap_counts
from nasanalysis.stats.redrawn import Draws
from nasanalysis.stats.resampling import units_of

N = 60
RNG = np.random.default_rng(2)
TRUTH, SCORES = RNG.normal(size=N), RNG.normal(size=(3, N))
CLASSES = np.arange(N) // 2


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    for kept in (redrawn._VALUES, redrawn._DRAWN, redrawn._AFTER):
        kept.clear()


@pytest.mark.parametrize("name", ["kendall_tau", "spearman_rho"])
@pytest.mark.parametrize("classes", [None, CLASSES])
def test_values_and_generator_are_those_of_drawing_anew(name: str, classes: np.ndarray | None) -> None:
    statistic, units = get_statistic(name), units_of(None, N, classes)
    plain = generator(4, "a")
    resamples = Resamples(TRUTH, units.spread(bootstrap_counts(units.n, 50, plain)))
    expected = np.array([statistic.on_resamples(resamples, row) for row in SCORES])
    for _ in range(2):  # the second time from memory
        rng = generator(4, "a")
        assert Draws(TRUTH, units, 50, rng).gaps(statistic, SCORES, None).tolist() == expected.tolist()
        assert rng.bit_generator.state == plain.bit_generator.state
    other = Draws(TRUTH, units, 50, generator(4, "a")).gaps(statistic, SCORES[:2], SCORES[2])
    assert other.tolist() == (expected[:2] - expected[2]).tolist()


def test_nothing_is_drawn_for_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    units, statistic = units_of("arch", N, None), get_statistic("kendall_tau")
    first = Draws(TRUTH, units, 20, generator(1, "b")).gaps(statistic, SCORES, SCORES[::-1])
    redrawn._DRAWN.clear()
    monkeypatch.setattr(redrawn, "bootstrap_counts", lambda *_: pytest.fail("drawn again"))
    again = Draws(TRUTH, units, 20, generator(1, "b")).gaps(statistic, SCORES, SCORES[::-1])
    assert first.tolist() == again.tolist()


@pytest.mark.parametrize("change", ["seed", "n_boot", "truth", "units", "statistic"])
def test_another_draw_truth_or_unit_is_not_taken_for_the_same(change: str) -> None:
    def asked(**given: object) -> list[list[float]]:
        how = {"seed": 1, "n_boot": 20, "truth": TRUTH, "units": "arch", "statistic": "kendall_tau"} | given
        units = units_of(how["units"], N, CLASSES)  # type: ignore[arg-type]
        one = Draws(how["truth"], units, how["n_boot"], generator(how["seed"], "c"))  # type: ignore[arg-type]
        return one.gaps(get_statistic(str(how["statistic"])), SCORES, None).tolist()

    others = {"seed": 2, "n_boot": 21, "truth": TRUTH[::-1].copy(), "units": "class", "statistic": "spearman_rho"}
    assert asked() == asked()
    assert asked() != asked(**{change: others[change]})


def test_memory_is_bounded() -> None:
    units, statistic = units_of("arch", N, None), get_statistic("kendall_tau")
    for seed in range(5):
        Draws(TRUTH, units, 10, generator(seed, "d")).gaps(statistic, SCORES, None)
    assert len(redrawn._DRAWN) == redrawn.MOST_DRAWN

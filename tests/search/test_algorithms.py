"""The algorithms: what they ask, in which order, at what price, and that a seed is honoured."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest

from nasanalysis.core.errors import SearchError, UnknownNameError
from nasanalysis.core.frames import check
from nasanalysis.search import (
    ALGORITHMS,
    SPOS_PRESETS,
    Answers,
    EvolutionSettings,
    FunctionFitness,
    Memoised,
    SearchResult,
    SposSettings,
    TableFitness,
    get_moves,
    random_search,
    regularised_evolution,
    spos_evolution,
    successive_halving,
)
from nasanalysis.spaces import get_space

NB201 = get_moves("nb201")


def convolutions(arch: str) -> float:
    """A fitness with one best architecture: a sum over the edges."""
    return float(sum((g == 3) * (1 + i / 10) for i, g in enumerate(NB201.decisions(arch))))


FITNESS = FunctionFitness("convolutions", "nb201", convolutions, seconds=2.0)
BEST = convolutions(
    "nb201:|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|"
)


class Growing:
    """A stepped fitness whose early values mislead: the order turns round at step 4."""

    name, space = "growing", "nb201"

    def __init__(self) -> None:
        self.calls: list[tuple[int, int, int]] = []

    def __call__(self, archs: Sequence[str], /, step: int, after: int = 0) -> Answers:
        self.calls.append((len(archs), step, after))
        sign = 1 if step >= 4 else -1
        return Answers.of([100 * (step < 4) + sign * convolutions(a) for a in archs], 1.0 * (step - after))


SMALL: dict[str, Callable[..., SearchResult]] = {
    "random_search": random_search,
    "regularised_evolution": partial(regularised_evolution, settings=EvolutionSettings(20, 5)),
    "spos_evolution": partial(spos_evolution, settings=SposSettings(20, 10, 5, 10, 10, 0.1)),
}


@pytest.mark.parametrize("name", [*SMALL, "successive_halving"])
def test_the_seed_is_honoured_and_the_global_one_untouched(name: str) -> None:
    def run(seed: int) -> SearchResult:
        if name == "successive_halving":
            return successive_halving(Growing(), NB201, np.random.default_rng(seed), start=20, steps=(1, 4))
        return SMALL[name](FITNESS, NB201, np.random.default_rng(seed), queries=60)

    np.random.seed(1)  # noqa: NPY002
    first = run(7)
    state = np.random.get_state()[1]  # noqa: NPY002
    np.random.seed(2)  # noqa: NPY002
    second = run(7)
    assert first.trace("b", "d", search_seed=7).equals(second.trace("b", "d", search_seed=7))
    assert run(8).archs != first.archs
    np.random.seed(1)  # noqa: NPY002
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002


@pytest.mark.parametrize("name", SMALL)
def test_a_trajectory_holds_every_query_in_order(name: str) -> None:
    found = SMALL[name](FITNESS, NB201, np.random.default_rng(0), queries=75)
    rows = found.trajectory
    assert rows["query"].to_list() == list(range(1, 76))
    assert rows["value"].to_list() == [convolutions(a) for a in found.archs]
    assert rows["best_value"].to_list() == np.maximum.accumulate(found.values).tolist()
    assert [convolutions(a) for a in rows["best_arch"]] == rows["best_value"].to_list()
    assert rows["seconds"].to_list() == [2.0 * i for i in range(1, 76)]
    assert found.best_value == max(found.values)
    assert found.best_arch == found.archs[int(np.argmax(found.values))]


@pytest.mark.parametrize("name", ["regularised_evolution", "spos_evolution"])
def test_evolution_beats_random_search_where_decisions_add_up(name: str) -> None:
    def mean(search: Callable[..., SearchResult]) -> float:
        runs = [search(FITNESS, NB201, np.random.default_rng(s), queries=200).best_value for s in range(10)]
        return float(np.mean(runs))

    assert mean(SMALL[name]) > mean(random_search) + 0.5


def test_random_search_asks_every_architecture_of_a_table_once() -> None:
    archs = [str(a) for a in get_space("nb201").sample(150, np.random.default_rng(0))]
    table = TableFitness("t", "nb201", {a: convolutions(a) for a in archs})
    found = random_search(table, get_moves("nb201", archs=archs), np.random.default_rng(0), queries=1000)
    assert sorted(found.archs) == sorted(archs)
    assert found.exhausted


def test_ageing_the_oldest_dies_and_the_best_of_the_sample_is_the_parent() -> None:
    """Against a plain reading of Real et al.'s Algorithm 1 on the recorded history."""
    settings = EvolutionSettings(population=4, sample=200)  # a sample that (nearly) always holds the best alive
    found = regularised_evolution(FITNESS, NB201, np.random.default_rng(3), queries=60, settings=settings)
    for query in range(4, 60):
        alive = found.archs[query - 4 : query]  # the last four born: older ones have died, however good
        top = max(map(convolutions, alive))
        parents = [a for a in alive if convolutions(a) == top]
        child = NB201.decisions(found.archs[query])
        assert any(sum(x != y for x, y in zip(NB201.decisions(p), child, strict=True)) == 1 for p in parents)


def test_spos_asks_nothing_twice_and_its_children_come_from_the_best() -> None:
    settings = SposSettings(population=20, iterations=3, top_k=3, mutation=10, crossover=10, probability=0.2)
    found = spos_evolution(FITNESS, NB201, np.random.default_rng(0), settings=settings)
    assert len(found) == len(set(found.archs)) == 60
    best = sorted(found.archs[:20], key=convolutions, reverse=True)[:3]
    genes = np.array([NB201.decisions(a) for a in best])
    crossed = [np.array(NB201.decisions(a)) for a in found.archs[20:40]]
    near = sum(bool((c == genes).any(axis=0).all()) for c in crossed)
    assert near >= 5  # children made of the genes of the three best (random ones would be few)


def test_published_presets() -> None:
    nb201, darts = SPOS_PRESETS["genas-nb201"], SPOS_PRESETS["genas-darts"]
    assert (nb201.population, nb201.iterations, nb201.mutation, nb201.crossover, nb201.probability) == (
        100,
        20,
        50,
        50,
        0.1,
    )
    assert (darts.population, darts.iterations, darts.mutation, darts.crossover, darts.top_k) == (50, 20, 25, 25, 10)
    found = spos_evolution(FITNESS, NB201, np.random.default_rng(0), settings="genas-nb201")
    assert len(found) == 2000
    assert found.best_value == BEST
    with pytest.raises(UnknownNameError, match="unknown preset of spos_evolution 'genas'"):
        spos_evolution(FITNESS, NB201, np.random.default_rng(0), settings="genas")
    with pytest.raises(UnknownNameError, match="unknown preset of regularised_evolution 'real'"):
        regularised_evolution(FITNESS, NB201, np.random.default_rng(0), settings="real", queries=5)


def test_spos_ends_when_a_table_has_nothing_new() -> None:
    archs = [str(a) for a in get_space("nb201").sample(30, np.random.default_rng(0))]
    table = TableFitness("t", "nb201", {a: convolutions(a) for a in archs})
    found = spos_evolution(table, get_moves("nb201", archs=archs), np.random.default_rng(0), settings=SMALL_SPOS)
    assert found.exhausted
    assert sorted(found.archs) == sorted(archs)


SMALL_SPOS = SposSettings(20, 10, 5, 10, 10, 0.1)


def test_halving_keeps_the_best_and_pays_for_the_steps_in_between() -> None:
    fitness = Growing()
    found = successive_halving(fitness, NB201, np.random.default_rng(0), start=18, eta=3, steps=(1, 2, 4))
    assert fitness.calls == [(18, 1, 0), (6, 2, 1), (2, 4, 2)]
    assert found.steps == (1,) * 18 + (2,) * 6 + (4,) * 2
    assert found.seconds[-1] == 18 * 1 + 6 * 1 + 2 * 2
    survivors = sorted(found.archs[:18], key=convolutions)[:6]  # at step 1 fewer convolutions are better
    assert sorted(map(convolutions, found.archs[18:24])) == sorted(map(convolutions, survivors))
    assert found.best_arch == max(found.archs[24:], key=convolutions)  # the last rung decides, though 100 is more
    assert found.best_value < found.values[:24].min()
    assert "step" in set(found.trace("b", "d")["quantity"])


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"steps": (3, 1)}, r"expected ascending steps from 1, got \(3, 1\)"),
        ({"steps": ()}, r"expected ascending steps from 1, got \(\)"),
        ({"eta": 1}, "eta above 1, got 81 and 1"),
        ({"start": 0}, "start of at least 1 and eta above 1, got 0 and 3"),
    ],
)
def test_halving_refuses(how: dict[str, Any], message: str) -> None:
    with pytest.raises(SearchError, match=message):
        successive_halving(Growing(), NB201, np.random.default_rng(0), **how)


def test_halving_drops_the_undefined_and_stops_where_a_rung_is() -> None:
    class Half(Growing):
        def __call__(self, archs: Sequence[str], /, step: int, after: int = 0) -> Answers:
            values = [math.nan if step > 3 or i % 2 else float(i) for i in range(len(archs))]
            return Answers.of(values, 0.0)

    with pytest.raises(SearchError, match=r"'growing' is undefined \(NaN\) at step 9 for all 4 architectures"):
        successive_halving(Half(), NB201, np.random.default_rng(0), start=18, eta=2, steps=(1, 3, 9))
    found = successive_halving(Half(), NB201, np.random.default_rng(0), start=18, eta=1.2, steps=(1, 3))
    assert found.steps.count(3) == 9  # 15 places, 9 defined


@pytest.mark.parametrize("name", SMALL)
def test_a_fitness_that_is_never_defined_is_an_error(name: str) -> None:
    nothing = FunctionFitness("naswot", "nb201", lambda _: math.nan)
    with pytest.raises(SearchError, match=rf"{name}: 'naswot' is undefined \(NaN\) for all \d+ architectures tried"):
        SMALL[name](nothing, NB201, np.random.default_rng(0), queries=50)


@pytest.mark.parametrize("name", SMALL)
def test_undefined_architectures_never_win(name: str) -> None:
    partly = FunctionFitness("partly", "nb201", lambda a: math.nan if NB201.decisions(a)[0] == 3 else convolutions(a))
    found = SMALL[name](partly, NB201, np.random.default_rng(0), queries=100)
    assert found.n_undefined > 0
    assert NB201.decisions(found.best_arch)[0] != 3
    assert found.trajectory["value"].null_count() == found.n_undefined


def test_a_budget_in_seconds_ends_with_the_query_that_passes_it() -> None:
    for search in SMALL.values():
        found = search(FITNESS, NB201, np.random.default_rng(0), seconds=51.0)
        assert (len(found), found.seconds[-1]) == (26, 52.0)
    with pytest.raises(SearchError, match="random_search: expected a budget: queries=, seconds= or both"):
        random_search(FITNESS, NB201, np.random.default_rng(0))
    with pytest.raises(SearchError, match="queries: expected at least 1, got 0"):
        spos_evolution(FITNESS, NB201, np.random.default_rng(0), queries=0)
    with pytest.raises(SearchError, match="seconds: expected a positive number, got -1"):
        random_search(FITNESS, NB201, np.random.default_rng(0), seconds=-1)


def test_a_free_fitness_with_a_budget_in_seconds_ends_too() -> None:
    free = Memoised(FunctionFitness("free", "nb201", convolutions))
    found = regularised_evolution(free, NB201, np.random.default_rng(0), seconds=1.0)
    assert found.exhausted
    assert len(found) == 10_000


def test_repeats_cost_no_time_and_may_count_as_queries() -> None:
    settings = EvolutionSettings(10, 10)
    counting = regularised_evolution(Memoised(FITNESS), NB201, np.random.default_rng(0), queries=300, settings=settings)
    assert len(counting) == 300
    assert counting.seconds[-1] == 2.0 * len(set(counting.archs)) < 600
    once = Memoised(FITNESS, count_repeats=False)
    found = regularised_evolution(once, NB201, np.random.default_rng(0), queries=300, settings=settings)
    assert len(found) == len(set(found.archs)) == 300
    assert found.seconds[-1] == 600.0


def test_fitness_and_moves_of_two_spaces_are_refused() -> None:
    for name, search in ALGORITHMS.items():
        with pytest.raises(SearchError, match=f"{name}: expected moves of the fitness's space 'nb201', got 'darts'"):
            search(FITNESS, get_moves("darts"), np.random.default_rng(0), queries=10)


def test_the_trace_is_a_trace() -> None:
    found = random_search(FITNESS, NB201, np.random.default_rng(0), queries=5)
    truth = {found.best_arch: 93.0}
    trace = check(found.trace("nb201", "cifar10", search_seed=3, truth=truth, part="x=1"), "TRACE")
    assert set(trace["quantity"]) == {
        "fitness", "best_fitness", "seconds", "true_accuracy_of_best", "arch", "best_arch",
    }  # fmt: skip
    assert trace.drop("epoch", "quantity", "value", "text").unique().rows() == [
        ("nb201", "cifar10", "random_search", "convolutions", "x=1", None, 3)
    ]
    last = trace.filter(epoch=5)
    assert last.filter(quantity="true_accuracy_of_best")["value"].item() == 93.0
    assert last.filter(quantity="best_arch")["text"].item() == found.best_arch
    assert last.filter(quantity="best_fitness")["value"].item() == found.best_value

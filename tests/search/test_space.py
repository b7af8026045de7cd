"""Moves of a search: one decision at a time, always inside the space, the table and the limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasanalysis.core.errors import MissingCapabilityError, SearchError, UnknownNameError
from nasanalysis.search import Constraint, Moves, Within, get_moves
from nasanalysis.search.space import CellMoves
from nasanalysis.spaces import get_space
from nasanalysis.spaces.capabilities import TwoCells

SPACES = ("nb201", "nats-sss", "nb101-1", "nb101-2", "nb101-3", "darts", "s1", "s2", "s3", "s4", "s5")
SEEDS = st.integers(0, 2**32 - 1)


def archs_of(space: str, n: int, seed: int = 0) -> list[str]:
    return [str(arch) for arch in get_space(space).sample(n, np.random.default_rng(seed))]


def n_different(moves: Moves, first: str, second: str) -> int:
    return sum(a != b for a, b in zip(moves.decisions(first), moves.decisions(second), strict=True))


@pytest.mark.parametrize("space", SPACES)
@settings(max_examples=25)
@given(seed=SEEDS)
def test_moves_stay_in_the_space_and_a_mutation_changes_one_decision(space: str, seed: int) -> None:
    rng, moves = np.random.default_rng(seed), get_moves(space)
    a, b = moves.sample(rng), moves.sample(rng)
    child, mutant, perturbed = moves.crossover(a, b, rng), moves.mutate(a, rng), moves.perturb(a, 0.3, rng)
    for arch in (a, b, child, mutant, perturbed):
        assert str(get_space(space).parse(arch)) == arch  # canonical, and one of the space's own
        assert 0 <= get_space(space).index(arch) < len(get_space(space))
    assert n_different(moves, a, mutant) == 1
    assert moves.crossover(a, a, rng) == a
    assert moves.perturb(a, 1e-300, rng) == a
    mixed = zip(moves.decisions(child), moves.decisions(a), moves.decisions(b), strict=True)
    assert all(own in (first, second) for own, first, second in mixed)


@pytest.mark.parametrize("space", ["nb201", "nats-sss", "nb101-1", "nb101-2"])
def test_mutations_are_the_neighbours_of_the_space_and_equally_likely_by_decision(space: str) -> None:
    rng, moves = np.random.default_rng(1), get_moves(space)
    arch = archs_of(space, 1)[0]
    found = [moves.mutate(arch, rng) for _ in range(3000)]
    assert set(found) == {str(near) for near in get_space(space).neighbours(arch)}
    own = moves.decisions(arch)
    changed = [next(i for i, g in enumerate(moves.decisions(a)) if g != own[i]) for a in found]
    counts = np.unique(changed, return_counts=True)[1]
    expected = 3000 / len(counts)
    assert (np.abs(counts - expected) < 5 * expected**0.5).all()


@pytest.mark.parametrize("space", ["darts", "s1", "s3", "s5"])
def test_a_cell_mutation_changes_one_input(space: str) -> None:
    rng, moves = np.random.default_rng(2), CellMoves(get_space(space, TwoCells))
    kinds = set()
    for _ in range(400):
        arch = moves.sample(rng)
        child = moves.mutate(arch, rng)
        (old, new), *more = [
            (set(a), set(b)) for a, b in zip(moves.decisions(arch), moves.decisions(child), strict=True) if a != b
        ]
        assert not more
        assert len(old - new) == len(new - old) == 1
        kinds.add("source" if next(iter(old - new))[1] != next(iter(new - old))[1] else "operation")
    assert kinds == ({"operation"} if space == "s5" else {"source", "operation"})  # S5: both inputs are read always


def test_darts_mutations_are_neighbours_of_the_space() -> None:
    rng, moves, space = np.random.default_rng(3), get_moves("darts"), get_space("darts")
    arch = moves.sample(rng)
    near = {str(a) for a in space.neighbours(arch)}
    assert {moves.mutate(arch, rng) for _ in range(300)} <= near


def test_samples_are_uniform() -> None:
    rng, moves = np.random.default_rng(4), get_moves("nb201")
    digits = np.array([moves.decisions(moves.sample(rng)) for _ in range(5000)])
    for column in digits.T:
        assert (np.abs(np.bincount(column, minlength=5) - 1000) < 5 * 1000**0.5).all()


def test_perturb_redraws_with_its_probability() -> None:
    rng, moves = np.random.default_rng(5), get_moves("nb201")
    arch = moves.sample(rng)
    changed = np.mean([n_different(moves, arch, moves.perturb(arch, 0.1, rng)) for _ in range(4000)])
    assert abs(changed - 6 * 0.1 * 0.8) < 0.06  # one of five draws gives the old operation


@pytest.mark.parametrize("space", ["nb201", "darts"])
def test_fresh_ones_are_distinct_and_unseen(space: str) -> None:
    rng, moves = np.random.default_rng(6), get_moves(space)
    seen = set(moves.fresh(50, rng))
    new = moves.fresh(50, rng, seen)
    assert len(set(new)) == 50
    assert not seen & set(new)


def test_within_the_whole_space_is_the_space() -> None:
    arch = archs_of("nb201", 1)[0]
    everything = [str(a) for a in get_space("nb201")]
    assert get_moves("nb201", archs=everything) is get_moves("nb201")
    inside, rng = Within(get_moves("nb201"), everything), np.random.default_rng(0)
    assert {inside.mutate(arch, rng) for _ in range(1000)} == {str(a) for a in get_space("nb201").neighbours(arch)}


@pytest.mark.parametrize("space", ["nb201", "darts"])
def test_within_stays_inside_and_goes_to_the_nearest(space: str) -> None:
    archs = archs_of(space, 120)
    moves, rng = get_moves(space, archs=archs, nearest=10), np.random.default_rng(7)
    assert isinstance(moves, Within)
    plain = get_moves(space)
    for arch in archs[:5]:
        distances = sorted(n_different(plain, arch, other) for other in archs if other != arch)
        assert sorted(moves.distances(arch))[1:] == distances
        found = {moves.mutate(arch, rng) for _ in range(300)}
        assert found <= set(archs) - {arch}
        assert {n_different(plain, arch, other) for other in found} == set(distances[:10])
        assert moves.crossover(arch, arch, rng) == arch
        assert moves.perturb(arch, 0.5, rng) in archs
        assert moves.crossover(arch, archs[-1], rng) in archs
    assert sorted(moves.fresh(500, rng)) == sorted(archs)
    assert moves.fresh(500, rng, set(archs)) == []


def test_a_constraint_holds_for_every_move() -> None:
    limit = Constraint(params_min=100_000, params_max=500_000, flops_max=80e6)
    moves, rng, space = get_moves("nb201", constraint=limit), np.random.default_rng(8), get_space("nb201")
    archs = moves.fresh(30, rng)
    archs += [moves.mutate(a, rng) for a in archs] + [moves.crossover(archs[0], a, rng) for a in archs]
    archs += [moves.perturb(a, 0.5, rng) for a in archs[:30]]
    for arch in archs:
        assert 100_000 <= space.params(arch, "cifar10") <= 500_000
        assert space.flops(arch, "cifar10") <= 80e6
    assert str(limit) == "100,000 <= params <= 500,000, flops <= 80,000,000"


def test_a_constraint_on_a_table_filters_it() -> None:
    archs, limit = archs_of("nb201", 100), Constraint(params_max=400_000)
    moves = get_moves("nb201", archs=archs, constraint=limit)
    assert isinstance(moves, Within)
    assert set(moves.archs) == {a for a in archs if get_space("nb201").params(a, "cifar10") <= 400_000}
    with pytest.raises(SearchError, match=r"at least 2 of the 100 architectures to meet params <= 10, got 0"):
        get_moves("nb201", archs=archs, constraint=Constraint(params_max=10))


def test_a_constraint_that_nothing_meets_says_so() -> None:
    moves = get_moves("nb201", constraint=Constraint(params_max=10, tries=50))
    with pytest.raises(SearchError, match=r"no architecture met params <= 10 in 50 draws \(params of random ones run"):
        moves.sample(np.random.default_rng(0))
    with pytest.raises(SearchError, match="expected at least one of params_min"):
        Constraint()
    with pytest.raises(SearchError, match="expected a minimum below the maximum, got 5 and 4"):
        Constraint(flops_min=5, flops_max=4)


def test_spaces_without_moves_say_what_to_do() -> None:
    with pytest.raises(
        MissingCapabilityError, match="'nb101' cannot be searched: it has no moves.* that can: nb201, .*nb101-1"
    ):
        get_moves("nb101")
    with pytest.raises(UnknownNameError, match="unknown space 'nb2O1'.*Did you mean 'nb201'"):
        get_moves("nb2O1")
    with pytest.raises(SearchError, match="nb201: expected architectures as 'nb201:key', got 'darts:x'"):
        get_moves("nb201", archs=["darts:x"])

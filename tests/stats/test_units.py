"""What is resampled: functional classes where a sample holds one network twice, and it is said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest

from nasanalysis.core.errors import StudyError
from nasanalysis.core.schemas import SCHEMAS
from nasanalysis.core.seeding import generator
from nasanalysis.spaces import get_space
from nasanalysis.stats import (
    Resamples,
    Resampling,
    class_labels,
    compare_proxies,
    correlate,
    correlate_seeds,
    crossover,
    difference_by_step,
    first_step_reaching,
    get_statistic,
    kendall_tau,
    neighbour_concordance,
    proxy_matrix,
    rank_sets,
    reliability_table,
    seeds_against_baseline,
    spearman_rho,
)
from nasanalysis.stats.bootstrap import bca_interval, bootstrap_counts, fisher_z_interval
from nasanalysis.stats.classes import dense

SPACE = get_space("nb201")


def twins(n: int = 60) -> list[str]:
    """Architectures of nb201 of which each class stands there two or three times."""
    members: dict[object, list[str]] = {}
    for arch, form in SPACE.unique_archs("functional").items():  # type: ignore[attr-defined]
        members.setdefault(form, []).append(str(arch))
    some = [m[: 2 + i % 2] for i, m in enumerate(m for m in members.values() if len(m) > 2)]
    return [arch for pair in some for arch in pair][:n]


ARCHS = twins()


def truth_of(values: Any, archs: list[str] = ARCHS, **changes: Any) -> pl.DataFrame:
    row = {"benchmark": "b", "dataset": "d", "split": "test", "schedule": 200, "seed": 0, "origin": "trained"}
    rows = [{**row, **changes, "arch": a, "accuracy": float(v)} for a, v in zip(archs, values, strict=True)]
    return pl.DataFrame(rows, schema=SCHEMAS["TRUTH"].columns)


def scores_of(values: Any, proxy: str = "p", archs: list[str] = ARCHS, **changes: Any) -> pl.DataFrame:
    row = {"benchmark": "b", "dataset": "d", "method": "m", "setting": "", "proxy": proxy, "seed": None, "unit": None}
    rows = [{**row, "step": None, **changes, "arch": a, "value": float(v)} for a, v in zip(archs, values, strict=True)]
    return pl.DataFrame(rows, schema=SCHEMAS["SCORES"].columns)


def clustered(seed: int, noise: float = 0.3) -> np.ndarray:
    """Values that members of a class nearly share, within 0 to 100."""
    rng = np.random.default_rng(seed)
    labels = class_labels(ARCHS)
    return 50 + 10 * (rng.normal(size=labels.max() + 1)[labels] + noise * rng.normal(size=len(labels)))


TRUTH = clustered(0)
SCORE = TRUTH + clustered(1)


def test_classes_are_those_of_the_space_and_the_unknown_are_their_own() -> None:
    form = SPACE.unique_archs("functional")  # type: ignore[attr-defined]
    expected = [str(form[SPACE.parse(a.removeprefix("nb201:"))]) for a in ARCHS]
    labels = class_labels(ARCHS)
    for i in range(len(ARCHS)):
        assert [labels[i] == labels[j] for j in range(20)] == [expected[i] == expected[j] for j in range(20)]
    strange = ["nb201:nonsense", "nowhere:1", "nowhere:1", "nowhere:2", ARCHS[0], ARCHS[1]]
    assert class_labels(strange).tolist() == [0, 1, 1, 2, 3, 3]
    assert dense(np.array([7, 3, 7, 5])).tolist() == [0, 1, 0, 2]


def test_encodings_of_one_cell_are_one_class() -> None:
    space = get_space("nb101-1")
    archs = [str(space.arch(i)) for i in range(400)]  # type: ignore[attr-defined]
    classes = {str(space.unique_arch(arch.partition(":")[2])) for arch in archs}  # type: ignore[attr-defined]
    assert class_labels(archs).max() + 1 == len(classes) < len(archs)


def test_default_draws_classes_with_all_their_members() -> None:
    """By hand: draws of classes with replacement, each bringing its members."""
    row = correlate(truth_of(TRUTH), scores_of(SCORE), statistics=["spearman_rho"], n_boot=80, seed=3).row(
        0, named=True
    )
    assert row["resampled"] == "class"
    assert row["interval"] == "Fisher z bootstrap over functional classes"
    order = np.argsort(ARCHS)  # architectures in order of their text
    x, y, labels = SCORE[order], TRUTH[order], dense(class_labels([ARCHS[i] for i in order]))
    n = int(labels.max()) + 1
    drawn = []
    for counts in bootstrap_counts(n, 80, generator(3, "stats", "bootstrap")):
        rows = np.concatenate([np.flatnonzero(labels == c) for c in np.repeat(np.arange(n), counts)])
        drawn.append(spearman_rho(x[rows], y[rows]))
    made = fisher_z_interval(drawn, spearman_rho(x, y), n)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((made.low, made.high))
    assert row["estimate"] == pytest.approx(spearman_rho(SCORE, TRUTH))


def test_bca_leaves_out_one_class_at_a_time() -> None:
    row = correlate(
        truth_of(TRUTH), scores_of(SCORE), statistics=["kendall_tau"], n_boot=80, interval="bca"
    ).row(0, named=True)  # fmt: skip
    assert row["interval"] == "BCa bootstrap over functional classes"
    order = np.argsort(ARCHS)
    x, y, labels = SCORE[order], TRUTH[order], dense(class_labels([ARCHS[i] for i in order]))
    counts = bootstrap_counts(int(labels.max()) + 1, 80, generator(0, "stats", "bootstrap"))[:, labels]
    without = [kendall_tau(x[labels != c], y[labels != c]) for c in range(int(labels.max()) + 1)]
    made = bca_interval(Resamples(y, counts).kendall_tau(x), kendall_tau(x, y), without)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((made.low, made.high))


def test_architectures_are_drawn_where_asked_for_and_where_no_class_stands_twice() -> None:
    asked = correlate(truth_of(TRUTH), scores_of(SCORE), n_boot=40, unit="arch")
    assert set(asked["resampled"]) == {"arch"}
    plain = [f"nb201:{i:02d}" for i in range(len(ARCHS))]  # nobody knows these, in the order of their text
    order = np.argsort(ARCHS)
    unknown = correlate(truth_of(TRUTH[order], plain), scores_of(SCORE[order], archs=plain), n_boot=40)
    ends = ["estimate", "ci_low", "ci_high", "resampled", "interval"]
    assert asked.select(ends).equals(unknown.select(ends))
    named = correlate(truth_of(TRUTH[order], plain), scores_of(SCORE[order], archs=plain), n_boot=40, unit="class")
    assert named.select(ends[:3]).equals(unknown.select(ends[:3]))
    assert set(named["resampled"]) == {"class"}
    wide = correlate(truth_of(TRUTH), scores_of(SCORE), n_boot=200)
    narrow = correlate(truth_of(TRUTH), scores_of(SCORE), n_boot=200, unit="arch")
    width = [(t["ci_high"] - t["ci_low"]).to_numpy() for t in (wide, narrow)]
    assert (width[0] > 1.2 * width[1]).all()


def test_halves_are_of_classes_too() -> None:
    row = correlate(truth_of(TRUTH), scores_of(SCORE), statistics=["topk_mean@5"], n_boot=20).row(0, named=True)
    assert (row["resampled"], row["interval"]) == ("class", "random halves of the functional classes")


BOTH = pl.concat([scores_of(SCORE), scores_of(clustered(2), "q")])
STEPS = pl.concat([scores_of(SCORE, step=s, unit="epoch") for s in (1, 2)] + [scores_of(clustered(3), "q")])
SEEDS = pl.concat([scores_of(SCORE + i * clustered(4 + i), seed=i) for i in range(3)])
RUNS = pl.concat([truth_of(TRUTH + np.random.default_rng(i).normal(size=len(ARCHS)), seed=i) for i in range(3)])
ASK: dict[str, Callable[..., pl.DataFrame]] = {
    "correlate": lambda **k: correlate(truth_of(TRUTH), BOTH, n_boot=60, **k),
    "compare_proxies": lambda **k: compare_proxies(truth_of(TRUTH), BOTH, n_boot=60, n_permutations=40, **k),
    "difference_by_step": lambda **k: difference_by_step(truth_of(TRUTH), STEPS, "p", "q", n_boot=60, **k),
    "first_step_reaching": lambda **k: first_step_reaching(truth_of(TRUTH), STEPS, 0.3, n_boot=60, **k),
    "crossover": lambda **k: crossover(truth_of(TRUTH), STEPS, "p", "q", n_boot=60, **k),
    "proxy_matrix": lambda **k: proxy_matrix(BOTH, n_boot=60, **k).filter(pl.col("first") != pl.col("second")),
    "neighbour_concordance": lambda **k: neighbour_concordance(truth_of(TRUTH), BOTH, n_boot=60, **k),
    "rank_sets": lambda **k: rank_sets(truth_of(TRUTH), BOTH, n_boot=60, **k),
    "reliability_table": lambda **k: reliability_table(RUNS, n_boot=60, **k),
}


@pytest.mark.parametrize("name", ASK)
def test_every_table_names_what_was_resampled(name: str) -> None:
    default, archs = ASK[name](), ASK[name](unit="arch")
    assert set(default["resampled"]) == {"class"}
    assert set(archs["resampled"]) == {"arch"}
    assert ASK[name](unit="class").equals(default)


def test_seeds_and_classes_at_once() -> None:
    for over, unit, said in (
        ("archs", "arch", "percentile bootstrap over architectures"),
        ("classes", "class", "percentile bootstrap over functional classes"),
        ("seeds", "seed", "percentile bootstrap over seeds"),
        ("nested", "nested", "percentile bootstrap over functional classes and seeds"),
    ):
        options: dict[str, Any] = {"over": over, "n_boot": 40}
        row = correlate_seeds(truth_of(TRUTH), SEEDS, statistics=["spearman_rho"], **options).row(0, named=True)
        assert (row["resampled"], row["interval"]) == (unit, said)
        gap = seeds_against_baseline(truth_of(TRUTH), SEEDS, scores_of(clustered(9), "params"), **options)
        gap = gap.row(0, named=True)
        assert (gap["resampled"], gap["interval"]) == (unit, said)


def test_one_class_in_the_sample_has_no_interval_and_says_so() -> None:
    form = SPACE.unique_archs("functional")  # type: ignore[attr-defined]
    first = next(iter(form.values()))
    archs = [str(arch) for arch, of in form.items() if of == first][:6]
    values = [10.0, 30, 20, 40, 60, 50]
    row = correlate(truth_of(values, archs), scores_of(range(6), archs=archs), n_boot=20).row(0, named=True)
    assert (row["ci_low"], row["ci_high"]) == (None, None)
    assert row["interval"] == "no interval: all 6 architectures are of one functional class"
    both = pl.concat([scores_of(range(6), archs=archs), scores_of(values, "q", archs)])
    row = compare_proxies(truth_of(values, archs), both, n_boot=20).row(0, named=True)
    assert (row["ci_low"], row["verdict"]) == (None, "not told apart")
    assert rank_sets(truth_of(values, archs), both, n_boot=20)["rank_high"].to_list() == [2, 2]


def test_the_unit_is_checked() -> None:
    with pytest.raises(ValueError, match="unit: expected one of class, arch, seed, nested"):
        correlate(truth_of(TRUTH), BOTH, unit="archs")  # type: ignore[arg-type]
    with pytest.raises(StudyError, match="expected unit 'arch' or 'class' here, got 'seed'"):
        correlate(truth_of(TRUTH), BOTH, unit="seed")
    chosen = Resampling(60, unit="class")
    assert correlate(truth_of(TRUTH), BOTH, resampling=chosen).equals(ASK["correlate"]())


def test_clustered_samples_are_covered() -> None:
    """Triples of isomorphs: intervals over architectures held the truth in 70 to 87 %."""
    rng = np.random.default_rng(5)
    labels = np.repeat(np.arange(40), 3)
    held = {"arch": 0, "class": 0}
    measure = get_statistic("spearman_rho")
    for _ in range(120):
        y, noise = rng.normal(size=40), rng.normal(size=40)
        x = 0.6 * y + 0.8 * noise
        truth, score = (v[labels] + 0.05 * rng.normal(size=120) for v in (y, x))
        for name in held:
            units = Resampling(150, unit=name).units(120, labels)  # type: ignore[arg-type]
            drawn = Resamples(truth, units.spread(bootstrap_counts(units.n, 150, rng)))
            made = fisher_z_interval(drawn.spearman_rho(score), measure(score, truth), units.n)
            held[name] += made.low <= 6 / np.pi * np.arcsin(0.3) <= made.high
    assert held["class"] >= 0.88 * 120
    assert held["arch"] <= 0.85 * 120

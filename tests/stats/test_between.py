"""Proxy against proxy, neighbours and isomorphs."""

from __future__ import annotations

import itertools
import math

import numpy as np
import polars as pl
import pytest

from nasanalysis.core.errors import MissingCapabilityError, StudyError, UnknownNameError
from nasanalysis.core.frames import SCHEMAS
from nasanalysis.core.seeding import generator
from nasanalysis.spaces import get_space, require
from nasanalysis.stats import (
    cluster_proxies,
    isomorph_spread,
    kendall_tau,
    neighbour_concordance,
    neighbours,
    partial_spearman,
    proxy_matrix,
    redundancy,
    spearman_rho,
)
from nasanalysis.stats.bootstrap import bootstrap_counts

PLACE = {"benchmark": "nats-tss", "dataset": "cifar10"}
SPACE = get_space("nb201")


def some_archs(n: int) -> list[str]:
    """An architecture, its neighbours, and theirs, up to n."""
    found = [str(SPACE.arch(11))]
    for arch in found:
        for other in SPACE.neighbours(arch):
            if len(found) == n:
                return found
            if str(other) not in found:
                found.append(str(other))
    return found


def truth_frame(archs: list[str], accuracy) -> pl.DataFrame:
    row = {**PLACE, "split": "test", "schedule": 200, "seed": 0, "origin": "trained"}
    rows = [{**row, "arch": a, "accuracy": v} for a, v in zip(archs, accuracy, strict=True)]
    return pl.DataFrame(rows, schema=SCHEMAS["TRUTH"].columns)


def score_frame(archs: list[str], values, proxy: str = "p", step: int | None = None) -> pl.DataFrame:
    row = {**PLACE, "method": "m", "setting": "s", "proxy": proxy, "seed": 0, "unit": None, "step": step}
    row["unit"] = None if step is None else "epoch"
    rows = [{**row, "arch": a, "value": None if v is None else float(v)} for a, v in zip(archs, values, strict=True)]
    return pl.DataFrame(rows, schema=SCHEMAS["SCORES"].columns)


# ---- neighbours


def distance(a: str, b: str) -> int:
    return sum(x != y for x, y in zip(SPACE.operations(a), SPACE.operations(b), strict=True))


def test_concordance_equals_a_loop_over_pairs() -> None:
    archs = some_archs(60)
    rng = np.random.default_rng(0)
    truth, score = rng.integers(0, 8, 60) * 10.0, rng.integers(0, 5, 60) * 1.0
    table = neighbour_concordance(truth_frame(archs, truth), score_frame(archs, score), n_boot=30, unit="arch")
    row = table.row(0, named=True)
    pairs = [(i, j) for i, j in itertools.combinations(range(60), 2) if distance(archs[i], archs[j]) == 1]
    value = {}
    for i, j in pairs:
        if truth[i] != truth[j]:
            agree = np.sign(score[i] - score[j]) * np.sign(truth[i] - truth[j])
            value[i, j] = (agree + 1) / 2
    assert row["n_pairs"] == len(value)
    assert row["n_tied"] == len(pairs) - len(value)
    assert row["concordance"] == pytest.approx(np.mean(list(value.values())))
    assert row["ci_low"] <= row["concordance"] <= row["ci_high"]
    order = np.argsort(archs)
    drawn = []
    for counts in bootstrap_counts(60, 30, generator(0, "stats", "bootstrap")):
        count = np.empty(60)
        count[order] = counts  # resamples are of architectures in order of their text
        weight = np.array([count[i] * count[j] for i, j in value])
        drawn.append(weight @ np.array(list(value.values())) / weight.sum())
    assert (row["ci_low"], row["ci_high"]) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])))


def test_concordance_limits() -> None:
    archs = some_archs(40)
    truth = np.linspace(10, 90, 40)
    facts = truth_frame(archs, truth)
    perfect = neighbour_concordance(facts, score_frame(archs, truth**2), n_boot=20).row(0, named=True)
    assert (perfect["concordance"], perfect["ci_low"]) == (1, 1)
    reverse = neighbour_concordance(facts, score_frame(archs, truth, "sotl"), n_boot=0).row(0, named=True)
    assert reverse["concordance"] == 0  # a loss that is higher where accuracy is
    flat = neighbour_concordance(facts, score_frame(archs, [1.0] * 40), n_boot=0).row(0, named=True)
    assert flat["concordance"] == 0.5
    far = [a for a in archs if distance(a, archs[0]) == 2][:1]
    alone = [archs[0], *far, str(SPACE.arch(0))]
    none = neighbour_concordance(truth_frame(alone, [1.0, 2, 3]), score_frame(alone, [1.0, 2, 3]), n_boot=10)
    assert none.select("concordance", "ci_low", "n_pairs").row(0) == (None, None, 0)


def test_concordance_needs_a_space_with_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    class Bare:
        name, parse = "nb201", SPACE.parse

    monkeypatch.setattr(neighbours, "get_space", lambda name, capability: require(Bare(), capability))
    archs = some_archs(3)
    with pytest.raises(MissingCapabilityError, match="'nb201' cannot list neighbours: it has no neighbours"):
        neighbour_concordance(truth_frame(archs, [1.0, 2, 3]), score_frame(archs, [1.0, 2, 3]))


# ---- isomorphs


def classes(n: int) -> list[list[str]]:
    groups: dict[object, list[str]] = {}
    for arch, first in SPACE.unique_archs("functional").items():
        groups.setdefault(first, []).append(str(arch))
    return [members for members in groups.values() if len(members) >= 3][:n]


def test_isomorph_spread_limits() -> None:
    groups = classes(30)
    archs = [a for group in groups for a in group]
    by_class = [i for i, group in enumerate(groups) for _ in group]
    row = isomorph_spread(score_frame(archs, by_class)).row(0, named=True)
    assert (row["within"], row["largest_gap"], row["unequal"]) == (pytest.approx(0, abs=1e-12), 0, 0)
    assert (row["n_classes"], row["n_archs"]) == (30, len(archs))
    noise = isomorph_spread(score_frame(archs, np.random.default_rng(0).normal(size=len(archs)))).row(0, named=True)
    assert noise["within"] == pytest.approx(1, abs=0.15)
    assert noise["unequal"] == 1
    mixed = np.array(by_class) + np.random.default_rng(0).normal(size=len(archs))
    assert 0 < isomorph_spread(score_frame(archs, mixed))["within"][0] < 0.1


def test_isomorph_spread_by_hand() -> None:
    a, b = classes(2)
    single = str(
        next(x for x in SPACE if sum(SPACE.unique_arch(x, "functional") == y for y in [x]) and str(x) not in a + b)
    )
    scores = score_frame([*a[:2], *b[:2], single], [1.0, 3.0, 5.0, 5.0, 2.0])
    row = isomorph_spread(scores).row(0, named=True)  # ranks 1, 3, 4.5, 4.5 of 5
    ranks = np.array([1, 3, 4.5, 4.5]) / 5
    within = ((ranks[:2] - ranks[:2].mean()) ** 2).sum() / 2
    assert row["within"] == pytest.approx(within / ranks.var(ddof=1))
    assert row["largest_gap"] == pytest.approx(2 / 5)
    assert (row["unequal"], row["n_classes"], row["n_archs"]) == (0.5, 2, 4)
    lone = isomorph_spread(score_frame([single], [1.0])).row(0, named=True)
    assert (lone["within"], lone["n_classes"]) == (None, 0)
    with pytest.raises(StudyError, match="expected a rule of 'nb201' .*functional.*, got 'same'"):
        isomorph_spread(scores, rule="same")


# ---- matrices


def three(n: int = 60):
    rng = np.random.default_rng(0)
    size = rng.normal(size=n)
    x, y = size + 0.5 * rng.normal(size=(2, n))
    archs = [str(SPACE.arch(i)) for i in range(n)]
    frames = [score_frame(archs, v, p) for v, p in ((x, "x"), (y, "y"), (size, "params"))]
    return pl.concat(frames), x, y, size


def test_proxy_matrix() -> None:
    scores, x, y, size = three()
    table = proxy_matrix(scores, n_boot=50)
    found = {(a, b): v for a, b, v in table.select("first", "second", "estimate").rows()}
    assert len(table) == 9
    assert found["x", "y"] == found["y", "x"] == kendall_tau(x, y)
    assert found["x", "x"] == 1
    row = table.filter(first="x", second="params").row(0, named=True)
    assert row["ci_low"] < row["estimate"] < row["ci_high"]
    given = proxy_matrix(scores, statistic="spearman_rho", given=("params",))
    assert set(given["first"]) == {"x", "y"}
    assert given.filter(first="x", second="y")["estimate"][0] == pytest.approx(partial_spearman(x, y, size))
    gap = pl.concat([scores, score_frame([str(SPACE.arch(i)) for i in range(2)], [1.0, 2.0], "z")])
    assert proxy_matrix(gap).filter(first="x", second="z").select("estimate", "n_archs").row(0) == (None, 2)


def test_proxy_matrix_orients_scores() -> None:
    archs = [str(SPACE.arch(i)) for i in range(20)]
    scores = pl.concat([score_frame(archs, range(20), "val_acc"), score_frame(archs, range(20, 0, -1), "sotl")])
    assert proxy_matrix(scores).filter(first="sotl", second="val_acc")["estimate"][0] == 1
    raw = proxy_matrix(scores, directions={"sotl": 1})
    assert raw.filter(first="sotl", second="val_acc")["estimate"][0] == -1


def test_proxy_matrix_refuses() -> None:
    scores, *_ = three(10)
    archs = [str(SPACE.arch(i)) for i in range(10)]
    with pytest.raises(UnknownNameError, match="unknown proxy in these scores 'flops'"):
        proxy_matrix(scores, given=("flops",))
    with pytest.raises(StudyError, match="given needs kendall_tau or spearman_rho, got 'pearson_r'"):
        proxy_matrix(scores, statistic="pearson_r", given=("params",))
    with pytest.raises(StudyError, match="expected a correlation, got 'topk_mean@5'"):
        proxy_matrix(scores, statistic="topk_mean@5")
    steps = pl.concat([scores, score_frame(archs, range(10), "x", step=1)])
    with pytest.raises(StudyError, match="'x' stands under several steps"):
        proxy_matrix(steps)


def test_clusters() -> None:
    rng = np.random.default_rng(0)
    archs = [str(SPACE.arch(i)) for i in range(80)]
    one, two = rng.normal(size=(2, 80))
    values = {"a": one, "b": two, "a2": one + 0.05 * rng.normal(size=80), "minus_b": -two, "noise": rng.normal(size=80)}
    matrix = proxy_matrix(pl.concat([score_frame(archs, v, p) for p, v in values.items()]))
    found = cluster_proxies(matrix)
    assert found.label["a"] == found.label["a2"]
    assert found.label["b"] == found.label["minus_b"]  # a reversed ranking says the same
    assert len(set(found.label.values())) == 3
    assert sorted(found.order) == sorted(values)
    assert abs(found.order.index("a") - found.order.index("a2")) == 1
    assert len(set(cluster_proxies(matrix, threshold=0.0).label.values())) == 1
    undefined = matrix.with_columns(
        pl.when(pl.col("first") == "noise").then(None).otherwise("estimate").alias("estimate")
    )
    with pytest.raises(StudyError, match="correlation of 'noise' and 'a' is undefined"):
        cluster_proxies(undefined)


def test_redundancy_given_params() -> None:
    scores, x, y, size = three(300)
    row = redundancy(scores).row(0, named=True)
    assert (row["first"], row["second"], row["n_archs"]) == ("x", "y", 300)
    assert row["plain"] == pytest.approx(spearman_rho(x, y))
    assert row["partial"] == pytest.approx(partial_spearman(x, y, size))
    assert row["explained"] == pytest.approx(1 - row["partial"] / row["plain"])
    assert abs(row["partial"]) < 0.2 < 0.7 < row["plain"]
    assert not math.isnan(row["explained"])

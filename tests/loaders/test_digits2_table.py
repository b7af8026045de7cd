"""The shipped second edition of digits: its frames against the file read plainly, sharing within classes, damage."""

from __future__ import annotations

import itertools
import math
import shutil
from pathlib import Path

import polars as pl
import pytest
from scipy.stats import spearmanr

import nasanalysis as na
from nasanalysis.core.errors import DataFileError, ParameterError
from nasanalysis.core.resources import shipped
from nasanalysis.loaders.digits2 import ANGLES, BY_EPOCH, HESSIAN, ZERO_COST, from_file
from nasanalysis.search import TableFitness
from nasanalysis.spaces.nb201 import SPACE

FILE = shipped("data/digits-2.parquet")
BENCHMARK = na.load_benchmark("digits-2")
PLAIN = pl.read_parquet(FILE)


def plain(arch: str, seed: int) -> dict[str, object]:
    return PLAIN.row(by_predicate=(pl.col("arch") == arch) & (pl.col("seed") == seed), named=True)


@pytest.mark.parametrize("place", [0, 7, 301])
def test_every_number_stands_where_it_was_recorded(place: int) -> None:
    arch, seed = PLAIN["arch"][place], PLAIN["seed"][place]
    row = plain(arch, seed)
    curves = BENCHMARK.curves(archs=[arch]).filter(seed=seed).sort("step")
    assert curves["train_loss"].to_list() == row["train_loss"]
    assert curves["test_accuracy"].to_list() == row["test_accuracy"]
    scores = BENCHMARK.scores(archs=[arch]).filter(seed=seed)
    for column, proxy in BY_EPOCH.items():
        got = scores.filter(proxy=proxy).sort("step")
        assert (got["step"].to_list(), got["value"].to_list()) == (list(range(1, 13)), row[column])
    for column, proxy in ANGLES.items():
        got = scores.filter(proxy=proxy).sort("step")
        assert (got["step"].to_list(), got["value"].to_list()) == ([1, 2, 4, 8, 12], row[column])
    for column, proxy in HESSIAN.items():
        assert scores.filter(proxy=proxy).select("step", "value").rows() == [(12, row[column])]
    for name in ZERO_COST:
        assert scores.filter(proxy=name).select("step", "value").rows() == [(None, row[name])]
    noise = BENCHMARK.perturbed(archs=[arch]).filter(pl.col("seed") == seed, pl.col("step") == 2)
    assert noise["loss"].to_list() == row["noise_2"]
    assert noise["sigma"].unique().sort().to_list() == [0.0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4]


def test_flatness_is_computed_from_the_recorded_losses() -> None:
    """Eq. 4 by hand, draw by draw, for one run."""
    arch = PLAIN["arch"][0]
    losses = plain(arch, 0)["noise_12"]
    assert isinstance(losses, list)
    chosen = [(0.002, 1), (0.01, 9), (0.02, 13)]  # the first draw of each sigma in the file
    each = []
    for draw in range(4):
        points = [(sigma, losses[at + draw]) for sigma, at in chosen]
        slopes = sum(abs((b[1] - a[1]) / (b[0] - a[0])) for a, b in itertools.pairwise(points))
        each.append(1 / (slopes + abs(points[0][1] / points[0][0])))
    got = na.score(BENCHMARK, "flatness@sigmas=0.002/0.01/0.02", archs=[arch], step=12).filter(seed=0)
    assert got["value"][0] == pytest.approx(sum(each) / 4, rel=1e-12)


def test_minibatches_are_a_benchmark_of_their_own() -> None:
    benchmark = na.load_benchmark("digits-2-minibatches")
    row = plain(PLAIN["arch"][0], 0)
    losses = row["train_minibatch_loss"]
    assert isinstance(losses, list)
    sotl = na.score(benchmark, "sotl", archs=[PLAIN["arch"][0]]).filter(seed=0).sort("step")
    assert sotl["value"][-1] == pytest.approx(math.fsum(losses))
    mini = benchmark.scores(proxy="val_acc_mini", archs=[PLAIN["arch"][0]]).filter(seed=0).sort("step")
    assert mini["step"].to_list() == list(range(10, 101, 10))
    assert mini["value"].to_list() == row["valid_minibatch_accuracy"]
    assert benchmark.truth(split="test")["accuracy"].equals(BENCHMARK.truth(split="test")["accuracy"])


def test_classmates_share_truth_and_curves_and_have_their_own_costs() -> None:
    classes = SPACE.unique_archs("functional")
    trained = set(PLAIN["arch"])
    other = next(a for a in map(SPACE.arch, range(len(SPACE))) if str(a) not in trained and str(classes[a]) in trained)
    home = str(classes[other])
    both = BENCHMARK.truth(split="test", archs=[str(other), home])
    assert both.filter(arch=str(other))["accuracy"].to_list() == both.filter(arch=home)["accuracy"].to_list()
    assert na.score(BENCHMARK, "sotl", archs=[str(other)])["value"].to_list() == (
        na.score(BENCHMARK, "sotl", archs=[home])["value"].to_list()
    )
    assert na.score(BENCHMARK, "params", archs=[str(other)])["value"][0] == SPACE.params(other, "digits")
    for proxy in ("angle", "flatness"):
        with pytest.raises(
            ParameterError, match=f"its class was trained as {home}".replace("|", r"\|").replace("+", r"\+")
        ):
            na.score(BENCHMARK, proxy, archs=[str(other)])


def test_all_cells_of_the_trained_classes_can_be_searched() -> None:
    everything = [str(SPACE.arch(i)) for i in range(len(SPACE))]
    truth = BENCHMARK.truth(split="test", archs=everything).filter(pl.col("seed").is_null())
    weights = PLAIN.unique("arch")
    assert truth["arch"].n_unique() == weights["size"].sum() > PLAIN["arch"].n_unique()
    fitness = TableFitness.from_truth(truth)
    best = truth.sort("accuracy", "arch", descending=[True, False]).row(0, named=True)
    assert fitness([best["arch"]]).values.tolist() == [best["accuracy"]]


def test_costs_rise_with_what_is_measured() -> None:
    seconds = BENCHMARK.metadata["measuring_seconds"]
    assert 0 < seconds["synflow"] < seconds["flatness"] < seconds["weight_hessian_ev"]
    assert set(ZERO_COST) | set(BY_EPOCH.values()) | set(ANGLES.values()) < set(seconds)
    curves = BENCHMARK.curves()
    assert (curves["seconds"] > 0).all()


def test_the_runs_agree_with_the_first_edition() -> None:
    """Cells that both editions trained: the same training, on other processors."""
    first = na.load_benchmark("digits").truth(split="test").filter(pl.col("seed").is_null())
    second = BENCHMARK.truth(split="test").filter(pl.col("seed").is_null())
    both = first.join(second, on="arch")
    assert len(both) > 20
    assert spearmanr(both["accuracy"], both["accuracy_right"]).statistic > 0.9


def test_a_truncated_table_is_refused(tmp_path: Path) -> None:
    for name in ("digits-2.parquet", "digits-2.costs.parquet"):
        shutil.copy(FILE.with_name(name), tmp_path / name)
    whole = (tmp_path / "digits-2.parquet").read_bytes()
    (tmp_path / "digits-2.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataFileError, match=r"digits-2.parquet"):
        from_file(tmp_path / "digits-2.parquet").truth()

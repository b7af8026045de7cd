"""Any proxy of any frame through one `score`: the embedded ones, those of noise, and a stranger's."""

from __future__ import annotations

import math
from dataclasses import dataclass

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import nasanalysis as na
from nasanalysis.core.errors import MissingFrameError, ParameterError, UnknownNameError
from nasanalysis.core.frames import check
from nasanalysis.core.resources import shipped
from nasanalysis.loaders import Benchmark, load_benchmark
from nasanalysis.proxies import PROXIES, as_scores, direction, get_proxy, needs_of, score, score_noise
from nasanalysis.proxies.flatness import flatness

NOISE = na.read_frame(shipped("reports/results/digits_perturbed.parquet"), "PERTURBED")


def noisy(frame: pl.DataFrame = NOISE, **read: pl.DataFrame) -> Benchmark:
    frames = {"PERTURBED": frame, **read}
    return Benchmark("digits", "nb201", ("digits",), read={name: rows.lazy for name, rows in frames.items()})


# --- one score for all frames ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("flatness@sigmas=0.01/0.04/0.1", {}),
        ("flatness@alpha=0,sigmas=0.01/0.04/0.1", {"alpha": 0}),
        ("flatness@statistic=median,sigmas=0.01/0.04/0.1", {"statistic": "median"}),
    ],
)
def test_flatness_of_a_benchmark_is_the_direct_function(name: str, parameters: dict[str, object]) -> None:
    direct = flatness(NOISE, sigmas=[0.01, 0.04, 0.1], **parameters)  # type: ignore[arg-type]
    assert_frame_equal(score(noisy(), name), direct)
    assert direct["value"].null_count() == 0


def test_proxies_of_several_frames_in_one_call() -> None:
    benchmark = noisy(CURVES=load_benchmark("digits").curves())
    table = na.score(benchmark, ["params", "sotl", "sharpness@sigmas=0.01/0.04", "flatness@sigmas=0.01/0.04"])
    assert table["proxy"].unique(maintain_order=True).to_list() == [
        "params", "sotl", "sharpness@sigmas=0.01/0.04", "flatness@sigmas=0.01/0.04",
    ]  # fmt: skip
    ways = table.filter(pl.col("proxy").str.contains("ness")).pivot(on="proxy", index="arch", values="value")
    sharp, flat = ways["sharpness@sigmas=0.01/0.04"], ways["flatness@sigmas=0.01/0.04"]
    assert (sharp == -flat).all()


def test_architectures_and_datasets_are_chosen_before_the_proxy_is_called() -> None:
    archs = NOISE["arch"].unique(maintain_order=True).to_list()[:3]
    table = score(noisy(), "flatness@sigmas=0.01/0.04", archs=archs, dataset="digits")
    assert sorted(table["arch"]) == sorted(archs)
    perturbed = noisy().perturbed("digits", archs=archs, direction="random")
    assert set(perturbed["arch"]) == set(archs)
    with pytest.raises(UnknownNameError, match="unknown dataset of benchmark digits 'digit'"):
        score(noisy(), "flatness", dataset="digit")


def test_a_benchmark_without_the_frame_says_what_it_records() -> None:
    digits = load_benchmark("digits")
    only = Benchmark("only", "nb201", ("digits",), read={"TRUTH": lambda: digits.truth().lazy()})
    with pytest.raises(MissingFrameError, match="'flatness'.*'only' records no PERTURBED frame; it records TRUTH"):
        score(only, "flatness")
    with pytest.raises(MissingFrameError, match="'angle'.*records no SCORES frame"):
        score(only, "angle")
    with pytest.raises(UnknownNameError, match="unknown frame 'curvs'. Did you mean 'curves'"):
        only.frame("curvs")
    assert only.frame("archs").equals(only.archs())
    assert only.frame("truth").equals(only.truth())
    assert only.perturbed().is_empty(), "as truth() and curves(): empty where nothing is recorded"


def test_weights_taken_at_several_steps_have_a_flatness_each() -> None:
    rows = [NOISE.with_columns(unit=pl.lit("epoch"), step=pl.lit(s), loss=pl.col("loss") * (s + 1)) for s in (0, 1, 2)]
    steps = score(noisy(pl.concat(rows)), "flatness@sigmas=0.01/0.04")
    assert steps["step"].unique().sort().to_list() == [0, 1, 2]
    plain = score(noisy(), "flatness@sigmas=0.01/0.04").drop("unit", "step")
    for step in (0, 1, 2):  # losses times c: flatness over c
        one = steps.filter(step=step).with_columns(value=pl.col("value") * (step + 1)).drop("unit", "step")
        assert_frame_equal(one, plain)
    assert score(noisy(pl.concat(rows)), "flatness@sigmas=0.01/0.04", step=1)["step"].unique().to_list() == [1]


def test_noise_of_another_kind_keeps_the_name() -> None:
    hessian = NOISE.with_columns(direction=pl.lit("hessian"))
    both = pl.concat([NOISE.with_columns(loss=pl.col("loss") * 2), hessian])
    kind = {"position": "all", "direction": "hessian", "draws": NOISE["draws"][0]}
    named = score_noise("flatness@sigmas=0.01/0.04", both, **kind)
    assert_frame_equal(named, score(noisy(), "flatness@sigmas=0.01/0.04"))


def test_measures_of_live_networks_are_read_from_recorded_scores() -> None:
    scores = score(load_benchmark("digits"), "params").with_columns(proxy=pl.lit("angle"))
    table = score(noisy(SCORES=scores), "angle")
    assert_frame_equal(table, scores)
    with pytest.raises(UnknownNameError, match="unknown proxy in these scores 'sogn'.*angle"):
        score(noisy(SCORES=scores), "sogn")


def test_needs_by_name() -> None:
    named = {"params": "archs", "sotl_e@3": "curves", "flatness@alpha=0": "perturbed", "tse": "curves"}
    assert {name: needs_of(name) for name in named} == named
    assert needs_of("edgegpu_latency") == needs_of("recorded:params") == "scores"


# --- a proxy from outside ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Thriftiest:
    """The fewest parameters promise the most: wrong, but a proxy."""

    power: float = 1.0

    direction = -1
    needs = "archs"
    reference = "nobody"

    @property
    def name(self) -> str:
        return "thrift" if self.power == 1 else f"thrift@{self.power:g}"

    def __call__(self, archs: pl.DataFrame) -> pl.DataFrame:
        return as_scores(archs, self.name, pl.col("params") ** self.power)


@dataclass(frozen=True)
class WorstDraw:
    """The worst loss under noise."""

    name = "worst_draw"
    direction = -1
    needs = "perturbed"
    reference = "nobody"

    def __call__(self, perturbed: pl.DataFrame) -> pl.DataFrame:
        keys = ["benchmark", "dataset", "arch", "method", "setting", "seed", "unit", "step"]
        return as_scores(perturbed.group_by(keys, maintain_order=True).agg(pl.col("loss").max()), self.name, "loss")


def thrift(argument: str | None) -> Thriftiest:
    return Thriftiest(float(argument or 1))


@pytest.fixture
def open_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PROXIES, "thrift", f"{__name__}:thrift")
    monkeypatch.setitem(PROXIES, "worst_draw", WorstDraw())


@pytest.mark.usefixtures("open_registry")
def test_a_strangers_proxy_is_scored_and_correlated_with_its_direction() -> None:
    digits = load_benchmark("digits")
    table = na.score(digits, ["thrift", "thrift@2", "params"])
    squared = table.filter(proxy="thrift@2")["value"]
    assert squared.to_list() == pytest.approx([v**2 for v in table.filter(proxy="thrift")["value"]])
    assert get_proxy("thrift@2") == Thriftiest(2)
    assert direction("thrift@2") == -1
    rho = na.correlate(digits.truth(split="test"), table, statistics=["spearman_rho"], n_boot=0)
    by_proxy = dict(rho.select("proxy", "estimate").iter_rows())
    assert by_proxy["thrift"] == by_proxy["thrift@2"] == pytest.approx(-by_proxy["params"])
    worst = na.score(noisy(), "worst_draw")
    assert worst["value"].max() == NOISE["loss"].max()
    assert len(worst) == NOISE.select("arch", "seed").n_unique()
    assert direction("worst_draw") == -1


@pytest.mark.usefixtures("open_registry")
def test_a_strangers_proxy_of_noise_is_scored_on_one_kind_of_noise() -> None:
    louder = NOISE.with_columns(direction=pl.lit("hessian"), loss=pl.col("loss") + 100)
    kind = {"position": "all", "direction": "random", "draws": NOISE["draws"][0]}
    assert_frame_equal(score_noise("worst_draw", pl.concat([NOISE, louder]), **kind), na.score(noisy(), "worst_draw"))


@pytest.mark.usefixtures("open_registry")
def test_a_strangers_instance_takes_no_parameter() -> None:
    with pytest.raises(ParameterError, match="proxy 'worst_draw' takes no parameter, got worst_draw@3"):
        get_proxy("worst_draw@3")
    with pytest.raises(UnknownNameError, match="unknown proxy 'thrifd'. Did you mean 'thrift'"):
        get_proxy("thrifd")


def test_scores_of_any_frame_are_a_scores_frame() -> None:
    digits = load_benchmark("digits")
    table = as_scores(digits.archs(), "size", "params")
    assert check(table, "SCORES").equals(table)
    assert table.row(0, named=True) | {"arch": "", "value": 0} == {
        "benchmark": "digits", "dataset": "digits", "arch": "", "method": "none", "setting": "", "proxy": "size",
        "seed": None, "unit": None, "step": None, "value": 0,
    }  # fmt: skip
    holed = as_scores(digits.archs(), "size", pl.lit(math.nan))
    assert holed["value"].null_count() == len(holed), "undefined is null"


def test_every_entry_of_the_registry_is_a_proxy_of_its_name() -> None:
    argument = {"sotl_first": "@3", "sovl_first": "@3", "sum_train_error_first": "@3"}
    argument |= {"graph_count": "@none", "graph_live_count": "@nor_conv_3x3", "graph_length": "@2"}
    for name in PROXIES:
        proxy = get_proxy(name + argument.get(name, ""))
        assert proxy.name.partition("@")[0] == name
        assert proxy.direction in (1, -1)
        assert proxy.needs in ("archs", "curves", "perturbed", "weights", "supernet"), name

"""Curve and cost proxies against slow, plain references; and what `step` means for every one of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasanalysis.core.errors import FrameError, MissingFrameError, NasAnalysisError, ParameterError, UnknownNameError
from nasanalysis.core.frames import SCHEMAS, check
from nasanalysis.loaders import Benchmark, load_benchmark
from nasanalysis.proxies import ALIASES, PROXIES, Proxy, get_proxy, needs_of, score
from nasanalysis.proxies.graph.proxy import GRAPH_PROXIES
from nasanalysis.proxies.registry import direction
from nasanalysis.spaces.nb201 import SPACE

Series = list[float | None]


def total(values: Series) -> float | None:
    return None if any(v is None for v in values) else math.fsum(v for v in values if v is not None)


def _sum_all(values: Series, j: int) -> float | None:
    return total(values[:j])


def _sum_last(size: int) -> Callable[[Series, int], float | None]:
    return lambda values, j: total(values[j - size : j]) if j >= size else None


def _sum_first(size: int) -> Callable[[Series, int], float | None]:
    return lambda values, j: total(values[:size]) if j >= size else None


def _ema(decay: float) -> Callable[[Series, int], float | None]:
    return lambda values, j: total([None if v is None else decay ** (j - t) * v for t, v in enumerate(values[:j], 1)])


def _last(values: Series, j: int) -> float | None:
    return values[j - 1]


def _error(of: Callable[[Series, int], float | None]) -> Callable[[Series, int], float | None]:
    return lambda values, j: of([None if v is None else 100 - v for v in values], j)


#: Proxy -> (column, its value after step j of a series, direction). Add a case, and every test gains it.
CASES: dict[str, tuple[str, Callable[[Series, int], float | None], int]] = {
    "sotl": ("train_loss", _sum_all, -1),
    "sotl_e": ("train_loss", _sum_last(1), -1),
    "sotl_e@1": ("train_loss", _sum_last(1), -1),
    "sotl_e@3": ("train_loss", _sum_last(3), -1),
    "sotl_first@1": ("train_loss", _sum_first(1), -1),
    "sotl_first@4": ("train_loss", _sum_first(4), -1),
    "sotl_ema": ("train_loss", _ema(0.999), -1),
    "sotl_ema@0.5": ("train_loss", _ema(0.5), -1),
    "sotl_ema@1": ("train_loss", _sum_all, -1),
    "sovl": ("valid_loss", _sum_all, -1),
    "sovl_e@2": ("valid_loss", _sum_last(2), -1),
    "sovl_first@2": ("valid_loss", _sum_first(2), -1),
    "sum_train_error": ("train_accuracy", _error(_sum_all), -1),
    "sum_train_error_e@2": ("train_accuracy", _error(_sum_last(2)), -1),
    "sum_train_error_first@2": ("train_accuracy", _error(_sum_first(2)), -1),
    "train_loss": ("train_loss", _last, -1),
    "train_accuracy": ("train_accuracy", _last, 1),
    "val_acc": ("valid_accuracy", _last, 1),
    "val_loss": ("valid_loss", _last, -1),
}
COLUMNS = ("train_loss", "valid_loss", "train_accuracy", "valid_accuracy")


def curves(runs: dict[tuple[str, int, int | None], dict[str, Series]], *, unit: str = "epoch") -> pl.DataFrame:
    """(arch, schedule, seed) -> column -> values of steps 1, 2, ... -> a CURVES frame."""
    rows = [
        {"arch": f"nb201:{arch}", "schedule": schedule, "seed": seed, "step": j + 1}
        | {column: values[j] for column, values in columns.items()}
        for (arch, schedule, seed), columns in runs.items()
        for j in range(len(next(iter(columns.values()))))
    ]
    types = {"arch": pl.String, "schedule": pl.Int64, "seed": pl.Int64, "step": pl.Int64}
    frame = pl.DataFrame(rows, schema=types | dict.fromkeys(COLUMNS, pl.Float64))
    place = {"benchmark": "b", "dataset": "d", "method": "scratch", "setting": "", "unit": unit}
    return check(frame.with_columns(pl.lit(v).alias(k) for k, v in place.items()), "CURVES")


def by_step(scores: pl.DataFrame, arch: str = "x") -> dict[int, float | None]:
    return dict(scores.filter(pl.col("arch") == f"nb201:{arch}").select("step", "value").iter_rows())


# float32 values, so that what the frame stores is what the reference sums; some steps not recorded
VALUE = st.none() | st.integers(0, 400).map(lambda k: k / 4)
RUN = st.integers(1, 7).flatmap(
    lambda n: st.fixed_dictionaries({c: st.lists(VALUE, min_size=n, max_size=n) for c in COLUMNS})
)
RUNS = st.dictionaries(
    st.tuples(st.sampled_from(["x", "y", "z"]), st.sampled_from([12, 200]), st.sampled_from([None, 0, 1])),
    RUN,
    min_size=1,
    max_size=4,
)


@settings(max_examples=20)
@given(RUNS, st.randoms(use_true_random=False))
def test_every_curve_proxy_equals_its_plain_reference(runs: dict[Any, dict[str, Series]], shuffle: Any) -> None:
    frame = curves(runs)
    order = list(range(len(frame)))
    shuffle.shuffle(order)
    for name, (column, reference, _) in CASES.items():
        scores = get_proxy(name)(frame[order])
        assert scores.columns == list(SCHEMAS["SCORES"].columns)
        found = {
            (arch, setting, seed, step): value
            for arch, setting, seed, step, value in scores.select(
                "arch", "setting", "seed", "step", "value"
            ).iter_rows()
        }
        expected = {
            (f"nb201:{arch}", f"schedule={schedule}", seed, j): reference(columns[column], j)
            for (arch, schedule, seed), columns in runs.items()
            for j in range(1, len(columns[column]) + 1)
        }
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            assert found[key] == (None if value is None else pytest.approx(value, rel=1e-9, abs=1e-9)), (name, key)


@settings(max_examples=8)
@given(RUN, st.data())
def test_step_j_knows_nothing_of_later_steps(run: dict[str, Series], data: Any) -> None:
    whole = {("x", 12, 0): run}
    n = len(run["train_loss"])
    j = data.draw(st.integers(1, n))
    cut = {("x", 12, 0): {c: v[:j] for c, v in run.items()}}
    changed = {("x", 12, 0): {c: v[:j] + [50.0] * (n - j) for c, v in run.items()}}
    for name in CASES:
        proxy = get_proxy(name)
        at_j = by_step(proxy(curves(whole)))[j]
        assert by_step(proxy(curves(cut)))[j] == at_j
        assert by_step(proxy(curves(changed)))[j] == at_j


@pytest.mark.parametrize("name", CASES)
def test_step_j_uses_step_j(name: str) -> None:
    """None lags one behind: a change at step j shows at step j (for a `first` window, while it is open)."""
    column = CASES[name][0]
    base = {c: [1.0, 2.0, 3.0, 4.0, 5.0] for c in COLUMNS}
    for j in range(1, 6):
        other = {c: list(v) for c, v in base.items()}
        other[column][j - 1] = 50.0
        before, after = (by_step(get_proxy(name)(curves({("x", 12, 0): r}))) for r in (base, other))
        size = int(name.partition("@")[2] or 1) if "_first@" in name or ("_e" in name and "ema" not in name) else None
        if "_first@" in name and size is not None and j > size:
            assert before == after
        elif before[j] is not None:
            assert before[j] != after[j]
        assert {s for s in before if before[s] != after[s]} <= set(range(j, 6)), "nothing before step j"


def test_hand_computed_exponential_sum() -> None:
    losses: Series = [2.0, 1.0, 4.0]
    scores = by_step(get_proxy("sotl_ema@0.5")(curves({("x", 12, 0): dict.fromkeys(COLUMNS, losses)})))
    assert scores == {1: 2.0, 2: 0.5 * 2 + 1, 3: 0.25 * 2 + 0.5 * 1 + 4}
    default = by_step(get_proxy("sotl_ema")(curves({("x", 12, 0): dict.fromkeys(COLUMNS, losses)})))
    assert default[3] == pytest.approx(0.999**2 * 2 + 0.999 + 4, rel=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_a_missing_step_or_a_null_value_is_null_not_a_guess(name: str) -> None:
    column, reference, _ = CASES[name]
    values: Series = [1.0, None, 3.0, 4.0, 5.0]
    null = by_step(get_proxy(name)(curves({("x", 12, 0): dict.fromkeys(COLUMNS, values)})))
    assert null == {j: pytest.approx(v) if (v := reference(values, j)) is not None else None for j in range(1, 6)}
    absent = curves({("x", 12, 0): dict.fromkeys(COLUMNS, values)}).filter(pl.col("step") != 2)
    assert by_step(get_proxy(name)(absent)) == {j: v for j, v in null.items() if j != 2}
    nan = curves({("x", 12, 0): {column: values}}).with_columns(pl.col(column).fill_null(float("nan")))
    assert by_step(get_proxy(name)(nan)) == null


def test_step_0_is_no_training_loss() -> None:
    run = {c: [1.0, 2.0] for c in COLUMNS}
    frame = curves({("x", 12, 0): run})
    start = frame.head(1).with_columns(step=pl.lit(0, pl.Int64), train_loss=pl.lit(99.0, pl.Float32))
    scores = get_proxy("sotl")(pl.concat([start, frame]))
    assert by_step(scores) == {1: 1.0, 2: 3.0}


def test_two_schedules_two_seeds_two_methods_stay_apart() -> None:
    runs: dict[tuple[str, int, int | None], dict[str, Series]] = {
        ("x", 12, 0): {"train_loss": [1.0, 1.0]},
        ("x", 200, 0): {"train_loss": [10.0, 10.0]},
        ("x", 12, 1): {"train_loss": [5.0, 5.0]},
    }
    one = curves(runs)
    other = one.with_columns(method=pl.lit("spos"), setting=pl.lit("lr=0.1"), train_loss=pl.col("train_loss") + 1)
    scores = get_proxy("sotl")(pl.concat([one, other])).filter(pl.col("step") == 2)
    found = {(m, s, seed): v for m, s, seed, v in scores.select("method", "setting", "seed", "value").iter_rows()}
    assert found == {
        ("scratch", "schedule=12", 0): 2.0,
        ("scratch", "schedule=200", 0): 20.0,
        ("scratch", "schedule=12", 1): 10.0,
        ("spos", "lr=0.1;schedule=12", 0): 4.0,
        ("spos", "lr=0.1;schedule=200", 0): 22.0,
        ("spos", "lr=0.1;schedule=12", 1): 12.0,
    }


def test_minibatches_are_steps_too() -> None:
    frame = curves({("x", 300, 0): {"train_loss": [1.0, 2.0, 3.0]}}, unit="minibatch")
    scores = get_proxy("sotl_first@2")(frame)
    assert set(scores["unit"]) == {"minibatch"}
    assert by_step(scores) == {1: None, 2: 3.0, 3: 3.0}


def test_no_curves_no_scores() -> None:
    for name in CASES:
        assert get_proxy(name)(SCHEMAS["CURVES"].empty()).is_empty()


def test_pandas_in_pandas_out() -> None:
    pd = pytest.importorskip("pandas")
    frame = curves({("x", 12, None): {"train_loss": [1.0, None]}})
    answer = get_proxy("sotl")(pd.DataFrame(frame.to_dict(as_series=False)))
    assert isinstance(answer, pd.DataFrame)
    assert check(answer, "SCORES").equals(get_proxy("sotl")(frame))


def test_a_frame_that_is_no_curves() -> None:
    with pytest.raises(FrameError, match="CURVES: missing column"):
        get_proxy("sotl")(pl.DataFrame({"arch": ["nb201:x"]}))


# --- names -------------------------------------------------------------------------------------------


def test_every_proxy_has_a_case_here_and_says_what_it_is() -> None:
    here = [name for name in PROXIES if name not in GRAPH_PROXIES]  # those have a file of their own
    assert {name.partition("@")[0] for name in CASES} | {"params", "flops"} == {
        name for name in here if needs_of(name.replace("_first", "_first@1")) in ("archs", "curves")
    }
    for name in [*CASES, "params", "flops"]:
        proxy = get_proxy(name)
        assert isinstance(proxy, Proxy)
        assert proxy.direction == (CASES[name][2] if name in CASES else 1) == direction(name)
        assert proxy.reference
        assert proxy.needs == ("curves" if name in CASES else "archs")
        assert get_proxy(proxy.name) == proxy, "its own name finds it again"


def test_aliases() -> None:
    for alias, name in ALIASES.items():
        assert get_proxy(alias) == get_proxy(name)
    assert get_proxy("tse_e@4") == get_proxy("sotl_e@4")
    assert get_proxy("tl_mini").name == "train_loss"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sotll", "unknown proxy 'sotll'. Did you mean 'sotl'"),
        ("val_accuracy", "unknown proxy 'val_accuracy'. Did you mean"),
        ("", "unknown proxy ''"),
        ("@3", "unknown proxy '@3'"),
    ],
)
def test_unknown_proxies(name: str, message: str) -> None:
    with pytest.raises(UnknownNameError, match=message):
        get_proxy(name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sotl_e@0", "'sotl_e': expected a number of steps such as sotl_e@5, got '0'"),
        ("sotl_e@-1", "got '-1'"),
        ("sotl_e@1.5", "got '1.5'"),
        ("sotl_e@x", "got 'x'"),
        ("sotl_e@", "got ''"),
        ("sotl_e@²", "got '²'"),
        ("sotl_first", "'sotl_first': expected a number of steps such as sotl_first@5, got None"),
        ("sotl@3", "proxy 'sotl' takes no parameter, got sotl@3"),
        ("params@3", "proxy 'params' takes no parameter"),
        ("val_acc@1", "proxy 'val_acc' takes no parameter"),
        ("sotl_ema@2", r"sotl_ema: expected a decay in \(0, 1\], got 2"),
        ("sotl_ema@0", "expected a decay in"),
        ("sotl_ema@nan", "expected a decay in"),
        ("sotl_ema@x", "sotl_ema: expected a decay such as sotl_ema@0.999, got 'x'"),
        ("sotl_ema@", "sotl_ema: expected a decay such as"),
    ],
)
def test_bad_parameters(name: str, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        get_proxy(name)


# --- of a benchmark ----------------------------------------------------------------------------------


def test_costs_are_those_of_the_space() -> None:
    digits = load_benchmark("digits")
    scores = score(digits, ["params", "flops"])
    assert scores["step"].null_count() == len(scores) == 2 * digits.archs()["arch"].n_unique()
    for arch, proxy, value in scores.select("arch", "proxy", "value").iter_rows():
        assert value == getattr(SPACE, proxy)(arch, "digits")


def test_score_of_a_benchmark_is_the_proxy_of_its_curves() -> None:
    digits = load_benchmark("digits")
    scores = score(digits, ["sotl", "val_acc", "sotl_e@5", "params"], step=6)
    assert set(scores["step"].drop_nulls()) == {6}
    assert scores["proxy"].unique(maintain_order=True).to_list() == ["sotl", "val_acc", "sotl_e@5", "params"]
    first = digits.curves().filter(pl.col("step") <= 6).sort("step").partition_by("arch", "seed")[0]
    arch, seed = first["arch"][0], first["seed"][0]
    value = scores.filter(pl.col("proxy") == "sotl", pl.col("arch") == arch, pl.col("seed") == seed)["value"].item()
    assert value == pytest.approx(math.fsum(first["train_loss"].to_list()), rel=1e-6)
    assert score(digits, "sotl").equals(score(digits, ["sotl", "sotl", "tse"])), "one name, or the same twice"


def test_windows_not_yet_full_are_left_out_of_a_benchmarks_scores() -> None:
    scores = score(load_benchmark("digits"), "sotl_first@5")
    assert scores["step"].min() == 5
    assert scores["value"].null_count() == 0


def test_what_a_benchmark_cannot_give() -> None:
    digits = load_benchmark("digits")
    with pytest.raises(NasAnalysisError, match="step 99: expected one of 1 to 12, the completed steps recorded"):
        score(digits, "sotl", step=99)
    with pytest.raises(UnknownNameError, match="unknown proxy 'sotll'. Did you mean 'sotl'"):
        score(digits, ["params", "sotll"])
    with pytest.raises(UnknownNameError, match="unknown dataset of benchmark digits 'digit'. Did you mean 'digits'"):
        score(digits, "params", dataset="digit")
    bare = Benchmark("bare", "nb201", ("digits",), read={"TRUTH": lambda: digits.truth().lazy()})
    with pytest.raises(
        MissingFrameError, match="proxy 'sotl': benchmark 'bare' records no CURVES frame; it records TRUTH"
    ):
        score(bare, "sotl")
    with pytest.raises(NasAnalysisError, match="sotl_first@50.*at most 12 epochs: fewer than the window"):
        score(digits, "sotl_first@50")


def test_unknown_benchmark() -> None:
    with pytest.raises(UnknownNameError, match="unknown benchmark 'digit'. Did you mean 'digits'"):
        load_benchmark("digit")

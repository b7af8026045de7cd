"""Flatness from losses under noise: closed forms, a plain loop, draws, kinds of noise, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from nasanalysis.core.errors import ParameterError, UnknownNameError
from nasanalysis.core.frames import to_pandas
from nasanalysis.proxies.base import Proxy
from nasanalysis.proxies.flatness import Flatness, Sharpness, flatness, flatness_table, inverse_slope

ARCH = "nb201:|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
OTHER = "nb201:|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"


def perturbed(rows, **keys) -> pl.DataFrame:  # type: ignore[no-untyped-def]
    """`rows`: (sigma, draw, loss)."""
    where = {"benchmark": "b", "dataset": "d", "arch": ARCH, "method": "spos", "setting": "s", "seed": 0}
    kind = {"position": "all", "direction": "random", "draws": "independent"}
    table = pl.DataFrame(rows, schema={"sigma": pl.Float64, "draw": pl.Int64, "loss": pl.Float64}, orient="row")
    return table.with_columns(pl.lit(v).alias(k) for k, v in {**where, **kind, **keys}.items())


def slow(losses: list[float], sigmas: list[float], alpha: float) -> float:
    """The formula, term by term."""
    total = 0.0
    for i in range(len(sigmas) - 1):
        total += abs((losses[i + 1] - losses[i]) / (sigmas[i + 1] - sigmas[i]))
    return 1 / (total + alpha * abs(losses[0] / sigmas[0]))


THREE = [(0.0, 0, 0.9), (0.1, 0, 1.0), (0.2, 0, 1.5), (0.4, 0, 1.1)]


def test_closed_form() -> None:
    # slopes 5 and 2, the loss at the first sigma 10: the base row plays no part
    found = flatness(perturbed(THREE)).row(0, named=True)
    assert found["value"] == pytest.approx(1 / 17)
    assert (found["proxy"], found["seed"], found["unit"], found["step"]) == ("flatness", 0, None, None)
    assert flatness(perturbed(THREE), alpha=0)["value"].item() == pytest.approx(1 / 7)
    assert flatness(perturbed(THREE), alpha=0.5)["value"].item() == pytest.approx(1 / 12)
    assert flatness(perturbed(THREE), sigmas=[0.1, 0.4], alpha=0)["value"].item() == pytest.approx(3)
    assert flatness(perturbed(THREE), sigmas=[0.2, 0.4])["value"].item() == pytest.approx(1 / (2 + 7.5))


def test_quadratic_bowl() -> None:
    """E L(w + N(0, s^2)) = s^2 tr(A) / 2 at a minimum of 0: flatness is inverse in the trace."""
    sigmas = [0.1, 0.2, 0.4]
    values = {}
    for trace in (1.0, 4.0):
        rows = [(s, 0, s * s * trace / 2) for s in sigmas]
        values[trace] = flatness(perturbed(rows))["value"].item()
        assert values[trace] == pytest.approx(2 / trace / (0.3 + 0.6 + 0.1))
    assert values[1.0] == pytest.approx(4 * values[4.0])


losses = st.lists(st.floats(1e-3, 50), min_size=3, max_size=3)


@given(st.lists(losses, min_size=1, max_size=4), st.floats(0.1, 3))
def test_draws_are_averaged_after_the_formula(drawn: list[list[float]], alpha: float) -> None:
    sigmas = [0.002, 0.01, 0.02]
    rows = [(s, j, value) for j, each in enumerate(drawn) for s, value in zip(sigmas, each, strict=True)]
    expected = [slow(each, sigmas, alpha) for each in drawn]
    found = flatness_table(perturbed(rows), alpha=alpha).row(0, named=True)
    assert found["value"] == pytest.approx(np.mean(expected))
    assert found["n_draws"] == len(drawn)
    if len(drawn) == 1:
        assert found["standard_error"] is None
    else:
        error = np.std(expected, ddof=1) / math.sqrt(len(drawn))
        assert found["standard_error"] == pytest.approx(error, abs=1e-12)
    median = flatness_table(perturbed(rows), alpha=alpha, statistic="median").row(0, named=True)
    assert median["value"] == pytest.approx(np.median(expected))
    assert median["standard_error"] is None


@given(losses, st.floats(0.01, 100))
def test_flatness_scales_with_the_loss(each: list[float], factor: float) -> None:
    both = inverse_slope(np.array([each, [factor * x for x in each]]), [0.1, 0.2, 0.4], 1.0)
    assert both[0] == pytest.approx(factor * both[1])


def test_order_of_rows_does_not_matter() -> None:
    rows = [(s, j, 1 + s * (j + 1)) for j in range(3) for s in (0.1, 0.2, 0.3)]
    frame = pl.concat([perturbed(rows), perturbed(rows[:3], arch=OTHER)])
    one, other = flatness_table(frame), flatness_table(frame.sample(fraction=1, shuffle=True, seed=1))
    assert_frame_equal(one.sort("arch"), other.sort("arch"))


def test_one_undefined_draw_leaves_the_flatness_undefined_and_is_counted() -> None:
    rows = [(0.1, 0, 1.0), (0.2, 0, 2.0), (0.1, 1, None), (0.2, 1, 2.0), (0.1, 2, 1.0)]  # draw 2 lacks a sigma
    dead = [(0.1, 0, None), (0.2, 0, None)]
    frame = pl.concat([perturbed(rows), perturbed(dead, arch=OTHER)])
    table = flatness_table(frame)
    assert table["n_draws"].to_list() == [1, 0]
    assert table["value"].to_list() == [None, None], "the draws that went well would flatter the sharpest"
    whole = flatness_table(perturbed(rows[:2]))
    assert whole["value"].to_list() == [pytest.approx(1 / 20)]
    assert whole["n_draws"].to_list() == [1]
    assert flatness(frame)["value"].to_list() == table["value"].to_list()


def test_a_loss_without_any_slope_is_undefined_not_infinite() -> None:
    flat = perturbed([(0.1, 0, 1.0), (0.2, 0, 1.0)])
    assert flatness(flat, alpha=0)["value"].item() is None
    assert flatness(flat)["value"].item() == pytest.approx(0.1)
    none = perturbed([(0.1, 0, 0.0), (0.2, 0, 0.0)])
    assert flatness(none)["value"].item() is None


def test_kinds_of_noise_are_never_mixed() -> None:
    frame = pl.concat(
        [
            perturbed([(0.1, 0, 1.0), (0.2, 0, 2.0)]),
            perturbed([(0.1, 0, 1.0), (0.2, 0, 3.0)], position="cells"),
            perturbed([(0.1, 0, 1.0), (0.2, 0, 4.0)], direction="hessian"),
            perturbed([(0.1, 0, 1.0), (0.2, 0, 5.0)], draws="cumulative"),
        ]
    )
    assert flatness(frame)["value"].to_list() == [pytest.approx(1 / 20)]
    assert flatness(frame, position="cells")["value"].to_list() == [pytest.approx(1 / 30)]
    assert flatness(frame, direction="hessian")["value"].to_list() == [pytest.approx(1 / 40)]
    assert flatness(frame, draws="cumulative")["value"].to_list() == [pytest.approx(1 / 50)]
    with pytest.raises(ParameterError, match="expected losses with cells/hessian/independent .* got all/hessian/indep"):
        flatness(frame, position="cells", direction="hessian")
    with pytest.raises(UnknownNameError, match="unknown direction 'hesian'. Did you mean 'hessian'"):
        flatness(frame, direction="hesian")


def test_seeds_null_seed_included_stay_apart() -> None:
    rows = [(0.1, 0, 1.0), (0.2, 0, 2.0)]
    nulled = perturbed(rows).with_columns(pl.lit(None, pl.Int64).alias("seed"))
    found = flatness(pl.concat([perturbed(rows).with_columns(pl.col("seed").cast(pl.Int64)), nulled]))
    assert found["seed"].to_list() == [0, None]
    assert found["value"].null_count() == 0


@pytest.mark.parametrize(
    ("sigmas", "message"),
    [
        ([0.2, 0.1], "got 0.1 after 0.2 in"),
        ([0.1, 0.1], "got 0.1 twice in"),
        ([0.0, 0.1], "each above the one before, got 0 in"),
        ([-0.1, 0.1], "got -0.1 in"),
        ([0.1, math.nan], "got nan in"),
        ([0.1], r"expected at least two sigmas > 0, .*got \[0.1\]"),
        ([0.1, 0.3], "expected sigmas that were measured, 0.1, 0.2, 0.4, got 0.3"),
    ],
)
def test_bad_sigmas_are_refused(sigmas: list[float], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        flatness(perturbed(THREE), sigmas=sigmas)


def test_other_bad_parameters_are_refused() -> None:
    with pytest.raises(ParameterError, match="expected alpha >= 0, got -1"):
        flatness(perturbed(THREE), alpha=-1)
    with pytest.raises(ParameterError, match="expected alpha >= 0, got nan"):
        flatness(perturbed(THREE), alpha=math.nan)
    with pytest.raises(UnknownNameError, match="unknown statistic over draws 'max'"):
        flatness(perturbed(THREE), statistic="max")
    with pytest.raises(ParameterError, match=r"at least two sigmas > 0, each above the one before, got \[0.1\]"):
        flatness(perturbed(THREE[:2]))
    mixed = pl.concat([perturbed(THREE), perturbed(THREE[:3], arch=OTHER)])
    with pytest.raises(
        ParameterError, match="every architecture at the same sigmas, got different ones among 0.1, 0.2"
    ):
        flatness(mixed)
    assert len(flatness(mixed, sigmas=[0.1, 0.2])) == 2


def test_names_carry_the_parameters_and_can_be_read_back() -> None:
    assert Flatness().name == "flatness"
    assert Flatness(alpha=0).name == "flatness@alpha=0"
    genas = Flatness(sigmas=(2e-3, 1e-2, 2e-2))
    assert genas.name == "flatness@sigmas=0.002/0.01/0.02"
    odd = Sharpness(sigmas=(1e-5, 1 / 3), alpha=0.25, position="cells", noise="hessian", draws="cumulative")
    for proxy in (genas, odd, Flatness(statistic="median"), Sharpness()):
        base, _, argument = proxy.name.partition("@")
        assert base == ("sharpness" if isinstance(proxy, Sharpness) else "flatness")
        assert type(proxy).from_argument(argument or None) == proxy
    with pytest.raises(UnknownNameError, match="unknown parameter of flatness 'alfa'. Did you mean 'alpha'"):
        Flatness.from_argument("alfa=0")
    with pytest.raises(ParameterError, match="expected a number for sigmas, got '0.1/x'"):
        Flatness.from_argument("sigmas=0.1/x")
    with pytest.raises(ParameterError, match="once each as alpha=VALUE, got 'alpha=1,alpha=2'"):
        Flatness.from_argument("alpha=1,alpha=2")


def test_proxies_follow_the_protocol_and_sharpness_is_minus_flatness() -> None:
    for proxy, direction in ((Flatness(), 1), (Sharpness(), -1)):
        assert isinstance(proxy, Proxy)
        assert proxy.direction == direction
        assert proxy.needs == "perturbed"
        assert "GeNAS" in proxy.reference
    frame = perturbed(THREE)
    assert Sharpness()(frame)["value"].item() == -Flatness()(frame)["value"].item()
    assert Sharpness()(frame)["proxy"].item() == "sharpness"
    assert Flatness(alpha=0)(frame).equals(flatness(frame, alpha=0))


def test_pandas_in_pandas_out_and_an_empty_frame() -> None:
    pandas = pytest.importorskip("pandas")
    found = flatness(to_pandas(perturbed(THREE)))
    assert isinstance(found, pandas.DataFrame)
    assert found["value"].item() == pytest.approx(1 / 17)
    assert flatness(perturbed([])).is_empty()
    assert flatness_table(perturbed([])).columns[-3:] == ["value", "standard_error", "n_draws"]


def test_shipped_losses_give_a_flatness_for_every_network() -> None:
    from nasanalysis.core.frames import read_frame
    from nasanalysis.core.resources import shipped

    frame = read_frame(shipped("reports/results/digits_perturbed.parquet"), "PERTURBED")
    table = flatness_table(frame, sigmas=[0.01, 0.04, 0.1])
    assert len(table) == 12
    assert table["n_draws"].unique().to_list() == [10]
    one = frame.filter(pl.col("arch") == table["arch"][0], pl.col("draw") == 3).sort("sigma")
    each = one.filter(pl.col("sigma").is_in([0.01, 0.04, 0.1]))["loss"].to_list()
    alone = flatness(one.filter(pl.col("sigma") > 0), sigmas=[0.01, 0.04, 0.1])["value"].item()
    assert alone == pytest.approx(slow(each, [0.01, 0.04, 0.1], 1.0))

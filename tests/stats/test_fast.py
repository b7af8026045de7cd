"""Compiled kernels give what numpy gives, and are loaded only where they pay."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nasanalysis.core.errors import MissingExtraError
from nasanalysis.core.frames import SCHEMAS
from nasanalysis.stats import Resamples, correlate, fast
from nasanalysis.stats.bootstrap import bootstrap_counts

needs_numba = pytest.mark.skipif(not fast.is_available(), reason="needs numba (extra fast)")


@needs_numba
@settings(max_examples=40)
@given(st.integers(1, 90), st.integers(1, 70), st.sampled_from([1, 3, 10**6]), st.integers(0, 2**32 - 1))
def test_compiled_equals_numpy(n: int, n_boot: int, values: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, values, size=(2, n)) / 8
    counts = rng.integers(0, rng.integers(1, 60), size=(n_boot, n))
    with_numba, plain = (Resamples(y, counts, compiled=c) for c in (True, False))
    np.testing.assert_array_equal(with_numba.kendall_tau(x), plain.kendall_tau(x))
    np.testing.assert_array_equal(with_numba.spearman_rho(x), plain.spearman_rho(x))
    np.testing.assert_allclose(with_numba.pearson_r(x), plain.pearson_r(x), rtol=0, atol=1e-9)


@needs_numba
def test_compiled_equals_numpy_on_all_of_nas_bench_201() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=15_625).round(2)
    x = (y + rng.normal(size=15_625)).round(1)
    counts = bootstrap_counts(15_625, 20, rng)
    with_numba, plain = (Resamples(y, counts, compiled=c) for c in (True, False))
    np.testing.assert_array_equal(with_numba.kendall_tau(x), plain.kendall_tau(x))
    np.testing.assert_array_equal(with_numba.spearman_rho(x), plain.spearman_rho(x))


def test_importing_the_package_does_not_import_numba() -> None:
    code = "import sys, nasanalysis.stats; assert 'numba' not in sys.modules, 'numba'"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_it_can_be_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASANALYSIS_COMPILED", "0")
    assert not fast.is_available()
    assert fast.kernels(10**9) is None
    with pytest.raises(MissingExtraError, match=r"compiled=True needs 'numba'.*nasanalysis\[fast\]"):
        fast.kernels(1, True)


def test_number_of_workers_does_not_change_the_table() -> None:
    rng = np.random.default_rng(0)
    archs = [f"nb201:a{i:03d}" for i in range(40)]
    place = {"benchmark": "b", "dataset": "d"}
    truth = pl.DataFrame(
        [
            {**place, "arch": a, "split": "test", "schedule": 1, "seed": 0, "accuracy": v, "origin": "trained"}
            for a, v in zip(archs, rng.uniform(0, 100, 40), strict=True)
        ],
        schema=SCHEMAS["TRUTH"].columns,
    )
    scores = pl.DataFrame(
        [
            {**place, "arch": a, "method": "m", "setting": "s", "proxy": p, "seed": 0, "unit": "epoch", "step": t,
             "value": float(v)}
            for p in "pq" for t in range(1, 5) for a, v in zip(archs, rng.normal(size=40), strict=True)
        ],
        schema=SCHEMAS["SCORES"].columns,
    )  # fmt: skip
    names = ("kendall_tau", "partial_spearman@q0", "topk_mean@3")
    extra = scores.filter(proxy="q", step=1).with_columns(proxy=pl.lit("q0"), unit=None, step=None)
    scores = pl.concat([scores, extra], how="vertical_relaxed")
    one = correlate(truth, scores, statistics=names, n_boot=50)
    two = correlate(truth, scores, statistics=names, n_boot=50, workers=2)
    assert one.equals(two)

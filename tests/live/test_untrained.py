"""Zero-cost measures of untrained networks: the kept values again, gone on from, and set against published ones."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from nasanalysis.core.errors import ArchError, BuildError, UnknownNameError
from nasanalysis.core.frames import check, read_frame, read_provenance
from nasanalysis.core.resources import shipped
from nasanalysis.live import zero_cost
from nasanalysis.live.zero_cost import ZeroCostSettings, agreement, measure_untrained
from nasanalysis.spaces.nb201 import SPACE

KEPT = "reports/results/nb201_zero_cost.parquet"
FAST = ("nwot", "l2_norm", "epe_nas")


@pytest.fixture(scope="module")
def kept() -> pl.DataFrame:
    return read_frame(shipped(KEPT), "SCORES")


@pytest.mark.slow
def test_the_kept_values_are_made_again(
    kept: pl.DataFrame, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zero_cost, "load_images", cache(zero_cost.load_images))  # 25,000 pictures: seconds
    archs = kept["arch"].unique(maintain_order=True).to_list()[:2]
    how = {"build": tmp_path / "build", "out": tmp_path / "out.parquet", "data": data_dir}
    measured = measure_untrained([str(SPACE.index(archs[0])), archs[1]], ZeroCostSettings(proxies=FAST), **how)  # type: ignore[arg-type]
    written = read_frame(tmp_path / "out.parquet", "SCORES")
    assert_frame_equal(written, measured.scores)
    before = kept.filter(pl.col("arch").is_in(archs), pl.col("proxy").is_in(FAST))
    keys = ["arch", "proxy"]
    assert_frame_equal(written.sort(keys), before.sort(keys), rel_tol=1e-3)  # rounding of another processor
    config = read_provenance(shipped(KEPT))["config"]
    ours = read_provenance(tmp_path / "out.parquet")["config"]
    assert {**ours, "proxies": None} == {**config, "proxies": None}
    again = measure_untrained(archs, ZeroCostSettings(proxies=FAST), **how)  # type: ignore[arg-type]
    assert again.seconds == measured.seconds, "finished architectures are not measured again"
    with pytest.raises(BuildError, match="holds finished units of other settings"):
        measure_untrained(archs, ZeroCostSettings(proxies=FAST, seed=1), **how)  # type: ignore[arg-type]


def test_the_default_sample_is_what_is_kept(kept: pl.DataFrame, data_dir: Path) -> None:
    published = zero_cost.load_benchmark("nb201", data_dir).scores("cifar10").filter(setting=zero_cost.PUBLISHED)
    assert zero_cost._with_published(published, data_dir) == kept["arch"].unique(maintain_order=True).to_list()
    table = agreement(kept, published)
    assert (table["architectures"] == 126).all()
    assert (table["spearman"] > 0.95).sum() == 7, "as README says"


def test_agreement_is_a_rank_correlation_of_what_both_have(kept: pl.DataFrame) -> None:
    ours = kept.filter(proxy="snip")
    turned = check(ours.with_columns(value=-2 * pl.col("value")), "SCORES")
    [row] = agreement(ours, turned).to_dicts()
    assert row["spearman"] == pytest.approx(-1)
    assert row["published_median"] == pytest.approx(-2 * row["median"])
    [row] = agreement(ours, turned.head(2)).to_dicts()
    assert (row["architectures"], row["spearman"]) == (2, None)


def test_wrong_names_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    how = {"build": tmp_path / "build", "out": tmp_path / "out.parquet"}
    with pytest.raises(UnknownNameError, match="unknown zero-cost measure 'snipp'. Did you mean 'snip'"):
        measure_untrained([], ZeroCostSettings(proxies=("snipp",)), **how)  # type: ignore[arg-type]
    with pytest.raises(ArchError):
        zero_cost._arch("99999")
    assert not (tmp_path / "build").exists()

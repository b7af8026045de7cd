"""Loss landscapes of digits networks: one command, and the kept files are what it makes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytestmark = pytest.mark.torch

from nasanalysis.builders.landscapes import LandscapeSettings, digits_landscapes
from nasanalysis.core.frames import check, read_provenance
from nasanalysis.core.resources import shipped
from nasanalysis.loaders import load_benchmark
from nasanalysis.spaces.nb201 import SPACE
from nasanalysis.stats import spearman_rho
from nasanalysis.training.digits import DigitsConfig

FILES = ("perturbed", "lines", "surfaces")
SMALL = LandscapeSettings(indices=(0, 1462), planes=(1462,), sigmas=(0.0, 0.1), draws=2, line=3, plane=2)
FEW = DigitsConfig(epochs=1, train=100, valid=50, test=50, draws=1)


def test_three_files_of_the_settings(tmp_path: Path) -> None:
    said: list[str] = []
    paths = digits_landscapes(tmp_path, SMALL, FEW, say=said.append)
    assert [path.name for path in paths] == [f"digits_{name}.parquet" for name in FILES]
    perturbed, lines, surfaces = (pl.read_parquet(path) for path in paths)
    archs = [str(SPACE.arch(index)) for index in SMALL.indices]
    assert_frame_equal(check(perturbed, "PERTURBED"), perturbed)
    assert perturbed.group_by("arch", "sigma").len().sort("arch", "sigma")["len"].to_list() == [1, 2] * 2
    assert lines["arch"].unique(maintain_order=True).to_list() == archs
    assert sorted(set(lines["alpha"])) == [-1.0, 0.0, 1.0]
    assert surfaces["arch"].unique().to_list() == [archs[1]]
    assert len(surfaces) == 2 * 2
    assert read_provenance(paths[0])["config"]["epochs"] == 1
    assert len(said) == 2


def test_what_is_shipped_was_made_with_the_defaults() -> None:
    settings = LandscapeSettings()
    for name in FILES:
        config = read_provenance(shipped(f"reports/results/digits_{name}.parquet"))["config"]
        assert tuple(config["indices"]) == settings.indices
        assert (tuple(config["sigmas"]), config["draws"]) == (settings.sigmas, settings.draws)
        assert (len(config["line"]), len(config["plane"])) == (settings.line, settings.plane)
        trained = DigitsConfig().as_dict()
        assert {**trained, **{key: config[key] for key in trained}, "draws": 4} == trained, "its draws are the noise's"


def test_every_kept_landscape_starts_at_the_loss_of_its_run_in_the_shipped_table() -> None:
    curves = load_benchmark("digits").curves().filter(pl.col("seed") == 0, pl.col("step") == 12)
    recorded = dict(curves.select("arch", "valid_loss").iter_rows())
    rows = [pl.read_parquet(shipped(f"reports/results/digits_{name}.parquet")) for name in FILES]
    centres = [
        rows[0].filter(pl.col("sigma") == 0),
        rows[1].filter(pl.col("alpha") == 0),
        rows[2].filter(pl.col("alpha") == 0, pl.col("beta") == 0),
    ]
    assert [frame["arch"].n_unique() for frame in centres] == [12, 12, 2]
    for frame in centres:
        for arch, loss in frame.select("arch", "loss").iter_rows():
            assert loss == pytest.approx(recorded[arch], rel=1e-5), arch


@pytest.mark.slow
def test_landscapes_made_again_have_the_kept_shape(tmp_path: Path) -> None:
    """Another processor trains other bits, so other runs of the same law: a tail of a wide plane differs by factors
    (index 1462: 44 against 54 nats at the end of a line), loss under little noise and the order of the networks do not.
    """
    again = digits_landscapes(tmp_path, LandscapeSettings(planes=()))[0]
    kept = shipped("reports/results/digits_perturbed.parquet")
    means = [
        pl.read_parquet(path).group_by("arch", "sigma").agg(pl.col("loss").mean()).sort("arch", "sigma")
        for path in (again, kept)
    ]
    both = means[0].join(means[1], on=["arch", "sigma"], suffix="_kept")
    for sigma in (0.0, 0.01, 0.02, 0.03):
        at = both.filter(pl.col("sigma") == sigma)
        ratios = (at["loss"] / at["loss_kept"]).to_numpy()
        assert float(np.median(ratios)) == pytest.approx(1, abs=0.03)
        assert ratios.min() > 0.75
        assert ratios.max() < 1.33
        assert spearman_rho(at["loss"].to_numpy(), at["loss_kept"].to_numpy()) > 0.95

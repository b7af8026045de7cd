"""Loss landscapes of digits networks: one command, and the kept files are what it makes."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytestmark = pytest.mark.torch

from nasanalysis.builders.landscapes import LandscapeSettings, digits_landscapes
from nasanalysis.core.frames import check, read_provenance
from nasanalysis.core.resources import shipped
from nasanalysis.spaces.nb201 import SPACE
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

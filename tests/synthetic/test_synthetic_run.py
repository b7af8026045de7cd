"""``nasanalysis synthetic run``: configurations, one table of all units, and going on."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from nasanalysis.cli.app import app
from nasanalysis.core.errors import BuildError, MissingDataError, StudyError, UnknownNameError
from nasanalysis.core.frames import read_provenance
from nasanalysis.core.resources import shipped_toml
from nasanalysis.synthetic.config import CONFIGS, EvidenceConfig, FourierConfig, load_config
from nasanalysis.synthetic.run import Place, run_experiment, units_of

SMALL = FourierConfig(seeds=2, points=256, max_degree=4, degrees=(0, 3))


@pytest.mark.parametrize("name", sorted(shipped_toml(CONFIGS)))
def test_shipped_configurations_load_and_have_units(name: str) -> None:
    config = load_config(name)
    if config.kind in ("learning_rate", "memory"):
        pytest.importorskip("torch")
    assert config.title
    assert len(units_of(config, Place(Path(name)))) >= config.seeds


def test_a_table_of_all_units_that_a_second_run_does_not_make_again(tmp_path: Path) -> None:
    path = run_experiment("small", SMALL, tmp_path, quiet=True)
    first = pl.read_parquet(path)
    assert path == tmp_path / "synthetic_small.parquet"
    assert sorted(set(first["seed"])) == [0, 1]
    assert read_provenance(path)["config"]["points"] == 256
    unit = tmp_path / "small" / "units" / "seed-1.parquet"
    before = unit.stat().st_mtime_ns
    (tmp_path / "small" / "units" / "seed-0.parquet").unlink()
    assert pl.read_parquet(run_experiment("small", SMALL, tmp_path, quiet=True)).equals(first)
    assert unit.stat().st_mtime_ns == before
    other = pl.read_parquet(run_experiment("other", SMALL, tmp_path, seed=5, quiet=True))
    assert sorted(set(other["seed"])) == [5, 6]
    with pytest.raises(BuildError, match="other settings"):
        run_experiment("small", SMALL.changed(rate=0.02), tmp_path, quiet=True)


def test_every_problem_has_draws_of_its_own(tmp_path: Path) -> None:
    config = EvidenceConfig(problems=3, seeds=2, samples=(1, 2), points=4, features=2, repeats=3, checked=10)
    frame = pl.read_parquet(run_experiment("evidence", config, tmp_path, quiet=True))
    assert frame.filter(part="bound").height == 3
    assert frame.filter(part="monte carlo")["log_evidence"].n_unique() == 2


def test_what_is_wrong_with_a_configuration_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="evidence"):
        load_config("evidense")
    path = tmp_path / "mine.toml"
    for text, said in (
        ("title = 'x'", "expected kind = one of evidence"),
        ("kind = 'fuorier'", "fourier"),
        ("kind = 'fourier'\npionts = 3", "points"),
        ("kind = 'fourier'\nrate = -1.0", "rate"),
    ):
        path.write_text(text)
        with pytest.raises(StudyError, match=said):
            load_config(path)


def test_the_command_runs_a_file_and_says_what_data_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("kind = 'fourier'\nseeds = 1\npoints = 128\nmax_degree = 3\ndegrees = [0, 3]\n")
    done = CliRunner().invoke(app, ["synthetic", "run", str(path), "--out", str(tmp_path), "--workers", "1", "--json"])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "synthetic_mine.parquet").exists()
    pytest.importorskip("torch")
    monkeypatch.setenv("NASANALYSIS_DATA", str(tmp_path))
    done = CliRunner().invoke(app, ["synthetic", "run", "mnist_mlp", "--out", str(tmp_path), "--workers", "1"])
    assert isinstance(done.exception, MissingDataError)
    listed = CliRunner().invoke(app, ["synthetic", "list", "--json"])
    assert "vgg_cifar10" in listed.output

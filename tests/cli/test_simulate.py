"""``nasanalysis simulate coverage``: a table with its command, gone on with where it was stopped."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from typer.testing import CliRunner

from nasanalysis.cli.app import app
from nasanalysis.core.errors import UnknownNameError

SHORT = ["simulate", "coverage", "--case", "clustered", "--n", "12", "--simulations", "4", "--resamples", "20"]


def test_coverage_writes_a_table_that_names_its_command(tmp_path: Path) -> None:
    out, build = tmp_path / "coverage.csv", tmp_path / "build"
    command = [*SHORT, "--out", str(out), "--build", str(build)]
    assert CliRunner().invoke(app, command).exit_code == 0
    first = out.read_text(encoding="utf-8").splitlines()
    assert first[1].endswith("nasanalysis simulate coverage --simulations 4 --resamples 20 --seed 0")
    table = pl.read_csv(out, comment_prefix="#")
    assert set(table["case"]) == {"clustered"}
    done = {path: path.stat().st_mtime_ns for path in build.rglob("*.parquet")}
    assert CliRunner().invoke(app, command).exit_code == 0
    assert {path: path.stat().st_mtime_ns for path in build.rglob("*.parquet")} == done
    assert out.read_text(encoding="utf-8").splitlines()[3:] == first[3:]


def test_an_unknown_case_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["simulate", "coverage", "--case", "plan", "--build", str(tmp_path)])
    assert isinstance(result.exception, UnknownNameError)
    assert "'plan'" in str(result.exception)

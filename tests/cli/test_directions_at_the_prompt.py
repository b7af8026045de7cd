"""Directions at the prompt: given, noted, refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nasanalysis.cli import app as cli
from nasanalysis.core.errors import ParameterError, UnknownNameError
from nasanalysis.spaces import get_space
from nasanalysis.studies.files import compare

ARCHS = [str(get_space("nb201").arch(i)) for i in range(30)]


@pytest.fixture
def tables(tmp_path: Path) -> tuple[str, str]:
    """A truth, and losses of it under names that mislead."""
    truth, scores = tmp_path / "truth.csv", tmp_path / "scores.csv"
    truth.write_text("arch,accuracy\n" + "".join(f"{a},{50 + i}\n" for i, a in enumerate(ARCHS)))
    rows = [(name, a, sign * (40 - i)) for name, sign in (("mine", 1), ("sotl", -1)) for i, a in enumerate(ARCHS)]
    scores.write_text("arch,proxy,value\n" + "".join(f"{a},{name},{v}\n" for name, a, v in rows))
    return str(truth), str(scores)


def test_what_is_given_is_used_and_said(tables: tuple[str, str]) -> None:
    truth, scores = tables
    options = ["--bootstrap", "0", "--direction", "mine=lower", "--direction", "sotl=higher"]
    done = CliRunner().invoke(cli.app, ["correlate", "--truth", truth, "--scores", scores, "--json", *options])
    rows = {r["proxy"]: r for r in json.loads(done.stdout) if r["statistic"] == "spearman_rho"}
    assert {k: (r["direction"], r["direction_source"]) for k, r in rows.items()} == {
        "mine": (-1, "given"),
        "sotl": (1, "given"),
    }
    assert [r["estimate"] for r in rows.values()] == [pytest.approx(1.0)] * 2
    shown = CliRunner().invoke(cli.app, ["correlate", "--truth", truth, "--scores", scores, *options])
    assert "lower (given)" in shown.stdout
    assert "higher (given)" in shown.stdout


def test_what_is_in_doubt_is_told(tables: tuple[str, str]) -> None:
    told: list[str] = []
    compare(*tables, n_boot=50, warn=told.append)
    assert any("sotl: none of its 30 values is above 0" in text for text in told)
    assert any("mine: spearman_rho -1.00" in text and "--direction mine=lower" in text for text in told)


def test_directions_that_are_none_or_of_nobody(tables: tuple[str, str]) -> None:
    truth, scores = tables
    for text in ("mine", "mine=up", "=lower"):
        done = CliRunner().invoke(cli.app, ["correlate", "--truth", truth, "--scores", scores, "--direction", text])
        assert isinstance(done.exception, ParameterError)
        assert str(done.exception) == f"--direction: expected NAME=lower or NAME=higher, got {text!r}"
    with pytest.raises(UnknownNameError, match=r"\(a direction\) 'mien'. Did you mean 'mine'"):
        compare(*tables, directions={"mien": "lower"})

"""``[[measured]]``: what a benchmark records of its networks, and claims judged by intervals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.stats import kendalltau

import nasanalysis as na
from nasanalysis.core.errors import NasAnalysisError, UnknownNameError
from nasanalysis.report.model import Section
from nasanalysis.studies.study import Study

HEAD = """
title = "t"
seed = 3
bootstrap = 60
[[measured]]
name = "m"
title = "Measured"
benchmark = "digits-2"
dataset = "digits"
schedule = 12
scores_seed = 0
truth_seed = 1
statistics = ["kendall_tau"]
readings = [
  { label = "Accuracy", proxy = "val_acc", step = 12 },
  { label = "Accuracy early", proxy = "val_acc", step = 2 },
  { label = "Loss", proxy = "val_loss", step = 12 },
  { label = "Flatness", proxy = "flatness@alpha=0,sigmas=0.002/0.01", step = 12 },
  { label = "Angle", proxy = "angle", step = 12 },
]
"""


def run(folder: Path, more: str = "", head: str = HEAD) -> Section:
    (folder / "study.toml").write_text(head + more)
    return Study.load(folder / "study.toml").run().sections[0]


@pytest.fixture(scope="module")
def section(tmp_path_factory: pytest.TempPathFactory) -> Section:
    return run(
        tmp_path_factory.mktemp("study"),
        """between = ["Angle", "Loss"]
sums = ["Accuracy early", "Angle", "parameters"]
claims = [
  { says = "late beats early", better = "Accuracy", than = "Accuracy early", where = "a paper" },
  { says = "early beats late", better = "Accuracy early", than = "Accuracy" },
  { says = "accuracy beats parameters", better = "Accuracy", than = "parameters" },
  { says = "accuracy beats loss", better = "Accuracy", than = "Loss" },
]
[[measured.figures]]
name = "curvature"
kind = "curvature"
arms = ["from scratch"]
archs = 3
""",
    )


def _tau(proxy: str, step: int, sign: int = 1) -> float:
    """By scipy, of scores of run 0 and the truth of run 1."""
    benchmark = na.load_benchmark("digits-2")
    scores = na.score(benchmark, proxy, step=step).filter(seed=0)
    truth = benchmark.truth(split="test").filter(seed=1)
    both = scores.join(truth.select("arch", "accuracy"), on="arch").drop_nulls("value")
    return float(kendalltau(sign * both["value"].to_numpy(), both["accuracy"].to_numpy()).statistic)


def test_readings_are_those_of_the_benchmark(section: Section) -> None:
    data = section.tables[0].data.filter(statistic="kendall_tau")
    rows = dict(data.select("measure", "estimate").iter_rows())
    assert rows["Accuracy"] == pytest.approx(_tau("val_acc", 12))
    assert rows["Accuracy early"] == pytest.approx(_tau("val_acc", 2))
    assert rows["Loss"] == pytest.approx(_tau("val_loss", 12, -1))
    assert rows["Flatness"] == pytest.approx(_tau("flatness@alpha=0,sigmas=0.002/0.01", 12))
    assert section.tables[0].header[:3] == ["networks", "measure", "epochs"]
    assert "supernet" not in section.tables[0].note


def test_claims_are_judged_by_the_interval_of_the_difference(section: Section) -> None:
    table = next(t for t in section.tables if t.name == "m-claims")
    rows = {row["claim"]: row for row in table.data.iter_rows(named=True)}
    assert rows["late beats early"]["verdict"] == "holds"
    assert rows["early beats late"]["verdict"] == "does not hold"
    assert rows["late beats early"]["difference"] == pytest.approx(_tau("val_acc", 12) - _tau("val_acc", 2))
    for row in rows.values():
        low, high = row["ci_low"], row["ci_high"]
        expected = "holds" if low > 0 else "does not hold" if high < 0 else "cannot tell"
        assert row["verdict"] == expected
        assert row["difference"] == pytest.approx(row["first"] - row["second"])
    assert "Of 4 published claims" in section.text


def test_a_lower_is_better_reading_is_turned_round_between_and_in_sums(section: Section) -> None:
    between = next(t for t in section.tables if t.name == "m-between").data
    benchmark = na.load_benchmark("digits-2")
    angle, loss = (
        na.score(benchmark, proxy, step=12).filter(seed=0).select("arch", "value") for proxy in ("angle", "val_loss")
    )
    both = angle.join(loss, on="arch").drop_nulls()
    expected = kendalltau(both["value"].to_numpy(), -both["value_right"].to_numpy()).statistic
    assert between["kendall_tau"][0] == pytest.approx(expected)
    sums = next(t for t in section.tables if t.name == "m-sums").data
    assert sums["size"].to_list() == [1, 2, 3]
    assert np.isfinite(sums["held_out"].to_numpy()).all()


def test_the_curvature_is_that_of_the_end(section: Section) -> None:
    data = section.figures[0].data
    assert isinstance(data, pl.DataFrame)
    assert data["arch"].n_unique() == 3
    (section.figures[0].draw()).figure.canvas.draw()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ('claims = [{ says = "x", better = "Angle", than = "Speed" }]\n', "expected readings of .*, got 'Speed'"),
        ('claims = [{ says = "x", better = "Angle", than = "Angle" }]\n', "expected two readings, got 'Angle' twice"),
        ('sums = ["Angle"]\n', "expected two readings or more"),
        ('sums = ["Angle", "Speed"]\n', "sums: expected readings of one measure"),
    ],
)
def test_what_an_item_may_not_say(tmp_path: Path, more: str, message: str) -> None:
    with pytest.raises(NasAnalysisError, match=message):
        run(tmp_path, more)


def test_a_reading_at_a_step_that_is_not_recorded(tmp_path: Path) -> None:
    head = HEAD.replace('proxy = "angle", step = 12', 'proxy = "angle", step = 3')
    with pytest.raises(NasAnalysisError, match=r"angle .* is not read after 3 .*; it is after 1, 2, 4, 8, 12"):
        run(tmp_path, head=head)
    with pytest.raises(UnknownNameError):
        run(tmp_path, head=HEAD.replace('"angle"', '"angel"'))

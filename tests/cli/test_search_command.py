"""``nasanalysis search``: searches at the prompt, of benchmarks and of one's own tables."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import nasanalysis as na
from nasanalysis import search as library
from nasanalysis.cli import app as cli
from nasanalysis.core.errors import NasAnalysisError
from nasanalysis.spaces import get_space

RUNNER = CliRunner()


def asked(*words: str) -> dict[str, Any]:
    done = RUNNER.invoke(cli.app, ["search", *words, "--json"])
    assert done.exit_code == 0, done.output
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_it_finds_what_the_library_finds() -> None:
    answer = asked("sotl", "params", "--truth", "digits", "--step", "4", "--queries", "30", "--searches", "4")
    digits = na.load_benchmark("digits")
    truth = library.TableFitness.from_truth(digits.truth(split="test"))
    sotl = library.TableFitness.from_scores(na.score(digits, "sotl", step=4))
    runs = library.run_searches(
        {"random_search": library.random_search},
        {"sotl": sotl},
        library.get_moves("nb201", archs=truth.archs),
        truth.values,
        seeds=4,
        queries=30,
        at=[30],
    )
    expected = library.summarise_searches(runs, n_boot=1000, seed=0, best_possible=max(truth.values.values()))
    [row] = [
        r for r in answer["searches"] if (r["algorithm"], r["fitness"], r["query"]) == ("random_search", "sotl", 30)
    ]
    for name in ("mean", "ci_low", "ci_high"):
        assert row[name] == pytest.approx(expected[name][0])
    last = [r for r in answer["searches"] if r["query"] == 30 and r["fitness"] != "truth"]
    top = max(last, key=lambda r: r["mean"])
    assert top["standing"] == "best"
    assert f"{top['algorithm']} with {top['fitness']} finds {top['mean']:.2f}" in answer["sentences"][0]
    tied = {f"{r['algorithm']} with {r['fitness']}" for r in last if r["standing"] == "tied"}
    said = next((s for s in answer["sentences"] if s.startswith("Not told apart")), "")
    assert all(name in said for name in tied)


def test_a_budget_of_the_whole_space_is_named(tmp_path: Path) -> None:
    archs = [str(a) for a in list(get_space("nb201"))[:40]]
    pl.DataFrame({"arch": archs, "accuracy": np.linspace(50, 90, 40)}).write_csv(tmp_path / "truth.csv")
    words = ["params", "--truth", str(tmp_path / "truth.csv"), "--searches", "2", "--bootstrap", "0", "--queries"]
    done = RUNNER.invoke(cli.app, ["search", *words, "40"])
    assert "40 queries may ask all 40 architectures, and then find the best; fewer: --queries 4" in done.stderr
    assert "may ask all" not in RUNNER.invoke(cli.app, ["search", *words, "39"]).stderr


def test_a_table_of_ones_own_and_a_score_that_says_nothing(tmp_path: Path) -> None:
    archs = [str(a) for a in list(get_space("nb201"))[:300]]
    rng = np.random.default_rng(0)
    accuracy = rng.uniform(50, 90, len(archs))
    pl.DataFrame({"arch": archs, "accuracy": accuracy}).write_csv(tmp_path / "truth.csv")
    scores = {"arch": archs, "good": accuracy, "constant": np.zeros(len(archs))}
    pl.DataFrame(scores).write_csv(tmp_path / "mine.csv")
    out = tmp_path / "regret.svg"
    files = ["--truth", str(tmp_path / "truth.csv"), "--scores", str(tmp_path / "mine.csv"), "--out", str(out)]
    words = ["good", "constant", *files, "--direction", "good=higher", "--direction", "constant=higher"]
    answer = asked(*words, "--algorithm", "random_search", "--queries", "60", "--searches", "10")
    by_fitness = {r["fitness"]: r for r in answer["searches"] if r["query"] == 60}
    assert by_fitness["good"]["mean"] == by_fitness["truth"]["mean"]
    assert by_fitness["good"]["standing"] == "best"
    assert by_fitness["constant"]["standing"] == "behind"
    assert any("at random: random_search with constant" in s for s in answer["sentences"])
    assert out.read_text().startswith("<?xml")


DESCRIPTION = """
benchmark = "mine"
space = "nb201"

file = "{name}.csv"
frame = "TRUTH"
dataset = "mine"
schedule = 10
split = "test"
arch_column = "arch"
quantity = "{name}"
quantity_unit = "ms"
quantity_direction = {direction}
values = {{ value = "{name}" }}
"""


def test_a_search_for_less_is_the_mirror_of_a_search_for_more(tmp_path: Path) -> None:
    """Where the truth is negated and says that less is better, every number of the answer is negated, no standing."""
    archs = [str(a) for a in list(get_space("nb201"))[:200]]
    rng = np.random.default_rng(1)
    speed = rng.uniform(50, 90, len(archs))
    truths = {"speed": (1, speed), "latency": (-1, -speed)}
    pl.DataFrame({"arch": archs, "guess": speed + rng.normal(0, 10, len(archs))}).write_csv(tmp_path / "mine.csv")
    answers = {}
    for name, (direction, values) in truths.items():
        pl.DataFrame({"arch": archs, name: values}).write_csv(tmp_path / f"{name}.csv")
        (tmp_path / f"{name}.toml").write_text(DESCRIPTION.format(name=name, direction=direction))
        drawn = tmp_path / f"{name}.svg"
        files = ["--truth", str(tmp_path / f"{name}.toml"), "--scores", str(tmp_path / "mine.csv"), "--out", str(drawn)]
        answers[name] = asked("guess", *files, "--direction", "guess=higher", "--queries", "40", "--searches", "6")
        assert f"regret in test {name} (ms)" in drawn.read_text()
        assert re.search(r"finds -?[0-9.]+ \[-?[0-9.]+, -?[0-9.]+\] ms in the mean of 6", answers[name]["sentences"][0])
    for more, less in zip(answers["speed"]["searches"], answers["latency"]["searches"], strict=True):
        assert (less["mean"], less["ci_low"], less["ci_high"]) == (-more["mean"], -more["ci_high"], -more["ci_low"])
        assert (less["regret"], less["standing"]) == (more["regret"], more["standing"])
    said = {name: [re.sub(r"-(?=[0-9])", "", s) for s in answer["sentences"]] for name, answer in answers.items()}
    assert said["speed"][1:] == said["latency"][1:]


def test_successive_halving_asks_at_its_rungs() -> None:
    rungs = ["--rung", "1", "--rung", "4", "--rung", "12"]
    words = ["sotl", "--algorithm", "successive_halving", *rungs, "--cost", "sotl=2", "--searches", "3"]
    rows = asked(*words)["searches"]
    assert {r["algorithm"] for r in rows} == {"successive_halving"}
    assert all(r["cost"] > 0 for r in rows)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sotl"], "expected a step, sotl has several"),
        (["sotl", "--step", "4", "--cost", "2"], "--cost: expected NAME=SECONDS, got '2'"),
        (["sotl", "--step", "4", "--algorithm", "annealing"], "unknown search algorithm 'annealing'"),
        (["sotl", "--step", "4", "--rung", "1"], "rungs: expected successive_halving among the algorithms"),
        (["params", "params"], "two share a label"),
        (["params", "--cost", "param=3"], "unknown proxy of these searches (a cost) 'param'"),
        (["params", "--cost", "params=much"], "--cost: expected NAME=SECONDS, got params=much"),
        (["params", "--direction", "parms=lower"], "unknown proxy of these searches (a direction) 'parms'"),
        (["params", "--truth", "digits-2", "--dataset", "svhn"], "svhn"),
    ],
)
def test_what_cannot_be_searched_is_told(words: list[str], message: str) -> None:
    done = RUNNER.invoke(cli.app, ["search", *words])
    assert isinstance(done.exception, NasAnalysisError)
    assert message in str(done.exception)

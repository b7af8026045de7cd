"""Habits at the prompt: version, completion, examples, catalogues, the paired test, progress."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from nasanalysis.cli import app as cli
from nasanalysis.cli.examples import EXAMPLES
from nasanalysis.cli.progress import Parts
from nasanalysis.core.provenance import nasanalysis_version
from nasanalysis.proxies import PROXIES, direction
from nasanalysis.stats import STATISTICS

RUNNER = CliRunner()


def _commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    children = getattr(command, "commands", None)
    if children is None:
        yield " ".join(path), command
        return
    for name, child in children.items():
        yield from _commands(child, (*path, name))


COMMANDS = dict(_commands(typer.main.get_command(cli.app)))


def test_version() -> None:
    for words in (["--version"], ["version"]):
        done = RUNNER.invoke(cli.app, words)
        assert (done.exit_code, done.stdout.strip()) == (0, nasanalysis_version())


def test_completion_is_offered() -> None:
    done = RUNNER.invoke(cli.app, ["--help"])
    assert "--install-completion" in done.stdout
    assert "--show-completion" in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_ends_in_examples_that_can_be_typed(name: str) -> None:
    lines = EXAMPLES[name]
    shown = " ".join(RUNNER.invoke(cli.app, [*name.split(), "--help"]).stdout.split())
    for line in lines:
        program, *words = shlex.split(line)
        assert program == "nasanalysis"
        assert line in shown
        if words == ["--version"]:
            continue
        depth = len(name.split())
        assert words[:depth] == name.split()
        with COMMANDS[name].make_context(name, words[depth:]):  # parses, and refuses what does not exist
            pass


def test_no_example_without_a_command() -> None:
    assert set(EXAMPLES) == set(COMMANDS)


def test_proxies_are_listed_in_words() -> None:
    rows = {row["name"]: row for row in json.loads(RUNNER.invoke(cli.app, ["proxies", "--json"]).stdout)}
    assert list(rows) == list(PROXIES)
    for row in rows.values():
        assert set(row) == {"name", "example", "aliases", "formula", "better", "needs", "source"}
        assert row["formula"]
        assert row["source"]
        assert row["better"] == ("higher" if direction(row["example"]) > 0 else "lower")
    assert rows["sotl"]["aliases"] == ["tse"]
    assert rows["sotl_e"]["example"] == "sotl_e@5"
    assert "SoTL thesis" in rows["sotl"]["source"]
    assert "sum of the training losses" in " ".join(RUNNER.invoke(cli.app, ["proxies"]).stdout.split())


def test_statistics_are_listed_in_words() -> None:
    rows = {row["name"]: row for row in json.loads(RUNNER.invoke(cli.app, ["statistics", "--json"]).stdout)}
    assert list(rows) == list(STATISTICS)
    for row in rows.values():
        assert set(row) == {"name", "formula", "unit", "better", "interval", "needs", "source"}
        assert row["formula"]
        assert row["formula"] != "a statistic from outside the package"
    assert rows["regret@10"]["better"] == "lower"
    assert rows["partial_spearman@params"]["needs"] == "params"


def _compare(*words: str) -> list[dict[str, object]]:
    options = ["--bootstrap", "50", "--permutations", "199", "--json"]
    done = RUNNER.invoke(cli.app, ["compare", "--truth", "digits", *words, *options])
    assert done.exit_code == 0, done.output
    rows: list[dict[str, object]] = json.loads(done.stdout)
    return rows


def test_two_proxies_are_compared_in_pairs(tmp_path: Path) -> None:
    (row,) = _compare("--scores", "sotl", "--scores", "val_acc", "--step", "4")
    assert (row["proxy"], row["other"], row["ahead"], row["proxy_step"]) == ("sotl", "val_acc", "sotl", 4)
    assert (row["proxy_direction"], row["proxy_direction_source"]) == (-1, "ours")
    assert str(row["sentence"]).startswith("sotl (step 4) ranks better than val_acc (step 4) (95%): spearman_rho 0.9")
    rows = _compare("--scores", "params", "--scores", "sotl", "--scores", "val_acc", "--baseline", "params")
    assert [(r["proxy"], r["other"]) for r in rows] == [("sotl", "params"), ("val_acc", "params")]
    assert rows[0]["proxy_step"] == 12  # the last of each
    (row,) = _compare("--scores", "params", "--scores", "sotl", "--step", "1", "--proxy", "params", "--proxy", "sotl")
    assert (row["proxy"], row["other"], row["proxy_step"]) == ("params", "sotl", None)  # as they were named
    assert row["ahead"] == "sotl"
    numbers = f"spearman_rho {row['second']:.3f} against {row['first']:.3f}, difference +"
    assert numbers in str(row["sentence"])  # the better side stands first, and so does its number
    (row,) = _compare("--scores", "params", "--scores", "flops")
    assert str(row["sentence"]).startswith(
        "params and flops cannot be told apart (95%): spearman_rho 0.741 against 0.741"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--scores", "sotl", "--proxy", "sotll"], "unknown proxy in these scores 'sotll'. Did you mean 'sotl'"),
        (["--scores", "sotl"], "expected at least two proxies, got sotl"),
        (["--scores", "sotl", "--scores", "val_acc", "--step", "99"], "--step 99: 'sotl' has no such step"),
        (["--scores", "sotl", "--scores", "params", "--direction", "x=lower"], "(a direction) 'x'"),
    ],
)
def test_what_cannot_be_compared(words: list[str], message: str) -> None:
    done = RUNNER.invoke(cli.app, ["compare", "--truth", "digits", "--bootstrap", "0", *words])
    assert message in str(done.exception)


def test_progress_says_which_part_of_how_many(capsys: pytest.CaptureFixture[str]) -> None:
    with Parts(3, "item") as say:
        say("one: a title")
        say("note: something was left out")
        say("one: another [title]")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "item 1 of 3: one: a title"
    assert lines[1] == "note: something was left out"
    assert lines[2].startswith("item 2 of 3, about ")
    assert lines[2].endswith(" left: one: another [title]")
    assert Parts(10, "item").left([90.0, 15.0, 15.0, 15.0]) == "about 90 s left", (
        "the longest is seldom like the others"
    )
    assert Parts(10, "item").left([600.0, 60.0, 60.0]) == "about 7 min left"
    assert Parts(10, "item").left([60.0, 60.0]) == "", "too few to tell by"
    assert Parts(3, "item").left([60.0]) == "about 2 min left"
    assert Parts(3, "item").left([]) == ""


def test_correlate_says_which_truth_it_took() -> None:
    done = RUNNER.invoke(cli.app, ["correlate", "--truth", "digits", "--scores", "params", "--bootstrap", "0"])
    assert "digits: params (truth: test, 12 epochs, mean" in done.output

"""``nasanalysis multiverse``: a claim at the prompt, of benchmarks and of one's own tables."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from nasanalysis.cli import app as cli
from nasanalysis.core.errors import NasAnalysisError
from nasanalysis.spaces import get_space

RUNNER = CliRunner()
DIGITS = ["--truth", "digits", "--sample", "uniform-live", "--bootstrap", "20", "--resampled", "arch"]


def asked(*words: str) -> dict[str, object]:
    done = RUNNER.invoke(cli.app, ["multiverse", *words, "--json"])
    assert done.exit_code == 0, done.output
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def test_the_sentence_counts_what_the_specifications_say() -> None:
    words = [
        "sotl",
        "val_acc",
        *DIGITS,
        "--step",
        "2",
        "--step",
        "12",
        "--statistic",
        "spearman_rho",
        "--no-truth-seeds",
    ]
    answer = asked(*words)
    rows = answer["specifications"]
    assert isinstance(rows, list)
    assert len(rows) == 4  # two splits and two steps
    holds = sum(row["verdict"] == "ahead" for row in rows)
    assert f"holds in {holds} of 4 specifications" in str(answer["sentence"])
    assert answer["choices"][0]["holds"] == holds  # type: ignore[index]


def test_own_tables_and_the_figure(tmp_path: Path) -> None:
    space, rng = get_space("nb201"), np.random.default_rng(0)
    archs = [str(space.arch(i)) for i in range(0, 15000, 250)]  # type: ignore[attr-defined]
    accuracy = 60 + 10 * rng.random(len(archs))
    truth = pl.DataFrame({"arch": archs, "accuracy": accuracy})
    halves = [truth.with_columns(split=pl.lit(split)) for split in ("valid", "test")]
    pl.concat(halves).write_csv(tmp_path / "truth.csv")
    scores = {"mine": accuracy, "noise": rng.random(len(archs))}
    parts = [pl.DataFrame({"arch": archs, "proxy": [name] * len(archs), "value": v}) for name, v in scores.items()]
    pl.concat(parts).write_csv(tmp_path / "scores.csv")
    out = tmp_path / "curve.svg"
    words = ["mine", "noise", "--truth", str(tmp_path / "truth.csv"), "--scores", str(tmp_path / "scores.csv")]
    done = RUNNER.invoke(cli.app, ["multiverse", *words, "--bootstrap", "20", "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert '"mine ranks better than noise" holds in' in done.stdout.replace("\n", " ")
    assert out.read_text().startswith("<?xml")
    table = tmp_path / "curve.csv"
    done = RUNNER.invoke(cli.app, ["multiverse", *words, "--bootstrap", "20", "--out", str(table)])
    assert done.exit_code == 0, done.output
    assert set(pl.read_csv(table)["split"]) == {"test", "valid"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sotl", "sotl"], "expected two proxies, got 'sotl' twice"),
        (["sotl", "val_ac"], "val_acc"),
        (["sotl", "params", "--step", "99"], "'sotl' has no step 99; steps there are 1 to 12"),
        (["sotl", "--resampled", "seed"], "'class' or 'arch'"),
        (["sotl", "--split", "train"], "no truth of split 'train'"),
        (["sotl", "--scores-from", "digits"], "--scores-from: expected DATASET=DATASET"),
        (["params", "flops", "--split", "test", "--statistic", "spearman_rho", "--resampled", "arch"], "at least two"),
    ],
)
def test_bad_usage(words: list[str], message: str) -> None:
    options = ["--no-truth-seeds"] if words[0] == "params" else []
    done = RUNNER.invoke(cli.app, ["multiverse", *words, *options, "--truth", "digits", "--bootstrap", "2"])
    assert done.exit_code != 0
    assert message in (str(done.exception) if isinstance(done.exception, NasAnalysisError) else done.output)

"""The command line: documented fields, exit codes, messages on stderr."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nasanalysis.cli import app as cli
from nasanalysis.core.frames import read_frame, read_provenance
from nasanalysis.loaders import load_benchmark
from nasanalysis.spaces.nb201 import SPACE

FIELDS = {
    "benchmark",
    "dataset",
    "proxy",
    "statistic",
    "step",
    "estimate",
    "ci_low",
    "ci_high",
    "n_archs",
    "n_missing",
}
SMALL_STUDY = """
title = "small"
bootstrap = 5
[[compare]]
name = "small"
title = "small"
benchmark = "digits"
schedule = 12
proxies = ["params"]
statistics = ["spearman_rho"]
"""


@dataclass
class Done:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Done]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """``nasanalysis ...`` in this process and an empty folder, with its real exit code."""
    monkeypatch.delenv("NASANALYSIS_DEBUG", raising=False)
    monkeypatch.delenv("NASANALYSIS_DATA", raising=False)
    monkeypatch.chdir(tmp_path)

    def call(*args: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["nasanalysis", *map(str, args)])
        capfd.readouterr()
        code: object = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = stop.code or 0
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        assert isinstance(code, int)
        return Done(code, out, err)

    return call


def error_of(done: Done, code: int) -> str:
    """The one message of a failed command; nothing on stdout."""
    assert (done.code, done.out) == (code, ""), done
    lines = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, done.err
    return lines[0]


def archs(n: int, *, prefix: bool = True) -> list[str]:
    return [str(a) if prefix else a.key for a in list(SPACE)[:n]]


# --- archs -------------------------------------------------------------------------------------------


def test_archs(run: Run, tmp_path: Path) -> None:
    assert run("archs", "nb201", "--count").out == "15625\n"
    assert run("archs", "nb201", "--count", "--json").json == {"space": "nb201", "architectures": 15_625}
    counts = {"published": 6466, "published_no_zeros": 5390, "skips_only": 12751, "functional": 5545, "trained": 5875}
    assert run("archs", "nb201", "--unique-count", "--json").json == counts
    text = run("archs", "nb201", "--unique-count").out
    assert all(f"{n:,}" in text for n in counts.values())
    first = SPACE.arch(11)
    for key in ("11", first.key, str(first)):
        shown = run("archs", "nb201", "--show", key, "--json").json
        assert (shown["arch"], shown["index"], shown["dataset"]) == (str(first), 11, "cifar10")
        assert shown["params"] == SPACE.params(first, "cifar10")
        assert shown["flops"] == SPACE.flops(first, "cifar10")
    small = run("archs", "nb201", "--show", "11", "--channels", 4, "--cells", 1, "--dataset", "digits", "--json").json
    assert small["params"] == SPACE.params(first, "digits", channels=4, cells=1)
    assert run("archs", "nb201", "--show", "11").code == 0


def test_archs_csv(run: Run, tmp_path: Path) -> None:
    done = run("archs", "nb201", "--csv", "all.csv", "--json")
    assert done.json == {"csv": "all.csv", "architectures": 15_625}
    table = pl.read_csv(tmp_path / "all.csv")
    assert table.columns == ["arch", "index", "unique_arch", "params", "flops"]
    assert table["index"].to_list() == list(range(15_625))
    assert table["arch"].to_list() == [str(a) for a in SPACE]
    assert table["unique_arch"].n_unique() == 6466
    assert table["params"][11] == SPACE.params(SPACE.arch(11), "cifar10")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["archs", "nb2O1"], "unknown space 'nb2O1'. Did you mean 'nb201'"),
        (["archs", "nb201", "--dataset", "cifar"], "unknown dataset 'cifar'. Did you mean 'cifar10'"),
        (["archs", "nb201", "--show", "15625"], "expected an index from 0 to 15624, got 15625"),
        (["archs", "nb201", "--show", "-1"], "expected an index from 0 to 15624, got -1"),
        (["archs", "nb201", "--show", "²"], "expected three nodes"),
        (["archs", "nb201", "--show", "|nope~0|+|none~0|none~1|+|none~0|none~1|none~2|"], "unknown operation 'nope'"),
        (["archs", "nb201", "--unique-count", "--rule", "x", "--show", "1"], "choose one of"),
        (["archs", "nb201", "--show", "1", "--rule", "functionl"], "unknown isomorphism rule 'functionl'. Did you"),
        (["archs", "nb201", "--channels", "0"], "--channels"),
        (["archs", "nb201", "--count", "--csv", "x.csv"], "choose one of --count"),
        (["archs"], "Missing argument"),
        (["score", "--benchmark", "digits", "--proxy", "sotll", "--out", "s.csv"], "Did you mean 'sotl'"),
        (["score", "--benchmark", "digit", "--proxy", "sotl", "--out", "s.csv"], "Did you mean 'digits'"),
        (["score", "--benchmark", "digits", "--proxy", "sotl_e@0", "--out", "s.csv"], "expected a number of steps"),
        (["score", "--benchmark", "digits", "--proxy", "sotl", "--out", "s.txt"], "expected a file ending in"),
        (["score", "--benchmark", "digits", "--proxy", "sotl", "--step", "99", "--out", "s.csv"], "step 99: expected"),
        (["score", "--benchmark", "digits", "--proxy", "sotl", "--dataset", "c", "--out", "s.csv"], "unknown dataset"),
        (["score", "--benchmark", "digits", "--out", "s.csv"], "--proxy"),
        (["correlate", "--truth", "digitz", "--scores", "params"], "unknown benchmark 'digitz'. Did you mean 'digits'"),
        (["correlate", "--truth", "digits", "--scores", "parms"], "unknown proxy 'parms'. Did you mean 'params'"),
        (
            ["correlate", "--truth", "nope.csv", "--scores", "params"],
            "nope.csv: expected a table with columns arch, acc",
        ),
        (["correlate", "--truth", "digits", "--scores", "nope.parquet"], "nope.parquet: expected a table with"),
        (["correlate", "--truth", "digits", "--scores", "params", "--split", "tset"], "no tset accuracy"),
        (["correlate", "--truth", "digits", "--scores", "params", "--schedule", "13"], "of schedule 13; recorded"),
        (["correlate", "--truth", "digits", "--scores", "params", "--statistic", "spearman"], "unknown statistic"),
        (["correlate", "--truth", "digits", "--scores", "params", "--sample", "no.csv"], "no.csv: expected a file"),
        (["correlate", "--truth", "digits", "--scores", "params", "--bootstrap", "-1"], "--bootstrap"),
        (["correlate", "--truth", "digits", "--scores", "params", "--seed", "-1"], "--seed"),
        (["report", "nope"], "unknown study 'nope'"),
        (["report", "nope.toml"], "nope.toml: expected a study file, found nothing there"),
        (["benchmark", "build", "digitz"], "unknown benchmark to build 'digitz'. Did you mean 'digits'"),
        (["benchmark", "build", "digits", "--archs", "3", "--out", "b"], "--archs: expected"),
        (["benchmark", "build", "digits", "--seeds", "0", "--out", "b"], "--seeds: expected at least 1, got 0"),
        (["benchmark", "build", "digits", "--workers", "-3", "--out", "b"], "--workers"),
        (["data", "check", "nope"], "unknown data set 'nope'"),
        (["nope"], "No such command"),
    ],
    ids=lambda v: " ".join(v)[:60] if isinstance(v, list) else "",
)
def test_bad_usage_is_2_with_a_message_on_stderr(run: Run, args: list[str], message: str, tmp_path: Path) -> None:
    if args[:2] == ["benchmark", "build"] and args[2] == "digits":
        pytest.importorskip("torch")
    done = run(*args)
    assert done.code == 2, done
    assert done.out == ""
    assert message in " ".join(done.err.replace("│", " ").split())
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"


def test_a_place_that_cannot_be_written_is_1(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "s.toml").write_text(SMALL_STUDY)
    for args in (
        ["archs", "nb201", "--csv", "file/all.csv"],
        ["score", "--benchmark", "digits", "--proxy", "params", "--out", "file/s.parquet"],
        ["score", "--benchmark", "digits", "--proxy", "params", "--out", "file/s.csv"],
        ["report", "s.toml", "--out", "file"],
    ):
        assert "cannot write file" in error_of(run(*args), 1)


# --- score and correlate -----------------------------------------------------------------------------


def test_score_to_both_formats_and_back_through_correlate(run: Run, tmp_path: Path) -> None:
    args = ["score", "--benchmark", "digits", "--proxy", "sotl", "--proxy", "params", "--step", 6]
    done = run(*args, "--out", "s.parquet", "--json")
    digits = load_benchmark("digits")
    n = digits.archs()["arch"].n_unique()
    frame = read_frame(tmp_path / "s.parquet", "SCORES")
    assert done.json == {"out": "s.parquet", "rows": len(frame), "architectures": n, "undefined": 0}
    record = read_provenance(tmp_path / "s.parquet")
    assert record["inputs"].keys() == {"digits.parquet"}
    assert record["config"]["proxies"] == ["sotl", "params"]
    assert run(*args, "--out", "s.csv").code == 0
    results = [
        run("correlate", "--truth", "digits", "--scores", f"s.{kind}", "--bootstrap", 20, "--json").json
        for kind in ("parquet", "csv")
    ]
    assert results[0] == results[1]
    assert all(set(row) >= FIELDS for row in results[0])
    assert [(r["proxy"], r["statistic"]) for r in results[0]].count(("sotl", "spearman_rho")) == 1
    for proxy in ("sotl", "params"):
        direct = run(
            *["correlate", "--truth", "digits", "--scores", proxy, "--step", 6, "--bootstrap", 20, "--json"]
        ).json
        same = [r for r in results[0] if r["proxy"] == proxy]
        assert [r["estimate"] for r in direct] == [r["estimate"] for r in same]
        assert [r["ci_low"] for r in direct] == [r["ci_low"] for r in same]


def write_truth(folder: Path, accuracy: list[Any], *, prefix: bool = True, name: str = "truth.csv") -> list[str]:
    names = archs(len(accuracy), prefix=prefix)
    table = pl.DataFrame({"arch": names, "accuracy": accuracy}, strict=False)
    table.write_csv(folder / name) if name.endswith("csv") else table.write_parquet(folder / name)
    return names


@pytest.mark.parametrize("truth_prefix", [True, False])
@pytest.mark.parametrize("scores_prefix", [True, False])
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_files_with_and_without_the_prefix(
    run: Run, tmp_path: Path, truth_prefix: bool, scores_prefix: bool, kind: str
) -> None:
    write_truth(tmp_path, [10.0, 20.0, 30.0, 40.0], prefix=truth_prefix, name=f"truth.{kind}")
    names = archs(4, prefix=scores_prefix)
    table = pl.DataFrame({"arch": names, "proxy": "mine", "value": [1.0, 2.0, 4.0, 3.0]})
    table.write_csv(tmp_path / "s.csv") if kind == "csv" else table.write_parquet(tmp_path / "s.parquet")
    rows = run(*["correlate", "--truth", f"truth.{kind}", "--scores", f"s.{kind}", "--bootstrap", 0, "--json"]).json
    assert [(r["statistic"], r["estimate"]) for r in rows] == [
        ("spearman_rho", pytest.approx(0.8)),
        ("kendall_tau", pytest.approx(2 / 3)),
    ]
    assert {(r["n_archs"], r["n_missing"], r["ci_low"], r["step"]) for r in rows} == {(4, 0, None, None)}
    assert {r["benchmark"] for r in rows} == {"truth"}


def test_undefined_values_are_left_out_and_counted(run: Run, tmp_path: Path) -> None:
    names = write_truth(tmp_path, [10.0, 20.0, 30.0, 40.0, math.nan, 60.0, math.inf])
    values = ["1", "2", "NaN", "inf", "5", "6", "7"]
    lines = "\n".join(f'"{a}",mine,{v}' for a, v in zip(names, values, strict=True))
    (tmp_path / "s.csv").write_text("arch,proxy,value\n" + lines + "\n")
    rows = run(*["correlate", "--truth", "truth.csv", "--scores", "s.csv", "--bootstrap", 0, "--json"]).json
    assert {(r["n_archs"], r["n_missing"]) for r in rows} == {(3, 4)}
    assert {r["estimate"] for r in rows} == {1.0}


def test_constant_scores_are_undefined_and_not_zero(run: Run, tmp_path: Path) -> None:
    names = write_truth(tmp_path, [10.0, 20.0, 30.0, 40.0])
    pl.DataFrame({"arch": names, "proxy": "flat", "value": 1.0}).write_csv(tmp_path / "s.csv")
    rows = run(*["correlate", "--truth", "truth.csv", "--scores", "s.csv", "--bootstrap", 10, "--json"]).json
    assert {(r["estimate"], r["ci_low"], r["ci_high"], r["n_archs"]) for r in rows} == {(None, None, None, 4)}
    table = run(*["correlate", "--truth", "truth.csv", "--scores", "s.csv", "--bootstrap", 10])
    assert "–" in table.out


def test_fewer_than_three_architectures(run: Run, tmp_path: Path) -> None:
    names = write_truth(tmp_path, [10.0, 20.0])
    pl.DataFrame({"arch": names, "proxy": "p", "value": [1.0, 2.0]}).write_csv(tmp_path / "s.csv")
    done = run("correlate", "--truth", "truth.csv", "--scores", "s.csv", "--json")
    assert "expected at least 3 architectures with a score and a truth, got 2" in error_of(done, 2)


def test_duplicates_in_a_users_table(run: Run, tmp_path: Path) -> None:
    names = archs(3)
    bare = names[0].partition(":")[2]
    pl.DataFrame({"arch": [*names, bare], "accuracy": [1.0, 2.0, 3.0, 4.0]}).write_csv(tmp_path / "truth.csv")
    pl.DataFrame({"arch": names, "proxy": "p", "value": [1.0, 2.0, 3.0]}).write_csv(tmp_path / "s.csv")
    message = error_of(run("correlate", "--truth", "truth.csv", "--scores", "s.csv"), 1)
    assert f"truth.csv, line 5: {names[0]} stands there again, after line 2 (1 duplicate rows in all)" in message
    write_truth(tmp_path, [1.0, 2.0, 3.0])
    pl.DataFrame({"arch": [*names, names[1]], "proxy": "p", "value": 1.0}).write_csv(tmp_path / "s.csv")
    message = error_of(run("correlate", "--truth", "truth.csv", "--scores", "s.csv"), 1)
    assert f"s.csv, line 5: {names[1]} stands there again, after line 3" in message


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("", 1, "expected a csv table"),
        ("arch,accuracy\n", 1, "expected rows, got an empty table"),
        ("architecture,acc\na,1\n", 1, "missing column(s) arch, accuracy; got architecture, acc"),
        (
            "arch,accuracy\n{0},high\n{1},low\n",
            1,
            "line 2: column 'accuracy': expected a number, got 'high' (and 1 more cell",
        ),
        ("arch,accuracy\n{0},1\n,2\n{2},3\n", 1, "column 'arch': expected text in every row"),
        ("arch,accuracy\n{0},1\n|what|,2\n{2},3\n", 2, "line 3: nb201: expected three nodes"),
        ("arch,accuracy\n{0},100.5\n{1},2\n{2},3\n", 1, "'accuracy' outside [0, 100]"),
        ("arch,accuracy\n1,NA\n2,2\n", 1, "line 2: column 'accuracy': expected a number, got 'NA'"),
        ("arch,accuracy\n{0},0.1\n{1},0.2\n{2},0.3\n", 1, "are they fractions? Say --unit percent if they are right"),
        ("arch,accuracy\n{0},0.91\n{1},0.92\n{2},93\n{3},90\n", 1, "some numbers below 1, such as 0.91 and 0.92"),
    ],
)
def test_malformed_tables(run: Run, tmp_path: Path, text: str, code: int, message: str) -> None:
    (tmp_path / "truth.csv").write_text(text.format(*archs(4)))
    assert message in error_of(run("correlate", "--truth", "truth.csv", "--scores", "params"), code)


def test_a_truncated_parquet_table(run: Run, tmp_path: Path) -> None:
    write_truth(tmp_path, [1.0, 2.0, 3.0], name="truth.parquet")
    whole = (tmp_path / "truth.parquet").read_bytes()
    (tmp_path / "truth.parquet").write_bytes(whole[:-10])
    done = run("correlate", "--truth", "truth.parquet", "--scores", "params")
    assert "truth.parquet: expected a whole Parquet table; it is damaged" in error_of(done, 1)


def test_architectures_of_no_known_space_are_compared_by_name(run: Run, tmp_path: Path) -> None:
    pl.DataFrame({"arch": ["a", "b", "c"], "accuracy": [1.0, 2.0, 3.0]}).write_csv(tmp_path / "truth.csv")
    pl.DataFrame({"arch": ["c", "a", "b"], "proxy": "p", "value": [3.0, 1.0, 2.0]}).write_csv(tmp_path / "s.csv")
    rows = run(*["correlate", "--truth", "truth.csv", "--scores", "s.csv", "--bootstrap", 0, "--json"]).json
    assert {r["estimate"] for r in rows} == {1.0}
    assert "space 'user' cannot count params" in error_of(
        run("correlate", "--truth", "truth.csv", "--scores", "params"), 2
    )


def test_costs_against_a_users_truth_and_curve_proxies_refused(run: Run, tmp_path: Path) -> None:
    names = write_truth(tmp_path, [10.0, 40.0, 20.0, 70.0, 60.0], prefix=False)
    rows = run(*["correlate", "--truth", "truth.csv", "--scores", "params", "--bootstrap", 0, "--json"]).json
    from scipy.stats import spearmanr

    params = [SPACE.params(a, "cifar10") for a in names]
    assert rows[0]["estimate"] == pytest.approx(spearmanr(params, [10, 40, 20, 70, 60]).statistic)
    done = run("correlate", "--truth", "truth.csv", "--scores", "sotl")
    assert "it is read from curves, which a truth file does not hold" in error_of(done, 2)


def test_strangers_are_noted_on_stderr_and_json_stays_clean(run: Run, tmp_path: Path) -> None:
    write_truth(tmp_path, [10.0, 20.0, 30.0, 40.0])
    pl.DataFrame({"arch": archs(9), "proxy": "p", "value": np.arange(9.0)}).write_csv(tmp_path / "s.csv")
    done = run(*["correlate", "--truth", "truth.csv", "--scores", "s.csv", "--bootstrap", 0, "--json"])
    assert done.json[0]["n_archs"] == 4
    assert "note:" in done.err
    assert "that the truth lacks" in done.err


def test_what_was_asked_for_stands_in_the_table(run: Run, tmp_path: Path) -> None:
    names = write_truth(tmp_path, [10.0, 20.0, 30.0, 40.0])
    rows = pl.DataFrame({"arch": names, "proxy": "p", "value": [1.0, 2.0, 4.0, math.inf], "dataset": "other"})
    rows.write_csv(tmp_path / "s.csv")
    args = ["correlate", "--truth", "truth.csv", "--scores", "s.csv", "--bootstrap", 0]
    assert "setting" not in run(*args).out
    assert "scored on other;" in error_or_out(run(*args, "--dataset", "mine", "--transfer", "other"))
    assert "infinite scores ranked last" in error_or_out(run(*args, "--infinite", "worst"))


def error_or_out(done: Done) -> str:
    """What is printed, cells that were broken over lines joined."""
    cells = [line.split("│")[3].strip() for line in done.out.splitlines() if line.startswith("│")]
    return " ".join(cells) if cells else done.err


def test_a_sample_file_narrows_both_sides(run: Run, tmp_path: Path) -> None:
    names = write_truth(tmp_path, [10.0, 20.0, 30.0, 40.0, 5.0])
    pl.DataFrame({"arch": names, "proxy": "p", "value": [1.0, 2.0, 3.0, 4.0, 9.0]}).write_csv(tmp_path / "s.csv")
    pl.DataFrame({"arch": archs(4, prefix=False)}).write_csv(tmp_path / "sample.csv")
    args = ["correlate", "--truth", "truth.csv", "--scores", "s.csv", "--bootstrap", 0, "--json"]
    assert run(*args).json[0]["n_archs"] == 5
    (row, _) = run(*args, "--sample", "sample.csv").json
    assert (row["n_archs"], row["n_missing"], row["estimate"], row["sample"]) == (4, 0, 1.0, "sample.csv")


def test_the_thesis_sample_as_a_pickle(run: Run, data_dir: Path) -> None:
    """Spearman(params, test accuracy) on the thesis's own 200 and truth, CIFAR-10."""
    sample = data_dir / "nb201/thesis_sample_200_seed50.pkl"
    args = ["correlate", "--truth", "nb201-thesis", "--dataset", "cifar10", "--scores", "params"]
    rows = run(*args, "--sample", sample, "--data", data_dir, "--bootstrap", 50, "--json").json
    assert round(rows[0]["estimate"], 4) == 0.7928
    assert rows[0]["ci_low"] < rows[0]["estimate"] < rows[0]["ci_high"]
    assert (rows[0]["n_archs"], rows[0]["n_missing"]) == (200, 0)


def test_a_malicious_pickle_as_a_sample_runs_nothing(run: Run, tmp_path: Path) -> None:
    trap = tmp_path / "sprung"
    command = f"touch {trap}".encode()
    (tmp_path / "evil.pkl").write_bytes(b"cos\nsystem\n(S'" + command + b"'\ntR.")
    done = run("correlate", "--truth", "digits", "--scores", "params", "--sample", "evil.pkl")
    message = error_of(done, 1)
    assert "evil.pkl" in message
    assert "os.system" in message or "posix.system" in message
    assert not trap.exists()


def test_the_seed_of_the_bootstrap(run: Run) -> None:
    args = ["correlate", "--truth", "digits", "--scores", "params", "--bootstrap", 30, "--json"]
    zero, again, one = (run(*args, "--seed", s).json for s in (0, 0, 1))
    assert zero == again
    assert zero[0]["ci_low"] != one[0]["ci_low"]
    assert zero[0]["estimate"] == one[0]["estimate"]
    assert set(run(*args, "--statistic", "topk_mean@5").json[0]) >= FIELDS


# --- data, report, build -----------------------------------------------------------------------------


def test_data_commands(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("nasanalysis.loaders.registry")
    listed = run("data", "list", "--json").json
    assert {"digits"} <= {row["name"] for row in listed}
    assert "digits" in run("data", "list").out
    paths = run("data", "path", "--data", tmp_path, "--json").json
    assert paths["search"][0] == str(tmp_path)
    assert str(tmp_path) in run("data", "path", "--data", tmp_path).out
    (check,) = run("data", "check", "digits", "--json").json
    assert (check["name"], check["status"]) == ("digits", "ok")
    absent = next(row["name"] for row in listed if row["name"] != "digits")
    done = run("data", "check", absent, "--data", tmp_path, "--json")
    assert done.code == 1
    assert done.json[0]["status"] == "absent"


def test_report(run: Run, tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(SMALL_STUDY)
    done = run("report", "s.toml", "--out", "out", "--json")
    assert done.code == 0
    assert done.json == {"index": "out/index.html", "studies": ["s"], "tables": 1, "figures": 0, "skipped": []}
    assert (tmp_path / "out" / "index.html").is_file()
    assert "out/index.html: 1 study, 1 table, 0 figures" in run("report", "s.toml", "--out", "out").out


def test_report_of_a_study_whose_data_is_missing_says_so(run: Run, tmp_path: Path) -> None:
    done = run("report", "nb201", "--data", tmp_path, "--out", "out", "--json")
    assert done.code == 0
    assert len(done.json["skipped"]) >= 1
    assert done.json["tables"] == 0


@pytest.mark.torch
def test_build(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from nasanalysis.builders import build_digits

    seen: dict[str, Any] = {}

    def fake(out: Path, **keys: Any) -> Path:
        seen.update(keys)
        (out / "digits.parquet").parent.mkdir()
        (out / "digits.parquet").write_bytes(b"12345")
        return out / "digits.parquet"

    monkeypatch.setattr(build_digits, "build_digits", fake)
    done = run(
        *["benchmark", "build", "digits", "--archs", 40, "--seeds", 3, "--workers", 0, "--out", "b", "--no-resume"],
        "--json",
    )
    assert done.json == {"out": "b/digits.parquet", "architectures": 40, "seeds": 3, "bytes": 5}
    assert seen == {"archs": 40, "seeds": 3, "workers": os.cpu_count(), "resume": False}


def test_build_without_torch_says_what_to_install(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = tuple(f"nasanalysis.{name}" for name in ("networks", "training", "builders", "live"))
    for name in [m for m in sys.modules if m.startswith(folders)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    message = error_of(run("benchmark", "build", "digits", "--out", "b"), 2)
    assert "needs 'torch', which is not installed" in message
    assert "nasanalysis[supernet]" in message


# --- the process -------------------------------------------------------------------------------------


def process(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nasanalysis", *args],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[2]), **env},
    )


def test_debug_shows_the_traceback_and_nothing_else_does() -> None:
    plain, debug = process("archs", "nb2O1"), process("--debug", "archs", "nb2O1")
    assert (plain.returncode, plain.stdout) == (2, "")
    assert plain.stderr.startswith("error: unknown space 'nb2O1'")
    assert "Traceback" not in plain.stderr
    assert debug.returncode != 0
    assert "Traceback" in debug.stderr
    assert "UnknownNameError" in debug.stderr


def test_a_reader_that_closes_early_is_no_traceback() -> None:
    command = f"{sys.executable} -m nasanalysis archs nb201 --count --json | true"
    done = subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[2])},
    )
    assert "Traceback" not in done.stderr


def test_version_and_help(run: Run) -> None:
    assert run("version").out.strip()
    assert run("version").code == 0
    for command in ([], ["data"], ["benchmark"], ["archs"], ["score"], ["correlate"], ["report"]):
        assert "Usage" in run(*command, "--help").out

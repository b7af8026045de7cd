"""Tables with a column for each proxy: which columns are proxies, what is said, and that long and wide are one."""

from __future__ import annotations

import io
import sys
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest
from scipy.stats import spearmanr

import nasanalysis as na
from nasanalysis.core.errors import FrameError
from nasanalysis.loaders.tables.plain import parse_csv
from nasanalysis.loaders.tables.wide import WideTableWarning, is_wide, long
from nasanalysis.spaces.nb201 import SPACE
from nasanalysis.studies.files import compare

NAMES = [SPACE.arch(i).key for i in range(5)]
ACCURACY = [90.0, 80.0, 70.0, 85.0, 60.0]
SYNFLOW, NWOT = [5.0, 3.0, 4.0, 6.0, 1.0], [1.0, 2.0, 3.0, 5.0, 4.0]
EXPECTED = {name: spearmanr(ACCURACY, values).statistic for name, values in {"synflow": SYNFLOW, "nwot": NWOT}.items()}


def wide(**more: Any) -> pl.DataFrame:
    return pl.DataFrame({"arch": NAMES, "synflow": SYNFLOW, "nwot": NWOT, **more})


def read(text: str) -> tuple[pl.DataFrame, str]:
    notes: list[str] = []
    table = long(parse_csv("t.csv", text.encode()), notes.append)
    return table.frame, " ".join(notes)


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet", "-"])
def test_a_column_for_each_proxy_at_the_prompt(ending: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / f"wide.{ending}"
    text = wide().write_csv(separator="\t" if ending == "tsv" else ",")
    wide().write_parquet(path) if ending == "parquet" else path.write_text(text)
    if ending == "-":
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    pl.DataFrame({"arch": NAMES, "accuracy": ACCURACY}).write_csv(tmp_path / "truth.csv")
    notes: list[str] = []
    scores = "-" if ending == "-" else str(path)
    how: dict[str, Any] = {"statistics": ("spearman_rho",), "n_boot": 0, "warn": notes.append}
    frame = compare(str(tmp_path / "truth.csv"), scores, **how)
    assert dict(frame.select("proxy", "estimate").iter_rows()) == pytest.approx(EXPECTED)
    assert "taken as proxies are synflow, nwot" in " ".join(notes)


@pytest.mark.parametrize("library", [pl.DataFrame, pd.DataFrame])
def test_a_column_for_each_proxy_from_python(library: Any) -> None:
    scores = library(wide().to_dict(as_series=False))
    with pytest.warns(WideTableWarning, match="taken as proxies are synflow, nwot"):
        frame = na.correlate(
            library({"arch": NAMES, "accuracy": ACCURACY}), scores, statistics=["spearman_rho"], n_boot=0
        )
    assert dict(zip(frame["proxy"], frame["estimate"], strict=True)) == pytest.approx(EXPECTED)


def test_a_benchmark_of_two_tables_holds_the_scores_of_a_wide_one(tmp_path: Path) -> None:
    wide().write_csv(tmp_path / "wide.csv")
    pl.DataFrame({"arch": NAMES, "accuracy": ACCURACY}).write_csv(tmp_path / "truth.csv")
    benchmark = na.load_benchmark([tmp_path / "truth.csv", tmp_path / "wide.csv"])
    assert na.score(benchmark, "nwot")["value"].to_list() == NWOT
    assert any("taken as proxies are synflow, nwot" in note for note in benchmark.notes)


def test_what_is_no_score_is_left_out_and_named() -> None:
    frame, note = read("arch,Unnamed: 0,accuracy,name,empty,synflow,dataset\na,0,90,x,,5,c\nb,1,80,y,,3,c\n")
    assert frame.rows() == [("a", "c", "synflow", 5.0), ("b", "c", "synflow", 3.0)]
    assert "proxies are synflow; left out: 'Unnamed: 0' (the number of the row), 'name' (no numbers)" in note
    assert "'empty' (empty), 'accuracy' (a truth)" in note


def test_a_row_number_that_counts_something_else_is_a_score() -> None:
    assert read("arch,index\na,3\nb,7\n")[0]["value"].to_list() == [3.0, 7.0]


def test_a_word_among_numbers_is_told_with_its_line() -> None:
    with pytest.raises(FrameError, match=r"t.csv, line 3: column 'nwot': expected a number, got 'NA'"):
        read("arch,synflow,nwot\na,1,2\nb,3,NA\n")
    with pytest.raises(FrameError, match="got 'name': no numbers"):
        read("arch,name\na,x\nb,y\n")


def test_a_bad_architecture_is_told_with_its_line_whichever_proxy_comes_first(tmp_path: Path) -> None:
    wide().with_columns(arch=pl.Series([*NAMES[:4], "|what|"])).write_csv(tmp_path / "wide.csv")
    pl.DataFrame({"arch": NAMES, "accuracy": ACCURACY}).write_csv(tmp_path / "truth.csv")
    with pytest.raises(na.core.errors.ArchError, match=r"wide.csv, line 6: nb201: expected three nodes"):
        compare(str(tmp_path / "truth.csv"), str(tmp_path / "wide.csv"), n_boot=0, warn=lambda _: None)


def test_decimal_commas_and_infinities() -> None:
    assert read("arch;mine\na;1,5\nb;-2,25\n")[0]["value"].to_list() == [1.5, -2.25]
    assert read("arch,mine\na,inf\nb,1\n")[0]["value"].to_list() == [float("inf"), 1.0]


def test_long_tables_are_left_alone() -> None:
    for columns in (["arch", "proxy", "value"], ["arch", "value"], ["arch", "proxy"], ["arch", "accuracy"], ["x", "y"]):
        assert not is_wide(columns)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = parse_csv("t.csv", b"arch,proxy,value\na,mine,1\n")
        assert long(table) is table

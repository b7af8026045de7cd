"""``[[multiverse]]`` items: a sentence, a table of counts, a figure."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from nasanalysis.core.errors import NasAnalysisError
from nasanalysis.loaders.sources import Sources
from nasanalysis.stats.resampling import Resampling
from nasanalysis.studies.multiverse.items import MultiverseItem

ITEM = {"name": "claim", "title": "A claim", "benchmark": "digits", "better": "sotl", "than": "val_acc"}
FEW = {"statistics": ("spearman_rho",), "resampled": ("arch",), "steps": (1, 12), "truth_seeds": False}


def section(**changes: object) -> object:
    return MultiverseItem.model_validate({**ITEM, **FEW, **changes}).section(Sources(None), Resampling(50))


def test_a_section_says_counts_and_draws() -> None:
    said = section()
    table, figure = said.tables[0], said.figures[0]  # type: ignore[attr-defined]
    assert len(figure.data) == 4  # two splits, two steps
    every = table.data.row(0, named=True)
    assert every["n"] == 4
    assert every["holds"] == int((figure.data["verdict"] == "ahead").sum())
    by_step = table.data.filter(choice="step")
    assert by_step["level"].to_list() == ["1", "12"]
    assert by_step["n"].to_list() == [2, 2]
    assert said.text.endswith("(1: 2 of 2; 12: 0 of 2).")  # type: ignore[attr-defined]


def test_scores_of_a_file_of_ones_own(tmp_path: Path) -> None:
    truth = Sources(None).benchmark("digits").truth(split="test").filter(pl.col("seed") == 0)
    rows = truth.select("arch", proxy=pl.lit("mine"), value=pl.col("accuracy"))
    file = tmp_path / "mine.csv"
    rows.write_csv(file)
    said = section(better="mine", than="params", scores=str(file), splits=("test",), truth_seeds=True)
    assert said.tables[0].data.row(0, named=True)["holds"] == 3  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"than": "sotl"}, "expected two proxies, got 'sotl' twice"),
        ({"splits": ("train",)}, "digits has no truth of split 'train'; it has test, valid"),
        ({"schedules": (200,)}, "digits has no truth of schedule 200; it has 12"),
        ({"kept": "nb201_measured_scores.parquet", "part": "silence"}, "unknown part of these kept results 'silence'"),
        ({"margin": 0.0}, "margin"),
    ],
)
def test_malformed_items(changes: dict[str, object], message: str) -> None:
    with pytest.raises((NasAnalysisError, ValueError), match=message):
        section(**changes)

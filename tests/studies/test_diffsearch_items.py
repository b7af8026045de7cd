"""``[[diffsearch]]``: its table, figure and sentence, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from nasanalysis.core.errors import StudyError, UnknownNameError
from nasanalysis.core.frames import write_frame
from nasanalysis.loaders.sources import Sources
from nasanalysis.report.model import Mark
from nasanalysis.stats.resampling import Resampling
from nasanalysis.studies.diffsearch.items import DiffSearchItem
from nasanalysis.studies.diffsearch.section import diffsearch_section, sentences

CELLS = [
    "nb201:|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|",
    "nb201:|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|",
]


def files(folder: Path) -> DiffSearchItem:
    rows = []
    for seed in range(3):
        for method, cell in (("darts", CELLS[0]), ("gdas", CELLS[1])):
            rows += [(method, seed, e, "genotype", None, cell) for e in (0, 10)]
            rows += [
                (method, seed, 10, "selected", None, cell),
                (method, seed, 10, "skips", 1.0 - (cell == CELLS[1]), None),
            ]
    trace = pl.DataFrame(
        rows,
        schema={
            "method": pl.String,
            "seed": pl.Int64,
            "epoch": pl.Int64,
            "quantity": pl.String,
            "value": pl.Float64,
            "text": pl.String,
        },
        orient="row",
    ).with_columns(benchmark=pl.lit("live-nb201"), dataset=pl.lit("digits"), setting=pl.lit(""))
    truth = pl.DataFrame({"arch": CELLS, "accuracy": [60.0, 90.0]}).with_columns(
        benchmark=pl.lit("digits"), dataset=pl.lit("digits"), split=pl.lit("test"), schedule=pl.lit(12),
        seed=pl.lit(0), origin=pl.lit("trained"),
    )  # fmt: skip
    write_frame(trace, folder / "trace.parquet")
    write_frame(truth, folder / "truth.parquet")
    return DiffSearchItem(
        name="mine", title="Mine", traces=(str(folder / "trace.parquet"),), truth=str(folder / "truth.parquet")
    )


def test_a_table_a_figure_and_a_sentence(tmp_path: Path) -> None:
    section = diffsearch_section(files(tmp_path), Sources(None), Resampling())
    (table,) = section.tables
    assert table.header[:4] == ["method", "setting", "seeds", "true accuracy (%)"]
    assert [row[:5] for row in table.rows] == [
        ["GDAS", "–", "3", "90.00", "[90.00, 90.00]"],
        ["DARTS", "–", "3", "60.00", "[60.00, 60.00]"],
    ]
    assert [row[3] for row in table.marks] == [Mark.BEST, Mark.NONE]
    assert table.rows[1][table.header.index("skips")] == "1.0"
    assert section.answer == (
        "Of differentiable searches, GDAS selects the best cells on average (90.00 %); behind it: DARTS.",
    )
    (figure,) = section.figures
    ax = figure.draw()
    assert [line.get_label() for line in ax.get_lines()] == ["DARTS", "GDAS"]
    assert list(ax.get_lines()[1].get_ydata()) == [90.0, 90.0]


def test_what_an_item_refuses(tmp_path: Path) -> None:
    item = files(tmp_path)
    with pytest.raises(UnknownNameError, match="unknown method of these traces 'dart'. Did you mean 'darts'"):
        diffsearch_section(item.model_copy(update={"methods": ("dart",)}), Sources(None), Resampling())
    with pytest.raises(ValueError, match="truth = FILE, or benchmark = NAME, one of them"):
        DiffSearchItem(name="x", title="X", traces=("a.parquet",))
    with pytest.raises(StudyError, match="expected dataset, one of"):
        both = item.model_copy(update={"truth": None, "benchmark": "digits"})
        diffsearch_section(both, Sources(None), Resampling())
    assert sentences(pl.DataFrame({"mean": [1.0], "method": ["a"], "setting": [""], "standing": ["best"]})) == ()


def test_truth_of_several_files_counts_a_cell_once(tmp_path: Path) -> None:
    item = files(tmp_path)
    truth = pl.read_parquet(tmp_path / "truth.parquet")
    write_frame(truth.head(1), tmp_path / "one.parquet")
    parts = (str(tmp_path / "one.parquet"), str(tmp_path / "truth.parquet"))
    several = DiffSearchItem.model_validate({**item.model_dump(), "truth": list(parts)})
    (both,), (single,) = (diffsearch_section(i, Sources(None), Resampling()).tables for i in (several, item))
    assert both.rows == single.rows


def test_of_a_large_space_the_truth_of_what_was_selected_is_read_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the benchmark of digits: the same table, and only the two cells of the trace are asked for."""
    from nasanalysis.loaders.benchmark import Benchmark, load_benchmark

    item = files(tmp_path)
    cells = sorted(load_benchmark("digits").truth(split="test")["arch"].unique())[:2]
    trace = pl.read_parquet(item.traces[0]).with_columns(pl.col("text").replace(dict(zip(CELLS, cells, strict=True))))
    write_frame(trace, tmp_path / "trace.parquet")
    asked: list[list[str] | None] = []
    whole = Benchmark.truth

    def truth(self: Benchmark, *args: Any, **keys: Any) -> pl.DataFrame:
        asked.append(keys.get("archs"))
        return whole(self, *args, **keys)

    monkeypatch.setattr(Benchmark, "truth", truth)
    keys = {"truth": None, "benchmark": "digits", "dataset": "digits", "schedule": 12}
    one, other = (item.model_copy(update={**keys, "selected_alone": alone}) for alone in (True, False))
    tables = [diffsearch_section(each, Sources(None), Resampling()).tables[0].data for each in (one, other)]
    assert tables[0].equals(tables[1])
    assert [names if names is None else sorted(names) for names in asked] == [cells, None]

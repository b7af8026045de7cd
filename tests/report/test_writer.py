"""Files of a report: text that no spreadsheet runs, and names that no plot takes for a formula."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from nasanalysis.report.libraries import library
from nasanalysis.report.writer import as_text, write_csv


def test_no_cell_is_a_formula_to_a_spreadsheet(tmp_path: Path) -> None:
    names = ["=HYPERLINK(1)", "+cmd", "-loss", "@sum", "\tx", "-1.5", "+2e-3", "a=b", "", None, "nb201:|x~0|"]
    frame = pl.DataFrame({"=proxy": names, "value": [-1.5] * len(names)})
    text = write_csv(frame, tmp_path / "t.csv").read_text()
    back = pl.read_csv(tmp_path / "t.csv", infer_schema=False)
    assert back.columns == ["'=proxy", "value"]
    assert back["'=proxy"].to_list() == [
        "'=HYPERLINK(1)", "'+cmd", "'-loss", "'@sum", "'\tx", "-1.5", "+2e-3", "a=b", "", None, "nb201:|x~0|",
    ]  # fmt: skip
    assert set(back["value"]) == {"-1.5"}
    assert "\n=" not in text
    plain = pl.DataFrame({"a": ["x", None], "b": [1, None]})
    assert as_text(plain).equals(plain)


def test_the_script_of_the_charts_is_bundled_once_for_a_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vl_convert = pytest.importorskip("vl_convert")
    monkeypatch.setenv("NASANALYSIS_CACHE", str(tmp_path))
    bundled: list[str] = []

    def bundle(entry: str) -> str:
        bundled.append(entry)
        return f"/* vega */ {entry}"

    monkeypatch.setattr(vl_convert, "javascript_bundle", bundle)
    library.cache_clear()
    first = library("charts")
    library.cache_clear()
    assert library("charts") == first
    assert len(bundled) == 1
    [kept] = (tmp_path / "libraries").iterdir()
    kept.write_text(first[:20])  # cut off
    library.cache_clear()
    assert library("charts") == first
    assert len(bundled) == 2
    library.cache_clear()

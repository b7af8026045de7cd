"""Files that we converted ourselves, damaged afterwards: they are no more trusted than those of other people."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from nasanalysis.core.errors import DataFileError
from nasanalysis.loaders import Benchmark
from nasanalysis.loaders.nb301 import benchmark as nb301


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """A Parquet file whose footer is whole and whose pages are not."""
    path = tmp_path / "curves.parquet"
    names = [f"nb201:{i}" for i in range(5_000)]
    pl.DataFrame({"arch": names, "dataset": "d", "accuracy": [i / 7 for i in range(5_000)]}).write_parquet(path)
    content = bytearray(path.read_bytes())
    content[40:4_000] = b"\xff" * 3_960
    path.write_bytes(content)
    return path


def test_a_damaged_conversion_is_our_error_wherever_it_is_read(damaged: Path) -> None:
    with pytest.raises(BaseException) as plain:  # polars' own, of several kinds
        pl.scan_parquet(damaged).collect()
    assert not isinstance(plain.value, DataFileError)
    frames = {"TRUTH": lambda: pl.scan_parquet(damaged), "CURVES": lambda: pl.scan_parquet(damaged)}
    benchmark = Benchmark("mine", "nb201", ("d",), (damaged,), frames)
    for read in (benchmark.truth, benchmark.curves, benchmark.archs):
        with pytest.raises(DataFileError, match="benchmark 'mine': expected whole files .* once deleted"):
            read()


@pytest.mark.parametrize("model", [b"tree\nleaf_value=1 2 3\n", b"{L\x00\xff\n\n"])
def test_a_kept_model_is_read_byte_by_byte(model: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    nb301._keep(path, model)
    assert nb301._kept(path) == model
    whole = path.read_bytes()
    for wrong in (whole[:-1], whole + b"x", whole.replace(b"e", b"f"), model, b""):
        if wrong == whole:
            continue
        path.write_bytes(wrong)
        with pytest.raises(DataFileError, match=r"a.txt: expected a model as it was kept"):
            nb301._kept(path)

"""Plain tables: text stays text, numbers are told apart from words cell by cell, every encoding is read or named."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import polars as pl
import pytest

from nasanalysis.core.errors import DataFileError, FrameError, StudyError
from nasanalysis.loaders.tables.plain import is_plain, read_plain


def table(tmp_path: Path, text: str | bytes, name: str = "t.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_architectures_stay_text(tmp_path: Path) -> None:
    made = read_plain(table(tmp_path, "arch,accuracy\n02012100,90.5\n1e3,80\n"), ("arch", "accuracy"))
    assert made.texts("arch").to_list() == ["02012100", "1e3"]
    assert made.numbers("accuracy").to_list() == [90.5, 80.0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-bom", "utf-16-be-bom"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_encodings_and_separators(tmp_path: Path, encoding: str, separator: str, end: str) -> None:
    text = end.join(separator.join(row) for row in (("arch", "accuracy"), ("zelle-ä", "90.5"), ("b", ""))) + end
    marks = {
        "utf-16-le-bom": b"\xff\xfe" + text.encode("utf-16-le"),
        "utf-16-be-bom": b"\xfe\xff" + text.encode("utf-16-be"),
    }
    made = read_plain(table(tmp_path, marks.get(encoding) or text.encode(encoding)), ("arch", "accuracy"))
    assert made.texts("arch").to_list() == ["zelle-ä", "b"]
    assert made.numbers("accuracy").to_list() == [90.5, None]


def test_semicolons_with_decimal_commas(tmp_path: Path) -> None:
    made = read_plain(table(tmp_path, "arch;accuracy;epochs\na;93,5;12\nb;90;12\n"), ("arch", "accuracy"))
    assert made.numbers("accuracy").to_list() == [93.5, 90.0]
    assert made.whole_numbers("epochs").to_list() == [12, 12]


@pytest.mark.parametrize("word", ["NA", "None", "-", "n/a", "high", "1.2.3", "0x10", "true"])
def test_a_word_among_numbers_is_named_with_its_line(tmp_path: Path, word: str) -> None:
    made = read_plain(table(tmp_path, f"arch,accuracy\na,5.1\nb,6.2\nc,{word}\nd,7\n"))
    with pytest.raises(FrameError, match=rf"t.csv, line 4: column 'accuracy': expected a number, got '{word}'; leave"):
        made.numbers("accuracy")


def test_what_counts_as_not_measured(tmp_path: Path) -> None:
    made = read_plain(table(tmp_path, "arch,value\na,\nb,nan\nc,NaN\nd,inf\ne,-1e3\n"))
    assert made.numbers("value").to_list() == [None, None, None, float("inf"), -1000.0]


def test_a_decimal_comma_among_commas_is_named(tmp_path: Path) -> None:
    made = read_plain(table(tmp_path, 'arch,accuracy\na,"93,5"\nb,90\n'))
    with pytest.raises(FrameError, match="got '93,5'; is it a decimal comma"):
        made.numbers("accuracy")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected a csv table with columns arch, accuracy, got an empty file"),
        ("arch,accuracy\n", "expected rows, got an empty table"),
        ("arch,acuracy\na,1\n", "missing column\\(s\\) accuracy; got arch, acuracy. Did you mean 'acuracy'"),
        ("arch,accuracy\na,1,2\n", "line 2: expected 2 cells as in the first line, got 3"),
        ("arch,accuracy\n|a,b|,1\n", "put text that holds a separator into double quotes"),
        ("arch,accuracy\n,1\n", "line 2: column 'arch': expected text in every row, got an empty cell"),
        (b"arch,accuracy\nz\xe4hler,1\n", "got the byte 0xe4 in line 2; save the file as UTF-8"),
        ("arch,accuracy\na,1\n".encode("utf-16-le"), "a zero byte in line 1; is it UTF-16"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "expected text in UTF-8"),
    ],
)
def test_bad_tables(tmp_path: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(FrameError, match=said):
        read_plain(table(tmp_path, text), ("arch", "accuracy")).texts("arch")


def test_parquet(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pl.DataFrame({"arch": ["a", "b"], "accuracy": [1.0, float("nan")]}).write_parquet(path)
    assert read_plain(path, ("arch",)).numbers("accuracy").to_list() == [1.0, None]
    pl.DataFrame({"arch": [1, 2], "accuracy": [1, 2]}).write_parquet(path)
    with pytest.raises(FrameError, match="column 'arch': expected text in every row, got Int64"):
        read_plain(path).texts("arch")
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(FrameError, match="expected a whole Parquet table"):
        read_plain(path)


def test_a_damaged_page_does_not_panic(tmp_path: Path) -> None:
    hostile = Path(__file__).resolve().parents[2].parent / "shared" / "hostile" / "panic.parquet"
    if not hostile.exists():
        pytest.skip("no hostile files beside the repository")
    with pytest.raises(FrameError, match="expected a whole Parquet table"):
        read_plain(hostile)


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_plain("-")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"arch,value\na,1\nb,x\n")))
    made = read_plain("-", ("arch", "value"))
    with pytest.raises(FrameError, match="standard input, line 3: column 'value'"):
        made.numbers("value")


def test_no_such_file_and_other_endings(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="found no such file"):
        read_plain(tmp_path / "no.csv", ("arch",))
    with pytest.raises(StudyError, match="expected a file ending in"):
        read_plain(table(tmp_path, "x", "t.xlsx"))
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataFileError, match="expected a readable file"):
        read_plain(tmp_path / "folder.csv")


def test_whole_numbers(tmp_path: Path) -> None:
    made = read_plain(table(tmp_path, "arch,step\na,1\nb,2.5\n"))
    with pytest.raises(FrameError, match="line 3: column 'step': expected a whole number, got 2.5"):
        made.whole_numbers("step")

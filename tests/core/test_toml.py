"""One reader for every TOML file: what is wrong is said with the file, the key and what would be right."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field, model_validator

from nasanalysis.core.errors import DataFileError, MissingDataError, NasAnalysisError, StudyError
from nasanalysis.core.toml import Many, StrictModel, read_toml


class Inner(StrictModel):
    rate: float = 0.1
    words: Many[str] = ()
    free: dict[str, Inner] = Field(default_factory=dict)


class Column(StrictModel):
    column: str


class Outer(StrictModel):
    name: str = Field(pattern="^[a-z]+$")
    count: int = 1
    seed: int | list[int] | Column | None = None
    kind: Literal["one", "two"] = "one"
    inner: Inner = Inner()
    parts: Many[Inner] = ()

    @model_validator(mode="after")
    def _agrees(self) -> Outer:
        if self.count == 13:
            raise ValueError("count: expected any number but 13, got 13")
        return self


def read(tmp_path: Path, content: str | bytes) -> Outer:
    path = tmp_path / "some.toml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_toml(path, Outer, what="a description")


def refusal(tmp_path: Path, content: str | bytes) -> str:
    with pytest.raises(StudyError) as caught:
        read(tmp_path, content)
    text = str(caught.value)
    assert text.startswith(f"{tmp_path / 'some.toml'}: ")
    assert "\n" not in text
    return text.removeprefix(f"{tmp_path / 'some.toml'}: ")


def test_a_file_is_a_model(tmp_path: Path) -> None:
    found = read(tmp_path, 'name = "a"\ninner = { rate = 1, words = ["x"] }\n[[parts]]\nrate = 2.0\n')
    assert found == Outer(name="a", inner=Inner(rate=1.0, words=("x",)), parts=(Inner(rate=2.0),))
    assert isinstance(found.parts, tuple)


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b""])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_files_of_windows_editors_are_read(tmp_path: Path, mark: bytes, end: bytes) -> None:
    assert read(tmp_path, mark + b'name = "a"' + end + b"count = 2" + end).count == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('name = "a"\ncuont = 2', "unknown key 'cuont'. Did you mean 'count'?"),
        ('name = "a"\nxyzzy = 2', "unknown key 'xyzzy'. Known: name, count, seed, kind, inner, parts."),
        ('name = "a"\n[inner]\nrat = 2', "unknown key 'inner.rat'. Did you mean 'rate'?"),
        ('name = "a"\n[[parts]]\n[[parts]]\nword = []', "unknown key 'parts.1.word'. Did you mean 'words'?"),
        ('name = "a"\n[inner.free.some]\nrat = 2', "unknown key 'inner.free.some.rat'. Did you mean 'rate'?"),
        ('name = "a"\nseed = { colum = "s" }', "unknown key 'seed.colum'. Did you mean 'column'?"),
        ('name = "a"\nseed = { colum = "s" }', "missing key 'seed.column'"),
        ("count = 2", "missing key 'name'"),
        ('name = "A"', "name: String should match pattern '^[a-z]+$' (got 'A')"),
        ('name = "a"\ncount = "2"', "count: Input should be a valid integer (got '2')"),
        ('name = "a"\ncount = true', "count: Input should be a valid integer (got True)"),
        ('name = "a"\ncount = 2.0', "count: Input should be a valid integer (got 2.0)"),
        ('name = "a"\nkind = "three"', "kind: Input should be 'one' or 'two' (got 'three')"),
        ('name = "a"\ninner = { words = [1] }', "inner.words.0: Input should be a valid string (got 1)"),
        ('name = "a"\nseed = "x"', "seed: Input should be a valid integer (got 'x')"),
        ('name = "a"\nseed = [1, "x"]', "seed.1: Input should be a valid integer (got 'x')"),
        ('name = "a"\ncount = 13', "count: expected any number but 13, got 13"),
        ('name = "a"\nparts = 3', "parts: Input should be a valid tuple (got 3)"),
        ("name = ", "expected TOML, got Invalid value"),
        ('name = "a"\nname = "b"', "expected TOML, got Cannot overwrite a value"),
        (b'name = "\xe9"', "expected TOML, got text that is not UTF-8 ("),
        (b"\xff\xfen\x00", "expected TOML, got text in UTF-16: save it as UTF-8"),
        ("name = " + "9" * 5000, "expected TOML, got Exceeds the limit"),
        ('name = "a"\nx = ' + "[" * 3000 + "]" * 3000, "expected TOML, got values more than 32 deep"),
        ('name = "a"\nx = ' + "[" * 200 + "]" * 200, "expected TOML, got values more than 32 deep"),
        ('name = "a"\n' + ".".join("x" * 3000) + " = 1", "expected TOML, got values more than 32 deep"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, content: str | bytes, message: str) -> None:
    assert message in refusal(tmp_path, content)


def test_a_check_of_a_whole_table_says_what_it_got_itself(tmp_path: Path) -> None:
    assert refusal(tmp_path, 'name = "a"\ncount = 13') == "count: expected any number but 13, got 13"


def test_many_errors_are_told_up_to_five(tmp_path: Path) -> None:
    text = refusal(tmp_path, "\n".join(f"k{i} = 1" for i in range(9)))
    assert text.count("unknown key") + text.count("missing key") == 5


def test_no_file_and_no_readable_file(tmp_path: Path) -> None:
    nothing = tmp_path / "none.toml"
    with pytest.raises(StudyError, match=r"none\.toml: expected a description, found nothing there"):
        read_toml(nothing, Outer, what="a description")
    with pytest.raises(MissingDataError, match="found nothing there"):
        read_toml(nothing, Outer, error=DataFileError, missing=MissingDataError)
    for path in (tmp_path, tmp_path / "a\0b"):
        with pytest.raises(DataFileError, match="expected a TOML file, got"):
            read_toml(path, Outer, error=DataFileError)


def test_defaults_give_way_to_the_file(tmp_path: Path) -> None:
    path = tmp_path / "some.toml"
    path.write_text("count = 2\n")
    assert read_toml(path, Outer, defaults={"name": path.stem, "count": 5}) == Outer(name="some", count=2)


class Checked(StrictModel):
    name: str

    @model_validator(mode="after")
    def _refuses(self) -> Checked:
        raise NasAnalysisError("unknown name")


def test_errors_of_ours_inside_a_model_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "some.toml"
    path.write_text('name = "a"')
    with pytest.raises(StudyError, match=r"some\.toml: unknown name"):
        read_toml(path, Checked)

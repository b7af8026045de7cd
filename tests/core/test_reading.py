"""The net at every door, and values of other people in messages."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nasanalysis.core.errors import DataFileError, FrameError, MissingDataError, StudyError
from nasanalysis.core.reading import reading, reads
from nasanalysis.core.shown import shown, words


class PanicException(BaseException):
    """As polars' own is: no `Exception`."""


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (KeyError("x"), r"f: expected a thing, got a damaged file \(KeyError: 'x'\)"),
        (ValueError("one\ntwo"), r"got a damaged file \(ValueError: one\)"),
        (ValueError(), r"got a damaged file \(ValueError\)"),
        (RecursionError("maximum"), "got a damaged file .it is nested too deep"),
        (MemoryError(), "needs more memory than there is"),
        (PermissionError(13, "Permission denied"), r"an error of the system \(Permission denied\)"),
        (PanicException("index out of bounds"), "its reader gave up on it"),
    ],
)
def test_foreign_errors_become_ours(error: BaseException, message: str) -> None:
    with pytest.raises(DataFileError, match=message) as caught, reading("f", "a thing"):
        raise error
    assert caught.value.__cause__ is error


def test_what_passes() -> None:
    for error in (FrameError("ours"), KeyboardInterrupt(), SystemExit(3), ModuleNotFoundError("x"), NameError("bug")):
        with pytest.raises(type(error)), reading("f", "a thing"):
            raise error
    with pytest.raises(MissingDataError, match="f: expected a thing, found nothing there"), reading("f", "a thing"):
        raise FileNotFoundError
    with pytest.raises(StudyError), reading("f", "a thing", StudyError):
        raise KeyError


def test_as_a_decorator() -> None:
    @reads("two bytes")
    def second(path: Path, *, more: int = 0) -> int:
        return path.read_bytes()[1 + more]

    assert second(Path(__file__)) > 0
    with pytest.raises(MissingDataError, match="nothing: expected two bytes, found nothing there"):
        second(path=Path("nothing"))


def test_values_of_any_size_are_shown_short() -> None:
    twice: Any = 1
    for _ in range(45):
        twice = (twice, twice)
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    array = np.empty(1, object)
    array[0] = twice
    values = [twice, deep, {1: twice}, OrderedDict({"a": twice}), [twice] * 1000, array, 10**100_000, "x" * 10**6]
    values += [b"x" * 10**6, np.zeros(10**6), frozenset(range(10**5)), object(), np.float64(0.5), True, None]
    assert all(len(shown.repr(value)) < 1000 for value in values)
    assert [shown.repr(v) for v in (True, None, "a", 3, 1.5, (1, "b"), {"a": [1]}, np.float64(0.5))] == [
        "True", "None", "'a'", "3", "1.5", "(1, 'b')", "{'a': [1]}", "np.float64(0.5)",
    ]  # fmt: skip
    assert shown.repr(10**100_000) == "an integer of 332,193 bits"
    assert words(["arch", 3, "x" * 500], most=2) == "arch, 3"

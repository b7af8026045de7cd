"""One net for every door: whatever reading somebody else's file raises becomes our error, with the file's name.

>>> with reading("a", "an array"):
...     [1][2]
Traceback (most recent call last):
    ...
nasanalysis.core.errors.DataFileError: a: expected an array, got a damaged file (IndexError: list index out of range)
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec, TypeVar

from .errors import DataFileError, MissingDataError, NasAnalysisError

P = ParamSpec("P")
R = TypeVar("R")


@contextlib.contextmanager
def reading(path: object, what: str, error: type[NasAnalysisError] = DataFileError) -> Iterator[None]:
    """A ``with`` block in which `path` is read, expected to be `what`; `error` is raised for what is not ours.

    Errors of this package pass, as do missing libraries, mistyped names (a file has no part in these) and what ends a
    process (Ctrl-C). A panic of a library written in Rust is no `Exception`, and is caught too.
    """
    try:
        yield
    except (NasAnalysisError, ImportError, NameError):
        raise
    except FileNotFoundError as failure:
        raise MissingDataError(f"{path}: expected {what}, found nothing there") from failure
    except BaseException as failure:
        if not isinstance(failure, Exception) and type(failure).__name__ != "PanicException":
            raise
        raise error(f"{path}: expected {what}, got {_got(failure)}") from failure


def _got(failure: BaseException) -> str:
    if isinstance(failure, MemoryError):
        return "one that needs more memory than there is"
    if isinstance(failure, OSError) and failure.strerror:
        return f"an error of the system ({failure.strerror})"
    if isinstance(failure, RecursionError):
        return "a damaged file (it is nested too deep)"
    if not isinstance(failure, Exception):
        return "a damaged file (its reader gave up on it)"
    try:
        said = str(failure).strip()
    except Exception:  # an error of a library that cannot print itself
        said = ""
    line = said.splitlines()[0][:200] if said else ""
    return f"a damaged file ({type(failure).__name__}{': ' if line else ''}{line})"


def reads(what: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """`reading` around a whole function whose first argument is the path."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
            path: Any = args[0] if args else next(iter(kwargs.values()))
            with reading(path, what):
                return function(*args, **kwargs)

        return wrapper

    return decorate

"""The one way in for TOML: a file becomes a checked model, or one line that says which key to correct.

Studies, configurations, descriptions of tables and the data registry are read here, so that all of them refuse an
unknown key with "did you mean", name the key of a wrong value, and never end in a traceback.
"""

from __future__ import annotations

import contextlib
import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .errors import NasAnalysisError, StudyError
from .shown import shown

#: Values lie no deeper than this: below it neither the parser nor a model runs out of stack.
DEPTH = 32
#: Errors of a file that are told at once, and keys of a table that are listed where none is close.
TOLD, LISTED = 5, 30

T = TypeVar("T")
Model = TypeVar("Model", bound=BaseModel)

#: A TOML array as a tuple: what holds it stays hashable. (A strict model would take no list for a tuple.)
Many = Annotated[tuple[T, ...], Field(strict=False)]


class StrictModel(BaseModel):
    """A table of a file: unknown keys are refused, ``"3"`` and ``true`` are no numbers, what is read never changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def read_toml(
    path: Path | str,
    model: type[Model],
    *,
    what: str = "a TOML file",
    error: type[NasAnalysisError] = StudyError,
    missing: type[NasAnalysisError] | None = None,
    defaults: Mapping[str, Any] | None = None,
) -> Model:
    """A file as `model`.

    Parameters
    ----------
    what: said where there is no file: "expected `what`, found nothing there".
    error: raised with ``path: key: message (got ...)``; `missing` in its place where there is no file.
    defaults: top-level keys for where the file has none, such as a name made of the file's.
    """
    keys = read_keys(path, what=what, error=error, missing=missing)
    return validated(model, {**(defaults or {}), **keys}, where=str(path), error=error)


def read_keys(
    path: Path | str,
    *,
    what: str = "a TOML file",
    error: type[NasAnalysisError] = StudyError,
    missing: type[NasAnalysisError] | None = None,
) -> dict[str, Any]:
    """The tables of a TOML file, unchecked; parameters and errors as `read_toml`."""
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        raise (missing or error)(f"{path}: expected {what}, found nothing there") from None
    except (OSError, ValueError) as failure:  # a folder, no permission; a zero byte in the name
        raise error(f"{path}: expected {what}, got {failure}") from failure
    try:
        keys = tomllib.loads(_text(content))
    except ValueError as failure:  # not TOML, or a number of thousands of digits
        raise error(f"{path}: expected TOML, got {failure}") from failure
    except RecursionError:
        raise error(f"{path}: {_TOO_DEEP}") from None
    if _deeper_than(DEPTH, keys):
        raise error(f"{path}: {_TOO_DEEP}")
    return keys


def validated(
    model: type[Model], keys: Mapping[str, Any], *, where: str, error: type[NasAnalysisError] = StudyError
) -> Model:
    """Tables that are read already as `model`; `where` begins every message."""
    try:
        return model.model_validate(dict(keys))
    except ValidationError as failure:
        raise error(f"{where}: {explained(failure, model, keys)}") from failure
    except NasAnalysisError as failure:  # those that are no ValueError pass through pydantic
        raise error(f"{where}: {failure}") from failure


@contextlib.contextmanager
def as_value_error() -> Iterator[None]:
    """Inside a model's check: errors of ours that are no ValueError would pass through pydantic and lose their key."""
    try:
        yield
    except NasAnalysisError as error:
        raise ValueError(str(error)) from error


def explained(failure: ValidationError, model: type[BaseModel], keys: Any) -> str:
    """What is wrong with `keys`, in one line of `TOLD` errors at most."""
    lines = dict.fromkeys(_line(one, model, keys) for one in failure.errors())
    return "; ".join(list(lines)[:TOLD])


_TOO_DEEP = f"expected TOML, got values more than {DEPTH} deep inside each other"


def _text(content: bytes) -> str:
    """UTF-8, as TOML must be; the mark that some editors put first is no part of it."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ValueError("text in UTF-16: save it as UTF-8")
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as failure:
        raise ValueError(f"text that is not UTF-8 ({failure})") from failure


def _deeper_than(limit: int, value: Any) -> bool:
    """Layer by layer, so that the check itself cannot run out of stack."""
    layer = [value]
    for _ in range(limit):
        layer = [inner for outer in layer for inner in _inside(outer)]
        if not layer:
            return False
    return True


def _inside(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _line(one: Any, model: type[BaseModel], keys: Any) -> str:
    key = ".".join(_place(one["loc"], keys))
    if one["type"] == "extra_forbidden":
        return f"unknown key {key!r}.{_hint(str(one['loc'][-1]), _known(model, one['loc'][:-1]))}"
    if one["type"] == "missing":
        return f"missing key {key!r}"
    message = one["msg"].removeprefix("Value error, ")
    # a check of a whole table says itself what it got
    got = "" if isinstance(one["input"], (dict, BaseModel)) else f" (got {shown.repr(one['input'])})"
    return f"{key}: {message}{got}" if key else message


def _place(location: Sequence[int | str], keys: Any) -> Iterator[str]:
    """The parts of pydantic's location that stand in the file: it also names the members of a union."""
    for depth, part in enumerate(location):
        if (isinstance(keys, dict) and part in keys) or (isinstance(keys, list) and part in range(len(keys))):
            keys = keys[part]  # type: ignore[index]
        elif depth and _MEMBER.match(str(part)):
            continue
        yield str(part)


#: ``Column``, ``list[int]``, ``int``: a type, in place of a key.
_MEMBER = re.compile(r"[A-Z]|.*\[|(int|float|str|bool|literal)$")


def _hint(key: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    if close:
        return f" Did you mean {close[0]!r}?"
    return f" Known: {', '.join(known)}." if 0 < len(known) <= LISTED else ""


def _known(model: type, location: Sequence[int | str]) -> list[str]:
    """The keys of the table at `location`."""
    models = [model]
    for part in location:
        inner = [m for outer in models for m in _models(_fields(outer).get(str(part)))]
        named = [m for m in models if m.__name__ == part]
        models = inner or named or models  # neither: a place in a list, a key of a dict, a tag
    return list(dict.fromkeys(name for one in models for name in _fields(one)))


def _fields(model: type) -> dict[str, Any]:
    """Key -> annotation of what a file may say."""
    if issubclass(model, BaseModel):
        return {f.alias or n: f.annotation for n, f in model.model_fields.items() if not f.exclude}
    fields = getattr(model, "__pydantic_fields__", None) or getattr(model, "__dataclass_fields__", {})
    return dict.fromkeys(fields)


def _models(annotation: Any) -> Iterator[type]:
    if isinstance(annotation, type) and (issubclass(annotation, BaseModel) or is_dataclass(annotation)):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)

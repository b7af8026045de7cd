"""What the shipped files at the published size say of a published setting."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from ...core.errors import StudyError
from ...core.resources import shipped_toml
from ...core.toml import read_keys
from ...differentiable.config import DiffSearchConfig
from ...synthetic.config import load_config
from ...training.standalone import StandaloneConfig

#: Folder of reports/ -> how its files are read, with their defaults; others as they are written.
READERS: dict[str, Callable[[str], BaseModel]] = {
    "searches": DiffSearchConfig.load,
    "standalone": StandaloneConfig.load,
    "synthetic": load_config,
}


def of_ours(taken: str) -> str:
    """The value at ``FOLDER/NAME: KEY.KEY`` of a file of reports/, as text; a number among keys counts a list from 0.

    `StudyError` where there is no such file or key.
    """
    place, _, dotted = taken.partition(": ")
    folder, _, name = place.partition("/")
    known = shipped_toml(f"reports/{folder}")
    if name not in known:
        raise StudyError(f"taken: expected a file of reports/{folder}: {', '.join(known) or 'none'}, got {name!r}")
    value: Any = READERS[folder](name) if folder in READERS else read_keys(known[name], what=f"reports/{place}.toml")
    for key in dotted.split("."):
        value = _inside(value, key, taken)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(f"{one:g}" if isinstance(one, float) else str(one) for one in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _inside(value: Any, key: str, taken: str) -> Any:
    if isinstance(value, Mapping) and key in value:
        return value[key]
    if isinstance(value, BaseModel) and key in type(value).model_fields:
        return getattr(value, key)
    if isinstance(value, Sequence) and key.isdigit() and int(key) < len(value):
        return value[int(key)]
    raise StudyError(f"taken: {taken}: expected a key of that file, found no {key!r}")

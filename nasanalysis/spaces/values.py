"""What a value is that names an architecture: objects and their texts made plain, before any space reads them."""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.errors import ArchError
from ..core.shown import shown
from . import SPACES

LITERAL = re.compile(r"\s*[\[({]")
MOST_TEXT = 20_000


def plain(raw: object) -> object:
    """numpy scalars and arrays as Python's own."""
    if isinstance(raw, np.generic):
        return raw.item()
    return raw.tolist() if isinstance(raw, np.ndarray) else raw


def hashable(raw: object) -> object | None:
    if isinstance(raw, str | int) and not isinstance(raw, bool):
        return raw
    return None


def without_prefix(text: str, space: str) -> str:
    head, colon, key = text.partition(":")
    if colon and head == space:
        return key
    if colon and head in SPACES:
        raise ArchError(f"{space}: expected an architecture of this space, got one of {head!r}: {shown.repr(text)}")
    return text


def literal(text: str) -> object:
    """Text of nested lists, tuples or dicts -> objects; nothing is run."""
    if len(text) > MOST_TEXT:
        raise ArchError(f"expected an architecture, got a text of {len(text):,} characters (at most {MOST_TEXT:,})")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text  # left to the space's own grammar, or to its message


def items(value: object) -> list[Any]:
    """The entries of a list or tuple; none of anything else."""
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str | bytes) else []


def is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def whole_number(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value):
        return int(value)
    return None


def literal_or_none(name: object) -> object:
    """The object that a text of a list or dict means; None for any other text."""
    if not isinstance(name, str) or not LITERAL.match(name) or len(name) > MOST_TEXT:
        return None
    return literal(name)

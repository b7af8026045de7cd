"""Which space a table of names is of: told by their spelling, judged on a sample."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from ..core.errors import ArchError
from . import SPACES
from .names import read_arch
from .nats_sss import CHANNELS
from .spellings import spec_of
from .values import items, literal_or_none, whole_number


def guess_space(names: Iterable[object], *, most: int = 40) -> str | None:
    """The space whose spelling `names` have, judged by at most `most` of them, evenly spread; None if by none.

    Prefixes decide first. Bare numbers and texts of an unknown kind say nothing.
    """
    listed = list(names)
    sample = [listed[i] for i in np.unique(np.linspace(0, len(listed) - 1, min(most, len(listed))).astype(int))]
    texts = [text for text in sample if isinstance(text, str)]
    for text in texts:
        prefix = text.strip().partition(":")[0]
        if prefix in SPACES:
            return prefix
    for name in sample:
        forms = (name, literal_or_none(name))
        for space, looks in _LOOKS.items():
            if any(looks(form) for form in forms) and _reads(name, space):
                return space
    return None


def _text_like(pattern: str) -> Callable[[object], bool]:
    compiled = re.compile(pattern)
    return lambda name: isinstance(name, str) and compiled.match(name.strip()) is not None


_NB201_TEXT = _text_like(r"\|[a-z0-9_]+~0\|\+|[\[(]\s*[\[(]\s*[\[(]\s*['\"]|[\[(]\s*['\"](none|skip_c|nor_)")
_NB101_TEXT = _text_like(r"[0-9a-f]{32}$|[a-z0-9]+~0\+.*output~")
_SSS_TEXT = _text_like(r"\d{1,2}(:\d{1,2}){4}$")
_DARTS_TEXT = _text_like(r"normal=\||Genotype|\{.*normal|[\[(]\s*[\[(]")


def _channels(name: object) -> bool:
    entries = items(name)
    return len(entries) == 5 and all(whole_number(item) in CHANNELS for item in entries)


def _darts_fields(name: object) -> bool:
    return isinstance(name, Mapping) and ("normal" in name or any("inputs_node_" in str(field) for field in name))


#: Space -> whether a name looks like one of its own, cheaply; the first that also reads it is the guess.
_LOOKS: dict[str, Callable[[object], bool]] = {
    "nb201": lambda name: _NB201_TEXT(name) or len(items(name)) in (3, 6),
    "nats-sss": lambda name: _SSS_TEXT(name) or _channels(name),
    "nb101": lambda name: _NB101_TEXT(name) or spec_of(name) is not None,
    "darts": lambda name: _DARTS_TEXT(name) or _darts_fields(name),
}


def _reads(name: object, space: str) -> bool:
    try:
        read_arch(name, space)
    except ArchError:
        return False
    return True

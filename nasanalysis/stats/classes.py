"""Which architectures are one network: isomorphic encodings say the same thing twice, so they are resampled together.

The classes are those of the space's rule ``functional`` where it has one, else of its first (``published``). An
architecture of unknown class (of a space without classes, or a text that its space cannot read) is its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..core.errors import NasAnalysisError
from ..spaces import SPACES, Arch, get_space, offers
from ..spaces.capabilities import Isomorphic

FUNCTIONAL = "functional"

Labels = NDArray[np.intp]


def class_labels(archs: Iterable[str]) -> Labels:
    """The class of each architecture (``space:key``), numbered from 0 in order of appearance: (n_archs,)."""
    texts = tuple(archs)
    names = {text.partition(":")[0] for text in texts}
    return _labels(texts, tuple(sorted((name, str(SPACES.get(name))) for name in names)))


@lru_cache(maxsize=16)  # a report asks for the same architectures again and again
def _labels(archs: tuple[str, ...], spaces: tuple[tuple[str, str], ...]) -> Labels:
    """`spaces`: what is registered under the names of the architectures' spaces, so that a new entry is seen."""
    class_in: dict[str, Callable[[Arch], Arch | None]] = {}
    numbers: dict[object, int] = {}
    labels = []
    for text in archs:
        name = text.partition(":")[0]
        if name not in class_in:
            class_in[name] = _classes(name)
        labels.append(numbers.setdefault(_class_of(text, class_in[name]), len(numbers)))
    answer = np.array(labels, dtype=np.intp)
    answer.setflags(write=False)
    return answer


def dense(labels: Labels) -> Labels:
    """The same classes, numbered from 0 without gaps in order of appearance."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    order = np.empty(len(first), dtype=np.intp)
    order[np.argsort(first)] = np.arange(len(first))
    numbered: Labels = order[inverse]
    return numbered


def _classes(space: str) -> Callable[[Arch], Arch | None]:
    """How `space` names the class of an architecture; None throughout where it knows no classes."""
    if not offers(space, Isomorphic):
        return lambda arch: None
    known = get_space(space, Isomorphic)
    rule = FUNCTIONAL if FUNCTIONAL in known.isomorphism_rules else known.isomorphism_rules[0]
    return known.unique_archs(rule).__getitem__


def _class_of(text: str, class_of: Callable[[Arch], Arch | None]) -> object:
    try:
        space, _, key = text.partition(":")
        return class_of(get_space(space).parse(key)) or text
    except (NasAnalysisError, KeyError, ValueError):  # unreadable here, and no reason to refuse a table
        return text

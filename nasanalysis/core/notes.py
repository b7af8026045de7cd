"""Warnings of a piece of work, told to whoever asked for it: each once, as text."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def told(say: Callable[[str], None]) -> Iterator[None]:
    """A ``with`` block whose `UserWarning`s go to `say`, each text once, also where the block fails.

    >>> with told(print):
    ...     warnings.warn("twice")
    ...     warnings.warn("twice")
    twice
    """
    caught: list[warnings.WarningMessage] = []
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            yield
    finally:
        for text in dict.fromkeys(str(warning.message) for warning in caught):
            say(text)

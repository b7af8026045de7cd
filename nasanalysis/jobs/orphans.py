"""Worker processes end with the process that started them.

A command that is killed (SIGKILL, out of memory) cannot end its workers: they would train on, and hold the lock of the
folder that the same command wants to go on in.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any, Final

#: Seconds between two looks at the parent.
_PAUSE: Final = 0.5
_watched: set[int] = set()


def followed(parent: int, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """``function(*arguments)`` in a worker of the process `parent`, which from now on ends when that one is gone."""
    if os.getpid() != parent and parent not in _watched:
        _watched.add(parent)
        threading.Thread(target=_watch, args=(os.getppid(),), daemon=True).start()
    return function(*arguments)


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_PAUSE)
    os._exit(1)  # nobody waits for what this process does: units are written whole or not at all

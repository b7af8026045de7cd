"""Looking at what processes leave in files while they work, such as for a progress bar."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def looking(look: Callable[[], object], *, every: float) -> Iterator[None]:
    """``look()`` every so many seconds of the ``with`` block, in a thread, and once more at its end, in this one."""
    over = threading.Event()

    def go_on() -> None:
        while not over.wait(every):
            look()

    thread = threading.Thread(target=go_on, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        look()

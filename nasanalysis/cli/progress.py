"""Progress of commands whose parts are known beforehand: part i of n and the time left, on stderr."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from .output import warn

_NOTE = "note: "


class Parts:
    """Called with the name of each part as it begins; texts that begin with ``note: `` are printed above.

    On a terminal a bar moves; elsewhere every part is a line. The time left is that of the parts so far, each alike.
    """

    def __init__(self, total: int, what: str) -> None:
        from ..jobs.units import progress_console  # here: it loads polars, and --help loads nothing heavy

        self.total, self.what, self.begun = total, what, 0
        self.start = time.monotonic()
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        console = progress_console()
        self.bar = Progress(*columns, TextColumn("{task.fields[left]}"), console=console, transient=True)
        self.moves = console.is_terminal
        self.task = self.bar.add_task(what, total=total, left="")

    def __enter__(self) -> Self:
        if self.moves:
            self.bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.moves:
            self.bar.stop()

    def __call__(self, text: str) -> None:
        if text.startswith(_NOTE):
            warn(_NOTE.strip(), text.removeprefix(_NOTE))
            return
        done, self.begun = self.begun, self.begun + 1
        left = self.left(done, time.monotonic() - self.start)
        if self.moves:
            self.bar.update(self.task, completed=done, description=escape(text), left=left)
        else:
            place = f"{self.what} {self.begun} of {self.total}" + (f", {left}" if left else "")
            self.bar.console.print(escape(f"{place}: {text}"), highlight=False, soft_wrap=True)

    def left(self, done: int, seconds: float) -> str:
        """``about 40 s left`` from the time of the parts that are done; nothing before the first."""
        if not done:
            return ""
        more = seconds / done * max(0, self.total - done)
        return f"about {more:,.0f} s left" if more < 120 else f"about {more / 60:,.0f} min left"

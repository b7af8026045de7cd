"""Progress of commands whose parts are known beforehand: part i of n and the time left, on stderr."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise
from types import TracebackType
from typing import Self

from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from .output import warn

_NOTE = "note: "
#: Parts that are done before the time left is said, at most half of all.
_TELLING = 3


class Parts:
    """Called with the name of each part as it begins; texts that begin with ``note: `` are printed above.

    On a terminal a bar moves; elsewhere every part is a line. The time left is said after the first few parts: each
    to come is taken to last the mean of those so far without the longest, which is seldom like the others.
    """

    def __init__(self, total: int, what: str) -> None:
        from ..jobs.units import progress_console  # here: it loads polars, and --help loads nothing heavy

        self.total, self.what, self.begun = total, what, 0
        self.ends = [time.monotonic()]
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
        if done:
            self.ends.append(time.monotonic())
        left = self.left([end - start for start, end in pairwise(self.ends)])
        if self.moves:
            self.bar.update(self.task, completed=done, description=escape(text), left=left)
        else:
            place = f"{self.what} {self.begun} of {self.total}" + (f", {left}" if left else "")
            self.bar.console.print(escape(f"{place}: {text}"), highlight=False, soft_wrap=True)

    def left(self, spent: Sequence[float]) -> str:
        """``about 40 s left`` from the seconds of each part that is done; nothing before there are enough of them."""
        if len(spent) < max(1, min(_TELLING, self.total // 2)):
            return ""
        usual = spent[0] if len(spent) == 1 else (sum(spent) - max(spent)) / (len(spent) - 1)
        more = usual * max(0, self.total - len(spent))
        return f"about {more:,.0f} s left" if more < 120 else f"about {more / 60:,.0f} min left"

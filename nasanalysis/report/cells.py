"""What stands in one cell of a table: numbers as text, and which of several is emphasised."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from .model import Mark


def number(value: float | None, digits: int) -> str:
    """Fixed decimals, no minus before zero; an en dash for what is undefined."""
    return "–" if value is None or not math.isfinite(value) else f"{value:z.{digits}f}"


def significant(value: float, digits: int = 4) -> str:
    """`digits` significant ones, without an exponent, and whole numbers whole: 0.001221, 42.44, 116,503."""
    if not math.isfinite(value) or value == 0:
        return f"{value:g}"
    return f"{value:,.{max(0, digits - 1 - math.floor(math.log10(abs(value))))}f}"


def whole(value: float | None) -> str:
    """``116,503``; an en dash for what is undefined."""
    return "–" if value is None else f"{value:,.0f}"


def count(size: float) -> str:
    """``15,625``; ``1.08e+18`` for what nobody counts by hand."""
    return f"{size:,.0f}" if size < 10**10 else f"{size:.2e}"


def price(cost: float | None, unit: str) -> str:
    """A cost with its unit: ``12 epochs``, ``1 epoch``, ``0.45 s``; 0 without one.

    >>> price(1.0, "epochs"), price(0.45, "seconds"), price(0, "seconds")
    ('1 epoch', '0.45 s', '0')
    """
    if cost is None:
        return "–"
    words = {"seconds": "s"}.get(unit) or (unit.removesuffix("s") if cost == 1 else unit)
    return f"{cost:.3g} {words}" if cost else "0"


def with_interval(estimate: float | None, low: float | None, high: float | None, digits: int) -> str:
    """``0.793 [0.735, 0.840]``, or the estimate alone where there is no interval."""
    text = number(estimate, digits)
    return (
        text
        if low is None or high is None or text == "–"
        else f"{text} [{number(low, digits)}, {number(high, digits)}]"
    )


def with_spread(estimate: float | None, spread: float | None, digits: int) -> str:
    """``0.79 ± 0.02``, or the estimate alone where there is no spread."""
    text = number(estimate, digits)
    return text if spread is None or not math.isfinite(spread) or text == "–" else f"{text} ± {number(spread, digits)}"


#: What the marks of `emphasis` mean, for a table's note.
EMPHASIS_NOTE = "Bold: best; underlined: second; †: not told apart from the best (95 % paired interval)."
#: The same where nothing was compared.
PLAIN_NOTE = "Bold: best; underlined: second."


def emphasis(
    estimates: Sequence[float | None], tied: Sequence[bool] | None = None, *, direction: int = 1
) -> list[Mark]:
    """Which of several values is best, second, and not told apart from the best.

    Parameters
    ----------
    estimates: (n,); undefined ones get no mark. Equal values share their mark.
    tied: (n,), what a paired comparison with the best says (`nasanalysis.stats.beside_best`); without it nothing is
        tied: intervals of single values do not settle a comparison.
    direction: +1 if higher is better, -1 if lower is.

    Fewer than two defined values are not compared.
    """
    defined = [v is not None and math.isfinite(v) for v in estimates]
    order = sorted({direction * v for v in estimates if v is not None and math.isfinite(v)}, reverse=True)
    marks = [Mark.NONE] * len(estimates)
    if sum(defined) < 2:
        return marks
    for i, value in enumerate(estimates):
        if value is None or not math.isfinite(value):
            continue
        if direction * value == order[0]:
            marks[i] |= Mark.BEST
            continue
        if direction * value == order[1]:
            marks[i] |= Mark.SECOND
        if tied is not None and tied[i]:
            marks[i] |= Mark.TIE
    return marks


def emphasis_note(marks: Iterable[Iterable[Mark]]) -> str:
    """What the marks of a table mean: of ties only where there are some; nothing without marks."""
    every = [mark for line in marks for mark in line if mark]
    if not every:
        return ""
    return EMPHASIS_NOTE if any(Mark.TIE in mark for mark in every) else PLAIN_NOTE

"""What stands in one cell of a table: numbers as text, and which of several is emphasised."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .model import Mark


def number(value: float | None, digits: int) -> str:
    """Fixed decimals; an en dash for what is undefined."""
    return "–" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def significant(value: float, digits: int = 4) -> str:
    """`digits` significant ones, without an exponent, and whole numbers whole: 0.001221, 42.44, 116,503."""
    if not math.isfinite(value) or value == 0:
        return f"{value:g}"
    return f"{value:,.{max(0, digits - 1 - math.floor(math.log10(abs(value))))}f}"


def whole(value: float | None) -> str:
    """``116,503``; an en dash for what is undefined."""
    return "–" if value is None else f"{value:,.0f}"


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
EMPHASIS_NOTE = "Bold: best; underlined: second; †: within the 95 % interval of the best."


def emphasis(
    estimates: Sequence[float | None],
    lows: Sequence[float | None] | None = None,
    highs: Sequence[float | None] | None = None,
    *,
    direction: int = 1,
    tied: Sequence[bool] | None = None,
) -> list[Mark]:
    """Which of several values is best, second, and not told from the best.

    Parameters
    ----------
    estimates: (n,); undefined ones get no mark. Equal values share their mark.
    lows, highs: intervals; a value within the interval of the best is a tie.
    direction: +1 if higher is better, -1 if lower is.
    tied: where a paired test says which are ties, its answer, used instead of the intervals.

    Fewer than two defined values are not compared.
    """
    defined = [v is not None and math.isfinite(v) for v in estimates]
    order = sorted({direction * v for v in estimates if v is not None and math.isfinite(v)}, reverse=True)
    marks = [Mark.NONE] * len(estimates)
    if sum(defined) < 2:
        return marks
    best = next(i for i, v in enumerate(estimates) if v is not None and direction * v == order[0])
    low, high = lows[best] if lows else None, highs[best] if highs else None
    for i, value in enumerate(estimates):
        if value is None or not math.isfinite(value):
            continue
        if direction * value == order[0]:
            marks[i] |= Mark.BEST
            continue
        if direction * value == order[1]:
            marks[i] |= Mark.SECOND
        within = low is not None and high is not None and low <= value <= high
        if tied[i] if tied is not None else within:
            marks[i] |= Mark.TIE
    return marks

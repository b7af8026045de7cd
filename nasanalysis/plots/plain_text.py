"""A figure whose texts are read as they are.

matplotlib takes what stands between two ``$`` for a formula, and a name such as ``$loss_{`` ends its drawing in a
traceback. Names of proxies, settings and architectures are other people's; no text of ours is a formula.
"""

from __future__ import annotations

from typing import Any

from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import LogFormatter


class PlainFigure(Figure):
    """`Figure`, without formulas but for the powers of ten on logarithmic axes."""

    def draw(self, renderer: Any) -> None:
        """Draw, after every text there is by now was told to be text."""
        numbers: set[int] = set()
        for axes in self.axes:
            for axis in (axes.xaxis, axes.yaxis):
                numbers |= _powers_of_ten(axis)
        for text in self.findobj(Text):
            assert isinstance(text, Text)
            text.set_parse_math(id(text) in numbers)
        super().draw(renderer)


def _powers_of_ten(axis: Axis) -> set[int]:
    """Labels that matplotlib writes as formulas; all labels of the axis are there afterwards."""
    found = set()
    for minor, formatter in ((False, axis.get_major_formatter()), (True, axis.get_minor_formatter())):
        labels = axis.get_ticklabels(minor=minor)
        if isinstance(formatter, LogFormatter):
            found |= {id(label) for label in labels}
    return found

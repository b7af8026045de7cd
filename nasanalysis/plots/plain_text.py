"""A figure whose texts are read as they are.

matplotlib takes what stands between two ``$`` for a formula, and a name such as ``$loss_{`` ends its drawing in a
traceback. Names of proxies, settings and architectures are other people's; no text of ours is a formula.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure


@cache
def plain_figure() -> type[Figure]:
    """The class of figures without formulas but for the powers of ten on logarithmic axes."""
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    class PlainFigure(Figure):
        def draw(self, renderer: Any) -> None:
            """Draw, after every text there is by now was told to be text."""
            axes = [axis for ax in self.axes for axis in (ax.xaxis, ax.yaxis)]
            numbers = {number for axis in axes for number in _powers_of_ten(axis)}
            for text in self.findobj(Text):
                assert isinstance(text, Text)
                text.set_parse_math(id(text) in numbers)
            super().draw(renderer)

    PlainFigure.__qualname__ = "PlainFigure"  # a pickle finds it by this name, through `__getattr__`
    return PlainFigure


def __getattr__(name: str) -> type[Figure]:
    if name == "PlainFigure":
        return plain_figure()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _powers_of_ten(axis: Axis) -> set[int]:
    """Labels that matplotlib writes as formulas, by their ids; all labels of the axis are there afterwards."""
    from matplotlib.ticker import LogFormatter

    exponents = set()
    for minor, formatter in ((False, axis.get_major_formatter()), (True, axis.get_minor_formatter())):
        labels = axis.get_ticklabels(minor=minor)
        if isinstance(formatter, LogFormatter):
            exponents |= {id(label) for label in labels}
    return exponents

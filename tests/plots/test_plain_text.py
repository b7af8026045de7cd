"""Names of other people in figures: a dollar sign is no formula."""

from __future__ import annotations

import io
import pickle

import polars as pl

from nasanalysis.plots.style import look, new_axes, new_panels, root_figure

NAMES = ["$loss_{", r"$\frac$ of $x$", "a$b", "plain"]


def test_dollars_in_every_text_of_a_figure() -> None:
    import seaborn as sns

    ax = new_axes()
    table = pl.DataFrame({"name": NAMES, "value": [1.0, 2.0, 3.0, 4.0]})
    sns.stripplot(x=table["name"], y=table["value"], hue=table["name"].to_list(), ax=ax)
    ax.set(xlabel=NAMES[0], ylabel=NAMES[1])
    ax.set_title(NAMES[0])
    ax.annotate(NAMES[1], (0.5, 0.5))
    ax.legend(labels=NAMES)
    figure = root_figure(ax)
    for form in ("png", "svg"):
        with look():
            figure.savefig(buffer := io.BytesIO(), format=form)
    written = buffer.getvalue().decode()
    assert all(name in written for name in NAMES[:3])
    assert len(pickle.dumps(figure)) > 1000


def test_powers_of_ten_stay_formulas() -> None:
    for ax in new_panels(2):
        ax.plot([1, 10, 1000], [1, 2, 3], label=NAMES[0])
        ax.set_xscale("log")
        ax.legend()
    figure = root_figure(ax)
    figure.savefig(io.BytesIO(), format="png")
    labels = [label for label in ax.get_xticklabels() if label.get_text()]
    assert labels
    assert all(label.get_parse_math() for label in labels)

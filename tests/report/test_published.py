"""Published figures: one shape, digits as printed, numbers to compute with."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from nasanalysis.report.published import Published, by_cell, places


def figure(value: str, spread: str | None = None, **more: object) -> Published:
    return Published.model_validate(
        {"row": ["a"], "column": "rho", "value": value, "spread": spread, "where": "T1", **more}
    )


@pytest.mark.parametrize(
    ("text", "number"),
    [("0.78", 0.78), ("0.7180", 0.718), ("-.5", -0.5), ("+3", 3.0), ("15 625", 15625.0), ("363,648", 363648.0),
     ("10^18", 1e18)],
)  # fmt: skip
def test_a_figure_keeps_its_digits_and_can_be_computed_with(text: str, number: float) -> None:
    assert figure(text).text == text.replace("15 625", "15,625"), "one separator of thousands"
    assert figure(text).number == number
    assert figure(text).deviation is None


def test_a_spread_stands_in_brackets() -> None:
    assert figure("0.78", "0.06").text == "0.78 (0.06)"
    assert figure("0.78", "0.06").deviation == 0.06


@pytest.mark.parametrize("text", ["", "n/a", "about 0.8", "0.78 (0.06)", "1 2", "0.7.8", "10^", "1e5"])
def test_what_is_no_figure(text: str) -> None:
    with pytest.raises(ValidationError, match="value"):
        figure(text)
    with pytest.raises(ValidationError, match="spread"):
        figure("1", text)


def test_figures_are_found_by_their_cell() -> None:
    figures = [figure("1"), figure("2", table="between", where="T2"), figure("3", row=["a", "b"])]
    assert {key: f.value for key, f in by_cell(figures).items()} == {(("a",), "rho"): "1", (("a", "b"), "rho"): "3"}
    assert [f.value for f in by_cell(figures, "between").values()] == ["2"]
    assert places(figures) == "T1; T2"

"""Texts of the shipped studies say what was done; results stand in tables and in sentences written by rule."""

from __future__ import annotations

import re

import pytest

from nasanalysis.studies.reading import shipped_studies
from nasanalysis.studies.study import Study

#: Settings that look like results: learning rates, alpha, deviations of noise.
SETTINGS = {"0.01", "0.001"}
TYPED = re.compile(r"(?<![\w.e-])[+-]?0\.\d{2,}\b|\d\d\.\d+ ?%")


@pytest.mark.parametrize("name", shipped_studies())
def test_no_result_is_typed(name: str) -> None:
    study = Study.load(name)
    for text in (study.description, *(getattr(item, "text", "") for item in study.items)):
        assert set(TYPED.findall(text)) <= SETTINGS, text
        assert not re.search(r"what (holds|does not)", text, re.IGNORECASE), text


def test_typed_results_are_seen() -> None:
    assert TYPED.findall("it ranks at 0.81, about 92.1 % accurate; sigma 1e-0.25") == ["0.81", "92.1 %"]

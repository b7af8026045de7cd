"""The answer: on the page, as Markdown, and in the README, where it is what a run says."""

from __future__ import annotations

from pathlib import Path

import pytest

from nasanalysis.report import Result
from nasanalysis.report.blocks import filled, parts
from nasanalysis.report.model import Section
from nasanalysis.report.writer import answer_markdown, write_report
from nasanalysis.studies.study import Study

README = Path(__file__).resolve().parents[2] / "README.md"


def test_sections_without_an_answer_are_left_out(tmp_path: Path) -> None:
    sections = (Section("One"), Section("Two", answer=("It holds.", "It does not.")))
    results = [Result("a", "A", "", sections, {}), Result("b", "B", "", (), {})]
    text = "**A**\n\n*Two*\n\n- It holds.\n- It does not.\n"
    assert answer_markdown(results) == text
    write_report(results, tmp_path)
    assert (tmp_path / "answer.md").read_text() == text


def test_the_readme_says_what_a_run_says() -> None:
    """To write it anew: `nasanalysis report digits-2 --fill README.md --fill docs/results.md`."""
    if not README.exists():
        pytest.skip("not in this distribution")
    pytest.importorskip("sklearn")  # the bar of trained architectures
    text = README.read_text(encoding="utf-8")
    results = README.parent / "docs" / "results.md"
    study = Study.load("digits-2")
    asked = tuple(item for item in study.items if type(item).__name__ == "LeaderboardItem")
    assert len(asked) == 1
    result = study.model_copy(update={"items": asked}).run()
    assert parts(text) == ["digits-2"]
    assert filled(text, [result]) == text
    if results.exists():
        assert answer_markdown([result]).strip() in results.read_text(encoding="utf-8")

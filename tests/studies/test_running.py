"""Several studies in processes of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from nasanalysis.core.errors import NasAnalysisError
from nasanalysis.report import write_report
from nasanalysis.studies.reading import load_study
from nasanalysis.studies.running import run_studies

STUDY = """
name = "{name}"
title = "A study"
bootstrap = 20
[[compare]]
name = "first"
title = "Costs"
benchmark = "digits"
proxies = ["params", "{proxy}"]
"""


def written(folder: Path, name: str, proxy: str = "sotl") -> Path:
    path = folder / f"{name}.toml"
    path.write_text(STUDY.format(name=name, proxy=proxy), encoding="utf-8")
    return path


def files(folder: Path) -> dict[str, bytes]:
    made = {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
    return {name: content for name, content in made.items() if name not in ("index.html", "provenance.json")}


def test_processes_change_no_byte_and_say_what_they_do(tmp_path: Path) -> None:
    studies = [load_study(written(tmp_path, name)) for name in ("one", "two")]
    said: dict[int, list[str]] = {1: [], 2: []}
    for workers, words in said.items():
        results = run_studies(studies, workers=workers, say=words.append)
        assert [result.name for result in results] == ["one", "two"]
        write_report(results, tmp_path / str(workers), workers=workers)
    assert sorted(said[1]) == sorted(said[2])
    assert len(files(tmp_path / "1")) > 8
    assert files(tmp_path / "1") == files(tmp_path / "2")


def test_what_a_study_refuses_is_said_as_from_this_process(tmp_path: Path) -> None:
    studies = [load_study(written(tmp_path, "one")), load_study(written(tmp_path, "two", "val_acc_mini"))]
    with pytest.raises(NasAnalysisError) as alone:
        run_studies(studies)
    with pytest.raises(type(alone.value)) as beside:
        run_studies(studies, workers=2)
    assert str(beside.value) == str(alone.value)

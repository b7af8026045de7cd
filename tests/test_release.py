"""What a release says of itself in several places is said alike in each."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
if not (REPOSITORY / "CITATION.cff").exists():
    pytest.skip("not in this distribution", allow_module_level=True)
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_version_and_date() -> None:
    changes = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    cited = (REPOSITORY / "CITATION.cff").read_text(encoding="utf-8")
    newest = re.search(r"^## (\S+) \((\d{4}-\d\d-\d\d|unreleased)\)$", changes, re.M)
    assert newest is not None
    assert newest[1] == PROJECT["version"]
    assert f"\nversion: {PROJECT['version']}\n" in cited
    if newest[2] != "unreleased":
        assert f"\ndate-released: {newest[2]}\n" in cited


def test_every_python_that_is_named_is_tested() -> None:
    named = {found[1] for line in PROJECT["classifiers"] if (found := re.fullmatch(r".*Python :: (3\.\d+)", line))}
    sessions = (REPOSITORY / "noxfile.py").read_text(encoding="utf-8")
    light = re.search(r"@nox.session\(python=\[([^\]]+)\]\)\ndef light", sessions)
    workflow = (REPOSITORY / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
    matrix = re.search(r"os: \[ubuntu-latest, macos-latest, windows-latest\]\n\s+python: \[([^\]]+)\]", workflow)
    assert light is not None
    assert matrix is not None
    assert named == set(re.findall(r"3\.\d+", matrix[1])), "the workflow runs what the classifiers name"
    assert named <= set(re.findall(r"3\.\d+", light[1]))
    assert f"Python :: {PROJECT['requires-python'].removeprefix('>=')}" in "\n".join(PROJECT["classifiers"])

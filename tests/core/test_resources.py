"""What the package ships: whole folders, found beside the package or inside it, and nothing that makes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from nasanalysis.core import resources
from nasanalysis.core.errors import StudyError, UnknownNameError
from nasanalysis.core.resources import shipped, shipped_toml, toml_file

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = "reports/configs"


def in_the_wheel() -> dict[str, str]:
    """Path in the wheel -> path in the repository, as the build backend lists them."""
    wheel = pytest.importorskip("hatchling.builders.wheel")
    if not (ROOT / "pyproject.toml").exists():
        pytest.skip("not in a checkout")
    files = wheel.WheelBuilder(str(ROOT)).recurse_included_files()
    return {Path(file.distribution_path).as_posix(): file.relative_path for file in files}


def test_every_file_that_the_package_reads_is_in_the_wheel() -> None:
    wheel = in_the_wheel()
    folders = {"data": "*", "data/descriptors": "*", "reports": "*.toml", CONFIGS: "*.toml", "reports/results": "*.*"}
    folders["reports/searches"] = folders["reports/standalone"] = folders["reports/synthetic"] = "*.toml"
    folders["reports/papers"] = "*.*"
    folders["reports/learnt"] = "*.toml"
    expected = {
        path.relative_to(ROOT).as_posix()
        for folder, pattern in folders.items()
        for path in (ROOT / folder).glob(pattern)
        if path.is_file() and (path.suffix not in (".py", ".md") or folder == "data")  # datasheets travel with the data
    }
    assert len(expected) > 50
    assert {f"nasanalysis/_shipped/{path}" for path in expected} == {p for p in wheel if "/_shipped/" in p}


def test_the_wheel_holds_the_package_and_its_folders_alone() -> None:
    wheel = in_the_wheel()
    assert all(path.startswith("nasanalysis/") for path in wheel)
    assert not [path for path in wheel if "/_shipped/reports/" in path and path.endswith((".py", ".md"))]
    package = {path.relative_to(ROOT).as_posix() for path in (ROOT / "nasanalysis").rglob("*.py")}
    assert package <= set(wheel)


def test_a_configuration_by_name_by_documented_path_and_by_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Away from the repository, as after the installation of a wheel."""
    monkeypatch.chdir(tmp_path)
    for text in ("digits", f"{CONFIGS}/digits.toml"):
        assert toml_file(text, CONFIGS, kind="configuration") == shipped(CONFIGS) / "digits.toml"
    (tmp_path / CONFIGS).mkdir(parents=True)
    mine = tmp_path / CONFIGS / "digits.toml"
    mine.write_text("")
    assert toml_file(f"{CONFIGS}/digits.toml", CONFIGS, kind="configuration").resolve() == mine
    assert toml_file("digits", CONFIGS, kind="configuration") != mine


def test_what_is_neither_a_file_nor_shipped_is_told_what_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        UnknownNameError, match=r"unknown configuration 'digit'\. Did you mean 'digits'\? Known: .*FILE"
    ):
        toml_file("digit", CONFIGS, kind="configuration")
    for text in ("digits.toml", "elsewhere/digits.toml", f"{CONFIGS}/digit.toml"):
        with pytest.raises(
            StudyError, match="expected a configuration file, found nothing there; shipped ones: .*digits,"
        ):
            toml_file(text, CONFIGS, kind="configuration")


def test_folders_are_found_inside_an_installed_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "site-packages" / "nasanalysis")
    folder = tmp_path / "site-packages" / "nasanalysis" / "_shipped" / CONFIGS
    folder.mkdir(parents=True)
    (folder / "mine.toml").write_text("")
    assert shipped_toml(CONFIGS) == {"mine": folder / "mine.toml"}

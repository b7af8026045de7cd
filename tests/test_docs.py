"""What the documentation shows is run: notebooks top to bottom, the README's library example as a doctest."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nasanalysis.cli import app as cli

REPOSITORY = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.py"))
#: Those that train networks: half a minute to minutes each.
LIVE = ("live_supernet",)


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(p, id=p.stem, marks=[pytest.mark.slow, pytest.mark.torch] if p.stem in LIVE else [])
        for p in NOTEBOOKS
    ],
)
def test_notebook_runs_top_to_bottom(path: Path, tmp_path: Path) -> None:
    jupytext = pytest.importorskip("jupytext", reason="jupytext is not installed (extra notebooks)")
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed (extra notebooks)")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed (extra notebooks)")
    notebook = jupytext.read(path)
    nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    ).execute()
    plotting = [cell for cell in notebook.cells if re.search(r"^axes = ", cell.source, re.M)]
    assert plotting, f"{path.name}: no cell draws"
    for cell in plotting:
        shown = [o for o in cell.outputs if "image/png" in o.get("data", {})]
        assert shown, f"{path.name}: this cell shows no figure:\n{cell.source}"
    said = [o.text for cell in notebook.cells for o in cell.get("outputs", []) if o.output_type == "stream"]
    assert not [text for text in said if "Warning" in text], "a cell shows a warning"


def test_readme_names_only_commands_that_exist() -> None:
    import typer

    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    known = set(typer.main.get_command(cli.app).commands)  # type: ignore[attr-defined]
    named = set(re.findall(r"^(?:\.venv/bin/)?nasanalysis (\w+)", text, flags=re.MULTILINE))
    assert named, "the README shows no command"
    assert named <= known, f"the README names {sorted(named - known)}, the command line has {sorted(known)}"


def test_readme_links_lead_somewhere() -> None:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if not link.startswith("http")]
    missing = [link for link in links if not (REPOSITORY / link).exists()]
    assert links
    assert not missing, f"the README links to {missing}"


def test_readme_targets_are_in_the_makefile() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][a-z0-9-]*):", makefile, flags=re.MULTILINE))
    named = set(re.findall(r"^make ([a-z][a-z0-9-]*)", (REPOSITORY / "README.md").read_text(encoding="utf-8"), re.M))
    assert named
    assert named <= targets, f"the README names {sorted(named - targets)}"

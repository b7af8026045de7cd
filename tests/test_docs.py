"""What the documentation shows is run: notebooks top to bottom, the README's library example as a doctest."""

from __future__ import annotations

import re
import runpy
import shlex
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import typer
from typer.testing import CliRunner

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


# --- commands -------------------------------------------------------------------------------------------

PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
_FENCE = re.compile(r"^```[a-z]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
_COMMAND = re.compile(r"^(?:.*&& )?(?:\.venv/bin/)?nasanalysis +(\S.*)$", re.MULTILINE)
#: Options before the command, and those that typer adds.
ROOT = {"--debug", "--import", "--version", "--help", "--install-completion", "--show-completion"}
#: Lines that show what a command takes, not one that can be typed: ``[--data DIR]``, ``list | get NAME``.
_FORMS = re.compile(r"[\[|]")


def commands(text: str) -> list[str]:
    """What stands after ``nasanalysis`` in the code blocks of a page, lines that go on joined, comments cut."""
    blocks = [block.replace("\\\n", " ") for block in _FENCE.findall(text)]
    return [line.partition(" #")[0].strip() for block in blocks for line in _COMMAND.findall(block)]


def inline(text: str) -> list[str]:
    """What stands after ``nasanalysis`` in the running text of a page."""
    return [" ".join(line.split()) for line in re.findall(r"`nasanalysis ([^`]+)`", _FENCE.sub("", text))]


SHOWN = [(page, line) for page in PAGES for line in commands(page.read_text(encoding="utf-8"))]
TYPED = [(page, line) for page, line in SHOWN if not _FORMS.search(line)]
OTHERS = [(page, line) for page, line in SHOWN if _FORMS.search(line)]
OTHERS += [(page, line) for page in PAGES for line in inline(page.read_text(encoding="utf-8"))]


def ids(shown: list[tuple[Path, str]]) -> list[str]:
    return [f"{page.name}: {line}" for page, line in shown]


def reached(words: list[str]) -> tuple[Any, list[str]]:
    """The command that `words` lead to, and the words after it."""
    command: Any = typer.main.get_command(cli.app)
    while hasattr(command, "commands") and words:
        if words[0].startswith("-"):  # an option before the command: --import MODULE, --debug
            assert words[0] in ROOT, f"no option {words[0]!r}"
            words = words[2 if words[0] == "--import" else 1 :]
            continue
        assert words[0] in command.commands, f"no command {words[0]!r}; there are {', '.join(command.commands)}"
        command, words = command.commands[words[0]], words[1:]
    return command, words


@pytest.mark.parametrize(("page", "line"), TYPED, ids=ids(TYPED))
def test_a_command_that_a_page_shows_parses(page: Path, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)  # files that a page names are read from here
    command, words = reached([word for word in shlex.split(line) if word != "--help"])
    if hasattr(command, "commands") or "--help" in line:
        assert line in ROOT or not words
    else:  # options of a group, and --help, act at once
        with command.make_context(command.name, words):  # the real parser: unknown options and bad values are refused
            pass


@pytest.mark.parametrize(("page", "line"), OTHERS, ids=ids(OTHERS))
def test_what_a_page_says_of_a_command_exists(page: Path, line: str) -> None:
    """Forms and mentions: the commands there are, and their options are options of each of them."""
    leaves = named_in(line)
    known = [{option for p in leaf.params for option in (*p.opts, *p.secondary_opts)} for leaf in leaves]
    for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", line):
        assert option in ROOT or all(option in options for options in known), f"{line}: no {option}"


def named_in(line: str) -> list[Any]:
    """The commands of ``supernet train | finetune --config FILE``; those of a group alone that have its options."""
    group: Any = typer.main.get_command(cli.app)
    leaves: list[Any] = []
    words = re.sub(r"--import \S+|[\[\]|]", " ", line).split()
    assert words[0].startswith("-") or words[0] in group.commands, f"no command {words[0]!r}"
    for word in words:
        child = group.commands.get(word) if hasattr(group, "commands") else None
        if hasattr(child, "commands"):
            group = child
        elif child is not None:
            leaves.append(child)
    asked = set(re.findall(r"--[a-z][a-z-]*", line))
    alone = [] if leaves or not hasattr(group, "commands") else list(group.commands.values())
    return leaves or [leaf for leaf in alone if asked <= {option for p in leaf.params for option in p.opts}][:1]


def test_pages_show_commands() -> None:
    assert len(TYPED) > 20
    assert len(OTHERS) > 20


# --- five jobs ------------------------------------------------------------------------------------------

JOBS = (REPOSITORY / "docs" / "five-jobs.md").read_text(encoding="utf-8")
JOB = re.split(r"^## \d\. ", JOBS, flags=re.MULTILINE)[1:]


@pytest.fixture(scope="module")
def jobs_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every file that the page shows; what is random and long in them is made short."""
    folder = tmp_path_factory.mktemp("jobs")
    for name, content in re.findall(r"^```(?:python|toml)\n# (\S+)\n(.*?)^```", JOBS, re.DOTALL | re.MULTILINE):
        (folder / name).write_text(content.replace('title = "', 'bootstrap = 20\ntitle = "', 1), encoding="utf-8")
    return folder


def run_job(number: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the commands of a job print, one after another, in `folder`."""
    monkeypatch.chdir(folder)
    printed = ""
    for block in re.findall(r"^```console\n(.*?)^```", JOB[number - 1], re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            program, *words = shlex.split(line)
            if program == "python":
                runpy.run_path(str(folder / words[0]))
                continue
            bootstrap = ["--bootstrap", "20"] if words[0] in ("correlate", "card", "compare") else []
            done = CliRunner().invoke(cli.app, [*words, *bootstrap])
            assert done.exit_code == 0, f"{line}\n{done.output}\n{done.exception}"
            printed += done.stdout
    return printed


@pytest.mark.filterwarnings("ignore")
def test_the_first_three_jobs(jobs_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "partial_spearman@params" in run_job(1, jobs_folder, monkeypatch)
    assert "sotl ranks better than val_acc" in run_job(2, jobs_folder, monkeypatch)
    run_job(3, jobs_folder, monkeypatch)
    assert (jobs_folder / "windows/figures/windows-windows-digits-by-step.png").exists()


@pytest.mark.torch
def test_the_jobs_with_a_network(jobs_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="torch is not installed (extra supernet)")
    run_job(4, jobs_folder, monkeypatch)
    assert (jobs_folder / "mine/figures/mine-mine-digits-gradient_sum-scatter.png").exists()
    run_job(5, jobs_folder, monkeypatch)
    regret = pl.read_csv(jobs_folder / "search/figures/search-search-regret.csv")
    assert regret["mean"].to_numpy().min() == pytest.approx(
        0, abs=1e-9
    )  # the truth as fitness finds the best of the 100
    assert regret.filter(line="gradients")["mean"].to_numpy().min() >= -1e-9

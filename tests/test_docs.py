"""What the documentation shows is run: notebooks and pages top to bottom, the README's library example as a doctest."""

from __future__ import annotations

import contextlib
import io
import re
import runpy
import shlex
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import typer
from typer.testing import CliRunner

from nasanalysis.cli import app as cli
from nasanalysis.proxies import PROXIES
from nasanalysis.spaces import SPACES
from nasanalysis.stats import STATISTICS
from nasanalysis.studies.items import KINDS

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY / "docs" / "generate"))

import reference

NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.py"))
#: Those that train networks with torch: half a minute to minutes each.
LIVE = ("live_supernet", "sotl_scratch_oneshot")
#: What a notebook imports beside the package.
ASKS = {"own_benchmark": "sklearn"}


def test_there_are_notebooks() -> None:
    assert len(NOTEBOOKS) >= 5


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[p.stem for p in NOTEBOOKS])
def test_a_notebook_ends_in_a_picture(path: Path) -> None:
    if path.stem == "live_supernet":  # a tour of what there is, to the last function
        return
    last = path.read_text(encoding="utf-8").split("# %%")[-1]
    assert re.search(r"^axes = ", last, re.M), f"{path.name}: its last cell draws nothing"


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
    pytest.importorskip(ASKS.get(path.stem, "polars"))
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
    assert not (tmp_path / "reports").exists(), "what a notebook writes lies under build"


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


def test_links_of_pages_lead_somewhere() -> None:
    """To a file of the repository, or a page that the build of the site makes; anchors are checked by `make docs`."""
    made = {REPOSITORY / "docs" / place for place in reference.PAGES} | {REPOSITORY / "docs" / "papers.md"}
    links = [
        (page, link) for page in PAGES for link in _LINKS.findall(_FENCE.sub("", page.read_text(encoding="utf-8")))
    ]
    targets = [(page, link, (page.parent / link.partition("#")[0]).resolve()) for page, link in links]
    missing = [f"{page.name}: {link}" for page, link, target in targets if not (target in made or target.exists())]
    assert len(links) > 80
    assert not missing


def test_pages_that_say_they_are_run_are_run() -> None:
    """A page of docs whose text names this file is given to `run_page`, or is that of the five jobs or notebooks."""
    source = Path(__file__).read_text(encoding="utf-8")
    saying = [page.name for page in PAGES if "tests/test_docs.py" in page.read_text(encoding="utf-8")]
    run = {*re.findall(r'run_page\("([\w-]+\.md)"', source), "five-jobs.md", "notebooks.md"}
    assert set(saying) == run


def test_python_of_pages_compiles_and_toml_parses() -> None:
    blocks = [(page, *found) for page in PAGES for found in _BLOCK.findall(page.read_text(encoding="utf-8"))]
    for page, language, text in blocks:
        if language == "toml":
            tomllib.loads(text)
        elif ">>>" not in text:  # prompts are run as doctests
            compile(text, str(page), "exec")
    assert len(blocks) > 60


def test_readme_targets_are_in_the_makefile() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][a-z0-9-]*):", makefile, flags=re.MULTILINE))
    named = set(re.findall(r"^make ([a-z][a-z0-9-]*)", (REPOSITORY / "README.md").read_text(encoding="utf-8"), re.M))
    assert named
    assert named <= targets, f"the README names {sorted(named - targets)}"


# --- commands -------------------------------------------------------------------------------------------

PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
_LINKS = re.compile(r"\]\(((?!https?:|#|mailto:)[^)\s]+)\)")
_BLOCK = re.compile(r"^```(python|toml)\n(.*?)^```", re.DOTALL | re.MULTILINE)
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


# --- pages that run from top to bottom ------------------------------------------------------------------

DOCS = REPOSITORY / "docs"
_FILE = re.compile(r"^```(?:python|toml)\n# (\S+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_PROMPT = re.compile(r"^```console\n(.*?)^```", re.DOTALL | re.MULTILINE)
#: Commands that take ``--bootstrap``: pages leave it at its default, tests draw few.
DRAWING = ("correlate", "card", "compare")
REGISTRIES: tuple[dict[str, Any], ...] = (PROXIES, SPACES, STATISTICS, KINDS)


@pytest.fixture(autouse=True)
def _what_pages_add(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Registries, modules and the search path are afterwards as they were."""
    before, modules = [dict(registry) for registry in REGISTRIES], set(sys.modules)
    yield
    for registry, entries in zip(REGISTRIES, before, strict=True):
        registry.clear()
        registry.update(entries)
    for name in set(sys.modules) - modules:
        if Path(getattr(sys.modules[name], "__file__", None) or "/").parent.name.startswith("page-"):
            del sys.modules[name]


def files_of(page: str, folder: Path) -> Path:
    """`folder` with every file that a page of docs shows; studies draw few resamples."""
    for name, content in _FILE.findall((DOCS / page).read_text(encoding="utf-8")):
        studied = content if "bootstrap = " in content else content.replace('title = "', 'bootstrap = 20\ntitle = "', 1)
        (folder / name).write_text(studied if name.endswith(".toml") else content, encoding="utf-8")
    return folder


def run_prompts(text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the commands of `text` print, one after another, in `folder`."""
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    printed = ""
    for block in _PROMPT.findall(text):
        for line in block.splitlines():
            printed += _run(line, folder)
    return printed


def _run(line: str, folder: Path) -> str:
    program, *words = shlex.split(line)
    if program == "python":
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            runpy.run_path(str(folder / words[0]))
        return out.getvalue()
    assert program == "nasanalysis", f"{line}: expected python or nasanalysis"
    done = CliRunner().invoke(cli.app, [*words, *(["--bootstrap", "20"] if set(DRAWING) & set(words) else [])])
    assert done.exit_code == 0, f"{line}\n{done.output}\n{done.exception}"
    return done.stdout


def run_page(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, Path]:
    folder = tmp_path / f"page-{Path(page).stem}"
    folder.mkdir()
    text = (DOCS / page).read_text(encoding="utf-8")
    return run_prompts(text, files_of(page, folder), monkeypatch), folder


def test_the_tutorial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    printed, folder = run_page("tutorial.md", tmp_path, monkeypatch)
    assert "loss_drop (step 6) ranks better than params" in printed
    assert "loss drop, after 12 completed epochs, beats the parameter count" in printed
    assert "<figure" in (folder / "card.html").read_text(encoding="utf-8")


def test_comparing_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    printed, _ = run_page("compare-two.md", tmp_path, monkeypatch)
    assert "sotl (step 4) ranks better than val_acc (step 4)" in printed
    assert re.search(r'parameters" holds in \d+ of \d+ specifications', printed)


def test_searching_with_regret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, folder = run_page("search-with-regret.md", tmp_path, monkeypatch)
    assert (folder / "regret.png").stat().st_size > 10_000


def test_adding_to_the_registries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, folder = run_page("extending.md", tmp_path, monkeypatch)
    sizes = pl.read_csv(folder / "mine" / "tables" / "mine-sizes.csv")
    assert sizes["architectures"].to_list() == [800]
    agreement = (folder / "mine" / "tables" / "mine-agreement.csv").read_text(encoding="utf-8")
    assert "agreement" in agreement


@pytest.mark.torch
def test_a_proxy_from_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="torch is not installed (extra supernet)")
    printed, folder = run_page("proxy-from-a-network.md", tmp_path, monkeypatch)
    spread = pl.read_csv(folder / "spread.csv")
    assert spread.height == 60
    assert spread["spread"].is_finite().all()
    assert "higher (given)" in printed
    assert "'synflow'" in printed


# --- five jobs ------------------------------------------------------------------------------------------

JOB = re.split(r"^## \d\. ", (DOCS / "five-jobs.md").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]


@pytest.fixture(scope="module")
def jobs_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every file that the page shows; what is random and long in them is made short."""
    return files_of("five-jobs.md", tmp_path_factory.mktemp("page-jobs"))


def run_job(number: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the commands of a job print, one after another, in `folder`."""
    return run_prompts(JOB[number - 1], folder, monkeypatch)


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

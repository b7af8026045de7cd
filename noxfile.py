"""The wheel without torch: on every supported Python (``make test-light``), with the oldest and the newest of what it
needs; and the site.

Tests are run from the wheel, away from the checkout. What follows ``--`` goes to pytest in place of the whole suite::

    nox -s lowest -- tests/cli
"""

from pathlib import Path

import nox

nox.options.default_venv_backend = "venv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["light", "docs"]

#: What the tests themselves need, beside the package.
TOOLS = ("pytest", "pytest-xdist", "hypothesis")
#: Not for the oldest versions: a last digit of the README's answer is that of today's scikit-learn.
NEWER = "test_the_readme_says_what_a_run_says"
#: Extras that are light, and whose oldest versions are tested too.
EXTRAS = "[page,predict,posthocs,robust-darts]"
#: The Python that runs all tests without torch; 3.11 runs all tests in `make test`. The others run what an interpreter
#: can change: reading, writing, the commands, pages.
WHOLE, PARTS = "3.12", ("cli", "core", "jobs", "report", "spaces")


@nox.session(python=["3.11", "3.12", "3.13", "3.14"])
def light(session: nox.Session) -> None:
    """Build the wheel, install it without torch, and run the tests that need none, away from the checkout.

    mlcroissant is there so that what `nasanalysis data export` writes is validated, huggingface_hub so that its
    stand-in answers to what it has.
    """
    wheel = _wheel(session)
    session.install("--quiet", "--force-reinstall", "--no-deps", str(wheel))
    session.install("--quiet", "-c", "constraints.txt", f"{wheel}[croissant,hub]", *TOOLS, "pandas")
    session.run("nasanalysis", "report", "digits", "--out", str(Path(session.create_tmp()) / "report"))
    _test(session, () if session.python == WHOLE else PARTS)


@nox.session(python="3.11")
def lowest(session: nox.Session) -> None:
    """The oldest versions that pyproject.toml allows of what the package itself asks for."""
    uv = ("python", "-m", "uv", "pip")
    session.install("--quiet", "uv")
    session.run(*uv, "install", "--quiet", "--resolution", "lowest-direct", f"{_wheel(session)}{EXTRAS}", silent=True)
    # The tools would otherwise move what was just chosen; uv, which is newer than anything, stays as it is.
    chosen = session.run(*uv, "freeze", silent=True) or ""
    pins = Path(session.create_tmp()).resolve() / "lowest.txt"
    pins.write_text("\n".join(line for line in chosen.splitlines() if "==" in line), encoding="utf-8")
    session.install("--quiet", "-c", str(pins), *TOOLS)
    _test(session, more=("-k", f"not {NEWER}"))


@nox.session(python=["3.13"])
def newest(session: nox.Session) -> None:
    """The newest of everything, constraints.txt left aside."""
    eager = ("--quiet", "--upgrade", "--upgrade-strategy", "eager")
    session.install(*eager, f"{_wheel(session)}{EXTRAS}", *TOOLS, "pandas")
    _test(session)


@nox.session
def docs(session: nox.Session) -> None:
    """The site, built strictly, in an environment of its own (`make docs` builds it in the one of the checkout)."""
    session.install("--quiet", "-c", "constraints.txt", "-e", ".[docs]")
    if not Path("build/papers/answer.md").exists():
        session.run("nasanalysis", "papers", "--out", "build/papers")
    session.run("mkdocs", "build", "--strict", env={"NO_MKDOCS_2_WARNING": "1"})


def _wheel(session: nox.Session) -> Path:
    """The wheel of this checkout, built now."""
    wheels = Path(session.create_tmp()).resolve()
    session.run("python", "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(wheels), ".", silent=True)
    return max(wheels.glob("nasanalysis-*.whl"), key=lambda p: p.stat().st_mtime)


def _test(session: nox.Session, parts: tuple[str, ...] = (), more: tuple[str, ...] = ()) -> None:
    """The tests that need no torch, or `parts` of them, in an empty folder and without the settings of pytest here."""
    tests = Path("tests").resolve()
    chosen = [str(Path(path).resolve()) for path in session.posargs or (tests / part for part in parts)] or [str(tests)]
    out = Path(session.create_tmp()).resolve()
    settings = out / "pytest.ini"
    settings.write_text("[pytest]\n", encoding="utf-8")
    session.chdir(out)
    options = ("-q", "-n", "auto", "-m", "not slow and not torch", "-c", str(settings), "--rootdir", str(tests))
    quiet = ("-p", "no:cacheprovider", "-W", "ignore::pytest.PytestUnknownMarkWarning")
    session.run("python", "-m", "pytest", *options, *quiet, *more, *chosen)
